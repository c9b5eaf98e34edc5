#include "sessions/swarms.h"

#include "core/limits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SECOND 1000000000LL
#define MINUTE (60 * SECOND)
/* A spoofed source sends a SYN once, a scanner twice at most; a client that needs its server insists
 * and keeps its row. */
#define VAIN_SYNS 2
#define VAIN_DATAGRAMS 2
#define LEFTOVER_PACKETS 2
#define WAYS 4u
#define SETS (LIMIT_SWARM_KEYS / WAYS)
/* HyperLogLog (Flajolet 2007): 1.04 / sqrt(1024) = 3.25 % standard error. */
#define REGISTER_BITS 10u
#define REGISTERS (1u << REGISTER_BITS)
/* Flows end by idle time, not in the order in which they began: so many seconds are open at once. */
#define SECONDS 16

/* How many may be kept: in bursts, and when these are used up. */
struct quota {
    int64_t minute;
    uint32_t in_minute, total;
};

struct key {
    struct address address;
    uint16_t port; /* 0: of a client */
    uint8_t protocol, kind;
};

struct estimate {
    uint8_t registers[REGISTERS];
};

struct tally {
    struct swarm_record record;
    struct estimate clients, servers, ports;
    int64_t seconds[SECONDS];
    uint32_t in_second[SECONDS];
};

struct watched {
    struct key key; /* address unset: free */
    struct quota quota;
    struct tally *tally; /* NULL: all were kept so far */
};

struct swarms {
    struct watched sets[SETS][WAYS];
    struct quota all[2][2]; /* of all ports and clients: TCP or not; seen for the first time, or before */
    struct tally *any;
    struct tally *order[LIMIT_SWARMS + 1]; /* by first use */
    uint32_t count;
    int64_t capture_id;
};

struct swarms *swarms_new(int64_t capture_id)
{
    struct swarms *swarms = calloc(1, sizeof *swarms);
    if (swarms == NULL)
        return NULL;
    swarms->capture_id = capture_id;
    return swarms;
}

void swarms_free(struct swarms *swarms)
{
    for (uint32_t i = 0; swarms != NULL && i < swarms->count; i++)
        free(swarms->order[i]);
    free(swarms);
}

/* ---- what may be kept ------------------------------------------------------------------------ */

static bool is_same(const struct key *a, const struct key *b)
{
    return address_equal(&a->address, &b->address) && a->port == b->port &&
           a->protocol == b->protocol && a->kind == b->kind;
}

/* No secret in this hash: the same packets must keep the same rows, and whoever makes sets overflow
 * gains no more than the quota of the whole capture. */
static uint64_t hash_of(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

/* Of those that nothing is counted of yet, the one that tried least of late makes room. */
static struct watched *watch(struct swarms *swarms, const struct key *key)
{
    uint64_t words[3] = {(uint64_t)key->port << 16 | (uint64_t)key->protocol << 8 | key->kind};
    memcpy(&words[1], key->address.bytes, sizeof key->address.bytes);
    struct watched *set =
        swarms->sets[hash_of(words, sizeof words) % SETS];
    struct watched *least = NULL;
    for (uint32_t way = 0; way < WAYS; way++) {
        struct watched *w = &set[way];
        if (address_is_set(&w->key.address) && is_same(&w->key, key))
            return w;
        if (w->tally != NULL)
            continue;
        bool older = least != NULL && (w->quota.minute < least->quota.minute ||
                                       (w->quota.minute == least->quota.minute &&
                                        w->quota.in_minute < least->quota.in_minute));
        if (least == NULL || older)
            least = w;
    }
    if (least != NULL)
        *least = (struct watched){.key = *key, .quota = {.minute = INT64_MIN}};
    return least;
}

/* Counts one more; false: too many. */
static bool take_quota(struct quota *q, int64_t minute, uint32_t burst, uint32_t total,
                       uint32_t trickle)
{
    if (minute > q->minute) {
        q->minute = minute;
        q->in_minute = 0;
    }
    if (q->in_minute >= (q->total < total ? burst : trickle))
        return false;
    q->in_minute++;
    q->total++;
    return true;
}

static bool take_of_key(struct watched *watched, int64_t minute)
{
    return watched == NULL || take_quota(&watched->quota, minute, LIMIT_VAIN_PER_MINUTE,
                                         LIMIT_VAIN_KEPT, LIMIT_VAIN_TRICKLE);
}

/* ---- counting together ----------------------------------------------------------------------- */

static void estimate_note(struct estimate *e, const void *bytes, size_t len)
{
    uint64_t hash = hash_of(bytes, len);
    uint32_t at = (uint32_t)(hash >> (64 - REGISTER_BITS));
    uint64_t rest = hash << REGISTER_BITS | 1u << (REGISTER_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank > e->registers[at])
        e->registers[at] = rank;
}

/* Not more than `most`. */
static int64_t estimate_of(const struct estimate *e, int64_t most)
{
    double sum = 0, m = REGISTERS;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < REGISTERS; i++) {
        sum += 1.0 / (double)(1ULL << e->registers[i]);
        empty += e->registers[i] == 0;
    }
    double raw = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (raw <= 2.5 * m && empty > 0)
        raw = m * log(m / empty); /* linear counting of few */
    int64_t distinct = (int64_t)(raw + 0.5);
    return distinct < most ? distinct : most;
}

