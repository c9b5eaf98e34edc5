/* Bytes that come again are held against what came before: the reason of each repetition, and other
 * bytes in the same place. The server sends; its sequence numbers wrap at once. */
#include "tests/unit/session_fixture.h"

static const char letters[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: here\r\n\r\nhello, and more than that";
static const char others[] = "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nServer: there\r\n\r\n, and so on and on";

static void send_text_at(struct conversation *c, int64_t ms, int64_t seq, const char *text, size_t len,
                         uint8_t ttl)
{
    send_at(c, ms, (struct segment){1, TCP_ACK | TCP_PSH, seq, 1, text, len, ttl, 0});
}

static const struct flow_tcp_record *finish(struct fixture *f)
{
    engine_finish(f->c.engine);
    assert_true(f->seen.has_tcp[0]);
    return &f->seen.tcp[0];
}

static const struct flow_event *last_of(const struct fixture *f, enum event_kind kind)
{
    const struct flow_event *found = NULL;
    for (size_t i = 0; i < f->seen.event_count[0]; i++) {
        if (f->seen.events[0][i].kind == kind)
            found = &f->seen.events[0][i];
    }
    assert_non_null(found);
    return found;
}

static void expect_no_conflict(const struct flow_tcp_record *tcp)
{
    assert_int_equal(tcp->side[0].conflicting_segments, 0);
    assert_int_equal(tcp->side[1].conflicting_segments, 0);
    assert_int_equal(tcp->conflict.first_frame, 0);
    assert_int_equal(tcp->conflict.side, SIDE_NONE);
}

static void test_same_bytes_in_other_segments(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 1, letters, 20, 0);
    send_text_at(c, 0, 21, letters + 20, 21, 0); /* an odd length in the middle */
    send_text_at(c, 0, 42, letters + 41, 19, 0);
    send_text_at(c, 400, 1, letters, 60, 0);
    send_text_at(c, 400, 5, letters + 4, 30, 0);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(f->seen.flows[0].server_retransmissions, 2);
    expect_no_conflict(tcp);
    assert_int_equal(last_of(f, EVENT_RETRANSMISSION)->reason, REASON_ORIGINAL_SEEN);
}

static void test_other_bytes_in_the_same_place(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 1, letters, 60, 0);
    send_text_at(c, 7, 1, others, 60, 49);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].conflicting_segments, 1);
    assert_int_equal(tcp->conflict.side, SIDE_SERVER);
    assert_int_equal(tcp->conflict.source_id, 1);
    assert_int_equal(tcp->conflict.first_frame, 4);
    assert_int_equal(tcp->conflict.other_frame, 5);
    assert_int_equal(tcp->conflict.gap_ns, 7000000);
    assert_int_equal(tcp->conflict.first_ttl, 57);
    assert_int_equal(tcp->conflict.other_ttl, 49);
    assert_int_equal(last_of(f, EVENT_RETRANSMISSION)->reason, REASON_OTHER_BYTES);
    assert_int_equal(event_confidence(EVENT_RETRANSMISSION, NOTE_UNCLEAR, REASON_OTHER_BYTES), 70);
}

/* A short one was put in, and the real answer follows. */
static void test_injected_first(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 1, others, 40, 0);
    send_text_at(&f->c, 9, 1, letters, 75, 0);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* It came too late: the real answer is longer and was first. */
static void test_injected_last(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 1, letters + 5, 70, 0);
    send_text_at(&f->c, 2, 1, others, 40, 0);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* Printable bytes without a period. */
static const char *long_text(size_t len, uint32_t seed)
{
    static char text[2][4000];
    static int slot;
    char *out = text[slot = !slot];
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('!' + (seed = seed * 1103515245u + 12345u) / 65536u % 90u);
    return out;
}

/* A segment [from, from + len) of other bytes where 1448 real ones were seen from 501 on. */
static uint32_t conflicts_of(struct fixture *f, int64_t from, size_t len)
{
    handshake(&f->c, 20, 6);
    send_at(&f->c, 1, DATA(1, 1, 1, 500));
    send_text_at(&f->c, 1, 501, long_text(1448, 1), 1448, 0);
    send_text_at(&f->c, 7, from, long_text(len, 2), len, 49);
    const struct flow_tcp_record *tcp = finish(f);
    if (tcp->side[1].conflicting_segments > 0)
        assert_int_equal(tcp->conflict.other_ttl, 49);
    return tcp->side[1].conflicting_segments;
}

