/* Ordered bytes of a TCP flow for the dissector that wants them, and the choice of that dissector
 * by the first bytes. Bytes are borrowed from the packet wherever they come in order; only what
 * arrives out of order or is not a whole message yet is copied, within limits. */
#ifndef INVCAP_SESSIONS_TCP_STREAM_H
#define INVCAP_SESSIONS_TCP_STREAM_H

#include "core/hints.h"
#include "dissectors/dissector.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_stream;

struct tcp_stream_limits {
    uint64_t *memory;    /* bytes of reassembly held by all streams of the engine */
    uint64_t *states;    /* bytes of the streams themselves and their dissectors' states */
    int64_t *given_up;   /* streams that met a limit */
    int64_t *bytes_lost; /* bytes dropped at limits */
};

/* What is known of the bytes handed in. */
struct tcp_stream_bytes {
    enum side side;
    int64_t offset;
    int64_t expected; /* offset of the oldest byte that may still come, <= offset */
    const uint8_t *bytes;
    uint32_t present, len; /* captured, and by the headers */
    int64_t time_ns, frame;
};

/* NULL when memory is out. */
APART
struct tcp_stream *tcp_stream_new(const struct tcp_stream_limits *limits);
/* The next bytes of what the dissector passes over, as most of a bulk transfer is: true when that was all there
 * was to do, without a context. Otherwise they are to be pushed. */
bool tcp_stream_pass(struct tcp_stream *stream, const struct tcp_stream_bytes *in);
/* Returns false when nobody wants more of this flow: the caller closes and frees it. */
PER_PACKET
bool tcp_stream_push(struct tcp_stream *stream, const struct tcp_stream_bytes *in,
                     struct dissect_context *context);
/* The bytes of side below offset are lost for good. */
bool tcp_stream_skip_gap(struct tcp_stream *stream, enum side side, int64_t offset,
                         struct dissect_context *context);
/* side sent its FIN at offset; below `expected` nothing is missing, bytes from there on may come yet. */
APART
void tcp_stream_fin(struct tcp_stream *stream, enum side side, int64_t offset, int64_t expected,
                    struct dissect_context *context);
/* Ends the dissector, which fills its last facts, and frees everything. */
void tcp_stream_close(struct tcp_stream *stream, enum end_why why, struct dissect_context *context);
/* The dissector in charge, NULL while undecided or when none matched; its state for accessors. */
const struct dissector *tcp_stream_dissector(const struct tcp_stream *stream);
const void *tcp_stream_state(const struct tcp_stream *stream);
/* First bytes did not match any dissector (ask nDPI), or matched with client and server exchanged.
 */
bool tcp_stream_is_unknown(const struct tcp_stream *stream);
/* A dissector waits for another protocol to begin (dissector.watches), or one side said what nobody knows
 * and the other has not spoken yet: nDPI is asked meanwhile. */
bool tcp_stream_is_watched(const struct tcp_stream *stream);
/* Swaps the directions together with the flow's. Only before a dissector is chosen. */
void tcp_stream_flip(struct tcp_stream *stream);

#endif
