/* Certificates that servers sent, judged at the time of their handshake. */
#include "diagnosis/site/chains.h"
#include "trust/name_match.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_NS (86400LL * FACTS_SECOND)
/* FINDINGS.md cert-expiring: whichever is shorter, the days or the part of the lifetime. */
#define EXPIRING_LOW_DAYS 30
#define EXPIRING_HIGH_DAYS 7
#define EXPIRING_CRITICAL_DAYS 3
#define CHAIN_LONG 4
/* TLCP sends the signing and the encryption certificate (GB/T 38636 6.4.5.3). */
#define CHAIN_LONG_TLCP 5
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 224
#define RSA_EXPONENT_MIN 65537
#define VERSION_TLCP 0x0101
/* Name matches remembered: a busy service shows the same pair again and again. */
#define MATCH_SLOTS 256u

struct match {
    int64_t certificate_id;
    const char *name;
    bool matches;
};

struct matches {
    struct match slots[MATCH_SLOTS];
};

static bool matches(struct matches *memo, const char *name,
                    const struct certificate_record *certificate)
{
    size_t at = (size_t)((uint64_t)certificate->id * 31u + (uint64_t)strlen(name)) % MATCH_SLOTS;
    struct match *slot = &memo->slots[at];
    if (slot->name != NULL && slot->certificate_id == certificate->id &&
        strcmp(slot->name, name) == 0)
        return slot->matches;
    *slot = (struct match){certificate->id, name, name_matches_certificate(name, certificate)};
    return slot->matches;
}

static const char *date_text(struct judge *judge, int64_t ns)
{
    time_t seconds = (time_t)(ns / FACTS_SECOND);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return "unknown";
    return arena_format(&judge->site->arena, "%s", text);
}

static struct claim start(enum finding_code code, const struct site_flow *flow,
                          const struct certificate_record *c)
{
    struct claim claim = claim_start(code, flow);
    const struct tls_facts *t = flow->f.tls;
    claim.confidence = 95;
    claim_add_reference(&claim, flow->f.source_id, t->server_hello_frame, flow_handshake_ns(flow),
                        EVENT_SERVER_HELLO);
    claim.evidence = EVIDENCE(EVENT_CERTIFICATE) | EVIDENCE(EVENT_ALERT);
    if (c != NULL && code != FINDING_CERT_NAME_MISMATCH)
        claim_add_text(&claim, "subject",
                       c->subject_cn != NULL && c->subject_cn[0] != '\0' ? c->subject_cn
                       : c->subject != NULL                              ? c->subject
                                                                         : "unknown");
    return claim;
}

/* ---- dates ----------------------------------------------------------------------------------- */

/* The severity that so little time left has, SEVERITY_COUNT when there is enough. */
static enum severity expiring_severity(int64_t left_ns, int64_t lifetime_ns)
{
    static const struct {
        int64_t days, part;
        enum severity severity;
    } steps[] = {{EXPIRING_CRITICAL_DAYS, 30, SEVERITY_CRITICAL},
                 {EXPIRING_HIGH_DAYS, 10, SEVERITY_HIGH},
                 {EXPIRING_LOW_DAYS, 3, SEVERITY_LOW}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int64_t limit = steps[i].days * DAY_NS, part = lifetime_ns / steps[i].part;
        if (left_ns < (part < limit ? part : limit))
            return steps[i].severity;
    }
    return SEVERITY_COUNT;
}

/* 2001-01-01: a device whose clock was never set starts at 1970 or 2000. */
#define CLOCK_UNSET_NS (978307200LL * FACTS_SECOND)

/* A client that went on found the certificate valid by its own clock: the capture's may be wrong.
 * So may it be when nothing shows what the client did. */
static bool is_date_refused(const struct site_flow *flow)
{
    return facts_refused_handshake(&flow->f);
}

/* Nobody refused the certificate and somebody's clock has it valid: the capture's may be wrong. */
static void claim_not_yet(struct judge *judge, const struct site_flow *flow,
                          const struct certificate_record *c, int64_t now)
{
    int64_t skew = judge_skew_ns(judge, &flow->server->address);
    struct claim claim = start(FINDING_CERT_NOT_YET_VALID, flow, c);
    bool is_valid_there = skew > 0 && now + skew >= c->not_before_ns;
    claim_add_text(&claim, "not_before", date_text(judge, c->not_before_ns));
    if (is_valid_there)
        claim_add_ms(&claim, "clock_ms", skew);
    claim.confidence = 95;
    if (!is_date_refused(flow)) {
        claim.confidence = 60;
        if (is_valid_there ||
            (judge->clock.ahead_ns > 0 && now + judge->clock.ahead_ns >= c->not_before_ns)) {
            claim.severity = SEVERITY_LOW;
            claim.culprit = CULPRIT_UNKNOWN;
        }
    }
    judge_claim(judge, &claim);
}

