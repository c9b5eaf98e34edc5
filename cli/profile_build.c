/* From the YAML's words to a checked profile: memory, complaints, thresholds, trust. */
#include "cli/profile_builder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_LEN 64

/* ---- complaints with their place ----------------------------------------------------------------
 */
void builder_enter(struct builder *b, const char *key)
{
    profile_path_key(&b->at, key);
}

void builder_enter_entry(struct builder *b, size_t index)
{
    profile_path_index(&b->at, index);
}

void builder_leave(struct builder *b)
{
    b->at.count--;
}

bool builder_complain(const struct builder *b, const char *key, size_t entry, const char *value,
                      const char *expected)
{
    struct profile_path path = b->at;
    profile_path_key(&path, key);
    if (entry != BUILDER_NO_ENTRY) {
        profile_path_index(&path, entry);
    }
    struct profile_place place = profile_place_value(b->file->text, b->file->len, &path);
    return error_set(b->error, ERROR_USAGE, "%s:%zu:%zu: \"%s\"; expected %s", b->file->path,
                     place.line, place.column, value, expected);
}

/* ---- memory -------------------------------------------------------------------------------------
 */
void *builder_list(struct builder *b, size_t count, size_t size)
{
    struct built *built = b->built;
    if (built->list_count == built->list_capacity) {
        size_t capacity = built->list_capacity > 0 ? 2 * built->list_capacity : 32;
        void **grown = realloc(built->lists, capacity * sizeof(void *));
        if (grown == NULL) {
            (void)error_set(b->error, ERROR_RUNTIME, "out of memory");
            return NULL;
        }
        built->lists = grown;
        built->list_capacity = capacity;
    }
    void *list = calloc(count > 0 ? count : 1, size);
    if (list == NULL) {
        (void)error_set(b->error, ERROR_RUNTIME, "out of memory");
        return NULL;
    }
    built->lists[built->list_count++] = list;
    return list;
}

const char *builder_keep(struct builder *b, const char *text)
{
    return text != NULL ? intern_text(b->built->strings, text) : NULL;
}

/* ---- lists of texts -----------------------------------------------------------------------------
 */
bool builder_texts(struct builder *b, char **from, unsigned count, const char *const **out,
                   size_t *out_count)
{
    const char **list = builder_list(b, count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = builder_keep(b, from[i]);
    }
    *out = list;
    *out_count = count;
    return true;
}

static bool is_host_name(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("-._*", *at) == NULL &&
            (unsigned char)*at < 0x80) {
            return false;
        }
    }
    return text[0] != '\0' && text[0] != '.' && strstr(text, "..") == NULL;
}

bool builder_names(struct builder *b, const char *key, char **from, unsigned count,
                   const char *const **out, size_t *out_count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_host_name(from[i])) {
            return builder_complain(b, key, i, from[i], "a host name, such as inv.example.cn");
        }
    }
    return builder_texts(b, from, count, out, out_count);
}

bool builder_digests(struct builder *b, const char *key, const char *what, char **from,
                     unsigned count, const char *const **out, size_t *out_count)
{
    char lower[DIGEST_LEN + 1] = "";
    const char **list = builder_list(b, count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strlen(from[i]) != DIGEST_LEN ||
            strspn(from[i], "0123456789abcdefABCDEF") != DIGEST_LEN) {
            return builder_complain(b, key, i, from[i], what);
        }
        for (size_t j = 0; j < DIGEST_LEN; j++) {
            lower[j] = (char)tolower((unsigned char)from[i][j]);
        }
        list[i] = builder_keep(b, lower);
    }
    *out = list;
    *out_count = count;
    return true;
}

bool builder_milliseconds(struct builder *b, const char *key, uint64_t milliseconds, int64_t *out)
{
    if (milliseconds > BUILDER_MS_MOST) {
        return builder_complain(b, key, BUILDER_NO_ENTRY, "too long", "at most 86400000 (a day)");
    }
    if (milliseconds > 0) {
        *out = (int64_t)milliseconds * BUILDER_NS_PER_MS;
    }
    return true;
}

/* ---- thresholds and objectives ------------------------------------------------------------------
 */
static bool set_share(struct builder *b, const char *key, double percent, double *out)
{
    if (!(percent >= 0 && percent <= 100)) {
        return builder_complain(b, key, BUILDER_NO_ENTRY, "out of range", "0 to 100");
    }
    if (percent > 0) {
        *out = percent / 100;
    }
    return true;
}

static bool set_seconds(struct builder *b, const char *key, uint64_t seconds, int64_t *out)
{
    if (seconds > BUILDER_MS_MOST / 1000) {
        return builder_complain(b, key, BUILDER_NO_ENTRY, "too long", "at most 86400 (a day)");
    }
    if (seconds > 0) {
        *out = (int64_t)seconds * BUILDER_NS_PER_S;
    }
    return true;
}

