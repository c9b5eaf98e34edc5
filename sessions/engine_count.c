/* What a capture is worth: clocks, damage, copies and limits, counted while it is read. */
#include "sessions/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000LL
#define SECOND 1000000000LL
#define HOUR (3600 * SECOND)
/* The largest IP packet that a link without offloading carries here: jumbo frames. */
#define OVERSIZE_IP_LEN 9216u

/* A clock that was set, or files of other times: what was awaited across it proves nothing. The
 * second packet behind a jump confirms it. */
static void note_jump(struct engine *e, const struct packet *p, int64_t back, bool wild)
{
    struct capture_record *c = &e->counters;
    int64_t to = e->previous_ns < p->time_ns ? e->previous_ns : p->time_ns;
    if (back < -HOUR && !wild && to - e->now_ns > c->jump_to_ns - c->jump_from_ns) {
        c->jump_from_ns = e->now_ns;
        c->jump_to_ns = to;
    }
    if (back >= SECOND && back <= HOUR && back > c->back_from_ns - c->back_to_ns) {
        c->back_from_ns = e->now_ns;
        c->back_to_ns = p->time_ns;
    }
}

static void count_time(struct engine *e, const struct packet *p)
{
    struct capture_record *c = &e->counters;
    if (c->packets == 1) {
        c->first_ns = c->last_ns = p->time_ns;
        e->now_ns = e->last_sweep_ns = e->previous_ns = p->time_ns;
        return;
    }
    int64_t back = e->now_ns - p->time_ns;
    if (back > MS) {
        c->backward_times++;
        if (back > c->largest_backward_ns)
            c->largest_backward_ns = back;
    }
    if (p->time_ns < c->first_ns)
        c->first_ns = p->time_ns;
    if (p->time_ns > c->last_ns)
        c->last_ns = p->time_ns;
    /* One packet with a wild time must not make all flows look idle: two in a row are believed. */
    bool wild = back < -HOUR && p->time_ns - e->previous_ns > HOUR;
    if (wild || (back > HOUR && e->previous_ns - p->time_ns > HOUR))
        c->time_jumps++; /* once: the packets behind it lie beside each other */
    note_jump(e, p, back, wild);
    if (back <= -CLOCK_PAUSE_NS && !wild)
        clock_ask(&e->clock, e->now_ns, back < -HOUR && e->previous_ns < p->time_ns ? e->previous_ns : p->time_ns);
    if (p->time_ns > e->now_ns && !wild)
        e->now_ns = p->time_ns;
    e->previous_ns = p->time_ns;
}

static void count_layers(struct engine *e, const struct packet *p, const struct layers *l)
{
    struct capture_record *c = &e->counters;
    if (p->caplen < p->len)
        c->truncated_packets++;
    if (l->kind == LAYER_UNKNOWN)
        c->undecoded_packets++;
    else if (l->kind == LAYER_MALFORMED)
        c->malformed_packets++;
    if (l->checksum == CHECKSUM_BAD)
        c->bad_checksums++;
    else if (l->checksum == CHECKSUM_PARTIAL)
        c->offload_checksums++;
    if (l->kind == LAYER_ICMP)
        c->icmp_packets++;
    if (l->neighbor.present)
        c->arp_packets++;
    if (l->kind == LAYER_UDP && (l->src_port == 53 || l->dst_port == 53))
        c->dns_packets++;
    if (l->kind == LAYER_TCP && l->ip_len > OVERSIZE_IP_LEN && !l->was_fragmented)
        c->oversize_segments++;
}

void engine_count(struct engine *e, const struct packet *packet, const struct layers *layers)
{
    e->counters.packets++;
    e->counters.bytes += packet->len;
    count_time(e, packet);
    count_layers(e, packet, layers);
}

static int by_value(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

APART
static int64_t median_routed_delay(const struct engine *e)
{
    int64_t sorted[ROUTED_DELAYS];
    size_t count = e->routed_count < ROUTED_DELAYS ? (size_t)e->routed_count : ROUTED_DELAYS;
    if (count == 0)
        return RECORD_NONE_NS;
    memcpy(sorted, e->routed_delays, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], by_value);
    return sorted[count / 2];
}

void engine_counters(const struct engine *e, struct capture_record *out)
{
    const struct decode_counters *d = decoder_counters(e->decoder);
    *out = e->counters;
    clock_tell_pauses(&e->clock, out);
    clock_settle(&e->clock, HOUR, paths_usual_rate(e->paths), out);
    out->routed_delay_ns = median_routed_delay(e);
    out->fragments = (int64_t)d->fragments;
    out->fragments_dropped = (int64_t)(d->fragments_dropped + d->fragment_timeouts);
    out->fragment_overlaps = (int64_t)d->fragment_overlaps;
    out->limit_paths = (int64_t)paths_given_up(e->paths);
    out->disordered_segments = (int64_t)e->disordered;
    out->gaps = (int64_t)e->gaps;
    out->gap_bytes = (int64_t)e->gap_bytes;
    out->acked_segments = (int64_t)e->acked_segments;
}
