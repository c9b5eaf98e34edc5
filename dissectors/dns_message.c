#include "dissectors/dns_message.h"

#include <stdio.h>
#include <string.h>

#define NAME_WIRE_MOST 255
#define LABEL_MOST 63
/* A pointer must lead backwards; a name of 255 bytes has at most 127 labels to jump from. */
#define JUMPS_MOST 127
/* More records than fit in 64 KiB (11 bytes each) cannot be there. */
#define RECORDS_MOST 6000
#define HEADER_LEN 12
#define CLASS_IN 1
#define OPCODE_QUERY 0
#define OPCODE_UPDATE 5

/* ---- names ----------------------------------------------------------------------------------- */

struct name_writer {
    char *out;
    size_t len;
};

static void put_char(struct name_writer *w, char c)
{
    if (w->len + 1 < DNS_NAME_SIZE)
        w->out[w->len++] = c;
}

static void put_byte(struct name_writer *w, uint8_t byte)
{
    if (byte > ' ' && byte < 0x7f && byte != '\\' && byte != '.') {
        put_char(w, byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : (char)byte);
        return;
    }
    put_char(w, '\\');
    put_char(w, (char)('0' + byte / 100));
    put_char(w, (char)('0' + byte / 10 % 10));
    put_char(w, (char)('0' + byte % 10));
}

static void put_label(struct name_writer *w, const uint8_t *label, size_t len)
{
    if (w->len > 0)
        put_char(w, '.');
    for (size_t i = 0; i < len; i++)
        put_byte(w, label[i]);
}

/* Moves the cursor of a name to where a pointer leads: strictly before the run of labels it is in. */
static bool follow(const struct cursor *message, struct cursor *c, size_t *limit, uint8_t high)
{
    size_t to = (size_t)(high & 0x3f) << 8 | cur_u8(c);
    if (!cur_ok(c) || to >= *limit)
        return false;
    *limit = to;
    *c = cur_of(message->at + to, cur_left(message) - to);
    return true;
}

bool dns_name_read(const struct cursor *message, struct cursor *at, char out[DNS_NAME_SIZE])
{
    struct name_writer w = {out, 0};
    struct cursor c = *at;
    size_t limit = (size_t)(at->at - message->at), wire = 1;
    bool jumped = false;
    for (unsigned jumps = 0; jumps <= JUMPS_MOST;) {
        uint8_t len = cur_u8(&c);
        if (!cur_ok(&c))
            break;
        if (len >= 0xc0) {
            bool good = follow(message, &c, &limit, len);
            if (!jumped)
                cur_skip(at, 1);
            jumped = true;
            jumps++;
            if (!good)
                break;
            continue;
        }
        const uint8_t *label = len <= LABEL_MOST ? cur_take(&c, len) : NULL;
        wire += (size_t)len + 1;
        if (label == NULL || wire > NAME_WIRE_MOST + 1)
            break;
        if (!jumped)
            cur_skip(at, (size_t)len + 1);
        if (len == 0) {
            if (w.len == 0)
                put_char(&w, '.');
            if (jumped)
                cur_skip(at, 1);
            out[w.len] = '\0';
            return cur_ok(at);
        }
        put_label(&w, label, len);
    }
    out[0] = '\0';
    cur_fail(at);
    return false;
}

/* ---- types ----------------------------------------------------------------------------------- */

char *dns_type_text(uint16_t type, char out[DNS_TYPE_SIZE])
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {{1, "A"},       {2, "NS"},      {5, "CNAME"},  {6, "SOA"},     {12, "PTR"},
                 {13, "HINFO"},  {15, "MX"},     {16, "TXT"},   {28, "AAAA"},   {33, "SRV"},
                 {35, "NAPTR"},  {39, "DNAME"},  {41, "OPT"},   {43, "DS"},     {46, "RRSIG"},
                 {47, "NSEC"},   {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},   {64, "SVCB"},
                 {65, "HTTPS"},  {99, "SPF"},    {249, "TKEY"}, {250, "TSIG"},  {251, "IXFR"},
                 {252, "AXFR"},  {255, "ANY"},   {257, "CAA"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            (void)snprintf(out, DNS_TYPE_SIZE, "%s", names[i].name);
            return out;
        }
    }
    (void)snprintf(out, DNS_TYPE_SIZE, "TYPE%u", type);
    return out;
}

static bool is_usual_type(uint16_t type)
{
    char text[DNS_TYPE_SIZE];
    return strncmp(dns_type_text(type, text), "TYPE", 4) != 0;
}

/* ---- records --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdULL;
    return word ^ (word >> 29);
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3ULL;
    return hash;
}

struct resource { /* RFC 1035 3.2.1 */
    uint16_t type, class;
    uint32_t ttl;
    struct cursor data;
};

static bool read_resource(const struct cursor *message, struct cursor *c, struct resource *out)
{
    char owner[DNS_NAME_SIZE];
    if (!dns_name_read(message, c, owner))
        return false;
    out->type = cur_u16(c);
    out->class = cur_u16(c);
    out->ttl = cur_u32(c);
    uint16_t len = cur_u16(c);
    out->data = cur_cut(c, len);
    return cur_ok(c);
}

static void add_address(const struct resource *r, struct dns_message *m, char text[DNS_NAME_SIZE])
{
    struct cursor data = r->data;
    const uint8_t *bytes = cur_take(&data, r->type == DNS_TYPE_A ? 4 : 16);
    if (bytes == NULL)
        return;
    struct address address = r->type == DNS_TYPE_A ? address_v4(bytes) : address_v6(bytes);
    (void)address_to_text(&address, text);
    if (m->address_count < DNS_ADDRESSES)
        m->addresses[m->address_count++] = address;
}

