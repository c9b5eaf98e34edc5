/* Which name a client found an address by: names the flows that follow an answer. Bounded; newer pairs
 * take the place of older ones. Nothing shown depends on its order. */
#ifndef INVCAP_SESSIONS_RESOLVED_H
#define INVCAP_SESSIONS_RESOLVED_H

#include "core/address.h"

struct resolved;

/* NULL when memory is out. */
struct resolved *resolved_new(uint64_t seed);
void resolved_free(struct resolved *table);
/* name is kept as it is: interned. */
void resolved_note(struct resolved *table, const struct address *client,
                   const struct address *server, const char *name);
/* NULL when that client asked for no name with that address. */
const char *resolved_find(const struct resolved *table, const struct address *client,
                          const struct address *server);

#endif
