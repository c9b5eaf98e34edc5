/* How a ceiling is divided. */
#include "cli/pipeline.h"

#define DEFAULT_MEMORY (1024ull * 1024ull * 1024ull)
/* Of the ceiling, what the program and its libraries, the writer's queue (20 MiB), SQLite's caches and tables of fixed
 * size take. */
#define RESERVED_MEMORY (80ull * 1024ull * 1024ull)
/* An eighth of the rest is what the heap adds to what is counted: under floods at 256 MiB and 1 GiB the process took
 * 65 MiB and 1.15 times what was counted. A smaller ceiling is shared. */
#define SMALL_MEMORY (192ull * 1024ull * 1024ull)

uint64_t pipeline_memory(uint64_t memory_bytes)
{
    uint64_t all = memory_bytes != 0 ? memory_bytes : DEFAULT_MEMORY;
    return all >= SMALL_MEMORY ? (all - RESERVED_MEMORY) / 8 * 7 : all / 8 * 3;
}

/* A half: with it full, what is kept free fits into what is left to the heap above. */
uint64_t pipeline_heap_room(uint64_t memory_bytes)
{
    uint64_t all = memory_bytes != 0 ? memory_bytes : DEFAULT_MEMORY;
    return all >= SMALL_MEMORY ? all / 2 : 0;
}