/* What a record says in words; "" for types whose data is nobody's business here. */
static void describe(const struct cursor *message, const struct resource *r, struct dns_message *m,
                     char text[DNS_NAME_SIZE])
{
    struct cursor data = r->data;
    text[0] = '\0';
    switch (r->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        add_address(r, m, text);
        return;
    case DNS_TYPE_MX:
        cur_skip(&data, 2);
        break;
    case DNS_TYPE_SRV:
        cur_skip(&data, 6);
        break;
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
    case DNS_TYPE_DNAME:
        break;
    default:
        return;
    }
    (void)dns_name_read(message, &data, text);
}

static void list_add(struct dns_message *m, const char *type, const char *text)
{
    size_t len = strlen(m->list);
    size_t more = strlen(type) + strlen(text) + 2;
    if (len >= 4 && strcmp(m->list + len - 4, ",...") == 0)
        return;
    if (len + more + 5 > sizeof m->list) {
        (void)snprintf(m->list + len, sizeof m->list - len, "%s...", len > 0 ? "," : "");
        return;
    }
    (void)snprintf(m->list + len, sizeof m->list - len, "%s%s%s%s", len > 0 ? "," : "", type,
                   text[0] != '\0' ? " " : "", text);
}

static void take_answer(const struct cursor *message, const struct resource *r,
                        struct dns_message *m)
{
    char text[DNS_NAME_SIZE], type[DNS_TYPE_SIZE];
    describe(message, r, m, text);
    list_add(m, dns_type_text(r->type, type), text);
    uint64_t hash = hash_bytes(r->type, text, strlen(text));
    if (text[0] == '\0')
        hash = hash_bytes(hash, r->data.at, cur_left(&r->data));
    m->digest += mix(hash);
    if (m->answer_count++ == 0 || r->ttl < m->ttl_s)
        m->ttl_s = r->ttl;
}

/* RFC 6891 6.1.3: the upper eight bits of the rcode and the size lie where TTL and class would. */
static void take_edns(const struct resource *r, struct dns_message *m)
{
    m->has_edns = true;
    m->edns_bytes = r->class;
    m->rcode = (uint16_t)(m->rcode | (r->ttl >> 24) << 4);
}

static bool read_records(const struct cursor *message, struct cursor *c, struct dns_message *m)
{
    unsigned total = 0;
    for (int section = 1; section < 4; section++) {
        for (unsigned i = 0; i < m->counts[section]; i++) {
            struct resource r;
            if (++total > RECORDS_MOST || !read_resource(message, c, &r))
                return false;
            if (r.type == DNS_TYPE_OPT && section == 3)
                take_edns(&r, m);
            else if (section == 1)
                take_answer(message, &r, m);
        }
    }
    return true;
}

/* ---- the message ----------------------------------------------------------------------------- */

static void read_header(struct cursor *c, struct dns_message *m)
{
    m->id = cur_u16(c);
    m->flags = cur_u16(c);
    for (int i = 0; i < 4; i++)
        m->counts[i] = cur_u16(c);
    m->is_answer = (m->flags & 0x8000) != 0;
    m->opcode = m->flags >> 11 & 15;
    m->authoritative = (m->flags & 0x0400) != 0;
    m->truncated = (m->flags & 0x0200) != 0;
    m->recursion_desired = (m->flags & 0x0100) != 0;
    m->rcode = m->flags & 15;
}

enum dns_state dns_message_read(const uint8_t *bytes, size_t present, size_t len,
                                struct dns_message *m)
{
    struct cursor message = cur_of(bytes, present), c = message;
    memset(m, 0, sizeof *m);
    read_header(&c, m);
    if (!cur_ok(&c) || m->opcode > OPCODE_UPDATE + 1)
        return DNS_BAD;
    for (unsigned i = 0; i < m->counts[0]; i++) {
        char other[DNS_NAME_SIZE];
        if (!dns_name_read(&message, &c, i == 0 ? m->question : other))
            return DNS_BAD;
        uint16_t type = cur_u16(&c), class = cur_u16(&c);
        if (!cur_ok(&c))
            return DNS_BAD;
        if (i == 0) {
            m->question_type = type;
            m->question_class = class;
        }
    }
    bool whole = read_records(&message, &c, m);
    m->digest = mix(m->digest + m->rcode);
    m->trailing = whole && (cur_left(&c) > 0 || present < len);
    return whole ? DNS_WHOLE : DNS_CUT;
}

bool dns_message_is_certain(const uint8_t *bytes, size_t present, size_t len)
{
    struct dns_message m;
    if (len < HEADER_LEN + 5 || present < len || dns_message_read(bytes, present, len, &m) != DNS_WHOLE)
        return false;
    bool sound = m.opcode == OPCODE_QUERY && m.counts[0] == 1 && (m.flags & 0x0040) == 0 &&
                 !m.trailing && is_usual_type(m.question_type) && m.question_class == CLASS_IN &&
                 strchr(m.question, '\\') == NULL;
    if (!m.is_answer)
        return sound && m.counts[1] == 0 && m.counts[2] == 0 && m.counts[3] <= 2 &&
               (m.flags & 0x008f) == 0;
    return sound && m.rcode < 24;
}
