#include "dissectors/upgrade.h"

#include "core/limits.h"
#include "dissectors/tls.h"
#include "dissectors/upgrade_families.h"

#include <string.h>

struct upgrade_state {
    enum upgrade_family family;
    uint64_t eaten[2];
    struct upgrade_talk talk;
};

static enum dissector_match upgrade_looks_like(const uint8_t *bytes, size_t len, enum side side)
{
    enum upgrade_family family;
    return upgrade_family_of(bytes, len, side, &family);
}

static void upgrade_open(void *self, struct dissect_context *context)
{
    struct upgrade_state *s = self;
    s->family = UPGRADE_UNDECIDED;
    (void)context;
}

enum dissector_match upgrade_begins_tls(const uint8_t *bytes, size_t len, enum side side)
{
    if (len == 0 || (bytes[0] != 0x16 && (bytes[0] & 0x80) == 0))
        return MATCH_NO;
    if (dissector_tls.looks_like(bytes, len, side) == MATCH_NO)
        return MATCH_NO;
    if (len < TLS_HELLO_START)
        return MATCH_MORE;
    if ((bytes[0] & 0x80) != 0) /* the size of an SSL 2.0 hello agrees with all its lengths */
        return side == SIDE_CLIENT ? MATCH_YES : MATCH_NO;
    return tls_is_client_hello(bytes, len) ||
                   (side == SIDE_SERVER && tls_is_server_hello(bytes, len))
               ? MATCH_YES
               : MATCH_NO;
}

static enum feed_result upgrade_feed(void *self, enum side side, struct cursor *bytes,
                                     struct dissect_context *context)
{
    struct upgrade_state *s = self;
    size_t len = cur_left(bytes);
    if (len == 0)
        return FEED_MORE;
    if (s->family == UPGRADE_UNDECIDED &&
        upgrade_family_of(bytes->at, len, side, &s->family) != MATCH_YES)
        return FEED_GIVE_UP;
    if (s->talk.done)
        return FEED_HAND_OVER;
    enum dissector_match match = upgrade_begins_tls(bytes->at, len, side);
    if (match == MATCH_MORE)
        return FEED_MORE;
    if (match == MATCH_YES) {
        bool talked = s->talk.messages[SIDE_CLIENT] > 0; /* else it never asked */
        context->upgrade = talked ? upgrade_name(s->family, &s->talk) : NULL;
        return FEED_HAND_OVER;
    }
    size_t whole = 0;
    enum upgrade_step step = upgrade_message(s->family, &s->talk, bytes->at, len, side, &whole);
    if (step == UPGRADE_GIVE_UP || s->eaten[side] + len > LIMIT_UPGRADE_BYTES)
        return FEED_GIVE_UP;
    if (step == UPGRADE_WAIT)
        return FEED_MORE;
    s->eaten[side] += whole;
    cur_skip(bytes, whole);
    if (s->talk.done)
        context->upgrade = upgrade_name(s->family, &s->talk);
    return s->talk.done && s->family == UPGRADE_PROXY ? FEED_HAND_OVER : FEED_MORE;
}

/* Its framing is lost; a client that was asked for nothing yet will hardly upgrade behind a gap. */
static bool upgrade_gap(void *self, enum side side, uint64_t len, struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)len;
    (void)context;
    return false;
}

static void upgrade_end(void *self, enum side side, enum end_why why,
                        struct dissect_context *context)
{
    (void)self;
    (void)side;
    (void)why;
    (void)context;
}

static void upgrade_close(void *self, struct dissect_context *context)
{
    (void)self;
    (void)context;
}

const struct dissector dissector_upgrade = {
    .name = "upgrade",
    .state_size = sizeof(struct upgrade_state),
    .watches = true,
    .looks_like = upgrade_looks_like,
    .open = upgrade_open,
    .feed = upgrade_feed,
    .gap = upgrade_gap,
    .end = upgrade_end,
    .close = upgrade_close,
};
