/* Idle timers: what the pauses that connections survived, and those that they did not, have in common
 * on a path. Runs behind the verdicts. */
#include "diagnosis/site/judge.h"

/* Values that devices are set to, in seconds; makers' defaults among them (FACTS: cloud load balancers
 * 60, 240, 350, firewalls 300 to 3600, conntrack 432000). */
static const int64_t usual_s[] = {5,    10,   15,   20,   30,   40,   45,   50,    60,    75,
                                  90,   100,  120,  150,  180,  240,  300,  350,   360,   400,
                                  420,  480,  500,  600,  720,  900,  1000, 1200,  1500,  1800,
                                  2400, 2700, 3000, 3600, 5400, 7200, 10800, 14400, 21600, 28800,
                                  43200, 86400, 432000};
/* Timers are swept, and requests leave a little late. */
#define LATE_NS FACTS_SECOND
#define LATE_SHARE 0.02

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
    int64_t late_ns = (int64_t)(LATE_SHARE * (double)lost_ns);
    late_ns = late_ns > LATE_NS ? late_ns : LATE_NS;
    return count > 1 && lost_ns - found_ns <= late_ns ? found_ns : lost_ns;
}

static bool was_forgotten(const struct site_flow *flow)
{
    return flow->verdict == FINDING_TCP_IDLE_STATE_LOST + 1;
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
