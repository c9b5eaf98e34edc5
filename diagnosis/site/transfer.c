/* How data got through: losses on a path, receivers that stop reading. */
#include "diagnosis/site/mtu.h"
#include "diagnosis/site/verdict.h"

/* FINDINGS.md: > 1 % of >= 100 data segments of a path's direction. */
#define LOSS_SEGMENTS 100
#define LOSS_SHARE 0.01
/* So many of them must agree on which side of the tap they were lost. */
#define LOSS_PLACE_SHARE 0.75
/* So many to one: the capture made little of the disorder. */
#define DISORDER_PART 10
/* More wrong checksums than this are no accident of a link that still carries connections. */
#define WRONG_SHARE 0.25
#define ZERO_WINDOW_SHARE 0.1
/* A tenth of a transfer that took no time is no stall. */
#define ZERO_WINDOW_LEAST_NS (200 * FACTS_MS)
#define FULL_SEGMENT 1448u
/* IPv6's least MTU, which any tunnel carries (RFC 8200 5). */
#define SHRUNK_LEAST 1280u

struct path_loss {
    uint64_t lost, segments;
    uint64_t before; /* of the lost ones, those whose first sending never passed the tap whole */
    uint64_t damaged; /* of those, the ones that passed it with a wrong checksum */
    uint64_t wrong;   /* all segments with a wrong checksum */
    uint64_t disordered; /* segments captured behind their acknowledgment */
    const struct site_flow *worst;
    uint32_t worst_lost;
};

/* Flows that nothing happened to have no count of segments: their bytes tell about how many. */
static uint64_t segments_of(const struct flow_facts *f, enum side side)
{
    uint64_t counted = f->tcp->side[side].segments;
    uint64_t least = (f->payload[side] + FULL_SEGMENT - 1) / FULL_SEGMENT;
    return counted > least ? counted : least;
}

/* What is counted of a side's segments: losses that were recovered, or late arrivals. */
static uint32_t counted_of(const struct tcp_side_facts *side, enum finding_code code)
{
    return code == FINDING_TCP_LOSS ? side->recovered_losses
                                    : side->reordered_segments - side->disordered_segments;
}

/* What is sent again when a way is open again goes out within this. */
#define REPAIR_NS FACTS_SECOND
/* No interval of struct rtt_sample_record lasts longer while there is something to send. */
#define SAMPLE_MOST_NS (10 * FACTS_SECOND)

/* What the connection sent again because its way was cut for a while: told as that (path-outage). */
static uint32_t sent_again_in_outage(const struct site_flow *flow)
{
    const struct path_sample_record *path = flow->pair->path;
    uint64_t again = 0;
    if (path == NULL || path->outages == 0)
        return 0;
    for (size_t i = 0; i < flow->sample_count; i++) {
        const struct rtt_sample_record *s = flow->samples[i];
        int64_t end_ns = i + 1 < flow->sample_count ? flow->samples[i + 1]->start_ns : flow->f.last_ns;
        if (end_ns > s->start_ns + SAMPLE_MOST_NS)
            end_ns = s->start_ns + SAMPLE_MOST_NS;
        if (end_ns > path->outage_first_ns && s->start_ns < path->outage_last_ns + REPAIR_NS)
            again += (uint64_t)s->retransmissions;
    }
    return again < UINT32_MAX ? (uint32_t)again : UINT32_MAX;
}

static uint32_t without_outage(const struct site_flow *flow, uint32_t lost)
{
    uint32_t again = sent_again_in_outage(flow);
    return lost > again ? lost - again : 0;
}

static struct path_loss measure(const struct judge *judge, const struct site_pair *pair,
                                enum side side, enum finding_code code)
{
    struct path_loss loss = {0};
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        uint32_t lost = counted_of(&flow->f.tcp->side[side], code);
        /* what was sent into a closed window was not lost on the way */
        bool closed =
            flow->f.tcp->side[side_other(side)].zero_windows > 0;
        if (!facts_is_tcp(&flow->f) || closed || judge_is_withdrawn(judge, code, flow))
            continue;
        if (code == FINDING_TCP_LOSS)
            lost = without_outage(flow, lost);
        uint32_t filling = flow->f.tcp->side[side].filling_retransmissions;
        loss.segments += segments_of(&flow->f, side);
        loss.lost += lost;
        loss.before += filling < lost ? filling : lost;
        uint32_t damaged = flow->f.tcp->side[side].damaged_losses;
        loss.damaged += damaged < lost ? damaged : lost;
        loss.wrong += flow->f.tcp->side[side].wrong_checksums;
        loss.disordered += flow->f.tcp->side[side].disordered_segments;
        if (lost > loss.worst_lost) {
            loss.worst_lost = lost;
            loss.worst = flow;
        }
    }
    return loss;
}

