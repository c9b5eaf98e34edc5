/* gzip, zstd, xz, bzip2 and lz4: the same packets, also from a cut file and from several members in
 * a row. */
#include "capture/source.h"
#include "tests/unit/test_capture_build.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define PACKETS 40

struct packed {
    uint8_t bytes[65536];
    size_t len;
};

static void build_capture(struct build *b)
{
    *b = (struct build){0};
    build_pcap(b, 0xa1b2c3d4, 1);
    uint32_t noise = 1;
    for (uint32_t i = 1; i <= PACKETS; i++) {
        build_record(b, i, i, 60, 60, 0);
        for (size_t k = 0; k < 60; k++) { /* so that it does not shrink to nothing */
            noise = noise * 1103515245u + 12345u;
            b->bytes[b->len - 60 + k] = (uint8_t)(noise >> 16);
        }
    }
}

static void pack_gzip(const uint8_t *bytes, size_t len, struct packed *out)
{
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (Bytef *)(uintptr_t)bytes;
    zlib.avail_in = (uInt)len;
    zlib.next_out = out->bytes + out->len;
    zlib.avail_out = (uInt)(sizeof out->bytes - out->len);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out->len = sizeof out->bytes - zlib.avail_out;
    deflateEnd(&zlib);
}

static void pack_zstd(const uint8_t *bytes, size_t len, struct packed *out)
{
    size_t got = ZSTD_compress(out->bytes + out->len, sizeof out->bytes - out->len, bytes, len, 3);
    assert_false(ZSTD_isError(got));
    out->len += got;
}

/* Appends what libarchive's filter makes of the bytes. */
static void pack_archive(int (*filter)(struct archive *), const uint8_t *bytes, size_t len,
                         struct packed *out)
{
    size_t used = 0;
    struct archive *archive = archive_write_new();
    assert_int_equal(filter(archive), ARCHIVE_OK);
    archive_write_set_format_raw(archive);
    archive_write_set_bytes_in_last_block(archive, 1);
    assert_int_equal(archive_write_open_memory(archive, out->bytes + out->len,
                                               sizeof out->bytes - out->len, &used),
                     ARCHIVE_OK);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(archive, entry);
    assert_int_equal(archive_write_data(archive, bytes, len), len);
    archive_entry_free(entry);
    archive_write_close(archive);
    archive_write_free(archive);
    out->len += used;
}

static void pack_xz(const uint8_t *bytes, size_t len, struct packed *out)
{
    pack_archive(archive_write_add_filter_xz, bytes, len, out);
}

static void pack_bzip2(const uint8_t *bytes, size_t len, struct packed *out)
{
    pack_archive(archive_write_add_filter_bzip2, bytes, len, out);
}

static void pack_lz4(const uint8_t *bytes, size_t len, struct packed *out)
{
    pack_archive(archive_write_add_filter_lz4, bytes, len, out);
}

/* Reads and compares with the plain capture; returns the packets. */
static int64_t read_packed(const struct packed *packed, size_t len, const struct build *plain,
                           const char *format, bool *cut)
{
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    struct source_record record;
    struct source *source = source_open_memory(packed->bytes, len, 1, &error);
    if (source == NULL)
        fail_msg("%s", error.text);
    while (source_next(source, &packet, &error) == SOURCE_PACKET) {
        assert_int_equal(packet.offset, 24 + (packet.frame - 1) * 76);
        assert_memory_equal(packet.data, plain->bytes + packet.offset + 16, 60);
    }
    struct intern *strings = intern_new();
    source_describe(source, strings, &record);
    if (format != NULL)
        assert_string_equal(record.format, format);
    *cut = record.cut;
    if (record.cut) {
        assert_string_equal(record.cut_reason, "compressed-stream");
        int64_t whole = record.packets > 0 ? 24 + record.packets * 76 : 0;
        assert_true(record.cut_offset == whole || (whole == 0 && record.cut_offset == 24));
    }
    int64_t packets = record.packets;
    intern_free(strings);
    source_close(source);
    return packets;
}

static void check_whole(void (*pack)(const uint8_t *, size_t, struct packed *), const char *format)
{
    static struct build plain;
    static struct packed packed;
    bool cut;
    build_capture(&plain);
    packed.len = 0;
    pack(plain.bytes, plain.len, &packed);
    assert_int_equal(read_packed(&packed, packed.len, &plain, format, &cut), PACKETS);
    assert_false(cut);
}

static void test_whole(void **state)
{
    (void)state;
    check_whole(pack_gzip, "pcap+gzip");
    check_whole(pack_zstd, "pcap+zstd");
    check_whole(pack_xz, "pcap+xz");
    check_whole(pack_bzip2, "pcap+bzip2");
    check_whole(pack_lz4, "pcap+lz4");
}

