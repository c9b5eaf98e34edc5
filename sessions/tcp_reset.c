#include "sessions/tcp_internal.h"

/* Reordering near the end of a connection is over within this. */
#define REORDER_NS 3000000LL

/* RFC 9293 3.10.7.1: a bare RST takes its sequence from the acknowledgment of the segment it
 * answers, which may have left before the peer's last one. */
static bool answers_segment(const struct tcp_direction *peer, const struct layers *l)
{
    return peer->acknowledged_any && (l->tcp.sequence == peer->acknowledgment ||
                                      l->tcp.sequence == peer->acknowledgment_before);
}

static void note_first_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                             const struct layers *l)
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
        d->base_known && !answers_segment(peer, l) && l->tcp.sequence != 0 && d->seen
            ? tcp_offset(d, l->tcp.sequence) - d->next
            : 0;
    if (side == SIDE_SERVER && !tcp->synack_seen && tcp->facts.syn_count > 0 && !d->seen)
        tcp->facts.rst_to_syn = true;
}

/* Several resets of one stack agree: those with ACK repeat themselves, bare ones follow the
 * acknowledgments that they answer. */
static bool resets_disagree(const struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    bool with_ack = (l->tcp.flags & TCP_ACK) != 0;
    if ((d->rst_kinds & 1u << with_ack) == 0)
        return false;
    if (l->tcp.sequence != d->rst_kind_sequence[with_ack])
        return with_ack || !answers_segment(peer, l);
    return with_ack && l->tcp.acknowledgment != d->rst_kind_acknowledgment[with_ack] &&
           peer->facts.last_ns <= d->facts.rst_ns;
}

void tcp_note_reset(struct tcp_flow *tcp, struct flow *flow, enum side side, const struct packet *p,
                    const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    (void)flow;
    if (d->facts.rst_count == 0)
        note_first_reset(tcp, side, p, l);
    else if (resets_disagree(tcp, side, l))
        d->facts.rst_ack_changed = true;
    bool with_ack = (l->tcp.flags & TCP_ACK) != 0;
    d->rst_kinds |= (uint8_t)(1u << with_ack);
    d->rst_kind_sequence[with_ack] = l->tcp.sequence;
    d->rst_kind_acknowledgment[with_ack] = l->tcp.acknowledgment;
    d->facts.rst_count++;
}

void tcp_note_after_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                          const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    if ((l->tcp.flags & TCP_SYN) != 0 || !d->base_known || d->reset_is_past)
        return;
    if (p->time_ns - d->facts.rst_ns < REORDER_NS)
        return;
    if ((int32_t)(l->tcp.sequence - d->rst_sequence) >= 0)
        d->facts.data_after_rst = true;
}
