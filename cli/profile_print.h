/* A profile as a table for people. */
#ifndef INVCAP_CLI_PROFILE_PRINT_H
#define INVCAP_CLI_PROFILE_PRINT_H

#include "core/profile.h"
#include "reports/view.h"

void profile_print(const struct view *view, const struct profile *profile);
/* "tls", "http" ...: the words of the profile's YAML. */
const char *profile_protocol_name(enum profile_protocol protocol);

#endif
