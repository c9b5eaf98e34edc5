/* Verdicts of TLS and TLCP handshakes that did not end well, and without a readable alert. */
#include "diagnosis/flow/alerts.h"
#include "diagnosis/site/reset_forensics.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>
#include <string.h>

#define VERSION_SSL2 0x0002
#define VERSION_SSL3 0x0300
#define VERSION_TLS_13 0x0304

/* ---- plaintext ------------------------------------------------------------------------------- */

static bool server_wanted_tls(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (f->tls != NULL && f->tls->alert >= 0 && f->tls->alert_by == SIDE_SERVER)
        return true;
    if (flow->request_count > 0 && flow->requests[0]->status != 0)
        return flow->requests[0]->status == 400;
    return f->payload[SIDE_CLIENT] > 0 && f->payload[SIDE_SERVER] == 0 &&
           f->closed_by == SIDE_SERVER;
}

enum ruling verdict_plaintext(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tls_facts *t = f->tls;
    (void)judge;
    if (t != NULL && t->established)
        return RULING_PASS;
    bool http = flow->request_count > 0 || (f->app != NULL && strcmp(f->app, "http") == 0);
    /* The last bytes of a session whose start was not captured are no clear text. */
    bool is_clear = http || !facts_is_midstream(f);
    /* The port is known for TLS by its other connections, whatever the profile says. */
    bool asked_in_clear =
        (t != NULL && t->plaintext_client) ||
        ((http || f->payload[SIDE_SERVER] == 0) && flow->service->version_min != 0 &&
         f->payload[SIDE_CLIENT] > 0 && (t == NULL || t->client_hello_ns < 0));
    if (is_clear && asked_in_clear && server_wanted_tls(flow)) {
        *out = claim_start(FINDING_TLS_PLAINTEXT_ON_TLS_PORT, flow);
        out->confidence = t != NULL && t->alert >= 0 ? 95 : f->payload[SIDE_SERVER] > 0 ? 85 : 75;
        claim_add_text(out, "protocol", http ? "HTTP" : "unknown");
        out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_DATA) | EVIDENCE(EVENT_ALERT) |
                        EVIDENCE(EVENT_RESPONSE);
        return RULING_FAILED;
    }
    if (t != NULL && t->plaintext_server && t->server_hello_ns < 0) {
        if (!facts_is_heard_whole(f, SIDE_SERVER))
            return RULING_UNKNOWN; /* it may be the middle of a record */
        *out = claim_start(FINDING_TLS_ON_PLAINTEXT_PORT, flow);
        claim_add_text(out, "protocol", http ? "HTTP" : "unknown");
        out->evidence =
            EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_DATA) | EVIDENCE(EVENT_RESPONSE);
        return RULING_FAILED;
    }
    return RULING_PASS;
}

/* ---- the ClientHello gets no answer ---------------------------------------------------------- */

enum ruling verdict_hello_dropped(struct judge *judge, const struct site_flow *flow,
                                  struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    if (!facts_is_established(f) || !facts_hello_unanswered(f) || client->unacked_bytes == 0 ||
        facts_was_reset_by(f, SIDE_SERVER))
        return RULING_PASS;
    if (client->tail_retransmissions == 0 || !verdict_tail_is_proven(judge, flow, SIDE_CLIENT))
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_TLS_CLIENTHELLO_DROPPED, flow);
    out->confidence = f->tls->client_hello_segments > 1 ? 85 : 80;
    out->weight = (double)(f->last_ns - f->tls->client_hello_ns);
    claim_add_number(out, "hello_bytes", f->tls->client_hello_bytes);
    claim_add_number(out, "retransmissions", client->tail_retransmissions);
    claim_add_ms(out, "waited_ms", f->last_ns - f->tls->client_hello_ns);
    out->evidence = EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_RETRANSMISSION);
    return RULING_FAILED;
}

/* How long the server stayed silent after since_ns: until somebody closed, else until the end. */
static int64_t silence_after(const struct judge *judge, const struct flow_facts *f,
                             int64_t since_ns)
{
    int64_t end = INT64_MAX;
    for (int s = 0; s < 2; s++) {
        int64_t own = facts_end_ns(f, (enum side)s);
        if (own >= 0 && own < end)
            end = own;
    }
    return (end < INT64_MAX ? end : judge_capture_end(judge, since_ns)) - since_ns;
}

/* The server answered when the client had waited, and given up. */
static bool came_too_late(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    int64_t end = facts_end_ns(f, SIDE_CLIENT);
    return t != NULL && t->client_hello_ns >= 0 && t->server_hello_ns > end && !t->established &&
           facts_gave_up(f, SIDE_CLIENT, t->client_hello_ns);
}

