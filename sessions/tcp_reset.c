/* What each RST is like beside the usual packets of the side whose address it carries. */
#include "core/hints.h"
#include "sessions/tcp_internal.h"

#include <string.h>

/* Reordering near the end of a connection is over within this. */
#define REORDER_NS 3000000LL
/* No packet that was sent before the RST stays on its way for so long. */
#define SENT_LATER_NS 100000000LL
/* A host that numbers its packets one by one may send others in between. */
#define ID_STEP_MOST 256
/* So many IP IDs tell how a side numbers its packets. */
#define ID_PACKETS_LEAST 3

/* ---- how a side usually sends ---------------------------------------------------------------- */

static void note_ttl(struct tcp_manner *m, uint8_t ttl)
{
    for (int i = 0; i < TCP_TTLS; i++) {
        if (m->ttl_count[i] > 0 && m->ttl[i] != ttl)
            continue;
        m->ttl[i] = ttl;
        if (m->ttl_count[i] < UINT16_MAX)
            m->ttl_count[i]++;
        return;
    }
}

static uint8_t usual_ttl(const struct tcp_manner *m)
{
    int best = 0;
    for (int i = 1; i < TCP_TTLS; i++) {
        if (m->ttl_count[i] > m->ttl_count[best])
            best = i;
    }
    return m->ttl[best];
}

static void note_ip_id(struct tcp_manner *m, uint16_t before, uint16_t id)
{
    if (m->id_packets == UINT16_MAX)
        return;
    uint16_t step = (uint16_t)(id - before);
    if (id == 0)
        m->id_zeros++;
    if (m->id_packets > 0 && step > 0 && step <= ID_STEP_MOST)
        m->id_steps++;
    m->id_packets++;
}

static enum ip_id_line ip_id_line(const struct tcp_manner *m)
{
    if (m->id_packets < ID_PACKETS_LEAST)
        return IP_ID_UNKNOWN;
    if (m->id_zeros == m->id_packets)
        return IP_ID_ZERO;
    /* a lost or reordered packet does not make a line irregular */
    return (m->id_steps + 1u) * 5u >= m->id_packets * 4u ? IP_ID_COUNTS : IP_ID_IRREGULAR;
}

void tcp_note_manner(struct tcp_flow *tcp, enum side side, const struct packet *p,
                     const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    struct tcp_manner *m = &d->manner;
    const struct tcp_manner *peer = &tcp->dir[!side].manner;
    if (m->turn_ns < 0 || peer->last_ns > m->last_ns)
        m->turn_ns = p->time_ns;
    m->last_ns = p->time_ns;
    note_ttl(m, l->ttl);
    if (l->ip_version == 4)
        note_ip_id(m, d->ip_id, l->ip_id);
    m->window = l->tcp.window;
    m->timestamps = l->tcp.has_timestamp;
    if ((l->tcp.flags & TCP_ACK) != 0 &&
        (m->ack_count == 0 || m->acks[(m->ack_count - 1) % TCP_ACKS] != l->tcp.acknowledgment))
        m->acks[m->ack_count++ % TCP_ACKS] = l->tcp.acknowledgment;
}

/* ---- one RST --------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.1: a bare RST takes its sequence from the acknowledgment of the segment it
 * answers, which may have left before the peer's last one. */
static bool answers_segment(const struct tcp_direction *peer, const struct layers *l)
{
    const struct tcp_manner *m = &peer->manner;
    uint32_t count = m->ack_count < TCP_ACKS ? m->ack_count : TCP_ACKS;
    for (uint32_t i = 0; i < count; i++) {
        if (m->acks[i] == l->tcp.sequence)
            return true;
    }
    return peer->acknowledged_any && l->tcp.sequence == peer->acknowledgment_before;
}

/* The highest window that the peer may have meant. */
static int64_t window_of(const struct tcp_direction *peer)
{
    return (int64_t)peer->window << (peer->scale >= 0 ? peer->scale : 14);
}

static enum reset_guess guess_of(const struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    if (answers_segment(peer, l))
        return d->seen && tcp_offset(d, l->tcp.sequence) == d->next ? RESET_GUESS_EXACT
                                                                    : RESET_GUESS_ANSWER;
    if (l->tcp.sequence == 0)
        return RESET_GUESS_ZERO;
    if (!d->base_known || !d->seen)
        return RESET_GUESS_NONE;
    int64_t offset = tcp_offset(d, l->tcp.sequence);
    if (offset == d->next)
        return RESET_GUESS_EXACT;
    if (offset < d->next)
        return offset >= d->acked ? RESET_GUESS_UNACKED : RESET_GUESS_BEHIND;
    return offset <= d->acked + window_of(peer) ? RESET_GUESS_AHEAD : RESET_GUESS_OUTSIDE;
}

/* A stack that aborts may have gone back to the oldest byte in flight; an answer cannot. */
static bool fits_stack(enum reset_guess guess, const struct layers *l)
{
    return guess < RESET_GUESS_UNACKED || guess == RESET_GUESS_ZERO ||
           (guess == RESET_GUESS_UNACKED && (l->tcp.flags & TCP_ACK) != 0);
}

