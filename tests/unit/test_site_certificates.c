/* Certificates: dates, names, trust, strength, pairs of TLCP, staples. */
#include "tests/unit/test_site_tls_help.h"

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
        flow_certificate(done(s, 1000, 10), 1);
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

/* Its own NTP requests say that the client is 8 h behind: by its clock a certificate of 3 h has not begun. */
static void refused_by_a_wrong_clock(void **state)
{
    struct scene *s = *state;
    struct certificate_record *c = certificate(s, 300, 365);
    struct scene_flow *f = hello(s, 1000, 10);
    flow_server_hello(f, 0.04);
    flow_certificate(f, 1);
    flow_alert(f, 42, SIDE_CLIENT, 0.06);
    struct scene_flow *time = scene_flow_add(s, "10.0.0.1", 123, "10.0.0.9", 123, 11);
    time->flow.protocol = 17;
    for (; s->ntp_count < 4; s->ntp_count++)
        s->ntp[s->ntp_count] = (struct ntp_record){.flow_id = time->flow.id,
                                                   .number = (int64_t)s->ntp_count + 1,
                                                   .client_ip = time->flow.client_ip,
                                                   .server_ip = time->flow.server_ip,
                                                   .request_ns = START_NS + (int64_t)s->ntp_count * SECOND,
                                                   .reply_ns = -1,
                                                   .error_ns = -1,
                                                   .client_offset_ns = -8 * 3600 * SECOND,
                                                   .client_offset_known = true};
    c->not_before_ns = START_NS - 3 * 3600 * SECOND;
    scene_judge(s);
    const struct scene_finding *found =
        expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_CLIENT);
    assert_true(finding_value(found, "clock_ms")->number == -8 * 3600 * 1000.0);
    c->not_before_ns = START_NS - 9 * 3600 * SECOND; /* valid by both clocks: it has another reason */
    scene_judge(s);
    (void)expect_verdict(s, 1, FINDING_TLS_CERTIFICATE_REFUSED, CULPRIT_SERVER);
}

static struct scene_flow *refuses_as_expired(struct scene *s, uint16_t port, int at)
{
    struct scene_flow *f = hello(s, port, at);
    flow_server_hello(f, 0.04);
    flow_certificate(f, 1);
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
    flow_certificate(other, 1);
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
        flow_certificate(f, 1);
        if (!rows[i].once)
            flow_certificate(f, 2);
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
        flow_certificate(f, 1);
        flow_certificate(f, 2);
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
    flow_certificate(done(s, 1000, 10), 1);
    scene_judge(s);
    expect_quiet(s);
    flow_certificate(done(s, 1001, 11), 2);
    struct scene_flow *f = done(s, 1002, 12);
    flow_certificate(f, 1);
    flow_certificate(f, 3);
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
    flow_certificate(f, 1);
    flow_certificate(f, 2);
    scene_judge(s);
    expect_quiet(s);
    for (int i = 0; i < 3; i++)
        flow_certificate(&s->flows[1], 2);
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CERT_CHAIN_LONG));
    root->self_signed = false;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_CERT_WEAK));
}

static void staples_are_missed_where_they_could_be_read(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = done(s, 1000, 10);
    (void)certificate(s, 300, 365);
    flow_certificate(f, 1);
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
        SCENE_TEST(staples_are_missed_where_they_could_be_read),
        SCENE_TEST(certificate_dates),
        SCENE_TEST(refused_as_expired),
        SCENE_TEST(refused_by_a_wrong_clock),
        SCENE_TEST(pairs_of_tlcp),
        SCENE_TEST(signatures_of_tlcp),
        SCENE_TEST(certificate_name_trust_and_strength),
        SCENE_TEST(old_roots_are_not_weak_and_long_chains_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
