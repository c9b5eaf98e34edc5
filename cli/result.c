#include "cli/result.h"

#include "cli/signals.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_MARKDOWN, FORMAT_CSV };

const enum language *result_texts(const struct arguments *arguments)
{
    static const enum language languages[] = {LANG_EN, LANG_ZH};
    return arguments->given[OPTION_TEXT] ? &languages[arguments->number[OPTION_TEXT]] : NULL;
}

static enum format format_of(const struct arguments *arguments)
{
    if (arguments->given[OPTION_JSON]) {
        return FORMAT_JSON;
    }
    return (enum format)arguments->number[OPTION_FORMAT];
}

bool result_print(const struct context *context, struct store *store, int64_t capture_id,
                  struct error *error)
{
    struct report_case *loaded = case_load(store, capture_id, error);
    bool good = true;
    if (loaded == NULL) {
        return false;
    }
    switch (format_of(context->arguments)) {
    case FORMAT_JSON:
        good = report_json(context->view.out, loaded, result_texts(context->arguments), error);
        break;
    case FORMAT_MARKDOWN:
        report_markdown(&context->view, loaded);
        break;
    case FORMAT_CSV: /* cli/command_report.c prints it: a table, not a page */
    case FORMAT_TEXT:
        report_text(&context->view, loaded);
        break;
    }
    case_free(loaded);
    return good;
}

static bool reaches_limit(const struct context *context, const struct pipeline_result *result)
{
    return context->arguments->given[OPTION_FAIL_ON] &&
           result->worst_severity >= (int)context->arguments->number[OPTION_FAIL_ON];
}

int result_status(const struct context *context, const struct pipeline_result *result)
{
    int stop = (int)*signals_stop();
    if (result->interrupted && stop != 0) {
        return EXIT_SIGNAL + stop;
    }
    if (result->cut || result->input_error.code == ERROR_INPUT) {
        return EXIT_INPUT;
    }
    if (result->input_error.code != ERROR_NONE) {
        return EXIT_RUNTIME;
    }
    return reaches_limit(context, result) ? EXIT_FINDINGS : EXIT_DONE;
}

const char *result_database_at(const struct context *context, size_t word, int *status)
{
    const struct arguments *arguments = context->arguments;
    if (arguments->word_count <= word) {
        return arguments->text[OPTION_DB];
    }
    if (arguments->given[OPTION_DB]) {
        *status = command_fail_usage(context, TEXT_USAGE_DB_TWICE,
                                     &(struct text_value){"db", arguments->words[word]}, 1);
        return NULL;
    }
    return arguments->words[word];
}

const char *result_database(const struct context *context, int *status)
{
    return result_database_at(context, 0, status);
}

struct store *result_open(const struct context *context, const char *path, int *status)
{
    struct error error = {ERROR_NONE, ""};
    struct store *store = store_open(path, STORE_READ, &error);
    if (store == NULL) {
        *status = command_fail(context, &error);
    }
    return store;
}

int64_t result_capture(const struct context *context, struct store *store, int *status)
{
    const struct arguments *arguments = context->arguments;
    struct error error = {ERROR_NONE, ""};
    if (arguments->given[OPTION_CAPTURE] && arguments->given[OPTION_ALL]) {
        *status = command_fail_usage(context, TEXT_USAGE_CAPTURE_OR_ALL, NULL, 0);
        return -1;
    }
    if (arguments->given[OPTION_ALL]) {
        return 0;
    }
    if (arguments->given[OPTION_CAPTURE]) {
        return arguments->number[OPTION_CAPTURE];
    }
    int64_t last = store_last_capture(store, &error);
    if (error.code == ERROR_NONE && last == 0) {
        struct view view = view_of(stderr, context->view.language);
        const struct text_value value = {"db", store_path(store)};
        fputs("invcap: ", stderr);
        view_say(&view, TEXT_NOTE_NO_CAPTURE, &value, 1);
        fputc('\n', stderr);
        *status = EXIT_STORE;
        return -1;
    }
    if (error.code != ERROR_NONE) {
        *status = command_fail(context, &error);
        return -1;
    }
    return last;
}
