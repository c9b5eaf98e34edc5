/* Continuous round trips of one connection, from the tap to each side and back, in constant memory.
 *
 * One segment per direction is timed at once, and only one that its receiver must acknowledge without
 * delay: more than a full segment was waiting for an acknowledgment with it (RFC 9293 3.8.6.3,
 * RFC 5681 4.2), the acknowledgment ends exactly with it and carries no data; or the segment right before
 * it was acknowledged by itself, which one timer could not have done for both. So neither a delayed
 * acknowledgment nor an application that answers late passes for distance. A segment sent again is
 * left out (Karn, RFC 6298 3) unless timestamps tell which of its copies is answered (pping's rule:
 * TSecr equals the TSval of the copy that was timed). */
#ifndef INVCAP_SESSIONS_TCP_RTT_H
#define INVCAP_SESSIONS_TCP_RTT_H

#include "core/hints.h"
#include "core/packet.h"
#include "core/record.h"
#include "dissectors/decode.h"

#include <stdbool.h>
#include <stdint.h>

/* What one side sent and waits to have acknowledged. */
struct tcp_rtt {
    int64_t acked;       /* stream offset that its peer had acknowledged */
    int64_t start, end, sent_ns; /* of the timed segment */
    int64_t previous_ns;  /* when the last new segment was sent */
    uint32_t timestamp;  /* its TSval */
    uint32_t largest;    /* payload of its largest segment */
    bool timing, has_timestamp;
    bool burst;    /* the segment before it left at the same time */
    bool doubtful; /* sent again: only TSecr tells */
};

/* A segment with payload that was sent for the first time; end is its stream offset behind. */
void tcp_rtt_sent(struct tcp_rtt *rtt, int64_t end, const struct packet *p, const struct layers *l);
/* A segment that was sent before. */
RARE
void tcp_rtt_sent_again(struct tcp_rtt *rtt, const struct layers *l);
/* The peer acknowledges up to the stream offset acked. Returns the round trip between the tap and
 * that peer, ns; -1 when this acknowledgment measures none. */
int64_t tcp_rtt_acked(struct tcp_rtt *rtt, int64_t acked, const struct packet *p,
                      const struct layers *l);
void rtt_facts_add(struct rtt_facts *facts, int64_t rtt_ns);

#endif
