#include "sessions/events.h"

#include <string.h>

void events_init(struct event_pools *pools, uint64_t *account)
{
    pool_init(&pools->small, EVENTS_SMALL * sizeof(struct flow_event), account);
    pool_init(&pools->middle, EVENTS_MIDDLE * sizeof(struct flow_event), account);
    pool_init(&pools->large, EVENTS_LARGE * sizeof(struct flow_event), account);
    pool_init(&pools->full, FLOW_EVENTS_MAX * sizeof(struct flow_event), account);
}

void events_free(struct event_pools *pools)
{
    pool_free(&pools->small);
    pool_free(&pools->middle);
    pool_free(&pools->large);
    pool_free(&pools->full);
}

static struct pool *pool_of(struct event_pools *pools, uint32_t capacity)
{
    return capacity == EVENTS_SMALL    ? &pools->small
           : capacity == EVENTS_MIDDLE ? &pools->middle
           : capacity == EVENTS_LARGE  ? &pools->large
                                       : &pools->full;
}

static bool grow(struct event_pools *pools, struct event_list *list)
{
    uint32_t capacity = list->capacity == 0               ? EVENTS_SMALL
                        : list->capacity == EVENTS_SMALL  ? EVENTS_MIDDLE
                        : list->capacity == EVENTS_MIDDLE ? EVENTS_LARGE
                                                          : FLOW_EVENTS_RING;
    struct flow_event *at = pool_take_unset(pool_of(pools, capacity));
    if (at == NULL)
        return false;
    if (list->at != NULL) {
        memcpy(at, list->at, list->capacity * sizeof *at);
        pool_give(pool_of(pools, list->capacity), list->at);
    }
    list->at = at;
    list->capacity = (uint16_t)capacity;
    return true;
}

static uint32_t slot_of(uint32_t number)
{
    return number < FLOW_EVENTS_HEAD
               ? number
               : FLOW_EVENTS_HEAD + (number - FLOW_EVENTS_HEAD) % FLOW_EVENTS_TAIL;
}

/* What a finding may name as its proof; packets like all others are not missed. */
static bool is_remarkable(enum event_kind kind)
{
    return kind != EVENT_ACK && kind != EVENT_DATA && kind != EVENT_DUPLICATE_ACK && kind != EVENT_REQUEST &&
           kind != EVENT_RESPONSE && kind != EVENT_DATAGRAM;
}

/* An event that makes room in the tail: the first of each remarkable kind stay. */
static void keep(struct event_list *list, const struct flow_event *event)
{
    uint32_t alike = 0;
    if (!is_remarkable(event->kind) || list->kept == FLOW_EVENTS_KEPT)
        return;
    for (uint32_t i = 0; i < list->kept; i++)
        alike += list->at[FLOW_EVENTS_RING + i].kind == event->kind;
    if (alike < EVENTS_ALIKE)
        list->at[FLOW_EVENTS_RING + list->kept++] = *event;
}

struct flow_event *events_next(struct event_pools *pools, struct event_list *list)
{
    if (list->total >= list->capacity && list->capacity < FLOW_EVENTS_RING && !grow(pools, list))
        return NULL;
    struct flow_event *at = &list->at[slot_of(list->total)];
    if (list->total >= FLOW_EVENTS_RING)
        keep(list, at);
    list->total++;
    return at;
}

void events_release(struct event_pools *pools, struct event_list *list)
{
    if (list->at != NULL)
        pool_give(pool_of(pools, list->capacity), list->at);
    *list = (struct event_list){0};
}

size_t events_copy(const struct event_list *list, struct flow_event out[FLOW_EVENTS_MAX])
{
    uint32_t first = list->total > FLOW_EVENTS_RING ? list->total - FLOW_EVENTS_TAIL : 0;
    size_t count = 0;
    for (uint32_t n = 0; n < FLOW_EVENTS_HEAD && n < list->total; n++)
        out[count++] = list->at[n];
    for (uint32_t n = 0; n < list->kept; n++)
        out[count++] = list->at[FLOW_EVENTS_RING + n];
    for (uint32_t n = first > FLOW_EVENTS_HEAD ? first : FLOW_EVENTS_HEAD; n < list->total; n++)
        out[count++] = list->at[slot_of(n)];
    return count;
}

void events_flip(struct event_list *list)
{
    uint32_t count = list->total < FLOW_EVENTS_RING ? list->total : FLOW_EVENTS_RING + (uint32_t)list->kept;
    for (uint32_t i = 0; i < count; i++) {
        if (list->at[i].side < SIDE_NONE)
            list->at[i].side = !list->at[i].side;
    }
}

struct flow_event *events_last(const struct event_list *list)
{
    return list->total == 0 ? NULL : &list->at[slot_of(list->total - 1)];
}
