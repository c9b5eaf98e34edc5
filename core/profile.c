#include "core/profile.h"

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
    {.name = "management", .class_name = "management", .title_en = "invoice management",
     .title_zh = "发票管理", PORTS(management_ports), .expected = PROFILE_TLS},
    {.name = "order", .class_name = "order", .title_en = "orders", .title_zh = "订单",
     PORTS(order_ports), .expected = PROFILE_HTTP},
    {.name = "payment", .class_name = "payment", .title_en = "payment", .title_zh = "支付",
     PORTS(payment_ports), .expected = PROFILE_ANY},
    {.name = "reconciliation", .class_name = "reconciliation", .title_en = "reconciliation",
     .title_zh = "对账", PORTS(reconciliation_ports), .expected = PROFILE_ANY},
    {.name = "monitoring", .class_name = "monitoring", .title_en = "monitoring",
     .title_zh = "监控", PORTS(monitoring_ports), .expected = PROFILE_GRPC},
    {.name = "file-transfer", .class_name = "transfer", .title_en = "file transfer",
     .title_zh = "文件传输", PORTS(transfer_ports), .both = true, .expected = PROFILE_ANY},
    {.name = "audit", .class_name = "audit", .title_en = "audit", .title_zh = "审计",
     PORTS(audit_ports), .expected = PROFILE_ANY},
    {.name = "configuration", .class_name = "configuration", .title_en = "configuration centre",
     .title_zh = "配置中心", PORTS(configuration_ports), .expected = PROFILE_HTTP},
    {.name = "dns", .class_name = "dependency", .title_en = "name resolution (DNS)",
     .title_zh = "域名解析 (DNS)", PORTS(dns_ports), .both = true, .expected = PROFILE_DNS},
    {.name = "ntp", .class_name = "dependency", .title_en = "time (NTP)",
     .title_zh = "时间同步 (NTP)", PORTS(ntp_ports), .udp = true, .expected = PROFILE_NTP},
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
