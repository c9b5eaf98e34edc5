#include "sessions/tcp.h"

#include "core/hints.h"
#include "sessions/tcp_internal.h"

#include <string.h>

#define MS 1000000LL
#define SECOND 1000000000LL

void tcp_init(struct tcp_flow *tcp)
{
    memset(tcp, 0, sizeof *tcp);
    wireshark_init(&tcp->wireshark);
    tcp->facts.syn_last_ns = tcp->facts.synack_first_ns = tcp->facts.synack_last_ns =
        tcp->facts.established_ns = RECORD_NONE_NS;
    tcp->syn_first_ns = tcp->synack_rtt_ns = tcp->ack_rtt_ns = RECORD_NONE_NS;
    tcp->last_payload_side = SIDE_NONE;
    tcp->last_packet_ns = RECORD_NONE_NS;
    tcp->facts.synack_pair.gap_ns = RECORD_NONE_NS;
    tcp->facts.conflict = (struct content_conflict){
        .first_ns = RECORD_NONE_NS, .gap_ns = RECORD_NONE_NS, .side = SIDE_NONE};
    for (int s = 0; s < 2; s++) {
        struct tcp_direction *d = &tcp->dir[s];
        struct tcp_side_facts *f = &d->facts;
        tcp->rtt_min_ns[s] = tcp->rtt_data_min_ns[s] = RECORD_NONE_NS;
        f->tail_first_ns = f->tail_last_ns = f->last_ns = f->last_payload_ns = f->fin_ns =
            f->rst_ns = f->rst_delay_ns = f->silent_probe_ns = RECORD_NONE_NS;
        f->window_scale = -1;
        d->scale = -1;
        d->zero_since_ns = d->outstanding_ns = d->next_ns = d->sent_ns = RECORD_NONE_NS;
        d->manner.turn_ns = d->manner.last_ns = RECORD_NONE_NS;
    }
}

/* A SYN-ACK that answers another SYN than the one of this flow: that SYN was not captured. */
APART
static bool answers_unseen_syn(const struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    const struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    return tcp->synack_seen && (d->letters & HISTORY_BIT('h')) != 0 &&
           l->tcp.sequence != d->syn_sequence && peer->base_known &&
           l->tcp.acknowledgment != peer->base + 1;
}

