/* Evidence files hold headers, not secrets, and their checksums stay what they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/mask.h"
#include "dissectors/checksum.h"

#define HEADERS 40 /* IPv4 and TCP without options, LINKTYPE_RAW */

static size_t build(uint8_t *packet, const char *payload, uint16_t source, uint16_t target)
{
    size_t len = strlen(payload), total = HEADERS + len;
    memset(packet, 0, HEADERS);
    packet[0] = 0x45;
    packet[2] = (uint8_t)(total >> 8);
    packet[3] = (uint8_t)total;
    packet[8] = 64;
    packet[9] = 6;
    memcpy(packet + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    packet[20] = (uint8_t)(source >> 8);
    packet[21] = (uint8_t)source;
    packet[22] = (uint8_t)(target >> 8);
    packet[23] = (uint8_t)target;
    packet[32] = 0x50;
    packet[33] = 0x18;
    memcpy(packet + HEADERS, payload, len);
    uint32_t sum = checksum_sum(packet + 12, 8) + 6u + (uint32_t)(20 + len);
    uint16_t checksum = (uint16_t)~checksum_fold(sum + checksum_sum(packet + 20, 20 + len));
    packet[36] = (uint8_t)(checksum >> 8);
    packet[37] = (uint8_t)checksum;
    return total;
}

static enum checksum_state mask(uint8_t *bytes, size_t len, enum mask_keep keep)
{
    const struct packet packet = {
        .data = bytes, .caplen = (uint32_t)len, .len = (uint32_t)len, .frame = 1, .link_type = 101};
    struct decoder *decoder = decoder_new(true);
    struct layers layers;
    assert_non_null(decoder);
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(layers.kind, LAYER_TCP);
    mask_packet(bytes, &packet, &layers, keep);
    decode_packet(decoder, &packet, &layers);
    enum checksum_state state = layers.checksum;
    decoder_free(decoder);
    return state;
}

static void becomes(const char *payload, enum mask_keep keep, const char *expected)
{
    uint8_t packet[1024] = {0};
    size_t len = build(packet, payload, 50000, 80);
    assert_int_equal(mask(packet, len, keep), CHECKSUM_GOOD);
    assert_int_equal(strlen(payload), strlen(expected));
    if (memcmp(packet + HEADERS, expected, strlen(expected)) != 0) {
        fail_msg("%.*s", (int)(len - HEADERS), (const char *)packet + HEADERS);
    }
}

static void http_keeps_start_line_and_header_names(void **state)
{
    (void)state;
    becomes("POST /invoice?token=abc HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\n\r\nsecret",
            MASK_KEEP_HTTP_HEADERS,
            "POST /invoice?xxxxxxxxx HTTP/1.1\r\nHost:xx\r\nCookie:xxxx\r\n\r\nxxxxxx");
    becomes("HTTP/1.1 200 OK\r\nSet-Cookie: k\r\n folded\r\n\r\nbody", MASK_KEEP_HTTP_HEADERS,
            "HTTP/1.1 200 xx\r\nSet-Cookie:xx\r\nxxxxxxx\r\n\r\nxxxx");
    becomes("GET /api/v1/orders/a1b2c3d4e5/items?k HTTP/1.1\r\n\r\n", MASK_KEEP_HTTP_HEADERS,
            "GET /api/v1/orders/xxxxxxxxxx/items?x HTTP/1.1\r\n\r\n");
    becomes("GET /abcdefghijklmnopqrstuvwx HTTP/1.1\r\n\r\n", MASK_KEEP_HTTP_HEADERS,
            "GET /xxxxxxxxxxxxxxxxxxxxxxxx HTTP/1.1\r\n\r\n");
    becomes("GET / HTTP/1.1\nAuthorization: Basic YTpi\n\nx: y", MASK_KEEP_HTTP_HEADERS,
            "GET / HTTP/1.1\nAuthorization:xxxxxxxxxxx\n\nxxxx");
    becomes("rest of a cookie\r\nA: b", MASK_KEEP_HTTP_HEADERS, "xxxxxxxxxxxxxxxxxxxxxx");
    becomes("GET /?", MASK_KEEP_HTTP_HEADERS, "GET /?");
}

static void other_payload_is_overwritten(void **state)
{
    (void)state;
    becomes("USER admin\r\n", MASK_KEEP_NOTHING, "xxxxxxxxxxxx");
    becomes("odd", MASK_KEEP_NOTHING, "xxx");
    becomes("GET /a HTTP/1.1\r\n", MASK_KEEP_NOTHING, "xxxxxxxxxxxxxxxxx");
}

static void tls_stays_but_clear_http_on_its_port_does_not(void **state)
{
    (void)state;
    becomes("\x16\x03\x01 hello", MASK_KEEP_ALL, "\x16\x03\x01 hello");
    becomes("GET /?k=v HTTP/1.1\r\nCookie: z\r\n\r\n", MASK_KEEP_ALL,
            "GET /?xxx HTTP/1.1\r\nCookie:xx\r\n\r\n");
}

static void a_bad_checksum_stays_bad(void **state)
{
    (void)state;
    uint8_t packet[256] = {0};
    size_t len = build(packet, "password", 50000, 21);
    packet[37] ^= 1;
    assert_int_equal(mask(packet, len, MASK_KEEP_NOTHING), CHECKSUM_BAD);
    assert_memory_equal(packet + HEADERS, "xxxxxxxx", 8);
}

/* Every start of a packet, in memory of exactly its size. */
static void cut_packets_are_safe(void **state)
{
    (void)state;
    uint8_t whole[512] = {0};
    size_t len = build(whole, "GET /?a HTTP/1.1\r\nCookie: secret\r\n\r\nsecret", 50000, 80);
    struct decoder *decoder = decoder_new(false);
    assert_non_null(decoder);
    for (size_t cut = 1; cut <= len; cut++) {
        uint8_t *bytes = malloc(cut);
        assert_non_null(bytes);
        memcpy(bytes, whole, cut);
        const struct packet packet = {.data = bytes,
                                      .caplen = (uint32_t)cut,
                                      .len = (uint32_t)len,
                                      .frame = 1,
                                      .link_type = 101};
        struct layers layers;
        decode_packet(decoder, &packet, &layers);
        mask_packet(bytes, &packet, &layers, MASK_KEEP_HTTP_HEADERS);
        for (size_t i = 0; i + 6 <= cut; i++) {
            assert_memory_not_equal(bytes + i, "secret", 6);
        }
        free(bytes);
    }
    decoder_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_keeps_start_line_and_header_names),
        cmocka_unit_test(other_payload_is_overwritten),
        cmocka_unit_test(tls_stays_but_clear_http_on_its_port_does_not),
        cmocka_unit_test(a_bad_checksum_stays_bad),
        cmocka_unit_test(cut_packets_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
