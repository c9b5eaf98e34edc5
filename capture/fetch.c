#include "capture/fetch.h"

#include "capture/identity.h"
#include "capture/source.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static bool digest_differs(const char *known, const char *found)
{
    return known != NULL && known[0] != '\0' && strcmp(known, found) != 0;
}

/* False when the file lies there and is another one. A missing file is told by opening it. */
static bool fetch_check(const struct fetch_source *source, struct error *error)
{
    struct identity found;
    int fd = open(source->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    bool regular = identity_of_file(fd, &found);
    close(fd);
    if (!regular || source->size < 0)
        return true;
    if (found.size != source->size)
        return error_set(error, ERROR_INPUT,
                         "%s: not the file that was analysed: it had %" PRId64
                         " bytes and has %" PRId64 " now; restore it, or read it again",
                         source->path, source->size, found.size);
    if (digest_differs(source->sha256_head, found.head))
        return error_set(error, ERROR_INPUT,
                         "%s: not the file that was analysed: its first 64 KiB are others; "
                         "restore it, or read it again",
                         source->path);
    if (digest_differs(source->sha256_tail, found.tail))
        return error_set(error, ERROR_INPUT,
                         "%s: not the file that was analysed: its last 64 KiB are others; "
                         "restore it, or read it again",
                         source->path);
    return true;
}

static bool fetch_changed(const char *path, const struct fetch_frame *frame, struct error *error)
{
    return error_set(error, ERROR_INPUT,
                     "%s: not the file that was analysed: frame %" PRId64
                     " is not where it was; restore it, or read it again",
                     path, frame->frame);
}

bool capture_fetch(const struct fetch_source *source, const struct fetch_frame *frames,
                   size_t count,
                   bool (*take)(void *self, const struct packet *packet, const char *interface),
                   void *self, struct error *error)
{
    if (!fetch_check(source, error))
        return false;
    struct source *file = source_open_file(source->path, 1, error);
    if (file == NULL)
        return false;
    bool fine = true;
    bool wanted = true;
    size_t next = 0;
    while (fine && wanted && next < count) {
        struct packet packet;
        enum source_result result = source_next(file, &packet, error);
        if (result == SOURCE_IDLE)
            continue;
        if (result == SOURCE_FAILED) {
            fine = false;
        } else if (result == SOURCE_END || (int64_t)packet.frame > frames[next].frame) {
            fine = fetch_changed(source->path, &frames[next], error);
        } else if ((int64_t)packet.frame == frames[next].frame) {
            if (frames[next].offset >= 0 && (uint64_t)frames[next].offset != packet.offset) {
                fine = fetch_changed(source->path, &frames[next], error);
                break;
            }
            wanted = take(self, &packet, source_interface_name(file, packet.interface_id));
            next++;
        }
    }
    source_close(file);
    return fine;
}
