/* Verdicts of exchanges that did not complete: no answer, half an answer, a closing door. */
#include "diagnosis/site/http_facts.h"
#include "diagnosis/site/reset_forensics.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>
#include <string.h>

/* Clocks of tap and hosts: a crossing within this is one. */
#define CROSSING_NS FACTS_MS
/* A long poll answers when there is news: an endpoint whose answers usually take long is one. */
#define LONG_POLL_SAMPLES 3
/* So sure at most of a GET that was left and that nothing shows to be answered otherwise, and of any request whose
 * client still waits when the capture ends. */
#define MAY_COME_MOST 75

/* An HTTP/2 stream that the end of the connection left without its answer. */
static bool is_open_stream(const struct http_record *r)
{
    return r->stream > 0 && r->request_ns >= 0 && r->reset_error < 0 && r->response_end_ns < 0 &&
           (r->response_ns < 0 || r->truncated);
}

/* What the connection was about at its end: streams overtake each other, so that one which is still
 * open comes before those that came later and are done. */
static const struct http_record *last_request(const struct site_flow *flow)
{
    for (uint32_t i = flow->request_count; i > 0; i--) {
        if (is_open_stream(flow->requests[i - 1]))
            return flow->requests[i - 1];
    }
    return flow->request_count > 0 ? flow->requests[flow->request_count - 1] : NULL;
}

static const char *endpoint_text(struct judge *judge, const struct http_record *r)
{
    if (r == NULL || r->method == NULL)
        return NULL;
    return arena_format(&judge->site->arena, "%s %s", r->method, r->path != NULL ? r->path : "");
}

/* ---- keep-alive ------------------------------------------------------------------------------ */

/* The server's goodbye left before the request could reach it; the client's request left before it
 * knew, or it did not look. */
static bool crosses(const struct flow_facts *f, int64_t request_ns, int64_t end_ns)
{
    int64_t to_server = f->rtt_ns[SIDE_SERVER] > 0 ? f->rtt_ns[SIDE_SERVER] : 0;
    return end_ns < request_ns + to_server + CROSSING_NS;
}

/* An earlier request on this connection got its answer. What a server says unasked is none. */
static bool was_served(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    if (flow->request_count == 0)
        return facts_has(f, FLOW_FACT_ANSWERED) && f->tcp->side[SIDE_SERVER].last_payload_ns >= 0;
    for (uint32_t i = 0; i + 1 < flow->request_count; i++) {
        const struct http_record *r = flow->requests[i];
        if (r->request_ns >= 0 && r->response_ns >= r->request_ns)
            return true;
    }
    return false;
}

/* Taken up in TLS after its hellos: what was said right before may be the handshake, and its end no goodbye to an
 * idle connection. */
#define SURELY_IDLE_NS FACTS_SECOND

static bool may_be_handshake(const struct flow_facts *f, int64_t end_ns)
{
    return f->tls != NULL && !f->tls->established &&
           end_ns - f->tcp->side[SIDE_SERVER].last_payload_ns < SURELY_IDLE_NS;
}

enum ruling verdict_keepalive_race(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    const struct http_record *request = last_request(flow);
    int64_t asked = client->last_payload_ns, end = facts_end_ns(f, SIDE_SERVER);
    if (request != NULL && request->response_ns < 0 && request->request_ns > 0)
        asked = request->request_ns;
    if (!facts_is_dialogue(f) || !was_served(flow) || !facts_has(f, FLOW_FACT_REQUEST_OPEN) ||
        end < 0 || facts_has(f, FLOW_FACT_ANSWER_INCOMPLETE))
        return RULING_PASS;
    if (request == NULL && client->fin_ns >= asked && client->fin_ns < end)
        return RULING_PASS; /* it left by itself: what it said was a goodbye */
    if (server->last_payload_ns > asked || !crosses(f, asked, end) ||
        (f->tls != NULL && f->tls->close_notify_client))
        return RULING_PASS;
    int64_t disorder_ns = judge->site->capture.largest_backward_ns;
    if (disorder_ns > 0 && llabs(end - asked) <= disorder_ns)
        return RULING_UNKNOWN; /* the capture mixes up what is so close */
    if (client->wire_gap_bytes > 0 || may_be_handshake(f, end))
        return RULING_UNKNOWN; /* a word of the client is missing: a goodbye, maybe */
    if (reset_forensics(judge, flow, SIDE_SERVER).count > 0)
        return RULING_PASS; /* maybe not the server's: the rule about its reset says so */
    *out = claim_start(FINDING_HTTP_KEEPALIVE_RACE, flow);
    bool knew = end < asked - facts_rtt(f) - CROSSING_NS;
    int64_t idle = (end < asked ? end : asked) - server->last_payload_ns;
    out->confidence = knew ? 70 : 85;
    if (knew) /* the goodbye had reached it: its pool does not look before it asks */
        out->culprit = CULPRIT_CLIENT;
    out->evidence_from_ns = server->last_payload_ns;
    claim_add_ms(out, "idle_ms", idle > 0 ? idle : 0);
    out->evidence =
        EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST) | EVIDENCE(EVENT_DATA);
    return RULING_FAILED;
}

