/* Classic pcap: a header of 24 bytes, then records of 16 (or 24) bytes and data.
 *
 *   0       4       8      12      16      20      24
 *   | magic |maj min| zone  |sigfigs|snaplen|network|     file header
 *   |seconds|us / ns| caplen|  len  |                     record header
 *   ... | ifindex |proto|type|pad |                      and 8 more with magic 0xa1b2cd34 */
#include "capture/reader.h"

#include "core/limits.h"

#define PCAP_MAGIC_US 0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_MAGIC_MODIFIED 0xa1b2cd34u /* Kuznetzov's, of old Red Hat systems */
#define PCAP_RECORD_BYTES 16
#define PCAP_RECORD_BYTES_MODIFIED 24
/* The upper six bits tell the length of a frame check sequence. */
#define PCAP_LINK_MASK 0x03ffffffu

static bool pcap_magic_is(uint32_t magic)
{
    return magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS || magic == PCAP_MAGIC_MODIFIED;
}

bool pcap_reader_knows(const uint8_t magic[4])
{
    struct cursor big = cur_of(magic, 4);
    struct cursor little = big;
    return pcap_magic_is(cur_u32(&big)) || pcap_magic_is(cur_u32le(&little));
}

void pcap_reader_start(struct pcap_reader *reader, const uint8_t header[PCAP_HEADER_BYTES])
{
    struct cursor c = cur_of(header, PCAP_HEADER_BYTES);
    struct cursor probe = c;
    *reader = (struct pcap_reader){.big = pcap_magic_is(cur_u32(&probe))};
    uint32_t magic = reader_u32(&c, reader->big);
    uint16_t major = reader_u16(&c, reader->big);
    uint16_t minor = reader_u16(&c, reader->big);
    cur_skip(&c, 8); /* time zone and accuracy: always zero */
    reader->snaplen = reader_u32(&c, reader->big);
    uint32_t network = reader_u32(&c, reader->big) & PCAP_LINK_MASK;
    reader->link_type = network > UINT16_MAX ? READER_LINK_UNKNOWN : (uint16_t)network;
    reader->tick_ns = magic == PCAP_MAGIC_NS ? 1 : 1000;
    reader->header_len =
        magic == PCAP_MAGIC_MODIFIED ? PCAP_RECORD_BYTES_MODIFIED : PCAP_RECORD_BYTES;
    reader->lengths_swap = major == 2 && minor < 3;
    reader->lengths_maybe = major == 2 && minor == 3;
}

static void swap_lengths(const struct pcap_reader *reader, uint32_t *caplen, uint32_t *len)
{
    if (!reader->lengths_swap && !(reader->lengths_maybe && *caplen > *len))
        return;
    uint32_t was = *caplen;
    *caplen = *len;
    *len = was;
}

/* What a record's header says, which stands in the window. */
struct record {
    uint32_t seconds, ticks, caplen, len;
};

static inline struct record record_read(const struct pcap_reader *reader, const struct stream *stream)
{
    struct record record;
    struct cursor c = cur_of(stream_at(stream), reader->header_len);
    record.seconds = reader_u32(&c, reader->big);
    record.ticks = reader_u32(&c, reader->big);
    record.caplen = reader_u32(&c, reader->big);
    record.len = reader_u32(&c, reader->big);
    swap_lengths(reader, &record.caplen, &record.len);
    return record;
}

bool pcap_reader_has(const struct pcap_reader *reader, const struct stream *stream)
{
    size_t left = stream_left(stream);
    return left >= reader->header_len && record_read(reader, stream).caplen <= left - reader->header_len;
}

enum reader_result pcap_reader_next(struct pcap_reader *reader, struct stream *stream,
                                    struct packet *out, struct reader_cut *cut)
{
    enum stream_result ready = stream_need(stream, reader->header_len);
    if (ready != STREAM_READY)
        return ready == STREAM_IDLE ? READER_IDLE : reader_end(stream, "packet-header", cut);
    struct record record = record_read(reader, stream);
    if (record.caplen > LIMIT_PACKET_BYTES)
        return reader_damage(stream, "packet-length", cut);
    ready = stream_need(stream, (size_t)reader->header_len + record.caplen);
    if (ready != STREAM_READY)
        return ready == STREAM_IDLE ? READER_IDLE : reader_end(stream, "packet-data", cut);

    out->data = stream_at(stream) + reader->header_len;
    out->caplen = record.caplen;
    out->len = record.len > record.caplen ? record.len : record.caplen;
    out->time_ns = (int64_t)record.seconds * 1000000000 + (int64_t)record.ticks * reader->tick_ns;
    out->frame = ++reader->frames;
    out->offset = stream->offset;
    out->link_type = reader->link_type;
    out->interface_id = 0;
    stream_skip(stream, (size_t)reader->header_len + record.caplen);
    return READER_PACKET;
}
