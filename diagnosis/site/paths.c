/* What a path did as a whole, whatever its connections say each: outages, other routes, reachable
 * by turns, one direction only, a smaller MTU that was made known, who answers the handshake. */
#include "core/sort.h"
#include "diagnosis/site/mtu.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>
#include <string.h>

/* FINDINGS.md path-flapping. */
#define FLAPPING_CHANGES 3
/* FINDINGS.md path-asymmetric: for part of the paths; most of a prefix pair, several connections. */
#define ASYMMETRIC_FLOWS 3
#define ASYMMETRIC_SHARE 0.8
/* A SYN-ACK that comes so much quicker than any answer to data was given by something nearer:
 * delayed acknowledgments alone make a factor on short ways, hence the difference as well. */
#define PROXY_FACTOR 4
#define PROXY_LEAST_NS (10 * FACTS_MS)
#define PROXY_CONNECTIONS 3
/* FINDINGS.md conn-paws-drop needs both kinds. */
#define PAWS_LEAST 2

static struct claim start(enum finding_code code, const struct site_flow *flow)
{
    struct claim claim = claim_start(code, flow);
    claim.client_port = claim.server_port = 0;
    return claim;
}

static struct claim_reference reference_to(int64_t source_id, int64_t frame, int64_t time_ns)
{
    return (struct claim_reference){source_id, frame, time_ns, NULL};
}

static void refer(struct claim *claim, struct claim_reference at, enum event_kind kind)
{
    claim_add_reference(claim, at.source_id, at.frame, at.time_ns, kind);
}

/* ---- outages --------------------------------------------------------------------------------- */

/* A connection that was open before and behind that moment. */
static const struct site_flow *flow_over(const struct site_pair *pair, int64_t from_ns,
                                         int64_t to_ns)
{
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        if (facts_is_tcp(&flow->f) && flow->f.first_ns <= from_ns && flow->f.last_ns >= to_ns)
            return flow;
    }
    return NULL;
}

/* The silent host was heard elsewhere meanwhile, and is not known to have been away: a connection with another peer
 * began then, by the client, or began and ended, with answers of the server. */
static bool was_awake(const struct judge *judge, const struct site_flow *silent,
                      const struct path_sample_record *path)
{
    bool server = path->outage_side == SIDE_SERVER;
    struct flow_range range = server ? site_server_flows(judge->site, silent->server)
                                     : site_client_flows(judge->site, silent->client);
    for (size_t i = range_find_time(range, path->outage_first_ns);
         i < range.count && range.flows[i]->f.first_ns < path->outage_last_ns; i++) {
        const struct site_flow *other = range.flows[i];
        if (other->pair != silent->pair && facts_is_two_sided(&other->f) &&
            other->f.first_ns > path->outage_first_ns &&
            (!server || other->f.last_ns < path->outage_last_ns))
            return true;
    }
    return false;
}

/* Outages that were told: one of several clients of a network is the same on each of their paths. */
struct told {
    const struct path_sample_record *at[16];
    size_t count;
};

static bool was_told(struct told *told, const struct path_sample_record *path)
{
    for (size_t i = 0; i < told->count && i < 16; i++) {
        const struct path_sample_record *p = told->at[i];
        if (p->outage_first_ns == path->outage_first_ns &&
            p->outage_last_ns == path->outage_last_ns && p->outage_side == path->outage_side &&
            address_equal(&p->server_ip, &path->server_ip))
            return true;
    }
    told->at[told->count++ % 16] = path;
    return false;
}

static void find_outage(struct judge *judge, const struct site_pair *pair, struct told *told)
{
    const struct path_sample_record *path = pair->path;
    if (path->outages == 0)
        return;
    const struct site_flow *flow = flow_over(pair, path->outage_first_ns, path->outage_last_ns);
    if (flow == NULL || judge_is_withdrawn(judge, FINDING_PATH_OUTAGE, flow) ||
        judge_capture_end(judge, path->outage_first_ns) < path->outage_last_ns || was_told(told, path))
        return;
    struct claim claim = start(FINDING_PATH_OUTAGE, flow);
    claim.confidence = was_awake(judge, flow, path) ? 85 : 65; /* a machine may be paused */
    claim.count = path->outages;
    claim.first_ns = path->outage_first_ns;
    claim.last_ns = path->outage_last_ns;
    claim.weight = (double)path->outage_ns;
    claim_add_ms(&claim, "duration_ms", path->outage_ns);
    claim_add_number(&claim, "connections", path->outage_connections);
    claim_add_text(&claim, "silent", path->outage_side == SIDE_SERVER ? "server" : "client");
    claim.evidence = EVIDENCE(EVENT_RETRANSMISSION);
    claim.evidence_from_ns = path->outage_first_ns;
    refer(&claim, reference_to(path->outage_source_id, path->outage_frame, path->outage_last_ns),
          EVENT_ACK);
    judge_claim(judge, &claim);
}

