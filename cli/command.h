/* A subcommand and what it is given. */
#ifndef INVCAP_CLI_COMMAND_H
#define INVCAP_CLI_COMMAND_H

#include "cli/options.h"
#include "reports/view.h"

/* DESIGN.md "Command line". When several apply: store, input, runtime, findings. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FINDINGS = 1,
    EXIT_USAGE = 2,
    EXIT_INPUT = 3,
    EXIT_STORE = 4,
    EXIT_RUNTIME = 5,
    EXIT_SIGNAL = 128 /* + number of the signal */
};

struct context {
    const struct arguments *arguments;
    struct view view; /* standard output */
};

#define WORDS_ANY ((size_t)-1)

struct command {
    const char *name;
    const char *words;   /* of its usage line: "FILE|DIR|-..." or "" */
    enum text_id help;   /* one line */
    enum text_id detail; /* some lines more; may be empty text */
    size_t least_words, most_words;
    int (*run)(struct context *context); /* returns the exit status */
};

const struct command *command_get(enum command_id id);
bool command_find(const char *name, enum command_id *out);
enum command_id command_id_of(const struct command *command);

/* Prints the error on stderr, in the manner "invcap: ..."; returns its exit status. */
/* Prints an error of the program below on standard error, in Chinese behind what it is about. */
void command_print_error(enum language language, const struct error *error);
int command_fail(const struct context *context, const struct error *error);
/* Usage error of a command's own making. */
int command_fail_usage(const struct context *context, enum text_id id,
                       const struct text_value *values, size_t count);

/* Runs the program; returns the exit status. */
int cli_run(int argc, char *const *argv);

#endif
