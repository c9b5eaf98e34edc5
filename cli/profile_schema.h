/* The YAML of a profile as libcyaml fills it. Private to cli/profile_*.c; the only header of ours
 * that speaks of the form of the file, and it includes nothing foreign. */
#ifndef INVCAP_CLI_PROFILE_SCHEMA_H
#define INVCAP_CLI_PROFILE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum yaml_transport { YAML_TCP, YAML_UDP, YAML_BOTH };

struct yaml_service {
    char *name, *class_name, *title, *title_zh;
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
};

struct yaml_thresholds {
    uint64_t slow_response_ms, medium_response_ms, latency_high_ms, zero_window_ms, absence_ms;
    double loss_percent;
};

struct yaml_profile {
    char *name;
    struct yaml_thresholds *thresholds;
    char **trusted_certificates;
    unsigned trusted_certificates_count;
    char **trust_store; /* files or folders, beside the profile unless absolute */
    unsigned trust_store_count;
    char **trusted_proxies;
    unsigned trusted_proxies_count;
    struct yaml_service *services;
    unsigned services_count;
};

#endif
