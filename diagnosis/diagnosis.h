/* The two halves of the diagnosis.
 *
 * flow: sees one closed flow; fills what is certain from it alone: stage, a provisional outcome, and
 * the candidate verdict. site: sees all records of a capture in (time, flow id) order, whether they
 * come from the engine or from the store, and decides verdicts, findings, evidence. The same records
 * give the same findings: `invcap judge` equals `invcap read`. */
#ifndef INVCAP_DIAGNOSIS_DIAGNOSIS_H
#define INVCAP_DIAGNOSIS_DIAGNOSIS_H

#include "core/error.h"
#include "core/profile.h"
#include "core/record.h"

/* Fills bundle->flow->outcome, verdict and stage provisionally; needs nothing but the bundle. */
void flow_diagnose(const struct profile *profile, struct flow_bundle *bundle);

struct site;

struct site *site_new(const struct profile *profile);
void site_free(struct site *site);
/* Keeps a copy of the record; strings inside must outlive the site. RECORD_FLOW takes a
 * struct flow_bundle*. RECORD_CHAIN are those of earlier captures: what the servers showed before.
 * Findings of an earlier diagnosis are ignored. false: out of memory. */
bool site_add(struct site *site, enum record_kind kind, const void *record);
/* The ceiling of all: whoever reads the packets has at least a quarter of it, judging has it alone. From now on flows and
 * rows that would not fit are left out, and counted (diagnosis/site/budget.h); 0: none are. */
void site_limit(struct site *site, uint64_t bytes);
/* So many bytes are kept elsewhere for what was added (certificates); they count as kept here. */
void site_note_beside(struct site *site, uint64_t bytes);
/* So many texts (names, paths) and certificates were not kept when the records were made. */
void site_note_limits(struct site *site, uint64_t texts, uint64_t certificates);
/* How many flows were left out so far: what was added last is one of them when the number grew. */
uint64_t site_flows_left_out(const struct site *site);
/* Bytes that what was added takes. */
uint64_t site_memory(const struct site *site);
/* Judges all that was added and puts RECORD_VERDICT, RECORD_FINDING, RECORD_FINDING_VALUE,
 * RECORD_FINDING_EVIDENCE, RECORD_FINDING_FLOW and RECORD_CHAIN into out. Finding ids count from first_id. */
bool site_judge(struct site *site, int64_t first_id, const struct sink *out, struct error *error);

#endif
