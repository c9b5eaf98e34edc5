/* Commands of a flow (app_commands) for the detectors of FTP, SSH and the dependencies. */
#ifndef INVCAP_DIAGNOSIS_SITE_COMMANDS_H
#define INVCAP_DIAGNOSIS_SITE_COMMANDS_H

#include "diagnosis/site/judge.h"

struct command_range {
    const struct command_record *const *at; /* by number */
    size_t count;
};

/* The rows of the flow that the list at *next begins with; moves *next behind them. */
struct command_range commands_next(const struct site *site, size_t *next);
/* Those of one flow. */
struct command_range commands_of(const struct site *site, int64_t flow_id);
bool command_is(const struct command_record *command, const char *word);
bool command_replied(const struct command_record *command, const char *code);
/* A claim of code about the flow at the command. */
struct claim command_claim(enum finding_code code, const struct site_flow *flow,
                           const struct command_record *command);

#endif
