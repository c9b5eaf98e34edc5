#include "cli/result.h"
#include "cli/suggest.h"
#include "core/json.h"

#include <string.h>

static int fail_unknown_code(const struct context *context, const char *typed)
{
    const char *codes[FINDING_COUNT];
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        codes[i] = catalogue_get((enum finding_code)i)->code;
    }
    const char *guess = suggest_nearest(typed, codes, FINDING_COUNT);
    const struct text_value values[] = {{"code", typed}, {"guess", guess}};
    return command_fail_usage(
        context, guess != NULL ? TEXT_USAGE_UNKNOWN_CODE_GUESS : TEXT_USAGE_UNKNOWN_CODE, values,
        guess != NULL ? 2 : 1);
}

static bool take_capture(void *self, const void *record)
{
    *(int64_t *)self = ((const struct finding_record *)record)->capture_id;
    return false;
}

static int fail_no_finding(const struct context *context, struct store *store, int64_t id)
{
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)id);
    const struct text_value values[] = {{"db", store_path(store)}, {"id", number}};
    return command_fail_usage(context, TEXT_USAGE_NO_FINDING, values, 2);
}

static int explain(const struct context *context, struct store *store, int64_t id)
{
    const struct arguments *arguments = context->arguments;
    struct error error = {ERROR_NONE, ""};
    int64_t capture_id = 0;
    char where[64];
    bool good = true;
    snprintf(where, sizeof(where), "id = %lld", (long long)id);
    if (!store_select(store, RECORD_FINDING, where, NULL, 1, false, take_capture, &capture_id,
                      &error)) {
        return command_fail(context, &error);
    }
    if (capture_id == 0) {
        return fail_no_finding(context, store, id);
    }
    struct report_case *loaded = case_load(store, capture_id, &error);
    const struct case_finding *finding = loaded != NULL ? case_find(loaded, id) : NULL;
    if (finding == NULL) {
        case_free(loaded);
        return command_fail(context, &error);
    }
    if (arguments->given[OPTION_TICKET]) {
        report_ticket(&context->view, loaded, finding);
    } else if (arguments->given[OPTION_JSON]) {
        struct json json;
        json_init(&json);
        report_json_finding(context->view.out, loaded, finding, result_texts(arguments), &json);
        json_free(&json);
    } else {
        good = report_explain_finding(&context->view, loaded, finding, &error);
    }
    case_free(loaded);
    return good ? EXIT_DONE : command_fail(context, &error);
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    int status = EXIT_DONE;
    if (arguments->given[OPTION_FINDING] == (arguments->word_count == 1)) {
        return command_fail_usage(context, TEXT_USAGE_CODE_OR_FINDING, NULL, 0);
    }
    if (arguments->word_count == 1) {
        enum finding_code code;
        if (arguments->given[OPTION_JSON] || arguments->given[OPTION_TICKET]) {
            return command_fail_usage(context, TEXT_USAGE_NEEDS_FINDING, NULL, 0);
        }
        if (!catalogue_find(arguments->words[0], &code)) {
            return fail_unknown_code(context, arguments->words[0]);
        }
        report_explain_code(&context->view, code);
        return EXIT_DONE;
    }
    struct store *store = result_open(context, arguments->text[OPTION_DB], &status);
    if (store == NULL) {
        return status;
    }
    status = explain(context, store, arguments->number[OPTION_FINDING]);
    store_close(store);
    return status;
}

const struct command command_explain = {
    .name = "explain",
    .words = "CODE | --finding ID",
    .help = TEXT_COMMAND_EXPLAIN,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
