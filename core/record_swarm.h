/* swarms: attempts that led to nothing, too many to keep one by one, counted together. Included by
 * core/record.h; the same rules hold. */
#ifndef INVCAP_CORE_RECORD_SWARM_H
#define INVCAP_CORE_RECORD_SWARM_H

#include "core/address.h"

/* What the attempts have in common. Order is public (names in columns_swarm.c). */
enum swarm_kind {
    SWARM_TARGET, /* one server port */
    SWARM_SOURCE, /* one client */
    SWARM_ANY,    /* neither */
    SWARM_LEFTOVER /* no attempts: lone packets of connections that were never seen to begin, of one server */
};

struct swarm_record {
    int64_t capture_id;
    int64_t number;                /* 1.. within the capture */
    uint8_t kind;                  /* enum swarm_kind */
    uint8_t protocol;              /* IANA number; 0: many */
    struct address client_ip;      /* unset: many */
    struct address server_ip;      /* unset: many */
    uint16_t server_port;          /* 0: many */
    int64_t attempts, packets;
    int64_t answered;              /* attempts that got a packet back */
    int64_t clients, servers, ports; /* distinct ones, estimated within some 3 % */
    int64_t most_per_second;
    int64_t first_ns, last_ns;     /* beginnings of the first and the last attempt */
    int64_t source_id, first_frame, last_frame; /* of these two; source of the first */
};

#endif
