#include "core/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* Larger blocks have pages of their own that go when they are freed. Set by hand: else the limit rises with the largest
 * block that was ever freed, up to 32 MiB, and tables stay where they once grew. */
#define OWN_PAGES (512 * 1024)
#define LARGE_PAGE ((uintptr_t)2 * 1024 * 1024)
/* What the heap grows by once it is larger than that: a large page is one only where all of it is there before its
 * first byte is touched. Tables of a small run are to have pages of their own that nobody touches. */
#define GROWTH (8 * 1024 * 1024)
#define USUAL_GROWTH (128 * 1024)
#define SMALL_HEAP (4ull * 1024 * 1024)
/* Less is not worth that. */
#define LEAST_ROOM (32ull * 1024 * 1024)

static uintptr_t start;        /* of the heap */
static _Atomic uintptr_t seen; /* its end, when it was looked at last */
static _Atomic uint64_t room;
static atomic_bool wide; /* how it grows */

static uintptr_t end_now(void)
{
    return (uintptr_t)sbrk(0);
}

void heap_start(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, OWN_PAGES);
    start = end_now();
    seen = start;
}

void heap_set_room(uint64_t bytes)
{
    atomic_store_explicit(&room, bytes >= LEAST_ROOM ? bytes : 0, memory_order_relaxed);
}

static bool is_roomy(uint64_t bytes)
{
    return bytes < atomic_load_explicit(&room, memory_order_relaxed);
}

/* Other threads may read the old value once more. */
static void set_growth(bool to_wide)
{
    if (atomic_exchange_explicit(&wide, to_wide, memory_order_relaxed) != to_wide)
        (void)mallopt(M_TOP_PAD, to_wide ? GROWTH : USUAL_GROWTH);
}

void heap_note_growth(void)
{
    uintptr_t end = end_now(), before = atomic_load_explicit(&seen, memory_order_relaxed);
    if (end == before)
        return;
    atomic_store_explicit(&seen, end, memory_order_relaxed);
    bool quick = is_roomy(end - start) && end - start >= SMALL_HEAP;
    set_growth(quick);
    uintptr_t from = (before < end ? before : end) / LARGE_PAGE * LARGE_PAGE, to = end / LARGE_PAGE * LARGE_PAGE;
    if (quick && from < to)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* only a wish */
}

void heap_trim(void)
{
    if (!is_roomy(mallinfo2().arena)) /* of all threads, wherever the C library has it from */
        (void)malloc_trim(0);
}
