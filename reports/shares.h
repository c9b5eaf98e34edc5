/* Shares of a whole that add up to exactly 100 %. */
#ifndef INVCAP_REPORTS_SHARES_H
#define INVCAP_REPORTS_SHARES_H

#include <stddef.h>
#include <stdint.h>

#define SHARES_MOST 64
#define SHARES_SIZE 16

/* Tenths of a percent of each count, 1000 in all (largest remainder; ties go to the earlier one).
 * All zero when the counts are. Up to SHARES_MOST counts. */
void shares_of(const int64_t *counts, size_t count, int *out);
/* 125 -> "12.5 %". Returns out. */
char *shares_text(int tenths, char out[SHARES_SIZE]);

#endif
