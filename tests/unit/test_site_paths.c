/* What is said of a path as a whole: outages, stripped options, idle timers, tunnels. */
#include "test_site_help.h"

#include "diagnosis/site/mtu.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define OTHER "10.0.0.3"

static struct scene_flow *open_flow(struct scene *s, uint16_t port, const char *server, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, 8101, at);
    flow_establish(f);
    return f;
}

/* ---- outages ---- */

static struct path_sample_record *dead_path(struct scene *s)
{
    struct scene_flow *f = open_flow(s, 1000, SERVER, 10);
    flow_touch(f, SIDE_SERVER, START_NS + 30 * SECOND);
    struct path_sample_record *p = scene_path(s, CLIENT, SERVER);
    p->outages = 1;
    p->outage_side = SIDE_SERVER;
    p->outage_connections = 4;
    p->outage_first_ns = START_NS + 15 * SECOND;
    p->outage_last_ns = START_NS + 18 * SECOND;
    p->outage_ns = p->outage_total_ns = 3 * SECOND;
    p->outage_frame = 77;
    p->outage_source_id = 1;
    return p;
}

static void an_outage_is_told(void **state)
{
    struct scene *s = *state;
    (void)dead_path(s);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_PATH_OUTAGE);
    assert_non_null(found);
    assert_int_equal(found->record.culprit, CULPRIT_NETWORK);
    assert_true(finding_value(found, "duration_ms")->number == 3000);
    assert_true(finding_value(found, "connections")->number == 4);
    assert_string_equal(finding_value(found, "silent")->text, "server");
    assert_int_equal(found->record.first_ns, START_NS + 15 * SECOND);
    assert_int_equal(found->record.last_ns, START_NS + 18 * SECOND);
}

/* The server answered another client meanwhile: it was not paused. */
static void a_server_heard_elsewhere_was_not_away(void **state)
{
    struct scene *s = *state;
    (void)dead_path(s);
    scene_judge(s);
    assert_in_range(scene_find(s, FINDING_PATH_OUTAGE)->record.confidence, 50, 79);
    struct scene_flow *f = scene_flow_add(s, OTHER, 1001, SERVER, 8101, 16);
    flow_establish(f);
    flow_touch(f, SIDE_SERVER, START_NS + 17 * SECOND);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_PATH_OUTAGE)->record.confidence, 85);
    flow_touch(f, SIDE_SERVER, START_NS + 19 * SECOND); /* its answer may have come behind it */
    scene_judge(s);
    assert_in_range(scene_find(s, FINDING_PATH_OUTAGE)->record.confidence, 50, 79);
}

/* None of its connections was open on both sides of the silence; a capture that lost packets. */
static void outages_that_nothing_proves(void **state)
{
    struct scene *s = *state;
    struct path_sample_record *p = dead_path(s);
    p->outage_last_ns = START_NS + 40 * SECOND;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_OUTAGE));
    p->outage_last_ns = START_NS + 18 * SECOND;
    s->source.dropped_kernel = 5000;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_OUTAGE));
}

/* ---- options ---- */

static struct path_sample_record *two_paths(struct scene *s)
{
    open_flow(s, 1000, SERVER, 10);
    open_flow(s, 1001, OTHER, 11);
    (void)scene_path(s, CLIENT, OTHER);
    struct path_sample_record *p = scene_path(s, CLIENT, SERVER);
    p->side[SIDE_CLIENT].scale_seen = 0;
    p->side[SIDE_CLIENT].scale_missing = 3;
    return p;
}

static void options_missing_on_one_path(void **state)
{
    struct scene *s = *state;
    struct path_sample_record *p = two_paths(s);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_OPTION_STRIPPED);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "option")->text, "window scale");
    assert_string_equal(finding_value(found, "sender")->text, "client");
    assert_int_equal(found->record.confidence, 60);
    p->side[SIDE_CLIENT].padded_syns = 3;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_TCP_OPTION_STRIPPED)->record.confidence, 85);
}

static void options_look_alikes(void **state)
{
    struct scene *s = *state;
    struct path_sample_record *p = two_paths(s), *other = &s->paths[0];
    p->side[SIDE_CLIENT].ttl = 124; /* another machine behind the address */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_OPTION_STRIPPED));
    p->side[SIDE_CLIENT].ttl = 60;
    other->side[SIDE_CLIENT].scale_missing = 1; /* two stacks: it happens elsewhere, too */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_OPTION_STRIPPED));
    other->side[SIDE_CLIENT].scale_missing = 0;
    p->side[SIDE_CLIENT].scale_seen = 1; /* not always */
    p->side[SIDE_CLIENT].scale_missing = 2;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_OPTION_STRIPPED));
    p->side[SIDE_CLIENT] = other->side[SIDE_CLIENT]; /* a scanner's bare SYN */
    p->side[SIDE_CLIENT].scale_seen = p->side[SIDE_CLIENT].sack_seen = 0;
    p->side[SIDE_CLIENT].timestamps_seen = 0;
    p->side[SIDE_CLIENT].scale_missing = 3;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_OPTION_STRIPPED));
}

