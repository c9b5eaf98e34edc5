/* A capture made by hand, in a store: its JSON, its first screen, its verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/finding_text.h"
#include "reports/quality.h"
#include "reports/reports.h"
#include "reports/tables.h"
#include "reports/verdicts.h"

#define NS 1000000000LL
#define T0 1767323045678901234LL /* 2026-01-02T03:04:05.678901234Z */

struct made {
    struct store *store;
    int64_t capture_id;
    struct report_case *loaded;
};

static struct flow_record make_flow(const struct made *made, int64_t id, uint8_t outcome,
                                    unsigned verdict)
{
    struct flow_record flow = {.id = id,
                               .capture_id = made->capture_id,
                               .source_id = 1,
                               .first_frame = 10 * id,
                               .first_ns = T0 + id * NS,
                               .last_ns = T0 + (id + 7) * NS,
                               .protocol = 6,
                               .vlan = -1,
                               .client_port = (uint16_t)(51233 + id),
                               .server_port = 8443,
                               .service = "management",
                               .outcome = outcome,
                               .verdict = (uint16_t)verdict,
                               .closed_by = SIDE_NONE,
                               .connect_rtt_server_ns = -1,
                               .connect_rtt_client_ns = -1,
                               .rtt_min_client_ns = -1,
                               .rtt_min_server_ns = -1,
                               .response_max_ns = -1,
                               .community_id = "1:abc"};
    assert_true(address_from_text("10.0.0.1", &flow.client_ip));
    assert_true(address_from_text("10.0.0.2", &flow.server_ip));
    return flow;
}

static void put_flow(const struct made *made, const struct sink *sink, int64_t id, uint8_t outcome,
                     unsigned verdict)
{
    struct flow_record flow = make_flow(made, id, outcome, verdict);
    struct flow_tcp_record tcp = {.flow_id = id,
                                  .side = {{.mss = 1460, .window_scale = 7}, {.window_scale = -1}}};
    snprintf(tcp.side[0].options, sizeof tcp.side[0].options, "mss,sok,ts,nop,ws");
    const struct flow_event again = {.time_ns = flow.first_ns + NS,
                                     .frame = 17,
                                     .sequence = 1,
                                     .length = 100,
                                     .source_id = 1,
                                     .kind = EVENT_RETRANSMISSION,
                                     .note = NOTE_TIMEOUT,
                                     .reason = REASON_ORIGINAL_SEEN | REASON_TIMESTAMP};
    flow.features = id == 1 ? FLOW_FEATURE_ECN : 0;
    flow.has_tcp = id == 1;
    const struct flow_bundle bundle = {.flow = &flow,
                                       .tcp = id == 1 ? &tcp : NULL,
                                       .events = &again,
                                       .event_count = id == 1 ? 1 : 0};
    sink_put(sink, RECORD_FLOW, &bundle);
}

static void put_finding(const struct made *made, const struct sink *sink)
{
    struct finding_record finding = {.id = 1,
                                     .capture_id = made->capture_id,
                                     .code = FINDING_CONN_SYN_TIMEOUT + 1,
                                     .severity = SEVERITY_HIGH,
                                     .category = CATEGORY_NETWORK,
                                     .culprit = CULPRIT_MIDDLEBOX,
                                     .scope = SCOPE_CONNECTION,
                                     .confidence = 45,
                                     .is_primary = true,
                                     .first_ns = T0,
                                     .last_ns = T0 + NS,
                                     .count = 3,
                                     .client_port = 51234,
                                     .server_port = 8443,
                                     .name = "inv.example.cn",
                                     .service = "management",
                                     .flow_id = 1,
                                     .rivals = "host-down,silent-firewall"};
    assert_true(address_from_text("10.0.0.1", &finding.client_ip));
    assert_true(address_from_text("10.0.0.2", &finding.server_ip));
    sink_put(sink, RECORD_FINDING, &finding);
    const struct finding_value_record values[] = {
        {.finding_id = 1, .name = "waited_ms", .number = 7012, .minimum = 7001, .maximum = 7012},
        {.finding_id = 1, .name = "attempts", .number = 4, .minimum = 4, .maximum = 4}};
    sink_put(sink, RECORD_FINDING_VALUE, &values[0]);
    sink_put(sink, RECORD_FINDING_VALUE, &values[1]);
    const struct finding_evidence_record evidence[] = {{.finding_id = 1,
                                                        .number = 0,
                                                        .source_id = 1,
                                                        .frame = 17,
                                                        .offset = -1,
                                                        .caplen = -1,
                                                        .time_ns = T0,
                                                        .note = "syn"},
                                                       {.finding_id = 1,
                                                        .number = 1,
                                                        .source_id = 1,
                                                        .frame = 25,
                                                        .offset = -1,
                                                        .caplen = -1,
                                                        .time_ns = T0 + NS,
                                                        .note = "retransmission"}};
    sink_put(sink, RECORD_FINDING_EVIDENCE, &evidence[0]);
    sink_put(sink, RECORD_FINDING_EVIDENCE, &evidence[1]);
}

