/* Whose clock is off: one server's, several servers', or that of the capture. */
#include "tests/unit/test_site_help.h"

static uint16_t next_port = 1000;

/* An answer whose Date is what a clock `ahead` seconds before the capture's shows, cut to seconds.
 */
static struct http_record *dated(struct scene *s, const char *server, double at, double ahead)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", next_port++, server, 8080, at);
    struct http_record *r = scene_request(s, f, "/api", 0.02);
    flow_answer(f, r, 200, 0.05);
    r->host = NULL;
    r->date_ns = (r->response_ns + (int64_t)(ahead * (double)SECOND)) / SECOND * SECOND;
    return r;
}

static void a_server_that_is_alone(void **state)
{
    struct scene *s = *state;
    dated(s, "10.0.0.2", 1, 3600);
    dated(s, "10.0.0.2", 3.5, 3600);
    dated(s, "10.0.0.3", 1, 0);
    dated(s, "10.0.0.3", 4, 0.3);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_CLOCK_SKEW);
    assert_non_null(f);
    assert_int_equal(f->record.culprit, CULPRIT_SERVER);
    assert_int_equal(f->record.confidence, 85);
    assert_string_equal(finding_value(f, "host")->text, "10.0.0.2");
    double offset = finding_value(f, "offset_ms")->number;
    assert_true(offset > 3599000 && offset < 3601000);
    assert_null(scene_find(s, FINDING_CAPTURE_TIME));
    assert_int_equal(s->finding_count, 1);
}

static void one_clock_against_one(void **state)
{
    struct scene *s = *state;
    dated(s, "10.0.0.2", 1, -120)->method = "POST";
    dated(s, "10.0.0.2", 3, -120)->method = "POST";
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CLOCK_SKEW)->record.confidence, 60);
    assert_int_equal(scene_find(s, FINDING_CLOCK_SKEW)->record.severity, SEVERITY_LOW);
}

static void servers_that_agree_outvote_the_capture(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 2; i++) {
        dated(s, "10.0.0.2", 1 + 3 * i, 7200);
        dated(s, "10.0.0.3", 1 + 3 * i, 7200);
        dated(s, "10.0.0.4", 1 + 3 * i, 0); /* is two hours behind the others */
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CAPTURE_TIME)); /* two against two */
    assert_int_equal(scene_find(s, FINDING_CLOCK_SKEW)->record.confidence, 60);
    dated(s, "10.0.0.5", 1, 7200);
    dated(s, "10.0.0.5", 5, 7200);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_CAPTURE_TIME);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "kind")->text, "clock");
    assert_true(finding_value(f, "servers")->number == 3);
    f = scene_find(s, FINDING_CLOCK_SKEW); /* against the others, not against the capture */
    assert_string_equal(finding_value(f, "host")->text, "10.0.0.4");
    assert_true(finding_value(f, "offset_ms")->number < -7199000);
    assert_int_equal(s->finding_count, 2);
}

static void small_offsets_and_single_answers_say_nothing(void **state)
{
    struct scene *s = *state;
    dated(s, "10.0.0.2", 1, 1.9);
    dated(s, "10.0.0.2", 3, 1.9);
    dated(s, "10.0.0.3", 1, 3600); /* once */
    dated(s, "10.0.0.4", 1, 3600);
    dated(s, "10.0.0.4", 1.1, 3600); /* the same second */
    s->requests[s->request_count - 1].date_ns = s->requests[s->request_count - 2].date_ns;
    scene_judge(s);
    expect_quiet(s);
}

static void stored_answers_are_no_clock(void **state)
{
    struct scene *s = *state;
    int64_t made = START_NS - 3000 * SECOND;
    for (int i = 0; i < 4; i++) /* one object, given again and again */
        dated(s, "10.0.0.2", 1 + 2 * i, 0)->date_ns = made;
    for (int i = 0; i < 6; i++) /* a small cache: every second one is 5 s old */
        dated(s, "10.0.0.3", 10 + 5 * i, 0)->date_ns = START_NS + (10 + 10 * (i / 2)) * SECOND;
    for (int i = 0; i < 3; i++)
        dated(s, "10.0.0.4", 1 + 2 * i, 3600)->status = 304;
    scene_judge(s);
    expect_quiet(s);
}

/* Ten machines behind one address whose clocks disagree: nobody knows which. */
static void a_farm_without_a_common_time(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 10; i++)
        dated(s, "10.0.0.2", 1 + i, 100 * i);
    scene_judge(s);
    expect_quiet(s);
}

static void one_of_two_machines_behind_an_address(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 4; i++)
        dated(s, "10.0.0.2", 1 + i, i % 2 == 0 ? 0 : 600);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_CLOCK_SKEW);
    assert_non_null(f);
    assert_int_equal(f->record.count, 2);
}

static void a_capture_that_jumps_proves_nothing(void **state)
{
    struct scene *s = *state;
    s->capture.time_jumps = 1;
    dated(s, "10.0.0.2", 1, 3600);
    dated(s, "10.0.0.2", 3, 3600);
    scene_judge(s);
    expect_quiet(s);
    s->capture.time_jumps = 0;
    s->capture.first_ns = 0; /* made by a device without a clock */
    scene_judge(s);
    expect_quiet(s);
}

/* A certificate that begins in an hour: by the clock of the capture, or truly. */
static void certificates_are_judged_by_the_right_time(void **state)
{
    struct scene *s = *state;
    s->certificates[0] = (struct certificate_record){.id = 1,
                                                     .sha256 = "aa",
                                                     .spki_sha256 = "bb",
                                                     .subject_cn = "inv.example.cn",
                                                     .san = "DNS:inv.example.cn",
                                                     .issuer = "CN=CA",
                                                     .key_type = "EC",
                                                     .key_bits = 256,
                                                     .signature = "ecdsa-with-SHA256",
                                                     .not_before_ns = START_NS + 3600 * SECOND,
                                                     .not_after_ns = START_NS + 90000000 * SECOND};
    s->certificate_count = 1;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 40000, "10.0.0.2", 443, 1);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    flow_certificate(f, 1);
    scene_judge(s);
    struct scene_finding *found = scene_find(s, FINDING_CERT_NOT_YET_VALID);
    assert_non_null(found);
    assert_int_equal(found->value_count, 2);
    dated(s, "10.0.0.2", 1,
          7200); /* its server is ahead: it made the certificate by its own clock */
    dated(s, "10.0.0.2", 3, 7200);
    scene_judge(s);
    found = scene_find(s, FINDING_CERT_NOT_YET_VALID);
    assert_true(finding_value(found, "clock_ms")->number > 7199000);
    dated(s, "10.0.0.3", 1, 7200); /* and others with it: the capture is behind */
    dated(s, "10.0.0.3", 3, 7200);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CERT_NOT_YET_VALID));
    assert_non_null(scene_find(s, FINDING_CAPTURE_TIME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_server_that_is_alone),
        SCENE_TEST(one_clock_against_one),
        SCENE_TEST(servers_that_agree_outvote_the_capture),
        SCENE_TEST(small_offsets_and_single_answers_say_nothing),
        SCENE_TEST(stored_answers_are_no_clock),
        SCENE_TEST(a_farm_without_a_common_time),
        SCENE_TEST(one_of_two_machines_behind_an_address),
        SCENE_TEST(a_capture_that_jumps_proves_nothing),
        SCENE_TEST(certificates_are_judged_by_the_right_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
