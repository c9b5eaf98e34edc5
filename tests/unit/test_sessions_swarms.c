/* Floods and scans: a SYN alone is kept small and becomes a connection with what follows; of too many
 * vain attempts the first keep their rows and the others are counted together. */
#include "tests/unit/session_fixture.h"

#include "core/limits.h"

#define SYN_ONLY ((struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0})

#define ROUNDS 5

struct tallies {
    struct swarm_record swarms[4];
    struct capture_record capture;
    uint64_t beside;
    size_t swarm_count, flows, insistent, established, whole;
    struct icmp_record icmp;
    int64_t icmp_flow_rows;
};

static void tally(void *self, enum record_kind kind, const void *record)
{
    struct tallies *t = self;
    if (kind == RECORD_SWARM && t->swarm_count < 4)
        t->swarms[t->swarm_count++] = *(const struct swarm_record *)record;
    if (kind == RECORD_ICMP)
        t->icmp = *(const struct icmp_record *)record;
    if (kind != RECORD_FLOW)
        return;
    const struct flow_bundle *bundle = record;
    t->flows++;
    t->insistent += bundle->tcp != NULL && bundle->tcp->syn_count > 2;
    t->whole += (bundle->flow->facts & FLOW_FACT_ESTABLISHED) != 0 && bundle->flow->client_payload_bytes == ROUNDS;
    t->established += (bundle->flow->facts & FLOW_FACT_ESTABLISHED) != 0;
    t->icmp_flow_rows += t->icmp.flow_id != 0 && t->icmp.flow_id == bundle->flow->id;
}

static struct conversation begin(struct tallies *t, struct intern *strings, uint64_t memory)
{
    struct error error;
    struct engine_options options = {.profile = profile_builtin(),
                                     .sink = {t, tally},
                                     .strings = strings,
                                     .capture_id = 1,
                                     .first_flow_id = 1,
                                     .memory_bytes = memory,
                                     .beside = &t->beside,
                                     .ndpi = ENGINE_NDPI_OFF};
    struct conversation c = {.engine = engine_new(&options, &error),
                             .now_ns = 1700000000LL * 1000000000LL,
                             .isn = {1000, 5000},
                             .ports = {50000, 443},
                             .ttl = {64, 57},
                             .window = {1024, 65160}};
    assert_non_null(c.engine);
    return c;
}

static void end(struct conversation *c, struct tallies *t)
{
    engine_finish(c->engine);
    engine_counters(c->engine, &t->capture);
    engine_free(c->engine);
}

/* One SYN of another source each time, 10,000 a second. */
static void spoofed_syn(struct conversation *c, uint32_t number)
{
    put32(c->hosts[0], 0x0b000000u + number * 7919u % 0x00ffffffu);
    c->ports[0] = (uint16_t)(1024 + number % 60000);
    c->isn[0] = number * 2654435761u;
    c->now_ns += 100000;
    send_segment(c, &SYN_ONLY);
}

static void test_a_lone_syn_is_what_it_was(void **state)
{
    struct fixture *f = *state;
    send_at(&f->c, 0, SYN_ONLY);
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.count, 1);
    const struct flow_record *flow = &f->seen.flows[0];
    const struct flow_tcp_record *tcp = &f->seen.tcp[0];
    assert_string_equal(flow->state, "S0");
    assert_string_equal(flow->history, "S");
    assert_int_equal(flow->first_frame, 1);
    assert_int_equal(flow->client_packets, 1);
    assert_int_equal(flow->client_port, 50000);
    assert_int_equal(flow->client_ttl, 64);
    assert_true(f->seen.has_tcp[0]);
    assert_int_equal(tcp->syn_count, 1);
    assert_int_equal(tcp->syn_last_ns, flow->first_ns);
    assert_int_equal(tcp->side[0].mss, 1460);
    assert_int_equal(tcp->side[0].window_scale, 7);
    assert_string_equal(tcp->side[0].options, "mss,nop,ws,sok,nop,nop");
    assert_true(tcp->side[0].dont_fragment);
    assert_int_equal(f->seen.event_count[0], 1);
    assert_int_equal(f->seen.events[0][0].kind, EVENT_SYN);
    assert_int_equal(f->seen.events[0][0].frame, 1);
}

static void test_what_follows_finds_the_syn(void **state)
{
    struct fixture *f = *state;
    handshake(&f->c, 20, 5);
    engine_finish(f->c.engine);
    const struct flow_record *flow = &f->seen.flows[0];
    assert_string_equal(flow->history, "ShA");
    assert_int_equal(flow->connect_rtt_server_ns, 20000000);
    assert_int_equal(flow->connect_rtt_client_ns, 5000000);
    assert_int_equal(f->seen.events[0][0].time_ns, flow->first_ns);
}

