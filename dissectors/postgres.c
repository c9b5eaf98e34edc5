/* PostgreSQL's protocol 3: start-up, authentication, its result, then queries by the time between
 * Query or Sync and the first answer. Names, statements and rows are passed over, never read. */
#include "dissectors/commands.h"
#include "dissectors/upgrade.h"

#include <string.h>

enum {
    START_MAX = 10000, /* the server refuses longer start-up packets: MAX_STARTUP_PACKET_LENGTH */
    PROTOCOL_3 = 3,
    CODE_CANCEL = 80877102,
    CODE_SSL = 80877103,
    CODE_GSS = 80877104,
    ERROR_MAX = 16384,
    HEADER = 5
};

struct postgres_state {
    struct commands commands;
    bool started, ready, asked_tls;
    bool answered; /* the server's answer to the oldest command has begun */
};

static enum dissector_match postgres_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    struct cursor c = cur_of(bytes, len);
    if (side != SIDE_CLIENT || len == 0 || bytes[0] != 0 || (len > 1 && bytes[1] != 0))
        return MATCH_NO;
    uint32_t size = cur_u32(&c), code = cur_u32(&c);
    if (!cur_ok(&c))
        return MATCH_MORE;
    if (size == 8)
        return code == CODE_SSL || code == CODE_GSS ? MATCH_YES : MATCH_NO;
    if (code >> 16 != PROTOCOL_3 || (code & 0xffff) > 2 || size < 14 || size > START_MAX)
        return MATCH_NO;
    /* "user" is the parameter that must be there, and libpq, JDBC, Npgsql send it first or next */
    static const char *const names[] = {"user", "database", "client_encoding", "DateStyle",
                                        "application_name", "replication", "options"};
    bool more = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t whole = strlen(names[i]) + 1;
        size_t shown = cur_left(&c) < whole ? cur_left(&c) : whole;
        if (memcmp(c.at, names[i], shown) != 0)
            continue;
        if (shown == whole)
            return MATCH_YES;
        more = true;
    }
    return more ? MATCH_MORE : MATCH_NO;
}

static void postgres_open(void *self, struct dissect_context *context)
{
    struct postgres_state *s = self;
    s->commands.protocol = COMMAND_POSTGRESQL;
    context->flow->app = "postgresql";
}

/* Messages before the types begin: length, code. */
static enum feed_result feed_start(struct postgres_state *s, struct cursor *bytes,
                                   struct dissect_context *context)
{
    struct cursor c = *bytes;
    uint32_t size = cur_u32(&c), code = cur_u32(&c);
    if (!cur_ok(&c))
        return FEED_MORE;
    if (size < 8 || size > START_MAX)
        return FEED_GIVE_UP;
    if (size > cur_left(bytes))
        return FEED_MORE;
    s->asked_tls = code == CODE_SSL || code == CODE_GSS;
    if (!s->asked_tls && code >> 16 != PROTOCOL_3)
        return FEED_GIVE_UP;
    if (!s->asked_tls) {
        s->started = true;
        (void)commands_ask(&s->commands, "LOGIN", context);
    }
    cur_skip(bytes, size);
    return FEED_MORE;
}

static void note_client(struct postgres_state *s, uint8_t type, struct dissect_context *context)
{
    if (!s->ready)
        return;
    if (type == 'Q')
        (void)commands_ask(&s->commands, "QUERY", context);
    else if (type == 'S')
        (void)commands_ask(&s->commands, "EXECUTE", context);
    else if (type == 'F')
        (void)commands_ask(&s->commands, "FUNCTION", context);
}

/* ErrorResponse: fields of a letter and text; C is the SQLSTATE. */
static void finish_error(struct postgres_state *s, struct cursor body,
                         struct dissect_context *context)
{
    while (cur_left(&body) > 1) {
        uint8_t field = cur_u8(&body);
        const uint8_t *end = memchr(body.at, 0, cur_left(&body));
        size_t len = end != NULL ? (size_t)(end - body.at) : cur_left(&body);
        if (field == 'C') {
            commands_finish(&s->commands, COMMAND_REFUSED, (const char *)body.at, len, context);
            return;
        }
        cur_skip(&body, len + 1);
    }
    commands_finish(&s->commands, COMMAND_REFUSED, "", 0, context);
}

