#include "dissectors/http.h"

#include "core/limits.h"
#include "dissectors/http_message.h"

#include <string.h>

/* Only scanners pipeline deeper than this; their further requests are counted, and their answers
 * are told without them. */
#define PIPELINE_MAX 16
#define HEAD_MAX (64u * 1024u)
#define CHUNK_LINE_MAX 1024u

enum phase {
    PHASE_HEAD,      /* a start line comes next */
    PHASE_BODY_LAST, /* all of a body but its last byte is being passed over */
    PHASE_CHUNK,     /* a chunk-size line comes next */
    PHASE_CHUNK_END, /* the line end behind chunk data */
    PHASE_TRAILER,
    PHASE_TO_CLOSE, /* the body ends with the connection */
    PHASE_LOST,     /* after a gap: wait for something that looks like a start */
    PHASE_TUNNEL    /* behind CONNECT: the answer decides what the bytes are */
};

struct http_side {
    enum phase phase;
    size_t scanned;
};

struct transaction {
    struct http_record record;
    bool is_head, is_connect;
    bool request_done, response_begun;
};

struct http_state {
    struct http_side side[2];
    struct transaction queue[PIPELINE_MAX];
    uint32_t first, count;
    uint64_t beyond; /* requests behind the queue, not kept */
    int64_t number;
    int64_t last_response_end_ns;
    struct transaction late; /* an answer whose request was not seen */
    bool late_open;
    bool resync; /* answers were missed: the next one is for the last request */
    bool reset;  /* the connection was aborted */
    bool over;   /* another protocol follows */
};

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

static struct transaction *at(struct http_state *s, uint32_t index)
{
    return &s->queue[(s->first + index) % PIPELINE_MAX];
}

/* The request open facts follow the queue. */
static void note_open(const struct http_state *s, struct dissect_context *context)
{
    uint64_t *facts = &context->flow->facts;
    const struct transaction *t = s->count > 0 ? &s->queue[s->first] : NULL;
    bool answering = s->late_open || (t != NULL && t->response_begun);
    bool waiting = s->beyond > 0 || s->count > (t != NULL && t->response_begun ? 1u : 0u);
    *facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
    if (waiting)
        *facts |= FLOW_FACT_REQUEST_OPEN;
    if (answering)
        *facts |= FLOW_FACT_ANSWER_INCOMPLETE;
}

static void put(struct http_state *s, struct transaction *t, struct dissect_context *context)
{
    struct http_record *r = &t->record;
    r->flow_id = context->flow_id;
    r->number = ++s->number;
    if (r->response_ns >= 0 && r->wait_ns > context->flow->response_max_ns)
        context->flow->response_max_ns = r->wait_ns;
    sink_put(context->sink, RECORD_HTTP, r);
}

static void begin_record(struct http_record *r)
{
    *r = (struct http_record){.request_ns = RECORD_NONE_NS,
                              .request_end_ns = RECORD_NONE_NS,
                              .response_ns = RECORD_NONE_NS,
                              .response_end_ns = RECORD_NONE_NS,
                              .wait_ns = RECORD_NONE_NS,
                              .ended_by = SIDE_NONE};
}

static struct transaction *push_request(struct http_state *s)
{
    if (s->count == PIPELINE_MAX || s->beyond > 0) {
        s->beyond++;
        return NULL;
    }
    struct transaction *t = at(s, s->count++);
    memset(t, 0, sizeof *t);
    begin_record(&t->record);
    return t;
}

static void request_done(struct http_state *s, struct dissect_context *context)
{
    if (s->count == 0 || s->beyond > 0)
        return;
    struct transaction *t = at(s, s->count - 1);
    t->request_done = true;
    t->record.request_end_ns = context->time_ns;
}

static struct transaction *answering(struct http_state *s)
{
    return s->late_open ? &s->late : s->count > 0 ? at(s, 0) : NULL;
}

static void put_first(struct http_state *s, struct dissect_context *context)
{
    put(s, at(s, 0), context);
    s->first = (s->first + 1) % PIPELINE_MAX;
    s->count--;
}

static void response_done(struct http_state *s, struct dissect_context *context)
{
    struct transaction *t = answering(s);
    if (t == NULL || !t->response_begun)
        return;
    t->record.response_end_ns = context->time_ns;
    t->record.complete = t->request_done;
    s->last_response_end_ns = context->time_ns;
    if (s->late_open)
        put(s, t, context);
    else
        put_first(s, context);
    s->late_open = false;
    context->flow->facts |= FLOW_FACT_ANSWERED;
    note_open(s, context);
}

