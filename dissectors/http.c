#include "dissectors/http.h"

#include "core/limits.h"
#include "dissectors/http_state.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX (64u * 1024u)
#define CHUNK_LINE_MAX 1024u

static enum dissector_match http_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    bool is_response = false;
    (void)side;
    int like = http_is_first(bytes, len, &is_response);
    return like > 0 ? MATCH_YES : like < 0 ? MATCH_MORE : MATCH_NO;
}

static void http_open(void *state, struct dissect_context *context)
{
    struct http_state *s = state;
    s->last_response_end_ns = RECORD_NONE_NS;
    if ((context->flow->facts & FLOW_FACT_MIDSTREAM) != 0)
        s->side[0].phase = s->side[1].phase = PHASE_LOST;
}

static void message_done(struct http_state *s, enum side side, struct dissect_context *context)
{
    const struct transaction *asked = http_queue_asking(s);
    bool connect = side == SIDE_CLIENT && asked != NULL && asked->is_connect;
    http_look_end(s, side, context);
    s->side[side].phase = connect ? PHASE_TUNNEL : PHASE_HEAD;
    if (side == SIDE_CLIENT)
        http_queue_request_done(s, context);
    else
        http_queue_response_done(s, context);
}

/* Passes over len bytes of body but the last, whose arrival ends the message. */
static void pass_body(struct http_side *side, uint64_t len, struct dissect_context *context)
{
    side->phase = PHASE_BODY_LAST;
    context->skip = len - 1;
}

static void begin_body(struct http_state *s, enum side side, uint64_t len,
                       struct dissect_context *context)
{
    struct http_side *h = &s->side[side];
    if (len == 0) {
        message_done(s, side, context);
        return;
    }
    if (!h->looking) {
        pass_body(h, len, context);
        return;
    }
    h->phase = PHASE_BODY_LOOK;
    h->in_chunk = false;
    h->body_left = len;
}

/* Eats what is looked at; the rest of the body or chunk is passed over. */
static void step_look(struct http_state *s, enum side side, struct cursor *c,
                      struct dissect_context *context)
{
    struct http_side *h = &s->side[side];
    h->body_left -= http_look_take(h, c, h->body_left);
    if (h->look_len == LIMIT_HTTP_BODY_LOOK)
        http_look_end(s, side, context);
    if (h->in_chunk && (h->body_left == 0 || !h->looking)) {
        h->phase = PHASE_CHUNK_END;
        context->skip = h->body_left;
    } else if (!h->in_chunk && h->body_left == 0) {
        message_done(s, side, context);
    } else if (!h->in_chunk && !h->looking) {
        pass_body(h, h->body_left, context);
    }
}

static void name_request(struct http_state *s, struct transaction *t, const struct http_head *h,
                         struct dissect_context *context)
{
    struct http_record *r = &t->record;
    http_record_name(r, context, h->method, h->host, h->target);
    http_fields_of_request(&h->fields, &h->secrets, r);
    r->version = h->minor == 0 ? HTTP_VERSION_10 : HTTP_VERSION_11;
    r->request_ns = context->first_time_ns;
    r->request_frame = context->first_frame;
    r->request_bytes = h->has_length && !h->chunked ? h->length : 0;
    if (s->count == 1 && s->last_response_end_ns >= 0 && r->response_ns < 0)
        r->idle_ns = r->request_ns - s->last_response_end_ns;
    t->is_head = h->method.len == 4 && memcmp(h->method.at, "HEAD", 4) == 0;
    t->is_connect = h->method.len == 7 && memcmp(h->method.at, "CONNECT", 7) == 0;
    if (t->is_connect)
        r->kind = HTTP_TUNNEL;
}

static void on_request(struct http_state *s, const struct http_head *h,
                       struct dissect_context *context)
{
    struct transaction *t = http_queue_push(s, context);
    context->flow->request_count++;
    s->known = true;
    if (context->event != NULL)
        context->event(context->event_self, EVENT_REQUEST, SIDE_CLIENT, context->first_time_ns,
                       context->first_frame);
    if (context->flow->name == NULL && h->host.len > 0)
        context->flow->name = intern_bytes(context->strings, h->host.at, h->host.len);
    if (t != NULL)
        name_request(s, t, h, context);
    if (h->secrets.count > 0)
        http_secrets_put(&s->secrets, &h->secrets, SIDE_CLIENT, t != NULL ? t->record.number : 0,
                         context);
    http_queue_note_open(s, context);
}

static void begin_request_body(struct http_state *s, const struct http_head *h,
                               struct dissect_context *context)
{
    if (h->fields.body_is_text && (h->chunked || h->has_length))
        (void)http_look_start(&s->side[SIDE_CLIENT]);
    if (h->chunked)
        s->side[SIDE_CLIENT].phase = PHASE_CHUNK;
    else
        begin_body(s, SIDE_CLIENT, h->has_length ? h->length : 0, context);
}

