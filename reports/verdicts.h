/* The table of verdicts: every connection of a capture in exactly one line. */
#ifndef INVCAP_REPORTS_VERDICTS_H
#define INVCAP_REPORTS_VERDICTS_H

#include "reports/case.h"

#define VERDICTS_MOST 16

struct verdict_line {
    enum verdict_kind {
        VERDICT_OK,
        VERDICT_FAILED,
        VERDICT_OTHERS,
        VERDICT_NO_CAUSE,
        VERDICT_UNKNOWN
    } kind;
    enum finding_code code; /* VERDICT_FAILED */
    int64_t count;
    int tenths; /* share in tenths of a percent; all lines together 1000 */
};

struct verdicts {
    struct verdict_line
        lines[VERDICTS_MOST]; /* ok, failures by class then count, others, unknown */
    size_t count;
    int64_t connections; /* all that enter a share */
    int64_t failed;
    int64_t unsolicited; /* scans, health checks ...: in no share */
};

/* At most `failures` lines for causes; the rest becomes "others". */
void verdicts_of(const struct report_case *loaded, size_t failures, struct verdicts *out);

#endif