static void test_other_bytes_begin_before(void **state)
{
    assert_int_equal(conflicts_of(*state, 400, 600), 1);
}

static void test_other_bytes_end_behind(void **state)
{
    assert_int_equal(conflicts_of(*state, 1500, 1000), 1);
}

static void test_other_bytes_within(void **state)
{
    assert_int_equal(conflicts_of(*state, 801, 300), 1);
}

static void test_other_bytes_around(void **state)
{
    assert_int_equal(conflicts_of(*state, 450, 1800), 1);
}

/* Ahead of the real one, which then fills the place before it and tells otherwise about the rest. */
static void test_other_bytes_were_first(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 301, long_text(700, 2), 700, 49);
    send_text_at(&f->c, 1, 1, long_text(1448, 1), 1448, 0);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* A short request, a part of which somebody claims anew. */
static void test_other_bytes_within_a_short_one(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 1, letters, 75, 0);
    send_text_at(&f->c, 7, 21, others + 20, 25, 49);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* After a large segment was lost, a sender that thinks of the MTU cuts it into pieces. */
static void send_in_pieces(struct fixture *f, const char *again)
{
    const char *text = long_text(1448, 1);
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 1, text, 1448, 0);
    send_text_at(&f->c, 1, 1449, text + 7, 700, 0);
    for (int i = 0; i < 3; i++) { /* the second piece begins at an odd place */
        static const int cut[] = {0, 537, 1073, 1448};
        send_text_at(&f->c, 300, 1 + cut[i], again + cut[i], (size_t)(cut[i + 1] - cut[i]), 0);
    }
}

static void test_same_bytes_in_pieces(void **state)
{
    struct fixture *f = *state;
    send_in_pieces(f, long_text(1448, 1));
    expect_no_conflict(finish(f));
}

/* One byte of 1448, where no mark lies: only the sum of all pieces shows it. */
static void test_one_other_byte_in_pieces(void **state)
{
    struct fixture *f = *state;
    char *again = (char *)long_text(1448, 1);
    again[700] ^= 4;
    send_in_pieces(f, again);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* What comes with bytes that are new is kept, too. */
static void test_other_bytes_behind_a_repetition(void **state)
{
    struct fixture *f = *state;
    const char *text = long_text(1200, 1);
    handshake(&f->c, 20, 6);
    send_text_at(&f->c, 1, 1, text, 400, 0);
    send_text_at(&f->c, 300, 1, text, 1200, 0);
    send_text_at(&f->c, 300, 201, text + 200, 900, 0);
    send_text_at(&f->c, 5, 601, long_text(500, 2), 500, 0);
    assert_int_equal(finish(f)->side[1].conflicting_segments, 1);
}

/* Whatever the segmentation, the same bytes in the same places are no conflict. */
static void test_any_cut_of_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    const char *text = long_text(4000, 5);
    uint32_t seed = 7;
    handshake(&f->c, 20, 6);
    for (int64_t at = 0; at + 500 < 4000; at += 500)
        send_text_at(&f->c, 1, 1 + at, text + at, 500, 0);
    for (int i = 0; i < 2000; i++) {
        seed = seed * 1103515245u + 12345u;
        size_t from = seed / 65536u % 3400u;
        size_t len = 1 + (seed = seed * 1103515245u + 12345u) / 65536u % (i % 2 ? 1500u : 40u);
        send_text_at(&f->c, i % 400, 1 + (int64_t)from, text + from, from + len > 3900 ? 3900 - from : len, 0);
    }
    expect_no_conflict(finish(f));
}

/* RFC 9293 3.8.6.1, 3.8.4: a probe's byte is refused or known, and any value will do. */
static void test_bytes_of_probes(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    const char *text = long_text(2000, 1);
    handshake(c, 20, 6);
    send_text_at(c, 1, 1, text, 1000, 0);
    c->window[0] = 0;
    send_at(c, 1, ACK(0, 1, 1001));
    for (int i = 0; i < 3; i++) {
        send_text_at(c, 300, 1001, "\0", 1, 0);
        send_at(c, 1, ACK(0, 1, 1001));
    }
    c->window[0] = 64240;
    send_at(c, 100, ACK(0, 1, 1001));
    send_text_at(c, 1, 1001, text + 1000, 1000, 0);
    send_at(c, 1, ACK(0, 1, 2001));
    send_text_at(c, 75000, 2000, "\0", 1, 0);
    send_at(c, 1, ACK(0, 1, 2001));
    send_text_at(c, 300, 1001, text + 1000, 400, 0);
    send_text_at(c, 0, 1401, text + 1400, 600, 0);
    expect_no_conflict(finish(f));
}

