/* What the signature over a key exchange of TLCP is worth. */
#include "core/intern.h"
#include "dissectors/x509.h"
#include "dissectors/x509_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/data_tlcp.h"
#include "tests/unit/data_x509.h"

static struct {
    struct intern *strings;
    struct certificate_record sign, enc, rsa;
    char *san[3];
    uint8_t randoms[64];
} shown;

static int setup(void **state)
{
    (void)state;
    shown.strings = intern_new();
    certificate_parse(shown.strings, tlcp_sign, sizeof tlcp_sign, &shown.sign, &shown.san[0]);
    certificate_parse(shown.strings, tlcp_enc, sizeof tlcp_enc, &shown.enc, &shown.san[1]);
    certificate_parse(shown.strings, der_rsa, sizeof der_rsa, &shown.rsa, &shown.san[2]);
    for (unsigned i = 0; i < sizeof shown.randoms; i++)
        shown.randoms[i] = (uint8_t)i;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        free(shown.san[i]);
    intern_free(shown.strings);
    return 0;
}

static enum tls_signature check(uint16_t cipher, const uint8_t *body, size_t len)
{
    const struct tlcp_exchange exchange = {shown.randoms, &shown.sign, &shown.enc,
                                           cur_of(body, len), cipher};
    return tlcp_check_signature(&exchange);
}

#define CHECK(cipher, body) check(cipher, body, sizeof(body))

static void test_static_key(void **state)
{
    (void)state;
    assert_int_equal(CHECK(0xe013, exchange_valid), TLS_SIGNATURE_VALID);
    assert_int_equal(CHECK(0xe053, exchange_valid), TLS_SIGNATURE_VALID);
    assert_int_equal(CHECK(0xe013, exchange_other_certificate), TLS_SIGNATURE_OTHER_CERTIFICATE);
    assert_int_equal(CHECK(0xe013, exchange_other_key), TLS_SIGNATURE_OTHER_KEY);
    assert_int_equal(CHECK(0xe013, exchange_bare), TLS_SIGNATURE_OTHER_FORM);
    assert_int_equal(CHECK(0xe013, exchange_named), TLS_SIGNATURE_OTHER_FORM);
    assert_int_equal(CHECK(0xe013, exchange_wrong), TLS_SIGNATURE_WRONG);
}

static void test_ephemeral_key(void **state)
{
    (void)state;
    assert_int_equal(CHECK(0xe011, exchange_ephemeral), TLS_SIGNATURE_VALID);
    assert_int_equal(CHECK(0xe051, exchange_ephemeral_key), TLS_SIGNATURE_OTHER_KEY);
    assert_int_equal(CHECK(0xe011, exchange_ephemeral_wrong), TLS_SIGNATURE_WRONG);
}

static void test_other_randoms_or_certificates(void **state)
{
    (void)state;
    shown.randoms[63] ^= 1;
    assert_int_equal(CHECK(0xe013, exchange_valid), TLS_SIGNATURE_WRONG);
    shown.randoms[63] ^= 1;
    struct tlcp_exchange swapped = {shown.randoms, &shown.enc, &shown.sign,
                                    cur_of(exchange_valid, sizeof exchange_valid), 0xe013};
    assert_int_equal(tlcp_check_signature(&swapped), TLS_SIGNATURE_WRONG);
    swapped.sign = &shown.rsa; /* no key that such a suite could have */
    assert_int_equal(tlcp_check_signature(&swapped), TLS_SIGNATURE_NONE);
}

/* Suites of RSA and SM9, and messages of another form, are left alone. */
static void test_what_is_not_checked(void **state)
{
    (void)state;
    assert_int_equal(CHECK(0xe019, exchange_valid), TLS_SIGNATURE_NONE);
    assert_int_equal(CHECK(0xe015, exchange_valid), TLS_SIGNATURE_NONE);
    assert_int_equal(CHECK(0xe011, exchange_valid), TLS_SIGNATURE_NONE);
    for (size_t len = 0; len < sizeof exchange_valid; len++)
        assert_int_equal(check(0xe013, exchange_valid, len), TLS_SIGNATURE_NONE);
    for (size_t len = 0; len < sizeof exchange_ephemeral; len++)
        assert_int_equal(check(0xe011, exchange_ephemeral, len), TLS_SIGNATURE_NONE);
}

/* Whatever bit is wrong, it is never taken for right. */
static void test_every_bit_counts(void **state)
{
    (void)state;
    uint8_t body[sizeof exchange_valid];
    for (size_t i = 2; i < sizeof body; i++) {
        memcpy(body, exchange_valid, sizeof body);
        body[i] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(CHECK(0xe013, body), TLS_SIGNATURE_WRONG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_key),
        cmocka_unit_test(test_ephemeral_key),
        cmocka_unit_test(test_other_randoms_or_certificates),
        cmocka_unit_test(test_what_is_not_checked),
        cmocka_unit_test(test_every_bit_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
