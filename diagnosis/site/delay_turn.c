/* Whose turn it was, and how long: slow handshakes, pausing clients, slow answers inside TLS, windows
 * that hold a transfer back. */
#include "core/sort.h"
#include "diagnosis/site/delays.h"
#include "diagnosis/site/revocation.h"
#include "diagnosis/site/verdict.h"

#include <stdlib.h>
#include <string.h>

/* FINDINGS.md. */
#define SLOW_TLS_NS FACTS_SECOND
#define CLIENT_SLOW_NS (3 * FACTS_SECOND)
/* Shorter pauses count when what they went by on is known. */
#define CLIENT_WAITS_NS FACTS_SECOND
#define WINDOW_RTTS 3
/* Fewer edges of a window are no sample. */
#define WINDOW_ACKS 10
/* The least part of window / RTT that a transfer held back by it reaches. */
#define WINDOW_REACHED 0.5
/* What is usual for a service is known from so many answers; they are quicker than a slow one by this
 * factor, else it waits for news (long poll). */
#define USUAL_ANSWERS 5
#define USUAL_FACTOR 5
/* An encrypted HTTP request with its header; less is an acknowledgment or a heartbeat, and what
 * comes behind it is no answer to it. */
#define REQUEST_BYTES 100

/* RFC 6928: ten segments leave before the first acknowledgment. */
#define FIRST_WINDOW_SEGMENTS 10
#define MSS_USUAL 1460
#define EARLIER_HANDSHAKES 64

/* The same client had completed a handshake there before this one began. */
static bool came_before(const struct judge *judge, const struct site_flow *flow)
{
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t end = range_find_time(range, flow->f.first_ns);
    for (size_t seen = 0; end > 0 && seen < EARLIER_HANDSHAKES; seen++) {
        const struct site_flow *other = range.flows[--end];
        if (other != flow && other->service == flow->service && other->f.tls != NULL &&
            other->f.tls->established && other->f.tls->finished_ns < flow->f.first_ns)
            return true;
    }
    return false;
}

/* What else makes handshakes longer than they need be. */
static void explain_slow_tls(const struct judge *judge, const struct site_flow *flow,
                             struct claim *claim)
{
    const struct tls_facts *t = flow->f.tls;
    uint32_t mss = flow->f.tcp->side[SIDE_CLIENT].mss;
    uint32_t window = FIRST_WINDOW_SEGMENTS * (mss > 0 ? mss : MSS_USUAL);
    if (t->hello_retry)
        claim_add_text(claim, "retry", "HelloRetryRequest");
    if (t->server_flight_bytes > window) {
        claim_add_number(claim, "flight_bytes", t->server_flight_bytes);
        claim_add_number(claim, "window_bytes", window);
    }
    if (!t->resumed && t->psk_offered)
        claim_add_text(claim, "resumption", "ticket or session not taken");
    else if (!t->resumed && came_before(judge, flow))
        claim_add_text(claim, "resumption", "no ticket or session offered again");
}

/* The server asked whether a certificate was revoked before it went on. */
static void explain_server_wait(const struct judge *judge, const struct site_flow *flow,
                                int64_t from_ns, int64_t wait, struct claim *claim)
{
    struct revocation_question q;
    int64_t until = from_ns + wait + 2 * facts_rtt(&flow->f);
    if (revocation_find(judge, flow, flow->server, from_ns, until, &q)) {
        claim_add_text(claim, "asked", q.host);
        claim_add_ms(claim, "asked_ms", q.until_ns - q.from_ns);
    }
}

/* A data connection of FTP waits for the command that the control connection brings. */
static bool is_ftp_data(const struct site_flow *flow)
{
    return flow->pair->has_ftp && !facts_is_ftp_control(&flow->f);
}

