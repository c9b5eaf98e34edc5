/* "Did you mean": the nearest of several words. */
#ifndef INVCAP_CLI_SUGGEST_H
#define INVCAP_CLI_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) that lead from a to b; words above 63 bytes
 * count as far apart. */
size_t suggest_distance(const char *a, const char *b);
/* Borrows the nearest of `words`, NULL when none is within a third of its length (at most 2 edits,
 * or starts as typed). */
const char *suggest_nearest(const char *typed, const char *const *words, size_t count);

#endif
