/* Columns of h2_connections. */
#include "core/columns.h"

#define RECORD h2_record
#define SIDE(a_member, a_unit, a_flags, a_sentence)                                                \
    COL_AS("client_" #a_member, side[SIDE_CLIENT].a_member, a_unit, a_flags,                       \
           "Client: " a_sentence),                                                                 \
    COL_AS("server_" #a_member, side[SIDE_SERVER].a_member, a_unit, a_flags,                       \
           "Server: " a_sentence)

static const struct column h2_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(late, "bool", 0, "1: joined in mid-connection or behind a gap; names may be missing."),
    COL(streams, "count", 0, "Streams seen."),
    COL(streams_open_max, "count", 0, "Most streams open at once."),
    COL(frames, "count", 0, "HTTP/2 frames."),
    COL(header_blocks, "count", 0, "Header blocks decoded."),
    COL(unknown_fields, "count", 0, "Header fields whose entry of the dynamic table was not seen."),
    COL(given_up, "count", 0, "Streams beyond the limit of those followed at once."),
    SIDE(goaway_error, "", COLUMN_NEGATIVE_IS_NULL,
         "error code of its last GOAWAY (RFC 9113 7); NULL none sent."),
    SIDE(goaway_stream, "", COLUMN_NEGATIVE_IS_NULL, "last stream that its GOAWAY promises to answer."),
    SIDE(goaway_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "time of that GOAWAY, ns since 1970 UTC."),
    SIDE(goaway_frame, "", COLUMN_ZERO_IS_NULL, "frame of that GOAWAY."),
    SIDE(goaway_open, "count", 0, "streams open when that GOAWAY came."),
    SIDE(reset_error, "", COLUMN_NEGATIVE_IS_NULL,
         "error code of its first RST_STREAM that is neither NO_ERROR nor CANCEL."),
    SIDE(reset_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "time of that RST_STREAM, ns since 1970 UTC."),
    SIDE(reset_frame, "", COLUMN_ZERO_IS_NULL, "frame of that RST_STREAM."),
    SIDE(resets, "count", 0, "streams it reset, whatever the reason."),
    SIDE(reset_errors, "count", 0, "streams it reset with an error."),
    SIDE(pings, "count", 0, "PING frames it sent unasked."),
    SIDE(settings, "count", 0, "SETTINGS frames it sent, acknowledgements left out."),
    SIDE(max_streams, "count", COLUMN_NEGATIVE_IS_NULL, "most streams that it lets its peer open."),
    SIDE(window, "bytes", COLUMN_NEGATIVE_IS_NULL, "window that it gives each stream at first."),
    SIDE(stalled_ns, "ns", 0, "longest time that the peer's window kept it from sending."),
    SIDE(stalls, "count", 0, "times that the peer's window kept it from sending."),
};

const struct record_table record_h2 = {
    .kind = RECORD_H2, .table = "h2_connections", .json_type = "h2_connection",
    .sentence = "One row per HTTP/2 connection in clear; its streams are in http_transactions.",
    .record_size = sizeof(struct h2_record), TABLE_OF(h2_columns)};
