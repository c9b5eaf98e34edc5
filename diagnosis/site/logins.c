/* Many passwords tried over FTP (530 to PASS) or SSH (refusals guessed from sizes) by one client:
 * FINDINGS.md, sec-bruteforce, with its window and its counts. */
#include "core/sort.h"
#include "diagnosis/site/commands.h"

#include <stdlib.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define FORCE_LEAST 3
#define FORCE_MANY 10
#define FORCE_WINDOW_NS (300 * FACTS_SECOND)

struct attempt {
    const struct site_flow *flow;
    const struct command_record *command;
    int64_t refusals; /* 0: it was let in */
};

/* A password that the server judged. SSH says only that about so many were refused; one or two of them
 * are "none" and keys that nobody typed. */
static bool read_attempt(const struct site_flow *flow, const struct command_record *c,
                         struct attempt *out)
{
    int64_t refusals = -1;
    if (c->protocol == COMMAND_FTP && command_is(c, "PASS"))
        refusals = command_replied(c, "530") ? 1 : c->result == COMMAND_DONE ? 0 : -1;
    else if (c->protocol == COMMAND_SSH && command_is(c, "AUTH") && c->reply != NULL)
        refusals = atoll(c->reply) >= FORCE_LEAST ? atoll(c->reply) : -1;
    *out = (struct attempt){flow, c, refusals};
    return refusals >= 0;
}

static int by_ends_and_time(const void *left, const void *right)
{
    const struct attempt *a = left, *b = right;
    int order = COMPARE(a->flow->client->number, b->flow->client->number);
    if (order == 0)
        order = address_compare(&a->flow->server->address, &b->flow->server->address);
    if (order == 0)
        order = COMPARE(a->flow->f.port[SIDE_SERVER], b->flow->f.port[SIDE_SERVER]);
    if (order == 0)
        order = COMPARE(a->command->time_ns, b->command->time_ns);
    if (order == 0)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order != 0 ? order : COMPARE(a->command->number, b->command->number);
}

static void claim_force(struct judge *judge, const struct attempt *first,
                        const struct attempt *last, int64_t count, bool success)
{
    struct claim claim = command_claim(FINDING_SEC_BRUTEFORCE, last->flow, last->command);
    bool guessed = last->command->protocol == COMMAND_SSH;
    claim.severity = count >= FORCE_MANY || success ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    claim.confidence = guessed ? 50 : count >= FORCE_MANY ? 90 : 70;
    claim.first_ns = first->command->time_ns;
    claim_add_number(&claim, "attempts", (double)count);
    claim_add_ms(&claim, "window_ms", claim.last_ns - claim.first_ns);
    claim_add_text(&claim, "protocol", guessed ? "SSH" : "FTP");
    judge_claim(judge, &claim);
}

/* The attempts of one client on one service: its largest run within the window. */
static void judge_run(struct judge *judge, const struct attempt *attempts, size_t count)
{
    const struct attempt *first = NULL, *last = NULL;
    int64_t refusals = 0;
    bool success = false;
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        bool near = first != NULL &&
                    a->command->time_ns - first->command->time_ns <= FORCE_WINDOW_NS;
        if (a->refusals == 0) {
            success = success || (near && refusals >= FORCE_LEAST);
        } else if (near) {
            refusals += a->refusals;
            last = a;
        } else if (refusals < FORCE_LEAST) {
            first = last = a;
            refusals = a->refusals;
        }
    }
    if (refusals >= FORCE_LEAST)
        claim_force(judge, first, last, refusals, success);
}

static bool same_ends(const struct attempt *a, const struct attempt *b)
{
    return a->flow->client == b->flow->client && a->flow->service == b->flow->service;
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    struct attempt *room = malloc((site->command_count + 1) * sizeof *room);
    size_t count = 0;
    if (room == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t next = 0; next < site->command_count;) {
        struct command_range rows = commands_next(site, &next);
        const struct site_flow *flow = site_find_flow(site, rows.at[0]->flow_id);
        for (size_t i = 0; flow != NULL && i < rows.count; i++)
            count += read_attempt(flow, rows.at[i], &room[count]);
    }
    if (count > 1)
        sort_rows(room, count, sizeof *room, by_ends_and_time);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && same_ends(&room[i], &room[end]))
            end++;
        judge_run(judge, room + i, end - i);
        i = end;
    }
    free(room);
}

const struct detector detector_logins = {"logins", detect};
