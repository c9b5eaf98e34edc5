/* Connections that show, without missing bytes, that the capture has not all of their packets. */
#include "tests/unit/test_site_tls_help.h"

static struct scene_flow *open_flow(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 8201, at);
    flow_establish(f);
    return f;
}

/* A connection of somebody else whose last packets the capture has not. */
static struct scene_flow *tear_another(struct scene *s)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.9", 3000, SERVER, 443, 12);
    f->has_tcp = true;
    f->tcp.side[SIDE_SERVER].unseen_echo = true;
    return f;
}

/* ---- the connection itself ------------------------------------------------------------------- */

static struct scene_flow *left_after_wait(struct scene *s)
{
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/orders", 0.02);
    flow_fin(f, SIDE_CLIENT, 5);
    return f;
}

static void client_that_heard_more(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = left_after_wait(s);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    f->tcp.side[SIDE_SERVER].unseen_echo = true;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* The client waits for 3 s, and never sends its request again, which nobody acknowledged. */
static void request_that_was_not_sent_again(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/orders", 0.02);
    flow_rst(f, SIDE_CLIENT, 3, 64);
    f->tcp.side[SIDE_CLIENT].rst_with_ack = true;
    scene_judge(s);
    assert_int_equal(s->verdicts[1].outcome, OUTCOME_FAILED);
    f->tcp.side[SIDE_CLIENT].unacked_bytes = 100;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    f->tcp.side[SIDE_CLIENT].wire_gap_bytes = 1400; /* what it sent again was lost before the tap, like that */
    scene_judge(s);
    assert_int_equal(s->verdicts[1].outcome, OUTCOME_FAILED);
}

static void answer_in_clear_from_its_middle(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 1);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    f->tls.plaintext_server = true;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_ON_PLAINTEXT_PORT, CULPRIT_CLIENT);
    f->tcp.side[SIDE_SERVER].wire_gap_bytes = 1400;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static struct scene_flow *reset_request(struct scene *s)
{
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/orders", 0.02);
    flow_rst(f, SIDE_SERVER, 0.05, 60);
    f->tcp.side[SIDE_SERVER].rst_with_ack = true;
    return f;
}

/* The client's system refuses something behind the reset: the server went on. */
static void reset_that_was_answered(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = reset_request(s);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
    f->tcp.side[SIDE_CLIENT].rst_ns = f->tcp.side[SIDE_SERVER].rst_ns + 20 * MS;
    f->tcp.side[SIDE_CLIENT].rst_count = 1;
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_UNKNOWN)->record.confidence <
                CONFIDENCE_POSSIBLE);
}

/* RFC 9293 3.10.7.1: a RST without ACK says that there is no such connection. */
static void reset_by_a_stranger(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_rst(f, SIDE_SERVER, 0.1, 60);
    f->tcp.side[SIDE_SERVER].rst_with_ack = true;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
    f->tcp.side[SIDE_SERVER].rst_with_ack = false;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_UNKNOWN);
}

/* Nothing was ever heard of the service, and packets are missing: it may speak TLS. */
static void request_to_a_service_never_heard(void **state)
{
    struct scene *s = *state;
    reset_request(s);
    tear_another(s);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_UNKNOWN);
    scene_healthy(s, CLIENT, 1002, SERVER, 8201, 14);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
}

/* ---- the capture ----------------------------------------------------------------------------- */

static void silence_in_a_torn_capture(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/orders", 0.02);
    scene_judge(s);
    assert_int_equal(expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER)->record.confidence, 75);
    struct scene_flow *other = tear_another(s);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    other->tcp.side[SIDE_SERVER].unseen_echo = false;
    other->tcp.syn_count = 0;
    other->flow.facts |= FLOW_FACT_MIDSTREAM | FLOW_FACT_SERVER_SPOKE_FIRST; /* an answer without its question */
    other->flow.app = "http";
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* One side of a connection is missing: that is the way, unless the capture has both sides of others on it. */
static void silence_beside_half_a_connection(void **state)
{
    struct scene *s = *state;
    (void)scene_request(s, open_flow(s, 1000, 10), "/orders", 0.02);
    struct scene_flow *half = scene_flow_add(s, "10.0.0.9", 3000, SERVER, 443, 12);
    half->flow.facts |= FLOW_FACT_UNSEEN_PEER;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    scene_healthy(s, "10.0.0.9", 3001, SERVER, 443, 13);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

static void lone_syn_before_a_pause(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 10, 1);
    (void)snprintf(s->capture.pauses, sizeof s->capture.pauses, "%lld+1500", (long long)(START_NS + 10 * SECOND));
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    (void)snprintf(s->capture.pauses, sizeof s->capture.pauses, "%lld+5000", (long long)(START_NS + 10 * SECOND));
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

static void lone_syn_in_a_torn_capture(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 10, 1);
    scene_silent_syn(s, CLIENT, 1002, SERVER, 8443, 11, 4);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    tear_another(s);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    /* what was asked four times was not answered, but who is to blame may be missing */
    (void)expect_verdict(s, 2, FINDING_CONN_SYN_TIMEOUT, CULPRIT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(client_that_heard_more),
        SCENE_TEST(request_that_was_not_sent_again),
        SCENE_TEST(answer_in_clear_from_its_middle),
        SCENE_TEST(reset_that_was_answered),
        SCENE_TEST(reset_by_a_stranger),
        SCENE_TEST(request_to_a_service_never_heard),
        SCENE_TEST(silence_in_a_torn_capture),
        SCENE_TEST(silence_beside_half_a_connection),
        SCENE_TEST(lone_syn_before_a_pause),
        SCENE_TEST(lone_syn_in_a_torn_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
