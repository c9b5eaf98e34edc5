/* Columns of flows, flow_tcp and flow_events. */
#include "core/columns.h"

#define RECORD flow_record
/* Members that few queries want share one stored integer: the row stays at 45 stored columns. */
#define PACKED(a_name, a_member, a_type, a_names, a_shift, a_width, a_sentence)                    \
    {.name = (a_name), .type = (a_type), COLUMN_WHERE(a_member), .unit = "", .names = (a_names),   \
     .sentence = (a_sentence), .bits = {(a_shift), (a_width)}}

/* By bits: ECN 1, fast open 2, MPTCP 4, simultaneous 8. */
const char *const column_tcp_features[] = {
    "",
    "ecn",
    "fast-open",
    "ecn, fast-open",
    "mptcp",
    "ecn, mptcp",
    "fast-open, mptcp",
    "ecn, fast-open, mptcp",
    "simultaneous-open",
    "ecn, simultaneous-open",
    "fast-open, simultaneous-open",
    "ecn, fast-open, simultaneous-open",
    "mptcp, simultaneous-open",
    "ecn, mptcp, simultaneous-open",
    "fast-open, mptcp, simultaneous-open",
    "ecn, fast-open, mptcp, simultaneous-open",
    NULL};

static const char *const flow_risks[] = {
    "",
#define FLOW_RISK(id, bit, words) words,
#include "core/flow_risks.def"
#undef FLOW_RISK
    NULL};
_Static_assert(FLOW_RISK_COUNT <= 32, "five bits");
_Static_assert(FLOW_FACT_RESET_MAC < 1u << FLOW_FACT_BITS, "facts that do not fit are lost");

const char *flow_risk_words(unsigned risk)
{
    return risk < FLOW_RISK_COUNT ? flow_risks[risk] : "";
}

