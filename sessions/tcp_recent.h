/* The latest data segments of a connection, each as a few numbers: where it stood, a sum of its payload
 * and marks of it at even distances, its sender's TTL and timestamp. When bytes come again, they are held
 * against it: an honest sender repeats what it sent, whatever the segmentation, and other bytes in the
 * same place come from somebody else, or from a device that rewrites (FACTS.md 1.5). Where all of a kept
 * segment comes again, in one piece or in several one after the other, the sum finds one changed byte;
 * of any other overlap the marks that lie in it are compared, which it holds at least one of when it is a
 * quarter of the segment and eight bytes long. No payload is kept, and of new bytes only the marks are read
 * a second time: sums are those of the checksum's verification. */
#ifndef INVCAP_SESSIONS_TCP_RECENT_H
#define INVCAP_SESSIONS_TCP_RECENT_H

#include "core/packet.h"
#include "core/record.h"
#include "dissectors/decode.h"

/* Powers of two. */
#define RECENT_SMALL 8
#define RECENT_FULL 32
/* Evenly over a segment, its first and its last eight bytes among them. */
#define RECENT_MARKS 5

struct recent_segment {
    int64_t time_ns;
    uint32_t sequence, frame;
    uint32_t timestamp; /* TSval; 0 none */
    uint32_t source_id;
    uint16_t sum;       /* ones' complement sum of the payload */
    uint16_t len;
    uint16_t again_len; /* so many of its first bytes came again in smaller pieces, */
    uint16_t again_sum; /* with that sum */
    uint16_t marks[RECENT_MARKS];
    uint8_t side, ttl;
    bool wrong;         /* its checksum is, and no right copy came yet */
    bool has_sum;       /* all of its bytes were captured, and are what its checksum says */
};

/* A ring over both sides, in a chunk of RECENT_SMALL, later of RECENT_FULL. */
struct tcp_recent {
    uint32_t total; /* ever kept */
    uint32_t capacity;
    struct recent_segment at[];
};

size_t recent_size(uint32_t capacity);
/* Keeps a data segment of side. */
void recent_keep(struct tcp_recent *recent, enum side side, const struct packet *packet,
                 const struct layers *layers);
/* The first kept segment of side that [sequence, sequence + len) shares bytes with; NULL none. */
const struct recent_segment *recent_find(const struct tcp_recent *recent, enum side side,
                                         uint32_t sequence, uint32_t len);
/* Whether a kept segment of side carries a later timestamp than this. */
bool recent_has_newer(const struct tcp_recent *recent, enum side side, uint32_t timestamp);
/* Whether wrong segments were kept of those bytes; from now on they count as repaired. */
bool recent_take_wrong(struct tcp_recent *recent, enum side side, uint32_t sequence, uint32_t len);
/* A kept segment of side whose bytes differ from those that now come for the same place; NULL: none
 * that can be compared does. */
const struct recent_segment *recent_conflict(struct tcp_recent *recent, enum side side,
                                             const struct layers *layers);

#endif
