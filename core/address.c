#include "core/address.h"

#include "core/digest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct address address_v4(const uint8_t bytes[4])
{
    struct address a = {{0}, 4};
    memcpy(a.bytes, bytes, 4);
    return a;
}

struct address address_v6(const uint8_t bytes[16])
{
    struct address a = {{0}, 6};
    memcpy(a.bytes, bytes, 16);
    return a;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool address_is_multicast(const struct address *a)
{
    static const uint8_t all[4] = {255, 255, 255, 255};
    if (a->family == 4)
        return (a->bytes[0] & 0xf0) == 0xe0 || memcmp(a->bytes, all, 4) == 0;
    return a->family == 6 && a->bytes[0] == 0xff;
}

static bool is_private_v4(const uint8_t *b)
{
    return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
           (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254);
}

bool address_is_private(const struct address *a)
{
    static const uint8_t loopback[16] = {[15] = 1};
    if (a->family == 4)
        return is_private_v4(a->bytes);
    if (a->family != 6)
        return false;
    return (a->bytes[0] & 0xfe) == 0xfc || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80) ||
           memcmp(a->bytes, loopback, 16) == 0;
}

static char *put_octet(char *at, unsigned value)
{
    if (value >= 100) {
        *at++ = (char)('0' + value / 100);
        value %= 100;
        *at++ = (char)('0' + value / 10);
    } else if (value >= 10) {
        *at++ = (char)('0' + value / 10);
    }
    *at++ = (char)('0' + value % 10);
    return at;
}

char *address_to_text(const struct address *a, char out[ADDRESS_TEXT_SIZE])
{
    out[0] = '\0';
    if (a->family == 6) {
        (void)inet_ntop(AF_INET6, a->bytes, out, ADDRESS_TEXT_SIZE);
    } else if (a->family == 4) {
        char *at = out;
        for (int i = 0; i < 4; i++) {
            if (i > 0)
                *at++ = '.';
            at = put_octet(at, a->bytes[i]);
        }
        *at = '\0';
    }
    return out;
}

bool address_from_text(const char *text, struct address *out)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *out = address_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        *out = address_v6(bytes);
        return true;
    }
    return false;
}

char *endpoint_to_text(const struct address *a, uint16_t port, char out[ENDPOINT_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    (void)snprintf(out, ENDPOINT_TEXT_SIZE, a->family == 6 ? "[%s]:%u" : "%s:%u",
                   address_to_text(a, text), (unsigned)port);
    return out;
}

char *mac_to_text(const uint8_t mac[6], char out[MAC_TEXT_SIZE])
{
    (void)snprintf(out, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                   mac[3], mac[4], mac[5]);
    return out;
}

void flow_key_make(const struct address *src, uint16_t src_port, const struct address *dst,
                   uint16_t dst_port, uint8_t protocol, struct flow_key *out, bool *swapped)
{
    int order = memcmp(src->bytes, dst->bytes, sizeof src->bytes);
    bool swap = order > 0 || (order == 0 && src_port > dst_port);
    memcpy(out->low, swap ? dst->bytes : src->bytes, 16);
    memcpy(out->high, swap ? src->bytes : dst->bytes, 16);
    out->low_port = swap ? dst_port : src_port;
    out->high_port = swap ? src_port : dst_port;
    out->protocol = protocol;
    out->family = src->family;
    out->zero[0] = out->zero[1] = 0;
    *swapped = swap;
}

static void base64(const uint8_t *bytes, size_t len, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i = 0;
    for (; i + 2 < len; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        for (int k = 0; k < 4; k++)
            *out++ = alphabet[v >> (18 - 6 * k) & 63];
    }
    if (len - i == 2) { /* SHA-1 leaves two bytes over; one byte over never happens here */
        uint32_t v = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8;
        for (int k = 0; k < 3; k++)
            *out++ = alphabet[v >> (18 - 6 * k) & 63];
        *out++ = '=';
    }
    *out = '\0';
}

char *community_id(const struct address *a, uint16_t a_port, const struct address *b,
                   uint16_t b_port, uint8_t protocol, char out[COMMUNITY_ID_SIZE])
{
    size_t size = a->family == 4 ? 4 : 16;
    int order = memcmp(a->bytes, b->bytes, size);
    bool swap = order > 0 || (order == 0 && a_port > b_port);
    const struct address *first = swap ? b : a, *second = swap ? a : b;
    uint16_t first_port = swap ? b_port : a_port, second_port = swap ? a_port : b_port;
    uint8_t bytes[2 + 16 + 16 + 2 + 4] = {0, 0};
    uint8_t *at = bytes + 2;
    memcpy(at, first->bytes, size);
    memcpy(at + size, second->bytes, size);
    at += 2 * size;
    *at++ = protocol;
    *at++ = 0;
    *at++ = (uint8_t)(first_port >> 8);
    *at++ = (uint8_t)first_port;
    *at++ = (uint8_t)(second_port >> 8);
    *at++ = (uint8_t)second_port;
    uint8_t hash[20];
    digest_sha1(bytes, (size_t)(at - bytes), hash);
    out[0] = '1';
    out[1] = ':';
    base64(hash, sizeof hash, out + 2);
    return out;
}
