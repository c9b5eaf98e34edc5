/* Verdicts before TCP is open: no route, refused, filtered, unanswered. */
#include "diagnosis/site/dual_synack.h"
#include "diagnosis/site/neighbors.h"
#include "diagnosis/site/syns.h"
#include "diagnosis/site/verdict.h"
#include "diagnosis/site/verdict_icmp.h"

#include <stdlib.h>

/* FINDINGS.md: the tap is next to the server. */
#define NEXT_TO_NS FACTS_MS
#define NEXT_TO_FACTOR 5
#define BACKLOG_SYNS 3

enum ruling verdict_unresolved(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    return neighbors_find_unresolved(judge, flow, out) ? RULING_FAILED : RULING_PASS;
}

/* ---- RST to the SYN -------------------------------------------------------------------------- */

/* Hops that the two differ by when each started at the nearest usual value: 0 when another stack of
 * the same host may have answered (BGP speaks at 255, the system resets at 64). */
static int distance_apart(uint8_t a, uint8_t b)
{
    static const int starts[] = {32, 64, 128, 255};
    int distance[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        int ttl = i == 0 ? a : b, k = 0;
        while (starts[k] < ttl)
            k++;
        distance[i] = starts[k] - ttl;
    }
    return abs(distance[0] - distance[1]);
}

static int64_t since_syn(const struct flow_facts *f, int64_t ns)
{
    return ns - (f->tcp->syn_last_ns >= 0 && f->tcp->syn_last_ns <= ns ? f->tcp->syn_last_ns
                                                                       : f->first_ns);
}

enum ruling verdict_reset_to_syn(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    bool known;
    (void)judge;
    if (!f->tcp->rst_to_syn || facts_is_established(f))
        return RULING_PASS;
    bool fits = host_ttl_fits(flow->server, server->rst_ttl, &known);
    bool both = f->tcp->synack_count > 0;
    uint8_t usual = host_usual_ttl(flow->server, server->rst_ttl);
    int apart = distance_apart(usual, server->rst_ttl);
    if (both || (known && !fits && apart > 0)) {
        *out = claim_start(FINDING_CONN_REJECTED_BY_MIDDLEBOX, flow);
        out->confidence = both ? 90 : apart == 1 ? 60 : 85;
        claim_add_ms(out, "reply_ms", since_syn(f, server->rst_ns));
        claim_add_number(out, "ttl", server->rst_ttl);
        if (usual != 0)
            claim_add_number(out, "expected_ttl", usual);
    } else {
        *out = claim_start(FINDING_CONN_REFUSED, flow);
        out->confidence = !known ? 75 : fits ? 95 : 60;
        claim_add_ms(out, "reply_ms", since_syn(f, server->rst_ns));
        claim_add_number(out, "ttl", server->rst_ttl);
        claim_add_number(out, "attempts", f->tcp->syn_count > 0 ? f->tcp->syn_count : 1);
    }
    out->evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_SYNACK);
    return RULING_FAILED;
}

/* ---- no answer ------------------------------------------------------------------------------- */

static bool is_initial_ttl(uint8_t ttl)
{
    return ttl == 64 || ttl == 128 || ttl == 255 || ttl == 32;
}

/* A kernel answers a SYN in some 20 us; a firewall or router on the way adds more than that. */
#define OWN_LINK_NS 50000

/* Its packets start here, or it answers at once while its clients are far: no firewall can hide between
 * them. */
int64_t verdict_link_ns(const struct site_host *server)
{
    int64_t leg = server->leg_min_ns;
    if (leg < 0 || leg >= NEXT_TO_NS)
        return RECORD_NONE_NS;
    bool at_once = leg < OWN_LINK_NS && server->client_leg_min_ns >= NEXT_TO_FACTOR * leg;
    return at_once || is_initial_ttl(host_usual_ttl(server, 64)) ? leg : RECORD_NONE_NS;
}

#define ATTEMPTS_LOOKED_AT 256

/* One SYN that its client did not repeat, while its other attempts there were answered: so was this
 * one, out of sight, or it was not waited for. */
