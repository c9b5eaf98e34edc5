/* Several servers behind one name: how long a switch from one to the next took, and whether they
 * share the load as they should. */
#include "core/sort.h"
#include "diagnosis/site/objectives.h"
#include "diagnosis/site/services.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* A switch: the old one was tried in vain so often. */
#define SWITCH_FAILURES 2
/* FINDINGS.md: three times off the weights; of enough users that chance does not make it. */
#define UNEVEN_FACTOR 3
#define UNEVEN_LEAST 30
/* One fails while the others work. */
#define FAILING_ATTEMPTS 3
#define FAILING_NS (10 * FACTS_SECOND)
#define FAILING_OTHERS 3
#define BACKENDS_MOST 64
/* Enough to see whether clients stay with one server. */
#define CLIENTS_LOOKED 256
#define LOOKED_MOST 4096

struct backend {
    struct site_service *service;
    const char *name;
    uint32_t weight;
    size_t connections, clients; /* that were served */
    const struct site_flow *first_ok, *last_ok;
};

/* Servers with the same name, port and family. */
struct backends {
    struct backend *at;
    size_t count;
};

static bool is_name(const char *name)
{
    struct address address;
    char host[256];
    size_t len = name != NULL ? strcspn(name, ":/") : 0;
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, name, len);
    host[len] = '\0';
    return !address_from_text(host, &address) && name[0] != '[';
}

static int by_name(const void *left, const void *right)
{
    const struct backend *a = left, *b = right;
    const struct site_flow *f = a->service->flows.flows[0], *g = b->service->flows.flows[0];
    int order = strcmp(a->name, b->name);
    if (order == 0)
        order = COMPARE(f->f.port[SIDE_SERVER], g->f.port[SIDE_SERVER]);
    return order != 0 ? order : address_compare(&f->server->address, &g->server->address);
}

static bool is_same_set(const struct backend *a, const struct backend *b)
{
    const struct site_flow *f = a->service->flows.flows[0], *g = b->service->flows.flows[0];
    return strcmp(a->name, b->name) == 0 && f->f.port[SIDE_SERVER] == g->f.port[SIDE_SERVER] &&
           f->server->address.family == g->server->address.family;
}

static uint32_t weight_of(const struct judge *judge, const struct site_service *service)
{
    const struct site_flow *flow = service->flows.flows[0];
    const struct profile_service *named = judge_profile_service(judge, flow);
    for (size_t i = 0; named != NULL && i < named->backend_count; i++) {
        if (address_equal(&named->backends[i].server, &flow->server->address))
            return named->backends[i].weight;
    }
    return 1;
}

static int by_client(const void *left, const void *right)
{
    return COMPARE(*(const uint32_t *)left, *(const uint32_t *)right);
}

static bool fill(struct judge *judge, struct backend *backend)
{
    const struct flow_range flows = backend->service->flows;
    uint32_t *clients = malloc((flows.count + 1) * sizeof *clients);
    if (clients == NULL) {
        judge->failed = true;
        return false;
    }
    for (size_t i = 0; i < flows.count; i++) {
        const struct site_flow *flow = flows.flows[i];
        if (!service_counts(flow) || !service_is_attempt(flow) || flow->outcome != OUTCOME_OK)
            continue;
        clients[backend->connections++] = flow->client->number;
        backend->first_ok = backend->first_ok == NULL ? flow : backend->first_ok;
        backend->last_ok = flow;
    }
    if (backend->connections > 1)
        sort_rows(clients, backend->connections, sizeof *clients, by_client);
    for (size_t i = 0; i < backend->connections; i++)
        backend->clients += i == 0 || clients[i] != clients[i - 1];
    free(clients);
    return true;
}

/* ---- switching ---- */

/* The failed tries on the server that had served last, since then. */
struct gap {
    const struct site_flow *last_ok, *first_failed, *last_failed;
    size_t failures;
};

static const char *endpoint_of(struct judge *judge, const struct site_flow *flow)
{
    char text[ENDPOINT_TEXT_SIZE];
    endpoint_to_text(&flow->server->address, flow->f.port[SIDE_SERVER], text);
    return arena_format(&judge->site->arena, "%s", text);
}

