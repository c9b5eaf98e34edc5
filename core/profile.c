#include "core/profile.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* The ports of the national e-invoice platform's public services, as its integrators meet them. */
static const struct port_range management_ports[] = {{443, 443}, {8443, 8443}};
static const struct port_range order_ports[] = {{80, 80}, {8080, 8099}};
static const struct port_range payment_ports[] = {{8100, 8199}};
static const struct port_range reconciliation_ports[] = {{8200, 8299}};
static const struct port_range monitoring_ports[] = {{6443, 6443}};
static const struct port_range transfer_ports[] = {{54321, 54321}};
static const struct port_range audit_ports[] = {{19999, 19999}};
static const struct port_range configuration_ports[] = {{8091, 8091}};
static const struct port_range dns_ports[] = {{53, 53}};
static const struct port_range ntp_ports[] = {{123, 123}};

#define PORTS(list) .ports = (list), .port_count = COUNT(list)

static const struct profile_service builtin_services[] = {
    {.name = "management",
     .class_name = "management",
     .title_en = "invoice management",
     .title_zh = "发票管理",
     PORTS(management_ports),
     .expected = PROFILE_TLS},
    {.name = "order",
     .class_name = "order",
     .title_en = "orders",
     .title_zh = "订单",
     PORTS(order_ports),
     .expected = PROFILE_HTTP},
    {.name = "payment",
     .class_name = "payment",
     .title_en = "payment",
     .title_zh = "支付",
     PORTS(payment_ports),
     .expected = PROFILE_ANY},
    {.name = "reconciliation",
     .class_name = "reconciliation",
     .title_en = "reconciliation",
     .title_zh = "对账",
     PORTS(reconciliation_ports),
     .expected = PROFILE_ANY},
    {.name = "monitoring",
     .class_name = "monitoring",
     .title_en = "monitoring",
     .title_zh = "监控",
     PORTS(monitoring_ports),
     .expected = PROFILE_GRPC},
    {.name = "file-transfer",
     .class_name = "transfer",
     .title_en = "file transfer",
     .title_zh = "文件传输",
     PORTS(transfer_ports),
     .both = true,
     .expected = PROFILE_ANY},
    {.name = "audit",
     .class_name = "audit",
     .title_en = "audit",
     .title_zh = "审计",
     PORTS(audit_ports),
     .expected = PROFILE_ANY},
    {.name = "configuration",
     .class_name = "configuration",
     .title_en = "configuration centre",
     .title_zh = "配置中心",
     PORTS(configuration_ports),
     .expected = PROFILE_HTTP},
    {.name = "dns",
     .class_name = "dependency",
     .title_en = "name resolution (DNS)",
     .title_zh = "域名解析 (DNS)",
     PORTS(dns_ports),
     .both = true,
     .expected = PROFILE_DNS,
     .dependency = DEPENDENCY_DNS},
    {.name = "ntp",
     .class_name = "dependency",
     .title_en = "time (NTP)",
     .title_zh = "时间同步 (NTP)",
     PORTS(ntp_ports),
     .udp = true,
     .expected = PROFILE_NTP,
     .dependency = DEPENDENCY_NTP},
};

static const struct profile builtin_profile = {
    .name = "e-invoice",
    .builtin = true,
    .services = builtin_services,
    .service_count = COUNT(builtin_services),
    .slow_response_ns = 3 * NS_PER_S,
    .response_medium_ns = 1 * NS_PER_S,
    .latency_high_ns = 300 * NS_PER_MS,
    .loss_share = 0.01,
    .zero_window_ns = 1 * NS_PER_S,
    .absence_ns = 3 * NS_PER_S,
    .objectives = {.tcp_success = 0.85,
                   .tls_success = 0.9995,
                   .error_share = 0.001,
                   .latency_p99_ns = 500 * NS_PER_MS,
                   .latency_deviation_ns = 50 * NS_PER_MS,
                   .failover_ns = 30 * NS_PER_S,
                   .bits_per_second = 1000000000,
                   .requests_per_second = 1500,
                   .ceiling_ns = 300 * NS_PER_S},
};

const struct profile *profile_builtin(void)
{
    return &builtin_profile;
}

