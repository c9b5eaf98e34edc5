/* Round trips of a pair of hosts over time, from what flows keep of them. */
#ifndef INVCAP_DIAGNOSIS_SITE_DELAYS_H
#define INVCAP_DIAGNOSIS_SITE_DELAYS_H

#include "diagnosis/site/judge.h"

/* One measured round trip between the tap and a side. */
struct rtt_point {
    int64_t time_ns, rtt_ns;
    const struct site_flow *flow;
};

/* When a host moved so much that its own traffic may have filled a queue on the way. */
struct host_load {
    const struct site_host *host;
    int64_t first_ns, last_ns;
};

struct host_loads {
    struct host_load *at; /* by host, then time; of one host they do not overlap */
    size_t count;
};

/* What a host moved around a time. */
enum moving {
    MOVING_NOT,
    MOVING_SOON,   /* it moves much soon */
    MOVING_BEFORE, /* it just did: a queue may still drain */
    MOVING
};

/* Fills *out; its memory is the site's. False when memory is out. */
bool delays_find_loads(struct judge *judge, struct host_loads *out);
/* Whether a host of the flow was busy by itself around time_ns. */
bool delays_is_loaded(const struct host_loads *loads, const struct site_flow *flow, int64_t time_ns);
enum moving delays_moving(const struct host_loads *loads, const struct site_host *host, int64_t time_ns);
/* The round trip of the handshake between the tap and that side; negative: not seen. */
int64_t delays_handshake(const struct flow_facts *f, enum side side);
/* Whether a round trip to that side of the flow counts: TCP to that port, both ways seen. */
bool delays_is_usable(const struct site_flow *flow, uint16_t port);
/* The server port that most of the flows go to: behind another one may stand another machine. */
uint16_t delays_usual_port(struct flow_range flows);
/* The clean round trips of that side on the connections of the pair to its most used server port, in
 * time order, own load left out. *out is the site's; returns how many. */
size_t delays_gather(struct judge *judge, const struct host_loads *loads,
                     const struct site_pair *pair, enum side side, struct rtt_point **out);
/* delay_queue.c: tells of queues that a transfer of a host fills, and that all its others wait in. */
void delays_find_queues(struct judge *judge, const struct host_loads *loads);
/* delay_turn.c: whether questions and answers that nobody decrypts alternate on the flow, and were timed. */
bool delays_is_hidden_dialogue(const struct site_flow *flow);
/* How many different flows the points are of, up to most. */
size_t delays_flows(const struct rtt_point *points, size_t count, size_t most);
/* The value at share q of the values, which are sorted on the way. */
int64_t delays_quantile(int64_t *values, size_t count, double q);

#endif
