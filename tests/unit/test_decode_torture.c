/* Hostile bytes: every prefix and every changed byte of every sample, with the input's end at a
 * page that cannot be read. */
#include "dissectors/decode.h"
#include "tests/unit/decode_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Memory whose last byte is the last that may be touched. */
struct guarded {
    uint8_t *pages;
    size_t page;
};

static struct guarded guarded_new(void)
{
    struct guarded memory = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    memory.pages =
        mmap(NULL, 2 * memory.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory.pages, MAP_FAILED);
    assert_int_equal(mprotect(memory.pages + memory.page, memory.page, PROT_NONE), 0);
    return memory;
}

static void guarded_free(struct guarded *memory)
{
    munmap(memory->pages, 2 * memory->page);
}

static const uint8_t *guarded_put(const struct guarded *memory, const uint8_t *bytes, size_t len)
{
    uint8_t *at = memory->pages + memory->page - len;
    memcpy(at, bytes, len);
    return at;
}

/* What must hold whatever the bytes are. */
static void assert_sane(const struct layers *l, const struct packet *packet)
{
    assert_in_range(l->kind, LAYER_UNKNOWN, LAYER_MALFORMED);
    assert_true(l->payload_caplen <= l->payload_len);
    assert_non_null(l->tunnel);
    assert_true((l->tunnel_depth == 0) == (l->tunnel[0] == '\0'));
    if (l->payload_caplen > 0 && !l->was_fragmented) {
        assert_true(l->payload >= packet->data);
        assert_true(l->payload + l->payload_caplen <= packet->data + packet->caplen);
    }
    if (l->network != NULL && !l->was_fragmented) {
        assert_true(l->network >= packet->data);
        assert_true(l->network + l->network_caplen <= packet->data + packet->caplen);
    }
    if (l->kind == LAYER_TCP) {
        assert_true(l->tcp.header_len >= 20 && l->tcp.header_len <= 60);
        assert_true(l->tcp.sack_count <= 4 && l->tcp.option_count <= 16);
        assert_true(l->tcp.window_scale >= -1 && l->tcp.window_scale <= 14);
    }
}

static void decode_at_guard(struct decoder *decoder, const struct guarded *memory,
                            struct packet packet)
{
    struct layers layers;
    packet.data = guarded_put(memory, packet.data, packet.caplen);
    decode_packet(decoder, &packet, &layers);
    assert_sane(&layers, &packet);
}

/* As captured with a snap length, and as a packet that is really that short. */
static void test_prefixes(void **state)
{
    (void)state;
    struct guarded memory = guarded_new();
    struct decoder *decoder = decoder_new(true);
    for (size_t i = 0; i < sample_count; i++) {
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(&samples[i], bytes);
        uint32_t whole = packet.caplen;
        for (uint32_t len = 0; len <= whole; len++) {
            packet.caplen = len;
            packet.len = samples[i].len;
            decode_at_guard(decoder, &memory, packet);
            packet.len = len;
            decode_at_guard(decoder, &memory, packet);
        }
    }
    decoder_free(decoder);
    guarded_free(&memory);
}

/* A snap length is no fault of the packet: none of its prefixes may be called malformed. */
static void test_prefixes_are_not_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(&samples[i], bytes);
        uint32_t whole = packet.caplen;
        for (uint32_t len = 0; len <= whole; len++) {
            struct decoder *decoder = decoder_new(false);
            struct layers layers;
            packet.caplen = len;
            decode_packet(decoder, &packet, &layers);
            decoder_free(decoder);
            if (layers.kind == LAYER_MALFORMED && strcmp(samples[i].expected, "malformed") != 0) {
                fail_msg("%s, %u bytes", samples[i].name, len);
            }
        }
    }
}

static void test_changed_bytes(void **state)
{
    static const uint8_t changes[] = {0x01, 0x04, 0x0f, 0x10, 0x40, 0x80, 0xff};
    (void)state;
    struct guarded memory = guarded_new();
    struct decoder *decoder = decoder_new(true);
    for (size_t i = 0; i < sample_count; i++) {
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(&samples[i], bytes);
        for (size_t at = 0; at < packet.caplen; at++) {
            uint8_t kept = bytes[at];
            for (size_t k = 0; k < sizeof(changes); k++) {
                bytes[at] = kept ^ changes[k];
                decode_at_guard(decoder, &memory, packet);
            }
            bytes[at] = kept;
        }
    }
    decoder_free(decoder);
    guarded_free(&memory);
}

/* A fixed random sequence (xorshift), so that a failure comes again. */
static uint32_t random_next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_many_changes(void **state)
{
    (void)state;
    struct guarded memory = guarded_new();
    struct decoder *decoder = decoder_new(true);
    uint32_t seed = 20240607;
    for (size_t i = 0; i < 200000; i++) {
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(&samples[random_next(&seed) % sample_count], bytes);
        for (uint32_t k = random_next(&seed) % 8; k > 0; k--) {
            bytes[random_next(&seed) % packet.caplen] = (uint8_t)random_next(&seed);
        }
        packet.caplen -= random_next(&seed) % 4 == 0 ? random_next(&seed) % packet.caplen : 0;
        packet.time_ns = (int64_t)i * 1000000;
        decode_at_guard(decoder, &memory, packet);
    }
    decoder_free(decoder);
    guarded_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_prefixes_are_not_malformed),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_many_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
