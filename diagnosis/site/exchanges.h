/* Everything that was asked of a service, whatever the protocol: a question, its answer, how long.
 */
#ifndef INVCAP_DIAGNOSIS_SITE_EXCHANGES_H
#define INVCAP_DIAGNOSIS_SITE_EXCHANGES_H

#include "diagnosis/site/judge.h"

struct exchange {
    const struct site_flow *flow;
    const char *method, *path; /* "" when there is none: never NULL */
    int64_t time_ns;           /* the request began */
    int64_t frame;             /* that ended it: of the answer, else of the request; 0 unknown */
    int64_t think_ns; /* its end to the first byte of the answer, less the network; -1 unknown */
    int64_t total_ns; /* its begin to the answer's last byte; -1 unknown */
    uint32_t number;  /* within the flow, of its protocol */
    uint32_t kib;     /* bodies of both, rounded down */
    bool error;       /* the server failed it */
    bool waits;       /* for news, by design */
};

/* A connection that counts: TCP or UDP between two hosts that meant it. */
bool service_counts(const struct site_flow *flow);
/* Opened within the capture. */
bool service_is_attempt(const struct site_flow *flow);
/* Its failure is not the client's own fault. */
bool service_failed(const struct site_flow *flow);

/* The exchanges of a service by time, flow and number; outcomes must be known. Gathered once and kept until
 * exchanges_forget; *count 0 and judge->failed when memory is out. */
const struct exchange *exchanges_of(struct judge *judge, struct site_service *service,
                                    size_t *count);
void exchanges_forget(struct judge *judge);
/* The same of several services in one order, not kept: *out is to be freed. Returns how many. */
size_t exchanges_take(struct judge *judge, struct site_service *const *services, size_t count,
                      struct exchange **out);

#endif
