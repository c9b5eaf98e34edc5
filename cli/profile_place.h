/* Where in a YAML file something stands: libcyaml tells the line of the value it read last, a
 * reader wants that of the value at fault. */
#ifndef INVCAP_CLI_PROFILE_PLACE_H
#define INVCAP_CLI_PROFILE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#define PROFILE_PATH_MOST 8
#define PROFILE_KEY_SIZE 64

struct profile_step {
    char key[PROFILE_KEY_SIZE]; /* "" = an entry of a list */
    size_t index;               /* of the entry, from 0 */
};

struct profile_path {
    struct profile_step steps[PROFILE_PATH_MOST];
    size_t count;
};

struct profile_place {
    size_t line, column; /* from 1 */
};

void profile_path_key(struct profile_path *path, const char *key);
void profile_path_index(struct profile_path *path, size_t index);

/* Where the value at `path` begins, or as far along the path as the file goes. */
struct profile_place profile_place_value(const char *text, size_t len,
                                         const struct profile_path *path);
/* Where the occurrence (0 = first) of `key` in the mapping at `path` stands; the mapping itself
 * when it has none. */
struct profile_place profile_place_key(const char *text, size_t len,
                                       const struct profile_path *path, const char *key,
                                       size_t occurrence);
/* Whether the mapping at `path` has the key. */
bool profile_place_has_key(const char *text, size_t len, const struct profile_path *path,
                           const char *key);
/* Whether the text is YAML at all; false with the place and the parser's words. */
bool profile_place_check(const char *text, size_t len, struct profile_place *place, char *problem,
                         size_t size);

#endif
