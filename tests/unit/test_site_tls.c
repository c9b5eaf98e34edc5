/* Verdicts of TLS handshakes, what was negotiated, and certificates. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define DAY (86400LL * SECOND)

static struct scene_flow *hello(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 443, at);
    flow_establish(f);
    flow_tls(f, 0.02);
    f->tcp.side[1].last_ns = f->flow.first_ns + 30 * MS; /* the acknowledgment */
    return f;
}

static struct scene_flow *done(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = hello(s, port, at);
    flow_tls_done(f, 0.05);
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    return f;
}

static void alerts_have_their_verdicts(void **state)
{
    static const struct {
        int16_t alert;
        enum side by;
        bool after_hello;
        enum finding_code code;
        enum culprit culprit;
    } rows[] = {
        {70, SIDE_SERVER, false, FINDING_TLS_VERSION_MISMATCH, CULPRIT_UNKNOWN},
        {40, SIDE_SERVER, false, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN},
        {71, SIDE_SERVER, false, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN},
        {48, SIDE_CLIENT, true, FINDING_TLS_UNKNOWN_CA, CULPRIT_CLIENT},
        {42, SIDE_CLIENT, true, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER},
        {45, SIDE_CLIENT, true, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER},
        {46, SIDE_CLIENT, true, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER},
        {112, SIDE_SERVER, false, FINDING_TLS_UNRECOGNIZED_NAME, CULPRIT_CLIENT},
        {80, SIDE_SERVER, false, FINDING_TLS_ALERT, CULPRIT_SERVER},
        {40, SIDE_SERVER, true, FINDING_TLS_ALERT, CULPRIT_UNKNOWN},
        {50, SIDE_CLIENT, true, FINDING_TLS_ALERT, CULPRIT_UNKNOWN},
        {116, SIDE_SERVER, true, FINDING_TLS_CLIENT_CERTIFICATE_MISSING, CULPRIT_CLIENT},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        struct scene_flow *f = hello(s, 1000, 10);
        if (rows[i].after_hello)
            flow_server_hello(f, 0.04);
        flow_alert(f, rows[i].alert, rows[i].by, 0.06);
        scene_judge(s);
        expect_verdict(s, 1, rows[i].code, rows[i].culprit);
    }
}

static void client_certificate_missing_and_refused(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    f->tls.client_certificate_requested = f->tls.client_certificate_empty = true;
    flow_alert(f, 40, SIDE_SERVER, 0.06);
    f = hello(s, 1001, 11);
    flow_server_hello(f, 0.04);
    f->tls.client_certificate_requested = f->tls.client_certificate_sent = true;
    flow_alert(f, 48, SIDE_SERVER, 0.06);
    f = hello(s, 1002, 12);
    flow_server_hello(f, 0.04);
    f->tls.version = 0x0304;
    f->tls.client_certificate_requested = f->tls.client_certificate_sent = true;
    flow_alert(f, TLS_ALERT_HIDDEN, SIDE_SERVER, 0.06);
    f->tls.alert_inferred = true;
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_CLIENT_CERTIFICATE_MISSING, CULPRIT_CLIENT);
    expect_verdict(s, 2, FINDING_TLS_CLIENT_CERTIFICATE_REFUSED, CULPRIT_CLIENT);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_CLIENT_CERTIFICATE_REFUSED + 1);
}

/* GnuTLS says decode_error to the empty list; a wrong Finished (51) speaks of something else. */
static void other_words_for_a_missing_certificate(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 2; i++) {
        struct scene_flow *f = hello(s, (uint16_t)(1000 + i), 10 + i);
        flow_server_hello(f, 0.04);
        f->tls.client_certificate_requested = f->tls.client_certificate_empty = true;
        flow_alert(f, i == 0 ? 50 : 51, SIDE_SERVER, 0.06);
    }
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_CLIENT_CERTIFICATE_MISSING, CULPRIT_CLIENT);
    assert_int_equal(found->record.confidence, 80);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_ALERT + 1);
}

/* handshake_failure to offers that no successful handshake had a version of: it may be the version. A server
 * that chose TLS 1.2 before a client of TLS 1.3 does not know the latter. */
static void handshake_failure_for_a_version(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tls.version_offered = 0x0304;
    f->tls.versions_offered = "TLS 1.3";
    flow_alert(f, 40, SIDE_SERVER, 0.06);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN);
    assert_int_equal(found->record.confidence, 75);
    f = done(s, 1001, 11); /* TLS 1.2 of TLS 1.2 */
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN);
    assert_int_equal(found->record.confidence, 75);
    f->tls.version_offered = 0x0304;
    f->tls.versions_offered = "TLS 1.3,TLS 1.2";
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_TLS_VERSION_MISMATCH, CULPRIT_SERVER);
    assert_int_equal(found->record.confidence, 85);
}

