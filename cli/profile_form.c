/* The form of a profile: its mappings and their keys, for libcyaml and for complaints. */
#include "cli/profile_schema.h"

#include "core/profile.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MOST 256
#define LIST_MOST 1024

static const cyaml_strval_t transports[] = {
    {"tcp", YAML_TCP}, {"udp", YAML_UDP}, {"both", YAML_BOTH}};
static const cyaml_strval_t protocols[] = {
    {"any", PROFILE_ANY},     {"tls", PROFILE_TLS},     {"http", PROFILE_HTTP},
    {"grpc", PROFILE_GRPC},   {"ftp", PROFILE_FTP},     {"dns", PROFILE_DNS},
    {"ntp", PROFILE_NTP},     {"udp", PROFILE_UDP},     {"tcp", PROFILE_TCP},
    {"ssh", PROFILE_SSH},     {"mysql", PROFILE_MYSQL}, {"postgresql", PROFILE_POSTGRESQL},
    {"redis", PROFILE_REDIS}, {"amqp", PROFILE_AMQP}};
static const cyaml_strval_t kinds[] = {
    {"dns", DEPENDENCY_DNS},     {"ntp", DEPENDENCY_NTP},       {"database", DEPENDENCY_DATABASE},
    {"cache", DEPENDENCY_CACHE}, {"broker", DEPENDENCY_BROKER}, {"gateway", DEPENDENCY_GATEWAY},
    {"other", DEPENDENCY_OTHER}};
/* libcyaml's own truth takes every unknown word for true. */
static const cyaml_strval_t truths[] = {{"false", 0}, {"no", 0}, {"true", 1}, {"yes", 1}};
static const cyaml_schema_value_t text_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MOST)};

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, struct type, member, 1, TEXT_MOST)
#define OPTIONAL_TEXT(key, type, member)                                                           \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | OPTIONAL, struct type, member, 1, TEXT_MOST)
#define OPTIONAL_LIST(key, type, member)                                                           \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | OPTIONAL, struct type, member, &text_value, 1,  \
                         LIST_MOST)
#define ENTRIES(key, flags, type, member, entry)                                                   \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | (flags), struct type, member, entry, 1,         \
                         LIST_MOST)
#define MAPPING(key, type, member, fields)                                                         \
    CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_POINTER | OPTIONAL, struct type, member, fields)
#define WORD(key, flags, type, member, words)                                                      \
    CYAML_FIELD_ENUM(key, CYAML_FLAG_STRICT | (flags), struct type, member, words,                 \
                     CYAML_ARRAY_LEN(words))
#define NUMBER(key, flags, type, member) CYAML_FIELD_UINT(key, flags, struct type, member)
#define PERCENT(key, type, member) CYAML_FIELD_FLOAT(key, OPTIONAL, struct type, member)

static const cyaml_schema_field_t objective_fields[] = {
    PERCENT("tcp_success_percent", yaml_objectives, tcp_success_percent),
    PERCENT("tls_success_percent", yaml_objectives, tls_success_percent),
    PERCENT("error_percent", yaml_objectives, error_percent),
    NUMBER("latency_p99_ms", OPTIONAL, yaml_objectives, latency_p99_ms),
    NUMBER("latency_deviation_ms", OPTIONAL, yaml_objectives, latency_deviation_ms),
    NUMBER("failover_s", OPTIONAL, yaml_objectives, failover_s),
    CYAML_FIELD_END};

static const cyaml_schema_field_t ceiling_fields[] = {
    NUMBER("bits_per_second", OPTIONAL, yaml_ceilings, bits_per_second),
    NUMBER("requests_per_second", OPTIONAL, yaml_ceilings, requests_per_second),
    NUMBER("seconds", OPTIONAL, yaml_ceilings, seconds), CYAML_FIELD_END};

