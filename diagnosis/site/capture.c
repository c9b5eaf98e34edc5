/* What is wrong with the capture itself, and what it therefore cannot prove. */
#include "diagnosis/site/judge.h"

#include <string.h>

/* Zeek warns from 1 % on; an absence is not believed where one packet in twenty is missing. */
/* FINDINGS.md: delivered twice on 1-50 % of packets is the network, above 90 % the mirror. In
 * between nobody can tell; the capture is suspected, which accuses no one. */
#define DUPLICATION_LEAST 0.01
#define DUPLICATION_MOST 0.5
#define DUPLICATION_PACKETS 3
#define LOSS_WORTH_MEDIUM 0.001
#define LOSS_HEAVY 0.05
#define LOSS_DEEP 0.1
/* Fewer segments do not tell a twentieth from a tenth. */
#define LOSS_FEW 100
/* "Nearly the whole capture": nine connections in ten. */
#define ONE_SIDED_SHARE 0.9
/* Lone packets in such numbers are a flood, beside connections that were seen from both sides. */
#define LONE_PACKETS 2
#define LONE_FLOOD 1000
/* A busy capture of this length holds ARP, DNS or ICMP unless something left them out. */
#define FILTER_CONNECTIONS 20
#define FILTER_NS (60 * FACTS_SECOND)
/* FINDINGS.md: a mirror shows more than 90 % twice. */
#define CLEAN_COPIES 0.9
#define ETHERNET_IP_LEN 1514u
/* Backward steps below this change no duration that a finding is made of. */
#define DISORDER_MATTERS_NS (100 * FACTS_MS)
/* Fewer segments behind their acknowledgment may be lost ones that came again for nothing. */
#define DISORDERED_LEAST 3
#define DISORDERED_SHARE 0.001

static struct claim start(const struct judge *judge, enum finding_code code)
{
    struct claim claim = claim_start(code, NULL);
    claim.first_ns = judge->site->capture.first_ns;
    claim.last_ns = judge->site->capture.last_ns;
    return claim;
}

static void found(struct judge *judge, const struct claim *claim)
{
    judge->quality.found[claim->code] = true;
    judge_claim(judge, claim);
}

static double share_of(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : part > 0 ? 1.0 : 0.0;
}

/* Where the first gaps showed; in a long connection the ladder no longer holds them. */
static void point_at_gaps(const struct site *site, struct claim *claim)
{
    for (size_t i = 0; i < site->flow_count && claim->reference_count < CLAIM_REFERENCES; i++) {
        const struct flow_facts *f = &site->flows[i]->f;
        uint8_t before = claim->reference_count;
        for (size_t j = 0; f->capture_lost_bytes > 0 && j < f->event_count; j++) {
            const struct flow_event *event = &f->events[j];
            if (event->kind == EVENT_GAP)
                claim_add_reference(claim, event->source_id, event->frame, event->time_ns,
                                    EVENT_GAP);
        }
        if (f->capture_lost_bytes > 0 && claim->reference_count == before)
            claim_add_reference(claim, f->source_id, f->first_frame, f->first_ns, EVENT_DATA);
    }
}

/* Longer than a SYN-ACK takes: later in the capture its SYN was not before the capture's time. */
#define OPENING_NS FACTS_SECOND

/* A SYN or a SYN-ACK must have been there. */
static bool misses_opening(const struct judge *judge, const struct flow_facts *f)
{
    if (facts_is_established(f) && f->tcp->syn_count > 0 && f->tcp->synack_count == 0)
        return true;
    return facts_is_tcp(f) && f->tcp->syn_count == 0 && f->tcp->synack_count > 0 && facts_is_two_sided(f) &&
           judge->site->has_capture && f->first_ns - judge->site->capture.first_ns > OPENING_NS;
}

/* As many connections of two hosts are looked at. */
#define PAIR_LOOKED_AT 256

/* Of one connection a side is missing, of others between the same hosts it is not: that is no way that passes the tap
 * in one direction. */
static bool misses_side(const struct site_flow *flow)
{
    const struct flow_range range = flow->pair->flows;
    if (!facts_is_tcp(&flow->f) || !facts_has(&flow->f, FLOW_FACT_UNSEEN_PEER))
        return false;
    for (size_t i = 0; i < range.count && i < PAIR_LOOKED_AT; i++) {
        if (facts_is_tcp(&range.flows[i]->f) && facts_is_two_sided(&range.flows[i]->f))
            return true;
    }
    return false;
}

