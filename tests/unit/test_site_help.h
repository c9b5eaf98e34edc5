/* Builds the records of a capture by hand, judges them, and looks at what came out. */
#ifndef INVCAP_TESTS_TEST_SITE_HELP_H
#define INVCAP_TESTS_TEST_SITE_HELP_H

#include "core/catalogue.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/site/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000LL
#define SECOND 1000000000LL
/* 2026-01-02 03:04:05 UTC */
#define START_NS (1767323045LL * SECOND)

struct scene_flow {
    struct flow_record flow;
    struct flow_tcp_record tcp;
    struct tls_record tls;
    struct tls_certificate_record certificates[8];
    struct flow_event events[8];
    struct reset_record resets[8];
    size_t certificate_count, event_count, reset_count;
    bool has_tcp, has_tls;
};

struct scene_finding {
    struct finding_record record;
    struct finding_value_record values[16];
    struct finding_evidence_record evidence[8];
    struct finding_flow_record *flows;
    size_t value_count, evidence_count, flow_count;
};

struct scene {
    struct profile profile;
    struct scene_flow *flows;
    size_t flow_count, capacity;
    struct http_record requests[2048];
    struct turn_record turns[256];
    size_t turn_count;
    struct icmp_record icmp[16];
    struct arp_record arp[64];
    struct certificate_record certificates[8];
    struct flow_delay_record delays[32];
    struct rtt_sample_record samples[16];
    size_t sample_count;
    struct ntp_record ntp[8];
    struct dns_record dns[8];
    size_t ntp_count, dns_count;
    size_t delay_count;
    struct path_sample_record paths[4], put_paths[4]; /* given, and put again by the diagnosis */
    struct swarm_record swarms[2];
    size_t path_count, put_path_count, swarm_count;
    size_t request_count, icmp_count, arp_count, certificate_count;
    uint64_t memory; /* of what is kept for judging; 0: no ceiling */
    struct source_record source;
    struct capture_record capture;
    struct scene_finding findings[64];
    size_t finding_count;
    struct domain_record domains[8]; /* the first ones */
    struct story_record stories[8];
    struct incident_record incidents[8]; /* their texts are gone */
    size_t domain_count, story_count, incident_count;
    struct verdict_record *verdicts; /* by flow id - 1 */
    void (*other)(enum record_kind kind, const void *record); /* what is not kept here; NULL none */
};

static inline void scene_start(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->profile = *profile_builtin();
    s->capture.id = 1;
    s->capture.first_ns = START_NS;
    s->capture.last_ns = START_NS + 100 * SECOND;
    s->capture.packets = 10000;
    s->capture.icmp_packets = s->capture.arp_packets = 1;
}

static inline void scene_end(struct scene *s)
{
    for (size_t i = 0; i < s->finding_count; i++)
        free(s->findings[i].flows);
    free(s->flows);
    free(s->verdicts);
}

static inline void side_reset(struct tcp_side_facts *side)
{
    *side = (struct tcp_side_facts){.tail_first_ns = -1,
                                    .tail_last_ns = -1,
                                    .last_ns = -1,
                                    .last_payload_ns = -1,
                                    .fin_ns = -1,
                                    .rst_ns = -1,
                                    .rst_delay_ns = -1,
                                    .window_scale = 7,
                                    .mss = 1460};
}

/* A flow in the state right after its first packet. at: seconds after START_NS. Valid until the
 * next scene_flow_add. */
