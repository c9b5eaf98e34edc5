/* OCSP responses that servers stapled, judged. */
#ifndef INVCAP_DIAGNOSIS_SITE_STAPLES_H
#define INVCAP_DIAGNOSIS_SITE_STAPLES_H

#include "diagnosis/site/judge.h"
#include "trust/chain.h"

/* Judges the staples of these flows; the verifier knows what authorities the capture showed. */
void staples_judge(struct judge *judge, const struct chain_verifier *verifier,
                   struct site_flow *const *flows, size_t count);

#endif
