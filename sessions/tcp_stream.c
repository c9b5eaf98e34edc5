#include "sessions/tcp_stream.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

struct piece { /* out of order, waiting */
    struct piece *next;
    int64_t offset;
    uint32_t len, present;
    int64_t time_ns, frame;
    uint8_t bytes[];
};

struct direction {
    int64_t next;          /* offset that the dissector gets next */
    uint64_t skip;         /* bytes to pass over from there */
    uint8_t *carry;        /* not eaten yet */
    size_t carry_len, carry_capacity;
    size_t need;           /* bytes that the dissector waits for */
    int64_t carry_ns, carry_frame;
    struct piece *pieces;  /* by offset */
    uint32_t piece_count;
    uint64_t piece_bytes;
    bool started, finished;
    bool fin, fin_told;
    int64_t fin_offset;
};

struct tcp_stream {
    struct direction dir[2];
    const struct dissector *dissector;
    void *state;
    bool unknown;          /* no dissector matched */
    struct tcp_stream_limits limits;
};

struct tcp_stream *tcp_stream_new(const struct tcp_stream_limits *limits)
{
    struct tcp_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL)
        stream->limits = *limits;
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

static void drop_pieces(struct tcp_stream *stream, struct direction *d)
{
    while (d->pieces != NULL) {
        struct piece *next = d->pieces->next;
        free(d->pieces);
        d->pieces = next;
    }
    account(stream, -(int64_t)d->piece_bytes);
    d->piece_count = 0;
    d->piece_bytes = 0;
}

static void drop_carry(struct tcp_stream *stream, struct direction *d)
{
    account(stream, -(int64_t)d->carry_capacity);
    free(d->carry);
    d->carry = NULL;
    d->carry_len = d->carry_capacity = d->need = 0;
}

static void finish(struct tcp_stream *stream, struct direction *d)
{
    d->finished = true;
    drop_carry(stream, d);
    drop_pieces(stream, d);
}

static bool is_wanted(const struct tcp_stream *stream)
{
    return !stream->unknown && !(stream->dir[0].finished && stream->dir[1].finished);
}

static void give_up_at_limit(struct tcp_stream *stream, struct direction *d, uint64_t bytes)
{
    (*stream->limits.given_up)++;
    *stream->limits.bytes_lost += (int64_t)bytes;
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

/* Keeps what the dissector left uneaten (in the carry or in the packet); false when it is too much. */
static bool keep_carry(struct tcp_stream *stream, struct direction *d, const uint8_t *bytes, size_t len)
{
    if (!grow_carry(stream, d, len))
        return false;
    if (len > 0)
        memmove(d->carry, bytes, len);
    d->carry_len = len;
    return true;
}

/* Chooses the dissector by the first bytes of a side. False while more bytes are needed. */
static bool choose(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                   struct dissect_context *context)
{
    size_t count = 0;
    const struct dissector *const *all = dissector_list(&count);
    bool more = false;
    for (size_t i = 0; i < count; i++) {
        enum dissector_match match = all[i]->looks_like(bytes, len, side);
        if (match == MATCH_MORE)
            more = true;
        if (match != MATCH_YES)
            continue;
        stream->state = calloc(1, all[i]->state_size);
        if (stream->state == NULL)
            return false;
        stream->dissector = all[i];
        all[i]->open(stream->state, context);
        return true;
    }
    if (more && len < 64)
        return false;
    stream->unknown = true;
    return true;
}

/* Shows bytes to the dissector until it wants more. Returns how many of them are done with. */
static size_t feed(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                   struct dissect_context *context)
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
        struct cursor c = cur_of(bytes + done, len - done);
        context->skip = 0;
        context->need = 0;
        enum feed_result result = stream->dissector->feed(stream->state, side, &c, context);
        size_t eaten = (size_t)(c.at - (bytes + done));
        done += eaten;
        d->skip = context->skip;
        d->need = context->need;
        if (result != FEED_MORE)
            finish(stream, d);
        else if (eaten == 0 && context->skip == 0)
            break;
    }
    return done;
}

/* Hands contiguous bytes on: straight from the packet, or behind what was carried. */
static void deliver(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                    struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (len == 0 || d->finished)
        return;
    if (d->carry_len == 0) {
        d->carry_ns = context->time_ns;
        d->carry_frame = context->frame;
    } else {
        size_t before = d->carry_len;
        if (!grow_carry(stream, d, before + len)) {
            give_up_at_limit(stream, d, len);
            return;
        }
        memcpy(d->carry + before, bytes, len);
        bytes = d->carry;
        len = d->carry_len = before + len;
    }
    context->first_time_ns = d->carry_ns;
    context->first_frame = d->carry_frame;
    if (stream->dissector == NULL && !stream->unknown &&
        !choose(stream, side, bytes, len, context)) {
        if (!keep_carry(stream, d, bytes, len))
            give_up_at_limit(stream, d, len);
        return;
    }
    if (stream->unknown)
        return;
    size_t done = feed(stream, side, bytes, len, context);
    if (d->finished)
        return;
    if (done > 0) {
        d->carry_ns = context->time_ns;
        d->carry_frame = context->frame;
    }
    if (!keep_carry(stream, d, bytes + done, len - done))
        give_up_at_limit(stream, d, len - done);
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
    if (stream->dissector == NULL) {
        stream->unknown = true;
        return;
    }
    d->carry_len = 0;
    d->need = 0;
    context->skip = 0;
    if (!stream->dissector->gap(stream->state, side, len - harmless, context))
        finish(stream, d);
    d->skip = context->skip;
}

