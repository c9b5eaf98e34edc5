#include "sessions/tcp_stream.h"

#include "core/hints.h"
#include "core/limits.h"
#include "dissectors/tls.h"
#include "sessions/tcp_pieces.h"

#include <stdlib.h>
#include <string.h>

/* Segments that may begin with a message, of a flow whose beginning was not captured. */
#define LATE_TRIES 8

/* Holes inside a skip that are remembered at once. */
#define UNSEEN_MAX 8

struct span {
    int64_t from, to;
};

struct direction {
    int64_t next;   /* offset that the dissector gets next */
    uint64_t skip;  /* bytes to pass over from there */
    uint8_t *carry; /* not eaten yet */
    size_t carry_len, carry_capacity;
    size_t need; /* bytes that the dissector waits for */
    int64_t carry_ns, carry_frame;
    struct pieces pieces; /* out of order, waiting */
    bool started, finished;
    bool gapped;  /* bytes were lost before a dissector was chosen */
    bool refused; /* its first bytes are of no protocol that we know */
    bool fin, fin_told;
    int64_t fin_offset;
    int64_t wire_ns;  /* of the packet that brought the bytes at hand */
    int64_t whole_ns; /* when all up to them had come: the receiver's program can read them */
    struct span unseen[UNSEEN_MAX]; /* passed over inside a skip, and not come yet */
    int unseen_count;
};

struct tcp_stream {
    struct direction dir[2];
    const struct dissector *dissector;
    void *state;
    bool unknown; /* no dissector matched */
    bool limited; /* met a limit */
    int tries;    /* segments that no dissector wanted */
    struct tcp_stream_limits limits;
};

struct tcp_stream *tcp_stream_new(const struct tcp_stream_limits *limits)
{
    struct tcp_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->limits = *limits;
    *limits->states += sizeof *stream;
    return stream;
}

const struct dissector *tcp_stream_dissector(const struct tcp_stream *stream)
{
    return stream->dissector;
}

const void *tcp_stream_state(const struct tcp_stream *stream)
{
    return stream->state;
}

bool tcp_stream_is_unknown(const struct tcp_stream *stream)
{
    return stream->unknown;
}

bool tcp_stream_is_watched(const struct tcp_stream *stream)
{
    return stream->dissector != NULL ? stream->dissector->watches
                                     : stream->dir[0].refused || stream->dir[1].refused;
}

void tcp_stream_flip(struct tcp_stream *stream)
{
    struct direction d = stream->dir[0];
    stream->dir[0] = stream->dir[1];
    stream->dir[1] = d;
}

static void account(struct tcp_stream *stream, int64_t bytes)
{
    *stream->limits.memory = (uint64_t)((int64_t)*stream->limits.memory + bytes);
}

static void drop_carry(struct tcp_stream *stream, struct direction *d)
{
    account(stream, -(int64_t)d->carry_capacity);
    free(d->carry);
    d->carry = NULL;
    d->carry_len = d->carry_capacity = d->need = 0;
}

RARE
static void finish(struct tcp_stream *stream, struct direction *d)
{
    d->finished = true;
    drop_carry(stream, d);
    pieces_drop(&d->pieces, stream->limits.memory);
}

static bool is_wanted(const struct tcp_stream *stream)
{
    return !stream->unknown && !(stream->dir[0].finished && stream->dir[1].finished);
}

RARE
static void note_limit(struct tcp_stream *stream, uint64_t bytes, struct dissect_context *context)
{
    *stream->limits.given_up += !stream->limited;
    stream->limited = true;
    *stream->limits.bytes_lost += (int64_t)bytes;
    context->flow->facts |= FLOW_FACT_LIMIT;
}

static void give_up_at_limit(struct tcp_stream *stream, struct direction *d, uint64_t bytes,
                             struct dissect_context *context)
{
    note_limit(stream, bytes, context);
    finish(stream, d);
}

static bool grow_carry(struct tcp_stream *stream, struct direction *d, size_t len)
{
    if (len > LIMIT_CARRY_BYTES)
        return false;
    if (len <= d->carry_capacity)
        return true;
    size_t capacity = d->carry_capacity == 0 ? 2048 : d->carry_capacity;
    while (capacity < len)
        capacity *= 2;
    uint8_t *carry = realloc(d->carry, capacity);
    if (carry == NULL)
        return false;
    account(stream, (int64_t)(capacity - d->carry_capacity));
    d->carry = carry;
    d->carry_capacity = capacity;
    return true;
}

