#include "dissectors/upgrade_families.h"

#include <string.h>
#include <strings.h>

enum {
    MESSAGE_MAX = 8192, /* what comes before TLS is short: names, features, greetings */
    LINE_MAX_BYTES = 4096, /* longer lines are no commands; RFC 5321 4.5.3.1 says 512 */
    MYSQL_CLIENT_SSL = 0x0800,
    MYSQL_GREETING_MAX = 1024,
    ADB_HEADER = 24,
    PROXY_LINE_MAX = 107, /* the PROXY protocol 2.1 */
    PROXY_HEADER = 16,
    POSTGRES_REQUEST = 8,
    SOCKS_USER_MAX = 255
};

/* ---- first bytes
 * -------------------------------------------------------------------------------------- */

struct first_words {
    enum side side; /* SIDE_NONE: either */
    uint8_t len;
    const char *bytes;
    enum upgrade_family family;
};

#define WORDS(side, text, family) {side, sizeof text - 1, text, family}

static const struct first_words first_words[] = {
    WORDS(SIDE_SERVER, "220 ", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "220-", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "* OK", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "+OK", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "200 ", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "201 ", UPGRADE_LINES),
    WORDS(SIDE_SERVER, "\"IMPLEMENTATION\"", UPGRADE_LINES),
    WORDS(SIDE_NONE, "NXSH-", UPGRADE_LINES),
    WORDS(SIDE_NONE, "NXD-", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "EHLO ", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "LHLO ", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "AUTH TLS", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "AUTH SSL", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "STARTTLS", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "STLS", UPGRADE_LINES),
    WORDS(SIDE_CLIENT, "CAPA", UPGRADE_LINES),
    WORDS(SIDE_NONE, "<?xml ", UPGRADE_XML),
    WORDS(SIDE_NONE, "<stream:stream", UPGRADE_XML),
    WORDS(SIDE_CLIENT, "\x00\x00\x00\x08\x04\xd2\x16\x2f", UPGRADE_POSTGRES),
    WORDS(SIDE_CLIENT, "\x00\x00\x00\x08\x04\xd2\x16\x30", UPGRADE_POSTGRES), /* GSSENCRequest */
    WORDS(SIDE_CLIENT, "PROXY TCP4 ", UPGRADE_PROXY),
    WORDS(SIDE_CLIENT, "PROXY TCP6 ", UPGRADE_PROXY),
    WORDS(SIDE_CLIENT, "PROXY UNKNOWN", UPGRADE_PROXY),
    WORDS(SIDE_CLIENT, "\r\n\r\n\x00\r\nQUIT\n", UPGRADE_PROXY),
    WORDS(SIDE_CLIENT, "CNXN", UPGRADE_ADB),
};

static enum dissector_match match_words(const uint8_t *bytes, size_t len, enum side side,
                                        enum upgrade_family *out)
{
    bool more = false;
    for (size_t i = 0; i < sizeof first_words / sizeof first_words[0]; i++) {
        const struct first_words *w = &first_words[i];
        size_t shown = len < w->len ? len : w->len;
        if ((w->side != SIDE_NONE && w->side != side) || memcmp(bytes, w->bytes, shown) != 0)
            continue;
        if (len >= w->len) {
            *out = w->family;
            return MATCH_YES;
        }
        more = true;
    }
    return more ? MATCH_MORE : MATCH_NO;
}

/* 5 | count | methods: nothing more before the server has chosen. */
static enum dissector_match match_socks5(const uint8_t *bytes, size_t len)
{
    if (bytes[0] != 5 || (len > 1 && (bytes[1] == 0 || bytes[1] > 16)))
        return MATCH_NO;
    for (size_t i = 2; i < len && i < 2u + bytes[1]; i++) {
        if (bytes[i] > 9 && bytes[i] < 0x80)
            return MATCH_NO;
    }
    return len < 2 || len < 2u + bytes[1] ? MATCH_MORE : len == 2u + bytes[1] ? MATCH_YES : MATCH_NO;
}

