/* TCP analysis at its edges: odd openings, late and missing segments, resets of honest stacks. */
#include "tests/unit/session_fixture.h"

#define SYN(side) ((struct segment){side, TCP_SYN, 0, -1, NULL, 0, 0, 0})
#define SYNACK(side) ((struct segment){side, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0})
#define RSTACK(side, seq, ack) ((struct segment){side, TCP_RST | TCP_ACK, seq, ack, NULL, 0, 0, 0})

static void test_keepalive_before_any_data(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    for (int i = 0; i < 2; i++) {
        send_at(c, 15000, DATA(0, 0, 1, 1)); /* the byte of the SYN's number */
        send_at(c, 20, ACK(1, 1, 1));
    }
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[0].keepalives, 2);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 0);
}

static void test_midstream_keepalive(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(1, 9000, 5000));
    send_at(c, 15000, DATA(0, 4999, 9000, 1));
    send_at(c, 20, ACK(1, 9000, 5000));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[0].keepalives, 1);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
}

/* The capture begins in an idle pool: the first packet of a connection is a keep-alive. */
static void test_picked_up_at_a_keepalive(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(0, 4999, 9000));
    send_at(c, 20, ACK(1, 9000, 5000));
    send_at(c, 15000, ACK(0, 4999, 9000));
    send_at(c, 20, ACK(1, 9000, 5000));
    send_at(c, 1, DATA(0, 5000, 9000, 100));
    send_at(c, 20, ACK(1, 9000, 5100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 100);
}

/* The SYN-ACK and the first answer are missing: what the client took of them tells so, whatever comes first. */
static void test_server_heard_late(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 20, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(0, 101, 501));
    send_at(c, 1, DATA(0, 101, 501, 50));
    send_at(c, 10, DATA(1, 501, 151, 7));
    send_at(c, 10, ACK(0, 151, 508));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 500);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 7);
    assert_int_equal(f->seen.tcp[0].side[1].capture_gap_bytes, 500);
}

/* Nothing is missing but the SYN-ACK. */
static void test_server_heard_from_its_first_byte(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 20, DATA(0, 1, 1, 100));
    send_at(c, 10, DATA(1, 1, 101, 7));
    send_at(c, 10, ACK(0, 101, 8));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 7);
}

/* The server closes, and the numbers of its FIN tell that it said something first. */
static void test_server_heard_at_its_end(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 20, DATA(0, 1, 1, 100));
    send_at(c, 10, ((struct segment){1, TCP_FIN | TCP_ACK, 296, 101, NULL, 0, 0, 0}));
    send_at(c, 10, ACK(0, 101, 297));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 295);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 0);
}

/* More than a keep-alive's one number was acknowledged: bytes that nobody captured. */
static void test_picked_up_before_a_gap(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(0, 4999, 9000));
    send_at(c, 20, ACK(1, 9000, 5099));
    send_at(c, 100, ACK(1, 9000, 5099));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 100);
}

static void test_one_giant_fills_several_holes(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 1, DATA(0, 201, 1, 100));
    send_at(c, 1, DATA(0, 401, 1, 100));
    send_at(c, 300, DATA(0, 101, 1, 300));
    send_at(c, 20, ACK(1, 1, 501));
    send_at(c, 200, DATA(0, 501, 1, 100));
    send_at(c, 20, ACK(1, 1, 601));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.tcp[0].side[0].wire_gap_bytes, 0);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 1);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 600);
}

static void test_more_holes_than_places(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    for (int i = 0; i < 40; i++)
        send_at(c, 0, DATA(0, 101 + 200 * i, 1, 100));
    send_at(c, 1, ACK(1, 1, 8001)); /* all of it arrived */
    send_at(c, 200, DATA(0, 8001, 1, 100));
    send_at(c, 1, ACK(1, 1, 8101));
    engine_finish(c->engine);
    const struct tcp_side_facts *client = &f->seen.tcp[0].side[0];
    assert_int_equal(client->capture_gap_bytes + client->wire_gap_bytes, 4000);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 4100);
}

static void test_fin_shows_what_was_not_captured(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 1, FIN(0, 301, 1));
    send_at(c, 20, FIN(1, 1, 302));
    send_at(c, 100, ACK(0, 302, 2));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 200);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 100);
}

