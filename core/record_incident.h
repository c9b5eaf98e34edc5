/* Incidents: findings that tell one story of somebody in the middle, with its time line. Included by
 * core/record.h; made by the site diagnosis. */
#ifndef INVCAP_CORE_RECORD_INCIDENT_H
#define INVCAP_CORE_RECORD_INCIDENT_H

#include "core/address.h"

#include <stdint.h>

struct incident_record {
    int64_t id;
    int64_t capture_id;
    int64_t first_ns, last_ns;
    struct address server_ip;  /* of its strongest finding */
    uint16_t server_port;
    const char *name;
    int64_t score;             /* 0..100, the sum of the terms */
    const char *terms;         /* "mitm-pin-mismatch 60,net-ip-conflict 20" */
    const char *rivals;        /* rival codes of its findings, comma separated */
    uint32_t findings;
};

struct incident_step_record {
    int64_t incident_id;
    int64_t number;            /* 1.. in order of time */
    int64_t time_ns;
    int64_t finding_id;
    uint16_t code;             /* enum finding_code + 1 */
    int64_t weight;            /* what it adds to the score */
};

#endif
