/* What the engine keeps of the way between two addresses. */
#include "tests/unit/session_fixture.h"

struct kept {
    struct path_sample_record paths[8];
    size_t count;
};

static void keep_path(void *self, enum record_kind kind, const void *record)
{
    struct kept *kept = self;
    if (kind == RECORD_PATH && kept->count < 8)
        kept->paths[kept->count++] = *(const struct path_sample_record *)record;
}

struct paths_fixture {
    struct kept kept;
    struct intern *strings;
    struct conversation c[2]; /* two connections of the same pair, one engine */
};

static int open_engine(void **state)
{
    struct paths_fixture *f = calloc(1, sizeof *f);
    f->strings = intern_new();
    struct engine_options options = {.profile = profile_builtin(),
                                     .sink = {&f->kept, keep_path},
                                     .strings = f->strings,
                                     .capture_id = 3,
                                     .first_flow_id = 1,
                                     .first_path_id = 7,
                                     .memory_bytes = 64u << 20,
                                     .ndpi = ENGINE_NDPI_OFF};
    struct error error;
    struct engine *engine = engine_new(&options, &error);
    for (int i = 0; i < 2; i++)
        f->c[i] = (struct conversation){.engine = engine,
                                        .frame = (uint64_t)i * 1000,
                                        .now_ns = 1700000000LL * 1000000000LL,
                                        .isn = {1000, 5000},
                                        .ports = {(uint16_t)(50000 + i), 8100},
                                        .ttl = {64, 57},
                                        .ip_id = {100, 7000},
                                        .window = {64240, 65160}};
    *state = f;
    return engine == NULL;
}

static int close_engine(void **state)
{
    struct paths_fixture *f = *state;
    engine_free(f->c[0].engine);
    intern_free(f->strings);
    free(f);
    return 0;
}

/* Both connections tell the time together. */
static void say(struct paths_fixture *f, int which, int64_t ms, struct segment s)
{
    f->c[0].now_ns += ms * 1000000;
    f->c[1].now_ns = f->c[0].now_ns;
    send_segment(&f->c[which], &s);
}

