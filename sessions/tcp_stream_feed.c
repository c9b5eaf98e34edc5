#include "sessions/tcp_stream_internal.h"

#include "core/limits.h"
#include "dissectors/tls.h"

#include <stdlib.h>
#include <string.h>

/* Segments that may begin with a message, of a flow whose beginning was not captured. */
#define LATE_TRIES 8

static void account(struct tcp_stream *stream, int64_t bytes)
{
    *stream->limits.memory = (uint64_t)((int64_t)*stream->limits.memory + bytes);
}

void stream_drop_carry(struct tcp_stream *stream, struct direction *d)
{
    account(stream, -(int64_t)d->carry_capacity);
    free(d->carry);
    d->carry = NULL;
    d->carry_len = d->carry_capacity = d->need = 0;
}

void stream_finish(struct tcp_stream *stream, struct direction *d)
{
    d->finished = true;
    stream_drop_carry(stream, d);
    pieces_drop(&d->pieces, stream->limits.memory);
}

void stream_note_limit(struct tcp_stream *stream, uint64_t bytes, struct dissect_context *context)
{
    *stream->limits.given_up += !stream->limited;
    stream->limited = true;
    *stream->limits.bytes_lost += (int64_t)bytes;
    context->flow->facts |= FLOW_FACT_LIMIT;
}

static void give_up_at_limit(struct tcp_stream *stream, struct direction *d, uint64_t bytes,
                             struct dissect_context *context)
{
    stream_note_limit(stream, bytes, context);
    stream_finish(stream, d);
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

void stream_close_dissector(struct tcp_stream *stream, struct dissect_context *context)
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
    stream_close_dissector(stream, context);
    stream->unknown = true;
}

/* The dissector says that another protocol follows. */
RARE
static void hand_over(struct tcp_stream *stream, struct dissect_context *context)
{
    if (!stream->dissector->watches && context->upgrade == NULL)
        context->upgrade = stream->dissector->name;
    stream_close_dissector(stream, context);
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
            stream_finish(stream, d);
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

void stream_deliver(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
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

void stream_pass_gap(struct tcp_stream *stream, enum side side, uint64_t len,
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
        stream_finish(stream, d);
    d->skip = context->skip;
}
