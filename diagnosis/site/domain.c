/* The fault domain: what the failed connections of one verdict have in common and the others, at
 * the same time, do not.
 *
 * All limits that hold every failed one are tried: no client, the clients' network, the one client;
 * any server, the servers' network, one address, one port, one service, one name. Limits are whole
 * when nine in ten attempts inside failed. The whole limits that hold most attempts win; where those
 * attempts cannot tell them apart, limits inside which the same clients never reached anything else,
 * earlier or later either; then the order of `shapes`. Without whole limits for all of them each
 * service is looked at alone. */
#include "core/sort.h"
#include "diagnosis/site/extent.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_PERCENT 90u
/* More services than this with one verdict and nothing in common: the first ones are told. */
#define DOMAINS_PER_VERDICT 16
#define SMALLEST_BITS_V4 8u  /* a shorter common prefix is no network of anybody's */
#define SMALLEST_BITS_V6 32u /* RFC 7020: what a provider holds */

enum limit_server {
    SERVER_ANY,
    SERVER_NETWORK,
    SERVER_ADDRESS,
    SERVER_PORT,
    SERVER_SERVICE,
    SERVER_NAME
};
enum limit_client { CLIENT_ANY, CLIENT_NETWORK, CLIENT_ADDRESS };

static const struct shape {
    enum limit_client client;
    enum limit_server server;
} shapes[] = {
    {CLIENT_ANY, SERVER_SERVICE},     {CLIENT_ANY, SERVER_NAME},
    {CLIENT_ANY, SERVER_PORT},        {CLIENT_ANY, SERVER_ADDRESS},
    {CLIENT_ANY, SERVER_NETWORK},     {CLIENT_ADDRESS, SERVER_ANY},
    {CLIENT_NETWORK, SERVER_ANY},     {CLIENT_ADDRESS, SERVER_SERVICE},
    {CLIENT_NETWORK, SERVER_SERVICE}, {CLIENT_NETWORK, SERVER_PORT},
    {CLIENT_ADDRESS, SERVER_PORT},    {CLIENT_NETWORK, SERVER_ADDRESS},
    {CLIENT_ADDRESS, SERVER_ADDRESS}, {CLIENT_NETWORK, SERVER_NAME},
    {CLIENT_ADDRESS, SERVER_NAME},    {CLIENT_ADDRESS, SERVER_NETWORK},
    {CLIENT_NETWORK, SERVER_NETWORK}, {CLIENT_ANY, SERVER_ANY},
};

/* The failed connections of one verdict, by time, and what they share. */
struct failures {
    struct site_flow **flows;
    size_t count;
    uint16_t verdict;
    struct domain_record common; /* every limit that all of them share */
    uint8_t *is_client;          /* by host number: a client of theirs */
    const struct site_service *services[DOMAINS_PER_VERDICT]; /* theirs, the first ones */
    size_t service_count;
};

static bool is_decided(const struct site_flow *flow)
{
    return flow->outcome == OUTCOME_OK || flow->outcome == OUTCOME_FAILED;
}

/* ---- networks -------------------------------------------------------------------------------- */

static unsigned common_bits(const struct address *a, const struct address *b)
{
    unsigned most = a->family == 4 ? 32 : 128, bits = 0;
    if (a->family != b->family)
        return 0;
    while (bits < most && a->bytes[bits / 8] == b->bytes[bits / 8])
        bits += 8;
    while (bits < most && ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (7 - bits % 8) & 1) == 0)
        bits++;
    return bits;
}

/* Networks are told in whole bytes, IPv6 in groups of 16 bits, as people write them. */
static uint8_t round_bits(const struct address *address, unsigned bits)
{
    unsigned step = address->family == 4 ? 8 : 16;
    unsigned least = address->family == 4 ? SMALLEST_BITS_V4 : SMALLEST_BITS_V6;
    unsigned all = address->family == 4 ? 32 : 128;
    if (bits >= all)
        return (uint8_t)all;
    bits -= bits % step;
    return (uint8_t)(bits >= least ? bits : 0);
}

