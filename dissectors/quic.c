#include "dissectors/quic.h"

#include "core/limits.h"
#include "dissectors/quic_crypto.h"
#include "dissectors/tls_state.h"

#include <stdlib.h>
#include <string.h>

enum packet_type { PACKET_INITIAL, PACKET_0RTT, PACKET_HANDSHAKE, PACKET_RETRY };

enum {
    LONG_HEADER = 0x80,
    FIXED_BIT = 0x40,
    FRAME_PADDING = 0,
    FRAME_PING = 1,
    FRAME_ACK = 2,
    FRAME_ACK_ECN = 3,
    FRAME_CRYPTO = 6,
    FRAME_CONNECTION_CLOSE = 0x1c,
    ALERT_FATAL = 2,
    DATAGRAM_MIN = 1200 /* RFC 9000 14.1: what a client's Initial comes in at least */
};

#define ERROR_CRYPTO 0x0100u /* RFC 9000 20.1: 0x0100 to 0x01ff are TLS alerts */

/* The CRYPTO stream of one role in Initial packets. */
struct crypto {
    uint8_t *bytes;
    uint8_t *have; /* one flag a byte */
    size_t capacity;
    size_t start; /* of the message that is not whole yet */
    uint32_t datagrams;
    int64_t last_frame;
};

struct quic_state {
    struct tls_state tls;
    struct crypto crypto[2];    /* by role */
    struct quic_keys *keys[2];  /* by role */
    int64_t largest[2];
    uint32_t version;
    uint8_t id[QUIC_CONNECTION_ID_MAX]; /* the keys' connection ID */
    uint8_t id_len;
    bool has_id, retried, proven; /* a packet could be read with these keys */
    uint32_t initials;
};

/* A packet without its protection. */
struct plain {
    size_t len;
    uint8_t bytes[LIMIT_QUIC_PACKET];
};

struct long_header {
    uint32_t version;
    enum packet_type type;
    struct cursor destination, source;
};

static uint64_t take_varint(struct cursor *c)
{
    uint8_t first = cur_u8(c);
    uint64_t value = first & 0x3f;
    for (int more = (1 << (first >> 6)) - 1; more > 0; more--)
        value = value << 8 | cur_u8(c);
    return value;
}

/* RFC 9000 17.2; version 2 numbers the types otherwise (RFC 9369 3.2). */
static enum packet_type type_of(uint8_t first, uint32_t version)
{
    unsigned number = (unsigned)(first >> 4 & 3);
    return (enum packet_type)(version == QUIC_VERSION_2 ? (number + 3) & 3 : number);
}

static bool take_long_header(struct cursor *c, struct long_header *out)
{
    uint8_t first = cur_u8(c);
    out->version = cur_u32(c);
    out->type = type_of(first, out->version);
    out->destination = cur_cut(c, cur_u8(c));
    out->source = cur_cut(c, cur_u8(c));
    return cur_ok(c) && cur_left(&out->destination) <= QUIC_CONNECTION_ID_MAX &&
           cur_left(&out->source) <= QUIC_CONNECTION_ID_MAX;
}

static bool quic_looks_like(const struct datagram *d)
{
    struct cursor c = cur_of(d->bytes, d->present);
    struct long_header header;
    if (d->present < 7 || (d->bytes[0] & (LONG_HEADER | FIXED_BIT)) != (LONG_HEADER | FIXED_BIT))
        return false;
    if (!take_long_header(&c, &header))
        return false;
    if ((header.version & 0x0f0f0f0f) == 0x0a0a0a0a) /* RFC 9000 15: asks for the server's versions */
        return d->len >= DATAGRAM_MIN && cur_left(&header.destination) >= 8;
    if (!quic_version_is_known(header.version))
        return false;
    /* Initials of servers, Retry and Handshake come in any size, but never without an ID. */
    return header.type == PACKET_INITIAL ? d->len >= DATAGRAM_MIN || cur_left(&header.source) > 0
                                         : cur_left(&header.destination) +
                                                   cur_left(&header.source) >
                                               0;
}

static void quic_open(void *self, struct dissect_context *context)
{
    struct quic_state *s = self;
    s->largest[0] = s->largest[1] = -1;
    tls_start(&s->tls, 'q', context);
    context->flow->app = "quic";
}

static void drop_keys(struct quic_state *s)
{
    for (int role = 0; role < 2; role++) {
        quic_keys_free(s->keys[role]);
        s->keys[role] = NULL;
        s->largest[role] = -1;
    }
}

/* ---- TLS messages in CRYPTO frames
 * ---------------------------------------------------------------------------- */

static bool grow(struct crypto *crypto, size_t need)
{
    if (need <= crypto->capacity)
        return true;
    size_t capacity = need < 2048 ? 2048 : need * 2;
    uint8_t *bytes = realloc(crypto->bytes, capacity);
    if (bytes != NULL)
        crypto->bytes = bytes;
    uint8_t *have = bytes != NULL ? realloc(crypto->have, capacity) : NULL;
    if (have == NULL)
        return false;
    crypto->have = have;
    memset(have + crypto->capacity, 0, capacity - crypto->capacity);
    crypto->capacity = capacity;
    return true;
}

