/* Datagrams without an answer, and what only looks so: answers that come by another way, streams that expect none. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define WATCHED 54321

/* `seconds` from the first to the last datagram. */
static struct scene_flow *datagrams(struct scene *s, const char *client, uint16_t client_port, const char *server,
                                    uint16_t server_port, uint64_t sent, uint64_t received, double seconds)
{
    struct scene_flow *f = scene_flow_add(s, client, client_port, server, server_port, 10);
    f->flow.protocol = 17;
    f->flow.client_packets = sent;
    f->flow.server_packets = received;
    f->flow.last_ns += (int64_t)(seconds * (double)SECOND);
    f->has_tcp = false;
    return f;
}

static void udp_without_answer(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 1001, SERVER, WATCHED, 4, 0, 6);
    datagrams(s, CLIENT, 1002, SERVER, 9999, 4, 0, 6); /* nobody watches that port */
    datagrams(s, CLIENT, 5353, "224.0.0.251", 5353, 1, 0, 0);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_outcome(s, 3, OUTCOME_OK);
}

static void answered_from_another_port(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 1001, SERVER, WATCHED, 4, 0, 6);
    struct scene_flow *f = datagrams(s, SERVER, 40000, CLIENT, 1001, 3, 3, 5);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
    f->flow.server_port = 1002; /* to a port that did not ask, from one that was not asked */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

static void answered_from_another_address(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 1001, SERVER, WATCHED, 4, 0, 6);
    struct scene_flow *f = datagrams(s, CLIENT, 1001, "10.0.0.3", WATCHED, 0, 3, 5);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
    f->flow.client_packets = 3; /* that one was asked, too: it answers for itself */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

static void answered_to_a_fixed_port(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 1001, SERVER, WATCHED, 4, 0, 6);
    struct scene_flow *answers = datagrams(s, SERVER, WATCHED, CLIENT, WATCHED, 4, 0, 6);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_outcome(s, 2, OUTCOME_UNKNOWN); /* nor are the answers questions */
    expect_quiet(s);
    answers->flow.first_ns += 30 * SECOND;
    answers->flow.last_ns += 30 * SECOND;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

static void answered_to_a_group(void **state)
{
    struct scene *s = *state;
    datagrams(s, "2001:db8::1", 1001, "2001:db8::2", WATCHED, 4, 0, 6);
    struct scene_flow *answers = datagrams(s, "2001:db8::2", WATCHED, "ff02::123", WATCHED, 4, 0, 6);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
    answers->flow.client_port = 9999;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

/* The server refused, and the capture kept too little of the refusal to say which port. */
static void refused_in_words_that_were_cut(void **state)
{
    struct scene *s = *state;
    struct icmp_record *r = scene_icmp(s, datagrams(s, CLIENT, 1001, SERVER, WATCHED, 4, 0, 6), SERVER, 3, 3);
    r->flow_id = 0;
    r->client_port = r->server_port = 0;
    r->quoted_side = SIDE_NONE;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
    r->protocol = 6;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

static void logs_expect_no_answer(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = datagrams(s, CLIENT, 1001, SERVER, WATCHED, 10, 0, 60);
    f->flow.ndpi_protocol = "Syslog";
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
    f->flow.ndpi_protocol = "TFTP";
    scene_judge(s);
    expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

/* Faster than anybody asks again: possible only, unless the port answers others. */
static void a_stream_may_expect_no_answer(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 1001, SERVER, WATCHED, 100, 0, 20);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_true(found->record.confidence < 50);
    assert_int_equal(found->record.severity, SEVERITY_LOW);
    datagrams(s, "10.0.0.9", 1001, SERVER, WATCHED, 5, 5, 20);
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_true(found->record.confidence > 50);
    assert_int_equal(found->record.severity, SEVERITY_MEDIUM);
}

/* What comes from the port of a service may be an answer; ends that ask from that port are told as before. */
static void what_a_service_port_sends_is_no_question(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 123, SERVER, WATCHED, 4, 0, 6);
    datagrams(s, CLIENT, 123, "10.0.0.123", 123, 4, 0, 6);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_verdict(s, 2, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
}

/* RFC 792, 4443, 4861, 3810: echo is a question; solicitations that nobody may answer, reports and redirects are none. */
static void icmp_is_rarely_a_conversation(void **state)
{
    struct scene *s = *state;
    datagrams(s, CLIENT, 8, SERVER, 0, 1, 1, 6)->flow.protocol = 1;
    datagrams(s, CLIENT, 8, SERVER, 0, 3, 0, 6)->flow.protocol = 1;
    datagrams(s, CLIENT, 128, "2001:db8::2", 129, 1, 1, 6)->flow.protocol = 58;
    datagrams(s, CLIENT, 135, "2001:db8::2", 136, 1, 0, 6)->flow.protocol = 58;
    datagrams(s, CLIENT, 143, "ff02::16", 0, 2, 0, 6)->flow.protocol = 58;
    datagrams(s, CLIENT, 137, "2001:db8::2", 0, 1, 0, 6)->flow.protocol = 58;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    expect_outcome(s, 3, OUTCOME_OK);
    for (size_t flow = 4; flow <= 6; flow++)
        expect_outcome(s, flow, OUTCOME_UNSOLICITED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_a_service_port_sends_is_no_question), SCENE_TEST(icmp_is_rarely_a_conversation),
        SCENE_TEST(udp_without_answer),       SCENE_TEST(answered_from_another_port),
        SCENE_TEST(answered_from_another_address), SCENE_TEST(answered_to_a_fixed_port),
        SCENE_TEST(answered_to_a_group),      SCENE_TEST(logs_expect_no_answer),
        SCENE_TEST(refused_in_words_that_were_cut),
        SCENE_TEST(a_stream_may_expect_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
