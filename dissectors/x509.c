#include "dissectors/x509.h"

#include "core/digest.h"
#include "core/json.h"
#include "core/limits.h"
#include "dissectors/x509_extensions.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* SAN text of one certificate; the largest honest lists (100 names of a CDN) need some 4 KiB. */
#define SAN_TEXT_MAX 65536u
/* GB/T 35276: the signer's id when nothing else is agreed. */
#define SM2_ID "1234567812345678"

/* ---- texts
 * ------------------------------------------------------------------------------------------ */

struct text {
    char *bytes;
    size_t len, capacity;
    bool full;
};

/* Appends one item after a comma, whole or not at all. Commas and control bytes inside a value
 * become
 * '?': a value must not look like two. */
static void text_add_item(struct text *text, const char *kind, const char *value, size_t len)
{
    size_t kind_len = strlen(kind);
    size_t need = text->len + 1 + kind_len + len + 1;
    if (text->full || need > SAN_TEXT_MAX) {
        text->full = true;
        return;
    }
    if (need > text->capacity) {
        size_t capacity = need * 2;
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            text->full = true;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    if (text->len > 0)
        text->bytes[text->len++] = ',';
    memcpy(text->bytes + text->len, kind, kind_len);
    text->len += kind_len;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        text->bytes[text->len++] = c < 0x20 || c == 0x7f || c == ',' ? '?' : (char)c;
    }
    text->bytes[text->len] = '\0';
}

static void add_address(struct text *text, const ASN1_OCTET_STRING *octets)
{
    char out[ADDRESS_TEXT_SIZE];
    const uint8_t *bytes = ASN1_STRING_get0_data(octets);
    int len = ASN1_STRING_length(octets);
    struct address address;
    if (len == 4)
        address = address_v4(bytes);
    else if (len == 16)
        address = address_v6(bytes);
    else
        return;
    address_to_text(&address, out);
    text_add_item(text, "IP:", out, strlen(out));
}

static void add_string(struct text *text, const char *kind, const ASN1_STRING *string)
{
    int len = ASN1_STRING_length(string);
    if (len > 0)
        text_add_item(text, kind, (const char *)ASN1_STRING_get0_data(string), (size_t)len);
}

static char *san_text(const X509 *certificate)
{
    struct text text = {0};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_string(&text, "DNS:", name->d.dNSName);
        else if (name->type == GEN_IPADD)
            add_address(&text, name->d.iPAddress);
        else if (name->type == GEN_EMAIL)
            add_string(&text, "email:", name->d.rfc822Name);
        else if (name->type == GEN_URI)
            add_string(&text, "URI:", name->d.uniformResourceIdentifier);
    }
    GENERAL_NAMES_free(names);
    for (size_t i = 0; i < text.len;) { /* IA5String is ASCII by its rules only */
        size_t size = utf8_length((const unsigned char *)&text.bytes[i]);
        if (size == 0)
            text.bytes[i] = '?';
        i += size > 0 ? size : 1;
    }
    return text.bytes;
}

/* RFC 4514 with UTF-8 as it is. */
static const char *name_text(struct intern *strings, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return NULL;
    const char *text = NULL;
    char *bytes = NULL;
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
        long len = BIO_get_mem_data(bio, &bytes);
        text = intern_bytes(strings, bytes, len > 0 ? (size_t)len : 0);
    }
    BIO_free(bio);
    return text;
}

/* The last (most particular) CN. */
static const char *common_name(struct intern *strings, const X509_NAME *name)
{
    int found = -1;
    for (int i = X509_NAME_get_index_by_NID(name, NID_commonName, -1); i >= 0;
         i = X509_NAME_get_index_by_NID(name, NID_commonName, i))
        found = i;
    if (found < 0)
        return NULL;
    unsigned char *utf8 = NULL;
    int len =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, found)));
    if (len < 0)
        return NULL;
    const char *text = intern_bytes(strings, (const char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
    return text;
}

static const char *serial_text(struct intern *strings, const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    const char *text = NULL;
    if (hex != NULL) {
        for (char *c = hex; *c != '\0'; c++)
            *c = (char)(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
        text = intern_text(strings, hex);
    }
    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

static const char *key_usage_text(struct intern *strings, X509 *certificate)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } usages[] = {
        {KU_DIGITAL_SIGNATURE, "digitalSignature"},
        {KU_NON_REPUDIATION, "nonRepudiation"},
        {KU_KEY_ENCIPHERMENT, "keyEncipherment"},
        {KU_DATA_ENCIPHERMENT, "dataEncipherment"},
        {KU_KEY_AGREEMENT, "keyAgreement"},
        {KU_KEY_CERT_SIGN, "keyCertSign"},
        {KU_CRL_SIGN, "cRLSign"},
        {KU_ENCIPHER_ONLY, "encipherOnly"},
        {KU_DECIPHER_ONLY, "decipherOnly"},
    };
    struct text text = {0};
    if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) == 0)
        return NULL;
    uint32_t bits = X509_get_key_usage(certificate);
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        if (bits & usages[i].bit)
            text_add_item(&text, "", usages[i].name, strlen(usages[i].name));
    }
    const char *out = intern_text(strings, text.bytes);
    free(text.bytes);
    return out;
}

