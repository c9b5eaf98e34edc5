/* What HTTP header fields say, whatever version carries them. Values are looked at and not kept. */
#ifndef INVCAP_DISSECTORS_HTTP_FIELDS_H
#define INVCAP_DISSECTORS_HTTP_FIELDS_H

#include "dissectors/secrets.h"

struct http_fields {
    uint8_t kind; /* enum http_kind: grpc, events, or plain */
    bool has_credentials;
    bool hsts, to_https;
    bool from_https;   /* the client believes that it speaks HTTPS: a device on the way ended TLS */
    bool cached;       /* Age: the answer comes from a cache */
    bool body_is_text; /* a form, JSON or XML: its beginning may hold a secret */
    int16_t grpc_status; /* -1 none */
    int64_t deadline_ns; /* gRPC: the client waits no longer than that; -1 none */
    int64_t date_ns;     /* -1 none */
};

void http_fields_start(struct http_fields *out);
/* One field; the name in any case. */
void http_fields_note(struct http_text name, struct http_text value, struct secrets *secrets,
                      struct http_fields *out);
/* IMF-fixdate (RFC 9110 5.6.7) in ns since 1970; -1 when it is none. */
int64_t http_date(struct http_text value);
/* Writes what the message says of itself into its record. */
void http_fields_of_request(const struct http_fields *fields, const struct secrets *secrets,
                            struct http_record *out);
void http_fields_of_response(const struct http_fields *fields, struct http_record *out);

#endif
