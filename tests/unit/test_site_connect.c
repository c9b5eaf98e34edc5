/* Verdicts before TCP is open, their look-alikes, and what nobody waits for. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static void refused_where_the_ttl_fits(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 1000, SERVER, 80, 1);
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 2);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 59);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 2, FINDING_CONN_REFUSED, CULPRIT_SERVER);
    assert_int_equal(s->verdicts[2].stage, STAGE_SYN);
    assert_true(found->record.confidence >= 90);
    assert_true(finding_value(found, "reply_ms")->number == 10.0);
    assert_int_equal(found->record.severity, SEVERITY_HIGH);
}

static void refused_without_anything_to_compare(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 2);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 59);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_SERVER)->record.confidence < 80);
}

static void rejected_where_the_ttl_is_foreign(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 1000, SERVER, 80, 1); /* 60 */
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 2);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 63);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_CONN_REJECTED_BY_MIDDLEBOX, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "expected_ttl")->number == 60);
}

static void low_ttls_of_routing_protocols_tell_nothing(void **state)
{
    struct scene *s = *state;
    struct scene_flow *bgp = scene_healthy(s, CLIENT, 1000, SERVER, 179, 1);
    bgp->flow.server_ttl = 1;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 179, 2);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 64);
    scene_judge(s);
    expect_verdict(s, 2, FINDING_CONN_REFUSED, CULPRIT_SERVER);
}

static void icmp_of_a_router_and_of_the_host(void **state)
{
    struct scene *s = *state;
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 1), "10.0.0.254", 3, 13);
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1001, SERVER, 444, 1, 1), SERVER, 3, 10);
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1002, SERVER, 445, 1, 1), "10.0.0.254", 3, 1);
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1003, SERVER, 446, 1, 1), "10.0.0.254", 3, 3);
    scene_icmp(s, scene_silent_syn(s, CLIENT, 1004, SERVER, 447, 1, 1), "10.0.0.254", 11, 0);
    scene_judge(s);
    const enum finding_code codes[] = {FINDING_CONN_ICMP_PROHIBITED, FINDING_CONN_ICMP_PROHIBITED,
                                       FINDING_CONN_ICMP_UNREACHABLE, FINDING_CONN_ICMP_UNREACHABLE,
                                       FINDING_PATH_LOOP};
    const uint16_t ports[] = {443, 444, 445, 446, 447};
    const enum culprit culprits[] = {CULPRIT_MIDDLEBOX, CULPRIT_SERVER, CULPRIT_NETWORK,
                                     CULPRIT_MIDDLEBOX, CULPRIT_NETWORK};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(s->verdicts[1 + i].verdict, codes[i] + 1);
        for (size_t j = 0; j < s->finding_count; j++) {
            const struct finding_record *r = &s->findings[j].record;
            if (r->server_port == ports[i])
                assert_int_equal(r->culprit, culprits[i]);
        }
    }
    assert_string_equal(finding_value(scene_find(s, FINDING_CONN_ICMP_PROHIBITED), "router")->text,
                        "10.0.0.254");
}

static void icmp_over_ipv6(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, "2001:db8::1", 1000, "2001:db8::2", 443, 1, 1);
    scene_icmp(s, f, "2001:db8::fe", 1, 1);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_CONN_ICMP_PROHIBITED, CULPRIT_MIDDLEBOX);
    assert_string_equal(finding_value(found, "icmp")->text, "ICMPv6 1/1");
}

static void forged_icmp_is_ignored(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 4);
    scene_icmp(s, f, "10.0.0.254", 3, 13)->sequence_fits = false;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