static void start_timeout(const struct judge *judge, const struct site_flow *flow, int64_t since_ns,
                          struct claim *out)
{
    *out = claim_start(FINDING_TLS_HANDSHAKE_TIMEOUT, flow);
    int64_t waited = silence_after(judge, &flow->f, since_ns);
    out->confidence = 85;
    out->weight = (double)waited;
    claim_add_ms(out, "waited_ms", waited);
    if (came_too_late(&flow->f))
        claim_add_ms(out, "late_ms", flow->f.tls->server_hello_ns - since_ns);
    claim_add_reference(out, flow->f.source_id, flow->f.tls->client_hello_frame,
                        flow->f.tls->client_hello_ns, EVENT_CLIENT_HELLO);
    out->evidence = VERDICT_HELLO_EVIDENCE | EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
}

enum ruling verdict_hello_silence(struct judge *judge, const struct site_flow *flow,
                                  struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_is_established(f) || !(facts_hello_unanswered(f) || came_too_late(f)) ||
        f->tcp->side[SIDE_CLIENT].unacked_bytes > 0)
        return RULING_PASS;
    int64_t since = f->tls->client_hello_ns;
    int64_t server_end = facts_end_ns(f, SIDE_SERVER), client_end = facts_end_ns(f, SIDE_CLIENT);
    bool server_first = facts_left_first(f, SIDE_SERVER);
    if (server_first && server_end - since < FACTS_ABSENCE_NS)
        return RULING_PASS;
    if (!server_first && client_end >= 0 && client_end - since < FACTS_PATIENCE_NS)
        return RULING_PASS;
    if (!server_first && client_end < 0 &&
        (!judge_absence_holds(judge, flow, since) || judge_may_miss_end(judge, flow, since)))
        return RULING_UNKNOWN;
    start_timeout(judge, flow, since, out);
    return RULING_FAILED;
}

/* ---- closed after the ClientHello ------------------------------------------------------------ */

/* The FIN carries the TTL of the side's usual packets: a foreign one widens their range. */
static bool fin_fits(const struct flow_facts *f, bool *known)
{
    const struct tcp_side_facts *s = &f->tcp->side[SIDE_SERVER];
    *known = s->ttl_max > 0;
    return s->ttl_max - s->ttl_min <= TTL_TOLERANCE;
}

/* So many show a rule, of either kind; more need not be looked at. */
#define RULE_ENOUGH 2
#define RULE_LOOKED_AT 256

/* The service completes handshakes of higher versions than this hello offers, no other, answers none of the older
 * hellos, of which there are several, and left no newer one without an answer. It never said protocol_version: some
 * servers close instead. */
static bool takes_newer_alone(const struct site_flow *flow)
{
    uint16_t offered = flow->f.tls->version_offered, least = flow->service->version_min;
    struct flow_range flows = flow->service->flows;
    unsigned taken = 0, closed = 0;
    if (offered < VERSION_SSL3 || offered >= least || least > VERSION_TLS_13)
        return false;
    for (size_t i = 0; i < flows.count && i < RULE_LOOKED_AT; i++) {
        const struct tls_facts *t = flows.flows[i]->f.tls;
        if (t == NULL || t->client_hello_ns < 0)
            continue;
        bool unanswered = facts_hello_unanswered(&flows.flows[i]->f);
        if (unanswered && t->version_offered >= least)
            return false;
        taken += t->established && t->version != 0;
        closed += unanswered && t->version_offered != 0;
    }
    return taken >= RULE_ENOUGH && closed >= RULE_ENOUGH;
}

static void close_by_version(struct judge *judge, const struct site_flow *flow, uint8_t confidence,
                             struct claim *out)
{
    *out = claim_start(FINDING_TLS_VERSION_MISMATCH, flow);
    out->confidence = confidence;
    verdict_blame_version(judge, flow, out);
}

static void close_by_reset(const struct judge *judge, const struct site_flow *flow,
                           struct claim *out)
{
    const struct tcp_side_facts *server = &flow->f.tcp->side[SIDE_SERVER];
    bool known, elsewhere, fits = verdict_reset_fits(flow, SIDE_SERVER, &known);
    /* RFC 9293 3.10.7: who never sent that SYN-ACK, or forgot it, answers so */
    bool stranger = !server->rst_with_ack && server->last_payload_ns < 0;
    int signs = reset_forensics(judge, flow, SIDE_SERVER).count;
    *out = claim_start(FINDING_TLS_RESET_AFTER_CLIENTHELLO, flow);
    if (known && fits && signs == 0 && !stranger) {
        out->culprit = CULPRIT_SERVER;
        out->confidence = 80;
    } else if (known && !fits &&
               !(verdict_ttl_fits(flow, SIDE_SERVER, server->rst_ttl, &elsewhere))) {
        out->category = CATEGORY_NETWORK;
        out->culprit = CULPRIT_MIDDLEBOX;
        out->confidence = 45;
    } else {
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(known ? TEXT_REASON_BOTH_SIDES : TEXT_REASON_NO_TTL, LANG_EN);
        out->confidence = 45;
    }
}

