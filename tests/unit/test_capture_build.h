/* Capture files built in memory, in either byte order, for the tests of capture/. */
#ifndef INVCAP_TESTS_CAPTURE_BUILD_H
#define INVCAP_TESTS_CAPTURE_BUILD_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct build {
    uint8_t bytes[65536];
    size_t len;
    bool big;
};

static inline void build_bytes(struct build *b, const void *bytes, size_t len)
{
    assert(b->len + len <= sizeof b->bytes);
    if (len > 0)
        memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static inline void build_u8(struct build *b, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    build_bytes(b, &byte, 1);
}

static inline void build_u16(struct build *b, unsigned value)
{
    build_u8(b, b->big ? value >> 8 : value & 255);
    build_u8(b, b->big ? value & 255 : value >> 8);
}

static inline void build_u32(struct build *b, uint32_t value)
{
    build_u16(b, b->big ? value >> 16 : value & 0xffff);
    build_u16(b, b->big ? value & 0xffff : value >> 16);
}

static inline void build_u64(struct build *b, uint64_t value)
{
    build_u32(b, (uint32_t)(b->big ? value >> 32 : value));
    build_u32(b, (uint32_t)(b->big ? value : value >> 32));
}

/* `len` bytes that all are `fill`, so that every packet tells which one it is. */
static inline void build_fill(struct build *b, unsigned fill, size_t len)
{
    for (size_t i = 0; i < len; i++)
        build_u8(b, fill);
}

/* ---- pcap ---- */

static inline void build_pcap(struct build *b, uint32_t magic, uint32_t network)
{
    build_u32(b, magic);
    build_u16(b, 2);
    build_u16(b, 4);
    build_u64(b, 0);
    build_u32(b, 65535);
    build_u32(b, network);
}

static inline void build_record(struct build *b, uint32_t seconds, uint32_t ticks, uint32_t caplen,
                                uint32_t len, unsigned fill)
{
    build_u32(b, seconds);
    build_u32(b, ticks);
    build_u32(b, caplen);
    build_u32(b, len);
    build_fill(b, fill, caplen);
}

/* ---- pcapng ---- */

/* Begins a block; returns where, for build_end. */
static inline size_t build_block(struct build *b, uint32_t type)
{
    size_t at = b->len;
    build_u32(b, type);
    build_u32(b, 0);
    return at;
}

static inline void build_pad(struct build *b)
{
    while (b->len % 4 != 0)
        build_u8(b, 0);
}

/* Ends a block: pads it, writes its length behind and in front. */
static inline void build_end(struct build *b, size_t at)
{
    build_pad(b);
    uint32_t length = (uint32_t)(b->len - at + 4);
    build_u32(b, length);
    size_t end = b->len;
    b->len = at + 4;
    build_u32(b, length);
    b->len = end;
}

static inline void build_option(struct build *b, unsigned code, const void *value, size_t len)
{
    build_u16(b, code);
    build_u16(b, (unsigned)len);
    build_bytes(b, value, len);
    build_pad(b);
}

static inline void build_section(struct build *b, const char *comment)
{
    size_t at = build_block(b, 0x0a0d0d0a);
    build_u32(b, 0x1a2b3c4d);
    build_u16(b, 1);
    build_u16(b, 0);
    build_u64(b, UINT64_MAX);
    if (comment != NULL) {
        build_option(b, 1, comment, strlen(comment));
        build_u32(b, 0);
    }
    build_end(b, at);
}

/* resolution < 0: the option is left out. */
static inline void build_interface(struct build *b, unsigned link_type, uint32_t snaplen,
                                   int resolution, int64_t offset_s, const char *name)
{
    size_t at = build_block(b, 1);
    build_u16(b, link_type);
    build_u16(b, 0);
    build_u32(b, snaplen);
    if (name != NULL)
        build_option(b, 2, name, strlen(name));
    if (resolution >= 0) {
        uint8_t value = (uint8_t)resolution;
        build_option(b, 9, &value, 1);
    }
    if (offset_s != 0) {
        build_u16(b, 14);
        build_u16(b, 8);
        build_u64(b, (uint64_t)offset_s);
    }
    build_u32(b, 0);
    build_end(b, at);
}

static inline void build_enhanced(struct build *b, uint32_t interface, uint64_t ticks,
                                  uint32_t caplen, uint32_t len, unsigned fill)
{
    size_t at = build_block(b, 6);
    build_u32(b, interface);
    build_u32(b, (uint32_t)(ticks >> 32));
    build_u32(b, (uint32_t)ticks);
    build_u32(b, caplen);
    build_u32(b, len);
    build_fill(b, fill, caplen);
    build_end(b, at);
}

static inline void build_simple(struct build *b, uint32_t len, uint32_t caplen, unsigned fill)
{
    size_t at = build_block(b, 3);
    build_u32(b, len);
    build_fill(b, fill, caplen);
    build_end(b, at);
}

#endif
