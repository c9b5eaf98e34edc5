/* The orders of the model's lists. Keys are taken out once and sorted beside each other: comparing in
 * place would fetch two far rows for every comparison. */
#include "core/sort.h"
#include "diagnosis/site/budget.h"
#include "diagnosis/site/model_internal.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* Keys that an order has at most. */
#define KEYS 5
#define ADDRESS_HALF 8

typedef uint64_t row_key(const void *);

/* Room for the longest list. */
struct sorter {
    struct keyed *rows, *spare;
};

static bool sorter_open(struct sorter *sorter, size_t longest)
{
    sorter->rows = malloc((longest + 1) * sizeof *sorter->rows);
    sorter->spare = malloc((longest + 1) * sizeof *sorter->spare);
    return sorter->rows != NULL && sorter->spare != NULL;
}

static void sorter_close(struct sorter *sorter)
{
    free(sorter->rows);
    free(sorter->spare);
}

/* Sorts pointers; the key that decides first stands last. Rows of equal keys stay as they are. */
static void sort_by(struct sorter *sorter, const void *list, size_t count, row_key *const keys[KEYS])
{
    void **items = (void **)(uintptr_t)list;
    for (size_t i = 0; i < count; i++)
        sorter->rows[i].thing = items[i];
    for (size_t k = 0; k < KEYS && keys[k] != NULL; k++) {
        for (size_t i = 0; i < count; i++)
            sorter->rows[i].key = keys[k](sorter->rows[i].thing);
        sort_keyed(sorter->rows, sorter->spare, count);
    }
    for (size_t i = 0; i < count; i++)
        items[i] = sorter->rows[i].thing;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static uint64_t address_key(const struct address *address, size_t at)
{
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof key; i++)
        key = key << 8 | address->bytes[at + i];
    return key;
}

static uint64_t host_low(const void *host)
{
    return address_key(&((const struct site_host *)host)->address, ADDRESS_HALF);
}

static uint64_t host_high(const void *host)
{
    return address_key(&((const struct site_host *)host)->address, 0);
}

static uint64_t host_family(const void *host)
{
    return ((const struct site_host *)host)->address.family;
}

/* Numbers them in the order of their addresses. */
static bool rank_hosts(const struct site *site, struct sorter *sorter)
{
    static row_key *const order[KEYS] = {host_low, host_high, host_family};
    struct site_host **hosts = calloc(site->host_count + 1, sizeof *hosts);
    size_t count = 0;
    if (hosts == NULL)
        return false;
    for (size_t i = 0; i < site->host_slots; i++) {
        if (site->hosts[i] != NULL)
            hosts[count++] = site->hosts[i];
    }
    sort_by(sorter, hosts, count, order);
    for (size_t i = 0; i < count; i++)
        hosts[i]->number = (uint32_t)i;
    free(hosts);
    return true;
}

/* ---- flows ----------------------------------------------------------------------------------- */

static uint64_t flow_id(const void *flow)
{
    return key_signed(((const struct site_flow *)flow)->f.id);
}

static uint64_t flow_time(const void *flow)
{
    return key_signed(((const struct site_flow *)flow)->f.first_ns);
}

static uint64_t flow_client(const void *flow)
{
    return ((const struct site_flow *)flow)->client->number;
}

static uint64_t flow_server(const void *flow)
{
    return ((const struct site_flow *)flow)->server->number;
}

static uint64_t flow_service(const void *row)
{
    const struct site_flow *flow = row;
    return (uint64_t)flow->server->number << 24 | (uint64_t)flow->f.protocol << 16 | flow->f.port[SIDE_SERVER];
}

static uint64_t flow_pair(const void *row)
{
    const struct site_flow *flow = row;
    return (uint64_t)flow->client->number << 32 | flow->server->number;
}

int site_compare_flows(const struct site_flow *a, const struct site_flow *b)
{
    int order = COMPARE(a->f.first_ns, b->f.first_ns);
    return order != 0 ? order : COMPARE(a->f.id, b->f.id);
}

/* A list of all flows by that key, then by time. */
static bool make_list(const struct site *site, struct sorter *sorter, struct site_flow ***list, row_key *key)
{
    row_key *const order[KEYS] = {key};
    struct site_flow **copy = realloc(*list, (site->flow_count + 1) * sizeof **list);
    if (copy == NULL)
        return false;
    *list = copy;
    if (site->flow_count > 0)
        memcpy(copy, site->flows, site->flow_count * sizeof *copy);
    sort_by(sorter, copy, site->flow_count, order);
    return true;
}

/* Where the flows of each host begin in a list that is sorted by its number. */
static bool make_index(const struct site *site, struct site_flow *const *list, row_key *host, size_t **index)
{
    size_t *from = realloc(*index, (site->host_count + 1) * sizeof *from), next = 0;
    if (from == NULL)
        return false;
    *index = from;
    for (size_t i = 0; i < site->flow_count; i++) {
        while (next <= host(list[i]))
            from[next++] = i;
    }
    while (next <= site->host_count)
        from[next++] = site->flow_count;
    return true;
}

