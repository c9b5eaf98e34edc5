#include "cli/pipeline.h"

#include "core/catalogue.h"
#include "core/heap.h"
#include "diagnosis/diagnosis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one kind that belong to a flow, read in the order of flows. */
struct lane {
    enum record_kind kind;
    const char *order; /* NULL: by its key, which begins with the flow */
    const char *where; /* beside the flows of the capture; NULL none */
    struct store_cursor *cursor;
    const void *next; /* NULL at the end */
};

/* A growing array of records of one size. */
struct rows {
    uint8_t *bytes;
    size_t size, count, capacity;
};

enum { LANE_TCP, LANE_TLS, LANE_CERTIFICATES, LANE_EVENTS, LANE_RESETS, LANE_OF_BUNDLE, LANE_COUNT = 15 };

static const struct lane lanes[LANE_COUNT] = {
    [LANE_TCP] = {.kind = RECORD_FLOW_TCP},
    [LANE_TLS] = {.kind = RECORD_TLS},
    [LANE_CERTIFICATES] = {.kind = RECORD_TLS_CERTIFICATE, .order = "flow_id, side, position"},
    [LANE_EVENTS] = {.kind = RECORD_FLOW_EVENT},
    [LANE_RESETS] = {.kind = RECORD_RESET},
    [LANE_OF_BUNDLE] = {.kind = RECORD_SECRET}, /* this one and the next ones go to the site as they are */
    {.kind = RECORD_H2},
    {.kind = RECORD_COMMAND},
    {.kind = RECORD_ICMP, .order = "flow_id, time_ns, frame", .where = "flow_id IS NOT NULL"},
    {.kind = RECORD_FLOW_DELAY},
    {.kind = RECORD_RTT_SAMPLE},
    {.kind = RECORD_TURN},
    {.kind = RECORD_DNS},
    {.kind = RECORD_NTP},
    {.kind = RECORD_HTTP},
};

struct judge {
    const struct profile *profile;
    struct store *store;
    struct site *site;
    struct lane lanes[LANE_COUNT];
    struct rows rows[LANE_OF_BUNDLE]; /* of the flow at hand */
    struct rows services;        /* struct store_service: of flows that have another one now */
    enum record_kind kind;       /* of the plain records being loaded */
    struct sink store_sink;
    struct pipeline_result *result;
    struct error *error;
    bool failed;
};

static bool out_of_memory(struct judge *j)
{
    j->failed = true;
    return error_set(j->error, ERROR_RUNTIME, "out of memory while loading");
}

static bool keep_row(struct judge *j, struct rows *rows, const void *record)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 64 : rows->capacity * 2;
        uint8_t *bytes = realloc(rows->bytes, capacity * rows->size);
        if (bytes == NULL)
            return out_of_memory(j);
        rows->bytes = bytes;
        rows->capacity = capacity;
    }
    memcpy(rows->bytes + rows->count * rows->size, record, rows->size);
    rows->count++;
    return true;
}

/* ---- lanes ------------------------------------------------------------------------------------ */

static bool open_lanes(struct judge *j, int64_t first_flow, int64_t last_flow)
{
    memcpy(j->lanes, lanes, sizeof lanes);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &j->lanes[i];
        char where[128];
        (void)snprintf(where, sizeof where, "flow_id BETWEEN %lld AND %lld%s%s", (long long)first_flow,
                       (long long)last_flow, lane->where != NULL ? " AND " : "",
                       lane->where != NULL ? lane->where : "");
        lane->cursor = store_cursor_open(j->store, lane->kind, where, lane->order, 0, true, j->error);
        if (lane->cursor == NULL || !store_cursor_next(lane->cursor, &lane->next, j->error))
            return false;
    }
    for (size_t i = 0; i < LANE_OF_BUNDLE; i++)
        j->rows[i].size = record_table_get(j->lanes[i].kind)->record_size;
    return true;
}

static void close_lanes(struct judge *j)
{
    for (size_t i = 0; i < LANE_COUNT; i++)
        store_cursor_close(j->lanes[i].cursor);
    for (size_t i = 0; i < LANE_OF_BUNDLE; i++)
        free(j->rows[i].bytes);
}

static int64_t flow_of(enum record_kind kind, const void *record)
{
    int64_t id;
    if (kind == RECORD_ICMP)
        return ((const struct icmp_record *)record)->flow_id;
    memcpy(&id, record, sizeof id); /* the first member of all others */
    return id;
}

