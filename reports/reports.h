/* The reports: each takes a loaded capture and writes it to a view. */
#ifndef INVCAP_REPORTS_REPORTS_H
#define INVCAP_REPORTS_REPORTS_H

#include "reports/case.h"
#include "reports/view.h"

struct json;

/* The first screen: quality, what was seen, verdicts, the worst findings, where the database is. */
void report_text(const struct view *view, const struct report_case *loaded);
/* Its first line alone: how far the capture can be trusted. */
void report_quality(const struct view *view, const struct report_case *loaded);
/* The same as Markdown, all findings in full. */
void report_markdown(const struct view *view, const struct report_case *loaded);

/* One object a line: capture, sources, flows with what belongs to them, certificates, findings.
 * `texts` adds title, explanation and advice in that language; NULL leaves them out. */
bool report_json(FILE *out, const struct report_case *loaded, const enum language *texts,
                 struct error *error);
/* One finding as such a line. */
void report_json_finding(FILE *out, const struct report_case *loaded,
                         const struct case_finding *finding, const enum language *texts,
                         struct json *json);

/* A finding in full: meaning, evidence, ladder of its worst connection, rivals, advice. */
bool report_explain_finding(const struct view *view, const struct report_case *loaded,
                            const struct case_finding *finding, struct error *error);
/* What a code means. */
void report_explain_code(const struct view *view, enum finding_code code);
/* One paragraph for the team that must act. */
void report_ticket(const struct view *view, const struct report_case *loaded,
                   const struct case_finding *finding);

/* The tone of a severity. */
enum view_tone report_tone(unsigned severity);

#endif