static void deliver_span(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                         struct dissect_context *context)
{
    struct direction *d = &stream->dir[in->side];
    uint32_t old = d->next > in->offset ? (uint32_t)(d->next - in->offset) : 0;
    if (old >= in->len)
        return;
    context->time_ns = in->time_ns;
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

static void deliver_pieces(struct tcp_stream *stream, enum side side, struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    while (!d->finished && d->pieces != NULL && d->pieces->offset <= d->next) {
        struct piece *piece = d->pieces;
        struct tcp_stream_bytes in = {side,       piece->offset, piece->bytes, piece->present,
                                  piece->len, piece->time_ns, piece->frame};
        d->pieces = piece->next;
        d->piece_count--;
        d->piece_bytes -= piece->present;
        account(stream, -(int64_t)piece->present);
        deliver_span(stream, &in, context);
        free(piece);
    }
}

static void keep_piece(struct tcp_stream *stream, const struct tcp_stream_bytes *in)
{
    struct direction *d = &stream->dir[in->side];
    if (d->piece_count >= LIMIT_STREAM_RANGES ||
        d->piece_bytes + in->present > LIMIT_STREAM_BYTES ||
        *stream->limits.memory > LIMIT_REASSEMBLY_TOTAL) {
        give_up_at_limit(stream, d, in->len);
        return;
    }
    struct piece **at = &d->pieces;
    while (*at != NULL && (*at)->offset < in->offset)
        at = &(*at)->next;
    if (*at != NULL && (*at)->offset == in->offset && (*at)->len >= in->len)
        return; /* the first copy stays */
    struct piece *piece = malloc(sizeof *piece + in->present);
    if (piece == NULL)
        return;
    *piece = (struct piece){*at, in->offset, in->len, in->present, in->time_ns, in->frame};
    if (in->present > 0)
        memcpy(piece->bytes, in->bytes, in->present);
    *at = piece;
    d->piece_count++;
    d->piece_bytes += in->present;
    account(stream, in->present);
}

static void tell_fin(struct tcp_stream *stream, enum side side, struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (!d->fin || d->fin_told || d->next < d->fin_offset || stream->dissector == NULL)
        return;
    d->fin_told = true;
    stream->dissector->end(stream->state, side, DISSECTOR_END_FIN, context);
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
        d->started = true;
        d->next = in->offset > 1 && (context->flow->facts & FLOW_FACT_MIDSTREAM) == 0 ? 1
                                                                                      : in->offset;
    }
    if (in->offset > d->next) {
        uint64_t ahead = (uint64_t)(in->offset - d->next);
        if (ahead > d->skip) {
            keep_piece(stream, in);
            return is_wanted(stream);
        }
        d->skip -= ahead; /* what is missing would be passed over anyway */
        d->next = in->offset;
    }
    deliver_span(stream, in, context);
    deliver_pieces(stream, in->side, context);
    tell_fin(stream, in->side, context);
    return is_wanted(stream);
}

bool tcp_stream_skip_gap(struct tcp_stream *stream, enum side side, int64_t offset,
                     struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (!d->finished && d->started && offset > d->next) {
        pass_gap(stream, side, (uint64_t)(offset - d->next), context);
        deliver_pieces(stream, side, context);
        tell_fin(stream, side, context);
    }
    return is_wanted(stream);
}

void tcp_stream_fin(struct tcp_stream *stream, enum side side, int64_t offset,
                struct dissect_context *context)
{
    struct direction *d = &stream->dir[side];
    if (d->fin)
        return;
    d->fin = true;
    d->fin_offset = offset;
    if (!d->started) {
        d->started = true;
        d->next = offset;
    }
    tell_fin(stream, side, context);
}

/* At the end, holes that were never decided: what lies above them still tells something. */
static void flush_holes(struct tcp_stream *stream, struct dissect_context *context)
{
    for (int s = 0; s < 2; s++) {
        struct direction *d = &stream->dir[s];
        while (!stream->unknown && !d->finished && d->pieces != NULL)
            (void)tcp_stream_skip_gap(stream, (enum side)s,
                                  d->pieces->offset > d->next ? d->pieces->offset : d->next + 1,
                                  context);
    }
}

void tcp_stream_close(struct tcp_stream *stream, enum end_why why, struct dissect_context *context)
{
    if (stream->dissector != NULL) {
        flush_holes(stream, context);
        stream->dissector->end(stream->state, SIDE_NONE, why, context);
        stream->dissector->close(stream->state, context);
    }
    for (int s = 0; s < 2; s++) {
        drop_carry(stream, &stream->dir[s]);
        drop_pieces(stream, &stream->dir[s]);
    }
    free(stream->state);
    free(stream);
}
