/* Who sent the reset: each family alone and in pairs, each look-alike, the place, the trigger; the
 * tampering signatures; two SYN-ACKs to one SYN. */
#include "diagnosis/flow/signatures.h"
#include "tests/unit/test_site_help.h"

#define CLIENT "10.1.0.5"
#define SERVER "203.0.113.9"

/* An open connection, 20 ms to the server and 5 to the client, whose request was sent at 100 ms. */
static struct scene_flow *asked(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 8101, at);
    flow_establish(f);
    f->flow.rtt_min_server_ns = 20 * MS;
    f->flow.rtt_min_client_ns = 5 * MS;
    (void)scene_request(s, f, "/a", 0.1);
    return f;
}

/* A reset as the server's own stack sends it, one round trip after the request. */
static struct reset_record *reset(struct scene_flow *f, enum side side, double after)
{
    struct reset_record *r = &f->resets[f->reset_count++];
    flow_rst(f, side, after, side == SIDE_SERVER ? 60 : 64);
    *r = (struct reset_record){.flow_id = f->flow.id,
                               .number = (int64_t)f->reset_count,
                               .side = (uint8_t)side,
                               .source_id = 1,
                               .frame = f->flow.first_frame + 20,
                               .time_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND),
                               .with_ack = true,
                               .ttl = side == SIDE_SERVER ? 60 : 64,
                               .usual_ttl = side == SIDE_SERVER ? 60 : 64,
                               .ip_id = 1000,
                               .ip_id_before = 990,
                               .ip_id_line = IP_ID_COUNTS,
                               .guess = RESET_GUESS_EXACT,
                               .ack_step = 200,
                               .own_ns = 100 * MS,
                               .peer_ns = 22 * MS,
                               .peer_first_ns = 22 * MS,
                               .peer_payload_ns = 22 * MS,
                               .segments_before = side == SIDE_CLIENT,
                               .peer_segments_before = side == SIDE_SERVER};
    return r;
}

static struct reset_record *usual(struct scene *s)
{
    return reset(asked(s, (uint16_t)(1000 + s->flow_count), 10 + (double)s->flow_count),
                 SIDE_SERVER, 0.122);
}

static void too_fast(struct reset_record *r)
{
    r->peer_ns = r->peer_payload_ns = r->peer_first_ns = 2 * MS;
}

/* In the server's name, from elsewhere. */
static void inject(struct scene_flow *f)
{
    struct reset_record *r = reset(f, SIDE_SERVER, 0.122);
    r->ttl = 47;
    too_fast(r);
}

static const struct scene_finding *injected(struct scene *s, const char *signs)
{
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TCP_RESET_INJECTED, CULPRIT_MIDDLEBOX);
    assert_string_equal(finding_value(found, "signs")->text, signs);
    return found;
}

static void not_injected(struct scene *s)
{
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_RESET_INJECTED));
}

static void its_own_reset(void **state)
{
    struct scene *s = *state;
    (void)usual(s);
    not_injected(s);
    const struct scene_finding *f =
        expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
    assert_true(f->record.confidence >= 80);
}

/* An answer before the request was whole, and goodbye: the reset refuses the rest, which nobody waits for. */
static void reset_behind_answer_and_goodbye(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = asked(s, 1001, 11);
    flow_answer(f, &s->requests[0], 413, 0.1);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN; /* more of the request came behind it */
    f->tcp.side[SIDE_CLIENT].unacked_bytes = 1000;
    flow_fin(f, SIDE_SERVER, 0.11);
    (void)reset(f, SIDE_SERVER, 0.122);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TCP_RESET_BY_SERVER));
    /* the client may not have got the answer */
    f->tcp.side[SIDE_SERVER].unacked_bytes = 500;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TCP_RESET_BY_SERVER, CULPRIT_SERVER);
}

/* One family only: the side keeps the blame, possibly, and the sign is named. */
static void one_family_is_a_note(void **state)
{
    struct scene *s = *state;
    for (int family = 0; family < 4; family++) {
        s->flow_count = 1;
        s->request_count = 0;
        struct reset_record *r = usual(s);
        r->changed = family == 0;
        r->later_packets = family == 1 ? 2 : 0;
        if (family == 2)
            r->ttl = s->flows[1].tcp.side[1].rst_ttl = 47;
        if (family == 3)
            too_fast(r);
        not_injected(s);
        const struct scene_finding *f = scene_find(s, FINDING_TCP_RESET_BY_SERVER);
        assert_non_null(f);
        assert_true(f->record.confidence < 50);
        assert_non_null(finding_value(f, "signs")->text);
    }
}

