/* Columns of dns_transactions. */
#include "core/columns.h"

#define RECORD dns_record
static const struct column dns_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The conversation."),
    COL(number, "", COLUMN_KEY, "Order of the question within the conversation, from 1."),
    NAMED(asker, column_sides, 0, "Side that asked: port 53 may be at both ends."),
    COL(client_ip, "", 0, "Address that asked."),
    COL(server_ip, "", 0, "Name server that was asked."),
    COL(query_id, "", 0, "Id of the message."),
    COL(question, "", 0, "Name asked for, lower case, without the last dot; bytes that are no text "
                         "as \\DDD. NULL when the answer repeats none."),
    COL(question_type, "", 0, "Type asked for: A, AAAA, PTR, TYPE300."),
    COL(query_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "First query, ns since 1970 UTC."),
    COL(last_query_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Last query with the same id, ns since 1970 UTC."),
    COL(answer_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "First answer, ns since 1970 UTC."),
    COL(query_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the first query."),
    COL(last_query_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the last query."),
    COL(answer_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the first answer."),
    COL(tries, "count", 0, "Queries with the same id; 0 when the answer alone was seen."),
    COL(answers, "count", 0, "Messages that answered it."),
    COL(rcode, "", COLUMN_NEGATIVE_IS_NULL,
        "Response code of the first answer, EDNS bits included: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, "
        "5 REFUSED; NULL without an answer."),
    COL(response_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "From the first query to the first answer."),
    COL(authoritative, "bool", 0, "1: the answer is authoritative."),
    COL(truncated, "bool", 0, "1: the answer was cut to fit a datagram."),
    COL(edns_bytes, "bytes", COLUMN_ZERO_IS_NULL,
        "UDP size that the client offers by EDNS; NULL without EDNS."),
    COL(answer_count, "count", 0, "Records in the answer section."),
    COL(answer_list, "", 0, "These records: CNAME b.example,A 192.0.2.1; ends in ,... when cut."),
    COL(ttl_s, "s", COLUMN_NEGATIVE_IS_NULL, "Smallest time to live of these records."),
    COL(conflicts, "count", 0, "Answers beyond the queries that say something else."),
    COL(conflict_list, "", 0, "Records of the first such answer."),
    COL(conflict_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "When it came, ns since 1970 UTC."),
    COL(conflict_frame, "", COLUMN_ZERO_IS_NULL, "Frame of that answer."),
    COL(answer_ttl, "", COLUMN_ZERO_IS_NULL, "IP TTL or hop limit of the first answer."),
    COL(conflict_ttl, "", COLUMN_ZERO_IS_NULL, "IP TTL or hop limit of the answer that differs."),
    COL(given_up, "bool", 0, "1: closed early at a limit; silence proves nothing."),
};

const struct record_table record_dns = {
    .kind = RECORD_DNS, .table = "dns_transactions", .json_type = "dns",
    .sentence = "One row per question to a name server with its tries and what came back.",
    .record_size = sizeof(struct dns_record), TABLE_OF(dns_columns)};
