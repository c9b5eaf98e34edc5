/* What the users of each service got, from the flows as judged and from what was asked on them. One
 * service at a time: of it the points are in memory, of all only the records. */
#include "diagnosis/site/services.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* What a connection moved beyond its samples is spread over so many parts of its life. */
#define SPREAD_PARTS 60
#define GROUP_BITS_V4 24
#define GROUP_BITS_V6 64
#define PPM 1000000

/* ---- which services ---- */

struct ranked {
    struct site_service *service;
    size_t flows;
};

static size_t count_flows(const struct site_service *service)
{
    size_t count = 0;
    for (size_t i = 0; i < service->flows.count; i++)
        count += service_counts(service->flows.flows[i]);
    return count;
}

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    const struct site_flow *f = a->service->flows.flows[0], *g = b->service->flows.flows[0];
    int order = COMPARE(b->flows, a->flows);
    if (order == 0)
        order = address_compare(&f->server->address, &g->server->address);
    if (order == 0)
        order = COMPARE(f->f.port[SIDE_SERVER], g->f.port[SIDE_SERVER]);
    return order != 0 ? order : COMPARE(f->f.protocol, g->f.protocol);
}

static size_t make_rows(struct judge *judge, const struct ranked *ranked, size_t count,
                        struct service_row **out)
{
    size_t alone = count < LIMIT_SERVICES ? count : LIMIT_SERVICES;
    size_t rows = alone + (count > alone);
    struct site_service **order = arena_take(&judge->site->arena, (count + 1) * sizeof *order);
    struct service_row *row = arena_take(&judge->site->arena, (rows + 1) * sizeof *row);
    if (order == NULL || row == NULL) {
        judge->failed = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = ranked[i].service;
    for (size_t i = 0; i < rows; i++)
        row[i] = (struct service_row){order + i, i < alone ? 1 : count - alone, (int64_t)i + 1,
                                      i >= alone};
    *out = row;
    return rows;
}

size_t services_rank(struct judge *judge, struct service_row **out)
{
    const struct site *site = judge->site;
    struct ranked *ranked = malloc((site->service_count + 1) * sizeof *ranked);
    size_t count = 0;
    if (ranked == NULL) {
        judge->failed = true;
        return 0;
    }
    for (size_t i = 0; i < site->service_count; i++) {
        size_t flows = count_flows(&site->services[i]);
        if (flows > 0)
            ranked[count++] = (struct ranked){&site->services[i], flows};
    }
    if (count > 1)
        qsort(ranked, count, sizeof *ranked, by_rank);
    size_t rows = make_rows(judge, ranked, count, out);
    free(ranked);
    return rows;
}

/* ---- durations ---- */

void service_sketch_add(struct service_sketch *s, int64_t value_ns)
{
    if (value_ns < 0)
        return;
    if (s->sketch->count == 0 || value_ns > s->max_ns)
        s->max_ns = value_ns;
    s->sum_ns += value_ns;
    sketch_add(s->sketch, value_ns, 1);
}

void service_sketch_clear(struct service_sketch *s)
{
    if (s->sketch->count > 0)
        memset(s->sketch, 0, sizeof *s->sketch);
    s->sum_ns = 0;
    s->max_ns = RECORD_NONE_NS;
}

/* The largest is known exactly, and a percentile is never above it. */
static int64_t quantile(const struct service_sketch *s, double q)
{
    int64_t value = sketch_quantile(s->sketch, q);
    return value > s->max_ns ? s->max_ns : value;
}

void service_sketch_finish(const struct service_sketch *s, uint8_t *packed,
                           struct service_times *out)
{
    *out = (struct service_times){.count = s->sketch->count,
                                  .sum_ns = s->sum_ns,
                                  .max_ns = s->sketch->count > 0 ? s->max_ns : RECORD_NONE_NS,
                                  .p50_ns = RECORD_NONE_NS,
                                  .p95_ns = RECORD_NONE_NS,
                                  .p99_ns = RECORD_NONE_NS};
    if (s->sketch->count == 0)
        return;
    out->p50_ns = quantile(s, 0.50);
    out->p95_ns = quantile(s, 0.95);
    out->p99_ns = quantile(s, 0.99);
    out->sketch = packed;
    out->sketch_len = (int64_t)sketch_pack(s->sketch, packed);
}

/* ---- groups of clients ---- */

struct client_group {
    struct address prefix;
    size_t flows;
};

static struct address prefix_of(const struct address *client)
{
    struct address prefix = *client;
    size_t kept = (client->family == 6 ? GROUP_BITS_V6 : GROUP_BITS_V4) / 8;
    memset(prefix.bytes + kept, 0, sizeof prefix.bytes - kept);
    return prefix;
}

static int by_prefix(const void *left, const void *right)
{
    const struct client_group *a = left, *b = right;
    return address_compare(&a->prefix, &b->prefix);
}

static int by_size(const void *left, const void *right)
{
    const struct client_group *a = left, *b = right;
    int order = COMPARE(b->flows, a->flows);
    return order != 0 ? order : by_prefix(left, right);
}

/* One entry per flow becomes one per prefix, the largest first. */
static size_t join_groups(struct client_group *groups, size_t count)
{
    size_t kept = 0;
    qsort(groups, count, sizeof *groups, by_prefix);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_prefix(&groups[kept - 1], &groups[i]) == 0)
            groups[kept - 1].flows++;
        else
            groups[kept++] = groups[i];
    }
    qsort(groups, kept, sizeof *groups, by_size);
    return kept;
}

