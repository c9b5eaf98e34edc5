#include "core/json.h"
#include "reports/finding_text.h"
#include "reports/quality.h"
#include "reports/reports.h"

#include <stdio.h>
#include <string.h>

struct json_writer {
    FILE *out;
    struct json json;
    const struct record_table *table;
};

static void end_line(FILE *out, struct json *json)
{
    json_close_object(json);
    fputs(json_text(json), out);
    fputc('\n', out);
    json_reset(json);
}

static bool write_record(void *self, const void *record)
{
    struct json_writer *writer = self;
    json_open_object(&writer->json, NULL);
    json_record(&writer->json, writer->table, record);
    end_line(writer->out, &writer->json);
    return ferror(writer->out) == 0;
}

static void add_text(struct json *json, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        json_string(json, name, value);
    }
}

static void add_address(struct json *json, const char *name, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];
    if (address_is_set(address)) {
        json_string(json, name, address_to_text(address, text));
    }
}

static void add_number(struct json *json, const char *name, int64_t value)
{
    if (value > 0) {
        json_int(json, name, value);
    }
}

/* The members of a finding as DESIGN.md "JSON" shows them. */
static void add_finding(struct json *json, const struct case_finding *finding)
{
    const struct finding_record *record = &finding->record;
    static const char *const states[] = {"confirmed", "open", "withdrawn"};
    json_string(json, "type", "finding");
    json_int(json, "id", record->id);
    json_int(json, "capture_id", record->capture_id);
    json_string(json, "code", case_info(finding)->code);
    json_string(json, "severity", severity_name((enum severity)record->severity));
    json_string(json, "category", category_name((enum category)record->category));
    json_string(json, "culprit", culprit_name((enum culprit)record->culprit));
    json_int(json, "confidence", record->confidence);
    json_bool(json, "primary", record->is_primary);
    json_string(json, "scope", scope_name((enum scope)record->scope));
    json_string(json, "state", states[record->state <= FINDING_WITHDRAWN ? record->state : 0]);
    json_time(json, "first", record->first_ns);
    json_time(json, "last", record->last_ns);
    json_int(json, "count", record->count);
    add_number(json, "joined", record->joined);
    add_address(json, "client_ip", &record->client_ip);
    add_number(json, "client_port", record->client_port);
    add_address(json, "server_ip", &record->server_ip);
    add_number(json, "server_port", record->server_port);
    add_text(json, "name", record->name);
    add_text(json, "service", record->service);
    add_number(json, "flow_id", record->flow_id);
    add_text(json, "community_id", finding->flow.id != 0 ? finding->flow.community_id : NULL);
    add_text(json, "reason", record->reason);
    add_text(json, "withdrawn_by", record->withdrawn_by);
}

static void add_value(struct json *json, const char *name, double number)
{
    if (number == (double)(int64_t)number) {
        json_int(json, name, (int64_t)number);
    } else {
        json_real(json, name, number);
    }
}

static bool is_safe_integer(double number)
{
    return number > -9e15 && number < 9e15;
}

static void add_values(struct json *json, const struct case_finding *finding)
{
    bool spread = false;
    json_open_object(json, "values");
    for (size_t i = 0; i < finding->value_count; i++) {
        const struct finding_value_record *value = &finding->values[i];
        if (value->text != NULL) {
            json_string(json, value->name, value->text);
        } else if (is_safe_integer(value->number)) {
            add_value(json, value->name, value->number);
            spread = spread || value->minimum < value->maximum;
        }
    }
    json_close_object(json);
    if (!spread) {
        return;
    }
    json_open_object(json, "ranges"); /* least and most over the connections */
    for (size_t i = 0; i < finding->value_count; i++) {
        const struct finding_value_record *value = &finding->values[i];
        if (value->text == NULL && value->minimum < value->maximum &&
            is_safe_integer(value->minimum) && is_safe_integer(value->maximum)) {
            json_open_array(json, value->name);
            add_value(json, NULL, value->minimum);
            add_value(json, NULL, value->maximum);
            json_close_array(json);
        }
    }
    json_close_object(json);
}

static void add_evidence(struct json *json, const struct report_case *loaded,
                         const struct case_finding *finding)
{
    json_open_array(json, "evidence");
    for (size_t i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence_record *evidence = &finding->evidence[i];
        json_open_object(json, NULL);
        json_string(json, "source", case_source_path(loaded, evidence->source_id));
        json_int(json, "frame", evidence->frame);
        json_time(json, "time", evidence->time_ns);
        add_text(json, "note", evidence->note);
        json_close_object(json);
    }
    json_close_array(json);
}

