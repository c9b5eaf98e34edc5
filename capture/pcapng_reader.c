/* pcapng: blocks of type, length, body, length again; draft-ietf-opsawg-pcapng.
 *
 * Bounded: a block is at most LIMIT_BLOCK_BYTES, is looked at once, and always moves on by 12 bytes
 * or more. Damage ends the reading: behind a wrong length there is no way to find the next block.
 */
#include "capture/reader.h"

#include "core/hints.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET_OBSOLETE 2u
#define BLOCK_PACKET_SIMPLE 3u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET 6u
#define BLOCK_SECRETS 10u
/* Blocks without a packet that Wireshark numbers like packets. */
#define BLOCK_JOURNAL 9u
#define BLOCK_SYSDIG 0x204u
#define BLOCK_SYSDIG_V2 0x216u
#define BLOCK_SYSDIG_V2_LARGE 0x221u
#define BLOCK_CUSTOM 0x0badu
#define BLOCK_CUSTOM_NO_COPY 0x40000badu

#define SECTION_MAGIC 0x1a2b3c4du
#define SECRETS_TLS_KEY_LOG 0x544c534bu
#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_IF_NAME 2
#define OPTION_IF_TSRESOL 9
#define OPTION_IF_TSOFFSET 14
#define OPTION_ISB_IFDROP 5
#define OPTION_ISB_OSDROP 7

/* frame.interface_id and struct packet have 16 bits. */
#define PCAPNG_INTERFACES 65535u
/* Type and length in front, length behind. */
#define BLOCK_FRAME_BYTES 12u

struct block {
    uint32_t type;
    uint32_t length; /* all of it, rounded up to 4 */
    struct cursor body;
};

bool pcapng_reader_knows(const uint8_t magic[4])
{
    struct cursor c = cur_of(magic, 4);
    return cur_u32(&c) == BLOCK_SECTION; /* a palindrome: the same in both orders */
}

void pcapng_reader_clear(struct pcapng_reader *reader)
{
    free(reader->interfaces);
    if (reader->secrets != NULL)
        explicit_bzero(reader->secrets, reader->secrets_room);
    free(reader->secrets);
    *reader = (struct pcapng_reader){0};
}

/* The next option; false at the end of the list or where it runs over. */
static bool option_next(struct cursor *options, bool big, uint16_t *code, struct cursor *value)
{
    *code = reader_u16(options, big);
    uint16_t len = reader_u16(options, big);
    *value = cur_cut(options, len);
    bool there = cur_ok(options) && *code != OPTION_END;
    size_t padding = -(size_t)len & 3;
    cur_skip(options, padding < cur_left(options) ? padding : cur_left(options));
    return there;
}

/* NULL when the section begins well, else what is wrong with it. */
RARE
static const char *section_read(struct pcapng_reader *reader, struct block *block)
{
    struct cursor *c = &block->body;
    cur_skip(c, 4); /* the byte order, known by now */
    uint16_t major = reader_u16(c, reader->big);
    uint16_t minor = reader_u16(c, reader->big);
    cur_skip(c, 8); /* the section's length: often unknown, never needed */
    if (!cur_ok(c))
        return "section-header";
    if (major != 1 || (minor != 0 && minor != 2))
        return "section-version";
    reader->section_first = reader->interface_count;
    uint16_t code;
    struct cursor value;
    while (option_next(c, reader->big, &code, &value)) {
        if (code != OPTION_COMMENT)
            continue;
        size_t used = strlen(reader->comment);
        size_t room = sizeof reader->comment - 1 - used;
        if (used > 0 && room > 1) {
            reader->comment[used++] = ' ';
            room--;
        }
        size_t len = cur_left(&value) < room ? cur_left(&value) : room;
        memcpy(reader->comment + used, value.at, len);
        reader->comment[used + len] = '\0';
    }
    return NULL;
}

/* Prepares the short way from ticks to ns, where there is one. */
static void interface_set_tick(struct pcapng_interface *interface)
{
    if (interface->offset_s != 0 || interface->resolution > 9)
        return;
    interface->tick_ns = 1;
    for (unsigned i = interface->resolution; i < 9; i++)
        interface->tick_ns *= 10;
    interface->tick_limit = (uint64_t)READER_TIME_LIMIT / interface->tick_ns;
}

static struct pcapng_interface *interface_add(struct pcapng_reader *reader)
{
    if (reader->interface_count == PCAPNG_INTERFACES)
        return NULL;
    if (reader->interface_count == reader->interface_room) {
        size_t room = reader->interface_room > 0 ? 2 * reader->interface_room : 8;
        struct pcapng_interface *grown =
            realloc(reader->interfaces, room * sizeof *reader->interfaces);
        if (grown == NULL)
            return NULL;
        reader->interfaces = grown;
        reader->interface_room = room;
    }
    return &reader->interfaces[reader->interface_count++];
}

