/* Any bytes as what a server shows: certificates parsed, their names matched, the chain built and
 * verified, with the last of them as the trust store every other time; OCSP answers about them, lists of
 * timestamps, and a key exchange of TLCP that they sign.
 *
 * The input is a byte of choices (bit 0 the last one is trusted, bits 1-7 the time in years from
 * 1970), then parts behind two bytes each: bits 14 and 15 what it is (enum part), the others its length. */
#include "dissectors/sct.h"
#include "dissectors/x509_signature.h"
#include "tests/fuzz/lasting.h"
#include "trust/chain.h"
#include "trust/name_match.h"
#include "trust/private.h"
#include "trust/staple.h"

#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 8 };

enum part { PART_CERTIFICATE, PART_EXCHANGE, PART_STAPLE, PART_TIMESTAMPS };

/* One of each kind but certificates, the last one. */
struct shown {
    const struct certificate_record *chain[CHAIN_MAX];
    size_t count;
    uint8_t *other[4];
    size_t len[4];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void take_certificate(const uint8_t *bytes, size_t len, struct shown *out)
{
    struct certificate_cache *cache = lasting_kept.certificates;
    int64_t id = certificate_cache_lookup(cache, bytes, len, 1, NULL, 1);
    check((id == 0) == (len == 0));
    if (id > 0)
        out->chain[out->count++] = certificate_cache_get(cache, id);
}

/* Each part is shown in memory of exactly its length. */
static void read_parts(const uint8_t *data, size_t size, struct shown *out)
{
    while (size > 2 && out->count < CHAIN_MAX) {
        enum part part = data[0] >> 6;
        size_t len = (size_t)(data[0] & 0x3f) << 8 | data[1];
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        uint8_t *bytes = malloc(len > 0 ? len : 1);
        check(bytes != NULL);
        memcpy(bytes, data, len);
        if (part == PART_CERTIFICATE)
            take_certificate(bytes, len, out);
        free(part == PART_CERTIFICATE ? bytes : out->other[part]);
        if (part != PART_CERTIFICATE) {
            out->other[part] = bytes;
            out->len[part] = len;
        }
        data += len;
        size -= len;
    }
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

static void check_staple(const struct chain_verifier *verifier, const struct shown *shown, int64_t time_ns)
{
    struct staple_record staple;
    struct staple_verdict verdict;
    if (shown->other[PART_STAPLE] == NULL)
        return;
    staple_parse(lasting_kept.strings, shown->other[PART_STAPLE], shown->len[PART_STAPLE], &staple);
    if (shown->count == 0)
        return;
    staple_verify(verifier, &staple, shown->chain, shown->count, time_ns, &verdict);
    check(verdict.fault <= STAPLE_STALE && staple_fault_at(&verdict, time_ns) <= STAPLE_STALE);
    check(!verdict.is_verified || staple.parse_error == NULL);
}

static void check_timestamps(const uint8_t *bytes, size_t len)
{
    uint32_t count = 1;
    const char *logs = bytes != NULL ? sct_list_read(cur_of(bytes, len), lasting_kept.strings, &count) : NULL;
    check(bytes == NULL || (logs == NULL) == (count == 0));
}

/* Signed over randoms of 0 to 63 (tests/unit/make_tlcp_data.py). */
static void check_exchange(const struct shown *shown)
{
    static const uint16_t suites[] = {0xe013, 0xe011};
    uint8_t randoms[64];
    if (shown->count < 2 || shown->len[PART_EXCHANGE] == 0)
        return;
    for (unsigned i = 0; i < sizeof randoms; i++)
        randoms[i] = (uint8_t)i;
    const uint8_t *body = shown->other[PART_EXCHANGE];
    const struct tlcp_exchange exchange = {randoms, shown->chain[0], shown->chain[1],
                                           cur_of(body, shown->len[PART_EXCHANGE]),
                                           suites[body[0] == 3]}; /* a named curve: ephemeral keys */
    check(tlcp_check_signature(&exchange) <= TLS_SIGNATURE_WRONG);
}

static void check_chain(const struct chain_verifier *verifier, const struct shown *shown, int64_t time_ns,
                        bool is_trusted)
{
    struct chain_verdict verdict;
    if (shown->count == 0)
        return;
    chain_verify(verifier, shown->chain, shown->count, time_ns, &verdict);
    check(verdict.status <= CHAIN_UNTRUSTED && verdict.same_from_ns <= verdict.same_to_ns);
    check(verdict.status != CHAIN_VERIFIED || is_trusted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shown shown = {0};
    if (size < 1)
        return 0;
    (void)lasting_begin();
    read_parts(data + 1, size - 1, &shown);
    for (size_t i = 0; i < shown.count; i++)
        check_record(shown.chain[i]);
    bool trusts = (data[0] & 1) != 0 && shown.count > 0;
    struct trust_store *store = store_of(trusts ? shown.chain[shown.count - 1] : NULL);
    struct chain_verifier *verifier = chain_verifier_new(store);
    check(verifier != NULL);
    for (size_t i = 0; i < shown.count; i++)
        chain_verifier_learn(verifier, shown.chain[i]);
    int64_t time_ns = (data[0] >> 1) * 31557600LL * 1000000000LL;
    check_chain(verifier, &shown, time_ns, trust_store_count(store) == 1);
    check_staple(verifier, &shown, time_ns);
    check_timestamps(shown.other[PART_TIMESTAMPS], shown.len[PART_TIMESTAMPS]);
    check_exchange(&shown);
    chain_verifier_free(verifier);
    trust_store_free(store);
    for (size_t i = 0; i < 4; i++)
        free(shown.other[i]);
    return 0;
}
