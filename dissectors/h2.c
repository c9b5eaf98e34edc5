#include "dissectors/h2.h"

#include "core/limits.h"
#include "dissectors/h2_state.h"

#include <stdlib.h>
#include <string.h>

#define PREFACE_LEN 24u
#define WINDOW_DEFAULT 65535
/* Larger ones than the default are announced by SETTINGS, rarely, and then for DATA. */
#define FRAME_USUAL 16384u
#define STREAM_USUAL (1u << 24)

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct h2_frame read_header(const uint8_t *bytes)
{
    struct cursor c = cur_of(bytes, H2_FRAME_HEADER);
    struct h2_frame frame = {0};
    frame.len = cur_u24(&c);
    frame.type = cur_u8(&c);
    frame.flags = cur_u8(&c);
    frame.stream = cur_u32(&c);
    return frame;
}

/* What a frame of that type may be (RFC 9113 6). */
static bool is_plausible(const struct h2_frame *f)
{
    static const struct {
        uint8_t flags;
        bool of_stream, of_connection;
        int32_t len; /* -1 any, -6 a multiple of 6 */
    } rules[] = {
        [H2_DATA] = {0x09, true, false, -1},        [H2_HEADERS] = {0x2d, true, false, -1},
        [H2_PRIORITY] = {0, true, false, 5},        [H2_RST_STREAM] = {0, true, false, 4},
        [H2_SETTINGS] = {0x01, false, true, -6},    [H2_PUSH_PROMISE] = {0x0c, true, false, -1},
        [H2_PING] = {0x01, false, true, 8},         [H2_GOAWAY] = {0, false, true, -1},
        [H2_WINDOW_UPDATE] = {0, true, true, 4},    [H2_CONTINUATION] = {0x04, true, false, -1},
    };
    if (f->type >= sizeof rules / sizeof *rules || f->stream >= STREAM_USUAL)
        return false;
    if ((f->stream != 0 && !rules[f->type].of_stream) ||
        (f->stream == 0 && !rules[f->type].of_connection) ||
        (f->flags & ~rules[f->type].flags) != 0)
        return false;
    int32_t len = rules[f->type].len;
    return len >= 0 ? f->len == (uint32_t)len : f->len <= FRAME_USUAL && (len != -6 || f->len % 6 == 0);
}

/* ---- the first bytes -------------------------------------------------------------------------- */

/* The server's SETTINGS come first (RFC 9113 3.4); identifiers up to 8 are registered, Google uses
 * some above. */
static enum dissector_match like_settings(const uint8_t *bytes, size_t len)
{
    static const uint8_t mask[] = {0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t want[] = {0, 0, 0, H2_SETTINGS, 0, 0, 0, 0, 0};
    for (size_t i = 0; i < len && i < sizeof want; i++) {
        if ((bytes[i] & mask[i]) != want[i])
            return MATCH_NO;
    }
    if (len > 2 && bytes[2] % 6 != 0)
        return MATCH_NO;
    if (len < sizeof want || (bytes[2] > 0 && len < sizeof want + 2))
        return MATCH_MORE;
    return bytes[2] == 0 || (bytes[9] == 0 && bytes[10] >= 1 && bytes[10] <= 16) ? MATCH_YES
                                                                              : MATCH_NO;
}

/* A header block of which the first field is the static :method, :path, :scheme or :status. */
static enum dissector_match like_headers(const uint8_t *bytes, size_t len)
{
    if (len > 0 && bytes[0] != 0)
        return MATCH_NO;
    if (len < H2_FRAME_HEADER)
        return len < 4 || bytes[3] == H2_HEADERS ? MATCH_MORE : MATCH_NO;
    struct h2_frame frame = read_header(bytes);
    if (frame.type != H2_HEADERS || !is_plausible(&frame) || frame.stream % 2 == 0 ||
        (frame.flags & H2_FLAG_END_HEADERS) == 0 || (frame.flags & H2_FLAG_PADDED) != 0 ||
        frame.len == 0)
        return MATCH_NO;
    size_t at = H2_FRAME_HEADER + ((frame.flags & H2_FLAG_PRIORITY) != 0 ? 5 : 0);
    if (len <= at)
        return MATCH_MORE;
    return bytes[at] >= 0x82 && bytes[at] <= 0x8e ? MATCH_YES : MATCH_NO;
}

static enum dissector_match h2_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    size_t n = len < PREFACE_LEN ? len : PREFACE_LEN;
    if (n > 0 && memcmp(bytes, preface, n) == 0)
        return n == PREFACE_LEN ? MATCH_YES : MATCH_MORE;
    enum dissector_match match = like_headers(bytes, len);
    return match == MATCH_NO && side == SIDE_SERVER ? like_settings(bytes, len) : match;
}

