/* Another authority vouches for a server: compared with what the same address, port and name showed
 * before, in this capture and in earlier ones of the store.
 *
 * What changes when a certificate is renewed, when a CDN or a load balancer stands before several
 * machines, when a server has an RSA and an ECDSA certificate, or when it was taken out of service and
 * came back with another stack, proves nothing. Each sign adds its term to a score that is shown. */
#include "core/sort.h"
#include "diagnosis/site/chains.h"
#include "diagnosis/site/mitm.h"
#include "trust/name_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
/* FINDINGS.md: without a second family it stays below 80. So does another machine at another place behind
 * routers, by distance, delay or TCP options: the address may have moved to it (anycast, another supplier). */
#define CONFIDENCE_ONE_FAMILY 79
#define CONFIDENCE_MOST 97
/* Machines behind a balancer show theirs in any order: fewer sessions of each do not tell a change. */
#define SESSIONS_MIN 4
/* FACTS 4: a round trip below a quarter of the usual one, where that can be measured. */
#define NEARER_PART 4
#define NEARER_LEAST_NS (2 * FACTS_MS)
#define NEARER_SAMPLES 3 /* a queue may stand on the way of one or two */
#define HOPS_NEAR 2
/* So many unrelated names in as many networks (FINDINGS.md mitm-interception-product). */
#define NAMES_MIN 3
/* Certificates of so short a life are replaced by a timer, often at half of it. */
#define SHORT_LIFE_NS (10 * 86400LL * FACTS_SECOND)
#define TERMS_SIZE 256

/* PEERS 2.7: what the terms of the score weigh. */
enum term {
    TERM_ISSUER,
    TERM_NOT_ALLOWED,
    TERM_KEY,
    TERM_NEARER,
    TERM_NO_HOP,
    TERM_SYNACK,
    TERM_WEAKER,
    TERM_STAPLES,
    TERM_NEIGHBORS,
    TERM_NAMES,
    TERM_PRODUCT,
    TERM_PINNED,
    TERM_UNTRUSTED,
    TERM_COUNT
};

static const struct {
    int weight;
    const char *word; /* of the WORD_ texts */
    bool is_no_move;  /* an address that moved to another machine of the same service does not show it */
} terms[TERM_COUNT] = {
    [TERM_ISSUER] = {30, "another issuer", false},
    [TERM_NOT_ALLOWED] = {20, "no proxy of the profile", false},
    [TERM_KEY] = {15, "another key", false},
    [TERM_NEARER] = {25, "server came nearer", false},
    [TERM_NO_HOP] = {10, "no router in between any more", true},
    [TERM_SYNACK] = {10, "another SYN-ACK", false},
    [TERM_WEAKER] = {15, "weaker handshake", false},
    [TERM_STAPLES] = {5, "staples vanished", false},
    [TERM_NEIGHBORS] = {20, "ARP or DNS moved", true},
    [TERM_NAMES] = {25, "one issuer for unrelated names", true},
    [TERM_PRODUCT] = {25, "authority of an inspection product", true},
    [TERM_PINNED] = {25, "the old key is pinned", true},
    [TERM_UNTRUSTED] = {25, "its root is not trusted, the old one's is", true},
};

struct shown {
    const struct chain_record *record;
    const struct site_chain *chain; /* NULL: in an earlier capture */
};

struct change {
    const struct chain_record *old;
    const struct site_chain *before; /* the same, if of this capture; else NULL */
    const struct site_chain *now;
    bool has[TERM_COUNT];
    bool again;       /* what else explains it: several machines, each seen again */
    bool in_turn;     /* or one with two keys */
    bool interrupted; /* or maintenance */
};

