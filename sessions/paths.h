/* The ways between pairs of addresses, over all their flows: what one connection alone does not tell.
 * A path is a client address and a server address. It is made when both were heard, or when a flow
 * that nobody answered ends; then it lives as long as the engine. Half of the room is for those that a
 * handshake or more has proved. */
#ifndef INVCAP_SESSIONS_PATHS_H
#define INVCAP_SESSIONS_PATHS_H

#include "core/hints.h"
#include "core/packet.h"
#include "core/record.h"
#include "dissectors/decode.h"
#include "sessions/flow.h"
#include "sessions/silence.h"

struct paths;

/* The round trips of a side, as buckets of core/sketch: the first ones one by one, more of them counted. */
#define PATH_RTT_FEW 14
struct path_rtt {
    uint32_t zeros;
    uint16_t few_count, few[PATH_RTT_FEW];
    uint32_t **chunks; /* all of them, once they are more; NULL before */
};

/* What a path is waiting for and how it looked last; the record is public. */
struct path {
    struct path_sample_record record;
    struct path_rtt rtt[2];   /* between the tap and that side */
    struct heard heard;
    struct trunk *trunk;      /* all paths of the client's network to that server; NULL: it is the only one */
    int64_t outage_to_ns;     /* end of the last outage */
    int64_t ttl_flow[2];      /* of the candidate: the first flow with it */
    int64_t ttl_ns[2], ttl_frame[2], ttl_source[2];
    uint8_t ttl_next[2];      /* a TTL that may become the usual one; 0 none */
    uint8_t ttl_count[2];     /* packets in a row with it */
    uint32_t stamp;           /* newest TCP timestamp of the client address; 0 with stamp_ns -1 */
    int64_t stamp_ns;
    uint16_t clock_rate[2];   /* ticks a second of each side's timestamps; 0 unknown */
    bool ttl_crossed[2];      /* a connection had the usual one before */
    bool ttl_shared[2];       /* a second connection has it */
};

/* seed: random secret of the hash. NULL when memory is out. */
struct paths *paths_new(uint64_t seed, int64_t capture_id, int64_t first_id);
void paths_free(struct paths *paths);
/* The path of a flow, NULL when there is none. */
struct path *paths_find(struct paths *paths, const struct flow *flow);
/* The same, made when there is room; answered: both sides were heard, and not by a SYN-ACK alone. NULL:
 * given up. */
struct path *paths_take(struct paths *paths, const struct flow *flow, bool answered);
/* A TCP packet of a flow that has a path. */
void path_note_packet(struct paths *paths, struct flow *flow, enum side side,
                      const struct packet *packet, const struct layers *layers,
                      enum event_kind event);
/* A clean round trip between the tap and a side. */
APART
void path_note_rtt(struct paths *paths, struct path *path, enum side side, int64_t rtt_ns);
/* A flow that has ended; tcp is NULL for other protocols. */
void paths_note_flow(struct paths *paths, struct flow *flow, const struct flow_record *record,
                     const struct flow_tcp_record *tcp);
/* A router named an MTU for packets from src to dst. */
void paths_note_mtu(struct paths *paths, const struct address *src, const struct address *dst,
                    uint32_t mtu);
/* Puts RECORD_PATH for each, in order of first sight. */
APART
void paths_finish(struct paths *paths, const struct sink *sink);
/* How many ticks a second the timestamps of all known hosts have; 0: none is known, or they differ. */
uint16_t paths_usual_rate(const struct paths *paths);
/* Bytes of all of them. */
uint64_t paths_memory(const struct paths *paths);
/* Pairs that found no room. */
uint64_t paths_given_up(const struct paths *paths);

#endif
