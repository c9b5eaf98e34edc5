#include "trust/chain.h"

#include "core/limits.h"
#include "trust/chain_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define SECOND_NS 1000000000LL

/* One chain while it is judged: sent[i] and records[i] are the same certificate. */
struct sent {
    X509 *items[LIMIT_TRUST_DEPTH];
    const struct certificate_record *records[LIMIT_TRUST_DEPTH];
    size_t count;
};

/* A way from the server's own certificate upwards, borrowed. */
struct way {
    X509 *items[LIMIT_TRUST_DEPTH];
    const struct certificate_record *records[LIMIT_TRUST_DEPTH]; /* NULL: of the named store */
    bool learnt[LIMIT_TRUST_DEPTH];
    size_t count;
    bool ends_itself; /* the last one signs itself */
};

struct chain_verifier *chain_verifier_new(const struct trust_store *store)
{
    struct chain_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL || trust_store_count(store) == 0)
        return verifier;
    verifier->store = store;
    verifier->anchors = X509_STORE_new();
    bool ok = verifier->anchors != NULL;
    for (size_t i = 0; ok && i < store->count; i++)
        ok = X509_STORE_add_cert(verifier->anchors, store->items[i]) == 1;
    if (!ok) {
        chain_verifier_free(verifier);
        return NULL;
    }
    return verifier;
}

void chain_verifier_free(struct chain_verifier *verifier)
{
    if (verifier == NULL)
        return;
    for (size_t i = 0; i < verifier->learnt_count; i++)
        X509_free(verifier->learnt[i].certificate);
    free(verifier->learnt);
    X509_STORE_free(verifier->anchors);
    free(verifier);
}

void chain_verifier_learn(struct chain_verifier *v, const struct certificate_record *record)
{
    if (!record->is_ca || record->parse_error != NULL || record->der == NULL ||
        v->learnt_count >= LIMIT_TRUST_LEARNT)
        return;
    if (v->learnt_count == v->learnt_capacity) {
        size_t capacity = v->learnt_capacity == 0 ? 32 : 2 * v->learnt_capacity;
        struct authority *learnt = realloc(v->learnt, capacity * sizeof *learnt);
        if (learnt == NULL)
            return;
        v->learnt = learnt;
        v->learnt_capacity = capacity;
    }
    X509 *certificate = trust_parse(record->der, (size_t)record->der_len);
    if (certificate != NULL)
        v->learnt[v->learnt_count++] = (struct authority){certificate, record};
}

/* ---- what was sent --------------------------------------------------------------------------- */

static void parse_sent(const struct certificate_record *const *records, size_t count,
                       struct sent *out)
{
    out->count = 0;
    for (size_t i = 0; i < count && out->count < LIMIT_TRUST_DEPTH; i++) {
        X509 *certificate = records[i]->der != NULL
                                ? trust_parse(records[i]->der, (size_t)records[i]->der_len)
                                : NULL;
        if (certificate == NULL) {
            if (i == 0)
                return;
            continue;
        }
        out->items[out->count] = certificate;
        out->records[out->count++] = records[i];
    }
}

static void free_sent(struct sent *sent)
{
    for (size_t i = 0; i < sent->count; i++)
        X509_free(sent->items[i]);
}

static bool issued(X509 *issuer, X509 *subject)
{
    return X509_check_issued(issuer, subject) == X509_V_OK;
}

/* GB/T 38636 6.4.5.3: the encryption certificate stands behind the signing one, for the same subject
 * and of the same issuer. */
static bool is_twin(X509 *a, X509 *b)
{
    return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
           X509_NAME_cmp(X509_get_issuer_name(a), X509_get_issuer_name(b)) == 0 &&
           X509_cmp(a, b) != 0 && X509_check_ca(b) == 0;
}

static bool is_in_order(const struct sent *sent)
{
    size_t before = 0;
    for (size_t i = 1; i < sent->count; i++) {
        if (i == 1 && is_twin(sent->items[0], sent->items[1]))
            continue;
        if (!issued(sent->items[i], sent->items[before]))
            return false;
        before = i;
    }
    return true;
}

/* ---- the way up without a store -------------------------------------------------------------- */

