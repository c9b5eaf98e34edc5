/* MySQL and MariaDB: the client/server protocol 10. Greeting, login and its result, then the command
 * bytes and how each answer begins. Statements, names and rows are passed over, never read. */
#include "dissectors/commands.h"
#include "dissectors/upgrade.h"
#include "dissectors/upgrade_families.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER = 4,
    GREETING_MAX = 1024,
    CLIENT_COMPRESS = 0x0020,
    CLIENT_SSL = 0x0800,
    ERROR_CODE_END = 3,
    SWITCH_AUTH = 0xfe,
    MORE_AUTH = 0x01,
    OK_PACKET = 0x00,
    ERROR_PACKET = 0xff
};

struct mysql_state {
    struct commands commands;
    uint32_t packets[2];
    bool logged_in, refused, tls, blind; /* blind: compressed or past saving */
};

/* Command bytes of the protocol that get one answer each. */
static const char *command_word(uint8_t byte)
{
    static const char *const words[] = {
        [0x01] = "QUIT",         [0x02] = "INIT_DB",      [0x03] = "QUERY",
        [0x04] = "FIELD_LIST",   [0x09] = "STATISTICS",   [0x0c] = "KILL",
        [0x0e] = "PING",         [0x11] = "CHANGE_USER",  [0x12] = "BINLOG_DUMP",
        [0x16] = "STMT_PREPARE", [0x17] = "STMT_EXECUTE", [0x1a] = "STMT_RESET",
        [0x1b] = "SET_OPTION",   [0x1c] = "STMT_FETCH",   [0x1f] = "RESET_CONNECTION"};
    bool known = byte < sizeof words / sizeof words[0] && words[byte] != NULL;
    return known ? words[byte] : "OTHER";
}

/* A greeting, or the error that a server says instead of it (too many connections, host not let in):
 * length 3 | 0 | 0xff | code 2, 1000 to 1999. */
static enum dissector_match mysql_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    enum upgrade_family family = UPGRADE_UNDECIDED;
    if (side != SIDE_SERVER || len == 0)
        return MATCH_NO;
    enum dissector_match match = upgrade_family_of(bytes, len, side, &family);
    if (match == MATCH_YES)
        return family == UPGRADE_MYSQL ? MATCH_YES : MATCH_NO;
    struct cursor c = cur_of(bytes, len);
    uint8_t size = cur_u8(&c);
    bool low = size >= 10 && cur_u16(&c) == 0 && cur_u8(&c) == 0; /* zero too where it is not there */
    if (!low || (len > HEADER && bytes[HEADER] != ERROR_PACKET))
        return match;
    cur_skip(&c, 1);
    uint16_t code = cur_u16le(&c);
    if (!cur_ok(&c))
        return MATCH_MORE;
    return code >= 1000 && code < 2000 ? MATCH_YES : MATCH_NO;
}

static void mysql_open(void *self, struct dissect_context *context)
{
    struct mysql_state *s = self;
    s->commands.protocol = COMMAND_MYSQL;
    context->flow->app = "mysql";
}

static void finish_error(struct mysql_state *s, struct cursor body, struct dissect_context *context)
{
    char code[8];
    cur_skip(&body, 1);
    int len = snprintf(code, sizeof code, "%u", cur_u16le(&body));
    commands_finish(&s->commands, COMMAND_REFUSED, code, (size_t)len, context);
}

static void read_server(struct mysql_state *s, uint8_t number, struct cursor body,
                        struct dissect_context *context)
{
    uint8_t kind = cur_left(&body) > 0 ? body.at[0] : 0;
    if (s->packets[SIDE_SERVER]++ == 0 && kind == ERROR_PACKET) {
        (void)commands_ask(&s->commands, "CONNECT", context);
        finish_error(s, body, context);
        s->refused = true;
        return;
    }
    struct command_record *row = commands_oldest(&s->commands);
    if (row == NULL || (s->logged_in && number != 1))
        return; /* the greeting, or further packets of an answer that has begun */
    if (kind == ERROR_PACKET) {
        finish_error(s, body, context);
        return;
    }
    if (!s->logged_in) {
        commands_note_reply(&s->commands, context);
        if (kind == SWITCH_AUTH || kind == MORE_AUTH)
            return;
        s->logged_in = kind == OK_PACKET;
    }
    commands_finish(&s->commands, COMMAND_DONE, "ok", 2, context);
}

static void read_client(struct mysql_state *s, uint8_t number, struct cursor body,
                        struct dissect_context *context)
{
    bool first = s->packets[SIDE_CLIENT]++ == 0;
    if (first) {
        uint16_t capabilities = cur_u16le(&body);
        s->tls = (capabilities & CLIENT_SSL) != 0;
        s->blind = (capabilities & CLIENT_COMPRESS) != 0;
        (void)commands_ask(&s->commands, "LOGIN", context);
        return;
    }
    if (!s->logged_in || number != 0 || cur_left(&body) == 0)
        return;
    const char *word = command_word(body.at[0]);
    if (strcmp(word, "QUIT") != 0 && body.at[0] != 0x19 && body.at[0] != 0x18) /* never answered */
        (void)commands_ask(&s->commands, word, context);
}

static enum feed_result mysql_feed(void *self, enum side side, struct cursor *bytes,
                                   struct dissect_context *context)
{
    struct mysql_state *s = self;
    size_t len = cur_left(bytes);
    if (!s->logged_in && s->packets[side] > 0) {
        enum dissector_match tls = upgrade_begins_tls(bytes->at, len, side);
        if (tls == MATCH_MORE)
            return FEED_MORE;
        if (tls == MATCH_YES) {
            s->commands.count = 0; /* the rest of the login is inside */
            context->upgrade = "mysql";
            return FEED_HAND_OVER;
        }
    }
    struct cursor c = *bytes;
    uint32_t size = cur_u8(&c);
    size |= (uint32_t)cur_u8(&c) << 8;
    size |= (uint32_t)cur_u8(&c) << 16;
    uint8_t number = cur_u8(&c);
    size_t shown = size < ERROR_CODE_END ? size : ERROR_CODE_END;
    if (!cur_ok(&c) || cur_left(&c) < shown) {
        context->need = HEADER + (cur_ok(&c) ? shown : 0);
        return FEED_MORE;
    }
    if (!s->logged_in && size > 64 * 1024)
        return FEED_GIVE_UP;
    struct cursor body = cur_cut(&c, shown);
    if (side == SIDE_SERVER)
        read_server(s, number, body, context);
    else
        read_client(s, number, body, context);
    size_t rest = size - shown;
    size_t here = rest < cur_left(&c) ? rest : cur_left(&c);
    cur_skip(bytes, HEADER + shown + here);
    context->skip = rest - here;
    return s->blind && s->logged_in ? FEED_FINISHED : FEED_MORE;
}

static bool mysql_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct mysql_state *s = self;
    s->commands.lost = true;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void mysql_end(void *self, enum side side, enum end_why why,
                      struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void mysql_close(void *self, struct dissect_context *context)
{
    struct mysql_state *s = self;
    commands_close(&s->commands, context);
}

const struct dissector dissector_mysql = {
    .name = "mysql",
    .state_size = sizeof(struct mysql_state),
    .watches = true,
    .looks_like = mysql_looks_like,
    .open = mysql_open,
    .feed = mysql_feed,
    .gap = mysql_gap,
    .end = mysql_end,
    .close = mysql_close,
};
