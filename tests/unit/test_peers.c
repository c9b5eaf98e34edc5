/* What other analysers got wrong, each by the report it is known from. None of it may come back
 * here. */
#include "tests/unit/session_fixture.h"

#include "tests/unit/handshakes.h"

static void send_bytes(struct conversation *c, int64_t ms, int side, int64_t seq, int64_t ack,
                       const uint8_t *bytes, size_t len)
{
    send_at(c, ms,
            (struct segment){side, TCP_ACK | TCP_PSH, seq, ack, (const char *)bytes, len, 0, 0});
}

/* What the client or the server of a TLS 1.2 handshake sends first. */
static const struct chunk *first_of(enum side side)
{
    return &handshake_named("tls12")->chunks[side == SIDE_SERVER];
}

/* tshark does not look for TLS on port 8080. */
static void tshark_tls_on_8080(void **state)
{
    struct fixture *f = *state;
    f->c.ports[1] = 8080;
    handshake(&f->c, 20, 1);
    const struct chunk *hello = first_of(SIDE_CLIENT), *answer = first_of(SIDE_SERVER);
    send_bytes(&f->c, 1, 0, 1, 1, hello->bytes, hello->len);
    send_bytes(&f->c, 20, 1, 1, 1 + (int64_t)hello->len, answer->bytes, answer->len);
    engine_finish(f->c.engine);
    assert_true(f->seen.has_tls[0]);
    assert_int_equal(f->seen.tls[0].version, 0x0303);
    assert_string_equal(f->seen.flows[0].app, "tls");
}

/* nDPI 4.2: an encrypted alert of TLS 1.2 whose first byte happens to be 2 is no fatal alert. */
static void ndpi_encrypted_alert_begins_with_2(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    const uint8_t alert[31] = {21, 3, 3, 0, 26, 2, 40}; /* 26 bytes: GCM */
    int64_t at[2] = {1, 1};
    c->ports[1] = 443;
    handshake(c, 20, 1);
    for (size_t i = 0; i < 6; i++) { /* to the end of the handshake, with data both ways */
        const struct chunk *chunk = &handshake_named("tls12")->chunks[i];
        int side = chunk->side == SIDE_SERVER;
        send_bytes(c, 5, side, at[side], at[!side], chunk->bytes, chunk->len);
        at[side] += (int64_t)chunk->len;
    }
    send_bytes(c, 5, 0, at[0], at[1], alert, sizeof alert);
    send_at(c, 0, FIN(0, at[0] + (int64_t)sizeof alert, at[1]));
    engine_finish(c->engine);
    assert_true(f->seen.tls[0].established);
    assert_int_equal(f->seen.tls[0].alert, -1);
}

/* ntopng keeps the first SYN: one that was lost becomes a round trip of a second. */
static void ntopng_lost_syn_is_no_round_trip(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 1000, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 20, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 5, ACK(0, 1, 1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].syn_retransmissions, 1);
    assert_int_equal(f->seen.flows[0].connect_rtt_server_ns, RECORD_NONE_NS); /* Karn */
    assert_int_equal(f->seen.flows[0].connect_rtt_client_ns, 5000000);
}

/* ntopng counts retransmissions in a byte. */
static void ntopng_more_than_255_retransmissions(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 1);
    send_at(c, 1, DATA(0, 1, 1, 100));
    for (int i = 0; i < 300; i++)
        send_at(c, 250, DATA(0, 1, 1, 100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 300);
    assert_int_equal(f->seen.tcp[0].side[0].tail_retransmissions, 300);
}

/* DeepFlow: a client that resets behind the whole answer is done, not broken. */
static void deepflow_reset_behind_the_answer(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int64_t asked = 1 + (int64_t)strlen(ask), answered = 1 + (int64_t)strlen(answer);
    handshake(c, 20, 1);
    send_text(c, 1, 0, 1, 1, ask);
    send_text(c, 30, 1, 1, asked, answer);
    send_at(c, 1, ACK(0, asked, answered));
    send_at(c, 5, (struct segment){0, TCP_RST | TCP_ACK, asked, answered, NULL, 0, 0, 0});
    engine_finish(c->engine);
    assert_true((f->seen.flows[0].facts & FLOW_FACT_ANSWERED) != 0);
    assert_int_equal(
        f->seen.flows[0].facts & (FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWER_INCOMPLETE), 0);
    assert_int_equal(f->seen.tcp[0].side[0].rst_sequence_offset, 0);
}

