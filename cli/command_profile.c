#include "cli/command.h"
#include "cli/profile_print.h"
#include "cli/profile_yaml.h"

#include <string.h>

static size_t count_dependencies(const struct profile *profile)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->service_count; i++) {
        count += profile->services[i].dependency != DEPENDENCY_NONE;
    }
    return count;
}

static int check(struct context *context, const char *path)
{
    struct error error = {ERROR_NONE, ""};
    char services[VIEW_TIME_SIZE], dependencies[VIEW_TIME_SIZE];
    const struct profile *profile = profile_yaml_load(path, &error);
    if (profile == NULL) {
        return command_fail(context, &error);
    }
    size_t needed = count_dependencies(profile);
    const struct text_value values[] = {
        {"file", path},
        {"name", profile->name},
        {"count", view_number((int64_t)(profile->service_count - needed), services)},
        {"dependencies", view_number((int64_t)needed, dependencies)}};
    view_say(&context->view, TEXT_PROFILE_GOOD, values, 4);
    fputc('\n', context->view.out);
    profile_print(&context->view, profile);
    profile_yaml_free(profile);
    return EXIT_DONE;
}

static int run(struct context *context)
{
    char **words = context->arguments->words;
    if (strcmp(words[0], "check") != 0) {
        return command_fail_usage(context, TEXT_USAGE_PROFILE_ACTION, NULL, 0);
    }
    return check(context, words[1]);
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
