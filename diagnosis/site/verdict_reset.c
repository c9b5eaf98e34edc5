/* Verdicts of connections that a RST ended: who sent it, and whether it was he who claims to. */
#include "diagnosis/site/verdict.h"

#include <stdlib.h>
#include <string.h>

/* Below this, timing on a host or a LAN is noise and no reset can be "too fast". */
#define RTT_MEASURABLE_NS (2 * FACTS_MS)
/* A RST so soon after the handshake ended it before the client could use it. */
#define USELESS_NS FACTS_SECOND

static enum side other(enum side side)
{
    return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

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

/* The RST came sooner after the other side's data than light and the tap allow. A side that was
 * sending by itself may stop at any moment: only an answer can be too fast. */
static bool is_too_fast(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[other(side)];
    if (f->rtt_ns[side] < RTT_MEASURABLE_NS || peer->last_payload_ns < 0 || s->rst_delay_ns < 0)
        return false;
    int64_t delay = s->rst_ns - peer->last_payload_ns;
    return delay >= 0 && delay < f->rtt_ns[side] / 2 && s->last_payload_ns < peer->last_payload_ns;
}

struct reset_signs verdict_reset_signs(const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[other(side)];
    struct reset_signs signs = {0};
    bool known;
    if (s->rst_ns < 0)
        return signs;
    int64_t rtt = facts_rtt(f), apart = llabs(s->rst_ns - peer->rst_ns);
    signs.sequence = s->rst_sequence_offset != 0 || s->rst_ack_changed;
    signs.later_data = s->data_after_rst;
    signs.ttl = !verdict_reset_fits(flow, side, &known) && known;
    signs.too_fast = is_too_fast(f, side);
    signs.both_sides = peer->rst_ns >= 0 && rtt >= RTT_MEASURABLE_NS && apart < rtt / 2;
    signs.count = signs.sequence + signs.later_data + signs.ttl + signs.too_fast + signs.both_sides;
    return signs;
}

/* Something was still owed when it ended: a handshake, an answer, the rest of one. */
static bool was_interrupted(const struct flow_facts *f)
{
    bool handshake = f->tls != NULL && f->tls->client_hello_ns >= 0 && !f->tls->established;
    return handshake || facts_has(f, FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE) ||
           f->tcp->side[SIDE_CLIENT].unacked_bytes > 0 ||
           f->tcp->side[SIDE_SERVER].unacked_bytes > 0;
}

static const char *sign_words(struct judge *judge, const struct reset_signs *s)
{
    char text[96] = "";
    const struct {
        bool is;
        const char *word;
    } words[] = {{s->sequence, "sequence"},
                 {s->later_data, "later data"},
                 {s->ttl, "TTL"},
                 {s->too_fast, "too fast"},
                 {s->both_sides, "both sides at once"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!words[i].is)
            continue;
        if (text[0] != '\0')
            strncat(text, ", ", sizeof text - strlen(text) - 1);
        strncat(text, words[i].word, sizeof text - strlen(text) - 1);
    }
    return arena_format(&judge->site->arena, "%s", text);
}

enum ruling verdict_reset_injected(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if ((!facts_is_established(f) && !facts_is_midstream(f)) || !was_interrupted(f))
        return RULING_PASS;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_SERVER : SIDE_CLIENT;
        struct reset_signs signs = verdict_reset_signs(flow, side);
        if (signs.count < 2)
            continue;
        *out = claim_start(FINDING_TCP_RESET_INJECTED, flow);
        out->confidence = signs.count > 2 ? 90 : 75;
        out->weight = signs.count;
        claim_add_text(out, "signs", sign_words(judge, &signs));
        claim_add_text(out, "sender", verdict_side_word(side));
        out->evidence =
            EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_REQUEST);
        return RULING_FAILED;
    }
    return RULING_PASS;
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

/* Protocols that nobody here reads may end with a word of the client's ("QUIT") that meets a closed
 * socket: then the server had said goodbye, or its reset comes from no socket at all (without ACK).
 */
static bool may_be_goodbye(const struct flow_facts *f)
{
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    return !facts_is_dialogue(f) && f->payload[SIDE_SERVER] > 0 &&
           (server->fin_ns >= 0 || !server->rst_with_ack);
}

enum ruling verdict_server_reset(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    bool known;
    (void)judge;
    if (server->rst_ns < 0 || client_was_done(flow) ||
        (client->rst_ns >= 0 && client->rst_ns < server->rst_ns))
        return RULING_PASS;
    bool owed = facts_has(f, FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE) ||
                (client->unacked_bytes > 0 && facts_is_established(f));
    bool useless = facts_is_established(f) && f->payload[0] == 0 && f->payload[1] == 0 &&
                   server->rst_ns - f->tcp->established_ns < USELESS_NS;
    if (!owed && !useless)
        return RULING_PASS;
    if (may_be_goodbye(f))
        return RULING_UNKNOWN;
    bool fits = verdict_reset_fits(flow, SIDE_SERVER, &known);
    int signs = verdict_reset_signs(flow, SIDE_SERVER).count;
    int64_t waited = client->last_payload_ns >= 0 ? server->rst_ns - client->last_payload_ns : 0;
    *out = claim_start(FINDING_TCP_RESET_BY_SERVER, flow);
    /* in protocols that nobody here reads, who spoke last need not be owed anything */
    bool vague = !facts_is_dialogue(f) && f->payload[SIDE_SERVER] > 0 && client->unacked_bytes == 0;
    bool left = server->fin_ns >= 0 && server->fin_ns <= server->rst_ns;
    out->confidence = signs > 0 ? 45 : vague ? 55 : useless || left ? 60 : known && fits ? 85 : 70;
    out->weight = (double)waited;
    if (client->last_payload_ns > 0 && client->last_payload_ns <= server->rst_ns)
        out->evidence_from_ns = client->last_payload_ns;
    claim_add_ms(out, "waited_ms", waited > 0 ? waited : 0);
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
    (void)judge;
    if (client->rst_ns < 0 || (!open && !incomplete) || client->last_payload_ns < 0)
        return RULING_PASS;
    if ((client->fin_ns >= 0 && client->fin_ns <= client->rst_ns) ||
        (f->tls != NULL && f->tls->close_notify_client) || facts_end_ns(f, SIDE_SERVER) >= 0)
        return RULING_PASS;
    int64_t heard = f->tcp->side[SIDE_SERVER].last_payload_ns;
    int64_t since = incomplete && heard > client->last_payload_ns ? heard : client->last_payload_ns;
    int64_t waited = client->rst_ns - since;
    bool patient = waited >= FACTS_PATIENCE_NS;
    /* Protocols that nobody here reads may end with a word of the client's. */
    if (!facts_is_dialogue(f) && !patient)
        return RULING_PASS;
    *out = claim_start(FINDING_TCP_RESET_BY_CLIENT, flow);
    out->culprit = patient ? CULPRIT_SERVER : CULPRIT_CLIENT;
    out->confidence = verdict_reset_signs(flow, SIDE_CLIENT).count > 0 ? 45
                      : facts_is_dialogue(f)                           ? 75
                                                                       : 55;
    out->weight = (double)waited;
    out->evidence_from_ns = client->last_payload_ns;
    claim_add_ms(out, "waited_ms", waited);
    out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_DATA);
    return RULING_FAILED;
}
