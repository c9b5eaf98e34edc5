/* Whether the receiver's window holds a transfer back, as the sender meets it, wherever the tap
 * stands.
 *
 * The right edge of an announced window (RFC 9293 3.3.1: acknowledgment + window) is followed until
 * data comes up to it. A sender that the window limits waits for every edge and uses it up at once.
 * One that something else limits (its congestion window, a queue, its application) does so later or
 * never. What the sender knew when it sent is told by the timestamp it echoes (RFC 7323 4.3: that
 * of the last acknowledgment); without timestamps by the time that has gone by: the way from the
 * tap to the sender and back. One edge per direction is watched at a time, in constant memory. */
#ifndef INVCAP_SESSIONS_TCP_WINDOW_H
#define INVCAP_SESSIONS_TCP_WINDOW_H

#include "core/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Of what one side sends. Zeroed is the state before anything was seen. */
struct tcp_window_use {
    int64_t edges, full;       /* edges that were watched; those that data reached at once */
    int64_t edge;              /* the one that is watched, stream offset */
    int64_t window, since_ns;  /* announced with it, bytes; when */
    int64_t last_edge;         /* the latest announced */
    int64_t largest;           /* window that was used up */
    int64_t frame, frame_ns;   /* the packet that came up to its edge */
    int64_t first_ns, last_ns; /* of the acknowledgments between the first and the latest edge */
    int64_t bytes;             /* acknowledged between */
    uint32_t timestamp;        /* TSval of the announcement */
    bool watching, started;
    bool stamped; /* timestamp is known */
    bool heard;   /* data came that the sender sent knowing the edge, and no later one */
};

/* What is known of the way when a packet of the direction comes by. */
struct tcp_window_way {
    int64_t now_ns, frame;
    int64_t mss;        /* largest payload that the side sends, at most 1460; > 0 */
    int64_t sender_ns;  /* smallest round trip between the tap and the sender; < 0 unknown */
    int64_t whole_ns;   /* the same from end to end */
    uint32_t timestamp; /* of this packet: TSval of an announcement, TSecr of data */
    bool stamped;
};

/* The receiver acknowledged gained more bytes, up to acked, and announces window; sent is the
 * offset behind the last byte that the side sent. */
void tcp_window_announced(struct tcp_window_use *use, const struct tcp_window_way *way,
                          int64_t acked, int64_t gained, int64_t window, int64_t sent);
/* The side sent data up to the offset end. */
void tcp_window_sent(struct tcp_window_use *use, const struct tcp_window_way *way, int64_t end);
/* Fills the window_ members of a connection's record, when more than half of the edges of a
 * direction were used up. */
void tcp_window_close(const struct tcp_window_use use[2], struct flow_delay_record *out);

#endif
