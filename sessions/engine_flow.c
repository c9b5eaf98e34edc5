#include "sessions/engine_internal.h"

#include "core/heap.h"
#include "sessions/tcp_delay.h"

#include <stdio.h>
#include <string.h>

/* Some milliseconds each. */
#define EVICTED_PER_TRIM 16384

void engine_event(struct engine *e, struct flow *flow, enum event_kind kind, enum side side,
                  int64_t time_ns, int64_t frame, uint32_t source_id, uint32_t sequence,
                  uint32_t length)
{
    struct flow_event *event = events_next(&e->events, &flow->events);
    if (event == NULL)
        return;
    *event = (struct flow_event){.time_ns = time_ns,
                                 .frame = (uint32_t)frame,
                                 .sequence = sequence,
                                 .length = length & 0xfffffu,
                                 .source_id = (uint16_t)source_id,
                                 .kind = (uint8_t)kind,
                                 .side = (uint8_t)side};
}

void engine_event_note(struct flow *flow, enum event_note note, uint32_t reason)
{
    struct flow_event *event = events_last(&flow->events);
    if (event == NULL || (note == NOTE_NONE && reason == REASON_NONE))
        return;
    event->note = (uint32_t)note & 0x3fu;
    event->reason = reason & 0x3fu;
}

/* How likely a port is the listening one. */
static int listener_score(const struct engine *e, uint8_t protocol, const struct address *address,
                          uint16_t port)
{
    if (profile_service_of(e->options.profile, protocol, address, port) != NULL)
        return 3;
    return port < 1024 ? 2 : port < 32768 ? 1 : 0;
}

/* Without a SYN: the better listener is the server; equal ones leave the first sender as client. */
static bool first_sender_is_server(const struct engine *e, const struct layers *l)
{
    if (l->kind == LAYER_TCP && (l->tcp.flags & TCP_SYN) != 0)
        return (l->tcp.flags & TCP_ACK) != 0;
    if (l->kind != LAYER_TCP && l->kind != LAYER_UDP)
        return false;
    int src = listener_score(e, l->ip_protocol, &l->src, l->src_port);
    int dst = listener_score(e, l->ip_protocol, &l->dst, l->dst_port);
    if (src != dst)
        return src > dst;
    return false;
}

static const char *tunnel_text(struct engine *e, const struct layers *l)
{
    char text[48];
    if (l->tunnel_depth == 0 || l->tunnel == NULL || l->tunnel[0] == '\0')
        return NULL;
    if (l->tunnel_id != 0)
        (void)snprintf(text, sizeof text, "%s:%u", l->tunnel, l->tunnel_id);
    else
        (void)snprintf(text, sizeof text, "%s", l->tunnel);
    return intern_text(e->options.strings, text);
}

uint64_t engine_memory(const struct engine *e)
{
    return e->memory + e->stream_memory + e->state_memory;
}

/* Of the ceiling what others and the paths do not use, but never less than a quarter. */
static uint64_t memory_allowed(const struct engine *e)
{
    uint64_t all = e->options.memory_bytes, beside = paths_memory(e->paths);
    beside += e->options.beside != NULL ? *e->options.beside : 0;
    return beside < all - all / 4 ? all - beside : all / 4;
}

static void make_room(struct engine *e)
{
    uint64_t allowed = memory_allowed(e);
    while (engine_memory(e) >= allowed) {
        struct flow *flow = flow_table_victim(e->table);
        if (flow == NULL)
            return;
        if (flow->ended == NULL && ++e->counters.evicted_flows % EVICTED_PER_TRIM == 0)
            heap_trim(); /* what nDPI and streams had lies scattered */
        engine_flow_finish(e, flow, END_EVICTED);
    }
}

/* The path sees the SYN of hosts that it knows at once: what it learns depends on the order. */
static bool take_tcp(struct engine *e, struct flow *flow, const struct packet *packet,
                     const struct layers *layers)
{
    if (flow->path == NULL && seed_fits(layers) &&
        (flow->seed = pool_take_unset(&e->seeds)) != NULL) {
        seed_keep(flow->seed, packet, layers);
        return true;
    }
    flow->tcp = pool_take(&e->tcp_flows);
    if (flow->tcp != NULL)
        tcp_init(flow->tcp);
    return flow->tcp != NULL;
}

/* To whom the first packet goes on its network. */
static void note_next_hop(struct flow *flow, const struct layers *l)
{
    const uint8_t *mac = l->tunnel_depth == 0 ? l->dst_mac : l->inner_dst_mac;
    if (l->tunnel_depth == 0 ? l->has_mac : l->inner_mac_depth == l->tunnel_depth)
        memcpy(flow->side[SIDE_SERVER].mac, mac, sizeof l->dst_mac);
}

