/* Columns of resets. */
#include "core/columns.h"

static const char *const guesses[] = {"",       "exact", "answer",  "unacked",
                                      "behind", "ahead", "outside", "zero", NULL};
static const char *const lines[] = {"", "zero", "counts", "irregular", NULL};

_Static_assert(sizeof guesses / sizeof *guesses == RESET_GUESS_ZERO + 2, "a word for each guess");
_Static_assert(sizeof lines / sizeof *lines == IP_ID_IRREGULAR + 2, "a word for each line");

#define RECORD reset_record
static const struct column reset_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(number, "", COLUMN_KEY, "Number of the RST among those kept of the connection, from 1."),
    NAMED(side, column_sides, 0, "Side whose address it carries, whoever sent it."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source that holds the packet."),
    COL(frame, "", COLUMN_ZERO_IS_NULL, "Frame number within the source, from 1."),
    COL(time_ns, "ns", 0, "Time of the packet, ns since 1970 UTC."),
    COL(with_ack, "bool", 0, "1: the ACK flag is set."),
    COL(payload_bytes, "bytes", 0, "Payload that it carries, which no ordinary RST does."),
    COL(ttl, "", COLUMN_ZERO_IS_NULL, "IP TTL or hop limit."),
    COL(usual_ttl, "", COLUMN_ZERO_IS_NULL,
        "Most common TTL of that side's other packets before it; NULL none were seen."),
    COL(ip_id, "", COLUMN_NEGATIVE_IS_NULL, "IP ID; NULL for IPv6."),
    COL(ip_id_before, "", COLUMN_NEGATIVE_IS_NULL, "IP ID of that side's last other packet."),
    NAMED(ip_id_line, lines, 0,
          "How that side numbers its other packets: zero, counts, irregular; NULL too few."),
    COL(window, "", 0, "Receive window as it stands there, unscaled."),
    COL(window_before, "", 0, "The same of that side's last other packet; 0 also when none."),
    COL(has_timestamp, "bool", 0, "1: it carries the timestamp option."),
    COL(usual_timestamp, "bool", 0, "1: that side's other packets carry it."),
    COL(timestamp_step, "", 0, "TSval less that of that side's last other packet; 0 without both."),
    NAMED(guess, guesses, 0,
          "What its sequence number is: exact (the next byte), answer (an acknowledgment of the other "
          "side), unacked (within what is not acknowledged), behind, ahead (in the window), outside, "
          "zero; NULL nothing to compare with."),
    COL(sequence_offset, "", 0, "Sequence number less the next one of that side."),
    COL(acknowledgment, "", 0, "Acknowledgment number as it stands there, ACK flag or not."),
    COL(ack_offset, "", 0,
        "With ACK: acknowledgment less what the other side had sent; 0 covers all of it."),
    COL(ack_step, "", 0,
        "With ACK: acknowledgment less the last one of that side; negative takes it back."),
    COL(changed, "bool", 0, "1: differs from that side's RST before it as no stack does it."),
    COL(own_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Since that side's last other packet."),
    COL(peer_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Since the other side's last packet."),
    COL(peer_first_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Since the first packet that the other side sent after that side's last one."),
    COL(peer_payload_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Since the other side's last payload."),
    COL(segments_before, "count", 0, "Segments with payload of that side before it."),
    COL(peer_segments_before, "count", 0, "Segments with payload of the other side before it."),
    COL(own_fin, "bool", 0, "1: that side had sent its FIN."),
    COL(peer_fin, "bool", 0, "1: the other side had sent its FIN."),
    COL(later_packets, "count", 0,
        "Later packets of that side at or above its sequence number, or that send again what came "
        "before it; no RST, not reordered."),
    COL(later_bytes, "bytes", 0, "Payload of these."),
};

const struct record_table record_resets = {
    .kind = RECORD_RESET, .table = "resets", .json_type = "reset",
    .sentence = "One row per RST, the first 4 of each side, compared with what its side else sends; "
                "a lone RST that refuses a SYN has none.",
    .record_size = sizeof(struct reset_record), TABLE_OF(reset_columns)};
