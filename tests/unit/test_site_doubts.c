/* Accusations that the packets do not bear out: each case beside the one that is a fault indeed. */
#include "tests/unit/test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define ROUTER "10.0.0.254"

/* ---- a SYN that nobody answers --------------------------------------------------------------- */

/* Routers limit the rate of their errors: only every second SYN was answered by one. */
static void unreachable_although_told_only_once(void **state)
{
    struct scene *s = *state;
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 1), ROUTER, 3, 0);
    (void)scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 2, 3);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_CONN_ICMP_UNREACHABLE, CULPRIT_NETWORK);
    assert_string_equal(finding_value(found, "router")->text, ROUTER);
}

/* A filter speaks for the port that it was asked for. */
static void prohibited_speaks_for_its_port_alone(void **state)
{
    struct scene *s = *state;
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 1), ROUTER, 3, 13);
    (void)scene_silent_syn(s, CLIENT, 1001, SERVER, 443, 2, 3);
    (void)scene_silent_syn(s, CLIENT, 1002, SERVER, 8443, 2, 3);
    (void)scene_silent_syn(s, CLIENT, 1003, SERVER, 443, 60, 3); /* long after */
    scene_judge(s);
    assert_int_equal(s->verdicts[2].verdict, FINDING_CONN_ICMP_PROHIBITED + 1);
    assert_int_equal(s->verdicts[3].verdict, FINDING_CONN_SYN_TIMEOUT + 1);
    assert_int_equal(s->verdicts[4].verdict, FINDING_CONN_SYN_TIMEOUT + 1);
}

static void single_syn_tells_how_long_the_capture_waited(void **state)
{
    struct scene *s = *state;
    (void)scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 90, 1);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "waited_ms")->number == 10000.0);
}

/* An answer would have been for the SYN that took the 4-tuple over. */
static void syn_that_another_replaced(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 10, 1)->flow.end = END_REUSED;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

static void refused_at_first_is_no_slow_network(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8100, 10);
    f->has_tcp = true;
    f->tcp.rst_to_syn = true;
    f->tcp.syn_count = 2;
    f->flow.syn_retransmissions = 1;
    f->tcp.established_ns = f->flow.first_ns + 511 * MS;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_int_equal(found->record.culprit, CULPRIT_SERVER);
}

/* Loopback: the client's program left the SYN-ACK unanswered. */
static void late_on_one_host_is_no_network(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "127.0.0.1", 1000, "127.0.0.1", 8100, 10);
    f->has_tcp = true;
    f->tcp.synack_count = 3;
    f->flow.synack_retransmissions = 2;
    f->tcp.synack_last_ns = f->flow.first_ns + 3 * SECOND;
    f->tcp.established_ns = f->flow.first_ns + 4 * SECOND;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_int_equal(found->record.culprit, CULPRIT_CLIENT);
}

/* It answers again five seconds later: it may have been starting. */
static void host_that_spoke_only_afterwards(void **state)
{
    struct scene *s = *state;
    (void)scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 10, 3);
    (void)scene_healthy(s, CLIENT, 1001, SERVER, 443, 18);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX)->record.confidence
                <= 80);
}

static void host_that_spoke_before_and_afterwards(void **state)
{
    struct scene *s = *state;
    (void)scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 10, 3);
    (void)scene_healthy(s, CLIENT, 1001, SERVER, 443, 18);
    (void)scene_healthy(s, CLIENT, 1002, SERVER, 443, 5);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX)->record.confidence
                >= 90);
}

static struct scene_flow *repeated_synacks(struct scene *s)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8101, 10);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.1, 100);
    f->tcp.side[0].unacked_bytes = 100;
    f->tcp.side[0].tail_retransmissions = 3;
    f->tcp.synack_count = 3;
    f->flow.synack_retransmissions = 2;
    f->tcp.synack_last_ns = f->flow.first_ns + 3 * SECOND;
    return f;
}

/* A queue that is full drops silently; another machine with that address resets. */
static void synacks_repeated_around_a_reset(void **state)
{
    struct scene *s = *state;
    flow_rst(repeated_synacks(s), SIDE_SERVER, 0.12, 60);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_BACKLOG_OVERFLOW));
}

