/* Rows back as records. */
#include "store/private.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct store *store;
    sqlite3_stmt *row;
    bool keep;        /* strings outlive the row */
    bool out_of_memory;
};

/* Repeated texts are kept once; the table of interned strings takes short and clean ones only. */
static const char *keep_text(struct reading *reading, const char *text)
{
    const char *kept = intern_text(reading->store->strings, text);
    if (kept == NULL || strcmp(kept, text) != 0) {
        kept = arena_copy(&reading->store->arena, text, strlen(text) + 1);
    }
    reading->out_of_memory |= kept == NULL;
    return kept;
}

static void read_text(struct reading *reading, int at, const struct column *column, void *record)
{
    const char *text = (const char *)sqlite3_column_text(reading->row, at);
    if (text == NULL || text[0] == '\0') {
        return;
    }
    if (column->type == COLUMN_TEXT && reading->keep) {
        text = keep_text(reading, text);
    }
    column_set_text(column, text, record);
}

static void read_address(struct reading *reading, int at, const struct column *column, void *record)
{
    struct address address;
    const char *text = (const char *)sqlite3_column_text(reading->row, at);
    if (text != NULL && address_from_text(text, &address)) {
        memcpy((unsigned char *)record + column->offset, &address, sizeof address);
    }
}

static void read_blob(struct reading *reading, int at, const struct column *column, void *record)
{
    const void *bytes = sqlite3_column_blob(reading->row, at);
    int64_t len = sqlite3_column_bytes(reading->row, at);
    if (bytes == NULL || len <= 0) {
        return;
    }
    if (reading->keep) {
        bytes = arena_copy(&reading->store->arena, bytes, (size_t)len);
        reading->out_of_memory |= bytes == NULL;
        len = bytes != NULL ? len : 0;
    }
    unsigned char *member = (unsigned char *)record + column->offset;
    memcpy(member, &bytes, sizeof bytes);
    memcpy(member + sizeof bytes, &len, sizeof len);
}

static int64_t word_value(struct reading *reading, int at, const struct column *column)
{
    const char *word = (const char *)sqlite3_column_text(reading->row, at);
    int value = column_value_of(column, word != NULL ? word : "");
    return value >= 0 ? value : 0;
}

static void read_integer(struct reading *reading, int at, const struct column *column, void *record)
{
    int64_t value = column_absent_value(column);
    if (column->type == COLUMN_NAMED || column->type == COLUMN_FINDING) {
        value = word_value(reading, at, column);
    } else if (sqlite3_column_type(reading->row, at) != SQLITE_NULL) {
        value = sqlite3_column_int64(reading->row, at);
    }
    column_set_integer(column, value, record);
}

static void read_column(struct reading *reading, int at, const struct column *column, void *record)
{
    double real = 0;
    switch (column->type) {
    case COLUMN_REAL:
        real = sqlite3_column_double(reading->row, at);
        memcpy((unsigned char *)record + column->offset, &real, sizeof real);
        break;
    case COLUMN_TEXT:
    case COLUMN_CHARS:
        read_text(reading, at, column, record);
        break;
    case COLUMN_ADDRESS:
        read_address(reading, at, column, record);
        break;
    case COLUMN_BLOB:
        read_blob(reading, at, column, record);
        break;
    default:
        read_integer(reading, at, column, record);
    }
}

static int read_rows(struct reading *reading, const struct record_table *table, void *record,
                     bool (*row)(void *self, const void *record), void *self)
{
    int rc = sqlite3_step(reading->row);
    while (rc == SQLITE_ROW) {
        memset(record, 0, table->record_size);
        for (size_t i = 0; i < table->column_count; i++) {
            read_column(reading, (int)i, &table->columns[i], record);
        }
        if (reading->out_of_memory) {
            return SQLITE_NOMEM;
        }
        if (!row(self, record)) {
            return SQLITE_DONE;
        }
        rc = sqlite3_step(reading->row);
    }
    return rc;
}

bool store_select(struct store *store, enum record_kind kind, const char *where,
                  const char *order_by, int64_t limit, bool keep_strings,
                  bool (*row)(void *self, const void *record), void *self, struct error *error)
{
    const struct record_table *table = record_table_get(kind);
    struct reading reading = {.store = store, .keep = keep_strings};
    if (store->writer != NULL && !writer_flush(store->writer, error)) {
        return false;
    }
    char *sql = schema_select_sql(table, where, order_by);
    void *record = malloc(table->record_size);
    int rc = sql != NULL && record != NULL
                 ? sqlite3_prepare_v2(store->db, sql, -1, &reading.row, NULL)
                 : SQLITE_NOMEM;
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(reading.row, 1, limit > 0 ? limit : -1);
        rc = read_rows(&reading, table, record, row, self);
    }
    bool done = rc == SQLITE_DONE || sql_fail(store, rc == SQLITE_NOMEM ? NULL : store->db, rc,
                                              "read", error);
    (void)sqlite3_finalize(reading.row);
    free(record);
    free(sql);
    return done;
}
