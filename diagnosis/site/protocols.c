/* Services that speak another protocol than the profile expects on their port. Only what the server
 * itself said counts, and only where the port is not shared: a multiplexer hands out several. */
#include "diagnosis/site/commands.h"

#include <string.h>

/* What a server's own bytes were. */
enum content {
    CONTENT_UNKNOWN,
    CONTENT_TLS,
    CONTENT_HTTP,
    CONTENT_FTP,
    CONTENT_SSH,
    CONTENT_MYSQL,
    CONTENT_POSTGRESQL,
    CONTENT_REDIS,
    CONTENT_AMQP,
    CONTENT_DNS,
    CONTENT_NTP,
    CONTENT_COUNT
};

#define BIT(content) (1u << CONTENT_##content)

static const char *const content_names[CONTENT_COUNT] = {
    "", "TLS", "HTTP", "FTP", "SSH", "MySQL", "PostgreSQL", "Redis", "AMQP", "DNS", "NTP"};

/* What is right on the ports; 0: anything. HTTP and gRPC are as often inside TLS as not, and gRPC
 * shares ports with HTTP/1; databases and FTP know TLS too. */
static const struct expectation {
    unsigned content;
    const char *name;
} expectations[] = {
    [PROFILE_ANY] = {0, ""},
    [PROFILE_UDP] = {0, ""},
    [PROFILE_TCP] = {0, ""},
    [PROFILE_TLS] = {BIT(TLS), "TLS"},
    [PROFILE_HTTP] = {BIT(HTTP) | BIT(TLS), "HTTP"},
    [PROFILE_GRPC] = {BIT(HTTP) | BIT(TLS), "gRPC"},
    [PROFILE_FTP] = {BIT(FTP) | BIT(TLS), "FTP"},
    [PROFILE_SSH] = {BIT(SSH), "SSH"},
    [PROFILE_MYSQL] = {BIT(MYSQL) | BIT(TLS), "MySQL"},
    [PROFILE_POSTGRESQL] = {BIT(POSTGRESQL) | BIT(TLS), "PostgreSQL"},
    [PROFILE_REDIS] = {BIT(REDIS) | BIT(TLS), "Redis"},
    [PROFILE_AMQP] = {BIT(AMQP) | BIT(TLS), "AMQP"},
    [PROFILE_DNS] = {BIT(DNS), "DNS"},
    [PROFILE_NTP] = {BIT(NTP), "NTP"},
};

static bool spoke_by_commands(const struct site *site, const struct site_flow *flow,
                              enum content *out)
{
    static const enum content contents[] = {[COMMAND_NONE] = CONTENT_UNKNOWN,
                                            [COMMAND_FTP] = CONTENT_FTP,
                                            [COMMAND_SSH] = CONTENT_SSH,
                                            [COMMAND_MYSQL] = CONTENT_MYSQL,
                                            [COMMAND_POSTGRESQL] = CONTENT_POSTGRESQL,
                                            [COMMAND_REDIS] = CONTENT_REDIS,
                                            [COMMAND_AMQP] = CONTENT_AMQP};
    struct command_range rows = commands_of(site, flow->f.id);
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.at[i]->reply_ns >= 0 && rows.at[i]->protocol <= COMMAND_AMQP) {
            *out = contents[rows.at[i]->protocol];
            return true;
        }
    }
    return false;
}

/* An answer in clear. A server of TLS may say in clear that it wants TLS: there only success tells,
 * and a proxy's tunnel is no service. Of a client that asked for https: TLS was taken off before this place: it is
 * the inner side of a proxy, or a mirror of what one decrypted. */
static bool answered_http(const struct site_flow *flow, bool wants_tls)
{
    for (uint32_t i = 0; i < flow->request_count; i++) {
        const struct http_record *r = flow->requests[i];
        bool success = r->status >= 200 && r->status < 300 && r->kind != HTTP_TUNNEL && !r->from_https;
        if (r->status > 0 && (success || !wants_tls))
            return true;
    }
    return false;
}

static enum content content_of(const struct site *site, const struct site_flow *flow,
                               enum profile_protocol expected)
{
    const struct flow_facts *f = &flow->f;
    enum content found = CONTENT_UNKNOWN;
    if (facts_is_midstream(f) || f->app == NULL || !facts_is_two_sided(f))
        return CONTENT_UNKNOWN;
    if (f->tls != NULL && f->tls->server_hello_ns >= 0)
        return CONTENT_TLS;
    if (spoke_by_commands(site, flow, &found))
        return found;
    if (flow->request_count > 0)
        return answered_http(flow, expected == PROFILE_TLS) ? CONTENT_HTTP : CONTENT_UNKNOWN;
    if (flow->resolves)
        return CONTENT_DNS;
    bool greeted = facts_has(f, FLOW_FACT_SERVER_SPOKE_FIRST);
    if (greeted && strcmp(f->app, "ssh") == 0)
        return CONTENT_SSH;
    if (greeted && strcmp(f->app, "mysql") == 0)
        return CONTENT_MYSQL;
    if (greeted && strcmp(f->app, "ftp") == 0)
        return CONTENT_FTP;
    return strcmp(f->app, "ntp") == 0 ? CONTENT_NTP : CONTENT_UNKNOWN;
}

/* What the connections of one service showed. */
struct seen {
    const struct site_flow *first;
    enum content found;
    size_t fitting, others;
    bool fits_again; /* after another protocol: the port is shared */
};

static void look(const struct site *site, const struct site_flow *flow,
                 const struct profile_service *service, struct seen *seen)
{
    enum content found = content_of(site, flow, service->expected);
    if (found == CONTENT_UNKNOWN)
        return;
    if ((expectations[service->expected].content & 1u << found) != 0) {
        seen->fitting++;
        seen->fits_again = seen->fits_again || seen->others > 0;
        return;
    }
    if (seen->others++ == 0) {
        seen->first = flow;
        seen->found = found;
    }
}

static void judge_port(struct judge *judge, const struct site_service *port,
                       const struct profile_service *service)
{
    struct seen seen = {.found = CONTENT_UNKNOWN};
    for (size_t i = 0; i < port->flows.count; i++)
        look(judge->site, port->flows.flows[i], service, &seen);
    if (seen.others == 0 || seen.fits_again || (seen.fitting > 0 && seen.others < 2))
        return;
    struct claim claim = claim_start(FINDING_SERVICE_PROTOCOL_MISMATCH, seen.first);
    claim.confidence = judge->profile->builtin ? 70 : 90;
    if (judge->profile->builtin) /* ports alone: nobody said that this host serves that */
        claim.severity = SEVERITY_MEDIUM;
    claim.count = (int64_t)seen.others;
    claim.evidence = EVIDENCE(EVENT_REQUEST) | EVIDENCE(EVENT_RESPONSE) | EVIDENCE(EVENT_DATA) |
                     EVIDENCE(EVENT_SERVER_HELLO);
    claim_add_text(&claim, "expected", expectations[service->expected].name);
    claim_add_text(&claim, "found", content_names[seen.found]);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; judge->profile != NULL && i < site->service_count; i++) {
        const struct site_service *port = &site->services[i];
        const struct profile_service *service =
            port->flows.count > 0 ? judge_profile_service(judge, port->flows.flows[0]) : NULL;
        if (service != NULL && expectations[service->expected].content != 0)
            judge_port(judge, port, service);
    }
}

const struct detector detector_protocols = {"protocols", detect};
