/* The way of one packet through its headers; shared by decode.c and the files of its layers only.
 *
 * Each layer function reads its header from walk.bytes, writes what it says into walk.out, moves
 * past it and returns what comes next; decode_packet loops until WALK_DONE, so that no nesting on
 * the wire becomes recursion here. A header that does not fit ends the walk through walk_peek: cut
 * by the snap length the packet keeps the kind it has, contradicting itself it becomes
 * LAYER_MALFORMED. */
#ifndef INVCAP_DISSECTORS_DECODE_WALK_H
#define INVCAP_DISSECTORS_DECODE_WALK_H

#include "core/bytes.h"
#include "core/hints.h"
#include "core/limits.h"
#include "dissectors/checksum.h"
#include "dissectors/decode.h"
#include "dissectors/fragments.h"

#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_TRANSPARENT_ETHERNET 0x6558
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_PPPOE_SESSION 0x8864
#define ETHERTYPE_PPP 0x880b
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_UPSTREAM 0x8848 /* RFC 5332; multicast before */
#define ETHERTYPE_CISCO_METADATA 0x8909
#define ETHERTYPE_VN_TAG 0x8926
#define ETHERTYPE_E_TAG 0x893f
#define ETHERTYPE_NSH 0x894f

#define IP_PROTOCOL_HOP_BY_HOP 0
#define IP_PROTOCOL_ICMP 1
#define IP_PROTOCOL_IPIP 4
#define IP_PROTOCOL_TCP 6
#define IP_PROTOCOL_UDP 17
#define IP_PROTOCOL_IPV6 41
#define IP_PROTOCOL_ROUTING 43
#define IP_PROTOCOL_FRAGMENT 44
#define IP_PROTOCOL_GRE 47
#define IP_PROTOCOL_AH 51
#define IP_PROTOCOL_ICMPV6 58
#define IP_PROTOCOL_NONE 59 /* no next header */
#define IP_PROTOCOL_DESTINATION 60
#define IP_PROTOCOL_ETHERIP 97
#define IP_PROTOCOL_SCTP 132
#define IP_PROTOCOL_MOBILITY 135
#define IP_PROTOCOL_MPLS 137
#define IP_PROTOCOL_HIP 139
#define IP_PROTOCOL_SHIM6 140

/* What the bytes that are left begin with. */
enum walk_next {
    WALK_DONE,
    WALK_ETHERNET,
    WALK_NETWORK,  /* the protocol out->ethertype */
    WALK_PPP,      /* a PPP protocol number (RFC 1661) */
    WALK_TRANSPORT /* the protocol out->ip_protocol */
};

struct decoder {
    struct decode_counters counters;
    struct fragment_table *fragments;
    bool verify_checksums;
};

struct walk {
    struct cursor bytes; /* present bytes of the current layer, what is inside it included */
    uint32_t missing;    /* bytes of the current layer behind them, lost to the snap length */
    uint8_t tags;        /* VLAN and bridge tags since the last tunnel */
    uint8_t extensions;  /* extension headers since the last tunnel */
    bool reassembled;    /* the current IP packet was put together from pieces */
    bool rerouted;       /* a routing header: dst is not what the checksum covers */
    bool cut;            /* a header was cut by the snap length */
    struct decoder *decoder;
    const struct packet *packet;
    struct layers *out;
};

/* ---- moving ------------------------------------------------------------------------------------
 */

/* Bytes of the current layer that are left by its own length, present or not. */
static inline size_t walk_left(const struct walk *w)
{
    return cur_left(&w->bytes) + w->missing;
}

/* Ends the walk at a header of len bytes that does not fit. */
void walk_short(struct walk *w, size_t len);
/* Ends the walk at a header that contradicts itself. */
enum walk_next walk_malformed(struct walk *w);

/* Opens a window on the next len bytes without moving; false: the walk has ended. */
static inline bool walk_peek(struct walk *w, size_t len, struct cursor *out)
{
    if (cur_left(&w->bytes) < len) {
        walk_short(w, len);
        return false;
    }
    *out = cur_of(w->bytes.at, len);
    return true;
}

