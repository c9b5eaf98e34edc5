/* Streams of an HTTP/2 connection: header blocks into requests and answers (RFC 9113 8). */
#include "core/limits.h"
#include "dissectors/h2_state.h"

#include <stdlib.h>
#include <string.h>

/* What was on its way when a client gave a stream up comes within this. */
#define LEFT_NS (2 * 1000000000LL)
#define GRPC_DEADLINE_EXCEEDED 4

/* What one header block says. */
struct message {
    struct dissect_context *context;
    const char *method, *host, *path;
    int status;
    bool has_length, websocket;
    uint32_t unknown;
    struct http_fields fields;
    struct secrets secrets;
};

/* ---- header fields ---------------------------------------------------------------------------- */

static bool is(const char *name, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(name, word, len) == 0;
}

static int status_of(struct http_text value)
{
    int status = 0;
    for (size_t i = 0; i < value.len && i < 3; i++)
        status = value.at[i] >= '0' && value.at[i] <= '9' ? status * 10 + value.at[i] - '0' : 0;
    return value.len == 3 ? status : 0;
}

static void note_pseudo(struct message *m, const char *name, size_t len, struct http_text value)
{
    struct intern *strings = m->context->strings;
    char path[160];
    if (is(name, len, ":method")) {
        m->method = intern_bytes(strings, value.at, value.len < 24 ? value.len : 24);
    } else if (is(name, len, ":authority")) {
        struct http_text host = http_host(value);
        m->host = intern_bytes(strings, host.at, host.len);
    } else if (is(name, len, ":path")) {
        secrets_from_target(&m->secrets, value);
        m->path = intern_bytes(strings, path, http_path_template(value, path, sizeof path));
    } else if (is(name, len, ":status")) {
        m->status = status_of(value);
    } else if (is(name, len, ":scheme")) {
        m->fields.from_https = is(value.at, value.len, "https");
    } else if (is(name, len, ":protocol")) {
        m->websocket = is(value.at, value.len, "websocket"); /* RFC 8441 */
    }
}

static void on_field(void *self, const char *name, size_t name_len, const char *value,
                     size_t value_len)
{
    struct message *m = self;
    struct http_text text = {value, value_len};
    if (name == NULL)
        m->unknown++;
    else if (name_len > 0 && *name == ':')
        note_pseudo(m, name, name_len, text);
    else if (is(name, name_len, "host") && m->host == NULL)
        m->host = intern_bytes(m->context->strings, value, value_len);
    else if (is(name, name_len, "content-length"))
        m->has_length = true;
    else
        http_fields_note((struct http_text){name, name_len}, text, &m->secrets, &m->fields);
}

/* ---- streams ---------------------------------------------------------------------------------- */

struct h2_stream *h2_stream_find(struct h2_state *s, uint32_t id)
{
    for (size_t i = s->stream_count; i > 0; i--) { /* the newest are asked for most */
        if (s->streams[i - 1].id == id)
            return &s->streams[i - 1];
    }
    return NULL;
}

static size_t open_count(const struct h2_state *s)
{
    return s->stream_count - s->left_count;
}

static void put(struct h2_state *s, struct h2_stream *stream, struct dissect_context *context)
{
    struct http_record *r = &stream->record;
    r->flow_id = context->flow_id;
    if (r->response_ns >= 0 && r->wait_ns > context->flow->response_max_ns &&
        r->kind != HTTP_EVENTS)
        context->flow->response_max_ns = r->wait_ns;
    sink_put(context->sink, RECORD_HTTP, r);
    s->left_count -= stream->left;
    *stream = s->streams[--s->stream_count];
}

/* Streams that their client gave up wait for what had been sent by then: here that ends. */
static void put_left(struct h2_state *s, struct dissect_context *context)
{
    bool full = s->stream_count == LIMIT_H2_STREAMS;
    for (size_t i = s->stream_count; i > 0 && s->left_count > 0; i--) {
        const struct h2_stream *stream = &s->streams[i - 1];
        if (stream->left && (full || context->time_ns - stream->left_ns > LEFT_NS))
            put(s, &s->streams[i - 1], context);
    }
}

static struct h2_stream *open_stream(struct h2_state *s, uint32_t id,
                                     struct dissect_context *context)
{
    put_left(s, context);
    if (s->stream_count == LIMIT_H2_STREAMS) {
        s->record.given_up++;
        return NULL;
    }
    if (s->stream_count == s->stream_capacity) {
        size_t capacity = s->stream_capacity == 0 ? 8 : s->stream_capacity * 2;
        struct h2_stream *grown = realloc(s->streams, capacity * sizeof *grown);
        if (grown == NULL) {
            s->record.given_up++;
            return NULL;
        }
        s->streams = grown;
        s->stream_capacity = capacity;
    }
    struct h2_stream *stream = &s->streams[s->stream_count++];
    *stream = (struct h2_stream){.id = id,
                                 .deadline_ns = RECORD_NONE_NS,
                                 .window = {s->side[0].stream_window, s->side[1].stream_window},
                                 .stalled_ns = {RECORD_NONE_NS, RECORD_NONE_NS}};
    http_record_start(&stream->record);
    stream->record.number = ++context->flow->http_rows;
    stream->record.stream = id;
    stream->record.version = HTTP_VERSION_2;
    s->record.streams++;
    if (open_count(s) > s->record.streams_open_max)
        s->record.streams_open_max = (uint32_t)open_count(s);
    return stream;
}

