/* Private to h2*.c: one connection, its two directions and its open streams. */
#ifndef INVCAP_DISSECTORS_H2_STATE_H
#define INVCAP_DISSECTORS_H2_STATE_H

#include "dissectors/hpack.h"
#include "dissectors/http_message.h"
#include "dissectors/http_records.h"

#define H2_FRAME_HEADER 9u

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION
};

#define H2_FLAG_END_STREAM 0x01 /* and ACK, of SETTINGS and PING */
#define H2_FLAG_END_HEADERS 0x04
#define H2_FLAG_PADDED 0x08
#define H2_FLAG_PRIORITY 0x20
#define H2_ERROR_CANCEL 8

struct h2_frame {
    uint32_t len, stream;
    uint8_t type, flags;
};

enum h2_phase {
    H2_PHASE_PREFACE,   /* the client's 24 bytes come first */
    H2_PHASE_FRAME,     /* a frame header comes next */
    H2_PHASE_DATA_LAST, /* all of a DATA frame but its last byte is being passed over */
    H2_PHASE_LOST       /* wait for what looks like frames at the start of a segment */
};

struct h2_side {
    enum h2_phase phase;
    struct h2_frame data;  /* the DATA frame that is being passed over */
    struct hpack *hpack;   /* of what this side sends; NULL: none yet */
    uint8_t *block;        /* a header block in several frames */
    size_t block_len, block_capacity;
    struct h2_frame opener; /* the frame that began the block; stream 0: none */
    uint32_t promised;
    int64_t block_ns, block_frame;
    int64_t window;         /* what this side may still send on the connection */
    int64_t stream_window;  /* and on a new stream */
    int64_t stalled_ns;     /* since when it may not; -1 */
};

struct h2_stream {
    uint32_t id;
    struct http_record record;
    bool request_begun, request_done, response_begun, response_done;
    bool left;    /* its client gave it up: what the server had sent by then may still come */
    int64_t left_ns; /* when */
    int64_t deadline_ns; /* how long the client said it would wait; -1 */
    bool refused; /* behind the last one that a GOAWAY promises: another connection takes it */
    int64_t window[2];
    int64_t stalled_ns[2];
};

struct h2_state {
    struct h2_side side[2];
    struct h2_record record;
    struct h2_stream *streams; /* open ones, in no order that is told */
    size_t stream_count, stream_capacity;
    size_t left_count; /* of them the client gave up */
    uint32_t highest; /* stream that the client opened last */
    int64_t last_response_end_ns;
    struct http_secret_log secrets;
    bool heard[2]; /* a byte of that side */
    bool known; /* a frame or the preface was seen */
    bool reset; /* the connection was aborted */
};

/* NULL when it is not open. */
struct h2_stream *h2_stream_find(struct h2_state *s, uint32_t id);
/* A whole header block of side; first_ns and first_frame of where it began. */
void h2_headers(struct h2_state *s, enum side side, const uint8_t *block, size_t len,
                struct dissect_context *context);
/* The last byte of a frame that ends side's half of the stream came. */
void h2_stream_half_done(struct h2_state *s, enum side side, uint32_t id,
                         struct dissect_context *context);
void h2_stream_reset(struct h2_state *s, enum side side, uint32_t id, int64_t error,
                     struct dissect_context *context);
/* The streams above `last` that the client opened are not served here. */
void h2_streams_refuse(struct h2_state *s, uint32_t last, struct dissect_context *context);
/* Puts what is open, at the end of the connection. */
void h2_streams_close(struct h2_state *s, struct dissect_context *context);

/* Flow control: bytes that side sent, and credit that it gave. */
void h2_window_use(struct h2_state *s, enum side side, const struct h2_frame *frame, int64_t now);
void h2_window_grant(struct h2_state *s, enum side giver, uint32_t stream, uint32_t bytes,
                     int64_t now);
void h2_window_initial(struct h2_state *s, enum side giver, uint32_t bytes);

/* The frames that are handled whole; the payload without the header. */
void h2_frame_whole(struct h2_state *s, enum side side, const struct h2_frame *frame,
                    struct cursor payload, struct dissect_context *context);
/* After bytes of side that were missed: its header table is unknown. */
void h2_headers_lose(struct h2_state *s, enum side side);

#endif