/* Moves past len bytes; false: the walk has ended. */
static inline bool walk_skip(struct walk *w, size_t len)
{
    if (cur_left(&w->bytes) < len) {
        walk_short(w, len);
        return false;
    }
    cur_skip(&w->bytes, len);
    return true;
}

/* Cuts the current layer at len bytes from here. A length beyond the bytes that the link carried is
 * treated like a snap length, as other tools do: captures cut without a trace are common. */
static inline void walk_limit(struct walk *w, size_t len)
{
    size_t present = cur_left(&w->bytes);
    if (len <= present) {
        w->bytes.end = w->bytes.at + len;
        w->missing = 0;
    } else {
        w->missing = (uint32_t)(len - present);
    }
}

/* What comes next is the network protocol `ethertype`. */
static inline enum walk_next walk_network(struct walk *w, uint16_t ethertype)
{
    w->out->ethertype = ethertype;
    return WALK_NETWORK;
}

static inline void walk_read_v4(struct cursor *c, struct address *out)
{
    const uint8_t *at = cur_take(c, 4);
    memset(out->bytes, 0, sizeof(out->bytes));
    if (at != NULL) {
        memcpy(out->bytes, at, 4);
    }
    out->family = 4;
}

static inline void walk_read_v6(struct cursor *c, struct address *out)
{
    const uint8_t *at = cur_take(c, 16);
    if (at != NULL) {
        memcpy(out->bytes, at, 16);
    } else {
        memset(out->bytes, 0, sizeof(out->bytes));
    }
    out->family = 6;
}

/* ---- layers ------------------------------------------------------------------------------------
 */

/* link.c */
enum walk_next link_open(struct walk *w); /* by the packet's link type */
enum walk_next link_ethernet(struct walk *w);
APART
enum walk_next link_vlan(struct walk *w);
enum walk_next link_llc(struct walk *w);
/* Tags of bridges that stand where a VLAN tag would, by out->ethertype. */
APART
enum walk_next link_bridge_tag(struct walk *w);

/* link_serial.c: the link_open_* are whole link types */
enum walk_next link_pppoe(struct walk *w);
APART
enum walk_next link_ppp(struct walk *w);
enum walk_next link_open_ppp(struct walk *w);
enum walk_next link_open_ppp_direction(struct walk *w);
enum walk_next link_open_chdlc(struct walk *w);
enum walk_next link_open_frame_relay(struct walk *w);

/* link_wifi.c */
enum walk_next link_open_wifi(struct walk *w);
enum walk_next link_open_radiotap(struct walk *w);

/* ipv4.c, ipv6.c */
enum walk_next ipv4_walk(struct walk *w);
APART
enum walk_next ipv6_walk(struct walk *w);
/* Authentication header (RFC 4302), of either version. */
enum walk_next ip_authentication(struct walk *w);
/* Whether `protocol` is an IPv6 extension header that another header follows; the fragment header
 * included. */
bool ipv6_is_extension(uint8_t protocol);
/* Whole length of the extension header `protocol` from its second byte. */
size_t ipv6_extension_len(uint8_t protocol, uint8_t length_field);

/* transport.c */
enum walk_next transport_walk(struct walk *w);
/* Checksum of the rest of the walk, from the transport header on, with the field's value `field`;
 * CHECKSUM_UNCHECKED when not asked for or not all bytes are there. */
enum checksum_state transport_check(const struct walk *w, uint16_t field, bool pseudo_header);

/* tcp_options.c: reads a window cut to the options; `cut`: more of them were lost to the snap
 * length. Fills every member of *out from options_bad on. */
void tcp_options_read(struct cursor *options, bool cut, struct tcp_header *out);

/* icmp.c */
enum walk_next icmp_walk(struct walk *w);

/* neighbor.c */
RARE
enum walk_next neighbor_arp(struct walk *w);
/* message: the ICMPv6 message from its type on; called for types 135 and 136. */
void neighbor_discovery(struct cursor message, struct layers *out);

/* tunnel.c: WALK_DONE when the packet is no tunnel that we know; *out is then as it was. */
APART
enum walk_next tunnel_by_protocol(struct walk *w);
APART
enum walk_next tunnel_by_port(struct walk *w);
APART
enum walk_next tunnel_by_ethertype(struct walk *w);

#endif
