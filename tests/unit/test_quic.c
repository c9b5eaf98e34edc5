/* QUIC by the packets of RFC 9001 A and RFC 9369 A, DTLS by fragments in any order; every datagram
 * dissector on every prefix and every damaged byte of them, at the end of readable memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/dtls.h"
#include "dissectors/quic.h"
#include "dissectors/x509.h"
#include "tests/unit/data_quic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 4096u

struct talk {
    const struct datagram_dissector *dissector;
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct dissect_context context;
    unsigned events[EVENT_KIND_COUNT];
};

struct shared {
    uint8_t *map, *end;
    struct intern *strings;
    struct certificate_cache *certificates;
};

static struct shared shared;

static int shared_set_up(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    shared.map = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared.map, MAP_FAILED);
    shared.end = shared.map + ROOM;
    assert_int_equal(mprotect(shared.end, page, PROT_NONE), 0);
    shared.strings = intern_new();
    shared.certificates = certificate_cache_new(shared.strings, 1);
    return shared.certificates == NULL;
}

static int shared_tear_down(void **state)
{
    (void)state;
    certificate_cache_free(shared.certificates);
    intern_free(shared.strings);
    munmap(shared.map, ROOM + (size_t)sysconf(_SC_PAGESIZE));
    return 0;
}

static void on_event(void *self, enum event_kind kind, enum side side, int64_t time_ns,
                     int64_t frame)
{
    struct talk *t = self;
    (void)side;
    (void)time_ns;
    (void)frame;
    t->events[kind]++;
}

static void begin(struct talk *t, const struct datagram_dissector *dissector)
{
    *t = (struct talk){.dissector = dissector, .state = calloc(1, dissector->state_size)};
    t->context = (struct dissect_context){.protocol = 17,
                                          .strings = shared.strings,
                                          .flow = &t->flow,
                                          .tls = &t->tls,
                                          .certificates = shared.certificates,
                                          .event = on_event,
                                          .event_self = t};
    dissector->open(t->state, &t->context);
}

static struct datagram guarded(enum side side, const uint8_t *bytes, size_t len)
{
    uint8_t *at = shared.end - len;
    memcpy(at, bytes, len);
    return (struct datagram){.side = side, .bytes = at, .present = (uint32_t)len,
                             .len = (uint32_t)len};
}

static void say(struct talk *t, enum side side, const uint8_t *bytes, size_t len)
{
    struct datagram d = guarded(side, bytes, len);
    t->context.frame++;
    t->context.first_frame = t->context.frame;
    t->context.time_ns = t->context.first_time_ns = t->context.frame * 1000000;
    (void)t->dissector->feed(t->state, &d, &t->context);
}

static void end(struct talk *t)
{
    t->dissector->close(t->state, &t->context);
    free(t->state);
}

#define SAY(t, side, bytes) say(t, side, bytes, sizeof bytes)

static void expect_rfc_client(const struct tls_record *tls)
{
    assert_string_equal(tls->sni, "example.com");
    assert_string_equal(tls->alpn_offered, "alpn");
    assert_int_equal(tls->version_offered, 0x0304);
    assert_string_equal(tls->client_ciphers, "1301,1302");
    assert_string_equal(tls->groups_offered, "x25519,secp256r1,secp384r1");
    assert_string_equal(tls->key_shares, "x25519");
    /* q, 1.3, name, 2 suites, 11 extensions, "alpn" begins and ends with a and n; the hashes are those of
     * sha256 over "1301,1302", and over the sorted extensions and the signature algorithms */
    assert_memory_equal(tls->ja4, "q13d0211an_", 11);
    assert_string_equal(tls->ja4 + 11, "62ed6f6ca7ad_4d634acda6c0");
    assert_int_equal(tls->client_hello_bytes, 241);
    assert_true(tls->staple_asked);
}

static void test_version_1(void **state)
{
    struct talk t;
    (void)state;
    struct datagram d = guarded(SIDE_CLIENT, quic_v1_client, sizeof quic_v1_client);
    assert_true(datagram_quic.looks_like(&d));
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_CLIENT, quic_v1_client);
    SAY(&t, SIDE_SERVER, quic_v1_server);
    assert_int_equal(t.tls.quic_version, 1);
    expect_rfc_client(&t.tls);
    assert_int_equal(t.tls.version, 0x0304);
    assert_int_equal(t.tls.cipher, 0x1301);
    assert_string_equal(t.tls.group_name, "x25519");
    assert_string_equal(t.tls.history, "Cs");
    assert_int_equal(t.tls.hello_delay_ns, 1000000);
    assert_false(t.tls.established);
    static const uint8_t one_rtt[] = {0x41, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                                      17,   18, 19, 20, 21};
    SAY(&t, SIDE_CLIENT, one_rtt);
    assert_true(t.tls.established);
    assert_int_equal(t.events[EVENT_CLIENT_HELLO], 1);
    assert_int_equal(t.events[EVENT_SERVER_HELLO], 1);
    end(&t);
}