static void synacks_repeated_before_the_reset(void **state)
{
    struct scene *s = *state;
    flow_rst(repeated_synacks(s), SIDE_SERVER, 13, 60);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_BACKLOG_OVERFLOW, CULPRIT_UNKNOWN);
}

/* ---- the capture ---- */

/* What is missing is there, compressed (RFC 3173). */
static void packets_that_cannot_be_read_are_not_lost(void **state)
{
    struct scene *s = *state;
    s->capture.gaps = 4;
    s->capture.acked_segments = 40;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 0, SERVER, 0, 10);
    f->flow.protocol = 108;
    f->has_tcp = false;
    f->flow.client_packets = f->flow.server_packets = 2;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CAPTURE_LOSS)->record.severity, SEVERITY_LOW);
    s->capture.gaps = 5;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CAPTURE_LOSS)->record.severity, SEVERITY_MEDIUM);
}

/* ---- silence --------------------------------------------------------------------------------- */

static struct scene_flow *silent_client(struct scene *s)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8100, 10);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.02, 200);
    flow_send(f, SIDE_SERVER, 0.1, 1000);
    f->tcp.side[1].unacked_bytes = 1000;
    f->tcp.side[1].tail_retransmissions = 5;
    f->tcp.side[1].tail_first_ns = f->flow.first_ns + 100 * MS;
    f->tcp.side[1].tail_last_ns = f->flow.last_ns = f->flow.first_ns + 20 * SECOND;
    return f;
}

static void client_that_fell_silent(void **state)
{
    struct scene *s = *state;
    (void)silent_client(s);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_CLIENT);
}

/* It goes on to serve others: something between the two stopped its acknowledgments. */
static void client_that_is_alive_elsewhere(void **state)
{
    struct scene *s = *state;
    (void)silent_client(s);
    scene_healthy(s, "10.0.0.7", 2000, CLIENT, 3128, 15)->has_tcp = true;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_UNKNOWN);
}

/* ---- resets in protocols that nobody reads --------------------------------------------------- */

static struct scene_flow *unread(struct scene *s, bool server_spoke)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 42000, 10);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.1, 100);
    if (server_spoke) {
        flow_send(f, SIDE_SERVER, 0.12, 100);
        f->flow.facts |= FLOW_FACT_ANSWERED;
        flow_send(f, SIDE_CLIENT, 0.2, 90);
    }
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    return f;
}

static void last_word_of_the_client_may_need_no_answer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = unread(s, true);
    flow_rst(f, SIDE_SERVER, 0.25, 60);
    f->tcp.side[0].unacked_bytes = 90; /* until the RST, which acknowledges them */
    f->resets[f->reset_count++] =
        (struct reset_record){.flow_id = f->flow.id,
                              .number = 1,
                              .side = SIDE_SERVER,
                              .source_id = 1,
                              .frame = 120,
                              .time_ns = f->flow.first_ns + 250 * MS,
                              .with_ack = true,
                              .ttl = 60,
                              .usual_ttl = 60,
                              .guess = RESET_GUESS_EXACT,
                              .ack_step = 90,
                              .own_ns = 130 * MS,
                              .peer_ns = 50 * MS,
                              .peer_first_ns = 50 * MS,
                              .peer_payload_ns = 50 * MS};
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
    assert_int_equal(found->record.severity, SEVERITY_LOW);
    assert_true(found->record.confidence < 50);
}

static void first_word_of_the_client_was_reset(void **state)
{
    struct scene *s = *state;
    flow_rst(unread(s, false), SIDE_SERVER, 0.25, 60);
    scene_judge(s);
    assert_int_equal(expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER)
                         ->record.severity,
                     SEVERITY_HIGH);
}

static void client_that_ends_a_long_pause(void **state)
{
    struct scene *s = *state;
    flow_rst(unread(s, true), SIDE_CLIENT, 60, 64);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
}