/* ---- half an answer -------------------------------------------------------------------------- */

/* Bytes came back, but not even their header was whole. Those of HTTP/2 may be another stream's. */
static bool has_begun(const struct site_flow *flow, const struct http_record *request)
{
    return request != NULL && request->stream <= 0 && request->response_ns < 0 && request->request_end_ns >= 0 &&
           flow->f.tcp->side[SIDE_SERVER].last_payload_ns >= request->request_end_ns;
}

/* The last bytes of the answer were never acknowledged nor sent again: the recording of this
 * connection ended, not the connection. */
static bool recording_ended(const struct flow_facts *f)
{
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    return server->unacked_bytes > 0 && server->tail_retransmissions == 0;
}

/* An answer that dripped on with pauses, a few bytes at a time, or that its path calls a stream,
 * has no end to wait for: the client leaves it when it has enough. */
#define STREAM_LEAST_NS (5 * FACTS_SECOND)
#define STREAM_BYTES_PER_SECOND 4096

static bool is_event_stream(const struct site_flow *flow, const struct http_record *request)
{
    if (request == NULL || request->response_ns < 0)
        return false;
    if (request->kind == HTTP_GRPC || request->kind == HTTP_EVENTS)
        return true;
    int64_t lasted = flow->f.tcp->side[SIDE_SERVER].last_payload_ns - request->response_ns;
    uint64_t few = (uint64_t)(lasted / FACTS_SECOND) * STREAM_BYTES_PER_SECOND;
    return (lasted >= STREAM_LEAST_NS && flow->f.tcp->longest_idle_ns >= FACTS_PATIENCE_NS &&
            flow->f.payload[SIDE_SERVER] < few) ||
           (request->path != NULL && endpoint_names_waiting(request->path));
}

/* The server that broke off acknowledged the client's end, or said something else long after: else the
 * way to it may have closed. */
static bool is_heard_after(const struct tcp_side_facts *server, int64_t since, int64_t client_end)
{
    return server->last_ns >= client_end || server->last_ns - since >= FACTS_PATIENCE_NS;
}

static void leave_open(struct judge *judge, struct claim *out)
{
    static const enum rival rivals[] = {RIVAL_APP_STUCK, RIVAL_PATH_CUT, RIVAL_PEER_CRASHED, RIVAL_MTU,
                                        RIVAL_COUNT};
    out->culprit = CULPRIT_UNKNOWN;
    out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    out->rivals = judge_rivals(judge, rivals);
    out->confidence = 60;
}

