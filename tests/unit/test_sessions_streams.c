/* Streams behind the flow: bytes in order for the dissector, whatever is missing, twice or too
 * much. */
#include "tests/unit/session_fixture.h"

#define HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const char ask[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/* One lost segment in a long chunked answer: more waits behind it than is kept. */
static void test_much_waits_behind_a_hole(void **state)
{
    static char chunk[1000];
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct capture_record counters;
    int64_t asked = 1 + (int64_t)strlen(ask), at = 1 + (int64_t)strlen(HEAD);
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "3e1\r\n", 5); /* 993 bytes, and the line end */
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 1, 1, 1, asked, HEAD);
    for (int64_t i = 0; i < 600; i++, at += 1000) {
        if (i != 5) /* it comes by another way: nobody saw it, nor its acknowledgment */
            send_at(c, 0, (struct segment){1, TCP_ACK, at, asked, chunk, sizeof chunk, 0, 0});
    }
    send_text(c, 1, 1, at, asked, "0\r\n\r\n");
    send_text(c, 1, 0, asked, at + 5, ask);
    send_text(c, 20, 1, at + 5, asked * 2 - 1, "HTTP/1.1 204 No Content\r\n\r\n");
    engine_finish(c->engine);
    engine_counters(c->engine, &counters);
    assert_int_equal(counters.limit_streams, 1);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_LIMIT, 0);
    assert_int_equal(f->seen.http_count, 2);
    assert_int_equal(f->seen.http[1].status, 204); /* the stream went on behind the hole */
    assert_true(f->seen.http[1].complete);
}

/* Two holes are decided by one segment: what lies between them is not lost with them. */
static void test_between_two_holes(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    int64_t a = 1 + (int64_t)strlen(ask), b = 1 + (int64_t)strlen(answer);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 1, 1, 1, a, answer);
    send_text(c, 1, 0, a + 50, b, ask);              /* 50 bytes before it are missing */
    send_text(c, 1, 0, a + 50 + a - 1 + 50, b, "x"); /* and 50 behind it */
    send_at(c, 1, ACK(1, b, 2 * a + 100));
    send_at(c, 100, ACK(1, b, 2 * a + 100));
    send_text(c, 1, 1, b, 2 * a + 100, answer);
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 100);
    assert_int_equal(f->seen.http_count, 2);
    assert_string_equal(f->seen.http[1].path, "/a");
    assert_int_equal(f->seen.http[1].status, 204);
}

/* Both directions have a hole that the same segment decides. */
static void test_holes_of_both_sides_at_once(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    int64_t a = (int64_t)strlen(ask), b = (int64_t)strlen(answer);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 1, 1, 1, 1 + a, answer);
    send_text(c, 1, 0, 1 + a + 50, 1 + b, ask);
    send_text(c, 1, 1, 1 + b + 50, 1 + 2 * a + 50, answer);
    send_at(c, 1, ACK(0, 1 + 2 * a + 50, 1 + 2 * b + 50));
    send_text(c, 100, 0, 1 + 2 * a + 50, 1 + 2 * b + 50, ask);
    send_text(c, 1, 1, 1 + 2 * b + 50, 1 + 3 * a + 50, answer);
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 100);
    assert_int_equal(f->seen.http_count, 3);
    assert_int_equal(f->seen.http[2].status, 204);
    assert_string_equal(f->seen.http[2].path, "/a");
}

/* The first segment of the client is lost: the answer still tells what the flow is. */
static void test_first_segment_lost(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    int64_t b = 1 + (int64_t)strlen(answer);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 41, 1, "X-Rest: of a head\r\n\r\n");
    send_at(c, 1, ACK(1, 1, 62));
    send_at(c, 100, ACK(1, 1, 62));
    send_text(c, 1, 1, 1, 62, answer);
    send_text(c, 1, 0, 62, b, ask);
    send_text(c, 1, 1, b, 62 + (int64_t)strlen(ask), answer);
    engine_finish(c->engine);
    assert_string_equal(f->seen.flows[0].app, "http");
    assert_int_equal(f->seen.http_count, 2);
    assert_string_equal(f->seen.http[1].path, "/a");
    assert_int_equal(f->seen.http[1].status, 204);
}

