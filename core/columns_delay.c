/* Columns of flow_delays and rtt_samples. */
#include "core/columns.h"

const char *const column_delay_steps[] = {"", "connect", "tls", NULL};

#define TERM(a_name, a_index, a_sentence)                                                          \
    COL_AS(a_name, term_ns[a_index], "ns", COLUMN_ZERO_IS_NULL, a_sentence)
#define RTT(a_side, a_name)                                                                        \
    COL_AS(a_name "_rtt_count", rtt[a_side].count, "count", COLUMN_ZERO_IS_NULL,                   \
           "Round trips between tap and " a_name " that no delayed acknowledgment lengthened."),   \
        COL_AS(a_name "_rtt_min_ns", rtt[a_side].min_ns, "ns", COLUMN_ZERO_IS_NULL,                \
               "The smallest of these."),                                                          \
        COL_AS(a_name "_rtt_sum_ns", rtt[a_side].sum_ns, "ns", COLUMN_ZERO_IS_NULL,                \
               "The sum of these."),                                                                      \
        COL_AS(a_name "_rtt_max_ns", rtt[a_side].max_ns, "ns", COLUMN_ZERO_IS_NULL,                \
               "The largest of these."),                                                           \
        COL_AS(a_name "_rtt_last_ns", rtt[a_side].last_ns, "ns", COLUMN_ZERO_IS_NULL,              \
               "The last of these.")

#define RECORD flow_delay_record
static const struct column delay_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    TERM("syn_backoff_ns", DELAY_SYN_BACKOFF, "Time until a SYN or SYN-ACK was sent again."),
    TERM("connect_server_ns", DELAY_CONNECT_SERVER, "SYN to SYN-ACK: tap to server and back."),
    TERM("connect_client_ns", DELAY_CONNECT_CLIENT, "SYN-ACK to ACK: tap to client and back."),
    TERM("tls_server_ns", DELAY_TLS_SERVER, "TLS handshake: the server's turns."),
    TERM("tls_client_ns", DELAY_TLS_CLIENT, "TLS handshake: the client's turns."),
    TERM("upload_ns", DELAY_UPLOAD, "Between the segments of requests."),
    TERM("round_trip_ns", DELAY_ROUND_TRIP,
         "The smallest round trip between tap and server, once per server's turn."),
    TERM("server_ns", DELAY_SERVER, "The server's own time: its turns without the round trip."),
    TERM("download_ns", DELAY_DOWNLOAD, "Between the segments of answers."),
    TERM("retransmission_ns", DELAY_RETRANSMISSION, "Until something lost was sent again."),
    TERM("zero_window_ns", DELAY_ZERO_WINDOW, "Data waited while the receiver's window was closed."),
    TERM("ack_stall_ns", DELAY_ACK_STALL,
         "The sender (Nagle) waited for a delayed acknowledgment, 40 or 200 ms each."),
    TERM("client_ns", DELAY_CLIENT, "The client's turns between an answer and the next request."),
    TERM("close_ns", DELAY_CLOSE, "From the first FIN or RST on, without data."),
    RTT(0, "client"),
    RTT(1, "server"),
    COL(tls_hello_wait_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "ClientHello, acknowledged at once, to the server's first byte, round trip taken off."),
    COL(tls_finish_wait_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "The same for the client's later flights of the handshake."),
    COL(pause_ns, "ns", COLUMN_ZERO_IS_NULL,
        "Longest wait for the client's next step of the handshakes, round trip taken off."),
    NAMED(pause_step, column_delay_steps, 0, "Behind which handshake it paused: connect or tls."),
    COL(answers, "count", COLUMN_ZERO_IS_NULL, "Server's turns behind the handshakes."),
    COL(answer_sum_ns, "ns", COLUMN_ZERO_IS_NULL, "The server's own time in these turns."),
    COL(answer_max_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "The longest of these turns."),
    COL(answer_start_ns, "ns", COLUMN_ZERO_IS_NULL, "When the longest turn began."),
    COL(answer_frame, "", COLUMN_ZERO_IS_NULL, "The packet that ended the longest turn."),
    COL(answer_asked, "bytes", COLUMN_ZERO_IS_NULL,
        "What the client had sent in its turn before the longest turn."),
    COL(fed_ns, "ns", COLUMN_ZERO_IS_NULL,
        "The client's longest turn: between its first and its last segment with new data."),
    COL(fed_bytes, "bytes", COLUMN_ZERO_IS_NULL, "What came in that turn behind its first segment."),
    COL(fed_segments, "count", COLUMN_ZERO_IS_NULL, "In so many segments."),
    COL(fed_pauses, "count", COLUMN_ZERO_IS_NULL,
        "Pauses of a second or more between the segments of that turn."),
    COL(window_acks, "count", COLUMN_ZERO_IS_NULL,
        "Right edges of the receiver's window that were watched, for the data of the side below."),
    COL(window_full, "count", COLUMN_ZERO_IS_NULL, "Of these, those that the data reached as soon as the sender knew them."),
    COL(window_bytes, "bytes", COLUMN_ZERO_IS_NULL, "The largest window that was used up."),
    COL(window_frame, "", COLUMN_ZERO_IS_NULL, "The packet that came up to its edge."),
    COL(window_frame_ns, "ns", COLUMN_ZERO_IS_NULL, "When that packet came, since 1970 UTC."),
    COL(window_rate, "bytes/s", COLUMN_ZERO_IS_NULL, "Rate reached since the first of them."),
    COL(window_span_ns, "ns", COLUMN_ZERO_IS_NULL, "Time from the first of them to the last acknowledgment."),
    NAMED(window_sender, column_sides, 0, "Whose data was held back by the other side's window."),
};

