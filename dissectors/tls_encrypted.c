/* What the types, lengths and order of encrypted records tell.
 *
 * TLS 1.3 hides all after ServerHello in records of type 23; their length is that of the content
 * + 1 + tag. An alert has 2 bytes, Finished 4 + hash, a Certificate without certificates 8, so that
 * these are known by length as long as nobody pads. Everything so concluded is marked inferred. */
#include "dissectors/names.h"
#include "dissectors/tls_state.h"

#include <string.h>

enum {
    /* The smallest DER certificate that can carry a key, with the message around it. */
    CERTIFICATE_RECORD_MIN = 200,
    /* EncryptedExtensions and CertificateRequest are shorter, a certificate chain is not. */
    FLIGHT_WITH_CERTIFICATE = 300,
    /* LIMIT_TLS_MESSAGE of certificates in records of 16 KiB, the other messages beside it */
    FLIGHT_RECORDS_MAX = 12,
    TICKET_RECORD_MIN = 100,
    TICKET_RECORD_MAX = 1400,
    /* JSSE pads each record of the handshake and each alert of TLS 1.3 by so much. */
    JSSE_PADDING = 16,
    /* HTTP/2 frames that ask nothing: SETTINGS ack 9, WINDOW_UPDATE and RST_STREAM 13, PING 17. */
    H2_CONTROL_MAX = 17
};

/* An alert that ends a handshake follows the flight that it judges; later it is an idle close. */
#define HIDDEN_ALERT_WINDOW_NS (5LL * 1000000000LL)

struct lengths {
    uint32_t alert, finished, empty_certificate;
};

/* Lengths of the TLS 1.3 messages under a suite; hash is 32 or 48. */
static struct lengths lengths_of(uint32_t hash, uint32_t tag)
{
    return (struct lengths){3 + tag, 5 + hash + tag, 9 + tag};
}

static struct lengths lengths_for(uint16_t cipher)
{
    return lengths_of(cipher == 0x1302 ? 48 : 32, cipher == 0x1305 ? 8 : 16);
}

static bool is_length(uint32_t len, uint32_t plain)
{
    return len == plain || len == plain + JSSE_PADDING;
}

/* The suite is unknown when only the client was seen: then both hashes fit. */
static bool is_finished_length(const struct tls_record *tls, uint32_t len)
{
    return is_length(len, lengths_for(tls->cipher).finished) ||
           (tls->cipher == 0 && is_length(len, lengths_of(48, 16).finished));
}

/* Whoever pads Finished pads alerts, too. */
static void note_padding(struct tls_party *party, const struct tls_record *tls, uint32_t len)
{
    party->pads = tls->cipher != 0 && len == lengths_for(tls->cipher).finished + JSSE_PADDING;
}

/* An alert of a side that is known by its Finished: 18 bytes of data are as long as a padded alert. */
static bool is_alert_of(const struct tls_party *party, const struct tls_record *tls, uint32_t len)
{
    uint32_t plain = lengths_for(tls->cipher).alert;
    return len == plain || (party->pads && len == plain + JSSE_PADDING);
}

/* An empty Certificate and Finished in one record, as BoringSSL packs them. */
static bool is_empty_and_finished(const struct tls_record *tls, uint32_t len)
{
    return is_finished_length(tls, len - 8);
}

/* Finished with a short message before it, such as the client's own EncryptedExtensions of
 * draft-vvv-tls-alps: longer than Finished, shorter than any certificate. */
static bool is_packed_finished(const struct tls_state *state, const struct tls_record *tls,
                               uint32_t len)
{
    return len > lengths_for(tls->cipher).finished && len < CERTIFICATE_RECORD_MIN &&
           state->party[SIDE_CLIENT].flight_records == 1 && !tls->client_certificate_empty;
}

static void keep_hidden(struct tls_record *tls, enum side role, uint8_t number,
                        const struct tls_hidden_alert *hidden)
{
    if (tls->alert >= 0)
        return;
    tls->alert = number;
    tls->alert_by = (uint8_t)role;
    tls->alert_level = 0;
    tls->alert_inferred = true;
    tls->alert_step = hidden->step;
    tls->alert_ns = hidden->time_ns;
    tls->alert_frame = hidden->frame;
}

