/* Handshake messages, ChangeCipherSpec and alerts that can be read. */
#include "dissectors/ja3.h"
#include "dissectors/names.h"
#include "dissectors/sct.h"
#include "dissectors/tls_hello.h"
#include "dissectors/tls_reader.h"
#include "dissectors/tls_state.h"
#include "dissectors/x509.h"

#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_HELLO_REQUEST = 0,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_HELLO_VERIFY = 3,
    MESSAGE_SESSION_TICKET = 4,
    MESSAGE_OLD_HELLO_RETRY = 6, /* TLS 1.3 drafts up to 22 */
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_SERVER_KEY_EXCHANGE = 12,
    MESSAGE_CERTIFICATE_REQUEST = 13,
    MESSAGE_SERVER_HELLO_DONE = 14,
    MESSAGE_CERTIFICATE_VERIFY = 15,
    MESSAGE_CLIENT_KEY_EXCHANGE = 16,
    MESSAGE_FINISHED = 20,
    MESSAGE_CERTIFICATE_URL = 21,
    MESSAGE_CERTIFICATE_STATUS = 22,
    MESSAGE_SUPPLEMENTAL_DATA = 23,
    STATUS_OCSP = 1,
    STATUS_OCSP_MULTI = 2,
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    ALERT_NO_CERTIFICATE = 41,
    ALERT_USER_CANCELED = 90
};

/* Zeek's letters of ssl_history by message type. */
static const char letters[] = {
    [MESSAGE_HELLO_REQUEST] = 'H',
    [MESSAGE_CLIENT_HELLO] = 'C',
    [MESSAGE_SERVER_HELLO] = 'S',
    [MESSAGE_HELLO_VERIFY] = 'V',
    [MESSAGE_SESSION_TICKET] = 'T',
    [MESSAGE_OLD_HELLO_RETRY] = 'J',
    [MESSAGE_CERTIFICATE] = 'X',
    [MESSAGE_SERVER_KEY_EXCHANGE] = 'K',
    [MESSAGE_CERTIFICATE_REQUEST] = 'R',
    [MESSAGE_SERVER_HELLO_DONE] = 'N',
    [MESSAGE_CERTIFICATE_VERIFY] = 'Y',
    [MESSAGE_CLIENT_KEY_EXCHANGE] = 'G',
    [MESSAGE_FINISHED] = 'F',
    [MESSAGE_CERTIFICATE_URL] = 'Q',
    [MESSAGE_CERTIFICATE_STATUS] = 'U',
    [MESSAGE_SUPPLEMENTAL_DATA] = 'Q',
};

bool tls_is_message_type(uint8_t type)
{
    return type < sizeof letters && letters[type] != '\0';
}

void tls_add_letter(struct tls_record *tls, enum side role, char letter)
{
    size_t len = strlen(tls->history);
    char shown = role == SIDE_CLIENT ? letter : (char)(letter | 0x20);
    bool repeated = letter == 'D' && len > 0 && tls->history[len - 1] == shown;
    if (len + 1 < sizeof tls->history && !repeated)
        tls->history[len] = shown;
}

void tls_advance(struct tls_record *tls, enum tls_step step)
{
    if (step > tls->step)
        tls->step = (uint8_t)step;
}

void tls_emit(const struct tls_state *state, struct dissect_context *context, enum event_kind kind,
              enum side role)
{
    if (context->event != NULL)
        context->event(context->event_self, kind, tls_role(state, role), context->time_ns,
                       context->frame);
}

void tls_establish(struct tls_state *state, enum side role, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    if (tls->established)
        return;
    tls->established = true;
    tls_advance(tls, TLS_STEP_FINISHED);
    tls->finished_ns = context->time_ns;
    context->flow->facts |= FLOW_FACT_TLS_FINISHED;
    if (tls->alert_inferred) {
        tls->alert = -1;
        tls->alert_inferred = false;
        tls->alert_by = SIDE_NONE;
    }
    tls_emit(state, context, EVENT_TLS_FINISHED, role);
}

/* ---- ServerHello
 * --------------------------------------------------------------------------------- */

/* TLS 1.3 begins: ChangeCipherSpec means nothing, and no handshake message comes in clear again. */
static void begin_tls13(struct tls_state *state, bool is_retry)
{
    for (int side = 0; side < 2; side++) {
        state->party[side].encrypted = false;
        state->stream[side].opaque = !is_retry;
    }
}

static void note_hello_delay(struct tls_state *state, struct dissect_context *context)
{
    const struct tls_stream *stream = &state->stream[tls_role(state, SIDE_SERVER)];
    /* The bytes shown begin with the first record of the answer. */
    int64_t start = stream->records <= 1 ? context->first_time_ns : context->time_ns;
    if (state->client_hello && start >= state->client_hello_end_ns)
        context->tls->hello_delay_ns = start - state->client_hello_end_ns;
}

static void note_group(struct tls_record *tls, uint16_t group)
{
    if (group == 0)
        return;
    tls->group = group;
    tls->group_name = tls_group_name(group);
}

