/* path_samples: one row per client address and server address of a capture: what the way between
 * them was seen to do. Included by core/record.h.
 *
 * The engine fills all but the last group, which the site diagnosis fills and puts again. Of the
 * directions, `side` is who sent the packets; of the round trips, it is the end that answered: the
 * way from the capture point to it and back. */
#ifndef INVCAP_CORE_RECORD_PATH_H
#define INVCAP_CORE_RECORD_PATH_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

struct path_side {
    uint64_t packets;
    uint64_t segments;         /* with payload, first transmissions */
    uint64_t retransmissions;  /* data segments sent again */
    uint64_t losses;           /* of those, the needed ones that were acknowledged at last */
    uint64_t losses_before;    /* of these, lost before the capture point */
    uint8_t ttl;               /* the usual one, RSTs left out; 0 unseen */
    int32_t hops;              /* from the next likely initial TTL down to it; -1 unseen */
    uint8_t ttl_before;        /* before it changed for good; 0: it did not */
    int64_t ttl_changed_ns;    /* first packet with the new TTL; -1 */
    int64_t ttl_changed_frame; /* 0 none */
    int64_t ttl_source_id;     /* of that frame */
    uint32_t ttl_changes;      /* on connections that lived through them */
    uint32_t syns;             /* connections whose SYN or SYN-ACK was seen from this side */
    uint32_t scale_seen, sack_seen, timestamps_seen; /* of those, with the option */
    /* without it; of the server only where the client's SYN had it */
    uint32_t scale_missing, sack_missing, timestamps_missing;
    uint32_t syn_ttl_differs;  /* of those, whose later packets came from another distance */
    uint32_t padded_syns;      /* three NOPs or more in a row: an option was overwritten */
    uint32_t mss_min, mss_max; /* announced; 0 none */
    uint32_t largest_passed;   /* IP length of the largest packet known to arrive; 0 none */
    uint32_t smallest_lost;    /* of the smallest that never got through in the end; 0 none */
    int64_t rtt_data_min_ns;   /* of acknowledged data alone, handshakes left out; -1 unknown */
    int64_t rtt_min_ns, rtt_p50_ns, rtt_p95_ns, rtt_p99_ns; /* -1 unknown */
    uint64_t rtt_count;        /* what the percentiles are of */
    const uint8_t *rtt_sketch; /* sketch_pack of core/sketch.h */
    int64_t rtt_sketch_len;
};

struct path_sample_record {
    int64_t id;                /* from 1, by first sight */
    int64_t capture_id;
    struct address client_ip, server_ip;
    int32_t vlan;              /* of the first connection; -1 none */
    int64_t first_ns, last_ns;
    uint64_t flows;            /* of any protocol */
    uint64_t connections;      /* of TCP */
    uint64_t established;      /* of those, with a whole handshake or already open */
    uint32_t mtu;              /* the smallest that a router named by ICMP; 0 none */
    struct path_side side[2];  /* enum side: client, server */
    uint32_t outages;          /* nothing came from one side on any connection, then it went on */
    int64_t outage_total_ns;
    int64_t outage_ns;         /* the longest; -1 none */
    int64_t outage_first_ns, outage_last_ns; /* last packet before it, first behind it; -1 */
    int64_t outage_frame, outage_source_id;  /* the first behind it; 0 none */
    uint32_t outage_connections; /* that sent again in it without an answer */
    uint8_t outage_side;       /* enum side: who was not heard */
    int64_t idle_survived_ns;  /* longest pause that a connection survived; -1 none of a second */
    /* SYNs by their timestamp: below or above what this client address had sent before */
    uint32_t old_stamp_answered, old_stamp_silent, new_stamp_answered, new_stamp_silent;
    /* by the site diagnosis */
    int64_t idle_lost_ns;      /* shortest pause after which a connection was forgotten; -1 none */
    int64_t idle_timer_ns;     /* the timer that both suggest, rounded; -1 unknown */
    uint32_t idle_connections; /* that were forgotten */
    uint64_t ok, failed;       /* connections and watched datagram flows, by outcome */
    uint64_t one_sided;        /* TCP connections of which the tap sees one direction only */
    const char *blame;         /* whom most verdicts of the failed ones blame; NULL none */
    bool changed;              /* not a column: by the site diagnosis, to be put again */
};

#endif
