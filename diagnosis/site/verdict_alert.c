/* Verdicts of handshakes that a readable alert ended: what it says, and whose fault that is. */
#include "diagnosis/flow/alerts.h"
#include "diagnosis/site/offers.h"
#include "diagnosis/site/verdict.h"

#include <string.h>

#define VERSION_TLS_11 0x0302
#define VERSION_TLS_12 0x0303
#define VERSION_TLS_13 0x0304
#define VERSION_TLCP 0x0101
#define INFERRED_MOST 75
#define KNOWN_VERSIONS 85
#define VERSION_MAY_BE 75
/* The alert does not speak of certificates, but comes right behind the missing one. */
#define MISSING_UNSAID 80

static const char *reason(enum text_id id)
{
    return text_get(id, LANG_EN);
}

static const char *alert_text(struct judge *judge, const struct tls_facts *t)
{
    const char *name = alert_name(t->alert);
    if (t->alert_inferred)
        return NULL;
    if (name == NULL)
        return arena_format(&judge->site->arena, "%d", t->alert);
    return arena_format(&judge->site->arena, "%d %s", t->alert, name);
}

/* The step that the alert came at; NULL where messages before it may be missing. */
static const char *alert_step(const struct flow_facts *f)
{
    bool whole = facts_is_heard_whole(f, SIDE_CLIENT) && facts_is_heard_whole(f, SIDE_SERVER);
    return whole || f->tls->alert_step > TLS_STEP_HELLO_RETRY ? verdict_step_word(f->tls->alert_step)
                                                             : "unknown";
}

const char *verdict_step_word(unsigned step)
{
    if (step <= TLS_STEP_HELLO_RETRY)
        return "before ServerHello";
    if (step == TLS_STEP_SERVER_HELLO)
        return "after ServerHello";
    if (step <= TLS_STEP_CLIENT_CERTIFICATE)
        return "after Certificate";
    if (step == TLS_STEP_CLIENT_KEY_EXCHANGE)
        return "after the client's key exchange";
    return "after Finished";
}

/* FINDINGS.md: the side that is older. */
void verdict_blame_version(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    uint16_t known = flow->service->version_min;
    out->culprit = CULPRIT_UNKNOWN;
    if (t->alert_by == SIDE_CLIENT && t->version != 0 && t->version < t->version_offered)
        out->culprit = CULPRIT_SERVER; /* it chose what the client no longer takes */
    else if (t->version_offered == VERSION_TLCP || known == VERSION_TLCP)
        out->culprit = CULPRIT_UNKNOWN;
    else if (t->version_offered != 0 && t->version_offered <= VERSION_TLS_11)
        out->culprit = CULPRIT_CLIENT;
    else if (t->version_offered != 0 && known != 0)
        out->culprit = known < t->version_offered   ? CULPRIT_SERVER
                       : known > t->version_offered ? CULPRIT_CLIENT
                                                    : CULPRIT_UNKNOWN;
    else if (t->version_offered == VERSION_TLS_13)
        out->culprit = CULPRIT_SERVER;
    if (out->culprit == CULPRIT_UNKNOWN)
        out->reason = reason(TEXT_REASON_BOTH_SIDES);
    offers_add_versions(judge, flow, out);
    claim_add_text(out, "client_versions",
                   t->versions_offered != NULL ? t->versions_offered : "unknown");
    claim_add_text(out, "server_versions",
                   flow->service->versions != NULL ? flow->service->versions : "unknown");
}

/* As many handshakes are looked at: offers repeat, a fit comes early or never. */
#define OFFERS_SEEN 4096

static bool takes_offers(const struct site_flow *other, const struct site_flow *flow)
{
    const struct tls_facts *t = other->f.tls;
    return other->service != flow->service && t != NULL && t->established &&
           t->client_ciphers != NULL && strcmp(t->client_ciphers, flow->f.tls->client_ciphers) == 0;
}

/* Another service took exactly these offers, of this client or another: this one is the odd one. */
static bool offers_work_elsewhere(const struct judge *judge, const struct site_flow *flow)
{
    const struct site *site = judge->site;
    size_t limit = site->flow_count < OFFERS_SEEN ? site->flow_count : OFFERS_SEEN;
    if (flow->f.tls->client_ciphers == NULL)
        return false;
    for (size_t i = 0; i < limit; i++) {
        if (takes_offers(site->flows[i], flow))
            return true;
    }
    return false;
}