static const cyaml_schema_field_t heartbeat_fields[] = {
    OPTIONAL_TEXT("path", yaml_heartbeat, path), NUMBER("port", OPTIONAL, yaml_heartbeat, port),
    NUMBER("every_s", 0, yaml_heartbeat, every_s), CYAML_FIELD_END};
static const cyaml_schema_value_t heartbeat_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_heartbeat, heartbeat_fields)};

static const cyaml_schema_field_t backend_fields[] = {TEXT("server", yaml_backend, server),
                                                      NUMBER("weight", 0, yaml_backend, weight),
                                                      CYAML_FIELD_END};
static const cyaml_schema_value_t backend_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_backend, backend_fields)};

static const cyaml_schema_field_t service_fields[] = {
    TEXT("name", yaml_service, name),
    OPTIONAL_TEXT("class", yaml_service, class_name),
    OPTIONAL_TEXT("title", yaml_service, title),
    OPTIONAL_TEXT("title_zh", yaml_service, title_zh),
    CYAML_FIELD_SEQUENCE("ports", CYAML_FLAG_POINTER, struct yaml_service, ports, &text_value, 1,
                         LIST_MOST),
    WORD("transport", OPTIONAL, yaml_service, transport, transports),
    WORD("expected", OPTIONAL, yaml_service, expected, protocols),
    OPTIONAL_LIST("servers", yaml_service, servers),
    OPTIONAL_LIST("names", yaml_service, names),
    OPTIONAL_LIST("pins", yaml_service, pins),
    WORD("client_certificate", OPTIONAL, yaml_service, client_certificate, truths),
    NUMBER("slow_response_ms", OPTIONAL, yaml_service, slow_response_ms),
    MAPPING("objectives", yaml_service, objectives, objective_fields),
    MAPPING("ceilings", yaml_service, ceilings, ceiling_fields),
    ENTRIES("heartbeats", OPTIONAL, yaml_service, heartbeats, &heartbeat_value),
    ENTRIES("backends", OPTIONAL, yaml_service, backends, &backend_value),
    CYAML_FIELD_END};
static const cyaml_schema_value_t service_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_service, service_fields)};

static const cyaml_schema_field_t dependency_fields[] = {
    TEXT("name", yaml_service, name),
    WORD("kind", 0, yaml_service, kind, kinds),
    OPTIONAL_TEXT("title", yaml_service, title),
    OPTIONAL_TEXT("title_zh", yaml_service, title_zh),
    OPTIONAL_LIST("ports", yaml_service, ports),
    WORD("transport", OPTIONAL, yaml_service, transport, transports),
    WORD("expected", OPTIONAL, yaml_service, expected, protocols),
    OPTIONAL_LIST("servers", yaml_service, servers),
    OPTIONAL_LIST("names", yaml_service, names),
    NUMBER("slow_response_ms", OPTIONAL, yaml_service, slow_response_ms),
    CYAML_FIELD_END};
static const cyaml_schema_value_t dependency_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_service, dependency_fields)};

static const cyaml_schema_field_t environment_fields[] = {
    TEXT("name", yaml_environment, name),
    OPTIONAL_LIST("networks", yaml_environment, networks),
    OPTIONAL_LIST("names", yaml_environment, names),
    OPTIONAL_LIST("certificates", yaml_environment, certificates),
    OPTIONAL_LIST("issuers", yaml_environment, issuers),
    CYAML_FIELD_END};
static const cyaml_schema_value_t environment_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_environment, environment_fields)};

static const cyaml_schema_field_t quiet_fields[] = {
    OPTIONAL_LIST("days", yaml_quiet, days), TEXT("from", yaml_quiet, from),
    TEXT("to", yaml_quiet, to), TEXT("utc_offset", yaml_quiet, utc_offset), CYAML_FIELD_END};
static const cyaml_schema_value_t quiet_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_quiet, quiet_fields)};

static const cyaml_schema_field_t host_fields[] = {TEXT("address", yaml_host, address),
                                                   TEXT("name", yaml_host, name), CYAML_FIELD_END};
