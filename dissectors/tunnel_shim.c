/* Headers between link and network: MPLS labels, service chains, Cisco's group tags. */
#include "dissectors/tunnel.h"

#define MPLS_BOTTOM 0x00000100u
#define MPLS_LABELS_MAX 16 /* hardware pushes up to a dozen */

/* A frame in a pseudowire, behind a control word (RFC 4448 4.6: four zero bits, flags, sequence) or
 * without it. The label alone tells the routers which; here the frame must convince. */
static enum walk_next pseudowire(struct walk *w, struct cursor rest)
{
    struct cursor word = rest;
    bool zero = cur_u8(&word) >> 4 == 0;
    cur_skip(&word, 3);
    if (zero && tunnel_is_frame(word)) {
        return tunnel_enter(w, word, ETHERTYPE_TRANSPARENT_ETHERNET);
    }
    return tunnel_is_frame(rest) ? tunnel_enter(w, rest, ETHERTYPE_TRANSPARENT_ETHERNET)
                                 : WALK_DONE;
}

/* A MAC address may begin like IPv4: where the rest looks like a frame, the header's checksum
 * decides. */
static bool is_frame_after_all(struct cursor rest)
{
    size_t header_len = (size_t)(*rest.at & 0x0f) * 4;
    return tunnel_is_frame(rest) && cur_left(&rest) >= header_len &&
           checksum_sum(rest.at, header_len) != 0xffff;
}

/* MPLS (RFC 3032 2.1): label (20 bits), class, bottom of stack, TTL. The bottom label is the one
 * that names a VPN or a wire, those above it only the way. No field tells what is inside: a version
 * number does (RFC 4928 3). */
enum walk_next tunnel_open_mpls(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint32_t entry = cur_u32(&rest);
    for (size_t i = 1; (entry & MPLS_BOTTOM) == 0 && i < MPLS_LABELS_MAX; i++) {
        entry = cur_u32(&rest);
    }
    if (!cur_ok(&rest) || (entry & MPLS_BOTTOM) == 0) {
        return WALK_DONE;
    }
    out->id = entry >> 12;
    switch (tunnel_ip_version(rest, SIZE_MAX)) { /* captures cut without a trace are common */
    case 4:
        if (is_frame_after_all(rest)) {
            return pseudowire(w, rest);
        }
        w->bytes = rest;
        return walk_network(w, ETHERTYPE_IPV4);
    case 6:
        w->bytes = rest;
        return walk_network(w, ETHERTYPE_IPV6);
    default:
        return pseudowire(w, rest);
    }
}

/* NSH (RFC 8300 2.2): version (2 bits), flags, TTL, length in words of 4 bytes, type of metadata,
 * next protocol, then service path and index. The path is its id. */
enum walk_next tunnel_open_nsh(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint16_t version_len = cur_u16(&rest);
    cur_skip(&rest, 1);
    uint8_t next = cur_u8(&rest);
    uint32_t path = cur_u32(&rest) >> 8;
    size_t len = (size_t)(version_len & 0x3f) * 4;
    if (version_len >> 14 != 0 || len < 8) {
        return WALK_DONE;
    }
    cur_skip(&rest, len - 8);
    if (!cur_ok(&rest)) {
        return WALK_DONE;
    }
    out->id = path;
    return tunnel_enter(w, rest, tunnel_next_protocol(next));
}

/* Cisco's metadata: version 1, length 1 (words of 4 bytes), option, group tag (the id), EtherType.
 */
enum walk_next tunnel_open_cisco_metadata(struct walk *w, struct tunnel_found *out)
{
    struct cursor rest = w->bytes;
    uint16_t version_len = cur_u16(&rest);
    cur_skip(&rest, 2);
    uint16_t group = cur_u16(&rest);
    uint16_t ethertype = cur_u16(&rest);
    if (!cur_ok(&rest) || version_len != 0x0101) {
        return WALK_DONE;
    }
    out->id = group;
    return tunnel_enter(w, rest, ethertype);
}
