/* The finding catalogue: every conclusion invcap can draw, as one constant table.
 *
 * core/findings.def holds one entry per finding, core/rivals.def one per rival explanation.
 * The enums, the table, the documentation and the check of the texts all come from these two
 * lists; a code lives nowhere else. Codes and the words of the *_name() functions are stable:
 * they are written to the store, to JSON and to other people's scripts.
 *
 * Everything returned here is constant data that lives as long as the program. */
#ifndef INVCAP_CORE_CATALOGUE_H
#define INVCAP_CORE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/texts.h"

/* Tier A: proven on captures of several stacks, may carry its full severity.
 * Tier B: an observation; catalogue_clamp_severity() keeps it at LOW or below. */
enum tier { TIER_A, TIER_B, TIER_COUNT };

/* Ordered: a greater value is worse. */
enum severity {
    SEVERITY_INFO,
    SEVERITY_LOW,
    SEVERITY_MEDIUM,
    SEVERITY_HIGH,
    SEVERITY_CRITICAL,
    SEVERITY_COUNT
};

enum category {
    CATEGORY_NETWORK,
    CATEGORY_SERVER,
    CATEGORY_AUTH,
    CATEGORY_DEPENDENCY,
    CATEGORY_SECURITY,
    CATEGORY_CAPTURE,
    CATEGORY_NOTE,
    CATEGORY_COUNT
};

enum culprit {
    CULPRIT_CLIENT,
    CULPRIT_SERVER,
    CULPRIT_MIDDLEBOX,
    CULPRIT_NETWORK,
    CULPRIT_DEPENDENCY,
    CULPRIT_ATTACKER,
    CULPRIT_CAPTURE,
    CULPRIT_NONE,
    CULPRIT_UNKNOWN,
    CULPRIT_COUNT
};

enum scope {
    SCOPE_CONNECTION,
    SCOPE_HOST,
    SCOPE_SERVICE,
    SCOPE_NAME,
    SCOPE_PATH,
    SCOPE_CAPTURE,
    SCOPE_COUNT
};

/* What makes two findings the same one (then it is counted up). Code and culprit always belong to
 * it; the client joins whenever the culprit is the client, whatever the rule says. */
enum identity {
    IDENTITY_BY_SERVER,  /* + server address, port, name */
    IDENTITY_BY_CLIENT,  /* + server address, port, name and client address */
    IDENTITY_BY_PATH,    /* + client address, server address */
    IDENTITY_BY_CAPTURE, /* + nothing: once per capture */
    IDENTITY_COUNT
};

/* The unit of a finding's value. The name of the value carries it too where a reader of JSON
 * would have to guess ("waited_ms"). */
enum value_unit {
    UNIT_MS,      /* milliseconds */
    UNIT_S,       /* seconds */
    UNIT_COUNT,   /* a number of things */
    UNIT_BYTES,   /* bytes */
    UNIT_PERCENT, /* 0-100 */
    UNIT_RATIO,   /* a factor */
    UNIT_DAYS,    /* days */
    UNIT_TEXT,    /* words or a name */
    UNIT_IP,      /* an IP address as text */
    UNIT_PORT,    /* a port number */
    UNIT_TTL,     /* an IP TTL or hop limit */
    UNIT_MTU,     /* bytes of an IP packet */
    UNIT_KINDS
};

enum finding_code {
#define FINDING(id, code, tier, severity, category, culprit, scope, mark, identity, withdrawn,     \
                technique, values, rivals)                                                         \
    FINDING_##id,
#include "core/findings.def"
#undef FINDING
    FINDING_COUNT
};

enum rival {
#define RIVAL(id, code, en, zh, exclude_en, exclude_zh) RIVAL_##id,
#include "core/rivals.def"
#undef RIVAL
    RIVAL_COUNT
};

/* One entry of the catalogue. */
struct finding_info {
    const char *code;         /* "conn-syn-timeout" */
    enum tier tier;
    enum severity severity;   /* the default, not yet limited by the tier */
    enum category category;
    enum culprit culprit;     /* the default, until a rule of the detector changes it */
    enum scope scope;
    bool primary;             /* can be the primary verdict of a failed connection */
    enum identity identity;
    const char *withdrawn_by; /* capture codes that silence it, separated by spaces, or "" */
    const char *technique;    /* MITRE ATT&CK technique, or "" */
    const char *values;       /* "name:unit ..." that it carries, or "" */
    const char *rivals;       /* codes of rivals worth naming, separated by spaces, or "" */
    enum text_id title;
    enum text_id meaning;
    enum text_id evidence;
    enum text_id advice;
    enum text_id next;        /* the one next capture; "" where there is none */
};

/* Another explanation of the same packets. */
struct rival_info {
    const char *code; /* "host-down" */
    const char *name[LANG_COUNT];
    const char *excluded_by[LANG_COUNT]; /* what would rule it out */
};

/* One declared value of a finding. */
struct value_spec {
    char name[32];
    enum value_unit unit;
};

/* Returns the entry of `code`, which must be below FINDING_COUNT. */
const struct finding_info *catalogue_get(enum finding_code code);

/* Finds the finding called `code` ("conn-refused"); false, `out` untouched, when there is none. */
bool catalogue_find(const char *code, enum finding_code *out);

/* Returns `severity` limited by the tier of `code`: a tier B finding never exceeds LOW. */
enum severity catalogue_clamp_severity(enum finding_code code, enum severity severity);

/* Returns whether the capture finding `capture` silences `code`. */
bool catalogue_is_withdrawn_by(enum finding_code code, enum finding_code capture);

/* Reads the next "name:unit" of a list of values; `list` starts as finding_info.values and is moved
 * on. Returns false at the end of the list. */
bool catalogue_next_value(const char **list, struct value_spec *out);

/* Finds the unit of the value `name` of `code`; false when the finding does not declare it. */
bool catalogue_find_value(enum finding_code code, const char *name, enum value_unit *out);

/* Returns the entry of `rival`, which must be below RIVAL_COUNT. */
const struct rival_info *rival_get(enum rival rival);

/* Finds the rival called `code`; false, `out` untouched, when there is none. */
bool rival_find(const char *code, enum rival *out);

/* Reads the next rival of a list; `list` starts as finding_info.rivals and is moved on. Returns
 * false at the end of the list. */
bool catalogue_next_rival(const char **list, enum rival *out);

/* Stable English words for JSON, SQL and options: "high", "network", "middlebox", "connection",
 * "A", "ms". */
const char *severity_name(enum severity severity);
const char *category_name(enum category category);
const char *culprit_name(enum culprit culprit);
const char *scope_name(enum scope scope);
const char *tier_name(enum tier tier);
const char *unit_name(enum value_unit unit);

/* The way back from a stable word; false, `out` untouched, when the word is none. */
bool severity_find(const char *name, enum severity *out);
bool category_find(const char *name, enum category *out);
bool culprit_find(const char *name, enum culprit *out);
bool scope_find(const char *name, enum scope *out);

/* The same as words for readers, in both languages (text_get). */
enum text_id severity_text(enum severity severity);
enum text_id category_text(enum category category);
enum text_id culprit_text(enum culprit culprit);
enum text_id scope_text(enum scope scope);

#endif