/* The leaf's issuer came along on another connection of the service, but not on this one. */
static bool chain_is_incomplete(const struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    if (t->chain_count != 1)
        return false;
    const struct certificate_record *leaf = site_find_certificate(judge->site, t->chain[0]);
    if (leaf == NULL || leaf->self_signed || leaf->issuer == NULL)
        return false;
    for (size_t i = 0; i < judge->site->certificate_count; i++) {
        const struct certificate_record *ca = judge->site->certificates[i];
        if (ca->is_ca && !ca->self_signed && ca->subject != NULL &&
            strcmp(ca->subject, leaf->issuer) == 0)
            return true;
    }
    return false;
}

/* Part of what the server showed was not captured: what was wrong with it cannot be told. */
static bool chain_was_missed(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return f->capture_lost_bytes > 0 || facts_has(f, FLOW_FACT_SNAPLEN) ||
           (judge->quality.misses_packets && f->tls->chain_count == 0 &&
            f->tls->version != VERSION_TLS_13);
}

/* A leaf alone that another signed: its issuer may be the client's root, or an intermediate that
 * the server forgot. */
#define CHAIN_UNSURE 75

static bool may_lack_issuer(const struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    const struct certificate_record *leaf =
        t->chain_count == 1 ? site_find_certificate(judge->site, t->chain[0]) : NULL;
    return leaf != NULL && leaf->parse_error == NULL && !leaf->self_signed;
}

#define ALERT_CERTIFICATE_EXPIRED 45
#define DAY_NS (86400LL * FACTS_SECOND)
/* As many handshakes of the service are looked at. */
#define TAKERS_SEEN 1024

/* Every certificate shown is valid at that time, with so much to spare. */
static bool dates_are_right(const struct judge *judge, const struct tls_facts *t, int64_t now_ns,
                            int64_t spare_ns)
{
    for (uint32_t i = 0; i < t->chain_count; i++) {
        const struct certificate_record *c = site_find_certificate(judge->site, t->chain[i]);
        if (c == NULL || c->parse_error != NULL || now_ns < c->not_before_ns + spare_ns ||
            now_ns > c->not_after_ns - spare_ns)
            return false;
    }
    return t->chain_count > 0;
}

/* Handshakes of other clients that the same certificate served. */
static uint32_t count_takers(const struct site_flow *flow)
{
    struct flow_range range = flow->service->flows;
    uint32_t takers = 0;
    for (size_t i = 0; i < range.count && i < TAKERS_SEEN; i++) {
        const struct tls_facts *t = range.flows[i]->f.tls;
        takers += t != NULL && t->established && t->chain_count > 0 &&
                  t->chain[0] == flow->f.tls->chain[0] && range.flows[i]->client != flow->client;
    }
    return takers;
}

/* Neither what was shown nor who else takes it is known. */
static void doubt_refusal(struct claim *out)
{
    out->culprit = CULPRIT_UNKNOWN;
    out->confidence = CHAIN_UNSURE;
}

/* Certificates that are valid were refused: by the client's own clock, where that is known to be off, they are not;
 * else "expired" may also come of a list of revoked ones that it keeps and did not renew. */
static void blame_clock(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    int64_t now_ns = clock_correct(&judge->clock, t->alert_ns);
    int64_t off_ns = judge_skew_ns(judge, &flow->client->address);
    uint32_t takers = t->chain_count > 0 ? count_takers(flow) : 0;
    bool is_known = off_ns != 0 && dates_are_right(judge, t, now_ns, 0) &&
                    !dates_are_right(judge, t, now_ns + off_ns, 0);
    bool is_right = dates_are_right(judge, t, now_ns, DAY_NS);
    if (!is_known && is_right && takers > 0 && judge->quality.misses_packets)
        doubt_refusal(out); /* what would show the client's clock may be missing */
    if (!is_known && (t->alert != ALERT_CERTIFICATE_EXPIRED || !is_right))
        return;
    out->culprit = is_known || takers > 0 ? CULPRIT_CLIENT : CULPRIT_UNKNOWN;
    out->confidence = is_known ? 92 : takers > 0 ? 85 : 75;
    claim_add_number(out, "takers", takers);
    claim_add_text(out, "dates", is_known ? NULL : "right");
    if (is_known)
        claim_add_number(out, "clock_ms", (double)off_ns / (double)FACTS_MS);
}