static void message_done(struct http_state *s, enum side side, struct dissect_context *context)
{
    bool connect = side == SIDE_CLIENT && s->count > 0 && at(s, s->count - 1)->is_connect;
    s->side[side].phase = connect ? PHASE_TUNNEL : PHASE_HEAD;
    if (side == SIDE_CLIENT)
        request_done(s, context);
    else
        response_done(s, context);
}

/* Passes over len bytes of body but the last, whose arrival ends the message. */
static void begin_body(struct http_state *s, enum side side, uint64_t len,
                       struct dissect_context *context)
{
    if (len == 0) {
        message_done(s, side, context);
        return;
    }
    s->side[side].phase = PHASE_BODY_LAST;
    context->skip = len - 1;
}

static void on_request(struct http_state *s, const struct http_head *h,
                       struct dissect_context *context)
{
    char path[160];
    struct transaction *t = push_request(s);
    context->flow->request_count++;
    if (context->event != NULL)
        context->event(context->event_self, EVENT_REQUEST, SIDE_CLIENT, context->first_time_ns,
                       context->first_frame);
    if (context->flow->name == NULL && h->host.len > 0)
        context->flow->name = intern_bytes(context->strings, h->host.at, h->host.len);
    if (t != NULL) {
        struct http_record *r = &t->record;
        r->method = intern_bytes(context->strings, h->method.at, h->method.len);
        r->host = intern_bytes(context->strings, h->host.at, h->host.len);
        r->path =
            intern_bytes(context->strings, path, http_path_template(h->target, path, sizeof path));
        r->request_ns = context->first_time_ns;
        r->request_frame = context->first_frame;
        r->request_bytes = h->has_length && !h->chunked ? h->length : 0;
        r->has_credentials = h->has_credentials;
        t->is_head = h->method.len == 4 && memcmp(h->method.at, "HEAD", 4) == 0;
        t->is_connect = h->method.len == 7 && memcmp(h->method.at, "CONNECT", 7) == 0;
    }
    note_open(s, context);
    if (h->chunked)
        s->side[SIDE_CLIENT].phase = PHASE_CHUNK;
    else
        begin_body(s, SIDE_CLIENT, h->has_length ? h->length : 0, context);
}

/* RFC 9112 6.3, in its order. */
static void begin_response_body(struct http_state *s, const struct transaction *t,
                                const struct http_head *h, struct dissect_context *context)
{
    struct http_side *side = &s->side[SIDE_SERVER];
    if (t->is_head || h->status == 204 || h->status == 304) {
        message_done(s, SIDE_SERVER, context);
    } else if (h->chunked) {
        side->phase = PHASE_CHUNK;
    } else if (h->has_length && !h->other_coding && !h->length_conflict) {
        begin_body(s, SIDE_SERVER, h->length, context);
    } else {
        side->phase = PHASE_TO_CLOSE;
    }
}

/* The transaction that a new answer belongs to. */
static struct transaction *answered(struct http_state *s, struct dissect_context *context)
{
    if (s->late_open)
        put(s, &s->late, context); /* its end was missed */
    s->late_open = false;
    while (s->count > 0 && (at(s, 0)->response_begun || (s->resync && s->count > 1)))
        put_first(s, context);
    s->resync = false;
    if (s->count > 0)
        return at(s, 0);
    s->beyond -= s->beyond > 0;
    memset(&s->late, 0, sizeof s->late);
    begin_record(&s->late.record);
    s->late_open = true;
    return &s->late;
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
    int64_t wait = r->response_ns - from;
    if (context->rtt_server_ns > 0)
        wait -= context->rtt_server_ns;
    r->wait_ns = wait > 0 ? wait : 0;
}

