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

#endif
