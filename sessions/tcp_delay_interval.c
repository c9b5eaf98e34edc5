/* Round trips and load of a connection by interval, while it lasts. */
#include "core/hints.h"
#include "sessions/tcp_delay.h"

#define SECOND 1000000000LL
/* Short intervals show a step within a short capture; long ones keep the rows of a day few. */
#define EARLY_NS (60 * SECOND)
#define EARLY_INTERVAL_NS SECOND
#define INTERVAL_NS (10 * SECOND)
/* So many payload bytes in an interval may fill a queue on the way: worth a row by themselves. */
#define LOAD_BYTES 32768

RARE
static void fill_sample(struct tcp_delay *d, struct rtt_sample_record *out)
{
    *out = (struct rtt_sample_record){.start_ns = d->interval_ns,
                                      .client_count = d->interval_count[SIDE_CLIENT],
                                      .server_count = d->interval_count[SIDE_SERVER],
                                      .client_rtt_ns = d->interval_rtt_ns[SIDE_CLIENT],
                                      .server_rtt_ns = d->interval_rtt_ns[SIDE_SERVER],
                                      .bytes = d->interval_bytes,
                                      .retransmissions = d->interval_retransmissions};
    for (int s = 0; s < 2; s++) {
        d->interval_rtt_ns[s] = RECORD_NONE_NS;
        d->interval_count[s] = 0;
    }
    d->interval_bytes = d->interval_retransmissions = 0;
}

RARE
static bool tells_something(const struct tcp_delay *d)
{
    return d->interval_count[0] > 0 || d->interval_count[1] > 0 || d->interval_bytes >= LOAD_BYTES ||
           d->interval_retransmissions > 0;
}

bool tcp_delay_interval(struct tcp_delay *d, int64_t now_ns, struct rtt_sample_record *out)
{
    int64_t age = now_ns - d->interval_ns;
    if (age < EARLY_INTERVAL_NS || (age < INTERVAL_NS && d->interval_late))
        return false;
    bool tells = tells_something(d);
    if (tells) {
        fill_sample(d, out);
        d->has_samples = true;
    }
    d->interval_bytes = d->interval_retransmissions = 0;
    d->interval_ns = now_ns;
    d->interval_late = now_ns - d->first_ns >= EARLY_NS;
    return tells;
}

bool tcp_delay_last_interval(struct tcp_delay *d, struct rtt_sample_record *out)
{
    if (!d->has_samples || !tells_something(d))
        return false;
    fill_sample(d, out);
    return true;
}
