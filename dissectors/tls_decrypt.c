#include "dissectors/tls_decrypt.h"

#include "dissectors/names.h"
#include "dissectors/tls_suites.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_MAX = 32,
    IV_MAX = 16,
    MAC_MAX = 48,
    AEAD_IV = 12,
    SALT = 4,     /* implicit part of the nonce of GCM and CCM, TLS 1.2 */
    EXPLICIT = 8, /* and its explicit part */
    TAG_MAX = 16,
    HEADER = 5,
    LABEL_MAX = 24
};

struct tls_opener {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
    struct tls_suite suite;
    bool is_13, encrypt_then_mac, explicit_iv;
    uint64_t sequence;
    uint8_t secret[TLS_SECRET_MAX]; /* TLS 1.3 */
    size_t secret_len;
    uint8_t iv[IV_MAX];
    size_t block;
    uint8_t mac_key[MAC_MAX];
    size_t mac_len;
};

/* ---- keys
 * ------------------------------------------------------------------------------------------ */

static const EVP_MD *digest_named(const char *name)
{
    return EVP_get_digestbyname(name);
}

/* HKDF-Expand-Label with an empty context (RFC 8446 7.1); at most one block of the hash. */
static bool expand(const EVP_MD *hash, const uint8_t *secret, size_t secret_len, const char *label,
                   uint8_t *out, size_t out_len)
{
    uint8_t info[4 + 6 + LABEL_MAX + 1], block[EVP_MAX_MD_SIZE];
    size_t label_len = strlen(label), at = 0;
    info[at++] = 0;
    info[at++] = (uint8_t)out_len;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0; /* context */
    info[at++] = 1; /* first block */
    bool ok = HMAC(hash, secret, (int)secret_len, info, at, block, NULL) != NULL;
    if (ok)
        memcpy(out, block, out_len);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

static bool use_key(struct tls_opener *o, const uint8_t *key, const uint8_t *iv)
{
    if (o->suite.mode == TLS_MODE_NULL)
        return true;
    int iv_len = EVP_CIPHER_CTX_get_iv_length(o->context);
    if (o->suite.mode == TLS_MODE_CBC)
        return EVP_DecryptInit_ex(o->context, NULL, NULL, key, iv) == 1 &&
               EVP_CIPHER_CTX_set_padding(o->context, 0) == 1;
    if (iv_len != AEAD_IV &&
        EVP_CIPHER_CTX_ctrl(o->context, EVP_CTRL_AEAD_SET_IVLEN, AEAD_IV, NULL) != 1)
        return false;
    if (o->suite.mode == TLS_MODE_CCM &&
        EVP_CIPHER_CTX_ctrl(o->context, EVP_CTRL_AEAD_SET_TAG, (int)o->suite.tag_len, NULL) != 1)
        return false;
    return EVP_DecryptInit_ex(o->context, NULL, NULL, key, NULL) == 1;
}

static bool use_secret(struct tls_opener *o)
{
    const EVP_MD *hash = digest_named(o->suite.hash);
    uint8_t key[KEY_MAX];
    bool ok = hash != NULL && (size_t)EVP_MD_get_size(hash) == o->secret_len &&
              expand(hash, o->secret, o->secret_len, "key", key, o->suite.key_len) &&
              expand(hash, o->secret, o->secret_len, "iv", o->iv, AEAD_IV) && use_key(o, key, NULL);
    o->sequence = 0;
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

/* An opener with its cipher, no keys yet. */
static struct tls_opener *make_opener(uint16_t cipher)
{
    struct tls_suite suite;
    if (!tls_suite_read(cipher, &suite))
        return NULL;
    struct tls_opener *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->suite = suite;
    if (suite.mode == TLS_MODE_NULL)
        return o;
    o->cipher = EVP_CIPHER_fetch(NULL, suite.cipher, NULL);
    o->context = EVP_CIPHER_CTX_new();
    if (o->cipher == NULL || o->context == NULL ||
        EVP_DecryptInit_ex(o->context, o->cipher, NULL, NULL, NULL) != 1) {
        tls_opener_free(o);
        return NULL;
    }
    o->block = (size_t)EVP_CIPHER_get_block_size(o->cipher);
    return o;
}

void tls_opener_free(struct tls_opener *o)
{
    if (o == NULL)
        return;
    EVP_CIPHER_CTX_free(o->context);
    EVP_CIPHER_free(o->cipher);
    OPENSSL_cleanse(o, sizeof *o);
    free(o);
}

bool tls_opener_can(uint16_t cipher)
{
    struct tls_opener *o = make_opener(cipher);
    tls_opener_free(o);
    return o != NULL;
}

struct tls_opener *tls_opener_new_13(uint16_t cipher, const uint8_t *secret, size_t len)
{
    struct tls_opener *o = len <= TLS_SECRET_MAX ? make_opener(cipher) : NULL;
    if (o == NULL)
        return NULL;
    o->is_13 = true;
    memcpy(o->secret, secret, len);
    o->secret_len = len;
    bool aead = o->suite.mode != TLS_MODE_CBC && o->suite.mode != TLS_MODE_NULL;
    if (aead && use_secret(o))
        return o;
    tls_opener_free(o);
    return NULL;
}

bool tls_opener_update(struct tls_opener *o)
{
    const EVP_MD *hash = digest_named(o->suite.hash);
    uint8_t next[TLS_SECRET_MAX];
    if (!o->is_13 || !expand(hash, o->secret, o->secret_len, "traffic upd", next, o->secret_len))
        return false;
    memcpy(o->secret, next, o->secret_len);
    OPENSSL_cleanse(next, sizeof next);
    return use_secret(o);
}

/* The PRF's hash: MD5 and SHA-1 together before TLS 1.2 (RFC 2246 5), SM3 in TLCP. */
static const char *prf_hash(const struct tls_session_12 *session, const struct tls_suite *suite)
{
    if (session->version == TLS_VERSION_TLCP)
        return "SM3";
    if (session->version < TLS_VERSION_12)
        return "MD5-SHA1";
    return strcmp(suite->hash, "SHA384") == 0 ? "SHA384" : "SHA256";
}

/* key_block = PRF(master, "key expansion" | server random | client random) */
static bool expand_keys(const struct tls_session_12 *session, const char *hash, uint8_t *out,
                        size_t out_len)
{
    uint8_t seed[13 + 2 * TLS_RANDOM], master[48];
    char digest[16];
    (void)snprintf(digest, sizeof digest, "%s", hash);
    memcpy(master, session->master, sizeof master);
    memcpy(seed, "key expansion", 13);
    memcpy(seed + 13, session->server_random, TLS_RANDOM);
    memcpy(seed + 13 + TLS_RANDOM, session->client_random, TLS_RANDOM);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof master),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
        OSSL_PARAM_construct_end(),
    };
    bool ok = context != NULL && EVP_KDF_derive(context, out, out_len, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    OPENSSL_cleanse(master, sizeof master);
    return ok;
}

/* Lengths of what the key block holds per role. */
static void measure(struct tls_opener *o, size_t *iv_len)
{
    bool has_mac = o->suite.mode == TLS_MODE_CBC || o->suite.mode == TLS_MODE_NULL;
    const EVP_MD *hash = has_mac ? digest_named(o->suite.hash) : NULL;
    o->mac_len = hash != NULL ? (size_t)EVP_MD_get_size(hash) : 0;
    switch (o->suite.mode) {
    case TLS_MODE_GCM:
    case TLS_MODE_CCM:
        *iv_len = SALT;
        return;
    case TLS_MODE_CHACHA:
        *iv_len = AEAD_IV;
        return;
    case TLS_MODE_CBC:
        *iv_len = o->block;
        return;
    case TLS_MODE_NULL:
        *iv_len = 0;
        return;
    }
}

struct tls_opener *tls_opener_new_12(const struct tls_session_12 *session, enum side role)
{
    uint8_t block[2 * (MAC_MAX + KEY_MAX + IV_MAX)];
    bool is_ssl = session->version < TLS_VERSION_10 && session->version != TLS_VERSION_TLCP;
    struct tls_opener *o = is_ssl ? NULL : make_opener(session->cipher);
    if (o == NULL)
        return NULL;
    size_t iv_len = 0, at = role == SIDE_SERVER ? 1 : 0, key_len = o->suite.key_len;
    measure(o, &iv_len);
    bool has_mac = o->suite.mode == TLS_MODE_CBC || o->suite.mode == TLS_MODE_NULL;
    o->encrypt_then_mac = session->encrypt_then_mac && o->suite.mode == TLS_MODE_CBC;
    o->explicit_iv = session->version >= TLS_VERSION_11 || session->version == TLS_VERSION_TLCP;
    bool ok = (o->mac_len > 0 || !has_mac) && o->mac_len <= MAC_MAX && iv_len <= IV_MAX &&
              expand_keys(session, prf_hash(session, &o->suite), block,
                          2 * (o->mac_len + key_len + iv_len));
    if (ok) {
        const uint8_t *keys = block + 2 * o->mac_len, *ivs = keys + 2 * key_len;
        memcpy(o->mac_key, block + at * o->mac_len, o->mac_len);
        memcpy(o->iv, ivs + at * iv_len, iv_len);
        ok = use_key(o, keys + at * key_len, o->iv);
    }
    OPENSSL_cleanse(block, sizeof block);
    if (ok)
        return o;
    tls_opener_free(o);
    return NULL;
}

/* ---- records
 * --------------------------------------------------------------------------------------- */

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* The record's sequence number, type, version and length of what follows (RFC 5246 6.2.3.1). */
static void put_pseudo_header(const struct tls_opener *o, const uint8_t header[5], size_t len,
                              uint8_t out[13])
{
    put_u64(out, o->sequence);
    memcpy(out + 8, header, 3);
    out[11] = (uint8_t)(len >> 8);
    out[12] = (uint8_t)len;
}

static void make_nonce(const struct tls_opener *o, const uint8_t *fragment, uint8_t nonce[AEAD_IV])
{
    uint8_t sequence[8];
    memcpy(nonce, o->iv, AEAD_IV);
    if (!o->is_13 && o->suite.mode != TLS_MODE_CHACHA) {
        memcpy(nonce + SALT, fragment, EXPLICIT);
        return;
    }
    put_u64(sequence, o->sequence);
    for (int i = 0; i < 8; i++)
        nonce[AEAD_IV - 8 + i] ^= sequence[i];
}

static bool open_aead(struct tls_opener *o, const uint8_t header[5], const uint8_t *fragment,
                      size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t nonce[AEAD_IV], tag[TAG_MAX], aad[13];
    bool has_explicit = !o->is_13 && o->suite.mode != TLS_MODE_CHACHA;
    size_t front = has_explicit ? EXPLICIT : 0, tag_len = o->suite.tag_len;
    if (len < front + tag_len)
        return false;
    size_t text = len - front - tag_len;
    int aad_len = o->is_13 ? HEADER : 13, done = 0, more = 0;
    make_nonce(o, fragment, nonce);
    memcpy(tag, fragment + front + text, tag_len);
    if (o->is_13)
        memcpy(aad, header, HEADER);
    else
        put_pseudo_header(o, header, text, aad);
    EVP_CIPHER_CTX *c = o->context;
    bool ccm = o->suite.mode == TLS_MODE_CCM;
    bool ok = !ccm || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)tag_len, tag) == 1;
    ok = ok && EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) == 1;
    if (ccm) /* it wants the length first, and checks the tag with the text */
        ok = ok && EVP_DecryptUpdate(c, NULL, &done, NULL, (int)text) == 1;
    ok = ok && EVP_DecryptUpdate(c, NULL, &done, aad, aad_len) == 1 &&
         EVP_DecryptUpdate(c, out, &done, fragment + front, (int)text) == 1;
    if (!ccm)
        ok = ok && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)tag_len, tag) == 1 &&
             EVP_DecryptFinal_ex(c, out + text, &more) == 1;
    *out_len = text;
    return ok;
}