static const struct column flow_columns[] = {
    COL(id, "", COLUMN_KEY,
        "Number of the flow: the order of the flows' first packets by time, source and frame, from 1; "
        "a later read counts on."),
    REF(capture_id, "captures(id)", 0, "The read that made this flow."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source of the flow's first packet."),
    PACKED("first_frame", first_frame, COLUMN_I64, NULL, 32, 31,
           "Frame number of the first packet within its source, counted from 1 as Wireshark does; 0 "
           "beyond 2^31."),
    COL(community_id, "", 0,
        "Community ID version 1 with seed 0: the name of this connection in Zeek, Suricata, Arkime."),
    COL(first_ns, "ns", 0, "Time of the first packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Time of the last packet, ns since 1970 UTC."),
    COL(protocol, "", 0, "IANA number of the transport protocol: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6."),
    COL(client_ip, "", 0, "Address of the side that opened the connection."),
    COL(client_port, "", 0, "Port of the client."),
    COL(server_ip, "", 0, "Address of the side that was called."),
    COL(server_port, "", 0, "Port of the server."),
    COL(vlan, "", COLUMN_NEGATIVE_IS_NULL, "Outermost VLAN id; NULL without a VLAN tag."),
    COL(tunnel, "", 0, "Tunnel that carried the flow, such as gre or vxlan:42; NULL without one."),
    COL(service, "", 0, "Name of the service in the site profile; NULL when it names none."),
    COL(app, "", 0, "Application protocol by the flow's own bytes: tls, tlcp, http, ftp, ssh, mysql, postgresql, redis, amqp ...; NULL unknown."),
    COL(ndpi_protocol, "", 0, "What nDPI takes the flow for; NULL when it was not asked."),
    PACKED("ndpi_risk", ndpi_risk, COLUMN_NAMED, flow_risks, 27, 5,
           "The most telling risk that nDPI sees and no finding covers; NULL none."),
    COL(name, "", 0, "What the client called the server: TLS SNI or HTTP Host."),
    COL(client_packets, "count", 0, "Packets sent by the client."),
    COL(server_packets, "count", 0, "Packets sent by the server."),
    COL(client_bytes, "bytes", 0, "Bytes of the client's IP packets, headers included."),
    COL(server_bytes, "bytes", 0, "Bytes of the server's IP packets, headers included."),
    COL(client_payload_bytes, "bytes", 0,
        "Payload sent by the client; for TCP each stream byte seen counts once."),
    COL(server_payload_bytes, "bytes", 0,
        "Payload sent by the server; for TCP each stream byte seen counts once."),
    COL(state, "", 0, "Zeek's conn_state: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, "
        "SHR, OTH."),
    COL(history, "", 0, "Zeek's history letters in order of events; upper case is the client."),
    NAMED(outcome, column_outcomes, 0,
          "ok, failed, unknown (seen only in part) or unsolicited (scan, probe); NULL undecided."),
    CODE(verdict, "Code of the primary finding: why the connection failed; NULL when it did not."),
    NAMED(stage, column_stages, 0,
          "How far the connection came: DNS, ARP, SYN, SYNACK, ACK, TLS_CH, TLS_SH, TLS_CERT, "
          "TLS_FIN, REQ, RESP, IDLE, CLOSE."),
    PACKED("end_reason", end, COLUMN_NAMED, column_ends, 24, 3,
           "Why the record was closed: closed (FIN or RST), capture (end of capture), timeout, reused "
           "(new SYN on the same ports), evicted (memory ceiling)."),
    NAMED(closed_by, column_sides, 0, "Side that sent the first FIN or RST; NULL when none did."),
    COL(connect_rtt_server_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From SYN to SYN-ACK at the capture point: the way to the server and back; NULL when a "
        "retransmission makes it ambiguous."),
    COL(connect_rtt_client_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From SYN-ACK to the ACK at the capture point: the way to the client and back."),
    COL(rtt_min_client_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Smallest round trip between the capture point and the client."),
    COL(rtt_min_server_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Smallest round trip between the capture point and the server."),
    COL(syn_retransmissions, "count", 0, "SYN packets sent again by the client."),
    COL(synack_retransmissions, "count", 0, "SYN-ACK packets sent again by the server."),
    COL(client_retransmissions, "count", 0, "Data segments that the client sent again."),
    COL(server_retransmissions, "count", 0, "Data segments that the server sent again."),
    COL(client_resets, "count", 0, "RST packets with the client's address as source."),
    COL(server_resets, "count", 0, "RST packets with the server's address as source."),
    COL(client_ttl, "", COLUMN_ZERO_IS_NULL,
        "Usual IP TTL or hop limit of the client's packets, resets left out; NULL unseen."),
    COL(server_ttl, "", COLUMN_ZERO_IS_NULL,
        "Usual IP TTL or hop limit of the server's packets, resets left out; NULL unseen."),
    COL(request_count, "count", 0, "Application requests seen in the flow."),
    COL(response_max_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Longest wait from the end of a request to the first byte of its answer."),
    COL(capture_lost_bytes, "bytes", 0,
        "Stream bytes that were acknowledged, thus delivered, yet missed by the capture."),
    PACKED("facts", facts, COLUMN_U64, NULL, 0, FLOW_FACT_BITS,
           "Bits for the diagnosis (FLOW_FACT_ in core/record.h): 0 midstream, 1 unseen peer, 2 "
           "established, 3 request open, 4 answer incomplete, 5 duplicates, 6 snap length, 7 "
           "traceroute, 8 no SYN, 9 looped, 10 direction guessed, 11 reused tuple, 12 TLS finished, "
           "13 server spoke first, 14 answered, 15 offload, 16 limit, 17 request part, 18 stray, "
           "19 a server's reset from another hardware address."),
    PACKED("tcp_features", features, COLUMN_NAMED, column_tcp_features, FLOW_FACT_BITS, 4,
           "What the handshake agreed on or was: ecn, fast-open, mptcp, simultaneous-open."),
};

const struct record_table record_flows = {
    .kind = RECORD_FLOW, .table = "flows", .json_type = "flow",
    .sentence = "One row per TCP connection, UDP conversation or other pair of hosts.",
    .record_size = sizeof(struct flow_record), TABLE_OF(flow_columns)};

#undef RECORD
#define RECORD flow_tcp_record
/* A fact of each side. */
#define SIDE(a_member, a_unit, a_flags, a_sentence)                                                \
    COL_AS("client_" #a_member, side[SIDE_CLIENT].a_member, a_unit, a_flags,                       \
           "Client: " a_sentence),                                                                 \
    COL_AS("server_" #a_member, side[SIDE_SERVER].a_member, a_unit, a_flags,                       \
           "Server: " a_sentence)

static const struct column flow_tcp_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(syn_count, "count", 0, "SYN packets seen, the first included."),
    COL(synack_count, "count", 0, "SYN-ACK packets seen, the first included."),
    COL(syn_first_traits, "", 0,
        "What the first SYN carried, bits: 1 ECN, 2 fast open, 4 data, 8 MPTCP, 16 no timestamps, "
        "32 no window scale, 64 no SACK, 128 another option, 256 a DiffServ code point."),
    COL(syn_answered_traits, "", 0,
        "The same of the last SYN before an answer, or of the last one when none came."),
    COL(syn_first_tries, "count", 0,
        "SYN packets before an answer that carried what the first one did."),
    COL(syn_to_mac, "", 0,
        "Hardware address that the first packet went to, where ARP or NDP was seen before and the server "
        "was not heard."),
    COL(syn_last_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Time of the last SYN, ns since 1970 UTC."),
    COL(synack_first_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time of the first SYN-ACK, ns since 1970 UTC."),
    COL(synack_last_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time of the last SYN-ACK, ns since 1970 UTC."),
    COL(established_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time of the first packet that acknowledges the SYN-ACK, ns since 1970 UTC; NULL never."),
    COL(synack_conflict, "bool", 0, "1: two SYN-ACKs carried different sequence numbers."),
    COL_AS("synack_gap_ns", synack_pair.gap_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
           "Between the first two SYN-ACKs of different sequence numbers."),
    COL_AS("synack_source_id", synack_pair.source_id, "", COLUMN_ZERO_IS_NULL,
           "The source that holds these two."),
    COL_AS("synack_first_frame", synack_pair.first_frame, "", COLUMN_ZERO_IS_NULL,
           "Frame number of the first of these two."),
    COL_AS("synack_other_frame", synack_pair.other_frame, "", COLUMN_ZERO_IS_NULL,
           "Frame number of the second of these two."),
    COL_AS("synack_syns", synack_pair.syns, "count", 0, "SYNs seen before the second of these two."),
    COL_AS("synack_first_ttl", synack_pair.first_ttl, "", COLUMN_ZERO_IS_NULL,
           "TTL or hop limit of the first of these two."),
    COL_AS("synack_other_ttl", synack_pair.other_ttl, "", COLUMN_ZERO_IS_NULL,
           "TTL or hop limit of the second of these two."),
    COL_AS("synack_shape_differs", synack_pair.shape_differs, "bool", 0,
           "1: TCP options, their values or the window of these two differ."),
    COL_AS("synack_mac_differs", synack_pair.mac_differs, "bool", 0,
           "1: these two came from different hardware addresses."),
    COL_AS("synack_answers_same", synack_pair.answers_same, "bool", 0,
           "1: these two acknowledge the same SYN."),
    COL_AS("conflict_source_id", conflict.source_id, "", COLUMN_ZERO_IS_NULL,
           "The source that holds the first two segments with different bytes for one place."),
    COL_AS("conflict_first_frame", conflict.first_frame, "", COLUMN_ZERO_IS_NULL,
           "Frame number of the first of these two."),
    COL_AS("conflict_other_frame", conflict.other_frame, "", COLUMN_ZERO_IS_NULL,
           "Frame number of the second of these two."),
    COL_AS("conflict_first_ns", conflict.first_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
           "Time of the first of these two, ns since 1970 UTC."),
    COL_AS("conflict_gap_ns", conflict.gap_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
           "Between these two."),
    COL_AS("conflict_first_ttl", conflict.first_ttl, "", COLUMN_ZERO_IS_NULL,
           "TTL or hop limit of the first of these two."),
    COL_AS("conflict_other_ttl", conflict.other_ttl, "", COLUMN_ZERO_IS_NULL,
           "TTL or hop limit of the second of these two."),
    {.name = "conflict_side", .type = COLUMN_NAMED, COLUMN_WHERE(conflict.side), .unit = "",
     .names = column_sides, .sentence = "Side whose address these two carry; NULL none."},
    COL(rst_to_syn, "bool", 0, "1: the server's first word was a RST that acknowledges the SYN."),
    COL(old_timestamp, "bool", 0,
        "1: the SYN's TCP timestamp lay below earlier ones of that address to this server."),
    COL(challenge_ack, "bool", 0, "1: the SYN was answered by an ACK that does not fit it."),
    COL(longest_idle_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Longest pause that the flow survived."),
    COL(idle_before_tail_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Pause before the packet that was reset or never answered."),
    COL(wait_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From the last request byte to the end of the flow while a request was open."),
    COL(tail_tries, "count", 0, "Packets sent after that pause without any answer."),
    SIDE(segments, "count", 0, "segments with payload, first transmissions only."),
    SIDE(retransmitted_bytes, "bytes", 0, "payload bytes sent again."),
    SIDE(recovered_losses, "count", 0,
         "retransmitted segments that were needed and later acknowledged."),
    SIDE(spurious_retransmissions, "count", 0,
         "retransmissions of data that had already been acknowledged."),
    SIDE(fast_retransmissions, "count", 0,
         "retransmissions that answered repeated or selective acknowledgements."),
    SIDE(timeout_retransmissions, "count", 0,
         "retransmissions by the timer, the rest of the same recovery included."),
    SIDE(tail_probes, "count", 0,
         "last segments sent again before the timer (tail loss probes, RFC 8985)."),
    SIDE(needless_retransmissions, "count", 0,
         "retransmissions whose bytes the receiver had already, as it told (DSACK, RFC 2883)."),
    SIDE(filling_retransmissions, "count", 0,
         "retransmissions whose first copy never passed here, or passed damaged: lost before the tap."),
    SIDE(wrong_checksums, "count", 0,
         "segments whose checksum, or that of their IP header, is wrong and not left to the interface."),
    SIDE(damaged_losses, "count", 0,
         "of the filling retransmissions, those whose first copy came by with a wrong checksum."),
    SIDE(window_probes, "count", 0, "probes it sent into a closed receive window."),
    SIDE(window_full, "count", 0, "segments that used the last byte of the peer's window."),
    SIDE(conflicting_segments, "count", 0,
         "segments sent again with other bytes than before for the same place."),
    SIDE(reordered_segments, "count", 0, "segments that arrived late, out of order."),
    SIDE(disordered_segments, "count", 0,
         "of these, those captured behind their acknowledgment: the capture's own disorder."),
    SIDE(duplicate_acks, "count", 0, "duplicate acknowledgements sent by this side."),
    SIDE(stamp_refusals, "count", 0,
         "acknowledgements of the peer that take nothing and echo a newer timestamp than its segments carry "
         "(RFC 7323 5.3)."),
    SIDE(stamp_back, "", 0,
         "ticks by which its timestamps had gone back at the first of those."),
    SIDE(keepalives, "count", 0, "TCP keep-alive probes sent by this side."),
    SIDE(silent_probes, "count", 0,
         "its last probes (keep-alive, closed window) to which nothing came back."),
    SIDE(silent_probe_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "time of the first of those, ns since 1970 UTC; NULL none."),
    SIDE(zero_windows, "count", 0, "packets announcing a receive window of 0."),
    SIDE(zero_window_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "total time its window stayed 0 while the peer had data waiting."),
    SIDE(capture_gap_bytes, "bytes", 0,
         "bytes it sent that the peer acknowledged and the capture missed."),
    SIDE(wire_gap_bytes, "bytes", 0,
         "bytes it must have sent that were neither seen nor acknowledged: lost on the way."),
    SIDE(unacked_bytes, "bytes", 0, "bytes sent and not acknowledged at the end of the flow."),
    SIDE(tail_retransmissions, "count", 0,
         "times the oldest unacknowledged bytes were sent again at the end, without progress."),
    SIDE(tail_first_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "when those bytes were first sent, ns since 1970 UTC; NULL none."),
    SIDE(tail_last_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "when those bytes were last sent, ns since 1970 UTC."),
    SIDE(last_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "time of its last packet, ns since 1970 UTC."),
    SIDE(last_payload_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "time of its last packet with payload, ns since 1970 UTC."),
    SIDE(fin_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "time of its first FIN, ns since 1970 UTC."),
    SIDE(rst_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "time of its first RST, ns since 1970 UTC."),
    SIDE(rst_frame, "", COLUMN_ZERO_IS_NULL, "frame number of its first RST within its source."),
    SIDE(rst_ttl, "", COLUMN_ZERO_IS_NULL, "IP TTL or hop limit of its first RST."),
    SIDE(rst_with_ack, "bool", 0, "1: its first RST had the ACK flag."),
    SIDE(rst_with_payload, "bool", 0, "1: its first RST carried payload."),
    SIDE(rst_count, "count", 0, "RST packets with this side's address as source."),
    SIDE(rst_sequence_offset, "bytes", 0,
         "sequence number of its first RST less the next one expected of this side."),
    SIDE(rst_delay_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
         "from the last packet of the other side to its first RST."),
    SIDE(rst_ack_changed, "bool", 0,
         "1: several RSTs differ in their sequence or acknowledgement number."),
    SIDE(data_after_rst, "bool", 0,
         "1: later packets, not reordered ones, go on at or above the RST's sequence number, or send "
         "again what came before it."),
    SIDE(ttl_min, "", COLUMN_ZERO_IS_NULL, "smallest IP TTL or hop limit, resets left out."),
    SIDE(ttl_max, "", COLUMN_ZERO_IS_NULL, "greatest IP TTL or hop limit, resets left out."),
    SIDE(mss, "bytes", COLUMN_ZERO_IS_NULL, "maximum segment size it announced; NULL none."),
    SIDE(window_scale, "", COLUMN_NEGATIVE_IS_NULL, "window scale it announced; NULL none."),
    SIDE(largest_delivered, "bytes", COLUMN_ZERO_IS_NULL,
         "IP packet length of its largest acknowledged segment."),
    SIDE(smallest_lost, "bytes", COLUMN_ZERO_IS_NULL,
         "IP packet length of the segment that never got through at the end."),
    SIDE(shrunk_from, "bytes", COLUMN_ZERO_IS_NULL,
         "IP packet length of a segment that was lost again and again while smaller ones arrived."),
    SIDE(shrunk_to, "bytes", COLUMN_ZERO_IS_NULL,
         "IP packet length in which the same bytes then got through."),
    SIDE(dont_fragment, "bool", 0, "1: its packets forbid fragmentation (DF)."),
    SIDE(unseen_echo, "bool", 0,
         "1: the peer's last packet echoes a later timestamp than any captured of this side: the capture misses some of "
         "its packets."),
    SIDE(options, "", 0, "TCP options of its SYN in order, as p0f writes them, cut at 23 letters."),
};

const struct record_table record_flow_tcp = {
    .kind = RECORD_FLOW_TCP, .table = "flow_tcp", .json_type = "flow_tcp",
    .sentence = "What happened inside a TCP connection; only connections where something did.",
    .record_size = sizeof(struct flow_tcp_record), TABLE_OF(flow_tcp_columns)};

#undef RECORD
#define RECORD flow_event_record
static const struct column flow_event_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The flow that the event belongs to."),
    COL(number, "", COLUMN_KEY, "Order of the kept events, from 0."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source that holds the frame."),
    COL(frame, "", 0, "Frame number within the source, from 1."),
    COL(time_ns, "ns", 0, "Time of the packet, ns since 1970 UTC."),
    NAMED(side, column_sides, 0, "Side that sent the packet; NULL for a third party (ICMP)."),
    NAMED(note, column_notes, 0,
          "Why it was sent again: fast, timeout, tail-probe, spurious, unclear; or window-probe, "
          "window-full. Of a gap: lost-by-capture, unresolved."),
    NAMED(reason, column_reasons, 0,
          "What shows that it came again or late: original-seen (lost behind the capture point, if at "
          "all), fills-hole (lost or damaged before it), acknowledged, partly-acknowledged, spans-new, "
          "other-bytes, ip-id; timestamp where TCP timestamps prove it."),
    COL(confidence, "percent", COLUMN_ZERO_IS_NULL, "How sure that is; NULL not rated."),
    NAMED(kind, column_events, 0, "What the packet is: syn, synack, ack, data, fin, rst ..."),
    COL(sequence, "bytes", 0, "TCP sequence number relative to the side's first, as Wireshark prints."),
    COL(length, "bytes", 0, "Payload bytes of the packet."),
};

const struct record_table record_flow_events = {
    .kind = RECORD_FLOW_EVENT, .table = "flow_events", .json_type = "flow_event",
    .sentence = "The first 16 and last 48 events of connections that failed or drew attention; between "
                "them the first two of each remarkable kind (zero window, retransmission, gap ...).",
    .record_size = sizeof(struct flow_event_record), TABLE_OF(flow_event_columns)};
