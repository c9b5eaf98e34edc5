/* Columns of captures, sources, icmp_errors and arp_bindings. */
#include "core/columns.h"

#define RECORD capture_record
/* By Wireshark's definitions, copies included: to compare the two programs. */
#define WIRESHARK(a_member, a_filter)                                                              \
    COL_AS("wireshark_" #a_member, wireshark.a_member, "count", 0,                                 \
           "Packets that Wireshark shows for the filter " a_filter ".")
static const struct column capture_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the read, from 1."),
    COL(name, "", 0, "What the user named on the command line, joined by commas."),
    COL(version, "", 0, "Version of invcap that made the rows."),
    COL(profile, "", 0, "Name of the site profile used."),
    COL(salt, "", COLUMN_NOT_JSON, "Random salt of this read for hashes of secrets, hex."),
    COL(first_ns, "ns", 0, "Time of the first packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Time of the last packet, ns since 1970 UTC."),
    COL(packets, "count", 0, "Packets read."),
    COL(bytes, "bytes", 0, "Bytes of these packets on the wire."),
    COL(tcp_connections, "count", 0, "TCP connections."),
    COL(udp_flows, "count", 0, "UDP conversations."),
    COL(other_flows, "count", 0, "Conversations of other protocols."),
    COL(truncated_packets, "count", 0, "Packets cut by the snap length."),
    COL(duplicate_packets, "count", 0, "Copies made by a mirror port; left out of all counts below."),
    COL(routed_packets, "count", 0, "Copies seen before and after a router; left out."),
    COL(routed_delay_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Median time between the two copies at the router; NULL none."),
    COL(late_packets, "count", 0,
        "Packets 3 to 20 s behind the end of a connection that no side can have missed: kept by the network for long; "
        "they belong to no flow."),
    COL(oversize_segments, "count", 0, "Segments above the MTU, made by the host's offload."),
    COL(bad_checksums, "count", 0, "Packets whose checksum is wrong and not explained by offload."),
    COL(offload_checksums, "count", 0, "Packets whose checksum was left to the network card."),
    COL(backward_times, "count", 0, "Packets more than 1 ms older than the one before."),
    COL(largest_backward_ns, "ns", 0, "Largest step back in time between neighbours."),
    COL(time_jumps, "count", 0,
        "Steps of more than an hour with traffic on both sides, unless the TCP timestamps of a host show that the time "
        "passed; and forward steps of a second or more that those of two hosts show."),
    COL(jump_from_ns, "ns", COLUMN_ZERO_IS_NULL,
        "Last packet before the widest of these jumps forward, ns since 1970 UTC."),
    COL(jump_to_ns, "ns", COLUMN_ZERO_IS_NULL, "First packet behind it, ns since 1970 UTC."),
    COL(back_from_ns, "ns", COLUMN_ZERO_IS_NULL,
        "Latest time before the widest step back of a second or more, ns since 1970 UTC."),
    COL(back_to_ns, "ns", COLUMN_ZERO_IS_NULL, "Time that it went back to, ns since 1970 UTC."),
    COL(pauses, "", 0,
        "The 16 longest pauses of a second or more without any packet: when each began, ns since 1970 UTC, + its length in "
        "ms, separated by commas."),
    COL(disordered_segments, "count", 0,
        "TCP segments captured behind their own acknowledgment: receive queues out of step."),
    COL(undecoded_packets, "count", 0, "Packets whose link or network header is not known."),
    COL(malformed_packets, "count", 0, "Packets whose headers contradict themselves."),
    COL(fragments, "count", 0, "IP fragments."),
    COL(fragments_dropped, "count", 0, "Fragments that never became a whole packet."),
    COL(fragment_overlaps, "count", 0, "Fragments refused because they overlap others."),
    COL(tls_keyed, "count", 0, "TLS sessions that key logs were tried on; 0 without any."),
    COL(tls_decrypted, "count", 0, "TLS sessions of them that were read, at least in part."),
    COL(tls_unsupported, "count", 0,
        "TLS sessions of them that are of a kind that is not decrypted: DTLS, QUIC, suites that OpenSSL lacks."),
    COL(gaps, "count", 0, "Holes in TCP streams that the capture made."),
    COL(gap_bytes, "bytes", 0, "Bytes in these holes: acknowledged, yet never captured."),
    COL(acked_segments, "count", 0, "Segments whose acknowledgement was seen: what gaps compare to."),
    COL(one_sided_flows, "count", 0, "TCP connections seen in one direction only."),
    COL(two_sided_flows, "count", 0, "TCP connections seen in both directions."),
    COL(midstream_flows, "count", 0, "TCP connections that were open when the capture began."),
    COL(evicted_flows, "count", 0, "Flows closed early at the memory ceiling."),
    COL(limit_streams, "count", 0, "Streams given up at a limit."),
    COL(limit_bytes, "bytes", 0, "Bytes not looked at because of a limit."),
    COL(limit_paths, "count", 0, "Flows between addresses whose path was not described any more."),
    COL(counted_flows, "count", 0,
        "Attempts that led to nothing, of floods and scans, counted together in swarms: no rows of flows."),
    COL(icmp_packets, "count", 0, "ICMP and ICMPv6 packets."),
    COL(arp_packets, "count", 0, "ARP packets and neighbour discovery."),
    COL(dns_packets, "count", 0, "Packets of port 53."),
    WIRESHARK(retransmission, "tcp.analysis.retransmission, fast and spurious ones included"),
    WIRESHARK(fast_retransmission, "tcp.analysis.fast_retransmission"),
    WIRESHARK(spurious_retransmission, "tcp.analysis.spurious_retransmission"),
    WIRESHARK(out_of_order, "tcp.analysis.out_of_order"),
    WIRESHARK(duplicate_ack, "tcp.analysis.duplicate_ack"),
    WIRESHARK(zero_window, "tcp.analysis.zero_window"),
    WIRESHARK(window_full, "tcp.analysis.window_full"),
    WIRESHARK(keep_alive, "tcp.analysis.keep_alive"),
    WIRESHARK(lost_segment, "tcp.analysis.lost_segment"),
    WIRESHARK(ack_lost_segment, "tcp.analysis.ack_lost_segment"),
    WIRESHARK(reset, "tcp.flags.reset"),
    COL(interrupted, "bool", 0,
        "1: the read did not come to its end, or is still running; what is here is not all."),
    COL(cut, "bool", 0, "1: a source ends in the middle of a packet."),
    COL(live, "bool", 0, "1: captured from an interface, not read from a file."),
    COL(filter, "", 0, "Capture filter, where it is known."),
};

