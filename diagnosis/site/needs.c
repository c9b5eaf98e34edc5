/* What the services of a site need: who uses it, and what they got. */
#include "diagnosis/site/needs.h"

#include "core/limits.h"
#include "core/sort.h"
#include "diagnosis/site/commands.h"
#include "diagnosis/site/exchanges.h"

#include <stdlib.h>
#include <string.h>

/* FACTS: quantiles of fewer samples say nothing. */
#define P95_LEAST 60
#define P99_LEAST 300
#define USERS_TOLD 5
#define RCODE_REFUSED 5

/* A server port that is one, in the order of the model. */
struct candidate {
    struct site_service *port;
    size_t attempts;
    uint8_t kind;
    bool joined; /* told with others of its kind */
};

struct user {
    const struct site_host *host;
    size_t connections;
};

/* One dependency while it is counted; or those of one kind that have no row of their own. */
struct need {
    struct dependency_record record;
    const struct site_host **hosts; /* of each attempt */
    size_t host_count;
    int64_t *times;
    size_t time_count;
};

/* ---- what is one --------------------------------------------------------------------------------
 */

static uint8_t kind_by_content(const char *app)
{
    static const struct {
        const char *app;
        uint8_t kind;
    } known[] = {{"dns", DEPENDENCY_DNS},        {"ntp", DEPENDENCY_NTP},
                 {"mysql", DEPENDENCY_DATABASE}, {"postgresql", DEPENDENCY_DATABASE},
                 {"redis", DEPENDENCY_CACHE},    {"amqp", DEPENDENCY_BROKER}};
    for (size_t i = 0; app != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].app, app) == 0)
            return known[i].kind;
    }
    return DEPENDENCY_NONE;
}

static const char *app_of(const struct site_service *port)
{
    for (size_t i = 0; i < port->flows.count; i++) {
        if (port->flows.flows[i]->f.app != NULL)
            return port->flows.flows[i]->f.app;
    }
    return NULL;
}

/* ---- counting -----------------------------------------------------------------------------------
 */

/* Answers alone, of servers that nobody was seen to ask, are no need of anybody: of forged or reflected ones there are
 * as many as packets. Where one direction is missing from the capture they are all there is. */
static bool is_attempt(const struct judge *judge, const struct site_flow *flow)
{
    return service_counts(flow) &&
           (flow->f.packets[SIDE_CLIENT] > 0 || judge->quality.found[FINDING_CAPTURE_ONE_SIDED]);
}

static void count_flow(const struct judge *judge, struct need *need, const struct site_flow *flow)
{
    struct dependency_record *r = &need->record;
    if (r->first_ns == 0 || flow->f.first_ns < r->first_ns)
        r->first_ns = flow->f.first_ns;
    if (flow->f.last_ns > r->last_ns)
        r->last_ns = flow->f.last_ns;
    if (!is_attempt(judge, flow))
        return;
    need->hosts[need->host_count++] = flow->client;
    r->attempts++;
    r->failed += flow->outcome == OUTCOME_FAILED;
}

static void count_time(struct need *need, int64_t ns)
{
    if (ns < 0)
        return;
    need->times[need->time_count++] = ns;
    need->record.slow += ns > need->record.limit_ns;
}

static void count_refusals(struct judge *judge, struct need *need, const struct site_service *port)
{
    for (size_t i = 0; i < port->flows.count; i++) {
        struct command_range rows = commands_of(judge->site, port->flows.flows[i]->f.id);
        for (size_t j = 0; j < rows.count; j++)
            need->record.refused += rows.at[j]->result == COMMAND_REFUSED;
    }
}

static bool is_of(const struct judge *judge, const struct site_service *port, int64_t flow_id)
{
    const struct site_flow *flow = site_find_flow(judge->site, flow_id);
    return flow != NULL && flow->service == port;
}

/* Of all ports at once: questions stand by client. */
static uint64_t *count_dns(const struct site *site)
{
    uint64_t *refused = calloc(site->service_count + 1, sizeof *refused);
    for (size_t i = 0; refused != NULL && i < site->dns_count; i++) {
        const struct site_flow *flow = site->dns[i]->rcode == RCODE_REFUSED
                                           ? site_find_flow(site, site->dns[i]->flow_id)
                                           : NULL;
        if (flow != NULL)
            refused[flow->service - site->services]++;
    }
    return refused;
}

