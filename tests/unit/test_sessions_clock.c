/* Pauses of the capture against the TCP timestamps of the hosts: a clock that was set, or time that passed. */
#include "tests/unit/session_fixture.h"

#include <stdio.h>

#define SECOND_NS 1000000000LL

/* One connection whose ends count at a rate of their own, by a clock that only passes through go(). */
struct hosts {
    struct conversation *c;
    double ticks[2];  /* counted by each side */
    int rate[2];      /* in a second */
    int64_t bytes[2]; /* sent by each side */
};

static struct hosts meet(struct fixture *f, int client_rate, int server_rate)
{
    return (struct hosts){&f->c, {7e6, 9e8}, {client_rate, server_rate}, {1, 1}};
}

/* The capture's clock and those of both ends go on by so many milliseconds of their own. */
static void go(struct hosts *h, int64_t stamped_ms, int64_t client_ms, int64_t server_ms)
{
    h->c->now_ns += stamped_ms * 1000000;
    h->ticks[0] += (double)client_ms * h->rate[0] / 1000;
    h->ticks[1] += (double)server_ms * h->rate[1] / 1000;
}

static void say(struct hosts *h, int side, uint16_t flags, const char *text)
{
    bool syn = (flags & TCP_SYN) != 0;
    struct segment s = {side, flags, syn ? 0 : h->bytes[side], (flags & TCP_ACK) != 0 ? h->bytes[!side] : -1,
                        text, text != NULL ? strlen(text) : 0, 0, 0};
    h->c->stamp[0] = (uint32_t)h->ticks[side];
    h->c->stamp[1] = (uint32_t)h->ticks[!side];
    send_segment(h->c, &s);
    h->bytes[side] += (int64_t)s.len;
}

static void both_talk(struct hosts *h, int times)
{
    for (int i = 0; i < times; i++) {
        go(h, 20, 20, 20);
        say(h, 0, TCP_ACK | TCP_PSH, "ask");
        go(h, 20, 20, 20);
        say(h, 1, TCP_ACK | TCP_PSH, "answer");
    }
}

static void begin(struct hosts *h)
{
    say(h, 0, TCP_SYN, NULL);
    go(h, 10, 10, 10);
    say(h, 1, TCP_SYN | TCP_ACK, NULL);
    go(h, 10, 10, 10);
    say(h, 0, TCP_ACK, NULL);
}

/* Another connection of the same ends, which tells their rates. */
static void show_rates(struct hosts *h, int times)
{
    int64_t bytes[2] = {h->bytes[0], h->bytes[1]};
    h->bytes[0] = h->bytes[1] = 1;
    h->c->ports[0]++;
    begin(h);
    both_talk(h, times);
    h->c->ports[0]--;
    h->bytes[0] = bytes[0];
    h->bytes[1] = bytes[1];
}

static struct capture_record end(struct fixture *f)
{
    struct capture_record capture;
    engine_finish(f->c.engine);
    engine_counters(f->c.engine, &capture);
    return capture;
}

static void expect_no_jump(struct fixture *f)
{
    struct capture_record capture = end(f);
    assert_int_equal(capture.time_jumps, 0);
    assert_int_equal(capture.jump_from_ns, 0);
    assert_int_equal(capture.jump_to_ns, 0);
}

static void test_both_hosts_show_a_step(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    show_rates(&h, 5);
    int64_t before = f->c.now_ns;
    go(&h, 30020, 20, 20);
    say(&h, 0, TCP_ACK | TCP_PSH, "ask");
    both_talk(&h, 3);
    struct capture_record capture = end(f);
    assert_int_equal(capture.time_jumps, 1);
    assert_int_equal(capture.jump_from_ns, before);
    assert_int_equal(capture.jump_to_ns, before + 30020 * 1000000LL);
    char pause[64];
    (void)snprintf(pause, sizeof pause, "%lld+30020", (long long)before);
    assert_non_null(strstr(capture.pauses, pause));
    assert_int_equal(capture.backward_times, 0);
}

/* Long after the step, its connection seems to count at a rate that nobody has. */
static void test_a_step_under_one_connection_needs_a_rate(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    go(&h, 30020, 20, 20);
    both_talk(&h, 3);
    expect_no_jump(f);
}

