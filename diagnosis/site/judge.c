#include "core/texts.h"
#include "diagnosis/site/chains.h"
#include "diagnosis/site/exchanges.h"
#include "diagnosis/site/extent.h"
#include "diagnosis/site/incidents.h"
#include "diagnosis/site/needs.h"
#include "diagnosis/site/services.h"

#include <stdlib.h>
#include <string.h>

struct claim claim_start(enum finding_code code, const struct site_flow *flow)
{
    const struct finding_info *info = catalogue_get(code);
    struct claim claim = {
        .code = code,
        .severity = (uint8_t)info->severity,
        .category = (uint8_t)info->category,
        .culprit = (uint8_t)info->culprit,
        .scope = (uint8_t)info->scope,
        .confidence = 90,
        .flow = flow,
        .count = 1,
    };
    if (flow == NULL)
        return claim;
    claim.first_ns = flow->f.first_ns;
    claim.last_ns = flow->f.last_ns;
    claim.client_ip = flow->client->address;
    claim.server_ip = flow->server->address;
    claim.client_port = flow->f.port[SIDE_CLIENT];
    claim.server_port = flow->f.port[SIDE_SERVER];
    claim.name = flow->f.name;
    claim.service = flow->f.service;
    return claim;
}

void claim_add_number(struct claim *claim, const char *name, double number)
{
    if (claim->value_count < CLAIM_VALUES)
        claim->values[claim->value_count++] = (struct claim_value){name, number, NULL};
}

void claim_add_ms(struct claim *claim, const char *name, int64_t duration_ns)
{
    if (duration_ns >= 0)
        claim_add_number(claim, name, (double)duration_ns / (double)FACTS_MS);
}

const char *claim_text(const struct claim *claim, const char *name)
{
    for (int i = 0; i < claim->value_count; i++) {
        if (strcmp(claim->values[i].name, name) == 0)
            return claim->values[i].text;
    }
    return NULL;
}

void claim_add_text(struct claim *claim, const char *name, const char *text)
{
    if (text != NULL && claim->value_count < CLAIM_VALUES)
        claim->values[claim->value_count++] = (struct claim_value){name, 0, text};
}

void claim_add_reference(struct claim *claim, int64_t source_id, int64_t frame, int64_t time_ns,
                         enum event_kind kind)
{
    if (frame <= 0 || claim->reference_count >= CLAIM_REFERENCES)
        return;
    claim->references[claim->reference_count++] =
        (struct claim_reference){source_id, frame, time_ns, event_kind_name(kind)};
}

const char *judge_rivals(struct judge *judge, const enum rival *rivals)
{
    char text[256] = "";
    for (size_t i = 0; rivals[i] != RIVAL_COUNT; i++) {
        const char *code = rival_get(rivals[i])->code;
        if (strlen(text) + strlen(code) + 2 > sizeof text)
            break;
        if (i > 0)
            strncat(text, ",", sizeof text - strlen(text) - 1);
        strncat(text, code, sizeof text - strlen(text) - 1);
    }
    return arena_format(&judge->site->arena, "%s", text);
}

/* Rivals of the catalogue are separated by spaces, those of a record by commas. */
static const char *catalogue_rivals(struct judge *judge, enum finding_code code)
{
    const char *list = catalogue_get(code)->rivals;
    char *copy = arena_copy(&judge->site->arena, list, strlen(list) + 1);
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if (*at == ' ')
            *at = ',';
    }
    return copy;
}

void judge_add_rival(struct judge *judge, struct claim *claim, enum rival rival)
{
    const char *before = claim->rivals != NULL ? claim->rivals : catalogue_rivals(judge, claim->code);
    if (before != NULL)
        claim->rivals = arena_format(&judge->site->arena, "%s,%s", before, rival_get(rival)->code);
}

void judge_claim(struct judge *judge, const struct claim *claim)
{
    if (!array_reserve((void **)&judge->claims, &judge->claim_capacity, judge->claim_count,
                       sizeof *judge->claims)) {
        judge->failed = true;
        return;
    }
    struct claim *kept = &judge->claims[judge->claim_count++];
    *kept = *claim;
    kept->severity = (uint8_t)catalogue_clamp_severity(claim->code, (enum severity)claim->severity);
    if (kept->rivals == NULL)
        kept->rivals = catalogue_rivals(judge, claim->code);
    struct site_flow *flow = claim->primary && claim->flow != NULL
                                 ? site_find_flow(judge->site, claim->flow->f.id)
                                 : NULL;
    if (flow != NULL && flow->claimed == 0)
        flow->claimed = judge->claim_count;
}

