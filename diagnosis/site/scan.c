/* Port scans and sweeps: one source, many ports of a host, many hosts on a port, or many hosts asked
 * for an echo, mostly in vain. Their attempts become unsolicited and raise nothing else. */
#include "diagnosis/site/judge.h"

#include <stdlib.h>

/* FINDINGS.md: >= 15 ports of a host, or >= 15 hosts on a port, within 60 s. */
#define SCAN_TARGETS 15
#define SCAN_WINDOW_NS (60 * FACTS_SECOND)
/* "Mostly unanswered or refused". */
#define SCAN_VAIN_SHARE 0.7
#define SCAN_ANSWER_NS FACTS_SECOND
/* A client that wants a service tries it again; a scanner goes on to the next. Packets for one target
 * from which on it is the former: Linux sends 3 SYNs within 4 s, port scanners ask again once or twice. */
#define SCAN_HOST_TRIES 3
#define SCAN_PORT_TRIES 5
/* Datagrams are often left without an answer: so many of the attempts were refused by ICMP. */
#define SCAN_REFUSED_SHARE 0.3
#define SCAN_DATAGRAMS 3
/* Programs that sweep ask for an echo up to four times; who watches over hosts goes on asking. */
#define SCAN_ECHO_TRIES 5
#define ECHO_REQUEST 8
#define ECHO_REQUEST_6 128
/* What comes from there is an answer whose question was not seen. */
#define SCAN_CLIENT_PORT 1024
#define PORTS_MOST 65535u

struct scan {
    bool (*same)(const struct site_flow *, const struct site_flow *); /* one suspect */
    uint32_t (*target)(const struct site_flow *); /* what is counted: port or host */
    flow_key *key;                                /* the suspect */
    bool (*is_attempt)(const struct site_flow *);
    bool (*is_vain)(const struct judge *, const struct site_flow *);
    uint8_t protocol;
    bool of_ports;
    uint32_t tries; /* for one target: no scan */
};

/* ---- TCP ------------------------------------------------------------------------------------- */

/* FIN, NULL and Xmas probes: no stack sends a segment without ACK into a connection. */
static bool is_stray(const struct site_flow *flow)
{
    return facts_has(&flow->f, FLOW_FACT_STRAY);
}

/* An attempt as scanners make them: no byte of data. */
static bool is_connect(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (f->payload[0] > 0 || f->payload[1] > 0)
        return false;
    return is_stray(flow) || (f->tcp->syn_count > 0 && !facts_is_midstream(f) &&
                              !facts_has(f, FLOW_FACT_UNSEEN_PEER));
}

/* Unanswered, refused, or torn down before it was open. In the last moment of a capture nothing is
 * answered yet, and who insists has not come to it: a busy balancer would look like a scanner. */
static bool is_vain_connect(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    if (facts_is_established(f))
        return false;
    if (t->rst_to_syn || is_stray(flow))
        return true;
    if (t->synack_count > 0)
        return t->side[SIDE_CLIENT].rst_ns >= 0;
    int64_t tried = t->syn_last_ns > f->first_ns ? t->syn_last_ns - f->first_ns : 0;
    int64_t next = tried + 2 * tried + SCAN_ANSWER_NS; /* timers double */
    return judge_capture_end(judge, f->first_ns) - f->first_ns >= next;
}

/* ---- UDP ------------------------------------------------------------------------------------- */

static bool is_datagram_probe(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return f->packets[SIDE_CLIENT] <= SCAN_DATAGRAMS && f->packets[SIDE_SERVER] == 0 &&
           f->port[SIDE_CLIENT] >= SCAN_CLIENT_PORT && f->port[SIDE_SERVER] != 0 &&
           !facts_has(f, FLOW_FACT_TRACEROUTE);
}

/* RFC 792 type 3, RFC 4443 type 1: refused there, or forbidden on the way. */
static bool was_refused(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if (r->type == (r->family == 4 ? 3 : 1))
            return true;
    }
    return false;
}

static bool is_vain_datagram(const struct judge *judge, const struct site_flow *flow)
{
    (void)judge;
    (void)flow;
    return true;
}

/* Refused by the host itself: a filter that lets no question out refuses a resolver's, too. */
static bool was_refused_there(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        bool port = r->family == 4 ? r->type == 3 && r->code == 3 : r->type == 1 && r->code == 4;
        if (port && address_equal(&r->router_ip, &flow->server->address))
            return true;
    }
    return false;
}

