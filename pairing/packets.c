#include "pairing/direction.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000
/* Of fewer packets the times may agree by chance. */
#define ONE_CAPTURE_LEAST 4u

struct work {
    struct pair_side *sides;
    struct pair_result *result;
    struct view_of_packet *room[2];
    int64_t *samples[2]; /* outside minus inside: of packets going out, of packets coming in */
    size_t sample_count[2];
};

/* ---- the side's packets, session by session ---- */
static int by_session(const void *a, const void *b)
{
    const struct pair_packet *x = a, *y = b;
    if (x->session != y->session) {
        return x->session < y->session ? -1 : 1;
    }
    if (x->direction != y->direction) {
        return x->direction < y->direction ? -1 : 1;
    }
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void sort_side(struct pair_side *side)
{
    if (side->packet_count > 0) {
        qsort(side->packets, side->packet_count, sizeof(*side->packets), by_session);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < side->session_count; i++) {
        side->sessions[i].first = at;
        at += side->sessions[i].packets[0] + side->sessions[i].packets[1];
    }
}

static void count_fate(struct pair_totals *totals, int end, uint8_t fate)
{
    totals->sent += end == 0;
    totals->passed += end == 0 && fate == PAIR_PASSED;
    totals->resized += end == 0 && fate == PAIR_RESIZED;
    totals->dropped += fate == PAIR_DROPPED;
    totals->missed += fate == PAIR_MISSED;
    totals->uncovered += fate == PAIR_UNCOVERED;
    totals->made += fate == PAIR_MADE;
    totals->extra += fate == PAIR_EXTRA;
}

/* ---- what was changed, and how long it took ---- */
static int usual_ttl_step(const struct direction *d)
{
    uint32_t votes[256] = {0};
    uint32_t best = 0;
    for (uint32_t i = 0; i < d->count[0]; i++) {
        const struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner != PAIR_NONE) {
            votes[(uint8_t)(p->ttl - d->side[1]->packets[p->partner].ttl)]++;
        }
    }
    for (uint32_t i = 1; i < 256; i++) {
        best = votes[i] > votes[best] ? i : best;
    }
    return (int8_t)best;
}

static uint8_t changes_of(const struct pair_packet *p, const struct pair_packet *q, int ttl_step)
{
    uint8_t changed = 0;
    if (p->is_icmp) {
        return 0;
    }
    changed |= p->mss != q->mss ? PAIR_CHANGED_MSS : 0;
    changed |= p->options != q->options ? PAIR_CHANGED_OPTIONS : 0;
    changed |= p->payload_whole && q->payload_whole && p->payload_hash != q->payload_hash
                   ? PAIR_CHANGED_PAYLOAD
                   : 0;
    changed |= (int8_t)(p->ttl - q->ttl) != ttl_step ? PAIR_CHANGED_TTL : 0;
    return changed;
}

static void compare_copies(const struct direction *d, int direction, struct pair_match *match)
{
    match->ttl_step[direction] = usual_ttl_step(d);
    for (uint32_t i = 0; i < d->count[0]; i++) {
        struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner == PAIR_NONE) {
            continue;
        }
        struct pair_packet *q = &d->side[1]->packets[p->partner];
        p->changed = q->changed = changes_of(p, q, match->ttl_step[direction]);
        match->changed |= p->changed;
        if ((p->changed & PAIR_CHANGED_MSS) != 0 && direction == 0) {
            match->mss_before = p->mss;
            match->mss_after = q->mss;
        }
    }
}

/* ---- sessions ---- */
static const struct pair_session *session_at(const struct work *w, const struct pair_match *match,
                                             int point)
{
    return &w->sides[point].sessions[match->session[point]];
}

/* Fills the views of one direction; the end of index 0 is `first`. */
static void prepare(struct work *w, const struct pair_match *match, int direction, int first,
                    struct direction *d)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    memset(d, 0, sizeof(*d));
    for (int end = 0; end < 2; end++) {
        int point = end == 0 ? first : 1 - first;
        const struct pair_session *s = session_at(w, match, point);
        uint32_t base[2];
        for (int i = 0; i < 2; i++) { /* unknown at a point: untouched */
            bool both = in->isn_known[i] && out->isn_known[i];
            base[i] = both ? s->isn[i] : in->isn_known[i] ? in->isn[i] : out->isn[i];
        }
        d->side[end] = &w->sides[point];
        d->list[end] = w->room[end];
        d->covered_from[end] = w->sides[point].first_ns;
        d->covered_to[end] = w->sides[point].last_ns;
        pair_fill_views(d, end, s, direction, base[direction], base[1 - direction]);
    }
}