static void two_families(void **state)
{
    struct scene *s = *state;
    struct reset_record *r = usual(s);
    r->ttl = 47;
    too_fast(r);
    const struct scene_finding *f = injected(s, "TTL, too fast");
    assert_string_equal(finding_value(f, "terms")->text, "TTL 25, too fast 30");
    assert_true(finding_value(f, "score")->number == 55.0);
    assert_true(finding_value(f, "ttl")->number == 47.0);
    assert_true(finding_value(f, "usual_ttl")->number == 60.0);
    assert_true(finding_value(f, "hops")->number == 17.0);
    assert_true(finding_value(f, "delay_ms")->number == 2.0);
    assert_true(finding_value(f, "rtt_ms")->number == 20.0);
    assert_string_equal(finding_value(f, "server_signature")->text, "12: PSH+ACK -> RST+ACK");
}

static void same_ttl_wrong_line(void **state)
{
    struct scene *s = *state;
    struct reset_record *r = usual(s);
    too_fast(r);
    r->later_packets = 1;
    r->ip_id = 61000;
    const struct scene_finding *f = injected(s, "later data, too fast");
    assert_string_equal(finding_value(f, "terms")->text, "later data 30, too fast 30, IP ID 10");
}

static void burst_of_guesses(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = asked(s, 1000, 10);
    for (int i = 0; i < 3; i++) {
        struct reset_record *r = reset(f, SIDE_SERVER, 0.122);
        r->ttl = 89;
        r->changed = i > 0;
        r->guess = (uint8_t)(i == 0 ? RESET_GUESS_EXACT : RESET_GUESS_AHEAD);
        r->ip_id = 7;
    }
    const struct scene_finding *found = injected(s, "sequence, TTL");
    assert_non_null(strstr(finding_value(found, "terms")->text, "burst 10"));
    assert_string_equal(finding_value(found, "server_signature")->text, "14: PSH+ACK -> RST+ACK; RST+ACK");
}

static void both_sides_at_once(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = asked(s, 1000, 10);
    struct reset_record *r = reset(f, SIDE_SERVER, 0.122);
    r->ttl = 47;
    (void)reset(f, SIDE_CLIENT, 0.1225);
    (void)injected(s, "TTL, both sides at once");
}

/* IP ID, timestamps, window and payload add to the score; none of them is a family. */
static void support_is_no_proof(void **state)
{
    struct scene *s = *state;
    struct reset_record *r = usual(s);
    r->ip_id = 61000;
    r->usual_timestamp = true;
    r->window = 8192;
    r->window_before = 500;
    r->payload_bytes = 10;
    not_injected(s);
}

static void look_alikes(void **state)
{
    struct scene *s = *state;
    struct reset_record *r =
        usual(s); /* answers late data of a closed socket, through a balancer */
    r->own_fin = true;
    r->ttl = 47;
    r->changed = true;
    r = usual(s); /* a balancer's timer ends what is idle, in both directions */
    r->own_ns = r->peer_ns = r->peer_first_ns = r->peer_payload_ns = 60 * SECOND;
    r->ttl = 47;
    r->changed = true;
    r = usual(s); /* for the connection that had the port before */
    r->time_ns = s->flows[s->flow_count - 1].flow.first_ns + 5 * MS;
    r->ttl = 47;
    r->changed = true;
    r = usual(s); /* a stack that starts its resets at another TTL: as many hops away */
    r->ttl = 251;
    r->changed = true;
    r = usual(
        s); /* the process ends just as the request passes the tap: it acknowledges nothing new */
    too_fast(r);
    r->ack_step = 0;
    r->peer_first_ns = 80 * MS;
    r->ttl = 47;
    r = usual(s); /* it goes back to the oldest byte in flight, as BSD does */
    r->guess = RESET_GUESS_UNACKED;
    r->ttl = 47;
    r = usual(s); /* bytes are missing on the way: no number is odd */
    r->guess = RESET_GUESS_AHEAD;
    r->ttl = 47;
    s->flows[s->flow_count - 1].tcp.side[1].wire_gap_bytes = 1460;
    r = usual(s); /* another TTL, which that address has on its other connections */
    r->ttl = 53;
    r->changed = true;
    r = usual(s); /* a firewall goes on where the server has reset */
    struct scene_flow *f = &s->flows[s->flow_count - 1];
    r = reset(f, SIDE_SERVER, 0.14);
    f->tcp.side[1].rst_ns = f->resets[0].time_ns;
    r->ttl = 247;
    r->changed = true;
    too_fast(r);
    r = usual(s); /* what was on its way when the server closed is answered without ACK */
    f = &s->flows[s->flow_count - 1];
    r = reset(f, SIDE_SERVER, 0.1225);
    f->tcp.side[1].rst_ns = f->resets[0].time_ns;
    r->with_ack = false;
    r->ttl = 47;
    too_fast(r);
    f = scene_healthy(s, CLIENT, 2000, SERVER, 443, 5);
    f->flow.server_ttl = 53;
    not_injected(s);
}