/* Taken up in the middle of an answer, long after the capture began: its question came before, and was not seen. */
static bool misses_question(const struct judge *judge, const struct flow_facts *f)
{
    return facts_is_midstream(f) && facts_is_two_sided(f) && facts_is_dialogue(f) && judge->site->has_capture &&
           facts_has(f, FLOW_FACT_SERVER_SPOKE_FIRST) && f->first_ns - judge->site->capture.first_ns > OPENING_NS;
}

static bool is_torn(const struct judge *judge, const struct site_flow *flow)
{
    const struct flow_facts *f = &flow->f;
    return facts_is_torn(f) || misses_opening(judge, f) || misses_side(flow) || misses_question(judge, f);
}

/* So few torn connections are an accident of single ones. */
#define TORN_FEW 2

/* Acknowledged bytes that nobody saw, drops that were counted, packets of single connections that must have been there.
 */
static void look_for_holes(struct judge *judge)
{
    const struct site *site = judge->site;
    struct capture_quality *q = &judge->quality;
    int64_t torn = 0, connections = 0;
    q->misses_packets |= site->has_capture && site->capture.gaps > 0;
    for (size_t i = 0; i < site->source_count; i++)
        q->misses_packets |= site->sources[i]->dropped_kernel > 0 || site->sources[i]->dropped_interface > 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        connections += facts_is_tcp(&site->flows[i]->f);
        torn += is_torn(judge, site->flows[i]);
        q->misses_packets |= site->flows[i]->f.capture_lost_bytes > 0;
    }
    q->misses_packets |= torn > 0;
    q->torn = share_of(torn, connections);
    q->deep_loss |= torn >= TORN_FEW && q->torn >= LOSS_DEEP;
}

/* RFC 3173: segments that are there and cannot be read. */
#define PROTOCOL_IPCOMP 108

static int64_t compressed_packets(const struct site *site)
{
    int64_t count = 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct flow_facts *f = &site->flows[i]->f;
        if (f->protocol == PROTOCOL_IPCOMP)
            count += (int64_t)(f->packets[0] + f->packets[1]);
    }
    return count;
}

static void find_loss(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    if (c->gaps <= 0)
        return;
    double share = share_of(c->gaps, c->acked_segments > c->gaps ? c->acked_segments : c->gaps);
    struct claim claim = start(judge, FINDING_CAPTURE_LOSS);
    if (share < LOSS_WORTH_MEDIUM || compressed_packets(judge->site) >= c->gaps)
        claim.severity = SEVERITY_LOW;
    claim.count = c->gaps;
    claim_add_number(&claim, "share", share * 100);
    claim_add_number(&claim, "lost_bytes", (double)c->gap_bytes);
    point_at_gaps(judge->site, &claim);
    judge->quality.heavy_loss |= share >= LOSS_HEAVY;
    judge->quality.deep_loss |= share >= LOSS_DEEP || (share >= LOSS_HEAVY && c->acked_segments < LOSS_FEW);
    found(judge, &claim);
}

static void find_drops(struct judge *judge)
{
    const struct site *site = judge->site;
    int64_t dropped = 0, packets = 0;
    for (size_t i = 0; i < site->source_count; i++) {
        const struct source_record *source = site->sources[i];
        dropped += source->dropped_kernel > 0 ? source->dropped_kernel : 0;
        dropped += source->dropped_interface > 0 ? source->dropped_interface : 0;
        packets += source->packets;
    }
    if (dropped == 0)
        return;
    double share = share_of(dropped, dropped + packets);
    struct claim claim = start(judge, FINDING_CAPTURE_DROPPED);
    if (share < LOSS_WORTH_MEDIUM)
        claim.severity = SEVERITY_LOW;
    claim_add_number(&claim, "dropped", (double)dropped);
    claim_add_number(&claim, "share", share * 100);
    judge->quality.heavy_loss |= share >= LOSS_HEAVY;
    judge->quality.deep_loss |= share >= LOSS_DEEP;
    found(judge, &claim);
}

static void find_snaplen(struct judge *judge)
{
    const struct site *site = judge->site;
    int64_t snaplen = 0;
    if (site->capture.truncated_packets <= 0)
        return;
    for (size_t i = 0; i < site->source_count; i++) {
        int64_t own = site->sources[i]->snaplen;
        if (own > 0 && (snaplen == 0 || own < snaplen))
            snaplen = own;
    }
    struct claim claim = start(judge, FINDING_CAPTURE_SNAPLEN);
    if (snaplen > 0)
        claim_add_number(&claim, "snaplen", (double)snaplen);
    claim_add_number(&claim, "cut", (double)site->capture.truncated_packets);
    found(judge, &claim);
}

