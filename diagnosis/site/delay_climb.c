/* Services whose answers take longer and longer, or suddenly much longer, while the way to them
 * stays as it is and the same is asked of them. */
#include "core/sort.h"
#include "diagnosis/site/delays.h"

#include <stdlib.h>

#define INTERVALS 6
#define INTERVAL_ANSWERS 5
/* So many that a twentieth of them is one. */
#define INTERVAL_MANY 20
/* Climbs that users feel. */
#define FACTOR 2
#define GROWN_NS (50 * FACTS_MS)
/* Of the 15 pairs of intervals, those in rising order less those in falling order: no more than two
 * of them may fall (Kendall; chance has it once in 36). */
#define RISING_PAIRS 11
/* Of what the answers grew by, the part that the way may account for: one fifth. */
#define WAY_PART 5
/* What is asked or answered may grow by half, and by what fits into one segment. */
#define BYTES_MORE(bytes) ((bytes) + (bytes) / 2 + 1460)

struct answer {
    int64_t time_ns, wait_ns, way_ns, bytes;
    int64_t frame, frame_ns;
    const struct site_flow *flow;
};

struct climb {
    int64_t waits[INTERVALS], ways[INTERVALS], bytes[INTERVALS];
    double quantile;
};

static int answers_by_time(const void *left, const void *right)
{
    const struct answer *a = left, *b = right;
    int order = (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
    return order != 0 ? order : (a->flow->f.id > b->flow->f.id) - (a->flow->f.id < b->flow->f.id);
}

/* The endpoint of the service that is asked most; NULL when none is. */
static const struct endpoint *find_most(struct judge *judge, const struct site_service *service,
                                        size_t *room)
{
    const struct endpoint *most = NULL;
    *room = 1;
    for (size_t i = 0; i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        *room += flow->request_count + 1;
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct endpoint *e = judge_endpoint(judge, flow, flow->requests[j]);
            most = e != NULL && (most == NULL || e->requests > most->requests) ? e : most;
        }
    }
    return most;
}

static struct answer answer_of(const struct site_flow *flow, const struct http_record *r)
{
    return (struct answer){.time_ns = r->request_ns,
                           .wait_ns = r->wait_ns,
                           .way_ns = flow->f.rtt_ns[SIDE_SERVER],
                           .bytes = (int64_t)(r->request_bytes + r->response_bytes),
                           .frame = r->response_frame,
                           .frame_ns = r->response_ns,
                           .flow = flow};
}

static struct answer hidden_answer_of(const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    return (struct answer){.time_ns = flow->f.first_ns,
                           .wait_ns = d->answer_sum_ns / (int64_t)d->answers,
                           .way_ns = flow->f.rtt_ns[SIDE_SERVER],
                           .bytes = d->answer_asked,
                           .frame = d->answer_frame,
                           .frame_ns = d->answer_start_ns + d->answer_max_ns,
                           .flow = flow};
}

/* The answers to one kind of request of a service: clear ones to the endpoint that is asked most,
 * or those of its TLS connections, one per connection. */
static size_t take_answers(struct judge *judge, const struct site_service *service,
                           struct answer **out)
{
    size_t room, count = 0;
    const struct endpoint *most = find_most(judge, service, &room);
    *out = malloc(room * sizeof **out);
    for (size_t i = 0; *out != NULL && i < service->flows.count; i++) {
        const struct site_flow *flow = service->flows.flows[i];
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct http_record *r = flow->requests[j];
            if (r->wait_ns >= 0 && r->response_ns >= 0 && r->request_ns >= 0 &&
                judge_endpoint(judge, flow, r) == most)
                (*out)[count++] = answer_of(flow, r);
        }
        if (most == NULL && delays_is_hidden_dialogue(flow))
            (*out)[count++] = hidden_answer_of(flow);
    }
    if (*out != NULL && count > 1)
        sort_rows(*out, count, sizeof **out, answers_by_time);
    judge->failed = judge->failed || *out == NULL;
    return count;
}

static int64_t wait_of(const struct answer *a)
{
    return a->wait_ns;
}
static int64_t way_of(const struct answer *a)
{
    return a->way_ns;
}
static int64_t bytes_of(const struct answer *a)
{
    return a->bytes;
}

/* When a part of the time ends; the last one behind the last answer. */
static int64_t part_end(const struct answer *answers, size_t count, int part)
{
    int64_t first = answers[0].time_ns, span = answers[count - 1].time_ns - first + 1;
    return part < INTERVALS - 1 ? first + (int64_t)((double)span * (part + 1) / INTERVALS)
                                : first + span;
}

/* A quantile of as many parts of equal time; false when one of them has fewer than least answers
 * that know the value. */
