#include "trust/staple.h"

#include "trust/chain_private.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

/* Clocks of responder, server and capture may differ by so much (as OpenSSL's own tools allow). */
#define SKEW_NS (300LL * 1000000000LL)

static int64_t ns_of(const ASN1_GENERALIZEDTIME *time)
{
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1)
        return -1;
    int64_t seconds = timegm(&parts);
    return seconds < 0 || seconds > INT64_MAX / 1000000000LL ? -1 : seconds * 1000000000LL;
}

/* The names agree, and where the issuer's key is known its hash, too. */
static bool is_about(const OCSP_SINGLERESP *answer, const X509 *leaf, const X509 *issuer)
{
    OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(answer);
    ASN1_OBJECT *algorithm = NULL;
    ASN1_OCTET_STRING *name = NULL, *key = NULL;
    ASN1_INTEGER *serial = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (OCSP_id_get0_info(&name, &algorithm, &key, &serial, id) != 1 ||
        ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0)
        return false;
    const EVP_MD *md = EVP_get_digestbyobj(algorithm);
    if (md == NULL || X509_NAME_digest(X509_get_issuer_name(leaf), md, digest, &len) != 1 ||
        (int)len != ASN1_STRING_length(name) ||
        memcmp(digest, ASN1_STRING_get0_data(name), len) != 0)
        return false;
    if (issuer == NULL)
        return true;
    return X509_pubkey_digest(issuer, md, digest, &len) == 1 &&
           (int)len == ASN1_STRING_length(key) &&
           memcmp(digest, ASN1_STRING_get0_data(key), len) == 0;
}

static OCSP_SINGLERESP *find_answer(OCSP_BASICRESP *basic, const X509 *leaf, const X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *answer = OCSP_resp_get0(basic, i);
        if (is_about(answer, leaf, issuer))
            return answer;
    }
    return NULL;
}

static bool is_signed_by(X509 *certificate, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    return key != NULL && X509_check_issued(issuer, certificate) == X509_V_OK &&
           X509_verify(certificate, key) == 1;
}

/* RFC 6960 4.2.2.2: the issuer itself, or one with its certificate for this purpose. */
static bool may_sign(X509 *signer, X509 *issuer, int64_t time_ns)
{
    EVP_PKEY *key = X509_get0_pubkey(signer);
    if (key != NULL && EVP_PKEY_eq(key, X509_get0_pubkey(issuer)) == 1)
        return true;
    time_t now = (time_t)(time_ns / 1000000000LL);
    return is_signed_by(signer, issuer) &&
           (X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) != 0 &&
           (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) != 0 &&
           X509_cmp_time(X509_get0_notBefore(signer), &now) <= 0 &&
           X509_cmp_time(X509_get0_notAfter(signer), &now) >= 0;
}

/* SM2 signatures need an id that nobody can hand to OpenSSL here. */
static bool can_check(const OCSP_BASICRESP *basic)
{
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
    return OBJ_obj2nid(object) != NID_SM2_with_SM3;
}

static uint8_t check_signature(OCSP_BASICRESP *basic, X509 *issuer, int64_t time_ns,
                               bool *is_verified)
{
    X509 *signer = NULL;
    STACK_OF(X509) *known = sk_X509_new_null();
    uint8_t fault = STAPLE_FINE;
    *is_verified = false;
    if (known == NULL || sk_X509_push(known, issuer) == 0) {
        sk_X509_free(known);
        return STAPLE_FINE;
    }
    if (OCSP_resp_get0_signer(basic, &signer, known) != 1 || signer == NULL)
        fault = STAPLE_UNAUTHORIZED;
    else if (OCSP_basic_verify(basic, known, NULL, OCSP_NOVERIFY) != 1)
        fault = STAPLE_FORGED;
    else if (!may_sign(signer, issuer, time_ns))
        fault = STAPLE_UNAUTHORIZED;
    *is_verified = fault == STAPLE_FINE;
    sk_X509_free(known);
    return fault;
}

enum staple_fault staple_fault_at(const struct staple_verdict *v, int64_t time_ns)
{
    if (v->fault != STAPLE_FINE)
        return (enum staple_fault)v->fault;
    if (v->this_update_ns >= 0 && time_ns + SKEW_NS < v->this_update_ns)
        return STAPLE_EARLY;
    if (v->next_update_ns >= 0 && time_ns - SKEW_NS > v->next_update_ns)
        return STAPLE_STALE;
    return STAPLE_FINE;
}

static void judge_basic(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer, int64_t time_ns,
                        struct staple_verdict *out)
{
    ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *until = NULL;
    int reason = -1;
    OCSP_SINGLERESP *answer = find_answer(basic, leaf, issuer);
    if (answer == NULL) {
        out->fault = STAPLE_FOREIGN;
        return;
    }
    int status = OCSP_single_get0_status(answer, &reason, &revoked, &from, &until);
    out->status = status == V_OCSP_CERTSTATUS_GOOD      ? STAPLE_GOOD
                  : status == V_OCSP_CERTSTATUS_REVOKED ? STAPLE_REVOKED
                                                        : STAPLE_UNKNOWN;
    out->this_update_ns = ns_of(from);
    out->next_update_ns = ns_of(until);
    if (issuer != NULL && can_check(basic))
        out->fault = check_signature(basic, issuer, time_ns, &out->is_verified);
}

/* Of all that is known the one whose key signed it. */
static X509 *find_issuer(const struct chain_verifier *v, X509 *leaf,
                         const struct certificate_record *const *sent, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        X509 *one = sent[i]->der != NULL ? trust_parse(sent[i]->der, (size_t)sent[i]->der_len) : NULL;
        if (one != NULL && is_signed_by(leaf, one))
            return one;
        X509_free(one);
    }
    for (size_t i = 0; i < v->learnt_count; i++) {
        X509 *one = v->learnt[i].certificate;
        if (is_signed_by(leaf, one) && X509_up_ref(one) == 1)
            return one;
    }
    for (size_t i = 0; v->store != NULL && i < v->store->count; i++) {
        X509 *one = v->store->items[i];
        if (is_signed_by(leaf, one) && X509_up_ref(one) == 1)
            return one;
    }
    return is_signed_by(leaf, leaf) && X509_up_ref(leaf) == 1 ? leaf : NULL;
}

void staple_verify(const struct chain_verifier *verifier, const struct staple_record *staple,
                   const struct certificate_record *const *sent, size_t count, int64_t time_ns,
                   struct staple_verdict *out)
{
    const unsigned char *at = staple->der;
    *out = (struct staple_verdict){.this_update_ns = -1, .next_update_ns = -1};
    X509 *leaf = count > 0 && sent[0]->der != NULL
                     ? trust_parse(sent[0]->der, (size_t)sent[0]->der_len)
                     : NULL;
    if (leaf == NULL)
        return;
    OCSP_RESPONSE *response =
        at != NULL ? d2i_OCSP_RESPONSE(NULL, &at, (long)staple->der_len) : NULL;
    OCSP_BASICRESP *basic = NULL;
    if (response == NULL)
        out->fault = STAPLE_UNREADABLE;
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        out->fault = STAPLE_FAILED;
    else if ((basic = OCSP_response_get1_basic(response)) == NULL)
        out->fault = STAPLE_UNREADABLE;
    if (basic != NULL) {
        X509 *issuer = find_issuer(verifier, leaf, sent, count);
        judge_basic(basic, leaf, issuer, time_ns, out);
        X509_free(issuer);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    X509_free(leaf);
    ERR_clear_error();
}