static void alert_after_a_complete_handshake_is_no_failure(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    f->tls.alert = 80;
    f->tls.alert_by = SIDE_SERVER;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
}

static void the_older_side_is_to_blame(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tls.version_offered = 0x0301;
    f->tls.versions_offered = "TLS 1.0";
    flow_alert(f, 70, SIDE_SERVER, 0.06);
    done(s, 1001, 11);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_VERSION_MISMATCH, CULPRIT_CLIENT);
    assert_string_equal(finding_value(found, "client_versions")->text, "TLS 1.0");
    assert_string_equal(finding_value(found, "server_versions")->text, "TLS 1.2");
    /* and a close without alert by the same server means the same */
    f = hello(s, 1002, 12);
    f->tls.version_offered = 0x0301;
    flow_fin(f, SIDE_SERVER, 0.05);
    scene_judge(s);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_VERSION_MISMATCH + 1);
}

static void offers_that_work_elsewhere_blame_the_server(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_alert(f, 40, SIDE_SERVER, 0.06);
    f = scene_flow_add(s, CLIENT, 1001, "10.0.0.3", 443, 11);
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    flow_fin(f, SIDE_CLIENT, 0.1);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_SERVER);
}

static void what_both_sides_take_is_told(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tls.client_ciphers = "c02f,009c";
    f->tls.groups_offered = "x25519,secp256r1";
    flow_alert(f, 40, SIDE_SERVER, 0.06);
    f = done(s, 1001, 11);
    f->tls.cipher = 0xc030;
    f->tls.cipher_name = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    f->tls.group = 23;
    f->tls.group_name = "secp256r1";
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER,
                                                       CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "client_ciphers")->text, "c02f,009c");
    assert_string_equal(finding_value(found, "server_ciphers")->text,
                        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_string_equal(finding_value(found, "common_ciphers")->text, "none");
    assert_string_equal(finding_value(found, "common_groups")->text, "secp256r1");
    assert_int_equal(found->record.confidence, 95);
    /* the server took one of these suites from somebody else: it had another reason */
    f = done(s, 1002, 12);
    f->tls.cipher = 0x009c;
    f->tls.cipher_name = "TLS_RSA_WITH_AES_128_GCM_SHA256";
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_TLS_NO_SHARED_CIPHER, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "common_ciphers")->text,
                        "TLS_RSA_WITH_AES_128_GCM_SHA256");
    assert_int_equal(found->record.confidence, 70);
}

static void common_versions_are_told(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tls.versions_offered = "TLS 1.1,TLS 1.0";
    f->tls.version_offered = 0x0302;
    flow_alert(f, 70, SIDE_SERVER, 0.06);
    (void)done(s, 1001, 11);
    done(s, 1002, 12)->tls.version = 0x0304;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_VERSION_MISMATCH, CULPRIT_CLIENT);
    assert_string_equal(finding_value(found, "server_versions")->text, "TLS 1.3,TLS 1.2");
    assert_string_equal(finding_value(found, "common")->text, "none");
}

static void hello_dropped_or_unanswered(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    f->tcp.side[0].unacked_bytes = 255;
    f->tcp.side[0].tail_retransmissions = 4;
    f->tcp.side[0].tail_first_ns = f->tls.client_hello_ns;
    f->tcp.side[1].last_ns = f->flow.first_ns + 10 * MS;
    f->flow.last_ns += 3 * SECOND;
    f = hello(s, 1001, 11);
    flow_fin(f, SIDE_CLIENT, 10.02); /* its own close after waiting does not outrank the wait */
    f = hello(s, 1002, 12);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_CLIENTHELLO_DROPPED, CULPRIT_MIDDLEBOX);
    const struct scene_finding *found =
        expect_verdict(s, 2, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
    assert_true(finding_value(found, "waited_ms")->minimum == 10000.0);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_HANDSHAKE_TIMEOUT + 1);
    assert_int_equal(s->verdicts[3].stage, STAGE_TLS_CH);
}

