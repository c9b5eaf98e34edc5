/* One direction of a joined session at both points, its packets in the order of their bytes. Internal to
 * pairing/. */
#ifndef INVCAP_PAIRING_DIRECTION_H
#define INVCAP_PAIRING_DIRECTION_H

#include "pairing/pairing.h"

/* A packet of one direction of a session, its numbers counted from the beginning of both streams. */
struct view_of_packet {
    uint32_t sequence, acknowledgment;
    uint32_t index; /* of the side's packets */
};

struct direction {
    struct pair_side *side[2]; /* 0: the point it is sent past first */
    struct view_of_packet *list[2];
    uint32_t count[2];
    uint32_t highest_ack[2]; /* of the other direction, at each point */
    bool acked[2];
    const struct pair_packet *answers[2]; /* the other direction's packets, in order of time */
    uint32_t answer_count[2];
    uint32_t base[2]; /* what their acknowledgments are counted from */
    int64_t expected_ns; /* of the second point's clock and the way, over the first's */
    bool ids_kept, timestamps_kept, numbered; /* numbered: TCP */
    int64_t covered_from[2], covered_to[2]; /* times of the captures, each on its own clock */
};

static inline struct pair_packet *packet_of(const struct direction *d, int end, uint32_t at)
{
    return &d->side[end]->packets[d->list[end][at].index];
}

static inline int compare_number(uint32_t a, uint32_t b)
{
    return a == b ? 0 : (int32_t)(a - b) < 0 ? -1 : 1;
}

/* Same bytes of the same stream, or the same sign without bytes: 0. */
int pair_compare_views(const struct view_of_packet *a, const struct pair_packet *p,
                       const struct view_of_packet *b, const struct pair_packet *q);
/* The packets that one end has of that direction of the session, which begins at base; the other
 * direction's numbers at ack_base. */
void pair_fill_views(struct direction *d, int end, const struct pair_session *session, int direction,
                     uint32_t base, uint32_t ack_base);
/* Which packet at one end is which at the other: partner and is_sure of both. */
void pair_marry(struct direction *d);
/* What became of the packet at that place of the list; partners are known. */
uint8_t pair_fate_of(const struct direction *d, int end, uint32_t at);

#endif