static inline struct scene_flow *scene_flow_add(struct scene *s, const char *client,
                                                uint16_t client_port, const char *server,
                                                uint16_t server_port, double at)
{
    if (s->flow_count == s->capacity) {
        s->capacity = s->capacity == 0 ? 64 : s->capacity * 2;
        s->flows = realloc(s->flows, s->capacity * sizeof *s->flows);
        assert_non_null(s->flows);
    }
    struct scene_flow *f = &s->flows[s->flow_count++];
    memset(f, 0, sizeof *f);
    f->flow.id = (int64_t)s->flow_count;
    f->flow.capture_id = f->flow.source_id = 1;
    f->flow.first_frame = f->flow.id * 100;
    f->flow.first_ns = f->flow.last_ns = START_NS + (int64_t)(at * (double)SECOND);
    f->flow.protocol = 6;
    assert_true(address_from_text(client, &f->flow.client_ip));
    assert_true(address_from_text(server, &f->flow.server_ip));
    f->flow.client_port = client_port;
    f->flow.server_port = server_port;
    f->flow.vlan = -1;
    f->flow.closed_by = SIDE_NONE;
    f->flow.end = END_CAPTURE;
    f->flow.connect_rtt_server_ns = f->flow.connect_rtt_client_ns = -1;
    f->flow.rtt_min_client_ns = f->flow.rtt_min_server_ns = -1;
    f->flow.response_max_ns = -1;
    f->flow.client_packets = 1;
    f->flow.client_ttl = 64;
    f->tcp.flow_id = f->flow.id;
    f->tcp.syn_count = 1;
    f->tcp.syn_last_ns = f->flow.first_ns;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->tcp.established_ns = -1;
    f->tcp.longest_idle_ns = f->tcp.idle_before_tail_ns = f->tcp.wait_ns = -1;
    side_reset(&f->tcp.side[0]);
    side_reset(&f->tcp.side[1]);
    f->tcp.side[0].last_ns = f->flow.first_ns;
    f->tcp.side[0].ttl_min = f->tcp.side[0].ttl_max = 64;
    f->has_tcp = true;
    return f;
}

static inline void flow_touch(struct scene_flow *f, enum side side, int64_t at_ns)
{
    f->tcp.side[side].last_ns = at_ns;
    if (at_ns > f->flow.last_ns)
        f->flow.last_ns = at_ns;
    if (side == SIDE_CLIENT)
        f->flow.client_packets++;
    else
        f->flow.server_packets++;
}

/* SYN-ACK after 10 ms, ACK after 11; the tap is near the client. */
static inline void flow_establish(struct scene_flow *f)
{
    f->flow.facts |= FLOW_FACT_ESTABLISHED;
    f->tcp.synack_count = 1;
    f->tcp.synack_first_ns = f->tcp.synack_last_ns = f->flow.first_ns + 10 * MS;
    f->tcp.established_ns = f->flow.first_ns + 11 * MS;
    f->flow.connect_rtt_server_ns = f->flow.rtt_min_server_ns = 10 * MS;
    f->flow.connect_rtt_client_ns = f->flow.rtt_min_client_ns = MS;
    f->flow.server_ttl = 60;
    f->tcp.side[1].ttl_min = f->tcp.side[1].ttl_max = 60;
    flow_touch(f, SIDE_SERVER, f->tcp.synack_last_ns);
    flow_touch(f, SIDE_CLIENT, f->tcp.established_ns);
}

static inline void flow_send(struct scene_flow *f, enum side side, double after, uint64_t bytes)
{
    int64_t at = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    flow_touch(f, side, at);
    f->tcp.side[side].last_payload_ns = at;
    f->tcp.side[side].segments++;
    if (side == SIDE_CLIENT)
        f->flow.client_payload_bytes += bytes;
    else
        f->flow.server_payload_bytes += bytes;
}

static inline void flow_fin(struct scene_flow *f, enum side side, double after)
{
    int64_t at = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    flow_touch(f, side, at);
    f->tcp.side[side].fin_ns = at;
    if (f->flow.closed_by == SIDE_NONE)
        f->flow.closed_by = (uint8_t)side;
    f->flow.end = END_CLOSED;
}

static inline void flow_rst(struct scene_flow *f, enum side side, double after, uint8_t ttl)
{
    int64_t at = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    struct tcp_side_facts *s = &f->tcp.side[side];
    int64_t other = f->tcp.side[!side].last_ns;
    flow_touch(f, side, at);
    s->rst_ns = at;
    s->rst_ttl = ttl;
    s->rst_count = 1;
    s->rst_with_ack = true;
    s->rst_delay_ns = other >= 0 ? at - other : -1;
    if (side == SIDE_CLIENT)
        f->flow.client_resets++;
    else
        f->flow.server_resets++;
    if (f->flow.closed_by == SIDE_NONE)
        f->flow.closed_by = (uint8_t)side;
    f->flow.end = END_CLOSED;
}

