#include "diagnosis/site/reset_forensics.h"

#include "diagnosis/site/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below this, timing on a host or a LAN is noise and no reset can be "too fast". */
#define RTT_MEASURABLE_NS (2 * FACTS_MS)
/* A side that has been quiet for so long may reset by its own timer at any moment. */
#define QUIET_NS FACTS_SECOND
#define QUIET_RTTS 4
/* FINDINGS.md: pauses from which idle timers act. */
#define IDLE_NS (5 * FACTS_SECOND)
/* One stack does not send so many in so short a time (FACTS.md 1.15). */
#define BURST_RESETS 3
#define BURST_NS FACTS_MS
/* A host that counts may have sent that many packets to others in between. */
#define ID_STEP_MOST 4096

#define SCORE_MOST 100

static const struct {
    const char *word;
    int weight;
} terms[RESET_TERMS] = {
    [TERM_SEQUENCE] = {"sequence", 35},
    [TERM_LATER_DATA] = {"later data", 30},
    [TERM_TTL] = {"TTL", 25},
    [TERM_TOO_FAST] = {"too fast", 30},
    [TERM_BOTH_SIDES] = {"both sides at once", 30},
    [TERM_IP_ID] = {"IP ID", 10},
    [TERM_TIMESTAMP] = {"timestamps", 5},
    [TERM_WINDOW] = {"window", 5},
    [TERM_PAYLOAD] = {"payload", 10},
    [TERM_BURST] = {"burst", 10},
    [TERM_START_TTL] = {"start TTL", 5},
    [TERM_OTHER_BYTES] = {"other bytes", 15},
};

/* ---- benign causes --------------------------------------------------------------------------- */

/* What a device on the way answers to late segments, once it has seen the side end the connection.
 */
#define FIRST_BURST_NS (3 * FACTS_MS)

/* A closed socket answers late segments, a timer of a device ends what is idle, and a reset before
 * the SYN-ACK was meant for an older connection: nothing about these is somebody else's doing. */
static bool is_benign(const struct flow_facts *f, const struct reset_record *r)
{
    if (r->own_fin || r->time_ns - f->tcp->side[r->side].rst_ns > FIRST_BURST_NS)
        return true;
    if (r->own_ns >= IDLE_NS && r->peer_ns >= IDLE_NS)
        return true;
    if (facts_is_midstream(f) && r->own_ns < 0)
        return true; /* how long it had been idle before the capture began is not known */
    /* A client that goes on has not taken its SYN back. */
    return facts_is_established(f) && r->time_ns < f->tcp->synack_first_ns &&
           (r->side != SIDE_CLIENT || r->guess != RESET_GUESS_EXACT ||
            f->tcp->syn_last_ns > r->time_ns);
}

/* ---- families -------------------------------------------------------------------------------- */

/* Bytes of the side are missing in the capture or on the way: its numbers cannot be held against
 * it. */
static bool has_holes(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    return s->capture_gap_bytes > 0 || s->wire_gap_bytes > 0;
}

/* The reset stands beyond what was seen of its side, or acknowledges more than was seen of the
 * other: in a capture that misses packets these are its last ones. */
static bool is_beyond(const struct reset_record *r)
{
    return !r->changed && (r->guess == RESET_GUESS_AHEAD || (r->with_ack && r->ack_offset > 0));
}

static bool follows_gap(const struct judge *judge, const struct reset_record *r)
{
    return judge->quality.misses_packets && is_beyond(r);
}

bool reset_tells_of_unseen(const struct flow_facts *f, enum side side)
{
    for (size_t i = 0; i < f->reset_row_count; i++) {
        if (f->reset_rows[i].side == side && is_beyond(&f->reset_rows[i]))
            return true;
    }
    return false;
}

static bool has_odd_numbers(const struct flow_facts *f, enum side side,
                            const struct reset_record *r)
{
    bool off = r->guess == RESET_GUESS_BEHIND || r->guess == RESET_GUESS_AHEAD ||
               r->guess == RESET_GUESS_OUTSIDE || (r->guess == RESET_GUESS_UNACKED && !r->with_ack);
    if ((off || r->changed) && !has_holes(f, side))
        return true;
    if (!r->with_ack || has_holes(f, side_other(side)))
        return false;
    return r->ack_offset > 0 || r->ack_step < 0;
}

/* Distance from the start that systems use, in hops (p0f: 32, 64, 128, 255). */
static int hops_of(uint8_t ttl)
{
    return (ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl;
}

/* Same distance, another start: a stack that sends its resets so (Solaris, BIG-IP). */
static bool has_other_start(const struct reset_record *r)
{
    return r->usual_ttl > 0 && abs((int)r->ttl - (int)r->usual_ttl) > TTL_TOLERANCE &&
           abs(hops_of(r->ttl) - hops_of(r->usual_ttl)) <= TTL_TOLERANCE;
}

/* The side has closed before: what came since may answer anything that was on its way. */
static bool is_repeated(const struct flow_facts *f, const struct reset_record *r)
{
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *first = &f->reset_rows[i];
        if (first->side == r->side && first->time_ns < r->time_ns)
            return true;
    }
    return false;
}

