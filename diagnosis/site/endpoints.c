/* What is usual for an endpoint: median wait of the answered requests per service, method and path. */
#include "core/sort.h"
#include "diagnosis/site/judge.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    const struct site_service *service;
    const char *method, *path;
    int64_t wait_ns;
    bool first_of_flow; /* the first of this endpoint on its connection */
    bool again;         /* asked at once when it had been answered */
    bool left;          /* unanswered by its client, after a while */
};

#define NEIGHBORS 16u
#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_key(const struct site_service *service, const char *method, const char *path,
                       const struct site_service *other, const char *other_method,
                       const char *other_path)
{
    int order = COMPARE(service, other); /* one array: the order of the services in it */
    if (order == 0)
        order = strcmp(method, other_method);
    return order != 0 ? order : strcmp(path, other_path);
}

static int by_key(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    int order = compare_key(a->service, a->method, a->path, b->service, b->method, b->path);
    if (order == 0)
        order = COMPARE(a->left, b->left);
    return order != 0 ? order : COMPARE(a->wait_ns, b->wait_ns);
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* Looked for among the few requests before it: endpoints of one connection hardly alternate more.
 */
static bool is_first(const struct site_flow *flow, uint32_t at)
{
    const struct http_record *r = flow->requests[at];
    for (uint32_t i = at; i > 0 && at - i < NEIGHBORS; i--) {
        const struct http_record *before = flow->requests[i - 1];
        if (strcmp(text_of(before->method), text_of(r->method)) == 0 &&
            strcmp(text_of(before->path), text_of(r->path)) == 0)
            return false;
    }
    return true;
}

/* The same was asked behind the answer, after a small part of the time that it had taken. */
#define AT_ONCE_PART 5

static bool is_again(const struct site_flow *flow, uint32_t at)
{
    const struct http_record *r = flow->requests[at];
    const struct http_record *before = at > 0 ? flow->requests[at - 1] : NULL;
    return before != NULL && r->idle_ns >= 0 && r->idle_ns <= FACTS_SECOND &&
           before->wait_ns >= AT_ONCE_PART * r->idle_ns &&
           strcmp(text_of(before->method), text_of(r->method)) == 0 &&
           strcmp(text_of(before->path), text_of(r->path)) == 0;
}

/* Its client waited in vain and left. */
static bool was_left(const struct site_flow *flow, const struct http_record *r)
{
    return r->response_ns < 0 && r->request_end_ns >= 0 && facts_is_tcp(&flow->f) &&
           facts_gave_up(&flow->f, SIDE_CLIENT, r->request_end_ns);
}

static size_t take_samples(const struct site *site, struct sample *samples)
{
    size_t count = 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_flow *flow = site->flows[i];
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct http_record *r = flow->requests[j];
            bool left = was_left(flow, r);
            if (left || (r->response_ns >= 0 && r->wait_ns >= 0))
                samples[count++] = (struct sample){flow->service, text_of(r->method), text_of(r->path), r->wait_ns,
                                                   !left && is_first(flow, j), is_again(flow, j), left};
        }
    }
    if (count > 1)
        sort_rows(samples, count, sizeof *samples, by_key);
    return count;
}

static void make_endpoints(struct judge *judge)
{
    const struct site *site = judge->site;
    struct sample *samples = malloc((site->request_count + 1) * sizeof *samples);
    judge->endpoints =
        arena_take(&judge->site->arena, (site->request_count + 1) * sizeof *judge->endpoints);
    if (samples == NULL || judge->endpoints == NULL) {
        free(samples);
        judge->failed = true;
        return;
    }
    size_t count = take_samples(site, samples);
    for (size_t i = 0; i < count;) {
        struct endpoint e = {samples[i].service, samples[i].method, samples[i].path, .median_ns = -1};
        size_t end = i;
        while (end < count &&
               compare_key(e.service, e.method, e.path, samples[end].service, samples[end].method,
                           samples[end].path) == 0) {
            e.connections += samples[end].first_of_flow;
            e.again += samples[end].again;
            e.left += samples[end++].left;
        }
        e.requests = end - i - e.left;
        if (e.requests > 0) {
            e.median_ns = samples[i + e.requests / 2].wait_ns;
            judge->endpoints[judge->endpoint_count++] = e;
        }
        i = end;
    }
    free(samples);
}

const struct endpoint *judge_endpoint(struct judge *judge, const struct site_flow *flow,
                                      const struct http_record *request)
{
    if (judge->endpoints == NULL)
        make_endpoints(judge);
    size_t low = 0, high = judge->endpoint_count;
    const char *method = text_of(request->method), *path = text_of(request->path);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct endpoint *e = &judge->endpoints[middle];
        int order = compare_key(e->service, e->method, e->path, flow->service, method, path);
        if (order == 0)
            return e;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool endpoint_names_waiting(const char *path)
{
    static const char *const words[] = {"poll",  "notif",   "event", "stream",
                                        "watch", "subscri", "wait",  "comet"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(path, words[i]) != NULL)
            return true;
    }
    return false;
}