/* The first exchange with that server: they stand by server. */
static size_t find_ntp(const struct site *site, const struct address *server)
{
    size_t low = 0, high = site->ntp_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address_compare(&site->ntp[middle]->server_ip, server) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t count_answers(const struct site *site, const struct address *server)
{
    size_t first = find_ntp(site, server), end = first;
    while (end < site->ntp_count && address_equal(&site->ntp[end]->server_ip, server))
        end++;
    return end - first;
}

static void count_ntp(struct judge *judge, struct need *need, const struct site_service *port)
{
    const struct site *site = judge->site;
    const struct address *server = &port->flows.flows[0]->server->address;
    for (size_t i = find_ntp(site, server);
         i < site->ntp_count && address_equal(&site->ntp[i]->server_ip, server); i++) {
        const struct ntp_record *r = site->ntp[i];
        if (r->request_ns < 0 || !is_of(judge, port, r->flow_id))
            continue;
        need->record.requests++;
        need->record.errors += r->reply_ns < 0;
        need->record.refused += r->reply_ns >= 0 && r->stratum == 0;
        count_time(need, r->reply_ns >= 0 ? r->reply_ns - r->request_ns : RECORD_NONE_NS);
    }
}

static bool count_exchanges(struct judge *judge, struct need *need, struct site_service *port)
{
    size_t count = 0;
    const struct exchange *asked = exchanges_of(judge, port, &count);
    size_t answers = count + count_answers(judge->site, &port->flows.flows[0]->server->address);
    need->times = calloc(answers + 1, sizeof *need->times);
    for (size_t i = 0; need->times != NULL && i < count; i++) {
        need->record.requests++;
        need->record.errors += asked[i].error;
        if (!asked[i].waits)
            count_time(need, asked[i].think_ns);
    }
    return need->times != NULL && !judge->failed;
}

/* One more port of the need; its times are kept until the next. */
static bool count_port(struct judge *judge, struct need *need, const struct candidate *candidate,
                       const uint64_t *refused)
{
    struct site_service *port = candidate->port;
    free(need->times);
    need->times = NULL;
    need->time_count = 0;
    for (size_t i = 0; i < port->flows.count; i++)
        count_flow(judge, need, port->flows.flows[i]);
    if (!count_exchanges(judge, need, port))
        return false;
    count_refusals(judge, need, port);
    need->record.refused += refused[port - judge->site->services];
    if (candidate->kind == DEPENDENCY_NTP)
        count_ntp(judge, need, port);
    return true;
}

/* ---- the row ------------------------------------------------------------------------------------
 */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static int64_t quantile(const struct need *need, size_t percent, size_t least)
{
    if (need->time_count < least)
        return RECORD_NONE_NS;
    size_t rank = (need->time_count * percent + 99) / 100;
    return need->times[rank > 0 ? rank - 1 : 0];
}

static int by_host(const void *a, const void *b)
{
    const struct site_host *x = *(const struct site_host *const *)a, *y = *(const struct site_host *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool uses_more(const struct user *a, const struct user *b)
{
    return a->connections != b->connections ? a->connections > b->connections
                                            : address_compare(&a->host->address, &b->host->address) < 0;
}

/* Puts the user into the list of those with most connections. */
static void rank_user(struct user most[USERS_TOLD], const struct user *user)
{
    struct user moved = *user;
    for (size_t i = 0; i < USERS_TOLD && moved.host != NULL; i++) {
        if (most[i].host == NULL || uses_more(&moved, &most[i])) {
            struct user before = most[i];
            most[i] = moved;
            moved = before;
        }
    }
}

static const char *tell_users(struct judge *judge, struct need *need)
{
    struct user most[USERS_TOLD] = {{NULL, 0}};
    const char *text = NULL;
    sort_rows((void *)need->hosts, need->host_count, sizeof(struct site_host *), by_host);
    for (size_t i = 0, end = 0; i < need->host_count; i = end) {
        for (end = i + 1; end < need->host_count && need->hosts[end] == need->hosts[i];)
            end++;
        rank_user(most, &(struct user){need->hosts[i], end - i});
        need->record.clients++;
    }
    for (size_t i = 0; i < USERS_TOLD && most[i].host != NULL; i++) {
        char address[ADDRESS_TEXT_SIZE];
        text = arena_format(&judge->site->arena, "%s%s%s (%zu)", text != NULL ? text : "",
                            text != NULL ? ", " : "", address_to_text(&most[i].host->address, address),
                            most[i].connections);
    }
    return text;
}

static void finish(struct judge *judge, struct need *need)
{
    struct dependency_record *r = &need->record;
    if (need->time_count > 0)
        sort_rows(need->times, need->time_count, sizeof *need->times, compare_times);
    r->p50_ns = quantile(need, 50, 1);
    r->p95_ns = quantile(need, 95, P95_LEAST);
    r->p99_ns = quantile(need, 99, P99_LEAST);
    r->max_ns = quantile(need, 100, 1);
    r->users = tell_users(judge, need);
}

static void describe(const struct judge *judge, const struct site_service *port,
                     const struct profile_service *service, uint8_t kind,
                     struct dependency_record *out)
{
    const struct site_flow *first = port->flows.flows[0];
    *out = (struct dependency_record){.capture_id = judge->site->capture.id,
                                      .name = service != NULL ? service->name : NULL,
                                      .kind = profile_dependency_name(kind),
                                      .app = app_of(port),
                                      .server_ip = first->server->address,
                                      .server_port = first->f.port[SIDE_SERVER],
                                      .protocol = first->f.protocol,
                                      .limit_ns = judge_slow_ns(judge, first)};
}

/* The profile's service where it calls it a dependency; NULL: known by its content alone. */
static const struct profile_service *named_service(const struct judge *judge, const struct site_service *port)
{
    const struct profile_service *service = judge_profile_service(judge, port->flows.flows[0]);
    return service != NULL && service->dependency != DEPENDENCY_NONE ? service : NULL;
}

static bool put_port(struct judge *judge, const struct candidate *candidate, const uint64_t *refused,
                     const struct sink *out, int64_t number)
{
    struct need need = {.record = {0}};
    need.hosts = malloc((candidate->port->flows.count + 1) * sizeof(struct site_host *));
    describe(judge, candidate->port, named_service(judge, candidate->port), candidate->kind, &need.record);
    bool good = need.hosts != NULL && count_port(judge, &need, candidate, refused);
    if (good) {
        finish(judge, &need);
        need.record.number = number;
        sink_put(out, RECORD_DEPENDENCY, &need.record);
    }
    free(need.times);
    free((void *)need.hosts);
    return good;
}

/* ---- all ----------------------------------------------------------------------------------------
 */
static bool take_candidate(const struct judge *judge, struct site_service *port, struct candidate *out)
{
    if (port->flows.count == 0 || address_is_multicast(&port->flows.flows[0]->server->address))
        return false;
    const struct profile_service *service = named_service(judge, port);
    *out = (struct candidate){.port = port,
                              .kind = service != NULL ? service->dependency : kind_by_content(app_of(port))};
    for (size_t i = 0; out->kind != DEPENDENCY_NONE && i < port->flows.count; i++)
        out->attempts += is_attempt(judge, port->flows.flows[i]);
    return out->attempts > 0;
}

static int by_attempts(const void *left, const void *right)
{
    const struct candidate *a = *(struct candidate *const *)left, *b = *(struct candidate *const *)right;
    if (a->attempts != b->attempts)
        return a->attempts < b->attempts ? 1 : -1;
    int order = address_compare(&a->port->flows.flows[0]->server->address, &b->port->flows.flows[0]->server->address);
    return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

/* Those with most connections have rows of their own. */
static bool choose(struct candidate *candidates, size_t count)
{
    struct candidate **ranked = malloc((count + 1) * sizeof *ranked);
    if (ranked == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        ranked[i] = &candidates[i];
    if (count > LIMIT_SERVICES)
        sort_rows(ranked, count, sizeof *ranked, by_attempts);
    for (size_t i = LIMIT_SERVICES; i < count; i++)
        ranked[i]->joined = true;
    free(ranked);
    return true;
}

/* One row for all of the kind that have none; times of many servers say nothing together. */
static bool put_joined(struct judge *judge, const struct candidate *candidates, size_t count, uint8_t kind,
                       const uint64_t *refused, const struct sink *out, int64_t *number)
{
    struct need need = {.record = {.capture_id = judge->site->capture.id, .kind = profile_dependency_name(kind)}};
    need.hosts = malloc((judge->site->flow_count + 1) * sizeof(struct site_host *));
    bool good = need.hosts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        if (!candidates[i].joined || candidates[i].kind != kind)
            continue;
        need.record.others++;
        need.record.limit_ns = judge_slow_ns(judge, candidates[i].port->flows.flows[0]); /* its own */
        good = count_port(judge, &need, &candidates[i], refused);
    }
    if (good && need.record.others > 0) {
        need.time_count = 0;
        need.record.limit_ns = 0;
        finish(judge, &need);
        need.record.number = ++*number;
        sink_put(out, RECORD_DEPENDENCY, &need.record);
    }
    free(need.times);
    free((void *)need.hosts);
    return good;
}

/* Services of the model stand by server, port and protocol: rows depend on no other order. */
bool needs_put(struct judge *judge, const struct sink *out)
{
    const struct site *site = judge->site;
    int64_t number = 0;
    size_t count = 0;
    uint64_t *refused = count_dns(site);
    struct candidate *candidates = malloc((site->service_count + 1) * sizeof *candidates);
    bool good = refused != NULL && candidates != NULL;
    for (size_t i = 0; good && i < site->service_count; i++)
        count += take_candidate(judge, &site->services[i], &candidates[count]);
    good = good && choose(candidates, count);
    for (size_t i = 0; good && i < count; i++)
        good = candidates[i].joined || put_port(judge, &candidates[i], refused, out, ++number);
    for (uint8_t kind = DEPENDENCY_NONE + 1; good && count > LIMIT_SERVICES && kind < DEPENDENCY_KIND_COUNT; kind++)
        good = put_joined(judge, candidates, count, kind, refused, out, &number);
    free(refused);
    free(candidates);
    return good;
}