/* Keeps what the dissector left uneaten (in the carry or in the packet); false when it is too much.
 */
static bool keep_carry(struct tcp_stream *stream, struct direction *d, const uint8_t *bytes,
                       size_t len)
{
    if (!grow_carry(stream, d, len))
        return false;
    if (len > 0)
        memmove(d->carry, bytes, len);
    d->carry_len = len;
    return true;
}

static bool open_dissector(struct tcp_stream *stream, const struct dissector *dissector,
                           struct dissect_context *context)
{
    stream->state = calloc(1, dissector->state_size);
    if (stream->state == NULL)
        return false;
    *stream->limits.states += dissector->state_size;
    stream->dissector = dissector;
    if (!dissector->watches)
        context->flow->app = dissector->name;
    dissector->open(stream->state, context);
    for (int s = 0; s < 2; s++) {
        if (stream->dir[s].gapped)
            (void)dissector->gap(stream->state, (enum side)s, 1, context);
    }
    context->skip = 0;
    context->need = 0;
    return true;
}

static void close_dissector(struct tcp_stream *stream, struct dissect_context *context)
{
    for (int s = 0; s < 2; s++)
        context->skip_left[s] = stream->dir[s].skip;
    stream->dissector->close(stream->state, context);
    *stream->limits.states -= stream->dissector->state_size;
    free(stream->state);
    stream->state = NULL;
    stream->dissector = NULL;
}

enum choice { CHOICE_MADE, CHOICE_LATER, CHOICE_NONE };

/* One side began with what nobody knows; the other may still be known by its first bytes: a server's
 * "HTTP/1.1 400" to something else. TLS alone is left out: what its server says to anything else is an
 * alert, and no session. */
static bool may_answer(const struct dissector *dissector)
{
    return dissector != &dissector_tls && !dissector->watches;
}

/* Chooses the dissector by the first bytes of a side. LATER: more of them are needed. NONE: not by
 * these; the flow is unknown when neither side tells, unless its beginning was missed, when a later
 * segment may. */
static enum choice choose(struct tcp_stream *stream, enum side side, const uint8_t *bytes,
                          size_t len, struct dissect_context *context)
{
    size_t count = 0;
    const struct dissector *const *all = dissector_list(&count);
    bool more = false;
    bool answers = stream->dir[0].refused || stream->dir[1].refused;
    if (stream->dir[side].refused)
        return CHOICE_NONE;
    for (size_t i = 0; i < count; i++) {
        if (answers && !may_answer(all[i]))
            continue;
        enum dissector_match match = all[i]->looks_like(bytes, len, side);
        if (match == MATCH_YES && open_dissector(stream, all[i], context))
            return CHOICE_MADE;
        more = more || match == MATCH_MORE;
    }
    if (more && len < 64)
        return CHOICE_LATER;
    bool late = (context->flow->facts & FLOW_FACT_MIDSTREAM) != 0 || stream->dir[0].gapped ||
                stream->dir[1].gapped;
    if (late && !answers) {
        stream->unknown = ++stream->tries >= LATE_TRIES;
        stream->dir[side].gapped = true;
        return CHOICE_NONE;
    }
    stream->dir[side].gapped = stream->dir[side].refused = true;
    stream->unknown = answers;
    return CHOICE_NONE;
}

/* Nobody comes after one that only watched. */
RARE
static void stop_watching(struct tcp_stream *stream, struct dissect_context *context)
{
    close_dissector(stream, context);
    stream->unknown = true;
}

/* The dissector says that another protocol follows. */
RARE
static void hand_over(struct tcp_stream *stream, struct dissect_context *context)
{
    if (!stream->dissector->watches && context->upgrade == NULL)
        context->upgrade = stream->dissector->name;
    close_dissector(stream, context);
    for (int s = 0; s < 2; s++) {
        struct direction *d = &stream->dir[s];
        d->skip = 0;
        d->need = 0;
        d->finished = d->gapped = d->refused = false;
    }
}

/* Shows bytes to the dissector until it wants more; the first `carried` came with earlier packets.
 * Returns how many of them are done with. */
