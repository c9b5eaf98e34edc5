/* Fixed-size objects from slabs with a free list: no malloc per packet, memory counted. */
#ifndef INVCAP_SESSIONS_POOL_H
#define INVCAP_SESSIONS_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    size_t size; /* of one object, rounded up to 16 */
    size_t per_slab;
    void *free_list;
    void *slabs;       /* linked */
    uint64_t *account; /* bytes of all slabs are added here; may be shared by several pools */
    size_t in_use;
};

void pool_init(struct pool *pool, size_t object_size, size_t per_slab, uint64_t *account);
/* Zeroed object, or NULL when memory is out. */
void *pool_take(struct pool *pool);
/* The same, with whatever bytes it has. */
void *pool_take_unset(struct pool *pool);
void pool_give(struct pool *pool, void *object);
/* Fetches what lies far behind in memory, all lines at once, before it is looked at one by one. NULL does nothing. */
static inline void pool_prefetch(const void *object, size_t size)
{
    for (size_t at = 0; object != NULL && at < size; at += 64)
        __builtin_prefetch((const char *)object + at, 1);
}
/* Frees all slabs; objects still in use are gone. */
void pool_free(struct pool *pool);

#endif
