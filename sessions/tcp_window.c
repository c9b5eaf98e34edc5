#include "sessions/tcp_window.h"

/* What the sender may take longer than the way itself, as a part of the whole round trip: its turn,
 * and the time that the segments of one window take on the wire. */
#define LATE_PART 4
/* Timestamps tell what the sender knew, so that only one which had nothing to send takes this many.
 */
#define IDLE_TRIPS 2

static bool is_late(const struct tcp_window_use *use, const struct tcp_window_way *way)
{
    int64_t more = use->stamped ? way->whole_ns * IDLE_TRIPS : way->whole_ns / LATE_PART;
    return way->now_ns - use->since_ns > way->sender_ns + more;
}

/* Less room than one segment is none: a sender avoids smaller ones (RFC 9293 3.8.6.2.1). */
static bool is_reached(const struct tcp_window_use *use, const struct tcp_window_way *way,
                       int64_t end)
{
    return end + way->mss > use->edge;
}

static void settle_open(struct tcp_window_use *use)
{
    use->watching = false;
    use->edges++;
}

static void settle_full(struct tcp_window_use *use, const struct tcp_window_way *way)
{
    settle_open(use);
    use->full++;
    if (use->window > use->largest) {
        use->largest = use->window;
        use->frame = way->frame;
        use->frame_ns = way->now_ns;
    }
}

static void watch(struct tcp_window_use *use, const struct tcp_window_way *way, int64_t window)
{
    if (!use->started) {
        use->started = true;
        use->first_ns = use->last_ns = way->now_ns;
    }
    use->watching = true;
    use->heard = false;
    use->edge = use->last_edge;
    use->window = window;
    use->since_ns = way->now_ns;
    use->stamped = way->stamped;
    use->timestamp = way->timestamp;
}

void tcp_window_announced(struct tcp_window_use *use, const struct tcp_window_way *way,
                          int64_t acked, int64_t gained, int64_t window, int64_t sent)
{
    if (use->started && gained > 0) {
        use->bytes += gained;
        use->last_ns = way->now_ns > use->last_ns ? way->now_ns : use->last_ns;
    }
    if (use->watching && is_late(use, way))
        settle_open(use);
    if (way->sender_ns < 0 || window <= 0 || acked + window <= use->last_edge)
        return;
    use->last_edge = acked + window;
    if (use->watching) { /* several of one tick of the clock look alike: the last counts */
        if (use->stamped && way->stamped && use->timestamp == way->timestamp)
            use->edge = use->last_edge;
        return;
    }
    watch(use, way, window);
    if (is_reached(use, way, sent))
        settle_full(use, way);
}

void tcp_window_sent(struct tcp_window_use *use, const struct tcp_window_way *way, int64_t end)
{
    if (!use->watching)
        return;
    bool stamped = use->stamped && way->stamped;
    int32_t newer = stamped ? (int32_t)(way->timestamp - use->timestamp) : 0;
    if (newer < 0)
        return;
    if (is_late(use, way))
        settle_open(use);
    else if (newer > 0 && !use->heard)
        use->watching = false; /* the announcement was lost, or another came right behind it */
    else if (newer > 0)
        settle_open(use);
    else if (is_reached(use, way, end))
        settle_full(use, way);
    else
        use->heard = stamped;
}

void tcp_window_close(const struct tcp_window_use use[2], struct flow_delay_record *out)
{
    int sender = use[1].full > use[0].full;
    const struct tcp_window_use *w = &use[sender];
    if (w->full * 2 <= w->edges || w->last_ns <= w->first_ns)
        return;
    out->window_sender = (uint8_t)sender;
    out->window_acks = w->edges;
    out->window_full = w->full;
    out->window_bytes = w->largest;
    out->window_frame = w->frame;
    out->window_frame_ns = w->frame_ns;
    out->window_span_ns = w->last_ns - w->first_ns;
    out->window_rate = (int64_t)((double)w->bytes * 1e9 / (double)out->window_span_ns);
}
