/* Another protocol than the profile expects, and certificates of another environment or service. */
#include "tests/unit/test_site_help.h"

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define CA "CN=Issuing CA G2,O=Example Tax Service,C=CN"

static uint16_t next_port = 1000;

static struct http_record *web(struct scene *s, uint16_t port, double at, int32_t status)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", next_port++, "10.0.0.2", port, at);
    struct http_record *r = scene_request(s, f, "/api", 0.02);
    flow_answer(f, r, status, 0.05);
    return r;
}

static struct scene_flow *tls(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", next_port++, "10.0.0.2", port, at);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    return f;
}

static void ssh(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", next_port++, "10.0.0.2", port, at);
    f->flow.app = "ssh";
    f->flow.facts |= FLOW_FACT_SERVER_SPOKE_FIRST;
}

static void expect_mismatch(struct scene *s, const char *expected, const char *found)
{
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "expected")->text, expected);
    assert_string_equal(finding_value(f, "found")->text, found);
}

/* The first of the connections proves it by these two of its packets. */
static void expect_frames(struct scene *s, int64_t asked, int64_t said)
{
    const struct scene_finding *f = scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH);
    assert_int_equal(f->evidence_count, 2);
    assert_int_equal(f->evidence[0].frame, asked);
    assert_int_equal(f->evidence[1].frame, said);
}

static void expect_none(struct scene *s)
{
    scene_judge(s);
    assert_null(scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH));
}

static void clear_text_where_tls_is_expected(void **state)
{
    struct scene *s = *state;
    web(s, 443, 1, 400); /* "The plain HTTP request was sent to HTTPS port" */
    web(s, 443, 2, 301);
    expect_none(s);
    web(s, 443, 3, 200)->kind = HTTP_TUNNEL; /* a proxy's tunnel */
    expect_none(s);
    struct http_record *r = web(s, 443, 4, 204);
    r->request_frame = 1004;
    r->response_frame = 1006;
    expect_mismatch(s, "TLS", "HTTP");
    expect_frames(s, 1004, 1006);
}

/* A client that asked for https: a device on the way took TLS off, the server is no other than it should be. */
static void https_seen_behind_the_end_of_tls(void **state)
{
    struct scene *s = *state;
    struct http_record *r = web(s, 443, 1, 200);
    r->from_https = true;
    expect_none(s);
    r->version = HTTP_VERSION_2;
    expect_none(s);
    web(s, 443, 2, 200);
    expect_mismatch(s, "TLS", "HTTP");
}

static void ssh_where_a_web_service_is_expected(void **state)
{
    struct scene *s = *state;
    ssh(s, 8080, 1);
    expect_mismatch(s, "HTTP", "SSH");
    assert_int_equal(scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH)->record.confidence, 70);
    s->profile.builtin = false;
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_SERVICE_PROTOCOL_MISMATCH)->record.confidence, 90);
}

static void what_shares_or_wraps_is_right(void **state)
{
    struct scene *s = *state;
    tls(s, 8080, 1);      /* HTTPS on a port of HTTP */
    tls(s, 6443, 2);      /* gRPC in TLS */
    web(s, 6443, 3, 200); /* and its health check by HTTP/1 */
    web(s, 8150, 4, 200); /* any */
    ssh(s, 54321, 5);
    expect_none(s);
}

static void a_multiplexer_hands_out_both(void **state)
{
    struct scene *s = *state;
    tls(s, 443, 1);
    ssh(s, 443, 2);
    ssh(s, 443, 3);
    tls(s, 443, 4);
    expect_none(s);
}

static void another_program_took_the_port(void **state)
{
    struct scene *s = *state;
    tls(s, 443, 1);
    ssh(s, 443, 2);
    expect_none(s); /* one alone is not enough where the right one was seen */
    ssh(s, 443, 3);
    expect_mismatch(s, "TLS", "SSH");
}

