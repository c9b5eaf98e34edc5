/* Somebody between client and server: what the certificates and the handshakes tell.
 *
 * Servers are compared with what the same address, port and name showed before, in this capture and
 * in earlier ones of the store. What changes when a certificate is renewed, when a CDN or a load
 * balancer stands before several machines, or when a server has an RSA and an ECDSA certificate,
 * proves nothing. */
#include "diagnosis/site/mitm.h"

#include "diagnosis/site/chains.h"
#include "trust/name_match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* PEERS 2.7: what the terms of the score weigh. */
#define WEIGHT_ISSUER 30
#define WEIGHT_ISSUER_NOT_ALLOWED 20
#define WEIGHT_NEW_KEY 15
#define WEIGHT_NEARER 25
#define WEIGHT_NEIGHBORS 20
/* FINDINGS.md: without a second family it stays below 80. */
#define CONFIDENCE_ONE_FAMILY 79
#define CONFIDENCE_MOST 97
/* Machines behind a balancer show theirs in any order: fewer sessions of each do not tell a change. */
#define SESSIONS_MIN 4
/* FACTS 4: a round trip below a quarter of the usual one, where that can be measured. */
#define NEARER_PART 4
#define NEARER_LEAST_NS (2 * FACTS_MS)
#define HOPS_STEP 2
#define HOPS_NEAR 2
#define NEIGHBORS_NS (600 * FACTS_SECOND)
#define SCSV_FALLBACK "5600"
#define ALERT_INAPPROPRIATE_FALLBACK 86
#define VERSION_SSL3 0x0300
#define VERSION_TLS_13 0x0304
/* A fallback dance is over within this. */
#define DANCE_NS (60 * FACTS_SECOND)
#define DANCE_KILLED 2

/* ---- an issuer that changed ------------------------------------------------------------------ */

struct shown {
    const struct chain_record *record;
    const struct site_chain *chain; /* NULL: in an earlier capture */
};

static int compare_place(const struct chain_record *a, const struct chain_record *b)
{
    int order = address_compare(&a->server_ip, &b->server_ip);
    if (order == 0)
        order = COMPARE(a->server_port, b->server_port);
    return order != 0 ? order : strcmp(a->name != NULL ? a->name : "", b->name != NULL ? b->name : "");
}

static int by_place(const void *left, const void *right)
{
    const struct shown *a = left, *b = right;
    int order = compare_place(a->record, b->record);
    if (order == 0)
        order = COMPARE(a->record->first_ns, b->record->first_ns);
    if (order == 0)
        order = COMPARE(a->record->capture_id, b->record->capture_id);
    return order != 0 ? order : COMPARE(a->record->number, b->record->number);
}

/* Hops that a packet has come, from the nearest usual start. */
static int hops_of(uint8_t ttl)
{
    return ttl == 0 ? -1 : ttl <= 32 ? 32 - ttl : ttl <= 64 ? 64 - ttl : ttl <= 128 ? 128 - ttl : 255 - ttl;
}

static bool came_nearer(const struct chain_record *old, const struct chain_record *now)
{
    int before = hops_of(old->ttl), after = hops_of(now->ttl);
    if (before >= 0 && after >= 0 && before >= HOPS_NEAR + HOPS_STEP && after <= HOPS_NEAR)
        return true;
    return old->rtt_min_ns >= NEARER_LEAST_NS && now->rtt_min_ns >= 0 &&
           now->rtt_min_ns < old->rtt_min_ns / NEARER_PART;
}

/* ARP or DNS said something strange about that time (findings made before this one). */
static bool neighbors_moved(const struct judge *judge, const struct chain_record *now)
{
    for (size_t i = 0; i < judge->claim_count; i++) {
        const struct claim *claim = &judge->claims[i];
        bool fits = claim->code == FINDING_NET_IP_CONFLICT || claim->code == FINDING_MITM_ARP_SPOOF ||
                    claim->code == FINDING_MITM_DNS_CONFLICT;
        if (fits && claim->first_ns <= now->last_ns + NEIGHBORS_NS &&
            claim->last_ns >= now->first_ns - NEIGHBORS_NS)
            return true;
    }
    return false;
}

