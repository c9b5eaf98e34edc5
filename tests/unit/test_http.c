/* HTTP/1 in clear, fed through the engine: framing by RFC 9112, whatever was captured of it. */
#include "tests/unit/session_fixture.h"

#include "core/limits.h"
#include "dissectors/http_message.h"

#include <stdio.h>

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

struct talk { /* sequence numbers follow the texts */
    struct fixture *f;
    int64_t next[2];
};

static struct talk begin(void **state)
{
    struct talk talk = {*state, {1, 1}};
    handshake(&talk.f->c, 20, 5);
    return talk;
}

static void say(struct talk *talk, int side, const char *text)
{
    send_text(&talk->f->c, 1, side, talk->next[side], talk->next[!side], text);
    talk->next[side] += (int64_t)strlen(text);
}

/* Bytes that the capture misses, but the other side acknowledges. */
static void lose(struct talk *talk, int side, int64_t len)
{
    talk->next[side] += len;
    send_at(&talk->f->c, 1, ACK(!side, talk->next[!side], talk->next[side]));
    send_at(&talk->f->c, 100, ACK(!side, talk->next[!side], talk->next[side]));
}

static void end(struct talk *talk, int side)
{
    send_at(&talk->f->c, 1, FIN(side, talk->next[side], talk->next[!side]));
    talk->next[side]++;
    send_at(&talk->f->c, 1, FIN(!side, talk->next[!side], talk->next[side]));
    engine_finish(talk->f->c.engine);
}

static const struct http_record *record(const struct talk *talk, size_t index)
{
    assert_true(index < talk->f->seen.http_count);
    return &talk->f->seen.http[index];
}

static void expect(const struct talk *talk, size_t index, const char *path, int status)
{
    const struct http_record *r = record(talk, index);
    assert_int_equal(r->status, status);
    if (path == NULL)
        assert_null(r->path);
    else
        assert_string_equal(r->path, path);
}

static void test_answers_without_body(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.1 304 Not Modified\r\nContent-Length: 777\r\n\r\n");
    say(&talk, 0, GET);
    say(&talk, 1,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 0, "/h", 200);
    expect(&talk, 1, "/a", 304);
    expect(&talk, 2, "/a", 204);
    assert_true(record(&talk, 2)->complete);
}

