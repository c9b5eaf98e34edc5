/* pcap and pcapng as they should be: both byte orders, resolutions, interfaces, statistics.
 * Expected values follow from the bytes by the format's own text (draft-ietf-opsawg-pcap, -pcapng).
 */
#include "capture/source.h"
#include "tests/unit/test_capture_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct source *open_built(const struct build *b)
{
    struct error error = {.code = ERROR_NONE};
    struct source *source = source_open_memory(b->bytes, b->len, 7, &error);
    if (source == NULL)
        fail_msg("%s", error.text);
    return source;
}

static struct packet next_packet(struct source *source)
{
    struct packet packet = {0};
    struct error error;
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.source_id, 7);
    return packet;
}

static void assert_end(struct source *source)
{
    struct packet packet;
    struct error error;
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
}

static void assert_filled(const struct packet *packet, uint32_t caplen, uint8_t fill)
{
    assert_int_equal(packet->caplen, caplen);
    for (uint32_t i = 0; i < caplen; i++)
        assert_int_equal(packet->data[i], fill);
}

static void test_pcap(void **state)
{
    (void)state;
    for (int big = 0; big <= 1; big++) {
        for (int ns = 0; ns <= 1; ns++) {
            static struct build b;
            b = (struct build){.big = big != 0};
            build_pcap(&b, ns != 0 ? 0xa1b23c4d : 0xa1b2c3d4, 0xf4000000 | 113);
            build_record(&b, 1700000000, 123456, 60, 1500, 0x11);
            build_record(&b, 4294967295, 999999, 0, 0, 0);
            build_record(&b, 5, 6, 8, 4, 0x22); /* caplen above len */
            struct source *source = open_built(&b);
            struct packet p = next_packet(source);
            assert_filled(&p, 60, 0x11);
            assert_int_equal(p.len, 1500);
            assert_int_equal(p.time_ns, 1700000000LL * 1000000000 + 123456 * (ns ? 1 : 1000));
            assert_int_equal(p.frame, 1);
            assert_int_equal(p.offset, 24);
            assert_int_equal(p.link_type, 113); /* without the bits of the check sequence */
            p = next_packet(source);
            assert_int_equal(p.caplen, 0);
            assert_int_equal(p.offset, 24 + 16 + 60);
            assert_int_equal(p.time_ns, 4294967295LL * 1000000000 + 999999 * (ns ? 1 : 1000));
            p = next_packet(source);
            assert_filled(&p, 8, 0x22);
            assert_int_equal(p.len, 8);
            assert_int_equal(p.frame, 3);
            assert_end(source);
            source_close(source);
        }
    }
}

static void test_pcap_modified(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){.big = true};
    build_pcap(&b, 0xa1b2cd34, 1);
    for (unsigned i = 1; i <= 2; i++) {
        build_u32(&b, i);
        build_u32(&b, i);
        build_u32(&b, 10);
        build_u32(&b, 20);
        build_u64(&b, 0); /* interface, protocol, type */
        build_fill(&b, i, 10);
    }
    struct source *source = open_built(&b);
    struct packet p = next_packet(source);
    assert_filled(&p, 10, 1);
    p = next_packet(source);
    assert_filled(&p, 10, 2);
    assert_int_equal(p.offset, 24 + 24 + 10);
    assert_end(source);
    source_close(source);
}

/* Before version 2.3 the length on the wire stood first. */
static void test_pcap_old_lengths(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    b.bytes[6] = 2; /* version 2.2 */
    build_u64(&b, 0);
    build_u32(&b, 100);
    build_u32(&b, 10);
    build_fill(&b, 3, 10);
    struct source *source = open_built(&b);
    struct packet p = next_packet(source);
    assert_filled(&p, 10, 3);
    assert_int_equal(p.len, 100);
    assert_end(source);
    source_close(source);
}

static void test_pcap_unknown_link(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 0x00300000); /* must not become 0, BSD loopback */
    build_record(&b, 1, 1, 4, 4, 1);
    struct source *source = open_built(&b);
    assert_int_equal(next_packet(source).link_type, 0xffff);
    source_close(source);
}

static void test_empty_captures(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    struct source *source = open_built(&b);
    assert_end(source);
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    assert_false(record.cut);
    assert_int_equal(record.packets, 0);
    assert_int_equal(record.first_ns, 0);
    assert_string_equal(record.format, "pcap");
    assert_string_equal(record.link_types, "1");
    intern_free(strings);
    source_close(source);
    b = (struct build){0};
    build_section(&b, NULL);
    source = open_built(&b);
    assert_end(source);
    source_close(source);
}

