#include "diagnosis/flow/facts.h"

#include <string.h>

#define NO_SIDE                                                                                    \
    {                                                                                              \
        .tail_first_ns = RECORD_NONE_NS, .tail_last_ns = RECORD_NONE_NS,                           \
        .last_ns = RECORD_NONE_NS, .last_payload_ns = RECORD_NONE_NS, .fin_ns = RECORD_NONE_NS,    \
        .rst_ns = RECORD_NONE_NS, .rst_delay_ns = RECORD_NONE_NS, .window_scale = -1               \
    }

static const struct flow_tcp_record nothing_happened = {
    .syn_last_ns = RECORD_NONE_NS,
    .synack_first_ns = RECORD_NONE_NS,
    .synack_last_ns = RECORD_NONE_NS,
    .established_ns = RECORD_NONE_NS,
    .longest_idle_ns = RECORD_NONE_NS,
    .idle_before_tail_ns = RECORD_NONE_NS,
    .wait_ns = RECORD_NONE_NS,
    .synack_pair = {.gap_ns = RECORD_NONE_NS},
    .conflict = {.first_ns = RECORD_NONE_NS, .gap_ns = RECORD_NONE_NS, .side = SIDE_NONE},
    .side = {NO_SIDE, NO_SIDE},
};

static void fill_tls(const struct tls_record *r, struct tls_facts *out)
{
    bool is_plain = r->plaintext_client && r->client_hello_ns < 0; /* SSL 2.0 is no text */
    *out = (struct tls_facts){
        .client_hello_ns = r->client_hello_ns,
        .server_hello_ns = r->server_hello_ns,
        .finished_ns = r->finished_ns,
        .alert_ns = r->alert_ns,
        .client_hello_frame = r->client_hello_frame,
        .server_hello_frame = r->server_hello_frame,
        .alert_frame = r->alert_frame,
        .cipher_name = r->cipher_name,
        .versions_offered = r->versions_offered,
        .sni = r->sni,
        .client_ciphers = r->client_ciphers,
        .upgraded_from = r->upgraded_from,
        .groups_offered = r->groups_offered,
        .group_name = r->group_name,
        .server_flight_bytes = r->server_flight_bytes,
        .psk_offered = r->psk_offered,
        .quic = r->quic_version != 0,
        .client_hello_bytes = r->client_hello_bytes,
        .client_hello_segments = r->client_hello_segments,
        .alpn_offered = r->alpn_offered,
        .certificate_count = r->certificate_count,
        .version_offered = r->version_offered,
        .version = r->version,
        .cipher = r->cipher,
        .group = r->group,
        .alert = r->alert,
        .alert_by = r->alert_by,
        .alert_level = r->alert_level,
        .alert_step = r->alert_step,
        .step = r->step,
        .key_signature = r->key_signature,
        .alert_inferred = r->alert_inferred,
        .established = r->established,
        .resumed = r->resumed,
        .hello_retry = r->hello_retry,
        .downgrade_sentinel = r->downgrade_sentinel,
        .alpn = r->alpn,
        .certificate_requested = r->client_certificate_requested,
        .certificate_sent = r->client_certificate_sent,
        .certificate_empty = r->client_certificate_empty,
        .close_notify_client = r->close_notify_client,
        .close_notify_server = r->close_notify_server,
        .plaintext_client = is_plain,
        .plaintext_server = r->plaintext_server,
        .staple_asked = r->staple_asked,
        .staple_sent = r->staple_sent,
        .staple_id = r->staple_id,
        .sct_asked = r->sct_asked,
        .sct_sent = r->sct_sent,
        .synack = r->synack,
        .secure_renegotiation = r->secure_renegotiation,
        .renegotiations = r->renegotiations,
        .has_client_app = r->client_app_records > 0,
        .has_server_app = r->server_app_records > 0,
    };
    memcpy(out->ja3s, r->ja3s, sizeof out->ja3s);
    memcpy(out->ja4, r->ja4, sizeof out->ja4);
}

/* Logs, flow records and measurements (RFC 5426, RFC 7011 over UDP, sFlow 5, collectd), by nDPI's names. */
static bool sends_unanswered(const char *ndpi_protocol)
{
    static const char *const names[] = {"Syslog", "NetFlow", "sFlow", "Collectd"};
    for (size_t i = 0; ndpi_protocol != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(ndpi_protocol, names[i]) == 0)
            return true;
    }
    return false;
}