static void what_was_not_seen_accuses_nobody(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", next_port++, "10.0.0.2", 443, 1);
    f->flow.app = NULL; /* undissected */
    struct http_record *r = web(s, 443, 2, 200);
    f = &s->flows[s->flow_count - 1];
    f->flow.facts |= FLOW_FACT_MIDSTREAM;
    (void)r;
    f = scene_healthy(s, "10.0.0.1", next_port++, "10.0.0.2", 443, 3);
    (void)scene_request(s, f, "/unanswered", 0.02);
    expect_none(s);
}

/* ---- certificates ---- */
static const char *const portal_names[] = {"inv.example.cn"}, *const pay_names[] = {
                                                                  "pay.example.cn"};
static const char *const portal_pins[] = {HEX("a1")}, *const pay_pins[] = {HEX("b2")};
static const struct port_range portal_ports[] = {{443, 443}}, pay_ports[] = {{8443, 8443}};
static const struct profile_service services[] = {{.name = "portal",
                                                   .class_name = "portal",
                                                   .ports = portal_ports,
                                                   .port_count = 1,
                                                   .expected = PROFILE_TLS,
                                                   .names = portal_names,
                                                   .name_count = 1,
                                                   .pins = portal_pins,
                                                   .pin_count = 1},
                                                  {.name = "pay",
                                                   .class_name = "pay",
                                                   .ports = pay_ports,
                                                   .port_count = 1,
                                                   .expected = PROFILE_TLS,
                                                   .names = pay_names,
                                                   .name_count = 1,
                                                   .pins = pay_pins,
                                                   .pin_count = 1}};
static const char *const production_names[] = {"*.example.cn"};
static const char *const test_names[] = {"*.test.example.cn"}, *const test_issuers[] = {"Test CA"};
static struct profile_network networks[2];
static const struct profile_environment environments[] = {{.name = "production",
                                                           .networks = &networks[0],
                                                           .network_count = 1,
                                                           .names = production_names,
                                                           .name_count = 1},
                                                          {.name = "test",
                                                           .networks = &networks[1],
                                                           .network_count = 1,
                                                           .names = test_names,
                                                           .name_count = 1,
                                                           .issuers = test_issuers,
                                                           .issuer_count = 1}};

static void use_site(struct scene *s, bool pins)
{
    static struct profile_service unpinned[2];
    assert_true(profile_network_from_text("10.0.0.0/24", &networks[0]));
    assert_true(profile_network_from_text("10.0.7.0/24", &networks[1]));
    memcpy(unpinned, services, sizeof unpinned);
    unpinned[0].pin_count = unpinned[1].pin_count = 0;
    s->profile.builtin = false;
    s->profile.services = pins ? services : unpinned;
    s->profile.service_count = 2;
    s->profile.environments = pins ? NULL : environments;
    s->profile.environment_count = pins ? 0 : 2;
}

static void show(struct scene *s, const char *server, const char *asked, const char *san,
                 const char *issuer, const char *key)
{
    struct certificate_record *c = &s->certificates[s->certificate_count++];
    *c = (struct certificate_record){.id = (int64_t)s->certificate_count,
                                     .subject = "CN=x",
                                     .subject_cn = "x",
                                     .san = san,
                                     .issuer = issuer,
                                     .key_type = "EC",
                                     .key_bits = 256,
                                     .signature = "ecdsa-with-SHA256",
                                     .not_before_ns = START_NS - 6000000 * SECOND,
                                     .not_after_ns = START_NS + 90000000 * SECOND};
    snprintf(c->spki_sha256, sizeof c->spki_sha256, "%s", key);
    snprintf(c->sha256, sizeof c->sha256, "%s", key);
    struct scene_flow *f =
        scene_healthy(s, "10.0.0.1", next_port++, server, 443, (double)s->certificate_count);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->flow.name = f->tls.sni = asked;
    flow_certificate(f, c->id);
}