enum ruling verdict_truncated(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *server = &f->tcp->side[SIDE_SERVER];
    const struct http_record *request = last_request(flow);
    bool record = request != NULL && request->truncated;
    if (!record && !facts_has(f, FLOW_FACT_ANSWER_INCOMPLETE) && !has_begun(flow, request))
        return RULING_PASS;
    int64_t client_end = facts_end_ns(f, SIDE_CLIENT);
    int64_t since = server->last_payload_ns >= 0 ? server->last_payload_ns : f->last_ns;
    bool by_server = facts_left_first(f, SIDE_SERVER);
    bool reader_stuck = f->tcp->side[SIDE_CLIENT].zero_window_ns >= FACTS_SECOND;
    if (!by_server && client_end >= 0) {
        if (is_event_stream(flow, request))
            return RULING_OK;
        if (facts_was_reset_by(f, SIDE_CLIENT) && client_end - since < FACTS_PATIENCE_NS)
            return RULING_PASS; /* the rule about the client's reset */
        if (client_end - since < FACTS_PATIENCE_NS)
            return RULING_OK; /* it had enough */
    }
    if (reader_stuck || (!by_server && recording_ended(f)))
        return RULING_UNKNOWN;
    if (!by_server && client_end < 0 && !judge_absence_holds(judge, flow, since))
        return RULING_OK; /* still on its way when the capture ended */
    *out = claim_start(FINDING_HTTP_TRUNCATED_RESPONSE, flow);
    out->confidence = by_server ? 90 : 75;
    if (!by_server && client_end >= 0 && !is_heard_after(server, since, client_end))
        leave_open(judge, out);
    out->evidence_from_ns = request != NULL && request->request_ns > 0 ? request->request_ns : 0;
    claim_add_number(out, "received_bytes",
                     request != NULL ? (double)request->response_bytes
                                     : (double)f->payload[SIDE_SERVER]);
    claim_add_text(out, "endpoint", endpoint_text(judge, request));
    out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RESPONSE) | EVIDENCE(EVENT_FIN) |
                    EVIDENCE(EVENT_RST);
    return RULING_FAILED;
}

/* ---- no answer ------------------------------------------------------------------------------- */

static bool is_long_poll(struct judge *judge, const struct site_flow *flow,
                         const struct http_record *request, int64_t waited)
{
    const struct endpoint *usual = request != NULL ? judge_endpoint(judge, flow, request) : NULL;
    return usual != NULL && usual->requests >= LONG_POLL_SAMPLES && usual->median_ns > waited / 2;
}

/* The client left a request that may wait by design: a GET whose path says so, or one of an endpoint
 * that usually takes as long. Nothing shows how long the server would have taken. */
static bool was_left_waiting(struct judge *judge, const struct site_flow *flow,
                             const struct http_record *request, int64_t waited)
{
    if (request == NULL || request->method == NULL)
        return false;
    const struct endpoint *usual = judge_endpoint(judge, flow, request);
    bool named = strcmp(request->method, "GET") == 0 && request->path != NULL &&
                 endpoint_names_waiting(request->path);
    return usual != NULL ? usual->median_ns > waited / 4 * 3 : named;
}

/* A GET that no other like it was answered in the capture to compare with may be a long poll. */
static bool may_be_poll(struct judge *judge, const struct site_flow *flow,
                        const struct http_record *request)
{
    return request != NULL && request->method != NULL && strcmp(request->method, "GET") == 0 &&
           judge_endpoint(judge, flow, request) == NULL;
}

/* The request is whole and acknowledged, and not a byte came back. In TLS only where records tell a
 * request from an answer, which the session did. */
static bool is_unanswered(const struct site_flow *flow, int64_t *since_ns)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    const struct http_record *request = last_request(flow);
    /* A gRPC call may be a subscription, which says nothing before there is news. */
    bool stream = request != NULL && request->stream > 0 && request->kind != HTTP_GRPC;
    if ((!facts_is_dialogue(f) && !stream) || !facts_has(f, FLOW_FACT_REQUEST_OPEN) ||
        client->unacked_bytes > 0 || client->last_payload_ns < 0)
        return false;
    *since_ns = client->last_payload_ns;
    /* Once answered, what a TLS client says last may need no answer (HTTP/2, WebSocket). */
    if (request == NULL)
        return f->tls != NULL && f->tls->established && !f->tls->close_notify_client &&
               !facts_has(f, FLOW_FACT_ANSWERED);
    if (request->request_end_ns < 0 || request->response_ns >= 0 || has_begun(flow, request))
        return false;
    *since_ns = request->request_end_ns;
    return true;
}

/* A client that goes on waiting has not given up: what others would call slow may still come. */
#define NO_ANSWER_NS (2 * FACTS_ABSENCE_NS)

