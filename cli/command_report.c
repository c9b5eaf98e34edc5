#include "cli/result.h"
#include "reports/case.h"
#include "reports/quality.h"
#include "reports/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_CSV 3 /* of --format text|json|md|csv */

struct report_run {
    struct context context;
    struct store *store;
    struct pipeline_result worst;
    struct error error;
};

static bool find_worst(void *self, const void *record)
{
    struct pipeline_result *worst = self;
    const struct finding_record *finding = record;
    if (finding->state != FINDING_WITHDRAWN && (int)finding->severity > worst->worst_severity) {
        worst->worst_severity = finding->severity;
    }
    return true;
}

static bool is_csv(const struct report_run *run)
{
    return run->context.arguments->number[OPTION_FORMAT] == FORMAT_CSV &&
           !run->context.arguments->given[OPTION_JSON];
}

static bool report_one(void *self, int64_t capture_id)
{
    struct report_run *run = self;
    return result_print(&run->context, run->store, capture_id, &run->error);
}

/* A table has no room for it: the quality of a capture goes to the other stream. */
static bool say_quality(void *self, int64_t capture_id)
{
    struct report_run *run = self;
    struct report_case *loaded = case_load_head(run->store, capture_id, &run->error);
    struct quality quality;
    char text[QUALITY_TEXT_SIZE];
    if (loaded == NULL) {
        return false;
    }
    quality_of(&loaded->capture, loaded->sources, loaded->source_count, &quality);
    fprintf(stderr, "%s %d/100 %s\n", text_get(TEXT_REPORT_QUALITY, run->context.view.language),
            quality.score, quality_text(&quality, run->context.view.language, text));
    case_free(loaded);
    return true;
}

static bool say_qualities(struct report_run *run, int64_t capture_id)
{
    return capture_id > 0 ? say_quality(run, capture_id)
                          : case_each_capture(run->store, say_quality, run, &run->error);
}

/* capture_id 0: every capture, as pages one after the other, or as one table. */
static bool report_captures(struct report_run *run, int64_t capture_id)
{
    const struct table_request request = {.form = TABLE_AS_CSV, .capture_id = capture_id};
    size_t rows = 0;
    if (is_csv(run)) {
        return say_qualities(run, capture_id) &&
               report_findings(&run->context.view, run->store, &request, &rows, &run->error);
    }
    return capture_id > 0 ? report_one(run, capture_id)
                          : case_each_capture(run->store, report_one, run, &run->error);
}

static int report_all(struct report_run *run)
{
    char where[64] = "1";
    int status = EXIT_DONE;
    int64_t capture_id = result_capture(&run->context, run->store, &status);
    if (capture_id < 0) {
        return status;
    }
    if (capture_id > 0) {
        snprintf(where, sizeof(where), "capture_id = %lld", (long long)capture_id);
    }
    bool good = store_select(run->store, RECORD_FINDING, where, NULL, -1, false, find_worst,
                             &run->worst, &run->error) &&
                report_captures(run, capture_id);
    return good && run->error.code == ERROR_NONE ? result_status(&run->context, &run->worst)
                                                 : command_fail(&run->context, &run->error);
}

/* Reports into a file take its name only when they are whole. */
static int report_to_file(struct report_run *run, const char *path)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.part", path) >= (int)sizeof(temporary)) {
        (void)error_set(&run->error, ERROR_USAGE, "%s: the name is too long", path);
        return command_fail(&run->context, &run->error);
    }
    FILE *out = fopen(temporary, "w");
    if (out == NULL) {
        (void)error_set(&run->error, ERROR_RUNTIME, "%s: cannot be written: %s", path,
                        strerror(errno));
        return command_fail(&run->context, &run->error);
    }
    run->context.view = view_of(out, run->context.view.language);
    int status = report_all(run);
    bool bad = ferror(out) != 0;
    bad = fclose(out) != 0 || bad;
    if (bad || run->error.code != ERROR_NONE || rename(temporary, path) != 0) {
        unlink(temporary);
        if (run->error.code == ERROR_NONE) {
            (void)error_set(&run->error, ERROR_RUNTIME, "%s: cannot be written: %s", path,
                            strerror(errno));
            status = command_fail(&run->context, &run->error);
        }
    }
    return status;
}

static int run_report(struct context *context)
{
    struct report_run run = {.context = *context, .worst = {.worst_severity = -1}};
    const char *output = context->arguments->text[OPTION_OUTPUT];
    int status = EXIT_DONE;
    const char *path = result_database(context, &status);
    if (path == NULL) {
        return status;
    }
    run.store = result_open(context, path, &status);
    if (run.store == NULL) {
        return status;
    }
    status = output != NULL && strcmp(output, "-") != 0 ? report_to_file(&run, output)
                                                        : report_all(&run);
    store_close(run.store);
    return status;
}

const struct command command_report = {
    .name = "report",
    .words = "[DB]",
    .help = TEXT_COMMAND_REPORT,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run_report,
};
