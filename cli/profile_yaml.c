#include "cli/profile_yaml.h"

#include "cli/profile_build.h"
#include "cli/profile_place.h"
#include "cli/profile_schema.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MOST (1u << 20) /* the largest honest profile is some KiB */
#define TEXT_MOST 256
#define LIST_MOST 1024

/* ---- the form of the file -----------------------------------------------------------------------
 */
static const cyaml_strval_t transports[] = {
    {"tcp", YAML_TCP}, {"udp", YAML_UDP}, {"both", YAML_BOTH}};
static const cyaml_strval_t protocols[] = {
    {"any", PROFILE_ANY},   {"tls", PROFILE_TLS}, {"http", PROFILE_HTTP},
    {"grpc", PROFILE_GRPC}, {"ftp", PROFILE_FTP}, {"dns", PROFILE_DNS},
    {"ntp", PROFILE_NTP},   {"udp", PROFILE_UDP}, {"tcp", PROFILE_TCP}};
/* libcyaml's own truth takes every unknown word for true. */
static const cyaml_strval_t truths[] = {{"false", 0}, {"no", 0}, {"true", 1}, {"yes", 1}};
static const cyaml_schema_value_t text_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MOST)};

#define OPTIONAL_TEXT(key, type, member)                                                           \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1,         \
                           TEXT_MOST)
#define OPTIONAL_LIST(key, type, member)                                                           \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &text_value, \
                         1, LIST_MOST)

static const cyaml_schema_field_t service_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct yaml_service, name, 1, TEXT_MOST),
    OPTIONAL_TEXT("class", struct yaml_service, class_name),
    OPTIONAL_TEXT("title", struct yaml_service, title),
    OPTIONAL_TEXT("title_zh", struct yaml_service, title_zh),
    CYAML_FIELD_SEQUENCE("ports", CYAML_FLAG_POINTER, struct yaml_service, ports, &text_value, 1,
                         LIST_MOST),
    CYAML_FIELD_ENUM("transport", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_service,
                     transport, transports, CYAML_ARRAY_LEN(transports)),
    CYAML_FIELD_ENUM("expected", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_service,
                     expected, protocols, CYAML_ARRAY_LEN(protocols)),
    OPTIONAL_LIST("servers", struct yaml_service, servers),
    OPTIONAL_LIST("names", struct yaml_service, names),
    OPTIONAL_LIST("pins", struct yaml_service, pins),
    CYAML_FIELD_ENUM("client_certificate", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct yaml_service, client_certificate, truths, CYAML_ARRAY_LEN(truths)),
    CYAML_FIELD_UINT("slow_response_ms", CYAML_FLAG_OPTIONAL, struct yaml_service,
                     slow_response_ms),
    CYAML_FIELD_END};

static const cyaml_schema_value_t service_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_service, service_fields)};

static const cyaml_schema_field_t threshold_fields[] = {
    CYAML_FIELD_UINT("slow_response_ms", CYAML_FLAG_OPTIONAL, struct yaml_thresholds,
                     slow_response_ms),
    CYAML_FIELD_UINT("medium_response_ms", CYAML_FLAG_OPTIONAL, struct yaml_thresholds,
                     medium_response_ms),
    CYAML_FIELD_UINT("latency_high_ms", CYAML_FLAG_OPTIONAL, struct yaml_thresholds,
                     latency_high_ms),
    CYAML_FIELD_UINT("zero_window_ms", CYAML_FLAG_OPTIONAL, struct yaml_thresholds, zero_window_ms),
    CYAML_FIELD_UINT("absence_ms", CYAML_FLAG_OPTIONAL, struct yaml_thresholds, absence_ms),
    CYAML_FIELD_FLOAT("loss_percent", CYAML_FLAG_OPTIONAL, struct yaml_thresholds, loss_percent),
    CYAML_FIELD_END};

static const cyaml_schema_field_t profile_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct yaml_profile, name, 1, TEXT_MOST),
    CYAML_FIELD_MAPPING_PTR("thresholds", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                            struct yaml_profile, thresholds, threshold_fields),
    OPTIONAL_LIST("trusted_certificates", struct yaml_profile, trusted_certificates),
    OPTIONAL_LIST("trust_store", struct yaml_profile, trust_store),
    OPTIONAL_LIST("trusted_proxies", struct yaml_profile, trusted_proxies),
    CYAML_FIELD_SEQUENCE("services", CYAML_FLAG_POINTER, struct yaml_profile, services,
                         &service_value, 1, LIST_MOST),
    CYAML_FIELD_END};

static const cyaml_schema_value_t profile_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_profile, profile_fields)};