/* Several resets of one stack agree: bare ones follow the acknowledgments that they answer, those
 * with ACK repeat themselves or acknowledge one segment after the other. */
static bool resets_disagree(const struct tcp_flow *tcp, enum side side, enum reset_guess guess,
                            const struct layers *l)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    bool with_ack = (l->tcp.flags & TCP_ACK) != 0;
    if ((d->rst_kinds & 1u << with_ack) == 0)
        return false;
    if (l->tcp.sequence != d->rst_kind_sequence[with_ack])
        return guess != RESET_GUESS_ANSWER && guess != RESET_GUESS_EXACT;
    int32_t step = (int32_t)(l->tcp.acknowledgment - d->rst_kind_acknowledgment[with_ack]);
    if (!with_ack || step == 0 || !peer->base_known)
        return false;
    return step < 0 || tcp_offset(peer, l->tcp.acknowledgment) > peer->next;
}

static int64_t since(const struct packet *p, int64_t then_ns)
{
    return then_ns < 0 ? RECORD_NONE_NS : p->time_ns - then_ns;
}

static void compare_header(const struct tcp_direction *d, const struct layers *l,
                           struct reset_record *out)
{
    const struct tcp_manner *m = &d->manner;
    out->ttl = l->ttl;
    out->usual_ttl = usual_ttl(m);
    out->ip_id = l->ip_version == 4 ? l->ip_id : -1;
    out->ip_id_before = l->ip_version == 4 && m->id_packets > 0 ? d->ip_id : -1;
    out->ip_id_line = (uint8_t)ip_id_line(m);
    out->window = l->tcp.window;
    out->window_before = m->window;
    out->has_timestamp = l->tcp.has_timestamp;
    out->usual_timestamp = m->timestamps;
    if (l->tcp.has_timestamp && m->timestamps)
        out->timestamp_step = (int32_t)(l->tcp.timestamp_value - d->timestamp);
}

static void compare_numbers(const struct tcp_flow *tcp, enum side side, const struct layers *l,
                            struct reset_record *out)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    out->acknowledgment = l->tcp.acknowledgment;
    if (d->base_known && d->seen && l->tcp.sequence != 0)
        out->sequence_offset = tcp_offset(d, l->tcp.sequence) - d->next;
    if (!out->with_ack)
        return;
    if (peer->base_known && peer->seen)
        out->ack_offset = tcp_offset(peer, l->tcp.acknowledgment) - peer->next;
    if (d->acknowledged_any)
        out->ack_step = (int32_t)(l->tcp.acknowledgment - d->acknowledgment);
}

static void compare_times(const struct tcp_flow *tcp, enum side side, const struct packet *p,
                          struct reset_record *out)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    out->own_ns = since(p, d->manner.last_ns);
    out->peer_ns = since(p, peer->manner.last_ns);
    out->peer_payload_ns = since(p, peer->facts.last_payload_ns);
    /* the other side's turn counts only when it began after this side's last word */
    out->peer_first_ns =
        peer->manner.last_ns >= d->manner.last_ns ? since(p, peer->manner.turn_ns) : RECORD_NONE_NS;
    out->segments_before = d->facts.segments;
    out->peer_segments_before = peer->facts.segments;
    out->own_fin = d->fin_seen;
    out->peer_fin = peer->fin_seen;
}

size_t tcp_resets_size(uint8_t capacity)
{
    return sizeof(struct tcp_resets) + capacity * sizeof(struct reset_record);
}

void tcp_release_resets(struct tcp_flow *tcp, struct tcp_env *env)
{
    bool few = tcp->resets != NULL && tcp->resets->capacity == TCP_RESETS_FEW;
    pool_give(few ? env->resets_few : env->resets_full, tcp->resets);
    tcp->resets = NULL;
}

/* Room for one more, false when memory is out. */
static bool reserve(struct tcp_flow *tcp, struct tcp_env *env)
{
    struct tcp_resets *old = tcp->resets, *more;
    if (old != NULL && old->count < old->capacity)
        return true;
    more = pool_take_unset(old == NULL ? env->resets_few : env->resets_full);
    if (more == NULL)
        return false;
    more->count = 0;
    if (old != NULL) {
        memcpy(more, old, tcp_resets_size(old->count));
        tcp_release_resets(tcp, env);
    }
    more->capacity = old == NULL ? TCP_RESETS_FEW : RESETS_MAX;
    tcp->resets = more;
    return true;
}

RARE
static void keep_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                       const struct layers *l, struct tcp_env *env, enum reset_guess guess,
                       bool changed)
{
    uint32_t of_side = 0;
    for (uint8_t i = 0; tcp->resets != NULL && i < tcp->resets->count; i++)
        of_side += tcp->resets->at[i].side == side;
    if (of_side == RESETS_KEPT || !reserve(tcp, env))
        return;
    tcp->resets->sequence[tcp->resets->count] = l->tcp.sequence;
    struct reset_record *out = &tcp->resets->at[tcp->resets->count++];
    *out = (struct reset_record){.number = tcp->resets->count,
                                 .side = (uint8_t)side,
                                 .source_id = p->source_id,
                                 .frame = (int64_t)p->frame,
                                 .time_ns = p->time_ns,
                                 .with_ack = (l->tcp.flags & TCP_ACK) != 0,
                                 .payload_bytes = l->payload_len,
                                 .guess = (uint8_t)guess,
                                 .changed = changed};
    compare_header(&tcp->dir[side], l, out);
    compare_numbers(tcp, side, l, out);
    compare_times(tcp, side, p, out);
}

