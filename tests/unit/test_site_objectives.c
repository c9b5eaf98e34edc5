/* Services against their objectives, and what only looks like a miss. */
#include "test_site_help.h"

#include <math.h>

#define SERVER "198.51.100.20"
#define OTHER "198.51.100.21"

static struct scene_flow *healthy(struct scene *s, const char *client, const char *server,
                                  double at)
{
    struct scene_flow *f =
        scene_healthy(s, client, (uint16_t)(1024 + s->flow_count), server, 8080, at);
    f->flow.service = "order";
    return f;
}

static struct scene_flow *refused(struct scene *s, const char *client, const char *server,
                                  double at)
{
    struct scene_flow *f =
        scene_flow_add(s, client, (uint16_t)(1024 + s->flow_count), server, 8080, at);
    f->tcp.rst_to_syn = true;
    f->flow.service = "order";
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    return f;
}

static struct http_record *asked(struct scene *s, const char *client, const char *path, double at,
                                 double wait_ms, int32_t status)
{
    struct scene_flow *f = healthy(s, client, SERVER, at);
    struct http_record *r = scene_request(s, f, path, 0.02);
    flow_answer(f, r, status, 0.02 + wait_ms / 1000);
    return r;
}

static const char *client_of(unsigned i)
{
    static char text[24];
    (void)snprintf(text, sizeof text, "10.0.0.%u", i % 5 + 1);
    return text;
}

/* ---- handshakes ---- */

static void many_connects_fail(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 20; i++)
        healthy(s, client_of(i), SERVER, 1 + i);
    for (unsigned i = 0; i < 20; i++)
        refused(s, client_of(i), SERVER, 1.5 + i);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_HANDSHAKE_RATE_LOW);
    assert_non_null(f);
    assert_int_equal(f->record.culprit, CULPRIT_SERVER);
    assert_string_equal(finding_value(f, "step")->text, "TCP");
    assert_true(finding_value(f, "rate")->number == 50.0);
    assert_true(finding_value(f, "failures")->number == 20.0);
    assert_int_equal(f->flow_count, 20);
    assert_int_equal(f->record.severity, SEVERITY_LOW); /* not proven on enough stacks yet */
}

/* 17 of 20 would be below the target if chance could not do it. */
static void few_samples_prove_nothing(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 16; i++)
        healthy(s, client_of(i), SERVER, 1 + i);
    for (unsigned i = 0; i < 4; i++)
        refused(s, client_of(i), SERVER, 20 + i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_HANDSHAKE_RATE_LOW));
}

static void one_bad_client_is_not_the_service(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 5; i++)
        healthy(s, client_of(i), SERVER, 1 + i);
    for (unsigned i = 0; i < 20; i++)
        refused(s, "10.0.7.7", SERVER, 1.5 + i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_HANDSHAKE_RATE_LOW));
}

/* A port that nobody ever reached is no service of the built-in profile. */
static void never_served(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 20; i++)
        refused(s, client_of(i), SERVER, 1.5 + i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_HANDSHAKE_RATE_LOW));
}

static void tls_fails_rarely_but_surely(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 200; i++) {
        struct scene_flow *f = healthy(s, client_of(i), SERVER, 0.1 * i);
        flow_tls(f, 0.02);
        flow_tls_done(f, 0.05);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct scene_flow *f = healthy(s, client_of(i), SERVER, 30 + i);
        f->flow.facts = FLOW_FACT_ESTABLISHED;
        f->has_tcp = true;
        flow_tls(f, 0.02);
        flow_alert(f, 80, SIDE_SERVER, 0.05);
    }
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_HANDSHAKE_RATE_LOW);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "step")->text, "TLS");
    assert_true(finding_value(f, "failures")->number == 4.0);
}

/* ---- errors ---- */

static void errors_above_the_target(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 100; i++)
        asked(s, client_of(i), "/a", 0.5 * i, 5, i % 10 == 3 ? 500 : 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_ERROR_SLO);
    assert_non_null(f);
    assert_true(finding_value(f, "share")->number == 10.0);
    assert_true(finding_value(f, "errors")->number == 10.0);
    assert_true(fabs(finding_value(f, "target")->number - 0.1) < 1e-9);
}

