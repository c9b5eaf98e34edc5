/* Databases, caches and brokers: who refuses logins, who has no connection left, who is slow. */
#include "diagnosis/site/commands.h"

#include <string.h>

/* A login that succeeds so soon after was a client's second way in (other method, TLS, other name). */
#define MENDED_NS (5 * FACTS_SECOND)

enum refusal { REFUSAL_NONE, REFUSAL_LOGIN, REFUSAL_POOL };

static const struct known_error {
    uint8_t protocol;
    const char *code; /* or how it begins, when it ends in '*' */
    enum refusal refusal;
    const char *words;
} known_errors[] = {
    {COMMAND_MYSQL, "1040", REFUSAL_POOL, "1040 (too many connections)"},
    {COMMAND_MYSQL, "1203", REFUSAL_POOL, "1203 (too many connections of the user)"},
    {COMMAND_MYSQL, "1226", REFUSAL_POOL, "1226 (limit of the user)"},
    {COMMAND_MYSQL, "1044", REFUSAL_LOGIN, "1044 (no right to the database)"},
    {COMMAND_MYSQL, "1045", REFUSAL_LOGIN, "1045 (access denied)"},
    {COMMAND_MYSQL, "1049", REFUSAL_LOGIN, "1049 (no such database)"},
    {COMMAND_MYSQL, "1129", REFUSAL_LOGIN, "1129 (host blocked)"},
    {COMMAND_MYSQL, "1130", REFUSAL_LOGIN, "1130 (host not allowed)"},
    {COMMAND_MYSQL, "1698", REFUSAL_LOGIN, "1698 (access denied)"},
    {COMMAND_MYSQL, "3118", REFUSAL_LOGIN, "3118 (account locked)"},
    {COMMAND_POSTGRESQL, "53300", REFUSAL_POOL, "53300 (too many connections)"},
    {COMMAND_POSTGRESQL, "53*", REFUSAL_POOL, "53 (no resources left)"},
    {COMMAND_POSTGRESQL, "28P01", REFUSAL_LOGIN, "28P01 (wrong password)"},
    {COMMAND_POSTGRESQL, "28*", REFUSAL_LOGIN, "28000 (authorisation refused)"},
    {COMMAND_POSTGRESQL, "3D000", REFUSAL_LOGIN, "3D000 (no such database)"},
    {COMMAND_POSTGRESQL, "57P03", REFUSAL_LOGIN, "57P03 (not ready for connections)"},
    {COMMAND_REDIS, "MAXCONN", REFUSAL_POOL, "max number of clients reached"},
    {COMMAND_REDIS, "NOAUTH", REFUSAL_LOGIN, "NOAUTH (authentication required)"},
    {COMMAND_REDIS, "WRONGPAS", REFUSAL_LOGIN, "WRONGPASS (wrong user or password)"},
    {COMMAND_REDIS, "DENIED", REFUSAL_LOGIN, "DENIED (protected mode)"},
    {COMMAND_AMQP, "403", REFUSAL_LOGIN, "403 (access refused)"},
    {COMMAND_AMQP, "506", REFUSAL_POOL, "506 (no resources left)"},
    {COMMAND_AMQP, "530", REFUSAL_LOGIN, "530 (not allowed)"},
};

static const struct known_error *find_error(const struct command_record *c)
{
    for (size_t i = 0; c->reply != NULL && i < sizeof known_errors / sizeof known_errors[0]; i++) {
        const struct known_error *e = &known_errors[i];
        size_t len = strcspn(e->code, "*");
        if (e->protocol == c->protocol && strncmp(e->code, c->reply, len) == 0 &&
            (e->code[len] == '*' || c->reply[len] == '\0'))
            return e;
    }
    return NULL;
}

static const char *system_name(const struct command_record *c)
{
    static const char *const names[] = {"", "FTP", "SSH", "MySQL", "PostgreSQL", "Redis", "AMQP"};
    return c->protocol <= COMMAND_AMQP ? names[c->protocol] : names[0];
}

static bool is_dependency(const struct command_record *c)
{
    return c->protocol >= COMMAND_MYSQL && c->protocol <= COMMAND_AMQP;
}

static bool is_login(const struct command_record *c)
{
    return command_is(c, "LOGIN") || command_is(c, "CONNECT") || command_is(c, "AUTH") ||
           command_is(c, "HELLO");
}