const struct record_table record_captures = {
    .kind = RECORD_CAPTURE, .table = "captures", .json_type = "capture",
    .sentence = "One row per read: what was read and how good the capture is.",
    .record_size = sizeof(struct capture_record), TABLE_OF(capture_columns)};

#undef RECORD
#define RECORD source_record
static const struct column source_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the source, from 1."),
    REF(capture_id, "captures(id)", 0, "The read that it belongs to."),
    COL(path, "", 0, "Path as the user named it, - for standard input, or the interface."),
    COL(size, "bytes", COLUMN_NEGATIVE_IS_NULL, "Size of the file as it lies there; NULL unknown."),
    COL(sha256_head, "", 0, "SHA-256 of the first 64 KiB, hex; NULL for streams."),
    COL(sha256_tail, "", 0, "SHA-256 of the last 64 KiB, hex; NULL for streams."),
    COL(format, "", 0, "pcap, pcapng or live, with its compression: pcap+gzip."),
    COL(link_types, "", 0, "Link types (LINKTYPE_ numbers of tcpdump.org), comma separated."),
    COL(interfaces, "", 0, "Names of the capture interfaces, comma separated."),
    COL(comment, "", 0, "Comment of the file's section header."),
    COL(snaplen, "bytes", COLUMN_ZERO_IS_NULL, "Snap length: most bytes kept of a packet."),
    COL(packets, "count", 0, "Packets read from it."),
    COL(bytes, "bytes", 0, "Bytes of these packets on the wire."),
    COL(captured_bytes, "bytes", 0, "Bytes of these packets that were kept."),
    COL(first_ns, "ns", 0, "Time of its first packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Time of its last packet, ns since 1970 UTC."),
    COL(dropped_kernel, "count", COLUMN_NEGATIVE_IS_NULL,
        "Packets that the capturing program was too slow for; NULL not told."),
    COL(dropped_interface, "count", COLUMN_NEGATIVE_IS_NULL,
        "Packets that the network card dropped; NULL not told."),
    COL(cut, "bool", 0, "1: the file ends in the middle of a packet or is damaged there."),
    COL(cut_reason, "", 0, "Where and why it was cut."),
    COL(cut_offset, "bytes", 0, "Offset of the cut in the uncompressed stream; 0 when whole."),
};

const struct record_table record_sources = {
    .kind = RECORD_SOURCE, .table = "sources", .json_type = "source",
    .sentence = "One row per file, stream or interface that packets came from.",
    .record_size = sizeof(struct source_record), TABLE_OF(source_columns)};

