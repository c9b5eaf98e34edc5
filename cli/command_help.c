#include "cli/help.h"

#include "cli/suggest.h"

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    enum command_id id;
    if (arguments->word_count == 0) {
        help_print_short(&context->view);
        return EXIT_DONE;
    }
    if (command_find(arguments->words[0], &id)) {
        help_print_command(&context->view, command_get(id));
        return EXIT_DONE;
    }
    const char *names[COMMAND_COUNT];
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        names[i] = command_get((enum command_id)i)->name;
    }
    const char *guess = suggest_nearest(arguments->words[0], names, COMMAND_COUNT);
    const struct text_value values[] = {{"typed", arguments->words[0]}, {"guess", guess}};
    return command_fail_usage(
        context, guess != NULL ? TEXT_USAGE_UNKNOWN_COMMAND_GUESS : TEXT_USAGE_UNKNOWN_COMMAND,
        values, guess != NULL ? 2 : 1);
}

const struct command command_help = {
    .name = "help",
    .words = "[COMMAND]",
    .help = TEXT_COMMAND_HELP,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
