/* Round trips that grow while a host moves much and fall when it is over: the queue before the
 * slowest link on its side is long, and whoever shares the link waits in it (bufferbloat).
 * Handshakes are what is measured: kernels answer them at once, and they are told apart from the
 * transfer itself. */
#include "diagnosis/site/delays.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>

/* So much longer, by so large a factor, is felt, and is no change that chance makes. */
#define QUEUE_NS (30 * FACTS_MS)
#define QUEUE_FACTOR 3
/* So many round trips with and without the transfer show it. */
#define QUEUE_SAMPLES 4
/* The transfer that filled it is looked for among so many connections. */
#define TRANSFERS_LOOKED 4096

struct wait {
    const struct site_flow *flow;
    int64_t rtt_ns;
    enum moving load;
};

struct queue {
    const struct site_host *host;
    enum side side;
    struct flow_range flows;
    struct wait *waits; /* by time */
    size_t count;
    int64_t idle_ns, full_ns;                /* medians */
    size_t idle, full;                       /* how many of each */
    const struct wait *first, *last, *worst; /* of the full ones */
    const struct wait *before, *after; /* the last quiet one before the worst, the first behind */
};

static void gather(const struct host_loads *loads, struct queue *q)
{
    uint16_t port = delays_usual_port(q->flows);
    for (size_t i = 0; i < q->flows.count; i++) {
        const struct site_flow *flow = q->flows.flows[i];
        int64_t rtt = delays_handshake(&flow->f, q->side);
        if (rtt >= 0 && delays_is_usable(flow, port))
            q->waits[q->count++] =
                (struct wait){flow, rtt, delays_moving(loads, q->host, flow->f.first_ns)};
    }
}

/* The median of those with load, or of the others; *out says how many they are. */
static int64_t median_of(const struct queue *q, bool full, int64_t *values, size_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < q->count; i++) {
        if ((q->waits[i].load == MOVING) == full)
            values[count++] = q->waits[i].rtt_ns;
    }
    *out = count;
    return delays_quantile(values, count, 0.5);
}

static bool is_long(const struct queue *q, int64_t rtt_ns)
{
    return rtt_ns - q->idle_ns >= QUEUE_NS && rtt_ns >= QUEUE_FACTOR * q->idle_ns;
}

static void find_shown(struct queue *q)
{
    for (struct wait *w = q->waits; w < q->waits + q->count; w++) {
        if (w->load != MOVING)
            continue;
        q->first = q->first == NULL ? w : q->first;
        q->last = w;
        q->worst = q->worst == NULL || w->rtt_ns > q->worst->rtt_ns ? w : q->worst;
    }
    for (struct wait *w = q->waits; w < q->waits + q->count; w++) {
        if (w->load == MOVING || is_long(q, w->rtt_ns))
            continue;
        if (w < q->worst)
            q->before = w;
        else if (q->after == NULL)
            q->after = w;
    }
}

/* What filled it: the connection of the host that moved most of those that ran then. */
static const struct site_flow *find_transfer(const struct judge *judge, const struct queue *q)
{
    const struct site_flow *most = NULL;
    int64_t at_ns = q->worst->flow->f.first_ns;
    struct flow_range ranges[] = {site_client_flows(judge->site, q->host),
                                  site_server_flows(judge->site, q->host)};
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
        size_t end = range_find_time(ranges[r], at_ns + 1);
        for (size_t i = end > TRANSFERS_LOOKED ? end - TRANSFERS_LOOKED : 0; i < end; i++) {
            const struct flow_facts *f = &ranges[r].flows[i]->f;
            if (facts_is_tcp(f) && f->last_ns >= at_ns &&
                (most == NULL ||
                 f->payload[0] + f->payload[1] > most->f.payload[0] + most->f.payload[1]))
                most = ranges[r].flows[i];
        }
    }
    return most;
}

static void refer_to(struct claim *claim, const struct site_flow *flow)
{
    claim_add_reference(claim, flow->f.source_id, flow->f.first_frame, flow->f.first_ns, EVENT_SYN);
}

static void add_transfer(const struct judge *judge, const struct queue *q, struct claim *claim)
{
    const struct site_flow *transfer = find_transfer(judge, q);
    if (transfer == NULL || transfer->f.last_ns <= transfer->f.first_ns)
        return;
    double moved = (double)(transfer->f.payload[0] + transfer->f.payload[1]);
    double rate =
        moved * (double)FACTS_SECOND / (double)(transfer->f.last_ns - transfer->f.first_ns);
    claim_add_number(claim, "moved_bytes", moved);
    claim_add_number(claim, "reached_bytes", rate);
    claim_add_number(claim, "queue_bytes",
                     rate * (double)(q->full_ns - q->idle_ns) / (double)FACTS_SECOND);
    refer_to(claim, transfer);
}

static void claim_queue(struct judge *judge, const struct queue *q)
{
    struct claim claim = claim_start(FINDING_PATH_BUFFERBLOAT, q->worst->flow);
    claim.client_port = claim.server_port = 0;
    claim.confidence = q->before != NULL ? 80 : 70;
    claim.first_ns = q->first->flow->f.first_ns;
    claim.last_ns = q->last->flow->f.first_ns;
    claim.weight = (double)(q->full_ns - q->idle_ns);
    claim_add_ms(&claim, "idle_ms", q->idle_ns);
    claim_add_ms(&claim, "loaded_ms", q->full_ns);
    claim_add_ms(&claim, "longest_ms", q->worst->rtt_ns);
    claim_add_number(&claim, "samples", (double)q->full);
    claim_add_text(&claim, "side", verdict_side_word(q->side));
    add_transfer(judge, q, &claim);
    if (q->before != NULL)
        refer_to(&claim, q->before->flow);
    refer_to(&claim, q->worst->flow);
    refer_to(&claim, q->after->flow);
    judge_claim(judge, &claim);
}

static void look_at(struct judge *judge, const struct host_loads *loads,
                    const struct site_host *host, enum side side)
{
    struct queue q = {.host = host, .side = side};
    q.flows = side == SIDE_SERVER ? site_server_flows(judge->site, host)
                                  : site_client_flows(judge->site, host);
    if (q.flows.count < 2 * QUEUE_SAMPLES)
        return;
    q.waits = malloc(q.flows.count * sizeof *q.waits);
    int64_t *values = malloc(q.flows.count * sizeof *values);
    judge->failed |= q.waits == NULL || values == NULL;
    if (q.waits != NULL && values != NULL) {
        gather(loads, &q);
        q.full_ns = median_of(&q, true, values, &q.full);
        q.idle_ns = median_of(&q, false, values, &q.idle);
        if (q.full >= QUEUE_SAMPLES && q.idle >= QUEUE_SAMPLES && is_long(&q, q.full_ns))
            find_shown(&q);
        /* what did not pass with the transfer is a longer way, or somebody else's traffic */
        if (q.after != NULL && !judge_is_withdrawn(judge, FINDING_PATH_BUFFERBLOAT, q.worst->flow))
            claim_queue(judge, &q);
    }
    free(values);
    free(q.waits);
}

void delays_find_queues(struct judge *judge, const struct host_loads *loads)
{
    for (size_t i = 0; i < loads->count; i++) {
        if (i > 0 && loads->at[i].host == loads->at[i - 1].host)
            continue;
        look_at(judge, loads, loads->at[i].host, SIDE_CLIENT);
        look_at(judge, loads, loads->at[i].host, SIDE_SERVER);
    }
}
