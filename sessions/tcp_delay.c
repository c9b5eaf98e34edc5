#include "sessions/tcp_delay.h"
#include "core/hints.h"

#include <string.h>

#define MS 1000000LL
#define SECOND 1000000000LL
/* Delayed acknowledgments: 40 ms (Linux), 200 ms (Windows, BSD), with their timers' inexactness. */
#define STALL_LOW_NS (30 * MS)
#define STALL_HIGH_NS (60 * MS)
#define STALL_LONG_LOW_NS (180 * MS)
#define STALL_LONG_HIGH_NS (230 * MS)
/* What waited for the acknowledgment leaves at once when it comes. */
#define STALL_RELEASE_NS (10 * MS)
/* A stack acknowledges by then, whatever its application does (RFC 9293 3.8.6.3: within 500 ms). */
#define ACKED_AT_ONCE_NS (250 * MS)
/* Session tickets of TLS 1.3 (RFC 8446 4.6.1) leave right behind the client's Finished; two with a
 * client certificate in them take about this much. */
#define TICKET_BYTES 2400u
#define TICKET_NS (50 * MS)
/* A client reads a small answer and goes on, or leaves, within this. */
#define HELD_GAP_NS SECOND
/* The largest segment of an Ethernet: larger ones in a capture are several in one. */
#define MSS_MOST 1460u
/* Longer than a sender's retransmission timer on any usual way: it had nothing to send. */
#define PAUSE_NS SECOND

void tcp_delay_init(struct tcp_delay *delay, const struct tcp_flow *tcp, const struct flow *flow)
{
    memset(delay, 0, sizeof *delay);
    struct flow_delay_record *r = &delay->record;
    r->tls_hello_wait_ns = r->tls_finish_wait_ns = r->answer_max_ns = RECORD_NONE_NS;
    r->window_sender = SIDE_NONE;
    delay->last_ns = delay->interval_ns = delay->first_ns = flow->first_ns;
    delay->ack_ns = delay->held_ns = RECORD_NONE_NS;
    delay->interval_rtt_ns[0] = delay->interval_rtt_ns[1] = RECORD_NONE_NS;
    delay->last_side = SIDE_NONE;
    if (tcp->facts.syn_count > 1 && tcp->facts.syn_last_ns > flow->first_ns) {
        r->term_ns[DELAY_SYN_BACKOFF] = tcp->facts.syn_last_ns - flow->first_ns;
        delay->last_ns = tcp->facts.syn_last_ns;
    }
    delay->connected = tcp->facts.syn_count == 0 && !tcp->synack_seen;
}

static int64_t leg(const struct tcp_flow *tcp, enum side side)
{
    return tcp->rtt_min_ns[side] > 0 ? tcp->rtt_min_ns[side] : 0;
}

static int64_t without(int64_t total, int64_t part)
{
    return total > part ? total - part : 0;
}

static void add_rtt(struct tcp_delay *d, enum side side, int64_t rtt_ns)
{
    if (rtt_ns < 0)
        return;
    rtt_facts_add(&d->record.rtt[side], rtt_ns);
    if (d->interval_rtt_ns[side] < 0 || rtt_ns < d->interval_rtt_ns[side])
        d->interval_rtt_ns[side] = rtt_ns;
    d->interval_count[side]++;
}

/* ---- the terms ------------------------------------------------------------------------------- */

/* Nagle's sender had more, and waited until the receiver's timer let the acknowledgment go. */
static int64_t ack_stall(const struct tcp_delay *d, const struct tcp_flow *tcp, enum side side,
                         int64_t total)
{
    if (d->ack_ns < 0 || d->last_len >= d->rtt[side].largest + (d->rtt[side].largest == 0) ||
        total - d->ack_ns > leg(tcp, side) + STALL_RELEASE_NS)
        return 0;
    int64_t stall = d->ack_ns - leg(tcp, !side);
    bool usual = (stall >= STALL_LOW_NS && stall <= STALL_HIGH_NS) ||
                 (stall >= STALL_LONG_LOW_NS && stall <= STALL_LONG_HIGH_NS);
    return usual ? stall : 0;
}

static void note_answer(struct tcp_delay *d, int64_t wait, int64_t began_ns, int64_t frame)
{
    struct flow_delay_record *r = &d->record;
    r->answers++;
    r->answer_sum_ns += wait;
    d->turn.wait_ns = wait;
    d->turn.frame = frame;
    if (wait > r->answer_max_ns) {
        r->answer_max_ns = wait;
        r->answer_start_ns = began_ns;
        r->answer_frame = frame;
        r->answer_asked = d->asked;
    }
}

