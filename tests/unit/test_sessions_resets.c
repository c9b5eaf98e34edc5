/* What the session engine keeps of each RST, and of two SYN-ACKs that disagree. */
#include "tests/unit/session_fixture.h"

#define SYNACK(seq, ack) ((struct segment){1, TCP_SYN | TCP_ACK, seq, ack, NULL, 0, 0, 0})
#define RSTACK(side, seq, ack) ((struct segment){side, TCP_RST | TCP_ACK, seq, ack, NULL, 0, 0, 0})

static const struct reset_record *reset(const struct fixture *f, size_t at)
{
    assert_true(at < f->seen.reset_count);
    return &f->seen.resets[at];
}

/* Handshake, one exchange, a second request at client byte 101..200; the server stands at 101. */
static void asked_again(struct conversation *c)
{
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 100));
    send_at(c, 3, DATA(0, 101, 101, 100));
}

static void facts_of_one(void **state)
{
    struct fixture *f = *state;
    struct segment rst = RSTACK(1, 101, 201);
    asked_again(&f->c);
    rst.ttl = 50;
    rst.ip_id = 4;
    send_at(&f->c, 2, rst);
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.reset_count, 1);
    const struct reset_record *r = reset(f, 0);
    assert_int_equal(r->number, 1);
    assert_int_equal(r->side, SIDE_SERVER);
    assert_int_equal(r->frame, 7);
    assert_true(r->with_ack);
    assert_int_equal(r->ttl, 50);
    assert_int_equal(r->usual_ttl, 57);
    assert_int_equal(r->ip_id, 4);
    assert_int_equal(r->ip_id_before, 7002);
    assert_int_equal(r->ip_id_line, IP_ID_UNKNOWN); /* two packets only */
    assert_int_equal(r->guess, RESET_GUESS_EXACT);
    assert_int_equal(r->sequence_offset, 0);
    assert_int_equal(r->ack_offset, 0);
    assert_int_equal(r->ack_step, 100);
    assert_int_equal(r->own_ns, 5 * 1000000);
    assert_int_equal(r->peer_ns, 2 * 1000000);
    assert_int_equal(r->peer_first_ns, 2 * 1000000);
    assert_int_equal(r->peer_payload_ns, 2 * 1000000);
    assert_int_equal(r->segments_before, 1);
    assert_int_equal(r->later_packets, 0);
    assert_false(r->own_fin || r->peer_fin || r->changed);
    const struct flow_event *event = &f->seen.events[0][f->seen.event_count[0] - 1];
    assert_int_equal(event->kind, EVENT_RST);
    assert_int_equal(event->sequence, 101); /* relative, as Wireshark prints it */
}

static void a_host_that_counts(void **state)
{
    struct fixture *f = *state;
    asked_again(&f->c);
    send_at(&f->c, 20, ACK(1, 101, 201));
    send_at(&f->c, 1, DATA(1, 101, 201, 100));
    struct segment rst = RSTACK(1, 201, 201);
    rst.ip_id = 31000;
    send_at(&f->c, 2, rst);
    engine_finish(f->c.engine);
    assert_int_equal(reset(f, 0)->ip_id_line, IP_ID_COUNTS);
    assert_int_equal(reset(f, 0)->ip_id_before, 7004);
}

static void guesses(void **state)
{
    struct fixture *f = *state;
    asked_again(&f->c);
    send_at(&f->c, 20, DATA(1, 101, 201, 100)); /* not acknowledged */
    send_at(&f->c, 1, RST(1, 101));             /* the client's acknowledgment */
    send_at(&f->c, 0, RST(1, 150));
    send_at(&f->c, 0, RST(1, 50));
    send_at(&f->c, 0, RST(1, 1661));
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.reset_count, 4);
    assert_int_equal(reset(f, 0)->guess, RESET_GUESS_ANSWER);
    assert_int_equal(reset(f, 1)->guess, RESET_GUESS_UNACKED);
    assert_true(reset(f, 1)->changed);
    assert_int_equal(reset(f, 2)->guess, RESET_GUESS_BEHIND);
    assert_int_equal(reset(f, 3)->guess, RESET_GUESS_AHEAD);
    assert_int_equal(reset(f, 3)->sequence_offset, 1460);
    assert_true(f->seen.tcp[0].side[1].rst_ack_changed);
    assert_int_equal(f->seen.tcp[0].side[1].rst_sequence_offset, 0); /* of the first */
}

