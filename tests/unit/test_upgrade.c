/* Connections that begin in clear: TLS is found behind every opening, in pieces of any size, and never
 * where nobody asked. Bytes of the openings: RFC 3207, 4217, 2595, 3501, 4511, 6120, 1928, 4642, the
 * PROXY protocol, PostgreSQL's and MySQL's manuals, MS-RDPBCGR. */
#include "tests/unit/session_fixture.h"

#include "dissectors/upgrade.h"

#include <stdio.h>

/* server_name inv.example.cn, two suites */
#define HELLO                                                                                      \
    "\x16\x03\x01\x00\x4e\x01\x00\x00\x4a\x03\x03" PAD32 "\x00\x00\x04\x13\x01\xc0\x2f\x01\x00\x00" \
    "\x1d\x00\x00\x00\x13\x00\x11\x00\x00\x0e"                                                    \
    "inv.example.cn\x00\x10\x00\x02\x00\x00"
#define PAD32 "abcdefghijklmnopqrstuvwxyz012345"
#define SERVER_HELLO                                                                               \
    "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" PAD32 "\x00\xc0\x2f\x00"

struct turn {
    int side;
    const char *bytes;
    size_t len;
};
#define C(text) {0, text, sizeof text - 1}
#define S(text) {1, text, sizeof text - 1}

struct opening {
    const char *name;
    struct turn turns[10];
};

static const struct opening openings[] = {
    {"smtp", {S("220 mx ESMTP\r\n"), C("EHLO a\r\n"), S("250-mx\r\n250 STARTTLS\r\n"),
              C("STARTTLS\r\n"), S("220 2.0.0 go\r\n")}},
    {"smtp", {C("EHLO a\r\n"), S("250-mx\r\n250 STARTTLS\r\n"), C("starttls\r\n"), S("220 go\r\n")}},
    {"ftp", {S("220-hello\r\n220 ready\r\n"), C("AUTH TLS\r\n"), S("234 AUTH TLS OK.\r\n")}},
    {"imap", {S("* OK IMAP4rev1\r\n"), C("a1 STARTTLS\r\n"), S("a1 OK begin\r\n")}},
    {"pop3", {S("+OK\r\n"), C("STLS\r\n"), S("+OK begin\r\n")}},
    {"nntp", {S("200 news\r\n"), C("STARTTLS\r\n"), S("382 go\r\n")}},
    {"managesieve", {S("\"IMPLEMENTATION\" \"x\"\r\nOK\r\n"), C("STARTTLS\r\n"), S("OK\r\n")}},
    {"xmpp", {C("<?xml version='1.0'?><stream:stream to='a'>\n"),
              S("<stream:stream from='a'><stream:features><starttls/></stream:features>"),
              C("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
              S("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")}},
    {"ldap", {C("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                "1.3.6.1.4.1.1466.20037"),
              S("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")}},
    {"ldap", {C("\x30\x84\x00\x00\x00\x1d\x02\x01\x01\x77\x18\x80\x16"
                "1.3.6.1.4.1.1466.20037"),
              S("\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")}},
    {"postgresql", {C("\x00\x00\x00\x08\x04\xd2\x16\x2f"), S("S")}},
    {"postgresql", {C("\x00\x00\x00\x08\x04\xd2\x16\x30"), S("N"),
                    C("\x00\x00\x00\x08\x04\xd2\x16\x2f"), S("S")}},
    {"mysql", {S("\x2a\x00\x00\x00\x0a"
                 "8.0.36\x00\x01\x00\x00\x00"
                 "aaaaaaaa\x00\xff\xff\xff\x02\x00\xff\xc1\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                 "\x00zzz"),
               C("\x20\x00\x00\x01\x05\xae\xff\x01\x00\x00\x00\x01\x2d\x00\x00\x00\x00\x00\x00\x00"
                 "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")}},
    {"socks4", {C("\x04\x01\x01\xbb\xc6\x33\x64\x14me\x00"), S("\x00\x5a\x00\x00\x00\x00\x00\x00")}},
    {"socks4", {C("\x04\x01\x01\xbb\x00\x00\x00\x01\x00inv.example.cn\x00"),
                S("\x00\x5a\x00\x00\x00\x00\x00\x00")}},
    {"socks5", {C("\x05\x01\x00"), S("\x05\x00"), C("\x05\x01\x00\x03\x01x\x01\xbb"),
                S("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")}},
    {"socks5", {C("\x05\x02\x00\x02"), S("\x05\x02"), C("\x01\x01u\x01p"), S("\x01\x00"),
                C("\x05\x01\x00\x01\xc6\x33\x64\x14\x01\xbb"),
                S("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")}},
    {"proxy", {C("PROXY TCP4 192.0.2.1 198.51.100.20 4711 443\r\n")}},
    {"proxy", {C("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x14\x12\x67\x01"
                 "\xbb")}},
    {"rdp", {C("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"),
             S("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00")}},
    {"adb", {C("CNXN\x01\x00\x00\x01\x00\x00\x04\x00\x02\x00\x00\x00\x00\x00\x00\x00\xbc\xb1\xa7\xb1"
               "a:"),
             S("STLS\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xac\xab\xb3\xac"),
             C("STLS\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xac\xab\xb3"
               "\xac")}},
};

struct talk {
    int64_t at[2];
};

static void say(struct conversation *c, struct talk *t, const struct turn *turn, size_t step)
{
    for (size_t i = 0; i < turn->len; i += step) {
        size_t n = turn->len - i < step ? turn->len - i : step;
        send_at(c, 1, (struct segment){turn->side, TCP_ACK | TCP_PSH, t->at[turn->side],
                                       t->at[1 - turn->side], turn->bytes + i, n, 0, 0});
        t->at[turn->side] += (int64_t)n;
    }
}

static void check_opening(struct fixture *f, const struct opening *o, size_t step)
{
    struct conversation *c = &f->c;
    struct talk t = {{1, 1}};
    static const struct turn hello = C(HELLO), answer = S(SERVER_HELLO);
    size_t at = f->seen.count;
    handshake(c, 20, 5);
    for (size_t i = 0; i < 10 && o->turns[i].bytes != NULL; i++)
        say(c, &t, &o->turns[i], step);
    say(c, &t, &hello, step);
    say(c, &t, &answer, step);
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, at + 1);
    assert_true(f->seen.has_tls[at]);
    assert_string_equal(f->seen.tls[at].upgraded_from, o->name);
    assert_string_equal(f->seen.tls[at].sni, "inv.example.cn");

    assert_string_equal(f->seen.tls[at].history, "Cs");
    assert_int_equal(f->seen.tls[at].cipher, 0xc02f);
    assert_int_equal(f->seen.tls[at].plaintext_client, 0);
    assert_string_equal(f->seen.flows[at].app, "tls");
}

static void test_openings(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            void *own;
            assert_int_equal(set_up(&own), 0);
            check_opening(own, &openings[i], steps[s]);
            tear_down(&own);
        }
    }
    (void)state;
}