static void hello_behind_an_upgrade(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 25, 10);
    flow_establish(f);
    flow_send(f, SIDE_SERVER, 0.015, 90); /* 220 ready */
    flow_tls(f, 0.02);
    f->tls.upgraded_from = "smtp";
    f->tcp.side[1].last_ns = f->flow.first_ns + 30 * MS;
    flow_fin(f, SIDE_CLIENT, 10.02);
    f = scene_flow_add(s, CLIENT, 1001, SERVER, 25, 11);
    flow_establish(f);
    flow_send(f, SIDE_SERVER, 0.015, 90);
    flow_tls(f, 0.02);
    f->tls.upgraded_from = "smtp";
    f->tcp.side[0].unacked_bytes = 255;
    f->tcp.side[0].tail_retransmissions = 4;
    f->tcp.side[0].tail_first_ns = f->tls.client_hello_ns;
    f->flow.last_ns += 3 * SECOND;
    f = scene_flow_add(s, CLIENT, 1002, SERVER, 25, 12); /* it said something after the hello */
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_send(f, SIDE_SERVER, 0.05, 90);
    f->tls.upgraded_from = "smtp";
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
    expect_verdict(s, 2, FINDING_TLS_CLIENTHELLO_DROPPED, CULPRIT_MIDDLEBOX);
    expect_outcome(s, 3, OUTCOME_UNKNOWN);
}

static void a_quiet_end_after_server_hello_proves_nothing(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    f->tls.step = TLS_STEP_SERVER_HELLO;
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    f = hello(s, 1001, 50);
    flow_server_hello(f, 0.04);
    f->tls.step = TLS_STEP_SERVER_DONE;
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_HANDSHAKE_ABORTED + 1);
}

static struct scene_flow *quic(struct scene *s, uint16_t port, const char *server, double at,
                               uint64_t packets)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, server, 443, at);
    flow_tls(f, 0);
    f->flow.protocol = 17;
    f->flow.app = "quic";
    f->tls.quic_version = 1;
    f->flow.client_packets = packets;
    f->has_tcp = false;
    return f;
}

static void quic_sessions_have_outcomes(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = quic(s, 1000, SERVER, 10, 8);
    f->flow.server_packets = 9;
    f->tls.established = true;
    f = quic(s, 1001, SERVER, 11, 8); /* taken up later: packets both ways */
    f->flow.server_packets = 9;
    f->tls.client_app_records = f->tls.server_app_records = 5;
    f = quic(s, 1002, SERVER, 12, 3); /* what became of it cannot be read */
    f->flow.server_packets = 1;
    f = quic(s, 1003, SERVER, 13, 2);
    f->flow.server_packets = 1;
    f->tls.alert = 80;
    f->tls.alert_by = SIDE_SERVER;
    f->tls.alert_ns = f->flow.first_ns + 10 * MS;
    f = quic(s, 1004, SERVER, 14, 4); /* others are answered there */
    f->flow.last_ns += 7 * SECOND;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    expect_outcome(s, 2, OUTCOME_OK);
    expect_outcome(s, 3, OUTCOME_UNKNOWN);
    expect_verdict(s, 4, FINDING_TLS_ALERT, CULPRIT_SERVER);
    expect_outcome(s, 5, OUTCOME_UNKNOWN);
}

static void quic_that_nobody_answers(void **state)
{
    struct scene *s = *state;
    quic(s, 1000, SERVER, 10, 4)->flow.last_ns += 7 * SECOND;
    quic(s, 1001, "10.0.0.3", 10, 2)->flow.last_ns += SECOND; /* too few, too short */
    scene_judge(s);
    const struct scene_finding *found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "protocol")->text, "QUIC");
    size_t alone = found->value_count;
    expect_outcome(s, 2, OUTCOME_UNKNOWN);
    (void)done(s, 1002, 12);
    scene_judge(s);
    found = expect_verdict(s, 1, FINDING_UDP_NO_ANSWER, CULPRIT_UNKNOWN);
    assert_string_equal(finding_value(found, "fallback")->text, "TLS over TCP");
    assert_int_equal(found->value_count, alone + 1);
}

