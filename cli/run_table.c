#include "cli/run_table.h"

#include "cli/result.h"
#include "reports/incidents.h"
#include "reports/reports.h"

#include <unistd.h>

#define LIMIT_TERMINAL 100

/* One row more than shown would have to be asked for; the hint comes when the limit was ours. */
static void hint_limit(const struct context *context, const struct table_request *request)
{
    char number[VIEW_TIME_SIZE];
    if (context->arguments->given[OPTION_LIMIT] || request->limit == 0) {
        return;
    }
    struct view hint = view_of(stderr, context->view.language);
    view_say(&hint, TEXT_NOTE_LIMITED,
             &(struct text_value){"shown", view_number(request->limit, number)}, 1);
    fputc('\n', stderr);
}

/* What a table shows of a capture is as sound as the capture. */
static bool print_quality(const struct context *context, struct store *store, int64_t capture_id,
                          struct error *error)
{
    struct report_case *loaded = case_load_head(store, capture_id, error);
    if (loaded == NULL) {
        return false;
    }
    report_quality(&context->view, loaded);
    fputc('\n', context->view.out);
    case_free(loaded);
    return true;
}

static int print_table(const struct context *context, struct store *store, enum table_kind kind)
{
    const struct arguments *arguments = context->arguments;
    struct error error = {ERROR_NONE, ""};
    int status = EXIT_DONE;
    bool plain = !arguments->given[OPTION_JSON] && !arguments->given[OPTION_CSV];
    bool all = (kind == TABLE_CAPTURES && !arguments->given[OPTION_CAPTURE]) ||
               kind == TABLE_BASELINES;
    struct table_request request = {
        .form = arguments->given[OPTION_JSON]  ? TABLE_AS_JSON
                : arguments->given[OPTION_CSV] ? TABLE_AS_CSV
                                               : TABLE_AS_TEXT,
        .where = arguments->text[OPTION_WHERE],
        .limit = arguments->number[OPTION_LIMIT],
        .capture_id = all ? 0 : result_capture(context, store, &status),
        .texts = result_texts(arguments),
    };
    if (request.capture_id < 0) {
        return status;
    }
    if (plain && !arguments->given[OPTION_LIMIT] && isatty(STDOUT_FILENO)) {
        request.limit = LIMIT_TERMINAL;
    }
    if (plain && request.capture_id > 0 &&
        !print_quality(context, store, request.capture_id, &error)) {
        return command_fail(context, &error);
    }
    size_t rows = 0;
    bool good = kind == TABLE_KIND_COUNT
                    ? report_findings(&context->view, store, &request, &rows, &error)
                : kind == TABLE_INCIDENTS && plain
                    ? report_incidents(&context->view, store, &request, &rows, &error)
                    : report_table(&context->view, store, kind, &request, &rows, &error);
    if (!good) {
        return command_fail(context, &error);
    }
    if (request.limit > 0 && rows >= (size_t)request.limit) {
        hint_limit(context, &request);
    }
    return EXIT_DONE;
}

int run_table(const struct context *context, enum table_kind kind)
{
    return run_table_at(context, kind, 0);
}

int run_table_at(const struct context *context, enum table_kind kind, size_t word)
{
    int status = EXIT_DONE;
    if (context->arguments->given[OPTION_JSON] && context->arguments->given[OPTION_CSV]) {
        return command_fail_usage(context, TEXT_USAGE_ONE_FORM, NULL, 0);
    }
    const char *path = result_database_at(context, word, &status);
    struct store *store = path != NULL ? result_open(context, path, &status) : NULL;
    if (store == NULL) {
        return status;
    }
    status = print_table(context, store, kind);
    store_close(store);
    return status;
}
