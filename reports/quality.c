#include "reports/quality.h"

#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points by what a fault can hide: a cut or empty end hides little, packets that are missing in the
 * middle make every absence doubtful. */
#define POINTS_CUT 10
#define POINTS_INTERRUPTED 0
#define POINTS_KILLED 50
#define POINTS_CLOCK 10
#define POINTS_DUPLICATES 3
#define POINTS_EVICTED 15
#define POINTS_DISORDER 3
/* Fewer may be segments that came again for nothing. */
#define DISORDERED_LEAST 3
/* Fewer wrong checksums are no reason to look twice. */
#define DAMAGED_LEAST 3
#define LABEL_COLUMNS 11

static void add_reason(struct quality *quality, enum text_id text, const char *value, int points)
{
    if (quality->reason_count == QUALITY_REASONS_MOST) {
        return;
    }
    struct quality_reason *reason = &quality->reasons[quality->reason_count++];
    reason->text = text;
    reason->points = points;
    snprintf(reason->value, sizeof(reason->value), "%s", value);
    quality->score -= points;
}

static void add_count(struct quality *quality, enum text_id text, int64_t count, int points)
{
    char number[VIEW_TIME_SIZE];
    if (count > 0) {
        add_reason(quality, text, view_number(count, number), points);
    }
}

/* A share of a whole: `full` points at `worst` and above, in proportion below, nothing under 0.01
 * %. */
static void add_share(struct quality *quality, enum text_id text, int64_t part, int64_t whole,
                      double worst, int full)
{
    char value[QUALITY_VALUE_SIZE];
    double share = whole > 0 ? (double)part / (double)whole : 0;
    if (part <= 0 || share < 0.0001) {
        return;
    }
    int points = share >= worst ? full : 1 + (int)(share / worst * (full - 1));
    snprintf(value, sizeof(value),
             share < 0.01  ? "%.2f %%"
             : share < 0.1 ? "%.1f %%"
                           : "%.0f %%",
             100 * share);
    add_reason(quality, text, value, points);
}

static int compare_reasons(const void *a, const void *b)
{
    const struct quality_reason *left = a, *right = b;
    if (left->points != right->points) {
        return right->points - left->points;
    }
    return (int)left->text - (int)right->text;
}

void quality_of(const struct capture_record *capture, const struct source_record *sources,
                size_t source_count, struct quality *out)
{
    int64_t dropped = 0, cut = 0;
    memset(out, 0, sizeof(*out));
    out->score = 100;
    for (size_t i = 0; i < source_count; i++) {
        dropped += sources[i].dropped_kernel > 0 ? sources[i].dropped_kernel : 0;
        dropped += sources[i].dropped_interface > 0 ? sources[i].dropped_interface : 0;
        cut += sources[i].cut;
    }
    if (capture->packets == 0 && capture->interrupted) { /* the counters come at the end */
        add_reason(out, TEXT_QUALITY_KILLED, "", POINTS_KILLED);
        return;
    }
    if (capture->packets == 0) {
        add_reason(out, TEXT_QUALITY_EMPTY, capture->filter != NULL ? capture->filter : "", 100);
        return;
    }
    add_count(out, TEXT_QUALITY_CUT, cut, POINTS_CUT);
    if (capture->interrupted) {
        add_reason(out, TEXT_QUALITY_INTERRUPTED, "", POINTS_INTERRUPTED);
    }
    add_share(out, TEXT_QUALITY_LOSS, capture->gaps, capture->gaps + capture->acked_segments, 0.05,
              40);
    add_share(out, TEXT_QUALITY_DROPPED, dropped, dropped + capture->packets, 0.05, 40);
    add_share(out, TEXT_QUALITY_ONE_SIDED, capture->one_sided_flows,
              capture->one_sided_flows + capture->two_sided_flows, 0.8, 40);
    add_share(out, TEXT_QUALITY_TRUNCATED, capture->truncated_packets, capture->packets, 0.5, 15);
    add_share(out, TEXT_QUALITY_MIDSTREAM, capture->midstream_flows,
              capture->tcp_connections > 0 ? capture->tcp_connections : capture->midstream_flows,
              0.8, 10);
    add_count(out, TEXT_QUALITY_BACKWARD, capture->backward_times, POINTS_CLOCK);
    add_count(out, TEXT_QUALITY_JUMPS, capture->time_jumps, POINTS_CLOCK);
    if (capture->disordered_segments >= DISORDERED_LEAST) {
        add_count(out, TEXT_QUALITY_DISORDER, capture->disordered_segments, POINTS_DISORDER);
    }
    add_share(out, TEXT_QUALITY_UNDECODED, capture->undecoded_packets, capture->packets, 0.5, 20);
    if (capture->bad_checksums >= DAMAGED_LEAST) {
        add_share(out, TEXT_QUALITY_DAMAGED, capture->bad_checksums, capture->packets, 0.5, 5);
    }
    add_count(out, TEXT_QUALITY_EVICTED, capture->evicted_flows + capture->limit_streams,
              POINTS_EVICTED);
    add_share(out, TEXT_QUALITY_DUPLICATES, capture->duplicate_packets + capture->routed_packets,
              capture->packets, 1.0, POINTS_DUPLICATES);
    out->score = out->score < 0 ? 0 : out->score;
    qsort(out->reasons, out->reason_count, sizeof(out->reasons[0]), compare_reasons);
}

