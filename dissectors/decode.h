/* Packet bytes -> layers: link, network, transport headers. Borrowed pointers into the packet (or
 * into the reassembly memory of the decoder for fragmented datagrams, valid until the next decode).
 * No allocation per packet; only fragments keep state. */
#ifndef INVCAP_DISSECTORS_DECODE_H
#define INVCAP_DISSECTORS_DECODE_H

#include "core/address.h"
#include "core/hints.h"
#include "core/packet.h"

#include <stdbool.h>
#include <stdint.h>

enum layer_kind {
    LAYER_UNKNOWN,   /* link or network protocol that we do not decode */
    LAYER_ARP,
    LAYER_TCP,
    LAYER_UDP,
    LAYER_ICMP,      /* ICMP and ICMPv6, NDP included (see ndp) */
    LAYER_OTHER_IP,  /* another IP protocol: SCTP, ESP, OSPF ... */
    LAYER_FRAGMENT,  /* a piece; its datagram is not complete yet */
    LAYER_MALFORMED  /* a header contradicts itself or is cut by its own length */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

struct tcp_header { /* RFC 9293 3.1 */
    uint32_t sequence, acknowledgment;
    uint16_t window;          /* as on the wire, unscaled */
    uint16_t flags;           /* TCP_*, AE in bit 8 */
    uint8_t header_len;
    bool options_bad;         /* option lengths do not fit: what came before is kept */
    uint16_t mss;             /* 0 none */
    int8_t window_scale;      /* -1 none */
    bool sack_permitted;
    bool has_timestamp;
    uint32_t timestamp_value, timestamp_echo;
    uint8_t sack_count;
    uint32_t sack[8];         /* left, right pairs */
    uint8_t fast_open;        /* 0 none, 1 request, 2 cookie */
    uint8_t mptcp_subtype;    /* subtype + 1, 0 none */
    uint8_t option_kinds[16]; /* in order, NOPs included, EOL last */
    uint8_t option_count;
};

/* The packet quoted inside an ICMP error. */
struct quoted_packet {
    bool present;
    uint8_t protocol, ttl;
    struct address src, dst;
    uint16_t src_port, dst_port;
    uint32_t sequence;        /* TCP */
    bool has_flags;
    uint16_t flags;           /* TCP, when >= 14 bytes were quoted */
    uint16_t ip_id;
};

struct icmp_header {
    uint8_t type, code;
    bool is_error;            /* v4 3,4,5,11,12; v6 1-4 */
    uint16_t id, sequence;    /* echo */
    uint32_t mtu;             /* 3/4, Packet Too Big */
    struct quoted_packet quoted;
};

/* ARP (RFC 826) and the part of NDP (RFC 4861) that says the same things. */
struct neighbor_message {
    bool present;
    bool is_request;          /* ARP request, Neighbor Solicitation */
    bool ndp;
    struct address sender_ip, target_ip;
    uint8_t sender_mac[6];    /* option of NDP; zero when absent */
    bool sender_mac_known;
    bool duplicate_probe;     /* sender_ip unspecified */
    bool gratuitous;
    bool in_place_of;         /* NDP: not to override what is known: of anycast, a proxy (RFC 4861 7.2.7, 7.2.8) */
};

enum checksum_state {
    CHECKSUM_UNCHECKED,
    CHECKSUM_GOOD,
    CHECKSUM_BAD,
    CHECKSUM_PARTIAL /* left to the interface (offload): no fault */
};

/* Every member is set for every packet, to zero (vlan -1, tunnel "") where it does not apply, with
 * three exceptions: tcp is valid only for LAYER_TCP (arrays up to their counts), icmp only for
 * LAYER_ICMP, the rest of neighbor only when it is present. A packet whose headers are cut by the
 * snap length keeps the kind it had until then (a TCP header of less than 20 bytes: LAYER_OTHER_IP,
 * with the ports if they are there); TCP options that are cut leave LAYER_TCP. */
struct layers {
    enum layer_kind kind;
    /* link (the outermost one) */
    bool has_mac;             /* cooked captures have the sender's only: dst_mac zero */
    uint8_t src_mac[6], dst_mac[6];
    int32_t vlan;             /* outermost tag's id, -1 none */
    int32_t inner_vlan;       /* -1 none */
    bool has_direction;       /* SLL, SLL2, pcapng flags */
    bool outgoing;
    uint16_t ethertype;       /* of the network layer */
    /* innermost network */
    uint8_t ip_version;       /* 4, 6, 0 none */
    struct address src, dst;
    uint8_t ttl;              /* or hop limit */
    uint8_t ip_protocol;      /* transport */
    uint8_t dscp_ecn;
    uint16_t ip_id;           /* IPv4 */
    bool dont_fragment;
    bool was_fragmented;      /* reassembled */
    uint32_t ip_len;          /* whole IP packet by its header; by the wire when that says 0 */
    /* tunnel */
    const char *tunnel;       /* "" none, "gre", "vxlan", "ipip" ...: outermost kind, static text */
    uint32_t tunnel_id;       /* VNI, GRE key */
    uint8_t tunnel_depth;
    uint8_t inner_mac_depth;  /* tunnel_depth of the innermost Ethernet header, 0 none in a tunnel */
    uint8_t inner_src_mac[6], inner_dst_mac[6];
    /* transport */
    uint16_t src_port, dst_port; /* TCP, UDP, SCTP; ICMP: as Community ID maps type and code */
    struct tcp_header tcp;
    struct icmp_header icmp;
    struct neighbor_message neighbor;
    const uint8_t *payload;   /* of TCP/UDP/a piece: present bytes */
    uint32_t payload_len;     /* by the headers (never link padding) */
    uint32_t payload_caplen;  /* present, <= payload_len */
    uint16_t payload_sum;     /* TCP: ones' complement sum of the payload, with has_payload_sum */
    bool has_payload_sum;     /* the checksum was verified and is not bad */
    enum checksum_state checksum; /* transport; IPv4 header: ip_checksum */
    enum checksum_state ip_checksum;
    const uint8_t *network;   /* innermost IP header, for nDPI; network_caplen bytes present */
    uint32_t network_caplen;
};

struct decode_counters {
    uint64_t unknown, malformed, fragments, fragments_dropped, fragment_overlaps, fragment_timeouts,
        reassembled, truncated, tunnel_limit;
};

struct decoder;

/* verify_checksums: transport checksums are computed only when asked, they touch all bytes. */
struct decoder *decoder_new(bool verify_checksums);
void decoder_free(struct decoder *decoder);
/* Fills *out for the packet. Never fails; the kind tells. */
PER_PACKET
void decode_packet(struct decoder *decoder, const struct packet *packet, struct layers *out);
const struct decode_counters *decoder_counters(const struct decoder *decoder);
/* Whether a link type is known at all, for a clear message at the file's start. */
bool decode_link_known(uint16_t link_type);

#endif
