/* Datagram services that do not answer, and handshakes of QUIC and DTLS. */
#include "diagnosis/site/verdict_icmp.h"

#define REQUESTS_MIN 3
#define SPAN_MIN_NS (3 * FACTS_SECOND)

/* One flow asked often enough, or all clients together and none of them ever heard anything:
 * resolvers take a new port for every question. */
static bool asked_enough(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct site_service *service = flow->service;
    if (f->packets[SIDE_CLIENT] >= REQUESTS_MIN && f->last_ns - f->first_ns >= SPAN_MIN_NS)
        return true;
    return service->two_sided == 0 && service->asked_packets >= REQUESTS_MIN &&
           service->last_ns - service->flows.flows[0]->f.first_ns >= SPAN_MIN_NS;
}

/* ---- answers that come by another way -------------------------------------------------------- */

/* They come soon, and may belong to a conversation that began before. */
#define OTHERWISE_BEFORE_NS (60 * FACTS_SECOND)
#define OTHERWISE_AFTER_NS (5 * FACTS_SECOND)
#define OTHERWISE_LOOKED_AT 256

/* One datagram conversation beside the unanswered one, seen from the host at `side`. */
struct beside {
    const struct site_flow *flow;
    enum side side;
};

static bool is_beside(const struct site_flow *flow, const struct site_flow *other)
{
    return other != flow && other->f.protocol == FACTS_PROTOCOL_UDP &&
           other->f.last_ns >= flow->f.first_ns;
}

/* The host that was asked speaks to the port that asked (a new port for each transfer: RFC 1350 4), or from the
 * port that was asked: to another port of the asker, or to a group that hears it all. */
static bool speaks_from_server(const struct site_flow *flow, struct beside b)
{
    const struct flow_facts *o = &b.flow->f;
    enum side peer = side_other(b.side);
    const struct site_host *to = peer == SIDE_SERVER ? b.flow->server : b.flow->client;
    if (o->packets[b.side] == 0)
        return false;
    bool from_port = o->port[b.side] == flow->f.port[SIDE_SERVER];
    if (to == flow->client)
        return from_port || o->port[peer] == flow->f.port[SIDE_CLIENT];
    return from_port && address_is_multicast(&to->address);
}

/* Somebody who was not asked speaks to the port that asked, from a port as it was asked: another address of the
 * same machine. */
static bool speaks_unasked(const struct site_flow *flow, struct beside b)
{
    const struct flow_facts *o = &b.flow->f;
    enum side peer = side_other(b.side);
    return o->packets[b.side] == 0 && o->packets[peer] > 0 &&
           o->port[b.side] == flow->f.port[SIDE_CLIENT] && o->port[peer] == flow->f.port[SIDE_SERVER];
}

static bool any_beside(const struct site_flow *flow, struct flow_range range, enum side side,
                       bool (*fits)(const struct site_flow *, struct beside))
{
    size_t at = range_find_time(range, flow->f.first_ns - OTHERWISE_BEFORE_NS);
    for (size_t seen = 0; at < range.count && seen < OTHERWISE_LOOKED_AT; at++, seen++) {
        const struct site_flow *other = range.flows[at];
        if (other->f.first_ns > flow->f.last_ns + OTHERWISE_AFTER_NS)
            return false;
        if (is_beside(flow, other) && fits(flow, (struct beside){other, side}))
            return true;
    }
    return false;
}

static bool is_answered_otherwise(const struct judge *judge, const struct site_flow *flow)
{
    const struct site *site = judge->site;
    return any_beside(flow, flow->pair->flows, SIDE_SERVER, speaks_from_server) ||
           any_beside(flow, site_client_flows(site, flow->server), SIDE_CLIENT, speaks_from_server) ||
           any_beside(flow, site_client_flows(site, flow->client), SIDE_CLIENT, speaks_unasked) ||
           any_beside(flow, site_server_flows(site, flow->client), SIDE_SERVER, speaks_unasked);
}