/* Whether so many of a path's segments were counted that it is worth a finding; begins its claim. */
static bool start_path_claim(const struct site_pair *pair, const struct path_loss *found,
                             enum finding_code code, double limit, struct claim *out)
{
    if (found->segments < LOSS_SEGMENTS || found->lost < 3 ||
        (double)found->lost <= limit * (double)found->segments)
        return false;
    *out = claim_start(code, found->worst);
    out->flows = pair->flows.flows;
    out->flow_count = 0;
    out->weight = (double)found->lost;
    out->client_port = 0;
    out->server_port = 0;
    claim_add_number(out, "share", 100.0 * (double)found->lost / (double)found->segments);
    claim_add_number(out, "segments", (double)found->segments);
    return true;
}

/* Where most of them were lost: between their sender and the tap, or behind it. SIDE_NONE: here and
 * there. */
static enum side lossy_side(const struct path_loss *loss, enum side sender)
{
    if ((double)loss->before >= LOSS_PLACE_SHARE * (double)loss->lost)
        return sender;
    if ((double)(loss->lost - loss->before) >= LOSS_PLACE_SHARE * (double)loss->lost)
        return side_other(sender);
    return SIDE_NONE;
}

/* Damage is the exception on its path, and is repaired: most wrong segments come again, then right.
 * Else the sums mean nothing: left to the interface, or packets rewritten after the capture. */
static bool shows_damage(const struct path_loss *loss)
{
    return loss->damaged > 0 && loss->wrong <= WRONG_SHARE * (double)loss->segments &&
           2 * loss->damaged >= loss->wrong;
}

/* What became of the lost ones, as far as checksums tell. */
static void tell_damage(struct judge *judge, const struct path_loss *loss, struct claim *claim)
{
    static const enum rival damaged[] = {RIVAL_BAD_LINK, RIVAL_SUMS_NOT_REPAIRED, RIVAL_DAMAGED_MIRROR,
                                         RIVAL_COUNT};
    const struct capture_record *c = &judge->site->capture;
    if (shows_damage(loss)) {
        claim_add_number(claim, "damaged", (double)loss->damaged);
        claim->evidence |= EVIDENCE(EVENT_DAMAGED);
        if ((double)loss->damaged >= LOSS_PLACE_SHARE * (double)loss->lost)
            claim->rivals = judge_rivals(judge, damaged);
    } else if (2 * c->truncated_packets > c->packets) {
        claim_add_number(claim, "cut", (double)c->truncated_packets);
    }
}

static void find_loss(struct judge *judge, const struct site_pair *pair, enum side side)
{
    double limit = judge->profile != NULL && judge->profile->loss_share > 0
                       ? judge->profile->loss_share
                       : LOSS_SHARE;
    struct path_loss loss = measure(judge, pair, side, FINDING_TCP_LOSS);
    struct claim claim;
    if (!start_path_claim(pair, &loss, FINDING_TCP_LOSS, limit, &claim))
        return;
    claim.confidence = 85;
    claim_add_number(&claim, "lost", (double)loss.lost);
    enum side place = lossy_side(&loss, side);
    claim_add_text(&claim, "side", place == SIDE_NONE ? NULL : verdict_side_word(place));
    claim.evidence = EVIDENCE(EVENT_RETRANSMISSION);
    tell_damage(judge, &loss, &claim);
    judge_claim(judge, &claim);
}

static void find_reordering(struct judge *judge, const struct site_pair *pair, enum side side)
{
    struct path_loss late = measure(judge, pair, side, FINDING_TCP_REORDERING);
    struct claim claim;
    if (DISORDER_PART * late.disordered > late.lost ||
        !start_path_claim(pair, &late, FINDING_TCP_REORDERING, LOSS_SHARE, &claim))
        return;
    claim.confidence = 80;
    claim_add_number(&claim, "reordered", (double)late.lost);
    claim.evidence = EVIDENCE(EVENT_REORDERED);
    judge_claim(judge, &claim);
}

/* The server held the 4-tuple of an older connection: a challenge, a reset, and a second later the
 * handshake. */
static void find_stale_tuple(struct judge *judge, const struct site_flow *flow)
{
    if (!flow->f.tcp->challenge_ack || flow->verdict == FINDING_CONN_STALE_TUPLE + 1 ||
        judge_is_withdrawn(judge, FINDING_CONN_STALE_TUPLE, flow))
        return;
    struct claim claim = stale_tuple_claim(flow);
    judge_claim(judge, &claim);
}