/* ---- feeding ---------------------------------------------------------------------------------- */

static void h2_open(void *state, struct dissect_context *context)
{
    struct h2_state *s = state;
    bool late = (context->flow->facts & FLOW_FACT_MIDSTREAM) != 0;
    s->last_response_end_ns = RECORD_NONE_NS;
    s->record.late = late;
    for (int i = 0; i < 2; i++) {
        struct h2_side_facts *facts = &s->record.side[i];
        facts->goaway_error = facts->goaway_stream = facts->goaway_ns = -1;
        facts->reset_error = facts->reset_ns = facts->max_streams = facts->window = -1;
        s->side[i].window = s->side[i].stream_window = WINDOW_DEFAULT;
        s->side[i].stalled_ns = RECORD_NONE_NS;
        s->side[i].phase = late ? H2_PHASE_LOST : H2_PHASE_FRAME;
    }
    if (!late)
        s->side[SIDE_CLIENT].phase = H2_PHASE_PREFACE;
}

static void lose(struct h2_state *s, enum side side)
{
    h2_headers_lose(s, side);
    s->side[side].phase = H2_PHASE_LOST;
}

enum step { STEP_ON, STEP_MORE, STEP_LOST };

static enum step step_preface(struct h2_state *s, struct cursor *c)
{
    size_t n = cur_left(c) < PREFACE_LEN ? cur_left(c) : PREFACE_LEN;
    if (memcmp(c->at, preface, n) != 0)
        return STEP_LOST;
    if (n < PREFACE_LEN)
        return STEP_MORE;
    cur_skip(c, PREFACE_LEN);
    s->known = true;
    s->side[SIDE_CLIENT].phase = H2_PHASE_FRAME;
    return STEP_ON;
}

static void data_done(struct h2_state *s, enum side side, struct dissect_context *context)
{
    struct h2_side *h = &s->side[side];
    h->phase = H2_PHASE_FRAME;
    if ((h->data.flags & H2_FLAG_END_STREAM) != 0)
        h2_stream_half_done(s, side, h->data.stream, context);
}

static enum step step_data(struct h2_state *s, enum side side, const struct h2_frame *frame,
                           struct cursor *c, struct dissect_context *context)
{
    struct h2_side *h = &s->side[side];
    bool padded = (frame->flags & H2_FLAG_PADDED) != 0 && frame->len > 0;
    if (cur_left(c) < H2_FRAME_HEADER + padded)
        return STEP_MORE;
    cur_skip(c, H2_FRAME_HEADER);
    uint32_t rest = frame->len - padded;
    uint32_t padding = padded ? cur_u8(c) : 0;
    struct h2_stream *stream = h2_stream_find(s, frame->stream);
    uint64_t body = padding < rest ? rest - padding : 0;
    if (stream != NULL && side == SIDE_CLIENT)
        stream->record.request_bytes += body;
    else if (stream != NULL)
        stream->record.response_bytes += body;
    h2_window_use(s, side, frame, context->first_time_ns);
    h->data = *frame;
    if (rest == 0) {
        data_done(s, side, context);
        return STEP_ON;
    }
    h->phase = H2_PHASE_DATA_LAST;
    context->skip = rest - 1;
    return STEP_ON;
}

