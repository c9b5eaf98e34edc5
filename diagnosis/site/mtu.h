/* What routers say of sizes, and which tunnels make an MTU what it is. */
#ifndef INVCAP_DIAGNOSIS_SITE_MTU_H
#define INVCAP_DIAGNOSIS_SITE_MTU_H

#include "diagnosis/site/judge.h"

/* The usual tunnels whose MTU lies at or above `passed` and below `lost` (IP lengths), the nearest to
 * `passed` first, as "GRE (1476), IPIP, 6in4 (1480)": names and numbers alone, the
 * same in every language. NULL when none fits, or only small packets passed. */
const char *mtu_tunnels(struct judge *judge, uint32_t passed, uint32_t lost);

/* Says how large a packet of the flow may be, in answer to one that it sent (RFC 1191 3, RFC 8201 3, RFC 5927 7). */
bool mtu_is_named(const struct icmp_record *r);

#endif
