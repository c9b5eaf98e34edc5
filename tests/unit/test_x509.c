/* Certificates made by openssl; what is expected of them is what openssl prints. */
#include "dissectors/x509.h"

#include "core/limits.h"
#include "tests/unit/data_x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct intern *strings;
    struct certificate_cache *cache;
    struct sink sink;
    unsigned put_count;
    int64_t last_id;
};

static void count_put(void *self, enum record_kind kind, const void *record)
{
    struct fixture *f = self;
    const struct certificate_record *certificate = record;
    assert_int_equal(kind, RECORD_CERTIFICATE);
    f->put_count++;
    f->last_id = certificate->id;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->strings = intern_new();
    f->cache = certificate_cache_new(f->strings, 7);
    f->sink = (struct sink){f, count_put};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    certificate_cache_free(f->cache);
    intern_free(f->strings);
    free(f);
    return 0;
}

static const struct der *der_named(const char *name)
{
    for (size_t i = 0; i < sizeof ders / sizeof ders[0]; i++) {
        if (strcmp(ders[i].name, name) == 0)
            return &ders[i];
    }
    fail_msg("no certificate %s", name);
    return NULL;
}

static const struct certificate_record *look(struct fixture *f, const char *name)
{
    const struct der *der = der_named(name);
    int64_t id = certificate_cache_lookup(f->cache, der->bytes, der->len, 99, &f->sink, 1);
    return certificate_cache_get(f->cache, id);
}

static void test_what_openssl_says(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof ders / sizeof ders[0]; i++) {
        const struct certificate_record *c = look(f, ders[i].name);
        assert_string_equal(c->serial, ders[i].serial);
        assert_int_equal(c->not_before_ns, ders[i].not_before * 1000000000);
        assert_int_equal(c->not_after_ns, ders[i].not_after * 1000000000);
        assert_string_equal(c->sha256, ders[i].sha256);
        assert_string_equal(c->spki_sha256, ders[i].spki_sha256);
        assert_null(c->parse_error);
        assert_int_equal(c->first_seen_ns, 99);
        assert_int_equal(c->der_len, ders[i].len);
        assert_memory_equal(c->der, ders[i].bytes, ders[i].len);
        assert_ptr_not_equal(c->der, ders[i].bytes);
    }
}

static void test_keys_and_signatures(void **state)
{
    static const struct {
        const char *name, *key_type;
        int64_t bits, exponent;
        const char *curve, *signature, *usage;
        bool self_signed, is_ca;
    } rows[] = {
        {"rsa", "RSA", 2048, 65537, NULL, "sha256WithRSAEncryption",
         "digitalSignature,keyEncipherment", true, false},
        {"rsa_weak", "RSA", 1024, 65537, NULL, "sha1WithRSAEncryption", NULL, true, true},
        {"ec", "EC", 384, 0, "secp384r1", "ecdsa-with-SHA384", "keyCertSign,cRLSign", true, true},
        {"ed25519", "Ed25519", 256, 0, NULL, "ED25519", NULL, true, true},
        {"sm2", "SM2", 256, 0, "SM2", "SM2-with-SM3", NULL, true, true},
        {"expired", "RSA", 2048, 65537, NULL, "ecdsa-with-SHA256", NULL, false, false},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct certificate_record *c = look(f, rows[i].name);
        print_message("%s\n", rows[i].name);
        assert_string_equal(c->key_type, rows[i].key_type);
        assert_in_range(c->key_bits, rows[i].bits - 3, rows[i].bits); /* Ed25519 says 253 */
        assert_int_equal(c->rsa_exponent, rows[i].exponent);
        assert_int_equal(c->curve == NULL, rows[i].curve == NULL);
        if (rows[i].curve != NULL)
            assert_string_equal(c->curve, rows[i].curve);
        assert_string_equal(c->signature, rows[i].signature);
        assert_int_equal(c->key_usage == NULL, rows[i].usage == NULL);
        if (rows[i].usage != NULL)
            assert_string_equal(c->key_usage, rows[i].usage);
        assert_int_equal(c->self_signed, rows[i].self_signed);
        assert_int_equal(c->is_ca, rows[i].is_ca);
    }
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    const struct certificate_record *c = look(f, "rsa");
    assert_string_equal(c->subject, "CN=rsa.example.com,O=发票\\, Ltd,C=CN");
    assert_string_equal(c->issuer, c->subject);
    assert_string_equal(c->subject_cn, "rsa.example.com");
    assert_string_equal(c->san, "DNS:a.example.com,DNS:*.b.example.com,IP:192.0.2.7,"
                                "IP:2001:db8::7,email:x@example.com,URI:https://example.com/");
    c = look(f, "expired");
    assert_string_equal(c->subject, "CN=old.example.com");
    assert_string_equal(c->issuer, "CN=Test CA,O=invcap test");
    assert_string_equal(c->issuer_cn, "Test CA");
    assert_null(c->san);
}

