/* Record layer and fragments.
 *
 *   type 1 | version 2 | epoch 2 | sequence 6 | length 2 | fragment          (13 bytes, RFC 6347 4.1)
 *   message type 1 | length 3 | number 2 | offset 3 | fragment length 3      (12 bytes, RFC 6347 4.2.2)
 *   001CSLEE | connection ID | sequence 1 or 2 | length 2 or none            (RFC 9147 4)
 */
#include "dissectors/dtls.h"

#include "core/limits.h"
#include "dissectors/names.h"
#include "dissectors/tls.h"
#include "dissectors/tls_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECORD_HEADER = 13,
    MESSAGE_HEADER = 12,
    RECORD_CID = 25, /* RFC 9146 */
    RECORD_ACK = 26, /* RFC 9147 */
    DTLS_VERSION_OLD = 0x0100, /* OpenSSL before 0.9.8f */
    EPOCH_APPLICATION = 3,
    MESSAGE_HELLO_VERIFY = 3,
    MESSAGE_CLIENT_HELLO = 1
};

struct message {
    uint8_t *bytes; /* the body, then one flag a byte */
    uint32_t len, got;
    uint8_t type;
    uint16_t number;
};

struct half {
    struct message waiting[LIMIT_DTLS_MESSAGES]; /* by number modulo */
    uint32_t bytes;
    uint16_t next;
    bool started;
    uint32_t datagrams;
    int64_t last_frame;
};

struct dtls_state {
    struct tls_state tls;
    struct half half[2]; /* by role */
};

static bool is_version(uint16_t version)
{
    return version == DTLS_VERSION_12 || version == DTLS_VERSION_10 || version == DTLS_VERSION_OLD;
}

/* Whole records from the first byte to the last, the first of them in clear or at least numbered. */
static bool dtls_looks_like(const struct datagram *d)
{
    struct cursor c = cur_of(d->bytes, d->present);
    uint32_t left = d->len;
    for (int records = 0; left > 0; records++) {
        uint8_t type = cur_u8(&c);
        uint16_t version = cur_u16(&c), epoch = cur_u16(&c);
        cur_skip(&c, 6);
        uint16_t length = cur_u16(&c);
        if (!cur_ok(&c))
            return records > 0; /* cut by the snap length */
        bool unified = records > 0 && (type & 0xe0) == 0x20;
        if (unified)
            return true;
        if (type < TLS_RECORD_CCS || type > TLS_RECORD_DATA || !is_version(version) ||
            epoch > 16 || length == 0 || length > TLS_RECORD_MAX ||
            length + (uint32_t)RECORD_HEADER > left)
            return false;
        left -= length + RECORD_HEADER;
        cur_skip(&c, cur_left(&c) < length ? cur_left(&c) : length);
    }
    return true;
}

static void dtls_open(void *self, struct dissect_context *context)
{
    struct dtls_state *s = self;
    tls_start(&s->tls, 'd', context);
    context->flow->app = "dtls";
}

static void drop_message(struct half *half, struct message *m)
{
    half->bytes -= m->bytes != NULL ? m->len : 0;
    free(m->bytes);
    *m = (struct message){0};
}

/* ---- handshake
 * ------------------------------------------------------------------------------------------------ */

static void read_in_order(struct dtls_state *s, enum side role, struct dissect_context *context)
{
    struct half *half = &s->half[role];
    struct tls_stream *stream = &s->tls.stream[tls_role(&s->tls, role)];
    for (;;) {
        struct message *m = &half->waiting[half->next % LIMIT_DTLS_MESSAGES];
        if (m->bytes == NULL || m->number != half->next || m->got < m->len)
            return;
        stream->segments = half->datagrams;
        stream->records = 1;
        half->datagrams = 0;
        half->next++;
        tls_handle_message(&s->tls, role, m->type, cur_of(m->bytes, m->len), context);
        drop_message(half, m);
    }
}

static struct message *message_for(struct half *half, uint8_t type, uint32_t len, uint16_t number)
{
    struct message *m = &half->waiting[number % LIMIT_DTLS_MESSAGES];
    if (m->bytes != NULL)
        return m->number == number && m->type == type && m->len == len ? m : NULL;
    if (half->bytes + len > LIMIT_DTLS_BYTES)
        return NULL;
    m->bytes = calloc(2, len > 0 ? len : 1u);
    if (m->bytes == NULL)
        return NULL;
    half->bytes += len;
    m->len = len;
    m->type = type;
    m->number = number;
    return m;
}

static void keep_fragment(struct message *m, uint32_t offset, const uint8_t *bytes, uint32_t len)
{
    uint8_t *have = m->bytes + m->len;
    for (uint32_t i = 0; i < len; i++) {
        m->got += have[offset + i] == 0;
        have[offset + i] = 1;
        m->bytes[offset + i] = bytes[i];
    }
}

/* The role of whoever sends a first hello. */
static enum side role_of(struct dtls_state *s, enum side side, uint8_t type)
{
    bool unknown = !s->half[0].started && !s->half[1].started;
    if (unknown && type == MESSAGE_CLIENT_HELLO)
        s->tls.flipped = side == SIDE_SERVER;
    else if (unknown && (type == 2 || type == MESSAGE_HELLO_VERIFY))
        s->tls.flipped = side == SIDE_CLIENT;
    return tls_role(&s->tls, side);
}

