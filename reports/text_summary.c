#include "reports/extent_text.h"
#include "reports/quality.h"
#include "reports/reports.h"
#include "reports/shares.h"
#include "reports/verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 11
#define CODE_COLUMNS 30
#define WORST_SHOWN 3
#define OTHERS_SHOWN 4
#define OBSERVATIONS_SHOWN 3
#define VERDICTS_SHOWN 7
#define SERVICES_SHOWN 6
#define ANSWERS_LEAST 20 /* of fewer the slowest twentieth is one */
#define LINE_SIZE 1024
#define SCREEN_LINES 45 /* what the first screen of a terminal of 100 columns may take */

enum view_tone report_tone(unsigned severity)
{
    return severity >= SEVERITY_HIGH     ? TONE_BAD
           : severity == SEVERITY_MEDIUM ? TONE_WARN
                                         : TONE_DIM;
}

static const char *say(const struct view *view, enum text_id id)
{
    return text_get(id, view->language);
}

static void labelled(const struct view *view, enum text_id label, const char *text)
{
    if (text[0] != '\0') {
        view_labelled(view, say(view, label), LABEL_COLUMNS, text);
    }
}

static void append(char *line, const char *text)
{
    size_t len = strlen(line);
    snprintf(line + len, LINE_SIZE - len, "%s", text);
}

/* ---- quality, what was seen --------------------------------------------------------------------
 */
void report_quality(const struct view *view, const struct report_case *loaded)
{
    struct quality quality;
    quality_of(&loaded->capture, loaded->sources, loaded->source_count, &quality);
    quality_print(view, &quality);
}

static void print_period(const struct view *view, const struct report_case *loaded)
{
    const struct capture_record *capture = &loaded->capture;
    char from[VIEW_TIME_SIZE], to[VIEW_TIME_SIZE], offset[VIEW_TIME_SIZE], span[VIEW_TIME_SIZE];
    char line[LINE_SIZE], end[VIEW_TIME_SIZE];
    if (capture->packets == 0) {
        return;
    }
    view_time(capture->first_ns, from);
    view_time(capture->last_ns, end);
    bool same_day = strncmp(from, end, 10) == 0;
    const struct text_value values[] = {
        {"from", from},
        {"to", same_day ? view_clock(capture->last_ns, to) : end},
        {"offset", view_offset(capture->first_ns, offset)},
        {"span", view_duration(capture->last_ns - capture->first_ns, view->language, span)}};
    text_format(line, sizeof(line), say(view, TEXT_REPORT_PERIOD), values, 4);
    labelled(view, TEXT_REPORT_TIME, line);
}

static void print_services(const struct view *view, const struct report_case *loaded)
{
    char line[LINE_SIZE] = "", piece[256], number[VIEW_TIME_SIZE], failed[VIEW_TIME_SIZE];
    char p95[VIEW_TIME_SIZE];
    for (size_t i = 0; i < loaded->service_count && i < SERVICES_SHOWN; i++) {
        const struct case_service *service = &loaded->services[i];
        const char *name = service->name[0] != '\0' ? service_title(service->name, view->language)
                                                    : say(view, TEXT_REPORT_NO_SERVICE);
        const struct text_value values[] = {{"name", name},
                                            {"count", view_number(service->flows, number)},
                                            {"failed", view_number(service->failed, failed)},
                                            {"p95", service->answers >= ANSWERS_LEAST ? p95 : NULL}};
        view_duration(service->p95_ns, view->language, p95);
        text_format(piece, sizeof(piece), say(view, TEXT_REPORT_SERVICE), values, 4);
        append(line, i > 0 ? " · " : "");
        append(line, piece);
    }
    if (loaded->service_count > SERVICES_SHOWN) {
        append(line, " · …");
    }
    labelled(view, TEXT_REPORT_SERVICES, line);
}

