/* Handshake messages out of records: RFC 8446 5.1 lets one span several, and several share one. */
#include "dissectors/tls_hello.h"
#include "dissectors/tls_reader.h"
#include "dissectors/tls_state.h"

#include <stdlib.h>
#include <string.h>

void tls_drop_message(struct tls_stream *stream)
{
    free(stream->message);
    stream->message = NULL;
    stream->message_len = stream->message_capacity = 0;
}

/* Moves up to want bytes of the record to the kept message; false when memory is out. */
static bool keep_bytes(struct tls_stream *stream, struct cursor *record, size_t want)
{
    size_t take = cur_left(record) < want ? cur_left(record) : want;
    size_t need = stream->message_len + take;
    if (need > stream->message_capacity) {
        size_t capacity = need < 2048 ? 2048 : need * 2;
        uint8_t *grown = realloc(stream->message, capacity);
        if (grown == NULL)
            return false;
        stream->message = grown;
        stream->message_capacity = (uint32_t)capacity;
    }
    memcpy(stream->message + stream->message_len, cur_take(record, take), take);
    stream->message_len = (uint32_t)need;
    return true;
}

/* Body length of the message whose first 4 bytes are here; false when it is none we may keep. What
 * was opened with keys is a message whatever its type. */
static bool message_length(const struct tls_stream *stream, const uint8_t *start, uint32_t *out)
{
    uint32_t length = (uint32_t)start[1] << 16 | (uint32_t)start[2] << 8 | start[3];
    if ((!stream->opened && !tls_is_message_type(start[0])) || length > LIMIT_TLS_MESSAGE)
        return false;
    *out = length;
    return true;
}

static void give_message(struct tls_state *state, enum side side, const uint8_t *start,
                         uint32_t length, struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    struct cursor body = cur_of(start + 4, length);
    if (state->stream[side].opened)
        tls_handle_message_13(state, role, start[0], body, context);
    else
        tls_handle_message(state, role, start[0], body, context);
}

/* Goes on with the message that began in an earlier record; false: it is no message. */
static bool continue_message(struct tls_state *state, enum side side, struct cursor *record,
                             struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    uint32_t length;
    if (stream->message_len < 4 && !keep_bytes(stream, record, 4 - stream->message_len))
        return false;
    if (stream->message_len < 4)
        return true;
    if (!message_length(stream, stream->message, &length))
        return false;
    if (!keep_bytes(stream, record, length + 4 - stream->message_len))
        return false;
    if (stream->message_len < length + 4)
        return true;
    give_message(state, side, stream->message, length, context);
    tls_drop_message(stream);
    return true;
}

void tls_take_handshake(struct tls_state *state, enum side side, struct cursor record,
                        struct dissect_context *context)
{
    struct tls_stream *stream = &state->stream[side];
    if (!stream->opened || !state->party[tls_role(state, side)].finished)
        stream->handshake_bytes += (uint32_t)cur_left(&record);
    bool fits = stream->handshake_bytes <= LIMIT_TLS_HANDSHAKE;
    while (fits && cur_left(&record) > 0) {
        uint32_t length;
        if (stream->message_len > 0 || cur_left(&record) < 4) {
            fits = continue_message(state, side, &record, context);
            continue;
        }
        fits = message_length(stream, record.at, &length);
        if (fits && cur_left(&record) < length + 4) {
            fits = continue_message(state, side, &record, context);
            continue;
        }
        if (!fits)
            break;
        const uint8_t *start = cur_take(&record, length + 4);
        give_message(state, side, start, length, context);
    }
    if (!fits) {
        tls_drop_message(stream);
        stream->opaque = true;
        if (stream->opened)
            return;
        tls_handle_encrypted(state, tls_role(state, side), TLS_RECORD_HANDSHAKE, 0, context);
        if (stream->handshake_bytes > LIMIT_TLS_HANDSHAKE)
            context->flow->facts |= FLOW_FACT_LIMIT;
    }
}
