#include "dissectors/hpack.h"

#include "core/bytes.h"
#include "core/limits.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <sys/types.h>

/* Stands for a name that is not known, in an entry that has to take its place in the table. */
#define UNKNOWN_NAME '?'

struct hpack {
    nghttp2_hd_inflater *inflater;
};

struct hpack *hpack_new(void)
{
    struct hpack *hpack = calloc(1, sizeof *hpack);
    if (hpack == NULL)
        return NULL;
    if (nghttp2_hd_inflate_new(&hpack->inflater) != 0) {
        free(hpack);
        return NULL;
    }
    /* What the peer announced as its table's size is not always seen: the ceiling is our own. */
    (void)nghttp2_hd_inflate_change_table_size(hpack->inflater, LIMIT_H2_TABLE);
    return hpack;
}

void hpack_free(struct hpack *hpack)
{
    if (hpack == NULL)
        return;
    nghttp2_hd_inflate_del(hpack->inflater);
    free(hpack);
}

/* An integer with a prefix of `bits` in its first byte (RFC 7541 5.1); fails above 2^28. */
static uint32_t read_integer(struct cursor *c, unsigned bits)
{
    uint32_t max = (1u << bits) - 1;
    uint32_t value = cur_u8(c) & max;
    if (value < max)
        return value;
    for (unsigned shift = 0; shift <= 21; shift += 7) {
        uint8_t byte = cur_u8(c);
        value += (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    cur_fail(c);
    return 0;
}

static void pass_string(struct cursor *c)
{
    uint32_t len = read_integer(c, 7);
    cur_skip(c, len);
}

/* Shows the inflater a part of one representation; the last part ends it. */
static bool inflate(struct hpack *hpack, const uint8_t *bytes, size_t len, bool last,
                    const struct hpack_reader *reader)
{
    for (size_t rounds = 0; rounds <= len + 1; rounds++) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(hpack->inflater, &nv, &flags, bytes, len, last);
        if (used < 0)
            return false;
        bytes += used;
        len -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            bool known = nv.namelen != 1 || *nv.name != UNKNOWN_NAME;
            reader->field(reader->self, known ? (const char *)nv.name : NULL, nv.namelen,
                     (const char *)nv.value, nv.valuelen);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            (void)nghttp2_hd_inflate_end_headers(hpack->inflater);
        if (len == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            return true;
    }
    return true;
}

static bool resize(struct hpack *hpack, uint32_t size, const struct hpack_reader *reader)
{
    uint8_t bytes[6];
    size_t len = 0;
    if (size > LIMIT_H2_TABLE)
        size = LIMIT_H2_TABLE;
    if (size < 31) {
        bytes[len++] = (uint8_t)(0x20 | size);
    } else {
        bytes[len++] = 0x3f;
        for (size -= 31; size >= 0x80; size >>= 7)
            bytes[len++] = (uint8_t)(0x80 | (size & 0x7f));
        bytes[len++] = (uint8_t)size;
    }
    return inflate(hpack, bytes, len, true, reader);
}

/* One representation (RFC 7541 6). Each is shown to the inflater as a block of its own, so that one
 * which refers to an unseen entry costs nothing but itself. */
static bool read_one(struct hpack *hpack, struct cursor *c, const struct hpack_reader *reader)
{
    static const uint8_t unknown[] = {0x40, 1, UNKNOWN_NAME};
    const uint8_t *from = c->at;
    uint8_t first = *from;
    if ((first & 0xe0) == 0x20) {
        uint32_t size = read_integer(c, 5);
        return cur_ok(c) && resize(hpack, size, reader);
    }
    bool indexed = (first & 0x80) != 0, kept = (first & 0xc0) == 0x40;
    uint32_t index = read_integer(c, indexed ? 7 : kept ? 6 : 4);
    const uint8_t *value = c->at;
    if (!indexed && index == 0)
        pass_string(c);
    if (!indexed)
        pass_string(c);
    if (!cur_ok(c) || (indexed && index == 0))
        return false;
    if (index <= nghttp2_hd_inflate_get_num_table_entries(hpack->inflater))
        return inflate(hpack, from, (size_t)(c->at - from), true, reader);
    if (kept)
        return inflate(hpack, unknown, sizeof unknown, false, reader) &&
               inflate(hpack, value, (size_t)(c->at - value), true, reader);
    reader->field(reader->self, NULL, 0, "", 0);
    return true;
}

bool hpack_read(struct hpack *hpack, const uint8_t *block, size_t len,
                const struct hpack_reader *reader)
{
    struct cursor c = cur_of(block, len);
    while (cur_left(&c) > 0) {
        if (!read_one(hpack, &c, reader))
            return false;
    }
    return cur_ok(&c);
}
