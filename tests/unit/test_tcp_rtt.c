/* sessions/tcp_rtt: which acknowledgments measure the way, and which measure a timer. */
#include "sessions/tcp_rtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000LL
#define FULL 1448u

static int64_t offset; /* behind what was sent */

static void send_new(struct tcp_rtt *rtt, int64_t at_ms, uint32_t len, uint32_t stamp)
{
    struct packet p = {.time_ns = at_ms * MS};
    struct layers l;
    memset(&l, 0, sizeof l);
    l.payload_len = len;
    l.tcp.has_timestamp = stamp != 0;
    l.tcp.timestamp_value = stamp;
    offset += len;
    tcp_rtt_sent(rtt, offset, &p, &l);
}

static void send_again(struct tcp_rtt *rtt, uint32_t stamp)
{
    struct layers l;
    memset(&l, 0, sizeof l);
    l.tcp.has_timestamp = stamp != 0;
    l.tcp.timestamp_value = stamp;
    tcp_rtt_sent_again(rtt, &l);
}

static int64_t acknowledge(struct tcp_rtt *rtt, int64_t at_ms, int64_t upto, uint32_t echo,
                           uint32_t payload)
{
    struct packet p = {.time_ns = at_ms * MS};
    struct layers l;
    memset(&l, 0, sizeof l);
    l.payload_len = payload;
    l.tcp.has_timestamp = echo != 0;
    l.tcp.timestamp_echo = echo;
    return tcp_rtt_acked(rtt, upto, &p, &l);
}

static struct tcp_rtt start(void)
{
    offset = 1;
    return (struct tcp_rtt){.acked = 1, .previous_ns = -1000 * MS};
}

static void two_full_segments_are_acknowledged_at_once(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 101, FULL, 0);
    assert_int_equal(acknowledge(&rtt, 121, offset, 0, 0), 20 * MS);
    assert_int_equal(acknowledge(&rtt, 122, offset, 0, 0), -1); /* the same again */
}

static void a_lone_segment_may_wait_for_a_timer(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    assert_int_equal(acknowledge(&rtt, 160, offset, 0, 0), -1);
    send_new(&rtt, 200, 100, 0);
    assert_int_equal(acknowledge(&rtt, 240, offset, 0, 0), -1);
}

static void an_answer_is_no_acknowledgment_by_the_stack(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 100, FULL, 0);
    assert_int_equal(acknowledge(&rtt, 130, offset, 0, 500), -1);
}

static void later_data_covered_by_it_spoils_the_sample(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 140, FULL, 0);
    assert_int_equal(acknowledge(&rtt, 160, offset, 0, 0), -1);
}

static void separate_acknowledgments_of_a_burst_count(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 100, FULL, 0);
    assert_int_equal(acknowledge(&rtt, 120, offset - FULL, 0, 0), -1);
    assert_int_equal(acknowledge(&rtt, 120, offset, 0, 0), 20 * MS);
}

static void what_was_sent_again_counts_only_by_timestamp(void **state)
{
    struct tcp_rtt rtt = start();
    (void)state;
    send_new(&rtt, 100, FULL, 0);
    send_new(&rtt, 100, FULL, 0);
    send_again(&rtt, 0);
    assert_int_equal(acknowledge(&rtt, 320, offset, 0, 0), -1); /* Karn */
    send_new(&rtt, 400, FULL, 7001);
    send_new(&rtt, 400, FULL, 7001);
    send_again(&rtt, 7201);
    assert_int_equal(acknowledge(&rtt, 420, offset, 7001, 0), 20 * MS); /* the first copy */
    send_new(&rtt, 500, FULL, 7301);
    send_new(&rtt, 500, FULL, 7301);
    send_again(&rtt, 7501);
    assert_int_equal(acknowledge(&rtt, 720, offset, 7501, 0), -1); /* the second */
}

static void facts_keep_count_extremes_sum_and_last(void **state)
{
    struct rtt_facts f = {0};
    (void)state;
    rtt_facts_add(&f, 20);
    rtt_facts_add(&f, 50);
    rtt_facts_add(&f, 30);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.min_ns, 20);
    assert_int_equal(f.max_ns, 50);
    assert_int_equal(f.sum_ns, 100);
    assert_int_equal(f.last_ns, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_full_segments_are_acknowledged_at_once),
        cmocka_unit_test(a_lone_segment_may_wait_for_a_timer),
        cmocka_unit_test(an_answer_is_no_acknowledgment_by_the_stack),
        cmocka_unit_test(later_data_covered_by_it_spoils_the_sample),
        cmocka_unit_test(separate_acknowledgments_of_a_burst_count),
        cmocka_unit_test(what_was_sent_again_counts_only_by_timestamp),
        cmocka_unit_test(facts_keep_count_extremes_sum_and_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