static void test_once_each(void **state)
{
    struct fixture *f = *state;
    const struct der *der = der_named("ec");
    int64_t first = certificate_cache_lookup(f->cache, der->bytes, der->len, 1, &f->sink, 1);
    assert_int_equal(first, 7);
    assert_int_equal(f->put_count, 1);
    assert_int_equal(certificate_cache_lookup(f->cache, der->bytes, der->len, 2, &f->sink, 1), 7);
    assert_int_equal(f->put_count, 1);
    assert_int_equal(certificate_cache_get(f->cache, 7)->first_seen_ns, 1);
    der = der_named("rsa");
    assert_int_equal(certificate_cache_lookup(f->cache, der->bytes, der->len, 2, NULL, 1), 8);
    assert_int_equal(f->put_count, 1);
    assert_null(certificate_cache_get(f->cache, 6));
    assert_null(certificate_cache_get(f->cache, 9));
    assert_int_equal(certificate_cache_lookup(f->cache, der->bytes, 0, 2, NULL, 1), 0);
}

static void test_bytes_that_are_no_certificate(void **state)
{
    struct fixture *f = *state;
    const struct der *der = der_named("ec");
    /* every prefix, in memory of its own length */
    for (size_t len = 1; len < der->len; len++) {
        uint8_t *exact = malloc(len);
        memcpy(exact, der->bytes, len);
        int64_t id = certificate_cache_lookup(f->cache, exact, len, 1, &f->sink, 1);
        free(exact);
        const struct certificate_record *c = certificate_cache_get(f->cache, id);
        assert_string_equal(c->parse_error, "not a certificate");
        assert_null(c->subject);
        assert_int_equal(strlen(c->sha256), 64);
        assert_int_equal(c->der_len, len);
    }
    assert_int_equal(f->put_count, der->len - 1);
    uint8_t longer[2048];
    memcpy(longer, der->bytes, der->len);
    longer[der->len] = 0;
    int64_t id = certificate_cache_lookup(f->cache, longer, der->len + 1, 1, &f->sink, 1);
    assert_string_equal(certificate_cache_get(f->cache, id)->parse_error,
                        "bytes after the certificate");
    assert_string_equal(certificate_cache_get(f->cache, id)->subject_cn, "ec.example.com");
}

/* Every byte changed: never a crash, and never "signed by itself" for what is not. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;
    const struct der *der = der_named("ec");
    uint8_t bytes[2048];
    for (size_t at = 0; at < der->len; at++) {
        memcpy(bytes, der->bytes, der->len);
        bytes[at] ^= 0x41;
        int64_t id = certificate_cache_lookup(f->cache, bytes, der->len, 1, &f->sink, 1);
        const struct certificate_record *c = certificate_cache_get(f->cache, id);
        assert_non_null(c);
        assert_false(c->self_signed);
    }
}

/* More certificates than the first table holds. */
static void test_growth(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[4];
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2000; i++) {
            memcpy(bytes, &i, 4);
            assert_int_equal(certificate_cache_lookup(f->cache, bytes, 4, 1, &f->sink, 1), 7 + i);
        }
    }
    assert_int_equal(f->put_count, 2000);
    assert_int_equal(f->last_id, 2006);
}

/* What has no room is not kept, and counted; what is there is found all the same. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[1000] = {0x30};
    certificate_cache_limit(f->cache, 20000);
    for (unsigned i = 0; i < 100; i++) {
        memcpy(bytes + 1, &i, sizeof i);
        int64_t id = certificate_cache_lookup(f->cache, bytes, sizeof bytes, 0, NULL, 1);
        assert_int_equal(id, certificate_cache_lookup(f->cache, bytes, sizeof bytes, 0, NULL, 1));
    }
    assert_in_range(certificate_cache_memory(f->cache), 18000, 20000);
    assert_in_range(certificate_cache_refused(f->cache), 2 * 80, 2 * 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_openssl_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_and_signatures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