/* TLS 1.3: text, type, zeros. */
static bool strip_inner(const uint8_t *out, size_t *len, uint8_t *type)
{
    size_t end = *len;
    while (end > 0 && out[end - 1] == 0)
        end--;
    if (end == 0)
        return false;
    *type = out[end - 1];
    *len = end - 1;
    return true;
}

static bool is_mac_of(const struct tls_opener *o, const uint8_t header[5], const uint8_t *bytes,
                      size_t len, const uint8_t *mac)
{
    uint8_t front[13], made[EVP_MAX_MD_SIZE];
    size_t made_len = 0;
    put_pseudo_header(o, header, len, front);
    char hash[16];
    (void)snprintf(hash, sizeof hash, "%s", o->suite.hash);
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = kind != NULL ? EVP_MAC_CTX_new(kind) : NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
                           OSSL_PARAM_construct_end()};
    bool ok = c != NULL && EVP_MAC_init(c, o->mac_key, o->mac_len, params) == 1 &&
              EVP_MAC_update(c, front, sizeof front) == 1 && EVP_MAC_update(c, bytes, len) == 1 &&
              EVP_MAC_final(c, made, &made_len, sizeof made) == 1;
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(kind);
    return ok && made_len == o->mac_len && CRYPTO_memcmp(made, mac, made_len) == 0;
}

