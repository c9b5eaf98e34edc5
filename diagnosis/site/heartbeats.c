/* Calls that came again and again, and then did not: those that the profile names, and those whose
 * period shows by itself. A call counts when it is made, whatever became of it. */
#include "core/sort.h"
#include "diagnosis/site/objectives.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define MISSED_LEAST 3
/* A timer holds its period this well; what scatters more is work, no heartbeat. */
#define REGULAR_SHARE 0.1
/* Beats of one moment: a connection and the request on it, or a second try. */
#define TOGETHER_NS FACTS_SECOND
/* How much later than due a beat is missing, in periods. */
#define LATE_SHARE 0.5

struct call {
    const struct site_flow *flow;
    const char *method, *path; /* "" for a connection whose requests are not seen */
    int64_t time_ns, frame;
};

struct calls {
    struct call *at;
    size_t count;
};

static int by_caller(const void *left, const void *right)
{
    const struct call *a = left, *b = right;
    int order = address_compare(&a->flow->client->address, &b->flow->client->address);
    if (order == 0)
        order = strcmp(a->method, b->method);
    if (order == 0)
        order = strcmp(a->path, b->path);
    if (order == 0)
        order = COMPARE(a->time_ns, b->time_ns);
    return order != 0 ? order : COMPARE(a->flow->f.id, b->flow->f.id);
}

static bool is_same_caller(const struct call *a, const struct call *b)
{
    return a->flow->client == b->flow->client && strcmp(a->method, b->method) == 0 &&
           strcmp(a->path, b->path) == 0;
}

/* Connections are the calls where no request is seen, or where the profile says so. */
static bool wants_connections(const struct judge *judge, const struct site_service *service,
                              size_t asked)
{
    const struct profile_service *named = judge_profile_service(judge, service->flows.flows[0]);
    bool wanted = asked == 0;
    for (size_t i = 0; named != NULL && i < named->heartbeat_count; i++)
        wanted = wanted || named->heartbeats[i].path == NULL;
    return wanted;
}

static struct calls take_calls(struct judge *judge, struct site_service *service)
{
    size_t asked = 0;
    const struct exchange *e = exchanges_of(judge, service, &asked);
    struct calls calls = {malloc((asked + service->flows.count + 1) * sizeof *calls.at), 0};
    judge->failed |= calls.at == NULL;
    for (size_t i = 0; calls.at != NULL && i < asked; i++)
        calls.at[calls.count++] =
            (struct call){e[i].flow, e[i].method, e[i].path, e[i].time_ns, e[i].frame};
    bool connections = wants_connections(judge, service, asked);
    for (size_t i = 0; calls.at != NULL && connections && i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        if (service_counts(flow) && service_is_attempt(flow))
            calls.at[calls.count++] =
                (struct call){flow, "", "", flow->f.first_ns, flow->f.first_frame};
    }
    if (calls.count > 1)
        sort_rows(calls.at, calls.count, sizeof *calls.at, by_caller);
    return calls;
}

/* Calls of one moment become one; returns how many are left. */
static size_t thin(struct call *calls, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || calls[i].time_ns - calls[kept - 1].time_ns > TOGETHER_NS)
            calls[kept++] = calls[i];
    }
    return kept;
}

static bool is_near(int64_t value, int64_t period)
{
    return llabs(value - period) <= (int64_t)(REGULAR_SHARE * (double)period);
}

/* The period of the last HEARTBEAT_PERIODS calls up to and including calls[at]; 0 when they have none.
 */
static int64_t learn(const struct call *calls, size_t at)
{
    if (at < HEARTBEAT_PERIODS)
        return 0;
    int64_t period = (calls[at].time_ns - calls[at - HEARTBEAT_PERIODS].time_ns) / HEARTBEAT_PERIODS;
    if (period < HEARTBEAT_LEAST_NS || period > HEARTBEAT_MOST_NS)
        return 0;
    for (size_t i = at - HEARTBEAT_PERIODS; i < at; i++) {
        if (!is_near(calls[i + 1].time_ns - calls[i].time_ns, period))
            return 0;
    }
    return period;
}

/* Until when it is known that the capture would have shown a call: it ran, and others were heard.
 */
static int64_t known_until(const struct judge *judge, const struct call *call)
{
    const struct activity *all = &judge->site->two_sided;
    int64_t heard_ns = all->best == call->flow ? all->second_ns : all->best_ns;
    int64_t end_ns = judge_capture_end(judge, call->time_ns);
    return heard_ns < end_ns ? heard_ns : end_ns;
}