static struct address network_of(const struct address *address, unsigned bits)
{
    struct address out = *address;
    for (unsigned i = 0; i < sizeof out.bytes; i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        if (keep < 8)
            out.bytes[i] &= (uint8_t)(0xff00u >> keep);
    }
    return out;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void gather_common(struct failures *set)
{
    const struct site_flow *first = set->flows[0];
    struct domain_record *common = &set->common;
    unsigned client_bits = 128, server_bits = 128;
    *common = (struct domain_record){.verdict = set->verdict,
                                     .server_port = first->f.port[SIDE_SERVER],
                                     .name = first->f.name,
                                     .first_ns = first->f.first_ns,
                                     .last_ns = set->flows[set->count - 1]->f.first_ns};
    for (size_t i = 0; i < set->count; i++) {
        const struct site_flow *flow = set->flows[i];
        unsigned client = common_bits(&first->client->address, &flow->client->address);
        unsigned server = common_bits(&first->server->address, &flow->server->address);
        client_bits = client < client_bits ? client : client_bits;
        server_bits = server < server_bits ? server : server_bits;
        if (flow->f.port[SIDE_SERVER] != common->server_port)
            common->server_port = 0;
        if (!same_name(flow->f.name, common->name))
            common->name = NULL;
    }
    common->client_bits = round_bits(&first->client->address, client_bits);
    common->server_bits = round_bits(&first->server->address, server_bits);
    common->client_ip = network_of(&first->client->address, common->client_bits);
    common->server_ip = network_of(&first->server->address, common->server_bits);
}

static bool is_one_host(const struct address *address, uint8_t bits)
{
    return bits == (address->family == 4 ? 32 : 128);
}

/* The limits of that shape; false where the failed ones do not share them. */
static bool shape_limits(const struct domain_record *common, const struct shape *shape,
                         struct domain_record *out)
{
    bool one_client = is_one_host(&common->client_ip, common->client_bits);
    bool one_server = is_one_host(&common->server_ip, common->server_bits);
    bool by_address = shape->server == SERVER_ADDRESS || shape->server == SERVER_SERVICE;
    bool by_port = shape->server == SERVER_PORT || shape->server == SERVER_SERVICE;
    if ((shape->client == CLIENT_ADDRESS && !one_client) ||
        (shape->client == CLIENT_NETWORK && (one_client || common->client_bits == 0)) ||
        (shape->server == SERVER_NETWORK && (one_server || common->server_bits == 0)) ||
        (by_address && !one_server) || (by_port && common->server_port == 0) ||
        (shape->server == SERVER_NAME && common->name == NULL))
        return false;
    *out = *common;
    if (shape->client == CLIENT_ANY) {
        out->client_ip = (struct address){0};
        out->client_bits = 0;
    }
    if (!by_address && shape->server != SERVER_NETWORK) {
        out->server_ip = (struct address){0};
        out->server_bits = 0;
    }
    if (!by_port)
        out->server_port = 0;
    if (shape->server != SERVER_NAME)
        out->name = NULL;
    return true;
}

static bool is_inside(const struct domain_record *limits, const struct site_flow *flow)
{
    if (limits->server_port != 0 && flow->f.port[SIDE_SERVER] != limits->server_port)
        return false;
    if (limits->name != NULL && !same_name(flow->f.name, limits->name))
        return false;
    if (limits->client_bits != 0 &&
        common_bits(&limits->client_ip, &flow->client->address) < limits->client_bits)
        return false;
    return limits->server_bits == 0 ||
           common_bits(&limits->server_ip, &flow->server->address) >= limits->server_bits;
}

/* The flows that can be inside: of the service, of the client, or all. Every list is by time. */
static struct flow_range candidates(const struct site *site, const struct failures *set,
                                    const struct domain_record *limits)
{
    const struct site_flow *first = set->flows[0];
    if (limits->server_port != 0 && is_one_host(&limits->server_ip, limits->server_bits))
        return first->service->flows;
    if (is_one_host(&limits->server_ip, limits->server_bits))
        return site_server_flows(site, first->server);
    if (is_one_host(&limits->client_ip, limits->client_bits))
        return site_client_flows(site, first->client);
    return (struct flow_range){site->flows, site->flow_count};
}

/* Attempts inside while it lasted; `most`: more of them are not counted. */
static void count_inside(const struct site *site, const struct failures *set, int64_t most,
                         struct domain_record *limits)
{
    struct flow_range range = candidates(site, set, limits);
    limits->failed = limits->attempts = 0;
    for (size_t i = range_find_time(range, limits->first_ns);
         i < range.count && range.flows[i]->f.first_ns <= limits->last_ns; i++) {
        const struct site_flow *flow = range.flows[i];
        if (!is_decided(flow) || !is_inside(limits, flow))
            continue;
        limits->failed += flow->outcome == OUTCOME_FAILED && flow->verdict == limits->verdict;
        if (++limits->attempts > most)
            break;
    }
    limits->whole = limits->failed * 100 >= limits->attempts * WHOLE_PERCENT;
}

/* ---- contrast -------------------------------------------------------------------------------- */

/* The endpoint outside that those clients reached most often. */
struct reached {
    const struct site_service *service;
    int64_t count;
};

static void note_reached(const struct site_service *service, struct reached *table, size_t *used)
{
    size_t at = 0;
    while (at < *used && table[at].service != service)
        at++;
    if (at == DOMAINS_PER_VERDICT)
        return;
    if (at == *used)
        table[(*used)++] = (struct reached){service, 0};
    table[at].count++;
}

static bool is_failed_service(const struct failures *set, const struct site_service *service)
{
    for (size_t i = 0; i < set->service_count; i++) {
        if (set->services[i] == service)
            return true;
    }
    return false;
}

static void note_service(struct failures *set, const struct site_service *service)
{
    if (set->service_count < DOMAINS_PER_VERDICT && !is_failed_service(set, service))
        set->services[set->service_count++] = service;
}

/* What is not whole has its contrast inside. */
static void find_contrast(const struct site *site, const struct failures *set,
                          struct domain_record *domain)
{
    struct reached table[DOMAINS_PER_VERDICT];
    struct flow_range range = {site->flows, site->flow_count};
    size_t used = 0;
    if (!domain->whole)
        range = candidates(site, set, domain);
    domain->alone = domain->whole;
    domain->last_ok_ns = domain->next_ok_ns = -1;
    for (size_t i = 0; i < range.count; i++) {
        const struct site_flow *flow = range.flows[i];
        if (!is_decided(flow))
            continue;
        bool ok = flow->outcome == OUTCOME_OK, client = set->is_client[flow->client->number] != 0;
        if (is_inside(domain, flow)) {
            if (ok && flow->f.first_ns < domain->first_ns)
                domain->last_ok_ns = flow->f.first_ns;
            if (ok && flow->f.first_ns > domain->last_ns && domain->next_ok_ns < 0)
                domain->next_ok_ns = flow->f.first_ns;
            continue;
        }
        domain->alone = false;
        if (ok && client)
            note_reached(flow->service, table, &used);
        domain->others_ok += ok && !client && is_failed_service(set, flow->service);
    }
    for (size_t i = 0; i < used; i++) {
        if (table[i].count <= domain->reached)
            continue;
        const struct site_flow *example = table[i].service->flows.flows[0];
        domain->reached = table[i].count;
        domain->reached_ip = example->server->address;
        domain->reached_port = example->f.port[SIDE_SERVER];
    }
}

/* ---- one set of failures --------------------------------------------------------------------- */

static bool count_hosts(const struct site *site, struct failures *set)
{
    uint8_t *is_server = calloc(site->host_count + 1, 1);
    set->is_client = calloc(site->host_count + 1, 1);
    if (is_server == NULL || set->is_client == NULL) {
        free(is_server);
        return false;
    }
    for (size_t i = 0; i < set->count; i++) {
        uint8_t *client = &set->is_client[set->flows[i]->client->number];
        uint8_t *server = &is_server[set->flows[i]->server->number];
        note_service(set, set->flows[i]->service);
        set->common.clients += *client == 0;
        set->common.servers += *server == 0;
        *client = *server = 1;
    }
    free(is_server);
    return true;
}

/* The clients of the failed ones reached something else inside the limits at another time, and what
 * they failed to reach never: the fault is narrower. */
static bool is_too_wide(const struct site *site, const struct failures *set,
                        const struct domain_record *limits)
{
    struct flow_range range = candidates(site, set, limits);
    bool elsewhere = false;
    for (size_t i = 0; i < range.count && set->service_count < DOMAINS_PER_VERDICT; i++) {
        const struct site_flow *flow = range.flows[i];
        if (flow->outcome != OUTCOME_OK || set->is_client[flow->client->number] == 0 ||
            !is_inside(limits, flow))
            continue;
        if (is_failed_service(set, flow->service))
            return false;
        elsewhere = true;
    }
    return elsewhere;
}

/* Where the failed ones of one service are looked at: its clients, and one client elsewhere. Wider
 * limits were tried for all of them. */
static bool is_of_service(const struct shape *shape)
{
    return shape->server == SERVER_SERVICE ||
           (shape->client == CLIENT_ADDRESS && shape->server == SERVER_ANY);
}

/* The whole limits with most attempts; false when there are none. */
static bool find_whole(const struct site *site, const struct failures *set, bool one_service,
                       struct domain_record *out)
{
    bool found = false, wide = false;
    int64_t most = (int64_t)(set->count * 100 / WHOLE_PERCENT);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct domain_record limits;
        if ((one_service && !is_of_service(&shapes[i])) ||
            !shape_limits(&set->common, &shapes[i], &limits))
            continue;
        count_inside(site, set, most, &limits);
        if (!limits.whole || (found && limits.attempts < out->attempts))
            continue;
        bool more = !found || limits.attempts > out->attempts;
        if (!more && !wide)
            continue;
        bool too_wide = is_too_wide(site, set, &limits);
        if (more || !too_wide) {
            *out = limits;
            wide = too_wide;
            found = true;
        }
    }
    return found;
}

