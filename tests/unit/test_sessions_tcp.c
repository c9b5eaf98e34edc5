/* TCP analysis: each test is a short conversation whose truth is known by construction. */
#include "tests/unit/session_fixture.h"

static void test_plain_connection(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 300));
    send_at(c, 5, FIN(0, 101, 301));
    send_at(c, 20, FIN(1, 301, 102));
    send_at(c, 5, ACK(0, 102, 302));
    engine_finish(c->engine);
    const struct flow_record *flow = &f->seen.flows[0];
    assert_int_equal(f->seen.count, 1);
    assert_string_equal(flow->state, "SF");
    assert_string_equal(flow->history, "ShADdFf");
    assert_int_equal(flow->connect_rtt_server_ns, 20000000);
    assert_int_equal(flow->connect_rtt_client_ns, 5000000);
    assert_int_equal(flow->client_payload_bytes, 100);
    assert_int_equal(flow->server_payload_bytes, 300);
    assert_int_equal(flow->client_ttl, 64);
    assert_int_equal(flow->server_ttl, 57);
    assert_int_equal(flow->closed_by, SIDE_CLIENT);
    assert_false(f->seen.has_tcp[0]);
}

static void test_syn_without_answer(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    for (int i = 0; i < 4; i++)
        send_at(c, i == 0 ? 0 : 1000 << (i - 1),
                (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    engine_finish(c->engine);
    assert_string_equal(f->seen.flows[0].state, "S0");
    assert_string_equal(f->seen.flows[0].history, "S");
    assert_int_equal(f->seen.flows[0].syn_retransmissions, 3);
    assert_int_equal(f->seen.tcp[0].syn_count, 4);
    assert_int_equal(f->seen.tcp[0].syn_last_ns - f->seen.flows[0].first_ns, 7000000000LL);
    assert_int_equal(f->seen.flows[0].facts & FLOW_FACT_UNSEEN_PEER, 0);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    c->isn[1] = 0;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 20, (struct segment){1, TCP_RST | TCP_ACK, 0, 1, NULL, 0, 61, 0});
    engine_finish(c->engine);
    assert_string_equal(f->seen.flows[0].state, "REJ");
    assert_true(f->seen.tcp[0].rst_to_syn);
    assert_int_equal(f->seen.tcp[0].side[1].rst_ttl, 61);
    assert_int_equal(f->seen.flows[0].server_ttl, 0); /* a RST says nothing about the host's TTL */
    assert_int_equal(f->seen.tcp[0].side[1].rst_delay_ns, 20000000);
}

/* RFC 9293 3.10.7.3: such a RST refuses nothing, its receiver drops it. */
static void test_refusal_without_acknowledgment(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 20, RST(1, 1));
    send_at(c, 980, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_false(f->seen.tcp[0].rst_to_syn);
    assert_int_equal(f->seen.tcp[0].side[1].rst_count, 1);
}

static void test_retransmission_after_the_tap(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 220, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 1);
    assert_int_equal(f->seen.tcp[0].side[0].recovered_losses, 1);
    assert_int_equal(f->seen.tcp[0].side[0].tail_retransmissions, 0);
    assert_int_equal(f->seen.tcp[0].side[0].spurious_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 100);
}

static void test_spurious_retransmission(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    send_at(c, 200, DATA(0, 1, 1, 100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 1);
    assert_int_equal(f->seen.tcp[0].side[0].spurious_retransmissions, 1);
    assert_int_equal(f->seen.tcp[0].side[0].recovered_losses, 0);
}

static void test_reordering_is_no_retransmission(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct segment first = DATA(0, 1, 1, 100), second = DATA(0, 101, 1, 100);
    handshake(c, 20, 5);
    first.ip_id = 300;
    second.ip_id = 301;
    send_at(c, 1, second);
    send_at(c, 8, first); /* older ID: it left before */
    send_at(c, 20, ACK(1, 1, 201));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.tcp[0].side[0].reordered_segments, 1);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

static void test_hole_filled_is_loss_before_the_tap(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 101, 1, 100));
    send_at(c, 210, DATA(0, 1, 1, 100)); /* newer ID */
    send_at(c, 20, ACK(1, 1, 201));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 1);
    assert_int_equal(f->seen.tcp[0].side[0].reordered_segments, 0);
    assert_int_equal(f->seen.tcp[0].side[0].recovered_losses, 1);
}