#define NEIGHBORS 64

/* Round trip between tap and side, from all connections of the two hosts. What the client took to
 * acknowledge the SYN-ACK may hold its own thoughts when the bare ACK was not seen: once is no
 * measure. -1 unknown. */
static int64_t shortest_way(const struct site_flow *flow, enum side side)
{
    struct flow_range range = flow->pair->flows;
    int64_t least = flow->f.rtt_ns[side];
    uint32_t samples = flow->delay != NULL ? flow->delay->rtt_count[side] : 1;
    for (size_t i = 0; i < range.count && i < NEIGHBORS; i++) {
        int64_t own = range.flows[i]->f.rtt_ns[side];
        if (range.flows[i] == flow || own < 0)
            continue;
        samples++;
        least = least < 0 || own < least ? own : least;
    }
    return side == SIDE_CLIENT && samples < 2 ? -1 : least;
}

/* No answer that passes the tap can come sooner. With ACK its sender may have decided by itself, at
 * any time: it must acknowledge what triggered it. Without ACK it answers a segment: then the first
 * that it can answer counts, unless its sender had fallen silent before. */
static bool is_too_fast(const struct site_flow *flow, enum side side, const struct reset_record *r)
{
    int64_t rtt = shortest_way(flow, side);
    if (rtt < RTT_MEASURABLE_NS || r->peer_payload_ns < 0 || r->peer_payload_ns >= rtt / 2)
        return false;
    if (r->own_ns >= 0 && r->own_ns <= r->peer_payload_ns)
        return false; /* it has spoken since: no answer */
    if (r->with_ack)
        return r->ack_offset == 0 && r->ack_step > 0;
    if (is_repeated(&flow->f, r))
        return false;
    int64_t quiet = QUIET_RTTS * rtt > QUIET_NS ? QUIET_RTTS * rtt : QUIET_NS;
    return r->peer_first_ns >= 0 && r->peer_first_ns < rtt / 2 && r->own_ns < quiet;
}

/* A side that is gone answers without ACK whatever still comes. */
static bool answers_late(const struct reset_record *later, int64_t apart)
{
    return !later->with_ack && later->peer_ns >= 0 && later->peer_ns <= apart;
}

/* An end point never resets itself: somebody between the two did both. */
static bool has_twin(const struct flow_facts *f, const struct reset_record *r)
{
    int64_t rtt = facts_rtt(f);
    if (rtt < RTT_MEASURABLE_NS || r->peer_fin)
        return false;
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *twin = &f->reset_rows[i];
        int64_t apart = llabs(twin->time_ns - r->time_ns);
        if (twin->side != r->side && !is_benign(f, twin) && apart < rtt / 2 &&
            !answers_late(twin->time_ns > r->time_ns ? twin : r, apart))
            return true;
    }
    return false;
}

/* ---- what adds to it ------------------------------------------------------------------------- */

/* 0 is normal for resets of Linux, whatever else it sends (RFC 6864). */
static bool is_off_line(const struct reset_record *r)
{
    return r->ip_id_line == IP_ID_COUNTS && r->ip_id > 0 && r->ip_id_before >= 0 &&
           (uint16_t)(r->ip_id - r->ip_id_before) > ID_STEP_MOST;
}

static bool is_burst(const struct flow_facts *f, const struct reset_record *r)
{
    int count = 0;
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *next = &f->reset_rows[i];
        count += next->side == r->side && next->time_ns >= r->time_ns &&
                 next->time_ns - r->time_ns < BURST_NS;
    }
    return count >= BURST_RESETS;
}

static void look_at(const struct judge *judge, const struct site_flow *flow, enum side side,
                    const struct reset_record *r, bool has[RESET_TERMS])
{
    const struct flow_facts *f = &flow->f;
    bool known;
    bool fits = verdict_ttl_fits(flow, side, r->ttl, &known);
    has[TERM_SEQUENCE] |= has_odd_numbers(f, side, r) && !follows_gap(judge, r);
    has[TERM_LATER_DATA] |= r->later_packets > 0;
    has[TERM_TTL] |= known && !fits && !has_other_start(r);
    has[TERM_TOO_FAST] |= is_too_fast(flow, side, r);
    has[TERM_BOTH_SIDES] |= has_twin(f, r);
    has[TERM_IP_ID] |= is_off_line(r);
    has[TERM_TIMESTAMP] |= r->usual_timestamp && r->with_ack && !r->has_timestamp;
    has[TERM_WINDOW] |= r->window != 0 && r->window_before != 0 && r->window != r->window_before;
    has[TERM_PAYLOAD] |= r->payload_bytes > 0;
    has[TERM_BURST] |= is_burst(f, r);
    has[TERM_START_TTL] |= known && !fits && has_other_start(r);
    has[TERM_OTHER_BYTES] |= f->tcp->side[side].conflicting_segments > 0;
}