static size_t feed(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                   size_t carried, struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    size_t done = 0;
    while (!d->finished) {
        if (d->skip > 0) {
            size_t passed = d->skip < len - done ? (size_t)d->skip : len - done;
            d->skip -= passed;
            done += passed;
        }
        if (done == len || len - done < d->need)
            break;
        if (done > 0 && done >= carried) {
            context->first_time_ns = d->wire_ns;
            context->first_frame = context->frame;
        }
        struct cursor c = cur_of(bytes + done, len - done);
        context->skip = 0;
        context->need = 0;
        enum feed_result result = stream->dissector->feed(stream->state, side, &c, context);
        size_t eaten = (size_t)(c.at - (bytes + done));
        done += eaten;
        if (result == FEED_HAND_OVER) {
            hand_over(stream, context);
            break;
        }
        if (result == FEED_GIVE_UP && stream->dissector->watches) {
            stop_watching(stream, context);
            break;
        }
        d->skip = context->skip;
        d->need = context->need;
        if (result != FEED_MORE)
            finish(stream, d);
        else if (eaten == 0 && context->skip == 0)
            break;
    }
    return done;
}

/* Protocols that may follow each other within one piece of bytes: PROXY, CONNECT, TLS. */
#define HAND_OVERS_MAX 4

/* Whoever is in charge, or is chosen now, and again whoever comes after a hand-over. Returns how many
 * bytes are done with. */
static size_t choose_and_feed(struct tcp_stream *stream, enum side side, const uint8_t *bytes,
                              size_t len, size_t carried, struct dissect_context *context)
{
    size_t done = 0;
    for (int turn = 0; turn < HAND_OVERS_MAX; turn++) {
        if (stream->dissector == NULL) {
            enum choice choice = choose(stream, side, bytes + done, len - done, context);
            if (choice == CHOICE_NONE && done == 0 && carried > 0 && !stream->unknown) {
                done = carried; /* those were the rest of something; a segment may begin anew */
                choice = choose(stream, side, bytes + done, len - done, context);
            }
            if (choice != CHOICE_MADE)
                return choice == CHOICE_NONE ? len : done;
        }
        done += feed(stream, side, bytes + done, len - done, carried > done ? carried - done : 0,
                     context);
        /* TLS needs a record that the engine takes between packets. */
        if (stream->dissector != NULL || stream->unknown || done == len || context->tls == NULL)
            break;
    }
    return done;
}

/* Hands contiguous bytes on: straight from the packet, or behind what was carried. */
static void deliver(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                    struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    size_t carried = d->carry_len, done = 0;
    if (len == 0 || d->finished)
        return;
    if (carried == 0) {
        d->carry_ns = d->wire_ns;
        d->carry_frame = context->frame;
    } else {
        if (!grow_carry(stream, d, carried + len)) {
            give_up_at_limit(stream, d, len, context);
            return;
        }
        memcpy(d->carry + carried, bytes, len);
        bytes = d->carry;
        len = d->carry_len = carried + len;
    }
    context->first_time_ns = d->carry_ns;
    context->first_frame = d->carry_frame;
    if (stream->unknown)
        return;
    done = choose_and_feed(stream, side, bytes, len, carried, context);
    if (stream->unknown || d->finished)
        return;
    if (done > 0) {
        d->carry_ns = d->wire_ns;
        d->carry_frame = context->frame;
    }
    if (!keep_carry(stream, d, bytes + done, len - done))
        give_up_at_limit(stream, d, len - done, context);
}

/* A gap of len bytes: inside a skip it does no harm. */
static void pass_gap(struct tcp_stream *stream, enum side side, uint64_t len,
                     struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    uint64_t harmless = d->skip < len ? d->skip : len;
    d->skip -= harmless;
    d->next += (int64_t)len;
    if (harmless == len || d->finished)
        return;
    context->cut = cur_of(d->carry, d->carry_len);
    context->first_time_ns = d->carry_len > 0 ? d->carry_ns : context->time_ns;
    context->first_frame = d->carry_len > 0 ? d->carry_frame : context->frame;
    d->carry_len = 0;
    if (stream->dissector == NULL) {
        d->gapped = true;
        return;
    }
    d->need = 0;
    context->skip = 0;
    bool goes_on = stream->dissector->gap(stream->state, side, len - harmless, context);
    context->cut = cur_of(NULL, 0);
    if (!goes_on && stream->dissector->watches)
        stop_watching(stream, context);
    else if (!goes_on)
        finish(stream, d);
    d->skip = context->skip;
}

