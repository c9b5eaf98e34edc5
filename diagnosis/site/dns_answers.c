/* What name servers answered: differing answers, moved names, long times to live. */
#include "diagnosis/site/lookups.h"

#include <stdlib.h>
#include <string.h>

#define TTL_HIGH_S 300
/* A forged answer overtakes the resolver's: it comes in less than half its quickest time. */
#define OVERTAKES 2
#define SAMPLES_MIN 3

static struct claim start(struct judge *judge, enum finding_code code, const struct dns_record *r)
{
    const struct site_flow *flow = site_find_flow(judge->site, r->flow_id);
    struct claim claim = claim_start(code, flow);
    claim.client_ip = r->client_ip;
    claim.server_ip = r->server_ip;
    claim.client_port = 0;
    claim.name = r->question;
    claim.first_ns = lookup_time(r);
    claim.last_ns = r->answer_ns;
    claim_add_text(&claim, "question", r->question);
    if (flow == NULL)
        return claim;
    claim.server_port = flow->f.port[side_other(r->asker)];
    claim_add_reference(&claim, flow->f.source_id, r->query_frame, r->query_ns, EVENT_REQUEST);
    claim_add_reference(&claim, flow->f.source_id, r->answer_frame, r->answer_ns, EVENT_RESPONSE);
    claim_add_reference(&claim, flow->f.source_id, r->conflict_frame, r->conflict_ns,
                        EVENT_RESPONSE);
    return claim;
}

/* ---- two answers to one question ------------------------------------------------------------- */

static bool ttl_differs(const struct dns_record *r)
{
    return r->answer_ttl > 0 && r->conflict_ttl > 0 &&
           abs((int)r->answer_ttl - (int)r->conflict_ttl) > TTL_TOLERANCE;
}

/* The first answer came sooner than this resolver ever answers else. */
static bool overtakes(const struct site *site, const struct dns_record *r)
{
    const struct site_host *server = site_find_host(site, &r->server_ip);
    return server != NULL && server->dns_answers >= SAMPLES_MIN && r->response_ns >= 0 &&
           r->response_ns * OVERTAKES < server->dns_quickest_ns;
}

static void judge_conflict(struct judge *judge, const struct dns_record *r)
{
    if (r->conflicts == 0)
        return;
    struct claim claim = start(judge, FINDING_MITM_DNS_CONFLICT, r);
    if (judge_is_withdrawn(judge, FINDING_MITM_DNS_CONFLICT, claim.flow))
        return;
    bool second = ttl_differs(r) || overtakes(judge->site, r);
    claim.severity = second ? SEVERITY_CRITICAL : SEVERITY_MEDIUM;
    claim.confidence = second ? 85 : 60;
    claim.last_ns = r->conflict_ns;
    claim_add_text(&claim, "answers",
                   arena_format(&judge->site->arena, "%s / %s",
                                r->answer_list != NULL ? r->answer_list : "NXDOMAIN",
                                r->conflict_list != NULL ? r->conflict_list : "NXDOMAIN"));
    judge_claim(judge, &claim);
}

/* ---- long-lived answers ---------------------------------------------------------------------- */

/* The next address of an answer list; false at its end. */
static bool next_address(const char **list, struct address *out)
{
    while (*list != NULL && **list != '\0') {
        char text[ADDRESS_TEXT_SIZE];
        const char *item = *list;
        size_t len = strcspn(item, ",");
        *list = item + len + (item[len] == ',');
        size_t skip = strncmp(item, "A ", 2) == 0 ? 2 : strncmp(item, "AAAA ", 5) == 0 ? 5 : 0;
        if (skip == 0 || len - skip >= sizeof text)
            continue;
        memcpy(text, item + skip, len - skip);
        text[len - skip] = '\0';
        if (address_from_text(text, out))
            return true;
    }
    return false;
}

/* A connection to a watched service, other than the name server's own, was made to the address. */
static bool is_used(const struct site *site, const struct dns_record *r, const struct address *ip)
{
    const struct site_host *server = site_find_host(site, ip);
    struct flow_range range = {NULL, 0};
    if (server != NULL)
        range = site_server_flows(site, server);
    for (size_t i = range_find_time(range, r->answer_ns); i < range.count; i++) {
        const struct site_flow *flow = range.flows[i];
        if (flow->f.service != NULL && facts_is_tcp(&flow->f) &&
            address_equal(&flow->client->address, &r->client_ip))
            return true;
    }
    return false;
}

static void judge_ttl(struct judge *judge, const struct dns_record *r)
{
    struct address ip;
    const char *list = r->answer_list;
    bool used = false;
    if (r->rcode != 0 || r->ttl_s <= TTL_HIGH_S || !lookup_wants_address(r))
        return;
    while (!used && next_address(&list, &ip))
        used = is_used(judge->site, r, &ip);
    if (!used)
        return;
    struct claim claim = start(judge, FINDING_DNS_TTL_HIGH, r);
    claim_add_number(&claim, "ttl_s", (double)r->ttl_s);
    judge_claim(judge, &claim);
}

/* ---- moved names ----------------------------------------------------------------------------- */

static bool shares_address(const struct dns_record *a, const struct dns_record *b)
{
    struct address one, other;
    for (const char *left = a->answer_list; next_address(&left, &one);) {
        for (const char *right = b->answer_list; next_address(&right, &other);) {
            if (address_equal(&one, &other))
                return true;
        }
    }
    return false;
}

static bool has_address(const struct dns_record *r)
{
    struct address ignored;
    const char *list = r->answer_list;
    return r->rcode == 0 && r->conflicts == 0 && r->answer_ns >= 0 && lookup_wants_address(r) &&
           next_address(&list, &ignored);
}

/* One client, one resolver, one question from `from` to `to`: the addresses moved once, and all of
 * them. */
static void judge_move(struct judge *judge, size_t from, size_t to)
{
    const struct dns_record *old = NULL, *now = NULL;
    for (size_t i = from; i < to; i++) {
        const struct dns_record *r = judge->site->dns[i];
        if (!has_address(r) || (old != NULL && !address_equal(&r->server_ip, &old->server_ip)))
            continue;
        if (old == NULL || (now == NULL && shares_address(old, r)))
            old = r;
        else if (now == NULL)
            now = r;
        else if (!shares_address(now, r))
            return; /* a pool that turns */
    }
    if (now == NULL)
        return;
    struct claim claim = start(judge, FINDING_DNS_ANSWER_CHANGED, now);
    claim.confidence = 70;
    claim_add_text(&claim, "old_addresses", old->answer_list);
    claim_add_text(&claim, "new_addresses", now->answer_list);
    judge_claim(judge, &claim);
}

static bool same_question(const struct dns_record *a, const struct dns_record *b)
{
    return a->question != NULL && b->question != NULL && strcmp(a->question, b->question) == 0 &&
           address_equal(&a->client_ip, &b->client_ip) && a->question_type != NULL &&
           b->question_type != NULL && strcmp(a->question_type, b->question_type) == 0;
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->dns_count;) {
        size_t end = i + 1;
        while (end < site->dns_count && same_question(site->dns[i], site->dns[end]))
            end++;
        for (size_t j = i; j < end; j++) {
            judge_conflict(judge, site->dns[j]);
            judge_ttl(judge, site->dns[j]);
        }
        judge_move(judge, i, end);
        i = end;
    }
}

const struct detector detector_dns_answers = {"dns answers", detect};
