/* The order of verdicts, identity and counting, values and evidence, capture findings and what they
 * withdraw, scans and floods, and that the order of the records does not matter. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static void order_of_verdicts(void **state)
{
    /* FINDINGS.md "The verdict of a failed connection" */
    static const char *const order[] = {"one way",
                                        "ARP or NDP",
                                        "ICMP quoting the SYN",
                                        "RST to the SYN",
                                        "silent SYN",
                                        "old connection held",
                                        "SYN-ACK loop",
                                        "older timestamps refused",
                                        "accept queue",
                                        "MTU black hole",
                                        "idle state lost",
                                        "injected reset",
                                        "readable alert",
                                        "plaintext and TLS mixed up",
                                        "ClientHello unacknowledged",
                                        "ClientHello acknowledged, then silence",
                                        "FIN or RST after the ClientHello",
                                        "later handshake abort",
                                        "vanished",
                                        "keep-alive race",
                                        "server reset",
                                        "truncated answer",
                                        "no response",
                                        "client reset"};
    size_t count = 0;
    const struct verdict_rule *rules = verdict_rules(&count);
    (void)state;
    assert_int_equal(count, sizeof order / sizeof order[0]);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(rules[i].name, order[i]);
}

static void refuse(struct scene *s, const char *client, uint16_t port, const char *server,
                   uint16_t server_port, double at, double delay)
{
    struct scene_flow *f = scene_flow_add(s, client, port, server, server_port, at);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, delay, 60);
}

static void the_same_again_is_the_same_finding(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 999, SERVER, 80, 1);
    refuse(s, CLIENT, 1000, SERVER, 8443, 10, 0.010);
    refuse(s, "10.0.0.5", 1001, SERVER, 8443, 11, 0.030);
    refuse(s, CLIENT, 1002, SERVER, 8443, 12, 0.020);
    refuse(s, CLIENT, 1003, SERVER, 8444, 13, 0.020); /* another port */
    scene_judge(s);
    assert_int_equal(s->finding_count, 2);
    const struct scene_finding *found = &s->findings[0];
    assert_int_equal(found->record.id, 1);
    assert_int_equal(found->record.count, 3);
    assert_int_equal(found->flow_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(found->flows[i].flow_id, (int64_t)i + 3);
        assert_true(found->flows[i].is_primary);
    }
    assert_true(finding_value(found, "reply_ms")->minimum == 10.0);
    assert_true(finding_value(found, "reply_ms")->number == 20.0);
    assert_true(finding_value(found, "reply_ms")->maximum == 30.0);
    assert_int_equal(found->record.first_ns, START_NS + 10 * SECOND);
    assert_int_equal(found->record.last_ns, START_NS + 12 * SECOND + 20 * MS);
    assert_int_equal(s->findings[1].record.id, 2);
    assert_int_equal(s->findings[1].record.server_port, 8444);
}

static void a_client_to_blame_is_part_of_the_identity(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 2; i++) {
        struct scene_flow *f = scene_flow_add(s, i == 0 ? CLIENT : "10.0.0.5", (uint16_t)(1000 + i),
                                              SERVER, 443, 10 + i);
        flow_establish(f);
        flow_tls(f, 0.02);
        flow_server_hello(f, 0.04);
        flow_alert(f, 48, SIDE_CLIENT, 0.06);
    }
    scene_judge(s);
    size_t found = 0;
    for (size_t i = 0; i < s->finding_count; i++)
        found += s->findings[i].record.code == FINDING_TLS_UNKNOWN_CA + 1;
    assert_int_equal(found, 2);
}

static void add_event(struct scene_flow *f, enum event_kind kind, enum side side, uint32_t frame)
{
    f->events[f->event_count++] = (struct flow_event){.time_ns = f->flow.first_ns + frame * MS,
                                                      .frame = frame,
                                                      .source_id = 1,
                                                      .kind = (uint8_t)kind,
                                                      .side = (uint8_t)side};
}

