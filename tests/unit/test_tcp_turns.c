/* sessions/tcp_delay: question and answer by the turns of the sides, also right behind a TLS
 * handshake. */
#include "sessions/tcp_delay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000LL
#define START (1700000000LL * 1000 * MS)
#define LEG (5 * MS)

struct talk {
    struct tcp_delay delay;
    struct tcp_flow tcp;
    int64_t offset[2];
    uint64_t frame;
    bool tls_open;
};

static struct talk begin(void)
{
    static struct flow flow;
    struct talk t;
    memset(&t, 0, sizeof t);
    memset(&flow, 0, sizeof flow);
    flow.first_ns = START;
    t.tcp.rtt_min_ns[SIDE_SERVER] = LEG;
    t.tcp.rtt_min_ns[SIDE_CLIENT] = MS;
    t.tcp.dir[0].zero_since_ns = t.tcp.dir[1].zero_since_ns = -1; /* windows are open */
    tcp_delay_init(&t.delay, &t.tcp, &flow);
    return t;
}

static void say(struct talk *t, enum side side, int64_t at_ms, uint32_t len, uint16_t more)
{
    struct packet packet = {.time_ns = START + at_ms * MS, .frame = ++t->frame};
    struct layers layers;
    struct tcp_verdict verdict;
    memset(&layers, 0, sizeof layers);
    memset(&verdict, 0, sizeof verdict);
    layers.payload_len = len;
    layers.tcp.flags = (uint16_t)(TCP_ACK | more);
    verdict.has_payload = len > 0;
    verdict.event = len > 0 ? EVENT_DATA : EVENT_ACK;
    verdict.payload_offset = t->offset[side];
    t->offset[side] += len;
    const struct tcp_delay_input in = {.verdict = &verdict,
                                       .packet = &packet,
                                       .layers = &layers,
                                       .side = side,
                                       .tls_open = t->tls_open,
                                       .tls_13 = true};
    tcp_delay_note(&t->delay, &t->tcp, &in);
}

static bool close_and_take(struct talk *t, struct turn_record *out)
{
    struct flow_delay_record record;
    tcp_delay_close(&t->delay, &t->tcp, &record);
    return tcp_delay_turn(&t->delay, out);
}

/* Hello, flight, Finished; 30 ms. */
static void shake_hands(struct talk *t)
{
    t->tls_open = true;
    say(t, SIDE_CLIENT, 1, 517, 0);
    say(t, SIDE_SERVER, 15, 1400, 0);
    t->tls_open = false;
    say(t, SIDE_CLIENT, 30, 80, 0);
}

static void a_turn_ends_with_the_next_one(void **state)
{
    struct talk t = begin();
    struct turn_record r;
    (void)state;
    say(&t, SIDE_CLIENT, 10, 200, 0);
    say(&t, SIDE_CLIENT, 12, 100, 0);
    say(&t, SIDE_SERVER, 52, 500, 0);
    say(&t, SIDE_SERVER, 57, 800, 0);
    assert_false(tcp_delay_turn(&t.delay, &r)); /* more may come */
    say(&t, SIDE_CLIENT, 100, 300, 0);
    assert_true(tcp_delay_turn(&t.delay, &r));
    assert_int_equal(r.start_ns, START + 10 * MS);
    assert_int_equal(r.wait_ns, 40 * MS - LEG);
    assert_int_equal(r.total_ns, 47 * MS);
    assert_int_equal(r.asked, 300);
    assert_int_equal(r.answered, 1300);
    assert_int_equal(r.frame, 3);
    assert_false(tcp_delay_turn(&t.delay, &r));
    assert_false(close_and_take(&t, &r)); /* the second was never answered */
}

static void a_quick_small_answer_looks_like_a_ticket(void **state)
{
    struct talk t = begin();
    struct turn_record r;
    (void)state;
    shake_hands(&t);
    say(&t, SIDE_SERVER, 37, 255, 0); /* a ticket */
    say(&t, SIDE_CLIENT, 38, 132, 0);
    say(&t, SIDE_SERVER, 44, 255, 0); /* another, sent before the request came */
    say(&t, SIDE_SERVER, 48, 190, 0); /* the answer */
    say(&t, SIDE_CLIENT, 50, 0, TCP_FIN);
    assert_true(close_and_take(&t, &r));
    assert_int_equal(r.start_ns, START + 38 * MS);
    assert_int_equal(r.wait_ns, 10 * MS - LEG);
    assert_int_equal(r.total_ns, 10 * MS);
    assert_int_equal(r.asked, 132);
}

