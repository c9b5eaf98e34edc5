/* What is kept for judging under a ceiling: of a flood the first ones, and all of what happens beside. */
#include "tests/unit/test_site_help.h"

#define SERVER "198.51.100.20"
#define BESIDE "198.51.100.21"
#define CEILING (2u << 20)
/* An arena grows by blocks, a list by doubling. */
#define SLACK (384u * 1024)
#define FLOOD 4000

static void flood(struct scene *s)
{
    for (int i = 0; i < FLOOD; i++) {
        char source[24];
        snprintf(source, sizeof source, "10.1.%d.%d", i / 250, i % 250 + 1);
        scene_silent_syn(s, source, (uint16_t)(1000 + i), SERVER, 8080, 10 + i * 0.004, 1);
    }
}

static void what_is_beside_a_flood_is_judged(void **state)
{
    struct scene *s = *state;
    flood(s);
    size_t first = s->flow_count;
    for (uint16_t i = 0; i < 3; i++)
        scene_silent_syn(s, "10.20.1.11", (uint16_t)(40000 + i), BESIDE, 8443, 40 + i, 6);
    for (uint16_t i = 0; i < 5; i++)
        scene_healthy(s, "10.20.1.12", (uint16_t)(40000 + i), BESIDE, 443, 30 + i * 15);
    scene_judge(s);
    assert_int_equal(site_flows_left_out(scene_site), 0); /* no ceiling */
    assert_true(site_memory(scene_site) > CEILING);
    assert_null(scene_find(s, FINDING_CAPTURE_LIMITS));

    s->memory = CEILING;
    scene_judge(s);
    uint64_t left_out = site_flows_left_out(scene_site);
    assert_in_range(left_out, FLOOD / 2, FLOOD - 200);
    assert_true(site_memory(scene_site) < CEILING / 8 * 5 + SLACK);
    assert_int_equal(scene_find(s, FINDING_CONN_SYN_TIMEOUT)->record.count, 3);
    for (size_t i = first; i < first + 3; i++)
        assert_int_equal(s->verdicts[i].outcome, OUTCOME_FAILED);
    for (size_t i = first + 3; i < first + 8; i++)
        assert_int_equal(s->verdicts[i].outcome, OUTCOME_OK);
    const struct scene_finding *limits = scene_find(s, FINDING_CAPTURE_LIMITS);
    assert_non_null(limits);
    assert_string_equal(finding_value(limits, "limit")->text, "judging");
    assert_true(finding_value(limits, "given_up")->number == (double)left_out);
}

/* Of each connection the first requests stay. */
static void rows_have_a_ceiling(void **state)
{
    struct site *site = site_new(profile_builtin());
    struct http_record request = {.status = 200};
    (void)state;
    site_limit(site, CEILING);
    for (int i = 0; i < 50000; i++) {
        request.flow_id = i % 10 + 1;
        request.number = i / 10 + 1;
        assert_true(site_add(site, RECORD_HTTP, &request));
    }
    assert_true(site_memory(site) < CEILING / 8 * 5 + SLACK);
    assert_in_range(site->rows_left_out, 40000, 50000 - 10 * 64);
    assert_int_equal(site->request_count + site->rows_left_out, 50000);
    site_free(site);
}

/* A row whose connection was left out belongs to nothing. */
static void rows_without_their_flow_go(void **state)
{
    struct scene *s = *state;
    flood(s);
    for (size_t i = 0; i < 100; i++)
        s->requests[s->request_count++] = (struct http_record){
            .flow_id = (int64_t)(i * FLOOD / 100 + 1), .number = 1, .request_ns = -1, .response_ns = -1};
    s->memory = CEILING;
    scene_judge(s);
    assert_in_range(scene_site->request_count, 5, 60);
    for (size_t i = 0; i < scene_site->request_count; i++)
        assert_non_null(site_find_flow(scene_site, scene_site->requests[i]->flow_id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_beside_a_flood_is_judged),
        cmocka_unit_test(rows_have_a_ceiling),
        SCENE_TEST(rows_without_their_flow_go),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    site_free(scene_site);
    return failed;
}
