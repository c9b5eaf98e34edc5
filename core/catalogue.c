#include "core/catalogue.h"

#include <assert.h>
#include <string.h>

/* Only for the table below: PRIMARY and SIDE in findings.def. */
enum mark { MARK_SIDE, MARK_PRIMARY };

static const struct finding_info findings[FINDING_COUNT] = {
#define FINDING(id, code, tier, severity, category, culprit, scope, mark, identity, withdrawn,     \
                technique, values, rivals)                                                         \
    [FINDING_##id] = {code,                                                                        \
                      TIER_##tier,                                                                 \
                      SEVERITY_##severity,                                                         \
                      CATEGORY_##category,                                                         \
                      CULPRIT_##culprit,                                                           \
                      SCOPE_##scope,                                                               \
                      MARK_##mark == MARK_PRIMARY,                                                 \
                      IDENTITY_##identity,                                                         \
                      withdrawn,                                                                   \
                      technique,                                                                   \
                      values,                                                                      \
                      rivals,                                                                      \
                      TEXT_##id##_TITLE,                                                           \
                      TEXT_##id##_MEANING,                                                         \
                      TEXT_##id##_EVIDENCE,                                                        \
                      TEXT_##id##_ADVICE,                                                          \
                      TEXT_##id##_NEXT},
#include "core/findings.def"
#undef FINDING
};

static const struct rival_info rivals[RIVAL_COUNT] = {
#define RIVAL(id, code, en, zh, exclude_en, exclude_zh)                                            \
    [RIVAL_##id] = {code, {en, zh}, {exclude_en, exclude_zh}},
#include "core/rivals.def"
#undef RIVAL
};

static const char *const tier_names[TIER_COUNT] = {"A", "B"};
static const char *const severity_names[SEVERITY_COUNT] = {"info", "low", "medium", "high",
                                                           "critical"};
static const char *const category_names[CATEGORY_COUNT] = {
    "network", "server", "auth", "dependency", "security", "capture", "note"};
static const char *const culprit_names[CULPRIT_COUNT] = {
    "client",   "server",  "middlebox", "network", "dependency",
    "attacker", "capture", "none",      "unknown"};
static const char *const scope_names[SCOPE_COUNT] = {"connection", "host", "service",
                                                     "name",       "path", "capture"};
static const char *const unit_names[UNIT_KINDS] = {
    "ms", "s", "count", "bytes", "percent", "ratio", "days", "text", "ip", "port", "ttl", "mtu"};

static const enum text_id severity_texts[SEVERITY_COUNT] = {
    TEXT_SEVERITY_INFO, TEXT_SEVERITY_LOW, TEXT_SEVERITY_MEDIUM, TEXT_SEVERITY_HIGH,
    TEXT_SEVERITY_CRITICAL};
static const enum text_id category_texts[CATEGORY_COUNT] = {
    TEXT_CATEGORY_NETWORK,  TEXT_CATEGORY_SERVER,  TEXT_CATEGORY_AUTH, TEXT_CATEGORY_DEPENDENCY,
    TEXT_CATEGORY_SECURITY, TEXT_CATEGORY_CAPTURE, TEXT_CATEGORY_NOTE};
static const enum text_id culprit_texts[CULPRIT_COUNT] = {
    TEXT_CULPRIT_CLIENT,     TEXT_CULPRIT_SERVER,   TEXT_CULPRIT_MIDDLEBOX, TEXT_CULPRIT_NETWORK,
    TEXT_CULPRIT_DEPENDENCY, TEXT_CULPRIT_ATTACKER, TEXT_CULPRIT_CAPTURE,   TEXT_CULPRIT_NONE,
    TEXT_CULPRIT_UNKNOWN};
static const enum text_id scope_texts[SCOPE_COUNT] = {
    TEXT_SCOPE_CONNECTION, TEXT_SCOPE_HOST, TEXT_SCOPE_SERVICE,
    TEXT_SCOPE_NAME,       TEXT_SCOPE_PATH, TEXT_SCOPE_CAPTURE};

const struct finding_info *catalogue_get(enum finding_code code)
{
    assert(code < FINDING_COUNT);
    return &findings[code];
}

bool catalogue_find(const char *code, enum finding_code *out)
{
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        if (strcmp(findings[i].code, code) == 0) {
            *out = (enum finding_code)i;
            return true;
        }
    }
    return false;
}

enum severity catalogue_clamp_severity(enum finding_code code, enum severity severity)
{
    if (catalogue_get(code)->tier == TIER_B && severity > SEVERITY_LOW) {
        return SEVERITY_LOW;
    }
    return severity;
}

/* Returns the next word of a list and its length, and moves the list behind it; NULL at the end. */
static const char *next_word(const char **list, size_t *out_len)
{
    const char *word = *list + strspn(*list, " ");
    size_t len = strcspn(word, " ");
    if (len == 0) {
        *list = word;
        return NULL;
    }
    *list = word + len;
    *out_len = len;
    return word;
}

