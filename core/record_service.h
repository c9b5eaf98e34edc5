/* services, service_minutes, endpoints: what the users of a server port got from it, over a capture, by
 * minute and by kind of request. Made by the site diagnosis. Included by core/record.h. */
#ifndef INVCAP_CORE_RECORD_SERVICE_H
#define INVCAP_CORE_RECORD_SERVICE_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

/* Counted per service and minute. Order is internal: columns have names. */
enum service_count {
    SERVICE_ATTEMPTS,     /* connections that began in the capture: the next three add up to it */
    SERVICE_OK, SERVICE_FAILED, SERVICE_UNKNOWN,
    SERVICE_OPEN_BEFORE,  /* connections that were open when the capture began */
    SERVICE_TCP_ATTEMPTS, /* whose end is known */
    SERVICE_TCP_OK,
    SERVICE_TLS_ATTEMPTS, /* whose end is known */
    SERVICE_TLS_OK,
    SERVICE_REQUESTS, SERVICE_ERRORS,
    SERVICE_BYTES,        /* payload of both sides */
    SERVICE_RETRANSMISSIONS,
    SERVICE_COUNT_KINDS
};

enum service_time {
    SERVICE_CONNECT, /* SYN to the end of the TCP handshake */
    SERVICE_TLS,     /* ClientHello to the end of the handshake */
    SERVICE_THINK,   /* request's last byte to the answer's first, less the network */
    SERVICE_TOTAL,   /* request's first byte to the answer's last */
    SERVICE_TIME_KINDS
};

struct service_times {
    uint64_t count;
    int64_t sum_ns, max_ns;         /* max -1 none */
    int64_t p50_ns, p95_ns, p99_ns; /* within 1 %; -1 none */
    const uint8_t *sketch;          /* sketch_pack of core/sketch.h */
    int64_t sketch_len;
};

struct service_record {
    int64_t capture_id, number;    /* 1.. within the capture, most connections first */
    const char *service;           /* of the profile */
    const char *name;              /* what clients called it most: SNI, Host */
    const char *app;
    struct address server_ip;
    uint16_t server_port;
    uint8_t protocol;              /* 6, 17 */
    uint64_t others;               /* server ports put together in this row; 0: it is one */
    int64_t first_ns, last_ns;
    uint64_t clients;              /* addresses */
    uint64_t count[SERVICE_COUNT_KINDS];
    struct service_times time[SERVICE_TIME_KINDS];
    uint64_t peak_requests;        /* most that began within one second */
    uint32_t outages;              /* service-outage */
    uint64_t outage_attempts;
    int64_t outage_ns;             /* all of them together */
    int64_t failover_ns;           /* longest switch to it from another server of its name; 0 none */
    int64_t availability_ppm;      /* of the time from first to last; -1 unknown */
};

enum service_rate { RATE_USUAL, RATE_SURGE, RATE_DROP };

struct service_minute_record {
    int64_t capture_id, number;    /* 1.. within the capture */
    int64_t service_number;
    const char *client_group;      /* prefix of the clients; "other"; NULL all of them */
    int64_t start_ns, span_ns;
    uint8_t rate;                  /* enum service_rate: the service's requests against its own median */
    uint64_t count[SERVICE_COUNT_KINDS];
    struct service_times time[SERVICE_TIME_KINDS];
};

struct endpoint_record {
    int64_t capture_id, number;    /* 1.. within the capture */
    int64_t service_number;
    const char *method, *path;     /* path as template; of other protocols the command alone */
    uint64_t others;               /* endpoints put together in this row; 0: it is one */
    bool waits;                    /* long poll, event stream: its times are left out of the service's */
    int64_t first_ns, last_ns;
    uint64_t requests, errors, connections;
    struct service_times time[SERVICE_TIME_KINDS]; /* SERVICE_THINK and SERVICE_TOTAL */
};

#endif
