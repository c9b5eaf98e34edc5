/* TLCP: the server sends a signing and an encryption certificate (GB/T 38636 6.4.5.3). Do they make a pair? */
#include "diagnosis/site/chains.h"

#include <string.h>

#define VERSION_TLCP 0x0101
/* Suites of SM9: an identity and parameters stand where the certificates of the others are. */
#define IS_IDENTITY_SUITE(cipher)                                                                  \
    ((cipher) == 0xe015 || (cipher) == 0xe055 || (cipher) == 0xe017 || (cipher) == 0xe057)
#define IS_RSA_SUITE(cipher)                                                                       \
    ((cipher) == 0xe019 || (cipher) == 0xe059 || (cipher) == 0xe01c || (cipher) == 0xe05a)

/* A certificate without key usages may be used for all (RFC 5280 4.2.1.3). */
static bool may(const struct certificate_record *c, const char *usage)
{
    return c->key_usage == NULL || strstr(c->key_usage, usage) != NULL;
}

static bool may_encrypt(const struct certificate_record *c)
{
    return may(c, "keyEncipherment") || may(c, "dataEncipherment") || may(c, "keyAgreement");
}

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static const char *usage_fault(const struct certificate_record *sign,
                               const struct certificate_record *enc)
{
    if (!may(sign, "digitalSignature") && may_encrypt(sign) && !may_encrypt(enc) &&
        may(enc, "digitalSignature"))
        return "signing and encryption certificate are swapped";
    if (!may(sign, "digitalSignature"))
        return "the signing certificate may not sign";
    if (!may_encrypt(enc))
        return "the encryption certificate may not encrypt";
    return NULL;
}

static const char *key_fault(const struct certificate_record *c, uint16_t cipher)
{
    const char *wanted = IS_RSA_SUITE(cipher) ? "RSA" : "SM2";
    return c->key_type == NULL || strncmp(c->key_type, wanted, 3) != 0
               ? "a key does not fit the suite"
               : NULL;
}

static const char *pair_fault(const struct certificate_record *sign,
                              const struct certificate_record *enc, uint16_t cipher, int64_t now)
{
    const char *fault = NULL;
    if (strcmp(sign->sha256, enc->sha256) == 0)
        return "the same certificate was sent twice";
    if (!is_same(sign->subject, enc->subject))
        return "signing and encryption certificate are of different subjects";
    if ((fault = usage_fault(sign, enc)) != NULL || (fault = key_fault(sign, cipher)) != NULL ||
        (fault = key_fault(enc, cipher)) != NULL)
        return fault;
    if (!is_same(sign->issuer, enc->issuer))
        return "signing and encryption certificate are of different issuers";
    if (enc->not_after_ns > enc->not_before_ns && now > enc->not_after_ns)
        return "the encryption certificate has expired";
    return enc->not_after_ns > enc->not_before_ns && now < enc->not_before_ns
               ? "the encryption certificate is not valid yet"
               : NULL;
}

static const char *fault_of(const struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    const struct certificate_record *sign = site_find_certificate(judge->site, t->chain[0]);
    const struct certificate_record *enc =
        t->chain_count > 1 ? site_find_certificate(judge->site, t->chain[1]) : NULL;
    if (sign == NULL || sign->parse_error != NULL)
        return NULL;
    if (t->chain_count == 1 || (enc != NULL && enc->is_ca && !sign->is_ca))
        return "only one certificate was sent";
    if (enc == NULL || enc->parse_error != NULL)
        return NULL;
    return pair_fault(sign, enc, t->cipher, flow_handshake_ns(flow));
}

/* What the signature over the key exchange shows; NULL: nothing wrong, or not checked. */
static const char *signature_fault(const struct tls_facts *t)
{
    static const char *const words[] = {
        [TLS_SIGNATURE_OTHER_CERTIFICATE] = "the key exchange is signed over the signing certificate",
        [TLS_SIGNATURE_OTHER_KEY] = "the key exchange is signed with the encryption key",
        [TLS_SIGNATURE_OTHER_FORM] = "the key exchange is signed in another form than the standard's",
        [TLS_SIGNATURE_WRONG] = "the signature over the key exchange is wrong",
    };
    size_t count = sizeof words / sizeof words[0];
    const char *fault = t->key_signature < count ? words[t->key_signature] : NULL;
    /* A client that goes on takes the other way for right: both ends agree. */
    return t->established && t->key_signature != TLS_SIGNATURE_WRONG ? NULL : fault;
}

/* Whether the client went away, or complained, right behind the server's flight. */
static bool is_refused(const struct tls_facts *t)
{
    return t->alert >= 0 && t->alert_by == SIDE_CLIENT;
}

/* A client that goes on may sign under another identity than the usual one; or does not check. */
static uint8_t signature_confidence(const struct tls_facts *t)
{
    if (t->established)
        return 45;
    return is_refused(t) ? 85 : 70;
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        const struct tls_facts *t = flow->f.tls;
        bool is_pair = t != NULL && t->version == VERSION_TLCP && t->chain_count > 0 &&
                       t->certificate_count == t->chain_count && !IS_IDENTITY_SUITE(t->cipher);
        const char *fault = is_pair ? fault_of(judge, flow) : NULL;
        bool of_signature = is_pair && fault == NULL;
        if (of_signature)
            fault = signature_fault(t);
        if (fault == NULL)
            continue;
        struct claim claim = claim_start(FINDING_CERT_TLCP_PAIR, flow);
        claim.confidence = of_signature ? signature_confidence(t) : t->established ? 80 : 90;
        claim_add_text(&claim, "fault", fault);
        claim_add_reference(&claim, flow->f.source_id, t->server_hello_frame,
                            flow_handshake_ns(flow), EVENT_SERVER_HELLO);
        claim.evidence = EVIDENCE(EVENT_CERTIFICATE) | EVIDENCE(EVENT_ALERT);
        judge_claim(judge, &claim);
    }
}

const struct detector detector_tlcp = {"tlcp", detect};
