/* Clocks compared: HTTP Date of servers, NTP answers, NTP clients and the capture itself. Whoever
 * is alone against several is off; when that is the capture, its own times are corrected and nobody
 * is accused.
 *
 * A Date D of an answer whose request passed the tap at q and whose first byte passed at r was made
 * between both and tells the second: the server's clock is ahead of the capture's by o with
 * D - r < o < D + 1 s - q (FACTS: HTTP Date). Answers of one host must agree; caches and several
 * machines behind one address do not, so that what disagrees is kept apart. */
#include "core/sort.h"
#include "diagnosis/site/http_facts.h"

#include <stdlib.h>
#include <string.h>

/* FINDINGS.md clock-skew: such an offset hurts nobody. */
#define TOLERATED_NS (2 * FACTS_SECOND)
/* Two clocks agree when their intervals are no further apart: Date strings are made once a second.
 */
#define AGREE_NS FACTS_SECOND
#define STEP_NS FACTS_SECOND
#define ANSWERS_MIN 2
#define CLIENT_REQUESTS_MIN 3
/* More different offsets of one host are stored answers or a farm whose clocks nobody can tell. */
#define OFFSETS_MOST 3
#define CLOCKS_MOST 256
#define STATUS_NOT_MODIFIED 304
/* 2001-01-01: a capture that says less was made by a device whose clock was never set. */
#define CLOCK_UNSET_NS (978307200LL * FACTS_SECOND)

struct answer {
    const struct site_flow *flow;
    const struct http_record *http;
    struct clock_interval offset;
};

/* One host's clock, as its answers or its NTP packets show it. */
struct host_clock {
    const struct site_flow *flow;
    const struct http_record *first, *last; /* NULL: by NTP */
    const struct ntp_record *ntp;
    struct address address;
    struct clock_interval offset;
    size_t answers;
    bool dates_advance; /* two Dates at least, not both at one time */
    bool is_fresh;      /* an answer that no cache may keep */
    bool is_client;     /* of an NTP client: no witness */
};

struct clocks {
    struct host_clock at[CLOCKS_MOST];
    size_t count;
};

/* ---- what HTTP answers say ----------------------------------------------------------------------
 */

static bool is_dated(const struct http_record *r)
{
    return r->date_ns > 0 && r->request_ns >= 0 && r->response_ns >= r->request_ns &&
           r->status != STATUS_NOT_MODIFIED;
}

static int compare_answers(const void *x, const void *y)
{
    const struct answer *a = x, *b = y;
    int order = address_compare(&a->flow->server->address, &b->flow->server->address);
    if (order == 0)
        order = (int)a->flow->f.port[SIDE_SERVER] - (int)b->flow->f.port[SIDE_SERVER];
    if (order == 0)
        order = strcmp(a->http->host != NULL ? a->http->host : "",
                       b->http->host != NULL ? b->http->host : "");
    if (order == 0)
        order = (a->http->response_ns > b->http->response_ns) -
                (a->http->response_ns < b->http->response_ns);
    if (order == 0)
        order = (a->http->flow_id > b->http->flow_id) - (a->http->flow_id < b->http->flow_id);
    return order != 0 ? order
                      : (a->http->number > b->http->number) - (a->http->number < b->http->number);
}

static bool is_same_host(const struct answer *a, const struct answer *b)
{
    const char *x = a->http->host != NULL ? a->http->host : "";
    const char *y = b->http->host != NULL ? b->http->host : "";
    return a->flow->f.port[SIDE_SERVER] == b->flow->f.port[SIDE_SERVER] &&
           address_equal(&a->flow->server->address, &b->flow->server->address) && strcmp(x, y) == 0;
}

/* What a shared cache does not answer by itself (RFC 9111 3). */
static bool is_uncacheable(const struct http_record *r)
{
    return r->has_credentials ||
           (r->method != NULL && strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0);
}

static bool intersects(struct clock_interval a, struct clock_interval b, int64_t slack_ns)
{
    return a.low_ns <= b.high_ns + slack_ns && b.low_ns <= a.high_ns + slack_ns;
}

/* Both at once; where they miss each other by a little, what lies between. */
static struct clock_interval intersection(struct clock_interval a, struct clock_interval b)
{
    int64_t low = a.low_ns > b.low_ns ? a.low_ns : b.low_ns;
    int64_t high = a.high_ns < b.high_ns ? a.high_ns : b.high_ns;
    return low <= high ? (struct clock_interval){low, high} : (struct clock_interval){high, low};
}

