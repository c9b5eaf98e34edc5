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

/* What content is expected on the ports. */
enum profile_protocol {
    PROFILE_ANY,
    PROFILE_TLS,
    PROFILE_HTTP,
    PROFILE_GRPC,
    PROFILE_FTP,
    PROFILE_DNS,
    PROFILE_NTP,
    PROFILE_UDP,
    PROFILE_TCP,
    PROFILE_SSH,
    PROFILE_MYSQL,
    PROFILE_POSTGRESQL,
    PROFILE_REDIS,
    PROFILE_AMQP
};

/* What the watched services need: such a service is listed by `invcap dependencies`. */
enum profile_dependency {
    DEPENDENCY_NONE,
    DEPENDENCY_DNS,
    DEPENDENCY_NTP,
    DEPENDENCY_DATABASE,
    DEPENDENCY_CACHE,
    DEPENDENCY_BROKER,
    DEPENDENCY_GATEWAY,
    DEPENDENCY_OTHER,
    DEPENDENCY_KIND_COUNT
};

/* What a service promises, and how much it is made for. 0 = not given: a service then has those of
 * the profile (profile_objectives_of). */
struct profile_objectives {
    double tcp_success;           /* share of connects; default 0.85 */
    double tls_success;           /* share of handshakes; default 0.9995 */
    double error_share;           /* of requests; default 0.001 */
    int64_t latency_p99_ns;       /* default 500 ms */
    int64_t latency_deviation_ns; /* standard deviation; default 50 ms */
    int64_t failover_ns;          /* from one backend to the next; default 30 s */
    uint64_t bits_per_second;     /* ceiling, both directions; default 1,000,000,000 */
    uint64_t requests_per_second; /* ceiling; default 1,500 */
    int64_t ceiling_ns;           /* how long the bits must stay above it; default 5 min */
};

/* Calls so far apart, 30 s to 5 min as a timer keeps them, are learnt to be a heartbeat after so many
 * periods (service-heartbeat-missed). */
#define HEARTBEAT_LEAST_NS 27000000000LL
#define HEARTBEAT_MOST_NS 330000000000LL
#define HEARTBEAT_PERIODS 5

/* A call that comes again and again: its absence is told. */
struct profile_heartbeat {
    const char *path; /* template of the request; NULL = any connection to the port */
    uint16_t port;    /* 0 = any of the service */
    int64_t period_ns;
};

struct profile_backend { /* one of several servers behind a name */
    struct address server;
    uint32_t weight; /* its share of the connections is weight / sum of weights */
};

struct profile_service {
    const char *name;       /* "management" */
    const char *class_name; /* management, order, payment, reconciliation, monitoring ... */
    const char *title_en, *title_zh; /* shown; NULL = name */
    const struct port_range *ports;
    size_t port_count;
    bool udp;  /* ports are UDP (else TCP); FTP and UDP services list both */
    bool both; /* TCP and UDP */
    enum profile_protocol expected;
    const struct address *servers; /* empty = any */
    size_t server_count;
    const char *const *names; /* host names it must answer to */
    size_t name_count;
    const char *const *pins; /* SPKI SHA-256, hex */
    size_t pin_count;
    bool client_certificate;  /* mTLS expected */
    int64_t slow_response_ns; /* 0 = default of the profile */
    uint8_t dependency;       /* enum profile_dependency */
    struct profile_objectives objectives;
    const struct profile_heartbeat *heartbeats;
    size_t heartbeat_count;
    const struct profile_backend *backends; /* empty: all alike */
    size_t backend_count;
};

struct profile_network {
    struct address address; /* its host bits are zero */
    uint8_t bits;
};

/* Production, test, disaster recovery: what belongs together and must not be mixed. */
struct profile_environment {
    const char *name;
    const struct profile_network *networks; /* its servers */
    size_t network_count;
    const char *const *names; /* host names of it, "*.test.example.cn" */
    size_t name_count;
    const char *const *certificates; /* of its servers, SHA-256, hex */
    size_t certificate_count;
    const char *const *issuers; /* authorities that only it uses: CN or O */
    size_t issuer_count;
};

/* A window of the week in which little traffic is no fault. */
struct profile_quiet {
    uint8_t days;              /* bit 0 Monday ... bit 6 Sunday: on which it begins */
    uint16_t from_min, to_min; /* minutes of the day; to <= from ends on the day after */
    int16_t offset_min;        /* of its clock against UTC */
};

struct profile_host { /* how findings call a server that no client named */
    struct address address;
    const char *name;
};

struct trust_store;

struct profile {
    const char *name;
    bool builtin;
    const struct profile_service *services;
    size_t service_count;
    const char *const *trusted_issuers; /* self-signed or private: SHA-256 of certificates, hex */
    size_t trusted_issuer_count;
    int64_t slow_response_ns;       /* high: default 3 s */
    int64_t response_medium_ns;     /* medium: default 1 s and > 5x the endpoint's median */
    int64_t latency_high_ns;        /* default 300 ms */
    const char *const *trust_files; /* certificates of trusted authorities: paths as written */
    size_t trust_file_count;
    const char *const *proxies; /* allowed inspection proxies: issuer CN or O, or SHA-256 */
    size_t proxy_count;
    const struct trust_store
        *trust;             /* the same read (trust/store.h), with those of --ca; NULL none */
    double loss_share;      /* default 0.01 */
    int64_t zero_window_ns; /* default 1 s */
    int64_t absence_ns;     /* default 3 s */
    struct profile_objectives objectives;
    const struct profile_environment *environments;
    size_t environment_count;
    const struct profile_quiet *quiet;
    size_t quiet_count;
    const struct profile_host *hosts; /* by address */
    size_t host_count;
};

/* The service of a server port (and address): services with addresses first, then ports alone; of
 * several the one with the narrowest port range. protocol is 6 or 17. NULL when none. */
const struct profile_service *profile_service_of(const struct profile *profile, uint8_t protocol,
                                                 const struct address *server, uint16_t port);
/* What is promised of the service: its own, else the profile's. service may be NULL. */
struct profile_objectives profile_objectives_of(const struct profile *profile,
                                                const struct profile_service *service);
/* How slow an answer may be: the service's own limit, else the profile's; of DNS
 * PROFILE_DNS_SLOW_NS unless the service names its own. */
int64_t profile_slow_ns(const struct profile *profile, const struct profile_service *service);
#define PROFILE_DNS_SLOW_NS 500000000LL
/* Whether the time (ns since 1970 UTC) lies in a quiet window. */
bool profile_is_quiet(const struct profile *profile, int64_t time_ns);
/* The environment whose networks hold the address (the narrowest); NULL when none does. */
const struct profile_environment *profile_environment_of(const struct profile *profile,
                                                         const struct address *server);
/* How reports call the address; NULL when the profile has no name for it. */
const char *profile_host_name(const struct profile *profile, const struct address *address);
bool profile_network_holds(const struct profile_network *network, const struct address *address);
/* "10.0.0.0/8", or an address alone; host bits are cleared. */
bool profile_network_from_text(const char *text, struct profile_network *out);
/* Words as the YAML and the reports write them. */
const char *profile_protocol_name(unsigned protocol);
const char *profile_dependency_name(unsigned dependency); /* "" for DEPENDENCY_NONE */
/* The built-in e-invoice profile: static, never freed. */
const struct profile *profile_builtin(void);

#endif
