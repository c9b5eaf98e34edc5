/* Pieces of IPv4 and IPv6 datagrams: any order, twice, overlapping, too late, too many, cut. */
#include "core/limits.h"
#include "dissectors/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000LL

/* A UDP datagram of 40 bytes (ports 4000, 4001; length 40; no checksum), in pieces of 16. */
#define DATAGRAM_LEN 40

struct bench {
    struct decoder *decoder;
    struct layers layers;
    int64_t time_ns;
    uint8_t packet[2048];
};

static struct bench *bench_new(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->decoder = decoder_new(false);
    return bench;
}

static void bench_free(struct bench *bench)
{
    decoder_free(bench->decoder);
    free(bench);
}

static void datagram_fill(uint8_t out[DATAGRAM_LEN])
{
    static const uint8_t header[8] = {0x0f, 0xa0, 0x0f, 0xa1, 0, DATAGRAM_LEN, 0, 0};
    memcpy(out, header, sizeof(header));
    for (size_t i = sizeof(header); i < DATAGRAM_LEN; i++) {
        out[i] = (uint8_t)i;
    }
}

static size_t header_v4(uint8_t *out, uint16_t id, size_t offset, size_t len, bool more)
{
    memset(out, 0, 20);
    out[0] = 0x45;
    out[2] = (uint8_t)((20 + len) >> 8);
    out[3] = (uint8_t)(20 + len);
    out[4] = (uint8_t)(id >> 8);
    out[5] = (uint8_t)id;
    out[6] = (uint8_t)((more ? 0x20 : 0) | (offset / 8) >> 8);
    out[7] = (uint8_t)(offset / 8);
    out[8] = 64;
    out[9] = 17;
    memcpy(out + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    return 20;
}

static size_t header_v6(uint8_t *out, uint16_t id, size_t offset, size_t len, bool more)
{
    memset(out, 0, 56);
    out[0] = 0x60;
    out[4] = (uint8_t)((16 + len) >> 8);
    out[5] = (uint8_t)(16 + len);
    out[6] = 60; /* destination options, then the fragment header */
    out[7] = 64;
    memset(out + 8, 0x20, 32);
    out[40] = 44;
    out[42] = 1; /* PadN */
    out[43] = 4;
    out[48] = 17;
    out[50] = (uint8_t)(offset >> 8);
    out[51] = (uint8_t)(offset | (more ? 1 : 0));
    out[54] = (uint8_t)(id >> 8);
    out[55] = (uint8_t)id;
    return 56;
}

/* Decodes the piece [offset, offset + len) of body, with `lost` bytes cut off by a snap length. */
static enum layer_kind piece_cut(struct bench *bench, int version, uint16_t id, const uint8_t *body,
                                 size_t offset, size_t len, bool more, size_t lost)
{
    size_t header = version == 4 ? header_v4(bench->packet, id, offset, len, more)
                                 : header_v6(bench->packet, id, offset, len, more);
    struct packet packet = {.data = bench->packet,
                            .caplen = (uint32_t)(header + len - lost),
                            .len = (uint32_t)(header + len),
                            .time_ns = bench->time_ns,
                            .link_type = 101};
    memcpy(bench->packet + header, body, len);
    decode_packet(bench->decoder, &packet, &bench->layers);
    return bench->layers.kind;
}

static enum layer_kind piece(struct bench *bench, int version, uint16_t id, const uint8_t *datagram,
                             size_t offset, size_t len)
{
    return piece_cut(bench, version, id, datagram + offset, offset, len,
                     offset + len < DATAGRAM_LEN, 0);
}

static void assert_whole(const struct bench *bench, int version, const uint8_t *datagram)
{
    const struct layers *l = &bench->layers;
    assert_int_equal(l->kind, LAYER_UDP);
    assert_true(l->was_fragmented);
    assert_int_equal(l->ip_version, version);
    assert_int_equal(l->src_port, 4000);
    assert_int_equal(l->dst_port, 4001);
    assert_int_equal(l->payload_len, DATAGRAM_LEN - 8);
    assert_int_equal(l->payload_caplen, DATAGRAM_LEN - 8);
    assert_int_equal(l->ip_len, DATAGRAM_LEN + (version == 4 ? 20 : 40));
    assert_int_equal(l->network_caplen, l->ip_len);
    assert_ptr_equal(l->network + (version == 4 ? 28 : 48), l->payload);
    assert_memory_equal(l->payload, datagram + 8, DATAGRAM_LEN - 8);
}

static void test_any_order(void **state)
{
    static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const size_t lengths[3] = {16, 16, 8};
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    for (int version = 4; version <= 6; version += 2) {
        struct bench *bench = bench_new();
        for (size_t i = 0; i < 6; i++) {
            const size_t *order = orders[i];
            for (size_t k = 0; k < 2; k++) {
                assert_int_equal(
                    piece(bench, version, 7, datagram, order[k] * 16, lengths[order[k]]),
                    LAYER_FRAGMENT);
                assert_int_equal(bench->layers.src_port, 0);
            }
            piece(bench, version, 7, datagram, order[2] * 16, lengths[order[2]]);
            assert_whole(bench, version, datagram);
        }
        assert_int_equal(decoder_counters(bench->decoder)->fragments, 18);
        assert_int_equal(decoder_counters(bench->decoder)->reassembled, 6);
        assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 0);
        bench_free(bench);
    }
}