/* The MSS of a jumbo network is no reason to expect it elsewhere. */
static void clamped_mss(void **state)
{
    struct scene *s = *state;
    struct path_sample_record *p = two_paths(s), *other = &s->paths[0];
    p->side[SIDE_CLIENT] = other->side[SIDE_CLIENT];
    p->side[SIDE_CLIENT].mss_min = p->side[SIDE_CLIENT].mss_max = 1360;
    scene_judge(s);
    assert_string_equal(
        finding_value(scene_find(s, FINDING_TCP_OPTION_STRIPPED), "option")->text, "the full MSS");
    assert_true(finding_value(scene_find(s, FINDING_TCP_OPTION_STRIPPED), "mss")->number == 1360);
    assert_true(finding_value(scene_find(s, FINDING_TCP_OPTION_STRIPPED), "usual_mss")->number ==
                other->side[SIDE_CLIENT].mss_min);
    p->side[SIDE_CLIENT].mss_min = p->side[SIDE_CLIENT].mss_max = 1460;
    other->side[SIDE_CLIENT].mss_min = other->side[SIDE_CLIENT].mss_max = 8960;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_OPTION_STRIPPED));
}

/* ---- idle timers ---- */

static void forget(struct scene *s, int64_t survived_s, int64_t lost_s)
{
    struct scene_flow *f = open_flow(s, 1000, SERVER, 10);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    f->tcp.longest_idle_ns = survived_s * SECOND;
    f->tcp.idle_before_tail_ns = lost_s * SECOND;
    f->tcp.tail_tries = 4;
    struct tcp_side_facts *t = &f->tcp.side[SIDE_CLIENT];
    t->tail_first_ns = f->flow.first_ns + lost_s * SECOND;
    t->tail_last_ns = t->tail_first_ns + 3 * SECOND;
    t->tail_retransmissions = 4;
    t->unacked_bytes = 100;
    flow_touch(f, SIDE_CLIENT, t->tail_last_ns);
    s->capture.last_ns = f->flow.last_ns + 100 * SECOND;
    scene_healthy(s, CLIENT, 1001, SERVER, 8101, (double)(lost_s + 11));
    (void)scene_path(s, CLIENT, SERVER);
    scene_judge(s);
    assert_int_equal(s->verdicts[1].verdict, FINDING_TCP_IDLE_STATE_LOST + 1);
    assert_int_equal(s->put_path_count, 1);
    assert_int_equal(s->put_paths[0].idle_lost_ns, lost_s * SECOND);
    assert_int_equal(s->put_paths[0].idle_connections, 1);
}

static void one_usual_value_lies_between(void **state)
{
    struct scene *s = *state;
    forget(s, 2, 8);
    assert_int_equal(s->put_paths[0].idle_timer_ns, 5 * SECOND);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_IDLE_STATE_LOST);
    assert_true(finding_value(found, "timer_ms")->number == 5000);
}

static void what_the_loss_touches(void **state)
{
    struct scene *s = *state;
    forget(s, 30, 302);
    assert_int_equal(s->put_paths[0].idle_timer_ns, 300 * SECOND);
}

static void too_many_values_are_none(void **state)
{
    struct scene *s = *state;
    forget(s, 30, 333);
    assert_int_equal(s->put_paths[0].idle_timer_ns, 333 * SECOND);
}

/* Reset in silence, idle for so long, by nobody's wish. */
static struct scene_flow *swept(struct scene *s, uint16_t port, double at, double idle_s)
{
    struct scene_flow *f = open_flow(s, port, SERVER, at);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    flow_rst(f, SIDE_SERVER, 0.05 + idle_s, 60);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    f->tcp.longest_idle_ns = (int64_t)(idle_s * (double)SECOND);
    f->reset_count = 1;
    f->resets[0] = (struct reset_record){.flow_id = f->flow.id,
                                         .number = 1,
                                         .side = SIDE_SERVER,
                                         .source_id = 1,
                                         .frame = f->flow.first_frame + 9,
                                         .time_ns = f->flow.last_ns,
                                         .ttl = 60,
                                         .usual_ttl = 60,
                                         .own_ns = f->tcp.longest_idle_ns,
                                         .peer_ns = f->tcp.longest_idle_ns + 20 * MS};
    return f;
}