static void name_groups(struct service_fold *fold, const struct client_group *groups, size_t count)
{
    char text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < count && i < LIMIT_CLIENT_GROUPS; i++) {
        const struct address *prefix = &groups[i].prefix;
        fold->groups[i] = arena_format(&fold->judge->site->arena, "%s/%d",
                                       address_to_text(prefix, text),
                                       prefix->family == 6 ? GROUP_BITS_V6 : GROUP_BITS_V4);
        fold->judge->failed |= fold->groups[i] == NULL;
    }
    fold->groups[LIMIT_CLIENT_GROUPS] = "other";
}

static uint16_t group_of(const struct client_group *groups, size_t count,
                         const struct address *client)
{
    struct address prefix = prefix_of(client);
    uint16_t at = 0;
    while (at < LIMIT_CLIENT_GROUPS && at < count && !address_equal(&groups[at].prefix, &prefix))
        at++;
    return at < count ? at : LIMIT_CLIENT_GROUPS;
}

/* ---- points ---- */

struct points {
    struct judge *judge;
    struct service_point *items;
    size_t count, capacity;
};

static int64_t minute_of(int64_t time_ns)
{
    return time_ns - time_ns % SERVICE_MINUTE_NS;
}

static void add_point(struct points *points, const struct service_point *point)
{
    if (array_reserve((void **)&points->items, &points->capacity, points->count,
                      sizeof *points->items))
        points->items[points->count++] = *point;
    else
        points->judge->failed = true;
}

static int64_t connect_time(const struct flow_facts *f)
{
    if (!facts_is_tcp(f) || !facts_is_established(f) || facts_is_midstream(f) ||
        facts_has(f, FLOW_FACT_NO_SYN))
        return RECORD_NONE_NS;
    if (f->tcp->established_ns >= f->first_ns)
        return f->tcp->established_ns - f->first_ns;
    return f->connect_rtt_server_ns >= 0 && f->connect_rtt_client_ns >= 0
               ? f->connect_rtt_server_ns + f->connect_rtt_client_ns
               : RECORD_NONE_NS;
}

static int64_t tls_time(const struct tls_facts *t)
{
    return t != NULL && t->established && t->client_hello_ns >= 0 &&
                   t->finished_ns >= t->client_hello_ns
               ? t->finished_ns - t->client_hello_ns
               : RECORD_NONE_NS;
}

