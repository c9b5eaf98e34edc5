/* Shared by the detectors of HTTP: a claim about one exchange, and what is said of endpoints. */
#ifndef INVCAP_DIAGNOSIS_SITE_HTTP_FACTS_H
#define INVCAP_DIAGNOSIS_SITE_HTTP_FACTS_H

#include "diagnosis/site/judge.h"

/* "GET /path"; NULL when the answer alone was seen. */
const char *http_endpoint_text(struct judge *judge, const struct http_record *request);
/* A claim with host, times and packets of the exchange. */
struct claim http_claim(enum finding_code code, const struct site_flow *flow,
                        const struct http_record *request);
/* 401, 403 and 407. */
bool http_is_refusal(int32_t status);
/* A later request of the same client to the same endpoint was let in. The answer to a challenge
 * follows soon: few requests lie between. */
bool http_was_overcome(const struct judge *judge, const struct site_flow *flow, uint32_t number);
/* The token that the request carried had expired by its own words, before it was sent. */
bool http_token_had_expired(const struct judge *judge, const struct http_record *request);
/* Says that the refused request's token had expired. */
void http_claim_expired(struct judge *judge, const struct site_flow *flow,
                        const struct http_record *request);
/* The answer comes when there is news: event stream, WebSocket, or an endpoint whose answers usually
 * take so long (long poll). */
bool http_waits_for_news(struct judge *judge, const struct site_flow *flow,
                         const struct http_record *request);
/* The path says that it checks who somebody is. */
bool http_is_login(const char *path);

#endif