static void test_acknowledged_but_unseen_is_capture_loss(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record counters;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 101, 1, 100));
    send_at(c, 20, ACK(1, 1, 201));
    send_at(c, 100, DATA(1, 1, 201, 10));
    engine_finish(c->engine);
    engine_counters(c->engine, &counters);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 100);
    assert_int_equal(f->seen.tcp[0].side[0].capture_gap_bytes, 100);
    assert_int_equal(f->seen.tcp[0].side[0].wire_gap_bytes, 0);
    assert_int_equal(counters.gaps, 1);
    assert_int_equal(counters.gap_bytes, 100);
}

static void test_captured_late_is_no_loss(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, ACK(1, 1, 101)); /* the capture's queues gave the answer first */
    send_at(c, 2, DATA(0, 1, 1, 100));
    send_at(c, 500, DATA(0, 101, 1, 100));
    send_at(c, 20, ACK(1, 1, 201));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
}

static void test_hole_never_filled_nor_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(1, 1, 1, 100));
    send_at(c, 1, DATA(1, 1501, 1, 60));
    send_at(c, 1, ACK(0, 1, 101));
    send_at(c, 1, ACK(0, 1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[1].wire_gap_bytes, 1400);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.tcp[0].side[0].duplicate_acks, 1);
}

static void test_tail_given_up(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 100));
    int64_t asked = c->now_ns + 10000000;
    send_at(c, 10, DATA(0, 101, 101, 500));
    for (int i = 0; i < 5; i++)
        send_at(c, 200 << i, DATA(0, 101, 101, 500));
    engine_finish(c->engine);
    const struct tcp_side_facts *client = &f->seen.tcp[0].side[0];
    assert_int_equal(client->tail_retransmissions, 5);
    assert_int_equal(client->tail_first_ns, asked);
    assert_int_equal(client->tail_last_ns - asked, 6200000000LL);
    assert_int_equal(client->unacked_bytes, 500);
    assert_int_equal(client->smallest_lost, 540);
    assert_int_equal(client->largest_delivered, 140);
}

static void test_zero_window_counts_only_with_waiting_data(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 1000));
    c->window[1] = 0;
    send_at(c, 20, ACK(1, 1, 1001));
    send_at(c, 500, DATA(0, 1001, 1, 1)); /* probe */
    send_at(c, 20, ACK(1, 1, 1001));
    c->window[1] = 65000;
    send_at(c, 1480, ACK(1, 1, 1001));
    send_at(c, 1, DATA(0, 1001, 1, 500));
    send_at(c, 20, ACK(1, 1, 1501));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[1].zero_window_ns, 2000000000LL);
    assert_int_equal(f->seen.tcp[0].side[1].zero_windows, 2);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

static void test_keepalive_is_no_retransmission(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 100));
    send_at(c, 5, ACK(0, 101, 101));
    for (int i = 0; i < 3; i++) {
        send_at(c, 15000, DATA(0, 100, 101, 1));
        send_at(c, 20, ACK(1, 101, 101));
    }
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.tcp[0].side[0].keepalives, 3);
    assert_int_equal(f->seen.tcp[0].longest_idle_ns, 15000000000LL);
    assert_int_equal(f->seen.tcp[0].idle_before_tail_ns, 0);
}

static void test_idle_then_reset(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 100));
    send_at(c, 5, ACK(0, 101, 101));
    send_at(c, 60000, DATA(0, 101, 101, 100));
    send_at(c, 20, RST(1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].idle_before_tail_ns, 60000000000LL);
    assert_int_equal(f->seen.tcp[0].tail_tries, 1);
    assert_int_equal(f->seen.tcp[0].side[1].rst_sequence_offset, 0);
    assert_string_equal(f->seen.flows[0].state, "RSTR");
}

