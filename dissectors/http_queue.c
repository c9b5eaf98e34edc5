/* The queue of an HTTP/1 connection: answers come in the order of their requests (RFC 9112 9.3.2).
 */
#include "core/limits.h"
#include "dissectors/http_state.h"

#include <stdlib.h>
#include <string.h>

/* The two directions of a connection that pass through queues of their own are out of step by less. */
#define DISORDER_NS 5000000LL

struct transaction *http_queue_at(struct http_state *s, uint32_t index)
{
    return &s->queue[(s->first + index) % s->capacity];
}

void http_queue_note_open(const struct http_state *s, struct dissect_context *context)
{
    uint64_t *facts = &context->flow->facts;
    const struct transaction *t = s->count > 0 ? &s->queue[s->first] : NULL;
    const struct transaction *answer = s->late_open ? &s->late : t;
    bool begun = answer != NULL && (s->late_open || (answer->response_begun && !answer->response_done));
    bool waiting = s->beyond > 0 || s->count > (t != NULL && t->response_begun ? 1u : 0u);
    *facts &= ~(uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE);
    if (waiting)
        *facts |= FLOW_FACT_REQUEST_OPEN;
    if (begun && answer->record.kind != HTTP_EVENTS) /* an event stream has no end to wait for */
        *facts |= FLOW_FACT_ANSWER_INCOMPLETE;
}

static void put(struct transaction *t, struct dissect_context *context)
{
    struct http_record *r = &t->record;
    r->flow_id = context->flow_id;
    if (r->response_ns >= 0 && r->wait_ns > context->flow->response_max_ns)
        context->flow->response_max_ns = r->wait_ns;
    sink_put(context->sink, RECORD_HTTP, r);
}

static void start(struct transaction *t, struct dissect_context *context)
{
    memset(t, 0, sizeof *t);
    http_record_start(&t->record);
    t->record.number = ++context->flow->http_rows;
}

/* Room for one more; the ring is laid straight when it grows. */
static bool grow(struct http_state *s)
{
    if (s->count < s->capacity)
        return true;
    uint32_t capacity = s->capacity == 0 ? 2 : s->capacity * 2;
    if (capacity > LIMIT_HTTP_PIPELINE)
        return false;
    struct transaction *queue = malloc(capacity * sizeof *queue);
    if (queue == NULL)
        return false;
    for (uint32_t i = 0; i < s->count; i++)
        queue[i] = *http_queue_at(s, i);
    free(s->queue);
    s->queue = queue;
    s->capacity = capacity;
    s->first = 0;
    return true;
}

static void put_late(struct http_state *s, struct dissect_context *context)
{
    if (s->late_open || s->late_kept)
        put(&s->late, context);
    s->late_open = s->late_kept = false;
}

/* The late answer is for the request that begins now: sent before it, or there is no other. */
static bool is_for_late(const struct http_state *s, const struct dissect_context *context)
{
    int64_t behind = context->first_time_ns - s->late.record.response_ns;
    return (s->late_kept || (s->late_open && !s->late_beyond)) && s->count == 0 &&
           (behind <= 0 || (s->asked && behind < DISORDER_NS));
}

struct transaction *http_queue_push(struct http_state *s, struct dissect_context *context)
{
    if (s->beyond > 0 || !grow(s)) {
        s->beyond++;
        return NULL;
    }
    bool for_late = is_for_late(s, context);
    s->asked = true;
    if (!for_late && s->late_kept)
        put_late(s, context);
    struct transaction *t = http_queue_at(s, s->count++);
    if (for_late) {
        *t = s->late;
        s->late_open = s->late_kept = false;
    } else {
        start(t, context);
    }
    return t;
}

void http_queue_missed(struct http_state *s, struct dissect_context *context)
{
    s->asked = false;
    if (s->late_kept)
        put_late(s, context);
}

struct transaction *http_queue_asking(struct http_state *s)
{
    return s->count > 0 && s->beyond == 0 ? http_queue_at(s, s->count - 1) : NULL;
}

