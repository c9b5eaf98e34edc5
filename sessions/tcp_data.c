#include "core/hints.h"
#include "sessions/tcp_internal.h"

#include <string.h>

#define MS 1000000LL
/* Without a round trip to compare: LAN reordering, as Wireshark assumes. */
#define REORDER_DEFAULT_NS (3 * MS)
/* A packet that left before another arrives at most so much later; a retransmission timer is
 * longer. */
#define REORDER_PROVEN_NS (200 * MS)
/* The sender answers a reopened window within this when data was waiting for it. */
#define WINDOW_REACTION_NS (500 * MS)

/* Whether a segment that fills a hole left its sender before the one that made the hole; *reason gets
 * what shows it. */
RARE
static bool was_reordered(const struct tcp_flow *tcp, const struct tcp_hole *hole,
                          const struct packet *p, const struct layers *l, uint32_t *reason)
{
    int64_t age = p->time_ns - hole->since_ns;
    *reason = REASON_FILLS_HOLE;
    if (hole->acked_ns >= 0) {
        *reason = REASON_ACKNOWLEDGED;
        return true; /* acknowledged before it was captured: the capture's own disorder */
    }
    if (l->tcp.has_timestamp && hole->above_timestamp != 0 &&
        l->tcp.timestamp_value != hole->above_timestamp) {
        *reason = REASON_FILLS_HOLE | REASON_TIMESTAMP;
        return (int32_t)(l->tcp.timestamp_value - hole->above_timestamp) < 0 &&
               age < REORDER_PROVEN_NS;
    }
    if (l->ip_id != 0 && hole->above_id != 0) {
        int16_t step = (int16_t)(uint16_t)(l->ip_id - hole->above_id);
        if (step > 0 && step < SERIES_STEP)
            return false;
        if (step < 0 && step > -SERIES_STEP) {
            bool late = age < REORDER_PROVEN_NS;
            *reason = late ? REASON_IP_ID : REASON_FILLS_HOLE;
            return late;
        }
    }
    int64_t limit = REORDER_DEFAULT_NS;
    int64_t rtt = tcp->rtt_min_ns[0] >= 0 && tcp->rtt_min_ns[1] >= 0
                      ? tcp->rtt_min_ns[0] + tcp->rtt_min_ns[1]
                      : limit;
    return age < (rtt < limit ? rtt : limit);
}

/* What shows that bytes which fill no hole are not new; the timestamp proves that they were sent
 * again when it is newer than that of the segment which brought them first. */
static uint32_t reason_of(const struct tcp_flow *tcp, enum side side, int64_t start, int64_t end,
                          const struct layers *l)
{
    const struct tcp_direction *d = &tcp->dir[side];
    const struct recent_segment *before =
        recent_find(tcp->recent, side, l->tcp.sequence, l->payload_len);
    uint32_t reason = end <= d->acked                 ? REASON_ACKNOWLEDGED
                      : start < d->acked              ? REASON_PARTLY_ACKNOWLEDGED
                      : end < start + l->payload_len ? REASON_SPANS_NEW
                                                      : REASON_ORIGINAL_SEEN;
    bool newer = before != NULL && before->timestamp != 0 && l->tcp.has_timestamp &&
                 (int32_t)(l->tcp.timestamp_value - before->timestamp) > 0;
    return reason | (newer ? REASON_TIMESTAMP : 0);
}

RARE
static void note_conflict(struct tcp_flow *tcp, enum side side, const struct packet *p,
                          const struct layers *l, struct tcp_verdict *out)
{
    struct content_conflict *c = &tcp->facts.conflict;
    const struct recent_segment *first = recent_conflict(tcp->recent, side, l);
    if (first == NULL)
        return;
    out->reason = REASON_OTHER_BYTES;
    tcp->dir[side].facts.conflicting_segments++;
    if (c->first_frame == 0)
        *c = (struct content_conflict){.source_id = first->source_id,
                                       .first_frame = first->frame,
                                       .other_frame = (int64_t)p->frame,
                                       .first_ns = first->time_ns,
                                       .gap_ns = p->time_ns - first->time_ns,
                                       .first_ttl = first->ttl,
                                       .other_ttl = l->ttl,
                                       .side = (uint8_t)side};
}

