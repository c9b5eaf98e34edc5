#include "sessions/pool.h"

#include "core/heap.h"
#include "core/hints.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A slab begins at a multiple of its size: an object's address tells its slab. */
#define SLAB_BYTES ((size_t)64 * 1024)
#define SLAB_HEADER 64
/* Connections that end just when others begin pass their memory on while the cache has it. */
#define POOL_WARM 8
/* Slabs kept although nothing of them is in use: the next object may need one. */
#define POOL_SPARE 1

struct slab {
    struct slab *next, *before;
    void *free_list;
    uint8_t *fresh; /* from here on nothing was ever taken */
    size_t used;
};

void pool_init(struct pool *pool, size_t object_size, uint64_t *account)
{
    *pool = (struct pool){.size = (object_size + 15) & ~(size_t)15, .account = account};
    assert(pool->size <= SLAB_BYTES / 4);
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

static void unlink_slab(struct slab **list, struct slab *slab)
{
    *(slab->before != NULL ? &slab->before->next : list) = slab->next;
    if (slab->next != NULL)
        slab->next->before = slab->before;
}

static void link_slab(struct slab **list, struct slab *slab)
{
    slab->before = NULL;
    slab->next = *list;
    if (*list != NULL)
        (*list)->before = slab;
    *list = slab;
}

static bool has_fresh(const struct pool *pool, const struct slab *slab)
{
    return (size_t)((const uint8_t *)slab + SLAB_BYTES - slab->fresh) >= pool->size;
}

APART
static bool add_slab(struct pool *pool)
{
    struct slab *slab = aligned_alloc(SLAB_BYTES, SLAB_BYTES);
    if (slab == NULL)
        return false;
    heap_note_growth();
    *slab = (struct slab){.fresh = (uint8_t *)slab + SLAB_HEADER};
    *pool->account += SLAB_BYTES;
    pool->empty++;
    link_slab(&pool->open, slab);
    return true;
}

APART
static void *take_from_slab(struct pool *pool)
{
    if (pool->open == NULL && !add_slab(pool))
        return NULL;
    struct slab *slab = pool->open;
    void *object = slab->free_list;
    if (object != NULL) {
        slab->free_list = next_of(object);
    } else {
        object = slab->fresh;
        slab->fresh += pool->size;
    }
    pool->empty -= slab->used++ == 0;
    if (slab->free_list == NULL && !has_fresh(pool, slab)) {
        unlink_slab(&pool->open, slab);
        link_slab(&pool->full, slab);
    }
    return object;
}

APART
static void give_to_slab(struct pool *pool, void *object)
{
    struct slab *slab = (struct slab *)((uintptr_t)object & ~(uintptr_t)(SLAB_BYTES - 1));
    if (slab->free_list == NULL && !has_fresh(pool, slab)) {
        unlink_slab(&pool->full, slab);
        link_slab(&pool->open, slab);
    }
    set_next(object, slab->free_list);
    slab->free_list = object;
    if (--slab->used > 0)
        return;
    if (pool->empty < POOL_SPARE) {
        pool->empty++;
        return;
    }
    unlink_slab(&pool->open, slab);
    free(slab);
    *pool->account -= SLAB_BYTES;
}

void *pool_take_unset(struct pool *pool)
{
    void *object = pool->warm;
    if (object == NULL)
        return take_from_slab(pool);
    pool->warm = next_of(object);
    pool->warm_count--;
    __builtin_prefetch(pool->warm, 1);
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
    if (pool->warm_count == POOL_WARM) {
        give_to_slab(pool, object);
        return;
    }
    set_next(object, pool->warm);
    pool->warm = object;
    pool->warm_count++;
}

static void free_list(struct slab *slab)
{
    while (slab != NULL) {
        struct slab *next = slab->next;
        free(slab);
        slab = next;
    }
}

void pool_free(struct pool *pool)
{
    free_list(pool->open);
    free_list(pool->full);
    pool->open = pool->full = NULL;
    pool->warm = NULL;
    pool->warm_count = pool->empty = 0;
}
