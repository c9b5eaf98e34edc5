/* Every stream dissector of the list, on every prefix of real and hostile openings, each ending at a page
 * that may not be touched: no read past what was given, on either side, at any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "dissectors/dissector.h"
#include "dissectors/x509.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 4096u

static const char http_request[] =
    "POST /api/v1/invoices/044001900111?token=x HTTP/1.1\r\nHost: inv.example.cn\r\n"
    "Authorization: Bearer y\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n"
    "GET / HTTP/1.0\r\nContent-Length: 2, 2\r\n\r\nab";
static const char http_response[] =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "FFFFFFFFFFFFFFFF\r\nxHTTP/1.1 204 \r\n\r\n";
/* A ClientHello with server_name, whose lengths the test also damages byte by byte. */
static const uint8_t client_hello[] = {
    0x16, 3, 1, 0, 0x4f, 1, 0, 0, 0x4b, 3, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 0, 0, 4, 0x13, 1, 0xc0, 0x2f, 1,
    0, 0, 0x1e, 0, 0, 0, 0x13, 0, 0x11, 0, 0, 0x0e, 'i', 'n', 'v', '.', 'e', 'x', 'a', 'm', 'p', 'l',
    'e', '.', 'c', 'n', 0, 0x10, 0, 3, 0, 1, 0};

/* How conversations of the other protocols begin, of either side; each is shown to every dissector as both. */
#define OPENING(text) {text, sizeof text - 1}
static const struct {
    const char *bytes;
    size_t len;
} openings[] = {
    OPENING("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\3\0\0\0\x64"
            "\0\0\x39\x01\x05\0\0\0\1\x83\x86\x04\x02/a\x0f\x10\x10" "application/grpc"
            "\0\x0cgrpc-timeout\x04" "300m\0\x02te\x08trailers\0\0\4\x03\0\0\0\0\1\0\0\0\x08"
            "\0\0\x08\x07\0\0\0\0\0\0\0\0\1\0\0\0\x0b\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff"),
    OPENING("\0\0\5\x01\x24\0\0\0\1\0\0\0\0\x10\0\0\4\x09\4\0\0\0\1\x88\x7f\xff\x03"),
    OPENING("220-a\r\n220 ready\r\n331 word\r\n227 ok (10,1,2,3,256,5)\r\n229 ok (|||99999|)\r\n"),
    OPENING("USER me\r\nPASS x\r\nPORT 1,2,3,4,5\r\nEPRT |2|::1|40005|\r\nAUTH TLS\r\nRETR a\r\n"),
    OPENING("PASV\r\nSTOR y\r\nQUIT\r\n"),
    OPENING("\x2a\0\0\0\x0a" "8.0.36\0\1\0\0\0" "aaaaaaaa\0\xff\xf7\xff\2\0\xff\xc1\x15\0\0\0\0\0\0\0\0\0\0zzz"
            "\x09\0\0\2\xff\x15\4#28000\xff\xff\xff\3\0"),
    OPENING("\x17\0\0\0\xff\x10\4Too many connections"),
    OPENING("\0\0\0\x08\4\xd2\x16\x2f\0\0\0\x11\0\3\0\0user\0me\0\0p\0\0\0\5xQ\0\0\0\x0eselect 1;\0"),
    OPENING("R\0\0\0\x08\0\0\0\0Z\0\0\0\5IE\0\0\0\x12SERROR\0C42P01\0\0E\xff\xff\xff\xff"),
    OPENING("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n*99999999999\r\n$-1\r\n"),
    OPENING("*2\r\n*1\r\n$1\r\na\r\n$-1\r\n-ERR max number of clients reached\r\n%1\r\n+a\r\n:1\r\n"),
    OPENING("AMQP\0\0\x09\1\1\0\0\0\0\0\6\0\x0a\0\x0b\0\0\xce\1\0\0\xff\xff\xff\xff"),
    OPENING("SSH-2.0-OpenSSH_9.2p1 Debian\r\n\0\0\0\x61\x0a\x14" "cookiecookiecook\0\0\0\3aaa\0\0\0\3key"
            "\0\0\0\3enc\xff\xff\xff\xff"),
    OPENING("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1\0\x0c\0\0\x80\0\0\1\0\1\0\0\0\0"),
    OPENING("\0\x2d\x12\x34\x81\x80\0\1\0\1\0\0\0\0\7example\3com\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"),
    OPENING("220 mx ESMTP\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n\x16\3\1"),
    OPENING("* OK imap\r\na OK begin TLS\r\n"),
    OPENING("+OK pop3\r\n-ERR no\r\n"),
    OPENING("PROXY TCP4 10.1.1.1 10.1.1.2 1 2\r\n\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
    OPENING("\5\1\0\5\1\0\3\x0bexample.com\1\xbb"),
};

struct guard {
    uint8_t *pages;
    uint8_t *end; /* the first byte that may not be touched */
};

static void guard_make(struct guard *guard)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (ROOM + page - 1) / page * page;
    guard->pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guard->pages, MAP_FAILED);
    guard->end = guard->pages + room;
    assert_int_equal(mprotect(guard->end, page, PROT_NONE), 0);
}

static void ignore(void *self, enum record_kind kind, const void *record)
{
    (void)self;
    (void)kind;
    (void)record;
}

