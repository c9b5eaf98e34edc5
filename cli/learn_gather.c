/* What a store shows of the services of a site. */
#include "cli/learn.h"

#include "core/address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES_MOST 512
#define WOBBLE_PART 5 /* the middle half of the periods keeps within a fifth of the median */
#define CALLS_MOST 4096

/* ---- lists --------------------------------------------------------------------------------------
 */
static bool holds(const struct learn_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_text(struct learn_list *list, const char *text)
{
    if (text[0] == '\0' || strlen(text) >= LEARN_TEXT_SIZE || holds(list, text)) {
        return true;
    }
    if (list->count == LEARN_LIST_MOST) {
        list->beyond++;
        return true;
    }
    if (list->texts == NULL) {
        list->texts = calloc(LEARN_LIST_MOST, sizeof(*list->texts));
    }
    if (list->texts == NULL) {
        return false;
    }
    snprintf(list->texts[list->count++], LEARN_TEXT_SIZE, "%s", text);
    return true;
}

/* ---- services -----------------------------------------------------------------------------------
 */
struct gatherer {
    struct learn_site *site;
    struct learn_service *service; /* that is looked at */
    int64_t *numbers;              /* of the query at hand */
    size_t number_count;
    char path[LEARN_TEXT_SIZE], client[ADDRESS_TEXT_SIZE]; /* of the calls at hand */
    bool failed;
};

static int64_t number_at(const struct store_row *row, int at)
{
    return row->cells[at] != NULL ? strtoll(row->cells[at], NULL, 10) : 0;
}

static const char *text_at(const struct store_row *row, int at)
{
    return row->cells[at] != NULL ? row->cells[at] : "";
}

static const struct learnt_app {
    const char *app;
    enum profile_protocol expected;
    enum profile_dependency dependency;
} apps[] = {{"tls", PROFILE_TLS, DEPENDENCY_NONE},
            {"tlcp", PROFILE_TLS, DEPENDENCY_NONE},
            {"http", PROFILE_HTTP, DEPENDENCY_NONE},
            {"h2", PROFILE_HTTP, DEPENDENCY_NONE},
            {"http2", PROFILE_HTTP, DEPENDENCY_NONE},
            {"websocket", PROFILE_HTTP, DEPENDENCY_NONE},
            {"ftp", PROFILE_FTP, DEPENDENCY_NONE},
            {"ssh", PROFILE_SSH, DEPENDENCY_NONE},
            {"dns", PROFILE_DNS, DEPENDENCY_DNS},
            {"ntp", PROFILE_NTP, DEPENDENCY_NTP},
            {"mysql", PROFILE_MYSQL, DEPENDENCY_DATABASE},
            {"postgresql", PROFILE_POSTGRESQL, DEPENDENCY_DATABASE},
            {"redis", PROFILE_REDIS, DEPENDENCY_CACHE},
            {"amqp", PROFILE_AMQP, DEPENDENCY_BROKER}};

static const struct learnt_app *app_of(const char *name)
{
    for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
        if (strcmp(apps[i].app, name) == 0) {
            return &apps[i];
        }
    }
    return NULL;
}

/* Names as the profile takes them; addresses are no names. */
static bool is_host_name(const char *text)
{
    struct address address;
    for (const char *at = text; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("-._", *at) == NULL) {
            return false;
        }
    }
    return text[0] != '\0' && text[0] != '.' && strstr(text, "..") == NULL &&
           !address_from_text(text, &address);
}

/* Without the port that clients write behind a Host. */
static const char *plain_name(const char *text, char out[LEARN_TEXT_SIZE])
{
    snprintf(out, LEARN_TEXT_SIZE, "%.*s", (int)strcspn(text, ":"), text);
    return is_host_name(out) ? out : "";
}

static bool belongs(const struct learn_service *s, uint8_t protocol, uint16_t port,
                    const char *server, const char *name)
{
    return s->protocol == protocol && s->port == port &&
           (holds(&s->servers, server) || (name[0] != '\0' && holds(&s->names, name)));
}

