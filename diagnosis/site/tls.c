/* What was negotiated: versions, suites, key exchange. */
#include "diagnosis/site/judge.h"

#include <string.h>

#define VERSION_SSL2 0x0002
#define VERSION_SSL3 0x0300
#define VERSION_TLS_11 0x0302
#define VERSION_TLS_12 0x0303
#define VERSION_TLS_13 0x0304
#define VERSION_TLCP 0x0101
/* A ClientHello above one Ethernet segment. */
#define LARGE_HELLO_BYTES 1400u

static bool has(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

static const char *version_word(uint16_t version)
{
    switch (version) {
    case VERSION_SSL2:
        return "SSL 2.0";
    case VERSION_SSL3:
        return "SSL 3.0";
    case 0x0301:
        return "TLS 1.0";
    case VERSION_TLS_11:
        return "TLS 1.1";
    default:
        return NULL;
    }
}

/* RFC 8446 appendix B.4, RFC 9325 4.1: what nobody should negotiate. */
static bool is_weak(const char *cipher)
{
    static const char *const words[] = {"_NULL_", "EXPORT", "RC4",   "_DES_",
                                        "3DES",   "DES40",  "_anon_"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (has(cipher, words[i]))
            return true;
    }
    return false;
}

/* RFC 9325 4.1; GB/T 38636: ECC is static key transport, ECDHE is not. */
static bool lacks_forward_secrecy(const struct tls_facts *t)
{
    const char *c = t->cipher_name;
    if (t->version == VERSION_TLCP)
        return has(c, "ECC_") || (has(c, "RSA_") && !has(c, "ECDHE"));
    if (t->version < VERSION_SSL3 || t->version > VERSION_TLS_12 || has(c, "_anon_"))
        return false;
    return has(c, "TLS_RSA_") || has(c, "TLS_DH_") || has(c, "TLS_ECDH_");
}

static struct claim start(enum finding_code code, const struct site_flow *flow)
{
    struct claim claim = claim_start(code, flow);
    const struct tls_facts *t = flow->f.tls;
    claim.confidence = 95;
    if (t->server_hello_ns >= 0)
        claim_add_reference(&claim, flow->f.source_id, t->server_hello_frame, t->server_hello_ns,
                            EVENT_SERVER_HELLO);
    else
        claim_add_reference(&claim, flow->f.source_id, t->client_hello_frame, t->client_hello_ns,
                            EVENT_CLIENT_HELLO);
    return claim;
}

static void find_negotiated(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    struct claim claim;
    if (version_word(t->version) != NULL) {
        claim = start(FINDING_TLS_WEAK_VERSION, flow);
        claim.weight = VERSION_TLS_12 - t->version;
        claim_add_text(&claim, "version", version_word(t->version));
        judge_claim(judge, &claim);
    }
    if (t->cipher_name == NULL || t->version == VERSION_TLS_13)
        return;
    if (t->version == VERSION_TLCP) {
        claim = start(FINDING_TLS_TLCP, flow);
        claim_add_text(&claim, "cipher", t->cipher_name);
        judge_claim(judge, &claim);
    }
    if (is_weak(t->cipher_name)) {
        claim = start(FINDING_TLS_WEAK_CIPHER, flow);
        claim_add_text(&claim, "cipher", t->cipher_name);
        judge_claim(judge, &claim);
    }
    if (lacks_forward_secrecy(t)) {
        claim = start(FINDING_TLS_NO_FORWARD_SECRECY, flow);
        claim_add_text(&claim, "cipher", t->cipher_name);
        judge_claim(judge, &claim);
    }
}

/* RFC 8446 4.2.7, draft-ietf-tls-ecdhe-mlkem, GB/T 38636. */
static const char *group_word(struct judge *judge, uint16_t group)
{
    static const struct {
        uint16_t number;
        const char *name;
    } groups[] = {{23, "secp256r1"},
                  {24, "secp384r1"},
                  {25, "secp521r1"},
                  {29, "x25519"},
                  {30, "x448"},
                  {41, "curveSM2"},
                  {4587, "SecP256r1MLKEM768"},
                  {4588, "X25519MLKEM768"},
                  {4589, "SecP384r1MLKEM1024"}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (groups[i].number == group)
            return groups[i].name;
    }
    return group != 0 ? arena_format(&judge->site->arena, "%u", group) : "unknown";
}

static void find_hello(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    if (t->hello_retry) {
        struct claim claim = start(FINDING_TLS_HELLO_RETRY, flow);
        claim_add_text(&claim, "group", group_word(judge, t->group));
        judge_claim(judge, &claim);
    }
    if (t->client_hello_segments > 1 && t->client_hello_bytes > LARGE_HELLO_BYTES) {
        struct claim claim = start(FINDING_TLS_LARGE_HELLO, flow);
        claim.weight = t->client_hello_bytes;
        claim_add_number(&claim, "hello_bytes", t->client_hello_bytes);
        claim_add_number(&claim, "segments", t->client_hello_segments);
        judge_claim(judge, &claim);
    }
}

/* More of them than any reason asks for. */
#define RENEGOTIATIONS_MANY 3

static void find_renegotiation(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    bool insecure = t->server_hello_ns >= 0 && !t->secure_renegotiation;
    if (t->renegotiations == 0 || (!insecure && t->renegotiations <= RENEGOTIATIONS_MANY))
        return;
    struct claim claim = start(FINDING_TLS_RENEGOTIATION, flow);
    claim_add_number(&claim, "times", t->renegotiations);
    judge_claim(judge, &claim);
}

/* A hello without a name where others name several: which certificate it gets is chance. */
static void find_missing_name(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    bool can_name = t->version_offered > VERSION_SSL3 && t->versions_offered != NULL;
    if (t->sni != NULL || !can_name || flow->service->name_count < 2)
        return;
    struct claim claim = start(FINDING_TLS_SNI_MISSING, flow);
    judge_claim(judge, &claim);
}

/* Readable up to TLS 1.2 only, where the certificate came whole. */
static void find_no_staple(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    bool readable = t->version > VERSION_SSL3 && t->version <= VERSION_TLS_12 && t->established &&
                    !t->resumed && t->certificate_count > 0 && !facts_is_blurred(&flow->f);
    if (!readable || !t->staple_asked || t->staple_sent)
        return;
    const struct certificate_record *leaf =
        t->chain_count > 0 ? site_find_certificate(judge->site, t->chain[0]) : NULL;
    if (leaf == NULL || leaf->self_signed)
        return; /* nobody answers for it */
    struct claim claim = start(FINDING_TLS_NO_OCSP_STAPLE, flow);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        const struct tls_facts *t = flow->f.tls;
        if (t == NULL)
            continue;
        if (t->version != 0)
            find_negotiated(judge, flow);
        if (t->client_hello_ns >= 0) {
            find_hello(judge, flow);
            find_missing_name(judge, flow);
            find_no_staple(judge, flow);
        }
        find_renegotiation(judge, flow);
    }
}

const struct detector detector_tls = {"tls", detect};
