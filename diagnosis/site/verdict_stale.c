/* SYNs that met what the server still held on their 4-tuple: an open connection, or the TIME_WAIT of one
 * that was closed (RFC 5961 4, RFC 6191). It answers by an ACK of the old one, the client resets that and asks
 * again; where the reset does not end it, in vain. */
#include "core/texts.h"
#include "diagnosis/site/verdict.h"

#include <string.h>

/* Servers keep TIME_WAIT for a minute (Linux) to four (RFC 9293 3.4.2: twice the MSL). */
#define TIME_WAIT_NS (240 * FACTS_SECOND)
#define LOOKED_AT 256

/* The flow that had the 4-tuple before, if it is in the capture. */
static const struct site_flow *predecessor(const struct site_flow *flow)
{
    struct flow_range range = flow->pair->flows;
    size_t count = range_find_time(range, flow->f.first_ns);
    for (size_t looked = 0; count > 0 && looked < LOOKED_AT; looked++) {
        const struct site_flow *before = range.flows[--count];
        if (before != flow && before->service == flow->service && facts_is_tcp(&before->f) &&
            before->f.port[SIDE_CLIENT] == flow->f.port[SIDE_CLIENT])
            return before;
    }
    return NULL;
}

/* How long before the SYN both sides had closed the old connection, the server first; -1 they had not. */
static int64_t closed_before(const struct site_flow *flow)
{
    const struct site_flow *before = predecessor(flow);
    if (before == NULL || before->f.closed_by != SIDE_SERVER ||
        facts_was_reset_by(&before->f, SIDE_SERVER) || facts_was_reset_by(&before->f, SIDE_CLIENT) ||
        strcmp(before->f.state, "SF") != 0)
        return RECORD_NONE_NS;
    int64_t ago = flow->f.first_ns - before->f.last_ns;
    return ago >= 0 && ago <= TIME_WAIT_NS ? ago : RECORD_NONE_NS;
}

struct claim stale_tuple_claim(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    struct claim claim = claim_start(FINDING_CONN_STALE_TUPLE, flow);
    int64_t closed = closed_before(flow);
    bool known;
    claim.confidence = 80;
    if (!host_ttl_fits(flow->client, f->ttl[SIDE_CLIENT], &known) && known) {
        claim.culprit = CULPRIT_MIDDLEBOX; /* another machine has its address, too */
    } else {
        claim.culprit = CULPRIT_UNKNOWN;
        claim.reason = text_get(TEXT_REASON_CLIENT_OR_NAT, LANG_EN);
    }
    claim_add_number(&claim, "client_port", f->port[SIDE_CLIENT]);
    if (closed >= 0)
        claim_add_ms(&claim, "closed_ms", closed);
    if (f->tcp->established_ns >= 0)
        claim_add_ms(&claim, "delay_ms", f->tcp->established_ns - f->first_ns);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_ACK) | EVIDENCE(EVENT_RST);
    return claim;
}

enum ruling verdict_stale_tuple(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    if (!t->challenge_ack || t->synack_count > 0 || facts_is_established(f) || t->syn_last_ns < 0)
        return RULING_PASS;
    bool tried = t->syn_count >= 2 &&
                 judge_capture_end(judge, f->first_ns) - f->first_ns >= FACTS_ABSENCE_NS &&
                 judge_capture_end(judge, t->syn_last_ns) - t->syn_last_ns >= FACTS_SECOND;
    if (!tried && !judge_absence_holds(judge, flow, t->syn_last_ns))
        return RULING_UNKNOWN;
    *out = stale_tuple_claim(flow);
    out->confidence = 85;
    out->weight = (double)(f->last_ns - f->first_ns);
    claim_add_number(out, "attempts", t->syn_count);
    claim_add_ms(out, "waited_ms", f->last_ns - f->first_ns);
    return RULING_FAILED;
}
