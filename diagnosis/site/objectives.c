/* Services against what they promise: handshakes, errors, response times. Everything said here is
 * beyond what chance makes of few samples. */
#include "diagnosis/site/objectives.h"

#include "core/sort.h"
#include "diagnosis/site/services.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* FINDINGS.md. */
#define HANDSHAKE_FAILURES 3
#define ERRORS_LEAST 5
#define SAMPLES_P99 300
#define SAMPLES_P95 60
/* The time to move more than this is the size's, not the service's. */
#define SMALL_KIB 64
/* A deviation that the slowest few make alone is no scatter. */
#define OUTLIERS_SHARE 0.02
#define OUTLIERS_LEAST 2
#define FLOWS_LISTED 1000
/* Normal quantile of 95 %, two-sided. */
#define WILSON_Z 1.959964

static double wilson(uint64_t hits, uint64_t count, double sign)
{
    double n = (double)count, p = (double)hits / n, z2 = WILSON_Z * WILSON_Z;
    double middle = p + z2 / (2 * n);
    double half = WILSON_Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return (middle + sign * half) / (1 + z2 / n);
}

double share_lowest(uint64_t hits, uint64_t count)
{
    return count > 0 ? wilson(hits, count, -1) : 0;
}

double share_highest(uint64_t hits, uint64_t count)
{
    return count > 0 ? wilson(hits, count, 1) : 1;
}

/* ---- claims ---- */

bool objectives_apply(const struct judge *judge, const struct site_service *service)
{
    const struct site_flow *first = service->flows.count > 0 ? service->flows.flows[0] : NULL;
    if (first == NULL || first->f.service == NULL || judge->profile == NULL)
        return false;
    for (size_t i = 0; judge->profile->builtin && i < service->flows.count; i++) {
        if (service->flows.flows[i]->outcome == OUTCOME_OK)
            return true;
    }
    return !judge->profile->builtin;
}

struct profile_objectives objectives_of(const struct judge *judge,
                                        const struct site_service *service)
{
    return profile_objectives_of(judge->profile,
                                 judge_profile_service(judge, service->flows.flows[0]));
}

struct claim service_claim(enum finding_code code, const struct site_flow *flow)
{
    struct claim claim = claim_start(code, flow);
    claim.client_ip = (struct address){0};
    claim.client_port = 0;
    return claim;
}

void claim_add_exchange(struct claim *claim, const struct exchange *e)
{
    int64_t end_ns = e->time_ns + (e->total_ns >= 0 ? e->total_ns : 0);
    claim_add_reference(claim, e->flow->f.source_id, e->frame, end_ns, EVENT_RESPONSE);
}

/* ---- handshakes ---- */

struct handshakes {
    uint64_t attempts, ok;
    const struct site_flow **failed; /* by time */
    size_t failed_count;
};

static bool is_tls_failure(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return facts_is_established(&flow->f) && t != NULL && t->client_hello_ns >= 0 &&
           !t->established && flow->outcome == OUTCOME_FAILED;
}

static bool is_tcp_failure(const struct site_flow *flow)
{
    return flow->outcome == OUTCOME_FAILED && !facts_is_established(&flow->f);
}

static bool takes_part(const struct site_flow *flow, bool tls)
{
    const struct tls_facts *t = flow->f.tls;
    if (!service_counts(flow) || !facts_is_tcp(&flow->f) || !service_is_attempt(flow))
        return false;
    return tls ? t != NULL && (t->established || is_tls_failure(flow))
               : facts_is_established(&flow->f) || is_tcp_failure(flow);
}

static struct handshakes count_handshakes(struct judge *judge, const struct site_service *service,
                                          bool tls)
{
    struct handshakes h = {0};
    h.failed = malloc((service->flows.count + 1) * sizeof *h.failed);
    judge->failed |= h.failed == NULL;
    for (size_t i = 0; h.failed != NULL && i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        if (!takes_part(flow, tls))
            continue;
        bool failed = tls ? is_tls_failure(flow) : is_tcp_failure(flow);
        h.attempts++;
        h.ok += !failed;
        if (failed)
            h.failed[h.failed_count++] = flow;
    }
    return h;
}

