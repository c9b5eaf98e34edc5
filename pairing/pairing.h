/* Two capture points of one way, packet by packet: what passed between them, what did not, what was
 * changed, and what something in between made itself.
 *
 * Each point is read into a side: sessions, and 64 bytes per packet. Then the sides are joined.
 * Direction 0 is the client's, 1 the server's. A side is bounded by LIMIT_PAIR_PACKETS and
 * LIMIT_PAIR_SESSIONS; what came later is counted and takes no part. */
#ifndef INVCAP_PAIRING_PAIRING_H
#define INVCAP_PAIRING_PAIRING_H

#include "core/address.h"
#include "core/packet.h"
#include "dissectors/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAIR_INSIDE, PAIR_OUTSIDE, PAIR_POINTS };

#define PAIR_NONE UINT32_MAX
#define PAIR_HEAD_BYTES 64
#define PAIR_NAME_SIZE 128

enum pair_fate {
    PAIR_UNDECIDED, /* of a session that was relayed, or may have gone past the other point; or
                       the other capture missed so much that nothing is proven */
    PAIR_PASSED,    /* partner is the same packet at the other point */
    PAIR_RESIZED,   /* its bytes passed in segments of other sizes */
    PAIR_DROPPED,   /* at the first point only */
    PAIR_MISSED,    /* the other point has its acknowledgment: its capture lost it */
    PAIR_UNCOVERED, /* the other capture was not running then */
    PAIR_MADE,      /* at the second point only: a reset, SYN-ACK or ICMP error from in between */
    PAIR_EXTRA      /* at the second point only: an acknowledgment, data */
};

/* What differs between the two copies of a packet. */
#define PAIR_CHANGED_MSS 0x01
#define PAIR_CHANGED_OPTIONS 0x02 /* another list of TCP options */
#define PAIR_CHANGED_PAYLOAD 0x04
#define PAIR_CHANGED_TTL 0x08     /* by another number than the session's usual one */
#define PAIR_CHANGED_CLIENT 0x10  /* client address or port; of a session */
#define PAIR_CHANGED_SERVER 0x20
#define PAIR_CHANGED_SEQUENCE 0x40

struct pair_packet {
    int64_t time_ns;
    uint64_t payload_hash; /* of the bytes present */
    uint32_t frame, session;
    uint32_t sequence, acknowledgment, payload_len;
    uint32_t timestamp; /* TCP option, 0 none */
    uint32_t partner;   /* of the other side's packets; PAIR_NONE */
    uint16_t source_id, ip_id, mss;
    uint16_t options; /* hash of the kinds of TCP options, NOPs left out */
    uint8_t flags, ttl, fate;
    uint8_t direction : 1, is_icmp : 1, payload_whole : 1;
    uint8_t is_sure : 1;    /* no other packet can be meant by partner */
    uint8_t is_doubted : 1; /* the other capture may have lost it */
    uint8_t changed; /* PAIR_CHANGED_* */
};

struct pair_session {
    struct address client, server;
    uint16_t client_port, server_port;
    uint8_t protocol;
    bool isn_known[2], is_tls;
    uint32_t isn[2];
    uint32_t syn_timestamp, syn_options, synack_seen;
    int64_t first_ns, last_ns;
    uint32_t packets[2]; /* by direction */
    uint32_t first;      /* of the side's packets, after pair_join */
    uint8_t head_len[2];
    uint8_t head[2][PAIR_HEAD_BYTES]; /* first bytes of each stream, or of the first datagrams */
    uint8_t client_random[32];
    char sni[PAIR_NAME_SIZE];
    uint32_t match; /* of the result's matches; PAIR_NONE */
};

struct pair_side {
    struct pair_packet *packets;
    struct pair_session *sessions;
    uint32_t packet_count, packet_room, session_count, session_room;
    uint32_t *slots; /* open addressing: session + 1, 0 empty */
    uint32_t slot_count;
    uint64_t ignored; /* neither TCP nor UDP, nor an ICMP error about them */
    uint64_t copies;  /* seen twice within 5 ms: of a mirror */
    uint64_t refused; /* beyond the limits */
    uint64_t truncated, undecoded, backward, jumps; /* as struct capture_record counts them */
    int64_t first_ns, last_ns, before_ns; /* before: of the packet before */
    bool failed; /* memory ran out */
};

enum pair_how {
    PAIR_BY_TUPLE_ISN,
    PAIR_BY_RANDOM,
    PAIR_BY_ISN,
    PAIR_BY_PAYLOAD,
    PAIR_BY_TUPLE,
    PAIR_BY_TIMESTAMP,
    PAIR_BY_NAME, /* intercepted: same server name at the same time, different client randoms */
    PAIR_HOW_COUNT
};

enum pair_proof { PAIR_UNTOUCHED, PAIR_LIKELY, PAIR_CONCLUSIVE };

struct pair_match {
    uint32_t session[PAIR_POINTS];
    enum pair_how how;
    uint8_t near_client; /* the point nearer the client */
    bool relayed;        /* something in between ends TCP: packets cannot be compared */
    enum pair_proof intercepted;
    uint8_t changed; /* PAIR_CHANGED_*: of the session, and of any of its packets */
    int ttl_step[2]; /* at the first point minus at the second, by direction: hops between them */
    uint16_t mss_before, mss_after;
    int64_t delay_ns[2]; /* median by direction, -1 unknown */
};

struct pair_totals { /* by direction: 0 from inside to outside */
    uint64_t sent, passed, resized, dropped, missed, uncovered, made, extra;
    uint64_t unproven; /* dropped, made, or missed by a capture that missed others: not told */
};

struct pair_result {
    struct pair_match *matches;
    uint32_t match_count, match_room;
    bool offset_known;
    int64_t offset_ns; /* clock of the outside point minus that of the inside one */
    int64_t error_ns;  /* it cannot be wrong by more unless the clocks drift; -1 not known */
    uint64_t offset_samples;
    struct pair_totals totals[2];
    uint32_t alone[PAIR_POINTS]; /* sessions that one point only has */
};

void pair_side_init(struct pair_side *side);
void pair_side_free(struct pair_side *side);
/* Takes one packet in time order; nothing of it is kept but digests. */
void pair_side_take(struct pair_side *side, const struct packet *packet,
                    const struct layers *layers);

/* Joins the sessions, decides the fate of every packet, and fills *out (freed by
 * pair_result_free). False when memory is out. */
bool pair_join(struct pair_side sides[PAIR_POINTS], struct pair_result *out);
void pair_result_free(struct pair_result *result);
/* Whether the sides are copies of one capture: what both have, they have at the same microsecond. No way
 * is that short in both directions. */
bool pair_is_one_capture(const struct pair_side sides[PAIR_POINTS]);

/* The parts of pair_join. */
bool pair_match_sessions(struct pair_side sides[PAIR_POINTS], struct pair_result *out);
bool pair_match_packets(struct pair_side sides[PAIR_POINTS], struct pair_result *out);
/* Takes back what a capture with holes does not prove. */
void pair_doubt(struct pair_side sides[PAIR_POINTS], struct pair_result *out);
void pair_decide_alone(struct pair_side sides[PAIR_POINTS], struct pair_result *out);

#endif
