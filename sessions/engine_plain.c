/* Decrypted bytes of a TLS flow go through a stream of their own to whoever takes them by their first
 * bytes, as bytes in clear do. The flow keeps its name (tls); requests, secrets and answers become
 * records of the same flow. */
#include "sessions/engine_internal.h"

#include <stdlib.h>

/* What a dissector inside knows better than lengths of records do. */
#define APPLICATION_FACTS                                                                          \
    ((uint64_t)(FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE | FLOW_FACT_ANSWERED))

struct plain_text {
    struct tcp_stream *stream; /* NULL: nobody wants it */
    int64_t next[2];           /* offsets begin at 1, as those of TCP do */
    bool lost[2];
    const char *app, *upgrade;
    uint64_t facts;
    struct tls_record tls; /* TLS within TLS is followed, but not told */
};

/* The flow as the dissector inside sees it. */
struct inside {
    struct dissect_context context;
    struct flow_record view;
};

static void enter(const struct engine *e, struct plain_text *plain, struct inside *in)
{
    in->context = e->context;
    in->view = e->view;
    in->view.app = plain->app;
    in->view.facts = (in->view.facts & ~(APPLICATION_FACTS | FLOW_FACT_MIDSTREAM)) | plain->facts;
    in->context.flow = &in->view;
    in->context.tls = &plain->tls;
    in->context.upgrade = plain->upgrade;
    in->context.certificates = NULL;
    in->context.keys = NULL;
    in->context.plain = NULL;
}

static void leave(struct engine *e, struct plain_text *plain, const struct inside *in, bool known)
{
    struct flow_record *view = &e->view;
    plain->app = in->view.app;
    plain->upgrade = in->context.upgrade;
    plain->facts = in->view.facts & APPLICATION_FACTS;
    view->request_count = in->view.request_count;
    view->response_max_ns = in->view.response_max_ns;
    view->http_rows = in->view.http_rows;
    view->secret_rows = in->view.secret_rows;
    view->command_rows = in->view.command_rows;
    view->facts |= in->view.facts & (uint64_t)FLOW_FACT_LIMIT;
    if (view->name == NULL)
        view->name = in->view.name;
    if (known && !plain->lost[SIDE_CLIENT] && !plain->lost[SIDE_SERVER])
        view->facts = (view->facts & ~APPLICATION_FACTS) | plain->facts;
}

static bool is_known(const struct plain_text *plain)
{
    return plain->stream != NULL && tcp_stream_dissector(plain->stream) != NULL &&
           !tcp_stream_is_watched(plain->stream);
}

static struct plain_text *open_plain(struct engine *e, struct flow *flow)
{
    struct plain_text *plain = calloc(1, sizeof *plain);
    if (plain == NULL)
        return NULL;
    plain->stream = tcp_stream_new(&e->tcp_stream_limits);
    plain->next[0] = plain->next[1] = 1;
    flow->plain = plain;
    return plain;
}

static void push(struct engine *e, struct plain_text *plain, struct inside *in, enum side side,
                 const uint8_t *bytes, size_t len)
{
    struct tcp_stream_bytes piece = {.side = side,
                                     .offset = plain->next[side],
                                     .expected = plain->next[side],
                                     .bytes = bytes,
                                     .present = (uint32_t)len,
                                     .len = (uint32_t)len,
                                     .time_ns = e->context.time_ns,
                                     .frame = e->context.frame};
    plain->next[side] += (int64_t)len;
    (void)tcp_stream_push(plain->stream, &piece, &in->context);
}

void engine_plain(void *self, enum plain_event event, enum side side, const uint8_t *bytes,
                  size_t len)
{
    struct engine *e = self;
    struct flow *flow = e->current;
    struct inside in;
    struct plain_text *plain = flow->plain;
    if (plain == NULL && event == PLAIN_TEXT)
        plain = open_plain(e, flow);
    if (plain == NULL || plain->stream == NULL || plain->lost[side])
        return;
    enter(e, plain, &in);
    if (event == PLAIN_TEXT)
        push(e, plain, &in, side, bytes, len);
    else if (event == PLAIN_LOST) /* one byte stands for all that is missing */
        (void)tcp_stream_skip_gap(plain->stream, side, ++plain->next[side], &in.context);
    else
        tcp_stream_fin(plain->stream, side, plain->next[side], plain->next[side], &in.context);
    plain->lost[side] = event == PLAIN_LOST;
    leave(e, plain, &in, is_known(plain));
    if (tcp_stream_is_unknown(plain->stream)) {
        tcp_stream_close(plain->stream, DISSECTOR_END_CAPTURE, &in.context);
        plain->stream = NULL;
    }
}

void engine_plain_close(struct engine *e, struct flow *flow, enum end_why why)
{
    struct plain_text *plain = flow->plain;
    struct inside in;
    if (plain == NULL)
        return;
    if (plain->stream != NULL) {
        bool known = is_known(plain);
        enter(e, plain, &in);
        tcp_stream_close(plain->stream, why, &in.context);
        leave(e, plain, &in, known);
    }
    free(plain);
    flow->plain = NULL;
}
