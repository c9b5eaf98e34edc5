/* IPv6 with its extension headers (RFC 8200 3, 4). */
#include "core/hints.h"
#include "dissectors/decode_walk.h"

#define IPV6_HEADER_LEN 40

bool ipv6_is_extension(uint8_t protocol)
{
    switch (protocol) {
    case IP_PROTOCOL_HOP_BY_HOP:
    case IP_PROTOCOL_ROUTING:
    case IP_PROTOCOL_FRAGMENT:
    case IP_PROTOCOL_AH:
    case IP_PROTOCOL_DESTINATION:
    case IP_PROTOCOL_MOBILITY:
    case IP_PROTOCOL_HIP:
    case IP_PROTOCOL_SHIM6:
        return true;
    default:
        return false;
    }
}

size_t ipv6_extension_len(uint8_t protocol, uint8_t length_field)
{
    switch (protocol) {
    case IP_PROTOCOL_FRAGMENT:
        return 8;
    case IP_PROTOCOL_AH: /* RFC 4302 2.2: in words of 4 bytes, minus 2 */
        return ((size_t)length_field + 2) * 4;
    default: /* RFC 8200, RFC 6275, RFC 7401, RFC 5533: in words of 8 bytes, minus 1 */
        return ((size_t)length_field + 1) * 8;
    }
}

static enum walk_next whole_walk(struct walk *w, const struct fragment_whole *whole)
{
    whole->header[4] = (uint8_t)(whole->len >> 8);
    whole->header[5] = (uint8_t)whole->len;
    w->bytes = cur_of(whole->header, whole->header_len + whole->caplen);
    w->missing = whole->len - whole->caplen;
    w->reassembled = true;
    w->out->was_fragmented = true;
    return WALK_NETWORK;
}

/* The walk stands at a fragment header (RFC 8200 4.5): next header, reserved, offset and M flag,
 * identification. In the whole datagram the headers before it are left out. */
RARE
static enum walk_next fragment_walk(struct walk *w, const uint8_t *start)
{
    struct layers *out = w->out;
    struct fragment_whole whole;
    struct cursor head;
    uint8_t header[IPV6_HEADER_LEN];
    if (!walk_peek(w, 8, &head)) {
        return WALK_DONE;
    }
    uint8_t next = cur_u8(&head);
    cur_skip(&head, 1);
    uint16_t fragment = cur_u16(&head);
    uint32_t id = cur_u32(&head);
    cur_skip(&w->bytes, 8);
    out->ip_protocol = next;
    if ((fragment & 0xfff9) == 0) { /* an atomic fragment is no fragment (RFC 6946) */
        return WALK_TRANSPORT;
    }
    if (w->reassembled) {
        return walk_malformed(w);
    }
    memcpy(header, start, sizeof(header));
    header[6] = next;
    struct fragment_piece piece = {.offset = fragment & 0xfff8,
                                   .len = (uint32_t)walk_left(w),
                                   .more = (fragment & 1) != 0,
                                   .bytes = w->bytes.at,
                                   .caplen = (uint32_t)cur_left(&w->bytes),
                                   .header = header,
                                   .header_len = sizeof(header),
                                   .time_ns = w->packet->time_ns};
    piece.key = (struct fragment_key){.id = id, .family = 6};
    memcpy(piece.key.src, out->src.bytes, 16);
    memcpy(piece.key.dst, out->dst.bytes, 16);
    out->kind = LAYER_FRAGMENT;
    out->payload = piece.bytes;
    out->payload_len = piece.len;
    out->payload_caplen = piece.caplen;
    if (!fragments_add(w->decoder->fragments, &piece, &w->decoder->counters, &whole)) {
        return WALK_DONE;
    }
    return whole_walk(w, &whole);
}

/* Moves past one extension header other than the fragment header. */
static bool extension_skip(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, 8, &head)) {
        return false;
    }
    uint8_t protocol = out->ip_protocol;
    uint8_t next = cur_u8(&head);
    size_t len = ipv6_extension_len(protocol, cur_u8(&head));
    cur_skip(&head, 1);
    if (protocol == IP_PROTOCOL_ROUTING && cur_u8(&head) != 0) { /* segments left */
        w->rerouted = true;
    }
    if (!walk_skip(w, len)) {
        return false;
    }
    out->ip_protocol = next;
    return true;
}

enum walk_next ipv6_walk(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, IPV6_HEADER_LEN, &head)) {
        return WALK_DONE;
    }
    const uint8_t *start = w->bytes.at;
    uint32_t version_class = cur_u32(&head);
    size_t len = cur_u16(&head);
    if (version_class >> 28 != 6) {
        return walk_malformed(w);
    }
    out->ip_protocol = cur_u8(&head);
    out->ttl = cur_u8(&head);
    walk_read_v6(&head, &out->src);
    walk_read_v6(&head, &out->dst);
    out->ip_version = 6;
    out->dscp_ecn = (uint8_t)(version_class >> 20);
    out->ip_id = 0;
    out->dont_fragment = false;
    out->ip_checksum = CHECKSUM_UNCHECKED;
    /* A jumbogram (RFC 2675) or segmentation offload says 0; so does a header alone. */
    if (len == 0 && out->ip_protocol != IP_PROTOCOL_NONE) {
        len = walk_left(w) - IPV6_HEADER_LEN;
    }
    walk_limit(w, len + IPV6_HEADER_LEN);
    out->kind = LAYER_OTHER_IP;
    out->ip_len = (uint32_t)walk_left(w);
    out->network = start;
    out->network_caplen = (uint32_t)cur_left(&w->bytes);
    cur_skip(&w->bytes, IPV6_HEADER_LEN);
    while (ipv6_is_extension(out->ip_protocol) && w->extensions < LIMIT_IPV6_EXTENSIONS) {
        w->extensions++;
        if (out->ip_protocol == IP_PROTOCOL_FRAGMENT) {
            enum walk_next next = fragment_walk(w, start);
            if (next != WALK_TRANSPORT) {
                return next;
            }
        } else if (!extension_skip(w)) {
            return WALK_DONE;
        }
    }
    return WALK_TRANSPORT;
}