static void note_tls_wait(struct tcp_delay *d, int64_t wait, int64_t rtt)
{
    int64_t *slot = d->tls_answered ? &d->record.tls_finish_wait_ns : &d->record.tls_hello_wait_ns;
    bool at_once = d->ack_ns >= 0 && d->ack_ns <= ACKED_AT_ONCE_NS + rtt;
    if (at_once && wait > *slot)
        *slot = wait;
}

static void note_client_step(struct tcp_delay *d, const struct tcp_flow *tcp, int64_t total,
                             enum delay_step step)
{
    int64_t pause = without(total, leg(tcp, SIDE_CLIENT));
    if (pause > d->record.pause_ns) {
        d->record.pause_ns = pause;
        d->record.pause_step = (uint8_t)step;
    }
}

/* The server's turn, `total` long. */
APART
static void give_server(struct tcp_delay *d, const struct tcp_flow *tcp, int64_t total)
{
    int64_t rtt = leg(tcp, SIDE_SERVER);
    int64_t way = total < rtt ? total : rtt;
    if (d->tls_open) {
        d->record.term_ns[DELAY_TLS_SERVER] += total;
        return;
    }
    d->record.term_ns[DELAY_ROUND_TRIP] += way;
    d->record.term_ns[DELAY_SERVER] += total - way;
}

/* What could have been tickets was followed by the client's word or the end: it was the server's
 * turn up to there. Returns how much of total that is. */
RARE
static int64_t give_held(struct tcp_delay *d, const struct tcp_flow *tcp, int64_t total)
{
    int64_t held = d->held_ns < total ? d->held_ns : total;
    give_server(d, tcp, held);
    d->last_side = SIDE_SERVER;
    return held;
}

/* Whose turn the time since the last data was, by who sent it and who has gone on now. */
static enum delay_term term_of(const struct tcp_delay *d, enum side side)
{
    if (d->tls_open)
        return side == SIDE_SERVER ? DELAY_TLS_SERVER : DELAY_TLS_CLIENT;
    if (side == SIDE_CLIENT)
        return d->last_side == SIDE_CLIENT && !d->tls_ended ? DELAY_UPLOAD : DELAY_CLIENT;
    return DELAY_DOWNLOAD;
}

static void clear_pending(struct tcp_delay *d)
{
    d->pending_ns = d->closed_ns[0] = d->closed_ns[1] = 0;
    d->ack_ns = d->held_ns = RECORD_NONE_NS;
}

/* Data of `side` ends the pending time. */
static void end_turn(struct tcp_delay *d, const struct tcp_flow *tcp, enum side side,
                     const struct tcp_delay_input *in)
{
    int64_t *term = d->record.term_ns, total = d->pending_ns;
    int64_t closed = d->closed_ns[!side] < total ? d->closed_ns[!side] : total;
    term[DELAY_ZERO_WINDOW] += closed;
    total -= closed;
    if (d->held_ns >= 0 && side == SIDE_CLIENT)
        total -= give_held(d, tcp, total);
    bool servers = side == SIDE_SERVER && d->last_side != SIDE_SERVER;
    if (servers && d->last_side == SIDE_CLIENT && d->tls_open)
        note_tls_wait(d, without(total, leg(tcp, SIDE_SERVER)), leg(tcp, SIDE_SERVER));
    else if (servers && d->last_side == SIDE_CLIENT)
        note_answer(d, without(total, leg(tcp, SIDE_SERVER)), d->last_ns - d->pending_ns,
                    (int64_t)in->packet->frame);
    if (d->last_side == SIDE_NONE && side == SIDE_CLIENT && d->connected && tcp->synack_seen)
        note_client_step(d, tcp, total, DELAY_STEP_CONNECT);
    if (d->last_side == SIDE_SERVER && side == SIDE_CLIENT && d->tls_open)
        note_client_step(d, tcp, total, DELAY_STEP_TLS);
    if (servers) {
        give_server(d, tcp, total);
    } else {
        int64_t stall = side == d->last_side ? ack_stall(d, tcp, side, total) : 0;
        term[DELAY_ACK_STALL] += stall;
        term[term_of(d, side)] += total - stall;
    }
    clear_pending(d);
    d->tls_ended = false;
}

/* ---- exchanges ------------------------------------------------------------------------------- */

APART
static void end_answer(struct tcp_delay *d)
{
    if (d->turn.start_ns != 0 && d->turn.wait_ns >= 0)
        d->ended = d->turn;
    d->turn.start_ns = 0;
}

/* Small segments behind a request, right after the handshake, could be session tickets. The client that goes
 * on or leaves soon had its answer: the last of them ended it. One that waits on may have got none. */
