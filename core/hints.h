/* Where the compiler lays a function: what every packet runs through should fit the processor's instruction cache
 * (32 KiB), so that nothing else may lie in between (docs/performance.md). */
#ifndef INVCAP_CORE_HINTS_H
#define INVCAP_CORE_HINTS_H

/* Runs for few packets of any capture, or once: kept out of its callers and away from them. */
#define RARE __attribute__((cold, noinline))
/* A way of its own: some captures take it all the time, others never. Kept out of its callers. */
#define APART __attribute__((noinline))

/* Runs for every packet: laid beside the others of its kind, so that they share the cache's sets evenly. */
#define PER_PACKET __attribute__((hot))

#endif
