/* SYNs that are lost for what they carry, and what only looks like it. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define PLAIN "10.0.0.7"
#define SERVER "10.0.0.2"
#define PORT 8443

static void carry(struct scene_flow *f, uint16_t first, uint16_t answered, uint32_t tries)
{
    f->has_tcp = true;
    f->tcp.syn_first_traits = first;
    f->tcp.syn_answered_traits = answered;
    f->tcp.syn_first_tries = tries;
}

/* The first SYN is lost, the second one a second later is answered. */
static void retried(struct scene *s, uint16_t port, double at, uint16_t first, uint16_t answered)
{
    struct scene_flow *f = scene_healthy(s, CLIENT, port, SERVER, PORT, at);
    f->tcp.syn_count = 2;
    f->flow.syn_retransmissions = 1;
    f->tcp.synack_first_ns += SECOND;
    f->tcp.synack_last_ns += SECOND;
    f->tcp.established_ns += SECOND;
    f->flow.last_ns += SECOND;
    f->flow.connect_rtt_server_ns = -1;
    carry(f, first, answered, first == answered ? 2 : 1);
}

/* Four that ask for ECN at first and are lost, each followed by plain ones of another client. */
static void by_turns(struct scene *s, int plain)
{
    for (int i = 0; i < 4; i++) {
        retried(s, (uint16_t)(1000 + i), 1 + 4.0 * i, SYN_TRAIT_ECN, 0);
        for (int k = 0; k < plain; k++)
            (void)scene_healthy(s, PLAIN, (uint16_t)(2000 + 10 * i + k), SERVER, PORT,
                                3 + 4.0 * i + k * 0.5);
    }
}

static bool is_named(const struct scene_finding *f)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i].name, "asks") == 0)
            return true;
    }
    return false;
}

static const struct scene_finding *slow_connect(struct scene *s)
{
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(found);
    return found;
}

static void expect_unnamed(struct scene *s, enum culprit culprit)
{
    const struct scene_finding *found = slow_connect(s);
    assert_int_equal(found->record.culprit, culprit);
    assert_false(is_named(found));
}

static void what_they_ask_for_is_named(void **state)
{
    struct scene *s = *state;
    by_turns(s, 2);
    const struct scene_finding *found = slow_connect(s);
    assert_int_equal(found->record.culprit, CULPRIT_MIDDLEBOX);
    assert_string_equal(finding_value(found, "asks")->text, "ECN");
    assert_true(finding_value(found, "lost")->number == 4);
    assert_true(finding_value(found, "answered")->number == 12); /* 8 plain ones, 4 retries */
    assert_int_equal(found->record.confidence, 80);
}

static void the_first_of_each_may_be_dropped(void **state)
{
    struct scene *s = *state;
    by_turns(s, 0);
    expect_unnamed(s, CULPRIT_UNKNOWN);
    const struct scene_finding *found = scene_find(s, FINDING_CONN_SLOW_CONNECT);
    assert_non_null(strstr(found->record.rivals, "syn-content,first-syn"));
    assert_true(found->record.confidence < 80);
}

static void loss_falls_on_plain_ones_too(void **state)
{
    struct scene *s = *state;
    by_turns(s, 2);
    retried(s, 3000, 18.5, 0, 0);
    expect_unnamed(s, CULPRIT_NETWORK);
}

static void one_that_passed_clears_it(void **state)
{
    struct scene *s = *state;
    by_turns(s, 2);
    carry(scene_healthy(s, CLIENT, 3000, SERVER, PORT, 18.5), SYN_TRAIT_ECN, SYN_TRAIT_ECN, 1);
    expect_unnamed(s, CULPRIT_NETWORK);
}

