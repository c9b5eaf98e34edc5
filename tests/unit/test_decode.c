/* Rows: bytes of one packet in, what the decoder says of it out, as one line of text. */
#include "dissectors/decode.h"
#include "tests/unit/decode_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const kind_names[] = {"unknown", "arp",      "tcp",      "udp",
                                         "icmp",    "other_ip", "fragment", "malformed"};

struct line {
    char text[1024];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
                                                           ...)
{
    va_list values;
    va_start(values, format);
    int added = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, values);
    va_end(values);
    assert_true(added >= 0 && (size_t)added < sizeof(line->text) - line->len);
    line->len += (size_t)added;
}

static const char *text_of(const struct address *a)
{
    static char texts[2][ADDRESS_TEXT_SIZE];
    static size_t turn;
    turn = 1 - turn;
    return address_to_text(a, texts[turn]);
}

static void say_tcp(struct line *line, const struct layers *l)
{
    const struct tcp_header *tcp = &l->tcp;
    line_add(line, " | %u > %u seq %u ack %u flags %#x win %u header %u", l->src_port, l->dst_port,
             tcp->sequence, tcp->acknowledgment, tcp->flags, tcp->window, tcp->header_len);
    if (tcp->mss != 0) {
        line_add(line, " mss %u", tcp->mss);
    }
    if (tcp->window_scale >= 0) {
        line_add(line, " scale %d", tcp->window_scale);
    }
    line_add(line, "%s", tcp->sack_permitted ? " sack-permitted" : "");
    if (tcp->has_timestamp) {
        line_add(line, " ts %u %u", tcp->timestamp_value, tcp->timestamp_echo);
    }
    for (size_t i = 0; i < tcp->sack_count; i++) {
        line_add(line, " sack %u-%u", tcp->sack[2 * i], tcp->sack[2 * i + 1]);
    }
    if (tcp->fast_open != 0) {
        line_add(line, " fast-open %u", tcp->fast_open);
    }
    if (tcp->mptcp_subtype != 0) {
        line_add(line, " mptcp %u", tcp->mptcp_subtype);
    }
    line_add(line, "%s", tcp->options_bad ? " bad" : "");
    for (size_t i = 0; i < tcp->option_count; i++) {
        line_add(line, "%s%u", i == 0 ? " kinds " : ",", tcp->option_kinds[i]);
    }
}

static void say_icmp(struct line *line, const struct layers *l)
{
    const struct icmp_header *icmp = &l->icmp;
    const struct quoted_packet *quoted = &icmp->quoted;
    line_add(line, " | %u > %u type %u code %u", l->src_port, l->dst_port, icmp->type, icmp->code);
    if (icmp->id != 0) {
        line_add(line, " echo %u %u", icmp->id, icmp->sequence);
    }
    if (icmp->mtu != 0) {
        line_add(line, " mtu %u", icmp->mtu);
    }
    if (!quoted->present) {
        return;
    }
    line_add(line, " | quoted %s > %s ttl %u id %u", text_of(&quoted->src), text_of(&quoted->dst),
             quoted->ttl, quoted->ip_id);
    line_add(line, " %s %u > %u", quoted->protocol == 6 ? "tcp" : "udp", quoted->src_port,
             quoted->dst_port);
    if (quoted->protocol == 6) {
        line_add(line, " seq %u", quoted->sequence);
    }
    if (quoted->has_flags) {
        line_add(line, " flags %#x", quoted->flags);
    }
}

static void say_neighbor(struct line *line, const struct neighbor_message *n)
{
    char mac[MAC_TEXT_SIZE];
    line_add(line, " | neighbor %s %s at %s", n->is_request ? "asks" : "says",
             text_of(&n->sender_ip), n->sender_mac_known ? mac_to_text(n->sender_mac, mac) : "?");
    line_add(line, " for %s%s%s", text_of(&n->target_ip), n->duplicate_probe ? " probe" : "",
             n->gratuitous ? " gratuitous" : "");
}

