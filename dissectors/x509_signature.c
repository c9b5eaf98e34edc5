#include "dissectors/x509_signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string.h>

enum {
    ECDHE_CBC = 0xe011,
    ECDHE_GCM = 0xe051,
    ECC_CBC = 0xe013,
    ECC_GCM = 0xe053,
    NAMED_CURVE = 3,
    ALGORITHM_LEN = 2,
    RANDOMS = 64 /* two of them */
};

/* GB/T 35276: the signer's id when nothing else is agreed. */
#define SM2_ID "1234567812345678"

/* The bytes that are signed, in up to three pieces behind the randoms. */
struct covered {
    uint8_t length[3];
    size_t length_len;
    const uint8_t *bytes;
    size_t len;
};

static EVP_PKEY *key_of(const struct certificate_record *record)
{
    const unsigned char *at = record->der;
    X509 *certificate = at != NULL ? d2i_X509(NULL, &at, (long)record->der_len) : NULL;
    EVP_PKEY *key = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    if (key == NULL || EVP_PKEY_is_a(key, "SM2"))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool is_signed(EVP_PKEY *key, const uint8_t *randoms, const struct covered *what,
                      struct cursor signature)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool ok = digest != NULL && context != NULL &&
              EVP_PKEY_CTX_set1_id(context, SM2_ID, (int)(sizeof SM2_ID - 1)) == 1;
    if (ok) {
        EVP_MD_CTX_set_pkey_ctx(digest, context);
        ok = EVP_DigestVerifyInit(digest, NULL, EVP_sm3(), NULL, key) == 1 &&
             EVP_DigestVerifyUpdate(digest, randoms, RANDOMS) == 1 &&
             EVP_DigestVerifyUpdate(digest, what->length, what->length_len) == 1 &&
             EVP_DigestVerifyUpdate(digest, what->bytes, what->len) == 1 &&
             EVP_DigestVerifyFinal(digest, signature.at, cur_left(&signature)) == 1;
    }
    EVP_MD_CTX_free(digest);
    EVP_PKEY_CTX_free(context);
    return ok;
}

static struct covered certificate_bytes(const struct certificate_record *c, bool with_length)
{
    size_t len = (size_t)c->der_len;
    struct covered out = {.length = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len},
                          .length_len = with_length ? 3 : 0, .bytes = c->der, .len = len};
    return out;
}

/* ECDHE: curve type, curve and point come first, and are what is signed. */
static bool cut_params(struct cursor *message, struct covered *out)
{
    const uint8_t *start = message->at;
    uint8_t type = cur_u8(message);
    cur_skip(message, 2);
    cur_skip(message, cur_u8(message));
    *out = (struct covered){.bytes = start, .len = (size_t)(message->at - start)};
    return cur_ok(message) && type == NAMED_CURVE;
}

/* The signature behind its length; *named: behind the algorithm, too, as TLS 1.2 has it. */
static bool cut_signature(struct cursor message, struct cursor *out, bool *named)
{
    struct cursor plain = message;
    *out = cur_cut(&plain, cur_u16(&plain));
    *named = false;
    if (cur_ok(&plain) && cur_left(&plain) == 0)
        return cur_left(out) > 0;
    cur_skip(&message, ALGORITHM_LEN);
    *out = cur_cut(&message, cur_u16(&message));
    *named = true;
    return cur_ok(&message) && cur_left(&message) == 0 && cur_left(out) > 0;
}

/* What else the signature could be: others got the standard wrong so. */
static enum tls_signature find_dialect(const struct tlcp_exchange *x, EVP_PKEY *key, EVP_PKEY *other,
                                       const struct covered *wanted, struct cursor signature)
{
    const struct covered bare = certificate_bytes(x->enc, false);
    const struct covered own = certificate_bytes(x->sign, true);
    if (is_signed(other, x->randoms, wanted, signature))
        return TLS_SIGNATURE_OTHER_KEY;
    if (wanted->length_len == 0)
        return TLS_SIGNATURE_WRONG;
    if (is_signed(key, x->randoms, &own, signature))
        return TLS_SIGNATURE_OTHER_CERTIFICATE;
    return is_signed(key, x->randoms, &bare, signature) ? TLS_SIGNATURE_OTHER_FORM
                                                        : TLS_SIGNATURE_WRONG;
}

enum tls_signature tlcp_check_signature(const struct tlcp_exchange *x)
{
    struct cursor message = x->message, signature;
    struct covered wanted = certificate_bytes(x->enc, true);
    enum tls_signature result = TLS_SIGNATURE_NONE;
    bool named, is_ephemeral = x->cipher == ECDHE_CBC || x->cipher == ECDHE_GCM;
    if (!is_ephemeral && x->cipher != ECC_CBC && x->cipher != ECC_GCM)
        return TLS_SIGNATURE_NONE;
    if ((is_ephemeral && !cut_params(&message, &wanted)) || !cut_signature(message, &signature, &named))
        return TLS_SIGNATURE_NONE;
    EVP_PKEY *key = key_of(x->sign), *other = key_of(x->enc);
    if (key != NULL && is_signed(key, x->randoms, &wanted, signature))
        result = named ? TLS_SIGNATURE_OTHER_FORM : TLS_SIGNATURE_VALID;
    else if (key != NULL)
        result = find_dialect(x, key, other, &wanted, signature);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    ERR_clear_error();
    return result;
}
