#include "sessions/engine_internal.h"

#include "core/hints.h"
#include "core/limits.h"
#include "sessions/tcp_delay.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECOND 1000000000LL
/* Idle flows are looked for once per second of packet time, not per packet. */
#define SWEEP_NS SECOND

static bool make_parts(struct engine *e)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)(uintptr_t)e;
    e->decoder = decoder_new(e->options.verify_checksums);
    e->table = flow_table_new(seed, &e->memory);
    e->resolved = resolved_new(seed);
    if (e->resolved == NULL)
        return false;
    e->duplicates = duplicates_new(seed);
    e->neighbors = neighbors_new();
    e->opinions = opinions_new(&e->state_memory);
    e->paths = paths_new(seed, e->options.capture_id, e->options.first_path_id);
    e->swarms = swarms_new(e->options.capture_id);
    return e->decoder && e->table && e->duplicates && e->neighbors && e->opinions && e->paths &&
           e->swarms;
}

struct engine *engine_new(const struct engine_options *options, struct error *error)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "out of memory while starting the session engine");
        return NULL;
    }
    e->options = *options;
    e->next_flow_id = options->first_flow_id;
    e->now_ns = e->last_sweep_ns = INT64_MIN;
    events_init(&e->events, &e->memory);
    pool_init(&e->tcp_flows, sizeof(struct tcp_flow), &e->memory);
    pool_init(&e->ended, engine_ended_size(), &e->memory);
    pool_init(&e->seeds, sizeof(struct syn_seed), &e->memory);
    pool_init(&e->holes, sizeof(struct tcp_holes), &e->memory);
    pool_init(&e->recent_small, recent_size(RECENT_SMALL), &e->memory);
    pool_init(&e->recent_full, recent_size(RECENT_FULL), &e->memory);
    pool_init(&e->resets_few, tcp_resets_size(TCP_RESETS_FEW), &e->memory);
    pool_init(&e->resets_full, tcp_resets_size(RESETS_MAX), &e->memory);
    pool_init(&e->delays, sizeof(struct tcp_delay), &e->memory);
    pool_init(&e->tls_records, sizeof(struct tls_record), &e->memory);
    e->tcp_env = (struct tcp_env){&e->holes,  &e->gaps,         &e->gap_bytes,  &e->acked_segments, &e->disordered,
                                  &e->resets_few, &e->resets_full, &e->recent_small, &e->recent_full};
    e->tcp_stream_limits = (struct tcp_stream_limits){
        &e->stream_memory, &e->state_memory, &e->counters.limit_streams, &e->counters.limit_bytes};
    e->counters.routed_delay_ns = RECORD_NONE_NS;
    if (!make_parts(e)) {
        engine_free(e);
        (void)error_set(error, ERROR_RUNTIME, "out of memory while starting the session engine");
        return NULL;
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    decoder_free(e->decoder);
    flow_table_free(e->table);
    resolved_free(e->resolved);
    duplicates_free(e->duplicates);
    neighbors_free(e->neighbors);
    opinions_free(e->opinions);
    paths_free(e->paths);
    swarms_free(e->swarms);
    events_free(&e->events);
    pool_free(&e->tcp_flows);
    pool_free(&e->ended);
    pool_free(&e->seeds);
    pool_free(&e->holes);
    pool_free(&e->recent_small);
    pool_free(&e->recent_full);
    pool_free(&e->resets_few);
    pool_free(&e->resets_full);
    pool_free(&e->delays);
    pool_free(&e->tls_records);
    free(e);
}

void engine_set_keys(struct engine *e, struct tls_keys *keys)
{
    e->options.keys = keys;
}

static void note_routed(struct engine *e, int64_t delay_ns)
{
    e->routed_delays[e->routed_count++ % ROUTED_DELAYS] = delay_ns;
}

/* Whether the packet is a copy that statistics leave out. */
PER_PACKET
static enum copy_kind copy_of(struct engine *e, const struct packet *p, const struct layers *l)
{
    int64_t delay_ns = 0;
    enum copy_kind kind = duplicates_check(e->duplicates, p, l, &delay_ns);
    if (kind == COPY_NONE)
        return kind;
    if (kind == COPY_MIRROR)
        e->counters.duplicate_packets++;
    else
        e->counters.routed_packets++;
    if (kind == COPY_ROUTED)
        note_routed(e, delay_ns);
    return kind;
}

