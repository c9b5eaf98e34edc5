/* Connections that nobody waits for: health checks and probes, the losers of a race between addresses of one name
 * (RFC 8305, happy eyeballs), and knocks on closed ports that open another one. */
#include "diagnosis/site/judge.h"

#include <string.h>

/* RFC 8305 5: attempts follow each other within 100 ms to 2 s; 250 ms is its recommendation. */
#define RACE_NS (300 * FACTS_MS)
/* The loser is dropped as soon as the winner is through. */
#define RACE_END_NS FACTS_SECOND
/* So many ports are knocked at, one after the other, and then another one opens, all within this. */
#define KNOCKS 3
#define KNOCK_NS (10 * FACTS_SECOND)
/* Neighbors looked at on each side: a client that opens more at once is no racing pair. */
#define RACE_NEIGHBORS 32

/* Its server speaks, or may still: one that its client left without a word was none. */
static bool goes_on(const struct flow_facts *f)
{
    return f->payload[SIDE_SERVER] > 0 ||
           (facts_end_ns(f, SIDE_CLIENT) < 0 && facts_end_ns(f, SIDE_SERVER) < 0);
}

static bool is_winner(const struct site_flow *winner, const struct site_flow *loser)
{
    const struct flow_facts *w = &winner->f, *l = &loser->f;
    if (winner->server == loser->server || !facts_is_tcp(w) || !facts_is_established(w) ||
        w->port[SIDE_SERVER] != l->port[SIDE_SERVER] || !goes_on(w))
        return false;
    if (w->name != NULL && l->name != NULL && strcmp(w->name, l->name) != 0)
        return false;
    bool other_family = winner->server->address.family != loser->server->address.family;
    bool was_told = l->tcp->rst_to_syn || loser->icmp_count > 0;
    return other_family || !was_told; /* a backend that refuses is a fault of its own */
}

/* The client let go of it as soon as the other was there. */
static bool was_dropped_for(const struct site_flow *loser, const struct site_flow *winner)
{
    const struct flow_facts *l = &loser->f;
    int64_t won_ns =
        winner->f.tcp->established_ns >= 0 ? winner->f.tcp->established_ns : winner->f.first_ns;
    int64_t last_ns =
        l->tcp->side[SIDE_CLIENT].last_ns >= 0 ? l->tcp->side[SIDE_CLIENT].last_ns : l->last_ns;
    return last_ns <= won_ns + RACE_END_NS;
}

static bool is_loopback(const struct address *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4 ? a->bytes[0] == 127
                          : a->family == 6 && memcmp(a->bytes, one, sizeof one) == 0;
}

/* One SYN without any answer, which no stack leaves at that before a second has passed. */
static bool was_left_at_once(const struct site_flow *flow)
{
    return flow->f.tcp->syn_count == 1 && flow->f.packets[SIDE_SERVER] == 0 && flow->icmp_count == 0;
}

/* "localhost" is two addresses: programs try ::1 first and go on with 127.0.0.1, or the reverse. So it is with hosts
 * that speak IPv6 and IPv4: nothing joins their two addresses, but the first try was left for the other one. */
static bool lost_to_other_family(const struct judge *judge, const struct site_flow *flow)
{
    const struct site *site = judge->site;
    struct flow_range all = {site->flows, site->flow_count};
    bool local = is_loopback(&flow->server->address);
    if (!local && !was_left_at_once(flow))
        return false;
    size_t at = range_find_time(all, flow->f.first_ns);
    for (size_t seen = 0; at < all.count && seen < 2 * RACE_NEIGHBORS; at++, seen++) {
        const struct site_flow *other = all.flows[at];
        if (other->f.first_ns > flow->f.first_ns + RACE_NS)
            return false;
        if (is_loopback(&other->server->address) == local &&
            other->server->address.family != flow->server->address.family &&
            is_winner(other, flow) && was_dropped_for(flow, other))
            return true;
    }
    return false;
}

/* Windows asks for files on both of its ports at once and goes on with 445. */
static bool is_second_choice(const struct site_flow *flow, const struct site_flow *other)
{
    return flow->f.port[SIDE_SERVER] == 139 && other->f.port[SIDE_SERVER] == 445 &&
           other->server == flow->server && facts_is_established(&other->f);
}

static bool lost_race(const struct judge *judge, const struct site_flow *flow)
{
    struct flow_range range;
    if (flow->f.payload[SIDE_CLIENT] > 0 || flow->f.payload[SIDE_SERVER] > 0 ||
        facts_is_midstream(&flow->f) || flow->f.tcp->syn_count == 0)
        return false;
    if (facts_is_established(&flow->f) && flow->f.closed_by != SIDE_CLIENT)
        return false;
    if (lost_to_other_family(judge, flow))
        return true;
    range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, flow->f.first_ns - RACE_NS);
    for (size_t seen = 0; at < range.count && seen < 2 * RACE_NEIGHBORS; at++, seen++) {
        const struct site_flow *other = range.flows[at];
        if (other->f.first_ns > flow->f.first_ns + RACE_NS)
            return false;
        if (other != flow && facts_is_tcp(&other->f) &&
            (is_second_choice(flow, other) ||
             (is_winner(other, flow) && was_dropped_for(flow, other))))
            return true;
    }
    return false;
}

/* Ports of one host, each asked by one SYN that nobody waits for, and then another port of it that is open. */
static bool is_knock(const struct judge *judge, const struct site_flow *flow)
{
    uint16_t ports[KNOCKS];
    size_t count = 0, seen = 0;
    if (!was_left_at_once(flow))
        return false;
    struct flow_range range = site_client_flows(judge->site, flow->client);
    for (size_t at = range_find_time(range, flow->f.first_ns - KNOCK_NS);
         at < range.count && seen < 2 * RACE_NEIGHBORS; at++, seen++) {
        const struct site_flow *other = range.flows[at];
        uint16_t port = other->f.port[SIDE_SERVER];
        bool known = false;
        if (other->f.first_ns > flow->f.first_ns + KNOCK_NS)
            return false;
        if (other->server != flow->server || !facts_is_tcp(&other->f))
            continue;
        for (size_t i = 0; i < count; i++)
            known |= ports[i] == port;
        if (count == KNOCKS && !known && other->f.first_ns > flow->f.first_ns && facts_is_established(&other->f))
            return true;
        if (!known && count < KNOCKS && was_left_at_once(other))
            ports[count++] = port;
    }
    return false;
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        struct site_flow *flow = judge->site->flows[i];
        if (flow->outcome != OUTCOME_NONE || !facts_is_tcp(&flow->f) || facts_is_plain(&flow->f))
            continue;
        if (facts_is_probe(&flow->f) || lost_race(judge, flow) || is_knock(judge, flow))
            flow->outcome = OUTCOME_UNSOLICITED;
    }
}

const struct detector detector_unsolicited = {"unsolicited", detect};
