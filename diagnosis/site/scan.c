/* Port scans: one source, many ports of a host or many hosts on a port, mostly in vain. Their
 * attempts become unsolicited and raise nothing else. */
#include "diagnosis/site/judge.h"

#include <stdlib.h>

/* FINDINGS.md: >= 15 ports of a host, or >= 15 hosts on a port, within 60 s. */
#define SCAN_TARGETS 15
#define SCAN_WINDOW_NS (60 * FACTS_SECOND)
/* "Mostly unanswered or refused". */
#define SCAN_VAIN_SHARE 0.7
#define SCAN_ANSWER_NS FACTS_SECOND
/* Clients of the web behind a silent firewall meet many hosts, too; but they insist. */
#define SCAN_SYNS_MAX 2

/* An attempt as scanners make them: no byte of data. */
static bool is_attempt(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return facts_is_tcp(f) && f->tcp->syn_count > 0 && f->payload[0] == 0 && f->payload[1] == 0 &&
           !facts_is_midstream(f) && !facts_has(f, FLOW_FACT_UNSEEN_PEER);
}

struct scan {
    bool (*same)(const struct site_flow *, const struct site_flow *); /* one suspect */
    uint32_t (*target)(const struct site_flow *); /* what is counted: port or host */
    int (*order)(const void *, const void *);     /* by suspect, then time */
    bool of_ports;
};

static bool is_web_port(uint16_t port)
{
    return port == 80 || port == 443 || port == 8080 || port == 8443;
}

/* Unanswered, refused, or torn down before it was open. In the last moment of a capture nothing is
 * answered yet: a busy balancer would look like a scanner. */
static bool is_vain(const struct judge *judge, const struct scan *scan,
                    const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    if (facts_is_established(f))
        return false;
    if (t->rst_to_syn)
        return true;
    if (t->synack_count > 0)
        return t->side[SIDE_CLIENT].rst_ns >= 0;
    if (judge_capture_end(judge, f->first_ns) - f->first_ns < SCAN_ANSWER_NS)
        return false;
    return scan->of_ports || t->syn_count <= SCAN_SYNS_MAX || !is_web_port(f->port[SIDE_SERVER]);
}

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

static int compare_number(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int by_pair(const void *left, const void *right)
{
    const struct site_flow *a = *(struct site_flow *const *)left;
    const struct site_flow *b = *(struct site_flow *const *)right;
    int order = compare_number(a->client->number, b->client->number);
    if (order == 0)
        order = compare_number(a->server->number, b->server->number);
    return order != 0 ? order : site_compare_flows(a, b);
}

static int by_client_port(const void *left, const void *right)
{
    const struct site_flow *a = *(struct site_flow *const *)left;
    const struct site_flow *b = *(struct site_flow *const *)right;
    int order = compare_number(a->client->number, b->client->number);
    if (order == 0)
        order = compare_number(a->f.port[SIDE_SERVER], b->f.port[SIDE_SERVER]);
    return order != 0 ? order : site_compare_flows(a, b);
}

/* Distinct targets in a sliding window over the attempts of one suspect. seen counts per target and
 * is all zero before and after. *part becomes the run of attempts in windows that hold a scan: what
 * the source tried long before or after is its own matter. */
static size_t count_targets(const struct judge *judge, const struct scan *scan,
                            struct flow_range range, uint32_t *seen, struct flow_range *part)
{
    size_t start = 0, distinct = 0, vain = 0, best = 0, first = range.count, last = 0;
    for (size_t i = 0; i < range.count; i++) {
        vain += is_vain(judge, scan, range.flows[i]);
        distinct += seen[scan->target(range.flows[i])]++ == 0;
        while (range.flows[i]->f.first_ns - range.flows[start]->f.first_ns > SCAN_WINDOW_NS) {
            vain -= is_vain(judge, scan, range.flows[start]);
            distinct -= --seen[scan->target(range.flows[start])] == 0;
            start++;
        }
        bool mostly = (double)vain >= SCAN_VAIN_SHARE * (double)(i + 1 - start);
        if (mostly && distinct > best)
            best = distinct;
        if (mostly && distinct >= SCAN_TARGETS) {
            first = start < first ? start : first;
            last = i + 1;
        }
    }
    if (last > first)
        *part = (struct flow_range){&range.flows[first], last - first};
    for (; start < range.count; start++)
        seen[scan->target(range.flows[start])] = 0;
    return best;
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
    claim.weight = (double)targets;
    if (scan->of_ports)
        claim.server_port = 0;
    else
        claim.server_ip = (struct address){0};
    claim_add_number(&claim, "ports", scan->of_ports ? (double)targets : 1);
    claim_add_number(&claim, "hosts", scan->of_ports ? 1 : (double)targets);
    claim_add_ms(&claim, "duration_ms", last->f.first_ns - first->f.first_ns);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_RST);
    claim.confidence = targets >= 2 * SCAN_TARGETS ? 90 : 80;
    judge_claim(judge, &claim);
    for (size_t i = 0; i < range.count; i++)
        range.flows[i]->outcome = OUTCOME_UNSOLICITED;
}

static void find_scans(struct judge *judge, const struct scan *scan, uint32_t *seen)
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
        if (flow->outcome == OUTCOME_NONE && is_attempt(flow) && !flow->pair->has_ftp)
            list[count++] = flow;
    }
    if (count > 1)
        qsort(list, count, sizeof *list, scan->order);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && scan->same(list[i], list[end]))
            end++;
        struct flow_range range = {&list[i], end - i};
        struct flow_range part = range;
        size_t targets =
            range.count >= SCAN_TARGETS ? count_targets(judge, scan, range, seen, &part) : 0;
        if (targets >= SCAN_TARGETS)
            claim_scan(judge, scan, part, targets);
        i = end;
    }
}

static void detect(struct judge *judge)
{
    static const struct scan of_ports = {same_pair, target_port, by_pair, true};
    static const struct scan of_hosts = {same_client_port, target_host, by_client_port, false};
    size_t slots = judge->site->host_count > 65536 ? judge->site->host_count : 65536;
    if (judge->quality.found[FINDING_CAPTURE_ONE_SIDED])
        return;
    uint32_t *seen = calloc(slots, sizeof *seen);
    if (seen == NULL) {
        judge->failed = true;
        return;
    }
    find_scans(judge, &of_ports, seen);
    find_scans(judge, &of_hosts, seen);
    free(seen);
}

const struct detector detector_scan = {"scan", detect};