/* RFC 9293 3.10.7.3: who waits for the answer to a SYN drops a RST that does not acknowledge it, and
 * goes on waiting. A client that went on had its SYN-ACK, whether or not the capture has it. */
static bool answers_syn(const struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    const struct tcp_direction *peer = &tcp->dir[!side];
    if (side != SIDE_SERVER || tcp->synack_seen || tcp->facts.syn_count == 0 ||
        (tcp->dir[side].letters & ~HISTORY_BIT('r')) != 0 || peer->acknowledged_any)
        return false;
    int64_t ack = tcp_offset(peer, l->tcp.acknowledgment);
    return (l->tcp.flags & TCP_ACK) != 0 && ack > 0 && ack <= peer->next;
}

static void note_first_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                             const struct layers *l, enum reset_guess guess)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    struct tcp_side_facts *f = &d->facts;
    f->rst_ns = p->time_ns;
    f->rst_frame = (int64_t)p->frame;
    f->rst_ttl = l->ttl;
    f->rst_with_ack = (l->tcp.flags & TCP_ACK) != 0;
    f->rst_with_payload = l->payload_len > 0;
    f->rst_delay_ns = peer->facts.last_ns >= 0 ? p->time_ns - peer->facts.last_ns : RECORD_NONE_NS;
    f->rst_sequence_offset =
        d->base_known && !fits_stack(guess, l) ? tcp_offset(d, l->tcp.sequence) - d->next : 0;
}

void tcp_note_reset(struct tcp_flow *tcp, struct flow *flow, enum side side, const struct packet *p,
                    const struct layers *l, struct tcp_env *env)
{
    struct tcp_direction *d = &tcp->dir[side];
    enum reset_guess guess = guess_of(tcp, side, l);
    (void)flow;
    bool changed = d->facts.rst_count > 0 && resets_disagree(tcp, side, guess, l);
    if (d->facts.rst_count == 0)
        note_first_reset(tcp, side, p, l, guess);
    tcp->facts.rst_to_syn |= answers_syn(tcp, side, l);
    d->facts.rst_ack_changed |= changed;
    keep_reset(tcp, side, p, l, env, guess, changed);
    bool with_ack = (l->tcp.flags & TCP_ACK) != 0;
    d->rst_kinds |= (uint8_t)(1u << with_ack);
    d->rst_kind_sequence[with_ack] = l->tcp.sequence;
    d->rst_kind_acknowledgment[with_ack] = l->tcp.acknowledgment;
    d->facts.rst_count++;
}

/* ---- after it -------------------------------------------------------------------------------- */

/* Whether a packet was sent behind that RST: it goes on from there, or sends again what the RST had
 * given up, at a time when it cannot have been overtaken. */
static bool is_later(const struct packet *p, const struct layers *l, uint32_t rst_sequence,
                     int64_t rst_ns)
{
    int64_t later_ns = p->time_ns - rst_ns;
    if ((int32_t)(l->tcp.sequence - rst_sequence) >= 0)
        return later_ns >= REORDER_NS;
    return later_ns >= SENT_LATER_NS && l->payload_len > 1 && (l->tcp.flags & TCP_RST) == 0;
}

RARE
static void note_later(struct tcp_resets *resets, enum side side, const struct packet *p,
                       const struct layers *l)
{
    for (uint8_t i = 0; i < resets->count; i++) {
        struct reset_record *r = &resets->at[i];
        if (r->side != side || !is_later(p, l, resets->sequence[i], r->time_ns))
            continue;
        r->later_packets++;
        r->later_bytes += l->payload_len;
    }
}

void tcp_note_after_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                          const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    if ((l->tcp.flags & TCP_SYN) != 0 || !d->base_known || d->reset_is_past)
        return;
    if (tcp->resets != NULL)
        note_later(tcp->resets, side, p, l);
    if (is_later(p, l, d->rst_sequence, d->facts.rst_ns))
        d->facts.data_after_rst = true;
}

void tcp_flip_resets(struct tcp_flow *tcp)
{
    for (uint8_t i = 0; tcp->resets != NULL && i < tcp->resets->count; i++)
        tcp->resets->at[i].side = !tcp->resets->at[i].side;
}

const struct reset_record *tcp_resets(struct tcp_flow *tcp, const struct flow *flow, size_t *count)
{
    *count = 0;
    if (tcp->resets == NULL || (tcp->facts.rst_to_syn && tcp->resets->count == 1))
        return NULL;
    for (uint8_t i = 0; i < tcp->resets->count; i++)
        tcp->resets->at[i].flow_id = flow->id;
    *count = tcp->resets->count;
    return tcp->resets->at;
}
