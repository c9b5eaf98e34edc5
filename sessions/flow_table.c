#include "sessions/flow_table.h"

#include "core/hints.h"
#include "core/limits.h"
#include "core/sort.h"
#include "sessions/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 4096u
#define CHUNK_FLOWS 256u
#define NO_CHUNK UINT32_MAX
#define SLOT_FREE 0u
/* So many flows that still speak are passed over in the search for an idle one. */
#define VICTIM_CHANCES 64

struct slot {
    uint32_t hash;
    uint32_t index; /* flow index + 1; SLOT_FREE none */
};

struct entry {
    uint32_t index, generation;
    int64_t check_ns;
};

struct queue { /* ring buffer */
    struct entry *entries;
    size_t capacity, head, count;
    int64_t idle_ns;
};

struct chunk {
    struct flow flows[CHUNK_FLOWS];
    uint32_t used, fresh; /* flows in use; from here on nothing was ever taken */
    uint32_t free_flow;   /* place of a free one, chained by flow.index; CHUNK_FLOWS none */
    uint32_t next, before; /* chunks with room; NO_CHUNK ends the list */
};

struct flow_table {
    struct slot *slots;
    uint32_t slot_count;
    uint32_t count;
    uint64_t seed;
    struct chunk **chunks; /* NULL: was given back */
    uint32_t chunk_count, open; /* open: a chunk with room, or NO_CHUNK */
    uint32_t generation;
    struct queue queues[CLASS_COUNT];
    uint32_t live[CLASS_COUNT]; /* flows of each class */
    uint64_t *account;
};

static const int64_t class_idle_ns[CLASS_COUNT] = {
    [CLASS_SYN] = LIMIT_IDLE_SYN_NS,
    [CLASS_HALF_OPEN] = LIMIT_IDLE_SYN_NS,
    [CLASS_INSISTENT] = LIMIT_IDLE_SYN_NS,
    [CLASS_LONE] = LIMIT_IDLE_ESTABLISHED_NS,
    [CLASS_ENDED] = LIMIT_IDLE_CLOSED_NS,
    [CLASS_SETTLED] = LIMIT_IDLE_SETTLED_NS,
    [CLASS_CLOSED] = LIMIT_IDLE_CLOSED_NS,
    [CLASS_CLOSING] = LIMIT_IDLE_CLOSING_NS,
    [CLASS_DATAGRAM] = LIMIT_IDLE_UDP_NS,
    [CLASS_JOINED] = LIMIT_IDLE_ESTABLISHED_NS,
    [CLASS_ESTABLISHED] = LIMIT_IDLE_ESTABLISHED_NS,
};

struct address flow_address(const struct flow *flow, enum side side)
{
    bool high = (side == SIDE_CLIENT) == flow->client_is_high;
    struct address a = {{0}, flow->key.family};
    memcpy(a.bytes, high ? flow->key.high : flow->key.low, sizeof a.bytes);
    return a;
}

uint16_t flow_port(const struct flow *flow, enum side side)
{
    bool high = (side == SIDE_CLIENT) == flow->client_is_high;
    return high ? flow->key.high_port : flow->key.low_port;
}

struct flow_table *flow_table_new(uint64_t seed, uint64_t *account)
{
    struct flow_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->seed = seed;
    table->open = NO_CHUNK;
    table->account = account;
    table->slot_count = FIRST_SLOTS;
    table->slots = calloc(table->slot_count, sizeof *table->slots);
    for (int c = 0; c < CLASS_COUNT; c++)
        table->queues[c].idle_ns = class_idle_ns[c];
    if (table->slots == NULL) {
        free(table);
        return NULL;
    }
    *account += table->slot_count * sizeof *table->slots;
    return table;
}

void flow_table_free(struct flow_table *table)
{
    if (table == NULL)
        return;
    for (uint32_t i = 0; i < table->chunk_count; i++)
        free(table->chunks[i]);
    for (int c = 0; c < CLASS_COUNT; c++)
        free(table->queues[c].entries);
    free(table->chunks);
    free(table->slots);
    free(table);
}

size_t flow_table_count(const struct flow_table *table)
{
    return table->count;
}