static void handle_retry(struct tls_state *state, const struct tls_server_hello *hello,
                         struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    tls->hello_retry = true;
    tls->version = hello->version;
    note_group(tls, hello->group);
    tls_add_letter(tls, SIDE_SERVER, 'J');
    tls_advance(tls, TLS_STEP_HELLO_RETRY);
    begin_tls13(state, true);
    tls_emit(state, context, EVENT_SERVER_HELLO, SIDE_SERVER);
    if (tls->hello_delay_ns < 0)
        note_hello_delay(state, context);
}

static void handle_server_hello(struct tls_state *state, struct cursor body,
                                struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_server_hello hello;
    if (!tls_server_hello_parse(body, &hello) || state->server_hello) {
        tls_add_letter(tls, SIDE_SERVER, 'S');
        return;
    }
    if (hello.is_retry) {
        handle_retry(state, &hello, context);
        return;
    }
    state->server_hello = true;
    tls_add_letter(tls, SIDE_SERVER, 'S');
    tls_advance(tls, TLS_STEP_SERVER_HELLO);
    tls->server_hello_ns = context->time_ns;
    tls->server_hello_frame = context->frame;
    if (tls->hello_delay_ns < 0)
        note_hello_delay(state, context);
    tls->version = hello.version;
    tls->cipher = hello.cipher;
    tls->cipher_name = tls_cipher_name(hello.cipher);
    note_group(tls, hello.group);
    tls->sct_sent = hello.has_sct;
    tls->sct_logs = sct_list_read(hello.scts, context->strings, &tls->sct_count);
    tls->secure_renegotiation = hello.has_renegotiation;
    if (cur_left(&hello.alpn) > 0)
        tls->alpn =
            intern_bytes(context->strings, (const char *)hello.alpn.at, cur_left(&hello.alpn));
    ja3_of_server(&hello, tls->ja3s);
    memcpy(state->randoms + TLS_RANDOM_LEN, hello.random, TLS_RANDOM_LEN);
    tls->downgrade_sentinel = hello.is_downgraded;
    /* A TLS 1.3 client's session id is noise that a TLS 1.2 server has no reason to echo. */
    size_t id_len = cur_left(&hello.session_id);
    state->session_echoed = id_len > 0 && id_len == state->session_id_len && !state->offered_13 &&
                            memcmp(hello.session_id.at, state->session_id, id_len) == 0;
    if (hello.version == TLS_VERSION_TLCP)
        context->flow->app = "tlcp";
    if (tls_version_is_13(hello.version)) {
        tls->resumed = hello.has_psk;
        begin_tls13(state, false);
    }
    tls_reader_agree(state, &hello, context);
    tls_emit(state, context, EVENT_SERVER_HELLO, SIDE_SERVER);
}

/* ---- the rest of the flights
 * ---------------------------------------------------------------------- */

void tls_keep_certificate(struct tls_state *state, enum side role, int64_t position,
                          struct cursor der, struct dissect_context *context)
{
    if (context->certificates == NULL || state->certificate_count >= LIMIT_TLS_CERTIFICATES)
        return;
    int64_t id = certificate_cache_lookup(context->certificates, der.at, cur_left(&der),
                                          context->time_ns, context->sink, context->capture_id);
    if (id == 0)
        return;
    struct tls_certificate_record *row = &state->certificates[state->certificate_count++];
    row->side = (uint8_t)role;
    row->position = position;
    row->certificate_id = id;
}

static void handle_certificate(struct tls_state *state, enum side role, struct cursor body,
                               struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    uint32_t count = 0;
    struct cursor list = cur_cut(&body, cur_u24(&body));
    bool readable = cur_ok(&list);
    while (cur_left(&list) > 0) {
        struct cursor der = cur_cut(&list, cur_u24(&list));
        if (!cur_ok(&list) || cur_left(&der) == 0)
            break;
        tls_keep_certificate(state, role, count, der, context);
        count++;
    }
    tls_emit(state, context, EVENT_CERTIFICATE, role);
    if (role == SIDE_SERVER) {
        state->server_certificate = true;
        tls->certificate_count = count;
        tls_advance(tls, TLS_STEP_SERVER_CERTIFICATE);
        return;
    }
    tls->client_certificate_sent = count > 0;
    tls->client_certificate_empty = readable && count == 0;
    tls_advance(tls, TLS_STEP_CLIENT_CERTIFICATE);
}

/* RFC 8422 5.4: named_curve(3), group. Only where the suite says that the parameters are such. */
static void read_group(struct cursor body, struct tls_record *tls)
{
    const char *name = tls->cipher_name;
    bool is_curve = name != NULL && (strstr(name, "ECDH") != NULL) && cur_u8(&body) == 3;
    uint16_t group = is_curve ? cur_u16(&body) : 0;
    if (cur_ok(&body))
        note_group(tls, group);
}

void tls_take_staple(struct cursor status, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    uint8_t type = cur_u8(&status);
    if (type == STATUS_OCSP_MULTI)
        status = cur_cut(&status, cur_u24(&status));
    struct cursor der = cur_cut(&status, cur_u24(&status));
    if (!cur_ok(&status) || (type != STATUS_OCSP && type != STATUS_OCSP_MULTI))
        return;
    tls->staple_sent |= cur_left(&der) > 0;
    if (tls->staple_id == 0 && context->certificates != NULL)
        tls->staple_id = certificate_cache_staple(context->certificates, der.at, cur_left(&der),
                                                  context->time_ns, context->sink);
}

