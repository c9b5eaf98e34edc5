#include "sessions/engine_internal.h"

/* The quoted packet was sent by the flow (RFC 5927 4): its sequence lies between the oldest byte
 * that may still be on its way and the newest. Retransmitted bytes count: 64 KiB below is generous.
 */
#define QUOTE_SLACK 65536

static bool sequence_fits(const struct flow *flow, enum side side, const struct quoted_packet *q)
{
    if (flow->tcp == NULL)
        return flow->ended == NULL;
    const struct tcp_direction *d = &flow->tcp->dir[side];
    if (!d->base_known)
        return false;
    int32_t delta = (int32_t)(q->sequence - (d->base + (uint32_t)d->next));
    return delta <= 0 && delta >= -QUOTE_SLACK - (int32_t)(d->next - d->acked);
}

static bool quotes_syn(const struct flow *flow, enum side side, const struct quoted_packet *q)
{
    if (q->has_flags)
        return (q->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    if (flow == NULL || flow->tcp == NULL)
        return false;
    const struct tcp_direction *d = &flow->tcp->dir[side];
    return flow->tcp->facts.syn_count > 0 && d->base_known && q->sequence == d->base;
}

void engine_icmp_error(struct engine *e, const struct packet *packet, const struct layers *l)
{
    const struct quoted_packet *q = &l->icmp.quoted;
    struct icmp_record record = {.capture_id = e->options.capture_id,
                                 .source_id = packet->source_id,
                                 .frame = (int64_t)packet->frame,
                                 .time_ns = packet->time_ns,
                                 .router_ip = l->src,
                                 .family = l->ip_version,
                                 .type = l->icmp.type,
                                 .code = l->icmp.code,
                                 .mtu = l->icmp.mtu,
                                 .ttl = l->ttl,
                                 .quoted_side = SIDE_NONE};
    struct flow_key key;
    bool from_high;
    if (!q->present)
        return;
    record.client_ip = q->src;
    record.server_ip = q->dst;
    record.client_port = q->src_port;
    record.server_port = q->dst_port;
    record.protocol = q->protocol;
    record.quoted_ttl = q->ttl;
    flow_key_make(&q->src, q->src_port, &q->dst, q->dst_port, q->protocol, &key, &from_high);
    struct flow *flow = flow_table_find(e->table, &key, flow_table_hash(e->table, &key));
    if (flow != NULL && (flow->seed == NULL || engine_flow_hatch(e, flow))) {
        enum side side = flow_side_of(flow, from_high);
        record.flow_id = flow->id;
        flow->referenced = true;
        record.quoted_side = (uint8_t)side;
        record.sequence_fits = sequence_fits(flow, side, q);
        record.quotes_syn = quotes_syn(flow, side, q);
        engine_event(e, flow, EVENT_ICMP, SIDE_NONE, packet->time_ns, (int64_t)packet->frame,
                     packet->source_id, 0, 0);
    } else {
        record.quotes_syn = quotes_syn(NULL, SIDE_CLIENT, q);
    }
    if (record.mtu > 0)
        paths_note_mtu(e->paths, &q->src, &q->dst, record.mtu);
    sink_put(&e->options.sink, RECORD_ICMP, &record);
}
