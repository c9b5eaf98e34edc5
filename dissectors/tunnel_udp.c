/* Tunnels in UDP. The port is a hint; reserved bits, lengths and the packet inside decide. */
#include "dissectors/tunnel.h"

#define EXTENSIONS_MAX 8
#define GTP_VERSION_1 0x30 /* version 1, not GTP' */
#define GTP_EXTENSION 0x04
#define GTP_OPTIONAL 0x07 /* extension, sequence, N-PDU number: four bytes for any of them */
#define GTP_G_PDU 255
#define L2TP_LENGTH 0x4000
#define L2TP_SEQUENCE 0x0800
#define L2TP_OFFSET 0x0200
#define L2TP_DATA_MASK 0xb4ff /* control bit, reserved bits, version: 2 for data */

/* Reserved fields of VXLAN are zero, yet to be ignored when they are not: then, or when `doubtful`,
 * the frame inside must convince. RFC 7348 5: flags, reserved (3), VNI (3), reserved (1). */
static enum walk_next open_vxlan(struct walk *w, bool doubtful, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint8_t flags = cur_u8(&rest);
    uint32_t reserved = cur_u24(&rest);
    uint32_t vni = cur_u24(&rest);
    reserved |= cur_u8(&rest);
    if (!cur_ok(&rest) || (flags & 0x08) == 0 || walk_left(w) < 8 + 14) {
        return WALK_DONE;
    }
    if ((doubtful || flags != 0x08 || reserved != 0) && !tunnel_is_frame(rest)) {
        return WALK_DONE;
    }
    out->id = vni;
    return tunnel_enter(w, rest, ETHERTYPE_TRANSPARENT_ETHERNET);
}

enum walk_next tunnel_open_vxlan(struct walk *w, struct tunnel_found *out)
{
    return open_vxlan(w, false, out);
}

/* Linux took its port before there was one; it belongs to others now. */
enum walk_next tunnel_open_vxlan_linux(struct walk *w, struct tunnel_found *out)
{
    return open_vxlan(w, true, out);
}

/* draft-ietf-nvo3-vxlan-gpe 3: flags (version 2 bits, instance, next protocol, ...), reserved (2),
 * next protocol, VNI (3), reserved. Without the flag "next protocol" it is VXLAN. */
enum walk_next tunnel_open_vxlan_gpe(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint8_t flags = cur_u8(&rest);
    uint16_t reserved = cur_u16(&rest);
    uint8_t next = cur_u8(&rest);
    uint32_t vni = cur_u24(&rest);
    reserved |= cur_u8(&rest);
    if (!cur_ok(&rest) || (flags & 0xf0) != 0 || reserved != 0) {
        return WALK_DONE;
    }
    if ((flags & 0x04) == 0) {
        return open_vxlan(w, true, out);
    }
    uint16_t ethertype = tunnel_next_protocol(next);
    if (ethertype == ETHERTYPE_TRANSPARENT_ETHERNET && !tunnel_is_frame(rest)) {
        return WALK_DONE;
    }
    out->id = vni;
    return tunnel_enter(w, rest, ethertype);
}

/* Whether options (RFC 8926 3.5: class, type, length in words of 4 bytes) fill their room. */
static bool geneve_options_fit(struct cursor options)
{
    while (cur_left(&options) > 0) {
        cur_skip(&options, 3);
        uint8_t len = cur_u8(&options) & 0x1f;
        cur_skip(&options, (size_t)len * 4);
    }
    return cur_ok(&options);
}

/* GENEVE (RFC 8926 3.4): version (2 bits), length of options in words, control and critical bits,
 * EtherType, VNI (3), reserved. A critical option stops an endpoint that does not know it, not an
 * observer: the packet inside stands where it stands. */
enum walk_next tunnel_open_geneve(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint8_t version_len = cur_u8(&rest);
    uint8_t flags = cur_u8(&rest);
    uint16_t ethertype = cur_u16(&rest);
    uint32_t vni = cur_u24(&rest);
    uint8_t reserved = (uint8_t)(cur_u8(&rest) | (flags & 0x3f));
    struct cursor options = cur_cut(&rest, (size_t)(version_len & 0x3f) * 4);
    if (!cur_ok(&rest) || version_len >> 6 != 0 || !geneve_options_fit(options)) {
        return WALK_DONE;
    }
    bool ethernet = ethertype == ETHERTYPE_TRANSPARENT_ETHERNET;
    if (ethernet && (tunnel_left(w, rest) < 14 || (reserved != 0 && !tunnel_is_frame(rest)))) {
        return WALK_DONE;
    }
    out->id = vni;
    return tunnel_enter(w, rest, ethertype);
}

/* Moves past extension headers (3GPP TS 29.281 5.2): length in words of 4 bytes, content, next
 * type. */
static bool gtp_extensions_skip(struct cursor *rest, uint8_t type)
{
    for (size_t i = 0; type != 0 && i < EXTENSIONS_MAX; i++) {
        size_t len = (size_t)cur_u8(rest) * 4;
        if (len == 0) {
            return false;
        }
        cur_skip(rest, len - 2);
        type = cur_u8(rest);
    }
    return type == 0 && cur_ok(rest);
}

/* GTP-U (3GPP TS 29.281 5.1): version and flags, type, length behind the first 8 bytes, tunnel id,
 * then, when any flag is set, sequence (2), N-PDU number, type of the first extension header. */
enum walk_next tunnel_open_gtp(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint8_t flags = cur_u8(&rest);
    uint8_t type = cur_u8(&rest);
    size_t len = cur_u16(&rest);
    uint32_t id = cur_u32(&rest);
    if (!cur_ok(&rest) || (flags & 0xf0) != GTP_VERSION_1 || type != GTP_G_PDU ||
        len > tunnel_left(w, rest)) {
        return WALK_DONE;
    }
    if ((flags & GTP_OPTIONAL) != 0) {
        cur_skip(&rest, 3);
        uint8_t next = cur_u8(&rest);
        if (!gtp_extensions_skip(&rest, (flags & GTP_EXTENSION) != 0 ? next : 0)) {
            return WALK_DONE;
        }
    }
    bool six = tunnel_ip_version(rest, tunnel_left(w, rest)) == 6;
    out->id = id;
    return tunnel_enter(w, rest, six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
}

/* Whether `rest` begins with PPP that carries IP: address and control, which most keep, or the
 * protocol at once. */
static bool is_ppp_ip(struct cursor rest)
{
    uint16_t protocol = cur_u16(&rest);
    if (protocol == 0xff03) {
        protocol = cur_u16(&rest);
    }
    uint8_t version = cur_u8(&rest) >> 4;
    return (protocol == 0x0021 && version == 4) || (protocol == 0x0057 && version == 6);
}

/* L2TP data (RFC 2661 3.1): flags and version, length, tunnel, session, sequence numbers (4),
 * offset size and padding; length, numbers and offset as the flags tell. */
enum walk_next tunnel_open_l2tp(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint16_t flags = cur_u16(&rest);
    size_t len = (flags & L2TP_LENGTH) != 0 ? cur_u16(&rest) : walk_left(w);
    uint32_t id = cur_u32(&rest);
    cur_skip(&rest, (flags & L2TP_SEQUENCE) != 0 ? 4 : 0);
    cur_skip(&rest, (flags & L2TP_OFFSET) != 0 ? cur_u16(&rest) : 0);
    if (!cur_ok(&rest) || (flags & L2TP_DATA_MASK) != 2 || len > walk_left(w) || !is_ppp_ip(rest)) {
        return WALK_DONE;
    }
    out->id = id;
    w->bytes = rest;
    return WALK_PPP;
}
