/* What came of the connections of each path, and whom their verdicts blame most: facts of path_samples. */
#include "diagnosis/site/exchanges.h"

#include <string.h>

struct ends {
    uint64_t ok, failed, one_sided;
    const char *blame;
};

static struct ends count_ends(const struct judge *judge, const struct site_pair *pair)
{
    struct ends ends = {0};
    size_t blamed[CULPRIT_COUNT] = {0}, most = 0;
    for (size_t i = 0; i < pair->flows.count; i++) {
        const struct site_flow *flow = pair->flows.flows[i];
        const struct claim *verdict = judge_verdict(judge, flow);
        if (!service_counts(flow))
            continue;
        ends.ok += flow->outcome == OUTCOME_OK;
        ends.failed += flow->outcome == OUTCOME_FAILED;
        ends.one_sided +=
            facts_is_tcp(&flow->f) && facts_has(&flow->f, FLOW_FACT_UNSEEN_PEER);
        if (flow->outcome == OUTCOME_FAILED && verdict != NULL)
            blamed[verdict->culprit]++;
    }
    for (size_t i = 0; i < CULPRIT_COUNT; i++) {
        if (blamed[i] > most) {
            most = blamed[i];
            ends.blame = culprit_name((enum culprit)i);
        }
    }
    return ends;
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static void detect(struct judge *judge)
{
    for (size_t i = 0; i < judge->site->pair_count; i++) {
        const struct site_pair *pair = &judge->site->pairs[i];
        struct path_sample_record *path = pair->path;
        if (path == NULL)
            continue;
        const struct ends ends = count_ends(judge, pair);
        path->changed |= path->ok != ends.ok || path->failed != ends.failed ||
                         path->one_sided != ends.one_sided ||
                         !is_same_text(path->blame, ends.blame);
        path->ok = ends.ok;
        path->failed = ends.failed;
        path->one_sided = ends.one_sided;
        path->blame = ends.blame;
    }
}

const struct detector detector_blame = {"blame", detect};
