#include "dissectors/ja3.h"

#include "core/digest.h"
#include "dissectors/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest honest JA3 text is near 1 KiB; scanners that offer every suite need some 2.5 KiB. */
#define TEXT_MAX 8192
/* Ciphers or extensions sorted for JA4; the counts in it end at 99. */
#define LIST_MAX 1024

struct text {
    size_t len;
    bool full;
    char bytes[TEXT_MAX];
};

static void text_start(struct text *text)
{
    text->len = 0;
    text->full = false;
}

static void text_char(struct text *text, char c)
{
    if (text->len >= TEXT_MAX) {
        text->full = true;
        return;
    }
    text->bytes[text->len++] = c;
}

static void text_decimal(struct text *text, unsigned number)
{
    char digits[10];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 && first > 0);
    for (; first < sizeof digits; first++)
        text_char(text, digits[first]);
}

static void text_hex16(struct text *text, uint16_t number)
{
    static const char hex[] = "0123456789abcdef";
    const char four[4] = {hex[number >> 12], hex[number >> 8 & 15], hex[number >> 4 & 15],
                          hex[number & 15]};
    if (TEXT_MAX - text->len < sizeof four) {
        text->full = true;
        return;
    }
    memcpy(text->bytes + text->len, four, sizeof four);
    text->len += sizeof four;
}

/* Numbers joined by '-', GREASE left out. */
static void text_list16(struct text *text, struct cursor list)
{
    bool first = true;
    while (cur_left(&list) >= 2) {
        uint16_t number = cur_u16(&list);
        if (tls_is_grease(number))
            continue;
        if (!first)
            text_char(text, '-');
        first = false;
        text_decimal(text, number);
    }
}

static void text_extensions(struct text *text, struct cursor extensions, bool keep_grease)
{
    struct cursor body;
    uint16_t type;
    bool first = true;
    while (tls_next_extension(&extensions, &type, &body)) {
        if (!keep_grease && tls_is_grease(type))
            continue;
        if (!first)
            text_char(text, '-');
        first = false;
        text_decimal(text, type);
    }
}

static void text_md5(const struct text *text, char out[JA3_SIZE])
{
    uint8_t digest[16];
    out[0] = '\0';
    if (text->full)
        return;
    digest_md5(text->bytes, text->len, digest);
    hex_from_bytes(digest, sizeof digest, out);
}

void ja3_of_client(const struct tls_client_hello *hello, char out[JA3_SIZE])
{
    struct text text;
    struct cursor formats = hello->point_formats;
    text_start(&text);
    text_decimal(&text, hello->legacy_version);
    text_char(&text, ',');
    text_list16(&text, hello->ciphers);
    text_char(&text, ',');
    text_extensions(&text, hello->extensions, false);
    text_char(&text, ',');
    text_list16(&text, hello->groups);
    text_char(&text, ',');
    for (bool first = true; cur_left(&formats) > 0; first = false) {
        if (!first)
            text_char(&text, '-');
        text_decimal(&text, cur_u8(&formats));
    }
    text_md5(&text, out);
}

void ja3_of_server(const struct tls_server_hello *hello, char out[JA3_SIZE])
{
    struct text text;
    text_start(&text);
    text_decimal(&text, hello->legacy_version);
    text_char(&text, ',');
    text_decimal(&text, hello->cipher);
    text_char(&text, ',');
    text_extensions(&text, hello->extensions, true);
    text_md5(&text, out);
}

static const char *ja4_version(uint16_t version)
{
    switch (version) {
    case TLS_VERSION_13:
        return "13";
    case TLS_VERSION_12:
        return "12";
    case TLS_VERSION_11:
        return "11";
    case TLS_VERSION_10:
        return "10";
    case TLS_VERSION_SSL3:
        return "s3";
    case TLS_VERSION_SSL2:
        return "s2";
    case DTLS_VERSION_10:
        return "d1";
    case DTLS_VERSION_12:
        return "d2";
    case DTLS_VERSION_13:
        return "d3";
    default:
        return "00";
    }
}