/* NAT, and firewalls that draw new sequence numbers, leave the rest of a SYN as it is; a proxy's own
 * SYN has nothing of it. */
static bool is_relayed(const struct pair_session *in, const struct pair_session *out)
{
    if (!in->isn_known[0] || !out->isn_known[0] || in->isn[0] == out->isn[0]) {
        return false;
    }
    if (in->syn_timestamp != 0 && out->syn_timestamp != 0) {
        return in->syn_timestamp != out->syn_timestamp;
    }
    return in->syn_options != out->syn_options || in->client_port != out->client_port;
}

static void compare_sessions(const struct work *w, struct pair_match *match)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    bool client = address_equal(&in->client, &out->client) && in->client_port == out->client_port;
    bool server = address_equal(&in->server, &out->server) && in->server_port == out->server_port;
    bool sequence = false;
    for (int i = 0; i < 2; i++) {
        sequence = sequence ||
                   (in->isn_known[i] && out->isn_known[i] && in->isn[i] != out->isn[i]);
    }
    match->relayed = match->relayed || is_relayed(in, out);
    match->changed |= client ? 0 : PAIR_CHANGED_CLIENT;
    match->changed |= server ? 0 : PAIR_CHANGED_SERVER;
    match->changed |= sequence ? PAIR_CHANGED_SEQUENCE : 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* Times at the second point minus the first one of all packets of a direction that are surely the
 * same. */
static size_t differences(const struct direction *d, int64_t *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < d->count[0]; i++) {
        const struct pair_packet *p = packet_of(d, 0, i);
        if (p->partner != PAIR_NONE && p->is_sure) {
            out[count++] = d->side[1]->packets[p->partner].time_ns - p->time_ns;
        }
    }
    return count;
}

static void marry_session(struct work *w, struct pair_match *match, int64_t *scratch)
{
    const struct pair_session *in = session_at(w, match, PAIR_INSIDE);
    const struct pair_session *out = session_at(w, match, PAIR_OUTSIDE);
    int64_t middle[2];
    size_t count[2];
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        prepare(w, match, direction, PAIR_INSIDE, &d);
        d.expected_ns = w->result->offset_ns;
        pair_marry(&d);
        count[direction] = differences(&d, scratch);
        middle[direction] = count[direction] > 0 ? median(scratch, count[direction]) : 0;
    }
    /* What the client sends comes later outside than what the server sends, clocks aside. */
    match->near_client = PAIR_INSIDE;
    if (count[0] > 0 && count[1] > 0) {
        match->near_client = middle[0] >= middle[1] ? PAIR_INSIDE : PAIR_OUTSIDE;
    } else if (in->packets[0] > 0 && out->packets[0] > 0) {
        match->near_client =
            w->sides[PAIR_INSIDE].packets[in->first].ttl >=
                    w->sides[PAIR_OUTSIDE].packets[out->first].ttl
                ? PAIR_INSIDE
                : PAIR_OUTSIDE;
    }
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        int way = direction ^ match->near_client; /* 0: from inside to outside */
        prepare(w, match, direction, PAIR_INSIDE, &d);
        w->sample_count[way] += differences(&d, w->samples[way] + w->sample_count[way]);
    }
}

/* The clocks' offset if the way takes as long there as back; it lies between the least of one
 * direction and the most of the other whatever the way. */
static void estimate_offset(struct work *w)
{
    struct pair_result *r = w->result;
    size_t out = w->sample_count[0], in = w->sample_count[1];
    r->offset_samples = out + in;
    r->error_ns = -1;
    r->offset_known = out + in > 0;
    if (!r->offset_known) {
        return; /* a relay's connections begin when it likes */
    }
    if (out == 0 || in == 0) {
        r->offset_ns = out > 0 ? median(w->samples[0], out) : median(w->samples[1], in);
        return;
    }
    int64_t middle_out = median(w->samples[0], out), middle_in = median(w->samples[1], in);
    int64_t most = w->samples[0][0], least = w->samples[1][in - 1];
    r->offset_ns = middle_in + (middle_out - middle_in) / 2;
    if (least <= most) {
        r->offset_ns = r->offset_ns < least ? least : r->offset_ns > most ? most : r->offset_ns;
        r->error_ns = most - r->offset_ns > r->offset_ns - least ? most - r->offset_ns
                                                                 : r->offset_ns - least;
    } else { /* the clocks drift, or stamps are not in the order of the wire */
        r->error_ns = least - most;
    }
}