static bool find_parts(const struct answer *answers, size_t count,
                       int64_t (*value)(const struct answer *), double quantile, size_t least,
                       int64_t out[INTERVALS])
{
    int64_t *values = malloc(count * sizeof *values);
    size_t at = 0;
    bool enough = values != NULL;
    for (int part = 0; enough && part < INTERVALS; part++) {
        int64_t end = part_end(answers, count, part);
        size_t taken = 0;
        for (; at < count && answers[at].time_ns < end; at++) {
            if (value(&answers[at]) >= 0)
                values[taken++] = value(&answers[at]);
        }
        enough = taken >= least;
        out[part] = delays_quantile(values, taken, quantile);
    }
    free(values);
    return enough;
}

/* Every interval behind a moment is slower than all before it by the factor. */
static bool is_step(const int64_t *waits)
{
    for (int k = 2; k <= INTERVALS - 2; k++) {
        int64_t high = 0, low = INT64_MAX;
        for (int i = 0; i < INTERVALS; i++) {
            if (i < k)
                high = waits[i] > high ? waits[i] : high;
            else
                low = waits[i] < low ? waits[i] : low;
        }
        if (low >= FACTOR * high)
            return true;
    }
    return false;
}

static bool is_trend(const int64_t *waits)
{
    int rising = 0;
    for (int i = 0; i < INTERVALS; i++) {
        for (int j = i + 1; j < INTERVALS; j++)
            rising += (waits[j] > waits[i]) - (waits[j] < waits[i]);
    }
    return rising >= RISING_PAIRS && waits[INTERVALS - 1] >= FACTOR * waits[0];
}

static bool is_climb(const struct climb *c)
{
    const int last = INTERVALS - 1;
    int64_t grown = c->waits[last] - c->waits[0], moved = c->ways[last] - c->ways[0];
    return grown >= GROWN_NS && moved * WAY_PART <= grown &&
           c->bytes[last] <= BYTES_MORE(c->bytes[0]) && (is_trend(c->waits) || is_step(c->waits));
}

static bool climbs(const struct answer *answers, size_t count, double quantile, size_t least,
                   struct climb *out)
{
    out->quantile = quantile;
    return count >= INTERVALS * least &&
           find_parts(answers, count, wait_of, quantile, least, out->waits) &&
           find_parts(answers, count, way_of, 0.5, least, out->ways) &&
           find_parts(answers, count, bytes_of, 0.5, least, out->bytes) && is_climb(out);
}

/* The answer that the figure was taken from, or the one next to it. */
static void refer_to(struct claim *claim, const struct answer *answers, size_t count, int part,
                     int64_t wait)
{
    const struct answer *best = NULL;
    int64_t begin = part_end(answers, count, part - 1), end = part_end(answers, count, part);
    for (size_t i = 0; i < count; i++) {
        if (answers[i].time_ns < begin || answers[i].time_ns >= end)
            continue;
        if (best == NULL || llabs(answers[i].wait_ns - wait) < llabs(best->wait_ns - wait))
            best = &answers[i];
    }
    if (best != NULL)
        claim_add_reference(claim, best->flow->f.source_id, best->frame, best->frame_ns,
                            EVENT_RESPONSE);
}

static void tell(struct judge *judge, const struct answer *answers, size_t count,
                 const struct climb *c)
{
    struct claim claim = claim_start(FINDING_SERVER_DEGRADING, answers[count - 1].flow);
    int64_t before = c->waits[0], after = c->waits[INTERVALS - 1];
    claim.confidence = 75;
    claim.client_port = 0;
    claim.first_ns = answers[0].time_ns;
    claim.last_ns = answers[count - 1].time_ns;
    claim_add_ms(&claim, "before_ms", before);
    claim_add_ms(&claim, "after_ms", after);
    claim_add_text(&claim, "measure", c->quantile > 0.5 ? "P95" : "median");
    claim_add_number(&claim, "intervals", INTERVALS);
    refer_to(&claim, answers, count, 0, before);
    refer_to(&claim, answers, count, INTERVALS - 1, after);
    judge_claim(judge, &claim);
}

static void look_at(struct judge *judge, const struct site_service *service)
{
    struct answer *answers = NULL;
    struct climb c;
    if (service->flows.count == 0)
        return;
    size_t count = take_answers(judge, service, &answers);
    if (answers != NULL && count > 0 &&
        (climbs(answers, count, 0.5, INTERVAL_ANSWERS, &c) ||
         climbs(answers, count, 0.95, INTERVAL_MANY, &c)) &&
        !judge_is_withdrawn(judge, FINDING_SERVER_DEGRADING, answers[count - 1].flow))
        tell(judge, answers, count, &c);
    free(answers);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->service_count; i++)
        look_at(judge, &site->services[i]);
}

const struct detector detector_delay_climb = {"delay_climb", detect};