/* Only where key logs were tried. */
static void print_decrypted(const struct view *view, const struct capture_record *capture)
{
    char line[LINE_SIZE], some[VIEW_TIME_SIZE], all[VIEW_TIME_SIZE], other[VIEW_TIME_SIZE];
    if (capture->tls_keyed == 0) {
        return;
    }
    const struct text_value values[] = {{"some", view_number(capture->tls_decrypted, some)},
                                        {"all", view_number(capture->tls_keyed, all)},
                                        {"other", view_number(capture->tls_unsupported, other)}};
    text_format(line, sizeof(line), say(view, TEXT_REPORT_DECRYPTED), values, 3);
    labelled(view, TEXT_REPORT_KEYS, line);
}

static void print_seen(const struct view *view, const struct report_case *loaded)
{
    const struct capture_record *capture = &loaded->capture;
    char packets[VIEW_TIME_SIZE], tcp[VIEW_TIME_SIZE], udp[VIEW_TIME_SIZE], other[VIEW_TIME_SIZE];
    char line[LINE_SIZE];
    const struct text_value values[] = {{"packets", view_number(capture->packets, packets)},
                                        {"tcp", view_number(capture->tcp_connections, tcp)},
                                        {"udp", view_number(capture->udp_flows, udp)},
                                        {"other", view_number(capture->other_flows, other)}};
    const char *name = capture->name != NULL ? capture->name : "";
    labelled(view, TEXT_REPORT_INPUT,
             strcmp(name, "-") == 0 ? say(view, TEXT_REPORT_STANDARD_INPUT) : name);
    report_quality(view, loaded);
    print_period(view, loaded);
    if (capture->packets == 0 && loaded->service_count > 0) { /* killed: never counted */
        print_services(view, loaded);
        return;
    }
    text_format(line, sizeof(line),
                say(view, capture->other_flows > 0 ? TEXT_REPORT_SEEN_OTHER : TEXT_REPORT_SEEN_ALL),
                values, 4);
    labelled(view, TEXT_REPORT_SEEN, line);
    print_decrypted(view, capture);
    print_services(view, loaded);
}

/* ---- verdicts ----------------------------------------------------------------------------------
 */
static const char *class_word(const struct view *view, const struct verdict_line *line)
{
    switch (line->kind) {
    case VERDICT_OK:
        return say(view, TEXT_OUTCOME_OK);
    case VERDICT_FAILED:
        return say(view, category_text(catalogue_get(line->code)->category));
    case VERDICT_OTHERS:
    case VERDICT_NO_CAUSE:
        return say(view, TEXT_OUTCOME_FAILED);
    case VERDICT_UNKNOWN:
        break;
    }
    return say(view, TEXT_OUTCOME_UNKNOWN);
}

static const char *cause_word(const struct view *view, const struct verdict_line *line)
{
    switch (line->kind) {
    case VERDICT_OK:
        return "";
    case VERDICT_FAILED:
        return catalogue_get(line->code)->code;
    case VERDICT_OTHERS:
        return say(view, TEXT_REPORT_VERDICT_OTHERS);
    case VERDICT_NO_CAUSE:
        return say(view, TEXT_REPORT_VERDICT_NO_CAUSE);
    case VERDICT_UNKNOWN:
        break;
    }
    return say(view, TEXT_REPORT_VERDICT_UNKNOWN);
}

static void print_verdict_line(const struct view *view, const struct verdict_line *line,
                               bool same_class)
{
    char class[128], cause[256], count[64], share[64], number[VIEW_TIME_SIZE], text[SHARES_SIZE];
    enum view_tone tone = line->kind == VERDICT_OK        ? TONE_GOOD
                          : line->kind == VERDICT_UNKNOWN ? TONE_DIM
                                                          : TONE_BAD;
    text_fit(class, sizeof(class), same_class ? "" : class_word(view, line), 15);
    text_fit(cause, sizeof(cause), cause_word(view, line), CODE_COLUMNS);
    text_fit_right(count, sizeof(count), view_number(line->count, number), 12);
    text_fit_right(share, sizeof(share), shares_text(line->tenths, text), 9);
    fprintf(view->out, "  %s%s%s%s%s%s\n", view_tone(view, tone), class, view_plain(view), cause,
            count, share);
}

