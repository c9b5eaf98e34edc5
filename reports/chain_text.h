/* Cells of the inventory of certificates. */
#ifndef INVCAP_REPORTS_CHAIN_TEXT_H
#define INVCAP_REPORTS_CHAIN_TEXT_H

#include "core/record.h"
#include "core/texts.h"
#include "reports/cell.h"

/* All write into out and return it; "" when absent. */

/* The name asked for, with its form in its own script behind it. */
const char *chain_host_text(const struct chain_record *chain, char out[CELL_TEXT_SIZE]);
/* The common name of the issuer, else its whole name. */
const char *chain_issuer_text(const struct chain_record *chain, char out[CELL_TEXT_SIZE]);
/* Whether its certificate could be read, dates and all. */
bool chain_is_dated(const struct chain_record *chain);
/* Certificates sent, and whether they are out of order. */
const char *chain_sent_text(const struct chain_record *chain, enum language language,
                            char out[CELL_TEXT_SIZE]);
/* Whole days from then to the end of validity; behind it they count downwards from -1. */
const char *chain_days_text(const struct chain_record *chain, int64_t then_ns,
                            char out[CELL_TEXT_SIZE]);

#endif
