/* Every kind of record comes back from the store as it was put. */
#include "tests/unit/store_help.h"

enum filling { FILL_VALUES, FILL_ABSENT, FILL_EXTREMES, FILL_COUNT };

static char long_text[5000];

static const char *text_of(enum filling filling, size_t column)
{
    static const char *const values[] = {"a", "inv.example.cn", "CN=x,O=y", "1301,1302"};
    static const char *const hostile[] = {
        "'; DROP TABLE flows; --", "\"quoted\" \\ and\nlines\r\t", "\xff\xfe not \xc0 UTF-8",
        "\xe5\x8f\x91\xe7\xa5\xa8", long_text};
    return filling == FILL_VALUES ? values[column % 4]
           : filling == FILL_EXTREMES ? hostile[column % 5]
                                      : NULL;
}

static unsigned last_word(const struct column *column)
{
    unsigned value = 0;
    while (column_name_of(column, value + 1)[0] != '\0') {
        value++;
    }
    return value;
}

static int64_t largest(const struct column *column)
{
    int64_t unsigned_most = column->size == 8 ? INT64_MAX : (INT64_C(1) << (8 * column->size)) - 1;
    bool is_signed = column->type == COLUMN_I32 || column->type == COLUMN_I16;
    if (column->bits.width > 0) {
        return (INT64_C(1) << column->bits.width) - 1;
    }
    return column->type == COLUMN_BOOL ? 1 : is_signed ? unsigned_most / 2 : unsigned_most;
}

static int64_t integer_of(enum filling filling, const struct column *column, size_t at)
{
    bool words = column->type == COLUMN_NAMED || column->type == COLUMN_FINDING;
    if (filling == FILL_ABSENT) {
        /* what a word cannot say is its first value, or the one called "" */
        return words && column_value_of(column, "") >= 0 ? column_value_of(column, "")
               : words                                   ? 0
                                                         : column_absent_value(column);
    }
    if (words) {
        return filling == FILL_VALUES ? 1 : last_word(column);
    }
    int64_t most = largest(column);
    return filling == FILL_EXTREMES ? most : 1 + (int64_t)at % most;
}

static void fill_address(enum filling filling, size_t at, unsigned char *member)
{
    struct address address = {0};
    const char *text = at % 2 != 0 ? "2001:db8::1" : "192.0.2.33";
    if (filling != FILL_ABSENT) {
        assert_true(address_from_text(text, &address));
    }
    memcpy(member, &address, sizeof address);
}

static void fill_blob(enum filling filling, unsigned char *member)
{
    static const uint8_t bytes[] = {0x30, 0x00, 0xff, 0x27};
    const uint8_t *from = filling != FILL_ABSENT ? bytes : NULL;
    int64_t len = from != NULL ? (int64_t)sizeof bytes : 0;
    memcpy(member, &from, sizeof from);
    memcpy(member + sizeof from, &len, sizeof len);
}

static void fill(enum filling filling, const struct record_table *table, union any_record *record)
{
    memset(record, 0, sizeof *record);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        unsigned char *member = record->bytes + column->offset;
        double real = filling == FILL_EXTREMES ? -1.7976931348623157e308 : 0.1 * (double)i;
        switch (column->type) {
        case COLUMN_TEXT:
        case COLUMN_CHARS:
            column_set_text(column, text_of(filling, i), record);
            break;
        case COLUMN_ADDRESS:
            fill_address(filling, i, member);
            break;
        case COLUMN_BLOB:
            fill_blob(filling, member);
            break;
        case COLUMN_REAL:
            memcpy(member, &real, sizeof real);
            break;
        default:
            column_set_integer(column, integer_of(filling, column, i), record);
        }
    }
}

static void put_record(struct store *store, enum record_kind kind, union any_record *record)
{
    struct sink sink = store_sink(store);
    struct flow_bundle bundle = {.flow = (struct flow_record *)record};
    if (kind == RECORD_FLOW) {
        sink_put(&sink, kind, &bundle);
    } else {
        sink_put(&sink, kind, record);
    }
}

static void compare_column(const struct column *column, const union any_record *put,
                           const union any_record *got)
{
    size_t put_len = 0;
    size_t got_len = 0;
    if (column->type == COLUMN_TEXT) {
        assert_string_equal(column_get_text(column, got), column_get_text(column, put));
    } else if (column->type == COLUMN_BLOB) {
        const uint8_t *bytes = column_get_blob(column, put, &put_len);
        const uint8_t *back = column_get_blob(column, got, &got_len);
        assert_int_equal(got_len, put_len);
        assert_true(put_len == 0 || memcmp(back, bytes, put_len) == 0);
    } else {
        assert_memory_equal(got->bytes + column->offset, put->bytes + column->offset, column->size);
    }
}

