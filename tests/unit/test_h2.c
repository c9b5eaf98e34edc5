/* HTTP/2 in clear through the engine: streams that both sides end at once (RFC 9113 5.1, 5.4.2), and calls that
 * their client gives up. */
#include "tests/unit/session_fixture.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" SETTINGS
#define SETTINGS "\0\0\0\x04\0\0\0\0\0"
/* POST, http, /a, grpc, each call with its deadline of 300 ms: literals without indexing */
#define CALL(stream) "\0\0\x39\x01\x05\0\0\0" stream "\x83\x86\x04\x02/a\x0f\x10\x10" "application/grpc" TIMEOUT "\0\x02te\x08trailers"
#define TIMEOUT "\0\x0cgrpc-timeout\x04" "300m"
#define CANCEL(stream) "\0\0\x04\x03\0\0\0\0" stream "\0\0\0\x08"
#define TRAILERS(stream, status) "\0\0\x0f\x01\x05\0\0\0" stream "\0\x0bgrpc-status\x01" status
#define ANSWER(stream) "\0\0\x01\x01\x04\0\0\0" stream "\x88"

struct talk {
    struct fixture *f;
    int64_t next[2];
};

static void say_bytes(struct talk *talk, int64_t ms, int side, const char *bytes, size_t len)
{
    send_at(&talk->f->c, ms,
            (struct segment){side, TCP_ACK | TCP_PSH, talk->next[side], talk->next[!side], bytes, len, 0, 0});
    talk->next[side] += (int64_t)len;
}
#define SAY(talk, ms, side, bytes) say_bytes(talk, ms, side, bytes, sizeof(bytes) - 1)

static struct talk begin(void **state)
{
    struct talk talk = {*state, {1, 1}};
    handshake(&talk.f->c, 20, 5);
    SAY(&talk, 1, 0, PREFACE);
    SAY(&talk, 1, 1, SETTINGS);
    return talk;
}

/* The answer was on its way when the client cancelled: one row, not two. */
static void test_answer_crosses_cancel(void **state)
{
    struct talk talk = begin(state);
    SAY(&talk, 1, 0, CALL("\1"));
    SAY(&talk, 100, 0, CANCEL("\1"));
    SAY(&talk, 2, 1, ANSWER("\1") TRAILERS("\1", "5"));
    engine_finish(talk.f->c.engine);
    assert_int_equal(talk.f->seen.http_count, 1);
    const struct http_record *r = &talk.f->seen.http[0];
    assert_string_equal(r->path, "/a");
    assert_int_equal(r->status, 200);
    assert_int_equal(r->grpc_status, 5);
    assert_int_equal(r->reset_error, 8);
    assert_int_equal(r->reset_by, SIDE_CLIENT);
    assert_false(r->complete);
}

/* Cancelled when its own deadline had passed: the program was told DEADLINE_EXCEEDED; before it, nothing. */
static void test_deadline(void **state)
{
    struct talk talk = begin(state);
    SAY(&talk, 1, 0, CALL("\1"));
    SAY(&talk, 302, 0, CANCEL("\1"));
    SAY(&talk, 1, 0, CALL("\3"));
    SAY(&talk, 100, 0, CANCEL("\3"));
    SAY(&talk, 1, 1, CANCEL("\3")); /* from both sides at once */
    engine_finish(talk.f->c.engine);
    assert_int_equal(talk.f->seen.http_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct http_record *r = &talk.f->seen.http[i];
        assert_int_equal(r->grpc_status, r->stream == 1 ? 4 : -1);
        assert_int_equal(r->reset_by, SIDE_CLIENT);
    }
    assert_int_equal(talk.f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
}

/* Many are given up on one connection: told after a while, each once. */
static void test_many_cancels(void **state)
{
    char call[] = CALL("\1"), cancel[] = CANCEL("\1");
    struct talk talk = begin(state);
    for (int i = 0; i < 20; i++) {
        call[8] = cancel[8] = (char)(2 * i + 1);
        say_bytes(&talk, 500, 0, call, sizeof call - 1);
        say_bytes(&talk, 10, 0, cancel, sizeof cancel - 1);
    }
    assert_in_range(talk.f->seen.http_count, 14, 19);
    engine_finish(talk.f->c.engine);
    assert_int_equal(talk.f->seen.http_count, 20);
}

/* :scheme says https although nothing is encrypted here: static entries 0x87 and 0x86 (RFC 7541 A). */
static void test_scheme(void **state)
{
    struct talk talk = begin(state);
    SAY(&talk, 1, 0, "\0\0\x03\x01\x05\0\0\0\1" "\x82\x86\x84");
    SAY(&talk, 1, 1, ANSWER("\1"));
    SAY(&talk, 1, 0, "\0\0\x03\x01\x05\0\0\0\3" "\x82\x87\x84");
    SAY(&talk, 1, 1, ANSWER("\3"));
    engine_finish(talk.f->c.engine);
    assert_int_equal(talk.f->seen.http_count, 2);
    assert_false(talk.f->seen.http[0].from_https);
    assert_true(talk.f->seen.http[1].from_https);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answer_crosses_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_cancels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scheme, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
