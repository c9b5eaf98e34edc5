/* What handshakes that completed agreed on. */
#include "tests/unit/test_site_tls_help.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(negotiated),
        SCENE_TEST(good_suites_are_quiet),
        SCENE_TEST(renegotiation_is_told_when_insecure_or_frequent),
        SCENE_TEST(missing_names_matter_among_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