static void note_second(struct tally *t, int64_t ns)
{
    int64_t second = ns / SECOND;
    uint32_t slot = (uint32_t)(second % SECONDS);
    if (t->seconds[slot] < second) {
        t->seconds[slot] = second;
        t->in_second[slot] = 0;
    }
    if (t->seconds[slot] == second && ++t->in_second[slot] > t->record.most_per_second)
        t->record.most_per_second = t->in_second[slot];
}

static void note_times(struct swarm_record *r, const struct flow_record *flow)
{
    if (r->attempts == 0 || flow->first_ns < r->first_ns) {
        r->first_ns = flow->first_ns;
        r->first_frame = flow->first_frame;
        r->source_id = flow->source_id;
    }
    if (r->attempts == 0 || flow->first_ns >= r->last_ns) {
        r->last_ns = flow->first_ns;
        r->last_frame = flow->first_frame;
    }
}

static void count(struct tally *t, const struct flow_record *flow)
{
    struct swarm_record *r = &t->record;
    note_times(r, flow);
    r->attempts++;
    r->packets += (int64_t)(flow->client_packets + flow->server_packets);
    r->answered += flow->server_packets > 0;
    estimate_note(&t->clients, flow->client_ip.bytes, sizeof flow->client_ip.bytes);
    estimate_note(&t->servers, flow->server_ip.bytes, sizeof flow->server_ip.bytes);
    estimate_note(&t->ports, &flow->server_port, sizeof flow->server_port);
    note_second(t, flow->first_ns);
}

static struct tally *take_tally(struct swarms *swarms, enum swarm_kind kind,
                                const struct flow_record *flow)
{
    bool last = swarms->count >= LIMIT_SWARMS;
    if (swarms->count > LIMIT_SWARMS || (last && kind != SWARM_ANY))
        return NULL;
    struct tally *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->record = (struct swarm_record){.capture_id = swarms->capture_id,
                                      .number = (int64_t)swarms->count + 1,
                                      .kind = (uint8_t)kind,
                                      .protocol = kind == SWARM_ANY ? 0 : flow->protocol};
    if (kind == SWARM_TARGET || kind == SWARM_LEFTOVER) {
        t->record.server_ip = flow->server_ip;
        t->record.server_port = kind == SWARM_TARGET ? flow->server_port : 0;
    } else if (kind == SWARM_SOURCE) {
        t->record.client_ip = flow->client_ip;
    }
    swarms->order[swarms->count++] = t;
    return t;
}

/* ---- who takes it ---------------------------------------------------------------------------- */

static bool is_vain(const struct flow_record *flow, const struct flow_tcp_record *tcp)
{
    static const uint64_t said_something =
        FLOW_FACT_MIDSTREAM | FLOW_FACT_NO_SYN | FLOW_FACT_UNSEEN_PEER | FLOW_FACT_ESTABLISHED |
        FLOW_FACT_TRACEROUTE | FLOW_FACT_LOOPED;
    if ((flow->facts & said_something) != 0 || flow->app != NULL ||
        flow->client_payload_bytes + flow->server_payload_bytes > 0)
        return false;
    if (flow->protocol == 6)
        return tcp != NULL && tcp->syn_count > 0 && tcp->syn_count <= VAIN_SYNS;
    return flow->server_packets == 0 && flow->client_packets <= VAIN_DATAGRAMS &&
           !address_is_multicast(&flow->server_ip);
}

