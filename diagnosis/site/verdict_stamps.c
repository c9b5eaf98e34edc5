/* Segments whose timestamps went back in mid-connection: their receiver must drop them (RFC 7323 5.3), and
 * says so with each acknowledgment. */
#include "core/texts.h"
#include "diagnosis/site/verdict.h"

/* Packets of the side came by other ways: then not all of them are its own, or not as they were. */
static bool comes_by_two_ways(const struct tcp_side_facts *s)
{
    return s->ttl_max > s->ttl_min + TTL_TOLERANCE;
}

static void blame(struct judge *judge, const struct tcp_side_facts *s, struct claim *out)
{
    static const enum rival rivals[] = {RIVAL_STAMPS_REWRITTEN, RIVAL_HOST_PAUSED, RIVAL_COUNT};
    out->category = CATEGORY_NETWORK;
    out->rivals = judge_rivals(judge, rivals);
    out->confidence = 90;
    if (comes_by_two_ways(s)) {
        out->culprit = CULPRIT_MIDDLEBOX;
        return;
    }
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_STAMPS_BACK, LANG_EN);
}

/* Less may be packets that passed each other on the way. */
#define BACK_LEAST 1000

void stamps_tell_delay(struct judge *judge, const struct site_flow *flow)
{
    if (!facts_is_tcp(&flow->f) || flow->outcome != OUTCOME_OK ||
        judge_is_withdrawn(judge, FINDING_CONN_PAWS_DROP, flow))
        return;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &flow->f.tcp->side[side];
        if (s->stamp_refusals < FACTS_TRIES || s->stamp_back < BACK_LEAST || s->retransmitted_bytes == 0 ||
            s->unacked_bytes > 0)
            continue;
        struct claim claim = claim_start(FINDING_CONN_PAWS_DROP, flow);
        blame(judge, s, &claim);
        claim.severity = SEVERITY_LOW; /* it passed */
        claim_add_text(&claim, "side", verdict_side_word(side));
        claim_add_number(&claim, "passing", s->stamp_refusals);
        claim_add_number(&claim, "ticks", s->stamp_back);
        claim.evidence = EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DUPLICATE_ACK) | EVIDENCE(EVENT_DATA);
        judge_claim(judge, &claim);
        return;
    }
}

enum ruling verdict_stamps_refused(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &f->tcp->side[side];
        if (s->stamp_refusals < FACTS_TRIES || s->unacked_bytes == 0 || s->tail_first_ns < 0)
            continue;
        if (!verdict_tail_is_proven(judge, flow, side) &&
            !facts_gave_up(f, side_other(side), s->tail_first_ns))
            continue;
        *out = claim_start(FINDING_CONN_PAWS_DROP, flow);
        blame(judge, s, out);
        out->weight = (double)(f->last_ns - s->tail_first_ns);
        out->evidence_from_ns = s->tail_first_ns;
        claim_add_text(out, "side", verdict_side_word(side));
        claim_add_number(out, "refusals", s->stamp_refusals);
        claim_add_number(out, "ticks", s->stamp_back);
        claim_add_ms(out, "waited_ms", f->last_ns - s->tail_first_ns);
        out->evidence = EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DUPLICATE_ACK) |
                        EVIDENCE(EVENT_DATA) | EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RST);
        return RULING_FAILED;
    }
    return RULING_PASS;
}
