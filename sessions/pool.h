/* Fixed-size objects from slabs: no malloc per packet, memory counted. A slab of which nothing is in use goes back to
 * the system, so that what one kind of traffic took is there for the next. */
#ifndef INVCAP_SESSIONS_POOL_H
#define INVCAP_SESSIONS_POOL_H

#include <stddef.h>
#include <stdint.h>

struct slab;

struct pool {
    size_t size;       /* of one object, rounded up to 16 */
    void *warm;        /* given back last, up to POOL_WARM: the next ones to take */
    uint32_t warm_count;
    uint32_t empty;    /* slabs in `open` of which nothing is in use */
    struct slab *open; /* with room */
    struct slab *full;
    uint64_t *account; /* bytes of all slabs are added here; may be shared by several pools */
};

/* object_size: at most a fourth of a slab (16 KiB). */
void pool_init(struct pool *pool, size_t object_size, uint64_t *account);
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
