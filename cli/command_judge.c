#include "cli/names_load.h"
#include "cli/profile_yaml.h"
#include "cli/result.h"
#include "cli/trust_load.h"
#include "trust/store.h"

struct judge {
    const struct context *context;
    struct store *store;
    const struct profile *profile;
    struct pipeline_result worst; /* over the captures */
    struct error error;
};

static bool judge_one(void *self, int64_t capture_id)
{
    struct judge *judge = self;
    struct pipeline_result result = {.worst_severity = -1};
    if (!pipeline_judge(judge->store, judge->profile, capture_id,
                        (uint64_t)judge->context->arguments->number[OPTION_MEMORY], &result, &judge->error)) {
        return false;
    }
    if (result.worst_severity > judge->worst.worst_severity) {
        judge->worst.worst_severity = result.worst_severity;
    }
    return judge->context->arguments->given[OPTION_QUIET] ||
           result_print(judge->context, judge->store, capture_id, &judge->error);
}

static int judge_all(struct judge *judge)
{
    int status = EXIT_DONE;
    int64_t capture_id = result_capture(judge->context, judge->store, &status);
    if (capture_id < 0) {
        return status;
    }
    bool good = capture_id > 0 ? judge_one(judge, capture_id)
                               : case_each_capture(judge->store, judge_one, judge, &judge->error);
    return good ? result_status(judge->context, &judge->worst)
                : command_fail(judge->context, &judge->error);
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    struct judge judge = {
        .context = context, .profile = profile_builtin(), .worst = {.worst_severity = -1}};
    int status = EXIT_DONE;
    const char *path = result_database(context, &status);
    if (path == NULL) {
        return status;
    }
    if (arguments->given[OPTION_PROFILE]) {
        judge.profile = profile_yaml_load(arguments->text[OPTION_PROFILE], &judge.error);
    }
    if (judge.profile == NULL) {
        return command_fail(context, &judge.error);
    }
    const struct profile *profile = judge.profile;
    struct profile trusting;
    struct trust_store *trust;
    if (!trust_load(arguments, profile, &trusting, &trust, &judge.error)) {
        profile_yaml_free(profile);
        return command_fail(context, &judge.error);
    }
    struct names *names;
    if (!names_load(arguments, &trusting, &names, &judge.error)) {
        trust_store_free(trust);
        profile_yaml_free(profile);
        return command_fail(context, &judge.error);
    }
    judge.profile = &trusting;
    judge.store = store_open(path, STORE_CHANGE, &judge.error);
    status = judge.store != NULL ? judge_all(&judge) : command_fail(context, &judge.error);
    if (judge.store != NULL) {
        store_close(judge.store);
    }
    names_free(names);
    trust_store_free(trust);
    profile_yaml_free(profile);
    return status;
}

const struct command command_judge = {
    .name = "judge",
    .words = "[DB]",
    .help = TEXT_COMMAND_JUDGE,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
