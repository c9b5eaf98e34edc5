/* Somebody in the middle, and everything that only looks so. */
#include "tests/unit/test_site_help.h"

#include "diagnosis/site/mitm.h"

#define DAY (86400 * SECOND)
#define OLD_CA "CN=Issuing CA G2,O=Example Tax Service,C=CN"
#define NEW_CA "CN=Inspection CA,O=Branch Network,C=CN"

static struct certificate_record *add_certificate(struct scene *s, const char *issuer,
                                                  const char *key)
{
    struct certificate_record *c = &s->certificates[s->certificate_count++];
    *c = (struct certificate_record){.id = (int64_t)s->certificate_count,
                                     .subject = "CN=inv.example.cn",
                                     .subject_cn = "inv.example.cn",
                                     .san = "DNS:inv.example.cn",
                                     .issuer = issuer,
                                     .key_type = "EC",
                                     .key_bits = 256,
                                     .signature = "ecdsa-with-SHA256",
                                     .not_before_ns = START_NS - 60 * DAY,
                                     .not_after_ns = START_NS + 300 * DAY};
    snprintf(c->spki_sha256, sizeof c->spki_sha256, "%s", key);
    snprintf(c->sha256, sizeof c->sha256, "sha-of-%s", key);
    return c;
}

/* A session that shows certificate `id`, the server being so many hops and ms away. */
static struct scene_flow *show(struct scene *s, int64_t id, double at, uint8_t ttl, int64_t ms)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", (uint16_t)(40000 + s->flow_count), "10.0.0.2",
                                         443, at);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->flow.server_ttl = ttl;
    f->flow.connect_rtt_server_ns = ms * MS;
    flow_certificate(f, id);
    return f;
}

static void replaced_by_another_issuer(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "b");
    show(s, 1, 1, 56, 20);
    show(s, 2, 2, 56, 20);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ISSUER_CHANGED);
    assert_non_null(f); /* two machines behind a balancer look the same */
    assert_in_range(f->record.confidence, 1, 49);
    assert_int_equal(f->record.severity, SEVERITY_LOW);
    for (int i = 0; i < 3; i++) {
        show(s, 1, 1.1 + 0.1 * i, 56, 20);
        show(s, 2, 2.1 + 0.1 * i, 56, 20);
    }
    scene_judge(s);
    f = scene_find(s, FINDING_MITM_ISSUER_CHANGED);
    assert_in_range(f->record.confidence, 50, 79);
    assert_int_equal(f->record.severity, SEVERITY_HIGH);
    assert_string_equal(finding_value(f, "old_issuer")->text, OLD_CA);
    assert_string_equal(finding_value(f, "new_issuer")->text, NEW_CA);
}

/* The first of two machines is 14 hops away, the second as many as its TTL says. */
static const struct scene_finding *come_nearer(struct scene *s, const char *issuer, uint8_t ttl)
{
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, issuer, "b");
    show(s, 1, 1, 50, 40);
    show(s, 2, 2, ttl, 1);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ISSUER_CHANGED);
    assert_non_null(f);
    return f;
}

static void a_nearer_server_may_have_moved(void **state)
{
    const struct scene_finding *f = come_nearer(*state, NEW_CA, 63);
    assert_in_range(f->record.confidence, 50, 79);
    assert_int_equal(f->record.severity, SEVERITY_HIGH);
    assert_int_equal(f->record.culprit, CULPRIT_MIDDLEBOX);
    assert_non_null(strstr(f->record.rivals, "address-moved"));
}

static void a_machine_does_not_move_before_the_router(void **state)
{
    const struct scene_finding *f = come_nearer(*state, NEW_CA, 64);
    assert_in_range(f->record.confidence, 80, 97);
    assert_int_equal(f->record.culprit, CULPRIT_ATTACKER);
    assert_non_null(strstr(finding_value(f, "terms")->text, "no router in between any more"));
}

static void an_inspection_product_did_not_move(void **state)
{
    const struct scene_finding *f = come_nearer(*state, "CN=FortiGate CA,O=Fortinet", 63);
    assert_in_range(f->record.confidence, 80, 97);
    assert_int_equal(f->record.culprit, CULPRIT_ATTACKER);
}

