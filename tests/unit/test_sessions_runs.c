/* Packets that come many at a time: what one borrows from the decoder must last until it was looked at. */
#include "sessions/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUERIES 5
#define IP_LEN 20
/* UDP header, DNS header, a label of one letter and the root, type and class. */
#define DATAGRAM_LEN (8 + 12 + 3 + 4)
#define FIRST_PIECE 16 /* the name lies in the second */

struct names {
    char text[QUERIES][8];
    size_t count;
};

static void keep_names(void *self, enum record_kind kind, const void *record)
{
    struct names *names = self;
    if (kind != RECORD_DNS)
        return;
    const struct dns_record *dns = record;
    assert_true(names->count < QUERIES);
    (void)snprintf(names->text[names->count++], sizeof names->text[0], "%s", dns->question);
}

/* A question for the name of this letter, without checksum. */
static void question(uint8_t out[DATAGRAM_LEN], char letter)
{
    static const uint8_t usual[DATAGRAM_LEN] = {0x9c, 0x40, 0, 53, 0, DATAGRAM_LEN, 0, 0, /* from port 40000 */
                                                0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
                                                1, 'x', 0, 0, 1, 0, 1};
    memcpy(out, usual, DATAGRAM_LEN);
    out[9] = (uint8_t)letter; /* its number */
    out[21] = (uint8_t)letter;
}

static size_t piece(uint8_t *out, const uint8_t *datagram, size_t from, size_t len, uint8_t id)
{
    static const uint8_t addresses[8] = {10, 0, 0, 1, 10, 0, 0, 53};
    memset(out, 0, IP_LEN);
    out[0] = 0x45;
    out[3] = (uint8_t)(IP_LEN + len);
    out[5] = id;
    out[6] = from + len < DATAGRAM_LEN ? 0x20 : 0;
    out[7] = (uint8_t)(from / 8);
    out[8] = 64;
    out[9] = 17;
    memcpy(out + 12, addresses, sizeof addresses);
    memcpy(out + IP_LEN, datagram + from, len);
    return IP_LEN + len;
}

static void test_reassembled_datagrams_of_one_run(void **state)
{
    (void)state;
    static uint8_t bytes[2 * QUERIES][64];
    struct packet packets[2 * QUERIES];
    for (size_t i = 0; i < 2 * QUERIES; i++) {
        uint8_t datagram[DATAGRAM_LEN];
        question(datagram, (char)('a' + i / 2));
        size_t from = i % 2 == 0 ? 0 : FIRST_PIECE;
        size_t len = i % 2 == 0 ? FIRST_PIECE : DATAGRAM_LEN - FIRST_PIECE;
        len = piece(bytes[i], datagram, from, len, (uint8_t)(1 + i / 2));
        packets[i] = (struct packet){.data = bytes[i], .caplen = (uint32_t)len, .len = (uint32_t)len,
                                     .time_ns = 1700000000000000000LL + (int64_t)i * 1000000,
                                     .frame = i + 1, .source_id = 1, .link_type = 101};
    }
    struct names names = {.count = 0};
    struct error error;
    struct intern *strings = intern_new();
    struct engine_options options = {.profile = profile_builtin(), .sink = {&names, keep_names},
                                     .strings = strings, .capture_id = 1, .first_flow_id = 1,
                                     .memory_bytes = 64u << 20, .verify_checksums = true};
    struct engine *engine = engine_new(&options, &error);
    assert_non_null(engine);
    engine_packets(engine, packets, 2 * QUERIES);
    engine_finish(engine);
    assert_int_equal(names.count, QUERIES);
    for (size_t i = 0; i < QUERIES; i++) {
        const char want[2] = {(char)('a' + i), '\0'};
        assert_string_equal(names.text[i], want);
    }
    engine_free(engine);
    intern_free(strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reassembled_datagrams_of_one_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