/* The capture kept too little of the quotation for its ports: the router's word is heard all the same. */
static void icmp_cut_before_its_ports(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 4);
    struct icmp_record *r = scene_icmp(s, f, "10.0.0.254", 3, 13);
    r->flow_id = 0;
    r->client_port = r->server_port = 0;
    r->sequence_fits = r->quotes_syn = false;
    r->quoted_side = SIDE_NONE;
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_CONN_ICMP_PROHIBITED, CULPRIT_MIDDLEBOX);
    assert_int_equal(found->record.confidence, 70);
    assert_string_equal(finding_value(found, "router")->text, "10.0.0.254");
    r->time_ns -= 5 * SECOND; /* before it was asked */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    r->time_ns += 6 * SECOND;
    r->client_port = 999; /* of another connection, and whole */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

static void icmp_about_a_connection_that_works(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 443, 1);
    scene_icmp(s, f, "10.0.0.254", 3, 1)->quotes_syn = false;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_quiet(s);
}

static void traceroute_is_no_loop(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 1);
    f->flow.client_ttl = 3;
    f->tcp.side[0].ttl_min = f->tcp.side[0].ttl_max = 3;
    scene_icmp(s, f, "10.0.0.254", 11, 0);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
}

static void loop_seen_by_its_own_packets(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 1);
    f->flow.facts |= FLOW_FACT_LOOPED | FLOW_FACT_DUPLICATES;
    s->capture.routed_packets = 60;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_PATH_LOOP, CULPRIT_NETWORK);
}

static void silent_syn(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.7", 1000, SERVER, 80, 2);
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 1, 4);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "waited_ms")->number == 7000.0);
    assert_true(finding_value(found, "attempts")->number == 4);
    assert_int_equal(found->record.confidence, 90);
    assert_null(strstr(found->record.rivals, "host-down")); /* it answers on port 80 */
}

static void silent_syn_in_a_capture_without_answers(void **state)
{
    struct scene *s = *state;
    s->flow_count = 0; /* no background: nothing shows that the tap sees answers */
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 1, 4);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 0, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    assert_true(found->record.confidence < 80);
    assert_non_null(strstr(found->record.rivals, "capture-one-way"));
}

static void syn_at_the_end_accuses_nobody(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 98.5, 2);
    scene_silent_syn(s, CLIENT, 1002, SERVER, 8444, 99, 1);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void single_syn_needs_the_absence_rule(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 10, 1);
    scene_judge(s);
    assert_true(
        expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX)->record.confidence < 70);
    s->flows[0].flow.last_ns = START_NS + 11 * SECOND; /* the tap falls silent */
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

static struct scene_flow *answered_in_vain(struct scene *s)
{
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 10, 4);
    f->tcp.synack_count = 4;
    f->tcp.synack_first_ns = f->flow.first_ns + 10 * MS;
    f->tcp.synack_last_ns = f->tcp.syn_last_ns + 10 * MS;
    flow_touch(f, SIDE_SERVER, f->tcp.synack_last_ns);
    return f;
}

static void synack_lost(void **state)
{
    struct scene *s = *state;
    (void)answered_in_vain(s);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_CONN_SYNACK_LOST, CULPRIT_MIDDLEBOX);
    assert_true(finding_value(found, "syns")->number == 4);
    assert_int_equal(s->verdicts[1].stage, STAGE_SYNACK);
}

/* Its SYN-ACKs come as far as a router says, or to the link of a client that answers others at once. */
static void synack_lost_on_its_way(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = answered_in_vain(s);
    f->flow.server_ttl = 2;
    struct icmp_record *r = scene_icmp(s, f, "10.0.0.254", 11, 0);
    r->quoted_side = SIDE_SERVER;
    r->quotes_syn = false;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_CONN_SYNACK_LOST, CULPRIT_NETWORK);
    assert_string_equal(finding_value(found, "router")->text, "10.0.0.254");
    r->type = 3; /* a filter that says so */
    r->code = 13;
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_CONN_ICMP_PROHIBITED, CULPRIT_MIDDLEBOX);
    assert_string_equal(finding_value(found, "toward")->text, "client");
    s->flows[1].tcp.syn_count = 1; /* it does not ask again: its address may be forged */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_ICMP_PROHIBITED));
    s->icmp_count = 0;
    s->flows[1].tcp.syn_count = 4;
    scene_healthy(s, CLIENT, 1002, SERVER, 443, 30)->flow.connect_rtt_client_ns = 20000;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYNACK_LOST, CULPRIT_UNKNOWN);
}