/* 4 | command | port 2 | address 4 | user 0 (| name 0: SOCKS 4a, where the address is 0.0.0.x). */
static enum dissector_match socks4_size(const uint8_t *bytes, size_t len, size_t *out)
{
    if (bytes[0] != 4 || (len > 1 && bytes[1] != 1 && bytes[1] != 2))
        return MATCH_NO;
    if (len < 9)
        return MATCH_MORE;
    const uint8_t *zero = memchr(bytes + 8, 0, len - 8);
    bool named = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[7] != 0;
    if (zero != NULL && named)
        zero = memchr(zero + 1, 0, len - (size_t)(zero + 1 - bytes));
    if (zero == NULL)
        return len > 2 * SOCKS_USER_MAX ? MATCH_NO : MATCH_MORE;
    *out = (size_t)(zero + 1 - bytes);
    return MATCH_YES;
}

/* LDAPMessage: SEQUENCE, a short messageID, then an operation (RFC 4511 4.1.1). Sets *out to the
 * message's size. */
static enum dissector_match ldap_size(const uint8_t *bytes, size_t len, size_t *out)
{
    struct cursor c = cur_of(bytes, len);
    if (cur_u8(&c) != 0x30)
        return MATCH_NO;
    uint32_t length = cur_u8(&c);
    uint32_t length_bytes = length > 0x80 ? length - 0x80 : 0; /* the long form */
    if (length_bytes > 4)
        return MATCH_NO;
    length = length_bytes > 0 ? 0 : length;
    for (; length_bytes > 0; length_bytes--)
        length = length << 8 | cur_u8(&c);
    size_t header = len - cur_left(&c);
    uint8_t id_type = cur_u8(&c), id_len = cur_u8(&c);
    cur_skip(&c, id_len);
    uint8_t operation = cur_u8(&c);
    if (!cur_ok(&c))
        return MATCH_MORE;
    bool known = (operation >= 0x60 && operation <= 0x79) || operation == 0x42 ||
                 operation == 0x4a || operation == 0x50;
    if (id_type != 2 || id_len == 0 || id_len > 5 || !known || length > MESSAGE_MAX)
        return MATCH_NO;
    *out = header + length;
    return MATCH_YES;
}

/* length 3 | number 0 | protocol 10 (or 9) | version in text, 0 */
static enum dissector_match match_mysql(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    uint8_t low = cur_u8(&c), middle = cur_u8(&c), high = cur_u8(&c);
    uint8_t number = cur_u8(&c), protocol = cur_u8(&c), digit = cur_u8(&c);
    uint32_t size = low | (uint32_t)middle << 8;
    if (high != 0 || (len > 1 && (size < 30 || size > MYSQL_GREETING_MAX)))
        return MATCH_NO;
    if (number != 0 || (len > 4 && protocol != 10 && protocol != 9))
        return MATCH_NO;
    if (len > 5 && (digit < '3' || digit > '9'))
        return MATCH_NO;
    return len > 5 ? MATCH_YES : MATCH_MORE;
}

/* 3 | 0 | length 2 | X.224 length | connection request or confirm (RFC 1006 6, X.224 13.3) */
static enum dissector_match match_tpkt(const uint8_t *bytes, size_t len, enum side side)
{
    uint8_t code = side == SIDE_CLIENT ? 0xe0 : 0xd0;
    if (bytes[0] != 3 || (len > 1 && bytes[1] != 0))
        return MATCH_NO;
    if (len < 6)
        return MATCH_MORE;
    uint32_t size = (uint32_t)bytes[2] << 8 | bytes[3];
    return bytes[5] == code && size >= 11 && size == bytes[4] + 5u ? MATCH_YES : MATCH_NO;
}

static enum dissector_match match_binary(const uint8_t *bytes, size_t len, enum side side,
                                         enum upgrade_family *out)
{
    size_t size;
    switch (bytes[0]) {
    case 3:
        *out = UPGRADE_TPKT;
        return match_tpkt(bytes, len, side);
    case 4:
        *out = UPGRADE_SOCKS4;
        return side == SIDE_CLIENT ? socks4_size(bytes, len, &size) : MATCH_NO;
    case 5:
        *out = UPGRADE_SOCKS5;
        return side == SIDE_CLIENT ? match_socks5(bytes, len) : MATCH_NO;
    case 0x30:
        *out = UPGRADE_LDAP;
        return side == SIDE_CLIENT ? ldap_size(bytes, len, &size) : MATCH_NO;
    default:
        *out = UPGRADE_MYSQL;
        return side == SIDE_SERVER ? match_mysql(bytes, len) : MATCH_NO;
    }
}

