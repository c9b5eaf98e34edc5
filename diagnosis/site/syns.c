#include "diagnosis/site/syns.h"

#include <stdio.h>
#include <string.h>

/* Fewer cases of a kind separate by chance. */
#define CASES_LEAST 3
/* As many losses with others' answers between them: one outage falls on neighbours in time. */
#define BURSTS_LEAST 3
/* Fisher's exact test: among SYNs that were tried as often, chance parts them so well in one of a
 * hundred captures. */
#define CHANCE_MOST 0.01
/* Connections that leave the thing out in their retry: they tell it from their client's address. */
#define FALLBACKS_LEAST 2
#define PAIR_SERVICES 8
/* That the network lost it is one of several explanations then. */
#define FIRST_ONLY_CONFIDENCE 70

static const struct trait {
    uint16_t bit;
    bool inverse; /* the bit says that the SYN lacks it */
    const char *words;
} traits[] = {
    {SYN_TRAIT_ECN, false, "ECN"},
    {SYN_TRAIT_FAST_OPEN, false, "TCP Fast Open"},
    {SYN_TRAIT_DATA, false, "data in the SYN"},
    {SYN_TRAIT_MPTCP, false, "MPTCP"},
    {SYN_TRAIT_NO_TIMESTAMPS, true, "timestamps"},
    {SYN_TRAIT_NO_SCALE, true, "window scale"},
    {SYN_TRAIT_NO_SACK, true, "SACK"},
    {SYN_TRAIT_OTHER_OPTION, false, "an unusual TCP option"},
    {SYN_TRAIT_DSCP, false, "a DSCP mark"},
};

#define TRAIT_COUNT (sizeof traits / sizeof *traits)

/* Connections by what became of their SYNs with the trait and without it; [0] first tries, [1]
 * later ones. */
struct tally {
    uint32_t lost_with[2], answered_without[2], fallbacks, bursts;
    bool mixed;                   /* lost without it, or answered with it */
    int64_t lost_ns, answered_ns; /* the last loss; the first answer after it */
};

static bool carries(uint16_t bits, const struct trait *trait)
{
    return ((bits & trait->bit) != 0) != trait->inverse;
}

/* No row was written: one SYN, and none of SYN_TRAITS_ADDED in it. */
static bool is_plain(const struct flow_facts *f)
{
    return f->tcp->syn_count == 0 && facts_is_established(f) && !facts_has(f, FLOW_FACT_NO_SYN);
}

static void note_lost(struct tally *tally, bool with, int tries, int64_t ns)
{
    if (!with) {
        tally->mixed = true;
        return;
    }
    tally->lost_with[0]++;
    tally->lost_with[1] += tries > 1;
    if (tally->bursts == 0 || tally->answered_ns <= ns) {
        tally->bursts++;
        tally->answered_ns = INT64_MAX;
    }
    tally->lost_ns = ns;
}

static void note_answered(struct tally *tally, bool with, int again, int64_t ns)
{
    if (with) {
        tally->mixed = true;
        return;
    }
    tally->answered_without[again]++;
    if (ns > tally->lost_ns && ns < tally->answered_ns)
        tally->answered_ns = ns;
}

static void note_flow(struct tally *tally, const struct trait *trait, const struct flow_facts *f)
{
    const struct flow_tcp_record *t = f->tcp;
    bool answered = f->packets[SIDE_SERVER] > 0;
    bool first = carries(t->syn_first_traits, trait), last = carries(t->syn_answered_traits, trait);
    if (t->syn_first_tries == 0) {
        if (is_plain(f) && (trait->bit & SYN_TRAITS_ADDED) != 0)
            note_answered(tally, false, 0, f->first_ns);
        return;
    }
    bool repeated = t->syn_first_tries > 1 || t->syn_answered_traits != t->syn_first_traits;
    if (repeated)
        note_lost(tally, first, (int)t->syn_first_tries, f->first_ns);
    if (answered)
        note_answered(tally, last, repeated,
                      t->synack_first_ns >= 0 ? t->synack_first_ns : f->last_ns);
    else if (last != first && t->syn_count >= t->syn_first_tries + 2) /* one alone may be under way */
        note_lost(tally, last, 2, f->last_ns);
    if (repeated && answered && first && !last)
        tally->fallbacks++;
}

/* One divided by the ways to choose k of n. */
static double chance(uint32_t k, uint32_t others)
{
    double p = 1;
    for (uint32_t i = 1; i <= k && p > CHANCE_MOST / 1000; i++)
        p *= (double)i / (double)(others + i);
    return p;
}

/* Whether the trait parts the lost from the answered; *sure: neither chance nor an outage, the client or
 * the number of the try does. */