static void close_by_fin(const struct site_flow *flow, struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    bool known, fits = fin_fits(&flow->f, &known);
    bool other_names = t->sni != NULL && flow->service->name_count > 0 &&
                       flow->service->name_count < SERVICE_NAMES &&
                       !service_knows_name(flow->service, t->sni);
    if (other_names && fits) {
        *out = claim_start(FINDING_TLS_UNRECOGNIZED_NAME, flow);
        out->confidence = 65;
        claim_add_text(out, "sni", t->sni);
        return;
    }
    *out = claim_start(FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, flow);
    out->culprit = fits ? CULPRIT_SERVER : CULPRIT_MIDDLEBOX;
    out->category = fits ? CATEGORY_SERVER : CATEGORY_NETWORK;
    out->confidence = known && fits ? 80 : fits ? 60 : 45;
}

/* Browsers open more connections than they need and drop the rest in mid-handshake: the same name
 * was reached by the same client at that time. */
#define SPARE_NS (10 * FACTS_SECOND)
#define SPARE_NEIGHBORS 256

static bool was_spare(const struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, flow->f.first_ns - SPARE_NS);
    for (size_t seen = 0; at < range.count && seen < SPARE_NEIGHBORS; at++, seen++) {
        const struct site_flow *twin = range.flows[at];
        if (twin->f.first_ns > flow->f.first_ns + SPARE_NS)
            return false;
        const struct tls_facts *other_tls = twin->f.tls;
        if (other_tls == NULL || !other_tls->established)
            continue;
        if (t->sni != NULL ? other_tls->sni != NULL && strcmp(t->sni, other_tls->sni) == 0
                           : twin->service == flow->service)
            return true;
    }
    return false;
}

/* The client closed so soon after its own last word that no answer could have reached it, if one came
 * at all it came later: it no longer wanted one. */
static bool left_at_once(const struct flow_facts *f)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    int64_t end = facts_end_ns(f, SIDE_CLIENT), rtt = facts_rtt(f);
    int64_t heard = f->tcp->side[SIDE_SERVER].last_payload_ns;
    return facts_left_first(f, SIDE_CLIENT) && client->last_payload_ns >= 0 &&
           (heard < client->last_payload_ns || heard > end) &&
           end - client->last_payload_ns < (rtt > FACTS_MS ? rtt : FACTS_MS);
}

/* Something is missing just before the end that the side made: an alert, most likely. */
static bool ends_unseen(const struct flow_facts *f, enum side closer)
{
    return f->tcp->side[closer].wire_gap_bytes > 0 || reset_tells_of_unseen(f, closer);
}

/* The client itself let go of it before the server could have answered in earnest. */
static enum ruling client_left(const struct judge *judge, const struct site_flow *flow,
                               struct claim *out)
{
    if (was_spare(judge, flow) || left_at_once(&flow->f))
        return RULING_UNSOLICITED;
    /* It waited, or said why; what it waited for or said is not in the capture. */
    if (facts_gave_up(&flow->f, SIDE_CLIENT, flow->f.tls->client_hello_ns) ||
        ends_unseen(&flow->f, SIDE_CLIENT))
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_TLS_HANDSHAKE_ABORTED, flow);
    out->culprit = CULPRIT_CLIENT;
    out->confidence = 60;
    claim_add_text(out, "step", verdict_step_word(flow->f.tls->step));
    claim_add_text(out, "closer", "client");
    out->evidence = VERDICT_HELLO_EVIDENCE | EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
    return RULING_FAILED;
}

enum ruling verdict_hello_closed(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_hello_unanswered(f))
        return RULING_PASS;
    int64_t server_end = facts_end_ns(f, SIDE_SERVER), client_end = facts_end_ns(f, SIDE_CLIENT);
    if (server_end < 0 && client_end < 0)
        return RULING_PASS;
    if (!facts_left_first(f, SIDE_SERVER))
        return client_left(judge, flow, out);
    if (!facts_is_heard_whole(f, SIDE_SERVER) || reset_tells_of_unseen(f, SIDE_SERVER))
        return RULING_UNKNOWN; /* it said something that is not in the capture */
    bool reset = server_end == f->tcp->side[SIDE_SERVER].rst_ns;
    uint16_t refused = flow->service->refused_offer;
    if (refused != 0 && f->tls->version_offered != 0 && f->tls->version_offered <= refused)
        close_by_version(judge, flow, 75, out);
    else if (takes_newer_alone(flow) && (!reset || reset_forensics(judge, flow, SIDE_SERVER).count == 0))
        close_by_version(judge, flow, 65, out);
    else if (reset)
        close_by_reset(judge, flow, out);
    else
        close_by_fin(flow, out);
    if (out->code != FINDING_TLS_UNRECOGNIZED_NAME && out->code != FINDING_TLS_VERSION_MISMATCH)
        claim_add_ms(out, "reply_ms", server_end - f->tls->client_hello_ns);
    out->evidence = EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_FIN);
    return RULING_FAILED;
}