static struct tls_hidden_alert hidden_now(const struct dissect_context *context)
{
    return (struct tls_hidden_alert){true, context->tls->step, context->time_ns, context->frame};
}

static void set_close_notify(struct tls_record *tls, enum side role, bool value)
{
    *(role == SIDE_CLIENT ? &tls->close_notify_client : &tls->close_notify_server) = value;
}

/* ---- application data
 * ------------------------------------------------------------------------------- */

/* A record of HTTP/2 that cannot hold a request or an answer. */
static bool is_control(const struct tls_state *state, const struct tls_record *tls, uint32_t len)
{
    bool is_13 = tls_version_is_13(tls->version);
    bool is_h2 = is_13 ? state->offered_h2 : tls->alpn != NULL && strcmp(tls->alpn, "h2") == 0;
    bool chacha = tls->cipher_name != NULL && strstr(tls->cipher_name, "CHACHA20") != NULL;
    uint32_t overhead = is_13 ? 17 : chacha ? 16 : 24;
    return is_h2 && len <= overhead + H2_CONTROL_MAX;
}

/* OpenSSL sends two session tickets of one length as its first words after the client's Finished:
 * they answer nothing. Only the second tells that the first was one; then what that had changed is
 * taken back, and true is returned. */
static bool is_second_ticket(struct tls_state *state, uint32_t len, struct dissect_context *context)
{
    const uint64_t mask = FLOW_FACT_REQUEST_OPEN | FLOW_FACT_ANSWERED;
    uint64_t *facts = &context->flow->facts;
    if (state->after_finished++ == 0) {
        bool ticket_size = len >= TICKET_RECORD_MIN && len <= TICKET_RECORD_MAX;
        state->ticket_len = ticket_size ? len : 0;
        state->facts_before_ticket = *facts & mask;
        return false;
    }
    if (len != state->ticket_len)
        return false;
    *facts = (*facts & ~mask) | state->facts_before_ticket;
    context->tls->server_app_records--;
    return true;
}

void tls_handle_data(struct tls_state *state, enum side role, uint32_t len,
                     struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    uint64_t *facts = &context->flow->facts;
    bool asks = !is_control(state, tls, len);
    tls_add_letter(tls, role, 'D');
    if (role == SIDE_CLIENT) {
        tls->client_app_records++;
        if (asks && context->first_time_ns >= state->server_data_ns) /* else the capture swapped both */
            *facts |= FLOW_FACT_REQUEST_OPEN;
        if (state->after_finished == 1)
            state->after_finished = 2; /* a request between: the first was no ticket of a pair */
        return;
    }
    bool early = tls_version_is_13(tls->version) && state->party[SIDE_CLIENT].finished &&
                 state->after_finished < 2;
    if (early && is_second_ticket(state, len, context))
        return;
    tls->server_app_records++;
    if (asks && tls->client_app_records > 0)
        *facts |= FLOW_FACT_ANSWERED;
    if (!asks)
        return;
    state->server_data_ns = context->first_time_ns;
    *facts &= ~(uint64_t)FLOW_FACT_REQUEST_OPEN;
}

/* ---- TLS 1.3
 * ------------------------------------------------------------------------------------------ */

/* After both sides are done: an alert-size record is close_notify unless more follows it. */
static void record_after_13(struct tls_state *state, enum side role, uint32_t len,
                            struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    bool is_alert = is_alert_of(&state->party[role], tls, len);
    set_close_notify(tls, role, is_alert);
    if (!is_alert)
        tls_handle_data(state, role, len, context);
}

