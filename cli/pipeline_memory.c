/* How a ceiling is divided. */
#include "cli/pipeline.h"

#define DEFAULT_MEMORY (1024ull * 1024ull * 1024ull)
/* Of the ceiling, what the program and its libraries, the writer's queue (20 MiB), SQLite's caches, tables of fixed size
 * and free places of the heap take: up to 93 MiB above what is counted were measured under floods at 256 MiB. */
#define RESERVED_MEMORY (96ull * 1024ull * 1024ull)

uint64_t pipeline_memory(uint64_t memory_bytes)
{
    uint64_t all = memory_bytes != 0 ? memory_bytes : DEFAULT_MEMORY;
    return all >= 2 * RESERVED_MEMORY ? all - RESERVED_MEMORY : all / 8 * 3;
}
