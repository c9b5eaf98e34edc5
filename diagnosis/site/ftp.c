/* FTP: commands that the server refuses, and data connections that never opened. */
#include "diagnosis/site/commands.h"

#include <string.h>

/* The client connects at once, or the server does when the transfer is asked for. */
#define DATA_WINDOW_NS (120 * FACTS_SECOND)

static bool is_transfer(const struct command_record *c)
{
    static const char *const words[] = {"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (command_is(c, words[i]))
            return true;
    }
    return false;
}

static bool is_passive(const struct command_record *c)
{
    return command_is(c, "PASV") || command_is(c, "EPSV");
}

static bool announces(const struct command_record *c)
{
    return c->result == COMMAND_DONE && c->data_port != 0 &&
           (is_passive(c) || command_is(c, "PORT") || command_is(c, "EPRT"));
}

/* One announced data connection and what became of it. */
struct data_way {
    const struct site_flow *control;
    const struct command_record *announced, *transfer; /* transfer: NULL none asked */
    struct address address;
    bool passive;
    const struct site_flow *data; /* the first attempt; NULL none seen */
    bool opened;
};

/* The flow's name for the address: the ends of FTP may be named without one (EPSV). */
static struct address announced_address(const struct site_flow *control,
                                        const struct command_record *c)
{
    if (c->data_ip.family != 0)
        return c->data_ip;
    return is_passive(c) ? control->server->address : control->client->address;
}

/* Attempts from the end that connects to the announced port, until `until`. */
static void find_data(const struct judge *judge, struct data_way *way, int64_t until)
{
    const struct site_flow *control = way->control;
    const struct site_host *from = way->passive ? control->client : control->server;
    struct flow_range range = site_client_flows(judge->site, from);
    size_t i = range_find_time(range, way->announced->time_ns);
    for (; i < range.count && range.flows[i]->f.first_ns <= until; i++) {
        const struct site_flow *flow = range.flows[i];
        bool there = address_equal(&flow->server->address, &way->address) ||
                     (way->passive && flow->server == control->server);
        if (!facts_is_tcp(&flow->f) || !there ||
            flow->f.port[SIDE_SERVER] != way->announced->data_port)
            continue;
        if (way->data == NULL)
            way->data = flow;
        way->opened |= facts_is_established(&flow->f) || flow->f.payload[0] + flow->f.payload[1] > 0;
    }
}

/* RFC 1918 and the like, announced by a server that is reached at a public address. */
static bool is_private_announced(const struct data_way *way)
{
    return way->passive && address_is_private(&way->address) &&
           !address_is_private(&way->control->server->address);
}

static bool is_blocked(const struct data_way *way)
{
    const struct command_record *t = way->transfer;
    if (way->opened || (t != NULL && t->result == COMMAND_DONE))
        return false;
    if (way->data != NULL) {
        const struct flow_facts *f = &way->data->f;
        bool silent = facts_is_unanswered_syn(f) && f->syn_retransmissions > 0;
        bool refused = f->resets[SIDE_SERVER] > 0 && f->payload[0] + f->payload[1] == 0;
        return silent || refused;
    }
    return t != NULL && t->result == COMMAND_REFUSED &&
           (command_replied(t, "425") || is_private_announced(way));
}

static void claim_blocked(struct judge *judge, const struct data_way *way)
{
    char text[ENDPOINT_TEXT_SIZE];
    const struct site_flow *data = way->data;
    if (judge_is_withdrawn(judge, FINDING_FTP_DATA_BLOCKED, way->control))
        return;
    struct claim claim = command_claim(FINDING_FTP_DATA_BLOCKED, way->control, way->announced);
    bool refused = data != NULL && data->f.resets[SIDE_SERVER] > 0;
    claim.primary = false;
    claim.confidence = data != NULL && !refused ? 85 : 70;
    if (is_private_announced(way))
        claim.culprit = CULPRIT_SERVER;
    endpoint_to_text(&way->address, way->announced->data_port, text);
    claim_add_text(&claim, "mode", way->passive ? "passive" : "active");
    claim_add_text(&claim, "data_address", arena_format(&judge->site->arena, "%s", text));
    if (data != NULL) {
        claim.last_ns = data->f.last_ns;
        claim_add_reference(&claim, data->f.source_id, data->f.first_frame, data->f.first_ns,
                            EVENT_SYN);
    }
    judge_claim(judge, &claim);
}

static void judge_data(struct judge *judge, const struct site_flow *control,
                       struct command_range rows, size_t at)
{
    struct data_way way = {.control = control, .announced = rows.at[at]};
    int64_t until = way.announced->end_ns + DATA_WINDOW_NS;
    for (size_t i = at + 1; i < rows.count; i++) {
        if (announces(rows.at[i])) {
            if (rows.at[i]->time_ns < until)
                until = rows.at[i]->time_ns;
            break;
        }
        if (way.transfer == NULL && is_transfer(rows.at[i]))
            way.transfer = rows.at[i];
    }
    way.passive = is_passive(way.announced);
    way.address = announced_address(control, way.announced);
    find_data(judge, &way, until);
    if (is_blocked(&way))
        claim_blocked(judge, &way);
}

/* ---- refusals --------------------------------------------------------------------------------- */

/* What clients ask only to find out, and what an empty folder answers, is no error of anybody's. */
static bool is_failure(const struct command_record *c)
{
    if (c->result != COMMAND_REFUSED || c->reply == NULL || command_replied(c, "425"))
        return false;
    if (command_is(c, "USER") || command_is(c, "PASS"))
        return true;
    if (command_is(c, "LIST") || command_is(c, "NLST") || command_is(c, "MLSD"))
        return !command_replied(c, "450") && !command_replied(c, "550");
    return is_transfer(c) || command_is(c, "DELE") || command_is(c, "RNTO") ||
           command_replied(c, "421") || command_replied(c, "452") || command_replied(c, "552");
}

/* USER is refused by servers that want TLS first (530 after which AUTH follows), PASS may be tried
 * again: a login that comes to pass on the same connection was no failure. */
static bool is_mended(struct command_range rows, size_t at)
{
    if (!command_is(rows.at[at], "USER") && !command_is(rows.at[at], "PASS"))
        return false;
    for (size_t i = at + 1; i < rows.count; i++) {
        if ((command_is(rows.at[i], "PASS") && rows.at[i]->result == COMMAND_DONE) ||
            command_is(rows.at[i], "AUTH"))
            return true;
    }
    return false;
}

static void judge_replies(struct judge *judge, const struct site_flow *flow,
                          struct command_range rows)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (!is_failure(rows.at[i]) || is_mended(rows, i))
            continue;
        struct claim claim = command_claim(FINDING_FTP_ERROR, flow, rows.at[i]);
        claim.confidence = 95;
        claim_add_text(&claim, "reply", rows.at[i]->reply);
        claim_add_text(&claim, "command", rows.at[i]->command);
        judge_claim(judge, &claim);
    }
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t next = 0; next < site->command_count;) {
        struct command_range rows = commands_next(site, &next);
        const struct site_flow *flow = site_find_flow(site, rows.at[0]->flow_id);
        if (flow == NULL || rows.at[0]->protocol != COMMAND_FTP)
            continue;
        judge_replies(judge, flow, rows);
        for (size_t i = 0; i < rows.count; i++) {
            if (announces(rows.at[i]))
                judge_data(judge, flow, rows, i);
        }
    }
}

const struct detector detector_ftp = {"ftp", detect};
