#include "reports/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A growing array of records of one size. */
struct gather {
    char *items;
    size_t count, capacity, size;
    bool failed;
};

static bool gather_row(void *self, const void *record)
{
    struct gather *g = self;
    if (g->count == g->capacity) {
        size_t capacity = g->capacity > 0 ? 2 * g->capacity : 16;
        char *grown = realloc(g->items, capacity * g->size);
        if (grown == NULL) {
            g->failed = true;
            return false;
        }
        g->items = grown;
        g->capacity = capacity;
    }
    memcpy(g->items + g->count * g->size, record, g->size);
    g->count++;
    return true;
}

/* All records of the kind; *out is to be freed. */
static bool gather_all(struct store *store, enum record_kind kind, const char *where,
                       const char *order_by, void *out, size_t *out_count, struct error *error)
{
    struct gather g = {.size = record_table_get(kind)->record_size};
    if (!store_select(store, kind, where, order_by, -1, true, gather_row, &g, error) || g.failed) {
        if (g.failed) {
            (void)error_set(error, ERROR_RUNTIME, "out of memory reading %s",
                            record_table_get(kind)->table);
        }
        free(g.items);
        return false;
    }
    memcpy(out, &g.items, sizeof(g.items));
    *out_count = g.count;
    return true;
}

static void make_where(char out[64], const char *column, int64_t id)
{
    snprintf(out, 64, "%s = %lld", column, (long long)id);
}

static bool take_capture(void *self, const void *record)
{
    struct report_case *loaded = self;
    memcpy(&loaded->capture, record, sizeof(loaded->capture));
    return false;
}

static const struct column *flow_column(const char *name)
{
    const struct record_table *table = record_table_get(RECORD_FLOW);
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

/* The last slot collects what finds no other. */
static struct case_service *service_slot(struct report_case *loaded, const char *name)
{
    for (size_t i = 0; i < loaded->service_count; i++) {
        if (strcmp(loaded->services[i].name, name) == 0) {
            return &loaded->services[i];
        }
    }
    if (loaded->service_count == CASE_SERVICES) {
        return &loaded->services[CASE_SERVICES - 1];
    }
    struct case_service *fresh = &loaded->services[loaded->service_count++];
    const char *kept = NULL;
    if (loaded->service_count < CASE_SERVICES) {
        kept = intern_text(loaded->strings, name);
    }
    *fresh = (struct case_service){.name = kept != NULL ? kept : ""};
    return fresh;
}

struct flow_counter {
    struct report_case *loaded;
    const struct column *outcomes;
};

/* A flow: service name, outcome, verdict. */
static bool count_flow(void *self, const struct store_row *row)
{
    const struct flow_counter *counter = self;
    struct report_case *loaded = counter->loaded;
    int outcome =
        row->cells[1] != NULL ? column_value_of(counter->outcomes, row->cells[1]) : OUTCOME_NONE;
    struct case_service *service = service_slot(loaded, row->cells[0] != NULL ? row->cells[0] : "");
    enum finding_code code;
    service->flows++;
    loaded->outcomes[outcome >= 0 && outcome < CASE_OUTCOMES ? outcome : OUTCOME_NONE]++;
    if (outcome != OUTCOME_FAILED) {
        return true;
    }
    service->failed++;
    bool known = row->cells[2] != NULL && catalogue_find(row->cells[2], &code);
    loaded->verdicts[known ? (size_t)code + 1 : 0]++;
    return true;
}

/* Counted here, row by row: GROUP BY would sort all flows first, and whole records are not needed. */
static bool load_counts(struct report_case *loaded, struct error *error)
{
    struct flow_counter counter = {loaded, flow_column("outcome")};
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(nullif(service, ''), app, ''), outcome, verdict FROM flows "
             "WHERE capture_id = %lld",
             (long long)loaded->capture_id);
    return store_query(loaded->store, sql, count_flow, &counter, error);
}

/* A service: name, measured answers, 95th percentile. */
static bool note_times(void *self, const struct store_row *row)
{
    struct report_case *loaded = self;
    const char *name = row->cells[0] != NULL ? row->cells[0] : "";
    for (size_t i = 0; i < loaded->service_count; i++) {
        struct case_service *service = &loaded->services[i];
        if (strcmp(service->name, name) == 0 && row->cells[1] != NULL && row->cells[2] != NULL) {
            service->answers = strtoll(row->cells[1], NULL, 10);
            service->p95_ns = strtoll(row->cells[2], NULL, 10);
        }
    }
    return true;
}