const struct claim *judge_verdict(const struct judge *judge, const struct site_flow *flow)
{
    return flow->claimed > 0 ? &judge->claims[flow->claimed - 1] : NULL;
}

/* ---- what the capture allows ----------------------------------------------------------------- */

static const struct coverage *coverage_of(const struct judge *judge, int64_t ns)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->coverage_count; i++) {
        if (ns <= site->coverage[i].last_ns)
            return ns >= site->coverage[i].first_ns ? &site->coverage[i] : NULL;
    }
    return NULL;
}

int64_t judge_capture_end(const struct judge *judge, int64_t since_ns)
{
    const struct coverage *period = coverage_of(judge, since_ns);
    return period != NULL ? period->last_ns : since_ns;
}

const struct profile_service *judge_profile_service(const struct judge *judge,
                                                    const struct site_flow *flow)
{
    return judge->profile != NULL && flow != NULL
               ? profile_service_of(judge->profile, flow->f.protocol, &flow->server->address,
                                    flow->f.port[SIDE_SERVER])
               : NULL;
}

int64_t judge_slow_ns(const struct judge *judge, const struct site_flow *flow)
{
    return profile_slow_ns(judge->profile != NULL ? judge->profile : profile_builtin(),
                           judge_profile_service(judge, flow));
}

uint8_t judge_doubt_loss(const struct judge *judge, uint8_t confidence)
{
    bool doubtful = judge->quality.deep_loss && confidence >= CONFIDENCE_POSSIBLE;
    return doubtful ? CONFIDENCE_POSSIBLE - 5 : confidence;
}

void judge_doubt_absence(const struct judge *judge, struct claim *claim)
{
    if (!judge->quality.deep_loss)
        return;
    claim->confidence = judge_doubt_loss(judge, claim->confidence);
    claim->culprit = CULPRIT_UNKNOWN;
    claim->reason = text_get(TEXT_REASON_CAPTURE_LOSS, LANG_EN);
}

static int64_t absence_wait(const struct judge *judge, const struct site_flow *flow)
{
    int64_t least = judge->profile != NULL && judge->profile->absence_ns > 0
                        ? judge->profile->absence_ns
                        : FACTS_ABSENCE_NS;
    int64_t rtts = facts_rtt(&flow->f) * FACTS_ABSENCE_RTTS;
    return rtts > least ? rtts : least;
}

/* FACTS.md 1.1: from one segment in so many on, the loss of the capture is worth a warning. */
#define MISSES_OF 1000

bool judge_may_miss_end(const struct judge *judge, const struct site_flow *flow, int64_t since_ns)
{
    const struct capture_record *c = &judge->site->capture;
    bool misses = judge->quality.torn * MISSES_OF >= 1 || (c->gaps > 0 && c->gaps * MISSES_OF >= c->acked_segments);
    return misses && flow->f.last_ns - since_ns < FACTS_PATIENCE_NS;
}

bool judge_absence_holds(const struct judge *judge, const struct site_flow *flow, int64_t since_ns)
{
    int64_t until = since_ns + absence_wait(judge, flow);
    const struct flow_tcp_record *t = flow->f.tcp;
    if (judge_capture_end(judge, since_ns) < until)
        return false;
    if (t->side[SIDE_CLIENT].last_ns >= until && t->side[SIDE_SERVER].last_ns >= until)
        return true;
    const struct activity *all = &judge->site->two_sided;
    return (all->best == flow ? all->second_ns : all->best_ns) >= until;
}

