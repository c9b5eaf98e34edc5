#include "store/private.h"

#include <sqlite3.h>

/* What the user can do about it. */
static const char *sql_remedy(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return "the disk is full; free space or name a file elsewhere with --db";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program holds it; close that program and try again";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "it may not be written; change its permissions or name another file with --db";
    case SQLITE_CANTOPEN:
        return "it cannot be opened; check that its folder exists and may be used";
    case SQLITE_NOTADB:
        return "it is not a database; name another file with --db";
    case SQLITE_CORRUPT:
        return "it is damaged; move it away and read the captures again";
    case SQLITE_IOERR:
        return "the disk does not work as it should; name a file elsewhere with --db";
    case SQLITE_NOMEM:
        return "there is not enough memory";
    default:
        return NULL;
    }
}

bool sql_fail(const struct store *store, struct sqlite3 *db, int rc, const char *doing,
              struct error *error)
{
    const char *remedy = sql_remedy(rc);
    const char *detail = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    if (remedy == NULL) {
        return error_set(error, ERROR_STORE, "cannot %s the database %s: %s", doing, store->path,
                         detail);
    }
    return error_set(error, ERROR_STORE, "cannot %s the database %s: %s (%s)", doing, store->path,
                     remedy, detail);
}

bool sql_exec(const struct store *store, struct sqlite3 *db, const char *sql, const char *doing,
              struct error *error)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || sql_fail(store, db, rc, doing, error);
}

bool sql_integer(const struct store *store, struct sqlite3 *db, const char *sql, int64_t *out,
                 struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    int64_t value = 0;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    }
    bool done = rc == SQLITE_ROW || rc == SQLITE_DONE || sql_fail(store, db, rc, "read", error);
    sqlite3_finalize(statement);
    if (done) {
        *out = value;
    }
    return done;
}

bool sql_run_id(const struct store *store, struct sqlite3 *db, const char *sql, int64_t id,
                const char *doing, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(statement, 1, id);
        rc = sqlite3_step(statement);
    }
    bool done = rc == SQLITE_ROW || rc == SQLITE_DONE || sql_fail(store, db, rc, doing, error);
    sqlite3_finalize(statement);
    return done;
}

bool sql_open(const struct store *store, int flags, struct sqlite3 **out, struct error *error)
{
    sqlite3 *db = NULL;
    /* Its count of memory in use takes a lock at each allocation; refused, and not needed, after the
     * first connection of the process. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int rc = sqlite3_open_v2(store->path, &db, flags, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(db, STORE_BUSY_MS);
    }
    if (rc != SQLITE_OK) {
        (void)sql_fail(store, db, rc, "open", error);
        (void)sqlite3_close(db);
        return false;
    }
    *out = db;
    return true;
}

bool sql_settle(const struct store *store, struct sqlite3 *db, struct error *error)
{
    /* Foreign keys are declared for readers; our own deletes keep them, so nothing checks each row. */
    return sql_exec(store, db,
                    "PRAGMA foreign_keys=OFF; PRAGMA synchronous=NORMAL;"
                    "PRAGMA cache_size=-16384; PRAGMA trusted_schema=OFF",
                    "open", error) &&
           functions_add(store, db, error);
}