static void on_response(struct http_state *s, const struct http_head *h,
                        struct dissect_context *context)
{
    if (h->status >= 100 && h->status < 200 && h->status != 101)
        return; /* interim: the wait goes on (RFC 9110 15.2) */
    struct transaction *t = answered(s, context);
    t->response_begun = true;
    t->record.status = h->status;
    t->record.response_ns = context->first_time_ns;
    t->record.response_frame = context->first_frame;
    t->record.response_bytes = h->has_length && !h->chunked ? h->length : 0;
    note_wait(s, t, context);
    if (context->event != NULL)
        context->event(context->event_self, EVENT_RESPONSE, SIDE_SERVER, context->first_time_ns,
                       context->first_frame);
    note_open(s, context);
    bool tunnel = h->status == 101 || (t->is_connect && h->status >= 200 && h->status < 300);
    s->over = tunnel;
    if (tunnel) {
        message_done(s, SIDE_SERVER, context);
        return;
    }
    if (t->is_connect && s->side[SIDE_CLIENT].phase == PHASE_TUNNEL)
        s->side[SIDE_CLIENT].phase = PHASE_HEAD; /* refused: it asks again, with credentials say */
    begin_response_body(s, t, h, context);
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
    h->phase = size == 0 ? PHASE_TRAILER : PHASE_CHUNK_END;
    context->skip = size;
    struct transaction *t = side == SIDE_SERVER ? answering(s)
                            : s->count > 0      ? at(s, s->count - 1)
                                                : NULL;
    if (t != NULL && side == SIDE_SERVER)
        t->record.response_bytes += size;
    else if (t != NULL && !t->request_done)
        t->record.request_bytes += size;
    return STEP_ON;
}

/* That it is HTTP was seen: a whole head of one side at least. */
static bool is_known(const struct http_state *s)
{
    return s->number > 0 || s->count > 0 || s->late_open;
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
    enum http_head_result result = http_head_parse(c, &h->scanned, &head);
    if (result == HTTP_HEAD_MORE)
        return cur_left(c) > HEAD_MAX ? STEP_LOST : STEP_MORE;
    if (result == HTTP_HEAD_BAD)
        return STEP_LOST;
    if (head.is_response)
        on_response(s, &head, context);
    else
        on_request(s, &head, context);
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

static enum step step(struct http_state *s, enum side side, struct cursor *c,
                      struct dissect_context *context)
{
    switch (s->side[side].phase) {
    case PHASE_HEAD:
        return step_head(s, side, c, context);
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
        cur_skip(c, cur_left(c));
        return STEP_MORE;
    case PHASE_TUNNEL:
        break;
    }
    return STEP_MORE;
}

static void http_lose(struct http_state *s, enum side side)
{
    s->side[side].phase = PHASE_LOST;
    s->side[side].scanned = 0;
    if (side == SIDE_SERVER)
        s->resync = true;
}

/* One step at a time: each message gets the time of the packet that brought its first byte. */
static enum feed_result http_feed(void *state, enum side side, struct cursor *bytes,
                                  struct dissect_context *context)
{
    struct http_state *s = state;
    const uint8_t *first = bytes->at;
    enum step done = STEP_ON;
    while (done == STEP_ON && bytes->at == first && cur_left(bytes) > 0 && context->skip == 0)
        done = step(s, side, bytes, context);
    if (s->over)
        return FEED_HAND_OVER;
    if (done == STEP_LOST) {
        if (!is_known(s))
            return FEED_GIVE_UP;
        http_lose(s, side);
        if (cur_left(bytes) > 0)
            cur_skip(bytes, 1); /* what failed is no start either */
    }
    return FEED_MORE;
}

static bool http_gap(void *state, enum side side, uint64_t len, struct dissect_context *context)
{
    struct http_state *s = state;
    (void)len;
    (void)context;
    if (s->side[side].phase != PHASE_TO_CLOSE)
        http_lose(s, side);
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

/* An answer has begun and is not whole: its own length says so, or a reset where the end of the
 * connection would have been the end of it (RFC 9112 8). Behind a gap nobody knows. */
static bool is_truncated(const struct http_state *s, const struct transaction *t)
{
    enum phase phase = s->side[SIDE_SERVER].phase;
    if (!t->response_begun || phase == PHASE_LOST)
        return false;
    return phase != PHASE_TO_CLOSE || s->reset;
}

static void http_close(void *state, struct dissect_context *context)
{
    struct http_state *s = state;
    bool lost = s->side[SIDE_SERVER].phase == PHASE_LOST;
    if (!is_known(s))
        context->flow->app = NULL; /* it only began like HTTP */
    if (s->late_open) {
        s->late.record.truncated = is_truncated(s, &s->late);
        s->late.record.ended_by = context->flow->closed_by;
        put(s, &s->late, context);
    }
    while (s->count > 0) {
        struct transaction *t = at(s, 0);
        t->record.truncated = is_truncated(s, t);
        t->record.ended_by = context->flow->closed_by;
        put_first(s, context);
    }
    if (lost || s->side[SIDE_CLIENT].phase == PHASE_LOST)
        context->flow->facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
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
