/* Datagram services that do not answer. */
#include "diagnosis/site/verdict.h"

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

/* A port that is closed says so at once, when its host lets it. */
static const struct icmp_record *find_refusal(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        bool unreachable = r->family == 6 ? r->type == 1 : r->type == 3 && r->code != 4;
        if (unreachable && r->quoted_side == SIDE_CLIENT)
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

enum ruling verdict_datagrams(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (f->protocol != FACTS_PROTOCOL_UDP || address_is_multicast(&flow->server->address))
        return RULING_OK;
    if (f->packets[SIDE_CLIENT] == 0)
        return RULING_UNKNOWN;
    if (facts_has(f, FLOW_FACT_TRACEROUTE))
        return RULING_UNSOLICITED;
    bool watched = judge->profile != NULL &&
                   profile_service_of(judge->profile, f->protocol, &flow->server->address,
                                      f->port[SIDE_SERVER]) != NULL;
    if (!watched)
        return RULING_UNKNOWN;
    const struct icmp_record *r = find_refusal(flow);
    if (r != NULL)
        return refused(judge, flow, r, out);
    if (!asked_enough(flow) || !judge_absence_holds(judge, flow, f->first_ns))
        return RULING_UNKNOWN;
    *out = claim_start(FINDING_UDP_NO_ANSWER, flow);
    out->confidence = 65;
    out->reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    claim_add_number(out, "requests", (double)f->packets[SIDE_CLIENT]);
    claim_add_ms(out, "waited_ms", f->last_ns - f->first_ns);
    out->evidence = EVIDENCE(EVENT_DATAGRAM);
    return RULING_FAILED;
}
