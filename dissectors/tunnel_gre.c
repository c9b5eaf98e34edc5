/* GRE and what vendors put into it: mirrored frames (ERSPAN), redirected packets (WCCP). */
#include "dissectors/tunnel.h"

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_ACKNOWLEDGMENT 0x0080 /* version 1 only */
#define GRE_VERSION 0x0007
#define GRE_ERSPAN_III 0x22eb
#define GRE_WCCP 0x883e
#define GRE_ERSPAN 0x88be /* types I and II */

/* ERSPAN (draft-foschiano-erspan 4). Type I has no header of its own and no sequence number in GRE.
 * Type II: version 1, VLAN, class, session (10 bits), index. Type III: version 2, the same until
 * the session, timestamp, group tag, then frame type, clock and whether 8 bytes more follow. */
static enum walk_next open_erspan(struct walk *w, struct cursor rest, uint16_t protocol,
                                  bool sequence, struct tunnel_found *out)
{
    struct tunnel_found found = {.name = "erspan"};
    uint16_t ethertype = ETHERTYPE_TRANSPARENT_ETHERNET;
    bool third = protocol == GRE_ERSPAN_III;
    if (third || sequence) {
        uint16_t version_vlan = cur_u16(&rest);
        found.id = cur_u16(&rest) & 0x03ff;
        cur_skip(&rest, third ? 6 : 4);
        uint16_t type = third ? cur_u16(&rest) : 0;
        uint16_t frame = type >> 10 & 0x1f;
        cur_skip(&rest, (type & 1) != 0 ? 8 : 0);
        if (!cur_ok(&rest) || version_vlan >> 12 != (third ? 2 : 1) || (frame != 0 && frame != 2)) {
            return WALK_DONE;
        }
        if (frame == 2) {
            ethertype = tunnel_ip_version(rest, tunnel_left(w, rest)) == 6 ? ETHERTYPE_IPV6
                                                                           : ETHERTYPE_IPV4;
        }
    }
    enum walk_next next = tunnel_enter(w, rest, ethertype);
    if (next != WALK_DONE) {
        *out = found;
    }
    return next;
}

/* WCCP (draft-mclaggan-wccp-v2rev1 3.12): the packet, behind four bytes of service and bucket in
 * version 2. Those begin with two reserved bits that are zero, an IPv4 header does not. */
static enum walk_next open_wccp(struct walk *w, struct cursor rest)
{
    if (tunnel_ip_version(rest, tunnel_left(w, rest)) == 0) {
        cur_skip(&rest, 4);
    }
    bool six = tunnel_ip_version(rest, tunnel_left(w, rest)) == 6;
    return tunnel_enter(w, rest, six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
}

/* What stands behind the header, by its version and protocol. */
static enum walk_next gre_inside(struct walk *w, struct cursor rest, uint16_t flags,
                                 uint16_t protocol, struct tunnel_found *out)
{
    bool pptp = (flags & GRE_VERSION) == 1;
    switch (protocol) {
    case ETHERTYPE_PPP: /* RFC 2637 4.1 */
        w->bytes = rest;
        return WALK_PPP;
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
        if (pptp) { /* not by that RFC, yet clouds do it */
            return tunnel_enter(w, rest, protocol);
        }
        w->bytes = rest;
        return walk_network(w, protocol);
    case ETHERTYPE_CISCO_METADATA:
    case ETHERTYPE_MPLS_UPSTREAM:
        w->bytes = rest;
        return walk_network(w, protocol);
    case GRE_ERSPAN:
    case GRE_ERSPAN_III:
        return open_erspan(w, rest, protocol, (flags & GRE_SEQUENCE) != 0, out);
    case GRE_WCCP:
        return open_wccp(w, rest);
    default:
        return pptp ? WALK_DONE : tunnel_enter(w, rest, protocol);
    }
}

/* GRE (RFC 2784, RFC 2890; version 1 is PPTP's): flags and version, protocol, then what the flags
 * announce: checksum and reserved, key, sequence, acknowledgment. */
enum walk_next tunnel_open_gre(struct walk *w, struct tunnel_found *out)
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
    /* PPTP: payload length, call id. */
    out->id = version == 1 && protocol == ETHERTYPE_PPP ? key & 0xffff : key;
    return gre_inside(w, rest, flags, protocol, out);
}