static void refusals_and_few_errors_are_none(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 100; i++)
        asked(s, client_of(i), "/a", 0.5 * i, 5, i < 4 ? 500 : i % 3 ? 404 : 403);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_ERROR_SLO));
}

/* ---- response times ---- */

static void p99_with_three_hundred_answers(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 320; i++)
        asked(s, client_of(i), "/a", 0.2 * i, i % 20 == 0 ? 900 : 20, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_LATENCY_SLO);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "quantile")->text, "P99");
    assert_int_equal(f->record.culprit, CULPRIT_SERVER);
    assert_true(fabs(finding_value(f, "latency_ms")->number - 900) < 0.01);
    assert_true(finding_value(f, "samples")->number == 320.0);
}

static void p95_with_sixty(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        asked(s, client_of(i), "/a", i, i % 4 == 0 ? 700 : 20, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_LATENCY_SLO);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "quantile")->text, "P95");
}

/* The answers begin at once and end late: the way is slow, not the server. */
static void the_way_is_to_blame(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++) {
        struct http_record *r = asked(s, client_of(i), "/a", i, 20, 200);
        r->response_end_ns += 900 * MS;
        r->response_bytes = 20000;
    }
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_LATENCY_SLO);
    assert_non_null(f);
    assert_int_equal(f->record.culprit, CULPRIT_NETWORK);
    assert_int_equal(f->record.category, CATEGORY_NETWORK);
}

static void downloads_long_polls_and_few_samples_are_no_miss(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 70; i++) {
        struct http_record *r = asked(s, client_of(i), "/file", i, 20, 200);
        r->response_end_ns += 5000 * MS;
        r->response_bytes = 10000000;
        asked(s, client_of(i), "/news/poll", i, 9000, 200);
    }
    for (unsigned i = 0; i < 50; i++)
        asked(s, client_of(i), "/a", i, 700, 200);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_LATENCY_SLO));
}

/* 4 of 320 above the target: just more than one in a hundred, and chance may do that. */
static void on_the_edge_is_no_miss(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 320; i++)
        asked(s, client_of(i), "/a", 0.2 * i, i % 80 == 0 ? 900 : 20, 200);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_LATENCY_SLO));
}

static void answers_scatter(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        asked(s, client_of(i), "/a", i, i % 6 == 0 ? 400 : 10, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_LATENCY_VARIANCE);
    assert_non_null(f);
    assert_true(finding_value(f, "deviation_ms")->number > 140);
    assert_true(finding_value(f, "mean_ms")->number < 80);
}

/* Slow and quick ones are different endpoints; of another one alone was slow once. */
static void different_endpoints_do_not_scatter(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++) {
        asked(s, client_of(i), "/slow", i, 400 + i % 7, 200);
        asked(s, client_of(i), "/quick", i, i == 40 ? 2900 : 10, 200);
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_LATENCY_VARIANCE));
}

/* ---- ceilings ---- */

static void requests_above_the_ceiling(void **state)
{
    struct scene *s = *state;
    s->profile.objectives.requests_per_second = 20;
    for (unsigned i = 0; i < 300; i++)
        asked(s, client_of(i), "/a", 10 + i / 25.0, 5, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_OVERLOAD);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "what")->text, "requests");
    assert_string_equal(finding_value(f, "reached")->text, "25.1/s");
    assert_string_equal(finding_value(f, "ceiling")->text, "20/s");
}

/* A second of fifty and then silence is a burst. */
static void bursts_are_no_overload(void **state)
{
    struct scene *s = *state;
    s->profile.objectives.requests_per_second = 20;
    for (unsigned i = 0; i < 150; i++)
        asked(s, client_of(i), "/a", 10 + i / 50 * 5 + i % 50 / 50.0, 5, 200);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OVERLOAD));
}

static void throughput_for_minutes(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 900 * SECOND;
    s->profile.objectives.bits_per_second = 1000000;
    for (unsigned i = 0; i < 8; i++) {
        struct scene_flow *f = healthy(s, "10.0.0.1", SERVER, 60.0 * i + 10);
        f->flow.server_payload_bytes = 15000000; /* 2 Mbit/s over a minute */
    }
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_OVERLOAD);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "what")->text, "throughput");
    assert_string_equal(finding_value(f, "reached")->text, "2.00 Mbit/s");
    s->flows[4].flow.server_payload_bytes = 1000; /* a quiet minute in the middle */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OVERLOAD));
}