static enum step step_frame(struct h2_state *s, enum side side, struct cursor *c,
                            struct dissect_context *context)
{
    if (cur_left(c) < H2_FRAME_HEADER)
        return STEP_MORE;
    struct h2_frame frame = read_header(c->at);
    frame.stream &= 0x7fffffffu;
    bool headers = frame.type == H2_HEADERS || frame.type == H2_CONTINUATION ||
                   frame.type == H2_PUSH_PROMISE;
    if (frame.type <= H2_CONTINUATION && frame.type != H2_DATA && !headers &&
        frame.type != H2_GOAWAY && !is_plausible(&frame))
        return STEP_LOST;
    if (frame.type == H2_DATA) {
        enum step done = step_data(s, side, &frame, c, context);
        s->record.frames += done == STEP_ON;
        return done;
    }
    if (frame.len > LIMIT_H2_HEADERS) { /* only an extension or an attack is that long */
        cur_skip(c, H2_FRAME_HEADER);
        context->skip = frame.len;
        if (headers)
            h2_headers_lose(s, side);
        return STEP_ON;
    }
    if (cur_left(c) < H2_FRAME_HEADER + frame.len) {
        context->need = H2_FRAME_HEADER + frame.len;
        return STEP_MORE;
    }
    s->known = true;
    s->record.frames++;
    cur_skip(c, H2_FRAME_HEADER);
    h2_frame_whole(s, side, &frame, cur_cut(c, frame.len), context);
    return STEP_ON;
}

/* Lost: everything is eaten but what looks like a frame at the start of a segment. */
static enum step step_lost(struct h2_state *s, enum side side, struct cursor *c)
{
    if (side == SIDE_CLIENT && cur_left(c) >= PREFACE_LEN &&
        memcmp(c->at, preface, PREFACE_LEN) == 0) {
        s->side[side].phase = H2_PHASE_PREFACE;
        return STEP_ON;
    }
    if (cur_left(c) >= H2_FRAME_HEADER) {
        struct h2_frame frame = read_header(c->at);
        size_t next = H2_FRAME_HEADER + frame.len;
        bool like = is_plausible(&frame);
        if (like && cur_left(c) >= next + H2_FRAME_HEADER) {
            struct h2_frame after = read_header(c->at + next);
            like = is_plausible(&after);
        }
        if (like) {
            s->side[side].phase = H2_PHASE_FRAME;
            return STEP_ON;
        }
    }
    cur_skip(c, cur_left(c));
    return STEP_MORE;
}

static enum step step(struct h2_state *s, enum side side, struct cursor *c,
                      struct dissect_context *context)
{
    switch (s->side[side].phase) {
    case H2_PHASE_PREFACE:
        return step_preface(s, c);
    case H2_PHASE_FRAME:
        return step_frame(s, side, c, context);
    case H2_PHASE_DATA_LAST:
        cur_skip(c, 1);
        data_done(s, side, context);
        return STEP_ON;
    case H2_PHASE_LOST:
        break;
    }
    return step_lost(s, side, c);
}

/* One step at a time: each frame gets the time of the packet that brought its first byte. */
static enum feed_result h2_feed(void *state, enum side side, struct cursor *bytes,
                                struct dissect_context *context)
{
    struct h2_state *s = state;
    const uint8_t *first = bytes->at;
    enum step done = STEP_ON;
    s->heard[side] = true;
    while (done == STEP_ON && bytes->at == first && cur_left(bytes) > 0 && context->skip == 0)
        done = step(s, side, bytes, context);
    if (done == STEP_LOST) {
        if (!s->known)
            return FEED_GIVE_UP;
        lose(s, side);
        cur_skip(bytes, cur_left(bytes));
    }
    return FEED_MORE;
}

static bool h2_gap(void *state, enum side side, uint64_t len, struct dissect_context *context)
{
    (void)len;
    (void)context;
    lose(state, side);
    return true;
}

static void h2_end(void *state, enum side side, enum end_why why, struct dissect_context *context)
{
    struct h2_state *s = state;
    (void)side;
    (void)context;
    s->reset = why == DISSECTOR_END_RST;
}

static void h2_close(void *state, struct dissect_context *context)
{
    struct h2_state *s = state;
    bool lost = s->side[SIDE_CLIENT].phase == H2_PHASE_LOST ||
                s->side[SIDE_SERVER].phase == H2_PHASE_LOST;
    h2_streams_close(s, context);
    if (lost)
        context->flow->facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
    if (s->known) {
        s->record.flow_id = context->flow_id;
        sink_put(context->sink, RECORD_H2, &s->record);
    } else {
        context->flow->app = NULL;
    }
    free(s->streams);
    for (int i = 0; i < 2; i++) {
        hpack_free(s->side[i].hpack);
        free(s->side[i].block);
    }
}

const struct dissector dissector_h2 = {
    .name = "http2",
    .state_size = sizeof(struct h2_state),
    .looks_like = h2_looks_like,
    .open = h2_open,
    .feed = h2_feed,
    .gap = h2_gap,
    .end = h2_end,
    .close = h2_close,
};
