/* The verdict about packets that are too large for the way. */
#include "diagnosis/site/mtu.h"
#include "diagnosis/site/verdict.h"

/* Tunnels take tens of bytes from 1500; below this a loss by size is no MTU. */
#define MTU_LOST_MIN 600u
/* IPv6's least MTU: what is smaller passes any tunnel. */
#define MTU_LOST_CERTAIN 1280u
/* No tunnel leaves more than this to what cannot be told. */
#define FULL_SIZE_LEAST 1400u
/* What timestamps take of each segment (RFC 7323 3.2, padded). */
#define TIMESTAMPS_LEN 12u
/* Connections of the pair whose sizes are looked at. */
#define PASSED_LOOKED_AT 256
#define UNHEEDED_CONFIDENCE 85
/* Some connections to the port carry what others lose: surer than a guess, no more. */
#define ONE_OF_PATHS_MOST 60

bool verdict_has_mtu_answer(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if ((r->family == 4 && r->type == 3 && r->code == 4) || (r->family == 6 && r->type == 2))
            return true;
    }
    return false;
}

/* Among what is lost was something small, the end of a flight or a FIN: it passes any MTU and makes
 * the other side repeat itself. Header sizes: IPv4 or IPv6, with timestamps or without. */
static bool small_one_lost(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side];
    static const uint32_t headers[] = {40, 52, 60, 72};
    if (s->fin_ns >= s->tail_first_ns)
        return true;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (s->smallest_lost > headers[i] &&
            s->unacked_bytes % (s->smallest_lost - headers[i]) == 0)
            return false;
    }
    return true;
}

/* The first large segments of a side leave again and again, and nothing as large ever arrived from
 * it on this path; what it sent before was small and got through. A peer that waits has nothing to
 * say. */
static bool first_large_lost(const struct flow_facts *f, enum side side)
{
    const struct tcp_side_facts *s = &f->tcp->side[side],
                                *peer = &f->tcp->side[side_other(side)];
    bool noticed = peer->duplicate_acks > 0 && peer->last_ns > s->tail_first_ns;
    return s->smallest_lost >= MTU_LOST_CERTAIN && s->tail_retransmissions >= FACTS_TRIES &&
           (side == SIDE_SERVER || s->largest_delivered > 0) &&
           (noticed || !small_one_lost(f, side));
}

/* Sizes of the direction that pass on the same way: in connections to the same port, and to any.
 * The pair's record holds all connections, flows only those in which something happened. */
struct passed {
    uint32_t service, pair;
};

static struct passed passed_elsewhere(const struct site_flow *flow, enum side side)
{
    struct passed out = {0, flow->pair->largest_passed[side]};
    struct flow_range range = flow->pair->flows;
    if (flow->pair->path != NULL && flow->pair->path->side[side].largest_passed > out.pair)
        out.pair = flow->pair->path->side[side].largest_passed;
    for (size_t i = 0; i < range.count && i < PASSED_LOOKED_AT; i++) {
        const struct flow_facts *f = &range.flows[i]->f;
        if (range.flows[i]->service != flow->service)
            continue;
        if (f->tcp->side[side].largest_delivered > out.service)
            out.service = f->tcp->side[side].largest_delivered;
        if (facts_is_plain(f) && f->payload[side] >= out.pair)
            out.service = out.pair; /* nothing happened to it: it sent as large ones as any */
    }
    return out;
}

/* So large a packet passes elsewhere on the way: one of several paths is narrow when it does to the
 * same port. Else the port tells them apart, and size is only one explanation. */
static uint8_t doubt_size(const struct passed *passed, uint32_t lost, uint8_t confidence)
{
    uint8_t most = passed->service >= lost ? ONE_OF_PATHS_MOST
                   : passed->pair >= lost  ? CONFIDENCE_POSSIBLE - 5
                                           : 100;
    return confidence < most ? confidence : most;
}

