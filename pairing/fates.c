#include "pairing/direction.h"

/* Segments looked at around a byte for others that carry it. */
#define COVER_LOOK 64u
/* Acknowledgments looked at for one that was ahead of its bytes. */
#define ACK_LOOK 4096u

/* First of the list whose sequence lies behind `number`. */
static uint32_t upper_bound(const struct direction *d, int end, uint32_t number)
{
    uint32_t low = 0, high = d->count[end];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_number(d->list[end][middle].sequence, number) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether the bytes from..to were seen at that end, in packets that nobody married (or in any). */
static bool are_covered(const struct direction *d, int end, uint32_t from, uint32_t to, bool any)
{
    uint32_t at = upper_bound(d, end, from);
    at = at > COVER_LOOK ? at - COVER_LOOK : 0;
    uint32_t last = at + 2 * COVER_LOOK;
    for (; at < d->count[end] && at < last && compare_number(from, to) < 0; at++) {
        const struct pair_packet *p = packet_of(d, end, at);
        uint32_t start = d->list[end][at].sequence;
        if ((any || p->partner == PAIR_NONE) && !p->is_icmp &&
            compare_number(start, from) <= 0 &&
            compare_number(start + p->payload_len, from) > 0) {
            from = start + p->payload_len;
        }
    }
    return compare_number(from, to) >= 0;
}

static bool has_syn(const struct direction *d, int end)
{
    for (uint32_t i = 0; i < d->count[end]; i++) {
        if (!packet_of(d, end, i)->is_icmp && (packet_of(d, end, i)->flags & TCP_SYN) != 0) {
            return true;
        }
    }
    return false;
}

static bool has_fin(const struct direction *d, int end)
{
    for (uint32_t i = d->count[end]; i > 0; i--) {
        if (!packet_of(d, end, i - 1)->is_icmp && (packet_of(d, end, i - 1)->flags & TCP_FIN) != 0) {
            return true;
        }
    }
    return false;
}

/* The number that the sender's own SYN has: a copy of it, sent again. */
static bool is_known_syn(const struct direction *d, int other, const struct view_of_packet *view,
                         const struct pair_packet *p)
{
    for (uint32_t i = 0; (p->flags & TCP_SYN) != 0 && i < d->count[other]; i++) {
        const struct pair_packet *q = packet_of(d, other, i);
        if (!q->is_icmp && (q->flags & TCP_SYN) != 0) {
            return compare_number(d->list[other][i].sequence, view->sequence) == 0;
        }
    }
    return false;
}

/* When the bytes came past that end first, INT64_MAX never. */
static int64_t first_time(const struct direction *d, int end, uint32_t from, uint32_t to)
{
    uint32_t at = upper_bound(d, end, from);
    int64_t first = INT64_MAX;
    at = at > COVER_LOOK ? at - COVER_LOOK : 0;
    uint32_t last = at + 2 * COVER_LOOK;
    for (; at < d->count[end] && at < last; at++) {
        const struct pair_packet *p = packet_of(d, end, at);
        uint32_t start = d->list[end][at].sequence;
        if (!p->is_icmp && compare_number(start, to) < 0 &&
            compare_number(start + p->payload_len, from) > 0 && p->time_ns < first) {
            first = p->time_ns;
        }
    }
    return first;
}

/* Whether the peer acknowledged bytes at that end before they came past it: an earlier copy had come. */
static bool was_acked_before(const struct direction *d, int end, uint32_t from, uint32_t to,
                             int64_t sent_ns)
{
    int64_t came_ns = first_time(d, end, from, to);
    uint32_t low = 0, high = d->answer_count[end];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->answers[end][middle].time_ns < sent_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t i = 0; i < ACK_LOOK && low + i < d->answer_count[end]; i++) {
        const struct pair_packet *p = &d->answers[end][low + i];
        if (p->time_ns >= came_ns) {
            return false;
        }
        if (!p->is_icmp && (p->flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
            compare_number(p->acknowledgment - d->base[end], to) >= 0) {
            return true;
        }
    }
    return false;
}

/* The peer's acknowledgment at the other end shows that it got what that end's capture has not. */
static bool was_missed(const struct direction *d, int other, const struct view_of_packet *view,
                       const struct pair_packet *p, int64_t there_ns)
{
    if (p->is_icmp || !d->acked[other]) {
        return false;
    }
    if ((p->flags & TCP_SYN) != 0) {
        return !has_syn(d, other);
    }
    uint32_t end = view->sequence + p->payload_len;
    if (p->payload_len == 0 && (p->flags & (TCP_FIN | TCP_RST)) == TCP_FIN) {
        return compare_number(d->highest_ack[other], end) > 0 && !has_fin(d, other);
    }
    return p->payload_len > 0 && compare_number(d->highest_ack[other], end) >= 0 &&
           (!are_covered(d, other, view->sequence, end, true) ||
            was_acked_before(d, other, view->sequence, end, there_ns));
}

uint8_t pair_fate_of(const struct direction *d, int end, uint32_t at)
{
    const struct pair_packet *p = packet_of(d, end, at);
    const struct view_of_packet *view = &d->list[end][at];
    int64_t there = p->time_ns + (end == 0 ? d->expected_ns : -d->expected_ns);
    if (p->partner != PAIR_NONE) {
        return PAIR_PASSED;
    }
    if (p->payload_len > 0 && are_covered(d, 1 - end, view->sequence,
                                          view->sequence + p->payload_len, false)) {
        return PAIR_RESIZED;
    }
    if (there < d->covered_from[1 - end] || there > d->covered_to[1 - end]) {
        return PAIR_UNCOVERED;
    }
    if (was_missed(d, 1 - end, view, p, there)) {
        return PAIR_MISSED;
    }
    if (end == 0) {
        return PAIR_DROPPED;
    }
    if (is_known_syn(d, 1 - end, view, p)) {
        return PAIR_MISSED; /* what somebody makes has a number of his own */
    }
    bool answer = p->is_icmp || (p->flags & TCP_RST) != 0 ||
                  (p->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    return answer ? PAIR_MADE : PAIR_EXTRA;
}
