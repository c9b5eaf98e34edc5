#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replace = before[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replace, least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], earlier[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

const char *suggest_nearest(const char *typed, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = 3;
    size_t len = strlen(typed);
    for (size_t i = 0; i < count; i++) {
        size_t distance = suggest_distance(typed, words[i]);
        if (len >= 3 && strncmp(words[i], typed, len) == 0) {
            distance = 1;
        }
        if (distance < best_distance && distance <= (strlen(words[i]) + 2) / 3) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}
