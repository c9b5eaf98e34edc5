/* SQL made from the column tables. Column and table names are ours and plain: they need no quotes. */
#include "store/private.h"

#include <sqlite3.h>
#include <stdlib.h>

/* What reports and views look rows up by; made at the end of a read, when it is cheapest. */
static const struct {
    const char *name, *on;
} indexes[] = {
    {"flows_by_time", "flows(capture_id, first_ns)"},
    {"flows_by_verdict", "flows(capture_id, verdict) WHERE verdict IS NOT NULL"},
    {"sources_by_capture", "sources(capture_id)"},
    {"tls_certificates_by_certificate", "tls_certificates(certificate_id)"},
    {"icmp_errors_by_flow", "icmp_errors(flow_id) WHERE flow_id IS NOT NULL"},
    {"findings_by_code", "findings(capture_id, code)"},
    {"finding_flows_by_flow", "finding_flows(flow_id)"},
};

size_t schema_key_count(const struct record_table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        count += (table->columns[i].flags & COLUMN_KEY) != 0;
    }
    return count;
}

bool schema_has_packed(const struct record_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].bits.width > 0) {
            return true;
        }
    }
    return false;
}

const char *schema_type(const struct column *column)
{
    switch (column->type) {
    case COLUMN_REAL:
        return "REAL";
    case COLUMN_TEXT:
    case COLUMN_CHARS:
    case COLUMN_ADDRESS:
    case COLUMN_NAMED:
    case COLUMN_FINDING:
        return "TEXT";
    case COLUMN_BLOB:
        return "BLOB";
    default:
        return "INTEGER";
    }
}

static bool is_always_there(const struct column *column)
{
    bool integer = column->type <= COLUMN_BOOL;
    bool nullable = (column->flags & (COLUMN_NEGATIVE_IS_NULL | COLUMN_ZERO_IS_NULL)) != 0;
    return (column->flags & COLUMN_KEY) != 0 || (integer && !nullable);
}

/* first_frame INTEGER AS (packed >> 32 & 2147483647) VIRTUAL. SQLite works out the words at each insert, too: 0,
 * which most have, comes first. */
static void write_packed(const struct column *column, FILE *out)
{
    unsigned long long mask = (1ULL << column->bits.width) - 1;
    fprintf(out, "%s %s AS (", column->name, schema_type(column));
    fprintf(out, column->names != NULL ? "CASE packed >> %u & %llu" : "packed >> %u & %llu",
            (unsigned)column->bits.shift, mask);
    for (unsigned i = 0; column->names != NULL && column->names[i] != NULL; i++) {
        if (column->names[i][0] != '\0') {
            fprintf(out, " WHEN %u THEN '%s'", i, column->names[i]);
        } else if (i == 0) {
            fputs(" WHEN 0 THEN NULL", out);
        }
    }
    fputs(column->names != NULL ? " END) VIRTUAL" : ") VIRTUAL", out);
}

static void write_column(const struct column *column, bool sole_key, FILE *out)
{
    if (column->bits.width > 0) {
        write_packed(column, out);
        return;
    }
    fprintf(out, "%s %s", column->name, schema_type(column));
    if ((column->flags & COLUMN_KEY) != 0 && sole_key) {
        fputs(" PRIMARY KEY", out);
    } else if (is_always_there(column)) {
        fputs(" NOT NULL", out);
    }
    if (column->references != NULL) {
        fprintf(out, " REFERENCES %s", column->references);
    }
}

void schema_write_added(const struct column *column, FILE *out)
{
    if (column->bits.width > 0) {
        write_packed(column, out);
        return;
    }
    fprintf(out, "%s %s%s", column->name, schema_type(column),
            is_always_there(column) ? " NOT NULL DEFAULT 0" : "");
}

void schema_write_views(FILE *out)
{
    for (size_t i = 0; i < store_view_count; i++) {
        fprintf(out, "CREATE VIEW %s AS %s;\n", store_views[i].name, store_views[i].sql);
    }
}

