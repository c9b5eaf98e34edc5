/* Shared by sessions/engine*.c only. */
#ifndef INVCAP_SESSIONS_ENGINE_INTERNAL_H
#define INVCAP_SESSIONS_ENGINE_INTERNAL_H

#include "core/hints.h"
#include "dissectors/datagram.h"
#include "dissectors/decode.h"
#include "dissectors/dissector.h"
#include "sessions/clock.h"
#include "sessions/duplicates.h"
#include "sessions/engine.h"
#include "sessions/flow.h"
#include "sessions/flow_table.h"
#include "sessions/ndpi.h"
#include "sessions/neighbors.h"
#include "sessions/paths.h"
#include "sessions/pool.h"
#include "sessions/resolved.h"
#include "sessions/seed.h"
#include "sessions/swarms.h"
#include "sessions/tcp.h"
#include "sessions/tcp_stream.h"

#define ROUTED_DELAYS 64
#define ENGINE_CERTIFICATES 32

/* A packet of a run on its way to its flow. */
struct engine_packet {
    struct layers layers;
    enum copy_kind copy;
    struct flow_key key; /* with from_high and hash: of packets that have a flow */
    uint32_t hash;
    bool from_high;
};

struct engine {
    struct engine_options options;
    struct decoder *decoder;
    struct flow_table *table;
    struct duplicates *duplicates;
    struct neighbors *neighbors;
    struct paths *paths;
    struct swarms *swarms;
    struct opinions *opinions;
    struct resolved *resolved;
    struct event_pools events;
    struct pool recent_small, recent_full;
    struct pool tcp_flows, seeds, holes, resets_few, resets_full, tls_records, delays, ended;
    struct tcp_env tcp_env;
    uint64_t memory;        /* bytes of table, pools, events */
    uint64_t stream_memory; /* bytes of reassembly */
    uint64_t state_memory;  /* bytes of dissectors */
    struct tcp_stream_limits tcp_stream_limits;
    struct dissect_context context;
    struct flow_record view; /* what dissectors see and fill of the flow at hand */
    struct flow *current;    /* of the event callback */
    int64_t next_flow_id;
    int64_t now_ns;      /* highest packet time that two packets agree on */
    int64_t previous_ns; /* time of the packet before */
    int64_t last_sweep_ns;
    struct clock_watch clock;
    struct capture_record counters;
    uint64_t gaps, gap_bytes, acked_segments, disordered;
    int64_t routed_delays[ROUTED_DELAYS];
    uint64_t routed_count;
    uint32_t context_source; /* source of the packet at hand, for dissector events */
    struct engine_packet run[ENGINE_RUN];
};

/* engine.c */
void engine_on_tcp(struct engine *engine, struct flow *flow, enum side side,
                   const struct packet *packet, const struct layers *layers);
/* The same for a packet that was kept as a seed: its path has seen it, and it leads to no payload. */
void engine_on_seed(struct engine *engine, struct flow *flow, enum side side,
                    const struct packet *packet, const struct layers *layers);

/* engine_flow.c */
struct flow *engine_flow_open(struct engine *engine, const struct flow_key *key, bool from_high,
                              const struct packet *packet, const struct layers *layers);
/* Whether the packet of that side leaves the flow a seed: the SYN's answer, or once more. */
bool engine_flow_stays_seed(const struct flow *flow, enum side side, const struct layers *layers);
/* Keeps such a packet; false when memory is out. */
APART
bool engine_flow_keep_answer(struct engine *engine, struct flow *flow, const struct packet *packet,
                             const struct layers *layers);
/* Analyses the packets that the flow's seed stands for; false when memory is out. */
bool engine_flow_hatch(struct engine *engine, struct flow *flow);
/* Puts its record and gives its memory back; the flow stays in the table, empty. */
void engine_flow_put(struct engine *engine, struct flow *flow, enum end_reason end);
/* The same, and takes it out; one that has ended already is forgotten. */
void engine_flow_finish(struct engine *engine, struct flow *flow, enum end_reason end);

