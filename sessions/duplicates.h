/* Copies of packets: a mirror that sends everything twice, a tap on both sides of a router, a loop.
 * Statistics use one copy. */
#ifndef INVCAP_SESSIONS_DUPLICATES_H
#define INVCAP_SESSIONS_DUPLICATES_H

#include "core/packet.h"
#include "dissectors/decode.h"

#include <stdbool.h>
#include <stdint.h>

enum copy_kind {
    COPY_NONE,
    COPY_MIRROR, /* same TTL and MACs */
    COPY_ROUTED, /* other TTL, MACs or VLAN */
    COPY_LOOP    /* the fourth or later TTL, ever lower */
};

struct duplicates;

struct duplicates *duplicates_new(uint64_t seed);
void duplicates_free(struct duplicates *ring);
/* Asks the memory for what duplicates_check will look at: most of its time is the wait for it. */
void duplicates_prefetch(struct duplicates *ring, const struct layers *layers);
/* Tells whether the packet repeats an earlier one, and remembers it. *delay_ns is the time since
 * the first sighting of a routed copy. */
enum copy_kind duplicates_check(struct duplicates *ring, const struct packet *packet,
                                const struct layers *layers, int64_t *delay_ns);

#endif