/* ---- backends ---- */

static struct scene_flow *served(struct scene *s, const char *client, const char *server, double at)
{
    struct scene_flow *f = healthy(s, client, server, at);
    f->flow.name = "inv.example.cn";
    return f;
}

static void a_switch_that_took_long(void **state)
{
    struct scene *s = *state;
    served(s, "10.0.0.1", SERVER, 1);
    served(s, "10.0.0.2", SERVER, 5);
    for (unsigned i = 0; i < 4; i++)
        refused(s, client_of(i), SERVER, 10 + 10 * i);
    served(s, "10.0.0.1", OTHER, 55);
    served(s, "10.0.0.2", OTHER, 56);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_FAILOVER_SLOW);
    assert_non_null(f);
    assert_true(fabs(finding_value(f, "gap_ms")->number - 49930) < 1);
    assert_string_equal(finding_value(f, "old_backend")->text, SERVER ":8080");
    assert_string_equal(finding_value(f, "new_backend")->text, OTHER ":8080");
}

/* Nobody tried in between; a quick switch; the old one came back. */
static void switches_that_are_none(void **state)
{
    struct scene *s = *state;
    served(s, "10.0.0.1", SERVER, 1);
    served(s, "10.0.0.1", OTHER, 60);
    served(s, "10.0.0.1", SERVER, 61);
    refused(s, "10.0.0.1", SERVER, 62);
    refused(s, "10.0.0.1", SERVER, 63);
    served(s, "10.0.0.1", OTHER, 70);
    served(s, "10.0.0.1", SERVER, 71);
    refused(s, "10.0.0.2", SERVER, 72);
    refused(s, "10.0.0.2", SERVER, 73);
    served(s, "10.0.0.1", SERVER, 98);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_FAILOVER_SLOW));
}

static void one_backend_has_all_the_load(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        served(s, client_of(i + i / 10), i % 10 == 5 ? OTHER : SERVER, 1 + i);
    served(s, "10.0.0.2", OTHER, 2);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_UNBALANCED);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "busiest")->text, SERVER ":8080");
    assert_true(finding_value(f, "factor")->number == 8.0);
}

/* Even shares; a stand-by that took over for a while; two clients that stay with their server. */
static void shares_that_are_meant(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        served(s, client_of(i * 7), i % 3 ? SERVER : OTHER, 1 + i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_UNBALANCED));
}

static void a_stand_by_is_no_idle_one(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        served(s, client_of(i), i >= 40 && i < 45 ? OTHER : SERVER, 1 + i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_UNBALANCED));
}

static void clients_that_stay_with_their_server(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 80; i++)
        served(s, i % 10 == 5 ? "10.0.0.9" : "10.0.0.1", i % 10 == 5 ? OTHER : SERVER, 1 + i);
    served(s, "10.0.0.9", OTHER, 2);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_UNBALANCED));
}

static void one_backend_fails_the_others_work(void **state)
{
    struct scene *s = *state;
    served(s, "10.0.0.1", OTHER, 1);
    for (unsigned i = 0; i < 5; i++) {
        refused(s, client_of(i), OTHER, 10 + 5 * i);
        s->flows[s->flow_count - 1].flow.name = "inv.example.cn";
        served(s, client_of(i), SERVER, 11 + 5 * i);
    }
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_UNBALANCED);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "failing")->text, OTHER ":8080");
    assert_int_equal(f->record.culprit, CULPRIT_SERVER);
    assert_true(finding_value(f, "others")->number == 4.0);
}

/* ---- heartbeats ---- */

static void beats(struct scene *s, const char *client, double from, double period, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        asked(s, client, "/heartbeat", from + period * i + 0.1 * (i % 3), 5, 200);
}

static void a_learnt_heartbeat_stops(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = s->flows[0].flow.last_ns = START_NS + 900 * SECOND;
    beats(s, "10.0.0.1", 0, 60, 8);
    asked(s, "10.0.0.1", "/other", 800, 5, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_HEARTBEAT_MISSED);
    assert_non_null(f);
    assert_true(finding_value(f, "missed")->number ==
                7.0); /* 480, 540 ... 840 s; 900 is not late yet */
    assert_true(fabs(finding_value(f, "period_ms")->number - 60000) < 100);
    assert_int_equal(f->record.confidence, 70);
    assert_int_equal(f->record.culprit, CULPRIT_CLIENT);
}

