/* Looking up in the built model: by number, by address, by time. */
#include "diagnosis/site/model_internal.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

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
    if (site->flow_count == 0 || id < site->by_id[0]->f.id)
        return NULL;
    uint64_t beyond = (uint64_t)(id - site->by_id[0]->f.id); /* where it stands when none is missing, or before it */
    size_t low = 0, high = beyond < site->flow_count ? (size_t)beyond + 1 : site->flow_count;
    if (beyond < site->flow_count && site->by_id[beyond]->f.id == id)
        return site->by_id[beyond];
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

struct flow_range site_client_flows(const struct site *site, const struct site_host *client)
{
    const size_t *from = &site->client_from[client->number];
    return (struct flow_range){&site->by_client[from[0]], from[1] - from[0]};
}

struct flow_range site_server_flows(const struct site *site, const struct site_host *server)
{
    const size_t *from = &site->server_from[server->number];
    return (struct flow_range){&site->by_server[from[0]], from[1] - from[0]};
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