static void test_flood_is_counted_and_others_are_not(void **state)
{
    struct tallies t = {0};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 64u << 20);
    (void)state;
    for (uint32_t i = 0; i < 30000; i++)
        spoofed_syn(&c, i);
    put32(c.hosts[0], 0x0a000001); /* a client that insists, and one that gets through */
    c.ports[0] = 40000;
    for (int i = 0; i < 3; i++)
        send_at(&c, 1000, SYN_ONLY);
    c.ports[0] = 40001;
    c.ip_id[0] = 500;
    handshake(&c, 10, 1);
    end(&c, &t);
    assert_int_equal(t.capture.tcp_connections, 30002);
    assert_int_equal(t.capture.evicted_flows, 0);
    assert_int_equal(t.insistent, 1);
    assert_int_equal(t.established, 1);
    assert_int_equal(t.flows, LIMIT_VAIN_PER_MINUTE + 2);
    assert_int_equal(t.capture.counted_flows, 30000 - LIMIT_VAIN_PER_MINUTE);
    assert_int_equal(t.swarm_count, 1);
    const struct swarm_record *s = &t.swarms[0];
    assert_int_equal(s->kind, SWARM_TARGET);
    assert_int_equal(s->protocol, 6);
    assert_int_equal(s->server_port, 443);
    assert_int_equal(s->attempts, t.capture.counted_flows);
    assert_int_equal(s->packets, s->attempts);
    assert_int_equal(s->answered, 0);
    assert_in_range(s->clients, s->attempts * 9 / 10, s->attempts);
    assert_int_equal(s->servers, 1);
    assert_int_equal(s->ports, 1);
    assert_int_equal(s->most_per_second, 10000);
    assert_int_equal(s->first_frame, LIMIT_VAIN_PER_MINUTE + 1);
    assert_int_equal(s->last_frame, 30000);
    assert_int_equal(s->last_ns - s->first_ns, 24999LL * 100000);
    intern_free(strings);
}

/* ACKs, RSTs and SYN-ACKs of connections that nobody saw: of each server the first are flows. */
static void test_lone_packets_are_counted(void **state)
{
    static const uint16_t flags[] = {TCP_ACK, TCP_RST, TCP_RST | TCP_ACK};
    (void)state;
    for (size_t kind = 0; kind < sizeof flags / sizeof *flags; kind++) {
        struct tallies t = {0};
        struct intern *strings = intern_new();
        struct conversation c = begin(&t, strings, 64u << 20);
        for (uint32_t i = 0; i < 30000; i++) {
            put32(c.hosts[0], 0x0b000000u + i * 7919u % 0x00ffffffu);
            c.ports[0] = (uint16_t)(1024 + i % 60000);
            send_at(&c, 0, (struct segment){0, flags[kind], 1, (flags[kind] & TCP_ACK) != 0 ? 1 : -1, NULL, 0, 0, 0});
        }
        put32(c.hosts[0], 0x0a000001); /* taken up in mid-connection, and it goes on */
        c.ports[0] = 40001;
        for (int i = 0; i < 3; i++)
            send_at(&c, 1, (struct segment){0, TCP_ACK, 1, 1, NULL, 0, 0, 0});
        end(&c, &t);
        assert_int_equal(t.flows, LIMIT_VAIN_PER_MINUTE + 1);
        assert_int_equal(t.capture.counted_flows, 30000 - LIMIT_VAIN_PER_MINUTE);
        assert_int_equal(t.swarm_count, 1);
        assert_int_equal(t.swarms[0].kind, SWARM_LEFTOVER);
        assert_int_equal(t.swarms[0].server_port, 0);
        assert_int_equal(t.swarms[0].attempts, t.capture.counted_flows);
        intern_free(strings);
    }
}

static void test_scan_of_ports_is_counted_by_its_source(void **state)
{
    struct tallies t = {0};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 64u << 20);
    (void)state;
    for (uint16_t port = 1; port <= 20000; port++) {
        c.ports[1] = port;
        c.now_ns += 1000000;
        send_segment(&c, &SYN_ONLY);
        send_segment(&c, &(struct segment){1, TCP_RST | TCP_ACK, -5000, 1, NULL, 0, 0, 0});
    }
    end(&c, &t);
    assert_int_equal(t.flows, LIMIT_VAIN_PER_MINUTE);
    assert_int_equal(t.swarm_count, 1);
    const struct swarm_record *s = &t.swarms[0];
    assert_int_equal(s->kind, SWARM_SOURCE);
    assert_int_equal(s->attempts, 20000 - LIMIT_VAIN_PER_MINUTE);
    assert_int_equal(s->packets, 2 * s->attempts);
    assert_int_equal(s->answered, s->attempts);
    assert_int_equal(s->clients, 1);
    assert_int_equal(s->servers, 1);
    assert_in_range(s->ports, s->attempts * 9 / 10, s->attempts);
    intern_free(strings);
}