/* Calls and event streams may stay open for good. */
static bool has_end(const struct h2_stream *stream)
{
    return stream->record.kind == HTTP_PLAIN;
}

static void note_open(const struct h2_state *s, struct dissect_context *context)
{
    uint64_t open = 0;
    for (size_t i = 0; i < s->stream_count; i++) {
        const struct h2_stream *stream = &s->streams[i];
        if (stream->refused || stream->left || stream->record.kind == HTTP_WEBSOCKET)
            continue;
        if (stream->request_done && !stream->response_begun)
            open |= FLOW_FACT_REQUEST_OPEN;
        if (stream->response_begun && !stream->response_done && has_end(stream))
            open |= FLOW_FACT_ANSWER_INCOMPLETE;
    }
    context->flow->facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
    context->flow->facts |= open;
}

void h2_stream_half_done(struct h2_state *s, enum side side, uint32_t id,
                         struct dissect_context *context)
{
    struct h2_stream *stream = h2_stream_find(s, id);
    if (stream == NULL)
        return;
    if (side == SIDE_CLIENT) {
        stream->request_done = true;
        stream->record.request_end_ns = context->time_ns;
    } else if (stream->response_begun) {
        stream->response_done = true;
        stream->record.response_end_ns = context->time_ns;
        s->last_response_end_ns = context->time_ns;
        context->flow->facts |= FLOW_FACT_ANSWERED;
    }
    if (stream->response_done && (stream->request_done || !stream->request_begun)) {
        stream->record.complete = stream->request_done && !stream->left;
        put(s, stream, context);
    }
    note_open(s, context);
}

/* A call that its client cancels when its own deadline has passed has failed by it, whatever is or is not
 * answered later: its program was told DEADLINE_EXCEEDED. The timer began a little before the packet. */
static void note_deadline(struct h2_stream *stream, int64_t now)
{
    struct http_record *r = &stream->record;
    int64_t waited = now - r->request_ns;
    if (stream->deadline_ns <= 0 || r->request_ns < 0 || r->grpc_status >= 0 ||
        waited < stream->deadline_ns - stream->deadline_ns / 20)
        return;
    r->grpc_status = GRPC_DEADLINE_EXCEEDED;
    r->kind = HTTP_GRPC;
}

void h2_stream_reset(struct h2_state *s, enum side side, uint32_t id, int64_t error,
                     struct dissect_context *context)
{
    struct h2_stream *stream = h2_stream_find(s, id);
    if (stream == NULL)
        return;
    if (!stream->left) {
        stream->record.reset_error = error;
        stream->record.reset_by = stream->record.ended_by = (uint8_t)side;
    }
    if (side == SIDE_CLIENT && error == H2_ERROR_CANCEL && !stream->left) {
        if (s->heard[SIDE_SERVER]) /* else the answer may have gone another way */
            note_deadline(stream, context->time_ns);
        stream->left = true;
        stream->left_ns = context->time_ns;
        s->left_count++;
    } else {
        put(s, stream, context);
    }
    note_open(s, context);
}

void h2_streams_refuse(struct h2_state *s, uint32_t last, struct dissect_context *context)
{
    for (size_t i = 0; i < s->stream_count; i++)
        s->streams[i].refused = s->streams[i].refused || s->streams[i].id > last;
    note_open(s, context);
}

void h2_streams_close(struct h2_state *s, struct dissect_context *context)
{
    bool lost = s->side[SIDE_SERVER].phase == H2_PHASE_LOST;
    for (int side = 0; side < 2; side++) {
        struct h2_stream *stream = h2_stream_find(s, s->side[side].data.stream);
        if (stream == NULL || s->side[side].phase != H2_PHASE_DATA_LAST)
            continue;
        uint64_t *bytes = side == SIDE_CLIENT ? &stream->record.request_bytes
                                              : &stream->record.response_bytes;
        uint64_t missing = context->skip_left[side] + 1;
        *bytes -= missing < *bytes ? missing : *bytes;
    }
    while (s->stream_count > 0) {
        struct h2_stream *stream = &s->streams[0];
        stream->record.truncated =
            !lost && !stream->left && has_end(stream) && stream->response_begun && !stream->response_done;
        if (!stream->left)
            stream->record.ended_by = context->flow->closed_by;
        put(s, stream, context);
    }
}