static void take_answer(struct host_clock *clock, const struct answer *answer)
{
    const struct http_record *r = answer->http;
    if (clock->answers == 0) {
        *clock = (struct host_clock){.flow = answer->flow,
                                     .first = r,
                                     .address = answer->flow->server->address,
                                     .offset = answer->offset};
    } else {
        clock->offset = intersection(clock->offset, answer->offset);
        clock->dates_advance =
            clock->dates_advance || r->date_ns - clock->first->date_ns >= STEP_NS;
    }
    clock->last = r;
    clock->answers++;
    clock->is_fresh = clock->is_fresh || is_uncacheable(r);
}

static void add_clock(struct clocks *clocks, const struct host_clock *clock)
{
    if (clocks->count < CLOCKS_MOST)
        clocks->at[clocks->count++] = *clock;
}

/* A stored answer that is given again keeps its Date: only a Date that goes on is a clock. */
static bool is_clock(const struct host_clock *clock)
{
    return clock->answers >= ANSWERS_MIN && clock->dates_advance;
}

/* Each offset ends before the next begins: a clock was set meanwhile, that of the host or that of the capture. */
static bool was_set(const struct host_clock *found, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (found[i].first->response_ns <= found[i - 1].last->response_ns)
            return false;
    }
    return count > 1;
}

static void read_host(struct clocks *clocks, const struct answer *answers, size_t count)
{
    struct host_clock found[OFFSETS_MOST] = {{0}};
    size_t offsets = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < offsets && !intersects(found[at].offset, answers[i].offset, 0))
            at++;
        if (at == OFFSETS_MOST)
            return;
        offsets += at == offsets;
        take_answer(&found[at], &answers[i]);
    }
    if (was_set(found, offsets))
        return;
    for (size_t i = 0; i < offsets; i++) {
        int64_t span = found[i].last->response_ns - found[i].first->response_ns;
        /* One of several offsets may be that of a cache, if the answers can be so old. */
        if (is_clock(&found[i]) && (offsets == 1 || found[i].offset.high_ns > -TOLERATED_NS ||
                                    found[i].offset.high_ns < -span - TOLERATED_NS))
            add_clock(clocks, &found[i]);
    }
}

/* A Date is never later than the answer, so that it tells this much without the request, and if it
 * was stored. */
static void note_ahead(struct judge *judge, const struct http_record *r)
{
    if (r->date_ns > 0 && r->response_ns >= 0 &&
        r->date_ns - r->response_ns > judge->clock.ahead_ns)
        judge->clock.ahead_ns = r->date_ns - r->response_ns;
}

static void read_answers(struct judge *judge, struct clocks *clocks)
{
    const struct site *site = judge->site;
    struct answer *answers = calloc(site->request_count + 1, sizeof *answers);
    size_t count = 0;
    if (answers == NULL) {
        judge->failed = true;
        return;
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_flow *flow = site->flows[i];
        for (uint32_t j = 0; j < flow->request_count; j++) {
            const struct http_record *r = flow->requests[j];
            note_ahead(judge, r);
            if (is_dated(r))
                answers[count++] = (struct answer){
                    flow,
                    r,
                    {r->date_ns - r->response_ns, r->date_ns + FACTS_SECOND - r->request_ns}};
        }
    }
    sort_rows(answers, count, sizeof *answers, compare_answers);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && is_same_host(&answers[from], &answers[to]); to++)
            ;
        read_host(clocks, answers + from, to - from);
    }
    free(answers);
}

/* ---- what NTP says ------------------------------------------------------------------------------
 */

static void add_ntp(struct clocks *clocks, const struct site *site, const struct ntp_record *r,
                    bool is_client)
{
    int64_t at = is_client ? r->client_offset_ns : r->offset_ns;
    int64_t error = is_client ? AGREE_NS : r->error_ns;
    const struct host_clock clock = {.flow = site_find_flow(site, r->flow_id),
                                     .ntp = r,
                                     .address = is_client ? r->client_ip : r->server_ip,
                                     .offset = {at - error, at + error},
                                     .answers = 1,
                                     .dates_advance = true,
                                     .is_fresh = true,
                                     .is_client = is_client};
    if (clock.flow != NULL)
        add_clock(clocks, &clock);
}

static bool is_listed(const struct clocks *clocks, const struct address *client)
{
    for (size_t i = 0; i < clocks->count; i++) {
        const struct host_clock *clock = &clocks->at[i];
        if (clock->is_client && address_equal(&clock->address, client))
            return true;
    }
    return false;
}

static bool is_same_pair(const struct ntp_record *a, const struct ntp_record *b)
{
    return address_equal(&a->server_ip, &b->server_ip) &&
           address_equal(&a->client_ip, &b->client_ip);
}

