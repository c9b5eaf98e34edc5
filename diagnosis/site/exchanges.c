#include "diagnosis/site/exchanges.h"

#include "core/sort.h"
#include "diagnosis/site/commands.h"
#include "diagnosis/site/http_facts.h"

#include <stdlib.h>
#include <string.h>

#define RCODE_SERVFAIL 2
#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

struct taking {
    struct judge *judge;
    struct exchange *items;
    size_t count, capacity;
};

bool service_counts(const struct site_flow *flow)
{
    return (flow->f.protocol == FACTS_PROTOCOL_TCP || flow->f.protocol == FACTS_PROTOCOL_UDP) &&
           flow->outcome != OUTCOME_UNSOLICITED && !address_is_multicast(&flow->server->address);
}

bool service_is_attempt(const struct site_flow *flow)
{
    return !facts_is_tcp(&flow->f) ||
           (!facts_is_midstream(&flow->f) && !facts_has(&flow->f, FLOW_FACT_NO_SYN));
}

bool service_failed(const struct site_flow *flow)
{
    return flow->outcome == OUTCOME_FAILED &&
           (flow->verdict == 0 ||
            catalogue_get((enum finding_code)(flow->verdict - 1))->culprit != CULPRIT_CLIENT);
}

static void add(struct taking *taking, const struct exchange *exchange)
{
    if (array_reserve((void **)&taking->items, &taking->capacity, taking->count,
                      sizeof *taking->items))
        taking->items[taking->count++] = *exchange;
    else
        taking->judge->failed = true;
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static int64_t span(int64_t from_ns, int64_t to_ns)
{
    return from_ns >= 0 && to_ns >= from_ns ? to_ns - from_ns : RECORD_NONE_NS;
}

/* Codes by which a server says that it failed, not that the call was wrong (grpc/status.h). */
static bool is_grpc_failure(int16_t status)
{
    enum {
        UNKNOWN = 2,
        DEADLINE = 4,
        EXHAUSTED = 8,
        ABORTED = 10,
        UNIMPLEMENTED = 12,
        DATA_LOSS = 15
    };
    return status == UNKNOWN || status == DEADLINE || status == EXHAUSTED || status == ABORTED ||
           (status >= UNIMPLEMENTED && status <= DATA_LOSS);
}

static bool is_http_error(const struct site_flow *flow, const struct http_record *r)
{
    if (r->status >= 500 || is_grpc_failure(r->grpc_status))
        return true;
    bool open = r->status == 0 || r->truncated;
    return open && r->method != NULL && service_failed(flow);
}

static void add_http(struct taking *taking, const struct site_flow *flow,
                     const struct http_record *r)
{
    uint64_t kib = (r->request_bytes + r->response_bytes) / 1024;
    struct exchange e = {.flow = flow,
                         .number = (uint32_t)r->number,
                         .method = text_of(r->method),
                         .path = text_of(r->path),
                         .time_ns = r->request_ns >= 0 ? r->request_ns : r->response_ns,
                         .frame = r->response_frame > 0 ? r->response_frame : r->request_frame,
                         .think_ns = r->wait_ns,
                         .total_ns = span(r->request_ns, r->response_end_ns),
                         .kib = kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX,
                         .error = is_http_error(flow, r)};
    e.waits = http_waits_for_news(taking->judge, flow, r);
    if (r->response_ns < 0)
        e.think_ns = RECORD_NONE_NS;
    if (r->kind == HTTP_TUNNEL)
        e.think_ns = e.total_ns = RECORD_NONE_NS;
    if (e.time_ns >= 0)
        add(taking, &e);
}

static int dns_by_flow(const void *left, const void *right)
{
    const struct dns_record *a = *(const struct dns_record *const *)left;
    const struct dns_record *b = *(const struct dns_record *const *)right;
    int order = COMPARE(a->flow_id, b->flow_id);
    return order != 0 ? order : COMPARE(a->number, b->number);
}

/* The questions in order of their flows; made on first need. */
static const struct dns_record **dns_list(struct judge *judge)
{
    const struct site *site = judge->site;
    if (judge->dns_by_flow != NULL || site->dns_count == 0)
        return judge->dns_by_flow;
    judge->dns_by_flow = arena_copy(&judge->site->arena, (const void *)site->dns,
                                    site->dns_count * sizeof *site->dns);
    if (judge->dns_by_flow != NULL)
        sort_rows((void *)judge->dns_by_flow, site->dns_count, sizeof *site->dns, dns_by_flow);
    judge->failed |= judge->dns_by_flow == NULL;
    return judge->dns_by_flow;
}

static void add_dns(struct taking *taking, const struct site_flow *flow)
{
    const struct dns_record **list = dns_list(taking->judge);
    size_t low = 0, high = list != NULL ? taking->judge->site->dns_count : 0, end = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle]->flow_id < flow->f.id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && list[low]->flow_id == flow->f.id; low++) {
        const struct dns_record *r = list[low];
        struct exchange e = {.flow = flow,
                             .number = (uint32_t)r->number,
                             .method = text_of(r->question_type),
                             .path = "",
                             .time_ns = r->query_ns >= 0 ? r->query_ns : r->answer_ns,
                             .frame = r->answer_frame > 0 ? r->answer_frame : r->query_frame,
                             .think_ns = r->response_ns,
                             .total_ns = r->response_ns,
                             .error = r->rcode == RCODE_SERVFAIL ||
                                      (r->answer_ns < 0 && service_failed(flow))};
        if (e.time_ns >= 0)
            add(taking, &e);
    }
}