static void take_fragments(struct dtls_state *s, enum side side, struct cursor record,
                           struct dissect_context *context)
{
    while (cur_left(&record) >= MESSAGE_HEADER) {
        uint8_t type = cur_u8(&record);
        uint32_t len = cur_u24(&record);
        uint16_t number = cur_u16(&record);
        uint32_t offset = cur_u24(&record), part = cur_u24(&record);
        const uint8_t *bytes = cur_take(&record, part);
        bool fits = cur_ok(&record) && len <= LIMIT_DTLS_BYTES && offset <= len &&
                    part <= len - offset && (part > 0 || len == 0);
        if (!fits || !tls_is_message_type(type))
            return;
        enum side role = role_of(s, side, type);
        struct half *half = &s->half[role];
        if (!half->started)
            half->next = number;
        half->started = true;
        uint16_t ahead = (uint16_t)(number - half->next);
        struct message *m =
            ahead < LIMIT_DTLS_MESSAGES ? message_for(half, type, len, number) : NULL;
        if (m == NULL)
            continue; /* sent again, or from nowhere */
        half->datagrams += half->datagrams == 0 || half->last_frame != context->frame;
        half->last_frame = context->frame;
        if (part > 0)
            keep_fragment(m, offset, bytes, part);
        read_in_order(s, role, context);
    }
}

/* ---- records
 * -------------------------------------------------------------------------------------------------- */

static void take_clear(struct dtls_state *s, enum side side, uint8_t type, struct cursor record,
                       struct dissect_context *context)
{
    enum side role = tls_role(&s->tls, side);
    if (type == TLS_RECORD_HANDSHAKE) {
        take_fragments(s, side, record, context);
    } else if (type == TLS_RECORD_CCS) {
        if (!s->tls.party[role].encrypted) /* flights are sent again */
            tls_handle_ccs(&s->tls, role, context);
    } else if (type == TLS_RECORD_ALERT && cur_left(&record) == 2) {
        uint8_t level = cur_u8(&record);
        tls_handle_alert(&s->tls, role, level, cur_u8(&record), context);
    }
}

/* Up to DTLS 1.2 types stay readable; a session picked up later is no news. */
static void take_encrypted(struct dtls_state *s, enum side side, uint8_t type, uint32_t len,
                           struct dissect_context *context)
{
    if (type == RECORD_CID || type == RECORD_ACK)
        type = TLS_RECORD_DATA;
    if (!tls_version_is_13(context->tls->version))
        tls_handle_encrypted(&s->tls, tls_role(&s->tls, side), type, len, context);
}

/* DTLS 1.3 hides all but the low bits of the epoch: 2 handshake, 3 application data. */
static bool take_unified(struct dtls_state *s, enum side side, struct cursor *c,
                         struct dissect_context *context)
{
    enum side role = tls_role(&s->tls, side);
    struct tls_record *tls = context->tls;
    uint8_t first = cur_u8(c);
    if (!tls_version_is_13(tls->version) || !s->tls.server_hello)
        return false;
    if ((first & 3) == EPOCH_APPLICATION) {
        bool proves = role == SIDE_CLIENT || s->tls.party[SIDE_CLIENT].finished;
        if (proves)
            tls_establish(&s->tls, role, context);
        tls_add_letter(tls, role, 'D');
        tls->client_app_records += role == SIDE_CLIENT;
        tls->server_app_records += role == SIDE_SERVER;
    } else if (role == SIDE_CLIENT && !s->tls.party[SIDE_CLIENT].finished) {
        s->tls.party[SIDE_CLIENT].finished = true; /* its first flight under handshake keys */
        tls_add_letter(tls, role, 'F');
        tls_advance(tls, TLS_STEP_CLIENT_FINISHED);
    }
    if ((first & 0x10) != 0 || (first & 4) == 0)
        return false; /* a connection ID of unknown length, or no length at all */
    cur_skip(c, (first & 8) != 0 ? 2 : 1);
    cur_skip(c, cur_u16(c));
    return cur_ok(c);
}

static bool take_record(struct dtls_state *s, enum side side, struct cursor *c,
                        struct dissect_context *context)
{
    if ((c->at[0] & 0xe0) == 0x20)
        return take_unified(s, side, c, context);
    uint8_t type = cur_u8(c);
    uint16_t version = cur_u16(c), epoch = cur_u16(c);
    cur_skip(c, 6);
    uint16_t length = cur_u16(c);
    if (!cur_ok(c) || type < TLS_RECORD_CCS || type > RECORD_ACK || !is_version(version))
        return false;
    s->tls.party[tls_role(&s->tls, side)].seen = true;
    if (epoch > 0) {
        take_encrypted(s, side, type, length, context);
        cur_skip(c, length);
        return cur_ok(c);
    }
    struct cursor record = cur_cut(c, length);
    if (cur_ok(c))
        take_clear(s, side, type, record, context);
    return cur_ok(c);
}

static enum datagram_result dtls_feed(void *self, const struct datagram *d,
                                      struct dissect_context *context)
{
    struct dtls_state *s = self;
    struct cursor c = cur_of(d->bytes, d->present);
    while (cur_left(&c) > 0 && take_record(s, d->side, &c, context))
        ;
    return DATAGRAM_MORE;
}

static void dtls_close(void *self, struct dissect_context *context)
{
    struct dtls_state *s = self;
    tls_conclude(&s->tls, context);
    for (int role = 0; role < 2; role++) {
        for (size_t i = 0; i < LIMIT_DTLS_MESSAGES; i++)
            drop_message(&s->half[role], &s->half[role].waiting[i]);
    }
}

static const struct tls_certificate_record *dtls_certificates(const void *self, size_t *count)
{
    const struct dtls_state *s = self;
    return tls_state_certificates(&s->tls, count);
}

const struct datagram_dissector datagram_dtls = {
    .name = "dtls",
    .state_size = sizeof(struct dtls_state),
    .is_tls = true,
    .looks_like = dtls_looks_like,
    .open = dtls_open,
    .feed = dtls_feed,
    .close = dtls_close,
    .certificates = dtls_certificates,
};