static void print_verdicts(const struct view *view, const struct report_case *loaded)
{
    struct verdicts verdicts;
    char connections[VIEW_TIME_SIZE], unsolicited[VIEW_TIME_SIZE];
    verdicts_of(loaded, VERDICTS_SHOWN, &verdicts);
    const struct text_value values[] = {
        {"count", view_number(verdicts.connections, connections)},
        {"unsolicited", view_number(verdicts.unsolicited, unsolicited)}};
    if (verdicts.connections == 0 && verdicts.unsolicited == 0) {
        fprintf(view->out, "\n%s\n", say(view, TEXT_REPORT_NO_CONNECTIONS));
        return;
    }
    fprintf(view->out, "\n%s", view_tone(view, TONE_STRONG));
    view_say(view,
             verdicts.unsolicited > 0 ? TEXT_REPORT_VERDICTS_UNSOLICITED : TEXT_REPORT_VERDICTS,
             values, 2);
    fprintf(view->out, "%s\n", view_plain(view));
    for (size_t i = 0; i < verdicts.count; i++) {
        const struct verdict_line *line = &verdicts.lines[i];
        const struct verdict_line *before = i > 0 ? line - 1 : NULL;
        bool same = before != NULL && line->kind == VERDICT_FAILED &&
                    before->kind == VERDICT_FAILED &&
                    catalogue_get(before->code)->category == catalogue_get(line->code)->category;
        print_verdict_line(view, line, same);
    }
    if (verdicts.failed == 0) {
        fprintf(view->out, "  %s%s%s\n", view_tone(view, TONE_GOOD), say(view, TEXT_REPORT_HEALTHY),
                view_plain(view));
    }
}

/* ---- findings ----------------------------------------------------------------------------------
 */
static void print_title(const struct view *view, const struct case_finding *finding, size_t number)
{
    struct finding_words words;
    char title[FINDING_TEXT_SIZE], head[64];
    const struct finding_record *record = &finding->record;
    finding_words_make(finding, view->language, &words);
    finding_title(finding, &words, view->language, title);
    size_t len = strlen(title);
    snprintf(title + len, sizeof(title) - len, " (#%lld)", (long long)record->id);
    snprintf(head, sizeof(head), "%zu %s ", number,
             say(view, severity_text((enum severity)record->severity)));
    fprintf(view->out, "%s%s%s%s", view_tone(view, report_tone(record->severity)), head,
            view_plain(view), view_tone(view, TONE_STRONG));
    view_wrap(view, title, 2, text_width(head));
    fputs(view_plain(view), view->out);
}

static void print_who(const struct view *view, const struct case_finding *finding,
                      const struct finding_words *words)
{
    char who[FINDING_TEXT_SIZE], path[FINDING_TEXT_SIZE], line[2 * FINDING_TEXT_SIZE];
    char count[VIEW_TIME_SIZE], first[VIEW_TIME_SIZE];
    finding_who(finding, words, view->language, who);
    finding_path(finding, path);
    const struct text_value values[] = {{"who", who},
                                        {"path", path},
                                        {"client", words->client},
                                        {"server", words->server},
                                        {"count", view_number(finding->record.count, count)},
                                        {"time", view_clock(finding->record.first_ns, first)}};
    enum text_id pattern = finding_who_pattern(&finding->record, path);
    text_format(line, sizeof(line), say(view, pattern), values, 6);
    labelled(view, TEXT_REPORT_WHO, line);
}