static void judge_dates(struct judge *judge, const struct site_flow *flow,
                        const struct certificate_record *c)
{
    int64_t now = clock_correct(&judge->clock, flow_handshake_ns(flow));
    struct claim claim;
    if (c->not_after_ns <= c->not_before_ns || now < CLOCK_UNSET_NS)
        return;
    if (now > c->not_after_ns) {
        claim = start(FINDING_CERT_EXPIRED, flow, c);
        claim_add_text(&claim, "not_after", date_text(judge, c->not_after_ns));
        claim_add_number(&claim, "days", (double)(now - c->not_after_ns) / (double)DAY_NS);
        claim.confidence = is_date_refused(flow) ? 95 : 90;
        judge_claim(judge, &claim);
    } else if (now < c->not_before_ns) {
        claim_not_yet(judge, flow, c, now);
    } else {
        enum severity severity =
            expiring_severity(c->not_after_ns - now, c->not_after_ns - c->not_before_ns);
        if (severity == SEVERITY_COUNT)
            return;
        claim = start(FINDING_CERT_EXPIRING, flow, c);
        claim.severity = (uint8_t)severity;
        claim_add_text(&claim, "not_after", date_text(judge, c->not_after_ns));
        claim_add_number(&claim, "days", (double)(c->not_after_ns - now) / (double)DAY_NS);
        judge_claim(judge, &claim);
    }
}

/* ---- names and trust ------------------------------------------------------------------------- */

static bool is_trusted(const struct judge *judge, const struct certificate_record *c)
{
    for (size_t i = 0; judge->profile != NULL && i < judge->profile->trusted_issuer_count; i++) {
        if (strcmp(judge->profile->trusted_issuers[i], c->sha256) == 0)
            return true;
    }
    return false;
}

/* A client that refused the certificate confirms what is wrong with it. */
static bool was_refused(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return !t->established && t->alert > 0 && t->alert_by == SIDE_CLIENT;
}

static void claim_mismatch(struct judge *judge, const struct site_flow *flow,
                           const struct certificate_record *c, const char *expected)
{
    struct claim claim = start(FINDING_CERT_NAME_MISMATCH, flow, c);
    claim.confidence = was_refused(flow) ? 95 : 80;
    claim_add_text(&claim, "expected_name", expected);
    claim_add_text(&claim, "names",
                   c->san != NULL && c->san[0] != '\0' ? c->san
                   : c->subject_cn != NULL             ? c->subject_cn
                                                       : "none");
    judge_claim(judge, &claim);
}

/* Addresses and local names ("printer", "x.local") are no names that anybody certifies: clients
 * that use them check something else, or nothing. */
static bool is_public_name(const char *name)
{
    struct address address;
    const char *dot = strrchr(name, '.');
    if (address_from_text(name, &address) || dot == NULL)
        return false;
    static const char *const local[] = {".local", ".localdomain", ".localhost", ".lan"};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if (strcmp(dot, local[i]) == 0)
            return false;
    }
    return true;
}

/* Without SNI the profile's names of the service are what the client may have asked for. */
static void judge_name(struct judge *judge, struct matches *memo, const struct site_flow *flow,
                       const struct certificate_record *c)
{
    const char *sni = flow->f.tls->sni;
    if (sni != NULL && sni[0] != '\0') {
        if ((is_public_name(sni) || was_refused(flow)) && !matches(memo, sni, c))
            claim_mismatch(judge, flow, c, sni);
        return;
    }
    const struct profile_service *service = judge_profile_service(judge, flow);
    if (service == NULL || service->name_count == 0)
        return;
    for (size_t i = 0; i < service->name_count; i++) {
        if (matches(memo, service->names[i], c))
            return;
    }
    claim_mismatch(judge, flow, c, service->names[0]);
}

static const char *weakness_of(const struct certificate_record *c)
{
    const char *key = c->key_type != NULL ? c->key_type : "";
    const char *signature = c->signature != NULL ? c->signature : "";
    if (strncmp(key, "RSA", 3) == 0 && c->key_bits > 0 && c->key_bits < RSA_BITS_MIN)
        return "RSA key shorter than 2048 bits";
    if (strcmp(key, "EC") == 0 && c->key_bits > 0 && c->key_bits < EC_BITS_MIN)
        return "EC key shorter than 224 bits";
    if (c->rsa_exponent > 0 && c->rsa_exponent < RSA_EXPONENT_MIN)
        return "RSA exponent below 65537";
    if (c->self_signed)
        return NULL; /* nobody relies on the signature of a root */
    if (strstr(signature, "md5") != NULL || strstr(signature, "MD5") != NULL)
        return "MD5 signature";
    if (strstr(signature, "sha1") != NULL || strstr(signature, "SHA1") != NULL)
        return "SHA-1 signature";
    return NULL;
}

