/* ClientHello and ServerHello taken apart (RFC 8446 4.1, RFC 5246 7.4.1, GB/T 38636 6.4.5).
 *
 * Views into the message, nothing copied: every cursor borrows the bytes given to the parser. A
 * hello that breaks off inside its extensions keeps what came before and is marked malformed. */
#ifndef INVCAP_DISSECTORS_TLS_HELLO_H
#define INVCAP_DISSECTORS_TLS_HELLO_H

#include "core/bytes.h"

struct tls_client_hello {
    const uint8_t *random; /* 32 bytes, borrowed; NULL in SSL 2.0 form */
    uint16_t legacy_version;
    struct cursor session_id;
    struct cursor ciphers;              /* uint16 each; an odd last byte is left out */
    struct cursor extensions;           /* type, length, body each */
    struct cursor supported_versions;   /* uint16 each */
    struct cursor groups;               /* uint16 each */
    struct cursor point_formats;        /* bytes */
    struct cursor signature_algorithms; /* uint16 each */
    struct cursor alpn;                 /* length, name each */
    struct cursor sni;                  /* the first host_name */
    bool has_sni;                       /* the extension, even an empty one */
    struct cursor key_shares;           /* group, length, key each */
    struct cursor compressions;         /* uint16 each, RFC 8879 */
    bool has_psk;
    bool has_early_data;
    bool has_status_request, has_sct, has_ech;
    bool has_grease;
    bool has_ticket; /* a session ticket that is not empty */
    bool malformed;
};

struct tls_server_hello {
    const uint8_t *random; /* 32 bytes, borrowed */
    uint16_t legacy_version;
    uint16_t version; /* of supported_versions, else legacy_version */
    uint16_t cipher;
    uint16_t group; /* of key_share, 0 none */
    struct cursor session_id;
    struct cursor extensions; /* type, length, body each */
    struct cursor alpn;       /* the selected name */
    bool is_downgraded;       /* RFC 8446 4.1.3: the server could do more than it chose */
    bool is_retry;            /* RFC 8446 4.1.3 */
    struct cursor scts;       /* SignedCertificateTimestampList, RFC 6962 3.3.1 */
    bool has_psk;
    bool has_sct;
    bool has_renegotiation; /* renegotiation_info, RFC 5746 */
    bool has_encrypt_then_mac; /* RFC 7366 */
    bool malformed;
};

/* Parse the body of a message (without type and length). False: not even the fixed part is there.
 */
bool tls_client_hello_parse(struct cursor body, struct tls_client_hello *out);
bool tls_server_hello_parse(struct cursor body, struct tls_server_hello *out);

/* Whole bytes of an SSL 2.0 CLIENT-HELLO record with its 2-byte header, 0 when they are not one;
 * SIZE_MAX when more bytes must be seen (up to 11). */
size_t tls_sslv2_hello_size(const uint8_t *bytes, size_t len);
/* Turns a whole one into the same facts: no extensions, and no ciphers (theirs are 3 bytes each).
 */
bool tls_sslv2_hello_parse(struct cursor record, struct tls_client_hello *out);

/* The highest version offered without GREASE: of supported_versions, else legacy_version. Final
 * TLS 1.3 beats its drafts. */
uint16_t tls_client_hello_version(const struct tls_client_hello *hello);

/* Cuts the next extension off; false at the end or when it does not fit. */
bool tls_next_extension(struct cursor *extensions, uint16_t *type, struct cursor *body);

#endif
