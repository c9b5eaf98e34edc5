/* Columns of services, service_minutes and endpoints. */
#include "core/columns.h"

const char *const column_rates[] = {"", "surge", "drop", NULL};
_Static_assert(sizeof column_rates / sizeof column_rates[0] == RATE_DROP + 2, "a word for each rate");

#define COUNT(a_name, a_index, a_sentence) COL_AS(a_name, count[a_index], "count", 0, a_sentence)
#define COUNTS                                                                                     \
    COUNT("attempts", SERVICE_ATTEMPTS, "Connections that began in the capture: ok + failed + unknown."), \
        COUNT("ok", SERVICE_OK, "Of these, without a fault of the connection."),                   \
        COUNT("failed", SERVICE_FAILED, "Of these, failed (flows.outcome)."),                      \
        COUNT("unknown", SERVICE_UNKNOWN, "Of these, seen in part."),                              \
        COUNT("open_before", SERVICE_OPEN_BEFORE,                                                  \
              "Connections that were open when the capture began."),                               \
        COUNT("tcp_attempts", SERVICE_TCP_ATTEMPTS, "TCP handshakes whose end is known."),         \
        COUNT("tcp_ok", SERVICE_TCP_OK, "Of these, completed."),                                   \
        COUNT("tls_attempts", SERVICE_TLS_ATTEMPTS, "TLS and TLCP handshakes whose end is known."), \
        COUNT("tls_ok", SERVICE_TLS_OK, "Of these, completed."),                                   \
        COUNT("requests", SERVICE_REQUESTS,                                                        \
              "Requests that were seen: HTTP, gRPC, DNS questions, commands of databases and others, " \
              "turns inside TLS."),                                                                \
        COUNT("errors", SERVICE_ERRORS,                                                            \
              "Of these, that the server failed: HTTP 5xx, gRPC codes of the server, SERVFAIL, "   \
              "no answer or half of one on a failed connection. Refusals are none."),              \
        COL_AS("bytes", count[SERVICE_BYTES], "bytes", 0, "Payload of both sides."),               \
        COUNT("retransmissions", SERVICE_RETRANSMISSIONS,                                          \
              "SYNs, SYN-ACKs and data segments sent again by either side.")

#define TIMES(a_name, a_index, a_what)                                                             \
    COL_AS(a_name "_count", time[a_index].count, "count", 0, a_what ": how many were measured."),  \
        COL_AS(a_name "_sum_ns", time[a_index].sum_ns, "ns", 0, a_what ": their sum."),            \
        COL_AS(a_name "_max_ns", time[a_index].max_ns, "ns", COLUMN_NEGATIVE_IS_NULL,              \
               a_what ": the longest."),                                                           \
        COL_AS(a_name "_p50_ns", time[a_index].p50_ns, "ns", COLUMN_NEGATIVE_IS_NULL,              \
               a_what ": median, within 1 %."),                                                    \
        COL_AS(a_name "_p95_ns", time[a_index].p95_ns, "ns", COLUMN_NEGATIVE_IS_NULL,              \
               a_what ": 95th percentile, within 1 %."),                                           \
        COL_AS(a_name "_p99_ns", time[a_index].p99_ns, "ns", COLUMN_NEGATIVE_IS_NULL,              \
               a_what ": 99th percentile, within 1 %."),                                           \
        COL_AS(a_name "_sketch", time[a_index].sketch, "", 0,                                      \
               a_what ": the sketch that the percentiles are from; sketch_merge() and "            \
               "sketch_quantile() of `invcap sql` read it.")
#define ANSWER_TIMES                                                                               \
    TIMES("think", SERVICE_THINK, "Last byte of a request to first byte of the answer, less the "  \
                                  "smallest round trip"),                                          \
        TIMES("total", SERVICE_TOTAL, "First byte of a request to last byte of the answer")
#define ALL_TIMES                                                                                  \
    TIMES("connect", SERVICE_CONNECT, "First SYN to the end of the TCP handshake"),                \
        TIMES("tls", SERVICE_TLS, "ClientHello to the end of the TLS handshake"), ANSWER_TIMES