/* The failure whose verdict is the commonest; of several the earliest. */
static const struct site_flow *commonest(const struct handshakes *h)
{
    size_t counts[FINDING_COUNT + 1] = {0};
    const struct site_flow *best = NULL;
    for (size_t i = 0; i < h->failed_count; i++)
        counts[h->failed[i]->verdict]++;
    for (size_t i = 0; i < h->failed_count; i++) {
        if (best == NULL || counts[h->failed[i]->verdict] > counts[best->verdict])
            best = h->failed[i];
    }
    return best;
}

/* All failures are one client's, while others get in: it is that client's matter. */
static bool is_one_clients(const struct site_service *service, const struct handshakes *h, bool tls,
                           bool *only_client)
{
    const struct site_host *client = h->failed[0]->client;
    *only_client = true;
    for (size_t i = 0; i < h->failed_count; i++) {
        if (h->failed[i]->client != client)
            return *only_client = false;
    }
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        if (flow->client != client && takes_part(flow, tls))
            *only_client = false;
    }
    return !*only_client;
}

static void list_flows(struct judge *judge, const struct handshakes *h, struct claim *claim)
{
    size_t count = h->failed_count < FLOWS_LISTED ? h->failed_count : FLOWS_LISTED;
    claim->flows =
        arena_copy(&judge->site->arena, (const void *)h->failed, count * sizeof *h->failed);
    claim->flow_count = claim->flows != NULL ? count : 0;
    claim->count = (int64_t)h->failed_count;
    claim->first_ns = h->failed[0]->f.first_ns;
    claim->last_ns = h->failed[h->failed_count - 1]->f.last_ns;
}

static bool judge_handshakes(struct judge *judge, const struct site_service *service, bool tls,
                             double target)
{
    struct handshakes h = count_handshakes(judge, service, tls);
    const struct site_flow *flow = h.failed != NULL ? commonest(&h) : NULL;
    const struct claim *verdict = flow != NULL ? judge_verdict(judge, flow) : NULL;
    bool only_client = false;
    bool low = verdict != NULL && h.failed_count >= HANDSHAKE_FAILURES &&
               share_highest(h.ok, h.attempts) < target &&
               !is_one_clients(service, &h, tls, &only_client) &&
               !judge_is_withdrawn(judge, FINDING_SERVICE_HANDSHAKE_RATE_LOW, flow);
    if (low) {
        struct claim claim = service_claim(FINDING_SERVICE_HANDSHAKE_RATE_LOW, flow);
        claim.culprit = verdict->culprit;
        claim.category = verdict->category;
        claim.reason = verdict->reason;
        claim.confidence = only_client && verdict->confidence > 60 ? 60 : verdict->confidence;
        if (claim.culprit == CULPRIT_CLIENT && only_client)
            claim.client_ip = flow->client->address; /* of several none is named */
        list_flows(judge, &h, &claim);
        claim_add_text(&claim, "step", tls ? "TLS" : "TCP");
        claim_add_number(&claim, "rate", 100.0 * (double)h.ok / (double)h.attempts);
        claim_add_number(&claim, "target", 100 * target);
        claim_add_number(&claim, "failures", (double)h.failed_count);
        judge_claim(judge, &claim);
    }
    free((void *)h.failed);
    return low;
}

/* ---- errors ---- */

static bool are_one_clients(const struct exchange *e, size_t count)
{
    const struct site_host *client = NULL, *other = NULL;
    for (size_t i = 0; i < count; i++) {
        if (e[i].error && client != NULL && e[i].flow->client != client)
            return false;
        client = e[i].error ? e[i].flow->client : client;
        other = e[i].error ? other : e[i].flow->client;
    }
    return client != other;
}