static void finish_client_13(struct tls_state *state, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_party *client = &state->party[SIDE_CLIENT];
    client->finished = true;
    tls_add_letter(tls, SIDE_CLIENT, 'F');
    tls_advance(tls, TLS_STEP_CLIENT_FINISHED);
    /* A request for a certificate is certain only where the client answered it. */
    bool answered = tls->client_certificate_empty || tls->client_certificate_sent;
    tls->client_certificate_requested = answered;
    /* Where a certificate was asked for, the server has the last word. */
    if (!answered && tls->version != 0)
        tls_establish(state, SIDE_CLIENT, context);
}

static void client_certificate_13(struct tls_state *state, bool empty,
                                  struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    tls->client_certificate_requested = true;
    tls->client_certificate_empty = empty;
    tls->client_certificate_sent = !empty;
    tls_add_letter(tls, SIDE_CLIENT, 'X');
    tls_advance(tls, TLS_STEP_CLIENT_CERTIFICATE);
    state->certificate_verify_due = !empty;
}

/* A long record of the client's flight: certificate, then CertificateVerify; a third one means that
 * Finished came packed with another message. */
static void long_client_record_13(struct tls_state *state, uint32_t len,
                                  struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    if (!tls->client_certificate_sent) {
        client_certificate_13(state, false, context);
    } else if (state->certificate_verify_due) {
        state->certificate_verify_due = false;
        tls_add_letter(tls, SIDE_CLIENT, 'Y');
    } else {
        finish_client_13(state, context);
        tls_handle_data(state, SIDE_CLIENT, len, context);
    }
}

static void client_record_13(struct tls_state *state, uint32_t len, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_party *client = &state->party[SIDE_CLIENT];
    struct lengths lengths = lengths_for(tls->cipher);
    bool early_data = state->offered_early_data && (tls->version == 0 || tls->resumed);
    /* An alert refuses nothing that the server has already gone beyond. */
    bool is_over = tls->established && len == lengths.alert;
    if (client->finished || client->lost || is_over) {
        record_after_13(state, SIDE_CLIENT, len, context);
        return;
    }
    state->client_flight_ns = context->time_ns;
    client->flight_records++;
    if (is_finished_length(tls, len)) {
        note_padding(client, tls, len);
        finish_client_13(state, context);
    } else if (early_data) {
        client->flight_records--;
        tls_handle_data(state, SIDE_CLIENT, len, context);
    } else if (is_length(len, lengths.alert)) {
        struct tls_hidden_alert hidden = hidden_now(context);
        state->client_refused = true;
        tls_add_letter(tls, SIDE_CLIENT, 'L');
        keep_hidden(tls, SIDE_CLIENT, TLS_ALERT_HIDDEN, &hidden);
        tls_emit(state, context, EVENT_ALERT, SIDE_CLIENT);
    } else if (is_length(len, lengths.empty_certificate)) {
        client_certificate_13(state, true, context);
    } else if (is_empty_and_finished(tls, len)) {
        client_certificate_13(state, true, context);
        finish_client_13(state, context);
    } else if (is_packed_finished(state, tls, len)) {
        finish_client_13(state, context);
    } else if (len >= CERTIFICATE_RECORD_MIN || tls->client_certificate_sent) {
        long_client_record_13(state, len, context);
    }
}

/* The server's own flight: EncryptedExtensions, (CertificateRequest), Certificate,
 * CertificateVerify, Finished. */
static void server_flight_13(struct tls_state *state, uint32_t len, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_party *server = &state->party[SIDE_SERVER];
    uint32_t alert = lengths_for(tls->cipher).alert;
    /* Shorter than any message of the flight; padded as long as EncryptedExtensions at its start. */
    if (len == alert || (len == alert + JSSE_PADDING && server->flight_records > 0)) {
        struct tls_hidden_alert hidden = hidden_now(context);
        tls_add_letter(tls, SIDE_SERVER, 'L');
        keep_hidden(tls, SIDE_SERVER, TLS_ALERT_HIDDEN, &hidden);
        tls_emit(state, context, EVENT_ALERT, SIDE_SERVER);
        return;
    }
    server->flight_records++;
    server->flight_bytes += len;
    tls->server_flight_bytes += len;
    bool last = is_finished_length(tls, len) && server->flight_records >= (tls->resumed ? 2u : 4u);
    if (server->flight_bytes >= FLIGHT_WITH_CERTIFICATE && !tls->resumed)
        tls_advance(tls, TLS_STEP_SERVER_CERTIFICATE);
    if (!last)
        return;
    server->finished = true;
    note_padding(server, tls, len);
    tls_add_letter(tls, SIDE_SERVER, 'F');
    tls_advance(tls, TLS_STEP_SERVER_DONE);
    if (!tls->resumed && server->flight_records == 5)
        tls->client_certificate_requested = true; /* the client's answer decides */
}