static void say_link(struct line *line, const struct layers *l)
{
    char src[MAC_TEXT_SIZE];
    char dst[MAC_TEXT_SIZE];
    if (l->vlan >= 0) {
        line_add(line, " | vlan %d", l->vlan);
    }
    if (l->inner_vlan >= 0) {
        line_add(line, " %d", l->inner_vlan);
    }
    if (l->tunnel_depth > 0) {
        line_add(line, " | tunnel %s %u depth %u", l->tunnel, l->tunnel_id, l->tunnel_depth);
    }
    if (l->has_mac) {
        line_add(line, " | mac %s %s", mac_to_text(l->src_mac, src), mac_to_text(l->dst_mac, dst));
    }
    if (l->has_direction) {
        line_add(line, l->outgoing ? " out" : " in");
    }
}

static void say(struct line *line, const struct layers *l)
{
    line->len = 0;
    line_add(line, "%s", kind_names[l->kind]);
    if (l->kind == LAYER_MALFORMED || l->kind == LAYER_UNKNOWN) {
        return;
    }
    if (l->ip_version != 0) {
        line_add(line, " %s > %s ttl %u tos %u id %u%s len %u proto %u", text_of(&l->src),
                 text_of(&l->dst), l->ttl, l->dscp_ecn, l->ip_id, l->dont_fragment ? " df" : "",
                 l->ip_len, l->ip_protocol);
    }
    if (l->kind == LAYER_TCP) {
        say_tcp(line, l);
    } else if (l->kind == LAYER_ICMP) {
        say_icmp(line, l);
    } else if (l->src_port != 0) {
        line_add(line, " | %u > %u", l->src_port, l->dst_port);
    }
    if (l->kind == LAYER_TCP || l->kind == LAYER_UDP) {
        line_add(line, " | payload %u %u", l->payload_len, l->payload_caplen);
    }
    if (l->neighbor.present) {
        say_neighbor(line, &l->neighbor);
    }
    say_link(line, l);
}

static void test_rows(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sample_count; i++) {
        uint8_t bytes[SAMPLE_MAX];
        struct decoder *decoder = decoder_new(true);
        struct packet packet = sample_packet(&samples[i], bytes);
        struct layers layers;
        struct line line;
        memset(&layers, 0xa5, sizeof(layers)); /* what a caller's stack may hold */
        decode_packet(decoder, &packet, &layers);
        say(&line, &layers);
        if (strcmp(line.text, samples[i].expected) != 0) {
            print_error("%s:\n  expected %s\n  got      %s\n", samples[i].name, samples[i].expected,
                        line.text);
            wrong++;
        }
        if (layers.kind == LAYER_TCP && packet.caplen == packet.len &&
            layers.checksum != CHECKSUM_GOOD && layers.ip_protocol == 6) {
            print_error("%s: checksum state %d\n", samples[i].name, layers.checksum);
            wrong++;
        }
        decoder_free(decoder);
    }
    assert_int_equal(wrong, 0);
}

/* The same packets through one decoder into one struct: nothing of the last packet may stay. */
static void test_nothing_stays(void **state)
{
    (void)state;
    struct decoder *decoder = decoder_new(true);
    struct layers layers;
    for (size_t i = 0; i < sample_count * sample_count; i++) {
        const struct sample *sample =
            &samples[i % 2 == 0 ? i / 2 % sample_count : i / 2 / sample_count];
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(sample, bytes);
        struct line line;
        decode_packet(decoder, &packet, &layers);
        say(&line, &layers);
        assert_string_equal(line.text, sample->expected);
    }
    decoder_free(decoder);
}

static const struct sample *sample_named(const char *name)
{
    for (size_t i = 0; i < sample_count; i++) {
        if (strcmp(samples[i].name, name) == 0) {
            return &samples[i];
        }
    }
    fail_msg("no sample %s", name);
    return NULL;
}

struct checksum_row {
    const char *sample;
    size_t at;     /* byte to change */
    uint8_t xor ;  /* with this; 0: none */
    int32_t field; /* or: put this into the two bytes there; -1: none */
    enum checksum_state transport, ip;
};

