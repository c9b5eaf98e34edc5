/* Verdicts of connections that a RST ended: who sent it, and whether it was he who claims to. */
#include "core/texts.h"
#include "diagnosis/site/neighbors.h"
#include "diagnosis/site/reset_forensics.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>

/* A RST so soon after the handshake ended it before the client could use it. */
#define USELESS_NS FACTS_SECOND

bool verdict_reset_fits(const struct site_flow *flow, enum side side, bool *known)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    if (s->ttl_max > 0) {
        *known = true;
        return s->rst_ttl + TTL_TOLERANCE >= s->ttl_min && s->rst_ttl <= s->ttl_max + TTL_TOLERANCE;
    }
    if (flow->f.ttl[side] > 0) {
        *known = true;
        return abs((int)flow->f.ttl[side] - (int)s->rst_ttl) <= TTL_TOLERANCE;
    }
    return host_ttl_fits(side == SIDE_CLIENT ? flow->client : flow->server, s->rst_ttl, known);
}

bool verdict_ttl_fits(const struct site_flow *flow, enum side side, uint8_t ttl, bool *known)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    bool elsewhere = host_ttl_fits(side == SIDE_CLIENT ? flow->client : flow->server, ttl, known);
    if (s->ttl_max == 0 || elsewhere)
        return elsewhere;
    *known = true;
    return ttl + TTL_TOLERANCE >= s->ttl_min && ttl <= s->ttl_max + TTL_TOLERANCE;
}

/* Something was still owed when it ended: a handshake, an answer, the rest of one. */
static bool was_interrupted(const struct flow_facts *f)
{
    bool handshake = f->tls != NULL && f->tls->client_hello_ns >= 0 && !f->tls->established;
    return handshake || facts_has(f, FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE) ||
           f->tcp->side[SIDE_CLIENT].unacked_bytes > 0 ||
           f->tcp->side[SIDE_SERVER].unacked_bytes > 0;
}

/* Two families are needed; every further term makes it surer. */
static uint8_t confidence_of(const struct reset_signs *signs)
{
    int confidence = 55 + signs->score * 2 / 5;
    return (uint8_t)(confidence < 95 ? confidence : 95);
}

enum ruling verdict_reset_injected(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if ((!facts_is_established(f) && !facts_is_midstream(f)) || !was_interrupted(f))
        return RULING_PASS;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_SERVER : SIDE_CLIENT;
        struct reset_signs signs = reset_forensics(judge, flow, side);
        if (signs.count < 2)
            continue;
        *out = claim_start(FINDING_TCP_RESET_INJECTED, flow);
        out->confidence = confidence_of(&signs);
        out->weight = signs.score;
        reset_describe(judge, flow, side, &signs, out);
        out->evidence =
            EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_REQUEST);
        return RULING_FAILED;
    }
    return RULING_PASS;
}

static void doubt_claim(struct claim *out)
{
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_CAPTURE_LOSS, LANG_EN);
    if (out->confidence >= CONFIDENCE_POSSIBLE)
        out->confidence = CONFIDENCE_POSSIBLE - 5;
}

/* Signs of another hand, too few to prove it: then the side that it names is not proven either. */
static void doubt_sender(struct claim *out)
{
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_FOREIGN_SIGNS, LANG_EN);
}

/* RFC 9293 3.10.7.1: a RST without ACK answers a segment for a connection that is no more. What
 * ended it on that side, its program or a reset out of this tap's sight, was not captured. */
bool verdict_ended_unseen(const struct judge *judge, const struct flow_facts *f)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    return judge->quality.misses_packets && client->rst_ns >= 0 && !client->rst_with_ack && client->fin_ns < 0;
}

void verdict_doubt_aborter(const struct flow_facts *f, struct claim *out)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    if (client->rst_ns < 0 || client->rst_with_ack || client->fin_ns >= 0 ||
        out->culprit != CULPRIT_CLIENT)
        return;
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_ENDED_UNSEEN, LANG_EN);
    if (out->confidence >= CONFIDENCE_POSSIBLE)
        out->confidence = CONFIDENCE_POSSIBLE - 5;
}

/* The file was cut before what contradicts the reset could have come: its sender's own packets. */
static bool is_cut_behind(const struct judge *judge, const struct flow_facts *f, int64_t rst_ns)
{
    return judge->quality.found[FINDING_CAPTURE_FILE_CUT] &&
           judge_capture_end(judge, rst_ns) - rst_ns < facts_rtt(f);
}

/* ---- the server's ---------------------------------------------------------------------------- */

static bool is_clear_http(const struct site_flow *flow)
{
    return flow->request_count > 0 && flow->f.tls == NULL;
}

/* The client had finished: what the server still sent or refused did not matter to it. Only an HTTP
 * client may close its half and still wait (RFC 9112 9.6). */
