/* Host names for reports: those of the profile and of --names. */
#ifndef INVCAP_CLI_NAMES_LOAD_H
#define INVCAP_CLI_NAMES_LOAD_H

#include "cli/options.h"
#include "core/error.h"
#include "core/profile.h"

struct names;

/* Adds the names of --names FILE (lines of hosts(5): address, name, others that are not used; #
 * begins a comment) to the hosts of the profile, before which they win. *names keeps what the
 * profile then borrows (names_free; NULL without the option). False when the file cannot be read,
 * with the line. */
bool names_load(const struct arguments *arguments, struct profile *profile, struct names **names,
                struct error *error);
void names_free(struct names *names);

#endif
