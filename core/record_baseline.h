/* What is usual: how servers showed themselves and what clients offered when a baseline was saved.
 * Included by core/record.h; made by `invcap baseline save`, and kept when captures are replaced. */
#ifndef INVCAP_CORE_RECORD_BASELINE_H
#define INVCAP_CORE_RECORD_BASELINE_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

enum baseline_kind { BASELINE_SERVER, BASELINE_CLIENT };

struct baseline_record {
    int64_t id;             /* from 1 */
    uint8_t kind;           /* enum baseline_kind */
    struct address ip;      /* of the server, or of the client */
    uint16_t port;          /* of the server */
    const char *name;       /* server name asked for */
    const char *ja4;        /* client: its hello */
    /* server: as of struct chain_record */
    const char *issuer, *spki_sha256, *key_type;
    uint32_t sent;          /* length of the chain */
    uint16_t version;
    const char *cipher_name, *alpn, *ja3s, *synack;
    bool self_signed, staple_asked, staple_sent, sct_asked, sct_sent;
    uint8_t ttl;
    int32_t hops;           /* from the next likely initial TTL down to it; -1 unknown */
    int64_t rtt_min_ns;     /* -1 unknown */
    int64_t not_before_ns, not_after_ns;
    int64_t first_ns, last_ns;
    uint32_t connections;
};

#endif
