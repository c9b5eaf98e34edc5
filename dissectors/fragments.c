#include "dissectors/fragments.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_COUNT 8192u
#define NOWHERE UINT32_MAX
#define DATAGRAM_MAX 65535u

struct piece {
    struct piece *next; /* by offset */
    uint32_t offset, len, caplen;
    bool more;
    uint8_t bytes[];
};

struct datagram {
    struct fragment_key key;
    struct piece *pieces;
    int64_t first_ns;
    uint32_t held;  /* sum of the pieces' len */
    uint32_t total; /* payload length, known with the last piece; 0 before */
    uint32_t piece_count;
    uint32_t chain;        /* next in the bucket */
    uint32_t older, newer; /* by time of the first piece */
    uint32_t header_len;
    bool refused; /* takes no more pieces, stays until its time is over */
    uint8_t header[FRAGMENT_HEADER_MAX];
};

struct fragment_table {
    uint32_t buckets[BUCKET_COUNT];
    struct datagram *datagrams; /* LIMIT_FRAGMENT_DATAGRAMS */
    uint32_t free;              /* chain of unused ones */
    uint32_t oldest, newest;
    size_t bytes; /* held by all pieces */
    uint8_t whole[FRAGMENT_HEADER_MAX + DATAGRAM_MAX];
};

struct fragment_table *fragments_new(void)
{
    struct fragment_table *table = calloc(1, sizeof(*table));
    struct datagram *datagrams = calloc(LIMIT_FRAGMENT_DATAGRAMS, sizeof(*datagrams));
    if (table == NULL || datagrams == NULL) {
        free(table);
        free(datagrams);
        return NULL;
    }
    table->datagrams = datagrams;
    memset(table->buckets, 0xff, sizeof(table->buckets));
    for (uint32_t i = 0; i < LIMIT_FRAGMENT_DATAGRAMS; i++) {
        datagrams[i].chain = i + 1 < LIMIT_FRAGMENT_DATAGRAMS ? i + 1 : NOWHERE;
    }
    table->oldest = NOWHERE;
    table->newest = NOWHERE;
    return table;
}

static void pieces_free(struct fragment_table *table, struct datagram *datagram)
{
    struct piece *piece = datagram->pieces;
    while (piece != NULL) {
        struct piece *next = piece->next;
        table->bytes -= sizeof(*piece) + piece->caplen;
        free(piece);
        piece = next;
    }
    datagram->pieces = NULL;
    datagram->piece_count = 0;
}

void fragments_free(struct fragment_table *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t at = table->oldest; at != NOWHERE; at = table->datagrams[at].newer) {
        pieces_free(table, &table->datagrams[at]);
    }
    free(table->datagrams);
    free(table);
}

/* FNV-1a over words. Collisions cost at most a walk over LIMIT_FRAGMENT_DATAGRAMS keys. */
static uint32_t key_bucket(const struct fragment_key *key)
{
    uint32_t words[sizeof(*key) / sizeof(uint32_t)];
    uint64_t hash = 0xcbf29ce484222325u;
    memcpy(words, key, sizeof(*key));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash % BUCKET_COUNT);
}

static struct datagram *datagram_find(struct fragment_table *table, const struct fragment_key *key)
{
    uint32_t at = table->buckets[key_bucket(key)];
    while (at != NOWHERE) {
        struct datagram *datagram = &table->datagrams[at];
        if (memcmp(&datagram->key, key, sizeof(*key)) == 0) {
            return datagram;
        }
        at = datagram->chain;
    }
    return NULL;
}

static void datagram_remove(struct fragment_table *table, struct datagram *datagram)
{
    uint32_t index = (uint32_t)(datagram - table->datagrams);
    uint32_t *link = &table->buckets[key_bucket(&datagram->key)];
    while (*link != index) {
        link = &table->datagrams[*link].chain;
    }
    *link = datagram->chain;
    if (datagram->older != NOWHERE) {
        table->datagrams[datagram->older].newer = datagram->newer;
    } else {
        table->oldest = datagram->newer;
    }
    if (datagram->newer != NOWHERE) {
        table->datagrams[datagram->newer].older = datagram->older;
    } else {
        table->newest = datagram->older;
    }
    pieces_free(table, datagram);
    datagram->chain = table->free;
    table->free = index;
}

static void datagram_evict_oldest(struct fragment_table *table, struct decode_counters *counters)
{
    struct datagram *oldest = &table->datagrams[table->oldest];
    counters->fragments_dropped += oldest->piece_count;
    datagram_remove(table, oldest);
}

static struct datagram *datagram_add(struct fragment_table *table,
                                     const struct fragment_piece *piece,
                                     struct decode_counters *counters)
{
    if (table->free == NOWHERE) {
        datagram_evict_oldest(table, counters);
    }
    uint32_t index = table->free;
    uint32_t *bucket = &table->buckets[key_bucket(&piece->key)];
    struct datagram *datagram = &table->datagrams[index];
    table->free = datagram->chain;
    *datagram = (struct datagram){.key = piece->key,
                                  .first_ns = piece->time_ns,
                                  .chain = *bucket,
                                  .older = table->newest,
                                  .newer = NOWHERE};
    *bucket = index;
    if (table->newest != NOWHERE) {
        table->datagrams[table->newest].newer = index;
    } else {
        table->oldest = index;
    }
    table->newest = index;
    return datagram;
}