static void settle_held(struct tcp_delay *d, const struct tcp_flow *tcp)
{
    if (d->held_ns < 0 || d->turn.start_ns == 0 || d->turn.wait_ns >= 0 ||
        d->pending_ns - d->held_ns > HELD_GAP_NS)
        return;
    d->turn.wait_ns = without(d->held_ns, leg(tcp, SIDE_SERVER));
    d->turn.total_ns = d->held_at_ns - d->turn.start_ns;
    d->turn.answered = d->held_len;
    d->turn.frame = d->held_frame;
}

/* Before the segment is counted. */
static void note_exchange(struct tcp_delay *d, const struct tcp_flow *tcp, enum side side,
                          const struct tcp_delay_input *in)
{
    int64_t now = in->packet->time_ns, len = in->layers->payload_len;
    if (side == SIDE_CLIENT && (d->last_side != SIDE_CLIENT || d->tls_ended || d->held_ns >= 0)) {
        settle_held(d, tcp);
        end_answer(d);
        d->turn = (struct turn_record){.start_ns = d->tls_open ? 0 : now, .wait_ns = RECORD_NONE_NS};
    }
    if (side == SIDE_CLIENT)
        d->turn.asked += len;
    if (side == SIDE_SERVER && d->turn.start_ns != 0) {
        d->turn.answered += len;
        d->turn.total_ns = now - d->turn.start_ns;
    }
}

bool tcp_delay_turn(struct tcp_delay *d, struct turn_record *out)
{
    if (d->ended.start_ns == 0)
        return false;
    *out = d->ended;
    d->ended.start_ns = 0;
    return true;
}

/* A FIN or RST ends what was waited for; behind it only closing is left. */
static void end_waiting(struct tcp_delay *d, const struct tcp_flow *tcp)
{
    int64_t total = d->pending_ns;
    settle_held(d, tcp);
    if (d->held_ns >= 0)
        total -= give_held(d, tcp, total);
    if (d->last_side == SIDE_CLIENT && !d->tls_ended)
        give_server(d, tcp, total);
    else
        d->record.term_ns[d->tls_open ? DELAY_TLS_CLIENT : DELAY_CLIENT] += total;
    clear_pending(d);
}

/* ---- packets --------------------------------------------------------------------------------- */

/* Up to the packet that establishes the connection. */
APART
static void note_opening(struct tcp_delay *d, const struct tcp_flow *tcp,
                         const struct tcp_delay_input *in, int64_t gap)
{
    uint16_t flags = in->layers->tcp.flags;
    bool again = (flags & TCP_SYN) != 0 &&
                 ((flags & TCP_ACK) != 0 ? tcp->facts.synack_count > 1 : tcp->facts.syn_count > 1);
    enum delay_term term = again                                      ? DELAY_SYN_BACKOFF
                           : in->side == SIDE_SERVER                  ? DELAY_CONNECT_SERVER
                           : tcp->synack_seen                         ? DELAY_CONNECT_CLIENT
                                                                      : DELAY_CONNECT_SERVER;
    d->record.term_ns[term] += gap;
    if ((flags & TCP_SYN) == 0)
        d->connected = true;
}

/* RFC 8446 4.6.1: small segments of the server right behind the client's Finished. */
static bool may_be_ticket(struct tcp_delay *d, const struct tcp_flow *tcp,
                          const struct tcp_delay_input *in)
{
    if (d->tickets == 0 || in->side != SIDE_SERVER || !in->tls_13 || d->tls_open ||
        d->last_side != SIDE_CLIENT)
        return false;
    bool fits = in->layers->payload_len <= d->tickets &&
                d->pending_ns <= leg(tcp, SIDE_SERVER) + TICKET_NS;
    d->tickets = fits ? d->tickets - in->layers->payload_len : 0;
    return fits;
}

/* New data of the client's turn: how long it has been feeding its request, and in what crumbs. */
APART
static void note_turn(struct tcp_delay *d, uint32_t len)
{
    struct flow_delay_record *r = &d->record;
    if (d->last_side != SIDE_CLIENT) {
        d->asked = 0;
        d->turn_ns = d->turn_last_ns = d->last_ns;
        d->turn_first = len;
        d->turn_segments = d->turn_pauses = 0;
    } else {
        d->turn_segments++;
        d->turn_pauses += d->last_ns - d->turn_last_ns >= PAUSE_NS;
        d->turn_last_ns = d->last_ns;
    }
    d->asked += len;
    if (d->last_ns - d->turn_ns > r->fed_ns) {
        r->fed_ns = d->last_ns - d->turn_ns;
        r->fed_bytes = d->asked - d->turn_first;
        r->fed_segments = d->turn_segments;
        r->fed_pauses = d->turn_pauses;
    }
}

