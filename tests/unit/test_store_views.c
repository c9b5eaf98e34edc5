/* Views and free SQL: what people ask the file. */
#include "tests/unit/store_help.h"

#include "core/sketch.h"
#include "store/schema_docs.h"

#include <math.h>

static void put_failed(struct store *store, int64_t id, int64_t capture, enum finding_code code)
{
    struct flow_record flow = plain_flow(id, capture);
    flow.outcome = OUTCOME_FAILED;
    flow.stage = STAGE_SYN;
    flow.first_frame = 10 * id;
    flow.verdict = (uint16_t)(code + 1);
    put_flow(store, &flow);
}

/* One primary finding of the code for count flows from first on. */
static void put_finding(struct store *store, int64_t id, int64_t capture, enum finding_code code,
                        int64_t first, int64_t count)
{
    const struct finding_info *info = catalogue_get(code);
    struct finding_record finding = {.id = id,
                                     .capture_id = capture,
                                     .code = (uint16_t)(code + 1),
                                     .severity = (uint8_t)info->severity,
                                     .category = (uint8_t)info->category,
                                     .culprit = (uint8_t)info->culprit,
                                     .confidence = 90,
                                     .is_primary = true,
                                     .count = count};
    put_one(store, RECORD_FINDING, &finding);
    for (int64_t flow = first; flow < first + count; flow++) {
        struct finding_flow_record covered = {id, flow, true};
        put_failed(store, flow, capture, code);
        put_one(store, RECORD_FINDING_FLOW, &covered);
    }
}

static enum finding_code code_of_category(enum category category)
{
    for (int code = 0; code < FINDING_COUNT; code++) {
        if (catalogue_get((enum finding_code)code)->category == category) {
            return (enum finding_code)code;
        }
    }
    fail_msg("the catalogue has no finding of category %s", category_name(category));
    return FINDING_COUNT;
}

static void causes_are_counted_by_class(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct one_cell cell;
    (void)state;
    put_finding(store, 1, 1, code_of_category(CATEGORY_NETWORK), 1, 3);
    put_finding(store, 2, 1, code_of_category(CATEGORY_SECURITY), 4, 1);
    put_finding(store, 3, 1, code_of_category(CATEGORY_AUTH), 5, 1);
    put_finding(store, 4, 1, code_of_category(CATEGORY_SERVER), 6, 1);
    put_failed(store, 7, 1, FINDING_PATH_LOOP); /* a verdict that no finding explains */
    struct flow_record ok = plain_flow(8, 1);
    put_flow(store, &ok);
    put_finding(store, 5, 2, code_of_category(CATEGORY_SERVER), 9, 1);
    assert_string_equal(ask(store,
                            "SELECT group_concat(class || ' ' || failures || ' ' || share, ', ')"
                            " FROM v_causes WHERE capture_id = 1 AND level = 'connection'",
                            &cell),
                        "network 4 57.1, authentication 1 14.3, server 1 14.3, unknown 1 14.3");
    assert_string_equal(ask(store,
                            "SELECT class || ' ' || failures || ' ' || share FROM v_causes"
                            " WHERE capture_id = 2",
                            &cell),
                        "server 1 100.0");
    store_close(store);
}

static bool add_share(void *self, const struct store_row *row)
{
    *(double *)self += strtod(row->cells[0], NULL);
    return true;
}

/* Whatever the counts, the shares of a read add up to 100.0. */
static void shares_always_add_up(void **state)
{
    static const enum category classes[] = {CATEGORY_NETWORK, CATEGORY_SERVER, CATEGORY_AUTH,
                                            CATEGORY_DEPENDENCY};
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct error error = {0};
    int64_t flow = 1;
    int64_t finding = 1;
    char sql[96];
    (void)state;
    for (int capture = 1; capture <= 40; capture++) {
        for (int i = 0; i < 4; i++) {
            int count = (capture * (i + 3) * 7 + i * i * 13) % 11;
            put_finding(store, finding++, capture, code_of_category(classes[i]), flow, count);
            flow += count;
        }
    }
    for (int capture = 1; capture <= 40; capture++) {
        double sum = 0;
        (void)snprintf(sql, sizeof sql, "SELECT share FROM v_causes WHERE capture_id = %d", capture); /* no requests here */
        must(store_query(store, sql, add_share, &sum, &error), &error);
        assert_true(fabs(sum - 100.0) < 1e-9);
    }
    assert_int_equal(ask_number(store, "SELECT count(DISTINCT capture_id) FROM v_causes"), 40);
    store_close(store);
}