/* ---- another way ----------------------------------------------------------------------------- */

static void find_ttl_change(struct judge *judge, const struct site_pair *pair, enum side side)
{
    const struct path_side *s = &pair->path->side[side];
    /* To and fro within connections is how some load balancers hand over: it did not stay. */
    if (s->ttl_changes != 1 || pair->flows.count == 0)
        return;
    const struct site_flow *flow = flow_over(pair, s->ttl_changed_ns, s->ttl_changed_ns);
    if (flow == NULL || judge_is_withdrawn(judge, FINDING_PATH_TTL_CHANGE, flow))
        return;
    struct claim claim = start(FINDING_PATH_TTL_CHANGE, flow);
    char text[ADDRESS_TEXT_SIZE];
    const struct address *host =
        side == SIDE_SERVER ? &pair->path->server_ip : &pair->path->client_ip;
    claim.confidence = 80;
    claim.count = s->ttl_changes;
    claim.first_ns = s->ttl_changed_ns;
    claim_add_text(&claim, "host",
                   arena_format(&judge->site->arena, "%s", address_to_text(host, text)));
    claim_add_number(&claim, "before_ttl", s->ttl_before);
    claim_add_number(&claim, "after_ttl", s->ttl);
    refer(&claim, reference_to(s->ttl_source_id, s->ttl_changed_frame, s->ttl_changed_ns),
          EVENT_DATA);
    judge_claim(judge, &claim);
}

/* ---- reachable by turns ---------------------------------------------------------------------- */

enum reach { REACH_NONE, REACH_YES, REACH_NO };

/* Other connections of the server that are looked at. */
#define OTHERS_MOST 256

/* The server itself was heard on another connection in that time: what clients send counts not. */
static bool was_heard(const struct judge *judge, const struct site_flow *flow, int64_t from_ns,
                      int64_t to_ns)
{
    struct flow_range range = site_server_flows(judge->site, flow->server);
    size_t count = range_find_time(range, to_ns);
    for (size_t looked = 0; count > 0 && looked < OTHERS_MOST; looked++) {
        const struct site_flow *other = range.flows[--count];
        int64_t heard_ns = other->f.tcp->side[SIDE_SERVER].last_ns;
        if (heard_ns < 0 && other->f.packets[SIDE_SERVER] > 0)
            heard_ns = other->f.last_ns;
        if (other != flow && heard_ns >= from_ns)
            return true;
    }
    return false;
}

/* One lost SYN is no outage, and while others of the server are answered it is reachable. */
static enum reach reach_of(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_is_tcp(f))
        return REACH_NONE;
    if (facts_is_established(f))
        return REACH_YES;
    if (!facts_is_unanswered_syn(f) || f->tcp->syn_count < FACTS_TRIES || flow->icmp_count > 0)
        return REACH_NONE;
    return was_heard(judge, flow, f->first_ns, f->tcp->syn_last_ns) ? REACH_NONE : REACH_NO;
}

static void find_flapping(struct judge *judge, const struct site_pair *pair)
{
    const struct site_flow *missed = NULL;
    enum reach before = REACH_NONE;
    uint32_t changes = 0;
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        enum reach now = reach_of(judge, flow);
        if (now == REACH_NONE || judge_is_withdrawn(judge, FINDING_PATH_FLAPPING, flow))
            continue;
        changes += before != REACH_NONE && now != before;
        before = now;
        if (now == REACH_NO)
            missed = flow;
    }
    if (changes < FLAPPING_CHANGES || missed == NULL)
        return;
    struct claim claim = start(FINDING_PATH_FLAPPING, missed);
    claim.confidence = 70;
    claim.first_ns = pair->flows.flows[0]->f.first_ns;
    claim_add_number(&claim, "changes", changes);
    claim.evidence = EVIDENCE(EVENT_SYN);
    judge_claim(judge, &claim);
}

/* ---- a smaller MTU, made known --------------------------------------------------------------- */

