/* Link layers: one function a LINKTYPE (tcpdump.org/linktypes.html), one row in link_kinds. */
#include "dissectors/decode_walk.h"

#define LINK_NULL 0
#define LINK_ETHERNET 1
#define LINK_PPP 9
#define LINK_RAW_BSD 12
#define LINK_RAW_OPENBSD 14
#define LINK_PPP_SERIAL 50
#define LINK_PPPOE 51
#define LINK_RAW 101
#define LINK_CHDLC 104
#define LINK_WIFI 105
#define LINK_FRAME_RELAY 107
#define LINK_LOOP 108
#define LINK_SLL 113
#define LINK_RADIOTAP 127
#define LINK_ARCNET_LINUX 129
#define LINK_PPP_DIRECTION 204
#define LINK_IPV4 228
#define LINK_IPV6 229
#define LINK_NFLOG 239
#define LINK_SLL2 276

#define ETHERNET_HEADER_LEN 14
#define LENGTH_MAX 1500 /* an EtherType up to here is the length of an LLC frame (802.3) */
#define ARPHRD_ETHERNET 1
#define ARPHRD_NETLINK 824
#define ARCNET_SPLIT_IPV4 0xd4 /* RFC 1201 */
#define ARCNET_SPLIT_ARP 0xd5
#define ARCNET_IPV4 0xf0 /* RFC 1051 */
#define ARCNET_ARP 0xf1
#define NFLOG_PAYLOAD 9

/* IEEE 802.2: SNAP with an EtherType (RFC 1042), or the SAP of IP (RFC 948). */
enum walk_next link_llc(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 3, &head)) {
        return WALK_DONE;
    }
    uint16_t saps = cur_u16(&head);
    uint8_t control = cur_u8(&head);
    if (control != 0x03) {
        return WALK_DONE;
    }
    if (saps == 0x0606) {
        return walk_skip(w, 3) ? walk_network(w, ETHERTYPE_IPV4) : WALK_DONE;
    }
    if (saps != 0xaaaa || !walk_peek(w, 8, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, 3);
    uint32_t organization = cur_u24(&head);
    uint16_t ethertype = cur_u16(&head);
    /* 00-00-00 is RFC 1042, 00-00-f8 is 802.1H bridging of the same. */
    if ((organization != 0 && organization != 0xf8) || ethertype <= LENGTH_MAX) {
        return WALK_DONE;
    }
    return walk_skip(w, 8) ? walk_network(w, ethertype) : WALK_DONE;
}

static enum walk_next ethertype_or_length(struct walk *w, uint16_t value)
{
    if (value > LENGTH_MAX) {
        return walk_network(w, value);
    }
    if (value < walk_left(w)) {
        walk_limit(w, value);
    }
    w->out->ethertype = 0;
    return link_llc(w);
}

enum walk_next link_ethernet(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, ETHERNET_HEADER_LEN, &head)) {
        return WALK_DONE;
    }
    const uint8_t *macs = cur_take(&head, 12);
    if (macs == NULL) {
        return WALK_DONE;
    }
    if (out->tunnel_depth == 0) {
        out->has_mac = true;
        memcpy(out->dst_mac, macs, 6);
        memcpy(out->src_mac, macs + 6, 6);
    } else {
        out->inner_mac_depth = out->tunnel_depth;
        memcpy(out->inner_src_mac, macs + 6, 6);
        memcpy(out->inner_dst_mac, macs, 6);
    }
    uint16_t ethertype = cur_u16(&head);
    cur_skip(&w->bytes, ETHERNET_HEADER_LEN);
    return ethertype_or_length(w, ethertype);
}

/* IEEE 802.1Q: tag control, then the next EtherType. */
enum walk_next link_vlan(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (w->tags == LIMIT_VLAN_TAGS || !walk_peek(w, 4, &head)) {
        return WALK_DONE;
    }
    int32_t id = cur_u16(&head) & 0x0fff;
    uint16_t ethertype = cur_u16(&head);
    if (out->tunnel_depth == 0) {
        if (w->tags == 0) {
            out->vlan = id;
        } else if (w->tags == 1) {
            out->inner_vlan = id;
        }
    }
    w->tags++;
    cur_skip(&w->bytes, 4);
    return ethertype_or_length(w, ethertype);
}

