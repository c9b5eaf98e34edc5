#include "sessions/duplicates.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define RING_SLOTS 8192u
/* Switches deliver a mirror's second copy within microseconds; 5 ms leaves room for busy ones and is
 * far below any retransmission timer. */
#define MIRROR_WINDOW_NS 5000000LL
/* A router or firewall may hold a packet for some queueing time. */
#define ROUTED_WINDOW_NS 100000000LL
#define LOOP_WINDOW_NS 2000000000LL
#define LOOP_SIGHTINGS 4

struct sighting {
    uint64_t digest;
    int64_t first_ns, last_ns;
    uint32_t link;    /* hash of MACs and VLAN of the first copy */
    uint8_t ttl;      /* of the last copy */
    uint8_t count;
};

struct duplicates {
    struct sighting slots[RING_SLOTS];
    uint64_t seed;
    uint64_t originals, copies;
};

struct duplicates *duplicates_new(uint64_t seed)
{
    struct duplicates *ring = calloc(1, sizeof *ring);
    if (ring != NULL)
        ring->seed = seed;
    return ring;
}

void duplicates_free(struct duplicates *ring)
{
    free(ring);
}

/* What makes a packet itself, without what a router changes: the header fields and its checksum stand
 * for the payload. */
struct identity {
    struct address src, dst;
    uint8_t protocol;
    uint16_t ip_id, src_port, dst_port, flags, window;
    uint32_t sequence, acknowledgment, payload_len, timestamp_value, timestamp_echo, sack[2];
    uint8_t head[16];
};

static uint64_t digest_of(const struct duplicates *ring, const struct layers *l)
{
    struct identity id;
    memset(&id, 0, sizeof id); /* padding counts in the hash */
    id.src = l->src;
    id.dst = l->dst;
    id.protocol = l->ip_protocol;
    id.ip_id = l->ip_id;
    id.src_port = l->src_port;
    id.dst_port = l->dst_port;
    id.payload_len = l->payload_len;
    if (l->kind == LAYER_TCP) {
        id.flags = l->tcp.flags;
        id.window = l->tcp.window;
        id.sequence = l->tcp.sequence;
        id.acknowledgment = l->tcp.acknowledgment;
        if (l->tcp.has_timestamp) {
            id.timestamp_value = l->tcp.timestamp_value;
            id.timestamp_echo = l->tcp.timestamp_echo;
        }
        if (l->tcp.sack_count > 0)
            memcpy(id.sack, l->tcp.sack, sizeof id.sack);
    }
    size_t head = l->payload_caplen < sizeof id.head ? l->payload_caplen : sizeof id.head;
    if (head > 0)
        memcpy(id.head, l->payload, head);
    return XXH3_64bits_withSeed(&id, sizeof id, ring->seed);
}

static uint32_t link_of(const struct duplicates *ring, const struct layers *l)
{
    uint8_t bytes[16] = {0};
    if (l->has_mac) {
        memcpy(bytes, l->src_mac, 6);
        memcpy(bytes + 6, l->dst_mac, 6);
    }
    memcpy(bytes + 12, &l->vlan, 4);
    return (uint32_t)XXH3_64bits_withSeed(bytes, sizeof bytes, ring->seed);
}

/* Without an IP ID two honest packets can be equal to the letter (duplicate ACKs, a quick
 * retransmission): they are copies only where most packets come twice. */
static bool copies_are_usual(const struct duplicates *ring)
{
    return (ring->copies + 1) * 2 > ring->originals;
}

static enum copy_kind classify(const struct duplicates *ring, const struct sighting *seen,
                               const struct packet *packet, const struct layers *l, uint32_t link)
{
    int64_t age = packet->time_ns - seen->last_ns;
    if (age < 0)
        age = -age;
    if (l->ttl < seen->ttl && seen->count + 1 >= LOOP_SIGHTINGS && age < LOOP_WINDOW_NS)
        return COPY_LOOP;
    if (l->ttl < seen->ttl && age < (seen->count > 1 ? LOOP_WINDOW_NS : ROUTED_WINDOW_NS))
        return COPY_ROUTED;
    if (link != seen->link && age < ROUTED_WINDOW_NS && l->ttl <= seen->ttl)
        return COPY_ROUTED;
    if (l->ttl == seen->ttl && link == seen->link && age < MIRROR_WINDOW_NS &&
        (l->ip_id != 0 || copies_are_usual(ring)))
        return COPY_MIRROR;
    return COPY_NONE;
}

enum copy_kind duplicates_check(struct duplicates *ring, const struct packet *packet,
                                const struct layers *layers, int64_t *delay_ns)
{
    uint64_t digest = digest_of(ring, layers);
    uint32_t link = link_of(ring, layers);
    struct sighting *seen = &ring->slots[digest & (RING_SLOTS - 1)];
    if (seen->count > 0 && seen->digest == digest) {
        enum copy_kind kind = classify(ring, seen, packet, layers, link);
        if (kind != COPY_NONE) {
            *delay_ns = packet->time_ns - seen->first_ns;
            seen->last_ns = packet->time_ns;
            seen->ttl = layers->ttl;
            if (seen->count < UINT8_MAX)
                seen->count++;
            ring->copies++;
            return kind;
        }
    }
    ring->originals++;
    *seen = (struct sighting){digest, packet->time_ns, packet->time_ns, link, layers->ttl, 1};
    return COPY_NONE;
}
