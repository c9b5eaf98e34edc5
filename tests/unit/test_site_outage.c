/* When a service is down, and what only looks so. */
#include "test_site_help.h"

#define SERVER "198.51.100.20"

static void refuse(struct scene *s, const char *client, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, client, port, SERVER, 8443, at);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
}

static void used_before_and_down_for_everybody(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    refuse(s, "10.0.0.1", 1001, 10);
    refuse(s, "10.0.0.2", 1002, 15);
    refuse(s, "10.0.0.3", 1003, 25);
    scene_healthy(s, "10.0.0.1", 1004, SERVER, 8443, 40);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_OUTAGE);
    assert_non_null(f);
    assert_int_equal(f->record.culprit, CULPRIT_SERVER);
    assert_int_equal(f->record.count, 3);
    assert_int_equal(f->flow_count, 3);
    assert_true(finding_value(f, "duration_ms")->number == 30000.0);
    assert_string_equal(finding_value(f, "end")->text, "recovered");
}

static void not_yet_back(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    for (unsigned i = 0; i < 4; i++)
        scene_silent_syn(s, "10.0.0.1", (uint16_t)(1001 + i), SERVER, 8443, 10 + 5 * i, 3);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_OUTAGE);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "end")->text, "still down");
}

static void never_reached_under_the_builtin_profile(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 4; i++)
        refuse(s, i % 2 ? "10.0.0.1" : "10.0.0.2", (uint16_t)(1001 + i), 10 + 5 * i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OUTAGE));
}

static void the_site_names_it(void **state)
{
    struct scene *s = *state;
    s->profile.builtin = false;
    for (unsigned i = 0; i < 4; i++) {
        refuse(s, i % 2 ? "10.0.0.1" : "10.0.0.2", (uint16_t)(1001 + i), 10 + 5 * i);
        s->flows[s->flow_count - 1].flow.service = "portal";
    }
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SERVICE_OUTAGE));
}

/* A client that never got through may be what is broken itself. */
static void one_strange_client(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    for (unsigned i = 0; i < 4; i++)
        scene_silent_syn(s, "10.0.0.9", (uint16_t)(1001 + i), SERVER, 8443, 10 + 5 * i, 3);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OUTAGE));
}

static void others_get_through_meanwhile(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    for (unsigned i = 0; i < 4; i++) {
        refuse(s, "10.0.0.1", (uint16_t)(1001 + i), 10 + 5 * i);
        scene_healthy(s, "10.0.0.2", (uint16_t)(2001 + i), SERVER, 8443, 11 + 5 * i);
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OUTAGE));
}

static void too_short(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, SERVER, 8443, 1);
    for (unsigned i = 0; i < 4; i++)
        refuse(s, "10.0.0.1", (uint16_t)(1001 + i), 10 + 2 * i);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_OUTAGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(used_before_and_down_for_everybody),
        SCENE_TEST(not_yet_back),
        SCENE_TEST(never_reached_under_the_builtin_profile),
        SCENE_TEST(the_site_names_it),
        SCENE_TEST(one_strange_client),
        SCENE_TEST(others_get_through_meanwhile),
        SCENE_TEST(too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
