/* One RST as it compares with what its claimed sender else sends: who really sent it is decided from
 * these rows. Included by core/record.h. */
#ifndef INVCAP_CORE_RECORD_RESET_H
#define INVCAP_CORE_RECORD_RESET_H

#include <stdbool.h>
#include <stdint.h>

/* Kept of each side; the count of all is in flows. */
#define RESETS_KEPT 4
#define RESETS_MAX (2 * RESETS_KEPT)

/* What the sequence number of a RST is. */
enum reset_guess {
    RESET_GUESS_NONE,    /* nothing of its sender is known */
    RESET_GUESS_EXACT,   /* the next byte that its sender would send */
    RESET_GUESS_ANSWER,  /* an acknowledgment of the other side, as RFC 9293 3.10.7.1 wants it */
    RESET_GUESS_UNACKED, /* within what was sent and is not acknowledged */
    RESET_GUESS_BEHIND,  /* below what the other side had acknowledged */
    RESET_GUESS_AHEAD,   /* above the next byte, within the other side's window */
    RESET_GUESS_OUTSIDE, /* above the window */
    RESET_GUESS_ZERO     /* 0, as in the answer to a SYN */
};

/* How a host numbers its IP packets in one flow (RFC 6864 allows each). */
enum ip_id_line {
    IP_ID_UNKNOWN, /* fewer than 3 packets, or IPv6 */
    IP_ID_ZERO,
    IP_ID_COUNTS,
    IP_ID_IRREGULAR
};

struct reset_record {
    int64_t flow_id;
    int64_t number;            /* 1.. in order of capture */
    uint8_t side;              /* enum side: whose address it carries */
    int64_t source_id, frame, time_ns;
    bool with_ack;
    uint32_t payload_bytes;
    uint8_t ttl, usual_ttl;    /* usual: the most common of that side's other packets so far, 0 none */
    int32_t ip_id;             /* -1 IPv6 */
    int32_t ip_id_before;      /* of that side's last other packet, -1 none */
    uint8_t ip_id_line;        /* enum ip_id_line of that side's other packets */
    uint16_t window, window_before; /* raw */
    bool has_timestamp, usual_timestamp;
    int64_t timestamp_step;    /* TSval less that of that side's last other packet; 0 without both */
    uint8_t guess;             /* enum reset_guess */
    int64_t sequence_offset;   /* sequence less that side's next one */
    int64_t acknowledgment;    /* raw, as it stands there, flag or not */
    int64_t ack_offset;        /* with ACK: less what the other side had sent so far; 0 all of it */
    int64_t ack_step;          /* with ACK: less that side's last acknowledgment; 0 also when none */
    bool changed;              /* against the RST before of that side, as no stack does it */
    int64_t own_ns;            /* since that side's last other packet; -1 none */
    int64_t peer_ns;           /* since the other side's last packet; -1 none */
    int64_t peer_first_ns;     /* since the first packet that the other side sent after own; -1 none */
    int64_t peer_payload_ns;   /* since the other side's last payload; -1 none */
    uint32_t segments_before;  /* of that side, with payload */
    uint32_t peer_segments_before; /* of the other side */
    bool own_fin, peer_fin;    /* seen before it */
    uint32_t later_packets;    /* of that side, at or above it, no RST, too late for reordering */
    uint64_t later_bytes;      /* their payload */
};

#endif