static void evidence_is_chosen_by_kind(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 8443, 10, 4);
    add_event(f, EVENT_SYN, SIDE_CLIENT, 17);
    add_event(f, EVENT_ICMP, SIDE_NONE, 18);
    add_event(f, EVENT_SYN, SIDE_CLIENT, 21);
    add_event(f, EVENT_SYN, SIDE_CLIENT, 30);
    f->events[0].side = SIDE_CLIENT;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SYN_TIMEOUT);
    assert_non_null(found);
    assert_int_equal(found->evidence_count, 3);
    static const int64_t frames[] = {17, 21, 30};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(found->evidence[i].frame, frames[i]);
        assert_int_equal(found->evidence[i].number, (int64_t)i + 1);
        assert_string_equal(found->evidence[i].note, event_kind_name(EVENT_SYN));
    }
}

static void values_are_those_of_the_catalogue(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 999, SERVER, 80, 1);
    refuse(s, CLIENT, 1000, SERVER, 8443, 10, 0.010);
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8445, 10, 4);
    scene_judge(s);
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct scene_finding *f = &s->findings[i];
        enum value_unit unit;
        for (size_t j = 0; j < f->value_count; j++)
            assert_true(catalogue_find_value(f->record.code - 1, f->values[j].name, &unit));
        assert_true(f->record.confidence > 0 && f->record.confidence <= 100);
        assert_non_null(f->record.rivals);
        assert_null(strchr(f->record.rivals, ' '));
    }
}

static void every_failure_has_its_verdict(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 20; i++) {
        if (i % 2 == 0)
            scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), SERVER, 8443, 10 + i, 1 + i % 5);
        else
            refuse(s, CLIENT, (uint16_t)(1000 + i), "10.0.0.3", 8443, 10 + i, 0.01);
    }
    scene_judge(s);
    size_t failed = 0, listed = 0;
    for (size_t i = 0; i < s->flow_count; i++) {
        bool has = s->verdicts[i].verdict != 0;
        assert_int_equal(s->verdicts[i].outcome == OUTCOME_FAILED, has);
        assert_int_not_equal(s->verdicts[i].outcome, OUTCOME_NONE);
        failed += has;
    }
    for (size_t i = 0; i < s->finding_count; i++) {
        for (size_t j = 0; j < s->findings[i].flow_count; j++)
            listed += s->findings[i].flows[j].is_primary;
    }
    assert_true(failed > 10);
    assert_int_equal(failed, listed); /* one primary finding each: shares add up */
}

/* ---- order of records ------------------------------------------------------------------------ */

static void mixed_scene(struct scene *s)
{
    scene_healthy(s, CLIENT, 999, SERVER, 80, 1);
    refuse(s, CLIENT, 1000, SERVER, 8443, 10, 0.010);
    scene_silent_syn(s, "10.0.0.5", 1001, "10.0.0.3", 8443, 10, 4);
    refuse(s, "10.0.0.5", 1002, SERVER, 8443, 10, 0.030); /* same time as another */
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1003, SERVER, 8101, 12);
    flow_establish(f);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 500, 0.05);
    (void)scene_request(s, f, "/b", 1);
    flow_fin(f, SIDE_CLIENT, 6);
    f = scene_flow_add(s, "10.0.0.6", 1004, SERVER, 443, 13);
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_alert(f, 40, SIDE_SERVER, 0.05);
    scene_silent_syn(s, "2001:db8::5", 1001, "2001:db8::3", 8443, 14, 3);
}

static void the_order_of_adding_does_not_matter(void **state)
{
    struct scene *s = *state;
    struct finding_record first[64];
    mixed_scene(s);
    scene_judge(s);
    size_t count = s->finding_count;
    for (size_t i = 0; i < count; i++)
        first[i] = s->findings[i].record;
    assert_true(count >= 5);
    for (size_t step = 3; step < 8; step += 2) { /* 8 flows: coprime steps */
        assert_int_equal(s->flow_count, 8);
        scene_judge_in_order(s, step);
        assert_int_equal(s->finding_count, count);
        for (size_t i = 0; i < count; i++) {
            const struct finding_record *a = &first[i], *b = &s->findings[i].record;
            assert_int_equal(a->id, b->id);
            assert_int_equal(a->code, b->code);
            assert_int_equal(a->flow_id, b->flow_id);
            assert_int_equal(a->count, b->count);
            assert_int_equal(a->confidence, b->confidence);
        }
    }
}

