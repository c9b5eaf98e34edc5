/* TCP analysis of one flow from a single tap: RFC 9293 state, 64-bit stream offsets,
 * retransmissions, gaps, windows, round trips, resets. Offsets: 0 is the SYN, data starts at 1. */
#ifndef INVCAP_SESSIONS_TCP_H
#define INVCAP_SESSIONS_TCP_H

#include "core/hints.h"
#include "core/packet.h"
#include "core/record.h"
#include "dissectors/decode.h"
#include "sessions/first_word.h"
#include "sessions/flow.h"
#include "sessions/pool.h"
#include "sessions/tcp_recent.h"
#include "sessions/tcp_wireshark.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeek's endpoint states (conn.log). */
enum endpoint {
    ENDPOINT_INACTIVE,
    ENDPOINT_PARTIAL,
    ENDPOINT_SYN_SENT,
    ENDPOINT_SYN_ACK_SENT,
    ENDPOINT_ESTABLISHED,
    ENDPOINT_CLOSED,
    ENDPOINT_RESET
};

/* Of a SYN or SYN-ACK: seen at all, and what it offers. */
#define SYN_HAS_HEADER 1u
#define SYN_HAS_SCALE 2u
#define SYN_HAS_SACK 4u
#define SYN_HAS_TIMESTAMPS 8u
/* Three NOPs or more in a row: honest stacks pad with two at most. */
#define SYN_HAS_PADDING 16u

#define TCP_HOLES 16

struct tcp_hole {
    int64_t start, end; /* offsets */
    int64_t since_ns;   /* when the segment above it came */
    int64_t acked_ns;   /* when the peer acknowledged past it; -1 not yet */
    uint16_t above_id;  /* IP ID of that segment: an older ID later means reordering */
    uint32_t above_timestamp;
    bool damaged; /* a damaged segment came for it */
};

struct tcp_holes {
    struct tcp_hole at[TCP_HOLES];
    uint32_t count;
};

/* What the usual packets of a side have in common; a RST is held against it. */
#define TCP_TTLS 3
#define TCP_ACKS 8

struct tcp_manner {
    int64_t turn_ns; /* first packet after the other side's last one; -1 none */
    int64_t last_ns; /* last packet, resets left out; -1 none */
    uint32_t acks[TCP_ACKS]; /* latest acknowledgment numbers that differ, a ring */
    uint32_t ack_count;
    uint16_t ttl_count[TCP_TTLS];
    uint8_t ttl[TCP_TTLS];
    uint16_t id_packets, id_zeros, id_steps; /* IP IDs: seen, zero, a little above the one before */
    uint16_t window;
    bool timestamps;
};

/* The resets of a flow that are kept, in order of capture, either side's first. */
struct tcp_resets {
    uint8_t count, capacity;
    uint32_t sequence[RESETS_MAX];
    struct reset_record at[];
};

/* Most flows that are reset have one or two. */
#define TCP_RESETS_FEW 2