RARE
static const char *interface_read(struct pcapng_reader *reader, struct block *block)
{
    struct cursor *c = &block->body;
    struct pcapng_interface read = {.resolution = 6, .dropped_interface = -1, .dropped_kernel = -1};
    read.link_type = reader_u16(c, reader->big);
    cur_skip(c, 2);
    read.snaplen = reader_u32(c, reader->big);
    if (!cur_ok(c))
        return "block-content";
    uint16_t code;
    struct cursor value;
    while (option_next(c, reader->big, &code, &value)) {
        if (code == OPTION_IF_NAME) {
            size_t len = cur_left(&value);
            if (len > sizeof read.name - 1)
                len = sizeof read.name - 1;
            memcpy(read.name, value.at, len);
            read.name[len] = '\0';
        } else if (code == OPTION_IF_TSRESOL && cur_left(&value) >= 1) {
            read.resolution = cur_u8(&value);
        } else if (code == OPTION_IF_TSOFFSET && cur_left(&value) >= 8) {
            read.offset_s = (int64_t)reader_u64(&value, reader->big);
        }
    }
    interface_set_tick(&read);
    struct pcapng_interface *interface = interface_add(reader);
    if (interface == NULL)
        return "interface-count";
    *interface = read;
    return NULL;
}

RARE
static void statistics_read(struct pcapng_reader *reader, struct block *block)
{
    struct cursor *c = &block->body;
    uint32_t id = reader_u32(c, reader->big);
    cur_skip(c, 8); /* time */
    if (!cur_ok(c) || id >= reader->interface_count - reader->section_first)
        return;
    struct pcapng_interface *interface = &reader->interfaces[reader->section_first + id];
    uint16_t code;
    struct cursor value;
    while (option_next(c, reader->big, &code, &value)) {
        if (cur_left(&value) < 8)
            continue;
        int64_t count = (int64_t)(reader_u64(&value, reader->big) & INT64_MAX);
        if (code == OPTION_ISB_IFDROP)
            interface->dropped_interface = count;
        else if (code == OPTION_ISB_OSDROP)
            interface->dropped_kernel = count;
    }
}

/* Key logs add up; beyond the limit of one block they are left out. */
RARE
static void secrets_read(struct pcapng_reader *reader, struct block *block)
{
    struct cursor *c = &block->body;
    uint32_t type = reader_u32(c, reader->big);
    uint32_t len = reader_u32(c, reader->big);
    const uint8_t *text = cur_take(c, len);
    size_t need = reader->secrets_len + len + 1;
    if (text == NULL || type != SECRETS_TLS_KEY_LOG || need > LIMIT_BLOCK_BYTES)
        return;
    if (need > reader->secrets_room) {
        size_t room = need + need / 2;
        char *grown = malloc(room);
        if (grown == NULL)
            return;
        if (reader->secrets != NULL) { /* nothing of it may stay behind */
            memcpy(grown, reader->secrets, reader->secrets_len);
            explicit_bzero(reader->secrets, reader->secrets_room);
            free(reader->secrets);
        }
        reader->secrets = grown;
        reader->secrets_room = room;
    }
    memcpy(reader->secrets + reader->secrets_len, text, len);
    reader->secrets_len += len;
    if (len > 0 && text[len - 1] != '\n')
        reader->secrets[reader->secrets_len++] = '\n';
}

/* Looks at a block that holds no packet. NULL, or what is wrong with it. */
static const char *block_note(struct pcapng_reader *reader, struct block *block)
{
    switch (block->type) {
    case BLOCK_SECTION:
        return section_read(reader, block);
    case BLOCK_INTERFACE:
        return interface_read(reader, block);
    case BLOCK_STATISTICS:
        statistics_read(reader, block);
        return NULL;
    case BLOCK_SECRETS:
        secrets_read(reader, block);
        return NULL;
    case BLOCK_JOURNAL:
    case BLOCK_SYSDIG:
    case BLOCK_SYSDIG_V2:
    case BLOCK_SYSDIG_V2_LARGE:
    case BLOCK_CUSTOM:
    case BLOCK_CUSTOM_NO_COPY:
        reader->frames++;
        return NULL;
    default:
        return NULL;
    }
}

/* The interface, times and lengths of the three kinds of packet block. Returns the interface. */
static uint32_t packet_fields(const struct pcapng_reader *reader, struct block *block,
                              uint64_t *ticks, struct packet *out)
{
    struct cursor *c = &block->body;
    uint32_t id = 0;
    *ticks = 0;
    if (block->type == BLOCK_PACKET_SIMPLE) {
        out->len = reader_u32(c, reader->big);
        out->caplen = out->len;
        return id;
    }
    if (block->type == BLOCK_PACKET) {
        id = reader_u32(c, reader->big);
    } else {
        id = reader_u16(c, reader->big);
        cur_skip(c, 2); /* drops since the packet before */
    }
    *ticks = (uint64_t)reader_u32(c, reader->big) << 32;
    *ticks |= reader_u32(c, reader->big);
    out->caplen = reader_u32(c, reader->big);
    out->len = reader_u32(c, reader->big);
    return id;
}

/* A simple packet has no captured length: the snap length and the block bound it. */
static uint32_t simple_caplen(const struct pcapng_interface *interface, uint32_t len, size_t left)
{
    uint32_t caplen = len;
    if (interface->snaplen != 0 && caplen > interface->snaplen)
        caplen = interface->snaplen;
    return caplen > left ? (uint32_t)left : caplen;
}

