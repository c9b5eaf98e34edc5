/* Services and dependencies of a profile, with their ports, servers, heartbeats and backends. */
#include "cli/profile_builder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PORT_EXPECTED "a port 1 to 65535"
#define DIGEST_EXPECTED "the SHA-256 of a public key: 64 hexadecimal digits"
#define WEIGHT_MOST 1000000u

static bool read_port(const char **text, uint16_t *out)
{
    char *end = NULL;
    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    unsigned long number = strtoul(*text, &end, 10);
    if (number < 1 || number > 65535) {
        return false;
    }
    *text = end;
    *out = (uint16_t)number;
    return true;
}

static bool read_range(const char *text, struct port_range *out)
{
    if (!read_port(&text, &out->first)) {
        return false;
    }
    out->last = out->first;
    if (*text == '-') {
        text++;
        return read_port(&text, &out->last) && *text == '\0';
    }
    return *text == '\0';
}

static bool build_ports(struct builder *b, const struct yaml_service *raw,
                        struct profile_service *out)
{
    struct port_range *ranges = builder_list(b, raw->ports_count, sizeof(*ranges));
    if (ranges == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->ports_count; i++) {
        if (!read_range(raw->ports[i], &ranges[i])) {
            return builder_complain(b, "ports", i, raw->ports[i],
                                    PORT_EXPECTED " or a range such as 8100-8199");
        }
        if (ranges[i].first > ranges[i].last) {
            return builder_complain(b, "ports", i, raw->ports[i],
                                    "a range whose first port is the smaller one");
        }
        for (size_t j = 0; j < i; j++) {
            if (ranges[i].first <= ranges[j].last && ranges[j].first <= ranges[i].last) {
                return builder_complain(b, "ports", i, raw->ports[i],
                                        "ports that do not overlap others of the same service");
            }
        }
    }
    out->ports = ranges;
    out->port_count = raw->ports_count;
    return true;
}

static bool build_servers(struct builder *b, const struct yaml_service *raw,
                          struct profile_service *out)
{
    struct address *servers = builder_list(b, raw->servers_count, sizeof(*servers));
    if (servers == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->servers_count; i++) {
        if (!address_from_text(raw->servers[i], &servers[i])) {
            return builder_complain(b, "servers", i, raw->servers[i],
                                    "an IPv4 or IPv6 address, such as 10.0.0.2 or 2001:db8::2");
        }
    }
    out->servers = servers;
    out->server_count = raw->servers_count;
    return true;
}

/* ---- heartbeats and backends --------------------------------------------------------------------
 */
static bool build_heartbeat(struct builder *b, const struct yaml_heartbeat *raw,
                            struct profile_heartbeat *out)
{
    if (raw->path == NULL && raw->port == 0) {
        return builder_complain(b, "every_s", BUILDER_NO_ENTRY, "no path and no port",
                                "a path, a port or both beside every_s");
    }
    if (raw->path != NULL && raw->path[0] != '/') {
        return builder_complain(b, "path", BUILDER_NO_ENTRY, raw->path,
                                "a path that begins with /");
    }
    if (raw->port > 65535) {
        return builder_complain(b, "port", BUILDER_NO_ENTRY, "too large", PORT_EXPECTED);
    }
    if (raw->every_s < 1 || raw->every_s > 86400) {
        return builder_complain(b, "every_s", BUILDER_NO_ENTRY, "out of range",
                                "1 to 86400 (a day)");
    }
    out->path = builder_keep(b, raw->path);
    out->port = (uint16_t)raw->port;
    out->period_ns = (int64_t)raw->every_s * BUILDER_NS_PER_S;
    return true;
}

static bool build_heartbeats(struct builder *b, const struct yaml_service *raw,
                             struct profile_service *out)
{
    struct profile_heartbeat *list = builder_list(b, raw->heartbeats_count, sizeof(*list));
    bool good = list != NULL;
    builder_enter(b, "heartbeats");
    for (size_t i = 0; good && i < raw->heartbeats_count; i++) {
        builder_enter_entry(b, i);
        good = build_heartbeat(b, &raw->heartbeats[i], &list[i]);
        builder_leave(b);
    }
    builder_leave(b);
    out->heartbeats = list;
    out->heartbeat_count = raw->heartbeats_count;
    return good;
}

static bool is_listed(const struct profile_service *service, const struct address *server)
{
    for (size_t i = 0; i < service->server_count; i++) {
        if (address_equal(&service->servers[i], server)) {
            return true;
        }
    }
    return service->server_count == 0;
}

