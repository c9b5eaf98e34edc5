#include "reports/shares.h"

#include <assert.h>
#include <stdio.h>

#define WHOLE 1000

void shares_of(const int64_t *counts, size_t count, int *out)
{
    int64_t rest[SHARES_MOST];
    int64_t total = 0;
    int given = 0;
    assert(count <= SHARES_MOST);
    for (size_t i = 0; i < count; i++) {
        total += counts[i];
        out[i] = 0;
    }
    if (total == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t scaled = counts[i] * WHOLE; /* counts stay far below 2^53 */
        out[i] = (int)(scaled / total);
        rest[i] = scaled % total;
        given += out[i];
    }
    for (; given < WHOLE; given++) {
        size_t largest = 0;
        for (size_t i = 1; i < count; i++) {
            largest = rest[i] > rest[largest] ? i : largest;
        }
        out[largest]++;
        rest[largest] = -1;
    }
}

char *shares_text(int tenths, char out[SHARES_SIZE])
{
    snprintf(out, SHARES_SIZE, "%d.%d %%", tenths / 10, tenths % 10);
    return out;
}
