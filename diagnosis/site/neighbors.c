/* ARP and neighbor discovery: addresses that nobody answers for, and that two answer for. */
#include "diagnosis/site/neighbors.h"

#include "core/sort.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS_MIN 3
/* FINDINGS.md: who asks for so many silent addresses sweeps the network. */
#define SWEEP_TARGETS 5
/* Two answers to one request come within this; a failover takes longer to notice. */
#define SAME_ANSWER_NS (50 * FACTS_MS)
/* A proxy or a router answers for many. */
#define PROXY_ADDRESSES 3
#define PEERS_LOOKED_AT 1000

static int compare_long(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_owner(const void *left, const void *right)
{
    const struct arp_record *a = *(const struct arp_record *const *)left;
    const struct arp_record *b = *(const struct arp_record *const *)right;
    int order = address_compare(&a->ip, &b->ip);
    if (order == 0)
        order = compare_long(a->vlan, b->vlan);
    if (order == 0)
        order = compare_long(a->first_ns, b->first_ns);
    return order != 0 ? order : strcmp(a->mac, b->mac);
}

static int by_mac(const void *left, const void *right)
{
    const struct arp_record *a = *(const struct arp_record *const *)left;
    const struct arp_record *b = *(const struct arp_record *const *)right;
    int order = strcmp(a->mac, b->mac);
    return order != 0 ? order : by_owner(left, right);
}

/* Rows that a question is about, sorted; freed by the caller. */
struct rows {
    const struct arp_record **at;
    size_t count;
};

static struct rows choose(struct judge *judge, bool (*wanted)(const struct arp_record *),
                          int (*order)(const void *, const void *))
{
    const struct site *site = judge->site;
    struct rows rows = {arena_take(&judge->site->arena, (site->arp_count + 1) * sizeof(void *)), 0};
    if (rows.at == NULL) {
        judge->failed = true;
        return rows;
    }
    for (size_t i = 0; i < site->arp_count; i++) {
        if (wanted(site->arp[i]))
            rows.at[rows.count++] = site->arp[i];
    }
    if (rows.count > 1)
        sort_rows((void *)rows.at, rows.count, sizeof *rows.at, order);
    return rows;
}

/* ---- nobody answers -------------------------------------------------------------------------- */

static bool is_announcement(const struct arp_record *r)
{
    return !address_is_set(&r->requester_ip) || address_equal(&r->requester_ip, &r->ip);
}

/* 169.254.0.0/16 is asked for on the chance that it is there (RFC 3927; clouds' metadata). */
static bool is_link_local(const struct address *ip)
{
    return ip->family == 4 && ip->bytes[0] == 169 && ip->bytes[1] == 254;
}

static bool is_unanswered(const struct arp_record *r)
{
    return r->is_request && r->replies == 0 && !r->target_seen && !is_announcement(r) &&
           !is_link_local(&r->ip);
}

static bool is_claim(const struct arp_record *r)
{
    return !r->is_request && r->claims > 0 && address_is_set(&r->ip);
}

static bool is_claimed(const struct rows *claims, const struct address *ip)
{
    size_t low = 0, high = claims->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = address_compare(&claims->at[middle]->ip, ip);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Where nothing tells the tap's place, the distance of the only peer does: a requester heard by its
 * own broadcast is on the same network as the tap, a peer behind a router is not the one that
 * captures. */
static bool is_remote(const struct site_host *host)
{
    static const int starts[] = {32, 64, 128, 255};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (host_usual_ttl(host, (uint8_t)starts[i]) == starts[i])
            return false;
    }
    return true;
}

/* On a switch others hear the requests, but not the answers. Those come by only where the
 * requester's own traffic does: with two peers at least, or with one that cannot be the capturing
 * host. */
static bool hears_answers(const struct judge *judge, const struct arp_record *r)
{
    const struct site_host *self = site_find_host(judge->site, &r->requester_ip);
    const struct site_host *peer = NULL;
    if (self == NULL)
        return false;
    struct flow_range ranges[] = {site_client_flows(judge->site, self),
                                  site_server_flows(judge->site, self)};
    for (size_t side = 0; side < 2; side++) {
        size_t limit = ranges[side].count < PEERS_LOOKED_AT ? ranges[side].count : PEERS_LOOKED_AT;
        for (size_t i = 0; i < limit; i++) {
            const struct site_flow *flow = ranges[side].flows[i];
            const struct site_host *other = side == 0 ? flow->server : flow->client;
            if (address_is_multicast(&other->address) || !facts_is_two_sided(&flow->f))
                continue;
            if (peer != NULL && other != peer)
                return true;
            peer = other;
        }
    }
    return peer != NULL && is_remote(peer);
}

static bool was_told(const struct arp_record *r)
{
    return r->is_request && r->told > 0;
}

static size_t find_mac(const struct rows *macs, const char *mac)
{
    size_t low = 0, high = macs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(macs->at[middle]->mac, mac) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Or answers to its other questions, told to it alone, came by: a router speaks in its own name by them alone. */
static bool is_told_here(const struct rows *told, const struct arp_record *r)
{
    int64_t answers = 0;
    for (size_t i = find_mac(told, r->mac); i < told->count && strcmp(told->at[i]->mac, r->mac) == 0; i++)
        answers += told->at[i]->vlan == r->vlan ? told->at[i]->told : 0;
    return answers >= REQUESTS_MIN;
}

static bool is_unresolved(const struct judge *judge, const struct rows *claims, const struct rows *told,
                          const struct arp_record *r)
{
    bool own = r->requester_frames > 0 && hears_answers(judge, r);
    if (r->requests < REQUESTS_MIN || (!own && !is_told_here(told, r)))
        return false;
    const struct site_host *host = site_find_host(judge->site, &r->ip);
    return (host == NULL || !host->sent) && !is_claimed(claims, &r->ip);
}

/* The rows of one requester lie together; one that asks for many silent addresses is left out. */
static void choose_unresolved(struct judge *judge)
{
    struct rows claims = choose(judge, is_claim, by_owner);
    struct rows told = choose(judge, was_told, by_mac);
    struct rows rows = choose(judge, is_unanswered, by_mac);
    size_t kept = 0;
    for (size_t i = 0; i < rows.count;) {
        size_t end = i + 1;
        while (end < rows.count && strcmp(rows.at[end]->mac, rows.at[i]->mac) == 0)
            end++;
        for (size_t j = i; end - i < SWEEP_TARGETS && j < end; j++) {
            if (is_unresolved(judge, &claims, &told, rows.at[j]))
                rows.at[kept++] = rows.at[j];
        }
        i = end;
    }
    if (kept > 1)
        sort_rows((void *)rows.at, kept, sizeof *rows.at, by_owner);
    judge->unresolved = rows.at;
    judge->unresolved_count = kept;
}

static const struct arp_record *find_unresolved(const struct judge *judge,
                                                const struct address *target, int64_t since_ns)
{
    size_t low = 0, high = judge->unresolved_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address_compare(&judge->unresolved[middle]->ip, target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < judge->unresolved_count; low++) {
        const struct arp_record *r = judge->unresolved[low];
        if (!address_equal(&r->ip, target))
            return NULL;
        if (r->last_ns >= since_ns)
            return r;
    }
    return NULL;
}

static struct claim claim_unresolved(struct judge *judge, const struct arp_record *r,
                                     const struct site_flow *flow)
{
    char text[ADDRESS_TEXT_SIZE];
    struct claim claim = claim_start(FINDING_NET_ARP_UNRESOLVED, flow);
    const char *target = arena_format(&judge->site->arena, "%s", address_to_text(&r->ip, text));
    if (flow == NULL) {
        claim.first_ns = r->first_ns;
        claim.last_ns = r->last_ns;
        claim.client_ip = r->requester_ip;
    }
    claim.server_ip = r->ip;
    claim.server_port = 0;
    claim.name = NULL;
    claim.confidence = 80;
    claim_add_text(&claim, "target", target);
    claim_add_number(&claim, "requests", (double)r->requests);
    claim_add_ms(&claim, "waited_ms", r->last_ns - r->first_ns);
    claim_add_reference(&claim, r->source_id, r->first_frame, r->first_ns, EVENT_DATAGRAM);
    claim_add_reference(&claim, r->source_id, r->last_frame, r->last_ns, EVENT_DATAGRAM);
    return claim;
}

bool neighbors_find_unresolved(struct judge *judge, const struct site_flow *flow, struct claim *out)
{
    if (!facts_is_unanswered_syn(&flow->f))
        return false;
    const struct arp_record *r = find_unresolved(judge, &flow->server->address, flow->f.first_ns);
    if (r == NULL)
        return false;
    *out = claim_unresolved(judge, r, flow);
    return true;
}

static void find_silent(struct judge *judge)
{
    if (judge->quality.filter_hides_arp || judge->quality.found[FINDING_CAPTURE_ONE_SIDED])
        return;
    choose_unresolved(judge);
    for (size_t i = 0; i < judge->unresolved_count; i++) {
        struct claim claim = claim_unresolved(judge, judge->unresolved[i], NULL);
        judge_claim(judge, &claim);
    }
}

/* ---- two owners of one address --------------------------------------------------------------- */

/* Shared addresses: VRRP and CARP (RFC 5798 7.3), HSRP, GLBP. */
static bool is_failover_mac(const char *mac)
{
    static const char *const prefixes[] = {"00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:",
                                           "00:00:0c:9f:f",   "00:05:73:a0:0",   "00:07:b4:00:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(mac, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* Addresses that a MAC claims, up to PROXY_ADDRESSES; rows are sorted by MAC. */
static size_t count_addresses(const struct rows *macs, const char *mac)
{
    size_t at = find_mac(macs, mac), count = 0;
    for (; at < macs->count && strcmp(macs->at[at]->mac, mac) == 0 && count < PROXY_ADDRESSES; at++)
        count++;
    return count;
}

/* Two of its interfaces stand in one network, and a system answers on each for all its addresses (Linux:
 * arp_ignore=0). */
static bool share_another(const struct rows *macs, const struct arp_record *a, const struct arp_record *b)
{
    for (size_t i = find_mac(macs, a->mac); i < macs->count && strcmp(macs->at[i]->mac, a->mac) == 0; i++) {
        const struct arp_record *other = macs->at[i];
        if (address_equal(&other->ip, &a->ip) || other->vlan != a->vlan)
            continue;
        for (size_t j = find_mac(macs, b->mac); j < macs->count && strcmp(macs->at[j]->mac, b->mac) == 0; j++) {
            if (address_equal(&macs->at[j]->ip, &other->ip) && macs->at[j]->vlan == b->vlan)
                return true;
        }
    }
    return false;
}

/* It answers for an address that it never uses, and has another one: as a proxy does. */
static bool answers_for_another(const struct rows *macs, const struct arp_record *r)
{
    return r->frames == 0 && count_addresses(macs, r->mac) > 1;
}

/* One of them contradicted the other. Else each may have been told to other hosts by one machine with several
 * interfaces (balance-alb). */
static bool is_disputed(const struct arp_record *a, const struct arp_record *b)
{
    return a->disputed + b->disputed > 0;
}

static int64_t last_use(const struct arp_record *r)
{
    return r->last_frame_ns > r->last_ns ? r->last_frame_ns : r->last_ns;
}

/* A failover there and back: who told everybody last that the address is his is the only one seen to
 * use it since then. */
#define HANDED_OVER_NS (3 * FACTS_SECOND)

static bool was_handed_back(const struct arp_record *a, const struct arp_record *b)
{
    const struct arp_record *holder = a->announced_ns > b->announced_ns ? a : b;
    const struct arp_record *other = holder == a ? b : a;
    return holder->announced_ns > other->first_ns &&
           last_use(other) <= holder->announced_ns + HANDED_OVER_NS;
}

/* A failover may meet one word of who had the address; who contradicts again and again has not given it up. */
#define DISPUTES_SURE 2

/* a was there first: it still speaks after b began, or both answered the same request. */
static bool are_together(const struct arp_record *a, const struct arp_record *b)
{
    return (last_use(a) > b->first_ns || b->first_ns - a->last_ns < SAME_ANSWER_NS) &&
           (a->disputed + b->disputed >= DISPUTES_SURE || !was_handed_back(a, b));
}

/* False answers are told as such: mitm_arp went before. */
static bool is_told_false(const struct judge *judge, const struct arp_record *a,
                          const struct arp_record *b)
{
    for (size_t i = 0; i < judge->claim_count; i++) {
        const struct claim *claim = &judge->claims[i];
        if (claim->code == FINDING_MITM_ARP_SPOOF && address_equal(&claim->server_ip, &a->ip) &&
            claim->last_ns >= a->first_ns && claim->first_ns <= last_use(b))
            return true;
    }
    return false;
}

static void claim_conflict(struct judge *judge, const struct rows *macs, const struct arp_record *a,
                           const struct arp_record *b)
{
    char text[ADDRESS_TEXT_SIZE];
    struct arena *arena = &judge->site->arena;
    bool together = are_together(a, b);
    size_t most = count_addresses(macs, a->mac), other = count_addresses(macs, b->mac);
    most = other > most ? other : most;
    struct claim claim =
        claim_start(together ? FINDING_NET_IP_CONFLICT : FINDING_NET_ADDRESS_MOVED, NULL);
    bool proxy = answers_for_another(macs, a) || answers_for_another(macs, b);
    if ((together && (most >= PROXY_ADDRESSES || share_another(macs, a, b))) || is_told_false(judge, a, b))
        return;
    /* heard once and never again: a damaged or forged frame is no second owner */
    if (together && (a->claims + a->frames < 2 || b->claims + b->frames < 2))
        return;
    if (together && a->unasked + b->unasked > 0) /* false answers that are not proven as such */
        claim.culprit = CULPRIT_UNKNOWN;
    claim.confidence = most > 1 ? 55 : a->frames > 0 && b->frames > 0 ? 85 : 75;
    if (together && (proxy || !is_disputed(a, b))) {
        claim.confidence = CONFIDENCE_POSSIBLE - 5;
        claim.severity = SEVERITY_LOW;
    }
    claim.first_ns = b->first_ns;
    claim.last_ns = last_use(a) > last_use(b) ? last_use(a) : last_use(b);
    claim.server_ip = a->ip;
    claim_add_text(&claim, "address", arena_format(arena, "%s", address_to_text(&a->ip, text)));
    claim_add_text(&claim, together ? "mac_a" : "old_mac", arena_format(arena, "%s", a->mac));
    claim_add_text(&claim, together ? "mac_b" : "new_mac", arena_format(arena, "%s", b->mac));
    claim_add_reference(&claim, a->source_id, a->first_frame, a->first_ns, EVENT_DATAGRAM);
    claim_add_reference(&claim, b->source_id, b->first_frame, b->first_ns, EVENT_DATAGRAM);
    judge_claim(judge, &claim);
    if (together && !proxy)
        judge->conflicts[judge->conflict_count++] =
            (struct address_conflict){a->ip, a->first_ns, claim.last_ns, {a, b}};
}

/* Neighbor tables keep the wrong answer for a while after the conflict was last seen. */
#define CONFLICT_LASTS_NS (60 * FACTS_SECOND)

bool neighbors_conflict_holds(const struct judge *judge, const struct address *ip, int64_t first_ns,
                              int64_t last_ns)
{
    for (size_t i = 0; i < judge->conflict_count; i++) {
        const struct address_conflict *c = &judge->conflicts[i];
        if (address_equal(&c->ip, ip) && first_ns <= c->last_ns + CONFLICT_LASTS_NS &&
            last_ns >= c->first_ns)
            return true;
    }
    return false;
}

const struct address_conflict *neighbors_false_owner(const struct judge *judge, const char *mac,
                                                     int64_t first_ns, int64_t last_ns)
{
    for (size_t i = 0; i < judge->conflict_count; i++) {
        const struct address_conflict *c = &judge->conflicts[i];
        if (first_ns > c->last_ns + CONFLICT_LASTS_NS || last_ns < c->first_ns)
            continue;
        for (int own = 0; own < 2; own++) {
            const struct arp_record *taken = c->owners[own], *right = c->owners[!own];
            if (strcmp(taken->mac, mac) == 0 && taken->mac_last_ns < first_ns &&
                right->mac_last_ns >= first_ns)
                return c;
        }
    }
    return NULL;
}

static void find_conflicts(struct judge *judge)
{
    struct rows claims = choose(judge, is_claim, by_owner);
    struct rows macs = choose(judge, is_claim, by_mac);
    judge->conflicts =
        arena_take(&judge->site->arena, (claims.count + 1) * sizeof *judge->conflicts);
    if (judge->conflicts == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 1; i < claims.count; i++) {
        const struct arp_record *a = claims.at[i - 1], *b = claims.at[i];
        if (address_equal(&a->ip, &b->ip) && a->vlan == b->vlan && strcmp(a->mac, b->mac) != 0 &&
            !is_failover_mac(a->mac) && !is_failover_mac(b->mac))
            claim_conflict(judge, &macs, a, b);
    }
}

static void detect(struct judge *judge)
{
    find_silent(judge);
    find_conflicts(judge);
}

const struct detector detector_neighbors = {"neighbors", detect};
