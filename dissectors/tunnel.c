/* Tunnels: one function and one row each. */
#include "dissectors/decode_walk.h"

/* A kind of tunnel. `open` moves past the tunnel's own header to the packet inside and returns what
 * that is; WALK_DONE, the walk as it was, when the bytes are no such tunnel or carry what we do not
 * read. It may fill *id. */
struct tunnel_kind {
    uint16_t number; /* IP protocol or UDP destination port */
    const char *name;
    enum walk_next (*open)(struct walk *w, uint32_t *id);
};

static enum walk_next open_ipv4(struct walk *w, uint32_t *id)
{
    (void)id;
    w->out->ethertype = ETHERTYPE_IPV4;
    return WALK_NETWORK;
}

static enum walk_next open_ipv6(struct walk *w, uint32_t *id)
{
    (void)id;
    w->out->ethertype = ETHERTYPE_IPV6;
    return WALK_NETWORK;
}

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_ACKNOWLEDGMENT 0x0080 /* version 1 only */
#define GRE_VERSION 0x0007

/* What a GRE packet carries by its protocol; WALK_DONE when we do not read that. */
static enum walk_next gre_inside(struct walk *w, uint16_t version, uint16_t protocol)
{
    if (version == 1) { /* RFC 2637 4.1: PPP and nothing else */
        return protocol == ETHERTYPE_PPP ? WALK_PPP : WALK_DONE;
    }
    switch (protocol) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
        w->out->ethertype = protocol;
        return WALK_NETWORK;
    case ETHERTYPE_TRANSPARENT_ETHERNET:
        return WALK_ETHERNET;
    case ETHERTYPE_PPP:
        return WALK_PPP;
    default:
        return WALK_DONE;
    }
}

/* GRE (RFC 2784, RFC 2890; version 1 is PPTP's): flags and version, protocol, then what the flags
 * announce: checksum and reserved, key, sequence, acknowledgment. */
static enum walk_next open_gre(struct walk *w, uint32_t *id)
{
    struct cursor rest = w->bytes;
    uint16_t flags = cur_u16(&rest);
    uint16_t protocol = cur_u16(&rest);
    uint16_t version = flags & GRE_VERSION;
    if (version > 1 || (flags & GRE_ROUTING) != 0) { /* RFC 2784 2.3: discard routing */
        return WALK_DONE;
    }
    if ((flags & GRE_CHECKSUM) != 0) {
        cur_skip(&rest, 4);
    }
    uint32_t key = (flags & GRE_KEY) != 0 ? cur_u32(&rest) : 0;
    if ((flags & GRE_SEQUENCE) != 0) {
        cur_skip(&rest, 4);
    }
    if (version == 1 && (flags & GRE_ACKNOWLEDGMENT) != 0) {
        cur_skip(&rest, 4);
    }
    if (!cur_ok(&rest) || cur_left(&rest) == 0) { /* an acknowledgment or keep-alive alone */
        return WALK_DONE;
    }
    enum walk_next next = gre_inside(w, version, protocol);
    if (next != WALK_DONE) {
        w->bytes = rest;
        *id = version == 1 ? key & 0xffff : key; /* PPTP: payload length, call id */
    }
    return next;
}

/* Whether the frame that `rest` begins with holds a network protocol that we read. */
static bool is_frame_we_read(struct cursor rest)
{
    cur_skip(&rest, 12);
    switch (cur_u16(&rest)) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
    case ETHERTYPE_ARP:
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
        return true;
    default:
        return false;
    }
}

/* VXLAN (RFC 7348 5): flags, reserved (3), VNI (3), reserved (1). The port may as well be the one
 * that somebody's UDP socket drew. Reserved fields are zero, yet to be ignored when they are not:
 * then the frame inside must convince. */
static enum walk_next open_vxlan(struct walk *w, uint32_t *id)
{
    struct cursor rest = w->bytes;
    uint8_t flags = cur_u8(&rest);
    uint32_t reserved = cur_u24(&rest);
    uint32_t vni = cur_u24(&rest);
    reserved |= cur_u8(&rest);
    if (!cur_ok(&rest) || (flags & 0x08) == 0 || walk_left(w) < 8 + 14) {
        return WALK_DONE;
    }
    if ((flags != 0x08 || reserved != 0) && !is_frame_we_read(rest)) {
        return WALK_DONE;
    }
    w->bytes = rest;
    *id = vni;
    return WALK_ETHERNET;
}

static const struct tunnel_kind tunnel_protocols[] = {
    {IP_PROTOCOL_IPIP, "ipip", open_ipv4}, /* RFC 2003, RFC 2473 */
    {IP_PROTOCOL_IPV6, "ipip", open_ipv6}, /* RFC 4213, RFC 2473 */
    {IP_PROTOCOL_GRE, "gre", open_gre},
};

static const struct tunnel_kind tunnel_ports[] = {
    {4789, "vxlan", open_vxlan},
};

/* What is inside names the packet from here on. */
static enum walk_next enter(struct walk *w, const struct tunnel_kind *kind)
{
    struct layers *out = w->out;
    uint32_t id = 0;
    if (out->tunnel_depth == LIMIT_TUNNEL_DEPTH) {
        w->decoder->counters.tunnel_limit++;
        return WALK_DONE;
    }
    enum walk_next next = kind->open(w, &id);
    if (next == WALK_DONE) {
        return WALK_DONE;
    }
    if (out->tunnel_depth == 0) {
        out->tunnel = kind->name;
        out->tunnel_id = id;
    }
    out->tunnel_depth++;
    out->kind = LAYER_UNKNOWN;
    out->src_port = 0;
    out->dst_port = 0;
    out->payload = NULL;
    out->payload_len = 0;
    out->payload_caplen = 0;
    out->checksum = CHECKSUM_UNCHECKED;
    w->tags = 0;
    w->extensions = 0;
    w->reassembled = false;
    w->rerouted = false;
    return next;
}

enum walk_next tunnel_by_protocol(struct walk *w)
{
    for (size_t i = 0; i < sizeof(tunnel_protocols) / sizeof(tunnel_protocols[0]); i++) {
        if (tunnel_protocols[i].number == w->out->ip_protocol) {
            return enter(w, &tunnel_protocols[i]);
        }
    }
    return WALK_DONE;
}

enum walk_next tunnel_by_port(struct walk *w)
{
    for (size_t i = 0; i < sizeof(tunnel_ports) / sizeof(tunnel_ports[0]); i++) {
        if (tunnel_ports[i].number == w->out->dst_port) {
            return enter(w, &tunnel_ports[i]);
        }
    }
    return WALK_DONE;
}
