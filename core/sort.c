#include "core/sort.h"

#include <stdint.h>
#include <string.h>

#define DIGITS 256
#define DIGIT_BITS 8
/* Fewer are put in their places one by one: clearing the counts of one digit takes as long. */
#define FEW 32

static bool in_order(const struct keyed *rows, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (rows[i - 1].key > rows[i].key)
            return false;
    }
    return true;
}

static void sort_few(struct keyed *rows, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct keyed row = rows[i];
        size_t at = i;
        for (; at > 0 && rows[at - 1].key > row.key; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

static void sort_digit(const struct keyed *from, struct keyed *to, size_t count, unsigned shift)
{
    size_t place[DIGITS] = {0}, next = 0;
    for (size_t i = 0; i < count; i++)
        place[from[i].key >> shift & (DIGITS - 1)]++;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = place[digit];
        place[digit] = next;
        next += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

void sort_keyed(struct keyed *rows, struct keyed *spare, size_t count)
{
    if (in_order(rows, count))
        return;
    if (count <= FEW) {
        sort_few(rows, count);
        return;
    }
    struct keyed *from = rows, *to = spare;
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= rows[i].key ^ rows[0].key;
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        if ((differ >> shift & (DIGITS - 1)) == 0)
            continue;
        sort_digit(from, to, count, shift);
        struct keyed *last = from;
        from = to;
        to = last;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof *rows);
}