/* A connection that nothing is wrong with. */
static inline struct scene_flow *scene_healthy(struct scene *s, const char *client, uint16_t port,
                                               const char *server, uint16_t server_port, double at)
{
    struct scene_flow *f = scene_flow_add(s, client, port, server, server_port, at);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.02, 200);
    flow_send(f, SIDE_SERVER, 0.05, 1000);
    flow_fin(f, SIDE_CLIENT, 0.06);
    flow_fin(f, SIDE_SERVER, 0.07);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    f->has_tcp = false;
    return f;
}

/* A two-sided connection over the whole capture: the tap works. */
static inline void scene_background(struct scene *s)
{
    struct scene_flow *f = scene_healthy(s, "10.0.9.9", 999, "10.0.9.10", 5432, 0);
    f->flow.last_ns = s->capture.last_ns;
}

static inline struct scene_flow *scene_silent_syn(struct scene *s, const char *client,
                                                  uint16_t port, const char *server,
                                                  uint16_t server_port, double at, uint32_t syns)
{
    struct scene_flow *f = scene_flow_add(s, client, port, server, server_port, at);
    f->tcp.syn_count = syns;
    f->flow.syn_retransmissions = syns - 1;
    f->flow.client_packets = syns;
    f->tcp.syn_last_ns = f->flow.first_ns + ((1LL << (syns - 1)) - 1) * SECOND;
    f->flow.last_ns = f->tcp.side[0].last_ns = f->tcp.syn_last_ns;
    return f;
}

static inline void flow_tls(struct scene_flow *f, double hello_after)
{
    f->has_tls = true;
    f->flow.app = "tls";
    f->flow.name = f->tls.sni = "inv.example.cn";
    f->tls.flow_id = f->flow.id;
    f->tls.client_hello_ns = f->flow.first_ns + (int64_t)(hello_after * (double)SECOND);
    f->tls.client_hello_frame = f->flow.first_frame + 3;
    f->tls.server_hello_ns = f->tls.finished_ns = f->tls.alert_ns = f->tls.hello_delay_ns = -1;
    f->tls.version_offered = 0x0303;
    f->tls.versions_offered = "TLS 1.2";
    f->tls.client_ciphers = "c02f";
    f->tls.client_hello_bytes = 250;
    f->tls.client_hello_segments = 1;
    f->tls.step = TLS_STEP_CLIENT_HELLO;
    f->tls.alert = -1;
    f->tls.alert_by = SIDE_NONE;
    flow_send(f, SIDE_CLIENT, hello_after, 255);
}

static inline void flow_server_hello(struct scene_flow *f, double after)
{
    f->tls.server_hello_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    f->tls.server_hello_frame = f->flow.first_frame + 5;
    f->tls.version = 0x0303;
    f->tls.cipher = 0xc02f;
    f->tls.cipher_name = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    f->tls.step = TLS_STEP_SERVER_DONE;
    flow_send(f, SIDE_SERVER, after, 3000);
}

static inline void flow_tls_done(struct scene_flow *f, double after)
{
    flow_server_hello(f, after);
    f->tls.established = true;
    f->tls.step = TLS_STEP_FINISHED;
    f->tls.finished_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    f->flow.facts |= FLOW_FACT_TLS_FINISHED;
}

/* The server sends this certificate next. */
static inline void flow_certificate(struct scene_flow *f, int64_t id)
{
    f->certificates[f->certificate_count] =
        (struct tls_certificate_record){f->flow.id, SIDE_SERVER, (int64_t)f->certificate_count, id};
    f->certificate_count++;
    f->tls.certificate_count = (uint32_t)f->certificate_count;
}

static inline void flow_alert(struct scene_flow *f, int16_t alert, enum side by, double after)
{
    f->tls.alert = alert;
    f->tls.alert_by = (uint8_t)by;
    f->tls.alert_level = 2;
    f->tls.alert_step = f->tls.step;
    f->tls.alert_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    f->tls.alert_frame = f->flow.first_frame + 7;
    flow_send(f, by, after, 7);
    flow_fin(f, by, after + 0.001);
}

