/* Which tunnels make an MTU what it is. */
#ifndef INVCAP_DIAGNOSIS_SITE_MTU_H
#define INVCAP_DIAGNOSIS_SITE_MTU_H

#include "diagnosis/site/judge.h"

/* The usual tunnels whose MTU lies at or above `passed` and below `lost` (IP lengths), the nearest to
 * `passed` first, as "GRE (1476), IPIP, 6in4 (1480)": names and numbers alone, the
 * same in every language. NULL when none fits, or only small packets passed. */
const char *mtu_tunnels(struct judge *judge, uint32_t passed, uint32_t lost);

#endif
