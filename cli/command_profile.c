#include "cli/learn.h"
#include "cli/profile_print.h"
#include "cli/profile_yaml.h"
#include "cli/result.h"

#include <stdio.h>
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

static bool is_database(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char begin[sizeof(magic)] = "";
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return true; /* the store says better what is wrong with it */
    }
    size_t got = fread(begin, 1, sizeof(begin), in);
    fclose(in);
    return got == sizeof(begin) && memcmp(begin, magic, sizeof(magic)) == 0;
}

static int propose(struct context *context, struct store *store, int64_t capture_id,
                   const char *input)
{
    struct error error = {ERROR_NONE, ""};
    struct learn_site site;
    bool good = learn_gather(store, capture_id, &site, &error);
    if (good) {
        learn_write(&context->view, &site, input);
    }
    learn_free(&site);
    return good ? EXIT_DONE : command_fail(context, &error);
}

static int learn_from_capture(struct context *context, char *path)
{
    struct error error = {ERROR_NONE, ""};
    struct pipeline_result result = {.worst_severity = -1};
    char *paths[] = {path};
    const struct pipeline_options options = {.paths = paths,
                                             .path_count = 1,
                                             .language = context->view.language,
                                             .db = ":memory:",
                                             .ndpi = PIPELINE_NDPI_OFF};
    struct store *store = pipeline_read(&options, &result, &error);
    if (store == NULL) {
        return command_fail(context, &error);
    }
    int status = propose(context, store, result.capture_id, path);
    store_close(store);
    return status == EXIT_DONE && result.cut ? EXIT_INPUT : status;
}

static int learn(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    int status = EXIT_DONE;
    if (arguments->word_count > 1 && !is_database(arguments->words[1])) {
        return learn_from_capture(context, arguments->words[1]);
    }
    const char *path = result_database_at(context, 1, &status);
    struct store *store = path != NULL ? result_open(context, path, &status) : NULL;
    if (store == NULL) {
        return status;
    }
    int64_t capture_id = result_capture(context, store, &status);
    if (capture_id >= 0) {
        status = propose(context, store, capture_id, path);
    }
    store_close(store);
    return status;
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    const char *action = arguments->words[0];
    if (strcmp(action, "check") == 0 && arguments->word_count == 2) {
        return check(context, arguments->words[1]);
    }
    if (strcmp(action, "init") == 0 && arguments->word_count == 1) {
        learn_write_starter(&context->view);
        return EXIT_DONE;
    }
    if (strcmp(action, "learn") == 0) {
        return learn(context);
    }
    return command_fail_usage(context, TEXT_USAGE_PROFILE_ACTION, NULL, 0);
}

const struct command command_profile = {
    .name = "profile",
    .words = "check FILE | init | learn [DB|FILE]",
    .help = TEXT_COMMAND_PROFILE,
    .detail = TEXT_COMMAND_PROFILE_DETAIL,
    .least_words = 1,
    .most_words = 2,
    .run = run,
};
