#include "cli/command.h"
#include "cli/help.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND(id, name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

static const struct command *const commands[COMMAND_COUNT] = {
#define COMMAND(id, name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
};

const struct command *command_get(enum command_id id)
{
    return commands[id];
}

bool command_find(const char *name, enum command_id *out)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            *out = (enum command_id)i;
            return true;
        }
    }
    return false;
}

enum command_id command_id_of(const struct command *command)
{
    enum command_id id = COMMAND_READ;
    (void)command_find(command->name, &id);
    return id;
}

static int status_of(const struct error *error)
{
    switch (error->code) {
    case ERROR_NONE:
        return EXIT_DONE;
    case ERROR_USAGE:
        return EXIT_USAGE;
    case ERROR_INPUT:
        return EXIT_INPUT;
    case ERROR_STORE:
        return EXIT_STORE;
    case ERROR_RUNTIME:
        break;
    }
    return EXIT_RUNTIME;
}

static void print_hint(enum language language, enum text_id id, const char *command)
{
    char hint[256];
    const struct text_value value = {"command", command};
    text_format(hint, sizeof(hint), text_get(id, language), &value, 1);
    fprintf(stderr, "%s\n", hint);
}

/* An error whose sentence is in the user's language already. */
static int fail(enum language language, const char *command, const struct error *error)
{
    fprintf(stderr, "invcap: %s\n", error->text);
    if (error->code == ERROR_USAGE) {
        print_hint(language, command != NULL ? TEXT_USAGE_HINT_COMMAND : TEXT_USAGE_HINT, command);
    }
    return status_of(error);
}

void command_print_error(enum language language, const struct error *error)
{
    static const enum text_id frames[] = {[ERROR_NONE] = TEXT_ERROR_FRAME_RUNTIME,
                                          [ERROR_USAGE] = TEXT_ERROR_FRAME_USAGE,
                                          [ERROR_INPUT] = TEXT_ERROR_FRAME_INPUT,
                                          [ERROR_STORE] = TEXT_ERROR_FRAME_STORE,
                                          [ERROR_RUNTIME] = TEXT_ERROR_FRAME_RUNTIME};
    char text[2 * sizeof(error->text)];
    const struct text_value value = {"detail", error->text};
    text_format(text, sizeof(text), text_get(frames[error->code], language), &value, 1);
    fprintf(stderr, "invcap: %s\n", text);
}

/* What is wrong stands in a file or in SQL, which the list of options would not help with. */
static enum text_id hint_of(const struct arguments *arguments)
{
    enum command_id command = command_id_of(arguments->command);
    if (arguments->given[OPTION_WHERE] || command == COMMAND_SQL) {
        return TEXT_USAGE_HINT_COLUMNS;
    }
    return arguments->given[OPTION_PROFILE] || command == COMMAND_PROFILE ? TEXT_USAGE_HINT_PROFILE
                                                                          : TEXT_USAGE_HINT_COMMAND;
}

int command_fail(const struct context *context, const struct error *error)
{
    command_print_error(context->view.language, error);
    if (error->code == ERROR_USAGE) {
        print_hint(context->view.language, hint_of(context->arguments),
                   context->arguments->command->name);
    }
    return status_of(error);
}

int command_fail_usage(const struct context *context, enum text_id id,
                       const struct text_value *values, size_t count)
{
    struct error error;
    char text[512];
    text_format(text, sizeof(text), text_get(id, context->view.language), values, count);
    (void)error_set(&error, ERROR_USAGE, "%s", text);
    return fail(context->view.language, context->arguments->command->name, &error);
}

static int run_command(const struct arguments *arguments, enum language language)
{
    struct context context = {arguments, view_of(stdout, language)};
    const char *zone = arguments->text[OPTION_TZ];
    if (!view_set_zone(zone)) {
        return command_fail_usage(&context, TEXT_USAGE_BAD_ZONE, &(struct text_value){"zone", zone},
                                  1);
    }
    if (arguments->given[OPTION_HELP]) {
        help_print_command(&context.view, arguments->command);
        return EXIT_DONE;
    }
    if (arguments->given[OPTION_VERSION]) {
        return command_version.run(&context);
    }
    return arguments->command->run(&context);
}

static int run_without_command(const struct arguments *arguments, enum language language)
{
    struct context context = {arguments, view_of(stdout, language)};
    if (arguments->given[OPTION_VERSION]) {
        return command_version.run(&context);
    }
    if (arguments->given[OPTION_HELP]) {
        help_print_short(&context.view);
        return EXIT_DONE;
    }
    struct view complaint = view_of(stderr, language);
    help_print_short(&complaint);
    return EXIT_USAGE;
}

/* A reader that went away (EPIPE) is no trouble of ours; a full disk is. */
static int finish_output(int status)
{
    bool bad = ferror(stdout) != 0;
    errno = 0;
    bad = fflush(stdout) != 0 || bad;
    if (bad && errno != EPIPE && errno != 0 && status == EXIT_DONE) {
        fprintf(stderr, "invcap: standard output: %s\n", strerror(errno));
        return EXIT_RUNTIME;
    }
    return status;
}

int cli_run(int argc, char *const *argv)
{
    enum language language = arguments_language(argc, argv);
    struct arguments arguments;
    struct error error = {ERROR_NONE, ""};
    if (!arguments_parse(argc, argv, language, &arguments, &error)) {
        return fail(language, NULL, &error);
    }
    int status = arguments.command != NULL ? run_command(&arguments, language)
                                           : run_without_command(&arguments, language);
    arguments_free(&arguments);
    return finish_output(status);
}
