/* Links from one point to another: PPP, Cisco's HDLC, Frame Relay. */
#include "dissectors/decode_walk.h"

#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057
#define PPP_MPLS 0x0281 /* RFC 3032 4.3 */
#define PPP_MPLS_UPSTREAM 0x0283
#define HDLC_UNICAST 0x0f00
#define HDLC_MULTICAST 0x8f00
#define NLPID_SNAP 0x80
#define NLPID_IPV6 0x8e
#define NLPID_IPV4 0xcc

/* RFC 2516 4: version and type, code (0 = session data), session id, length of the PPP frame. */
enum walk_next link_pppoe(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 6, &head)) {
        return WALK_DONE;
    }
    uint16_t version_code = cur_u16(&head);
    cur_skip(&head, 2);
    uint16_t len = cur_u16(&head);
    cur_skip(&w->bytes, 6);
    if (version_code != 0x1100) {
        return WALK_DONE;
    }
    walk_limit(w, len);
    return WALK_PPP;
}

/* RFC 1661 2: the protocol takes one byte when its low bit is set, else two. Address and control
 * (RFC 1662 3.1) may stand before it or be left out. */
enum walk_next link_ppp(struct walk *w)
{
    struct cursor head = w->bytes;
    if (cur_u16(&head) == 0xff03) {
        cur_skip(&w->bytes, 2);
    }
    if (!walk_peek(w, 1, &head)) {
        return WALK_DONE;
    }
    uint16_t protocol = cur_u8(&head);
    size_t len = 1;
    if ((protocol & 1) == 0) {
        if (!walk_peek(w, 2, &head)) {
            return WALK_DONE;
        }
        protocol = cur_u16(&head);
        len = 2;
    }
    cur_skip(&w->bytes, len);
    switch (protocol) {
    case PPP_IPV4:
        return walk_network(w, ETHERTYPE_IPV4);
    case PPP_IPV6:
        return walk_network(w, ETHERTYPE_IPV6);
    case PPP_MPLS:
    case PPP_MPLS_UPSTREAM:
        return walk_network(w, ETHERTYPE_MPLS);
    default:
        return WALK_DONE;
    }
}

/* LINKTYPE_C_HDLC: address, control (0), EtherType. */
enum walk_next link_open_chdlc(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 4, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, 2);
    uint16_t ethertype = cur_u16(&head);
    cur_skip(&w->bytes, 4);
    return walk_network(w, ethertype);
}

/* LINKTYPE_PPP holds Cisco's HDLC as well. */
enum walk_next link_open_ppp(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 2, &head)) {
        return WALK_DONE;
    }
    uint16_t first = cur_u16(&head);
    return first == HDLC_UNICAST || first == HDLC_MULTICAST ? link_open_chdlc(w) : WALK_PPP;
}

/* LINKTYPE_PPP_WITH_DIR: zero when the host received the packet, else it sent it. */
enum walk_next link_open_ppp_direction(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 1, &head)) {
        return WALK_DONE;
    }
    w->out->has_direction = true;
    w->out->outgoing = cur_u8(&head) != 0;
    cur_skip(&w->bytes, 1);
    return WALK_PPP;
}

/* RFC 2427 3, behind the control byte: an optional pad, then the NLPID. */
static enum walk_next nlpid(struct walk *w, struct cursor rest)
{
    uint8_t id = cur_u8(&rest);
    if (id == 0) {
        id = cur_u8(&rest);
    }
    uint16_t ethertype = 0;
    if (id == NLPID_IPV4) {
        ethertype = ETHERTYPE_IPV4;
    } else if (id == NLPID_IPV6) {
        ethertype = ETHERTYPE_IPV6;
    } else if (id == NLPID_SNAP && cur_u24(&rest) == 0) {
        ethertype = cur_u16(&rest);
    }
    if (!cur_ok(&rest) || ethertype == 0) {
        return WALK_DONE;
    }
    w->bytes = rest;
    return walk_network(w, ethertype);
}

/* LINKTYPE_FRELAY: an address (Q.922 3.3) of two to four bytes, the last one marked by its low bit,
 * then RFC 2427's control byte 03, or an EtherType as Cisco sends it. */
enum walk_next link_open_frame_relay(struct walk *w)
{
    struct cursor rest = w->bytes;
    size_t len = 1;
    while ((cur_u8(&rest) & 1) == 0 && len < 4) {
        len++;
    }
    struct cursor cisco = rest;
    uint8_t control = cur_u8(&rest);
    if (!cur_ok(&rest) || len < 2) {
        return WALK_DONE;
    }
    if (control == 0x03) {
        return nlpid(w, rest);
    }
    uint16_t ethertype = cur_u16(&cisco);
    if (!cur_ok(&cisco)) {
        return WALK_DONE;
    }
    w->bytes = cisco;
    return walk_network(w, ethertype);
}
