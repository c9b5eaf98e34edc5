/* What tells a file from another of the same name: its size and the SHA-256 of its first and last
 * 64 KiB, as it lies on the disk. */
#ifndef INVCAP_CAPTURE_IDENTITY_H
#define INVCAP_CAPTURE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_PART_BYTES (64u * 1024u)
#define IDENTITY_HEX_SIZE 65

struct identity {
    int64_t size; /* -1: a stream, no digests */
    char head[IDENTITY_HEX_SIZE], tail[IDENTITY_HEX_SIZE];
};

/* Reads without moving the descriptor's position. False, *out a stream's identity, when fd is no
 * regular file or cannot be read. */
bool identity_of_file(int fd, struct identity *out);

#endif
