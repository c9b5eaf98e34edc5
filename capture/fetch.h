/* Reads chosen frames of a source file again: evidence needs nothing but the store and the file. */
#ifndef INVCAP_CAPTURE_FETCH_H
#define INVCAP_CAPTURE_FETCH_H

#include "core/error.h"
#include "core/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the store knows of a source. */
struct fetch_source {
    const char *path;
    int64_t size;                          /* -1 not known: not checked */
    const char *sha256_head, *sha256_tail; /* NULL: not checked */
};

/* One frame; offset -1: not kept, not checked. */
struct fetch_frame {
    int64_t frame;
    int64_t offset;
};

/* Gives the frames, which must be in rising order, to `take` in one pass. `interface` is the name
 * of the packet's interface, "" when it has none. The packet is borrowed for the call; take stops
 * the pass by returning false. False with *error: the file is missing, is not the one that was
 * analysed, or ends before a frame. */
bool capture_fetch(const struct fetch_source *source, const struct fetch_frame *frames,
                   size_t count,
                   bool (*take)(void *self, const struct packet *packet, const char *interface),
                   void *self, struct error *error);

#endif
