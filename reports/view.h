/* Where a report goes and how: stream, language, colour, width; and the few things all reports
 * print alike: wrapped sentences, local times, numbers. */
#ifndef INVCAP_REPORTS_VIEW_H
#define INVCAP_REPORTS_VIEW_H

#include "core/texts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct view {
    FILE *out;
    enum language language;
    bool colour;
    size_t columns; /* of the terminal; 100 when there is none */
};

enum view_tone { TONE_PLAIN, TONE_STRONG, TONE_DIM, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_COUNT };

/* A view of `out`: colours when it is a terminal that wants them (NO_COLOR, TERM=dumb). */
struct view view_of(FILE *out, enum language language);

/* Escape sequences, "" without colours. */
const char *view_tone(const struct view *view, enum view_tone tone);
const char *view_plain(const struct view *view);

/* The sentence `id` with its values, as it is. */
void view_say(const struct view *view, enum text_id id, const struct text_value *values,
              size_t count);
/* `text` wrapped to the view, every line behind `indent` columns; the first line is taken to have
 * `used` columns printed already. Ends the line. */
void view_wrap(const struct view *view, const char *text, size_t indent, size_t used);
/* `label` padded to `columns` (a cut label ends in "…"), then wrapped `text` beside it. */
void view_labelled(const struct view *view, const char *label, size_t columns, const char *text);

#define VIEW_TIME_SIZE 48
/* Local time (TZ of the process) "2026-01-02 11:04:05.678"; "" for a negative time. Returns out. */
char *view_time(int64_t time_ns, char out[VIEW_TIME_SIZE]);
/* The same without the date. */
char *view_clock(int64_t time_ns, char out[VIEW_TIME_SIZE]);
/* The offset that such times have: "+08:00". Returns out. */
char *view_offset(int64_t time_ns, char out[VIEW_TIME_SIZE]);
/* "1,234,567". Returns out. */
char *view_number(int64_t number, char out[VIEW_TIME_SIZE]);
/* A duration in words that fit: "0.24 ms", "7.0 s", "3 min 20 s", "2 h 5 min". Returns out. */
char *view_duration(int64_t ns, enum language language, char out[VIEW_TIME_SIZE]);

/* The zone all times are shown in: "UTC", "+08:00", a zone name, or NULL for that of the process.
 * false when there is no such zone. Sets TZ: call once, before the first report. */
bool view_set_zone(const char *zone);

#endif
