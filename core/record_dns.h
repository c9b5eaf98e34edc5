/* Record of one question of the domain name system and what came back. Included by core/record.h. */
#ifndef INVCAP_CORE_RECORD_DNS_H
#define INVCAP_CORE_RECORD_DNS_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

/* One question with one id on one flow: tries with the same id are one transaction. Which side asked
 * is told, because port 53 may be at both ends. */
struct dns_record {
    int64_t flow_id;
    int64_t number;                /* 1.. within the flow, in order of the first packet */
    uint8_t asker;                 /* enum side */
    struct address client_ip, server_ip; /* who asked, and whom */
    uint16_t query_id;
    const char *question;          /* lower case, without the last dot; "." is the root */
    const char *question_type;     /* "A", "AAAA", "TYPE300" */
    int64_t query_ns, last_query_ns; /* first and last try; -1 unseen */
    int64_t answer_ns;             /* first answer; -1 none */
    int64_t query_frame, last_query_frame, answer_frame;
    uint32_t tries;                /* queries seen; 0: the answer alone was */
    uint32_t answers;              /* messages that answered */
    int32_t rcode;                 /* of the first answer, EDNS bits included; -1 none */
    int64_t response_ns;           /* from the query to the first answer; -1 unknown */
    bool authoritative, truncated; /* of the first answer */
    uint32_t edns_bytes;           /* UDP size that the client offers; 0 without EDNS */
    uint32_t answer_count;         /* resource records in the answer section */
    const char *answer_list;       /* "CNAME b.example,A 192.0.2.1": bounded */
    int64_t ttl_s;                 /* smallest of the answer section; -1 none */
    uint32_t conflicts;            /* answers beyond the queries that say something else */
    const char *conflict_list;     /* what the first of them said */
    int64_t conflict_ns, conflict_frame;
    uint32_t answer_ttl, conflict_ttl; /* IP TTL or hop limit of both packets; 0 unknown */
    bool given_up;                 /* closed early at a limit: silence proves nothing */
};

#endif