static void print_finding(const struct view *view, const struct report_case *loaded,
                          const struct case_finding *finding, size_t number)
{
    struct finding_words words;
    char text[FINDING_TEXT_SIZE + 16], filter[FINDING_TEXT_SIZE];
    finding_words_make(finding, view->language, &words);
    fputc('\n', view->out);
    print_title(view, finding, number);
    print_who(view, finding, &words);
    labelled(view, TEXT_REPORT_WHY,
             finding_sentence(&words, case_info(finding)->evidence, view->language, text));
    labelled(view, TEXT_REPORT_EXTENT, extent_text(view, loaded, finding, text));
    labelled(view, TEXT_REPORT_STORY, extent_story(view, loaded, finding, text));
    labelled(view, TEXT_REPORT_FRAMES, finding_frames_short(loaded, finding, text));
    labelled(view, TEXT_REPORT_ADVICE,
             finding_sentence(&words, case_info(finding)->advice, view->language, text));
    if (finding_filter(finding, filter)[0] != '\0') {
        snprintf(text, sizeof(text), "tshark -Y '%s'", filter);
        labelled(view, TEXT_REPORT_FILTER, text);
    }
}

static bool is_listed(const struct case_finding *finding, bool observations)
{
    const struct finding_record *record = &finding->record;
    return record->state != FINDING_WITHDRAWN &&
           (record->severity < SEVERITY_MEDIUM) == observations;
}

static bool is_among(const size_t *chosen, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (chosen[i] == index) {
            return true;
        }
    }
    return false;
}

/* The worst findings of different codes first, then the worst of all: a hundred alike are one
 * story. */
static size_t choose_worst(const struct report_case *loaded, size_t chosen[WORST_SHOWN])
{
    size_t count = 0;
    for (int alike = 0; alike <= 1; alike++) {
        for (size_t i = 0; i < loaded->finding_count && count < WORST_SHOWN; i++) {
            bool repeated = false;
            for (size_t j = 0; j < count; j++) {
                repeated = repeated || loaded->findings[chosen[j]].record.code ==
                                           loaded->findings[i].record.code;
            }
            if (is_listed(&loaded->findings[i], false) && !is_among(chosen, count, i) &&
                (alike == 1 || !repeated)) {
                chosen[count++] = i;
            }
        }
    }
    return count;
}

/* One line for all remaining findings of a code: "#4  x12  title (and 11 alike)". */
struct group {
    const struct case_finding *first;
    int64_t findings, count;
};

static size_t collect_groups(const struct report_case *loaded, bool observations,
                             const size_t *chosen, size_t chosen_count,
                             struct group groups[FINDING_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < loaded->finding_count; i++) {
        const struct case_finding *finding = &loaded->findings[i];
        size_t at = 0;
        if (!is_listed(finding, observations) || is_among(chosen, chosen_count, i)) {
            continue;
        }
        while (at < count && groups[at].first->record.code != finding->record.code) {
            at++;
        }
        if (at == count) {
            groups[count++] = (struct group){finding, 0, 0};
        }
        groups[at].findings += 1 + finding->record.joined;
        groups[at].count += finding->record.count;
    }
    return count;
}

static void print_group(const struct view *view, const struct group *group)
{
    struct finding_words words;
    const struct case_finding *finding = group->first;
    char title[FINDING_TEXT_SIZE], line[FINDING_TEXT_SIZE + 128], fitted[4 * FINDING_TEXT_SIZE];
    char count[64], number[VIEW_TIME_SIZE], id[32], head[128], tail[64];
    finding_words_make(finding, view->language, &words);
    finding_sentence(&words, case_info(finding)->title, view->language, title);
    snprintf(count, sizeof(count), "×%s", view_number(group->count, number));
    snprintf(id, sizeof(id), "#%lld", (long long)finding->record.id);
    size_t count_columns = text_width(count) > 7 ? text_width(count) : 7;
    text_fit(head, sizeof(head), id, 6);
    text_fit_right(tail, sizeof(tail), count, count_columns);
    const struct text_value values[] = {{"title", title},
                                        {"count", view_number(group->findings - 1, number)}};
    text_format(line, sizeof(line),
                say(view, group->findings > 1 ? TEXT_REPORT_ALIKE : TEXT_REPORT_ALONE), values, 2);
    size_t room = view->columns - 10 - count_columns;
    text_fit(fitted, sizeof(fitted), line, text_width(line) < room ? text_width(line) : room);
    for (size_t len = strlen(fitted); len > 0 && fitted[len - 1] == ' '; len--) {
        fitted[len - 1] = '\0'; /* a wide character that no longer fitted */
    }
    fprintf(view->out, "  %s%s%s%s  %s\n", view_tone(view, report_tone(finding->record.severity)),
            head, view_plain(view), tail, fitted);
}