/* What a router said of the packets that are lost, and their sender did not heed: it went on with larger ones. */
static const struct icmp_record *unheeded(const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        const struct icmp_record *r = flow->icmp[i];
        if (mtu_is_named(r) && r->quoted_side == side && r->mtu < s->smallest_lost &&
            r->time_ns >= s->tail_first_ns && r->time_ns < s->tail_last_ns)
            return s->tail_retransmissions >= FACTS_TRIES ? r : NULL;
    }
    return NULL;
}

/* The tap sees the large segments leave, again and again, and the peer alive beside them. Returns
 * the confidence, 0 when it is nothing of the kind. */
static uint8_t sender_view(const struct judge *judge, const struct site_flow *flow, enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side];
    bool unfragmented = s->dont_fragment || flow->server->address.family == 6;
    bool told = unheeded(flow, side) != NULL;
    if (!verdict_tail_is_proven(judge, flow, side) || !unfragmented || (verdict_has_mtu_answer(flow) && !told))
        return 0;
    if (s->smallest_lost < MTU_LOST_MIN || s->smallest_lost <= s->largest_delivered)
        return 0;
    struct passed passed = passed_elsewhere(flow, side);
    if (told)
        return doubt_size(&passed, s->smallest_lost, UNHEEDED_CONFIDENCE);
    if (passed.pair >= s->smallest_lost && s->tail_retransmissions < FACTS_TRIES)
        return 0;
    if (f->tcp->side[side_other(side)].last_ns > verdict_in_flight_until(f, s->tail_first_ns))
        return doubt_size(&passed, s->smallest_lost, 85);
    return first_large_lost(f, side) && passed.pair < s->smallest_lost ? 65 : 0;
}

/* A full segment as an IP packet: what a hole that is never filled was made of. */
static uint32_t full_size(const struct site_flow *flow, enum side side)
{
    const struct tcp_side_facts *s = flow->f.tcp->side;
    uint32_t headers = flow->server->address.family == 6 ? 60 : 40;
    uint32_t mss =
        s[SIDE_CLIENT].mss < s[SIDE_SERVER].mss ? s[SIDE_CLIENT].mss : s[SIDE_SERVER].mss;
    return mss >= VERDICT_FULL_GAP && s[side].wire_gap_bytes + TIMESTAMPS_LEN >= mss ? mss + headers : 0;
}

/* It was heard long behind its last bytes: alive, it sent again what was missing, and nothing of that came. */
static bool went_on(const struct tcp_side_facts *sender)
{
    return sender->last_payload_ns >= 0 && sender->last_ns - sender->last_payload_ns >= FACTS_ABSENCE_NS;
}

/* The tap sees the small end of a flight arrive and the hole before it stay. */
static uint8_t receiver_view(const struct judge *judge, const struct site_flow *flow,
                             enum side side)
{
    const struct flow_facts *f = &flow->f;
    const struct tcp_side_facts *s = &f->tcp->side[side],
                                *peer = &f->tcp->side[side_other(side)];
    bool noticed = peer->duplicate_acks > 0 || f->payload[side] == 0;
    if (s->wire_gap_bytes < VERDICT_FULL_GAP || !noticed)
        return 0;
    int64_t since = s->last_payload_ns >= 0 ? s->last_payload_ns : f->tcp->established_ns;
    uint64_t hole = s->wire_gap_bytes < MTU_LOST_MIN ? MTU_LOST_MIN : s->wire_gap_bytes;
    uint32_t full = full_size(flow, side);
    uint32_t lost = full > 0 ? full : hole < FULL_SIZE_LEAST ? (uint32_t)hole : FULL_SIZE_LEAST;
    struct passed passed = passed_elsewhere(flow, side);
    if (passed.pair >= lost && !went_on(s))
        return 0;
    if (!facts_gave_up(f, side_other(side), since) && !facts_gave_up(f, side, since) &&
        !judge_absence_holds(judge, flow, since))
        return 0;
    return doubt_size(&passed, lost, 75);
}

/* One name of the server fails and others do not: a size would not care for names. */
static bool only_this_name(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return t != NULL && t->sni != NULL && flow->service->name_count > 0 &&
           !service_knows_name(flow->service, t->sni);
}

/* The largest size of this direction that is known to arrive, the smallest that does not, and what
 * lies between. */
