/* The beginnings of text bodies: searched for credentials and forgotten. */
#include "core/limits.h"
#include "dissectors/http_state.h"

#include <stdlib.h>
#include <string.h>

bool http_look_start(struct http_side *side)
{
    if (side->look == NULL)
        side->look = malloc(LIMIT_HTTP_BODY_LOOK);
    side->look_len = 0;
    side->looking = side->look != NULL;
    return side->looking;
}

size_t http_look_take(struct http_side *side, struct cursor *bytes, uint64_t left)
{
    size_t len = LIMIT_HTTP_BODY_LOOK - side->look_len;
    if (len > left)
        len = (size_t)left;
    if (len > cur_left(bytes))
        len = cur_left(bytes);
    if (len > 0)
        memcpy(side->look + side->look_len, cur_take(bytes, len), len);
    side->look_len += len;
    return len;
}

void http_look_end(struct http_state *s, enum side side, struct dissect_context *context)
{
    struct http_side *h = &s->side[side];
    struct transaction *t =
        side == SIDE_CLIENT ? http_queue_asking(s) : http_queue_answering(s);
    struct secrets secrets = {.strings = context->strings, .salt = context->salt};
    h->looking = false;
    if (h->look_len == 0)
        return;
    secrets_from_body(&secrets, (struct http_text){(const char *)h->look, h->look_len},
                      side == SIDE_CLIENT);
    h->look_len = 0;
    if (secrets.count > 0)
        http_secrets_put(&s->secrets, &secrets, side, t != NULL ? t->record.number : 0, context);
}