enum dissector_match upgrade_family_of(const uint8_t *bytes, size_t len, enum side side,
                                       enum upgrade_family *out)
{
    enum upgrade_family binary = UPGRADE_UNDECIDED;
    if (len == 0)
        return MATCH_MORE;
    enum dissector_match words = match_words(bytes, len, side, out);
    if (words == MATCH_YES)
        return MATCH_YES;
    enum dissector_match other = match_binary(bytes, len, side, &binary);
    if (other == MATCH_YES)
        *out = binary;
    return other == MATCH_NO ? words : other;
}

/* ---- messages
 * ------------------------------------------------------------------------------------------ */

static enum upgrade_step eat(size_t size, size_t len, size_t *whole)
{
    if (size > len)
        return UPGRADE_WAIT;
    *whole = size;
    return UPGRADE_EAT;
}

/* Words of a line, behind IMAP's tag too. */
static bool line_says(const uint8_t *line, size_t len, const char *words)
{
    size_t words_len = strlen(words);
    const uint8_t *space = memchr(line, ' ', len);
    if (len >= words_len && strncasecmp((const char *)line, words, words_len) == 0)
        return true;
    if (space == NULL)
        return false;
    size_t rest = len - (size_t)(space + 1 - line);
    return rest >= words_len && strncasecmp((const char *)space + 1, words, words_len) == 0;
}

static enum upgrade_step read_line(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                   enum side side, size_t *whole)
{
    const uint8_t *end = memchr(bytes, '\n', len);
    if (end == NULL)
        return len > LINE_MAX_BYTES ? UPGRADE_GIVE_UP : UPGRADE_WAIT;
    size_t line = (size_t)(end - bytes) + 1;
    if (side == SIDE_SERVER && talk->greeting == 0)
        talk->greeting = (char)(bytes[0] == '2' ? bytes[1] : bytes[0]);
    if (side == SIDE_CLIENT && line_says(bytes, line, "AUTH "))
        talk->is_ftp = line_says(bytes, line, "AUTH TLS") || line_says(bytes, line, "AUTH SSL");
    if (side == SIDE_CLIENT && line_says(bytes, line, "STLS"))
        talk->is_pop = true;
    return eat(line, len, whole);
}

static enum upgrade_step read_xml(const uint8_t *bytes, size_t len, size_t *whole)
{
    const uint8_t *end = memchr(bytes, '>', len);
    if (end == NULL)
        return len > LINE_MAX_BYTES ? UPGRADE_GIVE_UP : UPGRADE_WAIT;
    while (end + 1 < bytes + len && (end[1] == '\n' || end[1] == '\r' || end[1] == ' '))
        end++;
    return eat((size_t)(end - bytes) + 1, len, whole);
}

static enum upgrade_step read_ldap(const uint8_t *bytes, size_t len, size_t *whole)
{
    size_t size = 0;
    enum dissector_match match = ldap_size(bytes, len, &size);
    if (match == MATCH_YES)
        return eat(size, len, whole);
    return match == MATCH_MORE ? UPGRADE_WAIT : UPGRADE_GIVE_UP;
}

static enum upgrade_step read_postgres(const uint8_t *bytes, size_t len, enum side side,
                                       size_t *whole)
{
    if (side == SIDE_SERVER) /* S or G: go on; N: the client may ask otherwise */
        return bytes[0] == 'S' || bytes[0] == 'N' || bytes[0] == 'G' ? eat(1, len, whole)
                                                                     : UPGRADE_GIVE_UP;
    static const uint8_t request[] = {0, 0, 0, 8, 4, 0xd2, 0x16};
    size_t shown = len < sizeof request ? len : sizeof request;
    return memcmp(bytes, request, shown) == 0 ? eat(POSTGRES_REQUEST, len, whole) : UPGRADE_GIVE_UP;
}