static bool separates(const struct tally *t, bool one_client, bool *sure)
{
    uint32_t answered = t->answered_without[0] + t->answered_without[1];
    *sure = t->lost_with[0] >= CASES_LEAST && answered >= CASES_LEAST &&
            t->bursts >= BURSTS_LEAST && (one_client || t->fallbacks >= FALLBACKS_LEAST) &&
            chance(t->lost_with[0], t->answered_without[0]) *
                    chance(t->lost_with[1], t->answered_without[1]) <=
                CHANCE_MOST;
    return !t->mixed && (*sure || t->fallbacks > 0);
}

struct group {
    struct flow_range range;
    const struct site_service *service; /* of it alone; NULL: of all */
    bool one_client, one_service;
};

static bool is_open(const struct site_flow *flow)
{
    return flow->syn_drop == NULL || flow->syn_drop->confidence == 0;
}

static bool belongs(const struct group *group, const struct site_flow *flow)
{
    return facts_is_tcp(&flow->f) && flow->outcome != OUTCOME_UNSOLICITED &&
           !facts_has(&flow->f, FLOW_FACT_TRACEROUTE) &&
           (group->service == NULL || flow->service == group->service);
}

static bool lost_any(const struct group *group)
{
    for (size_t i = 0; i < group->range.count; i++) {
        const struct site_flow *flow = group->range.flows[i];
        if (is_open(flow) && flow->f.tcp->syn_count > 1 && belongs(group, flow))
            return true;
    }
    return false;
}

static struct tally count_up(const struct group *group, const struct trait *trait)
{
    struct tally tally = {.answered_ns = INT64_MAX, .lost_ns = INT64_MIN};
    for (size_t i = 0; i < group->range.count && !tally.mixed; i++) {
        if (belongs(group, group->range.flows[i]))
            note_flow(&tally, trait, &group->range.flows[i]->f);
    }
    return tally;
}

static void mark(const struct group *group, uint16_t with, uint16_t without,
                 const struct syn_drop *drop)
{
    for (size_t i = 0; i < group->range.count; i++) {
        struct site_flow *flow = group->range.flows[i];
        const struct flow_tcp_record *t = flow->f.tcp;
        bool all = (t->syn_first_traits & with) == with && (t->syn_first_traits & without) == 0;
        if (is_open(flow) && belongs(group, flow) && t->syn_count > 1 && all)
            flow->syn_drop = drop;
    }
}

static void look_at(struct judge *judge, const struct group *group)
{
    char asks[160] = "";
    uint16_t with = 0, without = 0;
    struct syn_drop drop = {.confidence = 0};
    if (!lost_any(group))
        return;
    for (size_t i = 0; i < TRAIT_COUNT; i++) {
        bool sure = false;
        struct tally tally = count_up(group, &traits[i]);
        if (!separates(&tally, group->one_client && group->one_service, &sure))
            continue;
        size_t len = strlen(asks);
        (void)snprintf(asks + len, sizeof asks - len, "%s%s", len > 0 ? ", " : "", traits[i].words);
        *(traits[i].inverse ? &without : &with) |= traits[i].bit;
        drop.lost = tally.lost_with[0];
        drop.answered = tally.answered_without[0] + tally.answered_without[1];
        drop.confidence = !sure ? 0 : group->one_client ? 90 : 80;
    }
    if (asks[0] == '\0')
        return;
    drop.asks = arena_format(&judge->site->arena, "%s", asks);
    struct syn_drop *kept = arena_copy(&judge->site->arena, &drop, sizeof drop);
    judge->failed |= kept == NULL || drop.asks == NULL;
    if (kept != NULL)
        mark(group, with, without, kept);
}

/* ---- source ports ---------------------------------------------------------------------------- */

/* A SYN that is lost each time it is sent is no chance loss to begin with: what else there is, one of
 * several machines that is down, puts its ports anywhere. */
#define PORTS_CHANCE_MOST 0.02

struct port_tally {
    uint16_t low, high;
    uint32_t lost, answered, bursts;
    bool mixed; /* an answer came to one of these ports, or late */
};

/* The ports of all that were never answered, and whether others' answers lie between them in time. */
static struct port_tally count_lost_ports(const struct group *group)
{
    struct port_tally tally = {.low = UINT16_MAX};
    bool answered_since = true;
    for (size_t i = 0; i < group->range.count; i++) {
        const struct flow_facts *f = &group->range.flows[i]->f;
        if (!belongs(group, group->range.flows[i]))
            continue;
        if (!facts_is_unanswered_syn(f)) {
            tally.mixed |= f->tcp->syn_count > 1;
            answered_since = true;
        } else if (f->tcp->syn_count > 1) {
            uint16_t port = f->port[SIDE_CLIENT];
            tally.low = port < tally.low ? port : tally.low;
            tally.high = port > tally.high ? port : tally.high;
            tally.lost++;
            tally.bursts += answered_since;
            answered_since = false;
        }
    }
    return tally;
}