/* The rows of the flow at hand: of a bundle to its arrays, all others to the site. */
static bool take_lane(struct judge *j, size_t number, int64_t flow_id)
{
    struct lane *lane = &j->lanes[number];
    if (number < LANE_OF_BUNDLE)
        j->rows[number].count = 0;
    while (lane->next != NULL && flow_of(lane->kind, lane->next) <= flow_id) {
        if (flow_of(lane->kind, lane->next) == flow_id) {
            if (number < LANE_OF_BUNDLE ? !keep_row(j, &j->rows[number], lane->next)
                                        : !site_add(j->site, lane->kind, lane->next) && !out_of_memory(j))
                return false;
        }
        if (!store_cursor_next(lane->cursor, &lane->next, j->error)) {
            j->failed = true;
            return false;
        }
    }
    return true;
}

static bool take_lanes(struct judge *j, int64_t flow_id)
{
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (!take_lane(j, i, flow_id))
            return false;
    }
    return true;
}

/* NULL: the flow has none. */
static void *rows_of(const struct judge *j, size_t lane)
{
    return j->rows[lane].count > 0 ? j->rows[lane].bytes : NULL;
}

/* ---- flows ------------------------------------------------------------------------------------ */

static size_t unpack_events(const struct flow_event_record *rows, size_t count,
                            struct flow_event out[FLOW_EVENTS_MAX])
{
    size_t kept = count < FLOW_EVENTS_MAX ? count : FLOW_EVENTS_MAX;
    for (size_t i = 0; i < kept; i++)
        out[i] = (struct flow_event){.time_ns = rows[i].time_ns,
                                     .frame = (uint32_t)rows[i].frame,
                                     .sequence = (uint32_t)rows[i].sequence,
                                     .length = (uint32_t)rows[i].length & 0xfffffu,
                                     .note = rows[i].note & 0x3fu,
                                     .reason = rows[i].reason & 0x3fu,
                                     .source_id = (uint16_t)rows[i].source_id,
                                     .kind = rows[i].kind,
                                     .side = rows[i].side};
    return kept;
}

static bool is_same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static void note_service(struct judge *j, const struct flow_record *flow,
                         const struct profile_service *service)
{
    const struct store_service now = {flow->id, service != NULL ? service->name : NULL};
    if (!is_same(flow->service, now.service))
        (void)keep_row(j, &j->services, &now);
}

static bool judge_flow(void *self, const void *record)
{
    struct judge *j = self;
    struct flow_record flow = *(const struct flow_record *)record;
    struct flow_event events[FLOW_EVENTS_MAX];
    if (!take_lanes(j, flow.id))
        return false;
    struct flow_bundle bundle = {.flow = &flow, .events = events};
    bundle.tcp = rows_of(j, LANE_TCP);
    flow.has_tcp = bundle.tcp != NULL;
    bundle.tls = rows_of(j, LANE_TLS);
    bundle.tls_certificates = rows_of(j, LANE_CERTIFICATES);
    bundle.tls_certificate_count = j->rows[LANE_CERTIFICATES].count;
    bundle.event_count = unpack_events(rows_of(j, LANE_EVENTS), j->rows[LANE_EVENTS].count, events);
    bundle.resets = rows_of(j, LANE_RESETS);
    bundle.reset_count = j->rows[LANE_RESETS].count;
    /* The service may be another one under the profile at hand. */
    const struct profile_service *service =
        profile_service_of(j->profile, flow.protocol, &flow.server_ip, flow.server_port);
    note_service(j, &flow, service);
    flow.service = service != NULL ? service->name : NULL;
    flow.service_class = service != NULL ? service->class_name : NULL;
    flow_diagnose(j->profile, &bundle);
    uint64_t left_out = site_flows_left_out(j->site);
    if (!site_add(j->site, RECORD_FLOW, &bundle))
        return out_of_memory(j);
    if (site_flows_left_out(j->site) != left_out && flow.outcome != OUTCOME_OK) {
        flow.outcome = OUTCOME_UNKNOWN; /* nobody will judge it */
        flow.verdict = 0;
    }
    struct verdict_record verdict = {flow.id, flow.outcome, flow.stage, flow.verdict};
    sink_put(&j->store_sink, RECORD_VERDICT, &verdict);
    return !j->failed;
}

static bool judge_plain(void *self, const void *record)
{
    struct judge *j = self;
    return site_add(j->site, j->kind, record) || out_of_memory(j);
}

static void put_judgement(void *self, enum record_kind kind, const void *record)
{
    struct judge *j = self;
    if (kind == RECORD_FINDING) {
        const struct finding_record *finding = record;
        if (finding->state != FINDING_WITHDRAWN && finding->severity > j->result->worst_severity)
            j->result->worst_severity = finding->severity;
    }
    sink_put(&j->store_sink, kind, record);
}

/* ---- all -------------------------------------------------------------------------------------- */

