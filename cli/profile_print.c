#include "cli/profile_print.h"

#include "reports/table.h"

#include <string.h>

const char *profile_protocol_name(enum profile_protocol protocol)
{
    static const char *const names[] = {
        [PROFILE_ANY] = "any",   [PROFILE_TLS] = "tls", [PROFILE_HTTP] = "http",
        [PROFILE_GRPC] = "grpc", [PROFILE_FTP] = "ftp", [PROFILE_DNS] = "dns",
        [PROFILE_NTP] = "ntp",   [PROFILE_UDP] = "udp", [PROFILE_TCP] = "tcp"};
    return names[protocol];
}

static void append(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", text);
}

static void write_ports(const struct profile_service *service, char *out, size_t size)
{
    snprintf(out, size, "%s", service->both ? "TCP+UDP" : service->udp ? "UDP" : "TCP");
    for (size_t i = 0; i < service->port_count; i++) {
        char piece[32];
        const struct port_range *range = &service->ports[i];
        if (range->first == range->last) {
            snprintf(piece, sizeof(piece), "%u", (unsigned)range->first);
        } else {
            snprintf(piece, sizeof(piece), "%u-%u", (unsigned)range->first, (unsigned)range->last);
        }
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : " ", piece);
    }
}

static void add_service(struct table *table, const struct view *view,
                        const struct profile_service *service)
{
    char text[512] = "";
    const char *title = view->language == LANG_ZH ? service->title_zh : service->title_en;
    table_add(table, service->name);
    table_add(table, title != NULL ? title : "");
    write_ports(service, text, sizeof(text));
    table_add(table, text);
    table_add(table, profile_protocol_name(service->expected));
    text[0] = '\0';
    for (size_t i = 0; i < service->server_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        append(text, sizeof(text), address_to_text(&service->servers[i], address));
    }
    for (size_t i = 0; i < service->name_count; i++) {
        append(text, sizeof(text), service->names[i]);
    }
    table_add(table, text);
}

void profile_print(const struct view *view, const struct profile *profile)
{
    const struct table_head heads[] = {
        {text_get(TEXT_HEAD_SERVICE, view->language), false, true},
        {text_get(TEXT_HEAD_SERVICE_NAME, view->language), false, false},
        {text_get(TEXT_HEAD_PORTS, view->language), false, false},
        {text_get(TEXT_HEAD_EXPECTED, view->language), false, true},
        {text_get(TEXT_HEAD_ADDRESSES, view->language), false, false}};
    struct table *table = table_new(heads, 5);
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        add_service(table, view, &profile->services[i]);
    }
    if (table != NULL) {
        table_print(table, view);
    }
    table_free(table);
}
