/* The order of the verdicts: FINDINGS.md "The verdict of a failed connection". */
#include "diagnosis/site/verdict.h"

#include "core/texts.h"
#include "diagnosis/site/checks.h"
#include "diagnosis/site/damage.h"
#include "diagnosis/site/dual_synack.h"
#include "diagnosis/site/neighbors.h"
#include "diagnosis/site/patterns.h"
#include "diagnosis/site/reset_trigger.h"

/* So sure at most is a verdict on a server whose address two machines answer for. */
#define CONFLICT_MOST 60

static enum ruling one_way(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    (void)judge;
    (void)out;
    return facts_has(&flow->f, FLOW_FACT_UNSEEN_PEER) ? RULING_UNKNOWN : RULING_PASS;
}

/* First match wins. A gap in the capture turns a verdict that rests on absent packets into
 * "unknown": see spoiled(). */
static const struct verdict_rule rules[] = {
    {"one way", PROOF_DIRECT, one_way},
    {"ARP or NDP", PROOF_DIRECT, verdict_unresolved},
    {"ICMP quoting the SYN", PROOF_DIRECT, verdict_icmp},
    {"RST to the SYN", PROOF_DIRECT, verdict_reset_to_syn},
    {"silent SYN", PROOF_HEADERS, verdict_silent_syn},
    {"old connection held", PROOF_HEADERS, verdict_stale_tuple},
    {"SYN-ACK loop", PROOF_HEADERS, verdict_synack_loop},
    {"older timestamps refused", PROOF_HEADERS, verdict_stamps_refused},
    {"accept queue", PROOF_HEADERS, verdict_accept_queue},
    {"MTU black hole", PROOF_HEADERS, verdict_mtu},
    {"idle state lost", PROOF_HEADERS, verdict_idle_lost},
    {"injected reset", PROOF_HEADERS, verdict_reset_injected},
    {"readable alert", PROOF_DIRECT, verdict_alert},
    {"plaintext and TLS mixed up", PROOF_CONTENT, verdict_plaintext},
    {"ClientHello unacknowledged", PROOF_HEADERS, verdict_hello_dropped},
    {"ClientHello acknowledged, then silence", PROOF_HEADERS, verdict_hello_silence},
    {"FIN or RST after the ClientHello", PROOF_HEADERS, verdict_hello_closed},
    {"later handshake abort", PROOF_CONTENT, verdict_handshake_aborted},
    {"vanished", PROOF_HEADERS, verdict_vanished},
    {"keep-alive race", PROOF_CONTENT, verdict_keepalive_race},
    {"server reset", PROOF_CONTENT, verdict_server_reset},
    {"truncated answer", PROOF_CONTENT, verdict_truncated},
    {"no response", PROOF_CONTENT, verdict_no_response},
    {"client reset", PROOF_CONTENT, verdict_client_reset},
};

const struct verdict_rule *verdict_rules(size_t *count)
{
    *count = sizeof rules / sizeof rules[0];
    return rules;
}

static bool spoiled(const struct site_flow *flow, enum proof proof)
{
    const struct flow_facts *f = &flow->f;
    if (proof == PROOF_DIRECT)
        return false;
    if (f->capture_lost_bytes > 0 || f->end == END_EVICTED || facts_is_torn(f))
        return true;
    return proof == PROOF_CONTENT && facts_has(f, FLOW_FACT_SNAPLEN | FLOW_FACT_LIMIT);
}

/* No rule speaks: what was seen of it decides between ok and unknown. */
static enum outcome settle(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_is_tcp(f))
        return OUTCOME_OK;
    for (int s = 0; s < 2; s++) { /* bytes that never got through, for a reason no rule names */
        const struct tcp_side_facts *side = &f->tcp->side[s];
        enum side peer = side_other(s);
        bool tried = side->tail_retransmissions >= FACTS_TRIES && facts_end_ns(f, peer) < 0;
        bool left = side->tail_retransmissions > 0 && facts_gave_up(f, peer, side->tail_first_ns);
        if (side->unacked_bytes > 0 && (tried || left))
            return OUTCOME_UNKNOWN;
    }
    if (facts_is_established(f))
        return OUTCOME_OK;
    bool one_word = f->payload[0] == 0 || f->payload[1] == 0; /* and then a reset: of what went before nothing is known */
    if (facts_is_midstream(f) && (f->payload[0] > 0 || f->payload[1] > 0) && f->packets[0] > 0 &&
        f->packets[1] > 0 && !(one_word && f->resets[0] + f->resets[1] > 0))
        return OUTCOME_OK;
    return OUTCOME_UNKNOWN;
}

static enum outcome outcome_of(enum ruling ruling)
{
    switch (ruling) {
    case RULING_FAILED:
        return OUTCOME_FAILED;
    case RULING_UNSOLICITED:
        return OUTCOME_UNSOLICITED;
    case RULING_OK:
        return OUTCOME_OK;
    default:
        return OUTCOME_UNKNOWN;
    }
}

