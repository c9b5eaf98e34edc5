/* FTP's control connection: RFC 959, RFC 2428 (EPRT, EPSV), RFC 4217 (AUTH TLS).
 *
 * A greeting "220" may be SMTP's as well: until a word that only FTP has, the flow has no name, and
 * lines pass as dissectors/upgrade.c would pass them. */
#include "core/limits.h"
#include "dissectors/commands.h"
#include "dissectors/secrets.h"
#include "dissectors/secrets_jwt.h"
#include "dissectors/upgrade.h"
#include "dissectors/upgrade_families.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define VERB_MAX 4
#define CODE_LEN 3

struct ftp_state {
    struct commands commands;
    struct upgrade_talk talk;
    uint64_t eaten[2];
    bool named;     /* it is FTP */
    bool foreign;   /* it is not: only watched for TLS */
    bool anonymous; /* the last USER */
    bool told;      /* a password was put as a secret */
    bool greeted;
    bool in_reply;  /* within a reply of several lines */
    bool lost[2];   /* behind a gap: the rest of a line comes first */
    char code[CODE_LEN];
};

/* A word that speaks for FTP by itself, or only behind one that does. */
struct verb {
    const char *word;
    bool proves;
};

static const struct verb verbs[] = {
    {"USER", true},  {"PASS", true},  {"ACCT", true},  {"CWD", true},   {"CDUP", true},
    {"SMNT", true},  {"REIN", true},  {"PORT", true},  {"PASV", true},  {"TYPE", true},
    {"STRU", true},  {"MODE", true},  {"RETR", true},  {"STOR", true},  {"STOU", true},
    {"APPE", true},  {"ALLO", true},  {"REST", true},  {"RNFR", true},  {"RNTO", true},
    {"ABOR", true},  {"DELE", true},  {"RMD", true},   {"MKD", true},   {"PWD", true},
    {"LIST", true},  {"NLST", true},  {"SITE", true},  {"SYST", true},  {"ADAT", true},
    {"PROT", true},  {"PBSZ", true},  {"CCC", true},   {"FEAT", true},  {"OPTS", true},
    {"LANG", true},  {"EPRT", true},  {"EPSV", true},  {"MDTM", true},  {"MLST", true},
    {"MLSD", true},  {"XCUP", true},  {"XMKD", true},  {"XPWD", true},  {"XRMD", true},
    {"XCWD", true},  {"MFMT", true},  {"CLNT", true},  {"HOST", true},  {"AUTH", false},
    {"QUIT", false}, {"STAT", false}, {"HELP", false}, {"NOOP", false}, {"SIZE", false},
};

/* Lines of clients that no other protocol has: what is seen first of a connection joined late. */
static enum dissector_match like_client(const uint8_t *bytes, size_t len)
{
    static const char *const starts[] = {"AUTH TLS", "AUTH SSL", "PASV\r\n", "EPSV\r\n", "EPSV ALL\r\n", "PWD\r\n",
                                         "SYST\r\n", "FEAT\r\n", "TYPE I\r\n", "TYPE A\r\n", "EPRT |1|", "EPRT |2|",
                                         "MLSD\r\n", "NLST\r\n", "PBSZ 0\r\n", "PROT P\r\n"};
    return commands_begin(starts, sizeof starts / sizeof starts[0], bytes, len);
}

static enum dissector_match ftp_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    enum upgrade_family family;
    if (side == SIDE_SERVER) {
        size_t shown = len < CODE_LEN ? len : CODE_LEN;
        if (memcmp(bytes, "220", shown) != 0)
            return MATCH_NO;
        enum dissector_match match = upgrade_family_of(bytes, len, side, &family);
        return match != MATCH_YES || family == UPGRADE_LINES ? match : MATCH_NO;
    }
    return like_client(bytes, len);
}

static void ftp_open(void *self, struct dissect_context *context)
{
    struct ftp_state *s = self;
    s->commands.protocol = COMMAND_FTP;
    s->greeted = (context->flow->facts & FLOW_FACT_MIDSTREAM) != 0;
}

/* ---- addresses -------------------------------------------------------------------------------- */

/* A decimal number of at most max; false when there is none. */
static bool read_number(struct cursor *c, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    size_t digits = 0;
    while (cur_left(c) > 0 && isdigit(c->at[0]) && digits < 6) {
        value = value * 10 + (uint32_t)(cur_u8(c) - '0');
        digits++;
    }
    *out = value;
    return digits > 0 && value <= max;
}