static bool client_was_done(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    int64_t rst = f->tcp->side[SIDE_SERVER].rst_ns;
    if (f->tls != NULL && f->tls->close_notify_client)
        return true;
    bool left = client->fin_ns >= 0 && client->fin_ns <= rst;
    return left && !(is_clear_http(flow) && facts_has(f, FLOW_FACT_REQUEST_OPEN));
}

/* It had answered and closed, and the client has all of that: what it then refuses is the rest of a request that it
 * did not wait for (RFC 9110 10.1.1, RFC 9112 9.6). */
static bool had_answered(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    return is_clear_http(flow) && flow->requests[flow->request_count - 1]->response_ns >= 0 &&
           !facts_has(f, FLOW_FACT_ANSWER_INCOMPLETE) && server->fin_ns >= 0 &&
           server->fin_ns <= server->rst_ns && server->unacked_bytes == 0;
}

/* Protocols that nobody here reads may end with a word of the client's ("QUIT") that meets a closed
 * socket: then the server had said goodbye, or its reset comes from no socket at all (without ACK).
 */
static bool may_be_goodbye(const struct flow_facts *f)
{
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    return !facts_is_dialogue(f) && f->payload[SIDE_SERVER] > 0 &&
           (server->fin_ns >= 0 || !server->rst_with_ack);
}

/* Every byte of the client was acknowledged, if only by the RST itself. */
static bool all_acknowledged(const struct flow_facts *f)
{
    if (f->tcp->side[SIDE_CLIENT].unacked_bytes == 0)
        return true;
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *r = &f->reset_rows[i];
        if (r->side == SIDE_SERVER)
            return r->with_ack && r->ack_offset == 0;
    }
    return false;
}

/* When it reset the connection, the last word was the server's: what the client said, it said later, and the two
 * crossed. */
static bool had_last_word(const struct flow_facts *f)
{
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    if (f->tcp->side[SIDE_CLIENT].last_payload_ns <= server->rst_ns)
        return false;
    for (size_t i = f->event_count; i > 0; i--) {
        const struct flow_event *event = &f->events[i - 1];
        if (event->length > 0 && event->time_ns <= server->rst_ns && event->side <= SIDE_SERVER)
            return event->side == SIDE_SERVER;
    }
    return facts_is_midstream(f); /* what was said before it was not captured */
}

/* Taken up in the middle, in words that nobody here reads: why the server closed it was said before. */
static bool had_closed_unread(const struct site_flow *flow)
{
    const struct tcp_side_facts *server = &flow->f.tcp->side[SIDE_SERVER];
    return facts_is_midstream(&flow->f) && !is_clear_http(flow) && server->fin_ns >= 0 &&
           server->fin_ns <= server->rst_ns;
}

/* RFC 9293 3.10.7.1: the client's system refuses what comes after the reset, so something came: the server went on. */
static bool was_answered(const struct flow_facts *f)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    return client->rst_ns > f->tcp->side[SIDE_SERVER].rst_ns && !client->rst_with_ack;
}

/* Who sent it did not know of the connection that it had just taken (RFC 9293 3.10.7.1), or the server went on behind
 * it: it may be somebody else's. Of two machines with one address is told elsewhere. */
static bool is_strange(const struct judge *judge, const struct site_flow *flow, bool useless)
{
    const struct flow_facts *f = &flow->f;
    bool unknown_to_it = useless && !f->tcp->side[SIDE_SERVER].rst_with_ack;
    return (was_answered(f) || unknown_to_it) &&
           !neighbors_conflict_holds(judge, &flow->server->address, f->first_ns, f->last_ns);
}

/* As many connections of the service are looked at. */
#define SPOKEN_LOOKED_AT 256

/* A request in clear to a service that was never heard to speak, where packets are missing: it may speak TLS alone. */
static bool may_be_wrong_port(const struct judge *judge, const struct site_flow *flow)
{
    struct flow_range range = flow->service->flows;
    if (!judge->quality.misses_packets || !is_clear_http(flow))
        return false;
    for (size_t i = 0; i < range.count && i < SPOKEN_LOOKED_AT; i++) {
        if (range.flows[i]->f.payload[SIDE_SERVER] > 0)
            return false;
    }
    return true;
}

