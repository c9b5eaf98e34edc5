/* Damaged packets behind a verdict about silence. */
#ifndef INVCAP_DIAGNOSIS_SITE_DAMAGE_H
#define INVCAP_DIAGNOSIS_SITE_DAMAGE_H

#include "diagnosis/site/judge.h"

/* Names damage in the claim of a flow's verdict: as the cause where every try in vain had a wrong checksum,
 * as a rival where some had. */
void damage_tell(struct judge *judge, struct claim *claim);

#endif