static void test_datagrams_interleaved(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    struct bench *bench = bench_new();
    for (uint16_t id = 0; id < 1000; id++) {
        assert_int_equal(piece(bench, 4, id, datagram, 24, 16), LAYER_FRAGMENT);
        assert_int_equal(piece(bench, 6, id, datagram, 0, 24), LAYER_FRAGMENT);
    }
    for (uint16_t id = 1000; id-- > 0;) {
        piece(bench, 4, id, datagram, 0, 24);
        assert_whole(bench, 4, datagram);
        assert_int_equal(bench->layers.ip_id, id);
        piece(bench, 6, id, datagram, 24, 16);
        assert_whole(bench, 6, datagram);
    }
    bench_free(bench);
}

static void test_duplicates(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    for (int version = 4; version <= 6; version += 2) {
        struct bench *bench = bench_new();
        piece(bench, version, 7, datagram, 0, 24);
        assert_int_equal(piece(bench, version, 7, datagram, 0, 24), LAYER_FRAGMENT);
        piece(bench, version, 7, datagram, 24, 16);
        assert_whole(bench, version, datagram);
        assert_int_equal(decoder_counters(bench->decoder)->fragment_overlaps, 0);
        bench_free(bench);
    }
}

struct overlap_row {
    size_t first_offset, first_len, second_offset, second_len;
    uint8_t xor ;
};

/* RFC 5722: the whole datagram goes, also with what comes later. */
static void test_overlaps(void **state)
{
    static const struct overlap_row rows[] = {
        {0, 24, 16, 8, 0},  /* inside, same bytes */
        {0, 24, 16, 24, 0}, /* over the end */
        {16, 16, 0, 24, 0}, /* over the start */
        {8, 8, 0, 24, 0},   /* around */
        {0, 24, 0, 16, 0},  /* same start, shorter */
        {0, 16, 0, 24, 0},  /* same start, longer */
        {0, 24, 0, 24, 1},  /* same place, other bytes */
    };
    (void)state;
    for (int version = 4; version <= 6; version += 2) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            uint8_t datagram[DATAGRAM_LEN];
            const struct overlap_row *row = &rows[i];
            struct bench *bench = bench_new();
            datagram_fill(datagram);
            piece(bench, version, 7, datagram, row->first_offset, row->first_len);
            datagram[row->second_offset + 9] ^= row->xor ;
            piece(bench, version, 7, datagram, row->second_offset, row->second_len);
            assert_int_equal(decoder_counters(bench->decoder)->fragment_overlaps, 1);
            assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 2);
            for (size_t at = 0; at < DATAGRAM_LEN; at += 8) {
                assert_int_equal(piece(bench, version, 7, datagram, at, 8), LAYER_FRAGMENT);
            }
            assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 7);
            assert_int_equal(decoder_counters(bench->decoder)->reassembled, 0);
            /* When its time is over the identification may be used again. */
            bench->time_ns += LIMIT_FRAGMENT_NS + 1;
            piece(bench, version, 7, datagram, 0, 24);
            piece(bench, version, 7, datagram, 24, 16);
            assert_whole(bench, version, datagram);
            assert_int_equal(decoder_counters(bench->decoder)->fragment_timeouts, 0);
            bench_free(bench);
        }
    }
}

static void test_contradictions(void **state)
{
    (void)state;
    uint8_t body[512] = {0};
    struct bench *bench = bench_new();
    /* Bytes behind the last piece. */
    piece_cut(bench, 4, 1, body, 16, 8, false, 0);
    piece_cut(bench, 4, 1, body, 32, 8, true, 0);
    piece_cut(bench, 4, 1, body, 0, 16, true, 0);
    /* A last piece before bytes that came. */
    piece_cut(bench, 4, 2, body, 32, 8, true, 0);
    piece_cut(bench, 4, 2, body, 16, 8, false, 0);
    piece_cut(bench, 4, 2, body, 0, 16, true, 0);
    /* Two last pieces. */
    piece_cut(bench, 4, 3, body, 16, 8, false, 0);
    piece_cut(bench, 4, 3, body, 32, 8, false, 0);
    piece_cut(bench, 4, 3, body, 0, 16, true, 0);
    assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 9);
    /* Not a multiple of eight bytes, though more follow; beyond 65,535 bytes. */
    piece_cut(bench, 4, 4, body, 0, 15, true, 0);
    piece_cut(bench, 4, 5, body, 65528, 64, false, 0);
    assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 11);
    assert_int_equal(decoder_counters(bench->decoder)->reassembled, 0);
    bench_free(bench);
}