static void test_version_2(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_CLIENT, quic_v2_client);
    SAY(&t, SIDE_SERVER, quic_v2_server);
    assert_int_equal(t.tls.quic_version, 0x6b3343cf);
    expect_rfc_client(&t.tls);
    assert_int_equal(t.tls.cipher, 0x1301);
    end(&t);
}

/* The sender that the ports call server is the client. */
static void test_roles_by_keys(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_SERVER, quic_v1_client);
    SAY(&t, SIDE_CLIENT, quic_v1_server);
    assert_string_equal(t.tls.history, "Cs");
    end(&t);
}

/* Behind the Retry the keys are others, and the hello comes in three frames of two packets, its end
 * first. */
static void test_retry(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_SERVER, quic_v1_retry);
    SAY(&t, SIDE_CLIENT, quic_again_end);
    assert_string_equal(t.tls.history, "");
    SAY(&t, SIDE_CLIENT, quic_again_start);
    assert_true(t.tls.quic_retry);
    assert_string_equal(t.tls.history, "C");
    assert_int_equal(t.tls.client_hello_segments, 2);
    expect_rfc_client(&t.tls);
    end(&t);
}

static void test_refused(void **state)
{
    struct talk t;
    (void)state;
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_CLIENT, quic_v1_client);
    SAY(&t, SIDE_SERVER, quic_v1_refused);
    assert_int_equal(t.tls.quic_error, 0x178);
    assert_int_equal(t.tls.alert, 120); /* no_application_protocol */
    assert_int_equal(t.tls.alert_by, SIDE_SERVER);
    assert_false(t.tls.alert_inferred);
    assert_int_equal(t.tls.alert_step, TLS_STEP_CLIENT_HELLO);
    end(&t);
}

static void test_version_negotiation(void **state)
{
    static const uint8_t answer[] = {0xc0, 0, 0, 0, 0, 0, 8, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51,
                                     0x57, 8, 0x6b, 0x33, 0x43, 0xcf};
    struct talk t;
    (void)state;
    begin(&t, &datagram_quic);
    SAY(&t, SIDE_CLIENT, quic_v1_client);
    SAY(&t, SIDE_SERVER, answer);
    assert_true(t.tls.quic_negotiation);
    assert_string_equal(t.tls.history, "C");
    end(&t);
}

/* ---- DTLS
 * ----------------------------------------------------------------------------------------------- */

/* RFC 6347 4.2.2: a ClientHello of DTLS 1.2 with a cookie, SNI inv.example.cn. */
static const uint8_t dtls_hello[] = {
    0xfe, 0xfd, 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14, 15, 16,
    17,   18,   19,  20,  21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  31,  0,   2,  7,  7,
    0,    4,    0xc0, 0x2b, 0xc0, 0x2f, 1, 0,  0,   23,  0,   0,   0,   19,  0,   17,  0,  0,  14,
    'i',  'n',  'v', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c', 'n'};
static const uint8_t dtls_answer[] = {0xfe, 0xfd, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                      11,   12,   13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                                      24,   25,   26, 27, 28, 29, 30, 31, 0,  0xc0, 0x2f, 0};

static size_t fragment(uint8_t *out, uint8_t type, const uint8_t *body, size_t len, uint8_t number,
                       size_t offset, size_t part, uint8_t sequence)
{
    const uint8_t head[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence,
                            (uint8_t)((part + 12) >> 8), (uint8_t)(part + 12), type, 0,
                            (uint8_t)(len >> 8), (uint8_t)len, 0, number, 0,
                            (uint8_t)(offset >> 8), (uint8_t)offset, 0, (uint8_t)(part >> 8),
                            (uint8_t)part};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, body + offset, part);
    return sizeof head + part;
}

static void send_fragment(struct talk *t, enum side side, uint8_t type, const uint8_t *body,
                          size_t len, uint8_t number, size_t offset, size_t part)
{
    uint8_t bytes[512];
    say(t, side, bytes, fragment(bytes, type, body, len, number, offset, part, number));
}

static void expect_dtls(const struct talk *t)
{
    assert_string_equal(t->tls.sni, "inv.example.cn");
    assert_int_equal(t->tls.version_offered, 0xfefd);
    assert_string_equal(t->tls.versions_offered, "DTLS 1.2");
    assert_string_equal(t->tls.client_ciphers, "c02b,c02f");
    assert_memory_equal(t->tls.ja4, "dd2d020100_", 11);
    assert_int_equal(t->tls.version, 0xfefd);
    assert_int_equal(t->tls.cipher, 0xc02f);
    assert_string_equal(t->tls.history, "Cs");
}