static void note_server(struct postgres_state *s, uint8_t type, struct cursor body,
                        struct dissect_context *context)
{
    static const char notices[] = "NASK"; /* at any time, no answer */
    if (memchr(notices, type, sizeof notices - 1) != NULL)
        return;
    if (type == 'E') {
        finish_error(s, body, context);
        s->answered = true;
        return;
    }
    commands_note_reply(&s->commands, context);
    if (type != 'Z')
        return;
    if (!s->answered)
        commands_finish(&s->commands, COMMAND_DONE, "ok", 2, context);
    s->answered = false;
    s->ready = true;
}

static bool is_type(uint8_t type, enum side side)
{
    const char *types = side == SIDE_CLIENT ? "BCEdfcFHPpQSDX" : "RKvBECfcdGHWDIMnNAtSPTZ123sV";
    return type != 0 && strchr(types, type) != NULL;
}

static enum feed_result feed_typed(struct postgres_state *s, enum side side, struct cursor *bytes,
                                   struct dissect_context *context)
{
    struct cursor c = *bytes;
    uint8_t type = cur_u8(&c);
    uint32_t size = cur_u32(&c);
    if (cur_left(bytes) > 0 && !is_type(bytes->at[0], side))
        return FEED_GIVE_UP;
    if (!cur_ok(&c)) {
        context->need = HEADER;
        return FEED_MORE;
    }
    if (size < 4 || (type == 'E' && side == SIDE_SERVER && size > ERROR_MAX))
        return FEED_GIVE_UP;
    size_t rest = size - 4;
    if (side == SIDE_SERVER && type == 'E' && cur_left(&c) < rest) {
        context->need = HEADER + rest;
        return FEED_MORE;
    }
    size_t here = rest < cur_left(&c) ? rest : cur_left(&c);
    struct cursor body = cur_cut(&c, here);
    if (side == SIDE_CLIENT)
        note_client(s, type, context);
    else
        note_server(s, type, body, context);
    cur_skip(bytes, HEADER + here);
    context->skip = rest - here;
    return FEED_MORE;
}

static enum feed_result postgres_feed(void *self, enum side side, struct cursor *bytes,
                                      struct dissect_context *context)
{
    struct postgres_state *s = self;
    if (!s->started && s->asked_tls) {
        enum dissector_match tls = upgrade_begins_tls(bytes->at, cur_left(bytes), side);
        if (tls == MATCH_MORE)
            return FEED_MORE;
        if (tls == MATCH_YES) {
            context->upgrade = "postgresql";
            return FEED_HAND_OVER;
        }
    }
    if (side == SIDE_CLIENT)
        return s->started ? feed_typed(s, side, bytes, context) : feed_start(s, bytes, context);
    if (!s->started && cur_left(bytes) > 0 && bytes->at[0] != 'E' && bytes->at[0] != 'R') {
        if (memchr("SNG", bytes->at[0], 3) == NULL)
            return FEED_GIVE_UP;
        cur_skip(bytes, 1); /* the answer to SSLRequest or GSSENCRequest */
        return FEED_MORE;
    }
    return feed_typed(s, side, bytes, context);
}

static bool postgres_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct postgres_state *s = self;
    s->commands.lost = true;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void postgres_end(void *self, enum side side, enum end_why why,
                         struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void postgres_close(void *self, struct dissect_context *context)
{
    struct postgres_state *s = self;
    commands_close(&s->commands, context);
}

const struct dissector dissector_postgres = {
    .name = "postgresql",
    .state_size = sizeof(struct postgres_state),
    .watches = true,
    .looks_like = postgres_looks_like,
    .open = postgres_open,
    .feed = postgres_feed,
    .gap = postgres_gap,
    .end = postgres_end,
    .close = postgres_close,
};
