#include "cli/result.h"
#include "cli/run_table.h"
#include "reports/baseline.h"

#include <string.h>

static int save(struct context *context, const char *path)
{
    struct error error = {ERROR_NONE, ""};
    int status = EXIT_DONE;
    char number[VIEW_TIME_SIZE];
    size_t rows = 0;
    struct store *store = store_open(path, STORE_CHANGE, &error);
    if (store == NULL) {
        return command_fail(context, &error);
    }
    int64_t capture_id = result_capture(context, store, &status);
    if (capture_id < 0) {
        store_close(store);
        return status;
    }
    bool good = baseline_save(store, capture_id, &rows, &error);
    store_close(store);
    if (!good) {
        return command_fail(context, &error);
    }
    view_say(&context->view, TEXT_BASELINE_SAVED,
             &(struct text_value){"rows", view_number((int64_t)rows, number)}, 1);
    fputc('\n', context->view.out);
    return EXIT_DONE;
}

static int check(struct context *context, const char *path)
{
    struct error error = {ERROR_NONE, ""};
    int status = EXIT_DONE;
    size_t rows = 0;
    struct store *store = result_open(context, path, &status);
    int64_t capture_id = store != NULL ? result_capture(context, store, &status) : -1;
    bool good = capture_id >= 0 &&
                baseline_check(&context->view, store, capture_id,
                               context->arguments->given[OPTION_JSON], &rows, &error);
    if (store != NULL) {
        store_close(store);
    }
    return capture_id < 0 ? status : good ? EXIT_DONE : command_fail(context, &error);
}

static int run(struct context *context)
{
    const char *action = context->arguments->words[0];
    int status = EXIT_DONE;
    if (strcmp(action, "show") == 0) {
        return run_table_at(context, TABLE_BASELINES, 1);
    }
    if (strcmp(action, "save") != 0 && strcmp(action, "check") != 0) {
        return command_fail_usage(context, TEXT_USAGE_BASELINE_ACTION, NULL, 0);
    }
    const char *path = result_database_at(context, 1, &status);
    if (path == NULL) {
        return status;
    }
    return strcmp(action, "save") == 0 ? save(context, path) : check(context, path);
}

const struct command command_baseline = {
    .name = "baseline",
    .words = "save|show|check [DB]",
    .help = TEXT_COMMAND_BASELINE,
    .detail = TEXT_COMMAND_BASELINE_DETAIL,
    .least_words = 1,
    .most_words = 2,
    .run = run,
};
