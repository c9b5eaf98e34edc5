/* What the injected resets of one service have in common, and its other connections have not: the
 * word, the size (or a limit of it) or the pause that the device acts on. */
#include "diagnosis/site/reset_trigger.h"

#include "core/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fewer may agree by chance. */
#define TRIGGER_RESETS 3
#define SCORE_TRIGGER 10
#define CONFIDENCE_MOST 95

/* One thing that connections may have in common; "" when this one has it not. */
struct feature {
    const char *word;
    void (*write)(const struct site_flow *flow, char *out, size_t size);
};

static void write_sni(const struct site_flow *flow, char *out, size_t size)
{
    const struct tls_facts *tls = flow->f.tls;
    (void)snprintf(out, size, "%s", tls != NULL && tls->sni != NULL ? tls->sni : "");
}

static void write_request(const struct site_flow *flow, char *out, size_t size)
{
    const struct http_record *r =
        flow->request_count > 0 ? flow->requests[flow->request_count - 1] : NULL;
    out[0] = '\0';
    if (r != NULL && r->path != NULL)
        (void)snprintf(out, size, "%s%s", r->host != NULL ? r->host : "", r->path);
}

static void write_host(const struct site_flow *flow, char *out, size_t size)
{
    const struct http_record *r =
        flow->request_count > 0 ? flow->requests[flow->request_count - 1] : NULL;
    (void)snprintf(out, size, "%s", r != NULL && r->host != NULL ? r->host : "");
}

static void write_size(const struct site_flow *flow, char *out, size_t size)
{
    out[0] = '\0';
    if (flow->f.payload[SIDE_CLIENT] > 0)
        (void)snprintf(out, size, "%llu", (unsigned long long)flow->f.payload[SIDE_CLIENT]);
}

static void write_idle(const struct site_flow *flow, char *out, size_t size)
{
    int64_t idle = flow->f.tcp->idle_before_tail_ns;
    out[0] = '\0';
    if (idle >= FACTS_SECOND)
        (void)snprintf(out, size, "%lld", (long long)((idle + FACTS_SECOND / 2) / FACTS_SECOND));
}

/* The most telling first. */
static const struct feature features[] = {
    {"SNI", write_sni},           {"HTTP", write_request},       {"Host", write_host},
    {"idle seconds", write_idle}, {"request bytes", write_size},
};

#define FEATURE_SIZE 80

static bool has_same(const struct feature *feature, const struct site_flow *flow, const char *value)
{
    char text[FEATURE_SIZE];
    feature->write(flow, text, sizeof text);
    return strcmp(text, value) == 0;
}

/* All of them have it, and no connection of the service that went well. */
static bool is_trigger(const struct feature *feature, struct claim *const *claims, size_t count,
                       char value[FEATURE_SIZE])
{
    const struct flow_range service = claims[0]->flow->service->flows;
    feature->write(claims[0]->flow, value, FEATURE_SIZE);
    if (value[0] == '\0')
        return false;
    for (size_t i = 1; i < count; i++) {
        if (!has_same(feature, claims[i]->flow, value))
            return false;
    }
    for (size_t i = 0; i < service.count; i++) {
        if (service.flows[i]->outcome == OUTCOME_OK && has_same(feature, service.flows[i], value))
            return false;
    }
    return true;
}

/* ---- sizes above a limit ---- */

/* All that were reset had sent at least as much as the smallest of them, and no connection of the
 * service that went well so much: the device acts from some size between on. */
static const char *find_limit(struct judge *judge, struct claim *const *claims, size_t count)
{
    const struct flow_range service = claims[0]->flow->service->flows;
    uint64_t least = UINT64_MAX, passed = 0;
    size_t well = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = claims[i]->flow->f.payload[SIDE_CLIENT];
        least = bytes < least ? bytes : least;
    }
    for (size_t i = 0; i < service.count; i++) {
        const struct flow_facts *f = &service.flows[i]->f;
        if (service.flows[i]->outcome != OUTCOME_OK || f->payload[SIDE_CLIENT] == 0)
            continue;
        well++;
        passed = f->payload[SIDE_CLIENT] > passed ? f->payload[SIDE_CLIENT] : passed;
    }
    if (least == 0 || passed >= least || well < TRIGGER_RESETS)
        return NULL;
    return arena_format(&judge->site->arena, "request bytes from %llu, largest that passed %llu",
                        (unsigned long long)least, (unsigned long long)passed);
}

static bool is_injected(const struct claim *claim)
{
    return claim->code == FINDING_TCP_RESET_INJECTED && claim->flow != NULL &&
           claim->flow->service != NULL;
}

static void name_trigger(struct judge *judge, struct claim *const *claims, size_t count)
{
    char value[FEATURE_SIZE];
    const char *text = NULL;
    for (size_t i = 0; text == NULL && i < sizeof features / sizeof *features; i++) {
        if (is_trigger(&features[i], claims, count, value))
            text = arena_format(&judge->site->arena, "%s %s", features[i].word, value);
    }
    if (text == NULL)
        text = find_limit(judge, claims, count);
    for (size_t j = 0; text != NULL && j < count; j++) {
        int confidence = claims[j]->confidence + SCORE_TRIGGER / 2;
        claim_add_text(claims[j], "trigger", text);
        claims[j]->confidence =
            (uint8_t)(confidence > CONFIDENCE_MOST ? CONFIDENCE_MOST : confidence);
    }
}

static int by_service(const void *left, const void *right)
{
    const struct claim *a = *(struct claim *const *)left, *b = *(struct claim *const *)right;
    if (a->flow->service != b->flow->service)
        return a->flow->service < b->flow->service ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Runs of one service. */
static void name_all(struct judge *judge, struct claim *const *claims, size_t count)
{
    for (size_t first = 0; first < count;) {
        size_t end = first + 1;
        while (end < count && claims[end]->flow->service == claims[first]->flow->service)
            end++;
        if (end - first >= TRIGGER_RESETS)
            name_trigger(judge, &claims[first], end - first);
        first = end;
    }
}

void reset_name_triggers(struct judge *judge)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < judge->claim_count; i++)
        count += is_injected(&judge->claims[i]);
    if (count < TRIGGER_RESETS)
        return;
    struct claim **claims = malloc(count * sizeof *claims);
    if (claims == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < judge->claim_count; i++) {
        if (is_injected(&judge->claims[i]))
            claims[at++] = &judge->claims[i];
    }
    sort_rows(claims, count, sizeof *claims, by_service);
    name_all(judge, claims, count);
    free(claims);
}
