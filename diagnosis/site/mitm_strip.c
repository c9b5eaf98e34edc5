/* HTTPS stripped: a client that a site had sent on to https: gets the same pages in clear text all at
 * once, and nobody is sent on any more. Whoever sits in between keeps the redirect to himself.
 *
 * A site that serves some paths in clear, machines of which one lacks the redirect, and clients that
 * are treated otherwise than others prove nothing: the path, the client and the time must fit. */
#include "core/sort.h"
#include "diagnosis/site/mitm.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define CONFIDENCE_ALONE 60
#define CONFIDENCE_PLACED 85

/* An answer in clear text. */
struct answer {
    const struct site_flow *flow;
    const struct http_record *record;
};

struct answers {
    struct answer *list;
    size_t count, capacity;
};

static bool is_redirect(const struct http_record *r)
{
    return r->to_https && r->status >= 301 && r->status <= 308;
}

static bool is_page(const struct http_record *r)
{
    return r->status >= 200 && r->status < 300 && r->response_bytes > 0 && r->kind == HTTP_PLAIN;
}

static int compare_page(const struct answer *a, const struct answer *b)
{
    int order = strcasecmp(a->record->host, b->record->host);
    if (order == 0)
        order = COMPARE(a->flow->f.port[SIDE_SERVER], b->flow->f.port[SIDE_SERVER]);
    return order != 0 ? order : strcmp(a->record->path, b->record->path);
}

static int by_page(const void *left, const void *right)
{
    const struct answer *a = left, *b = right;
    int order = compare_page(a, b);
    if (order == 0)
        order = COMPARE(a->record->response_ns, b->record->response_ns);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order != 0 ? order : COMPARE(a->record->number, b->record->number);
}

static void collect(struct judge *judge, struct answers *out,
                    bool (*wanted)(const struct http_record *))
{
    for (size_t i = 0; i < judge->site->flow_count && !judge->failed; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        if (flow->f.tls != NULL)
            continue;
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct http_record *r = flow->requests[j];
            if (r->host == NULL || r->path == NULL || r->response_ns < 0 || !wanted(r))
                continue;
            if (!array_reserve((void **)&out->list, &out->capacity, out->count, sizeof *out->list)) {
                judge->failed = true;
                return;
            }
            out->list[out->count++] = (struct answer){flow, r};
        }
    }
    if (out->count > 1)
        sort_rows(out->list, out->count, sizeof *out->list, by_page);
}

/* The redirects of the page of `answer`: the first of them, and how many. */
static size_t find_page(const struct answers *redirects, const struct answer *answer, size_t *out)
{
    size_t low = 0, high = redirects->count, end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_page(&redirects->list[middle], answer) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < redirects->count && compare_page(&redirects->list[end], answer) == 0;)
        end++;
    *out = low;
    return end - low;
}

/* The last redirect of this client for this page, when it and all others lie before the answer. */
static const struct answer *sent_on_before(const struct answers *redirects,
                                           const struct answer *answer)
{
    size_t first = 0, count = find_page(redirects, answer, &first);
    const struct answer *own = NULL;
    for (size_t i = first; i < first + count; i++) {
        const struct answer *r = &redirects->list[i];
        if (r->record->response_ns >= answer->record->response_ns)
            return NULL;
        if (r->flow->client == answer->flow->client)
            own = r;
    }
    return own;
}

/* The page came in clear before the client was ever sent on, too: two machines answer in turns. */
static bool was_clear_before(const struct answers *pages, const struct answer *answer,
                             const struct answers *redirects)
{
    size_t first = 0, count = find_page(pages, answer, &first), sent = 0;
    size_t redirect_count = find_page(redirects, answer, &sent);
    return count > 0 && redirect_count > 0 &&
           pages->list[first].record->response_ns < redirects->list[sent].record->response_ns;
}

/* It comes from another distance than the redirect did, or ARP or DNS moved. */
static bool is_placed(const struct judge *judge, const struct answer *before,
                      const struct answer *answer)
{
    int old = mitm_hops(before->flow->f.ttl[SIDE_SERVER]);
    int now = mitm_hops(answer->flow->f.ttl[SIDE_SERVER]);
    bool same_address = before->flow->server == answer->flow->server;
    return (same_address && old >= 0 && now >= 0 && abs(old - now) > MITM_HOPS_STEP) ||
           mitm_neighbors_moved(judge, answer->record->response_ns, answer->record->response_ns);
}

static void claim_stripped(struct judge *judge, const struct answer *before,
                           const struct answer *answer)
{
    if (judge_is_withdrawn(judge, FINDING_MITM_HTTPS_STRIPPED, answer->flow))
        return;
    struct claim claim = claim_start(FINDING_MITM_HTTPS_STRIPPED, answer->flow);
    claim.confidence = is_placed(judge, before, answer) ? CONFIDENCE_PLACED : CONFIDENCE_ALONE;
    claim.culprit = (uint8_t)(claim.confidence >= 80 ? CULPRIT_ATTACKER : CULPRIT_MIDDLEBOX);
    claim.first_ns = answer->record->response_ns;
    claim.name = answer->record->host;
    claim_add_text(&claim, "host", answer->record->host);
    claim_add_reference(&claim, before->flow->f.source_id, before->record->response_frame,
                        before->record->response_ns, EVENT_RESPONSE);
    claim_add_reference(&claim, answer->flow->f.source_id, answer->record->response_frame,
                        answer->record->response_ns, EVENT_RESPONSE);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    struct answers redirects = {0}, pages = {0};
    collect(judge, &redirects, is_redirect);
    if (redirects.count > 0)
        collect(judge, &pages, is_page);
    for (size_t i = 0; i < pages.count && !judge->failed; i++) {
        const struct answer *before = sent_on_before(&redirects, &pages.list[i]);
        if (before != NULL && !was_clear_before(&pages, &pages.list[i], &redirects))
            claim_stripped(judge, before, &pages.list[i]);
    }
    free(redirects.list);
    free(pages.list);
}

const struct detector detector_mitm_strip = {"mitm_strip", detect};
