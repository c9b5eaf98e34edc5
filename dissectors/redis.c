/* Redis: RESP 2 and 3 (https://redis.io/docs/reference/protocol-spec). Command words and how each
 * answer begins; keys and values are passed over, never read. */
#include "dissectors/commands.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LINE_LONGEST = 4096, WORD_LONGEST = 24, ELEMENTS_MOST = 1 << 24, CODE_LONGEST = 8 };

struct redis_state {
    struct commands commands;
    uint64_t left[2]; /* elements of the message at hand that are still to come */
    const char *word; /* of the command at hand */
    bool push;        /* the server's message at hand is no reply (RESP 3) */
    bool over;        /* replies no longer follow commands: subscribed, a replica */
};

static const char *const words[] = {
    "AUTH",    "HELLO",   "PING",    "SELECT",  "INFO",    "CLIENT",  "CONFIG",  "COMMAND",
    "GET",     "SET",     "SETEX",   "SETNX",   "MGET",    "MSET",    "DEL",     "UNLINK",
    "EXISTS",  "EXPIRE",  "TTL",     "PTTL",    "INCR",    "INCRBY",  "DECR",    "HGET",
    "HSET",    "HMGET",   "HMSET",   "HGETALL", "HDEL",    "LPUSH",   "RPUSH",   "LPOP",
    "RPOP",    "LLEN",    "LRANGE",  "SADD",    "SREM",    "SMEMBERS", "ZADD",   "ZRANGE",
    "ZREM",    "SCAN",    "KEYS",    "MULTI",   "EXEC",    "DISCARD", "EVAL",    "EVALSHA",
    "PUBLISH", "XADD",    "XACK",    "XREAD",   "XREADGROUP", "BLPOP", "BRPOP",  "BLMOVE",
    "BZPOPMIN", "BZPOPMAX", "BRPOPLPUSH", "BLMPOP", "WAIT", "CLUSTER", "SUBSCRIBE", "PSUBSCRIBE",
    "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC",   "QUIT",    "SLOWLOG", "DEBUG",   "DBSIZE"};

static const char *find_word(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == len && strncasecmp(words[i], (const char *)bytes, len) == 0)
            return words[i];
    }
    return "OTHER";
}

static bool ends_dialogue(const char *word)
{
    static const char *const last[] = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR",
                                       "SYNC", "PSYNC"};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        if (strcmp(word, last[i]) == 0)
            return true;
    }
    return false;
}

static enum dissector_match match_text(const uint8_t *bytes, size_t len, const char *text)
{
    size_t shown = len < strlen(text) ? len : strlen(text);
    if (memcmp(bytes, text, shown) != 0)
        return MATCH_NO;
    return shown == strlen(text) ? MATCH_YES : MATCH_MORE;
}

/* Digits, CR, LF at *at. */
static enum dissector_match match_count(const uint8_t *bytes, size_t len, size_t *at)
{
    size_t digits = 0;
    while (*at < len && isdigit(bytes[*at]) && digits < 5) {
        (*at)++;
        digits++;
    }
    if (*at == len)
        return MATCH_MORE;
    if (digits == 0 || bytes[*at] != '\r')
        return MATCH_NO;
    if (++(*at) == len)
        return MATCH_MORE;
    return bytes[(*at)++] == '\n' ? MATCH_YES : MATCH_NO;
}

/* *count CR LF $length CR LF letter, or one of the two errors that Redis says before anybody asked. */
static enum dissector_match redis_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    if (len == 0)
        return MATCH_NO;
    if (side == SIDE_SERVER) {
        enum dissector_match full = match_text(bytes, len, "-ERR max number of clients");
        return full != MATCH_NO ? full : match_text(bytes, len, "-DENIED Redis");
    }
    size_t at = 1;
    if (bytes[0] != '*')
        return MATCH_NO;
    enum dissector_match match = match_count(bytes, len, &at);
    if (match != MATCH_YES)
        return match;
    if (at == len)
        return MATCH_MORE;
    if (bytes[at++] != '$')
        return MATCH_NO;
    match = match_count(bytes, len, &at);
    if (match != MATCH_YES)
        return match;
    return at == len ? MATCH_MORE : isalpha(bytes[at]) ? MATCH_YES : MATCH_NO;
}

static void redis_open(void *self, struct dissect_context *context)
{
    struct redis_state *s = self;
    s->commands.protocol = COMMAND_REDIS;
    (void)context;
}

/* The number behind the type byte; -1 for null. false: none. */
static bool read_count(const uint8_t *line, size_t len, int64_t *out)
{
    int64_t value = 0;
    bool negative = len > 1 && line[1] == '-';
    size_t at = negative ? 2 : 1, start = at;
    for (; at < len && isdigit(line[at]) && at < 12; at++)
        value = value * 10 + (line[at] - '0');
    *out = negative ? -1 : value;
    return at > start && at < len && line[at] == '\r';
}