struct putting {
    struct judge *judge;
    const struct sink *out;
    int64_t number;
};

/* One domain for the set; false: they have no whole limits in common and `must` is not set. */
static bool put_domain(struct putting *putting, struct failures *set, bool must, bool *failed)
{
    const struct site *site = putting->judge->site;
    struct domain_record domain;
    gather_common(set);
    if (!count_hosts(site, set)) {
        *failed = true;
        return false;
    }
    bool whole = find_whole(site, set, must, &domain);
    if (!whole && must) {
        shape_limits(&set->common, &shapes[0], &domain);
        count_inside(site, set, INT64_MAX, &domain);
    }
    if (whole || must) {
        find_contrast(site, set, &domain);
        domain.capture_id = site->capture.id;
        domain.number = ++putting->number;
        sink_put(putting->out, RECORD_DOMAIN, &domain);
    }
    free(set->is_client);
    set->is_client = NULL;
    return whole || must;
}

static int by_service(const void *left, const void *right)
{
    const struct site_flow *a = *(struct site_flow *const *)left;
    const struct site_flow *b = *(struct site_flow *const *)right;
    int order = address_compare(&a->server->address, &b->server->address);
    if (order == 0)
        order = a->f.port[SIDE_SERVER] - b->f.port[SIDE_SERVER];
    return order != 0 ? order : site_compare_flows(a, b);
}

