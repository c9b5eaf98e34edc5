/* Sorting of rows that mostly stand in order already, as what a capture tells does by time. */
#ifndef INVCAP_CORE_SORT_H
#define INVCAP_CORE_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* qsort that leaves rows in order as they are: one comparison each. */
static inline void sort_rows(void *rows, size_t count, size_t size, int (*order)(const void *, const void *))
{
    const char *at = rows;
    size_t i = 1;
    while (i < count && order(at + (i - 1) * size, at + i * size) <= 0)
        i++;
    if (i < count)
        qsort(rows, count, size, order);
}

/* A thing and the number that it is sorted by. */
struct keyed {
    uint64_t key;
    void *thing;
};

/* A signed number as a key of the same order. */
static inline uint64_t key_signed(int64_t number)
{
    return (uint64_t)number ^ (uint64_t)1 << 63;
}

/* Sorts by key and leaves things of one key in their order; the things are never looked at. `spare` is as
 * large as `rows` and keeps nothing. Costs one pass where the keys are in order, else one and a half for
 * each byte in which they differ. */
void sort_keyed(struct keyed *rows, struct keyed *spare, size_t count);

#endif
