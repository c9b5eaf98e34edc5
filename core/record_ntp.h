/* Record of one exchange with a time server. Included by core/record.h. */
#ifndef INVCAP_CORE_RECORD_NTP_H
#define INVCAP_CORE_RECORD_NTP_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

/* A request with its reply, a request nobody answered, or a packet that came unasked (RFC 5905 7.3).
 * Offsets compare a clock with the clock of the capture: positive is ahead of it. */
struct ntp_record {
    int64_t flow_id;
    int64_t number;              /* 1.. within the flow */
    uint8_t asker;               /* enum side that sent the request, or heard a broadcast */
    struct address client_ip, server_ip; /* who asked or listened, and the time server */
    uint8_t version;
    uint8_t mode;                /* of the server's packet; of the request when there is none */
    int64_t request_ns, reply_ns; /* -1 unseen */
    int64_t request_frame, reply_frame;
    int32_t leap;                /* of the server's packet; -1 none. 3: not synchronised */
    int32_t stratum;             /* the same; 0 is a kiss code */
    char reference[16];          /* its reference: address, "GPS", or the kiss code */
    int64_t offset_ns;           /* server's clock against the capture's, valid with error_ns >= 0 */
    int64_t error_ns;            /* the offset may be off by so much; -1 no offset */
    int64_t client_offset_ns;    /* client's transmit time against the capture, when it means one */
    bool client_offset_known;
    int64_t delay_ns;            /* tap to server and back without the server's time; -1 unknown */
    int64_t root_delay_ns, root_dispersion_ns; /* as the server says; -1 none */
};

#endif