/* Offsets: 14 Ethernet, 20 IPv4; checksum of IPv4 at 24, of TCP at 50, of UDP at 40, of ICMP at 36.
 * The
 * sum of the pseudo header: 0x0a01 + 1 + 0x0a01 + 2 + 6 + 37 = 0x1430, without the length 0x140b.
 */
static const struct checksum_row checksum_rows[] = {
    {"TCP with timestamps and data", 0, 0, -1, CHECKSUM_GOOD, CHECKSUM_GOOD},
    {"TCP with timestamps and data", 70, 1, -1, CHECKSUM_BAD, CHECKSUM_GOOD},
    {"TCP with timestamps and data", 22, 1, -1, CHECKSUM_GOOD, CHECKSUM_BAD},
    {"TCP with timestamps and data", 24, 0, 0, CHECKSUM_GOOD, CHECKSUM_PARTIAL},
    {"TCP with timestamps and data", 50, 0, 0x1430, CHECKSUM_PARTIAL, CHECKSUM_GOOD},
    {"TCP with timestamps and data", 50, 0, 0x140b, CHECKSUM_PARTIAL, CHECKSUM_GOOD},
    {"TCP with timestamps and data", 50, 0, 0x1431, CHECKSUM_BAD, CHECKSUM_GOOD},
    {"UDP", 40, 0, 0, CHECKSUM_UNCHECKED, CHECKSUM_GOOD},
    {"UDP", 45, 1, -1, CHECKSUM_BAD, CHECKSUM_GOOD},
    {"UDP", 0, 0, -1, CHECKSUM_GOOD, CHECKSUM_GOOD},
    {"ICMP echo", 0, 0, -1, CHECKSUM_GOOD, CHECKSUM_GOOD},
    {"ICMP echo", 40, 1, -1, CHECKSUM_BAD, CHECKSUM_GOOD},
    {"ICMPv6 echo", 0, 0, -1, CHECKSUM_GOOD, CHECKSUM_UNCHECKED},
    {"ICMPv6 echo", 60, 1, -1, CHECKSUM_BAD, CHECKSUM_UNCHECKED},
    {"TCP, payload cut by the snap length", 0, 0, -1, CHECKSUM_UNCHECKED, CHECKSUM_GOOD},
    {"VXLAN", 0, 0, -1, CHECKSUM_GOOD, CHECKSUM_GOOD},
};

static void test_checksums(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(checksum_rows) / sizeof(checksum_rows[0]); i++) {
        const struct checksum_row *row = &checksum_rows[i];
        uint8_t bytes[SAMPLE_MAX];
        struct packet packet = sample_packet(sample_named(row->sample), bytes);
        struct layers layers;
        bytes[row->at] ^= row->xor ;
        if (row->field >= 0) {
            bytes[row->at] = (uint8_t)(row->field >> 8);
            bytes[row->at + 1] = (uint8_t)row->field;
        }
        struct decoder *decoder = decoder_new(true);
        decode_packet(decoder, &packet, &layers);
        decoder_free(decoder);
        if (layers.checksum != row->transport || layers.ip_checksum != row->ip) {
            fail_msg("row %zu: %s: %d, IP %d", i, row->sample, layers.checksum, layers.ip_checksum);
        }
        decoder = decoder_new(false);
        decode_packet(decoder, &packet, &layers);
        decoder_free(decoder);
        assert_int_equal(layers.checksum, CHECKSUM_UNCHECKED);
        assert_int_equal(layers.ip_checksum, CHECKSUM_UNCHECKED);
    }
}

struct option_row {
    const char *options; /* hex; padded here to 4 bytes by the row itself */
    bool bad;
    uint16_t mss;
    int8_t scale;
    bool timestamp;
    uint8_t count;
};