static inline struct http_record *scene_request(struct scene *s, struct scene_flow *f,
                                                const char *path, double after)
{
    struct http_record *r = &s->requests[s->request_count++];
    int64_t at = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    *r = (struct http_record){.flow_id = f->flow.id,
                              .number = (int64_t)++f->flow.request_count,
                              .method = "GET",
                              .host = "inv.example.cn",
                              .path = path,
                              .request_ns = at,
                              .request_end_ns = at,
                              .response_ns = -1,
                              .response_end_ns = -1,
                              .request_frame = f->flow.first_frame + 4,
                              .wait_ns = -1,
                              .ended_by = SIDE_NONE};
    f->flow.app = "http";
    flow_send(f, SIDE_CLIENT, after, 200);
    f->flow.facts |= FLOW_FACT_REQUEST_OPEN;
    return r;
}

static inline void flow_answer(struct scene_flow *f, struct http_record *r, int32_t status,
                               double after)
{
    r->status = status;
    r->response_ns = r->response_end_ns = f->flow.first_ns + (int64_t)(after * (double)SECOND);
    r->response_frame = f->flow.first_frame + 6;
    r->wait_ns = r->response_ns - r->request_end_ns;
    r->complete = true;
    flow_send(f, SIDE_SERVER, after, 500);
    f->flow.facts &= ~(uint64_t)FLOW_FACT_REQUEST_OPEN;
    f->flow.facts |= FLOW_FACT_ANSWERED;
}

static inline struct icmp_record *scene_icmp(struct scene *s, const struct scene_flow *f,
                                             const char *router, uint8_t type, uint8_t code)
{
    struct icmp_record *r = &s->icmp[s->icmp_count++];
    *r = (struct icmp_record){.capture_id = 1,
                              .source_id = 1,
                              .frame = f->flow.first_frame + 1,
                              .time_ns = f->flow.first_ns + 5 * MS,
                              .client_ip = f->flow.client_ip,
                              .server_ip = f->flow.server_ip,
                              .client_port = f->flow.client_port,
                              .server_port = f->flow.server_port,
                              .protocol = f->flow.protocol,
                              .family = f->flow.client_ip.family,
                              .type = type,
                              .code = code,
                              .flow_id = f->flow.id,
                              .quoted_side = SIDE_CLIENT,
                              .quotes_syn = true,
                              .sequence_fits = true};
    assert_true(address_from_text(router, &r->router_ip));
    return r;
}

/* As the engine leaves a path of which nothing is worth telling. */
static inline struct path_sample_record *scene_path(struct scene *s, const char *client, const char *server)
{
    struct path_sample_record *p = &s->paths[s->path_count++];
    *p = (struct path_sample_record){.id = (int64_t)s->path_count,
                                     .capture_id = 1,
                                     .vlan = -1,
                                     .outage_ns = -1,
                                     .outage_first_ns = -1,
                                     .outage_last_ns = -1,
                                     .outage_side = SIDE_NONE,
                                     .idle_survived_ns = -1,
                                     .idle_lost_ns = -1,
                                     .idle_timer_ns = -1};
    assert_true(address_from_text(client, &p->client_ip));
    assert_true(address_from_text(server, &p->server_ip));
    for (int i = 0; i < 2; i++) {
        struct path_side *side = &p->side[i];
        *side = (struct path_side){.ttl = 60,
                                   .hops = 4,
                                   .ttl_changed_ns = -1,
                                   .syns = 3,
                                   .scale_seen = 3,
                                   .sack_seen = 3,
                                   .timestamps_seen = 3,
                                   .mss_min = 1460,
                                   .mss_max = 1460,
                                   .rtt_data_min_ns = -1,
                                   .rtt_min_ns = -1,
                                   .rtt_p50_ns = -1,
                                   .rtt_p95_ns = -1,
                                   .rtt_p99_ns = -1};
    }
    return p;
}

/* ---- judging --------------------------------------------------------------------------------- */

static inline struct scene_finding *scene_last(struct scene *s)
{
    assert_true(s->finding_count > 0);
    return &s->findings[s->finding_count - 1];
}