struct flow *engine_flow_open(struct engine *e, const struct flow_key *key, bool from_high,
                              const struct packet *packet, const struct layers *layers)
{
    make_room(e);
    struct flow *flow = flow_table_add(e->table, key, packet->time_ns);
    if (flow == NULL)
        return NULL;
    bool server_first = first_sender_is_server(e, layers);
    flow->client_is_high = from_high != server_first;
    flow->direction_guessed = layers->kind == LAYER_TCP && (layers->tcp.flags & TCP_SYN) == 0;
    flow->id = e->next_flow_id++;
    flow->first_ns = flow->last_ns = packet->time_ns;
    flow->first_frame = (int64_t)packet->frame;
    flow->first_source = packet->source_id;
    flow->vlan = layers->vlan;
    flow->tunnel = tunnel_text(e, layers);
    struct address client = flow_address(flow, SIDE_CLIENT), server = flow_address(flow, SIDE_SERVER);
    flow->resolved_name = resolved_find(e->resolved, &client, &server);
    flow->response_max_ns = RECORD_NONE_NS;
    flow->path = paths_find(e->paths, flow);
    if (layers->kind != LAYER_TCP) {
        flow_table_set_class(e->table, flow, CLASS_DATAGRAM, packet->time_ns);
    } else if (!take_tcp(e, flow, packet, layers)) {
        flow_table_remove(e->table, flow);
        return NULL;
    }
    if (!neighbors_is_empty(e->neighbors))
        note_next_hop(flow, layers);
    return flow;
}

bool engine_flow_stays_seed(const struct flow *flow, enum side side, const struct layers *l)
{
    return flow->seed != NULL && side == SIDE_SERVER && seed_place(flow->seed, l) != NULL;
}

bool engine_flow_keep_answer(struct engine *e, struct flow *flow, const struct packet *packet,
                             const struct layers *layers)
{
    struct syn_seed *seed = pool_take_unset(&e->seeds);
    if (seed == NULL)
        return false;
    seed_keep(seed, packet, layers);
    *seed_place(flow->seed, layers) = seed;
    flow_table_set_class(e->table, flow, CLASS_HALF_OPEN, e->now_ns);
    return true;
}

static struct syn_seed *drop_seed(struct engine *e, struct syn_seed *seed)
{
    struct syn_seed *next = seed->next;
    pool_give(&e->seeds, seed);
    return next;
}

bool engine_flow_hatch(struct engine *e, struct flow *flow)
{
    struct packet packet;
    struct layers layers;
    enum side side = SIDE_CLIENT;
    flow->tcp = pool_take(&e->tcp_flows);
    if (flow->tcp == NULL)
        return false;
    tcp_init(flow->tcp);
    for (; flow->seed != NULL; side = SIDE_SERVER) {
        seed_restore(flow->seed, &packet, &layers);
        flow->seed = drop_seed(e, flow->seed);
        engine_on_seed(e, flow, side, &packet, &layers);
    }
    return true;
}

static void fill_record(struct engine *e, struct flow *flow, enum end_reason end,
                        struct flow_record *out)
{
    *out = (struct flow_record){
        .id = flow->id,
        .capture_id = e->options.capture_id,
        .source_id = flow->first_source,
        .first_frame = flow->first_frame,
        .first_ns = flow->first_ns,
        .last_ns = flow->last_ns,
        .protocol = flow->key.protocol,
        .client_ip = flow_address(flow, SIDE_CLIENT),
        .server_ip = flow_address(flow, SIDE_SERVER),
        .client_port = flow_port(flow, SIDE_CLIENT),
        .server_port = flow_port(flow, SIDE_SERVER),
        .vlan = flow->vlan,
        .tunnel = flow->tunnel,
        .app = flow->app,
        .ndpi_protocol = flow->ndpi_protocol,
        .ndpi_risk = flow->ndpi_risk,
        .name = flow->name != NULL ? flow->name : flow->resolved_name,
        .client_packets = flow->side[SIDE_CLIENT].packets,
        .server_packets = flow->side[SIDE_SERVER].packets,
        .client_bytes = flow->side[SIDE_CLIENT].bytes,
        .server_bytes = flow->side[SIDE_SERVER].bytes,
        .client_ttl = flow->side[SIDE_CLIENT].ttl,
        .server_ttl = flow->side[SIDE_SERVER].ttl,
        .end = (uint8_t)end,
        .closed_by = SIDE_NONE,
        .connect_rtt_server_ns = RECORD_NONE_NS,
        .connect_rtt_client_ns = RECORD_NONE_NS,
        .rtt_min_client_ns = RECORD_NONE_NS,
        .rtt_min_server_ns = RECORD_NONE_NS,
        .request_count = flow->request_count,
        .response_max_ns = flow->response_max_ns,
        .facts = flow->facts,
    };
    if (flow->direction_guessed)
        out->facts |= FLOW_FACT_DIRECTION_GUESSED;
    const struct profile_service *service =
        profile_service_of(e->options.profile, out->protocol, &out->server_ip, out->server_port);
    if (service != NULL) {
        out->service = service->name;
        out->service_class = service->class_name;
    }
    (void)community_id(&out->client_ip, out->client_port, &out->server_ip, out->server_port,
                       out->protocol, out->community_id);
}

