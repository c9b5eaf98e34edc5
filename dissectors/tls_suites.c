#include "dissectors/tls_suites.h"

#include "dissectors/names.h"

#include <stdio.h>
#include <string.h>

#define TAG_BYTES 16

struct block_cipher {
    const char *word, *name;
    size_t key_len;
};

static const struct block_cipher block_ciphers[] = {
    {"AES_128_", "AES-128", 16},           {"AES_256_", "AES-256", 32},
    {"ARIA_128_", "ARIA-128", 16},         {"ARIA_256_", "ARIA-256", 32},
    {"CAMELLIA_128_", "CAMELLIA-128", 16}, {"CAMELLIA_256_", "CAMELLIA-256", 32},
    {"SM4_", "SM4", 16},                   {"3DES_EDE_", "DES-EDE3", 24},
    {"SEED_", "SEED", 16},
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static const char *hash_of(const char *name)
{
    static const char *const hashes[][2] = {{"_SHA384", "SHA384"},
                                            {"_SHA256", "SHA256"},
                                            {"_SM3", "SM3"},
                                            {"_SHA", "SHA1"},
                                            {"_MD5", "MD5"}};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        if (ends_with(name, hashes[i][0]))
            return hashes[i][1];
    }
    return "SHA256"; /* the CCM suites of TLS 1.2 name none (RFC 6655 3) */
}

/* Where the name of the cipher begins: behind _WITH_, behind TLS_ (TLS 1.3), at SM4 (TLCP). */
static const char *cipher_part(const char *name)
{
    const char *with = strstr(name, "_WITH_");
    if (with != NULL)
        return with + 6;
    const char *sm4 = strstr(name, "SM4_");
    return sm4 != NULL ? sm4 : strncmp(name, "TLS_", 4) == 0 ? name + 4 : name;
}

static bool read_mode(const char *mode, struct tls_suite *out, const char **word)
{
    out->tag_len = TAG_BYTES;
    if (strncmp(mode, "GCM_", 4) == 0) {
        out->mode = TLS_MODE_GCM;
        *word = "GCM";
        return true;
    }
    if (strncmp(mode, "CBC_", 4) == 0) {
        out->mode = TLS_MODE_CBC;
        *word = "CBC";
        return true;
    }
    if (strncmp(mode, "CCM", 3) == 0) {
        out->mode = TLS_MODE_CCM;
        out->tag_len = strncmp(mode, "CCM_8", 5) == 0 ? 8 : TAG_BYTES;
        *word = "CCM";
        return true;
    }
    return false;
}

bool tls_suite_read(uint16_t cipher, struct tls_suite *out)
{
    const char *name = tls_cipher_name(cipher);
    *out = (struct tls_suite){0};
    if (name == NULL || strstr(name, "EXPORT") != NULL)
        return false;
    const char *part = cipher_part(name), *word = NULL;
    out->hash = hash_of(name);
    if (strncmp(part, "CHACHA20_POLY1305", 17) == 0) {
        out->mode = TLS_MODE_CHACHA;
        out->key_len = 32;
        out->tag_len = TAG_BYTES;
        memcpy(out->cipher, "ChaCha20-Poly1305", 18);
        return true;
    }
    if (strncmp(part, "NULL_", 5) == 0) {
        out->mode = TLS_MODE_NULL;
        return true;
    }
    for (size_t i = 0; i < sizeof block_ciphers / sizeof block_ciphers[0]; i++) {
        const struct block_cipher *block = &block_ciphers[i];
        size_t len = strlen(block->word);
        if (strncmp(part, block->word, len) != 0 || !read_mode(part + len, out, &word))
            continue;
        out->key_len = block->key_len;
        (void)snprintf(out->cipher, sizeof out->cipher, "%s-%s", block->name, word);
        return true;
    }
    return false;
}
