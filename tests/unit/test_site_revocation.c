/* Clients and servers that wait for an answer whether a certificate was revoked. */
#include "tests/unit/test_site_help.h"

#define CLIENT "10.0.0.5"
#define PAUSE (2 * SECOND)

/* A handshake at 10 s whose client pauses from 10.02 s to 12.02 s. */
static struct scene_flow *paused(struct scene *s, const char *revocation, int64_t pause_ns)
{
    struct certificate_record *c = &s->certificates[s->certificate_count++];
    struct scene_flow *f = scene_flow_add(s, CLIENT, 40000, "198.51.100.20", 8443, 10);
    flow_establish(f);
    flow_tls(f, 0.01);
    flow_tls_done(f, 2.05);
    f->tls.server_hello_ns = f->flow.first_ns + 20 * MS;
    *c = (struct certificate_record){.id = 1, .subject = "CN=inv.example.cn", .issuer = "CN=ca",
                                     .subject_cn = "inv.example.cn", .san = "DNS:inv.example.cn",
                                     .not_before_ns = START_NS - 100 * 86400 * SECOND,
                                     .not_after_ns = START_NS + 300 * 86400 * SECOND,
                                     .key_type = "EC", .key_bits = 256, .revocation = revocation};
    flow_certificate(f, 1);
    s->delays[s->delay_count++] = (struct flow_delay_record){
        .flow_id = f->flow.id, .pause_ns = pause_ns, .pause_step = DELAY_STEP_TLS,
        .answer_frame = -1, .window_sender = SIDE_NONE};
    return f;
}

/* Another connection of the client, from `at`; open until the pause is over. */
static struct scene_flow *asks(struct scene *s, const char *name, const char *server, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, 41000, server, 80, at);
    f->flow.name = name;
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.01, 200);
    return f;
}

static const struct scene_finding *told(struct scene *s)
{
    scene_judge(s);
    return scene_find(s, FINDING_CLIENT_SLOW);
}

static bool has_value(const struct scene_finding *f, const char *name)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i].name, name) == 0)
            return true;
    }
    return false;
}

static void hosts_of_the_certificate(void **state)
{
    static const struct {
        const char *revocation, *name, *server;
        double at;
        const char *asked; /* NULL: two seconds alone are nothing to tell */
    } rows[] = {
        {"ocsp:http://ocsp.ca.example/", "ocsp.ca.example", "203.0.113.9", 10.05, "ocsp.ca.example"},
        {"ocsp:http://OCSP.ca.example:8080/x", "ocsp.ca.example", "203.0.113.9", 10.05, "ocsp.ca.example"},
        {"ocsp:http://a.example/,crl:http://crl.ca.example/r.crl", "crl.ca.example", "203.0.113.9", 10.05,
         "crl.ca.example"},
        {"ocsp:http://203.0.113.9:8880/", NULL, "203.0.113.9", 10.05, "203.0.113.9"},
        {"ocsp:http://[2001:db8::9]/", NULL, "2001:db8::9", 10.05, "2001:db8::9"},
        /* another host, another time, too late to matter, a name that only begins alike */
        {"ocsp:http://ocsp.ca.example/", "www.ca.example", "203.0.113.9", 10.05, NULL},
        {"ocsp:http://ocsp.ca.example/", "ocsp.ca.example", "203.0.113.9", 9.5, NULL},
        {"ocsp:http://ocsp.ca.example/", "ocsp.ca.example", "203.0.113.9", 11.6, NULL},
        {"ocsp:http://ocsp.ca.example.org/", "ocsp.ca.example", "203.0.113.9", 10.05, NULL},
        {"ocsp:ocsp.ca.example", "ocsp.ca.example", "203.0.113.9", 10.05, NULL},
        {NULL, "ocsp.ca.example", "203.0.113.9", 10.05, NULL},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->flow_count = s->certificate_count = s->delay_count = 0;
        (void)paused(s, rows[i].revocation, PAUSE);
        (void)asks(s, rows[i].name, rows[i].server, rows[i].at);
        const struct scene_finding *f = told(s);
        if ((f != NULL) != (rows[i].asked != NULL))
            fail_msg("row %zu", i);
        if (f == NULL)
            continue;
        assert_string_equal(finding_value(f, "asked")->text, rows[i].asked);
        assert_string_equal(finding_value(f, "result")->text, "no answer");
    }
}

/* A long pause is told in any case; what explains it must have taken half of it. */
static void answers_that_came_soon(void **state)
{
    struct scene *s = *state;
    (void)paused(s, "ocsp:http://ocsp.ca.example/", 4 * SECOND);
    struct scene_flow *f = asks(s, "ocsp.ca.example", "203.0.113.9", 10.05);
    struct http_record *r = scene_request(s, f, "/", 0.02);
    r->host = "ocsp.ca.example";
    flow_answer(f, r, 200, 0.1);
    const struct scene_finding *found = told(s);
    assert_non_null(found);
    assert_false(has_value(found, "asked"));
    flow_answer(f, r, 200, 3.2);
    found = told(s);
    assert_string_equal(finding_value(found, "asked")->text, "ocsp.ca.example");
    assert_string_equal(finding_value(found, "result")->text, "answered");
    assert_true(finding_value(found, "asked_ms")->number == 3200);
}

/* TLS 1.3 hides the certificate: what others of the capture name, and requests for lists, count. */
static void hidden_certificates(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = paused(s, "ocsp:http://ocsp.ca.example/", PAUSE);
    f->certificate_count = f->tls.certificate_count = 0;
    (void)asks(s, "ocsp.ca.example", "203.0.113.9", 10.05);
    assert_non_null(told(s));
    s->flow_count = s->certificate_count = s->delay_count = 0;
    f = paused(s, NULL, PAUSE);
    f->certificate_count = f->tls.certificate_count = 0;
    f = asks(s, "files.example", "203.0.113.9", 9); /* kept alive since before */
    struct http_record *r = scene_request(s, f, "/root.crl", 1.05);
    const struct scene_finding *found = told(s);
    assert_non_null(found);
    r->path = "/root.crt";
    assert_null(told(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(hosts_of_the_certificate),
        SCENE_TEST(answers_that_came_soon),
        SCENE_TEST(hidden_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