/* Starts with room for few; most connections need no more. */
static struct tcp_recent *recent_of(struct tcp_flow *tcp, struct tcp_env *env)
{
    struct tcp_recent *recent = tcp->recent;
    if (recent != NULL && (recent->capacity == RECENT_FULL || recent->total < RECENT_SMALL))
        return recent;
    struct tcp_recent *grown = pool_take(recent == NULL ? env->recent_small : env->recent_full);
    if (grown == NULL)
        return recent;
    if (recent != NULL)
        memcpy(grown, recent, recent_size(RECENT_SMALL));
    grown->capacity = recent == NULL ? RECENT_SMALL : RECENT_FULL;
    pool_give(env->recent_small, recent);
    return tcp->recent = grown;
}

void tcp_remember(struct tcp_flow *tcp, enum side side, const struct packet *p,
                  const struct layers *l, struct tcp_env *env)
{
    struct tcp_recent *recent = recent_of(tcp, env);
    if (recent != NULL)
        recent_keep(recent, side, p, l);
}

/* A sender that splits what was lost again and again, though its peer hears smaller packets, thinks
 * of the path MTU (RFC 4821, tcp_mtu_probing). */
#define SHRINK_TRIES 3
#define SHRINK_LEAST 100

RARE
static void note_shrink(struct tcp_direction *d, uint32_t ip_len)
{
    if (d->facts.tail_retransmissions < SHRINK_TRIES || d->facts.smallest_lost < ip_len + SHRINK_LEAST ||
        (!d->sacked && d->ack_repeats == 0))
        return;
    if (d->shrunk_from == 0)
        d->shrunk_from = d->facts.smallest_lost;
    d->shrunk_to = ip_len;
}

/* Bytes of a large segment that come again in a smaller one: an acknowledgment says nothing of the size. */
static void forget_large(struct tcp_direction *d, int64_t start, int64_t end, uint32_t ip_len)
{
    for (int i = 0; i < 2; i++) {
        if (ip_len < d->largest_len[i] && start < d->largest_end[i] &&
            end + d->largest_len[i] > d->largest_end[i])
            d->largest_len[i] = 0;
    }
}

void tcp_note_tail(struct tcp_direction *d, int64_t start, int64_t end, const struct packet *p,
                   const struct layers *l)
{
    if (start > d->acked || end <= d->acked)
        return;
    note_shrink(d, l->ip_len);
    if (d->facts.tail_retransmissions == 0)
        d->facts.tail_first_ns = d->outstanding_ns >= 0 ? d->outstanding_ns : p->time_ns;
    d->facts.tail_retransmissions++;
    d->facts.tail_last_ns = p->time_ns;
    if (d->facts.smallest_lost == 0 || l->ip_len < d->facts.smallest_lost)
        d->facts.smallest_lost = l->ip_len;
}

/* Bytes that were sent before, or belong into a hole. */
RARE
static void note_again(struct tcp_flow *tcp, enum side side, int64_t start, int64_t end,
                       const struct packet *p, const struct layers *l, struct tcp_env *env,
                       struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side];
    int index = tcp_find_hole(d, start, end);
    bool fills = index >= 0;
    /* What passed the tap damaged was lost before it, as if it had never come by. */
    bool damaged = !tcp_is_wrong(l) && (fills || end > d->acked) &&
                   (recent_take_wrong(tcp->recent, side, l->tcp.sequence, l->payload_len) ||
                    (fills && d->holes->at[index].damaged)); /* so long ago that it is forgotten */
    if (fills) {
        bool reordered = was_reordered(tcp, &d->holes->at[index], p, l, &out->reason) && !damaged;
        for (; index >= 0; index = tcp_find_hole(d, start, end))
            tcp_fill_hole(d, (uint32_t)index, start, end, env);
        if (reordered) {
            bool disorder = out->reason == REASON_ACKNOWLEDGED;
            note_conflict(tcp, side, p, l, out); /* around the hole it may hold bytes that came before */
            d->facts.disordered_segments += disorder;
            *env->disordered += disorder;
            d->facts.reordered_segments++;
            d->facts.segments++;
            out->event = EVENT_REORDERED;
            return;
        }
    }
    bool spurious = !fills && end <= d->acked && tcp->dir[!side].acknowledged_any;
    if (damaged)
        out->reason = REASON_FILLS_HOLE;
    else if (!fills)
        out->reason = reason_of(tcp, side, start, end, l);
    note_conflict(tcp, side, p, l, out);
    out->note = spurious ? NOTE_SPURIOUS : tcp_classify_again(tcp, side, start, end, p->time_ns);
    tcp_count_again(&d->facts, out->note);
    d->facts.filling_retransmissions += fills || damaged;
    d->facts.damaged_losses += damaged;
    d->facts.spurious_retransmissions += spurious;
    if (!spurious) {
        tcp_note_pending(d, end, fills || damaged, p, l);
        d->resent_ns = p->time_ns;
    }
    d->retransmissions++;
    d->facts.retransmitted_bytes += (uint32_t)(end - start);
    d->timing = false;
    tcp_note_scaled(tcp, side, 't');
    tcp_note_tail(d, start, end, p, l);
    forget_large(d, start, end, l->ip_len);
    out->event = EVENT_RETRANSMISSION;
}

