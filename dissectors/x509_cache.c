#include "core/limits.h"
#include "dissectors/x509.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 256

struct entry {
    uint64_t hash;
    uint8_t *der;
    size_t len;
    char *san;
    union {
        struct certificate_record certificate;
        struct staple_record staple;
    } record;
};

/* With its places in the tables, and what the heap adds to its three pieces. */
#define ENTRY_BYTES (sizeof(struct entry) + 2 * sizeof(struct entry *) + 4 * sizeof(uint32_t) + 48)

/* Distinct DER values of one kind. */
struct der_table {
    struct entry **entries; /* in order of id */
    uint32_t *slots;        /* position in entries + 1, 0 free; open addressing */
    size_t count;
    size_t slot_count; /* a power of two, at least twice count */
    int64_t first_id;
};

struct certificate_cache {
    struct intern *strings;
    struct der_table certificates, staples;
    size_t der_bytes; /* of both */
    size_t bytes;     /* of all that they take */
    uint64_t limit;   /* of bytes, 0 none */
    uint64_t refused;
};

static bool table_start(struct der_table *table, int64_t first_id)
{
    table->first_id = first_id;
    table->slot_count = FIRST_SLOTS;
    table->slots = calloc(FIRST_SLOTS, sizeof *table->slots);
    table->entries = calloc(FIRST_SLOTS / 2, sizeof(struct entry *));
    return table->slots != NULL && table->entries != NULL;
}

struct certificate_cache *certificate_cache_new(struct intern *strings, int64_t first_id)
{
    struct certificate_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->strings = strings;
    if (!table_start(&cache->certificates, first_id) || !table_start(&cache->staples, 1)) {
        certificate_cache_free(cache);
        return NULL;
    }
    return cache;
}

void certificate_cache_limit(struct certificate_cache *cache, uint64_t bytes)
{
    cache->limit = bytes;
}

uint64_t certificate_cache_memory(const struct certificate_cache *cache)
{
    return cache->bytes;
}

uint64_t certificate_cache_refused(const struct certificate_cache *cache)
{
    return cache->refused;
}

void certificate_cache_number_staples(struct certificate_cache *cache, int64_t first_id)
{
    cache->staples.first_id = first_id;
}

static void free_entry(struct entry *entry)
{
    free(entry->der);
    free(entry->san);
    free(entry);
}

static void table_free(struct der_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free_entry(table->entries[i]);
    free(table->entries);
    free(table->slots);
}

void certificate_cache_free(struct certificate_cache *cache)
{
    if (cache == NULL)
        return;
    table_free(&cache->certificates);
    table_free(&cache->staples);
    free(cache);
}

/* The slot of these bytes, or the free one where they belong. */
static size_t find_slot(const struct der_table *table, uint64_t hash, const uint8_t *der,
                        size_t len)
{
    size_t mask = table->slot_count - 1;
    size_t slot = (size_t)hash & mask;
    for (; table->slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct entry *entry = table->entries[table->slots[slot] - 1];
        if (entry->hash == hash && entry->len == len && memcmp(entry->der, der, len) == 0)
            break;
    }
    return slot;
}

/* Doubles the table when it is half full; false when memory is out. */
static bool make_room(struct der_table *table)
{
    if (table->count < table->slot_count / 2)
        return true;
    size_t slot_count = table->slot_count * 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    struct entry **entries = realloc(table->entries, slot_count / 2 * sizeof(struct entry *));
    if (entries != NULL)
        table->entries = entries;
    if (slots == NULL || entries == NULL) {
        free(slots);
        return false;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t slot = (size_t)entries[i]->hash & (slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)(i + 1);
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return true;
}

static struct entry *new_entry(uint64_t hash, const uint8_t *der, size_t len)
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
    entry->len = len;
    entry->hash = hash;
    return entry;
}

/* The id of these bytes, 0 when they cannot be kept; *added is their entry if they are new. */
static int64_t take(struct certificate_cache *cache, struct der_table *table, const uint8_t *der,
                    size_t len, struct entry **added)
{
    *added = NULL;
    if (len == 0)
        return 0;
    uint64_t hash = XXH3_64bits(der, len);
    size_t slot = find_slot(table, hash, der, len);
    if (table->slots[slot] != 0)
        return table->first_id + table->slots[slot] - 1;
    if (table->count >= LIMIT_CERTIFICATES || cache->der_bytes + len > LIMIT_CERTIFICATE_BYTES ||
        (cache->limit != 0 && cache->bytes + ENTRY_BYTES + len > cache->limit) || !make_room(table)) {
        cache->refused++;
        return 0;
    }
    struct entry *entry = new_entry(hash, der, len);
    if (entry == NULL)
        return 0;
    slot = find_slot(table, hash, der, len);
    table->entries[table->count++] = entry;
    table->slots[slot] = (uint32_t)table->count;
    cache->der_bytes += len;
    cache->bytes += ENTRY_BYTES + len;
    *added = entry;
    return table->first_id + (int64_t)table->count - 1;
}

int64_t certificate_cache_lookup(struct certificate_cache *cache, const uint8_t *der, size_t len,
                                 int64_t time_ns, const struct sink *sink, int64_t capture_id)
{
    struct entry *added;
    int64_t id = take(cache, &cache->certificates, der, len, &added);
    (void)capture_id; /* a certificate is the same in every capture */
    if (added == NULL)
        return id;
    struct certificate_record *record = &added->record.certificate;
    certificate_parse(cache->strings, added->der, len, record, &added->san);
    cache->bytes += added->san != NULL ? strlen(added->san) : 0;
    record->id = id;
    record->first_seen_ns = time_ns;
    if (sink != NULL)
        sink_put(sink, RECORD_CERTIFICATE, record);
    return id;
}

int64_t certificate_cache_staple(struct certificate_cache *cache, const uint8_t *der, size_t len,
                                 int64_t time_ns, const struct sink *sink)
{
    struct entry *added;
    int64_t id = take(cache, &cache->staples, der, len, &added);
    if (added == NULL)
        return id;
    struct staple_record *record = &added->record.staple;
    staple_parse(cache->strings, added->der, len, record);
    record->id = id;
    record->first_seen_ns = time_ns;
    if (sink != NULL)
        sink_put(sink, RECORD_STAPLE, record);
    return id;
}

const struct certificate_record *certificate_cache_get(const struct certificate_cache *cache,
                                                       int64_t id)
{
    int64_t position = id - cache->certificates.first_id;
    if (position < 0 || position >= (int64_t)cache->certificates.count)
        return NULL;
    return &cache->certificates.entries[position]->record.certificate;
}