static bool others_were_answered(const struct site_flow *flow)
{
    struct flow_range range = flow->pair->flows;
    size_t at = range_find_time(range, flow->f.first_ns);
    size_t first = at > ATTEMPTS_LOOKED_AT / 2 ? at - ATTEMPTS_LOOKED_AT / 2 : 0;
    for (size_t i = first; i < range.count && i - first < ATTEMPTS_LOOKED_AT; i++) {
        const struct site_flow *twin = range.flows[i];
        if (twin->service == flow->service && twin->f.packets[SIDE_SERVER] > 0)
            return true;
    }
    return false;
}

/* RFC 6298 2, and older systems: a SYN without answer is sent again after one second to three. */
#define SYN_AGAIN_FROM_NS (FACTS_SECOND / 2)
#define SYN_AGAIN_TO_NS (3 * FACTS_SECOND)

/* Nothing at all was captured when its client was due to ask again. */
static bool was_due_unheard(const struct judge *judge, const struct site_flow *flow)
{
    return site_has_pause(judge->site, flow->f.first_ns + SYN_AGAIN_FROM_NS, flow->f.first_ns + SYN_AGAIN_TO_NS);
}

static bool silence_is_proven(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (f->tcp->syn_count >= 2)
        return judge_capture_end(judge, f->first_ns) - f->first_ns >= FACTS_ABSENCE_NS;
    /* what came later on its 4-tuple would answer the SYN that took it over */
    if (f->end == END_REUSED)
        return false;
    return judge_absence_holds(judge, flow, f->first_ns) && !others_were_answered(flow) &&
           !judge_may_miss_end(judge, flow, f->first_ns) && !was_due_unheard(judge, flow);
}

/* The host was up while the SYNs went unanswered: it spoke meanwhile, or shortly before as well as
 * shortly after. One that spoke only after it may have been starting. */
#define NEARBY_NS (10 * FACTS_SECOND)

static bool was_up(const struct judge *judge, const struct site_flow *flow)
{
    const struct site *site = judge->site;
    int64_t first = flow->f.first_ns, last = flow->f.last_ns;
    return site_server_answers(site, flow, first, last) ||
           (site_server_answers(site, flow, first - NEARBY_NS, first) &&
            site_server_answers(site, flow, last, last + NEARBY_NS));
}

static void rate_silence(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    static const enum rival host_seen[] = {RIVAL_SILENT_FIREWALL, RIVAL_ANSWER_LOST,
                                           RIVAL_ACCEPT_QUEUE_FULL, RIVAL_COUNT};
    static const enum rival tap_works[] = {RIVAL_SILENT_FIREWALL, RIVAL_HOST_DOWN,
                                           RIVAL_ANSWER_LOST, RIVAL_COUNT};
    static const enum rival at_server[] = {RIVAL_SILENT_FIREWALL, RIVAL_ACCEPT_QUEUE_FULL,
                                           RIVAL_RATE_LIMIT, RIVAL_COUNT};
    static const enum rival app_stuck[] = {RIVAL_ACCEPT_QUEUE_FULL, RIVAL_SILENT_FIREWALL,
                                           RIVAL_RATE_LIMIT, RIVAL_COUNT};
    bool answers = was_up(judge, flow);
    bool two_way = judge->site->two_sided.best != NULL;
    bool was_there = site_has_open_before(flow, flow->f.first_ns);
    if (answers) {
        out->rivals = judge_rivals(judge, host_seen);
        out->confidence = 90;
    } else if (two_way) {
        out->rivals = judge_rivals(judge, was_there ? host_seen : tap_works);
        out->confidence = 80;
    } else {
        out->confidence = 65; /* nothing shows that this tap sees answers at all */
    }
    int64_t link_ns = answers ? verdict_link_ns(flow->server) : RECORD_NONE_NS;
    if (site_has_stuck_before(flow, flow->f.last_ns)) {
        /* an earlier request hangs in the same port: the program behind it may have stopped */
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
        out->rivals = judge_rivals(judge, app_stuck);
        out->confidence = 60;
    } else if (link_ns >= 0) {
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_AT_SERVER, LANG_EN);
        out->rivals = judge_rivals(judge, at_server);
        out->confidence = 75;
        claim_add_ms(out, "link_ms", link_ns);
    }
    if (flow->f.tcp->syn_count == 1)
        out->confidence = (uint8_t)(out->confidence - 25);
}

