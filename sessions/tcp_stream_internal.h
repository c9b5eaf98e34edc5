/* Shared by the two halves of a TCP stream: bytes in order (tcp_stream.c), and their way to the dissector
 * (tcp_stream_feed.c). */
#ifndef INVCAP_SESSIONS_TCP_STREAM_INTERNAL_H
#define INVCAP_SESSIONS_TCP_STREAM_INTERNAL_H

#include "sessions/tcp_pieces.h"
#include "sessions/tcp_stream.h"

/* Holes inside a skip that are remembered at once. */
#define UNSEEN_MAX 8

struct span {
    int64_t from, to;
};

struct direction {
    int64_t next;   /* offset that the dissector gets next */
    uint64_t skip;  /* bytes to pass over from there */
    uint8_t *carry; /* not eaten yet */
    size_t carry_len, carry_capacity;
    size_t need; /* bytes that the dissector waits for */
    int64_t carry_ns, carry_frame;
    struct pieces pieces; /* out of order, waiting */
    bool started, finished;
    bool gapped;  /* bytes were lost before a dissector was chosen */
    bool refused; /* its first bytes are of no protocol that we know */
    bool fin, fin_told;
    int64_t fin_offset;
    int64_t wire_ns;  /* of the packet that brought the bytes at hand */
    int64_t whole_ns; /* when all up to them had come: the receiver's program can read them */
    struct span unseen[UNSEEN_MAX]; /* passed over inside a skip, and not come yet */
    int unseen_count;
};

struct tcp_stream {
    struct direction dir[2];
    const struct dissector *dissector;
    void *state;
    bool unknown; /* no dissector matched */
    bool limited; /* met a limit */
    int tries;    /* segments that no dissector wanted */
    struct tcp_stream_limits limits;
};

/* Someone wants more of one side at least. */
static inline bool stream_is_wanted(const struct tcp_stream *stream)
{
    return !stream->unknown && !(stream->dir[0].finished && stream->dir[1].finished);
}

/* Hands contiguous bytes on: straight from the packet, or behind what was carried. */
void stream_deliver(struct tcp_stream *stream, enum side side, const uint8_t *bytes, size_t len,
                    struct dissect_context *context);
/* A gap of len bytes: inside a skip it does no harm. */
void stream_pass_gap(struct tcp_stream *stream, enum side side, uint64_t len, struct dissect_context *context);
/* Bytes were dropped at a limit. */
RARE
void stream_note_limit(struct tcp_stream *stream, uint64_t bytes, struct dissect_context *context);
/* Nothing more of this direction is wanted. */
RARE
void stream_finish(struct tcp_stream *stream, struct direction *d);
void stream_drop_carry(struct tcp_stream *stream, struct direction *d);
void stream_close_dissector(struct tcp_stream *stream, struct dissect_context *context);

#endif
