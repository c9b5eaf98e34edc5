#include "pairing/direction.h"

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

static void sift(const struct direction *d, int end, struct view_of_packet *heap, uint32_t at,
                 uint32_t count)
{
    const struct pair_packet *packets = d->side[end]->packets;
    struct view_of_packet moving = heap[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        const struct view_of_packet *a = &heap[child], *b = a + 1;
        if (child + 1 < count) {
            int order = pair_compare_views(a, &packets[a->index], b, &packets[b->index]);
            child += order < 0 || (order == 0 && a->index < b->index);
        }
        int order = pair_compare_views(&moving, &packets[moving.index], &heap[child],
                                  &packets[heap[child].index]);
        if (order > 0 || (order == 0 && moving.index > heap[child].index)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* Heap sort: the order needs the packets beside the list, which qsort does not hand on. */
static void sort_views(const struct direction *d, int end)
{
    struct view_of_packet *list = d->list[end];
    for (uint32_t i = d->count[end] / 2; i-- > 0;) {
        sift(d, end, list, i, d->count[end]);
    }
    for (uint32_t left = d->count[end]; left > 1; left--) {
        struct view_of_packet last = list[left - 1];
        list[left - 1] = list[0];
        list[0] = last;
        sift(d, end, list, 0, left - 1);
    }
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
    sort_views(d, end);
}
