/* Private to core/record.c and core/columns_*.c: the macros that column tables are written with.
 *
 * Before a table, RECORD is defined as the name of its struct. The type of a column follows from the
 * type of its member, so that it cannot be written wrongly. */
#ifndef INVCAP_CORE_COLUMNS_H
#define INVCAP_CORE_COLUMNS_H

#include "core/record.h"

/* The record must not be const here: an array of a const record would pass for a const char *. */
#define COLUMN_OF(a_member) (((struct RECORD *)0)->a_member)
#define COLUMN_TYPE(a_member)                                                                      \
    _Generic(COLUMN_OF(a_member), int64_t: COLUMN_I64, int32_t: COLUMN_I32, int16_t: COLUMN_I16,   \
             uint64_t: COLUMN_U64, uint32_t: COLUMN_U32, uint16_t: COLUMN_U16,                     \
             uint8_t: COLUMN_U8, bool: COLUMN_BOOL, double: COLUMN_REAL, char *: COLUMN_CHARS,     \
             const char *: COLUMN_TEXT, const uint8_t *: COLUMN_BLOB,                              \
             struct address: COLUMN_ADDRESS)
#define COLUMN_WHERE(a_member)                                                                     \
    .offset = offsetof(struct RECORD, a_member), .size = sizeof(COLUMN_OF(a_member))

/* A column named otherwise than its member, where the member's name is a word of SQL. */
#define COL_AS(a_name, a_member, a_unit, a_flags, a_sentence)                                      \
    {.name = (a_name), .type = COLUMN_TYPE(a_member), COLUMN_WHERE(a_member), .unit = (a_unit),    \
     .flags = (a_flags), .sentence = (a_sentence)}
#define COL(a_member, a_unit, a_flags, a_sentence)                                                 \
    COL_AS(#a_member, a_member, a_unit, a_flags, a_sentence)
/* A member that points to the key of another table. */
#define REF(a_member, a_table, a_flags, a_sentence)                                                \
    {.name = #a_member, .type = COLUMN_TYPE(a_member), COLUMN_WHERE(a_member), .unit = "",         \
     .flags = (a_flags), .sentence = (a_sentence), .references = (a_table)}
/* A uint8_t shown as a word. */
#define NAMED(a_member, a_names, a_flags, a_sentence)                                              \
    {.name = #a_member, .type = COLUMN_NAMED, COLUMN_WHERE(a_member), .unit = "",                  \
     .flags = (a_flags), .names = (a_names), .sentence = (a_sentence)}
/* A uint8_t shown as a word of the catalogue. */
#define WORD(a_member, a_word, a_sentence)                                                         \
    {.name = #a_member, .type = COLUMN_NAMED, COLUMN_WHERE(a_member), .unit = "",                  \
     .word = (a_word), .sentence = (a_sentence)}
/* A uint16_t of a finding code plus one, shown as the code. */
#define CODE(a_member, a_sentence)                                                                 \
    {.name = #a_member, .type = COLUMN_FINDING, COLUMN_WHERE(a_member), .unit = "",                \
     .sentence = (a_sentence)}

#define TABLE_OF(a_columns) .columns = (a_columns), .column_count =                                \
    sizeof(a_columns) / sizeof((a_columns)[0])

extern const struct record_table record_secrets, record_h2, record_staples;
extern const struct record_table record_commands;
extern const char *const column_secret_kinds[];
extern const char *const column_sides[];
extern const char *const column_outcomes[];
extern const char *const column_stages[];
extern const char *const column_ends[];
extern const char *const column_events[];
extern const char *const column_notes[];
extern const char *const column_reasons[];
extern const char *const column_tcp_features[];
extern const char *const column_tls_steps[];
extern const char *const column_tls_decryptions[];
extern const char *const column_tls_signatures[];
extern const char *const column_states[];
extern const struct record_table record_baselines;
extern const struct record_table record_chains, record_incidents, record_incident_steps;

extern const struct record_table record_dns, record_ntp;
extern const struct record_table record_flow_delays, record_rtt_samples, record_turns;
extern const struct record_table record_services, record_service_minutes, record_endpoints;
extern const struct record_table record_dependencies;
extern const struct record_table record_domains, record_stories, record_swarms;
extern const struct record_table record_captures, record_sources, record_flows, record_flow_tcp,
    record_flow_events, record_tls, record_certificates, record_tls_certificates, record_http,
    record_icmp, record_arp, record_findings, record_finding_values, record_finding_evidence,
    record_finding_flows, record_resets, record_paths;

#endif
