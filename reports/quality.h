/* How far the capture itself can be trusted: 0 to 100, and why not 100. */
#ifndef INVCAP_REPORTS_QUALITY_H
#define INVCAP_REPORTS_QUALITY_H

#include "core/record.h"
#include "core/texts.h"
#include "reports/view.h"

struct json;

#define QUALITY_REASONS_MOST 14
#define QUALITY_VALUE_SIZE 64
#define QUALITY_TEXT_SIZE 1024

struct quality_reason {
    enum text_id text; /* with {value} */
    char value[QUALITY_VALUE_SIZE];
    int points; /* taken off */
};

struct quality {
    int score;                                           /* 0-100 */
    struct quality_reason reasons[QUALITY_REASONS_MOST]; /* most points first */
    size_t reason_count;
};

/* Judges the counters of the capture and its sources. */
void quality_of(const struct capture_record *capture, const struct source_record *sources,
                size_t source_count, struct quality *out);

/* The word for the score, in a text or a stable English token: "good", "fair", "poor". */
enum text_id quality_word(const struct quality *quality);
const char *quality_token(const struct quality *quality);
/* "good: reason; reason". Returns out. */
char *quality_text(const struct quality *quality, enum language language,
                   char out[QUALITY_TEXT_SIZE]);
/* "Capture    98/100  good: reason; reason": the line that heads every report. */
void quality_print(const struct view *view, const struct quality *quality);
/* Adds score, grade and reasons to the open object. */
void quality_add_json(struct json *json, const struct quality *quality, enum language language);

#endif
