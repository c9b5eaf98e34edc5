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

/* What a server spoke, and the packets that show it: the client's word and the server's. */
struct spoken {
    enum content content;
    int64_t frame[2], time_ns[2]; /* by enum side; frame 0: of no record */
};

static bool spoke_by_commands(const struct site *site, const struct site_flow *flow,
                              struct spoken *out)
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
        const struct command_record *row = rows.at[i];
        if (row->reply_ns >= 0 && row->protocol <= COMMAND_AMQP) {
            *out = (struct spoken){contents[row->protocol],
                                   {row->frame, row->reply_frame},
                                   {row->time_ns, row->reply_ns}};
            return true;
        }
    }
    return false;
}

/* An answer in clear. A server of TLS may say in clear that it wants TLS: there only success tells,
 * and a proxy's tunnel is no service. Of a client that asked for https: TLS was taken off before this place: it is
 * the inner side of a proxy, or a mirror of what one decrypted. */
static bool answered_http(const struct site_flow *flow, bool wants_tls, struct spoken *out)
{
    for (uint32_t i = 0; i < flow->request_count; i++) {
        const struct http_record *r = flow->requests[i];
        bool success = r->status >= 200 && r->status < 300 && r->kind != HTTP_TUNNEL && !r->from_https;
        if (r->status > 0 && (success || !wants_tls)) {
            *out = (struct spoken){CONTENT_HTTP,
                                   {r->request_frame, r->response_frame},
                                   {r->request_ns, r->response_ns}};
            return true;
        }
    }
    return false;
}

/* Without a record of what was said: by the name of the protocol, and the greeting. */
static enum content content_by_app(const struct flow_facts *f)
{
    bool greeted = facts_has(f, FLOW_FACT_SERVER_SPOKE_FIRST);
    if (greeted && strcmp(f->app, "ssh") == 0)
        return CONTENT_SSH;
    if (greeted && strcmp(f->app, "mysql") == 0)
        return CONTENT_MYSQL;
    if (greeted && strcmp(f->app, "ftp") == 0)
        return CONTENT_FTP;
    return strcmp(f->app, "ntp") == 0 ? CONTENT_NTP : CONTENT_UNKNOWN;
}

static struct spoken content_of(const struct site *site, const struct site_flow *flow,
                                enum profile_protocol expected)
{
    const struct flow_facts *f = &flow->f;
    const struct tls_facts *t = f->tls;
    struct spoken found = {.content = CONTENT_UNKNOWN};
    if (facts_is_midstream(f) || f->app == NULL || !facts_is_two_sided(f))
        return found;
    if (t != NULL && t->server_hello_ns >= 0)
        return (struct spoken){CONTENT_TLS,
                               {t->client_hello_frame, t->server_hello_frame},
                               {t->client_hello_ns, t->server_hello_ns}};
    if (spoke_by_commands(site, flow, &found))
        return found;
    if (flow->request_count > 0)
        (void)answered_http(flow, expected == PROFILE_TLS, &found);
    else
        found.content = flow->resolves ? CONTENT_DNS : content_by_app(f);
    return found;
}

/* What the connections of one service showed. */
struct seen {
    const struct site_flow *first;
    struct spoken found; /* by the first */
    size_t fitting, others;
    bool fits_again; /* after another protocol: the port is shared */
};

static void look(const struct site *site, const struct site_flow *flow,
                 const struct profile_service *service, struct seen *seen)
{
    struct spoken found = content_of(site, flow, service->expected);
    if (found.content == CONTENT_UNKNOWN)
        return;
    if ((expectations[service->expected].content & 1u << found.content) != 0) {
        seen->fitting++;
        seen->fits_again = seen->fits_again || seen->others > 0;
        return;
    }
    if (seen->others++ == 0) {
        seen->first = flow;
        seen->found = found;
    }
}

static void add_frames(struct claim *claim, const struct spoken *s)
{
    bool tls = s->content == CONTENT_TLS;
    int64_t source = claim->flow->f.source_id;
    claim_add_reference(claim, source, s->frame[SIDE_CLIENT], s->time_ns[SIDE_CLIENT],
                        tls ? EVENT_CLIENT_HELLO : EVENT_REQUEST);
    claim_add_reference(claim, source, s->frame[SIDE_SERVER], s->time_ns[SIDE_SERVER],
                        tls ? EVENT_SERVER_HELLO : EVENT_RESPONSE);
    if (s->frame[SIDE_SERVER] == 0)
        claim->evidence = EVIDENCE(EVENT_DATA) | EVIDENCE(EVENT_DATAGRAM);
}

static void judge_port(struct judge *judge, const struct site_service *port,
                       const struct profile_service *service)
{
    struct seen seen = {.first = NULL};
    for (size_t i = 0; i < port->flows.count; i++)
        look(judge->site, port->flows.flows[i], service, &seen);
    if (seen.others == 0 || seen.fits_again || (seen.fitting > 0 && seen.others < 2))
        return;
    struct claim claim = claim_start(FINDING_SERVICE_PROTOCOL_MISMATCH, seen.first);
    claim.confidence = judge->profile->builtin ? 70 : 90;
    if (judge->profile->builtin) /* ports alone: nobody said that this host serves that */
        claim.severity = SEVERITY_MEDIUM;
    claim.count = (int64_t)seen.others;
    add_frames(&claim, &seen.found);
    claim_add_text(&claim, "expected", expectations[service->expected].name);
    claim_add_text(&claim, "found", content_names[seen.found.content]);
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
