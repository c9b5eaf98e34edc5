#include "dissectors/inflate.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

enum { ALGORITHM_ZLIB = 1, ALGORITHM_BROTLI = 2, ALGORITHM_ZSTD = 3 };

const char *inflate_name(uint16_t algorithm)
{
    static const char *const names[] = {NULL, "zlib", "brotli", "zstd"};
    return algorithm < sizeof names / sizeof names[0] ? names[algorithm] : NULL;
}

static bool take_zlib(struct cursor packed, uint8_t *out, size_t out_len)
{
    uLongf got = out_len;
    uLong eaten = cur_left(&packed);
    return uncompress2(out, &got, packed.at, &eaten) == Z_OK && got == out_len &&
           eaten == cur_left(&packed);
}

/* Its window, 16 MiB at most (RFC 7932 9.1), is given back at once. */
static bool take_brotli(struct cursor packed, uint8_t *out, size_t out_len)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    size_t left = cur_left(&packed), room = out_len;
    const uint8_t *from = packed.at;
    uint8_t *to = out;
    bool ok = state != NULL &&
              BrotliDecoderDecompressStream(state, &left, &from, &room, &to, NULL) ==
                  BROTLI_DECODER_RESULT_SUCCESS &&
              left == 0 && room == 0;
    BrotliDecoderDestroyInstance(state);
    return ok;
}

static bool take_zstd(struct cursor packed, uint8_t *out, size_t out_len)
{
    size_t got = ZSTD_decompress(out, out_len, packed.at, cur_left(&packed));
    return !ZSTD_isError(got) && got == out_len;
}

bool inflate_exactly(uint16_t algorithm, struct cursor packed, uint8_t *out, size_t out_len)
{
    switch (algorithm) {
    case ALGORITHM_ZLIB:
        return take_zlib(packed, out, out_len);
    case ALGORITHM_BROTLI:
        return take_brotli(packed, out, out_len);
    case ALGORITHM_ZSTD:
        return take_zstd(packed, out, out_len);
    default:
        return false;
    }
}