/* Where one connection in twenty misses packets, what would show a full queue or a host that is down may be among
 * them. */
#define TORN_MUCH 0.05

static void doubt_device(const struct judge *judge, struct claim *out)
{
    if (judge->quality.torn < TORN_MUCH || out->culprit != CULPRIT_MIDDLEBOX)
        return;
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_CAPTURE_LOSS, LANG_EN);
}

/* The SYN-ACK comes from another address, which the client did not ask: translated one way only. */
static const struct site_flow *answered_elsewhere(const struct judge *judge,
                                                  const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, f->first_ns);
    for (size_t looked = 0; at < range.count && looked < ATTEMPTS_LOOKED_AT; at++, looked++) {
        const struct site_flow *twin = range.flows[at];
        if (twin->f.first_ns > f->last_ns)
            return NULL;
        if (twin->server != flow->server && facts_has(&twin->f, FLOW_FACT_NO_SYN) &&
            twin->f.port[SIDE_CLIENT] == f->port[SIDE_CLIENT] &&
            twin->f.port[SIDE_SERVER] == f->port[SIDE_SERVER])
            return twin;
    }
    return NULL;
}

static void add_elsewhere(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct site_flow *twin = answered_elsewhere(judge, flow);
    char text[ADDRESS_TEXT_SIZE];
    if (twin == NULL)
        return;
    out->culprit = CULPRIT_MIDDLEBOX;
    out->reason = NULL;
    out->rivals = NULL;
    out->confidence = 90;
    claim_add_text(out, "answered_by",
                   arena_format(&judge->site->arena, "%s",
                                address_to_text(&twin->server->address, text)));
    claim_add_reference(out, twin->f.source_id, twin->f.first_frame, twin->f.first_ns,
                        EVENT_SYNACK);
}

/* The SYNs went to a machine that answers for the address of another, of the server or of a router on
 * the way, and takes no packets. */
static void add_false_owner(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    static const enum rival rivals[] = {RIVAL_ADDRESS_CONFLICT, RIVAL_ARP_SPOOFING, RIVAL_FAILOVER,
                                        RIVAL_COUNT};
    const char *mac = flow->f.tcp->syn_to_mac;
    const struct address_conflict *conflict =
        mac[0] != '\0' ? neighbors_false_owner(judge, mac, flow->f.first_ns, flow->f.last_ns) : NULL;
    char text[ADDRESS_TEXT_SIZE];
    if (conflict == NULL)
        return;
    out->culprit = CULPRIT_NETWORK;
    out->reason = NULL;
    out->rivals = judge_rivals(judge, rivals);
    out->confidence = 90;
    claim_add_text(out, "sent_to", arena_format(&judge->site->arena, "%s", mac));
    claim_add_text(out, "taken",
                   arena_format(&judge->site->arena, "%s", address_to_text(&conflict->ip, text)));
}

/* RFC 9293 3.10.7.3: who waits for the answer to a SYN drops a RST without ACK, and no stack refuses a SYN so
 * (3.10.7.1). The client went on asking; 0: something else came back, or nothing. */
static uint32_t bare_resets(const struct flow_facts *f)
{
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    if (f->tcp->syn_count < 2 || f->packets[SIDE_SERVER] != server->rst_count || server->rst_with_ack ||
        f->tcp->rst_to_syn || f->payload[SIDE_CLIENT] > 0 || f->tcp->syn_last_ns < server->rst_ns)
        return 0;
    for (size_t i = 0; i < f->reset_row_count; i++) {
        if (f->reset_rows[i].side == SIDE_SERVER && f->reset_rows[i].with_ack)
            return 0;
    }
    return server->rst_count;
}

