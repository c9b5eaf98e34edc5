/* Record layer: RFC 8446 5.1, RFC 5246 6.2.1.
 *
 *   type 1 | version 2 | length 2 | fragment
 */
#include "dissectors/tls.h"

#include "core/hints.h"
#include "dissectors/names.h"
#include "dissectors/tls_hello.h"
#include "dissectors/tls_reader.h"
#include "dissectors/tls_state.h"

#include <string.h>

enum take_result { TAKE_OK, TAKE_WAIT, TAKE_BAD, TAKE_DONE };

static bool is_version(uint8_t major, uint8_t minor)
{
    return major == 3 ? minor <= 4 : major == 1 && minor == 1;
}

/* Whether the bytes can start a record; MATCH_MORE while fewer than 5 of them fit. */
static enum dissector_match header_match(const uint8_t *bytes, size_t len)
{
    if (len >= 1 && (bytes[0] < TLS_RECORD_CCS || bytes[0] > TLS_RECORD_HEARTBEAT))
        return MATCH_NO;
    if (len >= 2 && bytes[1] != 3 && bytes[1] != 1)
        return MATCH_NO;
    if (len >= 3 && !is_version(bytes[1], bytes[2]))
        return MATCH_NO;
    if (len < TLS_RECORD_HEADER)
        return MATCH_MORE;
    uint32_t length = (uint32_t)(bytes[3] << 8 | bytes[4]);
    if (length > TLS_RECORD_MAX || (length == 0 && bytes[0] != TLS_RECORD_DATA))
        return MATCH_NO;
    if (bytes[0] == TLS_RECORD_CCS && length != 1)
        return MATCH_NO;
    return MATCH_YES;
}

static enum dissector_match tls_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    (void)side;
    if (len == 0)
        return MATCH_MORE;
    if (bytes[0] & 0x80) {
        size_t size = tls_sslv2_hello_size(bytes, len);
        return size == SIZE_MAX ? MATCH_MORE : size > 0 ? MATCH_YES : MATCH_NO;
    }
    return header_match(bytes, len);
}

bool tls_is_client_hello(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    if (header_match(bytes, len) != MATCH_YES || cur_u8(&c) != TLS_RECORD_HANDSHAKE)
        return false;
    cur_skip(&c, 2);
    uint32_t record_len = cur_u16(&c);
    uint8_t type = cur_u8(&c);
    uint32_t message_len = cur_u24(&c);
    uint16_t version = cur_u16(&c);
    bool known = version == TLS_VERSION_TLCP || (version >> 8 == 3 && (version & 0xff) <= 4);
    return cur_ok(&c) && type == 1 && known && message_len > 40 &&
           (message_len + 4 == record_len || record_len >= 512);
}

bool tls_is_server_hello(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    if (header_match(bytes, len) != MATCH_YES || cur_u8(&c) != TLS_RECORD_HANDSHAKE)
        return false;
    cur_skip(&c, 4);
    uint8_t type = cur_u8(&c);
    uint32_t message_len = cur_u24(&c);
    uint16_t version = cur_u16(&c);
    bool known = version == TLS_VERSION_TLCP || (version >> 8 == 3 && (version & 0xff) <= 4);
    return cur_ok(&c) && type == 2 && known && message_len >= 38 && message_len < 1024;
}

void tls_start(struct tls_state *state, char transport, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    int64_t flow_id = tls->flow_id;
    memset(tls, 0, sizeof *tls);
    tls->flow_id = flow_id;
    tls->client_hello_ns = tls->server_hello_ns = tls->finished_ns = RECORD_NONE_NS;
    tls->client_hello_frame = tls->server_hello_frame = tls->alert_frame = -1;
    tls->alert = -1;
    tls->alert_by = tls->warning_by = SIDE_NONE;
    tls->warning = -1;
    tls->alert_ns = tls->hello_delay_ns = RECORD_NONE_NS;
    tls->quic_error = -1;
    tls->upgraded_from = context->upgrade;
    state->warning = state->first_warning = -1;
    state->transport = transport;
}

static void tls_open(void *self, struct dissect_context *context)
{
    tls_start(self, 't', context);
    context->flow->app = "tls";
}