enum ruling verdict_server_reset(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    bool known;
    if (server->rst_ns < 0 || client_was_done(flow) || had_answered(flow) ||
        (client->rst_ns >= 0 && client->rst_ns < server->rst_ns))
        return RULING_PASS;
    bool owed = facts_has(f, FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE) ||
                (client->unacked_bytes > 0 && facts_is_established(f));
    bool useless = facts_is_established(f) && f->payload[0] == 0 && f->payload[1] == 0 &&
                   server->rst_ns - f->tcp->established_ns < USELESS_NS;
    if (!owed && !useless)
        return RULING_PASS;
    if (may_be_goodbye(f) || had_last_word(f) || had_closed_unread(flow))
        return RULING_UNKNOWN;
    bool fits = verdict_reset_fits(flow, SIDE_SERVER, &known);
    struct reset_signs signs = reset_forensics(judge, flow, SIDE_SERVER);
    if (signs.count == 0 && (reset_tells_of_unseen(f, SIDE_SERVER) || is_cut_behind(judge, f, server->rst_ns)))
        return RULING_UNKNOWN; /* what came around it is not in the capture */
    int64_t waited = client->last_payload_ns >= 0 ? server->rst_ns - client->last_payload_ns : 0;
    *out = claim_start(FINDING_TCP_RESET_BY_SERVER, flow);
    /* in protocols that nobody here reads, who spoke last need not be owed anything */
    bool vague = !facts_is_dialogue(f) && f->payload[SIDE_SERVER] > 0 && all_acknowledged(f);
    bool left = server->fin_ns >= 0 && server->fin_ns <= server->rst_ns;
    if (vague)
        out->severity = SEVERITY_LOW;
    bool strange = is_strange(judge, flow, useless);
    out->confidence = signs.count > 0   ? 45
                      : vague           ? 45
                      : strange         ? 45
                      : useless || left ? 60
                      : known && fits   ? 85
                                        : 70;
    if (signs.count > 0 || strange)
        doubt_sender(out);
    if (may_be_wrong_port(judge, flow))
        doubt_claim(out);
    out->weight = (double)waited;
    if (client->last_payload_ns > 0 && client->last_payload_ns <= server->rst_ns)
        out->evidence_from_ns = client->last_payload_ns;
    claim_add_ms(out, "waited_ms", waited > 0 ? waited : 0);
    claim_add_text(out, "signs", reset_family_words(judge, &signs));
    out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_DATA);
    return RULING_FAILED;
}

/* ---- the client's ---------------------------------------------------------------------------- */

enum ruling verdict_client_reset(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    bool open = facts_has(f, FLOW_FACT_REQUEST_OPEN);
    bool incomplete = facts_has(f, FLOW_FACT_ANSWER_INCOMPLETE);
    if (client->rst_ns < 0 || (!open && !incomplete) || client->last_payload_ns < 0)
        return RULING_PASS;
    if ((client->fin_ns >= 0 && client->fin_ns <= client->rst_ns) ||
        (f->tls != NULL && f->tls->close_notify_client) || facts_end_ns(f, SIDE_SERVER) >= 0)
        return RULING_PASS;
    int64_t heard = f->tcp->side[SIDE_SERVER].last_payload_ns;
    int64_t since = incomplete && heard > client->last_payload_ns ? heard : client->last_payload_ns;
    /* What the server never took it was not asked: whether the way or the server refuses it is not seen. */
    bool untaken = client->unacked_bytes > 0 && client->tail_retransmissions > 0;
    if (untaken && client->tail_first_ns >= 0 && client->tail_first_ns < since)
        since = client->tail_first_ns;
    int64_t waited = client->rst_ns - since;
    bool patient = waited >= FACTS_PATIENCE_NS;
    /* Protocols that nobody here reads may end with a word of the client's; once the server has
     * spoken, a pause tells of no wait. */
    if (!facts_is_dialogue(f) && (!patient || f->payload[SIDE_SERVER] > 0))
        return RULING_PASS;
    *out = claim_start(FINDING_TCP_RESET_BY_CLIENT, flow);
    out->culprit = untaken ? CULPRIT_UNKNOWN : patient ? CULPRIT_SERVER : CULPRIT_CLIENT;
    out->reason = untaken ? text_get(TEXT_REASON_BOTH_SIDES, LANG_EN) : NULL;
    struct reset_signs signs = reset_forensics(judge, flow, SIDE_CLIENT);
    if (signs.count == 0 && (verdict_ended_unseen(judge, f) || reset_tells_of_unseen(f, SIDE_CLIENT) ||
                             is_cut_behind(judge, f, client->rst_ns)))
        return RULING_UNKNOWN; /* what came around it is not in the capture */
    out->confidence = signs.count > 0 ? 45 : facts_is_dialogue(f) ? 75 : 55;
    if (signs.count > 0)
        doubt_sender(out);
    verdict_doubt_aborter(f, out);
    out->weight = (double)waited;
    out->evidence_from_ns = untaken ? since : client->last_payload_ns;
    claim_add_ms(out, "waited_ms", waited);
    claim_add_text(out, "signs", reset_family_words(judge, &signs));
    out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_DATA);
    return RULING_FAILED;
}
