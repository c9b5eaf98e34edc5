#include "dissectors/secrets_jwt.h"

#include "core/digest.h"

#include <string.h>

/* Headers are under 200 bytes and claims under 1 KiB; what is longer is read so far. */
#define DECODED_MAX 1536
/* Values are hashed whole up to this. */
#define HASHED_MAX 8192

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Decodes until the end, a byte that is no digit, or a full buffer; returns the bytes written. */
static size_t decode(struct http_text text, char *out, size_t size)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < size; i++) {
        int digit = digit_of(text.at[i]);
        if (digit < 0)
            break;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        out[len++] = (char)(uint8_t)(bits >> have & 0xff);
    }
    return len;
}

bool secret_is_user_password(struct http_text base64)
{
    char text[256];
    size_t len = decode(base64, text, sizeof text);
    const char *colon = memchr(text, ':', len);
    return colon != NULL && colon != text && (size_t)(colon - text) + 1 < len;
}

/* The part of a compact token before its next dot; false when it holds other bytes than base64url.
 */
static bool next_part(struct http_text *rest, struct http_text *out)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '.') {
        char c = rest->at[len];
        if (digit_of(c) < 0 || c == '+' || c == '/')
            return false;
        len++;
    }
    *out = (struct http_text){rest->at, len};
    size_t used = len < rest->len ? len + 1 : len;
    rest->at += used;
    rest->len -= used;
    return true;
}

/* What follows "name" and its colon in JSON text; length 0 when it is not there. */
static struct http_text member(struct http_text json, const char *name)
{
    char quoted[16];
    size_t len = strlen(name);
    quoted[0] = quoted[len + 1] = '"';
    memcpy(quoted + 1, name, len);
    const char *at = memmem(json.at, json.len, quoted, len + 2);
    if (at == NULL)
        return (struct http_text){"", 0};
    size_t i = (size_t)(at - json.at) + len + 2;
    while (i < json.len && (json.at[i] == ' ' || json.at[i] == ':'))
        i++;
    return (struct http_text){json.at + i, json.len - i};
}

static const char *text_member(struct http_text json, const char *name, struct intern *strings)
{
    struct http_text value = member(json, name);
    if (value.len < 2 || *value.at != '"')
        return NULL;
    const char *end = memchr(value.at + 1, '"', value.len - 1);
    size_t len = end != NULL ? (size_t)(end - value.at) - 1 : 0;
    return len > 0 && len <= 200 ? intern_bytes(strings, value.at + 1, len) : NULL;
}

/* NumericDate (RFC 7519 2) in ns; -1 when absent. */
static int64_t time_member(struct http_text json, const char *name)
{
    struct http_text value = member(json, name);
    int64_t seconds = 0;
    size_t i = 0;
    for (; i < value.len && i < 10 && value.at[i] >= '0' && value.at[i] <= '9'; i++)
        seconds = seconds * 10 + (value.at[i] - '0');
    return i == 0 || seconds > INT64_MAX / 1000000000 ? RECORD_NONE_NS : seconds * 1000000000;
}

static bool split(struct http_text value, struct http_text *header, struct http_text *claims,
                  size_t *parts)
{
    struct http_text part;
    if (value.len < 20 || memcmp(value.at, "eyJ", 3) != 0) /* {" in base64 */
        return false;
    *parts = 0;
    for (struct http_text rest = value; rest.len > 0 && *parts < 6; (*parts)++) {
        if (!next_part(&rest, &part))
            return false;
        if (*parts == 0)
            *header = part;
        else if (*parts == 1)
            *claims = part;
    }
    return *parts == 3 || *parts == 5 || (*parts == 2 && value.at[value.len - 1] == '.');
}

static bool has_algorithm(struct http_text header, char *room, size_t size, struct http_text *json)
{
    *json = (struct http_text){room, decode(header, room, size)};
    return member(*json, "alg").len > 0;
}

bool jwt_is(struct http_text value)
{
    char room[256];
    struct http_text header, claims, json;
    size_t parts;
    return split(value, &header, &claims, &parts) && has_algorithm(header, room, sizeof room, &json);
}

bool jwt_read(struct http_text value, struct intern *strings, struct secret_fact *out)
{
    char room[DECODED_MAX];
    struct http_text header, claims, json;
    size_t parts;
    if (!split(value, &header, &claims, &parts) ||
        !has_algorithm(header, room, sizeof room, &json))
        return false;
    out->algorithm = text_member(json, "alg", strings);
    if (parts == 5)
        return true; /* encrypted: its claims are hidden */
    json = (struct http_text){room, decode(claims, room, sizeof room)};
    out->issuer = text_member(json, "iss", strings);
    out->issued_ns = time_member(json, "iat");
    out->expires_ns = time_member(json, "exp");
    return true;
}

void secret_hash(const char *salt, struct http_text value, char out[SECRET_HASH_SIZE])
{
    uint8_t bytes[64 + HASHED_MAX], digest[32];
    out[0] = '\0';
    if (salt == NULL || *salt == '\0')
        return;
    size_t salted = strnlen(salt, 64);
    size_t len = value.len < HASHED_MAX ? value.len : HASHED_MAX;
    memcpy(bytes, salt, salted);
    memcpy(bytes + salted, value.at, len);
    digest_sha256(bytes, salted + len, digest);
    (void)hex_from_bytes(digest, (SECRET_HASH_SIZE - 1) / 2, out);
}
