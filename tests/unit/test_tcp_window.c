/* sessions/tcp_window: whether data comes up to an announced edge because the sender waited for it.
 */
#include "sessions/tcp_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000LL
#define MSS 1000
#define WINDOW 8000
/* Between tap and sender, and from end to end. */
#define SENDER (20 * MS)
#define WHOLE (60 * MS)

struct line {
    struct tcp_window_use use;
    int64_t acked, sent;
    bool stamped;
};

static struct tcp_window_way at(const struct line *l, int64_t ms, uint32_t timestamp)
{
    return (struct tcp_window_way){.now_ns = 1000000 * MS + ms * MS,
                                   .frame = ms,
                                   .mss = MSS,
                                   .sender_ns = SENDER,
                                   .whole_ns = WHOLE,
                                   .timestamp = timestamp,
                                   .stamped = l->stamped};
}

static void acknowledge(struct line *l, int64_t ms, int64_t upto, uint32_t timestamp)
{
    struct tcp_window_way way = at(l, ms, timestamp);
    tcp_window_announced(&l->use, &way, upto, upto - l->acked, WINDOW, l->sent);
    l->acked = upto;
}

static void send_data(struct line *l, int64_t ms, int64_t end, uint32_t echo)
{
    struct tcp_window_way way = at(l, ms, echo);
    tcp_window_sent(&l->use, &way, end);
    l->sent = end;
}

/* Ten round trips, of which the sender uses `used` bytes of the window each, at `late` ms behind
 * the time that its way takes. */
static struct flow_delay_record transfer(bool stamped, int64_t used, int64_t late)
{
    struct line l[2] = {{.stamped = stamped}, {.stamped = stamped}};
    for (int i = 0; i < 12; i++) {
        int64_t ms = i * 60;
        acknowledge(&l[1], ms, l[1].sent, (uint32_t)(100 + ms));
        send_data(&l[1], ms + 20 + late, l[1].acked + used, (uint32_t)(100 + ms));
    }
    const struct tcp_window_use use[2] = {l[0].use, l[1].use};
    struct flow_delay_record out = {.window_sender = SIDE_NONE};
    tcp_window_close(use, &out);
    return out;
}

static void test_used_up(void **state)
{
    (void)state;
    for (int stamped = 0; stamped < 2; stamped++) {
        struct flow_delay_record r = transfer(stamped, WINDOW - MSS / 2, 1);
        assert_int_equal(r.window_sender, SIDE_SERVER);
        assert_int_equal(r.window_acks, 12);
        assert_int_equal(r.window_full, 12);
        assert_int_equal(r.window_bytes, WINDOW);
        assert_int_equal(r.window_frame, 21); /* the first data behind the first edge */
        assert_int_equal(r.window_frame_ns, 1000000 * MS + 21 * MS);
        assert_int_equal(r.window_span_ns, 11 * 60 * MS);
        assert_int_equal(r.window_rate, (int64_t)(WINDOW - MSS / 2) * 1000 / 60);
    }
}

/* A segment and more stays free: something else limits. */
static void test_room_left(void **state)
{
    (void)state;
    assert_int_equal(transfer(true, WINDOW - 2 * MSS, 1).window_sender, SIDE_NONE);
    assert_int_equal(transfer(false, WINDOW - 2 * MSS, 1).window_sender, SIDE_NONE);
}

/* Timestamps show that a late sender knew no newer edge: a queue on the way to it changes nothing.
 * Without them, time is all there is. */
static void test_late(void **state)
{
    (void)state;
    assert_int_equal(transfer(true, WINDOW, 30).window_sender, SIDE_SERVER);
    assert_int_equal(transfer(false, WINDOW, 30).window_sender, SIDE_NONE);
}

/* A sender that had nothing to send for long met no edge, whatever it knew. */
static void test_idle(void **state)
{
    (void)state;
    struct line l = {.stamped = true};
    acknowledge(&l, 0, 1, 100);
    send_data(&l, 1000, WINDOW, 100);
    assert_int_equal(l.use.edges, 1);
    assert_int_equal(l.use.full, 0);
}

/* The announcement never reached the sender, or the next came right behind: nothing is counted. Of
 * several within one tick of the clock the last counts. */
static void test_unheard(void **state)
{
    (void)state;
    struct line l = {.stamped = true};
    acknowledge(&l, 0, 1000, 100);
    acknowledge(&l, 1, 2000, 101);
    send_data(&l, 21, 2000 + WINDOW, 101);
    assert_int_equal(l.use.edges, 0);
    acknowledge(&l, 30, 3000, 130);
    acknowledge(&l, 30, 4000, 130);
    send_data(&l, 51, 3000 + WINDOW, 130);
    assert_int_equal(l.use.edges, 0);
    send_data(&l, 51, 4000 + WINDOW, 130);
    assert_int_equal(l.use.full, 1);
}

static void test_unknown_way(void **state)
{
    (void)state;
    struct line l = {.stamped = true};
    struct tcp_window_way way = at(&l, 0, 100);
    way.sender_ns = RECORD_NONE_NS;
    tcp_window_announced(&l.use, &way, 1000, 1000, WINDOW, 1000 + WINDOW);
    assert_int_equal(l.use.edges, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used_up), cmocka_unit_test(test_room_left),
        cmocka_unit_test(test_late),    cmocka_unit_test(test_idle),
        cmocka_unit_test(test_unheard), cmocka_unit_test(test_unknown_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
