/* The contract of a datagram dissector: whole UDP payloads of one flow, in order of capture -> facts.
 *
 * Pure, as a stream dissector is (dissectors/dissector.h): no I/O, no clock. What it knows lives in
 * its own state, which must be bounded whatever comes. Datagrams may be lost, late, doubled by the
 * sender, cut by the snap length, or all of one side; copies made by the capture are left out before.
 * Records that are whole before the flow ends go to context->sink; facts of the flow to context->flow
 * (app, name, request_count, response_max_ns, facts: FLOW_FACT_REQUEST_OPEN, FLOW_FACT_ANSWERED). */
#ifndef INVCAP_DISSECTORS_DATAGRAM_H
#define INVCAP_DISSECTORS_DATAGRAM_H

#include "dissectors/dissector.h"

/* One payload. Borrowed for the call. */
struct datagram {
    enum side side;
    const uint8_t *bytes;
    uint32_t present; /* bytes captured at `bytes` */
    uint32_t len;     /* by the UDP header; present < len: cut by the snap length */
    uint16_t client_port, server_port;
    uint8_t ttl;      /* of the IP packet, or its hop limit */
};

enum datagram_result {
    DATAGRAM_MORE,    /* goes on, whether or not this one could be read */
    DATAGRAM_FINISHED /* nothing more is wanted of this flow; close follows at the end of the flow */
};

struct datagram_dissector {
    const char *name; /* flow.app; the dissector may set a more particular one */
    size_t state_size;
    /* true: context->tls is there from open to close, and becomes the flow's TLS session. */
    bool is_tls;
    /* Whether this is one of its datagrams, beyond reasonable doubt. By content; the ports are there
     * to decide between readings, not to ask for content. Asked for the first datagrams of a flow
     * (LIMIT_DATAGRAM_TRIES, both sides together) until one dissector says yes. */
    bool (*looks_like)(const struct datagram *datagram);
    /* state is zeroed memory of state_size. */
    void (*open)(void *state, struct dissect_context *context);
    /* context->time_ns and context->frame are those of this datagram. */
    enum datagram_result (*feed)(void *state, const struct datagram *datagram,
                                 struct dissect_context *context);
    /* The flow ends: last facts into context->flow and context->tls, records to context->sink; frees
     * what the state owns. */
    void (*close)(void *state, struct dissect_context *context);
    /* The certificates seen, for tls_certificates; NULL: it sees none. Good until close. */
    const struct tls_certificate_record *(*certificates)(const void *state, size_t *count);
};

/* All datagram dissectors, in order of preference (dissectors/datagrams.def); ends with NULL. */
const struct datagram_dissector *const *datagram_dissector_list(void);

#endif
