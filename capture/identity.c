#include "capture/identity.h"

#include "core/digest.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool digest_part(int fd, uint8_t *buffer, size_t len, off_t at, char hex[IDENTITY_HEX_SIZE])
{
    size_t have = 0;
    while (have < len) {
        ssize_t got = pread(fd, buffer + have, len - have, at + (off_t)have);
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    uint8_t digest[32];
    digest_sha256(buffer, len, digest);
    hex_from_bytes(digest, sizeof digest, hex);
    return true;
}

bool identity_of_file(int fd, struct identity *out)
{
    *out = (struct identity){.size = -1};
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    size_t len = IDENTITY_PART_BYTES;
    if (status.st_size < (off_t)len)
        len = (size_t)status.st_size;
    uint8_t *buffer = malloc(IDENTITY_PART_BYTES);
    if (buffer == NULL)
        return false;
    bool done = digest_part(fd, buffer, len, 0, out->head) &&
                digest_part(fd, buffer, len, status.st_size - (off_t)len, out->tail);
    free(buffer);
    if (!done) {
        *out = (struct identity){.size = -1};
        return false;
    }
    out->size = status.st_size;
    return true;
}
