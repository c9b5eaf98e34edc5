/* What the servers' clocks say about the clock of the capture. Filled by detector_clocks. */
#ifndef INVCAP_DIAGNOSIS_SITE_CLOCKS_H
#define INVCAP_DIAGNOSIS_SITE_CLOCKS_H

#include "core/record_ntp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A clock against that of the capture: positive is ahead. It lies between both. */
struct clock_interval {
    int64_t low_ns, high_ns;
};

/* Known when most servers agree with each other and not with the capture. */
struct capture_clock {
    bool is_off;
    struct clock_interval off; /* what has to be added to its times */
    int64_t ahead_ns;          /* how far the Date of any answer is ahead of it; 0: none is */
};

/* A host that is off against most clocks. */
struct clock_skew {
    struct address address;
    int64_t offset_ns;
};

/* Whether the exchange tells an offset: a synchronised server, request and reply seen. */
bool ntp_is_measured(const struct ntp_record *r);

static inline int64_t clock_middle(struct clock_interval interval)
{
    return interval.low_ns + (interval.high_ns - interval.low_ns) / 2;
}

/* The time that it was when the capture said `ns`. */
static inline int64_t clock_correct(const struct capture_clock *clock, int64_t ns)
{
    return clock->is_off ? ns + clock_middle(clock->off) : ns;
}

#endif