/* Its sender meant to refuse; whether it is the server shows by the TTL, where that is known. */
static void add_bare_resets(const struct site_flow *flow, uint32_t resets, struct claim *out)
{
    uint8_t ttl = flow->f.tcp->side[SIDE_SERVER].rst_ttl;
    bool known, fits = host_ttl_fits(flow->server, ttl, &known);
    if (resets == 0)
        return;
    claim_add_number(out, "bare_resets", resets);
    out->evidence |= EVIDENCE(EVENT_RST);
    out->culprit = known && !fits ? CULPRIT_MIDDLEBOX : CULPRIT_UNKNOWN;
    out->reason = known && !fits ? NULL : text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
}

enum ruling verdict_silent_syn(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    uint32_t resets = bare_resets(f);
    if (!facts_is_unanswered_syn(f) && resets == 0)
        return RULING_PASS;
    if (!silence_is_proven(judge, flow))
        return RULING_UNKNOWN;
    enum ruling told = verdict_icmp_of_others(judge, flow, out);
    if (told != RULING_PASS)
        return told;
    int64_t waited = f->tcp->syn_count >= 2 ? f->tcp->syn_last_ns - f->first_ns
                                            : judge_capture_end(judge, f->first_ns) - f->first_ns;
    bool open = site_has_open_before(flow, f->last_ns);
    bool named = flow->syn_drop != NULL && flow->syn_drop->confidence > 0;
    if (open && !named && resets == 0 && flow->service->silent_syns >= BACKLOG_SYNS &&
        verdict_link_ns(flow->server) >= 0) {
        *out = claim_start(FINDING_CONN_BACKLOG_OVERFLOW, flow);
        out->confidence = site_has_stuck_before(flow, f->last_ns) ? 85 : 70;
        claim_add_number(out, "attempts", f->tcp->syn_count);
        claim_add_number(out, "synacks", 0);
        claim_add_ms(out, "waited_ms", waited);
    } else {
        *out = claim_start(FINDING_CONN_SYN_TIMEOUT, flow);
        rate_silence(judge, flow, out);
        doubt_device(judge, out);
        syns_explain(judge, flow, verdict_link_ns(flow->server) >= 0, out);
        add_elsewhere(judge, flow, out);
        add_false_owner(judge, flow, out);
        claim_add_ms(out, "waited_ms", waited);
        claim_add_number(out, "attempts", f->tcp->syn_count);
    }
    out->weight = (double)waited;
    out->evidence = EVIDENCE(EVENT_SYN);
    add_bare_resets(flow, resets, out);
    return RULING_FAILED;
}

/* ---- half a handshake ------------------------------------------------------------------------ */

/* The client's kernel answers at this tap: what comes by here has come to its own link. */
static bool is_at_client(const struct judge *judge, const struct site_flow *flow)
{
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t count = range.count < ATTEMPTS_LOOKED_AT ? range.count : ATTEMPTS_LOOKED_AT;
    bool near = false;
    for (size_t i = 0; i < count && !near; i++) {
        int64_t leg = range.flows[i]->f.connect_rtt_client_ns;
        near = leg >= 0 && leg < OWN_LINK_NS;
    }
    return near && is_initial_ttl(flow->f.ttl[SIDE_CLIENT]);
}

/* Who else than a device on the way back may lose the SYN-ACKs. */
static void rate_lost_synacks(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    static const enum rival at_client[] = {RIVAL_CLIENT_FIREWALL, RIVAL_ASYMMETRIC_STATE, RIVAL_COUNT};
    const struct icmp_record *dies = verdict_find_exceeded(flow);
    out->confidence = 85;
    if (dies != NULL && dies->quoted_side == SIDE_SERVER) {
        verdict_describe_icmp(judge, flow, dies, out);
        out->culprit = verdict_link_ns(flow->server) >= 0 ? CULPRIT_SERVER : CULPRIT_NETWORK;
        claim_add_number(out, "ttl", flow->f.ttl[SIDE_SERVER]);
    } else if (is_at_client(judge, flow)) {
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_AT_CLIENT, LANG_EN);
        out->rivals = judge_rivals(judge, at_client);
        out->confidence = 75;
    }
}