static bool holds(const struct way *way, X509 *certificate)
{
    for (size_t i = 0; i < way->count; i++) {
        if (X509_cmp(way->items[i], certificate) == 0)
            return true;
    }
    return false;
}

static void append(struct way *way, X509 *item, const struct certificate_record *record,
                   bool learnt)
{
    way->items[way->count] = item;
    way->records[way->count] = record;
    way->learnt[way->count++] = learnt;
}

/* The next one upwards: of what was sent, else of what was learnt. */
static bool climb(const struct chain_verifier *v, const struct sent *sent, bool may_learn,
                  struct way *way)
{
    X509 *last = way->items[way->count - 1];
    for (size_t i = 0; i < sent->count; i++) {
        if (issued(sent->items[i], last) && !holds(way, sent->items[i])) {
            append(way, sent->items[i], sent->records[i], false);
            return true;
        }
    }
    for (size_t i = 0; may_learn && i < v->learnt_count; i++) {
        const struct authority *a = &v->learnt[i];
        if (issued(a->certificate, last) && !holds(way, a->certificate)) {
            append(way, a->certificate, a->record, true);
            return true;
        }
    }
    return false;
}

static void find_way(const struct chain_verifier *v, const struct sent *sent, bool may_learn,
                     struct way *way)
{
    way->count = 0;
    append(way, sent->items[0], sent->records[0], false);
    do {
        X509 *last = way->items[way->count - 1];
        way->ends_itself = issued(last, last);
    } while (!way->ends_itself && way->count < LIMIT_TRUST_DEPTH && climb(v, sent, may_learn, way));
}

/* ---- verifying ------------------------------------------------------------------------------- */

struct result {
    int error;
    uint32_t depth;
    struct way way; /* with its items borrowed from what was given */
};

static const struct certificate_record *record_of(const struct chain_verifier *v,
                                                  const struct sent *sent, X509 *certificate,
                                                  bool *learnt)
{
    *learnt = false;
    for (size_t i = 0; i < sent->count; i++) {
        if (X509_cmp(sent->items[i], certificate) == 0)
            return sent->records[i];
    }
    for (size_t i = 0; i < v->learnt_count; i++) {
        if (X509_cmp(v->learnt[i].certificate, certificate) == 0) {
            *learnt = true;
            return v->learnt[i].record;
        }
    }
    return NULL;
}

/* What OpenSSL built; its certificates live on in what was given to it. */
static void take_way(const struct chain_verifier *v, const struct sent *sent, X509_STORE_CTX *context,
                     struct way *way)
{
    STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(context);
    way->count = 0;
    for (int i = 0; i < sk_X509_num(built) && way->count < LIMIT_TRUST_DEPTH; i++) {
        bool learnt;
        X509 *item = sk_X509_value(built, i);
        const struct certificate_record *record = record_of(v, sent, item, &learnt);
        append(way, item, record, learnt);
    }
    way->ends_itself =
        way->count > 0 && issued(way->items[way->count - 1], way->items[way->count - 1]);
}

/* RFC 5280 6.1 by OpenSSL, as a TLS client would: for the purpose of a server, at that second. */
static void verify(const struct chain_verifier *v, X509_STORE *anchors, const struct sent *sent,
                   STACK_OF(X509) *between, int64_t seconds, unsigned long flags,
                   struct result *out)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    memset(out, 0, sizeof *out);
    out->error = X509_V_ERR_OUT_OF_MEM;
    if (context == NULL || X509_STORE_CTX_init(context, anchors, sent->items[0], between) != 1) {
        X509_STORE_CTX_free(context);
        return;
    }
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(rules, (time_t)seconds);
    (void)X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN | flags);
    (void)X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    int ok = X509_verify_cert(context);
    out->error = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    out->depth = (uint32_t)X509_STORE_CTX_get_error_depth(context);
    take_way(v, sent, context, &out->way);
    X509_STORE_CTX_free(context);
}

static STACK_OF(X509) *stack_of_sent(const struct sent *sent)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 1; stack != NULL && i < sent->count; i++)
        (void)sk_X509_push(stack, sent->items[i]);
    return stack;
}

static bool lacks_issuer(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
}

