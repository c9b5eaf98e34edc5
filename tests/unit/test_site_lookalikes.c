/* What looks like a fault of one side and is not, or not surely: merged files, clients that leave,
 * second choices, names that nobody certifies. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define HOUR 3600

static struct scene_flow *open_flow(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 8080, at);
    flow_establish(f);
    return f;
}

/* Two recordings in one file: the second shows nothing of how the first went on. */
static void hours_without_a_packet_are_no_wait(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 2LL * HOUR * SECOND;
    s->flows[0].flow.last_ns = START_NS + 20 * SECOND;
    (void)scene_request(s, open_flow(s, 1000, 19.5), "/a", 0.02);
    scene_silent_syn(s, CLIENT, 1001, SERVER, 443, 19.5, 1);
    struct scene_flow *f = scene_healthy(s, CLIENT, 1002, SERVER, 80, 1.5 * HOUR);
    f->flow.last_ns = s->capture.last_ns;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_quiet(s);
    s->flows[0].flow.last_ns = s->capture.last_ns; /* the tap went on */
    scene_judge(s);
    assert_int_equal(s->verdicts[1].outcome, OUTCOME_FAILED);
    assert_int_equal(s->verdicts[2].outcome, OUTCOME_FAILED);
}

static void who_closed_first_in_one_instant(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    (void)scene_request(s, f, "/a", 0.02);
    flow_fin(f, SIDE_CLIENT, 0.02);
    flow_fin(f, SIDE_SERVER, 0.02);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    s->flows[1].flow.closed_by = SIDE_SERVER;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
}

static void another_start_ttl_of_the_same_distance(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 1000, SERVER, 179, 1)->flow.server_ttl = 253;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1001, SERVER, 179, 2);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 62);
    scene_judge(s);
    assert_true(expect_verdict(s, 2, FINDING_CONN_REFUSED, CULPRIT_SERVER)->record.confidence <=
                60);
}

static void impatient_retries_prove_no_silence(void **state)
{
    struct scene *s = *state;
    s->capture.last_ns = START_NS + 2 * SECOND;
    s->flows[0].flow.last_ns = s->capture.last_ns;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 443, 1, 4);
    f->tcp.syn_last_ns = f->flow.last_ns = f->tcp.side[0].last_ns = f->flow.first_ns + 500 * MS;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

static void handshake_left_before_an_answer_could_come(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_tls(f, 0.02);
    flow_fin(f, SIDE_CLIENT, 0.025); /* the round trip takes 11 ms */
    flow_fin(f, SIDE_SERVER, 0.035);
    f = open_flow(s, 1001, 11);
    flow_tls(f, 0.02);
    flow_server_hello(f, 0.04);
    flow_send(f, SIDE_CLIENT, 0.05, 100);
    flow_fin(f, SIDE_CLIENT, 0.051);
    f = open_flow(s, 1002, 12);
    flow_tls(f, 0.02);
    flow_server_hello(f, 0.04);
    flow_fin(f, SIDE_CLIENT, 0.1); /* this one saw the certificate and left */
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_outcome(s, 2, OUTCOME_UNSOLICITED);
    expect_verdict(s, 3, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT);
}

static void silence_lasts_until_somebody_closes_or_the_end(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_tls(f, 0.02);
    flow_touch(f, SIDE_SERVER, f->tls.client_hello_ns + MS);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
    assert_true(finding_value(found, "waited_ms")->number == 89980.0);
}

/* It spoke before it was asked: no kept-alive connection. */
static void answers_to_nothing_are_no_service(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/a", 0.01);
    flow_answer(f, r, 200, 0.012);
    r->request_ns = r->request_end_ns = -1;
    flow_fin(f, SIDE_SERVER, 0.013);
    (void)scene_request(s, f, "/a", 0.015);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_HTTP_KEEPALIVE_RACE));
    r->request_ns = r->request_end_ns = START_NS + 10 * SECOND + 5 * MS;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_KEEPALIVE_RACE, CULPRIT_SERVER);
}

