#include "sessions/tcp_stream_internal.h"

#include "core/hints.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

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
        stream_deliver(stream, in->side, in->bytes + old, in->present - old, context);
    }
    int64_t end = in->offset + in->len;
    if (end > d->next) { /* cut by the snap length */
        context->flow->facts |= FLOW_FACT_SNAPLEN;
        stream_pass_gap(stream, in->side, (uint64_t)(end - d->next), context);
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
        stream_pass_gap(stream, side, (uint64_t)(d->pieces.first->offset - d->next), context);
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
        stream_note_limit(stream, (uint64_t)(d->pieces.first->offset - d->next), context);
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
        stream_finish(stream, d);
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
        return stream_is_wanted(stream);
    if (!d->started) {
        start(stream, in, context);
    }
    if (in->offset > d->next && wait_for_missing(stream, in, context))
        return stream_is_wanted(stream);
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
    return stream_is_wanted(stream);
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
        stream_pass_gap(stream, side, (uint64_t)(offset - d->next), context);
    deliver_pieces(stream, side, context);
    tell_fin(stream, side, context);
    return stream_is_wanted(stream);
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
        stream_close_dissector(stream, context);
    }
    for (int s = 0; s < 2; s++) {
        stream_drop_carry(stream, &stream->dir[s]);
        pieces_drop(&stream->dir[s].pieces, stream->limits.memory);
    }
    *stream->limits.states -= sizeof *stream;
    free(stream);
}