static inline int64_t packet_time(const struct pcapng_interface *interface, uint64_t ticks)
{
    if (ticks < interface->tick_limit)
        return (int64_t)(ticks * interface->tick_ns);
    return reader_time_ns(ticks, interface->resolution, interface->offset_s);
}

/* NULL and *out filled, or what is wrong. */
static const char *packet_read(struct pcapng_reader *reader, struct block *block, uint64_t offset,
                               struct packet *out)
{
    struct packet packet = {.offset = offset, .source_id = out->source_id};
    uint64_t ticks;
    uint32_t id = packet_fields(reader, block, &ticks, &packet);
    if (!cur_ok(&block->body))
        return "block-content";
    if (id >= reader->interface_count - reader->section_first)
        return "interface";
    const struct pcapng_interface *interface = &reader->interfaces[reader->section_first + id];
    if (block->type == BLOCK_PACKET_SIMPLE)
        packet.caplen = simple_caplen(interface, packet.len, cur_left(&block->body));
    if (packet.caplen > LIMIT_PACKET_BYTES)
        return "packet-length";
    packet.data = cur_take(&block->body, packet.caplen);
    if (packet.data == NULL)
        return "block-content";
    if (packet.len < packet.caplen)
        packet.len = packet.caplen;
    reader->timeless = block->type == BLOCK_PACKET_SIMPLE;
    if (!reader->timeless)
        reader->last_time_ns = packet_time(interface, ticks);
    packet.time_ns = reader->last_time_ns; /* a simple packet has none: when the one before came */
    packet.frame = ++reader->frames;
    packet.link_type = interface->link_type;
    packet.interface_id = (uint16_t)(reader->section_first + id);
    *out = packet;
    return NULL;
}

/* The byte order of the section whose header stands at the stream; false when it tells none. */
static bool section_order(struct pcapng_reader *reader, const uint8_t *header)
{
    struct cursor big = cur_of(header + 8, 4);
    struct cursor little = big;
    reader->big = cur_u32(&big) == SECTION_MAGIC;
    return reader->big || cur_u32le(&little) == SECTION_MAGIC;
}

/* Gets the next whole block into the window. READER_PACKET: it is there; else as the reader ends.
 */
static enum reader_result block_next(struct pcapng_reader *reader, struct stream *stream,
                                     struct block *out, struct reader_cut *cut)
{
    enum stream_result ready = stream_need(stream, BLOCK_FRAME_BYTES);
    if (ready != STREAM_READY)
        return ready == STREAM_IDLE ? READER_IDLE : reader_end(stream, "block-header", cut);
    const uint8_t *header = stream_at(stream);
    if (pcapng_reader_knows(header) && !section_order(reader, header))
        return reader_damage(stream, "section-header", cut);
    struct cursor c = cur_of(header, 8);
    out->type = reader_u32(&c, reader->big);
    uint32_t told = reader_u32(&c, reader->big);
    if (told < BLOCK_FRAME_BYTES || told > LIMIT_BLOCK_BYTES)
        return reader_damage(stream, "block-length", cut);
    out->length = (told + 3u) & ~3u; /* some writers forget the padding in the length */
    ready = stream_need(stream, out->length);
    if (ready != STREAM_READY)
        return ready == STREAM_IDLE ? READER_IDLE : reader_end(stream, "block-data", cut);
    struct cursor trailer = cur_of(stream_at(stream) + out->length - 4, 4);
    if (reader_u32(&trailer, reader->big) != told)
        return reader_damage(stream, "block-trailer", cut);
    out->body = cur_of(stream_at(stream) + 8, out->length - BLOCK_FRAME_BYTES);
    return READER_PACKET;
}

static inline bool block_is_packet(uint32_t type)
{
    return type == BLOCK_PACKET || type == BLOCK_PACKET_SIMPLE || type == BLOCK_PACKET_OBSOLETE;
}

bool pcapng_reader_has(const struct pcapng_reader *reader, const struct stream *stream)
{
    size_t left = stream_left(stream);
    if (left < BLOCK_FRAME_BYTES)
        return false;
    struct cursor c = cur_of(stream_at(stream), 8);
    bool is_packet = block_is_packet(reader_u32(&c, reader->big));
    return is_packet && (reader_u32(&c, reader->big) | 3u) <= left;
}

enum reader_result pcapng_reader_next(struct pcapng_reader *reader, struct stream *stream,
                                      struct packet *out, struct reader_cut *cut)
{
    for (;;) {
        struct block block;
        enum reader_result result = block_next(reader, stream, &block, cut);
        if (result != READER_PACKET)
            return result;
        bool is_packet = block_is_packet(block.type);
        const char *wrong = is_packet ? packet_read(reader, &block, stream->offset, out)
                                      : block_note(reader, &block);
        if (wrong != NULL)
            return reader_damage(stream, wrong, cut);
        stream_skip(stream, block.length);
        if (is_packet)
            return READER_PACKET;
    }
}