static void test_what_cannot_be_compared(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 1, letters, 60, 0);
    c->damage = true; /* damaged on the way */
    send_text_at(c, 300, 1, others, 60, 0);
    c->truncate = true; /* not captured whole */
    send_text_at(c, 300, 1, others, 60, 0);
    c->truncate = false;
    send_at(c, 5, ACK(0, 1, 61));
    send_text_at(c, 5000, 60, "\0", 1, 0); /* a keep-alive's byte is anything */
    for (int i = 0; i < 40; i++) /* the ring goes on */
        send_text_at(c, 1, 61 + 10 * i, letters, 10, 0);
    send_text_at(c, 300, 1, others, 60, 0);
    expect_no_conflict(finish(f));
}

static void test_reasons(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    c->stamp[0] = 1000;
    send_text_at(c, 1, 1, letters, 20, 0);
    c->stamp[0] = 1000;
    send_text_at(c, 0, 21, letters + 20, 20, 0);
    send_at(c, 6, ACK(0, 1, 21));
    c->stamp[0] = 1300;
    send_text_at(c, 300, 21, letters + 20, 20, 0); /* timer */
    c->stamp[0] = 1310;
    send_text_at(c, 10, 1, letters, 20, 0); /* for nothing */
    c->stamp[0] = 1320;
    send_text_at(c, 10, 11, letters + 10, 20, 0); /* half for nothing */
    c->stamp[0] = 1330;
    send_text_at(c, 10, 21, letters + 20, 30, 0); /* and something new */
    engine_finish(c->engine);
    static const uint32_t expected[] = {REASON_ORIGINAL_SEEN | REASON_TIMESTAMP,
                                        REASON_ACKNOWLEDGED | REASON_TIMESTAMP,
                                        REASON_PARTLY_ACKNOWLEDGED | REASON_TIMESTAMP,
                                        REASON_SPANS_NEW | REASON_TIMESTAMP};
    size_t at = 0;
    for (size_t i = 0; i < f->seen.event_count[0]; i++) {
        const struct flow_event *event = &f->seen.events[0][i];
        if (event->kind != EVENT_RETRANSMISSION)
            continue;
        assert_true(at < 4);
        assert_int_equal(event->reason, expected[at++]);
        assert_true(event_confidence(event->kind, NOTE_TIMEOUT, event->reason) == 98);
    }
    assert_int_equal(at, 4);
    assert_string_equal(event_reason_name(expected[3]), "spans-new, timestamp");
}

static void test_a_filled_hole_says_so(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 21, letters + 20, 20, 0);
    send_text_at(c, 300, 1, letters, 20, 0);
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].filling_retransmissions, 1);
    assert_int_equal(last_of(f, EVENT_RETRANSMISSION)->reason, REASON_FILLS_HOLE);
}

static void test_gaps_are_decided(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 21, letters + 20, 20, 0); /* missed, and acknowledged */
    send_at(c, 6, ACK(0, 1, 41));
    send_at(c, 100, ACK(0, 1, 41));
    send_text_at(c, 1, 61, letters, 20, 0); /* missing to the end */
    engine_finish(c->engine);
    uint32_t notes[2] = {0}, count = 0;
    for (size_t i = 0; i < f->seen.event_count[0]; i++) {
        if (f->seen.events[0][i].kind == EVENT_GAP && count < 2)
            notes[count++] = f->seen.events[0][i].note;
    }
    assert_int_equal(count, 2);
    assert_int_equal(notes[0], NOTE_LOST_BY_CAPTURE);
    assert_int_equal(notes[1], NOTE_UNRESOLVED);
}

/* The acknowledgment of a FIN, captured before it by another queue. */
static void test_a_late_fin_fills_its_place(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 6);
    send_text_at(c, 1, 1, letters, 20, 0);
    send_at(c, 6, FIN(0, 1, 22));
    send_at(c, -1, FIN(1, 21, 1));
    send_at(c, 100, ACK(1, 22, 2));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_string_equal(f->seen.flows[0].state, "SF");
}

