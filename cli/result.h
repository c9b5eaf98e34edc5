/* What read, live, judge and report have in common: printing a capture and the exit status. */
#ifndef INVCAP_CLI_RESULT_H
#define INVCAP_CLI_RESULT_H

#include "cli/command.h"
#include "cli/pipeline.h"
#include "reports/reports.h"

/* The language of --text, NULL when it was not given. */
const enum language *result_texts(const struct arguments *arguments);
/* Prints the capture to the view after --json, --format and --text. */
bool result_print(const struct context *context, struct store *store, int64_t capture_id,
                  struct error *error);
/* The exit status of a run that gave a result: 128 + signal, 3, 1 or 0. */
int result_status(const struct context *context, const struct pipeline_result *result);
/* The database that --db or the only word names; NULL after a usage error in *status. */
const char *result_database(const struct context *context, int *status);
/* The same where the database is the word of that index. */
const char *result_database_at(const struct context *context, size_t word, int *status);
/* Opens the database for reading; NULL after the complaint, its exit status in *status. */
struct store *result_open(const struct context *context, const char *path, int *status);
/* The capture that is meant: --capture, 0 for --all, else the last one. -1 after the complaint. */
int64_t result_capture(const struct context *context, struct store *store, int *status);

#endif