/* The server's own dates have findings of their own: what else is wrong with the chain? */
static bool is_own_date(const struct result *result)
{
    return result->depth == 0 && (result->error == X509_V_ERR_CERT_HAS_EXPIRED ||
                                  result->error == X509_V_ERR_CERT_NOT_YET_VALID);
}

static void verify_twice(const struct chain_verifier *v, X509_STORE *anchors,
                         const struct sent *sent, STACK_OF(X509) *between, int64_t seconds,
                         struct result *out)
{
    verify(v, anchors, sent, between, seconds, 0, out);
    if (!is_own_date(out))
        return;
    struct result undated;
    verify(v, anchors, sent, between, seconds, X509_V_FLAG_NO_CHECK_TIME, &undated);
    if (undated.error != X509_V_OK)
        *out = undated;
}

/* The way ends at an intermediate of the store that was not sent, with its root in the store, too:
 * clients know the root alone. */
static bool ends_below_root(const struct chain_verifier *v, const struct way *way)
{
    X509 *top = way->count > 0 ? way->items[way->count - 1] : NULL;
    if (top == NULL || way->ends_itself || way->records[way->count - 1] != NULL)
        return false;
    for (size_t i = 0; i < v->store->count; i++) {
        X509 *item = v->store->items[i];
        if (issued(item, top) && issued(item, item))
            return true;
    }
    return false;
}

static void judge_by_store(const struct chain_verifier *v, const struct sent *sent, int64_t seconds,
                           struct result *result, struct chain_verdict *out)
{
    STACK_OF(X509) *between = stack_of_sent(sent);
    if (between == NULL)
        return;
    verify_twice(v, v->anchors, sent, between, seconds, result);
    bool verifies = result->error == X509_V_OK || is_own_date(result);
    out->status = !verifies                              ? CHAIN_UNTRUSTED
                  : ends_below_root(v, &result->way) ? CHAIN_INCOMPLETE
                                                     : CHAIN_VERIFIED;
    if (lacks_issuer(result->error) && v->learnt_count > 0) {
        struct result more;
        for (size_t i = 0; i < v->learnt_count; i++)
            (void)sk_X509_push(between, v->learnt[i].certificate);
        verify_twice(v, v->anchors, sent, between, seconds, &more);
        if (more.error == X509_V_OK || is_own_date(&more)) {
            out->status = CHAIN_INCOMPLETE;
            result->way = more.way;
        }
    }
    out->is_anchored = out->status == CHAIN_VERIFIED || out->status == CHAIN_INCOMPLETE;
    sk_X509_free(between);
}

/* The last certificate of the way is taken for granted, whatever it is. */
static void judge_alone(const struct chain_verifier *v, const struct sent *sent, int64_t seconds,
                        struct result *result, struct chain_verdict *out)
{
    memset(result, 0, sizeof *result);
    find_way(v, sent, true, &result->way);
    struct way way = result->way;
    out->is_anchored = way.ends_itself;
    out->status = CHAIN_NOT_JUDGED;
    if (way.count < 2)
        return;
    X509_STORE *last = X509_STORE_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    if (last != NULL && between != NULL &&
        X509_STORE_add_cert(last, way.items[way.count - 1]) == 1) {
        for (size_t i = 1; i + 1 < way.count; i++)
            (void)sk_X509_push(between, way.items[i]);
        verify_twice(v, last, sent, between, seconds, result);
        out->status = result->error == X509_V_OK || is_own_date(result) ? CHAIN_CONSISTENT
                                                                        : CHAIN_BROKEN;
        result->way = way;
    }
    sk_X509_free(between);
    X509_STORE_free(last);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static int64_t ns_of(const ASN1_TIME *time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return INT64_MAX;
    int64_t seconds = timegm(&parts);
    return seconds > INT64_MAX / SECOND_NS ? INT64_MAX : seconds * SECOND_NS;
}

static void narrow(struct chain_verdict *out, int64_t time_ns, int64_t change_ns)
{
    if (change_ns <= time_ns && change_ns > out->same_from_ns)
        out->same_from_ns = change_ns;
    if (change_ns > time_ns && change_ns < out->same_to_ns)
        out->same_to_ns = change_ns;
}

static void narrow_by(struct chain_verdict *out, int64_t time_ns, X509 *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        narrow(out, time_ns, ns_of(X509_get0_notBefore(items[i])));
        narrow(out, time_ns, ns_of(X509_get0_notAfter(items[i])));
    }
}