/* Length of what is there without a hole from `start` on, up to want. */
static size_t whole_from(const struct crypto *crypto, size_t start, size_t want)
{
    size_t most = crypto->capacity > start ? crypto->capacity - start : 0;
    if (most > want)
        most = want;
    const uint8_t *hole = most > 0 ? memchr(crypto->have + start, 0, most) : NULL;
    return hole != NULL ? (size_t)(hole - crypto->have) - start : most;
}

static void read_messages(struct quic_state *s, enum side role, struct dissect_context *context)
{
    struct crypto *crypto = &s->crypto[role];
    struct tls_stream *stream = &s->tls.stream[tls_role(&s->tls, role)];
    while (whole_from(crypto, crypto->start, 4) == 4) {
        const uint8_t *start = crypto->bytes + crypto->start;
        uint32_t len = (uint32_t)start[1] << 16 | (uint32_t)start[2] << 8 | start[3];
        if (!tls_is_message_type(start[0]) || len > LIMIT_QUIC_CRYPTO ||
            whole_from(crypto, crypto->start, len + 4u) < len + 4u)
            return;
        stream->segments = crypto->datagrams;
        stream->records = 1;
        crypto->start += len + 4u;
        tls_handle_message(&s->tls, role, start[0], cur_of(start + 4, len), context);
    }
}

static void take_crypto(struct quic_state *s, enum side role, struct cursor *c,
                        struct dissect_context *context)
{
    struct crypto *crypto = &s->crypto[role];
    uint64_t offset = take_varint(c), len = take_varint(c);
    const uint8_t *bytes = cur_take(c, len <= SIZE_MAX ? (size_t)len : SIZE_MAX);
    if (!cur_ok(c) || len == 0 || bytes == NULL)
        return;
    if (offset > LIMIT_QUIC_CRYPTO || len > LIMIT_QUIC_CRYPTO - offset) {
        context->flow->facts |= FLOW_FACT_LIMIT;
        return;
    }
    if (!grow(crypto, (size_t)(offset + len)))
        return;
    if (crypto->last_frame != context->frame)
        crypto->datagrams++;
    crypto->last_frame = context->frame;
    memcpy(crypto->bytes + offset, bytes, (size_t)len);
    memset(crypto->have + offset, 1, (size_t)len);
}

static void pass_ack(struct cursor *c, bool ecn)
{
    (void)take_varint(c); /* largest */
    (void)take_varint(c); /* delay */
    uint64_t ranges = take_varint(c);
    (void)take_varint(c);
    for (; ranges > 0 && cur_left(c) > 0; ranges--) {
        (void)take_varint(c);
        (void)take_varint(c);
    }
    for (int i = 0; ecn && i < 3; i++)
        (void)take_varint(c);
}

static void take_close(struct quic_state *s, enum side role, struct cursor *c,
                       struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    uint64_t code = take_varint(c);
    if (!cur_ok(c) || tls->quic_error >= 0)
        return;
    tls->quic_error = (int64_t)(code & INT64_MAX);
    if ((code & ~(uint64_t)0xff) == ERROR_CRYPTO)
        tls_handle_alert(&s->tls, role, ALERT_FATAL, (uint8_t)code, context);
}

/* RFC 9000 12.4: no other frames come in Initial packets. */
static void read_frames(struct quic_state *s, enum side role, struct cursor c,
                        struct dissect_context *context)
{
    while (cur_left(&c) > 0) {
        uint64_t type = take_varint(&c);
        if (type == FRAME_PADDING || type == FRAME_PING)
            continue;
        if (type == FRAME_ACK || type == FRAME_ACK_ECN) {
            pass_ack(&c, type == FRAME_ACK_ECN);
        } else if (type == FRAME_CRYPTO) {
            take_crypto(s, role, &c, context);
        } else {
            if (type == FRAME_CONNECTION_CLOSE)
                take_close(s, role, &c, context);
            break;
        }
    }
    read_messages(s, role, context);
}

/* ---- packets
 * -------------------------------------------------------------------------------------------------- */

static bool set_keys(struct quic_state *s, struct cursor id, uint32_t version)
{
    drop_keys(s);
    s->version = version;
    s->id_len = (uint8_t)cur_left(&id);
    if (s->id_len > 0)
        memcpy(s->id, id.at, s->id_len);
    s->has_id = true;
    for (int role = 0; role < 2; role++)
        s->keys[role] = quic_keys_new(version, s->id, s->id_len, (enum side)role);
    return s->keys[0] != NULL && s->keys[1] != NULL;
}

