/* Somebody answers ARP for addresses that others still hold, and their frames go through it.
 *
 * A failover moves an address for good and in the name of its shared MAC; a second machine with the
 * same address relays nothing. Only an address whose old owner goes on sending, and frames that come
 * by a second time from another MAC or answers that stay away, make a false answer of it; or the
 * manner does, where the tap is at the victim: claims that nobody asked for, told to one host alone
 * again and again, and a claimant that asks where its own address is. */
#include "diagnosis/site/judge.h"

#include <stdlib.h>
#include <string.h>

/* FINDINGS.md: the old owner still sends within this. */
#define STILL_NS (60 * FACTS_SECOND)
/* Poison has to be given again and again. */
#define CLAIMS_MIN 2
/* So many addresses behind one MAC are a router's or a proxy's. */
#define ADDRESSES_MOST 8
#define FLOWS_LOOKED_AT 2000

static bool is_shared_mac(const char *mac)
{
    static const char *const prefixes[] = {"00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:",
                                           "00:00:0c:9f:f",   "00:05:73:a0:0",   "00:07:b4:00:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(mac, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* A router speaks in its own name by ARP alone. */
static int64_t last_word(const struct arp_record *a)
{
    return a->frames > 0 && a->last_frame_ns > a->last_ns ? a->last_frame_ns : a->last_ns;
}

/* b claims the address of a, who is still there. */
static bool is_contested(const struct arp_record *a, const struct arp_record *b)
{
    return !a->is_request && !b->is_request && address_equal(&a->ip, &b->ip) &&
           a->vlan == b->vlan && strcmp(a->mac, b->mac) != 0 && b->claims >= CLAIMS_MIN &&
           last_word(a) > b->first_ns && !is_shared_mac(a->mac) && !is_shared_mac(b->mac) &&
           b->last_ns - b->first_ns < 3600 * FACTS_SECOND &&
           last_word(a) - b->first_ns <= b->last_ns - b->first_ns + STILL_NS;
}

/* a was there before b and works on under that address. */
static bool is_taken_over(const struct arp_record *a, const struct arp_record *b)
{
    return is_contested(a, b) && a->frames > 0 && a->last_frame_ns > b->first_ns &&
           (a->first_ns < b->first_ns || a->frames > b->frames);
}

/* The question may have come before the capture began: hosts ask again after a second, and proxies
 * wait up to 0.8 s. */
#define ASKED_BEFORE_NS (3 * FACTS_SECOND / 2)

/* Where the questions of who is told are not captured, answers by ARP look unasked; an advertisement
 * says itself what it is. */
static int64_t unasked_for_certain(const struct site *site, const struct arp_record *b)
{
    bool early = !b->ndp && b->first_ns - site->capture.first_ns <= ASKED_BEFORE_NS;
    int64_t unasked = b->unasked - early;
    for (size_t i = 0; unasked > 0 && i < site->arp_count; i++) {
        const struct arp_record *a = site->arp[i];
        if (b->ndp || (a->is_request && address_equal(&a->requester_ip, &b->told_ip)))
            return unasked;
    }
    return 0;
}

static bool overlaps(const struct site_flow *flow, const struct arp_record *b)
{
    return flow->f.last_ns >= b->first_ns && flow->f.first_ns <= b->last_ns + STILL_NS;
}

/* Frames of that address came by twice, one hop older or from another MAC; or its requests stay
 * without an answer meanwhile. */
static bool goes_through(const struct judge *judge, const struct address *ip,
                         const struct arp_record *b)
{
    const struct site_host *host = site_find_host(judge->site, ip);
    if (host == NULL)
        return false;
    struct flow_range ranges[] = {site_client_flows(judge->site, host),
                                  site_server_flows(judge->site, host)};
    for (size_t side = 0; side < 2; side++) {
        size_t limit =
            ranges[side].count < FLOWS_LOOKED_AT ? ranges[side].count : FLOWS_LOOKED_AT;
        for (size_t i = 0; i < limit; i++) {
            const struct site_flow *flow = ranges[side].flows[i];
            if (overlaps(flow, b) && facts_has(&flow->f, FLOW_FACT_DUPLICATES))
                return true;
        }
    }
    return false;
}

/* Both ends of the way are claimed, again and again, by one machine that also sends for neither: who
 * answers in their place himself passes nothing on. */
#define CLAIMS_SURE 3

static bool is_between(const struct arp_record *const *old, const struct arp_record *const *taken,
                       size_t count)
{
    size_t sure = 0, owners = 0;
    for (size_t i = 0; i < count; i++) {
        sure += taken[i]->claims >= CLAIMS_SURE;
        owners += i == 0 || strcmp(old[i]->mac, old[0]->mac) != 0;
    }
    return sure >= 2 && owners >= 2;
}

struct taken {
    const struct arp_record *old[ADDRESSES_MOST]; /* NULL: the owner is not heard */
    const struct arp_record *taken[ADDRESSES_MOST];
    size_t count;
    int64_t unasked;
    bool through;
    bool firm; /* one of them was taken over for certain */
};

static void claim_spoof(struct judge *judge, const struct taken *t, uint8_t confidence)
{
    char text[ADDRESS_TEXT_SIZE];
    struct arena *arena = &judge->site->arena;
    confidence = judge_doubt_loss(judge, confidence);
    for (size_t i = 0; i < t->count; i++) {
        const struct arp_record *a = t->old[i], *b = t->taken[i];
        struct claim claim = claim_start(FINDING_MITM_ARP_SPOOF, NULL);
        claim.confidence = confidence;
        claim.severity = (uint8_t)(confidence >= 80                    ? SEVERITY_CRITICAL
                                   : confidence >= CONFIDENCE_POSSIBLE ? SEVERITY_HIGH
                                                                       : SEVERITY_LOW);
        claim.server_ip = b->ip;
        claim.first_ns = b->first_ns;
        claim.last_ns = b->last_ns;
        claim_add_text(&claim, "address", arena_format(arena, "%s", address_to_text(&b->ip, text)));
        claim_add_text(&claim, "new_mac", arena_format(arena, "%s", b->mac));
        claim_add_text(&claim, "protocol", b->ndp ? "NDP" : "ARP");
        claim_add_number(&claim, "unasked", (double)b->unasked);
        claim_add_number(&claim, "asked_own", (double)b->asked_own);
        if (a != NULL) {
            claim_add_text(&claim, "old_mac", arena_format(arena, "%s", a->mac));
            claim_add_reference(&claim, a->source_id, a->first_frame, a->first_ns, EVENT_DATAGRAM);
        }
        claim_add_reference(&claim, b->source_id, b->first_frame, b->first_ns, EVENT_DATAGRAM);
        claim_add_reference(&claim, b->source_id, b->last_frame, b->last_ns, EVENT_DATAGRAM);
        judge_claim(judge, &claim);
    }
}

/* ---- how it claims --------------------------------------------------------------------------- */

/* Claims nobody asked for, told to one host alone: a failover tells all, a proxy answers. */
#define UNASKED_MIN 3

/* One machine told each of two hosts, who had not asked, that the other one's address is its own. */
static bool is_crosswise(const struct arp_record *a, const struct arp_record *b)
{
    return a->unasked >= UNASKED_MIN && b->unasked >= UNASKED_MIN && a->vlan == b->vlan &&
           strcmp(a->mac, b->mac) == 0 && address_equal(&a->told_ip, &b->ip) &&
           address_equal(&b->told_ip, &a->ip);
}

static bool has_counterpart(const struct site *site, const struct arp_record *b)
{
    for (size_t i = 0; i < site->arp_count; i++) {
        if (!site->arp[i]->is_request && is_crosswise(b, site->arp[i]))
            return true;
    }
    return false;
}

/* Who had that address before; of several who still sends, whatever the address on his frames. */
static const struct arp_record *find_owner(const struct site *site, const struct arp_record *b)
{
    const struct arp_record *found = NULL;
    for (size_t i = 0; i < site->arp_count; i++) {
        const struct arp_record *a = site->arp[i];
        if (a->is_request || !address_equal(&a->ip, &b->ip) || a->vlan != b->vlan ||
            strcmp(a->mac, b->mac) == 0 || is_shared_mac(a->mac) || a->first_ns > b->first_ns)
            continue;
        if (found == NULL || a->mac_last_ns > found->mac_last_ns)
            found = a;
    }
    return found;
}


/* 0: nothing strange. An owner who has fallen silent at this tap may have been relieved. */
static uint8_t confidence_of_manner(const struct site *site, const struct arp_record *b,
                                    const struct arp_record *owner)
{
    bool crosswise = has_counterpart(site, b);
    if (unasked_for_certain(site, b) < UNASKED_MIN)
        return crosswise ? CONFIDENCE_POSSIBLE - 5 : 0;
    if (crosswise || b->asked_own > 0)
        return 90;
    if (owner == NULL)
        return 0;
    return owner->mac_last_ns > b->first_ns || last_word(owner) > b->first_ns ? 85 : 75;
}

/* The manner alone: lies told to one host at a time, or a claimant that has to ask. */
static void judge_manner(struct judge *judge, const char *mac)
{
    const struct site *site = judge->site;
    struct taken t = {.count = 0};
    uint8_t confidence = 0;
    if (is_shared_mac(mac) || judge->quality.found[FINDING_CAPTURE_ONE_SIDED])
        return;
    for (size_t i = 0; i < site->arp_count; i++) {
        const struct arp_record *b = site->arp[i];
        if (b->is_request || strcmp(b->mac, mac) != 0 || b->claims < CLAIMS_SURE)
            continue;
        const struct arp_record *owner = find_owner(site, b);
        uint8_t own = confidence_of_manner(site, b, owner);
        if (own == 0)
            continue;
        if (t.count == ADDRESSES_MOST)
            break;
        confidence = own > confidence ? own : confidence;
        t.old[t.count] = owner;
        t.taken[t.count++] = b;
    }
    claim_spoof(judge, &t, confidence);
}

static void judge_mac(struct judge *judge, const char *mac, bool relays)
{
    const struct site *site = judge->site;
    struct taken t = {.count = 0};
    for (size_t i = 0; i < site->arp_count; i++) {
        const struct arp_record *b = site->arp[i];
        if (b->is_request || strcmp(b->mac, mac) != 0)
            continue;
        for (size_t j = 0; j < site->arp_count; j++) {
            if (!is_contested(site->arp[j], b))
                continue;
            if (t.count == ADDRESSES_MOST)
                return;
            bool firm = is_taken_over(site->arp[j], b);
            t.firm = t.firm || firm;
            t.old[t.count] = site->arp[j];
            t.taken[t.count++] = b;
            t.unasked += unasked_for_certain(site, b);
            t.through = t.through || (firm && relays && goes_through(judge, &b->ip, b));
            break;
        }
    }
    /* a router that answers for hosts kept apart (proxy ARP) is asked each time */
    /* every packet twice by a mirror says nothing about who passed it on */
    if (!judge->quality.clean_copies && t.firm && t.unasked > 0 && (t.through || is_between(t.old, t.taken, t.count)))
        claim_spoof(judge, &t, t.count > 1 ? 92 : 82);
    else
        judge_manner(judge, mac);
}

#define ROWS_MOST 4096

static bool is_claimant(const struct arp_record *r)
{
    return !r->is_request && r->claims >= CLAIMS_MIN;
}

static bool was_before(const struct site *site, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_claimant(site->arp[i]) && strcmp(site->arp[i]->mac, site->arp[at]->mac) == 0)
            return true;
    }
    return false;
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    bool relays = site->capture.routed_packets > site->capture.duplicate_packets;
    if (site->arp_count > ROWS_MOST)
        return;
    for (size_t i = 0; i < site->arp_count; i++) {
        if (is_claimant(site->arp[i]) && !was_before(site, i))
            judge_mac(judge, site->arp[i]->mac, relays);
    }
}

const struct detector detector_mitm_arp = {"mitm_arp", detect};