/* The capture began in the pause before its request: a device whose timer had run out answers it. */
static void a_pause_before_the_capture(void **state)
{
    struct scene *s = *state;
    for (int spoke = 0; spoke < 2; spoke++) {
        s->flow_count = 1;
        s->request_count = 0;
        struct scene_flow *f = asked(s, 1000, 10);
        f->flow.facts = (f->flow.facts & ~(uint64_t)FLOW_FACT_ESTABLISHED) | FLOW_FACT_MIDSTREAM;
        struct reset_record *r = reset(f, SIDE_SERVER, 0.102);
        too_fast(r);
        r->ttl = 47;
        r->own_ns = spoke ? 50 * MS : RECORD_NONE_NS;
        scene_judge(s);
        assert_true((scene_find(s, FINDING_TCP_RESET_INJECTED) != NULL) == (spoke != 0));
    }
}

/* Nothing was owed: the answer was whole. */
static void complete_answers_are_left_alone(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = asked(s, 1000, 10);
    flow_answer(f, &s->requests[0], 200, 0.13);
    struct reset_record *r = reset(f, SIDE_SERVER, 0.2);
    r->ttl = 47;
    r->changed = true;
    not_injected(s);
    expect_outcome(s, 1, OUTCOME_OK);
}

static void trigger_is_named(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 4; i++) {
        struct scene_flow *f = asked(s, (uint16_t)(1000 + i), 10 + i);
        if (i == 3) { /* went well: what it has cannot be the trigger */
            s->requests[i].path = "/b";
            flow_answer(f, &s->requests[i], 200, 0.13);
            break;
        }
        inject(f);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_RESET_INJECTED);
    assert_non_null(found);
    assert_int_equal(found->record.count, 3);
    assert_string_equal(finding_value(found, "trigger")->text, "HTTP inv.example.cn/a");
    s->requests[3].path = "/a"; /* now it is not */
    scene_judge(s);
    found = scene_find(s, FINDING_TCP_RESET_INJECTED);
    for (size_t i = 0; i < found->value_count; i++)
        assert_string_not_equal(found->values[i].name, "trigger");
}

/* Requests of any size above a limit are reset, smaller ones are not. */
static void limit_of_size_is_named(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 7; i++) {
        struct scene_flow *f = asked(s, (uint16_t)(1000 + i), 10 + i);
        s->requests[i].path = "/same";
        flow_send(f, SIDE_CLIENT, 0.1, (uint64_t)(i < 3 ? 1400 + 300 * i : 200 * (i - 2))); /* 200 are sent already */
        if (i >= 3) {
            flow_answer(f, &s->requests[i], 200, 0.13);
            continue;
        }
        inject(f);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TCP_RESET_INJECTED);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "trigger")->text,
                        "request bytes from 1600, largest that passed 1000");
    s->flows[5].flow.client_payload_bytes = 1700; /* a larger one went well: no limit */
    scene_judge(s);
    found = scene_find(s, FINDING_TCP_RESET_INJECTED);
    for (size_t i = 0; i < found->value_count; i++)
        assert_string_not_equal(found->values[i].name, "trigger");
}

