/* OCSP responses made by OpenSSL, with one fault each: what they say, and what is wrong with them. */
#include "core/intern.h"
#include "dissectors/x509.h"
#include "trust/staple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#define SECOND 1000000000LL
#define NOW 1785900000LL /* 2026-08-05 */
#define DAY 86400

enum who { ROOT, OTHER_ROOT, LEAF, OTHER_LEAF, DELEGATE, IMPOSTOR, PARTIES };

static struct {
    EVP_PKEY *key[PARTIES];
    X509 *x[PARTIES];
    uint8_t *der[PARTIES];
    struct certificate_record record[PARTIES];
    char *san[PARTIES];
    struct intern *strings;
} pki;

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void make(enum who who, enum who issuer, const char *cn, const char *usage)
{
    X509 *x = X509_new();
    pki.key[who] = EVP_EC_gen("P-256");
    pki.x[who] = x;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 100 + (long)who);
    ASN1_TIME_set(X509_getm_notBefore(x), NOW - 30 * DAY);
    ASN1_TIME_set(X509_getm_notAfter(x), NOW + 300 * DAY);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(pki.x[issuer]));
    X509_set_pubkey(x, pki.key[who]);
    add_extension(x, NID_basic_constraints, who == issuer ? "critical,CA:TRUE" : "CA:FALSE");
    if (usage != NULL)
        add_extension(x, NID_ext_key_usage, usage);
    assert_true(X509_sign(x, pki.key[issuer], EVP_sha256()) > 0);
    int len = i2d_X509(x, &pki.der[who]);
    certificate_parse(pki.strings, pki.der[who], (size_t)len, &pki.record[who], &pki.san[who]);
    pki.record[who].id = (int64_t)who + 1;
}

static int setup(void **state)
{
    (void)state;
    pki.strings = intern_new();
    make(ROOT, ROOT, "Example Root", NULL);
    make(OTHER_ROOT, OTHER_ROOT, "Other Root", NULL);
    make(LEAF, ROOT, "inv.example.cn", "serverAuth");
    make(OTHER_LEAF, ROOT, "pay.example.cn", "serverAuth");
    make(DELEGATE, ROOT, "OCSP of Example", "OCSPSigning");
    make(IMPOSTOR, ROOT, "Not for OCSP", "serverAuth");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PARTIES; i++) {
        EVP_PKEY_free(pki.key[i]);
        X509_free(pki.x[i]);
        OPENSSL_free(pki.der[i]);
        free(pki.san[i]);
    }
    intern_free(pki.strings);
    return 0;
}

struct recipe {
    enum who about, signer;
    int status;       /* V_OCSP_CERTSTATUS_ */
    long from, until; /* seconds from NOW; until 0: none */
    int response;     /* responseStatus */
    bool spoilt;      /* a bit of the signature turned */
};

static uint8_t *build(const struct recipe *r, size_t *len)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), pki.x[r->about], pki.x[ROOT]);
    ASN1_TIME *from = ASN1_TIME_adj(NULL, NOW, 0, r->from);
    ASN1_TIME *until = r->until != 0 ? ASN1_TIME_adj(NULL, NOW, 0, r->until) : NULL;
    ASN1_TIME *revoked = ASN1_TIME_adj(NULL, NOW, -2, 0);
    OCSP_basic_add1_status(basic, id, r->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, revoked, from,
                           until);
    assert_int_equal(OCSP_basic_sign(basic, pki.x[r->signer], pki.key[r->signer], EVP_sha256(),
                                     NULL, 0),
                     1);
    if (r->spoilt) {
        const ASN1_OCTET_STRING *signature = OCSP_resp_get0_signature(basic);
        uint8_t *bytes = (uint8_t *)(uintptr_t)ASN1_STRING_get0_data(signature);
        bytes[ASN1_STRING_length(signature) - 1] ^= 1;
    }
    OCSP_RESPONSE *response = OCSP_response_create(r->response, r->response == 0 ? basic : NULL);
    uint8_t *der = NULL;
    *len = (size_t)i2d_OCSP_RESPONSE(response, &der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return der;
}

/* The server shows LEAF, and ROOT where with_issuer says so. */
static struct staple_verdict judge(const struct recipe *r, bool with_issuer,
                                   struct staple_record *record)
{
    size_t len;
    uint8_t *der = build(r, &len);
    struct staple_verdict verdict;
    const struct certificate_record *sent[] = {&pki.record[LEAF], &pki.record[ROOT]};
    struct chain_verifier *verifier = chain_verifier_new(NULL);
    staple_parse(pki.strings, der, len, record);
    staple_verify(verifier, record, sent, with_issuer ? 2 : 1, NOW * SECOND, &verdict);
    chain_verifier_free(verifier);
    OPENSSL_free(der);
    return verdict;
}