static const cyaml_schema_value_t host_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_host, host_fields)};

static const cyaml_schema_field_t threshold_fields[] = {
    NUMBER("slow_response_ms", OPTIONAL, yaml_thresholds, slow_response_ms),
    NUMBER("medium_response_ms", OPTIONAL, yaml_thresholds, medium_response_ms),
    NUMBER("latency_high_ms", OPTIONAL, yaml_thresholds, latency_high_ms),
    NUMBER("zero_window_ms", OPTIONAL, yaml_thresholds, zero_window_ms),
    NUMBER("absence_ms", OPTIONAL, yaml_thresholds, absence_ms),
    PERCENT("loss_percent", yaml_thresholds, loss_percent),
    CYAML_FIELD_END};

static const cyaml_schema_field_t profile_fields[] = {
    TEXT("name", yaml_profile, name),
    MAPPING("thresholds", yaml_profile, thresholds, threshold_fields),
    MAPPING("objectives", yaml_profile, objectives, objective_fields),
    MAPPING("ceilings", yaml_profile, ceilings, ceiling_fields),
    OPTIONAL_LIST("trusted_certificates", yaml_profile, trusted_certificates),
    OPTIONAL_LIST("trust_store", yaml_profile, trust_store),
    OPTIONAL_LIST("trusted_proxies", yaml_profile, trusted_proxies),
    ENTRIES("services", 0, yaml_profile, services, &service_value),
    ENTRIES("dependencies", OPTIONAL, yaml_profile, dependencies, &dependency_value),
    ENTRIES("environments", OPTIONAL, yaml_profile, environments, &environment_value),
    ENTRIES("quiet_hours", OPTIONAL, yaml_profile, quiet_hours, &quiet_value),
    ENTRIES("hosts", OPTIONAL, yaml_profile, hosts, &host_value),
    CYAML_FIELD_END};
static const cyaml_schema_value_t profile_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_profile, profile_fields)};

const struct cyaml_schema_value *profile_form(void)
{
    return &profile_value;
}

/* ---- for complaints ----------------------------------------------------------------------------
 */
#define MILLISECONDS "a whole number of milliseconds"
#define SECONDS "a whole number of seconds"
#define PERCENTAGE "a number, in percent"

static const struct expectation {
    const char *key, *expected;
} expectations[] = {
    {"name", "a name of 1 to 256 characters"},
    {"class", "a word, such as management or payment"},
    {"title", "a text of 1 to 256 characters"},
    {"title_zh", "a text of 1 to 256 characters"},
    {"ports", "a list of ports and ranges, such as [443, 8100-8199]"},
    {"transport", "tcp, udp or both"},
    {"expected", "any, tls, http, grpc, ftp, dns, ntp, udp, tcp, ssh, mysql, postgresql, redis or "
                 "amqp"},
    {"kind", "dns, ntp, database, cache, broker, gateway or other"},
    {"servers", "a list of IP addresses"},
    {"names", "a list of host names"},
    {"pins", "a list of SHA-256 digests of public keys in hex"},
    {"client_certificate", "true or false"},
    {"slow_response_ms", MILLISECONDS},
    {"medium_response_ms", MILLISECONDS},
    {"latency_high_ms", MILLISECONDS},
    {"zero_window_ms", MILLISECONDS},
    {"absence_ms", MILLISECONDS},
    {"latency_p99_ms", MILLISECONDS},
    {"latency_deviation_ms", MILLISECONDS},
    {"failover_s", SECONDS},
    {"every_s", SECONDS},
    {"seconds", SECONDS},
    {"loss_percent", "a number"},
    {"tcp_success_percent", PERCENTAGE},
    {"tls_success_percent", PERCENTAGE},
    {"error_percent", PERCENTAGE},
    {"bits_per_second", "a whole number"},
    {"requests_per_second", "a whole number"},
    {"weight", "a whole number"},
    {"port", "a port 1 to 65535"},
    {"path", "the path of a request, such as /healthz"},
    {"server", "an IP address"},
    {"address", "an IP address"},
    {"networks", "a list of networks, such as [10.1.0.0/16]"},
    {"certificates", "a list of SHA-256 digests of certificates in hex"},
    {"issuers", "a list of issuer names (CN or O)"},
    {"days", "a list of mon, tue, wed, thu, fri, sat, sun"},
    {"from", "a time of day, such as 22:30"},
    {"to", "a time of day, such as 22:30"},
    {"utc_offset", "an offset, such as +08:00"},
    {"thresholds", "a mapping of thresholds"},
    {"objectives", "a mapping of objectives"},
    {"ceilings", "a mapping of ceilings"},
    {"heartbeats", "a list of heartbeats, each with every_s and path or port"},
    {"backends", "a list of backends, each with server and weight"},
    {"trusted_certificates", "a list of SHA-256 digests of certificates in hex"},
    {"trust_store", "a list of files or folders with certificates of authorities"},
    {"trusted_proxies", "a list of issuer names (CN or O) or SHA-256 digests in hex"},
    {"services", "a list of services"},
    {"dependencies", "a list of dependencies, each with name and kind"},
    {"environments", "a list of environments"},
    {"quiet_hours", "a list of windows, each with from, to and utc_offset"},
    {"hosts", "a list of hosts, each with address and name"},
};