static bool load_times(struct report_case *loaded, struct error *error)
{
    char sql[320];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(nullif(service, ''), app, ''), sum(total_count),"
             " sketch_quantile(sketch_merge(total_sketch), 0.95) FROM services"
             " WHERE capture_id = %lld AND total_count > 0 GROUP BY 1",
             (long long)loaded->capture_id);
    return store_query(loaded->store, sql, note_times, loaded, error);
}

static int compare_services(const void *a, const void *b)
{
    const struct case_service *left = a, *right = b;
    if (left->flows != right->flows) {
        return left->flows < right->flows ? 1 : -1;
    }
    return strcmp(left->name, right->name);
}

/* The worst first: what is withdrawn last, then by severity, verdicts before notes, by count. */
static int compare_findings(const void *a, const void *b)
{
    const struct finding_record *left = &((const struct case_finding *)a)->record;
    const struct finding_record *right = &((const struct case_finding *)b)->record;
    int withdrawn = (left->state == FINDING_WITHDRAWN) - (right->state == FINDING_WITHDRAWN);
    if (withdrawn != 0) {
        return withdrawn;
    }
    if (left->severity != right->severity) {
        return (int)right->severity - (int)left->severity;
    }
    if (left->is_primary != right->is_primary) {
        return left->is_primary ? -1 : 1;
    }
    if (left->count != right->count) {
        return left->count < right->count ? 1 : -1;
    }
    return left->id < right->id ? -1 : left->id > right->id;
}

/* Rows of all findings, in the order of findings. */
struct finding_rows {
    char *items;
    size_t count, size, at;
};

/* finding_id is the first member of every kind that is shared out here. */
static int64_t finding_of(const struct finding_rows *rows, size_t index)
{
    int64_t id;
    memcpy(&id, rows->items + index * rows->size, sizeof(id));
    return id;
}

/* A copy of the rows of the next finding; *out is to be freed. */
static bool share_rows(struct finding_rows *rows, int64_t finding_id, void *out, size_t *out_count)
{
    while (rows->at < rows->count && finding_of(rows, rows->at) < finding_id) {
        rows->at++;
    }
    size_t first = rows->at;
    while (rows->at < rows->count && finding_of(rows, rows->at) == finding_id) {
        rows->at++;
    }
    size_t count = rows->at - first;
    char *copy = count > 0 ? malloc(count * rows->size) : NULL;
    if (count > 0 && copy == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(copy, rows->items + first * rows->size, count * rows->size);
    }
    memcpy(out, &copy, sizeof(copy));
    *out_count = count;
    return true;
}

/* All that the findings have, one question per table: a case may have thousands of findings. */
struct parts {
    struct finding_rows values, evidence;
    struct flow_record *flows; /* by id */
    size_t flow_count;
};

static bool load_parts(const struct report_case *loaded, struct parts *parts, struct error *error)
{
    char of_findings[128], of_flows[128];
    snprintf(of_findings, sizeof(of_findings),
             "finding_id IN (SELECT id FROM findings WHERE capture_id = %lld)",
             (long long)loaded->capture_id);
    snprintf(of_flows, sizeof(of_flows),
             "id IN (SELECT flow_id FROM findings WHERE capture_id = %lld)",
             (long long)loaded->capture_id);
    parts->values.size = sizeof(struct finding_value_record);
    parts->evidence.size = sizeof(struct finding_evidence_record);
    return gather_all(loaded->store, RECORD_FINDING_VALUE, of_findings, "finding_id, name",
                      &parts->values.items, &parts->values.count, error) &&
           gather_all(loaded->store, RECORD_FINDING_EVIDENCE, of_findings, "finding_id, number",
                      &parts->evidence.items, &parts->evidence.count, error) &&
           gather_all(loaded->store, RECORD_FLOW, of_flows, "id", &parts->flows,
                      &parts->flow_count, error);
}

static int compare_flow_id(const void *key, const void *item)
{
    const int64_t *id = key;
    const struct flow_record *flow = item;
    return (*id > flow->id) - (*id < flow->id);
}

/* The findings come in the order of their numbers. */
static bool share_parts(struct parts *parts, struct case_finding *finding, struct error *error)
{
    int64_t id = finding->record.id;
    const struct flow_record *flow = NULL;
    if (!share_rows(&parts->values, id, &finding->values, &finding->value_count) ||
        !share_rows(&parts->evidence, id, &finding->evidence, &finding->evidence_count)) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    if (finding->record.flow_id != 0 && parts->flow_count > 0) {
        flow = bsearch(&finding->record.flow_id, parts->flows, parts->flow_count, sizeof(*flow),
                       compare_flow_id);
    }
    if (flow != NULL) {
        finding->flow = *flow;
    }
    return true;
}