static void find_offload(struct judge *judge)
{
    const struct site *site = judge->site;
    uint32_t largest = 0;
    if (site->capture.oversize_segments <= 0 && site->capture.offload_checksums <= 0)
        return;
    for (size_t i = 0; i < site->flow_count; i++) {
        for (int s = 0; s < 2; s++) {
            uint32_t own = site->flows[i]->f.tcp->side[s].largest_delivered;
            largest = own > largest ? own : largest;
        }
    }
    struct claim claim = start(judge, FINDING_CAPTURE_OFFLOAD);
    if (largest > ETHERNET_IP_LEN)
        claim_add_number(&claim, "largest_bytes", (double)largest);
    claim_add_number(&claim, "packets",
                     (double)(site->capture.oversize_segments + site->capture.offload_checksums));
    found(judge, &claim);
}

/* Packets that come twice here and there were delivered twice by the network; a mirror doubles all.
 */
static bool is_network_duplication(const struct capture_record *c, double share)
{
    return c->routed_packets == 0 && share <= DUPLICATION_MOST;
}

static void find_duplicates(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    int64_t copies = c->duplicate_packets + c->routed_packets;
    double share = share_of(copies, c->packets - copies);
    if (copies <= 0)
        return;
    if (is_network_duplication(c, share)) {
        if (share < DUPLICATION_LEAST || copies < DUPLICATION_PACKETS)
            return;
        struct claim claim = start(judge, FINDING_TCP_DUPLICATION);
        claim.confidence = 75;
        claim_add_number(&claim, "share", share * 100);
        claim_add_number(&claim, "duplicates", (double)copies);
        judge_claim(judge, &claim);
        return;
    }
    struct claim claim = start(judge, FINDING_CAPTURE_DUPLICATES);
    if (c->routed_packets == 0 && share < CLEAN_COPIES)
        claim.confidence = 45;
    judge->quality.clean_copies = share >= CLEAN_COPIES;
    claim_add_text(&claim, "kind", c->duplicate_packets >= c->routed_packets ? "mirror" : "routed");
    claim_add_number(&claim, "share", share_of(copies, c->packets) * 100);
    if (c->routed_packets > 0)
        claim_add_ms(&claim, "delay_ms", c->routed_delay_ns);
    found(judge, &claim);
}

static void find_midstream(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    if (c->midstream_flows <= 0)
        return;
    struct claim claim = start(judge, FINDING_CAPTURE_MIDSTREAM);
    claim_add_number(&claim, "connections", (double)c->midstream_flows);
    found(judge, &claim);
}

/* Packets of queues out of step: their order means nothing, their times are off by little. */
static void find_disorder(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    if (c->disordered_segments < DISORDERED_LEAST ||
        share_of(c->disordered_segments, c->acked_segments) < DISORDERED_SHARE)
        return;
    struct claim claim = start(judge, FINDING_CAPTURE_TIME);
    claim.severity = SEVERITY_INFO;
    claim_add_text(&claim, "kind", "disorder");
    claim_add_number(&claim, "packets", (double)c->disordered_segments);
    judge_claim(judge, &claim);
}

static void find_time(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    if (c->backward_times <= 0 && c->time_jumps <= 0) {
        find_disorder(judge);
        return;
    }
    struct claim claim = start(judge, FINDING_CAPTURE_TIME);
    bool matters = c->time_jumps > 0 || c->largest_backward_ns >= DISORDER_MATTERS_NS;
    if (!matters)
        claim.severity = SEVERITY_INFO;
    if (c->largest_backward_ns > 0)
        claim_add_ms(&claim, "jump_ms", c->largest_backward_ns);
    else if (c->jump_to_ns > c->jump_from_ns)
        claim_add_ms(&claim, "jump_ms", c->jump_to_ns - c->jump_from_ns);
    claim_add_text(&claim, "kind", c->backward_times > 0 ? "backwards" : "jump");
    judge_claim(judge, &claim);
    judge->quality.found[FINDING_CAPTURE_TIME] = matters;
}

/* Of a connection whose other side was not seen, more than a packet or two that may be forged. */
static bool goes_on(const struct flow_facts *f)
{
    return f->tcp->syn_count > 0 || f->packets[SIDE_CLIENT] + f->packets[SIDE_SERVER] > LONE_PACKETS;
}

/* A SYN without an answer is no sign of a one-sided capture: nobody acknowledged what was not seen.
 */