PER_PACKET
static void deliver_span(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                         struct dissect_context *context)
{
    struct direction *d = &stream->dir[in->side];
    uint32_t old = d->next > in->offset ? (uint32_t)(d->next - in->offset) : 0;
    if (old >= in->len)
        return;
    d->wire_ns = in->time_ns;
    if (in->time_ns > d->whole_ns) /* of bytes that waited: when the last that they waited for came */
        d->whole_ns = in->time_ns;
    context->time_ns = d->whole_ns;
    context->frame = in->frame;
    if (old < in->present) {
        d->next += in->present - old;
        deliver(stream, in->side, in->bytes + old, in->present - old, context);
    }
    int64_t end = in->offset + in->len;
    if (end > d->next) { /* cut by the snap length */
        context->flow->facts |= FLOW_FACT_SNAPLEN;
        pass_gap(stream, in->side, (uint64_t)(end - d->next), context);
    }
}

/* ---- what a skip passes over --------------------------------------------------------------------- */

/* Bytes that are missing inside a skip are not waited for; but what ends behind them is whole only when they have come,
 * or are known to be lost. Of more holes at once the first ones are forgotten. */
RARE
static void unseen_note(struct direction *d, int64_t from, int64_t to)
{
    if (d->unseen_count == UNSEEN_MAX)
        memmove(d->unseen, d->unseen + 1, (size_t)--d->unseen_count * sizeof *d->unseen);
    d->unseen[d->unseen_count++] = (struct span){from, to};
}

/* Bytes came, or are given up. The middle of a hole alone does not split it: its rest comes as well. */
static void unseen_fill(struct direction *d, int64_t from, int64_t to)
{
    int kept = 0;
    for (int i = 0; i < d->unseen_count; i++) {
        struct span s = d->unseen[i];
        if (from <= s.from && to > s.from)
            s.from = to;
        else if (to >= s.to && from < s.to)
            s.to = from;
        if (s.from < s.to)
            d->unseen[kept++] = s;
    }
    d->unseen_count = kept;
}

/* Whether bytes up to there go beyond a skip that is not whole. */
static bool ends_too_early(const struct direction *d, int64_t end)
{
    return d->unseen_count > 0 && end > d->next && (uint64_t)(end - d->next) > d->skip;
}

static void deliver_pieces(struct tcp_stream *stream, enum side side,
                           struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    while (!d->finished && d->pieces.first != NULL && d->pieces.first->offset <= d->next &&
           !ends_too_early(d, d->pieces.first->offset + d->pieces.first->len)) {
        struct piece *piece = pieces_take(&d->pieces, stream->limits.memory);
        struct tcp_stream_bytes in = {side,           piece->offset, d->next,        piece->bytes,
                                      piece->present, piece->len,    piece->time_ns, piece->frame};
        deliver_span(stream, &in, context);
        free(piece);
    }
}

/* What is missing below the first waiting piece is given up: the rest goes on behind the gap. */
static void skip_to_pieces(struct tcp_stream *stream, enum side side,
                           struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    d->unseen_count = 0;
    d->whole_ns = 0;
    if (d->pieces.first->offset > d->next)
        pass_gap(stream, side, (uint64_t)(d->pieces.first->offset - d->next), context);
    deliver_pieces(stream, side, context);
}

static bool is_full(const struct tcp_stream *stream, const struct direction *d, uint32_t present)
{
    return d->pieces.count >= LIMIT_STREAM_RANGES ||
           d->pieces.bytes + present > LIMIT_STREAM_BYTES ||
           *stream->limits.memory > LIMIT_REASSEMBLY_TOTAL;
}

PER_PACKET
static void tell_fin(struct tcp_stream *stream, enum side side, struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (!d->fin || d->fin_told || d->next < d->fin_offset || stream->dissector == NULL)
        return;
    d->fin_told = true;
    stream->dissector->end(stream->state, side, DISSECTOR_END_FIN, context);
}

static void keep(struct tcp_stream *stream, const struct tcp_stream_bytes *in)
{
    struct piece like = {NULL, in->offset, in->len, in->present, in->time_ns, in->frame};
    pieces_keep(&stream->dir[in->side].pieces, &like, in->bytes, stream->limits.memory);
}

/* Bytes above what came last; true when they have to wait. */
RARE
static bool wait_for_missing(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                             struct dissect_context *context)
{
    struct direction *d = &stream->dir[in->side];
    while (d->pieces.first != NULL && in->offset > d->next && is_full(stream, d, in->present)) {
        note_limit(stream, (uint64_t)(d->pieces.first->offset - d->next), context);
        skip_to_pieces(stream, in->side, context);
    }
    if (in->offset <= d->next || d->finished)
        return false;
    uint64_t ahead = (uint64_t)(in->offset - d->next);
    if (ahead > d->skip || (d->unseen_count > 0 && d->pieces.first != NULL)) {
        keep(stream, in);
        return true;
    }
    d->skip -= ahead; /* what is missing would be passed over anyway */
    unseen_note(d, d->next, in->offset);
    d->next = in->offset;
    return false;
}

