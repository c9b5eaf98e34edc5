/* ICMP (RFC 792) and ICMPv6 (RFC 4443) with the packet that an error quotes. */
#include "dissectors/decode_walk.h"

enum {
    V4_ECHO_REPLY = 0,
    V4_UNREACHABLE = 3,
    V4_SOURCE_QUENCH = 4,
    V4_REDIRECT = 5,
    V4_ECHO = 8,
    V4_ROUTER_ADVERTISEMENT = 9,
    V4_ROUTER_SOLICITATION = 10,
    V4_TIME_EXCEEDED = 11,
    V4_PARAMETER_PROBLEM = 12,
    V4_TIMESTAMP = 13,
    V4_TIMESTAMP_REPLY = 14,
    V4_INFORMATION = 15,
    V4_INFORMATION_REPLY = 16,
    V4_MASK = 17,
    V4_MASK_REPLY = 18,
    V6_UNREACHABLE = 1,
    V6_TOO_BIG = 2,
    V6_PARAMETER_PROBLEM = 4,
    V6_ECHO = 128,
    V6_ECHO_REPLY = 129,
    V6_LISTENER_QUERY = 130,
    V6_LISTENER_REPORT = 131,
    V6_ROUTER_SOLICITATION = 133,
    V6_ROUTER_ADVERTISEMENT = 134,
    V6_NEIGHBOR_SOLICITATION = 135,
    V6_NEIGHBOR_ADVERTISEMENT = 136,
    V6_NODE_QUERY = 139,
    V6_NODE_ANSWER = 140,
    V6_HOME_AGENT_QUERY = 144,
    V6_HOME_AGENT_ANSWER = 145
};

#define V4_UNREACHABLE_TOO_BIG 4 /* code of type 3: fragmentation needed (RFC 1191) */

/* Types that ask and answer each other, as the Community ID specification pairs them. */
static const struct icmp_pair {
    uint8_t ip_version, ask, answer;
} icmp_pairs[] = {
    {4, V4_ECHO, V4_ECHO_REPLY},
    {4, V4_TIMESTAMP, V4_TIMESTAMP_REPLY},
    {4, V4_INFORMATION, V4_INFORMATION_REPLY},
    {4, V4_ROUTER_SOLICITATION, V4_ROUTER_ADVERTISEMENT},
    {4, V4_MASK, V4_MASK_REPLY},
    {6, V6_ECHO, V6_ECHO_REPLY},
    {6, V6_LISTENER_QUERY, V6_LISTENER_REPORT},
    {6, V6_ROUTER_SOLICITATION, V6_ROUTER_ADVERTISEMENT},
    {6, V6_NEIGHBOR_SOLICITATION, V6_NEIGHBOR_ADVERTISEMENT},
    {6, V6_NODE_QUERY, V6_NODE_ANSWER},
    {6, V6_HOME_AGENT_QUERY, V6_HOME_AGENT_ANSWER},
};

/* Fills the ports: the type, and the type that pairs with it or else the code. */
static void ports_set(struct layers *out)
{
    out->src_port = out->icmp.type;
    out->dst_port = out->icmp.code;
    for (size_t i = 0; i < sizeof(icmp_pairs) / sizeof(icmp_pairs[0]); i++) {
        const struct icmp_pair *pair = &icmp_pairs[i];
        if (pair->ip_version != out->ip_version) {
            continue;
        }
        if (pair->ask == out->icmp.type) {
            out->dst_port = pair->answer;
        } else if (pair->answer == out->icmp.type) {
            out->dst_port = pair->ask;
        }
    }
}

/* RFC 792 promises eight bytes of the transport header, RFC 1812 and RFC 4443 more. */
static void quoted_transport(struct cursor bytes, struct quoted_packet *out)
{
    if (out->protocol != IP_PROTOCOL_TCP && out->protocol != IP_PROTOCOL_UDP &&
        out->protocol != IP_PROTOCOL_SCTP) {
        return;
    }
    uint16_t src_port = cur_u16(&bytes);
    uint16_t dst_port = cur_u16(&bytes);
    if (!cur_ok(&bytes)) {
        return;
    }
    out->src_port = src_port;
    out->dst_port = dst_port;
    if (out->protocol != IP_PROTOCOL_TCP) {
        return;
    }
    out->sequence = cur_u32(&bytes);
    cur_skip(&bytes, 4);
    uint16_t offset_flags = cur_u16(&bytes);
    out->has_flags = cur_ok(&bytes);
    out->flags = offset_flags & 0x01ff;
}

