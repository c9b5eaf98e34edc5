/* Payload policy of evidence files (DESIGN.md "Secrets"): headers only. TLS and DNS stay whole; of
 * HTTP the start line (its query masked) and the header names; every other payload byte becomes
 * 'x'. Transport checksums are adjusted, so that a good one stays good and a bad one stays bad. */
#ifndef INVCAP_CLI_MASK_H
#define INVCAP_CLI_MASK_H

#include "core/packet.h"
#include "dissectors/decode.h"

enum mask_keep { MASK_KEEP_NOTHING, MASK_KEEP_HTTP_HEADERS, MASK_KEEP_ALL };

/* Masks `data`, a writable copy of the packet's bytes, whose layers were decoded from that copy. */
void mask_packet(uint8_t *data, const struct packet *packet, const struct layers *layers,
                 enum mask_keep keep);

#endif
