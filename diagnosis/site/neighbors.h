/* Addresses that ARP or neighbor discovery could not resolve, for the verdicts. */
#ifndef INVCAP_DIAGNOSIS_SITE_NEIGHBORS_H
#define INVCAP_DIAGNOSIS_SITE_NEIGHBORS_H

#include "diagnosis/site/judge.h"

/* The server's address was asked for and nobody answered: the SYN never left its network. */
bool neighbors_find_unresolved(struct judge *judge, const struct site_flow *flow,
                               struct claim *out);
/* Two machines answered for the address within that time, or shortly before. */
bool neighbors_conflict_holds(const struct judge *judge, const struct address *ip, int64_t first_ns,
                              int64_t last_ns);
/* The conflict in which that machine has an address wrongly, as far as packets tell: from first_ns on the
 * other one sent IP packets, and it none. NULL: there is none. */
const struct address_conflict *neighbors_false_owner(const struct judge *judge, const char *mac,
                                                     int64_t first_ns, int64_t last_ns);

#endif
