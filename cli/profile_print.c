#include "cli/profile_print.h"

#include "reports/table.h"

#include <string.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL
#define CELL_SIZE 512
#define HEADS(...)                                                                                 \
    ((const struct shown_head[]){__VA_ARGS__}),                                                    \
        sizeof((const struct shown_head[]){__VA_ARGS__}) / sizeof(struct shown_head)

/* ---- cells --------------------------------------------------------------------------------------
 */
struct shown_head {
    enum text_id text;
    bool number;
};

/* The table borrows `heads`. */
static struct table *make_table(const struct view *view,
                                struct table_head heads[TABLE_COLUMNS_MOST],
                                const struct shown_head *shown, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        heads[i] = (struct table_head){text_get(shown[i].text, view->language), shown[i].number,
                                       i == 0 || shown[i].number};
    }
    return table_new(heads, count);
}

/* Tables stand apart; empty ones are left out. */
static void end_table(const struct view *view, struct table *table, bool first)
{
    if (table != NULL && table_rows(table) > 0) {
        if (!first) {
            fputc('\n', view->out);
        }
        table_print(table, view);
    }
    table_free(table);
}

static void append(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", text);
}

static void add_number(struct table *table, int64_t number)
{
    char text[VIEW_TIME_SIZE] = "";
    if (number > 0) {
        view_number(number, text);
    }
    table_add(table, text);
}

static void add_percent(struct table *table, double share)
{
    char text[32] = "";
    if (share > 0) {
        snprintf(text, sizeof(text), "%.6g", share * 100);
    }
    table_add(table, text);
}

static void add_texts(struct table *table, const char *const *texts, size_t count)
{
    char text[CELL_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        append(text, sizeof(text), texts[i]);
    }
    table_add(table, text);
}

static void add_ports(struct table *table, const struct profile_service *service)
{
    char text[CELL_SIZE];
    snprintf(text, sizeof(text), "%s", service->both ? "TCP+UDP" : service->udp ? "UDP" : "TCP");
    for (size_t i = 0; i < service->port_count; i++) {
        char piece[32];
        const struct port_range *range = &service->ports[i];
        if (range->first == range->last) {
            snprintf(piece, sizeof(piece), "%u", (unsigned)range->first);
        } else {
            snprintf(piece, sizeof(piece), "%u-%u", (unsigned)range->first, (unsigned)range->last);
        }
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : " ", piece);
    }
    table_add(table, text);
}

static void add_where(struct table *table, const struct profile_service *service)
{
    char text[CELL_SIZE] = "";
    for (size_t i = 0; i < service->server_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        append(text, sizeof(text), address_to_text(&service->servers[i], address));
    }
    for (size_t i = 0; i < service->name_count; i++) {
        append(text, sizeof(text), service->names[i]);
    }
    table_add(table, text);
}

/* ---- services -----------------------------------------------------------------------------------
 */
static const char *title_of(const struct view *view, const struct profile_service *service)
{
    const char *title = view->language == LANG_ZH ? service->title_zh : service->title_en;
    return title != NULL ? title : "";
}

static void print_services(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table = make_table(
        view, heads,
        HEADS({TEXT_HEAD_SERVICE, false}, {TEXT_HEAD_SERVICE_NAME, false}, {TEXT_HEAD_PORTS, false},
              {TEXT_HEAD_EXPECTED, false}, {TEXT_HEAD_ADDRESSES, false}));
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        if (service->dependency == DEPENDENCY_NONE) {
            table_add(table, service->name);
            table_add(table, title_of(view, service));
            add_ports(table, service);
            table_add(table, profile_protocol_name(service->expected));
            add_where(table, service);
        }
    }
    end_table(view, table, true);
}

static void print_dependencies(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table = make_table(
        view, heads,
        HEADS({TEXT_HEAD_DEPENDENCY, false}, {TEXT_HEAD_SERVICE_NAME, false},
              {TEXT_HEAD_KIND, false}, {TEXT_HEAD_PORTS, false}, {TEXT_HEAD_EXPECTED, false},
              {TEXT_HEAD_SLOW_MS, true}, {TEXT_HEAD_ADDRESSES, false}));
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        if (service->dependency != DEPENDENCY_NONE) {
            table_add(table, service->name);
            table_add(table, title_of(view, service));
            table_add(table, profile_dependency_name(service->dependency));
            add_ports(table, service);
            table_add(table, profile_protocol_name(service->expected));
            add_number(table, profile_slow_ns(profile, service) / NS_PER_MS);
            add_where(table, service);
        }
    }
    end_table(view, table, false);
}

/* ---- objectives ---------------------------------------------------------------------------------
 */
static bool has_objectives(const struct profile_objectives *o)
{
    static const struct profile_objectives none;
    return memcmp(o, &none, sizeof(none)) != 0;
}

static void add_objectives(struct table *table, const char *name,
                           const struct profile_objectives *o)
{
    table_add(table, name);
    add_percent(table, o->tcp_success);
    add_percent(table, o->tls_success);
    add_percent(table, o->error_share);
    add_number(table, o->latency_p99_ns / NS_PER_MS);
    add_number(table, o->latency_deviation_ns / NS_PER_MS);
    add_number(table, o->failover_ns / NS_PER_S);
    add_number(table, (int64_t)(o->bits_per_second / 1000000));
    add_number(table, o->ceiling_ns / NS_PER_S);
    add_number(table, (int64_t)o->requests_per_second);
}