static bool word_equals(const char *word, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(word, text, len) == 0;
}

bool catalogue_is_withdrawn_by(enum finding_code code, enum finding_code capture)
{
    const char *list = catalogue_get(code)->withdrawn_by;
    const char *word;
    size_t len = 0;
    while ((word = next_word(&list, &len)) != NULL) {
        if (word_equals(word, len, catalogue_get(capture)->code)) {
            return true;
        }
    }
    return false;
}

static bool find_name(const char *const *names, unsigned count, const char *word, size_t len,
                      unsigned *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (word_equals(word, len, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool catalogue_next_value(const char **list, struct value_spec *out)
{
    size_t len = 0;
    const char *word = next_word(list, &len);
    if (word == NULL) {
        return false;
    }
    size_t name_len = strcspn(word, ":");
    unsigned unit = 0;
    bool known = name_len + 1 < len && name_len < sizeof out->name &&
                 find_name(unit_names, UNIT_KINDS, word + name_len + 1, len - name_len - 1, &unit);
    assert(known && "findings.def: a value is \"name:unit\"");
    if (!known) {
        return false;
    }
    memcpy(out->name, word, name_len);
    out->name[name_len] = '\0';
    out->unit = (enum value_unit)unit;
    return true;
}

bool catalogue_find_value(enum finding_code code, const char *name, enum value_unit *out)
{
    const char *list = catalogue_get(code)->values;
    struct value_spec spec;
    while (catalogue_next_value(&list, &spec)) {
        if (strcmp(spec.name, name) == 0) {
            *out = spec.unit;
            return true;
        }
    }
    return false;
}

/* ---- Rivals ---------------------------------------------------------------------------------- */

const struct rival_info *rival_get(enum rival rival)
{
    assert(rival < RIVAL_COUNT);
    return &rivals[rival];
}

static bool find_rival_word(const char *word, size_t len, enum rival *out)
{
    for (unsigned i = 0; i < RIVAL_COUNT; i++) {
        if (word_equals(word, len, rivals[i].code)) {
            *out = (enum rival)i;
            return true;
        }
    }
    return false;
}

bool rival_find(const char *code, enum rival *out)
{
    return find_rival_word(code, strlen(code), out);
}

bool catalogue_next_rival(const char **list, enum rival *out)
{
    size_t len = 0;
    const char *word = next_word(list, &len);
    if (word == NULL) {
        return false;
    }
    bool known = find_rival_word(word, len, out);
    assert(known && "findings.def: a rival that rivals.def does not list");
    return known;
}

/* ---- Words ----------------------------------------------------------------------------------- */

const char *severity_name(enum severity severity)
{
    assert(severity < SEVERITY_COUNT);
    return severity_names[severity];
}

const char *category_name(enum category category)
{
    assert(category < CATEGORY_COUNT);
    return category_names[category];
}

const char *culprit_name(enum culprit culprit)
{
    assert(culprit < CULPRIT_COUNT);
    return culprit_names[culprit];
}

const char *scope_name(enum scope scope)
{
    assert(scope < SCOPE_COUNT);
    return scope_names[scope];
}

const char *tier_name(enum tier tier)
{
    assert(tier < TIER_COUNT);
    return tier_names[tier];
}

const char *unit_name(enum value_unit unit)
{
    assert(unit < UNIT_KINDS);
    return unit_names[unit];
}

bool severity_find(const char *name, enum severity *out)
{
    unsigned found = 0;
    if (!find_name(severity_names, SEVERITY_COUNT, name, strlen(name), &found)) {
        return false;
    }
    *out = (enum severity)found;
    return true;
}

bool category_find(const char *name, enum category *out)
{
    unsigned found = 0;
    if (!find_name(category_names, CATEGORY_COUNT, name, strlen(name), &found)) {
        return false;
    }
    *out = (enum category)found;
    return true;
}

bool culprit_find(const char *name, enum culprit *out)
{
    unsigned found = 0;
    if (!find_name(culprit_names, CULPRIT_COUNT, name, strlen(name), &found)) {
        return false;
    }
    *out = (enum culprit)found;
    return true;
}

bool scope_find(const char *name, enum scope *out)
{
    unsigned found = 0;
    if (!find_name(scope_names, SCOPE_COUNT, name, strlen(name), &found)) {
        return false;
    }
    *out = (enum scope)found;
    return true;
}

enum text_id severity_text(enum severity severity)
{
    assert(severity < SEVERITY_COUNT);
    return severity_texts[severity];
}

enum text_id category_text(enum category category)
{
    assert(category < CATEGORY_COUNT);
    return category_texts[category];
}

enum text_id culprit_text(enum culprit culprit)
{
    assert(culprit < CULPRIT_COUNT);
    return culprit_texts[culprit];
}

enum text_id scope_text(enum scope scope)
{
    assert(scope < SCOPE_COUNT);
    return scope_texts[scope];
}
