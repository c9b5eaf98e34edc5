#include "core/heap.h"

#include <malloc.h>

/* Larger blocks have pages of their own that go when they are freed. Set by hand: else the limit rises with the largest
 * block that was ever freed, up to 32 MiB, and tables stay where they once grew. */
#define OWN_PAGES (512 * 1024)

void heap_start(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, OWN_PAGES);
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}
