/* Risks that nDPI sees and no finding covers (core/flow_risks.def), as remarks. */
#include "diagnosis/site/judge.h"

/* What the profile itself asks for, and what the capture did. */
static bool is_masked(const struct judge *judge, const struct site_flow *flow)
{
    if (flow->f.ndpi_risk == FLOW_RISK_UNSAFE)
        return judge_profile_service(judge, flow) != NULL;
    return flow->f.ndpi_risk == FLOW_RISK_MALFORMED &&
           (facts_is_midstream(&flow->f) || facts_is_blurred(&flow->f) ||
            facts_has(&flow->f, FLOW_FACT_SNAPLEN));
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        if (flow->f.ndpi_risk == FLOW_RISK_NONE || flow->outcome == OUTCOME_UNSOLICITED ||
            is_masked(judge, flow))
            continue;
        struct claim claim = claim_start(FINDING_SEC_NDPI_RISK, flow);
        claim.confidence = 40;
        claim.evidence = EVIDENCE(EVENT_DATA) | EVIDENCE(EVENT_REQUEST) |
                         EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_DATAGRAM);
        claim_add_text(&claim, "risk", flow_risk_words(flow->f.ndpi_risk));
        judge_claim(judge, &claim);
    }
}

const struct detector detector_ndpi_risks = {"ndpi_risks", detect};