static bool has_login(struct command_range rows, int64_t after)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (is_login(rows.at[i]) && rows.at[i]->result == COMMAND_DONE &&
            rows.at[i]->time_ns >= after)
            return true;
    }
    return false;
}

/* The same client came in soon after, on this connection or on another one to the same service. */
static bool is_mended(const struct site *site, const struct site_flow *flow,
                      const struct command_record *c)
{
    struct flow_range range = flow->service->flows;
    if (has_login(commands_of(site, flow->f.id), c->time_ns))
        return true;
    for (size_t i = range_find_time(range, flow->f.first_ns); i < range.count; i++) {
        const struct site_flow *other = range.flows[i];
        if (other->f.first_ns > c->time_ns + MENDED_NS)
            return false;
        if (other->client != flow->client || other == flow)
            continue;
        /* What is inside TLS is not seen: it may have come to pass. */
        if (has_login(commands_of(site, other->f.id), c->time_ns) ||
            (other->f.tls != NULL && other->f.tls->established))
            return true;
    }
    return false;
}

static size_t open_connections(const struct site_flow *flow, int64_t ns)
{
    size_t count = 0;
    struct flow_range range = flow->service->flows;
    for (size_t i = 0; i < range.count && range.flows[i]->f.first_ns < ns; i++)
        count += range.flows[i] != flow && facts_is_established(&range.flows[i]->f) &&
                 range.flows[i]->f.last_ns >= ns;
    return count;
}

static void judge_refusal(struct judge *judge, const struct site_flow *flow,
                          const struct command_record *c)
{
    const struct known_error *error = c->result == COMMAND_REFUSED ? find_error(c) : NULL;
    if (error == NULL)
        return;
    bool pool = error->refusal == REFUSAL_POOL;
    if (!pool && is_mended(judge->site, flow, c))
        return;
    struct claim claim =
        command_claim(pool ? FINDING_DEP_POOL_EXHAUSTED : FINDING_DEP_REFUSED, flow, c);
    claim.confidence = 95;
    claim_add_text(&claim, "system", system_name(c));
    size_t open = pool ? open_connections(flow, c->time_ns) : 0;
    if (open > 0) /* others may use it past this tap */
        claim_add_number(&claim, "connections", (double)open);
    if (!pool)
        claim_add_text(&claim, "error", error->words);
    judge_claim(judge, &claim);
}

/* Commands that wait for news by their nature. */
static bool waits_for_news(const struct command_record *c)
{
    static const char *const words[] = {"BINLOG_DUMP", "XREAD",    "XREADGROUP", "BLPOP",
                                        "BRPOP",       "BLMOVE",   "BZPOPMIN",   "BZPOPMAX",
                                        "BRPOPLPUSH",  "BLMPOP",   "WAIT",       "SUBSCRIBE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (command_is(c, words[i]))
            return true;
    }
    return false;
}

static void judge_slow(struct judge *judge, const struct site_flow *flow,
                       struct command_range rows)
{
    const struct command_record *worst = NULL;
    int64_t limit = judge_slow_ns(judge, flow);
    size_t count = 0;
    for (size_t i = 0; i < rows.count; i++) {
        const struct command_record *c = rows.at[i];
        if (c->wait_ns < limit || waits_for_news(c))
            continue;
        count++;
        if (worst == NULL || c->wait_ns > worst->wait_ns)
            worst = c;
    }
    if (worst == NULL || judge_is_withdrawn(judge, FINDING_DEP_SLOW, flow))
        return;
    struct claim claim = command_claim(FINDING_DEP_SLOW, flow, worst);
    claim.weight = (double)worst->wait_ns;
    claim.count = (int64_t)count;
    claim_add_text(&claim, "system", system_name(worst));
    claim_add_ms(&claim, "response_ms", worst->wait_ns);
    claim_add_ms(&claim, "limit_ms", limit);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t next = 0; next < site->command_count;) {
        struct command_range rows = commands_next(site, &next);
        const struct site_flow *flow = site_find_flow(site, rows.at[0]->flow_id);
        if (flow == NULL || !is_dependency(rows.at[0]))
            continue;
        for (size_t i = 0; i < rows.count; i++)
            judge_refusal(judge, flow, rows.at[i]);
        judge_slow(judge, flow, rows);
    }
}

const struct detector detector_dependencies = {"dependencies", detect};
