/* Verdicts of connections that were open until the way between the ends gave up. */
#include "diagnosis/site/verdict.h"

/* An acknowledgment that was on its way when the first lost segment left. */
#define IN_FLIGHT_NS (50 * FACTS_MS)
#define IDLE_MIN_NS (5 * FACTS_SECOND)
#define IDLE_SURVIVED_FACTOR 3
#define IDLE_RTTS 50
#define RESET_PROMPT_NS FACTS_SECOND
/* Tries that go on for so long into silence are no short break of the way. */
#define TRIED_LONG_NS (10 * FACTS_SECOND)

const char *verdict_side_word(enum side side)
{
    return side == SIDE_CLIENT ? "client" : "server";
}

int64_t verdict_in_flight_until(const struct flow_facts *f, int64_t ns)
{
    int64_t rtt = facts_rtt(f);
    return ns + 2 * rtt + IN_FLIGHT_NS;
}

/* Three tries prove silence when they came to their end: a file may end in the middle of them. */
static bool has_tried_enough(const struct judge *judge, const struct tcp_side_facts *s)
{
    int64_t tried = s->tail_last_ns - s->tail_first_ns;
    if (s->tail_retransmissions < FACTS_TRIES)
        return false;
    /* timers double: the next one was due within as long as all before together */
    int64_t due = s->tail_last_ns + tried + tried / 2 + FACTS_SECOND;
    return tried >= TRIED_LONG_NS || judge_capture_end(judge, s->tail_first_ns) >= due;
}

/* The whole way was down when it fell silent: others are through again, its own timer comes later.
 */
static bool waits_for_timer(const struct site_flow *flow, int64_t since_ns)
{
    const struct path_sample_record *path = flow->pair->path;
    return path != NULL && path->outages > 0 && path->outage_last_ns >= since_ns;
}

bool verdict_tail_is_proven(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    if (s->unacked_bytes == 0 || s->tail_first_ns < 0 || s->tail_retransmissions == 0)
        return false;
    return has_tried_enough(judge, s) || facts_gave_up(&flow->f, side, s->tail_first_ns) ||
           (judge_absence_holds(judge, flow, s->tail_first_ns) &&
            !waits_for_timer(flow, s->tail_first_ns));
}

/* ---- forgotten while idle -------------------------------------------------------------------- */

static bool was_idle(const struct flow_facts *f)
{
    int64_t idle = f->tcp->idle_before_tail_ns;
    return idle > IDLE_MIN_NS && idle > IDLE_SURVIVED_FACTOR * f->tcp->longest_idle_ns &&
           idle > IDLE_RTTS * facts_rtt(f);
}

/* The reset answers the first data after the pause, and nobody had said goodbye before. */
static bool reset_answers_data(const struct flow_facts *f, enum side resetter)
{
    const struct tcp_side_facts *r = &f->tcp->side[resetter];
    const struct tcp_side_facts *sender = &f->tcp->side[side_other(resetter)];
    int64_t prompt = 3 * facts_rtt(f) > RESET_PROMPT_NS ? 3 * facts_rtt(f) : RESET_PROMPT_NS;
    if (r->rst_ns < 0 || r->fin_ns >= 0 || sender->fin_ns >= 0 || sender->rst_ns >= 0)
        return false;
    return sender->last_payload_ns >= 0 && r->rst_ns >= sender->last_payload_ns &&
           r->rst_ns - sender->last_payload_ns <= prompt &&
           r->last_payload_ns < sender->last_payload_ns;
}

static enum ruling idle_reset(struct judge *judge, const struct site_flow *flow, enum side side,
                              struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    int64_t at = f->tcp->side[side].rst_ns;
    bool known, fits = verdict_reset_fits(flow, side, &known);
    bool answers =
        site_server_answers(judge->site, flow, at - FACTS_SECOND, at + 10 * FACTS_SECOND);
    *out = claim_start(FINDING_TCP_IDLE_STATE_LOST, flow);
    out->culprit = side == SIDE_SERVER && known && fits ? CULPRIT_SERVER : CULPRIT_MIDDLEBOX;
    out->confidence = answers ? 80 : 65;
    claim_add_ms(out, "idle_ms", f->tcp->idle_before_tail_ns);
    claim_add_number(out, "attempts", f->tcp->tail_tries > 0 ? f->tcp->tail_tries : 1);
    out->evidence_from_ns = f->tcp->side[side_other(side)].last_payload_ns;
    out->evidence = EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DATA) |
                    EVIDENCE(EVENT_REQUEST);
    return RULING_FAILED;
}