static enum ruling rule_on(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum ruling ruling = rules[i].judge(judge, flow, out);
        if (ruling == RULING_FAILED && spoiled(flow, rules[i].proof))
            return RULING_UNKNOWN;
        if (ruling == RULING_FAILED && rules[i].proof == PROOF_CONTENT && judge->quality.deep_loss)
            return RULING_UNKNOWN; /* what was said last is not known */
        if (ruling == RULING_FAILED && rules[i].proof != PROOF_DIRECT)
            judge_doubt_absence(judge, out);
        if (ruling != RULING_PASS)
            return ruling;
    }
    return RULING_PASS;
}

/* What the server seems to do may be the doing of who answered first, or of who else has its
 * address: then each gets packets meant for the other. */
static void doubt_server(const struct judge *judge, const struct site_flow *flow,
                         struct claim *claim)
{
    const struct flow_facts *f = &flow->f;
    if (claim->culprit != CULPRIT_SERVER)
        return;
    if (neighbors_conflict_holds(judge, &flow->server->address, f->first_ns, f->last_ns)) {
        claim->category = CATEGORY_NETWORK;
        claim->culprit = CULPRIT_NETWORK;
        claim->confidence = claim->confidence < CONFLICT_MOST ? claim->confidence : CONFLICT_MOST;
        return;
    }
    /* Another machine of the tap's network sent the reset. Where copies were left out, the tap sees
     * both sides of a router. */
    if ((claim->evidence & EVIDENCE(EVENT_RST)) != 0 && !facts_has(f, FLOW_FACT_DUPLICATES) &&
        facts_has(f, FLOW_FACT_RESET_MAC)) {
        claim->culprit = CULPRIT_UNKNOWN;
        claim->reason = text_get(TEXT_REASON_FOREIGN_SIGNS, LANG_EN);
        claim->confidence = claim->confidence < CONFLICT_MOST ? claim->confidence : CONFLICT_MOST;
        return;
    }
    if (!dual_synack_holds(judge, f))
        return;
    claim->culprit = CULPRIT_UNKNOWN;
    claim->reason = text_get(TEXT_REASON_TWO_ANSWERS, LANG_EN);
    if (claim->confidence >= CONFIDENCE_POSSIBLE)
        claim->confidence = CONFIDENCE_POSSIBLE - 5;
}

/* It lived while the capture's clock was set: what came first, and after how long, is not known. */
static bool spans_clock_step(const struct judge *judge, const struct flow_facts *f)
{
    const struct capture_record *c = &judge->site->capture;
    bool on = c->jump_to_ns > c->jump_from_ns && f->first_ns <= c->jump_from_ns &&
              f->last_ns >= c->jump_to_ns;
    bool back = c->back_from_ns > c->back_to_ns && f->first_ns <= c->back_from_ns &&
                f->last_ns >= c->back_to_ns;
    return on || back;
}

/* A check that found nothing is no failed connection: what it says of the server is worth less than if users
 * had been turned away. */
static bool is_check(const struct judge *judge, const struct site_flow *flow, struct claim *claim)
{
    struct check_rhythm rhythm;
    if ((claim->code != FINDING_CONN_REFUSED && claim->code != FINDING_CONN_SYN_TIMEOUT &&
         claim->code != FINDING_CONN_ICMP_UNREACHABLE) ||
        !checks_find(judge->site, flow, &rhythm))
        return false;
    claim->severity = rhythm.was_up ? SEVERITY_MEDIUM : SEVERITY_LOW;
    claim_add_ms(claim, "check_ms", rhythm.period_ns);
    return true;
}

static void judge_flow(struct judge *judge, struct site_flow *flow)
{
    struct claim claim;
    if (facts_is_plain(&flow->f) && !verdict_answered_too_late(flow)) {
        flow->outcome = OUTCOME_OK;
        return;
    }
    enum ruling ruling = facts_is_tcp(&flow->f) ? rule_on(judge, flow, &claim)
                                                : verdict_datagrams(judge, flow, &claim);
    if (ruling == RULING_PASS) {
        flow->outcome = (uint8_t)settle(flow);
        return;
    }
    if (ruling == RULING_FAILED && (spans_clock_step(judge, &flow->f) ||
                                    judge_is_withdrawn(judge, claim.code, flow)))
        ruling = RULING_UNKNOWN;
    flow->outcome = (uint8_t)outcome_of(ruling);
    if (ruling != RULING_FAILED)
        return;
    if (facts_is_tcp(&flow->f) && is_check(judge, flow, &claim)) {
        flow->outcome = OUTCOME_UNSOLICITED;
        judge_claim(judge, &claim);
        return;
    }
    flow->verdict = (uint16_t)(claim.code + 1);
    if (claim.code == FINDING_NET_ARP_UNRESOLVED)
        flow->stage = STAGE_ARP;
    claim.primary = true;
    doubt_server(judge, flow, &claim);
    damage_tell(judge, &claim);
    patterns_tell(judge, flow, &claim);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        if (judge->site->flows[i]->outcome == OUTCOME_NONE)
            judge_flow(judge, judge->site->flows[i]);
    }
    reset_name_triggers(judge);
}

const struct detector detector_verdict = {"verdict", detect};
