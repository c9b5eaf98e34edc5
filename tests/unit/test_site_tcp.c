/* Verdicts of open connections whose way broke or that a RST ended; losses and closed windows. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static struct scene_flow *open_flow(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 8101, at);
    flow_establish(f);
    return f;
}

/* The unacknowledged end of what a side sent. */
static void tail(struct scene_flow *f, enum side side, double first, uint32_t again, uint64_t bytes,
                 uint32_t ip_len)
{
    struct tcp_side_facts *t = &f->tcp.side[side];
    t->tail_first_ns = f->flow.first_ns + (int64_t)(first * (double)SECOND);
    t->tail_retransmissions = again;
    t->tail_last_ns = t->tail_first_ns + ((1LL << again) - 1) * 200 * MS;
    t->unacked_bytes = bytes;
    t->smallest_lost = ip_len;
    t->dont_fragment = true;
    flow_touch(f, side, t->tail_last_ns);
    if (side == SIDE_CLIENT)
        f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
}

static void mtu_at_the_sender(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    tail(f, SIDE_CLIENT, 1, 5, 1448, 1500);
    f->tcp.side[0].largest_delivered = 352;
    flow_touch(f, SIDE_SERVER, f->flow.first_ns + 5 * SECOND); /* alive */
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_PATH_MTU_BLACKHOLE, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "passed_bytes")->number == 352);
    assert_true(found->record.confidence >= 80);
}

static void mtu_look_alikes(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10); /* as large ones passed before */
    flow_send(f, SIDE_CLIENT, 0.02, 30000);
    tail(f, SIDE_CLIENT, 1, 5, 1448, 1500);
    f->tcp.side[0].largest_delivered = 1500;
    f = scene_flow_add(s, "10.0.0.5", 1001, SERVER, 8101, 10); /* ICMP told the sender */
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    tail(f, SIDE_CLIENT, 1, 5, 1448, 1500);
    f->tcp.side[0].largest_delivered = 352;
    flow_touch(f, SIDE_SERVER, f->flow.first_ns + 5 * SECOND);
    struct icmp_record *r = scene_icmp(s, f, "10.0.0.254", 3, 4);
    r->quotes_syn = false;
    r->mtu = 1400;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_MTU_BLACKHOLE));
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_UNKNOWN); /* it answers others meanwhile */
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
}

/* The router's word came by the tap, and the sender went on as before; when it says what fits all of it, or comes
 * behind the last try, it explains nothing. */
static void mtu_that_is_not_heeded(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    tail(f, SIDE_CLIENT, 1, 5, 1448, 1500);
    f->tcp.side[0].largest_delivered = 352;
    flow_touch(f, SIDE_SERVER, f->flow.first_ns + 5 * SECOND);
    struct icmp_record *r = scene_icmp(s, f, "10.0.0.254", 3, 4);
    r->quotes_syn = false;
    r->sequence_fits = true;
    r->quoted_side = SIDE_CLIENT;
    r->time_ns = f->tcp.side[0].tail_first_ns + 300 * MS;
    r->mtu = 1400;
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_PATH_MTU_BLACKHOLE, CULPRIT_UNKNOWN);
    assert_true(finding_value(found, "mtu")->number == 1400);
    assert_string_equal(finding_value(found, "router")->text, "10.0.0.254");
    assert_string_equal(finding_value(found, "sender")->text, "client");
    r->mtu = 1500;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_MTU_BLACKHOLE));
    r->mtu = 1400;
    r->time_ns = f->tcp.side[0].tail_last_ns + MS;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_MTU_BLACKHOLE));
}

static void mtu_at_the_receiver(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 200);
    f->tcp.side[1].wire_gap_bytes = 1448;
    f->tcp.side[0].duplicate_acks = 1;
    flow_fin(f, SIDE_CLIENT, 12);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_PATH_MTU_BLACKHOLE, CULPRIT_MIDDLEBOX);
}

static void idle_state_lost(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    tail(f, SIDE_CLIENT, 30, 4, 300, 352);
    f->tcp.idle_before_tail_ns = 29 * SECOND;
    f->tcp.longest_idle_ns = SECOND;
    f->tcp.tail_tries = 5;
    struct scene_flow *other = scene_healthy(s, "10.0.0.7", 1001, SERVER, 8101, 41);
    other->flow.last_ns += SECOND;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_IDLE_STATE_LOST, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "idle_ms")->number == 29000.0);
    /* a flow that survived such pauses before did not lose its state by this one */
    s->flows[1].tcp.longest_idle_ns = 28 * SECOND;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_UNKNOWN);
}