static void write_names(const struct record_table *table, bool (*wanted)(const struct column *),
                        FILE *out)
{
    const char *comma = "";
    for (size_t i = 0; i < table->column_count; i++) {
        if (wanted(&table->columns[i])) {
            fprintf(out, "%s%s", comma, table->columns[i].name);
            comma = ", ";
        }
    }
}

static bool is_key(const struct column *column)
{
    return (column->flags & COLUMN_KEY) != 0;
}

static bool is_stored(const struct column *column)
{
    return column->bits.width == 0;
}

static bool is_any(const struct column *column)
{
    return column != NULL;
}

void schema_write_create(const struct record_table *table, FILE *out)
{
    size_t keys = schema_key_count(table);
    fprintf(out, "CREATE TABLE %s (", table->table);
    for (size_t i = 0; i < table->column_count; i++) {
        fputs(i == 0 ? "\n    " : ",\n    ", out);
        write_column(&table->columns[i], keys == 1, out);
    }
    if (schema_has_packed(table)) {
        fputs(",\n    packed INTEGER NOT NULL", out);
    }
    if (keys > 1) {
        fputs(",\n    PRIMARY KEY (", out);
        write_names(table, is_key, out);
        fputs(")", out);
    }
    fputs(keys > 1 ? "\n) STRICT, WITHOUT ROWID;\n" : "\n) STRICT;\n", out);
}

static void write_insert(const struct record_table *table, FILE *out)
{
    fprintf(out, "INSERT OR REPLACE INTO %s (", table->table);
    write_names(table, is_stored, out);
    fputs(schema_has_packed(table) ? ", packed) VALUES (?" : ") VALUES (?", out);
    size_t stored = schema_has_packed(table);
    for (size_t i = 0; i < table->column_count; i++) {
        stored += is_stored(&table->columns[i]);
    }
    for (size_t i = 1; i < stored; i++) {
        fputs(", ?", out);
    }
    fputs(")", out);
}

char *schema_insert_sql(const struct record_table *table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    write_insert(table, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_select(const struct record_table *table, const char *where, const char *order_by,
                         FILE *out)
{
    fputs("SELECT ", out);
    write_names(table, is_any, out);
    fprintf(out, " FROM %s", table->table);
    if (where != NULL && where[0] != '\0') {
        fprintf(out, " WHERE (%s)", where);
    }
    fputs(" ORDER BY ", out);
    if (order_by != NULL && order_by[0] != '\0') {
        fputs(order_by, out);
    } else if (schema_key_count(table) > 0) {
        write_names(table, is_key, out);
    } else {
        fputs("rowid", out);
    }
    fputs(" LIMIT ?", out);
}

char *schema_select_sql(const struct record_table *table, const char *where, const char *order_by)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    write_select(table, where, order_by, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_schema(FILE *out)
{
    fprintf(out, "PRAGMA application_id=%d; PRAGMA user_version=%d;\n", STORE_APPLICATION_ID,
            STORE_SCHEMA_VERSION);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        schema_write_create(record_table_get((enum record_kind)kind), out);
    }
    schema_write_views(out);
}

bool schema_create(const struct store *store, struct error *error)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return sql_fail(store, NULL, SQLITE_NOMEM, "create", error);
    }
    /* Large pages: a quarter less CPU per row than with 4 KiB (tests/tools/store_bench). */
    fputs("PRAGMA page_size=16384; BEGIN IMMEDIATE;\n", out);
    write_schema(out);
    fputs("COMMIT;\n", out);
    bool done = fclose(out) == 0 && sql_exec(store, store->db, text, "create", error);
    free(text);
    return done;
}

bool schema_create_indexes(const struct store *store, struct error *error)
{
    char sql[256];
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        (void)snprintf(sql, sizeof sql, "CREATE INDEX IF NOT EXISTS %s ON %s", indexes[i].name,
                       indexes[i].on);
        if (!sql_exec(store, store->db, sql, "index", error)) {
            return false;
        }
    }
    return true;
}

bool schema_drop_indexes(const struct store *store, struct error *error)
{
    char sql[128];
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        (void)snprintf(sql, sizeof sql, "DROP INDEX IF EXISTS %s", indexes[i].name);
        if (!sql_exec(store, store->db, sql, "write", error)) {
            return false;
        }
    }
    return true;
}