static void remember_large(struct tcp_direction *d, int64_t end, uint32_t ip_len)
{
    int slot = d->largest_len[0] == 0 ? 0 : d->largest_len[1] == 0 ? 1 : -1;
    if (ip_len <= d->facts.largest_delivered)
        return;
    if (slot < 0)
        slot = 1; /* the first one keeps its place: it is acknowledged first */
    if (slot == 1 && ip_len <= d->largest_len[0])
        return;
    d->largest_len[slot] = ip_len;
    d->largest_end[slot] = end;
}

static void note_new(struct tcp_flow *tcp, enum side side, int64_t end, const struct packet *p,
                     const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    d->facts.segments++;
    tcp_advance(d, end, p->time_ns);
    if (!d->timing) {
        d->timing = true;
        d->timed_end = end;
        d->timed_ns = p->time_ns;
    }
    remember_large(d, end, l->ip_len);
    if (peer->zero_pending_ns > 0 && p->time_ns - peer->zero_ended_ns < WINDOW_REACTION_NS)
        peer->facts.zero_window_ns += peer->zero_pending_ns;
    peer->zero_pending_ns = 0;
}

/* The sender used the last byte that the receiver offered (FACTS.md 1.6). */
static void note_window_full(struct tcp_flow *tcp, enum side side, const struct layers *l,
                             struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side];
    const struct tcp_direction *peer = &tcp->dir[!side];
    if (peer->scale < 0 || !peer->acknowledged_any || (l->tcp.flags & (TCP_SYN | TCP_FIN)) != 0 ||
        d->next != d->acked + ((int64_t)peer->window << peer->scale))
        return;
    d->facts.window_full++;
    if (out->event == EVENT_DATA && out->note == NOTE_NONE)
        out->note = NOTE_WINDOW_FULL;
}

/* The byte that is missing there was acknowledged just now, before it was captured. */
static bool comes_late(const struct tcp_direction *d, int64_t start, const struct packet *p)
{
    int hole = tcp_find_hole(d, start, start + 1);
    return hole >= 0 && p->time_ns - d->holes->at[hole].since_ns < DISORDER_NS;
}

static bool is_keepalive(const struct tcp_direction *d, int64_t start, const struct packet *p, const struct layers *l)
{
    if (l->payload_len == 1 && comes_late(d, start, p))
        return false;
    return l->payload_len <= 1 && (l->tcp.flags & (TCP_SYN | TCP_FIN)) == 0 && !d->fin_seen &&
           start == d->next - 1 && d->next >= 1 && d->acked >= d->next - 1;
}

/* end: of the payload; the FIN takes the next place. Its acknowledgment may have been captured before
 * it. */
APART
static void note_fin(struct tcp_direction *d, int64_t end, const struct packet *p,
                     struct tcp_env *env, struct tcp_verdict *out)
{
    int hole = tcp_find_hole(d, end, end + 1);
    if (hole >= 0)
        tcp_fill_hole(d, (uint32_t)hole, end, end + 1, env);
    if (!d->fin_seen) {
        d->fin_seen = true;
        d->fin_end = end + 1;
        d->facts.fin_ns = p->time_ns;
        out->fin = true;
        out->fin_offset = end;
        if (d->outstanding_ns < 0)
            d->outstanding_ns = p->time_ns;
    }
    if (d->next < end + 1)
        d->next = end + 1;
}

/* First segment of a side whose place was guessed from the peer's acknowledgment: what came before
 * is not missing, it is not ours; and a guess that is far off was wrong. What was acknowledged a moment
 * before it was captured comes late. */
RARE
static int64_t join_midstream(struct tcp_direction *d, int64_t start, const struct packet *p,
                              const struct layers *l, struct tcp_env *env)
{
    if (start <= d->next && start >= d->next - SANE_AHEAD) {
        d->before = start > 1 ? (uint32_t)(start - 1) : 0;
        if (d->acked >= d->next && p->time_ns - d->ack_ns < DISORDER_NS &&
            tcp_add_hole(d, start, d->next, p, l, env))
            d->holes->at[0].acked_ns = p->time_ns;
        return start;
    }
    int64_t shift = start - 1;
    d->base += (uint32_t)shift;
    d->acked = start > d->next ? d->acked - shift : 1;
    d->next = 1;
    return 1;
}

