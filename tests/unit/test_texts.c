/* Values in sentences, and sentences in columns. */
#include "core/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void languages_are_found_by_name(void **state)
{
    enum language language = LANG_EN;
    (void)state;
    assert_true(text_language_find("zh_CN.UTF-8", &language) && language == LANG_ZH);
    assert_true(text_language_find("en", &language) && language == LANG_EN);
    assert_true(text_language_find("ZH-cn", &language) && language == LANG_ZH);
    assert_false(text_language_find("zho", &language));
    assert_false(text_language_find("z", &language));
    assert_false(text_language_find("enx", &language));
    assert_false(text_language_find("", &language));
}

/* ---- Formatting ------------------------------------------------------------------------------ */

static void values_replace_their_names(void **state)
{
    const struct text_value values[] = {{"server", "10.0.0.2:443"}, {"n", "3"}, {"gone", NULL},
                                        {"one", "1"}, {"zero", "0 bytes"}};
    static const char *const rows[][2] = {
        {"", ""},
        {"no answer from {server} ({n})", "no answer from 10.0.0.2:443 (3)"},
        {"{n}{n}", "33"},
        {"{other} {gone}", "? ?"},
        {"{ n} {} {N} tcp[13] {", "{ n} {} {N} tcp[13] {"},
        {"{{n}}", "{3}"},
        {"a{?n} with {n}{/}.", "a with 3."},
        {"a{?other} with {other}{/}.", "a."},
        {"a{?gone} with {gone}{/}{?n} {n}{/}", "a 3"},
        {"a{?zero} with {zero}{/}.", "a."},
        {"{n} packet{+n}s{/}, {one} file{+one}s{/}, {zero} error{+zero}s{/}",
         "3 packets, 1 file, 0 bytes errors"},
        {"a{?other} unclosed {n}", "a"},
        {"第 {n} 次", "第 3 次"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = text_format(out, sizeof out, rows[i][0], values, 5);
        assert_string_equal(out, rows[i][1]);
        assert_int_equal(len, strlen(rows[i][1]));
    }
}

/* Writes into a heap block of exactly `size` bytes, so that the sanitizer sees one byte too many. */
static void every_size_is_safe_and_cut_between_characters(void **state)
{
    const struct text_value values[] = {{"v", "证书"}};
    static const char whole[] = "到 证书 é 的 TLS";
    (void)state;
    assert_int_equal(text_format(NULL, 0, "{v}", values, 1), 0);
    for (size_t size = 1; size <= sizeof whole + 1; size++) {
        char *out = malloc(size);
        assert_non_null(out);
        size_t len = text_format(out, size, "到 {v} é 的 TLS", values, 1);
        assert_true(len < size);
        assert_int_equal(len, strlen(out));
        assert_memory_equal(out, whole, len);
        assert_true(((unsigned char)whole[len] & 0xC0) != 0x80);
        assert_true(size >= sizeof whole ? len == sizeof whole - 1 : len + 4 >= size);
        free(out);
    }
}

static void lists_of_words_are_translated(void **state)
{
    char out[64];
    (void)state;
    size_t len = text_words(out, sizeof out, "sequence, TTL", LANG_ZH);
    assert_int_equal(len, strlen(out));
    assert_string_equal(out, "序号异常、TTL 不符");
    text_words(out, sizeof out, "sequence, TTL", LANG_EN);
    assert_string_equal(out, "sequence, TTL");
    text_words(out, sizeof out, "a.example, server", LANG_ZH);
    assert_string_equal(out, "a.example、服务端");
    text_words(out, sizeof out, "", LANG_ZH);
    assert_string_equal(out, "");
    text_words(out, 8, "sequence, TTL", LANG_ZH);
    assert_string_equal(out, "序号");
}

/* ---- Columns --------------------------------------------------------------------------------- */

static void width_is_that_of_a_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } rows[] = {
        {"", 0},         {"abc", 3},         {"证书", 4},      {"TLS 证书。", 10},
        {"é", 1},        {"e\xCC\x81", 1},   {"…", 1},         {"（a）", 5},
        {"\xFF\xC0", 2}, {"\xE8\xAF", 2},    {"한", 2},        {"\xF0\x9F\x98\x80", 2},
        {"a\tb", 2},     {"\xEF\xBB\xBF" "a", 1}, {"\xED\xA0\x80", 3}, {"𠀀", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (text_width(rows[i].text) != rows[i].width) {
            fail_msg("width of \"%s\" is %zu", rows[i].text, text_width(rows[i].text));
        }
    }
}

static void columns_are_filled_and_cut(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *left;
        const char *right;
    } rows[] = {
        {"abc", 5, "abc  ", "  abc"}, {"abc", 3, "abc", "abc"},     {"abcd", 3, "ab…", "ab…"},
        {"证书", 5, "证书 ", " 证书"}, {"证书链", 5, "证书…", "证书…"}, {"证书链", 4, "证… ", " 证…"},
        {"证", 1, "…", "…"},          {"abc", 0, "", ""},           {"", 2, "  ", "  "},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        text_fit(out, sizeof out, rows[i].text, rows[i].columns);
        assert_string_equal(out, rows[i].left);
        assert_int_equal(text_fit_right(out, sizeof out, rows[i].text, rows[i].columns),
                         strlen(rows[i].right));
        assert_string_equal(out, rows[i].right);
        assert_int_equal(text_width(out), rows[i].columns);
    }
    assert_int_equal(text_fit(out, 3, "abcdef", 6), 2);
    assert_string_equal(out, "ab");
}

static void lines_break_where_a_reader_expects(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *line;
    } rows[] = {
        {"one two three", 8, "one two"}, {"one two three", 7, "one two"},
        {"one two three", 6, "one"},     {"onetwothree", 4, "onet"},
        {"one", 9, "one"},               {"证书已过期", 5, "证书"},
        {"证书，已过期", 4, "证"},       {"用 TLS 连接", 5, "用"},
        {"证", 1, "证"},                 {"证书（过期）", 6, "证书"},
        {"", 5, ""},                     {"abc", 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = text_break(rows[i].text, rows[i].columns);
        if (len != strlen(rows[i].line) || memcmp(rows[i].text, rows[i].line, len) != 0) {
            fail_msg("\"%s\" in %zu columns breaks after %zu", rows[i].text, rows[i].columns, len);
        }
    }
    assert_int_equal(text_cut("证书", 4), 3);
    assert_int_equal(text_cut("证书", 6), 6);
    assert_int_equal(text_cut("ab", 1), 1);
}

static void clean_text_is_safe_to_show(void **state)
{
    char out[64];
    (void)state;
    assert_int_equal(text_clean(out, sizeof out, "a\033[31m\nb"), 8);
    assert_string_equal(out, "a?[31m?b");
    text_clean(out, sizeof out, "\xB7\xA2.pcap 发票 \xC2\x9B");
    assert_string_equal(out, "\xEF\xBF\xBD\xEF\xBF\xBD.pcap 发票 ?");
    assert_int_equal(text_clean(out, 4, "ab发"), 2); /* never half a character */
    assert_string_equal(out, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages_are_found_by_name),
        cmocka_unit_test(values_replace_their_names),
        cmocka_unit_test(every_size_is_safe_and_cut_between_characters),
        cmocka_unit_test(lists_of_words_are_translated),
        cmocka_unit_test(width_is_that_of_a_terminal),
        cmocka_unit_test(columns_are_filled_and_cut),
        cmocka_unit_test(clean_text_is_safe_to_show),
        cmocka_unit_test(lines_break_where_a_reader_expects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
