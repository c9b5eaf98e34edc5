/* Messages of TLS 1.3 behind the ServerHello, when their records can be read: RFC 8446 4.3 to 4.6. */
#include "dissectors/inflate.h"
#include "dissectors/sct.h"
#include "dissectors/tls_reader.h"

#include <stdlib.h>

enum {
    MESSAGE_SESSION_TICKET = 4,
    MESSAGE_END_OF_EARLY_DATA = 5,
    MESSAGE_ENCRYPTED_EXTENSIONS = 8,
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_CERTIFICATE_REQUEST = 13,
    MESSAGE_CERTIFICATE_VERIFY = 15,
    MESSAGE_FINISHED = 20,
    MESSAGE_KEY_UPDATE = 24,
    MESSAGE_COMPRESSED_CERTIFICATE = 25,
    EXTENSION_STATUS_REQUEST = 5,
    EXTENSION_ALPN = 16,
    EXTENSION_SCT = 18
};

/* Zeek's letters of ssl_history. */
static const char letters[] = {
    [MESSAGE_SESSION_TICKET] = 'T',      [MESSAGE_END_OF_EARLY_DATA] = 'E',
    [MESSAGE_ENCRYPTED_EXTENSIONS] = 'O', [MESSAGE_CERTIFICATE] = 'X',
    [MESSAGE_CERTIFICATE_REQUEST] = 'R', [MESSAGE_CERTIFICATE_VERIFY] = 'Y',
    [MESSAGE_FINISHED] = 'F',            [MESSAGE_KEY_UPDATE] = 'P',
    [MESSAGE_COMPRESSED_CERTIFICATE] = 'X',
};

static void take_extensions(struct cursor body, struct dissect_context *context)
{
    struct cursor list = cur_cut(&body, cur_u16(&body)), extension;
    uint16_t type;
    while (tls_next_extension(&list, &type, &extension)) {
        if (type != EXTENSION_ALPN)
            continue;
        struct cursor names = cur_cut(&extension, cur_u16(&extension));
        struct cursor name = cur_cut(&names, cur_u8(&names));
        if (cur_ok(&names) && cur_left(&name) > 0)
            context->tls->alpn =
                intern_bytes(context->strings, (const char *)name.at, cur_left(&name));
    }
}

/* is_own: of the server's own certificate. */
static void note_entry_extensions(struct cursor list, bool is_own, struct dissect_context *context)
{
    struct cursor extension;
    uint16_t type;
    while (tls_next_extension(&list, &type, &extension)) {
        if (type == EXTENSION_STATUS_REQUEST && is_own)
            tls_take_staple(extension, context);
        context->tls->sct_sent |= type == EXTENSION_SCT;
        if (type == EXTENSION_SCT && is_own)
            context->tls->sct_logs =
                sct_list_read(extension, context->strings, &context->tls->sct_count);
    }
}

/* What is known of a certificate message: its number of certificates, or that it could not be read. */
static void conclude_certificates(struct tls_state *state, enum side role, uint32_t count,
                                  bool is_empty, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    tls_emit(state, context, EVENT_CERTIFICATE, role);
    if (role == SIDE_SERVER) {
        state->server_certificate = true;
        tls->certificate_count = count;
        tls_advance(tls, TLS_STEP_SERVER_CERTIFICATE);
        return;
    }
    tls->client_certificate_sent = !is_empty;
    tls->client_certificate_empty = is_empty;
    tls_advance(tls, TLS_STEP_CLIENT_CERTIFICATE);
}

/* RFC 8446 4.4.2: request context, list of certificate and extensions. */
static void take_certificates(struct tls_state *state, enum side role, struct cursor body,
                              struct dissect_context *context)
{
    uint32_t count = 0;
    cur_skip(&body, cur_u8(&body));
    struct cursor list = cur_cut(&body, cur_u24(&body));
    bool readable = cur_ok(&body);
    while (cur_left(&list) > 0) {
        struct cursor der = cur_cut(&list, cur_u24(&list));
        struct cursor extensions = cur_cut(&list, cur_u16(&list));
        if (!cur_ok(&list) || cur_left(&der) == 0)
            break;
        tls_keep_certificate(state, role, count, der, context);
        if (role == SIDE_SERVER)
            note_entry_extensions(extensions, count == 0, context);
        count++;
    }
    conclude_certificates(state, role, count, readable && count == 0, context);
}