static void print_objectives(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table =
        make_table(view, heads,
                   HEADS({TEXT_HEAD_PROMISED, false}, {TEXT_HEAD_TCP_PERCENT, true},
                         {TEXT_HEAD_TLS_PERCENT, true}, {TEXT_HEAD_ERROR_PERCENT, true},
                         {TEXT_HEAD_P99_MS, true}, {TEXT_HEAD_DEVIATION_MS, true},
                         {TEXT_HEAD_FAILOVER_S, true}, {TEXT_HEAD_CEILING_MBIT, true},
                         {TEXT_HEAD_CEILING_SECONDS, true}, {TEXT_HEAD_CEILING_REQUESTS, true}));
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        if (has_objectives(&service->objectives)) {
            struct profile_objectives whole = profile_objectives_of(profile, service);
            add_objectives(table, service->name, &whole);
        }
    }
    if (table != NULL) {
        add_objectives(table, text_get(TEXT_PROFILE_EVERYTHING, view->language),
                       &profile->objectives);
    }
    end_table(view, table, false);
}

static void print_heartbeats(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table = make_table(view, heads,
                                     HEADS({TEXT_HEAD_HEARTBEAT, false}, {TEXT_HEAD_CALL, false},
                                           {TEXT_HEAD_PORTS, true}, {TEXT_HEAD_EVERY_S, true}));
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        for (size_t j = 0; j < service->heartbeat_count; j++) {
            const struct profile_heartbeat *heartbeat = &service->heartbeats[j];
            table_add(table, service->name);
            table_add(table, heartbeat->path != NULL ? heartbeat->path : "");
            add_number(table, heartbeat->port);
            add_number(table, heartbeat->period_ns / NS_PER_S);
        }
    }
    end_table(view, table, false);
}

static void print_backends(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table = make_table(
        view, heads,
        HEADS({TEXT_HEAD_BACKEND, false}, {TEXT_HEAD_ADDRESSES, false}, {TEXT_HEAD_WEIGHT, true}));
    for (size_t i = 0; table != NULL && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        for (size_t j = 0; j < service->backend_count; j++) {
            char address[ADDRESS_TEXT_SIZE];
            table_add(table, service->name);
            table_add(table, address_to_text(&service->backends[j].server, address));
            add_number(table, service->backends[j].weight);
        }
    }
    end_table(view, table, false);
}

/* ---- the site -----------------------------------------------------------------------------------
 */
static void add_networks(struct table *table, const struct profile_environment *environment)
{
    char text[CELL_SIZE] = "";
    for (size_t i = 0; i < environment->network_count; i++) {
        char address[ADDRESS_TEXT_SIZE], piece[ADDRESS_TEXT_SIZE + 8];
        const struct profile_network *network = &environment->networks[i];
        snprintf(piece, sizeof(piece), "%s/%u", address_to_text(&network->address, address),
                 (unsigned)network->bits);
        append(text, sizeof(text), piece);
    }
    table_add(table, text);
}

static void print_environments(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table =
        make_table(view, heads,
                   HEADS({TEXT_HEAD_ENVIRONMENT, false}, {TEXT_HEAD_NETWORKS, false},
                         {TEXT_HEAD_HOST_NAMES, false}, {TEXT_HEAD_CERTIFICATES, true},
                         {TEXT_HEAD_ISSUERS, false}));
    for (size_t i = 0; table != NULL && i < profile->environment_count; i++) {
        const struct profile_environment *environment = &profile->environments[i];
        table_add(table, environment->name);
        add_networks(table, environment);
        add_texts(table, environment->names, environment->name_count);
        add_number(table, (int64_t)environment->certificate_count);
        add_texts(table, environment->issuers, environment->issuer_count);
    }
    end_table(view, table, false);
}

static void add_clock(struct table *table, unsigned minutes)
{
    char text[16];
    snprintf(text, sizeof(text), "%02u:%02u", minutes / 60, minutes % 60);
    table_add(table, text);
}

static void print_quiet_hours(const struct view *view, const struct profile *profile)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table =
        make_table(view, heads,
                   HEADS({TEXT_HEAD_QUIET_DAYS, false}, {TEXT_HEAD_FROM_CLOCK, false},
                         {TEXT_HEAD_TO_CLOCK, false}, {TEXT_HEAD_UTC_OFFSET, false}));
    for (size_t i = 0; table != NULL && i < profile->quiet_count; i++) {
        const struct profile_quiet *window = &profile->quiet[i];
        char text[64] = "";
        for (size_t day = 0; day < sizeof(days) / sizeof(days[0]); day++) {
            if ((window->days >> day & 1) != 0) {
                append(text, sizeof(text), days[day]);
            }
        }
        table_add(table, text);
        add_clock(table, window->from_min);
        add_clock(table, window->to_min);
        unsigned offset =
            (unsigned)(window->offset_min < 0 ? -window->offset_min : window->offset_min);
        snprintf(text, sizeof(text), "%c%02u:%02u", window->offset_min < 0 ? '-' : '+', offset / 60,
                 offset % 60);
        table_add(table, text);
    }
    end_table(view, table, false);
}

static void print_hosts(const struct view *view, const struct profile *profile)
{
    struct table_head heads[TABLE_COLUMNS_MOST];
    struct table *table = make_table(
        view, heads, HEADS({TEXT_HEAD_HOST_ADDRESS, false}, {TEXT_HEAD_SERVICE_NAME, false}));
    for (size_t i = 0; table != NULL && i < profile->host_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        table_add(table, address_to_text(&profile->hosts[i].address, address));
        table_add(table, profile->hosts[i].name);
    }
    end_table(view, table, false);
}

void profile_print(const struct view *view, const struct profile *profile)
{
    print_services(view, profile);
    print_dependencies(view, profile);
    print_objectives(view, profile);
    print_heartbeats(view, profile);
    print_backends(view, profile);
    print_environments(view, profile);
    print_quiet_hours(view, profile);
    print_hosts(view, profile);
}