/* The sender went on with what fits: nothing of it is left unanswered. */
static bool adapted(const struct flow_facts *f, const struct icmp_record *r)
{
    const struct tcp_side_facts *s = &f->tcp->side[r->quoted_side];
    return facts_is_tcp(f) && s->tail_retransmissions == 0 && s->unacked_bytes == 0 &&
           f->last_ns > r->time_ns;
}

static void find_reduced(struct judge *judge, const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        char text[ADDRESS_TEXT_SIZE];
        if (!mtu_is_named(r) || !adapted(&flow->f, r))
            continue;
        struct claim claim = start(FINDING_PATH_MTU_REDUCED, flow);
        claim_add_number(&claim, "mtu", r->mtu);
        claim_add_text(&claim, "router",
                       arena_format(&judge->site->arena, "%s",
                                    address_to_text(&r->router_ip, text)));
        claim_add_text(&claim, "tunnel", mtu_tunnels(judge, r->mtu, r->mtu + 1));
        refer(&claim, reference_to(r->source_id, r->frame, r->time_ns), EVENT_ICMP);
        judge_claim(judge, &claim);
        return;
    }
}

/* ---- one direction only ---------------------------------------------------------------------- */

struct prefix_pair {
    struct address client, server; /* the host part is zero */
    size_t seen, one_way;
    const struct site_flow *worst;
};

/* The usual size of a network: /24, /64. */
static struct address prefix_of(const struct address *a)
{
    struct address prefix = *a;
    size_t kept = a->family == 6 ? 8 : 3, len = a->family == 6 ? 16 : 4;
    memset(prefix.bytes + kept, 0, len - kept);
    return prefix;
}

static const char *prefix_text(struct judge *judge, const struct prefix_pair *p)
{
    char client[ADDRESS_TEXT_SIZE], server[ADDRESS_TEXT_SIZE];
    unsigned bits = p->client.family == 6 ? 64 : 24;
    return arena_format(&judge->site->arena, "%s/%u - %s/%u", address_to_text(&p->client, client),
                        bits, address_to_text(&p->server, server), bits);
}

static int compare_prefixes(const void *left, const void *right)
{
    const struct prefix_pair *a = left, *b = right;
    int order = address_compare(&a->client, &b->client);
    return order != 0 ? order : address_compare(&a->server, &b->server);
}

static size_t collect_prefixes(const struct site *site, struct prefix_pair *list)
{
    size_t count = 0;
    for (size_t i = 0; i < site->pair_count; i++) {
        const struct flow_range *range = &site->pairs[i].flows;
        struct prefix_pair p = {.client = prefix_of(&range->flows[0]->client->address),
                                .server = prefix_of(&range->flows[0]->server->address)};
        for (size_t j = 0; j < range->count; j++) {
            const struct site_flow *flow = range->flows[j];
            if (!facts_is_tcp(&flow->f))
                continue;
            bool one_way = facts_has(&flow->f, FLOW_FACT_UNSEEN_PEER);
            p.one_way += one_way;
            p.seen += facts_is_two_sided(&flow->f);
            if (one_way && p.worst == NULL)
                p.worst = flow;
        }
        if (p.one_way + p.seen > 0)
            list[count++] = p;
    }
    if (count > 1)
        sort_rows(list, count, sizeof *list, compare_prefixes);
    return count;
}

static void claim_asymmetric(struct judge *judge, const struct prefix_pair *p)
{
    size_t all = p->one_way + p->seen;
    if (p->one_way < ASYMMETRIC_FLOWS || (double)p->one_way < ASYMMETRIC_SHARE * (double)all ||
        judge_is_withdrawn(judge, FINDING_PATH_ASYMMETRIC, p->worst))
        return;
    struct claim claim = start(FINDING_PATH_ASYMMETRIC, p->worst);
    claim.confidence = 85;
    claim.count = (int64_t)p->one_way;
    claim_add_number(&claim, "share", 100.0 * (double)p->one_way / (double)all);
    claim_add_text(&claim, "prefix", prefix_text(judge, p));
    claim.evidence = EVIDENCE(EVENT_ACK) | EVIDENCE(EVENT_DATA);
    judge_claim(judge, &claim);
}

