/* Lists of certificate timestamps (RFC 6962 3.3): on their own, in certificates and in OCSP answers; and where a
 * certificate says to ask for revocations. */
#include "core/limits.h"
#include "dissectors/sct.h"
#include "dissectors/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

enum { SCT_LEN = 32 + 8 + 1 + 2 + 2 + 2 + 3, LIST_MAX = 1024, COUNT_MAX = 12 };

static struct intern *strings;

static int setup(void **state)
{
    (void)state;
    strings = intern_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    intern_free(strings);
    return 0;
}

/* One timestamp behind its length; every byte of the log's id is id. */
static size_t add_sct(uint8_t *at, uint8_t version, uint8_t id)
{
    memset(at, 0, 2 + SCT_LEN);
    at[1] = SCT_LEN;
    at[2] = version;
    memset(at + 3, id, 32);
    at[2 + 1 + 32 + 8 + 2] = 4; /* SHA-256, ECDSA */
    at[2 + 1 + 32 + 8 + 3] = 3;
    at[2 + 1 + 32 + 8 + 5] = 3; /* length of the signature */
    return 2 + SCT_LEN;
}

static size_t make_list(uint8_t *list, size_t count, uint8_t version_of_last)
{
    size_t len = 2;
    for (size_t i = 0; i < count; i++)
        len += add_sct(list + len, i + 1 < count ? 0 : version_of_last, (uint8_t)(0xa0 + i));
    list[0] = (uint8_t)((len - 2) >> 8);
    list[1] = (uint8_t)(len - 2);
    return len;
}

static uint32_t count_of(const uint8_t *bytes, size_t len, const char **logs)
{
    uint32_t count = 99;
    *logs = sct_list_read(cur_of(bytes, len), strings, &count);
    assert_int_equal(*logs == NULL, count == 0);
    return count;
}

static void whole_lists(void **state)
{
    uint8_t list[LIST_MAX];
    const char *logs;
    (void)state;
    assert_int_equal(count_of(list, make_list(list, 0, 0), &logs), 0);
    assert_int_equal(count_of(list, make_list(list, 2, 0), &logs), 2);
    assert_string_equal(logs,
                        "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0,"
                        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
    /* A version that nobody knows ends what can be read. */
    assert_int_equal(count_of(list, make_list(list, 2, 1), &logs), 1);
    /* All are counted, the first of them are named. */
    assert_int_equal(count_of(list, make_list(list, COUNT_MAX, 0), &logs), COUNT_MAX);
    assert_int_equal(strlen(logs), LIMIT_SCT_LOGS * 65 - 1);
}

static void cut_lists(void **state)
{
    uint8_t list[LIST_MAX];
    const char *logs;
    (void)state;
    size_t len = make_list(list, 2, 0);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(count_of(list, cut, &logs), 0);
    /* Lengths inside that say more than there is. */
    for (size_t at = 2; at < len; at++) {
        make_list(list, 2, 0);
        list[at] = 0xff;
        assert_true(count_of(list, len, &logs) <= 2);
    }
}

/* The list as both extensions hold it: an OCTET STRING within that of the extension. */
static X509_EXTENSION *as_extension(int nid, const uint8_t *list, size_t len)
{
    ASN1_OCTET_STRING *inner = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING *outer = ASN1_OCTET_STRING_new();
    unsigned char *der = NULL;
    assert_int_equal(ASN1_OCTET_STRING_set(inner, list, (int)len), 1);
    int der_len = i2d_ASN1_OCTET_STRING(inner, &der);
    assert_int_equal(ASN1_OCTET_STRING_set(outer, der, der_len), 1);
    X509_EXTENSION *made = X509_EXTENSION_create_by_NID(NULL, nid, 0, outer);
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(inner);
    ASN1_OCTET_STRING_free(outer);
    return made;
}

static void add_text(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* Signed by itself; access and points NULL: without that extension. */
static X509 *make_certificate(EVP_PKEY *key, const char *access, const char *points, size_t timestamps)
{
    X509 *x = X509_new();
    uint8_t list[LIST_MAX];
    X509_set_version(x, 2);
    ASN1_TIME_set(X509_getm_notBefore(x), 1785900000);
    ASN1_TIME_set(X509_getm_notAfter(x), 1795900000);
    X509_set_pubkey(x, key);
    if (access != NULL)
        add_text(x, NID_info_access, access);
    if (points != NULL)
        add_text(x, NID_crl_distribution_points, points);
    if (timestamps > 0) {
        X509_EXTENSION *e = as_extension(NID_ct_precert_scts, list, make_list(list, timestamps, 0));
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void certificates(void **state)
{
    static const struct {
        const char *access, *points;
        size_t timestamps;
        const char *revocation;
    } rows[] = {
        {NULL, NULL, 0, NULL},
        {"OCSP;URI:http://ocsp.ca.example/", NULL, 2, "ocsp:http://ocsp.ca.example/"},
        {"OCSP;URI:http://a.example/,caIssuers;URI:http://b.example/i.crt",
         "URI:http://c.example/r.crl,URI:ldap://d.example/r", 3,
         "ocsp:http://a.example/,crl:http://c.example/r.crl,crl:ldap://d.example/r"},
        {"OCSP;email:a@b.example", "URI:http://c.example/r.crl", 0, "crl:http://c.example/r.crl"},
        /* What could be mistaken for two is left out. */
        {"OCSP;URI:http://a.example/b c", NULL, 1, NULL},
    };
    EVP_PKEY *key = EVP_EC_gen("P-256");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        X509 *x = make_certificate(key, rows[i].access, rows[i].points, rows[i].timestamps);
        struct certificate_record record;
        uint8_t *der = NULL;
        char *san = NULL;
        int len = i2d_X509(x, &der);
        certificate_parse(strings, der, (size_t)len, &record, &san);
        assert_null(record.parse_error);
        assert_int_equal(record.sct_count, rows[i].timestamps);
        assert_int_equal(record.sct_logs == NULL, rows[i].timestamps == 0);
        assert_int_equal(record.revocation == NULL, rows[i].revocation == NULL);
        if (rows[i].revocation != NULL)
            assert_string_equal(record.revocation, rows[i].revocation);
        free(san);
        OPENSSL_free(der);
        X509_free(x);
    }
    EVP_PKEY_free(key);
}

/* The first answer of an OCSP response brings them in its own extension. */
static void answers(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make_certificate(key, NULL, NULL, 0);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, 1785900000);
    uint8_t list[LIST_MAX], *der = NULL;
    struct staple_record record;
    (void)state;
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x, x);
    OCSP_SINGLERESP *answer =
        OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, NULL);
    X509_EXTENSION *e = as_extension(NID_ct_cert_scts, list, make_list(list, 2, 0));
    assert_int_equal(OCSP_SINGLERESP_add_ext(answer, e, -1), 1);
    assert_int_equal(OCSP_basic_sign(basic, x, key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(0, basic);
    int len = i2d_OCSP_RESPONSE(response, &der);
    staple_parse(strings, der, (size_t)len, &record);
    assert_null(record.parse_error);
    assert_int_equal(record.sct_count, 2);
    assert_int_equal(strncmp(record.sct_logs, "a0a0", 4), 0);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    X509_EXTENSION_free(e);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    X509_free(x);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lists),
        cmocka_unit_test(cut_lists),
        cmocka_unit_test(certificates),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