static bool load_findings(struct report_case *loaded, const char *where, struct error *error)
{
    struct finding_record *records = NULL;
    struct parts parts = {0};
    size_t count = 0;
    if (!gather_all(loaded->store, RECORD_FINDING, where, "id", &records, &count, error)) {
        return false;
    }
    loaded->findings = calloc(count > 0 ? count : 1, sizeof(struct case_finding));
    bool good = loaded->findings != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    good = good && (count == 0 || load_parts(loaded, &parts, error));
    for (size_t i = 0; good && i < count; i++) {
        loaded->findings[i].record = records[i];
        loaded->finding_count = i + 1;
        good = share_parts(&parts, &loaded->findings[i], error);
    }
    free(parts.values.items);
    free(parts.evidence.items);
    free(parts.flows);
    free(records);
    if (good && count > 0) {
        qsort(loaded->findings, count, sizeof(struct case_finding), compare_findings);
    }
    return good;
}

static bool load_head(struct report_case *loaded, struct error *error)
{
    char by_id[64], by_capture[64];
    make_where(by_id, "id", loaded->capture_id);
    make_where(by_capture, "capture_id", loaded->capture_id);
    if (!store_select(loaded->store, RECORD_CAPTURE, by_id, NULL, 1, true, take_capture, loaded,
                      error)) {
        return false;
    }
    if (loaded->capture.id != loaded->capture_id || loaded->capture_id == 0) {
        return error_set(error, ERROR_USAGE,
                         "%s holds no capture %lld; `invcap captures` lists them",
                         store_path(loaded->store), (long long)loaded->capture_id);
    }
    return gather_all(loaded->store, RECORD_SOURCE, by_capture, "id", &loaded->sources,
                      &loaded->source_count, error);
}

static bool load_rest(struct report_case *loaded, struct error *error)
{
    char by_capture[64];
    make_where(by_capture, "capture_id", loaded->capture_id);
    if (!gather_all(loaded->store, RECORD_DOMAIN, by_capture, "number", &loaded->domains,
                    &loaded->domain_count, error) ||
        !gather_all(loaded->store, RECORD_STORY, by_capture, "number", &loaded->stories,
                    &loaded->story_count, error) ||
        !load_counts(loaded, error) || !load_times(loaded, error)) {
        return false;
    }
    qsort(loaded->services, loaded->service_count, sizeof(struct case_service), compare_services);
    return load_findings(loaded, by_capture, error);
}

struct report_case *case_load_head(struct store *store, int64_t capture_id, struct error *error)
{
    struct report_case *loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "out of memory");
        return NULL;
    }
    loaded->store = store;
    loaded->capture_id = capture_id;
    loaded->strings = intern_new();
    if (loaded->strings == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "out of memory");
        case_free(loaded);
        return NULL;
    }
    if (!load_head(loaded, error)) {
        case_free(loaded);
        return NULL;
    }
    return loaded;
}

struct report_case *case_load(struct store *store, int64_t capture_id, struct error *error)
{
    struct report_case *loaded = case_load_head(store, capture_id, error);
    if (loaded != NULL && !load_rest(loaded, error)) {
        case_free(loaded);
        return NULL;
    }
    return loaded;
}

void case_free(struct report_case *loaded)
{
    if (loaded == NULL) {
        return;
    }
    for (size_t i = 0; i < loaded->finding_count; i++) {
        free(loaded->findings[i].values);
        free(loaded->findings[i].evidence);
    }
    intern_free(loaded->strings);
    free(loaded->findings);
    free(loaded->sources);
    free(loaded->domains);
    free(loaded->stories);
    free(loaded);
}

bool case_each_capture(struct store *store, bool (*each)(void *self, int64_t capture_id),
                       void *self, struct error *error)
{
    struct capture_record *captures = NULL;
    size_t count = 0;
    if (!gather_all(store, RECORD_CAPTURE, NULL, "id", &captures, &count, error)) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        good = each(self, captures[i].id);
    }
    free(captures);
    return good;
}

const struct finding_info *case_info(const struct case_finding *finding)
{
    unsigned code = finding->record.code;
    return catalogue_get((enum finding_code)(code > 0 && code <= FINDING_COUNT ? code - 1u : 0));
}

const char *case_source_path(const struct report_case *loaded, int64_t source_id)
{
    for (size_t i = 0; i < loaded->source_count; i++) {
        if (loaded->sources[i].id == source_id && loaded->sources[i].path != NULL) {
            return loaded->sources[i].path;
        }
    }
    return "?";
}

const struct case_finding *case_find(const struct report_case *loaded, int64_t finding_id)
{
    for (size_t i = 0; i < loaded->finding_count; i++) {
        if (loaded->findings[i].record.id == finding_id) {
            return &loaded->findings[i];
        }
    }
    return NULL;
}