static void fill_flow(const struct flow_record *r, struct flow_facts *out)
{
    *out = (struct flow_facts){
        .id = r->id,
        .source_id = r->source_id,
        .first_frame = r->first_frame,
        .first_ns = r->first_ns,
        .last_ns = r->last_ns,
        .name = r->name,
        .app = r->app,
        .service = r->service,
        .packets = {r->client_packets, r->server_packets},
        .bytes = {r->client_bytes, r->server_bytes},
        .payload = {r->client_payload_bytes, r->server_payload_bytes},
        .connect_rtt_server_ns = r->connect_rtt_server_ns,
        .connect_rtt_client_ns = r->connect_rtt_client_ns,
        .rtt_ns = {r->rtt_min_client_ns, r->rtt_min_server_ns},
        .capture_lost_bytes = r->capture_lost_bytes,
        .ndpi_risk = r->ndpi_risk,
        .bits = r->facts | (sends_unanswered(r->ndpi_protocol) ? FACTS_ONE_WAY : 0),
        .syn_retransmissions = r->syn_retransmissions,
        .synack_retransmissions = r->synack_retransmissions,
        .retransmissions = r->client_retransmissions + r->server_retransmissions,
        .resets = {r->client_resets, r->server_resets},
        .request_count = (uint32_t)(r->request_count > UINT32_MAX ? UINT32_MAX : r->request_count),
        .port = {r->client_port, r->server_port},
        .given_verdict = r->verdict,
        .given_outcome = r->outcome,
        .given_stage = r->stage,
        .protocol = r->protocol,
        .end = r->end,
        .closed_by = r->closed_by,
        .ttl = {r->client_ttl, r->server_ttl},
    };
    memcpy(out->state, r->state, sizeof out->state);
    out->state[sizeof out->state - 1] = '\0';
}

void facts_fill(const struct flow_bundle *bundle, struct tls_facts *tls, struct flow_facts *out)
{
    fill_flow(bundle->flow, out);
    out->tcp = bundle->tcp != NULL ? bundle->tcp : &nothing_happened;
    if (bundle->tls != NULL) {
        fill_tls(bundle->tls, tls);
        out->tls = tls;
    }
    out->events = bundle->events;
    out->event_count = bundle->event_count;
    out->reset_rows = bundle->resets;
    out->reset_row_count = bundle->reset_count;
}

bool facts_has(const struct flow_facts *f, uint64_t bit)
{
    return (f->bits & bit) != 0;
}

bool facts_is_tcp(const struct flow_facts *f)
{
    return f->protocol == FACTS_PROTOCOL_TCP;
}

bool facts_is_established(const struct flow_facts *f)
{
    return facts_has(f, FLOW_FACT_ESTABLISHED);
}

bool facts_is_midstream(const struct flow_facts *f)
{
    return facts_has(f, FLOW_FACT_MIDSTREAM | FLOW_FACT_NO_SYN);
}

bool facts_is_two_sided(const struct flow_facts *f)
{
    return f->packets[SIDE_CLIENT] > 0 && f->packets[SIDE_SERVER] > 0 &&
           !facts_has(f, FLOW_FACT_UNSEEN_PEER);
}

int64_t facts_two_way_until(const struct flow_facts *f)
{
    int64_t client = f->tcp->side[SIDE_CLIENT].last_ns, server = f->tcp->side[SIDE_SERVER].last_ns;
    if (client < 0 || server < 0)
        return f->last_ns;
    return client < server ? client : server;
}

bool facts_is_unanswered_syn(const struct flow_facts *f)
{
    return facts_is_tcp(f) && f->tcp->syn_count > 0 && f->packets[SIDE_SERVER] == 0 &&
           !facts_has(f, FLOW_FACT_UNSEEN_PEER | FLOW_FACT_MIDSTREAM) && f->payload[0] == 0;
}

bool facts_is_probe(const struct flow_facts *f)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    if (!facts_is_tcp(f) || facts_is_midstream(f) || f->payload[0] > 0 || f->payload[1] > 0)
        return false;
    if (f->capture_lost_bytes > 0 || facts_has(f, FLOW_FACT_UNSEEN_PEER))
        return false;
    if (facts_is_established(f))
        return f->closed_by == SIDE_CLIENT && f->tcp->synack_count < 3;
    /* a reset of the SYN beside the SYN-ACK came from somebody else */
    return f->tcp->synack_count == 1 && client->rst_ns >= 0 && f->tcp->syn_count <= 1 &&
           !f->tcp->rst_to_syn && f->tcp->side[SIDE_SERVER].rst_ns < 0;
}

int64_t facts_rtt(const struct flow_facts *f)
{
    int64_t server =
        f->rtt_ns[SIDE_SERVER] >= 0 ? f->rtt_ns[SIDE_SERVER] : f->connect_rtt_server_ns;
    int64_t client =
        f->rtt_ns[SIDE_CLIENT] >= 0 ? f->rtt_ns[SIDE_CLIENT] : f->connect_rtt_client_ns;
    return (server > 0 ? server : 0) + (client > 0 ? client : 0);
}

