/* What happened on the connections of a service, as points in time of a group of clients. */
#include "core/sort.h"
#include "diagnosis/site/services.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* What a connection moved beyond its samples is spread over so many parts of its life. */
#define SPREAD_PARTS 60
#define GROUP_BITS_V4 24
#define GROUP_BITS_V6 64

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
    sort_rows(groups, count, sizeof *groups, by_prefix);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_prefix(&groups[kept - 1], &groups[i]) == 0)
            groups[kept - 1].flows++;
        else
            groups[kept++] = groups[i];
    }
    sort_rows(groups, kept, sizeof *groups, by_size);
    return kept;
}

static void name_groups(struct service_fold *fold, const struct client_group *groups, size_t count)
{
    char text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < count && i < LIMIT_CLIENT_GROUPS; i++) {
        const struct address *prefix = &groups[i].prefix;
        fold->groups[i] =
            arena_format(&fold->judge->site->arena, "%s/%d", address_to_text(prefix, text),
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

static void add_amounts(struct points *points, const struct site_flow *flow, uint16_t group)
{
    const struct flow_facts *f = &flow->f;
    int64_t bytes = (int64_t)(f->payload[0] + f->payload[1]);
    int64_t again =
        (int64_t)f->retransmissions + f->syn_retransmissions + f->synack_retransmissions;
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

static void add_flow(struct points *points, const struct site_flow *flow, uint16_t group)
{
    const struct flow_facts *f = &flow->f;
    const struct service_point point = {.start_ns = minute_of(f->first_ns),
                                        .first = connect_time(f),
                                        .second = tls_time(f->tls),
                                        .group = group,
                                        .kind = POINT_FLOW,
                                        .counts = (uint8_t)flow_counts(flow)};
    add_point(points, &point);
    add_amounts(points, flow, group);
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

size_t services_amounts(struct judge *judge, const struct site_service *service,
                        struct service_point **out)
{
    struct points points = {.judge = judge};
    size_t kept = 0;
    for (size_t i = 0; i < service->flows.count; i++) {
        if (service_counts(service->flows.flows[i]))
            add_amounts(&points, service->flows.flows[i], 0);
    }
    if (points.count > 1)
        sort_rows(points.items, points.count, sizeof *points.items, by_minute);
    for (size_t i = 0; i < points.count; i++) {
        struct service_point *last = kept > 0 ? &points.items[kept - 1] : NULL;
        if (last != NULL && last->start_ns == points.items[i].start_ns) {
            last->first += points.items[i].first;
            last->second += points.items[i].second;
        } else {
            points.items[kept++] = points.items[i];
        }
    }
    *out = points.items;
    return kept;
}

/* ---- one service ---- */

static int by_address(const void *left, const void *right)
{
    return COMPARE(*(const uint32_t *)left, *(const uint32_t *)right);
}

/* The flows of the row: their groups, points, and how many clients. */
static void take_flows(struct service_fold *fold, struct points *points,
                       const struct exchange *asked, size_t asked_count)
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
        sort_rows(numbers, at, sizeof *numbers, by_address);
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

void services_take_points(struct service_fold *fold, const struct exchange *asked,
                          size_t asked_count)
{
    struct points points = {.judge = fold->judge};
    take_flows(fold, &points, asked, asked_count);
    if (points.count > 1)
        sort_rows(points.items, points.count, sizeof *points.items, by_minute);
    fold->points = points.items;
    fold->point_count = points.count;
}