static bool sort_flows(struct site *site, struct sorter *sorter)
{
    static row_key *const by_time[KEYS] = {flow_id, flow_time};
    sort_by(sorter, site->flows, site->flow_count, by_time);
    return make_list(site, sorter, &site->by_id, flow_id) &&
           make_list(site, sorter, &site->by_service, flow_service) &&
           make_list(site, sorter, &site->by_client, flow_client) &&
           make_list(site, sorter, &site->by_pair, flow_pair) &&
           make_list(site, sorter, &site->by_server, flow_server) &&
           make_index(site, site->by_client, flow_client, &site->client_from) &&
           make_index(site, site->by_server, flow_server, &site->server_from);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define KEY(name, type, member)                                                                                        \
    static uint64_t name(const void *row)                                                                              \
    {                                                                                                                  \
        return key_signed(((const type *)row)->member);                                                                \
    }

KEY(request_flow, struct http_record, flow_id)
KEY(request_number, struct http_record, number)
KEY(secret_flow, struct secret_record, flow_id)
KEY(secret_number, struct secret_record, number)
KEY(h2_flow, struct h2_record, flow_id)
KEY(command_flow, struct command_record, flow_id)
KEY(command_number, struct command_record, number)
KEY(icmp_flow, struct icmp_record, flow_id)
KEY(icmp_time, struct icmp_record, time_ns)
KEY(icmp_frame, struct icmp_record, frame)
KEY(delay_flow, struct delay_facts, flow_id)
KEY(sample_flow, struct rtt_sample_record, flow_id)
KEY(sample_start, struct rtt_sample_record, start_ns)
KEY(turn_flow, struct turn_record, flow_id)
KEY(turn_number, struct turn_record, number)
KEY(certificate_id, struct certificate_record, id)
KEY(staple_id, struct staple_record, id)

static uint64_t path_server_low(const void *path)
{
    return address_key(&((const struct path_sample_record *)path)->server_ip, ADDRESS_HALF);
}

static uint64_t path_server_high(const void *path)
{
    return address_key(&((const struct path_sample_record *)path)->server_ip, 0);
}

static uint64_t path_client_low(const void *path)
{
    return address_key(&((const struct path_sample_record *)path)->client_ip, ADDRESS_HALF);
}

static uint64_t path_client_high(const void *path)
{
    return address_key(&((const struct path_sample_record *)path)->client_ip, 0);
}

/* Both ends are of one family. */
static uint64_t path_family(const void *path)
{
    return ((const struct path_sample_record *)path)->client_ip.family;
}

static void sort_records(struct site *site, struct sorter *sorter)
{
    const struct {
        const void *list;
        size_t count;
        row_key *keys[KEYS];
    } lists[] = {
        {site->requests, site->request_count, {request_number, request_flow}},
        {site->secrets, site->secret_count, {secret_number, secret_flow}},
        {site->h2, site->h2_count, {h2_flow}},
        {site->commands, site->command_count, {command_number, command_flow}},
        {site->icmp, site->icmp_count, {icmp_frame, icmp_time, icmp_flow}},
        {site->delays, site->delay_count, {delay_flow}},
        {site->samples, site->sample_count, {sample_start, sample_flow}},
        {site->turns, site->turn_count, {turn_number, turn_flow}},
        {site->certificates, site->certificate_count, {certificate_id}},
        {site->staples, site->staple_count, {staple_id}},
        {site->paths,
         site->path_count,
         {path_server_low, path_server_high, path_client_low, path_client_high, path_family}},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        sort_by(sorter, lists[i].list, lists[i].count, lists[i].keys);
}

static size_t longest_list(const struct site *site)
{
    const size_t counts[] = {site->flow_count, site->host_count, site->request_count, site->secret_count,
                             site->h2_count, site->command_count, site->icmp_count, site->delay_count,
                             site->sample_count, site->turn_count, site->certificate_count,
                             site->staple_count, site->path_count};
    size_t longest = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        longest = counts[i] > longest ? counts[i] : longest;
    return longest;
}

bool site_order(struct site_flow **flows, size_t count, flow_key *key)
{
    row_key *const order[KEYS] = {key};
    struct sorter sorter;
    bool open = sorter_open(&sorter, count);
    if (open)
        sort_by(&sorter, flows, count, order);
    sorter_close(&sorter);
    return open;
}

bool site_sort(struct site *site)
{
    struct sorter sorter;
    bool sorted = sorter_open(&sorter, longest_list(site)) && rank_hosts(site, &sorter) &&
                  sort_flows(site, &sorter);
    if (sorted) {
        budget_drop_orphans(site);
        sort_records(site, &sorter);
    }
    sorter_close(&sorter);
    return sorted;
}