/* A side that opened unseen is heard for the first time. What its peer has taken of it stands before
 * this segment, and the capture has none of it. */
RARE
static void join_opened(struct tcp_direction *d, int64_t start, const struct packet *p,
                        const struct layers *l, struct tcp_env *env)
{
    d->next = 1;
    if (start <= 1 || start - 1 >= SANE_AHEAD || !tcp_add_hole(d, 1, start, p, l, env))
        return;
    d->next = start;
    if (d->acked >= start)
        d->holes->at[d->holes->count - 1].acked_ns = p->time_ns;
}

/* Payload that is no probe: new, in a hole, again, or both again and new. */
static void note_payload(struct tcp_flow *tcp, enum side side, int64_t start,
                         const struct packet *p, const struct layers *l, struct tcp_env *env,
                         struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side];
    int64_t end = start + l->payload_len;
    if (start > d->next + SANE_AHEAD || end < d->next - SANE_AHEAD)
        return; /* no sequence number of this connection */
    out->has_payload = true;
    out->payload_offset = start;
    tcp_note_sent(d, p->time_ns);
    d->facts.last_payload_ns = p->time_ns;
    if (p->time_ns >= tcp->dir[!side].facts.last_payload_ns) /* else the capture swapped both */
        tcp->last_payload_side = (uint8_t)side;
    if (start > d->next)
        (void)tcp_add_hole(d, d->next, start, p, l, env);
    bool again = start < d->next, brings_new = end > d->next;
    if (again)
        note_again(tcp, side, start, brings_new ? d->next : end, p, l, env, out);
    if (brings_new) {
        note_new(tcp, side, end, p, l);
        note_window_full(tcp, side, l, out);
    }
    if (brings_new || out->event == EVENT_REORDERED ||
        (out->reason & ~(uint32_t)REASON_TIMESTAMP) == REASON_FILLS_HOLE)
        tcp_remember(tcp, side, p, l, env);
}

/* Until the peer is heard again. */
RARE
static void note_probe(struct tcp_direction *d, const struct packet *p)
{
    if (d->facts.silent_probes++ == 0)
        d->facts.silent_probe_ns = p->time_ns;
}

void tcp_note_data(struct tcp_flow *tcp, struct flow *flow, enum side side, const struct packet *p,
                   const struct layers *l, struct tcp_env *env, struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    bool syn = (l->tcp.flags & TCP_SYN) != 0;
    int64_t start = tcp_offset(d, l->tcp.sequence) + syn;
    out->sequence = (uint32_t)(start - syn);
    if (syn && d->next < 1) {
        d->next = 1;
        d->sent_ns = p->time_ns;
    }
    if (is_keepalive(d, start, p, l)) {
        d->facts.keepalives++;
        note_probe(d, p);
        out->event = EVENT_KEEPALIVE;
        if (peer->zero_since_ns >= 0) { /* Linux probes a closed window in this shape (tcp_probe0) */
            peer->zero_window_waited = true;
            out->note = NOTE_WINDOW_PROBE;
            d->facts.window_probes++;
        }
        return;
    }
    if (l->payload_len == 1 && start == d->next && peer->seen && peer->zero_since_ns >= 0) {
        peer->zero_window_waited = true;
        note_probe(d, p);
        d->probe_end = start + 1;
        out->note = NOTE_WINDOW_PROBE;
        d->facts.window_probes++;
        out->has_payload = true;
        out->payload_offset = start;
        return;
    }
    if (!d->seen && tcp->facts.syn_count == 0 && !tcp->synack_seen)
        start = join_midstream(d, start, p, l, env);
    else if (!d->seen && !syn && peer->acknowledged_any && d->base_known)
        join_opened(d, start, p, l, env);
    if (l->payload_len == 0 && !syn && d->seen && start > d->next && start - d->next < SANE_AHEAD &&
        tcp_add_hole(d, d->next, start, p, l, env))
        d->next = start; /* its own sequence number tells of bytes that never came by */
    if (l->payload_len > 0) {
        d->early_data = d->early_data || syn;
        if (tcp->last_payload_side == SIDE_NONE && side == SIDE_SERVER)
            flow->facts |= FLOW_FACT_SERVER_SPOKE_FIRST;
        note_payload(tcp, side, start, p, l, env, out);
    }
    if ((l->tcp.flags & TCP_FIN) != 0)
        note_fin(d, start + l->payload_len, p, env, out);
    if (d->holes != NULL)
        tcp_decide_holes(tcp, side, p->time_ns, false, env, out);
}