static void find_slow_tls(struct judge *judge, const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    const struct tls_facts *t = flow->f.tls;
    bool hello = d->tls_hello_wait_ns >= d->tls_finish_wait_ns;
    int64_t wait = hello ? d->tls_hello_wait_ns : d->tls_finish_wait_ns;
    int64_t left = facts_end_ns(&flow->f, SIDE_CLIENT);
    if (wait <= SLOW_TLS_NS || t == NULL || t->server_hello_ns < 0 || is_ftp_data(flow) ||
        (left >= 0 && left < t->server_hello_ns) || /* too late, which is more than slow */
        judge_is_withdrawn(judge, FINDING_SERVER_SLOW_TLS, flow))
        return;
    struct claim claim = claim_start(FINDING_SERVER_SLOW_TLS, flow);
    claim.confidence = 85;
    claim.weight = (double)wait;
    claim_add_ms(&claim, "delay_ms", wait);
    claim_add_text(&claim, "step", hello ? "before ServerHello" : "after the client's key exchange");
    explain_slow_tls(judge, flow, &claim);
    explain_server_wait(judge, flow, hello ? t->client_hello_ns : t->server_hello_ns, wait, &claim);
    claim_add_reference(&claim, flow->f.source_id, t->client_hello_frame, t->client_hello_ns,
                        EVENT_CLIENT_HELLO);
    claim_add_reference(&claim, flow->f.source_id, t->server_hello_frame, t->server_hello_ns,
                        EVENT_SERVER_HELLO);
    judge_claim(judge, &claim);
}

/* Whether the pause went by on asking somebody else whether the certificate was revoked. */
static bool explain_pause(const struct judge *judge, const struct site_flow *flow,
                          struct claim *claim)
{
    const struct tls_facts *t = flow->f.tls;
    const struct delay_facts *d = flow->delay;
    struct revocation_question q;
    if (t == NULL || t->server_hello_ns < 0 || d->pause_step != DELAY_STEP_TLS)
        return false;
    int64_t until = t->server_hello_ns + d->pause_ns + 2 * facts_rtt(&flow->f);
    if (!revocation_find(judge, flow, flow->client, t->server_hello_ns, until, &q))
        return false;
    claim_add_text(claim, "asked", q.host);
    claim_add_ms(claim, "asked_ms", q.until_ns - q.from_ns);
    claim_add_text(claim, "result", q.answered ? "answered" : "no answer");
    if (q.at != NULL)
        claim_add_reference(claim, q.at->f.source_id, q.at->f.first_frame, q.at->f.first_ns,
                            EVENT_SYN);
    return true;
}

/* ---- a line that others of the client's connections fill -------------------------------------- */

/* Segments one behind the other wait for their turn on the line, not for the client; a slower line
 * than 8 kbit/s there is not. */
#define LINE_LEAST_BYTES_S 1000
/* The first segment of each upload waits as well, and is not counted: three quarters are all. */
#define LINE_BUSY_PART 0.75
/* Connections that the client had opened before; one still sending after so many more is a rare one. */
#define LINE_EARLIER 1024

static int64_t overlap(int64_t from, int64_t to, int64_t other_from, int64_t other_to)
{
    int64_t start = from > other_from ? from : other_from, end = to < other_to ? to : other_to;
    return end > start ? end - start : 0;
}

/* While one of its connections paused the client was sending on others nearly all the time. */
static bool was_line_busy(const struct judge *judge, const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    const struct tls_facts *t = flow->f.tls;
    bool in_tls = d->pause_step == DELAY_STEP_TLS && t != NULL && t->server_hello_ns > 0;
    int64_t from = in_tls ? t->server_hello_ns : flow->f.first_ns, busy = 0;
    struct flow_range range = site_client_flows(judge->site, flow->client);
    size_t at = range_find_time(range, from);
    for (size_t i = at > LINE_EARLIER ? at - LINE_EARLIER : 0;
         i < range.count && range.flows[i]->f.first_ns < from + d->pause_ns; i++) {
        const struct site_flow *other = range.flows[i];
        const struct delay_facts *o = other->delay;
        if (other == flow || o == NULL || o->fed_ns <= 0 || o->fed_pauses > 0 ||
            (double)o->fed_bytes * (double)FACTS_SECOND <
                LINE_LEAST_BYTES_S * (double)o->fed_ns)
            continue;
        int64_t start =
            other->f.first_ns + (o->pause_step == DELAY_STEP_CONNECT ? o->pause_ns : 0);
        busy += overlap(from, from + d->pause_ns, start, start + o->fed_ns);
    }
    return (double)busy >= LINE_BUSY_PART * (double)d->pause_ns;
}

