/* Prints what the decoder makes of captures, one line a file, tab-separated with a heading: to be
 * compared with other tools' counts. With --list one line a packet. */
#include "capture/source.h"
#include "dissectors/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLOW_SLOTS (1u << 20) /* more than one of these captures has connections */

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
    bool list; /* one line a packet instead */
};

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
    static const char *const names[] = {"unknown", "arp",      "tcp",      "udp",
                                        "icmp",    "other_ip", "fragment", "malformed"};
    char src[ENDPOINT_TEXT_SIZE] = "";
    char dst[ENDPOINT_TEXT_SIZE] = "";
    if (l->ip_version != 0) {
        endpoint_to_text(&l->src, l->src_port, src);
        endpoint_to_text(&l->dst, l->dst_port, dst);
    }
    static const char *const sums[] = {"", "good", "bad", "partial"};
    printf("%llu\t%s\t%s\t%s\t%u\t%s\t%u\t%s\n", (unsigned long long)packet->frame, names[l->kind],
           src, dst, l->ip_protocol, l->tunnel, l->payload_len, sums[l->checksum]);
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

static void counts_print(const char *path, const struct run *run)
{
    const struct counts *c = &run->counts;
    const struct decode_counters *d = decoder_counters(run->decoder);
    const char *name = strrchr(path, '/');
    printf("%s\t%llu", name != NULL ? name + 1 : path, (unsigned long long)c->packets);
    for (size_t i = 0; i <= LAYER_MALFORMED; i++) {
        printf("\t%llu", (unsigned long long)c->kinds[i]);
    }
    const uint64_t rest[] = {c->flows,
                             c->arp_requests,
                             c->arp_replies,
                             c->icmp_errors,
                             c->quoted,
                             c->neighbors,
                             c->tunnels,
                             c->bad_options,
                             c->checksums[CHECKSUM_GOOD],
                             c->checksums[CHECKSUM_BAD],
                             c->checksums[CHECKSUM_PARTIAL],
                             d->fragments,
                             d->reassembled,
                             d->fragments_dropped,
                             d->fragment_overlaps,
                             d->fragment_timeouts,
                             d->truncated,
                             d->tunnel_limit,
                             c->decode_ns};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        printf("\t%llu", (unsigned long long)rest[i]);
    }
    putchar('\n');
}

/* Returns false when the file cannot be read to its end. */
static bool file_count(const char *path, bool list)
{
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    struct run run = {.list = list, .flow_slots = FLOW_SLOTS};
    struct source *source = source_open_file(path, 1, &error);
    enum source_result result = source != NULL ? SOURCE_IDLE : SOURCE_FAILED;
    run.decoder = decoder_new(true);
    run.flows = calloc(run.flow_slots, sizeof(*run.flows));
    if (run.decoder == NULL || run.flows == NULL) {
        result = SOURCE_FAILED;
    }
    while (result == SOURCE_PACKET || result == SOURCE_IDLE) {
        result = source_next(source, &packet, &error);
        if (result == SOURCE_PACKET) {
            packet_count(&run, &packet);
        }
    }
    if (result == SOURCE_FAILED) {
        fprintf(stderr, "%s\n", error.text);
    }
    if (run.counts.packets > 0 && !list) {
        counts_print(path, &run);
    }
    free(run.flows);
    decoder_free(run.decoder);
    source_close(source);
    return result == SOURCE_END;
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
    bool all_read = true;
    for (int i = list ? 2 : 1; i < argc; i++) {
        all_read &= file_count(argv[i], list);
    }
    return all_read ? 0 : 3;
}
