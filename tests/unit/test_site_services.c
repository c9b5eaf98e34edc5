/* The tables services, service_minutes and endpoints: what is counted, by minute and group of
 * clients, whatever the order, within their limits. */
#include "core/limits.h"
#include "test_site_help.h"

#define SERVER "198.51.100.20"
#define ROWS 4096

static struct service_record services[ROWS];
static struct service_minute_record minutes[ROWS];
static struct endpoint_record endpoints[ROWS];
static size_t service_count, minute_count, endpoint_count;
static uint64_t digest; /* of all that was put, sketches included */

static void mix(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ at[i]) * 0x100000001b3u;
}

static void mix_record(enum record_kind kind, const void *record)
{
    const struct record_table *table = record_table_get(kind);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *c = &table->columns[i];
        size_t len = 0;
        if (c->type == COLUMN_BLOB) {
            const uint8_t *bytes = column_get_blob(c, record, &len);
            mix(bytes, len);
        } else if (c->type == COLUMN_TEXT) {
            const char *text = column_get_text(c, record);
            mix(text, strlen(text));
        } else {
            mix((const uint8_t *)record + c->offset, c->size);
        }
    }
}

static void keep(enum record_kind kind, const void *record)
{
    if (kind != RECORD_SERVICE && kind != RECORD_SERVICE_MINUTE && kind != RECORD_ENDPOINT)
        return;
    mix_record(kind, record);
    assert_true(service_count < ROWS && minute_count < ROWS && endpoint_count < ROWS);
    if (kind == RECORD_SERVICE)
        services[service_count++] = *(const struct service_record *)record;
    else if (kind == RECORD_SERVICE_MINUTE)
        minutes[minute_count++] = *(const struct service_minute_record *)record;
    else
        endpoints[endpoint_count++] = *(const struct endpoint_record *)record;
}

static void measure_in_order(struct scene *s, size_t step)
{
    service_count = minute_count = endpoint_count = 0;
    digest = 0xcbf29ce484222325u;
    s->other = keep;
    scene_judge_in_order(s, step);
}

static void measure(struct scene *s)
{
    measure_in_order(s, 1);
}

static const struct service_record *service_at(uint16_t port)
{
    for (size_t i = 0; i < service_count; i++) {
        if (services[i].server_port == port)
            return &services[i];
    }
    fail_msg("no service at port %u", port);
    return NULL;
}

static struct scene_flow *refused(struct scene *s, const char *client, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, client, port, SERVER, 8080, at);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    return f;
}

/* A request on a healthy connection of its own, answered after wait ms. */
static struct http_record *asked(struct scene *s, const char *client, const char *path, double at,
                                 double wait_ms, int32_t status)
{
    struct scene_flow *f =
        scene_healthy(s, client, (uint16_t)(1024 + s->flow_count), SERVER, 8080, at);
    struct http_record *r = scene_request(s, f, path, 0.02);
    flow_answer(f, r, status, 0.02 + wait_ms / 1000);
    return r;
}

static void connections_are_counted_by_how_they_ended(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8080, 1);
    scene_healthy(s, "10.0.0.2", 1000, SERVER, 8080, 2);
    refused(s, "10.0.0.1", 1001, 3);
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 1002, SERVER, 8080, 4);
    f->flow.facts = FLOW_FACT_MIDSTREAM;
    f = scene_healthy(s, "10.0.0.1", 1003, SERVER, 8080, 5);
    f->flow.client_retransmissions = 2;
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f = scene_flow_add(s, "10.0.0.2", 1004, SERVER, 8080, 6); /* refuses the certificate */
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_server_hello(f, 0.05);
    flow_alert(f, 48, SIDE_CLIENT, 0.06);
    f = scene_healthy(s, "10.0.0.1", 1005, "239.1.2.3", 8080, 4); /* nobody's service */
    f->flow.protocol = 17;
    measure(s);
    const struct service_record *r = service_at(8080);
    assert_int_equal(r->count[SERVICE_ATTEMPTS], 5);
    assert_int_equal(r->count[SERVICE_OK], 3);
    assert_int_equal(r->count[SERVICE_FAILED], 2);
    assert_int_equal(r->count[SERVICE_UNKNOWN], 0);
    assert_int_equal(r->count[SERVICE_OPEN_BEFORE], 1);
    assert_int_equal(r->count[SERVICE_TCP_ATTEMPTS], 5);
    assert_int_equal(r->count[SERVICE_TCP_OK], 4);
    assert_int_equal(r->count[SERVICE_TLS_ATTEMPTS], 2);
    assert_int_equal(r->count[SERVICE_TLS_OK], 1);
    assert_int_equal(r->count[SERVICE_RETRANSMISSIONS], 2);
    assert_int_equal(r->clients, 2);
    assert_int_equal(r->time[SERVICE_CONNECT].count, 4);
    assert_int_equal(r->time[SERVICE_CONNECT].max_ns, 11 * MS);
    assert_int_equal(r->time[SERVICE_TLS].max_ns, 30 * MS);
    assert_int_equal(service_count, 2); /* and the background's */
}

