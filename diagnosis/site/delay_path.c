/* Round trips of a path: high, changed for good, unsteady; by side of the tap. */
#include "diagnosis/site/delays.h"
#include "diagnosis/site/verdict.h"

#include <math.h>
#include <stdlib.h>

/* FINDINGS.md: above 300 ms, on >= 3 connections. */
#define HIGH_NS (300 * FACTS_MS)
#define HIGH_FLOWS 3
/* FINDINGS.md: changed by >= 2x and >= 20 ms and stayed (>= 5 samples, >= 2 flows). */
#define STEP_FACTOR 2.0
#define STEP_NS (20 * FACTS_MS)
#define STEP_SAMPLES 5
/* So large a part of the samples lies on its side of the step: it stayed. */
#define STEP_SHARE 0.8
/* Standardised sums of this height have no step behind them once in hundreds of samples. */
#define STEP_ALARM 5.0
/* FINDINGS.md: P95 - P5 > 30 ms and > 50 % of the median, >= 10 samples over >= 2 connections. */
#define JITTER_NS (30 * FACTS_MS)
#define JITTER_SAMPLES 10
#define JITTER_FLOWS 2

/* So much a round trip moves when the route does; less is what hosts vary by. */
#define MOVED_SAMPLES 3
#define MOVED_NS (2 * FACTS_MS)
#define MOVED_SHARE 0.2

struct path_view {
    struct judge *judge;
    const struct site_pair *pair;
    const struct host_loads *loads;
    const struct rtt_point *points;
    size_t count;
    int64_t *values; /* room for count */
    enum side side;
};

static struct claim start(const struct path_view *v, enum finding_code code,
                          const struct site_flow *flow)
{
    struct claim claim = claim_start(code, flow);
    claim.client_port = 0;
    claim.server_port = 0;
    claim.first_ns = v->count > 0 ? v->points[0].time_ns : claim.first_ns;
    claim.last_ns = v->count > 0 ? v->points[v->count - 1].time_ns : claim.last_ns;
    return claim;
}

static void refer_to(struct claim *claim, const struct rtt_point *point)
{
    claim_add_reference(claim, point->flow->f.source_id, point->flow->f.first_frame,
                        point->flow->f.first_ns, EVENT_SYN);
}

/* ---- high ------------------------------------------------------------------------------------ */

/* The smallest round trip of a whole connection; -1 when none was clean. */
static int64_t smallest(const struct site_flow *flow, enum side side)
{
    int64_t connect = side == SIDE_SERVER ? flow->f.connect_rtt_server_ns
                                          : flow->f.connect_rtt_client_ns;
    bool known = connect >= 0 || (flow->delay != NULL && flow->delay->rtt_count[side] > 0);
    return known && facts_is_tcp(&flow->f) && facts_is_two_sided(&flow->f) ? flow->f.rtt_ns[side]
                                                                           : RECORD_NONE_NS;
}

static int64_t high_limit(const struct judge *judge)
{
    bool given = judge->profile != NULL && judge->profile->latency_high_ns > 0;
    return given ? judge->profile->latency_high_ns : HIGH_NS;
}

/* Its smallest round trip where that is too long, and not told of its path yet; -1 else. */
static int64_t high_rtt(const struct path_view *v, const struct site_flow *flow)
{
    int64_t rtt = flow->pair->high_told[v->side] ? RECORD_NONE_NS : smallest(flow, v->side);
    bool high = rtt > high_limit(v->judge) && !judge_is_withdrawn(v->judge, FINDING_PATH_LATENCY_HIGH, flow);
    return high ? rtt : RECORD_NONE_NS;
}

static void find_high(struct path_view *v, struct flow_range flows)
{
    struct site_flow *worst = NULL;
    size_t high = 0, known = 0;
    for (size_t i = 0; i < flows.count; i++) {
        known += !flows.flows[i]->pair->high_told[v->side] && smallest(flows.flows[i], v->side) >= 0;
        high += high_rtt(v, flows.flows[i]) >= 0;
    }
    if (high < HIGH_FLOWS || high * 2 < known)
        return;
    struct site_flow **named = arena_take(&v->judge->site->arena, high * sizeof *named);
    int64_t *values = arena_take(&v->judge->site->arena, high * sizeof *values);
    if (named == NULL || values == NULL)
        return;
    high = 0;
    for (size_t i = 0; i < flows.count; i++) {
        int64_t rtt = high_rtt(v, flows.flows[i]);
        if (rtt < 0)
            continue;
        if (worst == NULL || rtt > worst->f.rtt_ns[v->side])
            worst = flows.flows[i];
        values[high] = rtt;
        named[high++] = flows.flows[i];
    }
    struct claim claim = start(v, FINDING_PATH_LATENCY_HIGH, worst);
    claim.confidence = 85;
    claim.flows = named;
    claim.flow_count = high;
    claim.count = (int64_t)high;
    claim.first_ns = named[0]->f.first_ns;
    claim.last_ns = named[high - 1]->f.last_ns;
    claim.weight = (double)worst->f.rtt_ns[v->side];
    claim_add_ms(&claim, "rtt_ms", delays_quantile(values, high, 0.5));
    claim_add_ms(&claim, "limit_ms", high_limit(v->judge));
    claim_add_text(&claim, "side", verdict_side_word(v->side));
    claim_add_reference(&claim, worst->f.source_id, worst->f.first_frame, worst->f.first_ns,
                        EVENT_SYN);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK);
    judge_claim(v->judge, &claim);
    worst->pair->high_told[v->side] = true;
}