static void judge_chain(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    uint32_t most = t->version == VERSION_TLCP ? CHAIN_LONG_TLCP : CHAIN_LONG;
    uint32_t count = t->certificate_count > t->chain_count ? t->certificate_count : t->chain_count;
    if (count > most) {
        struct claim claim = start(FINDING_CERT_CHAIN_LONG, flow, NULL);
        claim_add_number(&claim, "certificates", count);
        judge_claim(judge, &claim);
    }
    for (uint32_t i = 0; i < t->chain_count; i++) {
        const struct certificate_record *c = site_find_certificate(judge->site, t->chain[i]);
        if (i > 0 && c != NULL && c->self_signed)
            continue; /* a root sent along: clients rely on their own copy */
        const char *weakness = c != NULL && c->parse_error == NULL ? weakness_of(c) : NULL;
        if (weakness == NULL)
            continue;
        struct claim claim = start(FINDING_CERT_WEAK, flow, c);
        claim_add_text(&claim, "weakness", weakness);
        judge_claim(judge, &claim);
        return; /* the first one of the chain names the fault */
    }
}

/* ---- the way to a root ----------------------------------------------------------------------- */

#define ALERT_UNKNOWN_CA 48

static bool refused_the_authority(const struct site_flow *flow)
{
    return was_refused(flow) && flow->f.tls->alert == ALERT_UNKNOWN_CA;
}

/* What was judged with the help of others is said. */
static void add_learnt(const struct site_flow *flow, struct claim *claim)
{
    if (flow->chain->verdict.learnt > 0)
        claim_add_number(claim, "learnt", flow->chain->verdict.learnt);
}

static void claim_incomplete(struct judge *judge, const struct site_flow *flow,
                             const struct certificate_record *leaf, uint8_t confidence)
{
    struct claim claim = start(FINDING_CERT_CHAIN_INCOMPLETE, flow, NULL);
    claim.confidence = confidence;
    claim_add_number(&claim, "certificates", flow->f.tls->chain_count);
    claim_add_text(&claim, "issuer", leaf->issuer);
    add_learnt(flow, &claim);
    judge_claim(judge, &claim);
}

static void claim_untrusted(struct judge *judge, const struct site_flow *flow,
                            const struct certificate_record *leaf, const char *reason,
                            uint8_t confidence)
{
    struct claim claim = start(FINDING_CERT_UNTRUSTED, flow, leaf);
    claim.confidence = confidence;
    claim_add_text(&claim, "issuer", leaf->issuer);
    claim_add_text(&claim, "reason", reason);
    add_learnt(flow, &claim);
    judge_claim(judge, &claim);
}

/* FINDINGS.md cert-untrusted, cert-chain-incomplete: without a named store only what the client
 * itself refused counts against the issuer. */
static void judge_trust(struct judge *judge, const struct site_flow *flow,
                        const struct certificate_record *leaf)
{
    const struct chain_verdict *v = &flow->chain->verdict;
    bool refused = refused_the_authority(flow);
    if (is_trusted(judge, leaf) && !refused)
        return;
    if (v->lacks_intermediate) {
        if (!judge_is_withdrawn(judge, FINDING_CERT_CHAIN_INCOMPLETE, flow))
            claim_incomplete(judge, flow, leaf, v->status == CHAIN_INCOMPLETE || refused ? 95 : 75);
        return;
    }
    if (v->status == CHAIN_UNTRUSTED) {
        claim_untrusted(judge, flow, leaf, v->reason, 95);
        return;
    }
    if (!refused || v->status == CHAIN_VERIFIED || leaf->self_signed)
        return;
    claim_untrusted(judge, flow, leaf, "the client does not know its issuer", 85);
}

static void judge_leaf(struct judge *judge, struct matches *memo, const struct site_flow *flow)
{
    const struct certificate_record *leaf =
        site_find_certificate(judge->site, flow->f.tls->chain[0]);
    if (leaf == NULL || leaf->parse_error != NULL)
        return;
    judge_dates(judge, flow, leaf);
    judge_name(judge, memo, flow, leaf);
    if (flow->chain != NULL)
        judge_trust(judge, flow, leaf);
    if (leaf->self_signed && !is_trusted(judge, leaf) &&
        (flow->chain == NULL || flow->chain->verdict.status != CHAIN_VERIFIED)) {
        struct claim claim = start(FINDING_CERT_SELF_SIGNED, flow, leaf);
        judge_claim(judge, &claim);
    }
}

static void detect(struct judge *judge)
{
    struct matches memo = {0};
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        if (flow->f.tls == NULL || flow->f.tls->chain_count == 0)
            continue;
        judge_leaf(judge, &memo, flow);
        judge_chain(judge, flow);
    }
}

const struct detector detector_certificates = {"certificates", detect};