static void requests_have_percentiles_within_one_percent(void **state)
{
    struct scene *s = *state;
    for (int i = 1; i <= 200; i++)
        asked(s, "10.0.0.1", i % 2 ? "/a" : "/b", i * 0.1, i, i == 7 ? 503 : i == 9 ? 404 : 200);
    measure(s);
    const struct service_record *r = service_at(8080);
    const struct service_times *t = &r->time[SERVICE_TOTAL];
    assert_int_equal(r->count[SERVICE_REQUESTS], 200);
    assert_int_equal(r->count[SERVICE_ERRORS], 1);
    assert_int_equal(r->peak_requests, 10);
    assert_int_equal(t->count, 200);
    assert_in_range(t->sum_ns, 20100 * MS - 200, 20100 * MS + 200); /* halves of a ns */
    assert_in_range(t->max_ns, 200 * MS - 2, 200 * MS + 2);
    assert_in_range(t->p50_ns, 99 * MS, 101 * MS);
    assert_in_range(t->p95_ns, 189 * MS - MS, 191 * MS + MS);
    assert_in_range(t->p99_ns, 196 * MS, 200 * MS);
    assert_int_equal(endpoint_count, 2);
    assert_string_equal(endpoints[0].path, "/a");
    assert_int_equal(endpoints[0].requests, 100);
    assert_int_equal(endpoints[0].errors, 1);
    assert_int_equal(endpoints[1].errors, 0);
}

static void no_answer_on_a_failed_connection_is_an_error(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, "10.0.0.1", 1000, SERVER, 8080, 1);
    flow_establish(f);
    scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_SERVER, 1, 60);
    f = scene_flow_add(s, "10.0.0.1", 1001, SERVER, 8081, 99); /* the capture ends first */
    flow_establish(f);
    scene_request(s, f, "/a", 0.02);
    measure(s);
    assert_int_equal(service_at(8080)->count[SERVICE_ERRORS], 1);
    assert_int_equal(service_at(8080)->time[SERVICE_TOTAL].count, 0);
    assert_int_equal(service_at(8080)->time[SERVICE_TOTAL].p99_ns, -1);
    assert_int_equal(service_at(8081)->count[SERVICE_REQUESTS], 1);
    assert_int_equal(service_at(8081)->count[SERVICE_ERRORS], 0);
}

static void long_polls_have_no_part_in_the_times(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 5; i++) {
        asked(s, "10.0.0.1", "/events/poll", i, 25000, 200);
        asked(s, "10.0.0.1", "/a", i, 10, 200);
    }
    struct http_record *stream = asked(s, "10.0.0.1", "/s", 6, 9000, 200);
    stream->kind = HTTP_EVENTS;
    measure(s);
    const struct service_record *r = service_at(8080);
    assert_int_equal(r->count[SERVICE_REQUESTS], 11);
    assert_int_equal(r->time[SERVICE_THINK].count, 5);
    assert_int_equal(r->time[SERVICE_THINK].max_ns, 10 * MS);
    assert_string_equal(endpoints[1].path, "/events/poll");
    assert_true(endpoints[1].waits);
    assert_false(endpoints[0].waits);
}

static void turn(struct scene *s, const struct scene_flow *f, double at, double wait_ms)
{
    struct turn_record *t = &s->turns[s->turn_count++];
    int64_t wait = (int64_t)(wait_ms * (double)MS);
    *t = (struct turn_record){.flow_id = f->flow.id,
                              .number = (int64_t)s->turn_count,
                              .start_ns = f->flow.first_ns + (int64_t)(at * (double)SECOND),
                              .wait_ns = wait,
                              .total_ns = wait + 2 * MS,
                              .asked = 300,
                              .answered = 900};
}

/* Encrypted requests count by the turns of the sides; a connection that waits for news does not. */
static void turns_inside_tls_are_requests(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    for (int i = 1; i <= 20; i++)
        turn(s, f, 0.1 * i, i);
    f = scene_healthy(s, "10.0.0.1", 1001, SERVER, 8443, 2);
    for (int i = 1; i <= 4; i++)
        turn(s, f, 30.0 * i, 29000);
    f = scene_healthy(s, "10.0.0.1", 1002, SERVER, 8443, 3); /* decrypted: its requests are seen */
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    turn(s, f, 0.02, 30);
    measure(s);
    const struct service_record *r = service_at(8443);
    assert_int_equal(r->count[SERVICE_REQUESTS], 25);
    assert_int_equal(r->time[SERVICE_THINK].count, 21);
    assert_in_range(r->time[SERVICE_THINK].p50_ns, 10890000, 11110000);
    assert_int_equal(r->time[SERVICE_TOTAL].max_ns, 30 * MS);
}