#define SCORE_GOOD 90
#define SCORE_FAIR 60

enum text_id quality_word(const struct quality *quality)
{
    return quality->score >= SCORE_GOOD   ? TEXT_QUALITY_GOOD
           : quality->score >= SCORE_FAIR ? TEXT_QUALITY_FAIR
                                          : TEXT_QUALITY_POOR;
}

const char *quality_token(const struct quality *quality)
{
    return quality->score >= SCORE_GOOD ? "good" : quality->score >= SCORE_FAIR ? "fair" : "poor";
}

char *quality_text(const struct quality *quality, enum language language,
                   char out[QUALITY_TEXT_SIZE])
{
    size_t len = (size_t)snprintf(out, QUALITY_TEXT_SIZE, "%s",
                                  text_get(quality_word(quality), language));
    for (size_t i = 0; i < quality->reason_count && len < QUALITY_TEXT_SIZE; i++) {
        char reason[256];
        const struct text_value value = {"value", quality->reasons[i].value};
        text_format(reason, sizeof(reason), text_get(quality->reasons[i].text, language), &value, 1);
        len += (size_t)snprintf(
            out + len, QUALITY_TEXT_SIZE - len, "%s%s",
            text_get(i == 0 ? TEXT_REPORT_COLON : TEXT_REPORT_SEMICOLON, language), reason);
    }
    return out;
}

void quality_print(const struct view *view, const struct quality *quality)
{
    char label[64], score[VIEW_TIME_SIZE], line[QUALITY_TEXT_SIZE];
    enum text_id word = quality_word(quality);
    enum view_tone tone = word == TEXT_QUALITY_GOOD   ? TONE_GOOD
                          : word == TEXT_QUALITY_FAIR ? TONE_WARN
                                                      : TONE_BAD;
    snprintf(score, sizeof(score), "%d/100", quality->score);
    quality_text(quality, view->language, line);
    text_fit(label, sizeof(label), text_get(TEXT_REPORT_QUALITY, view->language), LABEL_COLUMNS);
    fprintf(view->out, "%s%s%s%s%-8s%s", view_tone(view, TONE_DIM), label, view_plain(view),
            view_tone(view, tone), score, view_plain(view));
    view_wrap(view, line, LABEL_COLUMNS, LABEL_COLUMNS + 8);
}

void quality_add_json(struct json *json, const struct quality *quality, enum language language)
{
    json_int(json, "score", quality->score);
    json_string(json, "grade", quality_token(quality));
    json_open_array(json, "reasons");
    for (size_t i = 0; i < quality->reason_count; i++) {
        const struct text_value value = {"value", quality->reasons[i].value};
        char reason[256];
        text_format(reason, sizeof(reason), text_get(quality->reasons[i].text, language), &value, 1);
        json_string(json, NULL, reason);
    }
    json_close_array(json);
}