static void close_gap(struct judge *judge, const struct gap *gap, const struct site_flow *ok,
                      int64_t limit_ns)
{
    if (gap->failures < SWITCH_FAILURES || ok->service == gap->last_ok->service)
        return;
    int64_t from_ns = gap->last_ok->f.last_ns < gap->first_failed->f.first_ns
                          ? gap->last_ok->f.last_ns
                          : gap->first_failed->f.first_ns;
    if (judge_capture_end(judge, from_ns) < ok->f.first_ns)
        return;
    if (ok->f.first_ns - from_ns > ok->service->switch_ns)
        ok->service->switch_ns = ok->f.first_ns - from_ns;
    if (ok->f.first_ns - gap->first_failed->f.first_ns <= limit_ns ||
        judge_is_withdrawn(judge, FINDING_SERVICE_FAILOVER_SLOW, gap->first_failed))
        return;
    struct claim claim = service_claim(FINDING_SERVICE_FAILOVER_SLOW, ok);
    claim.confidence = 75;
    claim.first_ns = from_ns;
    claim.last_ns = ok->f.first_ns;
    claim.weight = (double)(ok->f.first_ns - from_ns);
    claim_add_ms(&claim, "gap_ms", ok->f.first_ns - from_ns);
    claim_add_text(&claim, "old_backend", endpoint_of(judge, gap->last_ok));
    claim_add_text(&claim, "new_backend", endpoint_of(judge, ok));
    const struct site_flow *shown[] = {gap->last_ok, gap->first_failed, gap->last_failed, ok};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        claim_add_reference(&claim, shown[i]->f.source_id, shown[i]->f.first_frame,
                            shown[i]->f.first_ns, EVENT_SYN);
    judge_claim(judge, &claim);
}

/* All flows of the set by time. */
static struct site_flow **merge_flows(struct judge *judge, const struct backends *set,
                                      size_t *out_count)
{
    size_t count = 0, at[BACKENDS_MOST] = {0};
    for (size_t i = 0; i < set->count; i++)
        count += set->at[i].service->flows.count;
    struct site_flow **flows = malloc((count + 1) * sizeof *flows);
    judge->failed |= flows == NULL;
    for (size_t n = 0; flows != NULL && n < count; n++) {
        size_t best = set->count;
        for (size_t i = 0; i < set->count; i++) {
            const struct flow_range *r = &set->at[i].service->flows;
            if (at[i] < r->count &&
                (best == set->count ||
                 site_compare_flows(r->flows[at[i]], set->at[best].service->flows.flows[at[best]]) <
                     0))
                best = i;
        }
        flows[n] = set->at[best].service->flows.flows[at[best]++];
    }
    *out_count = flows != NULL ? count : 0;
    return flows;
}

static void find_switches(struct judge *judge, const struct backends *set)
{
    size_t count = 0;
    struct site_flow **flows = merge_flows(judge, set, &count);
    int64_t limit_ns = objectives_of(judge, set->at[0].service).failover_ns;
    struct gap gap = {0};
    for (size_t i = 0; i < count; i++) {
        const struct site_flow *flow = flows[i];
        if (!service_counts(flow) || !service_is_attempt(flow))
            continue;
        if (flow->outcome == OUTCOME_OK) {
            if (gap.last_ok != NULL)
                close_gap(judge, &gap, flow, limit_ns);
            gap = (struct gap){.last_ok = flow};
        } else if (service_failed(flow) && gap.last_ok != NULL &&
                   (gap.failures > 0 || flow->service == gap.last_ok->service)) {
            gap.first_failed = gap.failures == 0 ? flow : gap.first_failed;
            gap.last_failed = flow;
            gap.failures++;
        }
    }
    free(flows);
}

/* ---- balance ---- */

static int by_place(const void *left, const void *right)
{
    const struct site_host *a = *(const struct site_host *const *)left;
    const struct site_host *b = *(const struct site_host *const *)right;
    return (a > b) - (a < b);
}

