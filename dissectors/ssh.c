/* SSH 2 before its keys: version lines (RFC 4253 4.2), KEXINIT and what both ends have in common
 * (7.1), the key exchange (7.3). Behind NEWKEYS only sizes are seen: refused logins are guessed from
 * answers of equal length. */
#include "dissectors/commands.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE_LONGEST = 255, /* RFC 4253 4.2 */
    PACKET_LONGEST = 35000, /* RFC 4253 6.1 */
    MESSAGE_KEXINIT = 20,
    MESSAGE_NEWKEYS = 21,
    MESSAGE_KEX_FIRST = 30,
    COOKIE = 16,
    LISTS = 8, /* without languages */
    SOFTWARE_MAX = 96,
    LIST_MAX = 768, /* of OpenSSH the longest has 500 */
    TURNS_WATCHED = 60 /* no server permits so many attempts on one connection */
};

struct ssh_side {
    char software[SOFTWARE_MAX];
    char lists[LISTS][LIST_MAX]; /* cut ones are marked */
    bool cut[LISTS];
    bool named, offered, keyed;
};

struct ssh_state {
    struct commands commands;
    struct ssh_side side[2];
    bool asked_banner, asked_keys, disagreed;
    /* Behind NEWKEYS: the turns of talk. */
    uint32_t turns, refusals;
    uint64_t turn_bytes, refusal_bytes;
    uint8_t turn_side;
    bool accepted;
    int64_t first_ns, first_frame;
};

static enum dissector_match ssh_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    static const char *const starts[] = {"SSH-2.0-", "SSH-1.99-", "SSH-1.5-"};
    (void)side;
    return commands_begin(starts, sizeof starts / sizeof starts[0], bytes, len);
}

static void ssh_open(void *self, struct dissect_context *context)
{
    struct ssh_state *s = self;
    s->commands.protocol = COMMAND_SSH;
    s->turn_side = SIDE_NONE;
    (void)context;
}

static const char *words(struct dissect_context *context, const char *text)
{
    return intern_text(context->strings, text);
}

static void note_banners(struct ssh_state *s, struct dissect_context *context)
{
    char text[2 * SOFTWARE_MAX + 32];
    if (s->side[SIDE_CLIENT].named && !s->asked_banner) {
        s->asked_banner = true;
        (void)commands_ask(&s->commands, "VERSION", context);
    }
    struct command_record *row = commands_oldest(&s->commands);
    if (row == NULL || !s->side[SIDE_SERVER].named || !s->asked_banner)
        return;
    (void)snprintf(text, sizeof text, "client: %s; server: %s", s->side[SIDE_CLIENT].software,
                   s->side[SIDE_SERVER].software);
    row->detail = words(context, text);
    commands_finish(&s->commands, COMMAND_DONE, "ok", 2, context);
}

static enum feed_result feed_line(struct ssh_state *s, enum side side, struct cursor *bytes,
                                  struct dissect_context *context)
{
    const uint8_t *end = memchr(bytes->at, '\n', cur_left(bytes));
    if (end == NULL)
        return cur_left(bytes) > LINE_LONGEST ? FEED_GIVE_UP : FEED_MORE;
    size_t line = (size_t)(end - bytes->at) + 1, len = line - 1;
    struct ssh_side *own = &s->side[side];
    if (line > 4 && memcmp(bytes->at, "SSH-", 4) == 0) { /* a server may say other lines before */
        len -= bytes->at[len - 1] == '\r';
        (void)snprintf(own->software, sizeof own->software, "%.*s", (int)len,
                       (const char *)bytes->at);
        own->named = true;
        note_banners(s, context);
    } else if (side == SIDE_CLIENT) {
        return FEED_GIVE_UP;
    }
    cur_skip(bytes, line);
    return FEED_MORE;
}

/* ---- algorithms ------------------------------------------------------------------------------- */

static bool is_marker(const char *name, size_t len)
{
    return (len >= 9 && memcmp(name, "ext-info-", 9) == 0) ||
           (len >= 11 && memcmp(name, "kex-strict-", 11) == 0);
}