/* IEEE 802.1BR 7.5.2 (E-Tag): priority and ingress id, group and id, two extensions; VN-Tag, its
 * forerunner: flags and ids in four bytes. Then the next EtherType. Ports of a bridge, no network.
 */
enum walk_next link_bridge_tag(struct walk *w)
{
    size_t len = w->out->ethertype == ETHERTYPE_E_TAG ? 6 : 4;
    struct cursor head;
    if (w->tags == LIMIT_VLAN_TAGS || !walk_peek(w, len + 2, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, len);
    uint16_t ethertype = cur_u16(&head);
    w->tags++;
    cur_skip(&w->bytes, len + 2);
    return ethertype_or_length(w, ethertype);
}

/* The address family of BSD and macOS, Windows, Linux. */
static enum walk_next family_is(struct walk *w, uint32_t family)
{
    cur_skip(&w->bytes, 4);
    switch (family) {
    case 2:
        return walk_network(w, ETHERTYPE_IPV4);
    case 10:
    case 23:
    case 24:
    case 28:
    case 30:
        return walk_network(w, ETHERTYPE_IPV6);
    default:
        return WALK_DONE;
    }
}

/* The family is in the byte order of the machine that captured; no family needs the high half. */
static enum walk_next open_null(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 4, &head)) {
        return WALK_DONE;
    }
    struct cursor again = head;
    uint32_t family = cur_u32(&head);
    return family_is(w, family > 0xffff ? cur_u32le(&again) : family);
}

static enum walk_next open_loop(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 4, &head)) {
        return WALK_DONE;
    }
    return family_is(w, cur_u32(&head));
}

static enum walk_next open_raw(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 1, &head)) {
        return WALK_DONE;
    }
    switch (cur_u8(&head) >> 4) {
    case 4:
        return walk_network(w, ETHERTYPE_IPV4);
    case 6:
        return walk_network(w, ETHERTYPE_IPV6);
    default:
        return WALK_DONE;
    }
}

static enum walk_next open_ipv4(struct walk *w)
{
    return walk_network(w, ETHERTYPE_IPV4);
}

static enum walk_next open_ipv6(struct walk *w)
{
    return walk_network(w, ETHERTYPE_IPV6);
}

/* What both "cooked" headers of Linux say. There is one address only, the sender's. */
static enum walk_next cooked(struct walk *w, uint16_t type, uint16_t arphrd, uint16_t address_len,
                             struct cursor address, uint16_t protocol)
{
    struct layers *out = w->out;
    if (type != 3) { /* 3: from another host to another host, seen in promiscuous mode */
        out->has_direction = true;
        out->outgoing = type == 4;
    }
    if (arphrd == ARPHRD_ETHERNET && address_len == 6) {
        out->has_mac = true;
        memcpy(out->src_mac, cur_take(&address, 6), 6);
    }
    if (arphrd == ARPHRD_NETLINK) {
        return WALK_DONE;
    }
    if (protocol == 4) { /* LINUX_SLL_P_802_2 */
        return link_llc(w);
    }
    return walk_network(w, protocol);
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static enum walk_next open_sll(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 16, &head)) {
        return WALK_DONE;
    }
    uint16_t type = cur_u16(&head);
    uint16_t arphrd = cur_u16(&head);
    uint16_t address_len = cur_u16(&head);
    struct cursor address = cur_cut(&head, 8);
    uint16_t protocol = cur_u16(&head);
    cur_skip(&w->bytes, 16);
    return cooked(w, type, arphrd, address_len, address, protocol);
}

/* LINKTYPE_LINUX_SLL2: protocol, reserved, interface (4), ARPHRD, packet type (1), address length
 * (1), address (8). */
static enum walk_next open_sll2(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 20, &head)) {
        return WALK_DONE;
    }
    uint16_t protocol = cur_u16(&head);
    cur_skip(&head, 6);
    uint16_t arphrd = cur_u16(&head);
    uint16_t type = cur_u8(&head);
    uint16_t address_len = cur_u8(&head);
    struct cursor address = cur_cut(&head, 8);
    cur_skip(&w->bytes, 20);
    return cooked(w, type, arphrd, address_len, address, protocol);
}