static void and_so_before_a_second_request(void **state)
{
    struct talk t = begin();
    struct turn_record r;
    (void)state;
    shake_hands(&t);
    say(&t, SIDE_CLIENT, 38, 132, 0);
    say(&t, SIDE_SERVER, 48, 190, 0);
    say(&t, SIDE_CLIENT, 60, 140, 0);
    assert_true(tcp_delay_turn(&t.delay, &r));
    assert_int_equal(r.total_ns, 10 * MS);
    say(&t, SIDE_SERVER, 160, 190, 0); /* too late for a ticket */
    say(&t, SIDE_CLIENT, 170, 0, TCP_FIN);
    assert_true(close_and_take(&t, &r));
    assert_int_equal(r.start_ns, START + 60 * MS);
    assert_int_equal(r.wait_ns, 100 * MS - LEG);
    assert_int_equal(r.asked, 140);
}

/* Tickets alone, and a client that waits: nobody knows whether it had an answer. */
static void tickets_are_no_answer(void **state)
{
    struct talk t = begin();
    struct turn_record r;
    (void)state;
    shake_hands(&t);
    say(&t, SIDE_CLIENT, 38, 132, 0);
    say(&t, SIDE_SERVER, 44, 255, 0);
    say(&t, SIDE_CLIENT, 9000, 0, TCP_FIN);
    assert_false(close_and_take(&t, &r));
    t = begin();
    shake_hands(&t);
    say(&t, SIDE_CLIENT, 38, 132, 0);
    say(&t, SIDE_SERVER, 44, 255, 0);
    say(&t, SIDE_SERVER, 3038, 900, 0); /* the answer, after all */
    assert_true(close_and_take(&t, &r));
    assert_int_equal(r.wait_ns, 3000 * MS - LEG);
}

static void the_handshake_is_no_turn(void **state)
{
    struct talk t = begin();
    struct turn_record r;
    (void)state;
    shake_hands(&t);
    say(&t, SIDE_SERVER, 37, 255, 0);
    say(&t, SIDE_CLIENT, 40, 0, TCP_FIN);
    assert_false(close_and_take(&t, &r));
}

/* Two SYNs, and the SYN-ACK so long behind the last one: what the wait for it is. */
static struct flow_delay_record open_again(bool answers_first, int64_t behind_ms)
{
    static struct flow flow;
    struct talk t = begin();
    struct flow_delay_record record;
    flow.first_ns = START;
    t.tcp.syn_first_ns = START;
    t.tcp.facts.syn_count = 2;
    t.tcp.facts.syn_first_tries = answers_first ? 1 : 2;
    t.tcp.facts.syn_last_ns = START + 1000 * MS;
    t.tcp.facts.synack_first_ns = START + (1000 + behind_ms) * MS;
    t.tcp.synack_seen = true;
    tcp_delay_init(&t.delay, &t.tcp, &flow);
    say(&t, SIDE_SERVER, 1000 + behind_ms, 0, TCP_SYN);
    say(&t, SIDE_CLIENT, 1001 + behind_ms, 0, 0);
    tcp_delay_close(&t.delay, &t.tcp, &record);
    return record;
}

/* The first SYN's answer, too late or too early for one to the second: the server, or the way, had it all the
 * time. One round trip behind the second it was made by that (Linux echoes the first one's timestamp then, too). */
static void asked_again_while_it_was_answered(void **state)
{
    (void)state;
    static const struct {
        bool first;
        int64_t behind_ms, backoff_ms;
    } rows[] = {{true, 300, 0}, {true, 2, 0}, {true, 5, 1000}, {true, 14, 1000}, {false, 300, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flow_delay_record r = open_again(rows[i].first, rows[i].behind_ms);
        assert_int_equal(r.term_ns[DELAY_SYN_BACKOFF], rows[i].backoff_ms * MS);
        assert_int_equal(r.term_ns[DELAY_CONNECT_SERVER],
                         (1000 + rows[i].behind_ms - rows[i].backoff_ms) * MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_again_while_it_was_answered),
        cmocka_unit_test(a_turn_ends_with_the_next_one),
        cmocka_unit_test(a_quick_small_answer_looks_like_a_ticket),
        cmocka_unit_test(and_so_before_a_second_request),
        cmocka_unit_test(tickets_are_no_answer),
        cmocka_unit_test(the_handshake_is_no_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
