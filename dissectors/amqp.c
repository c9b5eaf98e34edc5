/* AMQP 0-9-1 (RabbitMQ): the login and its result, methods that are answered one by one, and what the
 * broker closes with. Bodies, names and properties are passed over, never read. */
#include "dissectors/commands.h"

#include <stdio.h>
#include <string.h>

enum {
    FRAME_HEADER = 7,
    METHOD_SHOWN = 6, /* class 2, method 2, reply code 2 */
    FRAME_METHOD = 1,
    FRAME_MOST = 8,
    CONNECTION = 10,
    CHANNEL = 20,
    START_OK = 11,
    OPEN_OK = 41,
    CONNECTION_CLOSE = 50,
    CHANNEL_CLOSE = 40,
    CLOSE_NORMAL = 200
};

struct amqp_state {
    struct commands commands;
    bool greeted;          /* the client's protocol header was passed */
    uint16_t class_id, method; /* of the request that waits */
};

static const struct method {
    uint16_t class_id, method;
    const char *word;
} methods[] = {
    {CHANNEL, 10, "CHANNEL_OPEN"}, {40, 10, "EXCHANGE_DECLARE"}, {50, 10, "QUEUE_DECLARE"},
    {50, 20, "QUEUE_BIND"},        {60, 10, "BASIC_QOS"},        {60, 20, "BASIC_CONSUME"},
    {85, 10, "CONFIRM_SELECT"},    {90, 20, "TX_COMMIT"},
};

static enum dissector_match amqp_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    static const uint8_t header[] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    size_t shown = len < sizeof header ? len : sizeof header;
    if (side != SIDE_CLIENT || memcmp(bytes, header, shown) != 0)
        return MATCH_NO;
    return shown == sizeof header ? MATCH_YES : MATCH_MORE;
}

static void amqp_open(void *self, struct dissect_context *context)
{
    struct amqp_state *s = self;
    s->commands.protocol = COMMAND_AMQP;
    (void)context;
}

static void ask(struct amqp_state *s, uint16_t class_id, uint16_t method, const char *word,
                struct dissect_context *context)
{
    if (commands_ask(&s->commands, word, context) == NULL)
        return;
    s->class_id = class_id;
    s->method = method;
}

static void read_client(struct amqp_state *s, uint16_t class_id, uint16_t method,
                        struct dissect_context *context)
{
    if (commands_oldest(&s->commands) != NULL)
        return; /* one at a time: channels may answer in any order */
    if (class_id == CONNECTION && method == START_OK)
        ask(s, class_id, OPEN_OK - 1, "LOGIN", context);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i].class_id == class_id && methods[i].method == method)
            ask(s, class_id, method, methods[i].word, context);
    }
}

static void read_server(struct amqp_state *s, uint16_t class_id, uint16_t method, uint16_t code,
                        struct dissect_context *context)
{
    bool closes = (class_id == CONNECTION && method == CONNECTION_CLOSE) ||
                  (class_id == CHANNEL && method == CHANNEL_CLOSE);
    bool waits = commands_oldest(&s->commands) != NULL;
    if (closes && code != CLOSE_NORMAL) {
        char text[8];
        int len = snprintf(text, sizeof text, "%u", code);
        if (!waits)
            (void)commands_ask(&s->commands, "CLOSE", context);
        commands_finish(&s->commands, COMMAND_REFUSED, text, (size_t)len, context);
    } else if (waits && class_id == s->class_id) {
        commands_note_reply(&s->commands, context);
        if (method == s->method + 1)
            commands_finish(&s->commands, COMMAND_DONE, "ok", 2, context);
    }
}

static enum feed_result amqp_feed(void *self, enum side side, struct cursor *bytes,
                                  struct dissect_context *context)
{
    struct amqp_state *s = self;
    if (side == SIDE_CLIENT && !s->greeted) {
        if (cur_left(bytes) < 8)
            return FEED_MORE;
        s->greeted = true;
        cur_skip(bytes, 8);
        return FEED_MORE;
    }
    struct cursor c = *bytes;
    uint8_t type = cur_u8(&c);
    cur_skip(&c, 2);
    uint32_t size = cur_u32(&c);
    if (!cur_ok(&c)) {
        context->need = FRAME_HEADER;
        return FEED_MORE;
    }
    if (type == 0 || type > FRAME_MOST)
        return FEED_GIVE_UP;
    size_t shown = type == FRAME_METHOD ? (size < METHOD_SHOWN ? size : METHOD_SHOWN) : 0;
    if (cur_left(&c) < shown) {
        context->need = FRAME_HEADER + shown;
        return FEED_MORE;
    }
    if (type == FRAME_METHOD) {
        struct cursor method = cur_cut(&c, shown);
        uint16_t class_id = cur_u16(&method), id = cur_u16(&method), code = cur_u16(&method);
        if (side == SIDE_CLIENT)
            read_client(s, class_id, id, context);
        else
            read_server(s, class_id, id, code, context);
    }
    uint64_t rest = (uint64_t)size - shown + 1; /* the end octet */
    size_t here = rest < cur_left(&c) ? (size_t)rest : cur_left(&c);
    cur_skip(bytes, FRAME_HEADER + shown + here);
    context->skip = rest - here;
    return FEED_MORE;
}

static bool amqp_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct amqp_state *s = self;
    s->commands.lost = true;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void amqp_end(void *self, enum side side, enum end_why why, struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void amqp_close(void *self, struct dissect_context *context)
{
    struct amqp_state *s = self;
    commands_close(&s->commands, context);
}

const struct dissector dissector_amqp = {
    .name = "amqp",
    .state_size = sizeof(struct amqp_state),
    .looks_like = amqp_looks_like,
    .open = amqp_open,
    .feed = amqp_feed,
    .gap = amqp_gap,
    .end = amqp_end,
    .close = amqp_close,
};
