/* Several sources in time order, filters, standard input while it is written to. */
#include "capture/source.h"
#include "tests/unit/test_capture_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static struct source *open_times(struct build *b, const uint32_t *seconds, size_t count,
                                 uint32_t id)
{
    struct error error = {.code = ERROR_NONE};
    *b = (struct build){0};
    build_pcap(b, 0xa1b2c3d4, 1);
    for (size_t i = 0; i < count; i++)
        build_record(b, seconds[i], 0, 4, 4, id);
    struct source *source = source_open_memory(b->bytes, b->len, id, &error);
    assert_non_null(source);
    return source;
}

static void test_merge_order(void **state)
{
    (void)state;
    static struct build b[3];
    static const uint32_t first[] = {1, 4, 4, 9};
    static const uint32_t second[] = {2, 4, 3, 10}; /* runs backwards: passed on as it is */
    static const struct {
        uint32_t source, seconds;
    } expected[] = {{1, 1}, {2, 2}, {1, 4}, {1, 4}, {2, 4}, {2, 3}, {1, 9}, {2, 10}};
    struct source *sources[3] = {
        open_times(&b[0], second, 4, 2),
        open_times(&b[1], first, 4, 1),
        open_times(&b[2], NULL, 0, 3),
    };
    struct merger *merger = merger_new(sources, 3);
    struct packet packet;
    struct error error;
    assert_int_equal(merger_count(merger), 3);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(merger_next(merger, &packet, &error), SOURCE_PACKET);
        assert_int_equal(packet.source_id, expected[i].source);
        assert_int_equal(packet.time_ns, (int64_t)expected[i].seconds * 1000000000);
        assert_int_equal(packet.data[0], expected[i].source);
    }
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_END);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_END);
    merger_close(merger);
}

static void test_merge_many(void **state)
{
    (void)state;
    enum { SOURCES = 40, PACKETS = 50 };
    static struct build b[SOURCES];
    struct source *sources[SOURCES];
    uint32_t noise = 7;
    for (uint32_t i = 0; i < SOURCES; i++) {
        uint32_t seconds[PACKETS];
        uint32_t at = 0;
        for (size_t k = 0; k < PACKETS; k++) {
            noise = noise * 1103515245u + 12345u;
            at += (noise >> 16) % 5;
            seconds[k] = at;
        }
        sources[i] = open_times(&b[i], seconds, PACKETS, i + 1);
    }
    struct merger *merger = merger_new(sources, SOURCES);
    struct packet packet;
    struct error error;
    int64_t time_ns = -1;
    uint32_t source = 0;
    size_t count = 0;
    while (merger_next(merger, &packet, &error) == SOURCE_PACKET) {
        assert_true(packet.time_ns > time_ns ||
                    (packet.time_ns == time_ns && packet.source_id >= source));
        assert_int_equal(packet.data[3], packet.source_id); /* still its own bytes */
        time_ns = packet.time_ns;
        source = packet.source_id;
        count++;
    }
    assert_int_equal(count, SOURCES * PACKETS);
    merger_close(merger);
}

static void test_merge_one_and_none(void **state)
{
    (void)state;
    static struct build b;
    static const uint32_t times[] = {5, 3};
    struct source *source = open_times(&b, times, 2, 1);
    struct packet packet;
    struct error error;
    struct merger *merger = merger_new(&source, 1);
    assert_ptr_equal(merger_source(merger, 0), source);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_PACKET);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.frame, 2);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_END);
    merger_close(merger);
    merger = merger_new(NULL, 0);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_END);
    merger_close(merger);
}

/* ---- filters
 * -------------------------------------------------------------------------------------- */

/* IPv4 with UDP from port 53 or 54, behind Ethernet or behind nothing. */
static void build_udp(struct build *b, bool ethernet, unsigned port)
{
    static const uint8_t ip[20] = {0x45, 0, 0,  28, 0, 0, 0,  0, 64, 17,
                                   0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
    if (ethernet) {
        build_fill(b, 2, 12);
        build_u8(b, 8);
        build_u8(b, 0);
    }
    build_bytes(b, ip, sizeof ip);
    build_u8(b, 0);
    build_u8(b, port);
    build_fill(b, 0, 6);
}

static void build_udp_block(struct build *b, uint32_t interface, bool ethernet, unsigned port)
{
    uint32_t caplen = ethernet ? 42 : 28;
    size_t at = build_block(b, 6);
    build_u32(b, interface);
    build_u64(b, 0);
    build_u32(b, caplen);
    build_u32(b, caplen);
    build_udp(b, ethernet, port);
    build_end(b, at);
}

static void test_filter(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    build_interface(&b, 1, 0, -1, 0, NULL);
    build_interface(&b, 101, 0, -1, 0, NULL);   /* raw IP: another number than libpcap's own */
    build_interface(&b, 60000, 0, -1, 0, NULL); /* libpcap knows it not: nothing matches */
    build_udp_block(&b, 0, true, 53);
    build_udp_block(&b, 0, true, 54);
    build_udp_block(&b, 1, false, 54);
    build_udp_block(&b, 1, false, 53);
    build_udp_block(&b, 2, true, 53);
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    struct source *source = source_open_memory(b.bytes, b.len, 1, &error);
    assert_non_null(source);
    assert_true(source_set_filter(source, "udp port 53", &error));
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.frame, 1);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.frame, 4);
    assert_int_equal(packet.link_type, 101);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    assert_false(source_set_filter(source, "udp porto 53", &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.text, "udp porto 53"));
    source_close(source);
}

