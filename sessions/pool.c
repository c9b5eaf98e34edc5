#include "sessions/pool.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_HEADER 16

void pool_init(struct pool *pool, size_t object_size, size_t per_slab, uint64_t *account)
{
    *pool = (struct pool){
        .size = (object_size + 15) & ~(size_t)15, .per_slab = per_slab, .account = account};
}

/* The next pointers live inside the free objects; memcpy keeps it legal for any alignment. */
static void *next_of(const void *object)
{
    void *next;
    memcpy(&next, object, sizeof next);
    return next;
}

static void set_next(void *object, void *next)
{
    memcpy(object, &next, sizeof next);
}

static int add_slab(struct pool *pool)
{
    size_t bytes = SLAB_HEADER + pool->size * pool->per_slab;
    uint8_t *slab = malloc(bytes);
    if (slab == NULL)
        return 0;
    set_next(slab, pool->slabs);
    pool->slabs = slab;
    *pool->account += bytes;
    for (size_t i = pool->per_slab; i-- > 0;) {
        uint8_t *object = slab + SLAB_HEADER + i * pool->size;
        set_next(object, pool->free_list);
        pool->free_list = object;
    }
    return 1;
}

void *pool_take_unset(struct pool *pool)
{
    if (pool->free_list == NULL && !add_slab(pool))
        return NULL;
    void *object = pool->free_list;
    pool->free_list = next_of(object);
    __builtin_prefetch(pool->free_list, 1);
    pool->in_use++;
    return object;
}

void *pool_take(struct pool *pool)
{
    void *object = pool_take_unset(pool);
    return object != NULL ? memset(object, 0, pool->size) : NULL;
}

void pool_give(struct pool *pool, void *object)
{
    if (object == NULL)
        return;
    set_next(object, pool->free_list);
    pool->free_list = object;
    pool->in_use--;
}

void pool_free(struct pool *pool)
{
    while (pool->slabs != NULL) {
        void *next = next_of(pool->slabs);
        free(pool->slabs);
        pool->slabs = next;
    }
    pool->free_list = NULL;
    pool->in_use = 0;
}
