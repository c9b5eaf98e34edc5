#include "sessions/tcp_recent.h"

#include "dissectors/checksum.h"
#include "sessions/tcp_internal.h"

#include <string.h>

#define MARK_BYTES 8u
/* A keep-alive or window probe may carry any byte; fewer than this prove nothing. */
#define COMPARED_LEAST 8u

size_t recent_size(uint32_t capacity)
{
    return sizeof(struct tcp_recent) + capacity * sizeof(struct recent_segment);
}

static uint16_t mark_of(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (uint16_t)((word * 0x9e3779b97f4a7c15u) >> 48);
}

/* Bytes from one mark to the next in a segment of that length, which is COMPARED_LEAST or more. */
static uint32_t mark_step(uint32_t len)
{
    return (len - MARK_BYTES) / (RECENT_MARKS - 1);
}

/* Every byte is at hand, and what its checksum says; and enough of them. */
static bool is_whole(const struct layers *l)
{
    return l->has_payload_sum && l->payload_caplen == l->payload_len && l->payload_len >= COMPARED_LEAST;
}

void recent_keep(struct tcp_recent *recent, enum side side, const struct packet *p,
                 const struct layers *l)
{
    if (l->payload_len > UINT16_MAX)
        return; /* an offload giant: rarely sent again as one */
    struct recent_segment *s = &recent->at[recent->total++ & (recent->capacity - 1)];
    *s = (struct recent_segment){.time_ns = p->time_ns,
                                 .sequence = l->tcp.sequence + ((l->tcp.flags & TCP_SYN) != 0),
                                 .frame = (uint32_t)p->frame,
                                 .timestamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0,
                                 .source_id = p->source_id,
                                 .sum = l->payload_sum,
                                 .len = (uint16_t)l->payload_len,
                                 .side = (uint8_t)side,
                                 .ttl = l->ttl,
                                 .wrong = tcp_is_wrong(l),
                                 .has_sum = is_whole(l)};
    if (!s->has_sum)
        return;
    const uint8_t *at = l->payload;
    uint32_t step = mark_step(s->len);
    s->marks[0] = mark_of(at); /* one by one: this runs for nearly every data segment */
    s->marks[1] = mark_of(at += step);
    s->marks[2] = mark_of(at += step);
    s->marks[3] = mark_of(at += step);
    s->marks[4] = mark_of(at + step);
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

/* The bytes of s came again in pieces, one after the other: all of them have the sum that it had. */
static bool pieces_differ(struct recent_segment *s, uint32_t at, const struct layers *l)
{
    if (at == 0)
        s->again_len = s->again_sum = 0;
    if (at != s->again_len)
        return false;
    uint16_t sum = l->payload_sum;
    if (at % 2 != 0) /* RFC 1071 2B */
        sum = (uint16_t)(sum << 8 | sum >> 8);
    s->again_sum = checksum_fold((uint32_t)s->again_sum + sum);
    s->again_len = (uint16_t)(at + l->payload_len);
    return s->again_len == s->len && s->again_sum % 0xffff != s->sum % 0xffff;
}

/* The marks of s that lie within [sequence, sequence + len of the payload). */
static bool marks_differ(const struct recent_segment *s, uint32_t sequence, const struct layers *l)
{
    uint32_t at = s->sequence - sequence;
    for (uint32_t i = 0, step = mark_step(s->len); i < RECENT_MARKS; i++, at += step) {
        if (at <= l->payload_len - MARK_BYTES && mark_of(l->payload + at) != s->marks[i])
            return true;
    }
    return false;
}

static bool differs(struct recent_segment *s, uint32_t sequence, const struct layers *l)
{
    uint32_t skip = s->sequence - sequence, at = sequence - s->sequence;
    if (skip <= l->payload_len && s->len <= l->payload_len - skip) {
        uint16_t sum = s->len == l->payload_len ? l->payload_sum
                                                : checksum_sum(l->payload + skip, s->len);
        return sum != s->sum;
    }
    bool within = at < s->len && l->payload_len <= s->len - at;
    return (within && pieces_differ(s, at, l)) || marks_differ(s, sequence, l);
}

const struct recent_segment *recent_conflict(struct tcp_recent *recent, enum side side,
                                             const struct layers *l)
{
    uint32_t sequence = l->tcp.sequence + ((l->tcp.flags & TCP_SYN) != 0);
    if (recent == NULL || !is_whole(l))
        return NULL;
    for (uint32_t i = 0; i < count_of(recent); i++) {
        struct recent_segment *s = &recent->at[i];
        if (s->has_sum && overlaps(s, side, sequence, l->payload_len) && differs(s, sequence, l))
            return s;
    }
    return NULL;
}
