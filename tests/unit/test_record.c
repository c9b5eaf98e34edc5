/* The column tables: what SQL, JSON and the docs are made from must be whole and consistent. */
#include "core/catalogue.h"
#include "core/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static const struct column *find_column(const struct record_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static void every_kind_has_its_table(void **state)
{
    (void)state;
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        assert_non_null(table);
        assert_int_equal(table->kind, kind);
        assert_ptr_equal(record_table_find(table->table), table);
    }
    assert_string_equal(record_table_get(RECORD_FLOW)->table, "flows");
    assert_string_equal(record_table_get(RECORD_FINDING)->table, "findings");
    assert_null(record_table_get(RECORD_VERDICT));
    assert_null(record_table_find("flow"));
}

static void check_column(const struct record_table *table, const struct column *column)
{
    assert_true(column->offset + column->size <= table->record_size);
    assert_true(strlen(column->sentence) > 10 && ends_with(column->sentence, "."));
    if (ends_with(column->name, "_ns")) {
        assert_string_equal(column->unit, "ns");
    }
    if (ends_with(column->name, "_bytes")) {
        assert_string_equal(column->unit, "bytes");
    }
    assert_true(column->type != COLUMN_NAMED || (column->names != NULL) != (column->word != NULL));
    assert_true(column->type != COLUMN_BOOL || strcmp(column->unit, "bool") == 0);
}

static void check_reference(const struct column *column)
{
    char table_name[64];
    const char *open = strchr(column->references, '(');
    assert_non_null(open);
    size_t len = (size_t)(open - column->references);
    assert_true(len < sizeof table_name);
    memcpy(table_name, column->references, len);
    table_name[len] = '\0';
    const struct record_table *table = record_table_find(table_name);
    assert_non_null(table);
    assert_string_equal(open, "(id)");
    assert_true((find_column(table, "id")->flags & COLUMN_KEY) != 0);
}

static void columns_are_whole(void **state)
{
    (void)state;
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        for (size_t i = 0; i < table->column_count; i++) {
            const struct column *column = &table->columns[i];
            check_column(table, column);
            assert_ptr_equal(find_column(table, column->name), column);
            if (column->references != NULL) {
                check_reference(column);
            }
        }
    }
}

static void members_do_not_overlap(void **state)
{
    (void)state;
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        unsigned char *used = calloc(1, table->record_size);
        assert_non_null(used);
        for (size_t i = 0; i < table->column_count; i++) {
            for (size_t j = 0; j < table->columns[i].size; j++) {
                assert_int_equal(used[table->columns[i].offset + j]++, 0);
            }
        }
        free(used);
    }
}

static void flows_store_at_most_45_columns(void **state)
{
    const struct record_table *flows = record_table_get(RECORD_FLOW);
    size_t stored = 1; /* packed */
    uint64_t used = 0;
    (void)state;
    for (size_t i = 0; i < flows->column_count; i++) {
        struct column_bits bits = flows->columns[i].bits;
        uint64_t mask = ((1ULL << bits.width) - 1) << bits.shift;
        stored += bits.width == 0;
        assert_true((used & mask) == 0);
        used |= mask;
    }
    assert_true(stored <= 45);
    assert_true(used <= INT64_MAX);
    /* the last fact must fit the bits it is given */
    assert_true(FLOW_FACT_LIMIT < 1u << find_column(flows, "facts")->bits.width);
}

static void words_go_both_ways(void **state)
{
    (void)state;
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        for (size_t i = 0; i < table->column_count; i++) {
            const struct column *column = &table->columns[i];
            if (column->type != COLUMN_NAMED && column->type != COLUMN_FINDING) {
                continue;
            }
            for (unsigned value = 0; column_name_of(column, value)[0] != '\0'; value++) {
                assert_int_equal(column_value_of(column, column_name_of(column, value)), value);
            }
            assert_string_equal(column_name_of(column, 60000), "");
            assert_int_equal(column_value_of(column, "no such word"), -1);
        }
    }
}

static void stable_words(void **state)
{
    const struct record_table *findings = record_table_get(RECORD_FINDING);
    const struct column *verdict = find_column(record_table_get(RECORD_FLOW), "verdict");
    (void)state;
    assert_string_equal(side_name(SIDE_SERVER), "server");
    assert_string_equal(side_name(SIDE_NONE), "");
    assert_string_equal(outcome_name(OUTCOME_UNSOLICITED), "unsolicited");
    assert_string_equal(stage_name(STAGE_TLS_CERT), "TLS_CERT");
    assert_string_equal(stage_name(STAGE_CLOSE), "CLOSE");
    assert_string_equal(stage_name(99), "");
    assert_string_equal(event_kind_name(EVENT_ZERO_WINDOW), "zero-window");
    assert_string_equal(event_kind_name(EVENT_DATAGRAM), "datagram");
    assert_string_equal(tls_step_name(TLS_STEP_FINISHED), "finished");
    assert_string_equal(column_name_of(find_column(findings, "severity"), SEVERITY_HIGH), "high");
    assert_string_equal(column_name_of(find_column(findings, "culprit"), CULPRIT_MIDDLEBOX),
                        "middlebox");
    assert_string_equal(column_name_of(verdict, FINDING_CONN_REFUSED + 1), "conn-refused");
    assert_int_equal(column_value_of(verdict, "conn-refused"), FINDING_CONN_REFUSED + 1);
    assert_int_equal(column_value_of(verdict, ""), 0);
}

static void integers_keep_sign_and_size(void **state)
{
    const struct record_table *flows = record_table_get(RECORD_FLOW);
    struct flow_record flow = {.vlan = -7, .client_bytes = UINT64_MAX, .client_ttl = 255};
    (void)state;
    assert_int_equal(column_get_integer(find_column(flows, "vlan"), &flow), -7);
    assert_int_equal(column_get_integer(find_column(flows, "client_bytes"), &flow), INT64_MAX);
    assert_int_equal(column_get_integer(find_column(flows, "client_ttl"), &flow), 255);
    column_set_integer(find_column(flows, "vlan"), -2, &flow);
    column_set_integer(find_column(flows, "client_ttl"), 17, &flow);
    assert_int_equal(flow.vlan, -2);
    assert_int_equal(flow.client_ttl, 17);
    assert_int_equal(flow.server_ttl, 0);
}

static void long_text_is_cut_to_its_array(void **state)
{
    const struct record_table *flows = record_table_get(RECORD_FLOW);
    struct flow_record flow;
    (void)state;
    memset(&flow, 'x', sizeof flow);
    column_set_text(find_column(flows, "state"), "123456789", &flow);
    assert_string_equal(flow.state, "1234567");
    assert_int_equal(flow.history[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_table),
        cmocka_unit_test(columns_are_whole),
        cmocka_unit_test(members_do_not_overlap),
        cmocka_unit_test(flows_store_at_most_45_columns),
        cmocka_unit_test(words_go_both_ways),
        cmocka_unit_test(stable_words),
        cmocka_unit_test(integers_keep_sign_and_size),
        cmocka_unit_test(long_text_is_cut_to_its_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
