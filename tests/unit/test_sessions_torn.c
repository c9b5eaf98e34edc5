/* What a side echoes (RFC 7323) tells of packets that the capture has not. */
#include "tests/unit/session_fixture.h"

#define RSTACK(side, seq, ack) ((struct segment){side, TCP_RST | TCP_ACK, seq, ack, NULL, 0, 0, 0})

static void stamp(struct conversation *c, uint32_t value, uint32_t echo)
{
    c->stamp[0] = value;
    c->stamp[1] = echo;
}

/* SYN, SYN-ACK, ACK, request and its acknowledgment, which the server sends at its tick 9040. */
static void ask(struct conversation *c)
{
    stamp(c, 1000, 0);
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    stamp(c, 9000, 1000);
    send_at(c, 20, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    stamp(c, 1020, 9000);
    send_at(c, 1, ACK(0, 1, 1));
    stamp(c, 1021, 9000);
    send_at(c, 1, DATA(0, 1, 1, 100));
    stamp(c, 9040, 1021);
    send_at(c, 20, ACK(1, 1, 101));
}

static bool server_is_missed(struct fixture *f)
{
    engine_finish(f->c.engine);
    return f->seen.tcp[0].side[1].unseen_echo;
}

static void test_reset_behind_what_was_seen(void **state)
{
    struct fixture *f = *state;
    ask(&f->c);
    stamp(&f->c, 8021, 9040);
    send_at(&f->c, 7000, RSTACK(0, 101, 1));
    assert_false(server_is_missed(f));
}

static void test_reset_behind_what_was_not(void **state)
{
    struct fixture *f = *state;
    ask(&f->c);
    stamp(&f->c, 8021, 9055);
    send_at(&f->c, 7000, RSTACK(0, 101, 1));
    assert_true(server_is_missed(f));
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_false(f->seen.tcp[0].side[0].unseen_echo);
}

/* The server speaks on below what is echoed: somebody changes its timestamps. */
static void test_stamps_changed_on_the_way(void **state)
{
    struct fixture *f = *state;
    ask(&f->c);
    stamp(&f->c, 1050, 9060);
    send_at(&f->c, 10, DATA(0, 101, 1, 100));
    stamp(&f->c, 9050, 1050);
    send_at(&f->c, 20, ACK(1, 1, 201));
    assert_false(server_is_missed(f));
}

static void test_stamps_of_another_clock(void **state)
{
    struct fixture *f = *state;
    ask(&f->c);
    stamp(&f->c, 8021, 99009040);
    send_at(&f->c, 7000, RSTACK(0, 101, 1));
    assert_false(server_is_missed(f));
}

/* A SYN, and then a reset that echoes: the client had an answer. */
static void test_reset_that_echoes_nothing_seen(void **state)
{
    struct fixture *f = *state;
    stamp(&f->c, 1000, 0);
    send_at(&f->c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    stamp(&f->c, 8021, 9055);
    send_at(&f->c, 7000, RSTACK(0, 101, 1));
    engine_finish(f->c.engine);
    assert_true(f->seen.flows[0].facts & FLOW_FACT_UNSEEN_PEER);
}

static void test_syn_taken_back(void **state)
{
    struct fixture *f = *state;
    stamp(&f->c, 1000, 0);
    send_at(&f->c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(&f->c, 7000, RST(0, 1));
    engine_finish(f->c.engine);
    assert_false(f->seen.flows[0].facts & FLOW_FACT_UNSEEN_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_reset_behind_what_was_seen),   CASE(test_reset_behind_what_was_not),
        CASE(test_stamps_changed_on_the_way),    CASE(test_stamps_of_another_clock),
        CASE(test_reset_that_echoes_nothing_seen), CASE(test_syn_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
