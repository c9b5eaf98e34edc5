/* One writer at a time: a lock file beside the database. SQLite's own locks last for one transaction
 * only, and a lock on the database file itself would break them (POSIX locks of a process go away when
 * it closes any descriptor of the file). The kernel frees the lock when its holder dies. */
#include "store/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool lock_refuse(const struct store *store, int fd, struct error *error)
{
    char holder[24] = "";
    ssize_t len = pread(fd, holder, sizeof holder - 1, 0);
    long pid = len > 0 ? strtol(holder, NULL, 10) : 0;
    (void)close(fd);
    if (pid > 0) {
        return error_set(error, ERROR_STORE,
                         "another invcap (process %ld) is writing to the database %s; wait until it "
                         "is done or name another file with --db",
                         pid, store->path);
    }
    return error_set(error, ERROR_STORE,
                     "another invcap is writing to the database %s; wait until it is done or name "
                     "another file with --db",
                     store->path);
}

static bool lock_cannot_open(const struct store *store, struct error *error)
{
    int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) {
        return error_set(error, ERROR_STORE,
                         "cannot write the database %s: its folder does not exist; make the folder "
                         "or name another file with --db",
                         store->path);
    }
    return error_set(error, ERROR_STORE,
                     "cannot write the database %s: %s; make its folder writable or name another "
                     "file with --db",
                     store->path, strerror(reason));
}

/* Whether the locked file is still the one that the name leads to: its last holder may have removed
 * it between our open and our lock. */
static bool lock_is_current(const struct store *store, int fd)
{
    struct stat ours;
    struct stat named;
    return fstat(fd, &ours) == 0 && stat(store->lock_path, &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

bool lock_take(struct store *store, struct error *error)
{
    for (;;) {
        int fd = open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return lock_cannot_open(store, error);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            return lock_refuse(store, fd, error);
        }
        if (lock_is_current(store, fd)) {
            store->lock_fd = fd;
            break;
        }
        (void)close(fd);
    }
    /* Only for the sentence above: a lock without a number is as good. */
    if (ftruncate(store->lock_fd, 0) == 0) {
        (void)dprintf(store->lock_fd, "%ld\n", (long)getpid());
    }
    return true;
}

void lock_release(struct store *store)
{
    if (store->lock_fd >= 0) {
        (void)unlink(store->lock_path);
        (void)close(store->lock_fd);
        store->lock_fd = -1;
    }
}
