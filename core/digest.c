#include "core/digest.h"

#include <assert.h>
#include <openssl/evp.h>

/* EVP_Q_digest would fetch by name on each call; the legacy getters are constant tables. */
static void digest(const EVP_MD *algorithm, const void *bytes, size_t len, uint8_t *out)
{
    int done = EVP_Digest(bytes, len, out, NULL, algorithm, NULL);
    assert(done == 1);
    (void)done;
}

void digest_md5(const void *bytes, size_t len, uint8_t out[16])
{
    digest(EVP_md5(), bytes, len, out);
}

void digest_sha1(const void *bytes, size_t len, uint8_t out[20])
{
    digest(EVP_sha1(), bytes, len, out);
}

void digest_sha256(const void *bytes, size_t len, uint8_t out[32])
{
    digest(EVP_sha256(), bytes, len, out);
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