static bool takes_protocol(const struct profile_service *service, uint8_t protocol)
{
    if (protocol == PROTOCOL_TCP) {
        return service->both || !service->udp;
    }
    return protocol == PROTOCOL_UDP && (service->both || service->udp);
}

/* Ports of the narrowest range of the service that holds the port; 0 when none does. */
static unsigned width_of_match(const struct profile_service *service, uint16_t port)
{
    unsigned narrowest = 0;
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port_range *range = &service->ports[i];
        unsigned width = (unsigned)range->last - range->first + 1u;
        if (port >= range->first && port <= range->last && (narrowest == 0 || width < narrowest)) {
            narrowest = width;
        }
    }
    return narrowest;
}

static bool serves_address(const struct profile_service *service, const struct address *server)
{
    for (size_t i = 0; i < service->server_count; i++) {
        if (address_equal(&service->servers[i], server)) {
            return true;
        }
    }
    return false;
}

const struct profile_service *profile_service_of(const struct profile *profile, uint8_t protocol,
                                                 const struct address *server, uint16_t port)
{
    const struct profile_service *best = NULL;
    unsigned best_width = 0;
    bool best_addressed = false;
    for (size_t i = 0; i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        unsigned width = takes_protocol(service, protocol) ? width_of_match(service, port) : 0;
        bool addressed = service->server_count > 0;
        if (width == 0 || (addressed && (server == NULL || !serves_address(service, server)))) {
            continue;
        }
        if (best == NULL || (addressed && !best_addressed) ||
            (addressed == best_addressed && width < best_width)) {
            best = service;
            best_width = width;
            best_addressed = addressed;
        }
    }
    return best;
}

/* ---- objectives ---------------------------------------------------------------------------------
 */
struct profile_objectives profile_objectives_of(const struct profile *profile,
                                                const struct profile_service *service)
{
    struct profile_objectives out = profile->objectives;
    if (service == NULL) {
        return out;
    }
    const struct profile_objectives *own = &service->objectives;
    out.tcp_success = own->tcp_success > 0 ? own->tcp_success : out.tcp_success;
    out.tls_success = own->tls_success > 0 ? own->tls_success : out.tls_success;
    out.error_share = own->error_share > 0 ? own->error_share : out.error_share;
    out.latency_p99_ns = own->latency_p99_ns > 0 ? own->latency_p99_ns : out.latency_p99_ns;
    out.latency_deviation_ns =
        own->latency_deviation_ns > 0 ? own->latency_deviation_ns : out.latency_deviation_ns;
    out.failover_ns = own->failover_ns > 0 ? own->failover_ns : out.failover_ns;
    out.bits_per_second = own->bits_per_second > 0 ? own->bits_per_second : out.bits_per_second;
    out.requests_per_second =
        own->requests_per_second > 0 ? own->requests_per_second : out.requests_per_second;
    out.ceiling_ns = own->ceiling_ns > 0 ? own->ceiling_ns : out.ceiling_ns;
    return out;
}

int64_t profile_slow_ns(const struct profile *profile, const struct profile_service *service)
{
    if (service != NULL && service->slow_response_ns > 0) {
        return service->slow_response_ns;
    }
    return service != NULL && service->expected == PROFILE_DNS ? PROFILE_DNS_SLOW_NS
                                                               : profile->slow_response_ns;
}

/* ---- quiet hours --------------------------------------------------------------------------------
 */
#define MINUTES_PER_DAY 1440
#define DAYS_PER_WEEK 7
#define EPOCH_WEEKDAY 3 /* 1970-01-01 was a Thursday; Monday is 0 */

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static bool is_in_window(const struct profile_quiet *window, int64_t time_ns)
{
    int64_t minute = floor_divide(time_ns, 60 * NS_PER_S) + window->offset_min;
    int64_t day = floor_divide(minute, MINUTES_PER_DAY);
    int of_day = (int)(minute - day * MINUTES_PER_DAY);
    int64_t weekday = day + EPOCH_WEEKDAY - DAYS_PER_WEEK * floor_divide(day + EPOCH_WEEKDAY, 7);
    bool begins_today = (window->days >> weekday & 1) != 0;
    bool began_yesterday =
        (window->days >> ((weekday + DAYS_PER_WEEK - 1) % DAYS_PER_WEEK) & 1) != 0;
    if (window->from_min < window->to_min) {
        return begins_today && of_day >= window->from_min && of_day < window->to_min;
    }
    return (begins_today && of_day >= window->from_min) ||
           (began_yesterday && of_day < window->to_min);
}

