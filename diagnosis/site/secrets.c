/* Tokens and credentials that anybody on the way can read, and those who try many of them. */
#include "core/sort.h"
#include "diagnosis/site/http_facts.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* FINDINGS.md: >= 3 refusals within 5 min; high from 10, or with a success after. */
#define FORCE_LEAST 3
#define FORCE_MANY 10
#define FORCE_WINDOW_NS (300 * FACTS_SECOND)

/* Not within TLS: before it began, too, on a connection that goes over to it (CONNECT, AUTH TLS). */
static bool is_in_clear(const struct site_flow *flow, const struct secret_record *secret)
{
    const struct tls_facts *t = flow->f.tls;
    return t == NULL || !t->established ||
           (t->client_hello_ns >= 0 && secret->time_ns < t->client_hello_ns);
}

/* Packets of a host to itself cross no network. */
static bool is_inside_host(const struct site_flow *flow)
{
    const struct address *server = &flow->server->address;
    return address_compare(&flow->client->address, server) == 0 ||
           (server->family == 4 && server->bytes[0] == 127);
}

static bool is_token(uint8_t kind)
{
    return kind == SECRET_BEARER || kind == SECRET_JWT || kind == SECRET_API_KEY ||
           kind == SECRET_TOKEN;
}

static const char *kind_words(uint8_t kind)
{
    static const char *const words[] = {
        [SECRET_NONE] = "token",
        [SECRET_BASIC] = "Basic authentication",
        [SECRET_BEARER] = "bearer token",
        [SECRET_JWT] = "JWT",
        [SECRET_API_KEY] = "API key",
        [SECRET_USERINFO] = "user and password in a URL",
        [SECRET_PASSWORD] = "password in a URL, form or document",
        [SECRET_TOKEN] = "token",
    };
    return kind <= SECRET_TOKEN ? words[kind] : words[SECRET_NONE];
}

static const char *place_words(uint8_t place)
{
    static const char *const words[] = {"header", "cookie", "URL", "body", "command"};
    return place <= SECRET_IN_COMMAND ? words[place] : words[0];
}

static const struct http_record *request_of(const struct site_flow *flow, int64_t number)
{
    for (uint32_t i = 0; i < flow->request_count; i++) {
        if (flow->requests[i]->number == number)
            return flow->requests[i];
    }
    return NULL;
}

static void judge_exposure(struct judge *judge, const struct secret_record *secret)
{
    const struct site_flow *flow = site_find_flow(judge->site, secret->flow_id);
    if (flow == NULL || !is_in_clear(flow, secret) || is_inside_host(flow))
        return;
    /* Keys in URLs are the public names of applications more often than secrets. */
    if (secret->kind == SECRET_API_KEY && secret->place == SECRET_IN_URL)
        return;
    bool token = is_token(secret->kind);
    const struct http_record *r = request_of(flow, secret->request_number);
    struct claim claim = claim_start(
        token ? FINDING_SEC_TOKEN_EXPOSED : FINDING_SEC_CREDENTIALS_EXPOSED, flow);
    claim.culprit = secret->side == SIDE_SERVER ? CULPRIT_SERVER : CULPRIT_CLIENT;
    claim.confidence = 95;
    claim.first_ns = claim.last_ns = secret->time_ns;
    if (r != NULL && r->host != NULL)
        claim.name = r->host;
    claim_add_text(&claim, "kind",
                   secret->place == SECRET_IN_COMMAND ? "FTP login" : kind_words(secret->kind));
    if (token)
        claim_add_text(&claim, "place", place_words(secret->place));
    claim_add_reference(&claim, flow->f.source_id, secret->frame, secret->time_ns,
                        secret->side == SIDE_SERVER ? EVENT_RESPONSE : EVENT_REQUEST);
    judge_claim(judge, &claim);
}

/* ---- brute force ------------------------------------------------------------------------------ */

/* A login that was refused, or let in. */
struct attempt {
    const struct site_flow *flow;
    const struct http_record *request;
    const char *hash; /* of what was tried; "" unknown */
    bool refused;
};