/* Every signature that ends in resets, built from the rows of the resets of either side. */
static void signatures_of_both_directions(void **state)
{
    static const struct {
        unsigned number;
        bool answered; /* the SYN, and acknowledged */
        uint32_t data;
        const char *resets; /* r bare, a with ACK, o bare with another number, 0 bare with zero */
    } rows[] = {
        {2, false, 0, "r"},  {3, false, 0, "a"},  {4, false, 0, "ra"}, {6, true, 0, "r"},
        {7, true, 0, "rr"},  {8, true, 0, "a"},   {9, true, 0, "aa"},  {11, true, 1, "r"},
        {12, true, 1, "a"},  {13, true, 1, "ra"}, {14, true, 1, "aa"}, {15, true, 1, "rr"},
        {16, true, 1, "ro"}, {17, true, 1, "r0"}, {18, true, 3, "r"},  {19, true, 3, "a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (enum side side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
            struct flow_tcp_record tcp = {.syn_count = 1};
            struct reset_record resets[2] = {0};
            struct flow_facts f = {.tcp = &tcp, .reset_rows = resets};
            enum side other = side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
            tcp.side[0].fin_ns = tcp.side[1].fin_ns = RECORD_NONE_NS;
            tcp.side[SIDE_CLIENT].segments = rows[i].data;
            f.bits = rows[i].answered ? FLOW_FACT_ESTABLISHED : 0;
            for (const char *at = rows[i].resets; *at != '\0'; at++) {
                struct reset_record *r = &resets[f.reset_row_count++];
                r->side = (uint8_t)side;
                r->with_ack = *at == 'a';
                r->acknowledgment = *at == 'o' ? 77 : *at == '0' ? 0 : 5;
                *(side == SIDE_CLIENT ? &r->segments_before : &r->peer_segments_before) =
                    rows[i].data;
            }
            assert_int_equal(signature_of(&f, side, false), rows[i].number);
            assert_int_equal(signature_of(&f, other, false), 0);
        }
    }
}

static void signatures_of_silence(void **state)
{
    struct flow_tcp_record tcp = {.syn_count = 1};
    struct flow_facts f = {.tcp = &tcp};
    (void)state;
    for (enum side side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
        for (int s = 0; s < 2; s++)
            tcp.side[s] = (struct tcp_side_facts){.fin_ns = RECORD_NONE_NS, .rst_ns = RECORD_NONE_NS};
        f.bits = 0;
        assert_int_equal(signature_of(&f, side, true), 1);
        f.bits = FLOW_FACT_ESTABLISHED;
        assert_int_equal(signature_of(&f, side, true), 5);
        tcp.side[SIDE_CLIENT].segments = 1;
        assert_int_equal(signature_of(&f, side, true), 10);
        assert_int_equal(signature_of(&f, side, false), 0);
        tcp.side[SIDE_SERVER].segments = 1; /* it has spoken; about the client's packets that says nothing */
        assert_int_equal(signature_of(&f, side, true), side == SIDE_CLIENT ? 10 : 0);
        tcp.side[SIDE_SERVER].segments = 0;
        tcp.side[SIDE_CLIENT].segments = 2;
        assert_int_equal(signature_of(&f, side, true), 0);
    }
}

/* What counts is how far it had come at the reset: the client whose name it carries goes on. */
static void signature_of_an_early_reset(void **state)
{
    struct flow_tcp_record tcp = {.syn_count = 1, .established_ns = 30 * MS};
    struct reset_record early = {.side = SIDE_CLIENT, .time_ns = 2 * MS, .with_ack = true};
    struct flow_facts f = {.tcp = &tcp, .reset_rows = &early, .reset_row_count = 1, .bits = FLOW_FACT_ESTABLISHED};
    (void)state;
    tcp.side[0].fin_ns = tcp.side[1].fin_ns = tcp.side[1].rst_ns = RECORD_NONE_NS;
    tcp.side[0].rst_ns = early.time_ns;
    tcp.side[0].segments = 1;
    assert_int_equal(signature_of(&f, SIDE_CLIENT, false), 3);
    tcp.side[0].rst_ns = early.time_ns = 31 * MS;
    assert_int_equal(signature_of(&f, SIDE_CLIENT, false), 8);
}

