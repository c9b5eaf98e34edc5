#include "diagnosis/site/model_internal.h"

#include <stdlib.h>
#include <string.h>

#define NO_ACTIVITY                                                                                \
    {                                                                                              \
        INT64_MIN, INT64_MIN, NULL                                                                 \
    }
/* Mean payload packets above this show that full-size segments arrive. */
#define LARGE_MEAN_BYTES 1000u

static void activity_note(struct activity *a, const struct site_flow *flow, int64_t end_ns)
{
    if (a->best == NULL || end_ns > a->best_ns) {
        a->second_ns = a->best_ns;
        a->best_ns = end_ns;
        a->best = flow;
    } else if (end_ns > a->second_ns) {
        a->second_ns = end_ns;
    }
}

/* A connection that nobody closed stays open, however silent. */
static int64_t open_until(const struct flow_facts *f)
{
    return f->closed_by > SIDE_SERVER ? INT64_MAX : f->last_ns;
}

/* The latest end among the flows noted, `but` left out. */
static int64_t activity_end(const struct activity *a, const struct site_flow *but)
{
    return a->best == but ? a->second_ns : a->best_ns;
}

static bool is_group_end(const struct site *site, struct site_flow *const *list, size_t i,
                         bool (*same)(const struct site_flow *, const struct site_flow *))
{
    return i + 1 == site->flow_count || !same(list[i], list[i + 1]);
}

static bool same_service(const struct site_flow *a, const struct site_flow *b)
{
    return a->server == b->server && a->f.protocol == b->f.protocol &&
           a->f.port[SIDE_SERVER] == b->f.port[SIDE_SERVER];
}

static bool same_pair(const struct site_flow *a, const struct site_flow *b)
{
    return a->client == b->client && a->server == b->server;
}

static size_t count_groups(const struct site *site, struct site_flow *const *list,
                           bool (*same)(const struct site_flow *, const struct site_flow *))
{
    size_t count = 0;
    for (size_t i = 0; i < site->flow_count; i++)
        count += is_group_end(site, list, i, same);
    return count;
}

bool service_knows_name(const struct site_service *service, const char *name)
{
    for (uint32_t i = 0; i < service->name_count; i++) {
        if (strcmp(service->names[i], name) == 0)
            return true;
    }
    return false;
}

static const char *version_word(uint16_t version)
{
    switch (version) {
    case 0x0300:
        return "SSL 3.0";
    case 0x0301:
        return "TLS 1.0";
    case 0x0302:
        return "TLS 1.1";
    case 0x0303:
        return "TLS 1.2";
    case 0x0304:
        return "TLS 1.3";
    case 0x0101:
        return "TLCP 1.1";
    default:
        return NULL;
    }
}

static void accept(struct accepted *list, uint16_t number, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->numbers[i] == number)
            return;
    }
    if (number == 0 || name == NULL || list->count == SERVICE_ACCEPTED)
        return;
    list->numbers[list->count] = number;
    list->names[list->count++] = name;
}

static void note_tls(struct site_service *service, const struct tls_facts *t)
{
    if (t->alert == 70 && t->alert_by == SIDE_SERVER && t->version_offered > service->refused_offer)
        service->refused_offer = t->version_offered;
    if (!t->established || t->version == 0)
        return;
    accept(&service->versions_taken, t->version, version_word(t->version));
    accept(&service->ciphers_taken, t->cipher, t->cipher_name);
    accept(&service->groups_taken, t->group, t->group_name);
    if (service->version_min == 0 || t->version < service->version_min)
        service->version_min = t->version;
    if (t->version > service->version_max)
        service->version_max = t->version;
    if (t->sni != NULL && service->name_count < SERVICE_NAMES &&
        !service_knows_name(service, t->sni))
        service->names[service->name_count++] = t->sni;
}

static void note_least(int64_t *least_ns, int64_t ns)
{
    if (ns >= 0 && (*least_ns < 0 || ns < *least_ns))
        *least_ns = ns;
}

static void note_service(struct site_service *service, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    note_least(&flow->server->leg_min_ns, f->connect_rtt_server_ns);
    note_least(&flow->server->leg_min_ns, f->rtt_ns[SIDE_SERVER]);
    note_least(&flow->server->client_leg_min_ns, f->connect_rtt_client_ns);
    service->established += facts_is_established(f);
    service->two_sided += facts_is_two_sided(f);
    if (facts_is_unanswered_syn(f))
        service->silent_syns += f->tcp->syn_count;
    service->asked_packets += f->packets[SIDE_CLIENT];
    if (f->last_ns > service->last_ns)
        service->last_ns = f->last_ns;
    if (f->tls != NULL)
        note_tls(service, f->tls);
}

static void finish_service(struct site *site, struct site_service *service)
{
    struct accepted *taken = &service->versions_taken;
    for (uint32_t i = 1; i < taken->count; i++) { /* newest first; a handful */
        for (uint32_t at = i; at > 0 && taken->numbers[at] > taken->numbers[at - 1]; at--) {
            uint16_t number = taken->numbers[at];
            const char *name = taken->names[at];
            taken->numbers[at] = taken->numbers[at - 1];
            taken->names[at] = taken->names[at - 1];
            taken->numbers[at - 1] = number;
            taken->names[at - 1] = name;
        }
    }
    for (uint32_t i = 0; i < taken->count; i++)
        service->versions = i == 0 ? taken->names[0]
                                   : arena_format(&site->arena, "%s,%s", service->versions,
                                                  taken->names[i]);
}

static bool is_stuck(const struct flow_facts *f)
{
    return facts_is_established(f) && f->payload[SIDE_CLIENT] > 0 && f->payload[SIDE_SERVER] == 0 &&
           !facts_has(f, FLOW_FACT_UNSEEN_PEER);
}