/* Zeek's states of datagram flows. */
static void datagram_state(struct flow_record *out)
{
    const char *state = out->client_packets > 0 && out->server_packets > 0 ? "SF"
                        : out->client_packets > 0                          ? "S0"
                                                                           : "SHR";
    (void)snprintf(out->state, sizeof out->state, "%s", state);
    (void)snprintf(out->history, sizeof out->history, "%s%s", out->client_packets > 0 ? "D" : "",
                   out->server_packets > 0 ? "d" : "");
}

static void count_flow(struct engine *e, const struct flow_record *out)
{
    struct capture_record *c = &e->counters;
    if (out->protocol == 17)
        c->udp_flows++;
    if (out->protocol != 6) {
        c->other_flows += out->protocol != 17;
        return;
    }
    c->tcp_connections++;
    if ((out->facts & FLOW_FACT_MIDSTREAM) != 0)
        c->midstream_flows++;
    if ((out->facts & FLOW_FACT_UNSEEN_PEER) != 0)
        c->one_sided_flows++;
    else if (out->client_packets > 0 && out->server_packets > 0)
        c->two_sided_flows++;
}

static void tell_neighbors(struct engine *e, const struct flow *flow)
{
    if (neighbors_is_empty(e->neighbors))
        return;
    for (int s = 0; s < 2; s++) {
        struct address ip = flow_address(flow, (enum side)s);
        if (flow->side[s].has_mac && flow->side[s].mac_packets > 0)
            neighbors_frames(e->neighbors, &ip, flow->side[s].mac, flow->side[s].mac_packets,
                             flow->side[s].mac_first_ns, flow->side[s].mac_last_ns);
    }
}

/* For protocols that no dissector speaks for: who had the last word. One that only ever listens (a
 * log sink) owes no answer. */
static void generic_request_state(const struct flow *flow, struct flow_record *out)
{
    const struct tcp_flow *tcp = flow->tcp;
    if (flow->app != NULL)
        return;
    bool dialogue = tcp->dir[SIDE_SERVER].facts.segments > 0;
    if (tcp->last_payload_side == SIDE_CLIENT && dialogue)
        out->facts |= FLOW_FACT_REQUEST_OPEN;
    else if (tcp->last_payload_side == SIDE_SERVER && tcp->dir[SIDE_CLIENT].facts.segments > 0)
        out->facts |= FLOW_FACT_ANSWERED;
}

static enum end_why why_of(const struct flow_record *out, enum end_reason end)
{
    if (out->client_resets + out->server_resets > 0)
        return DISSECTOR_END_RST;
    if (end == END_CLOSED)
        return DISSECTOR_END_FIN;
    return end == END_TIMEOUT ? DISSECTOR_END_TIMEOUT : DISSECTOR_END_CAPTURE;
}

/* One of too many attempts of a flood or scan has no row of its own. */
static void put_or_count(struct engine *e, const struct flow *flow, struct flow_bundle *bundle)
{
    bool alone = !flow->referenced && bundle->tls == NULL && flow->datagram == NULL;
    if (alone && swarms_take(e->swarms, bundle->flow, bundle->tcp, bundle->reset_count > 0))
        e->counters.counted_flows++;
    else
        sink_put(&e->options.sink, RECORD_FLOW, bundle);
}

/* What tells one stack from another: which options the server put in which order, and its scale, to
 * what a client offered. Sizes belong to the way, not to the machine. */
static const char *synack_text(struct engine *e, const struct tcp_flow *tcp)
{
    char text[2 * sizeof tcp->dir[0].facts.options + 16];
    if (tcp == NULL || !tcp->synack_seen || tcp->facts.syn_count == 0)
        return NULL;
    const struct tcp_side_facts *server = &tcp->dir[SIDE_SERVER].facts;
    int len = snprintf(text, sizeof text, "%s", server->options);
    if (server->window_scale >= 0)
        len += snprintf(text + len, sizeof text - (size_t)len, ";%d", (int)server->window_scale);
    (void)snprintf(text + len, sizeof text - (size_t)len, "/%s", tcp->dir[SIDE_CLIENT].facts.options);
    return intern_text(e->options.strings, text);
}

