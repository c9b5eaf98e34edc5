/* Prepared statements of one connection, bound through the column tables. */
#ifndef INVCAP_STORE_INSERT_H
#define INVCAP_STORE_INSERT_H

#include "store/order.h"
#include "store/private.h"

/* The most addresses in one record. */
#define INSERT_ADDRESSES 4
/* The most stored columns in one table. */
#define INSERT_COLUMNS 144

/* What the row before bound to a parameter: most numbers and absent values are the same again. */
struct bound {
    enum { BOUND_OTHER, BOUND_NULL, BOUND_INTEGER, BOUND_NAME } kind;
    int64_t value; /* of BOUND_INTEGER and BOUND_NAME */
};

struct inserter {
    const struct store *store;
    struct sqlite3 *db;
    struct sqlite3_stmt *begin, *commit, *rollback;
    struct sqlite3_stmt *rows[RECORD_KIND_COUNT];
    struct bound bound[RECORD_TABLE_COUNT][INSERT_COLUMNS]; /* parameter - 1 */
    char addresses[INSERT_ADDRESSES][ADDRESS_TEXT_SIZE]; /* bound without a copy */
    int address_count;
    struct row_order order;
};

bool inserter_open(struct inserter *inserter, const struct store *store, struct sqlite3 *db,
                   struct error *error);
void inserter_close(struct inserter *inserter);
/* One transaction; on failure nothing of the batch is kept. */
bool inserter_write(struct inserter *inserter, const struct batch *batch, struct error *error);

#endif
