/* Addresses that nobody answers for, and that two answer for; what only looks so. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static struct arp_record *arp_request(struct scene *s, const char *target, int64_t requests)
{
    struct arp_record *r = &s->arp[s->arp_count++];
    *r = (struct arp_record){.capture_id = 1,
                             .source_id = 1,
                             .first_frame = 1,
                             .last_frame = 9,
                             .first_ns = START_NS + SECOND,
                             .last_ns = START_NS + 20 * SECOND,
                             .is_request = true,
                             .mac = "00:16:3e:00:00:01",
                             .vlan = -1,
                             .requests = requests,
                             .requester_frames = 10};
    assert_true(address_from_text(target, &r->ip));
    assert_true(address_from_text(CLIENT, &r->requester_ip));
    return r;
}

static void arp_unresolved(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 2000, "10.0.0.3", 443, 2); /* the tap sees its traffic */
    scene_healthy(s, CLIENT, 2001, "10.0.0.4", 443, 2);
    arp_request(s, "10.0.0.77", 5);
    scene_silent_syn(s, CLIENT, 1001, "10.0.0.77", 443, 5, 4);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 3, FINDING_NET_ARP_UNRESOLVED, CULPRIT_NETWORK);
    assert_int_equal(s->verdicts[3].stage, STAGE_ARP);
    assert_string_equal(finding_value(found, "target")->text, "10.0.0.77");
}

static void arp_heard_by_a_bystander(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "10.0.0.3", 2000, CLIENT, 22, 2);
    f->flow.server_ttl = 64; /* both on this network: either may be the one that captures */
    arp_request(s, "10.0.0.77", 5);
    scene_judge(s);
    expect_quiet(s);
    s->flows[1].flow.client_ttl = 57; /* behind routers: the tap is the requester's */
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_NET_ARP_UNRESOLVED));
}

static void arp_look_alikes(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, CLIENT, 2000, "10.0.0.3", 443, 2);
    scene_healthy(s, CLIENT, 2001, "10.0.0.4", 443, 2);
    arp_request(s, "10.0.0.71", 5)->replies = 1;
    arp_request(s, "10.0.0.72", 5)->target_seen = true;
    arp_request(s, "10.0.0.73", 2);
    arp_request(s, "10.0.0.74", 5)->requester_frames = 0;
    struct arp_record *probe = arp_request(s, "10.0.0.75", 5);
    memset(&probe->requester_ip, 0, sizeof probe->requester_ip);
    scene_judge(s);
    expect_quiet(s);
    s->arp_count = 0;
    for (int i = 0; i < 6; i++) {
        char target[16];
        snprintf(target, sizeof target, "10.0.1.%d", i + 1);
        arp_request(s, target, 5);
    }
    scene_judge(s); /* a sweep */
    expect_quiet(s);
}

static struct arp_record *arp_claim(struct scene *s, const char *mac, double first, double last)
{
    struct arp_record *r = &s->arp[s->arp_count++];
    *r = (struct arp_record){.capture_id = 1,
                             .source_id = 1,
                             .first_frame = 1,
                             .last_frame = 9,
                             .first_ns = START_NS + (int64_t)(first * (double)SECOND),
                             .last_ns = START_NS + (int64_t)(last * (double)SECOND),
                             .vlan = -1,
                             .claims = 3,
                             .disputed = 1,
                             .frames = 5};
    snprintf(r->mac, sizeof r->mac, "%s", mac);
    assert_true(address_from_text("10.0.0.50", &r->ip));
    r->last_frame_ns = r->last_ns;
    return r;
}

/* What one machine begins, the other resets: the server is not to blame. */
static void refused_where_two_have_the_address(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, "10.0.0.50", 8443, 20);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    arp_claim(s, "00:16:3e:00:00:01", 1, 50);
    arp_claim(s, "00:16:3e:00:00:02", 10, 60);
    scene_judge(s);
    assert_true(expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_NETWORK)->record.confidence <= 60);
    s->arp_count = 1;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_REFUSED, CULPRIT_SERVER);
}

/* The SYN went to the one of two machines that sends nothing. */
static void sent_to_the_wrong_one(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_silent_syn(s, CLIENT, 1000, SERVER, 8443, 20, 4);
    snprintf(f->tcp.syn_to_mac, sizeof f->tcp.syn_to_mac, "00:16:3e:00:00:02");
    arp_claim(s, "00:16:3e:00:00:01", 1, 50)->mac_last_ns = START_NS + 60 * SECOND;
    arp_claim(s, "00:16:3e:00:00:02", 10, 60)->mac_last_ns = -1;
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_NETWORK);
    assert_string_equal(finding_value(found, "taken")->text, "10.0.0.50");
    assert_string_equal(finding_value(found, "sent_to")->text, "00:16:3e:00:00:02");
    s->arp[1].mac_last_ns = START_NS + 40 * SECOND; /* it does send: maybe it is the right one */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
    s->arp[1].mac_last_ns = -1;
    snprintf(s->flows[1].tcp.syn_to_mac, sizeof s->flows[1].tcp.syn_to_mac, "00:16:3e:00:00:01");
    scene_judge(s);
    expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_MIDDLEBOX);
}

