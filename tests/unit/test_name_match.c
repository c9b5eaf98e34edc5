/* RFC 6125 6.4 and RFC 9525: which names a certificate covers. */
#include "trust/name_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name, *san, *cn;
    bool matches;
};

static const struct row rows[] = {
    {"einvoice.example.com", "DNS:einvoice.example.com", NULL, true},
    {"EInvoice.Example.COM", "DNS:einvoice.example.com", NULL, true},
    {"einvoice.example.com", "DNS:EINVOICE.EXAMPLE.com", NULL, true},
    {"einvoice.example.com.", "DNS:einvoice.example.com", NULL, true},
    {"einvoice.example.com", "DNS:einvoice.example.com.", NULL, true},
    {"einvoice.example.com", "DNS:a.example.com,DNS:einvoice.example.com,IP:10.0.0.1", NULL, true},
    {"einvoice.example.com", "DNS:einvoice.example.co", NULL, false},
    {"einvoice.example.com", "DNS:xeinvoice.example.com", NULL, false},
    {"", "DNS:einvoice.example.com", NULL, false},
    {".", "DNS:.", ".", false},
    /* SAN beats CN */
    {"old.example.com", "DNS:new.example.com", "old.example.com", false},
    {"old.example.com", NULL, "old.example.com", true},
    {"old.example.com", "", "old.example.com", true},
    {"old.example.com", "email:x@example.com", "old.example.com", true},
    {"old.example.com", "IP:10.0.0.1", "old.example.com", true},
    {"a.example.com", NULL, "*.example.com", true},
    {"old.example.com", NULL, NULL, false},
    /* a wildcard is one left label */
    {"a.example.com", "DNS:*.example.com", NULL, true},
    {"a.b.example.com", "DNS:*.example.com", NULL, false},
    {"example.com", "DNS:*.example.com", NULL, false},
    {".example.com", "DNS:*.example.com", NULL, false},
    {"a.example.com", "DNS:*.com", NULL, false},
    {"example.com", "DNS:*.com", NULL, false},
    {"com", "DNS:*", NULL, false},
    {"abc.example.com", "DNS:a*.example.com", NULL, false},
    {"a.x.example.com", "DNS:a.*.example.com", NULL, false},
    {"a.b.example.com", "DNS:*.*.example.com", NULL, false},
    {"*.example.com", "DNS:*.example.com", NULL, false}, /* nobody is called so */
    {"a.example.com.", "DNS:*.example.com", NULL, true},
    /* addresses */
    {"192.0.2.7", "IP:192.0.2.7", NULL, true},
    {"192.0.2.7", "DNS:192.0.2.7", NULL, false},
    {"192.0.2.7", "DNS:*.0.2.7", NULL, false},
    {"192.0.2.70", "IP:192.0.2.7", NULL, false},
    {"2001:DB8:0:0::7", "IP:2001:db8::7", NULL, true},
    {"[2001:db8::7]", "IP:2001:db8::7", NULL, true},
    {"192.0.2.7", NULL, "192.0.2.7", true},
    {"192.0.2.7", "DNS:a.example.com", "192.0.2.7", false},
    {"192.0.2.7", "IP:192.0.2.8", "192.0.2.7", false},
    {"192.0.2.7", NULL, "*.0.2.7", false},
    {"a.example.com", "IP:192.0.2.7", NULL, false},
    /* internationalised names, as A-labels: RFC 3492 and IANA's test domain */
    {"例子.测试", "DNS:xn--fsqu00a.xn--0zwm56d", NULL, true},
    {"xn--fsqu00a.xn--0zwm56d", "DNS:例子.测试", NULL, true},
    {"XN--FSQU00A.xn--0zwm56d", "DNS:xn--fsqu00a.xn--0zwm56d", NULL, true},
    {"发票.例子.测试", "DNS:*.xn--fsqu00a.xn--0zwm56d", NULL, true},
    {"发票.例子.测试", "DNS:*.例子.测试", NULL, true},
    {"BÜCHER.example.com", "DNS:xn--bcher-kva.example.com", NULL, true},
    {"例子.测试", "DNS:xn--0zwm56d", NULL, false},
    /* damage */
    {"a.example.com", ",,DNS:,DNS:a.example.com", NULL, true},
    {"a.example.com", "DNS:", "a.example.com", true},
    {"a.example.com", "dns", "b.example.com", false},
    {"\xff\xfe.example.com", "DNS:\xff\xfe.example.com", NULL, true},
    {"\xff\xfe.example.com", "DNS:a.example.com", NULL, false},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct certificate_record certificate = {.san = rows[i].san, .subject_cn = rows[i].cn};
        if (name_matches_certificate(rows[i].name, &certificate) != rows[i].matches)
            fail_msg("%s against %s, CN %s", rows[i].name, rows[i].san, rows[i].cn);
    }
    struct certificate_record certificate = {.san = "DNS:a.example.com"};
    assert_false(name_matches_certificate(NULL, &certificate));
}

static void test_patterns(void **state)
{
    (void)state;
    assert_true(name_matches_pattern("a.example.com", "*.example.com"));
    assert_false(name_matches_pattern("a.b.example.com", "*.example.com"));
    assert_false(name_matches_pattern("a.example.com", ""));
}

static void test_long_names(void **state)
{
    (void)state;
    char *name = malloc(5001);
    char *san = malloc(5005);
    memset(name, 'a', 5000);
    name[5000] = '\0';
    memcpy(san, "DNS:", 4);
    memcpy(san + 4, name, 5001);
    struct certificate_record certificate = {.san = san, .subject_cn = name};
    assert_false(name_matches_certificate(name, &certificate));
    assert_false(name_matches_certificate("a.example.com", &certificate));
    free(name);
    free(san);
}

/* RFC 3492; nothing for names without A-labels, or with broken ones. */
static void test_own_script(void **state)
{
    char text[64] = "as before";
    (void)state;
    assert_true(name_to_unicode("xn--nyqy26a.example.cn", text, sizeof text));
    assert_string_equal(text, "\xe5\x81\xa5\xe5\xba\xb7.example.cn");
    assert_false(name_to_unicode("inv.example.cn", text, sizeof text));
    assert_false(name_to_unicode("xn--\xff.example.cn", text, sizeof text));
    assert_false(name_to_unicode("xn--nyqy26a.example.cn", text, 8));
    assert_string_equal(text, "\xe5\x81\xa5\xe5\xba\xb7.example.cn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_own_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
