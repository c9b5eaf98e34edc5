#include "cli/profile_build.h"

#include "cli/profile_place.h"
#include "core/intern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PIN_LEN 64
#define MS_MOST 86400000u /* a day */
#define NS_PER_MS 1000000LL

/* The profile with what it points to. */
struct built {
    struct profile profile; /* first: the caller's pointer */
    struct intern *strings;
    struct profile_service *services;
    void **lists;
    size_t list_count, list_capacity;
};

struct builder {
    struct built *built;
    const struct profile_file *file;
    struct error *error;
    size_t service; /* that is being built */
};

/* ---- complaints with their place ----------------------------------------------------------------
 */
static bool complain(const struct builder *b, const char *key, const size_t *entry,
                     const char *value, const char *expected)
{
    struct profile_path path = {.count = 0};
    profile_path_key(&path, "services");
    profile_path_index(&path, b->service);
    profile_path_key(&path, key);
    if (entry != NULL) {
        profile_path_index(&path, *entry);
    }
    struct profile_place place = profile_place_value(b->file->text, b->file->len, &path);
    return error_set(b->error, ERROR_USAGE, "%s:%zu:%zu: \"%s\"; expected %s", b->file->path,
                     place.line, place.column, value, expected);
}

static bool complain_top(const struct builder *b, const char *key, const char *inner,
                         const size_t *entry, const char *value, const char *expected)
{
    struct profile_path path = {.count = 0};
    profile_path_key(&path, key);
    if (inner != NULL) {
        profile_path_key(&path, inner);
    }
    if (entry != NULL) {
        profile_path_index(&path, *entry);
    }
    struct profile_place place = profile_place_value(b->file->text, b->file->len, &path);
    return error_set(b->error, ERROR_USAGE, "%s:%zu:%zu: \"%s\"; expected %s", b->file->path,
                     place.line, place.column, value, expected);
}

/* ---- memory -------------------------------------------------------------------------------------
 */
static void *new_list(struct builder *b, size_t count, size_t size)
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

static const char *keep(struct builder *b, const char *text)
{
    return text != NULL ? intern_text(b->built->strings, text) : NULL;
}

/* ---- parts of a service -------------------------------------------------------------------------
 */
static bool read_port(const char **text, uint16_t *out)
{
    char *end = NULL;
    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    unsigned long number = strtoul(*text, &end, 10);
    if (number < 1 || number > 65535) {
        return false;
    }
    *text = end;
    *out = (uint16_t)number;
    return true;
}

static bool read_range(const char *text, struct port_range *out)
{
    if (!read_port(&text, &out->first)) {
        return false;
    }
    out->last = out->first;
    if (*text == '-') {
        text++;
        return read_port(&text, &out->last) && *text == '\0';
    }
    return *text == '\0';
}

static bool build_ports(struct builder *b, const struct yaml_service *raw,
                        struct profile_service *out)
{
    struct port_range *ranges = new_list(b, raw->ports_count, sizeof(*ranges));
    if (ranges == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->ports_count; i++) {
        if (!read_range(raw->ports[i], &ranges[i])) {
            return complain(b, "ports", &i, raw->ports[i],
                            "a port 1 to 65535 or a range such as 8100-8199");
        }
        if (ranges[i].first > ranges[i].last) {
            return complain(b, "ports", &i, raw->ports[i],
                            "a range whose first port is the smaller one");
        }
        for (size_t j = 0; j < i; j++) {
            if (ranges[i].first <= ranges[j].last && ranges[j].first <= ranges[i].last) {
                return complain(b, "ports", &i, raw->ports[i],
                                "ports that do not overlap others of the same service");
            }
        }
    }
    out->ports = ranges;
    out->port_count = raw->ports_count;
    return true;
}

static bool build_servers(struct builder *b, const struct yaml_service *raw,
                          struct profile_service *out)
{
    struct address *servers = new_list(b, raw->servers_count, sizeof(*servers));
    if (servers == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->servers_count; i++) {
        if (!address_from_text(raw->servers[i], &servers[i])) {
            return complain(b, "servers", &i, raw->servers[i],
                            "an IPv4 or IPv6 address, such as 10.0.0.2 or 2001:db8::2");
        }
    }
    out->servers = servers;
    out->server_count = raw->servers_count;
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

static bool is_digest(const char *text)
{
    return strlen(text) == PIN_LEN && strspn(text, "0123456789abcdefABCDEF") == PIN_LEN;
}

static const char *keep_lower(struct builder *b, const char *text)
{
    char lower[PIN_LEN + 1];
    for (size_t i = 0; i < PIN_LEN; i++) {
        lower[i] = (char)tolower((unsigned char)text[i]);
    }
    lower[PIN_LEN] = '\0';
    return keep(b, lower);
}

static bool build_names(struct builder *b, const struct yaml_service *raw,
                        struct profile_service *out)
{
    const char **names = new_list(b, raw->names_count, sizeof(*names));
    const char **pins = new_list(b, raw->pins_count, sizeof(*pins));
    if (names == NULL || pins == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->names_count; i++) {
        if (!is_host_name(raw->names[i])) {
            return complain(b, "names", &i, raw->names[i], "a host name, such as inv.example.cn");
        }
        names[i] = keep(b, raw->names[i]);
    }
    for (size_t i = 0; i < raw->pins_count; i++) {
        if (!is_digest(raw->pins[i])) {
            return complain(b, "pins", &i, raw->pins[i],
                            "the SHA-256 of a public key: 64 hexadecimal digits");
        }
        pins[i] = keep_lower(b, raw->pins[i]);
    }
    out->names = names;
    out->name_count = raw->names_count;
    out->pins = pins;
    out->pin_count = raw->pins_count;
    return true;
}

static bool build_service(struct builder *b, const struct yaml_profile *raw, size_t index)
{
    const struct yaml_service *from = &raw->services[index];
    struct profile_service *out = &b->built->services[index];
    b->service = index;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(raw->services[i].name, from->name) == 0) {
            return complain(b, "name", NULL, from->name, "a name that no other service has");
        }
    }
    if (from->slow_response_ms > MS_MOST) {
        return complain(b, "slow_response_ms", NULL, "too long", "at most 86400000 (a day)");
    }
    out->name = keep(b, from->name);
    out->class_name = keep(b, from->class_name != NULL ? from->class_name : from->name);
    out->title_en = keep(b, from->title);
    out->title_zh = keep(b, from->title_zh);
    out->udp = from->transport == YAML_UDP;
    out->both = from->transport == YAML_BOTH;
    out->expected = (enum profile_protocol)from->expected;
    out->client_certificate = from->client_certificate != 0;
    out->slow_response_ns = (int64_t)from->slow_response_ms * NS_PER_MS;
    return build_ports(b, from, out) && build_servers(b, from, out) && build_names(b, from, out);
}

