/* Free SQL that can only read. */
#include "store/private.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* Pragmas that tell; those of the second list change something when given a value. */
static const char *const pragmas[] = {
    "table_info",        "table_xinfo",       "table_list",      "index_list",  "index_info",
    "index_xinfo",       "foreign_key_list",  "foreign_key_check", "integrity_check", "quick_check",
    "compile_options",   "database_list",     "function_list",   "pragma_list", "page_count",
    "freelist_count",    NULL};
static const char *const pragmas_without_value[] = {
    "application_id", "user_version", "schema_version", "encoding", "page_size", "foreign_keys",
    NULL};

static bool is_in(const char *name, const char *const *list)
{
    for (size_t i = 0; list[i] != NULL; i++) {
        if (sqlite3_stricmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool pragma_only_tells(const char *name, const char *value)
{
    return is_in(name, pragmas) || (value == NULL && is_in(name, pragmas_without_value));
}

/* sqlite3_stmt_readonly calls ATTACH and BEGIN read-only; they are not for users here. */
static int only_reading(void *self, int action, const char *first, const char *second,
                        const char *database, const char *trigger)
{
    (void)self;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_UPDATE: /* so SQLite asks when a table-valued function such as json_each is used */
        return strcmp(first, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        return pragma_only_tells(first, second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

struct answer {
    sqlite3_stmt *statement;
    int count;
    const char **names;
    const char **cells;
    char **hex; /* text forms of blobs, freed with each row */
    int *types;
};

static bool answer_open(struct answer *answer)
{
    size_t count = (size_t)sqlite3_column_count(answer->statement);
    answer->count = (int)count;
    answer->names = calloc(count + 1, sizeof *answer->names);
    answer->cells = calloc(count + 1, sizeof *answer->cells);
    answer->hex = calloc(count + 1, sizeof *answer->hex);
    answer->types = calloc(count + 1, sizeof *answer->types);
    if (answer->names == NULL || answer->cells == NULL || answer->hex == NULL ||
        answer->types == NULL) {
        return false;
    }
    for (int i = 0; i < answer->count; i++) {
        answer->names[i] = sqlite3_column_name(answer->statement, i);
        if (answer->names[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void free_hex(struct answer *answer)
{
    for (int i = 0; i < answer->count && answer->hex != NULL; i++) {
        free(answer->hex[i]);
        answer->hex[i] = NULL;
    }
}

static void answer_close(struct answer *answer)
{
    free_hex(answer);
    free(answer->names);
    free(answer->cells);
    free(answer->hex);
    free(answer->types);
    (void)sqlite3_finalize(answer->statement);
}

static char *hex_of(const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * len + 1);
    for (size_t i = 0; text != NULL && i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    if (text != NULL) {
        text[2 * len] = '\0';
    }
    return text;
}

static bool read_cell(struct answer *answer, int at)
{
    answer->types[at] = sqlite3_column_type(answer->statement, at);
    if (answer->types[at] == SQLITE_NULL) {
        answer->cells[at] = NULL;
        return true;
    }
    if (answer->types[at] == SQLITE_BLOB) {
        const unsigned char *bytes = sqlite3_column_blob(answer->statement, at);
        answer->hex[at] = hex_of(bytes, (size_t)sqlite3_column_bytes(answer->statement, at));
        answer->cells[at] = answer->hex[at];
    } else {
        answer->cells[at] = (const char *)sqlite3_column_text(answer->statement, at);
    }
    return answer->cells[at] != NULL;
}

static int answer_rows(struct answer *answer,
                       bool (*row)(void *self, const struct store_row *row), void *self)
{
    struct store_row out = {answer->count, answer->names, answer->cells, answer->types};
    int rc = sqlite3_step(answer->statement);
    while (rc == SQLITE_ROW) {
        for (int i = 0; i < answer->count; i++) {
            if (!read_cell(answer, i)) {
                return SQLITE_NOMEM;
            }
        }
        bool more = row(self, &out);
        free_hex(answer);
        if (!more) {
            return SQLITE_DONE;
        }
        rc = sqlite3_step(answer->statement);
    }
    return rc;
}

static bool refuse(const struct store *store, int rc, struct error *error)
{
    if ((rc & 0xff) == SQLITE_AUTH) {
        return error_set(error, ERROR_USAGE,
                         "this SQL would change something; only reading is possible here");
    }
    if ((rc & 0xff) == SQLITE_ERROR) {
        return error_set(error, ERROR_USAGE, "the SQL is not understood: %s",
                         sqlite3_errmsg(store->db));
    }
    return sql_fail(store, store->db, rc, "read", error);
}

/* Whether anything but blanks, semicolons and comments follows: SQLite compiles it to nothing. */
static bool has_more(const struct store *store, const char *tail)
{
    while (tail != NULL && tail[0] != '\0') {
        sqlite3_stmt *next = NULL;
        const char *at = tail;
        int rc = sqlite3_prepare_v2(store->db, at, -1, &next, &tail);
        bool found = rc != SQLITE_OK || next != NULL;
        (void)sqlite3_finalize(next);
        if (found) {
            return true;
        }
        if (tail == at) {
            break;
        }
    }
    return false;
}

static bool prepare(struct store *store, const char *sql, struct answer *answer, struct error *error)
{
    const char *tail = NULL;
    (void)sqlite3_set_authorizer(store->db, only_reading, NULL);
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &answer->statement, &tail);
    bool done = rc == SQLITE_OK || refuse(store, rc, error);
    if (done && answer->statement == NULL) {
        done = error_set(error, ERROR_USAGE, "there is no SQL to run");
    } else if (done && !sqlite3_stmt_readonly(answer->statement)) {
        done = refuse(store, SQLITE_AUTH, error);
    } else if (done && has_more(store, tail)) {
        done = error_set(error, ERROR_USAGE, "give one SQL statement at a time");
    }
    (void)sqlite3_set_authorizer(store->db, NULL, NULL);
    return done;
}

bool store_query(struct store *store, const char *sql,
                 bool (*row)(void *self, const struct store_row *row), void *self,
                 struct error *error)
{
    struct answer answer = {0};
    if (store->writer != NULL && !writer_flush(store->writer, error)) {
        return false;
    }
    bool done = prepare(store, sql, &answer, error);
    if (done) {
        int rc = answer_open(&answer) ? answer_rows(&answer, row, self) : SQLITE_NOMEM;
        done = rc == SQLITE_DONE || refuse(store, rc, error);
    }
    answer_close(&answer);
    return done;
}
