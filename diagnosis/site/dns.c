/* Names that did not resolve, or late: who did not answer whom. */
#include "core/sort.h"
#include "core/texts.h"
#include "diagnosis/site/lookups.h"

#include <stdlib.h>
#include <string.h>

#define TRIES_MIN 2
/* FINDINGS.md: one query waits so long. */
#define WAIT_MIN_NS (5 * FACTS_SECOND)
/* Sends of one id in the rhythm of a resolver's timer, not of a flood. */
#define RHYTHM_NS (FACTS_SECOND / 2)
/* A client that asks for so many names that are not there is searching (block lists, probes). */
#define SEARCH_NAMES 10

#define DNS_PORT 53
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_REFUSED 5

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static struct claim start(struct judge *judge, enum finding_code code, const struct dns_record *r)
{
    const struct site_flow *flow = site_find_flow(judge->site, r->flow_id);
    struct claim claim = claim_start(code, flow);
    claim.client_ip = r->client_ip;
    claim.server_ip = r->server_ip;
    claim.name = r->question;
    claim.first_ns = lookup_time(r);
    claim.last_ns = r->answer_ns > r->last_query_ns ? r->answer_ns : r->last_query_ns;
    claim_add_text(&claim, "question", r->question);
    if (flow == NULL)
        return claim;
    claim.client_port = 0; /* another one for every question */
    claim.server_port = flow->f.port[side_other(r->asker)];
    claim_add_reference(&claim, flow->f.source_id, r->query_frame, r->query_ns, EVENT_REQUEST);
    if (r->last_query_frame != r->query_frame)
        claim_add_reference(&claim, flow->f.source_id, r->last_query_frame, r->last_query_ns,
                            EVENT_REQUEST);
    claim_add_reference(&claim, flow->f.source_id, r->answer_frame, r->answer_ns, EVENT_RESPONSE);
    return claim;
}

/* The conversation stands for the connection that never started: its name was not found. One that
 * found another name is nobody's proxy. */
static void take_verdict(struct judge *judge, struct claim *claim)
{
    struct site_flow *flow =
        claim->flow != NULL ? site_find_flow(judge->site, claim->flow->f.id) : NULL;
    if (flow == NULL || flow->resolves || flow->outcome != OUTCOME_NONE ||
        catalogue_get(claim->code)->tier != TIER_A)
        return;
    flow->outcome = OUTCOME_FAILED;
    flow->verdict = (uint16_t)(claim->code + 1);
    flow->stage = STAGE_DNS;
    claim->primary = true;
}

/* ---- what the capture misses ------------------------------------------------------------------ */

/* A question was on its way for so long at most when the capture began. */
#define ON_ITS_WAY_NS (5 * FACTS_SECOND)

/* Of the answers one in so many without its question shows that silence may be the capture's. */
#define ORPHANS_OF 20

static void count_pair(struct judge *judge, const struct dns_record *r)
{
    struct site_host *ends[] = {site_find_host(judge->site, &r->client_ip), site_find_host(judge->site, &r->server_ip)};
    bool late = judge->site->has_capture && r->answer_ns - judge->site->capture.first_ns > ON_ITS_WAY_NS;
    if (r->answer_ns < 0 || (r->tries == 0 && !late))
        return;
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] != NULL)
            (*(r->tries > 0 ? &ends[i]->dns_pairs : &ends[i]->dns_orphans))++;
    }
}

/* Where all questions are missing one direction is, not single packets. */
static bool misses_words_of(const struct judge *judge, const struct address *address)
{
    const struct site_host *host = site_find_host(judge->site, address);
    return host != NULL && host->dns_orphans > 0 && host->dns_pairs > host->dns_orphans &&
           host->dns_orphans * ORPHANS_OF >= host->dns_pairs;
}

static bool misses_words(const struct judge *judge, const struct dns_record *r)
{
    return misses_words_of(judge, &r->client_ip) || misses_words_of(judge, &r->server_ip);
}

/* ---- nobody answers -------------------------------------------------------------------------- */

static bool was_refused_by_icmp(const struct site_flow *flow)
{
    for (uint32_t i = 0; i < flow->icmp_count; i++) {
        if (flow->icmp[i]->quoted_side == SIDE_CLIENT)
            return true;
    }
    return false;
}

/* A resolver that answers others was asked once: its answer, or the question, may have been lost.
 */
static bool may_be_lost(const struct judge *judge, const struct lookup *lookup,
                        const struct dns_record *r)
{
    const struct site_host *host = site_find_host(judge->site, &r->server_ip);
    uint32_t tries = 0;
    for (size_t i = 0; i < lookup->count; i++) {
        if (address_equal(&lookup->records[i]->server_ip, &r->server_ip))
            tries += lookup->records[i]->tries;
    }
    return tries < TRIES_MIN && host != NULL && host->dns_answers > 0;
}

