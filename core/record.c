#include "core/columns.h"

#include "core/catalogue.h"

#include <string.h>

const char *const column_sides[] = {"client", "server", "", NULL};
const char *const column_outcomes[] = {"", "ok", "failed", "unknown", "unsolicited", NULL};
const char *const column_stages[] = {"",       "DNS",      "ARP",     "SYN", "SYNACK",
                                     "ACK",    "TLS_CH",   "TLS_SH",  "TLS_CERT",
                                     "TLS_FIN", "REQ",     "RESP",    "IDLE", "CLOSE", NULL};
const char *const column_ends[] = {"", "closed", "capture", "timeout", "reused", "evicted", NULL};
const char *const column_events[] = {
    "syn",          "synack",       "ack",         "data",          "fin",
    "rst",          "retransmission", "reordered", "duplicate-ack", "keepalive",
    "zero-window",  "window-update", "gap",        "icmp",          "client-hello",
    "server-hello", "certificate",  "alert",       "tls-finished",  "request",
    "response",     "datagram",     "damaged",     NULL};
const char *const column_notes[] = {"", "fast", "timeout", "tail-probe", "spurious", "unclear",
                                    "window-probe", "window-full", "lost-by-capture",
                                    "unresolved", NULL};
const char *const column_reasons[] = {"",
                                      "original-seen",
                                      "fills-hole",
                                      "acknowledged",
                                      "partly-acknowledged",
                                      "spans-new",
                                      "other-bytes",
                                      "ip-id",
                                      "timestamp",
                                      "original-seen, timestamp",
                                      "fills-hole, timestamp",
                                      "acknowledged, timestamp",
                                      "partly-acknowledged, timestamp",
                                      "spans-new, timestamp",
                                      "other-bytes, timestamp",
                                      "ip-id, timestamp",
                                      NULL};
const char *const column_tls_signatures[] = {"", "valid", "other-certificate", "other-key",
                                             "other-form", "wrong", NULL};
const char *const column_tls_decryptions[] = {"",       "no-keys", "unsupported", "failed",
                                              "partly", "whole",   NULL};
const char *const column_tls_steps[] = {"",
                                        "client-hello",
                                        "hello-retry",
                                        "server-hello",
                                        "server-certificate",
                                        "server-done",
                                        "client-certificate",
                                        "client-key-exchange",
                                        "client-finished",
                                        "finished",
                                        NULL};
const char *const column_states[] = {"confirmed", "open", "withdrawn", NULL};

/* A name for every value, and NULL behind the last. */
#define SAME_COUNT(names, count)                                                                   \
    _Static_assert(sizeof(names) / sizeof((names)[0]) == (size_t)(count) + 1, #names)
SAME_COUNT(column_sides, SIDE_NONE + 1);
SAME_COUNT(column_outcomes, OUTCOME_UNSOLICITED + 1);
SAME_COUNT(column_stages, STAGE_CLOSE + 1);
SAME_COUNT(column_ends, END_EVICTED + 1);
SAME_COUNT(column_events, EVENT_KIND_COUNT);
SAME_COUNT(column_notes, NOTE_COUNT);
SAME_COUNT(column_reasons, REASON_COUNT);
SAME_COUNT(column_tls_steps, TLS_STEP_FINISHED + 1);
SAME_COUNT(column_tls_decryptions, TLS_DECRYPTION_WHOLE + 1);
SAME_COUNT(column_tls_signatures, TLS_SIGNATURE_WRONG + 1);
SAME_COUNT(column_states, FINDING_WITHDRAWN + 1);

static const struct record_table *const tables[RECORD_TABLE_COUNT] = {
    [RECORD_CAPTURE] = &record_captures,
    [RECORD_SOURCE] = &record_sources,
    [RECORD_FLOW] = &record_flows,
    [RECORD_FLOW_TCP] = &record_flow_tcp,
    [RECORD_FLOW_EVENT] = &record_flow_events,
    [RECORD_DNS] = &record_dns,
    [RECORD_NTP] = &record_ntp,
    [RECORD_TLS] = &record_tls,
    [RECORD_CERTIFICATE] = &record_certificates,
    [RECORD_TLS_CERTIFICATE] = &record_tls_certificates,
    [RECORD_HTTP] = &record_http,
    [RECORD_ICMP] = &record_icmp,
    [RECORD_ARP] = &record_arp,
    [RECORD_RESET] = &record_resets,
    [RECORD_SECRET] = &record_secrets,
    [RECORD_H2] = &record_h2,
    [RECORD_COMMAND] = &record_commands,
    [RECORD_PATH] = &record_paths,
    [RECORD_STAPLE] = &record_staples,
    [RECORD_FINDING] = &record_findings,
    [RECORD_FINDING_VALUE] = &record_finding_values,
    [RECORD_FINDING_EVIDENCE] = &record_finding_evidence,
    [RECORD_FINDING_FLOW] = &record_finding_flows,
    [RECORD_FLOW_DELAY] = &record_flow_delays,
    [RECORD_RTT_SAMPLE] = &record_rtt_samples,
    [RECORD_TURN] = &record_turns,
    [RECORD_CHAIN] = &record_chains,
    [RECORD_INCIDENT] = &record_incidents,
    [RECORD_INCIDENT_STEP] = &record_incident_steps,
    [RECORD_SWARM] = &record_swarms,
    [RECORD_DOMAIN] = &record_domains,
    [RECORD_STORY] = &record_stories,
    [RECORD_SERVICE] = &record_services,
    [RECORD_SERVICE_MINUTE] = &record_service_minutes,
    [RECORD_ENDPOINT] = &record_endpoints,
    [RECORD_BASELINE] = &record_baselines,
    [RECORD_DEPENDENCY] = &record_dependencies,
};

const struct record_table *record_table_get(enum record_kind kind)
{
    return kind < RECORD_TABLE_COUNT ? tables[kind] : NULL;
}

const struct record_table *record_table_find(const char *table)
{
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        if (strcmp(tables[i]->table, table) == 0) {
            return tables[i];
        }
    }
    return NULL;
}

