#include "cli/command.h"
#include "cli/profile_print.h"
#include "cli/profile_yaml.h"

#include <string.h>

static int run(struct context *context)
{
    char **words = context->arguments->words;
    struct error error = {ERROR_NONE, ""};
    char count[VIEW_TIME_SIZE];
    if (strcmp(words[0], "check") != 0) {
        return command_fail_usage(context, TEXT_USAGE_PROFILE_ACTION, NULL, 0);
    }
    const struct profile *profile = profile_yaml_load(words[1], &error);
    if (profile == NULL) {
        return command_fail(context, &error);
    }
    const struct text_value values[] = {
        {"file", words[1]},
        {"name", profile->name},
        {"count", view_number((int64_t)profile->service_count, count)}};
    view_say(&context->view, TEXT_PROFILE_GOOD, values, 3);
    fputc('\n', context->view.out);
    profile_print(&context->view, profile);
    profile_yaml_free(profile);
    return EXIT_DONE;
}

const struct command command_profile = {
    .name = "profile",
    .words = "check FILE",
    .help = TEXT_COMMAND_PROFILE,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 2,
    .most_words = 2,
    .run = run,
};