static void build_two_sections(struct build *b)
{
    b->big = false;
    build_section(b, "tap at the core");
    build_interface(b, 1, 96, 9, 0, "eth0");
    build_interface(b, 113, 0, -1, 0, "any");
    build_enhanced(b, 1, 1700000000000001, 5, 50, 1);
    build_enhanced(b, 0, 1700000000000000002, 7, 7, 2);
    size_t at = build_block(b, 0x0bad); /* custom: Wireshark gives it a frame number */
    build_u32(b, 32473);
    build_end(b, at);
    at = build_block(b, 4); /* names: passed over */
    build_u32(b, 0);
    build_end(b, at);
    build_simple(b, 200, 96, 3);
    b->big = true;
    build_section(b, NULL);
    build_interface(b, 101, 0, 3, 0, "eth0");
    build_enhanced(b, 0, 1700000000003, 9, 9, 4);
    at = build_block(b, 2); /* the obsolete packet block */
    build_u16(b, 0);
    build_u16(b, 0);
    build_u64(b, 1700000000004);
    build_u32(b, 6);
    build_u32(b, 66);
    build_fill(b, 5, 6);
    build_end(b, at);
}

static void test_pcapng_sections(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_two_sections(&b);
    struct source *source = open_built(&b);
    struct packet p = next_packet(source);
    assert_filled(&p, 5, 1);
    assert_int_equal(p.len, 50);
    assert_int_equal(p.link_type, 113);
    assert_int_equal(p.interface_id, 1);
    assert_int_equal(p.time_ns, 1700000000000001000);
    assert_int_equal(p.frame, 1);
    p = next_packet(source);
    assert_filled(&p, 7, 2);
    assert_int_equal(p.link_type, 1);
    assert_int_equal(p.time_ns, 1700000000000000002);
    p = next_packet(source);
    assert_filled(&p, 96, 3);
    assert_int_equal(p.len, 200);
    assert_int_equal(p.frame, 4);
    assert_int_equal(p.time_ns, 1700000000000000002); /* of the packet before */
    p = next_packet(source);
    assert_filled(&p, 9, 4);
    assert_int_equal(p.link_type, 101);
    assert_int_equal(p.interface_id, 2);
    assert_int_equal(p.time_ns, 1700000000003000000);
    assert_string_equal(source_interface_name(source, p.interface_id), "eth0");
    p = next_packet(source);
    assert_filled(&p, 6, 5);
    assert_int_equal(p.len, 66);
    assert_int_equal(p.frame, 6);
    assert_end(source);

    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    assert_string_equal(record.format, "pcapng");
    assert_string_equal(record.link_types, "1,113,101");
    assert_string_equal(record.interfaces, "eth0,any");
    assert_string_equal(record.comment, "tap at the core");
    assert_int_equal(record.packets, 5);
    assert_int_equal(record.captured_bytes, 5 + 7 + 96 + 9 + 6);
    assert_int_equal(record.bytes, 50 + 7 + 200 + 9 + 66);
    assert_int_equal(record.first_ns, 1700000000000000002);
    assert_int_equal(record.last_ns, 1700000000004000000);
    assert_int_equal(record.dropped_kernel, -1);
    assert_false(record.cut);
    intern_free(strings);
    source_close(source);
}

