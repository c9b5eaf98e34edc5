/* Health checks in vain: connections that a balancer or a monitor opens in a steady rhythm to a
 * server that is down or taken out of use. Nobody's work hangs on them. */
#ifndef INVCAP_DIAGNOSIS_SITE_CHECKS_H
#define INVCAP_DIAGNOSIS_SITE_CHECKS_H

#include "diagnosis/site/model.h"

struct check_rhythm {
    int64_t period_ns;
    bool was_up; /* the same client had got through to that service before */
};

/* Whether the attempt, which led to nothing, is one of a row of checks. One row alone may be a
 * program that tries again: its client must be seen to check something else in the same rhythm,
 * with nothing said or the same thing said to a server of the same port, or this service before or
 * after. */
bool checks_find(const struct site *site, const struct site_flow *flow, struct check_rhythm *out);

#endif
