/* Why bytes were sent again: repeated acknowledgments, a probe of the tail, the timer, or for
 * nothing. RFC 5681 3.2, RFC 6298, RFC 8985 7.2, RFC 2883. */
#include "core/hints.h"
#include "sessions/tcp_internal.h"

#define MS 1000000LL
/* No stack's retransmission timer is shorter (Linux 200 ms, RFC 6298 2.4 1 s), less jitter. */
#define TIMER_LEAST_NS (190 * MS)
/* What a sender that answers acknowledgments at once needs besides the round trip. */
#define REACTION_NS (20 * MS)
#define RTT_UNKNOWN_NS (100 * MS)

/* Between both ends, by the shortest ways seen to both. */
static int64_t round_trip(const struct tcp_flow *tcp)
{
    bool known = tcp->rtt_min_ns[0] >= 0 && tcp->rtt_min_ns[1] >= 0;
    return known ? tcp->rtt_min_ns[0] + tcp->rtt_min_ns[1] : RTT_UNKNOWN_NS;
}

enum event_note tcp_classify_again(struct tcp_flow *tcp, enum side side, int64_t start, int64_t end,
                                   int64_t now_ns)
{
    struct tcp_direction *d = &tcp->dir[side];
    int64_t rtt = round_trip(tcp);
    bool answers = d->ack_ns > 0 && now_ns - d->ack_ns < rtt + rtt / 4 + REACTION_NS;
    int64_t quiet = now_ns - (d->ack_ns > d->previous_sent_ns ? d->ack_ns : d->previous_sent_ns);
    bool first_try = d->facts.tail_retransmissions == 0;
    bool asked = d->ack_repeats >= 2 || d->sacked;
    if (answers && (asked || start < d->recovery_end) && start >= d->timeout_end) {
        d->recovery_end = d->next;
        return NOTE_FAST;
    }
    if (end == d->next && first_try && !asked && quiet * 2 >= rtt * 3 &&
        quiet < TIMER_LEAST_NS + (start > d->acked ? rtt : 0))
        return NOTE_TAIL_PROBE;
    if (quiet >= TIMER_LEAST_NS || (answers && start < d->timeout_end)) {
        d->timeout_end = d->next;
        return NOTE_TIMEOUT;
    }
    return NOTE_UNCLEAR;
}

void tcp_count_again(struct tcp_side_facts *facts, enum event_note note)
{
    facts->fast_retransmissions += note == NOTE_FAST;
    facts->timeout_retransmissions += note == NOTE_TIMEOUT;
    facts->tail_probes += note == NOTE_TAIL_PROBE;
}

void tcp_note_pending(struct tcp_direction *d, int64_t end, bool fills, const struct packet *p,
                      const struct layers *l)
{
    if (d->pending_losses++ == 0) {
        d->again_ns = p->time_ns;
        d->again_timestamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0;
        d->again_end = end;
    }
    if (fills)
        d->again_ns = RECORD_NONE_NS;
    d->again_last = end;
}

/* RFC 3522: the acknowledgment echoes the time of the first sending, or comes sooner than one of the
 * second could. */
RARE
static bool is_of_first_sending(const struct tcp_direction *d, int64_t rtt_ns,
                                const struct packet *p, const struct layers *l)
{
    if (d->again_timestamp != 0 && l->tcp.has_timestamp && l->tcp.timestamp_echo != 0)
        return (int32_t)(l->tcp.timestamp_echo - d->again_timestamp) < 0;
    return rtt_ns > MS && p->time_ns - d->again_ns < rtt_ns / 2;
}

void tcp_settle_pending(struct tcp_direction *d, int64_t ack, int64_t rtt_ns,
                        const struct packet *p, const struct layers *l)
{
    uint32_t pending = d->pending_losses;
    if (pending == 0 || ack < d->again_end)
        return;
    if (d->again_ns >= 0 && is_of_first_sending(d, rtt_ns, p, l)) {
        uint32_t needless = ack >= d->again_last ? pending : 1;
        d->facts.needless_retransmissions += needless;
        d->needless_known += needless;
        pending -= needless;
    }
    d->facts.recovered_losses += pending;
    d->pending_losses = 0;
}

/* RFC 2883 4: the receiver had those bytes already. More of them than were sent again are copies
 * made on the way. */
RARE
static void note_needless(struct tcp_direction *d)
{
    struct tcp_side_facts *f = &d->facts;
    if (d->needless_known > 0) {
        d->needless_known--;
        return;
    }
    if (f->needless_retransmissions >= d->retransmissions)
        return;
    f->needless_retransmissions++;
    if (f->needless_retransmissions <= f->spurious_retransmissions)
        return; /* never counted as a loss */
    if (f->recovered_losses > 0)
        f->recovered_losses--;
    else if (d->pending_losses > 0)
        d->pending_losses--;
}

void tcp_note_sack(struct tcp_direction *d, const struct layers *l)
{
    const uint32_t *block = l->tcp.sack;
    bool below = (int32_t)(block[1] - l->tcp.acknowledgment) <= 0;
    bool inside = l->tcp.sack_count > 1 && (int32_t)(block[0] - block[2]) >= 0 &&
                  (int32_t)(block[3] - block[1]) >= 0;
    if (below || inside)
        note_needless(d);
    if ((!below && !inside) || l->tcp.sack_count > 1)
        d->sacked = true;
}