#undef RECORD
#define RECORD icmp_record
static const struct column icmp_columns[] = {
    REF(capture_id, "captures(id)", 0, "The read that saw it."),
    REF(source_id, "sources(id)", COLUMN_KEY, "The source that holds the packet."),
    COL(frame, "", COLUMN_KEY, "Frame number within the source, from 1."),
    COL(time_ns, "ns", 0, "Time of the packet, ns since 1970 UTC."),
    COL(router_ip, "", 0, "Address that sent the error."),
    COL(client_ip, "", 0, "Source of the quoted packet."),
    COL(server_ip, "", 0, "Destination of the quoted packet."),
    COL(client_port, "", 0, "Source port of the quoted packet."),
    COL(server_port, "", 0, "Destination port of the quoted packet."),
    COL(protocol, "", 0, "IANA number of the quoted transport protocol."),
    COL(family, "", 0, "4 for ICMP, 6 for ICMPv6."),
    COL_AS("icmp_type", type, "", 0, "ICMP type; named so because JSON has its own type."),
    COL_AS("icmp_code", code, "", 0, "ICMP code: the kind of error within the type."),
    COL(mtu, "bytes", COLUMN_ZERO_IS_NULL, "MTU that the router names; NULL for other errors."),
    COL(ttl, "", COLUMN_ZERO_IS_NULL, "TTL or hop limit of the ICMP packet."),
    REF(flow_id, "flows(id)", COLUMN_ZERO_IS_NULL, "The flow it is about; NULL none of the read."),
    NAMED(quoted_side, column_sides, 0, "Side of the flow that sent the quoted packet."),
    COL(quotes_syn, "bool", 0, "1: the quoted packet is a SYN."),
    COL(sequence_fits, "bool", 0, "1: the flow did send the quoted sequence number (RFC 5927 4)."),
    COL(quoted_ttl, "", COLUMN_ZERO_IS_NULL, "TTL or hop limit of the quoted packet."),
};

const struct record_table record_icmp = {
    .kind = RECORD_ICMP, .table = "icmp_errors", .json_type = "icmp",
    .sentence = "One row per ICMP or ICMPv6 error: who refused which packet.",
    .record_size = sizeof(struct icmp_record), TABLE_OF(icmp_columns)};

#undef RECORD
#define RECORD arp_record
static const struct column arp_columns[] = {
    REF(capture_id, "captures(id)", 0, "The read that saw it."),
    REF(source_id, "sources(id)", COLUMN_ZERO_IS_NULL, "The source of the first packet."),
    COL(first_frame, "", 0, "Frame number of the first packet."),
    COL(last_frame, "", 0, "Frame number of the last packet."),
    COL(first_ns, "ns", 0, "Time of the first packet, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Time of the last packet, ns since 1970 UTC."),
    COL(is_request, "bool", 0, "1: somebody asks for the address; 0: somebody claims to own it."),
    COL(ndp, "bool", 0, "1: IPv6 neighbour discovery; 0: ARP."),
    COL(ip, "", 0, "Address asked for or claimed."),
    COL(requester_ip, "", 0, "Address that asks; NULL for claims."),
    COL(mac, "", 0, "Hardware address of the requester or of the owner."),
    COL(vlan, "", COLUMN_NEGATIVE_IS_NULL, "VLAN id, in an overlay its network's id; NULL without either."),
    COL(requests, "count", 0, "How often it was asked for."),
    COL(replies, "count", 0, "Answers to this requester."),
    COL(claims, "count", 0, "Replies and gratuitous announcements of this owner."),
    COL(frames, "count", 0, "Other frames sent by this hardware address from the address."),
    COL(last_frame_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Time of the last of these, ns since 1970 UTC."),
    COL(unasked, "count", 0, "Claims that were told to one host which had not asked."),
    COL(told_ip, "", 0, "The last host that was told so."),
    COL(asked_own, "count", 0, "How often the owner asked for the address itself, and claimed it again."),
    COL(announced_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "When the owner last told everybody, ns since 1970 UTC."),
    COL(mac_last_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Time of the owner's last IP frame from any address, ns since 1970 UTC."),
    COL(disputed, "count", 0,
        "Claims told to who had been told of another hardware address a moment before: a second answer to one question, "
        "or an announcement contradicted."),
    COL(told, "count", 0, "Answers for the address told to this requester alone."),
    COL(requester_frames, "count", 0, "Other unicast frames of the requester in the capture."),
    COL(target_seen, "bool", 0, "1: the address asked for sent at least one frame meanwhile."),
};

const struct record_table record_arp = {
    .kind = RECORD_ARP, .table = "arp_bindings", .json_type = "arp",
    .sentence = "Who asked for which address (ARP, NDP), and who claims to own it.",
    .record_size = sizeof(struct arp_record), TABLE_OF(arp_columns)};