/* ---- later ----------------------------------------------------------------------------------- */

/* Who spoke last in the handshake waits for the other. */
static bool client_waits(const struct flow_facts *f)
{
    return f->tcp->side[SIDE_CLIENT].last_payload_ns > f->tcp->side[SIDE_SERVER].last_payload_ns;
}

static enum ruling stalled(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    int64_t since = f->tcp->side[SIDE_CLIENT].last_payload_ns;
    if (!client_waits(f) || since < 0)
        return RULING_UNKNOWN;
    if (!facts_gave_up(f, SIDE_CLIENT, since) &&
        (!judge_absence_holds(judge, flow, since) || judge_may_miss_end(judge, flow, since)))
        return RULING_UNKNOWN;
    start_timeout(judge, flow, since, out);
    out->confidence = 75;
    return RULING_FAILED;
}

/* Bytes of the flight never arrived: the rule about silence knows better. */
static bool has_open_tail(const struct flow_facts *f)
{
    for (int s = 0; s < 2; s++) {
        const struct tcp_side_facts *side = &f->tcp->side[s];
        if (side->unacked_bytes > 0 && side->tail_retransmissions >= FACTS_TRIES)
            return true;
    }
    return false;
}

/* The client closes in peace in the middle of the server's flight, which no stack does on account of
 * what it read there: it was made to, or the rest never was a handshake. */
static bool ends_after_server_hello(const struct flow_facts *f)
{
    return !f->tls->alert_inferred && f->tls->step <= TLS_STEP_SERVER_HELLO &&
           f->closed_by == SIDE_CLIENT && f->tcp->side[SIDE_CLIENT].rst_ns < 0;
}

enum ruling verdict_handshake_aborted(struct judge *judge, const struct site_flow *flow,
                                      struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tls_facts *t = f->tls;
    enum finding_code code;
    if (t == NULL || t->established || t->client_hello_ns < 0 || t->plaintext_client ||
        t->plaintext_server || !facts_is_established(f))
        return RULING_PASS;
    if (t->version == VERSION_SSL2)
        return RULING_UNKNOWN; /* nobody here reads on after its hellos */
    if (alert_find_verdict(f, &code) && code != FINDING_TLS_HANDSHAKE_ABORTED) {
        verdict_start_alert(judge, flow, code, out);
        return RULING_FAILED;
    }
    if ((t->has_client_app && t->has_server_app) || has_open_tail(f))
        return RULING_PASS;
    bool gave_up = f->closed_by == SIDE_CLIENT && client_waits(f) && !t->alert_inferred &&
                   facts_gave_up(f, SIDE_CLIENT, f->tcp->side[SIDE_CLIENT].last_payload_ns);
    if (f->closed_by > SIDE_SERVER || gave_up)
        return stalled(judge, flow, out);
    if (ends_after_server_hello(f))
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_TLS_HANDSHAKE_ABORTED, flow);
    /* A client may say goodbye in an alert before it has finished; the server then closes first. */
    bool by_client = t->alert_inferred ? t->alert_by == SIDE_CLIENT
                                       : t->close_notify_client || f->closed_by == SIDE_CLIENT;
    if (by_client && !t->alert_inferred && (was_spare(judge, flow) || left_at_once(f)))
        return RULING_UNSOLICITED;
    if (ends_unseen(f, by_client ? SIDE_CLIENT : SIDE_SERVER) ||
        (by_client && !t->alert_inferred && verdict_ended_unseen(judge, f)))
        return RULING_UNKNOWN;
    out->culprit = by_client ? CULPRIT_CLIENT : CULPRIT_SERVER;
    out->confidence = t->alert_inferred ? 70 : 65;
    if (by_client && !t->alert_inferred)
        verdict_doubt_aborter(f, out);
    claim_add_text(out, "step", verdict_step_word(t->alert_inferred ? t->alert_step : t->step));
    claim_add_text(out, "closer", by_client ? "client" : "server");
    out->evidence = VERDICT_HELLO_EVIDENCE | EVIDENCE(EVENT_CERTIFICATE) | EVIDENCE(EVENT_ALERT) |
                    EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
    return RULING_FAILED;
}