static bool list_has(const char *list, const char *name, size_t len)
{
    while (*list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == len && memcmp(list, name, len) == 0)
            return true;
        list += word + (list[word] == ',');
    }
    return false;
}

/* RFC 4253 7.1: the first of the client's that the server has too. Length 0: none. */
static size_t agree(const struct ssh_state *s, int which, const char **out)
{
    const char *list = s->side[SIDE_CLIENT].lists[which];
    while (*list != '\0') {
        size_t word = strcspn(list, ",");
        if (!is_marker(list, word) && list_has(s->side[SIDE_SERVER].lists[which], list, word)) {
            *out = list;
            return word;
        }
        list += word + (list[word] == ',');
    }
    *out = "";
    return 0;
}

/* Ciphers that authenticate by themselves need no MAC in common. */
static bool is_aead(const char *cipher, size_t len)
{
    return len > 9 && (strncmp(cipher, "chacha20-", 9) == 0 || memmem(cipher, len, "gcm", 3) != NULL);
}

static int find_disagreement(const struct ssh_state *s)
{
    for (int i = 0; i < LISTS; i++) {
        const char *name;
        bool blind = s->side[0].cut[i] || s->side[1].cut[i];
        if (agree(s, i, &name) > 0 || blind)
            continue;
        if (i == 4 || i == 5) { /* MACs, beside the ciphers of the same direction */
            const char *cipher;
            size_t len = agree(s, i - 2, &cipher);
            if (len == 0 || is_aead(cipher, len))
                continue;
        }
        return i;
    }
    return -1;
}

static void note_offers(struct ssh_state *s, struct dissect_context *context)
{
    static const char *const kinds[LISTS] = {"key exchange", "host key", "cipher", "cipher",
                                             "MAC", "MAC", "compression", "compression"};
    char text[2 * LIST_MAX + 64];
    if (!s->side[SIDE_CLIENT].offered || !s->side[SIDE_SERVER].offered)
        return;
    struct command_record *row = commands_ask(&s->commands, "KEXINIT", context);
    int at = find_disagreement(s);
    s->disagreed = at >= 0;
    if (s->disagreed) {
        (void)snprintf(text, sizeof text, "%s: client %s; server %s", kinds[at],
                       s->side[SIDE_CLIENT].lists[at], s->side[SIDE_SERVER].lists[at]);
    } else {
        const char *kex, *key, *cipher;
        int kex_len = (int)agree(s, 0, &kex), key_len = (int)agree(s, 1, &key);
        int cipher_len = (int)agree(s, 2, &cipher);
        (void)snprintf(text, sizeof text, "%.*s, %.*s, %.*s", kex_len, kex, key_len, key,
                       cipher_len, cipher);
    }
    if (row != NULL)
        row->detail = words(context, text);
    commands_finish(&s->commands, s->disagreed ? COMMAND_REFUSED : COMMAND_DONE, "20", 2, context);
}

static void read_offer(struct ssh_side *own, struct cursor payload)
{
    cur_skip(&payload, COOKIE);
    for (int i = 0; i < LISTS; i++) {
        uint32_t len = cur_u32(&payload);
        struct cursor list = cur_cut(&payload, len);
        own->cut[i] = cur_left(&list) >= LIST_MAX;
        (void)snprintf(own->lists[i], LIST_MAX, "%.*s", (int)cur_left(&list),
                       cur_left(&list) > 0 ? (const char *)list.at : "");
    }
    own->offered = cur_ok(&payload);
}

/* ---- packets in clear ------------------------------------------------------------------------- */

static void read_packet(struct ssh_state *s, enum side side, uint8_t type, struct cursor payload,
                        struct dissect_context *context)
{
    struct ssh_side *own = &s->side[side];
    if (type == MESSAGE_KEXINIT && !own->offered) {
        read_offer(own, payload);
        note_offers(s, context);
    } else if (type == MESSAGE_NEWKEYS) {
        own->keyed = true;
        if (side == SIDE_SERVER && s->asked_keys)
            commands_finish(&s->commands, COMMAND_DONE, "21", 2, context);
    } else if (type >= MESSAGE_KEX_FIRST && type < 50 && side == SIDE_CLIENT && !s->asked_keys) {
        s->asked_keys = true;
        (void)commands_ask(&s->commands, "KEY_EXCHANGE", context);
    } else if (type >= MESSAGE_KEX_FIRST && type < 50 && side == SIDE_SERVER) {
        commands_note_reply(&s->commands, context);
    }
}

