/* Columns of dependencies. */
#include "core/columns.h"

#define RECORD dependency_record
static const struct column dependency_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read that it is of."),
    COL(number, "", COLUMN_KEY, "1.. within the read, by server, port and protocol."),
    COL(name, "", 0, "As the profile calls it; NULL: known by its content alone."),
    COL(kind, "", 0, "dns, ntp, database, cache, broker, gateway or other."),
    COL(app, "", 0, "Protocol by content."),
    COL(server_ip, "", 0, "The address that it serves."),
    COL(server_port, "", 0, "The port that it serves."),
    COL(protocol, "", 0, "IP protocol: 6 TCP, 17 UDP."),
    COL(others, "count", COLUMN_ZERO_IS_NULL,
        "Server ports put together in this row, those of one kind with the fewest connections; NULL: it is one."),
    COL(clients, "count", 0, "Addresses that used it."),
    COL(users, "", 0, "Those with most connections, with their number."),
    COL(attempts, "count", 0, "Connections that meant it."),
    COL(failed, "count", 0, "Of these, failed (flows.outcome)."),
    COL(requests, "count", 0, "Questions, commands and requests that were seen."),
    COL(errors, "count", 0, "Of these, that it failed or left unanswered."),
    COL(refused, "count", 0,
        "Refusals by its own word: logins and commands, DNS REFUSED, NTP kiss codes."),
    COL(slow, "count", 0, "Answers that took longer than limit_ns."),
    COL(limit_ns, "ns", 0, "How long an answer may take: the profile's."),
    COL(p50_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Median of the answer times."),
    COL(p95_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Their 95th percentile, of 60 or more."),
    COL(p99_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Their 99th percentile, of 300 or more."),
    COL(max_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "The longest."),
    COL(first_ns, "ns", 0, "First packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last packet, ns since 1970 UTC."),
};

const struct record_table record_dependencies = {
    .kind = RECORD_DEPENDENCY, .table = "dependencies", .json_type = "dependency",
    .sentence = "One row per server and port of what the services need: databases, caches, brokers, name "
                "and time servers by their content, anything else by the profile.",
    .record_size = sizeof(struct dependency_record), TABLE_OF(dependency_columns)};
