/* Zstandard (RFC 8878), several frames in a row, through libzstd and not libarchive for the reason
 * told in decoder_gzip.c. */
#include "capture/stream.h"

#include <stdlib.h>
#include <zstd.h>

#define ZSTD_INPUT_BYTES (256u * 1024u)
/* 128 MiB: what zstd(1) itself accepts without --long; more is an attack on memory. */
#define ZSTD_WINDOW_LOG 27

struct zstd {
    struct intake *intake;
    ZSTD_DStream *stream;
    ZSTD_inBuffer in;
    bool in_frame; /* a frame has begun and not ended */
    bool damaged;
    uint8_t input[ZSTD_INPUT_BYTES];
};

static void *zstd_open(struct intake *intake)
{
    struct zstd *zstd = calloc(1, sizeof *zstd);
    if (zstd == NULL)
        return NULL;
    zstd->intake = intake;
    zstd->stream = ZSTD_createDStream();
    if (zstd->stream == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(zstd->stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
        ZSTD_freeDStream(zstd->stream);
        free(zstd);
        return NULL;
    }
    zstd->in.src = zstd->input;
    return zstd;
}

static void zstd_close(void *self)
{
    struct zstd *zstd = self;
    ZSTD_freeDStream(zstd->stream);
    free(zstd);
}

/* Makes input stand; 1, or one of READ_*. */
static ssize_t zstd_refill(struct zstd *zstd)
{
    if (zstd->in.pos < zstd->in.size)
        return 1;
    ssize_t len = intake_read(zstd->intake, zstd->input, sizeof zstd->input);
    if (len == READ_END && zstd->in_frame)
        return READ_DAMAGED;
    if (len <= 0)
        return len;
    zstd->in.pos = 0;
    zstd->in.size = (size_t)len;
    return 1;
}

static ssize_t zstd_read(void *self, uint8_t *out, size_t room)
{
    struct zstd *zstd = self;
    ZSTD_outBuffer to = {out, room, 0};
    ssize_t result = zstd->damaged ? READ_DAMAGED : 1;
    while (to.pos < to.size && result > 0) {
        bool starved = zstd->in.pos == zstd->in.size;
        if (starved && to.pos > 0 && zstd->intake->waits)
            break;
        result = zstd_refill(zstd);
        if (result <= 0)
            break;
        size_t left = ZSTD_decompressStream(zstd->stream, &to, &zstd->in);
        if (ZSTD_isError(left)) {
            zstd->damaged = true;
            result = READ_DAMAGED;
        }
        zstd->in_frame = left != 0;
    }
    return to.pos > 0 ? (ssize_t)to.pos : result;
}

const struct decoder decoder_zstd = {"zstd", zstd_open, zstd_read, zstd_close};