/* Passes over len bytes and the line's end behind them. */
static void pass(struct cursor *bytes, int64_t len, struct dissect_context *context)
{
    uint64_t rest = (uint64_t)len + 2;
    size_t here = rest < cur_left(bytes) ? (size_t)rest : cur_left(bytes);
    cur_skip(bytes, here);
    context->skip = rest - here;
}

static void command_whole(struct redis_state *s, struct dissect_context *context)
{
    if (s->word == NULL)
        return;
    (void)commands_ask(&s->commands, s->word, context);
    s->over = ends_dialogue(s->word);
    s->word = NULL;
}

static enum feed_result feed_client(struct redis_state *s, struct cursor *bytes, size_t line,
                                    struct dissect_context *context)
{
    int64_t count;
    uint64_t *left = &s->left[SIDE_CLIENT];
    if (*left == 0) {
        if (bytes->at[0] != '*' || !read_count(bytes->at, line, &count) || count > ELEMENTS_MOST)
            return FEED_GIVE_UP; /* inline commands are for people at a terminal */
        cur_skip(bytes, line);
        *left = count > 0 ? (uint64_t)count : 0;
        s->word = NULL;
        return FEED_MORE;
    }
    if (bytes->at[0] != '$' || !read_count(bytes->at, line, &count) || count < 0)
        return FEED_GIVE_UP;
    if (s->word == NULL) {
        bool is_word = count <= WORD_LONGEST;
        if (is_word && cur_left(bytes) < line + (size_t)count + 2)
            return FEED_MORE;
        s->word = is_word ? find_word(bytes->at + line, (size_t)count) : "OTHER";
    }
    cur_skip(bytes, line);
    pass(bytes, count, context);
    if (--*left == 0)
        command_whole(s, context);
    return FEED_MORE;
}

static void finish_reply(struct redis_state *s, const uint8_t *line, size_t len,
                         struct dissect_context *context)
{
    if (len == 0) {
        commands_finish(&s->commands, COMMAND_DONE, "ok", 2, context);
        return;
    }
    size_t code = 1;
    while (code < len && code <= CODE_LONGEST && isupper(line[code]))
        code++;
    if (commands_oldest(&s->commands) == NULL)
        (void)commands_ask(&s->commands, "CONNECT", context);
    if (match_text(line, len, "-ERR max number of clients") == MATCH_YES)
        commands_finish(&s->commands, COMMAND_REFUSED, "MAXCONN", 7, context);
    else
        commands_finish(&s->commands, COMMAND_REFUSED, (const char *)line + 1, code - 1, context);
}

/* One element of a reply: a line, and what it announces. */
static enum feed_result feed_server(struct redis_state *s, struct cursor *bytes, size_t line,
                                    struct dissect_context *context)
{
    uint64_t *left = &s->left[SIDE_SERVER];
    const uint8_t *at = bytes->at;
    int64_t count = 0;
    bool top = *left == 0;
    bool simple = memchr("+-:_#,(", at[0], 7) != NULL;
    bool bulk = memchr("$=!", at[0], 3) != NULL, many = memchr("*~>%", at[0], 4) != NULL;
    if ((!simple && !bulk && !many) || (!simple && !read_count(at, line, &count)) ||
        count > ELEMENTS_MOST)
        return FEED_GIVE_UP;
    if (top) {
        s->push = at[0] == '>';
        *left = 1;
        if (!s->push)
            commands_note_reply(&s->commands, context);
    }
    --*left;
    if (many && count > 0)
        *left += (uint64_t)count * (at[0] == '%' ? 2 : 1);
    if (*left > ELEMENTS_MOST)
        return FEED_GIVE_UP;
    if (*left == 0 && !s->push)
        finish_reply(s, at, top && at[0] == '-' ? line : 0, context);
    cur_skip(bytes, line);
    if (bulk && count >= 0)
        pass(bytes, count, context);
    return FEED_MORE;
}

static enum feed_result redis_feed(void *self, enum side side, struct cursor *bytes,
                                   struct dissect_context *context)
{
    struct redis_state *s = self;
    if (s->over)
        return FEED_FINISHED;
    if (cur_left(bytes) == 0)
        return FEED_MORE;
    const uint8_t *end = memchr(bytes->at, '\n', cur_left(bytes));
    if (end == NULL)
        return cur_left(bytes) > LINE_LONGEST ? FEED_GIVE_UP : FEED_MORE;
    size_t line = (size_t)(end - bytes->at) + 1;
    return side == SIDE_CLIENT ? feed_client(s, bytes, line, context)
                               : feed_server(s, bytes, line, context);
}

static bool redis_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct redis_state *s = self;
    s->commands.lost = true;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void redis_end(void *self, enum side side, enum end_why why,
                      struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void redis_close(void *self, struct dissect_context *context)
{
    struct redis_state *s = self;
    commands_close(&s->commands, context);
}

const struct dissector dissector_redis = {
    .name = "redis",
    .state_size = sizeof(struct redis_state),
    .looks_like = redis_looks_like,
    .open = redis_open,
    .feed = redis_feed,
    .gap = redis_gap,
    .end = redis_end,
    .close = redis_close,
};
