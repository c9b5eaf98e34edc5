/* Certificates that the profile knows as those of another environment or service: test and
 * production mixed up, a name or load balancer that leads elsewhere. */
#include "diagnosis/site/environments.h"
#include "diagnosis/site/chains.h"
#include "diagnosis/site/mitm.h"
#include "trust/name_match.h"

#include <string.h>
#include <strings.h>

/* How the profile knows a certificate; the surer the greater. */
enum knowledge { KNOWN_NOT, KNOWN_BY_NAME, KNOWN_BY_ISSUER, KNOWN_BY_HASH };

static const uint8_t confidences[] = {
    [KNOWN_NOT] = 0, [KNOWN_BY_NAME] = 80, [KNOWN_BY_ISSUER] = 90, [KNOWN_BY_HASH] = 95};

/* ---- names --------------------------------------------------------------------------------------
 */

static bool is_pattern_of(const char *name, const char *pattern)
{
    return strcasecmp(name, pattern) == 0 || name_matches_pattern(name, pattern);
}

/* One DNS entry of the certificate falls under the pattern. */
static bool has_name_under(const struct certificate_record *c, const char *pattern)
{
    char name[256];
    const char *at = c->san != NULL ? c->san : "";
    for (; *at != '\0'; at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (len > 4 && len - 4 < sizeof name && strncmp(at, "DNS:", 4) == 0) {
            memcpy(name, at + 4, len - 4);
            name[len - 4] = '\0';
            if (is_pattern_of(name, pattern))
                return true;
        }
        at += len;
    }
    bool alone = c->san == NULL || c->san[0] == '\0';
    return alone && c->subject_cn != NULL && is_pattern_of(c->subject_cn, pattern);
}

static bool has_name_of(const struct certificate_record *c, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (has_name_under(c, names[i]) || name_matches_certificate(names[i], c))
            return true;
    }
    return false;
}

static bool is_among(const char *name, const char *const *patterns, size_t count)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (is_pattern_of(name, patterns[i]))
            return true;
    }
    return false;
}

static bool holds_text(const char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcasecmp(texts[i], text) == 0)
            return true;
    }
    return false;
}

/* ---- environments -------------------------------------------------------------------------------
 */

static enum knowledge knows(const struct profile_environment *e, const struct certificate_record *c)
{
    char organisation[MITM_NAME_SIZE], common[MITM_NAME_SIZE];
    mitm_name_part(c->issuer, "O", organisation);
    mitm_name_part(c->issuer, "CN", common);
    if (holds_text(e->certificates, e->certificate_count, c->sha256))
        return KNOWN_BY_HASH;
    if (holds_text(e->issuers, e->issuer_count, organisation) ||
        holds_text(e->issuers, e->issuer_count, common))
        return KNOWN_BY_ISSUER;
    return has_name_of(c, e->names, e->name_count) ? KNOWN_BY_NAME : KNOWN_NOT;
}

/* The environment that the connection belongs to: by the server's address, else by the name that
 * was asked for. Both at odds (one entry for several environments) say nothing. */
static const struct profile_environment *home_of(const struct profile *profile,
                                                 const struct site_chain *chain)
{
    const struct profile_environment *home =
        profile_environment_of(profile, &chain->record.server_ip);
    for (size_t i = 0; chain->record.name != NULL && i < profile->environment_count; i++) {
        const struct profile_environment *e = &profile->environments[i];
        if (!is_among(chain->record.name, e->names, e->name_count) || e == home)
            continue;
        return home == NULL ? e : NULL;
    }
    return home;
}

static void put(struct judge *judge, const struct site_chain *chain, const char *expected,
                const char *found, uint8_t confidence)
{
    struct claim claim = claim_start(FINDING_CERT_WRONG_ENVIRONMENT, chain->first);
    const struct certificate_record *c = chain->leaf;
    claim.confidence = confidence;
    claim.count = chain->record.connections;
    claim.last_ns = chain->record.last_ns;
    claim.evidence = EVIDENCE(EVENT_CERTIFICATE) | EVIDENCE(EVENT_ALERT);
    claim_add_text(&claim, "subject",
                   c->subject_cn != NULL && c->subject_cn[0] != '\0' ? c->subject_cn : c->subject);
    claim_add_text(&claim, "expected", expected);
    claim_add_text(&claim, "found", found);
    claim_add_reference(&claim, chain->first->f.source_id, chain->first->f.tls->server_hello_frame,
                        chain->record.first_ns, EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

static bool judge_environment(struct judge *judge, const struct site_chain *chain)
{
    const struct profile *profile = judge->profile;
    const struct profile_environment *home = home_of(profile, chain), *other = NULL;
    enum knowledge best = KNOWN_NOT;
    if (home == NULL || knows(home, chain->leaf) != KNOWN_NOT)
        return false;
    for (size_t i = 0; i < profile->environment_count; i++) {
        enum knowledge known = knows(&profile->environments[i], chain->leaf);
        if (known > best) {
            best = known;
            other = &profile->environments[i];
        }
    }
    if (other == NULL)
        return false;
    put(judge, chain, home->name, other->name, confidences[best]);
    return true;
}

/* ---- services -----------------------------------------------------------------------------------
 */

const struct profile_service *environment_pin_owner(const struct judge *judge,
                                                    const struct site_chain *chain)
{
    const struct profile_service *own = judge_profile_service(judge, chain->first);
    if (own == NULL || chain->leaf == NULL ||
        holds_text(own->pins, own->pin_count, chain->leaf->spki_sha256))
        return NULL;
    for (size_t i = 0; i < judge->profile->service_count; i++) {
        const struct profile_service *other = &judge->profile->services[i];
        if (other != own && holds_text(other->pins, other->pin_count, chain->leaf->spki_sha256))
            return other;
    }
    return NULL;
}

/* A service with names of its own that shows the certificate of another one's names. */
static const struct profile_service *name_owner(const struct judge *judge,
                                                const struct site_chain *chain,
                                                const struct profile_service *own)
{
    const char *asked = chain->record.name;
    if (own->name_count == 0 || has_name_of(chain->leaf, own->names, own->name_count) ||
        (asked != NULL && !is_among(asked, own->names, own->name_count)))
        return NULL;
    for (size_t i = 0; i < judge->profile->service_count; i++) {
        const struct profile_service *other = &judge->profile->services[i];
        if (other != own && has_name_of(chain->leaf, other->names, other->name_count))
            return other;
    }
    return NULL;
}

static void judge_service_of(struct judge *judge, const struct site_chain *chain)
{
    const struct profile_service *own = judge_profile_service(judge, chain->first);
    if (own == NULL)
        return;
    /* One key may serve several services: where this one names none, nothing is wrong. */
    const struct profile_service *owner =
        own->pin_count > 0 ? environment_pin_owner(judge, chain) : NULL;
    enum knowledge known = owner != NULL ? KNOWN_BY_HASH : KNOWN_BY_NAME;
    if (owner == NULL)
        owner = name_owner(judge, chain, own);
    if (owner != NULL)
        put(judge, chain, own->name, owner->name, confidences[known]);
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; judge->profile != NULL && !judge->profile->builtin && i < judge->chain_count;
         i++) {
        const struct site_chain *chain = &judge->chains[i];
        if (chain->leaf != NULL && chain->leaf->parse_error == NULL &&
            !judge_environment(judge, chain))
            judge_service_of(judge, chain);
    }
}

const struct detector detector_environments = {"environments", detect};
