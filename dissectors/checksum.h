/* The Internet checksum (RFC 1071). */
#ifndef INVCAP_DISSECTORS_CHECKSUM_H
#define INVCAP_DISSECTORS_CHECKSUM_H

#include "core/hints.h"

#include <stddef.h>
#include <stdint.h>

/* Ones' complement sum of the bytes as big-endian 16-bit words, folded, not inverted. Only the last
 * part of a message may have an odd length. */
PER_PACKET
uint16_t checksum_sum(const uint8_t *bytes, size_t len);
/* Folds a total of sums to 16 bits. */
uint16_t checksum_fold(uint32_t total);

#endif