static void open_both(struct paths_fixture *f)
{
    for (int i = 0; i < 2; i++) {
        say(f, i, 1, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
        say(f, i, 10, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
        say(f, i, 1, (struct segment){0, TCP_ACK, 1, 1, NULL, 0, 0, 0});
    }
}

static void ask(struct paths_fixture *f, int which, int64_t ms)
{
    say(f, which, ms, (struct segment){0, TCP_ACK | TCP_PSH, 1, 1, "ask", 3, 0, 0});
}

static void acknowledge(struct paths_fixture *f, int which, int64_t ms, uint16_t flags)
{
    say(f, which, ms, (struct segment){1, flags, 1, 4, NULL, 0, 0, 0});
}

/* Two requests sent three times each, at 200 ms and 600 ms, without a word of the server. */
static void ask_in_vain(struct paths_fixture *f)
{
    ask(f, 0, 10);
    ask(f, 1, 1);
    for (int i = 0; i < 2; i++) {
        ask(f, 0, i == 0 ? 200 : 400);
        ask(f, 1, 1);
    }
}

static const struct path_sample_record *finish(struct paths_fixture *f)
{
    engine_finish(f->c[0].engine);
    assert_int_equal(f->kept.count, 1);
    return &f->kept.paths[0];
}

static void test_counts(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    ask(f, 0, 10);
    acknowledge(f, 0, 10, TCP_ACK);
    const struct path_sample_record *r = finish(f);
    assert_int_equal(r->id, 7);
    assert_int_equal(r->capture_id, 3);
    assert_int_equal(r->connections, 2);
    assert_int_equal(r->established, 2);
    assert_int_equal(r->side[SIDE_SERVER].ttl, 57);
    assert_int_equal(r->side[SIDE_SERVER].hops, 7);
    assert_int_equal(r->side[SIDE_CLIENT].hops, 0);
    assert_int_equal(r->side[SIDE_CLIENT].mss_min, 1460);
    assert_int_equal(r->side[SIDE_SERVER].syns, 2);
    assert_int_equal(r->side[SIDE_SERVER].scale_seen, 2);
    assert_int_equal(r->side[SIDE_CLIENT].timestamps_missing, 2);
    assert_int_equal(r->side[SIDE_SERVER].timestamps_missing, 0); /* never offered */
    assert_int_equal(r->side[SIDE_SERVER].rtt_min_ns, 10000000);
    assert_in_range(r->side[SIDE_SERVER].rtt_count, 2, 3); /* two handshakes, perhaps the answer */
    assert_in_range(r->side[SIDE_SERVER].rtt_p50_ns, 9900000, 10100000);
    assert_in_range(r->side[SIDE_SERVER].rtt_p99_ns, 9900000, 10100000);
    assert_int_equal(r->side[SIDE_CLIENT].rtt_count, 2);
    assert_in_range(r->side[SIDE_CLIENT].rtt_p95_ns, 990000, 1010000);
    assert_in_range(r->side[SIDE_CLIENT].rtt_sketch_len, 4, 12);
    assert_int_equal(r->outages, 0);
    assert_int_equal(r->side[SIDE_SERVER].ttl_changes, 0);
}

static void test_outage(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    int64_t before = f->c[1].now_ns - 1000000; /* the last SYN-ACK */
    ask_in_vain(f);
    acknowledge(f, 0, 900, TCP_ACK);
    const struct path_sample_record *r = finish(f);
    assert_int_equal(r->outages, 1);
    assert_int_equal(r->outage_side, SIDE_SERVER);
    assert_int_equal(r->outage_connections, 2);
    assert_int_equal(r->outage_first_ns, before);
    assert_int_equal(r->outage_last_ns, f->c[0].now_ns);
    assert_int_equal(r->outage_ns, f->c[0].now_ns - before);
    assert_int_equal(r->outage_total_ns, r->outage_ns);
    assert_int_equal(r->outage_frame, f->c[0].frame);
}

/* A server that restarted knows its old connections no more. */
static void test_restart_is_no_outage(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    ask_in_vain(f);
    acknowledge(f, 0, 900, TCP_RST);
    acknowledge(f, 1, 1, TCP_RST);
    assert_int_equal(finish(f)->outages, 0);
}

/* One connection alone may have met a dead process; another one heard meanwhile excludes the path. */
static void test_one_heard_is_no_outage(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    ask(f, 0, 10);
    ask(f, 1, 1);
    ask(f, 0, 200);
    ask(f, 1, 1);
    acknowledge(f, 1, 10, TCP_ACK);
    ask(f, 0, 400);
    ask(f, 0, 800);
    acknowledge(f, 0, 900, TCP_ACK);
    assert_int_equal(finish(f)->outages, 0);
}

static void test_short_silence_is_no_outage(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    ask_in_vain(f);
    acknowledge(f, 0, 100, TCP_ACK);
    assert_int_equal(finish(f)->outages, 0);
}

static void answer(struct paths_fixture *f, int which, uint8_t ttl)
{
    say(f, which, 10, (struct segment){1, TCP_ACK, 1, 1, NULL, 0, ttl, 0});
}

static void test_ttl_change(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    answer(f, 0, 57);
    answer(f, 1, 57);
    uint64_t frame = f->c[0].frame + 1;
    for (int i = 0; i < 6; i++)
        answer(f, i % 2, 55);
    const struct path_sample_record *r = finish(f);
    assert_int_equal(r->side[SIDE_SERVER].ttl_changes, 1);
    assert_int_equal(r->side[SIDE_SERVER].ttl_before, 57);
    assert_int_equal(r->side[SIDE_SERVER].ttl, 55);
    assert_int_equal(r->side[SIDE_SERVER].ttl_changed_frame, frame);
    assert_int_equal(r->side[SIDE_CLIENT].ttl_changes, 0);
}

/* Two machines behind one address, each with its own connections. */
static void test_two_machines_are_no_change(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    for (int i = 0; i < 6; i++)
        answer(f, 0, 57);
    for (int i = 0; i < 12; i++)
        answer(f, 1, 121);
    assert_int_equal(finish(f)->side[SIDE_SERVER].ttl_changes, 0);
}

/* Packets that take two ways by turns. */
static void test_alternating_is_no_change(void **state)
{
    struct paths_fixture *f = *state;
    open_both(f);
    for (int i = 0; i < 24; i++)
        answer(f, i / 2 % 2, i % 2 == 0 ? 57 : 56);
    assert_int_equal(finish(f)->side[SIDE_SERVER].ttl_changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_outage, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_restart_is_no_outage, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_one_heard_is_no_outage, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_short_silence_is_no_outage, open_engine,
                                        close_engine),
        cmocka_unit_test_setup_teardown(test_ttl_change, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_two_machines_are_no_change, open_engine,
                                        close_engine),
        cmocka_unit_test_setup_teardown(test_alternating_is_no_change, open_engine, close_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