static void test_reset_then_data_goes_on(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct segment rst = RST(1, 101);
    rst.ttl = 50;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 100));
    send_at(c, 3, DATA(0, 101, 101, 100));
    send_at(c, 1, rst);
    send_at(c, 19, DATA(1, 101, 201, 100));
    engine_finish(c->engine);
    assert_true(f->seen.tcp[0].side[1].data_after_rst);
    assert_int_equal(f->seen.tcp[0].side[1].rst_ttl, 50);
    assert_int_equal(f->seen.tcp[0].side[1].rst_delay_ns, 1000000);
    assert_int_equal(f->seen.flows[0].rtt_min_server_ns, 20000000);
}

/* The client closes; what was still on its way is answered by bare resets: all of one stack. */
static void test_resets_of_a_closed_socket_agree(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 1000));
    send_at(c, 1, (struct segment){0, TCP_RST | TCP_ACK, 101, 1001, NULL, 0, 0, 0});
    send_at(c, 1, DATA(1, 1001, 101, 1000));
    send_at(c, 1, RST(0, 101));
    send_at(c, 1, DATA(1, 2001, 101, 1000));
    send_at(c, 1, RST(0, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_resets, 3);
    assert_false(f->seen.tcp[0].side[0].rst_ack_changed);
    assert_false(f->seen.tcp[0].side[0].data_after_rst);
    assert_int_equal(f->seen.tcp[0].side[0].rst_sequence_offset, 0);
}

static void test_port_reuse_is_a_new_flow(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, RST(0, 1));
    c->isn[0] += 100000;
    c->isn[1] += 777;
    handshake(c, 20, 5);
    send_at(c, 1, FIN(0, 1, 1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 2);
    assert_int_equal(f->seen.flows[0].id, 1);
    assert_int_equal(f->seen.flows[0].end, END_REUSED);
    assert_int_equal(f->seen.flows[1].id, 2);
    assert_int_not_equal(f->seen.flows[1].facts & FLOW_FACT_REUSED_TUPLE, 0);
}

static void test_midstream_and_one_sided(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    for (int i = 0; i < 5; i++)
        send_at(c, 10, DATA(1, 5000 + 100 * i, 900 + i, 100));
    engine_finish(c->engine);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_MIDSTREAM, 0);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_UNSEEN_PEER, 0);
    assert_int_equal(f->seen.flows[0].server_port, 8100); /* the profile's port is the server */
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 500);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

static void test_mirror_copies_count_once(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record counters;
    struct segment s[] = {{0, TCP_SYN, 0, -1, NULL, 0, 0, 11},
                          {1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 12},
                          ACK(0, 1, 1),
                          DATA(0, 1, 1, 50),
                          ACK(1, 1, 51)};
    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        s[i].ip_id = (uint16_t)(20 + i);
        send_at(c, 5, s[i]);
        c->now_ns += 10000;
        send_segment(c, &s[i]);
    }
    engine_finish(c->engine);
    engine_counters(c->engine, &counters);
    assert_int_equal(counters.duplicate_packets, 5);
    assert_int_equal(f->seen.flows[0].client_packets + f->seen.flows[0].server_packets, 5);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].syn_retransmissions, 0);
}

static void test_both_sides_of_a_router_count_once(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record counters;
    handshake(c, 20, 5);
    struct segment s = DATA(0, 1, 1, 50);
    s.ip_id = 500;
    send_at(c, 1, s);
    s.ttl = 63;
    send_at(c, 2, s);
    engine_finish(c->engine);
    engine_counters(c->engine, &counters);
    assert_int_equal(counters.routed_packets, 1);
    assert_int_equal(counters.routed_delay_ns, 2000000);
    assert_int_equal(f->seen.flows[0].client_packets, 3);
    assert_int_equal(f->seen.flows[0].facts & FLOW_FACT_LOOPED, 0);
}

