#include "core/intern.h"

#include "core/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define INTERN_TEXT_MAX 1024
#define INTERN_BLOCK_BYTES (64u * 1024u)
#define INTERN_FIRST_SLOTS 1024

struct block {
    struct block *next;
    size_t used;
    char bytes[INTERN_BLOCK_BYTES];
};

struct slot {
    uint64_t hash;
    const char *text; /* NULL: free */
};

struct intern {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t used;
    uint64_t seed;
    struct block *blocks;
    size_t bytes, limit; /* of all; 0 none */
    uint64_t refused;
};

struct intern *intern_new(void)
{
    struct intern *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->slot_count = INTERN_FIRST_SLOTS;
    table->slots = calloc(table->slot_count, sizeof *table->slots);
    if (table->slots == NULL) {
        free(table);
        return NULL;
    }
    table->bytes = table->slot_count * sizeof *table->slots;
    /* Order of texts never shows, so an address is secret enough against crafted collisions. */
    table->seed = (uint64_t)(uintptr_t)table * 0x9e3779b97f4a7c15u;
    return table;
}

void intern_free(struct intern *table)
{
    if (table == NULL)
        return;
    while (table->blocks != NULL) {
        struct block *next = table->blocks->next;
        free(table->blocks);
        table->blocks = next;
    }
    free(table->slots);
    free(table);
}

void intern_limit(struct intern *table, size_t bytes)
{
    table->limit = bytes;
}

size_t intern_memory(const struct intern *table)
{
    return table->bytes;
}

uint64_t intern_refused(const struct intern *table)
{
    return table->refused;
}

static bool is_full(const struct intern *table)
{
    return table->limit != 0 && table->bytes >= table->limit;
}

static bool grow(struct intern *table)
{
    size_t count = table->slot_count * 2;
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].text == NULL)
            continue;
        size_t at = table->slots[i].hash & (count - 1);
        while (slots[at].text != NULL)
            at = (at + 1) & (count - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->bytes += (count - table->slot_count) * sizeof *slots;
    table->slots = slots;
    table->slot_count = count;
    return true;
}

static char *take(struct intern *table, size_t size)
{
    struct block *block = table->blocks;
    if (block == NULL || block->used + size > INTERN_BLOCK_BYTES) {
        block = malloc(sizeof *block);
        if (block == NULL)
            return NULL;
        table->bytes += sizeof *block;
        block->next = table->blocks;
        block->used = 0;
        table->blocks = block;
    }
    char *at = block->bytes + block->used;
    block->used += size;
    return at;
}

/* Copies bytes as text: control characters and NUL become '?', bytes that are not UTF-8 U+FFFD; returns
 * the length, cut between two characters. */
static size_t clean(const char *bytes, size_t len, char out[INTERN_TEXT_MAX])
{
    static const char unknown[] = "\xEF\xBF\xBD";
    size_t kept = 0;
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)bytes[i];
        char window[5] = {0};
        memcpy(window, bytes + i, len - i < 4 ? len - i : 4);
        size_t size = c < 0x80 ? 1 : utf8_length((const unsigned char *)window);
        const char *shown = c < 0x20 || c == 0x7f ? "?" : size == 0 ? unknown : &bytes[i];
        size_t shown_len = size == 0 ? sizeof unknown - 1 : size;
        if (kept + shown_len >= INTERN_TEXT_MAX)
            break;
        memcpy(out + kept, shown, shown_len);
        kept += shown_len;
        i += size > 0 ? size : 1;
    }
    return kept;
}

/* Printable ASCII, as almost every text is: it needs no cleaning. Eight bytes at a time: the top bit of a
 * byte comes up when it is not below 0x80, below 0x20, or 0x7f. */
static bool is_clean(const char *bytes, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    uint64_t odd = 0;
    for (; len >= 8; bytes += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        odd |= word | (((word | tops) - 0x20 * ones) ^ tops) | (word + ones);
    }
    for (; len > 0; bytes++, len--)
        odd |= (unsigned char)*bytes < 0x20 || (unsigned char)*bytes >= 0x7f ? tops : 0;
    return (odd & tops) == 0;
}

const char *intern_bytes(struct intern *table, const char *bytes, size_t len)
{
    char cleaned[INTERN_TEXT_MAX];
    if (bytes == NULL || len == 0)
        return NULL;
    bool as_is = len < INTERN_TEXT_MAX && is_clean(bytes, len);
    size_t kept = as_is ? len : clean(bytes, len, cleaned);
    const char *text = as_is ? bytes : cleaned;
    uint64_t hash = XXH3_64bits_withSeed(text, kept, table->seed);
    size_t at = hash & (table->slot_count - 1);
    for (; table->slots[at].text != NULL; at = (at + 1) & (table->slot_count - 1)) {
        const char *there = table->slots[at].text;
        if (table->slots[at].hash == hash && strncmp(there, text, kept) == 0 && there[kept] == '\0')
            return there;
    }
    if (is_full(table)) {
        table->refused++;
        return NULL;
    }
    if (table->used * 4 >= table->slot_count * 3) {
        if (!grow(table))
            return NULL;
        at = hash & (table->slot_count - 1);
        while (table->slots[at].text != NULL)
            at = (at + 1) & (table->slot_count - 1);
    }
    char *copy = take(table, kept + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, kept);
    copy[kept] = '\0';
    table->slots[at] = (struct slot){hash, copy};
    table->used++;
    return copy;
}

const char *intern_text(struct intern *table, const char *text)
{
    return text != NULL ? intern_bytes(table, text, strlen(text)) : NULL;
}