/* A server that was stopped answers when it goes on: the client had waited, and left. */
static void answered_too_late(void **state)
{
    static const struct {
        double left, answered;
        enum finding_code code;
        enum culprit culprit;
    } rows[] = {
        {4, 8, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER},
        {2.1, 2.2, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER},
        {4, 3.9, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT},
        {1, 8, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        struct scene_flow *f = hello(s, 1000, 10);
        flow_fin(f, SIDE_CLIENT, rows[i].left);
        flow_server_hello(f, rows[i].answered);
        scene_judge(s);
        expect_verdict(s, 1, rows[i].code, rows[i].culprit);
        if (rows[i].code == FINDING_TLS_HANDSHAKE_TIMEOUT)
            assert_true(finding_value(scene_find(s, rows[i].code), "late_ms")->number > rows[i].left * 1000 - 20);
    }
}

static void hello_at_the_end_of_the_capture(void **state)
{
    struct scene *s = *state;
    hello(s, 1000, 98);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_quiet(s);
}

/* A server that took newer versions alone, from several handshakes, and closes every older hello. */
static void closed_for_its_version(void **state)
{
    struct scene *s = *state;
    s->flow_count = 0;
    for (int i = 0; i < 2; i++)
        done(s, (uint16_t)(900 + i), 5 + i)->tls.version = 0x0304;
    flow_fin(hello(s, 1000, 10), SIDE_SERVER, 0.05);
    scene_judge(s); /* one alone may have other reasons */
    expect_verdict(s, 2, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
    flow_fin(hello(s, 1001, 11), SIDE_SERVER, 0.05);
    scene_judge(s);
    expect_verdict(s, 2, FINDING_TLS_VERSION_MISMATCH, CULPRIT_CLIENT);
    assert_int_equal(scene_find(s, FINDING_TLS_VERSION_MISMATCH)->record.confidence, 65);
    s->flows[0].tls.version = 0x0303; /* it takes that version, too */
    scene_judge(s);
    expect_verdict(s, 2, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
    s->flows[0].tls.version = 0x0304;
    s->flows[3].tls.version_offered = 0x0304; /* newer ones are closed, too */
    scene_judge(s);
    expect_verdict(s, 2, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
    s->flows[3].tls.version_offered = 0x0303;
    s->flows[0].tls.established = false; /* one handshake alone is no rule */
    scene_judge(s);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO + 1);
}

static void closed_or_reset_after_the_hello(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_fin(f, SIDE_SERVER, 0.05);
    f = hello(s, 1001, 11);
    flow_rst(f, SIDE_SERVER, 0.05, 60);
    f = hello(s, 1002, 12);
    flow_rst(f, SIDE_SERVER, 0.05, 120); /* one family: possible, nobody named */
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_CLOSED_AFTER_CLIENTHELLO, CULPRIT_SERVER);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_RESET_AFTER_CLIENTHELLO + 1);
    assert_int_equal(s->verdicts[3].verdict, FINDING_TLS_RESET_AFTER_CLIENTHELLO + 1);
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding_record *r = &s->findings[i].record;
        if (r->flow_id == 3)
            assert_int_equal(r->culprit, CULPRIT_SERVER);
        if (r->flow_id == 4) {
            assert_int_equal(r->culprit, CULPRIT_MIDDLEBOX);
            assert_true(r->confidence < 50);
        }
    }
}

static void unknown_name_where_others_work(void **state)
{
    struct scene *s = *state;
    done(s, 1000, 9);
    struct scene_flow *f = hello(s, 1001, 10);
    f->flow.name = f->tls.sni = "other.example.cn";
    flow_fin(f, SIDE_SERVER, 0.05);
    scene_judge(s);
    expect_verdict(s, 2, FINDING_TLS_UNRECOGNIZED_NAME, CULPRIT_CLIENT);
}

static void aborted_later(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_fin(f, SIDE_CLIENT, 0.1);
    f = hello(s, 1001, 11);
    f->flow.name = f->tls.sni = "b.example.cn";
    flow_server_hello(f, 0.04);
    flow_send(f, SIDE_CLIENT, 0.06, 300);
    flow_rst(f, SIDE_SERVER, 0.1, 60);
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_ABORTED, CULPRIT_CLIENT);
    assert_string_equal(finding_value(found, "closer")->text, "client");
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_HANDSHAKE_ABORTED + 1);
    assert_int_equal(s->verdicts[1].stage, STAGE_TLS_CERT);
}

static void a_browsers_spare_connection_is_nobodys(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_fin(f, SIDE_CLIENT, 0.1);
    done(s, 1001, 10.01);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNSOLICITED);
    expect_quiet(s);
}

static void stalled_after_the_key_exchange(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_send(f, SIDE_CLIENT, 0.06, 300);
    flow_fin(f, SIDE_CLIENT, 20);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_HANDSHAKE_TIMEOUT, CULPRIT_SERVER);
}

static void plaintext_both_ways(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 10);
    flow_establish(f);
    flow_tls(f, 0.02);
    f->tls.client_hello_ns = -1;
    f->tls.step = TLS_STEP_NONE;
    f->tls.plaintext_client = true;
    flow_alert(f, 10, SIDE_SERVER, 0.05);
    f = hello(s, 1001, 11);
    f->tls.plaintext_server = true;
    flow_send(f, SIDE_SERVER, 0.05, 100);
    flow_fin(f, SIDE_SERVER, 0.06);
    scene_judge(s);
    expect_verdict(s, 1, FINDING_TLS_PLAINTEXT_ON_TLS_PORT, CULPRIT_CLIENT);
    assert_int_equal(s->verdicts[2].verdict, FINDING_TLS_ON_PLAINTEXT_PORT + 1);
    s->flows[1].flow.facts |= FLOW_FACT_MIDSTREAM; /* the rest of a session, nobody knows of what */
    scene_judge(s);
    assert_int_not_equal(s->verdicts[1].verdict, FINDING_TLS_PLAINTEXT_ON_TLS_PORT + 1);
    (void)done(s, 1002, 12); /* nor when others speak TLS there */
    s->flows[1].tls.plaintext_client = false;
    s->flows[1].tls.alert = -1;
    scene_judge(s);
    assert_int_not_equal(s->verdicts[1].verdict, FINDING_TLS_PLAINTEXT_ON_TLS_PORT + 1);
}