static void idle_then_reset(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 2; i++) {
        struct scene_flow *f = open_flow(s, (uint16_t)(1000 + i), 10 + i);
        flow_send(f, SIDE_CLIENT, 0.02, 300);
        flow_send(f, SIDE_SERVER, 0.05, 300);
        flow_send(f, SIDE_CLIENT, 30, 300);
        f->flow.facts |= FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWERED;
        flow_rst(f, SIDE_SERVER, 30.01, i == 0 ? 60 : 64);
        f->tcp.idle_before_tail_ns = 29 * SECOND;
        f->tcp.longest_idle_ns = SECOND;
    }
    scene_judge(s);
    assert_int_equal(s->verdicts[1].verdict, FINDING_TCP_IDLE_STATE_LOST + 1);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TCP_IDLE_STATE_LOST + 1);
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding_record *r = &s->findings[i].record;
        assert_int_equal(r->culprit, r->flow_id == 2 ? CULPRIT_SERVER : CULPRIT_MIDDLEBOX);
    }
}

static void server_closing_its_idle_connection_is_fine(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    flow_rst(f, SIDE_SERVER, 60, 60);
    f->tcp.idle_before_tail_ns = 59 * SECOND;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_quiet(s);
}

static void vanished(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 5000);
    tail(f, SIDE_CLIENT, 1, 5, 2896, 1500);
    f->tcp.side[0].largest_delivered = 1500;
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_SERVER);
    assert_string_equal(finding_value(found, "silent")->text, "server");
    assert_true(finding_value(found, "retransmissions")->number == 5);
    /* a server that had said goodbye owes nothing */
    flow_fin(&s->flows[1], SIDE_SERVER, 0.5);
    scene_judge(s);
    assert_int_equal(s->verdicts[1].outcome, OUTCOME_OK);
}

/* The client got the first 17 kB of its answer; the rest was sent five times, and it was heard to give
 * up meanwhile. */
static struct scene_flow *half_delivered(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = open_flow(s, port, at);
    (void)scene_request(s, f, "/a", 0.02);
    flow_send(f, SIDE_SERVER, 0.05, 50000);
    tail(f, SIDE_SERVER, 0.06, 5, 33000, 1500);
    f->tcp.side[1].largest_delivered = 1500;
    f->flow.facts |= FLOW_FACT_ANSWERED;
    f->flow.facts &= ~(uint64_t)FLOW_FACT_REQUEST_OPEN;
    flow_fin(f, SIDE_CLIENT, 5);
    flow_touch(f, SIDE_CLIENT, f->flow.first_ns + 8 * SECOND);
    return f;
}

static void cut_one_way(void **state)
{
    struct scene *s = *state;
    (void)half_delivered(s, 1000, 10);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_NETWORK);
    assert_string_equal(finding_value(found, "toward")->text, "client");
    assert_true(finding_value(found, "unacked")->number == 33000);
    assert_int_equal(found->value_count, 4);
}

/* The server only offers the connection again meanwhile: what came may have found no room in its queue. */
static void offered_again(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 500);
    tail(f, SIDE_CLIENT, 0.3, 5, 500, 500);
    f->tcp.synack_count = 2;
    f->tcp.synack_last_ns = f->flow.first_ns + 7 * SECOND;
    flow_touch(f, SIDE_SERVER, f->flow.first_ns + 7 * SECOND);
    flow_touch(f, SIDE_CLIENT, f->flow.first_ns + 8 * SECOND);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_UNKNOWN);
    assert_int_equal(found->record.confidence, 60);
}

/* Behind the cut: later packets of the server show a hole that is never filled. */
static void missed_one_way(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    f->flow.facts &= ~(uint64_t)FLOW_FACT_REQUEST_OPEN;
    f->flow.facts |= FLOW_FACT_ANSWERED;
    flow_touch(f, SIDE_SERVER, f->flow.first_ns + SECOND / 2);
    f->tcp.side[1].wire_gap_bytes = f->tcp.side[1].unacked_bytes = 492;
    flow_fin(f, SIDE_CLIENT, 7);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_NETWORK);
    assert_string_equal(finding_value(found, "toward")->text, "client");
    s->flows[1].tcp.side[0].fin_ns = s->flows[1].flow.first_ns + SECOND; /* it did not wait */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_VANISHED));
    s->flows[1].tcp.side[0].fin_ns = s->flows[1].flow.first_ns + 7 * SECOND;
    s->flows[1].flow.capture_lost_bytes = 492; /* it had come, the capture missed it */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_VANISHED));
}