/* Many clients send random transmit times: they mean a clock when they stay the same over several
 * requests (FINDINGS.md ntp-offset). */
static bool is_steady(const struct site *site, size_t from, size_t to)
{
    const struct ntp_record *last = site->ntp[to - 1];
    size_t same = 0;
    for (size_t i = from; last->client_offset_known && i < to; i++) {
        const struct ntp_record *r = site->ntp[i];
        same += r->client_offset_known &&
                llabs(r->client_offset_ns - last->client_offset_ns) <= AGREE_NS;
    }
    return same >= CLIENT_REQUESTS_MIN;
}

/* The sample of each server with the smallest error; records are by server. */
static void read_ntp_servers(struct clocks *clocks, const struct site *site)
{
    const struct ntp_record *best = NULL;
    for (size_t i = 0; i < site->ntp_count; i++) {
        const struct ntp_record *r = site->ntp[i];
        if (ntp_is_measured(r) && (best == NULL || r->error_ns < best->error_ns))
            best = r;
        bool is_last = i + 1 == site->ntp_count ||
                       !address_equal(&site->ntp[i + 1]->server_ip, &r->server_ip);
        if (is_last && best != NULL)
            add_ntp(clocks, site, best, false);
        best = is_last ? NULL : best;
    }
}

static void read_ntp_clients(struct clocks *clocks, const struct site *site)
{
    for (size_t from = 0, to; from < site->ntp_count; from = to) {
        for (to = from + 1; to < site->ntp_count && is_same_pair(site->ntp[from], site->ntp[to]);
             to++)
            ;
        const struct ntp_record *last = site->ntp[to - 1];
        if (is_steady(site, from, to) && !is_listed(clocks, &last->client_ip))
            add_ntp(clocks, site, last, true);
    }
}

/* ---- who is off ---------------------------------------------------------------------------------
 */

static bool is_first_of_address(const struct clocks *clocks, size_t at,
                                struct clock_interval reference)
{
    for (size_t i = 0; i < at; i++) {
        if (!clocks->at[i].is_client &&
            address_equal(&clocks->at[i].address, &clocks->at[at].address) &&
            intersects(clocks->at[i].offset, reference, AGREE_NS))
            return false;
    }
    return true;
}

/* Machines whose clocks agree with the reference; the capture's own counts too. */
static size_t count_votes(const struct clocks *clocks, struct clock_interval reference)
{
    const struct clock_interval capture = {0, 0};
    size_t votes = intersects(capture, reference, AGREE_NS);
    for (size_t i = 0; i < clocks->count; i++)
        votes += !clocks->at[i].is_client &&
                 intersects(clocks->at[i].offset, reference, AGREE_NS) &&
                 is_first_of_address(clocks, i, reference);
    return votes;
}

static bool is_off_against(struct clock_interval offset, struct clock_interval reference)
{
    return offset.low_ns > reference.high_ns + TOLERATED_NS ||
           offset.high_ns < reference.low_ns - TOLERATED_NS;
}

static const char *host_text(struct judge *judge, const struct host_clock *clock)
{
    char text[ADDRESS_TEXT_SIZE];
    return arena_format(&judge->site->arena, "%s", address_to_text(&clock->address, text));
}

static struct claim start(const struct host_clock *clock)
{
    struct claim claim;
    const struct ntp_record *n = clock->ntp;
    if (n == NULL) {
        claim = http_claim(FINDING_CLOCK_SKEW, clock->flow, clock->first);
        claim.last_ns = clock->last->response_ns;
        claim_add_reference(&claim, clock->flow->f.source_id, clock->last->response_frame,
                            clock->last->response_ns, EVENT_RESPONSE);
        return claim;
    }
    claim = claim_start(FINDING_CLOCK_SKEW, clock->flow);
    claim.first_ns = claim.last_ns = n->request_ns >= 0 ? n->request_ns : n->reply_ns;
    claim_add_reference(&claim, clock->flow->f.source_id, n->request_frame, n->request_ns,
                        EVENT_REQUEST);
    claim_add_reference(&claim, clock->flow->f.source_id, n->reply_frame, n->reply_ns,
                        EVENT_RESPONSE);
    return claim;
}

/* Against one other clock alone, either may be the wrong one. A server that is behind may also have
 * answered from a store that does not say so. */
static uint8_t confidence_of(const struct host_clock *clock, size_t votes, size_t own,
                             int64_t offset)
{
    uint8_t confidence = own >= votes ? 60 : votes > 2 ? 90 : 85;
    return offset < 0 && !clock->is_fresh && confidence > 70 ? 70 : confidence;
}