/* ---- the profile --------------------------------------------------------------------------------
 */
static bool set_threshold(struct builder *b, const char *key, uint64_t milliseconds, int64_t *out)
{
    if (milliseconds > MS_MOST) {
        return complain_top(b, "thresholds", key, NULL, "too long", "at most 86400000 (a day)");
    }
    if (milliseconds > 0) {
        *out = (int64_t)milliseconds * NS_PER_MS;
    }
    return true;
}

static bool build_thresholds(struct builder *b, const struct yaml_thresholds *raw)
{
    struct profile *out = &b->built->profile;
    if (raw == NULL) {
        return true;
    }
    if (!(raw->loss_percent >= 0 && raw->loss_percent <= 100)) {
        return complain_top(b, "thresholds", "loss_percent", NULL, "out of range", "0 to 100");
    }
    if (raw->loss_percent > 0) {
        out->loss_share = raw->loss_percent / 100;
    }
    return set_threshold(b, "slow_response_ms", raw->slow_response_ms, &out->slow_response_ns) &&
           set_threshold(b, "medium_response_ms", raw->medium_response_ms,
                         &out->response_medium_ns) &&
           set_threshold(b, "latency_high_ms", raw->latency_high_ms, &out->latency_high_ns) &&
           set_threshold(b, "zero_window_ms", raw->zero_window_ms, &out->zero_window_ns) &&
           set_threshold(b, "absence_ms", raw->absence_ms, &out->absence_ns);
}

static bool build_trusted(struct builder *b, const struct yaml_profile *raw)
{
    struct profile *out = &b->built->profile;
    const char **trusted = new_list(b, raw->trusted_certificates_count, sizeof(*trusted));
    if (trusted == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->trusted_certificates_count; i++) {
        const char *digest = raw->trusted_certificates[i];
        if (!is_digest(digest)) {
            return complain_top(b, "trusted_certificates", NULL, &i, digest,
                                "the SHA-256 of a certificate: 64 hexadecimal digits");
        }
        trusted[i] = keep_lower(b, digest);
    }
    out->trusted_issuers = trusted;
    out->trusted_issuer_count = raw->trusted_certificates_count;
    return true;
}

static bool keep_list(struct builder *b, char **from, unsigned count, const char *const **out,
                      size_t *out_count)
{
    const char **list = new_list(b, count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = keep(b, from[i]);
    }
    *out = list;
    *out_count = count;
    return true;
}

static bool build_authorities(struct builder *b, const struct yaml_profile *raw)
{
    struct profile *out = &b->built->profile;
    return keep_list(b, raw->trust_store, raw->trust_store_count, &out->trust_files,
                     &out->trust_file_count) &&
           keep_list(b, raw->trusted_proxies, raw->trusted_proxies_count, &out->proxies,
                     &out->proxy_count);
}

static bool build_all(struct builder *b, const struct yaml_profile *raw)
{
    struct built *built = b->built;
    built->profile = *profile_builtin();
    built->profile.builtin = false;
    built->profile.name = keep(b, raw->name);
    built->services = calloc(raw->services_count, sizeof(struct profile_service));
    if (built->services == NULL || built->strings == NULL) {
        return error_set(b->error, ERROR_RUNTIME, "out of memory");
    }
    built->profile.services = built->services;
    built->profile.service_count = raw->services_count;
    for (size_t i = 0; i < raw->services_count; i++) {
        if (!build_service(b, raw, i)) {
            return false;
        }
    }
    return build_thresholds(b, raw->thresholds) && build_trusted(b, raw) &&
           build_authorities(b, raw);
}

const struct profile *profile_build(const struct yaml_profile *raw, const struct profile_file *file,
                                    struct error *error)
{
    struct built *built = calloc(1, sizeof(*built));
    if (built == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "out of memory");
        return NULL;
    }
    struct builder b = {built, file, error, 0};
    built->strings = intern_new();
    if (built->strings == NULL || !build_all(&b, raw)) {
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
    free(built->services);
    intern_free(built->strings);
    free(built);
}
