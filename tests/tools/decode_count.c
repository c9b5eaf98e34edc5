/* Prints what the decoder makes of captures, one line a file, tab-separated with a heading: to be
 * compared with other tools' counts. Reads pcap and pcapng itself, so that it tests nothing else. */
#include "core/bytes.h"
#include "core/limits.h"
#include "dissectors/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERFACE_MAX 64

struct counts {
    uint64_t packets, kinds[LAYER_MALFORMED + 1];
    uint64_t arp_requests, arp_replies, icmp_errors, quoted, tunnels, neighbors;
    uint64_t bad_options, checksums[CHECKSUM_PARTIAL + 1];
    uint64_t flows, decode_ns;
};

struct run {
    struct decoder *decoder;
    struct flow_key *flows; /* open addressing */
    size_t flow_slots;      /* more than there can be packets */
    struct counts counts;
    bool list;              /* one line a packet instead */
};

static uint8_t *file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
    if (bytes != NULL) {
        *len = fread(bytes, 1, (size_t)size, file);
    }
    fclose(file);
    return bytes;
}

static void flow_count(struct run *run, const struct layers *layers)
{
    struct flow_key key;
    struct flow_key empty;
    bool swapped;
    uint64_t hash = 0xcbf29ce484222325u;
    memset(&empty, 0, sizeof(empty));
    flow_key_make(&layers->src, layers->src_port, &layers->dst, layers->dst_port, 6, &key,
                  &swapped);
    for (size_t i = 0; i < sizeof(key); i++) {
        hash = (hash ^ ((const uint8_t *)&key)[i]) * 0x100000001b3u;
    }
    for (size_t at = hash % run->flow_slots;; at = (at + 1) % run->flow_slots) {
        if (memcmp(&run->flows[at], &empty, sizeof(empty)) == 0) {
            run->flows[at] = key;
            run->counts.flows++;
            return;
        }
        if (memcmp(&run->flows[at], &key, sizeof(key)) == 0) {
            return;
        }
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void packet_list(const struct packet *packet, const struct layers *l)
{
    static const char *const names[] = {"unknown", "arp",      "tcp",     "udp",
                                        "icmp",    "other_ip", "fragment", "malformed"};
    char src[ENDPOINT_TEXT_SIZE] = "";
    char dst[ENDPOINT_TEXT_SIZE] = "";
    if (l->ip_version != 0) {
        endpoint_to_text(&l->src, l->src_port, src);
        endpoint_to_text(&l->dst, l->dst_port, dst);
    }
    printf("%llu\t%s\t%s\t%s\t%u\t%s\t%u\n", (unsigned long long)packet->frame, names[l->kind], src,
           dst, l->ip_protocol, l->tunnel, l->payload_len);
}

static void packet_count(struct run *run, const struct packet *packet)
{
    struct layers layers;
    struct counts *counts = &run->counts;
    uint64_t start = now_ns();
    decode_packet(run->decoder, packet, &layers);
    counts->decode_ns += now_ns() - start;
    counts->packets++;
    counts->kinds[layers.kind]++;
    counts->checksums[layers.checksum]++;
    counts->tunnels += layers.tunnel_depth > 0;
    if (layers.neighbor.present && layers.neighbor.ndp) {
        counts->neighbors++;
    } else if (layers.neighbor.present) {
        *(layers.neighbor.is_request ? &counts->arp_requests : &counts->arp_replies) += 1;
    }
    if (layers.kind == LAYER_ICMP) {
        counts->icmp_errors += layers.icmp.is_error;
        counts->quoted += layers.icmp.quoted.present;
    }
    if (layers.kind == LAYER_TCP) {
        counts->bad_options += layers.tcp.options_bad;
        flow_count(run, &layers);
    }
    if (run->list) {
        packet_list(packet, &layers);
    }
}

static uint32_t read_u32(struct cursor *c, bool little)
{
    return little ? cur_u32le(c) : cur_u32(c);
}

static uint16_t read_u16(struct cursor *c, bool little)
{
    return little ? cur_u16le(c) : cur_u16(c);
}

/* `modified`: the format of a patched libpcap 0.8 with eight more bytes a packet. */
static void pcap_read(struct run *run, struct cursor c, bool little, uint32_t unit_ns, bool modified)
{
    cur_skip(&c, 20);
    uint16_t link_type = (uint16_t)read_u32(&c, little);
    struct packet packet = {.link_type = link_type, .source_id = 1};
    for (;;) {
        int64_t seconds = read_u32(&c, little);
        int64_t fraction = read_u32(&c, little);
        packet.caplen = read_u32(&c, little);
        packet.len = read_u32(&c, little);
        cur_skip(&c, modified ? 8 : 0);
        packet.data = cur_take(&c, packet.caplen);
        if (!cur_ok(&c) || packet.caplen > LIMIT_PACKET_BYTES) {
            return;
        }
        packet.len = packet.len < packet.caplen ? packet.caplen : packet.len;
        packet.time_ns = seconds * 1000000000 + fraction * unit_ns;
        packet.frame++;
        packet_count(run, &packet);
    }
}

struct interfaces {
    uint16_t link_type[INTERFACE_MAX];
    uint32_t snaplen[INTERFACE_MAX];
    uint32_t count;
};

static void block_read(struct run *run, struct packet *packet, struct interfaces *known,
                       uint32_t type, struct cursor body, bool little)
{
    uint32_t interface = 0;
    if (type == 1 && known->count < INTERFACE_MAX) {
        known->link_type[known->count] = read_u16(&body, little);
        cur_skip(&body, 2);
        known->snaplen[known->count++] = read_u32(&body, little);
        return;
    }
    if (type == 6) {
        interface = read_u32(&body, little);
    } else if (type == 2) {
        interface = read_u16(&body, little);
        cur_skip(&body, 2);
    } else if (type != 3) {
        return;
    }
    packet->frame++;
    if (interface >= known->count) {
        return;
    }
    if (type == 3) {
        packet->len = read_u32(&body, little);
        uint32_t snaplen = known->snaplen[0] != 0 ? known->snaplen[0] : UINT32_MAX;
        packet->caplen = packet->len < snaplen ? packet->len : snaplen;
    } else {
        /* Microseconds, unless the interface says otherwise: near enough for the timeouts here. */
        uint64_t time = (uint64_t)read_u32(&body, little) << 32;
        time |= read_u32(&body, little);
        packet->time_ns = (int64_t)(time & 0x001fffffffffffff) * 1000;
        packet->caplen = read_u32(&body, little);
        packet->len = read_u32(&body, little);
    }
    packet->data = cur_take(&body, packet->caplen);
    packet->link_type = known->link_type[interface];
    if (packet->data != NULL) {
        packet->len = packet->len < packet->caplen ? packet->caplen : packet->len;
        packet_count(run, packet);
    }
}

static void pcapng_read(struct run *run, struct cursor c)
{
    struct interfaces known = {.count = 0};
    struct packet packet = {.source_id = 1};
    bool little = true;
    while (cur_left(&c) >= 12) {
        struct cursor head = c;
        uint32_t type = read_u32(&head, little);
        struct cursor lens = c;
        cur_skip(&lens, 4);
        if (type == 0x0a0d0d0a) {
            struct cursor magic = c;
            cur_skip(&magic, 8);
            little = cur_u32le(&magic) == 0x1a2b3c4d;
            known.count = 0;
        }
        uint32_t len = read_u32(&lens, little);
        if (len < 12) {
            return;
        }
        struct cursor body = cur_cut(&c, len);
        cur_skip(&body, 8);
        if (!cur_ok(&body)) {
            return;
        }
        body.end -= 4;
        block_read(run, &packet, &known, type, body, little);
    }
}

static bool capture_read(struct run *run, const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    struct cursor magic_cursor = c;
    uint32_t magic = cur_u32(&magic_cursor);
    switch (magic) {
    case 0xa1b2c3d4:
    case 0xa1b23c4d:
    case 0xa1b2cd34:
        pcap_read(run, c, false, magic == 0xa1b23c4d ? 1 : 1000, magic == 0xa1b2cd34);
        return true;
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
    case 0x34cdb2a1:
        pcap_read(run, c, true, magic == 0x4d3cb2a1 ? 1 : 1000, magic == 0x34cdb2a1);
        return true;
    case 0x0a0d0d0a:
        pcapng_read(run, c);
        return true;
    default:
        return false;
    }
}

static void counts_print(const char *path, const struct run *run)
{
    const struct counts *c = &run->counts;
    const struct decode_counters *d = decoder_counters(run->decoder);
    const char *name = strrchr(path, '/');
    printf("%s\t%llu", name != NULL ? name + 1 : path, (unsigned long long)c->packets);
    for (size_t i = 0; i <= LAYER_MALFORMED; i++) {
        printf("\t%llu", (unsigned long long)c->kinds[i]);
    }
    const uint64_t rest[] = {c->flows, c->arp_requests, c->arp_replies, c->icmp_errors, c->quoted,
                             c->neighbors, c->tunnels, c->bad_options, c->checksums[CHECKSUM_GOOD],
                             c->checksums[CHECKSUM_BAD], c->checksums[CHECKSUM_PARTIAL],
                             d->fragments, d->reassembled, d->fragments_dropped,
                             d->fragment_overlaps, d->fragment_timeouts, d->truncated,
                             d->tunnel_limit, c->decode_ns};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        printf("\t%llu", (unsigned long long)rest[i]);
    }
    putchar('\n');
}

static void file_count(const char *path, bool list)
{
    size_t len = 0;
    uint8_t *bytes = file_read(path, &len);
    struct run run = {.decoder = decoder_new(true), .list = list, .flow_slots = len / 30 + 2};
    run.flows = calloc(run.flow_slots, sizeof(*run.flows));
    if (run.decoder == NULL || bytes == NULL || run.flows == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else if (capture_read(&run, bytes, len) && !list) {
        counts_print(path, &run);
    }
    free(run.flows);
    free(bytes);
    decoder_free(run.decoder);
}

static void usage_print(const char *program)
{
    fprintf(stderr, "usage: %s [--list] capture...\n", program);
}

int main(int argc, char **argv)
{
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    if (argc < 2) {
        usage_print(argv[0]);
        return 2;
    }
    if (!list) {
        puts("file\tpackets\tunknown\tarp\ttcp\tudp\ticmp\tother_ip\tfragment\tmalformed\tflows\t"
             "arp_req\tarp_rep\ticmp_err\tquoted\tndp\ttunnels\tbad_options\tgood\tbad\tpartial\t"
             "fragments\treassembled\tdropped\toverlaps\ttimeouts\ttruncated\ttunnel_limit\tns");
    }
    for (int i = list ? 2 : 1; i < argc; i++) {
        file_count(argv[i], list);
    }
    return 0;
}