/* Only the greeting and the client's first packet lie before TLS. */
static enum upgrade_step read_mysql(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                    enum side side, size_t *whole)
{
    struct cursor c = cur_of(bytes, len);
    uint32_t size = cur_u8(&c);
    size |= (uint32_t)cur_u8(&c) << 8;
    size |= (uint32_t)cur_u8(&c) << 16;
    uint8_t number = cur_u8(&c);
    uint16_t capabilities = cur_u16le(&c);
    if (len < 6)
        return UPGRADE_WAIT;
    bool is_first = talk->messages[side] == 0 && number == (side == SIDE_CLIENT ? 1 : 0);
    bool goes_on = side == SIDE_SERVER || (capabilities & MYSQL_CLIENT_SSL) != 0;
    if (!is_first || !goes_on || size > MYSQL_GREETING_MAX)
        return UPGRADE_GIVE_UP;
    return eat(size + 4u, len, whole);
}

static enum upgrade_step read_socks4(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                     enum side side, size_t *whole)
{
    size_t size = 8;
    if (side == SIDE_CLIENT) {
        enum dissector_match match = socks4_size(bytes, len, &size);
        if (match != MATCH_YES)
            return match == MATCH_MORE ? UPGRADE_WAIT : UPGRADE_GIVE_UP;
        return eat(size, len, whole);
    }
    if (bytes[0] != 0 || (len > 1 && bytes[1] != 0x5a))
        return UPGRADE_GIVE_UP; /* refused */
    talk->done = len >= size;
    return eat(size, len, whole);
}

/* ver | x | 0 | kind | address | port: request and answer have one form (RFC 1928 4, 6). */
static enum upgrade_step socks5_request(const uint8_t *bytes, size_t len, size_t *whole)
{
    if (len < 5)
        return UPGRADE_WAIT;
    size_t address = bytes[3] == 1 ? 4 : bytes[3] == 4 ? 16 : bytes[3] == 3 ? 1u + bytes[4] : 0;
    if (bytes[0] != 5 || bytes[2] != 0 || address == 0)
        return UPGRADE_GIVE_UP;
    return eat(4 + address + 2, len, whole);
}

/* RFC 1929: 1 | length, name | length, password */
static enum upgrade_step socks5_login(const uint8_t *bytes, size_t len, size_t *whole)
{
    struct cursor c = cur_of(bytes, len);
    cur_skip(&c, 1);
    cur_skip(&c, cur_u8(&c));
    cur_skip(&c, cur_u8(&c));
    return cur_ok(&c) ? eat(len - cur_left(&c), len, whole) : UPGRADE_WAIT;
}

static enum upgrade_step read_socks5(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                     enum side side, size_t *whole)
{
    uint32_t number = talk->messages[side];
    if (number == 0 && side == SIDE_CLIENT)
        return len < 2 ? UPGRADE_WAIT : eat(2u + bytes[1], len, whole);
    if (number == 0)
        return bytes[0] == 5 && (len < 2 || bytes[1] != 0xff) ? eat(2, len, whole)
                                                              : UPGRADE_GIVE_UP;
    if (bytes[0] == 1)
        return side == SIDE_CLIENT ? socks5_login(bytes, len, whole) : eat(2, len, whole);
    enum upgrade_step step = socks5_request(bytes, len, whole);
    if (step == UPGRADE_EAT && side == SIDE_SERVER) {
        if (bytes[1] != 0)
            return UPGRADE_GIVE_UP; /* refused */
        talk->done = true;
    }
    return step;
}

static enum upgrade_step read_proxy(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                    enum side side, size_t *whole)
{
    if (side == SIDE_SERVER) {
        talk->done = true; /* it does not answer the header, but what follows */
        return UPGRADE_WAIT;
    }
    size_t size = PROXY_HEADER;
    if (bytes[0] == 'P') {
        const uint8_t *end = memchr(bytes, '\n', len);
        if (end == NULL)
            return len > PROXY_LINE_MAX ? UPGRADE_GIVE_UP : UPGRADE_WAIT;
        size = (size_t)(end - bytes) + 1;
    } else if (len < size) {
        return UPGRADE_WAIT;
    } else {
        size += (size_t)bytes[14] << 8 | bytes[15];
    }
    talk->done = size <= len;
    return eat(size, len, whole);
}

