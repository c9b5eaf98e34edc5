/* Copies of packets: what a mirror or a second tap shows again, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sessions/duplicates.h"

#include <string.h>

#define US 1000LL
#define MS (1000 * US)
#define START (1700000000LL * 1000 * MS)

struct fixture {
    struct duplicates *ring;
    struct layers l;
};

static const uint8_t client[4] = {10, 0, 0, 1}, server[4] = {203, 0, 113, 5};

static struct layers segment(uint8_t version, uint16_t flags, uint32_t len)
{
    static const uint8_t payload[64];
    uint8_t wide[2][16] = {{0x20, 1, 0xd, 0xb8, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 2}};
    return (struct layers){.kind = LAYER_TCP,
                           .has_mac = true,
                           .src_mac = {2, 0, 0, 0, 0, 1},
                           .dst_mac = {2, 0, 0, 0, 0, 2},
                           .vlan = -1,
                           .ip_version = version,
                           .src = version == 4 ? address_v4(client) : address_v6(wide[0]),
                           .dst = version == 4 ? address_v4(server) : address_v6(wide[1]),
                           .ttl = 64,
                           .ip_protocol = 6,
                           .src_port = 50000,
                           .dst_port = 443,
                           .tcp = {.flags = flags, .sequence = 1000, .acknowledgment = 2000},
                           .payload = payload,
                           .payload_len = len,
                           .payload_caplen = len};
}

static enum copy_kind show(struct fixture *f, int64_t at_ns)
{
    struct packet packet = {.time_ns = START + at_ns};
    int64_t delay_ns = 0;
    return duplicates_check(f->ring, &packet, &f->l, &delay_ns);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.ring = duplicates_new(7), .l = segment(4, TCP_ACK, 50)};
    f.l.ip_id = 4711;
    *state = &f;
    return f.ring == NULL;
}

static int tear_down(void **state)
{
    duplicates_free(((struct fixture *)*state)->ring);
    return 0;
}

static void test_a_busy_mirror_delays_the_copy(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(show(f, 0), COPY_NONE);
    assert_int_equal(show(f, 20 * MS), COPY_MIRROR);
    f->l.ip_id++; /* the sender's own retransmission */
    assert_int_equal(show(f, 21 * MS), COPY_NONE);
}

static void test_any_interface_shows_three(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(show(f, 0), COPY_NONE);
    assert_int_equal(show(f, 5 * US), COPY_MIRROR);
    assert_int_equal(show(f, 9 * US), COPY_MIRROR);
}

/* Two taps, each mirrored twice, in any order: four sightings, two TTLs, no loop. */
static void test_two_mirrored_taps_are_no_loop(void **state)
{
    static const uint8_t orders[][4] = {
        {128, 128, 127, 127}, {128, 127, 127, 128}, {128, 127, 128, 127}, {127, 127, 128, 128}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        f->l.ip_id++;
        for (int64_t n = 0; n < 4; n++) {
            f->l.ttl = orders[i][n];
            f->l.src_mac[5] = orders[i][n];
            enum copy_kind kind = show(f, n * 50 * US);
            assert_int_not_equal(kind, COPY_LOOP);
            assert_true((kind == COPY_NONE) == (n == 0));
        }
    }
}

static void test_a_loop_goes_down(void **state)
{
    static const enum copy_kind expected[] = {COPY_NONE, COPY_ROUTED, COPY_ROUTED, COPY_LOOP,
                                              COPY_LOOP};
    struct fixture *f = *state;
    for (int64_t n = 0; n < 5; n++) {
        f->l.ttl = (uint8_t)(64 - 2 * n);
        assert_int_equal(show(f, n * 300 * US), expected[n]);
    }
}

static void test_tags_of_a_trunk_differ(void **state)
{
    struct fixture *f = *state;
    f->l.vlan = 10;
    assert_int_equal(show(f, 0), COPY_NONE);
    f->l.vlan = 20;
    assert_int_equal(show(f, 3 * US), COPY_ROUTED);
}

static void test_translated_packets_are_others(void **state)
{
    static const uint8_t outside[4] = {198, 51, 100, 7};
    struct fixture *f = *state;
    assert_int_equal(show(f, 0), COPY_NONE);
    f->l.src = address_v4(outside);
    f->l.ttl = 63;
    assert_int_equal(show(f, 50 * US), COPY_NONE);
}

