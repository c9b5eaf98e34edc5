#include "store/private.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t len, capacity;
    alignas(max_align_t) unsigned char bytes[];
};

#define ARENA_CHUNK_BYTES ((size_t)64 * 1024)

static struct arena_chunk *chunk_with_room(struct arena *arena, size_t len)
{
    struct arena_chunk *chunk = arena->chunks;
    if (chunk != NULL && chunk->capacity - chunk->len >= len) {
        return chunk;
    }
    size_t capacity = len > ARENA_CHUNK_BYTES ? len : ARENA_CHUNK_BYTES;
    chunk = malloc(sizeof *chunk + capacity);
    if (chunk == NULL) {
        return NULL;
    }
    *chunk = (struct arena_chunk){.next = arena->chunks, .capacity = capacity};
    arena->chunks = chunk;
    return chunk;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    size_t room = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_chunk *chunk = room >= len ? chunk_with_room(arena, room) : NULL;
    if (chunk == NULL) {
        return NULL;
    }
    void *copy = chunk->bytes + chunk->len;
    memcpy(copy, bytes, len);
    chunk->len += room;
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}
