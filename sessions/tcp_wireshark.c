#include "sessions/tcp_wireshark.h"
#include "core/hints.h"

#define MS 1000000LL
/* Wireshark's own: a fast retransmission follows its acknowledgment within FAST_NS; without a
 * handshake seen, a late segment follows within LATE_NS. */
#define FAST_NS (20 * MS)
#define LATE_NS (3 * MS)

#define SCALE_UNKNOWN (-1)
#define SCALE_NONE (-2) /* one of the SYNs did not offer it */

enum {
    ZERO_WINDOW_PROBE = 1 << 0,
    ZERO_WINDOW = 1 << 1,
    LOST_SEGMENT = 1 << 2,
    KEEP_ALIVE = 1 << 3,
    WINDOW_FULL = 1 << 4,
    ACK_OF_PROBE = 1 << 5, /* of a keep-alive or of a zero-window probe */
    DUPLICATE_ACK = 1 << 6,
    ACK_LOST_SEGMENT = 1 << 7,
    SPURIOUS = 1 << 8,
    FAST = 1 << 9,
    OUT_OF_ORDER = 1 << 10,
    RETRANSMISSION = 1 << 11
};

struct segment {
    int64_t time_ns;
    uint32_t sequence, acknowledgment, len;
    uint32_t window, tcp_flags;
};

static bool has(const struct segment *s, uint32_t tcp_flags)
{
    return (s->tcp_flags & tcp_flags) != 0;
}

