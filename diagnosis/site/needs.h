/* The table dependencies. */
#ifndef INVCAP_DIAGNOSIS_SITE_NEEDS_H
#define INVCAP_DIAGNOSIS_SITE_NEEDS_H

#include "diagnosis/site/judge.h"

/* Puts RECORD_DEPENDENCY. False when memory is out. */
bool needs_put(struct judge *judge, const struct sink *out);

#endif