/* Every byte of the padding holds its length (RFC 5246 6.2.3.2). */
static bool strip_padding(const uint8_t *out, size_t *len)
{
    size_t padding = *len > 0 ? (size_t)out[*len - 1] + 1 : 0;
    if (padding == 0 || padding > *len)
        return false;
    for (size_t i = 1; i <= padding; i++) {
        if (out[*len - i] != padding - 1)
            return false;
    }
    *len -= padding;
    return true;
}

/* The IV stands in front, or is the last block of the record before (TLS 1.0). That is kept only when
 * the record was authentic. */
static bool open_cbc(struct tls_opener *o, const uint8_t header[5], const uint8_t *fragment,
                     size_t len, uint8_t *out, size_t *out_len)
{
    size_t front = o->explicit_iv ? o->block : 0, back = o->encrypt_then_mac ? o->mac_len : 0;
    int done = 0;
    if (len < front + o->block + back || (len - front - back) % o->block != 0)
        return false;
    if (o->encrypt_then_mac && !is_mac_of(o, header, fragment, len - back, fragment + len - back))
        return false;
    size_t text = len - front - back;
    const uint8_t *iv = o->explicit_iv ? fragment : o->iv;
    if (EVP_DecryptInit_ex(o->context, NULL, NULL, NULL, iv) != 1 ||
        EVP_DecryptUpdate(o->context, out, &done, fragment + front, (int)text) != 1 ||
        (size_t)done != text || !strip_padding(out, &text))
        return false;
    if (!o->encrypt_then_mac) {
        if (text < o->mac_len)
            return false;
        text -= o->mac_len;
        if (!is_mac_of(o, header, out, text, out + text))
            return false;
    }
    if (!o->explicit_iv)
        memcpy(o->iv, fragment + len - back - o->block, o->block);
    *out_len = text;
    return true;
}

