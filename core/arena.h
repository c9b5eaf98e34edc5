/* Memory of one owner: many small things, freed at once. */
#ifndef INVCAP_CORE_ARENA_H
#define INVCAP_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *last;
    size_t bytes; /* of all blocks */
};

void arena_free(struct arena *arena);
/* Returns zeroed memory for any type, alive until arena_free; NULL when memory is out. */
void *arena_take(struct arena *arena, size_t size);
/* Returns a copy of `bytes`. */
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
/* Returns the text; NULL when memory is out. */
const char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for one more of `count` items of `size` bytes in *items; false when memory is out. */
bool array_reserve(void **items, size_t *capacity, size_t count, size_t size);

#endif