static bool is_same_organisation(const char *a, const char *b)
{
    char left[MITM_NAME_SIZE], right[MITM_NAME_SIZE];
    mitm_organisation(a, left);
    mitm_organisation(b, right);
    return strcasecmp(left, right) == 0;
}

/* In its last third, or over: the time at which certificates are replaced. */
static bool is_time_to_renew(const struct chain_record *old, int64_t at_ns)
{
    int64_t lifetime = old->not_after_ns - old->not_before_ns;
    return lifetime <= 0 || old->not_after_ns - at_ns < lifetime / 3;
}

static bool returns(const struct shown *group, size_t count, const struct chain_record *old,
                    const struct chain_record *now)
{
    for (size_t i = 0; i < count; i++) {
        if (group[i].record->last_ns > now->first_ns && group[i].record->issuer != NULL &&
            is_same_organisation(group[i].record->issuer, old->issuer))
            return true;
    }
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool is_replaceable(const struct judge *judge, const struct chain_record *old,
                           const struct chain_record *now)
{
    return now->status == CHAIN_VERIFIED || old->self_signed ||
           is_same(old->spki_sha256, now->spki_sha256) || is_time_to_renew(old, now->first_ns) ||
           mitm_is_allowed(judge->profile, old->issuer, NULL) ||
           mitm_is_allowed(judge->profile, now->issuer, NULL);
}

static void claim_issuer(struct judge *judge, const struct chain_record *old,
                         const struct site_chain *now, int score, bool second_family)
{
    struct claim claim = claim_start(FINDING_MITM_ISSUER_CHANGED, now->first);
    struct arena *arena = &judge->site->arena;
    bool lasting =
        old->connections >= SESSIONS_MIN && now->record.connections >= SESSIONS_MIN;
    int most = second_family ? CONFIDENCE_MOST
               : lasting     ? CONFIDENCE_ONE_FAMILY
                             : CONFIDENCE_POSSIBLE - 5;
    claim.confidence = (uint8_t)(score < most ? score : most);
    claim.severity = (uint8_t)(claim.confidence >= 80 ? SEVERITY_CRITICAL
                               : lasting              ? SEVERITY_HIGH
                                                      : SEVERITY_LOW);
    claim.culprit = (uint8_t)(claim.confidence >= 80 ? CULPRIT_ATTACKER : CULPRIT_MIDDLEBOX);
    claim.last_ns = now->record.last_ns;
    claim.count = now->record.connections;
    claim.evidence = EVIDENCE(EVENT_CERTIFICATE);
    claim_add_text(&claim, "old_issuer", arena_format(arena, "%s", old->issuer));
    claim_add_text(&claim, "new_issuer", now->record.issuer);
    claim_add_reference(&claim, now->first->f.source_id, now->first->f.tls->server_hello_frame,
                        now->record.first_ns, EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

static void note_changes(struct judge *judge, const struct chain_record *old,
                         const struct site_chain *now)
{
    const struct chain_record *r = &now->record;
    if (is_same(old->spki_sha256, r->spki_sha256) || r->issuer == NULL)
        return;
    if (is_same_organisation(old->issuer, r->issuer) && !old->self_signed) {
        const struct site_chain *then = NULL;
        for (size_t i = 0; i < judge->chain_count; i++) {
            if (&judge->chains[i].record == old)
                then = &judge->chains[i];
        }
        if (then == NULL || then->leaf == NULL || now->leaf == NULL)
            return;
        struct claim claim = claim_start(FINDING_CERT_CHANGED, now->first);
        claim_add_text(&claim, "subject", now->leaf->subject_cn);
        claim_add_text(&claim, "old_sha256", then->leaf->sha256);
        claim_add_text(&claim, "new_sha256", now->leaf->sha256);
        judge_claim(judge, &claim);
    }
    int before = hops_of(old->ttl), after = hops_of(r->ttl);
    if (old->capture_id == r->capture_id && before >= 0 && after >= 0 &&
        abs(before - after) > HOPS_STEP) {
        struct claim claim = claim_start(FINDING_MITM_FINGERPRINT_CHANGED, now->first);
        claim.confidence = 60;
        claim_add_text(&claim, "what",
                       arena_format(&judge->site->arena, "TTL %u -> %u", old->ttl, r->ttl));
        judge_claim(judge, &claim);
    }
}

/* One place, by time: each chain of this capture beside what was there before. */
static void judge_place(struct judge *judge, const struct shown *group, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct chain_record *old = group[i - 1].record;
        const struct site_chain *now = group[i].chain;
        if (now == NULL || now->record.issuer == NULL || old->issuer == NULL ||
            old->last_ns > now->record.last_ns)
            continue;
        note_changes(judge, old, now);
        if (is_same_organisation(old->issuer, now->record.issuer) ||
            is_replaceable(judge, old, &now->record))
            continue;
        /* An earlier capture may have been taken elsewhere: its distances prove nothing. */
        bool nearer = group[i - 1].chain != NULL && came_nearer(old, &now->record);
        bool moved = neighbors_moved(judge, &now->record);
        /* Two certificates in turn: RSA and ECDSA, a CDN, machines behind a load balancer. */
        bool in_turn = returns(group, count, old, &now->record) ||
                       !is_same(old->key_type, now->record.key_type);
        if (in_turn && !nearer && !moved)
            continue;
        int score = WEIGHT_ISSUER + WEIGHT_ISSUER_NOT_ALLOWED + WEIGHT_NEW_KEY +
                    (nearer ? WEIGHT_NEARER : 0) + (moved ? WEIGHT_NEIGHBORS : 0);
        claim_issuer(judge, old, now, score, nearer || moved);
    }
}

/* Private addresses of other sites may lie in one store: earlier captures count by name only. */
static void find_changed_issuers(struct judge *judge)
{
    const struct site *site = judge->site;
    size_t count = 0;
    struct shown *all = malloc((judge->chain_count + site->earlier_count + 1) * sizeof *all);
    if (all == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < site->earlier_count; i++) {
        if (site->earlier[i]->name != NULL && site->earlier[i]->name[0] != '\0')
            all[count++] = (struct shown){site->earlier[i], NULL};
    }
    for (size_t i = 0; i < judge->chain_count; i++)
        all[count++] = (struct shown){&judge->chains[i].record, &judge->chains[i]};
    qsort(all, count, sizeof *all, by_place);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && compare_place(all[i].record, all[end].record) == 0)
            end++;
        judge_place(judge, &all[i], end - i);
        i = end;
    }
    free(all);
}

