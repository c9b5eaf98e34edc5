/* Private to http*.c: one HTTP/1 connection and its queue of transactions. */
#ifndef INVCAP_DISSECTORS_HTTP_STATE_H
#define INVCAP_DISSECTORS_HTTP_STATE_H

#include "dissectors/http_message.h"
#include "dissectors/http_records.h"

enum phase {
    PHASE_HEAD,      /* a start line comes next */
    PHASE_BODY_LOOK, /* the beginning of a body is being looked at */
    PHASE_BODY_LAST, /* all of a body but its last byte is being passed over */
    PHASE_CHUNK,     /* a chunk-size line comes next */
    PHASE_CHUNK_END, /* the line end behind chunk data */
    PHASE_TRAILER,
    PHASE_TO_CLOSE, /* the body ends with the connection */
    PHASE_LOST,     /* after a gap: wait for something that looks like a start */
    PHASE_TUNNEL,   /* behind CONNECT: the answer decides what the bytes are */
    PHASE_PASS      /* WebSocket: nothing more is looked at */
};

struct http_side {
    enum phase phase;
    size_t scanned;
    uint64_t body_left; /* of the body or chunk, while it is looked at */
    bool in_chunk;
    bool looking;  /* the body is text and its beginning not whole yet */
    uint8_t *look; /* LIMIT_HTTP_BODY_LOOK bytes, from the first such body on */
    size_t look_len;
    int64_t seen_ns; /* of the last bytes, or gap, of that side */
};

struct transaction {
    struct http_record record;
    bool is_head, is_connect;
    bool request_done, response_begun, response_done;
    bool request_cut; /* the end of its head was missed: the last byte before the answer ends it */
};

struct http_state {
    struct http_side side[2];
    struct transaction *queue; /* a ring */
    uint32_t first, count, capacity;
    uint64_t beyond; /* requests behind the queue, not kept */
    int64_t last_response_end_ns;
    struct transaction late; /* an answer whose request was not seen */
    struct http_secret_log secrets;
    bool late_open; /* it has begun */
    bool late_beyond; /* its request was one beyond the queue */
    bool late_kept; /* it is whole, and its request may be captured behind it */
    bool asked;     /* nothing of the client's is missing since a request */
    bool known;  /* that it is HTTP was seen: a whole head of one side at least */
    bool resync; /* answers were missed: the next one is for the last request */
    bool reset;  /* the connection was aborted */
    bool over;   /* another protocol follows */
};

struct transaction *http_queue_at(struct http_state *s, uint32_t index);
/* The next request's place; NULL beyond the queue. */
struct transaction *http_queue_push(struct http_state *s, struct dissect_context *context);
/* The transaction whose request is being sent; NULL none. */
struct transaction *http_queue_asking(struct http_state *s);
/* The one that is, or would be, answered; NULL none. */
struct transaction *http_queue_answering(struct http_state *s);
/* The transaction that a new answer belongs to. */
struct transaction *http_queue_answered(struct http_state *s, struct dissect_context *context);
/* Bytes of the client's were missed: the request of a late answer may have been among them. */
void http_queue_missed(struct http_state *s, struct dissect_context *context);
void http_queue_request_done(struct http_state *s, struct dissect_context *context);
void http_queue_response_done(struct http_state *s, struct dissect_context *context);
/* Puts what is left, at the end of the connection. */
void http_queue_close(struct http_state *s, struct dissect_context *context);
/* The facts of open requests and answers follow the queue. */
void http_queue_note_open(const struct http_state *s, struct dissect_context *context);

/* Prepares for a body of which the beginning is looked at; false when no memory is left for it. */
bool http_look_start(struct http_side *side);
/* Eats bytes of the body into the buffer: at most `left` of it. Returns how many. */
size_t http_look_take(struct http_side *side, struct cursor *bytes, uint64_t left);
/* Searches what was kept, if anything. */
void http_look_end(struct http_state *s, enum side side, struct dissect_context *context);

#endif