/* The service of that port to which server or name lead. One that joins two takes both. */
static struct learn_service *find_service(struct learn_site *site, uint8_t protocol, uint16_t port,
                                          const char *server, const char *name)
{
    struct learn_service *found = NULL;
    for (size_t i = 0; i < site->count;) {
        struct learn_service *s = &site->services[i];
        if (!belongs(s, protocol, port, server, name)) {
            i++;
        } else if (found == NULL) {
            found = s;
            i++;
        } else {
            for (size_t j = 0; j < s->servers.count; j++) {
                (void)add_text(&found->servers, s->servers.texts[j]);
            }
            for (size_t j = 0; j < s->names.count; j++) {
                (void)add_text(&found->names, s->names.texts[j]);
            }
            found->connections += s->connections;
            found->worked += s->worked;
            free(s->servers.texts);
            free(s->names.texts);
            memmove(s, s + 1, (--site->count - i) * sizeof(*s));
        }
    }
    if (found == NULL && site->count < SERVICES_MOST) {
        found = &site->services[site->count++];
        *found = (struct learn_service){.protocol = protocol, .port = port};
    }
    return found;
}

/* protocol, server_ip, server_port, name, app, connections, worked, gRPC */
static bool take_endpoint(void *self, const struct store_row *row)
{
    struct gatherer *g = self;
    char plain[LEARN_TEXT_SIZE];
    const char *server = text_at(row, 1), *name = plain_name(text_at(row, 3), plain);
    const struct learnt_app *app = app_of(text_at(row, 4));
    int64_t port = number_at(row, 2);
    if (port < 1 || port > 65535) {
        return true;
    }
    struct learn_service *s =
        find_service(g->site, (uint8_t)number_at(row, 0), (uint16_t)port, server, name);
    if (s == NULL) {
        return true;
    }
    s->connections += number_at(row, 5);
    s->worked += number_at(row, 6);
    if (app != NULL && s->expected == PROFILE_ANY) {
        s->expected = app->expected;
        s->dependency = (uint8_t)app->dependency;
    }
    if (number_at(row, 7) != 0 && s->expected == PROFILE_HTTP) {
        s->expected = PROFILE_GRPC;
    }
    g->failed = !add_text(&s->servers, server) ||
                !add_text(&s->names, s->dependency == DEPENDENCY_NONE ? name : "");
    return !g->failed;
}

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_RUNTIME, "out of memory while learning");
}

/* Connections that were set up, by what they spoke: what nobody answered or asked (reflected answers), scans, and ends
 * of data connections that nothing was read of, teach no service. Most used first. */
static bool gather_endpoints(struct store *store, const char *scope, struct gatherer *g,
                             struct error *error)
{
    char sql[1024];
    snprintf(
        sql, sizeof(sql),
        "SELECT protocol, server_ip, server_port, name, app, count(*), sum(outcome IS 'ok'),"
        " EXISTS (SELECT 1 FROM http_transactions h WHERE h.flow_id = f.id AND h.kind = 'grpc')"
        " FROM flows f WHERE %s AND app IS NOT NULL AND server_packets > 0 AND (client_packets > 0 OR protocol = 6)"
        " AND outcome IS NOT 'unsolicited' AND app NOT IN ('mdns', 'llmnr', 'nbns')"
        " AND protocol IN (6, 17) GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3, 4, 5",
        scope);
    return store_query(store, sql, take_endpoint, g, error) && (!g->failed || out_of_memory(error));
}

/* ---- of one service -----------------------------------------------------------------------------
 */
/* "f.protocol = 6 AND f.server_port = 443 AND f.server_ip IN ('10.0.0.2')" with the scope. */
static void where_of(const struct learn_service *s, const char *scope, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size,
                                  "%s AND f.protocol = %u AND f.server_port = %u AND "
                                  "f.server_ip IN (",
                                  scope, (unsigned)s->protocol, (unsigned)s->port);
    for (size_t i = 0; i < s->servers.count && len < size; i++) {
        len += (size_t)snprintf(out + len, size - len, "%s'%s'", i > 0 ? "," : "",
                                s->servers.texts[i]);
    }
    if (len < size) {
        snprintf(out + len, size - len, ")");
    }
}

static bool take_counts(void *self, const struct store_row *row)
{
    struct learn_service *s = ((struct gatherer *)self)->service;
    s->clients = number_at(row, 0);
    s->handshakes = number_at(row, 1);
    s->client_certificates = number_at(row, 2);
    return true;
}