/* Another server fell silent on the same client at that time: what they share is the way. */
#define SHARED_NS (10 * FACTS_SECOND)
#define SHARED_LOOKED_AT 256

static bool others_vanished(const struct judge *judge, const struct site_flow *flow,
                            int64_t since_ns)
{
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t count = range_find_time(range, since_ns + SHARED_NS);
    for (size_t looked = 0; count > 0 && looked < SHARED_LOOKED_AT; looked++) {
        const struct site_flow *other_flow = range.flows[--count];
        const struct tcp_side_facts *client = &other_flow->f.tcp->side[SIDE_CLIENT];
        if (other_flow->server == flow->server || client->unacked_bytes == 0 ||
            client->tail_retransmissions < FACTS_TRIES)
            continue;
        if (client->tail_first_ns >= since_ns - SHARED_NS &&
            other_flow->f.tcp->side[SIDE_SERVER].last_ns <=
                verdict_in_flight_until(&other_flow->f, client->tail_first_ns))
            return true;
    }
    return false;
}

static bool is_silent_tail(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    return verdict_tail_is_proven(judge, flow, side) &&
           flow->f.tcp->side[side_other(side)].last_ns <= verdict_in_flight_until(&flow->f, s->tail_first_ns);
}

/* ---- probes of an idle connection ------------------------------------------------------------ */

/* Keep-alives that nothing answers are tries like any other; the one who sent them gave up, or the
 * capture goes on long enough. */
static bool probes_are_unanswered(const struct judge *judge, const struct site_flow *flow,
                                  enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side];
    if (s->silent_probes < FACTS_TRIES || facts_end_ns(f, side_other(side)) >= 0 ||
        f->tcp->side[side_other(side)].zero_window_ns > 0)
        return false;
    bool reset = s->rst_ns >= s->silent_probe_ns;
    return reset ? facts_is_two_sided(f) : judge_absence_holds(judge, flow, s->silent_probe_ns);
}

/* Nothing had been answered for so long before the first of them. */
static int64_t idle_before_probes(const struct flow_facts *f, enum side side)
{
    int64_t heard_ns = f->tcp->side[side_other(side)].last_ns;
    return heard_ns >= 0 ? f->tcp->side[side].silent_probe_ns - heard_ns : 0;
}

static bool probes_follow_idle(const struct flow_facts *f, enum side side)
{
    int64_t idle = idle_before_probes(f, side);
    return idle > IDLE_MIN_NS && idle > IDLE_SURVIVED_FACTOR * f->tcp->longest_idle_ns &&
           idle > IDLE_RTTS * facts_rtt(f);
}

static enum ruling idle_probed(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &f->tcp->side[side];
        if (!probes_are_unanswered(judge, flow, side) || !probes_follow_idle(f, side) ||
            !site_server_answers(judge->site, flow, s->silent_probe_ns, f->last_ns))
            continue;
        *out = claim_start(FINDING_TCP_IDLE_STATE_LOST, flow);
        out->confidence = 80;
        out->evidence_from_ns = s->silent_probe_ns;
        claim_add_ms(out, "idle_ms", idle_before_probes(f, side));
        claim_add_number(out, "attempts", s->silent_probes);
        out->evidence = EVIDENCE(EVENT_KEEPALIVE) | EVIDENCE(EVENT_RST);
        return RULING_FAILED;
    }
    return RULING_PASS;
}