/* The clients of the others, sorted for a search; to be freed. NULL: no memory. */
static const struct site_host **clients_of_others(const struct backends *set, const struct flow_range *one,
                                                  size_t *count)
{
    const struct site_host **clients = malloc(set->count * LOOKED_MOST * sizeof *clients);
    *count = 0;
    for (size_t i = 0; clients != NULL && i < set->count; i++) {
        const struct flow_range *r = &set->at[i].service->flows;
        for (size_t k = 0; r->flows != one->flows && k < r->count && k < LOOKED_MOST; k++)
            clients[(*count)++] = r->flows[k]->client;
    }
    if (clients != NULL)
        qsort(clients, *count, sizeof *clients, by_place);
    return clients;
}

/* Clients that stay with one server each are what is shared out; else connections are. */
static bool is_sticky(struct judge *judge, const struct backends *set)
{
    size_t together = 0, others = 0;
    struct flow_range best = {0};
    for (size_t i = 0; i < set->count; i++) {
        together += set->at[i].clients;
        best = set->at[i].service->flows.count > best.count ? set->at[i].service->flows : best;
    }
    const struct site_host **clients = clients_of_others(set, &best, &others);
    judge->failed |= clients == NULL;
    size_t strays = 0, looked = 0;
    for (; clients != NULL && looked < best.count && looked < CLIENTS_LOOKED; looked++)
        strays += bsearch(&best.flows[looked]->client, clients, others, sizeof *clients, by_place) != NULL;
    free(clients);
    return together > 0 && strays * 2 < looked;
}

/* Both serve over most of the time: one that only stands by is no idle one. */
static bool serve_together(const struct backend *a, const struct backend *b)
{
    int64_t from = a->first_ok->f.first_ns > b->first_ok->f.first_ns ? a->first_ok->f.first_ns
                                                                     : b->first_ok->f.first_ns;
    int64_t to = a->last_ok->f.first_ns < b->last_ok->f.first_ns ? a->last_ok->f.first_ns
                                                                 : b->last_ok->f.first_ns;
    return (to - from) * 2 > a->last_ok->f.first_ns - a->first_ok->f.first_ns;
}

static void claim_uneven(struct judge *judge, const struct backend *busy,
                         const struct backend *idle, double factor)
{
    if (judge_is_withdrawn(judge, FINDING_SERVICE_UNBALANCED, busy->first_ok))
        return;
    struct claim claim = service_claim(FINDING_SERVICE_UNBALANCED, busy->first_ok);
    claim.confidence = 65;
    claim.name = busy->name;
    claim.last_ns = busy->last_ok->f.last_ns;
    claim.count = (int64_t)busy->connections;
    claim_add_text(&claim, "busiest", endpoint_of(judge, busy->first_ok));
    claim_add_text(&claim, "idlest", endpoint_of(judge, idle->first_ok));
    claim_add_number(&claim, "factor", factor);
    const struct site_flow *shown[] = {busy->first_ok, idle->first_ok, idle->last_ok,
                                       busy->last_ok};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        claim_add_reference(&claim, shown[i]->f.source_id, shown[i]->f.first_frame,
                            shown[i]->f.first_ns, EVENT_SYN);
    judge_claim(judge, &claim);
}

static void find_uneven(struct judge *judge, const struct backends *set)
{
    const struct backend *busy = NULL, *idle = NULL;
    double most = 0, least = 0;
    bool sticky = is_sticky(judge, set);
    for (size_t i = 0; i < set->count; i++) {
        const struct backend *b = &set->at[i];
        double load =
            (double)(sticky ? b->clients : b->connections) / (b->weight > 0 ? b->weight : 1);
        if (b->connections == 0 || b->weight == 0)
            continue;
        if (busy == NULL || load > most) {
            busy = b;
            most = load;
        }
        if (idle == NULL || load < least) {
            idle = b;
            least = load;
        }
    }
    if (busy == NULL || busy == idle || !serve_together(busy, idle))
        return;
    uint64_t mine = sticky ? busy->clients : busy->connections;
    uint64_t both = mine + (sticky ? idle->clients : idle->connections);
    /* of the users of these two, the busy one's share if it had only so many times its due */
    double due = (double)busy->weight * UNEVEN_FACTOR;
    due = due / (due + (double)idle->weight);
    if (both >= UNEVEN_LEAST && share_lowest(mine, both) > due)
        claim_uneven(judge, busy, idle, most / least);
}