/* The last ACK of the handshake, captured before the SYN-ACK: the client's next word is no round trip. */
static void test_an_early_ack_is_no_round_trip(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 13, ACK(0, 1, 1));
    send_at(c, 0, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 640, DATA(0, 1, 1, 100));
    send_at(c, 13, ACK(1, 1, 101));
    engine_finish(c->engine);
    assert_true((f->seen.flows[0].facts & FLOW_FACT_ESTABLISHED) != 0);
    assert_int_equal(f->seen.flows[0].connect_rtt_client_ns, RECORD_NONE_NS);
    assert_int_equal(f->seen.flows[0].connect_rtt_server_ns, 13000000);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

static void test_clock_steps_are_kept(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record capture;
    handshake(c, 20, 6);
    int64_t before = c->now_ns;
    send_at(c, 7200000, ACK(0, 1, 1)); /* one alone might be wild */
    engine_counters(c->engine, &capture);
    assert_int_equal(capture.jump_to_ns, 0);
    send_at(c, 5, ACK(1, 1, 1));
    engine_counters(c->engine, &capture);
    assert_int_equal(capture.jump_from_ns, before);
    assert_int_equal(capture.jump_to_ns, before + 7200000000000LL);
    int64_t high = c->now_ns;
    send_at(c, -999, ACK(1, 1, 1)); /* queues */
    c->now_ns = high;
    send_at(c, -5000, ACK(1, 1, 1));
    engine_counters(c->engine, &capture);
    assert_int_equal(capture.back_from_ns, high);
    assert_int_equal(capture.back_to_ns, high - 5000000000LL);
    engine_finish(c->engine);
}

static void test_window_full(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    c->window[0] = 2; /* times 128 */
    handshake(c, 20, 6);
    send_at(c, 1, DATA(1, 1, 1, 200));
    send_at(c, 0, DATA(1, 201, 1, 56));
    const struct flow_tcp_record *tcp = finish(f);
    assert_int_equal(tcp->side[1].window_full, 1);
    assert_int_equal(f->seen.events[0][f->seen.event_count[0] - 1].note, NOTE_WINDOW_FULL);
}

static void test_features_have_names(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN | TCP_ECE | TCP_CWR, 0, -1, NULL, 0, 0, 0});
    send_at(c, 9, (struct segment){1, TCP_SYN | TCP_ACK | TCP_ECE, 0, 1, NULL, 0, 0, 0});
    send_at(c, 1, ACK(0, 1, 1));
    c->ports[0]++; /* asked, and not taken */
    send_at(c, 0, (struct segment){0, TCP_SYN | TCP_ECE | TCP_CWR, 0, -1, "early", 5, 0, 0});
    send_at(c, 9, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    c->ports[0]++; /* both at once */
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 1, (struct segment){1, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 3);
    assert_int_equal(f->seen.flows[0].features, FLOW_FEATURE_ECN);
    assert_int_equal(f->seen.flows[1].features, FLOW_FEATURE_FAST_OPEN);
    assert_int_equal(f->seen.flows[2].features, FLOW_FEATURE_SIMULTANEOUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_same_bytes_in_other_segments),
        CASE(test_other_bytes_in_the_same_place),
        CASE(test_injected_first),
        CASE(test_injected_last),
        CASE(test_other_bytes_begin_before),
        CASE(test_other_bytes_end_behind),
        CASE(test_other_bytes_within),
        CASE(test_other_bytes_around),
        CASE(test_other_bytes_were_first),
        CASE(test_other_bytes_within_a_short_one),
        CASE(test_same_bytes_in_pieces),
        CASE(test_one_other_byte_in_pieces),
        CASE(test_other_bytes_behind_a_repetition),
        CASE(test_any_cut_of_the_same_bytes),
        CASE(test_bytes_of_probes),
        CASE(test_what_cannot_be_compared),
        CASE(test_reasons),
        CASE(test_a_filled_hole_says_so),
        CASE(test_gaps_are_decided),
        CASE(test_a_late_fin_fills_its_place),
        CASE(test_an_early_ack_is_no_round_trip),
        CASE(test_clock_steps_are_kept),
        CASE(test_window_full),
        CASE(test_features_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
