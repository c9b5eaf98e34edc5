/* Looking up in the built model: by number, by address, by time. */
#include "diagnosis/site/model_internal.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

int site_compare_server(const struct site_flow *a, const struct site_flow *b)
{
    return COMPARE(a->server->number, b->server->number);
}

int site_compare_paths(const struct path_sample_record *a, const struct path_sample_record *b)
{
    int order = address_compare(&a->client_ip, &b->client_ip);
    return order != 0 ? order : address_compare(&a->server_ip, &b->server_ip);
}

struct path_sample_record *site_find_path(const struct site *site, const struct address *client,
                                          const struct address *server)
{
    struct path_sample_record key = {.client_ip = *client, .server_ip = *server};
    size_t low = 0, high = site->path_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site_compare_paths(site->paths[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < site->path_count && site_compare_paths(site->paths[low], &key) == 0 ? site->paths[low]
                                                                               : NULL;
}

const struct swarm_record *site_find_swarm(const struct site *site, enum swarm_kind kind,
                                           uint8_t protocol, const struct address *address,
                                           uint16_t port)
{
    for (size_t i = 0; i < site->swarm_count; i++) {
        const struct swarm_record *s = site->swarms[i];
        const struct address *own = kind == SWARM_TARGET ? &s->server_ip : &s->client_ip;
        if (s->kind == kind && s->protocol == protocol && s->server_port == port &&
            address_equal(own, address))
            return s;
    }
    return NULL;
}

struct site_flow *site_find_flow(const struct site *site, int64_t id)
{
    size_t low = 0, high = site->flow_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site->by_id[middle]->f.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < site->flow_count && site->by_id[low]->f.id == id ? site->by_id[low] : NULL;
}

const struct certificate_record *site_find_certificate(const struct site *site, int64_t id)
{
    size_t low = 0, high = site->certificate_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site->certificates[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < site->certificate_count && site->certificates[low]->id == id
               ? site->certificates[low]
               : NULL;
}

const struct staple_record *site_find_staple(const struct site *site, int64_t id)
{
    size_t low = 0, high = site->staple_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site->staples[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < site->staple_count && site->staples[low]->id == id ? site->staples[low] : NULL;
}

/* The run of flows that `compare` finds equal to `key`. */
static struct flow_range
find_range(const struct site *site, struct site_flow *const *list, const struct site_flow *key,
           int (*compare)(const struct site_flow *, const struct site_flow *))
{
    size_t low = 0, high = site->flow_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(list[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t start = low;
    high = site->flow_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(list[middle], key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct flow_range){&list[start], low - start};
}

static int compare_client(const struct site_flow *a, const struct site_flow *b)
{
    return COMPARE(a->client->number, b->client->number);
}

struct flow_range site_client_flows(const struct site *site, const struct site_host *client)
{
    struct site_flow key = {.client = (struct site_host *)(uintptr_t)client};
    return find_range(site, site->by_client, &key, compare_client);
}

struct flow_range site_server_flows(const struct site *site, const struct site_host *server)
{
    struct site_flow key = {.server = (struct site_host *)(uintptr_t)server};
    return find_range(site, site->by_server, &key, site_compare_server);
}

size_t range_find_time(struct flow_range range, int64_t time_ns)
{
    size_t low = 0, high = range.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range.flows[middle]->f.first_ns < time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
