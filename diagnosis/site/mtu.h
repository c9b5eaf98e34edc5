/* Which tunnels make an MTU what it is. */
#ifndef INVCAP_DIAGNOSIS_SITE_MTU_H
#define INVCAP_DIAGNOSIS_SITE_MTU_H

#include "diagnosis/site/judge.h"

/* The usual tunnels whose MTU lies at or above `passed` and below `lost` (IP lengths), as
 * "PPPoE (1492), GRE (1476)": names and numbers alone, the same in every language. NULL when none or
 * so many fit that it says nothing. */
const char *mtu_tunnels(struct judge *judge, uint32_t passed, uint32_t lost);

#endif