static const struct option_row option_rows[] = {
    {"020405b4", false, 1460, -1, false, 1},
    {"02040000", false, 0, -1, false, 1},
    {"020305b4", true, 0, -1, false, 1}, /* MSS of one byte; b4 has no length behind it */
    {"020405b408010000", true, 1460, -1, false, 1}, /* a length below 2 */
    {"020405b408000000", true, 1460, -1, false, 1},
    {"020405b4080a0000", true, 1460, -1, false, 1}, /* runs over the end */
    {"03030f01", false, 0, 14, false, 2},           /* RFC 7323 2.3 */
    {"03020101", true, 0, -1, false, 3},
    {"0101080900000001000000020000", true, 0, -1, false, 3},
    {"0101080a0000000100000002", false, 0, -1, true, 3},
    {"0509000000010000000200000000", true, 0, -1, false, 1},
    {"fd04abcd", false, 0, -1, false, 1},
    {"fe04f989", false, 0, -1, false, 1},
    {"00ffffff", false, 0, -1, false, 1}, /* nothing counts behind the end */
    {"01010101010101010101010101010101"
     "01010101010101010101010101010101",
     false, 0, -1, false, 16},
};

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++) {
        const struct option_row *row = &option_rows[i];
        uint8_t bytes[SAMPLE_MAX] = {0};
        size_t len = hex_read(row->options, bytes + 40);
        len = (len + 3) / 4 * 4;
        bytes[0] = 0x45;
        bytes[3] = (uint8_t)(40 + len);
        bytes[9] = 6;
        bytes[32] = (uint8_t)((20 + len) / 4 << 4);
        struct packet packet = {.data = bytes, .link_type = 101};
        struct layers layers;
        packet.caplen = (uint32_t)(40 + len);
        packet.len = packet.caplen;
        struct decoder *decoder = decoder_new(false);
        decode_packet(decoder, &packet, &layers);
        decoder_free(decoder);
        assert_int_equal(layers.kind, LAYER_TCP);
        if (layers.tcp.options_bad != row->bad || layers.tcp.mss != row->mss ||
            layers.tcp.window_scale != row->scale || layers.tcp.has_timestamp != row->timestamp ||
            layers.tcp.option_count != row->count) {
            fail_msg("options %s: bad %d mss %u scale %d ts %d count %u", row->options,
                     layers.tcp.options_bad, layers.tcp.mss, layers.tcp.window_scale,
                     layers.tcp.has_timestamp, layers.tcp.option_count);
        }
    }
}

static void test_limits_count(void **state)
{
    (void)state;
    uint8_t bytes[SAMPLE_MAX];
    struct layers layers;
    struct decoder *decoder = decoder_new(false);
    struct packet packet = sample_packet(sample_named("IP in IP, nested five times"), bytes);
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(decoder_counters(decoder)->tunnel_limit, 1);
    packet = sample_packet(sample_named("TCP, data offset 4"), bytes);
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(decoder_counters(decoder)->malformed, 1);
    packet = sample_packet(sample_named("LLDP"), bytes);
    decode_packet(decoder, &packet, &layers);
    packet.link_type = 147; /* LINKTYPE_USER0 */
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(layers.kind, LAYER_UNKNOWN);
    assert_int_equal(decoder_counters(decoder)->unknown, 2);
    packet = sample_packet(sample_named("TCP, options cut by the snap length"), bytes);
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(decoder_counters(decoder)->truncated, 1);
    packet.caplen = 14 + 20 + 10; /* half of the TCP header */
    decode_packet(decoder, &packet, &layers);
    assert_int_equal(layers.kind, LAYER_OTHER_IP);
    assert_int_equal(layers.dst_port, 443);
    assert_int_equal(decoder_counters(decoder)->truncated, 2);
    assert_int_equal(decoder_counters(decoder)->malformed, 1);
    decoder_free(decoder);
}

static void test_link_types(void **state)
{
    static const uint16_t known[] = {0,   1,   9,   12,  14,  50,  51,  101, 104, 105,
                                     107, 108, 113, 127, 129, 204, 228, 229, 239, 276};
    (void)state;
    size_t count = 0;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        count += decode_link_known((uint16_t)type);
    }
    assert_int_equal(count, sizeof(known) / sizeof(known[0]));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_true(decode_link_known(known[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_nothing_stays),
        cmocka_unit_test(test_checksums),    cmocka_unit_test(test_options),
        cmocka_unit_test(test_limits_count), cmocka_unit_test(test_link_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
