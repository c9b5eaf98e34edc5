/* The rows of service_minutes, and whether requests came much faster or slower than usual. */
#include "core/sort.h"
#include "diagnosis/site/services.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Usual is known from so many whole minutes. */
#define USUAL_MINUTES 10
/* Six deviations by median and median deviation: of minutes that scatter by chance, one in 10^8. */
#define FAR_DEVIATIONS 6
#define NORMAL_DEVIATION 1.4826
#define FAR_FACTOR 2
/* Fewer requests more or less are a user who came or went. */
#define FAR_REQUESTS 20

/* Longer and longer intervals; each is a multiple of the one before. */
static const int64_t spans[] = {60 * FACTS_SECOND, 600 * FACTS_SECOND, 3600 * FACTS_SECOND,
                                86400 * FACTS_SECOND, 86400 * 366 * FACTS_SECOND};

struct usual {
    int64_t low, high; /* fewer, or more, are far off; -1 unknown */
    int64_t first_ns, last_ns;
};

static int64_t interval_of(const struct service_point *point, int64_t span_ns)
{
    return point->start_ns - point->start_ns % span_ns;
}

static size_t count_rows(const struct service_fold *fold, int64_t span_ns, bool grouped)
{
    size_t rows = 0;
    const struct service_point *before = NULL;
    for (size_t i = 0; i < fold->point_count; i++) {
        const struct service_point *p = &fold->points[i];
        rows += before == NULL || interval_of(before, span_ns) != interval_of(p, span_ns) ||
                (grouped && before->group != p->group);
        before = p;
    }
    return rows;
}

/* ---- what is usual ---- */

