/* ARP (RFC 826) and Neighbor Solicitation and Advertisement (RFC 4861 4.3, 4.4). */
#include "dissectors/decode_walk.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define NDP_SOLICITATION 135
#define NDP_SOLICITED 0x40000000u
#define NDP_OVERRIDE 0x20000000u
#define NDP_OPTION_SOURCE 1 /* link-layer address of the sender of a solicitation */
#define NDP_OPTION_TARGET 2 /* link-layer address of the target of an advertisement */
#define NDP_HOP_LIMIT 255   /* RFC 4861 7.1: a lower one came from off the link */

static bool address_is_zero(const struct address *a)
{
    static const uint8_t zero[sizeof(a->bytes)];
    return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

enum walk_next neighbor_arp(struct walk *w)
{
    struct neighbor_message *out = &w->out->neighbor;
    struct cursor head;
    if (!walk_peek(w, 8, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, 2);
    uint16_t protocol = cur_u16(&head);
    uint16_t lengths = cur_u16(&head);
    uint16_t operation = cur_u16(&head);
    w->out->kind = LAYER_ARP;
    /* Of other address kinds there is nothing to compare. */
    if (protocol != ETHERTYPE_IPV4 || lengths != 0x0604 ||
        (operation != ARP_REQUEST && operation != ARP_REPLY)) {
        return WALK_DONE;
    }
    if (!walk_peek(w, 28, &head)) {
        return WALK_DONE;
    }
    memset(out, 0, sizeof(*out));
    cur_skip(&head, 8);
    memcpy(out->sender_mac, cur_take(&head, 6), 6);
    walk_read_v4(&head, &out->sender_ip);
    cur_skip(&head, 6);
    walk_read_v4(&head, &out->target_ip);
    out->present = true;
    out->is_request = operation == ARP_REQUEST;
    out->sender_mac_known = true;
    out->duplicate_probe = address_is_zero(&out->sender_ip);
    out->gratuitous =
        !out->duplicate_probe && memcmp(out->sender_ip.bytes, out->target_ip.bytes, 4) == 0;
    return WALK_DONE;
}

static void mac_option_read(struct cursor options, uint8_t wanted, struct neighbor_message *out)
{
    while (cur_left(&options) >= 8) {
        uint8_t type = cur_u8(&options);
        size_t len = (size_t)cur_u8(&options) * 8;
        struct cursor body = cur_cut(&options, len >= 2 ? len - 2 : 0);
        if (len == 0 || !cur_ok(&body)) {
            return;
        }
        if (type == wanted && len == 8) {
            memcpy(out->sender_mac, cur_take(&body, 6), 6);
            out->sender_mac_known = true;
            return;
        }
    }
}

void neighbor_discovery(struct cursor message, struct layers *layers)
{
    struct neighbor_message *out = &layers->neighbor;
    struct cursor head = cur_cut(&message, 24);
    struct address target;
    uint8_t type = cur_u8(&head);
    uint8_t code = cur_u8(&head);
    cur_skip(&head, 2);
    uint32_t flags = cur_u32(&head);
    walk_read_v6(&head, &target);
    if (!cur_ok(&head) || code != 0 || layers->ttl != NDP_HOP_LIMIT) {
        return;
    }
    memset(out, 0, sizeof(*out));
    out->present = true;
    out->ndp = true;
    if (type == NDP_SOLICITATION) {
        out->is_request = true;
        out->sender_ip = layers->src;
        out->target_ip = target;
        out->duplicate_probe = address_is_zero(&layers->src);
        mac_option_read(message, NDP_OPTION_SOURCE, out);
        return;
    }
    /* What an advertisement says is that the target address lives at the target's link address. */
    out->sender_ip = target;
    out->target_ip = layers->dst;
    out->gratuitous = (flags & NDP_SOLICITED) == 0;
    out->in_place_of = (flags & NDP_OVERRIDE) == 0;
    mac_option_read(message, NDP_OPTION_TARGET, out);
}