static struct flow *flow_at(const struct flow_table *table, uint32_t index)
{
    return &table->chunks[index / CHUNK_FLOWS]->flows[index % CHUNK_FLOWS];
}

PER_PACKET
static uint32_t hash_of(const struct flow_table *table, const struct flow_key *key)
{
    /* The ports were written just now, in pieces: to read them as a whole would wait for that. */
    uint64_t rest = (uint64_t)key->low_port << 48 | (uint64_t)key->high_port << 32 |
                    (uint64_t)key->protocol << 8 | key->family;
    return (uint32_t)XXH3_64bits_withSeed(key->low, sizeof key->low + sizeof key->high,
                                          table->seed ^ rest * 0x9e3779b97f4a7c15u);
}

uint32_t flow_table_hash(const struct flow_table *table, const struct flow_key *key)
{
    uint32_t hash = hash_of(table, key);
    __builtin_prefetch(&table->slots[hash & (table->slot_count - 1)]);
    return hash;
}

struct flow *flow_table_find(struct flow_table *table, const struct flow_key *key, uint32_t hash)
{
    uint32_t mask = table->slot_count - 1;
    for (uint32_t at = hash & mask; table->slots[at].index != SLOT_FREE; at = (at + 1) & mask) {
        if (table->slots[at].hash != hash)
            continue;
        struct flow *flow = flow_at(table, table->slots[at].index - 1);
        if (memcmp(&flow->key, key, sizeof *key) == 0)
            return flow;
    }
    return NULL;
}

static void insert_slot(struct slot *slots, uint32_t slot_count, struct slot slot)
{
    uint32_t mask = slot_count - 1;
    uint32_t at = slot.hash & mask;
    while (slots[at].index != SLOT_FREE)
        at = (at + 1) & mask;
    slots[at] = slot;
}

static bool grow_slots(struct flow_table *table)
{
    uint32_t count = table->slot_count * 2;
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].index != SLOT_FREE)
            insert_slot(slots, count, table->slots[i]);
    }
    free(table->slots);
    *table->account += (count - table->slot_count) * sizeof *slots;
    table->slots = slots;
    table->slot_count = count;
    return true;
}

/* ---- places of flows ------------------------------------------------------------------------- */

static void open_chunk(struct flow_table *table, uint32_t number)
{
    struct chunk *chunk = table->chunks[number];
    chunk->before = NO_CHUNK;
    chunk->next = table->open;
    if (table->open != NO_CHUNK)
        table->chunks[table->open]->before = number;
    table->open = number;
}

static void close_chunk(struct flow_table *table, const struct chunk *chunk)
{
    if (chunk->before != NO_CHUNK)
        table->chunks[chunk->before]->next = chunk->next;
    else
        table->open = chunk->next;
    if (chunk->next != NO_CHUNK)
        table->chunks[chunk->next]->before = chunk->before;
}

/* A number that is free, or a new one. */
static bool take_number(struct flow_table *table, uint32_t *out)
{
    for (*out = 0; *out < table->chunk_count; ++*out) {
        if (table->chunks[*out] == NULL)
            return true;
    }
    struct chunk **chunks = realloc(table->chunks, (table->chunk_count + 1) * sizeof *chunks);
    if (chunks == NULL)
        return false;
    table->chunks = chunks;
    table->chunks[table->chunk_count++] = NULL;
    return true;
}

APART
static bool add_chunk(struct flow_table *table)
{
    uint32_t number;
    struct chunk *chunk = calloc(1, sizeof *chunk); /* stale entries of a queue look at what was never taken */
    if (chunk == NULL || !take_number(table, &number)) {
        free(chunk);
        return false;
    }
    chunk->free_flow = CHUNK_FLOWS;
    table->chunks[number] = chunk;
    open_chunk(table, number);
    *table->account += sizeof *chunk;
    return true;
}

static bool take_index(struct flow_table *table, uint32_t *out)
{
    if (table->open == NO_CHUNK && !add_chunk(table))
        return false;
    struct chunk *chunk = table->chunks[table->open];
    uint32_t place = chunk->free_flow;
    if (place < CHUNK_FLOWS)
        chunk->free_flow = chunk->flows[place].index;
    else
        place = chunk->fresh++;
    *out = table->open * CHUNK_FLOWS + place;
    chunk->used++;
    if (chunk->free_flow == CHUNK_FLOWS && chunk->fresh == CHUNK_FLOWS)
        close_chunk(table, chunk);
    return true;
}