/* ---- values
 * ------------------------------------------------------------------------------------------ */

/* ns since 1970; the ends of int64_t for years out of its range (9999-12-31 is usual). */
static int64_t time_of(const ASN1_TIME *time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return RECORD_NONE_NS;
    int64_t seconds = timegm(&parts);
    if (seconds > INT64_MAX / 1000000000)
        return INT64_MAX;
    if (seconds < INT64_MIN / 1000000000)
        return INT64_MIN;
    return seconds * 1000000000;
}

static int64_t exponent_of(const EVP_PKEY *key)
{
    BIGNUM *exponent = NULL;
    int64_t out = -1;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
        BN_num_bits(exponent) <= 62)
        out = (int64_t)BN_get_word(exponent);
    BN_free(exponent);
    return out;
}

static void read_key(struct intern *strings, const X509 *certificate,
                     struct certificate_record *out)
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    char group[64];
    size_t group_len = 0;
    if (key == NULL) {
        ASN1_OBJECT *algorithm = NULL;
        char name[128];
        X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(certificate));
        OBJ_obj2txt(name, sizeof name, algorithm, 0);
        out->key_type = intern_text(strings, name);
        return;
    }
    static const struct {
        const char *openssl, *shown;
    } types[] = {
        {"RSA", "RSA"},         {"RSA-PSS", "RSA-PSS"}, {"SM2", "SM2"}, {"EC", "EC"},
        {"ED25519", "Ed25519"}, {"ED448", "Ed448"},     {"DSA", "DSA"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0] && out->key_type == NULL; i++) {
        if (EVP_PKEY_is_a(key, types[i].openssl))
            out->key_type = types[i].shown;
    }
    if (out->key_type == NULL)
        out->key_type = intern_text(strings, EVP_PKEY_get0_type_name(key));
    out->key_bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
        out->rsa_exponent = exponent_of(key);
    else if (EVP_PKEY_get_group_name(key, group, sizeof group, &group_len) == 1)
        out->curve = intern_text(strings, group);
}

static void read_spki(const X509 *certificate, char out[65])
{
    uint8_t *spki = NULL;
    uint8_t digest[32];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    if (len <= 0)
        return;
    digest_sha256(spki, (size_t)len, digest);
    hex_from_bytes(digest, sizeof digest, out);
    OPENSSL_free(spki);
}

/* The signature checks with its own key; names first, because a check costs a public key operation.
 */
static bool is_self_signed(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (key == NULL ||
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0)
        return false;
    if (EVP_PKEY_is_a(key, "SM2")) {
        ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
        if (id == NULL ||
            ASN1_OCTET_STRING_set(id, (const unsigned char *)SM2_ID, sizeof SM2_ID - 1) != 1) {
            ASN1_OCTET_STRING_free(id);
            return false;
        }
        X509_set0_distinguishing_id(certificate, id);
    }
    return X509_verify(certificate, key) == 1;
}

static void read_certificate(struct intern *strings, X509 *certificate,
                             struct certificate_record *out)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const X509_NAME *issuer = X509_get_issuer_name(certificate);
    char signature[128];
    const X509_ALGOR *algorithm = NULL;
    out->subject = name_text(strings, subject);
    out->issuer = name_text(strings, issuer);
    out->subject_cn = common_name(strings, subject);
    out->issuer_cn = common_name(strings, issuer);
    out->serial = serial_text(strings, certificate);
    out->not_before_ns = time_of(X509_get0_notBefore(certificate));
    out->not_after_ns = time_of(X509_get0_notAfter(certificate));
    read_key(strings, certificate, out);
    read_spki(certificate, out->spki_sha256);
    X509_get0_signature(NULL, &algorithm, certificate);
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    OBJ_obj2txt(signature, sizeof signature, object, 0);
    out->signature = intern_text(strings, signature);
    out->is_ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
    out->key_usage = key_usage_text(strings, certificate);
    out->revocation = x509_revocation_text(certificate, strings);
    int place = X509_get_ext_by_NID(certificate, NID_ct_precert_scts, -1);
    out->sct_logs = x509_sct_logs(X509_get_ext(certificate, place), strings, &out->sct_count);
    out->self_signed = is_self_signed(certificate);
}

void certificate_parse(struct intern *strings, const uint8_t *der, size_t len,
                       struct certificate_record *out, char **san_out)
{
    uint8_t digest[32];
    const unsigned char *at = der;
    memset(out, 0, sizeof *out);
    *san_out = NULL;
    out->der = der;
    out->der_len = (int64_t)len;
    out->not_before_ns = out->not_after_ns = RECORD_NONE_NS;
    digest_sha256(der, len, digest);
    hex_from_bytes(digest, sizeof digest, out->sha256);
    X509 *certificate = d2i_X509(NULL, &at, (long)len);
    if (certificate == NULL) {
        out->parse_error = "not a certificate";
    } else {
        if (at != der + len)
            out->parse_error = "bytes after the certificate";
        read_certificate(strings, certificate, out);
        *san_out = san_text(certificate);
        out->san = *san_out;
    }
    X509_free(certificate);
    ERR_clear_error();
}
