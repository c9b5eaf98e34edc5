/* How far a fault reaches, and what a client tried in turn. */
#include "test_site_help.h"

#define SERVER "198.51.100.20"
#define OTHER "198.51.100.21"

static const struct domain_record *only_domain(const struct scene *s, enum finding_code code)
{
    assert_int_equal(s->domain_count, 1);
    assert_int_equal(s->domains[0].verdict, code + 1);
    return &s->domains[0];
}

static void expect_address(const struct address *address, const char *text)
{
    char shown[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_to_text(address, shown), text);
}

/* A subnet that reaches 443 and not 8443, while others reach both. */
static void one_network_to_one_port(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 1; i <= 5; i++) {
        char inside[32], outside[32];
        snprintf(inside, sizeof inside, "10.2.%u.7", i);
        snprintf(outside, sizeof outside, "10.9.%u.7", i);
        scene_silent_syn(s, inside, 1000, SERVER, 8443, i, 3);
        scene_healthy(s, inside, 2000, SERVER, 443, i + 0.1);
        scene_healthy(s, outside, 3000, SERVER, 8443, i + 0.2);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    expect_address(&d->client_ip, "10.2.0.0");
    assert_int_equal(d->client_bits, 16);
    expect_address(&d->server_ip, SERVER);
    assert_int_equal(d->server_port, 8443);
    assert_int_equal(d->failed, 5);
    assert_int_equal(d->attempts, 5);
    assert_int_equal(d->clients, 5);
    assert_true(d->whole);
    assert_false(d->alone);
    assert_int_equal(d->reached_port, 443);
    assert_int_equal(d->reached, 5);
    assert_int_equal(d->others_ok, 5);
}

/* The same, but what the subnet reaches it reached before: it still tells one port from all. */
static void one_port_tried_after_another(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 1; i <= 5; i++) {
        char inside[32];
        snprintf(inside, sizeof inside, "10.2.%u.7", i);
        scene_healthy(s, inside, 2000, SERVER, 443, i);
        scene_silent_syn(s, inside, 1000, SERVER, 8443, 10 + i, 3);
        scene_healthy(s, "10.9.1.7", (uint16_t)(3000 + i), SERVER, 8443, 10.2 + i);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    assert_int_equal(d->client_bits, 16);
    assert_int_equal(d->server_port, 8443);
    assert_int_equal(d->reached_port, 443);
    assert_int_equal(d->reached, 5);
}

/* What they cannot reach any more they reached before: their own network may have failed. */
static void one_network_from_a_time_on(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 1; i <= 5; i++) {
        char inside[32];
        snprintf(inside, sizeof inside, "10.2.%u.7", i);
        scene_healthy(s, inside, 2000, SERVER, 443, i);
        scene_healthy(s, inside, 2001, SERVER, 8443, i + 0.3);
        scene_silent_syn(s, inside, 1000, SERVER, 8443, 10 + i, 3);
        scene_healthy(s, "10.9.1.7", (uint16_t)(3000 + i), SERVER, 8443, 10.2 + i);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    assert_int_equal(d->client_bits, 16);
    assert_int_equal(d->server_port, 0);
    assert_true(d->last_ok_ns > 0);
}

/* Two servers refuse the same port: no address says it, the port does. */
static void one_port_of_every_server(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 4; i++) {
        scene_silent_syn(s, "10.0.0.1", (uint16_t)(1000 + i), i % 2 ? SERVER : OTHER, 8443, i + 1,
                         3);
        scene_healthy(s, "10.0.0.1", (uint16_t)(2000 + i), i % 2 ? SERVER : OTHER, 443, i + 1.5);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    assert_false(address_is_set(&d->client_ip));
    assert_false(address_is_set(&d->server_ip));
    assert_int_equal(d->server_port, 8443);
    assert_int_equal(d->attempts, 4);
}

