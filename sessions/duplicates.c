#include "sessions/duplicates.h"
#include "core/hints.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Sets of two: at 100,000 packets a second most copies that come 10 ms later are found. */
#define RING_SETS 4096u
#define RING_WAYS 2
/* Switches deliver a mirror's second copy within microseconds, busy ones within 20 ms; what an end
 * system sends again so soon has another IP ID. */
#define MIRROR_WINDOW_NS 25000000LL
#define SYN_WINDOW_NS 2000000LL
/* A router or firewall may hold a packet for some queueing time. */
#define ROUTED_WINDOW_NS 100000000LL
#define LOOP_WINDOW_NS 2000000000LL
/* Three times lower: the fourth sighting on its way around. */
#define LOOP_DROPS 3
/* The capture's own disorder shows the copy behind a router first; more hops are another path. */
#define DISORDER_HOPS 2
/* "Usual" is judged over so many packets, and not before the first few. */
#define USUAL_PACKETS 1024u
#define USUAL_FIRST 4u

struct sighting {
    uint64_t digest;
    int64_t first_ns, last_ns;
    uint32_t link;             /* hash of MACs and VLAN of the first copy */
    uint8_t ttl_high, ttl_low; /* of the copies */
    uint8_t count;             /* 0: free */
    uint8_t drops;             /* copies whose TTL was lower than all before */
};

struct duplicates {
    struct sighting sets[RING_SETS][RING_WAYS];
    uint64_t seed;
    uint32_t packets, repeats; /* with content, lately; and those seen before to the letter */
};

struct duplicates *duplicates_new(uint64_t seed)
{
    /* A set fills one cache line. */
    struct duplicates *ring = aligned_alloc(64, (sizeof *ring + 63) & ~(size_t)63);
    if (ring == NULL)
        return NULL;
    memset(ring, 0, sizeof *ring);
    ring->seed = seed;
    return ring;
}

void duplicates_free(struct duplicates *ring)
{
    free(ring);
}

/* What makes a packet itself, without what a router changes: the header fields and the first bytes
 * stand for the payload. Words are filled without padding, so that the hash sees only them. */
#define IDENTITY_WORDS 18

