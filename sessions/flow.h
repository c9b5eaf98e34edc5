/* One flow while it is open: what every packet touches. Internal to sessions/. */
#ifndef INVCAP_SESSIONS_FLOW_H
#define INVCAP_SESSIONS_FLOW_H

#include "core/address.h"
#include "core/record.h"
#include "sessions/events.h"

#include <stdbool.h>
#include <stdint.h>

struct path;       /* sessions/paths.h */
struct syn_seed;   /* sessions/seed.h */
struct ended;      /* sessions/engine_ended.c */
struct tcp_flow;   /* sessions/tcp.h */
struct tcp_stream; /* sessions/tcp_stream.h */
struct tcp_delay;  /* sessions/tcp_delay.h */
struct ndpi_opinion;
struct datagram_dissector; /* dissectors/datagram.h */

/* Where a flow waits for its idle time, and in which order memory pressure takes flows. */
enum flow_class {
    CLASS_SYN,
    CLASS_HALF_OPEN, /* answered, and the client has not gone on */
    CLASS_INSISTENT, /* a SYN sent again: floods and forged sources do not insist */
    CLASS_LONE,      /* packets of one side, of a connection that nobody saw begin */
    CLASS_ENDED,     /* its record is written */
    CLASS_SETTLED,   /* closed, and nothing is missing */
    CLASS_CLOSED,
    CLASS_CLOSING,
    CLASS_DATAGRAM,
    CLASS_JOINED, /* nobody saw it begin, but both sides speak: it may be the rest of one that was given up */
    CLASS_ESTABLISHED,
    CLASS_COUNT
};

struct flow_side {
    uint64_t packets, bytes;
    uint8_t mac[6]; /* without has_mac: of a server, where the SYN went, if ARP is captured; else 0 */
    uint8_t ttl; /* first of the usual packets, RSTs left out */
    uint8_t path_ttl; /* of its last packet that tells the way: no RST, no SYN */
    bool has_mac;
    uint32_t mac_packets; /* with that mac, not yet told to the neighbor table */
    int64_t mac_first_ns, mac_last_ns; /* of these */
};

struct flow {
    struct flow_key key;
    int64_t id;
    int64_t first_ns, last_ns;
    int64_t first_frame;
    uint32_t first_source;
    uint32_t index;      /* in the flow table */
    uint32_t generation; /* of this slot: queue entries of an earlier tenant are stale */
    int32_t vlan;
    const char *tunnel;  /* interned or static; NULL none */
    uint8_t class;       /* enum flow_class */
    bool client_is_high; /* which end of the key is the client */
    bool direction_guessed;
    bool app_decided; /* no dissector will have it */
    uint8_t datagram_tries; /* datagrams that no dissector wanted */
    bool ndpi_done;
    uint8_t ndpi_risk; /* enum flow_risk */
    bool referenced; /* rows of other tables name it already */
    bool pathless;           /* there were too many paths for its own */
    bool tls_named;                         /* the server's clear answer says that it wants TLS */
    struct flow_side side[2];
    uint64_t facts;
    struct path *path;         /* between its addresses; NULL: not known to answer yet */
    struct tcp_flow *tcp;      /* NULL for other protocols, and while there is only a seed */
    struct syn_seed *seed;     /* its only packets so far, a SYN and answers; NULL else */
    struct ended *ended;       /* its record is written, and only late packets come; NULL else */
    struct tcp_delay *delay;   /* NULL until something follows the SYN */
    struct tcp_stream *stream; /* NULL until the first payload; NULL again when nobody wants it */
    const struct datagram_dissector *datagram; /* UDP: who reads it, NULL nobody yet */
    void *datagram_state;
    struct tls_record *tls;
    struct plain_text *plain; /* sessions/engine_plain.c: what keys made of it; NULL nothing */
    struct ndpi_opinion *ndpi;
    const char *app, *ndpi_protocol, *name;
    const char *upgrade; /* what was spoken before another protocol took over; static */
    const char *resolved_name; /* by which its client had found the address; NULL unknown */
    uint64_t request_count;
    uint32_t http_rows, secret_rows, command_rows; /* as in flow_record */
    int64_t response_max_ns;
    struct event_list events;
};

static inline enum side flow_side_of(const struct flow *flow, bool from_high)
{
    return from_high == flow->client_is_high ? SIDE_CLIENT : SIDE_SERVER;
}

struct address flow_address(const struct flow *flow, enum side side);
uint16_t flow_port(const struct flow *flow, enum side side);

#endif