/* Segments overlap in every way: the first copy of a byte counts. */
static void test_overlaps(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    int64_t len = (int64_t)strlen(ask);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 19, 1, "ost");
    send_text(c, 1, 0, 9, 1, "TTP/1.1\r\nH???: x\r\n\r\n");
    send_text(c, 1, 0, 10, 1, "!!!!!!!!!!!!!!!!!!!");
    send_text(c, 1, 0, 1, 1, "GET /a H###");
    send_text(c, 1, 0, 1, 1, "----------------------------");
    send_text(c, 1, 1, 1, 1 + len, "HTTP/1.1 204 No Content\r\n\r\n");
    engine_finish(c->engine);
    assert_int_equal(f->seen.http_count, 1);
    assert_int_equal(f->seen.http[0].status, 204);
    assert_string_equal(f->seen.flows[0].name, "x");
}

/* The FIN overtakes the only bytes of its side, and the client acknowledges both before they are captured. */
static void test_fin_before_all_bytes(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int64_t asked = 1 + (int64_t)strlen(ask), end = 1 + (int64_t)strlen(answer);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_at(c, 5, (struct segment){1, TCP_ACK | TCP_FIN, end, asked, NULL, 0, 0, 0});
    send_at(c, 0, ACK(0, asked, end + 1));
    send_text(c, 0, 1, 1, asked, answer);
    engine_finish(c->engine);
    assert_int_equal(f->seen.http_count, 1);
    assert_int_equal(f->seen.http[0].status, 200);
    assert_true(f->seen.http[0].complete);
    assert_int_equal(f->seen.flows[0].facts & (FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE), 0);
}

/* The same, and its bytes never come: whoever reads them is told of the gap, then of the end. */
static void test_fin_behind_bytes_that_never_come(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    int64_t asked = 1 + (int64_t)strlen(ask);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_at(c, 5, (struct segment){1, TCP_ACK | TCP_FIN, 101, asked, NULL, 0, 0, 0});
    send_at(c, 0, ACK(0, asked, 102));
    send_at(c, 200, (struct segment){0, TCP_ACK | TCP_FIN, asked, 102, NULL, 0, 0, 0});
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 100);
    assert_int_equal(f->seen.flows[0].facts & FLOW_FACT_ANSWER_INCOMPLETE, 0);
}

/* A TLS server's alert to clear text, in any segmentation: seven bytes one by one, the second of them twice. */
static void test_alert_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char alert[] = {21, 3, 3, 0, 2, 2, 70};
    int64_t asked = 1 + (int64_t)strlen(ask);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, "G");
    send_text(c, 1, 0, 2, 1, ask + 1);
    for (int64_t i = 0; i < (int64_t)sizeof alert; i++) {
        send_at(c, 1, (struct segment){1, TCP_ACK, 1 + i, asked, &alert[i], 1, 0, 0});
        if (i == 1)
            send_at(c, 1, (struct segment){1, TCP_ACK, 1 + i, asked, &alert[i], 1, 0, 0});
    }
    engine_finish(c->engine);
    assert_true(f->seen.has_tls[0]);
    assert_true(f->seen.tls[0].plaintext_client);
    assert_int_equal(f->seen.tls[0].alert, 70);
    assert_int_equal(f->seen.tls[0].alert_level, 2);
    assert_int_equal(f->seen.tls[0].alert_by, SIDE_SERVER);
}

/* An alert whose end never came is one all the same, and tells no more. */
static void test_alert_cut(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    int64_t asked = 1 + (int64_t)strlen(ask);
    handshake(c, 20, 5);
    send_text(c, 1, 0, 1, 1, ask);
    send_at(c, 1, (struct segment){1, TCP_ACK, 1, asked, "\x15\x03\x03\x00\x02\x02", 6, 0, 0});
    engine_finish(c->engine);
    assert_true(f->seen.has_tls[0]);
    assert_true(f->seen.tls[0].plaintext_client);
    assert_int_equal(f->seen.tls[0].alert, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_alert_in_pieces),
        CASE(test_alert_cut),
        CASE(test_much_waits_behind_a_hole),
        CASE(test_between_two_holes),
        CASE(test_holes_of_both_sides_at_once),
        CASE(test_first_segment_lost),
        CASE(test_overlaps),
        CASE(test_fin_before_all_bytes),
        CASE(test_fin_behind_bytes_that_never_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