struct comparison {
    const struct record_table *table;
    const union any_record *put;
    int rows;
};

static bool compare_row(void *self, const void *record)
{
    struct comparison *comparison = self;
    union any_record got;
    memcpy(&got, record, comparison->table->record_size);
    for (size_t i = 0; i < comparison->table->column_count; i++) {
        compare_column(&comparison->table->columns[i], comparison->put, &got);
    }
    comparison->rows++;
    return true;
}

static void check_kind(const char *path, enum record_kind kind, enum filling filling)
{
    static union any_record put;
    struct error error = {0};
    struct store *store = open_store(path, STORE_WRITE);
    struct comparison comparison = {.table = record_table_get(kind), .put = &put};
    assert_true(comparison.table->record_size <= sizeof put);
    fill(filling, comparison.table, &put);
    put_record(store, kind, &put);
    for (int keep = 0; keep < 2; keep++) {
        must(store_select(store, kind, NULL, NULL, 0, keep != 0, compare_row, &comparison, &error),
             &error);
    }
    assert_int_equal(comparison.rows, 2);
    store_close(store);
}

static void every_kind_round_trips(void **state)
{
    (void)state;
    memset(long_text, 'l', sizeof long_text - 1);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        for (int filling = 0; filling < FILL_COUNT; filling++) {
            check_kind(":memory:", (enum record_kind)kind, (enum filling)filling);
        }
    }
}

static void all_kinds_in_one_file(void **state)
{
    struct scratch *scratch = *state;
    static union any_record put[RECORD_TABLE_COUNT];
    struct error error = {0};
    struct store *store = open_store(scratch->path, STORE_WRITE);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        fill(FILL_VALUES, record_table_get((enum record_kind)kind), &put[kind]);
        put_record(store, (enum record_kind)kind, &put[kind]);
    }
    must(store_finish(store, &error), &error);
    store_close(store);
    store = open_store(scratch->path, STORE_READ);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        struct comparison comparison = {.table = record_table_get((enum record_kind)kind),
                                        .put = &put[kind]};
        must(store_select(store, (enum record_kind)kind, NULL, NULL, 0, true, compare_row,
                          &comparison, &error),
             &error);
        assert_int_equal(comparison.rows, 1);
    }
    store_close(store);
}

static bool keep_names(void *self, const void *record)
{
    const char **names = self;
    const struct flow_record *flow = record;
    names[flow->id - 1] = flow->name;
    return true;
}

static void kept_strings_outlive_the_select(void **state)
{
    const char *names[3] = {0};
    struct error error = {0};
    struct store *store = open_store(":memory:", STORE_WRITE);
    (void)state;
    memset(long_text, 'l', sizeof long_text - 1);
    for (int64_t id = 1; id <= 3; id++) {
        struct flow_record flow = plain_flow(id, 1);
        flow.name = id == 2 ? long_text : "inv.example.cn";
        put_flow(store, &flow);
    }
    must(store_select(store, RECORD_FLOW, NULL, NULL, 0, true, keep_names, names, &error), &error);
    assert_string_equal(names[0], "inv.example.cn");
    assert_ptr_equal(names[2], names[0]); /* one copy of what repeats */
    assert_string_equal(names[1], long_text);
    store_close(store);
}

static bool count_and_stop(void *self, const void *record)
{
    (void)record;
    return ++*(int *)self < 2;
}

static void select_filters_orders_limits_and_stops(void **state)
{
    struct error error = {0};
    const char *names[9] = {0};
    int rows = 0;
    struct store *store = open_store(":memory:", STORE_WRITE);
    (void)state;
    for (int64_t id = 1; id <= 9; id++) {
        struct flow_record flow = plain_flow(id, 1);
        flow.name = "x";
        put_flow(store, &flow);
    }
    must(store_select(store, RECORD_FLOW, NULL, NULL, 0, false, count_and_stop, &rows, &error),
         &error);
    assert_int_equal(rows, 2);
    must(store_select(store, RECORD_FLOW, "id > 2 OR id = 1", "id DESC", 3, true, keep_names, names,
                      &error),
         &error);
    assert_true(names[8] != NULL && names[7] != NULL && names[6] != NULL && names[5] == NULL);
    assert_false(store_select(store, RECORD_FLOW, "nonsense", NULL, 0, false, count_and_stop, &rows,
                              &error));
    assert_int_equal(error.code, ERROR_STORE);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_round_trips),
        cmocka_unit_test_setup_teardown(all_kinds_in_one_file, make_scratch, remove_scratch),
        cmocka_unit_test(kept_strings_outlive_the_select),
        cmocka_unit_test(select_filters_orders_limits_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