static void test_refused_early_data_is_no_loss(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct segment syn = {0, TCP_SYN, 0, -1, payload, 100, 0, 0};
    send_at(c, 0, syn);
    send_at(c, 20, SYNACK(1));
    send_at(c, 5, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 100);
    assert_string_equal(f->seen.flows[0].state, "S1");
}

static void test_accepted_early_data(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, payload, 100, 0, 0});
    send_at(c, 20, (struct segment){1, TCP_SYN | TCP_ACK, 0, 101, NULL, 0, 0, 0});
    send_at(c, 5, DATA(0, 101, 1, 50));
    send_at(c, 20, ACK(1, 1, 151));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 150);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.tcp[0].side[0].unacked_bytes, 0);
}

/* RFC 9293 3.5, figure 7, with one SYN repeated. */
static void test_simultaneous_open(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 5, SYN(1));
    send_at(c, 5, SYN(1));
    send_at(c, 5, SYNACK(0));
    send_at(c, 5, SYNACK(1));
    send_at(c, 5, DATA(0, 1, 1, 10));
    send_at(c, 5, DATA(1, 1, 11, 10));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_string_equal(f->seen.flows[0].state, "S1");
    assert_false(f->seen.tcp[0].synack_conflict);
    assert_int_equal(f->seen.flows[0].syn_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.tcp[0].side[1].mss, 1460);
}

static void test_second_try_of_the_same_syn(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 1, RSTACK(1, 0, 1));
    send_at(c, 500, SYN(0));
    send_at(c, 20, SYNACK(1));
    send_at(c, 1, ACK(0, 1, 1));
    send_at(c, 1, DATA(0, 1, 1, 10));
    send_at(c, 20, DATA(1, 1, 11, 10));
    send_at(c, 30000, DATA(0, 11, 11, 10)); /* it is open: it outlives what is closed */
    send_at(c, 20, DATA(1, 11, 21, 10));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_string_equal(f->seen.flows[0].state, "S1");
    assert_int_equal(f->seen.flows[0].end, END_CAPTURE);
    assert_false(f->seen.tcp[0].side[1].data_after_rst);
    assert_true(f->seen.tcp[0].rst_to_syn);
}

static void test_syn_taken_back(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 1, RST(0, 1));
    send_at(c, 20, SYNACK(1));
    engine_finish(c->engine);
    assert_string_equal(f->seen.flows[0].state, "RSTO");
}

static void test_own_syn_reset_is_rstos0(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 1, RST(0, 1));
    engine_finish(c->engine);
    assert_string_equal(f->seen.flows[0].state, "RSTOS0");
}

/* The capture lost the SYN-ACK: an acknowledgment of a part is no challenge (RFC 5961 4). */
static void test_partial_ack_is_no_challenge(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 30, ACK(0, 1, 1));
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 1, DATA(0, 101, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    send_at(c, 1, ACK(1, 1, 201));
    engine_finish(c->engine);
    assert_false(f->seen.tcp[0].challenge_ack);
    assert_int_equal(f->seen.tcp[0].side[0].unacked_bytes, 0);
}

/* It lost all between the SYN and an acknowledgment of the request. */
static void test_ack_of_unseen_data_is_no_challenge(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 1, ACK(1, 1, 833));
    engine_finish(c->engine);
    assert_false(f->seen.tcp[0].challenge_ack);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 832);
}

/* The client closes while the answer comes: each late segment is answered by a bare reset that
 * takes its sequence from that segment, sent before or after the server heard of the FIN. */
static void test_resets_answer_older_segments(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 1000));
    send_at(c, 1, FIN(0, 101, 1001));
    send_at(c, 1, DATA(1, 1001, 101, 1000));
    send_at(c, 10, DATA(1, 2001, 102, 1000));
    send_at(c, 1, RST(0, 101));
    send_at(c, 1, RST(0, 102));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[0].rst_sequence_offset, 0);
    assert_false(f->seen.tcp[0].side[0].rst_ack_changed);
    assert_false(f->seen.tcp[0].side[0].data_after_rst);
}

static void test_resets_of_two_kinds_agree(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 1000));
    send_at(c, 1, FIN(0, 101, 1001));
    send_at(c, 1, RSTACK(0, 102, 1001));
    send_at(c, 1, DATA(1, 1001, 101, 1000));
    send_at(c, 1, RST(0, 101));
    send_at(c, 1, RSTACK(0, 102, 1001));
    engine_finish(c->engine);
    assert_false(f->seen.tcp[0].side[0].rst_ack_changed);
}

