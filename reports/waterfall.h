/* Where the time of one connection went, as a table that adds up. */
#ifndef INVCAP_REPORTS_WATERFALL_H
#define INVCAP_REPORTS_WATERFALL_H

#include "core/error.h"
#include "core/record.h"
#include "reports/view.h"
#include "store/store.h"

/* Prints the terms of the flow that are not 0, with their shares of its length, and its round trips.
 * Prints nothing for a flow without a waterfall. */
bool report_waterfall(const struct view *view, struct store *store, int64_t flow_id,
                      struct error *error);

#endif