bool tcp_is_new_connection(const struct tcp_flow *tcp, enum side side, const struct layers *layers)
{
    const struct tcp_direction *d = &tcp->dir[side];
    if ((layers->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK))
        return answers_unseen_syn(tcp, side, layers);
    if ((layers->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (d->base_known && layers->tcp.sequence == d->base)
        return false; /* captured late: it belongs to what is already known */
    if (d->endpoint == ENDPOINT_SYN_SENT || (d->letters & HISTORY_BIT('s')) != 0)
        return layers->tcp.sequence != d->syn_sequence;
    if (!d->seen) /* the other side's flow: simultaneous open, or the roles of the old one swapped
                   */
        return tcp->dir[!side].endpoint == ENDPOINT_CLOSED ||
               tcp->dir[!side].endpoint == ENDPOINT_RESET ||
               (d->base_known && layers->tcp.sequence != d->base);
    /* Mid-stream flow that goes on with a SYN: new unless it starts where this one stands. */
    return d->endpoint != ENDPOINT_SYN_ACK_SENT || layers->tcp.sequence != d->syn_sequence;
}

int64_t tcp_offset(const struct tcp_direction *d, uint32_t sequence)
{
    uint32_t reference = d->base + (uint32_t)d->next;
    return d->next + (int32_t)(sequence - reference);
}

void tcp_set_base(struct tcp_direction *d, uint32_t base)
{
    if (d->base_known)
        return;
    d->base_known = true;
    d->base = base;
    d->next = d->acked = 0;
}

static void note_letter(struct tcp_flow *tcp, enum side side, char letter, bool once)
{
    struct tcp_direction *d = &tcp->dir[side];
    if (once && (d->letters & HISTORY_BIT(letter)) != 0)
        return;
    d->letters |= HISTORY_BIT(letter);
    if (tcp->history_len + 1u < sizeof tcp->history)
        tcp->history[tcp->history_len++] =
            side == SIDE_CLIENT ? (char)(letter - 'a' + 'A') : letter;
}

/* c, g, t, w: a letter at the 1st, 10th, 100th ... time (Zeek). */
void tcp_note_scaled(struct tcp_flow *tcp, enum side side, char letter)
{
    int slot = letter == 'c' ? 0 : letter == 'g' ? 1 : letter == 't' ? 2 : 3;
    uint32_t count = ++tcp->dir[side].scaled[slot];
    uint32_t power = 1;
    while (power < count && power < 1000000000u)
        power *= 10;
    if (power == count)
        note_letter(tcp, side, letter, false);
}

/* Of the FIN itself, which follows the payload: a repeated segment may carry another part of it. */
static uint32_t fin_sequence(const struct layers *l)
{
    return l->tcp.sequence + l->payload_len;
}

PER_PACKET
static void note_history(struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    uint16_t flags = l->tcp.flags;
    struct tcp_direction *d = &tcp->dir[side];
    if ((flags & TCP_SYN) != 0 && (flags & (TCP_FIN | TCP_RST)) != 0)
        note_letter(tcp, side, 'q', true);
    else if ((flags & TCP_FIN) != 0 && (flags & TCP_RST) != 0)
        note_letter(tcp, side, 'i', true);
    if ((flags & TCP_SYN) != 0) {
        char letter = (flags & TCP_ACK) != 0 ? 'h' : 's';
        bool again = (d->letters & HISTORY_BIT(letter)) != 0 && d->syn_sequence == l->tcp.sequence;
        if (!again)
            note_letter(tcp, side, letter, false);
    }
    if (l->payload_len > 0)
        note_letter(tcp, side, 'd', true);
    else if ((flags & (TCP_ACK | TCP_SYN | TCP_FIN | TCP_RST)) == TCP_ACK)
        note_letter(tcp, side, 'a', true);
    if ((flags & TCP_FIN) != 0 && !(flags & TCP_RST) &&
        ((d->letters & HISTORY_BIT('f')) == 0 || d->fin_sequence != fin_sequence(l)))
        note_letter(tcp, side, 'f', false);
    if ((flags & TCP_FIN) != 0)
        d->fin_sequence = fin_sequence(l);
    if ((flags & TCP_RST) != 0 &&
        ((d->letters & HISTORY_BIT('r')) == 0 || d->rst_sequence != l->tcp.sequence))
        note_letter(tcp, side, 'r', false);
    if (l->checksum == CHECKSUM_BAD)
        tcp_note_scaled(tcp, side, 'c');
}

static void update_endpoint(struct tcp_flow *tcp, enum side side, uint16_t flags)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    if ((flags & TCP_RST) != 0) {
        d->endpoint = ENDPOINT_RESET;
        return;
    }
    if ((flags & TCP_SYN) != 0) {
        if ((flags & TCP_ACK) == 0) {
            if (d->endpoint == ENDPOINT_INACTIVE)
                d->endpoint = ENDPOINT_SYN_SENT;
        } else if (d->endpoint < ENDPOINT_ESTABLISHED) {
            d->endpoint =
                peer->endpoint == ENDPOINT_SYN_SENT ? ENDPOINT_ESTABLISHED : ENDPOINT_SYN_ACK_SENT;
            if (peer->endpoint == ENDPOINT_SYN_SENT)
                peer->endpoint = ENDPOINT_ESTABLISHED;
        }
    } else if (d->endpoint == ENDPOINT_INACTIVE) {
        d->endpoint =
            peer->endpoint == ENDPOINT_SYN_ACK_SENT ? ENDPOINT_ESTABLISHED : ENDPOINT_PARTIAL;
        if (peer->endpoint == ENDPOINT_SYN_ACK_SENT)
            peer->endpoint = ENDPOINT_ESTABLISHED;
    } else if (d->endpoint == ENDPOINT_SYN_SENT && (flags & TCP_ACK) != 0) {
        d->endpoint = ENDPOINT_ESTABLISHED;
    }
    if ((flags & TCP_FIN) != 0 && d->endpoint != ENDPOINT_RESET)
        d->endpoint = ENDPOINT_CLOSED;
}

static void note_established(struct tcp_flow *tcp, enum side side, const struct packet *p)
{
    if (tcp->facts.established_ns != RECORD_NONE_NS || !tcp->synack_seen || side != SIDE_CLIENT)
        return;
    if (tcp->dir[SIDE_SERVER].acked < 1)
        return;
    tcp->facts.established_ns = p->time_ns;
    if (tcp->facts.synack_count == 1 && p->time_ns >= tcp->facts.synack_first_ns) {
        tcp->ack_rtt_ns = p->time_ns - tcp->facts.synack_first_ns;
        tcp_note_rtt(tcp, side, tcp->ack_rtt_ns);
    }
}

/* What nobody acknowledged is sent once more: the silence before it was a timer's, no pause. */
RARE
static bool is_sent_again(const struct tcp_direction *d, const struct layers *l)
{
    return d->base_known && l->payload_len > 0 && d->next > d->acked &&
           tcp_offset(d, l->tcp.sequence) < d->next;
}

/* Pauses: a packet after a second of silence on both sides opens one; any other word of the other
 * side but a RST shows that the flow survived it. */
static void note_pause(struct tcp_flow *tcp, enum side side, const struct packet *p,
                       const struct layers *l)
{
    int64_t pause = tcp->last_packet_ns == RECORD_NONE_NS ? 0 : p->time_ns - tcp->last_packet_ns;
    if (tcp->idle_open && side != tcp->idle_side) {
        if ((l->tcp.flags & TCP_RST) != 0)
            return;
        if (tcp->facts.idle_before_tail_ns > tcp->facts.longest_idle_ns)
            tcp->facts.longest_idle_ns = tcp->facts.idle_before_tail_ns;
        tcp->facts.idle_before_tail_ns = 0;
        tcp->facts.tail_tries = 0;
        tcp->idle_open = false;
    }
    if (tcp->idle_open) {
        tcp->facts.tail_tries++;
    } else if (pause >= SECOND && (l->tcp.flags & (TCP_RST | TCP_SYN)) == 0 &&
               !is_sent_again(&tcp->dir[side], l)) {
        tcp->idle_open = true;
        tcp->idle_side = (uint8_t)side;
        tcp->facts.idle_before_tail_ns = pause;
        tcp->facts.tail_tries = 1;
    }
}

static enum event_kind event_of(uint16_t flags, uint32_t payload_len)
{
    if ((flags & TCP_RST) != 0)
        return EVENT_RST;
    if ((flags & TCP_SYN) != 0)
        return (flags & TCP_ACK) != 0 ? EVENT_SYNACK : EVENT_SYN;
    if ((flags & TCP_FIN) != 0)
        return EVENT_FIN;
    return payload_len > 0 ? EVENT_DATA : EVENT_ACK;
}

/* Mid-stream: the first segment fixes both bases, the peer's by the acknowledgment. */
PER_PACKET
static void pick_up(struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    if ((l->tcp.flags & TCP_RST) != 0 && !d->base_known && l->tcp.sequence == 0)
        return;
    if (!d->base_known) {
        tcp_set_base(d, l->tcp.sequence - 1);
        d->next = d->acked = 1;
        if (l->payload_len == 0 && (l->tcp.flags & (TCP_FIN | TCP_RST)) == 0)
            d->joined_empty = true;
    }
    if ((l->tcp.flags & TCP_ACK) != 0 && !peer->base_known && (l->tcp.flags & TCP_RST) == 0) {
        tcp_set_base(peer, l->tcp.acknowledgment - 1);
        peer->next = peer->acked = 1;
    }
}

/* After the segment: what it says about its sender. */
PER_PACKET
static void note_sender(struct tcp_flow *tcp, struct flow *flow, enum side side,
                        const struct packet *p, const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    d->seen = true;
    d->facts.last_ns = p->time_ns;
    tcp->last_packet_ns = p->time_ns;
    if (l->tcp.has_timestamp)
        d->echo = l->tcp.timestamp_echo;
    if ((l->tcp.flags & TCP_RST) != 0)
        return;
    tcp_note_manner(tcp, side, p, l);
    d->ip_id = l->ip_id;
    if (l->tcp.has_timestamp)
        d->timestamp = l->tcp.timestamp_value;
    if (flow->side[side].ttl == 0)
        flow->side[side].ttl = l->ttl;
    if (d->facts.ttl_min == 0 || l->ttl < d->facts.ttl_min)
        d->facts.ttl_min = l->ttl;
    if (l->ttl > d->facts.ttl_max)
        d->facts.ttl_max = l->ttl;
    if (l->dont_fragment || l->ip_version == 6)
        d->facts.dont_fragment = true;
}

/* So much of a new connection may be missing in the capture before the server's first packet there: what lies beyond
 * is no acknowledgment of it. A new initial number lies above those of the connection before (RFC 6528 3). */
#define UNSEEN_MOST (1u << 18)

/* RFC 5961 4: the server still holds the 4-tuple and answers the SYN by an ACK that does not fit
 * it; the client resets that old connection and asks again. Neither says anything about the new
 * one. */
static bool is_about_old_connection(struct tcp_flow *tcp, enum side side, const struct layers *l)
{
    const struct tcp_direction *client = &tcp->dir[SIDE_CLIENT];
    uint16_t flags = l->tcp.flags;
    if (tcp->synack_seen || tcp->facts.syn_count == 0 || (flags & TCP_SYN) != 0)
        return false;
    if (side == SIDE_CLIENT)
        return tcp->facts.challenge_ack && (flags & TCP_RST) != 0;
    bool stale = client->endpoint == ENDPOINT_SYN_SENT &&
                 (flags & (TCP_ACK | TCP_RST | TCP_FIN)) == TCP_ACK && l->payload_len == 0 &&
                 l->tcp.acknowledgment - client->base - (uint32_t)client->next > UNSEEN_MOST;
    if (stale)
        tcp->facts.challenge_ack = true;
    return stale;
}

/* Of a closed connection. Who has not heard the reset and has nothing on its way may speak much later; who sent
 * again before does so with growing pauses. A SYN that was reset may be tried again. */
static bool is_settled(const struct tcp_flow *tcp, bool reset, enum side side)
{
    const struct tcp_direction *peer = &tcp->dir[!side];
    if (tcp->facts.established_ns < 0)
        return false;
    for (int s = 0; s < 2; s++) {
        if (tcp->dir[s].retransmissions > 0 || tcp->dir[s].holes != NULL)
            return false;
    }
    return !reset || peer->fin_seen || peer->acked < peer->next;
}

void tcp_segment(struct tcp_flow *tcp, struct flow *flow, enum side side,
                 const struct packet *packet, const struct layers *layers, struct tcp_env *env,
                 struct tcp_verdict *out)
{
    uint16_t flags = layers->tcp.flags;
    *out = (struct tcp_verdict){.event = event_of(flags, layers->payload_len)};
    if ((layers->checksum != CHECKSUM_GOOD || layers->ip_checksum == CHECKSUM_BAD) &&
        tcp_refuse_damaged(tcp, flow, side, packet, layers, env, out))
        return;
    if (is_about_old_connection(tcp, side, layers)) {
        note_history(tcp, side, layers);
        note_sender(tcp, flow, side, packet, layers);
        return;
    }
    note_pause(tcp, side, packet, layers);
    tcp->dir[!side].facts.silent_probes = 0;
    if ((flags & TCP_RST) != 0) {
        pick_up(tcp, side, layers);
        if (tcp->dir[side].base_known)
            out->sequence = layers->tcp.sequence - tcp->dir[side].base;
        tcp_note_reset(tcp, flow, side, packet, layers, env);
        note_history(tcp, side, layers);
        tcp->dir[side].rst_sequence = layers->tcp.sequence;
        update_endpoint(tcp, side, flags);
        note_sender(tcp, flow, side, packet, layers);
        out->closed = true;
        out->settled = is_settled(tcp, true, side);
        return;
    }
    note_history(tcp, side, layers);
    /* RFC 9293 3.10.7.4: only a probe comes without ACK when no SYN opened the connection. */
    if ((flags & (TCP_SYN | TCP_ACK)) == 0 && !tcp->dir[SIDE_CLIENT].seen &&
        !tcp->dir[SIDE_SERVER].seen)
        flow->facts |= FLOW_FACT_STRAY;
    if ((flags & TCP_SYN) == 0)
        pick_up(tcp, side, layers);
    else if ((flags & TCP_ACK) == 0)
        tcp_on_syn(tcp, side, packet, layers);
    else
        tcp_on_synack(tcp, side, packet, layers);
    update_endpoint(tcp, side, flags);
    if (tcp->dir[side].facts.rst_count > 0)
        tcp_note_after_reset(tcp, side, packet, layers);
    tcp_settle_synack(tcp, side, layers);
    if ((flags & TCP_ACK) != 0)
        tcp_note_ack(tcp, side, packet, layers, env, out);
    tcp_note_data(tcp, flow, side, packet, layers, env, out);
    tcp_note_window(tcp, side, packet, layers, out);
    note_established(tcp, side, packet);
    note_sender(tcp, flow, side, packet, layers);
    out->closing = tcp->dir[0].fin_seen && tcp->dir[1].fin_seen;
    out->closed = out->closing && tcp->dir[0].acked >= tcp->dir[0].fin_end &&
                  tcp->dir[1].acked >= tcp->dir[1].fin_end;
    out->settled = out->closed && is_settled(tcp, false, side);
}

void tcp_flip(struct tcp_flow *tcp)
{
    struct tcp_direction d = tcp->dir[0];
    tcp->dir[0] = tcp->dir[1];
    tcp->dir[1] = d;
    struct wireshark_side w = tcp->wireshark.side[0];
    tcp->wireshark.side[0] = tcp->wireshark.side[1];
    tcp->wireshark.side[1] = w;
    struct first_word first = tcp->first[0];
    tcp->first[0] = tcp->first[1];
    tcp->first[1] = first;
    int64_t rtt = tcp->rtt_min_ns[0];
    tcp->rtt_min_ns[0] = tcp->rtt_min_ns[1];
    tcp->rtt_min_ns[1] = rtt;
    rtt = tcp->rtt_data_min_ns[0];
    tcp->rtt_data_min_ns[0] = tcp->rtt_data_min_ns[1];
    tcp->rtt_data_min_ns[1] = rtt;
    if (tcp->last_payload_side < SIDE_NONE)
        tcp->last_payload_side = !tcp->last_payload_side;
    tcp->idle_side = !tcp->idle_side;
    for (uint32_t i = 0; tcp->recent != NULL && i < tcp->recent->capacity; i++)
        tcp->recent->at[i].side = !tcp->recent->at[i].side;
    if (tcp->facts.conflict.side < SIDE_NONE)
        tcp->facts.conflict.side = !tcp->facts.conflict.side;
    tcp_flip_resets(tcp);
    for (uint8_t i = 0; i < tcp->history_len; i++)
        tcp->history[i] = (char)(tcp->history[i] ^ 0x20);
    if (tcp->history_len + 1u < sizeof tcp->history) {
        memmove(tcp->history + 1, tcp->history, tcp->history_len);
        tcp->history[0] = '^';
        tcp->history_len++;
    }
}

void tcp_release(struct tcp_flow *tcp, struct tcp_env *env)
{
    for (int s = 0; s < 2; s++) {
        pool_give(env->holes, tcp->dir[s].holes);
        tcp->dir[s].holes = NULL;
    }
    if (tcp->recent != NULL)
        pool_give(tcp->recent->capacity == RECENT_SMALL ? env->recent_small : env->recent_full,
                  tcp->recent);
    tcp->recent = NULL;
    tcp_release_resets(tcp, env);
}
