/* The handshake: SYN and SYN-ACK, what they offer, and which SYN is answered. */
#include "core/hints.h"
#include "sessions/tcp_internal.h"

#include <string.h>

static void option_letters(const struct tcp_header *h, char *out, size_t size)
{
    static const char *const words[] = {
        [0] = "eol", [1] = "nop", [2] = "mss", [3] = "ws", [4] = "sok", [5] = "sack", [8] = "ts"};
    size_t len = 0;
    for (uint8_t i = 0; i < h->option_count; i++) {
        uint8_t kind = h->option_kinds[i];
        const char *word = kind < sizeof words / sizeof *words && words[kind] ? words[kind] : "?";
        size_t need = strlen(word) + (len > 0);
        if (len + need + 1 > size)
            break;
        if (len > 0)
            out[len++] = ',';
        memcpy(out + len, word, strlen(word));
        len += strlen(word);
    }
    out[len] = '\0';
}

static bool has_padding(const struct tcp_header *h)
{
    int run = 0;
    for (uint8_t i = 0; i < h->option_count; i++) {
        run = h->option_kinds[i] == 1 ? run + 1 : 0;
        if (run > 2)
            return true;
    }
    return false;
}

static void note_syn_options(struct tcp_direction *d, const struct packet *p, const struct layers *l)
{
    d->first_stamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0;
    d->first_stamp_ns = p->time_ns;
    d->syn_options = (uint8_t)(SYN_HAS_HEADER | (l->tcp.window_scale >= 0 ? SYN_HAS_SCALE : 0) |
                               (l->tcp.sack_permitted ? SYN_HAS_SACK : 0) |
                               (l->tcp.has_timestamp ? SYN_HAS_TIMESTAMPS : 0) |
                               (has_padding(&l->tcp) ? SYN_HAS_PADDING : 0));
    d->facts.mss = l->tcp.mss;
    d->facts.window_scale = l->tcp.window_scale;
    option_letters(&l->tcp, d->facts.options, sizeof d->facts.options);
}

/* RFC 7323 2.2: scaling holds only when both SYNs carried the option; shift at most 14. */
APART
static void settle_scales(struct tcp_flow *tcp)
{
    for (int s = 0; s < 2; s++) {
        struct tcp_direction *d = &tcp->dir[s];
        bool both = tcp->dir[0].facts.window_scale >= 0 && tcp->dir[1].facts.window_scale >= 0;
        d->scale = (int8_t)(!both ? 0 : d->facts.window_scale > 14 ? 14 : d->facts.window_scale);
    }
}

void tcp_on_syn(struct tcp_flow *tcp, enum side side, const struct packet *p,
                const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side];
    tcp_set_base(d, l->tcp.sequence);
    if (!d->syn_seen) {
        d->syn_seen = true;
        d->syn_sequence = l->tcp.sequence;
        note_syn_options(d, p, l);
    }
    tcp->fast_open |= l->tcp.fast_open != 0 || l->payload_len > 0;
    tcp->mptcp |= l->tcp.mptcp_subtype != 0;
    if (tcp->dir[!side].syn_seen && side == SIDE_SERVER) {
        tcp->simultaneous = true;
        return; /* RFC 9293 3.5: both open at once; the first one is the client */
    }
    tcp->asks_ecn |= (tcp_note_syn_traits(tcp, l) & SYN_TRAIT_ECN) != 0;
    tcp->facts.syn_count++;
    tcp->facts.syn_last_ns = p->time_ns;
    if (tcp->syn_first_ns == RECORD_NONE_NS)
        tcp->syn_first_ns = p->time_ns;
}

/* A reset came first, for an older connection or from a firewall, and the same SYN was tried again.
 */
APART
static void revive(struct tcp_flow *tcp, enum side answering)
{
    for (int s = 0; s < 2; s++) {
        struct tcp_direction *d = &tcp->dir[s];
        if (s != (int)answering && tcp->facts.syn_last_ns <= d->facts.rst_ns)
            continue; /* it took its SYN back: the answer comes too late */
        if (d->endpoint == ENDPOINT_RESET)
            d->endpoint = d->syn_seen ? ENDPOINT_SYN_SENT : ENDPOINT_INACTIVE;
        d->reset_is_past = d->facts.rst_count > 0;
    }
}

/* Another initial sequence number: until the client or data settles for one, the newest counts. */
RARE
static void note_synack_conflict(struct tcp_flow *tcp, struct tcp_direction *d,
                                 const struct layers *l)
{
    tcp->facts.synack_conflict = true;
    if (d->acked >= 1 || d->facts.segments > 0)
        return;
    tcp->synack_sequence = d->syn_sequence = d->base = l->tcp.sequence;
    d->next = 0;
}

/* RFC 7413 4.2.2: the server takes the SYN but not its data, which comes again: no loss. It has not had
 * them before. */
RARE
static void refuse_early_data(struct tcp_direction *client, int64_t now_ns)
{
    client->resent_ns = now_ns;
    client->early_data = false;
    client->next = 1;
    client->facts.segments = 0;
    client->timing = false;
    client->outstanding_ns = RECORD_NONE_NS;
}

void tcp_on_synack(struct tcp_flow *tcp, enum side side, const struct packet *p,
                   const struct layers *l)
{
    struct tcp_direction *d = &tcp->dir[side], *peer = &tcp->dir[!side];
    tcp_set_base(d, l->tcp.sequence);
    tcp_set_base(peer, l->tcp.acknowledgment - 1);
    if (peer->next < 1)
        peer->next = 1;
    if (tcp->synack_seen && side != tcp->synack_side)
        return; /* simultaneous open: each side answers the other's SYN */
    tcp_note_synack_pair(tcp, p, l);
    tcp->facts.synack_count++;
    tcp->facts.synack_last_ns = p->time_ns;
    if (tcp->synack_seen) {
        if (tcp->synack_sequence != l->tcp.sequence)
            note_synack_conflict(tcp, d, l);
        return;
    }
    tcp_note_answered_first(tcp, l);
    tcp->takes_ecn = (l->tcp.flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
    tcp->mptcp |= l->tcp.mptcp_subtype != 0;
    tcp->synack_seen = true;
    tcp->synack_side = (uint8_t)side;
    tcp->synack_sequence = d->syn_sequence = l->tcp.sequence;
    tcp->facts.synack_first_ns = p->time_ns;
    if (d->base != l->tcp.sequence && d->facts.segments == 0) {
        d->base = l->tcp.sequence; /* what was seen before belonged to an older connection */
        d->next = d->acked = 0;
    }
    if (l->tcp.acknowledgment == peer->base + 1 && peer->early_data)
        refuse_early_data(peer, p->time_ns);
    if (peer->acknowledged_any && peer->acknowledgment == l->tcp.sequence + 1)
        tcp->facts.established_ns = p->time_ns; /* its ACK was captured before it: no round trip */
    revive(tcp, side);
    note_syn_options(d, p, l);
    if (tcp->facts.syn_count > 0)
        settle_scales(tcp);
    /* One SYN only: no doubt which one it answers (Karn). */
    if (tcp->facts.syn_count == 1 && p->time_ns >= tcp->facts.syn_last_ns) {
        tcp->synack_rtt_ns = p->time_ns - tcp->facts.syn_last_ns;
        tcp_note_rtt(tcp, side, tcp->synack_rtt_ns);
    }
}