/* Nothing in common: service by service. */
static bool put_services(struct putting *putting, const struct failures *set)
{
    bool failed = false;
    size_t told = 0;
    sort_rows(set->flows, set->count, sizeof *set->flows, by_service);
    for (size_t from = 0, to = 0; from < set->count && told < DOMAINS_PER_VERDICT && !failed;
         from = to) {
        while (to < set->count && set->flows[to]->service == set->flows[from]->service)
            to++;
        struct failures part = {
            .flows = set->flows + from, .count = to - from, .verdict = set->verdict};
        if (part.count > 1 && put_domain(putting, &part, true, &failed))
            told++;
    }
    return !failed;
}

static bool put_verdict(struct putting *putting, struct failures *set)
{
    bool failed = false;
    if (set->count < 2 || put_domain(putting, set, false, &failed))
        return !failed;
    return !failed && put_services(putting, set);
}

static bool is_failure(const struct site_flow *flow)
{
    return flow->outcome == OUTCOME_FAILED && flow->verdict != 0;
}

bool extent_put_domains(struct judge *judge, const struct sink *out)
{
    const struct site *site = judge->site;
    struct putting putting = {judge, out, 0};
    struct failures set = {.flows = malloc((site->flow_count + 1) * sizeof *set.flows)};
    size_t counts[FINDING_COUNT + 1] = {0};
    bool good = set.flows != NULL;
    for (size_t i = 0; i < site->flow_count; i++)
        counts[is_failure(site->flows[i]) ? site->flows[i]->verdict : 0]++;
    for (unsigned verdict = 1; good && verdict <= FINDING_COUNT; verdict++) {
        set.verdict = (uint16_t)verdict;
        set.count = set.service_count = 0;
        for (size_t i = 0; counts[verdict] > 1 && i < site->flow_count; i++) {
            if (is_failure(site->flows[i]) && site->flows[i]->verdict == verdict)
                set.flows[set.count++] = site->flows[i];
        }
        good = put_verdict(&putting, &set);
    }
    free(set.flows);
    return good;
}
