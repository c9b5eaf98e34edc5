/* Prepared statements of one connection, bound through the column tables. */
#ifndef INVCAP_STORE_INSERT_H
#define INVCAP_STORE_INSERT_H

#include "store/order.h"
#include "store/private.h"

/* The most addresses in one record. */
#define INSERT_ADDRESSES 4
/* One column of a row: where its number lies, and what the row before bound, which most numbers are again. Kept
 * small, since every column of every row comes through here. */
struct bind_step {
    const struct column *column;
    int64_t number;      /* bound last */
    uint16_t offset;     /* of the member */
    uint8_t load;        /* enum column_load */
    bool known;          /* number is what is bound */
    bool is_packed;      /* it goes into the stored integer that several columns share */
};

struct inserter {
    const struct store *store;
    struct sqlite3 *db;
    struct sqlite3_stmt *begin, *commit, *rollback;
    struct sqlite3_stmt *rows[RECORD_KIND_COUNT];
    struct bind_step *steps[RECORD_TABLE_COUNT]; /* by column */
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
