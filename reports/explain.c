#include "reports/extent_text.h"
#include "reports/reports.h"
#include "reports/waterfall.h"

#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 11
#define LADDER_HEAD 8
#define LADDER_TAIL 16
#define NEXT_BELOW 80 /* FINDINGS.md: below this confidence the next capture is named */

static const char *say(const struct view *view, enum text_id id)
{
    return text_get(id, view->language);
}

static void paragraph(const struct view *view, const struct finding_words *words,
                      enum text_id label, enum text_id id)
{
    char text[FINDING_TEXT_SIZE];
    finding_sentence(words, id, view->language, text);
    if (text[0] != '\0') {
        view_labelled(view, say(view, label), LABEL_COLUMNS, text);
    }
}

static bool has_value(const struct case_finding *finding, const char *name)
{
    for (size_t i = 0; i < finding->value_count; i++) {
        if (strcmp(finding->values[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void print_heading(const struct view *view, const char *title, unsigned severity,
                          const char *code)
{
    fprintf(view->out, "%s%s%s  %s%s%s", view_tone(view, report_tone(severity)),
            say(view, severity_text((enum severity)severity)), view_plain(view),
            view_tone(view, TONE_DIM), code, view_plain(view));
    fputc('\n', view->out);
    fputs(view_tone(view, TONE_STRONG), view->out);
    view_wrap(view, title, 0, 0);
    fputs(view_plain(view), view->out);
}

struct rival_printer {
    const struct view *view;
    bool first;
};

static void print_rival(void *self, const struct rival_info *rival)
{
    struct rival_printer *printer = self;
    const struct view *view = printer->view;
    char line[FINDING_TEXT_SIZE];
    const struct text_value values[] = {{"rival", rival->name[view->language]},
                                        {"excluded", rival->excluded_by[view->language]}};
    text_format(line, sizeof(line), say(view, TEXT_REPORT_RIVAL), values, 2);
    view_labelled(view, printer->first ? say(view, TEXT_REPORT_RIVALS) : "", LABEL_COLUMNS, line);
    printer->first = false;
}

/* ---- the ladder of a connection ---- */
struct ladder {
    struct flow_event_record events[FLOW_EVENTS_MAX];
    size_t count;
};

static bool keep_step(void *self, const void *record)
{
    struct ladder *ladder = self;
    if (ladder->count < FLOW_EVENTS_MAX) {
        memcpy(&ladder->events[ladder->count++], record, sizeof(ladder->events[0]));
    }
    return true;
}

/* "  (timeout, fills-hole, 98 %)": what is known besides the kind; "" when nothing is. */
static void step_words(const struct view *view, const struct flow_event_record *event, char *out,
                       size_t size)
{
    const char *note = event_note_name(event->note), *reason = event_reason_name(event->reason);
    char words[96], shown[160];
    out[0] = '\0';
    if (note[0] == '\0' && reason[0] == '\0') {
        return;
    }
    snprintf(words, sizeof(words), "%s%s%s", note, note[0] != '\0' && reason[0] != '\0' ? ", " : "",
             reason);
    text_words(shown, sizeof(shown), words, view->language);
    if (event->confidence > 0) {
        snprintf(out, size, "  (%s, %u %%)", shown, event->confidence);
    } else {
        snprintf(out, size, "  (%s)", shown);
    }
}

static void print_step(const struct view *view, const struct flow_event_record *event,
                       int64_t begin_ns)
{
    const char *arrow = event->side == SIDE_CLIENT   ? "──▶"
                        : event->side == SIDE_SERVER ? "◀──"
                                                     : " · ";
    char kind[96], more[192], frame[VIEW_TIME_SIZE] = "", numbers[64] = "";
    step_words(view, event, more, sizeof(more));
    if (event->frame != 0) {
        snprintf(frame, sizeof(frame), "#%lld", (long long)event->frame);
    }
    if (event->kind <= EVENT_GAP) {
        snprintf(numbers, sizeof(numbers), " seq %-10lld len %lld", (long long)event->sequence,
                 (long long)event->length);
    } else if (event->length > 0) {
        snprintf(numbers, sizeof(numbers), " len %lld", (long long)event->length);
    }
    text_fit(kind, sizeof(kind), say(view, (enum text_id)(TEXT_EVENT_SYN + event->kind)),
             numbers[0] != '\0' || more[0] != '\0' ? 18 : 0);
    fprintf(view->out, "  %12.6f  %-9s %s %s%s%s\n", (double)(event->time_ns - begin_ns) / 1e9,
            frame, arrow, kind, numbers, more);
}

static bool is_proof(const struct case_finding *finding, const struct flow_event_record *event)
{
    for (size_t i = 0; i < finding->evidence_count; i++) {
        if (finding->evidence[i].frame == event->frame && finding->evidence[i].source_id == event->source_id) {
            return true;
        }
    }
    return false;
}

/* The beginning and the end, for what happened last is what matters; and the proof. */
static void print_steps(const struct view *view, const struct ladder *ladder,
                        const struct case_finding *finding)
{
    bool all = ladder->count <= LADDER_HEAD + LADDER_TAIL, skipping = false;
    for (size_t i = 0; i < ladder->count; i++) {
        const struct flow_event_record *event = &ladder->events[i];
        bool shown = all || i < LADDER_HEAD || i >= ladder->count - LADDER_TAIL || is_proof(finding, event);
        if (shown) {
            print_step(view, event, ladder->events[0].time_ns);
        } else if (!skipping) {
            fputs("            …\n", view->out);
        }
        skipping = !shown;
    }
}

static bool read_number(void *self, const struct store_row *row)
{
    snprintf(self, VIEW_TIME_SIZE, "%s", row->cells[0] != NULL ? row->cells[0] : "");
    return false;
}

/* tcp.stream as Wireshark numbers the conversations of that file. */
static bool find_stream(const struct report_case *loaded, const struct flow_record *flow,
                        char out[VIEW_TIME_SIZE], struct error *error)
{
    char sql[256];
    if (loaded->capture.counted_flows > 0) { /* not every conversation has a row */
        snprintf(out, VIEW_TIME_SIZE, "?");
        return true;
    }
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM flows WHERE source_id = %lld AND protocol = %u AND "
             "first_frame < %lld",
             (long long)flow->source_id, (unsigned)flow->protocol, (long long)flow->first_frame);
    out[0] = '\0';
    return store_query(loaded->store, sql, read_number, out, error);
}

static bool keep_tcp(void *self, const void *record)
{
    memcpy(self, record, sizeof(struct flow_tcp_record));
    return false;
}

/* "mss,sok,ts,nop,ws (MSS 1460, scale 7)"; "" when its SYN was not seen. */
static void options_text(const struct view *view, const struct tcp_side_facts *side, char out[128])
{
    char mss[16], scale[16];
    const struct text_value values[] = {{"options", side->options}, {"mss", mss}, {"scale", scale}};
    snprintf(mss, sizeof(mss), "%u", side->mss);
    snprintf(scale, sizeof(scale), "%d", side->window_scale);
    out[0] = '\0';
    if (side->options[0] != '\0') {
        text_format(out, 128,
                    say(view, side->window_scale >= 0 ? TEXT_REPORT_SYN_SCALE : TEXT_REPORT_SYN_MSS),
                    values, 3);
    }
}

/* What the SYNs offered, and what the handshake agreed on. */
static bool print_options(const struct view *view, const struct report_case *loaded,
                          const struct flow_record *flow, const char *where, struct error *error)
{
    struct flow_tcp_record tcp = {.flow_id = 0};
    char client[128], server[128], line[512];
    if (flow->protocol != 6) {
        return true;
    }
    if (!store_select(loaded->store, RECORD_FLOW_TCP, where, NULL, 1, false, keep_tcp, &tcp,
                      error)) {
        return false;
    }
    const char *features = flow_features_name(flow->features);
    options_text(view, &tcp.side[SIDE_CLIENT], client);
    options_text(view, &tcp.side[SIDE_SERVER], server);
    const struct text_value values[] = {{"client", client[0] != '\0' ? client : NULL},
                                        {"server", server[0] != '\0' ? server : NULL},
                                        {"features", features[0] != '\0' ? features : NULL}};
    if (client[0] != '\0' || server[0] != '\0' || features[0] != '\0') {
        text_format(line, sizeof(line), say(view, TEXT_REPORT_TCP_OPTIONS), values, 3);
        view_wrap(view, line, 0, 0);
    }
    return true;
}

static bool print_ladder(const struct view *view, const struct report_case *loaded,
                         const struct case_finding *finding, struct error *error)
{
    const struct flow_record *flow = &finding->flow;
    struct ladder ladder = {.count = 0};
    char where[64], stream[VIEW_TIME_SIZE], client[ENDPOINT_TEXT_SIZE], server[ENDPOINT_TEXT_SIZE];
    char id[VIEW_TIME_SIZE], time[VIEW_TIME_SIZE], line[512];
    if (flow->id == 0 || !find_stream(loaded, flow, stream, error)) {
        return flow->id == 0;
    }
    snprintf(id, sizeof(id), "%lld", (long long)flow->id);
    const struct text_value values[] = {
        {"id", id},
        {"client", endpoint_to_text(&flow->client_ip, flow->client_port, client)},
        {"server", endpoint_to_text(&flow->server_ip, flow->server_port, server)},
        {"stream", stream},
        {"protocol", flow->protocol == 17 ? "udp" : "tcp"},
        {"time", view_time(flow->first_ns, time)},
        {"source", case_source_path(loaded, flow->source_id)}};
    text_format(line, sizeof(line), say(view, TEXT_REPORT_LADDER), values, 7);
    fprintf(view->out, "\n");
    view_wrap(view, line, 0, 0);
    snprintf(where, sizeof(where), "flow_id = %lld", (long long)flow->id);
    if (!print_options(view, loaded, flow, where, error) ||
        !store_select(loaded->store, RECORD_FLOW_EVENT, where, "number", -1, false, keep_step,
                      &ladder, error)) {
        return false;
    }
    print_steps(view, &ladder, finding);
    return report_waterfall(view, loaded->store, flow->id, error);
}

bool report_explain_finding(const struct view *view, const struct report_case *loaded,
                            const struct case_finding *finding, struct error *error)
{
    const struct finding_info *info = case_info(finding);
    struct finding_words words;
    struct rival_printer rivals = {view, true};
    char text[FINDING_TEXT_SIZE + 16], confidence[VIEW_TIME_SIZE];
    finding_words_make(finding, view->language, &words);
    finding_title(finding, &words, view->language, text);
    print_heading(view, text, finding->record.severity, info->code);
    fputc('\n', view->out);
    view_labelled(view, say(view, TEXT_REPORT_WHO), LABEL_COLUMNS,
                  finding_who(finding, &words, view->language, text));
    snprintf(confidence, sizeof(confidence), "%lld %%", (long long)finding->record.confidence);
    view_labelled(view, say(view, TEXT_REPORT_CONFIDENCE), LABEL_COLUMNS, confidence);
    if (finding_path(finding, text)[0] != '\0') {
        view_labelled(view, say(view, TEXT_REPORT_PATH), LABEL_COLUMNS, text);
    }
    paragraph(view, &words, TEXT_REPORT_MEANING, info->meaning);
    paragraph(view, &words, TEXT_REPORT_WHY, info->evidence);
    if (has_value(finding, "client_signature") || has_value(finding, "server_signature")) {
        paragraph(view, &words, TEXT_REPORT_PATTERN, TEXT_REPORT_SIGNATURES);
    }
    if (extent_text(view, loaded, finding, text)[0] != '\0') {
        view_labelled(view, say(view, TEXT_REPORT_EXTENT), LABEL_COLUMNS, text);
    }
    if (extent_story(view, loaded, finding, text)[0] != '\0') {
        view_labelled(view, say(view, TEXT_REPORT_STORY), LABEL_COLUMNS, text);
    }
    finding_frames(loaded, finding, text);
    if (text[0] != '\0') {
        view_labelled(view, say(view, TEXT_REPORT_FRAMES), LABEL_COLUMNS, text);
    }
    finding_each_rival(finding, print_rival, &rivals);
    paragraph(view, &words, TEXT_REPORT_ADVICE, info->advice);
    if (finding->record.confidence < NEXT_BELOW) {
        paragraph(view, &words, TEXT_REPORT_NEXT, info->next);
    }
    char filter[FINDING_TEXT_SIZE];
    if (finding_filter(finding, filter)[0] != '\0') {
        snprintf(text, sizeof(text), "tshark -Y '%s'", filter);
        view_labelled(view, say(view, TEXT_REPORT_FILTER), LABEL_COLUMNS, text);
    }
    return print_ladder(view, loaded, finding, error);
}

static void print_general_rivals(const struct view *view, const struct finding_info *info)
{
    struct rival_printer rivals = {view, true};
    const char *list = info->rivals;
    enum rival rival;
    while (catalogue_next_rival(&list, &rival)) {
        print_rival(&rivals, rival_get(rival));
    }
}

void report_explain_code(const struct view *view, enum finding_code code)
{
    const struct finding_info *info = catalogue_get(code);
    struct finding_words words;
    char text[FINDING_TEXT_SIZE];
    finding_words_make_general(info, view->language, &words);
    finding_sentence(&words, info->title, view->language, text);
    print_heading(view, text, catalogue_clamp_severity(code, info->severity), info->code);
    fputc('\n', view->out);
    const struct text_value values[] = {
        {"category", say(view, category_text(info->category))},
        {"culprit", say(view, culprit_text(info->culprit))},
        {"scope", say(view, scope_text(info->scope))},
        {"tier", say(view, info->tier == TIER_A ? TEXT_TIER_A : TEXT_TIER_B)}};
    text_format(text, sizeof(text), say(view, TEXT_REPORT_CODE_LINE), values, 4);
    view_wrap(view, text, 0, 0);
    paragraph(view, &words, TEXT_REPORT_MEANING, info->meaning);
    paragraph(view, &words, TEXT_REPORT_EVIDENCE, info->evidence);
    print_general_rivals(view, info);
    paragraph(view, &words, TEXT_REPORT_ADVICE, info->advice);
    paragraph(view, &words, TEXT_REPORT_NEXT, info->next);
    if (info->withdrawn_by[0] != '\0') {
        view_labelled(view, say(view, TEXT_REPORT_WITHDRAWN_BY), LABEL_COLUMNS, info->withdrawn_by);
    }
    if (info->technique[0] != '\0') {
        view_labelled(view, "ATT&CK", LABEL_COLUMNS, info->technique);
    }
}

/* What the same client still reaches: the sentence a firewall team asks for first. */
static void count_meanwhile(const struct report_case *loaded, const struct case_finding *finding,
                            char out[VIEW_TIME_SIZE])
{
    char sql[512], server[ADDRESS_TEXT_SIZE];
    struct error ignored;
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM flows WHERE capture_id = %lld AND outcome = 'ok' AND "
             "server_ip = '%s'",
             (long long)loaded->capture_id, address_to_text(&finding->record.server_ip, server));
    snprintf(out, VIEW_TIME_SIZE, "0");
    (void)store_query(loaded->store, sql, read_number, out, &ignored);
}

void report_ticket(const struct view *view, const struct report_case *loaded,
                   const struct case_finding *finding)
{
    const struct finding_info *info = case_info(finding);
    const struct finding_record *record = &finding->record;
    struct finding_words words;
    char title[FINDING_TEXT_SIZE], path[FINDING_TEXT_SIZE], who[FINDING_TEXT_SIZE];
    char advice[FINDING_TEXT_SIZE], frames[FINDING_TEXT_SIZE], line[4 * FINDING_TEXT_SIZE];
    char first[VIEW_TIME_SIZE], last[VIEW_TIME_SIZE], offset[VIEW_TIME_SIZE];
    char count[VIEW_TIME_SIZE], meanwhile[VIEW_TIME_SIZE];
    finding_words_make(finding, view->language, &words);
    count_meanwhile(loaded, finding, meanwhile);
    const struct text_value values[] = {
        {"title", finding_title(finding, &words, view->language, title)},
        {"code", info->code},
        {"path", finding_path(finding, path)},
        {"who", finding_who(finding, &words, view->language, who)},
        {"first", view_time(record->first_ns, first)},
        {"last", view_time(record->last_ns, last)},
        {"offset", view_offset(record->first_ns, offset)},
        {"count", view_number(record->count, count)},
        {"meanwhile", meanwhile},
        {"advice", finding_sentence(&words, info->advice, view->language, advice)},
        {"frames", finding_frames(loaded, finding, frames)},
        {"protocol", finding->flow.id == 0          ? NULL
                     : finding->flow.protocol == 17 ? "UDP"
                                                    : "TCP"}};
    text_format(line, sizeof(line),
                say(view, path[0] != '\0' ? TEXT_REPORT_TICKET : TEXT_REPORT_TICKET_NO_PATH),
                values, 12);
    view_wrap(view, line, 0, 0);
}
