#include "pairing/pairing.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000LL
/* Alike packets further apart than a queue holds them are two packets. */
#define QUEUE_NS (3 * NS_PER_S)
/* Segments looked at around a byte for others that carry it. */
#define COVER_LOOK 64u

/* A packet of one direction of a session, its numbers counted from the beginning of both streams. */
struct view_of_packet {
    uint32_t sequence, acknowledgment;
    uint32_t index; /* of the side's packets */
};

struct direction {
    struct pair_side *side[2]; /* 0: the point it is sent past first */
    struct view_of_packet *list[2];
    uint32_t count[2];
    uint32_t highest_ack[2]; /* of the other direction, at each point */
    bool acked[2];
    int64_t expected_ns; /* of the second point's clock and the way, over the first's */
    bool ids_kept, timestamps_kept;
    int64_t covered_from[2], covered_to[2]; /* times of the captures, each on its own clock */
};

struct work {
    struct pair_side *sides;
    struct pair_result *result;
    struct view_of_packet *room[2];
    int64_t *samples[2]; /* outside minus inside: of packets going out, of packets coming in */
    size_t sample_count[2];
};

/* ---- the side's packets, session by session ---- */
static int by_session(const void *a, const void *b)
{
    const struct pair_packet *x = a, *y = b;
    if (x->session != y->session) {
        return x->session < y->session ? -1 : 1;
    }
    if (x->direction != y->direction) {
        return x->direction < y->direction ? -1 : 1;
    }
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void sort_side(struct pair_side *side)
{
    if (side->packet_count > 0) {
        qsort(side->packets, side->packet_count, sizeof(*side->packets), by_session);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < side->session_count; i++) {
        side->sessions[i].first = at;
        at += side->sessions[i].packets[0] + side->sessions[i].packets[1];
    }
}

static struct pair_packet *packet_of(const struct direction *d, int end, uint32_t at)
{
    return &d->side[end]->packets[d->list[end][at].index];
}

/* ---- order of comparable packets ---- */
#define FLAGS_THAT_NAME (TCP_SYN | TCP_FIN | TCP_RST)

static int compare_number(uint32_t a, uint32_t b)
{
    return a == b ? 0 : (int32_t)(a - b) < 0 ? -1 : 1;
}

/* Same bytes of the same stream, or the same sign without bytes. */
static int compare_views(const struct view_of_packet *a, const struct pair_packet *p,
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
            int order = compare_views(a, &packets[a->index], b, &packets[b->index]);
            child += order < 0 || (order == 0 && a->index < b->index);
        }
        int order = compare_views(&moving, &packets[moving.index], &heap[child],
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

static void fill_views(struct direction *d, int end, const struct pair_session *session,
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

/* ---- which packet is which ---- */
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
           compare_views(&d->list[end][from], packet_of(d, end, from), &d->list[end][to],
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
        int order = compare_views(&d->list[0][a], p, &d->list[1][b], q);
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

/* ---- the fate of the others ---- */
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

/* The peer's acknowledgment at the other end shows that it got what that end's capture has not. */
static bool was_missed(const struct direction *d, int other, const struct view_of_packet *view,
                       const struct pair_packet *p)
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
           !are_covered(d, other, view->sequence, end, true);
}

static uint8_t fate_of(const struct direction *d, int end, uint32_t at)
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
    if (was_missed(d, 1 - end, view, p)) {
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

static void count_fate(struct pair_totals *totals, int end, uint8_t fate)
{
    totals->sent += end == 0;
    totals->passed += end == 0 && fate == PAIR_PASSED;
    totals->resized += end == 0 && fate == PAIR_RESIZED;
    totals->dropped += fate == PAIR_DROPPED;
    totals->missed += fate == PAIR_MISSED;
    totals->uncovered += fate == PAIR_UNCOVERED;
    totals->made += fate == PAIR_MADE;
    totals->extra += fate == PAIR_EXTRA;
}

/* ---- what was changed, and how long it took ---- */
static int usual_ttl_step(const struct direction *d)
{
    uint32_t votes[256] = {0};
    uint32_t best = 0;
    for (uint32_t i = 0; i < d->count[0]; i++) {
        const struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner != PAIR_NONE) {
            votes[(uint8_t)(p->ttl - d->side[1]->packets[p->partner].ttl)]++;
        }
    }
    for (uint32_t i = 1; i < 256; i++) {
        best = votes[i] > votes[best] ? i : best;
    }
    return (int8_t)best;
}

static uint8_t changes_of(const struct pair_packet *p, const struct pair_packet *q, int ttl_step)
{
    uint8_t changed = 0;
    if (p->is_icmp) {
        return 0;
    }
    changed |= p->mss != q->mss ? PAIR_CHANGED_MSS : 0;
    changed |= p->options != q->options ? PAIR_CHANGED_OPTIONS : 0;
    changed |= p->payload_whole && q->payload_whole && p->payload_hash != q->payload_hash
                   ? PAIR_CHANGED_PAYLOAD
                   : 0;
    changed |= (int8_t)(p->ttl - q->ttl) != ttl_step ? PAIR_CHANGED_TTL : 0;
    return changed;
}

static void compare_copies(const struct direction *d, int direction, struct pair_match *match)
{
    match->ttl_step[direction] = usual_ttl_step(d);
    for (uint32_t i = 0; i < d->count[0]; i++) {
        struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner == PAIR_NONE) {
            continue;
        }
        struct pair_packet *q = &d->side[1]->packets[p->partner];
        p->changed = q->changed = changes_of(p, q, match->ttl_step[direction]);
        match->changed |= p->changed;
        if ((p->changed & PAIR_CHANGED_MSS) != 0 && direction == 0) {
            match->mss_before = p->mss;
            match->mss_after = q->mss;
        }
    }
}

/* ---- sessions ---- */
static const struct pair_session *session_at(const struct work *w, const struct pair_match *match,
                                             int point)
{
    return &w->sides[point].sessions[match->session[point]];
}

/* Fills the views of one direction; the end of index 0 is `first`. */
static void prepare(struct work *w, const struct pair_match *match, int direction, int first,
                    struct direction *d)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    memset(d, 0, sizeof(*d));
    for (int end = 0; end < 2; end++) {
        int point = end == 0 ? first : 1 - first;
        const struct pair_session *s = session_at(w, match, point);
        uint32_t base[2];
        for (int i = 0; i < 2; i++) { /* unknown at a point: untouched */
            bool both = in->isn_known[i] && out->isn_known[i];
            base[i] = both ? s->isn[i] : in->isn_known[i] ? in->isn[i] : out->isn[i];
        }
        d->side[end] = &w->sides[point];
        d->list[end] = w->room[end];
        d->covered_from[end] = w->sides[point].first_ns;
        d->covered_to[end] = w->sides[point].last_ns;
        fill_views(d, end, s, direction, base[direction], base[1 - direction]);
    }
}

/* NAT, and firewalls that draw new sequence numbers, leave the rest of a SYN as it is; a proxy's own
 * SYN has nothing of it. */
static bool is_relayed(const struct pair_session *in, const struct pair_session *out)
{
    if (!in->isn_known[0] || !out->isn_known[0] || in->isn[0] == out->isn[0]) {
        return false;
    }
    if (in->syn_timestamp != 0 && out->syn_timestamp != 0) {
        return in->syn_timestamp != out->syn_timestamp;
    }
    return in->syn_options != out->syn_options || in->client_port != out->client_port;
}

static void compare_sessions(const struct work *w, struct pair_match *match)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    bool client = address_equal(&in->client, &out->client) && in->client_port == out->client_port;
    bool server = address_equal(&in->server, &out->server) && in->server_port == out->server_port;
    bool sequence = false;
    for (int i = 0; i < 2; i++) {
        sequence = sequence ||
                   (in->isn_known[i] && out->isn_known[i] && in->isn[i] != out->isn[i]);
    }
    match->relayed = match->relayed || is_relayed(in, out);
    match->changed |= client ? 0 : PAIR_CHANGED_CLIENT;
    match->changed |= server ? 0 : PAIR_CHANGED_SERVER;
    match->changed |= sequence ? PAIR_CHANGED_SEQUENCE : 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* Times at the second point minus the first one of all packets of a direction that are surely the
 * same. */
static size_t differences(const struct direction *d, int64_t *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < d->count[0]; i++) {
        const struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner != PAIR_NONE && p->is_sure) {
            out[count++] = d->side[1]->packets[p->partner].time_ns - p->time_ns;
        }
    }
    return count;
}

