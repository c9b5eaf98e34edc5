/* Exchanges without or with half an answer, kept-alive connections, slow and refusing servers. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static struct scene_flow *open_flow(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 8080, at);
    flow_establish(f);
    return f;
}

static void no_response(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/api/v1/orders", 0.02);
    flow_fin(f, SIDE_CLIENT, 5.02);
    f = open_flow(s, 1001, 11);
    (void)scene_request(s, f, "/api/v1/orders", 0.02); /* still open, the capture goes on */
    f = open_flow(s, 1002, 12);
    (void)scene_request(s, f, "/api/v1/orders", 0.02);
    flow_fin(f, SIDE_SERVER, 0.5); /* an empty reply */
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    assert_int_equal(found->record.count, 3);
    assert_string_equal(finding_value(found, "endpoint")->text, "GET /api/v1/orders");
    assert_true(finding_value(found, "waited_ms")->minimum == 480.0);
    assert_int_equal(s->verdicts[1].stage, STAGE_REQ);
}

/* Nothing more was heard of it; where the capture misses packets, its end may be among them. */
static void an_end_that_was_missed(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/api/v1/orders", 0.02);
    (void)scene_healthy(s, CLIENT, 2000, SERVER, 8101, 60);
    for (int i = 0; i < 3; i++) {
        s->capture.gaps = i == 0 ? 0 : 4;
        s->capture.acked_segments = i == 1 ? 400 : 40000;
        scene_judge(s);
        assert_int_equal(s->verdicts[1].outcome, i == 1 ? OUTCOME_UNKNOWN : OUTCOME_FAILED);
    }
    s->capture.acked_segments = 400;
    f->flow.last_ns += 30 * SECOND; /* it waited on, as its keep-alives tell */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
}

/* A client that leaves proves nothing of how long the server would have taken. */
static void left_while_waiting(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/poll", 0.02);
    flow_fin(f, SIDE_CLIENT, 4.02);
    f = open_flow(s, 1001, 15); /* this endpoint takes 9 s */
    flow_answer(f, scene_request(s, f, "/next", 0.02), 200, 9.02);
    f = open_flow(s, 1002, 25);
    (void)scene_request(s, f, "/next", 0.02);
    flow_fin(f, SIDE_CLIENT, 5.02);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_outcome(s, 3, OUTCOME_UNKNOWN);
    assert_null(scene_find(s, FINDING_HTTP_NO_RESPONSE));
    s->requests[0].method = "POST"; /* whoever posts waits for what becomes of it */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
}

/* A GET whose like is answered at once is surer than one that nothing compares with. */
static void left_by_its_client(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_fin(f, SIDE_CLIENT, 5.02);
    scene_judge(s);
    assert_int_equal(
        expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER)->record.confidence, 75);
    f = open_flow(s, 1001, 20);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    scene_judge(s);
    assert_int_equal(
        expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER)->record.confidence, 90);
}

static void request_at_the_end_or_left_alone(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 98);
    (void)scene_request(s, f, "/a", 0.02);
    f = open_flow(s, 1001, 20);
    (void)scene_request(s, f, "/a", 0.02);
    flow_fin(f, SIDE_CLIENT, 0.5); /* it did not wait */
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

/* Asked again at once when it is answered, and left when it is not: it waits for news. */
static void asked_again_and_left(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/next", 0.02);
    flow_answer(f, r, 200, 20.02);
    r = scene_request(s, f, "/next", 20.03);
    r->number = 2;
    r->idle_ns = 10 * MS;
    flow_answer(f, r, 200, 24.03);
    f = open_flow(s, 1001, 50);
    (void)scene_request(s, f, "/next", 0.02);
    flow_fin(f, SIDE_CLIENT, 25);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
    for (size_t i = 0; i < 3; i++) /* whoever brings something waits for what becomes of it */
        s->requests[i].method = "POST";
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
    for (size_t i = 0; i < 3; i++)
        s->requests[i].method = "GET";
    s->requests[1].idle_ns = 9 * SECOND; /* a user who comes back */
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
}

static void long_poll_may_stay_unanswered(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 5);
    for (int i = 0; i < 3; i++)
        flow_answer(f, scene_request(s, f, "/poll", i * 6 + 0.02), 200, i * 6 + 5);
    flow_fin(f, SIDE_CLIENT, 20);
    f = open_flow(s, 1001, 30);
    (void)scene_request(s, f, "/poll", 0.02);
    flow_fin(f, SIDE_CLIENT, 6);
    scene_judge(s);
    expect_outcome(s, 2, OUTCOME_OK);
    expect_quiet(s); /* and its answers are not slow */
}

/* A name is enough for one answer that came late, unless it was brought something. */
static void news_may_come_late_once(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/invoice.Feed/Watch", 0.02);
    flow_answer(f, r, 200, 9);
    flow_fin(f, SIDE_CLIENT, 10);
    scene_judge(s);
    expect_quiet(s);
    r->method = "POST";
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SERVER_SLOW_RESPONSE));
    r->kind = HTTP_GRPC;
    scene_judge(s);
    expect_quiet(s);
}

static void tls_request_without_answer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    flow_send(f, SIDE_CLIENT, 0.1, 500);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    flow_fin(f, SIDE_CLIENT, 10);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER)->record.confidence <=
                80);
    s->flows[1].flow.facts |= FLOW_FACT_ANSWERED; /* HTTP/2 and WebSocket end like this */
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
}

static void truncated(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/a", 0.02);
    flow_answer(f, r, 200, 0.05);
    r->truncated = true;
    r->complete = false;
    r->ended_by = SIDE_SERVER;
    r->response_bytes = 700;
    f->flow.facts |= FLOW_FACT_ANSWER_INCOMPLETE;
    flow_fin(f, SIDE_SERVER, 0.06);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_HTTP_TRUNCATED_RESPONSE, CULPRIT_SERVER);
    assert_true(finding_value(found, "received_bytes")->number == 700);
}

