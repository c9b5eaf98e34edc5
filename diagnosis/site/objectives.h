/* Shared by the detectors of service objectives: what a service promises, and whether few samples
 * may say that it does not keep it. */
#ifndef INVCAP_DIAGNOSIS_SITE_OBJECTIVES_H
#define INVCAP_DIAGNOSIS_SITE_OBJECTIVES_H

#include "diagnosis/site/exchanges.h"

/* Bounds of the share that hits of count show (Wilson's interval at 95 %, both sides). */
double share_lowest(uint64_t hits, uint64_t count);
double share_highest(uint64_t hits, uint64_t count);

/* Whether objectives apply: the service is of the profile, and known to exist: the site itself
 * names it, or somebody was served there. */
bool objectives_apply(const struct judge *judge, const struct site_service *service);

/* What is promised of it. */
struct profile_objectives objectives_of(const struct judge *judge,
                                        const struct site_service *service);

/* A claim about the service itself, not about a connection: flow stands for it. */
struct claim service_claim(enum finding_code code, const struct site_flow *flow);
/* Evidence: the answer of an exchange. */
void claim_add_exchange(struct claim *claim, const struct exchange *exchange);

#endif
