#include "sessions/tcp_internal.h"

#include <stdio.h>
#include <string.h>

/* The peer of a side that is never seen acknowledges at least so much: one-way capture, not chance.
 */
#define UNSEEN_PROGRESS 1

static bool is_inactive(const struct tcp_direction *d)
{
    return d->endpoint == ENDPOINT_INACTIVE || d->endpoint == ENDPOINT_PARTIAL;
}

/* Zeek's pattern ^?S[^HAFGIQ]*R: the originator sent its SYN, nothing else of note, and a RST. */
static bool reset_own_syn(const char *history)
{
    if (*history == '^')
        history++;
    if (*history != 'S')
        return false;
    return history[strcspn(history, "HAFGIQR")] == 'R';
}

/* In Zeek's order, exactly. */
const char *tcp_conn_state(const struct tcp_flow *tcp, const struct flow *flow)
{
    const struct tcp_direction *orig = &tcp->dir[SIDE_CLIENT], *resp = &tcp->dir[SIDE_SERVER];
    bool no_bytes = orig->facts.segments == 0 && resp->facts.segments == 0;
    (void)flow;
    if (resp->endpoint == ENDPOINT_RESET) {
        if (orig->endpoint == ENDPOINT_SYN_SENT || orig->endpoint == ENDPOINT_SYN_ACK_SENT ||
            (orig->endpoint == ENDPOINT_RESET && no_bytes))
            return "REJ";
        return is_inactive(orig) ? "RSTRH" : "RSTR";
    }
    if (orig->endpoint == ENDPOINT_RESET) {
        if (is_inactive(resp))
            return reset_own_syn(tcp->history) ? "RSTOS0" : "OTH";
        return "RSTO";
    }
    if (orig->endpoint == ENDPOINT_CLOSED && resp->endpoint == ENDPOINT_CLOSED)
        return "SF";
    if (orig->endpoint == ENDPOINT_CLOSED)
        return is_inactive(resp) ? "SH" : "S2";
    if (resp->endpoint == ENDPOINT_CLOSED)
        return is_inactive(orig) ? "SHR" : "S3";
    if (orig->endpoint == ENDPOINT_SYN_SENT && resp->endpoint == ENDPOINT_INACTIVE)
        return "S0";
    if (orig->endpoint == ENDPOINT_ESTABLISHED && resp->endpoint == ENDPOINT_ESTABLISHED)
        return "S1";
    return "OTH";
}

bool tcp_is_opening(const struct tcp_flow *tcp)
{
    if (tcp->dir[SIDE_CLIENT].endpoint == ENDPOINT_SYN_SENT)
        return true;
    return tcp->facts.syn_count > 0 && tcp->synack_seen && tcp->facts.established_ns < 0 &&
           tcp->last_payload_side == SIDE_NONE;
}

bool tcp_is_open(const struct tcp_flow *tcp)
{
    return tcp->dir[SIDE_CLIENT].endpoint == ENDPOINT_ESTABLISHED &&
           tcp->dir[SIDE_SERVER].endpoint == ENDPOINT_ESTABLISHED;
}

enum side tcp_closed_by(const struct tcp_flow *tcp)
{
    int64_t at[2];
    for (int s = 0; s < 2; s++) {
        int64_t fin = tcp->dir[s].facts.fin_ns, rst = tcp->dir[s].facts.rst_ns;
        at[s] = fin >= 0 && (rst < 0 || fin <= rst) ? fin : rst;
    }
    if (at[0] < 0 && at[1] < 0)
        return SIDE_NONE;
    if (at[0] >= 0 && (at[1] < 0 || at[0] <= at[1]))
        return SIDE_CLIENT;
    return SIDE_SERVER;
}

/* One side never captured although the other acknowledges bytes of it. */
static bool has_unseen_peer(const struct tcp_flow *tcp)
{
    for (int s = 0; s < 2; s++) {
        const struct tcp_direction *d = &tcp->dir[s], *peer = &tcp->dir[!s];
        /* RFC 7323 3.2: before an answer there is no timestamp to echo */
        if (!d->seen && peer->facts.rst_with_ack && peer->echo != 0)
            return true;
        if (d->seen || !peer->seen || !peer->acknowledged_any)
            continue;
        if (tcp->facts.syn_count > 0 && peer->endpoint != ENDPOINT_SYN_SENT)
            return true; /* the client went on: an answer must have reached it */
        if (d->base_known && d->next >= 1 + UNSEEN_PROGRESS)
            return true;
        if (tcp->synack_seen || peer->facts.segments > 0)
            return true;
    }
    return false;
}