static void left_before_it_was_sent(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = half_delivered(s, 1000, 10);
    f->tcp.side[0].fin_ns = f->flow.first_ns + 55 * MS; /* it had enough, and its firewall forgot */
    f = half_delivered(s, 1001, 11);
    f->tcp.side[0].zero_window_ns = 3 * SECOND; /* it takes nothing more, and says so */
    f = half_delivered(s, 1002, 12);
    f->tcp.side[1].tail_retransmissions = 2; /* the capture ends while it is tried */
    f = half_delivered(s, 1003, 13);
    flow_rst(f, SIDE_CLIENT, 9, 64);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_VANISHED));
}

/* ICMP that quotes what was never acknowledged names who stopped it, whichever side had sent it. */
static void told_by_icmp(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = half_delivered(s, 1000, 10);
    struct icmp_record *r = scene_icmp(s, f, "10.0.0.254", 3, 13);
    r->quotes_syn = false;
    r->quoted_side = SIDE_SERVER;
    r->time_ns = f->flow.first_ns + SECOND;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_CONN_ICMP_PROHIBITED, CULPRIT_MIDDLEBOX);
    assert_string_equal(finding_value(found, "toward")->text, "client");
    r->router_ip = f->flow.client_ip; /* its own firewall */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_ICMP_PROHIBITED, CULPRIT_CLIENT);
    s->flows[1].tcp.side[0].fin_ns = f->flow.first_ns + 55 * MS; /* it had left */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_ICMP_PROHIBITED));
}

static void reset_by_the_server(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_SERVER, 0.5, 60);
    f = open_flow(s, 1001, 11);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_SERVER, 0.5, 64); /* one sign: possible */
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
    assert_int_equal(found->record.count, 1);
    assert_true(finding_value(found, "waited_ms")->number == 480.0);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TCP_RESET_BY_SERVER + 1);
    found = &s->findings[s->finding_count - 1];
    assert_int_equal(found->record.code, FINDING_TCP_RESET_BY_SERVER + 1);
    assert_int_equal(found->record.culprit, CULPRIT_UNKNOWN);
    assert_true(found->record.confidence < 50 && found->record.reason != NULL);
    s->flows[1].flow.client_ip = s->flows[0].flow.client_ip;
    s->flow_count = 3;
    f = &s->flows[1];
    f->has_tcp = false;
    f->flow.facts = FLOW_FACT_ESTABLISHED;
    f->flow.server_resets = 0;
    scene_judge(s);
    assert_true(scene_find(s, FINDING_TCP_RESET_BY_SERVER)->record.confidence < 50);
}

static void resets_that_hurt_nobody(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10); /* LINGER 0 after the answer */
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    flow_rst(f, SIDE_SERVER, 0.06, 60);
    f = open_flow(s, 1001, 11); /* the client throws away a kept-alive connection */
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    flow_rst(f, SIDE_CLIENT, 5, 64);
    f = open_flow(s, 1002, 12); /* after its own FIN */
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    flow_fin(f, SIDE_CLIENT, 0.06);
    flow_rst(f, SIDE_CLIENT, 0.07, 64);
    f = open_flow(s, 1003, 13); /* close_notify, then reset */
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->tls.close_notify_client = true;
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWERED;
    flow_rst(f, SIDE_CLIENT, 0.1, 64);
    f = open_flow(s, 1004, 14); /* "QUIT" to a socket that is gone */
    flow_send(f, SIDE_SERVER, 0.02, 50);
    flow_send(f, SIDE_CLIENT, 0.05, 6);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    flow_rst(f, SIDE_SERVER, 0.06, 60);
    f->tcp.side[1].rst_with_ack = false;
    scene_judge(s);
    for (size_t i = 1; i <= 4; i++)
        expect_outcome(s, i, OUTCOME_OK);
    expect_outcome(s, 5, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void reset_by_the_client(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_CLIENT, 0.5, 64);
    f = open_flow(s, 1001, 11);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_CLIENT, 10, 64); /* it waited: the verdict goes to what it waited for */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_RESET_BY_CLIENT, CULPRIT_CLIENT);
    expect_verdict(s, 2, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    s->flow_count = 2;
    s->flows[1].tcp.side[0].rst_with_ack = false; /* its socket had gone before */
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_RESET_BY_CLIENT, CULPRIT_UNKNOWN);
    assert_true(found->record.confidence < 50);
}