static void failures_are_told_readably(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct source_record source = {.id = 1, .capture_id = 1, .path = "a.pcap"};
    struct one_cell cell;
    (void)state;
    put_one(store, RECORD_SOURCE, &source);
    put_finding(store, 1, 1, FINDING_CONN_REFUSED, 1, 1);
    assert_string_equal(
        ask(store,
            "SELECT time || ' ' || client_ip || ' ' || server_ip || ':' || server_port || ' ' ||"
            " stage || ' ' || verdict || ' ' || severity || ' ' || culprit || ' ' || source || '#'"
            " || first_frame FROM v_failures",
            &cell),
        "2023-11-14T22:13:20.000000001Z 10.0.0.1 10.0.0.2:443 SYN conn-refused high server "
        "a.pcap#10");
    store_close(store);
}

static void put_certificate(struct store *store, int64_t id, int64_t not_after_days)
{
    struct flow_record flow = plain_flow(id, 1);
    struct certificate_record certificate = {.id = id,
                                             .sha256 = "ab",
                                             .subject = "CN=x",
                                             .not_after_ns = not_after_days * 86400 * 1000000000};
    struct tls_certificate_record shown = {
        .flow_id = id, .side = SIDE_SERVER, .certificate_id = id};
    put_flow(store, &flow);
    put_one(store, RECORD_CERTIFICATE, &certificate);
    put_one(store, RECORD_TLS_CERTIFICATE, &shown);
}

static void expiry_counts_from_the_capture(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct capture_record capture = {.id = 1, .last_ns = 20000 * INT64_C(86400000000000)};
    struct one_cell cell;
    (void)state;
    put_one(store, RECORD_CAPTURE, &capture);
    put_certificate(store, 1, 20010);
    put_certificate(store, 2, 20091);
    put_certificate(store, 3, 19995);
    assert_string_equal(
        ask(store, "SELECT group_concat(days_left, ',') FROM v_expiring_certificates", &cell),
        "-5,10");
    assert_string_equal(
        ask(store, "SELECT not_after FROM v_expiring_certificates WHERE days_left = 10", &cell),
        "2024-10-14T00:00:00.000000000Z");
    store_close(store);
}

static void services_are_counted(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct one_cell cell;
    (void)state;
    for (int64_t id = 1; id <= 3; id++) {
        struct flow_record flow = plain_flow(id, 1);
        flow.outcome = id == 1 ? OUTCOME_FAILED : OUTCOME_OK;
        flow.client_ip.bytes[3] = (uint8_t)(id % 2);
        flow.response_max_ns = id * 1500000;
        flow.connect_rtt_server_ns = id == 3 ? -1 : id * 1000000;
        flow.service = "order";
        put_flow(store, &flow);
    }
    assert_string_equal(ask(store,
                            "SELECT service || ' ' || connections || ' ' || ok || ' ' || failed ||"
                            " ' ' || clients FROM v_services",
                            &cell),
                        "order 3 2 1 2");
    store_close(store);
}

static void put_endpoint(struct store *store, int64_t number, const char *path, int64_t p95_ns, bool waits)
{
    struct endpoint_record endpoint = {.capture_id = 1, .number = number, .service_number = 1,
                                       .method = "GET", .path = path, .waits = waits, .requests = 9};
    endpoint.time[SERVICE_THINK] =
        (struct service_times){.count = 9, .max_ns = p95_ns, .p50_ns = p95_ns / 2, .p95_ns = p95_ns};
    put_one(store, RECORD_ENDPOINT, &endpoint);
}

static void endpoints_by_their_slowest_answers(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct service_record service = {.capture_id = 1, .number = 1, .service = "order"};
    struct service_record hidden = {.capture_id = 1, .number = 2, .service = "tls"};
    struct one_cell cell;
    (void)state;
    hidden.time[SERVICE_TLS] = (struct service_times){.count = 3, .p95_ns = 5000000};
    put_one(store, RECORD_SERVICE, &service);
    put_one(store, RECORD_SERVICE, &hidden);
    put_endpoint(store, 1, "/quick", 2000000, false);
    put_endpoint(store, 2, "/slow", 1500000000, false);
    put_endpoint(store, 3, "/poll", 30000000000, true);
    assert_string_equal(ask(store,
                            "SELECT group_concat(coalesce(path, service) || ' ' ||"
                            " coalesce(response_p95_ms, tls_p95_ms), ', ') FROM v_slow_endpoints",
                            &cell),
                        "/slow 1500.0, /quick 2.0, tls 5.0");
    store_close(store);
}