/* ---- what is no interception ---- */

static void expect_no_mitm(struct scene *s)
{
    static const enum finding_code codes[] = {
        FINDING_MITM_ISSUER_CHANGED, FINDING_MITM_PIN_MISMATCH, FINDING_MITM_INTERCEPTION_PRODUCT,
        FINDING_MITM_ARP_SPOOF,      FINDING_MITM_DOWNGRADE,    FINDING_MITM_HTTPS_STRIPPED};
    scene_judge(s);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (scene_find(s, codes[i]) != NULL)
            fail_msg("unexpected %s", catalogue_get(codes[i])->code);
    }
}

static void a_rotation_is_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, "CN=Issuing CA G3,O=Example Tax Service,C=CN", "b");
    show(s, 1, 1, 56, 20);
    show(s, 2, 2, 56, 20);
    expect_no_mitm(s);
    assert_non_null(scene_find(s, FINDING_CERT_CHANGED));
}

static void a_renewal_in_the_last_third_is_none(void **state)
{
    struct scene *s = *state;
    struct certificate_record *old = add_certificate(s, OLD_CA, "a");
    old->not_before_ns = START_NS - 330 * DAY;
    old->not_after_ns = START_NS + 30 * DAY;
    add_certificate(s, NEW_CA, "b");
    show(s, 1, 1, 50, 40);
    show(s, 2, 2, 64, 1);
    expect_no_mitm(s);
}

static void two_issuers_by_turns_are_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "b");
    for (int i = 0; i < 6; i++)
        show(s, 1 + i % 2, 1 + i, 56, 20);
    expect_no_mitm(s);
}

static void rsa_beside_ecdsa_is_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "b")->key_type = "RSA";
    show(s, 1, 1, 56, 20);
    show(s, 2, 2, 56, 20);
    expect_no_mitm(s);
}

static void the_same_key_is_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "a");
    show(s, 1, 1, 56, 20);
    show(s, 2, 2, 56, 20);
    expect_no_mitm(s);
}

static void a_box_that_signs_itself_is_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, "CN=box", "a")->self_signed = true;
    add_certificate(s, "CN=box,O=Other", "b")->self_signed = true;
    show(s, 1, 1, 56, 20);
    show(s, 2, 2, 56, 20);
    expect_no_mitm(s);
}

static void other_names_are_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "b");
    show(s, 1, 1, 56, 20);
    struct scene_flow *f = show(s, 2, 2, 56, 20);
    f->tls.sni = "erp.example.net";
    s->certificates[1].san = "DNS:erp.example.net";
    expect_no_mitm(s);
}

static void resumed_sessions_are_none(void **state)
{
    struct scene *s = *state;
    add_certificate(s, OLD_CA, "a");
    show(s, 1, 1, 56, 20);
    struct scene_flow *f = show(s, 1, 2, 64, 1);
    f->certificate_count = 0;
    f->tls.resumed = true;
    expect_no_mitm(s);
}

static void an_allowed_proxy_is_none(void **state)
{
    static const char *const proxies[] = {"Branch Network"};
    struct scene *s = *state;
    s->profile.proxies = proxies;
    s->profile.proxy_count = 1;
    add_certificate(s, OLD_CA, "a");
    add_certificate(s, NEW_CA, "b");
    show(s, 1, 1, 50, 40);
    show(s, 2, 2, 64, 1);
    expect_no_mitm(s);
}

/* ---- products and pins ---- */

static void products_are_named(void **state)
{
    static const struct {
        const char *issuer, *product;
    } rows[] = {{"CN=mitmproxy,O=mitmproxy", "mitmproxy"},
                {"CN=PortSwigger CA,O=PortSwigger", "Burp Suite"},
                {"CN=FGT60E,O=Fortinet Ltd.", "FortiGate"},
                {"CN=Zscaler Intermediate Root CA (zscaler.net),O=Zscaler Inc.", "Zscaler"},
                {"CN=avast! Web/Mail Shield Root,O=AVAST", "Avast"},
                {"CN=R11,O=Let's Encrypt,C=US", NULL},
                {"CN=DigiCert TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", NULL},
                {"CN=CFCA OV OCA,O=China Financial Certification Authority,C=CN", NULL},
                {"O=Not mitmproxy at all", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *keyword = NULL;
        const char *product = mitm_product(rows[i].issuer, &keyword);
        assert_int_equal(product == NULL, rows[i].product == NULL);
        if (product != NULL)
            assert_string_equal(product, rows[i].product);
    }
}

static void a_product_vouches_for_others(void **state)
{
    struct scene *s = *state;
    add_certificate(s, "CN=FortiGate CA,O=Fortinet", "a");
    show(s, 1, 1, 56, 20);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_INTERCEPTION_PRODUCT);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "product")->text, "FortiGate");
}

