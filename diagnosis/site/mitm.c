/* Somebody between client and server: what the certificates and the handshakes tell.
 *
 * What one handshake gives away: keys that the profile does not pin, authorities of known products,
 * hellos that somebody made worse. mitm_issuer.c compares servers with what they were before. */
#include "diagnosis/site/mitm.h"

#include "diagnosis/site/chains.h"
#include "diagnosis/site/environments.h"
#include "trust/name_match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SCSV_FALLBACK "5600"
#define ALERT_INAPPROPRIATE_FALLBACK 86
#define VERSION_SSL3 0x0300
#define VERSION_TLS_13 0x0304
/* A fallback dance is over within this. */
#define DANCE_NS (60 * FACTS_SECOND)
#define DANCE_KILLED 2

/* ---- pins and products ----------------------------------------------------------------------- */

bool mitm_is_allowed_chain(const struct judge *judge, const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->f.tls->chain_count; i++) {
        const struct certificate_record *c =
            site_find_certificate(judge->site, flow->f.tls->chain[i]);
        if (c != NULL && mitm_is_allowed(judge->profile, c->issuer, c->sha256))
            return true;
    }
    return false;
}

static void judge_pin(struct judge *judge, const struct site_chain *chain)
{
    if (chain->record.pin != CHAIN_PIN_DIFFERS || chain->leaf == NULL ||
        chain->leaf->parse_error != NULL || environment_pin_owner(judge, chain) != NULL)
        return;
    struct claim claim = claim_start(FINDING_MITM_PIN_MISMATCH, chain->first);
    claim.confidence = 85;
    claim.count = chain->record.connections;
    claim.last_ns = chain->record.last_ns;
    claim_add_text(&claim, "subject", chain->leaf->subject);
    claim_add_text(&claim, "spki_sha256", chain->leaf->spki_sha256);
    claim_add_reference(&claim, chain->first->f.source_id,
                        chain->first->f.tls->server_hello_frame, chain->record.first_ns,
                        EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

static bool contains(const char *text, const char *word)
{
    return text != NULL && strcasestr(text, word) != NULL;
}

/* A product's own pages carry its certificate rightly: it intercepts where it vouches for a name that
 * is not its vendor's. */
const char *mitm_product_of(const struct judge *judge, const struct site_chain *chain,
                            const char **issuer)
{
    const struct tls_facts *t = chain->first->f.tls;
    const char *asked = chain->record.name, *keyword = NULL;
    if (asked == NULL || strchr(asked, '.') == NULL || chain->leaf == NULL ||
        chain->leaf->parse_error != NULL || !name_matches_certificate(asked, chain->leaf))
        return NULL;
    for (uint32_t i = 0; i < t->chain_count; i++) {
        const struct certificate_record *c = site_find_certificate(judge->site, t->chain[i]);
        const char *product = c != NULL ? mitm_product(c->issuer, &keyword) : NULL;
        if (product != NULL) {
            *issuer = c->issuer;
            return contains(asked, keyword) || contains(chain->leaf->subject, keyword) ? NULL
                                                                                      : product;
        }
    }
    return NULL;
}

static void judge_product(struct judge *judge, const struct site_chain *chain)
{
    const char *issuer = NULL;
    const char *product = mitm_product_of(judge, chain, &issuer);
    if (product == NULL)
        return;
    struct claim claim = claim_start(FINDING_MITM_INTERCEPTION_PRODUCT, chain->first);
    claim.confidence = 92;
    claim.count = chain->record.connections;
    claim.last_ns = chain->record.last_ns;
    claim_add_text(&claim, "product", product);
    claim_add_text(&claim, "issuer", issuer);
    claim_add_reference(&claim, chain->first->f.source_id,
                        chain->first->f.tls->server_hello_frame, chain->record.first_ns,
                        EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

/* ---- pushed down to a lower version ---------------------------------------------------------- */

static const char *version_word(uint16_t version)
{
    static const char *const words[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};
    return version >= VERSION_SSL3 && version <= VERSION_TLS_13 ? words[version - VERSION_SSL3]
                                                               : "unknown";
}

static const char sign_of_server[] = "the server's own sentinel";

/* Only the server's own mark tells that somebody changed the hello: what kills hellos is as a rule a
 * device that does not bear them, and a client has reasons of its own to fall back. */
static void claim_downgrade(struct judge *judge, const struct site_flow *flow, uint16_t version,
                            const char *sign, uint8_t confidence)
{
    const struct tls_facts *t = flow->f.tls;
    if (judge_is_withdrawn(judge, FINDING_MITM_DOWNGRADE, flow))
        return;
    struct claim claim = claim_start(FINDING_MITM_DOWNGRADE, flow);
    claim.confidence = confidence;
    claim.severity = (uint8_t)(confidence >= 80 ? SEVERITY_HIGH : SEVERITY_MEDIUM);
    claim.culprit = (uint8_t)(sign == sign_of_server ? CULPRIT_ATTACKER : CULPRIT_MIDDLEBOX);
    claim.evidence = EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_ALERT);
    claim_add_text(&claim, "version", version_word(version));
    claim_add_text(&claim, "sign", sign);
    claim_add_reference(&claim, flow->f.source_id, t->client_hello_frame, t->client_hello_ns,
                        EVENT_CLIENT_HELLO);
    claim_add_reference(&claim, flow->f.source_id, t->server_hello_frame, t->server_hello_ns,
                        EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

static bool offers_fallback(const struct tls_facts *t)
{
    return t->client_ciphers != NULL && strstr(t->client_ciphers, SCSV_FALLBACK) != NULL;
}

static bool is_tls(uint16_t version)
{
    return version >= VERSION_SSL3 && version <= VERSION_TLS_13;
}

/* A hello that was answered by a reset or by nothing, and by no alert. */
static bool was_killed(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return is_tls(t->version_offered) && t->server_hello_ns < 0 && t->alert < 0 &&
           !t->plaintext_server && flow->outcome == OUTCOME_FAILED &&
           facts_hello_unanswered(&flow->f);
}

/* One client and server, by time: higher hellos killed, then a lower one passed. */
static void judge_dance(struct judge *judge, struct flow_range flows)
{
    size_t killed = 0;
    const struct site_flow *last = NULL;
    for (size_t i = 0; i < flows.count; i++) {
        const struct site_flow *flow = flows.flows[i];
        const struct tls_facts *t = flow->f.tls;
        if (t == NULL || !facts_is_tcp(&flow->f))
            continue;
        if (last != NULL && (flow->f.port[SIDE_SERVER] != last->f.port[SIDE_SERVER] ||
                             flow->f.first_ns - last->f.first_ns > DANCE_NS))
            killed = 0, last = NULL;
        if (was_killed(flow)) {
            if (last == NULL || t->version_offered >= last->f.tls->version_offered)
                killed++;
            last = flow;
        } else if (last != NULL && t->established && is_tls(t->version_offered) &&
                   t->version_offered < last->f.tls->version_offered && killed >= DANCE_KILLED) {
            bool known = flow->service->version_max >= last->f.tls->version_offered;
            claim_downgrade(judge, flow, t->version, "higher hellos were killed", known ? 85 : 60);
            killed = 0, last = NULL;
        } else if (t->established) {
            killed = 0, last = NULL;
        }
    }
}

static void judge_hello(struct judge *judge, const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    if (t->downgrade_sentinel && is_tls(t->version) && t->version_offered > t->version &&
        t->client_hello_ns >= 0)
        claim_downgrade(judge, flow, t->version, sign_of_server, 95);
    else if (t->alert == ALERT_INAPPROPRIATE_FALLBACK && t->alert_by == SIDE_SERVER &&
             offers_fallback(t))
        claim_downgrade(judge, flow, t->version_offered, "an inappropriate fallback", 60);
}

static void detect(struct judge *judge)
{
    struct site *site = judge->site;
    for (size_t i = 0; i < judge->chain_count; i++) {
        if (mitm_is_allowed_chain(judge, judge->chains[i].first))
            continue;
        judge_pin(judge, &judge->chains[i]);
        judge_product(judge, &judge->chains[i]);
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        if (site->flows[i]->f.tls != NULL)
            judge_hello(judge, site->flows[i]);
    }
    for (size_t i = 0; i < site->pair_count; i++)
        judge_dance(judge, site->pairs[i].flows);
}

const struct detector detector_mitm = {"mitm", detect};
