/* Shares that add up, quantities, times, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/cell.h"
#include "reports/extent_text.h"
#include "reports/quantity.h"
#include "reports/shares.h"
#include "reports/table.h"
#include "reports/view.h"

static int sum(const int *tenths, size_t count)
{
    int total = 0;
    for (size_t i = 0; i < count; i++) {
        total += tenths[i];
    }
    return total;
}

static void shares_add_up_to_the_whole(void **state)
{
    (void)state;
    int tenths[SHARES_MOST];
    const int64_t thirds[] = {1, 1, 1};
    shares_of(thirds, 3, tenths);
    assert_int_equal(tenths[0], 334); /* ties go to the earlier one */
    assert_int_equal(tenths[1], 333);
    assert_int_equal(tenths[2], 333);
    /* 3/7 = 428.57, 2/7 = 285.71 thousandths: the larger remainders are rounded up */
    const int64_t sevenths[] = {3, 2, 2};
    shares_of(sevenths, 3, tenths);
    assert_int_equal(tenths[0], 428);
    assert_int_equal(tenths[1], 286);
    assert_int_equal(tenths[2], 286);
    const int64_t none[] = {0, 0};
    shares_of(none, 2, tenths);
    assert_int_equal(sum(tenths, 2), 0);
    const int64_t rare[] = {999999, 1};
    shares_of(rare, 2, tenths);
    assert_int_equal(tenths[0], 1000);
    assert_int_equal(tenths[1], 0);
}

static void shares_add_up_for_any_counts(void **state)
{
    (void)state;
    uint64_t random = 42; /* the same numbers every time */
    for (int round = 0; round < 2000; round++) {
        int64_t counts[SHARES_MOST];
        int tenths[SHARES_MOST];
        size_t count = 1 + (size_t)(round % SHARES_MOST);
        int64_t total = 0;
        for (size_t i = 0; i < count; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            counts[i] = (int64_t)(random >> 40) % 5000;
            total += counts[i];
        }
        shares_of(counts, count, tenths);
        assert_int_equal(sum(tenths, count), total > 0 ? 1000 : 0);
        for (size_t i = 0; i < count; i++) { /* never further than one step from the truth */
            assert_true((int64_t)tenths[i] * total <= counts[i] * 1000 + total);
            assert_true((int64_t)tenths[i] * total >= counts[i] * 1000 - total);
        }
    }
}

static void quantities_carry_their_unit(void **state)
{
    (void)state;
    char text[QUANTITY_SIZE];
    assert_string_equal(quantity_text(UNIT_MS, 7012, LANG_EN, text), "7.0 s");
    assert_string_equal(quantity_text(UNIT_MS, 7012, LANG_ZH, text), "7.0 秒");
    assert_string_equal(quantity_text(UNIT_MS, 0.24, LANG_EN, text), "0.24 ms");
    assert_string_equal(quantity_text(UNIT_MS, 250, LANG_EN, text), "250 ms");
    assert_string_equal(quantity_text(UNIT_S, 200, LANG_EN, text), "3 min 20 s");
    assert_string_equal(quantity_text(UNIT_S, 7500, LANG_EN, text), "2 h 5 min");
    assert_string_equal(quantity_text(UNIT_BYTES, 1460, LANG_EN, text), "1,460 bytes");
    assert_string_equal(quantity_text(UNIT_BYTES, 1, LANG_EN, text), "1 byte");
    assert_string_equal(quantity_text(UNIT_COUNT, 1234567, LANG_EN, text), "1,234,567");
    assert_string_equal(quantity_text(UNIT_PERCENT, 12, LANG_EN, text), "12 %");
    assert_string_equal(quantity_text(UNIT_PERCENT, 0.5, LANG_EN, text), "0.5 %");
    assert_string_equal(quantity_text(UNIT_PORT, 8443, LANG_EN, text), "8443");
    assert_string_equal(quantity_text(UNIT_DAYS, 30, LANG_ZH, text), "30 天");
    assert_string_equal(quantity_text(UNIT_DAYS, 1, LANG_EN, text), "1 day");
    assert_string_equal(quantity_text(UNIT_MS, 1e300, LANG_EN, text), "?");
}

