/* Stretches of a direction that nobody has seen yet: made, filled, and decided on. */
#include "core/hints.h"
#include "sessions/tcp_internal.h"

#include <string.h>

RARE
static void remove_hole(struct tcp_direction *d, uint32_t index)
{
    struct tcp_holes *holes = d->holes;
    memmove(&holes->at[index], &holes->at[index + 1],
            (holes->count - index - 1) * sizeof holes->at[0]);
    holes->count--;
}

int64_t tcp_expected(const struct tcp_flow *tcp, enum side side, int64_t offset)
{
    const struct tcp_holes *holes = tcp->dir[side].holes;
    bool open = holes != NULL && holes->count > 0 && holes->at[0].start < offset;
    return open ? holes->at[0].start : offset;
}

static void release_if_empty(struct tcp_direction *d, struct tcp_env *env)
{
    if (d->holes != NULL && d->holes->count == 0) {
        pool_give(env->holes, d->holes);
        d->holes = NULL;
    }
}

bool tcp_add_hole(struct tcp_direction *d, int64_t start, int64_t end, const struct packet *p,
                  const struct layers *l, struct tcp_env *env)
{
    if (end <= start || end - start > SANE_AHEAD)
        return false;
    if (d->holes == NULL && (d->holes = pool_take(env->holes)) == NULL)
        return false;
    if (d->holes->count == TCP_HOLES) { /* the oldest is given up */
        const struct tcp_hole *oldest = &d->holes->at[0];
        uint64_t bytes = (uint64_t)(oldest->end - oldest->start);
        *(oldest->acked_ns >= 0 ? &d->facts.capture_gap_bytes : &d->facts.wire_gap_bytes) += bytes;
        remove_hole(d, 0);
    }
    /* The ID of the segment above counts only where the sender's IDs go up one by one. */
    uint16_t step = (uint16_t)(l->ip_id - d->ip_id);
    bool counts = d->seen && l->ip_id != 0 && step > 0 && step < SERIES_STEP;
    d->holes->at[d->holes->count++] =
        (struct tcp_hole){start,
                          end,
                          p->time_ns,
                          RECORD_NONE_NS,
                          counts ? l->ip_id : 0,
                          l->tcp.has_timestamp ? l->tcp.timestamp_value : 0,
                          false};
    return true;
}

void tcp_decide_holes(struct tcp_flow *tcp, enum side side, int64_t now_ns, bool at_end,
                      struct tcp_env *env, struct tcp_verdict *out)
{
    struct tcp_direction *d = &tcp->dir[side];
    while (d->holes != NULL && d->holes->count > 0) {
        const struct tcp_hole *hole = &d->holes->at[0];
        bool lost = hole->acked_ns >= 0 && (at_end || now_ns - hole->acked_ns > DISORDER_NS);
        if (!lost && !at_end)
            return;
        uint64_t bytes = (uint64_t)(hole->end - hole->start);
        if (hole->damaged) { /* lost: its receiver took it, and the capture's copy alone is wrong */
            d->sums_lie |= lost;
            d->facts.wire_gap_bytes += lost ? 0 : bytes;
        } else if (lost || !tcp->dir[!side].seen) {
            d->facts.capture_gap_bytes += bytes;
            (*env->gaps)++;
            *env->gap_bytes += bytes;
            tcp_note_scaled(tcp, side, 'g');
        } else {
            d->facts.wire_gap_bytes += bytes;
        }
        out->gap_to[side] = hole->end;
        out->gap_note[side] = lost || !tcp->dir[!side].seen ? NOTE_LOST_BY_CAPTURE : NOTE_UNRESOLVED;
        remove_hole(d, 0);
        release_if_empty(d, env);
    }
}

void tcp_decide_holes_at_end(struct tcp_flow *tcp, enum side side, int64_t now_ns,
                             struct tcp_env *env, struct tcp_verdict *out)
{
    tcp_decide_holes(tcp, side, now_ns, true, env, out);
}

void tcp_fill_hole(struct tcp_direction *d, uint32_t index, int64_t start, int64_t end,
                   struct tcp_env *env)
{
    struct tcp_hole *hole = &d->holes->at[index];
    bool head = hole->start<start, tail = hole->end> end;
    if (head && tail && d->holes->count < TCP_HOLES) {
        memmove(&d->holes->at[index + 1], hole, (d->holes->count - index) * sizeof *hole);
        d->holes->count++;
        d->holes->at[index].end = start;
        d->holes->at[index + 1].start = end;
    } else if (head) {
        hole->end = start;
    } else if (tail) {
        hole->start = end;
    } else {
        remove_hole(d, index);
    }
    release_if_empty(d, env);
}

int tcp_find_hole(const struct tcp_direction *d, int64_t start, int64_t end)
{
    for (uint32_t i = 0; d->holes != NULL && i < d->holes->count; i++) {
        const struct tcp_hole *hole = &d->holes->at[i];
        if (start < hole->end && end > hole->start)
            return (int)i;
    }
    return -1;
}
