/* What the files of store/ share. The foreign types are named, not included. */
#ifndef INVCAP_STORE_PRIVATE_H
#define INVCAP_STORE_PRIVATE_H

#include "core/arena.h"
#include "store/store.h"

#include "core/intern.h"

#include <stdio.h>

struct sqlite3;
struct sqlite3_stmt;
struct writer;

#define STORE_APPLICATION_ID 0x494E5643 /* "INVC", shown by file(1) */
#define STORE_SCHEMA_VERSION 3 /* store/migrate.c brings older databases up to it */
/* How long to wait for another program's lock. */
#define STORE_BUSY_MS 5000

/* Text and bytes that live as long as the store; a list of chunks. */
struct store {
    char *path;
    enum store_mode mode;
    bool memory;            /* ":memory:": reader and writer share one connection */
    struct sqlite3 *db;     /* of the callers' thread */
    struct writer *writer;  /* started by the first record */
    char *lock_path;
    int lock_fd;
    struct error failure;   /* why the writer could not start: what was put is lost */
    int64_t capture_id;     /* of store_begin; 0 none */
    bool append;
    bool created;           /* the file was not there before */
    bool discard;           /* to be removed at close: nothing came into the file we made */
    bool ends_interrupted;  /* what the capture's own record says */
    struct intern *strings; /* of store_select with keep_strings */
    struct arena arena;
    uint64_t text_limit, texts_refused; /* of both; 0 none */
};

/* ---- sql.c ---- */
/* Fills error after the SQLite result rc: what was tried, on which file, what to do. Returns false. */
bool sql_fail(const struct store *store, struct sqlite3 *db, int rc, const char *doing,
              struct error *error);
bool sql_exec(const struct store *store, struct sqlite3 *db, const char *sql, const char *doing,
              struct error *error);
/* The first column of the first row as an integer, 0 without a row. */
bool sql_integer(const struct store *store, struct sqlite3 *db, const char *sql, int64_t *out,
                 struct error *error);
/* Runs one statement with one integer bound. */
bool sql_run_id(const struct store *store, struct sqlite3 *db, const char *sql, int64_t id,
                const char *doing, struct error *error);
/* Opens a connection without reading the file yet; flags as SQLITE_OPEN_. */
bool sql_open(const struct store *store, int flags, struct sqlite3 **out, struct error *error);

/* Our settings, once the file is known to be good. */
bool sql_settle(const struct store *store, struct sqlite3 *db, struct error *error);

/* ---- functions.c ---- */
/* The SQL functions sketch_quantile, sketch_count and sketch_merge. */
bool functions_add(const struct store *store, struct sqlite3 *db, struct error *error);

/* ---- schema.c ---- */
/* Tables, views and numbers of an empty database, in one transaction. */
bool schema_create(const struct store *store, struct error *error);
bool schema_create_indexes(const struct store *store, struct error *error);
/* An empty store is filled faster without them. */
bool schema_drop_indexes(const struct store *store, struct error *error);
/* Statements made from a column table, as text that the caller frees; NULL without memory. */
char *schema_insert_sql(const struct record_table *table);
char *schema_select_sql(const struct record_table *table, const char *where, const char *order_by);
/* Whether some columns of the table share the stored integer `packed`. */
bool schema_has_packed(const struct record_table *table);
void schema_write_create(const struct record_table *table, FILE *out);
/* A column as ALTER TABLE ADD COLUMN wants it: older rows get NULL, or 0 where it has no NULL. */
void schema_write_added(const struct column *column, FILE *out);
void schema_write_views(FILE *out);
/* INTEGER, REAL, TEXT or BLOB. */
const char *schema_type(const struct column *column);
size_t schema_key_count(const struct record_table *table);

/* ---- migrate.c ---- */
/* Brings a database of an older version up to date, in one transaction; nothing to do is success. */
bool schema_migrate(const struct store *store, struct error *error);

/* ---- views.c ---- */
struct store_view {
    const char *name;
    const char *sentence;
    const char *sql;
};
extern const struct store_view store_views[];
extern const size_t store_view_count;

/* ---- replace.c ---- */
/* Removes a capture with all that hangs on it. */
bool store_delete_capture(const struct store *store, int64_t id, struct error *error);

/* ---- lock.c ---- */
/* Takes the lock file beside the database, so that one program writes at a time. */
bool lock_take(struct store *store, struct error *error);
void lock_release(struct store *store);

/* ---- writer.c ---- */
struct writer *writer_start(struct store *store, struct error *error);
/* Waits until all is committed; false when the writer failed, now or before. */
bool writer_flush(struct writer *writer, struct error *error);
/* Commits what is left, ends the thread, closes its connection. */
void writer_stop(struct writer *writer);
/* Takes a copy of one record or bundle. */
void writer_put(struct writer *writer, enum record_kind kind, const void *record);

#endif