/* Who asks waits for the answer, and asks again in a second at the earliest (RFC 1035 4.2.1 2 s, RFC 5080 2.2.1
 * 2 s); a stream to a port that never answers anybody may expect no answer at all. */
#define STREAM_LEAST 10
#define STREAM_GAP_NS FACTS_SECOND

static bool may_be_stream(const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return flow->service->two_sided == 0 && f->packets[SIDE_CLIENT] >= STREAM_LEAST &&
           f->last_ns - f->first_ns < (int64_t)f->packets[SIDE_CLIENT] * STREAM_GAP_NS;
}

static bool is_refusal(const struct icmp_record *r)
{
    return r->family == 6 ? r->type == 1 : r->type == 3 && r->code != 4;
}

/* What comes from the port of a service may be its answer, to a question that the capture has not or that somebody
 * forged (reflection); ends that use one port for both (NTP, old resolvers) ask from it, too. */
static bool may_be_answers(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    const struct profile *profile = judge->profile != NULL ? judge->profile : profile_builtin();
    return f->port[SIDE_CLIENT] != f->port[SIDE_SERVER] &&
           profile_service_of(profile, f->protocol, &flow->client->address, f->port[SIDE_CLIENT]) != NULL;
}

/* A port that is closed says so at once, when its host lets it. */
static const struct icmp_record *find_refusal(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if (is_refusal(r) && r->quoted_side == SIDE_CLIENT)
            return r;
    }
    return NULL;
}

static bool is_route_fault(const struct icmp_record *r)
{
    return r->family == 6 ? r->code == 0 || r->code == 3 : r->code <= 1;
}

static enum ruling refused(struct judge *judge, const struct site_flow *flow,
                           const struct icmp_record *r, struct claim *out)
{
    char text[ADDRESS_TEXT_SIZE];
    struct arena *arena = &judge->site->arena;
    bool own = address_equal(&r->router_ip, &flow->server->address);
    *out = claim_start(FINDING_CONN_ICMP_UNREACHABLE, flow);
    out->culprit = own ? CULPRIT_SERVER : is_route_fault(r) ? CULPRIT_NETWORK : CULPRIT_MIDDLEBOX;
    claim_add_text(out, "router", arena_format(arena, "%s", address_to_text(&r->router_ip, text)));
    claim_add_text(
        out, "icmp",
        arena_format(arena, "%s %u/%u", r->family == 6 ? "ICMPv6" : "ICMP", r->type, r->code));
    claim_add_ms(out, "reply_ms", r->time_ns - flow->f.first_ns);
    claim_add_reference(out, r->source_id, r->frame, r->time_ns, EVENT_ICMP);
    out->evidence = EVIDENCE(EVENT_DATAGRAM) | EVIDENCE(EVENT_ICMP);
    return RULING_FAILED;
}

/* ---- QUIC and DTLS --------------------------------------------------------------------------- */

/* Clients that get no QUIC through ask again over TCP, at once or after some seconds. */
#define FALLBACK_BEFORE_NS (10 * FACTS_SECOND)
#define FALLBACK_AFTER_NS (30 * FACTS_SECOND)
#define FALLBACK_NEIGHBORS 256

static bool falls_back(const struct judge *judge, const struct site_flow *flow)
{
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, flow->f.first_ns - FALLBACK_BEFORE_NS);
    for (size_t seen = 0; at < range.count && seen < FALLBACK_NEIGHBORS; at++, seen++) {
        const struct site_flow *other = range.flows[at];
        if (other->f.first_ns > flow->f.last_ns + FALLBACK_AFTER_NS)
            return false;
        if (facts_is_tcp(&other->f) && other->server == flow->server && other->f.tls != NULL &&
            other->f.tls->established)
            return true;
    }
    return false;
}

