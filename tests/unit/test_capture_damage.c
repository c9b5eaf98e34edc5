/* Cut and damaged files: everything before the place comes, the place is told. Files that are no
 * captures: an error with name, position and remedy. */
#include "capture/source.h"
#include "core/limits.h"
#include "tests/unit/test_capture_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_RECORDS 16
#define RUN 4 /* packets at a time */

/* What a reading gave. */
struct reading {
    bool opened;
    int64_t packets;
    bool cut;
    const char *reason; /* static text of the reader */
    int64_t offset;
    struct error error;
};

/* Sums up packets by their places, so many at a time as stand in memory together, up to room. */
static uint64_t sum_of(struct source *source, size_t room, struct error *error)
{
    struct packet packets[RUN];
    uint64_t sum = 0;
    while (source_next(source, packets, error) == SOURCE_PACKET) {
        size_t count = 1 + source_more(source, packets + 1, room - 1);
        assert_true(count <= room);
        for (size_t i = 0; i < count; i++) {
            sum += (uint64_t)packets[i].time_ns ^ packets[i].offset;
            for (uint32_t at = 0; at < packets[i].caplen; at++)
                sum += packets[i].data[at] * packets[i].frame;
        }
    }
    return sum;
}

static uint64_t sum_one_by_one(const void *bytes, size_t len)
{
    struct error error;
    struct source *source = source_open_memory(bytes, len, 1, &error);
    assert_non_null(source);
    uint64_t sum = sum_of(source, 1, &error);
    source_close(source);
    return sum;
}

/* Reads all of exactly len bytes; a copy of its own, so that the sanitizer sees every step too far.
 */
static struct reading read_all(const uint8_t *bytes, size_t len)
{
    struct reading reading = {0};
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    struct source *source = source_open_memory(copy, len, 1, &reading.error);
    reading.opened = source != NULL;
    if (source != NULL) {
        struct source_record record;
        uint64_t sum = sum_of(source, RUN, &reading.error);
        assert_int_equal(sum, sum_one_by_one(copy, len));
        struct intern *strings = intern_new();
        source_describe(source, strings, &record);
        reading.packets = record.packets;
        reading.cut = record.cut;
        reading.reason = record.cut_reason;
        reading.offset = record.cut_offset;
        intern_free(strings);
        source_close(source);
    }
    free(copy);
    return reading;
}

/* Where each record begins; ends[i] tells where packet i is whole. */
struct layout {
    struct build b;
    size_t starts[LIMIT_RECORDS]; /* of records or blocks, and the end of the file */
    size_t count;
    size_t ends[LIMIT_RECORDS];
    int64_t packets;
};

static void mark(struct layout *layout)
{
    layout->starts[layout->count++] = layout->b.len;
}

static void mark_packet(struct layout *layout)
{
    layout->ends[layout->packets++] = layout->b.len;
    mark(layout);
}

static void assert_cut_at(const struct layout *layout, size_t len, const struct reading *reading,
                          size_t header, const char *header_word, const char *data_word)
{
    int64_t whole = 0;
    while (whole < layout->packets && layout->ends[whole] <= len)
        whole++;
    assert_int_equal(reading->packets, whole);
    size_t start = 0;
    bool clean = false;
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->starts[i] <= len)
            start = layout->starts[i];
        clean = clean || layout->starts[i] == len;
    }
    assert_int_equal(reading->cut, !clean);
    if (clean)
        return;
    assert_int_equal(reading->offset, start);
    assert_string_equal(reading->reason, len - start < header ? header_word : data_word);
}

static void test_pcap_cut_everywhere(void **state)
{
    (void)state;
    static struct layout layout;
    layout = (struct layout){0};
    build_pcap(&layout.b, 0xa1b2c3d4, 1);
    mark(&layout);
    for (unsigned i = 1; i <= 5; i++) {
        build_record(&layout.b, i, i, 20 * i, 100, i);
        mark_packet(&layout);
    }
    for (size_t len = 0; len <= layout.b.len; len++) {
        struct reading reading = read_all(layout.b.bytes, len);
        assert_int_equal(reading.opened, len >= 4);
        if (len < 4) {
            assert_int_equal(reading.error.code, ERROR_INPUT);
        } else if (len < 24) {
            assert_true(reading.cut);
            assert_string_equal(reading.reason, "file-header");
        } else {
            assert_cut_at(&layout, len, &reading, 16, "packet-header", "packet-data");
        }
    }
}

static void test_pcapng_cut_everywhere(void **state)
{
    (void)state;
    static struct layout layout;
    layout = (struct layout){.b.big = true};
    mark(&layout);
    build_section(&layout.b, "a comment");
    mark(&layout);
    build_interface(&layout.b, 1, 0, 9, 0, "eth0");
    mark(&layout);
    for (unsigned i = 1; i <= 3; i++) {
        build_enhanced(&layout.b, 0, i, 13 * i, 100, i);
        mark_packet(&layout);
    }
    build_simple(&layout.b, 11, 11, 4);
    mark_packet(&layout);
    for (size_t len = 4; len <= layout.b.len; len++) {
        struct reading reading = read_all(layout.b.bytes, len);
        assert_true(reading.opened);
        assert_cut_at(&layout, len, &reading, 12, "block-header", "block-data");
    }
}

