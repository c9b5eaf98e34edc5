/* A bounded window over the bytes of a file, a pipe or memory, uncompressed on the way.
 *
 * The window holds what a reader needs next in one piece: memory inside it is borrowed until the
 * next stream_need. It grows only for one large block; the caller bounds what it asks for. One
 * system call per window, never one per packet. */
#ifndef INVCAP_CAPTURE_STREAM_H
#define INVCAP_CAPTURE_STREAM_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Answers of intake_read and of a decoder's read, beside a count of bytes above zero. */
#define READ_END 0
#define READ_IDLE (-1)    /* nothing within the poll time, or a signal came */
#define READ_FAILED (-2)  /* the system refused: errno */
#define READ_DAMAGED (-3) /* compressed bytes that end early or make no sense */

/* Where raw bytes come from: bytes already read, then a descriptor or memory. */
struct intake {
    uint8_t *pending; /* owned; bytes read before the compression was known */
    size_t pending_at, pending_len;
    int fd;     /* -1: memory */
    bool waits; /* a pipe, socket or terminal: poll before reading */
    int poll_ms;
    const uint8_t *memory; /* borrowed */
    size_t memory_left;
};

ssize_t intake_read(struct intake *intake, uint8_t *out, size_t room);

/* One kind of compression. read gives at least one byte or one of READ_*. */
struct decoder {
    const char *name; /* "gzip": the word after "pcap+" */
    void *(*open)(struct intake *intake);
    ssize_t (*read)(void *self, uint8_t *out, size_t room);
    void (*close)(void *self);
};

extern const struct decoder decoder_gzip;
extern const struct decoder decoder_zstd;
extern const struct decoder decoder_archive; /* xz, bzip2, lz4 */

/* The decoder for a file that begins with these bytes, and its name; NULL: not compressed. */
const struct decoder *decoder_of(const uint8_t *bytes, size_t len, const char **out_name);

enum stream_result {
    STREAM_READY, /* the bytes are there */
    STREAM_IDLE,  /* they may come: ask again */
    STREAM_SHORT  /* they never will: see end */
};

enum stream_end { STREAM_OPEN, STREAM_ENDED, STREAM_FAILED, STREAM_DAMAGED };

struct stream {
    uint8_t *buffer;
    size_t capacity, start, finish; /* the window is buffer[start..finish) */
    uint64_t offset;                /* of buffer[start] in the uncompressed stream */
    enum stream_end end;            /* what follows the window */
    int error;                      /* errno of STREAM_FAILED */
    struct intake intake;
    const struct decoder *decoder; /* NULL: as it is */
    void *decoder_self;
};

/* Keeps fd (closed by stream_close). False when memory is out; then fd is still the caller's. */
bool stream_open_fd(struct stream *stream, int fd, bool waits);
/* Borrows bytes for the life of the stream. */
bool stream_open_memory(struct stream *stream, const void *bytes, size_t len);
void stream_close(struct stream *stream);
/* Puts the decoder before everything read so far; only at offset 0. */
bool stream_set_decoder(struct stream *stream, const struct decoder *decoder);
enum stream_result stream_fill(struct stream *stream, size_t need);

static inline size_t stream_left(const struct stream *stream)
{
    return stream->finish - stream->start;
}

static inline const uint8_t *stream_at(const struct stream *stream)
{
    return stream->buffer + stream->start;
}

/* Makes need bytes stand at stream_at; ends what was borrowed before. */
static inline enum stream_result stream_need(struct stream *stream, size_t need)
{
    return stream_left(stream) >= need ? STREAM_READY : stream_fill(stream, need);
}

/* Moves past bytes that are in the window; they stay readable until the next stream_need. */
static inline void stream_skip(struct stream *stream, size_t len)
{
    stream->start += len;
    stream->offset += len;
}

#endif
