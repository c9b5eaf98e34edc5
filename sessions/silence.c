#include "sessions/silence.h"

#include <string.h>

/* Shorter ones are ordinary recovery from loss; Linux sends again after 200 ms and 600 ms. */
#define OUTAGE_LEAST_NS 1000000000LL
/* FINDINGS.md: two open connections at least; one retransmission each may be chance. */
#define OUTAGE_FLOWS 2
#define OUTAGE_TRIES 2

static struct waiting *find(struct waiting *list, uint32_t count, int64_t flow_id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].flow_id == flow_id)
            return &list[i];
    }
    return NULL;
}

void silence_wait(struct silence *s, int64_t flow_id, struct path *path)
{
    struct waiting *w = find(s->waiting, s->count, flow_id);
    if (w != NULL)
        w->tries++;
    else if (s->count < SILENCE_WAITING_MAX)
        s->waiting[s->count++] = (struct waiting){flow_id, path, 1};
}

/* Whether that was more than the recovery from a loss. */
static void settle(struct silence *s, int64_t heard_ns, const struct packet *p)
{
    uint32_t sure = 0;
    for (uint32_t i = 0; i < s->count; i++)
        sure += s->waiting[i].tries >= OUTAGE_TRIES;
    if (sure >= OUTAGE_FLOWS && p->time_ns - heard_ns >= OUTAGE_LEAST_NS) {
        s->pending = true;
        s->went_on = 0;
        s->from_ns = heard_ns;
        s->to_ns = p->time_ns;
        s->frame = (int64_t)p->frame;
        s->source_id = p->source_id;
        s->connections = s->ended_count = s->count;
        memcpy(s->ended, s->waiting, s->count * sizeof s->waiting[0]);
    }
    s->count = 0;
}

/* A connection that waited goes on: it was the way. A reset instead: the host forgot, it restarted.
 * What acknowledges nothing of it tells neither. */
bool silence_end(struct silence *s, int64_t heard_ns, int64_t flow_id, const struct packet *packet,
                 bool reset, bool acknowledged, uint32_t least)
{
    if (s->count > 0)
        settle(s, heard_ns, packet);
    struct waiting *w = s->pending ? find(s->ended, s->ended_count, flow_id) : NULL;
    if (w == NULL)
        return false;
    if (reset) {
        s->pending = false;
        return false;
    }
    if (!acknowledged || w->tries == 0)
        return false;
    w->tries = 0; /* counted */
    if (++s->went_on < least)
        return false;
    s->pending = false;
    return true;
}
