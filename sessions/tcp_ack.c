#include "core/hints.h"
#include "sessions/tcp_internal.h"

#define MS 1000000LL

void tcp_note_rtt(struct tcp_flow *tcp, enum side side, int64_t rtt_ns)
{
    if (rtt_ns >= 0 && (tcp->rtt_min_ns[side] < 0 || rtt_ns < tcp->rtt_min_ns[side]))
        tcp->rtt_min_ns[side] = rtt_ns;
}

static void note_delivered(struct tcp_direction *d, int64_t ack)
{
    for (int i = 0; i < 2; i++) {
        if (d->largest_len[i] == 0 || ack < d->largest_end[i])
            continue;
        if (d->largest_len[i] > d->facts.largest_delivered)
            d->facts.largest_delivered = d->largest_len[i];
        d->largest_len[i] = 0;
    }
}

/* Progress of d's bytes as acknowledged by its peer (of side `by`). */
static void note_progress(struct tcp_flow *tcp, struct tcp_direction *d, enum side by, int64_t ack,
                          const struct packet *p, const struct layers *l)
{
    d->acked = ack;
    d->facts.tail_retransmissions = 0;
    d->facts.tail_first_ns = d->facts.tail_last_ns = RECORD_NONE_NS;
    d->facts.smallest_lost = 0;
    if (d->shrunk_from > d->facts.shrunk_from) {
        d->facts.shrunk_from = d->shrunk_from;
        d->facts.shrunk_to = d->shrunk_to;
    }
    d->shrunk_from = 0;
    tcp_settle_pending(d, ack, tcp->rtt_min_ns[by], p, l);
    d->ack_repeats = 0;
    d->sacked = false;
    note_delivered(d, ack);
    d->outstanding_ns = ack >= d->next ? RECORD_NONE_NS : p->time_ns;
    if (d->timing && ack >= d->timed_end) {
        int64_t rtt_ns = p->time_ns - d->timed_ns;
        d->timing = false;
        tcp_note_rtt(tcp, by, rtt_ns);
        if (rtt_ns >= 0 && (tcp->rtt_data_min_ns[by] < 0 || rtt_ns < tcp->rtt_data_min_ns[by]))
            tcp->rtt_data_min_ns[by] = rtt_ns;
    }
    if (d->holes == NULL)
        return;
    for (uint32_t i = 0; i < d->holes->count; i++) {
        struct tcp_hole *hole = &d->holes->at[i];
        if (ack >= hole->end && hole->acked_ns < 0)
            hole->acked_ns = p->time_ns;
    }
}

/* Bytes acknowledged that nobody captured: a hole at the end of what was seen. */
RARE
static void note_unseen(struct tcp_direction *d, int64_t ack, const struct packet *p,
                        const struct layers *l, struct tcp_env *env)
{
    if (!d->seen) {
        d->next = ack; /* the whole side is missing: no hole in it */
        return;
    }
    if (d->probe_end == ack && ack == d->next + 1) {
        d->next = ack;
        return;
    }
    if (tcp_add_hole(d, d->next, ack, p, l, env))
        d->next = ack;
}

static bool is_duplicate_ack(const struct tcp_direction *own, const struct tcp_direction *peer,
                             int64_t ack, const struct layers *l)
{
    return l->payload_len == 0 && (l->tcp.flags & (TCP_SYN | TCP_FIN)) == 0 && ack == peer->acked &&
           (peer->next > peer->acked || l->tcp.sack_count > 0) && own->acknowledged_any &&
           l->tcp.sequence == own->base + (uint32_t)own->next &&
           (l->tcp.sack_count > 0 || (l->tcp.window == own->window && l->tcp.window != 0));
}

/* RFC 7323 5.3: what carries an older timestamp than its receiver keeps is dropped, and answered by an
 * ACK that echoes the newer one. That one must have been seen: else somebody changes the echoes. */
static void note_refusal(struct tcp_flow *tcp, enum side sender, const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[sender];
    int32_t back = (int32_t)(l->tcp.timestamp_echo - d->timestamp);
    if (!l->tcp.has_timestamp || !d->manner.timestamps || l->tcp.timestamp_echo == 0 || back <= 0 ||
        (l->tcp.flags & (TCP_SYN | TCP_FIN)) != 0)
        return;
    if (d->facts.stamp_refusals == 0) {
        bool went_back =
            (d->first_stamp != 0 && (int32_t)(d->first_stamp - d->timestamp) > 0) ||
            recent_has_newer(tcp->recent, sender, d->timestamp);
        if (!went_back)
            return;
        d->facts.stamp_back = (uint32_t)back;
    }
    d->facts.stamp_refusals++;
}