/* RFC 9112 6.3, in its order. */
static void frame_response_body(struct http_state *s, const struct transaction *t,
                                const struct http_head *h, struct dissect_context *context)
{
    struct http_side *side = &s->side[SIDE_SERVER];
    if (t->is_head || h->status == 204 || h->status == 304) {
        s->side[SIDE_SERVER].looking = false;
        message_done(s, SIDE_SERVER, context);
    } else if (h->chunked) {
        side->phase = PHASE_CHUNK;
    } else if (h->has_length && !h->other_coding && !h->length_conflict) {
        begin_body(s, SIDE_SERVER, h->length, context);
    } else {
        side->phase = PHASE_TO_CLOSE;
    }
}

static void note_wait(const struct http_state *s, struct transaction *t,
                      struct dissect_context *context)
{
    struct http_record *r = &t->record;
    int64_t from = r->request_end_ns;
    if (from < 0)
        return;
    if (s->last_response_end_ns > from)
        from = s->last_response_end_ns; /* pipelined: its turn came only then */
    r->wait_ns = dissect_wait(context, from, r->response_ns);
}

/* What follows a 101 or a granted CONNECT. */
static void begin_tunnel(struct http_state *s, struct transaction *t, const struct http_head *h,
                         struct dissect_context *context)
{
    bool websocket = h->status == 101 && h->websocket;
    t->record.kind = websocket ? HTTP_WEBSOCKET : HTTP_TUNNEL;
    message_done(s, SIDE_SERVER, context);
    s->over = !websocket;
    if (!websocket)
        return;
    context->flow->app = "websocket";
    s->side[SIDE_CLIENT].phase = s->side[SIDE_SERVER].phase = PHASE_PASS;
}

/* NULL for an interim answer: the wait goes on (RFC 9110 15.2). */
static struct transaction *on_response(struct http_state *s, const struct http_head *h,
                                       struct dissect_context *context)
{
    s->known = true;
    if (h->status >= 100 && h->status < 200 && h->status != 101)
        return NULL;
    struct transaction *t = http_queue_answered(s, context);
    struct http_record *r = &t->record;
    if (t->request_cut && !t->request_done) {
        t->request_done = true;
        r->request_end_ns = s->side[SIDE_CLIENT].seen_ns;
    }
    t->response_begun = true;
    r->status = h->status;
    r->response_ns = context->first_time_ns;
    r->response_frame = context->first_frame;
    r->response_bytes = h->has_length && !h->chunked ? h->length : 0;
    if (t->is_head || h->status == 204 || h->status == 304)
        r->response_bytes = 0; /* its length is that of another answer */
    if (r->version == HTTP_VERSION_NONE)
        r->version = h->minor == 0 ? HTTP_VERSION_10 : HTTP_VERSION_11;
    http_fields_of_response(&h->fields, r);
    note_wait(s, t, context);
    if (h->secrets.count > 0)
        http_secrets_put(&s->secrets, &h->secrets, SIDE_SERVER, r->number, context);
    if (context->event != NULL)
        context->event(context->event_self, EVENT_RESPONSE, SIDE_SERVER, context->first_time_ns,
                       context->first_frame);
    http_queue_note_open(s, context);
    return t;
}

static void begin_response_body(struct http_state *s, struct transaction *t,
                                const struct http_head *h, struct dissect_context *context)
{
    if (h->status == 101 || (t->is_connect && h->status >= 200 && h->status < 300)) {
        begin_tunnel(s, t, h, context);
        return;
    }
    if (t->is_connect && s->side[SIDE_CLIENT].phase == PHASE_TUNNEL)
        s->side[SIDE_CLIENT].phase = PHASE_HEAD; /* refused: it asks again, with credentials say */
    if (h->fields.body_is_text)
        (void)http_look_start(&s->side[SIDE_SERVER]);
    frame_response_body(s, t, h, context);
}

/* A line that ends within max bytes: its length with the end, 0 when more is needed, max + 1 when
 * not. */
static size_t line_length(const struct cursor *c, size_t max)
{
    size_t left = cur_left(c);
    const uint8_t *lf = left > 0 ? memchr(c->at, '\n', left < max ? left : max) : NULL;
    if (lf != NULL)
        return (size_t)(lf - c->at) + 1;
    return left >= max ? max + 1 : 0;
}

enum step { STEP_ON, STEP_MORE, STEP_LOST };

