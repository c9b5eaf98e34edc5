#include "core/json.h"
#include "reports/cell.h"
#include "reports/finding_text.h"
#include "reports/reports.h"
#include "reports/table.h"
#include "reports/tables.h"

#include <stdlib.h>

#define COLUMNS 8

struct findings_printer {
    const struct view *view;
    struct store *store;
    const struct table_request *request;
    struct table *table;
    struct json json;
    const int64_t *ids; /* NULL: all */
    size_t id_count;
    int64_t rows;
    struct error *error;
};

static bool is_wanted(const struct findings_printer *printer, int64_t id)
{
    for (size_t i = 0; printer->ids != NULL && i < printer->id_count; i++) {
        if (printer->ids[i] == id) {
            return true;
        }
    }
    return printer->ids == NULL;
}

static void add_row(struct findings_printer *printer, const struct case_finding *finding)
{
    const struct finding_record *record = &finding->record;
    const struct view *view = printer->view;
    struct finding_words words;
    char text[FINDING_TEXT_SIZE];
    finding_words_make(finding, view->language, &words);
    snprintf(text, sizeof(text), "%lld", (long long)record->id);
    table_add(printer->table, text);
    table_add(printer->table,
              text_get(severity_text((enum severity)record->severity), view->language));
    table_add(printer->table, case_info(finding)->code);
    table_add(printer->table, view_number(record->count, text));
    snprintf(text, sizeof(text), "%lld %%", (long long)record->confidence);
    table_add(printer->table, text);
    snprintf(
        text, sizeof(text), "%s%s%s",
        record->confidence < CONFIDENCE_POSSIBLE ? text_get(TEXT_POSSIBLE, view->language) : "",
        record->confidence < CONFIDENCE_POSSIBLE ? text_get(TEXT_REPORT_COLON, view->language) : "",
        text_get(record->state == FINDING_WITHDRAWN ? TEXT_REPORT_WITHDRAWN
                                                    : culprit_text((enum culprit)record->culprit),
                 view->language));
    table_add(printer->table, text);
    table_add(printer->table, finding_path(finding, text));
    table_add(printer->table,
              finding_title(finding, &words, view->language, text));
}

static bool print_finding(struct findings_printer *printer, const struct report_case *loaded,
                          const struct case_finding *finding)
{
    const struct record_table *records = record_table_get(RECORD_FINDING);
    FILE *out = printer->view->out;
    const struct table_request *request = printer->request;
    if (!is_wanted(printer, finding->record.id)) {
        return true;
    }
    if (request->limit > 0 && printer->rows >= request->limit) {
        return false;
    }
    if (request->form == TABLE_AS_JSON) {
        report_json_finding(out, loaded, finding, request->texts, &printer->json);
    } else if (request->form == TABLE_AS_CSV) {
        if (printer->rows == 0) {
            csv_header(out, records, finding->record.first_ns);
        }
        csv_record(out, records, &finding->record);
    } else {
        add_row(printer, finding);
    }
    printer->rows++;
    return ferror(out) == 0;
}

static bool print_capture(void *self, int64_t capture_id)
{
    struct findings_printer *printer = self;
    struct report_case *loaded = case_load(printer->store, capture_id, printer->error);
    if (loaded == NULL) {
        return false;
    }
    bool more = true;
    for (size_t i = 0; more && i < loaded->finding_count; i++) {
        more = print_finding(printer, loaded, &loaded->findings[i]);
    }
    case_free(loaded);
    return true;
}

static bool print_captures(struct findings_printer *printer, struct error *error)
{
    if (printer->request->capture_id != 0) {
        return print_capture(printer, printer->request->capture_id);
    }
    return case_each_capture(printer->store, print_capture, printer, error);
}

bool report_findings(const struct view *view, struct store *store,
                     const struct table_request *request, size_t *out_rows, struct error *error)
{
    const struct table_head heads[COLUMNS] = {
        {text_get(TEXT_HEAD_ID, view->language), true, true},
        {text_get(TEXT_HEAD_SEVERITY, view->language), false, true},
        {text_get(TEXT_HEAD_CODE, view->language), false, true},
        {text_get(TEXT_HEAD_COUNT, view->language), true, true},
        {text_get(TEXT_HEAD_CONFIDENCE, view->language), true, true},
        {text_get(TEXT_HEAD_CULPRIT, view->language), false, false},
        {text_get(TEXT_HEAD_PATH, view->language), false, false},
        {text_get(TEXT_HEAD_TITLE, view->language), false, false}};
    int64_t *ids = NULL;
    size_t id_count = 0;
    struct table_request all = *request;
    all.limit = 0;
    if (request->where != NULL && !table_find_ids(store, "findings", "id", "capture_id = %lld",
                                                  &all, &ids, &id_count, error)) {
        return false;
    }
    static const int64_t none[1];
    struct findings_printer printer = {.view = view,
                                       .store = store,
                                       .request = request,
                                       .error = error,
                                       .table = table_new(heads, COLUMNS),
                                       .id_count = id_count,
                                       .ids = request->where == NULL ? NULL
                                              : ids != NULL          ? ids
                                                                     : none};
    bool good = printer.table != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    if (good) {
        table_stream(printer.table, view);
    }
    json_init(&printer.json);
    good = good && print_captures(&printer, error);
    if (good && request->form == TABLE_AS_TEXT) {
        table_print(printer.table, view);
    } else if (good && request->form == TABLE_AS_CSV && printer.rows == 0) {
        csv_header(view->out, record_table_get(RECORD_FINDING), 0);
    }
    json_free(&printer.json);
    table_free(printer.table);
    free(ids);
    *out_rows = (size_t)printer.rows;
    return good;
}