static void judge_errors(struct judge *judge, const struct exchange *e, size_t count, double target)
{
    uint64_t errors = 0;
    const struct exchange *first = NULL, *last = NULL;
    for (size_t i = 0; i < count; i++) {
        errors += e[i].error;
        first = e[i].error && first == NULL ? &e[i] : first;
        last = e[i].error ? &e[i] : last;
    }
    if (errors < ERRORS_LEAST || share_lowest(errors, count) <= target ||
        judge_is_withdrawn(judge, FINDING_SERVICE_ERROR_SLO, first->flow))
        return;
    struct claim claim = service_claim(FINDING_SERVICE_ERROR_SLO, first->flow);
    claim.confidence = are_one_clients(e, count) ? 60 : 85;
    claim.first_ns = first->time_ns;
    claim.last_ns = last->time_ns;
    claim.count = (int64_t)errors;
    claim_add_number(&claim, "share", 100.0 * (double)errors / (double)count);
    claim_add_number(&claim, "target", 100 * target);
    claim_add_number(&claim, "errors", (double)errors);
    claim_add_exchange(&claim, first);
    claim_add_exchange(&claim, last);
    judge_claim(judge, &claim);
}

/* ---- response times ---- */

static int by_total(const void *left, const void *right)
{
    const struct exchange *a = *(const struct exchange *const *)left;
    const struct exchange *b = *(const struct exchange *const *)right;
    int order = (a->total_ns > b->total_ns) - (a->total_ns < b->total_ns);
    return order != 0 ? order : (a > b) - (a < b); /* one array, by time */
}

/* Of the late answers, more of the time passed on the way than at the server. */
static bool way_is_slower(const struct exchange *const *late, size_t count)
{
    int64_t server = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        server += late[i]->think_ns >= 0 ? late[i]->think_ns : 0;
        all += late[i]->total_ns;
    }
    return server * 2 < all;
}

static void claim_latency(struct judge *judge, const struct exchange *const *sorted, size_t count,
                          double quantile, int64_t target_ns)
{
    size_t late = 0;
    while (late < count && sorted[count - 1 - late]->total_ns > target_ns)
        late++;
    size_t at = (size_t)ceil(quantile * (double)count) - 1;
    if (share_lowest(late, count) <= 1 - quantile ||
        judge_is_withdrawn(judge, FINDING_SERVICE_LATENCY_SLO, sorted[at]->flow))
        return;
    const struct exchange *worst = sorted[count - 1];
    struct claim claim = service_claim(FINDING_SERVICE_LATENCY_SLO, worst->flow);
    bool way = way_is_slower(sorted + count - late, late);
    claim.culprit = way ? CULPRIT_NETWORK : CULPRIT_SERVER;
    claim.category = way ? CATEGORY_NETWORK : CATEGORY_SERVER;
    claim.confidence = 80;
    claim.count = (int64_t)late;
    for (size_t i = count - late; i < count; i++) {
        int64_t time_ns = sorted[i]->time_ns;
        claim.first_ns = i == count - late || time_ns < claim.first_ns ? time_ns : claim.first_ns;
        claim.last_ns = i == count - late || time_ns > claim.last_ns ? time_ns : claim.last_ns;
    }
    claim_add_text(&claim, "quantile", quantile > 0.97 ? "P99" : "P95");
    claim_add_ms(&claim, "latency_ms", sorted[at]->total_ns);
    claim_add_ms(&claim, "target_ms", target_ns);
    claim_add_number(&claim, "samples", (double)count);
    for (size_t i = 0; i < 3 && i < late; i++)
        claim_add_exchange(&claim, sorted[count - 1 - i]);
    judge_claim(judge, &claim);
}

static void judge_latency(struct judge *judge, const struct exchange *e, size_t count,
                          int64_t target_ns)
{
    const struct exchange **sorted = malloc((count + 1) * sizeof *sorted);
    size_t kept = 0;
    judge->failed |= sorted == NULL;
    for (size_t i = 0; sorted != NULL && i < count; i++) {
        if (!e[i].waits && e[i].total_ns >= 0 && e[i].kib <= SMALL_KIB)
            sorted[kept++] = &e[i];
    }
    if (kept >= SAMPLES_P95) {
        sort_rows((void *)sorted, kept, sizeof *sorted, by_total);
        claim_latency(judge, sorted, kept, kept >= SAMPLES_P99 ? 0.99 : 0.95, target_ns);
    }
    free((void *)sorted);
}

/* ---- scatter ---- */

