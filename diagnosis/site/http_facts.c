#include "diagnosis/site/http_facts.h"

#include <string.h>

/* An authentication challenge is overcome by the client's next request. */
#define CHALLENGE_NS (10 * FACTS_SECOND)
#define CHALLENGE_LOOKED_AT 256

const char *http_endpoint_text(struct judge *judge, const struct http_record *request)
{
    if (request == NULL || request->method == NULL)
        return NULL;
    return arena_format(&judge->site->arena, "%s %s", request->method,
                        request->path != NULL ? request->path : "");
}

struct claim http_claim(enum finding_code code, const struct site_flow *flow,
                        const struct http_record *r)
{
    struct claim claim = claim_start(code, flow);
    if (r->host != NULL)
        claim.name = r->host;
    claim.first_ns = r->request_ns >= 0 ? r->request_ns : claim.first_ns;
    claim.last_ns = r->response_end_ns >= 0 ? r->response_end_ns : claim.last_ns;
    claim_add_reference(&claim, flow->f.source_id, r->request_frame, r->request_ns, EVENT_REQUEST);
    claim_add_reference(&claim, flow->f.source_id, r->response_frame, r->response_ns,
                        EVENT_RESPONSE);
    return claim;
}

bool http_is_refusal(int32_t status)
{
    return status == 401 || status == 403 || status == 407;
}

static bool is_same_endpoint(const struct http_record *a, const struct http_record *b)
{
    return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
}

bool http_was_overcome(const struct judge *judge, const struct site_flow *flow, uint32_t number)
{
    const struct http_record *refused = flow->requests[number];
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, flow->f.first_ns);
    for (size_t looked = 0; at < range.count && looked < CHALLENGE_LOOKED_AT; at++, looked++) {
        const struct site_flow *other = range.flows[at];
        uint32_t i = other == flow ? number + 1 : 0;
        if (other->service != flow->service)
            continue;
        for (; i < other->request_count && looked < CHALLENGE_LOOKED_AT; i++, looked++) {
            const struct http_record *r = other->requests[i];
            if (r->request_ns > refused->request_ns &&
                r->request_ns - refused->request_ns < CHALLENGE_NS && r->status > 0 &&
                !http_is_refusal(r->status) && is_same_endpoint(r, refused))
                return true;
        }
    }
    return false;
}

bool http_token_had_expired(const struct judge *judge, const struct http_record *r)
{
    return r->credentials == SECRET_JWT && r->token_expires_ns > 0 && r->request_ns >= 0 &&
           r->token_expires_ns < clock_correct(&judge->clock, r->request_ns);
}

void http_claim_expired(struct judge *judge, const struct site_flow *flow,
                        const struct http_record *r)
{
    struct claim claim = http_claim(FINDING_AUTH_TOKEN_EXPIRED, flow, r);
    claim.confidence = 90;
    claim_add_ms(&claim, "expired_ms",
                 clock_correct(&judge->clock, r->request_ns) - r->token_expires_ns);
    claim_add_text(&claim, "endpoint", http_endpoint_text(judge, r));
    judge_claim(judge, &claim);
}

bool http_is_login(const char *path)
{
    static const char *const words[] = {"login", "logon", "signin", "sign-in", "oauth/token",
                                        "auth/token", "authenticate", "session"};
    for (size_t i = 0; path != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcasestr(path, words[i]) != NULL)
            return true;
    }
    return false;
}
