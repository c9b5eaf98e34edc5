/* One capture as the reports see it: its row, its sources, its findings with all that belongs to
 * them, and the connections counted. Everything lives until case_free and the store's close. */
#ifndef INVCAP_REPORTS_CASE_H
#define INVCAP_REPORTS_CASE_H

#include "core/catalogue.h"
#include "core/error.h"
#include "core/intern.h"
#include "core/record.h"
#include "store/store.h"

struct case_finding {
    struct finding_record record;
    struct finding_value_record *values;
    size_t value_count;
    struct finding_evidence_record *evidence;
    size_t evidence_count;
    struct flow_record flow; /* the worst connection; id 0 when there is none */
};

struct case_service {
    const char *name; /* of the profile, else the application, else "" */
    int64_t flows, failed;
    int64_t answers, p95_ns; /* their total times, within 1 % */
};

#define CASE_OUTCOMES 5
#define CASE_SERVICES 64

struct report_case {
    struct store *store;
    struct intern *strings;
    int64_t capture_id;
    struct capture_record capture;
    struct source_record *sources;
    size_t source_count;
    struct case_finding *findings; /* the worst first; withdrawn ones last */
    size_t finding_count;
    struct domain_record *domains;
    size_t domain_count;
    struct story_record *stories;
    size_t story_count;
    int64_t outcomes[CASE_OUTCOMES];             /* flows by enum outcome */
    int64_t verdicts[FINDING_COUNT + 1];         /* failed flows by verdict; [0] without one */
    struct case_service services[CASE_SERVICES]; /* most flows first; the last collects the rest */
    size_t service_count;
};

/* NULL when the capture is not there (an error of the user) or cannot be read. */
struct report_case *case_load(struct store *store, int64_t capture_id, struct error *error);
/* The same with the capture and its sources alone: enough for its quality. */
struct report_case *case_load_head(struct store *store, int64_t capture_id, struct error *error);
void case_free(struct report_case *loaded);

/* Calls `each` for the capture ids of the store in order; false when it says so or on an error. */
bool case_each_capture(struct store *store, bool (*each)(void *self, int64_t capture_id),
                       void *self, struct error *error);

const struct finding_info *case_info(const struct case_finding *finding);
/* The source's path, "?" when there is none of that id. */
const char *case_source_path(const struct report_case *loaded, int64_t source_id);
const struct case_finding *case_find(const struct report_case *loaded, int64_t finding_id);

#endif
