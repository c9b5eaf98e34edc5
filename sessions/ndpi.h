/* nDPI 4.2 as a second opinion on flows that our dissectors did not name (or on all). The module is
 * made on first need (its tables cost 13 ms and 4 MB); a flow's state is freed at the verdict. */
#ifndef INVCAP_SESSIONS_NDPI_H
#define INVCAP_SESSIONS_NDPI_H

#include "core/hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct opinions;
struct ndpi_opinion; /* of one flow, while undecided */

/* account: the bytes of undecided flows are added there. */
struct opinions *opinions_new(uint64_t *account);
void opinions_free(struct opinions *ndpi);
struct opinion_packet {
    const uint8_t *network; /* IP header on */
    size_t len;
    int64_t time_ns;
    int side;       /* enum side of the sender */
    int64_t offset; /* of its payload in the stream; -1 for datagrams */
    size_t payload_len;
};

struct opinion_verdict {
    char name[64];  /* "" when unknown */
    uint8_t risk;  /* enum flow_risk of core/record.h */
};

/* Shows one packet with payload. Bytes that came before are left out; where bytes are missing the
 * opinion ends with what was seen till then: nDPI puts no stream together. *opinion is made on the
 * first call and freed (NULL again) with the verdict. Returns whether it fell. */
APART
bool opinions_packet(struct opinions *ndpi, struct ndpi_opinion **opinion,
                     const struct opinion_packet *packet, struct opinion_verdict *out);
/* The flow ended undecided: nDPI's best guess. */
void opinions_give_up(struct opinions *ndpi, struct ndpi_opinion **opinion,
                      struct opinion_verdict *out);

#endif