static void test_loop_is_seen(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct segment s = {0, TCP_SYN, 0, -1, NULL, 0, 0, 900};
    for (uint8_t ttl = 63; ttl > 50; ttl = (uint8_t)(ttl - 2)) {
        s.ttl = ttl;
        send_at(c, 1, s);
    }
    engine_finish(c->engine);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_LOOPED, 0);
    assert_int_equal(f->seen.tcp[0].syn_count, 1);
}

static void test_snaplen_keeps_sequence(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    c->truncate = true;
    send_at(c, 1, DATA(0, 1, 1, 1000));
    send_at(c, 20, ACK(1, 1, 1001));
    send_at(c, 1, DATA(0, 1001, 1, 1000));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 2000);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_SNAPLEN, 0);
}

/* RFC 5961: a stale connection answers by a challenge ACK, the client resets that one and asks
 * again. */
static void test_stale_tuple_is_no_reset_of_the_new(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 7, ACK(1, 5000000, 900000)); /* numbers of the old connection */
    send_at(c, 1, RST(0, 900000));
    send_at(c, 1000, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 7, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 5, ACK(0, 1, 1));
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 7, DATA(1, 1, 101, 100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_true(f->seen.tcp[0].challenge_ack);
    assert_int_equal(f->seen.flows[0].client_resets, 0);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_string_equal(f->seen.flows[0].state, "S1");
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 100);
}

/* An ACK without payload stands where bytes must have been: a full-size segment that never arrived.
 */
static void test_empty_segment_shows_a_hole(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 13, 1);
    send_at(c, 1, DATA(0, 1, 1, 517));
    send_at(c, 13, ACK(1, 1, 518));
    send_at(c, 5000, FIN(0, 518, 1));
    send_at(c, 13, ACK(1, 1441, 519));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[1].wire_gap_bytes, 1440);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

/* One wild time stamp (seconds since 1904, say) must not end the others. */
static void test_wild_time_ends_nothing(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    int64_t start = c->now_ns;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    c->now_ns = start + 2000000000LL * 1000000000LL;
    send_segment(c, &(struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    c->now_ns = start + 20000000;
    send_at(c, 5, ACK(0, 1, 1));
    send_at(c, 5, DATA(0, 1, 1, 10));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
}

/* What lies beside the packet before it has not jumped, however far the clock had been set. */
static void test_each_jump_counts_once(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    struct capture_record counters;
    const int64_t two_hours = 7200 * 1000000000LL;
    handshake(c, 20, 5);
    c->now_ns += two_hours;
    for (uint32_t i = 0; i < 5; i++)
        send_at(c, 5, DATA(0, 1 + 10 * i, 1, 10));
    engine_counters(c->engine, &counters);
    assert_int_equal(counters.time_jumps, 1);
    c->now_ns -= two_hours;
    for (uint32_t i = 5; i < 10; i++)
        send_at(c, 5, DATA(0, 1 + 10 * i, 1, 10));
    engine_counters(c->engine, &counters);
    assert_int_equal(counters.time_jumps, 2);
}

static void test_http_waits_without_the_network(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "GET /invoice/123456 HTTP/1.1\r\nHost: inv.example.cn\r\n\r\n";
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 520, 1, 1, 1 + (int64_t)strlen(ask), answer);
    send_at(c, 5, FIN(0, 1 + (int64_t)strlen(ask), 1 + (int64_t)strlen(answer)));
    engine_finish(c->engine);
    const struct http_record *h = &f->seen.http[0];
    assert_int_equal(f->seen.http_count, 1);
    assert_int_equal(h->status, 200);
    assert_int_equal(h->wait_ns, 500000000);
    assert_string_equal(h->path, "/invoice/{id}");
    assert_string_equal(h->host, "inv.example.cn");
    assert_true(h->complete);
    assert_int_equal(
        f->seen.flows[0].facts & (FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE), 0);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_ANSWERED, 0);
}

