#include "cli/names_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 1024
#define NAME_MOST 253 /* RFC 1035 3.1, as text */
#define HOSTS_MOST 100000

struct names {
    struct profile_host *hosts;
    size_t count, capacity;
};

void names_free(struct names *names)
{
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        free((void *)(uintptr_t)names->hosts[i].name);
    }
    free(names->hosts);
    free(names);
}

static bool is_known(const struct names *names, const struct address *address)
{
    for (size_t i = 0; i < names->count; i++) {
        if (address_equal(&names->hosts[i].address, address)) {
            return true;
        }
    }
    return false;
}

/* Copies the name; an address that has one keeps it. */
static bool add(struct names *names, const struct address *address, const char *name)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity > 0 ? 2 * names->capacity : 64;
        struct profile_host *grown = realloc(names->hosts, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        names->hosts = grown;
        names->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return false;
    }
    names->hosts[names->count++] = (struct profile_host){*address, copy};
    return true;
}

/* "10.0.0.2 portal-a alias # comment" */
static bool read_line(struct names *names, char *line, const char *path, size_t number,
                      struct error *error)
{
    struct address address;
    char *rest = NULL;
    line[strcspn(line, "#\r\n")] = '\0';
    const char *text = strtok_r(line, " \t", &rest);
    if (text == NULL) {
        return true;
    }
    const char *name = strtok_r(NULL, " \t", &rest);
    if (!address_from_text(text, &address)) {
        return error_set(error, ERROR_USAGE, "%s:%zu: \"%s\"; expected an address, then a name",
                         path, number, text);
    }
    if (name == NULL || strlen(name) > NAME_MOST) {
        return error_set(error, ERROR_USAGE, "%s:%zu: %s has no name of 1 to %d characters", path,
                         number, text, NAME_MOST);
    }
    if (names->count >= HOSTS_MOST) {
        return error_set(error, ERROR_USAGE, "%s:%zu: more than %d names", path, number,
                         HOSTS_MOST);
    }
    return add(names, &address, name) || error_set(error, ERROR_RUNTIME, "out of memory");
}

static bool read_file(struct names *names, const char *path, struct error *error)
{
    char line[LINE_SIZE];
    FILE *in = fopen(path, "r");
    bool good = in != NULL || error_set(error, ERROR_USAGE, "%s: the names cannot be opened: %s",
                                        path, strerror(errno));
    for (size_t number = 1; good && fgets(line, sizeof(line), in) != NULL; number++) {
        good = read_line(names, line, path, number, error);
    }
    if (in != NULL) {
        fclose(in);
    }
    return good;
}

static int compare(const void *a, const void *b)
{
    const struct profile_host *x = a, *y = b;
    return address_compare(&x->address, &y->address);
}

/* By address, one name each: qsort is not stable, so that equal ones go by their text. */
static int compare_whole(const void *a, const void *b)
{
    const struct profile_host *x = a, *y = b;
    int order = compare(a, b);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static void sort(struct names *names)
{
    size_t kept = 0;
    qsort(names->hosts, names->count, sizeof(*names->hosts), compare_whole);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && compare(&names->hosts[kept - 1], &names->hosts[i]) == 0) {
            free((void *)(uintptr_t)names->hosts[i].name);
        } else {
            names->hosts[kept++] = names->hosts[i];
        }
    }
    names->count = kept;
}

bool names_load(const struct arguments *arguments, struct profile *profile, struct names **out,
                struct error *error)
{
    *out = NULL;
    if (!arguments->given[OPTION_NAMES]) {
        return true;
    }
    struct names *names = calloc(1, sizeof(*names));
    bool good = names != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    good = good && read_file(names, arguments->text[OPTION_NAMES], error);
    size_t of_file = good ? names->count : 0;
    for (size_t i = 0; good && i < profile->host_count; i++) {
        const struct profile_host *host = &profile->hosts[i];
        size_t all = names->count;
        names->count = of_file; /* the file's names win */
        bool known = is_known(names, &host->address);
        names->count = all;
        good = known || add(names, &host->address, host->name) ||
               error_set(error, ERROR_RUNTIME, "out of memory");
    }
    if (!good) {
        names_free(names);
        return false;
    }
    sort(names);
    profile->hosts = names->hosts;
    profile->host_count = names->count;
    *out = names;
    return true;
}