static int by_value(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static int64_t median_of(int64_t *values, size_t count)
{
    sort_rows(values, count, sizeof *values, by_value);
    return values[count / 2];
}

/* Requests per interval, those without any included; the first and the last are not whole. */
static void take_series(const struct service_fold *fold, int64_t span_ns, int64_t *series,
                        size_t count)
{
    int64_t first = interval_of(&fold->points[0], span_ns);
    memset(series, 0, count * sizeof *series);
    for (size_t i = 0; i < fold->point_count; i++) {
        const struct service_point *p = &fold->points[i];
        if (p->kind == POINT_EXCHANGE)
            series[(interval_of(p, span_ns) - first) / span_ns]++;
    }
}

/* Arrivals scatter at least as chance has it: twice the root of a Poisson count has deviation 1. */
static int64_t lowest_usual(double median, double deviation)
{
    double root = sqrt(median) - FAR_DEVIATIONS / 2.0;
    double low = fmin(median - FAR_DEVIATIONS * deviation, median / FAR_FACTOR);
    low = fmin(fmin(low, median - FAR_REQUESTS), root > 0 ? root * root : -1);
    return low > 0 ? (int64_t)ceil(low) : -1;
}

static int64_t highest_usual(double median, double deviation)
{
    double root = sqrt(median) + FAR_DEVIATIONS / 2.0;
    double high = fmax(median + FAR_DEVIATIONS * deviation, median * FAR_FACTOR);
    return (int64_t)fmax(fmax(high, median + FAR_REQUESTS), root * root);
}

static struct usual find_usual(struct service_fold *fold, int64_t span_ns)
{
    struct usual usual = {-1, -1, 0, 0};
    const struct service_point *points = fold->points;
    int64_t first = interval_of(&points[0], span_ns);
    int64_t last = interval_of(&points[fold->point_count - 1], span_ns);
    int64_t intervals = (last - first) / span_ns + 1;
    if (intervals < USUAL_MINUTES + 2 || (uint64_t)intervals > fold->row_limit)
        return usual;
    size_t count = (size_t)intervals;
    int64_t *series = malloc(count * sizeof *series);
    if (series == NULL) {
        fold->judge->failed = true;
        return usual;
    }
    take_series(fold, span_ns, series, count);
    int64_t median = median_of(series + 1, count - 2);
    for (size_t i = 1; i + 1 < count; i++)
        series[i] = llabs(series[i] - median);
    double deviation = NORMAL_DEVIATION * (double)median_of(series + 1, count - 2);
    free(series);
    return (struct usual){lowest_usual((double)median, deviation),
                          highest_usual((double)median, deviation), first, last};
}

/* In the quiet hours of the site few requests are usual. */
static enum service_rate rate_of(const struct service_fold *fold, const struct usual *usual,
                                 int64_t start_ns, int64_t requests)
{
    const struct profile *profile = fold->judge->profile;
    if (usual->high < 0 || start_ns == usual->first_ns || start_ns == usual->last_ns)
        return RATE_USUAL;
    if (requests > usual->high)
        return RATE_SURGE;
    return requests < usual->low && (profile == NULL || !profile_is_quiet(profile, start_ns))
               ? RATE_DROP
               : RATE_USUAL;
}

/* ---- rows ---- */

static void add_point(struct service_fold *fold, const struct service_point *p, uint64_t *count)
{
    unsigned c = p->counts;
    if (p->kind == POINT_AMOUNT) {
        count[SERVICE_BYTES] += (uint64_t)p->first;
        count[SERVICE_RETRANSMISSIONS] += (uint64_t)p->second;
        return;
    }
    bool flow = p->kind == POINT_FLOW;
    int kind = flow ? SERVICE_CONNECT : SERVICE_THINK;
    int64_t values[2] = {p->first, p->second};
    for (int i = 0; i < 2; i++) {
        service_sketch_add(&fold->whole[kind + i], values[i]);
        service_sketch_add(&fold->part[kind + i], values[i]);
    }
    if (!flow) {
        count[SERVICE_REQUESTS]++;
        count[SERVICE_ERRORS] += (c & POINT_ERROR) != 0;
        return;
    }
    bool before = (c & POINT_OPEN_BEFORE) != 0;
    count[SERVICE_OPEN_BEFORE] += before;
    count[SERVICE_ATTEMPTS] += !before;
    count[SERVICE_OK] += (c & POINT_OK) != 0;
    count[SERVICE_FAILED] += (c & POINT_FAILED) != 0;
    count[SERVICE_UNKNOWN] += !before && (c & (POINT_OK | POINT_FAILED)) == 0;
    count[SERVICE_TCP_ATTEMPTS] += (c & POINT_TCP) != 0;
    count[SERVICE_TCP_OK] += (c & POINT_TCP_OK) != 0;
    count[SERVICE_TLS_ATTEMPTS] += (c & POINT_TLS) != 0;
    count[SERVICE_TLS_OK] += (c & POINT_TLS_OK) != 0;
}

static void put_row(struct service_fold *fold, struct service_minute_record *row)
{
    row->capture_id = fold->record->capture_id;
    row->number = ++fold->minute_number;
    row->service_number = fold->record->number;
    for (int i = 0; i < SERVICE_TIME_KINDS; i++) {
        service_sketch_finish(&fold->part[i], fold->packed[i], &row->time[i]);
        service_sketch_clear(&fold->part[i]);
    }
    for (int i = 0; i < SERVICE_COUNT_KINDS; i++)
        fold->record->count[i] += row->count[i];
    sink_put(fold->out, RECORD_SERVICE_MINUTE, row);
}

/* Intervals in which nothing at all came, though much usually does. */
static void put_empty(struct service_fold *fold, const struct usual *usual, int64_t from_ns,
                      int64_t to_ns, int64_t span_ns)
{
    for (int64_t at = from_ns; at < to_ns && rate_of(fold, usual, at, 0) == RATE_DROP;
         at += span_ns) {
        struct service_minute_record row = {.start_ns = at, .span_ns = span_ns, .rate = RATE_DROP};
        put_row(fold, &row);
    }
}

/* The points of one interval: [first, end). */
static void put_interval(struct service_fold *fold, size_t first, size_t end, int64_t span_ns,
                         bool grouped, enum service_rate rate)
{
    struct service_minute_record row = {0};
    for (size_t i = first; i < end; i++) {
        const struct service_point *p = &fold->points[i];
        if (i == first || (grouped && fold->points[i - 1].group != p->group)) {
            if (i > first)
                put_row(fold, &row);
            row = (struct service_minute_record){.start_ns = interval_of(p, span_ns),
                                                 .span_ns = span_ns,
                                                 .rate = (uint8_t)rate,
                                                 .client_group =
                                                     grouped ? fold->groups[p->group] : NULL};
        }
        add_point(fold, p, row.count);
    }
    put_row(fold, &row);
}

static void put_all(struct service_fold *fold, int64_t span_ns, bool grouped)
{
    struct usual usual = find_usual(fold, span_ns);
    int64_t due = interval_of(&fold->points[0], span_ns);
    for (size_t i = 0; i < fold->point_count;) {
        int64_t start = interval_of(&fold->points[i], span_ns), requests = 0;
        size_t end = i;
        for (; end < fold->point_count && interval_of(&fold->points[end], span_ns) == start; end++)
            requests += fold->points[end].kind == POINT_EXCHANGE;
        put_empty(fold, &usual, due, start, span_ns);
        put_interval(fold, i, end, span_ns, grouped, rate_of(fold, &usual, start, requests));
        due = start + span_ns;
        i = end;
    }
}

void services_put_minutes(struct service_fold *fold)
{
    size_t at = 0;
    if (fold->point_count == 0)
        return;
    bool grouped = count_rows(fold, spans[0], true) <= fold->row_limit;
    while (!grouped && at + 1 < sizeof spans / sizeof spans[0] &&
           count_rows(fold, spans[at], false) > fold->row_limit)
        at++;
    put_all(fold, spans[at], grouped);
}
