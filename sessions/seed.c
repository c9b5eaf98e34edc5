#include "sessions/seed.h"

#include <string.h>

/* Linux repeats a SYN-ACK five times (tcp_synack_retries). */
#define ANSWERS 6

static bool is_bare(const struct layers *l, uint16_t flags)
{
    return l->kind == LAYER_TCP && l->payload_len == 0 && l->tcp.sack_count == 0 &&
           (l->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == flags;
}

bool seed_fits(const struct layers *l)
{
    return is_bare(l, TCP_SYN);
}

struct syn_seed **seed_place(struct syn_seed *first, const struct layers *l)
{
    struct syn_seed **place = &first->next;
    if (!is_bare(l, TCP_SYN | TCP_ACK))
        return NULL;
    for (int i = 0; i < ANSWERS; i++) {
        if (*place == NULL)
            return place;
        place = &(*place)->next;
    }
    return NULL;
}

void seed_keep(struct syn_seed *seed, const struct packet *p, const struct layers *l)
{
    const struct tcp_header *h = &l->tcp;
    *seed = (struct syn_seed){.time_ns = p->time_ns,
                              .frame = p->frame,
                              .source_id = p->source_id,
                              .sequence = h->sequence,
                              .acknowledgment = h->acknowledgment,
                              .timestamp_value = h->timestamp_value,
                              .timestamp_echo = h->timestamp_echo,
                              .ip_len = l->ip_len,
                              .flags = h->flags,
                              .window = h->window,
                              .mss = h->mss,
                              .ip_id = l->ip_id,
                              .option_count = h->option_count,
                              .fast_open = h->fast_open,
                              .mptcp_subtype = h->mptcp_subtype,
                              .window_scale = h->window_scale,
                              .ip_version = l->ip_version,
                              .ttl = l->ttl,
                              .dscp_ecn = l->dscp_ecn,
                              .checksum = (uint8_t)l->checksum,
                              .sack_permitted = h->sack_permitted,
                              .has_timestamp = h->has_timestamp,
                              .dont_fragment = l->dont_fragment,
                              .has_mac = l->has_mac};
    memcpy(seed->option_kinds, h->option_kinds, h->option_count);
    memcpy(seed->src_mac, l->src_mac, sizeof seed->src_mac);
}

void seed_restore(const struct syn_seed *seed, struct packet *packet, struct layers *layers)
{
    *packet = (struct packet){
        .time_ns = seed->time_ns, .frame = seed->frame, .source_id = seed->source_id};
    memset(layers, 0, sizeof *layers);
    layers->kind = LAYER_TCP;
    layers->vlan = layers->inner_vlan = -1;
    layers->tunnel = "";
    layers->ip_version = seed->ip_version;
    layers->ip_protocol = 6;
    layers->ip_len = seed->ip_len;
    layers->ip_id = seed->ip_id;
    layers->ttl = seed->ttl;
    layers->dscp_ecn = seed->dscp_ecn;
    layers->dont_fragment = seed->dont_fragment;
    layers->checksum = (enum checksum_state)seed->checksum;
    layers->has_mac = seed->has_mac;
    memcpy(layers->src_mac, seed->src_mac, sizeof layers->src_mac);
    struct tcp_header *h = &layers->tcp;
    h->sequence = seed->sequence;
    h->acknowledgment = seed->acknowledgment;
    h->flags = seed->flags;
    h->window = seed->window;
    h->mss = seed->mss;
    h->window_scale = seed->window_scale;
    h->sack_permitted = seed->sack_permitted;
    h->has_timestamp = seed->has_timestamp;
    h->timestamp_value = seed->timestamp_value;
    h->timestamp_echo = seed->timestamp_echo;
    h->fast_open = seed->fast_open;
    h->mptcp_subtype = seed->mptcp_subtype;
    h->option_count = seed->option_count;
    memcpy(h->option_kinds, seed->option_kinds, seed->option_count);
}