static enum step step_chunk(struct http_state *s, enum side side, struct cursor *c,
                            struct dissect_context *context)
{
    struct http_side *h = &s->side[side];
    size_t len = line_length(c, CHUNK_LINE_MAX);
    uint64_t size = 0;
    if (len == 0)
        return STEP_MORE;
    if (len > CHUNK_LINE_MAX)
        return STEP_LOST;
    const uint8_t *line = cur_take(c, len);
    if (h->phase == PHASE_CHUNK_END) {
        h->phase = PHASE_CHUNK;
        return len <= 2 ? STEP_ON : STEP_LOST;
    }
    if (h->phase == PHASE_TRAILER) {
        if (len <= 2)
            message_done(s, side, context);
        return STEP_ON;
    }
    if (!http_chunk_size(line, len, &size))
        return STEP_LOST;
    struct transaction *t = side == SIDE_SERVER ? http_queue_answering(s) : http_queue_asking(s);
    if (t != NULL && side == SIDE_SERVER)
        t->record.response_bytes += size;
    else if (t != NULL && !t->request_done)
        t->record.request_bytes += size;
    h->phase = size == 0 ? PHASE_TRAILER : PHASE_CHUNK_END;
    if (h->looking && size > 0) {
        h->phase = PHASE_BODY_LOOK;
        h->in_chunk = true;
        h->body_left = size;
        return STEP_ON;
    }
    context->skip = size;
    return STEP_ON;
}

static enum step step_head(struct http_state *s, enum side side, struct cursor *c,
                           struct dissect_context *context)
{
    struct http_head head;
    struct http_side *h = &s->side[side];
    bool is_response = false;
    while (cur_left(c) > 0 && (*c->at == '\r' || *c->at == '\n') && h->scanned == 0)
        cur_skip(c, 1); /* RFC 9112 2.2: empty lines before a message */
    if (cur_left(c) == 0)
        return STEP_MORE;
    int like = http_starts_like(c->at, cur_left(c), &is_response);
    if (like == 0 && side == SIDE_CLIENT && http_has_method(c->at, cur_left(c)))
        like = 1;
    if (like == 0 || (like > 0 && is_response != (side == SIDE_SERVER)))
        return STEP_LOST;
    enum http_head_result result = http_head_parse(c, &h->scanned, context->strings, context->salt, &head);
    if (result == HTTP_HEAD_MORE)
        return cur_left(c) > HEAD_MAX ? STEP_LOST : STEP_MORE;
    if (result == HTTP_HEAD_BAD)
        return STEP_LOST;
    if (head.is_response) {
        struct transaction *t = on_response(s, &head, context);
        if (t != NULL)
            begin_response_body(s, t, &head, context);
    } else {
        on_request(s, &head, context);
        begin_request_body(s, &head, context);
    }
    return STEP_ON;
}

/* Lost: everything is eaten but what may begin a message at the start of a segment. */
static enum step step_lost(struct http_state *s, enum side side, struct cursor *c)
{
    bool is_response = false;
    int like = http_starts_like(c->at, cur_left(c), &is_response);
    if (like > 0 && is_response == (side == SIDE_SERVER)) {
        s->side[side].phase = PHASE_HEAD;
        s->side[side].scanned = 0;
        return STEP_ON;
    }
    if (like < 0 && is_response == (side == SIDE_SERVER))
        return STEP_MORE; /* the next bytes tell */
    cur_skip(c, cur_left(c));
    return STEP_MORE;
}

/* The answer ends with the connection: what comes belongs to it. */
static void step_to_close(struct http_state *s, struct cursor *c)
{
    struct http_side *h = &s->side[SIDE_SERVER];
    struct transaction *t = http_queue_answering(s);
    if (t != NULL && t->response_begun)
        t->record.response_bytes += cur_left(c);
    if (h->looking)
        (void)http_look_take(h, c, UINT64_MAX);
    cur_skip(c, cur_left(c));
}

static enum step step(struct http_state *s, enum side side, struct cursor *c,
                      struct dissect_context *context)
{
    switch (s->side[side].phase) {
    case PHASE_HEAD:
        return step_head(s, side, c, context);
    case PHASE_BODY_LOOK:
        step_look(s, side, c, context);
        return STEP_ON;
    case PHASE_BODY_LAST:
        cur_skip(c, 1);
        message_done(s, side, context);
        return STEP_ON;
    case PHASE_CHUNK:
    case PHASE_CHUNK_END:
    case PHASE_TRAILER:
        return step_chunk(s, side, c, context);
    case PHASE_LOST:
        return step_lost(s, side, c);
    case PHASE_TO_CLOSE:
        step_to_close(s, c);
        return STEP_MORE;
    case PHASE_PASS:
        cur_skip(c, 1);
        context->skip = INT64_MAX;
        return STEP_ON;
    case PHASE_TUNNEL:
        break;
    }
    return STEP_MORE;
}