/* zeek#1564: captured out of order, the acknowledgment before what it acknowledges. */
static void zeek_acknowledged_before_it_was_captured(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char ask[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int64_t asked = 1 + (int64_t)strlen(ask), answered = 1 + (int64_t)strlen(answer);
    handshake(c, 20, 1);
    send_text(c, 1, 1, 1, asked, answer); /* its request comes behind it */
    send_text(c, 0, 0, 1, 1, ask);
    send_at(c, 1, ACK(0, asked, answered));
    send_at(c, 1, FIN(0, asked, answered));
    send_at(c, 1, FIN(1, answered, asked + 1));
    send_at(c, 1, ACK(0, asked + 1, answered + 1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, strlen(ask));
    assert_string_equal(f->seen.flows[0].state, "SF");
}

/* arkime#4023: of the side that was captured all is shown, whatever the other one said. */
static void arkime_one_direction_has_names(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    const struct chunk *hello = first_of(SIDE_CLIENT), *answer = first_of(SIDE_SERVER);
    int64_t hello_end = 1 + (int64_t)hello->len;
    c->ports[1] = 8443;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 20, ACK(0, 1, 1));
    send_bytes(c, 1, 0, 1, 1, hello->bytes, hello->len);
    send_at(c, 30, ACK(0, hello_end, 1 + (int64_t)answer->len));
    c->ports[0]++; /* and the other half of another connection */
    send_at(c, 0, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_bytes(c, 30, 1, 1, hello_end, answer->bytes, answer->len);
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 2);
    assert_true(f->seen.has_tls[0] && f->seen.has_tls[1]);
    assert_non_null(f->seen.tls[0].sni);
    assert_true((f->seen.flows[0].facts & FLOW_FACT_UNSEEN_PEER) != 0);
    assert_int_equal(f->seen.tls[1].version, 0x0303);
    assert_true(f->seen.tls[1].certificate_count > 0);
}

/* zeek#394: the capture missed the SYN; what follows is one connection. */
static void zeek_missed_syn_is_one_flow(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 1, ACK(0, 1, 1));
    for (int i = 0; i < 20; i++) {
        send_at(c, 1, DATA(0, 1 + 100 * i, 1 + 100 * i, 100));
        send_at(c, 20, DATA(1, 1 + 100 * i, 101 + 100 * i, 100));
    }
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_int_equal(f->seen.flows[0].client_ip.bytes[0], 10);
    assert_true((f->seen.flows[0].facts & FLOW_FACT_NO_SYN) != 0);
}

/* naiveproxy#558: RST,ACK with ten bytes, and then the real server goes on. */
static void naiveproxy_reset_with_payload(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 1);
    send_at(c, 1, DATA(0, 1, 1, 200));
    send_at(c, 3, (struct segment){1, TCP_RST | TCP_ACK, 1, 201, payload, 10, 41, 0});
    send_at(c, 20, DATA(1, 1, 201, 300));
    engine_finish(c->engine);
    assert_true(f->seen.tcp[0].side[1].rst_with_payload);
    assert_true(f->seen.tcp[0].side[1].data_after_rst);
    assert_int_equal(f->seen.reset_count, 1);
    assert_int_equal(f->seen.resets[0].payload_bytes, 10);
    assert_int_equal(f->seen.resets[0].later_packets, 1);
    assert_true(f->seen.resets[0].usual_ttl - f->seen.resets[0].ttl > 2);
}

/* arkime 6.7: a list of cipher suites of odd length. */
static void arkime_odd_cipher_list(void **state)
{
    struct fixture *f = *state;
    const struct chunk *good = first_of(SIDE_CLIENT);
    uint8_t hello[512];
    assert_true(good->len <= sizeof hello);
    memcpy(hello, good->bytes, good->len);
    size_t at = 5 + 4 + 2 + 32; /* record, message, version, random */
    at += 1u + hello[at];       /* session id */
    hello[at + 1]--;
    f->c.ports[1] = 443;
    handshake(&f->c, 20, 1);
    send_bytes(&f->c, 1, 0, 1, 1, hello, good->len);
    send_at(&f->c, 1, RST(1, 1));
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.count, 1);
    assert_true(f->seen.has_tls[0]); /* a hello all the same */
}

/* arkime 6.7: the last fragment carries DF and the reserved flag. */
static void arkime_last_fragment_with_odd_flags(void **state)
{
    (void)state;
    struct decoder *decoder = decoder_new(false);
    struct layers layers;
    uint8_t bytes[2][36] = {
        {0x45, 0, 0, 36, 0, 7, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 24},
        {0x45, 0, 0, 28, 0, 7, 0xc0, 2, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}};
    for (uint32_t i = 0; i < 2; i++) {
        struct packet packet = {.data = bytes[i],
                                .caplen = i == 0 ? 36 : 28,
                                .len = i == 0 ? 36 : 28,
                                .frame = i + 1,
                                .source_id = 1,
                                .link_type = 101};
        decode_packet(decoder, &packet, &layers);
    }
    assert_int_equal(layers.kind, LAYER_UDP);
    assert_true(layers.was_fragmented);
    assert_int_equal(layers.payload_len, 16);
    decoder_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tshark_tls_on_8080),
        CASE(ndpi_encrypted_alert_begins_with_2),
        CASE(ntopng_lost_syn_is_no_round_trip),
        CASE(ntopng_more_than_255_retransmissions),
        CASE(deepflow_reset_behind_the_answer),
        CASE(zeek_acknowledged_before_it_was_captured),
        CASE(arkime_one_direction_has_names),
        CASE(zeek_missed_syn_is_one_flow),
        CASE(naiveproxy_reset_with_payload),
        CASE(arkime_odd_cipher_list),
        cmocka_unit_test(arkime_last_fragment_with_odd_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
