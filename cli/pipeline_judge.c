#include "cli/pipeline.h"

#include "core/catalogue.h"
#include "diagnosis/diagnosis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one kind as loaded, in flow order, with a cursor for the merge. */
struct rows {
    uint8_t *bytes;
    size_t size, count, capacity, at;
    bool failed;
};

struct judge {
    const struct profile *profile;
    struct store *store;
    struct site *site;
    struct rows tcp, tls, certificates, events, resets;
    struct rows services; /* struct store_service: of flows that have another one now */
    enum record_kind kind;       /* of the plain records being loaded */
    struct sink store_sink;
    struct pipeline_result *result;
    bool failed;
};

static bool keep_row(void *self, const void *record)
{
    struct rows *rows = self;
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
        uint8_t *bytes = realloc(rows->bytes, capacity * rows->size);
        if (bytes == NULL) {
            rows->failed = true;
            return false;
        }
        rows->bytes = bytes;
        rows->capacity = capacity;
    }
    memcpy(rows->bytes + rows->count * rows->size, record, rows->size);
    rows->count++;
    return true;
}

/* flow_id is the first member of every kind that is merged here. */
static int64_t flow_of(const struct rows *rows, size_t index)
{
    int64_t id;
    memcpy(&id, rows->bytes + index * rows->size, sizeof id);
    return id;
}

/* The rows of a flow; *count of them, moving the cursor past them. */
static void *take_rows(struct rows *rows, int64_t flow_id, size_t *count)
{
    while (rows->at < rows->count && flow_of(rows, rows->at) < flow_id)
        rows->at++;
    size_t first = rows->at;
    while (rows->at < rows->count && flow_of(rows, rows->at) == flow_id)
        rows->at++;
    *count = rows->at - first;
    return *count > 0 ? rows->bytes + first * rows->size : NULL;
}

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
    if (!is_same(flow->service, now.service)) {
        (void)keep_row(&j->services, &now);
        j->failed = j->failed || j->services.failed;
    }
}

static bool judge_flow(void *self, const void *record)
{
    struct judge *j = self;
    struct flow_record flow = *(const struct flow_record *)record;
    struct flow_event events[FLOW_EVENTS_MAX];
    size_t count = 0, event_rows = 0;
    struct flow_bundle bundle = {.flow = &flow, .events = events};
    bundle.tcp = take_rows(&j->tcp, flow.id, &count);
    flow.has_tcp = bundle.tcp != NULL;
    bundle.tls = take_rows(&j->tls, flow.id, &count);
    bundle.tls_certificates = take_rows(&j->certificates, flow.id, &bundle.tls_certificate_count);
    const struct flow_event_record *rows = take_rows(&j->events, flow.id, &event_rows);
    bundle.event_count = unpack_events(rows, event_rows, events);
    bundle.resets = take_rows(&j->resets, flow.id, &bundle.reset_count);
    /* The service may be another one under the profile at hand. */
    const struct profile_service *service =
        profile_service_of(j->profile, flow.protocol, &flow.server_ip, flow.server_port);
    note_service(j, &flow, service);
    flow.service = service != NULL ? service->name : NULL;
    flow.service_class = service != NULL ? service->class_name : NULL;
    flow_diagnose(j->profile, &bundle);
    struct verdict_record verdict = {flow.id, flow.outcome, flow.stage, flow.verdict};
    sink_put(&j->store_sink, RECORD_VERDICT, &verdict);
    if (!site_add(j->site, RECORD_FLOW, &bundle))
        j->failed = true;
    return !j->failed;
}

