/* One key for everybody: proxies that make certificates as they go write them all for the key of their
 * own. Names of different owners that are served from different networks, or reached through one
 * tunnel, by certificates of one issuer, made about the same time for one key, have one holder. */
#include "core/sort.h"
#include "diagnosis/site/chains.h"
#include "diagnosis/site/mitm.h"
#include "trust/name_match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MIN 3
#define MADE_TOGETHER_NS (7 * 86400LL * FACTS_SECOND)

static bool may_be_made(const struct judge *judge, const struct site_chain *chain)
{
    const struct chain_record *r = &chain->record;
    return r->name != NULL && strchr(r->name, '.') != NULL && r->issuer != NULL &&
           r->spki_sha256 != NULL && r->spki_sha256[0] != '\0' && r->status != CHAIN_VERIFIED &&
           !r->self_signed && chain->leaf != NULL && chain->leaf->parse_error == NULL &&
           name_matches_certificate(r->name, chain->leaf) &&
           !mitm_is_allowed_chain(judge, chain->first);
}

static int by_key(const void *left, const void *right)
{
    const struct site_chain *a = *(const struct site_chain *const *)left;
    const struct site_chain *b = *(const struct site_chain *const *)right;
    int order = strcmp(a->record.spki_sha256, b->record.spki_sha256);
    if (order == 0)
        order = strcmp(a->record.issuer, b->record.issuer);
    return order != 0 ? order
                      : (a->record.number > b->record.number) - (a->record.number < b->record.number);
}

static bool is_one_holder(const struct site_chain *a, const struct site_chain *b)
{
    return strcmp(a->record.spki_sha256, b->record.spki_sha256) == 0 &&
           strcmp(a->record.issuer, b->record.issuer) == 0;
}

static bool is_tunnelled(const struct site_chain *chain)
{
    return chain->first->f.tls->upgraded_from != NULL;
}

static bool is_strange(const struct site_chain *a, const struct site_chain *b)
{
    int64_t apart = a->record.not_before_ns - b->record.not_before_ns;
    bool other_owner = strcasecmp(mitm_site_of(a->record.name), mitm_site_of(b->record.name)) != 0;
    return a->record.certificate_id != b->record.certificate_id &&
           llabs(apart) <= MADE_TOGETHER_NS &&
           ((is_tunnelled(a) && is_tunnelled(b) && other_owner) ||
            mitm_is_unrelated(&a->record, &b->record));
}

static void claim_holder(struct judge *judge, const struct site_chain *chain)
{
    struct claim claim = claim_start(FINDING_MITM_INTERCEPTION_PRODUCT, chain->first);
    claim.confidence = 85;
    claim.count = chain->record.connections;
    claim.last_ns = chain->record.last_ns;
    claim_add_text(&claim, "product", "one key for unrelated names");
    claim_add_text(&claim, "issuer", chain->record.issuer);
    claim_add_reference(&claim, chain->first->f.source_id, chain->first->f.tls->server_hello_frame,
                        chain->record.first_ns, EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

static void judge_key(struct judge *judge, const struct site_chain *const *list, size_t count)
{
    const struct site_chain *found[NAMES_MIN];
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < NAMES_MIN; i++) {
        bool fits = true;
        for (size_t j = 0; fits && j < kept; j++)
            fits = is_strange(found[j], list[i]);
        if (fits)
            found[kept++] = list[i];
    }
    for (size_t i = 0; kept == NAMES_MIN && i < count; i++)
        claim_holder(judge, list[i]);
}

static void detect(struct judge *judge)
{
    const struct site_chain **list = malloc((judge->chain_count + 1) * sizeof *list);
    size_t count = 0;
    if (list == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < judge->chain_count; i++) {
        if (may_be_made(judge, &judge->chains[i]))
            list[count++] = &judge->chains[i];
    }
    if (count > 1)
        sort_rows(list, count, sizeof *list, by_key);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && is_one_holder(list[i], list[end]))
            end++;
        judge_key(judge, &list[i], end - i);
        i = end;
    }
    free(list);
}

const struct detector detector_mitm_key = {"mitm_key", detect};