static void test_http_any_segmentation(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                              "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n"
                                 "HTTP/1.1 204 No Content\r\n\r\n";
    handshake(c, 20, 5);
    for (size_t i = 0; ask[i] != '\0'; i++)
        send_at(c, 1, (struct segment){0, TCP_ACK, 1 + (int64_t)i, 1, ask + i, 1, 0, 0});
    for (size_t i = 0; answer[i] != '\0'; i++)
        send_at(c, 1,
                (struct segment){1, TCP_ACK, 1 + (int64_t)i, 1 + (int64_t)strlen(ask), answer + i,
                                 1, 0, 0});
    engine_finish(c->engine);
    assert_int_equal(f->seen.http_count, 2);
    assert_int_equal(f->seen.http[0].status, 201);
    assert_int_equal(f->seen.http[0].request_bytes, 3);
    assert_int_equal(f->seen.http[0].response_bytes, 4);
    assert_int_equal(f->seen.http[1].status, 204);
    assert_true(f->seen.http[0].complete && f->seen.http[1].complete);
}

static void test_http_unanswered_and_truncated(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf";
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 1, 1, 1, 1 + (int64_t)strlen(ask), part);
    send_at(c, 5, FIN(1, 1 + (int64_t)strlen(part), 1 + (int64_t)strlen(ask)));
    engine_finish(c->engine);
    assert_true(f->seen.http[0].truncated);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_ANSWER_INCOMPLETE, 0);
}

static void test_http_goes_on_behind_a_gap(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n";
    int64_t asked = 1 + (int64_t)strlen(ask), at = 1 + (int64_t)strlen(head);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 1, 1, 1, asked, head);
    send_at(c, 1, DATA(1, at, asked, 1000));
    send_at(c, 1, DATA(1, at + 2000, asked, 1000)); /* the middle was never captured */
    send_at(c, 1, ACK(0, asked, at + 3000));
    send_text(c, 200, 0, asked, at + 3000, ask);
    send_text(c, 20, 1, at + 3000, asked * 2 - 1, "HTTP/1.1 204 No Content\r\n\r\n");
    engine_finish(c->engine);
    assert_int_equal(f->seen.http_count, 2);
    assert_int_equal(f->seen.http[0].status, 200);
    assert_true(f->seen.http[0].complete);
    assert_int_equal(f->seen.http[1].status, 204);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plain_connection),
        CASE(test_syn_without_answer),
        CASE(test_refused),
        CASE(test_refusal_without_acknowledgment),
        CASE(test_retransmission_after_the_tap),
        CASE(test_spurious_retransmission),
        CASE(test_reordering_is_no_retransmission),
        CASE(test_hole_filled_is_loss_before_the_tap),
        CASE(test_acknowledged_but_unseen_is_capture_loss),
        CASE(test_captured_late_is_no_loss),
        CASE(test_hole_never_filled_nor_acknowledged),
        CASE(test_tail_given_up),
        CASE(test_zero_window_counts_only_with_waiting_data),
        CASE(test_keepalive_is_no_retransmission),
        CASE(test_idle_then_reset),
        CASE(test_reset_then_data_goes_on),
        CASE(test_resets_of_a_closed_socket_agree),
        CASE(test_port_reuse_is_a_new_flow),
        CASE(test_midstream_and_one_sided),
        CASE(test_mirror_copies_count_once),
        CASE(test_both_sides_of_a_router_count_once),
        CASE(test_loop_is_seen),
        CASE(test_snaplen_keeps_sequence),
        CASE(test_stale_tuple_is_no_reset_of_the_new),
        CASE(test_empty_segment_shows_a_hole),
        CASE(test_wild_time_ends_nothing),
        CASE(test_each_jump_counts_once),
        CASE(test_http_waits_without_the_network),
        CASE(test_http_any_segmentation),
        CASE(test_http_unanswered_and_truncated),
        CASE(test_http_goes_on_behind_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