/* The capture begins at the client's goodbye (an encrypted alert), and the server closes; with the handshake seen, bytes
 * of no TLS to a port of TLS are the client's mistake. */
static void goodbye_of_a_connection_that_was_open(void **state)
{
    struct scene *s = *state;
    for (int seen = 0; seen < 2; seen++) {
        struct scene_flow *f = scene_healthy(s, CLIENT, (uint16_t)(2000 + seen), SERVER, 443, 5 + seen);
        flow_tls(f, 0.02);
        flow_tls_done(f, 0.05);
        f = scene_flow_add(s, CLIENT, (uint16_t)(1000 + seen), SERVER, 443, 10 + seen);
        if (seen == 1)
            flow_establish(f);
        else
            f->flow.facts |= FLOW_FACT_MIDSTREAM;
        flow_send(f, SIDE_CLIENT, 0.02, 31);
        flow_fin(f, SIDE_SERVER, 0.021);
        flow_fin(f, SIDE_CLIENT, 0.022);
    }
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_TLS_PLAINTEXT_ON_TLS_PORT);
    assert_non_null(found);
    assert_int_equal(found->record.count, 1);
    assert_int_equal(found->record.client_port, 1001);
}

static void plaintext_that_is_answered_is_none(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 10);
    flow_establish(f);
    flow_answer(f, scene_request(s, f, "/", 0.02), 200, 0.05);
    f->has_tls = true;
    f->tls.plaintext_client = true;
    f->tls.alert = -1;
    f->tls.client_hello_ns = f->tls.server_hello_ns = -1;
    flow_fin(f, SIDE_CLIENT, 0.1);
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_OK);
    assert_non_null(scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH)); /* the port speaks HTTP */
    assert_int_equal(s->finding_count, 1);
}

static void a_gap_of_the_capture_spoils_absence_but_not_alerts(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = hello(s, 1000, 10);
    flow_fin(f, SIDE_CLIENT, 10.02);
    f->flow.capture_lost_bytes = 3000;
    f = hello(s, 1001, 11);
    flow_alert(f, 70, SIDE_SERVER, 0.06);
    f->flow.capture_lost_bytes = 3000;
    s->capture.gaps = 2;
    s->capture.gap_bytes = 6000;
    s->capture.acked_segments = 5000;
    scene_judge(s);
    expect_outcome(s, 1, OUTCOME_UNKNOWN);
    expect_verdict(s, 2, FINDING_TLS_VERSION_MISMATCH, CULPRIT_UNKNOWN);
    assert_non_null(scene_find(s, FINDING_CAPTURE_LOSS));
}

static void negotiated(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    f->tls.version = 0x0301;
    f->tls.cipher_name = "TLS_RSA_WITH_3DES_EDE_CBC_SHA";
    f = scene_flow_add(s, CLIENT, 1001, "10.0.0.3", 443, 11);
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->tls.version = 0x0101;
    f->tls.cipher_name = "ECC_SM4_CBC_SM3";
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_TLS_WEAK_VERSION));
    const struct scene_finding *weak = scene_find(s, FINDING_TLS_WEAK_CIPHER);
    assert_non_null(weak);
    assert_int_equal(weak->record.severity, SEVERITY_LOW); /* not yet proven: tier B */
    size_t static_keys = 0, tlcp = 0;
    for (size_t i = 0; i < s->finding_count; i++) {
        static_keys += s->findings[i].record.code == FINDING_TLS_NO_FORWARD_SECRECY + 1;
        tlcp += s->findings[i].record.code == FINDING_TLS_TLCP + 1;
    }
    assert_int_equal(static_keys, 2);
    assert_int_equal(tlcp, 1);
    assert_int_equal(scene_find(s, FINDING_TLS_WEAK_VERSION)->record.count, 1); /* TLCP is none */
}

