/* Help, the bash completion and docs/options.md: all from the tables of commands and options. */
#ifndef INVCAP_CLI_HELP_H
#define INVCAP_CLI_HELP_H

#include "cli/command.h"

/* The short page: what it is, examples, the subcommands. */
void help_print_short(const struct view *view);
/* All of one subcommand. */
void help_print_command(const struct view *view, const struct command *command);
/* Every option with its subcommands. */
void help_print_options(const struct view *view);
/* docs/options.md, in English and Chinese. */
void help_print_markdown(FILE *out);
/* A completion script for bash. */
void help_print_completion(FILE *out);

#endif
