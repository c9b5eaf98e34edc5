/* Verdicts of connections that were open until the way between the ends gave up. */
#include "diagnosis/site/mtu.h"
#include "diagnosis/site/verdict.h"

/* Tunnels take tens of bytes from 1500; below this a loss by size is no MTU. */
#define MTU_LOST_MIN 600u
/* IPv6's least MTU: what is smaller passes any tunnel. */
#define MTU_LOST_CERTAIN 1280u
#define GAP_MIN 500u
/* No tunnel leaves more than this to what cannot be told. */
#define FULL_SIZE_LEAST 1400u
/* What timestamps take of each segment (RFC 7323 3.2, padded). */
#define TIMESTAMPS_LEN 12u
/* An acknowledgment that was on its way when the first lost segment left. */
#define IN_FLIGHT_NS (50 * FACTS_MS)
#define IDLE_MIN_NS (5 * FACTS_SECOND)
#define IDLE_SURVIVED_FACTOR 3
#define IDLE_RTTS 50
#define RESET_PROMPT_NS FACTS_SECOND
/* Connections of the pair whose sizes are looked at. */
#define PASSED_LOOKED_AT 256
/* Some connections to the port carry what others lose: surer than a guess, no more. */
#define ONE_OF_PATHS_MOST 60
/* Tries that go on for so long into silence are no short break of the way. */
#define TRIED_LONG_NS (10 * FACTS_SECOND)

const char *verdict_side_word(enum side side)
{
    return side == SIDE_CLIENT ? "client" : "server";
}

static enum side other(enum side side)
{
    return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

static int64_t in_flight_until(const struct flow_facts *f, int64_t ns)
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

/* ---- path MTU -------------------------------------------------------------------------------- */

static bool has_mtu_answer(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if ((r->family == 4 && r->type == 3 && r->code == 4) || (r->family == 6 && r->type == 2))
            return true;
    }
    return false;
}

/* Among what is lost was something small, the end of a flight or a FIN: it passes any MTU and makes
 * the other side repeat itself. Header sizes: IPv4 or IPv6, with timestamps or without. */
static bool small_one_lost(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    static const uint32_t headers[] = {40, 52, 60, 72};
    if (s->fin_ns >= s->tail_first_ns)
        return true;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (s->smallest_lost > headers[i] &&
            s->unacked_bytes % (s->smallest_lost - headers[i]) == 0)
            return false;
    }
    return true;
}

/* The first large segments of a side leave again and again, and nothing as large ever arrived from
 * it on this path; what it sent before was small and got through. A peer that waits has nothing to
 * say. */
static bool first_large_lost(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[other(side)];
    bool noticed = peer->duplicate_acks > 0 && peer->last_ns > s->tail_first_ns;
    return s->smallest_lost >= MTU_LOST_CERTAIN && s->tail_retransmissions >= FACTS_TRIES &&
           (side == SIDE_SERVER || s->largest_delivered > 0) &&
           (noticed || !small_one_lost(f, side));
}

/* Sizes of the direction that pass on the same way: in connections to the same port, and to any. The
 * pair's record holds all connections, flows only those in which something happened. */
struct passed {
    uint32_t service, pair;
};

static struct passed passed_elsewhere(const struct site_flow *flow, enum side side)
{
    struct passed out = {0, flow->pair->largest_passed[side]};
    struct flow_range range = flow->pair->flows;
    if (flow->pair->path != NULL && flow->pair->path->side[side].largest_passed > out.pair)
        out.pair = flow->pair->path->side[side].largest_passed;
    for (size_t i = 0; i < range.count && i < PASSED_LOOKED_AT; i++) {
        const struct flow_facts *f = &range.flows[i]->f;
        if (range.flows[i]->service != flow->service)
            continue;
        if (f->tcp->side[side].largest_delivered > out.service)
            out.service = f->tcp->side[side].largest_delivered;
        if (facts_is_plain(f) && f->payload[side] >= out.pair)
            out.service = out.pair; /* nothing happened to it: it sent as large ones as any */
    }
    return out;
}

/* So large a packet passes elsewhere on the way: one of several paths is narrow when it does to the
 * same port. Else the port tells them apart, and size is only one explanation. */
static uint8_t doubt_size(const struct passed *passed, uint32_t lost, uint8_t confidence)
{
    uint8_t most = passed->service >= lost ? ONE_OF_PATHS_MOST
                   : passed->pair >= lost  ? CONFIDENCE_POSSIBLE - 5
                                           : 100;
    return confidence < most ? confidence : most;
}

/* The tap sees the large segments leave, again and again, and the peer alive beside them. Returns
 * the confidence, 0 when it is nothing of the kind. */
static uint8_t sender_view(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side];
    bool unfragmented = s->dont_fragment || flow->server->address.family == 6;
    if (!verdict_tail_is_proven(judge, flow, side) || !unfragmented || has_mtu_answer(flow))
        return 0;
    if (s->smallest_lost < MTU_LOST_MIN || s->smallest_lost <= s->largest_delivered)
        return 0;
    struct passed passed = passed_elsewhere(flow, side);
    if (passed.pair >= s->smallest_lost && s->tail_retransmissions < FACTS_TRIES)
        return 0;
    if (f->tcp->side[other(side)].last_ns > in_flight_until(f, s->tail_first_ns))
        return doubt_size(&passed, s->smallest_lost, 85);
    return first_large_lost(f, side) && passed.pair < s->smallest_lost ? 65 : 0;
}

