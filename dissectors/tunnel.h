/* What the files of the tunnels share; for tunnel*.c only.
 *
 * A function tunnel_open_* moves past its own header to the packet inside and returns what that is;
 * WALK_DONE, the walk as it was, when the bytes are no such tunnel or carry what we do not read. */
#ifndef INVCAP_DISSECTORS_TUNNEL_H
#define INVCAP_DISSECTORS_TUNNEL_H

#include "dissectors/decode_walk.h"

struct tunnel_found {
    const char *name; /* static text; preset to the kind's */
    uint32_t id;      /* preset to 0 */
};

/* 4 or 6 when `rest` begins with an IP header whose lengths agree with each other and with the
 * `left` bytes there are; 0 when not, or when too little of it was captured to tell. */
uint8_t tunnel_ip_version(struct cursor rest, size_t left);
/* Whether the frame that `rest` begins with holds a network protocol that we read. */
bool tunnel_is_frame(struct cursor rest);
/* Moves the walk to `rest`, which holds `ethertype` by the tunnel's own word; WALK_DONE without
 * moving when we do not read that, or when it should be IP and does not look it. */
enum walk_next tunnel_enter(struct walk *w, struct cursor rest, uint16_t ethertype);
/* EtherType by the numbers of NSH (RFC 8300 2.2) and VXLAN-GPE; 0 unknown. */
uint16_t tunnel_next_protocol(uint8_t number);

/* Bytes from `rest`, a cursor into w->bytes, to the end of the layer, present or not. */
static inline size_t tunnel_left(const struct walk *w, struct cursor rest)
{
    return cur_left(&rest) + w->missing;
}

/* tunnel_udp.c */
enum walk_next tunnel_open_vxlan(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_vxlan_linux(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_vxlan_gpe(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_geneve(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_gtp(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_l2tp(struct walk *w, struct tunnel_found *out);

/* tunnel_shim.c */
enum walk_next tunnel_open_mpls(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_nsh(struct walk *w, struct tunnel_found *out);
enum walk_next tunnel_open_cisco_metadata(struct walk *w, struct tunnel_found *out);

/* tunnel_gre.c */
enum walk_next tunnel_open_gre(struct walk *w, struct tunnel_found *out);

#endif
