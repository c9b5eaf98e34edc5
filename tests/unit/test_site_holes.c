/* Proofs with a hole in them: what the capture has not may be what would excuse the accused. */
#include "tests/unit/test_site_tls_help.h"

/* So much is missing that what is seen may be the rest of something ordinary. */
static void miss_much(struct scene *s)
{
    s->capture.gaps = 20;
    s->capture.acked_segments = 100;
}

/* ---- words that may not have been the first -------------------------------------------------- */

static struct scene_flow *refused(struct scene *s, uint16_t port)
{
    struct scene_flow *f = hello(s, port, 1);
    flow_alert(f, 40, SIDE_SERVER, 0.06);
    return f;
}

static void handshake_failure_as_the_first_word(void **state)
{
    struct scene *s = *state;
    refused(s, 1000);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN);
}

static void handshake_failure_behind_a_hole(void **state)
{
    struct scene *s = *state;
    refused(s, 1000)->tcp.side[SIDE_SERVER].wire_gap_bytes = 1500;
    scene_judge(s);
    const struct scene_finding *f = expect_verdict(s, 1, FINDING_TLS_ALERT, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(f, "step")->text, "unknown");
}

/* decode_error and nothing to decode: the server's end, or a word of it, is not in the capture. */
static void client_objects_to_nothing(void **state)
{
    struct scene *s = *state;
    flow_alert(hello(s, 1000, 1), 50, SIDE_CLIENT, 0.06);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

static void client_tells_its_own_trouble(void **state)
{
    struct scene *s = *state;
    flow_alert(hello(s, 1000, 1), 80, SIDE_CLIENT, 0.06);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_ALERT, CULPRIT_CLIENT);
}

/* RFC 5246 7.2: the server warned, and went on. What ended the handshake came later. */
static void warning_that_the_handshake_outlived(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 1);
    flow_alert(f, 112, SIDE_SERVER, 0.03);
    f->tls.alert_level = 1;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_UNRECOGNIZED_NAME, CULPRIT_CLIENT);
    f->tls.step = TLS_STEP_SERVER_DONE;
    f->tls.server_hello_ns = f->tls.alert_ns;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TLS_UNRECOGNIZED_NAME));
}

static struct scene_flow *closed(struct scene *s)
{
    struct scene_flow *f = hello(s, 1000, 1);
    flow_fin(f, SIDE_SERVER, 0.05);
    return f;
}

static void closed_without_a_word(void **state)
{
    struct scene *s = *state;
    closed(s);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
}

static void closed_behind_a_hole(void **state)
{
    struct scene *s = *state;
    closed(s)->tcp.side[SIDE_SERVER].wire_gap_bytes = 7;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static void event(struct scene_flow *f, enum side side, double after)
{
    f->events[f->event_count++] = (struct flow_event){
        .time_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND),
        .frame = (uint32_t)f->flow.first_frame + (uint32_t)f->event_count,
        .length = 100, .source_id = 1, .kind = EVENT_DATA, .side = (uint8_t)side};
}

/* Taken up in TLS: the server answers and resets; what the client says then, it says to nobody. */
static struct scene_flow *reset_by_server(struct scene *s, double asked)
{
    struct scene_flow *f = hello(s, 1000, 1);
    flow_tls_done(f, 0.05);
    flow_send(f, SIDE_SERVER, 0.5, 24);
    event(f, SIDE_SERVER, 0.5);
    if (asked < 0.6)
        event(f, SIDE_CLIENT, asked);
    flow_rst(f, SIDE_SERVER, 0.6, 60);
    flow_send(f, SIDE_CLIENT, asked, 100);
    if (asked > 0.6)
        event(f, SIDE_CLIENT, asked);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    return f;
}

static void reset_after_its_last_word(void **state)
{
    struct scene *s = *state;
    reset_by_server(s, 0.603);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_RESET_BY_SERVER));
}

static void reset_after_a_question(void **state)
{
    struct scene *s = *state;
    reset_by_server(s, 0.55);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
}

/* The client resets in mid-handshake, beyond the last byte that was seen of it: it said why, to others than us. */
static void reset_beyond_what_was_seen(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 1);
    flow_server_hello(f, 0.04);
    flow_rst(f, SIDE_CLIENT, 0.06, 64);
    f->resets[f->reset_count++] = (struct reset_record){.flow_id = f->flow.id, .number = 1,
        .side = SIDE_CLIENT, .source_id = 1, .frame = f->flow.first_frame + 9,
        .time_ns = f->tcp.side[SIDE_CLIENT].rst_ns, .with_ack = true, .guess = RESET_GUESS_EXACT,
        .ttl = 64, .usual_ttl = 64, .ip_id = -1, .ip_id_before = -1, .own_ns = 20 * MS, .peer_ns = 20 * MS,
        .peer_first_ns = 20 * MS, .peer_payload_ns = 20 * MS};
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT);
    f->resets[0].guess = RESET_GUESS_AHEAD;
    f->resets[0].sequence_offset = 7;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* Taken up in TLS: what the server said just before its FIN may have been its side of the handshake. */