const struct record_table record_flow_delays = {
    .kind = RECORD_FLOW_DELAY, .table = "flow_delays", .json_type = "delay",
    .sentence = "Where the time of TCP connections went that lasted 1 s, waited 200 ms for an answer, or "
                "were held up (back-off, retransmission, closed window, delayed acknowledgment): the terms from syn_backoff_ns to close_ns "
                "(NULL is 0) add up to last_ns - first_ns of the flow; and its round trips.",
    .record_size = sizeof(struct flow_delay_record), TABLE_OF(delay_columns)};

#undef RECORD
#define RECORD rtt_sample_record
static const struct column sample_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(start_ns, "ns", COLUMN_KEY, "When the interval begins, ns since 1970 UTC."),
    COL(client_count, "count", COLUMN_ZERO_IS_NULL, "Round trips between tap and client."),
    COL(server_count, "count", COLUMN_ZERO_IS_NULL, "Round trips between tap and server."),
    COL(client_rtt_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Smallest round trip between tap and client."),
    COL(server_rtt_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Smallest round trip between tap and server."),
    COL(bytes, "bytes", 0, "Payload of both sides in the interval."),
    COL(retransmissions, "count", COLUMN_ZERO_IS_NULL,
        "Data segments sent again by either side in the interval."),
};

const struct record_table record_rtt_samples = {
    .kind = RECORD_RTT_SAMPLE, .table = "rtt_samples", .json_type = "rtt",
    .sentence = "Smallest round trips per interval of connections that last longer than one: 1 s "
                "within the first minute of a connection, then 10 s.",
    .record_size = sizeof(struct rtt_sample_record), TABLE_OF(sample_columns)};

#undef RECORD
#define RECORD turn_record
static const struct column turn_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(number, "", COLUMN_KEY, "1.. within the connection."),
    COL(start_ns, "ns", 0, "The client's first data of its turn, ns since 1970 UTC."),
    COL(wait_ns, "ns", 0,
        "The client's last data to the server's first, less the smallest round trip."),
    COL(total_ns, "ns", 0, "From start_ns to the server's last data."),
    COL(asked, "bytes", 0, "What the client sent in its turn."),
    COL(answered, "bytes", 0, "What the server sent in its."),
    COL(frame, "", 0, "The packet that ended the wait."),
};

const struct record_table record_turns = {
    .kind = RECORD_TURN, .table = "turns", .json_type = "turn",
    .sentence = "Questions and answers inside TLS that is not decrypted: the turns of client and server "
                "behind the handshake, where requests do not overlap (no HTTP/2 offered) and the "
                "client's turn is long enough for a request; at most 65,536 of a connection.",
    .record_size = sizeof(struct turn_record), TABLE_OF(turn_columns)};