static struct scene_flow *lost_tail(struct scene *s, const char *server, uint16_t port, double at,
                                    uint64_t bytes)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, 8080, at);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 1, bytes);
    struct tcp_side_facts *c = &f->tcp.side[0];
    c->unacked_bytes = bytes;
    c->tail_retransmissions = 6;
    c->tail_first_ns = f->flow.first_ns + SECOND;
    c->tail_last_ns = c->last_ns = f->flow.last_ns = f->flow.first_ns + 20 * SECOND;
    c->smallest_lost = 1500;
    c->largest_delivered = 400;
    c->dont_fragment = true;
    return f;
}

/* 1,448 bytes and 500: the second would have passed, and been answered by a duplicate ACK. */
static void a_small_segment_lost_too_is_no_mtu(void **state)
{
    struct scene *s = *state;
    lost_tail(s, SERVER, 1000, 10, 1948);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_SERVER);
    s->flows[1].tcp.side[0].unacked_bytes = 2896;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_PATH_MTU_BLACKHOLE, CULPRIT_MIDDLEBOX);
    flow_fin(&s->flows[1], SIDE_CLIENT, 15); /* nor was its FIN heard */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_SERVER);
}

static void servers_that_vanish_together_share_the_way(void **state)
{
    struct scene *s = *state;
    lost_tail(s, SERVER, 1000, 10, 300);
    lost_tail(s, "10.0.0.3", 1001, 11, 300);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_NETWORK);
    expect_verdict(s, 2, FINDING_TCP_VANISHED, CULPRIT_NETWORK);
}

static void second_choices_are_dropped(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, "::1", 1000, "::1", 8080, 10);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.001, 64);
    scene_healthy(s, "127.0.0.1", 1001, "127.0.0.1", 8080, 10.01);
    scene_silent_syn(s, CLIENT, 1002, SERVER, 139, 20, 3);
    scene_healthy(s, CLIENT, 1003, SERVER, 445, 20.01);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_outcome(s, 3, OUTCOME_UNSOLICITED);
    expect_quiet(s);
    s->flows[2].flow.server_port = 8081; /* another service of this host */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_SERVER);
}

static void unread_protocols_leave_the_last_word_open(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_send(f, SIDE_SERVER, 0.1, 90);
    flow_send(f, SIDE_CLIENT, 0.2, 90);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    flow_rst(f, SIDE_SERVER, 0.3, 60);
    scene_judge(s);
    assert_true(
        expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER)->record.confidence < 60);
}

static struct scene_flow *with_certificate(struct scene *s, const char *sni, uint16_t port)
{
    s->certificate_count = 1;
    s->certificates[0] =
        (struct certificate_record){.id = 1,
                                    .subject = "CN=inv.example.cn",
                                    .subject_cn = "inv.example.cn",
                                    .san = "DNS:inv.example.cn",
                                    .not_before_ns = START_NS - 100 * 86400 * SECOND,
                                    .not_after_ns = START_NS + 200 * 86400 * SECOND,
                                    .key_type = "EC",
                                    .key_bits = 256,
                                    .signature = "ecdsa-with-SHA256"};
    struct scene_flow *f = open_flow(s, port, 10 + port % 100);
    flow_tls(f, 0.02);
    f->flow.name = f->tls.sni = sni;
    flow_tls_done(f, 0.04);
    flow_certificate(f, 1);
    return f;
}

static void names_that_nobody_certifies(void **state)
{
    struct scene *s = *state;
    static const char *const names[] = {"192.0.2.7", "2001:db8::7", "localhost", "printer",
                                        "sonos-1.local"};
    for (uint16_t i = 0; i < sizeof names / sizeof names[0]; i++)
        with_certificate(s, names[i], (uint16_t)(1000 + i));
    scene_judge(s);
    expect_quiet(s);
    with_certificate(s, "other.example.cn", 1010);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CERT_NAME_MISMATCH)->record.count, 1);
    s->flows[1].tls.established = false; /* the client that asked for the address minds */
    flow_alert(&s->flows[1], 42, SIDE_CLIENT, 0.05);
    scene_judge(s);
    size_t mismatches = 0;
    for (size_t i = 0; i < s->finding_count; i++)
        mismatches += s->findings[i].record.code == FINDING_CERT_NAME_MISMATCH + 1;
    assert_int_equal(mismatches, 2);
}