/* Failed attempts at one server, none of them between successes, while others of the set serve. */
static void find_failing(struct judge *judge, const struct backends *set, size_t at)
{
    const struct flow_range flows = set->at[at].service->flows;
    const struct site_flow *first = NULL, *last = NULL;
    size_t failures = 0, others = 0;
    for (size_t i = 0; i < flows.count; i++) {
        const struct site_flow *flow = flows.flows[i];
        if (!service_counts(flow) || !service_is_attempt(flow))
            continue;
        if (flow->outcome == OUTCOME_OK && failures > 0)
            return;
        if (!service_failed(flow))
            continue;
        first = failures++ == 0 ? flow : first;
        last = flow;
    }
    if (failures < FAILING_ATTEMPTS || last->f.first_ns - first->f.first_ns < FAILING_NS)
        return;
    for (size_t i = 0; i < set->count; i++) {
        const struct flow_range *r = &set->at[i].service->flows;
        for (size_t j = range_find_time(*r, first->f.first_ns); i != at && j < r->count; j++)
            others +=
                r->flows[j]->f.first_ns <= last->f.first_ns && r->flows[j]->outcome == OUTCOME_OK;
    }
    if (others < FAILING_OTHERS || judge_is_withdrawn(judge, FINDING_SERVICE_UNBALANCED, first))
        return;
    const struct claim *verdict = judge_verdict(judge, first);
    struct claim claim = service_claim(FINDING_SERVICE_UNBALANCED, first);
    claim.confidence = 75;
    if (verdict != NULL && verdict->culprit != CULPRIT_CLIENT) {
        claim.culprit = verdict->culprit;
        claim.category = verdict->category;
        claim.reason = verdict->reason;
    }
    claim.name = set->at[at].name;
    claim.last_ns = last->f.last_ns;
    claim.count = (int64_t)failures;
    claim_add_text(&claim, "failing", endpoint_of(judge, first));
    claim_add_number(&claim, "others", (double)others);
    claim_add_reference(&claim, first->f.source_id, first->f.first_frame, first->f.first_ns,
                        EVENT_SYN);
    claim_add_reference(&claim, last->f.source_id, last->f.first_frame, last->f.first_ns,
                        EVENT_SYN);
    judge_claim(judge, &claim);
}

static void judge_set(struct judge *judge, const struct backends *set)
{
    bool served = true;
    for (size_t i = 0; i < set->count; i++)
        served = fill(judge, &set->at[i]) && served;
    if (!served)
        return;
    find_switches(judge, set);
    find_uneven(judge, set);
    for (size_t i = 0; i < set->count; i++)
        find_failing(judge, set, i);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    struct backend *all = malloc((site->service_count + 1) * sizeof *all);
    size_t count = 0;
    judge->failed |= all == NULL;
    for (size_t i = 0; all != NULL && i < site->service_count; i++) {
        struct site_service *service = &site->services[i];
        const struct flow_facts *f = service->flows.count > 0 ? &service->flows.flows[0]->f : NULL;
        const char *name =
            f != NULL && f->service != NULL && facts_is_tcp(f) ? service_usual_name(service) : NULL;
        if (is_name(name))
            all[count++] = (struct backend){
                .service = service, .name = name, .weight = weight_of(judge, service)};
    }
    if (count > 1)
        sort_rows(all, count, sizeof *all, by_name);
    for (size_t i = 0, end = 0; i < count; i = end) {
        for (end = i + 1; end < count && is_same_set(&all[i], &all[end]);)
            end++;
        const struct backends set = {all + i, end - i < BACKENDS_MOST ? end - i : BACKENDS_MOST};
        if (set.count > 1)
            judge_set(judge, &set);
    }
    free(all);
}

const struct detector detector_backends = {"backends", detect};
