/* Sorting of rows that mostly stand in order already, as what a capture tells does by time. */
#ifndef INVCAP_CORE_SORT_H
#define INVCAP_CORE_SORT_H

#include <stdbool.h>
#include <stddef.h>
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

#endif