/* A handshake whose end nobody knows is no attempt of its kind. */
static unsigned flow_counts(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct tls_facts *t = f->tls;
    bool failed = flow->outcome == OUTCOME_FAILED;
    if (!service_is_attempt(flow))
        return POINT_OPEN_BEFORE;
    unsigned counts = flow->outcome == OUTCOME_OK ? POINT_OK : failed ? POINT_FAILED : 0;
    if (facts_is_tcp(f) && (facts_is_established(f) || failed))
        counts |= POINT_TCP | (facts_is_established(f) ? POINT_TCP_OK : 0);
    if (t != NULL && t->client_hello_ns >= 0 && (t->established || failed))
        counts |= POINT_TLS | (t->established ? POINT_TLS_OK : 0);
    return counts;
}

static void add_amount(struct points *points, uint16_t group, int64_t time_ns, int64_t bytes,
                       int64_t retransmissions)
{
    const struct service_point point = {.start_ns = minute_of(time_ns),
                                        .first = bytes,
                                        .second = retransmissions,
                                        .group = group,
                                        .kind = POINT_AMOUNT};
    if (bytes > 0 || retransmissions > 0)
        add_point(points, &point);
}

/* In equal parts over the life of the connection; the first takes what does not divide. */
static void spread(struct points *points, uint16_t group, const struct flow_facts *f, int64_t bytes,
                   int64_t retransmissions)
{
    int64_t span = f->last_ns - f->first_ns, parts = span / SERVICE_MINUTE_NS + 1;
    if (parts > SPREAD_PARTS)
        parts = SPREAD_PARTS;
    for (int64_t i = 0; i < parts; i++) {
        int64_t share = bytes / parts + (i == 0 ? bytes % parts : 0);
        int64_t again = retransmissions / parts + (i == 0 ? retransmissions % parts : 0);
        int64_t at = parts > 1 ? span / (parts - 1) * i : 0;
        add_amount(points, group, f->first_ns + at, share, again);
    }
}

static void add_flow(struct points *points, const struct site_flow *flow, uint16_t group)
{
    const struct flow_facts *f = &flow->f;
    int64_t bytes = (int64_t)(f->payload[0] + f->payload[1]);
    int64_t again = (int64_t)f->retransmissions + f->syn_retransmissions + f->synack_retransmissions;
    const struct service_point point = {.start_ns = minute_of(f->first_ns),
                                        .first = connect_time(f),
                                        .second = tls_time(f->tls),
                                        .group = group,
                                        .kind = POINT_FLOW,
                                        .counts = (uint8_t)flow_counts(flow)};
    add_point(points, &point);
    for (uint32_t i = 0; i < flow->sample_count; i++) {
        const struct rtt_sample_record *s = flow->samples[i];
        int64_t part = s->bytes < bytes ? s->bytes : bytes;
        int64_t part_again = s->retransmissions < again ? s->retransmissions : again;
        add_amount(points, group, s->start_ns, part, part_again);
        bytes -= part;
        again -= part_again;
    }
    spread(points, group, f, bytes, again);
}

static void add_exchange(struct points *points, const struct exchange *e, uint16_t group)
{
    const struct service_point point = {
        .start_ns = minute_of(e->time_ns),
        .first = e->waits ? RECORD_NONE_NS : e->think_ns,
        .second = e->waits ? RECORD_NONE_NS : e->total_ns,
        .group = group,
        .kind = POINT_EXCHANGE,
        .counts = (uint8_t)((e->error ? POINT_ERROR : 0) | (e->waits ? POINT_WAITS : 0))};
    add_point(points, &point);
}

static int by_minute(const void *left, const void *right)
{
    const struct service_point *a = left, *b = right;
    int order = COMPARE(a->start_ns, b->start_ns);
    return order != 0 ? order : COMPARE(a->group, b->group);
}

/* ---- one service ---- */

static int by_address(const void *left, const void *right)
{
    return COMPARE(*(const uint32_t *)left, *(const uint32_t *)right);
}