int64_t facts_end_ns(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    if (s->fin_ns < 0 || (s->rst_ns >= 0 && s->rst_ns < s->fin_ns))
        return s->rst_ns;
    return s->fin_ns;
}

bool facts_left_first(const struct flow_facts *f, enum side side)
{
    enum side other = side_other(side);
    int64_t own = facts_end_ns(f, side), peer = facts_end_ns(f, other);
    if (own < 0 || peer < 0 || own != peer)
        return own >= 0 && (peer < 0 || own < peer);
    return f->closed_by == side;
}

bool facts_was_reset_by(const struct flow_facts *f, enum side side)
{
    return f->tcp->side[side].rst_ns >= 0;
}

bool facts_gave_up(const struct flow_facts *f, enum side side, int64_t since_ns)
{
    int64_t end = facts_end_ns(f, side);
    return end >= 0 && end - since_ns >= FACTS_PATIENCE_NS;
}

bool facts_hello_unanswered(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    if (t == NULL || t->client_hello_ns < 0 || t->server_hello_ns >= 0 ||
        t->step != TLS_STEP_CLIENT_HELLO)
        return false;
    /* Before an upgrade the server has its say in clear. */
    int64_t last = f->tcp->side[SIDE_SERVER].last_payload_ns;
    bool silent_since = last >= 0 && last < t->client_hello_ns;
    /* What was acknowledged only by a hello that never arrived is sent again, and is no answer. */
    bool never_arrived = !t->plaintext_server &&
                         f->tcp->side[SIDE_CLIENT].unacked_bytes >= t->client_hello_bytes;
    return f->payload[SIDE_SERVER] == 0 ||
           (t->upgraded_from != NULL && (silent_since || never_arrived));
}

bool facts_is_blurred(const struct flow_facts *f)
{
    return f->capture_lost_bytes > 0 ||
           facts_has(f, FLOW_FACT_UNSEEN_PEER | FLOW_FACT_SNAPLEN | FLOW_FACT_LIMIT) ||
           f->end == END_EVICTED;
}

bool facts_is_heard_whole(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    return !facts_is_midstream(f) && s->capture_gap_bytes == 0 && s->wire_gap_bytes == 0 && !s->unseen_echo;
}

/* RFC 6298 2: what is not acknowledged is sent again after a second, or some round trips. Where bytes before it never
 * came by, what is sent again may be lost before the tap as well. */
static bool was_left_unsent(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[side_other(side)];
    int64_t due = s->last_payload_ns + FACTS_PATIENCE_NS + 4 * facts_rtt(f), end = facts_end_ns(f, side_other(side));
    return s->unacked_bytes > 0 && s->wire_gap_bytes == 0 && s->tail_retransmissions == 0 && s->last_payload_ns >= 0 && s->last_ns >= due &&
           (end < 0 || end >= due) && peer->zero_window_ns <= 0;
}

bool facts_is_torn(const struct flow_facts *f)
{
    for (int s = 0; s < 2; s++) {
        if (f->tcp->side[s].unseen_echo || was_left_unsent(f, (enum side)s))
            return true;
    }
    return false;
}

bool facts_refused_handshake(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    bool told = t->alert > 0 && !t->alert_inferred && t->alert_by == SIDE_CLIENT;
    bool whole = facts_is_heard_whole(f, SIDE_CLIENT) && facts_is_heard_whole(f, SIDE_SERVER);
    return !t->established && (told || (whole && (t->alert >= 0 || facts_end_ns(f, SIDE_CLIENT) >= 0)));
}

/* Mail, directories and databases say goodbye in a message that nobody answers; behind a proxy's
 * header anything may come, most often the web. */
static bool tls_is_web(const struct tls_facts *t)
{
    static const char *const openings[] = {"http", "proxy", "socks4", "socks5"};
    bool any = t->upgraded_from == NULL;
    for (size_t i = 0; !any && i < sizeof openings / sizeof openings[0]; i++)
        any = strcmp(t->upgraded_from, openings[i]) == 0;
    return any;
}

bool facts_is_dialogue(const struct flow_facts *f)
{
    if (f->tls != NULL && !tls_is_web(f->tls))
        return false;
    return f->tls != NULL ||
           (f->app != NULL && (strcmp(f->app, "http") == 0 || strcmp(f->app, "tls") == 0 ||
                               strcmp(f->app, "tlcp") == 0));
}

static bool tls_is_plain(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    if (t == NULL)
        return true;
    return t->established && t->alert < 0 && !t->plaintext_client && !t->plaintext_server;
}

/* A reset that ends what was complete, and that nothing speaks against its sender having sent: most
 * HTTPS connections end so. */