static void half_open_is_no_failure(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 10);
    f->tcp.synack_count = 6;
    f->tcp.synack_first_ns = f->flow.first_ns + 10 * MS;
    f->tcp.synack_last_ns = f->flow.first_ns + 31 * SECOND;
    f->flow.synack_retransmissions = 5;
    flow_touch(f, SIDE_SERVER, f->tcp.synack_last_ns);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_HALF_OPEN);
    assert_non_null(found);
    assert_false(found->record.is_primary);
    assert_non_null(found->record.reason);
}

static void accept_queue_full(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 10);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.02, 300);
    f->tcp.synack_count = 4;
    f->tcp.synack_last_ns = f->flow.first_ns + 7 * SECOND;
    f->tcp.side[0].unacked_bytes = 300;
    f->tcp.side[0].tail_retransmissions = 5;
    f->tcp.side[0].tail_first_ns = f->flow.first_ns + 20 * MS;
    flow_touch(f, SIDE_SERVER, f->tcp.synack_last_ns);
    scene_judge(s);
    /* a filter that lets SYNs alone through looks the same */
    assert_true(expect_verdict(s, 1, FINDING_CONN_BACKLOG_OVERFLOW, CULPRIT_UNKNOWN)->record.confidence < 50);
    flow_establish(scene_flow_add(s, CLIENT, 1002, SERVER, 8443, 5));
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_BACKLOG_OVERFLOW, CULPRIT_SERVER);
}

static void accept_queue_seen_beside_the_server(void **state)
{
    struct scene *s = *state;
    struct scene_flow *open = scene_flow_add(s, CLIENT, 1000, SERVER, 8443, 5);
    flow_establish(open);
    open->flow.connect_rtt_server_ns = open->flow.rtt_min_server_ns = MS / 50;
    open->flow.connect_rtt_client_ns = 12 * MS;
    scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 10, 4);
    scene_judge(s);
    expect_verdict(s, 2, FINDING_CONN_BACKLOG_OVERFLOW, CULPRIT_SERVER);
    /* four hops and half a millisecond away there is room for a firewall, however far the clients are */
    s->flows[1].flow.connect_rtt_server_ns = s->flows[1].flow.rtt_min_server_ns = MS / 2;
    scene_judge(s);
    expect_verdict(s, 2, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    /* the same from far away is a rival only */
    s->flows[1].flow.connect_rtt_server_ns = s->flows[1].flow.rtt_min_server_ns = 12 * MS;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    assert_non_null(strstr(found->record.rivals, "accept-queue-full"));
}

static void health_checks_are_nobodys(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 10);
    flow_establish(f);
    flow_rst(f, SIDE_CLIENT, 0.02, 64);
    f = scene_flow_add(s, CLIENT, 1002, SERVER, 8443, 11);
    f->tcp.synack_count = 1;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 10 * MS;
    flow_touch(f, SIDE_SERVER, f->tcp.synack_last_ns);
    flow_rst(f, SIDE_CLIENT, 0.011, 64);
    f = scene_flow_add(s, CLIENT, 1003, SERVER, 8443, 12);
    flow_establish(f);
    flow_fin(f, SIDE_CLIENT, 0.02);
    flow_fin(f, SIDE_SERVER, 0.03);
    scene_judge(s);
    for (size_t i = 1; i <= 3; i++)
        expect_outcome(s, i, OUTCOME_UNSOLICITED);
    expect_quiet(s);
}

