#include "sessions/resolved.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

/* Places where a pair may lie: the oldest of them makes room. */
#define WAYS 4

struct entry {
    struct address client, server;
    const char *name; /* NULL: free */
    uint64_t age;
};

struct resolved {
    uint64_t seed, clock;
    struct entry *entries; /* NULL until the first name */
};

struct resolved *resolved_new(uint64_t seed)
{
    struct resolved *table = calloc(1, sizeof *table);
    if (table != NULL)
        table->seed = seed;
    return table;
}

void resolved_free(struct resolved *table)
{
    if (table == NULL)
        return;
    free(table->entries);
    free(table);
}

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdULL;
    return word ^ (word >> 29);
}

static uint64_t hash(uint64_t start, const struct address *a)
{
    uint64_t high, low;
    memcpy(&high, a->bytes, sizeof high);
    memcpy(&low, a->bytes + sizeof high, sizeof low);
    return mix(mix(high ^ start) ^ low ^ a->family);
}

static struct entry *ways_of(const struct resolved *t, const struct address *client,
                             const struct address *server)
{
    size_t set = (size_t)hash(hash(t->seed, client), server) % (LIMIT_RESOLVED_NAMES / WAYS);
    return &t->entries[set * WAYS];
}

static bool is_pair(const struct entry *e, const struct address *client,
                    const struct address *server)
{
    return e->name != NULL && address_equal(&e->client, client) && address_equal(&e->server, server);
}

void resolved_note(struct resolved *t, const struct address *client, const struct address *server,
                   const char *name)
{
    if (name == NULL)
        return;
    if (t->entries == NULL)
        t->entries = calloc(LIMIT_RESOLVED_NAMES, sizeof *t->entries);
    if (t->entries == NULL)
        return;
    struct entry *ways = ways_of(t, client, server), *place = ways;
    for (int i = 0; i < WAYS; i++) {
        if (is_pair(&ways[i], client, server)) {
            place = &ways[i];
            break;
        }
        if (ways[i].age < place->age)
            place = &ways[i];
    }
    *place = (struct entry){*client, *server, name, ++t->clock};
}

const char *resolved_find(const struct resolved *t, const struct address *client,
                          const struct address *server)
{
    if (t->entries == NULL)
        return NULL;
    const struct entry *ways = ways_of(t, client, server);
    for (int i = 0; i < WAYS; i++) {
        if (is_pair(&ways[i], client, server))
            return ways[i].name;
    }
    return NULL;
}
