/* The order in which the rows of a batch are written. */
#include "store/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MANY 5000

static void add_turn(struct batch *batch, int64_t flow_id, int64_t number)
{
    struct turn_record turn = {.flow_id = flow_id, .number = number};
    batch_add(batch, RECORD_TURN, &turn);
}

static void add_verdict(struct batch *batch, int64_t flow_id)
{
    struct verdict_record verdict = {.flow_id = flow_id};
    batch_add(batch, RECORD_VERDICT, &verdict);
}

/* Flow ids that jump about, negative ones and huge ones among them. */
static int64_t id_of(int i)
{
    static const int64_t odd[] = {-1, INT64_MAX, 0, INT64_MIN, 1LL << 40};
    return i < 5 ? odd[i] : (int64_t)(i * 7919 % 1000);
}

static void test_rows_are_sorted_by_table_and_key(void **state)
{
    (void)state;
    struct batch *batch = batch_new(BATCH_BYTES);
    struct row_order order = {0};
    assert_non_null(batch);
    for (int i = 0; i < MANY; i++) {
        add_verdict(batch, id_of(i));
        add_turn(batch, id_of(i), i);
    }
    assert_true(row_order_make(&order, batch));
    assert_int_equal(order.count, 2 * MANY);
    int64_t last_id = INT64_MIN, last_number = -1;
    for (size_t i = 0; i < MANY; i++) {
        const struct turn_record *turn = batch_record(batch, (size_t)order.rows[i].at * 8);
        assert_int_equal(order.rows[i].kind, RECORD_TURN);
        assert_true(turn->flow_id >= last_id);
        assert_true(turn->flow_id > last_id || turn->number > last_number); /* as they came */
        last_id = turn->flow_id;
        last_number = turn->number;
    }
    for (size_t i = 0; i < MANY; i++) { /* updates come last, as they came */
        const struct verdict_record *verdict =
            batch_record(batch, (size_t)order.rows[MANY + i].at * 8);
        assert_int_equal(order.rows[MANY + i].kind, RECORD_VERDICT);
        assert_int_equal(verdict->flow_id, id_of((int)i));
    }
    row_order_free(&order);
    batch_free(batch);
}

static void test_memory_is_kept_and_grows(void **state)
{
    (void)state;
    struct row_order order = {0};
    for (int rows = 1; rows <= 1000; rows *= 10) {
        struct batch *batch = batch_new(BATCH_BYTES);
        assert_non_null(batch);
        for (int i = rows; i > 0; i--)
            add_turn(batch, i, 1);
        assert_true(row_order_make(&order, batch));
        assert_int_equal(order.count, rows);
        for (size_t i = 0; i < order.count; i++) {
            const struct turn_record *turn = batch_record(batch, (size_t)order.rows[i].at * 8);
            assert_int_equal(turn->flow_id, i + 1);
        }
        batch_free(batch);
    }
    row_order_free(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sorted_by_table_and_key),
        cmocka_unit_test(test_memory_is_kept_and_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