/* ---- standard input
 * ------------------------------------------------------------------------------- */

/* Puts a pipe in the place of standard input and returns its writing end. */
static int feed_stdin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    return ends[1];
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), len);
}

static void test_stdin_as_it_comes(void **state)
{
    (void)state;
    static struct build b;
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    build_record(&b, 1, 0, 40, 40, 1);
    build_record(&b, 2, 0, 40, 40, 2);
    int fd = feed_stdin();
    struct source *source = source_open_file("-", 1, &error);
    assert_non_null(source);
    source_set_poll(source, 1);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_IDLE);
    put(fd, b.bytes, 3); /* not even the magic */
    assert_int_equal(source_next(source, &packet, &error), SOURCE_IDLE);
    put(fd, b.bytes + 3, 24 + 16 + 40 + 5 - 3);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.data[39], 1);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_IDLE);
    put(fd, b.bytes + 24 + 16 + 40 + 5, b.len - (24 + 16 + 40 + 5));
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.data[0], 2);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_IDLE);
    close(fd);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    assert_string_equal(record.path, "-");
    assert_int_equal(record.size, -1);
    assert_null(record.sha256_head);
    assert_false(record.cut);
    intern_free(strings);
    source_close(source);
}

static void test_stdin_compressed(void **state)
{
    (void)state;
    static struct build b;
    static uint8_t packed[4096];
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    build_record(&b, 1, 0, 40, 40, 1);
    build_record(&b, 2, 0, 40, 40, 2);
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = b.bytes;
    zlib.avail_in = 24 + 16 + 40;
    zlib.next_out = packed;
    zlib.avail_out = sizeof packed;
    assert_int_equal(deflate(&zlib, Z_SYNC_FLUSH), Z_OK);
    size_t first = sizeof packed - zlib.avail_out;
    zlib.avail_in = 16 + 40;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    size_t all = sizeof packed - zlib.avail_out;
    deflateEnd(&zlib);

    int fd = feed_stdin();
    struct source *source = source_open_file("-", 1, &error);
    assert_non_null(source);
    source_set_poll(source, 1);
    put(fd, packed, first);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_IDLE);
    put(fd, packed + first, all - first);
    close(fd);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.data[0], 2);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    source_close(source);
}

static void test_stdin_of_no_capture(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    int fd = feed_stdin();
    struct source *source = source_open_file("-", 1, &error);
    assert_non_null(source);
    put(fd, "tcpdump: permission denied\n", 27);
    close(fd);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_FAILED);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    source_close(source);
}

/* Standard input that is slow holds a file back: the order stays right. */
static void test_merge_waits_for_stdin(void **state)
{
    (void)state;
    static struct build b, piped;
    static const uint32_t times[] = {2, 4};
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    piped = (struct build){0};
    build_pcap(&piped, 0xa1b2c3d4, 1);
    build_record(&piped, 1, 0, 4, 4, 1);
    build_record(&piped, 3, 0, 4, 4, 1);
    int fd = feed_stdin();
    struct source *sources[2] = {open_times(&b, times, 2, 1), source_open_file("-", 2, &error)};
    struct merger *merger = merger_new(sources, 2);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_IDLE);
    put(fd, piped.bytes, 24 + 20);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_PACKET);
    assert_int_equal(packet.time_ns, 1000000000);
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_IDLE);
    put(fd, piped.bytes + 44, 20);
    close(fd);
    for (int64_t i = 2; i <= 4; i++) {
        assert_int_equal(merger_next(merger, &packet, &error), SOURCE_PACKET);
        assert_int_equal(packet.time_ns, i * 1000000000);
    }
    assert_int_equal(merger_next(merger, &packet, &error), SOURCE_END);
    merger_close(merger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_order),         cmocka_unit_test(test_merge_many),
        cmocka_unit_test(test_merge_one_and_none),  cmocka_unit_test(test_filter),
        cmocka_unit_test(test_stdin_as_it_comes),   cmocka_unit_test(test_stdin_compressed),
        cmocka_unit_test(test_stdin_of_no_capture), cmocka_unit_test(test_merge_waits_for_stdin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
