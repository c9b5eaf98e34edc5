#include "cli/keylog_load.h"

#include "core/limits.h"
#include "dissectors/tls_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of fd; NULL with errno. */
static char *read_all(int fd, size_t *len)
{
    struct stat status;
    *len = 0;
    if (fstat(fd, &status) != 0) {
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)LIMIT_KEYLOG_BYTES) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        return NULL;
    }
    size_t room = (size_t)status.st_size;
    char *text = malloc(room + 1);
    ssize_t got = text != NULL ? 1 : 0;
    while (got > 0 && *len < room) {
        got = read(fd, text + *len, room - *len);
        *len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        explicit_bzero(text, room);
        free(text);
        return NULL;
    }
    return text;
}

static bool add_file(struct tls_keys *keys, const char *path, struct error *error)
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? read_all(fd, &len) : NULL;
    int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (text == NULL) {
        return error_set(error, ERROR_INPUT, "cannot read the key log %s: %s", path, strerror(why));
    }
    int64_t lines = tls_keys_add(keys, text, len);
    explicit_bzero(text, len);
    free(text);
    if (lines < 0) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    if (lines == 0 && len > 0) {
        return error_set(error, ERROR_INPUT,
                         "%s is no key log: it has no line of label, client random and secret", path);
    }
    return true;
}

bool keylog_load(const struct arguments *arguments, struct tls_keys **out, struct error *error)
{
    *out = NULL;
    if (arguments->keylog_count == 0) {
        return true;
    }
    struct tls_keys *keys = tls_keys_new();
    bool good = keys != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    for (size_t i = 0; good && i < arguments->keylog_count; i++) {
        good = add_file(keys, arguments->keylogs[i], error);
    }
    if (!good) {
        tls_keys_free(keys);
        return false;
    }
    *out = keys;
    return true;
}