/* engine_ended.c */
size_t engine_ended_size(void);
/* Puts the record of a flow of CLASS_SETTLED and remembers that it was there. */
APART
void engine_ended_settle(struct engine *engine, struct flow *flow);
void engine_ended_forget(struct engine *engine, struct flow *flow);
/* A packet of a flow that has ended: late, or (false) the first of a new connection. */
bool engine_ended_takes(struct engine *engine, struct flow *flow, enum side side, const struct packet *packet,
                        const struct layers *layers);
/* The packet, which is none of those, begins another connection on the flow's addresses and ports. */
bool engine_ended_is_followed(const struct flow *flow, enum side side, const struct layers *layers);
/* NULL: none is kept. */
struct wireshark_flow *engine_wireshark_of(const struct flow *flow);

PER_PACKET
void engine_event(struct engine *engine, struct flow *flow, enum event_kind kind, enum side side,
                  int64_t time_ns, int64_t frame, uint32_t source_id, uint32_t sequence,
                  uint32_t length);

/* What more is known of the event added last. */
void engine_event_note(struct flow *flow, enum event_note note, uint32_t reason);

/* engine_delay.c: after the dissectors had the segment; and when the flow is closed. */
PER_PACKET
void engine_delay_note(struct engine *engine, struct flow *flow, enum side side,
                       const struct packet *packet, const struct layers *layers,
                       const struct tcp_verdict *verdict);
void engine_delay_finish(struct engine *engine, struct flow *flow);

/* engine_app.c */
/* Returns the side that the sender has now: first words may tell that client and server are
 * exchanged. */
PER_PACKET
enum side engine_app_payload(struct engine *engine, struct flow *flow, enum side side,
                             const struct packet *packet, const struct layers *layers,
                             int64_t offset);
RARE
void engine_app_gap(struct engine *engine, struct flow *flow, enum side side, int64_t offset);
void engine_app_fin(struct engine *engine, struct flow *flow, enum side side, int64_t offset);
void engine_app_close(struct engine *engine, struct flow *flow, enum end_why why,
                      struct tls_certificate_record *certificates, size_t *certificate_count);
/* A record with nothing known yet; NULL when memory is out. */
struct tls_record *engine_take_tls_record(struct engine *engine);
/* What a dissector may see and change of the flow goes into the context, and back. */
PER_PACKET
void engine_app_enter(struct engine *engine, struct flow *flow);
void engine_app_leave(struct engine *engine, struct flow *flow);
/* Returns how many of the count were stamped and copied, at most ENGINE_CERTIFICATES. */
size_t engine_copy_certificates(const struct flow *flow, const struct tls_certificate_record *sent,
                                size_t count, struct tls_certificate_record *out);
/* Shows nDPI a packet with payload, that of TCP with its offset in the stream of its side (else -1);
 * packet NULL: the flow ends. */
PER_PACKET
void engine_ndpi(struct engine *engine, struct flow *flow, const struct packet *packet,
                 const struct layers *layers, enum side side, int64_t offset);

/* engine_plain.c: dissect_context.plain, and the end of what it made. */
void engine_plain(void *self, enum plain_event event, enum side side, const uint8_t *bytes,
                  size_t len);
void engine_plain_close(struct engine *engine, struct flow *flow, enum end_why why);

/* engine_datagram.c */
void engine_datagram(struct engine *engine, struct flow *flow, enum side side,
                     const struct packet *packet, const struct layers *layers);
void engine_datagram_close(struct engine *engine, struct flow *flow,
                           struct tls_certificate_record *certificates, size_t *certificate_count);

/* engine_count.c: a packet on its way to its flow. */
PER_PACKET
void engine_count(struct engine *engine, const struct packet *packet, const struct layers *layers);

/* engine_icmp.c */
RARE
void engine_icmp_error(struct engine *engine, const struct packet *packet,
                       const struct layers *layers);

#endif