/* As many hops away from another start: a habit of some stacks, unless something else but its
 * numbers says that the side did not send it. */
static void weigh_start(bool has[RESET_TERMS])
{
    if (!has[TERM_START_TTL] ||
        !(has[TERM_LATER_DATA] || has[TERM_TOO_FAST] || has[TERM_BOTH_SIDES]))
        return;
    has[TERM_TTL] = true;
    has[TERM_START_TTL] = false;
}

static void sum_up(struct reset_signs *signs)
{
    weigh_start(signs->has);
    for (int i = 0; i < RESET_TERMS; i++) {
        signs->count += i < RESET_FAMILIES && signs->has[i];
        signs->score += signs->has[i] ? terms[i].weight : 0;
    }
    if (signs->score > SCORE_MOST)
        signs->score = SCORE_MOST;
}

/* Records without rows of their resets (their flow says as much). */
static void look_at_facts(const struct site_flow *flow, enum side side, struct reset_signs *signs)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side], *peer = &f->tcp->side[side_other(side)];
    bool known, fits = verdict_reset_fits(flow, side, &known);
    int64_t rtt = facts_rtt(f), apart = llabs(s->rst_ns - peer->rst_ns);
    signs->has[TERM_SEQUENCE] = s->rst_sequence_offset != 0 || s->rst_ack_changed;
    signs->has[TERM_LATER_DATA] = s->data_after_rst;
    signs->has[TERM_TTL] = known && !fits;
    signs->has[TERM_BOTH_SIDES] = peer->rst_ns >= 0 && rtt >= RTT_MEASURABLE_NS && apart < rtt / 2;
}

struct reset_signs reset_forensics(const struct judge *judge, const struct site_flow *flow,
                                   enum side side)
{
    const struct flow_facts *f = &flow->f;
    struct reset_signs signs = {0};
    int most = -1;
    if (f->tcp->side[side].rst_ns < 0)
        return signs;
    if (f->reset_row_count == 0)
        look_at_facts(flow, side, &signs);
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *r = &f->reset_rows[i];
        struct reset_signs alone = {0};
        if (r->side != side || is_benign(f, r))
            continue;
        look_at(judge, flow, side, r, alone.has);
        signs.follows_gap |= follows_gap(judge, r);
        for (int t = 0; t < RESET_TERMS; t++)
            signs.has[t] |= alone.has[t];
        sum_up(&alone);
        if (alone.score > most) {
            most = alone.score;
            signs.lead = r;
        }
    }
    sum_up(&signs);
    return signs;
}

/* ---- words ----------------------------------------------------------------------------------- */

static const char *words_of(struct judge *judge, const struct reset_signs *signs, int count,
                            bool weights)
{
    char text[192] = "", term[32];
    for (int i = 0; i < count; i++) {
        if (!signs->has[i])
            continue;
        if (weights)
            (void)snprintf(term, sizeof term, "%s %d", terms[i].word, terms[i].weight);
        else
            (void)snprintf(term, sizeof term, "%s", terms[i].word);
        if (text[0] != '\0')
            strncat(text, ", ", sizeof text - strlen(text) - 1);
        strncat(text, term, sizeof text - strlen(text) - 1);
    }
    return text[0] != '\0' ? arena_format(&judge->site->arena, "%s", text) : NULL;
}

const char *reset_family_words(struct judge *judge, const struct reset_signs *signs)
{
    return words_of(judge, signs, RESET_FAMILIES, false);
}

const char *reset_term_words(struct judge *judge, const struct reset_signs *signs)
{
    return words_of(judge, signs, RESET_TERMS, true);
}

/* Where the device stands: by hops when its TTL is its own, by time when it answered a packet. */
static void describe_place(const struct flow_facts *f, enum side side,
                           const struct reset_signs *signs, struct claim *out)
{
    const struct reset_record *r = signs->lead;
    claim_add_number(out, "ttl", r->ttl);
    if (r->usual_ttl > 0)
        claim_add_number(out, "usual_ttl", r->usual_ttl);
    if (signs->has[TERM_TTL])
        claim_add_number(out, "hops", hops_of(r->ttl));
    claim_add_ms(out, "delay_ms", r->peer_payload_ns);
    claim_add_ms(out, "rtt_ms", f->rtt_ns[side]);
}

void reset_describe(struct judge *judge, const struct site_flow *flow, enum side side,
                    const struct reset_signs *signs, struct claim *out)
{
    claim_add_text(out, "signs", reset_family_words(judge, signs));
    claim_add_text(out, "sender", verdict_side_word(side));
    claim_add_number(out, "score", signs->score);
    claim_add_text(out, "terms", reset_term_words(judge, signs));
    if (signs->lead == NULL)
        return;
    describe_place(&flow->f, side, signs, out);
    claim_add_reference(out, signs->lead->source_id, signs->lead->frame, signs->lead->time_ns,
                        EVENT_RST);
}
