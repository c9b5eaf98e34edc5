/* The table of open flows: open addressing on {hash, index}, flows in slabs, idle queues by class.
 *
 * A queue entry is looked at when its class's idle time has passed since it was queued; a flow that
 * was active in between goes to the end again. So packets never touch the queues. */
#ifndef INVCAP_SESSIONS_FLOW_TABLE_H
#define INVCAP_SESSIONS_FLOW_TABLE_H

#include "core/hints.h"
#include "sessions/flow.h"

#include <stddef.h>

struct flow_table;

/* seed: random secret of the hash. account gets the bytes in use. NULL when memory is out. */
struct flow_table *flow_table_new(uint64_t seed, uint64_t *account);
void flow_table_free(struct flow_table *table);
size_t flow_table_count(const struct flow_table *table);
/* The key's hash, for flow_table_find; the place to look at is fetched meanwhile. */
uint32_t flow_table_hash(const struct flow_table *table, const struct flow_key *key);
PER_PACKET
struct flow *flow_table_find(struct flow_table *table, const struct flow_key *key, uint32_t hash);
/* Adds a zeroed flow with that key; NULL when memory is out. Its class is CLASS_SYN. */
struct flow *flow_table_add(struct flow_table *table, const struct flow_key *key, int64_t now_ns);
/* Takes the flow out: it is no more. */
void flow_table_remove(struct flow_table *table, struct flow *flow);
/* Moves the flow to another class's queue. */
PER_PACKET
void flow_table_set_class(struct flow_table *table, struct flow *flow, enum flow_class class,
                          int64_t now_ns);
/* The next flow that is idle for longer than its class allows, or NULL. Not removed. */
APART
struct flow *flow_table_expired(struct flow_table *table, int64_t now_ns);
/* The flow to give up first when memory is short, one that long said nothing: of what has ended; of the class that more
 * than half of all are of; of handshakes that are not through; of the first class that has any. */
struct flow *flow_table_victim(struct flow_table *table);
/* All open flows, by id, for the end; out is freed by the caller. NULL when memory is out. */
struct flow **flow_table_all(struct flow_table *table, size_t *count);

#endif
