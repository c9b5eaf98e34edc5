/* The trust store that profile and --ca name together. */
#ifndef INVCAP_CLI_TRUST_LOAD_H
#define INVCAP_CLI_TRUST_LOAD_H

#include "cli/options.h"
#include "core/profile.h"

/* Fills *out with the profile and, when anything is named, the trust store it then borrows, which
 * *store hands over (trust_store_free; NULL: none is named). Paths of a profile are meant from its
 * own folder. False when one cannot be read. */
bool trust_load(const struct arguments *arguments, const struct profile *profile,
                struct profile *out, struct trust_store **store, struct error *error);

#endif
