/* The flow table: who leaves first, and that it forgets what is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sessions/flow_table.h"

#include "core/limits.h"

#define SECOND 1000000000LL

static struct flow *add(struct flow_table *table, uint16_t port, int64_t now_ns)
{
    struct flow_key key = {.low_port = port, .high_port = 443, .protocol = 6, .family = 4};
    return flow_table_add(table, &key, now_ns);
}

/* A day of short connections: entries of the idle queues must not gather until their time comes. */
static void test_what_is_gone_takes_no_memory(void **state)
{
    uint64_t account = 0, early = 0;
    struct flow_table *table = flow_table_new(1, &account);
    (void)state;
    for (int64_t i = 0; i < 200000; i++) {
        int64_t now = i * SECOND / 100;
        struct flow *flow = add(table, (uint16_t)i, now);
        assert_non_null(flow);
        flow_table_set_class(table, flow, CLASS_ESTABLISHED, now);
        flow_table_set_class(table, flow, CLASS_CLOSED, now);
        flow_table_remove(table, flow);
        if (i == 1000)
            early = account;
    }
    assert_int_equal(flow_table_count(table), 0);
    assert_true(account <= early * 2);
    flow_table_free(table);
}

static void test_victims_are_idle(void **state)
{
    uint64_t account = 0;
    struct flow_table *table = flow_table_new(1, &account);
    struct flow *flows[10];
    (void)state;
    for (int i = 0; i < 10; i++) {
        flows[i] = add(table, (uint16_t)(i + 1), i * SECOND);
        flow_table_set_class(table, flows[i], CLASS_ESTABLISHED, i * SECOND);
    }
    for (int i = 0; i < 10; i++)
        flows[i]->last_ns = i == 4 || i == 7 ? i * SECOND : 100 * SECOND;
    assert_ptr_equal(flow_table_victim(table), flows[4]);
    flow_table_remove(table, flows[4]);
    assert_ptr_equal(flow_table_victim(table), flows[7]);
    flow_table_remove(table, flows[7]);
    assert_non_null(flow_table_victim(table)); /* all of them speak: one has to go all the same */
    flow_table_free(table);
}

static void test_closed_leave_before_open_ones(void **state)
{
    uint64_t account = 0;
    struct flow_table *table = flow_table_new(1, &account);
    struct flow *open = add(table, 1, 0), *closed = add(table, 2, SECOND);
    (void)state;
    flow_table_set_class(table, open, CLASS_ESTABLISHED, 0);
    flow_table_set_class(table, closed, CLASS_CLOSED, SECOND);
    closed->last_ns = SECOND;
    assert_ptr_equal(flow_table_victim(table), closed);
    assert_ptr_equal(flow_table_expired(table, SECOND + LIMIT_IDLE_CLOSED_NS), closed);
    flow_table_remove(table, closed);
    assert_null(flow_table_expired(table, LIMIT_IDLE_ESTABLISHED_NS - 1));
    assert_ptr_equal(flow_table_expired(table, LIMIT_IDLE_ESTABLISHED_NS), open);
    flow_table_free(table);
}

/* A flood of one kind takes no handshakes of the other. */
static void test_the_crowd_leaves_first(void **state)
{
    uint64_t account = 0;
    struct flow_table *table = flow_table_new(1, &account);
    struct flow *lone = add(table, 1, 0), *flows[3];
    (void)state;
    flow_table_set_class(table, lone, CLASS_SYN, 0);
    for (int i = 0; i < 3; i++) {
        flows[i] = add(table, (uint16_t)(i + 2), SECOND);
        flows[i]->last_ns = SECOND;
        flow_table_set_class(table, flows[i], CLASS_SYN, SECOND);
        flow_table_set_class(table, flows[i], CLASS_HALF_OPEN, SECOND);
    }
    assert_ptr_equal(flow_table_victim(table), flows[0]);
    flow_table_remove(table, flows[0]);
    assert_ptr_equal(flow_table_victim(table), flows[1]);
    flow_table_remove(table, flows[1]);
    assert_ptr_equal(flow_table_victim(table), lone);
    flow_table_remove(table, lone);
    assert_ptr_equal(flow_table_victim(table), flows[2]);
    flow_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_gone_takes_no_memory),
        cmocka_unit_test(test_victims_are_idle),
        cmocka_unit_test(test_closed_leave_before_open_ones),
        cmocka_unit_test(test_the_crowd_leaves_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
