/* Two SYN-ACKs with different sequence numbers: what tells whether one machine sent both. */
#include "sessions/tcp_internal.h"

#include <string.h>

static struct tcp_synack_shape shape_of(const struct packet *p, const struct layers *l)
{
    struct tcp_synack_shape shape = {.sequence = l->tcp.sequence,
                                     .acknowledgment = l->tcp.acknowledgment,
                                     .frame = (int64_t)p->frame,
                                     .time_ns = p->time_ns,
                                     .window = l->tcp.window,
                                     .ttl = l->ttl,
                                     .has_mac = l->has_mac};
    for (uint8_t i = 0; i < l->tcp.option_count; i++)
        shape.options = shape.options * 31u + l->tcp.option_kinds[i] + 1u;
    shape.options = shape.options * 65537u + l->tcp.mss;
    shape.options = shape.options * 257u + (uint8_t)l->tcp.window_scale;
    memcpy(shape.mac, l->src_mac, sizeof shape.mac);
    return shape;
}

void tcp_note_synack_pair(struct tcp_flow *tcp, const struct packet *p, const struct layers *l)
{
    struct synack_pair *pair = &tcp->facts.synack_pair;
    const struct tcp_synack_shape *first = &tcp->synack_shape[0];
    struct tcp_synack_shape other = shape_of(p, l);
    if (!tcp->synack_seen) {
        tcp->synack_shape[0] = other;
        return;
    }
    if (pair->other_frame != 0 || l->tcp.sequence == tcp->synack_sequence)
        return;
    tcp->synack_shape[1] = other;
    *pair = (struct synack_pair){
        .source_id = p->source_id,
        .first_frame = first->frame,
        .other_frame = other.frame,
        .gap_ns = other.time_ns - first->time_ns,
        .syns = tcp->facts.syn_count,
        .first_ttl = first->ttl,
        .other_ttl = other.ttl,
        .shape_differs = first->options != other.options || first->window != other.window,
        .mac_differs =
            first->has_mac && other.has_mac && memcmp(first->mac, other.mac, sizeof other.mac) != 0,
        .answers_same = first->acknowledgment == other.acknowledgment,
    };
}

void tcp_settle_synack(struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[!side];
    if (!tcp->facts.synack_conflict || side == tcp->synack_side || d->acked >= 1 ||
        d->facts.segments > 0 || (l->tcp.flags & (TCP_ACK | TCP_SYN)) != TCP_ACK)
        return;
    for (int i = 0; i < 2; i++) {
        const struct tcp_synack_shape *shape = &tcp->synack_shape[i];
        if (shape->frame == 0 || l->tcp.acknowledgment != shape->sequence + 1)
            continue;
        tcp->synack_sequence = d->syn_sequence = d->base = shape->sequence;
        d->next = 1;
    }
}