/* ---- echo ------------------------------------------------------------------------------------ */

static bool is_echo(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    uint16_t type = f->protocol == FACTS_PROTOCOL_ICMP ? ECHO_REQUEST : ECHO_REQUEST_6;
    return f->port[SIDE_CLIENT] == type && f->packets[SIDE_CLIENT] < SCAN_ECHO_TRIES &&
           !facts_has(f, FLOW_FACT_TRACEROUTE);
}

static bool is_vain_echo(const struct judge *judge, const struct site_flow *flow)
{
    (void)judge;
    return flow->f.packets[SIDE_SERVER] == 0;
}

/* ---- suspects -------------------------------------------------------------------------------- */

static bool same_pair(const struct site_flow *a, const struct site_flow *b)
{
    return a->pair == b->pair;
}

static bool same_client_port(const struct site_flow *a, const struct site_flow *b)
{
    return a->client == b->client && a->f.port[SIDE_SERVER] == b->f.port[SIDE_SERVER];
}

static uint32_t target_port(const struct site_flow *flow)
{
    return flow->f.port[SIDE_SERVER];
}

static uint32_t target_host(const struct site_flow *flow)
{
    return flow->server->number;
}

static uint64_t pair_key(const void *row)
{
    const struct site_flow *flow = row;
    return (uint64_t)flow->client->number << 32 | flow->server->number;
}

static uint64_t client_port_key(const void *row)
{
    const struct site_flow *flow = row;
    return (uint64_t)flow->client->number << 16 | flow->f.port[SIDE_SERVER];
}

/* What a connection of the suspect is to the question: one of curiosity, or its usual work, of which
 * only the number counts. */
struct suspect {
    const struct scan *scan;
    struct flow_range flows;
    bool *curious; /* beside flows */
};

static uint32_t tries_of(const struct scan *scan, const struct site_flow *flow)
{
    if (!scan->is_attempt(flow))
        return scan->tries; /* it was served there: a known one */
    if (scan->protocol == FACTS_PROTOCOL_UDP)
        return 0;
    if (scan->protocol != FACTS_PROTOCOL_TCP)
        return (uint32_t)flow->f.packets[SIDE_CLIENT];
    return flow->f.tcp->syn_count > 0 ? flow->f.tcp->syn_count : 1;
}

/* IPv4 /16, IPv6 /32. */
static uint32_t network_of(const struct site_flow *flow)
{
    const uint8_t *b = flow->server->address.bytes;
    return flow->server->address.family == 4 ? (uint32_t)(b[0] << 8 | b[1])
                                             : (uint32_t)((b[0] << 8 | b[1]) ^ (b[2] << 8 | b[3]));
}

/* Nobody of all that it seeks, in as many unrelated networks, is there: a worm insists like a client,
 * but no client has its servers so. */
static bool is_worm(const struct suspect *s, uint32_t *seen)
{
    size_t networks = 0, in_vain = 0;
    for (size_t i = 0; i < s->flows.count; i++) {
        in_vain += s->scan->is_attempt(s->flows.flows[i]) &&
                   !facts_is_established(&s->flows.flows[i]->f);
        networks += seen[network_of(s->flows.flows[i])]++ == 0;
    }
    for (size_t i = 0; i < s->flows.count; i++)
        seen[network_of(s->flows.flows[i])] = 0;
    return !s->scan->of_ports && in_vain == s->flows.count && networks >= 2 * SCAN_TARGETS;
}

/* seen counts per target and is all zero before and after. */
static void mark_curious(const struct suspect *s, uint32_t *seen)
{
    bool worm = is_worm(s, seen);
    for (size_t i = 0; i < s->flows.count; i++) {
        uint32_t *tries = &seen[s->scan->target(s->flows.flows[i])];
        uint32_t more = tries_of(s->scan, s->flows.flows[i]);
        *tries = *tries + more < s->scan->tries ? *tries + more : s->scan->tries;
    }
    for (size_t i = 0; i < s->flows.count; i++)
        s->curious[i] = worm || seen[s->scan->target(s->flows.flows[i])] < s->scan->tries;
    for (size_t i = 0; i < s->flows.count; i++)
        seen[s->scan->target(s->flows.flows[i])] = 0;
}