static void clocks_of_capture_and_client_disagree(void **state)
{
    struct scene *s = *state;
    with_certificate(s, "inv.example.cn", 1000);
    s->certificates[0].not_before_ns = START_NS + 3600 * SECOND;
    scene_judge(s);
    assert_true(scene_find(s, FINDING_CERT_NOT_YET_VALID)->record.confidence == 60);
    s->flows[1].tls.established = false;
    flow_alert(&s->flows[1], 45, SIDE_CLIENT, 0.05);
    scene_judge(s);
    assert_true(scene_find(s, FINDING_CERT_NOT_YET_VALID)->record.confidence == 95);
    s->flows[1].tls.server_hello_ns = 34 * SECOND; /* a clock that starts at 1970 */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CERT_NOT_YET_VALID));
}

static void scene_claim(struct scene *s, const char *mac, int64_t claims, int64_t frames)
{
    struct arp_record *r = &s->arp[s->arp_count++];
    *r = (struct arp_record){.capture_id = 1,
                             .source_id = 1,
                             .first_frame = 5,
                             .first_ns = START_NS + (int64_t)s->arp_count * SECOND,
                             .last_ns = START_NS + 50 * SECOND,
                             .last_frame_ns = START_NS + 50 * SECOND,
                             .vlan = -1,
                             .claims = claims,
                             .frames = frames};
    snprintf(r->mac, sizeof r->mac, "%s", mac);
    assert_true(address_from_text("10.0.0.50", &r->ip));
}

static void one_frame_makes_no_second_owner(void **state)
{
    struct scene *s = *state;
    scene_claim(s, "00:16:3e:00:00:01", 3, 9);
    scene_claim(s, "00:16:3e:00:00:02", 1, 0);
    scene_judge(s);
    expect_quiet(s);
    s->arp[1].claims = 2;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_NET_IP_CONFLICT));
}

/* A reset and a SYN-ACK to one SYN: the client resets the second, and is no health check. */
static void two_answers_to_a_syn_are_no_probe(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 10);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.005, 63);
    f->tcp.synack_count = 1;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 20 * MS;
    flow_rst(f, SIDE_CLIENT, 0.021, 64);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_REJECTED_BY_MIDDLEBOX, CULPRIT_MIDDLEBOX);
}

static void streams_of_events_have_no_end(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    struct http_record *r = scene_request(s, f, "/feed", 0.02);
    flow_answer(f, r, 200, 0.1);
    r->complete = false;
    r->truncated = true;
    f->flow.facts |= FLOW_FACT_ANSWER_INCOMPLETE;
    flow_send(f, SIDE_SERVER, 40, 30);
    f->tcp.longest_idle_ns = 10 * SECOND;
    flow_fin(f, SIDE_CLIENT, 60);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    s->flows[1].tcp.longest_idle_ns = 100 * MS; /* it came without pauses, then stopped */
    scene_judge(s);
    /* not even the client's end was acknowledged: the way may be cut */
    expect_verdict(s, 1, FINDING_HTTP_TRUNCATED_RESPONSE, CULPRIT_UNKNOWN);
    s->flows[1].tcp.side[SIDE_SERVER].last_ns = s->flows[1].flow.last_ns;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_TRUNCATED_RESPONSE, CULPRIT_SERVER);
    s->flows[1].tcp.side[SIDE_SERVER].last_ns -= 10 * SECOND; /* the last words came 20 s before */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_HTTP_TRUNCATED_RESPONSE, CULPRIT_SERVER);
    r->path = "/api/events";
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
}

static void forgotten_while_idle_without_a_witness(void **state)
{
    struct scene *s = *state;
    lost_tail(s, SERVER, 1000, 10, 300)->tcp.idle_before_tail_ns = 900 * SECOND;
    s->flows[1].tcp.tail_tries = 7;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_IDLE_STATE_LOST, CULPRIT_MIDDLEBOX);
    assert_true(found->record.confidence < 80);
    lost_tail(s, "10.0.0.3", 1001, 11, 300); /* nobody answers: the way is cut */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_VANISHED, CULPRIT_NETWORK);
}