static void faults(void **state)
{
    static const struct {
        struct recipe recipe;
        enum staple_fault fault;
        enum staple_status status;
        bool verified;
    } rows[] = {
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 0, false}, STAPLE_FINE, STAPLE_GOOD, true},
        {{LEAF, DELEGATE, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 0, false}, STAPLE_FINE, STAPLE_GOOD, true},
        {{LEAF, DELEGATE, V_OCSP_CERTSTATUS_GOOD, -DAY, 0, 0, false}, STAPLE_FINE, STAPLE_GOOD, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, 0, false}, STAPLE_FINE, STAPLE_REVOKED, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_UNKNOWN, -DAY, DAY, 0, false}, STAPLE_FINE, STAPLE_UNKNOWN, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, -200, 0, false}, STAPLE_FINE, STAPLE_GOOD, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -9 * DAY, -DAY, 0, false}, STAPLE_STALE, STAPLE_GOOD, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_REVOKED, -9 * DAY, -DAY, 0, false}, STAPLE_STALE, STAPLE_REVOKED, true},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, DAY, 2 * DAY, 0, false}, STAPLE_EARLY, STAPLE_GOOD, true},
        {{OTHER_LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 0, false}, STAPLE_FOREIGN, STAPLE_NONE, false},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, 0, true}, STAPLE_FORGED, STAPLE_REVOKED, false},
        {{LEAF, IMPOSTOR, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, 0, false}, STAPLE_UNAUTHORIZED, STAPLE_REVOKED, false},
        {{LEAF, OTHER_ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 0, false}, STAPLE_UNAUTHORIZED, STAPLE_GOOD, false},
        {{LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 3, false}, STAPLE_FAILED, STAPLE_NONE, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct staple_record record;
        struct staple_verdict v = judge(&rows[i].recipe, true, &record);
        if (staple_fault_at(&v, NOW * SECOND) != rows[i].fault || v.status != rows[i].status ||
            v.is_verified != rows[i].verified)
            fail_msg("row %zu: fault %d, status %d, verified %d", i,
                     (int)staple_fault_at(&v, NOW * SECOND), v.status, v.is_verified);
    }
}

/* Without the issuer nobody can tell who may sign: no fault, and not verified. */
static void issuer_not_at_hand(void **state)
{
    const struct recipe forged = {LEAF, OTHER_ROOT, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, 0, true};
    struct staple_record record;
    (void)state;
    struct staple_verdict v = judge(&forged, false, &record);
    assert_int_equal(staple_fault_at(&v, NOW * SECOND), STAPLE_FINE);
    assert_int_equal(v.status, STAPLE_REVOKED);
    assert_false(v.is_verified);
}

static void what_it_says(void **state)
{
    const struct recipe revoked = {LEAF, ROOT, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, 0, false};
    const struct recipe later = {LEAF, ROOT, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 3, false};
    struct staple_record r;
    (void)state;
    (void)judge(&revoked, true, &r);
    assert_null(r.parse_error);
    assert_int_equal(r.response, 0);
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.status, STAPLE_REVOKED);
    assert_string_equal(r.serial, "66"); /* 102 */
    assert_string_equal(r.reason, "keyCompromise");
    assert_string_equal(r.responder, "/CN=Example Root");
    assert_string_equal(r.signature, "ecdsa-with-SHA256");
    assert_true(r.this_update_ns == (NOW - DAY) * SECOND && r.next_update_ns == (NOW + DAY) * SECOND);
    assert_true(r.revoked_ns == (NOW - 2 * DAY) * SECOND);
    (void)judge(&later, true, &r);
    assert_int_equal(r.response, 3);
    assert_null(r.parse_error);
    assert_int_equal(r.this_update_ns, -1);
}

/* Every prefix, and every byte turned: no crash, and nothing cut short is a response. */
static void broken_bytes(void **state)
{
    const struct recipe good = {LEAF, DELEGATE, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, 0, false};
    const struct certificate_record *sent[] = {&pki.record[LEAF], &pki.record[ROOT]};
    struct chain_verifier *verifier = chain_verifier_new(NULL);
    size_t len;
    uint8_t *der = build(&good, &len);
    struct staple_record record;
    struct staple_verdict v;
    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, der, cut);
        staple_parse(pki.strings, part, cut, &record);
        assert_non_null(record.parse_error);
        free(part);
    }
    for (size_t at = 0; at < len; at++) {
        der[at] ^= 0x41;
        staple_parse(pki.strings, der, len, &record);
        staple_verify(verifier, &record, sent, 2, NOW * SECOND, &v);
        der[at] ^= 0x41;
    }
    staple_parse(pki.strings, der, len, &record);
    staple_verify(verifier, &record, sent, 2, NOW * SECOND, &v);
    assert_true(v.is_verified);
    chain_verifier_free(verifier);
    OPENSSL_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults),
        cmocka_unit_test(issuer_not_at_hand),
        cmocka_unit_test(what_it_says),
        cmocka_unit_test(broken_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
