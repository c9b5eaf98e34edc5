/* Connections that opened late or only half. */
#include "diagnosis/site/patterns.h"
#include "diagnosis/site/syns.h"
#include "diagnosis/site/verdict.h"

/* A SYN is sent again after a second by default; shorter timers are a stack's own choice. */
#define SLOW_CONNECT_NS (200 * FACTS_MS)

/* What was refused at first had a free way; what never left its host had none to be lost on. */
static void blame_delay(const struct site_flow *flow, struct claim *claim)
{
    bool same_host = flow->client == flow->server;
    if (!flow->f.tcp->rst_to_syn && !same_host)
        return;
    bool client = !flow->f.tcp->rst_to_syn && flow->f.syn_retransmissions == 0;
    claim->category = CATEGORY_SERVER;
    claim->culprit = client ? CULPRIT_CLIENT : CULPRIT_SERVER;
}

/* So many samples show how long a round trip takes at least. */
#define RTT_SAMPLES_LEAST 3

/* Asked again before the answer could be there: it came within one round trip of that path, nothing was lost. */
static bool was_impatient(const struct site_flow *flow, int64_t took_ns)
{
    const struct path_sample_record *path = flow->pair->path;
    int64_t rtt_ns = 0;
    for (int side = 0; path != NULL && side < 2; side++) {
        const struct path_side *s = &path->side[side];
        rtt_ns += s->rtt_count >= RTT_SAMPLES_LEAST && s->rtt_min_ns > 0 ? s->rtt_min_ns : 0;
    }
    return took_ns <= rtt_ns + rtt_ns / 4;
}

/* The first SYN was answered, long after it came to the server: it, or the way back, took the time. */
static void blame_late_answer(struct judge *judge, const struct site_flow *flow, struct claim *claim)
{
    static const enum rival rivals[] = {RIVAL_BUSY_SERVER, RIVAL_ACCEPT_QUEUE_FULL, RIVAL_CONGESTION, RIVAL_COUNT};
    const struct flow_tcp_record *t = flow->f.tcp;
    if (flow->f.syn_retransmissions == 0 || flow->delay == NULL || !flow->delay->asked_early)
        return;
    bool at_server = verdict_link_ns(flow->server) >= 0;
    claim->confidence = 70;
    claim->rivals = judge_rivals(judge, rivals);
    claim->category = at_server ? CATEGORY_SERVER : CATEGORY_NETWORK;
    claim->culprit = at_server ? CULPRIT_SERVER : CULPRIT_UNKNOWN;
    claim->reason = at_server ? NULL : text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    claim_add_ms(claim, "answer_ms", t->synack_first_ns - flow->f.first_ns);
}

static void find_slow(struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    uint32_t again = f->syn_retransmissions + f->synack_retransmissions;
    /* what an old connection of the port delayed is told as that (conn-stale-tuple) */
    if (!facts_is_established(f) || again == 0 || f->tcp->established_ns < 0 || f->tcp->challenge_ack ||
        f->tcp->synack_last_ns > f->tcp->established_ns ||
        judge_is_withdrawn(judge, FINDING_CONN_SLOW_CONNECT, flow))
        return;
    int64_t took = f->tcp->established_ns - f->first_ns;
    if (took < SLOW_CONNECT_NS || was_impatient(flow, took))
        return;
    struct claim claim = claim_start(FINDING_CONN_SLOW_CONNECT, flow);
    syns_explain(judge, flow, verdict_link_ns(flow->server) >= 0, &claim);
    blame_delay(flow, &claim);
    blame_late_answer(judge, flow, &claim);
    judge_doubt_absence(judge, &claim); /* the SYN that was answered, and what it left out */
    claim.weight = (double)took;
    claim_add_ms(&claim, "connect_ms", took);
    claim_add_number(&claim, "retransmissions", again);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK);
    judge_claim(judge, &claim);
}

/* The client was through and had asked; its server went on offering the connection, and took what came again
 * only then: it had no room for it, or nothing of all that reached it. */
static void find_taken_late(struct judge *judge, const struct site_flow *flow)
{
    static const enum rival rivals[] = {RIVAL_ACCEPT_QUEUE_FULL, RIVAL_LOST_AFTER_TAP, RIVAL_COUNT};
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    if (!facts_is_established(f) || f->tcp->synack_count < 2 || f->payload[SIDE_SERVER] == 0 ||
        client->retransmitted_bytes == 0 || client->unacked_bytes > 0 || f->tcp->synack_conflict ||
        f->tcp->synack_last_ns - f->tcp->established_ns < SLOW_CONNECT_NS ||
        was_impatient(flow, f->tcp->synack_last_ns - f->first_ns) ||
        judge_is_withdrawn(judge, FINDING_CONN_SLOW_CONNECT, flow))
        return;
    struct claim claim = claim_start(FINDING_CONN_SLOW_CONNECT, flow);
    int64_t took = f->tcp->synack_last_ns - f->first_ns;
    claim.confidence = 70;
    claim.rivals = judge_rivals(judge, rivals);
    claim.culprit = CULPRIT_UNKNOWN;
    claim.reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    if (verdict_link_ns(flow->server) >= 0) {
        claim.category = CATEGORY_SERVER;
        claim.culprit = CULPRIT_SERVER;
        claim.reason = NULL;
    }
    claim.weight = (double)took;
    claim_add_ms(&claim, "connect_ms", took);
    claim_add_number(&claim, "retransmissions", f->tcp->synack_count - 1);
    claim_add_ms(&claim, "left_ms", f->tcp->synack_last_ns - f->tcp->established_ns);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK) | EVIDENCE(EVENT_RETRANSMISSION);
    judge_claim(judge, &claim);
}

static void find_half_open(struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct flow_tcp_record *t = f->tcp;
    if (facts_is_established(f) || facts_is_midstream(f) || t->synack_count == 0 ||
        t->side[SIDE_CLIENT].rst_ns >= 0 || t->side[SIDE_SERVER].rst_ns >= 0 ||
        t->syn_last_ns > t->synack_first_ns)
        return;
    if (!facts_is_two_sided(f) || judge_is_withdrawn(judge, FINDING_CONN_HALF_OPEN, flow))
        return;
    bool proven =
        t->synack_count > FACTS_TRIES || judge_absence_holds(judge, flow, t->synack_first_ns);
    if (!proven)
        return;
    struct claim claim = claim_start(FINDING_CONN_HALF_OPEN, flow);
    claim.confidence = 75;
    claim.reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    claim_add_number(&claim, "synacks", t->synack_count);
    claim_add_ms(&claim, "waited_ms", t->synack_last_ns - t->synack_first_ns);
    patterns_add(judge, flow, SILENCE_OF_CLIENT, &claim);
    claim.evidence = EVIDENCE(EVENT_SYN) | EVIDENCE(EVENT_SYNACK);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        if (!facts_is_tcp(&flow->f) || flow->outcome == OUTCOME_UNSOLICITED)
            continue;
        find_slow(judge, flow);
        find_taken_late(judge, flow);
        find_half_open(judge, flow);
    }
}

const struct detector detector_connect = {"connect", detect};