struct tcp_direction {
    struct tcp_side_facts facts; /* what goes into the record */
    uint32_t base;               /* sequence number of offset 0 */
    bool base_known;
    bool seen;         /* any packet of this side */
    bool syn_seen;     /* without ACK */
    bool joined_empty; /* taken up at a segment without data, nothing sent since */
    bool early_data;   /* the SYN carried payload (RFC 7413) */
    bool sums_lie;     /* wrong segments were acknowledged or joined by the capturing host: no damage */
    uint8_t syn_options; /* SYN_HAS_ bits of its SYN or SYN-ACK */
    bool fin_seen;
    bool reset_is_past;      /* its RST came before the connection that was opened at last */
    bool timing;             /* timed_end is awaiting its ACK */
    bool zero_window_waited; /* the peer probed or filled the window */
    uint8_t endpoint;        /* enum endpoint */
    int8_t scale;            /* effective shift; -1 unknown */
    uint16_t window;         /* last announced, raw */
    uint16_t ip_id;
    uint32_t timestamp, echo;       /* TSval and TSecr of its last packet that had them */
    uint32_t first_stamp; /* TSval of its SYN or SYN-ACK; 0 none */
    int64_t first_stamp_ns;
    int64_t next;  /* highest end sent */
    int64_t acked; /* highest acknowledgment received from the peer */
    int64_t fin_end;
    int64_t timed_end, timed_ns;
    int64_t sent_ns;         /* last payload, SYN or FIN of this side */
    int64_t next_ns;         /* when next last advanced */
    int64_t resent_ns;       /* last sending again of bytes that were not acknowledged; 0 none */
    int64_t zero_since_ns;   /* -1 none */
    int64_t zero_pending_ns; /* a closed zero-window period that still needs waiting data */
    int64_t zero_ended_ns;
    int64_t outstanding_ns; /* when the oldest unacknowledged byte was first sent; -1 none */
    int64_t largest_end[2]; /* big segments awaiting their ACK */
    uint32_t largest_len[2];
    uint32_t syn_sequence, fin_sequence;
    uint32_t rst_sequence;                                     /* of the last one */
    uint32_t rst_kind_sequence[2], rst_kind_acknowledgment[2]; /* last one without, with ACK */
    uint8_t rst_kinds;                                         /* bits: without, with ACK */
    uint32_t retransmissions;       /* data segments sent again, spurious ones included */
    uint32_t pending_losses;        /* of those, not yet acknowledged */
    uint32_t needless_known;        /* of them found needless before the receiver told so */
    uint32_t unproven;              /* segments whose checksum is not known to be right */
    uint32_t again_timestamp;       /* TSval of the first pending one; 0 none */
    int64_t again_ns;               /* when that left; -1: of no use */
    int64_t again_end, again_last;  /* its end, and the last pending one's */
    uint32_t shrunk_from, shrunk_to; /* IP lengths of the oldest bytes, before and now; 0 the same */
    bool sacked;                    /* bytes above acked arrived, as the peer tells */
    uint32_t ack_repeats;           /* by the peer, since acked moved */
    int64_t ack_ns;                 /* last acknowledgment by the peer; 0 none */
    int64_t previous_sent_ns;       /* sent_ns before the segment at hand */
    int64_t recovery_end, timeout_end; /* what repeats below this belongs to one recovery */
    int64_t probe_end;              /* of a zero-window probe, whose byte may be refused */
    uint32_t acknowledgment;        /* last one this side sent, raw */
    uint32_t acknowledgment_before; /* the one before that differs */
    bool acknowledged_any;
    uint32_t before;         /* bytes acknowledged below this side's first captured packet */
    uint32_t letters;        /* history letters given once, bit per letter */
    uint32_t scaled[4];      /* c g t w counts for the logarithmic letters */
    struct tcp_holes *holes; /* NULL: none open */
    struct tcp_manner manner;
};

/* Facts of both sides together, named as in struct flow_tcp_record. */
struct tcp_common_facts {
    uint32_t syn_count, synack_count, tail_tries;
    uint32_t syn_first_tries, syn_first_stamp; /* the stamp: its TCP timestamp, 0 none */
    uint16_t syn_first_traits, syn_answered_traits;
    bool synack_conflict, rst_to_syn, challenge_ack;
    struct synack_pair synack_pair;
    struct content_conflict conflict;
    int64_t syn_last_ns, synack_first_ns, synack_last_ns, established_ns;
    int64_t longest_idle_ns, idle_before_tail_ns;
};

struct tcp_flow {
    struct tcp_direction dir[2];
    struct wireshark_flow wireshark;
    struct tcp_common_facts facts;
    int64_t syn_first_ns;
    int64_t synack_rtt_ns, ack_rtt_ns;
    uint32_t synack_sequence;
    bool synack_seen;
    uint8_t synack_side;
    bool server_spoke_first;
    uint8_t last_payload_side;
    uint8_t idle_side; /* who sent the packet that ended the pause */
    bool idle_open;    /* that packet has no answer yet */
    int64_t rtt_min_ns[2];
    int64_t rtt_data_min_ns[2]; /* the same without handshakes */
    bool syn_stamp_old, syn_stamp_new; /* its timestamp against earlier ones of the address */
    int64_t last_packet_ns;
    uint32_t data_segments, mss_exceeded;
    char history[32];
    uint8_t history_len;
    struct tcp_resets *resets; /* NULL: none seen */
    struct tcp_recent *recent; /* NULL: no data yet */
    struct first_word first[2];
    int64_t first_alert_ns, first_alert_frame; /* a TLS alert as the server's first word */
    bool asks_ecn, takes_ecn;  /* the SYN, the SYN-ACK (RFC 3168 6.1.1) */
    bool fast_open, mptcp, simultaneous;
    struct tcp_synack_shape {
        uint64_t options; /* their kinds and values, mixed */
        uint32_t sequence, acknowledgment;
        int64_t frame, time_ns;
        uint16_t window;
        uint8_t mac[6];
        uint8_t ttl;
        bool has_mac;
    } synack_shape[2]; /* of the first SYN-ACK, and of the first that disagrees with it */
};