static bool judge_plain(void *self, const void *record)
{
    struct judge *j = self;
    if (!site_add(j->site, j->kind, record))
        j->failed = true;
    return !j->failed;
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

static bool load_rows(struct judge *j, enum record_kind kind, struct rows *rows,
                      int64_t capture_id, const char *order, struct error *error)
{
    char where[128];
    rows->size = record_table_get(kind)->record_size;
    (void)snprintf(where, sizeof where,
                   "flow_id IN (SELECT id FROM flows WHERE capture_id = %lld)",
                   (long long)capture_id);
    if (!store_select(j->store, kind, where, order, 0, true, keep_row, rows, error))
        return false;
    return !rows->failed || error_set(error, ERROR_RUNTIME, "out of memory while loading");
}

static bool load_plain(struct judge *j, enum record_kind kind, const char *where,
                       struct error *error)
{
    j->kind = kind;
    if (!store_select(j->store, kind, where, NULL, 0, true, judge_plain, j, error))
        return false;
    return !j->failed || error_set(error, ERROR_RUNTIME, "out of memory while loading");
}

static bool load_all(struct judge *j, int64_t capture_id, struct error *error)
{
    static const enum record_kind of_capture[] = {RECORD_SOURCE, RECORD_ICMP, RECORD_ARP,
                                                  RECORD_PATH, RECORD_SWARM};
    char by_capture[64], by_flow[128], by_id[64];
    (void)snprintf(by_capture, sizeof by_capture, "capture_id = %lld", (long long)capture_id);
    (void)snprintf(by_id, sizeof by_id, "id = %lld", (long long)capture_id);
    (void)snprintf(by_flow, sizeof by_flow,
                   "flow_id IN (SELECT id FROM flows WHERE capture_id = %lld)",
                   (long long)capture_id);
    if (!load_rows(j, RECORD_FLOW_TCP, &j->tcp, capture_id, "flow_id", error) ||
        !load_rows(j, RECORD_TLS, &j->tls, capture_id, "flow_id", error) ||
        !load_rows(j, RECORD_TLS_CERTIFICATE, &j->certificates, capture_id,
                   "flow_id, side, position", error) ||
        !load_rows(j, RECORD_FLOW_EVENT, &j->events, capture_id, "flow_id, number", error) ||
        !load_rows(j, RECORD_RESET, &j->resets, capture_id, "flow_id, number", error))
        return false;
    if (!load_plain(j, RECORD_CERTIFICATE, NULL, error) || !load_plain(j, RECORD_STAPLE, NULL, error))
        return false;
    if (!load_plain(j, RECORD_SECRET, by_flow, error) || !load_plain(j, RECORD_H2, by_flow, error))
        return false;
    if (!load_plain(j, RECORD_COMMAND, by_flow, error))
        return false;
    for (size_t i = 0; i < sizeof of_capture / sizeof *of_capture; i++) {
        if (!load_plain(j, of_capture[i], by_capture, error))
            return false;
    }
    if (!load_plain(j, RECORD_FLOW_DELAY, by_flow, error) ||
        !load_plain(j, RECORD_RTT_SAMPLE, by_flow, error) ||
        !load_plain(j, RECORD_TURN, by_flow, error) ||
        !load_plain(j, RECORD_DNS, by_flow, error) || !load_plain(j, RECORD_NTP, by_flow, error) ||
        !load_plain(j, RECORD_HTTP, by_flow, error) ||
        !store_select(j->store, RECORD_FLOW, by_capture, "id", 0, true, judge_flow, j, error))
        return false;
    if (j->failed)
        return error_set(error, ERROR_RUNTIME, "out of memory while loading");
    return load_plain(j, RECORD_CAPTURE, by_id, error);
}

bool pipeline_judge(struct store *store, const struct profile *profile, int64_t capture_id,
                    struct pipeline_result *out, struct error *error)
{
    struct judge j = {.store = store, .result = out};
    *out = (struct pipeline_result){.worst_severity = -1, .capture_id = capture_id};
    j.profile = profile != NULL ? profile : profile_builtin();
    j.site = site_new(j.profile);
    if (j.site == NULL)
        return error_set(error, ERROR_RUNTIME, "out of memory while starting");
    j.store_sink = store_sink(store);
    j.services.size = sizeof(struct store_service);
    struct sink judgement = {&j, put_judgement};
    bool ok = store_clear_findings(store, capture_id, error) && load_all(&j, capture_id, error) &&
              pipeline_load_earlier(store, capture_id, j.site, error) &&
              site_judge(j.site, store_next_finding_id(store), &judgement, error) &&
              store_set_services(store, capture_id, j.profile->name,
                                 (const struct store_service *)(const void *)j.services.bytes,
                                 j.services.count, error) &&
              store_finish(store, error);
    site_free(j.site);
    free(j.tcp.bytes);
    free(j.tls.bytes);
    free(j.certificates.bytes);
    free(j.events.bytes);
    free(j.resets.bytes);
    free(j.services.bytes);
    return ok;
}