static void good_suites_are_quiet(void **state)
{
    static const struct {
        uint16_t version;
        const char *cipher;
    } rows[] = {{0x0304, "TLS_AES_128_GCM_SHA256"},
                {0x0303, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
                {0x0303, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"},
                {0x0304, "TLS_SM4_GCM_SM3"}};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene_flow *f = done(s, (uint16_t)(1000 + i), 10 + (double)i);
        f->tls.version = rows[i].version;
        f->tls.cipher_name = rows[i].cipher;
    }
    scene_judge(s);
    expect_quiet(s);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static struct certificate_record *certificate(struct scene *s, int64_t days_left, int64_t lifetime)
{
    struct certificate_record *c = &s->certificates[s->certificate_count++];
    *c = (struct certificate_record){.id = (int64_t)s->certificate_count,
                                     .subject = "CN=inv.example.cn",
                                     .issuer = "CN=ca.example.cn",
                                     .subject_cn = "inv.example.cn",
                                     .san = "DNS:inv.example.cn",
                                     .key_type = "RSA",
                                     .key_bits = 2048,
                                     .rsa_exponent = 65537,
                                     .signature = "sha256WithRSAEncryption"};
    c->not_after_ns = START_NS + days_left * DAY;
    c->not_before_ns = c->not_after_ns - lifetime * DAY;
    return c;
}

static void with_certificate(struct scene_flow *f, int64_t id)
{
    f->certificates[f->certificate_count] =
        (struct tls_certificate_record){f->flow.id, SIDE_SERVER, (int64_t)f->certificate_count, id};
    f->certificate_count++;
    f->tls.certificate_count = (uint32_t)f->certificate_count;
}

static void certificate_dates(void **state)
{
    static const struct {
        int64_t left, lifetime;
        int code; /* finding, -1 none */
        enum severity severity;
    } rows[] = {{-10, 365, FINDING_CERT_EXPIRED, SEVERITY_CRITICAL},
                {400, 365, FINDING_CERT_NOT_YET_VALID, SEVERITY_HIGH},
                {2, 365, FINDING_CERT_EXPIRING, SEVERITY_CRITICAL},
                {5, 365, FINDING_CERT_EXPIRING, SEVERITY_HIGH},
                {20, 365, FINDING_CERT_EXPIRING, SEVERITY_LOW},
                {31, 365, -1, SEVERITY_INFO},
                {20, 30, -1, SEVERITY_INFO}}; /* two thirds of a short life */
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        s->certificate_count = 0;
        (void)certificate(s, rows[i].left, rows[i].lifetime);
        with_certificate(done(s, 1000, 10), 1);
        scene_judge(s);
        if (rows[i].code < 0) {
            expect_quiet(s);
            continue;
        }
        const struct scene_finding *found = scene_find(s, (enum finding_code)rows[i].code);
        assert_non_null(found);
        assert_int_equal(found->record.severity, rows[i].severity);
        assert_int_equal(s->finding_count, 1);
    }
}

static struct scene_flow *refuses_as_expired(struct scene *s, uint16_t port, int at)
{
    struct scene_flow *f = hello(s, port, at);
    flow_server_hello(f, 0.04);
    with_certificate(f, 1);
    flow_alert(f, 45, SIDE_CLIENT, 0.06);
    return f;
}

/* "Expired" of a certificate that is valid: unclear alone, the client's clock when others took it; of one
 * that did expire it is the server's fault. */
static void refused_as_expired(void **state)
{
    struct scene *s = *state;
    (void)certificate(s, 300, 365);
    (void)refuses_as_expired(s, 1000, 10);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_UNKNOWN);
    struct scene_flow *other = scene_flow_add(s, "10.0.0.77", 1001, SERVER, 443, 11);
    flow_establish(other);
    flow_tls(other, 0.02);
    flow_server_hello(other, 0.04);
    flow_tls_done(other, 0.05);
    with_certificate(other, 1);
    flow_fin(other, SIDE_CLIENT, 0.1);
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_CLIENT);
    s->certificates[0].not_after_ns = START_NS - 3 * DAY;
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER);
}

