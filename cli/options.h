/* The option table: one row per option, and nothing about options anywhere else. Parsing, help,
 * usage errors, completion and docs/options.md are made from it. */
#ifndef INVCAP_CLI_OPTIONS_H
#define INVCAP_CLI_OPTIONS_H

#include "core/error.h"
#include "core/texts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_id {
#define COMMAND(id, name) COMMAND_##id,
#include "cli/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

enum option_id {
#define OPTION(id, name, letter, kind, argument, commands, fallback) OPTION_##id,
#include "cli/options.def"
#undef OPTION
    OPTION_COUNT_ALL
};

enum option_kind {
    OPTION_KIND_FLAG,
    OPTION_KIND_TEXT,
    OPTION_KIND_NUMBER,  /* 0 .. 2^63-1 */
    OPTION_KIND_SIZE,    /* bytes: "512M", "1G" */
    OPTION_KIND_TIME,    /* nanoseconds: "90", "90s", "5m", "1h" */
    OPTION_KIND_CHOICE,  /* number = index of the word */
    OPTION_KIND_LANGUAGE /* number = enum language: "zh", "zh-CN", "zh_CN.UTF-8" */
};

struct option_row {
    const char *name; /* without the dashes */
    char letter;      /* 0 none */
    enum option_kind kind;
    const char *argument; /* "FILE", or the words of a choice "off|unknown|all"; NULL for a flag */
    unsigned commands;    /* bit per enum command_id */
    const char *fallback; /* NULL none; shown in the help */
    enum text_id help;
};

struct command;

/* What the user typed. Strings borrowed from argv. */
struct arguments {
    const struct command *command;      /* NULL: no word at all */
    const char *text[OPTION_COUNT_ALL]; /* as typed, or the fallback, or NULL */
    int64_t number[OPTION_COUNT_ALL];   /* NUMBER, SIZE, TIME, CHOICE; 0 without a value */
    bool given[OPTION_COUNT_ALL];
    char **words; /* what is no option, after the command; owned */
    size_t word_count;
    char **authorities; /* of --ca, which may come several times; owned by words */
    char **keylogs;     /* of --keylog, likewise */
    size_t authority_count, keylog_count;
};

/* The row of `id`; constant. */
const struct option_row *option_get(enum option_id id);
/* Finds an option by its long name; false when there is none. */
bool option_find(const char *name, enum option_id *out);

/* Reads argv[1..]. Options may stand anywhere, "--" ends them, "-" is a word. The first word names
 * the command, or is a file: then the command is `read`. false with a usage error in `language`. */
bool arguments_parse(int argc, char *const *argv, enum language language, struct arguments *out,
                     struct error *error);
void arguments_free(struct arguments *arguments);

/* The language asked for by --lang or, failing that, by LC_ALL, LC_MESSAGES or LANG. */
enum language arguments_language(int argc, char *const *argv);

#endif
