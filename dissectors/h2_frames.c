/* Frames of an HTTP/2 connection but DATA (RFC 9113 6). */
#include "core/limits.h"
#include "dissectors/h2_state.h"

#include <stdlib.h>
#include <string.h>

#define ERROR_NO_ERROR 0
#define SETTING_MAX_STREAMS 3
#define SETTING_INITIAL_WINDOW 4

/* ---- flow control (RFC 9113 5.2) -------------------------------------------------------------- */

static void stall(int64_t *since, int64_t left, int64_t now)
{
    if (left <= 0 && *since < 0)
        *since = now;
}

static void resume(struct h2_state *s, enum side sender, int64_t *since, int64_t left, int64_t now)
{
    struct h2_side_facts *facts = &s->record.side[sender];
    if (left <= 0 || *since < 0)
        return;
    if (!s->record.late) {
        facts->stalls++;
        if (now - *since > facts->stalled_ns)
            facts->stalled_ns = now - *since;
    }
    *since = RECORD_NONE_NS;
}

void h2_window_use(struct h2_state *s, enum side side, const struct h2_frame *frame, int64_t now)
{
    struct h2_side *h = &s->side[side];
    struct h2_stream *stream = h2_stream_find(s, frame->stream);
    bool ends = (frame->flags & H2_FLAG_END_STREAM) != 0;
    h->window -= frame->len;
    if (!ends)
        stall(&h->stalled_ns, h->window, now);
    if (stream == NULL)
        return;
    stream->window[side] -= frame->len;
    if (!ends)
        stall(&stream->stalled_ns[side], stream->window[side], now);
}

void h2_window_grant(struct h2_state *s, enum side giver, uint32_t id, uint32_t bytes, int64_t now)
{
    enum side sender = giver == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    struct h2_side *h = &s->side[sender];
    if (id == 0) {
        h->window += bytes;
        resume(s, sender, &h->stalled_ns, h->window, now);
        return;
    }
    struct h2_stream *stream = h2_stream_find(s, id);
    if (stream == NULL)
        return;
    stream->window[sender] += bytes;
    resume(s, sender, &stream->stalled_ns[sender], stream->window[sender], now);
}

void h2_window_initial(struct h2_state *s, enum side giver, uint32_t bytes)
{
    enum side sender = giver == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    int64_t more = (int64_t)bytes - s->side[sender].stream_window;
    s->side[sender].stream_window = bytes;
    for (size_t i = 0; i < s->stream_count; i++)
        s->streams[i].window[sender] += more; /* RFC 9113 6.9.2 */
}

/* ---- header blocks ---------------------------------------------------------------------------- */

static bool keep_block(struct h2_side *h, const uint8_t *bytes, size_t len)
{
    if (h->block_len + len > LIMIT_H2_HEADERS)
        return false;
    if (h->block_len + len > h->block_capacity) {
        size_t capacity = h->block_capacity == 0 ? 4096 : h->block_capacity;
        while (capacity < h->block_len + len)
            capacity *= 2;
        uint8_t *grown = realloc(h->block, capacity);
        if (grown == NULL)
            return false;
        h->block = grown;
        h->block_capacity = capacity;
    }
    if (len > 0)
        memcpy(h->block + h->block_len, bytes, len);
    h->block_len += len;
    return true;
}

static void add_fragment(struct h2_state *s, enum side side, const struct h2_frame *frame,
                         struct cursor fragment, struct dissect_context *context)
{
    struct h2_side *h = &s->side[side];
    bool last = (frame->flags & H2_FLAG_END_HEADERS) != 0;
    size_t len = cur_left(&fragment);
    if (last && h->block_len == 0) {
        h2_headers(s, side, fragment.at, len, context);
        return;
    }
    if (!keep_block(h, fragment.at, len)) {
        h2_headers_lose(s, side);
        return;
    }
    if (!last)
        return;
    size_t whole = h->block_len;
    h->block_len = 0;
    h2_headers(s, side, h->block, whole, context);
}