static void lost_race_is_nobodys(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, CLIENT, 1001, "2001:db8::2", 443, 10, 1);
    struct scene_flow *f = scene_healthy(s, CLIENT, 1002, SERVER, 443, 10.25);
    f->tcp.established_ns = f->flow.first_ns + 11 * MS;
    f->has_tcp = true;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
    /* one that goes on asking is no race */
    s->flows[1].tcp.syn_count = 4;
    s->flows[1].flow.client_packets = 4;
    s->flows[1].tcp.side[0].last_ns = s->flows[1].flow.last_ns = s->flows[1].tcp.syn_last_ns =
        s->flows[1].flow.first_ns + 7 * SECOND;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

/* Both addresses of a host that speaks both families, which nothing joins. */
static void lost_race_of_two_addresses(void **state)
{
    struct scene *s = *state;
    scene_silent_syn(s, "2001:db8::9", 1001, "2001:db8::2", 443, 10, 1);
    struct scene_flow *f = scene_healthy(s, CLIENT, 1002, SERVER, 443, 10.25);
    f->tcp.established_ns = f->flow.first_ns + 11 * MS;
    f->has_tcp = true;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
    s->flows[2].flow.server_port = 8443; /* somebody else asked for something else */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    s->flows[2].flow.server_port = 443;
    s->flows[1].tcp.syn_count = 2; /* it waited on for an answer */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

/* One SYN to each of three closed ports, which opens a fourth; two, or SYNs that wait for an answer, are none. */
static void knocks_open_a_port(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < 3; i++)
        scene_silent_syn(s, CLIENT, (uint16_t)(1001 + i), SERVER, (uint16_t)(7000 + 1000 * i), 10 + 0.5 * (double)i, 1);
    (void)scene_healthy(s, CLIENT, 1009, SERVER, 22, 12);
    scene_judge(s);
    for (size_t i = 1; i <= 3; i++)
        expect_outcome(s, i, OUTCOME_UNSOLICITED);
    expect_quiet(s);
    s->flows[2].tcp.syn_count = 3;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    expect_verdict(s, 3, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

/* The capture ends before the one that is through has said a word. */
static void lost_race_without_words(void **state)
{
    struct scene *s = *state;
    struct scene_flow *refused = scene_flow_add(s, CLIENT, 1001, "2001:db8::2", 443, 10);
    refused->tcp.rst_to_syn = true;
    flow_rst(refused, SIDE_SERVER, 0.001, 60);
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1002, SERVER, 443, 10.002);
    flow_establish(f);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
    /* one that was left without a word was none */
    flow_fin(&s->flows[2], SIDE_CLIENT, 5);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_SERVER);
}

static void refused_backend_is_no_race(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, "10.0.0.3", 443, 10);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    scene_healthy(s, CLIENT, 1002, SERVER, 443, 10.02);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_SERVER);
}

static void slow_connect(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1001, SERVER, 443, 10);
    f->has_tcp = true;
    f->tcp.syn_count = 2;
    f->flow.syn_retransmissions = 1;
    f->tcp.established_ns = f->flow.first_ns + 1011 * MS;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_true(finding_value(found, "connect_ms")->number == 1011.0);
}

/* The answer to the first SYN took longer than its client's timer, as all do on that path: nothing was lost. */
static void an_impatient_syn_is_no_slow_connect(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1001, SERVER, 8443, 10);
    f->has_tcp = true;
    f->flow.syn_retransmissions = 1;
    f->tcp.syn_count = 2;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 1200 * MS;
    f->tcp.established_ns = f->flow.first_ns + 1201 * MS;
    f->flow.connect_rtt_server_ns = -1;
    struct path_sample_record *path = scene_path(s, CLIENT, SERVER);
    path->side[SIDE_SERVER].rtt_min_ns = 1190 * MS;
    path->side[SIDE_SERVER].rtt_count = 6;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_SLOW_CONNECT));
    path->side[SIDE_SERVER].rtt_count = 1; /* a slow acknowledgment tells nothing */
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CONN_SLOW_CONNECT));
}