/* The same id again and again, as a timer sends it, needs nothing else to show that the client got no
 * answer. Else the absence rule speaks. */
static bool is_silence_proven(const struct judge *judge, const struct lookup *lookup)
{
    bool rhythm = false, absent = false;
    for (size_t i = 0; i < lookup->count; i++) {
        const struct dns_record *r = lookup->records[i];
        const struct site_flow *flow = site_find_flow(judge->site, r->flow_id);
        if (flow == NULL || r->given_up || r->tries == 0 || was_refused_by_icmp(flow) ||
            judge_is_withdrawn(judge, FINDING_DNS_TIMEOUT, flow))
            return false;
        if (lookup->tries >= TRIES_MIN && may_be_lost(judge, lookup, r))
            return false;
        rhythm |= r->tries >= TRIES_MIN &&
                  r->last_query_ns - r->query_ns >= (r->tries - 1) * RHYTHM_NS;
        absent |= judge_absence_holds(judge, flow, r->last_query_ns);
    }
    int64_t waited = judge_capture_end(judge, lookup->last_query_ns) - lookup->first_ns;
    if (lookup->tries < TRIES_MIN)
        return absent && waited >= WAIT_MIN_NS;
    return absent || (rhythm && lookup->tries >= FACTS_TRIES);
}

static bool is_unanswered(const struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        if (lookup->records[i]->answer_ns >= 0)
            return false;
    }
    return true;
}

/* Questions that this resolver left unanswered, 0-100. */
static double silent_share(const struct site *site, const struct address *server)
{
    const struct site_host *host = site_find_host(site, server);
    return host != NULL && host->dns_asked > 0
               ? 100.0 * (double)host->dns_silent / (double)host->dns_asked
               : 0;
}

static void judge_silence(struct judge *judge, const struct lookup *lookup)
{
    const struct dns_record *r = lookup->records[0];
    if (misses_words(judge, r) || !is_unanswered(lookup) || !lookup_is_plain_name(r) ||
        !is_silence_proven(judge, lookup) ||
        lookup_found_near(judge->site, &r->client_ip, r->question, NULL, lookup->first_ns))
        return;
    int64_t end = judge_capture_end(judge, lookup->last_query_ns);
    double share = silent_share(judge->site, &r->server_ip);
    struct claim claim = start(judge, FINDING_DNS_TIMEOUT, r);
    claim.confidence = share >= 100 ? 85 : 75;
    claim.last_ns = lookup->last_query_ns;
    claim_add_number(&claim, "attempts", lookup->tries);
    claim_add_ms(&claim, "waited_ms",
                 end - lookup->first_ns < WAIT_MIN_NS ? end - lookup->first_ns
                 : lookup->last_query_ns - lookup->first_ns > WAIT_MIN_NS
                     ? lookup->last_query_ns - lookup->first_ns
                     : WAIT_MIN_NS);
    claim_add_number(&claim, "share", share);
    if (share >= 100)
        claim.name = NULL; /* nothing to do with the name: one finding for all of them */
    if (lookup->tries >= TRIES_MIN) {
        take_verdict(judge, &claim);
    } else { /* one datagram alone may have been lost */
        claim.severity = SEVERITY_LOW;
        claim.confidence = 50;
    }
    judge_claim(judge, &claim);
}

/* ---- late ------------------------------------------------------------------------------------ */

/* From the query that was answered: the last one where an earlier may have been lost on the way, the
 * first where each got its own answer. */
static int64_t answer_delay(const struct dns_record *r)
{
    if (r->query_ns < 0 || r->answer_ns < 0)
        return -1;
    if (r->tries <= 1 || r->answers >= r->tries || r->last_query_ns > r->answer_ns)
        return r->response_ns;
    return r->answer_ns - r->last_query_ns;
}

/* The limit of the resolver, where the profile has one of that port. */
static int64_t slow_limit(const struct judge *judge, const struct dns_record *r)
{
    const struct site_flow *flow = site_find_flow(judge->site, r->flow_id);
    return judge_profile_service(judge, flow) != NULL ? judge_slow_ns(judge, flow) : PROFILE_DNS_SLOW_NS;
}

static const struct dns_record *find_dead(const struct judge *judge, const struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        const struct dns_record *r = lookup->records[i];
        if (r->answer_ns < 0 && r->tries > 0 && !r->given_up &&
            !address_equal(&r->server_ip, &lookup->answered->server_ip) &&
            lookup->answer_ns - r->query_ns > slow_limit(judge, r))
            return r;
    }
    return NULL;
}