static void expire(struct fragment_table *table, int64_t now, struct decode_counters *counters)
{
    while (table->oldest != NOWHERE) {
        struct datagram *oldest = &table->datagrams[table->oldest];
        if (now < oldest->first_ns || now - oldest->first_ns <= LIMIT_FRAGMENT_NS) {
            return;
        }
        if (!oldest->refused) {
            counters->fragment_timeouts++;
        }
        datagram_evict_oldest(table, counters);
    }
}

/* Gives the datagram up: RFC 5722 wants later pieces dropped as well, so that the entry stays. */
static void refuse(struct fragment_table *table, struct datagram *datagram,
                   struct decode_counters *counters)
{
    counters->fragments_dropped += datagram->piece_count + 1;
    pieces_free(table, datagram);
    datagram->refused = true;
}

static bool is_duplicate(const struct piece *kept, const struct fragment_piece *piece)
{
    uint32_t common = kept->caplen < piece->caplen ? kept->caplen : piece->caplen;
    return kept->offset == piece->offset && kept->len == piece->len && kept->more == piece->more &&
           memcmp(kept->bytes, piece->bytes, common) == 0;
}

enum place { PLACE_FREE, PLACE_DUPLICATE, PLACE_OVERLAP, PLACE_CONTRADICTION };

/* Finds the link of the list that the piece belongs behind. */
static enum place place_find(struct datagram *datagram, const struct fragment_piece *piece,
                             struct piece ***out)
{
    struct piece **link = &datagram->pieces;
    const struct piece *before = NULL;
    uint32_t end = piece->offset + piece->len;
    while (*link != NULL && (*link)->offset < piece->offset) {
        before = *link;
        link = &(*link)->next;
    }
    *out = link;
    if (*link != NULL && is_duplicate(*link, piece)) {
        return PLACE_DUPLICATE;
    }
    if ((before != NULL && before->offset + before->len > piece->offset) ||
        (*link != NULL && end > (*link)->offset)) {
        return PLACE_OVERLAP;
    }
    if (datagram->total != 0 ? end > datagram->total || !piece->more
                             : !piece->more && *link != NULL) {
        return PLACE_CONTRADICTION; /* bytes behind the last piece */
    }
    return PLACE_FREE;
}

/* False when memory is out. */
static bool piece_keep(struct fragment_table *table, struct datagram *datagram,
                       const struct fragment_piece *piece, struct piece **link)
{
    struct piece *kept = malloc(sizeof(*kept) + piece->caplen);
    if (kept == NULL) {
        return false;
    }
    kept->next = *link;
    kept->offset = piece->offset;
    kept->len = piece->len;
    kept->caplen = piece->caplen;
    kept->more = piece->more;
    memcpy(kept->bytes, piece->bytes, piece->caplen);
    *link = kept;
    table->bytes += sizeof(*kept) + piece->caplen;
    datagram->held += piece->len;
    datagram->piece_count++;
    if (!piece->more) {
        datagram->total = piece->offset + piece->len;
    }
    if (piece->offset == 0) {
        memcpy(datagram->header, piece->header, piece->header_len);
        datagram->header_len = piece->header_len;
    }
    return true;
}

static void put_together(struct fragment_table *table, const struct datagram *datagram,
                         struct fragment_whole *out)
{
    uint8_t *payload = table->whole + datagram->header_len;
    uint32_t present = 0;
    memcpy(table->whole, datagram->header, datagram->header_len);
    for (const struct piece *piece = datagram->pieces; piece != NULL; piece = piece->next) {
        memcpy(payload + piece->offset, piece->bytes, piece->caplen);
        present = piece->offset + piece->caplen;
        if (piece->caplen < piece->len) {
            break;
        }
    }
    *out = (struct fragment_whole){.header = table->whole,
                                   .header_len = datagram->header_len,
                                   .caplen = present,
                                   .len = datagram->total};
}

bool fragments_add(struct fragment_table *table, const struct fragment_piece *piece,
                   struct decode_counters *counters, struct fragment_whole *out)
{
    struct piece **link;
    counters->fragments++;
    expire(table, piece->time_ns, counters);
    if (piece->len == 0 || piece->offset + piece->len > DATAGRAM_MAX ||
        (piece->more && piece->len % 8 != 0)) {
        counters->fragments_dropped++;
        return false;
    }
    while (table->oldest != NOWHERE && table->bytes + piece->caplen > LIMIT_FRAGMENT_BYTES) {
        datagram_evict_oldest(table, counters);
    }
    struct datagram *datagram = datagram_find(table, &piece->key);
    if (datagram == NULL) {
        datagram = datagram_add(table, piece, counters);
    }
    if (datagram->refused) {
        counters->fragments_dropped++;
        return false;
    }
    enum place place = place_find(datagram, piece, &link);
    if (place == PLACE_DUPLICATE) {
        return false;
    }
    if (place == PLACE_OVERLAP) {
        counters->fragment_overlaps++;
    }
    if (place != PLACE_FREE || datagram->piece_count == LIMIT_FRAGMENT_PIECES ||
        !piece_keep(table, datagram, piece, link)) {
        refuse(table, datagram, counters);
        return false;
    }
    if (datagram->total == 0 || datagram->held != datagram->total) {
        return false;
    }
    put_together(table, datagram, out);
    datagram_remove(table, datagram);
    counters->reassembled++;
    return true;
}
