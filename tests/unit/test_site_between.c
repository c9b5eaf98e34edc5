/* Somebody in between who serves many names, keeps redirects to himself, or is found by several signs;
 * and the changes of an ordinary year. */
#include "tests/unit/test_site_help.h"

#include "diagnosis/site/mitm.h"

#define DAY (86400 * SECOND)
#define NEW_CA "CN=Gateway CA,O=Gateway Operations,C=CN"

static const struct {
    const char *name, *address, *issuer;
} owners[] = {{"inv.example.cn", "10.0.0.2", "CN=A,O=Tax Service,C=CN"},
              {"pay.example-bank.com", "203.0.113.40", "CN=B,O=Bank Trust,C=CN"},
              {"erp.trading.example.org", "192.0.2.60", "CN=C,O=Trade Root,C=CN"}};

/* Certificate `at` + 1, for the name of an owner. */
static struct certificate_record *certify(struct scene *s, size_t owner, const char *issuer,
                                          const char *key)
{
    static char names[3][64];
    struct certificate_record *c = &s->certificates[s->certificate_count++];
    snprintf(names[owner], sizeof names[owner], "DNS:%s", owners[owner].name);
    *c = (struct certificate_record){.id = (int64_t)s->certificate_count,
                                     .subject = "CN=x",
                                     .subject_cn = owners[owner].name,
                                     .san = names[owner],
                                     .issuer = issuer,
                                     .key_type = "EC",
                                     .key_bits = 256,
                                     .signature = "ecdsa-with-SHA256",
                                     .not_before_ns = START_NS - 60 * DAY,
                                     .not_after_ns = START_NS + 300 * DAY};
    snprintf(c->spki_sha256, sizeof c->spki_sha256, "%s", key);
    snprintf(c->sha256, sizeof c->sha256, "%zu", s->certificate_count);
    return c;
}

static struct scene_flow *show(struct scene *s, size_t owner, int64_t certificate, double at)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", (uint16_t)(40000 + s->flow_count),
                                         owners[owner].address, 443, at);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->flow.name = f->tls.sni = owners[owner].name;
    f->flow.server_ttl = 56;
    flow_certificate(f, certificate);
    return f;
}

static void expect_no_accusation(struct scene *s)
{
    scene_judge(s);
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding_info *info = catalogue_get(s->findings[i].record.code - 1);
        if (strncmp(info->code, "mitm-", 5) == 0 && s->findings[i].record.severity > SEVERITY_LOW)
            fail_msg("unexpected %s", info->code);
    }
}

/* ---- one issuer for unrelated names ---------------------------------------------------------- */

static void three_owners(struct scene *s, size_t changed)
{
    for (size_t i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof key, "old%zu", i);
        certify(s, i, owners[i].issuer, key);
        snprintf(key, sizeof key, "new%zu", i);
        certify(s, i, i < changed ? NEW_CA : owners[i].issuer, key);
    }
    for (size_t i = 0; i < 3; i++) {
        show(s, i, (int64_t)(2 * i + 1), 1 + 0.1 * (double)i);
        show(s, i, (int64_t)(2 * i + 2), 5 + 0.1 * (double)i);
    }
}

static void three_owners_come_under_one_issuer(void **state)
{
    struct scene *s = *state;
    three_owners(s, 3);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ISSUER_CHANGED);
    assert_non_null(f);
    assert_int_equal(f->record.severity, SEVERITY_CRITICAL);
    assert_non_null(strstr(finding_value(f, "terms")->text, "one issuer for unrelated names 25"));
    assert_true(finding_value(f, "score")->number == 90);
    assert_int_equal(s->incident_count, 1); /* not three */
    assert_int_equal(s->incidents[0].findings, 3);
}

static void two_of_them_prove_little(void **state)
{
    struct scene *s = *state;
    three_owners(s, 2);
    expect_no_accusation(s);
}

static void one_owner_with_three_networks(void **state)
{
    struct scene *s = *state;
    three_owners(s, 3);
    for (size_t i = 0; i < s->flow_count; i++) {
        static const char *const names[] = {"a.example.cn", "b.example.cn", "c.example.cn"};
        static const char *const sans[] = {"DNS:a.example.cn", "DNS:b.example.cn", "DNS:c.example.cn"};
        if (!s->flows[i].has_tls)
            continue;
        size_t owner = (size_t)(s->flows[i].certificates[0].certificate_id - 1) / 2;
        s->flows[i].tls.sni = names[owner];
        s->certificates[2 * owner].san = s->certificates[2 * owner + 1].san = sans[owner];
    }
    expect_no_accusation(s);
}

/* ---- one key --------------------------------------------------------------------------------- */

static void one_key_for_three_owners(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < 3; i++) {
        certify(s, i, NEW_CA, "same");
        show(s, i, (int64_t)i + 1, 1 + (double)i);
    }
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_INTERCEPTION_PRODUCT);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "product")->text, "one key for unrelated names");
    snprintf(s->certificates[2].spki_sha256, sizeof s->certificates[2].spki_sha256, "other");
    expect_no_accusation(s);
}

static void one_front_for_three_owners(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < 3; i++) {
        certify(s, i, NEW_CA, "same");
        assert_true(address_from_text("203.0.113.7", &show(s, i, (int64_t)i + 1, 1 + (double)i)
                                                          ->flow.server_ip));
    }
    expect_no_accusation(s);
}

static void one_key_of_other_years(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < 3; i++) {
        certify(s, i, NEW_CA, "same")->not_before_ns -= (int64_t)i * 100 * DAY;
        show(s, i, (int64_t)i + 1, 1 + (double)i);
    }
    expect_no_accusation(s);
}

