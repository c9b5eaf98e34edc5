#include "store/insert.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define VERDICT_SQL "UPDATE flows SET outcome = ?, stage = ?, verdict = ? WHERE id = ?"

static bool prepare(struct inserter *inserter, const char *sql, sqlite3_stmt **out,
                    struct error *error)
{
    int rc = sql == NULL ? SQLITE_NOMEM
                         : sqlite3_prepare_v3(inserter->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
                                              NULL);
    return rc == SQLITE_OK || sql_fail(inserter->store, inserter->db, rc, "write", error);
}

static bool plan(struct inserter *inserter, enum record_kind kind)
{
    const struct record_table *table = record_table_get(kind);
    struct bind_step *steps = calloc(table->column_count, sizeof *steps);
    inserter->steps[kind] = steps;
    for (size_t i = 0; steps != NULL && i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        assert(column->offset <= UINT16_MAX);
        steps[i] = (struct bind_step){.column = column,
                                      .offset = (uint16_t)column->offset,
                                      .load = (uint8_t)column_load_of(column),
                                      .is_packed = column->bits.width > 0};
    }
    return steps != NULL;
}

bool inserter_open(struct inserter *inserter, const struct store *store, struct sqlite3 *db,
                   struct error *error)
{
    *inserter = (struct inserter){.store = store, .db = db};
    bool done = prepare(inserter, "BEGIN IMMEDIATE", &inserter->begin, error) &&
                prepare(inserter, "COMMIT", &inserter->commit, error) &&
                prepare(inserter, "ROLLBACK", &inserter->rollback, error) &&
                prepare(inserter, VERDICT_SQL, &inserter->rows[RECORD_VERDICT], error);
    for (int kind = 0; done && kind < RECORD_TABLE_COUNT; kind++) {
        char *sql = schema_insert_sql(record_table_get((enum record_kind)kind));
        done = prepare(inserter, sql, &inserter->rows[kind], error);
        free(sql);
        done = done && (plan(inserter, (enum record_kind)kind) ||
                        sql_fail(store, db, SQLITE_NOMEM, "write", error));
    }
    if (!done) {
        inserter_close(inserter);
    }
    return done;
}

void inserter_close(struct inserter *inserter)
{
    (void)sqlite3_finalize(inserter->begin);
    (void)sqlite3_finalize(inserter->commit);
    (void)sqlite3_finalize(inserter->rollback);
    for (int kind = 0; kind < RECORD_KIND_COUNT; kind++) {
        (void)sqlite3_finalize(inserter->rows[kind]);
    }
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        free(inserter->steps[kind]);
    }
    row_order_free(&inserter->order);
    *inserter = (struct inserter){0};
}

/* A row being bound. */
struct binding {
    struct inserter *inserter;
    sqlite3_stmt *row;
    const void *record;
};

/* Keys are never NULL: a table without row ids has nothing else to find a row by. */
static bool may_be_null(const struct column *column)
{
    return (column->flags & COLUMN_KEY) == 0;
}

static int bind_text(const struct binding *b, int at, const struct column *column, const char *text)
{
    return text[0] == '\0' && may_be_null(column) ? sqlite3_bind_null(b->row, at)
                                                  : sqlite3_bind_text(b->row, at, text, -1, SQLITE_STATIC);
}

static int bind_address(const struct binding *b, int at, const struct column *column)
{
    struct inserter *inserter = b->inserter;
    struct address address = column_get_address(column, b->record);
    assert(inserter->address_count < INSERT_ADDRESSES);
    char *text = inserter->addresses[inserter->address_count++];
    return bind_text(b, at, column, address_to_text(&address, text));
}

static int bind_blob(const struct binding *b, int at, const struct column *column)
{
    size_t len;
    const uint8_t *bytes = column_get_blob(column, b->record, &len);
    return sqlite3_bind_blob64(b->row, at, bytes, len, SQLITE_STATIC); /* NULL binds NULL */
}

static int bind_other(const struct binding *b, int at, const struct column *column)
{
    switch (column->type) {
    case COLUMN_REAL:
        return sqlite3_bind_double(b->row, at, column_get_real(column, b->record));
    case COLUMN_ADDRESS:
        return bind_address(b, at, column);
    case COLUMN_BLOB:
        return bind_blob(b, at, column);
    default:
        return bind_text(b, at, column, column_get_text(column, b->record));
    }
}