static bool unprotect(struct quic_state *s, enum side role, struct cursor packet, size_t number,
                      struct plain *out)
{
    return s->keys[role] != NULL && cur_left(&packet) <= sizeof out->bytes &&
           quic_unprotect(s->keys[role], packet.at, cur_left(&packet), number, &s->largest[role],
                          out->bytes, &out->len);
}

/* Keys from this packet's own ID: it is the client's first one, whoever we took for the client. */
static bool try_as_first(struct quic_state *s, enum side side, const struct long_header *header,
                         struct cursor packet, size_t number, struct plain *out)
{
    if (s->proven && (s->tls.client_hello || tls_role(&s->tls, side) == SIDE_SERVER))
        return false;
    if (!set_keys(s, header->destination, header->version) ||
        !unprotect(s, SIDE_CLIENT, packet, number, out))
        return false;
    s->tls.flipped = side == SIDE_SERVER;
    return true;
}

static void take_initial(struct quic_state *s, enum side side, const struct long_header *header,
                         struct cursor packet, size_t number, struct dissect_context *context)
{
    struct plain plain;
    if (s->initials >= LIMIT_QUIC_INITIALS)
        return;
    s->initials++;
    enum side role = tls_role(&s->tls, side);
    bool is_open = s->has_id && header->version == s->version &&
                   unprotect(s, role, packet, number, &plain);
    if (!is_open && !try_as_first(s, side, header, packet, number, &plain))
        return;
    role = tls_role(&s->tls, side);
    s->proven = true;
    s->tls.party[role].seen = true;
    context->tls->quic_version = s->version;
    read_frames(s, role, cur_of(plain.bytes, plain.len), context);
}

/* RFC 9001 5.2: the keys change to the ID that the server chose. */
static void take_retry(struct quic_state *s, enum side side, const struct long_header *header,
                       struct dissect_context *context)
{
    if (tls_role(&s->tls, side) != SIDE_SERVER || s->retried || s->tls.server_hello ||
        !quic_version_is_known(header->version))
        return;
    s->retried = true;
    context->tls->quic_retry = true;
    context->tls->quic_version = header->version;
    (void)set_keys(s, header->source, header->version);
}

/* A client sends 1-RTT packets when its handshake is complete (RFC 9001 4.1.1). */
static void take_short(struct quic_state *s, enum side side, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    enum side role = tls_role(&s->tls, side);
    if (role == SIDE_CLIENT && s->tls.server_hello)
        tls_establish(&s->tls, SIDE_CLIENT, context);
    if (s->tls.server_hello) /* else its beginning was missed */
        tls_add_letter(tls, role, 'D');
    if (role == SIDE_CLIENT)
        tls->client_app_records++;
    else
        tls->server_app_records++;
    if (tls->client_app_records > 0 && tls->server_app_records > 0)
        context->flow->facts |= FLOW_FACT_ANSWERED;
}

/* One packet of a datagram; false when nothing can be read behind it. */
static bool take_packet(struct quic_state *s, enum side side, struct cursor *rest,
                        struct dissect_context *context)
{
    struct long_header header;
    const uint8_t *start = rest->at;
    if ((start[0] & LONG_HEADER) == 0) {
        take_short(s, side, context);
        return false;
    }
    if (!take_long_header(rest, &header))
        return false;
    if (header.version == 0) {
        context->tls->quic_negotiation |= tls_role(&s->tls, side) == SIDE_SERVER;
        return false;
    }
    if (!quic_version_is_known(header.version))
        return false;
    if (header.type == PACKET_RETRY) {
        take_retry(s, side, &header, context);
        return false;
    }
    if (header.type == PACKET_INITIAL)
        cur_skip(rest, (size_t)take_varint(rest)); /* token */
    uint64_t len = take_varint(rest);
    size_t number = (size_t)(rest->at - start);
    cur_skip(rest, (size_t)len);
    if (!cur_ok(rest))
        return false;
    if (header.type == PACKET_0RTT)
        context->tls->early_data = true;
    if (header.type == PACKET_INITIAL)
        take_initial(s, side, &header, cur_of(start, (size_t)(rest->at - start)), number, context);
    return true;
}

static enum datagram_result quic_feed(void *self, const struct datagram *d,
                                      struct dissect_context *context)
{
    struct quic_state *s = self;
    struct cursor rest = cur_of(d->bytes, d->present);
    while (cur_left(&rest) > 0 && take_packet(s, d->side, &rest, context))
        ;
    return DATAGRAM_MORE;
}

static void quic_close(void *self, struct dissect_context *context)
{
    struct quic_state *s = self;
    tls_conclude(&s->tls, context);
    drop_keys(s);
    for (int role = 0; role < 2; role++) {
        free(s->crypto[role].bytes);
        free(s->crypto[role].have);
    }
}

const struct datagram_dissector datagram_quic = {
    .name = "quic",
    .state_size = sizeof(struct quic_state),
    .is_tls = true,
    .looks_like = quic_looks_like,
    .open = quic_open,
    .feed = quic_feed,
    .close = quic_close,
};