static void decide_session(struct work *w, struct pair_match *match, int64_t *scratch)
{
    for (int direction = 0; direction < 2; direction++) {
        struct direction d;
        int first = direction == 0 ? match->near_client : 1 - match->near_client;
        struct pair_totals *totals = &w->result->totals[first == PAIR_INSIDE ? 0 : 1];
        int64_t sign = first == PAIR_INSIDE ? 1 : -1;
        prepare(w, match, direction, first, &d);
        size_t count = differences(&d, scratch);
        d.expected_ns = sign * w->result->offset_ns;
        if (count > 0) {
            int64_t later = median(scratch, count);
            match->delay_ns[direction] = later - d.expected_ns > 0 ? later - d.expected_ns : 0;
            d.expected_ns = later;
        }
        compare_copies(&d, direction, match);
        for (int end = 0; end < 2; end++) {
            for (uint32_t i = 0; i < d.count[end]; i++) {
                struct pair_packet *p = packet_of(&d, end, i);
                p->fate = pair_fate_of(&d, end, i);
                count_fate(totals, end, p->fate);
            }
        }
    }
}

static int64_t rough_offset(const struct work *w, const struct pair_match *match)
{
    return session_at(w, match, PAIR_OUTSIDE)->first_ns -
           session_at(w, match, PAIR_INSIDE)->first_ns;
}

static bool open_work(struct work *w)
{
    size_t most = w->sides[0].packet_count < w->sides[1].packet_count ? w->sides[1].packet_count
                                                                      : w->sides[0].packet_count;
    for (int i = 0; i < 2; i++) {
        w->room[i] = malloc((most + 1) * sizeof(*w->room[i]));
        w->samples[i] = malloc((most + 1) * sizeof(*w->samples[i]));
    }
    return w->room[0] != NULL && w->room[1] != NULL && w->samples[0] != NULL &&
           w->samples[1] != NULL;
}

static void close_work(struct work *w)
{
    for (int i = 0; i < 2; i++) {
        free(w->room[i]);
        free(w->samples[i]);
    }
}

bool pair_match_packets(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    struct work w = {.sides = sides, .result = out};
    size_t most = (size_t)sides[0].packet_count + sides[1].packet_count + out->match_count + 1;
    int64_t *scratch = malloc(most * sizeof(*scratch));
    bool good = open_work(&w) && scratch != NULL;
    for (int point = 0; good && point < PAIR_POINTS; point++) {
        sort_side(&sides[point]);
    }
    size_t count = 0;
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        compare_sessions(&w, &out->matches[i]);
        if (out->matches[i].how != PAIR_BY_NAME) {
            scratch[count++] = rough_offset(&w, &out->matches[i]);
        }
    }
    if (count > 0) {
        out->offset_ns = median(scratch, count); /* to begin with */
    }
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        if (!out->matches[i].relayed) {
            marry_session(&w, &out->matches[i], scratch);
        }
    }
    if (good) {
        estimate_offset(&w);
    }
    for (uint32_t i = 0; good && i < out->match_count; i++) {
        if (!out->matches[i].relayed) {
            decide_session(&w, &out->matches[i], scratch);
        }
    }
    free(scratch);
    close_work(&w);
    return good;
}

bool pair_join(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    memset(out, 0, sizeof(*out));
    if (sides[0].failed || sides[1].failed || !pair_match_sessions(sides, out) ||
        !pair_match_packets(sides, out)) {
        pair_result_free(out);
        return false;
    }
    pair_doubt(sides, out);
    pair_decide_alone(sides, out);
    return true;
}

bool pair_is_one_capture(const struct pair_side sides[PAIR_POINTS])
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < sides[PAIR_INSIDE].packet_count; i++) {
        const struct pair_packet *p = &sides[PAIR_INSIDE].packets[i];
        if (p->partner == PAIR_NONE) {
            continue;
        }
        const struct pair_packet *q = &sides[PAIR_OUTSIDE].packets[p->partner];
        if (p->time_ns - q->time_ns >= NS_PER_US || q->time_ns - p->time_ns >= NS_PER_US) {
            return false;
        }
        both++;
    }
    return both >= ONE_CAPTURE_LEAST;
}

void pair_result_free(struct pair_result *result)
{
    free(result->matches);
    memset(result, 0, sizeof(*result));
}
