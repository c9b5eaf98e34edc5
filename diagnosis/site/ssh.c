/* SSH connections that ended before they could be used: nothing in common, closed by the server before
 * or during the key exchange, logins refused again and again. */
#include "diagnosis/site/commands.h"

#include <stdlib.h>

/* Who looks for the keys of a server, or falls back, offers something else at once. */
#define MENDED_NS (5 * FACTS_SECOND)

/* Keys are offered one after the other before a password is asked for: fewer refusals are ordinary. */
#define REFUSALS_LEAST 3

static bool server_left(const struct site_flow *flow)
{
    return facts_left_first(&flow->f, SIDE_SERVER) &&
           !facts_has(&flow->f, FLOW_FACT_SNAPLEN | FLOW_FACT_LIMIT) &&
           flow->f.capture_lost_bytes == 0;
}

static const struct command_record *find(struct command_range rows, const char *word)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (command_is(rows.at[i], word))
            return rows.at[i];
    }
    return NULL;
}

/* The row of the step that the server left in; NULL none. A client that leaves was a check, a scan of
 * keys, or a person who changed their mind. */
static const struct command_record *find_left(const struct site_flow *flow,
                                              struct command_range rows, const char **step)
{
    const struct command_record *version = find(rows, "VERSION"), *offer = find(rows, "KEXINIT");
    const struct command_record *keys = find(rows, "KEY_EXCHANGE");
    if (!server_left(flow))
        return NULL;
    if (version != NULL && version->result == COMMAND_UNANSWERED) {
        *step = "version exchange";
        return flow->f.payload[SIDE_SERVER] == 0 ? version : NULL;
    }
    *step = "key exchange";
    if (keys != NULL)
        return keys->result == COMMAND_UNANSWERED ? keys : NULL;
    return offer == NULL ? version : NULL;
}

/* Another connection of the same client to the same service agreed at about that time: a scan for keys,
 * or a second try with other algorithms. */
static bool is_mended(const struct site *site, const struct site_flow *flow)
{
    struct flow_range range = flow->service->flows;
    for (size_t i = range_find_time(range, flow->f.first_ns - MENDED_NS); i < range.count; i++) {
        const struct site_flow *other = range.flows[i];
        if (other->f.first_ns > flow->f.first_ns + MENDED_NS)
            return false;
        if (other->client != flow->client || other == flow)
            continue;
        const struct command_record *offer = find(commands_of(site, other->f.id), "KEXINIT");
        if (offer != NULL && offer->result == COMMAND_DONE)
            return true;
    }
    return false;
}

static const struct command_record *find_failure(struct judge *judge, const struct site_flow *flow,
                                                 struct command_range rows, const char **step,
                                                 uint8_t *confidence)
{
    const struct command_record *offer = find(rows, "KEXINIT"), *auth = find(rows, "AUTH");
    if (offer != NULL && offer->result == COMMAND_REFUSED && is_mended(judge->site, flow))
        return NULL;
    if (offer != NULL && offer->result == COMMAND_REFUSED) {
        *confidence = 95;
        *step = arena_format(&judge->site->arena, "no common algorithm, %s",
                             offer->detail != NULL ? offer->detail : "");
        return offer;
    }
    if (auth != NULL && auth->reply != NULL && atoll(auth->reply) >= REFUSALS_LEAST) {
        *confidence = 60;
        *step = arena_format(&judge->site->arena, "authentication, refusals %s", auth->reply);
        return auth;
    }
    *confidence = 70;
    return find_left(flow, rows, step);
}

static void judge_flow(struct judge *judge, struct site_flow *flow, struct command_range rows)
{
    const char *step = NULL;
    uint8_t confidence = 0;
    const struct command_record *row = find_failure(judge, flow, rows, &step, &confidence);
    if (row == NULL || flow->outcome != OUTCOME_NONE ||
        judge_is_withdrawn(judge, FINDING_SSH_FAILED, flow))
        return;
    struct claim claim = command_claim(FINDING_SSH_FAILED, flow, row);
    claim.confidence = confidence;
    claim.primary = true;
    claim_add_text(&claim, "step", step);
    judge_claim(judge, &claim);
    flow->outcome = OUTCOME_FAILED;
    flow->verdict = FINDING_SSH_FAILED + 1;
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t next = 0; next < site->command_count;) {
        struct command_range rows = commands_next(site, &next);
        struct site_flow *flow = site_find_flow(site, rows.at[0]->flow_id);
        if (flow != NULL && rows.at[0]->protocol == COMMAND_SSH)
            judge_flow(judge, flow, rows);
    }
}

const struct detector detector_ssh = {"ssh", detect};
