/* A batch: records on their way to the writer thread, one behind the other in one block of memory. */
#ifndef INVCAP_STORE_BATCH_H
#define INVCAP_STORE_BATCH_H

#include "core/record.h"

/* Big enough that a transaction's own cost vanishes, small enough to stay in the cache hierarchy's
 * reach: 4 MiB are about 9,000 flows. */
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)
#define BATCH_RECORDS 10000

struct batch {
    struct batch *next;
    size_t len, capacity, records;
    unsigned char *bytes;
};

/* Before each record; records are aligned to 8 bytes. */
struct batch_entry {
    uint32_t kind; /* enum record_kind */
    uint32_t len;  /* of the record and what was copied with it, without this header */
};

struct batch *batch_new(size_t capacity);
void batch_free(struct batch *batch);
/* Bytes that a record or a flow bundle takes. */
size_t batch_size_of(enum record_kind kind, const void *record);
/* Copies a record with its texts and bytes, or a flow bundle (without its texts) as the records that
 * it is made of. The caller has seen to the room. */
void batch_add(struct batch *batch, enum record_kind kind, const void *record);
/* Steps through the records: at is 0 at first. NULL at the end. */
const void *batch_next(const struct batch *batch, size_t *at, enum record_kind *kind);
/* The record whose entry begins at. */
const void *batch_record(const struct batch *batch, size_t at);

#endif