/* Where everything is one-way, capture-one-sided says it. */
static void find_asymmetric(struct judge *judge)
{
    const struct site *site = judge->site;
    struct prefix_pair *list = malloc((site->pair_count + 1) * sizeof *list);
    if (list == NULL) {
        judge->failed = true;
        return;
    }
    size_t count = collect_prefixes(site, list), seen = 0;
    for (size_t i = 0; i < count; i++)
        seen += list[i].seen;
    for (size_t i = 0; seen > 0 && i < count;) {
        struct prefix_pair sum = list[i];
        size_t next = i + 1;
        for (; next < count && compare_prefixes(&list[i], &list[next]) == 0; next++) {
            sum.seen += list[next].seen;
            sum.one_way += list[next].one_way;
            sum.worst = sum.worst != NULL ? sum.worst : list[next].worst;
        }
        claim_asymmetric(judge, &sum);
        i = next;
    }
    free(list);
}

/* ---- who answers the handshake --------------------------------------------------------------- */

static bool lacks_options(const struct path_side *s)
{
    return (s->scale_missing == s->syns && s->scale_missing > 0) ||
           (s->sack_missing == s->syns && s->sack_missing > 0) ||
           (s->timestamps_missing == s->syns && s->timestamps_missing > 0);
}

/* The time alone proves nothing: servers delay acknowledgments. Distance or options must agree. */
static void find_syn_proxy(struct judge *judge, const struct site_pair *pair)
{
    const struct path_side *s = &pair->path->side[SIDE_SERVER];
    int64_t handshake_ns = RECORD_NONE_NS;
    const struct site_flow *quick = NULL;
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        int64_t rtt_ns = flow->f.connect_rtt_server_ns;
        if (!facts_is_tcp(&flow->f) || rtt_ns < 0 || rtt_ns >= s->rtt_data_min_ns / PROXY_FACTOR)
            continue;
        if (handshake_ns < 0 || rtt_ns < handshake_ns) {
            handshake_ns = rtt_ns;
            quick = flow;
        }
    }
    bool elsewhere = s->syn_ttl_differs == s->syns || lacks_options(s);
    if (quick == NULL || s->syns < PROXY_CONNECTIONS || !elsewhere ||
        s->rtt_data_min_ns - handshake_ns < PROXY_LEAST_NS ||
        judge_is_withdrawn(judge, FINDING_CONN_SYN_PROXY, quick))
        return;
    struct claim claim = claim_start(FINDING_CONN_SYN_PROXY, quick);
    claim.confidence = s->syn_ttl_differs == s->syns ? 80 : 60;
    claim_add_ms(&claim, "handshake_rtt_ms", handshake_ns);
    claim_add_ms(&claim, "data_rtt_ms", s->rtt_data_min_ns);
    claim.evidence = EVIDENCE(EVENT_SYNACK);
    judge_claim(judge, &claim);
}

static void find_paws(struct judge *judge, const struct site_pair *pair)
{
    const struct path_sample_record *path = pair->path;
    if (path->old_stamp_silent < PAWS_LEAST || path->new_stamp_answered < PAWS_LEAST ||
        path->old_stamp_answered > 0 || path->new_stamp_silent > 0)
        return;
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        const struct flow_tcp_record *t = flow->f.tcp;
        if (!facts_is_unanswered_syn(&flow->f) || !t->old_timestamp ||
            t->syn_count < FACTS_TRIES ||
            judge_is_withdrawn(judge, FINDING_CONN_PAWS_DROP, flow) ||
            !judge_absence_holds(judge, flow, flow->f.first_ns))
            continue;
        struct claim claim = claim_start(FINDING_CONN_PAWS_DROP, flow);
        claim.confidence = 75;
        claim.severity = SEVERITY_LOW; /* no lab has seen such a kernel: the SYNs in vain are told anyway */
        claim_add_number(&claim, "attempts", t->syn_count);
        claim_add_ms(&claim, "waited_ms", t->syn_last_ns - flow->f.first_ns);
        claim.evidence = EVIDENCE(EVENT_SYN);
        judge_claim(judge, &claim);
    }
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    struct told told = {.count = 0};
    for (size_t i = 0; i < site->pair_count; i++) {
        const struct site_pair *pair = &site->pairs[i];
        find_flapping(judge, pair);
        if (pair->path == NULL)
            continue;
        find_outage(judge, pair, &told);
        find_ttl_change(judge, pair, SIDE_CLIENT);
        find_ttl_change(judge, pair, SIDE_SERVER);
        find_syn_proxy(judge, pair);
        find_paws(judge, pair);
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        if (site->flows[i]->icmp_count > 0)
            find_reduced(judge, site->flows[i]);
        stamps_tell_delay(judge, site->flows[i]);
    }
    find_asymmetric(judge);
}

const struct detector detector_paths = {"paths", detect};