static void count_answered_ports(const struct group *group, struct port_tally *tally)
{
    for (size_t i = 0; i < group->range.count && !tally->mixed; i++) {
        const struct flow_facts *f = &group->range.flows[i]->f;
        if (!belongs(group, group->range.flows[i]) || f->packets[SIDE_SERVER] == 0)
            continue;
        uint16_t port = f->port[SIDE_CLIENT];
        tally->mixed = port >= tally->low && port <= tally->high;
        tally->answered++;
    }
}

/* One client to one port: in order of their source ports the lost ones stand together, which chance
 * does in as many ways as there are places for them. */
static void look_at_ports(struct judge *judge, const struct group *group)
{
    struct port_tally tally = count_lost_ports(group);
    if (tally.mixed || tally.lost < CASES_LEAST || tally.bursts < BURSTS_LEAST)
        return;
    count_answered_ports(group, &tally);
    if (tally.mixed || tally.answered < CASES_LEAST ||
        chance(tally.lost, tally.answered) * (tally.answered + 1) > PORTS_CHANCE_MOST)
        return;
    struct syn_drop drop = {.lost = tally.lost, .answered = tally.answered, .confidence = 90};
    drop.ports = arena_format(&judge->site->arena, "%u-%u", tally.low, tally.high);
    struct syn_drop *kept = arena_copy(&judge->site->arena, &drop, sizeof drop);
    judge->failed |= kept == NULL || drop.ports == NULL;
    if (kept != NULL)
        mark(group, 0, 0, kept);
}

/* One client and one server, port by port: nothing else tells their SYNs apart. */
static void look_at_pair(struct judge *judge, const struct site_pair *pair)
{
    const struct site_service *seen[PAIR_SERVICES];
    size_t count = 0;
    for (size_t i = 0; i < pair->flows.count && count < PAIR_SERVICES; i++) {
        const struct site_service *service = pair->flows.flows[i]->service;
        bool known = pair->flows.flows[i]->f.tcp->syn_count < 2;
        for (size_t j = 0; j < count && !known; j++)
            known = seen[j] == service;
        if (known)
            continue;
        seen[count++] = service;
        struct group group = {pair->flows, service, true, true};
        look_at(judge, &group);
        if (is_open(pair->flows.flows[i]))
            look_at_ports(judge, &group);
    }
}

static void detect(struct judge *judge)
{
    struct site *site = judge->site;
    for (size_t i = 0; i < site->pair_count; i++)
        look_at_pair(judge, &site->pairs[i]);
    for (size_t i = 0; i < site->service_count; i++)
        look_at(judge, &(struct group){site->services[i].flows, NULL, false, true});
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_host *client = site->by_client[i]->client;
        if (i == 0 || site->by_client[i - 1]->client != client)
            look_at(judge, &(struct group){site_client_flows(site, client), NULL, true, false});
    }
}

void syns_explain(struct judge *judge, const struct site_flow *flow, bool at_server,
                  struct claim *out)
{
    static const enum rival first_only[] = {RIVAL_SYN_CONTENT, RIVAL_FIRST_SYN,
                                            RIVAL_CONGESTION,  RIVAL_ACCEPT_QUEUE_FULL,
                                            RIVAL_RATE_LIMIT,  RIVAL_COUNT};
    static const enum rival named[] = {RIVAL_CONGESTION, RIVAL_RATE_LIMIT, RIVAL_COUNT};
    const struct syn_drop *drop = flow->syn_drop;
    if (drop == NULL)
        return;
    if (drop->confidence == 0) {
        if (out->code != FINDING_CONN_SLOW_CONNECT)
            return;
        out->rivals = judge_rivals(judge, first_only);
        out->confidence = FIRST_ONLY_CONFIDENCE;
        out->culprit = CULPRIT_UNKNOWN;
        out->reason = text_get(TEXT_REASON_SYN_CONTENT, LANG_EN);
        return;
    }
    claim_add_text(out, "asks", drop->asks);
    claim_add_text(out, "ports", drop->ports);
    claim_add_number(out, "lost", drop->lost);
    claim_add_number(out, "answered", drop->answered);
    out->rivals = judge_rivals(judge, named);
    out->confidence = drop->confidence;
    if (at_server) {
        out->culprit = CULPRIT_UNKNOWN; /* its own filter, or the last bridge before it */
        out->reason = text_get(TEXT_REASON_AT_SERVER, LANG_EN);
    } else {
        out->culprit = CULPRIT_MIDDLEBOX;
        out->reason = NULL;
    }
}

const struct detector detector_syns = {"syns", detect};
