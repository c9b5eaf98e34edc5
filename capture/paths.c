/* Folders to capture files. */
#include "capture/reader.h"
#include "capture/source.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct path_list {
    char **paths;
    size_t count, room;
};

static bool list_add(struct path_list *list, const char *path)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 16;
        char **grown = realloc(list->paths, room * sizeof *grown);
        if (grown == NULL)
            return false;
        list->paths = grown;
        list->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return false;
    list->paths[list->count++] = copy;
    return true;
}

/* x.pcap, x.pcapng3, x.cap.gz: named a capture, so that a damaged one is told and not missed. */
static bool name_is_capture(const char *name)
{
    return strcasestr(name, ".pcap") != NULL || strcasestr(name, ".cap") != NULL ||
           strcasestr(name, ".ntar") != NULL;
}

/* By the first bytes: also x.dmp, trace-17, eth0.log.2. */
static bool content_is_capture(const char *path)
{
    uint8_t magic[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, magic, sizeof magic);
    close(fd);
    return len == (ssize_t)sizeof magic && (pcap_reader_knows(magic) || pcapng_reader_knows(magic));
}

static int entry_compare(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* One visit of the walk. False: no memory. */
static bool walk_visit(FTS *walk, FTSENT *entry, struct path_list *list)
{
    if (entry->fts_level > FTS_ROOTLEVEL && entry->fts_name[0] == '.') {
        (void)fts_set(walk, entry, FTS_SKIP);
        return true;
    }
    if (entry->fts_info != FTS_F || !S_ISREG(entry->fts_statp->st_mode))
        return true;
    if (!name_is_capture(entry->fts_name) && !content_is_capture(entry->fts_path))
        return true;
    return list_add(list, entry->fts_path);
}

static bool folder_expand(char *folder, struct path_list *list, struct error *error)
{
    size_t before = list->count;
    char *roots[] = {folder, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, entry_compare);
    if (walk == NULL)
        return error_set(error, ERROR_INPUT, "%s: cannot look into the folder: %s", folder,
                         strerror(errno));
    bool memory = true;
    int denied = 0;
    for (FTSENT *entry = fts_read(walk); memory && entry != NULL; entry = fts_read(walk)) {
        if (entry->fts_info == FTS_DNR && entry->fts_level == FTS_ROOTLEVEL)
            denied = entry->fts_errno;
        memory = walk_visit(walk, entry, list);
    }
    fts_close(walk);
    if (!memory)
        return error_set(error, ERROR_RUNTIME, "%s: no memory for the list of files", folder);
    if (denied != 0)
        return error_set(error, ERROR_INPUT, "%s: cannot look into the folder: %s", folder,
                         strerror(denied));
    if (list->count == before)
        return error_set(error, ERROR_INPUT,
                         "%s: no capture file in this folder (pcap, pcapng, also compressed as "
                         "*.pcap.gz)",
                         folder);
    return true;
}

bool source_paths_expand(char *const *paths, size_t count, char ***out, size_t *out_count,
                         struct error *error)
{
    struct path_list list = {0};
    bool done = true;
    for (size_t i = 0; done && i < count; i++) {
        struct stat status;
        bool folder =
            strcmp(paths[i], "-") != 0 && stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode);
        if (folder)
            done = folder_expand(paths[i], &list, error);
        else if (!list_add(&list, paths[i]))
            done = error_set(error, ERROR_RUNTIME, "no memory for the list of files");
    }
    if (!done) {
        source_paths_free(list.paths, list.count);
        return false;
    }
    *out = list.paths;
    *out_count = list.count;
    return true;
}

void source_paths_free(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}