/* ---- the capture ----------------------------------------------------------------------------- */

static void capture_findings(void **state)
{
    struct scene *s = *state;
    s->capture.gaps = 100;
    s->capture.gap_bytes = 1000;
    s->capture.acked_segments = 10000;
    s->source.dropped_kernel = 50;
    s->capture.truncated_packets = 5;
    s->source.snaplen = 96;
    s->capture.oversize_segments = 3;
    s->capture.routed_packets = 3000;
    s->capture.midstream_flows = 2;
    s->capture.time_jumps = 1;
    s->capture.filter = "tcp port 443";
    s->source.cut = true;
    s->capture.evicted_flows = 7;
    scene_judge(s);
    static const enum finding_code expected[] = {
        FINDING_CAPTURE_LOSS,    FINDING_CAPTURE_DROPPED,    FINDING_CAPTURE_SNAPLEN,
        FINDING_CAPTURE_OFFLOAD, FINDING_CAPTURE_DUPLICATES, FINDING_CAPTURE_MIDSTREAM,
        FINDING_CAPTURE_TIME,    FINDING_CAPTURE_FILTERED,   FINDING_CAPTURE_FILE_CUT,
        FINDING_CAPTURE_LIMITS};
    assert_int_equal(s->finding_count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < s->finding_count; i++)
        assert_non_null(scene_find(s, expected[i]));
    assert_true(finding_value(scene_find(s, FINDING_CAPTURE_LOSS), "share")->number == 1.0);
    assert_string_equal(finding_value(scene_find(s, FINDING_CAPTURE_DUPLICATES), "kind")->text,
                        "routed");
    assert_string_equal(finding_value(scene_find(s, FINDING_CAPTURE_FILE_CUT), "file")->text,
                        "a.pcap");
}

static void one_sided_capture_accuses_nobody(void **state)
{
    struct scene *s = *state;
    s->flow_count = 0;
    for (uint16_t i = 0; i < 5; i++) {
        struct scene_flow *f = scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), SERVER, 443, i, 1);
        flow_send(f, SIDE_CLIENT, 0.1, 500); /* it went on: the answer was there */
        f->flow.facts |= FLOW_FACT_UNSEEN_PEER;
    }
    scene_silent_syn(s, CLIENT, 1100, SERVER, 443, 10, 4);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CAPTURE_ONE_SIDED));
    for (size_t i = 0; i < s->flow_count; i++)
        expect_outcome(s, i, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void silent_syns_are_no_one_sided_capture(void **state)
{
    struct scene *s = *state;
    s->flow_count = 0;
    for (uint16_t i = 0; i < 5; i++)
        scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), SERVER, 443, i, 4);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CAPTURE_ONE_SIDED));
    expect_verdict(s, 0, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

static void loss_withdraws_only_what_it_concerns(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 10, 4);
    s->capture.gaps = 10;
    s->capture.gap_bytes = 1000;
    s->capture.acked_segments = 10000;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    s->capture.gaps = 900; /* nearly one in ten is missing */
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* ---- scans and floods ------------------------------------------------------------------------ */

static void port_scan_raises_nothing_else(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 20; i++) {
        if (i % 2 == 0)
            scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), SERVER, (uint16_t)(20 + i), 10, 2);
        else
            refuse(s, CLIENT, (uint16_t)(1000 + i), SERVER, (uint16_t)(20 + i), 10, 0.01);
    }
    scene_judge(s);
    assert_int_equal(s->finding_count, 1);
    const struct scene_finding *found = scene_find(s, FINDING_SEC_PORT_SCAN);
    assert_non_null(found);
    assert_true(finding_value(found, "ports")->number == 20);
    assert_int_equal(found->record.count, 20);
    assert_int_equal(found->flow_count, 20);
    for (size_t i = 1; i <= 20; i++)
        expect_outcome(s, i, OUTCOME_UNSOLICITED);
}