static void add_rival(void *self, const struct rival_info *rival)
{
    json_string(self, NULL, rival->code);
}

static void add_texts(struct json *json, const struct case_finding *finding, enum language language)
{
    const struct finding_info *info = case_info(finding);
    struct finding_words words;
    char text[FINDING_TEXT_SIZE];
    finding_words_make(finding, language, &words);
    json_string(json, "title", finding_title(finding, &words, language, text));
    json_string(json, "explanation", finding_sentence(&words, info->meaning, language, text));
    json_string(json, "advice", finding_sentence(&words, info->advice, language, text));
}

void report_json_finding(FILE *out, const struct report_case *loaded,
                         const struct case_finding *finding, const enum language *texts,
                         struct json *json)
{
    char filter[FINDING_TEXT_SIZE];
    json_open_object(json, NULL);
    add_finding(json, finding);
    add_values(json, finding);
    add_evidence(json, loaded, finding);
    json_open_array(json, "rivals");
    finding_each_rival(finding, add_rival, json);
    json_close_array(json);
    add_text(json, "filter", finding_filter(finding, filter));
    if (texts != NULL) {
        add_texts(json, finding, *texts);
    }
    end_line(out, json);
}

#define OF_CAPTURE "capture_id = %lld"
#define OF_FLOWS "flow_id IN (SELECT id FROM flows WHERE capture_id = %lld)"

/* What a JSON report holds, in this order; the findings follow. */
static const struct json_part {
    enum record_kind kind;
    const char *where;
} parts[] = {
    {RECORD_CAPTURE, "id = %lld"},
    {RECORD_SOURCE, OF_CAPTURE},
    {RECORD_FLOW, OF_CAPTURE},
    {RECORD_FLOW_TCP, OF_FLOWS},
    {RECORD_RESET, OF_FLOWS},
    {RECORD_FLOW_DELAY, OF_FLOWS},
    {RECORD_RTT_SAMPLE, OF_FLOWS},
    {RECORD_TLS, OF_FLOWS},
    {RECORD_CERTIFICATE, "id IN (SELECT certificate_id FROM tls_certificates WHERE " OF_FLOWS ")"},
    {RECORD_TLS_CERTIFICATE, OF_FLOWS},
    {RECORD_STAPLE, "id IN (SELECT staple_id FROM tls_sessions WHERE " OF_FLOWS ")"},
    {RECORD_HTTP, OF_FLOWS},
    {RECORD_SECRET, OF_FLOWS},
    {RECORD_H2, OF_FLOWS},
    {RECORD_COMMAND, OF_FLOWS},
    {RECORD_ICMP, OF_CAPTURE},
    {RECORD_ARP, OF_CAPTURE},
    {RECORD_PATH, OF_CAPTURE},
    {RECORD_SWARM, OF_CAPTURE},
    {RECORD_DOMAIN, OF_CAPTURE},
    {RECORD_STORY, OF_CAPTURE},
};

static void make_where(const char *pattern, int64_t id, char *out, size_t size)
{
    const char *hole = strstr(pattern, "%lld");
    snprintf(out, size, "%.*s%lld%s", (int)(hole - pattern), pattern, (long long)id, hole + 4);
}

/* How far the capture can be trusted heads the report. */
static void write_quality(struct json_writer *writer, const struct report_case *loaded,
                          enum language language)
{
    struct json *json = &writer->json;
    struct quality quality;
    quality_of(&loaded->capture, loaded->sources, loaded->source_count, &quality);
    json_open_object(json, NULL);
    json_string(json, "type", "quality");
    json_int(json, "capture_id", loaded->capture_id);
    quality_add_json(json, &quality, language);
    end_line(writer->out, json);
}

bool report_json(FILE *out, const struct report_case *loaded, const enum language *texts,
                 struct error *error)
{
    struct json_writer writer = {.out = out};
    bool good = true;
    json_init(&writer.json);
    write_quality(&writer, loaded, texts != NULL ? *texts : LANG_EN);
    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++) {
        char where[256];
        writer.table = record_table_get(parts[i].kind);
        make_where(parts[i].where, loaded->capture_id, where, sizeof(where));
        good = store_select(loaded->store, parts[i].kind, where, NULL, -1, false, write_record,
                            &writer, error);
    }
    for (size_t i = 0; good && i < loaded->finding_count; i++) {
        report_json_finding(out, loaded, &loaded->findings[i], texts, &writer.json);
    }
    json_free(&writer.json);
    return good;
}