static bool build_thresholds(struct builder *b, const struct yaml_thresholds *raw)
{
    struct profile *out = &b->built->profile;
    if (raw == NULL) {
        return true;
    }
    builder_enter(b, "thresholds");
    bool good =
        set_share(b, "loss_percent", raw->loss_percent, &out->loss_share) &&
        builder_milliseconds(b, "slow_response_ms", raw->slow_response_ms,
                             &out->slow_response_ns) &&
        builder_milliseconds(b, "medium_response_ms", raw->medium_response_ms,
                             &out->response_medium_ns) &&
        builder_milliseconds(b, "latency_high_ms", raw->latency_high_ms, &out->latency_high_ns) &&
        builder_milliseconds(b, "zero_window_ms", raw->zero_window_ms, &out->zero_window_ns) &&
        builder_milliseconds(b, "absence_ms", raw->absence_ms, &out->absence_ns);
    builder_leave(b);
    return good;
}

bool build_objectives(struct builder *b, const struct yaml_objectives *raw,
                      struct profile_objectives *out)
{
    if (raw == NULL) {
        return true;
    }
    builder_enter(b, "objectives");
    bool good =
        set_share(b, "tcp_success_percent", raw->tcp_success_percent, &out->tcp_success) &&
        set_share(b, "tls_success_percent", raw->tls_success_percent, &out->tls_success) &&
        set_share(b, "error_percent", raw->error_percent, &out->error_share) &&
        builder_milliseconds(b, "latency_p99_ms", raw->latency_p99_ms, &out->latency_p99_ns) &&
        builder_milliseconds(b, "latency_deviation_ms", raw->latency_deviation_ms,
                             &out->latency_deviation_ns) &&
        set_seconds(b, "failover_s", raw->failover_s, &out->failover_ns);
    builder_leave(b);
    return good;
}

bool build_ceilings(struct builder *b, const struct yaml_ceilings *raw,
                    struct profile_objectives *out)
{
    if (raw == NULL) {
        return true;
    }
    if (raw->bits_per_second > 0) {
        out->bits_per_second = raw->bits_per_second;
    }
    if (raw->requests_per_second > 0) {
        out->requests_per_second = raw->requests_per_second;
    }
    builder_enter(b, "ceilings");
    bool good = set_seconds(b, "seconds", raw->seconds, &out->ceiling_ns);
    builder_leave(b);
    return good;
}

/* ---- the profile --------------------------------------------------------------------------------
 */
static bool build_trust(struct builder *b, const struct yaml_profile *raw)
{
    struct profile *out = &b->built->profile;
    return builder_digests(b, "trusted_certificates",
                           "the SHA-256 of a certificate: 64 hexadecimal digits",
                           raw->trusted_certificates, raw->trusted_certificates_count,
                           &out->trusted_issuers, &out->trusted_issuer_count) &&
           builder_texts(b, raw->trust_store, raw->trust_store_count, &out->trust_files,
                         &out->trust_file_count) &&
           builder_texts(b, raw->trusted_proxies, raw->trusted_proxies_count, &out->proxies,
                         &out->proxy_count);
}

static bool build_all(struct builder *b, const struct yaml_profile *raw)
{
    struct profile *out = &b->built->profile;
    *out = *profile_builtin();
    out->builtin = false;
    out->name = builder_keep(b, raw->name);
    return build_services(b, raw) && build_thresholds(b, raw->thresholds) &&
           build_objectives(b, raw->objectives, &out->objectives) &&
           build_ceilings(b, raw->ceilings, &out->objectives) && build_trust(b, raw) &&
           build_environments(b, raw) && build_quiet_hours(b, raw) && build_hosts(b, raw);
}

const struct profile *profile_build(const struct yaml_profile *raw, const struct profile_file *file,
                                    struct error *error)
{
    struct built *built = calloc(1, sizeof(*built));
    if (built == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "out of memory");
        return NULL;
    }
    struct builder b = {.built = built, .file = file, .error = error};
    built->strings = intern_new();
    if (built->strings == NULL || !build_all(&b, raw)) {
        if (error->code == ERROR_NONE) {
            (void)error_set(error, ERROR_RUNTIME, "out of memory");
        }
        profile_build_free(&built->profile);
        return NULL;
    }
    return &built->profile;
}

void profile_build_free(const struct profile *profile)
{
    struct built *built = (struct built *)(uintptr_t)profile;
    for (size_t i = 0; i < built->list_count; i++) {
        free(built->lists[i]);
    }
    free(built->lists);
    intern_free(built->strings);
    free(built);
}
