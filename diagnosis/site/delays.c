#include "diagnosis/site/delays.h"

#include "core/sort.h"

#include <stdlib.h>
#include <string.h>

/* As sessions/tcp_delay.c: less in a second does not fill a queue that is felt. */
#define LOAD_BYTES 32768
/* A queue drains a while after what filled it. */
#define LOAD_AROUND_NS FACTS_SECOND
#define INTERVAL_NS (10 * FACTS_SECOND)

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int by_host(const void *left, const void *right)
{
    const struct host_load *a = left, *b = right;
    int order = COMPARE(a->host->number, b->host->number);
    return order != 0 ? order : COMPARE(a->first_ns, b->first_ns);
}

static int by_time(const void *left, const void *right)
{
    const struct rtt_point *a = left, *b = right;
    int order = COMPARE(a->time_ns, b->time_ns);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order != 0 ? order : COMPARE(a->rtt_ns, b->rtt_ns);
}

static int by_value(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return COMPARE(*a, *b);
}

int64_t delays_quantile(int64_t *values, size_t count, double q)
{
    if (count == 0)
        return RECORD_NONE_NS;
    sort_rows(values, count, sizeof *values, by_value);
    size_t at = (size_t)(q * (double)(count - 1) + 0.5);
    return values[at < count ? at : count - 1];
}

static void add_load(struct host_loads *loads, const struct site_flow *flow, int64_t from_ns,
                     int64_t to_ns)
{
    loads->at[loads->count++] =
        (struct host_load){flow->client, from_ns - LOAD_AROUND_NS, to_ns + LOAD_AROUND_NS};
    loads->at[loads->count++] =
        (struct host_load){flow->server, from_ns - LOAD_AROUND_NS, to_ns + LOAD_AROUND_NS};
}

static void add_flow_loads(struct host_loads *loads, const struct site_flow *flow)
{
    if (flow->sample_count == 0 && flow->f.payload[0] + flow->f.payload[1] >= LOAD_BYTES)
        add_load(loads, flow, flow->f.first_ns, flow->f.last_ns);
    for (uint32_t i = 0; i < flow->sample_count; i++) {
        const struct rtt_sample_record *s = flow->samples[i];
        int64_t end = i + 1 < flow->sample_count ? flow->samples[i + 1]->start_ns : flow->f.last_ns;
        if (end > s->start_ns + INTERVAL_NS)
            end = s->start_ns + INTERVAL_NS;
        if (s->bytes >= LOAD_BYTES)
            add_load(loads, flow, s->start_ns, end);
    }
}

static void join_loads(struct host_loads *loads)
{
    size_t kept = 0;
    sort_rows(loads->at, loads->count, sizeof *loads->at, by_host);
    for (size_t i = 0; i < loads->count; i++) {
        struct host_load *last = kept > 0 ? &loads->at[kept - 1] : NULL;
        if (last == NULL || last->host != loads->at[i].host ||
            loads->at[i].first_ns > last->last_ns)
            loads->at[kept++] = loads->at[i];
        else if (loads->at[i].last_ns > last->last_ns)
            last->last_ns = loads->at[i].last_ns;
    }
    loads->count = kept;
}

bool delays_find_loads(struct judge *judge, struct host_loads *out)
{
    const struct site *site = judge->site;
    size_t room = 2 * (site->sample_count + site->flow_count) + 1;
    out->count = 0;
    out->at = malloc(room * sizeof *out->at);
    if (out->at == NULL) {
        judge->failed = true;
        return false;
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        if (facts_is_tcp(&site->flows[i]->f))
            add_flow_loads(out, site->flows[i]);
    }
    if (out->count > 1)
        join_loads(out);
    return true;
}

enum moving delays_moving(const struct host_loads *loads, const struct site_host *host,
                          int64_t time_ns)
{
    size_t low = 0, high = loads->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct host_load *load = &loads->at[middle];
        int order = COMPARE(load->host->number, host->number);
        if (order == 0)
            order = load->last_ns < time_ns ? -1 : load->first_ns > time_ns ? 1 : 0;
        if (order == 0)
            return time_ns < load->first_ns + LOAD_AROUND_NS  ? MOVING_SOON
                   : time_ns > load->last_ns - LOAD_AROUND_NS ? MOVING_BEFORE
                                                              : MOVING;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return MOVING_NOT;
}

bool delays_is_loaded(const struct host_loads *loads, const struct site_flow *flow, int64_t time_ns)
{
    return delays_moving(loads, flow->client, time_ns) != MOVING_NOT ||
           delays_moving(loads, flow->server, time_ns) != MOVING_NOT;
}

int64_t delays_handshake(const struct flow_facts *f, enum side side)
{
    return side == SIDE_SERVER ? f->connect_rtt_server_ns : f->connect_rtt_client_ns;
}

uint16_t delays_usual_port(struct flow_range flows)
{
    uint16_t best = 0;
    size_t most = 0;
    for (size_t i = 0; i < flows.count && i < 64; i++) {
        uint16_t port = flows.flows[i]->f.port[SIDE_SERVER];
        size_t count = 0;
        for (size_t j = 0; j < flows.count && j < 1024; j++)
            count += flows.flows[j]->f.port[SIDE_SERVER] == port;
        if (count > most) {
            most = count;
            best = port;
        }
    }
    return best;
}

bool delays_is_usable(const struct site_flow *flow, uint16_t port)
{
    return facts_is_tcp(&flow->f) && flow->f.port[SIDE_SERVER] == port &&
           facts_is_two_sided(&flow->f);
}

size_t delays_gather(struct judge *judge, const struct host_loads *loads,
                     const struct site_pair *pair, enum side side, struct rtt_point **out)
{
    uint16_t port = delays_usual_port(pair->flows);
    size_t room = 0, count = 0;
    for (size_t i = 0; i < pair->flows.count; i++)
        room += 1 + pair->flows.flows[i]->sample_count;
    struct rtt_point *points = arena_take(&judge->site->arena, room * sizeof *points);
    *out = points;
    if (points == NULL) {
        judge->failed = true;
        return 0;
    }
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        if (!delays_is_usable(flow, port))
            continue;
        int64_t rtt = delays_handshake(&flow->f, side);
        if (rtt >= 0 && !delays_is_loaded(loads, flow, flow->f.first_ns))
            points[count++] = (struct rtt_point){flow->f.first_ns, rtt, flow};
        for (uint32_t j = 0; j < flow->sample_count; j++) {
            const struct rtt_sample_record *s = flow->samples[j];
            rtt = side == SIDE_SERVER ? s->server_rtt_ns : s->client_rtt_ns;
            if (rtt >= 0 && s->start_ns > flow->f.first_ns &&
                !delays_is_loaded(loads, flow, s->start_ns))
                points[count++] = (struct rtt_point){s->start_ns, rtt, flow};
        }
    }
    if (count > 1)
        sort_rows(points, count, sizeof *points, by_time);
    return count;
}

size_t delays_flows(const struct rtt_point *points, size_t count, size_t most)
{
    const struct site_flow *seen[4];
    size_t found = 0;
    for (size_t i = 0; i < count && found < most && found < 4; i++) {
        bool known = false;
        for (size_t j = 0; j < found; j++)
            known = known || seen[j] == points[i].flow;
        if (!known)
            seen[found++] = points[i].flow;
    }
    return found;
}