static void goodbye_to_no_idle_connection(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 1);
    f->tls.client_hello_ns = -1;
    f->flow.facts |= FLOW_FACT_MIDSTREAM | FLOW_FACT_ANSWERED | FLOW_FACT_REQUEST_OPEN;
    f->flow.facts &= ~(uint64_t)FLOW_FACT_ESTABLISHED;
    f->tcp.syn_count = f->tcp.synack_count = 0;
    flow_send(f, SIDE_SERVER, 0.5, 40);
    flow_fin(f, SIDE_SERVER, 0.5001);
    flow_send(f, SIDE_CLIENT, 0.505, 134);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_HTTP_KEEPALIVE_RACE));
    f->tcp.side[SIDE_SERVER].fin_ns = f->flow.first_ns + 10 * SECOND;
    f->tcp.side[SIDE_CLIENT].last_payload_ns = f->flow.first_ns + 10 * SECOND + 5 * MS;
    f->flow.last_ns = f->flow.first_ns + 10 * SECOND + 5 * MS;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_HTTP_KEEPALIVE_RACE));
}

static void reset_where_much_is_missing(void **state)
{
    struct scene *s = *state;
    reset_by_server(s, 0.55);
    miss_much(s);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* ---- who is to blame ------------------------------------------------------------------------- */

static void slow_connect_where_much_is_missing(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8100, 10);
    f->has_tcp = true;
    f->tcp.syn_count = 2;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 1010 * MS;
    f->tcp.established_ns = f->flow.first_ns + 1011 * MS;
    f->flow.syn_retransmissions = 1;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CONN_SLOW_CONNECT)->record.culprit, CULPRIT_NETWORK);
    miss_much(s);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_int_equal(found->record.culprit, CULPRIT_UNKNOWN);
    assert_true(found->record.confidence < CONFIDENCE_POSSIBLE);
}

static struct scene_flow *refuses_certificate(struct scene *s)
{
    struct scene_flow *f = hello(s, 1000, 1);
    flow_server_hello(f, 0.04);
    flow_alert(f, 42, SIDE_CLIENT, 0.06);
    return f;
}

static void certificate_that_was_not_seen(void **state)
{
    struct scene *s = *state;
    certificate(s, 300, 365);
    struct scene_flow *f = refuses_certificate(s);
    flow_certificate(f, 1);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER);
    f->certificate_count = 0;
    f->tls.certificate_count = 0;
    f->flow.capture_lost_bytes = f->tcp.side[SIDE_SERVER].capture_gap_bytes = 1400;
    s->capture.gaps = 1;
    s->capture.acked_segments = 100;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_UNKNOWN);
}

/* 401, and then bytes of the server that the capture has not: the next answer, maybe. */
static void refusal_that_may_be_overcome(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8201, 5);
    struct http_record *r = scene_request(s, f, "/orders", 0.02);
    r->has_credentials = true;
    flow_answer(f, r, 401, 0.05);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_HTTP_AUTH_FAILED)->record.confidence, 90);
    f->flow.capture_lost_bytes = 300;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_HTTP_AUTH_FAILED));
}

/* A handshake of which the rest is missing was not given up on account of a date. */
static void date_that_nobody_refused(void **state)
{
    struct scene *s = *state;
    struct certificate_record *c = certificate(s, 300, 365);
    c->not_before_ns = START_NS + 3 * DAY;
    struct scene_flow *f = hello(s, 1000, 1);
    flow_server_hello(f, 0.04);
    flow_certificate(f, 1);
    flow_fin(f, SIDE_CLIENT, 0.1);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CERT_NOT_YET_VALID)->record.confidence, 95);
    f->tcp.side[SIDE_CLIENT].wire_gap_bytes = 300;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CERT_NOT_YET_VALID)->record.confidence, 60);
}

/* Nothing at all was captured for 12 s, behind which a connection is taken up in its middle: the answer may have come. */
static void silence_of_the_whole_capture(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8100, 10);
    flow_establish(f);
    (void)scene_request(s, f, "/orders", 0.02);
    scene_healthy(s, "10.0.0.9", 2000, SERVER, 443, 24);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    (void)snprintf(s->capture.pauses, sizeof s->capture.pauses, "%lld+12000", (long long)(START_NS + 10100 * MS));
    scene_judge(s); /* a pause alone proves nothing: nobody said a word */
    (void)expect_verdict(s, 1, FINDING_HTTP_NO_RESPONSE, CULPRIT_SERVER);
    struct scene_flow *late = scene_healthy(s, "10.0.0.9", 2001, SERVER, 443, 22.2);
    late->has_tcp = true;
    late->tcp.syn_count = 0;
    late->flow.facts |= FLOW_FACT_NO_SYN;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct dns_record *ask(struct scene *s, const char *client, const char *name, double at, int32_t rcode)
{
    uint16_t port = (uint16_t)(2000 + s->dns_count);
    struct scene_flow *f = scene_flow_add(s, client, port, "10.0.0.53", 53, at);
    f->flow.protocol = 17;
    struct dns_record *r = &s->dns[s->dns_count++];
    *r = (struct dns_record){.flow_id = f->flow.id, .number = 1, .asker = SIDE_CLIENT,
                             .client_ip = f->flow.client_ip, .server_ip = f->flow.server_ip,
                             .question = name, .question_type = "A",
                             .query_ns = f->flow.first_ns, .last_query_ns = f->flow.first_ns,
                             .answer_ns = rcode < 0 ? -1 : f->flow.first_ns + 10 * MS,
                             .query_frame = f->flow.first_frame, .last_query_frame = f->flow.first_frame,
                             .answer_frame = rcode < 0 ? 0 : f->flow.first_frame + 1,
                             .tries = 1, .answers = rcode < 0 ? 0 : 1, .rcode = rcode,
                             .response_ns = rcode < 0 ? -1 : 10 * MS, .ttl_s = -1,
                             .answer_count = rcode == 0, .conflict_ns = -1};
    return r;
}