static void test_dtls_fragments(void **state)
{
    static const size_t parts[] = {1, 7, 30, 41, sizeof dtls_hello};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            struct talk t;
            size_t len = sizeof dtls_hello, count = (len + parts[i] - 1) / parts[i];
            begin(&t, &datagram_dtls);
            for (size_t n = 0; n < count; n++) {
                size_t offset = (backwards ? count - 1 - n : n) * parts[i];
                size_t part = len - offset < parts[i] ? len - offset : parts[i];
                send_fragment(&t, SIDE_CLIENT, 1, dtls_hello, len, 1, offset, part);
                send_fragment(&t, SIDE_CLIENT, 1, dtls_hello, len, 1, offset, part); /* again */
            }
            send_fragment(&t, SIDE_SERVER, 2, dtls_answer, sizeof dtls_answer, 1, 0,
                          sizeof dtls_answer);
            expect_dtls(&t);
            end(&t);
        }
    }
}

/* Fragments that overlap, or lie about their length, change nothing. */
static void test_dtls_lies(void **state)
{
    struct talk t;
    size_t len = sizeof dtls_hello;
    uint8_t bytes[512];
    (void)state;
    begin(&t, &datagram_dtls);
    send_fragment(&t, SIDE_CLIENT, 1, dtls_hello, len, 0, 0, 50);
    send_fragment(&t, SIDE_CLIENT, 1, dtls_hello, len + 9, 0, 50, len - 50); /* another length */
    assert_string_equal(t.tls.history, "");
    size_t n = fragment(bytes, 1, dtls_hello, len, 0, 40, len - 40, 3);
    bytes[21] = 0xff; /* offset behind the end */
    say(&t, SIDE_CLIENT, bytes, n);
    assert_string_equal(t.tls.history, "");
    send_fragment(&t, SIDE_CLIENT, 1, dtls_hello, len, 0, 40, len - 40);
    send_fragment(&t, SIDE_SERVER, 2, dtls_answer, sizeof dtls_answer, 0, 0, sizeof dtls_answer);
    expect_dtls(&t);
    end(&t);
}

static void test_only_its_own(void **state)
{
    static const uint8_t stun[] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                   10, 11, 12};
    static const uint8_t dns[] = {0x16, 0xfe, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    static const uint8_t rtp[] = {0x80, 0x60, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9};
    static const uint8_t old_quic[] = {0xc3, 'Q', '0', '4', '6', 0x50, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct {
        const uint8_t *bytes;
        size_t len;
    } others[] = {{stun, sizeof stun}, {dns, sizeof dns}, {rtp, sizeof rtp},
                  {old_quic, sizeof old_quic}};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct datagram d = guarded(SIDE_CLIENT, others[i].bytes, others[i].len);
        assert_false(datagram_quic.looks_like(&d));
        assert_false(datagram_dtls.looks_like(&d));
    }
}

/* ---- all of them on damage
 * ------------------------------------------------------------------------------ */

static void show(const struct datagram_dissector *d, enum side side, const uint8_t *bytes,
                 size_t len)
{
    struct talk t;
    if (d->is_tls) {
        struct datagram shown = guarded(side, bytes, len);
        (void)d->looks_like(&shown);
        begin(&t, d);
        say(&t, side, bytes, len);
        say(&t, side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT, bytes, len);
        end(&t);
    }
}

static void test_damage(void **state)
{
    uint8_t bytes[1500], hello[256];
    size_t hello_len = fragment(hello, 1, dtls_hello, sizeof dtls_hello, 0, 0, sizeof dtls_hello, 0);
    const struct {
        const uint8_t *bytes;
        size_t len;
    } all[] = {{quic_v1_client, sizeof quic_v1_client}, {quic_v1_server, sizeof quic_v1_server},
               {quic_v1_retry, sizeof quic_v1_retry},   {quic_v1_refused, sizeof quic_v1_refused},
               {hello, hello_len}};
    (void)state;
    for (const struct datagram_dissector *const *d = datagram_dissector_list(); *d != NULL; d++) {
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            size_t shown = all[i].len < 200 ? all[i].len : 200; /* the rest of it is padding */
            for (size_t n = 0; n <= shown; n++) {
                show(*d, SIDE_CLIENT, all[i].bytes, n);
                memcpy(bytes, all[i].bytes, all[i].len);
                bytes[n == all[i].len ? 0 : n] ^= (uint8_t)(1 << (n & 7));
                show(*d, SIDE_CLIENT, bytes, all[i].len);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),      cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_roles_by_keys),  cmocka_unit_test(test_retry),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_version_negotiation),
        cmocka_unit_test(test_dtls_fragments), cmocka_unit_test(test_dtls_lies),
        cmocka_unit_test(test_only_its_own),   cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, shared_set_up, shared_tear_down);
}