static void print_list(const struct view *view, const struct report_case *loaded, bool observations,
                       const size_t *chosen, size_t chosen_count)
{
    struct group groups[FINDING_COUNT];
    size_t most = observations ? OBSERVATIONS_SHOWN : OTHERS_SHOWN;
    size_t count = collect_groups(loaded, observations, chosen, chosen_count, groups);
    if (count == 0) {
        return;
    }
    fprintf(view->out, "\n%s%s%s\n", view_tone(view, TONE_STRONG),
            say(view, observations ? TEXT_REPORT_OBSERVATIONS : TEXT_REPORT_OTHERS),
            view_plain(view));
    for (size_t i = 0; i < count && i < most; i++) {
        print_group(view, &groups[i]);
    }
    if (count > most) {
        char number[VIEW_TIME_SIZE];
        const struct text_value value = {"count", view_number((int64_t)(count - most), number)};
        fputs("  ", view->out);
        view_say(view, TEXT_REPORT_MORE, &value, 1);
        fputc('\n', view->out);
    }
}

/* worst NULL: nothing to explain. */
static void print_end(const struct view *view, const struct report_case *loaded,
                      const struct case_finding *worst)
{
    const char *path = store_path(loaded->store);
    bool kept = strcmp(path, ":memory:") != 0;
    char line[LINE_SIZE], id[32];
    snprintf(id, sizeof(id), "%lld", worst != NULL ? (long long)worst->record.id : 0LL);
    const struct text_value values[] = {{"db", path}, {"id", worst != NULL ? id : NULL}};
    fputc('\n', view->out);
    if (kept) {
        bool usual = strcmp(path, "invcap.db") == 0;
        text_format(line, sizeof(line),
                    say(view, usual ? TEXT_REPORT_DATABASE : TEXT_REPORT_DATABASE_ELSEWHERE),
                    values, 2);
        view_wrap(view, line, 0, 0);
    } else {
        view_wrap(view, say(view, TEXT_REPORT_NOT_KEPT), 0, 0);
    }
}

static void print_all(const struct view *view, const struct report_case *loaded,
                      const size_t *chosen, size_t count)
{
    print_seen(view, loaded);
    print_verdicts(view, loaded);
    for (size_t i = 0; i < count; i++) {
        print_finding(view, loaded, &loaded->findings[chosen[i]], i + 1);
    }
    print_list(view, loaded, false, chosen, count);
    print_list(view, loaded, true, NULL, 0);
    print_end(view, loaded, count > 0 ? &loaded->findings[chosen[0]] : NULL);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        lines++;
    }
    return lines;
}

/* Prints the page and returns it, for the caller to free; NULL without memory. */
static char *render(const struct view *view, const struct report_case *loaded, const size_t *chosen,
                    size_t count)
{
    char *text = NULL;
    size_t size = 0;
    struct view page = *view;
    page.out = open_memstream(&text, &size);
    if (page.out == NULL) {
        return NULL;
    }
    print_all(&page, loaded, chosen, count);
    if (fclose(page.out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A finding that the screen has no room for in full is still in the list of the others. */
void report_text(const struct view *view, const struct report_case *loaded)
{
    size_t chosen[WORST_SHOWN];
    size_t count = choose_worst(loaded, chosen);
    char *page = render(view, loaded, chosen, count);
    while (page != NULL && count > 1 && count_lines(page) > SCREEN_LINES) {
        free(page);
        page = render(view, loaded, chosen, --count);
    }
    if (page != NULL) {
        fputs(page, view->out);
    } else {
        print_all(view, loaded, chosen, count);
    }
    free(page);
}
