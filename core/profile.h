/* The site profile: which services there are and what is normal for them. Read from YAML by cli/,
 * used by sessions (port hints, service names), diagnosis (thresholds, pins, names) and reports.
 * Open data, read-only after loading; all memory belongs to the loader (profile_free). */
#ifndef INVCAP_CORE_PROFILE_H
#define INVCAP_CORE_PROFILE_H

#include "core/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_range {
    uint16_t first, last;
};

enum profile_protocol { /* what content is expected on the ports */
    PROFILE_ANY, PROFILE_TLS, PROFILE_HTTP, PROFILE_GRPC, PROFILE_FTP, PROFILE_DNS, PROFILE_NTP,
    PROFILE_UDP, PROFILE_TCP
};

struct profile_service {
    const char *name;              /* "management" */
    const char *class_name;        /* management, order, payment, reconciliation, monitoring ... */
    const char *title_en, *title_zh; /* shown; NULL = name */
    const struct port_range *ports;
    size_t port_count;
    bool udp;                      /* ports are UDP (else TCP); FTP and UDP services list both */
    bool both;                     /* TCP and UDP */
    enum profile_protocol expected;
    const struct address *servers; /* empty = any */
    size_t server_count;
    const char *const *names;      /* host names it must answer to */
    size_t name_count;
    const char *const *pins;       /* SPKI SHA-256, hex */
    size_t pin_count;
    bool client_certificate;       /* mTLS expected */
    int64_t slow_response_ns;      /* 0 = default of the profile */
};

struct trust_store;

struct profile {
    const char *name;
    bool builtin;
    const struct profile_service *services;
    size_t service_count;
    const char *const *trusted_issuers; /* self-signed or private: SHA-256 of certificates, hex */
    size_t trusted_issuer_count;
    int64_t slow_response_ns;      /* high: default 3 s */
    int64_t response_medium_ns;    /* medium: default 1 s and > 5x the endpoint's median */
    int64_t latency_high_ns;       /* default 300 ms */
    const char *const *trust_files; /* certificates of trusted authorities: paths as written */
    size_t trust_file_count;
    const char *const *proxies;    /* allowed inspection proxies: issuer CN or O, or SHA-256 */
    size_t proxy_count;
    const struct trust_store *trust; /* the same read (trust/store.h), with those of --ca; NULL none */
    double loss_share;             /* default 0.01 */
    int64_t zero_window_ns;        /* default 1 s */
    int64_t absence_ns;            /* default 3 s */
};

/* The service of a server port (and address): services with addresses first, then ports alone; of
 * several the one with the narrowest port range. protocol is 6 or 17. NULL when none. */
const struct profile_service *profile_service_of(const struct profile *profile, uint8_t protocol,
                                                 const struct address *server, uint16_t port);
/* The built-in e-invoice profile: static, never freed. */
const struct profile *profile_builtin(void);

#endif
