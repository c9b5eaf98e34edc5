/* The order in which the rows of a batch are written: table by table, each by its key. Flows end, and questions are
 * answered, in another order than they began: taken as they came, nearly every row would go into the middle of
 * its table. */
#ifndef INVCAP_STORE_ORDER_H
#define INVCAP_STORE_ORDER_H

#include "store/batch.h"

struct row_place {
    uint64_t key;  /* the first key column where it is an integer, else 0 */
    uint32_t kind; /* enum record_kind */
    uint32_t at;   /* place within the batch, in units of 8 bytes */
};

/* Zeroed before the first use; keeps its memory from batch to batch. */
struct row_order {
    struct row_place *rows, *spare;
    size_t count, capacity;
};

/* Rows with one key stay in the order in which they came. False: no memory. */
bool row_order_make(struct row_order *order, const struct batch *batch);
void row_order_free(struct row_order *order);

#endif
