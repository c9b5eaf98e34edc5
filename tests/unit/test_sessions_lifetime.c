/* How long a connection that ended stays in memory. */
#include "tests/unit/session_fixture.h"

#define SYN(side) ((struct segment){side, TCP_SYN, 0, -1, NULL, 0, 0, 0})
#define RSTACK(side, seq, ack) ((struct segment){side, TCP_RST | TCP_ACK, seq, ack, NULL, 0, 0, 0})

/* A packet of another connection, so long after: time passes by packets. */
static size_t ended_after(struct fixture *f, int64_t ms)
{
    struct conversation other = f->c;
    other.ports[0] = (uint16_t)(other.ports[0] + 1 + ms % 1000);
    send_at(&other, ms, SYN(0));
    return f->seen.count;
}

static void close_by_fins(struct conversation *c)
{
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 300));
    send_at(c, 5, FIN(0, 101, 301));
    send_at(c, 20, FIN(1, 301, 102));
    send_at(c, 5, ACK(0, 102, 302));
}

static void test_both_fins_acknowledged_end_soon(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    close_by_fins(c);
    assert_int_equal(ended_after(f, 2000), 0);
    assert_int_equal(ended_after(f, 6101), 1);
    assert_int_equal(f->seen.flows[0].end, END_CLOSED);
    engine_finish(c->engine);
}

/* A copy that a queue kept for twelve seconds, and what it makes the ends say: no connection of its own. */
static void test_late_packets_make_no_flow(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record counters;
    close_by_fins(c);
    assert_int_equal(ended_after(f, 6000), 1);
    send_at(c, 12000, DATA(0, 1, 1, 100));
    send_at(c, 5, ACK(1, 302, 102));
    send_at(c, 5, RST(0, 102));
    engine_finish(c->engine);
    engine_counters(c->engine, &counters);
    assert_int_equal(f->seen.count, 2); /* the other one is ended_after's */
    assert_int_equal(counters.late_packets, 3);
    assert_int_equal(counters.wireshark.retransmission, 1);
}

static void test_ports_of_an_ended_connection_are_reused(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    close_by_fins(c);
    assert_int_equal(ended_after(f, 6000), 1);
    send_at(c, 12000, SYN(0)); /* late, too: the same sequence number */
    c->isn[0] += 100000;
    c->isn[1] += 777;
    close_by_fins(c);
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 3);
    bool reused = false;
    for (size_t i = 0; i < 3; i++)
        reused |= (f->seen.flows[i].facts & FLOW_FACT_REUSED_TUPLE) != 0;
    assert_true(reused);
}

/* The client may not have heard it, and has nothing to send again: its next request can be late. */
static void test_a_reset_to_an_idle_side_lingers(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 300));
    send_at(c, 5, ACK(0, 101, 301));
    send_at(c, 5, RST(1, 301));
    assert_int_equal(ended_after(f, 15000), 0);
    assert_int_equal(ended_after(f, 22101), 1);
    engine_finish(c->engine);
}

/* Its request is on its way: had it not heard the reset, it would send it again at once. */
static void test_a_reset_to_a_waiting_side_ends_soon(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, RST(1, 1));
    assert_int_equal(ended_after(f, 6101), 1);
    engine_finish(c->engine);
}

static void test_who_sent_again_before_lingers(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 300, DATA(0, 1, 1, 100));
    send_at(c, 20, RST(1, 1));
    assert_int_equal(ended_after(f, 15000), 0);
    assert_int_equal(ended_after(f, 22101), 1);
    engine_finish(c->engine);
}

static void test_a_refused_syn_lingers(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 1, RSTACK(1, 0, 1));
    assert_int_equal(ended_after(f, 15000), 0);
    engine_finish(c->engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_both_fins_acknowledged_end_soon),
        CASE(test_late_packets_make_no_flow),
        CASE(test_ports_of_an_ended_connection_are_reused),
        CASE(test_a_reset_to_an_idle_side_lingers),
        CASE(test_a_reset_to_a_waiting_side_ends_soon),
        CASE(test_who_sent_again_before_lingers),
        CASE(test_a_refused_syn_lingers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