/* What stands behind a key, for the complaint. */
static const struct expectation {
    const char *key, *expected;
} expectations[] = {
    {"name", "a name of 1 to 256 characters"},
    {"class", "a word, such as management or payment"},
    {"title", "a text of 1 to 256 characters"},
    {"title_zh", "a text of 1 to 256 characters"},
    {"ports", "a list of ports and ranges, such as [443, 8100-8199]"},
    {"transport", "tcp, udp or both"},
    {"expected", "any, tls, http, grpc, ftp, dns, ntp, udp or tcp"},
    {"servers", "a list of IP addresses"},
    {"names", "a list of host names"},
    {"pins", "a list of SHA-256 digests of public keys in hex"},
    {"client_certificate", "true or false"},
    {"slow_response_ms", "a whole number of milliseconds"},
    {"medium_response_ms", "a whole number of milliseconds"},
    {"latency_high_ms", "a whole number of milliseconds"},
    {"zero_window_ms", "a whole number of milliseconds"},
    {"absence_ms", "a whole number of milliseconds"},
    {"loss_percent", "a number"},
    {"thresholds", "a mapping of thresholds"},
    {"trusted_certificates", "a list of SHA-256 digests of certificates in hex"},
    {"trust_store", "a list of files or folders with certificates of authorities"},
    {"trusted_proxies", "a list of issuer names (CN or O) or SHA-256 digests in hex"},
    {"services", "a list of services"},
};

static const char *expectation_of(const struct profile_path *path)
{
    for (size_t i = path->count; i > 0; i--) {
        for (size_t j = 0; j < CYAML_ARRAY_LEN(expectations); j++) {
            if (strcmp(path->steps[i - 1].key, expectations[j].key) == 0) {
                return expectations[j].expected;
            }
        }
    }
    return "a mapping with name and services";
}

/* ---- what libcyaml complains about -------------------------------------------------------------
 */
/* Its log: the complaint, then a backtrace, innermost first. */
struct complaint {
    char message[256];
    char trace[PROFILE_PATH_MOST][128];
    size_t trace_count;
};

static void keep_log(cyaml_log_t level, void *self, const char *format, va_list arguments)
{
    struct complaint *complaint = self;
    char line[256];
    (void)level;
    (void)vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    const char *trace = strstr(line, "in mapping") != NULL ? strstr(line, "in mapping")
                                                           : strstr(line, "in sequence entry");
    if (strstr(line, "Backtrace:") != NULL) {
        return;
    }
    if (trace == NULL && complaint->message[0] == '\0') {
        const char *start = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        (void)snprintf(complaint->message, sizeof(complaint->message), "%s", start);
    } else if (trace != NULL && complaint->trace_count < PROFILE_PATH_MOST) {
        (void)snprintf(complaint->trace[complaint->trace_count++], sizeof(complaint->trace[0]),
                       "%s", trace);
    }
}

static void read_path(const struct complaint *complaint, struct profile_path *out)
{
    char key[PROFILE_KEY_SIZE];
    unsigned index;
    memset(out, 0, sizeof(*out));
    for (size_t i = complaint->trace_count; i > 0; i--) {
        const char *line = complaint->trace[i - 1];
        if (sscanf(line, "in mapping field '%63[^']'", key) == 1) {
            profile_path_key(out, key);
        } else if (sscanf(line, "in sequence entry '%u'", &index) == 1) {
            profile_path_index(out, index > 0 ? index - 1u : 0);
        }
    }
}

static void drop_last(struct profile_path *path)
{
    path->count -= path->count > 0;
}

/* Down to the mapping that a key stands in: the profile, its thresholds, or one of its services. */
static void drop_values(struct profile_path *path)
{
    bool in_services = path->count > 0 && strcmp(path->steps[0].key, "services") == 0;
    size_t depth = in_services ? 2 : 1;
    path->count = path->count > depth ? depth : path->count;
}

/* The keys that may stand in the mapping at `path`. */
static const cyaml_schema_field_t *fields_at(const struct profile_path *path)
{
    const char *top = path->count > 0 ? path->steps[0].key : "";
    return strcmp(top, "services") == 0     ? service_fields
           : strcmp(top, "thresholds") == 0 ? threshold_fields
                                            : profile_fields;
}

static void list_keys(const struct profile_path *path, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (const cyaml_schema_field_t *field = fields_at(path); field->key != NULL && len < size;
         field++) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", field->key);
    }
}

/* libcyaml's complaints about a value, without its inner types. */
static const char *plain_words(const char *message, char *out, size_t size)
{
    static const struct {
        const char *begin, *words;
    } known[] = {{"Insufficient entries", "too few entries"},
                 {"Excessive entries", "too many entries"},
                 {"Expecting SEQUENCE", "this is no list"},
                 {"Expecting MAPPING", "this is no mapping"},
                 {"Expecting SCALAR", "this is no single value"},
                 {"String length too short", "an empty value"},
                 {"String length too long", "the value is too long"}};
    for (size_t i = 0; i < CYAML_ARRAY_LEN(known); i++) {
        if (strncmp(message, known[i].begin, strlen(known[i].begin)) == 0) {
            return known[i].words;
        }
    }
    const char *value = strncmp(message, "Invalid ", 8) == 0 ? strstr(message, ": ") : NULL;
    if (value == NULL) {
        return message;
    }
    value += 2 + (value[2] == '\'');
    size_t len = strlen(value);
    len -= len > 0 && value[len - 1] == '\'';
    (void)snprintf(out, size, "\"%.*s\"", (int)len, value);
    return out;
}