static inline void scene_put(void *self, enum record_kind kind, const void *record)
{
    struct scene *s = self;
    if (kind == RECORD_VERDICT) {
        const struct verdict_record *v = record;
        assert_true(v->flow_id >= 1 && (size_t)v->flow_id <= s->flow_count);
        s->verdicts[v->flow_id - 1] = *v;
    } else if (kind == RECORD_PATH) {
        assert_true(s->put_path_count < 4);
        s->put_paths[s->put_path_count++] = *(const struct path_sample_record *)record;
    } else if (kind == RECORD_FINDING) {
        assert_true(s->finding_count < 64);
        s->findings[s->finding_count++] =
            (struct scene_finding){.record = *(const struct finding_record *)record};
    } else if (kind == RECORD_FINDING_VALUE) {
        struct scene_finding *f = scene_last(s);
        assert_true(f->value_count < 16);
        f->values[f->value_count++] = *(const struct finding_value_record *)record;
    } else if (kind == RECORD_FINDING_EVIDENCE) {
        struct scene_finding *f = scene_last(s);
        assert_true(f->evidence_count < 8);
        f->evidence[f->evidence_count++] = *(const struct finding_evidence_record *)record;
    } else if (kind == RECORD_FINDING_FLOW) {
        struct scene_finding *f = scene_last(s);
        f->flows = realloc(f->flows, (f->flow_count + 1) * sizeof *f->flows);
        assert_non_null(f->flows);
        f->flows[f->flow_count++] = *(const struct finding_flow_record *)record;
    } else if (kind == RECORD_DOMAIN && s->domain_count < 8) {
        s->domains[s->domain_count++] = *(const struct domain_record *)record;
    } else if (kind == RECORD_STORY && s->story_count < 8) {
        s->stories[s->story_count++] = *(const struct story_record *)record;
    } else if (kind == RECORD_INCIDENT && s->incident_count < 8) {
        s->incidents[s->incident_count++] = *(const struct incident_record *)record;
    } else if (s->other != NULL) {
        s->other(kind, record);
    }
}

static inline void scene_add_flow(struct scene *s, struct site *site, struct scene_flow *f)
{
    struct flow_bundle bundle = {.flow = &f->flow,
                                 .tcp = f->has_tcp ? &f->tcp : NULL,
                                 .tls = f->has_tls ? &f->tls : NULL,
                                 .tls_certificates = f->certificates,
                                 .tls_certificate_count = f->certificate_count,
                                 .events = f->events,
                                 .event_count = f->event_count,
                                 .resets = f->resets,
                                 .reset_count = f->reset_count};
    f->flow.has_tcp = f->has_tcp;
    flow_diagnose(&s->profile, &bundle);
    s->verdicts[f->flow.id - 1] =
        (struct verdict_record){f->flow.id, f->flow.outcome, f->flow.stage, f->flow.verdict};
    assert_true(site_add(site, RECORD_FLOW, &bundle));
}

/* The strings of a site die with it: what the test looks at stays. */
static struct site *scene_site;