static bool is_intermediate(const struct certificate_record *record)
{
    return record != NULL && record->is_ca && !record->self_signed;
}

/* Where the way leaves what was sent for a learnt intermediate. A root that nobody sent is no fault
 * (RFC 8446 4.4.2), and a cross-signed root may stand in every client's store: without a named store
 * only a missing issuer of the server's own certificate counts. */
static bool lacks_intermediate(const struct way *way)
{
    for (size_t i = 1; i < way->count; i++) {
        if (way->learnt[i])
            return i == 1 && is_intermediate(way->records[i]);
    }
    return false;
}

static void describe_way(const struct way *way, struct chain_verdict *out)
{
    out->path_len = (uint32_t)way->count;
    for (size_t i = 0; i < way->count; i++)
        out->learnt += way->learnt[i];
    for (size_t i = way->count; i > 0 && out->top == NULL; i--)
        out->top = way->records[i - 1] != NULL ? way->records[i - 1]->issuer : NULL;
    out->lacks_intermediate =
        out->status == CHAIN_INCOMPLETE ||
        ((out->status == CHAIN_CONSISTENT || out->status == CHAIN_BROKEN) &&
         lacks_intermediate(way));
}

void chain_verify(const struct chain_verifier *verifier,
                  const struct certificate_record *const *sent, size_t count, int64_t time_ns,
                  struct chain_verdict *out)
{
    struct sent parsed;
    struct result result = {0};
    *out = (struct chain_verdict){
        .same_from_ns = INT64_MIN, .same_to_ns = INT64_MAX, .in_order = count <= 1};
    parse_sent(sent, count, &parsed);
    if (parsed.count == 0) {
        ERR_clear_error();
        return;
    }
    out->in_order = is_in_order(&parsed);
    int64_t seconds = time_ns / SECOND_NS;
    if (verifier->anchors != NULL)
        judge_by_store(verifier, &parsed, seconds, &result, out);
    else
        judge_alone(verifier, &parsed, seconds, &result, out);
    out->error = result.error;
    out->error_depth = result.error != X509_V_OK ? result.depth : 0;
    out->reason = chain_error_words(result.error);
    out->is_strange_root = result.error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
    describe_way(&result.way, out);
    narrow_by(out, time_ns, parsed.items, parsed.count);
    narrow_by(out, time_ns, result.way.items, result.way.count);
    free_sent(&parsed);
    ERR_clear_error();
}

const char *chain_error_words(int error)
{
    static const struct {
        int error;
        const char *words;
    } rows[] = {
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "its issuer is not known"},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "its issuer is not in the trust store"},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "its issuer is not in the trust store"},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE, "a signature is wrong"},
        {X509_V_ERR_CERT_NOT_YET_VALID, "a certificate of the chain is not valid yet"},
        {X509_V_ERR_CERT_HAS_EXPIRED, "a certificate of the chain has expired"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "signed by itself"},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "its root is not in the trust store"},
        {X509_V_ERR_CERT_CHAIN_TOO_LONG, "the chain is too long"},
        {X509_V_ERR_CERT_UNTRUSTED, "not trusted for servers"},
        {X509_V_ERR_CERT_REJECTED, "rejected by the trust store"},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, "more authorities than the path length allows"},
        {X509_V_ERR_INVALID_PURPOSE, "a certificate is not meant for this purpose"},
        {X509_V_ERR_INVALID_CA, "an issuer of the chain is no authority"},
        {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "an issuer of the chain may not sign certificates"},
        {X509_V_ERR_PERMITTED_VIOLATION, "a name outside what its authority may certify"},
        {X509_V_ERR_EXCLUDED_VIOLATION, "a name that its authority may not certify"},
        {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "a critical extension that nobody knows"},
        {X509_V_ERR_NO_ISSUER_PUBLIC_KEY, "the key of an issuer cannot be read"},
    };
    if (error == X509_V_OK)
        return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].error == error)
            return rows[i].words;
    }
    return X509_verify_cert_error_string(error);
}