/* The header and the hello in one segment, and no more of the client before the server answers. */
static void test_header_and_hello_in_one_segment(void **state)
{
    struct fixture *f = *state;
    struct talk t = {{1, 1}};
    static const struct turn both = C("PROXY TCP4 192.0.2.1 198.51.100.20 4711 443\r\n" HELLO);
    static const struct turn answer = S(SERVER_HELLO);
    handshake(&f->c, 20, 5);
    say(&f->c, &t, &both, 4096);
    say(&f->c, &t, &answer, 4096);
    engine_finish(f->c.engine);
    assert_string_equal(f->seen.tls[0].history, "Cs");
    assert_string_equal(f->seen.tls[0].upgraded_from, "proxy");
}

/* HTTP behind the PROXY header is read as HTTP. */
static void test_http_behind_a_header(void **state)
{
    struct fixture *f = *state;
    struct talk t = {{1, 1}};
    static const struct turn ask = C("PROXY UNKNOWN\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    static const struct turn answer = S("HTTP/1.1 204 No Content\r\n\r\n");
    handshake(&f->c, 20, 5);
    say(&f->c, &t, &ask, 4096);
    say(&f->c, &t, &answer, 4096);
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.http_count, 1);
    assert_int_equal(f->seen.http[0].status, 204);
    assert_false(f->seen.has_tls[0]);
}

/* Mail without TLS, a hello inside a message's line, a refused request: no TLS, and no name but that of
 * a database that greets. */
static void test_nothing_is_made_up(void **state)
{
    static const struct opening plain[] = {
        {"mail", {S("220 mx ESMTP\r\n"), C("EHLO a\r\n"), S("250 mx\r\n"), C("DATA x" HELLO "\r\n"),
                  S("250 ok\r\n"), C("QUIT\r\n"), S("221 bye\r\n")}},
        {"refused", {C("\x05\x01\x00"), S("\x05\xff"), C(HELLO)}},
        {"refused", {C("\x04\x01\x01\xbb\xc6\x33\x64\x14me\x00"),
                     S("\x00\x5b\x00\x00\x00\x00\x00\x00"), C(HELLO)}},
        {"database", {S("\x2d\x00\x00\x00\x0a" "8.0.36\x00" PAD32 "zzzzzzzz"),
                      C("\x20\x00\x00\x01\x05\xa6\xff\x01\x00\x00\x00\x01")}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        void *own;
        struct talk t = {{1, 1}};
        assert_int_equal(set_up(&own), 0);
        struct fixture *f = own;
        handshake(&f->c, 20, 5);
        for (size_t n = 0; n < 10 && plain[i].turns[n].bytes != NULL; n++)
            say(&f->c, &t, &plain[i].turns[n], 4096);
        engine_finish(f->c.engine);
        assert_false(f->seen.has_tls[0]);
        if (strcmp(plain[i].name, "database") == 0)
            assert_string_equal(f->seen.flows[0].app, "mysql");
        else
            assert_null(f->seen.flows[0].app);
        tear_down(&own);
    }
}

/* More than ever comes before TLS: nobody waits any longer. */
static void test_it_gives_up(void **state)
{
    struct fixture *f = *state;
    struct talk t = {{1, 1}};
    static const struct turn greeting = S("220 mx\r\n"), line = C("NOOP" PAD32 PAD32 PAD32 "\r\n");
    static const struct turn hello = C(HELLO);
    handshake(&f->c, 20, 5);
    say(&f->c, &t, &greeting, 4096);
    for (int i = 0; i < 200; i++)
        say(&f->c, &t, &line, 4096);
    say(&f->c, &t, &hello, 4096);
    engine_finish(f->c.engine);
    assert_false(f->seen.has_tls[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openings),
        CASE(test_header_and_hello_in_one_segment),
        CASE(test_http_behind_a_header),
        cmocka_unit_test(test_nothing_is_made_up),
        CASE(test_it_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
