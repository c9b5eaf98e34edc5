/* IPv4 (RFC 791) and the authentication header that both versions share. */
#include "core/hints.h"
#include "dissectors/decode_walk.h"

#define IPV4_HEADER_LEN 20
#define FLAG_DONT_FRAGMENT 0x4000
#define FLAG_MORE 0x2000

static enum checksum_state check_header(const struct walk *w, size_t header_len, uint16_t field)
{
    if (!w->decoder->verify_checksums || cur_left(&w->bytes) < header_len) {
        return CHECKSUM_UNCHECKED;
    }
    if (checksum_sum(w->bytes.at, header_len) == 0xffff) {
        return CHECKSUM_GOOD;
    }
    /* An interface that fills the header's checksum is given zero. */
    return field == 0 ? CHECKSUM_PARTIAL : CHECKSUM_BAD;
}

/* Puts the whole datagram in place of the piece: its header says that it is one. */
static enum walk_next whole_walk(struct walk *w, const struct fragment_whole *whole)
{
    uint32_t total = whole->header_len + whole->len;
    if (total > UINT16_MAX) {
        return walk_malformed(w);
    }
    uint8_t *header = whole->header;
    header[2] = (uint8_t)(total >> 8);
    header[3] = (uint8_t)total;
    memset(header + 6, 0, 2); /* flags, offset */
    memset(header + 10, 0, 2);
    uint16_t sum = (uint16_t)~checksum_sum(header, whole->header_len);
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
    w->bytes = cur_of(header, whole->header_len + whole->caplen);
    w->missing = whole->len - whole->caplen;
    w->reassembled = true;
    w->out->was_fragmented = true;
    return WALK_NETWORK;
}

/* The walk stands behind the header, which begins at `header`. */
RARE
static enum walk_next piece_walk(struct walk *w, const uint8_t *header, size_t header_len,
                                 uint16_t fragment)
{
    struct layers *out = w->out;
    struct fragment_whole whole;
    struct fragment_piece piece = {.offset = (uint32_t)(fragment & 0x1fff) * 8,
                                   .len = (uint32_t)walk_left(w),
                                   .more = (fragment & FLAG_MORE) != 0,
                                   .bytes = w->bytes.at,
                                   .caplen = (uint32_t)cur_left(&w->bytes),
                                   .header = header,
                                   .header_len = (uint32_t)header_len,
                                   .time_ns = w->packet->time_ns};
    piece.key = (struct fragment_key){.id = out->ip_id, .protocol = out->ip_protocol, .family = 4};
    memcpy(piece.key.src, out->src.bytes, 4);
    memcpy(piece.key.dst, out->dst.bytes, 4);
    out->kind = LAYER_FRAGMENT;
    out->payload = piece.bytes;
    out->payload_len = piece.len;
    out->payload_caplen = piece.caplen;
    if (!fragments_add(w->decoder->fragments, &piece, &w->decoder->counters, &whole)) {
        return WALK_DONE;
    }
    return whole_walk(w, &whole);
}

enum walk_next ipv4_walk(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, IPV4_HEADER_LEN, &head)) {
        return WALK_DONE;
    }
    const uint8_t *start = w->bytes.at;
    uint8_t version_len = cur_u8(&head);
    size_t header_len = (size_t)(version_len & 0x0f) * 4;
    out->dscp_ecn = cur_u8(&head);
    size_t total = cur_u16(&head);
    out->ip_id = cur_u16(&head);
    uint16_t fragment = cur_u16(&head);
    out->dont_fragment = (fragment & FLAG_DONT_FRAGMENT) != 0;
    out->ttl = cur_u8(&head);
    out->ip_protocol = cur_u8(&head);
    uint16_t checksum = cur_u16(&head);
    walk_read_v4(&head, &out->src);
    walk_read_v4(&head, &out->dst);
    out->ip_version = 4;
    if (total == 0) { /* segmentation offload: the packet was too long for the field */
        total = walk_left(w);
    }
    if (version_len >> 4 != 4 || header_len < IPV4_HEADER_LEN || total < header_len) {
        return walk_malformed(w);
    }
    walk_limit(w, total);
    out->kind = LAYER_OTHER_IP;
    out->ip_len = (uint32_t)total;
    out->network = start;
    out->network_caplen = (uint32_t)cur_left(&w->bytes);
    out->ip_checksum = check_header(w, header_len, checksum);
    if (!walk_skip(w, header_len)) {
        return WALK_DONE;
    }
    if ((fragment & (FLAG_MORE | 0x1fff)) != 0) {
        return piece_walk(w, start, header_len, fragment);
    }
    return WALK_TRANSPORT;
}

enum walk_next ip_authentication(struct walk *w)
{
    struct cursor head;
    if (w->extensions == LIMIT_IPV6_EXTENSIONS || !walk_peek(w, 12, &head)) {
        return WALK_DONE;
    }
    w->extensions++;
    uint8_t next = cur_u8(&head);
    size_t len = ipv6_extension_len(IP_PROTOCOL_AH, cur_u8(&head));
    if (!walk_skip(w, len)) {
        return WALK_DONE;
    }
    w->out->ip_protocol = next;
    return WALK_TRANSPORT;
}
