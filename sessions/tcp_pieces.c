#include "sessions/tcp_pieces.h"

#include <stdlib.h>
#include <string.h>

static int64_t end_of(const struct piece *piece)
{
    return piece->offset + piece->len;
}

/* Puts bytes [from, to) of a piece that begins at like->offset in front of *at. */
static struct piece **put(struct pieces *pieces, struct piece **at, const struct piece *like,
                          const uint8_t *bytes, int64_t from, int64_t to)
{
    uint32_t skip = (uint32_t)(from - like->offset), len = (uint32_t)(to - from);
    uint32_t present = like->present > skip ? like->present - skip : 0;
    present = present < len ? present : len;
    struct piece *piece = malloc(sizeof *piece + present);
    if (piece == NULL)
        return at;
    *piece = (struct piece){*at, from, len, present, like->time_ns, like->frame};
    if (present > 0)
        memcpy(piece->bytes, bytes + skip, present);
    *at = piece;
    if (piece->next == NULL)
        pieces->last = piece;
    pieces->count++;
    pieces->bytes += present;
    return &piece->next;
}

void pieces_keep(struct pieces *pieces, const struct piece *like, const uint8_t *bytes,
                 uint64_t *account)
{
    uint64_t before = pieces->bytes;
    int64_t from = like->offset, end = end_of(like);
    struct piece **at = &pieces->first;
    if (pieces->last != NULL && end_of(pieces->last) <= from)
        at = &pieces->last->next; /* the usual case: behind a hole all comes in order */
    for (; *at != NULL && (*at)->offset < end && from < end; at = &(*at)->next) {
        if ((*at)->offset > from)
            at = put(pieces, at, like, bytes, from, (*at)->offset);
        if (end_of(*at) > from)
            from = end_of(*at);
    }
    if (from < end)
        (void)put(pieces, at, like, bytes, from, end);
    *account += pieces->bytes - before;
}

struct piece *pieces_take(struct pieces *pieces, uint64_t *account)
{
    struct piece *piece = pieces->first;
    if (piece == NULL)
        return NULL;
    pieces->first = piece->next;
    if (pieces->first == NULL)
        pieces->last = NULL;
    pieces->count--;
    pieces->bytes -= piece->present;
    *account -= piece->present;
    return piece;
}

void pieces_drop(struct pieces *pieces, uint64_t *account)
{
    struct piece *piece;
    while ((piece = pieces_take(pieces, account)) != NULL)
        free(piece);
}