/* RFC 8879 4: algorithm, length of what was packed, that itself. What does not unpack to just that was a certificate
 * message all the same. */
static void take_packed(struct tls_state *state, enum side role, struct cursor body,
                        struct dissect_context *context)
{
    uint16_t algorithm = cur_u16(&body);
    uint32_t len = cur_u24(&body);
    struct cursor packed = cur_cut(&body, cur_u24(&body));
    bool readable = cur_ok(&body) && cur_left(&body) == 0 && len > 0 && len <= LIMIT_TLS_MESSAGE;
    uint8_t *text = readable ? malloc(len) : NULL;
    const char *name = inflate_name(algorithm);
    if (role == SIDE_SERVER)
        context->tls->compression = name != NULL ? name : "other";
    if (text != NULL && inflate_exactly(algorithm, packed, text, len))
        take_certificates(state, role, cur_of(text, len), context);
    else
        conclude_certificates(state, role, 0, false, context);
    free(text);
}

/* One of each end, and none once the handshake is done: one asked for later changes nothing of it. */
static bool is_due(const struct tls_state *state, enum side role, const struct tls_record *tls)
{
    if (tls->established)
        return false;
    return role == SIDE_SERVER ? !state->server_certificate
                               : !tls->client_certificate_sent && !tls->client_certificate_empty;
}

static void take_finished(struct tls_state *state, enum side role, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    state->party[role].finished = true;
    tls_reader_change(state, role);
    if (role == SIDE_SERVER) {
        tls_advance(tls, TLS_STEP_SERVER_DONE);
        return;
    }
    tls_advance(tls, TLS_STEP_CLIENT_FINISHED);
    /* Where a certificate was asked for, the server has the last word. */
    if (!tls->client_certificate_requested)
        tls_establish(state, role, context);
}

static void note_message(struct tls_state *state, enum side role, uint8_t type, size_t body_len,
                         struct dissect_context *context)
{
    if (type < sizeof letters && letters[type] != '\0')
        tls_add_letter(context->tls, role, letters[type]);
    if (role == SIDE_SERVER && !state->party[SIDE_SERVER].finished)
        context->tls->server_flight_bytes += (uint32_t)body_len + 4;
    else if (role == SIDE_CLIENT && !state->party[SIDE_CLIENT].finished) {
        state->party[SIDE_CLIENT].flight_records++;
        state->client_flight_ns = context->time_ns;
    }
}

void tls_handle_message_13(struct tls_state *state, enum side role, uint8_t type, struct cursor body,
                           struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    note_message(state, role, type, cur_left(&body), context);
    switch (type) {
    case MESSAGE_ENCRYPTED_EXTENSIONS:
        take_extensions(body, context);
        break;
    case MESSAGE_CERTIFICATE_REQUEST:
        tls->client_certificate_requested |= !tls->established;
        break;
    case MESSAGE_CERTIFICATE:
        if (is_due(state, role, tls))
            take_certificates(state, role, body, context);
        break;
    case MESSAGE_COMPRESSED_CERTIFICATE:
        if (is_due(state, role, tls))
            take_packed(state, role, body, context);
        break;
    case MESSAGE_FINISHED:
        if (!state->party[role].finished)
            take_finished(state, role, context);
        break;
    case MESSAGE_SESSION_TICKET:
        if (role == SIDE_SERVER && state->party[SIDE_CLIENT].finished)
            tls_establish(state, role, context);
        break;
    case MESSAGE_KEY_UPDATE:
        tls_reader_change(state, role);
        break;
    default:
        break;
    }
}
