/* The tampering signatures of both directions of a connection that a device on the way may have broken. */
#ifndef INVCAP_DIAGNOSIS_SITE_PATTERNS_H
#define INVCAP_DIAGNOSIS_SITE_PATTERNS_H

#include "diagnosis/site/judge.h"

/* Which side said nothing more, as the claim has proven it. */
enum silence { SILENCE_NONE, SILENCE_OF_CLIENT, SILENCE_OF_SERVER };

/* Adds client_signature and server_signature to the claim, each where that direction shows one. What has a benign
 * cause of its own (a closed port, an idle timer, a probe, an answer that was complete) never comes here. */
void patterns_add(struct judge *judge, const struct site_flow *flow, enum silence silence, struct claim *claim);
/* The same for a verdict, by its code. */
void patterns_tell(struct judge *judge, const struct site_flow *flow, struct claim *claim);

#endif