/* The leg between tap and host belongs to all of its paths: it may be high with few connections on each. */
static void find_high_of_hosts(struct judge *judge, enum side side)
{
    const struct site *site = judge->site;
    struct site_flow *const *list = side == SIDE_SERVER ? site->by_server : site->by_client;
    const struct site_host *last = NULL;
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_host *host = side == SIDE_SERVER ? list[i]->server : list[i]->client;
        struct path_view v = {.judge = judge, .pair = list[i]->pair, .side = side};
        if (host != last)
            find_high(&v, side == SIDE_SERVER ? site_server_flows(site, host) : site_client_flows(site, host));
        last = host;
    }
}

/* ---- a step ---------------------------------------------------------------------------------- */

static int64_t median_of(const struct path_view *v, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        v->values[i - from] = v->points[i].rtt_ns;
    return delays_quantile(v->values, to - from, 0.5);
}

/* The median of three neighbours: one late sample is no level. */
static double level_at(const struct path_view *v, size_t at)
{
    int64_t a = v->points[at > 0 ? at - 1 : at].rtt_ns, b = v->points[at].rtt_ns;
    int64_t c = v->points[at + 1 < v->count ? at + 1 : at].rtt_ns;
    int64_t middle = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    return log((double)(middle > 0 ? middle : 1));
}

/* CUSUM over medians of ln RTT: the sample behind which the sum of deviations is farthest from zero;
 * 0 when it stays within what chance does. */
static size_t find_change(const struct path_view *v)
{
    double mean = 0, noise = 0, sum = 0, farthest = 0;
    size_t at = 0;
    for (size_t i = 0; i < v->count; i++)
        mean += level_at(v, i) / (double)v->count;
    for (size_t i = 1; i < v->count; i++)
        noise += fabs(level_at(v, i) - level_at(v, i - 1)) / (double)v->count;
    for (size_t i = 0; i + 1 < v->count; i++) {
        sum += level_at(v, i) - mean;
        if (fabs(sum) > farthest) {
            farthest = fabs(sum);
            at = i + 1;
        }
    }
    return farthest > STEP_ALARM * noise ? at : 0;
}

/* The share of [from, to) that lies above (or below) the middle between both levels. */
static double share_beyond(const struct path_view *v, size_t from, size_t to, double middle,
                           bool above)
{
    size_t count = 0;
    for (size_t i = from; i < to; i++)
        count += ((double)v->points[i].rtt_ns > middle) == above;
    return (double)count / (double)(to - from);
}

static bool stays(const struct path_view *v, size_t change, int64_t before, int64_t after)
{
    double middle = sqrt((double)before * (double)after);
    bool up = after > before;
    size_t tail = v->count - STEP_SAMPLES / 2 - 1;
    return share_beyond(v, 0, change, middle, !up) >= STEP_SHARE &&
           share_beyond(v, change, v->count, middle, up) >= STEP_SHARE &&
           share_beyond(v, tail > change ? tail : change, v->count, middle, up) > 0.5;
}

/* ---- hops that changed with it --------------------------------------------------------------- */

/* The first packets of all connections of [from, to) had this TTL; 0: not all the same. */
static uint8_t common_ttl(const struct path_view *v, size_t from, size_t to)
{
    uint8_t ttl = v->points[from].flow->f.ttl[v->side];
    for (size_t i = from; i < to; i++) {
        if (v->points[i].flow->f.ttl[v->side] != ttl)
            return 0;
    }
    return ttl;
}

/* Under open connections between the neighbours of the step, or from one connection to the next. */
static void add_ttl(const struct path_view *v, size_t change, struct claim *claim)
{
    const struct path_side *s = v->pair->path != NULL ? &v->pair->path->side[v->side] : NULL;
    uint8_t before = common_ttl(v, 0, change), after = common_ttl(v, change, v->count);
    if (s != NULL && s->ttl_changes == 1 && s->ttl_changed_ns >= v->points[change - 2].time_ns &&
        s->ttl_changed_ns <= v->points[change + 1].time_ns) {
        before = s->ttl_before;
        after = s->ttl;
    }
    if (before == 0 || after == 0 || before == after)
        return;
    claim_add_number(claim, "before_ttl", before);
    claim_add_number(claim, "after_ttl", after);
}