/* ---- messages --------------------------------------------------------------------------------- */

static void on_request(struct h2_state *s, uint32_t id, const struct message *m,
                       struct dissect_context *context, int64_t ns, int64_t frame)
{
    struct h2_stream *stream = open_stream(s, id, context);
    context->flow->request_count++;
    if (id > s->highest)
        s->highest = id;
    if (context->event != NULL)
        context->event(context->event_self, EVENT_REQUEST, SIDE_CLIENT, ns, frame);
    if (context->flow->name == NULL)
        context->flow->name = m->host;
    if (stream != NULL) {
        struct http_record *r = &stream->record;
        stream->request_begun = true;
        stream->deadline_ns = m->fields.deadline_ns;
        r->method = m->method;
        r->host = m->host;
        r->path = m->path;
        http_fields_of_request(&m->fields, &m->secrets, r);
        if (m->websocket)
            r->kind = HTTP_WEBSOCKET;
        r->request_ns = ns;
        r->request_frame = frame;
        if (open_count(s) == 1 && s->last_response_end_ns >= 0)
            r->idle_ns = ns - s->last_response_end_ns;
    }
    if (m->secrets.count > 0)
        http_secrets_put(&s->secrets, &m->secrets, SIDE_CLIENT,
                         stream != NULL ? stream->record.number : 0, context);
}

static void note_wait(struct http_record *r, const struct dissect_context *context)
{
    if (r->request_end_ns >= 0)
        r->wait_ns = dissect_wait(context, r->request_end_ns, r->response_ns);
}

static void on_response(struct h2_state *s, uint32_t id, const struct message *m,
                        struct dissect_context *context, int64_t ns, int64_t frame)
{
    struct h2_stream *stream = h2_stream_find(s, id);
    if (m->status >= 100 && m->status < 200)
        return; /* interim */
    if (stream == NULL && (m->status > 0 || m->fields.grpc_status >= 0))
        stream = open_stream(s, id, context); /* its request was not seen */
    if (stream == NULL)
        return;
    struct http_record *r = &stream->record;
    if (m->fields.grpc_status >= 0 && !(stream->left && r->grpc_status > 0))
        r->grpc_status = m->fields.grpc_status;
    if (stream->response_begun || m->status == 0) { /* trailers */
        stream->response_begun = true;
        if (r->grpc_status >= 0)
            r->kind = HTTP_GRPC;
        return;
    }
    stream->response_begun = true;
    r->status = m->status;
    r->response_ns = ns;
    r->response_frame = frame;
    http_fields_of_response(&m->fields, r);
    note_wait(r, context);
    if (m->secrets.count > 0)
        http_secrets_put(&s->secrets, &m->secrets, SIDE_SERVER, r->number, context);
    if (context->event != NULL)
        context->event(context->event_self, EVENT_RESPONSE, SIDE_SERVER, ns, frame);
}

void h2_headers_lose(struct h2_state *s, enum side side)
{
    struct h2_side *h = &s->side[side];
    hpack_free(h->hpack);
    h->hpack = NULL;
    h->opener.stream = 0;
    h->block_len = 0;
    s->record.late = true;
}

void h2_headers(struct h2_state *s, enum side side, const uint8_t *block, size_t len,
                struct dissect_context *context)
{
    struct h2_side *h = &s->side[side];
    const struct h2_frame opener = h->opener;
    struct message m = {.context = context,
                        .secrets = {.strings = context->strings, .salt = context->salt}};
    const struct hpack_reader reader = {&m, on_field};
    http_fields_start(&m.fields);
    s->record.header_blocks++;
    if (h->hpack == NULL)
        h->hpack = hpack_new();
    if (h->hpack == NULL || !hpack_read(h->hpack, block, len, &reader))
        h2_headers_lose(s, side);
    s->record.unknown_fields += m.unknown;
    h->opener.stream = 0;
    if (side == SIDE_SERVER && opener.type == H2_HEADERS) {
        on_response(s, opener.stream, &m, context, h->block_ns, h->block_frame);
    } else if (side == SIDE_SERVER || h2_stream_find(s, opener.stream) == NULL) {
        uint32_t id = side == SIDE_SERVER ? h->promised : opener.stream;
        on_request(s, id, &m, context, h->block_ns, h->block_frame);
        if (side == SIDE_SERVER)
            h2_stream_half_done(s, SIDE_CLIENT, id, context); /* pushed: nobody asked */
    }
    if (opener.type == H2_HEADERS && (opener.flags & H2_FLAG_END_STREAM) != 0)
        h2_stream_half_done(s, side, opener.stream, context);
    note_open(s, context);
}
