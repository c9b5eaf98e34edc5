#include "reports/incidents.h"

#include "reports/finding_text.h"

#include <stdlib.h>
#include <string.h>

struct steps {
    const struct view *view;
    const struct report_case *loaded;
};

static void say_server(const struct incident_record *incident, char *out, size_t size)
{
    char endpoint[ENDPOINT_TEXT_SIZE];
    endpoint_to_text(&incident->server_ip, incident->server_port, endpoint);
    if (incident->name != NULL && incident->name[0] != '\0') {
        snprintf(out, size, "%s (%s)", incident->name, endpoint);
    } else {
        snprintf(out, size, "%s", endpoint);
    }
}

static bool print_step(void *self, const void *record)
{
    const struct steps *steps = self;
    const struct incident_step_record *step = record;
    const struct case_finding *finding = case_find(steps->loaded, step->finding_id);
    char text[FINDING_TEXT_SIZE], time[VIEW_TIME_SIZE], label[FINDING_TEXT_SIZE + 128];
    struct finding_words words;
    if (finding == NULL) {
        return true;
    }
    finding_words_make(finding, steps->view->language, &words);
    finding_title(finding, &words, steps->view->language, text);
    int used = snprintf(label, sizeof(label), "  %s  ", view_time(step->time_ns, time));
    fputs(label, steps->view->out);
    snprintf(label, sizeof(label), "%s [%s %lld]", text, case_info(finding)->code,
             (long long)step->finding_id);
    view_wrap(steps->view, label, 4, (size_t)used);
    return true;
}

/* What else may explain it, in words, joined. */
static void say_rivals(const struct view *view, const char *codes, char *out, size_t size)
{
    const char *comma = text_get(TEXT_LIST_COMMA, view->language);
    out[0] = '\0';
    for (const char *at = codes != NULL ? codes : ""; *at != '\0';) {
        char code[64];
        enum rival rival;
        size_t len = strcspn(at, ","), used = strlen(out);
        if (len > 0 && len < sizeof(code)) {
            memcpy(code, at, len);
            code[len] = '\0';
            if (rival_find(code, &rival)) {
                snprintf(out + used, size - used, "%s%s", used > 0 ? comma : "",
                         rival_get(rival)->name[view->language]);
            }
        }
        at += len + (at[len] == ',');
    }
}

struct printer {
    const struct view *view;
    struct store *store;
    struct error *error;
    size_t rows;
    struct incident_record *incidents;
    size_t count;
};

static bool keep(void *self, const void *record)
{
    struct printer *printer = self;
    struct incident_record *grown =
        realloc(printer->incidents, (printer->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    printer->incidents = grown;
    printer->incidents[printer->count++] = *(const struct incident_record *)record;
    return true;
}

static bool print_incident(struct printer *printer, const struct incident_record *incident)
{
    char server[512], id[32], score[32], where[64], rivals[FINDING_TEXT_SIZE];
    struct report_case *loaded = case_load(printer->store, incident->capture_id, printer->error);
    if (loaded == NULL) {
        return false;
    }
    say_server(incident, server, sizeof(server));
    snprintf(id, sizeof(id), "%lld", (long long)incident->id);
    snprintf(score, sizeof(score), "%lld", (long long)incident->score);
    const struct text_value values[] = {{"id", id},
                                        {"server", server},
                                        {"score", score},
                                        {"terms", incident->terms != NULL ? incident->terms : ""}};
    fputs(view_tone(printer->view, TONE_STRONG), printer->view->out);
    view_say(printer->view, TEXT_INCIDENT_HEAD, values, 4);
    fprintf(printer->view->out, "%s\n", view_plain(printer->view));
    view_say(printer->view, TEXT_INCIDENT_TERMS, values, 4);
    fputc('\n', printer->view->out);
    say_rivals(printer->view, incident->rivals, rivals, sizeof(rivals));
    if (rivals[0] != '\0') {
        char line[FINDING_TEXT_SIZE + 64];
        text_format(line, sizeof(line), text_get(TEXT_INCIDENT_RIVALS, printer->view->language),
                    &(struct text_value){"rivals", rivals}, 1);
        view_wrap(printer->view, line, 4, 0);
    }
    struct steps steps = {printer->view, loaded};
    snprintf(where, sizeof(where), "incident_id = %lld", (long long)incident->id);
    bool good = store_select(printer->store, RECORD_INCIDENT_STEP, where, NULL, 0, false, print_step,
                             &steps, printer->error);
    case_free(loaded);
    return good;
}

bool report_incidents(const struct view *view, struct store *store,
                      const struct table_request *request, size_t *out_rows, struct error *error)
{
    struct printer printer = {.view = view, .store = store, .error = error};
    int64_t *ids = NULL;
    size_t count = 0;
    char where[64];
    if (!table_find_ids(store, "incidents", "id", "capture_id = %lld", request, &ids, &count,
                        error)) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        snprintf(where, sizeof(where), "id = %lld", (long long)ids[i]);
        good = store_select(store, RECORD_INCIDENT, where, NULL, 0, true, keep, &printer, error);
    }
    free(ids);
    if (good && printer.count == 0) {
        view_say(view, TEXT_INCIDENT_NONE, NULL, 0);
        fputc('\n', view->out);
    }
    for (size_t i = 0; good && i < printer.count; i++) {
        good = print_incident(&printer, &printer.incidents[i]);
    }
    *out_rows = printer.count;
    free(printer.incidents);
    return good;
}
