#include "core/limits.h"
#include "dissectors/x509.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 256

struct entry {
    uint64_t hash;
    struct certificate_record record;
    uint8_t *der;
    char *san;
};

struct certificate_cache {
    struct intern *strings;
    int64_t first_id;
    struct entry **entries; /* in order of id */
    uint32_t *slots;        /* position in entries + 1, 0 free; open addressing */
    size_t count;
    size_t slot_count; /* a power of two, at least twice count */
    size_t bytes;
};

struct certificate_cache *certificate_cache_new(struct intern *strings, int64_t first_id)
{
    struct certificate_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->strings = strings;
    cache->first_id = first_id;
    cache->slot_count = FIRST_SLOTS;
    cache->slots = calloc(FIRST_SLOTS, sizeof *cache->slots);
    cache->entries = calloc(FIRST_SLOTS / 2, sizeof(struct entry *));
    if (cache->slots == NULL || cache->entries == NULL) {
        certificate_cache_free(cache);
        return NULL;
    }
    return cache;
}

static void free_entry(struct entry *entry)
{
    if (entry == NULL)
        return;
    free(entry->der);
    free(entry->san);
    free(entry);
}

void certificate_cache_free(struct certificate_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->count; i++)
        free_entry(cache->entries[i]);
    free(cache->entries);
    free(cache->slots);
    free(cache);
}

/* The slot of these bytes, or the free one where they belong. */
static size_t find_slot(const struct certificate_cache *cache, uint64_t hash, const uint8_t *der,
                        size_t len)
{
    size_t mask = cache->slot_count - 1;
    size_t slot = (size_t)hash & mask;
    for (; cache->slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct entry *entry = cache->entries[cache->slots[slot] - 1];
        if (entry->hash == hash && (size_t)entry->record.der_len == len &&
            memcmp(entry->der, der, len) == 0)
            break;
    }
    return slot;
}

/* Doubles the table when it is half full; false when memory is out. */
static bool make_room(struct certificate_cache *cache)
{
    if (cache->count < cache->slot_count / 2)
        return true;
    size_t slot_count = cache->slot_count * 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    struct entry **entries = realloc(cache->entries, slot_count / 2 * sizeof(struct entry *));
    if (entries != NULL)
        cache->entries = entries;
    if (slots == NULL || entries == NULL) {
        free(slots);
        return false;
    }
    for (size_t i = 0; i < cache->count; i++) {
        size_t slot = (size_t)entries[i]->hash & (slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)(i + 1);
    }
    free(cache->slots);
    cache->slots = slots;
    cache->slot_count = slot_count;
    return true;
}

static struct entry *new_entry(struct certificate_cache *cache, uint64_t hash, const uint8_t *der,
                               size_t len)
{
    struct entry *entry = calloc(1, sizeof *entry);
    uint8_t *copy = malloc(len);
    if (entry == NULL || copy == NULL) {
        free(entry);
        free(copy);
        return NULL;
    }
    memcpy(copy, der, len);
    entry->der = copy;
    entry->hash = hash;
    certificate_parse(cache->strings, copy, len, &entry->record, &entry->san);
    return entry;
}

int64_t certificate_cache_lookup(struct certificate_cache *cache, const uint8_t *der, size_t len,
                                 int64_t time_ns, const struct sink *sink, int64_t capture_id)
{
    (void)capture_id; /* a certificate is the same in every capture */
    if (len == 0)
        return 0;
    uint64_t hash = XXH3_64bits(der, len);
    size_t slot = find_slot(cache, hash, der, len);
    if (cache->slots[slot] != 0)
        return cache->first_id + cache->slots[slot] - 1;
    if (cache->count >= LIMIT_CERTIFICATES || cache->bytes + len > LIMIT_CERTIFICATE_BYTES ||
        !make_room(cache))
        return 0;
    struct entry *entry = new_entry(cache, hash, der, len);
    if (entry == NULL)
        return 0;
    slot = find_slot(cache, hash, der, len);
    cache->entries[cache->count++] = entry;
    cache->slots[slot] = (uint32_t)cache->count;
    cache->bytes += len;
    entry->record.id = cache->first_id + (int64_t)cache->count - 1;
    entry->record.first_seen_ns = time_ns;
    if (sink != NULL)
        sink_put(sink, RECORD_CERTIFICATE, &entry->record);
    return entry->record.id;
}

const struct certificate_record *certificate_cache_get(const struct certificate_cache *cache,
                                                       int64_t id)
{
    int64_t position = id - cache->first_id;
    if (position < 0 || position >= (int64_t)cache->count)
        return NULL;
    return &cache->entries[position]->record;
}