const char *profile_form_expectation(const struct profile_path *path)
{
    for (size_t i = path->count; i > 0; i--) {
        for (size_t j = 0; j < CYAML_ARRAY_LEN(expectations); j++) {
            if (strcmp(path->steps[i - 1].key, expectations[j].key) == 0) {
                return expectations[j].expected;
            }
        }
    }
    return "a mapping with name and services";
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
    for (; fields->key != NULL; fields++) {
        if (strcmp(fields->key, key) == 0) {
            return fields;
        }
    }
    return NULL;
}

size_t profile_form_levels(const struct profile_path *path,
                           struct profile_form_level out[PROFILE_FORM_MOST])
{
    const cyaml_schema_field_t *fields = profile_fields;
    size_t count = 0;
    out[count++] = (struct profile_form_level){.fields = fields};
    for (size_t i = 0; i < path->count;) {
        const cyaml_schema_field_t *field = find_field(fields, path->steps[i++].key);
        const cyaml_schema_value_t *value = field != NULL ? &field->value : NULL;
        if (value != NULL && value->type == CYAML_SEQUENCE) {
            bool has_entry = i < path->count && path->steps[i++].key[0] == '\0';
            value = has_entry ? value->sequence.entry : NULL;
        }
        if (value == NULL || value->type != CYAML_MAPPING) {
            return count;
        }
        fields = value->mapping.fields;
        out[count].path = *path;
        out[count].path.count = i;
        out[count++].fields = fields;
    }
    return count;
}

bool profile_form_knows(const struct profile_form_level *level, const char *key)
{
    return find_field(level->fields, key) != NULL;
}

void profile_form_keys(const struct profile_form_level *level, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (const cyaml_schema_field_t *field = level->fields; field->key != NULL && len < size;
         field++) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", field->key);
    }
}

const char *profile_form_noun(const struct profile_form_level *level)
{
    static const struct {
        const cyaml_schema_field_t *fields;
        const char *noun;
    } nouns[] = {{service_fields, "service"},
                 {dependency_fields, "dependency"},
                 {environment_fields, "environment"},
                 {quiet_fields, "window"},
                 {host_fields, "host"},
                 {heartbeat_fields, "heartbeat"},
                 {backend_fields, "backend"}};
    for (size_t i = 0; i < CYAML_ARRAY_LEN(nouns); i++) {
        if (nouns[i].fields == level->fields) {
            return nouns[i].noun;
        }
    }
    return "profile";
}
