/* DNS and NTP: messages by RFC 1035 and RFC 5905, hostile ones, and the joining of tries and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/datagram.h"
#include "dissectors/dns.h"
#include "dissectors/dns_message.h"
#include "dissectors/ntp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000LL
#define START (1700000000LL * S)

/* example.com A, with EDNS of 1232 bytes. */
static const uint8_t query[] = {
    0x35, 0xd8, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1, 7, 'e', 'X', 'a', 'm', 'p', 'l', 'e',
    3,    'c',  'o',  'm',  0, 0, 1, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
/* CNAME to www. and an address of it, by pointers; TTLs 300 and 60. */
static const uint8_t answer[] = {
    0x35, 0xd8, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e',
    3,    'c',  'o',  'm',  0, 0, 1, 0, 1,
    0xc0, 12,   0,    5,    0, 1, 0, 0, 1, 44, 0, 6, 3, 'w', 'w', 'w', 0xc0, 12,
    0xc0, 41,   0,    1,    0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

static void reads_names_types_and_lists(void **state)
{
    struct dns_message m;
    (void)state;
    assert_int_equal(dns_message_read(query, sizeof query, sizeof query, &m), DNS_WHOLE);
    assert_false(m.is_answer);
    assert_string_equal(m.question, "example.com");
    assert_int_equal(m.question_type, DNS_TYPE_A);
    assert_true(m.has_edns);
    assert_int_equal(m.edns_bytes, 1232);
    assert_int_equal(dns_message_read(answer, sizeof answer, sizeof answer, &m), DNS_WHOLE);
    assert_true(m.is_answer);
    assert_string_equal(m.list, "CNAME www.example.com,A 192.0.2.1");
    assert_int_equal(m.ttl_s, 60);
    assert_int_equal(m.address_count, 1);
    assert_true(dns_message_is_certain(query, sizeof query, sizeof query));
    assert_true(dns_message_is_certain(answer, sizeof answer, sizeof answer));
}

/* RFC 6891 6.1.3: BADVERS is 1 in the upper bits and 0 in the header. */
static void reads_extended_rcode(void **state)
{
    struct dns_message m;
    uint8_t bytes[sizeof query];
    (void)state;
    memcpy(bytes, query, sizeof query);
    bytes[2] |= 0x80;
    bytes[34] = 1;
    assert_int_equal(dns_message_read(bytes, sizeof bytes, sizeof bytes, &m), DNS_WHOLE);
    assert_int_equal(m.rcode, 16);
}

static void pointers_lead_backwards_only(void **state)
{
    static const uint8_t to_itself[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1};
    static const uint8_t forward[] = {0, 1, 1, 0, 0, 1, 0, 0, 0,    0, 0,
                                      0, 1, 'a', 0xc0, 18, 0, 1, 0, 1, 0};
    static const uint8_t in_a_ring[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0xc0, 12, 0, 1, 0, 1};
    struct dns_message m;
    (void)state;
    assert_int_equal(dns_message_read(to_itself, sizeof to_itself, sizeof to_itself, &m), DNS_BAD);
    assert_int_equal(dns_message_read(forward, sizeof forward, sizeof forward, &m), DNS_BAD);
    assert_int_equal(dns_message_read(in_a_ring, sizeof in_a_ring, sizeof in_a_ring, &m), DNS_BAD);
}

static void cut_answers_keep_their_question(void **state)
{
    struct dns_message m;
    (void)state;
    assert_int_equal(dns_message_read(answer, 40, sizeof answer, &m), DNS_CUT);
    assert_string_equal(m.question, "example.com");
    assert_int_equal(dns_message_read(answer, 20, sizeof answer, &m), DNS_BAD);
}

static void sets_are_equal_in_any_order(void **state)
{
    uint8_t other[sizeof answer];
    struct dns_message a, b;
    (void)state;
    memcpy(other, answer, sizeof answer);
    other[sizeof other - 5 - 2] = 61; /* another TTL */
    (void)dns_message_read(answer, sizeof answer, sizeof answer, &a);
    (void)dns_message_read(other, sizeof other, sizeof other, &b);
    assert_int_equal(a.digest, b.digest);
    other[sizeof other - 1] = 2; /* another address */
    (void)dns_message_read(other, sizeof other, sizeof other, &b);
    assert_int_not_equal(a.digest, b.digest);
}

/* ---- conversations ------------------------------------------------------------------------------ */

struct bench {
    struct intern *strings;
    struct flow_record flow;
    struct dissect_context context;
    struct sink sink;
    struct dns_record dns[600];
    struct ntp_record ntp[8];
    size_t dns_count, ntp_count;
    char resolved[64];
};

static void keep(void *self, enum record_kind kind, const void *record)
{
    struct bench *b = self;
    if (kind == RECORD_DNS && b->dns_count < 600)
        b->dns[b->dns_count++] = *(const struct dns_record *)record;
    if (kind == RECORD_NTP && b->ntp_count < 8)
        b->ntp[b->ntp_count++] = *(const struct ntp_record *)record;
}

static void keep_name(void *self, enum side asker, const struct address *address, const char *name)
{
    char text[ADDRESS_TEXT_SIZE];
    struct bench *b = self;
    (void)snprintf(b->resolved, sizeof b->resolved, "%s %s %s", side_name(asker),
                   address_to_text(address, text), name);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->strings = intern_new();
    b->sink = (struct sink){b, keep};
    b->context = (struct dissect_context){.flow_id = 7,
                                          .flow = &b->flow,
                                          .strings = b->strings,
                                          .sink = &b->sink,
                                          .event_self = b,
                                          .resolved = keep_name};
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    intern_free(b->strings);
    free(b);
    return 0;
}

static void take(struct bench *b, struct dns_table *t, int64_t at_ns, enum side side,
                 const uint8_t *bytes, size_t len)
{
    struct dns_message m;
    enum dns_state read = dns_message_read(bytes, len, len, &m);
    b->context.time_ns = START + at_ns;
    b->context.frame++;
    dns_table_take(t, side, &m, read, 60, &b->context);
}

static void tries_are_one_transaction(void **state)
{
    struct bench *b = *state;
    struct dns_table t = {0};
    take(b, &t, 0, SIDE_CLIENT, query, sizeof query);
    take(b, &t, 5 * S, SIDE_CLIENT, query, sizeof query);
    take(b, &t, 5 * S + 20000000, SIDE_SERVER, answer, sizeof answer);
    assert_string_equal(b->resolved, "client 192.0.2.1 example.com");
    dns_table_close(&t, &b->context);
    assert_int_equal(b->dns_count, 1);
    const struct dns_record *r = &b->dns[0];
    assert_int_equal(r->tries, 2);
    assert_int_equal(r->answers, 1);
    assert_int_equal(r->rcode, 0);
    assert_int_equal(r->response_ns, 5 * S + 20000000);
    assert_int_equal(r->last_query_ns, START + 5 * S);
    assert_int_equal(r->conflicts, 0);
    assert_string_equal(r->answer_list, "CNAME www.example.com,A 192.0.2.1");
    assert_int_equal(b->flow.response_max_ns, 5 * S + 20000000);
}

/* One query, two answers that differ: one is not the resolver's. The same answer twice is a copy. */
static void answers_that_differ_conflict(void **state)
{
    struct bench *b = *state;
    struct dns_table t = {0};
    uint8_t forged[sizeof answer];
    memcpy(forged, answer, sizeof answer);
    forged[sizeof forged - 1] = 66;
    take(b, &t, 0, SIDE_CLIENT, query, sizeof query);
    take(b, &t, 1000000, SIDE_SERVER, forged, sizeof forged);
    take(b, &t, 2000000, SIDE_SERVER, forged, sizeof forged);
    take(b, &t, 20000000, SIDE_SERVER, answer, sizeof answer);
    dns_table_close(&t, &b->context);
    assert_int_equal(b->dns[0].conflicts, 1);
    assert_int_equal(b->dns[0].answers, 3);
    assert_int_equal(b->dns[0].conflict_frame, 4);
    assert_string_equal(b->dns[0].conflict_list, "CNAME www.example.com,A 192.0.2.1");
}

static void two_queries_may_get_two_answers(void **state)
{
    struct bench *b = *state;
    struct dns_table t = {0};
    uint8_t other[sizeof answer];
    memcpy(other, answer, sizeof answer);
    other[sizeof other - 1] = 2;
    take(b, &t, 0, SIDE_CLIENT, query, sizeof query);
    take(b, &t, S, SIDE_CLIENT, query, sizeof query);
    take(b, &t, 2 * S, SIDE_SERVER, answer, sizeof answer);
    take(b, &t, 2 * S, SIDE_SERVER, other, sizeof other);
    dns_table_close(&t, &b->context);
    assert_int_equal(b->dns[0].conflicts, 0);
}

/* A forwarder on one port: what is given up early says so. */
static void many_questions_are_bounded(void **state)
{
    struct bench *b = *state;
    struct dns_table t = {0};
    uint8_t bytes[sizeof query];
    memcpy(bytes, query, sizeof query);
    for (unsigned i = 0; i < 520; i++) {
        bytes[0] = (uint8_t)(i >> 8);
        bytes[1] = (uint8_t)i;
        take(b, &t, i, SIDE_CLIENT, bytes, sizeof bytes);
    }
    assert_int_equal(t.count, 512);
    dns_table_close(&t, &b->context);
    assert_int_equal(b->dns_count, 520);
    assert_true(b->dns[0].given_up);
    assert_false(b->dns[519].given_up);
}

/* The answer alone (the capture began late) is a row without a query. */
static void answer_alone_is_a_row(void **state)
{
    struct bench *b = *state;
    struct dns_table t = {0};
    take(b, &t, 0, SIDE_SERVER, answer, sizeof answer);
    dns_table_close(&t, &b->context);
    assert_int_equal(b->dns_count, 1);
    assert_int_equal(b->dns[0].tries, 0);
    assert_int_equal(b->dns[0].response_ns, -1);
}

/* Behind its length, in any pieces, two messages in a row. */
static void streams_in_any_pieces(void **state)
{
    struct bench *b = *state;
    uint8_t stream[2 * (sizeof query + 2)];
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = stream + i * (sizeof query + 2);
        at[0] = 0;
        at[1] = sizeof query;
        memcpy(at + 2, query, sizeof query);
        at[3] = (uint8_t)i; /* another id */
    }
    assert_int_equal(dissector_dns.looks_like(stream, 3, SIDE_CLIENT), MATCH_MORE);
    assert_int_equal(dissector_dns.looks_like(stream, sizeof stream, SIDE_CLIENT), MATCH_YES);
    assert_int_equal(dissector_dns.looks_like((const uint8_t *)"GET / HTTP/1.1\r\n", 16, SIDE_CLIENT),
                     MATCH_NO);
    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        struct dns_table *t = calloc(1, sizeof *t);
        size_t eaten = 0;
        b->dns_count = 0;
        for (size_t shown = piece; eaten < sizeof stream; shown += piece) {
            shown = shown < sizeof stream ? shown : sizeof stream;
            struct cursor c = cur_of(stream + eaten, shown - eaten);
            assert_int_equal(dissector_dns.feed(t, SIDE_CLIENT, &c, &b->context), FEED_MORE);
            eaten = shown - cur_left(&c);
        }
        dissector_dns.close(t, &b->context);
        free(t);
        assert_int_equal(b->dns_count, 2);
    }
}