/* A copy marks its flow; only Wireshark's counts take it for a packet. */
APART
static void on_copy(struct engine *e, struct flow *flow, bool from_high, enum copy_kind kind,
                    const struct packet *p, const struct layers *l)
{
    flow->facts |= FLOW_FACT_DUPLICATES;
    if (kind == COPY_LOOP)
        flow->facts |= FLOW_FACT_LOOPED;
    if (flow->seed != NULL && !engine_flow_hatch(e, flow))
        e->counters.evicted_flows++;
    else if (l->kind == LAYER_TCP && engine_wireshark_of(flow) != NULL)
        wireshark_segment(engine_wireshark_of(flow), flow_side_of(flow, from_high), p->time_ns, l,
                          &e->counters.wireshark);
}

/* The frames of a host are told to the neighbor table whenever its MAC changes, and at the end. */
PER_PACKET
static void note_mac(struct engine *e, struct flow *flow, enum side side,
                     const struct packet *packet, const struct layers *l)
{
    struct flow_side *s = &flow->side[side];
    const uint8_t *mac = l->tunnel_depth == 0 ? l->src_mac : l->inner_src_mac;
    if (l->tunnel_depth == 0 ? !l->has_mac : l->inner_mac_depth != l->tunnel_depth)
        return;
    if (s->has_mac && memcmp(s->mac, mac, 6) != 0) {
        struct address ip = flow_address(flow, side);
        if (!neighbors_is_empty(e->neighbors))
            neighbors_frames(e->neighbors, &ip, s->mac, s->mac_packets, s->mac_first_ns,
                             s->mac_last_ns);
        s->mac_packets = 0;
        if (side == SIDE_SERVER && flow->tcp != NULL && (l->tcp.flags & TCP_RST) != 0)
            flow->facts |= FLOW_FACT_RESET_MAC;
    }
    if (s->mac_packets == 0)
        s->mac_first_ns = packet->time_ns;
    s->mac_last_ns = packet->time_ns;
    memcpy(s->mac, mac, 6);
    s->has_mac = true;
    s->mac_packets++;
}

static void count_packet(struct engine *e, struct flow *flow, enum side side,
                         const struct packet *p, const struct layers *l)
{
    flow->side[side].packets++;
    flow->side[side].bytes += l->ip_len;
    if (p->time_ns > flow->last_ns)
        flow->last_ns = p->time_ns;
    note_mac(e, flow, side, p, l);
}

/* The way between the ends; made when both were heard. A SYN-ACK alone proves little: its client may
 * be forged. */
PER_PACKET
static void note_path(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                      const struct layers *l, enum event_kind event)
{
    if (flow->path == NULL && !flow->pathless && flow->side[!side].packets > 0) {
        flow->path = paths_take(e->paths, flow, flow->tcp != NULL);
        flow->pathless = flow->path == NULL && flow->tcp != NULL;
    }
    if (flow->path != NULL)
        path_note_packet(e->paths, flow, side, p, l, event);
}

static enum flow_class class_of_handshake(const struct flow *flow)
{
    const struct tcp_flow *tcp = flow->tcp;
    if (tcp_is_opening(tcp) && tcp->facts.syn_count > 1)
        return CLASS_INSISTENT;
    if (tcp_is_opening(tcp))
        return tcp->synack_seen ? CLASS_HALF_OPEN : CLASS_SYN;
    if (tcp->facts.syn_count > 0)
        return CLASS_ESTABLISHED;
    return flow->side[SIDE_CLIENT].packets == 0 || flow->side[SIDE_SERVER].packets == 0 ? CLASS_LONE : CLASS_JOINED;
}

static enum flow_class class_after(const struct flow *flow, const struct tcp_verdict *v)
{
    bool was_closed = flow->class == CLASS_CLOSED || flow->class == CLASS_SETTLED;
    if (v->closed)
        return v->settled ? CLASS_SETTLED : CLASS_CLOSED;
    if (v->closing && !was_closed)
        return CLASS_CLOSING;
    if (flow->class <= CLASS_LONE)
        return class_of_handshake(flow);
    if (was_closed)
        return tcp_is_open(flow->tcp) ? CLASS_ESTABLISHED : CLASS_CLOSED;
    return (enum flow_class)flow->class;
}

PER_PACKET
static void on_segment(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                       const struct layers *l, struct tcp_verdict *out)
{
    wireshark_segment(&flow->tcp->wireshark, side, p->time_ns, l, &e->counters.wireshark);
    tcp_segment(flow->tcp, flow, side, p, l, &e->tcp_env, out);
    engine_event(e, flow, out->event, side, p->time_ns, (int64_t)p->frame, p->source_id, out->sequence,
                 l->payload_len);
    engine_event_note(flow, out->note, out->reason);
}

void engine_on_seed(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                    const struct layers *l)
{
    struct tcp_verdict v;
    on_segment(e, flow, side, p, l, &v);
    engine_delay_note(e, flow, side, p, l, &v);
}

