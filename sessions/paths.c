#include "sessions/paths_internal.h"

#include "core/arena.h"
#include "core/hints.h"
#include "core/limits.h"
#include "core/sketch.h"
#include "sessions/clock.h"
#include "sessions/tcp.h"

#include <stdlib.h>
#include <string.h>

#define HASH_ODD 0xff51afd7ed558ccdULL
/* Twice the paths: probes stay short. A power of two. */
#define SLOTS (2u * LIMIT_PATHS)
/* Clients whose first bytes agree are of one network: /24, /64. */
#define NET_BYTES_4 3u
#define NET_BYTES_6 8u
/* A SYN sent so often got no answer. */
#define SILENT_SYNS 3
/* p0f's and the catalogue's tolerance: a TTL within it tells the same distance. */
#define TTL_TOLERANCE 2

/* Many round trips are counted in chunks that are there once something falls into them: those of a path lie
 * within a few. */
#define RTT_CHUNK 64
#define RTT_CHUNKS ((SKETCH_INDEX_MOST + 1) / RTT_CHUNK)

/* A place in a hash table: the rest of the hash, so that others are not looked at, and what stands there. */
struct path_slot {
    uint32_t tag, number; /* from 1; 0 free */
};

struct paths {
    struct arena arena;
    uint32_t rtt_chunks;      /* in use */
    struct sketch sketch;     /* while the records are put */
    uint8_t packed[2][SKETCH_PACKED_MAX];
    uint64_t secret;
    int64_t capture_id, first_id;
    struct path_slot slots[SLOTS], trunk_slots[SLOTS];
    struct path *order[LIMIT_PATHS];
    struct trunk *trunks[LIMIT_PATHS]; /* not more than paths */
    uint32_t count, trunk_count, unanswered;
    uint64_t given_up;
    uint16_t usual_rate; /* of timestamps, of all hosts */
};

struct paths *paths_new(uint64_t seed, int64_t capture_id, int64_t first_id)
{
    struct paths *paths = calloc(1, sizeof *paths);
    if (paths == NULL)
        return NULL;
    paths->secret = seed;
    paths->capture_id = capture_id;
    paths->first_id = first_id > 0 ? first_id : 1;
    return paths;
}

void paths_free(struct paths *paths)
{
    if (paths == NULL)
        return;
    arena_free(&paths->arena);
    free(paths);
}

uint64_t paths_memory(const struct paths *paths)
{
    return paths->arena.bytes;
}

uint64_t paths_given_up(const struct paths *paths)
{
    return paths->given_up;
}

struct silence *paths_take_silence(struct paths *paths)
{
    return arena_take(&paths->arena, sizeof(struct silence));
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 33)) * HASH_ODD;
    return word ^ (word >> 29);
}