/* A side that has reset answers what still comes: that is no second pattern. */
static void signature_without_echoes(void **state)
{
    struct flow_tcp_record tcp = {.syn_count = 1};
    struct reset_record rows[3] = {{.side = SIDE_SERVER, .time_ns = 100 * MS, .with_ack = true, .peer_segments_before = 1},
                                   {.side = SIDE_SERVER, .time_ns = 140 * MS, .peer_ns = 20 * MS},
                                   {.side = SIDE_CLIENT, .time_ns = 150 * MS, .peer_ns = 5 * MS}};
    struct flow_facts f = {.tcp = &tcp, .reset_rows = rows, .reset_row_count = 3, .bits = FLOW_FACT_ESTABLISHED};
    (void)state;
    for (int side = 0; side < 2; side++) {
        tcp.side[side].fin_ns = RECORD_NONE_NS;
        tcp.side[side].rst_ns = 100 * MS;
        tcp.side[side].rst_count = 2;
    }
    assert_int_equal(signature_of(&f, SIDE_SERVER, false), 12);
    assert_int_equal(signature_of(&f, SIDE_CLIENT, false), 0);
    rows[1].peer_ns = rows[2].peer_ns = 90 * MS; /* nothing came in between that they could answer */
    assert_int_equal(signature_of(&f, SIDE_SERVER, false), 13);
    assert_int_equal(signature_of(&f, SIDE_CLIENT, false), 6);
}

/* RFC 9293 3.10.7.3: a reset without ACK is no answer to a SYN, which is sent again. */
static void bare_resets_to_syns(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8101, 10);
    f->has_tcp = true;
    f->tcp.syn_count = 3;
    f->tcp.syn_last_ns = f->flow.first_ns + 3 * SECOND;
    f->flow.last_ns = f->tcp.syn_last_ns + 2 * MS;
    for (int i = 0; i < 3; i++) {
        struct reset_record *r = reset(f, SIDE_SERVER, (double)i + 0.002);
        r->with_ack = false;
        r->guess = RESET_GUESS_ZERO;
        r->segments_before = r->peer_segments_before = 0;
    }
    f->flow.client_packets = f->flow.server_packets = 3;
    f->flow.server_resets = f->tcp.side[SIDE_SERVER].rst_count = 3;
    f->tcp.side[SIDE_SERVER].rst_with_ack = false;
    f->tcp.side[SIDE_SERVER].rst_ns = f->flow.first_ns + 2 * MS;
    for (int i = 0; i < 3; i++)
        (void)scene_healthy(s, CLIENT, (uint16_t)(2000 + i), SERVER, 8101, 9 + 6 * i);
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_CONN_SYN_TIMEOUT, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "server_signature")->text, "2: SYN -> RST");
    assert_true(finding_value(found, "bare_resets")->number == 3.0);
    f->resets[1].with_ack = true; /* one that counts: then it was refused */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_SYN_TIMEOUT));
    f->resets[1].with_ack = false;
    f->tcp.syn_count = 1; /* whether its client took it is not known */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CONN_SYN_TIMEOUT));
}

/* PEERS.md 2.5, in its order. */
static void signatures(void **state)
{
    static const struct signature_view views[] = {
        {.syn = true, .silent = true},
        {.syn = true, .rst = 2},
        {.syn = true, .rst_ack = 1},
        {.syn = true, .rst = 1, .rst_ack = 1},
        {.syn = true, .ack = true, .silent = true},
        {.syn = true, .ack = true, .rst = 1},
        {.syn = true, .ack = true, .rst = 2},
        {.syn = true, .ack = true, .rst_ack = 1},
        {.syn = true, .ack = true, .rst_ack = 2},
        {.syn = true, .ack = true, .data_segments = 1, .silent = true},
        {.syn = true, .ack = true, .data_segments = 1, .rst = 1},
        {.syn = true, .ack = true, .data_segments = 1, .rst_ack = 1},
        {.syn = true, .ack = true, .data_segments = 1, .rst = 1, .rst_ack = 1},
        {.syn = true, .ack = true, .data_segments = 1, .rst_ack = 3},
        {.syn = true, .ack = true, .data_segments = 1, .rst = 2},
        {.syn = true, .ack = true, .data_segments = 1, .rst = 2, .acks_differ = true},
        {.syn = true,
         .ack = true,
         .data_segments = 1,
         .rst = 2,
         .acks_differ = true,
         .ack_zero = true},
        {.syn = true, .ack = true, .data_segments = 2, .rst = 1},
        {.syn = true, .ack = true, .data_segments = 9, .rst_ack = 2},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof views / sizeof *views; i++) {
        struct signature_view closed = views[i];
        assert_int_equal(signature_match(&views[i]), i + 1);
        assert_true(signature_name(i + 1)[0] != '\0');
        closed.fin = true;
        assert_int_equal(signature_match(&closed), 0);
    }
    assert_int_equal(signature_match(&(struct signature_view){.syn = true}), 0);
    assert_string_equal(signature_name(20), "");
}

