/* The rows of endpoints: the exchanges of a service by method and path. */
#include "core/sort.h"
#include "diagnosis/site/services.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

struct kind {
    const struct exchange **first; /* of a list sorted by kind */
    size_t count;
};

static int compare_kind(const struct exchange *a, const struct exchange *b)
{
    int order = strcmp(a->method, b->method);
    return order != 0 ? order : strcmp(a->path, b->path);
}

static int by_kind(const void *left, const void *right)
{
    const struct exchange *a = *(const struct exchange *const *)left;
    const struct exchange *b = *(const struct exchange *const *)right;
    int order = compare_kind(a, b);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order != 0 ? order : COMPARE(a, b); /* one array, by time */
}

static int by_size(const void *left, const void *right)
{
    const struct kind *a = left, *b = right;
    int order = COMPARE(b->count, a->count);
    return order != 0 ? order : compare_kind(*a->first, *b->first);
}

static size_t make_kinds(const struct exchange **list, size_t count, struct kind *kinds)
{
    size_t kind_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_kind(list[i - 1], list[i]) != 0)
            kinds[kind_count++] = (struct kind){&list[i], 0};
        kinds[kind_count - 1].count++;
    }
    if (kind_count > 1)
        sort_rows(kinds, kind_count, sizeof *kinds, by_size);
    return kind_count;
}

static void add_kind(struct service_fold *fold, const struct kind *kind,
                     struct endpoint_record *row)
{
    for (size_t i = 0; i < kind->count; i++) {
        const struct exchange *e = kind->first[i];
        row->first_ns = e->time_ns < row->first_ns ? e->time_ns : row->first_ns;
        row->last_ns = e->time_ns > row->last_ns ? e->time_ns : row->last_ns;
        row->requests++;
        row->errors += e->error;
        row->connections += i == 0 || kind->first[i - 1]->flow != e->flow;
        row->waits |= e->waits && row->others == 0;
        service_sketch_add(&fold->part[SERVICE_THINK], e->think_ns);
        service_sketch_add(&fold->part[SERVICE_TOTAL], e->total_ns);
    }
}

/* Several kinds in one row: those that found none of their own. */
static void put_kinds(struct service_fold *fold, const struct kind *kinds, size_t count)
{
    struct endpoint_record row = {.capture_id = fold->record->capture_id,
                                  .number = ++fold->endpoint_number,
                                  .service_number = fold->record->number,
                                  .first_ns = INT64_MAX,
                                  .last_ns = INT64_MIN};
    if (count == 1) {
        row.method = (*kinds->first)->method;
        row.path = (*kinds->first)->path;
    } else {
        row.others = count;
    }
    for (size_t i = 0; i < count; i++)
        add_kind(fold, &kinds[i], &row);
    for (int i = SERVICE_THINK; i <= SERVICE_TOTAL; i++) {
        service_sketch_finish(&fold->part[i], fold->packed[i], &row.time[i]);
        service_sketch_clear(&fold->part[i]);
    }
    sink_put(fold->out, RECORD_ENDPOINT, &row);
}

void services_put_endpoints(struct service_fold *fold, const struct exchange *exchanges,
                            size_t count, size_t limit)
{
    const struct exchange **list = malloc((count + 1) * sizeof *list);
    struct kind *kinds = malloc((count + 1) * sizeof *kinds);
    if (list != NULL && kinds != NULL) {
        for (size_t i = 0; i < count; i++)
            list[i] = &exchanges[i];
        if (count > 1)
            sort_rows((void *)list, count, sizeof *list, by_kind);
        size_t kind_count = make_kinds(list, count, kinds);
        size_t alone = kind_count <= limit ? kind_count : limit;
        for (size_t i = 0; i < alone; i++)
            put_kinds(fold, &kinds[i], 1);
        if (kind_count > alone)
            put_kinds(fold, kinds + alone, kind_count - alone);
    } else {
        fold->judge->failed = true;
    }
    free((void *)list);
    free(kinds);
}
