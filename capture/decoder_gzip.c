/* gzip (RFC 1952), several members in a row, through zlib and not libarchive: libarchive throws
 * away up to 64 KiB before the place where a file was cut, and all of a small one. */
#include "capture/stream.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_INPUT_BYTES (256u * 1024u)

struct gzip {
    struct intake *intake;
    z_stream zlib;
    bool in_member; /* a member has begun and not ended */
    bool ended;
    uint8_t input[GZIP_INPUT_BYTES];
};

static void *gzip_open(struct intake *intake)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL)
        return NULL;
    gzip->intake = intake;
    if (inflateInit2(&gzip->zlib, 15 + 16) != Z_OK) { /* 16: expect the gzip header */
        free(gzip);
        return NULL;
    }
    gzip->in_member = true;
    return gzip;
}

static void gzip_close(void *self)
{
    struct gzip *gzip = self;
    inflateEnd(&gzip->zlib);
    free(gzip);
}

/* Makes input stand; 1, or one of READ_*. */
static ssize_t gzip_refill(struct gzip *gzip)
{
    if (gzip->zlib.avail_in > 0)
        return 1;
    ssize_t len = intake_read(gzip->intake, gzip->input, sizeof gzip->input);
    if (len == READ_END && gzip->in_member)
        return READ_DAMAGED;
    if (len <= 0)
        return len;
    gzip->zlib.next_in = gzip->input;
    gzip->zlib.avail_in = (uInt)len;
    return 1;
}

/* Inflates what there is. False: damaged. */
static bool gzip_step(struct gzip *gzip)
{
    if (!gzip->in_member) {
        /* The next member, or padding that gzip(1) passes over as well. */
        if (gzip->zlib.next_in[0] != 0x1f) {
            gzip->ended = true;
            return true;
        }
        inflateReset(&gzip->zlib);
        gzip->in_member = true;
    }
    int result = inflate(&gzip->zlib, Z_NO_FLUSH);
    if (result == Z_STREAM_END)
        gzip->in_member = false;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

static ssize_t gzip_read(void *self, uint8_t *out, size_t room)
{
    struct gzip *gzip = self;
    uInt size = room > (1u << 30) ? 1u << 30 : (uInt)room;
    gzip->zlib.next_out = out;
    gzip->zlib.avail_out = size;
    ssize_t result = 1;
    while (gzip->zlib.avail_out > 0 && !gzip->ended) {
        /* What is inflated goes out before the next wait, so that a slow pipe is read at once. */
        if (gzip->zlib.avail_in == 0 && gzip->zlib.avail_out < size && gzip->intake->waits)
            break;
        result = gzip_refill(gzip);
        if (result > 0 && !gzip_step(gzip))
            result = READ_DAMAGED;
        if (result <= 0)
            break;
    }
    size_t len = size - gzip->zlib.avail_out;
    if (len > 0)
        return (ssize_t)len; /* the trouble is met again by the next call */
    return gzip->ended ? READ_END : result;
}

const struct decoder decoder_gzip = {"gzip", gzip_open, gzip_read, gzip_close};