static void resets_in_silence_show_a_timer(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 3; i++)
        (void)swept(s, (uint16_t)(1000 + i), 10 + i, 30.2 + 0.3 * i);
    (void)scene_path(s, CLIENT, SERVER);
    scene_judge(s);
    assert_int_equal(s->put_path_count, 1);
    assert_int_equal(s->put_paths[0].idle_timer_ns, 30 * SECOND);
    assert_int_equal(s->put_paths[0].idle_connections, 3);
    for (size_t i = 0; i < 3; i++)
        expect_outcome(s, 1 + i, OUTCOME_OK);
    assert_null(scene_find(s, FINDING_TCP_IDLE_STATE_LOST));
    struct scene_flow *f = open_flow(s, 1003, SERVER, 15); /* one that was silent for longer, and went on */
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    flow_send(f, SIDE_SERVER, 0.05, 300);
    flow_send(f, SIDE_CLIENT, 50, 300);
    flow_send(f, SIDE_SERVER, 50.05, 300);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    f->tcp.longest_idle_ns = 50 * SECOND;
    scene_judge(s);
    assert_int_equal(s->put_paths[0].idle_timer_ns, -1);
}

static void resets_after_unequal_pauses_show_none(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 3; i++)
        (void)swept(s, (uint16_t)(1000 + i), 10 + i, 12 + 7 * i);
    (void)scene_path(s, CLIENT, SERVER);
    scene_judge(s);
    assert_int_equal(s->put_paths[0].idle_timer_ns, -1);
}

/* ---- queues ---- */

/* Short connections whose handshakes take base_ms, and slow_ms while a transfer of the server runs. */
static void share_a_queue(struct scene *s, int64_t base_ms, int64_t slow_ms, int64_t after_ms)
{
    struct scene_flow *f = scene_healthy(s, OTHER, 900, SERVER, 8101, 40);
    flow_send(f, SIDE_SERVER, 9, 5000000);
    for (int i = 0; i < 15; i++) {
        double at = i < 5 ? 10 + i : i < 10 ? 41 + (i - 5) : 70 + i;
        f = scene_healthy(s, CLIENT, (uint16_t)(1000 + i), SERVER, 8101, at);
        f->flow.connect_rtt_server_ns = (i < 5 ? base_ms : i < 10 ? slow_ms + i : after_ms) * MS;
    }
    scene_judge(s);
}

static void a_transfer_fills_a_queue(void **state)
{
    struct scene *s = *state;
    share_a_queue(s, 10, 300, 12);
    const struct scene_finding *found = scene_find(s, FINDING_PATH_BUFFERBLOAT);
    assert_non_null(found);
    assert_true(finding_value(found, "loaded_ms")->number == 307);
    assert_true(finding_value(found, "longest_ms")->number == 309);
    assert_true(finding_value(found, "moved_bytes")->number >= 5000000);
    assert_string_equal(finding_value(found, "side")->text, "server");
    assert_int_equal(found->record.severity, SEVERITY_LOW);
}

static void a_longer_way_is_no_queue(void **state)
{
    struct scene *s = *state;
    share_a_queue(s, 10, 300, 300); /* and stays so */
    assert_null(scene_find(s, FINDING_PATH_BUFFERBLOAT));
}

static void a_little_more_is_no_queue(void **state)
{
    struct scene *s = *state;
    share_a_queue(s, 10, 25, 10);
    assert_null(scene_find(s, FINDING_PATH_BUFFERBLOAT));
}

/* ---- tunnels ---- */

static void tunnels_between_two_sizes(void **state)
{
    (void)state;
    struct site *site = site_new(profile_builtin());
    struct judge judge = {.site = site};
    assert_string_equal(mtu_tunnels(&judge, 1485, 1500), "PPPoE (1492)");
    assert_string_equal(mtu_tunnels(&judge, 1440, 1460), "WireGuard/IPv4 (1440), VXLAN, GENEVE (1450)");
    assert_string_equal(mtu_tunnels(&judge, 1420, 1421), "WireGuard (1420)");
    assert_string_equal(
        mtu_tunnels(&judge, 1410, 1500), /* the nearest of eleven */
        "WireGuard (1420), IPsec NAT-T (1422), VXLAN/IPv6 (1430), IPsec AES-GCM (1438)");
    assert_null(mtu_tunnels(&judge, 600, 1500)); /* any would fit */
    assert_null(mtu_tunnels(&judge, 1493, 1500));
    site_free(site);
}