/* Two of seven requests failed by the server, and so on: each class by its own sign. */
static void requests_have_causes_of_their_own(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    static const struct { int32_t status; int16_t grpc; const char *path; } asked[] = {
        {200, -1, "/a"}, {500, -1, "/a"}, {503, -1, "/a"}, {504, -1, "/a"}, {404, -1, "/a"},
        {401, -1, "/login"}, {200, -1, "/login"}, /* a challenge that was met */
        {403, -1, "/b"}, {200, 14, "/c"}, {200, 5, "/c"}, {200, 16, "/c"}};
    struct one_cell cell;
    (void)state;
    struct flow_record flow = plain_flow(1, 1);
    flow.outcome = OUTCOME_OK;
    put_flow(store, &flow);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct http_record r = {.flow_id = 1, .number = (int64_t)i + 1, .method = "GET",
                                .path = asked[i].path, .status = asked[i].status,
                                .grpc_status = asked[i].grpc};
        put_one(store, RECORD_HTTP, &r);
    }
    /* the last one got no answer: the connection was reset */
    put_finding(store, 1, 1, FINDING_TCP_RESET_BY_SERVER, 2, 1);
    struct http_record open = {.flow_id = 2, .number = 1, .method = "GET", .path = "/a", .grpc_status = -1};
    put_one(store, RECORD_HTTP, &open);
    struct dns_record servfail = {.flow_id = 1, .number = 1, .rcode = 2, .answer_ns = 1};
    struct dns_record absent = {.flow_id = 1, .number = 2, .rcode = 3, .answer_ns = 1};
    put_one(store, RECORD_DNS, &servfail);
    put_one(store, RECORD_DNS, &absent);
    assert_string_equal(ask(store,
                            "SELECT group_concat(class || ' ' || failures || ' ' || share, ', ')"
                            " FROM v_causes WHERE level = 'request'",
                            &cell),
                        "server 4 50.0, authentication 2 25.0, dependency 2 25.0");
    assert_string_equal(ask(store,
                            "SELECT group_concat(class || ' ' || failures || ' ' || share, ', ')"
                            " FROM v_causes WHERE level = 'connection'",
                            &cell),
                        "server 1 100.0");
    store_close(store);
}

