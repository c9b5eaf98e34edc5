/* Keyed sorting against qsort: order, stability, and keys of every width. */
#include "core/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 3000

struct numbered {
    uint64_t key;
    size_t place;
};

static uint64_t seed = 88172645463325252ULL;

static uint64_t next_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static int by_key_and_place(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Things are the places that rows had, from 1. */
static void check(const uint64_t *keys, size_t count)
{
    static struct keyed rows[MOST], spare[MOST];
    static struct numbered wanted[MOST];
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct keyed){keys[i], (void *)(uintptr_t)(i + 1)};
        wanted[i] = (struct numbered){keys[i], i + 1};
    }
    qsort(wanted, count, sizeof *wanted, by_key_and_place);
    sort_keyed(rows, spare, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].key == wanted[i].key);
        assert_int_equal((size_t)(uintptr_t)rows[i].thing, wanted[i].place);
    }
}

static void sorts_any_count_of_any_width(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 31, 32, 33, 255, 256, 257, MOST};
    static uint64_t keys[MOST];
    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (unsigned bits = 1; bits <= 64; bits += 7) {
            for (unsigned shift = 0; shift + bits <= 64; shift += 13) {
                for (size_t i = 0; i < counts[c]; i++)
                    keys[i] = next_number() >> (64 - bits) << shift;
                check(keys, counts[c]);
            }
        }
    }
}

static void leaves_what_is_in_order_and_turns_what_is_not(void **state)
{
    static uint64_t keys[MOST];
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        keys[i] = i / 3 * 1000003;
    check(keys, MOST);
    for (size_t i = 0; i < MOST; i++)
        keys[i] = (MOST - i) / 3 * 1000003;
    check(keys, MOST);
}

static void signed_numbers_keep_their_order(void **state)
{
    static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -256, -1, 0, 1, 255, INT64_MAX - 1, INT64_MAX};
    (void)state;
    for (size_t i = 1; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(key_signed(numbers[i - 1]) < key_signed(numbers[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_any_count_of_any_width),
        cmocka_unit_test(leaves_what_is_in_order_and_turns_what_is_not),
        cmocka_unit_test(signed_numbers_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
