/* A profile as tables for people. */
#ifndef INVCAP_CLI_PROFILE_PRINT_H
#define INVCAP_CLI_PROFILE_PRINT_H

#include "core/profile.h"
#include "reports/view.h"

/* Services, then whatever else the profile has, each as a table of its own. */
void profile_print(const struct view *view, const struct profile *profile);

#endif
