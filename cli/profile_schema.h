/* The YAML of a profile as libcyaml fills it. Private to cli/profile_*.c; the only header of ours
 * that speaks of the form of the file, and it includes nothing foreign. */
#ifndef INVCAP_CLI_PROFILE_SCHEMA_H
#define INVCAP_CLI_PROFILE_SCHEMA_H

#include "cli/profile_place.h"

#include <stddef.h>
#include <stdint.h>

enum yaml_transport { YAML_NO_TRANSPORT, YAML_TCP, YAML_UDP, YAML_BOTH };

struct yaml_objectives {
    double tcp_success_percent, tls_success_percent, error_percent;
    uint64_t latency_p99_ms, latency_deviation_ms, failover_s;
};

struct yaml_ceilings {
    uint64_t bits_per_second, requests_per_second, seconds;
};

struct yaml_heartbeat {
    char *path;
    uint64_t port, every_s;
};

struct yaml_backend {
    char *server;
    uint64_t weight;
};

struct yaml_service { /* and a dependency */
    char *name, *class_name, *title, *title_zh;
    int kind;     /* enum profile_dependency */
    char **ports; /* "443", "8100-8199" */
    unsigned ports_count;
    int transport; /* enum yaml_transport */
    int expected;  /* enum profile_protocol */
    char **servers;
    unsigned servers_count;
    char **names;
    unsigned names_count;
    char **pins;
    unsigned pins_count;
    int client_certificate; /* 0 or 1 */
    uint64_t slow_response_ms;
    struct yaml_objectives *objectives;
    struct yaml_ceilings *ceilings;
    struct yaml_heartbeat *heartbeats;
    unsigned heartbeats_count;
    struct yaml_backend *backends;
    unsigned backends_count;
};

struct yaml_thresholds {
    uint64_t slow_response_ms, medium_response_ms, latency_high_ms, zero_window_ms, absence_ms;
    double loss_percent;
};

struct yaml_environment {
    char *name;
    char **networks;
    unsigned networks_count;
    char **names;
    unsigned names_count;
    char **certificates;
    unsigned certificates_count;
    char **issuers;
    unsigned issuers_count;
};

struct yaml_quiet {
    char **days;
    unsigned days_count;
    char *from, *to, *utc_offset;
};

struct yaml_host {
    char *address, *name;
};

struct yaml_profile {
    char *name;
    struct yaml_thresholds *thresholds;
    struct yaml_objectives *objectives;
    struct yaml_ceilings *ceilings;
    char **trusted_certificates;
    unsigned trusted_certificates_count;
    char **trust_store; /* files or folders, beside the profile unless absolute */
    unsigned trust_store_count;
    char **trusted_proxies;
    unsigned trusted_proxies_count;
    struct yaml_service *services;
    unsigned services_count;
    struct yaml_service *dependencies;
    unsigned dependencies_count;
    struct yaml_environment *environments;
    unsigned environments_count;
    struct yaml_quiet *quiet_hours;
    unsigned quiet_hours_count;
    struct yaml_host *hosts;
    unsigned hosts_count;
};

struct cyaml_schema_value;

/* The form of the file, for libcyaml. */
const struct cyaml_schema_value *profile_form(void);

#define PROFILE_FORM_MOST (PROFILE_PATH_MOST + 1)

/* One of the mappings that a path leads through. */
struct profile_form_level {
    struct profile_path path;
    const void *fields; /* of profile_form.c */
};

/* The mappings along `path` from the root on; returns their number. */
size_t profile_form_levels(const struct profile_path *path,
                           struct profile_form_level out[PROFILE_FORM_MOST]);
/* Whether the mapping may have the key. */
bool profile_form_knows(const struct profile_form_level *level, const char *key);
/* Its keys, joined by ", ". */
void profile_form_keys(const struct profile_form_level *level, char *out, size_t size);
/* What such a mapping is called: "service". */
const char *profile_form_noun(const struct profile_form_level *level);
/* What stands behind the last key of the path, for complaints. */
const char *profile_form_expectation(const struct profile_path *path);

#endif
