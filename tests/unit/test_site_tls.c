/* Verdicts of TLS handshakes by what was offered, answered and refused. */
#include "tests/unit/test_site_tls_help.h"

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
        SCENE_TEST(closed_for_its_version),
        SCENE_TEST(unknown_name_where_others_work),
        SCENE_TEST(aborted_later),
        SCENE_TEST(a_gap_of_the_capture_spoils_absence_but_not_alerts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
