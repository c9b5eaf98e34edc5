/* Attempts that led to nothing, when there are too many: a flood or a scan must not fill memory and
 * store with rows that all say the same. The first ones of a server port, of a client and of the
 * capture are kept as flows; the others are counted together here, one record per port or client.
 *
 * What is kept depends on the packets alone, never on the memory at hand. Bounded: LIMIT_SWARM_KEYS
 * ports and clients are watched at once, LIMIT_SWARMS of them counted together. */
#ifndef INVCAP_SESSIONS_SWARMS_H
#define INVCAP_SESSIONS_SWARMS_H

#include "core/hints.h"
#include "core/record.h"

#include <stdbool.h>
#include <stdint.h>

struct swarms;

/* NULL when memory is out. */
struct swarms *swarms_new(int64_t capture_id);
void swarms_free(struct swarms *swarms);
/* The record of a closed flow, with its TCP facts (NULL: not TCP); has_resets: rows tell of its resets. True: it led
 * to nothing and was one of too many, so that it is counted here and needs no row. Rows of other tables must not name
 * it: the caller asks for such flows only. */
bool swarms_take(struct swarms *swarms, const struct flow_record *flow,
                 const struct flow_tcp_record *tcp, bool has_resets);
APART
void swarms_finish(struct swarms *swarms, const struct sink *sink);

#endif
