/* Tokens and credentials in clear text: that they are there, of which kind, how long, when they
 * expire by their own words. A value is hashed with the read's salt and forgotten. */
#ifndef INVCAP_DISSECTORS_SECRETS_H
#define INVCAP_DISSECTORS_SECRETS_H

#include "core/intern.h"
#include "core/record.h"

#include <stdbool.h>
#include <stddef.h>

struct http_text { /* borrowed */
    const char *at;
    size_t len;
};

/* More than these in one message repeat what was said. */
#define SECRETS_MAX 4

struct secret_fact {
    uint8_t kind, place;
    char hash[SECRET_HASH_SIZE];
    uint32_t length;
    const char *algorithm, *issuer;
    int64_t issued_ns, expires_ns;
};

/* Those of one message. */
struct secrets {
    struct intern *strings;
    const char *salt; /* NULL or "": nothing is hashed */
    struct secret_fact at[SECRETS_MAX];
    size_t count;
};

/* The value of Authorization or Proxy-Authorization (RFC 7617, RFC 6750, RFC 7519). */
void secrets_from_authorization(struct secrets *secrets, struct http_text value);
/* A field of its own for a key or token: X-API-Key, X-Auth-Token ... */
void secrets_from_key_field(struct secrets *secrets, struct http_text value);
/* Cookie or Set-Cookie: only what is a JWT, other values may be anything. */
void secrets_from_cookie(struct secrets *secrets, struct http_text value);
/* A request target: user:password@ and parameters. */
void secrets_from_target(struct secrets *secrets, struct http_text target);
/* The beginning of a body: form, JSON or XML. Passwords count in requests only. */
void secrets_from_body(struct secrets *secrets, struct http_text body, bool is_request);

#endif