/* The words of a column are constants. */
static int bind_number(const struct binding *b, int at, const struct column *column, int64_t number)
{
    if (column->type == COLUMN_NAMED || column->type == COLUMN_FINDING) {
        return bind_text(b, at, column, column_name_of(column, (unsigned)number));
    }
    return column_is_absent(column, number) && may_be_null(column) ? sqlite3_bind_null(b->row, at)
                                                                   : sqlite3_bind_int64(b->row, at, number);
}

/* A value that does not fit its bits is given as 0, "unknown". */
static uint64_t packed_bits(const struct column *column, uint64_t value)
{
    return value >> column->bits.width == 0 ? value << column->bits.shift : 0;
}

static int bind_step(const struct binding *b, int at, struct bind_step *step, int64_t number)
{
    step->number = number;
    step->known = true;
    if (step->column->type == COLUMN_U64 && number < 0) {
        number = INT64_MAX;
    }
    return bind_number(b, at, step->column, number);
}

static int bind_record(struct inserter *inserter, enum record_kind kind, const void *record)
{
    const struct record_table *table = record_table_get(kind);
    struct binding b = {inserter, inserter->rows[kind], record};
    uint64_t packed = 0;
    int at = 0;
    int rc = SQLITE_OK;
    inserter->address_count = 0;
    for (size_t i = 0; i < table->column_count && rc == SQLITE_OK; i++) {
        struct bind_step *step = &inserter->steps[kind][i];
        if (step->load == LOAD_NONE) {
            rc = bind_other(&b, ++at, step->column);
            continue;
        }
        int64_t number = column_load((enum column_load)step->load, (const uint8_t *)record + step->offset);
        if (step->is_packed) {
            packed |= packed_bits(step->column, (uint64_t)number);
        } else if (++at, !step->known || step->number != number) {
            rc = bind_step(&b, at, step, number);
        }
    }
    return rc == SQLITE_OK && at < sqlite3_bind_parameter_count(b.row)
               ? sqlite3_bind_int64(b.row, at + 1, (int64_t)packed)
               : rc;
}

static int bind_word(sqlite3_stmt *row, int at, const char *word)
{
    return word[0] == '\0' ? sqlite3_bind_null(row, at)
                           : sqlite3_bind_text(row, at, word, -1, SQLITE_STATIC);
}

static int bind_verdict(sqlite3_stmt *row, const struct verdict_record *verdict)
{
    static const struct column finding = {.type = COLUMN_FINDING};
    int rc = bind_word(row, 1, outcome_name(verdict->outcome));
    if (rc == SQLITE_OK) {
        rc = bind_word(row, 2, stage_name(verdict->stage));
    }
    if (rc == SQLITE_OK) {
        rc = bind_word(row, 3, column_name_of(&finding, verdict->verdict));
    }
    return rc == SQLITE_OK ? sqlite3_bind_int64(row, 4, verdict->flow_id) : rc;
}

static int run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? reset : rc;
}

static int insert(struct inserter *inserter, enum record_kind kind, const void *record)
{
    sqlite3_stmt *row = inserter->rows[kind];
    int rc = kind == RECORD_VERDICT
                 ? bind_verdict(row, record)
                 : bind_record(inserter, kind, record);
    return rc == SQLITE_OK ? run(row) : rc;
}

bool inserter_write(struct inserter *inserter, const struct batch *batch, struct error *error)
{
    const struct row_order *order = &inserter->order;
    int rc = row_order_make(&inserter->order, batch) ? run(inserter->begin) : SQLITE_NOMEM;
    if (rc != SQLITE_OK) {
        return sql_fail(inserter->store, inserter->db, rc, "write", error);
    }
    for (size_t i = 0; i < order->count && rc == SQLITE_OK; i++) {
        const struct row_place *row = &order->rows[i];
        rc = insert(inserter, (enum record_kind)row->kind, batch_record(batch, (size_t)row->at * 8));
    }
    if (rc == SQLITE_OK) {
        rc = run(inserter->commit);
    }
    if (rc == SQLITE_OK) {
        return true;
    }
    (void)sql_fail(inserter->store, inserter->db, rc, "write", error);
    (void)run(inserter->rollback); /* SQLite may have done it already */
    return false;
}
