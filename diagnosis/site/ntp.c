/* Time servers: clocks that differ, servers that do not know the time, servers that do not answer. */
#include "diagnosis/site/judge.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET_NS (200 * FACTS_MS)
#define REQUESTS_MIN 3
#define SPAN_MIN_NS (3 * FACTS_SECOND)
/* Servers whose offsets differ by less than this agree. */
#define AGREE_NS (100 * FACTS_MS)
#define SERVERS_MOST 256
#define LEAP_UNKNOWN 3
#define STRATUM_UNSYNCHRONISED 16

/* What one time server said over the capture. */
struct clock {
    const struct ntp_record *best; /* the sample with the smallest error */
};

bool ntp_is_measured(const struct ntp_record *r)
{
    return r->error_ns >= 0 && r->stratum > 0 && r->stratum < STRATUM_UNSYNCHRONISED &&
           r->leap != LEAP_UNKNOWN;
}

static struct claim start(struct judge *judge, enum finding_code code, const struct ntp_record *r)
{
    const struct site_flow *flow = site_find_flow(judge->site, r->flow_id);
    struct claim claim = claim_start(code, flow);
    claim.client_ip = r->client_ip;
    claim.server_ip = r->server_ip;
    claim.client_port = 0;
    claim.first_ns = r->request_ns >= 0 ? r->request_ns : r->reply_ns;
    claim.last_ns = r->reply_ns >= 0 ? r->reply_ns : r->request_ns;
    if (flow == NULL)
        return claim;
    claim.server_port = flow->f.port[side_other(r->asker)];
    claim_add_reference(&claim, flow->f.source_id, r->request_frame, r->request_ns, EVENT_REQUEST);
    claim_add_reference(&claim, flow->f.source_id, r->reply_frame, r->reply_ns, EVENT_RESPONSE);
    return claim;
}

/* ---- offsets --------------------------------------------------------------------------------- */

static bool agrees(const struct ntp_record *a, const struct ntp_record *b)
{
    int64_t apart = llabs(a->offset_ns - b->offset_ns);
    return apart <= AGREE_NS + a->error_ns + b->error_ns;
}

static bool is_off(const struct ntp_record *r)
{
    return llabs(r->offset_ns) - r->error_ns > OFFSET_NS;
}

static size_t count_agreeing(const struct clock *clocks, size_t count, const struct clock *one)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += &clocks[i] != one && agrees(clocks[i].best, one->best);
    return same;
}

/* One server off against the capture's clock: which of both is wrong needs a second server. When the
 * servers agree, the capture's own clock is the odd one. */
static void judge_clock(struct judge *judge, const struct clock *clocks, size_t count,
                        const struct clock *one)
{
    const struct ntp_record *r = one->best;
    size_t same = count_agreeing(clocks, count, one), others = count - 1 - same;
    if (judge->clock.is_off && llabs(r->offset_ns - clock_middle(judge->clock.off)) <=
                                   FACTS_SECOND + r->error_ns)
        return; /* the capture's clock is the one that is off */
    if (!is_off(r) || judge_is_withdrawn(judge, FINDING_NTP_OFFSET,
                                         site_find_flow(judge->site, r->flow_id)))
        return;
    struct claim claim = start(judge, FINDING_NTP_OFFSET, r);
    claim.confidence = 60;
    claim.reason = text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    if (same > 0 && same >= others) {
        claim.culprit = CULPRIT_CAPTURE;
        claim.reason = NULL;
        claim.severity = SEVERITY_LOW;
        claim.confidence = 75;
    } else if (others > 0) {
        claim.culprit = CULPRIT_DEPENDENCY;
        claim.reason = NULL;
        claim.confidence = others > 1 ? 90 : 75;
    }
    claim.weight = (double)llabs(r->offset_ns);
    claim_add_number(&claim, "offset_ms", (double)r->offset_ns / (double)FACTS_MS);
    judge_claim(judge, &claim);
}