/* The packets of the step behind which it paused, as far as records name them. */
static void add_steps(const struct site_flow *flow, struct claim *claim)
{
    const struct flow_facts *f = &flow->f;
    bool in_tls = f->tls != NULL && flow->delay->pause_step == DELAY_STEP_TLS;
    if (!in_tls)
        claim_add_reference(claim, f->source_id, f->first_frame, f->first_ns, EVENT_SYN);
    if (f->tls != NULL)
        claim_add_reference(claim, f->source_id, f->tls->client_hello_frame,
                            f->tls->client_hello_ns, EVENT_CLIENT_HELLO);
    if (in_tls)
        claim_add_reference(claim, f->source_id, f->tls->server_hello_frame,
                            f->tls->server_hello_ns, EVENT_SERVER_HELLO);
}

static void find_slow_client(struct judge *judge, const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    if (d->pause_ns <= CLIENT_WAITS_NS || d->pause_step == DELAY_STEP_NONE ||
        judge_is_withdrawn(judge, FINDING_CLIENT_SLOW, flow))
        return;
    struct claim claim = claim_start(FINDING_CLIENT_SLOW, flow);
    claim.confidence = 80;
    claim.weight = (double)d->pause_ns;
    claim_add_ms(&claim, "pause_ms", d->pause_ns);
    claim_add_text(&claim, "step", d->pause_step == DELAY_STEP_TLS ? "after ServerHello" : "connect");
    add_steps(flow, &claim);
    if (!explain_pause(judge, flow, &claim) &&
        (d->pause_ns <= CLIENT_SLOW_NS || was_line_busy(judge, flow)))
        return;
    judge_claim(judge, &claim);
}

static void find_window_limit(struct judge *judge, const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    int64_t rtt = facts_rtt(&flow->f);
    if (d->window_sender > SIDE_SERVER || d->window_acks < WINDOW_ACKS || rtt <= 0 ||
        d->window_full * 2 <= d->window_acks || d->window_span_ns < WINDOW_RTTS * rtt)
        return;
    /* Far below what the window allows, a queue is what takes the time. */
    double ceiling = (double)d->window_bytes * (double)FACTS_SECOND / (double)rtt;
    if ((double)d->window_rate < WINDOW_REACHED * ceiling)
        return;
    enum side reader = side_other(d->window_sender);
    if (flow->f.tcp->side[reader].zero_window_ns > 0 || facts_is_midstream(&flow->f) ||
        judge_is_withdrawn(judge, FINDING_TCP_WINDOW_LIMITED, flow))
        return;
    struct claim claim = claim_start(FINDING_TCP_WINDOW_LIMITED, flow);
    claim.culprit = reader == SIDE_CLIENT ? CULPRIT_CLIENT : CULPRIT_SERVER;
    claim.confidence = 75;
    claim.weight = (double)d->window_span_ns;
    claim_add_text(&claim, "receiver", verdict_side_word(reader));
    claim_add_number(&claim, "window_bytes", (double)d->window_bytes);
    claim_add_ms(&claim, "rtt_ms", rtt);
    claim_add_number(&claim, "ceiling_bytes", ceiling);
    claim_add_number(&claim, "reached_bytes", (double)d->window_rate);
    claim_add_reference(&claim, flow->f.source_id, flow->f.first_frame, flow->f.first_ns, EVENT_SYN);
    claim_add_reference(&claim, flow->f.source_id, d->window_frame, d->window_frame_ns, EVENT_DATA);
    judge_claim(judge, &claim);
}

