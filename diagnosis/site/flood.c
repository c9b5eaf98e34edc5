/* SYN floods: far more half-open connections than completed ones. The SYNs of a flood become
 * unsolicited; a client that insists during the flood is its victim and keeps its verdict. */
#include "diagnosis/site/judge.h"

/* FINDINGS.md: >= 100 half-open/s and >= 10x the completed ones in any window of >= 1 s, or >= 300
 * within 5 s. */
#define FLOOD_PER_SECOND 100
#define FLOOD_BURST 300
#define FLOOD_BURST_NS (5 * FACTS_SECOND)
#define FLOOD_FACTOR 10
#define FLOOD_ANSWER_NS FACTS_SECOND
/* A spoofed source sends each SYN once; clients of a dead server send theirs again. */
#define FLOOD_SINGLE_SHARE 0.7
/* What is counted together begins within a minute of what was kept (sessions/swarms.h). */
#define SWARM_FOLLOWS_NS (60 * FACTS_SECOND)

static bool looks_half_open(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return f->tcp->syn_count > 0 && !facts_is_established(f) && !f->tcp->rst_to_syn &&
           f->payload[0] == 0 && !facts_has(f, FLOW_FACT_UNSEEN_PEER);
}

/* In the last moment of a capture every connection is half open. */
static bool is_half_open(const struct judge *judge, const struct site_flow *flow)
{
    int64_t first_ns = flow->f.first_ns;
    return looks_half_open(flow) &&
           judge_capture_end(judge, first_ns) - first_ns >= FLOOD_ANSWER_NS;
}

struct window {
    int64_t length_ns;
    size_t least;
    size_t start, half_open, completed, single;
};

static void window_change(const struct judge *judge, struct window *w, const struct site_flow *flow,
                          int by)
{
    bool half_open = is_half_open(judge, flow);
    size_t step = by > 0 ? 1 : SIZE_MAX; /* adds one or takes one away */
    if (half_open)
        w->half_open += step;
    if (facts_is_established(&flow->f))
        w->completed += step;
    if (half_open && flow->f.tcp->syn_count == 1)
        w->single += step;
}

/* Moves the window on to flow `at` of the range; true when it holds a flood. */
static bool window_move(const struct judge *judge, struct window *w, struct flow_range range,
                        size_t at)
{
    window_change(judge, w, range.flows[at], 1);
    while (range.flows[at]->f.first_ns - range.flows[w->start]->f.first_ns >= w->length_ns)
        window_change(judge, w, range.flows[w->start++], -1);
    return w->half_open >= w->least && w->half_open >= FLOOD_FACTOR * w->completed &&
           (double)w->single >= FLOOD_SINGLE_SHARE * (double)w->half_open;
}

/* What a finding says of it. */
struct flood_figures {
    int64_t rate, sources, last_ns;
    bool estimated; /* sources */
};

struct flood {
    size_t first, last; /* of the range */
    size_t rate;        /* most half-open connections of a second */
    bool found;
};

static struct flood find_flood(const struct judge *judge, struct flow_range range)
{
    struct window second = {FACTS_SECOND, FLOOD_PER_SECOND, 0, 0, 0, 0};
    struct window burst = {FLOOD_BURST_NS, FLOOD_BURST, 0, 0, 0, 0};
    struct flood flood = {0};
    for (size_t i = 0; i < range.count; i++) {
        bool by_rate = window_move(judge, &second, range, i),
             by_burst = window_move(judge, &burst, range, i);
        if (second.half_open > flood.rate)
            flood.rate = second.half_open;
        if (!by_rate && !by_burst)
            continue;
        size_t start = by_burst ? burst.start : second.start;
        if (!flood.found || start < flood.first)
            flood.first = start;
        flood.last = i;
        flood.found = true;
    }
    /* what goes on to the end of the capture belongs to it */
    while (flood.found && flood.last + 1 < range.count &&
           range.flows[flood.last + 1]->f.first_ns - range.flows[flood.last]->f.first_ns <
               FLOOD_ANSWER_NS)
        flood.last++;
    return flood;
}

/* The same flood beyond the connections that were kept one by one. */
static void add_swarm(const struct judge *judge, const struct site_flow *last, struct claim *claim,
                      struct flood_figures *out)
{
    const struct swarm_record *more = site_find_swarm(
        judge->site, SWARM_TARGET, FACTS_PROTOCOL_TCP, &last->server->address,
        last->f.port[SIDE_SERVER]);
    if (more == NULL || more->first_ns > last->f.first_ns + SWARM_FOLLOWS_NS ||
        more->last_ns < claim->first_ns)
        return;
    claim->count += more->attempts;
    if (more->last_ns > out->last_ns)
        out->last_ns = claim->last_ns = more->last_ns;
    if (more->most_per_second > out->rate)
        out->rate = more->most_per_second;
    if (more->clients > out->sources) /* some may be among the kept ones */
        out->sources = more->clients;
    out->estimated = more->clients > 1;
    claim_add_reference(claim, more->source_id, more->first_frame, more->first_ns, EVENT_SYN);
}

static void claim_flood(struct judge *judge, struct flow_range range, const struct flood *flood)
{
    size_t span = flood->last + 1 - flood->first, count = 0, sources = 0;
    struct site_flow **members = arena_take(&judge->site->arena, span * sizeof *members);
    uint8_t *seen = arena_take(&judge->site->arena, judge->site->host_count + 1);
    if (members == NULL || seen == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = flood->first; i <= flood->last; i++) {
        struct site_flow *flow = range.flows[i];
        if (!looks_half_open(flow) || flow->f.tcp->syn_count > 2)
            continue;
        flow->outcome = OUTCOME_UNSOLICITED;
        members[count++] = flow;
        sources += seen[flow->client->number]++ == 0;
        if (seen[flow->client->number] == 0)
            seen[flow->client->number] = 1;
    }
    if (count == 0)
        return;
    struct claim claim = claim_start(FINDING_SEC_SYN_FLOOD, members[0]);
    claim.flows = members;
    claim.flow_count = count;
    claim.count = (int64_t)count;
    claim.last_ns = members[count - 1]->f.last_ns;
    claim.name = NULL;
    claim.client_port = 0;
    struct flood_figures figures = {(int64_t)flood->rate, (int64_t)sources,
                                    members[count - 1]->f.first_ns, false};
    add_swarm(judge, members[count - 1], &claim, &figures);
    if (figures.sources > 1)
        claim.client_ip = (struct address){0};
    claim.confidence = 90;
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK);
    claim_add_number(&claim, "rate", (double)figures.rate);
    claim_add_number(&claim, "sources", (double)figures.sources);
    claim_add_ms(&claim, "duration_ms", figures.last_ns - members[0]->f.first_ns);
    if (figures.estimated)
        claim_add_number(&claim, "about_sources", 1);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    if (judge->quality.found[FINDING_CAPTURE_ONE_SIDED])
        return;
    for (size_t i = 0; i < site->service_count; i++) {
        struct flow_range range = site->services[i].flows;
        if (range.count < FLOOD_PER_SECOND || !facts_is_tcp(&range.flows[0]->f))
            continue;
        struct flood flood = find_flood(judge, range);
        if (flood.found && !judge_is_withdrawn(judge, FINDING_SEC_SYN_FLOOD, range.flows[0]))
            claim_flood(judge, range, &flood);
    }
}

const struct detector detector_flood = {"flood", detect};
