/* Databases of older versions: what a table lacks is added, views are made anew. Columns and tables
 * are only ever added, so that older rows stay what they are; a value that was not kept is NULL, or 0
 * where the column has no NULL. */
#include "store/private.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static bool count_named(const struct store *store, const char *sql, const char *first,
                        const char *second, int64_t *out, struct error *error)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &row, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_text(row, 1, first, -1, SQLITE_STATIC);
        if (second != NULL) {
            (void)sqlite3_bind_text(row, 2, second, -1, SQLITE_STATIC);
        }
        rc = sqlite3_step(row);
    }
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    bool done = rc == SQLITE_ROW || sql_fail(store, store->db, rc, "read", error);
    (void)sqlite3_finalize(row);
    return done;
}

static bool has_column(const struct store *store, const char *table, const char *name, bool *out,
                       struct error *error)
{
    int64_t count = 0;
    bool done =
        count_named(store, "SELECT count(*) FROM pragma_table_xinfo(?1) WHERE name = ?2", table,
                    name, &count, error);
    *out = count > 0;
    return done;
}

/* The statements that a table of an older database needs. */
static bool write_missing(const struct store *store, const struct record_table *table, FILE *out,
                          struct error *error)
{
    int64_t tables = 0;
    bool there = false;
    if (!count_named(store, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
                     table->table, NULL, &tables, error)) {
        return false;
    }
    if (tables == 0) {
        schema_write_create(table, out);
        return true;
    }
    if (schema_has_packed(table)) {
        if (!has_column(store, table->table, "packed", &there, error)) {
            return false;
        }
        if (!there) {
            fprintf(out, "ALTER TABLE %s ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;\n",
                    table->table);
        }
    }
    for (size_t i = 0; i < table->column_count; i++) {
        if (!has_column(store, table->table, table->columns[i].name, &there, error)) {
            return false;
        }
        if (!there) {
            fprintf(out, "ALTER TABLE %s ADD COLUMN ", table->table);
            schema_write_added(&table->columns[i], out);
            fputs(";\n", out);
        }
    }
    return true;
}

static bool write_all(const struct store *store, FILE *out, struct error *error)
{
    fputs("BEGIN IMMEDIATE;\n", out);
    for (size_t i = 0; i < store_view_count; i++) {
        fprintf(out, "DROP VIEW IF EXISTS %s;\n", store_views[i].name);
    }
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        if (!write_missing(store, record_table_get((enum record_kind)kind), out, error)) {
            return false;
        }
    }
    schema_write_views(out);
    fprintf(out, "PRAGMA user_version=%d;\nCOMMIT;\n", STORE_SCHEMA_VERSION);
    return true;
}

bool schema_migrate(const struct store *store, struct error *error)
{
    int64_t version = 0;
    char *text = NULL;
    size_t len = 0;
    if (!sql_integer(store, store->db, "PRAGMA user_version", &version, error)) {
        return false;
    }
    if (version >= STORE_SCHEMA_VERSION) {
        return true;
    }
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return sql_fail(store, NULL, SQLITE_NOMEM, "bring up to date", error);
    }
    bool good = write_all(store, out, error);
    good = fclose(out) == 0 && good && sql_exec(store, store->db, text, "bring up to date", error);
    if (!good) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    free(text);
    return good;
}
