/* Scans and starved servers, and the clients that only resemble them. */
#include "tests/unit/test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define SOURCES 24

/* ---- scans ----------------------------------------------------------------------------------- */

/* SYNs that nobody answers, to so many hosts: of one network, or each of another. */
static void seek(struct scene *s, uint16_t port, uint32_t hosts, uint32_t syns, bool of_one_network)
{
    for (uint32_t i = 0; i < hosts; i++) {
        char host[24];
        snprintf(host, sizeof host, of_one_network ? "192.0.2.%u" : "%u.7.7.7", i + 11u);
        scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), host, port, 10 + i * 0.1, syns);
    }
}

static void a_sweep_is_told(void **state)
{
    struct scene *s = *state;
    seek(s, 445, SOURCES, 2, true);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SEC_PORT_SCAN);
    assert_non_null(f);
    assert_true(finding_value(f, "hosts")->number == SOURCES);
}

static void a_mesh_insists(void **state)
{
    struct scene *s = *state;
    seek(s, 8301, SOURCES, 4, true);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
    assert_int_equal(s->verdicts[1].outcome, OUTCOME_FAILED);
}

static void a_worm_insists_too(void **state)
{
    struct scene *s = *state;
    seek(s, 139, 40, 3, false);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SEC_PORT_SCAN));
    struct scene_flow *f = scene_healthy(s, CLIENT, 999, "198.51.100.9", 139, 12);
    f->tcp.syn_count = 1; /* one of its peers is there: it has a use for that port */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
}

/* What it was served by before, it only seeks again. */
static void a_known_server_is_no_target(void **state)
{
    struct scene *s = *state;
    for (uint32_t i = 0; i < SOURCES; i++) {
        char host[24];
        snprintf(host, sizeof host, "192.0.2.%u", i + 11u);
        (void)scene_healthy(s, CLIENT, (uint16_t)(1000 + i), host, 8101, 1 + i * 0.1);
        scene_silent_syn(s, CLIENT, (uint16_t)(2000 + i), host, 8101, 20 + i * 0.1, 1);
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
}

static void probes_without_ack(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < SOURCES; i++) {
        struct scene_flow *f =
            scene_flow_add(s, CLIENT, 4000, SERVER, (uint16_t)(20 + i), 10 + i * 0.1);
        f->tcp.syn_count = 0;
        f->flow.facts |= FLOW_FACT_MIDSTREAM | FLOW_FACT_STRAY;
    }
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SEC_PORT_SCAN));
    for (size_t i = 1; i < s->flow_count; i++)
        s->flows[i].flow.facts &= ~(uint64_t)FLOW_FACT_STRAY; /* the ends of older connections */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
}

static void ask_udp(struct scene *s, uint16_t client_port, uint32_t ports, uint32_t refused)
{
    for (uint32_t i = 0; i < ports; i++) {
        struct scene_flow *f =
            scene_flow_add(s, CLIENT, client_port, SERVER, (uint16_t)(2000 + i), 10 + i * 0.1);
        f->flow.protocol = 17;
        f->tcp.syn_count = 0;
        f->has_tcp = false;
        if (i >= refused)
            continue;
        s->icmp[s->icmp_count++] = (struct icmp_record){.capture_id = 1,
                                                        .source_id = 1,
                                                        .time_ns = f->flow.first_ns + MS,
                                                        .router_ip = f->flow.server_ip,
                                                        .client_ip = f->flow.client_ip,
                                                        .server_ip = f->flow.server_ip,
                                                        .client_port = client_port,
                                                        .server_port = f->flow.server_port,
                                                        .protocol = 17,
                                                        .family = 4,
                                                        .type = 3,
                                                        .code = 3,
                                                        .flow_id = f->flow.id};
    }
}

static void refused_datagrams(void **state)
{
    struct scene *s = *state;
    ask_udp(s, 40000, SOURCES, 16);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SEC_PORT_SCAN));
    s->icmp_count = 2; /* mere silence is usual for datagrams */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
}

/* A name server whose questions were not captured answers to ports that are closed by now. */
static void late_answers_are_no_scan(void **state)
{
    struct scene *s = *state;
    ask_udp(s, 53, SOURCES, 16);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
}

/* ---- starved servers ------------------------------------------------------------------------- */

static struct flow_delay_record *feed(struct scene *s, const char *client, double at)
{
    struct scene_flow *f = scene_flow_add(s, client, (uint16_t)(3000 + s->flow_count), SERVER, 8080, at);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 16, 80);
    f->flow.facts |= FLOW_FACT_REQUEST_PART;
    struct flow_delay_record *d = &s->delays[s->delay_count++];
    *d = (struct flow_delay_record){.flow_id = f->flow.id,
                                    .tls_hello_wait_ns = -1,
                                    .tls_finish_wait_ns = -1,
                                    .answer_max_ns = -1,
                                    .window_sender = SIDE_NONE,
                                    .fed_ns = 15 * SECOND,
                                    .fed_bytes = 80,
                                    .fed_segments = 8,
                                    .fed_pauses = 7};
    return d;
}

static const struct scene_finding *starved(struct scene *s)
{
    scene_judge(s);
    return scene_find(s, FINDING_SEC_SLOW_REQUESTS);
}

static void ten_fed_at_once(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 10; i++)
        (void)feed(s, CLIENT, 10 + i * 0.1);
    const struct scene_finding *f = starved(s);
    assert_non_null(f);
    assert_true(finding_value(f, "connections")->number == 10);
    assert_string_equal(culprit_name(f->record.culprit), "attacker");
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    s->delays[9].fed_ns = 9 * SECOND; /* one too few for so long */
    assert_null(starved(s));
}

static void one_behind_the_other_are_no_siege(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 12; i++)
        (void)feed(s, CLIENT, 2 + 17 * i);
    s->capture.last_ns = START_NS + 300 * SECOND;
    assert_null(starved(s));
}

static void many_sources_are_many_clients(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 12; i++) {
        char client[24];
        snprintf(client, sizeof client, "10.0.3.%d", 1 + i);
        (void)feed(s, client, 10);
    }
    assert_null(starved(s));
}

static void whole_segments_over_a_thin_line(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 12; i++) {
        struct flow_delay_record *d = feed(s, CLIENT, 10);
        d->fed_bytes = 8 * 536;
    }
    assert_null(starved(s));
}

static void a_way_that_loses(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 12; i++)
        (void)feed(s, CLIENT, 10);
    for (size_t i = 1; i < s->flow_count; i++)
        s->flows[i].tcp.side[SIDE_CLIENT].timeout_retransmissions = 4;
    assert_null(starved(s));
}

static void whole_requests_wait_for_their_answer(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 12; i++)
        (void)feed(s, CLIENT, 10);
    for (size_t i = 1; i < s->flow_count; i++)
        s->flows[i].flow.facts &= ~(uint64_t)FLOW_FACT_REQUEST_PART;
    assert_null(starved(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_sweep_is_told),
        SCENE_TEST(a_mesh_insists),
        SCENE_TEST(a_worm_insists_too),
        SCENE_TEST(a_known_server_is_no_target),
        SCENE_TEST(probes_without_ack),
        SCENE_TEST(refused_datagrams),
        SCENE_TEST(late_answers_are_no_scan),
        SCENE_TEST(ten_fed_at_once),
        SCENE_TEST(one_behind_the_other_are_no_siege),
        SCENE_TEST(many_sources_are_many_clients),
        SCENE_TEST(whole_segments_over_a_thin_line),
        SCENE_TEST(a_way_that_loses),
        SCENE_TEST(whole_requests_wait_for_their_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
