#include "sessions/tcp_recent.h"

#include "dissectors/checksum.h"
#include "sessions/tcp_internal.h"

#include <string.h>

#define HEAD_BYTES 16u
/* A keep-alive or window probe may carry any byte; fewer than this prove nothing. */
#define COMPARED_LEAST 8u

size_t recent_size(uint32_t capacity)
{
    return sizeof(struct tcp_recent) + capacity * sizeof(struct recent_segment);
}

static uint32_t head_of(const struct layers *l)
{
    uint64_t words[2];
    if (l->payload_caplen < HEAD_BYTES)
        return 0;
    memcpy(words, l->payload, sizeof words);
    uint64_t mixed = (words[0] * 0x9e3779b97f4a7c15u) ^ (words[1] * 0xff51afd7ed558ccdu);
    uint32_t head = (uint32_t)(mixed >> 32);
    return head != 0 ? head : 1;
}

void recent_keep(struct tcp_recent *recent, enum side side, const struct packet *p,
                 const struct layers *l)
{
    if (l->payload_len > UINT16_MAX)
        return; /* an offload giant: rarely sent again as one */
    recent->at[recent->total++ % recent->capacity] =
        (struct recent_segment){.time_ns = p->time_ns,
                                .sequence = l->tcp.sequence + ((l->tcp.flags & TCP_SYN) != 0),
                                .frame = (uint32_t)p->frame,
                                .head = head_of(l),
                                .timestamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0,
                                .source_id = p->source_id,
                                .sum = l->payload_sum,
                                .len = (uint16_t)l->payload_len,
                                .side = (uint8_t)side,
                                .ttl = l->ttl,
                                .wrong = tcp_is_wrong(l),
                                .has_sum = l->has_payload_sum};
}

static bool overlaps(const struct recent_segment *s, enum side side, uint32_t sequence,
                     uint32_t len)
{
    return s->side == side && (int32_t)(s->sequence - (sequence + len)) < 0 &&
           (int32_t)(s->sequence + s->len - sequence) > 0;
}

static uint32_t count_of(const struct tcp_recent *recent)
{
    return recent->total < recent->capacity ? recent->total : recent->capacity;
}

const struct recent_segment *recent_find(const struct tcp_recent *recent, enum side side,
                                         uint32_t sequence, uint32_t len)
{
    for (uint32_t i = 0; recent != NULL && i < count_of(recent); i++) {
        if (overlaps(&recent->at[i], side, sequence, len))
            return &recent->at[i];
    }
    return NULL;
}

bool recent_has_newer(const struct tcp_recent *recent, enum side side, uint32_t timestamp)
{
    for (uint32_t i = 0; recent != NULL && i < count_of(recent); i++) {
        const struct recent_segment *s = &recent->at[i];
        if (s->side == side && s->timestamp != 0 && (int32_t)(s->timestamp - timestamp) > 0)
            return true;
    }
    return false;
}

bool recent_take_wrong(struct tcp_recent *recent, enum side side, uint32_t sequence, uint32_t len)
{
    bool found = false;
    for (uint32_t i = 0; recent != NULL && i < count_of(recent); i++) {
        struct recent_segment *s = &recent->at[i];
        if (s->wrong && overlaps(s, side, sequence, len)) {
            found = true;
            s->wrong = false;
        }
    }
    return found;
}

/* Compares what can be: a kept segment that lies within the new one by its sum, one that begins with
 * it by its first bytes. */
static bool differs(const struct recent_segment *s, uint32_t sequence, const struct layers *l)
{
    uint32_t skip = s->sequence - sequence;
    if (skip <= l->payload_len && s->len <= l->payload_len - skip && s->len >= COMPARED_LEAST) {
        uint16_t sum = s->len == l->payload_len ? l->payload_sum
                                                : checksum_sum(l->payload + skip, s->len);
        return sum != s->sum;
    }
    return skip == 0 && s->head != 0 && head_of(l) != 0 && head_of(l) != s->head;
}

const struct recent_segment *recent_conflict(const struct tcp_recent *recent, enum side side,
                                             const struct layers *l)
{
    uint32_t sequence = l->tcp.sequence + ((l->tcp.flags & TCP_SYN) != 0);
    if (recent == NULL || !l->has_payload_sum || l->payload_caplen != l->payload_len)
        return NULL;
    for (uint32_t i = 0; i < count_of(recent); i++) {
        const struct recent_segment *s = &recent->at[i];
        if (s->has_sum && overlaps(s, side, sequence, l->payload_len) && differs(s, sequence, l))
            return s;
    }
    return NULL;
}