/* Its last packet passed long ago. */
static void fetch(const struct flow *flow)
{
    pool_prefetch(flow->tcp, sizeof *flow->tcp);
    pool_prefetch(flow->delay, sizeof *flow->delay);
    pool_prefetch(flow->tls, sizeof *flow->tls);
    pool_prefetch(flow->events.at, flow->events.capacity * sizeof *flow->events.at);
}

static void decide_holes(struct engine *e, struct flow *flow)
{
    for (int s = 0; s < 2; s++) {
        struct tcp_verdict v = {0};
        tcp_decide_holes_at_end(flow->tcp, (enum side)s, e->now_ns, &e->tcp_env, &v);
        if (v.gap_to[s] <= 0)
            continue;
        engine_event(e, flow, EVENT_GAP, (enum side)s, flow->last_ns, 0, flow->first_source,
                     (uint32_t)v.gap_to[s], 0);
        engine_event_note(flow, v.gap_note[s], REASON_NONE);
        engine_app_gap(e, flow, (enum side)s, v.gap_to[s]);
    }
}

void engine_flow_put(struct engine *e, struct flow *flow, enum end_reason end)
{
    struct flow_record record;
    struct flow_tcp_record tcp;
    struct flow_event events[FLOW_EVENTS_MAX];
    struct tls_certificate_record certificates[ENGINE_CERTIFICATES];
    struct flow_bundle bundle = {.flow = &record};
    fetch(flow);
    bool hatched = flow->seed == NULL || engine_flow_hatch(e, flow);
    while (!hatched && flow->seed != NULL)
        flow->seed = drop_seed(e, flow->seed);
    if (flow->tcp != NULL) {
        decide_holes(e, flow);
        record.client_resets = flow->tcp->dir[SIDE_CLIENT].facts.rst_count;
        record.server_resets = flow->tcp->dir[SIDE_SERVER].facts.rst_count;
        engine_app_close(e, flow, why_of(&record, end), certificates,
                         &bundle.tls_certificate_count);
    } else {
        engine_datagram_close(e, flow, certificates, &bundle.tls_certificate_count);
    }
    if (flow->ndpi != NULL)
        engine_ndpi(e, flow, NULL, NULL, SIDE_NONE, -1);
    fill_record(e, flow, end, &record);
    if (flow->tcp != NULL) {
        generic_request_state(flow, &record);
        bool happened = tcp_close(flow->tcp, flow, end, &record, &tcp);
        /* A handshake that did not end well, or words that nobody answered, are judged by who
         * closed, and when. */
        if (happened || (flow->tls != NULL && !flow->tls->established) ||
            record.server_payload_bytes == 0)
            bundle.tcp = &tcp;
        record.has_tcp = bundle.tcp != NULL;
        bundle.resets = tcp_resets(flow->tcp, flow, &bundle.reset_count);
    } else {
        datagram_state(&record);
    }
    paths_note_flow(e->paths, flow, &record, flow->tcp != NULL ? &tcp : NULL);
    bundle.tls = flow->tls;
    if (flow->tls != NULL) {
        flow->tls->flow_id = flow->id;
        flow->tls->synack = synack_text(e, flow->tcp);
        e->counters.tls_keyed += flow->tls->decryption != TLS_DECRYPTION_NONE;
        e->counters.tls_decrypted += flow->tls->decryption >= TLS_DECRYPTION_PARTLY;
        e->counters.tls_unsupported += flow->tls->decryption == TLS_DECRYPTION_UNSUPPORTED;
    }
    bundle.tls_certificates = certificates;
    bundle.events = events;
    bundle.event_count = events_copy(&flow->events, events);
    engine_delay_finish(e, flow);
    count_flow(e, &record);
    tell_neighbors(e, flow);
    put_or_count(e, flow, &bundle);
    if (flow->tcp != NULL)
        tcp_release(flow->tcp, &e->tcp_env);
    pool_give(&e->tcp_flows, flow->tcp);
    pool_give(&e->tls_records, flow->tls);
    flow->tcp = NULL;
    flow->tls = NULL;
    events_release(&e->events, &flow->events);
}

void engine_flow_finish(struct engine *e, struct flow *flow, enum end_reason end)
{
    if (flow->ended != NULL) {
        engine_ended_forget(e, flow);
        return;
    }
    engine_flow_put(e, flow, end);
    flow_table_remove(e->table, flow);
}
