/* Scenes of handshakes: one client, one server, one name. */
#ifndef INVCAP_TESTS_TEST_SITE_TLS_HELP_H
#define INVCAP_TESTS_TEST_SITE_TLS_HELP_H

#include "tests/unit/test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"
#define DAY (86400LL * SECOND)

static inline struct scene_flow *hello(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = scene_flow_add(s, CLIENT, port, SERVER, 443, at);
    flow_establish(f);
    flow_tls(f, 0.02);
    f->tcp.side[1].last_ns = f->flow.first_ns + 30 * MS; /* the acknowledgment */
    return f;
}

static inline struct scene_flow *done(struct scene *s, uint16_t port, double at)
{
    struct scene_flow *f = hello(s, port, at);
    flow_tls_done(f, 0.05);
    flow_fin(f, SIDE_CLIENT, 0.1);
    flow_fin(f, SIDE_SERVER, 0.11);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    return f;
}

static inline struct certificate_record *certificate(struct scene *s, int64_t days_left,
                                                     int64_t lifetime)
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

#endif
