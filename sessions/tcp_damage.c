/* Segments whose checksum is wrong. Where the others of the same direction are right, one was damaged
 * on the way: its receiver drops it (RFC 9293 3.1), and so does the analysis. Where most are wrong, the
 * sums mean nothing (left to the interface, rewritten after the capture), and all is believed. */
#include "core/hints.h"
#include "sessions/tcp_internal.h"

/* Right segments of a direction for each wrong one, before a wrong one counts as damaged. */
#define RIGHT_PER_WRONG 3u
/* Without an announcement: what fits Ethernet. */
#define USUAL_MSS 1460u

/* Several segments that the capturing host joined carry the sum of none; smaller ones may be joined,
 * too. */
static bool is_joined(const struct tcp_direction *peer, const struct layers *l)
{
    return l->payload_len > (peer->facts.mss > USUAL_MSS ? peer->facts.mss : USUAL_MSS);
}

/* Acknowledgments may be right where what carries data is not: each is held against its like. */
static bool is_exception(const struct tcp_direction *d, uint64_t packets, const struct layers *l)
{
    uint64_t alike = l->payload_len > 0 ? d->facts.segments : packets;
    return alike > d->unproven + (uint64_t)RIGHT_PER_WRONG * d->facts.wrong_checksums;
}

/* Its place stays open for the right copy. Any other place than the next may itself be damaged. */
RARE
static void leave_place(struct tcp_direction *d, int64_t start, const struct packet *p,
                        const struct layers *l, struct tcp_env *env)
{
    int64_t end = start + l->payload_len;
    if (start < d->next && end <= d->next)
        tcp_note_tail(d, start, end, p, l); /* in vain once more */
    if (start != d->next || !tcp_add_hole(d, start, end, p, l, env))
        return;
    d->holes->at[d->holes->count - 1].damaged = true;
    tcp_advance(d, end, p->time_ns);
    tcp_note_sent(d, p->time_ns);
}

/* Without the other side's acknowledgments nothing tells whether it took the segment. */
bool tcp_refuse_damaged(struct tcp_flow *tcp, const struct flow *flow, enum side side,
                        const struct packet *p, const struct layers *l, struct tcp_env *env,
                        struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side];
    d->unproven++;
    if (!tcp_is_wrong(l))
        return false;
    d->facts.wrong_checksums++;
    d->sums_lie |= is_joined(&tcp->dir[!side], l);
    if (d->sums_lie || !tcp->dir[!side].acknowledged_any ||
        !is_exception(d, flow->side[side].packets, l))
        return false;
    int64_t start = tcp_offset(d, l->tcp.sequence);
    out->event = EVENT_DAMAGED;
    out->sequence = (uint32_t)start;
    tcp_note_scaled(tcp, side, 'c');
    d->facts.last_ns = tcp->last_packet_ns = p->time_ns;
    if (l->payload_len > 0) {
        tcp_remember(tcp, side, p, l, env);
        leave_place(d, start, p, l, env);
    }
    return true;
}
