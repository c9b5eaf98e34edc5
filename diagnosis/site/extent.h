/* What lies beyond one connection: how far a fault reaches, and what a client tried in turn. Both
 * look at the verdicts that stand; they accuse nobody. */
#ifndef INVCAP_DIAGNOSIS_SITE_EXTENT_H
#define INVCAP_DIAGNOSIS_SITE_EXTENT_H

#include "diagnosis/site/judge.h"

/* Puts a RECORD_DOMAIN for each verdict that at least two connections share: the widest limits
 * within which nearly every attempt failed so. False when memory is out. */
bool extent_put_domains(struct judge *judge, const struct sink *out);
/* Puts a RECORD_STORY for each row of attempts with a failed one in it. */
bool extent_put_stories(struct judge *judge, const struct sink *out);

#endif
