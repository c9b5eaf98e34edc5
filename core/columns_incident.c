/* Columns of incidents and incident_steps. */
#include "core/columns.h"

#define RECORD incident_record
static const struct column incident_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the incident, from 1."),
    REF(capture_id, "captures(id)", 0, "The read it was found in."),
    COL(first_ns, "ns", 0, "Start of its first step, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "End of its last step, ns since 1970 UTC."),
    COL(server_ip, "", 0, "Server of its strongest finding."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Port of that server."),
    COL(name, "", 0, "Name that the clients used for it."),
    COL(score, "", 0, "How much speaks for somebody in the middle: 0 to 100, the sum of the terms."),
    COL(terms, "", 0, "What the score is made of: codes and what each adds, comma separated."),
    COL(rivals, "", 0, "Codes of other explanations that remain, comma separated."),
    COL(findings, "count", 0, "Findings that belong to it."),
};

const struct record_table record_incidents = {
    .kind = RECORD_INCIDENT, .table = "incidents", .json_type = "incident",
    .sentence = "Findings that tell one story of somebody in the middle, joined.",
    .record_size = sizeof(struct incident_record), TABLE_OF(incident_columns)};

#undef RECORD
#define RECORD incident_step_record
static const struct column step_columns[] = {
    REF(incident_id, "incidents(id)", COLUMN_KEY, "The incident."),
    COL(number, "", COLUMN_KEY, "Place in its time line, from 1."),
    COL(time_ns, "ns", 0, "When it began, ns since 1970 UTC."),
    REF(finding_id, "findings(id)", 0, "The finding."),
    CODE(code, "Code of that finding."),
    COL(weight, "", 0, "What it adds to the score of the incident."),
};

const struct record_table record_incident_steps = {
    .kind = RECORD_INCIDENT_STEP, .table = "incident_steps", .json_type = "incident_step",
    .sentence = "The time line of an incident.",
    .record_size = sizeof(struct incident_step_record), TABLE_OF(step_columns)};