static void the_key_of_another_service(void **state)
{
    struct scene *s = *state;
    use_site(s, true);
    show(s, "10.0.0.2", "inv.example.cn", "DNS:inv.example.cn", CA, HEX("b2"));
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_CERT_WRONG_ENVIRONMENT);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "expected")->text, "portal");
    assert_string_equal(finding_value(f, "found")->text, "pay");
    assert_int_equal(f->record.confidence, 95);
    assert_null(scene_find(s, FINDING_MITM_PIN_MISMATCH)); /* no stranger has that key */
    show(s, "10.0.0.2", "inv.example.cn", "DNS:inv.example.cn", CA, HEX("c3"));
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_MITM_PIN_MISMATCH));
}

static void the_certificate_of_another_environment(void **state)
{
    struct scene *s = *state;
    use_site(s, false);
    show(s, "10.0.0.2", "inv.example.cn", "DNS:inv.example.cn", CA, "k1");
    show(s, "10.0.0.3", NULL, "DNS:*.example.cn", CA, "k2");
    show(s, "10.0.7.3", "inv.test.example.cn", "DNS:inv.test.example.cn", "CN=Test CA", "k3");
    show(s, "10.0.9.1", "other.example.org", "DNS:other.example.org", "CN=Test CA",
         "k4"); /* nowhere */
    show(s, "10.0.0.2", "inv.test.example.cn", "DNS:inv.test.example.cn", CA,
         "k5"); /* one entry for both */
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CERT_WRONG_ENVIRONMENT));
    show(s, "10.0.0.4", "inv.example.cn", "DNS:inv.test.example.cn,DNS:b.test.example.cn", CA,
         "k6");
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_CERT_WRONG_ENVIRONMENT);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "expected")->text, "production");
    assert_string_equal(finding_value(f, "found")->text, "test");
    assert_int_equal(f->record.confidence, 80);
}

/* By authority alone, as the name is right. The built-in profile knows no environments. */
static void the_authority_of_another_environment(void **state)
{
    struct scene *s = *state;
    use_site(s, false);
    static const struct profile_environment alone[] = {
        {.name = "production", .networks = &networks[0], .network_count = 1},
        {.name = "test", .issuers = test_issuers, .issuer_count = 1}};
    s->profile.environments = alone;
    show(s, "10.0.0.2", "inv.example.cn", "DNS:inv.example.cn", "CN=Test CA,O=x", "k1");
    scene_judge(s);
    assert_int_equal(scene_find(s, FINDING_CERT_WRONG_ENVIRONMENT)->record.confidence, 90);
    s->profile.builtin = true;
    scene_judge(s);
    assert_null(scene_find(s, FINDING_CERT_WRONG_ENVIRONMENT));
}

/* A client named nobody: the site's own name for the address stands. */
static void servers_without_a_name_have_that_of_the_site(void **state)
{
    struct scene *s = *state;
    static struct profile_host hosts[1] = {{.name = "bastion"}};
    assert_true(address_from_text("10.0.0.2", &hosts[0].address));
    s->profile.hosts = hosts;
    s->profile.host_count = 1;
    ssh(s, 8080, 1);
    web(s, 443, 1, 204);
    s->flows[s->flow_count - 1].flow.name = "inv.example.cn"; /* as its client called it */
    scene_judge(s);
    assert_int_equal(s->finding_count, 2);
    for (size_t i = 0; i < s->finding_count; i++) {
        bool unnamed = s->findings[i].record.server_port == 8080;
        assert_string_equal(s->findings[i].record.name, unnamed ? "bastion" : "inv.example.cn");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(clear_text_where_tls_is_expected),
        SCENE_TEST(https_seen_behind_the_end_of_tls),
        SCENE_TEST(ssh_where_a_web_service_is_expected),
        SCENE_TEST(what_shares_or_wraps_is_right),
        SCENE_TEST(a_multiplexer_hands_out_both),
        SCENE_TEST(another_program_took_the_port),
        SCENE_TEST(what_was_not_seen_accuses_nobody),
        SCENE_TEST(servers_without_a_name_have_that_of_the_site),
        SCENE_TEST(the_key_of_another_service),
        SCENE_TEST(the_certificate_of_another_environment),
        SCENE_TEST(the_authority_of_another_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