static void test_timeout(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    struct bench *bench = bench_new();
    piece(bench, 4, 7, datagram, 0, 24);
    bench->time_ns = LIMIT_FRAGMENT_NS;
    piece(bench, 4, 7, datagram, 24, 16);
    assert_whole(bench, 4, datagram);
    piece(bench, 4, 7, datagram, 0, 24);
    bench->time_ns += LIMIT_FRAGMENT_NS + 1;
    assert_int_equal(piece(bench, 4, 7, datagram, 24, 16), LAYER_FRAGMENT);
    assert_int_equal(decoder_counters(bench->decoder)->fragment_timeouts, 1);
    assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 1);
    /* Time that runs backwards expires nothing. */
    bench->time_ns -= 10 * SECOND;
    piece(bench, 4, 7, datagram, 0, 24);
    assert_whole(bench, 4, datagram);
    bench_free(bench);
}

static void test_full_table(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    struct bench *bench = bench_new();
    for (uint32_t id = 0; id <= LIMIT_FRAGMENT_DATAGRAMS; id++) {
        piece(bench, 4, (uint16_t)id, datagram, 0, 24);
    }
    assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped, 1);
    assert_int_equal(piece(bench, 4, 0, datagram, 24, 16), LAYER_FRAGMENT); /* it was the oldest */
    piece(bench, 4, 2, datagram, 24, 16);
    assert_whole(bench, 4, datagram);
    bench_free(bench);
}

static void test_bytes_bounded(void **state)
{
    (void)state;
    static const uint8_t body[1400];
    struct bench *bench = bench_new();
    size_t sent = 0;
    for (uint32_t i = 0; sent < LIMIT_FRAGMENT_BYTES; i++) {
        piece_cut(bench, 4, (uint16_t)(i / 40), body, i % 40 * 1400, 1400, true, 0);
        sent += 1400;
    }
    assert_true(decoder_counters(bench->decoder)->fragments_dropped > 0);
    assert_true(decoder_counters(bench->decoder)->fragments_dropped < 1000);
    assert_int_equal(decoder_counters(bench->decoder)->fragment_overlaps, 0);
    bench_free(bench);
}

static void test_too_many_pieces(void **state)
{
    (void)state;
    static const uint8_t body[8];
    struct bench *bench = bench_new();
    for (size_t i = 0; i <= LIMIT_FRAGMENT_PIECES; i++) {
        piece_cut(bench, 4, 1, body, i * 8, 8, i < LIMIT_FRAGMENT_PIECES, 0);
    }
    assert_int_equal(decoder_counters(bench->decoder)->reassembled, 0);
    assert_int_equal(decoder_counters(bench->decoder)->fragments_dropped,
                     LIMIT_FRAGMENT_PIECES + 1);
    bench_free(bench);
}

/* Pieces cut by the snap length: the bytes are there up to the first hole, the lengths are right.
 */
static void test_cut_pieces(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    datagram_fill(datagram);
    for (int version = 4; version <= 6; version += 2) {
        struct bench *bench = bench_new();
        piece_cut(bench, version, 1, datagram + 24, 24, 16, false, 4);
        piece_cut(bench, version, 1, datagram, 0, 24, true, 6);
        assert_int_equal(bench->layers.kind, LAYER_UDP);
        assert_int_equal(bench->layers.payload_len, DATAGRAM_LEN - 8);
        assert_int_equal(bench->layers.payload_caplen, 24 - 8 - 6);
        bench_free(bench);
    }
}

/* What is put together may be a tunnel that holds pieces in turn. */
static void test_pieces_in_pieces(void **state)
{
    (void)state;
    uint8_t datagram[DATAGRAM_LEN];
    uint8_t inner[2][64];
    datagram_fill(datagram);
    struct bench *bench = bench_new();
    for (size_t i = 0; i < 2; i++) {
        size_t len = i == 0 ? 24 : 16;
        size_t header = header_v4(inner[i], 9, i * 24, len, i == 0);
        inner[i][12] = 172; /* another address, so that it is another datagram */
        memcpy(inner[i] + header, datagram + i * 24, len);
        for (size_t k = 0; k < 2; k++) {
            size_t rest = header + len - 16;
            size_t outer =
                header_v4(bench->packet, (uint16_t)i, k * 16, k == 0 ? 16 : rest, k == 0);
            bench->packet[9] = 4; /* IP in IP */
            memcpy(bench->packet + outer, inner[i] + k * 16, k == 0 ? 16 : rest);
            struct packet packet = {.data = bench->packet, .link_type = 101};
            packet.caplen = (uint32_t)(outer + (k == 0 ? 16 : rest));
            packet.len = packet.caplen;
            decode_packet(bench->decoder, &packet, &bench->layers);
        }
    }
    assert_whole(bench, 4, datagram);
    assert_int_equal(bench->layers.src.bytes[0], 172);
    assert_string_equal(bench->layers.tunnel, "ipip");
    assert_int_equal(decoder_counters(bench->decoder)->reassembled, 3);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),        cmocka_unit_test(test_datagrams_interleaved),
        cmocka_unit_test(test_duplicates),       cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_contradictions),   cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_full_table),       cmocka_unit_test(test_bytes_bounded),
        cmocka_unit_test(test_too_many_pieces),  cmocka_unit_test(test_cut_pieces),
        cmocka_unit_test(test_pieces_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