/* Whether the client said anything else behind that time. */
static bool client_lives(const struct judge *judge, const struct call *call, int64_t after_ns)
{
    struct flow_range range = site_client_flows(judge->site, call->flow->client);
    for (size_t i = range.count; i > 0; i--) {
        if (range.flows[i - 1]->f.last_ns > after_ns)
            return true;
    }
    return false;
}

static bool was_quiet(const struct judge *judge, int64_t from_ns, int64_t period, int64_t missed)
{
    for (int64_t i = 1; i <= missed && i <= MISSED_LEAST; i++) {
        if (profile_is_quiet(judge->profile, from_ns + i * period))
            return true;
    }
    return false;
}

/* The call after which they stopped; next_ns is the next one, or until when none came. */
static void judge_gap(struct judge *judge, const struct call *call, int64_t period, int64_t next_ns)
{
    int64_t late_ns = (int64_t)(LATE_SHARE * (double)period);
    int64_t missed = (next_ns - call->time_ns - late_ns) / period;
    if (missed < MISSED_LEAST || was_quiet(judge, call->time_ns, period, missed) ||
        judge_is_withdrawn(judge, FINDING_SERVICE_HEARTBEAT_MISSED, call->flow))
        return;
    struct claim claim = claim_start(FINDING_SERVICE_HEARTBEAT_MISSED, call->flow);
    claim.client_port = 0;
    claim.confidence = client_lives(judge, call, call->time_ns + period) ? 70 : 55;
    claim.first_ns = call->time_ns;
    claim.last_ns = next_ns;
    claim.weight = (double)missed;
    claim_add_ms(&claim, "period_ms", period);
    claim_add_number(&claim, "missed", (double)missed);
    for (size_t i = 0; i < 2; i++)
        claim_add_reference(&claim, call[-(ptrdiff_t)i].flow->f.source_id,
                            call[-(ptrdiff_t)i].frame, call[-(ptrdiff_t)i].time_ns, EVENT_REQUEST);
    judge_claim(judge, &claim);
}

/* The calls of one caller to one thing, by time. given: the period that the profile names; 0 none.
 * What a program asks of name servers, clocks and databases follows its caches and pools: nothing
 * is learnt. */
static void judge_caller(struct judge *judge, struct call *calls, size_t count, int64_t given)
{
    const struct profile_service *service = judge_profile_service(judge, calls->flow);
    if (given == 0 && (service == NULL || service->dependency != DEPENDENCY_NONE))
        return;
    count = thin(calls, count);
    for (size_t i = 1; i < count; i++) {
        int64_t period = given > 0 ? given : learn(calls, i);
        bool last = i + 1 == count;
        int64_t until = known_until(judge, &calls[i]);
        int64_t next_ns = last || calls[i + 1].time_ns > until ? until : calls[i + 1].time_ns;
        /* A pause between two captures proves nothing. */
        if (period > 0 &&
            (last || judge_capture_end(judge, calls[i].time_ns) >= calls[i + 1].time_ns))
            judge_gap(judge, &calls[i], period, next_ns);
    }
}

static int64_t given_period(const struct judge *judge, const struct call *call)
{
    const struct profile_service *service = judge_profile_service(judge, call->flow);
    for (size_t i = 0; service != NULL && i < service->heartbeat_count; i++) {
        const struct profile_heartbeat *h = &service->heartbeats[i];
        bool port = h->port == 0 || h->port == call->flow->f.port[SIDE_SERVER];
        if (port && (h->path == NULL ? call->method[0] == '\0' : strcmp(h->path, call->path) == 0))
            return h->period_ns;
    }
    return 0;
}

/* Long enough for a period to be learnt and missed, or one is given. */
static bool may_beat(const struct judge *judge, const struct site_service *service)
{
    const struct site_flow *first = service->flows.flows[0];
    const struct profile_service *named = judge_profile_service(judge, first);
    int64_t until = judge_capture_end(judge, first->f.first_ns);
    until = service->last_ns > until ? service->last_ns : until;
    return (named != NULL && named->heartbeat_count > 0) ||
           until - first->f.first_ns >= (HEARTBEAT_PERIODS + MISSED_LEAST) * HEARTBEAT_LEAST_NS;
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->service_count; i++) {
        struct site_service *service = &site->services[i];
        if (!objectives_apply(judge, service) || !may_beat(judge, service))
            continue;
        struct calls calls = take_calls(judge, service);
        for (size_t j = 0, end = 0; j < calls.count; j = end) {
            for (end = j + 1; end < calls.count && is_same_caller(&calls.at[j], &calls.at[end]);)
                end++;
            judge_caller(judge, calls.at + j, end - j, given_period(judge, &calls.at[j]));
        }
        free(calls.at);
    }
}

const struct detector detector_heartbeats = {"heartbeats", detect};
