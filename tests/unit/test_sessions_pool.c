/* Slabs: what is in use is counted, what is not goes back. */
#include "sessions/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 5000
#define SLAB (64u * 1024)
#define LARGEST 16384

struct fixture {
    struct pool pool;
    uint64_t bytes;
    uint8_t *objects[OBJECTS];
};

static const uint8_t zeros[LARGEST];

static void take_all(struct fixture *f, size_t size)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        f->objects[i] = i % 2 == 0 ? pool_take(&f->pool) : pool_take_unset(&f->pool);
        assert_non_null(f->objects[i]);
        assert_int_equal((uintptr_t)f->objects[i] % 16, 0);
        if (i % 2 == 0)
            assert_memory_equal(f->objects[i], zeros, size);
        memset(f->objects[i], (int)(i % 251), size);
    }
}

/* Nobody wrote into another's bytes, also not the pool. */
static void look_at_all(const struct fixture *f, size_t size)
{
    static uint8_t expected[LARGEST];
    for (size_t i = 0; i < OBJECTS; i++) {
        memset(expected, (int)(i % 251), size);
        assert_memory_equal(f->objects[i], expected, size);
    }
}

static void test_all_sizes_come_and_go(void **state)
{
    static const size_t sizes[] = {1, 16, 17, 96, 1000, 1944, LARGEST};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct fixture f = {0};
        pool_init(&f.pool, sizes[k], &f.bytes);
        assert_int_equal(f.bytes, 0); /* nothing is taken for nothing */
        take_all(&f, sizes[k]);
        assert_true(f.bytes >= (uint64_t)OBJECTS * sizes[k]);
        assert_int_equal(f.bytes % SLAB, 0);
        look_at_all(&f, sizes[k]);
        uint64_t most = f.bytes;
        for (size_t i = 0; i < OBJECTS; i++) /* far from the order of taking; 2,003 is prime */
            pool_give(&f.pool, f.objects[i * 2003 % OBJECTS]);
        assert_true(f.bytes <= 9 * SLAB); /* eight of them wait for the next ones, and a slab */
        take_all(&f, sizes[k]);
        look_at_all(&f, sizes[k]);
        assert_true(f.bytes <= most + 8 * SLAB);
        pool_free(&f.pool);
    }
}

/* What was taken first is given first, as when a flood is given up: memory follows. */
static void test_what_moves_on_stays_small(void **state)
{
    struct fixture f = {0};
    (void)state;
    pool_init(&f.pool, 96, &f.bytes);
    take_all(&f, 96);
    uint64_t most = f.bytes;
    for (size_t i = 0; i < 20 * OBJECTS; i++) {
        pool_give(&f.pool, f.objects[i % OBJECTS]);
        f.objects[i % OBJECTS] = pool_take(&f.pool);
    }
    assert_int_equal(f.bytes, most);
    for (size_t i = 0; i < OBJECTS - 100; i++)
        pool_give(&f.pool, f.objects[i]);
    assert_true(f.bytes <= 11 * SLAB);
    pool_give(&f.pool, NULL);
    pool_free(&f.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sizes_come_and_go),
        cmocka_unit_test(test_what_moves_on_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
