#include "dissectors/quic_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdlib.h>
#include <string.h>

enum { KEY = 16, IV = 12, HASH = 32, SAMPLE = 16, LABEL_MAX = 32 };

struct quic_keys {
    EVP_CIPHER_CTX *packet, *header;
    uint8_t iv[IV];
};

static const uint8_t salt_v1[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                    0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
static const uint8_t salt_v2[20] = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                                    0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};
/* drafts 29 to 32; 33 and 34 have that of version 1 */
static const uint8_t salt_29[20] = {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                                    0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};
/* drafts 23 to 28 */
static const uint8_t salt_23[20] = {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                                    0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
/* mvfst, as draft 27 */
#define VERSION_MVFST_27 0xfaceb002u
#define VERSION_MVFST_EXPERIMENT 0xfaceb00eu

static const uint8_t *salt_of(uint32_t version)
{
    if (version == QUIC_VERSION_1)
        return salt_v1;
    if (version == QUIC_VERSION_2)
        return salt_v2;
    if (version == VERSION_MVFST_27 || version == VERSION_MVFST_EXPERIMENT)
        return salt_23;
    if (version >> 8 != 0xff0000)
        return NULL;
    unsigned draft = version & 0xff;
    return draft >= 33 && draft <= 34   ? salt_v1
           : draft >= 29 && draft <= 32 ? salt_29
           : draft >= 23 && draft <= 28 ? salt_23
                                        : NULL;
}

bool quic_version_is_known(uint32_t version)
{
    return salt_of(version) != NULL;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 7.1); at most one block of SHA-256. */
static bool expand(const uint8_t secret[HASH], const char *label, uint8_t *out, size_t out_len)
{
    uint8_t info[4 + 6 + LABEL_MAX + 1], block[HASH];
    size_t label_len = strlen(label), at = 0;
    info[at++] = 0;
    info[at++] = (uint8_t)out_len;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0; /* context */
    info[at++] = 1; /* first block */
    if (HMAC(EVP_sha256(), secret, HASH, info, at, block, NULL) == NULL)
        return false;
    memcpy(out, block, out_len);
    return true;
}

static bool derive(uint32_t version, const uint8_t *id, size_t id_len, enum side role,
                   uint8_t key[KEY], uint8_t iv[IV], uint8_t header[KEY])
{
    bool v2 = version == QUIC_VERSION_2;
    uint8_t initial[HASH], secret[HASH];
    return HMAC(EVP_sha256(), salt_of(version), 20, id, id_len, initial, NULL) != NULL &&
           expand(initial, role == SIDE_CLIENT ? "client in" : "server in", secret, HASH) &&
           expand(secret, v2 ? "quicv2 key" : "quic key", key, KEY) &&
           expand(secret, v2 ? "quicv2 iv" : "quic iv", iv, IV) &&
           expand(secret, v2 ? "quicv2 hp" : "quic hp", header, KEY);
}

struct quic_keys *quic_keys_new(uint32_t version, const uint8_t *id, size_t id_len, enum side role)
{
    uint8_t key[KEY], header[KEY];
    if (!quic_version_is_known(version))
        return NULL;
    struct quic_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return NULL;
    keys->packet = EVP_CIPHER_CTX_new();
    keys->header = EVP_CIPHER_CTX_new();
    if (keys->packet == NULL || keys->header == NULL ||
        !derive(version, id, id_len, role, key, keys->iv, header) ||
        EVP_DecryptInit_ex(keys->packet, EVP_aes_128_gcm(), NULL, key, NULL) != 1 ||
        EVP_EncryptInit_ex(keys->header, EVP_aes_128_ecb(), NULL, header, NULL) != 1) {
        quic_keys_free(keys);
        return NULL;
    }
    return keys;
}

void quic_keys_free(struct quic_keys *keys)
{
    if (keys == NULL)
        return;
    EVP_CIPHER_CTX_free(keys->packet);
    EVP_CIPHER_CTX_free(keys->header);
    free(keys);
}

/* RFC 9000 A.3 */
static int64_t whole_number(int64_t largest, uint32_t truncated, unsigned bits)
{
    int64_t expected = largest + 1, window = (int64_t)1 << bits, half = window / 2;
    int64_t candidate = (expected & ~(window - 1)) | (int64_t)truncated;
    if (candidate <= expected - half)
        return candidate + window;
    return candidate > expected + half && candidate >= window ? candidate - window : candidate;
}

static bool open_payload(struct quic_keys *keys, int64_t number, const uint8_t *header,
                         size_t header_len, const uint8_t *body, size_t body_len, uint8_t *out)
{
    uint8_t nonce[IV], tag[QUIC_TAG];
    int len = 0;
    size_t text = body_len - QUIC_TAG;
    memcpy(nonce, keys->iv, IV);
    for (int i = 0; i < 8; i++)
        nonce[IV - 1 - i] ^= (uint8_t)((uint64_t)number >> (8 * i));
    memcpy(tag, body + text, QUIC_TAG);
    return EVP_DecryptInit_ex(keys->packet, NULL, NULL, NULL, nonce) == 1 &&
           EVP_DecryptUpdate(keys->packet, NULL, &len, header, (int)header_len) == 1 &&
           EVP_DecryptUpdate(keys->packet, out, &len, body, (int)text) == 1 &&
           EVP_CIPHER_CTX_ctrl(keys->packet, EVP_CTRL_GCM_SET_TAG, QUIC_TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(keys->packet, out + text, &len) == 1;
}

bool quic_unprotect(struct quic_keys *keys, const uint8_t *packet, size_t packet_len,
                    size_t number_offset, int64_t *largest, uint8_t *out, size_t *out_len)
{
    uint8_t mask[SAMPLE + 16];
    int len = 0;
    if (number_offset + 4 + SAMPLE > packet_len || packet_len > UINT16_MAX)
        return false;
    if (EVP_EncryptUpdate(keys->header, mask, &len, packet + number_offset + 4, SAMPLE) != 1)
        return false;
    uint8_t first = packet[0] ^ (mask[0] & 0x0f);
    size_t number_len = (first & 3u) + 1u, header_len = number_offset + number_len;
    if (header_len + QUIC_TAG > packet_len)
        return false;
    uint8_t *header = out; /* the plain header lies before the text, and is overwritten by nothing */
    memcpy(header, packet, header_len);
    header[0] = first;
    uint32_t truncated = 0;
    for (size_t i = 0; i < number_len; i++) {
        header[number_offset + i] ^= mask[1 + i];
        truncated = truncated << 8 | header[number_offset + i];
    }
    int64_t number = whole_number(*largest, truncated, (unsigned)(8 * number_len));
    size_t body_len = packet_len - header_len;
    if (!open_payload(keys, number, header, header_len, packet + header_len, body_len,
                      out + header_len))
        return false;
    if (number > *largest)
        *largest = number;
    *out_len = body_len - QUIC_TAG;
    memmove(out, out + header_len, *out_len);
    return true;
}