static void blame_alert(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    switch (out->code) {
    case FINDING_TLS_VERSION_MISMATCH:
        verdict_blame_version(judge, flow, out);
        return;
    case FINDING_TLS_NO_SHARED_CIPHER:
        out->culprit = offers_work_elsewhere(judge, flow) ? CULPRIT_SERVER : CULPRIT_UNKNOWN;
        offers_add_parameters(judge, flow, out);
        break;
    case FINDING_TLS_UNKNOWN_CA:
        out->culprit = chain_is_incomplete(judge, flow) ? CULPRIT_SERVER
                       : chain_was_missed(judge, flow) || judge->quality.deep_loss ? CULPRIT_UNKNOWN
                                                        : CULPRIT_CLIENT;
        if (out->culprit == CULPRIT_CLIENT && may_lack_issuer(judge, flow)) {
            out->confidence = CHAIN_UNSURE;
            if (judge->quality.misses_packets)
                out->culprit = CULPRIT_UNKNOWN; /* the issuer may have come along on another connection */
        }
        break;
    case FINDING_TLS_CERTIFICATE_REFUSED:
        if (chain_was_missed(judge, flow) || judge->quality.deep_loss)
            doubt_refusal(out);
        else
            blame_clock(judge, flow, out);
        break;
    case FINDING_TLS_ALERT:
        out->culprit = (uint8_t)alert_culprit(t->alert, (enum side)t->alert_by);
        break;
    case FINDING_TLS_UNRECOGNIZED_NAME:
        claim_add_text(out, "sni", t->sni != NULL ? t->sni : "none");
        return;
    case FINDING_TLS_CLIENT_CERTIFICATE_MISSING:
    case FINDING_TLS_CLIENT_CERTIFICATE_REFUSED:
        claim_add_text(out, "version",
                       t->version == VERSION_TLS_13   ? "TLS 1.3"
                       : t->version == VERSION_TLS_12 ? "TLS 1.2"
                       : t->version == VERSION_TLCP   ? "TLCP 1.1"
                                                      : "unknown");
        if (out->code == FINDING_TLS_CLIENT_CERTIFICATE_MISSING &&
            t->alert != ALERT_HANDSHAKE_FAILURE && t->alert != ALERT_BAD_CERTIFICATE &&
            t->alert != ALERT_CERTIFICATE_REQUIRED && out->confidence > MISSING_UNSAID)
            out->confidence = MISSING_UNSAID;
        return;
    default:
        break;
    }
    if (out->culprit == CULPRIT_UNKNOWN)
        out->reason = reason(TEXT_REASON_BOTH_SIDES);
    claim_add_text(out, "alert", alert_text(judge, t));
    if (out->code == FINDING_TLS_ALERT) {
        claim_add_text(out, "sender", verdict_side_word((enum side)t->alert_by));
        claim_add_text(out, "step", alert_step(&flow->f));
    }
}

void verdict_start_alert(struct judge *judge, const struct site_flow *flow, enum finding_code code,
                        struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    *out = claim_start(code, flow);
    out->confidence = t->alert_inferred ? INFERRED_MOST : 95;
    out->evidence = VERDICT_HELLO_EVIDENCE | EVIDENCE(EVENT_ALERT);
    claim_add_reference(out, flow->f.source_id, t->alert_frame, t->alert_ns, EVENT_ALERT);
    blame_alert(judge, flow, out);
}

/* The client objects, and nothing was seen that it could object to: what it answers, a word of the server or its
 * goodbye, is not in the capture. Its own troubles it may tell at any time. */
static bool answers_nothing(const struct flow_facts *f)
{
    int alert = f->tls->alert;
    return facts_is_tcp(f) && f->tls->alert_by == SIDE_CLIENT && f->payload[SIDE_SERVER] == 0 &&
           alert != ALERT_INTERNAL_ERROR && alert != ALERT_USER_CANCELED;
}

enum ruling verdict_alert(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    enum finding_code code;
    if (!alert_find_verdict(&flow->f, &code) || flow->f.tls->alert_inferred)
        return RULING_PASS;
    if (answers_nothing(&flow->f))
        return RULING_UNKNOWN;
    /* GnuTLS says handshake_failure where no version fits. */
    bool is_cipher = code == FINDING_TLS_NO_SHARED_CIPHER;
    bool is_version = is_cipher && offers_are_too_new(flow);
    verdict_start_alert(judge, flow, is_version ? FINDING_TLS_VERSION_MISMATCH : code, out);
    if (is_version)
        out->confidence = KNOWN_VERSIONS;
    else if (is_cipher && offers_share_no_version(flow) && out->confidence > VERSION_MAY_BE)
        out->confidence = VERSION_MAY_BE;
    return RULING_FAILED;
}
