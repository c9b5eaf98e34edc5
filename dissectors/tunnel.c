/* Tunnels: which kinds there are, and what all of them share. One function and one row each. */
#include "dissectors/tunnel.h"

struct tunnel_kind {
    uint16_t number; /* IP protocol, EtherType or UDP port */
    bool both_ways;  /* UDP: also by the source port */
    const char *name;
    enum walk_next (*open)(struct walk *w, struct tunnel_found *out);
};

uint8_t tunnel_ip_version(struct cursor rest, size_t left)
{
    uint8_t first = cur_u8(&rest);
    cur_skip(&rest, 1);
    size_t total = cur_u16(&rest);
    size_t header_len = (size_t)(first & 0x0f) * 4;
    if (first >> 4 == 4) { /* total 0: segmentation offload */
        bool fits = total == 0 || (total >= header_len && total <= left);
        return cur_ok(&rest) && header_len >= 20 && fits ? 4 : 0;
    }
    size_t payload = cur_u16(&rest);
    return cur_ok(&rest) && first >> 4 == 6 && payload + 40 <= left ? 6 : 0;
}

bool tunnel_is_frame(struct cursor rest)
{
    cur_skip(&rest, 12);
    switch (cur_u16(&rest)) {
    case ETHERTYPE_IPV4:
        return cur_left(&rest) == 0 || cur_u8(&rest) >> 4 == 4;
    case ETHERTYPE_IPV6:
        return cur_left(&rest) == 0 || cur_u8(&rest) >> 4 == 6;
    case ETHERTYPE_ARP:
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
    case ETHERTYPE_MPLS:
    case ETHERTYPE_PPPOE_SESSION:
        return true;
    default:
        return false;
    }
}

enum walk_next tunnel_enter(struct walk *w, struct cursor rest, uint16_t ethertype)
{
    uint8_t version = tunnel_ip_version(rest, tunnel_left(w, rest));
    switch (ethertype) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
        if (version != (ethertype == ETHERTYPE_IPV4 ? 4 : 6)) {
            return WALK_DONE;
        }
        break;
    case ETHERTYPE_TRANSPARENT_ETHERNET:
        w->bytes = rest;
        return WALK_ETHERNET;
    case ETHERTYPE_MPLS:
    case ETHERTYPE_NSH:
        break;
    default:
        return WALK_DONE;
    }
    w->bytes = rest;
    return walk_network(w, ethertype);
}

uint16_t tunnel_next_protocol(uint8_t number)
{
    static const uint16_t ethertypes[] = {0,
                                          ETHERTYPE_IPV4,
                                          ETHERTYPE_IPV6,
                                          ETHERTYPE_TRANSPARENT_ETHERNET,
                                          ETHERTYPE_NSH,
                                          ETHERTYPE_MPLS};
    return number < sizeof(ethertypes) / sizeof(ethertypes[0]) ? ethertypes[number] : 0;
}

static enum walk_next open_ipv4(struct walk *w, struct tunnel_found *out)
{
    (void)out;
    return walk_network(w, ETHERTYPE_IPV4);
}

static enum walk_next open_ipv6(struct walk *w, struct tunnel_found *out)
{
    (void)out;
    return walk_network(w, ETHERTYPE_IPV6);
}

/* EtherIP (RFC 3378 3): version 3 and twelve zero bits. */
static enum walk_next open_etherip(struct walk *w, struct tunnel_found *out)
{
    (void)out;
    struct cursor rest = w->bytes;
    return cur_u16(&rest) == 0x3000 ? tunnel_enter(w, rest, ETHERTYPE_TRANSPARENT_ETHERNET)
                                    : WALK_DONE;
}

static const struct tunnel_kind tunnel_protocols[] = {
    {IP_PROTOCOL_IPIP, false, "ipip", open_ipv4}, /* RFC 2003, RFC 2473 */
    {IP_PROTOCOL_IPV6, false, "ipip", open_ipv6}, /* RFC 4213, RFC 2473 */
    {IP_PROTOCOL_GRE, false, "gre", tunnel_open_gre},
    {IP_PROTOCOL_ETHERIP, false, "etherip", open_etherip},
    {IP_PROTOCOL_MPLS, false, "mpls", tunnel_open_mpls}, /* RFC 4023 */
};

static const struct tunnel_kind tunnel_ethertypes[] = {
    {ETHERTYPE_MPLS, false, "mpls", tunnel_open_mpls},
    {ETHERTYPE_MPLS_UPSTREAM, false, "mpls", tunnel_open_mpls},
    {ETHERTYPE_NSH, false, "nsh", tunnel_open_nsh},
    {ETHERTYPE_CISCO_METADATA, false, "cmd", tunnel_open_cisco_metadata},
};

/* A port may as well be the one that somebody's UDP socket drew: these functions ask the bytes. */
static const struct tunnel_kind tunnel_ports[] = {
    {4789, false, "vxlan", tunnel_open_vxlan},
    {4790, false, "vxlan-gpe", tunnel_open_vxlan_gpe},
    {8472, false, "vxlan", tunnel_open_vxlan_linux},
    {6081, false, "geneve", tunnel_open_geneve},
    {2152, true, "gtp", tunnel_open_gtp},
    {1701, true, "l2tp", tunnel_open_l2tp},
    {6635, false, "mpls", tunnel_open_mpls}, /* RFC 7510 */
};

/* What is inside names the packet from here on. */
static enum walk_next enter(struct walk *w, const struct tunnel_kind *kind)
{
    struct layers *out = w->out;
    struct tunnel_found found = {.name = kind->name};
    if (out->tunnel_depth == LIMIT_TUNNEL_DEPTH) {
        w->decoder->counters.tunnel_limit++;
        return WALK_DONE;
    }
    enum walk_next next = kind->open(w, &found);
    if (next == WALK_DONE) {
        return WALK_DONE;
    }
    if (out->tunnel_depth == 0) {
        out->tunnel = found.name;
        out->tunnel_id = found.id;
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

enum walk_next tunnel_by_ethertype(struct walk *w)
{
    for (size_t i = 0; i < sizeof(tunnel_ethertypes) / sizeof(tunnel_ethertypes[0]); i++) {
        if (tunnel_ethertypes[i].number == w->out->ethertype) {
            return enter(w, &tunnel_ethertypes[i]);
        }
    }
    return WALK_DONE;
}

enum walk_next tunnel_by_port(struct walk *w)
{
    for (size_t i = 0; i < sizeof(tunnel_ports) / sizeof(tunnel_ports[0]); i++) {
        const struct tunnel_kind *kind = &tunnel_ports[i];
        if (kind->number == w->out->dst_port ||
            (kind->both_ways && kind->number == w->out->src_port)) {
            return enter(w, kind);
        }
    }
    return WALK_DONE;
}