/* The flows of the row: their groups, points, and how many clients. */
static void take_flows(struct service_fold *fold, struct points *points, const struct exchange *asked,
                       size_t asked_count)
{
    const struct service_row *row = fold->row;
    size_t flows = 0, at = 0, clients = 0;
    for (size_t i = 0; i < row->count; i++)
        flows += row->members[i]->flows.count;
    struct client_group *groups = malloc((flows + 1) * sizeof *groups);
    uint32_t *numbers = malloc((flows + 1) * sizeof *numbers);
    for (size_t i = 0; groups != NULL && numbers != NULL && i < row->count; i++) {
        for (size_t j = 0; j < row->members[i]->flows.count; j++) {
            const struct site_flow *flow = row->members[i]->flows.flows[j];
            if (!service_counts(flow))
                continue;
            numbers[at] = flow->client->number;
            groups[at++] = (struct client_group){prefix_of(&flow->client->address), 1};
        }
    }
    fold->judge->failed |= groups == NULL || numbers == NULL;
    if (at > 1)
        qsort(numbers, at, sizeof *numbers, by_address);
    for (size_t i = 0; i < at; i++)
        clients += i == 0 || numbers[i] != numbers[i - 1];
    fold->record->clients = clients;
    size_t group_count = at > 0 ? join_groups(groups, at) : 0;
    name_groups(fold, groups, group_count);
    for (size_t i = 0; at > 0 && i < row->count; i++) {
        for (size_t j = 0; j < row->members[i]->flows.count; j++) {
            const struct site_flow *flow = row->members[i]->flows.flows[j];
            if (service_counts(flow))
                add_flow(points, flow, group_of(groups, group_count, &flow->client->address));
        }
    }
    for (size_t i = 0; at > 0 && i < asked_count; i++)
        add_exchange(points, &asked[i],
                     group_of(groups, group_count, &asked[i].flow->client->address));
    free(groups);
    free(numbers);
}

struct named {
    const char *name;
    size_t count;
};

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct named *)left)->name, ((const struct named *)right)->name);
}

/* The commonest name of its flows; of several the first by alphabet. */
static const char *usual_name(const struct site_service *service, bool of_app)
{
    struct named *names = malloc((service->flows.count + 1) * sizeof *names);
    const char *best = NULL;
    size_t count = 0, most = 0;
    for (size_t i = 0; names != NULL && i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        const char *name = of_app ? flow->f.app : flow->f.name;
        if (service_counts(flow) && name != NULL && name[0] != '\0')
            names[count++] = (struct named){name, 0};
    }
    if (count > 1)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0, run = 0; i < count; i++) {
        run = i > 0 && strcmp(names[i].name, names[i - 1].name) == 0 ? run + 1 : 1;
        if (run > most) {
            most = run;
            best = names[i].name;
        }
    }
    free(names);
    return best;
}

static void describe(struct service_fold *fold)
{
    struct service_record *r = fold->record;
    const struct service_row *row = fold->row;
    const struct site_service *service = row->members[0];
    const struct site_flow *first = service->flows.flows[0];
    *r = (struct service_record){.capture_id = fold->judge->site->capture.id,
                                 .number = row->number,
                                 .first_ns = INT64_MAX,
                                 .last_ns = INT64_MIN,
                                 .availability_ppm = -1};
    for (size_t i = 0; i < row->count; i++) {
        for (size_t j = 0; j < row->members[i]->flows.count; j++) {
            const struct site_flow *flow = row->members[i]->flows.flows[j];
            if (!service_counts(flow))
                continue;
            r->first_ns = flow->f.first_ns < r->first_ns ? flow->f.first_ns : r->first_ns;
            r->last_ns = flow->f.last_ns > r->last_ns ? flow->f.last_ns : r->last_ns;
        }
    }
    if (row->joined) {
        r->others = row->count;
        return;
    }
    r->service = first->f.service;
    r->name = usual_name(service, false);
    r->app = usual_name(service, true);
    r->server_ip = first->server->address;
    r->server_port = first->f.port[SIDE_SERVER];
    r->protocol = first->f.protocol;
}