/* Whether a capture finding that is there says anything about this flow. */
static bool concerns(const struct judge *judge, enum finding_code capture,
                     const struct site_flow *flow)
{
    if (flow == NULL)
        return true;
    switch (capture) {
    case FINDING_CAPTURE_ONE_SIDED:
        return !facts_is_two_sided(&flow->f);
    case FINDING_CAPTURE_LOSS:
    case FINDING_CAPTURE_DROPPED:
        return flow->f.capture_lost_bytes > 0 || judge->quality.heavy_loss;
    case FINDING_CAPTURE_DUPLICATES:
        /* Where every packet came twice, one copy of each was left out and nothing is unsure; the
         * packets of a loop are no copies that the capture made. */
        return !judge->quality.clean_copies && facts_has(&flow->f, FLOW_FACT_DUPLICATES) &&
               !facts_has(&flow->f, FLOW_FACT_LOOPED);
    case FINDING_CAPTURE_FILTERED:
        /* An answer by ICMP ends the retries of a client: three of them show that none came. */
        return judge->quality.filter_hides_icmp && flow->f.tcp->syn_count < FACTS_TRIES;
    case FINDING_CAPTURE_MIDSTREAM:
        return facts_is_midstream(&flow->f);
    default:
        return true;
    }
}

bool judge_is_withdrawn(const struct judge *judge, enum finding_code code,
                        const struct site_flow *flow)
{
    const bool *found = judge->quality.found, *end = found + FINDING_COUNT;
    for (const bool *at = found; (at = memchr(at, true, (size_t)(end - at))) != NULL; at++) {
        enum finding_code capture = (enum finding_code)(at - found);
        if (concerns(judge, capture, flow) && catalogue_is_withdrawn_by(code, capture))
            return true;
    }
    return false;
}

/* ---- running --------------------------------------------------------------------------------- */

#define DETECTOR(name) extern const struct detector detector_##name;
#include "diagnosis/site/detectors.def"
#undef DETECTOR

static const struct detector *const detectors[] = {
#define DETECTOR(name) &detector_##name,
#include "diagnosis/site/detectors.def"
#undef DETECTOR
};

static void put_verdicts(const struct judge *judge, const struct sink *out)
{
    for (size_t i = 0; i < judge->site->flow_count; i++) {
        const struct site_flow *flow = judge->site->flows[i];
        struct verdict_record record = {flow->f.id, flow->outcome, flow->stage, flow->verdict};
        if (flow->outcome != flow->f.given_outcome || flow->stage != flow->f.given_stage ||
            flow->verdict != flow->f.given_verdict)
            sink_put(out, RECORD_VERDICT, &record);
    }
}

/* Those of which the diagnosis learnt something else than an earlier one had. */
static void put_paths(const struct judge *judge, const struct sink *out)
{
    for (size_t i = 0; i < judge->site->path_count; i++) {
        const struct path_sample_record *path = judge->site->paths[i];
        if (path->changed)
            sink_put(out, RECORD_PATH, path);
    }
}

static void start_over(struct site *site)
{
    for (size_t i = 0; i < site->flow_count; i++) {
        struct site_flow *flow = site->flows[i];
        flow->outcome = OUTCOME_NONE;
        flow->verdict = 0;
        flow->listed_in = 0;
        flow->claimed = 0;
        flow->chain = NULL;
        flow->syn_drop = NULL;
        flow->stage = (uint8_t)facts_stage(&flow->f);
    }
}

bool site_judge(struct site *site, int64_t first_id, const struct sink *out, struct error *error)
{
    struct judge judge = {.site = site, .profile = site->profile};
    bool ok = !site->failed && site_build(site);
    if (ok) {
        start_over(site);
        for (size_t i = 0; i < sizeof detectors / sizeof detectors[0]; i++)
            detectors[i]->detect(&judge);
        ok = !judge.failed;
    }
    if (ok) {
        put_verdicts(&judge, out);
        put_paths(&judge, out);
        judge_put_chains(&judge, out);
        struct incident_maker incidents = {.out = out};
        struct sink remembering = incidents_sink(&incidents);
        ok = judge_emit(&judge, first_id, &remembering);
        ok = incidents_put(&incidents, &judge, first_id) && ok;
        ok = ok && extent_put_domains(&judge, out) && extent_put_stories(&judge, out);
        ok = ok && services_put(&judge, out) && needs_put(&judge, out);
    }
    exchanges_forget(&judge);
    free(judge.chains);
    free(judge.claims);
    if (!ok)
        return error_set(error, ERROR_RUNTIME,
                         "out of memory while judging %zu connections; read fewer files at once",
                         site->flow_count);
    return true;
}
