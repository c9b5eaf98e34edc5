/* What the users of each service got, from the flows as judged and from what was asked on them. One
 * service at a time: of it the points are in memory, of all only the records and the exchanges. */
#include "diagnosis/site/services.h"

#include "core/sort.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
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
        sort_rows(ranked, count, sizeof *ranked, by_rank);
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
    sketch_clear(s->sketch);
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
        sort_rows(names, count, sizeof *names, by_name);
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

const char *service_usual_name(const struct site_service *service)
{
    return usual_name(service, false);
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
    r->failover_ns = service->switch_ns;
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
    struct service_record *r = fold->record;
    for (size_t i = 0; i < fold->outage_count && !fold->row->joined; i++) {
        const struct claim *claim = fold->outages[i];
        if (claim->flow->service != fold->row->members[0])
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
    const struct service_row *row = fold->row;
    struct exchange *of_all = NULL;
    size_t asked_count = 0;
    describe(fold);
    if (row->joined)
        asked_count = exchanges_take(fold->judge, row->members, row->count, &of_all);
    const struct exchange *asked =
        row->joined ? of_all : exchanges_of(fold->judge, row->members[0], &asked_count);
    fold->record->peak_requests = peak_of(asked, asked_count);
    services_take_points(fold, asked, asked_count);
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
    free(fold->points);
    free(of_all);
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

static bool take_outages(struct service_fold *fold)
{
    const struct judge *judge = fold->judge;
    fold->outages = arena_take(&fold->judge->site->arena, (judge->claim_count + 1) * sizeof *fold->outages);
    for (size_t i = 0; i < judge->claim_count && fold->outages != NULL; i++) {
        const struct claim *claim = &judge->claims[i];
        if (claim->code == FINDING_SERVICE_OUTAGE && claim->flow != NULL)
            fold->outages[fold->outage_count++] = claim;
    }
    return fold->outages != NULL;
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
    if (!prepare(&fold) || !take_outages(&fold))
        return false;
    for (size_t i = 0; i < count && !judge->failed; i++) {
        fold.row = &rows[i];
        fold.row_limit = share_of(LIMIT_SERVICE_MINUTES, count, LIMIT_SERVICE_MINUTES_LEAST);
        put_service(&fold, share_of(LIMIT_ENDPOINTS, count, LIMIT_ENDPOINTS_LEAST));
    }
    return !judge->failed;
}