static const char *password_of(const struct site *site, const struct site_flow *flow,
                               int64_t request_number)
{
    size_t low = 0, high = site->secret_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site->secrets[middle]->flow_id < flow->f.id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < site->secret_count && site->secrets[low]->flow_id == flow->f.id; low++) {
        const struct secret_record *s = site->secrets[low];
        if (s->request_number == request_number && s->kind == SECRET_PASSWORD)
            return s->hash;
    }
    return "";
}

/* Credentials sent, and judged by the server. */
static bool read_attempt(const struct site *site, const struct site_flow *flow,
                         const struct http_record *r, struct attempt *out)
{
    bool post = r->method != NULL && strcmp(r->method, "POST") == 0 && http_is_login(r->path);
    bool sent = r->credentials != SECRET_NONE && r->credentials != SECRET_USERINFO;
    if ((!post && !sent) || r->status == 0 || r->request_ns < 0)
        return false;
    bool refused = r->status == 401 || (post && r->status == 403);
    if (!refused && r->status >= 400)
        return false;
    const char *hash = sent ? r->credentials_hash : password_of(site, flow, r->number);
    *out = (struct attempt){flow, r, hash, refused};
    return true;
}

static int by_client_and_time(const void *left, const void *right)
{
    const struct attempt *a = left, *b = right;
    int order = COMPARE(a->flow->client->number, b->flow->client->number);
    if (order == 0)
        order = COMPARE(a->request->request_ns, b->request->request_ns);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order != 0 ? order : COMPARE(a->request->number, b->request->number);
}

/* Another attempt than the one before: other credentials, or the same ones on a new connection. A
 * token that is offered again and again is old, not guessed. */
static bool is_another(const struct attempt *before, const struct attempt *a)
{
    bool differs = a->hash[0] != '\0' && strcmp(before->hash, a->hash) != 0;
    bool password = a->request->credentials == SECRET_BASIC ||
                    a->request->credentials == SECRET_NONE;
    return differs || (password && before->flow != a->flow);
}

struct force {
    const struct attempt *first, *last;
    size_t count;
    bool success;
};

static void claim_force(struct judge *judge, const struct force *force)
{
    const struct attempt *first = force->first, *last = force->last;
    struct claim claim = http_claim(FINDING_SEC_BRUTEFORCE, last->flow, last->request);
    claim.severity = force->count >= FORCE_MANY || force->success ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    claim.confidence = force->count >= FORCE_MANY ? 90 : 70;
    claim.first_ns = first->request->request_ns;
    claim_add_number(&claim, "attempts", (double)force->count);
    claim_add_ms(&claim, "window_ms", last->request->request_ns - first->request->request_ns);
    claim_add_text(&claim, "protocol", "HTTP");
    claim_add_reference(&claim, first->flow->f.source_id, first->request->response_frame,
                        first->request->response_ns, EVENT_RESPONSE);
    judge_claim(judge, &claim);
}

/* The attempts of one client on one service, by time: runs of refusals within the window. */
static void judge_force(struct judge *judge, const struct attempt *attempts, size_t count)
{
    struct force best = {0}, run = {0};
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        bool near = run.count > 0 && a->request->request_ns - run.first->request->request_ns <=
                                         FORCE_WINDOW_NS;
        if (!a->refused) {
            run.success = run.success || (near && run.count >= FORCE_LEAST);
        } else if (!near) {
            run = (struct force){a, a, 1, false};
        } else if (is_another(run.last, a)) {
            run.last = a;
            run.count++;
        }
        if (run.count > best.count || (run.count == best.count && run.success))
            best = run;
    }
    if (best.count >= FORCE_LEAST)
        claim_force(judge, &best);
}

static void judge_service(struct judge *judge, const struct site_service *service,
                          struct attempt *room)
{
    size_t count = 0;
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        for (uint32_t j = 0; j < flow->request_count; j++)
            count += read_attempt(judge->site, flow, flow->requests[j], &room[count]);
    }
    if (count > 1)
        sort_rows(room, count, sizeof *room, by_client_and_time);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && room[end].flow->client == room[i].flow->client)
            end++;
        judge_force(judge, room + i, end - i);
        i = end;
    }
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->secret_count; i++)
        judge_exposure(judge, site->secrets[i]);
    struct attempt *room = malloc((site->request_count + 1) * sizeof *room);
    if (room == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < site->service_count; i++)
        judge_service(judge, &site->services[i], room);
    free(room);
}

const struct detector detector_secrets = {"secrets", detect};
