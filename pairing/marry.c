#include "pairing/direction.h"

#define NS_PER_S 1000000000LL
/* Alike packets further apart than a queue holds them are two packets. */
#define QUEUE_NS (3 * NS_PER_S)

static bool are_alike(const struct direction *d, uint32_t a, uint32_t b, bool payload_may_differ)
{
    const struct pair_packet *p = packet_of(d, 0, a), *q = packet_of(d, 1, b);
    if (p->partner != PAIR_NONE || q->partner != PAIR_NONE) {
        return false;
    }
    if (p->is_icmp && (p->flags != q->flags || p->mss != q->mss)) {
        return false;
    }
    if (d->ids_kept && p->ip_id != 0 && q->ip_id != 0 && p->ip_id != q->ip_id) {
        return false;
    }
    if (d->timestamps_kept && p->timestamp != 0 && q->timestamp != 0 &&
        p->timestamp != q->timestamp) {
        return false;
    }
    if (!d->numbered && (p->ip_id == 0 || p->ip_id != q->ip_id)) {
        payload_may_differ = false; /* nothing but the bytes tells one datagram from the next */
    }
    return payload_may_differ || !p->payload_whole || !q->payload_whole ||
           p->payload_hash == q->payload_hash;
}

static int64_t apart_of(const struct direction *d, uint32_t a, uint32_t b)
{
    int64_t apart =
        packet_of(d, 1, b)->time_ns - packet_of(d, 0, a)->time_ns - d->expected_ns;
    return apart < 0 ? -apart : apart;
}

static void marry(struct direction *d, uint32_t a, uint32_t b, bool alone)
{
    struct pair_packet *p = packet_of(d, 0, a), *q = packet_of(d, 1, b);
    p->partner = d->list[1][b].index;
    q->partner = d->list[0][a].index;
    p->is_sure = q->is_sure = alone || (p->ip_id != 0 && p->ip_id == q->ip_id);
}

static void marry_group(struct direction *d, uint32_t a, uint32_t a_end, uint32_t b,
                        uint32_t b_end, bool payload_may_differ)
{
    bool alone = a_end - a == 1 && b_end - b == 1;
    for (; a < a_end; a++) {
        uint32_t best = b_end;
        int64_t best_apart = QUEUE_NS;
        for (uint32_t k = b; k < b_end; k++) {
            int64_t apart = apart_of(d, a, k);
            if (apart < best_apart && are_alike(d, a, k, payload_may_differ)) {
                best = k;
                best_apart = apart;
            } else if (best < b_end && apart > best_apart) {
                break; /* in the order of time: they only get further away */
            }
        }
        if (best < b_end) {
            marry(d, a, best, alone);
            b += best == b;
        }
    }
}

static uint32_t end_of_group(const struct direction *d, int end, uint32_t from)
{
    uint32_t to = from + 1;
    while (to < d->count[end] &&
           pair_compare_views(&d->list[end][from], packet_of(d, end, from), &d->list[end][to],
                         packet_of(d, end, to)) == 0) {
        to++;
    }
    return to;
}

/* Calls for each pair of groups that name the same bytes: only to learn what the way keeps, or to
 * marry their packets. */
static void walk_groups(struct direction *d, bool learn, bool payload_may_differ)
{
    uint32_t a = 0, b = 0, same_id = 0, other_id = 0, same_time = 0, other_time = 0;
    while (a < d->count[0] && b < d->count[1]) {
        const struct pair_packet *p = packet_of(d, 0, a), *q = packet_of(d, 1, b);
        int order = pair_compare_views(&d->list[0][a], p, &d->list[1][b], q);
        uint32_t a_end = order <= 0 ? end_of_group(d, 0, a) : a;
        uint32_t b_end = order >= 0 ? end_of_group(d, 1, b) : b;
        if (order == 0 && !learn) {
            marry_group(d, a, a_end, b, b_end, payload_may_differ);
        } else if (order == 0 && a_end - a == 1 && b_end - b == 1) {
            bool ids = p->ip_id != 0 && q->ip_id != 0;
            bool times = p->timestamp != 0 && q->timestamp != 0;
            same_id += ids && p->ip_id == q->ip_id;
            other_id += ids && p->ip_id != q->ip_id;
            same_time += times && p->timestamp == q->timestamp;
            other_time += times && p->timestamp != q->timestamp;
        }
        a = a_end;
        b = b_end;
    }
    if (learn) {
        d->ids_kept = same_id > 0 && same_id >= other_id;
        d->timestamps_kept = same_time > 0 && same_time >= other_time;
    }
}

void pair_marry(struct direction *d)
{
    walk_groups(d, true, false);
    walk_groups(d, false, false);
    walk_groups(d, false, true);
}
