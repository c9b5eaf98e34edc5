/* What routers and hosts said by ICMP about a connection. */
#include "diagnosis/site/verdict_icmp.h"

/* No system starts packets with so low a TTL, but traceroute does (p0f's smallest is 32). */
#define TRACEROUTE_TTL 30
#define ICMP_LOOKED_AT 64

static bool is_prohibited(const struct icmp_record *r)
{
    if (r->family == 6)
        return r->type == 1 && (r->code == 1 || r->code == 5 || r->code == 6);
    return r->type == 3 && (r->code == 9 || r->code == 10 || r->code == 13);
}

static bool is_unreachable(const struct icmp_record *r)
{
    if (r->family == 6)
        return r->type == 1 && (r->code == 0 || r->code == 3 || r->code == 4);
    return r->type == 3 && r->code != 4 && !is_prohibited(r);
}

static bool is_exceeded(const struct icmp_record *r)
{
    return r->family == 6 ? r->type == 3 && r->code == 0 : r->type == 11 && r->code == 0;
}

/* The host or its network cannot be reached, as opposed to a port that is closed. */
static bool is_route_fault(const struct icmp_record *r)
{
    return r->family == 6 ? r->code == 0 || r->code == 3 : r->code <= 1;
}

/* Bytes of an open connection that the side sent again and that were never acknowledged, although the
 * other had not left before. */
static bool is_undelivered(const struct flow_facts *f, enum side side, int64_t ns)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    enum side peer = side_other(side);
    return s->unacked_bytes > 0 && s->tail_retransmissions > 0 && ns >= s->tail_first_ns &&
           (side == SIDE_CLIENT || facts_end_ns(f, peer) < 0 ||
            facts_gave_up(f, peer, s->tail_first_ns));
}

bool verdict_is_synack_loop(const struct flow_tcp_record *t)
{
    return t->synack_count >= 2 && t->syn_count >= 2 && t->syn_last_ns > t->synack_first_ns;
}

/* Forged ones are ignored (RFC 5927 4). On an open connection ICMP is a hint (RFC 1122 4.2.3.9): it
 * counts only for bytes that were never answered. */
static const struct icmp_record *find_icmp(const struct site_flow *flow,
                                           bool (*wanted)(const struct icmp_record *))
{
    const struct flow_facts *f = &flow->f;
    bool open = facts_is_established(f) || facts_is_midstream(f);
    uint32_t count = flow->icmp_count < ICMP_LOOKED_AT ? flow->icmp_count : ICMP_LOOKED_AT;
    for (uint32_t i = 0; i < count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if (!wanted(r) || !r->sequence_fits || r->quoted_side > SIDE_SERVER)
            continue;
        enum side side = (enum side)r->quoted_side;
        if (open                  ? is_undelivered(f, side, r->time_ns)
            : side == SIDE_SERVER ? verdict_is_synack_loop(f->tcp)
                                  : r->quotes_syn)
            return r;
    }
    return NULL;
}

void verdict_describe_icmp(struct judge *judge, const struct site_flow *flow,
                           const struct icmp_record *r, struct claim *out)
{
    char text[ADDRESS_TEXT_SIZE];
    struct arena *arena = &judge->site->arena;
    int64_t asked_ns = flow->f.tcp->syn_last_ns >= 0 && flow->f.tcp->syn_last_ns <= r->time_ns
                           ? flow->f.tcp->syn_last_ns
                           : flow->f.first_ns;
    claim_add_text(out, "router", arena_format(arena, "%s", address_to_text(&r->router_ip, text)));
    if (out->code != FINDING_PATH_LOOP) {
        claim_add_text(
            out, "icmp",
            arena_format(arena, "%s %u/%u", r->family == 6 ? "ICMPv6" : "ICMP", r->type, r->code));
        if (facts_is_established(&flow->f) || facts_is_midstream(&flow->f) ||
            r->quoted_side == SIDE_SERVER)
            claim_add_text(out, "toward",
                           r->quoted_side == SIDE_SERVER ? "client" : "server");
        else if (r->flow_id == flow->f.id)
            claim_add_ms(out, "reply_ms", r->time_ns - asked_ns);
    }
    claim_add_reference(out, r->source_id, r->frame, r->time_ns, EVENT_ICMP);
    out->evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_ICMP);
    out->confidence = 95;
}

static enum ruling rule_on_loop(struct judge *judge, const struct site_flow *flow,
                                struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct icmp_record *r = find_icmp(flow, is_exceeded);
    bool short_lived =
        r != NULL && f->ttl[r->quoted_side] > 0 && f->ttl[r->quoted_side] <= TRACEROUTE_TTL;
    if (short_lived && r->quoted_side == SIDE_SERVER)
        return RULING_PASS; /* its own TTL, no loop: the rule about its SYN-ACKs */
    if (facts_has(f, FLOW_FACT_TRACEROUTE) || short_lived)
        return RULING_UNSOLICITED;
    if (r == NULL && !facts_has(f, FLOW_FACT_LOOPED))
        return RULING_PASS;
    if (r == NULL && f->packets[SIDE_SERVER] > 0)
        return RULING_PASS;
    *out = claim_start(FINDING_PATH_LOOP, flow);
    out->evidence = EVIDENCE(EVENT_SYN);
    if (r != NULL)
        verdict_describe_icmp(judge, flow, r, out);
    return RULING_FAILED;
}

