/* The table dependencies: who uses what the services need, and what they got. */
#include "test_site_help.h"

#define GATEWAY "10.0.0.9"

static struct dependency_record rows[16];
static size_t row_count;

static void keep(enum record_kind kind, const void *record)
{
    if (kind == RECORD_DEPENDENCY) {
        assert_true(row_count < 16);
        rows[row_count++] = *(const struct dependency_record *)record;
    }
}

static void measure(struct scene *s, size_t step)
{
    row_count = 0;
    s->other = keep;
    scene_judge_in_order(s, step);
}

static void ask(struct scene *s, const char *client, uint16_t port, double at, int32_t status,
                double wait)
{
    struct scene_flow *f = scene_healthy(s, client, port, GATEWAY, 8443, at);
    flow_answer(f, scene_request(s, f, "/pay", 0.02), status, 0.02 + wait);
}

static void a_gateway_of_the_profile(void **state)
{
    static const struct port_range ports[] = {{8443, 8443}};
    static struct address server;
    static const struct profile_service services[] = {{.name = "bank",
                                                       .class_name = "dependency",
                                                       .ports = ports,
                                                       .port_count = 1,
                                                       .servers = &server,
                                                       .server_count = 1,
                                                       .slow_response_ns = 400 * MS,
                                                       .dependency = DEPENDENCY_GATEWAY}};
    struct scene *s = *state;
    assert_true(address_from_text(GATEWAY, &server));
    s->profile.services = services;
    s->profile.service_count = 1;
    for (int i = 0; i < 3; i++)
        ask(s, "10.0.0.1", (uint16_t)(1000 + i), 1 + i, 200, 0.05 + 0.1 * i);
    ask(s, "10.0.0.2", 1000, 9, 500, 0.7);
    (void)scene_silent_syn(s, "10.0.0.2", 1001, GATEWAY, 8443, 20, 4);
    for (size_t step = 1; step < 6; step += 4) { /* in two orders */
        measure(s, step);
        assert_int_equal(row_count, 1); /* what the profile does not name is none */
        const struct dependency_record *r = &rows[0];
        assert_string_equal(r->name, "bank");
        assert_string_equal(r->kind, "gateway");
        assert_int_equal(r->clients, 2);
        assert_string_equal(r->users, "10.0.0.1 (3), 10.0.0.2 (2)");
        assert_int_equal(r->attempts, 5);
        assert_int_equal(r->failed, 1);
        assert_int_equal(r->requests, 4);
        assert_int_equal(r->errors, 1);
        assert_int_equal(r->slow, 1);
        assert_int_equal(r->limit_ns, 400 * MS);
        assert_in_range(r->p50_ns, 149 * MS, 151 * MS);
        assert_in_range(r->max_ns, 699 * MS, 701 * MS);
        assert_int_equal(r->p95_ns, RECORD_NONE_NS); /* of four answers */
    }
}

static void databases_are_known_by_content(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, "10.0.0.7", 13306, 1)->flow.app = "mysql";
    scene_healthy(s, "10.0.0.1", 1001, "10.0.0.8", 8080, 1)->flow.app = "http";
    measure(s, 1);
    assert_int_equal(row_count, 1);
    assert_null(rows[0].name);
    assert_string_equal(rows[0].kind, "database");
    assert_int_equal(rows[0].server_port, 13306);
    assert_int_equal(rows[0].max_ns, RECORD_NONE_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(a_gateway_of_the_profile),
                                       SCENE_TEST(databases_are_known_by_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