static void judge_delay(struct judge *judge, const struct lookup *lookup)
{
    if (lookup->answered == NULL || !lookup_wants_address(lookup->records[0]))
        return;
    const struct dns_record *r = find_dead(judge, lookup);
    int64_t delay = r != NULL ? lookup->answer_ns - r->query_ns : answer_delay(lookup->answered);
    if (delay <= slow_limit(judge, r != NULL ? r : lookup->answered))
        return;
    if (r != NULL && silent_share(judge->site, &r->server_ip) < 100)
        return; /* a datagram that was lost */
    struct claim claim = start(judge, FINDING_DNS_SLOW, r != NULL ? r : lookup->answered);
    if (judge_is_withdrawn(judge, FINDING_DNS_SLOW, claim.flow))
        return;
    claim.last_ns = lookup->answer_ns;
    claim.confidence = r != NULL ? 80 : 85;
    claim.weight = (double)delay;
    claim_add_ms(&claim, "response_ms", delay);
    if (r != NULL)
        claim.name = NULL;
    judge_claim(judge, &claim);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void judge_failure(struct judge *judge, const struct lookup *lookup,
                          const struct dns_record *r)
{
    if (r->rcode != RCODE_SERVFAIL && r->rcode != RCODE_REFUSED)
        return;
    if (r->tries == 0) /* nobody's question was seen: it may be no answer to this client */
        return;
    struct claim claim = start(
        judge, r->rcode == RCODE_SERVFAIL ? FINDING_DNS_SERVFAIL : FINDING_DNS_REFUSED, r);
    bool overcome = lookup->answered != NULL || r->question == NULL ||
                    lookup_found_near(judge->site, &r->client_ip, text_of(r->question), NULL,
                                      lookup_time(r));
    claim.confidence = 95;
    if (overcome || !lookup_is_plain_name(r))
        claim.severity = SEVERITY_LOW;
    else
        take_verdict(judge, &claim);
    judge_claim(judge, &claim);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool make_known_names(struct judge *judge)
{
    const struct site *site = judge->site;
    judge->known_names = arena_take(&judge->site->arena, (site->dns_count + 1) * sizeof *judge->known_names);
    if (judge->known_names == NULL) {
        judge->failed = true;
        return false;
    }
    for (size_t i = 0; i < site->dns_count; i++) {
        if (site->dns[i]->rcode == 0 && site->dns[i]->answer_count > 0)
            judge->known_names[judge->known_name_count++] = text_of(site->dns[i]->question);
    }
    sort_rows((void *)judge->known_names, judge->known_name_count, sizeof *judge->known_names, by_text);
    return true;
}

/* Somebody else, or the same client at another time, found the name. */
static bool is_known_name(struct judge *judge, const char *question)
{
    if (judge->known_names == NULL && !make_known_names(judge))
        return false;
    return bsearch(&question, (const void *)judge->known_names, judge->known_name_count, sizeof *judge->known_names,
                   by_text) != NULL;
}

static int by_question(const void *left, const void *right)
{
    const struct dns_record *a = *(const struct dns_record *const *)left;
    const struct dns_record *b = *(const struct dns_record *const *)right;
    return strcmp(text_of(a->question), text_of(b->question));
}

static bool make_open_questions(struct judge *judge)
{
    const struct site *site = judge->site;
    judge->open_questions = arena_take(&judge->site->arena, (site->dns_count + 1) * sizeof(struct dns_record *));
    if (judge->open_questions == NULL) {
        judge->failed = true;
        return false;
    }
    for (size_t i = 0; i < site->dns_count; i++) {
        if (site->dns[i]->answer_ns < 0)
            judge->open_questions[judge->open_question_count++] = site->dns[i];
    }
    sort_rows((void *)judge->open_questions, judge->open_question_count, sizeof judge->open_questions[0], by_question);
    return true;
}

/* Somebody else asked for the name, and the capture has no answer to him: it may be known to others. */
static bool is_asked_by_others(struct judge *judge, const struct dns_record *r)
{
    if (judge->open_questions == NULL && !make_open_questions(judge))
        return false;
    size_t low = 0, high = judge->open_question_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_question(&judge->open_questions[middle], &r) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < judge->open_question_count && by_question(&judge->open_questions[low], &r) == 0; low++) {
        if (!address_equal(&judge->open_questions[low]->client_ip, &r->client_ip))
            return true;
    }
    return false;
}

static bool is_profile_name(const struct judge *judge, const char *question)
{
    for (size_t i = 0; judge->profile != NULL && i < judge->profile->service_count; i++) {
        const struct profile_service *service = &judge->profile->services[i];
        for (size_t j = 0; j < service->name_count; j++) {
            if (strcmp(service->names[j], question) == 0)
                return true;
        }
    }
    return false;
}

static bool is_searching(const struct site *site, const struct address *client)
{
    const struct site_host *host = site_find_host(site, client);
    return host != NULL && host->dns_missing >= SEARCH_NAMES;
}

static void judge_missing(struct judge *judge, const struct lookup *lookup)
{
    const struct dns_record *r = lookup->answered;
    if (r == NULL || r->rcode != RCODE_NXDOMAIN || r->tries == 0 || !lookup_is_plain_name(r) ||
        r->conflicts > 0 ||
        lookup_found_near(judge->site, &r->client_ip, r->question, NULL, lookup->first_ns) ||
        lookup_is_walk(judge->site, r) || lookup_is_among_forms(judge->site, r))
        return;
    struct claim claim = start(judge, FINDING_DNS_NXDOMAIN, r);
    if (judge_is_withdrawn(judge, FINDING_DNS_NXDOMAIN, claim.flow))
        return;
    bool searching = is_searching(judge->site, &r->client_ip);
    bool known = is_profile_name(judge, r->question) ||
                 (!searching && is_known_name(judge, r->question));
    claim.culprit = known ? CULPRIT_DEPENDENCY : CULPRIT_CLIENT;
    claim.confidence = known ? 80 : 70;
    if (!known && (is_asked_by_others(judge, r) || judge->quality.misses_packets)) {
        claim.culprit = CULPRIT_UNKNOWN;
        claim.reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    }
    judge_doubt_absence(judge, &claim);
    if (searching) {
        claim.severity = SEVERITY_LOW;
        claim.confidence = 50;
    } else if (known) { /* somebody reaches it else: this is no question of taste */
        take_verdict(judge, &claim);
    }
    judge_claim(judge, &claim);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void count_server(struct site_host *host, const struct dns_record *r)
{
    if (r->tries == 0)
        return;
    host->dns_asked++;
    host->dns_silent += r->answer_ns < 0;
    if (r->response_ns < 0 || r->conflicts > 0)
        return;
    if (host->dns_answers++ == 0 || r->response_ns < host->dns_quickest_ns)
        host->dns_quickest_ns = r->response_ns;
}

/* Records of one name lie together: each counts once. */
static void count_client(struct site *site, size_t index)
{
    const struct dns_record *r = site->dns[index];
    const struct dns_record *before = index > 0 ? site->dns[index - 1] : NULL;
    struct site_host *host = site_find_host(site, &r->client_ip);
    if (host == NULL || r->rcode != RCODE_NXDOMAIN)
        return;
    if (before != NULL && before->rcode == RCODE_NXDOMAIN &&
        address_equal(&before->client_ip, &r->client_ip) &&
        strcmp(text_of(before->question), text_of(r->question)) == 0)
        return;
    host->dns_missing++;
}

static void clear_hosts(struct site *site)
{
    for (size_t i = 0; i < site->host_slots; i++) {
        struct site_host *host = site->hosts[i];
        if (host != NULL)
            host->dns_asked = host->dns_silent = host->dns_answers = host->dns_missing = host->dns_pairs =
                host->dns_orphans = 0;
    }
}

static void count_all(struct judge *judge)
{
    struct site *site = judge->site;
    clear_hosts(site);
    for (size_t i = 0; i < site->flow_count; i++)
        site->flows[i]->resolves = false;
    for (size_t i = 0; i < site->dns_count; i++) {
        struct site_flow *flow = site_find_flow(site, site->dns[i]->flow_id);
        struct site_host *server = site_find_host(site, &site->dns[i]->server_ip);
        if (flow != NULL && site->dns[i]->rcode == 0)
            flow->resolves = true;
        if (flow != NULL && flow->f.port[side_other(site->dns[i]->asker)] == DNS_PORT)
            count_pair(judge, site->dns[i]);
        if (server != NULL)
            count_server(server, site->dns[i]);
        count_client(site, i);
    }
}

/* What is left of a name server's silence proves nothing: unanswered at the end of the capture, asked
 * once, or of no importance. */
static void settle_rest(struct site *site)
{
    for (size_t i = 0; i < site->dns_count; i++) {
        struct site_flow *flow = site_find_flow(site, site->dns[i]->flow_id);
        if (flow != NULL && flow->outcome == OUTCOME_NONE && !facts_is_tcp(&flow->f) &&
            flow->icmp_count == 0)
            flow->outcome = facts_is_plain(&flow->f) ? OUTCOME_OK : OUTCOME_UNKNOWN;
    }
}

static void detect(struct judge *judge)
{
    struct site *site = judge->site;
    count_all(judge);
    for (size_t i = 0; i < site->dns_count;) {
        struct lookup lookup = lookup_at(site, i);
        judge_silence(judge, &lookup);
        judge_delay(judge, &lookup);
        for (size_t j = 0; j < lookup.count; j++)
            judge_failure(judge, &lookup, lookup.records[j]);
        judge_missing(judge, &lookup);
        i += lookup.count;
    }
    if (catalogue_get(FINDING_DNS_TIMEOUT)->tier == TIER_A)
        settle_rest(site);
}

const struct detector detector_dns = {"dns", detect};
