/* Segments of one TCP direction that wait for what is missing below them, by offset. */
#ifndef INVCAP_SESSIONS_TCP_PIECES_H
#define INVCAP_SESSIONS_TCP_PIECES_H

#include <stdint.h>

struct piece {
    struct piece *next;
    int64_t offset;
    uint32_t len, present; /* by the headers, and captured */
    int64_t time_ns, frame;
    uint8_t bytes[];
};

struct pieces {
    struct piece *first, *last;
    uint32_t count;
    uint64_t bytes;
};

/* Copies what no kept piece covers of the piece that *like describes (next is not looked at): the
 * first copy of a byte counts. *account grows by what is kept; without memory it is lost. */
void pieces_keep(struct pieces *pieces, const struct piece *like, const uint8_t *bytes,
                 uint64_t *account);
/* Takes the first one out; the caller frees it. NULL when there is none. */
struct piece *pieces_take(struct pieces *pieces, uint64_t *account);
void pieces_drop(struct pieces *pieces, uint64_t *account);

#endif
