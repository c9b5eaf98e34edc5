/* dependencies: what the services of a site need, and what its users got. Made by the site diagnosis.
 * Included by core/record.h. */
#ifndef INVCAP_CORE_RECORD_DEPENDENCY_H
#define INVCAP_CORE_RECORD_DEPENDENCY_H

#include "core/address.h"

#include <stdint.h>

struct dependency_record {
    int64_t capture_id;
    int64_t number;        /* 1.. by server, port and protocol */
    const char *name;      /* the profile's; NULL: known by content alone */
    const char *kind;      /* "dns", "database" ... */
    const char *app;       /* by content */
    struct address server_ip;
    uint16_t server_port;
    uint8_t protocol;      /* IANA number */
    uint64_t others;       /* server ports put together in this row; 0: it is one */
    uint64_t clients;
    const char *users;     /* those with most connections: "10.0.0.1 (12), 10.0.0.2 (3)" */
    uint64_t attempts, failed; /* connections */
    uint64_t requests, errors, refused, slow;
    int64_t limit_ns;      /* above which an answer is slow */
    int64_t p50_ns, p95_ns, p99_ns, max_ns; /* of answer times, -1 none */
    int64_t first_ns, last_ns;
};

#endif