/* IPv6 has no ID: duplicate ACKs, a tail-loss probe and resets of a closed socket are honest. */
static void test_equal_without_id_is_honest(void **state)
{
    static const struct {
        uint8_t version;
        uint16_t flags;
        uint32_t len;
    } honest[] = {{6, TCP_ACK, 0}, {6, TCP_ACK | TCP_PSH, 50}, {4, TCP_RST, 0}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof honest / sizeof *honest; i++) {
        f->l = segment(honest[i].version, honest[i].flags, honest[i].len);
        assert_int_equal(show(f, 0), COPY_NONE);
        assert_int_equal(show(f, 4 * MS), COPY_NONE);
    }
    f->l = segment(6, TCP_SYN, 0); /* but no SYN comes again after a millisecond */
    assert_int_equal(show(f, 0), COPY_NONE);
    assert_int_equal(show(f, MS), COPY_MIRROR);
    assert_int_equal(show(f, 1001 * MS), COPY_NONE);
}

/* The answer to a SYN that came again, and a moment later the timer's. */
static void test_synack_of_the_timer(void **state)
{
    struct fixture *f = *state;
    f->l = segment(4, TCP_SYN | TCP_ACK, 0);
    assert_int_equal(show(f, 0), COPY_NONE);
    assert_int_equal(show(f, 5400 * US), COPY_NONE);
}

static void test_mirrored_ipv6_is_learnt(void **state)
{
    struct fixture *f = *state;
    int copies = 0;
    f->l = segment(6, TCP_SYN, 0); /* the mirror starts in the middle of a pair */
    assert_int_equal(show(f, 0), COPY_NONE);
    for (int64_t n = 1; n <= 100; n++) {
        f->l = segment(6, TCP_ACK, n % 2 == 0 ? 0 : 50);
        f->l.tcp.sequence += (uint32_t)n;
        assert_int_equal(show(f, n * MS), COPY_NONE);
        copies += show(f, n * MS + 10 * US) == COPY_MIRROR;
    }
    assert_in_range(copies, 95, 100);
}

/* VRRP and the like say the same words again, but seconds later. */
static void test_adverts_repeat(void **state)
{
    struct fixture *f = *state;
    f->l.kind = LAYER_OTHER_IP;
    f->l.ip_protocol = 112;
    for (int64_t second = 0; second < 5; second++)
        assert_int_equal(show(f, second * 1000 * MS), COPY_NONE);
}

static void test_pings_differ_by_number(void **state)
{
    struct fixture *f = *state;
    f->l = segment(6, 0, 0);
    f->l.kind = LAYER_ICMP;
    f->l.icmp = (struct icmp_header){.type = 128, .id = 9, .sequence = 1};
    f->l.ip_id = 77;
    assert_int_equal(show(f, 0), COPY_NONE);
    f->l.icmp.sequence = 2;
    assert_int_equal(show(f, MS), COPY_NONE);
    assert_int_equal(show(f, 2 * MS), COPY_MIRROR);
}

/* The seed of a run must not change what it finds. */
static void test_every_run_finds_the_same(void **state)
{
    struct fixture *f = *state;
    struct fixture other = {.ring = duplicates_new(0xfeedfacecafebeefu), .l = f->l};
    for (int64_t n = 0; n < 200000; n++) {
        int64_t original = n < 1000 || n % 2 == 0 ? n : n - 999; /* copies 999 packets later */
        f->l.ip_id = (uint16_t)(original % 65535 + 1);
        f->l.tcp.sequence = (uint32_t)original * 1448;
        other.l = f->l;
        assert_int_equal(show(f, n * 2 * US), show(&other, n * 2 * US));
    }
    duplicates_free(other.ring);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_busy_mirror_delays_the_copy),
        CASE(test_any_interface_shows_three),
        CASE(test_two_mirrored_taps_are_no_loop),
        CASE(test_a_loop_goes_down),
        CASE(test_tags_of_a_trunk_differ),
        CASE(test_translated_packets_are_others),
        CASE(test_equal_without_id_is_honest),
        CASE(test_synack_of_the_timer),
        CASE(test_mirrored_ipv6_is_learnt),
        CASE(test_adverts_repeat),
        CASE(test_pings_differ_by_number),
        CASE(test_every_run_finds_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