static void test_pcapng_resolutions(void **state)
{
    (void)state;
    static const struct {
        int resolution;
        int64_t offset_s;
        uint64_t ticks;
        int64_t time_ns;
    } cases[] = {
        {-1, 0, 1234567, 1234567000},
        {0, 0, 17, 17000000000},
        {3, 0, 1500, 1500000000},
        {9, 0, 1700000000123456789, 1700000000123456789},
        {12, 0, 1700000000123456789, 1700000000123456}, /* 10^-12 s */
        {0x80 | 10, 0, 1024 * 5 + 512, 5500000000},     /* 2^-10 s */
        {0x80 | 32, 0, 0x6553f10080000000, 1700000000500000000},
        {0x80 | 63, 0, 0x8000000000000000, 1000000000},
        {0xff, 0, UINT64_MAX, 0}, /* 2^-127 s */
        {0x7f, 0, UINT64_MAX, 0}, /* 10^-127 s */
        {6, 1700000000, 250000, 1700000000250000000},
        {6, -10, 20000001, 10000001000},
        {0, 0, UINT64_MAX, INT64_MAX / 2}, /* clamped */
        {9, INT64_MIN, 1, -(INT64_MAX / 2)},
        {9, INT64_MAX, UINT64_MAX, INT64_MAX / 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct build b;
        b = (struct build){.big = i % 2 != 0};
        build_section(&b, NULL);
        build_interface(&b, 1, 0, cases[i].resolution, cases[i].offset_s, NULL);
        build_enhanced(&b, 0, cases[i].ticks, 4, 4, 1);
        struct source *source = open_built(&b);
        assert_int_equal(next_packet(source).time_ns, cases[i].time_ns);
        source_close(source);
    }
}

static void build_statistics(struct build *b, uint32_t interface, uint64_t ifdrop, uint64_t osdrop)
{
    size_t at = build_block(b, 5);
    build_u32(b, interface);
    build_u64(b, 0);
    build_u16(b, 5);
    build_u16(b, 8);
    build_u64(b, ifdrop);
    build_u16(b, 7);
    build_u16(b, 8);
    build_u64(b, osdrop);
    build_u32(b, 0);
    build_end(b, at);
}

static void test_pcapng_statistics(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    build_interface(&b, 1, 0, -1, 0, NULL);
    build_interface(&b, 1, 0, -1, 0, NULL);
    build_statistics(&b, 0, 1, 10);
    build_statistics(&b, 0, 2, 20); /* totals so far: the last one counts */
    build_statistics(&b, 1, 3, 30);
    build_statistics(&b, 9, 100, 100); /* no such interface */
    struct source *source = open_built(&b);
    assert_end(source);
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    assert_int_equal(record.dropped_interface, 2 + 3);
    assert_int_equal(record.dropped_kernel, 20 + 30);
    assert_null(record.interfaces);
    intern_free(strings);
    source_close(source);
}

static void build_secrets(struct build *b, uint32_t type, const char *text)
{
    size_t at = build_block(b, 10);
    build_u32(b, type);
    build_u32(b, (uint32_t)strlen(text));
    build_bytes(b, text, strlen(text));
    build_end(b, at);
}

static void test_pcapng_secrets(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){.big = true};
    build_section(&b, NULL);
    build_secrets(&b, 0x544c534b, "CLIENT_RANDOM aa bb");
    build_secrets(&b, 0x57474b4c, "WireGuard, not ours");
    build_secrets(&b, 0x544c534b, "CLIENT_RANDOM cc dd\n");
    struct source *source = open_built(&b);
    size_t len;
    assert_null(source_secrets(source, &len));
    assert_end(source);
    const char *text = source_secrets(source, &len);
    static const char expected[] = "CLIENT_RANDOM aa bb\nCLIENT_RANDOM cc dd\n";
    assert_int_equal(len, sizeof expected - 1);
    assert_memory_equal(text, expected, len);
    source_close(source);
}

/* The length of a block may leave out its padding; Wireshark rounds it up. */
static void test_pcapng_unpadded_length(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    build_interface(&b, 1, 0, -1, 0, NULL);
    size_t at = b.len;
    build_enhanced(&b, 0, 1, 61, 61, 1);
    b.bytes[at + 4] = b.bytes[b.len - 4] = 93;
    build_enhanced(&b, 0, 2, 4, 4, 2);
    struct source *source = open_built(&b);
    struct packet p = next_packet(source);
    assert_filled(&p, 61, 1);
    p = next_packet(source);
    assert_filled(&p, 4, 2);
    assert_end(source);
    source_close(source);
}

static void test_options_that_run_over(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    size_t at = build_block(&b, 1);
    build_u16(&b, 1);
    build_u16(&b, 0);
    build_u32(&b, 0);
    build_u16(&b, 2);
    build_u16(&b, 400); /* a name of 400 bytes in 4 */
    build_u32(&b, 0x61616161);
    build_end(&b, at);
    build_enhanced(&b, 0, 1, 4, 4, 1);
    struct source *source = open_built(&b);
    struct packet p = next_packet(source);
    assert_filled(&p, 4, 1);
    assert_string_equal(source_interface_name(source, 0), "");
    assert_end(source);
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap),
        cmocka_unit_test(test_pcap_modified),
        cmocka_unit_test(test_pcap_old_lengths),
        cmocka_unit_test(test_pcap_unknown_link),
        cmocka_unit_test(test_empty_captures),
        cmocka_unit_test(test_pcapng_sections),
        cmocka_unit_test(test_pcapng_resolutions),
        cmocka_unit_test(test_pcapng_statistics),
        cmocka_unit_test(test_pcapng_secrets),
        cmocka_unit_test(test_pcapng_unpadded_length),
        cmocka_unit_test(test_options_that_run_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