static void evidence_begins_with_the_request(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_answer(f, scene_request(s, f, "/a", 0.02), 200, 0.05);
    struct http_record *r = scene_request(s, f, "/b", 1);
    f->events[0] = (struct flow_event){
        .time_ns = f->flow.first_ns + 20 * MS, .frame = 4, .source_id = 1, .kind = EVENT_REQUEST};
    f->events[1] = (struct flow_event){
        .time_ns = r->request_ns, .frame = 9, .source_id = 1, .kind = EVENT_REQUEST};
    f->event_count = 2;
    flow_fin(f, SIDE_CLIENT, 9);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    assert_int_equal(found->evidence_count, 1);
    assert_int_equal(found->evidence[0].frame, 9);
}

static void after_a_scan_the_source_is_heard_again(void **state)
{
    struct scene *s = *state;
    for (uint16_t i = 0; i < 25; i++) {
        bool later = i >= 20;
        struct scene_flow *f =
            scene_flow_add(s, CLIENT, (uint16_t)(2000 + i), SERVER,
                           later ? 443 : (uint16_t)(1000 + i), later ? 90 + i * 0.1 : i * 0.1);
        f->tcp.rst_to_syn = true;
        flow_rst(f, SIDE_SERVER, 0.01, 64);
    }
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_SEC_PORT_SCAN)->record.count, 20);
    assert_int_equal(expect_verdict(s, 25, FINDING_CONN_REFUSED, CULPRIT_SERVER)->record.count, 5);
}

static void ssl_2_is_weak_and_not_read_further(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = open_flow(s, 1000, 10);
    flow_tls(f, 0.02);
    flow_server_hello(f, 0.04);
    f->tls.version = f->tls.version_offered = 0x0002;
    f->tls.cipher_name = NULL;
    flow_fin(f, SIDE_SERVER, 1);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    assert_string_equal(finding_value(scene_find(s, FINDING_TLS_WEAK_VERSION), "version")->text,
                        "SSL 2.0");
}

static void a_leaf_alone_may_lack_its_issuer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = with_certificate(s, "inv.example.cn", 1000);
    s->certificates[0].issuer = "CN=some CA";
    f->tls.established = false;
    flow_alert(f, 48, SIDE_CLIENT, 0.05);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_TLS_UNKNOWN_CA, CULPRIT_CLIENT)->record.confidence <
                80);
}

static int setup(void **state)
{
    int result = scene_setup(state);
    struct scene *s = *state;
    if (s->flow_count == 0)
        scene_background(s);
    return result;
}

#define LOOKALIKE(name) cmocka_unit_test_setup_teardown(name, setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOKALIKE(hours_without_a_packet_are_no_wait),
        LOOKALIKE(who_closed_first_in_one_instant),
        LOOKALIKE(another_start_ttl_of_the_same_distance),
        LOOKALIKE(impatient_retries_prove_no_silence),
        LOOKALIKE(handshake_left_before_an_answer_could_come),
        LOOKALIKE(silence_lasts_until_somebody_closes_or_the_end),
        LOOKALIKE(answers_to_nothing_are_no_service),
        LOOKALIKE(a_small_segment_lost_too_is_no_mtu),
        LOOKALIKE(servers_that_vanish_together_share_the_way),
        LOOKALIKE(second_choices_are_dropped),
        LOOKALIKE(unread_protocols_leave_the_last_word_open),
        LOOKALIKE(names_that_nobody_certifies),
        LOOKALIKE(clocks_of_capture_and_client_disagree),
        LOOKALIKE(one_frame_makes_no_second_owner),
        LOOKALIKE(two_answers_to_a_syn_are_no_probe),
        LOOKALIKE(streams_of_events_have_no_end),
        LOOKALIKE(forgotten_while_idle_without_a_witness),
        LOOKALIKE(evidence_begins_with_the_request),
        LOOKALIKE(after_a_scan_the_source_is_heard_again),
        LOOKALIKE(ssl_2_is_weak_and_not_read_further),
        LOOKALIKE(a_leaf_alone_may_lack_its_issuer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
