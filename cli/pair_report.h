/* Two joined capture points, as text and as JSON lines. */
#ifndef INVCAP_CLI_PAIR_REPORT_H
#define INVCAP_CLI_PAIR_REPORT_H

#include "pairing/verdicts.h"
#include "reports/quality.h"
#include "reports/view.h"

struct pair_point {
    const char *name;   /* as typed */
    char **paths;       /* of its files */
    size_t path_count;
    size_t first_source; /* source ids of its packets begin behind this */
};

struct pair_report {
    const struct pair_point *points;
    const struct source_record *sources; /* of all points */
    const struct pair_side *sides;
    const struct pair_result *result;
    const struct pair_verdict *verdicts;
    size_t verdict_count;
};

/* How far the capture of a point can be trusted. That it missed a packet is known where the other point has that
 * packet's acknowledgment. */
void pair_quality(const struct pair_report *report, int point, struct quality *out);
void pair_print_text(const struct pair_report *report, const struct view *view);
/* One object a line: pair, pair_session, pair_packet, pair_verdict. False when memory is out. */
bool pair_print_json(const struct pair_report *report, FILE *out);

/* Stable words: "dropped" of a fate, "client-random" of a way of joining. */
const char *pair_fate_word(uint8_t fate);
const char *pair_how_word(enum pair_how how);

#endif
