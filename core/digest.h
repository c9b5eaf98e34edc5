/* Message digests (OpenSSL behind a wall). One-shot; never fail on valid input. */
#ifndef INVCAP_CORE_DIGEST_H
#define INVCAP_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

void digest_md5(const void *bytes, size_t len, uint8_t out[16]);
void digest_sha1(const void *bytes, size_t len, uint8_t out[20]);
void digest_sha256(const void *bytes, size_t len, uint8_t out[32]);
/* Lower-case hex with terminator; out holds 2 * len + 1. Returns out. */
char *hex_from_bytes(const void *bytes, size_t len, char *out);

#endif