static void a_product_may_vouch_for_itself(void **state)
{
    struct scene *s = *state;
    struct certificate_record *c = add_certificate(s, "CN=FortiGate CA,O=Fortinet", "a");
    c->subject = "CN=fw.example.cn,O=Fortinet";
    show(s, 1, 1, 56, 20);
    expect_no_mitm(s);
}

static void pin_key_a(struct scene *s, struct profile_service *service)
{
    static const char *const pins[] = {"a"};
    static struct port_range ports = {443, 443};
    *service = s->profile.services[0];
    service->ports = &ports;
    service->port_count = 1;
    service->pins = pins;
    service->pin_count = 1;
    service->udp = service->both = false;
    s->profile.services = service;
    s->profile.service_count = 1;
}

static void a_pinned_service_did_not_move(void **state)
{
    struct profile_service service;
    pin_key_a(*state, &service);
    assert_in_range(come_nearer(*state, NEW_CA, 63)->record.confidence, 80, 97);
}

static void pins_are_kept(void **state)
{
    struct scene *s = *state;
    struct profile_service service;
    pin_key_a(s, &service);
    add_certificate(s, OLD_CA, "a");
    show(s, 1, 1, 56, 20);
    expect_no_mitm(s);
    add_certificate(s, OLD_CA, "b");
    show(s, 2, 2, 56, 20);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_PIN_MISMATCH);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "spki_sha256")->text, "b");
    assert_int_equal(f->record.count, 1);
}

/* ---- pushed down ---- */

static void a_sentinel_tells(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 40000, "10.0.0.2", 443, 1);
    flow_tls(f, 0.02);
    flow_tls_done(f, 0.05);
    f->tls.downgrade_sentinel = true;
    expect_no_mitm(s); /* the client asked for no more */
    s->flows[s->flow_count - 1].tls.version_offered = 0x0304;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_MITM_DOWNGRADE));
}

static void a_needless_fallback_is_refused(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 40000, "10.0.0.2", 443, 1);
    flow_tls(f, 0.02);
    flow_alert(f, 86, SIDE_SERVER, 0.05);
    expect_no_mitm(s); /* no signal of a fallback in the hello */
    s->flows[s->flow_count - 1].tls.client_ciphers = "c02f,5600";
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_MITM_DOWNGRADE));
}

static void refused_versions_are_none(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 3; i++) {
        struct scene_flow *f =
            scene_healthy(s, "10.0.0.1", (uint16_t)(40000 + i), "10.0.0.2", 443, 1 + i);
        flow_tls(f, 0.02);
        f->tls.version_offered = i < 2 ? 0x0304 : 0x0303;
        if (i < 2)
            flow_alert(f, 70, SIDE_SERVER, 0.05);
        else
            flow_tls_done(f, 0.05);
    }
    expect_no_mitm(s);
}

/* ---- ARP ---- */

static struct arp_record *add_owner(struct scene *s, const char *ip, const char *mac, double from,
                                    double to, int64_t claims, int64_t frames)
{
    struct arp_record *r = &s->arp[s->arp_count++];
    *r = (struct arp_record){.capture_id = 1,
                             .source_id = 1,
                             .first_frame = (int64_t)s->arp_count * 10,
                             .last_frame = (int64_t)s->arp_count * 10 + 1,
                             .first_ns = START_NS + (int64_t)(from * (double)SECOND),
                             .last_ns = START_NS + (int64_t)(to * (double)SECOND),
                             .vlan = -1,
                             .claims = claims,
                             .frames = frames,
                             .last_frame_ns = START_NS + (int64_t)(to * (double)SECOND),
                             .announced_ns = -1,
                             .mac_last_ns = -1};
    assert_true(address_from_text(ip, &r->ip));
    snprintf(r->mac, sizeof r->mac, "%s", mac);
    return r;
}