/* ---- timestamps ---- */

static void timestamps_that_came_right_again(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1001, SERVER, 8101, 10);
    f->has_tcp = true;
    f->tcp.side[SIDE_CLIENT].retransmitted_bytes = 400;
    f->tcp.side[SIDE_CLIENT].stamp_refusals = 3;
    f->tcp.side[SIDE_CLIENT].stamp_back = 90000;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_PAWS_DROP);
    assert_non_null(found);
    assert_int_equal(found->record.severity, SEVERITY_LOW);
    assert_true(finding_value(found, "passing")->number == 3.0);
    f->tcp.side[SIDE_CLIENT].stamp_back = 40; /* they passed each other on the way */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_PAWS_DROP));
}

/* The way was cut from 12 s to 16 s: what was sent again then, and at once behind it, is that cut. */
static void losses_of_an_outage_are_told_as_that(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8101, 10);
    static const int64_t at_s[] = {11, 12, 14, 16, 18};
    static const int64_t again[] = {0, 2, 1, 30, 0};
    f->flow.last_ns = f->flow.first_ns + 20 * SECOND;
    f->has_tcp = true;
    f->tcp.side[1].segments = 300;
    f->tcp.side[1].recovered_losses = 33;
    for (size_t i = 0; i < 5; i++)
        s->samples[s->sample_count++] = (struct rtt_sample_record){
            .flow_id = f->flow.id, .start_ns = f->flow.first_ns + (at_s[i] - 10) * SECOND, .retransmissions = again[i]};
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_TCP_LOSS));
    struct path_sample_record *path = scene_path(s, CLIENT, SERVER);
    path->outages = 1;
    path->outage_side = SIDE_CLIENT;
    path->outage_first_ns = f->flow.first_ns + 2 * SECOND;
    path->outage_last_ns = f->flow.first_ns + 6 * SECOND;
    path->outage_ns = 4 * SECOND;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_LOSS));
    assert_non_null(scene_find(s, FINDING_PATH_OUTAGE));
    s->samples[4].retransmissions = 6; /* and others long behind it */
    s->flows[1].tcp.side[1].recovered_losses = 39;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_LOSS);
    assert_non_null(found);
    assert_true(finding_value(found, "lost")->number == 6);
}

/* A server far away for everybody: few connections on each of its paths, enough of them together. */
static void a_long_way_of_few_connections_each(void **state)
{
    struct scene *s = *state;
    static const char *const clients[] = {CLIENT, "10.0.0.8", "10.0.0.9"};
    for (size_t i = 0; i < 3; i++) {
        struct scene_flow *f = scene_healthy(s, clients[i], (uint16_t)(1001 + i), SERVER, 443, 10 + (double)i);
        f->flow.connect_rtt_server_ns = f->flow.rtt_min_server_ns = (600 + 10 * (int64_t)i) * MS;
        (void)scene_healthy(s, clients[i], (uint16_t)(2001 + i), OTHER, 443, 10 + (double)i);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_PATH_LATENCY_HIGH);
    assert_non_null(found);
    assert_int_equal(found->record.count, 3);
    assert_string_equal(finding_value(found, "side")->text, "server");
    s->flows[1].flow.connect_rtt_server_ns = s->flows[1].flow.rtt_min_server_ns = 10 * MS; /* two of three */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_PATH_LATENCY_HIGH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_outage_is_told),
        SCENE_TEST(a_server_heard_elsewhere_was_not_away),
        SCENE_TEST(outages_that_nothing_proves),
        SCENE_TEST(losses_of_an_outage_are_told_as_that),
        SCENE_TEST(a_long_way_of_few_connections_each),
        SCENE_TEST(options_missing_on_one_path),
        SCENE_TEST(options_look_alikes),
        SCENE_TEST(clamped_mss),
        SCENE_TEST(one_usual_value_lies_between),
        SCENE_TEST(what_the_loss_touches),
        SCENE_TEST(too_many_values_are_none),
        SCENE_TEST(resets_in_silence_show_a_timer),
        SCENE_TEST(resets_after_unequal_pauses_show_none),
        SCENE_TEST(a_transfer_fills_a_queue),
        SCENE_TEST(a_longer_way_is_no_queue),
        SCENE_TEST(a_little_more_is_no_queue),
        SCENE_TEST(timestamps_that_came_right_again),
        cmocka_unit_test(tunnels_between_two_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
