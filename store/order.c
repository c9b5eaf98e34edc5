#include "store/order.h"

#include <stdlib.h>

_Static_assert(RECORD_KIND_COUNT <= 256, "one pass for the kind");

static uint64_t key_of(enum record_kind kind, const void *record)
{
    const struct record_table *table = kind < RECORD_TABLE_COUNT ? record_table_get(kind) : NULL;
    const struct column *first = table != NULL ? &table->columns[0] : NULL;
    if (first == NULL || (first->flags & COLUMN_KEY) == 0 || first->type > COLUMN_BOOL) {
        return 0;
    }
    return (uint64_t)column_get_integer(first, record) ^ (UINT64_C(1) << 63);
}

static bool make_room(struct row_order *order, size_t count)
{
    if (count <= order->capacity) {
        return true;
    }
    row_order_free(order);
    order->rows = malloc(count * sizeof *order->rows);
    order->spare = malloc(count * sizeof *order->spare);
    order->capacity = count;
    return order->rows != NULL && order->spare != NULL;
}

/* Returns the bits in which the keys differ. */
static uint64_t collect(struct row_order *order, const struct batch *batch)
{
    enum record_kind kind;
    uint64_t differing = 0;
    size_t at = 0;
    size_t from = 0;
    const void *record = batch_next(batch, &at, &kind);
    for (order->count = 0; record != NULL; record = batch_next(batch, &at, &kind)) {
        struct row_place *row = &order->rows[order->count++];
        *row = (struct row_place){key_of(kind, record), (uint32_t)kind, (uint32_t)(from / 8)};
        differing |= row->key ^ order->rows[0].key;
        from = at;
    }
    return differing;
}

/* One pass of a radix sort: by eight bits of the key, or by the kind. */
static void sort_by(struct row_order *order, unsigned shift, bool by_kind)
{
    size_t start[256] = {0};
    size_t sum = 0;
    for (size_t i = 0; i < order->count; i++) {
        const struct row_place *row = &order->rows[i];
        start[by_kind ? row->kind : row->key >> shift & 0xff]++;
    }
    for (size_t i = 0; i < 256; i++) {
        size_t many = start[i];
        start[i] = sum;
        sum += many;
    }
    for (size_t i = 0; i < order->count; i++) {
        const struct row_place *row = &order->rows[i];
        order->spare[start[by_kind ? row->kind : row->key >> shift & 0xff]++] = *row;
    }
    struct row_place *sorted = order->spare;
    order->spare = order->rows;
    order->rows = sorted;
}

bool row_order_make(struct row_order *order, const struct batch *batch)
{
    if (!make_room(order, batch->records)) {
        return false;
    }
    uint64_t differing = collect(order, batch);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((differing >> shift & 0xff) != 0) {
            sort_by(order, shift, false);
        }
    }
    sort_by(order, 0, true);
    return true;
}

void row_order_free(struct row_order *order)
{
    free(order->rows);
    free(order->spare);
    *order = (struct row_order){0};
}
