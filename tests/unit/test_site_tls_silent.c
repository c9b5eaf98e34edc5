/* Hellos that nobody answered in TLS: dropped, closed, reset, stalled, in clear, and QUIC. */
#include "tests/unit/test_site_tls_help.h"

static void hello_dropped_or_unanswered(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tcp.side[0].unacked_bytes = 255;
    f->tcp.side[0].tail_retransmissions = 4;
    f->tcp.side[0].tail_first_ns = f->tls.client_hello_ns;
    f->tcp.side[1].last_ns = f->flow.first_ns + 10 * MS;
    f->flow.last_ns += 3 * SECOND;
    f = hello(s, 1001, 11);
    flow_fin(f, SIDE_CLIENT, 10.02); /* its own close after waiting does not outrank the wait */
    f = hello(s, 1002, 12);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_CLIENTHELLO_DROPPED, CULPRIT_MIDDLEBOX);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
    assert_true(finding_value(found, "waited_ms")->minimum == 10000.0);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_HANDSHAKE_TIMEOUT + 1);
    assert_int_equal(s->verdicts[3].stage, STAGE_TLS_CH);
}

static void hello_behind_an_upgrade(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 25, 10);
    flow_establish(f);
    flow_send(f, SIDE_SERVER, 0.015, 90); /* 220 ready */
    flow_tls(f, 0.02);
    f->tls.upgraded_from = "smtp";
    f->tcp.side[1].last_ns = f->flow.first_ns + 30 * MS;
    flow_fin(f, SIDE_CLIENT, 10.02);
    f = scene_flow_add(s, CLIENT, 1001, SERVER, 25, 11);
    flow_establish(f);
    flow_send(f, SIDE_SERVER, 0.015, 90);
    flow_tls(f, 0.02);
    f->tls.upgraded_from = "smtp";
    f->tcp.side[0].unacked_bytes = 255;
    f->tcp.side[0].tail_retransmissions = 4;
    f->tcp.side[0].tail_first_ns = f->tls.client_hello_ns;
    f->flow.last_ns += 3 * SECOND;
    f = scene_flow_add(s, CLIENT, 1002, SERVER, 25, 12); /* it said something after the hello */
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_send(f, SIDE_SERVER, 0.05, 90);
    f->tls.upgraded_from = "smtp";
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
    expect_verdict(s, 2, FINDING_TLS_CLIENTHELLO_DROPPED, CULPRIT_MIDDLEBOX);
    expect_outcome(s, 3, OUTCOME_UNKNOWN);
}

static void a_quiet_end_after_server_hello_proves_nothing(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    f->tls.step = TLS_STEP_SERVER_HELLO;
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    f = hello(s, 1001, 50);
    flow_server_hello(f, 0.04);
    f->tls.step = TLS_STEP_SERVER_DONE;
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_HANDSHAKE_ABORTED + 1);
}

static struct scene_flow *quic(struct scene *s, uint16_t port, const char *server, double at,
                               uint64_t packets)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, 443, at);
    flow_tls(f, 0);
    f->flow.protocol = 17;
    f->flow.app = "quic";
    f->tls.quic_version = 1;
    f->flow.client_packets = packets;
    f->has_tcp = false;
    return f;
}

static void quic_sessions_have_outcomes(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = quic(s, 1000, SERVER, 10, 8);
    f->flow.server_packets = 9;
    f->tls.established = true;
    f = quic(s, 1001, SERVER, 11, 8); /* taken up later: packets both ways */
    f->flow.server_packets = 9;
    f->tls.client_app_records = f->tls.server_app_records = 5;
    f = quic(s, 1002, SERVER, 12, 3); /* what became of it cannot be read */
    f->flow.server_packets = 1;
    f = quic(s, 1003, SERVER, 13, 2);
    f->flow.server_packets = 1;
    f->tls.alert = 80;
    f->tls.alert_by = SIDE_SERVER;
    f->tls.alert_ns = f->flow.first_ns + 10 * MS;
    f = quic(s, 1004, SERVER, 14, 4); /* others are answered there */
    f->flow.last_ns += 7 * SECOND;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_outcome(s, 2, OUTCOME_OK);
    expect_outcome(s, 3, OUTCOME_UNKNOWN);
    expect_verdict(s, 4, FINDING_TLS_ALERT, CULPRIT_SERVER);
    expect_outcome(s, 5, OUTCOME_UNKNOWN);
}

static void quic_that_nobody_answers(void **state)
{
    struct scene *s = *state;
    quic(s, 1000, SERVER, 10, 4)->flow.last_ns += 7 * SECOND;
    quic(s, 1001, "10.0.0.3", 10, 2)->flow.last_ns += SECOND; /* too few, too short */
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "protocol")->text, "QUIC");
    size_t alone = found->value_count;
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    (void)done(s, 1002, 12);
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "fallback")->text, "TLS over TCP");
    assert_int_equal(found->value_count, alone + 1);
}