/* The capture began before its request, which is met by a reset: of the answer nothing is known. */
static void a_reset_is_no_answer(void **state)
{
    struct scene *s = *state;
    for (int answered = 0; answered < 2; answered++) {
        s->flow_count = 1;
        struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8101, 10);
        f->flow.facts = FLOW_FACT_MIDSTREAM;
        f->flow.client_packets = 1;
        f->flow.client_payload_bytes = 60;
        f->flow.server_payload_bytes = answered ? 200 : 0;
        (void)reset(f, SIDE_SERVER, 0.12);
        f->flow.server_packets += (uint64_t)answered;
        scene_judge(s);
        assert_int_equal(s->verdicts[1].outcome, answered ? OUTCOME_OK : OUTCOME_UNKNOWN);
    }
}

/* ---- two SYN-ACKs ---------------------------------------------------------------------------- */

static struct scene_flow *answered_twice(struct scene *s)
{
    struct scene_flow *f = scene_healthy(s, CLIENT, 1000, SERVER, 8101, 10);
    f->has_tcp = true;
    f->tcp.synack_count = 2;
    f->tcp.synack_conflict = true;
    f->tcp.synack_pair = (struct synack_pair){.source_id = 1,
                                              .first_frame = 2,
                                              .other_frame = 3,
                                              .gap_ns = 13 * MS,
                                              .syns = 1,
                                              .first_ttl = 63,
                                              .other_ttl = 57,
                                              .shape_differs = true,
                                              .answers_same = true};
    return f;
}

static void dual_synack(void **state)
{
    struct scene *s = *state;
    (void)answered_twice(s);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_DUAL_SYNACK);
    assert_non_null(f);
    assert_true(f->record.confidence >= 80);
    assert_true(finding_value(f, "ttl_a")->number == 63.0);
    assert_true(finding_value(f, "ttl_b")->number == 57.0);
    assert_int_equal(f->evidence[0].frame, 2);
}

static void dual_synack_look_alikes(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 6; i++) {
        s->flow_count = 1;
        struct scene_flow *f = answered_twice(s);
        f->tcp.synack_pair.syns = i == 0 ? 2 : 1;            /* the SYN was repeated */
        f->tcp.synack_pair.answers_same = i != 1;            /* another SYN of that port */
        f->tcp.synack_pair.gap_ns = i == 2 ? 1001 * MS : MS; /* a SYN that was not captured */
        f->flow.facts |= i == 3 ? FLOW_FACT_DUPLICATES : 0u; /* both sides of a SYN proxy */
        f->flow.capture_lost_bytes = i == 4 ? 100 : 0;
        f->flow.facts |= i == 5 ? FLOW_FACT_REUSED_TUPLE : 0u;
        scene_judge(s);
        assert_null(scene_find(s, FINDING_MITM_DUAL_SYNACK));
    }
    s->flow_count = 1; /* members of a cluster that agree in everything else: possible */
    struct synack_pair *pair = &answered_twice(s)->tcp.synack_pair;
    pair->first_ttl = pair->other_ttl;
    pair->shape_differs = false;
    scene_judge(s);
    assert_true(scene_find(s, FINDING_MITM_DUAL_SYNACK)->record.confidence < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(its_own_reset),
        SCENE_TEST(reset_behind_answer_and_goodbye),
        SCENE_TEST(one_family_is_a_note),
        SCENE_TEST(two_families),
        SCENE_TEST(same_ttl_wrong_line),
        SCENE_TEST(burst_of_guesses),
        SCENE_TEST(both_sides_at_once),
        SCENE_TEST(support_is_no_proof),
        SCENE_TEST(look_alikes),
        SCENE_TEST(complete_answers_are_left_alone),
        SCENE_TEST(trigger_is_named),
        SCENE_TEST(limit_of_size_is_named),
        cmocka_unit_test(signatures),
        cmocka_unit_test(signatures_of_both_directions),
        cmocka_unit_test(signatures_of_silence),
        cmocka_unit_test(signature_of_an_early_reset),
        cmocka_unit_test(signature_without_echoes),
        SCENE_TEST(bare_resets_to_syns),
        SCENE_TEST(a_pause_before_the_capture),
        SCENE_TEST(a_reset_is_no_answer),
        SCENE_TEST(dual_synack),
        SCENE_TEST(dual_synack_look_alikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