static bool is_plain(const struct segment *s)
{
    return !has(s, TCP_SYN | TCP_FIN | TCP_RST);
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* In time and not earlier: a clock that steps back is never "soon". */
static bool is_within(int64_t from_ns, int64_t to_ns, int64_t limit_ns)
{
    return to_ns >= from_ns && to_ns - from_ns < limit_ns;
}

void wireshark_init(struct wireshark_flow *w)
{
    w->side[0].scale = w->side[1].scale = SCALE_UNKNOWN;
    w->side[0].window = w->side[1].window = UINT32_MAX;
}

static bool fills_window(const struct wireshark_side *peer, const struct segment *s)
{
    bool scaled = !peer->window_in_syn && peer->scale > 0;
    uint32_t window = peer->window << (scaled ? peer->scale : 0);
    return is_plain(s) && s->len > 0 && peer->scale != SCALE_UNKNOWN &&
           s->sequence + s->len == peer->ack + window;
}

/* The last packet of the peer was a probe and this one repeats what was said before it. */
static bool answers_probe(const struct wireshark_side *peer, const struct segment *s)
{
    uint16_t probe = s->window == 0 ? ZERO_WINDOW_PROBE : KEEP_ALIVE;
    return (peer->flags & probe) != 0;
}

/* Sequence numbers, windows, and acknowledgments without progress. */
static uint16_t flag_order(struct wireshark_side *own, const struct wireshark_side *peer,
                           const struct segment *s)
{
    uint16_t flags = 0;
    if (s->len == 1 && s->sequence == own->next && peer->window == 0)
        return ZERO_WINDOW_PROBE;
    if (s->window == 0 && is_plain(s))
        flags |= ZERO_WINDOW;
    if (own->next != 0 && is_before(own->next, s->sequence) && !has(s, TCP_RST))
        flags |= LOST_SEGMENT;
    if (s->len <= 1 && s->sequence == own->next - 1 && is_plain(s))
        flags |= KEEP_ALIVE;
    if (fills_window(peer, s))
        flags |= WINDOW_FULL;
    bool repeats = is_plain(s) && s->len == 0 && s->window == own->window &&
                   s->sequence == own->next && s->acknowledgment == own->ack;
    if (repeats && answers_probe(peer, s))
        return flags | ACK_OF_PROBE;
    if (repeats && s->window != 0) {
        own->duplicates = own->duplicates < 0 ? 1 : own->duplicates + 1;
        flags |= DUPLICATE_ACK;
    }
    return flags;
}

/* Bytes acknowledged that never came by: told once for each stretch. */
static uint16_t flag_unseen(struct wireshark_side *peer, const struct segment *s)
{
    if (!has(s, TCP_ACK) || peer->contiguous == 0 || !is_before(peer->contiguous, s->acknowledgment))
        return 0;
    if (is_before(peer->contiguous, peer->next)) {
        peer->contiguous = peer->next;
        return ACK_LOST_SEGMENT;
    }
    bool first = peer->duplicates == 0;
    peer->duplicates = -1;
    return first ? ACK_LOST_SEGMENT : 0;
}

/* A segment that does not go on where its side stood. */
static uint16_t flag_repeat(const struct wireshark_flow *w, const struct wireshark_side *own,
                            const struct wireshark_side *peer, const struct segment *s)
{
    uint32_t end = s->sequence + s->len;
    if (s->len > 0 && peer->ack != 0 && !is_before(peer->ack, end))
        return SPURIOUS;
    bool probe_grown = s->len > 1 && own->next - 1 == s->sequence;
    if (own->next == 0 || !is_before(s->sequence, own->next) || probe_grown)
        return 0;
    if (peer->duplicates >= 2 && peer->ack == s->sequence &&
        is_within(peer->last_ns, s->time_ns, FAST_NS))
        return FAST;
    bool closes = own->next == end + has(s, TCP_SYN | TCP_FIN);
    if (!closes && is_within(own->next_ns, s->time_ns, w->rtt_ns > 0 ? w->rtt_ns : LATE_NS))
        return OUT_OF_ORDER;
    return RETRANSMISSION;
}

/* RFC 7323 1.3: no scaling unless both SYNs offer it. */
APART
static void note_scale(struct wireshark_side *own, struct wireshark_side *peer,
                       const struct segment *s, const struct layers *l)
{
    if (l->tcp.window_scale < 0)
        own->scale = peer->scale = SCALE_NONE;
    else if (!has(s, TCP_ACK) || peer->scale != SCALE_NONE)
        own->scale = (int8_t)(l->tcp.window_scale > 14 ? 14 : l->tcp.window_scale);
    else
        own->scale = SCALE_NONE;
}

static void remember(struct wireshark_side *own, const struct segment *s, uint16_t flags)
{
    uint32_t flag = has(s, TCP_SYN | TCP_FIN), next = s->sequence + s->len + flag;
    bool probe = (flags & ZERO_WINDOW_PROBE) != 0;
    if (!probe && !has(s, TCP_RST) && (own->next == 0 || is_before(own->next, next))) {
        own->next = next;
        own->next_ns = s->time_ns;
    }
    if (!probe && (own->contiguous == 0 || s->sequence == own->contiguous))
        own->contiguous = own->next;
    own->window = s->window;
    own->window_in_syn = has(s, TCP_SYN);
    own->ack = s->acknowledgment;
    own->last_ns = s->time_ns;
    own->flags = flags;
}

static void count(uint16_t flags, bool rst, struct wireshark_counts *counts)
{
    counts->reset += rst;
    if (flags == 0)
        return;
    counts->retransmission += (flags & (SPURIOUS | FAST | RETRANSMISSION)) != 0;
    counts->fast_retransmission += (flags & FAST) != 0;
    counts->spurious_retransmission += (flags & SPURIOUS) != 0;
    counts->out_of_order += (flags & OUT_OF_ORDER) != 0;
    counts->duplicate_ack += (flags & DUPLICATE_ACK) != 0;
    counts->zero_window += (flags & ZERO_WINDOW) != 0;
    counts->window_full += (flags & WINDOW_FULL) != 0;
    counts->keep_alive += (flags & KEEP_ALIVE) != 0;
    counts->lost_segment += (flags & LOST_SEGMENT) != 0;
    counts->ack_lost_segment += (flags & ACK_LOST_SEGMENT) != 0;
}

void wireshark_segment(struct wireshark_flow *w, enum side side, int64_t time_ns,
                       const struct layers *layers, struct wireshark_counts *counts)
{
    const struct tcp_header *tcp = &layers->tcp;
    struct wireshark_side *own = &w->side[side], *peer = &w->side[!side];
    struct segment s = {.time_ns = time_ns,
                        .sequence = tcp->sequence,
                        .acknowledgment = tcp->acknowledgment,
                        .len = layers->payload_len,
                        .window = tcp->window,
                        .tcp_flags = tcp->flags};
    uint16_t flags = flag_order(own, peer, &s);
    if (s.acknowledgment != own->ack)
        own->duplicates = 0;
    flags |= flag_unseen(peer, &s);
    if ((s.len > 0 || has(&s, TCP_SYN | TCP_FIN)) && (flags & KEEP_ALIVE) == 0)
        flags |= flag_repeat(w, own, peer, &s);
    remember(own, &s, flags);
    if (has(&s, TCP_SYN))
        note_scale(own, peer, &s, layers);
    if (has(&s, TCP_SYN) && !has(&s, TCP_ACK))
        w->syn_ns = time_ns;
    else if (!has(&s, TCP_SYN) && has(&s, TCP_ACK) && w->syn_ns != 0 && w->rtt_ns == 0)
        w->rtt_ns = time_ns - w->syn_ns;
    count(flags, has(&s, TCP_RST), counts);
}