/* Large segments vanished until their sender tried smaller ones by itself. */
static void find_shrunk(struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    bool unfragmented = s->dont_fragment || flow->server->address.family == 6;
    if (s->shrunk_from < SHRUNK_LEAST || !unfragmented || flow->icmp_count > 0 ||
        s->largest_delivered >= s->shrunk_from ||
        flow->pair->largest_passed[side] >= s->shrunk_from ||
        judge_is_withdrawn(judge, FINDING_PATH_MTU_BLACKHOLE, flow))
        return;
    uint32_t passed = s->largest_delivered > s->shrunk_to ? s->largest_delivered : s->shrunk_to;
    struct claim claim = claim_start(FINDING_PATH_MTU_BLACKHOLE, flow);
    claim.confidence = 80;
    claim_add_number(&claim, "passed_bytes", passed);
    claim_add_number(&claim, "lost_bytes", s->shrunk_from);
    claim_add_text(&claim, "tunnel", mtu_tunnels(judge, passed, s->shrunk_from));
    claim_add_number(&claim, "retransmissions", s->timeout_retransmissions);
    claim_add_text(&claim, "end", "recovered");
    claim.evidence = EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DUPLICATE_ACK);
    judge_claim(judge, &claim);
}

/* Two versions of the same bytes: something in between made or changed one of them. */
static void find_conflict(struct judge *judge, const struct site_flow *flow)
{
    const struct content_conflict *c = &flow->f.tcp->conflict;
    if (c->first_frame == 0 || c->side >= SIDE_NONE ||
        judge_is_withdrawn(judge, FINDING_TCP_CONTENT_CONFLICT, flow))
        return;
    int apart = (int)c->first_ttl - (int)c->other_ttl;
    bool elsewhere = apart > TTL_TOLERANCE || apart < -TTL_TOLERANCE;
    struct claim claim = claim_start(FINDING_TCP_CONTENT_CONFLICT, flow);
    claim.culprit = elsewhere ? CULPRIT_MIDDLEBOX : CULPRIT_UNKNOWN;
    claim.confidence = elsewhere ? 85 : 60;
    claim_add_text(&claim, "sender", verdict_side_word((enum side)c->side));
    claim_add_number(&claim, "segments", flow->f.tcp->side[c->side].conflicting_segments);
    claim_add_ms(&claim, "gap_ms", c->gap_ns);
    if (elsewhere) {
        claim_add_number(&claim, "ttl", c->other_ttl);
        claim_add_number(&claim, "usual_ttl", c->first_ttl);
    }
    claim_add_reference(&claim, c->source_id, c->first_frame, c->first_ns, EVENT_DATA);
    claim_add_reference(&claim, c->source_id, c->other_frame, c->first_ns + c->gap_ns,
                        EVENT_RETRANSMISSION);
    claim.evidence = 0;
    judge_claim(judge, &claim);
}

static void find_zero_window(struct judge *judge, const struct site_flow *flow, enum side reader)
{
    const struct flow_facts *f = &flow->f;
    int64_t stalled = f->tcp->side[reader].zero_window_ns, span = f->last_ns - f->first_ns;
    int64_t limit = judge->profile != NULL && judge->profile->zero_window_ns > 0
                        ? judge->profile->zero_window_ns
                        : FACTS_SECOND;
    double share = span > 0 ? (double)stalled / (double)span : 0;
    if (stalled < limit && (stalled < ZERO_WINDOW_LEAST_NS || share <= ZERO_WINDOW_SHARE))
        return;
    if (judge_is_withdrawn(judge, FINDING_TCP_ZERO_WINDOW, flow))
        return;
    struct claim claim = claim_start(FINDING_TCP_ZERO_WINDOW, flow);
    claim.culprit = reader == SIDE_CLIENT ? CULPRIT_CLIENT : CULPRIT_SERVER;
    claim.weight = (double)stalled;
    claim_add_text(&claim, "receiver", verdict_side_word(reader));
    claim_add_ms(&claim, "stalled_ms", stalled);
    claim_add_number(&claim, "share", 100 * share);
    claim.evidence = EVIDENCE(EVENT_ZERO_WINDOW) | EVIDENCE(EVENT_WINDOW_UPDATE);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->pair_count; i++) {
        find_loss(judge, &site->pairs[i], SIDE_CLIENT);
        find_loss(judge, &site->pairs[i], SIDE_SERVER);
        find_reordering(judge, &site->pairs[i], SIDE_CLIENT);
        find_reordering(judge, &site->pairs[i], SIDE_SERVER);
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        if (!facts_is_tcp(&site->flows[i]->f))
            continue;
        find_stale_tuple(judge, site->flows[i]);
        find_conflict(judge, site->flows[i]);
        find_shrunk(judge, site->flows[i], SIDE_CLIENT);
        find_shrunk(judge, site->flows[i], SIDE_SERVER);
        find_zero_window(judge, site->flows[i], SIDE_CLIENT);
        find_zero_window(judge, site->flows[i], SIDE_SERVER);
    }
}

const struct detector detector_transfer = {"transfer", detect};