static void client_that_never_heard_anything(void **state)
{
    struct scene *s = *state;
    flow_rst(unread(s, false), SIDE_CLIENT, 60, 64);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_RESET_BY_CLIENT, CULPRIT_SERVER);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static struct scene_flow *hello(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 443, at);
    flow_establish(f);
    flow_tls(f, 0.02);
    return f;
}

/* 10 ms to the server: what it sent was on its way when the client left. */
static void client_that_left_before_the_answer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_fin(f, SIDE_CLIENT, 0.025);
    flow_server_hello(f, 0.035);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
}

static void client_that_left_after_the_answer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.035);
    flow_fin(f, SIDE_CLIENT, 0.04);
    flow_fin(f, SIDE_SERVER, 0.05);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT);
}

/* The client's alert, which nobody can read, came before the server's FIN. */
static void client_that_said_goodbye_first(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.035);
    f->tls.close_notify_client = f->tls.close_notify_server = true;
    flow_send(f, SIDE_CLIENT, 3.0, 31);
    flow_fin(f, SIDE_SERVER, 3.01);
    flow_fin(f, SIDE_CLIENT, 3.02);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT);
}

/* ---- answers inside TLS ---------------------------------------------------------------------- */

/* A session with one answer; the record is valid until the scene ends. */
static struct flow_delay_record *session(struct scene *s, int64_t answer_ns)
{
    struct scene_flow *f = hello(s, (uint16_t)(1000 + s->flow_count), 1 + (double)s->flow_count);
    flow_tls_done(f, 0.05);
    flow_send(f, SIDE_CLIENT, 0.1, 500);
    flow_send(f, SIDE_SERVER, 0.1 + (double)answer_ns / (double)SECOND, 500);
    f->tls.client_app_records = f->tls.server_app_records = 1;
    f->flow.facts |= FLOW_FACT_ANSWERED;
    struct flow_delay_record *d = &s->delays[s->delay_count++];
    *d = (struct flow_delay_record){.flow_id = f->flow.id,
                                    .tls_hello_wait_ns = -1,
                                    .tls_finish_wait_ns = -1,
                                    .answers = 1,
                                    .answer_sum_ns = answer_ns,
                                    .answer_max_ns = answer_ns,
                                    .answer_start_ns = f->flow.first_ns + 100 * MS,
                                    .answer_frame = f->flow.first_frame + 9,
                                    .answer_asked = 500,
                                    .window_sender = SIDE_NONE};
    return d;
}

static void slow_answer_inside_tls(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 6; i++)
        (void)session(s, 50 * MS);
    (void)session(s, 5 * SECOND);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
}

static void server_that_sends_when_it_likes(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 6; i++)
        (void)session(s, 50 * MS);
    session(s, 5 * SECOND)->term_ns[DELAY_DOWNLOAD] = 4 * SECOND;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(unreachable_although_told_only_once),
        SCENE_TEST(prohibited_speaks_for_its_port_alone),
        SCENE_TEST(single_syn_tells_how_long_the_capture_waited),
        SCENE_TEST(syn_that_another_replaced),
        SCENE_TEST(refused_at_first_is_no_slow_network),
        SCENE_TEST(late_on_one_host_is_no_network),
        SCENE_TEST(host_that_spoke_only_afterwards),
        SCENE_TEST(host_that_spoke_before_and_afterwards),
        SCENE_TEST(synacks_repeated_around_a_reset),
        SCENE_TEST(synacks_repeated_before_the_reset),
        SCENE_TEST(packets_that_cannot_be_read_are_not_lost),
        SCENE_TEST(client_that_fell_silent),
        SCENE_TEST(client_that_is_alive_elsewhere),
        SCENE_TEST(last_word_of_the_client_may_need_no_answer),
        SCENE_TEST(first_word_of_the_client_was_reset),
        SCENE_TEST(client_that_ends_a_long_pause),
        SCENE_TEST(client_that_never_heard_anything),
        SCENE_TEST(client_that_left_before_the_answer),
        SCENE_TEST(client_that_left_after_the_answer),
        SCENE_TEST(client_that_said_goodbye_first),
        SCENE_TEST(slow_answer_inside_tls),
        SCENE_TEST(server_that_sends_when_it_likes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