/* One client reaches nothing, the others everything. */
static void one_client_anywhere(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 4; i++) {
        scene_silent_syn(s, "10.0.0.9", (uint16_t)(1000 + i), SERVER, i % 2 ? 443 : 8443, i + 1, 3);
        scene_healthy(s, "10.0.0.1", (uint16_t)(2000 + i), SERVER, i % 2 ? 443 : 8443, i + 1.1);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    expect_address(&d->client_ip, "10.0.0.9");
    assert_int_equal(d->client_bits, 32);
    assert_false(address_is_set(&d->server_ip));
    assert_int_equal(d->server_port, 0);
    assert_int_equal(d->others_ok, 4);
}

/* Every second attempt works: no limits are whole, and nothing is claimed to be. */
static void half_of_a_service(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 4; i++) {
        scene_silent_syn(s, "10.0.0.1", (uint16_t)(1000 + i), SERVER, 8443, 2 * i + 1, 3);
        scene_healthy(s, "10.0.0.1", (uint16_t)(2000 + i), SERVER, 8443, 2 * i + 2);
    }
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    assert_false(d->whole);
    assert_int_equal(d->failed, 4);
    assert_int_equal(d->attempts, 7);
    assert_int_equal(d->next_ok_ns, START_NS + 8 * SECOND);
}

static void ipv6_networks(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, "2001:db8:1:2::10", 1000, "2001:db8:9::1", 443, 1, 3);
    scene_silent_syn(s, "2001:db8:1:3::11", 1000, "2001:db8:9::1", 443, 2, 3);
    scene_healthy(s, "2001:db8:7::1", 1000, "2001:db8:9::1", 443, 1.5);
    scene_judge(s);
    const struct domain_record *d = only_domain(s, FINDING_CONN_SYN_TIMEOUT);
    expect_address(&d->client_ip, "2001:db8:1::");
    assert_int_equal(d->client_bits, 48);
}

static void a_single_failure_has_no_extent(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, "10.0.0.1", 1000, SERVER, 8443, 1, 3);
    scene_judge(s);
    assert_int_equal(s->domain_count, 0);
    assert_int_equal(s->story_count, 0);
}

static void attempts_until_one_works(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, "10.0.0.1", 1000, SERVER, 8443, 1, 4); /* 7 s */
    struct scene_flow *refused = scene_flow_add(s, "10.0.0.1", 1001, SERVER, 8443, 20);
    refused->tcp.rst_to_syn = true;
    flow_rst(refused, SIDE_SERVER, 0.01, 60);
    scene_healthy(s, "10.0.0.1", 1002, SERVER, 8443, 25);
    scene_healthy(s, "10.0.0.1", 1003, SERVER, 8443, 30);
    scene_judge(s);
    assert_int_equal(s->story_count, 1);
    const struct story_record *story = &s->stories[0];
    assert_int_equal(story->attempts, 3);
    assert_int_equal(story->failed, 2);
    assert_int_equal(story->outcome, OUTCOME_OK);
    assert_int_equal(story->verdict, FINDING_CONN_SYN_TIMEOUT + 1);
    assert_string_equal(story->steps, "conn-syn-timeout 7000, conn-refused 10, ok 70");
}

/* Half an hour later it is another matter, and another client's attempts are its own. */
static void what_is_no_retry(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 4000 * SECOND;
    scene_silent_syn(s, "10.0.0.1", 1000, SERVER, 8443, 1, 3);
    scene_silent_syn(s, "10.0.0.1", 1001, SERVER, 8443, 1800, 3);
    scene_silent_syn(s, "10.0.0.2", 1001, SERVER, 8443, 1801, 3);
    scene_judge(s);
    assert_int_equal(s->story_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(one_network_to_one_port),
        SCENE_TEST(one_port_tried_after_another),
        SCENE_TEST(one_network_from_a_time_on),
        SCENE_TEST(one_port_of_every_server),
        SCENE_TEST(one_client_anywhere),
        SCENE_TEST(half_of_a_service),
        SCENE_TEST(ipv6_networks),
        SCENE_TEST(a_single_failure_has_no_extent),
        SCENE_TEST(attempts_until_one_works),
        SCENE_TEST(what_is_no_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
