#include "core/arena.h"

#include "core/heap.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256u * 1024u)
#define ALIGNMENT 16u
#define TEXT_MAX 512

struct arena_block {
    struct arena_block *before;
    size_t used, capacity;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_free(struct arena *arena)
{
    while (arena->last != NULL) {
        struct arena_block *before = arena->last->before;
        free(arena->last);
        arena->last = before;
    }
    arena->bytes = 0;
}

void *arena_take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_block *block = arena->last;
    if (block == NULL || block->capacity - block->used < size) {
        size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = malloc(sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        heap_note_growth();
        block->before = arena->last;
        block->used = 0;
        block->capacity = capacity;
        arena->last = block;
        arena->bytes += sizeof *block + capacity;
    }
    void *at = block->bytes + block->used;
    block->used += size;
    memset(at, 0, size);
    return at;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_take(arena, size);
    if (copy != NULL && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

const char *arena_format(struct arena *arena, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    return arena_copy(arena, text, strlen(text) + 1);
}

bool array_reserve(void **items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t grown = *capacity == 0 ? 64 : *capacity * 2;
    if (grown > SIZE_MAX / size)
        return false;
    void *moved = realloc(*items, grown * size);
    if (moved == NULL)
        return false;
    *items = moved;
    *capacity = grown;
    return true;
}