static void quoted_v4(struct cursor bytes, struct quoted_packet *out)
{
    struct cursor head = cur_cut(&bytes, 20);
    uint8_t version_len = cur_u8(&head);
    cur_skip(&head, 3);
    uint16_t id = cur_u16(&head);
    uint16_t fragment = cur_u16(&head);
    if (!cur_ok(&head) || version_len >> 4 != 4 || (version_len & 0x0f) < 5) {
        return;
    }
    out->present = true;
    out->ip_id = id;
    out->ttl = cur_u8(&head);
    out->protocol = cur_u8(&head);
    cur_skip(&head, 2);
    walk_read_v4(&head, &out->src);
    walk_read_v4(&head, &out->dst);
    cur_skip(&bytes, (size_t)(version_len & 0x0f) * 4 - 20);
    if ((fragment & 0x1fff) == 0) {
        quoted_transport(bytes, out);
    }
}

static void quoted_v6(struct cursor bytes, struct quoted_packet *out)
{
    struct cursor head = cur_cut(&bytes, 40);
    uint32_t version_class = cur_u32(&head);
    cur_skip(&head, 2);
    if (!cur_ok(&head) || version_class >> 28 != 6) {
        return;
    }
    out->present = true;
    out->protocol = cur_u8(&head);
    out->ttl = cur_u8(&head);
    walk_read_v6(&head, &out->src);
    walk_read_v6(&head, &out->dst);
    for (size_t i = 0; i < LIMIT_IPV6_EXTENSIONS && ipv6_is_extension(out->protocol); i++) {
        uint8_t next = cur_u8(&bytes);
        uint8_t length_field = cur_u8(&bytes);
        uint16_t fragment = cur_u16(&bytes);
        cur_skip(&bytes, ipv6_extension_len(out->protocol, length_field) - 4);
        if (!cur_ok(&bytes)) {
            return;
        }
        bool later_piece = out->protocol == IP_PROTOCOL_FRAGMENT && (fragment & 0xfff8) != 0;
        out->protocol = next;
        if (later_piece) {
            return;
        }
    }
    quoted_transport(bytes, out);
}

static bool is_error(uint8_t ip_version, uint8_t type)
{
    if (ip_version == 6) {
        return type >= V6_UNREACHABLE && type <= V6_PARAMETER_PROBLEM;
    }
    return type == V4_UNREACHABLE || type == V4_SOURCE_QUENCH || type == V4_REDIRECT ||
           type == V4_TIME_EXCEEDED || type == V4_PARAMETER_PROBLEM;
}

static bool has_id(uint8_t ip_version, uint8_t type)
{
    if (ip_version == 6) {
        return type == V6_ECHO || type == V6_ECHO_REPLY;
    }
    return type == V4_ECHO_REPLY || type == V4_ECHO ||
           (type >= V4_TIMESTAMP && type <= V4_MASK_REPLY);
}

/* Reads the second word of the header: `message` stands behind the checksum. */
static void body_read(struct walk *w, struct cursor message)
{
    struct layers *out = w->out;
    struct icmp_header *icmp = &out->icmp;
    uint16_t high = cur_u16(&message);
    uint16_t low = cur_u16(&message);
    if (!cur_ok(&message)) {
        return;
    }
    if (has_id(out->ip_version, icmp->type)) {
        icmp->id = high;
        icmp->sequence = low;
    }
    if (!icmp->is_error) {
        return;
    }
    if (out->ip_version == 6) {
        icmp->mtu = icmp->type == V6_TOO_BIG ? (uint32_t)high << 16 | low : 0;
        quoted_v6(message, &icmp->quoted);
        return;
    }
    if (icmp->type == V4_UNREACHABLE && icmp->code == V4_UNREACHABLE_TOO_BIG) {
        icmp->mtu = low;
    }
    quoted_v4(message, &icmp->quoted);
}

enum walk_next icmp_walk(struct walk *w)
{
    struct layers *out = w->out;
    struct cursor head;
    if (!walk_peek(w, 4, &head)) {
        return WALK_DONE;
    }
    struct cursor message = w->bytes;
    memset(&out->icmp, 0, sizeof(out->icmp));
    out->icmp.type = cur_u8(&head);
    out->icmp.code = cur_u8(&head);
    uint16_t checksum = cur_u16(&head);
    out->icmp.is_error = is_error(out->ip_version, out->icmp.type);
    out->kind = LAYER_ICMP;
    out->checksum = transport_check(w, checksum, out->ip_version == 6);
    ports_set(out);
    if (out->ip_version == 6 && (out->icmp.type == V6_NEIGHBOR_SOLICITATION ||
                                 out->icmp.type == V6_NEIGHBOR_ADVERTISEMENT)) {
        neighbor_discovery(message, out);
        return WALK_DONE;
    }
    cur_skip(&message, 4);
    body_read(w, message);
    return WALK_DONE;
}