static void download_that_the_client_stops_or_the_capture_cuts(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/a", 0.02);
    flow_answer(f, r, 200, 0.05);
    r->truncated = true;
    f->flow.facts |= FLOW_FACT_ANSWER_INCOMPLETE;
    flow_fin(f, SIDE_CLIENT, 0.06);
    f = open_flow(s, 1001, 97);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 2.9);
    f->flow.facts |= FLOW_FACT_ANSWER_INCOMPLETE;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_outcome(s, 2, OUTCOME_OK);
    expect_quiet(s);
}

/* The goodbye had come a second before: the client asks without looking. */
static void asked_on_a_closed_connection(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    flow_fin(f, SIDE_SERVER, 5.0);
    (void)scene_request(s, f, "/a", 6.0);
    flow_rst(f, SIDE_SERVER, 6.02, 60);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_KEEPALIVE_RACE, CULPRIT_CLIENT);
}

/* The last word of a connection that nobody could read, said with the goodbye, is no request. */
static void last_word_before_a_goodbye(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 200);
    flow_send(f, SIDE_SERVER, 0.05, 200);
    flow_send(f, SIDE_CLIENT, 0.06, 27);
    f->flow.facts |= FLOW_FACT_ANSWERED | FLOW_FACT_REQUEST_OPEN;
    f->flow.app = "tls"; /* whose handshake came before the capture */
    flow_fin(f, SIDE_CLIENT, 0.06);
    flow_fin(f, SIDE_SERVER, 0.067);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_HTTP_KEEPALIVE_RACE));
    s->flows[1].tcp.side[0].fin_ns = s->flows[1].flow.first_ns + 80 * MS; /* it left because the server did */
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_HTTP_KEEPALIVE_RACE));
}

static void keepalive_race(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    (void)scene_request(s, f, "/a", 5.06);
    flow_fin(f, SIDE_SERVER, 5.061); /* it cannot have seen the request: 10 ms away */
    flow_rst(f, SIDE_SERVER, 5.08, 60);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_HTTP_KEEPALIVE_RACE, CULPRIT_SERVER);
    assert_true(finding_value(found, "idle_ms")->number > 4900.0);
    /* a server that closes after it had the request in hand */
    struct tcp_side_facts *server = &s->flows[1].tcp.side[1];
    server->fin_ns = s->flows[1].flow.first_ns + 5300 * MS;
    server->rst_ns = -1;
    s->flows[1].flow.server_resets = 0;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
}

static void slow_answers(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 6; i++) {
        struct scene_flow *f = open_flow(s, (uint16_t)(1000 + i), 10 + i);
        flow_answer(f, scene_request(s, f, "/a", 0.02), 200, i == 5 ? 4.02 : 0.12);
        flow_fin(f, SIDE_CLIENT, 5);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_SERVER_SLOW_RESPONSE);
    assert_non_null(found);
    assert_int_equal(found->record.severity, SEVERITY_HIGH);
    assert_int_equal(found->record.count, 1);
    assert_true(finding_value(found, "response_ms")->number > 3999.9 &&
                finding_value(found, "response_ms")->number < 4000.1);
    s->requests[5].wait_ns = 1500 * MS; /* far above the usual 100 ms */
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_SERVER_SLOW_RESPONSE)->record.severity, SEVERITY_MEDIUM);
    s->requests[5].wait_ns = 900 * MS;
    scene_judge(s);
    expect_quiet(s);
}

static void errors_of_servers_and_gateways(void **state)
{
    static const int32_t status[] = {200, 200, 500, 502, 404, 200};
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    for (int i = 0; i < 6; i++)
        flow_answer(f, scene_request(s, f, "/a", i + 0.02), status[i], i + 0.05);
    flow_fin(f, SIDE_CLIENT, 7);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_HTTP_SERVER_ERROR);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "status")->text, "500");
    assert_true(finding_value(found, "share")->number > 16.6 &&
                finding_value(found, "share")->number < 16.7);
    assert_non_null(scene_find(s, FINDING_HTTP_GATEWAY_ERROR));
    expect_outcome(s, 1, OUTCOME_OK); /* the connection worked */
}

static void challenge_overcome_is_none(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 401, 0.05);
    flow_answer(f, scene_request(s, f, "/a", 0.1), 200, 0.15);
    flow_fin(f, SIDE_CLIENT, 1);
    scene_judge(s);
    expect_quiet(s);
    s->requests[1].status = 401;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_HTTP_AUTH_FAILED);
    assert_non_null(found);
    assert_int_equal(found->record.culprit, CULPRIT_CLIENT);
    assert_int_equal(found->record.count, 2);
    assert_int_equal(found->flow_count, 1); /* one connection, listed once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(no_response),
        SCENE_TEST(an_end_that_was_missed),
        SCENE_TEST(left_while_waiting),
        SCENE_TEST(left_by_its_client),
        SCENE_TEST(request_at_the_end_or_left_alone),
        SCENE_TEST(asked_again_and_left),
        SCENE_TEST(long_poll_may_stay_unanswered),
        SCENE_TEST(news_may_come_late_once),
        SCENE_TEST(tls_request_without_answer),
        SCENE_TEST(truncated),
        SCENE_TEST(download_that_the_client_stops_or_the_capture_cuts),
        SCENE_TEST(asked_on_a_closed_connection),
        SCENE_TEST(keepalive_race),
        SCENE_TEST(last_word_before_a_goodbye),
        SCENE_TEST(slow_answers),
        SCENE_TEST(errors_of_servers_and_gateways),
        SCENE_TEST(challenge_overcome_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
