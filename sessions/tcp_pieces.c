#include "sessions/tcp_pieces.h"

#include <stdlib.h>
#include <string.h>

void pieces_keep(struct pieces *pieces, const struct piece *like, const uint8_t *bytes,
                 uint64_t *account)
{
    struct piece **at = &pieces->first;
    if (pieces->last != NULL && pieces->last->offset < like->offset)
        at = &pieces->last->next; /* the usual case: behind a hole all comes in order */
    while (*at != NULL && (*at)->offset < like->offset)
        at = &(*at)->next;
    if (*at != NULL && (*at)->offset == like->offset && (*at)->len >= like->len)
        return; /* the first copy stays */
    struct piece *piece = malloc(sizeof *piece + like->present);
    if (piece == NULL)
        return;
    *piece = *like;
    piece->next = *at;
    if (like->present > 0)
        memcpy(piece->bytes, bytes, like->present);
    *at = piece;
    if (piece->next == NULL)
        pieces->last = piece;
    pieces->count++;
    pieces->bytes += like->present;
    *account += like->present;
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
