/* JSON text; what is written is read back by SQLite's JSON functions, an independent reader. */
#include "core/catalogue.h"
#include "core/intern.h"
#include "core/json.h"
#include "core/record.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The first column of a one-row answer about text. */
static int64_t ask_sqlite(const char *sql, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(row, 1, text, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(db);
    return answer;
}

static void commas_and_nesting(void **state)
{
    struct json json;
    (void)state;
    json_init(&json);
    assert_string_equal(json_text(&json), "");
    json_open_object(&json, NULL);
    json_string(&json, "a", "x");
    json_open_array(&json, "b");
    json_int(&json, NULL, 1);
    json_open_object(&json, NULL);
    json_close_object(&json);
    json_bool(&json, NULL, true);
    json_close_array(&json);
    json_open_object(&json, "c");
    json_bool(&json, "d", false);
    json_close_object(&json);
    json_string(&json, "e", NULL);
    json_close_object(&json);
    assert_string_equal(json_text(&json),
                        "{\"a\":\"x\",\"b\":[1,{},true],\"c\":{\"d\":false},\"e\":\"\"}");
    json_reset(&json);
    json_uint(&json, NULL, 7);
    assert_string_equal(json_text(&json), "7");
    assert_false(json.failed);
    json_free(&json);
}

static void check_string(const char *value, const char *expected)
{
    struct json json;
    json_init(&json);
    json_open_array(&json, NULL);
    json_string(&json, NULL, value);
    json_close_array(&json);
    assert_string_equal(json_text(&json), expected);
    assert_int_equal(ask_sqlite("SELECT json_valid(?)", json_text(&json)), 1);
    json_free(&json);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("say \"hi\" \\ /", "[\"say \\\"hi\\\" \\\\ /\"]");
    check_string("\b\f\n\r\t", "[\"\\b\\f\\n\\r\\t\"]");
    check_string("\x01\x1f\x7f", "[\"\\u0001\\u001f\\u007f\"]");
    check_string("\xe5\x8f\x91\xe7\xa5\xa8 \xf0\x9f\x98\x80",
                 "[\"\xe5\x8f\x91\xe7\xa5\xa8 \xf0\x9f\x98\x80\"]");
}

#define LOST "\xef\xbf\xbd"

static void bad_utf8_becomes_replacement(void **state)
{
    (void)state;
    check_string("a\xff" "b", "[\"a" LOST "b\"]");
    check_string("\xc0\xaf", "[\"" LOST LOST "\"]");             /* overlong "/" */
    check_string("\xe0\x80\xaf", "[\"" LOST LOST LOST "\"]");    /* overlong */
    check_string("\xed\xa0\x80", "[\"" LOST LOST LOST "\"]");    /* surrogate */
    check_string("\xf4\x90\x80\x80", "[\"" LOST LOST LOST LOST "\"]"); /* above U+10FFFF */
    check_string("\xf5", "[\"" LOST "\"]");
    check_string("\xe5\x8f", "[\"" LOST LOST "\"]");             /* cut short by the end */
    check_string("\xe5\x8f\"", "[\"" LOST LOST "\\\"\"]");
    check_string("\x80", "[\"" LOST "\"]");
    check_string("\xf4\x8f\xbf\xbf", "[\"\xf4\x8f\xbf\xbf\"]");  /* the last character */
}

/* What the wire brings becomes text that any reader of UTF-8 takes. */
static void kept_text_is_utf8(void **state)
{
    struct intern *table = intern_new();
    char longest[2048];
    (void)state;
    assert_string_equal(intern_bytes(table, "z\xff\x0a\x7f\0y", 6), "z\xEF\xBF\xBD???y");
    assert_string_equal(intern_bytes(table, "\xe5\x8f\x91", 3), "\xe5\x8f\x91");
    assert_string_equal(intern_bytes(table, "\xe5\x8f", 2), "\xEF\xBF\xBD\xEF\xBF\xBD");
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = "\xe5\x8f\x91"[i % 3];
    assert_int_equal(strlen(intern_bytes(table, longest, sizeof longest)), 1023);
    intern_free(table);
}

/* Every byte in every place, since several are looked at together. */
static void kept_text_is_clean(void **state)
{
    static const char sixteen[] = "aaaaaaaaaaaaaaaa";
    struct intern *table = intern_new();
    (void)state;
    for (int c = 0; c <= 0xff; c++) {
        for (size_t at = 0; at < 17; at++) {
            char text[17], expected[64], odd[4] = {(char)c};
            const char *shown = c < 0x20 || c == 0x7f ? "?" : c >= 0x80 ? "\xEF\xBF\xBD" : odd;
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            (void)snprintf(expected, sizeof expected, "%.*s%s%.*s", (int)at, sixteen, shown,
                           (int)(16 - at), sixteen);
            assert_string_equal(intern_bytes(table, text, sizeof text), expected);
        }
    }
    intern_free(table);
}

static void numbers(void **state)
{
    struct json json;
    (void)state;
    json_init(&json);
    json_open_array(&json, NULL);
    json_int(&json, NULL, INT64_MIN);
    json_int(&json, NULL, INT64_MAX);
    json_uint(&json, NULL, UINT64_MAX);
    json_int(&json, NULL, 0);
    json_real(&json, NULL, 0.1);
    json_real(&json, NULL, -2.0);
    json_real(&json, NULL, 1.0 / 3.0);
    json_real(&json, NULL, (double)NAN);
    json_real(&json, NULL, (double)INFINITY);
    json_close_array(&json);
    assert_string_equal(json_text(&json),
                        "[-9223372036854775808,9223372036854775807,18446744073709551615,0,0.1,-2,"
                        "0.33333333333333331,null,null]");
    json_free(&json);
}

/* Expected texts by date -u -d @SECONDS. */
static void times(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000000Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {951782400000000000, "2000-02-29T00:00:00.000000000Z"},
        {1700000000000000001, "2023-11-14T22:13:20.000000001Z"},
        {1767322984678901234, "2026-01-02T03:03:04.678901234Z"},
        {4107542399999999999, "2100-02-28T23:59:59.999999999Z"},
        {4107542400000000000, "2100-03-01T00:00:00.000000000Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
    };
    char text[TIME_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(time_to_utc(rows[i].ns, text), rows[i].text);
    }
}

static void records_leave_out_what_is_absent(void **state)
{
    struct icmp_record icmp = {.capture_id = 1,
                               .source_id = 2,
                               .frame = 3,
                               .client_ip = {{10, 0, 0, 1}, 4},
                               .client_port = 5,
                               .type = 3,
                               .quoted_side = SIDE_NONE,
                               .quotes_syn = true};
    struct json json;
    (void)state;
    json_init(&json);
    json_open_object(&json, NULL);
    json_record(&json, record_table_get(RECORD_ICMP), &icmp);
    json_close_object(&json);
    assert_string_equal(json_text(&json),
                        "{\"type\":\"icmp\",\"capture_id\":1,\"source_id\":2,\"frame\":3,"
                        "\"time_ns\":0,\"client_ip\":\"10.0.0.1\",\"client_port\":5,"
                        "\"server_port\":0,\"protocol\":0,\"family\":0,\"icmp_type\":3,\"icmp_code\":0,"
                        "\"quotes_syn\":true,\"sequence_fits\":false}");
    json_free(&json);
}

static void every_record_is_valid_json(void **state)
{
    static union {
        unsigned char bytes[4096];
        int64_t aligned;
    } record;
    struct json json;
    (void)state;
    json_init(&json);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        assert_true(table->record_size <= sizeof record);
        json_reset(&json);
        json_open_object(&json, NULL);
        json_record(&json, table, &record);
        json_close_object(&json);
        assert_int_equal(ask_sqlite("SELECT json_valid(?)", json_text(&json)), 1);
        /* no member twice: a table that has a column called type would */
        assert_int_equal(
            ask_sqlite("SELECT count(*) - count(DISTINCT key) FROM json_each(?)", json_text(&json)),
            0);
    }
    json_free(&json);
}

static void long_text_grows_the_buffer(void **state)
{
    static char text[100001];
    struct json json;
    (void)state;
    memset(text, 0x02, sizeof text - 1);
    json_init(&json);
    json_string(&json, NULL, text);
    assert_int_equal(strlen(json_text(&json)), 6 * 100000 + 2);
    assert_false(json.failed);
    json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bad_utf8_becomes_replacement),
        cmocka_unit_test(kept_text_is_utf8),
        cmocka_unit_test(kept_text_is_clean),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
        cmocka_unit_test(records_leave_out_what_is_absent),
        cmocka_unit_test(every_record_is_valid_json),
        cmocka_unit_test(long_text_grows_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