static void test_guessed_resets_disagree(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 2, RSTACK(1, 1, 101));
    send_at(c, 0, RSTACK(1, 1461, 101));
    engine_finish(c->engine);
    assert_true(f->seen.tcp[0].side[1].rst_ack_changed);
}

static void test_answer_to_an_uncaptured_syn(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYNACK(1)); /* only the server's side is captured */
    send_at(c, 20, DATA(1, 1, 101, 100));
    send_at(c, 1, FIN(1, 101, 101));
    c->isn[0] += 5000;
    c->isn[1] += 9000;
    send_at(c, 500, SYNACK(1));
    send_at(c, 20, DATA(1, 1, 101, 100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 2);
    assert_false(f->seen.tcp[0].synack_conflict);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 100);
    assert_int_equal(f->seen.flows[1].server_payload_bytes, 100);
}

static void test_two_servers_answer_one_syn(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 20, SYNACK(1));
    c->isn[1] += 77777;
    send_at(c, 1, SYNACK(1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_true(f->seen.tcp[0].synack_conflict);
}

/* Captured from the middle: what the peer acknowledges is not known before it speaks. */
static void test_midstream_loss_is_not_spurious(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, DATA(1, 50001, 1, 1000));
    send_at(c, 60, DATA(1, 40001, 1, 1000));
    send_at(c, 1, ACK(0, 1, 40001));
    send_at(c, 10, ACK(0, 1, 41001));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[1].spurious_retransmissions, 0);
    assert_int_equal(f->seen.flows[0].server_retransmissions, 1);
    assert_int_equal(f->seen.tcp[0].side[1].recovered_losses, 1);
}

static void test_midstream_counts_its_own_bytes(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(0, 1, 1));
    send_at(c, 1, DATA(1, 30001, 1, 1000)); /* 30000 were on their way before the capture */
    send_at(c, 20, ACK(0, 1, 31001));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 1000);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

/* Acknowledgments tell of bytes before the side's first captured one, which comes behind its own: the
 * capture has 2,000 bytes of it. */
static void test_midstream_behind_its_acknowledgment(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(0, 1, 1));
    send_at(c, 10, ACK(0, 1, 20001));
    send_at(c, 10, ACK(0, 1, 31001));
    send_at(c, 1, DATA(1, 30001, 1, 1000));
    send_at(c, 20, DATA(1, 31001, 1, 1000));
    send_at(c, 20, ACK(0, 1, 32001));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].server_payload_bytes, 2000);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].server_retransmissions, 0);
}

/* Random IP IDs say nothing about the order. */
static void test_random_ids_prove_no_order(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    struct segment first = DATA(0, 1, 1, 100), second = DATA(0, 101, 1, 100);
    handshake(c, 20, 5);
    first.ip_id = 51234;
    second.ip_id = 52000;
    send_at(c, 1, second);
    send_at(c, 60, first);
    send_at(c, 20, ACK(1, 1, 201));
    engine_finish(c->engine);
    assert_int_equal(f->seen.tcp[0].side[0].reordered_segments, 0);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 1);
}

static void test_duplicate_acks_of_an_unseen_server(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, ACK(0, 100, 5000));
    send_at(c, 1, ACK(0, 100, 5000)); /* no SACK, nothing outstanding: a keep-alive answer, say */
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
}

/* The guess was wrong, and the words that tell it come with the FIN. */
static void test_flip_with_the_fin(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int64_t end = 900 + (int64_t)strlen(answer);
    c->ports[1] = 50001; /* no port tells who listens: the first sender is taken for the client */
    send_at(c, 0, (struct segment){1, TCP_ACK | TCP_FIN, 900, 500, answer, strlen(answer), 0, 0});
    send_at(c, 5, FIN(0, 500, end + 1));
    send_at(c, 5, ACK(1, end + 1, 501));
    engine_finish(c->engine);
    const struct flow_record *flow = &f->seen.flows[0];
    assert_int_equal(flow->server_port, 50001);
    assert_int_equal(flow->closed_by, SIDE_SERVER);
    assert_string_equal(flow->state, "SF");
    assert_string_equal(flow->history, "^dfFa");
    assert_int_not_equal(flow->facts & FLOW_FACT_SERVER_SPOKE_FIRST, 0);
    assert_int_equal(f->seen.http[0].status, 200);
}

