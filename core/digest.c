/* OpenSSL 3 marks these functions as old, and keeps them: EVP takes 5,600 instructions for a short text,
 * most of them for its locks, counters and allocations. They keep no state. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

void digest_md5(const void *bytes, size_t len, uint8_t out[16])
{
    MD5_CTX context;
    (void)MD5_Init(&context);
    (void)MD5_Update(&context, bytes, len);
    (void)MD5_Final(out, &context);
}

void digest_sha1(const void *bytes, size_t len, uint8_t out[20])
{
    SHA_CTX context;
    (void)SHA1_Init(&context);
    (void)SHA1_Update(&context, bytes, len);
    (void)SHA1_Final(out, &context);
}

void digest_sha256(const void *bytes, size_t len, uint8_t out[32])
{
    SHA256_CTX context;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, bytes, len);
    (void)SHA256_Final(out, &context);
}

char *hex_from_bytes(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}