static bool open_null(struct tls_opener *o, const uint8_t header[5], const uint8_t *fragment,
                      size_t len, uint8_t *out, size_t *out_len)
{
    if (len < o->mac_len)
        return false;
    *out_len = len - o->mac_len;
    memcpy(out, fragment, *out_len);
    return is_mac_of(o, header, out, *out_len, fragment + *out_len);
}

bool tls_opener_open(struct tls_opener *o, const uint8_t header[5], const uint8_t *fragment,
                     size_t len, uint8_t *out, size_t *out_len, uint8_t *type)
{
    bool ok = false;
    *out_len = 0;
    if (len > TLS_KEYS_SCRATCH)
        return false;
    *type = header[0];
    switch (o->suite.mode) {
    case TLS_MODE_GCM:
    case TLS_MODE_CCM:
    case TLS_MODE_CHACHA:
        ok = open_aead(o, header, fragment, len, out, out_len);
        break;
    case TLS_MODE_CBC:
        ok = open_cbc(o, header, fragment, len, out, out_len);
        break;
    case TLS_MODE_NULL:
        ok = open_null(o, header, fragment, len, out, out_len);
        break;
    }
    if (ok && o->is_13)
        ok = strip_inner(out, out_len, type);
    o->sequence += ok;
    if (!ok)
        *out_len = 0;
    return ok;
}
