/* Columns of findings, finding_values, finding_evidence and finding_flows. */
#include "core/columns.h"

#include "core/catalogue.h"

static const char *severity_word(unsigned value)
{
    return value < SEVERITY_COUNT ? severity_name((enum severity)value) : NULL;
}

static const char *category_word(unsigned value)
{
    return value < CATEGORY_COUNT ? category_name((enum category)value) : NULL;
}

static const char *culprit_word(unsigned value)
{
    return value < CULPRIT_COUNT ? culprit_name((enum culprit)value) : NULL;
}

static const char *scope_word(unsigned value)
{
    return value < SCOPE_COUNT ? scope_name((enum scope)value) : NULL;
}

#define RECORD finding_record
static const struct column finding_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the finding, from 1."),
    REF(capture_id, "captures(id)", 0, "The read it was found in."),
    CODE(code, "What was found: a code of docs/findings.md, such as conn-syn-timeout."),
    WORD(severity, severity_word, "info, low, medium, high or critical."),
    WORD(category, category_word,
         "network, server, auth, dependency, security, capture (the capture itself) or note."),
    WORD(culprit, culprit_word,
         "Who is to blame: client, server, middlebox, network, dependency, attacker, capture, none or "
         "unknown."),
    WORD(scope, scope_word, "What it is about: connection, host, service, name, path or capture."),
    COL(confidence, "percent", 0, "How sure it is, 0 to 100; below 50 is only possible."),
    COL(is_primary, "bool", 0, "1: it is the verdict of the connections it covers."),
    NAMED(state, column_states, 0,
          "confirmed; open (it may still change, live) or withdrawn (the capture cannot prove it)."),
    COL(first_ns, "ns", 0, "First time it happened, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last time it happened, ns since 1970 UTC."),
    COL(count, "count", 0, "Connections or events that it covers."),
    COL(joined, "count", COLUMN_ZERO_IS_NULL,
        "Findings of the same code and culprit, each about another client, server or name, that it stands for beside "
        "itself; the columns tell the worst of them. NULL none."),
    COL(client_ip, "", 0, "Client of the worst of them."),
    COL(server_ip, "", 0, "Server that it is about."),
    COL(client_port, "", COLUMN_ZERO_IS_NULL, "Client port of the worst of them."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Server port that it is about."),
    COL(name, "", 0, "Name that the clients used for the server."),
    COL(service, "", 0, "Service of the site profile."),
    REF(flow_id, "flows(id)", COLUMN_ZERO_IS_NULL, "The worst connection; NULL when it is about none."),
    COL(rivals, "", 0, "Codes of other explanations that remain, comma separated."),
    COL(withdrawn_by, "", 0, "Code of the capture finding that made it unprovable."),
    COL(reason, "", 0, "Why nobody can be blamed, when the culprit is unknown."),
};

const struct record_table record_findings = {
    .kind = RECORD_FINDING, .table = "findings", .json_type = "finding",
    .sentence = "One row per conclusion; the same thing again counts the same row up.",
    .record_size = sizeof(struct finding_record), TABLE_OF(finding_columns)};

#undef RECORD
#define RECORD finding_value_record
static const struct column finding_value_columns[] = {
    REF(finding_id, "findings(id)", COLUMN_KEY, "The finding."),
    COL(name, "", COLUMN_KEY, "Name of the value; docs/findings.md tells its unit."),
    COL(number, "", 0, "The value of the worst case, or the median; 0 when text holds it."),
    COL(text, "", 0, "The value when it is no number."),
    COL(minimum, "", 0, "Smallest over all that the finding covers."),
    COL(maximum, "", 0, "Greatest over all that the finding covers."),
};

const struct record_table record_finding_values = {
    .kind = RECORD_FINDING_VALUE, .table = "finding_values", .json_type = "finding_value",
    .sentence = "What was measured: the values that a finding's sentences name.",
    .record_size = sizeof(struct finding_value_record), TABLE_OF(finding_value_columns)};

#undef RECORD
#define RECORD finding_evidence_record
static const struct column finding_evidence_columns[] = {
    REF(finding_id, "findings(id)", COLUMN_KEY, "The finding."),
    COL(number, "", COLUMN_KEY, "Order of the evidence, from 0 or 1."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source that holds the packet."),
    COL(frame, "", 0, "Frame number within the source, as Wireshark counts."),
    COL(offset, "bytes", COLUMN_NEGATIVE_IS_NULL,
        "Offset of the packet's record in the uncompressed stream; NULL not kept."),
    COL(time_ns, "ns", 0, "Time of the packet, ns since 1970 UTC."),
    COL(caplen, "bytes", COLUMN_NEGATIVE_IS_NULL, "Captured bytes of the packet; NULL not kept."),
    COL(note, "", 0, "What the packet shows, such as syn, rst or alert."),
};

const struct record_table record_finding_evidence = {
    .kind = RECORD_FINDING_EVIDENCE, .table = "finding_evidence", .json_type = "finding_evidence",
    .sentence = "The packets that prove a finding: at most 8 each.",
    .record_size = sizeof(struct finding_evidence_record), TABLE_OF(finding_evidence_columns)};

#undef RECORD
#define RECORD finding_flow_record
static const struct column finding_flow_columns[] = {
    REF(finding_id, "findings(id)", COLUMN_KEY, "The finding."),
    REF(flow_id, "flows(id)", COLUMN_KEY, "A connection that it covers."),
    COL(is_primary, "bool", 0, "1: it is this connection's verdict; 0: it contributes."),
};

const struct record_table record_finding_flows = {
    .kind = RECORD_FINDING_FLOW, .table = "finding_flows", .json_type = "finding_flow",
    .sentence = "Which connections a finding covers.",
    .record_size = sizeof(struct finding_flow_record), TABLE_OF(finding_flow_columns)};