/* A whole ClientHello in one record: told from an encrypted one where the version is not known. */
static bool holds_client_hello(struct cursor record)
{
    size_t size = cur_left(&record);
    return cur_u8(&record) == 1 && cur_u24(&record) + 4 == size && size > 40;
}

/* Whether a record of this type is encrypted by all that is known before its bytes are read. */
static bool is_encrypted(const struct tls_state *state, enum side side, uint8_t type)
{
    enum side role = tls_role(state, side);
    const struct tls_stream *stream = &state->stream[side];
    if (type == TLS_RECORD_DATA || type == TLS_RECORD_HEARTBEAT)
        return true;
    if (type == TLS_RECORD_CCS)
        return false;
    if (type == TLS_RECORD_HANDSHAKE && stream->opaque)
        return true;
    /* A TLS 1.3 client may send ChangeCipherSpec ahead of a second ClientHello or an alert. */
    bool undecided = state->offered_13 && !state->server_hello && role == SIDE_CLIENT;
    return state->party[role].encrypted && !undecided;
}

/* A plain alert: 2 bytes, or several in one record as old stacks sent them. */
RARE
static void take_alerts(struct tls_state *state, enum side side, struct cursor record,
                        struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    if (cur_left(&record) > 8 || cur_left(&record) % 2 != 0) {
        tls_handle_encrypted(state, role, TLS_RECORD_ALERT, (uint32_t)cur_left(&record), context);
        return;
    }
    while (cur_left(&record) >= 2) {
        uint8_t level = cur_u8(&record);
        tls_handle_alert(state, role, level, cur_u8(&record), context);
    }
}

/* A record that is here as a whole and in clear. */
static void take_clear(struct tls_state *state, enum side side, uint8_t type, struct cursor record,
                       struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    struct tls_stream *stream = &state->stream[side];
    if (type != TLS_RECORD_HANDSHAKE && stream->message != NULL)
        tls_drop_message(stream); /* RFC 8446 5.1: nothing may come between its records */
    if (type == TLS_RECORD_CCS)
        tls_handle_ccs(state, role, context);
    else if (type == TLS_RECORD_ALERT)
        take_alerts(state, side, record, context);
    else if (state->party[role].encrypted && !holds_client_hello(record))
        tls_handle_encrypted(state, role, type, (uint32_t)cur_left(&record), context);
    else
        tls_take_handshake(state, side, record, context);
}

RARE
static void note_waiting(struct tls_stream *stream, const struct cursor *bytes, uint32_t size,
                         const struct dissect_context *context)
{
    stream->shown_size = size;
    stream->shown_len = (uint32_t)cur_left(bytes);
    if (stream->segments > 0 && stream->segment_frame == context->frame)
        return;
    if (stream->segments == 0 && context->first_frame != context->frame)
        stream->segments++;
    stream->segment_frame = context->frame;
    stream->segments++;
}

static void note_taken(struct tls_stream *stream, const struct dissect_context *context)
{
    if (stream->segments == 0)
        stream->segments = context->first_frame != context->frame ? 2 : 1;
    else if (stream->segment_frame != context->frame)
        stream->segments++;
    stream->segment_frame = context->frame;
    stream->shown_size = stream->shown_len = 0;
    stream->records++;
}

/* A record that our keys may open: it is needed as a whole. TAKE_BAD: they do not open it. */
static enum take_result take_protected(struct tls_state *state, enum side side, uint32_t length,
                                       struct cursor *bytes, struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    struct cursor rest = *bytes;
    const uint8_t *header = cur_take(&rest, TLS_RECORD_HEADER);
    if (header == NULL || cur_left(&rest) < length) {
        note_waiting(stream, bytes, length + TLS_RECORD_HEADER, context);
        return TAKE_WAIT;
    }
    if (!tls_reader_take(state, side, header, cur_cut(&rest, length), context))
        return TAKE_BAD;
    note_taken(stream, context);
    stream->segments = 0;
    *bytes = rest;
    return TAKE_OK;
}