#define RECORD service_record
static const struct column service_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read that it is of."),
    COL(number, "", COLUMN_KEY, "1.. within the read, most connections first."),
    COL(service, "", 0, "Service of the profile."),
    COL(name, "", 0, "What clients called the server most: SNI or Host."),
    COL(app, "", 0, "Protocol by content."),
    COL(server_ip, "", 0, "Server address; NULL in a row of several."),
    COL(server_port, "", COLUMN_ZERO_IS_NULL, "Server port."),
    COL(protocol, "", COLUMN_ZERO_IS_NULL, "IP protocol: 6 TCP, 17 UDP."),
    COL(others, "count", COLUMN_ZERO_IS_NULL,
        "Server ports that found no row of their own and are put together here; NULL: this is one."),
    COL(first_ns, "ns", 0, "First packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last packet, ns since 1970 UTC."),
    COL(clients, "count", 0, "Client addresses."),
    COUNTS,
    COL(peak_requests, "count", 0, "The most requests that began within one second."),
    COL(outages, "count", 0, "Findings service-outage."),
    COL(outage_attempts, "count", 0, "Attempts that were lost in them."),
    COL(outage_ns, "ns", 0, "All of them together."),
    COL(failover_ns, "ns", COLUMN_ZERO_IS_NULL,
        "From the last success at another server of its name, which then failed, to the first one here: "
        "the longest such switch."),
    COL(availability_ppm, "ppm", COLUMN_NEGATIVE_IS_NULL,
        "Share of the time between first and last packet without an outage; NULL when no attempt "
        "succeeded."),
    ALL_TIMES,
};

const struct record_table record_services = {
    .kind = RECORD_SERVICE, .table = "services", .json_type = "service",
    .sentence = "One row per server address, protocol and port that clients meant to use: what they got. "
                "Scans and floods are left out. The waits of endpoints that wait for news are not in "
                "think and total.",
    .record_size = sizeof(struct service_record), TABLE_OF(service_columns)};

#undef RECORD
#define RECORD service_minute_record
static const struct column minute_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read that it is of."),
    COL(number, "", COLUMN_KEY, "1.. within the read, by service, then time, then group."),
    COL(service_number, "", 0, "services.number of the same read."),
    COL(client_group, "", 0,
        "The clients: their /24 or /64; `other` beyond the largest ones; NULL all of them."),
    COL(start_ns, "ns", 0, "Begin of the interval, ns since 1970 UTC."),
    COL(span_ns, "ns", 0, "Its length: a minute, or more where minutes would be too many rows."),
    NAMED(rate, column_rates, 0,
          "Whether the service's requests in it are far above or below their median: surge, drop."),
    COUNTS,
    ALL_TIMES,
};

const struct record_table record_service_minutes = {
    .kind = RECORD_SERVICE_MINUTE, .table = "service_minutes", .json_type = "service_minute",
    .sentence = "One row per service, minute and group of clients. A connection counts in the minute it "
                "began, a request likewise; bytes and retransmissions when they passed, as far as "
                "rtt_samples tell.",
    .record_size = sizeof(struct service_minute_record), TABLE_OF(minute_columns)};

#undef RECORD
#define RECORD endpoint_record
static const struct column endpoint_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read that it is of."),
    COL(number, "", COLUMN_KEY, "1.. within the read, by service, most requests first."),
    COL(service_number, "", 0, "services.number of the same read."),
    COL(method, "", 0, "Method or command; NULL in a row of several."),
    COL(path, "", 0, "Path with numbers and ids replaced by {id}; NULL where there is none."),
    COL(others, "count", COLUMN_ZERO_IS_NULL,
        "Endpoints that found no row of their own and are put together here; NULL: this is one."),
    COL(waits, "bool", 0, "It waits for news by design: long poll, event stream."),
    COL(first_ns, "ns", 0, "First request, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last request, ns since 1970 UTC."),
    COL(requests, "count", 0, "Requests of this kind."),
    COL(errors, "count", 0, "Of these, that the server failed."),
    COL(connections, "count", 0, "Connections that carried them."),
    ANSWER_TIMES,
};

const struct record_table record_endpoints = {
    .kind = RECORD_ENDPOINT, .table = "endpoints", .json_type = "endpoint",
    .sentence = "One row per service and kind of request.",
    .record_size = sizeof(struct endpoint_record), TABLE_OF(endpoint_columns)};
