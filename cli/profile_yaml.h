/* The site profile from YAML (libcyaml). Every complaint names file, line, column and what was
 * expected. */
#ifndef INVCAP_CLI_PROFILE_YAML_H
#define INVCAP_CLI_PROFILE_YAML_H

#include "core/error.h"
#include "core/profile.h"

/* Loads and checks; NULL with an error of usage. Freed by profile_yaml_free. */
const struct profile *profile_yaml_load(const char *path, struct error *error);
/* Also takes NULL and the built-in profile, which stay. */
void profile_yaml_free(const struct profile *profile);

#endif