bool profile_is_quiet(const struct profile *profile, int64_t time_ns)
{
    for (size_t i = 0; i < profile->quiet_count; i++) {
        if (is_in_window(&profile->quiet[i], time_ns)) {
            return true;
        }
    }
    return false;
}

/* ---- addresses ----------------------------------------------------------------------------------
 */
static uint8_t address_bits(const struct address *address)
{
    return address->family == 4 ? 32 : 128;
}

static struct address clear_host_bits(const struct address *address, unsigned bits)
{
    struct address out = *address;
    for (unsigned bit = bits; bit < address_bits(address); bit++) {
        out.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
    return out;
}

bool profile_network_holds(const struct profile_network *network, const struct address *address)
{
    if (network->address.family != address->family) {
        return false;
    }
    struct address inside = clear_host_bits(address, network->bits);
    return address_equal(&inside, &network->address);
}

bool profile_network_from_text(const char *text, struct profile_network *out)
{
    char alone[ADDRESS_TEXT_SIZE];
    size_t len = strcspn(text, "/");
    struct address address;
    if (len >= sizeof(alone)) {
        return false;
    }
    memcpy(alone, text, len);
    alone[len] = '\0';
    if (!address_from_text(alone, &address)) {
        return false;
    }
    unsigned long bits = address_bits(&address);
    if (text[len] == '/') {
        char *end = NULL;
        const char *digits = text + len + 1;
        bits = strtoul(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || *end != '\0' || bits > address_bits(&address)) {
            return false;
        }
    }
    out->address = clear_host_bits(&address, (unsigned)bits);
    out->bits = (uint8_t)bits;
    return true;
}

const struct profile_environment *profile_environment_of(const struct profile *profile,
                                                         const struct address *server)
{
    const struct profile_environment *best = NULL;
    int best_bits = -1;
    for (size_t i = 0; i < profile->environment_count; i++) {
        const struct profile_environment *environment = &profile->environments[i];
        for (size_t j = 0; j < environment->network_count; j++) {
            const struct profile_network *network = &environment->networks[j];
            if (network->bits > best_bits && profile_network_holds(network, server)) {
                best = environment;
                best_bits = network->bits;
            }
        }
    }
    return best;
}

const char *profile_host_name(const struct profile *profile, const struct address *address)
{
    size_t low = 0, high = profile->host_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = address_compare(address, &profile->hosts[middle].address);
        if (order == 0) {
            return profile->hosts[middle].name;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* ---- words --------------------------------------------------------------------------------------
 */
const char *profile_protocol_name(unsigned protocol)
{
    static const char *const names[] = {
        [PROFILE_ANY] = "any",     [PROFILE_TLS] = "tls",     [PROFILE_HTTP] = "http",
        [PROFILE_GRPC] = "grpc",   [PROFILE_FTP] = "ftp",     [PROFILE_DNS] = "dns",
        [PROFILE_NTP] = "ntp",     [PROFILE_UDP] = "udp",     [PROFILE_TCP] = "tcp",
        [PROFILE_SSH] = "ssh",     [PROFILE_MYSQL] = "mysql", [PROFILE_POSTGRESQL] = "postgresql",
        [PROFILE_REDIS] = "redis", [PROFILE_AMQP] = "amqp"};
    return protocol < COUNT(names) ? names[protocol] : "";
}

const char *profile_dependency_name(unsigned dependency)
{
    static const char *const names[] = {
        [DEPENDENCY_NONE] = "",           [DEPENDENCY_DNS] = "dns",
        [DEPENDENCY_NTP] = "ntp",         [DEPENDENCY_DATABASE] = "database",
        [DEPENDENCY_CACHE] = "cache",     [DEPENDENCY_BROKER] = "broker",
        [DEPENDENCY_GATEWAY] = "gateway", [DEPENDENCY_OTHER] = "other"};
    return dependency < COUNT(names) ? names[dependency] : "";
}