/* Over its own tries, or over those of all clients where only these were enough. */
static int64_t waited_for(const struct site_flow *flow)
{
    int64_t own = flow->f.last_ns - flow->f.first_ns;
    return own >= SPAN_MIN_NS ? own
                              : flow->service->last_ns - flow->service->flows.flows[0]->f.first_ns;
}

static void start_no_answer(const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    *out = claim_start(FINDING_UDP_NO_ANSWER, flow);
    out->confidence = 65;
    out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    claim_add_number(out, "requests", (double)f->packets[SIDE_CLIENT]);
    claim_add_ms(out, "waited_ms", waited_for(flow));
    out->evidence = EVIDENCE(EVENT_DATAGRAM) | EVIDENCE(EVENT_CLIENT_HELLO);
}

/* A hello that the server of that port answers to nobody. That it answers others but not this one
 * may have many reasons, and proves none. */
static enum ruling hello_unheard(struct judge *judge, const struct site_flow *flow,
                                 struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (f->tls->client_hello_ns < 0 || facts_has(f, FLOW_FACT_UNSEEN_PEER))
        return RULING_UNKNOWN;
    const struct icmp_record *r = find_refusal(flow);
    if (r != NULL)
        return refused(judge, flow, r, out);
    if (flow->service->two_sided > 0 || !asked_enough(flow) ||
        !judge_absence_holds(judge, flow, f->first_ns))
        return RULING_UNKNOWN;
    start_no_answer(flow, out);
    claim_add_text(out, "protocol", f->tls->quic ? "QUIC" : "DTLS");
    if (falls_back(judge, flow))
        claim_add_text(out, "fallback", "TLS over TCP");
    return RULING_FAILED;
}

/* Only what both ends said or a readable alert decides; all else may have ended well out of sight.
 */
static enum ruling judge_handshake(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    const struct tls_facts *t = f->tls;
    if (t->established || (t->has_client_app && t->has_server_app))
        return RULING_OK;
    if (f->packets[SIDE_SERVER] == 0)
        return hello_unheard(judge, flow, out);
    return verdict_alert(judge, flow, out) == RULING_FAILED ? RULING_FAILED : RULING_UNKNOWN;
}

enum ruling verdict_datagrams(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (facts_is_icmp(f)) /* a question without its answer says nothing of connections */
        return facts_asks_by_icmp(f) && !address_is_multicast(&flow->server->address) ? RULING_UNKNOWN
                                                                                       : RULING_UNSOLICITED;
    if (f->protocol != FACTS_PROTOCOL_UDP || address_is_multicast(&flow->server->address))
        return RULING_OK;
    if (f->packets[SIDE_CLIENT] == 0)
        return RULING_UNKNOWN;
    if (facts_has(f, FLOW_FACT_TRACEROUTE))
        return RULING_UNSOLICITED;
    if (f->tls != NULL)
        return judge_handshake(judge, flow, out);
    if (judge_profile_service(judge, flow) == NULL)
        return RULING_UNKNOWN;
    const struct icmp_record *r = find_refusal(flow);
    if (r != NULL)
        return refused(judge, flow, r, out);
    if (facts_has(f, FACTS_ONE_WAY) || !asked_enough(flow) || may_be_answers(judge, flow) ||
        !judge_absence_holds(judge, flow, f->first_ns) || is_answered_otherwise(judge, flow) ||
        verdict_cut_icmp(judge, flow, is_refusal) != NULL)
        return RULING_UNKNOWN;
    start_no_answer(flow, out);
    if (may_be_stream(flow)) {
        static const enum rival rivals[] = {RIVAL_ONE_WAY_PROTOCOL, RIVAL_SILENT_FIREWALL,
                                            RIVAL_SERVICE_STOPPED, RIVAL_COUNT};
        out->rivals = judge_rivals(judge, rivals);
        out->severity = SEVERITY_LOW;
        out->confidence = CONFIDENCE_POSSIBLE - 10;
    }
    return RULING_FAILED;
}