static void find_one_sided(struct judge *judge)
{
    const struct site *site = judge->site;
    int64_t unseen = 0, alone = 0, two_sided = 0;
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct flow_facts *f = &site->flows[i]->f;
        if (!facts_is_tcp(f))
            continue;
        if (facts_has(f, FLOW_FACT_UNSEEN_PEER))
            *(goes_on(f) ? &unseen : &alone) += 1;
        two_sided += facts_is_two_sided(f);
    }
    if (alone < LONE_FLOOD || two_sided == 0)
        unseen += alone;
    if (unseen == 0 || share_of(unseen, unseen + two_sided) < ONE_SIDED_SHARE)
        return;
    struct claim claim = start(judge, FINDING_CAPTURE_ONE_SIDED);
    claim_add_number(&claim, "share", share_of(unseen, unseen + two_sided) * 100);
    claim.count = unseen;
    found(judge, &claim);
}

static bool names(const char *filter, const char *word)
{
    return strstr(filter, word) != NULL;
}

/* A filter that asks for TCP or for ports leaves out what has neither. */
static void read_filter(struct judge *judge, const char *filter)
{
    bool narrow = names(filter, "tcp") || names(filter, "udp") || names(filter, "port");
    judge->quality.filter_hides_icmp = narrow && !names(filter, "icmp");
    judge->quality.filter_hides_arp =
        (narrow || names(filter, "host") || names(filter, "ip")) && !names(filter, "arp");
}

static void find_filter(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    struct capture_quality *q = &judge->quality;
    if (c->filter != NULL && c->filter[0] != '\0') {
        read_filter(judge, c->filter);
    } else {
        q->filter_hides_icmp = q->filter_hides_arp =
            c->tcp_connections >= FILTER_CONNECTIONS && c->last_ns - c->first_ns >= FILTER_NS &&
            c->icmp_packets == 0 && c->arp_packets == 0 && c->dns_packets == 0 &&
            c->udp_flows == 0 && c->other_flows == 0;
    }
    if (!q->filter_hides_icmp && !q->filter_hides_arp)
        return;
    struct claim claim = start(judge, FINDING_CAPTURE_FILTERED);
    claim_add_text(&claim, "missing",
                   q->filter_hides_icmp && q->filter_hides_arp ? "ICMP, ARP"
                   : q->filter_hides_icmp                      ? "ICMP"
                                                               : "ARP");
    found(judge, &claim);
}

static void find_cut(struct judge *judge)
{
    const struct site *site = judge->site;
    struct claim claim = start(judge, FINDING_CAPTURE_FILE_CUT);
    claim.count = 0;
    for (size_t i = 0; i < site->source_count; i++) {
        if (!site->sources[i]->cut)
            continue;
        if (claim.count++ == 0)
            claim_add_text(&claim, "file", site->sources[i]->path);
    }
    if (claim.count == 0 && site->capture.cut) {
        claim.count = 1;
        claim_add_text(&claim, "file", site->capture.name);
    }
    if (claim.count > 0)
        found(judge, &claim);
}

static void find_limits(struct judge *judge)
{
    const struct capture_record *c = &judge->site->capture;
    uint64_t unjudged = judge->site->flows_left_out, rows = judge->site->rows_left_out;
    struct claim claim = start(judge, FINDING_CAPTURE_LIMITS);
    if (unjudged + rows > 0) {
        claim_add_text(&claim, "limit", "judging");
        claim_add_number(&claim, "given_up", (double)(unjudged > 0 ? unjudged : rows));
    } else if (c->evicted_flows > 0) {
        claim_add_text(&claim, "limit", "memory");
        claim_add_number(&claim, "given_up", (double)c->evicted_flows);
    } else if (judge->site->texts_left_out > 0) {
        claim_add_text(&claim, "limit", "strings");
        claim_add_number(&claim, "given_up", (double)judge->site->texts_left_out);
    } else if (judge->site->certificates_left_out > 0) {
        claim_add_text(&claim, "limit", "certificates");
        claim_add_number(&claim, "given_up", (double)judge->site->certificates_left_out);
    } else if (c->limit_streams > 0) {
        claim_add_text(&claim, "limit", "reassembly");
        claim_add_number(&claim, "given_up", (double)c->limit_streams);
        claim.severity = SEVERITY_LOW;
    } else {
        return;
    }
    found(judge, &claim);
}

static void detect(struct judge *judge)
{
    find_one_sided(judge);
    look_for_holes(judge);
    if (!judge->site->has_capture)
        return;
    find_loss(judge);
    find_drops(judge);
    find_snaplen(judge);
    find_offload(judge);
    find_duplicates(judge);
    find_midstream(judge);
    find_time(judge);
    find_filter(judge);
    find_cut(judge);
    find_limits(judge);
}

const struct detector detector_capture = {"capture", detect};
