/* OCSP responses (RFC 6960 4.2.1): what they say, not whether they may. */
#include "core/digest.h"
#include "dissectors/x509.h"
#include "dissectors/x509_extensions.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <string.h>
#include <time.h>

static int64_t time_of(const ASN1_GENERALIZEDTIME *time)
{
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1)
        return RECORD_NONE_NS;
    int64_t seconds = timegm(&parts);
    return seconds < 0 || seconds > INT64_MAX / 1000000000 ? RECORD_NONE_NS : seconds * 1000000000;
}

static const char *hex_text(struct intern *strings, const uint8_t *bytes, int len)
{
    char text[129];
    if (len <= 0 || len > 64)
        return NULL;
    hex_from_bytes(bytes, (size_t)len, text);
    return intern_text(strings, text);
}

static const char *serial_text(struct intern *strings, const ASN1_INTEGER *number)
{
    BIGNUM *bn = number != NULL ? ASN1_INTEGER_to_BN(number, NULL) : NULL;
    char *hex = bn != NULL ? BN_bn2hex(bn) : NULL;
    for (char *c = hex; c != NULL && *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
    const char *text = hex != NULL ? intern_text(strings, hex) : NULL;
    OPENSSL_free(hex);
    BN_free(bn);
    return text;
}

static const char *responder_text(struct intern *strings, const OCSP_BASICRESP *basic)
{
    const ASN1_OCTET_STRING *key = NULL;
    const X509_NAME *name = NULL;
    char text[256];
    if (OCSP_resp_get0_id(basic, &key, &name) != 1)
        return NULL;
    if (key != NULL)
        return hex_text(strings, ASN1_STRING_get0_data(key), ASN1_STRING_length(key));
    if (name == NULL || X509_NAME_oneline(name, text, sizeof text) == NULL)
        return NULL;
    return intern_text(strings, text);
}

static void read_answer(struct intern *strings, OCSP_SINGLERESP *answer, struct staple_record *out)
{
    ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *until = NULL;
    ASN1_INTEGER *serial = NULL;
    int reason = -1;
    int status = OCSP_single_get0_status(answer, &reason, &revoked, &from, &until);
    out->status = status == V_OCSP_CERTSTATUS_GOOD      ? STAPLE_GOOD
                  : status == V_OCSP_CERTSTATUS_REVOKED ? STAPLE_REVOKED
                                                        : STAPLE_UNKNOWN;
    out->this_update_ns = time_of(from);
    out->next_update_ns = time_of(until);
    if (out->status == STAPLE_REVOKED) {
        out->revoked_ns = time_of(revoked);
        out->reason = reason >= 0 ? intern_text(strings, OCSP_crl_reason_str(reason)) : NULL;
    }
    (void)OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                            (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(answer));
    out->serial = serial_text(strings, serial);
    int place = OCSP_SINGLERESP_get_ext_by_NID(answer, NID_ct_cert_scts, -1);
    out->sct_logs =
        x509_sct_logs(OCSP_SINGLERESP_get_ext(answer, place), strings, &out->sct_count);
}

static void read_basic(struct intern *strings, OCSP_BASICRESP *basic, struct staple_record *out)
{
    char algorithm[128];
    const ASN1_OBJECT *object = NULL;
    int count = OCSP_resp_count(basic);
    out->answers = count > 0 ? (uint32_t)count : 0;
    out->produced_ns = time_of(OCSP_resp_get0_produced_at(basic));
    out->responder = responder_text(strings, basic);
    X509_ALGOR_get0(&object, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
    OBJ_obj2txt(algorithm, sizeof algorithm, object, 0);
    out->signature = intern_text(strings, algorithm);
    if (count > 0)
        read_answer(strings, OCSP_resp_get0(basic, 0), out);
}

void staple_parse(struct intern *strings, const uint8_t *der, size_t len,
                  struct staple_record *out)
{
    uint8_t digest[32];
    const unsigned char *at = der;
    *out = (struct staple_record){.der = der, .der_len = (int64_t)len, .response = -1,
                                  .this_update_ns = RECORD_NONE_NS,
                                  .next_update_ns = RECORD_NONE_NS,
                                  .revoked_ns = RECORD_NONE_NS, .produced_ns = RECORD_NONE_NS};
    digest_sha256(der, len, digest);
    hex_from_bytes(digest, sizeof digest, out->sha256);
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL) {
        out->response = (int16_t)OCSP_response_status(response);
        if (out->response == OCSP_RESPONSE_STATUS_SUCCESSFUL)
            basic = OCSP_response_get1_basic(response);
    }
    if (response == NULL || at != der + len)
        out->parse_error = "not an OCSP response";
    else if (out->response == OCSP_RESPONSE_STATUS_SUCCESSFUL && basic == NULL)
        out->parse_error = "not a basic OCSP response";
    if (basic != NULL)
        read_basic(strings, basic, out);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
}
