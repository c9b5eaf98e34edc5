#include "dissectors/tls_reader.h"

#include "dissectors/names.h"
#include "dissectors/tls_decrypt.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_CLIENT_HELLO = 1, MESSAGE_SERVER_HELLO = 2 };

/* One role. */
struct reading {
    struct tls_opener *opener; /* NULL: nothing more is read of it */
    bool trial;   /* until one record opens, those that do not are of other keys (0-RTT) */
    bool traffic; /* TLS 1.3: under application keys */
    bool change;  /* other keys from the next record on */
    bool keyless; /* and those are not known */
};

struct tls_reader {
    struct reading role[2];
    uint8_t client_random[TLS_RANDOM], server_random[TLS_RANDOM];
    uint16_t version, cipher;
    bool encrypt_then_mac;
};

void tls_reader_begin(struct tls_state *state, const uint8_t *client_random,
                      struct dissect_context *context)
{
    if (context->keys == NULL || state->transport != 't' || state->reader != NULL)
        return;
    state->reader = calloc(1, sizeof *state->reader);
    if (state->reader != NULL)
        memcpy(state->reader->client_random, client_random, TLS_RANDOM);
}

static void stop(struct reading *reading)
{
    tls_opener_free(reading->opener);
    reading->opener = NULL;
}

void tls_reader_free(struct tls_state *state)
{
    if (state->reader == NULL)
        return;
    stop(&state->reader->role[SIDE_CLIENT]);
    stop(&state->reader->role[SIDE_SERVER]);
    free(state->reader);
    state->reader = NULL;
}

static struct tls_opener *opener_13(const struct tls_reader *r, enum tls_secret_kind kind,
                                    const struct dissect_context *context)
{
    const struct tls_secret *secret = tls_keys_find(context->keys, kind, r->client_random);
    return secret != NULL ? tls_opener_new_13(r->cipher, secret->bytes, secret->len) : NULL;
}

static enum tls_secret_kind traffic_of(enum side role)
{
    return role == SIDE_CLIENT ? TLS_SECRET_CLIENT_TRAFFIC : TLS_SECRET_SERVER_TRAFFIC;
}

static void agree_13(struct tls_state *state, enum side role, const struct dissect_context *context)
{
    struct tls_reader *r = state->reader;
    struct reading *reading = &r->role[role];
    bool client = role == SIDE_CLIENT;
    reading->opener = opener_13(
        r, client ? TLS_SECRET_CLIENT_HANDSHAKE : TLS_SECRET_SERVER_HANDSHAKE, context);
    reading->trial = client && state->offered_early_data;
    if (reading->opener != NULL)
        return;
    /* A log without the handshake's secrets: the application's begin at some record. */
    reading->opener = opener_13(r, traffic_of(role), context);
    reading->traffic = reading->trial = true;
}

static struct tls_opener *opener_12(const struct tls_reader *r, enum side role,
                                    const struct dissect_context *context)
{
    const struct tls_secret *master =
        tls_keys_find(context->keys, TLS_SECRET_MASTER, r->client_random);
    if (master == NULL)
        return NULL;
    struct tls_session_12 session = {r->version,    r->cipher,        r->encrypt_then_mac,
                                     master->bytes, r->client_random, r->server_random};
    return tls_opener_new_12(&session, role);
}

static void note_hello(struct tls_reader *r, const struct tls_server_hello *hello)
{
    memcpy(r->server_random, hello->random, TLS_RANDOM);
    r->version = hello->version;
    r->cipher = hello->cipher;
    r->encrypt_then_mac = hello->has_encrypt_then_mac;
}

/* Whether the log has anything of this session. */
static bool is_in_log(const uint8_t *client_random, const struct dissect_context *context)
{
    for (int kind = 0; kind < TLS_SECRET_KINDS; kind++) {
        if (tls_keys_find(context->keys, (enum tls_secret_kind)kind, client_random) != NULL)
            return true;
    }
    return false;
}

void tls_reader_agree(struct tls_state *state, const struct tls_server_hello *hello,
                      struct dissect_context *context)
{
    struct tls_reader *r = state->reader;
    if (context->keys == NULL)
        return;
    if (state->transport != 't') { /* their records are not opened; that is said where secrets of it are there */
        if (is_in_log(state->randoms, context))
            context->tls->decryption = TLS_DECRYPTION_UNSUPPORTED;
        return;
    }
    context->tls->decryption = TLS_DECRYPTION_NO_KEYS;
    if (r == NULL || !is_in_log(r->client_random, context)) {
        tls_reader_free(state);
        return;
    }
    if (!tls_opener_can(hello->cipher)) {
        context->tls->decryption = TLS_DECRYPTION_UNSUPPORTED;
        tls_reader_free(state);
        return;
    }
    context->tls->decryption = TLS_DECRYPTION_FAILED; /* until a record proves otherwise */
    note_hello(r, hello);
    for (int role = 0; role < 2; role++) {
        if (tls_version_is_13(r->version))
            agree_13(state, (enum side)role, context);
        else
            r->role[role].opener = opener_12(r, (enum side)role, context);
    }
    state->after_finished = 2; /* no guessing at tickets */
}

bool tls_reader_wants(const struct tls_state *state, enum side role)
{
    const struct tls_reader *r = state->reader;
    return r != NULL && (r->role[role].opener != NULL || r->role[role].keyless) &&
           (state->party[role].encrypted || tls_version_is_13(r->version));
}

void tls_reader_change(struct tls_state *state, enum side role)
{
    if (state->reader != NULL)
        state->reader->role[role].change = true;
}

static void tell(const struct dissect_context *context, enum plain_event event, enum side side,
                 const uint8_t *bytes, size_t len)
{
    if (context->plain != NULL)
        context->plain(context->event_self, event, side, bytes, len);
}

