/* What servers answered in clear HTTP, and how late. */
#include "diagnosis/site/http_facts.h"

#include <stdio.h>
#include <string.h>

#define SLOWISH_NS FACTS_SECOND
#define SLOWISH_FACTOR 5
/* An endpoint whose answers usually take that long waits for news (long poll): one connection asks
 * it again and again, or its path says so, or a client asks at once when it was answered and leaves when it was
 * not. Who is told, by POST, does not wait for news. */
#define LONG_POLL_SAMPLES 3
/* ---- slow answers ---------------------------------------------------------------------------- */

static int64_t slowish_limit(const struct judge *judge)
{
    return judge->profile != NULL && judge->profile->response_medium_ns > 0
               ? judge->profile->response_medium_ns
               : SLOWISH_NS;
}

/* What waits for news by design, and what is no request at all. */
static bool is_endless(const struct http_record *r)
{
    return r->kind == HTTP_EVENTS || r->kind == HTTP_WEBSOCKET;
}

static bool is_long_poll(const struct endpoint *e, bool told, int64_t limit)
{
    bool named = e != NULL && endpoint_names_waiting(e->path);
    if (e == NULL || e->median_ns <= limit)
        return false;
    bool loops = !told && e->again > 0 && e->left > 0 && e->requests + e->left >= LONG_POLL_SAMPLES;
    if (e->requests < LONG_POLL_SAMPLES)
        return loops || (named && !told);
    return loops || named || e->connections * 2 <= e->requests;
}

/* A method that brings something; of gRPC, whose calls are all POST, that is not known. */
static bool is_told(const struct http_record *r)
{
    return r->kind != HTTP_GRPC && r->method != NULL && strcmp(r->method, "GET") != 0;
}

bool http_waits_for_news(struct judge *judge, const struct site_flow *flow,
                         const struct http_record *r)
{
    return is_endless(r) ||
           is_long_poll(judge_endpoint(judge, flow, r), is_told(r), judge_slow_ns(judge, flow));
}

/* How much of the wait the path itself was dead: no server is slow while nothing reaches it. */
static int64_t outage_within(const struct site_flow *flow, const struct http_record *r)
{
    const struct path_sample_record *path = flow->pair->path;
    if (path == NULL || path->outages == 0 || r->wait_ns < 0 || r->response_ns < 0)
        return 0;
    int64_t from_ns = r->response_ns - r->wait_ns;
    if (path->outage_first_ns > from_ns)
        from_ns = path->outage_first_ns;
    int64_t to_ns = path->outage_last_ns < r->response_ns ? path->outage_last_ns : r->response_ns;
    if (to_ns <= from_ns)
        return 0;
    /* Timers double: each connection tries again within the same time once more. */
    int64_t dead_ns = to_ns - from_ns, late_ns = r->response_ns - to_ns;
    return late_ns <= dead_ns + FACTS_SECOND ? dead_ns + late_ns : dead_ns;
}