static bool load_plain(struct judge *j, enum record_kind kind, const char *where)
{
    j->kind = kind;
    return store_select(j->store, kind, where, NULL, 0, true, judge_plain, j, j->error) && !j->failed;
}

struct range {
    int64_t first, last;
};

static bool take_range(void *self, const struct store_row *row)
{
    struct range *range = self;
    if (row->cells[0] != NULL && row->cells[1] != NULL)
        *range = (struct range){strtoll(row->cells[0], NULL, 10), strtoll(row->cells[1], NULL, 10)};
    return false;
}

/* The flows of a read are numbered in one piece. */
static bool find_flows(struct judge *j, int64_t capture_id, struct range *out)
{
    char sql[128];
    *out = (struct range){1, 0};
    (void)snprintf(sql, sizeof sql, "SELECT min(id), max(id) FROM flows WHERE capture_id = %lld",
                   (long long)capture_id);
    return store_query(j->store, sql, take_range, out, j->error);
}

static bool load_flows(struct judge *j, int64_t capture_id, const struct range *range)
{
    char by_capture[64];
    (void)snprintf(by_capture, sizeof by_capture, "capture_id = %lld", (long long)capture_id);
    bool good = open_lanes(j, range->first, range->last) &&
                store_select(j->store, RECORD_FLOW, by_capture, "id", 0, true, judge_flow, j, j->error) &&
                !j->failed;
    close_lanes(j);
    return good;
}

/* What a handshake of these flows showed. */
static bool load_shown(struct judge *j, enum record_kind kind, const char *ids, const struct range *range)
{
    char where[160];
    (void)snprintf(where, sizeof where, "id IN (SELECT %s WHERE flow_id BETWEEN %lld AND %lld)", ids,
                   (long long)range->first, (long long)range->last);
    return load_plain(j, kind, where);
}

/* In the order of importance where memory is short: what `read` has at the end comes at the end. */
static bool load_all(struct judge *j, int64_t capture_id)
{
    char by_capture[64], by_id[64], of_no_flow[96];
    struct range range;
    (void)snprintf(by_capture, sizeof by_capture, "capture_id = %lld", (long long)capture_id);
    (void)snprintf(of_no_flow, sizeof of_no_flow, "capture_id = %lld AND flow_id IS NULL",
                   (long long)capture_id);
    (void)snprintf(by_id, sizeof by_id, "id = %lld", (long long)capture_id);
    bool good = find_flows(j, capture_id, &range) &&
                load_shown(j, RECORD_CERTIFICATE, "certificate_id FROM tls_certificates", &range) &&
                load_shown(j, RECORD_STAPLE, "staple_id FROM tls_sessions", &range) &&
                load_plain(j, RECORD_SOURCE, by_capture) && load_plain(j, RECORD_ARP, by_capture) &&
                load_flows(j, capture_id, &range) && load_plain(j, RECORD_ICMP, of_no_flow) &&
                load_plain(j, RECORD_PATH, by_capture) && load_plain(j, RECORD_SWARM, by_capture);
    site_note_limits(j->site, store_texts_refused(j->store), 0);
    return good && load_plain(j, RECORD_CAPTURE, by_id);
}

bool pipeline_judge(struct store *store, const struct profile *profile, int64_t capture_id,
                    uint64_t memory_bytes, struct pipeline_result *out, struct error *error)
{
    struct judge j = {.store = store, .result = out, .error = error};
    *out = (struct pipeline_result){.worst_severity = -1, .capture_id = capture_id};
    j.profile = profile != NULL ? profile : profile_builtin();
    j.site = site_new(j.profile);
    if (j.site == NULL)
        return error_set(error, ERROR_RUNTIME, "out of memory while starting");
    heap_set_room(pipeline_heap_room(memory_bytes));
    site_limit(j.site, pipeline_memory(memory_bytes));
    store_limit_texts(store, pipeline_memory(memory_bytes) / 8);
    j.store_sink = store_sink(store);
    j.services.size = sizeof(struct store_service);
    struct sink judgement = {&j, put_judgement};
    bool ok = store_clear_findings(store, capture_id, error) && load_all(&j, capture_id) &&
              pipeline_load_earlier(store, capture_id, memory_bytes, j.site, error) &&
              site_judge(j.site, store_next_finding_id(store), &judgement, error) &&
              store_set_services(store, capture_id, j.profile->name,
                                 (const struct store_service *)(const void *)j.services.bytes,
                                 j.services.count, error) &&
              store_finish(store, error);
    site_free(j.site);
    free(j.services.bytes);
    store_forget_texts(store);
    heap_trim();
    return ok;
}