/* Every prefix in memory of its own size: a read behind its end is seen by the sanitizer. */
static void every_prefix_is_safe(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
    } all[] = {{query, sizeof query}, {answer, sizeof answer}};
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 0; len <= all[i].len; len++) {
            struct dns_message m;
            uint8_t *copy = malloc(len > 0 ? len : 1);
            memcpy(copy, all[i].bytes, len);
            (void)dns_message_read(copy, len, all[i].len, &m);
            for (const struct datagram_dissector *const *d = datagram_dissector_list(); *d; d++) {
                struct datagram datagram = {.bytes = copy,
                                            .present = (uint32_t)len,
                                            .len = (uint32_t)all[i].len,
                                            .server_port = 53};
                (void)(*d)->looks_like(&datagram);
            }
            free(copy);
        }
    }
    (void)b;
}

/* ---- NTP ------------------------------------------------------------------------------------------ */

static void put_time(uint8_t *at, int64_t ns)
{
    uint64_t seconds = (uint64_t)(ns / S) + 2208988800u;
    uint64_t fraction = ((uint64_t)(ns % S) << 32) / (uint64_t)S;
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(seconds >> (24 - 8 * i));
        at[4 + i] = (uint8_t)(fraction >> (24 - 8 * i));
    }
}

extern const struct datagram_dissector datagram_ntp;

