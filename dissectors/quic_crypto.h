/* Keys and protection of QUIC Initial packets: RFC 9001 5, RFC 9369 3.3. They are no secret: everybody
 * who sees the first packet has them.
 *
 * OpenSSL stays behind this header. */
#ifndef INVCAP_DISSECTORS_QUIC_CRYPTO_H
#define INVCAP_DISSECTORS_QUIC_CRYPTO_H

#include "core/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIC_VERSION_1 0x00000001u
#define QUIC_VERSION_2 0x6b3343cfu
#define QUIC_CONNECTION_ID_MAX 20
#define QUIC_TAG 16

struct quic_keys;

/* Whether Initial packets of this version can be read: 1, 2, and the drafts 23 to 34. */
bool quic_version_is_known(uint32_t version);

/* The Initial keys of one role from the Destination Connection ID of the client's first Initial (or of
 * the Retry). NULL: unknown version, or memory is out. Free with quic_keys_free. */
struct quic_keys *quic_keys_new(uint32_t version, const uint8_t *id, size_t id_len, enum side role);
void quic_keys_free(struct quic_keys *keys);

/* Removes header and packet protection of a packet of packet_len bytes (RFC 9001 5.3, 5.4) whose
 * packet number begins at number_offset. *largest is the largest packet number so far of that role,
 * -1 none; it is kept current. out takes packet_len bytes. False: not these keys, or damaged. */
bool quic_unprotect(struct quic_keys *keys, const uint8_t *packet, size_t packet_len,
                    size_t number_offset, int64_t *largest, uint8_t *out, size_t *out_len);

#endif
