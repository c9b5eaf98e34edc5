/* TCP (RFC 9293 3.1), UDP (RFC 768), and the ports of SCTP. */
#include "core/hints.h"
#include "dissectors/decode_walk.h"

#define TCP_HEADER_LEN 20
#define UDP_HEADER_LEN 8

/* Sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) without its length. */
static uint32_t pseudo_sum(const struct layers *layers)
{
    const uint8_t *src = layers->src.bytes, *dst = layers->dst.bytes;
    size_t len = 16;
    if (layers->ip_version == 4) {
        uint32_t words = (uint32_t)((src[0] + dst[0]) << 8) + (uint32_t)((src[2] + dst[2]) << 8);
        return words + src[1] + src[3] + dst[1] + dst[3] + layers->ip_protocol;
    }
    return (uint32_t)checksum_sum(layers->src.bytes, len) + checksum_sum(layers->dst.bytes, len) +
           layers->ip_protocol;
}

static bool can_check(const struct walk *w)
{
    return w->decoder->verify_checksums && w->missing == 0 && !w->rerouted;
}

/* sum: of the bytes from the transport header on; len: their number. */
PER_PACKET
static enum checksum_state judge_sum(const struct walk *w, uint16_t field, bool pseudo_header,
                                     uint16_t sum, size_t len)
{
    uint32_t pseudo = pseudo_header ? pseudo_sum(w->out) : 0;
    uint32_t whole = pseudo_header ? pseudo + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff) : 0;
    if (checksum_fold(whole + sum) == 0xffff) {
        return CHECKSUM_GOOD;
    }
    /* Offload: the stack leaves the sum of the pseudo header, for segmentation at times without the
     * length, and the interface adds the rest after the capture. */
    if (pseudo_header && (checksum_fold(whole) == field || checksum_fold(pseudo) == field)) {
        return CHECKSUM_PARTIAL;
    }
    return CHECKSUM_BAD;
}

enum checksum_state transport_check(const struct walk *w, uint16_t field, bool pseudo_header)
{
    size_t len = cur_left(&w->bytes);
    return can_check(w)
               ? judge_sum(w, field, pseudo_header, checksum_sum(w->bytes.at, len), len)
               : CHECKSUM_UNCHECKED;
}

/* The header has an even length: the sums of both parts add up. */
static void tcp_check(const struct walk *w, uint16_t field, size_t header_len)
{
    struct layers *out = w->out;
    size_t len = cur_left(&w->bytes);
    if (!can_check(w) || len < header_len) {
        return;
    }
    out->payload_sum = checksum_sum(w->bytes.at + header_len, len - header_len);
    uint32_t both = (uint32_t)checksum_sum(w->bytes.at, header_len) + out->payload_sum;
    out->checksum = judge_sum(w, field, true, checksum_fold(both), len);
    out->has_payload_sum = out->checksum != CHECKSUM_BAD;
}

/* Ports of a header that the snap length cut behind them. */
RARE
static void ports_read(struct walk *w)
{
    struct cursor head = w->bytes;
    uint16_t src = cur_u16(&head);
    uint16_t dst = cur_u16(&head);
    if (cur_ok(&head)) {
        w->out->src_port = src;
        w->out->dst_port = dst;
    }
}

static void payload_is_rest(struct walk *w)
{
    struct layers *out = w->out;
    out->payload = w->bytes.at;
    out->payload_len = (uint32_t)walk_left(w);
    out->payload_caplen = (uint32_t)cur_left(&w->bytes);
}

/* Reads the options and sets the payload; header_len is known to fit the segment. */
static void tcp_rest(struct walk *w, size_t header_len)
{
    struct layers *out = w->out;
    size_t present = cur_left(&w->bytes);
    bool cut = present < header_len;
    struct cursor options = w->bytes;
    if (!cut) {
        options.end = options.at + header_len;
    }
    cur_skip(&options, TCP_HEADER_LEN);
    tcp_options_read(&options, cut, &out->tcp);
    if (cut) {
        w->cut = true;
        out->payload = w->bytes.end;
        out->payload_len = (uint32_t)(walk_left(w) - header_len);
        return;
    }
    cur_skip(&w->bytes, header_len);
    payload_is_rest(w);
}

static enum walk_next tcp_walk(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, TCP_HEADER_LEN, &head)) {
        ports_read(w);
        return WALK_DONE;
    }
    out->src_port = cur_u16(&head);
    out->dst_port = cur_u16(&head);
    out->tcp.sequence = cur_u32(&head);
    out->tcp.acknowledgment = cur_u32(&head);
    uint16_t offset_flags = cur_u16(&head);
    out->tcp.flags = offset_flags & 0x01ff;
    out->tcp.window = cur_u16(&head);
    uint16_t checksum = cur_u16(&head);
    size_t header_len = (size_t)(offset_flags >> 12) * 4;
    if (header_len < TCP_HEADER_LEN || header_len > walk_left(w)) {
        return walk_malformed(w);
    }
    out->tcp.header_len = (uint8_t)header_len;
    out->kind = LAYER_TCP;
    tcp_check(w, checksum, header_len);
    tcp_rest(w, header_len);
    return WALK_DONE;
}

APART
static enum walk_next udp_walk(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, UDP_HEADER_LEN, &head)) {
        ports_read(w);
        return WALK_DONE;
    }
    out->src_port = cur_u16(&head);
    out->dst_port = cur_u16(&head);
    size_t len = cur_u16(&head);
    uint16_t checksum = cur_u16(&head);
    if (len == 0) { /* longer than the field tells: jumbogram (RFC 2675 4) or offload */
        len = walk_left(w);
    }
    if (len < UDP_HEADER_LEN || len > walk_left(w)) {
        return walk_malformed(w);
    }
    walk_limit(w, len);
    out->kind = LAYER_UDP;
    if (checksum != 0) { /* 0: the sender made none */
        out->checksum = transport_check(w, checksum, true);
    }
    cur_skip(&w->bytes, UDP_HEADER_LEN);
    payload_is_rest(w);
    return tunnel_by_port(w);
}

enum walk_next transport_walk(struct walk *w)
{
    switch (w->out->ip_protocol) {
    case IP_PROTOCOL_TCP:
        return tcp_walk(w);
    case IP_PROTOCOL_UDP:
        return udp_walk(w);
    case IP_PROTOCOL_ICMP:
        return w->out->ip_version == 4 ? icmp_walk(w) : WALK_DONE;
    case IP_PROTOCOL_ICMPV6:
        return w->out->ip_version == 6 ? icmp_walk(w) : WALK_DONE;
    case IP_PROTOCOL_SCTP:
        ports_read(w);
        return WALK_DONE;
    case IP_PROTOCOL_AH:
        return ip_authentication(w);
    default:
        return tunnel_by_protocol(w);
    }
}
