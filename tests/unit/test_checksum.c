/* The Internet checksum (RFC 1071) against its definition: the sum of 16-bit words, one at a time. */
#include "dissectors/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGEST (3u * 1024 * 1024)

static uint16_t by_words(const uint8_t *bytes, size_t len)
{
    uint64_t total = 0;
    for (size_t i = 0; i < len; i++)
        total += (uint64_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

static void equals_the_definition(void **state)
{
    uint8_t bytes[512 + 32];
    uint32_t next = 1;
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        next = next * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(next >> 24);
    }
    for (size_t at = 0; at < 32; at++) {
        for (size_t len = 0; len <= 512; len++)
            assert_int_equal(checksum_sum(bytes + at, len), by_words(bytes + at, len));
    }
}

/* No lane may run over. */
static void takes_the_largest_words(void **state)
{
    uint8_t *bytes = malloc(LARGEST);
    (void)state;
    assert_non_null(bytes);
    memset(bytes, 0xff, LARGEST);
    assert_int_equal(checksum_sum(bytes, LARGEST), 0xffff);
    bytes[LARGEST - 1] = 0xfe;
    assert_int_equal(checksum_sum(bytes, LARGEST), by_words(bytes, LARGEST));
    free(bytes);
}

/* RFC 1071 3 sums 00 01 f2 03 f4 f5 f6 f7 to ddf2. */
static void equals_the_example(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    (void)state;
    assert_int_equal(checksum_sum(bytes, sizeof(bytes)), 0xddf2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
        cmocka_unit_test(takes_the_largest_words),
        cmocka_unit_test(equals_the_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