static void many_ports_that_are_no_scan(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 14; i++) /* one too few */
        scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), SERVER, (uint16_t)(20 + i), 10, 3);
    for (uint16_t i = 0; i < 20; i++) /* a dead server and its many clients */
        scene_silent_syn(s, "10.0.0.5", (uint16_t)(1000 + i), "10.0.0.6", 443, 10, 3);
    for (uint16_t i = 0; i < 20; i++) { /* the web behind a silent firewall */
        char host[24];
        snprintf(host, sizeof host, "192.0.2.%u", i + 1u);
        scene_silent_syn(s, "10.0.0.7", (uint16_t)(1000 + i), host, 443, 10, 4);
    }
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_PORT_SCAN));
    for (size_t i = 1; i < s->flow_count; i++)
        assert_int_equal(s->verdicts[i].outcome, OUTCOME_FAILED);
}

static void the_last_moment_of_a_capture_is_no_attack(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 150; i++) { /* a balancer and its backends, 5 ms before the end */
        char host[24];
        snprintf(host, sizeof host, "10.0.5.%u", i + 1u);
        scene_silent_syn(s, CLIENT, (uint16_t)(1000 + i), host, 8030, 99.995, 1);
        snprintf(host, sizeof host, "10.0.6.%u", i + 1u);
        scene_silent_syn(s, host, (uint16_t)(1000 + i), SERVER, 8030, 99.995, 1);
    }
    scene_judge(s);
    expect_quiet(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* Its SYNs stand right before the clock was set two hours on, or where the clock ran twice. */
static void a_clock_that_was_set_proves_no_silence(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 1000, SERVER, 8030, 90);
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8030, 50, 2);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CONN_SYN_TIMEOUT));
    s->capture.jump_from_ns = START_NS + 52 * SECOND;
    s->capture.jump_to_ns = START_NS + 80 * SECOND;
    scene_judge(s);
    expect_outcome(s, s->flow_count - 1, OUTCOME_UNKNOWN);
    s->capture.jump_from_ns = s->capture.jump_to_ns = 0;
    s->capture.back_from_ns = START_NS + 52 * SECOND;
    s->capture.back_to_ns = START_NS + 47 * SECOND;
    scene_judge(s);
    expect_outcome(s, s->flow_count - 1, OUTCOME_UNKNOWN);
}

static void flood_and_its_victim(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 250; i++) {
        char source[24];
        snprintf(source, sizeof source, "203.0.113.%d", i + 1);
        scene_silent_syn(s, source, (uint16_t)(1000 + i), SERVER, 8080, 10 + i * 0.004, 1);
    }
    scene_silent_syn(s, CLIENT, 1000, SERVER, 8080, 10.5, 4); /* insists: its victim */
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_SEC_SYN_FLOOD);
    assert_non_null(found);
    assert_int_equal(found->record.count, 250);
    assert_true(finding_value(found, "sources")->number == 250);
    assert_int_equal(s->finding_count, 2);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    assert_int_equal(s->verdicts[251].outcome, OUTCOME_FAILED);
}

static bool has_value(const struct scene_finding *f, const char *name)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Most of a flood has no rows: its count, sources and rate are those of both together. */
static void flood_beyond_its_rows(void **state)
{
    struct scene *s = *state;
    struct swarm_record *more = &s->swarms[s->swarm_count++];
    for (int i = 0; i < 250; i++) {
        char source[24];
        snprintf(source, sizeof source, "203.0.113.%d", i + 1);
        scene_silent_syn(s, source, (uint16_t)(1000 + i), SERVER, 8080, 10 + i * 0.004, 1);
    }
    *more = (struct swarm_record){.capture_id = 1,
                                  .number = 1,
                                  .kind = SWARM_TARGET,
                                  .protocol = 6,
                                  .server_ip = s->flows[s->flow_count - 1].flow.server_ip,
                                  .server_port = 8080,
                                  .attempts = 40000,
                                  .clients = 39000,
                                  .servers = 1,
                                  .ports = 1,
                                  .most_per_second = 9000,
                                  .first_ns = START_NS + 11 * SECOND,
                                  .last_ns = START_NS + 16 * SECOND,
                                  .source_id = 1,
                                  .first_frame = 90001,
                                  .last_frame = 130000};
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_SEC_SYN_FLOOD);
    assert_non_null(found);
    assert_int_equal(found->record.count, 40250);
    assert_int_equal(found->flow_count, 250);
    assert_true(finding_value(found, "sources")->number == 39000);
    assert_true(finding_value(found, "about_sources")->number == 1);
    assert_true(finding_value(found, "rate")->number == 9000);
    assert_true(finding_value(found, "duration_ms")->number == 6000);
    more->server_port = 8081; /* somebody else's */
    scene_judge(s);
    found = scene_find(s, FINDING_SEC_SYN_FLOOD);
    assert_int_equal(found->record.count, 250);
    assert_false(has_value(found, "about_sources")); /* all were seen: the number is exact */
}