/* GB/T 38636: signing, then encryption certificate, of one subject, each for its purpose. */
static void pairs_of_tlcp(void **state)
{
    static const struct {
        const char *usage[2], *subject, *key;
        bool once, twice;
        const char *fault; /* NULL: right */
    } rows[] = {
        {{"digitalSignature", "keyEncipherment,keyAgreement"}, "CN=inv.example.cn", "SM2", false, false, NULL},
        {{NULL, NULL}, "CN=inv.example.cn", "SM2", false, false, NULL},
        {{"digitalSignature", "keyEncipherment"}, "CN=inv.example.cn", "SM2", true, false,
         "only one certificate was sent"},
        {{"digitalSignature", "keyEncipherment"}, "CN=inv.example.cn", "SM2", false, true,
         "the same certificate was sent twice"},
        {{"keyEncipherment", "digitalSignature"}, "CN=inv.example.cn", "SM2", false, false,
         "signing and encryption certificate are swapped"},
        {{"digitalSignature", "digitalSignature"}, "CN=inv.example.cn", "SM2", false, false,
         "the encryption certificate may not encrypt"},
        {{"digitalSignature", "keyEncipherment"}, "CN=pay.example.cn", "SM2", false, false,
         "signing and encryption certificate are of different subjects"},
        {{"digitalSignature", "keyEncipherment"}, "CN=inv.example.cn", "RSA", false, false,
         "a key does not fit the suite"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        s->certificate_count = 0;
        for (int part = 0; part < 2; part++) {
            struct certificate_record *c = certificate(s, 300, 365);
            c->key_usage = rows[i].usage[part];
            c->key_type = part == 1 ? rows[i].key : "SM2";
            c->subject = part == 1 ? rows[i].subject : "CN=inv.example.cn";
            memset(c->sha256, rows[i].twice ? 'a' : 'a' + part, 64);
        }
        struct scene_flow *f = done(s, 1000, 10);
        f->tls.version = 0x0101;
        f->tls.cipher = 0xe013;
        f->tls.cipher_name = "ECC_SM4_CBC_SM3";
        with_certificate(f, 1);
        if (!rows[i].once)
            with_certificate(f, 2);
        scene_judge(s);
        const struct scene_finding *found = scene_find(s, FINDING_CERT_TLCP_PAIR);
        if ((found != NULL) != (rows[i].fault != NULL))
            fail_msg("row %zu", i);
        if (found != NULL)
            assert_string_equal(finding_value(found, "fault")->text, rows[i].fault);
    }
}

/* The signature over the key exchange: a client that went on weakens, or ends, what is said. */
static void signatures_of_tlcp(void **state)
{
    static const struct {
        uint8_t signature;
        bool refused;
        const char *fault; /* NULL: nothing is said */
        int64_t confidence;
    } rows[] = {
        {TLS_SIGNATURE_NONE, true, NULL, 0},
        {TLS_SIGNATURE_VALID, true, NULL, 0},
        {TLS_SIGNATURE_OTHER_KEY, false, NULL, 0},
        {TLS_SIGNATURE_OTHER_KEY, true, "the key exchange is signed with the encryption key", 85},
        {TLS_SIGNATURE_OTHER_CERTIFICATE, true,
         "the key exchange is signed over the signing certificate", 85},
        {TLS_SIGNATURE_OTHER_FORM, true,
         "the key exchange is signed in another form than the standard's", 85},
        {TLS_SIGNATURE_WRONG, true, "the signature over the key exchange is wrong", 85},
        {TLS_SIGNATURE_WRONG, false, "the signature over the key exchange is wrong", 45},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = 1;
        s->certificate_count = 0;
        for (int part = 0; part < 2; part++) {
            struct certificate_record *c = certificate(s, 300, 365);
            c->key_type = "SM2";
            c->subject = "CN=inv.example.cn";
            memset(c->sha256, 'a' + part, 64);
        }
        struct scene_flow *f = done(s, 1000, 10);
        f->tls.version = 0x0101;
        f->tls.cipher = 0xe013;
        f->tls.key_signature = rows[i].signature;
        with_certificate(f, 1);
        with_certificate(f, 2);
        if (rows[i].refused) {
            f->tls.established = false;
            flow_alert(f, 51, SIDE_CLIENT, 0.05);
        }
        scene_judge(s);
        const struct scene_finding *found = scene_find(s, FINDING_CERT_TLCP_PAIR);
        if ((found != NULL) != (rows[i].fault != NULL))
            fail_msg("row %zu", i);
        if (found == NULL)
            continue;
        assert_string_equal(finding_value(found, "fault")->text, rows[i].fault);
        assert_int_equal(found->record.confidence, rows[i].confidence);
    }
}

static void certificate_name_trust_and_strength(void **state)
{
    struct scene *s = *state;
    struct certificate_record *c = certificate(s, 300, 365);
    c->san = "DNS:*.example.cn,DNS:other.cn";
    c = certificate(s, 300, 365);
    c->san = "DNS:www.other.cn";
    c->self_signed = true;
    c = certificate(s, 300, 365);
    c->key_bits = 1024;
    with_certificate(done(s, 1000, 10), 1);
    scene_judge(s);
    expect_quiet(s);
    with_certificate(done(s, 1001, 11), 2);
    struct scene_flow *f = done(s, 1002, 12);
    with_certificate(f, 1);
    with_certificate(f, 3);
    scene_judge(s);
    const struct scene_finding *found = scene_find(s, FINDING_CERT_NAME_MISMATCH);
    assert_non_null(found);
    assert_string_equal(finding_value(found, "expected_name")->text, "inv.example.cn");
    assert_non_null(scene_find(s, FINDING_CERT_SELF_SIGNED));
    assert_non_null(scene_find(s, FINDING_CERT_WEAK));
    assert_int_equal(scene_find(s, FINDING_CERT_WEAK)->record.flow_id, 4);
    static const char *const trusted[] = {"ab"};
    s->profile.trusted_issuers = trusted;
    s->profile.trusted_issuer_count = 1;
    snprintf(s->certificates[1].sha256, sizeof s->certificates[1].sha256, "ab");
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CERT_SELF_SIGNED));
}