/* Padding of a 60-byte Ethernet frame, counted into the IP length by the device that sent it. */
static void test_padding_is_no_payload(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    uint8_t frame[60] = {
        [12] = 8, [14] = 0x45, [17] = 46, [19] = 1, [22] = 64, 6,           [26] = 10, 0,   0,
        1,        203,         0,         113,      5,         [46] = 0x50, TCP_ACK,   0xfa};
    put16(frame + 34, c->ports[0]);
    put16(frame + 36, c->ports[1]);
    put32(frame + 38, c->isn[0] + 1);
    put32(frame + 42, c->isn[1] + 1);
    struct packet packet = {.data = frame,
                            .caplen = 60,
                            .len = 60,
                            .time_ns = c->now_ns + 1000,
                            .frame = ++c->frame,
                            .source_id = 1,
                            .link_type = 1};
    engine_packet(c->engine, &packet);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].client_packets, 4);
    assert_int_equal(f->seen.flows[0].client_payload_bytes, 100);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
}

/* A byte that is captured behind its acknowledgment is no keep-alive; one that comes later is. */
static void test_late_byte_is_no_keepalive(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 10));
    send_at(c, 20, ACK(1, 1, 12));
    send_at(c, -1, DATA(0, 11, 1, 1));
    send_at(c, 2000, DATA(0, 11, 1, 1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.tcp[0].side[0].keepalives, 1);
}

/* The capture has the answer before what it answers: who sent last is told by the times. */
static void test_last_word_by_time(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    c->ports[1] = 9999;
    handshake(c, 20, 5);
    send_at(c, 10, DATA(1, 1, 101, 100));
    send_at(c, -2, DATA(0, 1, 1, 100));
    send_at(c, 5000, FIN(0, 101, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.flows[0].facts & FLOW_FACT_REQUEST_OPEN, 0);
    assert_int_not_equal(f->seen.flows[0].facts & FLOW_FACT_ANSWERED, 0);
}

/* A packet of the conversation whose TCP header the snap length cut in its middle. */
static void send_headless(struct conversation *c)
{
    uint8_t bytes[36] = {0x45, [3] = 40, [5] = 1, [8] = 64, 6, [12] = 10, 0, 0, 1, 203, 0, 113, 5};
    memset(bytes + 20, 0xff, sizeof bytes - 20);
    put16(bytes + 4, ++c->ip_id[0]);
    put16(bytes + 20, c->ports[0]);
    put16(bytes + 22, c->ports[1]);
    struct packet packet = {.data = bytes, .caplen = sizeof bytes, .len = 40, .time_ns = c->now_ns + 1000,
                            .frame = ++c->frame, .source_id = 1, .link_type = 101};
    engine_packet(c->engine, &packet);
}

static void test_headless_packets_do_nothing_to_a_connection(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_headless(c);
    send_at(c, 20, SYNACK(1));
    send_at(c, 5, ACK(0, 1, 1));
    send_headless(c);
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    send_at(c, 1, FIN(1, 1, 101));
    send_at(c, 5, FIN(0, 101, 2));
    send_at(c, 20, ACK(1, 2, 102));
    send_headless(c);
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    const struct flow_record *flow = &f->seen.flows[0];
    assert_string_equal(flow->state, "SF");
    assert_int_equal(flow->client_packets, 4);
    assert_int_equal(flow->capture_lost_bytes, 0);
    assert_int_equal(flow->client_payload_bytes, 100);
}

/* What packets without a whole header were part of is not the connection that is seen then. */
static void test_headless_flow_ends_where_headers_begin(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_headless(c);
    send_headless(c);
    handshake(c, 20, 5);
    send_at(c, 1, DATA(0, 1, 1, 100));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 2);
    assert_int_equal(f->seen.flows[0].client_packets, 2);
    assert_false(f->seen.has_tcp[0]);
    assert_int_equal(f->seen.flows[1].client_payload_bytes, 100);
}

