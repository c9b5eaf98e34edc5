/* read and live: options into the pipeline, its result onto the screen. */
#ifndef INVCAP_CLI_RUN_PIPELINE_H
#define INVCAP_CLI_RUN_PIPELINE_H

#include "cli/command.h"

int run_pipeline(struct context *context, const char *interface);

#endif
