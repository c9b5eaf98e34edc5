/* The counts by Wireshark's definitions: what its display filters show for the same packets. */
#include "tests/unit/session_fixture.h"

static struct wireshark_counts counts_of(struct conversation *c)
{
    struct capture_record capture;
    engine_counters(c->engine, &capture);
    return capture.wireshark;
}

static void test_healthy(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    send_at(c, 20, DATA(1, 1, 101, 1000)); /* its numbers wrap */
    send_at(c, 20, ACK(0, 101, 1001));
    send_at(c, 1, FIN(0, 101, 1001));
    send_at(c, 20, FIN(1, 1001, 102));
    send_at(c, 5, ACK(0, 102, 1002));
    struct wireshark_counts none = {0}, got = counts_of(c);
    assert_memory_equal(&got, &none, sizeof none);
}

/* The 26 ms of the handshake are the limit of what is out of order. */
static void test_late_segments(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    handshake(c, 20, 6);
    send_at(c, 1, DATA(1, 1, 1, 100));
    send_at(c, 1, DATA(1, 201, 1, 100));
    send_at(c, 1, DATA(1, 301, 1, 100));
    send_at(c, 20, DATA(1, 101, 1, 100)); /* out of order */
    send_at(c, 10, DATA(1, 101, 1, 100)); /* again, too late for that */
    struct wireshark_counts got = counts_of(c);
    assert_int_equal(got.lost_segment, 1);
    assert_int_equal(got.out_of_order, 1);
    assert_int_equal(got.retransmission, 1);
    assert_int_equal(got.fast_retransmission + got.spurious_retransmission, 0);
}

static void test_fast_and_spurious(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    handshake(c, 20, 6);
    for (int i = 0; i < 5; i++)
        send_at(c, 1, DATA(1, 1 + 100 * i, 1, 100));
    send_at(c, 5, ACK(0, 1, 101));
    for (int i = 0; i < 3; i++)
        send_at(c, 1, ACK(0, 1, 101));
    send_at(c, 10, DATA(1, 101, 1, 100)); /* fast */
    send_at(c, 5, ACK(0, 1, 501));
    send_at(c, 300, DATA(1, 101, 1, 100)); /* spurious */
    send_at(c, 300, DATA(1, 501, 1, 100));
    send_at(c, 300, DATA(1, 501, 1, 100)); /* by the timer */
    struct wireshark_counts got = counts_of(c);
    assert_int_equal(got.duplicate_ack, 3);
    assert_int_equal(got.fast_retransmission, 1);
    assert_int_equal(got.spurious_retransmission, 1);
    assert_int_equal(got.retransmission, 3);
    assert_int_equal(got.out_of_order, 0);
}

static void test_windows(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    handshake(c, 20, 6);
    c->window[0] = 10; /* shift 7 */
    send_at(c, 1, ACK(0, 1, 1));
    send_at(c, 1, DATA(1, 1, 1, 1280)); /* full */
    c->window[0] = 0;
    send_at(c, 1, ACK(0, 1, 1281));
    send_at(c, 200, DATA(1, 1281, 1, 1)); /* a probe: full as well by the sum, but told first */
    send_at(c, 1, ACK(0, 1, 1281));
    send_at(c, 400, ACK(1, 1280, 1)); /* a keep-alive by its shape */
    send_at(c, 1, ACK(0, 1, 1281));
    struct wireshark_counts got = counts_of(c);
    assert_int_equal(got.window_full, 1);
    assert_int_equal(got.zero_window, 3);
    assert_int_equal(got.keep_alive, 1);
    assert_int_equal(got.duplicate_ack, 0);
    assert_int_equal(got.retransmission, 0);
}

static void test_unseen_and_reset(void **state)
{
    struct conversation *c = &((struct fixture *)*state)->c;
    handshake(c, 20, 6);
    send_at(c, 1, DATA(1, 1, 1, 100));
    send_at(c, 1, ACK(0, 1, 501)); /* 400 bytes never came by */
    send_at(c, 1, ACK(0, 1, 601)); /* told once for each stretch */
    send_at(c, 1, DATA(1, 601, 1, 100));
    send_at(c, 1, RST(0, 1));
    struct wireshark_counts got = counts_of(c);
    assert_int_equal(got.ack_lost_segment, 1);
    assert_int_equal(got.lost_segment, 1);
    assert_int_equal(got.reset, 1);
}

/* A mirror port's copies are left out of our own figures, not of these. */
static void test_copies_count(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    struct segment s = DATA(0, 1, 1, 100);
    s.ip_id = 77;
    send_at(c, 1, s);
    send_at(c, 0, s);
    struct wireshark_counts got = counts_of(c);
    engine_finish(c->engine);
    assert_int_equal(got.retransmission, 1);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_healthy),        CASE(test_late_segments),    CASE(test_fast_and_spurious),
        CASE(test_windows),        CASE(test_unseen_and_reset), CASE(test_copies_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
