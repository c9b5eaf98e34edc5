/* Any bytes as what a server shows: certificates parsed, their names matched, the chain built and
 * verified, with the last of them as the trust store every other time.
 *
 * The input is a byte of choices (bit 0 the last one is trusted, bits 1-7 the time in years from
 * 1970), then certificates behind two bytes of length each. */
#include "dissectors/x509.h"
#include "trust/chain.h"
#include "trust/name_match.h"
#include "trust/private.h"

#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true)
{
    if (!is_true)
        abort();
}

/* Each certificate is shown in memory of exactly its length. */
static size_t read_chain(struct certificate_cache *cache, const uint8_t *data, size_t size,
                         const struct certificate_record **out)
{
    size_t count = 0;
    while (size > 2 && count < CHAIN_MAX) {
        size_t len = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        uint8_t *shown = malloc(len + 1);
        check(shown != NULL);
        memcpy(shown, data, len);
        int64_t id = certificate_cache_lookup(cache, shown, len, 1, NULL, 1);
        free(shown);
        check((id == 0) == (len == 0));
        if (id > 0)
            out[count++] = certificate_cache_get(cache, id);
        data += len;
        size -= len;
    }
    return count;
}

static void check_record(const struct certificate_record *c)
{
    static const char *const names[] = {"inv.example.cn", "*.example.cn", "xn--55qx5d.example",
                                        "192.0.2.1", ""};
    check(c->der_len > 0 && strlen(c->sha256) == 64);
    check(c->parse_error != NULL || (c->subject != NULL && c->issuer != NULL));
    check(c->key_bits >= 0 && c->rsa_exponent >= -1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)name_matches_certificate(names[i], c);
}

/* A store of the one certificate, or an empty one; as trust/store.c would read it from a file. */
static struct trust_store *store_of(const struct certificate_record *trusted)
{
    struct trust_store *store = trust_store_new();
    check(store != NULL);
    struct x509_st *parsed =
        trusted != NULL ? trust_parse(trusted->der, (size_t)trusted->der_len) : NULL;
    if (parsed != NULL) {
        store->items = malloc(sizeof *store->items);
        check(store->items != NULL);
        store->items[0] = parsed;
        store->count = store->capacity = 1;
    }
    return store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct certificate_record *chain[CHAIN_MAX];
    if (size < 1)
        return 0;
    struct intern *strings = intern_new();
    struct certificate_cache *cache = strings != NULL ? certificate_cache_new(strings, 1) : NULL;
    check(cache != NULL);
    size_t count = read_chain(cache, data + 1, size - 1, chain);
    for (size_t i = 0; i < count; i++)
        check_record(chain[i]);
    struct trust_store *store = store_of((data[0] & 1) != 0 && count > 0 ? chain[count - 1] : NULL);
    struct chain_verifier *verifier = chain_verifier_new(store);
    check(verifier != NULL);
    for (size_t i = 0; i < count; i++)
        chain_verifier_learn(verifier, chain[i]);
    if (count > 0) {
        struct chain_verdict verdict;
        int64_t time_ns = (data[0] >> 1) * 31557600LL * 1000000000LL;
        chain_verify(verifier, chain, count, time_ns, &verdict);
        check(verdict.status <= CHAIN_UNTRUSTED && verdict.same_from_ns <= verdict.same_to_ns);
        check(verdict.status != CHAIN_VERIFIED || trust_store_count(store) == 1);
    }
    chain_verifier_free(verifier);
    trust_store_free(store);
    certificate_cache_free(cache);
    intern_free(strings);
    return 0;
}
