#include "dissectors/checksum.h"

#include "core/bytes.h"

#include <string.h>

uint16_t checksum_fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

/* The sum does not depend on the byte order of the words as long as the result is turned at the end
 * (RFC 1071 2B), so that whole machine words can be added. */
uint16_t checksum_sum(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    uint64_t total = 0;
    while (cur_left(&c) >= 32) { /* four words at a time: this is most bytes of most packets */
        uint64_t words[4];
        memcpy(words, cur_take(&c, 32), sizeof(words));
        total += (words[0] & 0xffffffff) + (words[0] >> 32) + (words[1] & 0xffffffff) +
                 (words[1] >> 32) + (words[2] & 0xffffffff) + (words[2] >> 32) +
                 (words[3] & 0xffffffff) + (words[3] >> 32);
    }
    while (cur_left(&c) >= 8) {
        uint64_t word;
        memcpy(&word, cur_take(&c, 8), sizeof(word));
        total += (word & 0xffffffff) + (word >> 32);
    }
    if (cur_left(&c) > 0) {
        uint8_t tail[8] = {0};
        size_t left = cur_left(&c);
        uint64_t word;
        memcpy(tail, cur_take(&c, left), left);
        memcpy(&word, tail, sizeof(word));
        total += (word & 0xffffffff) + (word >> 32);
    }
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffffffff) + (total >> 32);
    uint16_t folded = checksum_fold((uint32_t)total);
    uint8_t pair[2];
    memcpy(pair, &folded, sizeof(pair));
    return (uint16_t)((uint32_t)pair[0] << 8 | pair[1]);
}
