/* Columns of swarms. */
#include "core/columns.h"

static const char *const kinds[] = {"target", "source", "any", "leftover", NULL};

#define RECORD swarm_record
static const struct column swarm_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read it was found in."),
    COL(number, "", COLUMN_KEY, "1.. within the capture."),
    NAMED(kind, kinds, 0, "What the attempts share: target (a server port), source (a client), any (nothing); "
          "leftover: no attempts, but lone packets to or from one server without a connection (an ACK flood, answers to "
          "forged SYNs)."),
    COL(protocol, "", COLUMN_ZERO_IS_NULL, "IANA number of the transport protocol; NULL many."),
    COL(client_ip, "", 0, "The client; NULL many."),
    COL(server_ip, "", 0, "The server; NULL many."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Port of the server; NULL many."),
    COL(attempts, "count", 0,
        "Attempts counted here; none of them has a row in flows. Those before them have."),
    COL(packets, "count", 0, "Packets of these attempts, both directions."),
    COL(answered, "count", 0, "Attempts that got a packet back: a reset, or a SYN-ACK never taken."),
    COL(clients, "count", 0, "Distinct client addresses, estimated within some 3 %."),
    COL(servers, "count", 0, "Distinct server addresses, estimated within some 3 %."),
    COL(ports, "count", 0, "Distinct server ports, estimated within some 3 %."),
    COL(most_per_second, "count", 0, "Most attempts that began in one second."),
    COL(first_ns, "ns", 0, "Begin of the first of them, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Begin of the last of them, ns since 1970 UTC."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source that holds the first."),
    COL(first_frame, "", 0, "Frame number of the first packet of the first attempt."),
    COL(last_frame, "", 0, "Frame number of the first packet of the last attempt."),
};

const struct record_table record_swarms = {
    .kind = RECORD_SWARM, .table = "swarms", .json_type = "swarm",
    .sentence = "Attempts of floods and scans beyond those that are kept in flows, counted together.",
    .record_size = sizeof(struct swarm_record), TABLE_OF(swarm_columns)};