/* libcyaml's words into ours: place, what is wrong, what was expected. */
static void explain(const char *file, const char *text, size_t len,
                    const struct complaint *complaint, struct error *error)
{
    struct profile_path path;
    struct profile_place place;
    char what[192], keys[256], words[192];
    const char *message = complaint->message;
    read_path(complaint, &path);
    if (sscanf(message, "Unexpected key: %63s", what) == 1) {
        drop_values(&path);
        place = profile_place_key(text, len, &path, what, 0);
        list_keys(&path, keys, sizeof(keys));
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: unknown key \"%s\"; expected one of: %s",
                        file, place.line, place.column, what, keys);
    } else if (sscanf(message, "Mapping field already seen: %63s", what) == 1) {
        drop_last(&path);
        place = profile_place_key(text, len, &path, what, 1);
        (void)error_set(error, ERROR_USAGE,
                        "%s:%zu:%zu: \"%s\" stands here a second time; expected "
                        "once",
                        file, place.line, place.column, what);
    } else if (sscanf(message, "Missing required mapping field: %63s", what) == 1) {
        drop_last(&path);
        place = profile_place_value(text, len, &path);
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: \"%s\" is missing here; every %s needs it",
                        file, place.line, place.column, what,
                        path.count > 0 ? "service" : "profile");
    } else {
        place = profile_place_value(text, len, &path);
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: %s; expected %s", file, place.line,
                        place.column, plain_words(message, words, sizeof(words)),
                        expectation_of(&path));
    }
}

/* ---- loading ------------------------------------------------------------------------------------
 */
static char *read_file(const char *path, size_t *len, struct error *error)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        (void)error_set(error, ERROR_USAGE, "%s: the profile cannot be opened: %s", path,
                        strerror(errno));
        return NULL;
    }
    char *text = malloc(FILE_MOST + 1);
    size_t got = text != NULL ? fread(text, 1, FILE_MOST + 1, in) : 0;
    bool bad = text == NULL || ferror(in) != 0;
    fclose(in);
    if (bad || got > FILE_MOST) {
        (void)error_set(
            error, ERROR_USAGE,
            bad ? "%s: the profile cannot be read" : "%s: larger than 1 MiB, no profile", path);
        free(text);
        return NULL;
    }
    *len = got;
    return text;
}

static const cyaml_config_t *make_config(struct complaint *complaint, cyaml_config_t *out)
{
    *out = (cyaml_config_t){.log_fn = keep_log,
                            .log_ctx = complaint,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
    return out;
}

static void free_raw(struct yaml_profile *raw)
{
    struct complaint ignored = {.message = ""};
    cyaml_config_t config;
    (void)cyaml_free(make_config(&ignored, &config), &profile_value, raw, 0);
}

static struct yaml_profile *load_raw(const char *file, const char *text, size_t len,
                                     struct error *error)
{
    struct complaint complaint = {.message = ""};
    struct profile_place place = {1, 1};
    char problem[128];
    cyaml_config_t config;
    cyaml_data_t *raw = NULL;
    if (!profile_place_check(text, len, &place, problem, sizeof(problem))) {
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: not YAML: %s", file, place.line,
                        place.column, problem);
        return NULL;
    }
    cyaml_err_t status = cyaml_load_data(
        (const uint8_t *)text, len, make_config(&complaint, &config), &profile_value, &raw, NULL);
    if (status != CYAML_OK) {
        if (complaint.message[0] == '\0') {
            (void)snprintf(complaint.message, sizeof(complaint.message), "%s",
                           cyaml_strerror(status));
        }
        explain(file, text, len, &complaint, error);
        return NULL;
    }
    if (raw == NULL) {
        (void)error_set(error, ERROR_USAGE,
                        "%s:1:1: empty; expected a mapping with name and "
                        "services",
                        file);
    }
    return raw;
}

const struct profile *profile_yaml_load(const char *path, struct error *error)
{
    size_t len = 0;
    char *text = read_file(path, &len, error);
    if (text == NULL) {
        return NULL;
    }
    struct yaml_profile *raw = load_raw(path, text, len, error);
    const struct profile *profile = NULL;
    if (raw != NULL) {
        const struct profile_file file = {path, text, len};
        profile = profile_build(raw, &file, error);
        free_raw(raw);
    }
    free(text);
    return profile;
}

void profile_yaml_free(const struct profile *profile)
{
    if (profile != NULL && !profile->builtin) {
        profile_build_free(profile);
    }
}
