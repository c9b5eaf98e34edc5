/* findings, flows, tls, certs, captures: options into a request, a table onto the screen. */
#ifndef INVCAP_CLI_RUN_TABLE_H
#define INVCAP_CLI_RUN_TABLE_H

#include "cli/command.h"
#include "reports/tables.h"

/* kind TABLE_KIND_COUNT: the findings. */
int run_table(const struct context *context, enum table_kind kind);
/* The same where the database is the word of that index. */
int run_table_at(const struct context *context, enum table_kind kind, size_t word);

#endif
