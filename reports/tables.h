/* The tables of the subcommands (findings, flows, tls, certs, dns, http ...): for people, as JSON or CSV. */
#ifndef INVCAP_REPORTS_TABLES_H
#define INVCAP_REPORTS_TABLES_H

#include "core/error.h"
#include "reports/view.h"
#include "store/store.h"

enum table_kind {
    TABLE_FLOWS, TABLE_TLS, TABLE_CERTS, TABLE_CAPTURES, TABLE_PATHS, TABLE_DNS, TABLE_HTTP,
    TABLE_INCIDENTS, TABLE_SERVICES, TABLE_SERVICE_MINUTES, TABLE_ENDPOINTS,
    TABLE_BASELINES, TABLE_DEPENDENCIES,
    TABLE_KIND_COUNT
};
enum table_form { TABLE_AS_TEXT, TABLE_AS_JSON, TABLE_AS_CSV };

struct table_request {
    enum table_form form;
    const char *where;          /* SQL condition of the user, or NULL */
    int64_t limit;              /* rows; 0 = all */
    int64_t capture_id;         /* 0 = every capture */
    const enum language *texts; /* findings as JSON: with sentences */
};

/* Both tell how many rows they printed. */
bool report_table(const struct view *view, struct store *store, enum table_kind kind,
                  const struct table_request *request, size_t *out_rows, struct error *error);
bool report_findings(const struct view *view, struct store *store,
                     const struct table_request *request, size_t *out_rows, struct error *error);

/* Ids of `table` for which the capture and the user's condition hold, in order; *out is to be
 * freed. key is the column that identifies a row. */
bool table_find_ids(struct store *store, const char *table, const char *key, const char *scope,
                    const struct table_request *request, int64_t **out, size_t *out_count,
                    struct error *error);

#endif