/* What the request says of the scheme that its client believes in. */
static void test_clients_that_asked_for_https(void **state)
{
    static const struct {
        const char *fields;
        bool https;
    } rows[] = {{"", false},
                {"Upgrade-Insecure-Requests: 1\r\nReferer: https://x/\r\n", false},
                {"X-Forwarded-Proto: http\r\n", false},
                {"X-Forwarded-Proto: https\r\n", true},
                {"Sec-Fetch-Site: none\r\n", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        struct talk talk = begin(state);
        (void)snprintf(text, sizeof text, "GET /a HTTP/1.1\r\nHost: x\r\n%s\r\n", rows[i].fields);
        say(&talk, 0, text);
        say(&talk, 1, NO_CONTENT);
        end(&talk, 0);
        assert_int_equal(record(&talk, 0)->from_https, rows[i].https);
        tear_down(state);
        set_up(state);
    }
}

/* Requests of two connections by turns: each connection counts its own. */
static void test_numbers_are_of_the_connection(void **state)
{
    struct fixture *f = *state;
    struct talk talks[2] = {{f, {1, 1}}, {f, {1, 1}}};
    static const uint16_t ports[2] = {50000, 50001};
    for (int i = 0; i < 2; i++) {
        f->c.ports[0] = ports[i];
        handshake(&f->c, 20, 5);
    }
    for (int i = 0; i < 6; i++) {
        f->c.ports[0] = ports[i % 2];
        say(&talks[i % 2], 0, GET);
        say(&talks[i % 2], 1, NO_CONTENT);
    }
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.http_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(f->seen.http[i].number, 1 + i / 2);
}

/* An answer is whole when its last hole is filled, however its body is counted: by length (passed over) or by chunks. */
static void test_whole_when_the_last_hole_is_filled(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n"};
    for (int i = 0; i < 2; i++) {
        struct talk talk = begin(state);
        struct conversation *c = &talk.f->c;
        say(&talk, 0, GET);
        int64_t asked = c->now_ns;
        say(&talk, 1, heads[i]);
        int64_t at = talk.next[1], ack = talk.next[0];
        send_at(c, 1, DATA(1, at, ack, 1000));
        send_at(c, 1, DATA(1, at + 2000, ack, 500));
        talk.next[1] = at + 2500;
        send_at(c, 1, DATA(1, at + 2500, ack, 500));
        talk.next[1] = at + 3000;
        if (i == 1)
            say(&talk, 1, "\r\n0\r\n\r\n");
        send_at(c, 1, ACK(0, ack, at + 1000));
        send_at(c, 1, ACK(0, ack, at + 1000));
        send_at(c, 40, DATA(1, at + 1000, ack, 600));
        send_at(c, 20, DATA(1, at + 1600, ack, 400));
        int64_t whole = c->now_ns;
        say(&talk, 0, GET);
        say(&talk, 1, NO_CONTENT);
        end(&talk, 0);
        assert_int_equal(talk.f->seen.http_count, 2);
        const struct http_record *r = record(&talk, 0);
        assert_true(r->complete);
        assert_int_equal(r->response_bytes, 3000);
        assert_int_equal(r->response_ns, asked + 1000000);
        assert_int_equal(r->response_end_ns, whole);
        expect(&talk, 1, "/a", 204);
        tear_down(state);
        set_up(state);
    }
}

/* What fills the hole never came by, though the client has it: the answer ends where its last bytes did. */
static void test_hole_of_the_capture_ends_no_later(void **state)
{
    struct talk talk = begin(state);
    struct conversation *c = &talk.f->c;
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
    int64_t at = talk.next[1];
    send_at(c, 1, DATA(1, at + 1000, talk.next[0], 2000));
    int64_t last = c->now_ns;
    talk.next[1] = at + 3000;
    send_at(c, 5, ACK(0, talk.next[0], talk.next[1]));
    send_at(c, 2000, ACK(0, talk.next[0], talk.next[1]));
    say(&talk, 0, GET);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    assert_int_equal(record(&talk, 0)->response_end_ns, last);
    expect(&talk, 1, "/a", 204);
}

static void test_chunks(void **state)
{
    static const char body[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "00000000000000000004;name=\"v\"\r\nwiki\r\nA \r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
    struct talk talk = begin(state);
    say(&talk, 0,
        "POST /a HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n"
        "3\nabc\n0\n\n" GET);
    say(&talk, 1, body);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    assert_int_equal(record(&talk, 0)->request_bytes, 3);
    assert_int_equal(record(&talk, 0)->response_bytes, 14);
    expect(&talk, 1, "/a", 204);
}

static void test_bare_line_feeds_and_merged_lengths(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "\r\n\r\nGET /a HTTP/1.1\nHost: x\n\n");
    say(&talk, 1, "HTTP/1.1 200 OK\nContent-Length : 2, 2\n\nok");
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    assert_int_equal(record(&talk, 0)->response_bytes, 2);
    assert_true(record(&talk, 1)->complete);
}

static void test_pipelining(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "GET /1a HTTP/1.1\r\n\r\nPURGE-ALL /2b HTTP/1.1\r\n\r\nGET /3c HTTP/1.1\r\n\r\n");
    say(&talk, 1, OK "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nHTTP");
    send_at(&talk.f->c, 500, ACK(0, talk.next[0], talk.next[1]));
    say(&talk, 1, "/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 0, "/1a", 200);
    expect(&talk, 1, "/2b", 404);
    expect(&talk, 2, "/3c", 503);
    assert_int_equal(record(&talk, 1)->response_ns, record(&talk, 0)->response_ns);
}

static void test_deep_pipeline_stays_in_step(void **state)
{
    struct talk talk = begin(state);
    const int kept = LIMIT_HTTP_PIPELINE, all = kept + 4;
    for (int i = 0; i < all; i++)
        say(&talk, 0, i < kept ? GET : "GET /b HTTP/1.1\r\n\r\n");
    for (int i = 0; i < all; i++)
        say(&talk, 1, i < kept ? OK : NO_CONTENT);
    say(&talk, 0, "GET /c HTTP/1.1\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, all + 1);
    assert_int_equal(talk.f->seen.flows[0].request_count, all + 1);
    expect(&talk, (size_t)kept - 1, "/a", 200);
    expect(&talk, (size_t)kept, NULL, 204);
    expect(&talk, (size_t)all, "/c", 201);
    assert_int_equal(talk.f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
}

/* The directions passed through queues of their own: the answer lies before the request in the file. */
static void test_answer_captured_before_its_request(void **state)
{
    struct talk talk = begin(state);
    struct conversation *c = &talk.f->c;
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    send_text(c, 10, 1, talk.next[1], talk.next[0] + (int64_t)strlen(GET), OK);
    send_text(c, -2, 0, talk.next[0], talk.next[1], GET);
    talk.next[0] += (int64_t)strlen(GET);
    talk.next[1] += (int64_t)strlen(OK);
    c->now_ns += 20000000000;
    say(&talk, 0, "GET /c HTTP/1.1\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 1, "/a", 200);
    assert_in_range(record(&talk, 1)->wait_ns, 0, 2000000);
    assert_true(record(&talk, 1)->complete);
    expect(&talk, 2, "/c", 201);
    assert_true(record(&talk, 2)->wait_ns < 1000000000);
    assert_int_equal(talk.f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
}

/* One whose request the capture lost is not the next one's. */
static void test_answer_of_a_lost_request(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    lose(&talk, 0, (int64_t)strlen(GET));
    say(&talk, 1, NO_CONTENT);
    say(&talk, 0, "GET /c HTTP/1.1\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 1, NULL, 204);
    expect(&talk, 2, "/c", 201);
}

/* The times of a message do not depend on what else lay in the packets. */
static void test_second_message_has_its_own_time(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET GET);
    say(&talk, 1, "HTTP/1.1 204 No Con");
    send_at(&talk.f->c, 300, ACK(0, talk.next[0], talk.next[1]));
    say(&talk, 1, "tent\r\n\r\n" OK);
    end(&talk, 0);
    assert_int_equal(record(&talk, 1)->response_ns - record(&talk, 0)->response_ns, 301000000);
    assert_int_equal(record(&talk, 1)->response_frame, record(&talk, 0)->response_frame + 2);
}

static void test_body_to_the_end(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.0 200 OK\r\n\r\nall of it");
    end(&talk, 1);
    expect(&talk, 0, "/a", 200);
    assert_true(record(&talk, 0)->complete);
    assert_false(record(&talk, 0)->truncated);
}

static void test_body_to_the_end_reset(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.0 200 OK\r\n\r\nsome of it");
    send_at(&talk.f->c, 1, RST(1, talk.next[1]));
    engine_finish(talk.f->c.engine);
    assert_false(record(&talk, 0)->complete);
    assert_true(record(&talk, 0)->truncated);
    assert_int_equal(record(&talk, 0)->ended_by, SIDE_SERVER);
}

static void test_unanswered_names_who_left(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    end(&talk, 0);
    expect(&talk, 0, "/a", 0);
    assert_int_equal(record(&talk, 0)->ended_by, SIDE_CLIENT);
    assert_false(record(&talk, 0)->truncated);
}

static void test_answer_without_request(void **state)
{
    struct talk talk = begin(state);
    lose(&talk, 0, 40);
    say(&talk, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    say(&talk, 0, GET);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, NULL, 200);
    assert_int_equal(record(&talk, 0)->response_bytes, 3);
    expect(&talk, 1, "/a", 204);
}

/* A lost answer must not shift all that follow. */
static void test_lost_answer_shifts_nothing(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "GET /one HTTP/1.1\r\n\r\n");
    lose(&talk, 1, 100);
    say(&talk, 0, "GET /two HTTP/1.1\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    say(&talk, 0, "GET /three HTTP/1.1\r\n\r\n");
    say(&talk, 1, OK);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 0, "/one", 0);
    expect(&talk, 1, "/two", 404);
    expect(&talk, 2, "/three", 200);
}

static void test_gap_in_chunk_size(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n1");
    lose(&talk, 1, 50);
    say(&talk, 1, "more of the chunk\r\n0\r\n\r\n");
    say(&talk, 0, "GET /b HTTP/1.1\r\n\r\n");
    say(&talk, 1, "HT");
    say(&talk, 1, "TP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "/a", 200);
    assert_false(record(&talk, 0)->complete);
    expect(&talk, 1, "/b", 201);
    assert_true(record(&talk, 1)->complete);
}

static void test_gap_in_request_head(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "GET /a HTTP/1.1\r\nHo");
    lose(&talk, 0, 30);
    say(&talk, 0, "z: 1\r\n\r\n");
    say(&talk, 1, OK);
    say(&talk, 0, GET);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "/a", 200); /* its start line was there */
    expect(&talk, 1, "/a", 204);
}

/* The snap length cuts every head: start lines and whole fields still count, and the wait is from the
 * request's last byte. */
static void test_heads_cut_short(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "POST /a/17 HTTP/1.1\r\nHost: y\r\nUser-Ag");
    lose(&talk, 0, 300);
    talk.f->c.now_ns += 500000000;
    say(&talk, 1, "HTTP/1.1 503 Busy\r\nDa");
    lose(&talk, 1, 200);
    say(&talk, 0, "GET /b HTTP/1.1\r\nHos");
    lose(&talk, 0, 100);
    say(&talk, 1, "HTTP/1.1 100 Continue\r\n");
    lose(&talk, 1, 2);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "/a/{id}", 503);
    assert_string_equal(record(&talk, 0)->host, "y");
    assert_in_range(record(&talk, 0)->wait_ns, 480000000, 610000000);
    assert_false(record(&talk, 0)->truncated);
    expect(&talk, 1, "/b", 204);
    assert_int_equal(talk.f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
}

/* Home-made programs: versions that are none, blanks where none belong. */
static void test_odd_heads(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "GET /weather?a b HTTP/1.0.8\r\nHost: x\r\n\r\n");
    say(&talk, 1, "HTTP/2.0  200 fine\r\nContent-Length: 2\r\n \r\nok");
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.01 404\r\nContent-Length: 0\n\t\n");
    say(&talk, 0, GET);
    say(&talk, 1, "HTTP/1.1 0204 No\r\n\r\n");
    say(&talk, 1, "HTTP/x.1 200 OK\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 3);
    expect(&talk, 0, "/weather", 200);
    assert_int_equal(record(&talk, 0)->response_bytes, 2);
    expect(&talk, 1, "/a", 404);
    expect(&talk, 2, "/a", 0);
}

/* What the client said is of no protocol; its server's answer is. */
static void test_answer_to_something_else(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "\x02\x10" "abcdefgh");
    say(&talk, 1, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    end(&talk, 1);
    assert_int_equal(talk.f->seen.http_count, 1);
    expect(&talk, 0, NULL, 400);
    assert_string_equal(talk.f->seen.flows[0].app, "http");
}

/* Captured from the middle of a body on. */
static void test_late_join(void **state)
{
    struct fixture *f = *state;
    struct talk talk = {f, {5000, 90000}};
    say(&talk, 1, "rest of an answer that began before");
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    end(&talk, 0);
    assert_int_equal(f->seen.http_count, 1);
    expect(&talk, 0, "/a", 200);
    assert_true(record(&talk, 0)->complete);
    assert_string_equal(f->seen.flows[0].app, "http");
}

static const char client_hello[] = "\x16\x03\x01\x00\x45\x01\x00\x00\x41\x03\x03"
                                   "0123456789abcdef0123456789abcdef"
                                   "\x00\x00\x02\x13\x01\x01\x00\x00\x16"
                                   "\x00\x00\x00\x12\x00\x10\x00\x00\x0dinv.tax.gov.c"
                                   "\x00";

static void test_tls_in_a_tunnel(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "CONNECT inv.tax.gov.cn:443 HTTP/1.1\r\nHost: inv.tax.gov.cn:443\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno");
    say(&talk, 0, "CONNECT inv.tax.gov.cn:443 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 200 Connection established\r\nContent-Length: 99\r\n\r\n");
    send_at(
        &talk.f->c, 1,
        (struct segment){0, TCP_ACK | TCP_PSH, talk.next[0], talk.next[1], client_hello, 74, 0, 0});
    talk.next[0] += 74;
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "inv.tax.gov.cn:443", 407);
    expect(&talk, 1, "inv.tax.gov.cn:443", 200);
    assert_true(record(&talk, 1)->complete);
    assert_string_equal(talk.f->seen.flows[0].app, "tls");
}