/* ---- an ordinary year ------------------------------------------------------------------------ */

/* Five sessions with each of two authorities. */
static void change_of_issuer(struct scene *s)
{
    certify(s, 0, owners[0].issuer, "a");
    certify(s, 0, NEW_CA, "b");
    for (int i = 0; i < 5; i++) {
        show(s, 0, 1, 1 + 0.1 * i);
        show(s, 0, 2, 30 + 0.1 * i);
    }
}

static void a_change_without_a_reason(void **state)
{
    struct scene *s = *state;
    change_of_issuer(s);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ISSUER_CHANGED);
    assert_non_null(f);
    assert_int_equal(f->record.severity, SEVERITY_HIGH);
}

static void a_change_during_maintenance(void **state)
{
    struct scene *s = *state;
    change_of_issuer(s);
    struct scene_flow *f = scene_flow_add(s, "10.0.0.1", 45000, "10.0.0.2", 443, 20);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 56);
    expect_no_accusation(s);
}

static void a_change_of_short_lived_ones(void **state)
{
    struct scene *s = *state;
    change_of_issuer(s);
    s->certificates[0].not_before_ns = START_NS - 3 * DAY;
    s->certificates[0].not_after_ns = START_NS + 3 * DAY;
    expect_no_accusation(s);
}

static void a_portal_speaks_for_itself(void **state)
{
    struct scene *s = *state;
    change_of_issuer(s);
    s->certificates[0].san = "DNS:portal.guest.example.net";
    expect_no_accusation(s);
}

static void another_way_to_write_it(void **state)
{
    struct scene *s = *state;
    change_of_issuer(s);
    s->certificates[0].issuer = "CN=X1,O=DigiCert Inc,C=US";
    s->certificates[1].issuer = "CN=X2,O=DigiCert\\, Inc.,C=US";
    expect_no_accusation(s);
    assert_null(scene_find(s, FINDING_MITM_ISSUER_CHANGED));
}

static void organisations_and_sites(void **state)
{
    (void)state;
    assert_true(mitm_is_same_organisation("O=GlobalSign nv-sa", "O=GlobalSign NV-SA"));
    assert_true(mitm_is_same_organisation("O=Acme Co.\\, Ltd.", "O=Acme"));
    assert_false(mitm_is_same_organisation("O=Acme", "O=Acme Trust"));
    assert_false(mitm_is_same_organisation("O=Inc", "O=Ltd"));
    assert_string_equal(mitm_site_of("a.b.example.com.cn"), "example.com.cn");
    assert_string_equal(mitm_site_of("www.example.com"), "example.com");
    assert_string_equal(mitm_site_of("example.co.uk"), "example.co.uk");
    assert_string_equal(mitm_site_of("host"), "host");
    assert_string_equal(mitm_site_of("x.t.co"), "t.co");
}

/* ---- HTTPS stripped -------------------------------------------------------------------------- */

static void page(struct scene *s, const char *client, const char *path, double at, bool redirect,
                 uint8_t ttl)
{
    struct scene_flow *f =
        scene_healthy(s, client, (uint16_t)(46000 + s->flow_count), "10.0.0.2", 80, at);
    f->flow.server_ttl = ttl;
    struct http_record *r = scene_request(s, f, path, 0.02);
    flow_answer(f, r, redirect ? 301 : 200, 0.05);
    r->to_https = redirect;
    r->response_bytes = 300;
}

static void a_redirect_is_kept_back(void **state)
{
    struct scene *s = *state;
    page(s, "10.0.0.1", "/login", 1, true, 56);
    page(s, "10.0.0.1", "/login", 5, false, 64);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_HTTPS_STRIPPED);
    assert_non_null(f);
    assert_int_equal(f->record.confidence, 85);
    page(s, "10.0.0.7", "/login", 9, true, 56); /* others are sent on still: machines differ */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_MITM_HTTPS_STRIPPED));
}

/* It came in clear before the client was sent on, too: two machines take turns. */
static void two_machines_take_turns(void **state)
{
    struct scene *s = *state;
    page(s, "10.0.0.1", "/login", 1, false, 64);
    page(s, "10.0.0.1", "/login", 3, true, 56);
    page(s, "10.0.0.1", "/login", 5, false, 64);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_MITM_HTTPS_STRIPPED));
}

static void other_pages_and_clients(void **state)
{
    struct scene *s = *state;
    page(s, "10.0.0.1", "/login", 1, true, 56);
    page(s, "10.0.0.1", "/health", 5, false, 56);
    page(s, "10.0.0.7", "/login", 6, false, 56);
    scene_judge(s);
    assert_null(scene_find(s, FINDING_MITM_HTTPS_STRIPPED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(three_owners_come_under_one_issuer),
        SCENE_TEST(two_of_them_prove_little),
        SCENE_TEST(one_owner_with_three_networks),
        SCENE_TEST(one_key_for_three_owners),
        SCENE_TEST(one_front_for_three_owners),
        SCENE_TEST(one_key_of_other_years),
        SCENE_TEST(a_change_without_a_reason),
        SCENE_TEST(a_change_during_maintenance),
        SCENE_TEST(a_change_of_short_lived_ones),
        SCENE_TEST(a_portal_speaks_for_itself),
        SCENE_TEST(another_way_to_write_it),
        SCENE_TEST(organisations_and_sites),
        SCENE_TEST(a_redirect_is_kept_back),
        SCENE_TEST(two_machines_take_turns),
        SCENE_TEST(other_pages_and_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
