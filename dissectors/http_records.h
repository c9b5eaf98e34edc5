/* What HTTP/1 and HTTP/2 have in common on their way out: a fresh record, names and paths, secrets
 * of a connection told once. */
#ifndef INVCAP_DISSECTORS_HTTP_RECORDS_H
#define INVCAP_DISSECTORS_HTTP_RECORDS_H

#include "dissectors/dissector.h"
#include "dissectors/http_fields.h"

#define HTTP_SECRETS_REMEMBERED 8

/* The secrets of one connection: the same one in the same place is told once. */
struct http_secret_log {
    uint64_t last[HTTP_SECRETS_REMEMBERED];
    uint32_t count;
};

void http_record_start(struct http_record *out);
void http_record_name(struct http_record *record, struct dissect_context *context,
                      struct http_text method, struct http_text host, struct http_text target);
/* Puts a record for each secret not told yet; those beyond LIMIT_SECRETS_PER_FLOW are left out. */
void http_secrets_put(struct http_secret_log *log, const struct secrets *secrets, enum side side,
                      int64_t request_number, struct dissect_context *context);

#endif
