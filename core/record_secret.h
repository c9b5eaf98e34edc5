/* secrets: that a token or credentials crossed the wire, never what they are. */
#ifndef INVCAP_CORE_RECORD_SECRET_H
#define INVCAP_CORE_RECORD_SECRET_H

#include <stdint.h>

#define SECRET_HASH_SIZE 17

/* Order is public (names in columns_secret.c). */
enum secret_kind {
    SECRET_NONE,
    SECRET_BASIC,    /* user and password by RFC 7617 */
    SECRET_BEARER,   /* RFC 6750 */
    SECRET_JWT,      /* RFC 7519, wherever it stands */
    SECRET_API_KEY,  /* a key in a field or parameter of its own */
    SECRET_USERINFO, /* user:password@ in a URL (RFC 3986 3.2.1) */
    SECRET_PASSWORD, /* of a form or a document */
    SECRET_TOKEN     /* access_token and the like in URL or body */
};

enum secret_place { SECRET_IN_HEADER, SECRET_IN_COOKIE, SECRET_IN_URL, SECRET_IN_BODY, SECRET_IN_COMMAND };

struct secret_record {
    int64_t flow_id;
    int64_t number;              /* 1.. within the flow */
    int64_t request_number;      /* http_record.number */
    uint8_t kind, place, side;   /* side: who sent it */
    char hash[SECRET_HASH_SIZE]; /* first 64 bits of SHA-256 of salt and value, hex; "" no salt */
    uint32_t length;             /* of the value, bytes */
    const char *algorithm;       /* JWT: alg of its header */
    const char *issuer;          /* JWT: iss */
    int64_t issued_ns;           /* JWT: iat; -1 */
    int64_t expires_ns;          /* JWT: exp; -1 */
    int64_t time_ns, frame;
};

#endif
