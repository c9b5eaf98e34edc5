#include "diagnosis/site/offers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_SSL3 0x0300
/* So many suites of a client's list are shown. */
#define CIPHERS_SHOWN 24
#define CIPHER_TEXT 5u /* "c02f," */
/* The alert may speak of signatures, of the name or of a missing certificate as well. */
#define DOUBTED_MOST 70

/* The word stands in the comma separated list. */
static bool is_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        if (*at == ',')
            at++;
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

static bool is_cipher_listed(const char *list, uint16_t cipher)
{
    char word[8];
    snprintf(word, sizeof word, "%04x", cipher);
    return is_listed(list, word);
}

static const char *join(struct judge *judge, const char *list, const char *name)
{
    return list == NULL ? name : arena_format(&judge->site->arena, "%s,%s", list, name);
}

/* The accepted ones that `offered` names; numbers are compared for suites, names else. */
static const char *shared(struct judge *judge, const struct accepted *taken, const char *offered,
                          bool by_number)
{
    const char *list = NULL;
    for (uint32_t i = 0; offered != NULL && i < taken->count; i++) {
        if (by_number ? is_cipher_listed(offered, taken->numbers[i])
                      : is_listed(offered, taken->names[i]))
            list = join(judge, list, taken->names[i]);
    }
    return list;
}

static const char *all_of(struct judge *judge, const struct accepted *taken)
{
    const char *list = NULL;
    for (uint32_t i = 0; i < taken->count; i++)
        list = join(judge, list, taken->names[i]);
    return list;
}

static const char *shorten(struct judge *judge, const char *ciphers)
{
    size_t len = ciphers != NULL ? strlen(ciphers) : 0;
    const size_t most = CIPHERS_SHOWN * CIPHER_TEXT - 1;
    if (len <= most)
        return ciphers;
    return arena_format(&judge->site->arena, "%.*s +%zu", (int)most, ciphers,
                        (len - most) / CIPHER_TEXT);
}

void offers_add_versions(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct accepted *taken = &flow->service->versions_taken;
    if (taken->count == 0 || flow->f.tls->versions_offered == NULL)
        return;
    const char *both = shared(judge, taken, flow->f.tls->versions_offered, false);
    claim_add_text(out, "common", both != NULL ? both : "none");
}

bool offers_share_no_version(const struct site_flow *flow)
{
    const struct accepted *taken = &flow->service->versions_taken;
    const char *offered = flow->f.tls->versions_offered;
    for (uint32_t i = 0; offered != NULL && i < taken->count; i++) {
        if (is_listed(offered, taken->names[i]))
            return false;
    }
    return true;
}

/* As many handshakes of the service are looked at. */
#define NEIGHBORS_SEEN 256

bool offers_are_too_new(const struct site_flow *flow)
{
    static const char *const versions[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2"};
    const char *offered = flow->f.tls->versions_offered;
    struct flow_range range = flow->service->flows;
    uint16_t highest = 0;
    for (size_t i = 0; i < range.count && i < NEIGHBORS_SEEN; i++) {
        const struct tls_facts *t = range.flows[i]->f.tls;
        if (t != NULL && t->established && t->version >= VERSION_SSL3 &&
            t->version < t->version_offered && t->version > highest)
            highest = t->version;
    }
    for (uint16_t v = VERSION_SSL3; offered != NULL && v <= highest && v < VERSION_SSL3 + 4; v++) {
        if (is_listed(offered, versions[v - VERSION_SSL3]))
            return false;
    }
    return offered != NULL && highest != 0;
}

static void add_shared(struct claim *out, const char *name, const char *both, uint32_t known)
{
    if (known > 0)
        claim_add_text(out, name, both != NULL ? both : "none");
}

void offers_add_parameters(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct tls_facts *t = flow->f.tls;
    const struct accepted *ciphers = &flow->service->ciphers_taken;
    const struct accepted *groups = &flow->service->groups_taken;
    const char *both_ciphers = shared(judge, ciphers, t->client_ciphers, true);
    const char *both_groups = shared(judge, groups, t->groups_offered, false);
    claim_add_text(out, "client_ciphers", shorten(judge, t->client_ciphers));
    claim_add_text(out, "server_ciphers", all_of(judge, ciphers));
    add_shared(out, "common_ciphers", both_ciphers, ciphers->count);
    claim_add_text(out, "client_groups", t->groups_offered);
    claim_add_text(out, "server_groups", all_of(judge, groups));
    add_shared(out, "common_groups", both_groups, groups->count);
    if (both_ciphers != NULL && both_groups != NULL && out->confidence > DOUBTED_MOST)
        out->confidence = DOUBTED_MOST;
}
