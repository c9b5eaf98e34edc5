/* What the services of a site need: who uses it, and what they got. */
#include "diagnosis/site/needs.h"

#include "core/sort.h"
#include "diagnosis/site/commands.h"
#include "diagnosis/site/exchanges.h"

#include <stdlib.h>
#include <string.h>

/* FACTS: quantiles of fewer samples say nothing. */
#define P95_LEAST 60
#define P99_LEAST 300
#define USERS_TOLD 5
#define USERS_COUNTED 256
#define RCODE_REFUSED 5

struct user {
    const struct site_host *host;
    size_t connections;
};

/* One dependency while it is counted. */
struct need {
    struct dependency_record record;
    struct user users[USERS_COUNTED];
    size_t user_count;
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

static void count_user(struct need *need, const struct site_host *host)
{
    size_t at = 0;
    while (at < need->user_count && need->users[at].host != host)
        at++;
    if (at == need->user_count && at < USERS_COUNTED)
        need->users[need->user_count++] = (struct user){host, 0};
    if (at < USERS_COUNTED)
        need->users[at].connections++;
    need->record.clients = need->user_count;
}

static void count_flow(struct need *need, const struct site_flow *flow)
{
    struct dependency_record *r = &need->record;
    if (r->first_ns == 0 || flow->f.first_ns < r->first_ns)
        r->first_ns = flow->f.first_ns;
    if (flow->f.last_ns > r->last_ns)
        r->last_ns = flow->f.last_ns;
    if (!service_counts(flow))
        return;
    count_user(need, flow->client);
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
    const struct address *server = &need->record.server_ip;
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
    size_t answers = count + count_answers(judge->site, &need->record.server_ip);
    need->times = calloc(answers + 1, sizeof *need->times);
    for (size_t i = 0; need->times != NULL && i < count; i++) {
        need->record.requests++;
        need->record.errors += asked[i].error;
        if (!asked[i].waits)
            count_time(need, asked[i].think_ns);
    }
    return need->times != NULL && !judge->failed;
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

static int compare_users(const void *a, const void *b)
{
    const struct user *x = a, *y = b;
    if (x->connections != y->connections)
        return x->connections < y->connections ? 1 : -1;
    return address_compare(&x->host->address, &y->host->address);
}

static const char *tell_users(struct judge *judge, struct need *need)
{
    const char *text = NULL;
    sort_rows(need->users, need->user_count, sizeof need->users[0], compare_users);
    for (size_t i = 0; i < need->user_count && i < USERS_TOLD; i++) {
        char address[ADDRESS_TEXT_SIZE];
        text = arena_format(
            &judge->site->arena, "%s%s%s (%zu)", text != NULL ? text : "", text != NULL ? ", " : "",
            address_to_text(&need->users[i].host->address, address), need->users[i].connections);
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

static bool put_port(struct judge *judge, struct site_service *port, const uint64_t *refused,
                     const struct sink *out, int64_t *number)
{
    if (port->flows.count == 0 || address_is_multicast(&port->flows.flows[0]->server->address))
        return true;
    const struct profile_service *service = judge_profile_service(judge, port->flows.flows[0]);
    bool named = service != NULL && service->dependency != DEPENDENCY_NONE;
    uint8_t kind = named ? service->dependency : kind_by_content(app_of(port));
    if (kind == DEPENDENCY_NONE)
        return true;
    struct need *need = calloc(1, sizeof *need);
    if (need == NULL)
        return false;
    describe(judge, port, named ? service : NULL, kind, &need->record);
    for (size_t i = 0; i < port->flows.count; i++)
        count_flow(need, port->flows.flows[i]);
    bool good = need->record.attempts == 0 || count_exchanges(judge, need, port);
    if (good && need->record.attempts > 0) {
        count_refusals(judge, need, port);
        need->record.refused += refused[port - judge->site->services];
        if (kind == DEPENDENCY_NTP)
            count_ntp(judge, need, port);
        finish(judge, need);
        need->record.number = ++*number;
        sink_put(out, RECORD_DEPENDENCY, &need->record);
    }
    free(need->times);
    free(need);
    return good;
}

/* Services of the model stand by server, port and protocol: rows depend on no other order. */
bool needs_put(struct judge *judge, const struct sink *out)
{
    int64_t number = 0;
    uint64_t *refused = count_dns(judge->site);
    bool good = refused != NULL;
    for (size_t i = 0; good && i < judge->site->service_count; i++)
        good = put_port(judge, &judge->site->services[i], refused, out, &number);
    free(refused);
    return good;
}
