#include "cli/run_pipeline.h"

#include "cli/keylog_load.h"
#include "cli/names_load.h"
#include "cli/profile_yaml.h"
#include "cli/result.h"
#include "cli/signals.h"
#include "cli/trust_load.h"
#include "dissectors/tls_keys.h"
#include "trust/store.h"

#include <string.h>
#include <unistd.h>

static bool has_input_twice(const struct arguments *arguments)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments->word_count; i++) {
        count += strcmp(arguments->words[i], "-") == 0;
    }
    return count > 1;
}

static bool has_terminal_input(const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->word_count; i++) {
        if (strcmp(arguments->words[i], "-") == 0 && isatty(STDIN_FILENO)) {
            return true;
        }
    }
    return false;
}

static int analyse(const struct context *context, const struct pipeline_options *options)
{
    struct pipeline_result result = {.worst_severity = -1};
    struct error error = {ERROR_NONE, ""};
    struct store *store = pipeline_read(options, &result, &error);
    if (store == NULL) {
        return command_fail(context, &error);
    }
    bool printed = context->arguments->given[OPTION_QUIET] ||
                   result_print(context, store, result.capture_id, &error);
    int status = printed ? EXIT_DONE : command_fail(context, &error);
    store_close(store);
    int outcome = result_status(context, &result);
    return status == EXIT_STORE || outcome == EXIT_DONE ? status : outcome;
}

int run_pipeline(struct context *context, const char *interface)
{
    const struct arguments *arguments = context->arguments;
    struct error error = {ERROR_NONE, ""};
    const struct profile *profile = profile_builtin();
    if (has_input_twice(arguments)) {
        return command_fail_usage(context, TEXT_USAGE_STDIN_TWICE, NULL, 0);
    }
    if (has_terminal_input(arguments)) {
        return command_fail_usage(context, TEXT_USAGE_TERMINAL_INPUT, NULL, 0);
    }
    if (arguments->given[OPTION_PROFILE]) {
        profile = profile_yaml_load(arguments->text[OPTION_PROFILE], &error);
        if (profile == NULL) {
            return command_fail(context, &error);
        }
    }
    struct profile trusting;
    struct trust_store *trust;
    if (!trust_load(arguments, profile, &trusting, &trust, &error)) {
        profile_yaml_free(profile);
        return command_fail(context, &error);
    }
    struct names *names;
    if (!names_load(arguments, &trusting, &names, &error)) {
        trust_store_free(trust);
        profile_yaml_free(profile);
        return command_fail(context, &error);
    }
    struct tls_keys *keys;
    if (!keylog_load(arguments, &keys, &error)) {
        names_free(names);
        trust_store_free(trust);
        profile_yaml_free(profile);
        return command_fail(context, &error);
    }
    const struct pipeline_options options = {
        .paths = arguments->words,
        .path_count = interface == NULL ? arguments->word_count : 0,
        .interface = interface,
        .language = context->view.language,
        .filter = arguments->text[OPTION_FILTER],
        .db = arguments->text[OPTION_DB],
        .append = arguments->given[OPTION_APPEND],
        .profile = &trusting,
        .ndpi = (enum pipeline_ndpi)arguments->number[OPTION_NDPI],
        .memory_bytes = (uint64_t)arguments->number[OPTION_MEMORY],
        .duration_ns = arguments->number[OPTION_DURATION],
        .packet_limit = (uint64_t)arguments->number[OPTION_COUNT],
        .keys = keys,
        .progress = isatty(STDERR_FILENO) && !arguments->given[OPTION_QUIET],
        .stop = signals_stop(),
    };
    int status = analyse(context, &options);
    tls_keys_free(keys);
    names_free(names);
    trust_store_free(trust);
    profile_yaml_free(profile);
    return status;
}