static void injected_needs_two_families(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_SERVER, 0.021, 64);
    f->tcp.side[1].data_after_rst = true;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_RESET_INJECTED, CULPRIT_MIDDLEBOX);
    assert_non_null(strstr(finding_value(found, "signs")->text, "TTL"));
    assert_non_null(strstr(finding_value(found, "signs")->text, "later data"));
    assert_string_equal(finding_value(found, "sender")->text, "server");
    assert_int_equal(found->record.severity, SEVERITY_HIGH);
}

static void capture_duplicates_withdraw_an_injection(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_rst(f, SIDE_SERVER, 0.5, 64);
    f->tcp.side[1].data_after_rst = true;
    f->flow.facts |= FLOW_FACT_DUPLICATES;
    s->capture.duplicate_packets = 4000;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    assert_non_null(scene_find(s, FINDING_CAPTURE_DUPLICATES));
}

static void midstream_is_ok_while_data_flows(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8101, 0);
    f->flow.facts |= FLOW_FACT_MIDSTREAM;
    f->tcp.syn_count = 0;
    flow_send(f, SIDE_CLIENT, 1, 300);
    flow_send(f, SIDE_SERVER, 2, 300);
    f = scene_flow_add(s, CLIENT, 1001, SERVER, 8101, 0); /* a late RST alone says nothing */
    f->flow.facts |= FLOW_FACT_MIDSTREAM;
    f->tcp.syn_count = 0;
    flow_rst(f, SIDE_SERVER, 0, 60);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void loss_on_a_path(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8101, 10);
    f->has_tcp = true;
    f->tcp.side[1].segments = 300;
    f->tcp.side[1].recovered_losses = 6;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_LOSS);
    assert_non_null(found);
    assert_true(finding_value(found, "share")->number == 2.0);
    assert_string_equal(finding_value(found, "side")->text, "client"); /* behind the tap */
    s->flows[1].tcp.side[1].filling_retransmissions = 5;
    scene_judge(s);
    assert_string_equal(finding_value(scene_find(s, FINDING_TCP_LOSS), "side")->text, "server");
    s->flows[1].tcp.side[1].filling_retransmissions = 3; /* here and there */
    scene_judge(s);
    found = scene_find(s, FINDING_TCP_LOSS);
    for (size_t i = 0; i < found->value_count; i++)
        assert_string_not_equal(found->values[i].name, "side");
    expect_outcome(s, 1, OUTCOME_OK);
    s->flows[1].tcp.side[1].recovered_losses = 2; /* below one in a hundred */
    scene_judge(s);
    expect_quiet(s);
    s->flows[1].tcp.side[1].segments = 40; /* too few to tell */
    s->flows[1].tcp.side[1].recovered_losses = 6;
    scene_judge(s);
    expect_quiet(s);
}

static void zero_window_blames_the_receiver(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8101, 10);
    f->has_tcp = true;
    f->tcp.side[0].zero_window_ns = 3 * SECOND;
    f->flow.last_ns += 10 * SECOND;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_ZERO_WINDOW);
    assert_non_null(found);
    assert_int_equal(found->record.culprit, CULPRIT_CLIENT);
    assert_true(finding_value(found, "stalled_ms")->number == 3000.0);
    s->flows[1].tcp.side[0].zero_window_ns = 100 * MS;
    scene_judge(s);
    expect_quiet(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(mtu_at_the_sender),
        SCENE_TEST(mtu_look_alikes),
        SCENE_TEST(mtu_that_is_not_heeded),
        SCENE_TEST(mtu_at_the_receiver),
        SCENE_TEST(idle_state_lost),
        SCENE_TEST(idle_then_reset),
        SCENE_TEST(server_closing_its_idle_connection_is_fine),
        SCENE_TEST(vanished),
        SCENE_TEST(cut_one_way),
        SCENE_TEST(offered_again),
        SCENE_TEST(missed_one_way),
        SCENE_TEST(left_before_it_was_sent),
        SCENE_TEST(told_by_icmp),
        SCENE_TEST(reset_by_the_server),
        SCENE_TEST(resets_that_hurt_nobody),
        SCENE_TEST(reset_by_the_client),
        SCENE_TEST(injected_needs_two_families),
        SCENE_TEST(capture_duplicates_withdraw_an_injection),
        SCENE_TEST(midstream_is_ok_while_data_flows),
        SCENE_TEST(loss_on_a_path),
        SCENE_TEST(zero_window_blames_the_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
