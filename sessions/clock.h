/* Whether a pause of the whole capture was one, or a step of the clock that stamps it. The hosts' TCP timestamps
 * go on at their own rate (RFC 7323 5.4): across a step they count less than the stamps say. One host may have stood
 * still, or its packet waited on the way; two that agree did not. A host that counted on proves that the time
 * passed. Asked only behind pauses, of connections that lasted over them; answered at the end, when the rates of the
 * hosts are known. */
#ifndef INVCAP_SESSIONS_CLOCK_H
#define INVCAP_SESSIONS_CLOCK_H

#include "core/hints.h"
#include "core/packet.h"
#include "dissectors/decode.h"
#include "sessions/flow.h"
#include "sessions/tcp.h"

#include <stdint.h>

/* Shorter steps make no finding, and packets may wait so long on the way. */
#define CLOCK_PAUSE_NS 1000000000LL
/* The longest pauses of a capture; a step shorter than so many true ones changes little. */
#define CLOCK_PAUSES 16
#define CLOCK_WITNESSES 4
#define CLOCK_RATES_DIFFER UINT16_MAX

/* What one host counted across a pause. */
struct clock_witness {
    struct address host;
    const struct path *path;
    enum side side;
    uint32_t ticks;
    int64_t stamped_ns; /* what the capture's stamps say of the same time */
};

struct clock_pause {
    int64_t from_ns, to_ns; /* last packet before it, first one behind it */
    uint32_t count;
    struct clock_witness witnesses[CLOCK_WITNESSES];
};

struct clock_watch {
    uint32_t left;    /* packets that are still asked about the last pause; 0: none */
    uint32_t at;      /* that pause */
    struct clock_pause pauses[CLOCK_PAUSES];
};

RARE
void clock_ask(struct clock_watch *watch, int64_t from_ns, int64_t to_ns);
/* A segment while packets are asked, before it is analysed. */
RARE
void clock_hear(struct clock_watch *watch, const struct flow *flow, enum side side,
                const struct packet *packet, const struct layers *layers);
/* How many ticks of a second a side's timestamps have, by all that a connection showed; 0 unknown. */
uint16_t clock_rate(const struct tcp_direction *direction);
/* Fills capture->pauses. */
void clock_tell_pauses(const struct clock_watch *watch, struct capture_record *capture);
/* Steps that looked like pauses are counted as jumps, and pauses that looked like jumps are not; long_ns: from
 * there on a pause was taken for a jump. usual: the rate of the other hosts, for those that showed none; 0 none. */
void clock_settle(const struct clock_watch *watch, int64_t long_ns, uint16_t usual, struct capture_record *capture);

#endif
