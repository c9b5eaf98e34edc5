#include "reports/finding_text.h"
#include "reports/quality.h"
#include "reports/reports.h"
#include "reports/shares.h"
#include "reports/verdicts.h"

#include <stdio.h>
#include <string.h>

static const char *say(const struct view *view, enum text_id id)
{
    return text_get(id, view->language);
}

/* Text from a capture in Markdown: marks of its own must stay text. */
static void print_safe(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr("\\`*_[]<>|#", *at) != NULL) {
            fputc('\\', out);
        }
        fputc(*at, out);
    }
}

static void print_item(const struct view *view, enum text_id label, const char *text)
{
    if (text[0] != '\0') {
        const char *word = say(view, label);
        fprintf(view->out, "- **%s**%s", word + strspn(word, " "), say(view, TEXT_REPORT_COLON));
        print_safe(view->out, text);
        fputc('\n', view->out);
    }
}

static void print_verdicts(const struct view *view, const struct report_case *loaded)
{
    struct verdicts verdicts;
    verdicts_of(loaded, VERDICTS_MOST, &verdicts);
    fprintf(view->out, "\n| %s | %s | %s |\n| --- | ---: | ---: |\n",
            say(view, TEXT_REPORT_VERDICT_HEAD), say(view, TEXT_HEAD_COUNT),
            say(view, TEXT_HEAD_SHARE));
    for (size_t i = 0; i < verdicts.count; i++) {
        static const enum text_id kinds[] = {[VERDICT_OK] = TEXT_OUTCOME_OK,
                                             [VERDICT_FAILED] = TEXT_OUTCOME_FAILED,
                                             [VERDICT_OTHERS] = TEXT_REPORT_VERDICT_OTHERS,
                                             [VERDICT_NO_CAUSE] = TEXT_REPORT_VERDICT_NO_CAUSE,
                                             [VERDICT_UNKNOWN] = TEXT_REPORT_VERDICT_UNKNOWN};
        const struct verdict_line *line = &verdicts.lines[i];
        char share[SHARES_SIZE];
        const char *name = line->kind == VERDICT_FAILED ? catalogue_get(line->code)->code
                                                        : say(view, kinds[line->kind]);
        fprintf(view->out, "| %s | %lld | %s |\n", name, (long long)line->count,
                shares_text(line->tenths, share));
    }
}

static void print_finding(const struct view *view, const struct report_case *loaded,
                          const struct case_finding *finding)
{
    const struct finding_info *info = case_info(finding);
    struct finding_words words;
    char text[FINDING_TEXT_SIZE], count[VIEW_TIME_SIZE];
    finding_words_make(finding, view->language, &words);
    fprintf(view->out, "\n### %lld · ", (long long)finding->record.id);
    print_safe(view->out, finding_title(finding, &words, view->language, text));
    fprintf(view->out, "\n\n`%s` · %s · ×%s\n\n", info->code,
            say(view, severity_text((enum severity)finding->record.severity)),
            view_number(finding->record.count, count));
    print_item(view, TEXT_REPORT_WHO, finding_who(finding, &words, view->language, text));
    print_item(view, TEXT_REPORT_PATH, finding_path(finding, text));
    print_item(view, TEXT_REPORT_MEANING,
               finding_sentence(&words, info->meaning, view->language, text));
    print_item(view, TEXT_REPORT_WHY,
               finding_sentence(&words, info->evidence, view->language, text));
    print_item(view, TEXT_REPORT_FRAMES, finding_frames(loaded, finding, text));
    print_item(view, TEXT_REPORT_ADVICE,
               finding_sentence(&words, info->advice, view->language, text));
    if (finding_filter(finding, text)[0] != '\0') {
        fprintf(view->out, "- `tshark -Y '%s'`\n", text);
    }
}

void report_markdown(const struct view *view, const struct report_case *loaded)
{
    const struct capture_record *capture = &loaded->capture;
    struct quality quality;
    char reasons[QUALITY_TEXT_SIZE];
    char from[VIEW_TIME_SIZE], to[VIEW_TIME_SIZE], offset[VIEW_TIME_SIZE];
    quality_of(capture, loaded->sources, loaded->source_count, &quality);
    fputs("# invcap: ", view->out);
    print_safe(view->out, capture->name != NULL ? capture->name : "");
    fprintf(view->out, "\n\n%s %d/100 ", say(view, TEXT_REPORT_QUALITY), quality.score);
    print_safe(view->out, quality_text(&quality, view->language, reasons));
    fprintf(view->out, " · %s – %s (%s)\n", view_time(capture->first_ns, from), view_time(capture->last_ns, to),
            view_offset(capture->first_ns, offset));
    print_verdicts(view, loaded);
    for (size_t i = 0; i < loaded->finding_count; i++) {
        if (loaded->findings[i].record.state != FINDING_WITHDRAWN) {
            print_finding(view, loaded, &loaded->findings[i]);
        }
    }
}