/* A packet or two without payload, of a connection that nobody saw begin or go on: an ACK or RST flood, or what a
 * victim answers to forged SYNs. With payload when nobody answers and nobody knows what it is. */
static bool is_leftover(const struct flow_record *flow, const struct flow_tcp_record *tcp)
{
    return flow->protocol == 6 && tcp != NULL && tcp->syn_count == 0 && flow->app == NULL &&
           (flow->facts & (FLOW_FACT_MIDSTREAM | FLOW_FACT_NO_SYN)) != 0 &&
           (flow->facts & (FLOW_FACT_ESTABLISHED | FLOW_FACT_TRACEROUTE | FLOW_FACT_LOOPED)) == 0 &&
           flow->client_packets + flow->server_packets <= LEFTOVER_PACKETS &&
           (flow->client_payload_bytes + flow->server_payload_bytes == 0 || flow->client_packets == 0 ||
            flow->server_packets == 0);
}

static struct tally *tally_of(struct swarms *swarms, struct watched *watched, enum swarm_kind kind,
                              const struct flow_record *flow)
{
    if (watched->tally == NULL)
        watched->tally = take_tally(swarms, kind, flow);
    return watched->tally;
}

static bool is_known(const struct watched *watched)
{
    return watched != NULL && watched->quota.total > 1;
}

/* Noise of invented addresses takes nothing from those who come again, nor one protocol from another. */
static struct tally *any_of(struct swarms *swarms, int64_t minute, const struct flow_record *flow, bool known)
{
    struct quota *quota = &swarms->all[flow->protocol == 6][known];
    if (take_quota(quota, minute, LIMIT_VAIN_ALL_PER_MINUTE, LIMIT_VAIN_ALL_KEPT, LIMIT_VAIN_ALL_TRICKLE))
        return NULL;
    if (swarms->any == NULL)
        swarms->any = take_tally(swarms, SWARM_ANY, flow);
    return swarms->any;
}

static struct tally *attempts_of(struct swarms *swarms, const struct flow_record *flow)
{
    const struct key to = {flow->server_ip, flow->server_port, flow->protocol, SWARM_TARGET};
    const struct key from = {flow->client_ip, 0, flow->protocol, SWARM_SOURCE};
    int64_t minute = flow->first_ns / MINUTE;
    struct watched *target = watch(swarms, &to), *source = watch(swarms, &from);
    struct tally *tally = NULL;
    if (source == target)
        target = NULL; /* it had to make room */
    if (!take_of_key(target, minute))
        tally = tally_of(swarms, target, SWARM_TARGET, flow);
    if (tally == NULL && !take_of_key(source, minute))
        tally = tally_of(swarms, source, SWARM_SOURCE, flow);
    return tally != NULL ? tally : any_of(swarms, minute, flow, is_known(target) || is_known(source));
}

static struct tally *leftovers_of(struct swarms *swarms, const struct flow_record *flow)
{
    const struct key to = {flow->server_ip, 0, flow->protocol, SWARM_LEFTOVER};
    int64_t minute = flow->first_ns / MINUTE;
    struct watched *target = watch(swarms, &to);
    struct tally *tally = NULL;
    if (!take_of_key(target, minute))
        tally = tally_of(swarms, target, SWARM_LEFTOVER, flow);
    return tally != NULL ? tally : any_of(swarms, minute, flow, is_known(target));
}

bool swarms_take(struct swarms *swarms, const struct flow_record *flow,
                 const struct flow_tcp_record *tcp, bool has_resets)
{
    struct tally *tally = NULL;
    if (!has_resets && is_vain(flow, tcp))
        tally = attempts_of(swarms, flow);
    else if (is_leftover(flow, tcp))
        tally = leftovers_of(swarms, flow);
    if (tally == NULL)
        return false;
    count(tally, flow);
    return true;
}

void swarms_finish(struct swarms *swarms, const struct sink *sink)
{
    for (uint32_t i = 0; i < swarms->count; i++) {
        struct tally *t = swarms->order[i];
        t->record.clients = estimate_of(&t->clients, t->record.attempts);
        t->record.servers = estimate_of(&t->servers, t->record.attempts);
        t->record.ports = estimate_of(&t->ports, t->record.attempts);
        sink_put(sink, RECORD_SWARM, &t->record);
    }
}