static int by_endpoint(const void *left, const void *right)
{
    const struct exchange *a = *(const struct exchange *const *)left;
    const struct exchange *b = *(const struct exchange *const *)right;
    int order = strcmp(a->method, b->method);
    if (order == 0)
        order = strcmp(a->path, b->path);
    if (order == 0)
        order = (a->think_ns > b->think_ns) - (a->think_ns < b->think_ns);
    return order != 0 ? order : (a > b) - (a < b);
}

static double deviation_of(const struct exchange *const *e, size_t count, double *mean)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)e[i]->think_ns;
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = (double)e[i]->think_ns - *mean;
        squares += off * off;
    }
    return sqrt(squares / (double)(count - 1));
}

/* The answers of one endpoint, the quickest first. */
static void judge_scatter(struct judge *judge, const struct exchange *const *e, size_t count,
                          int64_t limit_ns)
{
    double mean = 0, rest_mean = 0;
    size_t outliers = (size_t)(OUTLIERS_SHARE * (double)count);
    outliers = outliers > OUTLIERS_LEAST ? outliers : OUTLIERS_LEAST;
    double deviation = deviation_of(e, count, &mean);
    double rest = deviation_of(e, count - outliers, &rest_mean);
    if (deviation <= (double)limit_ns || deviation <= mean || rest <= (double)limit_ns ||
        rest <= rest_mean ||
        judge_is_withdrawn(judge, FINDING_SERVICE_LATENCY_VARIANCE, e[0]->flow))
        return;
    struct claim claim = service_claim(FINDING_SERVICE_LATENCY_VARIANCE, e[count - 1]->flow);
    claim.confidence = 70;
    claim.weight = deviation;
    claim_add_ms(&claim, "deviation_ms", (int64_t)deviation);
    claim_add_ms(&claim, "mean_ms", (int64_t)mean);
    claim_add_number(&claim, "samples", (double)count);
    claim_add_exchange(&claim, e[0]);
    claim_add_exchange(&claim, e[count - 1]);
    judge_claim(judge, &claim);
}

static bool is_same_endpoint(const struct exchange *a, const struct exchange *b)
{
    return strcmp(a->method, b->method) == 0 && strcmp(a->path, b->path) == 0;
}

static void judge_variance(struct judge *judge, const struct exchange *e, size_t count,
                           int64_t limit_ns)
{
    const struct exchange **list = malloc((count + 1) * sizeof *list);
    size_t kept = 0, end = 0;
    judge->failed |= list == NULL;
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (!e[i].waits && e[i].think_ns >= 0)
            list[kept++] = &e[i];
    }
    if (kept > 1)
        sort_rows((void *)list, kept, sizeof *list, by_endpoint);
    for (size_t i = 0; i < kept; i = end) {
        for (end = i + 1; end < kept && is_same_endpoint(list[i], list[end]);)
            end++;
        if (end - i >= SAMPLES_P95)
            judge_scatter(judge, list + i, end - i, limit_ns);
    }
    free((void *)list);
}

/* ---- ceilings ---- */

/* Shorter bursts fill a queue, no service. */
#define BURST_SECONDS 10

static struct claim overload_claim(const struct site_flow *flow, int64_t from_ns, int64_t to_ns,
                                   const char *what)
{
    struct claim claim = service_claim(FINDING_SERVICE_OVERLOAD, flow);
    claim.confidence = 80;
    claim.first_ns = from_ns;
    claim.last_ns = to_ns;
    claim_add_text(&claim, "what", what);
    return claim;
}

static void judge_requests(struct judge *judge, const struct exchange *e, size_t count,
                           uint64_t ceiling)
{
    size_t most = 0, at = 0;
    for (size_t first = 0, last = 0; last < count; last++) {
        while (e[last].time_ns - e[first].time_ns >= BURST_SECONDS * FACTS_SECOND)
            first++;
        if (last - first + 1 > most) {
            most = last - first + 1;
            at = first;
        }
    }
    if (ceiling == 0 || most <= ceiling * BURST_SECONDS ||
        judge_is_withdrawn(judge, FINDING_SERVICE_OVERLOAD, e[at].flow))
        return;
    struct claim claim =
        overload_claim(e[at].flow, e[at].time_ns, e[at + most - 1].time_ns, "requests");
    claim_add_text(&claim, "reached",
                   arena_format(&judge->site->arena, "%.1f/s", (double)most / BURST_SECONDS));
    claim_add_text(&claim, "ceiling",
                   arena_format(&judge->site->arena, "%llu/s", (unsigned long long)ceiling));
    claim_add_exchange(&claim, &e[at]);
    claim_add_exchange(&claim, &e[at + most - 1]);
    judge_claim(judge, &claim);
}