static void a_gap_in_a_heartbeat(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = s->flows[0].flow.last_ns = START_NS + 1200 * SECOND;
    beats(s, "10.0.0.1", 0, 60, 8);
    beats(s, "10.0.0.1", 660, 60, 9);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_HEARTBEAT_MISSED);
    assert_non_null(f);
    assert_true(finding_value(f, "missed")->number == 3.0); /* 480, 540, 600 */
    assert_int_equal(f->record.count, 1);
}

/* The capture ends; two beats fail; people click; calls go on but fail. */
static void silence_that_is_none(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = s->flows[0].flow.last_ns = START_NS + 600 * SECOND;
    beats(s, "10.0.0.1", 0, 60, 8); /* until 420 */
    beats(s, "10.0.0.2", 0, 60, 5);
    beats(s, "10.0.0.2", 60 * 7, 60, 3);
    static const double clicks[] = {1, 40, 130, 170, 260, 290};
    for (size_t i = 0; i < sizeof clicks / sizeof *clicks; i++)
        asked(s, "10.0.0.3", "/page", clicks[i], 5, 200);
    beats(s, "10.0.0.4", 0, 60, 6);
    for (unsigned i = 0; i < 4; i++) {
        struct http_record *r = asked(s, "10.0.0.4", "/heartbeat", 360 + 60 * i, 5, 503);
        (void)r;
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_HEARTBEAT_MISSED));
}

static void a_capture_that_lost_packets_withdraws_it(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = s->flows[0].flow.last_ns = START_NS + 900 * SECOND;
    beats(s, "10.0.0.1", 0, 60, 8);
    s->source.cut = true;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_HEARTBEAT_MISSED));
}

static void the_profile_names_a_heartbeat(void **state)
{
    static const struct profile_heartbeat named = {.path = "/alive", .period_ns = 10 * SECOND};
    static struct profile_service service;
    struct scene *s = *state;
    service = *profile_service_of(profile_builtin(), 6, NULL, 8080);
    service.heartbeats = &named;
    service.heartbeat_count = 1;
    s->profile.builtin = false;
    s->profile.services = &service;
    s->profile.service_count = 1;
    for (unsigned i = 0; i < 3; i++)
        asked(s, "10.0.0.1", "/alive", 10 * i, 5, 200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_HEARTBEAT_MISSED);
    assert_non_null(f);
    assert_true(finding_value(f, "missed")->number == 7.0); /* 30 ... 90 s of 100 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(many_connects_fail),
        SCENE_TEST(few_samples_prove_nothing),
        SCENE_TEST(one_bad_client_is_not_the_service),
        SCENE_TEST(never_served),
        SCENE_TEST(tls_fails_rarely_but_surely),
        SCENE_TEST(errors_above_the_target),
        SCENE_TEST(refusals_and_few_errors_are_none),
        SCENE_TEST(p99_with_three_hundred_answers),
        SCENE_TEST(p95_with_sixty),
        SCENE_TEST(the_way_is_to_blame),
        SCENE_TEST(downloads_long_polls_and_few_samples_are_no_miss),
        SCENE_TEST(on_the_edge_is_no_miss),
        SCENE_TEST(answers_scatter),
        SCENE_TEST(different_endpoints_do_not_scatter),
        SCENE_TEST(requests_above_the_ceiling),
        SCENE_TEST(bursts_are_no_overload),
        SCENE_TEST(throughput_for_minutes),
        SCENE_TEST(a_switch_that_took_long),
        SCENE_TEST(switches_that_are_none),
        SCENE_TEST(one_backend_has_all_the_load),
        SCENE_TEST(shares_that_are_meant),
        SCENE_TEST(a_stand_by_is_no_idle_one),
        SCENE_TEST(clients_that_stay_with_their_server),
        SCENE_TEST(one_backend_fails_the_others_work),
        SCENE_TEST(a_learnt_heartbeat_stops),
        SCENE_TEST(a_gap_in_a_heartbeat),
        SCENE_TEST(silence_that_is_none),
        SCENE_TEST(a_capture_that_lost_packets_withdraws_it),
        SCENE_TEST(the_profile_names_a_heartbeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