struct changes {
    struct change *list;
    size_t count, capacity;
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

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* ---- the terms ------------------------------------------------------------------------------- */

/* An earlier capture may have been taken elsewhere: its distances prove nothing. */
static bool came_nearer(const struct chain_record *old, const struct chain_record *now)
{
    int before = mitm_hops(old->ttl), after = mitm_hops(now->ttl);
    if (old->capture_id != now->capture_id)
        return false;
    if (before >= 0 && after >= 0 && before >= HOPS_NEAR + MITM_HOPS_STEP && after <= HOPS_NEAR)
        return true;
    return old->connections >= NEARER_SAMPLES && old->rtt_min_ns >= NEARER_LEAST_NS &&
           now->rtt_min_ns >= 0 &&
           now->rtt_min_ns < old->rtt_min_ns / NEARER_PART;
}

/* What was behind routers answers from the tap's own segment: its router does, or a machine beside it. An
 * address that moves, moves behind the router. */
static bool lost_routers(const struct chain_record *old, const struct chain_record *now)
{
    return came_nearer(old, now) && mitm_hops(old->ttl) >= HOPS_NEAR + MITM_HOPS_STEP &&
           mitm_hops(now->ttl) == 0;
}

/* Another answer to a SYN of the same shape. */
static bool answers_otherwise(const struct chain_record *old, const struct chain_record *now)
{
    const char *before = old->synack != NULL ? strchr(old->synack, '/') : NULL;
    const char *after = now->synack != NULL ? strchr(now->synack, '/') : NULL;
    return is_same(before, after) && strcmp(old->synack, now->synack) != 0;
}

static bool has_word(const char *text, const char *word)
{
    return text != NULL && strstr(text, word) != NULL;
}

/* Less than before although the client offered as much. */
static bool is_weaker(const struct chain_record *old, const struct site_chain *now)
{
    const struct tls_facts *t = now->first->f.tls;
    const struct chain_record *r = &now->record;
    bool secret = has_word(old->cipher_name, "_ECDHE_") || has_word(old->cipher_name, "_DHE_");
    if (r->version < old->version && t->version_offered >= old->version)
        return true;
    if (secret && has_word(r->cipher_name, "TLS_RSA_WITH"))
        return true;
    return is_same(old->alpn, "h2") && r->alpn == NULL && has_word(t->alpn_offered, "h2");
}

static bool lost_staples(const struct chain_record *old, const struct chain_record *now)
{
    return (old->staple_sent && now->staple_asked && !now->staple_sent) ||
           (old->sct_sent && now->sct_asked && !now->sct_sent);
}

/* The store knows the old authority, and not the root of the new one: that is more than a missing
 * intermediate or a date. */
static bool has_strange_root(const struct chain_record *old, const struct site_chain *now)
{
    return old->status == CHAIN_VERIFIED && now->verdict.status == CHAIN_UNTRUSTED &&
           now->verdict.is_strange_root;
}

/* ---- other explanations ---------------------------------------------------------------------- */

/* In its last third, or over: the time at which certificates are replaced. */
static bool is_time_to_renew(const struct chain_record *old, int64_t at_ns)
{
    int64_t lifetime = old->not_after_ns - old->not_before_ns;
    int64_t window = lifetime <= SHORT_LIFE_NS ? lifetime / 3 * 2 : lifetime / 3;
    return lifetime <= 0 || old->not_after_ns - at_ns < window;
}

static bool is_replaceable(const struct judge *judge, const struct chain_record *old,
                           const struct chain_record *now)
{
    return now->status == CHAIN_VERIFIED || old->self_signed ||
           is_same(old->spki_sha256, now->spki_sha256) || is_time_to_renew(old, now->first_ns) ||
           mitm_is_allowed(judge->profile, old->issuer, NULL) ||
           mitm_is_allowed(judge->profile, now->issuer, NULL);
}

static bool covers_its_name(const struct site_chain *chain)
{
    return chain->record.name == NULL || chain->leaf == NULL || chain->leaf->parse_error != NULL ||
           name_matches_certificate(chain->record.name, chain->leaf);
}

/* A captive portal: whoever forges a certificate writes the name into it that was asked for. */
static bool is_of_another_name(const struct shown *old, const struct site_chain *now)
{
    return !covers_its_name(now) || (old->chain != NULL && !covers_its_name(old->chain));
}

/* The old issuer is seen again, or the new one was there before: a CDN, unlike machines behind a load
 * balancer or an anycast address, whatever their distance. */
static bool is_seen_again(const struct shown *group, size_t count, const struct chain_record *old,
                          const struct chain_record *now)
{
    for (size_t i = 0; i < count; i++) {
        const struct chain_record *r = group[i].record;
        if (r->issuer == NULL)
            continue;
        if (r->last_ns > now->first_ns && mitm_is_same_organisation(r->issuer, old->issuer))
            return true;
        if (r->first_ns < old->first_ns && mitm_is_same_organisation(r->issuer, now->issuer))
            return true;
    }
    return false;
}

/* Between the two the service was not there: somebody worked on it. Who steps in between in the dark
 * takes no service down. */
static bool was_interrupted(const struct chain_record *old, const struct site_chain *now)
{
    struct flow_range flows = now->first->service->flows;
    if (old->capture_id != now->record.capture_id)
        return false;
    for (size_t i = range_find_time(flows, old->last_ns);
         i < flows.count && flows.flows[i]->f.first_ns < now->record.first_ns; i++) {
        const struct flow_facts *f = &flows.flows[i]->f;
        if (facts_is_tcp(f) && !facts_is_established(f) && f->tcp->syn_count > 0 &&
            (f->tcp->rst_to_syn || facts_is_unanswered_syn(f)))
            return true;
    }
    return false;
}

/* ---- what is said ---------------------------------------------------------------------------- */

static const char *term_words(struct judge *judge, const struct change *change, int *score)
{
    char text[TERMS_SIZE];
    size_t len = 0;
    *score = 0;
    for (size_t i = 0; i < TERM_COUNT; i++) {
        if (!change->has[i])
            continue;
        *score += terms[i].weight;
        int wrote = snprintf(text + len, sizeof text - len, "%s%s %d", len > 0 ? ", " : "",
                             terms[i].word, terms[i].weight);
        len += wrote > 0 && (size_t)wrote < sizeof text - len ? (size_t)wrote : 0;
    }
    return arena_format(&judge->site->arena, "%s", text);
}

static uint8_t confidence_of(const struct change *change, int score)
{
    bool no_move = false;
    for (size_t i = 0; i < TERM_COUNT; i++)
        no_move = no_move || (change->has[i] && terms[i].is_no_move);
    bool lasting = change->old->connections >= SESSIONS_MIN &&
                   change->now->record.connections >= SESSIONS_MIN && !change->interrupted;
    int most = no_move                                       ? CONFIDENCE_MOST
               : lasting || change->has[TERM_NEARER] ? CONFIDENCE_ONE_FAMILY
                                                         : CONFIDENCE_POSSIBLE - 5;
    return (uint8_t)(score < most ? score : most);
}

static void add_handshake(struct claim *claim, const struct site_chain *chain)
{
    const struct flow_facts *f = &chain->first->f;
    claim_add_reference(claim, f->source_id, f->tls->server_hello_frame, f->tls->server_hello_ns,
                        EVENT_SERVER_HELLO);
}

static void claim_change(struct judge *judge, const struct change *change)
{
    const struct site_chain *now = change->now;
    struct claim claim = claim_start(FINDING_MITM_ISSUER_CHANGED, now->first);
    int score = 0;
    const char *words = term_words(judge, change, &score);
    claim.confidence = judge_doubt_loss(judge, confidence_of(change, score));
    claim.severity = (uint8_t)(claim.confidence >= 80                     ? SEVERITY_CRITICAL
                               : claim.confidence >= CONFIDENCE_POSSIBLE ? SEVERITY_HIGH
                                                                          : SEVERITY_LOW);
    claim.culprit = (uint8_t)(claim.confidence >= 80 ? CULPRIT_ATTACKER : CULPRIT_MIDDLEBOX);
    claim.last_ns = now->record.last_ns;
    claim.count = now->record.connections;
    claim.evidence = EVIDENCE(EVENT_CERTIFICATE);
    claim_add_text(&claim, "old_issuer",
                   arena_format(&judge->site->arena, "%s", change->old->issuer));
    claim_add_text(&claim, "new_issuer", now->record.issuer);
    claim_add_number(&claim, "score", score);
    claim_add_text(&claim, "terms", words);
    if (change->before != NULL)
        add_handshake(&claim, change->before);
    add_handshake(&claim, now);
    judge_claim(judge, &claim);
}

static void note_renewal(struct judge *judge, const struct shown *old, const struct site_chain *now)
{
    if (old->chain == NULL || old->chain->leaf == NULL || now->leaf == NULL ||
        !mitm_is_same_organisation(old->record->issuer, now->record.issuer) ||
        old->record->self_signed)
        return;
    struct claim claim = claim_start(FINDING_CERT_CHANGED, now->first);
    claim_add_text(&claim, "subject", now->leaf->subject_cn);
    claim_add_text(&claim, "old_sha256", old->chain->leaf->sha256);
    claim_add_text(&claim, "new_sha256", now->leaf->sha256);
    judge_claim(judge, &claim);
}

static void note_machine(struct judge *judge, const struct chain_record *old,
                         const struct site_chain *now)
{
    const struct chain_record *r = &now->record;
    int before = mitm_hops(old->ttl), after = mitm_hops(r->ttl);
    bool moved = old->capture_id == r->capture_id && before >= 0 && after >= 0 &&
                 abs(before - after) > MITM_HOPS_STEP;
    bool reshaped = answers_otherwise(old, r);
    if (!moved && !reshaped)
        return;
    struct claim claim = claim_start(FINDING_MITM_FINGERPRINT_CHANGED, now->first);
    struct arena *arena = &judge->site->arena;
    claim.confidence = 60;
    claim_add_text(&claim, "what",
                   moved ? arena_format(arena, "TTL %u -> %u", old->ttl, r->ttl)
                         : arena_format(arena, "SYN-ACK %s -> %s", old->synack, r->synack));
    judge_claim(judge, &claim);
}

/* ---- finding them ---------------------------------------------------------------------------- */

static void add_change(struct judge *judge, struct changes *changes, const struct change *change)
{
    if (!array_reserve((void **)&changes->list, &changes->capacity, changes->count,
                       sizeof *changes->list)) {
        judge->failed = true;
        return;
    }
    changes->list[changes->count++] = *change;
}

/* One place, by time: each chain of this capture beside what was there before. */
static void judge_place(struct judge *judge, const struct shown *group, size_t count,
                        struct changes *changes)
{
    for (size_t i = 1; i < count; i++) {
        const struct chain_record *old = group[i - 1].record;
        const struct site_chain *now = group[i].chain;
        if (now == NULL || now->record.issuer == NULL || old->issuer == NULL)
            continue;
        if (old->last_ns <= now->record.last_ns &&
            !is_same(old->spki_sha256, now->record.spki_sha256)) {
            note_renewal(judge, &group[i - 1], now);
            note_machine(judge, old, now);
        }
        if (mitm_is_same_organisation(old->issuer, now->record.issuer) ||
            is_replaceable(judge, old, &now->record) || is_of_another_name(&group[i - 1], now))
            continue;
        bool again = is_seen_again(group, count, old, &now->record);
        const char *product_issuer = NULL;
        struct change change = {
            .old = old,
            .before = group[i - 1].chain,
            .now = now,
            .has = {[TERM_ISSUER] = true,
                    [TERM_NOT_ALLOWED] = true,
                    [TERM_KEY] = true,
                    [TERM_NEARER] = came_nearer(old, &now->record),
                    [TERM_NO_HOP] = lost_routers(old, &now->record),
                    [TERM_SYNACK] = answers_otherwise(old, &now->record),
                    [TERM_WEAKER] = is_weaker(old, now),
                    [TERM_STAPLES] = lost_staples(old, &now->record),
                    [TERM_NEIGHBORS] = mitm_neighbors_moved(judge, now->record.first_ns, now->record.last_ns),
                    [TERM_PRODUCT] = mitm_product_of(judge, now, &product_issuer) != NULL,
                    [TERM_PINNED] = old->pin == CHAIN_PIN_MATCHES && now->record.pin == CHAIN_PIN_DIFFERS,
                    [TERM_UNTRUSTED] = has_strange_root(old, now)},
            .again = again,
            .in_turn = again || !is_same(old->key_type, now->record.key_type),
            .interrupted = was_interrupted(old, now)};
        add_change(judge, changes, &change);
    }
}

/* The tell of a proxy for all: names that have nothing to do with each other, in networks that have
 * nothing to do with each other, come to be vouched for by one issuer that none of them had. */
static bool covers_others(const struct changes *changes, const struct change *change)
{
    const struct chain_record *found[NAMES_MIN] = {&change->now->record};
    size_t count = 1;
    for (size_t i = 0; i < changes->count && count < NAMES_MIN; i++) {
        const struct change *other = &changes->list[i];
        bool fits = !other->in_turn && mitm_is_same_organisation(other->now->record.issuer,
                                                                 change->now->record.issuer);
        for (size_t j = 0; fits && j < count; j++)
            fits = mitm_is_unrelated(found[j], &other->now->record);
        if (fits)
            found[count++] = &other->now->record;
    }
    return count == NAMES_MIN;
}

static void judge_changes(struct judge *judge, struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->list[i];
        bool placed = change->has[TERM_NEARER] || change->has[TERM_NEIGHBORS];
        change->has[TERM_NAMES] = !change->in_turn && covers_others(changes, change);
        if (change->has[TERM_NEIGHBORS] || (!change->again && (!change->in_turn || placed)))
            claim_change(judge, change);
    }
    free(changes->list);
}

/* Private addresses of other sites may lie in one store: earlier captures count by name only. */
static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    size_t count = 0;
    struct changes changes = {0};
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
    sort_rows(all, count, sizeof *all, by_place);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && compare_place(all[i].record, all[end].record) == 0)
            end++;
        judge_place(judge, &all[i], end - i, &changes);
        i = end;
    }
    free(all);
    judge_changes(judge, &changes);
}

const struct detector detector_mitm_issuer = {"mitm_issuer", detect};
