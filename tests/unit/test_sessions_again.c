/* Why bytes are sent again: fast, by the timer, as a probe of the tail, for nothing. The server
 * sends; its sequence numbers wrap at once. Round trip 26 ms. */
#include "tests/unit/session_fixture.h"

static struct tcp_side_facts finish(struct fixture *f)
{
    engine_finish(f->c.engine);
    assert_true(f->seen.has_tcp[0]);
    return f->seen.tcp[0].side[1];
}

static void send_five(struct conversation *c)
{
    handshake(c, 20, 6);
    for (int i = 0; i < 5; i++)
        send_at(c, i == 0, DATA(1, 1 + 100 * i, 1, 100));
}

static void ack_with_sack(struct conversation *c, int64_t ms, int64_t ack, uint32_t left,
                          uint32_t right)
{
    c->sack[0] = left;
    c->sack[1] = right;
    c->sack_count = 1;
    send_at(c, ms, ACK(0, 1, ack));
}

static void assert_classes(const struct tcp_side_facts *got, uint32_t fast, uint32_t timeout,
                           uint32_t probes, uint32_t recovered)
{
    assert_int_equal(got->fast_retransmissions, fast);
    assert_int_equal(got->timeout_retransmissions, timeout);
    assert_int_equal(got->tail_probes, probes);
    assert_int_equal(got->recovered_losses, recovered);
}

static void test_fast_without_sack(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 6, ACK(0, 1, 101));
    for (int i = 0; i < 3; i++)
        send_at(c, 0, ACK(0, 1, 101));
    send_at(c, 20, DATA(1, 101, 1, 100));
    send_at(c, 6, ACK(0, 1, 501));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 1, 0, 0, 1);
    assert_int_equal(got.filling_retransmissions, 0); /* lost behind the tap */
}

/* RFC 6675: both holes in one recovery, the second told by the partial acknowledgment. */
static void test_fast_with_sack_and_partial_ack(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    ack_with_sack(c, 6, 101, 201, 301);
    send_at(c, 20, DATA(1, 101, 1, 100));
    send_at(c, 6, ACK(0, 1, 301));
    send_at(c, 20, DATA(1, 301, 1, 100));
    send_at(c, 6, ACK(0, 1, 501));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 2, 0, 0, 2);
}

static void test_timeout_and_its_recovery(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 230, DATA(1, 1, 1, 100));
    send_at(c, 6, ACK(0, 1, 101));
    send_at(c, 20, DATA(1, 101, 1, 100));
    send_at(c, 0, DATA(1, 201, 1, 100));
    send_at(c, 6, ACK(0, 1, 501));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 0, 3, 0, 3);
}

static void test_tail_probe(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 6, ACK(0, 1, 301));
    send_at(c, 60, DATA(1, 401, 1, 100)); /* 2 round trips */
    ack_with_sack(c, 6, 301, 401, 501);
    send_at(c, 20, DATA(1, 301, 1, 100));
    send_at(c, 6, ACK(0, 1, 501));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 1, 0, 1, 2);
}

/* The probe was not needed: the receiver tells so, and nothing counts as lost. */
static void test_needless_by_dsack(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 60, DATA(1, 401, 1, 100));
    send_at(c, 1, ACK(0, 1, 501));
    ack_with_sack(c, 30, 501, 401, 501);
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 0, 0, 1, 0);
    assert_int_equal(got.needless_retransmissions, 1);
}

/* Nothing was sent again: the copy was made on the way. */
static void test_dsack_for_a_copy_on_the_way(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 6, ACK(0, 1, 501));
    ack_with_sack(c, 1, 501, 401, 501);
    send_at(c, 300, DATA(1, 501, 1, 100));
    send_at(c, 300, DATA(1, 501, 1, 100));
    send_at(c, 6, ACK(0, 1, 601));
    struct tcp_side_facts got = finish(f);
    assert_int_equal(got.needless_retransmissions, 0);
    assert_classes(&got, 0, 1, 0, 1);
}

static void stamped(struct conversation *c, int64_t ms, uint32_t value, uint32_t echo,
                    struct segment s)
{
    c->stamp[0] = value;
    c->stamp[1] = echo;
    send_at(c, ms, s);
}

/* RFC 3522: the acknowledgment was delayed, and echoes the first sending. */
static void test_needless_by_timestamp(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    stamped(c, 1, 5000, 1, DATA(1, 1, 1, 100));
    stamped(c, 230, 5230, 1, DATA(1, 1, 1, 100));
    stamped(c, 6, 231, 5000, ACK(0, 1, 101));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 0, 1, 0, 0);
    assert_int_equal(got.needless_retransmissions, 1);
}

static void test_lost_by_timestamp(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    stamped(c, 1, 5000, 1, DATA(1, 1, 1, 100));
    stamped(c, 230, 5230, 1, DATA(1, 1, 1, 100));
    stamped(c, 6, 231, 5230, ACK(0, 1, 101));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 0, 1, 0, 1);
    assert_int_equal(got.needless_retransmissions, 0);
}

