/* What each packet of a path tells: the TTL of its sides, outages, the newest timestamp. */
#include "core/hints.h"
#include "sessions/paths_internal.h"
#include "sessions/tcp.h"

#include <stdlib.h>

/* FINDINGS.md: a TTL that stayed for so many packets has changed. */
#define TTL_PACKETS 5
/* What kernels with tcp_tw_recycle kept of an address: a minute (TCP_PAWS_MSL). */
#define STAMP_KEPT_NS 60000000000LL

/* ---- the TTL of a side ----------------------------------------------------------------------- */

uint8_t path_initial_ttl(uint8_t ttl)
{
    static const uint8_t initial[] = {32, 64, 128, 255};
    size_t i = 0;
    while (initial[i] < ttl)
        i++;
    return ttl > 0 ? initial[i] : 0;
}

RARE
static void settle_ttl(struct path *path, enum side side)
{
    struct path_side *s = &path->record.side[side];
    s->ttl_before = s->ttl;
    s->ttl = path->ttl_next[side];
    s->ttl_changed_ns = path->ttl_ns[side];
    s->ttl_changed_frame = path->ttl_frame[side];
    s->ttl_source_id = path->ttl_source[side];
    s->ttl_changes++;
    path->ttl_next[side] = 0;
}

/* A TTL has changed when it stayed over several packets of two connections, one of which had the old
 * one before: another machine behind the same address cannot take over an open connection. */
static void note_ttl(struct path *path, struct flow *flow, enum side side, const struct packet *p,
                     uint8_t ttl)
{
    struct path_side *s = &path->record.side[side];
    uint8_t before = flow->side[side].path_ttl;
    flow->side[side].path_ttl = ttl;
    if (s->ttl == 0)
        s->ttl = ttl;
    if (ttl == s->ttl || path_initial_ttl(ttl) != path_initial_ttl(s->ttl)) { /* another system answers */
        path->ttl_next[side] = 0;
        return;
    }
    if (ttl != path->ttl_next[side]) {
        path->ttl_next[side] = ttl;
        path->ttl_count[side] = 0;
        path->ttl_crossed[side] = path->ttl_shared[side] = false;
        path->ttl_flow[side] = flow->id;
        path->ttl_ns[side] = p->time_ns;
        path->ttl_frame[side] = (int64_t)p->frame;
        path->ttl_source[side] = p->source_id;
    }
    path->ttl_crossed[side] |= before == s->ttl;
    path->ttl_shared[side] |= flow->id != path->ttl_flow[side];
    if (path->ttl_count[side] < TTL_PACKETS)
        path->ttl_count[side]++;
    if (path->ttl_count[side] == TTL_PACKETS && path->ttl_crossed[side] && path->ttl_shared[side])
        settle_ttl(path, side);
}

/* ---- outages --------------------------------------------------------------------------------- */

/* Of several clients that missed the server at once, so many have to go on. */
#define TRUNK_LEAST 2

static void wait_for(struct paths *paths, struct heard *heard, enum side silent, int64_t flow_id,
                     struct path *path)
{
    struct silence **silence = &heard->silence[silent];
    if (*silence == NULL)
        *silence = paths_take_silence(paths);
    if (*silence != NULL)
        silence_wait(*silence, flow_id, path);
}

/* The longest is kept. The same time told by a pair and by its network is one. */
RARE
static void keep_outage(struct path *path, enum side side, const struct silence *s)
{
    struct path_sample_record *r = &path->record;
    int64_t lasted = s->to_ns - s->from_ns;
    if (r->outages > 0 && path->outage_to_ns >= s->from_ns)
        return;
    path->outage_to_ns = s->to_ns;
    r->outages++;
    r->outage_total_ns += lasted;
    if (lasted <= r->outage_ns)
        return;
    r->outage_ns = lasted;
    r->outage_first_ns = s->from_ns;
    r->outage_last_ns = s->to_ns;
    r->outage_frame = s->frame;
    r->outage_source_id = s->source_id;
    r->outage_connections = s->connections;
    r->outage_side = (uint8_t)side;
}

/* The outage that this packet ends; NULL none. */
PER_PACKET
static const struct silence *outage_of(struct heard *heard, enum side side, const struct flow *flow,
                                       const struct packet *p, bool reset, uint32_t least)
{
    struct silence *s = heard->silence[side];
    if (s == NULL)
        return NULL;
    bool acknowledged = flow->tcp != NULL && flow->tcp->dir[!side].facts.tail_retransmissions == 0;
    bool ends = silence_end(s, heard->last_ns[side], flow->id, p, reset, acknowledged, least);
    return ends ? s : NULL;
}

static void note_heard(struct path *path, enum side side, const struct flow *flow,
                       const struct packet *p, bool reset)
{
    struct trunk *trunk = path->trunk;
    const struct silence *s = outage_of(&path->heard, side, flow, p, reset, 1);
    if (s != NULL)
        keep_outage(path, side, s);
    path->heard.last_ns[side] = p->time_ns;
    if (trunk == NULL)
        return;
    s = outage_of(&trunk->heard, side, flow, p, reset, TRUNK_LEAST);
    for (uint32_t i = 0; s != NULL && i < s->ended_count; i++)
        keep_outage(s->ended[i].path, side, s);
    trunk->heard.last_ns[side] = p->time_ns;
}

/* Which SYNs a server that remembers the timestamps of an address would think old (RFC 7323 5). */
static void note_stamp(struct path *path, struct flow *flow, const struct packet *p,
                       const struct tcp_header *h)
{
    bool kept = path->stamp_ns >= 0 && p->time_ns - path->stamp_ns <= STAMP_KEPT_NS;
    bool newer = (int32_t)(h->timestamp_value - path->stamp) > 0;
    if ((h->flags & TCP_SYN) != 0) {
        flow->tcp->syn_stamp_old = kept && !newer && h->timestamp_value != path->stamp;
        flow->tcp->syn_stamp_new = kept && newer;
        return;
    }
    if (kept && !newer)
        return;
    path->stamp = h->timestamp_value;
    path->stamp_ns = p->time_ns;
}

void path_note_packet(struct paths *paths, struct flow *flow, enum side side,
                      const struct packet *packet, const struct layers *layers,
                      enum event_kind event)
{
    struct path *path = flow->path;
    bool reset = (layers->tcp.flags & TCP_RST) != 0;
    note_heard(path, side, flow, packet, reset);
    if (side == SIDE_CLIENT && !reset && layers->tcp.has_timestamp)
        note_stamp(path, flow, packet, &layers->tcp);
    if (reset || (layers->tcp.flags & TCP_SYN) != 0)
        return;
    note_ttl(path, flow, side, packet, layers->ttl);
    if (event != EVENT_RETRANSMISSION || path->heard.last_ns[!side] < 0)
        return;
    wait_for(paths, &path->heard, !side, flow->id, path);
    if (path->trunk != NULL)
        wait_for(paths, &path->trunk->heard, !side, flow->id, path);
}