/* The SYN-ACK came, or both sides speak as they only do after it: the capture missed it. */
static bool is_established(const struct tcp_flow *tcp)
{
    if (tcp->facts.syn_count == 0)
        return false;
    if (tcp->synack_seen)
        return tcp->facts.established_ns >= 0;
    return tcp->dir[SIDE_CLIENT].acknowledged_any && tcp->dir[SIDE_SERVER].acknowledged_any &&
           tcp->dir[SIDE_CLIENT].acked >= 1;
}

static uint64_t tcp_stream_bytes(const struct tcp_direction *d)
{
    int64_t bytes = d->next - 1 - d->before - (d->fin_seen ? 1 : 0);
    int64_t missing = (int64_t)(d->facts.capture_gap_bytes + d->facts.wire_gap_bytes);
    if (!d->seen || d->facts.segments == 0 || bytes <= missing)
        return 0;
    return (uint64_t)(bytes - missing);
}

static void fill_flow(const struct tcp_flow *tcp, const struct flow *flow, struct flow_record *out)
{
    const struct tcp_direction *client = &tcp->dir[SIDE_CLIENT], *server = &tcp->dir[SIDE_SERVER];
    const struct tcp_common_facts *f = &tcp->facts;
    (void)snprintf(out->state, sizeof out->state, "%s", tcp_conn_state(tcp, flow));
    memcpy(out->history, tcp->history, sizeof out->history);
    out->client_payload_bytes = tcp_stream_bytes(client);
    out->server_payload_bytes = tcp_stream_bytes(server);
    out->closed_by = (uint8_t)tcp_closed_by(tcp);
    out->connect_rtt_server_ns = tcp->synack_rtt_ns;
    out->connect_rtt_client_ns = tcp->ack_rtt_ns;
    out->rtt_min_client_ns = tcp->rtt_min_ns[SIDE_CLIENT];
    out->rtt_min_server_ns = tcp->rtt_min_ns[SIDE_SERVER];
    out->syn_retransmissions = f->syn_count > 0 ? f->syn_count - 1 : 0;
    out->synack_retransmissions = f->synack_count > 0 ? f->synack_count - 1 : 0;
    out->client_retransmissions = client->retransmissions;
    out->server_retransmissions = server->retransmissions;
    out->client_resets = client->facts.rst_count;
    out->server_resets = server->facts.rst_count;
    out->capture_lost_bytes = client->facts.capture_gap_bytes + server->facts.capture_gap_bytes;
    if (f->syn_count == 0 && !tcp->synack_seen)
        out->facts |= FLOW_FACT_MIDSTREAM;
    if (f->syn_count == 0 && tcp->synack_seen)
        out->facts |= FLOW_FACT_NO_SYN;
    if (is_established(tcp))
        out->facts |= FLOW_FACT_ESTABLISHED;
    if (has_unseen_peer(tcp))
        out->facts |= FLOW_FACT_UNSEEN_PEER;
    out->features = (uint8_t)((tcp->asks_ecn && tcp->takes_ecn ? FLOW_FEATURE_ECN : 0u) |
                              (tcp->fast_open ? FLOW_FEATURE_FAST_OPEN : 0u) |
                              (tcp->mptcp ? FLOW_FEATURE_MPTCP : 0u) |
                              (tcp->simultaneous ? FLOW_FEATURE_SIMULTANEOUS : 0u));
}

/* Ticks, of a millisecond or more each: later ones are somebody else's idea of the time. */
#define ECHO_AHEAD_MOST 600000

/* RFC 7323 4.1: what the peer echoes it has received. A side that speaks later with a lower one never sent it: somebody
 * changes the timestamps on the way. Where they went back, the later ones are the lower. */
static bool has_unseen_echo(const struct tcp_direction *d, const struct tcp_direction *peer)
{
    int32_t ahead = (int32_t)(peer->echo - d->timestamp);
    return d->manner.timestamps && peer->echo != 0 && d->facts.stamp_refusals == 0 && ahead > 0 &&
           ahead <= ECHO_AHEAD_MOST && peer->facts.last_ns > d->facts.last_ns;
}