/* "1.25 Gbit/s". */
static const char *rate_text(struct judge *judge, double bits)
{
    const char *unit = bits >= 1e9 ? "Gbit/s" : bits >= 1e6 ? "Mbit/s" : "kbit/s";
    double scale = bits >= 1e9 ? 1e9 : bits >= 1e6 ? 1e6 : 1e3;
    return arena_format(&judge->site->arena, "%.2f %s", bits / scale, unit);
}

/* Every minute of a stretch as long as the ceiling's time is above it. */
static void judge_throughput(struct judge *judge, const struct site_service *service,
                             const struct profile_objectives *promised)
{
    struct service_point *points = NULL;
    size_t count = services_amounts(judge, service, &points);
    double least = (double)promised->bits_per_second / 8 * 60, best = 0;
    int64_t from_ns = 0, best_from = 0, best_to = 0, minutes = 0;
    int64_t wanted = (promised->ceiling_ns + SERVICE_MINUTE_NS - 1) / SERVICE_MINUTE_NS;
    for (size_t i = 0; i < count && least > 0; i++) {
        bool follows = minutes > 0 && points[i].start_ns == from_ns + minutes * SERVICE_MINUTE_NS;
        bool above = (double)points[i].first > least;
        minutes = !above ? 0 : follows ? minutes + 1 : 1;
        from_ns = minutes == 1 ? points[i].start_ns : from_ns;
        if (minutes < wanted || minutes == 0)
            continue;
        best = (double)points[i].first > best ? (double)points[i].first : best;
        best_from = best_to == 0 ? from_ns : best_from;
        best_to = points[i].start_ns + SERVICE_MINUTE_NS;
    }
    const struct site_flow *flow = service->flows.flows[0];
    if (best > 0 && !judge_is_withdrawn(judge, FINDING_SERVICE_OVERLOAD, flow)) {
        struct claim claim = overload_claim(flow, best_from, best_to, "throughput");
        claim_add_text(&claim, "reached", rate_text(judge, best * 8 / 60));
        claim_add_text(&claim, "ceiling", rate_text(judge, (double)promised->bits_per_second));
        judge_claim(judge, &claim);
    }
    free(points);
}

/* ---- all services ---- */

/* Of name servers, clocks and what else the services need other findings tell. */
static bool is_dependency(const struct judge *judge, const struct site_flow *flow)
{
    const struct profile_service *service = judge_profile_service(judge, flow);
    return service != NULL && service->dependency != DEPENDENCY_NONE;
}

static void judge_service(struct judge *judge, struct site_service *service)
{
    size_t count = 0;
    if (!objectives_apply(judge, service))
        return;
    struct profile_objectives promised = objectives_of(judge, service);
    if (!judge_handshakes(judge, service, false, promised.tcp_success))
        (void)judge_handshakes(judge, service, true, promised.tls_success);
    const struct exchange *e = exchanges_of(judge, service, &count);
    if (count >= SAMPLES_P95 && !is_dependency(judge, service->flows.flows[0])) {
        judge_latency(judge, e, count, promised.latency_p99_ns);
        judge_variance(judge, e, count, promised.latency_deviation_ns);
    }
    if (count >= ERRORS_LEAST && !is_dependency(judge, service->flows.flows[0]))
        judge_errors(judge, e, count, promised.error_share);
    judge_requests(judge, e, count, promised.requests_per_second);
    judge_throughput(judge, service, &promised);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->service_count; i++)
        judge_service(judge, &judge->site->services[i]);
}

const struct detector detector_objectives = {"objectives", detect};