/* An encrypted record: its bytes are passed over, here or still to come. */
static enum take_result take_opaque(struct tls_state *state, enum side side, uint8_t type,
                                    uint32_t length, struct cursor *bytes,
                                    struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    if (tls_reader_wants(state, tls_role(state, side))) {
        enum take_result result = take_protected(state, side, length, bytes, context);
        if (result != TAKE_BAD)
            return result;
    }
    note_taken(stream, context);
    stream->segments = 0;
    if (stream->message != NULL)
        tls_drop_message(stream);
    cur_skip(bytes, TLS_RECORD_HEADER);
    size_t here = cur_left(bytes) < length ? cur_left(bytes) : length;
    cur_skip(bytes, here);
    context->skip = length - here;
    tls_handle_encrypted(state, tls_role(state, side), type, length, context);
    return TAKE_OK;
}

/* SSL 2.0 SERVER-HELLO: 0x80|len8 len8 | 4 | ...; what follows is not read. */
RARE
static enum take_result take_sslv2_answer(struct tls_state *state, struct cursor *bytes,
                                          struct dissect_context *context)
{
    if (cur_left(bytes) < 3)
        return TAKE_WAIT;
    if (bytes->at[2] != 4)
        return TAKE_BAD;
    tls_handle_sslv2_answer(state, context);
    return TAKE_DONE;
}

RARE
static enum take_result take_sslv2(struct tls_state *state, enum side side, struct cursor *bytes,
                                   struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    if (state->sslv2 && tls_role(state, side) == SIDE_SERVER)
        return take_sslv2_answer(state, bytes, context);
    size_t size = tls_sslv2_hello_size(bytes->at, cur_left(bytes));
    if (size == 0)
        return TAKE_BAD;
    if (size > cur_left(bytes)) {
        note_waiting(stream, bytes, 0, context);
        return TAKE_WAIT;
    }
    note_taken(stream, context);
    tls_handle_sslv2_hello(state, cur_cut(bytes, size), context);
    stream->segments = 0;
    return TAKE_OK;
}

/* ChangeCipherSpec within an encrypted session, up to TLS 1.2: its one byte is wrapped too, in less than
 * a block, an IV, and a MAC. */
#define HIDDEN_CCS_MAX 100

static bool is_hidden_ccs(const struct tls_state *state, enum side side, struct cursor bytes)
{
    uint8_t type = cur_u8(&bytes);
    uint8_t major = cur_u8(&bytes);
    uint8_t minor = cur_u8(&bytes);
    uint16_t length = cur_u16(&bytes);
    return cur_ok(&bytes) && type == TLS_RECORD_CCS && is_version(major, minor) && length > 1 &&
           length <= HIDDEN_CCS_MAX && state->party[tls_role(state, side)].encrypted;
}

RARE
static enum take_result take_hidden_ccs(struct tls_state *state, enum side side,
                                        struct cursor *bytes, struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    uint32_t length = (uint32_t)(bytes->at[3] << 8 | bytes->at[4]);
    enum take_result result = take_opaque(state, side, TLS_RECORD_CCS, length, bytes, context);
    if (result == TAKE_WAIT)
        return result;
    if (role == SIDE_CLIENT && context->tls->established)
        context->tls->renegotiations++;
    tls_add_letter(context->tls, role, 'I');
    return result;
}

PER_PACKET
static enum take_result take_record(struct tls_state *state, enum side side, struct cursor *bytes,
                                    struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    if (stream->records == 0 && (bytes->at[0] & 0x80))
        return take_sslv2(state, side, bytes, context);
    if (is_hidden_ccs(state, side, *bytes))
        return take_hidden_ccs(state, side, bytes, context);
    enum dissector_match match = header_match(bytes->at, cur_left(bytes));
    if (match == MATCH_NO)
        return TAKE_BAD;
    if (match == MATCH_MORE) {
        note_waiting(stream, bytes, 0, context);
        return TAKE_WAIT;
    }
    struct cursor header = *bytes;
    uint8_t type = cur_u8(&header);
    uint16_t version = cur_u16(&header);
    uint32_t length = cur_u16(&header);
    if (version == TLS_VERSION_TLCP)
        context->flow->app = "tlcp";
    if (is_encrypted(state, side, type))
        return take_opaque(state, side, type, length, bytes, context);
    if (cur_left(&header) < length) {
        note_waiting(stream, bytes, length + TLS_RECORD_HEADER, context);
        return TAKE_WAIT;
    }
    note_taken(stream, context);
    cur_skip(bytes, TLS_RECORD_HEADER);
    take_clear(state, side, type, cur_cut(bytes, length), context);
    if (stream->message == NULL)
        stream->segments = 0;
    return TAKE_OK;
}