/* h1,h2,h3,h4,p1,p2 anywhere in the text (RFC 959 4.1.2; the text around is free). */
static bool read_six(struct cursor c, struct command_record *out)
{
    while (cur_left(&c) > 0 && !isdigit(c.at[0]))
        cur_skip(&c, 1);
    uint32_t n[6];
    for (int i = 0; i < 6; i++) {
        if ((i > 0 && cur_u8(&c) != ',') || !read_number(&c, 255, &n[i]))
            return false;
    }
    const uint8_t ip[4] = {(uint8_t)n[0], (uint8_t)n[1], (uint8_t)n[2], (uint8_t)n[3]};
    out->data_ip = address_v4(ip);
    out->data_port = (uint16_t)(n[4] << 8 | n[5]);
    return true;
}

/* (|||port|) and |1|address|port|: RFC 2428 2, 3. The address may be empty. */
static bool read_bars(struct cursor c, struct command_record *out)
{
    char text[ADDRESS_TEXT_SIZE];
    size_t len = 0;
    uint32_t family = 0, port = 0;
    while (cur_left(&c) > 0 && c.at[0] != '|')
        cur_skip(&c, 1);
    cur_skip(&c, 1);
    (void)read_number(&c, 2, &family);
    if (cur_u8(&c) != '|')
        return false;
    while (cur_left(&c) > 0 && c.at[0] != '|' && len + 1 < sizeof text)
        text[len++] = (char)cur_u8(&c);
    text[len] = '\0';
    if (cur_u8(&c) != '|' || !read_number(&c, 65535, &port) || port == 0)
        return false;
    if (len > 0)
        (void)address_from_text(text, &out->data_ip);
    out->data_port = (uint16_t)port;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static const struct verb *find_verb(const uint8_t *line, size_t len)
{
    size_t word = 0;
    while (word < len && isalpha(line[word]))
        word++;
    if (word < 3 || word > VERB_MAX || (word < len && !isspace(line[word])))
        return NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strlen(verbs[i].word) == word &&
            strncasecmp(verbs[i].word, (const char *)line, word) == 0)
            return &verbs[i];
    }
    return NULL;
}

static bool is_verb(const struct verb *verb, const char *word)
{
    return strcmp(verb->word, word) == 0;
}