static void address_conflict_failover_and_move(void **state)
{
    struct scene *s = *state;
    arp_claim(s, "00:16:3e:00:00:01", 1, 50);
    arp_claim(s, "00:16:3e:00:00:02", 10, 60);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_NET_IP_CONFLICT);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "mac_b")->text, "00:16:3e:00:00:02");
    s->arp[1].first_ns = START_NS + 51 * SECOND;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_NET_IP_CONFLICT));
    assert_non_null(scene_find(s, FINDING_NET_ADDRESS_MOVED));
    s->arp[1].first_ns = START_NS + 10 * SECOND;
    snprintf(s->arp[1].mac, sizeof s->arp[1].mac, "00:00:5e:00:01:07");
    scene_judge(s);
    expect_quiet(s);
}

/* A router speaks in its own name by its questions alone: that answers to them are captured shows that those
 * to others would be. */
static void arp_of_a_router(void **state)
{
    struct scene *s = *state;
    struct arp_record *dead = arp_request(s, "10.0.0.77", 5), *live = arp_request(s, "10.0.0.78", 6);
    dead->requester_frames = live->requester_frames = 0;
    live->replies = live->told = 6;
    live->target_seen = true;
    scene_silent_syn(s, "192.0.2.9", 1001, "10.0.0.77", 443, 5, 4); /* from behind it */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_NET_ARP_UNRESOLVED, CULPRIT_NETWORK);
    live->told = 1; /* flooded by chance */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_NET_ARP_UNRESOLVED));
}

static void second_owner(struct scene *s, int64_t first_frames, int64_t second_frames)
{
    s->arp_count = 0;
    arp_claim(s, "00:16:3e:00:00:01", 1, 50)->frames = first_frames;
    arp_claim(s, "00:16:3e:00:00:02", 10, 60)->frames = second_frames;
}

static const struct scene_finding *judge_owners(struct scene *s)
{
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_NET_IP_CONFLICT);
    assert_non_null(found);
    return found;
}

/* Each host was told of one hardware address, and nobody of two: a bond that spreads its peers. */
static void undisputed_owners_are_possible_only(void **state)
{
    struct scene *s = *state;
    second_owner(s, 5, 5);
    assert_int_equal(judge_owners(s)->record.severity, SEVERITY_HIGH);
    s->arp[0].disputed = s->arp[1].disputed = 0;
    const struct scene_finding *found = judge_owners(s);
    assert_int_equal(found->record.severity, SEVERITY_LOW);
    assert_true(found->record.confidence < 50);
}

/* It answers for an address that it does not use, beside its own. */
static void a_proxy_is_possible_only(void **state)
{
    struct scene *s = *state;
    second_owner(s, 5, 0);
    assert_int_equal(judge_owners(s)->record.severity, SEVERITY_HIGH);
    assert_true(address_from_text("10.0.0.1", &arp_claim(s, "00:16:3e:00:00:02", 1, 50)->ip));
    assert_int_equal(judge_owners(s)->record.severity, SEVERITY_LOW);
    s->arp[1].frames = 5; /* it works under it */
    assert_int_equal(judge_owners(s)->record.severity, SEVERITY_HIGH);
}

/* Both answer for both addresses: one system with two interfaces in the network. */
static void two_interfaces_of_one_machine(void **state)
{
    struct scene *s = *state;
    second_owner(s, 5, 5);
    assert_true(address_from_text("10.0.0.51", &arp_claim(s, "00:16:3e:00:00:01", 1, 50)->ip));
    assert_non_null(judge_owners(s));
    assert_true(address_from_text("10.0.0.51", &arp_claim(s, "00:16:3e:00:00:02", 1, 50)->ip));
    scene_judge(s);
    expect_quiet(s);
}

/* A failover there and back leaves one owner; who contradicts each announcement has not given it up. */
static void a_defended_address_is_no_failover(void **state)
{
    struct scene *s = *state;
    second_owner(s, 5, 5);
    s->arp[0].disputed = 0;
    s->arp[0].announced_ns = START_NS + 59 * SECOND;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_NET_IP_CONFLICT));
    assert_non_null(scene_find(s, FINDING_NET_ADDRESS_MOVED));
    s->arp[0].disputed = 2;
    assert_int_equal(judge_owners(s)->record.severity, SEVERITY_HIGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(arp_unresolved),
        SCENE_TEST(arp_heard_by_a_bystander),
        SCENE_TEST(arp_look_alikes),
        SCENE_TEST(refused_where_two_have_the_address),
        SCENE_TEST(sent_to_the_wrong_one),
        SCENE_TEST(address_conflict_failover_and_move),
        SCENE_TEST(arp_of_a_router),
        SCENE_TEST(undisputed_owners_are_possible_only),
        SCENE_TEST(a_proxy_is_possible_only),
        SCENE_TEST(two_interfaces_of_one_machine),
        SCENE_TEST(a_defended_address_is_no_failover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
