/* Where the time of a connection went, and its round trips: one row per TCP connection with payload,
 * and one per interval of those that last. Included by core/record.h only. */
#ifndef INVCAP_CORE_RECORD_DELAY_H
#define INVCAP_CORE_RECORD_DELAY_H

#include <stdint.h>

/* Every moment between the first and the last packet of a connection, as seen at the tap, belongs to
 * exactly one term: the terms of a connection add up to last_ns - first_ns. */
enum delay_term {
    DELAY_SYN_BACKOFF,    /* waiting until a SYN or SYN-ACK is sent again */
    DELAY_CONNECT_SERVER, /* SYN to SYN-ACK: tap to server and back */
    DELAY_CONNECT_CLIENT, /* SYN-ACK to ACK: tap to client and back */
    DELAY_TLS_SERVER,     /* TLS handshake, the server's turn (round trip included) */
    DELAY_TLS_CLIENT,     /* TLS handshake, the client's turn */
    DELAY_UPLOAD,         /* between the segments of a request */
    DELAY_ROUND_TRIP,     /* of the server's turn: the smallest round trip */
    DELAY_SERVER,         /* of the server's turn: the rest, the server's own time */
    DELAY_DOWNLOAD,       /* between the segments of an answer */
    DELAY_RETRANSMISSION, /* until something lost was sent again */
    DELAY_ZERO_WINDOW,    /* the sender had data, the receiver's window was closed */
    DELAY_ACK_STALL,      /* Nagle's sender waiting for a delayed acknowledgment (40 or 200 ms) */
    DELAY_CLIENT,         /* the client's turn: between an answer and the next request */
    DELAY_CLOSE,          /* from the first FIN or RST on, without data */
    DELAY_TERM_COUNT
};

/* Round trips between the tap and one side that no delayed acknowledgment can have lengthened. */
struct rtt_facts {
    uint32_t count;
    int64_t min_ns, sum_ns, max_ns, last_ns; /* meaningless while count is 0 */
};

enum delay_step { DELAY_STEP_NONE, DELAY_STEP_CONNECT, DELAY_STEP_TLS };

struct flow_delay_record {
    int64_t flow_id;
    int64_t term_ns[DELAY_TERM_COUNT];
    struct rtt_facts rtt[2];
    /* Longest waits for the server within the TLS handshake, round trip taken off, when what it
     * answers was acknowledged at once; -1 none. */
    int64_t tls_hello_wait_ns, tls_finish_wait_ns;
    int64_t pause_ns;       /* longest wait for the client before its next step, round trip taken off */
    uint8_t pause_step;     /* enum delay_step: behind which step */
    uint32_t answers;       /* server's turns that ended with data, handshakes left out */
    int64_t answer_sum_ns, answer_max_ns; /* their waits, round trip taken off; max -1 none */
    int64_t answer_start_ns, answer_frame; /* of the longest: when it began, the packet that ended it */
    int64_t answer_asked;   /* of the longest: bytes that the client had sent in its turn */
    /* The client's longest turn: between its first and its last segment with new data, and what came
     * behind the first. A pause is a second or more without any. */
    int64_t fed_ns, fed_bytes;
    uint32_t fed_segments, fed_pauses;
    int64_t window_acks;    /* right edges of the receiver's window that were watched */
    int64_t window_full;    /* of these, those that the data reached at once */
    int64_t window_bytes;   /* the largest window that was used up */
    int64_t window_frame, window_frame_ns; /* the packet that came up to its edge; 0 none */
    int64_t window_rate;    /* bytes acknowledged per second since the first of these */
    int64_t window_span_ns; /* from the first of these to the last acknowledgment */
    uint8_t window_sender;  /* enum side: whose data; SIDE_NONE: never limited */
};

/* One question and its answer inside TLS that nobody decrypts, as the turns of the sides show them. */
struct turn_record {
    int64_t flow_id, number; /* 1.. within the flow */
    int64_t start_ns;        /* the client's first data of its turn */
    int64_t wait_ns;         /* its last data to the server's first, less the smallest round trip */
    int64_t total_ns;        /* start to the server's last data */
    int64_t asked, answered; /* bytes of both turns */
    int64_t frame;           /* that ended the wait */
};

/* The smallest round trips of a connection in one interval: 1 s within its first minute, then 10 s. */
struct rtt_sample_record {
    int64_t flow_id, start_ns;
    int64_t client_count, server_count;
    int64_t client_rtt_ns, server_rtt_ns; /* smallest, tap to that side and back; -1 none */
    int64_t bytes;                        /* payload of both sides in the interval */
    int64_t retransmissions;              /* data segments sent again, both sides */
};

#endif
