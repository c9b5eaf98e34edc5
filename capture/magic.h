/* Says what a file is that is no capture, and what to do with it. */
#ifndef INVCAP_CAPTURE_MAGIC_H
#define INVCAP_CAPTURE_MAGIC_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Fills error: path, the first bytes, what they look like, the remedy. Returns false. */
bool magic_refuse(const char *path, const uint8_t *bytes, size_t len, struct error *error);

#endif