static int make_store(void **state)
{
    static struct made made;
    struct error error = {ERROR_NONE, ""};
    made.store = store_open(":memory:", STORE_WRITE, &error);
    if (made.store == NULL || !store_begin(made.store, false, &made.capture_id, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    const struct sink sink = store_sink(made.store);
    const struct source_record source = {.id = 1,
                                         .capture_id = made.capture_id,
                                         .path = "a.pcap",
                                         .size = 4096,
                                         .packets = 70,
                                         .first_ns = T0,
                                         .last_ns = T0 + 20 * NS,
                                         .dropped_kernel = -1,
                                         .dropped_interface = -1,
                                         .cut_offset = -1};
    const struct capture_record capture = {.id = made.capture_id,
                                           .name = "a.pcap",
                                           .version = "0",
                                           .profile = "e-invoice",
                                           .salt = "00",
                                           .first_ns = T0,
                                           .last_ns = T0 + 20 * NS,
                                           .packets = 70,
                                           .bytes = 7000,
                                           .tcp_connections = 7,
                                           .two_sided_flows = 7,
                                           .gaps = 1,
                                           .acked_segments = 99,
                                           .routed_delay_ns = -1};
    sink_put(&sink, RECORD_SOURCE, &source);
    put_flow(&made, &sink, 1, OUTCOME_FAILED, FINDING_CONN_SYN_TIMEOUT + 1);
    put_flow(&made, &sink, 2, OUTCOME_FAILED, FINDING_CONN_SYN_TIMEOUT + 1);
    put_flow(&made, &sink, 3, OUTCOME_FAILED, FINDING_CONN_REFUSED + 1);
    put_flow(&made, &sink, 4, OUTCOME_OK, 0);
    put_flow(&made, &sink, 5, OUTCOME_OK, 0);
    put_flow(&made, &sink, 6, OUTCOME_UNKNOWN, 0);
    put_flow(&made, &sink, 7, OUTCOME_UNSOLICITED, 0);
    put_finding(&made, &sink);
    sink_put(&sink, RECORD_CAPTURE, &capture);
    if (!store_finish(made.store, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    made.loaded = case_load(made.store, made.capture_id, &error);
    *state = &made;
    return made.loaded != NULL ? 0 : -1;
}

static int drop_store(void **state)
{
    struct made *made = *state;
    case_free(made->loaded);
    store_close(made->store);
    return 0;
}

static void must_hold(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("no \"%s\" in:\n%s", words, text);
    }
}

/* The JSON report as one array. */
static json_t *report_of(const struct made *made, const enum language *texts)
{
    char *printed = NULL;
    size_t size = 0;
    struct error error;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    assert_true(report_json(out, made->loaded, texts, &error));
    fclose(out);
    json_t *all = json_array();
    for (char *line = strtok(printed, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_error_t where;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &where);
        if (object == NULL) {
            fail_msg("%s in %s", where.text, line);
        }
        json_array_append_new(all, object);
    }
    free(printed);
    return all;
}

static json_t *of_type(json_t *all, const char *type, size_t number)
{
    size_t i;
    json_t *object;
    json_array_foreach(all, i, object)
    {
        const char *found = json_string_value(json_object_get(object, "type"));
        assert_non_null(found);
        if (strcmp(found, type) == 0 && number-- == 0) {
            return object;
        }
    }
    return NULL;
}

static void is_text(json_t *object, const char *name, const char *expected)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (value == NULL || strcmp(value, expected) != 0) {
        fail_msg("%s is %s, not %s", name, value != NULL ? value : "(nothing)", expected);
    }
}

static void is_number(json_t *object, const char *name, json_int_t expected)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    assert_int_equal(json_integer_value(json_object_get(object, name)), expected);
}

/* DESIGN.md "JSON", member by member. */
static void a_finding_as_json(void **state)
{
    json_t *all = report_of(*state, NULL);
    json_t *finding = of_type(all, "finding", 0);
    assert_non_null(finding);
    assert_null(of_type(all, "finding", 1));
    is_number(finding, "id", 1);
    is_text(finding, "code", "conn-syn-timeout");
    is_text(finding, "severity", "high");
    is_text(finding, "category", "network");
    is_text(finding, "culprit", "middlebox");
    is_number(finding, "confidence", 45);
    assert_true(json_is_true(json_object_get(finding, "primary")));
    is_text(finding, "scope", "connection");
    is_text(finding, "state", "confirmed");
    is_text(finding, "first", "2026-01-02T03:04:05.678901234Z");
    is_text(finding, "last", "2026-01-02T03:04:06.678901234Z");
    is_number(finding, "count", 3);
    is_text(finding, "client_ip", "10.0.0.1");
    is_number(finding, "client_port", 51234);
    is_text(finding, "server_ip", "10.0.0.2");
    is_number(finding, "server_port", 8443);
    is_text(finding, "name", "inv.example.cn");
    is_text(finding, "service", "management");
    is_number(finding, "flow_id", 1);
    is_text(finding, "community_id", "1:abc");
    is_number(json_object_get(finding, "values"), "waited_ms", 7012);
    is_number(json_object_get(finding, "values"), "attempts", 4);
    assert_int_equal(json_object_size(json_object_get(finding, "ranges")), 1);
    json_t *evidence = json_object_get(finding, "evidence");
    assert_int_equal(json_array_size(evidence), 2);
    is_text(json_array_get(evidence, 0), "source", "a.pcap");
    is_number(json_array_get(evidence, 0), "frame", 17);
    is_text(json_array_get(evidence, 0), "time", "2026-01-02T03:04:05.678901234Z");
    is_text(json_array_get(evidence, 1), "note", "retransmission");
    json_t *rivals = json_object_get(finding, "rivals");
    assert_int_equal(json_array_size(rivals), 2);
    assert_string_equal(json_string_value(json_array_get(rivals, 0)), "host-down");
    assert_null(json_object_get(finding, "withdrawn_by"));
    assert_null(json_object_get(finding, "title"));
    json_decref(all);
}

static void texts_join_when_asked_for(void **state)
{
    const enum language chinese = LANG_ZH;
    json_t *all = report_of(*state, &chinese);
    json_t *finding = of_type(all, "finding", 0);
    const char *title = json_string_value(json_object_get(finding, "title"));
    assert_non_null(title);
    must_hold(title, "7.0 秒");
    assert_null(strchr(title, '{'));
    assert_non_null(json_object_get(finding, "explanation"));
    assert_non_null(json_object_get(finding, "advice"));
    json_decref(all);
}

static void the_report_holds_every_kind_in_order(void **state)
{
    json_t *all = report_of(*state, NULL);
    is_text(json_array_get(all, 0), "type", "quality");
    is_number(json_array_get(all, 0), "score", 92); /* 1 of 100 segments: 8 of the 40 points of 5 % */
    is_text(json_array_get(all, 0), "grade", "good");
    json_t *reasons = json_object_get(json_array_get(all, 0), "reasons");
    assert_int_equal(json_array_size(reasons), 1);
    must_hold(json_string_value(json_array_get(reasons, 0)), "1.0 %");
    is_text(json_array_get(all, 1), "type", "capture");
    is_text(json_array_get(all, 2), "type", "source");
    for (size_t i = 0; i < 7; i++) {
        is_number(of_type(all, "flow", i), "id", (json_int_t)i + 1);
    }
    assert_null(of_type(all, "flow", 7));
    is_text(of_type(all, "flow", 2), "verdict", "conn-refused");
    json_decref(all);
}

static char *explained(const struct made *made, enum language language)
{
    char *printed = NULL;
    size_t size = 0;
    struct error error = {ERROR_NONE, ""};
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    const struct view view = {out, language, false, 100};
    assert_true(report_explain_finding(&view, made->loaded, &made->loaded->findings[0], &error));
    (void)fclose(out);
    return printed;
}

static void explain_names_options_and_reasons(void **state)
{
    char *text = explained(*state, LANG_EN);
    must_hold(text, "client mss,sok,ts,nop,ws (MSS 1460, scale 7); ecn");
    must_hold(text, "(timeout, original-seen, timestamp, 98 %)");
    free(text);
    text = explained(*state, LANG_ZH);
    must_hold(text, "超时重传");
    must_hold(text, "时间戳为证");
    free(text);
}

static void verdicts_cover_every_connection_once(void **state)
{
    const struct made *made = *state;
    struct verdicts verdicts;
    int64_t count = 0;
    int tenths = 0;
    verdicts_of(made->loaded, 12, &verdicts);
    assert_int_equal(verdicts.count, 4); /* ok, two causes, unknown */
    assert_int_equal(verdicts.connections, 6);
    assert_int_equal(verdicts.failed, 3);
    assert_int_equal(verdicts.unsolicited, 1);
    for (size_t i = 0; i < verdicts.count; i++) {
        count += verdicts.lines[i].count;
        tenths += verdicts.lines[i].tenths;
    }
    assert_int_equal(count, 6);
    assert_int_equal(tenths, 1000);
    assert_int_equal(verdicts.lines[1].code, FINDING_CONN_SYN_TIMEOUT);
    verdicts_of(made->loaded, 1, &verdicts);
    assert_int_equal(verdicts.lines[2].kind, VERDICT_OTHERS);
    assert_int_equal(verdicts.lines[2].count, 1);
}

static char *screen_of(const struct made *made, enum language language)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    const struct view view = {out, language, false, 100};
    report_text(&view, made->loaded);
    fclose(out);
    return printed;
}