/* The round trips before and behind a change of the TTL, when they differ by so much. */
static void tell_ttl_change(struct path_view *v)
{
    const struct path_side *s = v->pair->path != NULL ? &v->pair->path->side[v->side] : NULL;
    size_t at = 0;
    if (s == NULL || s->ttl_changes != 1)
        return;
    while (at < v->count && v->points[at].time_ns < s->ttl_changed_ns)
        at++;
    if (at < MOVED_SAMPLES || v->count - at < MOVED_SAMPLES)
        return;
    int64_t before = median_of(v, 0, at), after = median_of(v, at, v->count);
    int64_t least = before < after ? before : after, moved = llabs(after - before);
    if (moved < MOVED_NS || (double)moved < MOVED_SHARE * (double)least)
        return;
    for (size_t i = 0; i < v->judge->claim_count; i++) {
        struct claim *claim = &v->judge->claims[i];
        if (claim->code != FINDING_PATH_TTL_CHANGE || claim->flow == NULL ||
            claim->flow->pair != v->pair || claim->first_ns != s->ttl_changed_ns)
            continue;
        claim_add_ms(claim, "before_ms", before);
        claim_add_ms(claim, "after_ms", after);
    }
}

static bool find_step(struct path_view *v)
{
    size_t change = v->count >= 2 * STEP_SAMPLES ? find_change(v) : 0;
    if (change < STEP_SAMPLES || v->count - change < STEP_SAMPLES)
        return false;
    int64_t before = median_of(v, 0, change), after = median_of(v, change, v->count);
    int64_t low = before < after ? before : after, high = before < after ? after : before;
    if (low <= 0 || (double)high < STEP_FACTOR * (double)low || high - low < STEP_NS)
        return false;
    if (delays_flows(v->points, change, 2) < 2 ||
        delays_flows(v->points + change, v->count - change, 2) < 2 ||
        !stays(v, change, before, after))
        return false;
    const struct rtt_point *first = &v->points[change];
    if (judge_is_withdrawn(v->judge, FINDING_PATH_LATENCY_STEP, first->flow))
        return true; /* no jitter either */
    struct claim claim = start(v, FINDING_PATH_LATENCY_STEP, first->flow);
    claim.confidence = 80;
    claim.first_ns = first->time_ns;
    claim.weight = (double)(high - low);
    claim_add_ms(&claim, "before_ms", before);
    claim_add_ms(&claim, "after_ms", after);
    claim_add_text(&claim, "side", verdict_side_word(v->side));
    add_ttl(v, change, &claim);
    refer_to(&claim, &v->points[change - 1]);
    refer_to(&claim, first);
    refer_to(&claim, &v->points[v->count - 1]);
    judge_claim(v->judge, &claim);
    return true;
}

/* ---- jitter ---------------------------------------------------------------------------------- */

static void find_jitter(struct path_view *v)
{
    if (v->count < JITTER_SAMPLES || delays_flows(v->points, v->count, JITTER_FLOWS) < JITTER_FLOWS)
        return;
    int64_t median = median_of(v, 0, v->count);
    int64_t p5 = delays_quantile(v->values, v->count, 0.05);
    int64_t p95 = delays_quantile(v->values, v->count, 0.95);
    if (p95 - p5 <= JITTER_NS || (p95 - p5) * 2 <= median)
        return;
    const struct rtt_point *worst = &v->points[0];
    for (size_t i = 1; i < v->count; i++)
        worst = v->points[i].rtt_ns > worst->rtt_ns ? &v->points[i] : worst;
    if (judge_is_withdrawn(v->judge, FINDING_PATH_JITTER, worst->flow))
        return;
    struct claim claim = start(v, FINDING_PATH_JITTER, worst->flow);
    claim.confidence = 75;
    claim.weight = (double)(p95 - p5);
    claim_add_ms(&claim, "p5_ms", p5);
    claim_add_ms(&claim, "p95_ms", p95);
    claim_add_ms(&claim, "median_ms", median);
    claim_add_text(&claim, "side", verdict_side_word(v->side));
    refer_to(&claim, worst);
    judge_claim(v->judge, &claim);
}

static void look_at(struct judge *judge, const struct host_loads *loads,
                    const struct site_pair *pair, enum side side)
{
    struct rtt_point *points = NULL;
    struct path_view v = {.judge = judge, .pair = pair, .loads = loads, .side = side};
    if (pair->flows.count < 2)
        return;
    v.count = delays_gather(judge, loads, pair, side, &points);
    v.points = points;
    v.values = arena_take(&judge->site->arena, (v.count + 1) * sizeof *v.values);
    if (v.values == NULL || judge->failed) {
        judge->failed = true;
        return;
    }
    find_high(&v, pair->flows);
    tell_ttl_change(&v);
    if (!find_step(&v))
        find_jitter(&v);
}

static void detect(struct judge *judge)
{
    struct host_loads loads;
    if (!delays_find_loads(judge, &loads))
        return;
    for (size_t i = 0; i < judge->site->pair_count; i++) {
        look_at(judge, &loads, &judge->site->pairs[i], SIDE_CLIENT);
        look_at(judge, &loads, &judge->site->pairs[i], SIDE_SERVER);
    }
    find_high_of_hosts(judge, SIDE_CLIENT);
    find_high_of_hosts(judge, SIDE_SERVER);
    delays_find_queues(judge, &loads);
    free(loads.at);
}

const struct detector detector_delay_path = {"delay_path", detect};