static void exchange(struct bench *b, uint8_t first, uint8_t stratum, int64_t ahead_ns)
{
    const struct datagram_dissector *d = &datagram_ntp;
    void *state = calloc(1, d->state_size);
    uint8_t request[48] = {0x23}, reply[48] = {first, stratum};
    assert_string_equal(d->name, "ntp");
    memcpy(request + 40, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8); /* random, as chrony sends it */
    memcpy(reply + 12, "RATE", 4);
    memcpy(reply + 24, request + 40, 8);
    put_time(reply + 32, START + 10000000 + ahead_ns);
    put_time(reply + 40, START + 11000000 + ahead_ns);
    struct datagram in = {SIDE_CLIENT, request, 48, 48, 40000, 123, 64};
    assert_true(d->looks_like(&in));
    b->context.time_ns = START;
    (void)d->feed(state, &in, &b->context);
    in.side = SIDE_SERVER;
    in.bytes = reply;
    b->context.time_ns = START + 21000000;
    (void)d->feed(state, &in, &b->context);
    d->close(state, &b->context);
    free(state);
}

/* 10 ms to the server, 1 ms there, 10 ms back: what differs from that is the clock. */
static void ntp_offset_against_the_capture(void **state)
{
    struct bench *b = *state;
    exchange(b, 0x24, 2, 3 * S);
    assert_int_equal(b->ntp_count, 1);
    const struct ntp_record *r = &b->ntp[0];
    assert_in_range(r->offset_ns, 3 * S - 1000, 3 * S + 1000);
    assert_in_range(r->delay_ns, 19999000, 20001000);
    assert_in_range(r->error_ns, 9999000, 10001000);
    assert_false(r->client_offset_known);
    assert_int_equal(r->stratum, 2);
    assert_string_equal(r->reference, "82.65.84.69");
}