static void the_first_screen_says_who_why_and_where(void **state)
{
    assert_true(view_set_zone("+08:00"));
    for (unsigned language = 0; language < LANG_COUNT; language++) {
        char *screen = screen_of(*state, (enum language)language);
        size_t lines = 0;
        must_hold(screen, "2026-01-02 11:04:05.678");
        must_hold(screen, "+08:00");
        must_hold(screen, "conn-syn-timeout");
        must_hold(screen, "17, 25\n"); /* one file: "Input" names it */
        must_hold(screen, "ip.addr == 10.0.0.2 && tcp.port == 8443");
        must_hold(screen, "inv.example.cn (10.0.0.2:8443)");
        must_hold(screen, "45 %");
        must_hold(screen, text_get(TEXT_POSSIBLE, (enum language)language));
        assert_null(strchr(screen, '{'));
        assert_null(strchr(screen, '\033'));
        for (char *line = strtok(screen, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            assert_true(text_width(line) <= 100);
            lines++;
        }
        assert_true(lines <= 40);
        free(screen);
    }
}

static void loss_lowers_the_quality_and_is_named(void **state)
{
    const struct made *made = *state;
    struct quality quality;
    quality_of(&made->loaded->capture, made->loaded->sources, 1, &quality);
    assert_int_equal(quality.reason_count, 1); /* 1 of 100 segments */
    assert_int_equal(quality.reasons[0].text, TEXT_QUALITY_LOSS);
    assert_string_equal(quality.reasons[0].value, "1.0 %");
    assert_true(quality.score < 100 && quality.score > 80);
    const struct capture_record empty = {.packets = 0};
    quality_of(&empty, NULL, 0, &quality);
    assert_int_equal(quality.score, 0);
}

static char *table_of(const struct made *made, const char *where, enum table_form form,
                      bool *out_good, size_t *out_rows)
{
    char *printed = NULL;
    size_t size = 0;
    struct error error = {ERROR_NONE, ""};
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    const struct view view = {out, LANG_EN, false, 100};
    const struct table_request request = {
        .form = form, .where = where, .capture_id = made->capture_id};
    *out_good = report_table(&view, made->store, TABLE_FLOWS, &request, out_rows, &error);
    fclose(out);
    return printed;
}

static void tables_take_a_condition(void **state)
{
    bool good;
    size_t rows = 0;
    char *printed = table_of(*state, "outcome = 'failed' -- all", TABLE_AS_TEXT, &good, &rows);
    assert_true(good);
    assert_int_equal(rows, 3);
    must_hold(printed, "10.0.0.1:51236");
    free(printed);
    printed = table_of(*state, "id = 4", TABLE_AS_CSV, &good, &rows);
    assert_true(good);
    assert_int_equal(rows, 1);
    must_hold(printed, "first (+08:00)");
    must_hold(printed, "2026-01-02 11:04:09.678");
    free(printed);
    printed = table_of(*state, "no_such_column = 1", TABLE_AS_JSON, &good, &rows);
    assert_false(good);
    free(printed);
    printed = table_of(*state, "1); DELETE FROM flows; --", TABLE_AS_JSON, &good, &rows);
    assert_false(good);
    free(printed);
}

static void a_ticket_is_one_paragraph_that_stands_alone(void **state)
{
    const struct made *made = *state;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    const struct view view = {out, LANG_EN, false, 4000};
    report_ticket(&view, made->loaded, case_find(made->loaded, 1));
    fclose(out);
    must_hold(printed, "TCP 10.0.0.1 → inv.example.cn (10.0.0.2:8443)");
    must_hold(printed, "2026-01-02 11:04:05.678");
    must_hold(printed, "succeed in the same capture: 2.");
    must_hold(printed, "17, 25 (a.pcap)");
    assert_ptr_equal(strchr(printed, '\n'), printed + strlen(printed) - 1);
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_as_json),
        cmocka_unit_test(texts_join_when_asked_for),
        cmocka_unit_test(the_report_holds_every_kind_in_order),
        cmocka_unit_test(explain_names_options_and_reasons),
        cmocka_unit_test(verdicts_cover_every_connection_once),
        cmocka_unit_test(the_first_screen_says_who_why_and_where),
        cmocka_unit_test(loss_lowers_the_quality_and_is_named),
        cmocka_unit_test(tables_take_a_condition),
        cmocka_unit_test(a_ticket_is_one_paragraph_that_stands_alone),
    };
    return cmocka_run_group_tests(tests, make_store, drop_store);
}