/* ---- pins and products ----------------------------------------------------------------------- */

static bool is_allowed_chain(const struct judge *judge, const struct site_flow *flow)
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
        chain->leaf->parse_error != NULL)
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
static const char *product_of(const struct judge *judge, const struct site_chain *chain,
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
    const char *product = product_of(judge, chain, &issuer);
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

static void claim_downgrade(struct judge *judge, const struct site_flow *flow, uint16_t version,
                            const char *sign, uint8_t confidence)
{
    const struct tls_facts *t = flow->f.tls;
    if (judge_is_withdrawn(judge, FINDING_MITM_DOWNGRADE, flow))
        return;
    struct claim claim = claim_start(FINDING_MITM_DOWNGRADE, flow);
    claim.confidence = confidence;
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
        claim_downgrade(judge, flow, t->version, "the server's own sentinel", 95);
    else if (t->alert == ALERT_INAPPROPRIATE_FALLBACK && t->alert_by == SIDE_SERVER &&
             offers_fallback(t))
        claim_downgrade(judge, flow, t->version_offered, "an inappropriate fallback", 80);
}

static void detect(struct judge *judge)
{
    struct site *site = judge->site;
    for (size_t i = 0; i < judge->chain_count; i++) {
        if (is_allowed_chain(judge, judge->chains[i].first))
            continue;
        judge_pin(judge, &judge->chains[i]);
        judge_product(judge, &judge->chains[i]);
    }
    find_changed_issuers(judge);
    for (size_t i = 0; i < site->flow_count; i++) {
        if (site->flows[i]->f.tls != NULL)
            judge_hello(judge, site->flows[i]);
    }
    for (size_t i = 0; i < site->pair_count; i++)
        judge_dance(judge, site->pairs[i].flows);
}

const struct detector detector_mitm = {"mitm", detect};
