/* Secrets of TLS sessions from NSS key logs (SSLKEYLOGFILE), by client random. They live in memory
 * only, are written nowhere, and are overwritten when they are freed.
 *
 * Lines: LABEL, client random in hex, secret in hex. Lines with other labels (RSA, exporters), comments
 * and lines that make no sense are passed over. */
#ifndef INVCAP_DISSECTORS_TLS_KEYS_H
#define INVCAP_DISSECTORS_TLS_KEYS_H

#include "core/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_RANDOM 32
#define TLS_SECRET_MAX 64
/* Room for the text of one record: 2^14 + 2048 bytes of ciphertext, never more of text. */
#define TLS_KEYS_SCRATCH 18432

enum tls_secret_kind {
    TLS_SECRET_MASTER, /* CLIENT_RANDOM: the master secret, up to TLS 1.2 */
    TLS_SECRET_CLIENT_HANDSHAKE,
    TLS_SECRET_SERVER_HANDSHAKE,
    TLS_SECRET_CLIENT_TRAFFIC,
    TLS_SECRET_SERVER_TRAFFIC,
    TLS_SECRET_KINDS
};

struct tls_secret {
    uint8_t kind; /* enum tls_secret_kind */
    uint8_t len;
    uint8_t random[TLS_RANDOM];
    uint8_t bytes[TLS_SECRET_MAX];
};

struct tls_keys;

/* NULL when memory is out. */
struct tls_keys *tls_keys_new(void);
void tls_keys_free(struct tls_keys *keys);
/* Adds the secrets of a piece of key log text and returns how many lines held one, known or not; -1:
 * memory is out. Beyond LIMIT_TLS_SECRETS they are left out. A secret given twice counts once. */
int64_t tls_keys_add(struct tls_keys *keys, const char *text, size_t len);
/* The secret of that kind, NULL none. Borrowed until the next tls_keys_add. */
const struct tls_secret *tls_keys_find(const struct tls_keys *keys, enum tls_secret_kind kind,
                                       const uint8_t random[TLS_RANDOM]);
/* TLS_KEYS_SCRATCH bytes, one user at a time. */
uint8_t *tls_keys_scratch(struct tls_keys *keys);

#endif
