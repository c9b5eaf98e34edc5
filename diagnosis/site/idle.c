/* Idle timers: what the pauses that connections survived, and those that they did not, have in
 * common on a path. Runs behind the verdicts. */
#include "diagnosis/site/judge.h"

/* Values that devices are set to, in seconds; makers' defaults among them (FACTS: cloud load
 * balancers 60, 240, 350, firewalls 300 to 3600, conntrack 432000). */
static const int64_t usual_s[] = {
    5,    10,   15,   20,   30,   40,   45,    50,    60,    75,    90,    100,   120,   150,  180,
    240,  300,  350,  360,  400,  420,  480,   500,   600,   720,   900,   1000,  1200,  1500, 1800,
    2400, 2700, 3000, 3600, 5400, 7200, 10800, 14400, 21600, 28800, 43200, 86400, 432000};
/* Timers are swept, and requests leave a little late. */
#define LATE_NS FACTS_SECOND
#define LATE_SHARE 0.02

static int64_t spread_of(int64_t idle_ns)
{
    int64_t late_ns = (int64_t)(LATE_SHARE * (double)idle_ns);
    return late_ns > LATE_NS ? late_ns : LATE_NS;
}

/* The usual values above what was survived and not above what was lost: the only one, or one that
 * the shortest loss all but touches; else the shortest loss itself. */
static int64_t timer_of(int64_t survived_ns, int64_t lost_ns)
{
    int64_t found_ns = -1;
    size_t count = 0;
    for (size_t i = 0; i < sizeof usual_s / sizeof usual_s[0]; i++) {
        int64_t value_ns = usual_s[i] * FACTS_SECOND;
        if (value_ns <= survived_ns || value_ns > lost_ns + 100 * FACTS_MS)
            continue;
        found_ns = value_ns;
        count++;
    }
    if (count == 1)
        return found_ns;
    return count > 1 && lost_ns - found_ns <= spread_of(lost_ns) ? found_ns : lost_ns;
}

static bool was_forgotten(const struct site_flow *flow)
{
    return flow->verdict == FINDING_TCP_IDLE_STATE_LOST + 1;
}

/* ---- resets that nobody asked for ---- */

/* So many connections that were reset behind an equal pause show a timer. */
#define SWEPT_LEAST 3
#define SWEPT_NS (5 * FACTS_SECOND)

/* How long neither side had said anything when the first reset came; -1: none came so. */
static int64_t swept_after(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct reset_record *r = f->reset_row_count > 0 ? f->reset_rows : NULL;
    if (!facts_is_tcp(f) || r == NULL || r->own_fin || r->peer_fin || r->own_ns < 0 ||
        r->peer_ns < 0)
        return RECORD_NONE_NS;
    int64_t idle_ns = r->own_ns < r->peer_ns ? r->own_ns : r->peer_ns;
    return idle_ns >= SWEPT_NS ? idle_ns : RECORD_NONE_NS;
}

/* The shortest of equal pauses behind which connections of the pair were reset, and which none of
 * them survived; -1: they have none in common. */
static int64_t find_sweep(const struct site_pair *pair, uint32_t *out_count)
{
    int64_t shortest_ns = RECORD_NONE_NS;
    uint32_t swept = 0;
    for (size_t i = 0; i < pair->flows.count; i++) {
        int64_t idle_ns = swept_after(pair->flows.flows[i]);
        swept += idle_ns >= 0;
        if (idle_ns >= 0 && (shortest_ns < 0 || idle_ns < shortest_ns))
            shortest_ns = idle_ns;
    }
    for (size_t i = 0; swept >= SWEPT_LEAST && i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        int64_t swept_ns = swept_after(flow);
        int64_t idle_ns =
            swept_ns >= 0 || !facts_is_tcp(&flow->f) ? swept_ns : flow->f.tcp->longest_idle_ns;
        if (idle_ns > shortest_ns + spread_of(shortest_ns))
            return RECORD_NONE_NS;
    }
    *out_count = swept;
    return swept >= SWEPT_LEAST ? shortest_ns : RECORD_NONE_NS;
}

static void learn(const struct site_pair *pair)
{
    struct path_sample_record *path = pair->path;
    int64_t lost_ns = RECORD_NONE_NS, survived_ns = RECORD_NONE_NS;
    uint32_t count = 0;
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        int64_t idle_ns = flow->f.tcp->idle_before_tail_ns;
        if (!facts_is_tcp(&flow->f) || !was_forgotten(flow))
            continue;
        count++;
        if (lost_ns < 0 || idle_ns < lost_ns)
            lost_ns = idle_ns;
    }
    if (count == 0)
        lost_ns = find_sweep(pair, &count);
    count = lost_ns >= 0 ? count : 0;
    for (size_t i = 0; count > 0 && i < pair->flows.count; i++) {
        int64_t idle_ns = pair->flows.flows[i]->f.tcp->longest_idle_ns;
        if (facts_is_tcp(&pair->flows.flows[i]->f) && idle_ns < lost_ns && idle_ns > survived_ns)
            survived_ns = idle_ns;
    }
    int64_t timer_ns = count > 0 ? timer_of(survived_ns, lost_ns) : RECORD_NONE_NS;
    path->changed |= path->idle_lost_ns != lost_ns || path->idle_timer_ns != timer_ns ||
                     path->idle_connections != count;
    path->idle_lost_ns = lost_ns;
    path->idle_timer_ns = timer_ns;
    path->idle_connections = count;
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->pair_count; i++) {
        if (judge->site->pairs[i].path != NULL)
            learn(&judge->site->pairs[i]);
    }
    for (size_t i = 0; i < judge->claim_count; i++) {
        struct claim *claim = &judge->claims[i];
        if (claim->code == FINDING_TCP_IDLE_STATE_LOST && claim->flow != NULL &&
            claim->flow->pair->path != NULL)
            claim_add_ms(claim, "timer_ms", claim->flow->pair->path->idle_timer_ns);
    }
}

const struct detector detector_idle = {"idle", detect};