/* Adds the flows in an order that `step` (coprime to their number) makes, and judges. */
static inline void scene_judge_in_order(struct scene *s, size_t step)
{
    struct sink out = {s, scene_put};
    struct error error = {0};
    site_free(scene_site);
    struct site *site = scene_site = site_new(&s->profile);
    assert_non_null(site);
    site_limit(site, s->memory);
    for (size_t i = 0; i < s->finding_count; i++)
        free(s->findings[i].flows);
    s->finding_count = s->put_path_count = s->domain_count = s->story_count = s->incident_count = 0;
    free(s->verdicts);
    s->verdicts = calloc(s->flow_count + 1, sizeof *s->verdicts);
    assert_non_null(s->verdicts);
    s->source = (struct source_record){.id = 1,
                                       .capture_id = 1,
                                       .path = "a.pcap",
                                       .snaplen = s->source.snaplen,
                                       .cut = s->source.cut,
                                       .packets = 10000,
                                       .dropped_kernel = s->source.dropped_kernel,
                                       .first_ns = s->capture.first_ns,
                                       .last_ns = s->capture.last_ns};
    for (size_t i = 0; i < s->request_count; i++)
        assert_true(site_add(site, RECORD_HTTP, &s->requests[s->request_count - 1 - i]));
    for (size_t i = 0; i < s->turn_count; i++)
        assert_true(site_add(site, RECORD_TURN, &s->turns[s->turn_count - 1 - i]));
    for (size_t i = 0; i < s->flow_count; i++)
        scene_add_flow(s, site, &s->flows[i * step % s->flow_count]);
    for (size_t i = 0; i < s->icmp_count; i++)
        assert_true(site_add(site, RECORD_ICMP, &s->icmp[i]));
    for (size_t i = 0; i < s->dns_count; i++)
        assert_true(site_add(site, RECORD_DNS, &s->dns[i]));
    for (size_t i = 0; i < s->ntp_count; i++)
        assert_true(site_add(site, RECORD_NTP, &s->ntp[i]));
    for (size_t i = 0; i < s->arp_count; i++)
        assert_true(site_add(site, RECORD_ARP, &s->arp[i]));
    for (size_t i = 0; i < s->delay_count; i++)
        assert_true(site_add(site, RECORD_FLOW_DELAY, &s->delays[i]));
    for (size_t i = 0; i < s->sample_count; i++)
        assert_true(site_add(site, RECORD_RTT_SAMPLE, &s->samples[i]));
    for (size_t i = 0; i < s->swarm_count; i++)
        assert_true(site_add(site, RECORD_SWARM, &s->swarms[i]));
    for (size_t i = 0; i < s->path_count; i++)
        assert_true(site_add(site, RECORD_PATH, &s->paths[i]));
    for (size_t i = 0; i < s->certificate_count; i++)
        assert_true(site_add(site, RECORD_CERTIFICATE, &s->certificates[i]));
    assert_true(site_add(site, RECORD_SOURCE, &s->source));
    assert_true(site_add(site, RECORD_CAPTURE, &s->capture));
    assert_true(site_judge(site, 1, &out, &error));
}

static inline void scene_judge(struct scene *s)
{
    scene_judge_in_order(s, 1);
}

static inline struct scene_finding *scene_find(struct scene *s, enum finding_code code)
{
    for (size_t i = 0; i < s->finding_count; i++) {
        if (s->findings[i].record.code == code + 1)
            return &s->findings[i];
    }
    return NULL;
}

static inline const struct finding_value_record *finding_value(const struct scene_finding *f,
                                                               const char *name)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i].name, name) == 0)
            return &f->values[i];
    }
    fail_msg("no value %s", name);
    return NULL;
}

/* The flow failed with that verdict, its finding is primary and blames `culprit`. */
static inline const struct scene_finding *
expect_verdict(struct scene *s, size_t flow, enum finding_code code, enum culprit culprit)
{
    assert_int_equal(s->verdicts[flow].outcome, OUTCOME_FAILED);
    if (s->verdicts[flow].verdict != code + 1)
        fail_msg("verdict is %s", s->verdicts[flow].verdict == 0
                                      ? "none"
                                      : catalogue_get(s->verdicts[flow].verdict - 1)->code);
    const struct scene_finding *f = scene_find(s, code);
    assert_non_null(f);
    assert_true(f->record.is_primary);
    assert_string_equal(culprit_name(f->record.culprit), culprit_name(culprit));
    return f;
}

static inline void expect_outcome(struct scene *s, size_t flow, enum outcome outcome)
{
    assert_string_equal(outcome_name(s->verdicts[flow].outcome), outcome_name(outcome));
    assert_int_equal(s->verdicts[flow].verdict, 0);
}

/* Nothing at all is said but what the capture is. */
static inline void expect_quiet(struct scene *s)
{
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding_info *info = catalogue_get(s->findings[i].record.code - 1);
        if (info->category != CATEGORY_CAPTURE)
            fail_msg("unexpected %s", info->code);
    }
}

static inline int scene_setup(void **state)
{
    struct scene *s = malloc(sizeof *s);
    assert_non_null(s);
    scene_start(s);
    scene_background(s);
    *state = s;
    return 0;
}

static inline int scene_teardown(void **state)
{
    scene_end(*state);
    free(*state);
    site_free(scene_site);
    scene_site = NULL;
    return 0;
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

#endif