static void judge_offsets(struct judge *judge)
{
    struct clock clocks[SERVERS_MOST];
    const struct site *site = judge->site;
    size_t count = 0;
    for (size_t i = 0; i < site->ntp_count; i++) {
        const struct ntp_record *r = site->ntp[i];
        if (!ntp_is_measured(r))
            continue;
        if (count > 0 && address_equal(&clocks[count - 1].best->server_ip, &r->server_ip)) {
            if (r->error_ns < clocks[count - 1].best->error_ns)
                clocks[count - 1].best = r;
        } else if (count < SERVERS_MOST) {
            clocks[count++].best = r;
        }
    }
    for (size_t i = 0; i < count; i++)
        judge_clock(judge, clocks, count, &clocks[i]);
}

/* ---- servers that do not know ---------------------------------------------------------------- */

static const char *why_unsynchronised(struct judge *judge, const struct ntp_record *r)
{
    struct arena *arena = &judge->site->arena;
    if (r->stratum == 0 && r->reference[0] != '\0')
        return arena_format(arena, "%s", r->reference);
    if (r->stratum == STRATUM_UNSYNCHRONISED)
        return "stratum 16";
    return r->stratum == 0 ? "stratum 0" : "leap 3";
}

static bool is_unsynchronised(const struct ntp_record *r)
{
    return r->reply_ns >= 0 && r->mode != 1 &&
           (r->leap == LEAP_UNKNOWN || r->stratum == 0 || r->stratum == STRATUM_UNSYNCHRONISED);
}

static void judge_state(struct judge *judge, const struct ntp_record *r)
{
    if (!is_unsynchronised(r))
        return;
    struct claim claim = start(judge, FINDING_NTP_UNSYNCHRONISED, r);
    claim.confidence = 95;
    claim_add_number(&claim, "stratum", r->stratum);
    claim_add_text(&claim, "reason", why_unsynchronised(judge, r));
    judge_claim(judge, &claim);
}

/* ---- silence --------------------------------------------------------------------------------- */

/* All exchanges of one client with one server, none of them answered. */
static void judge_silence(struct judge *judge, size_t from, size_t to)
{
    const struct ntp_record *first = judge->site->ntp[from], *last = judge->site->ntp[to - 1];
    const struct site_flow *flow = site_find_flow(judge->site, last->flow_id);
    if (flow == NULL || to - from < REQUESTS_MIN ||
        last->request_ns - first->request_ns < SPAN_MIN_NS ||
        judge_is_withdrawn(judge, FINDING_NTP_NO_ANSWER, flow) ||
        !judge_absence_holds(judge, flow, last->request_ns))
        return;
    for (size_t i = from; i < to; i++) {
        const struct ntp_record *r = judge->site->ntp[i];
        const struct site_flow *own = site_find_flow(judge->site, r->flow_id);
        if (r->reply_ns >= 0 || r->request_ns < 0 || own == NULL || own->icmp_count > 0 ||
            address_is_multicast(&r->server_ip))
            return;
    }
    struct claim claim = start(judge, FINDING_NTP_NO_ANSWER, first);
    claim.confidence = 75;
    claim.last_ns = last->request_ns;
    claim_add_number(&claim, "requests", (double)(to - from));
    claim_add_ms(&claim, "waited_ms", last->request_ns - first->request_ns);
    claim_add_reference(&claim, flow->f.source_id, last->request_frame, last->request_ns,
                        EVENT_REQUEST);
    judge_claim(judge, &claim);
}

static bool same_pair(const struct ntp_record *a, const struct ntp_record *b)
{
    return address_equal(&a->server_ip, &b->server_ip) &&
           address_equal(&a->client_ip, &b->client_ip);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->ntp_count;) {
        size_t end = i + 1;
        while (end < site->ntp_count && same_pair(site->ntp[i], site->ntp[end]))
            end++;
        for (size_t j = i; j < end; j++)
            judge_state(judge, site->ntp[j]);
        judge_silence(judge, i, end);
        i = end;
    }
    judge_offsets(judge);
}

const struct detector detector_ntp = {"ntp", detect};
