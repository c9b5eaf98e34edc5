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

/* The deepest mapping along the path in which the key stands though it may not (or, `missing`, does
 * not stand though it must): libcyaml's trace may end in the mapping read before. */
static struct profile_form_level level_of(const char *text, size_t len,
                                          const struct profile_path *path, const char *key,
                                          bool missing)
{
    struct profile_form_level levels[PROFILE_FORM_MOST];
    size_t count = profile_form_levels(path, levels);
    while (count > 1) {
        const struct profile_form_level *level = &levels[count - 1];
        if (profile_form_knows(level, key) == missing &&
            profile_place_has_key(text, len, &level->path, key) != missing) {
            break;
        }
        count--;
    }
    return levels[count - 1];
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
    struct profile_form_level level;
    char what[192], keys[512], words[192];
    const char *message = complaint->message;
    read_path(complaint, &path);
    if (sscanf(message, "Unexpected key: %63s", what) == 1) {
        level = level_of(text, len, &path, what, false);
        place = profile_place_key(text, len, &level.path, what, 0);
        profile_form_keys(&level, keys, sizeof(keys));
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
        level = level_of(text, len, &path, what, true);
        place = profile_place_value(text, len, &level.path);
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: \"%s\" is missing here; every %s needs it",
                        file, place.line, place.column, what, profile_form_noun(&level));
    } else {
        place = profile_place_value(text, len, &path);
        (void)error_set(error, ERROR_USAGE, "%s:%zu:%zu: %s; expected %s", file, place.line,
                        place.column, plain_words(message, words, sizeof(words)),
                        profile_form_expectation(&path));
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
    (void)cyaml_free(make_config(&ignored, &config), profile_form(), raw, 0);
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
        (const uint8_t *)text, len, make_config(&complaint, &config), profile_form(), &raw, NULL);
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