/* Two servers of one database are one line; a cache that nobody named goes by its protocol. */
static void dependencies_add_up(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct one_cell cell;
    (void)state;
    const struct dependency_record rows[] = {
        {.capture_id = 1, .number = 1, .name = "invoices", .kind = "database", .app = "mysql", .attempts = 6,
         .failed = 1, .requests = 30, .errors = 3, .refused = 2, .slow = 1, .p50_ns = 2000000, .p95_ns = 9000000,
         .p99_ns = -1, .max_ns = 20000000},
        {.capture_id = 1, .number = 2, .name = "invoices", .kind = "database", .app = "mysql", .attempts = 2,
         .failed = 1, .requests = 10, .p50_ns = 1000000, .p95_ns = -1, .p99_ns = -1, .max_ns = 4000000},
        {.capture_id = 1, .number = 3, .kind = "cache", .app = "redis", .attempts = 1, .requests = 4,
         .p50_ns = -1, .p95_ns = -1, .p99_ns = -1, .max_ns = -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put_one(store, RECORD_DEPENDENCY, &rows[i]);
    assert_string_equal(ask(store,
                            "SELECT group_concat(name || ' ' || servers || ' ' || connections || ' ' || failed_share || ' '"
                            " || requests || ' ' || error_share || ' ' || refused || ' ' || slow || ' ' ||"
                            " coalesce(p95_ms, 'none') || ' ' || coalesce(max_ms, 'none'), '; ') FROM v_dependencies",
                            &cell),
                        "invoices 2 8 25.0 40 7.5 2 1 9.0 20.0; redis 1 1 0.0 4 0.0 0 0 none none");
    store_close(store);
}

static void outages_are_listed(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct finding_record down = {.id = 1, .capture_id = 1, .code = FINDING_SERVICE_OUTAGE + 1,
                                  .first_ns = 1000000000, .last_ns = 31000000000, .service = "order"};
    struct finding_value_record lost = {.finding_id = 1, .name = "attempts", .number = 7};
    struct finding_value_record end = {.finding_id = 1, .name = "end", .text = "still down"};
    struct one_cell cell;
    (void)state;
    put_one(store, RECORD_FINDING, &down);
    put_one(store, RECORD_FINDING_VALUE, &lost);
    put_one(store, RECORD_FINDING_VALUE, &end);
    assert_string_equal(ask(store,
                            "SELECT code || ' ' || service || ' ' || begin || ' ' || duration_ms || ' ' ||"
                            " lost || ' ' || (\"end\" IS NULL) FROM v_outages",
                            &cell),
                        "service-outage order 1970-01-01T00:00:01.000000000Z 30000 7.0 1");
    store_close(store);
}

/* Percentiles of several rows from their sketches, in SQL. */
static void sketches_are_merged_in_sql(void **state)
{
    static uint8_t packed[SKETCH_PACKED_MAX];
    struct store *store = open_store(":memory:", STORE_WRITE);
    (void)state;
    for (int64_t row = 0; row < 10; row++) {
        struct sketch sketch = {0};
        struct service_minute_record minute = {.capture_id = 1, .number = row + 1, .service_number = 1};
        for (int64_t i = 1; i <= 100; i++)
            sketch_add(&sketch, (row * 100 + i) * 1000000, 1);
        minute.time[SERVICE_TOTAL].sketch = packed;
        minute.time[SERVICE_TOTAL].sketch_len = (int64_t)sketch_pack(&sketch, packed);
        put_one(store, RECORD_SERVICE_MINUTE, &minute);
    }
    int64_t p99 = ask_number(
        store, "SELECT sketch_quantile(sketch_merge(total_sketch), 0.99) FROM service_minutes");
    assert_in_range(p99, 980100000, 999900000); /* 990 ms within 1 % */
    assert_int_equal(
        ask_number(store, "SELECT sketch_count(sketch_merge(total_sketch)) FROM service_minutes"), 1000);
    assert_int_equal(ask_number(store, "SELECT sketch_quantile('x', 0.5) IS NULL AND"
                                       " sketch_quantile(x'01', 0.5) IS NULL AND"
                                       " sketch_merge(connect_sketch) IS NULL FROM service_minutes"),
                     1);
    store_close(store);
}

static void events_are_kept_for_what_went_wrong(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct sink sink = store_sink(store);
    struct flow_event events[2] = {{.time_ns = 5, .frame = 7, .kind = EVENT_SYN, .source_id = 3},
                                   {.time_ns = 6, .frame = 9, .kind = EVENT_RST, .side = 1}};
    struct tls_record alert = {.alert = 40};
    struct tls_record calm = {.alert = -1};
    struct flow_tcp_record tcp = {0};
    struct one_cell cell;
    (void)state;
    for (int64_t id = 1; id <= 5; id++) {
        struct flow_record flow = plain_flow(id, 1);
        struct flow_bundle bundle = {.flow = &flow, .events = events, .event_count = 2};
        alert.flow_id = calm.flow_id = tcp.flow_id = id;
        flow.outcome = id == 2 ? OUTCOME_UNKNOWN : OUTCOME_OK;
        bundle.tcp = id == 3 ? &tcp : NULL;
        bundle.tls = id == 4 ? &alert : id == 5 ? &calm : NULL;
        sink_put(&sink, RECORD_FLOW, &bundle);
    }
    assert_string_equal(
        ask(store, "SELECT group_concat(DISTINCT flow_id) FROM flow_events", &cell), "2,3,4");
    assert_string_equal(ask(store,
                            "SELECT number || ' ' || frame || ' ' || kind || ' ' || side"
                            " FROM flow_events WHERE flow_id = 2 AND number = 1",
                            &cell),
                        "1 9 rst server");
    assert_int_equal(ask_number(store, "SELECT count(*) FROM tls_sessions"), 2);
    store_close(store);
}

static void refuse_sql(struct store *store, const char *sql, const char *words)
{
    struct error error = {0};
    struct one_cell cell = {0};
    assert_false(store_query(store, sql, take_cell, &cell, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    if (strstr(error.text, words) == NULL) {
        fail_msg("no \"%s\" in: %s", words, error.text);
    }
}

static void free_sql_can_only_read(void **state)
{
    struct scratch *scratch = *state;
    struct store *store = open_store(scratch->path, STORE_WRITE);
    char attach[160];
    struct one_cell cell;
    (void)snprintf(attach, sizeof attach, "ATTACH '%s/other.db' AS o", scratch->folder);
    refuse_sql(store, "DELETE FROM flows", "only reading");
    refuse_sql(store, "CREATE TABLE x (y)", "only reading");
    refuse_sql(store, "CREATE TEMP TABLE x (y)", "only reading");
    refuse_sql(store, "BEGIN", "only reading");
    refuse_sql(store, attach, "only reading");
    refuse_sql(store, "VACUUM", "only reading");
    refuse_sql(store, "UPDATE flows SET packed = 0", "only reading");
    refuse_sql(store, "UPDATE sqlite_master SET sql = ''", "");
    refuse_sql(store, "PRAGMA journal_mode = MEMORY", "only reading");
    refuse_sql(store, "PRAGMA user_version = 7", "only reading");
    refuse_sql(store, "PRAGMA wal_checkpoint", "only reading");
    refuse_sql(store, "SELECT load_extension('x')", "");
    refuse_sql(store, "SELECT 1; DELETE FROM flows", "one SQL statement");
    refuse_sql(store, "SELEKT 1", "not understood");
    refuse_sql(store, "SELECT nothing FROM flows", "nothing");
    refuse_sql(store, "  -- nothing\n", "no SQL");
    assert_string_equal(ask(store, "SELECT 1; -- done ;\n ; ", &cell), "1");
    assert_string_equal(ask(store, "SELECT name FROM pragma_table_info('flows') LIMIT 1", &cell),
                        "id");
    store_close(store);
}

static bool check_cells(void *self, const struct store_row *row)
{
    assert_int_equal(row->count, 5);
    assert_string_equal(row->names[0], "whole");
    assert_string_equal(row->cells[0], "9223372036854775807");
    assert_string_equal(row->cells[1], "1.5");
    assert_string_equal(row->cells[2], "it's");
    assert_string_equal(row->cells[3], "00ff");
    assert_null(row->cells[4]);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(row->types[i], i + 1);
    }
    return --*(int *)self > 0;
}

static void cells_come_as_text_with_their_types(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    struct error error = {0};
    int rows = 2; /* of three: the row function stops it */
    (void)state;
    must(store_query(store,
                     "SELECT 9223372036854775807 AS whole, 1.5, 'it''s', x'00ff', NULL"
                     " FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)",
                     check_cells, &rows, &error),
         &error);
    assert_int_equal(rows, 0);
    store_close(store);
}

/* The description names every column and view of a real database, and no other. */
static void docs_tell_every_column(void **state)
{
    struct store *store = open_store(":memory:", STORE_WRITE);
    char *text = NULL;
    size_t len = 0;
    char wanted[128];
    FILE *out = open_memstream(&text, &len);
    (void)state;
    assert_true(schema_docs_write(out));
    assert_int_equal(fclose(out), 0);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *table = record_table_get((enum record_kind)kind);
        char *from = NULL;
        (void)snprintf(wanted, sizeof wanted, "\n## %s\n", table->table);
        from = strstr(text, wanted);
        assert_non_null(from);
        for (size_t i = 0; i < table->column_count; i++) {
            (void)snprintf(wanted, sizeof wanted, "\n| `%s` | ", table->columns[i].name);
            from = strstr(from, wanted); /* in the order of the table */
            assert_non_null(from);
        }
        (void)snprintf(wanted, sizeof wanted,
                       "SELECT count(*) - sum(name = 'packed') FROM pragma_table_xinfo('%s')",
                       table->table);
        assert_int_equal(ask_number(store, wanted), table->column_count);
    }
    assert_int_equal(ask_number(store, "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND"
                                       " name LIKE 'v\\_%' ESCAPE '\\'"),
                     9);
    assert_non_null(strstr(text, "| `v_causes` | "));
    assert_non_null(strstr(text, "| `first_ns` | INTEGER | ns | Time of the first packet"));
    assert_int_equal(ask_number(store, "SELECT count(*) FROM pragma_table_info('flows')"), 45);
    free(text);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causes_are_counted_by_class),
        cmocka_unit_test(shares_always_add_up),
        cmocka_unit_test(failures_are_told_readably),
        cmocka_unit_test(expiry_counts_from_the_capture),
        cmocka_unit_test(services_are_counted),
        cmocka_unit_test(endpoints_by_their_slowest_answers),
        cmocka_unit_test(requests_have_causes_of_their_own),
        cmocka_unit_test(dependencies_add_up),
        cmocka_unit_test(outages_are_listed),
        cmocka_unit_test(sketches_are_merged_in_sql),
        cmocka_unit_test(events_are_kept_for_what_went_wrong),
        cmocka_unit_test_setup_teardown(free_sql_can_only_read, make_scratch, remove_scratch),
        cmocka_unit_test(cells_come_as_text_with_their_types),
        cmocka_unit_test(docs_tell_every_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