/* The capture began at a keep-alive, which repeats the number before the next one (RFC 9293 3.8.4):
 * the answer tells so. */
static void settle_joined(struct tcp_direction *d, uint32_t acknowledgment)
{
    if (d->joined_empty && d->next == 1 && acknowledgment == d->base + 2)
        d->base++;
    d->joined_empty = false;
}

void tcp_note_ack(struct tcp_flow *tcp, enum side side, const struct packet *p,
                  const struct layers *l, struct tcp_env *env, struct tcp_verdict *out)
{
    struct tcp_direction *own = &tcp->dir[side], *peer = &tcp->dir[!side];
    if (!peer->base_known)
        return;
    settle_joined(peer, l->tcp.acknowledgment);
    int64_t ack = tcp_offset(peer, l->tcp.acknowledgment);
    if (ack > peer->next + SANE_AHEAD || ack < peer->acked - SANE_AHEAD)
        return;
    /* RFC 9293 3.10.7.3: a SYN-ACK that acknowledges what was never sent is refused by a reset; guards ask so. */
    if ((l->tcp.flags & TCP_SYN) != 0 && peer->syn_seen && ack > peer->next)
        return;
    if (l->payload_len > 0 || ack > peer->acked)
        (*env->acked_segments)++;
    if (ack > peer->next)
        note_unseen(peer, ack, p, l, env);
    if (!own->acknowledged_any && ack < peer->acked)
        peer->acked = ack; /* mid-stream: now it is known how far the peer's bytes had come */
    if (ack > peer->acked) {
        note_progress(tcp, peer, side, ack, p, l);
    } else {
        if (l->payload_len == 0 && ack == peer->acked && ack < peer->next)
            note_refusal(tcp, !side, l);
        if (is_duplicate_ack(own, peer, ack, l)) {
            own->facts.duplicate_acks++;
            peer->ack_repeats++;
            out->event = EVENT_DUPLICATE_ACK;
        }
    }
    if (l->tcp.sack_count > 0)
        tcp_note_sack(peer, l);
    peer->ack_ns = p->time_ns;
    if (!own->acknowledged_any || own->acknowledgment != l->tcp.acknowledgment)
        own->acknowledgment_before =
            own->acknowledged_any ? own->acknowledgment : l->tcp.acknowledgment;
    own->acknowledgment = l->tcp.acknowledgment;
    own->acknowledged_any = true;
    if (peer->holes != NULL)
        tcp_decide_holes(tcp, !side, p->time_ns, false, env, out);
}

RARE
static void close_zero_window(struct tcp_direction *d, int64_t now_ns)
{
    int64_t period = now_ns - d->zero_since_ns;
    d->zero_since_ns = RECORD_NONE_NS;
    if (period < 0)
        return;
    if (d->zero_window_waited) {
        d->facts.zero_window_ns += period;
    } else {
        d->zero_pending_ns = period;
        d->zero_ended_ns = now_ns;
    }
    d->zero_window_waited = false;
}

void tcp_note_window(struct tcp_flow *tcp, enum side side, const struct packet *p,
                     const struct layers *l, struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    uint16_t before = d->window;
    d->window = l->tcp.window;
    if ((l->tcp.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && l->tcp.window == 0 &&
        d->zero_since_ns < 0)
        d->zero_since_ns = p->time_ns; /* accepted, and nothing may be sent: most open it at once */
    if ((l->tcp.flags & (TCP_SYN | TCP_FIN)) != 0)
        return;
    if (l->tcp.window == 0) {
        d->facts.zero_windows++;
        tcp_note_scaled(tcp, side, 'w');
        if (out->event == EVENT_ACK || out->event == EVENT_DUPLICATE_ACK)
            out->event = EVENT_ZERO_WINDOW;
        if (d->zero_since_ns < 0) {
            d->zero_since_ns = p->time_ns;
            d->zero_window_waited = peer->next > peer->acked;
        }
    } else if (d->zero_since_ns >= 0) {
        if (out->event == EVENT_ACK)
            out->event = EVENT_WINDOW_UPDATE;
        close_zero_window(d, p->time_ns);
    } else if (out->event == EVENT_ACK && before == 0 && d->seen) {
        out->event = EVENT_WINDOW_UPDATE;
    }
}