static void an_outage_falls_on_neighbours(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 4; i++)
        retried(s, (uint16_t)(1000 + i), 5 + 0.1 * i, SYN_TRAIT_ECN, 0);
    for (int i = 0; i < 8; i++)
        (void)scene_healthy(s, PLAIN, (uint16_t)(2000 + i), SERVER, PORT, i < 4 ? i : 4.0 + i);
    expect_unnamed(s, CULPRIT_UNKNOWN);
}

static void silent(struct scene *s, const char *client, uint16_t port, double at, uint16_t traits)
{
    carry(scene_silent_syn(s, client, port, SERVER, PORT, at, 3), traits, traits, 3);
}

/* Four SYNs with a mark that nobody answers, and between them plain ones of `plain` that are. */
static const struct scene_finding *marked_in_vain(struct scene *s, const char *plain)
{
    for (int i = 0; i < 4; i++) {
        silent(s, CLIENT, (uint16_t)(1000 + i), 1 + 4.0 * i, SYN_TRAIT_DSCP);
        for (int k = 0; k < 2; k++)
            (void)scene_healthy(s, plain, (uint16_t)(2000 + 10 * i + k), SERVER, PORT,
                                4 + 4.0 * i + k * 0.2);
    }
    scene_background(s);
    scene_judge(s);
    return expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

static void what_never_passes_is_named(void **state)
{
    struct scene *s = *state;
    const struct scene_finding *found = marked_in_vain(s, CLIENT);
    assert_string_equal(finding_value(found, "asks")->text, "a DSCP mark");
    assert_int_equal(found->record.confidence, 90);
}

/* A rule against an address looks the same: no SYN of this client passes without it. */
static void another_client_proves_nothing(void **state)
{
    struct scene *s = *state;
    assert_false(is_named(marked_in_vain(s, PLAIN)));
}

/* Each fourth second one from a port of 5000-5900 that nobody answers, the others from `others` on. */
static struct scene_finding *ports_in_vain(struct scene *s, uint16_t others, double lost_every)
{
    for (int i = 0; i < 6; i++) {
        struct scene_flow *f = scene_silent_syn(s, CLIENT, (uint16_t)(5000 + 180 * ((i * 5) % 6)),
                                                SERVER, PORT, 1 + lost_every * i, 3);
        f->tcp.syn_first_tries = 3;
        (void)scene_healthy(s, CLIENT, (uint16_t)(others + 7 * i), SERVER, PORT, 4 + 4.0 * i);
    }
    scene_background(s);
    scene_judge(s);
    return scene_find(s, FINDING_CONN_SYN_TIMEOUT);
}

static bool has_ports(const struct scene_finding *f)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i].name, "ports") == 0)
            return true;
    }
    return false;
}

static void ports_that_never_pass_are_named(void **state)
{
    const struct scene_finding *found = ports_in_vain(*state, 40000, 4);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "ports")->text, "5000-5900");
    assert_true(finding_value(found, "lost")->number == 6);
    assert_true(finding_value(found, "answered")->number == 6);
    assert_int_equal(found->record.confidence, 90);
}

static void ports_that_mix_are_not(void **state)
{
    const struct scene_finding *found = ports_in_vain(*state, 5100, 4);
    assert_non_null(found);
    assert_false(has_ports(found));
}

/* Source ports that grow with time tell an outage apart as well. */
static void ports_of_one_outage_are_not(void **state)
{
    const struct scene_finding *found = ports_in_vain(*state, 40000, 0.1);
    assert_non_null(found);
    assert_false(has_ports(found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_they_ask_for_is_named),    SCENE_TEST(the_first_of_each_may_be_dropped),
        SCENE_TEST(loss_falls_on_plain_ones_too),  SCENE_TEST(one_that_passed_clears_it),
        SCENE_TEST(an_outage_falls_on_neighbours), SCENE_TEST(what_never_passes_is_named),
        SCENE_TEST(another_client_proves_nothing), SCENE_TEST(ports_that_never_pass_are_named),
        SCENE_TEST(ports_that_mix_are_not),        SCENE_TEST(ports_of_one_outage_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