/* A full segment as an IP packet: what a hole that is never filled was made of. */
static uint32_t full_size(const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = flow->f.tcp->side;
    uint32_t headers = flow->server->address.family == 6 ? 60 : 40;
    uint32_t mss = s[SIDE_CLIENT].mss < s[SIDE_SERVER].mss ? s[SIDE_CLIENT].mss : s[SIDE_SERVER].mss;
    return mss >= GAP_MIN && s[side].wire_gap_bytes + TIMESTAMPS_LEN >= mss ? mss + headers : 0;
}

/* The tap sees the small end of a flight arrive and the hole before it stay. */
static uint8_t receiver_view(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[other(side)];
    bool noticed = peer->duplicate_acks > 0 || f->payload[side] == 0;
    if (s->wire_gap_bytes < GAP_MIN || !noticed)
        return 0;
    int64_t since = s->last_payload_ns >= 0 ? s->last_payload_ns : f->tcp->established_ns;
    uint64_t hole = s->wire_gap_bytes < MTU_LOST_MIN ? MTU_LOST_MIN : s->wire_gap_bytes;
    uint32_t full = full_size(flow, side);
    uint32_t lost = full > 0 ? full : hole < FULL_SIZE_LEAST ? (uint32_t)hole : FULL_SIZE_LEAST;
    if (flow->pair->largest_passed[side] >= lost)
        return 0;
    if (!facts_gave_up(f, other(side), since) && !facts_gave_up(f, side, since) &&
        !judge_absence_holds(judge, flow, since))
        return 0;
    struct passed passed = passed_elsewhere(flow, side);
    return doubt_size(&passed, lost, 75);
}

/* One name of the server fails and others do not: a size would not care for names. */
static bool only_this_name(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return t != NULL && t->sni != NULL && flow->service->name_count > 0 &&
           !service_knows_name(flow->service, t->sni);
}

/* The largest size of this direction that is known to arrive, the smallest that does not, and what
 * lies between. */
static void add_sizes(struct judge *judge, const struct site_flow *flow, enum side side, bool sent,
                      struct claim *out)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    const struct path_sample_record *path = flow->pair->path;
    uint32_t lost = sent ? s->smallest_lost : full_size(flow, side);
    uint32_t passed = s->largest_delivered;
    const uint32_t others[] = {flow->pair->largest_passed[side],
                               path != NULL ? path->side[side].largest_passed : 0};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i] > passed && (lost == 0 || others[i] < lost))
            passed = others[i];
    }
    if (passed > 0)
        claim_add_number(out, "passed_bytes", passed);
    if (lost > 0) {
        claim_add_number(out, "lost_bytes", lost);
        claim_add_text(out, "tunnel", mtu_tunnels(judge, passed, lost));
    }
}

enum ruling verdict_mtu(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_is_established(f))
        return RULING_PASS;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &f->tcp->side[side];
        uint8_t sent = sender_view(judge, flow, side);
        uint8_t sure = sent > 0 ? sent : receiver_view(judge, flow, side);
        if (sure == 0)
            continue;
        int64_t since = sent > 0                  ? s->tail_first_ns
                        : s->last_payload_ns >= 0 ? s->last_payload_ns
                                                  : f->tcp->established_ns;
        *out = claim_start(FINDING_PATH_MTU_BLACKHOLE, flow);
        out->confidence = only_this_name(flow) && sure > 60 ? 60 : sure;
        out->weight = (double)(f->last_ns - since);
        add_sizes(judge, flow, side, sent > 0, out);
        claim_add_number(out, "retransmissions",
                         sent > 0 ? s->tail_retransmissions
                                  : f->tcp->side[other(side)].duplicate_acks);
        claim_add_ms(out, "waited_ms", f->last_ns - since);
        out->evidence =
            EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DUPLICATE_ACK) | EVIDENCE(EVENT_GAP);
        if (sent == 0)
            out->evidence |= EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_REQUEST) |
                             EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
        return RULING_FAILED;
    }
    return RULING_PASS;
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
    const struct tcp_side_facts *sender = &f->tcp->side[other(resetter)];
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
    out->evidence_from_ns = f->tcp->side[other(side)].last_payload_ns;
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
                in_flight_until(&other_flow->f, client->tail_first_ns))
            return true;
    }
    return false;
}

static bool is_silent_tail(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    return verdict_tail_is_proven(judge, flow, side) &&
           flow->f.tcp->side[other(side)].last_ns <= in_flight_until(&flow->f, s->tail_first_ns);
}

/* ---- probes of an idle connection ------------------------------------------------------------ */

/* Keep-alives that nothing answers are tries like any other; the one who sent them gave up, or the
 * capture goes on long enough. */
static bool probes_are_unanswered(const struct judge *judge, const struct site_flow *flow,
                                  enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side];
    if (s->silent_probes < FACTS_TRIES || facts_end_ns(f, other(side)) >= 0 ||
        f->tcp->side[other(side)].zero_window_ns > 0)
        return false;
    bool reset = s->rst_ns >= s->silent_probe_ns;
    return reset ? facts_is_two_sided(f) : judge_absence_holds(judge, flow, s->silent_probe_ns);
}

/* Nothing had been answered for so long before the first of them. */
static int64_t idle_before_probes(const struct flow_facts *f, enum side side)
{
    int64_t heard_ns = f->tcp->side[other(side)].last_ns;
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

enum ruling verdict_vanished(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER, silent = other(side);
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
    return RULING_PASS;
}
