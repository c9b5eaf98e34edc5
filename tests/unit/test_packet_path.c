/* The packet path neither allocates nor calls the system per packet: the linker sends our calls of
 * malloc and read through the counters below (tests/CMakeLists.txt wraps them). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "capture/source.h"
#include "tests/unit/tcp_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long allocations, reads;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
ssize_t __real_read(int fd, void *bytes, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    reads++;
    return __real_read(fd, bytes, size);
}

#define PACKETS 20000

static void ignore(void *self, enum record_kind kind, const void *record)
{
    (void)self;
    (void)kind;
    (void)record;
}

static void test_engine_does_not_allocate_per_packet(void **state)
{
    (void)state;
    static const char record[1400] = {0x17, 3, 3, 0x05, 0x73};
    struct error error;
    struct intern *strings = intern_new();
    struct engine_options options = {.profile = profile_builtin(),
                                     .sink = {NULL, ignore},
                                     .strings = strings,
                                     .capture_id = 1,
                                     .first_flow_id = 1,
                                     .memory_bytes = 64u << 20,
                                     .ndpi = ENGINE_NDPI_OFF};
    struct conversation c = {.engine = engine_new(&options, &error),
                             .now_ns = 1700000000LL * 1000000000LL,
                             .isn = {1, 2},
                             .ports = {50000, 443},
                             .ttl = {64, 60},
                             .window = {64240, 64240}};
    handshake(&c, 10, 1);
    int64_t sent = 1;
    for (int i = 0; i < PACKETS / 2; i++) {
        if (i == 200)
            allocations = 0; /* chunks of events and the stream have grown by now */
        send_at(&c, 1, (struct segment){1, TCP_ACK, sent, 1, record, sizeof record, 0, 0});
        sent += (int64_t)sizeof record;
        send_at(&c, 1, (struct segment){0, TCP_ACK, 1, sent, NULL, 0, 0, 0});
    }
    long counted = allocations;
    engine_finish(c.engine);
    engine_free(c.engine);
    intern_free(strings);
    assert_int_equal(counted, 0);
}

static void write_capture(const char *path)
{
    FILE *file = fopen(path, "wb");
    static const uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
                                     0,    0,    0,    0,    0, 0, 4, 0, 101};
    uint8_t packet[16 + 100] = {[8] = 100, [12] = 100};
    assert_non_null(file);
    (void)fwrite(head, 1, sizeof head, file);
    for (int i = 0; i < PACKETS; i++)
        (void)fwrite(packet, 1, sizeof packet, file);
    (void)fclose(file);
}

static void test_reading_calls_the_system_per_buffer(void **state)
{
    (void)state;
    char path[] = "/tmp/invcap-packet-path-XXXXXX";
    int fd = mkstemp(path);
    struct error error;
    struct packet packet;
    assert_true(fd >= 0);
    (void)close(fd);
    write_capture(path);
    struct source *source = source_open_file(path, 1, &error);
    assert_non_null(source);
    allocations = reads = 0;
    long packets = 0;
    while (source_next(source, &packet, &error) == SOURCE_PACKET)
        packets++;
    long counted_reads = reads, counted_allocations = allocations;
    source_close(source);
    (void)unlink(path);
    assert_int_equal(packets, PACKETS);
    assert_true(counted_reads <= PACKETS / 1000); /* 2.3 MB in large reads */
    assert_true(counted_allocations <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_does_not_allocate_per_packet),
        cmocka_unit_test(test_reading_calls_the_system_per_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