static uint64_t join(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

static size_t put_addresses(const struct layers *l, uint64_t *words)
{
    if (l->ip_version == 4) {
        uint32_t src, dst;
        memcpy(&src, l->src.bytes, 4);
        memcpy(&dst, l->dst.bytes, 4);
        words[0] = join(src, dst);
        return 1;
    }
    memcpy(words, l->src.bytes, 16);
    memcpy(words + 2, l->dst.bytes, 16);
    return 4;
}

static size_t put_tcp(const struct tcp_header *tcp, uint64_t *words)
{
    size_t count = 0;
    words[count++] = join(tcp->sequence, tcp->acknowledgment);
    words[count++] = join(tcp->flags, tcp->window);
    if (tcp->has_timestamp)
        words[count++] = join(tcp->timestamp_value, tcp->timestamp_echo);
    if (tcp->sack_count > 0)
        words[count++] = join(tcp->sack[0], tcp->sack[1]);
    return count;
}

RARE
static size_t put_icmp(const struct icmp_header *icmp, uint64_t *words)
{
    words[0] = join((uint32_t)icmp->id << 16 | icmp->sequence, icmp->mtu);
    if (!icmp->is_error || !icmp->quoted.present)
        return 1;
    words[1] =
        join((uint32_t)icmp->quoted.src_port << 16 | icmp->quoted.dst_port, icmp->quoted.sequence);
    words[2] = icmp->quoted.ip_id;
    return 3;
}

static uint64_t digest_of(const struct duplicates *ring, const struct layers *l)
{
    uint64_t words[IDENTITY_WORDS];
    size_t count = put_addresses(l, words);
    words[count++] =
        join((uint32_t)l->src_port << 16 | l->dst_port,
             (uint32_t)l->ip_id << 16 | (uint32_t)(l->ip_protocol << 8) | l->ip_version);
    words[count++] = l->payload_len;
    if (l->kind == LAYER_TCP)
        count += put_tcp(&l->tcp, words + count);
    else if (l->kind == LAYER_ICMP)
        count += put_icmp(&l->icmp, words + count);
    if (l->payload_caplen > 0) {
        words[count] = words[count + 1] = 0;
        if (l->payload_caplen >= 16)
            memcpy(words + count, l->payload, 16);
        else
            memcpy(words + count, l->payload, l->payload_caplen);
        count += 2;
    }
    return XXH3_64bits_withSeed(words, count * sizeof words[0], ring->seed);
}

/* The set of a packet does not depend on the seed: the same capture gives the same copies each
 * time. */
static struct sighting *set_of(struct duplicates *ring, const struct layers *l)
{
    uint64_t mix = join((uint32_t)l->src_port << 16 | l->dst_port, l->ip_id);
    if (l->kind == LAYER_TCP)
        mix ^= join(l->tcp.acknowledgment, l->tcp.sequence);
    mix ^= l->payload_len;
    mix *= 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: Knuth's multiplicative hash */
    return ring->sets[mix >> 52];
}

static uint32_t link_of(const struct layers *l)
{
    uint32_t src = 0, dst = 0;
    uint16_t src_rest = 0, dst_rest = 0;
    if (l->has_mac) {
        memcpy(&src, l->src_mac, 4);
        memcpy(&src_rest, l->src_mac + 4, 2);
        memcpy(&dst, l->dst_mac, 4);
        memcpy(&dst_rest, l->dst_mac + 4, 2);
    }
    uint64_t mac = join(src, (uint32_t)src_rest << 16 | dst_rest) ^ join((uint32_t)l->vlan, dst);
    return (uint32_t)(mac * 0x9e3779b97f4a7c15u >> 32);
}

/* Content makes the proof: nobody sends the same bytes twice within milliseconds all the time,
 * while honest duplicate ACKs are equal to the letter. */
static bool has_content(const struct layers *l)
{
    return l->payload_len > 0 ||
           (l->kind == LAYER_TCP && (l->tcp.flags & (TCP_SYN | TCP_FIN)) != 0);
}

static void note_usual(struct duplicates *ring, bool repeat)
{
    ring->packets++;
    ring->repeats += repeat;
    if (ring->packets == USUAL_PACKETS) {
        ring->packets /= 2;
        ring->repeats /= 2;
    }
}

/* Without an IP ID two honest packets can be equal to the letter (duplicate ACKs, resets, a quick
 * retransmission): they are copies only where most packets come twice. A SYN waits for hundreds of
 * milliseconds before it is sent again; a SYN-ACK may answer one right before its own timer ends.
 */
static bool is_proven(const struct duplicates *ring, const struct layers *l, int64_t age)
{
    if (l->ip_id != 0)
        return true;
    if (l->kind == LAYER_TCP && (l->tcp.flags & TCP_SYN) != 0 && age < SYN_WINDOW_NS)
        return true;
    return ring->packets >= USUAL_FIRST && ring->repeats * 3 > ring->packets;
}

static enum copy_kind classify(const struct duplicates *ring, const struct sighting *seen,
                               const struct layers *l, uint32_t link, int64_t age)
{
    bool soon = age < MIRROR_WINDOW_NS && is_proven(ring, l, age);
    if (l->ttl < seen->ttl_low) {
        if (seen->drops + 1 >= LOOP_DROPS && age < LOOP_WINDOW_NS)
            return COPY_LOOP;
        return age < (seen->drops > 0 ? LOOP_WINDOW_NS : ROUTED_WINDOW_NS) ? COPY_ROUTED
                                                                           : COPY_NONE;
    }
    if (l->ttl > seen->ttl_high)
        return soon && l->ttl - seen->ttl_high <= DISORDER_HOPS ? COPY_ROUTED : COPY_NONE;
    if (link != seen->link && age < ROUTED_WINDOW_NS)
        return COPY_ROUTED;
    return soon ? COPY_MIRROR : COPY_NONE;
}

RARE
static void note_copy(struct sighting *seen, const struct packet *packet, const struct layers *l)
{
    seen->last_ns = packet->time_ns;
    if (l->ttl < seen->ttl_low) {
        seen->ttl_low = l->ttl;
        if (seen->drops < UINT8_MAX)
            seen->drops++;
    }
    if (l->ttl > seen->ttl_high)
        seen->ttl_high = l->ttl;
    if (seen->count < UINT8_MAX)
        seen->count++;
}

void duplicates_prefetch(struct duplicates *ring, const struct layers *layers)
{
    __builtin_prefetch(set_of(ring, layers), 1);
}

enum copy_kind duplicates_check(struct duplicates *ring, const struct packet *packet,
                                const struct layers *layers, int64_t *delay_ns)
{
    uint64_t digest = digest_of(ring, layers);
    uint32_t link = link_of(layers);
    struct sighting *set = set_of(ring, layers), *seen = NULL;
    for (int way = 0; way < RING_WAYS && seen == NULL; way++) {
        if (set[way].count > 0 && set[way].digest == digest)
            seen = &set[way];
    }
    int64_t age = seen == NULL ? INT64_MAX : packet->time_ns - seen->last_ns;
    age = age < 0 ? -age : age;
    if (has_content(layers))
        note_usual(ring, age < MIRROR_WINDOW_NS);
    enum copy_kind kind = seen == NULL ? COPY_NONE : classify(ring, seen, layers, link, age);
    if (kind != COPY_NONE) {
        *delay_ns = packet->time_ns - seen->first_ns;
        note_copy(seen, packet, layers);
        return kind;
    }
    if (seen == NULL)
        seen = set[0].count == 0 || (set[1].count > 0 && set[0].last_ns <= set[1].last_ns)
                   ? &set[0]
                   : &set[1];
    *seen = (struct sighting){
        digest, packet->time_ns, packet->time_ns, link, layers->ttl, layers->ttl, 1, 0};
    return COPY_NONE;
}
