#include "diagnosis/diagnosis.h"

#include "diagnosis/flow/alerts.h"
#include "diagnosis/flow/facts.h"

#include "core/catalogue.h"

/* What one flow proves by itself. Everything that needs the other flows (the usual TTL, the absence
 * rule, scans) is left to the site. Returns a verdict as in flow_record.verdict, 0 none. */
static uint16_t candidate(const struct flow_facts *f)
{
    enum finding_code code;
    if (!facts_is_tcp(f))
        return 0;
    if (f->tcp->rst_to_syn && !facts_is_established(f))
        return FINDING_CONN_REFUSED + 1;
    if (facts_is_unanswered_syn(f) && f->tcp->syn_count > FACTS_TRIES)
        return FINDING_CONN_SYN_TIMEOUT + 1;
    if (alert_find_verdict(f, &code))
        return (uint16_t)(code + 1);
    return 0;
}

void flow_diagnose(const struct profile *profile, struct flow_bundle *bundle)
{
    struct tls_facts tls;
    struct flow_facts f;
    (void)profile;
    facts_fill(bundle, &tls, &f);
    bundle->flow->stage = (uint8_t)facts_stage(&f);
    bundle->flow->verdict = 0;
    if (facts_is_plain(&f)) {
        bundle->flow->outcome = OUTCOME_OK;
        return;
    }
    bundle->flow->verdict = candidate(&f);
    bundle->flow->outcome = bundle->flow->verdict != 0 ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
}