static void server_record_13(struct tls_state *state, uint32_t len, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    const struct tls_party *client = &state->party[SIDE_CLIENT];
    const struct tls_party *server = &state->party[SIDE_SERVER];
    /* Nothing of the client can be told; the server's flight never has so many records. */
    bool past_flight = server->finished || server->flight_records > FLIGHT_RECORDS_MAX;
    bool client_dark = (!client->seen || client->lost) && past_flight;
    bool is_alert = is_alert_of(server, tls, len);
    if (tls->established) {
        record_after_13(state, SIDE_SERVER, len, context);
    } else if (state->client_refused) {
        return; /* its close_notify, or what was on its way */
    } else if (client->flight_records > 0 && is_alert) {
        state->server_hidden = hidden_now(context);
        tls_add_letter(tls, SIDE_SERVER, 'L');
        tls_emit(state, context, EVENT_ALERT, SIDE_SERVER);
    } else if (client->flight_records > 0 || client_dark) {
        state->server_hidden.present = false;
        tls_establish(state, SIDE_SERVER, context);
        record_after_13(state, SIDE_SERVER, len, context);
    } else if (!server->finished) {
        server_flight_13(state, len, context);
    } else if (!is_alert) {
        tls_handle_data(state, SIDE_SERVER, len, context); /* tickets or data ahead of the client */
    }
}

/* ---- up to TLS 1.2
 * -------------------------------------------------------------------------------------- */

/* The first encrypted handshake record of a side is its Finished. */
static void handshake_record_12(struct tls_state *state, enum side role,
                                struct dissect_context *context)
{
    struct tls_party *party = &state->party[role];
    if (party->finished || !(party->encrypted || party->lost))
        return;
    party->finished = true;
    tls_add_letter(context->tls, role, 'F');
    if (role == SIDE_CLIENT)
        tls_advance(context->tls, TLS_STEP_CLIENT_FINISHED);
    if (state->party[1 - role].finished)
        tls_establish(state, role, context);
}

static void alert_record_12(struct tls_state *state, enum side role,
                            struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    bool lost = state->party[SIDE_CLIENT].lost || state->party[SIDE_SERVER].lost;
    bool began = state->client_hello || state->server_hello;
    bool peer_seen = state->party[1 - role].seen;
    bool peer_ended = role == SIDE_CLIENT ? tls->close_notify_server : tls->close_notify_client;
    bool answers = peer_ended || tls->alert >= 0 || state->warning >= 0;
    tls_add_letter(tls, role, 'L');
    if (tls->established || lost || !began || !peer_seen || answers ||
        !state->party[role].encrypted) {
        set_close_notify(tls, role, true);
        return;
    }
    struct tls_hidden_alert hidden = hidden_now(context);
    keep_hidden(tls, role, TLS_ALERT_HIDDEN, &hidden);
    tls_emit(state, context, EVENT_ALERT, role);
}

static void data_record_12(struct tls_state *state, enum side role, uint32_t len,
                           struct dissect_context *context)
{
    const struct tls_party *party = &state->party[role];
    const struct tls_party *peer = &state->party[1 - role];
    bool began = state->client_hello || state->server_hello;
    /* A server sends data only when the handshake is complete. A client may do so before (false
     * start), so that its data proves something only where the server cannot be seen. */
    bool proves = role == SIDE_SERVER
                      ? party->finished || party->lost
                      : (party->finished || party->lost) && (!peer->seen || peer->lost);
    if (!began && len == lengths_for(0).alert) {
        set_close_notify(context->tls, role,
                         true); /* picked up in the middle: TLS 1.3, most likely */
        return;
    }
    if (began && proves)
        tls_establish(state, role, context);
    tls_handle_data(state, role, len, context);
}