/* What the caller does after a segment. */
struct tcp_verdict {
    enum event_kind event;
    enum event_note note;
    uint32_t reason; /* enum event_reason, with REASON_TIMESTAMP */
    enum event_note gap_note[2]; /* of gap_to */
    bool has_payload; /* payload_offset, payload are meant for the stream */
    int64_t payload_offset;
    uint32_t sequence; /* relative, of the segment, for the event */
    bool closing;      /* FIN both ways: the last acknowledgment may be missing */
    bool closed;       /* both FINs acknowledged, or a RST: it lingers shortly */
    bool settled;      /* closed, and a side that did not hear of it would send again soon */
    int64_t gap_to[2]; /* a hole of that side is lost for good up to there; 0 none */
    bool fin;          /* side ended at fin_offset */
    int64_t fin_offset;
};

struct tcp_env {
    struct pool *holes;                          /* of struct tcp_holes */
    uint64_t *gaps, *gap_bytes, *acked_segments, *disordered; /* what the capture did */
    struct pool *resets_few, *resets_full;       /* of struct tcp_resets, by capacity */
    struct pool *recent_small, *recent_full;     /* of struct tcp_recent */
};

/* Bytes of struct tcp_resets with room for so many. */
size_t tcp_resets_size(uint8_t capacity);
void tcp_init(struct tcp_flow *tcp);
/* Analyses one segment of side. flow counters (packets) are the caller's. */
void tcp_segment(struct tcp_flow *tcp, struct flow *flow, enum side side,
                 const struct packet *packet, const struct layers *layers, struct tcp_env *env,
                 struct tcp_verdict *out);
/* A pure SYN that opens another connection on the same 4-tuple. */
bool tcp_is_new_connection(const struct tcp_flow *tcp, enum side side, const struct layers *layers);
/* The handshake is not through: a SYN, perhaps its SYN-ACK, no answer to that. */
bool tcp_is_opening(const struct tcp_flow *tcp);
/* Both sides established, neither closed nor reset. */
bool tcp_is_open(const struct tcp_flow *tcp);
/* Who sent the first FIN or RST; SIDE_NONE: nobody did. */
enum side tcp_closed_by(const struct tcp_flow *tcp);
/* The oldest byte below offset that side may still send again: where its first hole begins, else
 * offset. */
int64_t tcp_expected(const struct tcp_flow *tcp, enum side side, int64_t offset);
/* Swaps client and server when content says so (only before the records depend on it). */
RARE
void tcp_flip(struct tcp_flow *tcp);
/* Zeek's conn_state. */
const char *tcp_conn_state(const struct tcp_flow *tcp, const struct flow *flow);
/* Fills the TCP columns of *flow_out and *tcp_out; returns whether anything happened that a plain
 * healthy connection does not show. */
bool tcp_close(struct tcp_flow *tcp, const struct flow *flow, enum end_reason end,
               struct flow_record *flow_out, struct flow_tcp_record *tcp_out);
/* Decides the holes of side that are still open; *out tells how far the stream may skip. */
void tcp_decide_holes_at_end(struct tcp_flow *tcp, enum side side, int64_t now_ns,
                             struct tcp_env *env, struct tcp_verdict *out);
/* The kept resets of the flow, *count of them, numbered; borrowed until tcp_release. A lone RST that
 * refuses a SYN gives none. */
const struct reset_record *tcp_resets(struct tcp_flow *tcp, const struct flow *flow, size_t *count);
/* Gives back what the directions hold. */
void tcp_release(struct tcp_flow *tcp, struct tcp_env *env);

/* At the end: the SYN-ACK that answers the first of several SYNs was under way all the time, the client asked again
 * while it waited. One that comes a round trip behind the last SYN was made by that: it repeats one that was lost
 * (Linux echoes the first timestamp again). */
bool tcp_was_asked_early(const struct tcp_flow *tcp);

#endif
