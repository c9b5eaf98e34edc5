/* How far the capture itself can be trusted: 0 to 100, and why not 100. */
#ifndef INVCAP_REPORTS_QUALITY_H
#define INVCAP_REPORTS_QUALITY_H

#include "core/record.h"
#include "core/texts.h"

#define QUALITY_REASONS_MOST 12
#define QUALITY_VALUE_SIZE 64

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

#endif