/* What an ICMP error says about the flow, its own or one like it. */
static enum ruling rule_on_icmp(struct judge *judge, const struct site_flow *flow,
                                const struct icmp_record *r, struct claim *out)
{
    bool to_client = r->quoted_side == SIDE_SERVER, prohibited = is_prohibited(r);
    const struct site_host *meant = to_client ? flow->client : flow->server;
    *out = claim_start(
        prohibited ? FINDING_CONN_ICMP_PROHIBITED : FINDING_CONN_ICMP_UNREACHABLE, flow);
    out->culprit = address_equal(&r->router_ip, &meant->address)
                       ? (to_client ? CULPRIT_CLIENT : CULPRIT_SERVER)
                   : !prohibited && is_route_fault(r) ? CULPRIT_NETWORK
                                                       : CULPRIT_MIDDLEBOX;
    verdict_describe_icmp(judge, flow, r, out);
    return RULING_FAILED;
}

enum ruling verdict_icmp(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    if (facts_is_established(&flow->f) && flow->icmp_count == 0)
        return RULING_PASS;
    const struct icmp_record *r = find_icmp(flow, is_prohibited);
    if (r == NULL)
        r = find_icmp(flow, is_unreachable);
    return r != NULL ? rule_on_icmp(judge, flow, r, out) : rule_on_loop(judge, flow, out);
}

/* Routers limit the rate of their errors (RFC 1812 4.3.2.8): what they say of one SYN holds for the
 * next one of the same client to the same place. */
#define TWIN_NS (10 * FACTS_SECOND)
#define TWINS_LOOKED_AT 256

static const struct icmp_record *find_icmp_of_twin(const struct site_flow *flow)
{
    struct flow_range range = flow->pair->flows;
    size_t at = range_find_time(range, flow->f.first_ns - TWIN_NS);
    for (size_t seen = 0; at < range.count && seen < TWINS_LOOKED_AT; at++, seen++) {
        const struct site_flow *twin = range.flows[at];
        if (twin->f.first_ns > flow->f.last_ns + TWIN_NS)
            return NULL;
        if (twin == flow || !facts_is_unanswered_syn(&twin->f))
            continue;
        const struct icmp_record *r = find_icmp(twin, is_unreachable);
        if (r != NULL && (is_route_fault(r) || twin->service == flow->service))
            return r;
        r = find_icmp(twin, is_prohibited);
        if (r != NULL && twin->service == flow->service)
            return r;
    }
    return NULL;
}

/* An error follows its packet within this. */
#define ICMP_FOLLOWS_NS (2 * FACTS_SECOND)
/* Another port of the same server may be meant. */
#define CUT_ICMP_CONFIDENCE 70

/* Those of no flow stand first, by time. */
static size_t first_cut_icmp(const struct site *site, int64_t from_ns)
{
    size_t low = 0, high = site->icmp_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct icmp_record *r = site->icmp[middle];
        if (r->flow_id == 0 && r->time_ns < from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct icmp_record *verdict_cut_icmp(const struct judge *judge, const struct site_flow *flow,
                                           bool (*wanted)(const struct icmp_record *))
{
    const struct site *site = judge->site;
    size_t at = first_cut_icmp(site, flow->f.first_ns);
    for (size_t seen = 0; at < site->icmp_count && seen < TWINS_LOOKED_AT; at++, seen++) {
        const struct icmp_record *r = site->icmp[at];
        if (r->flow_id != 0 || r->time_ns > flow->f.last_ns + ICMP_FOLLOWS_NS)
            return NULL;
        if (r->client_port == 0 && r->server_port == 0 && r->protocol == flow->f.protocol && wanted(r) &&
            address_equal(&r->client_ip, &flow->client->address) &&
            address_equal(&r->server_ip, &flow->server->address))
            return r;
    }
    return NULL;
}

static const struct icmp_record *find_cut_icmp(const struct judge *judge, const struct site_flow *flow)
{
    const struct icmp_record *r = verdict_cut_icmp(judge, flow, is_prohibited);
    return r != NULL ? r : verdict_cut_icmp(judge, flow, is_unreachable);
}

enum ruling verdict_icmp_of_others(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct icmp_record *told = find_icmp_of_twin(flow), *cut = NULL;
    if (told == NULL)
        told = cut = find_cut_icmp(judge, flow);
    if (told == NULL)
        return RULING_PASS;
    enum ruling ruling = rule_on_icmp(judge, flow, told, out);
    out->confidence = cut != NULL ? CUT_ICMP_CONFIDENCE : 80;
    return ruling;
}

const struct icmp_record *verdict_find_exceeded(const struct site_flow *flow)
{
    return find_icmp(flow, is_exceeded);
}