/* The first bytes of a side; those before may be lost already. */
APART
static void start(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                  struct dissect_context *context)
{
    struct direction *d = &stream->dir[in->side];
    d->started = true;
    d->next = in->expected;
    if (in->expected <= 1)
        return;
    d->gapped = true;
    if (stream->dissector != NULL &&
        !stream->dissector->gap(stream->state, in->side, (uint64_t)in->expected - 1, context))
        finish(stream, d);
}

bool tcp_stream_pass(struct tcp_stream *stream, const struct tcp_stream_bytes *in)
{
    struct direction *d = &stream->dir[in->side], *peer = &stream->dir[!in->side];
    bool plain = in->offset == d->next && in->len <= d->skip && in->present == in->len &&
                 d->carry_len == 0 && d->pieces.first == NULL && d->unseen_count == 0;
    if (!plain || stream->dissector == NULL || !d->started || d->finished || d->fin ||
        (peer->fin && !peer->fin_told))
        return false;
    d->next += in->len;
    d->skip -= in->len;
    d->wire_ns = d->whole_ns = d->carry_ns = in->time_ns;
    d->carry_frame = in->frame;
    return true;
}

bool tcp_stream_push(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                     struct dissect_context *context)
{
    struct direction *d = &stream->dir[in->side];
    if (stream->unknown)
        return false;
    if (d->finished)
        return is_wanted(stream);
    if (!d->started) {
        start(stream, in, context);
    }
    if (in->offset > d->next && wait_for_missing(stream, in, context))
        return is_wanted(stream);
    unseen_fill(d, in->offset, in->offset + in->len);
    d->whole_ns = in->time_ns;
    if (ends_too_early(d, in->offset + in->len) ||
        (d->pieces.first != NULL && in->offset + in->len > d->pieces.first->offset))
        keep(stream, in); /* a part of it was seen before: that copy counts */
    else
        deliver_span(stream, in, context);
    deliver_pieces(stream, in->side, context);
    tell_fin(stream, in->side, context);
    tell_fin(stream, !in->side,
             context); /* it may have ended before anybody was chosen to hear it */
    return is_wanted(stream);
}

bool tcp_stream_skip_gap(struct tcp_stream *stream, enum side side, int64_t offset,
                         struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    unseen_fill(d, 0, offset);
    d->whole_ns = 0;
    while (!d->finished && d->pieces.first != NULL && d->pieces.first->offset < offset)
        skip_to_pieces(stream, side, context);
    if (!d->finished && d->started && offset > d->next)
        pass_gap(stream, side, (uint64_t)(offset - d->next), context);
    deliver_pieces(stream, side, context);
    tell_fin(stream, side, context);
    return is_wanted(stream);
}

void tcp_stream_fin(struct tcp_stream *stream, enum side side, int64_t offset, int64_t expected,
                    struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (d->fin)
        return;
    d->fin = true;
    d->fin_offset = offset;
    if (!d->started)
        start(stream, &(struct tcp_stream_bytes){.side = side, .expected = expected}, context);
    tell_fin(stream, side, context);
}

/* At the end, holes that were never decided: what lies above them still tells something. */
static void flush_holes(struct tcp_stream *stream, struct dissect_context *context)
{
    for (int s = 0; s < 2; s++) {
        struct direction *d = &stream->dir[s];
        while (!stream->unknown && !d->finished && d->pieces.first != NULL)
            skip_to_pieces(stream, (enum side)s, context);
        tell_fin(stream, (enum side)s, context);
    }
}

void tcp_stream_close(struct tcp_stream *stream, enum end_why why, struct dissect_context *context)
{
    flush_holes(stream, context);
    if (stream->dissector != NULL) {
        stream->dissector->end(stream->state, SIDE_NONE, why, context);
        close_dissector(stream, context);
    }
    for (int s = 0; s < 2; s++) {
        drop_carry(stream, &stream->dir[s]);
        pieces_drop(&stream->dir[s].pieces, stream->limits.memory);
    }
    *stream->limits.states -= sizeof *stream;
    free(stream);
}