static void ntp_kiss_and_leap(void **state)
{
    struct bench *b = *state;
    exchange(b, 0xe4, 0, 0);
    assert_int_equal(b->ntp[0].leap, 3);
    assert_int_equal(b->ntp[0].stratum, 0);
    assert_string_equal(b->ntp[0].reference, "RATE");
}

/* Era 1 begins at 2036-02-07 06:28:16 UTC (RFC 5905 6). */
static void ntp_eras(void **state)
{
    (void)state;
    assert_int_equal(ntp_time_ns(0xfffffffffULL << 28, 2085978000LL * S) / S, 2085978495LL);
    assert_int_equal(ntp_time_ns(1ULL << 32, 2085978496LL * S), 2085978497LL * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_names_types_and_lists),
        cmocka_unit_test(reads_extended_rcode),
        cmocka_unit_test(pointers_lead_backwards_only),
        cmocka_unit_test(cut_answers_keep_their_question),
        cmocka_unit_test(sets_are_equal_in_any_order),
        cmocka_unit_test_setup_teardown(tries_are_one_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_that_differ_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_queries_may_get_two_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_questions_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_alone_is_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_prefix_is_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ntp_offset_against_the_capture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ntp_kiss_and_leap, set_up, tear_down),
        cmocka_unit_test(ntp_eras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