struct window {
    size_t start, distinct, vain;
};

static void window_change(const struct judge *judge, const struct suspect *s, struct window *w,
                          size_t at, uint32_t *seen, bool enters)
{
    struct site_flow *flow = s->flows.flows[at];
    uint32_t *count = &seen[s->scan->target(flow)];
    if (!s->curious[at])
        return;
    size_t step = enters ? 1 : SIZE_MAX; /* adds one or takes one away */
    if (s->scan->is_vain(judge, flow))
        w->vain += step;
    if (enters)
        w->distinct += (*count)++ == 0;
    else
        w->distinct -= --*count == 0;
}

/* Distinct targets in a sliding window over the flows of one suspect. *part becomes the run of flows
 * in windows that hold a scan: what the source tried long before or after is its own matter. */
static size_t count_targets(const struct judge *judge, const struct suspect *s, uint32_t *seen,
                            size_t *first, size_t *last)
{
    struct window w = {0};
    struct site_flow *const *flows = s->flows.flows;
    size_t best = 0;
    *first = s->flows.count;
    *last = 0;
    for (size_t i = 0; i < s->flows.count; i++) {
        window_change(judge, s, &w, i, seen, true);
        while (flows[i]->f.first_ns - flows[w.start]->f.first_ns > SCAN_WINDOW_NS)
            window_change(judge, s, &w, w.start++, seen, false);
        bool mostly = (double)w.vain >= SCAN_VAIN_SHARE * (double)(i + 1 - w.start);
        if (mostly && w.distinct > best)
            best = w.distinct;
        if (mostly && w.distinct >= SCAN_TARGETS) {
            *first = w.start < *first ? w.start : *first;
            *last = i + 1;
        }
    }
    for (; w.start < s->flows.count; w.start++)
        seen[s->scan->target(flows[w.start])] = 0;
    return best;
}

/* The same scan beyond the attempts that were kept one by one; returns its further targets. */
static size_t add_swarm(const struct judge *judge, const struct scan *scan,
                        const struct site_flow *last, struct claim *claim, int64_t *begun_ns)
{
    const struct swarm_record *more =
        site_find_swarm(judge->site, SWARM_SOURCE, last->f.protocol, &last->client->address, 0);
    if (more == NULL || more->first_ns > last->f.first_ns + SCAN_WINDOW_NS ||
        more->last_ns < claim->first_ns || (scan->of_ports ? more->servers : more->ports) > 1)
        return 0;
    claim->count += more->attempts;
    if (more->last_ns > claim->last_ns)
        claim->last_ns = more->last_ns;
    if (more->last_ns > *begun_ns)
        *begun_ns = more->last_ns;
    claim_add_reference(claim, more->source_id, more->first_frame, more->first_ns, EVENT_SYN);
    return (size_t)(scan->of_ports ? more->ports : more->servers);
}

static void claim_scan(struct judge *judge, const struct scan *scan, struct flow_range range,
                       size_t targets)
{
    const struct site_flow *first = range.flows[0], *last = range.flows[range.count - 1];
    struct claim claim = claim_start(FINDING_SEC_PORT_SCAN, first);
    claim.flows = range.flows;
    claim.flow_count = range.count;
    claim.count = (int64_t)range.count;
    claim.last_ns = last->f.last_ns;
    claim.name = NULL;
    int64_t begun_ns = last->f.first_ns;
    size_t further = add_swarm(judge, scan, last, &claim, &begun_ns);
    targets += further;
    if (scan->of_ports && targets > PORTS_MOST)
        targets = PORTS_MOST;
    claim.weight = (double)targets;
    if (scan->of_ports)
        claim.server_port = 0;
    else
        claim.server_ip = (struct address){0};
    bool echo = scan->is_attempt == is_echo;
    if (!echo)
        claim_add_number(&claim, "ports", scan->of_ports ? (double)targets : 1);
    else
        claim.server_port = 0;
    claim_add_number(&claim, "hosts", scan->of_ports ? 1 : (double)targets);
    claim_add_ms(&claim, "duration_ms", begun_ns - first->f.first_ns);
    if (further > 0) /* what was counted together is an estimate */
        claim_add_number(&claim, scan->of_ports ? "about_ports" : "about_hosts", 1);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
    claim.confidence = targets >= 2 * SCAN_TARGETS ? 90 : 80;
    judge_claim(judge, &claim);
    for (size_t i = 0; i < range.count; i++)
        range.flows[i]->outcome = OUTCOME_UNSOLICITED;
}

