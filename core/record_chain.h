/* Chains that servers showed, as judged: one row per server address, port, name asked for and list of
 * certificates. Included by core/record.h; made by the site diagnosis, never by the engine. */
#ifndef INVCAP_CORE_RECORD_CHAIN_H
#define INVCAP_CORE_RECORD_CHAIN_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

enum chain_pin { CHAIN_PIN_NONE, CHAIN_PIN_MATCHES, CHAIN_PIN_DIFFERS };

struct chain_record {
    int64_t capture_id;
    int64_t number;          /* 1.. by first use in the capture */
    struct address server_ip;
    uint16_t server_port;
    const char *name;        /* server name asked for; NULL none */
    const char *name_unicode; /* the same in its own script; NULL when it is plain ASCII */
    int64_t certificate_id;  /* the server's own certificate */
    uint32_t sent;           /* certificates in the message */
    bool in_order;           /* each signed by the next */
    uint8_t status;          /* enum chain_status of trust/chain.h; names in columns_chain.c */
    const char *reason;      /* why it does not verify, or is broken */
    uint32_t path_length;    /* certificates of the way that was checked */
    uint32_t learnt;         /* of them known only from other connections or the named store */
    const char *top;         /* issuer of the last certificate seen of the way */
    uint8_t pin;             /* enum chain_pin */
    const char *subject;     /* common name of the server's own certificate, else its whole subject */
    const char *sha256;      /* fingerprint of it, hex */
    const char *issuer;      /* of the server's own certificate, RFC 4514; NULL unreadable */
    const char *spki_sha256; /* of its public key, hex */
    const char *key_type;
    bool self_signed;
    int64_t not_before_ns, not_after_ns;
    const char *ja3s, *alpn; /* of the first full handshake, as what follows */
    const char *cipher_name;
    const char *synack;      /* as of struct tls_record */
    bool staple_asked, staple_sent, sct_asked, sct_sent;
    uint16_t version;
    uint8_t ttl;             /* of the server's packets, smallest */
    int64_t rtt_min_ns;      /* tap to server, smallest connect time; -1 unknown */
    int64_t first_ns, last_ns;
    uint32_t connections;
    uint32_t clients;
};

#endif