static void test_packet_too_long(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    build_record(&b, 1, 1, 10, 10, 1);
    size_t at = b.len;
    build_u64(&b, 1);
    build_u32(&b, LIMIT_PACKET_BYTES + 1);
    build_u32(&b, LIMIT_PACKET_BYTES + 1);
    struct reading reading = read_all(b.bytes, b.len);
    assert_int_equal(reading.packets, 1);
    assert_string_equal(reading.reason, "packet-length");
    assert_int_equal(reading.offset, at);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* One packet, then a packet block whose field at `where` holds `value`. */
static struct reading read_with_field(size_t where, uint32_t value)
{
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    build_interface(&b, 1, 0, -1, 0, NULL);
    build_enhanced(&b, 0, 1, 4, 4, 1);
    size_t at = b.len;
    build_enhanced(&b, 0, 1, 40, 40, 1);
    build_enhanced(&b, 0, 1, 4, 4, 1);
    put_u32(b.bytes + at + where, value);
    struct reading reading = read_all(b.bytes, b.len);
    if (reading.cut)
        assert_int_equal(reading.offset, at);
    return reading;
}

static void test_damaged_blocks(void **state)
{
    (void)state;
    static const struct {
        size_t where;
        uint32_t value;
        const char *reason;
    } cases[] = {
        {4, 0, "block-length"},
        {4, 11, "block-length"},
        {4, LIMIT_BLOCK_BYTES + 1, "block-length"},
        {4, 0xffffffff, "block-length"},
        {4, 12, "block-trailer"},
        {4, LIMIT_BLOCK_BYTES, "block-data"},
        {68, 71, "block-trailer"}, /* the length behind */
        {8, 1, "interface"},
        {8, 0xffffffff, "interface"},
        {20, 41, "block-content"},
        {20, LIMIT_PACKET_BYTES + 1, "packet-length"},
        {20, 0xffffffff, "packet-length"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading = read_with_field(cases[i].where, cases[i].value);
        assert_int_equal(reading.packets, 1);
        assert_true(reading.cut);
        assert_string_equal(reading.reason, cases[i].reason);
    }
    struct reading unknown = read_with_field(0, 0x777); /* a type of block that nobody knows */
    assert_int_equal(unknown.packets, 2);
    assert_false(unknown.cut);
}

static void test_damaged_sections(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, NULL);
    put_u32(b.bytes + 8, 0x1a2b3c4e);
    assert_string_equal(read_all(b.bytes, b.len).reason, "section-header");
    b = (struct build){0};
    build_section(&b, NULL);
    b.bytes[12] = 2;
    assert_string_equal(read_all(b.bytes, b.len).reason, "section-version");
    b = (struct build){0};
    build_section(&b, NULL);
    build_enhanced(&b, 0, 1, 4, 4, 1); /* no interface yet */
    assert_string_equal(read_all(b.bytes, b.len).reason, "interface");
    b = (struct build){0};
    build_section(&b, NULL);
    size_t at = build_block(&b, 6); /* too small for its fields */
    build_u32(&b, 0);
    build_end(&b, at);
    assert_string_equal(read_all(b.bytes, b.len).reason, "block-content");
}

/* Every value of every byte: no report of the sanitizers, no hang. */
static void test_every_byte_changed(void **state)
{
    (void)state;
    static struct build b;
    b = (struct build){0};
    build_section(&b, "c");
    build_interface(&b, 1, 0, 9, 1, "e");
    build_enhanced(&b, 0, 1, 6, 6, 1);
    build_simple(&b, 4, 4, 1);
    static const uint8_t values[] = {0, 1, 2, 3, 5, 10, 0x7f, 0x80, 0xfe, 0xff};
    for (size_t at = 0; at < b.len; at++) {
        uint8_t was = b.bytes[at];
        for (size_t i = 0; i < sizeof values; i++) {
            b.bytes[at] = values[i];
            struct reading reading = read_all(b.bytes, b.len);
            assert_true(reading.packets <= 2);
        }
        b.bytes[at] = was;
    }
}

/* ---- no captures -------------------------------------------------------------------------------
 */

static void assert_refused(const void *bytes, size_t len, const char *word)
{
    struct reading reading = read_all(bytes, len);
    assert_false(reading.opened);
    assert_int_equal(reading.error.code, ERROR_INPUT);
    if (strstr(reading.error.text, word) == NULL)
        fail_msg("'%s' is not in: %s", word, reading.error.text);
}

static void test_no_captures(void **state)
{
    (void)state;
    static const uint8_t etl[16] = {0x00, 0x00, 0x01, 0x00, 0x68, 0x0d};
    static const uint8_t zeros[100];
    static const char text[] = "12:00:00.1 IP 10.0.0.1.443 > 10.0.0.2.5: Flags [S]\n";
    assert_refused("", 0, "empty");
    assert_refused("\xd4\xc3", 2, "byte 2");
    assert_refused(text, sizeof text - 1, "text");
    assert_refused(text, sizeof text - 1, "31323a30303a3030"); /* what stands there */
    assert_refused(text, sizeof text - 1, "text2pcap");
    assert_refused(etl, sizeof etl, "ETL");
    assert_refused(etl, sizeof etl, "etl2pcap");
    assert_refused(zeros, sizeof zeros, "zeros");
    assert_refused("snoop\0\0\0....", 12, "editcap");
    assert_refused("PK\3\4.......", 11, "unzip");
    assert_refused("SQLite format 3\0", 16, "invcap report");
    assert_refused("\x99\x98\x97\x96\x95\x94", 6, "editcap");
}

static void test_no_files(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_NONE};
    assert_null(source_open_file("/nowhere/x.pcap", 1, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.text, "/nowhere/x.pcap"));
    assert_non_null(strstr(error.text, "check the name"));
    assert_null(source_open_file("/tmp", 1, &error));
    assert_non_null(strstr(error.text, "is a folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap_cut_everywhere), cmocka_unit_test(test_pcapng_cut_everywhere),
        cmocka_unit_test(test_packet_too_long),     cmocka_unit_test(test_damaged_blocks),
        cmocka_unit_test(test_damaged_sections),    cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_no_captures),         cmocka_unit_test(test_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