/* A server that was stopped answers when it goes on: the client had waited, and left. */
static void answered_too_late(void **state)
{
    static const struct {
        double left, answered;
        enum finding_code code;
        enum culprit culprit;
    } rows[] = {
        {4, 8, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER},
        {2.1, 2.2, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER},
        {4, 3.9, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT},
        {1, 8, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        struct scene_flow *f = hello(s, 1000, 10);
        flow_fin(f, SIDE_CLIENT, rows[i].left);
        flow_server_hello(f, rows[i].answered);
        scene_judge(s);
        expect_verdict(s, 1, rows[i].code, rows[i].culprit);
        if (rows[i].code == FINDING_TLS_HANDSHAKE_TIMEOUT)
            assert_true(finding_value(scene_find(s, rows[i].code), "late_ms")->number > rows[i].left * 1000 - 20);
    }
}

static void hello_at_the_end_of_the_capture(void **state)
{
    struct scene *s = *state;
    hello(s, 1000, 98);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void closed_or_reset_after_the_hello(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_fin(f, SIDE_SERVER, 0.05);
    f = hello(s, 1001, 11);
    flow_rst(f, SIDE_SERVER, 0.05, 60);
    f = hello(s, 1002, 12);
    flow_rst(f, SIDE_SERVER, 0.05, 120); /* one family: possible, nobody named */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_RESET_AFTER_CLIENTHELLO + 1);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_RESET_AFTER_CLIENTHELLO + 1);
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding_record *r = &s->findings[i].record;
        if (r->flow_id == 3)
            assert_int_equal(r->culprit, CULPRIT_SERVER);
        if (r->flow_id == 4) {
            assert_int_equal(r->culprit, CULPRIT_MIDDLEBOX);
            assert_true(r->confidence < 50);
        }
    }
}

static void a_browsers_spare_connection_is_nobodys(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_fin(f, SIDE_CLIENT, 0.1);
    done(s, 1001, 10.01);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
}

static void stalled_after_the_key_exchange(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_send(f, SIDE_CLIENT, 0.06, 300);
    flow_fin(f, SIDE_CLIENT, 20);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
}

static void plaintext_both_ways(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 10);
    flow_establish(f);
    flow_tls(f, 0.02);
    f->tls.client_hello_ns = -1;
    f->tls.step = TLS_STEP_NONE;
    f->tls.plaintext_client = true;
    flow_alert(f, 10, SIDE_SERVER, 0.05);
    f = hello(s, 1001, 11);
    f->tls.plaintext_server = true;
    flow_send(f, SIDE_SERVER, 0.05, 100);
    flow_fin(f, SIDE_SERVER, 0.06);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_PLAINTEXT_ON_TLS_PORT, CULPRIT_CLIENT);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_ON_PLAINTEXT_PORT + 1);
    s->flows[1].flow.facts |= FLOW_FACT_MIDSTREAM; /* the rest of a session, nobody knows of what */
    scene_judge(s);
    assert_int_not_equal(s->verdicts[1].verdict, FINDING_TLS_PLAINTEXT_ON_TLS_PORT + 1);
    (void)done(s, 1002, 12); /* nor when others speak TLS there */
    s->flows[1].tls.plaintext_client = false;
    s->flows[1].tls.alert = -1;
    scene_judge(s);
    assert_int_not_equal(s->verdicts[1].verdict, FINDING_TLS_PLAINTEXT_ON_TLS_PORT + 1);
}

/* The capture begins at the client's goodbye (an encrypted alert), and the server closes; with the handshake seen, bytes
 * of no TLS to a port of TLS are the client's mistake. */
static void goodbye_of_a_connection_that_was_open(void **state)
{
    struct scene *s = *state;
    for (int seen = 0; seen < 2; seen++) {
        struct scene_flow *f = scene_healthy(s, CLIENT, (uint16_t)(2000 + seen), SERVER, 443, 5 + seen);
        flow_tls(f, 0.02);
        flow_tls_done(f, 0.05);
        f = scene_flow_add(s, CLIENT, (uint16_t)(1000 + seen), SERVER, 443, 10 + seen);
        if (seen == 1)
            flow_establish(f);
        else
            f->flow.facts |= FLOW_FACT_MIDSTREAM;
        flow_send(f, SIDE_CLIENT, 0.02, 31);
        flow_fin(f, SIDE_SERVER, 0.021);
        flow_fin(f, SIDE_CLIENT, 0.022);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TLS_PLAINTEXT_ON_TLS_PORT);
    assert_non_null(found);
    assert_int_equal(found->record.count, 1);
    assert_int_equal(found->record.client_port, 1001);
}

static void plaintext_that_is_answered_is_none(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 10);
    flow_establish(f);
    flow_answer(f, scene_request(s, f, "/", 0.02), 200, 0.05);
    f->has_tls = true;
    f->tls.plaintext_client = true;
    f->tls.alert = -1;
    f->tls.client_hello_ns = f->tls.server_hello_ns = -1;
    flow_fin(f, SIDE_CLIENT, 0.1);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    assert_non_null(scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH)); /* the port speaks HTTP */
    assert_int_equal(s->finding_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(hello_dropped_or_unanswered),
        SCENE_TEST(hello_behind_an_upgrade),
        SCENE_TEST(a_quiet_end_after_server_hello_proves_nothing),
        SCENE_TEST(quic_sessions_have_outcomes),
        SCENE_TEST(quic_that_nobody_answers),
        SCENE_TEST(answered_too_late),
        SCENE_TEST(hello_at_the_end_of_the_capture),
        SCENE_TEST(closed_or_reset_after_the_hello),
        SCENE_TEST(a_browsers_spare_connection_is_nobodys),
        SCENE_TEST(stalled_after_the_key_exchange),
        SCENE_TEST(plaintext_both_ways),
        SCENE_TEST(goodbye_of_a_connection_that_was_open),
        SCENE_TEST(plaintext_that_is_answered_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