/* It answers the first of two SYNs, late: nothing was lost. The server did it where nothing stands before it. */
static void a_late_answer_is_no_loss(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1001, SERVER, 8443, 10);
    struct flow_delay_record *delay = &s->delays[s->delay_count++];
    *delay = (struct flow_delay_record){.flow_id = f->flow.id, .term_ns = {[DELAY_CONNECT_SERVER] = 1300 * MS}};
    f->has_tcp = true;
    f->flow.syn_retransmissions = 1;
    f->tcp.syn_count = 2;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 1300 * MS;
    f->tcp.established_ns = f->flow.first_ns + 1301 * MS;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_string_equal(culprit_name(found->record.culprit), "unknown");
    assert_true(finding_value(found, "answer_ms")->number == 1300.0);
    delay->term_ns[DELAY_SYN_BACKOFF] = 1000 * MS;
    scene_judge(s);
    found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_string_equal(culprit_name(found->record.culprit), "network");
}

/* SYN-ACKs behind the client's acknowledgment, until there is room for it. */
static void taken_late(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1001, SERVER, 8443, 10);
    f->has_tcp = true;
    f->tcp.synack_count = 3;
    f->flow.synack_retransmissions = 2;
    f->tcp.synack_last_ns = f->tcp.established_ns + 3000 * MS;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_SLOW_CONNECT)); /* nobody asked meanwhile: it may have waited for data */
    f->tcp.side[0].retransmitted_bytes = 600;
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    assert_string_equal(culprit_name(found->record.culprit), "unknown");
    assert_true(finding_value(found, "left_ms")->number == 3000.0);
    assert_non_null(strstr(found->record.rivals, "accept-queue-full"));
    expect_outcome(s, 1, OUTCOME_OK);
}

/* A server that waits for the first bytes repeats its SYN-ACK until they come (TCP_DEFER_ACCEPT). */
static void unused_connections_fill_no_queue(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 8443, 10);
    flow_establish(f);
    f->tcp.synack_count = 4;
    f->tcp.synack_last_ns = f->flow.first_ns + 7 * SECOND;
    flow_fin(f, SIDE_CLIENT, 20);
    flow_fin(f, SIDE_SERVER, 20.01);
    struct scene_flow *other = scene_healthy(s, CLIENT, 1002, SERVER, 8443, 5);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_BACKLOG_OVERFLOW));
    other->flow.facts |= FLOW_FACT_SERVER_SPOKE_FIRST; /* it waits for nothing */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_BACKLOG_OVERFLOW, CULPRIT_SERVER);
}

/* A connection without a byte that its client closes. */
static struct scene_flow *bare_check(struct scene *s, uint16_t port, const char *server, uint16_t server_port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, server_port, at);
    flow_establish(f);
    flow_rst(f, SIDE_CLIENT, 0.012, 64);
    return f;
}

static struct scene_flow *refused(struct scene *s, uint16_t port, const char *server, uint16_t server_port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, server_port, at);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    return f;
}

static void checks_of_a_drained_backend(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 6; i++) {
        (void)bare_check(s, (uint16_t)(1000 + i), SERVER, 8101, 2 + i * 2.0);
        (void)refused(s, (uint16_t)(2000 + i), "10.0.0.3", 8101, 2.1 + i * 2.02);
    }
    (void)refused(s, 3000, "10.0.0.3", 8102, 5); /* of another service, and no row */
    scene_judge(s);
    for (size_t i = 0; i < 12; i++)
        expect_outcome(s, 1 + i, OUTCOME_UNSOLICITED);
    assert_int_equal(s->verdicts[13].verdict, FINDING_CONN_REFUSED + 1);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_REFUSED);
    if (found->record.server_port != 8101)
        found++;
    assert_int_equal(found->record.severity, SEVERITY_LOW);
    assert_int_equal(found->record.count, 6);
    assert_false(found->record.is_primary);
    assert_true(finding_value(found, "check_ms")->number == 2020.0);
}

