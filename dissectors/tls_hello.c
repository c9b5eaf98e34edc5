#include "dissectors/tls_hello.h"

#include "dissectors/names.h"

#include <string.h>

enum {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_STATUS_REQUEST = 5,
    EXTENSION_GROUPS = 10,
    EXTENSION_POINT_FORMATS = 11,
    EXTENSION_SIGNATURE_ALGORITHMS = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_SCT = 18,
    EXTENSION_ENCRYPT_THEN_MAC = 22,
    EXTENSION_COMPRESSION = 27,
    EXTENSION_SESSION_TICKET = 35,
    EXTENSION_PSK = 41,
    EXTENSION_EARLY_DATA = 42,
    EXTENSION_SUPPORTED_VERSIONS = 43,
    EXTENSION_KEY_SHARE = 51,
    EXTENSION_KEY_SHARE_OLD = 40, /* drafts up to 22 */
    EXTENSION_RENEGOTIATION = 0xff01,
    EXTENSION_ECH = 0xfe0d,
    SSLV2_HEADER = 11
};

/* SHA-256 of "HelloRetryRequest" (RFC 8446 4.1.3). */
static const uint8_t retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool tls_next_extension(struct cursor *extensions, uint16_t *type, struct cursor *body)
{
    if (cur_left(extensions) == 0)
        return false;
    uint16_t number = cur_u16(extensions);
    struct cursor cut = cur_cut(extensions, cur_u16(extensions));
    if (!cur_ok(extensions))
        return false;
    *type = number;
    *body = cut;
    return true;
}

/* The first host_name of the list (RFC 6066 3). */
static void read_server_name(struct cursor body, struct tls_client_hello *out)
{
    struct cursor list = cur_cut(&body, cur_u16(&body));
    while (cur_left(&list) > 0) {
        uint8_t type = cur_u8(&list);
        struct cursor name = cur_cut(&list, cur_u16(&list));
        if (!cur_ok(&list))
            return;
        if (type == 0) {
            out->sni = name;
            return;
        }
    }
}

static void read_client_extension(uint16_t type, struct cursor body, struct tls_client_hello *out)
{
    switch (type) {
    case EXTENSION_SERVER_NAME:
        out->has_sni = true;
        read_server_name(body, out);
        break;
    case EXTENSION_GROUPS:
        out->groups = cur_cut(&body, cur_u16(&body) & ~1u);
        break;
    case EXTENSION_POINT_FORMATS:
        out->point_formats = cur_cut(&body, cur_u8(&body));
        break;
    case EXTENSION_SIGNATURE_ALGORITHMS:
        out->signature_algorithms = cur_cut(&body, cur_u16(&body) & ~1u);
        break;
    case EXTENSION_ALPN:
        out->alpn = cur_cut(&body, cur_u16(&body));
        break;
    case EXTENSION_SESSION_TICKET:
        out->has_ticket = cur_left(&body) > 0;
        break;
    case EXTENSION_PSK:
        out->has_psk = true;
        break;
    case EXTENSION_EARLY_DATA:
        out->has_early_data = true;
        break;
    case EXTENSION_SUPPORTED_VERSIONS:
        out->supported_versions = cur_cut(&body, cur_u8(&body) & ~1u);
        break;
    case EXTENSION_KEY_SHARE:
        out->key_shares = cur_cut(&body, cur_u16(&body));
        break;
    case EXTENSION_COMPRESSION:
        out->compressions = cur_cut(&body, cur_u8(&body) & ~1u);
        break;
    case EXTENSION_STATUS_REQUEST:
        out->has_status_request = true;
        break;
    case EXTENSION_SCT:
        out->has_sct = true;
        break;
    case EXTENSION_ECH:
        out->has_ech = true;
        break;
    default:
        out->has_grease |= tls_is_grease(type);
        break;
    }
}

bool tls_client_hello_parse(struct cursor body, struct tls_client_hello *out)
{
    struct tls_client_hello hello = {0};
    const struct cursor none = cur_of(NULL, 0);
    hello.extensions = hello.supported_versions = hello.groups = hello.point_formats = none;
    hello.signature_algorithms = hello.alpn = hello.sni = hello.key_shares = none;
    hello.compressions = none;
    hello.legacy_version = cur_u16(&body);
    hello.random = cur_take(&body, 32);
    hello.session_id = cur_cut(&body, cur_u8(&body));
    bool old = hello.legacy_version == 0x0100; /* DTLS before its RFC */
    if (hello.legacy_version >> 8 == 0xfe || old) /* the cookie of DTLS, RFC 6347 4.2.1 */
        cur_skip(&body, cur_u8(&body));
    uint16_t ciphers_len = cur_u16(&body);
    hello.ciphers = cur_cut(&body, ciphers_len);
    if (ciphers_len & 1u && cur_ok(&body))
        hello.ciphers.end--;
    cur_skip(&body, cur_u8(&body));
    if (!cur_ok(&body))
        return false;
    if (cur_left(&body) > 0) {
        uint16_t len = cur_u16(&body);
        hello.malformed = !cur_ok(&body) || len > cur_left(&body);
        hello.extensions = cur_cut(&body, hello.malformed ? cur_left(&body) : len);
    }
    struct cursor rest = hello.extensions;
    struct cursor extension;
    uint16_t type;
    while (tls_next_extension(&rest, &type, &extension))
        read_client_extension(type, extension, &hello);
    hello.malformed |= !cur_ok(&rest);
    *out = hello;
    return true;
}