/* START_NS is 5 s into a minute. */
static void minutes_and_groups(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 300 * SECOND;
    asked(s, "10.0.1.1", "/a", 10, 5, 200);
    asked(s, "10.0.1.2", "/a", 20, 5, 200);
    asked(s, "10.0.2.1", "/a", 30, 5, 500);
    asked(s, "10.0.2.1", "/a", 60, 5, 200);
    measure(s);
    const struct service_record *r = service_at(8080);
    const struct service_minute_record *at[8];
    size_t count = 0;
    for (size_t i = 0; i < minute_count && count < 8; i++) {
        if (minutes[i].service_number == r->number)
            at[count++] = &minutes[i];
    }
    assert_int_equal(count, 3);
    assert_int_equal(at[0]->start_ns, START_NS - 5 * SECOND);
    assert_int_equal(at[0]->span_ns, 60 * SECOND);
    assert_string_equal(at[0]->client_group, "10.0.1.0/24");
    assert_int_equal(at[0]->count[SERVICE_REQUESTS], 2);
    assert_int_equal(at[0]->count[SERVICE_ATTEMPTS], 2);
    assert_int_equal(at[0]->count[SERVICE_BYTES], 2 * (200 + 1000 + 200 + 500));
    assert_string_equal(at[1]->client_group, "10.0.2.0/24");
    assert_int_equal(at[1]->count[SERVICE_ERRORS], 1);
    assert_int_equal(at[2]->start_ns, START_NS + 55 * SECOND);
    assert_int_equal(at[2]->count[SERVICE_ERRORS], 0);
    for (size_t i = 1; i < minute_count; i++)
        assert_int_equal(minutes[i].number, minutes[i - 1].number + 1);
}

static void what_a_long_connection_moved_is_spread_over_its_minutes(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 600 * SECOND;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 1000, SERVER, 8080, 0);
    f->flow.last_ns = START_NS + 590 * SECOND;
    f->flow.client_payload_bytes = 10000;
    f->flow.server_payload_bytes = 3;
    f->flow.server_retransmissions = 11;
    measure(s);
    uint64_t bytes = 0, again = 0, rows = 0;
    const struct service_record *r = service_at(8080);
    for (size_t i = 0; i < minute_count; i++) {
        if (minutes[i].service_number != r->number)
            continue;
        bytes += minutes[i].count[SERVICE_BYTES];
        again += minutes[i].count[SERVICE_RETRANSMISSIONS];
        rows++;
    }
    assert_int_equal(rows, 10);
    assert_int_equal(bytes, 10003);
    assert_int_equal(again, 11);
    assert_int_equal(r->count[SERVICE_BYTES], 10003);
}

static void the_order_of_records_changes_nothing(void **state)
{
    struct scene *s = *state;
    char client[24];
    for (unsigned i = 0; i < 150; i++) {
        (void)snprintf(client, sizeof client, "10.0.%u.%u", i % 7, i % 11 + 1);
        asked(s, client, i % 3 ? "/a" : "/b/c", i * 0.6, 1 + i * 37 % 101, i % 50 ? 200 : 500);
    }
    measure(s);
    uint64_t before = digest;
    assert_true(minute_count > 7);
    for (size_t step = 2; step < 9; step += 5) { /* 151 flows: prime */
        measure_in_order(s, step);
        assert_true(digest == before);
    }
}

static void many_groups_join(void **state)
{
    struct scene *s = *state;
    char client[24];
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(client, sizeof client, "10.0.%u.1", i);
        for (unsigned n = 0; n < (i < 15 ? 2 : 1); n++)
            asked(s, client, "/a", 1 + i * 0.5, 5, 200);
    }
    measure(s);
    const struct service_record *r = service_at(8080);
    size_t rows = 0;
    for (size_t i = 0; i < minute_count; i++) {
        if (minutes[i].service_number != r->number)
            continue;
        rows++;
        if (strcmp(minutes[i].client_group, "other") == 0)
            assert_int_equal(minutes[i].count[SERVICE_REQUESTS], 4);
    }
    assert_int_equal(rows, LIMIT_CLIENT_GROUPS + 1);
    assert_int_equal(r->count[SERVICE_REQUESTS], 35);
}