enum ruling verdict_idle_lost(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (!was_idle(f))
        return idle_probed(judge, flow, out);
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_SERVER : SIDE_CLIENT;
        if (reset_answers_data(f, side))
            return idle_reset(judge, flow, side, out);
    }
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &f->tcp->side[side];
        if (f->tcp->tail_tries < FACTS_TRIES || !is_silent_tail(judge, flow, side))
            continue;
        bool answers = site_server_answers(judge->site, flow, s->tail_first_ns, f->last_ns);
        if (!answers && others_vanished(judge, flow, s->tail_first_ns))
            continue;
        *out = claim_start(FINDING_TCP_IDLE_STATE_LOST, flow);
        out->confidence = answers ? 85 : 60;
        out->evidence_from_ns = s->tail_first_ns;
        claim_add_ms(out, "idle_ms", f->tcp->idle_before_tail_ns);
        claim_add_number(out, "attempts", f->tcp->tail_tries);
        out->evidence = EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DATA);
        return RULING_FAILED;
    }
    return RULING_PASS;
}

/* ---- vanished -------------------------------------------------------------------------------- */

#define ALIVE_LOOKED_AT 256

static bool spoke_between(struct flow_range range, enum side role, int64_t from_ns, int64_t to_ns,
                          const struct site_flow *but)
{
    size_t count = range_find_time(range, to_ns);
    for (size_t looked = 0; count > 0 && looked < ALIVE_LOOKED_AT; looked++) {
        const struct site_flow *other_flow = range.flows[--count];
        int64_t last_ns = other_flow->f.tcp->side[role].last_ns;
        if (other_flow != but && last_ns >= from_ns && last_ns <= to_ns)
            return true;
    }
    return false;
}

/* The client that fell silent here spoke elsewhere meanwhile, in whatever role. */
static bool client_is_alive(const struct judge *judge, const struct site_flow *flow,
                            int64_t since_ns)
{
    int64_t from_ns = since_ns + FACTS_SECOND, to_ns = flow->f.last_ns + 10 * FACTS_SECOND;
    return spoke_between(site_client_flows(judge->site, flow->client), SIDE_CLIENT, from_ns, to_ns,
                         flow) ||
           spoke_between(site_server_flows(judge->site, flow->client), SIDE_SERVER, from_ns, to_ns,
                         flow);
}

static void blame_silence(struct judge *judge, const struct site_flow *flow, enum side silent,
                          int64_t since_ns, struct claim *out)
{
    if (silent == SIDE_CLIENT) {
        bool alive = client_is_alive(judge, flow, since_ns);
        out->culprit = alive ? CULPRIT_UNKNOWN : CULPRIT_CLIENT;
        out->reason = alive ? text_get(TEXT_REASON_BOTH_SIDES, LANG_EN) : NULL;
        out->confidence = 60;
        return;
    }
    if (others_vanished(judge, flow, since_ns)) {
        out->culprit = CULPRIT_NETWORK;
        out->confidence = 75;
        return;
    }
    bool answers = site_server_answers(judge->site, flow, since_ns + FACTS_SECOND,
                                       flow->f.last_ns + 10 * FACTS_SECOND);
    out->culprit = answers ? CULPRIT_UNKNOWN : CULPRIT_SERVER;
    out->reason = answers ? text_get(TEXT_REASON_BOTH_SIDES, LANG_EN) : NULL;
    out->confidence = answers ? 75 : 65;
}

static void claim_vanished(struct judge *judge, const struct site_flow *flow, enum side silent,
                           int64_t since_ns, uint32_t tries, struct claim *out)
{
    *out = claim_start(FINDING_TCP_VANISHED, flow);
    blame_silence(judge, flow, silent, since_ns, out);
    out->weight = (double)(flow->f.last_ns - since_ns);
    out->evidence_from_ns = since_ns;
    claim_add_text(out, "silent", verdict_side_word(silent));
    claim_add_number(out, "retransmissions", tries);
    claim_add_ms(out, "waited_ms", flow->f.last_ns - since_ns);
    out->evidence =
        EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_KEEPALIVE) | EVIDENCE(EVENT_RST);
}

/* The side sent the same bytes again and again while the other one spoke on and acknowledged none of
 * them: the way there is closed, the way back is not. Who had left before, is reset or takes nothing
 * more says nothing about the way; of what is too big a router spoke. */