/* Without timestamps: the acknowledgment comes sooner than one of the second sending could. The DSACK
 * that tells the same later is not counted again. */
static void test_needless_by_round_trip(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    send_at(c, 6, ACK(0, 1, 401));
    send_at(c, 230, DATA(1, 401, 1, 100));
    send_at(c, 1, ACK(0, 1, 501));
    ack_with_sack(c, 6, 501, 401, 501);
    send_at(c, 30, DATA(1, 501, 1, 100));
    send_at(c, 230, DATA(1, 501, 1, 100));
    send_at(c, 6, ACK(0, 1, 601));
    struct tcp_side_facts got = finish(f);
    assert_int_equal(got.needless_retransmissions, 1);
    assert_int_equal(got.recovered_losses, 1);
}

static void test_lost_before_the_tap(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_at(c, 1, DATA(1, 1, 1, 100));
    send_at(c, 0, DATA(1, 201, 1, 30000)); /* a GRO giant */
    for (int i = 0; i < 4; i++)
        send_at(c, i == 0 ? 6 : 0, ACK(0, 1, 101));
    send_at(c, 20, DATA(1, 101, 1, 100));
    send_at(c, 6, ACK(0, 1, 30201));
    struct tcp_side_facts got = finish(f);
    assert_classes(&got, 1, 0, 0, 1);
    assert_int_equal(got.filling_retransmissions, 1);
}

static void test_window_probe_is_no_keepalive_note(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_five(c);
    c->window[0] = 0;
    send_at(c, 6, ACK(0, 1, 501));
    send_at(c, 300, ACK(1, 500, 1)); /* as Linux probes */
    send_at(c, 6, ACK(0, 1, 501));
    send_at(c, 600, DATA(1, 501, 1, 1)); /* as others do */
    send_at(c, 6, ACK(0, 1, 501));
    c->window[0] = 500;
    send_at(c, 300, ACK(0, 1, 501));
    send_at(c, 20000, ACK(1, 500, 1)); /* now it is a keep-alive */
    struct tcp_side_facts got = finish(f);
    assert_int_equal(got.window_probes, 2);
    assert_int_equal(f->seen.flows[0].server_retransmissions, 0);
    const struct flow_event *events = f->seen.events[0];
    assert_int_equal(events[f->seen.event_count[0] - 1].note, NOTE_NONE);
    assert_int_equal(events[f->seen.event_count[0] - 1].kind, EVENT_KEEPALIVE);
}

/* ---- what SYNs carry ---- */

static void test_a_retry_leaves_ecn_out(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN | TCP_ECE | TCP_CWR, 0, -1, NULL, 0, 0, 0});
    send_at(c, 1000, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 9, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 1, ACK(0, 1, 1));
    engine_finish(c->engine);
    const struct flow_tcp_record *t = &f->seen.tcp[0];
    assert_int_equal(t->syn_first_traits & SYN_TRAITS_ADDED, SYN_TRAIT_ECN);
    assert_int_equal(t->syn_answered_traits & SYN_TRAITS_ADDED, 0);
    assert_int_equal(t->syn_first_tries, 1);
}

/* The SYN-ACK repeats the first SYN's timestamp: nothing was lost. */
static void test_a_late_answer_to_the_first(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    stamped(c, 0, 5000, 0, (struct segment){0, TCP_SYN | TCP_ECE | TCP_CWR, 0, -1, NULL, 0, 0, 0});
    stamped(c, 1000, 6000, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    stamped(c, 9, 77, 5000, (struct segment){1, TCP_SYN | TCP_ACK | TCP_ECE, 0, 1, NULL, 0, 0, 0});
    stamped(c, 1, 6009, 77, ACK(0, 1, 1));
    engine_finish(c->engine);
    const struct flow_tcp_record *t = &f->seen.tcp[0];
    assert_int_equal(t->syn_answered_traits & SYN_TRAIT_ECN, SYN_TRAIT_ECN);
    assert_int_equal(t->syn_answered_traits & SYN_TRAIT_NO_TIMESTAMPS, 0);
    assert_int_equal(t->syn_first_tries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_fast_without_sack),
        CASE(test_fast_with_sack_and_partial_ack),
        CASE(test_timeout_and_its_recovery),
        CASE(test_tail_probe),
        CASE(test_needless_by_dsack),
        CASE(test_dsack_for_a_copy_on_the_way),
        CASE(test_needless_by_timestamp),
        CASE(test_lost_by_timestamp),
        CASE(test_needless_by_round_trip),
        CASE(test_lost_before_the_tap),
        CASE(test_window_probe_is_no_keepalive_note),
        CASE(test_a_retry_leaves_ecn_out),
        CASE(test_a_late_answer_to_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
