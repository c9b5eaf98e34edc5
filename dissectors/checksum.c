#include "dissectors/checksum.h"

#include <string.h>

uint16_t checksum_fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

/* Sums side by side (a vector of the compiler's). */
typedef uint32_t lanes __attribute__((vector_size(32)));
/* The same wherever it lies in memory. */
typedef uint32_t lanes_at __attribute__((vector_size(32), aligned(1), may_alias));
#define STEP (2 * sizeof(lanes))
#define LANES (sizeof(lanes) / sizeof(uint32_t))
/* What the lanes hold without overflow: each step adds at most 2 * 0xffff. */
#define LANES_MOST (UINT32_MAX / (2 * 0xffffu) * STEP)

/* The processor that runs it decides: x86-64 promises 16 bytes at a time, most have 32. */
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target_clones("avx2", "default")))
#endif
static uint64_t sum_lanes(const uint8_t *bytes, size_t len)
{
    lanes low = {0}, high = {0};
    for (; len >= STEP; bytes += STEP, len -= STEP) {
        const lanes_at *at = (const lanes_at *)bytes;
        lanes first = at[0], second = at[1];
        low += (first & 0xffff) + (second & 0xffff);
        high += (first >> 16) + (second >> 16);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < LANES; i++)
        total += (uint64_t)low[i] + high[i];
    return total;
}

static uint64_t load_32(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* The sum does not depend on the byte order of the words as long as the result is turned at the end
 * (RFC 1071 2B), so that whole machine words can be added. Every byte of most packets comes through
 * here. */
uint16_t checksum_sum(const uint8_t *bytes, size_t len)
{
    uint64_t total = 0;
    while (len >= STEP) {
        size_t part = (len < LANES_MOST ? len : LANES_MOST) & ~(STEP - 1);
        total += sum_lanes(bytes, part);
        bytes += part;
        len -= part;
    }
    for (; len >= 8; bytes += 8, len -= 8)
        total += load_32(bytes) + load_32(bytes + 4);
    if ((len & 4) != 0) {
        total += load_32(bytes);
        bytes += 4;
    }
    if ((len & 3) != 0) {
        uint8_t tail[4] = {bytes[0], (len & 3) > 1 ? bytes[1] : 0, (len & 3) > 2 ? bytes[2] : 0};
        total += load_32(tail);
    }
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffffffff) + (total >> 32);
    uint16_t folded = checksum_fold((uint32_t)total);
    uint8_t pair[2];
    memcpy(pair, &folded, sizeof(pair));
    return (uint16_t)((uint32_t)pair[0] << 8 | pair[1]);
}