/* LINKTYPE_ARCNET_LINUX: source, destination, offset (2), protocol; RFC 1201 adds split flag and
 * sequence (2). A split packet is not put together. */
static enum walk_next open_arcnet_linux(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 5, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, 4);
    uint8_t protocol = cur_u8(&head);
    bool splits = protocol == ARCNET_SPLIT_IPV4 || protocol == ARCNET_SPLIT_ARP;
    if (!splits && protocol != ARCNET_IPV4 && protocol != ARCNET_ARP) {
        return WALK_DONE;
    }
    if (splits) {
        if (!walk_peek(w, 8, &head)) {
            return WALK_DONE;
        }
        cur_skip(&head, 5);
        if (cur_u8(&head) != 0) {
            return WALK_DONE;
        }
    }
    cur_skip(&w->bytes, splits ? 8 : 5);
    bool arp = protocol == ARCNET_SPLIT_ARP || protocol == ARCNET_ARP;
    return walk_network(w, arp ? ETHERTYPE_ARP : ETHERTYPE_IPV4);
}

/* LINKTYPE_NFLOG: family, version, resource id (2), then attributes: length with these four bytes,
 * type, value, padding to four bytes. Their byte order is the capturing machine's; a type is never
 * zero and never above 255. */
static enum walk_next open_nflog(struct walk *w)
{
    if (!walk_skip(w, 4)) {
        return WALK_DONE;
    }
    for (;;) {
        struct cursor head;
        if (!walk_peek(w, 4, &head)) {
            return WALK_DONE;
        }
        bool big = head.at[2] == 0 && head.at[3] != 0;
        size_t len = big ? cur_u16(&head) : cur_u16le(&head);
        uint16_t type = big ? cur_u16(&head) : cur_u16le(&head);
        if (len < 4) {
            return walk_malformed(w);
        }
        if ((type & 0x7fff) == NFLOG_PAYLOAD) {
            cur_skip(&w->bytes, 4);
            walk_limit(w, len - 4);
            return open_raw(w);
        }
        if (!walk_skip(w, (len + 3) / 4 * 4)) {
            return WALK_DONE;
        }
    }
}

static const struct link_kind {
    uint16_t type;
    enum walk_next (*open)(struct walk *w);
} link_kinds[] = {
    {LINK_ETHERNET, link_ethernet},
    {LINK_SLL, open_sll},
    {LINK_SLL2, open_sll2},
    {LINK_NULL, open_null},
    {LINK_LOOP, open_loop},
    {LINK_RAW, open_raw},
    {LINK_RAW_BSD, open_raw},
    {LINK_RAW_OPENBSD, open_raw},
    {LINK_IPV4, open_ipv4},
    {LINK_IPV6, open_ipv6},
    {LINK_PPP, link_open_ppp},
    {LINK_PPP_SERIAL, link_open_ppp},
    {LINK_PPP_DIRECTION, link_open_ppp_direction},
    {LINK_PPPOE, link_pppoe},
    {LINK_CHDLC, link_open_chdlc},
    {LINK_FRAME_RELAY, link_open_frame_relay},
    {LINK_WIFI, link_open_wifi},
    {LINK_RADIOTAP, link_open_radiotap},
    {LINK_ARCNET_LINUX, open_arcnet_linux},
    {LINK_NFLOG, open_nflog},
};

static const struct link_kind *link_find(uint16_t type)
{
    for (size_t i = 0; i < sizeof(link_kinds) / sizeof(link_kinds[0]); i++) {
        if (link_kinds[i].type == type) {
            return &link_kinds[i];
        }
    }
    return NULL;
}

enum walk_next link_open(struct walk *w)
{
    if (w->packet->link_type == LINK_ETHERNET) { /* no indirect call for most packets */
        return link_ethernet(w);
    }
    const struct link_kind *kind = link_find(w->packet->link_type);
    return kind != NULL ? kind->open(w) : WALK_DONE;
}

bool decode_link_known(uint16_t link_type)
{
    return link_find(link_type) != NULL;
}
