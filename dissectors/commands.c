#include "dissectors/commands.h"

#include "core/limits.h"

#include <ctype.h>
#include <string.h>

#define REPLY_MAX 8

enum dissector_match commands_begin(const char *const *starts, size_t count, const uint8_t *bytes,
                                    size_t len)
{
    bool more = false;
    for (size_t i = 0; i < count; i++) {
        size_t whole = strlen(starts[i]), shown = len < whole ? len : whole;
        if (memcmp(bytes, starts[i], shown) != 0)
            continue;
        if (shown == whole)
            return MATCH_YES;
        more = true;
    }
    return more ? MATCH_MORE : MATCH_NO;
}

struct command_record *commands_ask(struct commands *c, const char *word,
                                    const struct dissect_context *context)
{
    if (c->count == COMMANDS_WAITING || c->rows + c->count >= LIMIT_COMMANDS_PER_FLOW)
        c->lost = true;
    if (c->lost)
        return NULL;
    struct command_record *r = &c->waiting[(c->first + c->count++) % COMMANDS_WAITING];
    *r = (struct command_record){
        .protocol = c->protocol,
        .command = word,
        .time_ns = context->time_ns,
        .reply_ns = -1,
        .end_ns = -1,
        .wait_ns = -1,
        .frame = context->frame,
    };
    return r;
}

struct command_record *commands_oldest(struct commands *c)
{
    return c->count > 0 && !c->lost ? &c->waiting[c->first] : NULL;
}

void commands_note_reply(struct commands *c, const struct dissect_context *context)
{
    struct command_record *r = commands_oldest(c);
    if (r == NULL)
        return;
    r->reply_frame = context->frame;
    if (r->reply_ns >= 0)
        return;
    r->reply_ns = context->first_time_ns;
    r->wait_ns = dissect_wait(context, r->time_ns, r->reply_ns);
}

static void put(struct commands *c, const struct dissect_context *context)
{
    struct command_record *r = &c->waiting[c->first];
    c->first = (c->first + 1) % COMMANDS_WAITING;
    c->count--;
    r->flow_id = context->flow_id;
    r->number = ++context->flow->command_rows;
    c->rows++;
    if (context->sink != NULL)
        sink_put(context->sink, RECORD_COMMAND, r);
}

void commands_finish(struct commands *c, enum command_result result, const char *reply, size_t len,
                     const struct dissect_context *context)
{
    struct command_record *r = commands_oldest(c);
    if (r == NULL)
        return;
    bool plain = len > 0 && len <= REPLY_MAX;
    for (size_t i = 0; plain && i < len; i++)
        plain = isalnum((unsigned char)reply[i]) != 0;
    commands_note_reply(c, context);
    r->end_ns = context->time_ns;
    r->result = (uint8_t)result;
    r->reply = plain ? intern_bytes(context->strings, reply, len) : NULL;
    put(c, context);
}

void commands_close(struct commands *c, const struct dissect_context *context)
{
    while (c->count > 0 && !c->lost)
        put(c, context);
}