void engine_on_tcp(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                   const struct layers *l)
{
    struct tcp_verdict v;
    if (e->clock.left > 0)
        clock_hear(&e->clock, flow, side, p, l);
    on_segment(e, flow, side, p, l, &v);
    if (v.event == EVENT_DAMAGED)
        return;
    note_path(e, flow, side, p, l, v.event);
    for (int s = 0; s < 2; s++) {
        if (v.gap_to[s] <= 0)
            continue;
        engine_event(e, flow, EVENT_GAP, (enum side)s, p->time_ns, (int64_t)p->frame, p->source_id,
                     (uint32_t)v.gap_to[s], 0);
        engine_event_note(flow, v.gap_note[s], REASON_NONE);
        engine_app_gap(e, flow, (enum side)s, v.gap_to[s]);
    }
    if (v.has_payload) {
        side = engine_app_payload(e, flow, side, p, l, v.payload_offset);
        engine_ndpi(e, flow, p, l, side, v.payload_offset);
    }
    engine_delay_note(e, flow, side, p, l, &v);
    if (v.fin)
        engine_app_fin(e, flow, side, v.fin_offset);
    flow_table_set_class(e->table, flow, class_after(flow, &v), e->now_ns);
}

APART
static void on_datagram(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                        const struct layers *l)
{
    if (flow->side[side].ttl == 0)
        flow->side[side].ttl = l->ttl;
    engine_event(e, flow, EVENT_DATAGRAM, side, p->time_ns, (int64_t)p->frame, p->source_id, 0,
                 l->payload_len);
    engine_datagram(e, flow, side, p, l);
    if (l->payload_len > 0)
        engine_ndpi(e, flow, p, l, side, -1);
}

/* A traceroute raises its TTL on purpose: routers that answer it are no fault. */
static void note_traceroute(struct flow *flow, enum side side, const struct layers *l)
{
    if (side == SIDE_CLIENT && l->ttl < 10 && flow->side[SIDE_CLIENT].ttl != 0 &&
        l->ttl != flow->side[SIDE_CLIENT].ttl)
        flow->facts |= FLOW_FACT_TRACEROUTE;
}

/* A packet of a flow that stays a seed; false: it must hatch. */
static bool on_answer(struct engine *e, struct flow *flow, bool from_high, const struct packet *p,
                      const struct layers *l)
{
    enum side side = flow_side_of(flow, from_high);
    if (!engine_flow_stays_seed(flow, side, l) || !engine_flow_keep_answer(e, flow, p, l))
        return false;
    count_packet(e, flow, side, p, l);
    note_path(e, flow, side, p, l, EVENT_SYNACK);
    return true;
}

/* The snap length cut its TCP header: what it does to a connection is not known. */
static bool is_headless(const struct layers *l)
{
    return l->kind != LAYER_TCP && l->ip_protocol == IPPROTO_TCP;
}

/* A flow of headless packets alone has no connection to go on with. */
static bool is_headless_flow(const struct flow *flow)
{
    return flow->key.protocol == IPPROTO_TCP && flow->tcp == NULL && flow->seed == NULL && flow->ended == NULL;
}

static void on_flow_packet(struct engine *e, const struct packet *p, const struct engine_packet *at)
{
    const struct layers *l = &at->layers;
    const struct flow_key *key = &at->key;
    bool from_high = at->from_high;
    struct flow *flow = flow_table_find(e->table, key, at->hash);
    if (at->copy != COPY_NONE) {
        if (flow != NULL)
            on_copy(e, flow, from_high, at->copy, p, l);
        return;
    }
    if (flow != NULL && is_headless(l) != is_headless_flow(flow)) {
        if (is_headless(l))
            return;
        engine_flow_finish(e, flow, END_REUSED);
        flow = NULL;
    }
    if (flow != NULL && flow->seed != NULL && on_answer(e, flow, from_high, p, l))
        return;
    if (flow != NULL && flow->seed != NULL && !engine_flow_hatch(e, flow)) {
        e->counters.evicted_flows++;
        return;
    }
    if (flow != NULL && flow->ended != NULL && engine_ended_takes(e, flow, flow_side_of(flow, from_high), p, l))
        return;
    if (flow != NULL && engine_ended_is_followed(flow, flow_side_of(flow, from_high), l)) {
        engine_flow_finish(e, flow, END_REUSED);
        flow = engine_flow_open(e, key, from_high, p, l);
        if (flow != NULL)
            flow->facts |= FLOW_FACT_REUSED_TUPLE;
    } else if (flow == NULL) {
        flow = engine_flow_open(e, key, from_high, p, l);
    }
    if (flow == NULL) {
        e->counters.evicted_flows++;
        return;
    }
    enum side side = flow_side_of(flow, from_high);
    count_packet(e, flow, side, p, l);
    note_traceroute(flow, side, l);
    if (flow->tcp != NULL)
        engine_on_tcp(e, flow, side, p, l);
    else if (flow->seed == NULL)
        on_datagram(e, flow, side, p, l);
}

