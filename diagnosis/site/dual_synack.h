/* Two SYN-ACKs with different sequence numbers to one SYN that was sent once. */
#ifndef INVCAP_DIAGNOSIS_SITE_DUAL_SYNACK_H
#define INVCAP_DIAGNOSIS_SITE_DUAL_SYNACK_H

#include "diagnosis/site/judge.h"

/* Nothing but a second machine explains them. */
bool dual_synack_holds(const struct judge *judge, const struct flow_facts *f);

#endif