static void add_sizes(struct judge *judge, const struct site_flow *flow, enum side side, bool sent,
                      struct claim *out)
{
    const struct tcp_side_facts *s = &flow->f.tcp->side[side];
    const struct path_sample_record *path = flow->pair->path;
    uint32_t lost = sent ? s->smallest_lost : full_size(flow, side);
    uint32_t passed = s->largest_delivered;
    const uint32_t others[] = {flow->pair->largest_passed[side],
                               path != NULL ? path->side[side].largest_passed : 0};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i] > passed && (lost == 0 || others[i] < lost))
            passed = others[i];
    }
    if (passed > 0)
        claim_add_number(out, "passed_bytes", passed);
    if (lost > 0) {
        claim_add_number(out, "lost_bytes", lost);
        claim_add_text(out, "tunnel", mtu_tunnels(judge, passed, lost));
    }
}

/* The word came by the tap: its addressee does not heed it, or something between tap and addressee takes it away. */
static void tell_unheeded(struct judge *judge, const struct site_flow *flow, enum side side, struct claim *out)
{
    static const enum rival server[] = {RIVAL_LOST_AFTER_TAP, RIVAL_SOFTWARE_FAULT, RIVAL_COUNT};
    static const enum rival client[] = {RIVAL_CLIENT_FIREWALL, RIVAL_SOFTWARE_FAULT, RIVAL_COUNT};
    const struct icmp_record *r = unheeded(flow, side);
    char text[ADDRESS_TEXT_SIZE];
    if (r == NULL)
        return;
    bool at_server = side == SIDE_SERVER && verdict_link_ns(flow->server) >= 0;
    out->culprit = at_server ? CULPRIT_SERVER : CULPRIT_UNKNOWN;
    out->reason = at_server ? NULL : text_get(TEXT_REASON_UNHEEDED, LANG_EN);
    out->rivals = judge_rivals(judge, side == SIDE_SERVER ? server : client);
    claim_add_number(out, "mtu", r->mtu);
    claim_add_text(out, "router",
                   arena_format(&judge->site->arena, "%s", address_to_text(&r->router_ip, text)));
    claim_add_text(out, "sender", verdict_side_word(side));
    claim_add_reference(out, r->source_id, r->frame, r->time_ns, EVENT_ICMP);
}

enum ruling verdict_mtu(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    const struct flow_facts *f = &flow->f;
    if (!facts_is_established(f))
        return RULING_PASS;
    for (int i = 0; i < 2; i++) {
        enum side side = i == 0 ? SIDE_CLIENT : SIDE_SERVER;
        const struct tcp_side_facts *s = &f->tcp->side[side];
        uint8_t sent = sender_view(judge, flow, side);
        uint8_t sure = sent > 0 ? sent : receiver_view(judge, flow, side);
        if (sure == 0)
            continue;
        int64_t since = sent > 0                  ? s->tail_first_ns
                        : s->last_payload_ns >= 0 ? s->last_payload_ns
                                                  : f->tcp->established_ns;
        *out = claim_start(FINDING_PATH_MTU_BLACKHOLE, flow);
        out->confidence = only_this_name(flow) && sure > 60 ? 60 : sure;
        out->weight = (double)(f->last_ns - since);
        add_sizes(judge, flow, side, sent > 0, out);
        if (sent > 0)
            tell_unheeded(judge, flow, side, out);
        claim_add_number(out, "retransmissions",
                         sent > 0 ? s->tail_retransmissions
                                  : f->tcp->side[side_other(side)].duplicate_acks);
        claim_add_ms(out, "waited_ms", f->last_ns - since);
        out->evidence =
            EVIDENCE(EVENT_RETRANSMISSION) | EVIDENCE(EVENT_DUPLICATE_ACK) | EVIDENCE(EVENT_GAP);
        if (sent == 0)
            out->evidence |= EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_REQUEST) |
                             EVIDENCE(EVENT_FIN) | EVIDENCE(EVENT_RST);
        return RULING_FAILED;
    }
    return RULING_PASS;
}