static bool reset_is_ordinary(const struct flow_facts *f, const struct tcp_side_facts *side)
{
    if (!facts_has(f, FLOW_FACT_ANSWERED) || side->data_after_rst || side->rst_ack_changed ||
        side->rst_with_payload || side->rst_sequence_offset != 0)
        return false;
    return side->rst_ttl + 2 >= side->ttl_min && side->rst_ttl <= side->ttl_max + 2;
}

bool facts_is_icmp(const struct flow_facts *f)
{
    return f->protocol == FACTS_PROTOCOL_ICMP || f->protocol == FACTS_PROTOCOL_ICMP_6;
}

/* RFC 792, 950, 4443 4.1, 4620, 6275 6.5: the type of an ICMP flow stands as its port. */
bool facts_asks_by_icmp(const struct flow_facts *f)
{
    static const uint16_t asking[2][4] = {{8, 13, 15, 17}, {128, 139, 144, 128}};
    const uint16_t *types = asking[f->protocol == FACTS_PROTOCOL_ICMP_6];
    for (size_t i = 0; facts_is_icmp(f) && i < 4; i++) {
        if (f->port[SIDE_CLIENT] == types[i] || f->port[SIDE_SERVER] == types[i])
            return true;
    }
    return false;
}

bool facts_is_plain(const struct flow_facts *f)
{
    const struct flow_tcp_record *t = f->tcp;
    if (facts_is_icmp(f))
        return facts_asks_by_icmp(f) && f->packets[0] > 0 && f->packets[1] > 0;
    if (!facts_is_tcp(f))
        return f->protocol != FACTS_PROTOCOL_UDP ||
               (f->packets[0] > 0 && f->packets[1] > 0 && tls_is_plain(f));
    if (!facts_is_established(f) || facts_is_blurred(f) || facts_is_probe(f))
        return false;
    if (facts_has(f, FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE | FLOW_FACT_LOOPED))
        return false;
    if (!tls_is_plain(f))
        return false;
    if (f->payload[SIDE_CLIENT] > 0 && f->payload[SIDE_SERVER] == 0 && f->closed_by == SIDE_SERVER)
        return false; /* it took the client's words and left without one */
    for (int s = 0; s < 2; s++) {
        if (f->resets[s] > 0 && !reset_is_ordinary(f, &t->side[s]))
            return false;
        if (t->side[s].tail_retransmissions > 0 || t->side[s].wire_gap_bytes > 0 ||
            t->side[s].silent_probes >= FACTS_TRIES)
            return false;
    }
    return t == &nothing_happened || t->synack_count < 3;
}

static enum stage tls_stage(const struct tls_facts *t)
{
    if (t->established)
        return STAGE_TLS_FIN;
    switch (t->step) {
    case TLS_STEP_NONE:
        return STAGE_ACK;
    case TLS_STEP_CLIENT_HELLO:
    case TLS_STEP_HELLO_RETRY:
        return STAGE_TLS_CH;
    case TLS_STEP_SERVER_HELLO:
        return STAGE_TLS_SH;
    default:
        return STAGE_TLS_CERT;
    }
}

/* Past the handshake: who had the last word, and whether it was closed. */
static enum stage application_stage(const struct flow_facts *f, enum stage reached)
{
    bool open = facts_has(f, FLOW_FACT_REQUEST_OPEN);
    bool incomplete = facts_has(f, FLOW_FACT_ANSWER_INCOMPLETE);
    bool closed = f->closed_by != SIDE_NONE;
    if (incomplete)
        return STAGE_RESP;
    if (open)
        return STAGE_REQ;
    if (closed)
        return STAGE_CLOSE;
    if (f->payload[0] > 0 || f->payload[1] > 0)
        return facts_has(f, FLOW_FACT_ANSWERED) ? STAGE_IDLE : reached;
    return reached;
}

enum stage facts_stage(const struct flow_facts *f)
{
    if (!facts_is_tcp(f)) {
        if (f->protocol != FACTS_PROTOCOL_UDP)
            return STAGE_NONE;
        if (f->tls != NULL && !f->tls->established && f->packets[SIDE_SERVER] > 0)
            return tls_stage(f->tls);
        return f->packets[SIDE_SERVER] > 0 ? STAGE_RESP : STAGE_REQ;
    }
    if (!facts_is_established(f) && !facts_is_midstream(f))
        return f->tcp->synack_count > 0 ? STAGE_SYNACK : STAGE_SYN;
    if (f->tls != NULL && !f->tls->established &&
        (f->tls->step != TLS_STEP_NONE || f->tls->alert >= 0))
        return tls_stage(f->tls);
    return application_stage(f, f->tls != NULL ? STAGE_TLS_FIN : STAGE_ACK);
}

bool facts_is_ftp_control(const struct flow_facts *flow)
{
    uint16_t port = flow->port[SIDE_SERVER];
    return port == 21 || port == 990 || (flow->app != NULL && strcmp(flow->app, "ftp") == 0);
}