/* After a gap: eats bytes up to two record headers in a row (or one that ends with the bytes, or
 * begins with them: a segment often starts with a record). True when found; else what may be the
 * start of a header is left. */
static bool find_record(struct tls_stream *stream, struct cursor *bytes)
{
    const uint8_t *first = bytes->at;
    for (; cur_left(bytes) >= TLS_RECORD_HEADER; cur_skip(bytes, 1)) {
        if (header_match(bytes->at, cur_left(bytes)) != MATCH_YES)
            continue;
        struct cursor next = *bytes;
        cur_skip(&next, 3);
        uint16_t length = cur_u16(&next);
        bool here = cur_left(&next) >= length;
        cur_skip(&next, length);
        if (here ? header_match(next.at, cur_left(&next)) != MATCH_NO : bytes->at == first) {
            stream->resync = false;
            return true;
        }
    }
    while (cur_left(bytes) > 0 && header_match(bytes->at, cur_left(bytes)) == MATCH_NO)
        cur_skip(bytes, 1);
    stream->searched += (uint64_t)(bytes->at - first);
    return false;
}

PER_PACKET
static enum feed_result tls_feed(void *self, enum side side, struct cursor *bytes,
                                 struct dissect_context *context)
{
    struct tls_state *state = self;
    struct tls_stream *stream = &state->stream[side];
    context->skip = 0;
    if (cur_left(bytes) > 0)
        state->party[tls_role(state, side)].seen = true;
    if (stream->resync && cur_left(bytes) > 0 && !find_record(stream, bytes))
        return stream->searched > LIMIT_STREAM_BYTES ? FEED_GIVE_UP : FEED_MORE;
    while (cur_left(bytes) > 0) {
        enum take_result result = take_record(state, side, bytes, context);
        if (result == TAKE_WAIT)
            return FEED_MORE;
        if (result == TAKE_DONE)
            return FEED_FINISHED;
        if (result == TAKE_BAD) {
            stream->foreign = stream->records == 0 && !state->party[tls_role(state, side)].lost;
            return FEED_GIVE_UP;
        }
    }
    return FEED_MORE;
}

static bool tls_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct tls_state *state = self;
    struct tls_stream *stream = &state->stream[side];
    uint64_t rest = stream->shown_size - stream->shown_len;
    state->party[tls_role(state, side)].lost = true;
    tls_reader_lose(state, side, context);
    tls_drop_message(stream);
    stream->segments = 0;
    if (stream->shown_size > 0 && len <= rest)
        context->skip = rest - len;
    else
        stream->resync = true;
    stream->shown_size = stream->shown_len = 0;
    return true;
}

static void tls_end(void *self, enum side side, enum end_why why, struct dissect_context *context)
{
    struct tls_state *state = self;
    if (why == DISSECTOR_END_FIN && side != SIDE_NONE && !state->fin_seen) {
        state->fin_seen = true;
        state->client_fin_first = tls_role(state, side) == SIDE_CLIENT;
    }
    if (why == DISSECTOR_END_FIN && side != SIDE_NONE)
        tls_reader_end(state, side, context);
    if (side == SIDE_NONE)
        tls_conclude(state, context);
}

static void tls_close(void *self, struct dissect_context *context)
{
    struct tls_state *state = self;
    tls_conclude(state, context);
    tls_drop_message(&state->stream[SIDE_CLIENT]);
    tls_drop_message(&state->stream[SIDE_SERVER]);
    tls_reader_free(state);
}

const struct tls_certificate_record *tls_state_certificates(const void *state, size_t *count)
{
    const struct tls_state *tls = state;
    *count = tls->certificate_count;
    return tls->certificates;
}

const struct dissector dissector_tls = {
    .name = "tls",
    .state_size = sizeof(struct tls_state),
    .looks_like = tls_looks_like,
    .open = tls_open,
    .feed = tls_feed,
    .gap = tls_gap,
    .end = tls_end,
    .close = tls_close,
};