/* Each of four segments on their way is refused by its own RST, ACK: one device, no guessing. */
static void answers_to_a_train_agree(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 5);
    for (int i = 0; i < 4; i++)
        send_at(&f->c, 0, DATA(0, 1 + 100 * i, 1, 100));
    for (int i = 0; i < 4; i++)
        send_at(&f->c, i == 0 ? 20 : 0, RSTACK(1, 1, 101 + 100 * i));
    engine_finish(f->c.engine);
    assert_false(f->seen.tcp[0].side[1].rst_ack_changed);
}

static void later_data_is_counted(void **state)
{
    struct fixture *f = *state;
    asked_again(&f->c);
    send_at(&f->c, 1, RSTACK(1, 101, 201));
    send_at(&f->c, 1, ACK(1, 101, 201)); /* may be reordered */
    send_at(&f->c, 19, DATA(1, 101, 201, 100));
    engine_finish(f->c.engine);
    assert_int_equal(reset(f, 0)->later_packets, 1);
    assert_int_equal(reset(f, 0)->later_bytes, 100);
}

static void bounded(void **state)
{
    struct fixture *f = *state;
    asked_again(&f->c);
    for (int i = 0; i < 20; i++) {
        send_at(&f->c, 0, RSTACK(1, 101, 201));
        send_at(&f->c, 0, RSTACK(0, 201, 101));
    }
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.reset_count, RESETS_MAX);
    assert_int_equal(f->seen.flows[0].server_resets, 20);
}

static void a_refused_syn_keeps_none(void **state)
{
    struct fixture *f = *state;
    send_at(&f->c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(&f->c, 20, (struct segment){1, TCP_RST | TCP_ACK, 0x10, 1, NULL, 0, 0, 0});
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.reset_count, 0);
    assert_true(f->seen.tcp[0].rst_to_syn);
}

/* Only the second of the two refuses the SYN; both are kept for comparison. */
static void a_bare_reset_before_the_refusal(void **state)
{
    struct fixture *f = *state;
    send_at(&f->c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(&f->c, 5, (struct segment){1, TCP_RST, 0x10, -1, NULL, 0, 0, 0});
    send_at(&f->c, 1, (struct segment){1, TCP_RST | TCP_ACK, 0x10, 1, NULL, 0, 0, 0});
    engine_finish(f->c.engine);
    assert_true(f->seen.tcp[0].rst_to_syn);
    assert_int_equal(f->seen.reset_count, 2);
}

/* Who reset a connection does not ask again; at once it may be an overtaken packet. */
static void sent_again(struct fixture *f, int wait_ms, uint32_t later)
{
    asked_again(&f->c);
    send_at(&f->c, 1, RSTACK(0, 201, 101));
    send_at(&f->c, wait_ms, DATA(0, 101, 101, 100));
    engine_finish(f->c.engine);
    assert_int_equal(reset(f, 0)->later_packets, later);
    assert_int_equal(f->seen.tcp[0].side[SIDE_CLIENT].data_after_rst, later > 0);
}

static void sent_again_behind_it(void **state)
{
    sent_again(*state, 250, 1);
}

static void overtaken_by_it(void **state)
{
    sent_again(*state, 20, 0);
}

static void two_synacks(void **state)
{
    struct fixture *f = *state;
    struct segment other = SYNACK(5000, 1);
    other.ttl = 61;
    send_at(&f->c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(&f->c, 7, other);
    send_at(&f->c, 13, SYNACK(0, 1));
    engine_finish(f->c.engine);
    const struct synack_pair *pair = &f->seen.tcp[0].synack_pair;
    assert_true(f->seen.tcp[0].synack_conflict);
    assert_int_equal(pair->first_frame, 2);
    assert_int_equal(pair->other_frame, 3);
    assert_int_equal(pair->gap_ns, 13 * 1000000);
    assert_int_equal(pair->syns, 1);
    assert_int_equal(pair->first_ttl, 61);
    assert_int_equal(pair->other_ttl, 57);
    assert_true(pair->answers_same);
    assert_false(pair->shape_differs || pair->mac_differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(facts_of_one),
        CASE(a_host_that_counts),
        CASE(guesses),
        CASE(answers_to_a_train_agree),
        CASE(later_data_is_counted),
        CASE(bounded),
        CASE(a_refused_syn_keeps_none),
        CASE(a_bare_reset_before_the_refusal),
        CASE(sent_again_behind_it),
        CASE(overtaken_by_it),
        CASE(two_synacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
