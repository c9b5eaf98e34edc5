/* Who answers for which address on the wire (ARP, NDP), and who asks in vain. Bounded; rows come
 * out in order of first sight. */
#ifndef INVCAP_SESSIONS_NEIGHBORS_H
#define INVCAP_SESSIONS_NEIGHBORS_H

#include "core/hints.h"
#include "core/packet.h"
#include "core/record.h"
#include "dissectors/decode.h"

#include <stdbool.h>
#include <stdint.h>

struct neighbors;

struct neighbors *neighbors_new(void);
void neighbors_free(struct neighbors *table);
bool neighbors_is_empty(const struct neighbors *table);
RARE
void neighbors_message(struct neighbors *table, const struct packet *packet,
                       const struct layers *layers);
/* Frames of a flow's side: mac sent `frames` IP packets as ip between the two times. Only addresses
 * that ARP or NDP spoke of are kept. */
void neighbors_frames(struct neighbors *table, const struct address *ip, const uint8_t mac[6],
                      int64_t frames, int64_t first_ns, int64_t last_ns);
/* Puts all rows. */
void neighbors_finish(struct neighbors *table, int64_t capture_id, const struct sink *sink);

#endif