static void scan_beyond_its_rows(void **state)
{
    struct scene *s = *state;
    struct swarm_record *more = &s->swarms[s->swarm_count++];
    for (uint16_t i = 0; i < 20; i++)
        refuse(s, CLIENT, (uint16_t)(1000 + i), SERVER, (uint16_t)(20 + i), 10, 0.01);
    *more = (struct swarm_record){.capture_id = 1,
                                  .number = 1,
                                  .kind = SWARM_SOURCE,
                                  .protocol = 6,
                                  .client_ip = s->flows[s->flow_count - 1].flow.client_ip,
                                  .attempts = 60000,
                                  .clients = 1,
                                  .servers = 1,
                                  .ports = 59000,
                                  .first_ns = START_NS + 11 * SECOND,
                                  .last_ns = START_NS + 20 * SECOND,
                                  .source_id = 1,
                                  .first_frame = 90001};
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_SEC_PORT_SCAN);
    assert_int_equal(found->record.count, 60020);
    assert_true(finding_value(found, "ports")->number == 59020);
    assert_true(finding_value(found, "about_ports")->number == 1);
    assert_false(has_value(found, "about_hosts"));
    assert_true(finding_value(found, "duration_ms")->number == 10000);
    more->servers = 300; /* other hosts, too: what it did there is another story */
    scene_judge(s);
    found = scene_find(s, FINDING_SEC_PORT_SCAN);
    assert_int_equal(found->record.count, 20);
    assert_false(has_value(found, "about_ports"));
}

static void busy_server_is_no_flood(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 300; i++)
        scene_healthy(s, CLIENT, (uint16_t)(1000 + i), SERVER, 8080, 10 + i * 0.003);
    for (int i = 0; i < 150; i++) /* an outage under load: every client insists */
        scene_silent_syn(s, CLIENT, (uint16_t)(2000 + i), SERVER, 8081, 20 + i * 0.003, 3);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SEC_SYN_FLOOD));
    assert_int_equal(scene_find(s, FINDING_CONN_SYN_TIMEOUT)->record.count, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_verdicts),
        SCENE_TEST(the_same_again_is_the_same_finding),
        SCENE_TEST(a_client_to_blame_is_part_of_the_identity),
        SCENE_TEST(evidence_is_chosen_by_kind),
        SCENE_TEST(values_are_those_of_the_catalogue),
        SCENE_TEST(every_failure_has_its_verdict),
        SCENE_TEST(the_order_of_adding_does_not_matter),
        SCENE_TEST(capture_findings),
        SCENE_TEST(one_sided_capture_accuses_nobody),
        SCENE_TEST(silent_syns_are_no_one_sided_capture),
        SCENE_TEST(loss_withdraws_only_what_it_concerns),
        SCENE_TEST(port_scan_raises_nothing_else),
        SCENE_TEST(many_ports_that_are_no_scan),
        SCENE_TEST(the_last_moment_of_a_capture_is_no_attack),
        SCENE_TEST(a_clock_that_was_set_proves_no_silence),
        SCENE_TEST(flood_and_its_victim),
        SCENE_TEST(flood_beyond_its_rows),
        SCENE_TEST(scan_beyond_its_rows),
        SCENE_TEST(busy_server_is_no_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