/* What is guessed from sizes (SSH) is no request. */
static void add_commands(struct taking *taking, const struct site_flow *flow)
{
    struct command_range range = commands_of(taking->judge->site, flow->f.id);
    for (size_t i = 0; i < range.count; i++) {
        const struct command_record *r = range.at[i];
        struct exchange e = {.flow = flow,
                             .number = (uint32_t)r->number,
                             .method = text_of(r->command),
                             .path = "",
                             .time_ns = r->time_ns,
                             .frame = r->reply_frame > 0 ? r->reply_frame : r->frame,
                             .think_ns = r->wait_ns,
                             .total_ns = span(r->time_ns, r->end_ns),
                             .error = r->result == COMMAND_UNANSWERED && service_failed(flow)};
        if (r->protocol != COMMAND_SSH && e.time_ns >= 0)
            add(taking, &e);
    }
}

/* So many turns of one connection that wait longer than any answer may are a long poll. */
#define LONG_POLL_TURNS 3

/* What is seen of encrypted requests. */
static void add_turns(struct taking *taking, const struct site_flow *flow)
{
    int64_t limit = judge_slow_ns(taking->judge, flow);
    uint32_t late = 0;
    for (uint32_t i = 0; i < flow->turn_count; i++)
        late += flow->turns[i]->wait_ns > limit;
    bool waits = late >= LONG_POLL_TURNS && late * 2 > flow->turn_count;
    for (uint32_t i = 0; flow->request_count == 0 && i < flow->turn_count; i++) {
        const struct turn_record *r = flow->turns[i];
        const struct exchange e = {.flow = flow,
                                   .number = (uint32_t)r->number,
                                   .method = "",
                                   .path = "",
                                   .time_ns = r->start_ns,
                                   .frame = r->frame,
                                   .think_ns = r->wait_ns,
                                   .total_ns = r->total_ns,
                                   .kib = (uint32_t)((r->asked + r->answered) / 1024),
                                   .waits = waits};
        add(taking, &e);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct exchange *a = left, *b = right;
    int order = COMPARE(a->time_ns, b->time_ns);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    if (order == 0)
        order = COMPARE(a->number, b->number);
    return order != 0 ? order : strcmp(a->method, b->method);
}

size_t exchanges_take(struct judge *judge, struct site_service *const *services, size_t count,
                      struct exchange **out)
{
    struct taking taking = {.judge = judge};
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < services[i]->flows.count; j++) {
            const struct site_flow *flow = services[i]->flows.flows[j];
            if (!service_counts(flow))
                continue;
            for (uint32_t k = 0; k < flow->request_count; k++)
                add_http(&taking, flow, flow->requests[k]);
            add_dns(&taking, flow);
            add_commands(&taking, flow);
            add_turns(&taking, flow);
        }
    }
    if (judge->failed) {
        free(taking.items);
        taking = (struct taking){0};
    }
    if (taking.count > 1)
        sort_rows(taking.items, taking.count, sizeof *taking.items, by_time);
    *out = taking.items;
    return taking.count;
}

/* They are kept to the end, of every service: what most of them asked is one question. */
static struct exchange *shrink(struct exchange *items, size_t count)
{
    if (count == 0) {
        free(items);
        return NULL;
    }
    struct exchange *smaller = realloc(items, count * sizeof *items);
    return smaller != NULL ? smaller : items;
}

const struct exchange *exchanges_of(struct judge *judge, struct site_service *service,
                                    size_t *count)
{
    const struct site *site = judge->site;
    if (judge->exchanges == NULL) {
        judge->exchanges = calloc(site->service_count, sizeof *judge->exchanges);
        judge->failed |= judge->exchanges == NULL;
    }
    if (judge->failed) {
        *count = 0;
        return NULL;
    }
    struct exchange_list *list = &judge->exchanges[service - site->services];
    if (!list->taken) {
        list->count = exchanges_take(judge, &service, 1, &list->items);
        list->items = shrink(list->items, list->count);
        list->taken = true;
    }
    *count = list->count;
    return list->items;
}

void exchanges_forget(struct judge *judge)
{
    for (size_t i = 0; judge->exchanges != NULL && i < judge->site->service_count; i++)
        free(judge->exchanges[i].items);
    free(judge->exchanges);
    judge->exchanges = NULL;
}
