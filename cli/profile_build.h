/* From the YAML's words to a checked profile. */
#ifndef INVCAP_CLI_PROFILE_BUILD_H
#define INVCAP_CLI_PROFILE_BUILD_H

#include "cli/profile_schema.h"
#include "core/error.h"
#include "core/profile.h"

/* The text that the YAML came from, to tell places in it. */
struct profile_file {
    const char *path;
    const char *text;
    size_t len;
};

/* Copies what it needs. NULL with an error that names file, line, column and what was expected. */
const struct profile *profile_build(const struct yaml_profile *raw, const struct profile_file *file,
                                    struct error *error);
void profile_build_free(const struct profile *profile);

#endif