static bool is_closed(const struct flow *flow)
{
    return flow->class == CLASS_SETTLED || flow->class == CLASS_CLOSED || flow->class == CLASS_CLOSING;
}

static void sweep(struct engine *e)
{
    struct flow *flow;
    if (e->now_ns - e->last_sweep_ns < SWEEP_NS)
        return;
    e->last_sweep_ns = e->now_ns;
    while ((flow = flow_table_expired(e->table, e->now_ns)) != NULL) {
        if (flow->class == CLASS_SETTLED)
            engine_ended_settle(e, flow);
        else
            engine_flow_finish(e, flow, is_closed(flow) ? END_CLOSED : END_TIMEOUT);
    }
}

/* Some devices count the padding of a 60-byte Ethernet frame into the IP length: an ACK then seems
 * to carry up to six zero bytes. */
static void drop_padding(const struct packet *p, struct layers *l)
{
    static const uint8_t zeros[6];
    if (l->kind != LAYER_TCP || l->payload_len == 0 || l->payload_len > sizeof zeros ||
        l->tcp.flags != TCP_ACK || p->len != 60 || l->tunnel_depth > 0 || l->ip_version != 4)
        return;
    if ((size_t)(l->network - p->data) + l->ip_len != p->len ||
        l->payload_caplen < l->payload_len || memcmp(l->payload, zeros, l->payload_len) != 0)
        return;
    l->ip_len -= l->payload_len;
    l->payload_len = l->payload_caplen = 0;
}

static bool has_flow(const struct layers *l)
{
    return l->kind == LAYER_TCP || l->kind == LAYER_UDP || l->kind == LAYER_OTHER_IP ||
           (l->kind == LAYER_ICMP && !l->icmp.is_error && !l->neighbor.present);
}

static bool is_icmp_error(const struct layers *l)
{
    return l->kind == LAYER_ICMP && l->icmp.is_error;
}

/* Decodes packets until the run is full or one lies in memory that the next decoding takes back. */
static size_t decode_run(struct engine *e, const struct packet *packets, size_t count)
{
    size_t done = 0;
    bool reassembled = false;
    while (done < count && done < ENGINE_RUN && !reassembled) {
        struct layers *layers = &e->run[done].layers;
        decode_packet(e->decoder, &packets[done], layers);
        drop_padding(&packets[done], layers);
        if (has_flow(layers))
            duplicates_prefetch(e->duplicates, layers);
        reassembled = layers->was_fragmented;
        done++;
    }
    return done;
}

/* Whether the packet was there before, and which flow is its. */
static void look_up(struct engine *e, const struct packet *packet, struct engine_packet *at)
{
    const struct layers *l = &at->layers;
    if (has_flow(l)) {
        flow_key_make(&l->src, l->src_port, &l->dst, l->dst_port, l->ip_protocol, &at->key, &at->from_high);
        at->hash = flow_table_hash(e->table, &at->key);
        at->copy = copy_of(e, packet, l);
    } else if (is_icmp_error(l)) {
        at->copy = copy_of(e, packet, l);
    }
}

static void take(struct engine *e, const struct packet *packet, const struct engine_packet *at)
{
    const struct layers *layers = &at->layers;
    engine_count(e, packet, layers);
    sweep(e);
    if (layers->neighbor.present)
        neighbors_message(e->neighbors, packet, layers);
    if (has_flow(layers))
        on_flow_packet(e, packet, at);
    else if (is_icmp_error(layers) && at->copy == COPY_NONE)
        engine_icmp_error(e, packet, layers);
}

void engine_packets(struct engine *e, const struct packet *packets, size_t count)
{
    while (count > 0) {
        size_t run = decode_run(e, packets, count);
        for (size_t i = 0; i < run; i++)
            look_up(e, &packets[i], &e->run[i]);
        for (size_t i = 0; i < run; i++)
            take(e, &packets[i], &e->run[i]);
        packets += run;
        count -= run;
    }
}

void engine_finish(struct engine *e)
{
    size_t count = 0;
    struct flow **all = flow_table_all(e->table, &count);
    for (size_t i = 0; all != NULL && i < count; i++)
        engine_flow_finish(e, all[i], is_closed(all[i]) ? END_CLOSED : END_CAPTURE);
    free(all);
    neighbors_finish(e->neighbors, e->options.capture_id, &e->options.sink);
    paths_finish(e->paths, &e->options.sink);
    swarms_finish(e->swarms, &e->options.sink);
}
