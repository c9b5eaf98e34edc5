/* Certificates as RFC 8879 compresses them. */
#ifndef INVCAP_DISSECTORS_INFLATE_H
#define INVCAP_DISSECTORS_INFLATE_H

#include "core/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The algorithm's name (RFC 8879 7.3); NULL: one that nobody reads. */
const char *inflate_name(uint16_t algorithm);
/* Whether packed holds out_len bytes, exactly and to its end; they are written to out, never more. */
bool inflate_exactly(uint16_t algorithm, struct cursor packed, uint8_t *out, size_t out_len);

#endif