/* Rows of one flow have numbers of their own, whatever protocol follows which. */
static void test_requests_in_a_tunnel(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "CONNECT inner:80 HTTP/1.1\r\nHost: inner:80\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 200 Connection established\r\n\r\n");
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "inner:80", 200);
    expect(&talk, 1, "/a", 200);
    assert_int_equal(record(&talk, 0)->number, 1);
    assert_int_equal(record(&talk, 1)->number, 2);
}

static void test_upgrade_to_something_else(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    say(&talk, 1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
    say(&talk, 0,
        "\x81\x85"
        "abcdefghi");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 1);
    expect(&talk, 0, "/chat", 101);
    assert_string_equal(talk.f->seen.flows[0].app, "websocket");
}

static void test_rare_methods(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "PROPPATCH /dav/f HTTP/1.1\r\nHost: x\r\n\r\n");
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 1);
    assert_string_equal(record(&talk, 0)->method, "PROPPATCH");
}

static void test_others_borrow_the_form(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "OPTIONS rtsp://10.2.2.2:8554/stream RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    say(&talk, 1, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 0);
    assert_null(talk.f->seen.flows[0].app);
}

/* The server closes an idle connection while the client sends its next request. */
static void test_keepalive_race(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, GET);
    say(&talk, 1, OK);
    send_at(&talk.f->c, 5000, FIN(1, talk.next[1], talk.next[0]));
    talk.next[1]++;
    send_text(&talk.f->c, 0, 0, talk.next[0], talk.next[1] - 1, GET);
    send_at(&talk.f->c, 10, RST(1, talk.next[1]));
    engine_finish(talk.f->c.engine);
    assert_int_equal(talk.f->seen.http_count, 2);
    assert_true(record(&talk, 0)->complete);
    expect(&talk, 1, "/a", 0);
    assert_int_equal(record(&talk, 1)->ended_by, SIDE_SERVER);
    assert_int_not_equal(talk.f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
}