static void give_up(struct tls_state *state, enum side role, struct dissect_context *context)
{
    struct reading *reading = &state->reader->role[role];
    struct tls_record *tls = context->tls;
    if (reading->opener == NULL && !reading->keyless)
        return;
    stop(reading);
    reading->keyless = false;
    tell(context, PLAIN_LOST, tls_role(state, role), NULL, 0);
    if (tls->decryption == TLS_DECRYPTION_WHOLE)
        tls->decryption = TLS_DECRYPTION_PARTLY;
}

void tls_reader_lose(struct tls_state *state, enum side side, struct dissect_context *context)
{
    if (state->reader != NULL)
        give_up(state, tls_role(state, side), context);
}

void tls_reader_end(struct tls_state *state, enum side side, struct dissect_context *context)
{
    if (state->reader != NULL)
        tell(context, PLAIN_END, side, NULL, 0);
}

/* The keys that follow those in force, by version. */
static void change_keys(struct tls_state *state, enum side role, struct dissect_context *context)
{
    struct tls_reader *r = state->reader;
    struct reading *reading = &r->role[role];
    reading->change = false;
    if (reading->traffic) {
        if (!tls_opener_update(reading->opener))
            give_up(state, role, context);
        return;
    }
    struct tls_opener *next = tls_version_is_13(r->version)
                                  ? opener_13(r, traffic_of(role), context)
                                  : opener_12(r, role, context);
    stop(reading);
    reading->opener = next;
    reading->keyless = next == NULL; /* a session that ends here was read whole */
    reading->traffic = tls_version_is_13(r->version);
}

/* ---- what records hold
 * ----------------------------------------------------------------------------- */

static void take_alert(struct tls_state *state, enum side side, struct cursor text,
                       struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    struct tls_record *tls = context->tls;
    uint8_t level = cur_u8(&text);
    uint8_t number = cur_u8(&text);
    if (!cur_ok(&text))
        return;
    if (number != 0 && !tls->established) {
        tls_handle_alert(state, role, level, number, context);
        return;
    }
    tls_add_letter(tls, role, 'L');
    if (number != 0)
        return;
    *(role == SIDE_CLIENT ? &tls->close_notify_client : &tls->close_notify_server) = true;
    tell(context, PLAIN_END, side, NULL, 0);
}

/* The hellos of a handshake within the session bring new randoms (RFC 5246 7.4.1). */
static void note_renegotiation(struct tls_reader *r, struct cursor text)
{
    struct tls_client_hello client;
    struct tls_server_hello server;
    uint8_t type = cur_u8(&text);
    struct cursor body = cur_cut(&text, cur_u24(&text));
    if (!cur_ok(&text))
        return;
    if (type == MESSAGE_CLIENT_HELLO && tls_client_hello_parse(body, &client))
        memcpy(r->client_random, client.random, TLS_RANDOM);
    else if (type == MESSAGE_SERVER_HELLO && tls_server_hello_parse(body, &server))
        note_hello(r, &server);
}

static void take_data(struct tls_state *state, enum side side, uint32_t record_len,
                      struct cursor text, struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    bool is_13 = tls_version_is_13(state->reader->version);
    if (is_13 && role == SIDE_SERVER && state->party[SIDE_CLIENT].finished)
        tls_establish(state, role, context);
    if (is_13)
        tls_handle_data(state, role, record_len, context);
    else
        tls_handle_encrypted(state, role, TLS_RECORD_DATA, record_len, context);
    if (cur_left(&text) > 0)
        tell(context, PLAIN_TEXT, side, text.at, cur_left(&text));
}

static void take_text(struct tls_state *state, enum side side, uint8_t type, uint32_t record_len,
                      struct cursor text, struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    struct tls_reader *r = state->reader;
    switch (type) {
    case TLS_RECORD_ALERT:
        take_alert(state, side, text, context);
        break;
    case TLS_RECORD_DATA:
        take_data(state, side, record_len, text, context);
        break;
    case TLS_RECORD_HANDSHAKE:
        if (tls_version_is_13(r->version)) {
            state->stream[side].opened = true;
            tls_take_handshake(state, side, text, context);
            state->stream[side].opened = false;
            break;
        }
        note_renegotiation(r, text);
        tls_handle_encrypted(state, role, type, record_len, context);
        break;
    case TLS_RECORD_CCS:
        r->role[role].change = !tls_version_is_13(r->version);
        break;
    default:
        break;
    }
}

bool tls_reader_take(struct tls_state *state, enum side side, const uint8_t *header,
                     struct cursor fragment, struct dissect_context *context)
{
    enum side role = tls_role(state, side);
    struct reading *reading = &state->reader->role[role];
    uint8_t *text = tls_keys_scratch(context->keys);
    uint32_t record_len = (uint32_t)cur_left(&fragment);
    size_t len = 0;
    uint8_t type = 0;
    if (reading->keyless) {
        give_up(state, role, context);
        return false;
    }
    if (!tls_opener_open(reading->opener, header, fragment.at, record_len, text, &len, &type)) {
        if (!reading->trial) {
            give_up(state, SIDE_CLIENT, context);
            give_up(state, SIDE_SERVER, context);
            return false;
        }
        if (reading->traffic || role == SIDE_SERVER)
            return false;
        tls_handle_data(state, role, record_len, context); /* data ahead of the handshake */
        return true;
    }
    reading->trial = false;
    if (context->tls->decryption != TLS_DECRYPTION_PARTLY)
        context->tls->decryption = TLS_DECRYPTION_WHOLE;
    take_text(state, side, type, record_len, cur_of(text, len), context);
    if (reading->change && reading->opener != NULL)
        change_keys(state, role, context);
    return true;
}
