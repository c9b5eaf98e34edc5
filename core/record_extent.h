/* Rows about more than one connection: how far a fault reaches, and what one client tried in turn.
 * Included by core/record.h; the same rules hold. */
#ifndef INVCAP_CORE_RECORD_EXTENT_H
#define INVCAP_CORE_RECORD_EXTENT_H

#include "core/address.h"

/* What all connections that failed with one verdict have in common, and the others do not. */
struct domain_record {
    int64_t capture_id;
    int64_t number;                /* 1.. within the capture */
    uint16_t verdict;              /* enum finding_code + 1 */
    struct address client_ip;      /* unset: any client */
    uint8_t client_bits;           /* prefix length; 32 or 128: that one client */
    struct address server_ip;      /* unset: any server */
    uint8_t server_bits;
    uint16_t server_port;          /* 0: any port */
    const char *name;              /* NULL: any name */
    int64_t clients, servers;      /* distinct addresses of the failed ones */
    int64_t failed, attempts;      /* of those inside, begun from first_ns to last_ns */
    bool whole;                    /* nearly every attempt inside failed so */
    bool alone;                    /* nothing outside was tried: no contrast proves the limits */
    int64_t first_ns, last_ns;     /* beginnings of the first and last failed one */
    int64_t last_ok_ns, next_ok_ns; /* nearest success inside, before and after; -1 none */
    struct address reached_ip;     /* what those clients reached outside, most often */
    uint16_t reached_port;
    int64_t reached;               /* how often */
    int64_t others_ok;             /* connections of other clients to the same services that worked */
};

/* Attempts of one client at one server port, one after the other, until one works or it gives up. */
struct story_record {
    int64_t capture_id;
    int64_t number;                /* 1.. within the capture */
    struct address client_ip, server_ip; /* server of the first attempt */
    uint16_t server_port;
    const char *name, *service;
    int64_t attempts, failed;
    int64_t first_flow, last_flow; /* flow ids */
    int64_t first_ns, last_ns;     /* begin of the first, end of the last attempt */
    uint8_t outcome;               /* enum outcome of the last attempt */
    uint16_t verdict;              /* of the first failed attempt */
    const char *steps;             /* "conn-syn-timeout 7012, conn-refused 3, ok 12": milliseconds */
};

#endif