/* RFC 8446 D.4: ChangeCipherSpec alone says nothing. A client that sends it at once, and its Finished when it has
 * checked the certificates, has not taken its turn yet. */
static bool is_idle_ccs(struct tcp_delay *d, const struct tcp_delay_input *in)
{
    static const uint8_t record[] = {20, 3, 3, 0, 1, 1};
    const struct layers *l = in->layers;
    uint32_t left = (uint32_t)sizeof record - d->idle_bytes;
    bool fits = d->tls_open && in->side == SIDE_CLIENT && l->payload_len <= left &&
                l->payload_caplen == l->payload_len &&
                memcmp(l->payload, record + d->idle_bytes, l->payload_len) == 0;
    d->idle_bytes = fits ? (uint8_t)(d->idle_bytes + l->payload_len) : 0;
    return fits;
}

static struct tcp_window_way way_of(const struct tcp_delay *d, const struct tcp_flow *tcp,
                                    const struct tcp_delay_input *in, enum side sender)
{
    uint32_t largest = d->rtt[sender].largest;
    const struct tcp_header *l = &in->layers->tcp;
    return (struct tcp_window_way){
        .now_ns = in->packet->time_ns,
        .frame = (int64_t)in->packet->frame,
        .mss = largest < MSS_MOST ? largest : MSS_MOST,
        .sender_ns = tcp->rtt_min_ns[sender] > 0 ? tcp->rtt_min_ns[sender] : RECORD_NONE_NS,
        .whole_ns = leg(tcp, SIDE_CLIENT) + leg(tcp, SIDE_SERVER),
        .timestamp = in->side == sender ? l->timestamp_echo : l->timestamp_value,
        .stamped = l->has_timestamp};
}

static void note_payload(struct tcp_delay *d, const struct tcp_flow *tcp,
                         const struct tcp_delay_input *in)
{
    enum side side = in->side;
    d->interval_bytes += in->layers->payload_len;
    if (in->verdict->event == EVENT_RETRANSMISSION) {
        d->record.term_ns[DELAY_RETRANSMISSION] += d->pending_ns;
        clear_pending(d);
        d->interval_retransmissions++;
        tcp_rtt_sent_again(&d->rtt[side], in->layers);
        if (d->last_side == SIDE_NONE)
            d->last_side = (uint8_t)side;
        return;
    }
    int64_t end = in->verdict->payload_offset + in->layers->payload_len;
    tcp_rtt_sent(&d->rtt[side], end, in->packet, in->layers);
    if (d->window[side].watching) {
        struct tcp_window_way way = way_of(d, tcp, in, side);
        tcp_window_sent(&d->window[side], &way, end);
    }
    if (is_idle_ccs(d, in))
        return;
    if (may_be_ticket(d, tcp, in)) {
        d->held_ns = d->pending_ns;
        d->held_at_ns = in->packet->time_ns;
        d->held_frame = (int64_t)in->packet->frame;
        d->held_len = in->layers->payload_len;
        return;
    }
    note_exchange(d, tcp, side, in);
    end_turn(d, tcp, side, in);
    if (side == SIDE_CLIENT)
        note_turn(d, in->layers->payload_len);
    d->last_side = (uint8_t)side;
    d->last_len = in->layers->payload_len;
    if (d->tls_open && side == SIDE_SERVER)
        d->tls_answered = true;
}

static void note_handshake_rtt(struct tcp_delay *d, const struct tcp_flow *tcp,
                               const struct layers *l)
{
    if (!d->counted_server && tcp->synack_seen) {
        d->counted_server = true;
        int64_t rtt = tcp->synack_rtt_ns;
        /* Several SYNs: timestamps tell whether the last one is answered. A second apart, even the
         * slowest clock of RFC 7323 5.4 ticked between them. */
        if (rtt < 0 && tcp->facts.syn_count > 1 && l->tcp.has_timestamp &&
            l->tcp.timestamp_echo != 0 &&
            l->tcp.timestamp_echo == tcp->dir[SIDE_CLIENT].timestamp &&
            tcp->facts.syn_last_ns - tcp->syn_first_ns >= SECOND &&
            tcp->facts.synack_first_ns >= tcp->facts.syn_last_ns)
            rtt = tcp->facts.synack_first_ns - tcp->facts.syn_last_ns;
        add_rtt(d, SIDE_SERVER, rtt);
    }
    if (!d->counted_client && tcp->facts.established_ns >= 0) {
        d->counted_client = true;
        add_rtt(d, SIDE_CLIENT, tcp->ack_rtt_ns);
    }
}

