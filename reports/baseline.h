/* Baselines: what is usual, saved from captures, and what a capture shows otherwise. */
#ifndef INVCAP_REPORTS_BASELINE_H
#define INVCAP_REPORTS_BASELINE_H

#include "core/error.h"
#include "reports/view.h"
#include "store/store.h"

/* Replaces the saved baseline by what a capture (0: all of the database) shows: a row per server
 * address, port, name and key, and one per client address, name and hello. *out_rows counts them. */
bool baseline_save(struct store *store, int64_t capture_id, size_t *out_rows, struct error *error);
/* Prints what the capture (0: all) shows otherwise than the baseline, one line (as_json: one object)
 * per server or client. *out_rows counts these. */
bool baseline_check(const struct view *view, struct store *store, int64_t capture_id, bool as_json,
                    size_t *out_rows, struct error *error);

#endif