static bool build_backend(struct builder *b, const struct yaml_backend *raw,
                          const struct profile_service *service, struct profile_backend *list,
                          size_t index)
{
    struct profile_backend *out = &list[index];
    if (!address_from_text(raw->server, &out->server)) {
        return builder_complain(b, "server", BUILDER_NO_ENTRY, raw->server, "an IP address");
    }
    if (!is_listed(service, &out->server)) {
        return builder_complain(b, "server", BUILDER_NO_ENTRY, raw->server,
                                "one of the servers of the service");
    }
    for (size_t i = 0; i < index; i++) {
        if (address_equal(&list[i].server, &out->server)) {
            return builder_complain(b, "server", BUILDER_NO_ENTRY, raw->server,
                                    "a server that no other backend has");
        }
    }
    if (raw->weight < 1 || raw->weight > WEIGHT_MOST) {
        return builder_complain(b, "weight", BUILDER_NO_ENTRY, "out of range", "1 to 1000000");
    }
    out->weight = (uint32_t)raw->weight;
    return true;
}

static bool build_backends(struct builder *b, const struct yaml_service *raw,
                           struct profile_service *out)
{
    struct profile_backend *list = builder_list(b, raw->backends_count, sizeof(*list));
    bool good = list != NULL;
    builder_enter(b, "backends");
    for (size_t i = 0; good && i < raw->backends_count; i++) {
        builder_enter_entry(b, i);
        good = build_backend(b, &raw->backends[i], out, list, i);
        builder_leave(b);
    }
    builder_leave(b);
    out->backends = list;
    out->backend_count = raw->backends_count;
    return good;
}

/* ---- services -----------------------------------------------------------------------------------
 */
static bool build_service(struct builder *b, const struct yaml_service *from,
                          struct profile_service *out)
{
    out->name = builder_keep(b, from->name);
    out->class_name = builder_keep(b, from->class_name != NULL ? from->class_name : from->name);
    out->title_en = builder_keep(b, from->title);
    out->title_zh = builder_keep(b, from->title_zh);
    out->udp = from->transport == YAML_UDP;
    out->both = from->transport == YAML_BOTH;
    out->expected = (enum profile_protocol)from->expected;
    out->client_certificate = from->client_certificate != 0;
    out->dependency = (uint8_t)from->kind;
    return builder_milliseconds(b, "slow_response_ms", from->slow_response_ms,
                                &out->slow_response_ns) &&
           build_ports(b, from, out) && build_servers(b, from, out) &&
           builder_names(b, "names", from->names, from->names_count, &out->names,
                         &out->name_count) &&
           builder_digests(b, "pins", DIGEST_EXPECTED, from->pins, from->pins_count, &out->pins,
                           &out->pin_count) &&
           build_objectives(b, from->objectives, &out->objectives) &&
           build_ceilings(b, from->ceilings, &out->objectives) && build_heartbeats(b, from, out) &&
           build_backends(b, from, out);
}

static bool build_unlike(struct builder *b, const struct yaml_service *from,
                         struct profile_service *list, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(list[i].name, from->name) == 0) {
            return builder_complain(b, "name", BUILDER_NO_ENTRY, from->name,
                                    "a name that no other service or dependency has");
        }
    }
    return build_service(b, from, &list[index]);
}

/* DNS and NTP have ports and transports of their own. */
static bool build_dependency(struct builder *b, const struct yaml_service *from,
                             struct profile_service *list, size_t index)
{
    static char dns_port[] = "53", ntp_port[] = "123";
    static char *dns_ports[] = {dns_port}, *ntp_ports[] = {ntp_port};
    struct yaml_service whole = *from;
    static char class_name[] = "dependency";
    bool dns = whole.kind == DEPENDENCY_DNS, ntp = whole.kind == DEPENDENCY_NTP;
    if (whole.ports_count == 0 && !dns && !ntp) {
        return builder_complain(b, "kind", BUILDER_NO_ENTRY,
                                profile_dependency_name((unsigned)whole.kind),
                                "ports beside it: only dns and ntp have their own");
    }
    if (whole.ports_count == 0) {
        whole.ports = dns ? dns_ports : ntp_ports;
        whole.ports_count = 1;
    }
    if (whole.transport == YAML_NO_TRANSPORT && (dns || ntp)) {
        whole.transport = dns ? YAML_BOTH : YAML_UDP;
    }
    if (whole.expected == PROFILE_ANY && (dns || ntp)) {
        whole.expected = dns ? PROFILE_DNS : PROFILE_NTP;
    }
    whole.class_name = class_name;
    return build_unlike(b, &whole, list, index);
}

bool build_services(struct builder *b, const struct yaml_profile *raw)
{
    size_t services = raw->services_count, all = services + raw->dependencies_count;
    struct profile_service *list = builder_list(b, all, sizeof(*list));
    bool good = list != NULL;
    for (size_t i = 0; good && i < all; i++) {
        bool is_service = i < services;
        size_t entry = is_service ? i : i - services;
        builder_enter(b, is_service ? "services" : "dependencies");
        builder_enter_entry(b, entry);
        good = is_service ? build_unlike(b, &raw->services[entry], list, i)
                          : build_dependency(b, &raw->dependencies[entry], list, i);
        builder_leave(b);
        builder_leave(b);
    }
    b->built->profile.services = list;
    b->built->profile.service_count = good ? all : 0;
    return good;
}
