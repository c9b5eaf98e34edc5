/* Cursor: the only way to read wire and file bytes.
 *
 * A cursor borrows memory that it never writes and never outlives. A read that does not fit yields
 * zero (or NULL), empties the window and sticks as failed: read a whole header, then ask cur_ok once.
 * If the outer window runs out, more bytes may come; if a window cut by a length in the message runs
 * out, the message is malformed. */
#ifndef INVCAP_CORE_BYTES_H
#define INVCAP_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

/* A window over len bytes; bytes may be NULL when len is 0. */
static inline struct cursor cur_of(const void *bytes, size_t len)
{
    static const uint8_t nothing[1];
    if (bytes == NULL)
        return (struct cursor){nothing, nothing, false};
    const uint8_t *at = bytes;
    return (struct cursor){at, at + len, false};
}

static inline size_t cur_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool cur_ok(const struct cursor *c)
{
    return !c->failed;
}

static inline void cur_fail(struct cursor *c)
{
    c->at = c->end;
    c->failed = true;
}

/* Borrows the next len bytes and moves past them; NULL when they do not fit. */
static inline const uint8_t *cur_take(struct cursor *c, size_t len)
{
    const uint8_t *at = c->at;
    if (cur_left(c) < len) {
        cur_fail(c);
        return NULL;
    }
    c->at += len;
    return at;
}

static inline void cur_skip(struct cursor *c, size_t len)
{
    (void)cur_take(c, len);
}

/* Cuts the next len bytes off into a window of their own; failed when they do not fit. */
static inline struct cursor cur_cut(struct cursor *c, size_t len)
{
    const uint8_t *at = cur_take(c, len);
    struct cursor cut = cur_of(at, at != NULL ? len : 0);
    cut.failed = at == NULL;
    return cut;
}

static inline uint8_t cur_u8(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 1);
    return p != NULL ? p[0] : 0;
}

/* Big-endian (network order) reads. */
static inline uint16_t cur_u16(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 2);
    return p != NULL ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

static inline uint32_t cur_u24(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 3);
    return p != NULL ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2] : 0;
}

static inline uint32_t cur_u32(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 4);
    return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t cur_u64(struct cursor *c)
{
    uint64_t high = cur_u32(c);
    return high << 32 | cur_u32(c);
}

/* Little-endian reads, for file formats. */
static inline uint16_t cur_u16le(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 2);
    return p != NULL ? (uint16_t)((unsigned)p[1] << 8 | p[0]) : 0;
}

static inline uint32_t cur_u32le(struct cursor *c)
{
    const uint8_t *p = cur_take(c, 4);
    return p != NULL ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}

static inline uint64_t cur_u64le(struct cursor *c)
{
    uint64_t low = cur_u32le(c);
    return (uint64_t)cur_u32le(c) << 32 | low;
}

#endif