static void claim_host(struct judge *judge, const struct host_clock *clock,
                       struct clock_interval reference, size_t votes, size_t own)
{
    int64_t offset = clock_middle(clock->offset) - clock_middle(reference);
    struct claim claim = start(clock);
    claim.confidence = confidence_of(clock, votes, own, offset);
    if (own >= votes)
        claim.severity = SEVERITY_LOW; /* nobody knows which of them is right */
    claim.weight = (double)llabs(offset);
    claim.count = (int64_t)clock->answers;
    if (clock->is_client)
        claim.culprit = CULPRIT_CLIENT;
    claim_add_number(&claim, "offset_ms", (double)offset / (double)FACTS_MS);
    claim_add_text(&claim, "host", host_text(judge, clock));
    claim_add_text(&claim, "clock", clock->ntp != NULL ? "NTP" : "HTTP Date");
    claim_add_number(&claim, "agreeing", (double)votes);
    judge_claim(judge, &claim);
    judge->skews[judge->skew_count++] = (struct clock_skew){clock->address, offset};
}

int64_t judge_skew_ns(const struct judge *judge, const struct address *address)
{
    for (size_t i = 0; i < judge->skew_count; i++) {
        if (address_equal(&judge->skews[i].address, address))
            return judge->skews[i].offset_ns;
    }
    return 0;
}

static void claim_capture(struct judge *judge, const struct clocks *clocks,
                          struct clock_interval reference, size_t votes)
{
    struct claim claim = claim_start(FINDING_CAPTURE_TIME, NULL);
    claim.first_ns = judge->site->capture.first_ns;
    claim.last_ns = judge->site->capture.last_ns;
    claim.confidence = votes > 2 ? 90 : 75;
    claim_add_text(&claim, "kind", "clock");
    claim_add_ms(&claim, "jump_ms", llabs(clock_middle(reference)));
    claim_add_number(&claim, "servers", (double)votes);
    for (size_t i = 0; i < clocks->count && claim.reference_count < CLAIM_REFERENCES; i++) {
        const struct host_clock *clock = &clocks->at[i];
        if (!clock->is_client && intersects(clock->offset, reference, AGREE_NS))
            claim_add_reference(
                &claim, clock->flow->f.source_id,
                clock->ntp != NULL ? clock->ntp->reply_frame : clock->first->response_frame,
                clock->ntp != NULL ? clock->ntp->reply_ns : clock->first->response_ns,
                EVENT_RESPONSE);
    }
    judge_claim(judge, &claim);
    judge->clock.is_off = true;
    judge->clock.off = reference;
}

/* One vote each; the capture's clock counts as a machine's. */
static void compare(struct judge *judge, const struct clocks *clocks)
{
    struct clock_interval reference = {0, 0};
    size_t votes = count_votes(clocks, reference), machines = 1;
    for (size_t i = 0; i < clocks->count; i++) {
        size_t own = clocks->at[i].is_client ? 0 : count_votes(clocks, clocks->at[i].offset);
        machines +=
            !clocks->at[i].is_client && is_first_of_address(clocks, i, clocks->at[i].offset);
        if (own > votes) {
            reference = clocks->at[i].offset;
            votes = own;
        }
    }
    bool capture_agrees = intersects((struct clock_interval){0, 0}, reference, TOLERATED_NS);
    if (!capture_agrees && votes * 2 <= machines)
        return; /* everybody says something else */
    if (!capture_agrees)
        claim_capture(judge, clocks, reference, votes);
    for (size_t i = 0; i < clocks->count; i++) {
        if (is_off_against(clocks->at[i].offset, reference) &&
            (clocks->at[i].ntp == NULL || clocks->at[i].is_client))
            claim_host(judge, &clocks->at[i], reference, votes,
                       count_votes(clocks, clocks->at[i].offset));
    }
}

static void detect(struct judge *judge)
{
    struct clocks *clocks = arena_take(&judge->site->arena, sizeof *clocks);
    judge->skews = arena_take(&judge->site->arena, CLOCKS_MOST * sizeof *judge->skews);
    if (clocks == NULL || judge->skews == NULL) {
        judge->failed = true;
        return;
    }
    *clocks = (struct clocks){.count = 0};
    if (judge_is_withdrawn(judge, FINDING_CLOCK_SKEW, NULL) ||
        judge->site->capture.first_ns < CLOCK_UNSET_NS)
        return;
    read_answers(judge, clocks);
    read_ntp_servers(clocks, judge->site);
    read_ntp_clients(clocks, judge->site);
    compare(judge, clocks);
}

const struct detector detector_clocks = {"clocks", detect};
