/* Pieces of IP datagrams until they are whole (RFC 791 3.2, RFC 8200 4.5).
 *
 * Bounded in datagrams, pieces, bytes and packet time (core/limits.h); the oldest datagram goes
 * first. Overlapping pieces make a datagram refused for good (RFC 5722, for IPv4 as well); exact
 * duplicates are tolerated. Pieces cut by the snap length still complete a datagram: its bytes are
 * then present up to the first hole. */
#ifndef INVCAP_DISSECTORS_FRAGMENTS_H
#define INVCAP_DISSECTORS_FRAGMENTS_H

#include "dissectors/decode.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAGMENT_HEADER_MAX 60

struct fragment_table;

/* No padding: compared as bytes. IPv6 leaves protocol 0 (RFC 8200 4.5). */
struct fragment_key {
    uint8_t src[16];
    uint8_t dst[16];
    uint32_t id;
    uint8_t protocol;
    uint8_t family;
    uint8_t zero[2];
};

struct fragment_piece {
    struct fragment_key key;
    uint32_t offset, len; /* of the payload, bytes */
    bool more;
    const uint8_t *bytes; /* borrowed: caplen present bytes of the payload */
    uint32_t caplen;
    const uint8_t *header; /* borrowed: the IP header to put in front; used at offset 0 */
    uint32_t header_len;   /* <= FRAGMENT_HEADER_MAX */
    int64_t time_ns;
};

/* A datagram put together: IP header, then payload, in the table's own memory, which the caller may
 * change (lengths) and which is valid until the next datagram is put together. */
struct fragment_whole {
    uint8_t *header;
    uint32_t header_len;
    uint32_t caplen; /* present bytes of the payload */
    uint32_t len;    /* of the payload */
};

/* NULL when memory is out. */
struct fragment_table *fragments_new(void);
void fragments_free(struct fragment_table *table);
/* Keeps a copy of the piece; true and *out filled when it completes its datagram. Counts into
 * *counters. */
bool fragments_add(struct fragment_table *table, const struct fragment_piece *piece,
                   struct decode_counters *counters, struct fragment_whole *out);

#endif