static const char *name_in(const char *const *names, unsigned value)
{
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (i == value) {
            return names[i];
        }
    }
    return "";
}

const char *column_name_of(const struct column *column, unsigned value)
{
    if (column->type == COLUMN_FINDING) {
        return value > 0 && value <= FINDING_COUNT
                   ? catalogue_get((enum finding_code)(value - 1))->code
                   : "";
    }
    if (column->names != NULL) {
        return name_in(column->names, value);
    }
    const char *word = column->word != NULL ? column->word(value) : NULL;
    return word != NULL ? word : "";
}

static int code_of(const char *name)
{
    enum finding_code code;
    if (name[0] == '\0') {
        return 0;
    }
    return catalogue_find(name, &code) ? (int)code + 1 : -1;
}

int column_value_of(const struct column *column, const char *name)
{
    if (column->type == COLUMN_FINDING) {
        return code_of(name);
    }
    for (int i = 0; column->names != NULL && column->names[i] != NULL; i++) {
        if (strcmp(column->names[i], name) == 0) {
            return i;
        }
    }
    for (unsigned i = 0; column->word != NULL && column->word(i) != NULL; i++) {
        if (strcmp(column->word(i), name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *side_name(unsigned side)
{
    return name_in(column_sides, side);
}

const char *outcome_name(unsigned outcome)
{
    return name_in(column_outcomes, outcome);
}

const char *stage_name(unsigned stage)
{
    return name_in(column_stages, stage);
}

const char *event_kind_name(unsigned kind)
{
    return name_in(column_events, kind);
}

const char *flow_features_name(unsigned features)
{
    return name_in(column_tcp_features, features);
}

const char *event_note_name(unsigned note)
{
    return name_in(column_notes, note);
}

const char *event_reason_name(unsigned reason)
{
    return name_in(column_reasons, reason);
}

uint8_t event_confidence(unsigned kind, unsigned note, unsigned reason)
{
    static const uint8_t by_reason[] = {[REASON_NONE] = 70,
                                        [REASON_ORIGINAL_SEEN] = 90,
                                        [REASON_FILLS_HOLE] = 80,
                                        [REASON_ACKNOWLEDGED] = 95,
                                        [REASON_PARTLY_ACKNOWLEDGED] = 95,
                                        [REASON_SPANS_NEW] = 90,
                                        [REASON_OTHER_BYTES] = 90,
                                        [REASON_IP_ID] = 90};
    if ((kind != EVENT_RETRANSMISSION && kind != EVENT_REORDERED) || reason >= REASON_COUNT)
        return 0;
    uint8_t sure = (reason & REASON_TIMESTAMP) != 0 ? 98 : by_reason[reason];
    return note == NOTE_UNCLEAR ? (uint8_t)(sure - 20) : sure;
}

const char *tls_step_name(unsigned step)
{
    return name_in(column_tls_steps, step);
}