static bool take_pin(void *self, const struct store_row *row)
{
    struct learn_service *s = ((struct gatherer *)self)->service;
    if (s->pin_count == LEARN_PINS_MOST) {
        s->more_pins = true;
        return false;
    }
    struct learn_pin *pin = &s->pins[s->pin_count];
    snprintf(pin->spki, sizeof(pin->spki), "%s", text_at(row, 0));
    pin->connections = number_at(row, 1);
    pin->verified = number_at(row, 2) != 0;
    s->pin_count += strlen(pin->spki) == 64;
    return true;
}

static bool take_number(void *self, const struct store_row *row)
{
    struct gatherer *g = self;
    if (g->number_count % 1024 == 0) {
        int64_t *grown = realloc(g->numbers, (g->number_count + 1024) * sizeof(*grown));
        if (grown == NULL) {
            g->failed = true;
            return false;
        }
        g->numbers = grown;
    }
    g->numbers[g->number_count++] = number_at(row, 0);
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static int64_t quantile(const int64_t *sorted, size_t count, size_t percent)
{
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static void end_times(struct gatherer *g)
{
    struct learn_times *t = &g->service->times;
    t->count = (int64_t)g->number_count;
    if (g->number_count > 0) {
        qsort(g->numbers, g->number_count, sizeof(*g->numbers), compare_numbers);
        t->p50_ns = quantile(g->numbers, g->number_count, 50);
        t->p95_ns = quantile(g->numbers, g->number_count, 95);
        t->p99_ns = quantile(g->numbers, g->number_count, 99);
    }
}

/* ---- heartbeats ---------------------------------------------------------------------------------
 */
/* The calls of one client to one path, by time. */
static void end_calls(struct gatherer *g)
{
    struct learn_service *s = g->service;
    size_t count = g->number_count;
    g->number_count = 0;
    if (count <= HEARTBEAT_PERIODS || s->heartbeat_count == LEARN_HEARTBEATS_MOST) {
        return;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        g->numbers[i] = g->numbers[i + 1] - g->numbers[i];
    }
    qsort(g->numbers, count - 1, sizeof(*g->numbers), compare_numbers);
    int64_t median = quantile(g->numbers, count - 1, 50);
    int64_t spread = quantile(g->numbers, count - 1, 75) - quantile(g->numbers, count - 1, 25);
    if (median < HEARTBEAT_LEAST_NS || median > HEARTBEAT_MOST_NS || spread > median / WOBBLE_PART) {
        return;
    }
    for (size_t i = 0; i < s->heartbeat_count; i++) {
        if (strcmp(s->heartbeats[i].path, g->path) == 0) {
            return; /* by another client */
        }
    }
    struct learn_heartbeat *h = &s->heartbeats[s->heartbeat_count++];
    snprintf(h->path, sizeof(h->path), "%s", g->path);
    h->period_s = (median + 500000000) / 1000000000;
    h->calls = (int64_t)count;
}

/* path, client_ip, request_ns; ordered so */
static bool take_call(void *self, const struct store_row *row)
{
    struct gatherer *g = self;
    const char *path = text_at(row, 0), *client = text_at(row, 1);
    if (strcmp(path, g->path) != 0 || strcmp(client, g->client) != 0) {
        end_calls(g);
        snprintf(g->path, sizeof(g->path), "%s", path);
        snprintf(g->client, sizeof(g->client), "%s", client);
    }
    if (g->number_count < CALLS_MOST) {
        g->numbers[g->number_count++] = number_at(row, 2);
    }
    return true;
}

static bool gather_heartbeats(struct store *store, const char *where, struct gatherer *g,
                              struct error *error)
{
    char sql[4096];
    snprintf(sql, sizeof(sql),
             "SELECT h.path, f.client_ip, h.request_ns FROM http_transactions h JOIN flows f"
             " ON f.id = h.flow_id WHERE %s AND h.request_ns IS NOT NULL AND h.path LIKE '/%%'"
             " AND length(h.path) < 250 ORDER BY 1, 2, 3",
             where);
    free(g->numbers);
    g->number_count = 0;
    g->path[0] = g->client[0] = '\0';
    g->numbers = calloc(CALLS_MOST, sizeof(*g->numbers));
    if (g->numbers == NULL) {
        return out_of_memory(error);
    }
    bool good = store_query(store, sql, take_call, g, error);
    end_calls(g);
    return good;
}

static bool gather_times(struct store *store, const char *where, struct gatherer *g,
                         struct error *error)
{
    char sql[4096];
    bool dns = g->service->dependency == DEPENDENCY_DNS;
    bool commands = g->service->dependency > DEPENDENCY_NTP;
    snprintf(
        sql, sizeof(sql),
        "SELECT h.%s FROM %s h JOIN flows f ON f.id = h.flow_id WHERE %s AND h.%s IS NOT NULL%s",
        dns ? "response_ns" : "wait_ns",
        dns        ? "dns_transactions"
        : commands ? "app_commands"
                   : "http_transactions",
        where, dns ? "response_ns" : "wait_ns", dns || commands ? "" : " AND h.kind IS NULL");
    g->number_count = 0;
    if (!store_query(store, sql, take_number, g, error)) {
        return false;
    }
    if (g->failed) {
        return out_of_memory(error);
    }
    end_times(g);
    return true;
}

static bool gather_service(struct store *store, const char *scope, struct gatherer *g,
                           struct error *error)
{
    char where[2560], sql[4096];
    where_of(g->service, scope, where, sizeof(where));
    snprintf(sql, sizeof(sql),
             "SELECT count(DISTINCT f.client_ip), coalesce(sum(t.established), 0),"
             " coalesce(sum(t.established AND t.client_certificate_sent), 0)"
             " FROM flows f LEFT JOIN tls_sessions t ON t.flow_id = f.id WHERE %s",
             where);
    if (!store_query(store, sql, take_counts, g, error)) {
        return false;
    }
    snprintf(sql, sizeof(sql),
             "SELECT f.spki_sha256, sum(f.connections), max(f.status = 'verified')"
             " FROM (SELECT *, 6 AS protocol FROM certificate_chains) f"
             " WHERE f.spki_sha256 IS NOT NULL AND %s GROUP BY 1 ORDER BY 2 DESC, 1",
             where);
    return store_query(store, sql, take_pin, g, error) && gather_times(store, where, g, error) &&
           gather_heartbeats(store, where, g, error);
}

/* ---- names --------------------------------------------------------------------------------------
 */
static bool is_taken(const struct learn_site *site, size_t but, const char *name)
{
    for (size_t i = 0; i < site->count; i++) {
        if (i != but && strcmp(site->services[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* As the built-in profile calls the port, else by protocol and port; a number where several do. */
static void name_service(struct learn_site *site, size_t at)
{
    struct learn_service *s = &site->services[at];
    const struct profile_service *known =
        profile_service_of(profile_builtin(), s->protocol, NULL, s->port);
    char base[64];
    if (known != NULL &&
        (known->dependency != DEPENDENCY_NONE) == (s->dependency != DEPENDENCY_NONE)) {
        snprintf(base, sizeof(base), "%s", known->name);
        s->class_name = known->class_name;
    } else {
        snprintf(base, sizeof(base), "%s-%u", profile_protocol_name(s->expected),
                 (unsigned)s->port);
    }
    snprintf(s->name, sizeof(s->name), "%s", base);
    for (unsigned number = 2; is_taken(site, at, s->name); number++) {
        snprintf(s->name, sizeof(s->name), "%s-%u", base, number);
    }
}

static bool take_period(void *self, const struct store_row *row)
{
    struct learn_site *site = self;
    site->first_ns = number_at(row, 0);
    site->last_ns = number_at(row, 1);
    site->connections = number_at(row, 2);
    return true;
}

bool learn_gather(struct store *store, int64_t capture_id, struct learn_site *out,
                  struct error *error)
{
    char scope[64] = "1", sql[256];
    struct gatherer g = {.site = out};
    *out = (struct learn_site){.services = calloc(SERVICES_MOST, sizeof(*out->services))};
    if (out->services == NULL) {
        return out_of_memory(error);
    }
    if (capture_id > 0) {
        snprintf(scope, sizeof(scope), "f.capture_id = %lld", (long long)capture_id);
    }
    snprintf(sql, sizeof(sql), "SELECT min(first_ns), max(last_ns), count(*) FROM flows f WHERE %s",
             scope);
    bool good = store_query(store, sql, take_period, out, error) &&
                gather_endpoints(store, scope, &g, error);
    for (size_t i = 0; good && i < out->count; i++) {
        g.service = &out->services[i];
        name_service(out, i);
        good = gather_service(store, scope, &g, error);
    }
    free(g.numbers);
    return good;
}

void learn_free(struct learn_site *site)
{
    for (size_t i = 0; i < site->count; i++) {
        free(site->services[i].servers.texts);
        free(site->services[i].names.texts);
    }
    free(site->services);
}