static void relayed_flow(struct scene *s, bool twice)
{
    struct scene_flow *f = scene_healthy(s, "10.0.0.1", 41000, "10.0.0.2", 443, 6);
    f->flow.last_ns = f->flow.first_ns + 10 * SECOND;
    if (twice) { /* passed on one hop older, or from another MAC */
        f->flow.facts |= FLOW_FACT_DUPLICATES;
        s->capture.routed_packets = 40;
    }
}

static struct arp_record *tells(struct arp_record *r, const char *told, int64_t unasked)
{
    assert_true(address_from_text(told, &r->told_ip));
    r->unasked = unasked;
    return r;
}

static void asks(struct scene *s, const char *requester)
{
    struct arp_record *r = &s->arp[s->arp_count++];
    *r = (struct arp_record){.capture_id = 1, .is_request = true, .vlan = -1, .requests = 1};
    assert_true(address_from_text(requester, &r->requester_ip));
}

static void false_arp_with_a_relay(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.1", "52:54:00:00:00:01", 0, 30, 1, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 1, 50);
    add_owner(s, "10.0.0.1", "52:54:00:00:00:66", 5, 25, 20, 40);
    tells(add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 20, 40), "10.0.0.1", 1);
    asks(s, "10.0.0.1");
    relayed_flow(s, true);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ARP_SPOOF);
    assert_non_null(f);
    assert_string_equal(finding_value(f, "new_mac")->text, "52:54:00:00:00:66");
    assert_true(f->record.confidence >= 80);
    s->capture.acked_segments = 100; /* where much is missing, questions may be, too */
    s->capture.gaps = 20;
    scene_judge(s);
    f = scene_find(s, FINDING_MITM_ARP_SPOOF);
    assert_int_equal(f->record.confidence, 45);
    assert_int_equal(f->record.severity, SEVERITY_LOW);
}

/* A router that answers ARP for hosts which a switch keeps apart is asked each time. */
static void proxy_arp_is_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.1", "52:54:00:00:00:01", 0, 30, 1, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 1, 50);
    add_owner(s, "10.0.0.1", "52:54:00:00:00:66", 5, 25, 20, 40)->asked_own = 3;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 20, 40)->asked_own = 3;
    relayed_flow(s, true);
    expect_no_mitm(s);
}

/* The first answer of a capture may be to a question that came before it began. */
static void asked_before_the_capture(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.1", "52:54:00:00:00:01", 0, 30, 1, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 1, 50);
    add_owner(s, "10.0.0.1", "52:54:00:00:00:66", 1, 25, 20, 40)->asked_own = 3;
    tells(add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 1, 25, 20, 40), "10.0.0.1", 1);
    asks(s, "10.0.0.1");
    relayed_flow(s, true);
    expect_no_mitm(s);
}

/* Nothing but what it says is captured: each of two hosts is told of the other, nobody asks. */
static void lies_told_crosswise(void **state)
{
    struct scene *s = *state;
    tells(add_owner(s, "10.0.0.1", "52:54:00:00:00:66", 5, 25, 20, 0), "10.0.0.2", 20);
    tells(add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 20, 0), "10.0.0.1", 20);
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ARP_SPOOF);
    assert_non_null(f);
    assert_int_equal(f->record.confidence, 45); /* the questions may be missing from the capture */
    assert_int_equal(f->record.severity, SEVERITY_LOW);
}

/* At the victim only one of the two is told; that another machine had the address proves it. */
static void lies_told_to_the_victim(void **state)
{
    struct scene *s = *state;
    struct arp_record *owner = add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 1, 1, 0);
    owner->mac_last_ns = START_NS + 20 * SECOND;
    tells(add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 20, 0), "10.0.0.1", 20);
    asks(s, "10.0.0.1");
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_MITM_ARP_SPOOF);
    assert_non_null(f);
    assert_int_equal(f->record.confidence, 85);
    assert_string_equal(finding_value(f, "old_mac")->text, "52:54:00:00:00:02");
    assert_null(scene_find(s, FINDING_NET_IP_CONFLICT));
}