/* Neither a target nor a source has too many: backscatter of invented addresses. */
static void test_noise_from_everywhere_to_everywhere(void **state)
{
    struct tallies t = {0};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 64u << 20);
    (void)state;
    for (uint32_t i = 0; i < LIMIT_VAIN_ALL_PER_MINUTE + 1000; i++) {
        put32(c.hosts[1], 0x20000000u + i * 104729u);
        spoofed_syn(&c, i);
    }
    end(&c, &t);
    assert_int_equal(t.flows, LIMIT_VAIN_ALL_PER_MINUTE);
    assert_int_equal(t.swarm_count, 1);
    assert_int_equal(t.swarms[0].kind, SWARM_ANY);
    assert_int_equal(t.swarms[0].protocol, 0);
    assert_int_equal(t.swarms[0].attempts, 1000);
    assert_false(address_is_set(&t.swarms[0].client_ip));
    assert_false(address_is_set(&t.swarms[0].server_ip));
    intern_free(strings);
}

/* A quarter of the ceiling is left when the rest is used elsewhere; the flood pays, not the open
 * connection. */
static void test_the_ceiling_holds(void **state)
{
    struct tallies t = {.beside = 8u << 20};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 8u << 20);
    (void)state;
    put32(c.hosts[0], 0x0a000001);
    c.ports[0] = 40001;
    handshake(&c, 10, 1);
    for (uint32_t i = 0; i < 20000; i++)
        spoofed_syn(&c, i);
    assert_in_range(engine_memory(c.engine), 1u << 20, (2u << 20) + (128u << 10)); /* a slab, a longer queue */
    assert_int_equal(t.established, 0); /* still open */
    end(&c, &t);
    assert_int_equal(t.established, 1);
    assert_true(t.capture.evicted_flows > 10000);
    intern_free(strings);
}

/* Segments of connections that nobody saw begin are the crowd: whoever insists on a connection beside them stays. */
static void test_the_crowd_gives_way(void **state)
{
    struct tallies t = {0};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 8u << 20);
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        put32(c.hosts[0], 0x0b000000u + i * 7919u % 0x00ffffffu);
        c.ports[0] = (uint16_t)(1024 + i % 60000);
        c.now_ns += 100000;
        send_at(&c, 0, (struct segment){0, TCP_ACK, 1, 1, "some data", 9, 0, 0});
        if (i % 5000 != 1000)
            continue;
        put32(c.hosts[0], 0x0a000001);
        c.ports[0] = 40000;
        send_at(&c, 0, SYN_ONLY);
    }
    assert_true(engine_memory(c.engine) <= 8u << 20);
    assert_int_equal(t.insistent, 0); /* still waits */
    end(&c, &t);
    assert_int_equal(t.insistent, 1);
    assert_true(t.capture.evicted_flows > 10000);
    intern_free(strings);
}

/* Too many connections at once, each of which says a little in turn: those that can be held are held to their end, not
 * all given up one after the other. */
static void test_some_are_seen_to_their_end(void **state)
{
    struct tallies t = {0};
    struct intern *strings = intern_new();
    struct conversation c = begin(&t, strings, 8u << 20);
    (void)state;
    for (int round = 0; round <= ROUNDS; round++) {
        for (uint16_t i = 0; i < 4000; i++) {
            put32(c.hosts[0], 0x0a000001);
            c.ports[0] = (uint16_t)(1024 + i);
            c.isn[0] = i * 104729u;
            c.now_ns += 1000000;
            if (round == 0) {
                handshake(&c, 1, 1);
                continue;
            }
            send_at(&c, 0, (struct segment){0, TCP_ACK | TCP_PSH, round, 1, "x", 1, 0, 0});
            send_at(&c, 0, (struct segment){1, TCP_ACK, 1, round + 1, NULL, 0, 0, 0});
        }
    }
    assert_true(engine_memory(c.engine) <= (8u << 20) + (128u << 10));
    assert_int_equal(t.whole, 0); /* none has ended */
    end(&c, &t);
    assert_true(t.capture.evicted_flows > 4000);
    assert_in_range(t.whole, 500, 2500);
    intern_free(strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_lone_syn_is_what_it_was),
        CASE(test_what_follows_finds_the_syn),
        cmocka_unit_test(test_flood_is_counted_and_others_are_not),
        cmocka_unit_test(test_lone_packets_are_counted),
        cmocka_unit_test(test_scan_of_ports_is_counted_by_its_source),
        cmocka_unit_test(test_noise_from_everywhere_to_everywhere),
        cmocka_unit_test(test_the_ceiling_holds),
        cmocka_unit_test(test_the_crowd_gives_way),
        cmocka_unit_test(test_some_are_seen_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