static void marry_session(struct work *w, struct pair_match *match, int64_t *scratch)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    int64_t middle[2];
    size_t count[2];
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        prepare(w, match, direction, PAIR_INSIDE, &d);
        d.expected_ns = w->result->offset_ns;
        walk_groups(&d, true, false);
        walk_groups(&d, false, false);
        walk_groups(&d, false, true);
        count[direction] = differences(&d, scratch);
        middle[direction] = count[direction] > 0 ? median(scratch, count[direction]) : 0;
    }
    /* What the client sends comes later outside than what the server sends, clocks aside. */
    match->near_client = PAIR_INSIDE;
    if (count[0] > 0 && count[1] > 0) {
        match->near_client = middle[0] >= middle[1] ? PAIR_INSIDE : PAIR_OUTSIDE;
    } else if (in->packets[0] > 0 && out->packets[0] > 0) {
        match->near_client =
            w->sides[PAIR_INSIDE].packets[in->first].ttl >=
                    w->sides[PAIR_OUTSIDE].packets[out->first].ttl
                ? PAIR_INSIDE
                : PAIR_OUTSIDE;
    }
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        int way = direction ^ match->near_client; /* 0: from inside to outside */
        prepare(w, match, direction, PAIR_INSIDE, &d);
        w->sample_count[way] += differences(&d, w->samples[way] + w->sample_count[way]);
    }
}

