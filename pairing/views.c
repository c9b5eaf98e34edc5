#include "pairing/direction.h"

#include <stdlib.h>

#define PROTOCOL_TCP 6

#define FLAGS_THAT_NAME (TCP_SYN | TCP_FIN | TCP_RST)

/* Same bytes of the same stream, or the same sign without bytes. */
int pair_compare_views(const struct view_of_packet *a, const struct pair_packet *p,
                         const struct view_of_packet *b, const struct pair_packet *q)
{
    int order = compare_number(a->sequence, b->sequence);
    if (order == 0 && p->is_icmp != q->is_icmp) {
        order = p->is_icmp ? 1 : -1;
    }
    if (order == 0 && p->payload_len != q->payload_len) {
        order = p->payload_len < q->payload_len ? -1 : 1;
    }
    if (order == 0) {
        order = (p->flags & FLAGS_THAT_NAME) - (q->flags & FLAGS_THAT_NAME);
    }
    return order != 0 ? order : compare_number(a->acknowledgment, b->acknowledgment);
}

static int by_bytes(const void *left, const void *right, void *context)
{
    const struct view_of_packet *a = left, *b = right;
    const struct pair_packet *packets = context;
    int order = pair_compare_views(a, &packets[a->index], b, &packets[b->index]);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

void pair_fill_views(struct direction *d, int end, const struct pair_session *session,
                       int direction, uint32_t base, uint32_t ack_base)
{
    const struct pair_side *side = d->side[end];
    uint32_t from = session->first + (direction == 0 ? 0 : session->packets[0]);
    d->count[end] = session->packets[direction];
    for (uint32_t i = 0; i < d->count[end]; i++) {
        const struct pair_packet *p = &side->packets[from + i];
        uint32_t ack = (p->flags & TCP_ACK) != 0 && !p->is_icmp ? p->acknowledgment - ack_base : 0;
        /* An ICMP error quotes the other direction's numbers. */
        d->list[end][i] = (struct view_of_packet){
            p->sequence - (p->is_icmp ? ack_base : base), ack, from + i};
    }
    uint32_t other = session->first + (direction == 0 ? session->packets[0] : 0);
    d->acked[end] = false;
    d->numbered = session->protocol == PROTOCOL_TCP;
    d->answers[end] = &side->packets[other];
    d->answer_count[end] = session->packets[1 - direction];
    d->base[end] = base;
    for (uint32_t i = 0; i < session->packets[1 - direction]; i++) {
        const struct pair_packet *p = &side->packets[other + i];
        uint32_t ack = p->acknowledgment - base;
        if (!p->is_icmp && (p->flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
            (!d->acked[end] || compare_number(ack, d->highest_ack[end]) > 0)) {
            d->highest_ack[end] = ack;
            d->acked[end] = true;
        }
    }
    if (d->count[end] > 0)
        qsort_r(d->list[end], d->count[end], sizeof(*d->list[end]), by_bytes, d->side[end]->packets);
}