static void test_early_answer_to_a_large_upload(void **state)
{
    struct talk talk = begin(state);
    say(&talk, 0, "POST /up HTTP/1.1\r\nContent-Length: 20\r\n\r\n0123456789");
    say(&talk, 1, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    say(&talk, 0, "0123456789" GET);
    say(&talk, 1, NO_CONTENT);
    end(&talk, 0);
    assert_int_equal(talk.f->seen.http_count, 2);
    expect(&talk, 0, "/up", 413);
    assert_int_equal(record(&talk, 0)->wait_ns, RECORD_NONE_NS);
    expect(&talk, 1, "/a", 204);
}

/* CONNECT names a host; anything else in its place may be an identifier, or worse. */
static void an_authority_is_a_name(void **state)
{
    static const char *const cases[][2] = {
        {"93.184.216.34:443", "93.184.216.34:443"},
        {"[2001:db8::443]:8443", "[2001:db8::443]:8443"},
        {"user:secret@10.0.0.1:8443", "10.0.0.1:8443"},
        {"0123456789abcdef0123", "{id}"},
        {"/invoice/20261129/443", "/invoice/{id}/{id}"},
    };
    char path[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_text target = {cases[i][0], strlen(cases[i][0])};
        assert_int_equal(http_path_template(target, path, sizeof path), strlen(cases[i][1]));
        assert_string_equal(path, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_is_a_name),
        CASE(test_answers_without_body),
        CASE(test_clients_that_asked_for_https),
        CASE(test_numbers_are_of_the_connection),
        CASE(test_whole_when_the_last_hole_is_filled),
        CASE(test_hole_of_the_capture_ends_no_later),
        CASE(test_chunks),
        CASE(test_bare_line_feeds_and_merged_lengths),
        CASE(test_pipelining),
        CASE(test_answer_captured_before_its_request),
        CASE(test_answer_of_a_lost_request),
        CASE(test_deep_pipeline_stays_in_step),
        CASE(test_second_message_has_its_own_time),
        CASE(test_body_to_the_end),
        CASE(test_body_to_the_end_reset),
        CASE(test_unanswered_names_who_left),
        CASE(test_answer_without_request),
        CASE(test_lost_answer_shifts_nothing),
        CASE(test_gap_in_chunk_size),
        CASE(test_gap_in_request_head),
        CASE(test_heads_cut_short),
        CASE(test_odd_heads),
        CASE(test_answer_to_something_else),
        CASE(test_late_join),
        CASE(test_tls_in_a_tunnel),
        CASE(test_requests_in_a_tunnel),
        CASE(test_upgrade_to_something_else),
        CASE(test_rare_methods),
        CASE(test_others_borrow_the_form),
        CASE(test_keepalive_race),
        CASE(test_early_answer_to_a_large_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
