/* Packed certificate messages: what unpacks to the announced length exactly, and nothing else. */
#include "dissectors/inflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_LEN = 120, ZLIB = 1, BROTLI, ZSTD, BEYOND };

/* By Python's zlib, brotli and zstandard, of the text that expected() makes. */
static const uint8_t by_zlib[] = {
    0x78, 0xda, 0xb5, 0xc9, 0xc1, 0x11, 0x00, 0x20, 0x0c, 0xc3, 0xb0, 0x59, 0x6d, 0x92, 0x76, 0xff,
    0x0d, 0x38, 0x86, 0x40, 0x5f, 0x01, 0x9e, 0x74, 0xcd, 0x58, 0x42, 0x9d, 0xb8, 0xcd, 0x91, 0xe7,
    0xdb, 0x5d, 0xff, 0x0e, 0x2e, 0x85};

static const uint8_t by_brotli[] = {
    0x1b, 0x77, 0x00, 0xf8, 0x05, 0xb6, 0xc1, 0xc6, 0xda, 0xa0, 0x56, 0x60, 0x18, 0x2b, 0xac, 0x02,
    0xa6, 0x7b, 0x7b, 0x8e, 0x32, 0xaf, 0xfe, 0x1a, 0x01};

static const uint8_t by_zstd[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x78, 0x25, 0x01, 0x00, 0xd8, 0x61, 0x61, 0x61, 0x62, 0x63, 0x64,
    0x65, 0x67, 0x62, 0x64, 0x66, 0x62, 0x65, 0x61, 0x64, 0x61, 0x65, 0x62, 0x66, 0x64, 0x62, 0x67,
    0x65, 0x64, 0x63, 0x62, 0x61, 0x02, 0x00, 0xf6, 0x73, 0xc0, 0x16, 0x18, 0x03};

/* A thousand times its own size. */
static const uint8_t bomb_zlib[] = {
    0x78, 0xda, 0xed, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f,
    0xa0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x80, 0x57, 0x03, 0x86, 0xaf, 0x00, 0x01};

static const uint8_t bomb_brotli[] = {
    0x5b, 0x9f, 0x86, 0x81, 0x7f, 0x02, 0x20, 0x1e, 0x0b, 0x04, 0xb2, 0xfc, 0x02, 0x00};

static const uint8_t bomb_zstd[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xa0, 0x86, 0x01, 0x00, 0x55, 0x00, 0x00, 0x10, 0x00, 0x00, 0x01,
    0x00, 0x9b, 0x86, 0x39, 0xc0, 0x02};

static const struct {
    const uint8_t *bytes;
    size_t len;
} packed[] = {[ZLIB] = {by_zlib, sizeof by_zlib},
              [BROTLI] = {by_brotli, sizeof by_brotli},
              [ZSTD] = {by_zstd, sizeof by_zstd}},
  bombs[] = {[ZLIB] = {bomb_zlib, sizeof bomb_zlib},
             [BROTLI] = {bomb_brotli, sizeof bomb_brotli},
             [ZSTD] = {bomb_zstd, sizeof bomb_zstd}};

static void expected(uint8_t out[TEXT_LEN])
{
    for (unsigned i = 0; i < TEXT_LEN; i++)
        out[i] = (uint8_t)((i * i >> 3) % 7 + 97);
}

/* From a copy that ends where its memory does, into one that does, too. */
static bool unpack(uint16_t algorithm, const uint8_t *bytes, size_t len, size_t out_len, uint8_t *text)
{
    uint8_t *from = malloc(len > 0 ? len : 1), *to = malloc(out_len > 0 ? out_len : 1);
    if (len > 0)
        memcpy(from, bytes, len);
    bool ok = inflate_exactly(algorithm, cur_of(from, len), to, out_len);
    if (ok && text != NULL)
        memcpy(text, to, out_len);
    free(from);
    free(to);
    return ok;
}

static void right_ones(void **state)
{
    uint8_t wanted[TEXT_LEN], text[TEXT_LEN];
    (void)state;
    expected(wanted);
    for (uint16_t a = ZLIB; a < BEYOND; a++) {
        memset(text, 0, sizeof text);
        assert_true(unpack(a, packed[a].bytes, packed[a].len, TEXT_LEN, text));
        assert_memory_equal(text, wanted, TEXT_LEN);
    }
    assert_string_equal(inflate_name(ZLIB), "zlib");
    assert_string_equal(inflate_name(BROTLI), "brotli");
    assert_string_equal(inflate_name(ZSTD), "zstd");
}

static void wrong_lengths(void **state)
{
    uint8_t longer[256];
    (void)state;
    for (uint16_t a = ZLIB; a < BEYOND; a++) {
        assert_false(unpack(a, packed[a].bytes, packed[a].len, TEXT_LEN - 1, NULL));
        assert_false(unpack(a, packed[a].bytes, packed[a].len, TEXT_LEN + 1, NULL));
        for (size_t len = 0; len < packed[a].len; len++)
            assert_false(unpack(a, packed[a].bytes, len, TEXT_LEN, NULL));
        memcpy(longer, packed[a].bytes, packed[a].len);
        longer[packed[a].len] = 0; /* something behind the end */
        assert_false(unpack(a, longer, packed[a].len + 1, TEXT_LEN, NULL));
        assert_false(unpack(a, bombs[a].bytes, bombs[a].len, 1000, NULL));
        assert_true(unpack(a, bombs[a].bytes, bombs[a].len, 100000, NULL));
    }
}

static void other_algorithms(void **state)
{
    (void)state;
    for (uint16_t a = ZLIB; a < BEYOND; a++) {
        for (uint16_t other = 0; other < 8; other++) {
            if (other != a)
                assert_false(unpack(other, packed[a].bytes, packed[a].len, TEXT_LEN, NULL));
        }
    }
    assert_null(inflate_name(0));
    assert_null(inflate_name(BEYOND));
    assert_null(inflate_name(0xffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones),
        cmocka_unit_test(wrong_lengths),
        cmocka_unit_test(other_algorithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