static bool is_alphanumeric(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* First and last character of the first ALPN name; the nibbles of its hex when one is no letter. */
static void ja4_alpn(struct cursor list, char out[3])
{
    static const char hex[] = "0123456789abcdef";
    struct cursor name = cur_cut(&list, cur_u8(&list));
    out[0] = out[1] = '0';
    out[2] = '\0';
    if (cur_left(&name) == 0)
        return;
    uint8_t first = name.at[0];
    uint8_t last = name.end[-1];
    bool plain = is_alphanumeric(first) && is_alphanumeric(last);
    out[0] = plain ? (char)first : hex[first >> 4];
    out[1] = plain ? (char)last : hex[last & 15];
}

static int compare_numbers(const void *a, const void *b)
{
    const uint16_t *x = a;
    const uint16_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* What honest clients offer is short: no call per comparison. */
#define SHORT_LIST 64

static void sort_numbers(uint16_t *numbers, size_t count)
{
    if (count > SHORT_LIST) {
        qsort(numbers, count, sizeof *numbers, compare_numbers);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        uint16_t number = numbers[i];
        size_t at = i;
        for (; at > 0 && numbers[at - 1] > number; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
}

/* Appends the numbers sorted, 4 hex digits each, joined by commas. */
static void text_sorted(struct text *text, uint16_t *numbers, size_t count)
{
    sort_numbers(numbers, count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_char(text, ',');
        text_hex16(text, numbers[i]);
    }
}

static void text_sha256_12(const struct text *text, char out[13])
{
    uint8_t digest[32];
    char hex[65];
    digest_sha256(text->bytes, text->len, digest);
    hex_from_bytes(digest, sizeof digest, hex);
    memcpy(out, hex, 12);
    out[12] = '\0';
}

/* Part b; returns the number of ciphers. */
static size_t ja4_ciphers(struct cursor ciphers, char out[13])
{
    uint16_t numbers[LIST_MAX];
    struct text text;
    size_t count = 0;
    text_start(&text);
    memcpy(out, "000000000000", 13);
    while (cur_left(&ciphers) >= 2 && count < LIST_MAX) {
        uint16_t cipher = cur_u16(&ciphers);
        if (!tls_is_grease(cipher))
            numbers[count++] = cipher;
    }
    if (count == 0)
        return 0;
    text_sorted(&text, numbers, count);
    text_sha256_12(&text, out);
    return count;
}

/* Part c; returns the number of extensions with SNI and ALPN. */
static size_t ja4_extensions(const struct tls_client_hello *hello, char out[13])
{
    uint16_t numbers[LIST_MAX];
    struct text text;
    struct cursor rest = hello->extensions;
    struct cursor algorithms = hello->signature_algorithms;
    struct cursor body;
    size_t all = 0;
    size_t count = 0;
    uint16_t type;
    text_start(&text);
    memcpy(out, "000000000000", 13);
    while (count < LIST_MAX && tls_next_extension(&rest, &type, &body)) {
        if (tls_is_grease(type))
            continue;
        all++;
        if (type != 0x0000 && type != 0x0010)
            numbers[count++] = type;
    }
    if (all == 0)
        return 0;
    text_sorted(&text, numbers, count);
    for (char joint = '_'; cur_left(&algorithms) >= 2;) {
        uint16_t algorithm = cur_u16(&algorithms);
        if (tls_is_grease(algorithm))
            continue;
        text_char(&text, joint);
        text_hex16(&text, algorithm);
        joint = ',';
    }
    text_sha256_12(&text, out);
    return all;
}

void ja4_of_client(const struct tls_client_hello *hello, char transport, char out[JA4_SIZE])
{
    char alpn[3];
    char ciphers[13];
    char extensions[13];
    size_t cipher_count = ja4_ciphers(hello->ciphers, ciphers);
    size_t extension_count = ja4_extensions(hello, extensions);
    ja4_alpn(hello->alpn, alpn);
    snprintf(out, JA4_SIZE, "%c%s%c%02u%02u%s_%s_%s", transport,
             ja4_version(tls_client_hello_version(hello)), hello->has_sni ? 'd' : 'i', cipher_count > 99 ? 99u : (unsigned)cipher_count,
             extension_count > 99 ? 99u : (unsigned)extension_count, alpn, ciphers, extensions);
}