static uint64_t peak_of(const struct exchange *exchanges, size_t count)
{
    size_t most = 0;
    for (size_t first = 0, last = 0; last < count; last++) {
        while (exchanges[last].time_ns - exchanges[first].time_ns >= FACTS_SECOND)
            first++;
        most = last - first + 1 > most ? last - first + 1 : most;
    }
    return most;
}

/* The findings service-outage of this service. */
static void add_outages(struct service_fold *fold)
{
    const struct judge *judge = fold->judge;
    struct service_record *r = fold->record;
    for (size_t i = 0; i < judge->claim_count && !fold->row->joined; i++) {
        const struct claim *claim = &judge->claims[i];
        if (claim->code != FINDING_SERVICE_OUTAGE || claim->flow == NULL ||
            claim->flow->service != fold->row->members[0])
            continue;
        r->outages++;
        r->outage_attempts += (uint64_t)claim->count;
        r->outage_ns += claim->last_ns - claim->first_ns;
    }
    double span = (double)(r->last_ns - r->first_ns), down = (double)r->outage_ns;
    if (r->count[SERVICE_OK] > 0)
        r->availability_ppm = span > down ? (int64_t)(PPM * (1 - down / span)) : down > 0 ? 0 : PPM;
}

static void put_service(struct service_fold *fold, size_t endpoint_limit)
{
    struct points points = {.judge = fold->judge};
    struct exchange *asked = NULL;
    describe(fold);
    size_t asked_count = exchanges_take(fold->judge, fold->row->members, fold->row->count, &asked);
    fold->record->peak_requests = peak_of(asked, asked_count);
    take_flows(fold, &points, asked, asked_count);
    if (points.count > 1)
        qsort(points.items, points.count, sizeof *points.items, by_minute);
    fold->points = points.items;
    fold->point_count = points.count;
    if (!fold->judge->failed) {
        services_put_minutes(fold);
        add_outages(fold);
        for (int i = 0; i < SERVICE_TIME_KINDS; i++) {
            service_sketch_finish(&fold->whole[i], fold->packed[i], &fold->record->time[i]);
            service_sketch_clear(&fold->whole[i]);
        }
        sink_put(fold->out, RECORD_SERVICE, fold->record);
        services_put_endpoints(fold, asked, asked_count, endpoint_limit);
    }
    free(points.items);
    free(asked);
}

static bool prepare(struct service_fold *fold)
{
    struct arena *arena = &fold->judge->site->arena;
    bool ok = true;
    for (int i = 0; i < SERVICE_TIME_KINDS; i++) {
        fold->whole[i].sketch = arena_take(arena, sizeof(struct sketch));
        fold->part[i].sketch = arena_take(arena, sizeof(struct sketch));
        fold->packed[i] = arena_take(arena, SKETCH_PACKED_MAX);
        ok = ok && fold->whole[i].sketch != NULL && fold->part[i].sketch != NULL &&
             fold->packed[i] != NULL;
        fold->whole[i].max_ns = fold->part[i].max_ns = RECORD_NONE_NS;
    }
    return ok;
}

static size_t share_of(size_t all, size_t count, size_t least)
{
    size_t share = all / count;
    return share > least ? share : least;
}

bool services_put(struct judge *judge, const struct sink *out)
{
    struct service_row *rows = NULL;
    struct service_record record;
    struct service_fold fold = {.judge = judge, .out = out, .record = &record};
    size_t count = services_rank(judge, &rows);
    if (!prepare(&fold))
        return false;
    for (size_t i = 0; i < count && !judge->failed; i++) {
        fold.row = &rows[i];
        fold.row_limit = share_of(LIMIT_SERVICE_MINUTES, count, LIMIT_SERVICE_MINUTES_LEAST);
        put_service(&fold, share_of(LIMIT_ENDPOINTS, count, LIMIT_ENDPOINTS_LEAST));
    }
    return !judge->failed;
}