/* A chunk that nobody uses goes, unless it is the last one with room. */
static void give_index(struct flow_table *table, uint32_t index)
{
    uint32_t number = index / CHUNK_FLOWS;
    struct chunk *chunk = table->chunks[number];
    if (chunk->free_flow == CHUNK_FLOWS && chunk->fresh == CHUNK_FLOWS)
        open_chunk(table, number);
    chunk->flows[index % CHUNK_FLOWS].index = chunk->free_flow;
    chunk->free_flow = index % CHUNK_FLOWS;
    if (--chunk->used > 0 || (chunk->next == NO_CHUNK && chunk->before == NO_CHUNK))
        return;
    close_chunk(table, chunk);
    *table->account -= sizeof *chunk;
    free(chunk);
    table->chunks[number] = NULL;
}

/* The live flow of an entry in its queue, or NULL when the entry is stale. */
static struct flow *entry_flow(const struct flow_table *table, const struct entry *entry, int class)
{
    if (table->chunks[entry->index / CHUNK_FLOWS] == NULL)
        return NULL;
    struct flow *flow = flow_at(table, entry->index);
    return flow->generation == entry->generation && flow->class == class ? flow : NULL;
}

/* Entries of flows that are gone or in another class; a long idle time lets many gather. */
static void queue_compact(const struct flow_table *table, struct queue *queue)
{
    int class = (int)(queue - table->queues);
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++) {
        struct entry entry = queue->entries[(queue->head + i) % queue->capacity];
        if (entry_flow(table, &entry, class) != NULL)
            queue->entries[(queue->head + kept++) % queue->capacity] = entry;
    }
    queue->count = kept;
}

static bool queue_push(struct flow_table *table, struct queue *queue, struct entry entry)
{
    if (queue->count == queue->capacity && queue->count >= (size_t)table->count * 2)
        queue_compact(table, queue);
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 1024 : queue->capacity * 2;
        struct entry *entries = malloc(capacity * sizeof *entries);
        if (entries == NULL)
            return false;
        for (size_t i = 0; i < queue->count; i++)
            entries[i] = queue->entries[(queue->head + i) % queue->capacity];
        free(queue->entries);
        *table->account += (capacity - queue->capacity) * sizeof *entries;
        queue->entries = entries;
        queue->capacity = capacity;
        queue->head = 0;
    }
    queue->entries[(queue->head + queue->count) % queue->capacity] = entry;
    queue->count++;
    return true;
}

static void queue_pop(struct queue *queue)
{
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
}

struct flow *flow_table_add(struct flow_table *table, const struct flow_key *key, int64_t now_ns)
{
    uint32_t index;
    if ((uint64_t)table->count * 10 >= (uint64_t)table->slot_count * 7 && !grow_slots(table))
        return NULL;
    if (!take_index(table, &index))
        return NULL;
    struct flow *flow = flow_at(table, index);
    memset(flow, 0, sizeof *flow);
    flow->key = *key;
    flow->index = index;
    flow->generation = ++table->generation;
    flow->class = CLASS_COUNT;
    insert_slot(table->slots, table->slot_count, (struct slot){hash_of(table, key), index + 1});
    table->count++;
    flow->last_ns = now_ns;
    flow_table_set_class(table, flow, CLASS_SYN, now_ns);
    return flow;
}

/* Backward-shift deletion keeps probe runs whole without tombstones. */
static void erase_slot(struct flow_table *table, uint32_t at)
{
    uint32_t mask = table->slot_count - 1;
    uint32_t hole = at;
    for (uint32_t i = (at + 1) & mask; table->slots[i].index != SLOT_FREE; i = (i + 1) & mask) {
        uint32_t home = table->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole].index = SLOT_FREE;
}

