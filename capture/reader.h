/* Readers of the two capture formats: blocks in, packets out. A reader never fails: it ends, and
 * says where and why when that was not the clean end of the file. */
#ifndef INVCAP_CAPTURE_READER_H
#define INVCAP_CAPTURE_READER_H

#include "capture/stream.h"
#include "core/bytes.h"
#include "core/hints.h"
#include "core/packet.h"

enum reader_result { READER_PACKET, READER_IDLE, READER_END };

/* Why a reader ended before the file did; reason NULL: it did not. The words are listed in
 * capture/source.h. */
struct reader_cut {
    const char *reason;
    uint64_t offset; /* of the first record that could not be given, in the uncompressed stream */
};

/* Unknown link type: a network field above 16 bits. No such LINKTYPE exists. */
#define READER_LINK_UNKNOWN 0xffff

/* Classic pcap. */
struct pcap_reader {
    bool big;           /* big-endian fields */
    bool lengths_swap;  /* before version 2.3: wire length first */
    bool lengths_maybe; /* version 2.3: some wrote it the old way */
    uint32_t header_len;
    uint32_t tick_ns; /* 1,000 or 1 */
    uint16_t link_type;
    uint32_t snaplen;
    uint64_t frames;
};

#define PCAP_HEADER_BYTES 24

/* Whether a file that begins with these four bytes is a pcap file. */
bool pcap_reader_knows(const uint8_t magic[4]);
/* Takes the 24 bytes of the file header, magic known. */
void pcap_reader_start(struct pcap_reader *reader, const uint8_t header[PCAP_HEADER_BYTES]);
PER_PACKET
enum reader_result pcap_reader_next(struct pcap_reader *reader, struct stream *stream,
                                    struct packet *out, struct reader_cut *cut);
/* Whether the next packet stands whole in the window, so that asking for it ends nothing that was borrowed. */
bool pcap_reader_has(const struct pcap_reader *reader, const struct stream *stream);

/* pcapng (draft-ietf-opsawg-pcapng). */
struct pcapng_interface {
    char name[64]; /* device names of Windows have 50 */
    uint32_t snaplen;
    uint16_t link_type;
    uint8_t resolution;  /* if_tsresol: negative power of 10, or of 2 with the top bit set */
    uint64_t tick_ns;    /* a tick of whole nanoseconds without offset: the short way, */
    uint64_t tick_limit; /* below this many of them; 0: never */
    int64_t offset_s;    /* if_tsoffset */
    int64_t dropped_interface, dropped_kernel; /* last told, -1 not told */
};

struct pcapng_reader {
    struct pcapng_interface *interfaces; /* of all sections */
    size_t interface_count, interface_room;
    size_t section_first; /* the section's interface 0 */
    bool big;
    uint64_t frames; /* packets and what else Wireshark numbers */
    int64_t last_time_ns;
    bool timeless; /* the last packet told no time of its own */
    char *secrets; /* TLS key log text */
    size_t secrets_len, secrets_room;
    char comment[1024]; /* of the sections */
};

bool pcapng_reader_knows(const uint8_t magic[4]);
APART
enum reader_result pcapng_reader_next(struct pcapng_reader *reader, struct stream *stream,
                                      struct packet *out, struct reader_cut *cut);
/* Whether what comes next is a packet and stands whole in the window. */
bool pcapng_reader_has(const struct pcapng_reader *reader, const struct stream *stream);
void pcapng_reader_clear(struct pcapng_reader *reader);

/* Ends a reader whose stream is short. With nothing left over that is the clean end of the file;
 * else it is cut for `reason`, or for what the stream itself knows. */
RARE
enum reader_result reader_end(const struct stream *stream, const char *reason,
                              struct reader_cut *cut);
/* Ends a reader whose next record makes no sense. */
RARE
enum reader_result reader_damage(const struct stream *stream, const char *reason,
                                 struct reader_cut *cut);

/* Times beyond +-146 years of 1970 are damage; clamped, so that differences of two fit. */
#define READER_TIME_LIMIT (INT64_MAX / 2)
/* ns since 1970 of ticks of if_tsresol plus seconds; any values are safe. */
int64_t reader_time_ns(uint64_t ticks, uint8_t resolution, int64_t offset_s);

static inline uint32_t reader_u32(struct cursor *c, bool big)
{
    return big ? cur_u32(c) : cur_u32le(c);
}

static inline uint16_t reader_u16(struct cursor *c, bool big)
{
    return big ? cur_u16(c) : cur_u16le(c);
}

static inline uint64_t reader_u64(struct cursor *c, bool big)
{
    return big ? cur_u64(c) : cur_u64le(c);
}

#endif
