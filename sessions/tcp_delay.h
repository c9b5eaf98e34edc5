/* Where the time of a connection goes, at the tap: every pause between two packets goes to exactly
 * one term of enum delay_term, so that the terms add up to the connection's length. Whose turn it
 * was is known when the next data comes: until then the pauses are pending. Also the side facts of
 * struct flow_delay_record. */
#ifndef INVCAP_SESSIONS_TCP_DELAY_H
#define INVCAP_SESSIONS_TCP_DELAY_H

#include "core/hints.h"
#include "sessions/tcp.h"
#include "sessions/tcp_rtt.h"
#include "sessions/tcp_window.h"

struct tcp_delay {
    struct flow_delay_record record;
    struct tcp_rtt rtt[2];           /* of what that side sent */
    struct tcp_window_use window[2]; /* of what that side sent */
    int64_t first_ns, last_ns;       /* first packet, latest packet */
    int64_t pending_ns;              /* since the last data, not yet in a term */
    int64_t closed_ns[2];            /* of it, while that side's window was closed */
    int64_t ack_ns;                  /* of it, up to the first bare acknowledgment; -1 none */
    int64_t held_ns; /* the server's turn up to what may be session tickets; -1 none */
    int64_t interval_ns, interval_bytes, interval_retransmissions;
    int64_t interval_rtt_ns[2];
    uint32_t interval_count[2];
    int64_t turns;          /* put so far */
    int64_t asked;          /* bytes of the client's turn */
    int64_t turn_ns, turn_last_ns; /* its first and its latest segment */
    uint32_t turn_first, turn_segments, turn_pauses; /* bytes of the first, others, between them */
    struct turn_record turn;   /* the client's turn and the answer so far; start_ns 0 none, wait_ns -1 */
    int64_t held_at_ns, held_frame, held_len; /* the segment of held_ns */
    struct turn_record ended;  /* the turn before, until somebody takes it; start_ns 0 none */
    uint32_t last_len;      /* payload of the last data segment */
    uint8_t idle_bytes;     /* so many bytes of a ChangeCipherSpec that comes alone */
    uint8_t last_side;      /* who sent data last; SIDE_NONE nobody yet */
    uint32_t tickets;       /* so many bytes of the server may still be session tickets */
    bool window_closed[2];  /* that side's, behind the last packet */
    bool connected, closing;
    bool tls_open;          /* a TLS handshake is under way */
    bool tls_answered;      /* the server said something within it */
    bool tls_ended;         /* the client's last data finished it: its request is the next step */
    bool counted_server, counted_client; /* handshake round trips taken */
    bool has_samples;       /* an interval was given out */
    bool interval_late;     /* behind the first minute: longer intervals */
};

/* What tcp_segment said, and what the dissectors know of the flow behind this packet. */
struct tcp_delay_input {
    const struct tcp_verdict *verdict;
    const struct packet *packet;
    const struct layers *layers;
    enum side side;
    bool tls_open; /* a ClientHello was seen, the handshake is not finished */
    bool tls_13;
};

APART
void tcp_delay_init(struct tcp_delay *delay, const struct tcp_flow *tcp, const struct flow *flow);
/* After tcp_segment. */
void tcp_delay_note(struct tcp_delay *delay, const struct tcp_flow *tcp,
                    const struct tcp_delay_input *in);
/* True when a turn ended: *out is its row, but flow_id and number. */
bool tcp_delay_turn(struct tcp_delay *delay, struct turn_record *out);
/* True when an interval with something to tell ended before now_ns: *out is its row, but flow_id. */
bool tcp_delay_interval(struct tcp_delay *delay, int64_t now_ns, struct rtt_sample_record *out);
/* The last interval; false when it was the only one, or tells nothing. */
bool tcp_delay_last_interval(struct tcp_delay *delay, struct rtt_sample_record *out);
/* Gives what is pending to a term and fills the record, but flow_id. */
void tcp_delay_close(struct tcp_delay *delay, const struct tcp_flow *tcp,
                     struct flow_delay_record *out);
/* Client and server change places (tcp_flip). */
RARE
void tcp_delay_flip(struct tcp_delay *delay);

#endif
