#include "diagnosis/site/staples.h"

#include "diagnosis/site/chains.h"
#include "trust/staple.h"

#include <time.h>

/* Verdicts remembered: a server staples the same response again and again. */
#define MEMO_SLOTS 256u
#define SENT_MOST 16

struct memo {
    int64_t staple_id, leaf_id;
    struct staple_verdict verdict;
};

static const struct staple_verdict *verdict_of(const struct judge *judge,
                                               const struct chain_verifier *verifier,
                                               const struct site_flow *flow,
                                               const struct staple_record *staple,
                                               struct memo *memo)
{
    const struct tls_facts *t = flow->f.tls;
    const struct certificate_record *sent[SENT_MOST];
    struct memo *slot = &memo[(uint64_t)(t->staple_id * 31 + t->chain[0]) % MEMO_SLOTS];
    size_t count = 0;
    if (slot->staple_id == t->staple_id && slot->leaf_id == t->chain[0])
        return &slot->verdict;
    for (uint32_t i = 0; i < t->chain_count && count < SENT_MOST; i++) {
        const struct certificate_record *c = site_find_certificate(judge->site, t->chain[i]);
        if (c == NULL && i == 0)
            return NULL;
        if (c != NULL)
            sent[count++] = c;
    }
    *slot = (struct memo){.staple_id = t->staple_id, .leaf_id = t->chain[0]};
    staple_verify(verifier, staple, sent, count, flow_handshake_ns(flow), &slot->verdict);
    return &slot->verdict;
}

static const char *day_text(struct judge *judge, int64_t ns)
{
    time_t seconds = (time_t)(ns / FACTS_SECOND);
    struct tm parts;
    char text[32];
    if (ns < 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return NULL;
    return arena_format(&judge->site->arena, "%s", text);
}

static struct claim start(enum finding_code code, const struct site_flow *flow)
{
    struct claim claim = claim_start(code, flow);
    claim_add_reference(&claim, flow->f.source_id, flow->f.tls->server_hello_frame,
                        flow_handshake_ns(flow), EVENT_SERVER_HELLO);
    claim.evidence = EVIDENCE(EVENT_CERTIFICATE) | EVIDENCE(EVENT_ALERT);
    return claim;
}

/* Without its issuer at hand the signature was not checked: anybody on the way could have written it. */
#define UNVERIFIED 60

static void claim_revoked(struct judge *judge, const struct site_flow *flow,
                          const struct staple_record *staple, const struct staple_verdict *v)
{
    const struct certificate_record *leaf =
        site_find_certificate(judge->site, flow->f.tls->chain[0]);
    struct claim claim = start(FINDING_CERT_REVOKED, flow);
    claim.confidence = v->is_verified ? 95 : UNVERIFIED;
    if (!v->is_verified)
        claim.severity = SEVERITY_HIGH;
    claim_add_text(&claim, "check", v->is_verified ? "checked" : "not checked: its issuer is not known");
    claim_add_text(&claim, "subject", leaf->subject_cn != NULL ? leaf->subject_cn : leaf->subject);
    claim_add_text(&claim, "serial", leaf->serial);
    if (staple->answers == 1)
        claim_add_text(&claim, "since", day_text(judge, staple->revoked_ns));
    judge_claim(judge, &claim);
}

static const char *fault_words(unsigned fault)
{
    static const char *const words[] = {
        [STAPLE_UNREADABLE] = "it cannot be read",
        [STAPLE_FAILED] = "the responder refused to answer",
        [STAPLE_FOREIGN] = "it is about another certificate",
        [STAPLE_FORGED] = "its signature is wrong",
        [STAPLE_UNAUTHORIZED] = "its signer may not speak for the issuer",
        [STAPLE_EARLY] = "it is not valid yet",
        [STAPLE_STALE] = "it has expired",
    };
    return fault < sizeof words / sizeof words[0] ? words[fault] : NULL;
}

/* Many clients pass over a stale response: one that went on says nothing against the capture's clock. */
static uint8_t bad_confidence(const struct site_flow *flow, unsigned fault)
{
    if (fault == STAPLE_EARLY)
        return 60;
    return fault == STAPLE_STALE && !facts_refused_handshake(&flow->f) ? 80 : 90;
}

static void judge_one(struct judge *judge, const struct site_flow *flow,
                      const struct staple_record *staple, const struct staple_verdict *v)
{
    unsigned fault = staple_fault_at(v, flow_handshake_ns(flow));
    bool is_right = fault == STAPLE_FINE || fault == STAPLE_EARLY || fault == STAPLE_STALE;
    if (v->status == STAPLE_REVOKED && is_right)
        claim_revoked(judge, flow, staple, v);
    /* A client that went on found it valid: the capture's clock is behind. */
    if (fault == STAPLE_FINE || (fault == STAPLE_EARLY && flow->f.tls->established))
        return;
    struct claim claim = start(FINDING_TLS_OCSP_STAPLE_BAD, flow);
    claim.confidence = bad_confidence(flow, fault);
    claim_add_text(&claim, "reason", fault_words(fault));
    if (fault == STAPLE_STALE)
        claim_add_text(&claim, "until", day_text(judge, v->next_update_ns));
    judge_claim(judge, &claim);
}

void staples_judge(struct judge *judge, const struct chain_verifier *verifier,
                   struct site_flow *const *flows, size_t count)
{
    struct memo memo[MEMO_SLOTS] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct tls_facts *t = flows[i]->f.tls;
        const struct staple_record *staple =
            t->staple_id != 0 ? site_find_staple(judge->site, t->staple_id) : NULL;
        const struct staple_verdict *verdict =
            staple != NULL ? verdict_of(judge, verifier, flows[i], staple, memo) : NULL;
        if (verdict != NULL)
            judge_one(judge, flows[i], staple, verdict);
    }
}
