#include "diagnosis/site/budget.h"

#include <stddef.h>
#include <string.h>

/* What judging takes beside what is kept (measured under floods): places in sorted lists, services, pairs; a claim of
 * what went wrong; what was asked. */
#define JUDGED_FLOW 200u
#define JUDGED_FAILURE 900u
#define JUDGED_ROW 100u

/* How full it is, in sixteenths, and what one more may be: flows of one host, role and outcome; the number of a row
 * within its flow. */
struct step {
    uint32_t sixteenths, flows;
    int64_t row;
};

static const struct step steps[] = {
    {12, UINT32_MAX, INT64_MAX}, {13, 2000, 256}, {14, 2000, 0}, {15, 200, -1}, {16, 20, -1},
};

/* Five eighths may be kept while the packets are read, the engine has the rest; later judging has all but an eighth
 * (texts). */
static uint64_t used(const struct site *site)
{
    uint64_t kept = site_memory(site) + site->beside, judged = kept + site->judging;
    return kept / 5 * 8 > judged / 7 * 8 ? kept / 5 * 8 : judged / 7 * 8;
}

static const struct step *step_of(const struct site *site)
{
    static const struct step none = {17, 0, -1};
    uint64_t now = used(site);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (site->limit == 0 || now < site->limit / 16 * steps[i].sixteenths)
            return &steps[i];
    }
    return &none;
}

static uint32_t kept_of(const struct site *site, const struct address *address, enum side role, uint8_t outcome)
{
    const struct site_host *host = site_find_host(site, address);
    return host != NULL ? host->kept[role][outcome] : 0;
}

bool budget_takes_flow(struct site *site, const struct flow_bundle *bundle)
{
    const struct flow_record *flow = bundle->flow;
    const struct step *step = step_of(site);
    if (step == steps || (kept_of(site, &flow->client_ip, SIDE_CLIENT, flow->outcome) < step->flows &&
                          kept_of(site, &flow->server_ip, SIDE_SERVER, flow->outcome) < step->flows))
        return true;
    site->flows_left_out++;
    return false;
}

bool budget_takes_row(struct site *site, int64_t number, bool failed)
{
    if (site->limit == 0 || number <= step_of(site)->row) {
        site->judging += failed ? JUDGED_FAILURE : JUDGED_ROW;
        return true;
    }
    site->rows_left_out++;
    return false;
}

static void count_up(uint16_t *count)
{
    *count = (uint16_t)(*count + (*count < UINT16_MAX));
}

void budget_note_flow(struct site *site, struct site_flow *flow)
{
    site->judging += flow->f.given_outcome == OUTCOME_OK ? JUDGED_FLOW : JUDGED_FLOW + JUDGED_FAILURE;
    count_up(&flow->client->kept[SIDE_CLIENT][flow->f.given_outcome]);
    count_up(&flow->server->kept[SIDE_SERVER][flow->f.given_outcome]);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void drop_of(struct site *site, const void **rows, size_t *count, size_t flow_id_at)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        int64_t id;
        memcpy(&id, (const char *)rows[i] + flow_id_at, sizeof id);
        if (id == 0 || site_find_flow(site, id) != NULL)
            rows[kept++] = rows[i];
    }
    *count = kept;
}

void budget_drop_orphans(struct site *site)
{
    if (site->flows_left_out == 0)
        return;
    drop_of(site, (const void **)site->requests, &site->request_count, offsetof(struct http_record, flow_id));
    drop_of(site, (const void **)site->secrets, &site->secret_count, offsetof(struct secret_record, flow_id));
    drop_of(site, (const void **)site->h2, &site->h2_count, offsetof(struct h2_record, flow_id));
    drop_of(site, (const void **)site->commands, &site->command_count, offsetof(struct command_record, flow_id));
    drop_of(site, (const void **)site->icmp, &site->icmp_count, offsetof(struct icmp_record, flow_id));
    drop_of(site, (const void **)site->dns, &site->dns_count, offsetof(struct dns_record, flow_id));
    drop_of(site, (const void **)site->ntp, &site->ntp_count, offsetof(struct ntp_record, flow_id));
    drop_of(site, (const void **)site->delays, &site->delay_count, offsetof(struct delay_facts, flow_id));
    drop_of(site, (const void **)site->samples, &site->sample_count, offsetof(struct rtt_sample_record, flow_id));
    drop_of(site, (const void **)site->turns, &site->turn_count, offsetof(struct turn_record, flow_id));
}