static void http_lose(struct http_state *s, enum side side, struct dissect_context *context)
{
    http_look_end(s, side, context);
    s->side[side].phase = PHASE_LOST;
    s->side[side].scanned = 0;
    if (side == SIDE_SERVER)
        s->resync = true;
    else
        http_queue_missed(s, context);
}

/* One step at a time: each message gets the time of the packet that brought its first byte. */
static enum feed_result http_feed(void *state, enum side side, struct cursor *bytes,
                                  struct dissect_context *context)
{
    struct http_state *s = state;
    const uint8_t *first = bytes->at;
    enum step done = STEP_ON;
    s->side[side].seen_ns = context->time_ns;
    while (done == STEP_ON && bytes->at == first && cur_left(bytes) > 0 && context->skip == 0)
        done = step(s, side, bytes, context);
    if (s->over)
        return FEED_HAND_OVER;
    if (done == STEP_LOST) {
        if (!s->known)
            return FEED_GIVE_UP;
        http_lose(s, side, context);
        if (cur_left(bytes) > 0)
            cur_skip(bytes, 1); /* what failed is no start either */
    }
    return FEED_MORE;
}

/* The gap swallowed the end of a head: its start line, and whatever fields are whole, still count. */
static void take_cut_head(struct http_state *s, enum side side, struct dissect_context *context)
{
    struct http_head head;
    if (s->side[side].phase != PHASE_HEAD ||
        http_head_parse_cut(context->cut, context->strings, context->salt, &head) != HTTP_HEAD_OK ||
        head.is_response != (side == SIDE_SERVER))
        return;
    if (head.is_response) {
        (void)on_response(s, &head, context);
        return;
    }
    on_request(s, &head, context);
    struct transaction *t = http_queue_asking(s);
    if (t != NULL)
        t->request_cut = true;
}

static bool http_gap(void *state, enum side side, uint64_t len, struct dissect_context *context)
{
    struct http_state *s = state;
    struct http_side *h = &s->side[side];
    h->seen_ns = context->time_ns;
    if (h->phase == PHASE_TO_CLOSE || h->phase == PHASE_PASS) {
        h->looking = false;
        return true;
    }
    bool inside = h->phase == PHASE_BODY_LOOK && len < h->body_left;
    if (!inside) {
        take_cut_head(s, side, context);
        http_lose(s, side, context);
        return true;
    }
    http_look_end(s, side, context);
    h->body_left -= len;
    if (h->in_chunk) {
        h->phase = PHASE_CHUNK_END;
        context->skip = h->body_left;
    } else {
        pass_body(h, h->body_left, context);
    }
    return true;
}

static void http_end(void *state, enum side side, enum end_why why, struct dissect_context *context)
{
    struct http_state *s = state;
    if (side == SIDE_SERVER && why == DISSECTOR_END_FIN &&
        s->side[SIDE_SERVER].phase == PHASE_TO_CLOSE)
        message_done(s, SIDE_SERVER, context);
    s->reset = why == DISSECTOR_END_RST;
}

/* The client began a head or a body and never came to its end. Between two chunks nothing is missing:
 * streams go on as they please. */
static bool is_request_part(struct http_state *s, const struct dissect_context *context)
{
    const struct http_side *client = &s->side[SIDE_CLIENT];
    const struct transaction *asking = http_queue_asking(s);
    if (client->phase == PHASE_HEAD)
        return client->scanned > 0;
    if (asking == NULL || asking->request_done)
        return false;
    return client->phase == PHASE_BODY_LAST || client->phase == PHASE_BODY_LOOK ||
           (client->phase == PHASE_CHUNK_END && context->skip_left[SIDE_CLIENT] > 0);
}

static void http_close(void *state, struct dissect_context *context)
{
    struct http_state *s = state;
    bool lost = s->side[SIDE_SERVER].phase == PHASE_LOST;
    if (is_request_part(s, context))
        context->flow->facts |= FLOW_FACT_REQUEST_PART;
    if (!s->known)
        context->flow->app = NULL; /* it only began like HTTP */
    for (int side = 0; side < 2; side++)
        http_look_end(s, (enum side)side, context);
    http_queue_close(s, context);
    if (lost || s->side[SIDE_CLIENT].phase == PHASE_LOST)
        context->flow->facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
    free(s->side[SIDE_CLIENT].look);
    free(s->side[SIDE_SERVER].look);
    free(s->queue);
}

const struct dissector dissector_http = {
    .name = "http",
    .state_size = sizeof(struct http_state),
    .looks_like = http_looks_like,
    .open = http_open,
    .feed = http_feed,
    .gap = http_gap,
    .end = http_end,
    .close = http_close,
};