/* Echoes of which none comes back may be filtered: then who watches over hosts looks the same. */
static bool is_told_enough(const struct scan *scan, struct flow_range range)
{
    size_t refused = 0, answered = 0;
    if (scan->protocol == FACTS_PROTOCOL_TCP)
        return true;
    for (size_t i = 0; i < range.count; i++) {
        const struct site_flow *flow = range.flows[i];
        refused += scan->of_ports ? was_refused(flow) : was_refused_there(flow);
        answered += flow->f.packets[SIDE_SERVER] > 0;
    }
    if (scan->protocol != FACTS_PROTOCOL_UDP)
        return answered > 0;
    return (double)refused >= SCAN_REFUSED_SHARE * (double)range.count;
}

/* Only what was curiosity belongs to the claim; list is the suspect's part of a list of ours. */
static void judge_suspect(struct judge *judge, const struct suspect *s, struct site_flow **list,
                          uint32_t *seen)
{
    size_t first = 0, last = 0, kept = 0;
    mark_curious(s, seen);
    size_t targets = count_targets(judge, s, seen, &first, &last);
    if (targets < SCAN_TARGETS)
        return;
    for (size_t i = first; i < last; i++) {
        if (s->curious[i])
            list[kept++] = list[i];
    }
    struct flow_range range = {list, kept};
    if (is_told_enough(s->scan, range))
        claim_scan(judge, s->scan, range, targets);
}

static void find_scans(struct judge *judge, const struct scan *scan, uint32_t *seen, bool *curious)
{
    const struct site *site = judge->site;
    struct site_flow **list =
        arena_take(&judge->site->arena, (site->flow_count + 1) * sizeof *list);
    size_t count = 0;
    if (list == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        struct site_flow *flow = site->flows[i];
        if (flow->outcome == OUTCOME_NONE && flow->f.protocol == scan->protocol &&
            !flow->pair->has_ftp)
            list[count++] = flow;
    }
    if (!site_order(list, count, scan->key))
        judge->failed = true;
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && scan->same(list[i], list[end]))
            end++;
        struct suspect suspect = {scan, {&list[i], end - i}, curious};
        if (suspect.flows.count >= SCAN_TARGETS)
            judge_suspect(judge, &suspect, &list[i], seen);
        i = end;
    }
}

static void detect(struct judge *judge)
{
    static const struct scan scans[] = {
        {same_pair, target_port, pair_key, is_connect, is_vain_connect, FACTS_PROTOCOL_TCP, true,
         SCAN_PORT_TRIES},
        {same_client_port, target_host, client_port_key, is_connect, is_vain_connect,
         FACTS_PROTOCOL_TCP, false, SCAN_HOST_TRIES},
        {same_pair, target_port, pair_key, is_datagram_probe, is_vain_datagram, FACTS_PROTOCOL_UDP,
         true, SCAN_PORT_TRIES},
        {same_client_port, target_host, client_port_key, is_datagram_probe, is_vain_datagram,
         FACTS_PROTOCOL_UDP, false, SCAN_HOST_TRIES},
        {same_client_port, target_host, client_port_key, is_echo, is_vain_echo,
         FACTS_PROTOCOL_ICMP, false, SCAN_ECHO_TRIES},
        {same_client_port, target_host, client_port_key, is_echo, is_vain_echo,
         FACTS_PROTOCOL_ICMP_6, false, SCAN_ECHO_TRIES},
    };
    size_t slots = judge->site->host_count > 65536 ? judge->site->host_count : 65536;
    if (judge->quality.found[FINDING_CAPTURE_ONE_SIDED])
        return;
    uint32_t *seen = calloc(slots, sizeof *seen);
    bool *curious = calloc(judge->site->flow_count + 1, sizeof *curious);
    judge->failed = judge->failed || seen == NULL || curious == NULL;
    for (size_t i = 0; !judge->failed && i < sizeof scans / sizeof *scans; i++)
        find_scans(judge, &scans[i], seen, curious);
    free(seen);
    free(curious);
}

const struct detector detector_scan = {"scan", detect};
