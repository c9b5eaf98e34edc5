/* Record protection of TLS 1.0 to 1.3 and TLCP with known secrets: RFC 8446 5 and 7, RFC 5246 6.2.3 and
 * 6.3, RFC 5288, RFC 6655, RFC 7366, RFC 7905, RFC 2246 6.2.3, GB/T 38636.
 *
 * OpenSSL stays behind this header. */
#ifndef INVCAP_DISSECTORS_TLS_DECRYPT_H
#define INVCAP_DISSECTORS_TLS_DECRYPT_H

#include "core/record.h"
#include "dissectors/tls_keys.h"

/* What one role writes, under the keys in force. */
struct tls_opener;

/* Whether records of that suite can be opened at all: SM4 needs an OpenSSL that has its modes. */
bool tls_opener_can(uint16_t cipher);
/* TLS 1.3: from a traffic secret. NULL: a suite that cannot be opened, a secret of another length than
 * the suite's hash, or memory is out. */
struct tls_opener *tls_opener_new_13(uint16_t cipher, const uint8_t *secret, size_t len);

struct tls_session_12 {
    uint16_t version, cipher;
    bool encrypt_then_mac; /* RFC 7366 was agreed */
    const uint8_t *master; /* 48 bytes */
    const uint8_t *client_random, *server_random;
};

/* Up to TLS 1.2, and TLCP: from the master secret; role is who writes. NULL as above. */
struct tls_opener *tls_opener_new_12(const struct tls_session_12 *session, enum side role);
/* NULL is permitted. */
void tls_opener_free(struct tls_opener *opener);

/* TLS 1.3: goes over to the next secret (KeyUpdate, RFC 8446 7.2). */
bool tls_opener_update(struct tls_opener *opener);

/* Opens the next record: header (5 bytes) and len bytes of fragment. out takes len bytes, at most
 * TLS_KEYS_SCRATCH; *type is the content type (the inner one in TLS 1.3). False: it is not authentic
 * under these keys; then the opener still waits for the same record. */
bool tls_opener_open(struct tls_opener *opener, const uint8_t header[5], const uint8_t *fragment,
                     size_t len, uint8_t *out, size_t *out_len, uint8_t *type);

#endif
