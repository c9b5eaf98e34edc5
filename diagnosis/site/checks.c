/* Health checks that nobody answered, told from connections that somebody needed. */
#include "diagnosis/site/checks.h"

#include <stdlib.h>

/* Balancers check each 0.2 s to 5 min, and hold their timer so well. */
#define PERIOD_LEAST_NS (200 * FACTS_MS)
#define PERIOD_MOST_NS (300 * FACTS_SECOND)
#define STEADY_SHARE 0.15
#define BEATS_MOST 3
/* The next check of anything else is at most one period away. */
#define WINDOW_PERIODS 1.2
#define NEIGHBORS 256
#define LOOKED_MOST 1024

static bool is_near(int64_t a, int64_t b)
{
    return (double)llabs(a - b) <= STEADY_SHARE * (double)(a > b ? a : b);
}

/* One period, or some where the capture missed the checks between. */
static bool is_beat(int64_t gap, int64_t period)
{
    int64_t times = (gap + period / 2) / period;
    return times >= 1 && times <= BEATS_MOST &&
           (double)llabs(gap - times * period) <= STEADY_SHARE * (double)period;
}

/* Attempts of one kind: all without a word, whatever became of them, or all that said as much. Who
 * has not spoken yet is of none. */
static bool is_alike(const struct site_flow *a, const struct site_flow *b)
{
    const struct flow_facts *f = &a->f;
    return a->service == b->service && !facts_is_midstream(f) &&
           f->payload[SIDE_CLIENT] == b->f.payload[SIDE_CLIENT] &&
           (f->payload[SIDE_CLIENT] > 0 || !facts_is_established(f) || facts_is_probe(f));
}

/* The nearest of its kind that the same client began before (step -1) or after it (step 1). */
static const struct site_flow *next_alike(const struct site_flow *flow, int step)
{
    const struct flow_range range = flow->pair->flows;
    size_t at = range_find_time(range, flow->f.first_ns);
    while (at < range.count && range.flows[at] != flow)
        at++;
    for (int seen = 0; at < range.count && seen < NEIGHBORS; seen++) {
        at = step < 0 ? at - 1 : at + 1; /* below 0 it is beyond the end */
        if (at < range.count && is_alike(range.flows[at], flow))
            return range.flows[at];
    }
    return NULL;
}

static int64_t gap(const struct site_flow *flow, int step)
{
    const struct site_flow *other = flow != NULL ? next_alike(flow, step) : NULL;
    return other != NULL ? llabs(other->f.first_ns - flow->f.first_ns) : RECORD_NONE_NS;
}

/* The time from one attempt to the next around `flow`; 0: there is one alone, or no rhythm. At the
 * edge of a row the way into it counts. */
static int64_t find_period(const struct site_flow *flow)
{
    int64_t before = gap(flow, -1), after = gap(flow, 1), period = 0;
    if (before < 0 || after < 0)
        period = before < 0 ? after : before;
    else if (before == 0 || after == 0)
        return 0;
    else if (is_beat(before, after) || is_beat(after, before))
        period = before < after ? before : after;
    else if (before < after && is_near(gap(next_alike(flow, -1), -1), before))
        period = before;
    else if (after < before && is_near(gap(next_alike(flow, 1), 1), after))
        period = after;
    return period >= PERIOD_LEAST_NS && period <= PERIOD_MOST_NS ? period : 0;
}

/* A connection that may be a check which went well: nothing said, or little said to another machine
 * of the same port. */
static bool may_be_check(const struct site_flow *flow, const struct site_flow *vain, int64_t period)
{
    const struct flow_facts *f = &flow->f;
    bool same_host = flow->server == vain->server;
    bool same_port = f->port[SIDE_SERVER] == vain->f.port[SIDE_SERVER];
    if (facts_is_probe(f))
        return same_host || same_port;
    return !same_host && same_port && facts_is_established(f) && !facts_is_midstream(f) &&
           f->payload[SIDE_CLIENT] > 0 && f->payload[SIDE_SERVER] > 0 &&
           f->last_ns - f->first_ns < period;
}

/* The client checks something else in that rhythm at that time. */
static bool checks_others(const struct site *site, const struct site_flow *flow, int64_t period)
{
    struct flow_range range = site_client_flows(site, flow->client);
    int64_t window = (int64_t)(WINDOW_PERIODS * (double)period);
    size_t at = range_find_time(range, flow->f.first_ns - window);
    for (size_t seen = 0; at < range.count && seen < LOOKED_MOST; at++, seen++) {
        const struct site_flow *other = range.flows[at];
        if (other->f.first_ns > flow->f.first_ns + window)
            return false;
        if (other->service == flow->service || !facts_is_tcp(&other->f) ||
            !may_be_check(other, flow, period))
            continue;
        int64_t its = find_period(other);
        if (its > 0 && (is_beat(its, period) || is_beat(period, its)))
            return true;
    }
    return false;
}

/* It checked the same service without a word when that was up. */
static bool checked_it(const struct site_flow *flow)
{
    const struct flow_range range = flow->service->flows;
    for (size_t i = 0; i < range.count && i < LOOKED_MOST; i++) {
        const struct site_flow *other = range.flows[i];
        if (other->client == flow->client && facts_is_probe(&other->f) && find_period(other) > 0)
            return true;
    }
    return false;
}

static bool was_up(const struct site_flow *flow)
{
    const struct flow_range range = flow->service->flows;
    for (size_t i = 0;
         i < range.count && i < LOOKED_MOST && range.flows[i]->f.first_ns < flow->f.first_ns; i++) {
        const struct flow_facts *f = &range.flows[i]->f;
        if (range.flows[i]->client == flow->client &&
            (facts_is_established(f) || facts_is_probe(f)))
            return true;
    }
    return false;
}

bool checks_find(const struct site *site, const struct site_flow *flow, struct check_rhythm *out)
{
    int64_t period =
        facts_is_tcp(&flow->f) && flow->service != NULL && !facts_is_midstream(&flow->f)
            ? find_period(flow)
            : 0;
    /* a check is over before the next one begins */
    if (period == 0 || facts_is_established(&flow->f) ||
        flow->f.last_ns - flow->f.first_ns >= period ||
        !(checks_others(site, flow, period) || checked_it(flow)))
        return false;
    *out = (struct check_rhythm){period, was_up(flow)};
    return true;
}
