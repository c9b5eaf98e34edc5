/* Rows back as records. */
#include "store/private.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct store_cursor {
    struct store *store;
    const struct record_table *table;
    sqlite3_stmt *row;
    void *record;
    bool keep; /* strings outlive the row */
    bool out_of_memory;
};

/* Repeated texts are kept once; the table of interned strings takes short and clean ones only. */
static const char *keep_text(struct store_cursor *cursor, const char *text)
{
    struct store *store = cursor->store;
    const char *kept = intern_text(store->strings, text);
    if (kept != NULL && strcmp(kept, text) == 0) {
        return kept;
    }
    if (store->text_limit != 0 && intern_memory(store->strings) + store->arena.bytes >= store->text_limit) {
        store->texts_refused++;
        return NULL;
    }
    kept = arena_copy(&store->arena, text, strlen(text) + 1);
    cursor->out_of_memory |= kept == NULL;
    return kept;
}

static void read_text(struct store_cursor *cursor, int at, const struct column *column, void *record)
{
    const char *text = (const char *)sqlite3_column_text(cursor->row, at);
    if (text == NULL || text[0] == '\0') {
        return;
    }
    if (column->type == COLUMN_TEXT && cursor->keep) {
        text = keep_text(cursor, text);
    }
    if (text != NULL) {
        column_set_text(column, text, record);
    }
}

static void read_address(struct store_cursor *cursor, int at, const struct column *column, void *record)
{
    struct address address;
    const char *text = (const char *)sqlite3_column_text(cursor->row, at);
    if (text != NULL && address_from_text(text, &address)) {
        memcpy((unsigned char *)record + column->offset, &address, sizeof address);
    }
}

static void read_blob(struct store_cursor *cursor, int at, const struct column *column, void *record)
{
    const void *bytes = sqlite3_column_blob(cursor->row, at);
    int64_t len = sqlite3_column_bytes(cursor->row, at);
    if (bytes == NULL || len <= 0) {
        return;
    }
    if (cursor->keep) {
        bytes = arena_copy(&cursor->store->arena, bytes, (size_t)len);
        cursor->out_of_memory |= bytes == NULL;
        len = bytes != NULL ? len : 0;
    }
    unsigned char *member = (unsigned char *)record + column->offset;
    memcpy(member, &bytes, sizeof bytes);
    memcpy(member + sizeof bytes, &len, sizeof len);
}

static int64_t word_value(struct store_cursor *cursor, int at, const struct column *column)
{
    const char *word = (const char *)sqlite3_column_text(cursor->row, at);
    int value = column_value_of(column, word != NULL ? word : "");
    return value >= 0 ? value : 0;
}

static void read_integer(struct store_cursor *cursor, int at, const struct column *column, void *record)
{
    int64_t value = column_absent_value(column);
    if (column->type == COLUMN_NAMED || column->type == COLUMN_FINDING) {
        value = word_value(cursor, at, column);
    } else if (sqlite3_column_type(cursor->row, at) != SQLITE_NULL) {
        value = sqlite3_column_int64(cursor->row, at);
    }
    column_set_integer(column, value, record);
}

static void read_column(struct store_cursor *cursor, int at, const struct column *column, void *record)
{
    double real = 0;
    switch (column->type) {
    case COLUMN_REAL:
        real = sqlite3_column_double(cursor->row, at);
        memcpy((unsigned char *)record + column->offset, &real, sizeof real);
        break;
    case COLUMN_TEXT:
    case COLUMN_CHARS:
        read_text(cursor, at, column, record);
        break;
    case COLUMN_ADDRESS:
        read_address(cursor, at, column, record);
        break;
    case COLUMN_BLOB:
        read_blob(cursor, at, column, record);
        break;
    default:
        read_integer(cursor, at, column, record);
    }
}

struct store_cursor *store_cursor_open(struct store *store, enum record_kind kind, const char *where,
                                       const char *order_by, int64_t limit, bool keep_strings,
                                       struct error *error)
{
    if (store->writer != NULL && !writer_flush(store->writer, error)) {
        return NULL;
    }
    struct store_cursor *cursor = calloc(1, sizeof *cursor);
    const struct record_table *table = record_table_get(kind);
    char *sql = schema_select_sql(table, where, order_by);
    void *record = malloc(table->record_size);
    int rc = SQLITE_NOMEM;
    if (cursor != NULL && sql != NULL && record != NULL) {
        *cursor = (struct store_cursor){store, table, NULL, record, keep_strings, false};
        rc = sqlite3_prepare_v2(store->db, sql, -1, &cursor->row, NULL);
    }
    free(sql);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(cursor->row, 1, limit > 0 ? limit : -1);
        return cursor;
    }
    (void)sql_fail(store, rc == SQLITE_NOMEM ? NULL : store->db, rc, "read", error);
    free(record);
    free(cursor);
    return NULL;
}

bool store_cursor_next(struct store_cursor *cursor, const void **out, struct error *error)
{
    int rc = sqlite3_step(cursor->row);
    const void *record = NULL;
    if (rc == SQLITE_ROW) {
        memset(cursor->record, 0, cursor->table->record_size);
        for (size_t i = 0; i < cursor->table->column_count; i++) {
            read_column(cursor, (int)i, &cursor->table->columns[i], cursor->record);
        }
        rc = cursor->out_of_memory ? SQLITE_NOMEM : SQLITE_ROW;
        record = cursor->record;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return sql_fail(cursor->store, rc == SQLITE_NOMEM ? NULL : cursor->store->db, rc, "read", error);
    }
    *out = record;
    return true;
}

void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor != NULL) {
        (void)sqlite3_finalize(cursor->row);
        free(cursor->record);
        free(cursor);
    }
}

bool store_select(struct store *store, enum record_kind kind, const char *where,
                  const char *order_by, int64_t limit, bool keep_strings,
                  bool (*row)(void *self, const void *record), void *self, struct error *error)
{
    struct store_cursor *cursor = store_cursor_open(store, kind, where, order_by, limit, keep_strings, error);
    const void *record = NULL;
    bool done = cursor != NULL;
    do {
        done = done && store_cursor_next(cursor, &record, error);
    } while (done && record != NULL && row(self, record));
    store_cursor_close(cursor);
    return done;
}