void flow_table_remove(struct flow_table *table, struct flow *flow)
{
    uint32_t mask = table->slot_count - 1;
    uint32_t at = hash_of(table, &flow->key) & mask;
    while (table->slots[at].index != flow->index + 1) {
        assert(table->slots[at].index != SLOT_FREE);
        at = (at + 1) & mask;
    }
    erase_slot(table, at);
    table->count--;
    table->live[flow->class]--;
    flow->generation = 0; /* of nobody */
    flow->class = CLASS_COUNT;
    give_index(table, flow->index);
}

void flow_table_set_class(struct flow_table *table, struct flow *flow, enum flow_class class,
                          int64_t now_ns)
{
    if (flow->class == class)
        return;
    struct queue *queue = &table->queues[class];
    if (flow->class != CLASS_COUNT)
        table->live[flow->class]--;
    table->live[class]++;
    flow->class = (uint8_t) class;
    (void)queue_push(table, queue,
                     (struct entry){flow->index, flow->generation, now_ns + queue->idle_ns});
}

static struct flow *queue_expired(struct flow_table *table, int class, int64_t now_ns)
{
    struct queue *queue = &table->queues[class];
    while (queue->count > 0) {
        struct entry entry = queue->entries[queue->head];
        if (entry.check_ns > now_ns)
            return NULL;
        struct flow *flow = entry_flow(table, &entry, class);
        if (flow != NULL && flow->last_ns + queue->idle_ns <= now_ns)
            return flow;
        queue_pop(queue);
        if (flow != NULL) {
            entry.check_ns = flow->last_ns + queue->idle_ns;
            (void)queue_push(table, queue, entry);
        }
    }
    return NULL;
}

struct flow *flow_table_expired(struct flow_table *table, int64_t now_ns)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct flow *flow = queue_expired(table, class, now_ns);
        if (flow != NULL)
            return flow;
    }
    return NULL;
}

static struct flow *queue_victim(struct flow_table *table, int class, int *chances)
{
    struct queue *queue = &table->queues[class];
    while (queue->count > 0) {
        struct entry entry = queue->entries[queue->head];
        struct flow *flow = entry_flow(table, &entry, class);
        bool active = flow != NULL && flow->last_ns + queue->idle_ns > entry.check_ns;
        if (flow != NULL && (!active || (*chances)-- <= 0))
            return flow;
        queue_pop(queue);
        if (flow != NULL) { /* it spoke since it was filed: behind the others */
            entry.check_ns = flow->last_ns + queue->idle_ns;
            (void)queue_push(table, queue, entry);
        }
    }
    return NULL;
}

/* A class of which there are more flows than of all others: what floods. CLASS_COUNT: none. */
static int crowded(const struct flow_table *table)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        if (table->live[class] > table->count / 2)
            return class;
    }
    return CLASS_COUNT;
}

/* What has ended goes first; then the flood, not the few of other kinds beside it; without one, handshakes. */
struct flow *flow_table_victim(struct flow_table *table)
{
    int chances = VICTIM_CHANCES, crowd = crowded(table);
    struct flow *flow = queue_victim(table, CLASS_ENDED, &chances);
    if (flow == NULL)
        flow = queue_victim(table, CLASS_SETTLED, &chances);
    if (flow == NULL && crowd == CLASS_ESTABLISHED)
        flow = queue_victim(table, CLASS_CLOSED, &chances);
    if (flow == NULL && crowd == CLASS_ESTABLISHED) /* or all would be given up in turn, and none seen to its end */
        flow = queue_victim(table, CLASS_JOINED, &chances);
    if (flow == NULL && crowd < CLASS_COUNT)
        flow = queue_victim(table, crowd, &chances);
    for (int class = 0; class < CLASS_COUNT && flow == NULL; class ++)
        flow = queue_victim(table, class, &chances);
    return flow;
}

static int by_id(const void *a, const void *b)
{
    const struct flow *const *left = a, *const *right = b;
    return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

struct flow **flow_table_all(struct flow_table *table, size_t *count)
{
    struct flow **all = malloc((table->count + 1) * sizeof(struct flow *));
    if (all == NULL)
        return NULL;
    *count = 0;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].index != SLOT_FREE)
            all[(*count)++] = flow_at(table, table->slots[i].index - 1);
    }
    sort_rows(all, *count, sizeof(struct flow *), by_id);
    return all;
}
