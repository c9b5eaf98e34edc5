/* The event ring of a flow: its first 16 and last 48 events, and between them the first of each remarkable
 * kind, in chunks that grow with it so that a SYN-only flow pays for four. */
#ifndef INVCAP_SESSIONS_EVENTS_H
#define INVCAP_SESSIONS_EVENTS_H

#include "core/record.h"
#include "sessions/pool.h"

#define EVENTS_SMALL 4
#define EVENTS_MIDDLE 16
#define EVENTS_LARGE 32
/* Of one kind so many stay between head and tail. */
#define EVENTS_ALIKE 2

struct event_list {
    struct flow_event *at; /* NULL, or room for so many as capacity says, then for FLOW_EVENTS_MAX */
    uint32_t total;        /* ever added */
    uint16_t capacity;     /* of those above, or FLOW_EVENTS_RING */
    uint16_t kept;         /* between head and tail; they stand behind the ring */
};

struct event_pools {
    struct pool small, middle, large, full;
};

void events_init(struct event_pools *pools, uint64_t *account);
void events_free(struct event_pools *pools);
/* Where the next event is to be written, whole; the oldest of the tail makes room. NULL without memory: it is
 * left out. */
struct flow_event *events_next(struct event_pools *pools, struct event_list *list);
void events_release(struct event_pools *pools, struct event_list *list);
/* Copies them in time order into out; returns how many. */
size_t events_copy(const struct event_list *list, struct flow_event out[FLOW_EVENTS_MAX]);
/* The sides change places. */
void events_flip(struct event_list *list);
/* The event added last, to refine it; NULL when none. */
struct flow_event *events_last(const struct event_list *list);

#endif