static void read_server_extension(uint16_t type, struct cursor body, struct tls_server_hello *out)
{
    switch (type) {
    case EXTENSION_ALPN: {
        struct cursor list = cur_cut(&body, cur_u16(&body));
        out->alpn = cur_cut(&list, cur_u8(&list));
        break;
    }
    case EXTENSION_PSK:
        out->has_psk = true;
        break;
    case EXTENSION_SCT:
        out->has_sct = true;
        out->scts = body;
        break;
    case EXTENSION_ENCRYPT_THEN_MAC:
        out->has_encrypt_then_mac = true;
        break;
    case EXTENSION_RENEGOTIATION:
        out->has_renegotiation = true;
        break;
    case EXTENSION_SUPPORTED_VERSIONS:
        if (cur_left(&body) == 2)
            out->version = cur_u16(&body);
        break;
    case EXTENSION_KEY_SHARE:
    case EXTENSION_KEY_SHARE_OLD:
        if (cur_left(&body) >= 2)
            out->group = cur_u16(&body);
        break;
    default:
        break;
    }
}

bool tls_server_hello_parse(struct cursor body, struct tls_server_hello *out)
{
    struct tls_server_hello hello = {0};
    hello.session_id = hello.extensions = hello.alpn = hello.scts = cur_of(NULL, 0);
    hello.legacy_version = hello.version = cur_u16(&body);
    const uint8_t *random = cur_take(&body, 32);
    /* Drafts up to 21 had neither session id nor compression here. */
    bool is_short = hello.legacy_version >> 8 == 0x7f && (hello.legacy_version & 0xff) < 22;
    if (!is_short)
        hello.session_id = cur_cut(&body, cur_u8(&body));
    hello.cipher = cur_u16(&body);
    if (!is_short)
        cur_skip(&body, 1);
    if (!cur_ok(&body) || random == NULL)
        return false;
    hello.random = random;
    hello.is_retry = memcmp(random, retry_random, sizeof retry_random) == 0;
    hello.is_downgraded = memcmp(random + 24, "DOWNGRD", 7) == 0 && random[31] <= 1;
    if (cur_left(&body) > 0) {
        uint16_t len = cur_u16(&body);
        hello.malformed = !cur_ok(&body) || len > cur_left(&body);
        hello.extensions = cur_cut(&body, hello.malformed ? cur_left(&body) : len);
    }
    struct cursor rest = hello.extensions;
    struct cursor extension;
    uint16_t type;
    while (tls_next_extension(&rest, &type, &extension))
        read_server_extension(type, extension, &hello);
    hello.malformed |= !cur_ok(&rest);
    *out = hello;
    return true;
}

/* SSL 2.0 CLIENT-HELLO: 0x80|len8 len8 | 1 | version 2 | ciphers len 2 | session len 2 | challenge
 * len 2 */
size_t tls_sslv2_hello_size(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    if (len >= 1 && (bytes[0] & 0x80) == 0)
        return 0;
    if (len >= 3 && bytes[2] != 1)
        return 0;
    if (len < SSLV2_HEADER)
        return SIZE_MAX;
    size_t size = (size_t)(cur_u16(&c) & 0x7fff);
    cur_skip(&c, 1);
    uint16_t version = cur_u16(&c);
    size_t ciphers = cur_u16(&c);
    size_t session = cur_u16(&c);
    size_t challenge = cur_u16(&c);
    bool fits = size == 9 + ciphers + session + challenge;
    bool known = version == TLS_VERSION_SSL2 || (version >> 8 == 3 && (version & 0xff) <= 4);
    if (!fits || !known || ciphers == 0 || ciphers % 3 != 0 || challenge < 16 || challenge > 32 ||
        (session != 0 && session != 16 && session != 32))
        return 0;
    return size + 2;
}

bool tls_sslv2_hello_parse(struct cursor record, struct tls_client_hello *out)
{
    struct tls_client_hello hello = {0};
    cur_skip(&record, 3);
    hello.legacy_version = cur_u16(&record);
    if (!cur_ok(&record))
        return false;
    const struct cursor none = cur_of(NULL, 0);
    hello.session_id = hello.ciphers = hello.extensions = hello.supported_versions = none;
    hello.groups = hello.point_formats = hello.signature_algorithms = hello.alpn = none;
    hello.sni = hello.key_shares = hello.compressions = none;
    *out = hello;
    return true;
}

/* Orders versions by age: drafts lie just below TLS 1.3, TLCP (a TLS 1.1 of its own) below SSL 3.0.
 */
static unsigned version_rank(uint16_t version)
{
    if (version == TLS_VERSION_13)
        return 0x20000;
    if (version >> 8 == 0xfe) /* DTLS counts downwards */
        return 0x10000u - version;
    return tls_version_is_13(version) ? 0x10000u + version : version;
}

uint16_t tls_client_hello_version(const struct tls_client_hello *hello)
{
    struct cursor versions = hello->supported_versions;
    uint16_t best = 0;
    while (cur_left(&versions) >= 2) {
        uint16_t version = cur_u16(&versions);
        if (!tls_is_grease(version) && version_rank(version) > version_rank(best))
            best = version;
    }
    return best != 0 ? best : hello->legacy_version;
}