static enum upgrade_step read_tpkt(struct upgrade_talk *talk, const uint8_t *bytes, size_t len,
                                   enum side side, size_t *whole)
{
    if (talk->messages[side] > 0 || match_tpkt(bytes, len, side) == MATCH_NO)
        return UPGRADE_GIVE_UP; /* one request and one confirm; then TLS, or it never comes */
    return len < 4 ? UPGRADE_WAIT : eat((size_t)bytes[2] << 8 | bytes[3], len, whole);
}

static enum upgrade_step read_adb(const uint8_t *bytes, size_t len, size_t *whole)
{
    struct cursor c = cur_of(bytes, len);
    uint32_t command = cur_u32le(&c);
    cur_skip(&c, 8);
    uint32_t size = cur_u32le(&c);
    cur_skip(&c, 4);
    uint32_t magic = cur_u32le(&c);
    if (!cur_ok(&c))
        return UPGRADE_WAIT;
    return size > MESSAGE_MAX || magic != ~command ? UPGRADE_GIVE_UP : eat(ADB_HEADER + (size_t)size, len, whole);
}

static enum upgrade_step read_message(enum upgrade_family family, struct upgrade_talk *talk,
                                      const uint8_t *bytes, size_t len, enum side side,
                                      size_t *whole)
{
    switch (family) {
    case UPGRADE_LINES:
        return read_line(talk, bytes, len, side, whole);
    case UPGRADE_XML:
        return read_xml(bytes, len, whole);
    case UPGRADE_LDAP:
        return read_ldap(bytes, len, whole);
    case UPGRADE_POSTGRES:
        return read_postgres(bytes, len, side, whole);
    case UPGRADE_MYSQL:
        return read_mysql(talk, bytes, len, side, whole);
    case UPGRADE_SOCKS4:
        return read_socks4(talk, bytes, len, side, whole);
    case UPGRADE_SOCKS5:
        return read_socks5(talk, bytes, len, side, whole);
    case UPGRADE_PROXY:
        return read_proxy(talk, bytes, len, side, whole);
    case UPGRADE_TPKT:
        return read_tpkt(talk, bytes, len, side, whole);
    case UPGRADE_ADB:
        return read_adb(bytes, len, whole);
    default:
        return UPGRADE_GIVE_UP;
    }
}

enum upgrade_step upgrade_message(enum upgrade_family family, struct upgrade_talk *talk,
                                  const uint8_t *bytes, size_t len, enum side side, size_t *whole)
{
    enum upgrade_step step = read_message(family, talk, bytes, len, side, whole);
    talk->messages[side] += step == UPGRADE_EAT;
    return step;
}

static const char *line_name(const struct upgrade_talk *talk)
{
    switch (talk->greeting) {
    case '*':
        return "imap";
    case '+':
        return "pop3";
    case '"':
        return "managesieve";
    case 'N':
        return "nx";
    case '0': /* 200, 201 */
        return "nntp";
    default:
        break;
    }
    return talk->is_ftp ? "ftp" : talk->is_pop ? "pop3" : "smtp";
}

const char *upgrade_name(enum upgrade_family family, const struct upgrade_talk *talk)
{
    static const char *const names[] = {
        [UPGRADE_XML] = "xmpp",    [UPGRADE_LDAP] = "ldap",     [UPGRADE_POSTGRES] = "postgresql",
        [UPGRADE_MYSQL] = "mysql", [UPGRADE_SOCKS4] = "socks4", [UPGRADE_SOCKS5] = "socks5",
        [UPGRADE_PROXY] = "proxy", [UPGRADE_TPKT] = "rdp",      [UPGRADE_ADB] = "adb"};
    return family == UPGRADE_LINES ? line_name(talk) : names[family];
}
