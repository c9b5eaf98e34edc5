/* What the profile knows about a certificate beside the service that showed it. */
#ifndef INVCAP_DIAGNOSIS_SITE_ENVIRONMENTS_H
#define INVCAP_DIAGNOSIS_SITE_ENVIRONMENTS_H

#include "diagnosis/site/chains.h"

/* Another service of the profile whose pins hold the key that was shown, NULL none: then no
 * stranger has it. */
const struct profile_service *environment_pin_owner(const struct judge *judge,
                                                    const struct site_chain *chain);

#endif