/* The argument without the line's end. */
static struct cursor argument_of(const uint8_t *line, size_t len)
{
    size_t start = 0;
    while (start < len && isalpha(line[start]))
        start++;
    while (start < len && line[start] == ' ')
        start++;
    while (len > start && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    return cur_of(line + start, len - start);
}

static bool says(const struct cursor *c, const char *word)
{
    return cur_left(c) == strlen(word) && strncasecmp((const char *)c->at, word, cur_left(c)) == 0;
}

/* That a password crossed in clear; RFC 1635's anonymous one is nobody's. */
static void note_password(struct ftp_state *s, const struct cursor *argument,
                          struct dissect_context *context)
{
    if (s->anonymous || s->told || cur_left(argument) == 0 || context->sink == NULL)
        return;
    s->told = true;
    struct secret_record secret = {.flow_id = context->flow_id,
                                   .number = ++context->flow->secret_rows,
                                   .kind = SECRET_PASSWORD,
                                   .place = SECRET_IN_COMMAND,
                                   .side = SIDE_CLIENT,
                                   .length = (uint32_t)cur_left(argument),
                                   .issued_ns = RECORD_NONE_NS,
                                   .expires_ns = RECORD_NONE_NS,
                                   .time_ns = context->time_ns,
                                   .frame = context->frame};
    const struct http_text value = {(const char *)argument->at, cur_left(argument)};
    secret_hash(context->salt, value, secret.hash);
    sink_put(context->sink, RECORD_SECRET, &secret);
}

static void read_command(struct ftp_state *s, const uint8_t *line, size_t len,
                         struct dissect_context *context)
{
    const struct verb *verb = find_verb(line, len);
    if (s->foreign)
        return;
    struct cursor argument = argument_of(line, len);
    bool to_tls = verb != NULL && is_verb(verb, "AUTH") &&
                  (says(&argument, "TLS") || says(&argument, "SSL") || says(&argument, "TLS-C"));
    if (!s->named) {
        s->named = verb != NULL && (verb->proves || to_tls);
        s->foreign = verb == NULL || (is_verb(verb, "AUTH") && !to_tls);
        if (!s->named)
            return;
        context->flow->app = "ftp";
    }
    struct command_record *row =
        commands_ask(&s->commands, verb != NULL ? verb->word : "OTHER", context);
    if (verb == NULL)
        return;
    if (is_verb(verb, "USER"))
        s->anonymous = says(&argument, "anonymous") || says(&argument, "ftp");
    if (is_verb(verb, "PASS"))
        note_password(s, &argument, context);
    if (row != NULL && is_verb(verb, "PORT"))
        (void)read_six(argument, row);
    if (row != NULL && is_verb(verb, "EPRT"))
        (void)read_bars(argument, row);
}

static bool is_reply(const uint8_t *line, size_t len)
{
    return len > CODE_LEN && isdigit(line[0]) && isdigit(line[1]) && isdigit(line[2]) &&
           line[0] >= '1' && line[0] <= '6';
}

/* RFC 959 4.2: "xyz-" opens a reply of several lines, "xyz " with the same code ends it. */
static void read_reply(struct ftp_state *s, const uint8_t *line, size_t len,
                       struct dissect_context *context)
{
    bool reply = is_reply(line, len);
    if (s->in_reply && (!reply || memcmp(line, s->code, CODE_LEN) != 0 || line[CODE_LEN] == '-'))
        return;
    if (!reply)
        return;
    memcpy(s->code, line, CODE_LEN);
    s->in_reply = line[CODE_LEN] == '-';
    if (s->in_reply)
        return;
    if (!s->greeted) {
        s->greeted = true;
        if (line[0] == '2')
            return;
    }
    struct command_record *row = commands_oldest(&s->commands);
    if (row == NULL)
        return;
    commands_note_reply(&s->commands, context);
    if (line[0] == '1')
        return;
    struct cursor text = cur_of(line + CODE_LEN, len - CODE_LEN);
    if (memcmp(line, "227", CODE_LEN) == 0 && strcmp(row->command, "PASV") == 0)
        (void)read_six(text, row);
    if (memcmp(line, "229", CODE_LEN) == 0 && strcmp(row->command, "EPSV") == 0)
        (void)read_bars(text, row);
    commands_finish(&s->commands, line[0] >= '4' ? COMMAND_REFUSED : COMMAND_DONE,
                    (const char *)line, CODE_LEN, context);
}

/* ---- the contract ----------------------------------------------------------------------------- */

static enum feed_result ftp_feed(void *self, enum side side, struct cursor *bytes,
                                 struct dissect_context *context)
{
    struct ftp_state *s = self;
    size_t len = cur_left(bytes), whole = 0;
    if (s->lost[side]) {
        const uint8_t *lf = len > 0 ? memchr(bytes->at, '\n', len) : NULL;
        cur_skip(bytes, lf != NULL ? (size_t)(lf - bytes->at) + 1 : len);
        s->lost[side] = lf == NULL;
        return FEED_MORE;
    }
    enum dissector_match tls = upgrade_begins_tls(bytes->at, len, side);
    if (tls == MATCH_MORE)
        return FEED_MORE;
    if (tls == MATCH_YES) {
        bool talked = s->talk.messages[SIDE_CLIENT] > 0;
        context->upgrade = talked ? upgrade_name(UPGRADE_LINES, &s->talk) : NULL;
        return FEED_HAND_OVER;
    }
    enum upgrade_step step =
        upgrade_message(UPGRADE_LINES, &s->talk, bytes->at, len, side, &whole);
    if (step == UPGRADE_GIVE_UP || (!s->named && s->eaten[side] + len > LIMIT_UPGRADE_BYTES))
        return FEED_GIVE_UP;
    if (step == UPGRADE_WAIT)
        return FEED_MORE;
    if (side == SIDE_CLIENT)
        read_command(s, bytes->at, whole, context);
    else
        read_reply(s, bytes->at, whole, context);
    s->eaten[side] += whole;
    cur_skip(bytes, whole);
    return FEED_MORE;
}

/* The next whole line counts again. Which commands were answered meanwhile is not known: they are told
 * without their replies. */
static bool ftp_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct ftp_state *s = self;
    (void)len;
    s->lost[side] = s->named; /* else it was just chosen, by the line that follows */
    s->in_reply = false;
    if (side == SIDE_SERVER)
        commands_close(&s->commands, context);
    return s->named;
}

static void ftp_end(void *self, enum side side, enum end_why why, struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void ftp_close(void *self, struct dissect_context *context)
{
    struct ftp_state *s = self;
    commands_close(&s->commands, context);
}

const struct dissector dissector_ftp = {
    .name = "ftp",
    .state_size = sizeof(struct ftp_state),
    .watches = true,
    .looks_like = ftp_looks_like,
    .open = ftp_open,
    .feed = ftp_feed,
    .gap = ftp_gap,
    .end = ftp_end,
    .close = ftp_close,
};