static void judge_wait(struct judge *judge, const struct site_flow *flow,
                       const struct http_record *r)
{
    int64_t limit = judge_slow_ns(judge, flow), slowish = slowish_limit(judge);
    int64_t wait_ns = r->wait_ns - outage_within(flow, r);
    if (wait_ns <= (slowish < limit ? slowish : limit) || r->status == 101 ||
        judge_is_withdrawn(judge, FINDING_SERVER_SLOW_RESPONSE, flow))
        return;
    const struct endpoint *usual = judge_endpoint(judge, flow, r);
    if (is_endless(r) || is_long_poll(usual, is_told(r), limit))
        return;
    bool slow = wait_ns > limit;
    bool odd =
        usual != NULL && usual->requests > 1 && wait_ns > SLOWISH_FACTOR * usual->median_ns;
    if (!slow && !odd)
        return;
    struct claim claim = http_claim(FINDING_SERVER_SLOW_RESPONSE, flow, r);
    claim.severity = slow ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    bool lossy = flow->f.tcp->side[SIDE_SERVER].recovered_losses > 0;
    bool known = is_told(r) || (usual != NULL && usual->median_ns <= limit); /* else it may wait for news */
    claim.confidence = lossy || !known ? 75 : 90;
    claim.weight = (double)wait_ns;
    claim_add_ms(&claim, "response_ms", wait_ns);
    claim_add_ms(&claim, "limit_ms", slow ? limit : slowish);
    judge_claim(judge, &claim);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static bool is_server_error(int32_t status)
{
    return status == 500 || status == 501 || status == 503 || (status >= 505 && status <= 599);
}

/* Errors among the answers of a service, 0-100. */
static double error_share(const struct site_flow *flow, bool (*wanted)(int32_t))
{
    size_t answers = 0, errors = 0;
    for (size_t i = 0; i < flow->service->flows.count; i++) {
        const struct site_flow *other = flow->service->flows.flows[i];
        for (uint32_t j = 0; j < other->request_count; j++) {
            answers += other->requests[j]->status > 0;
            errors += wanted(other->requests[j]->status);
        }
    }
    return answers > 0 ? 100.0 * (double)errors / (double)answers : 0;
}

static bool is_gateway_error(int32_t status)
{
    return status == 502 || status == 504;
}

/* The share is the same for all claims of a service: it is counted once per service. */
struct shares {
    const struct site_service *service, *client_service;
    double server, gateway, client, limited;
};

static void judge_error(struct judge *judge, struct shares *shares, const struct site_flow *flow,
                        const struct http_record *r)
{
    bool gateway = is_gateway_error(r->status);
    if (!gateway && !is_server_error(r->status))
        return;
    if (shares->service != flow->service) {
        shares->service = flow->service;
        shares->server = error_share(flow, is_server_error);
        shares->gateway = error_share(flow, is_gateway_error);
    }
    struct claim claim =
        http_claim(gateway ? FINDING_HTTP_GATEWAY_ERROR : FINDING_HTTP_SERVER_ERROR, flow, r);
    claim.confidence = 95;
    claim_add_text(&claim, "status", arena_format(&judge->site->arena, "%d", r->status));
    claim_add_number(&claim, "share", gateway ? shares->gateway : shares->server);
    claim_add_text(&claim, "endpoint", http_endpoint_text(judge, r));
    judge_claim(judge, &claim);
}

/* ---- refusals and wrong requests --------------------------------------------------------------- */

/* The client may still try again on this connection: the capture ended at once. */
static bool may_be_overcome(const struct judge *judge, const struct site_flow *flow,
                            uint32_t number)
{
    int64_t refused_ns = flow->requests[number]->response_ns;
    if (flow->f.capture_lost_bytes > 0)
        return true; /* and may have done so in what the capture has not */
    return number + 1 == flow->request_count && flow->f.closed_by > SIDE_SERVER &&
           judge_capture_end(judge, refused_ns) - refused_ns < FACTS_ABSENCE_NS;
}

static void judge_refusal(struct judge *judge, const struct site_flow *flow, uint32_t number)
{
    const struct http_record *r = flow->requests[number];
    if (!http_is_refusal(r->status) || http_was_overcome(judge, flow, number) ||
        may_be_overcome(judge, flow, number))
        return;
    bool expired = http_token_had_expired(judge, r);
    struct claim claim = http_claim(FINDING_HTTP_AUTH_FAILED, flow, r);
    claim.confidence = r->has_credentials ? 90 : 70;
    if (!r->has_credentials)
        claim.severity = SEVERITY_LOW; /* who brought nothing may have meant nothing */
    judge_doubt_absence(judge, &claim); /* of the answer to its next request */
    claim_add_text(&claim, "status", arena_format(&judge->site->arena, "%d", r->status));
    claim_add_text(&claim, "endpoint", http_endpoint_text(judge, r));
    claim_add_text(&claim, "cause", expired ? "expired token" : NULL);
    judge_claim(judge, &claim);
    if (expired)
        http_claim_expired(judge, flow, r);
}

static bool is_rate_limit(int32_t status)
{
    return status == 429;
}

/* 408 is what servers say to connections that were kept for nothing. */
static bool is_client_error(int32_t status)
{
    return status >= 400 && status < 500 && !http_is_refusal(status) && status != 408 &&
           status != 429;
}

static void judge_client_error(struct judge *judge, struct shares *shares,
                               const struct site_flow *flow, const struct http_record *r)
{
    bool limited = is_rate_limit(r->status);
    if (!limited && (!is_client_error(r->status) || r->method == NULL))
        return;
    if (shares->client_service != flow->service) {
        shares->client_service = flow->service;
        shares->client = error_share(flow, is_client_error);
        shares->limited = error_share(flow, is_rate_limit);
    }
    struct claim claim =
        http_claim(limited ? FINDING_HTTP_RATE_LIMITED : FINDING_HTTP_CLIENT_ERROR, flow, r);
    claim.confidence = 95;
    if (!limited)
        claim_add_text(&claim, "status", arena_format(&judge->site->arena, "%d", r->status));
    claim_add_number(&claim, "share", limited ? shares->limited : shares->client);
    claim_add_text(&claim, "endpoint", http_endpoint_text(judge, r));
    judge_claim(judge, &claim);
}

/* ---- HSTS ------------------------------------------------------------------------------------- */

/* RFC 6797 7.2: it counts over HTTPS only. A redirect to https shows that the service means it. */
static void judge_hsts(struct judge *judge, const struct site_service *service)
{
    const struct site_flow *shown = NULL;
    const struct http_record *answer = NULL;
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        bool secure = flow->f.tls != NULL && flow->f.tls->established;
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct http_record *r = flow->requests[j];
            if (r->hsts)
                return;
            if (answer == NULL && r->host != NULL && r->status >= 200 && r->status < 400 &&
                r->kind == HTTP_PLAIN && (secure || r->to_https)) {
                shown = flow;
                answer = r;
            }
        }
    }
    if (answer == NULL)
        return;
    struct claim claim = http_claim(FINDING_HTTP_HSTS_MISSING, shown, answer);
    claim.confidence = 80;
    claim_add_text(&claim, "host", answer->host);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    struct shares shares = {0};
    for (size_t i = 0; i < site->service_count; i++) {
        for (size_t j = 0; j < site->services[i].flows.count; j++) {
            const struct site_flow *flow = site->services[i].flows.flows[j];
            for (uint32_t k = 0; k < flow->request_count; k++) {
                judge_wait(judge, flow, flow->requests[k]);
                judge_error(judge, &shares, flow, flow->requests[k]);
                judge_refusal(judge, flow, k);
                judge_client_error(judge, &shares, flow, flow->requests[k]);
            }
        }
        judge_hsts(judge, &site->services[i]);
    }
}

const struct detector detector_http = {"http", detect};