static enum feed_result feed_packet(struct ssh_state *s, enum side side, struct cursor *bytes,
                                    struct dissect_context *context)
{
    struct cursor c = *bytes;
    uint32_t size = cur_u32(&c);
    uint8_t padding = cur_u8(&c), type = cur_u8(&c);
    if (!cur_ok(&c)) {
        context->need = 6;
        return FEED_MORE;
    }
    if (size > PACKET_LONGEST || size < padding + 2u)
        return FEED_GIVE_UP;
    if (cur_left(bytes) < size + 4u) {
        context->need = size + 4u;
        return FEED_MORE;
    }
    read_packet(s, side, type, cur_cut(&c, size - padding - 2u), context);
    cur_skip(bytes, size + 4u);
    return FEED_MORE;
}

/* ---- behind the keys -------------------------------------------------------------------------- */

/* A turn has ended. The server's second answer refuses "none" (RFC 4252 5.2) and lists the methods;
 * each refusal that follows has the same length, a success is shorter. */
static void end_turn(struct ssh_state *s)
{
    if (s->turn_side != SIDE_SERVER || s->accepted)
        return;
    uint32_t number = ++s->turns;
    if (number == 2)
        s->refusal_bytes = s->turn_bytes;
    else if (number > 2 && s->turn_bytes == s->refusal_bytes)
        s->refusals++;
    else if (number > 2 && s->turn_bytes < s->refusal_bytes)
        s->accepted = true;
}

static enum feed_result feed_hidden(struct ssh_state *s, enum side side, struct cursor *bytes,
                                    struct dissect_context *context)
{
    if (s->turn_side != side) {
        end_turn(s);
        s->turn_side = (uint8_t)side;
        s->turn_bytes = 0;
    }
    if (s->first_ns == 0) {
        s->first_ns = context->time_ns;
        s->first_frame = context->frame;
    }
    s->turn_bytes += cur_left(bytes);
    cur_skip(bytes, cur_left(bytes));
    return s->accepted || s->turns > TURNS_WATCHED ? FEED_FINISHED : FEED_MORE;
}

static enum feed_result ssh_feed(void *self, enum side side, struct cursor *bytes,
                                 struct dissect_context *context)
{
    struct ssh_state *s = self;
    if (cur_left(bytes) == 0)
        return FEED_MORE;
    if (!s->side[side].named)
        return feed_line(s, side, bytes, context);
    if (!s->side[side].keyed)
        return feed_packet(s, side, bytes, context);
    return feed_hidden(s, side, bytes, context);
}

static bool ssh_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    struct ssh_state *s = self;
    s->commands.lost = true;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void ssh_end(void *self, enum side side, enum end_why why, struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void ssh_close(void *self, struct dissect_context *context)
{
    struct ssh_state *s = self;
    char text[64];
    end_turn(s);
    commands_close(&s->commands, context);
    if (s->commands.lost || s->accepted || s->refusals == 0 || s->turns > TURNS_WATCHED)
        return;
    struct command_record *row = commands_ask(&s->commands, "AUTH", context);
    if (row == NULL)
        return;
    row->time_ns = s->first_ns;
    row->frame = s->first_frame;
    (void)snprintf(text, sizeof text, "refusals guessed from sizes: %u", s->refusals);
    row->detail = words(context, text);
    row->result = COMMAND_REFUSED;
    (void)snprintf(text, sizeof text, "%u", s->refusals);
    row->reply = words(context, text);
    commands_close(&s->commands, context);
}

const struct dissector dissector_ssh = {
    .name = "ssh",
    .state_size = sizeof(struct ssh_state),
    .looks_like = ssh_looks_like,
    .open = ssh_open,
    .feed = ssh_feed,
    .gap = ssh_gap,
    .end = ssh_end,
    .close = ssh_close,
};
