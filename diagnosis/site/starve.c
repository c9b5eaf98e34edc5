/* Starved servers: one source holds many connections at once and feeds each an incomplete request, a
 * few bytes at a time (slow headers, slow bodies, slow hellos). An upload over a thin line comes in
 * whole segments, a long poll has asked, a stream of chunks is never in the middle of one while it
 * rests. What they hold becomes unsolicited and raises nothing else. */
#include "core/sort.h"
#include "diagnosis/site/judge.h"

#include <stdlib.h>

/* FINDINGS.md: >= 10 connections of one source, each for more than 10 s. */
#define STARVE_CONNECTIONS 10
#define STARVE_SURE 20
#define STARVE_NS (10 * FACTS_SECOND)
#define STARVE_PAUSES 3
/* The known tools send 1 to 64 bytes at a time; no line is so thin that it carries segments of this
 * size one by one. */
#define STARVE_CRUMB 200
#define STARVE_RATE 256
/* One in so many segments sent again: the way is at fault, not the sender. */
#define STARVE_LOSS 4

static bool way_is_at_fault(const struct flow_facts *f, const struct delay_facts *d)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    uint64_t again = (uint64_t)client->timeout_retransmissions + client->fast_retransmissions;
    return again * STARVE_LOSS > d->fed_segments || f->tcp->side[SIDE_SERVER].zero_window_ns > 0 ||
           f->capture_lost_bytes > 0;
}

static bool is_fed(const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    if (d == NULL || flow->outcome != OUTCOME_NONE || !facts_is_established(&flow->f) ||
        !facts_has(&flow->f, FLOW_FACT_REQUEST_PART))
        return false;
    bool crumbs = d->fed_bytes <= (int64_t)d->fed_segments * STARVE_CRUMB &&
                  d->fed_bytes <= d->fed_ns / FACTS_SECOND * STARVE_RATE;
    return d->fed_ns > STARVE_NS && d->fed_pauses >= STARVE_PAUSES && crumbs &&
           !way_is_at_fault(&flow->f, d);
}

static int by_client(const void *left, const void *right)
{
    const struct site_flow *a = *(struct site_flow *const *)left;
    const struct site_flow *b = *(struct site_flow *const *)right;
    int order = (a->client->number > b->client->number) - (a->client->number < b->client->number);
    return order != 0 ? order : site_compare_flows(a, b);
}

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The most connections of the range that were held at one moment; ends is room for one value each. */
static size_t most_at_once(struct flow_range range, int64_t *ends)
{
    size_t most = 0, over = 0;
    for (size_t i = 0; i < range.count; i++)
        ends[i] = range.flows[i]->f.last_ns;
    sort_rows(ends, range.count, sizeof *ends, by_value);
    for (size_t i = 0; i < range.count; i++) {
        while (ends[over] < range.flows[i]->f.first_ns)
            over++;
        if (i + 1 - over > most)
            most = i + 1 - over;
    }
    return most;
}

static void claim_starved(struct judge *judge, struct flow_range range, size_t most)
{
    struct claim claim = claim_start(FINDING_SEC_SLOW_REQUESTS, range.flows[0]);
    int64_t shortest = range.flows[0]->delay->fed_ns;
    for (size_t i = 0; i < range.count; i++) {
        struct site_flow *flow = range.flows[i];
        shortest = flow->delay->fed_ns < shortest ? flow->delay->fed_ns : shortest;
        claim.last_ns = flow->f.last_ns > claim.last_ns ? flow->f.last_ns : claim.last_ns;
        flow->outcome = OUTCOME_UNSOLICITED;
    }
    claim.flows = range.flows;
    claim.flow_count = range.count;
    claim.count = (int64_t)range.count;
    claim.client_port = 0;
    claim.confidence = most >= STARVE_SURE ? 90 : 85;
    claim.evidence = EVIDENCE(EVENT_DATA);
    claim_add_number(&claim, "connections", (double)most);
    claim_add_ms(&claim, "duration_ms", shortest);
    judge_claim(judge, &claim);
}

/* The fed connections of one service, by client. */
static void judge_service(struct judge *judge, struct site_flow **list, size_t count, int64_t *ends)
{
    if (count > 1)
        sort_rows(list, count, sizeof *list, by_client);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && list[end]->client == list[i]->client)
            end++;
        struct flow_range range = {&list[i], end - i};
        size_t most = range.count >= STARVE_CONNECTIONS ? most_at_once(range, ends) : 0;
        if (most >= STARVE_CONNECTIONS &&
            !judge_is_withdrawn(judge, FINDING_SEC_SLOW_REQUESTS, range.flows[0]))
            claim_starved(judge, range, most);
        i = end;
    }
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    struct site_flow **list = arena_take(&judge->site->arena, (site->flow_count + 1) * sizeof *list);
    int64_t *ends = malloc((site->flow_count + 1) * sizeof *ends);
    if (list == NULL || ends == NULL) {
        judge->failed = true;
        free(ends);
        return;
    }
    for (size_t i = 0; i < site->service_count; i++) {
        struct flow_range flows = site->services[i].flows;
        size_t count = 0;
        for (size_t j = 0; j < flows.count; j++) {
            if (is_fed(flows.flows[j]))
                list[count++] = flows.flows[j];
        }
        judge_service(judge, list, count, ends);
        list += count; /* claims keep what they name */
    }
    free(ends);
}

const struct detector detector_starve = {"starve", detect};