static bool is_cut_one_way(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[side_other(side)];
    int64_t left = facts_end_ns(f, side_other(side));
    return s->unacked_bytes > 0 && s->tail_retransmissions >= FACTS_TRIES &&
           (left >= 0 || has_tried_enough(judge, s)) && facts_is_two_sided(f) && peer->zero_window_ns <= 0 &&
           !facts_was_reset_by(f, side_other(side)) && !verdict_has_mtu_answer(flow) &&
           (left < 0 || facts_gave_up(f, side_other(side), s->tail_first_ns)) &&
           peer->last_ns - s->tail_first_ns >= FACTS_PATIENCE_NS;
}

/* The same behind the cut: what the side sent next shows that bytes are missing, which never come and
 * are never acknowledged, until the other one gives up. */
static bool is_missed_one_way(const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[side_other(side)];
    int64_t since =
        s->last_payload_ns > peer->last_payload_ns ? s->last_payload_ns : peer->last_payload_ns;
    return s->wire_gap_bytes > 0 && s->wire_gap_bytes < VERDICT_FULL_GAP &&
           s->unacked_bytes >= s->wire_gap_bytes && since >= 0 && facts_is_established(f) && facts_end_ns(f, side) < 0 &&
           facts_gave_up(f, side_other(side), since);
}

/* All that the peer said meanwhile is that it offers the connection still: what came may have found no room. */
static bool offers_only(const struct flow_facts *f, enum side peer, int64_t since_ns)
{
    return peer == SIDE_SERVER && f->payload[peer] == 0 && f->tcp->synack_count >= 2 &&
           f->tcp->synack_last_ns > since_ns && f->tcp->side[peer].duplicate_acks == 0;
}

static void claim_cut_one_way(struct judge *judge, const struct site_flow *flow, enum side side,
                              struct claim *out)
{
    static const enum rival rivals[] = {RIVAL_PATH_CUT, RIVAL_NAT_STATE_LOST, RIVAL_SILENT_FIREWALL,
                                        RIVAL_MTU, RIVAL_COUNT};
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[side_other(side)];
    bool sent = s->tail_retransmissions > 0;
    int64_t from = sent ? s->tail_first_ns : peer->last_payload_ns;
    int64_t to = sent ? s->tail_last_ns : facts_end_ns(f, side_other(side));
    *out = claim_start(FINDING_TCP_VANISHED, flow);
    out->culprit = CULPRIT_NETWORK;
    out->confidence = sent ? 80 : 75;
    out->rivals = judge_rivals(judge, rivals);
    if (offers_only(f, side_other(side), from)) {
        static const enum rival taken[] = {RIVAL_ACCEPT_QUEUE_FULL, RIVAL_PATH_CUT, RIVAL_SILENT_FIREWALL,
                                           RIVAL_COUNT};
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
        out->rivals = judge_rivals(judge, taken);
        out->confidence = 60;
    }
    out->weight = (double)(to - from);
    out->evidence_from_ns = from;
    claim_add_text(out, "toward", verdict_side_word(side_other(side)));
    if (sent)
        claim_add_number(out, "retransmissions", s->tail_retransmissions);
    claim_add_number(out, "unacked", (double)s->unacked_bytes);
    claim_add_ms(out, "waited_ms", to - from);
    out->evidence = EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_GAP) | EVIDENCE(EVENT_REQUEST) |
                    EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
}

enum ruling verdict_vanished(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER, silent = side_other(side);
        const struct tcp_side_facts *s = &f->tcp->side[side];
        if (probes_are_unanswered(judge, flow, side)) {
            claim_vanished(judge, flow, silent, s->silent_probe_ns, s->silent_probes, out);
            return RULING_FAILED;
        }
        if (s->tail_retransmissions == 0 || s->unacked_bytes == 0 || facts_end_ns(f, silent) >= 0)
            continue;
        if (s->tail_retransmissions < FACTS_TRIES && !facts_gave_up(f, side, s->tail_first_ns))
            continue;
        if (!is_silent_tail(judge, flow, side))
            continue;
        claim_vanished(judge, flow, silent, s->tail_first_ns, s->tail_retransmissions, out);
        return RULING_FAILED;
    }
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_SERVER : SIDE_CLIENT;
        if (!is_cut_one_way(judge, flow, side) && !is_missed_one_way(flow, side))
            continue;
        claim_cut_one_way(judge, flow, side, out);
        return RULING_FAILED;
    }
    return RULING_PASS;
}
