/* core/sketch against sorted samples. */
#include "core/sketch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 20000

static uint64_t state;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((double)(state >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* Distributions that round trips and answers have, and some that they do not. */
static int64_t draw(int kind)
{
    switch (kind) {
    case 0:
        return (int64_t)(uniform() * 1e9) + 1;
    case 1:
        return (int64_t)(-log(uniform()) * 5e6) + 1;
    case 2:
        return (int64_t)exp(15 + 2 * normal()) + 1;
    case 3:
        return (int64_t)(1e5 / pow(uniform(), 1.5)) + 1; /* Pareto */
    case 4:
        return uniform() < 0.9 ? 20000000 + (int64_t)(uniform() * 1e5) : 3000000000;
    case 5:
        return 40000000; /* constant */
    case 6:
        return 1 + (int64_t)(uniform() * 4); /* a few ns */
    default:
        return (int64_t)pow(10, 17 * uniform()) + 1; /* 1 ns to 3 years */
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void check(const struct sketch *s, int64_t *values, size_t count)
{
    static const double quantiles[] = {0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        double rank = ceil(quantiles[i] * (double)count);
        double exact = (double)values[rank < 1 ? 0 : (size_t)rank - 1];
        double told = (double)sketch_quantile(s, quantiles[i]);
        assert_true(fabs(told - exact) <= exact * 0.0101 + 0.5); /* told is a whole ns */
    }
}

static void quantiles_are_within_one_percent(void **unused)
{
    static int64_t values[COUNT];
    (void)unused;
    for (int kind = 0; kind < 8; kind++) {
        struct sketch s = {0};
        state = 88172645463325252ULL + (unsigned)kind;
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = draw(kind);
            sketch_add(&s, values[i], 1);
        }
        assert_int_equal(s.count, COUNT);
        check(&s, values, COUNT);
    }
}

static void merging_equals_adding(void **unused)
{
    (void)unused;
    for (int kind = 0; kind < 8; kind++) {
        struct sketch all = {0}, parts[3] = {{0}}, merged = {0};
        state = 1234567 + (unsigned)kind;
        for (size_t i = 0; i < COUNT; i++) {
            int64_t value = draw(kind);
            sketch_add(&all, value, 1);
            sketch_add(&parts[i % 3], value, 1);
        }
        for (int i = 0; i < 3; i++)
            sketch_merge(&merged, &parts[2 - i]);
        assert_int_equal(merged.count, all.count);
        for (int q = 0; q <= 100; q++)
            assert_int_equal(sketch_quantile(&merged, q / 100.0), sketch_quantile(&all, q / 100.0));
    }
}

static void nothing_and_zero(void **unused)
{
    struct sketch s = {0}, empty = {0};
    (void)unused;
    assert_int_equal(sketch_quantile(&s, 0.5), -1);
    sketch_merge(&s, &empty);
    assert_int_equal(sketch_quantile(&s, 0.5), -1);
    sketch_add(&s, 0, 3);
    sketch_add(&s, -5, 1);
    sketch_add(&s, 1000000, 0);
    assert_int_equal(sketch_quantile(&s, 1), 0);
    sketch_add(&s, 1000000, 4);
    assert_int_equal(sketch_quantile(&s, 0.5), 0);
    assert_in_range(sketch_quantile(&s, 0.51), 990000, 1010000);
}

/* The same bytes for the same samples in any order, and the same answers from them. */
static void packing_keeps_everything(void **unused)
{
    static uint8_t packed[SKETCH_PACKED_MAX], other[SKETCH_PACKED_MAX];
    (void)unused;
    for (int kind = 0; kind < 8; kind++) {
        static int64_t values[COUNT];
        struct sketch s = {0}, reversed = {0}, back;
        state = 42 + (unsigned)kind;
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = i % 100 != 0 ? draw(kind) : 0;
            sketch_add(&s, values[i], 1);
        }
        for (size_t i = COUNT; i > 0; i--)
            sketch_add(&reversed, values[i - 1], 1);
        size_t len = sketch_pack(&s, packed);
        assert_in_range(len, 1, SKETCH_PACKED_MAX);
        assert_int_equal(sketch_pack(&reversed, other), len);
        assert_memory_equal(packed, other, len);
        assert_true(sketch_unpack(packed, len, &back));
        assert_int_equal(back.count, s.count);
        assert_int_equal(back.zeros, COUNT / 100);
        for (int q = 0; q <= 100; q++)
            assert_int_equal(sketch_quantile(&back, q / 100.0), sketch_quantile(&s, q / 100.0));
    }
}

static void damaged_bytes_are_no_sketch(void **unused)
{
    static const uint8_t version[] = {2, 0}, open_number[] = {1, 0x80}, half[] = {1, 0, 4},
                         no_count[] = {1, 0, 4, 0}, far[] = {1, 0, 0x82, 0x80, 0x40, 1},
                         endless[] = {1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1};
    struct sketch s;
    (void)unused;
    assert_false(sketch_unpack(NULL, 0, &s));
    assert_false(sketch_unpack(version, sizeof version, &s));
    assert_false(sketch_unpack(open_number, sizeof open_number, &s));
    assert_false(sketch_unpack(half, sizeof half, &s));
    assert_false(sketch_unpack(no_count, sizeof no_count, &s));
    assert_false(sketch_unpack(far, sizeof far, &s));
    assert_false(sketch_unpack(endless, sizeof endless, &s));
    assert_int_equal(s.count, 0);
    struct sketch empty = {0};
    uint8_t packed[SKETCH_PACKED_MAX];
    assert_true(sketch_unpack(packed, sketch_pack(&empty, packed), &s));
    assert_int_equal(sketch_quantile(&s, 0.5), -1);
}

/* Hostile durations: the extremes of the type in any order leave the high quantiles true. */
static void extremes_collapse_at_the_low_end(void **unused)
{
    struct sketch s = {0};
    (void)unused;
    sketch_add(&s, INT64_MAX, 10);
    sketch_add(&s, 1, 10);
    sketch_add(&s, INT64_MAX / 2, 10);
    double top = (double)sketch_quantile(&s, 0.99);
    assert_true(fabs(top - (double)INT64_MAX) < (double)INT64_MAX * 0.0101);
    struct sketch up = {0};
    sketch_add(&up, 1, 10);
    sketch_add(&up, INT64_MAX, 10);
    assert_int_equal(up.count, 20);
    top = (double)sketch_quantile(&up, 0.99);
    assert_true(fabs(top - (double)INT64_MAX) < (double)INT64_MAX * 0.0101);
    sketch_merge(&up, &s);
    assert_int_equal(up.count, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_one_percent),
        cmocka_unit_test(merging_equals_adding),
        cmocka_unit_test(nothing_and_zero),
        cmocka_unit_test(packing_keeps_everything),
        cmocka_unit_test(damaged_bytes_are_no_sketch),
        cmocka_unit_test(extremes_collapse_at_the_low_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
