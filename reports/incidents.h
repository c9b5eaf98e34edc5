/* Incidents with their time lines, for people. */
#ifndef INVCAP_REPORTS_INCIDENTS_H
#define INVCAP_REPORTS_INCIDENTS_H

#include "reports/tables.h"

/* Prints each incident of the request: where, score and its terms, then what happened when. */
bool report_incidents(const struct view *view, struct store *store,
                      const struct table_request *request, size_t *out_rows, struct error *error);

#endif