/* What a flood leaves behind stays small while the server repeats its answers; nothing of it is forgotten. */
static void test_half_open_is_small(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    send_at(c, 20, SYNACK(1));
    uint64_t before = engine_memory(c->engine); /* counted in slabs: of TCP state there is none */
    send_at(c, 1000, SYNACK(1));
    send_at(c, 2000, SYNACK(1));
    assert_int_equal(engine_memory(c->engine), before);
    c->ports[0]++;
    send_at(c, 0, SYN(0));
    send_at(c, 20, SYNACK(1));
    send_at(c, 1000, SYNACK(1));
    send_at(c, 5, ACK(0, 1, 1));
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, ACK(1, 1, 101));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 2);
    const struct flow_record *flow = &f->seen.flows[0];
    assert_string_equal(flow->history, "Sh");
    assert_int_equal(flow->server_packets, 3);
    assert_int_equal(flow->connect_rtt_server_ns, 20000000);
    assert_int_equal(f->seen.tcp[0].synack_count, 3);
    assert_int_equal(f->seen.tcp[0].synack_last_ns - flow->first_ns, 3020000000LL);
    assert_int_equal(f->seen.event_count[0], 4);
    flow = &f->seen.flows[1];
    assert_string_equal(flow->history, "ShADa");
    assert_int_equal(flow->synack_retransmissions, 1);
    assert_int_equal(flow->connect_rtt_server_ns, 20000000);
    assert_int_equal(flow->client_payload_bytes, 100);
}

/* More answers than a seed keeps, then the client refuses them. */
static void test_half_open_refused_at_last(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, SYN(0));
    for (int i = 0; i < 9; i++)
        send_at(c, 1000, SYNACK(1));
    send_at(c, 5, RST(0, 1));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_int_equal(f->seen.flows[0].server_packets, 9);
    assert_int_equal(f->seen.tcp[0].synack_count, 9);
    assert_int_equal(f->seen.tcp[0].side[0].rst_count, 1);
}

/* A guard asks whether the client has a stack: by a SYN-ACK that acknowledges nothing it sent. */
static void test_a_guards_question(void **state)
{
    struct fixture *f = *state;
    struct conversation *c = &f->c;
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, 2, (struct segment){1, TCP_SYN | TCP_ACK, 0, 77777, NULL, 0, 0, 0});
    send_at(c, 5, RST(0, 77777));
    send_at(c, 1000, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    c->isn[1] += 4242;
    send_at(c, 20, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, 5, ACK(0, 1, 1));
    send_at(c, 1, DATA(0, 1, 1, 100));
    send_at(c, 20, DATA(1, 1, 101, 200));
    send_at(c, 100, ACK(0, 101, 201));
    engine_finish(c->engine);
    assert_int_equal(f->seen.count, 1);
    assert_int_equal(f->seen.flows[0].capture_lost_bytes, 0);
    assert_int_equal(f->seen.flows[0].client_retransmissions, 0);
    assert_true((f->seen.flows[0].facts & FLOW_FACT_ESTABLISHED) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_keepalive_before_any_data),
        CASE(test_midstream_keepalive),
        CASE(test_picked_up_at_a_keepalive),
        CASE(test_server_heard_late),
        CASE(test_server_heard_from_its_first_byte),
        CASE(test_server_heard_at_its_end),
        CASE(test_picked_up_before_a_gap),
        CASE(test_one_giant_fills_several_holes),
        CASE(test_more_holes_than_places),
        CASE(test_fin_shows_what_was_not_captured),
        CASE(test_refused_early_data_is_no_loss),
        CASE(test_accepted_early_data),
        CASE(test_simultaneous_open),
        CASE(test_second_try_of_the_same_syn),
        CASE(test_syn_taken_back),
        CASE(test_own_syn_reset_is_rstos0),
        CASE(test_partial_ack_is_no_challenge),
        CASE(test_ack_of_unseen_data_is_no_challenge),
        CASE(test_resets_answer_older_segments),
        CASE(test_resets_of_two_kinds_agree),
        CASE(test_guessed_resets_disagree),
        CASE(test_answer_to_an_uncaptured_syn),
        CASE(test_two_servers_answer_one_syn),
        CASE(test_midstream_loss_is_not_spurious),
        CASE(test_midstream_counts_its_own_bytes),
        CASE(test_midstream_behind_its_acknowledgment),
        CASE(test_random_ids_prove_no_order),
        CASE(test_duplicate_acks_of_an_unseen_server),
        CASE(test_flip_with_the_fin),
        CASE(test_padding_is_no_payload),
        CASE(test_late_byte_is_no_keepalive),
        CASE(test_last_word_by_time),
        CASE(test_headless_packets_do_nothing_to_a_connection),
        CASE(test_headless_flow_ends_where_headers_begin),
        CASE(test_half_open_is_small),
        CASE(test_half_open_refused_at_last),
        CASE(test_a_guards_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
