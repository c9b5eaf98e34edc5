/* Two machines answer one SYN: an address that is held twice, or somebody who answers first. */
#include "diagnosis/site/dual_synack.h"

#include "diagnosis/site/judge.h"

#include <stdlib.h>

/* The shortest first SYN retransmission of any system (RFC 6298 2.1: 1 s): from there on the
 * capture may have missed a SYN, which a server with SYN cookies answers by another number. */
#define SYN_AGAIN_NS (900 * FACTS_MS)

/* What explains both without a third party: a SYN that came twice, copies of what a proxy sends on
 * its other side, a capture with holes. */
static bool is_explained(const struct judge *judge, const struct flow_facts *f)
{
    uint64_t copies = judge->quality.clean_copies ? 0 : FLOW_FACT_DUPLICATES;
    const struct synack_pair *pair = &f->tcp->synack_pair;
    return pair->syns != 1 || !pair->answers_same || pair->gap_ns < 0 ||
           pair->gap_ns >= SYN_AGAIN_NS || f->capture_lost_bytes > 0 ||
           facts_has(f, copies | FLOW_FACT_LOOPED | FLOW_FACT_REUSED_TUPLE);
}

bool dual_synack_holds(const struct judge *judge, const struct flow_facts *f)
{
    return facts_is_tcp(f) && f->tcp->synack_conflict && f->tcp->synack_pair.other_frame != 0 &&
           !is_explained(judge, f);
}

static uint8_t confidence_of(const struct synack_pair *pair)
{
    bool way_differs = abs((int)pair->first_ttl - (int)pair->other_ttl) > TTL_TOLERANCE;
    if (way_differs || pair->mac_differs)
        return pair->shape_differs ? 90 : 80;
    return pair->shape_differs ? 65 : 45; /* a cluster whose members agree in everything else */
}

static void claim_pair(struct judge *judge, const struct site_flow *flow)
{
    const struct synack_pair *pair = &flow->f.tcp->synack_pair;
    struct claim claim = claim_start(FINDING_MITM_DUAL_SYNACK, flow);
    claim.confidence = confidence_of(pair);
    claim.weight = claim.confidence;
    claim_add_number(&claim, "ttl_a", pair->first_ttl);
    claim_add_number(&claim, "ttl_b", pair->other_ttl);
    claim_add_ms(&claim, "gap_ms", pair->gap_ns);
    claim_add_reference(&claim, pair->source_id, pair->first_frame, flow->f.tcp->synack_first_ns,
                        EVENT_SYNACK);
    claim_add_reference(&claim, pair->source_id, pair->other_frame,
                        flow->f.tcp->synack_first_ns + pair->gap_ns, EVENT_SYNACK);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        if (dual_synack_holds(judge, &flow->f) &&
            !judge_is_withdrawn(judge, FINDING_MITM_DUAL_SYNACK, flow))
            claim_pair(judge, flow);
    }
}

const struct detector detector_dual_synack = {"dual_synack", detect};
