/* Private to secrets: JSON Web Tokens (RFC 7519) and base64 (RFC 4648). */
#ifndef INVCAP_DISSECTORS_SECRETS_JWT_H
#define INVCAP_DISSECTORS_SECRETS_JWT_H

#include "dissectors/secrets.h"

/* Whether it is a compact JWS or JWE whose header names an algorithm. */
bool jwt_is(struct http_text value);
/* The same; fills algorithm, issuer and times of a signed one. */
bool jwt_read(struct http_text value, struct intern *strings, struct secret_fact *out);
/* Whether base64 holds user:password, neither of them empty. */
bool secret_is_user_password(struct http_text base64);
/* First 64 bits of SHA-256(salt, value) in hex; "" without a salt. */
void secret_hash(const char *salt, struct http_text value, char out[SECRET_HASH_SIZE]);

#endif