static void many_services_join(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < LIMIT_SERVICES + 10; i++)
        scene_healthy(s, "10.0.0.1", (uint16_t)(1024 + i), SERVER, (uint16_t)(10000 + i), i * 0.01);
    measure(s);
    assert_int_equal(service_count, LIMIT_SERVICES + 1);
    const struct service_record *last = &services[service_count - 1];
    assert_int_equal(last->others, 11); /* and the background's */
    assert_int_equal(last->count[SERVICE_ATTEMPTS], 11);
    assert_int_equal(last->server_port, 0);
}

/* Half an hour of thirty requests a minute; then none for one minute, and a flood in another. */
static void rates_far_from_usual(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 1800 * SECOND;
    for (unsigned minute = 0; minute < 30; minute++) {
        unsigned requests = minute == 12 ? 0 : minute == 20 ? 150 : 28 + minute % 5;
        for (unsigned i = 0; i < requests; i++)
            asked(s, "10.0.0.1", "/a", minute * 60 + 0.3 * i, 5, 200);
    }
    measure(s);
    const struct service_record *r = service_at(8080);
    unsigned odd = 0;
    for (size_t i = 0; i < minute_count; i++) {
        int64_t minute = (minutes[i].start_ns - (START_NS - 5 * SECOND)) / (60 * SECOND);
        if (minutes[i].service_number != r->number || minutes[i].rate == RATE_USUAL)
            continue;
        odd++;
        assert_int_equal(minute, minutes[i].rate == RATE_SURGE ? 20 : 12);
        assert_int_equal(minutes[i].count[SERVICE_REQUESTS],
                         minutes[i].rate == RATE_SURGE ? 150 : 0);
    }
    assert_int_equal(odd, 2);
}

/* Ten users who come and go are no anomaly. */
static void small_numbers_scatter(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 1800 * SECOND;
    for (unsigned minute = 0; minute < 30; minute++) {
        for (unsigned i = 0; i < minute * minute % 13; i++)
            asked(s, "10.0.0.1", "/a", minute * 60 + 0.3 * i, 5, 200);
    }
    measure(s);
    for (size_t i = 0; i < minute_count; i++)
        assert_int_equal(minutes[i].rate, RATE_USUAL);
}

static void an_outage_lowers_availability(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8080, 0);
    refused(s, "10.0.0.1", 1001, 40);
    refused(s, "10.0.0.2", 1002, 45);
    refused(s, "10.0.0.3", 1003, 55);
    scene_healthy(s, "10.0.0.1", 1004, SERVER, 8080, 60);
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 1005, SERVER, 8080, 70);
    f->flow.last_ns = START_NS + 100 * SECOND;
    scene_silent_syn(s, "10.0.0.1", 1006, SERVER, 8082, 1, 4);
    measure(s);
    const struct service_record *r = service_at(8080);
    assert_int_equal(r->outages, 1);
    assert_int_equal(r->outage_attempts, 3);
    assert_int_equal(r->outage_ns, 20 * SECOND);
    assert_int_equal(r->availability_ppm, 800000);
    assert_int_equal(service_at(8082)->availability_ppm, -1);
}

static void a_quick_switch_is_measured(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8080, 1)->flow.name = "inv.example.cn";
    refused(s, "10.0.0.1", 1001, 10);
    refused(s, "10.0.0.1", 1002, 11);
    scene_healthy(s, "10.0.0.1", 1003, "198.51.100.21", 8080, 12)->flow.name = "inv.example.cn";
    for (size_t i = 0; i < s->flow_count; i++)
        s->flows[i].flow.service = "order";
    measure(s);
    assert_null(scene_find(s, FINDING_SERVICE_FAILOVER_SLOW));
    for (size_t i = 0; i < service_count; i++) {
        bool second = services[i].server_ip.bytes[3] == 21;
        assert_in_range(services[i].failover_ns, second ? 10900 * MS : 0, second ? 10950 * MS : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(connections_are_counted_by_how_they_ended),
        SCENE_TEST(requests_have_percentiles_within_one_percent),
        SCENE_TEST(no_answer_on_a_failed_connection_is_an_error),
        SCENE_TEST(long_polls_have_no_part_in_the_times),
        SCENE_TEST(turns_inside_tls_are_requests),
        SCENE_TEST(minutes_and_groups),
        SCENE_TEST(what_a_long_connection_moved_is_spread_over_its_minutes),
        SCENE_TEST(the_order_of_records_changes_nothing),
        SCENE_TEST(many_groups_join),
        SCENE_TEST(many_services_join),
        SCENE_TEST(rates_far_from_usual),
        SCENE_TEST(small_numbers_scatter),
        SCENE_TEST(a_quick_switch_is_measured),
        SCENE_TEST(an_outage_lowers_availability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
