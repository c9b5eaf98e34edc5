/* The event ring of a flow: what stays of a long connection. */
#include "sessions/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MANY 1000u

static struct flow_event event_at(uint32_t frame, enum event_kind kind)
{
    return (struct flow_event){
        .time_ns = (int64_t)frame * 1000, .frame = frame, .kind = (uint8_t)kind, .side = SIDE_SERVER};
}

/* Frames 1 .. MANY, all data but for odd_at: how many of the copy, in order. */
static size_t copy_of(const enum event_kind *odd, const uint32_t *odd_at, size_t odd_count, bool flipped,
                      struct flow_event out[FLOW_EVENTS_MAX])
{
    struct event_pools pools;
    struct event_list list = {0};
    uint64_t account = 0;
    events_init(&pools, &account);
    for (uint32_t frame = 1; frame <= MANY; frame++) {
        struct flow_event event = event_at(frame, EVENT_DATA);
        for (size_t i = 0; i < odd_count; i++) {
            if (odd_at[i] == frame)
                event.kind = (uint8_t)odd[i];
        }
        struct flow_event *at = events_next(&pools, &list);
        assert_non_null(at);
        *at = event;
    }
    if (flipped)
        events_flip(&list);
    size_t count = events_copy(&list, out);
    events_release(&pools, &list);
    events_free(&pools);
    return count;
}

static void head_and_tail_stay(void **state)
{
    struct flow_event out[FLOW_EVENTS_MAX];
    (void)state;
    assert_int_equal(copy_of(NULL, NULL, 0, false, out), FLOW_EVENTS_RING);
    assert_int_equal(out[0].frame, 1);
    assert_int_equal(out[FLOW_EVENTS_HEAD - 1].frame, FLOW_EVENTS_HEAD);
    assert_int_equal(out[FLOW_EVENTS_HEAD].frame, MANY - FLOW_EVENTS_TAIL + 1);
    assert_int_equal(out[FLOW_EVENTS_RING - 1].frame, MANY);
}

/* The proof of a stall in the middle: the first two of a kind, in order of time. */
static void the_first_remarkable_ones_stay(void **state)
{
    static const enum event_kind odd[] = {EVENT_ZERO_WINDOW, EVENT_WINDOW_UPDATE, EVENT_ZERO_WINDOW, EVENT_ZERO_WINDOW,
                                          EVENT_ACK};
    static const uint32_t at[] = {200, 210, 300, 400, 500};
    static const uint32_t expected[] = {200, 210, 300};
    struct flow_event out[FLOW_EVENTS_MAX];
    (void)state;
    for (int flipped = 0; flipped < 2; flipped++) {
        assert_int_equal(copy_of(odd, at, 5, flipped != 0, out), FLOW_EVENTS_RING + 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(out[FLOW_EVENTS_HEAD + i].frame, expected[i]);
        for (size_t i = 0; i < FLOW_EVENTS_RING + 3; i++) {
            assert_int_equal(out[i].side, flipped != 0 ? SIDE_CLIENT : SIDE_SERVER);
            assert_true(i == 0 || out[i].frame > out[i - 1].frame);
        }
    }
}

static void no_more_than_there_is_room_for(void **state)
{
    enum event_kind odd[EVENT_KIND_COUNT * 4];
    uint32_t at[EVENT_KIND_COUNT * 4];
    struct flow_event out[FLOW_EVENTS_MAX];
    (void)state;
    for (uint32_t i = 0; i < EVENT_KIND_COUNT * 4; i++) {
        odd[i] = (enum event_kind)(i % EVENT_KIND_COUNT);
        at[i] = 100 + i;
    }
    assert_int_equal(copy_of(odd, at, EVENT_KIND_COUNT * 4, false, out), FLOW_EVENTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_tail_stay),
        cmocka_unit_test(the_first_remarkable_ones_stay),
        cmocka_unit_test(no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