static bool build_services(struct site *site)
{
    size_t count = count_groups(site, site->by_service, same_service);
    site->services = calloc(count + 1, sizeof *site->services);
    site->open_activity = calloc(site->flow_count + 1, sizeof *site->open_activity);
    site->stuck_activity = calloc(site->flow_count + 1, sizeof *site->stuck_activity);
    if (site->services == NULL || site->open_activity == NULL || site->stuck_activity == NULL)
        return false;
    struct activity open = NO_ACTIVITY, stuck = NO_ACTIVITY;
    struct site_service *service = site->services;
    size_t start = 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        struct site_flow *flow = site->by_service[i];
        flow->service = service;
        if (facts_is_established(&flow->f))
            activity_note(&open, flow, open_until(&flow->f));
        if (is_stuck(&flow->f))
            activity_note(&stuck, flow, open_until(&flow->f));
        site->open_activity[i] = open;
        site->stuck_activity[i] = stuck;
        note_service(service, flow);
        if (!is_group_end(site, site->by_service, i, same_service))
            continue;
        service->flows = (struct flow_range){&site->by_service[start], i + 1 - start};
        service->open = &site->open_activity[start];
        service->stuck = &site->stuck_activity[start];
        finish_service(site, service);
        service++;
        start = i + 1;
        open = stuck = (struct activity)NO_ACTIVITY;
    }
    site->service_count = count;
    return true;
}

static void note_pair(struct site_pair *pair, const struct flow_facts *f)
{
    if (!facts_is_tcp(f))
        return;
    pair->has_ftp |= facts_is_established(f) && facts_is_ftp_control(f);
    for (int s = 0; s < 2; s++) {
        uint32_t passed = f->tcp->side[s].largest_delivered;
        uint64_t mean = f->packets[s] > 0 ? f->bytes[s] / f->packets[s] : 0;
        if (mean >= LARGE_MEAN_BYTES && f->tcp->side[s].unacked_bytes == 0 && mean > passed)
            passed = (uint32_t)(mean > UINT32_MAX ? UINT32_MAX : mean);
        if (passed > pair->largest_passed[s])
            pair->largest_passed[s] = passed;
    }
}

/* Pairs and paths stand in the same order. */
static struct path_sample_record *path_of(const struct site *site, const struct site_flow *flow, size_t *at)
{
    const struct path_sample_record ends = {.client_ip = flow->client->address, .server_ip = flow->server->address};
    int order = -1;
    while (*at < site->path_count && (order = site_compare_paths(site->paths[*at], &ends)) < 0)
        (*at)++;
    return *at < site->path_count && order == 0 ? site->paths[*at] : NULL;
}

static bool build_pairs(struct site *site)
{
    size_t count = count_groups(site, site->by_pair, same_pair);
    site->pairs = calloc(count + 1, sizeof *site->pairs);
    if (site->pairs == NULL)
        return false;
    struct site_pair *pair = site->pairs;
    size_t start = 0, path = 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        site->by_pair[i]->pair = pair;
        note_pair(pair, &site->by_pair[i]->f);
        if (!is_group_end(site, site->by_pair, i, same_pair))
            continue;
        pair->flows = (struct flow_range){&site->by_pair[start], i + 1 - start};
        pair->path = path_of(site, site->by_pair[i], &path);
        pair++;
        start = i + 1;
    }
    site->pair_count = count;
    return true;
}

static bool build_activity(struct site *site)
{
    struct activity open = NO_ACTIVITY;
    site->server_activity = calloc(site->flow_count + 1, sizeof *site->server_activity);
    if (site->server_activity == NULL)
        return false;
    site->two_sided = (struct activity)NO_ACTIVITY;
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_flow *flow = site->by_server[i];
        if (i > 0 && site->by_server[i - 1]->server != flow->server)
            open = (struct activity)NO_ACTIVITY;
        if (facts_is_two_sided(&flow->f)) {
            int64_t until = facts_two_way_until(&flow->f);
            activity_note(&open, flow, until);
            activity_note(&site->two_sided, flow, until);
        }
        site->server_activity[i] = open;
    }
    return true;
}

bool site_build_groups(struct site *site)
{
    free(site->services);
    free(site->open_activity);
    free(site->stuck_activity);
    free(site->server_activity);
    free(site->pairs);
    site->services = NULL;
    site->open_activity = site->stuck_activity = site->server_activity = NULL;
    site->pairs = NULL;
    return build_services(site) && build_pairs(site) && build_activity(site);
}

/* The last flow of a list that began at or before ns, as its index plus one; 0 none. */
static size_t count_before(struct flow_range range, int64_t ns)
{
    return ns == INT64_MAX ? range.count : range_find_time(range, ns + 1);
}

bool site_server_answers(const struct site *site, const struct site_flow *but, int64_t from_ns,
                         int64_t to_ns)
{
    size_t count = count_before(site_server_flows(site, but->server), to_ns);
    const struct activity *list = &site->server_activity[site->server_from[but->server->number]];
    return count > 0 && activity_end(&list[count - 1], but) >= from_ns;
}

static bool alive_before(const struct site_flow *flow, const struct activity *list, int64_t ns)
{
    size_t count = count_before(flow->service->flows, flow->f.first_ns);
    return count > 0 && activity_end(&list[count - 1], flow) >= ns;
}

bool site_has_open_before(const struct site_flow *flow, int64_t ns)
{
    return alive_before(flow, flow->service->open, ns);
}

bool site_has_stuck_before(const struct site_flow *flow, int64_t ns)
{
    return alive_before(flow, flow->service->stuck, ns);
}
