/* Columns of fault_domains and stories. */
#include "core/columns.h"

#define RECORD domain_record
static const struct column domain_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read it was found in."),
    COL(number, "", COLUMN_KEY, "1.. within the capture."),
    CODE(verdict, "The verdict that the failed connections share."),
    COL(client_ip, "", 0, "Client or client network that it is limited to; NULL any."),
    COL(client_bits, "", COLUMN_ZERO_IS_NULL, "Prefix length of client_ip."),
    COL(server_ip, "", 0, "Server or server network that it is limited to; NULL any."),
    COL(server_bits, "", COLUMN_ZERO_IS_NULL, "Prefix length of server_ip."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Server port that it is limited to; NULL any."),
    COL(name, "", 0, "Server name that it is limited to; NULL any."),
    COL(clients, "count", 0, "Distinct clients of the failed connections."),
    COL(servers, "count", 0, "Distinct servers of the failed connections."),
    COL(failed, "count", 0, "Connections inside that failed with this verdict."),
    COL(attempts, "count", 0, "Connections inside, begun between first_ns and last_ns."),
    COL(whole, "bool", 0, "1: nine in ten inside failed so; 0: others inside worked meanwhile."),
    COL(alone, "bool", 0, "1: nothing outside was tried, so its limits are unproven."),
    COL(first_ns, "ns", 0, "Begin of the first failed connection, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Begin of the last failed connection, ns since 1970 UTC."),
    COL(last_ok_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Last success inside before them."),
    COL(next_ok_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "First success inside after them."),
    COL(reached_ip, "", 0, "Server outside that the same clients reached, the most often reached."),
    COL(reached_port, "", COLUMN_ZERO_IS_NULL, "Port of that server."),
    COL(reached, "count", 0, "How often they reached it."),
    COL(others_ok, "count", 0, "Successful connections of other clients to the same services."),
};

const struct record_table record_domains = {
    .kind = RECORD_DOMAIN, .table = "fault_domains", .json_type = "fault_domain",
    .sentence = "How far a fault reaches: what its failed connections have in common.",
    .record_size = sizeof(struct domain_record), TABLE_OF(domain_columns)};

#undef RECORD
#define RECORD story_record
static const struct column story_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read it was found in."),
    COL(number, "", COLUMN_KEY, "1.. within the capture."),
    COL(client_ip, "", 0, "The client that tried."),
    COL(server_ip, "", 0, "Server of the first attempt."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Port of that server."),
    COL(name, "", 0, "Name of the server, when the client told it."),
    COL(service, "", 0, "Service of the site profile."),
    COL(attempts, "count", 0, "Connections in turn."),
    COL(failed, "count", 0, "Those of them that failed."),
    REF(first_flow, "flows(id)", 0, "The first attempt."),
    REF(last_flow, "flows(id)", 0, "The last attempt."),
    COL(first_ns, "ns", 0, "Begin of the first attempt, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "End of the last attempt, ns since 1970 UTC."),
    NAMED(outcome, column_outcomes, 0, "How the last attempt ended: ok, failed or unknown."),
    CODE(verdict, "Verdict of the first failed attempt."),
    COL(steps, "", 0, "Each attempt's verdict, or ok, and how many milliseconds it took."),
};

const struct record_table record_stories = {
    .kind = RECORD_STORY, .table = "stories", .json_type = "story",
    .sentence = "Retries of one client joined: attempt after attempt until one worked or none followed.",
    .record_size = sizeof(struct story_record), TABLE_OF(story_columns)};