enum ruling verdict_synack_loop(struct judge *judge, const struct site_flow *flow,
                                struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    if (facts_is_established(f) || !verdict_is_synack_loop(t) || facts_was_reset_by(f, SIDE_CLIENT))
        return RULING_PASS;
    if (judge_capture_end(judge, f->first_ns) - t->synack_first_ns < FACTS_ABSENCE_NS)
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_CONN_SYNACK_LOST, flow);
    int64_t last = t->syn_last_ns > t->synack_last_ns ? t->syn_last_ns : t->synack_last_ns;
    rate_lost_synacks(judge, flow, out);
    out->weight = (double)(last - f->first_ns);
    claim_add_number(out, "syns", t->syn_count);
    claim_add_number(out, "synacks", t->synack_count);
    claim_add_ms(out, "waited_ms", last - f->first_ns);
    out->evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK) | EVIDENCE(EVENT_ICMP);
    return RULING_FAILED;
}

/* The queue had room before: a connection to the port was completed, or the tap would not see the
 * server from far. Else a filter that lets SYNs alone through looks the same. */
static bool took_one(const struct site_flow *flow)
{
    struct flow_range range = flow->service->flows;
    for (size_t i = 0; i < range.count && i < ATTEMPTS_LOOKED_AT; i++) {
        const struct flow_facts *f = &range.flows[i]->f;
        if (range.flows[i] != flow && facts_is_established(f) && f->tcp->synack_count < 2)
            return true;
    }
    return verdict_link_ns(flow->server) >= 0;
}

/* SYN-ACKs that come again behind the acknowledgment of the handshake, and nothing else. */
static bool repeats_synack(const struct flow_facts *f)
{
    return facts_is_established(f) && f->tcp->synack_count >= 3 && f->payload[SIDE_SERVER] == 0 &&
           f->tcp->synack_last_ns > f->tcp->established_ns;
}

/* Servers that wait for the first bytes before they accept (TCP_DEFER_ACCEPT) repeat their SYN-ACK in the same
 * way as long as nothing is asked: unless theirs is the first word, or they left what others asked. */
static bool waits_for_data(const struct site_flow *flow)
{
    struct flow_range range = flow->service->flows;
    if (flow->f.payload[SIDE_CLIENT] > 0)
        return false;
    for (size_t i = 0; i < range.count && i < ATTEMPTS_LOOKED_AT; i++) {
        const struct flow_facts *f = &range.flows[i]->f;
        bool left = repeats_synack(f) && f->tcp->side[SIDE_CLIENT].unacked_bytes > 0;
        if (left || facts_has(f, FLOW_FACT_SERVER_SPOKE_FIRST))
            return false;
    }
    return true;
}

enum ruling verdict_accept_queue(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    const struct tcp_side_facts *client = &t->side[SIDE_CLIENT];
    if (!repeats_synack(f) || waits_for_data(flow))
        return RULING_PASS;
    if (dual_synack_holds(judge, f))
        return RULING_PASS; /* they repeat because the client took the other one */
    /* a queue that is full drops without a word: who resets in between knows of no handshake */
    if (facts_was_reset_by(f, SIDE_SERVER) && t->side[SIDE_SERVER].rst_ns < t->synack_last_ns)
        return RULING_PASS;
    /* nor does it acknowledge again and again: who does so refuses what comes */
    if (t->side[SIDE_SERVER].duplicate_acks > 0)
        return RULING_PASS;
    bool data = f->payload[SIDE_CLIENT] > 0;
    if (data && client->unacked_bytes == 0)
        return RULING_PASS;
    *out = claim_start(FINDING_CONN_BACKLOG_OVERFLOW, flow);
    out->confidence = data ? 85 : 70;
    out->weight = (double)(f->last_ns - f->first_ns);
    if (!took_one(flow)) {
        static const enum rival filtered[] = {RIVAL_ASYMMETRIC_STATE, RIVAL_LOST_AFTER_TAP,
                                              RIVAL_COUNT};
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
        out->rivals = judge_rivals(judge, filtered);
        out->confidence = CONFIDENCE_POSSIBLE - 5;
    }
    claim_add_number(out, "synacks", t->synack_count);
    claim_add_ms(out, "waited_ms", f->last_ns - f->first_ns);
    out->evidence = EVIDENCE(EVENT_SYNACK) | EVIDENCE(EVENT_RETRANSMISSION);
    return RULING_FAILED;
}