static void old_roots_are_not_weak_and_long_chains_are_told(void **state)
{
    struct scene *s = *state;
    (void)certificate(s, 300, 365);
    struct certificate_record *root = certificate(s, 3000, 3650);
    root->signature = "sha1WithRSAEncryption";
    root->rsa_exponent = 3; /* as some of 2004 have */
    root->self_signed = true;
    struct scene_flow *f = done(s, 1000, 10);
    with_certificate(f, 1);
    with_certificate(f, 2);
    scene_judge(s);
    expect_quiet(s);
    for (int i = 0; i < 3; i++)
        with_certificate(&s->flows[1], 2);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CERT_CHAIN_LONG));
    root->self_signed = false;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CERT_WEAK));
}

static void renegotiation_is_told_when_insecure_or_frequent(void **state)
{
    static const struct {
        uint32_t times;
        bool secure, told;
    } rows[] = {{0, false, false}, {1, true, false}, {3, true, false}, {4, true, true},
                {1, false, true}};
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->tls.renegotiations = rows[i].times;
        f->tls.secure_renegotiation = rows[i].secure;
        scene_judge(s);
        assert_int_equal(scene_find(s, FINDING_TLS_RENEGOTIATION) != NULL, rows[i].told);
    }
}

/* Only where others name several: one name, or none, leaves nothing to choose. */
static void missing_names_matter_among_several(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    f->tls.sni = NULL;
    (void)done(s, 1001, 11);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TLS_SNI_MISSING));
    done(s, 1002, 12)->tls.sni = "other.example.cn";
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_TLS_SNI_MISSING));
}

static void staples_are_missed_where_they_could_be_read(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    (void)certificate(s, 300, 365);
    with_certificate(f, 1);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TLS_NO_OCSP_STAPLE)); /* nobody asked */
    f->tls.staple_asked = true;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_TLS_NO_OCSP_STAPLE));
    f->tls.staple_sent = true;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TLS_NO_OCSP_STAPLE));
    f->tls.staple_sent = false;
    f->tls.version = 0x0304; /* encrypted */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_TLS_NO_OCSP_STAPLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(alerts_have_their_verdicts),
        SCENE_TEST(client_certificate_missing_and_refused),
        SCENE_TEST(other_words_for_a_missing_certificate),
        SCENE_TEST(handshake_failure_for_a_version),
        SCENE_TEST(alert_after_a_complete_handshake_is_no_failure),
        SCENE_TEST(the_older_side_is_to_blame),
        SCENE_TEST(offers_that_work_elsewhere_blame_the_server),
        SCENE_TEST(what_both_sides_take_is_told),
        SCENE_TEST(common_versions_are_told),
        SCENE_TEST(hello_dropped_or_unanswered),
        SCENE_TEST(hello_behind_an_upgrade),
        SCENE_TEST(a_quiet_end_after_server_hello_proves_nothing),
        SCENE_TEST(quic_sessions_have_outcomes),
        SCENE_TEST(quic_that_nobody_answers),
        SCENE_TEST(answered_too_late),
        SCENE_TEST(hello_at_the_end_of_the_capture),
        SCENE_TEST(closed_or_reset_after_the_hello),
        SCENE_TEST(closed_for_its_version),
        SCENE_TEST(unknown_name_where_others_work),
        SCENE_TEST(aborted_later),
        SCENE_TEST(a_browsers_spare_connection_is_nobodys),
        SCENE_TEST(stalled_after_the_key_exchange),
        SCENE_TEST(plaintext_both_ways),
        SCENE_TEST(goodbye_of_a_connection_that_was_open),
        SCENE_TEST(plaintext_that_is_answered_is_none),
        SCENE_TEST(a_gap_of_the_capture_spoils_absence_but_not_alerts),
        SCENE_TEST(negotiated),
        SCENE_TEST(good_suites_are_quiet),
        SCENE_TEST(renegotiation_is_told_when_insecure_or_frequent),
        SCENE_TEST(missing_names_matter_among_several),
        SCENE_TEST(staples_are_missed_where_they_could_be_read),
        SCENE_TEST(certificate_dates),
        SCENE_TEST(refused_as_expired),
        SCENE_TEST(pairs_of_tlcp),
        SCENE_TEST(signatures_of_tlcp),
        SCENE_TEST(certificate_name_trust_and_strength),
        SCENE_TEST(old_roots_are_not_weak_and_long_chains_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