struct bench {
    struct guard guard;
    struct intern *strings;
    struct certificate_cache *certificates;
};

/* Shows the bytes at the guard page to one dissector as one side's whole stream. */
static void show(struct bench *stage, const struct dissector *d, enum side side, const uint8_t *bytes,
                 size_t len)
{
    struct flow_record flow = {.protocol = 6};
    struct tls_record tls = {.alert = -1};
    struct sink sink = {NULL, ignore};
    struct dissect_context context = {.protocol = 6,
                                      .profile = profile_builtin(),
                                      .strings = stage->strings,
                                      .flow = &flow,
                                      .tls = &tls,
                                      .sink = &sink,
                                      .certificates = stage->certificates};
    uint8_t *at = stage->guard.end - len;
    memcpy(at, bytes, len);
    void *state = calloc(1, d->state_size);
    assert_non_null(state);
    (void)d->looks_like(at, len, side);
    d->open(state, &context);
    struct cursor c = cur_of(at, len);
    for (size_t rounds = 0; rounds <= len; rounds++) {
        size_t before = cur_left(&c);
        context.skip = context.need = 0;
        if (d->feed(state, side, &c, &context) != FEED_MORE)
            break;
        assert_true(cur_left(&c) <= before);
        if (context.skip > 0)
            cur_skip(&c, context.skip < cur_left(&c) ? (size_t)context.skip : cur_left(&c));
        else if (cur_left(&c) == before)
            break;
    }
    (void)d->gap(state, side, 100, &context);
    d->end(state, side, DISSECTOR_END_FIN, &context);
    d->end(state, SIDE_NONE, DISSECTOR_END_CAPTURE, &context);
    d->close(state, &context);
    free(state);
}

static void show_to_all(struct bench *stage, const uint8_t *bytes, size_t len)
{
    size_t count = 0;
    const struct dissector *const *all = dissector_list(&count);
    assert_true(count >= 2);
    for (size_t i = 0; i < count; i++) {
        show(stage, all[i], SIDE_CLIENT, bytes, len);
        show(stage, all[i], SIDE_SERVER, bytes, len);
    }
}

static int set_up(void **state)
{
    struct bench *stage = calloc(1, sizeof *stage);
    guard_make(&stage->guard);
    stage->strings = intern_new();
    stage->certificates = certificate_cache_new(stage->strings, 1);
    *state = stage;
    return stage->certificates == NULL;
}

static int tear_down(void **state)
{
    struct bench *stage = *state;
    (void)munmap(stage->guard.pages,
                 (size_t)(stage->guard.end - stage->guard.pages) + (size_t)sysconf(_SC_PAGESIZE));
    certificate_cache_free(stage->certificates);
    intern_free(stage->strings);
    free(stage);
    return 0;
}

static void every_prefix_ends_safely(void **state)
{
    for (size_t len = 0; len < sizeof http_request; len++)
        show_to_all(*state, (const uint8_t *)http_request, len);
    for (size_t len = 0; len < sizeof http_response; len++)
        show_to_all(*state, (const uint8_t *)http_response, len);
    for (size_t len = 0; len <= sizeof client_hello; len++)
        show_to_all(*state, client_hello, len);
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        for (size_t len = 0; len <= openings[i].len; len++)
            show_to_all(*state, (const uint8_t *)openings[i].bytes, len);
    }
}

/* None of them is there in vain: every dissector of the list takes at least one for its own. */
static void every_dissector_has_an_opening(void **state)
{
    size_t count = 0;
    const struct dissector *const *all = dissector_list(&count);
    (void)state;
    for (size_t d = 0; d < count; d++) {
        bool taken = all[d]->looks_like(client_hello, sizeof client_hello, SIDE_CLIENT) == MATCH_YES ||
                     all[d]->looks_like((const uint8_t *)http_request, 64, SIDE_CLIENT) == MATCH_YES;
        for (size_t i = 0; i < sizeof openings / sizeof openings[0] && !taken; i++) {
            for (int side = 0; side < 2 && !taken; side++)
                taken = all[d]->looks_like((const uint8_t *)openings[i].bytes, openings[i].len,
                                           (enum side)side) == MATCH_YES;
        }
        if (!taken)
            fail_msg("no opening for %s", all[d]->name);
    }
}

static void every_damaged_byte_ends_safely(void **state)
{
    static const uint8_t damage[] = {0x00, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        for (size_t at = 0; at < openings[i].len; at++) {
            uint8_t broken[512];
            memcpy(broken, openings[i].bytes, openings[i].len);
            for (size_t j = 0; j < sizeof damage; j++) {
                broken[at] = damage[j];
                show_to_all(*state, broken, openings[i].len);
            }
        }
    }
    uint8_t bytes[sizeof client_hello];
    for (size_t at = 0; at < sizeof bytes; at++) {
        for (size_t i = 0; i < sizeof damage; i++) {
            memcpy(bytes, client_hello, sizeof bytes);
            bytes[at] = damage[i];
            show_to_all(*state, bytes, sizeof bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_prefix_ends_safely, set_up, tear_down),
        cmocka_unit_test(every_dissector_has_an_opening),
        cmocka_unit_test_setup_teardown(every_damaged_byte_ends_safely, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