/* Written in parallel (pbzip2, xz -T) or joined with cat: all members are read; a file cut inside
 * of the second keeps the first and says so. */
static void check_members(void (*pack)(const uint8_t *, size_t, struct packed *),
                          const char *format)
{
    static struct build plain;
    static struct packed packed;
    bool cut;
    build_capture(&plain);
    packed.len = 0;
    size_t half = 24 + PACKETS / 2 * 76;
    pack(plain.bytes, half, &packed);
    size_t first = packed.len;
    pack(plain.bytes + half, plain.len - half, &packed);
    assert_int_equal(read_packed(&packed, packed.len, &plain, format, &cut), PACKETS);
    assert_false(cut);
    int64_t packets = read_packed(&packed, first + (packed.len - first) / 2, &plain, NULL, &cut);
    assert_true(cut);
    assert_in_range(packets, 0, PACKETS - 1);
}

static void test_members(void **state)
{
    (void)state;
    check_members(pack_xz, "pcap+xz");
    check_members(pack_bzip2, "pcap+bzip2");
    check_members(pack_lz4, "pcap+lz4");
}

/* At every byte: never fewer packets than with a byte less, always said to be cut. */
static void test_gzip_cut_everywhere(void **state)
{
    (void)state;
    static struct build plain;
    static struct packed packed;
    bool cut;
    int64_t before = 0;
    build_capture(&plain);
    packed.len = 0;
    pack_gzip(plain.bytes, plain.len, &packed);
    for (size_t len = 4; len < packed.len; len++) {
        int64_t packets = read_packed(&packed, len, &plain, NULL, &cut);
        assert_true(cut);
        assert_true(packets >= before);
        before = packets;
    }
    assert_int_equal(before, PACKETS); /* only the check sum is missing */
    /* Noise does not compress: half of the bytes are about half of the packets. */
    int64_t half = read_packed(&packed, packed.len / 2, &plain, NULL, &cut);
    assert_in_range(half, PACKETS / 2 - 4, PACKETS / 2 + 2);
}

static void test_zstd_cut_everywhere(void **state)
{
    (void)state;
    static struct build plain;
    static struct packed packed;
    bool cut;
    build_capture(&plain);
    packed.len = 0;
    /* Two frames: a frame is given when it is whole. */
    size_t half = 24 + PACKETS / 2 * 76;
    pack_zstd(plain.bytes, half, &packed);
    size_t first = packed.len;
    pack_zstd(plain.bytes + half, plain.len - half, &packed);
    for (size_t len = 4; len < packed.len; len++) {
        int64_t packets = read_packed(&packed, len, &plain, NULL, &cut);
        assert_int_equal(cut, len != first);
        assert_int_equal(packets, len < first ? 0 : PACKETS / 2);
    }
    assert_int_equal(read_packed(&packed, packed.len, &plain, "pcap+zstd", &cut), PACKETS);
    assert_false(cut);
}

/* As pigz and bgzip write it, and with the zeros that tapes leave. */
static void test_gzip_members(void **state)
{
    (void)state;
    static struct build plain;
    static struct packed packed;
    bool cut;
    build_capture(&plain);
    packed.len = 0;
    pack_gzip(plain.bytes, 1000, &packed);
    pack_gzip(plain.bytes + 1000, plain.len - 1000, &packed);
    memset(packed.bytes + packed.len, 0, 100);
    packed.len += 100;
    assert_int_equal(read_packed(&packed, packed.len, &plain, "pcap+gzip", &cut), PACKETS);
    assert_false(cut);
}

static void test_damaged_inside(void **state)
{
    (void)state;
    static struct build plain;
    static struct packed packed;
    struct error error;
    build_capture(&plain);
    packed.len = 0;
    pack_gzip(plain.bytes, plain.len, &packed);
    packed.bytes[packed.len - 6] ^= 0xff; /* the check sum: found at the end */
    bool cut;
    assert_int_equal(read_packed(&packed, packed.len, &plain, NULL, &cut), PACKETS);
    assert_true(cut);
    /* A compressed file of something else. */
    packed.len = 0;
    pack_gzip((const uint8_t *)"just a log file\n", 16, &packed);
    assert_null(source_open_memory(packed.bytes, packed.len, 1, &error));
    assert_non_null(strstr(error.text, "text"));
    /* Compressed twice is not unpacked twice. */
    static struct packed twice;
    packed.len = twice.len = 0;
    pack_gzip(plain.bytes, plain.len, &packed);
    pack_gzip(packed.bytes, packed.len, &twice);
    assert_null(source_open_memory(twice.bytes, twice.len, 1, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_gzip_cut_everywhere),
        cmocka_unit_test(test_zstd_cut_everywhere),
        cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_damaged_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
