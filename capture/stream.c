#include "capture/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Large enough that a system call costs nothing per packet, small enough to leave the second-level cache
 * to the tables of flows. */
#define STREAM_BUFFER_BYTES (1u << 18)
/* The first look at a file: hundreds of a rotation are open at a time and wait for their turn. */
#define STREAM_FIRST_BYTES (64u << 10)
/* Memory is handed over in pieces so that tests meet the refill that files meet. */
#define STREAM_MEMORY_PIECE 4096

static ssize_t intake_read_memory(struct intake *intake, uint8_t *out, size_t room)
{
    size_t len = intake->memory_left;
    if (len > room)
        len = room;
    if (len > STREAM_MEMORY_PIECE)
        len = STREAM_MEMORY_PIECE;
    if (len == 0)
        return READ_END;
    memcpy(out, intake->memory, len);
    intake->memory += len;
    intake->memory_left -= len;
    return (ssize_t)len;
}

static ssize_t intake_read_pending(struct intake *intake, uint8_t *out, size_t room)
{
    size_t len = intake->pending_len - intake->pending_at;
    if (len > room)
        len = room;
    memcpy(out, intake->pending + intake->pending_at, len);
    intake->pending_at += len;
    if (intake->pending_at == intake->pending_len) {
        free(intake->pending);
        intake->pending = NULL;
        intake->pending_at = intake->pending_len = 0;
    }
    return (ssize_t)len;
}

ssize_t intake_read(struct intake *intake, uint8_t *out, size_t room)
{
    if (intake->pending_len > 0)
        return intake_read_pending(intake, out, room);
    if (intake->fd < 0)
        return intake_read_memory(intake, out, room);
    if (intake->waits) {
        struct pollfd ready = {.fd = intake->fd, .events = POLLIN};
        int count = poll(&ready, 1, intake->poll_ms);
        if (count == 0 || (count < 0 && errno == EINTR))
            return READ_IDLE;
    }
    ssize_t len = read(intake->fd, out, room);
    if (len >= 0)
        return len;
    return errno == EINTR || errno == EAGAIN ? READ_IDLE : READ_FAILED;
}

static bool stream_open(struct stream *stream)
{
    stream->buffer = malloc(STREAM_FIRST_BYTES);
    stream->capacity = STREAM_FIRST_BYTES;
    stream->intake.fd = -1;
    stream->intake.poll_ms = 200;
    return stream->buffer != NULL;
}

bool stream_open_fd(struct stream *stream, int fd, bool waits)
{
    *stream = (struct stream){0};
    if (!stream_open(stream))
        return false;
    stream->intake.fd = fd;
    stream->intake.waits = waits;
    return true;
}

bool stream_open_memory(struct stream *stream, const void *bytes, size_t len)
{
    *stream = (struct stream){0};
    stream->intake.memory = bytes;
    stream->intake.memory_left = len;
    return stream_open(stream);
}

void stream_close(struct stream *stream)
{
    if (stream->decoder != NULL)
        stream->decoder->close(stream->decoder_self);
    if (stream->intake.fd > STDIN_FILENO)
        close(stream->intake.fd);
    free(stream->intake.pending);
    free(stream->buffer);
    *stream = (struct stream){.intake = {.fd = -1}};
}

bool stream_set_decoder(struct stream *stream, const struct decoder *decoder)
{
    assert(stream->offset == 0 && stream->decoder == NULL && stream->intake.pending == NULL);
    size_t len = stream_left(stream);
    uint8_t *pending = malloc(len + 1);
    if (pending == NULL)
        return false;
    memcpy(pending, stream_at(stream), len);
    stream->intake.pending = pending;
    stream->intake.pending_len = len;
    stream->decoder_self = decoder->open(&stream->intake);
    if (stream->decoder_self == NULL)
        return false;
    stream->decoder = decoder;
    stream->start = stream->finish = 0;
    stream->end = STREAM_OPEN;
    return true;
}

/* Makes room for `need` bytes from the start of the window. */
static bool stream_make_room(struct stream *stream, size_t need)
{
    size_t left = stream_left(stream);
    if (need < STREAM_BUFFER_BYTES && stream->offset + left >= STREAM_FIRST_BYTES)
        need = STREAM_BUFFER_BYTES; /* its turn has come */
    if (stream->start > 0) {
        memmove(stream->buffer, stream_at(stream), left);
        stream->start = 0;
        stream->finish = left;
    }
    if (need <= stream->capacity)
        return true;
    size_t capacity = stream->capacity;
    while (capacity < need)
        capacity *= 2;
    uint8_t *buffer = realloc(stream->buffer, capacity);
    if (buffer == NULL)
        return false;
    stream->buffer = buffer;
    stream->capacity = capacity;
    return true;
}

static ssize_t stream_read(struct stream *stream)
{
    uint8_t *out = stream->buffer + stream->finish;
    size_t room = stream->capacity - stream->finish;
    if (stream->decoder != NULL)
        return stream->decoder->read(stream->decoder_self, out, room);
    return intake_read(&stream->intake, out, room);
}

enum stream_result stream_fill(struct stream *stream, size_t need)
{
    if (stream->end != STREAM_OPEN)
        return STREAM_SHORT;
    if (!stream_make_room(stream, need)) {
        stream->end = STREAM_FAILED;
        stream->error = ENOMEM;
        return STREAM_SHORT;
    }
    while (stream_left(stream) < need) {
        ssize_t len = stream_read(stream);
        if (len == READ_IDLE)
            return STREAM_IDLE;
        if (len > 0) {
            stream->finish += (size_t)len;
            continue;
        }
        stream->error = errno;
        stream->end = len == READ_END      ? STREAM_ENDED
                      : len == READ_FAILED ? STREAM_FAILED
                                           : STREAM_DAMAGED;
        return STREAM_SHORT;
    }
    return STREAM_READY;
}