static void handle_server_message(struct tls_state *state, uint8_t type, struct cursor body,
                                  struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    switch (type) {
    case MESSAGE_SERVER_KEY_EXCHANGE:
        state->server_key_exchange = true;
        read_group(body, tls);
        tls_check_signature(state, body, context);
        break;
    case MESSAGE_CERTIFICATE_REQUEST:
        tls->client_certificate_requested = true;
        break;
    case MESSAGE_SERVER_HELLO_DONE:
        state->server_done = true;
        tls_advance(tls, TLS_STEP_SERVER_DONE);
        break;
    case MESSAGE_CERTIFICATE_STATUS:
        tls_take_staple(body, context);
        break;
    case MESSAGE_OLD_HELLO_RETRY:
        tls->hello_retry = true;
        tls_advance(tls, TLS_STEP_HELLO_RETRY);
        break;
    default:
        break;
    }
}

void tls_handle_message(struct tls_state *state, enum side role, uint8_t type, struct cursor body,
                        struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    bool reversed = (type == MESSAGE_CLIENT_HELLO && role == SIDE_SERVER) ||
                    (type == MESSAGE_SERVER_HELLO && role == SIDE_CLIENT);
    if (reversed && !state->client_hello && !state->server_hello) {
        struct tls_party party = state->party[SIDE_CLIENT];
        state->party[SIDE_CLIENT] = state->party[SIDE_SERVER];
        state->party[SIDE_SERVER] = party;
        state->flipped = !state->flipped;
        role = (enum side)(1 - (int)role);
        tls_add_letter(tls, SIDE_CLIENT, '^');
    }
    if (role == SIDE_SERVER && !state->server_done)
        tls->server_flight_bytes += (uint32_t)cur_left(&body) + 4;
    if (type == MESSAGE_SERVER_HELLO && role == SIDE_SERVER) {
        handle_server_hello(state, body, context);
        return;
    }
    tls_add_letter(tls, role, letters[type]);
    if (type == MESSAGE_CLIENT_HELLO && role == SIDE_CLIENT)
        tls_handle_client_hello(state, body, context);
    else if (type == MESSAGE_CERTIFICATE)
        handle_certificate(state, role, body, context);
    else if (type == MESSAGE_CLIENT_KEY_EXCHANGE && role == SIDE_CLIENT)
        tls_advance(tls, TLS_STEP_CLIENT_KEY_EXCHANGE);
    else if (role == SIDE_SERVER)
        handle_server_message(state, type, body, context);
}

void tls_handle_ccs(struct tls_state *state, enum side role, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_party *party = &state->party[role];
    tls_add_letter(tls, role, 'I');
    if (tls_version_is_13(tls->version))
        return;
    party->encrypted = true;
    /* No certificate, no key exchange, no ServerHelloDone: the keys come from an earlier session.
     */
    bool whole = !party->lost || state->session_echoed;
    if (role == SIDE_SERVER && state->server_hello && whole && !state->server_certificate &&
        !state->server_key_exchange && !state->server_done)
        tls->resumed = true;
}

/* ---- alerts
 * ---------------------------------------------------------------------------------------- */

static void keep_alert(struct tls_record *tls, enum side role, uint8_t level, uint8_t number,
                       const struct dissect_context *context)
{
    if (tls->alert >= 0 && !tls->alert_inferred)
        return;
    tls->alert = number;
    tls->alert_by = (uint8_t)role;
    tls->alert_level = level;
    tls->alert_step = tls->step;
    tls->alert_inferred = false;
    tls->alert_ns = context->time_ns;
    tls->alert_frame = context->frame;
}

void tls_handle_alert(struct tls_state *state, enum side role, uint8_t level, uint8_t number,
                      struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    if (level != ALERT_WARNING && level != ALERT_FATAL)
        return;
    tls_add_letter(tls, role, 'L');
    tls_emit(state, context, EVENT_ALERT, role);
    if (number == 0) {
        *(role == SIDE_CLIENT ? &tls->close_notify_client : &tls->close_notify_server) = true;
        return;
    }
    if (tls->established)
        return; /* all alerts are encrypted by now: not the work of either end */
    if (number == ALERT_NO_CERTIFICATE && role == SIDE_CLIENT && level == ALERT_WARNING)
        tls->client_certificate_empty = true; /* SSL 3.0 says so instead of an empty list */
    bool ends =
        level == ALERT_FATAL || (tls_version_is_13(tls->version) && number != ALERT_USER_CANCELED);
    if (ends) {
        keep_alert(tls, role, level, number, context);
        return;
    }
    if (state->first_warning < 0) {
        state->first_warning = number;
        state->first_warning_by = (uint8_t)role;
    }
    state->warning = number;
    state->warning_by = (uint8_t)role;
    state->warning_step = tls->step;
    state->warning_ns = context->time_ns;
    state->warning_frame = context->frame;
}