/* An acknowledgment by `side` of the peer's data: a round trip, and a window. */
static void note_ack(struct tcp_delay *d, const struct tcp_flow *tcp,
                     const struct tcp_delay_input *in)
{
    enum side side = in->side, sender = !side;
    const struct tcp_direction *own = &tcp->dir[side], *other = &tcp->dir[sender];
    struct tcp_rtt *rtt = &d->rtt[sender];
    if (rtt->largest > 0 && own->scale >= 0) {
        struct tcp_window_way way = way_of(d, tcp, in, sender);
        int64_t gained = other->acked > rtt->acked ? other->acked - rtt->acked : 0;
        tcp_window_announced(&d->window[sender], &way, other->acked, gained,
                             (int64_t)own->window << own->scale, other->next);
    }
    add_rtt(d, side, tcp_rtt_acked(rtt, other->acked, in->packet, in->layers));
}

/* What this packet leaves for the next one to compare with. */
static void remember(struct tcp_delay *d, const struct tcp_flow *tcp,
                     const struct tcp_delay_input *in)
{
    const struct tcp_direction *own = &tcp->dir[in->side];
    d->window_closed[in->side] = own->zero_since_ns >= 0;
    if (d->tls_open && !in->tls_open) {
        d->tickets = TICKET_BYTES;
        d->tls_ended = in->side == SIDE_CLIENT;
    }
    if (!d->tls_open && in->tls_open)
        d->tls_answered = false;
    d->tls_open = in->tls_open;
}

void tcp_delay_note(struct tcp_delay *d, const struct tcp_flow *tcp,
                    const struct tcp_delay_input *in)
{
    uint16_t flags = in->layers->tcp.flags;
    int64_t gap = without(in->packet->time_ns, d->last_ns);
    bool payload = in->verdict->has_payload && in->layers->payload_len > 0;
    d->last_ns += gap;
    if (in->tls_open && !d->tls_open && payload && in->side == SIDE_CLIENT)
        d->tls_open = true; /* the ClientHello itself */
    if (!d->connected) {
        note_opening(d, tcp, in, gap);
        gap = 0;
    }
    d->pending_ns += gap;
    for (int s = 0; s < 2; s++)
        d->closed_ns[s] += d->window_closed[s] ? gap : 0;
    note_handshake_rtt(d, tcp, in->layers);
    if ((flags & TCP_ACK) != 0 && (flags & (TCP_SYN | TCP_RST)) == 0)
        note_ack(d, tcp, in);
    if (payload)
        note_payload(d, tcp, in);
    else if ((flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK && d->ack_ns < 0 &&
             d->last_side != SIDE_NONE && in->side != d->last_side &&
             tcp->dir[d->last_side].acked >= tcp->dir[d->last_side].next)
        d->ack_ns = d->pending_ns;
    if ((flags & (TCP_FIN | TCP_RST)) != 0) {
        if (!d->closing)
            end_waiting(d, tcp);
        d->closing = true;
    }
    remember(d, tcp, in);
}

/* ---- the end --------------------------------------------------------------------------------- */

void tcp_delay_close(struct tcp_delay *d, const struct tcp_flow *tcp,
                     struct flow_delay_record *out)
{
    end_answer(d);
    if (d->closing)
        d->record.term_ns[DELAY_CLOSE] += d->pending_ns;
    else
        end_waiting(d, tcp);
    clear_pending(d);
    int64_t again_ns = tcp->facts.syn_last_ns - tcp->syn_first_ns;
    if (tcp_was_asked_early(tcp) && again_ns <= d->record.term_ns[DELAY_SYN_BACKOFF]) {
        d->record.term_ns[DELAY_SYN_BACKOFF] -= again_ns;
        d->record.term_ns[DELAY_CONNECT_SERVER] += again_ns;
    }
    *out = d->record;
    tcp_window_close(d->window, out);
}

void tcp_delay_flip(struct tcp_delay *d)
{
    struct tcp_delay was = *d;
    for (int s = 0; s < 2; s++) {
        d->rtt[s] = was.rtt[!s];
        d->window[s] = was.window[!s];
        d->closed_ns[s] = was.closed_ns[!s];
        d->window_closed[s] = was.window_closed[!s];
        d->record.rtt[s] = was.record.rtt[!s];
        d->interval_rtt_ns[s] = was.interval_rtt_ns[!s];
        d->interval_count[s] = was.interval_count[!s];
    }
    if (d->last_side != SIDE_NONE)
        d->last_side = !was.last_side;
}
