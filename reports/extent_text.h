/* How far a fault reaches and what a client tried in turn, in words. */
#ifndef INVCAP_REPORTS_EXTENT_TEXT_H
#define INVCAP_REPORTS_EXTENT_TEXT_H

#include "reports/case.h"
#include "reports/finding_text.h"
#include "reports/view.h"

/* "42 of 42 attempts from 10.2.0.0/16 to port 8443 failed so; the same clients reach ..."; "" when
 * the finding is no verdict of two connections or more. Returns out. */
char *extent_text(const struct view *view, const struct report_case *loaded,
                  const struct case_finding *finding, char out[FINDING_TEXT_SIZE]);
/* "attempt 1 timed out (no answer to the SYN) after 7.0 s; attempt 2 ok after 12 ms", of the story
 * that the worst connection of the finding belongs to; "" when it is in none. Returns out. */
char *extent_story(const struct view *view, const struct report_case *loaded,
                   const struct case_finding *finding, char out[FINDING_TEXT_SIZE]);

#endif
