/* A way that is dead for a while: connections that send again and again in vain, until their peer is
 * heard once more and they go on. */
#ifndef INVCAP_SESSIONS_SILENCE_H
#define INVCAP_SESSIONS_SILENCE_H

#include "core/packet.h"

#include <stdbool.h>
#include <stdint.h>

struct path;

/* Connections of one outage that are counted one by one. */
#define SILENCE_WAITING_MAX 64

struct waiting {
    int64_t flow_id;
    struct path *path;
    uint32_t tries;
};

/* One side that is silent: who sent again since it was heard last, and the silence that has just
 * ended. */
struct silence {
    struct waiting waiting[SILENCE_WAITING_MAX];
    uint32_t count;
    bool pending; /* it ended, yet too few of the waiting connections went on so far */
    int64_t from_ns, to_ns, frame, source_id;
    uint32_t connections, went_on;
    struct waiting ended[SILENCE_WAITING_MAX];
    uint32_t ended_count;
};

/* When each side was heard, and those who miss it. */
struct heard {
    int64_t last_ns[2];         /* its last packet; -1 never */
    struct silence *silence[2]; /* NULL until somebody sent to that side again */
};

/* An open connection of path sent again: it waits for the other side. */
void silence_wait(struct silence *s, int64_t flow_id, struct path *path);
/* The side is heard on a connection: with a reset, or with an acknowledgment of all that was sent
 * again. True when this proves an outage from s->from_ns to s->to_ns, of which s->ended are the
 * connections: so many of them went on. heard_ns: when the side was heard before, on any connection. */
bool silence_end(struct silence *s, int64_t heard_ns, int64_t flow_id, const struct packet *packet,
                 bool reset, bool acknowledged, uint32_t least);

#endif