static void test_time_that_passed(void **state)
{
    static const int rates[][2] = {{1000, 1000}, {100, 1000}, {250, 100}, {300, 300}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct hosts h = meet(f, rates[i][0], rates[i][1]);
        put32(f->c.hosts[0], 0x0a000010u + (uint32_t)i);
        put32(f->c.hosts[1], 0xcb007110u + (uint32_t)i);
        begin(&h);
        both_talk(&h, 10);
        show_rates(&h, 10);
        go(&h, 30000, 30000, 30000);
        both_talk(&h, 3);
    }
    expect_no_jump(f);
}

/* Two machines behind one address: which of them counted is not known. */
static void test_rates_that_differ(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    show_rates(&h, 10);
    h.rate[0] = h.rate[1] = 100;
    f->c.ports[0] += 2;
    h.bytes[0] = h.bytes[1] = 1;
    begin(&h);
    both_talk(&h, 10);
    go(&h, 30000, 30000, 30000);
    both_talk(&h, 3);
    expect_no_jump(f);
}

/* A client that was suspended, or a packet that a link held back: the server counted on. */
static void test_one_host_stood_still(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    show_rates(&h, 5);
    go(&h, 30000, 20, 30000);
    both_talk(&h, 3);
    expect_no_jump(f);
}

static void test_one_host_alone_proves_nothing(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    show_rates(&h, 5);
    go(&h, 30000, 20, 20);
    say(&h, 0, TCP_ACK | TCP_PSH, "ask");
    expect_no_jump(f);
}

/* A night without traffic is no jump where a host counted through it. */
static void test_a_long_pause_that_was_one(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 10);
    go(&h, 7200000, 7200000, 7200000);
    both_talk(&h, 3);
    expect_no_jump(f);
}

static void test_a_long_jump_stays_one(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 10);
    show_rates(&h, 5);
    int64_t before = f->c.now_ns;
    go(&h, 7200000, 20, 20);
    both_talk(&h, 3);
    struct capture_record capture = end(f);
    assert_int_equal(capture.time_jumps, 1);
    assert_int_equal(capture.jump_from_ns, before);
    assert_int_equal(capture.jump_to_ns, before + 7220LL * SECOND_NS - 19980 * 1000000LL);
}

/* Only the widest pauses are asked about; a step among many true ones is found when it is one of these. */
static void test_a_step_among_pauses(void **state)
{
    struct fixture *f = *state;
    struct hosts h = meet(f, 1000, 1000);
    begin(&h);
    both_talk(&h, 3);
    for (int i = 0; i < 40; i++) {
        show_rates(&h, 3);
        f->c.ports[0] += 2;
        h.bytes[0] = h.bytes[1] = 1;
        begin(&h);
        both_talk(&h, 1);
        int64_t ms = i == 20 ? 5000 : 1100 + i;
        go(&h, ms, i == 20 ? 20 : ms, i == 20 ? 20 : ms);
        both_talk(&h, 2);
    }
    struct capture_record capture = end(f);
    assert_int_equal(capture.time_jumps, 1);
    assert_int_equal(capture.jump_to_ns - capture.jump_from_ns, 5020 * 1000000LL);
}

/* Data that stands behind its acknowledgment: the queues of the capturing host, not the network. */
static void test_behind_its_acknowledgment(void **state)
{
    struct fixture *f = *state;
    struct capture_record capture;
    handshake(&f->c, 20, 5);
    send_at(&f->c, 1, DATA(1, 1, 1, 100));
    send_at(&f->c, 0, ACK(0, 1, 301));
    send_at(&f->c, 0, DATA(1, 101, 1, 200)); /* acknowledged before */
    send_at(&f->c, 5, (struct segment){1, TCP_ACK, 401, 1, payload, 100, 0, 7102});
    send_at(&f->c, 0, (struct segment){1, TCP_ACK, 301, 1, payload, 100, 0, 7101}); /* overtaken on the way */
    send_at(&f->c, 0, ACK(0, 1, 501));
    engine_finish(f->c.engine);
    engine_counters(f->c.engine, &capture);
    assert_int_equal(f->seen.tcp[0].side[1].reordered_segments, 2);
    assert_int_equal(f->seen.tcp[0].side[1].disordered_segments, 1);
    assert_int_equal(capture.disordered_segments, 1);
    assert_int_equal(capture.gaps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_both_hosts_show_a_step),
        CASE(test_a_step_under_one_connection_needs_a_rate),
        CASE(test_time_that_passed),
        CASE(test_rates_that_differ),
        CASE(test_one_host_stood_still),
        CASE(test_one_host_alone_proves_nothing),
        CASE(test_a_long_pause_that_was_one),
        CASE(test_a_long_jump_stays_one),
        CASE(test_a_step_among_pauses),
        CASE(test_behind_its_acknowledgment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
