/* What is kept for judging when memory has a ceiling (site_limit).
 *
 * Beyond three quarters of it each host keeps a number of flows by role and provisional outcome, the fewer the less
 * room there is: of a flood or a busy server the first ones stay, and so does whatever else happens beside. Of one flow the first
 * rows of requests, questions and turns stay. What is left out is counted; the store has it all. */
#ifndef INVCAP_DIAGNOSIS_SITE_BUDGET_H
#define INVCAP_DIAGNOSIS_SITE_BUDGET_H

#include "diagnosis/site/model.h"

/* False: not kept, and counted. */
bool budget_takes_flow(struct site *site, const struct flow_bundle *bundle);
/* The same of a row of a flow; number: 1.. within its flow, 0 for rows of which a flow has few, INT64_MAX for rows
 * of no flow; failed: it may become a finding. */
bool budget_takes_row(struct site *site, int64_t number, bool failed);
/* A flow of these hosts was kept. */
void budget_note_flow(struct site *site, struct site_flow *flow);
/* Rows of flows that were left out say nothing to anybody: they go. Needs site->by_id. */
void budget_drop_orphans(struct site *site);

#endif