/* Answers to forged questions (reflection) reach one who never asked. */
static void failure_that_nobody_asked_for(void **state)
{
    struct scene *s = *state;
    struct dns_record *r = ask(s, CLIENT, "inv.example.cn", 1, 2);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_DNS_SERVFAIL));
    r->tries = 0;
    r->query_ns = r->last_query_ns = -1;
    r->query_frame = r->last_query_frame = 0;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_DNS_SERVFAIL));
}

static void name_that_is_not_there(void **state)
{
    struct scene *s = *state;
    ask(s, CLIENT, "web.example.cn", 1, 3);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_DNS_NXDOMAIN)->record.culprit, CULPRIT_CLIENT);
}

static void other_form_without_its_answer(void **state)
{
    struct scene *s = *state;
    ask(s, CLIENT, "web.example.cn", 1, 3);
    ask(s, CLIENT, "web.corp.test", 1.1, -1);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_DNS_NXDOMAIN));
}

static void forms_of_a_search_list(void **state)
{
    struct scene *s = *state;
    ask(s, CLIENT, "web.example.cn", 1, 3);
    ask(s, CLIENT, "web.corp.test.example.cn", 1.1, 3);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_DNS_NXDOMAIN));
}

/* A resolver that adds its suffix to a name which is not there: still one name that is not there. */
static void form_with_a_suffix_added(void **state)
{
    struct scene *s = *state;
    ask(s, CLIENT, "web.example.cn", 1, 3);
    ask(s, CLIENT, "web.example.cn.corp.test", 1.1, 3);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_DNS_NXDOMAIN)->record.count, 1);
}

static void name_that_others_may_know(void **state)
{
    struct scene *s = *state;
    ask(s, CLIENT, "web.example.cn", 1, 3);
    ask(s, "10.0.0.9", "web.example.cn", 2, -1);
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_DNS_NXDOMAIN)->record.culprit, CULPRIT_UNKNOWN);
}

/* Nobody answered; but other answers are there without their questions, so that answers may be missing, too. */
static void silence_that_may_be_the_captures(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 4; i++)
        ask(s, CLIENT, "down.example.cn", 20 + 2 * i, -1);
    ask(s, CLIENT, "a.example.cn", 40, 0);
    ask(s, CLIENT, "b.example.cn", 41, 0);
    struct dns_record *r = ask(s, CLIENT, "c.example.cn", 42, 0);
    for (size_t i = 0; i < s->dns_count; i++)
        s->flows[s->dns[i].flow_id - 1].flow.server_packets = s->dns[i].answers;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_DNS_TIMEOUT));
    r->tries = 0;
    r->query_ns = r->last_query_ns = -1;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_DNS_TIMEOUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(handshake_failure_as_the_first_word),
        SCENE_TEST(handshake_failure_behind_a_hole),
        SCENE_TEST(client_objects_to_nothing),
        SCENE_TEST(client_tells_its_own_trouble),
        SCENE_TEST(warning_that_the_handshake_outlived),
        SCENE_TEST(closed_without_a_word),
        SCENE_TEST(closed_behind_a_hole),
        SCENE_TEST(reset_after_its_last_word),
        SCENE_TEST(reset_after_a_question),
        SCENE_TEST(reset_beyond_what_was_seen),
        SCENE_TEST(goodbye_to_no_idle_connection),
        SCENE_TEST(reset_where_much_is_missing),
        SCENE_TEST(slow_connect_where_much_is_missing),
        SCENE_TEST(certificate_that_was_not_seen),
        SCENE_TEST(refusal_that_may_be_overcome),
        SCENE_TEST(date_that_nobody_refused),
        SCENE_TEST(failure_that_nobody_asked_for),
        SCENE_TEST(silence_of_the_whole_capture),
        SCENE_TEST(name_that_is_not_there),
        SCENE_TEST(other_form_without_its_answer),
        SCENE_TEST(forms_of_a_search_list),
        SCENE_TEST(form_with_a_suffix_added),
        SCENE_TEST(name_that_others_may_know),
        SCENE_TEST(silence_that_may_be_the_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