static void times_are_local_with_their_offset(void **state)
{
    (void)state;
    char text[VIEW_TIME_SIZE];
    const int64_t time_ns = 1767323045678901234; /* 2026-01-02T03:04:05.678901234Z, by date(1) */
    assert_true(view_set_zone("+08:00"));
    assert_string_equal(view_time(time_ns, text), "2026-01-02 11:04:05.678");
    assert_string_equal(view_clock(time_ns, text), "11:04:05.678");
    assert_string_equal(view_offset(time_ns, text), "+08:00");
    assert_true(view_set_zone("-03:30"));
    assert_string_equal(view_time(time_ns, text), "2026-01-01 23:34:05.678");
    assert_string_equal(view_offset(time_ns, text), "-03:30");
    assert_true(view_set_zone("UTC"));
    assert_string_equal(view_time(time_ns, text), "2026-01-02 03:04:05.678");
    assert_string_equal(view_time(-1, text), "");
    assert_false(view_set_zone("Mars/Base"));
    assert_false(view_set_zone("../../etc/passwd"));
    assert_false(view_set_zone("+99:00"));
    assert_string_equal(view_number(-1234567, text), "-1,234,567");
    assert_string_equal(view_number(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

static void columns_align_whatever_the_script(void **state)
{
    (void)state;
    static const struct table_head heads[] = {
        {"名称", false, false}, {"count", true, true}, {"x", false, false}};
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    struct table *table = table_new(heads, 3);
    assert_non_null(out);
    assert_non_null(table);
    static const char *const cells[] = {"发票管理", "1", "a", "dns", "1,234", "b\nc"};
    for (size_t i = 0; i < 6; i++) {
        table_add(table, cells[i]);
    }
    const struct view view = {out, LANG_ZH, false, 100};
    table_print(table, &view);
    fclose(out);
    assert_string_equal(printed, "名称      count  x\n"
                                 "发票管理      1  a\n"
                                 "dns       1,234  b?c\n");
    char *line = strtok(printed, "\n"); /* "x" stands in the same column of every line */
    size_t width = text_width(line);
    line = strtok(NULL, "\n");
    assert_int_equal(text_width(line), width);
    table_free(table);
    free(printed);
}

static void csv_fields_are_quoted_and_are_no_formulas(void **state)
{
    (void)state;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    static const char *const fields[] = {"plain", "a,b", "say \"x\"", "=1+1", "line\nbreak",
                                         "\xB7\xA2"};
    for (size_t i = 0; i < 6; i++) {
        csv_field(out, fields[i], true);
        fputc('|', out);
    }
    csv_field(out, "-1\n", false);
    fclose(out);
    assert_string_equal(printed, "plain|\"a,b\"|\"say \"\"x\"\"\"|\"'=1+1\"|line?break|"
                                 "\xEF\xBF\xBD\xEF\xBF\xBD|\"-1\n\"");
    free(printed);
}

static void stories_are_told_in_words(void **state)
{
    (void)state;
    char text[FINDING_TEXT_SIZE];
    struct story_record story = {.first_flow = 1, .last_flow = 3, .attempts = 4,
                                 .steps = "conn-syn-timeout 7012, conn-refused 9, ok 37"};
    const struct report_case loaded = {.stories = &story, .story_count = 1};
    const struct case_finding finding = {.flow = {.id = 2}};
    const struct view english = {.language = LANG_EN}, chinese = {.language = LANG_ZH};
    assert_string_equal(extent_story(&english, &loaded, &finding, text),
                        "attempt 1 timed out (no answer to the SYN) after 7.0 s; attempt 2 refused "
                        "after 9.00 ms; attempt 3 ok after 37 ms; and 1 more");
    assert_string_equal(extent_story(&chinese, &loaded, &finding, text),
                        "第 1 次 超时（SYN 无应答），历时 7.0 秒；第 2 次 被拒绝，历时 9.00 毫秒；"
                        "第 3 次 成功，历时 37 毫秒；另有 1 次");
}

/* A long table is printed as it comes: its rows are those of one that is held, and few are held at a time. */
static void a_long_table_is_printed_as_it_comes(void **state)
{
    (void)state;
    static const struct table_head heads[] = {{"number", true, true}, {"text", false, false}};
    enum { ROWS = 20000 };
    char *printed[2] = {NULL, NULL};
    for (int streams = 0; streams < 2; streams++) {
        size_t size = 0, most = 0;
        FILE *out = open_memstream(&printed[streams], &size);
        const struct view view = {out, LANG_EN, false, 100};
        struct table *table = table_new(heads, 2);
        if (streams == 1) {
            table_stream(table, &view);
        }
        for (int i = 0; i < ROWS; i++) {
            char cell[32];
            snprintf(cell, sizeof(cell), "%d", i == 5 ? 123456789 : i);
            table_add(table, cell);
            table_add(table, "x");
            most = table_rows(table) > most ? table_rows(table) : most;
        }
        table_print(table, &view);
        table_free(table);
        fclose(out);
        assert_true(streams == 0 ? most == ROWS : most < ROWS / 4);
    }
    assert_string_equal(printed[0], printed[1]);
    free(printed[0]);
    free(printed[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_add_up_to_the_whole),
        cmocka_unit_test(shares_add_up_for_any_counts),
        cmocka_unit_test(quantities_carry_their_unit),
        cmocka_unit_test(times_are_local_with_their_offset),
        cmocka_unit_test(columns_align_whatever_the_script),
        cmocka_unit_test(a_long_table_is_printed_as_it_comes),
        cmocka_unit_test(stories_are_told_in_words),
        cmocka_unit_test(csv_fields_are_quoted_and_are_no_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