/* ---- slow answers inside TLS ----------------------------------------------------------------- */

/* HTTP/2 has several requests under way at once: whose answer is late cannot be told. Which protocol
 * TLS 1.3 agreed on is not visible, so the offer counts. */
static bool may_be_multiplexed(const struct tls_facts *t)
{
    const char *list = t->alpn != NULL && t->alpn[0] != '\0' ? t->alpn : t->alpn_offered;
    return list != NULL && (strstr(list, "h2") != NULL || strstr(list, "spdy") != NULL);
}

static bool is_hidden(const struct site_flow *flow)
{
    return flow->f.tls != NULL && flow->f.tls->established && flow->request_count == 0 &&
           !may_be_multiplexed(flow->f.tls) && !facts_is_midstream(&flow->f);
}

bool delays_is_hidden_dialogue(const struct site_flow *flow)
{
    return flow->delay != NULL && flow->delay->answers > 0 && is_hidden(flow);
}

/* Answers of the service whose mean time is known, and how many of them belong to flows whose mean is
 * far below `wait`. */
static bool is_unusual(const struct site_flow *flow, int64_t wait)
{
    const struct flow_range flows = flow->service->flows;
    int64_t quick = 0, all = 0;
    for (size_t i = 0; i < flows.count; i++) {
        const struct delay_facts *d = flows.flows[i]->delay;
        if (d == NULL && is_hidden(flows.flows[i]) && flows.flows[i]->f.tls->has_server_app) {
            all++; /* whose time is not kept was quick */
            quick++;
        }
        if (!delays_is_hidden_dialogue(flows.flows[i]))
            continue;
        int64_t rest = d->answer_sum_ns - d->answer_max_ns, others = (int64_t)d->answers - 1;
        all += d->answers;
        quick += others > 0 && rest / others * USUAL_FACTOR < wait ? others : 0;
        quick += d->answer_max_ns * USUAL_FACTOR < wait;
    }
    return quick >= USUAL_ANSWERS && quick * 2 > all;
}

/* A server that pauses as long between its own words as before them sends when it likes (a relay,
 * a chat, events): what it says first after the client's word need be no answer. */
static bool speaks_unasked(const struct delay_facts *d)
{
    return d->download_ns * 2 >= d->answer_max_ns;
}

static void find_slow_answer(struct judge *judge, const struct site_flow *flow)
{
    const struct delay_facts *d = flow->delay;
    int64_t limit = judge_slow_ns(judge, flow);
    if (d->answer_max_ns <= limit || d->answer_asked < REQUEST_BYTES || !delays_is_hidden_dialogue(flow) ||
        speaks_unasked(d) || flow->service == NULL || !is_unusual(flow, d->answer_max_ns) ||
        judge_is_withdrawn(judge, FINDING_SERVER_SLOW_RESPONSE, flow))
        return;
    struct claim claim = claim_start(FINDING_SERVER_SLOW_RESPONSE, flow);
    claim.confidence = 70;
    claim.first_ns = d->answer_start_ns;
    claim.last_ns = d->answer_start_ns + d->answer_max_ns;
    claim.weight = (double)d->answer_max_ns;
    claim_add_ms(&claim, "response_ms", d->answer_max_ns);
    claim_add_ms(&claim, "limit_ms", limit);
    claim_add_reference(&claim, flow->f.source_id, d->answer_frame, claim.last_ns, EVENT_RESPONSE);
    judge_claim(judge, &claim);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->flow_count; i++) {
        if (site->flows[i]->delay == NULL || site->flows[i]->outcome == OUTCOME_UNSOLICITED)
            continue;
        find_slow_tls(judge, site->flows[i]);
        find_slow_client(judge, site->flows[i]);
        find_window_limit(judge, site->flows[i]);
        find_slow_answer(judge, site->flows[i]);
    }
}

const struct detector detector_delay_turn = {"delay_turn", detect};