/* The clocks' offset if the way takes as long there as back; it lies between the least of one
 * direction and the most of the other whatever the way. */
static void estimate_offset(struct work *w)
{
    struct pair_result *r = w->result;
    size_t out = w->sample_count[0], in = w->sample_count[1];
    r->offset_samples = out + in;
    r->error_ns = -1;
    r->offset_known = out + in > 0;
    if (!r->offset_known) {
        return; /* a relay's connections begin when it likes */
    }
    if (out == 0 || in == 0) {
        r->offset_ns = out > 0 ? median(w->samples[0], out) : median(w->samples[1], in);
        return;
    }
    int64_t middle_out = median(w->samples[0], out), middle_in = median(w->samples[1], in);
    int64_t most = w->samples[0][0], least = w->samples[1][in - 1];
    r->offset_ns = middle_in + (middle_out - middle_in) / 2;
    if (least <= most) {
        r->offset_ns = r->offset_ns < least ? least : r->offset_ns > most ? most : r->offset_ns;
        r->error_ns = most - r->offset_ns > r->offset_ns - least ? most - r->offset_ns
                                                                 : r->offset_ns - least;
    } else { /* the clocks drift, or stamps are not in the order of the wire */
        r->error_ns = least - most;
    }
}

static void decide_session(struct work *w, struct pair_match *match, int64_t *scratch)
{
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        int first = direction == 0 ? match->near_client : 1 - match->near_client;
        struct pair_totals *totals = &w->result->totals[first == PAIR_INSIDE ? 0 : 1];
        int64_t sign = first == PAIR_INSIDE ? 1 : -1;
        prepare(w, match, direction, first, &d);
        size_t count = differences(&d, scratch);
        d.expected_ns = sign * w->result->offset_ns;
        if (count > 0) {
            int64_t later = median(scratch, count);
            match->delay_ns[direction] = later - d.expected_ns > 0 ? later - d.expected_ns : 0;
            d.expected_ns = later;
        }
        compare_copies(&d, direction, match);
        for (int end = 0; end < 2; end++) {
            for (uint32_t i = 0; i < d.count[end]; i++) {
                struct pair_packet *p = packet_of(&d, end, i);
                p->fate = fate_of(&d, end, i);
                count_fate(totals, end, p->fate);
            }
        }
    }
}

static int64_t rough_offset(const struct work *w, const struct pair_match *match)
{
    return session_at(w, match, PAIR_OUTSIDE)->first_ns -
           session_at(w, match, PAIR_INSIDE)->first_ns;
}

static bool open_work(struct work *w)
{
    size_t most = w->sides[0].packet_count < w->sides[1].packet_count ? w->sides[1].packet_count
                                                                      : w->sides[0].packet_count;
    for (int i = 0; i < 2; i++) {
        w->room[i] = malloc((most + 1) * sizeof(*w->room[i]));
        w->samples[i] = malloc((most + 1) * sizeof(*w->samples[i]));
    }
    return w->room[0] != NULL && w->room[1] != NULL && w->samples[0] != NULL &&
           w->samples[1] != NULL;
}

static void close_work(struct work *w)
{
    for (int i = 0; i < 2; i++) {
        free(w->room[i]);
        free(w->samples[i]);
    }
}

bool pair_match_packets(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    struct work w = {.sides = sides, .result = out};
    size_t most = (size_t)sides[0].packet_count + sides[1].packet_count + out->match_count + 1;
    int64_t *scratch = malloc(most * sizeof(*scratch));
    bool good = open_work(&w) && scratch != NULL;
    for (int point = 0; good && point < PAIR_POINTS; point++) {
        sort_side(&sides[point]);
    }
    size_t count = 0;
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        compare_sessions(&w, &out->matches[i]);
        if (out->matches[i].how != PAIR_BY_NAME) {
            scratch[count++] = rough_offset(&w, &out->matches[i]);
        }
    }
    if (count > 0) {
        out->offset_ns = median(scratch, count); /* to begin with */
    }
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        if (!out->matches[i].relayed) {
            marry_session(&w, &out->matches[i], scratch);
        }
    }
    if (good) {
        estimate_offset(&w);
    }
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        if (!out->matches[i].relayed) {
            decide_session(&w, &out->matches[i], scratch);
        }
    }
    free(scratch);
    close_work(&w);
    return good;
}

bool pair_join(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    memset(out, 0, sizeof(*out));
    if (sides[0].failed || sides[1].failed || !pair_match_sessions(sides, out) ||
        !pair_match_packets(sides, out)) {
        pair_result_free(out);
        return false;
    }
    pair_doubt(sides, out);
    pair_decide_alone(sides, out);
    return true;
}

void pair_result_free(struct pair_result *result)
{
    free(result->matches);
    memset(result, 0, sizeof(*result));
}