/* ---- all
 * ------------------------------------------------------------------------------------------------
 */

static void data_record(struct tls_state *state, enum side role, uint32_t len,
                        struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    bool server_dark = !state->party[SIDE_SERVER].seen || state->party[SIDE_SERVER].lost;
    if (tls_version_is_13(tls->version) && state->server_hello) {
        if (role == SIDE_CLIENT)
            client_record_13(state, len, context);
        else
            server_record_13(state, len, context);
        return;
    }
    /* Only the client was captured: no ServerHello, yet its Finished can be known by length. */
    bool alone = state->client_hello && state->offered_13 && tls->version == 0 && server_dark;
    if (alone && role == SIDE_CLIENT && !state->party[SIDE_CLIENT].lost) {
        bool was_finished = state->party[SIDE_CLIENT].finished;
        client_record_13(state, len, context);
        if (was_finished && len != lengths_for(0).alert)
            tls_establish(state, SIDE_CLIENT, context);
        return;
    }
    data_record_12(state, role, len, context);
}

void tls_handle_encrypted(struct tls_state *state, enum side role, uint8_t type, uint32_t len,
                          struct dissect_context *context)
{
    if (type == TLS_RECORD_DATA)
        data_record(state, role, len, context);
    else if (type == TLS_RECORD_HEARTBEAT)
        tls_add_letter(context->tls, role, 'B');
    else if (type == TLS_RECORD_HANDSHAKE)
        handshake_record_12(state, role, context);
    else if (type == TLS_RECORD_ALERT && len > 2)
        alert_record_12(state, role, context);
}

/* A client certificate was asked for (TLS 1.3) and the server had the last word. */
static void conclude_13(struct tls_state *state, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    const struct tls_hidden_alert *hidden = &state->server_hidden;
    bool asked = tls->client_certificate_empty || tls->client_certificate_sent;
    bool soon = hidden->time_ns - state->client_flight_ns <= HIDDEN_ALERT_WINDOW_NS;
    if (tls->established || !asked)
        return;
    /* A client that says goodbye right behind its request would still get the answer, or tickets. */
    bool unanswered = tls->client_app_records > 0 && tls->server_app_records == 0;
    if (hidden->present && soon && (!tls->close_notify_client || unanswered)) {
        /* certificate_required where none was given, else unreadable */
        keep_hidden(tls, SIDE_SERVER, tls->client_certificate_empty ? 116 : TLS_ALERT_HIDDEN,
                    hidden);
        return;
    }
    bool clean = tls->close_notify_client || (state->fin_seen && state->client_fin_first);
    if (state->party[SIDE_CLIENT].finished && (clean || hidden->present))
        tls_establish(state, SIDE_CLIENT, context);
}

void tls_conclude(struct tls_state *state, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    if (state->concluded)
        return;
    state->concluded = true;
    if (tls_version_is_13(tls->version))
        conclude_13(state, context);
    if (!tls->established && tls->alert < 0 && state->warning >= 0) {
        tls->alert = state->warning;
        tls->alert_by = state->warning_by;
        tls->alert_level = 1;
        tls->alert_step = state->warning_step;
        tls->alert_ns = state->warning_ns;
        tls->alert_frame = state->warning_frame;
    }
    bool server_spoke = state->stream[tls_role(state, SIDE_SERVER)].records > 0;
    if (state->first_warning >= 0 && (tls->alert != state->first_warning || tls->alert_level != 1)) {
        tls->warning = state->first_warning;
        tls->warning_by = state->first_warning_by;
    }
    tls->plaintext_server =
        state->client_hello && state->stream[tls_role(state, SIDE_SERVER)].foreign;
    tls->plaintext_client = server_spoke && state->stream[tls_role(state, SIDE_CLIENT)].foreign;
}
