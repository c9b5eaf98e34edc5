#include "cli/trust_load.h"

#include "trust/store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool add_beside(struct trust_store *store, const char *profile_path, const char *path,
                       struct error *error)
{
    char beside[PATH_MAX];
    const char *slash = profile_path != NULL ? strrchr(profile_path, '/') : NULL;
    if (slash == NULL || path[0] == '/') {
        return trust_store_add(store, path, error);
    }
    int len = snprintf(beside, sizeof(beside), "%.*s/%s", (int)(slash - profile_path), profile_path,
                       path);
    if (len < 0 || (size_t)len >= sizeof(beside)) {
        return error_set(error, ERROR_INPUT, "the path of the trust store %s is too long", path);
    }
    return trust_store_add(store, beside, error);
}

bool trust_load(const struct arguments *arguments, const struct profile *profile,
                struct profile *out, struct trust_store **store, struct error *error)
{
    *store = NULL;
    *out = *profile;
    if (arguments->authority_count == 0 && profile->trust_file_count == 0) {
        return true;
    }
    struct trust_store *made = trust_store_new();
    bool good = made != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    for (size_t i = 0; good && i < profile->trust_file_count; i++) {
        good = add_beside(made, arguments->text[OPTION_PROFILE], profile->trust_files[i], error);
    }
    for (size_t i = 0; good && i < arguments->authority_count; i++) {
        good = trust_store_add(made, arguments->authorities[i], error);
    }
    if (!good) {
        trust_store_free(made);
        return false;
    }
    out->trust = *store = made;
    return true;
}
