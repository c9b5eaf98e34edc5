/* A service that nobody reached for a while, though it was in use before or the profile of the site
 * names it. Attempts that their own clients are to blame for say nothing about it. */
#include "diagnosis/site/judge.h"

#define OUTAGE_ATTEMPTS 3
#define OUTAGE_NS (10 * FACTS_SECOND)

/* Failed attempts in a row. */
struct run {
    struct site_flow *const *flows; /* from the first failed one on; others may lie between */
    size_t span;                    /* of the list, up to the last failed one */
    size_t attempts;
    const struct site_flow *last_ok, *first, *last, *next_ok;
    bool several_clients, known_client;
};

/* The client got through to this service before the run. */
static bool has_succeeded(const struct site_service *service, const struct site_flow *failed)
{
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        if (flow->f.first_ns >= failed->f.first_ns)
            return false;
        if (flow->client == failed->client && flow->outcome == OUTCOME_OK)
            return true;
    }
    return false;
}

static bool is_named_by_the_site(const struct judge *judge, const struct site_flow *flow)
{
    return judge->profile != NULL && !judge->profile->builtin && flow->f.service != NULL;
}

/* One client alone may be what is broken, unless it got through before. */
static bool is_outage(const struct judge *judge, const struct site_service *service,
                      const struct run *run)
{
    if (run->attempts < OUTAGE_ATTEMPTS ||
        run->last->f.last_ns - run->first->f.first_ns < OUTAGE_NS)
        return false;
    if (run->last_ok == NULL && !is_named_by_the_site(judge, run->first))
        return false;
    return run->several_clients || has_succeeded(service, run->first);
}

static void claim_outage(struct judge *judge, const struct site_service *service,
                         const struct run *run)
{
    if (!is_outage(judge, service, run) ||
        judge_is_withdrawn(judge, FINDING_SERVICE_OUTAGE, run->first))
        return;
    const struct claim *verdict = judge_verdict(judge, run->first);
    if (verdict == NULL || verdict->culprit == CULPRIT_CLIENT)
        return;
    struct claim claim = claim_start(FINDING_SERVICE_OUTAGE, run->first);
    int64_t end_ns = run->next_ok != NULL ? run->next_ok->f.first_ns : run->last->f.last_ns;
    claim.culprit = verdict->culprit;
    claim.reason = verdict->reason;
    claim.confidence =
        verdict->confidence < claim.confidence ? verdict->confidence : claim.confidence;
    claim.last_ns = end_ns;
    claim.count = (int64_t)run->attempts;
    claim.flows = run->flows;
    claim.flow_count = run->span;
    claim_add_number(&claim, "attempts", (double)run->attempts);
    claim_add_ms(&claim, "duration_ms", end_ns - run->first->f.first_ns);
    claim_add_text(&claim, "end", run->next_ok != NULL ? "recovered" : "still down");
    if (run->last_ok != NULL)
        claim_add_reference(&claim, run->last_ok->f.source_id, run->last_ok->f.first_frame,
                            run->last_ok->f.first_ns, EVENT_SYN);
    claim_add_reference(&claim, run->first->f.source_id, run->first->f.first_frame,
                        run->first->f.first_ns, EVENT_SYN);
    claim_add_reference(&claim, run->last->f.source_id, run->last->f.first_frame,
                        run->last->f.first_ns, EVENT_SYN);
    judge_claim(judge, &claim);
}

static bool blames_client(const struct site_flow *flow)
{
    return flow->verdict == 0 ||
           catalogue_get((enum finding_code)(flow->verdict - 1))->culprit == CULPRIT_CLIENT;
}

static void note_failed(struct run *run, struct site_flow *const *at)
{
    if (run->attempts == 0) {
        run->flows = at;
        run->first = *at;
    }
    run->several_clients |= (*at)->client != run->first->client;
    run->attempts++;
    run->last = *at;
    run->span = (size_t)(at - run->flows) + 1;
}

/* Only failed attempts are covered: a list with others in it is told by its first one. */
static void close_run(struct judge *judge, const struct site_service *service, struct run *run)
{
    if (run->span != run->attempts)
        run->span = 0;
    if (run->attempts > 0)
        claim_outage(judge, service, run);
}

static void look_at_service(struct judge *judge, const struct site_service *service)
{
    struct run run = {0};
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        if (flow->outcome == OUTCOME_OK) {
            run.next_ok = flow;
            close_run(judge, service, &run);
            run = (struct run){.last_ok = flow};
        } else if (flow->outcome == OUTCOME_FAILED && !blames_client(flow)) {
            note_failed(&run, &service->flows.flows[i]);
        }
    }
    close_run(judge, service, &run);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->service_count; i++) {
        const struct site_service *service = &judge->site->services[i];
        if (service->flows.count >= OUTAGE_ATTEMPTS && facts_is_tcp(&service->flows.flows[0]->f))
            look_at_service(judge, service);
    }
}

const struct detector detector_outage = {"outage", detect};