/* An owner whose neighbour table is refreshed says so once or twice. */
static void a_word_too_many_is_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 1, 1, 0);
    tells(add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 20, 0), "10.0.0.1", 2);
    expect_no_mitm(s);
}

static void there_and_back_is_none(void **state)
{
    struct scene *s = *state;
    struct arp_record *master = add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 5, 50);
    struct arp_record *standby = add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 15, 5, 40);
    standby->announced_ns = START_NS + 5 * SECOND;
    master->announced_ns = START_NS + 16 * SECOND;
    expect_no_mitm(s);
    assert_null(scene_find(s, FINDING_NET_IP_CONFLICT));
}

static void copies_of_a_mirror_are_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 5, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 5, 40);
    relayed_flow(s, true);
    s->capture.routed_packets = 0;
    s->capture.duplicate_packets = 40;
    expect_no_mitm(s);
}

static void an_address_conflict_is_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 5, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 5, 40);
    relayed_flow(s, false);
    expect_no_mitm(s);
}

static void a_failover_is_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 4, 5, 50);
    add_owner(s, "10.0.0.2", "52:54:00:00:00:66", 5, 25, 5, 40);
    relayed_flow(s, true);
    expect_no_mitm(s);
}

static void vrrp_is_none(void **state)
{
    struct scene *s = *state;
    add_owner(s, "10.0.0.2", "52:54:00:00:00:02", 0, 30, 5, 50);
    add_owner(s, "10.0.0.2", "00:00:5e:00:01:0a", 5, 25, 5, 40);
    relayed_flow(s, true);
    expect_no_mitm(s);
}

static void names_are_taken_apart(void **state)
{
    char out[MITM_NAME_SIZE];
    (void)state;
    mitm_organisation("CN=a,O=Zhong\\, Guo,C=CN", out);
    assert_string_equal(out, "Zhong, Guo");
    mitm_organisation("CN=only", out);
    assert_string_equal(out, "only");
    mitm_organisation("", out);
    assert_string_equal(out, "");
    mitm_name_part("OU=O=x,CN=y", "O", out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(replaced_by_another_issuer),
        SCENE_TEST(a_nearer_server_may_have_moved),
        SCENE_TEST(a_machine_does_not_move_before_the_router),
        SCENE_TEST(an_inspection_product_did_not_move),
        SCENE_TEST(a_rotation_is_none),
        SCENE_TEST(a_renewal_in_the_last_third_is_none),
        SCENE_TEST(two_issuers_by_turns_are_none),
        SCENE_TEST(rsa_beside_ecdsa_is_none),
        SCENE_TEST(the_same_key_is_none),
        SCENE_TEST(a_box_that_signs_itself_is_none),
        SCENE_TEST(other_names_are_none),
        SCENE_TEST(resumed_sessions_are_none),
        SCENE_TEST(an_allowed_proxy_is_none),
        SCENE_TEST(products_are_named),
        SCENE_TEST(a_product_vouches_for_others),
        SCENE_TEST(a_product_may_vouch_for_itself),
        SCENE_TEST(a_pinned_service_did_not_move),
        SCENE_TEST(pins_are_kept),
        SCENE_TEST(a_sentinel_tells),
        SCENE_TEST(a_needless_fallback_is_refused),
        SCENE_TEST(refused_versions_are_none),
        SCENE_TEST(false_arp_with_a_relay),
        SCENE_TEST(proxy_arp_is_none),
        SCENE_TEST(asked_before_the_capture),
        SCENE_TEST(lies_told_crosswise),
        SCENE_TEST(lies_told_to_the_victim),
        SCENE_TEST(a_word_too_many_is_none),
        SCENE_TEST(there_and_back_is_none),
        SCENE_TEST(copies_of_a_mirror_are_none),
        SCENE_TEST(an_address_conflict_is_none),
        SCENE_TEST(a_failover_is_none),
        SCENE_TEST(vrrp_is_none),
        SCENE_TEST(names_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