static void fill_side(struct tcp_direction *d, const struct tcp_direction *peer, int64_t last_ns,
                      struct tcp_side_facts *out)
{
    d->facts.unseen_echo = has_unseen_echo(d, peer);
    if (d->zero_since_ns >= 0 && d->zero_window_waited && last_ns > d->zero_since_ns)
        d->facts.zero_window_ns += last_ns - d->zero_since_ns;
    if (d->facts.silent_probes == 0)
        d->facts.silent_probe_ns = RECORD_NONE_NS;
    if (d->seen && d->next > d->acked) {
        int64_t bytes = d->next - d->acked - (d->fin_seen && d->acked < d->fin_end ? 1 : 0);
        d->facts.unacked_bytes = bytes > 0 ? (uint64_t)bytes : 0;
    }
    *out = d->facts;
}

static bool something_happened(const struct tcp_flow *tcp, const struct flow_record *flow,
                               enum end_reason end)
{
    for (int s = 0; s < 2; s++) {
        const struct tcp_side_facts *f = &tcp->dir[s].facts;
        if (tcp->dir[s].retransmissions || f->rst_count || f->zero_windows ||
            f->reordered_segments || f->capture_gap_bytes || f->wire_gap_bytes ||
            f->unacked_bytes || f->keepalives || f->unseen_echo)
            return true;
    }
    return strcmp(flow->state, "SF") != 0 || end != END_CLOSED || tcp->facts.syn_count != 1 ||
           tcp->facts.synack_count != 1 || tcp->facts.longest_idle_ns >= 1000000000LL ||
           tcp->facts.challenge_ack ||
           (tcp->facts.syn_first_traits & SYN_TRAITS_ADDED) != 0 ||
           (flow->facts & (FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE)) != 0;
}

static void fill_common(const struct tcp_common_facts *f, struct flow_tcp_record *out)
{
    out->syn_count = f->syn_count;
    out->synack_count = f->synack_count;
    out->syn_first_traits = f->syn_first_traits;
    out->syn_answered_traits = f->syn_answered_traits;
    out->syn_first_tries = f->syn_first_tries;
    out->syn_last_ns = f->syn_last_ns;
    out->synack_first_ns = f->synack_first_ns;
    out->synack_last_ns = f->synack_last_ns;
    out->established_ns = f->established_ns;
    out->synack_conflict = f->synack_conflict;
    out->synack_pair = f->synack_pair;
    out->conflict = f->conflict;
    out->rst_to_syn = f->rst_to_syn;
    out->challenge_ack = f->challenge_ack;
    out->longest_idle_ns = f->longest_idle_ns;
    out->idle_before_tail_ns = f->idle_before_tail_ns;
    out->tail_tries = f->tail_tries;
}

static void fill_next_hop(const struct flow_side *server, char out[MAC_TEXT_SIZE])
{
    static const uint8_t none[6];
    out[0] = '\0';
    if (!server->has_mac && memcmp(server->mac, none, sizeof none) != 0)
        (void)mac_to_text(server->mac, out);
}

bool tcp_close(struct tcp_flow *tcp, const struct flow *flow, enum end_reason end,
               struct flow_record *flow_out, struct flow_tcp_record *tcp_out)
{
    fill_flow(tcp, flow, flow_out);
    fill_common(&tcp->facts, tcp_out);
    tcp_out->flow_id = flow->id;
    tcp_out->old_timestamp = tcp->syn_stamp_old;
    fill_next_hop(&flow->side[SIDE_SERVER], tcp_out->syn_to_mac);
    for (int s = 0; s < 2; s++)
        fill_side(&tcp->dir[s], &tcp->dir[!s], tcp->last_packet_ns, &tcp_out->side[s]);
    int64_t asked_ns = tcp->dir[SIDE_CLIENT].facts.last_payload_ns;
    tcp_out->wait_ns = (flow_out->facts & FLOW_FACT_REQUEST_OPEN) != 0 && asked_ns >= 0
                           ? tcp->last_packet_ns - asked_ns
                           : RECORD_NONE_NS;
    return something_happened(tcp, flow_out, end);
}