static uint64_t mix_address(uint64_t hash, const struct address *a)
{
    uint64_t high, low;
    memcpy(&high, a->bytes, sizeof high);
    memcpy(&low, a->bytes + sizeof high, sizeof low);
    return mix(mix(mix(hash ^ high) ^ low) ^ a->family);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static void take_slot(struct path_slot *slot, uint64_t hash, uint32_t index)
{
    *slot = (struct path_slot){tag_of(hash), index + 1};
}

static uint64_t hash_of(const struct paths *paths, const struct address *one, const struct address *other)
{
    return mix_address(mix_address(paths->secret, one), other);
}

/* Where the path of those ends stands, or would. */
static struct path_slot *slot_of(struct paths *paths, uint64_t hash, const struct address *client,
                                 const struct address *server)
{
    for (size_t at = (size_t)hash & (SLOTS - 1);; at = (at + 1) & (SLOTS - 1)) {
        struct path_slot *slot = &paths->slots[at];
        if (slot->number == 0)
            return slot;
        if (slot->tag != tag_of(hash))
            continue;
        const struct path_sample_record *r = &paths->order[slot->number - 1]->record;
        if (address_equal(&r->client_ip, client) && address_equal(&r->server_ip, server))
            return slot;
    }
}

static struct path *find(struct paths *paths, const struct address *client, const struct address *server)
{
    struct path_slot *slot = slot_of(paths, hash_of(paths, client, server), client, server);
    return slot->number != 0 ? paths->order[slot->number - 1] : NULL;
}

struct path *paths_find(struct paths *paths, const struct flow *flow)
{
    struct address client = flow_address(flow, SIDE_CLIENT);
    struct address server = flow_address(flow, SIDE_SERVER);
    return find(paths, &client, &server);
}

static struct path_slot *trunk_slot(struct paths *paths, uint64_t hash, const struct address *net,
                                    const struct address *server)
{
    for (size_t at = (size_t)hash & (SLOTS - 1);; at = (at + 1) & (SLOTS - 1)) {
        struct path_slot *slot = &paths->trunk_slots[at];
        if (slot->number == 0)
            return slot;
        if (slot->tag != tag_of(hash))
            continue;
        const struct trunk *trunk = paths->trunks[slot->number - 1];
        if (address_equal(&trunk->net, net) && address_equal(&trunk->server, server))
            return slot;
    }
}

/* From the second path of a network on they share a trunk. When memory is out, the pairs tell alone. */
static void join_trunk(struct paths *paths, struct path *path, const struct address *client,
                       const struct address *server)
{
    struct address net = *client;
    size_t kept = net.family == 4 ? NET_BYTES_4 : NET_BYTES_6;
    memset(net.bytes + kept, 0, sizeof net.bytes - kept);
    uint64_t hash = hash_of(paths, &net, server);
    struct path_slot *slot = trunk_slot(paths, hash, &net, server);
    if (slot->number == 0) {
        struct trunk *new = arena_take(&paths->arena, sizeof *new);
        if (new == NULL)
            return;
        *new = (struct trunk){.net = net, .server = *server, .first = path};
        paths->trunks[paths->trunk_count] = new;
        take_slot(slot, hash, paths->trunk_count++);
        return;
    }
    struct trunk *trunk = paths->trunks[slot->number - 1];
    if (trunk->first->trunk == NULL) {
        trunk->first->trunk = trunk;
        memcpy(trunk->heard.last_ns, trunk->first->heard.last_ns, sizeof trunk->heard.last_ns);
    }
    path->trunk = trunk;
}

static void path_init(struct path *path, const struct paths *paths, const struct address *client,
                      const struct address *server, const struct flow *flow)
{
    struct path_sample_record *r = &path->record;
    r->id = paths->first_id + paths->count;
    r->capture_id = paths->capture_id;
    r->client_ip = *client;
    r->server_ip = *server;
    r->vlan = flow->vlan;
    r->first_ns = flow->first_ns;
    r->last_ns = flow->last_ns;
    path->stamp_ns = RECORD_NONE_NS;
    r->outage_side = SIDE_NONE;
    r->outage_ns = r->outage_first_ns = r->outage_last_ns = RECORD_NONE_NS;
    r->idle_survived_ns = r->idle_lost_ns = r->idle_timer_ns = RECORD_NONE_NS;
    for (int s = 0; s < 2; s++) {
        struct path_side *side = &r->side[s];
        side->hops = -1;
        side->ttl_changed_ns = RECORD_NONE_NS;
        side->rtt_data_min_ns = RECORD_NONE_NS;
        side->rtt_min_ns = side->rtt_p50_ns = side->rtt_p95_ns = side->rtt_p99_ns = RECORD_NONE_NS;
        path->heard.last_ns[s] = RECORD_NONE_NS;
    }
}

struct path *paths_take(struct paths *paths, const struct flow *flow, bool answered)
{
    struct address client = flow_address(flow, SIDE_CLIENT);
    struct address server = flow_address(flow, SIDE_SERVER);
    uint64_t hash = hash_of(paths, &client, &server);
    struct path_slot *slot = slot_of(paths, hash, &client, &server);
    if (slot->number != 0)
        return paths->order[slot->number - 1];
    if (paths->count >= LIMIT_PATHS || (!answered && paths->unanswered >= LIMIT_PATHS_UNANSWERED)) {
        paths->given_up++;
        return NULL;
    }
    struct path *path = arena_take(&paths->arena, sizeof *path);
    if (path == NULL) {
        paths->given_up++;
        return NULL;
    }
    path_init(path, paths, &client, &server, flow);
    join_trunk(paths, path, &client, &server);
    paths->order[paths->count] = path;
    take_slot(slot, hash, paths->count++);
    paths->unanswered += !answered;
    return path;
}

/* ---- flows that have ended ------------------------------------------------------------------- */

static void note_smaller(uint32_t value, uint32_t *kept)
{
    if (value > 0 && (*kept == 0 || value < *kept))
        *kept = value;
}

static void note_larger(uint32_t value, uint32_t *kept)
{
    if (value > *kept)
        *kept = value;
}

static void note_rtt(int64_t rtt_ns, int64_t *kept)
{
    if (rtt_ns >= 0 && (*kept < 0 || rtt_ns < *kept))
        *kept = rtt_ns;
}

/* An option that the server leaves out means something only where the client offered it. */
static void note_options(struct path_side *s, uint8_t has, uint8_t offered)
{
    static const uint8_t bits[] = {SYN_HAS_SCALE, SYN_HAS_SACK, SYN_HAS_TIMESTAMPS};
    uint32_t *seen[] = {&s->scale_seen, &s->sack_seen, &s->timestamps_seen};
    uint32_t *missing[] = {&s->scale_missing, &s->sack_missing, &s->timestamps_missing};
    if ((has & SYN_HAS_HEADER) == 0)
        return;
    s->syns++;
    s->padded_syns += (has & SYN_HAS_PADDING) != 0;
    for (size_t i = 0; i < sizeof bits; i++) {
        if ((has & bits[i]) != 0)
            (*seen[i])++;
        else if ((offered & bits[i]) != 0)
            (*missing[i])++;
    }
}

static void note_side(struct path *path, enum side side, const struct flow *flow,
                      const struct tcp_side_facts *f)
{
    struct path_side *s = &path->record.side[side];
    s->segments += f->segments;
    s->losses += f->recovered_losses;
    s->losses_before += f->filling_retransmissions < f->recovered_losses ? f->filling_retransmissions
                                                                       : f->recovered_losses;
    note_smaller(f->mss, &s->mss_min);
    note_larger(f->mss, &s->mss_max);
    note_larger(f->largest_delivered, &s->largest_passed);
    if (f->unacked_bytes > 0 && f->tail_retransmissions > 0)
        note_smaller(f->smallest_lost, &s->smallest_lost);
    note_rtt(flow->tcp->rtt_data_min_ns[side], &s->rtt_data_min_ns);
    const struct flow_side *ends = &flow->side[side];
    if ((flow->tcp->dir[side].syn_options & SYN_HAS_HEADER) != 0 && ends->path_ttl != 0 &&
        abs((int)ends->ttl - (int)ends->path_ttl) > TTL_TOLERANCE)
        s->syn_ttl_differs++;
    uint8_t client = flow->tcp->dir[SIDE_CLIENT].syn_options;
    if (side == SIDE_SERVER)
        note_options(s, flow->tcp->dir[SIDE_SERVER].syn_options,
                     (client & SYN_HAS_HEADER) != 0 ? client : 0);
    else
        note_options(s, client, 0xff);
}

static void note_stamps(struct path_sample_record *r, const struct tcp_flow *tcp)
{
    bool silent = tcp->facts.syn_count >= SILENT_SYNS && !tcp->dir[SIDE_SERVER].seen;
    if (tcp->synack_seen) {
        r->old_stamp_answered += tcp->syn_stamp_old;
        r->new_stamp_answered += tcp->syn_stamp_new;
    } else if (silent) {
        r->old_stamp_silent += tcp->syn_stamp_old;
        r->new_stamp_silent += tcp->syn_stamp_new;
    }
}

/* Machines that share an address may count at different rates. */
static void note_rate(uint16_t *known, uint16_t rate)
{
    if (rate != 0)
        *known = *known == 0 || *known == rate ? rate : CLOCK_RATES_DIFFER;
}

uint16_t paths_usual_rate(const struct paths *paths)
{
    return paths->usual_rate == CLOCK_RATES_DIFFER ? 0 : paths->usual_rate;
}

static void note_connection(struct paths *paths, struct path *path, const struct flow *flow,
                            const struct flow_record *record, const struct flow_tcp_record *tcp)
{
    struct path_sample_record *r = &path->record;
    bool open = record->client_packets > 0 && record->server_packets > 0 &&
                (record->facts & FLOW_FACT_MIDSTREAM) != 0;
    r->connections++;
    r->established += open || (record->facts & FLOW_FACT_ESTABLISHED) != 0;
    r->side[SIDE_CLIENT].retransmissions += record->client_retransmissions;
    r->side[SIDE_SERVER].retransmissions += record->server_retransmissions;
    note_rtt(record->rtt_min_client_ns, &r->side[SIDE_CLIENT].rtt_min_ns);
    note_rtt(record->rtt_min_server_ns, &r->side[SIDE_SERVER].rtt_min_ns);
    if (tcp->longest_idle_ns > 0 && tcp->longest_idle_ns > r->idle_survived_ns)
        r->idle_survived_ns = tcp->longest_idle_ns;
    note_stamps(r, flow->tcp);
    for (int s = 0; s < 2; s++) {
        note_side(path, (enum side)s, flow, &tcp->side[s]);
        uint16_t rate = flow->tcp != NULL ? clock_rate(&flow->tcp->dir[s]) : 0;
        note_rate(&path->clock_rate[s], rate);
        note_rate(&paths->usual_rate, rate);
    }
}

void paths_note_flow(struct paths *paths, struct flow *flow, const struct flow_record *record,
                     const struct flow_tcp_record *tcp)
{
    bool opening = flow->tcp != NULL && tcp_is_opening(flow->tcp);
    bool answered = !opening && record->client_packets > 0 && record->server_packets > 0;
    struct path *path = flow->path != NULL ? flow->path : paths_take(paths, flow, answered);
    if (path == NULL)
        return;
    struct path_sample_record *r = &path->record;
    r->flows++;
    if (record->first_ns < r->first_ns)
        r->first_ns = record->first_ns;
    if (record->last_ns > r->last_ns)
        r->last_ns = record->last_ns;
    r->side[SIDE_CLIENT].packets += record->client_packets;
    r->side[SIDE_SERVER].packets += record->server_packets;
    if (r->side[SIDE_CLIENT].ttl == 0)
        r->side[SIDE_CLIENT].ttl = record->client_ttl;
    if (r->side[SIDE_SERVER].ttl == 0)
        r->side[SIDE_SERVER].ttl = record->server_ttl;
    if (tcp != NULL)
        note_connection(paths, path, flow, record, tcp);
}

/* ---- round trips ----------------------------------------------------------------------------- */

RARE
static uint32_t *take_chunk(struct paths *paths)
{
    if (paths->rtt_chunks >= LIMIT_PATH_RTT_CHUNKS)
        return NULL;
    paths->rtt_chunks++;
    return arena_take(&paths->arena, RTT_CHUNK * sizeof(uint32_t));
}

static void count_rtt(struct paths *paths, uint32_t **chunks, int32_t index)
{
    uint32_t **chunk = &chunks[index / RTT_CHUNK];
    if (*chunk == NULL && (*chunk = take_chunk(paths)) == NULL) {
        paths->given_up++;
        return;
    }
    uint32_t *bucket = *chunk + index % RTT_CHUNK;
    *bucket += *bucket < UINT32_MAX;
}

/* From a list to counts; false, and the list stays, when memory is out. */
RARE
static bool open_chunks(struct paths *paths, struct path_rtt *rtt)
{
    if (paths->rtt_chunks >= LIMIT_PATH_RTT_CHUNKS)
        return false;
    rtt->chunks = arena_take(&paths->arena, RTT_CHUNKS * sizeof *rtt->chunks);
    for (uint32_t i = 0; rtt->chunks != NULL && i < rtt->few_count; i++)
        count_rtt(paths, rtt->chunks, rtt->few[i]);
    return rtt->chunks != NULL;
}

void path_note_rtt(struct paths *paths, struct path *path, enum side side, int64_t rtt_ns)
{
    struct path_rtt *rtt = &path->rtt[side];
    if (rtt_ns <= 0) {
        rtt->zeros += rtt->zeros < UINT32_MAX;
        return;
    }
    int32_t index = sketch_index(rtt_ns);
    if (rtt->few_count < PATH_RTT_FEW)
        rtt->few[rtt->few_count++] = (uint16_t)index;
    else if (rtt->chunks != NULL || open_chunks(paths, rtt))
        count_rtt(paths, rtt->chunks, index);
    else
        paths->given_up++;
}

/* The percentiles of a side; its sketch lies in paths->packed until the next path. */
APART
static void finish_rtt(struct paths *paths, const struct path_rtt *rtt, enum side side,
                       struct path_side *out)
{
    struct sketch *s = &paths->sketch;
    sketch_clear(s);
    sketch_add(s, 0, rtt->zeros);
    for (uint32_t i = 0; rtt->chunks == NULL && i < rtt->few_count; i++)
        sketch_add_at(s, rtt->few[i], 1);
    for (int32_t chunk = 0; rtt->chunks != NULL && chunk < RTT_CHUNKS; chunk++) {
        for (int32_t i = 0; rtt->chunks[chunk] != NULL && i < RTT_CHUNK; i++)
            sketch_add_at(s, chunk * RTT_CHUNK + i, rtt->chunks[chunk][i]);
    }
    if (s->count == 0)
        return;
    out->rtt_count = s->count;
    out->rtt_p50_ns = sketch_quantile(s, 0.50);
    out->rtt_p95_ns = sketch_quantile(s, 0.95);
    out->rtt_p99_ns = sketch_quantile(s, 0.99);
    out->rtt_sketch = paths->packed[side];
    out->rtt_sketch_len = (int64_t)sketch_pack(s, paths->packed[side]);
}

void paths_note_mtu(struct paths *paths, const struct address *src, const struct address *dst,
                    uint32_t mtu)
{
    struct path *ways[] = {find(paths, src, dst), find(paths, dst, src)};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (ways[i] != NULL)
            note_smaller(mtu, &ways[i]->record.mtu);
    }
}

void paths_finish(struct paths *paths, const struct sink *sink)
{
    int64_t id = paths->first_id;
    for (uint32_t i = 0; i < paths->count; i++) {
        struct path_sample_record *r = &paths->order[i]->record;
        if (r->flows == 0)
            continue; /* its only flow turned out to run the other way */
        r->id = id++;
        for (int s = 0; s < 2; s++) {
            r->side[s].hops = r->side[s].ttl > 0 ? path_initial_ttl(r->side[s].ttl) - r->side[s].ttl : -1;
            finish_rtt(paths, &paths->order[i]->rtt[s], (enum side)s, &r->side[s]);
        }
        sink_put(sink, RECORD_PATH, r);
    }
}