static void checks_of_a_backend_that_goes_down(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 4; i++)
        (void)bare_check(s, (uint16_t)(1000 + i), SERVER, 8101, 2 + i * 2.0);
    for (uint16_t i = 0; i < 4; i++)
        (void)refused(s, (uint16_t)(2000 + i), SERVER, 8101, 10 + i * 2.0);
    scene_judge(s);
    for (size_t i = 4; i < 8; i++)
        expect_outcome(s, 1 + i, OUTCOME_UNSOLICITED);
    assert_int_equal(scene_find(s, FINDING_CONN_REFUSED)->record.severity, SEVERITY_MEDIUM);
    (void)refused(s, 3000, SERVER, 8101, 13.1); /* a user in between, told from the row */
    scene_judge(s);
    assert_int_equal(s->verdicts[9].verdict, FINDING_CONN_REFUSED + 1);
    assert_int_equal(scene_find(s, FINDING_CONN_REFUSED)->record.severity, SEVERITY_HIGH);
}

/* Programs try again in a rhythm, too; what they get elsewhere is no check. */
static void tries_in_a_rhythm_are_no_checks(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 6; i++) {
        (void)refused(s, (uint16_t)(2000 + i), SERVER, 8101, 2 + i * 2.0);
        (void)scene_healthy(s, CLIENT, (uint16_t)(1000 + i), SERVER, 8080, 2.3 + i * 2.0);
        (void)bare_check(s, (uint16_t)(3000 + i), SERVER, 8102, 2.1 + i * 1.3); /* in a rhythm of its own */
    }
    scene_judge(s);
    for (size_t i = 0; i < 18; i += 3)
        assert_int_equal(s->verdicts[1 + i].outcome, OUTCOME_FAILED);
    assert_int_equal(scene_find(s, FINDING_CONN_REFUSED)->record.severity, SEVERITY_HIGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(refused_where_the_ttl_fits),
        SCENE_TEST(refused_without_anything_to_compare),
        SCENE_TEST(rejected_where_the_ttl_is_foreign),
        SCENE_TEST(low_ttls_of_routing_protocols_tell_nothing),
        SCENE_TEST(icmp_of_a_router_and_of_the_host),
        SCENE_TEST(icmp_over_ipv6),
        SCENE_TEST(forged_icmp_is_ignored),
        SCENE_TEST(icmp_cut_before_its_ports),
        SCENE_TEST(icmp_about_a_connection_that_works),
        SCENE_TEST(traceroute_is_no_loop),
        SCENE_TEST(loop_seen_by_its_own_packets),
        SCENE_TEST(silent_syn),
        SCENE_TEST(silent_syn_in_a_capture_without_answers),
        SCENE_TEST(syn_at_the_end_accuses_nobody),
        SCENE_TEST(single_syn_needs_the_absence_rule),
        SCENE_TEST(synack_lost),
        SCENE_TEST(synack_lost_on_its_way),
        SCENE_TEST(half_open_is_no_failure),
        SCENE_TEST(accept_queue_full),
        SCENE_TEST(accept_queue_seen_beside_the_server),
        SCENE_TEST(health_checks_are_nobodys),
        SCENE_TEST(checks_of_a_drained_backend),
        SCENE_TEST(checks_of_a_backend_that_goes_down),
        SCENE_TEST(tries_in_a_rhythm_are_no_checks),
        SCENE_TEST(lost_race_is_nobodys),
        SCENE_TEST(lost_race_of_two_addresses),
        SCENE_TEST(knocks_open_a_port),
        SCENE_TEST(lost_race_without_words),
        SCENE_TEST(refused_backend_is_no_race),
        SCENE_TEST(slow_connect),
        SCENE_TEST(an_impatient_syn_is_no_slow_connect),
        SCENE_TEST(a_late_answer_is_no_loss),
        SCENE_TEST(taken_late),
        SCENE_TEST(unused_connections_fill_no_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