struct transaction *http_queue_answering(struct http_state *s)
{
    return s->late_open ? &s->late : s->count > 0 ? http_queue_at(s, 0) : NULL;
}

static void put_first(struct http_state *s, struct dissect_context *context)
{
    put(http_queue_at(s, 0), context);
    s->first = (s->first + 1) % s->capacity;
    s->count--;
}

void http_queue_request_done(struct http_state *s, struct dissect_context *context)
{
    struct transaction *t = http_queue_asking(s);
    if (t == NULL)
        return;
    struct http_record *r = &t->record;
    t->request_done = true;
    r->request_end_ns = context->time_ns;
    if (t->response_begun && r->wait_ns < 0)
        r->wait_ns = r->response_ns > r->request_end_ns
                         ? dissect_wait(context, r->request_end_ns, r->response_ns)
                         : 0;
    if (t->response_done) {
        r->complete = true;
        put_first(s, context);
        http_queue_note_open(s, context);
    }
}

void http_queue_response_done(struct http_state *s, struct dissect_context *context)
{
    struct transaction *t = http_queue_answering(s);
    if (t == NULL || !t->response_begun)
        return;
    t->response_done = true;
    t->record.response_end_ns = context->time_ns;
    t->record.complete = t->request_done;
    s->last_response_end_ns = context->time_ns;
    if (!s->late_open)
        put_first(s, context);
    else if (s->late_beyond)
        put_late(s, context);
    else
        s->late_kept = true;
    s->late_open = false;
    context->flow->facts |= FLOW_FACT_ANSWERED;
    http_queue_note_open(s, context);
}

struct transaction *http_queue_answered(struct http_state *s, struct dissect_context *context)
{
    put_late(s, context); /* of one that has begun the end was missed */
    while (s->count > 0 &&
           (http_queue_at(s, 0)->response_begun || (s->resync && s->count > 1)))
        put_first(s, context);
    s->resync = false;
    if (s->count > 0)
        return http_queue_at(s, 0);
    s->late_beyond = s->beyond > 0;
    s->beyond -= s->late_beyond;
    start(&s->late, context);
    s->late_open = true;
    return &s->late;
}

/* An answer has begun and is not whole: its own length says so, or a reset where the end of the
 * connection would have been the end of it (RFC 9112 8). Behind a gap nobody knows. */
static bool is_truncated(const struct http_state *s, const struct transaction *t)
{
    enum phase phase = s->side[SIDE_SERVER].phase;
    if (!t->response_begun || t->response_done || phase == PHASE_LOST || t->record.kind == HTTP_EVENTS)
        return false;
    return phase != PHASE_TO_CLOSE || s->reset;
}

/* Of a body whose length was announced, what did not come. */
static uint64_t missing(const struct http_state *s, enum side side,
                        const struct dissect_context *context)
{
    switch (s->side[side].phase) {
    case PHASE_BODY_LOOK:
        return s->side[side].body_left;
    case PHASE_BODY_LAST:
        return context->skip_left[side] + 1;
    default:
        return context->skip_left[side];
    }
}

static void subtract(uint64_t *from, uint64_t what)
{
    *from -= what < *from ? what : *from;
}

void http_queue_close(struct http_state *s, struct dissect_context *context)
{
    struct transaction *asking = http_queue_asking(s), *answering = http_queue_answering(s);
    if (asking != NULL && !asking->request_done)
        subtract(&asking->record.request_bytes, missing(s, SIDE_CLIENT, context));
    if (answering != NULL && answering->response_begun)
        subtract(&answering->record.response_bytes, missing(s, SIDE_SERVER, context));
    if (s->late_open) {
        s->late.record.truncated = is_truncated(s, &s->late);
        s->late.record.ended_by = context->flow->closed_by;
    }
    put_late(s, context);
    while (s->count > 0) {
        struct transaction *t = http_queue_at(s, 0);
        t->record.truncated = is_truncated(s, t);
        t->record.ended_by = context->flow->closed_by;
        put_first(s, context);
    }
}