/* Not answered when the capture ended: slow it is already. */
static void claim_slow_so_far(struct judge *judge, const struct site_flow *flow,
                              const struct http_record *request, int64_t waited_ns)
{
    int64_t limit = judge_slow_ns(judge, flow);
    if (request == NULL || waited_ns <= limit || is_long_poll(judge, flow, request, waited_ns) ||
        is_event_stream(flow, request) || request->path == NULL ||
        endpoint_names_waiting(request->path) ||
        judge_is_withdrawn(judge, FINDING_SERVER_SLOW_RESPONSE, flow))
        return;
    struct claim claim = http_claim(FINDING_SERVER_SLOW_RESPONSE, flow, request);
    claim.confidence = 70;
    claim.weight = (double)waited_ns;
    claim_add_ms(&claim, "response_ms", waited_ns);
    claim_add_ms(&claim, "limit_ms", limit);
    judge_claim(judge, &claim);
}

bool verdict_answered_too_late(const struct site_flow *flow)
{
    const struct tcp_side_facts *client = &flow->f.tcp->side[SIDE_CLIENT];
    const struct http_record *r = last_request(flow);
    return r != NULL && r->request_end_ns >= 0 && r->response_ns > client->fin_ns &&
           client->fin_ns - r->request_end_ns >= FACTS_PATIENCE_NS &&
           client->rst_ns >= r->response_ns && !client->rst_with_ack;
}

static void claim_no_response(struct judge *judge, const struct http_record *request,
                              int64_t waited_ns, struct claim *out)
{
    out->confidence = request != NULL ? 90 : 70;
    out->evidence_from_ns = request != NULL && request->request_ns > 0 ? request->request_ns : 0;
    out->weight = (double)waited_ns;
    claim_add_ms(out, "waited_ms", waited_ns);
    claim_add_text(out, "endpoint", endpoint_text(judge, request));
    out->evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST) |
                    EVIDENCE(EVENT_TLS_FINISHED);
}

enum ruling verdict_no_response(struct judge *judge, const struct site_flow *flow,
                                struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct http_record *request = last_request(flow);
    int64_t since;
    if (verdict_answered_too_late(flow)) {
        *out = claim_start(FINDING_HTTP_NO_RESPONSE, flow);
        claim_no_response(judge, request,
                          f->tcp->side[SIDE_CLIENT].fin_ns - request->request_end_ns, out);
        return RULING_FAILED;
    }
    if (!is_unanswered(flow, &since))
        return RULING_PASS;
    int64_t server_end = facts_end_ns(f, SIDE_SERVER), client_end = facts_end_ns(f, SIDE_CLIENT);
    bool by_server = server_end >= since && facts_left_first(f, SIDE_SERVER);
    int64_t end = by_server ? server_end : client_end >= 0 ? client_end : f->last_ns;
    if (!by_server && client_end >= 0 && client_end - since < FACTS_PATIENCE_NS)
        return facts_was_reset_by(f, SIDE_CLIENT) ? RULING_PASS : RULING_UNKNOWN;
    if (!by_server && client_end < 0) {
        if (!judge_absence_holds(judge, flow, since) || judge_may_miss_end(judge, flow, since))
            return RULING_UNKNOWN;
        end = judge_capture_end(judge, since);
        bool waits =
            request != NULL && request->path != NULL && endpoint_names_waiting(request->path);
        if (end - since < NO_ANSWER_NS || waits) {
            claim_slow_so_far(judge, flow, request, end - since);
            return RULING_UNKNOWN;
        }
    }
    if (is_long_poll(judge, flow, request, end - since))
        return RULING_OK;
    bool left = !by_server && client_end >= 0;
    if (left && was_left_waiting(judge, flow, request, end - since))
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_HTTP_NO_RESPONSE, flow);
    claim_no_response(judge, request, end - since, out);
    bool waiting = !by_server && !left; /* when the capture ended: the answer may still have come */
    if (out->confidence > MAY_COME_MOST && (waiting || (left && may_be_poll(judge, flow, request))))
        out->confidence = MAY_COME_MOST;
    return RULING_FAILED;
}