static void on_headers(struct h2_state *s, enum side side, const struct h2_frame *frame,
                       struct cursor payload, struct dissect_context *context)
{
    struct h2_side *h = &s->side[side];
    size_t padding = (frame->flags & H2_FLAG_PADDED) != 0 ? cur_u8(&payload) : 0;
    if (frame->type == H2_PUSH_PROMISE)
        h->promised = cur_u32(&payload) & 0x7fffffffu;
    else if ((frame->flags & H2_FLAG_PRIORITY) != 0)
        cur_skip(&payload, 5);
    if (!cur_ok(&payload) || padding > cur_left(&payload)) {
        h2_headers_lose(s, side);
        return;
    }
    struct cursor fragment = cur_cut(&payload, cur_left(&payload) - padding);
    h->opener = *frame;
    h->block_len = 0;
    h->block_ns = context->first_time_ns;
    h->block_frame = context->first_frame;
    add_fragment(s, side, frame, fragment, context);
}

/* ---- the others ------------------------------------------------------------------------------- */

static void on_settings(struct h2_state *s, enum side side, struct cursor payload)
{
    struct h2_side_facts *facts = &s->record.side[side];
    facts->settings++;
    while (cur_left(&payload) >= 6) {
        uint16_t id = cur_u16(&payload);
        uint32_t value = cur_u32(&payload);
        if (id == SETTING_MAX_STREAMS)
            facts->max_streams = value;
        if (id == SETTING_INITIAL_WINDOW && value <= INT32_MAX) {
            facts->window = value;
            h2_window_initial(s, side, value);
        }
    }
}

static void on_reset(struct h2_state *s, enum side side, const struct h2_frame *frame,
                     struct cursor payload, struct dissect_context *context)
{
    struct h2_side_facts *facts = &s->record.side[side];
    int64_t error = cur_u32(&payload);
    if (!cur_ok(&payload))
        return;
    facts->resets++;
    /* A stream that is closed already (ended, or reset from both sides at once) loses nothing. */
    const struct h2_stream *stream = h2_stream_find(s, frame->stream);
    bool broke = error != ERROR_NO_ERROR && error != H2_ERROR_CANCEL && stream != NULL &&
                 !stream->left;
    if (broke && facts->reset_errors++ == 0) {
        facts->reset_error = error;
        facts->reset_ns = context->first_time_ns;
        facts->reset_frame = context->first_frame;
    }
    h2_stream_reset(s, side, frame->stream, error, context);
}

static void on_goaway(struct h2_state *s, enum side side, struct cursor payload,
                      struct dissect_context *context)
{
    struct h2_side_facts *facts = &s->record.side[side];
    uint32_t last = cur_u32(&payload) & 0x7fffffffu;
    int64_t error = cur_u32(&payload);
    if (!cur_ok(&payload))
        return;
    /* It had said before that it ends: what it says when nothing is left to serve is no trouble. */
    if (facts->goaway_error == ERROR_NO_ERROR && s->stream_count == s->left_count)
        return;
    facts->goaway_error = error;
    facts->goaway_stream = last;
    facts->goaway_open = (uint32_t)(s->stream_count - s->left_count);
    facts->goaway_ns = context->first_time_ns;
    facts->goaway_frame = context->first_frame;
    if (side == SIDE_SERVER)
        h2_streams_refuse(s, last, context);
}

void h2_frame_whole(struct h2_state *s, enum side side, const struct h2_frame *frame,
                    struct cursor payload, struct dissect_context *context)
{
    bool ack = (frame->flags & H2_FLAG_END_STREAM) != 0;
    switch (frame->type) {
    case H2_HEADERS:
    case H2_PUSH_PROMISE:
        on_headers(s, side, frame, payload, context);
        break;
    case H2_CONTINUATION:
        if (s->side[side].opener.stream == frame->stream)
            add_fragment(s, side, frame, payload, context);
        break;
    case H2_RST_STREAM:
        on_reset(s, side, frame, payload, context);
        break;
    case H2_SETTINGS:
        if (!ack)
            on_settings(s, side, payload);
        break;
    case H2_PING:
        s->record.side[side].pings += !ack;
        break;
    case H2_GOAWAY:
        on_goaway(s, side, payload, context);
        break;
    case H2_WINDOW_UPDATE:
        h2_window_grant(s, side, frame->stream, cur_u32(&payload) & 0x7fffffffu,
                        context->first_time_ns);
        break;
    default: /* PRIORITY, extensions (RFC 9113 5.5) */
        break;
    }
}
