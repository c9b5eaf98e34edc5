/* Segments with wrong checksums: the exception was damaged on the way and is not believed; where all
 * are wrong, the sums mean nothing and all is believed. */
#include "tests/unit/session_fixture.h"

#define LEN 100
#define RIGHT 8 /* segments with right sums first */

/* The server's n-th segment. */
static void send_nth(struct conversation *c, int64_t ms, int64_t n, bool damage)
{
    c->damage = damage;
    send_at(c, ms, DATA(1, 1 + n * LEN, 1, LEN));
}

static void acknowledge(struct conversation *c, int64_t ms, int64_t n)
{
    send_at(c, ms, ACK(0, 1, 1 + n * LEN));
}

static void begin(struct conversation *c)
{
    handshake(c, 20, 6);
    for (int64_t n = 0; n < RIGHT; n++) {
        send_nth(c, 1, n, false);
        acknowledge(c, 1, n + 1);
    }
}

static const struct flow_tcp_record *finish(struct fixture *f)
{
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.count, 1);
    return &f->seen.tcp[0];
}

static size_t count_of(const struct fixture *f, enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < f->seen.event_count[0]; i++)
        count += f->seen.events[0][i].kind == kind;
    return count;
}

/* Damaged, overtaken by what follows, asked for again, right at last. */
static void test_damage_in_a_flight(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    send_nth(c, 1, RIGHT, true);
    for (int64_t n = RIGHT + 1; n < RIGHT + 4; n++) {
        send_nth(c, 0, n, false);
        acknowledge(c, 6, RIGHT);
    }
    send_nth(c, 20, RIGHT, false);
    acknowledge(c, 6, RIGHT + 4);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].wrong_checksums, 1);
    assert_int_equal(tcp->side[1].damaged_losses, 1);
    assert_int_equal(tcp->side[1].recovered_losses, 1);
    assert_int_equal(tcp->side[1].filling_retransmissions, 1);
    assert_int_equal(tcp->side[1].reordered_segments, 0);
    assert_int_equal(tcp->side[1].conflicting_segments, 0);
    assert_int_equal(tcp->side[1].capture_gap_bytes, 0);
    assert_int_equal(tcp->side[0].wrong_checksums, 0);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 1);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, (RIGHT + 4) * LEN);
}

/* The right copy comes after more segments than are remembered. */
static void test_damage_in_a_long_flight(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    send_nth(c, 1, RIGHT, true);
    for (int64_t n = RIGHT + 1; n < RIGHT + 50; n++)
        send_nth(c, 0, n, false);
    send_nth(c, 20, RIGHT, false);
    acknowledge(c, 6, RIGHT + 50);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].damaged_losses, 1);
    assert_int_equal(tcp->side[1].recovered_losses, 1);
}

/* The last one of a flight: no later segment shows the hole. */
static void test_damage_at_the_tail(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    send_nth(c, 1, RIGHT, true);
    send_nth(c, 250, RIGHT, false);
    acknowledge(c, 6, RIGHT + 1);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].damaged_losses, 1);
    assert_int_equal(tcp->side[1].recovered_losses, 1);
    assert_int_equal(f->seen.flows[0].server_retransmissions, 1);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, (RIGHT + 1) * LEN);
}

/* Neither its acknowledgment nor its flags count. */
static void test_damaged_words_are_not_believed(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    c->damage = true;
    send_at(c, 1, RST(1, 1 + RIGHT * LEN));
    c->damage = true;
    send_at(c, 1, ACK(0, 1, 1 + (RIGHT + 100) * LEN));
    send_nth(c, 1, RIGHT, false);
    acknowledge(c, 6, RIGHT + 1);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].rst_count, 0);
    assert_int_equal(tcp->side[1].capture_gap_bytes, 0);
    assert_int_equal(tcp->side[0].wrong_checksums, 1);
    assert_int_equal(tcp->side[1].wrong_checksums, 1);
    assert_string_equal(f->seen.flows[0].state, "S1");
}

/* The sums of a whole direction are wrong: the packets say what they always said. */
static void test_a_wrong_direction_is_believed(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    for (int64_t n = 0; n < RIGHT; n++) {
        send_nth(c, 1, n, true);
        acknowledge(c, 1, n + 1);
    }
    send_nth(c, 1, RIGHT, true);
    send_nth(c, 300, RIGHT, true);
    acknowledge(c, 6, RIGHT + 1);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].wrong_checksums, RIGHT + 2);
    assert_int_equal(tcp->side[1].segments, RIGHT + 1);
    assert_int_equal(tcp->side[1].damaged_losses, 0);
    assert_int_equal(tcp->side[1].filling_retransmissions, 0);
    assert_int_equal(tcp->side[1].recovered_losses, 1);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 0);
}

/* Too early to know which it is: believed, and counted when the right copy shows what it was. */
static void test_damage_of_the_first_segment(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_nth(c, 1, 0, true);
    send_nth(c, 250, 0, false);
    acknowledge(c, 6, 1);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].damaged_losses, 1);
    assert_int_equal(tcp->side[1].filling_retransmissions, 1);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 0);
}

/* Taken by its receiver without a right copy: wrong in the capture alone, and so are the next. */
static void test_an_acknowledged_one_was_right(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    send_nth(c, 1, RIGHT, true);
    acknowledge(c, 6, RIGHT + 1);
    acknowledge(c, 100, RIGHT + 1);
    send_nth(c, 1, RIGHT + 1, true);
    acknowledge(c, 6, RIGHT + 2);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 1);
    assert_int_equal(tcp->side[1].wrong_checksums, 2);
    assert_int_equal(tcp->side[1].damaged_losses, 0);
    assert_int_equal(tcp->side[1].capture_gap_bytes, 0);
}

/* The capturing host joins what arrives; such a segment carries no sum of its own. */
static void test_joined_segments_are_believed(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    begin(c);
    int64_t at = 1 + RIGHT * LEN;
    c->damage = true;
    send_at(c, 1, DATA(1, at, 1, 2920));
    c->damage = true;
    send_at(c, 1, DATA(1, at + 2920, 1, 1092));
    send_at(c, 1, ACK(0, 1, at + 4012));
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 0);
    assert_int_equal(tcp->side[1].wrong_checksums, 2);
    assert_int_equal(tcp->side[1].segments, RIGHT + 2);
}

/* Half of the conversation: nobody is heard who might have taken it. */
static void test_one_sided_ones_are_believed(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    for (int64_t n = 0; n < RIGHT; n++)
        send_nth(c, 1, n, false);
    send_nth(c, 1, RIGHT, true);
    send_nth(c, 1, RIGHT + 1, false);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(count_of(f, EVENT_DAMAGED), 0);
    assert_int_equal(tcp->side[0].wrong_checksums + tcp->side[1].wrong_checksums, 1);
    assert_int_equal(tcp->side[0].capture_gap_bytes + tcp->side[1].capture_gap_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_damage_in_a_flight),          CASE(test_damage_at_the_tail),
        CASE(test_damaged_words_are_not_believed), CASE(test_a_wrong_direction_is_believed),
        CASE(test_damage_of_the_first_segment), CASE(test_an_acknowledged_one_was_right),
        CASE(test_damage_in_a_long_flight),
        CASE(test_joined_segments_are_believed), CASE(test_one_sided_ones_are_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
