#include "dissectors/checksum.h"

#include <string.h>

uint16_t checksum_fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

/* Four sums side by side (a vector of the compiler's). */
typedef uint32_t lanes __attribute__((vector_size(16)));
/* What the lanes hold without overflow: each step adds at most 2 * 0xffff. */
#define LANES_MOST ((UINT32_MAX / (2 * 0xffffu)) * sizeof(lanes))

static uint64_t sum_lanes(const uint8_t *bytes, size_t len)
{
    lanes sums[2] = {{0}, {0}};
    for (; len >= 2 * sizeof(lanes); bytes += 2 * sizeof(lanes), len -= 2 * sizeof(lanes)) {
        lanes words[2];
        memcpy(words, bytes, sizeof(words));
        sums[0] += (words[0] & 0xffff) + (words[0] >> 16);
        sums[1] += (words[1] & 0xffff) + (words[1] >> 16);
    }
    uint64_t total = 0;
    for (int i = 0; i < 4; i++)
        total += (uint64_t)sums[0][i] + sums[1][i];
    return total;
}

/* The sum does not depend on the byte order of the words as long as the result is turned at the end
 * (RFC 1071 2B), so that whole machine words can be added. Every byte of most packets comes through
 * here. */
uint16_t checksum_sum(const uint8_t *bytes, size_t len)
{
    uint64_t total = 0;
    while (len >= 2 * sizeof(lanes)) {
        size_t part = (len < LANES_MOST ? len : LANES_MOST) & ~(2 * sizeof(lanes) - 1);
        total += sum_lanes(bytes, part);
        bytes += part;
        len -= part;
    }
    for (; len >= 4; bytes += 4, len -= 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof(word));
        total += word;
    }
    if (len > 0) {
        uint8_t tail[4] = {0};
        uint32_t word;
        memcpy(tail, bytes, len);
        memcpy(&word, tail, sizeof(word));
        total += word;
    }
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffffffff) + (total >> 32);
    uint16_t folded = checksum_fold((uint32_t)total);
    uint8_t pair[2];
    memcpy(pair, &folded, sizeof(pair));
    return (uint16_t)((uint32_t)pair[0] << 8 | pair[1]);
}
