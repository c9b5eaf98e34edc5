/* When the capture ran: the periods in which what did not come was not there. */
#include "core/sort.h"
#include "diagnosis/site/model_internal.h"

#include <stdlib.h>
#include <string.h>

/* Nothing at all for so long: the capture did not run, or files of several times were put together.
 */
#define HOLE_NS (120 * FACTS_SECOND)
/* Files of a rotating capture follow each other without losing packets; quiet links leave gaps
 * between the last packet of one and the first of the next. */
#define ROTATION_GAP_NS (2 * FACTS_SECOND)

/* Cuts that cut_clock_steps and cut_pauses may make. */
#define CLOCK_STEPS 2
#define PAUSES_MOST 16
/* A day: what is longer is no pause. */
#define LONGEST_PAUSE_MS (86400 * 1000LL)

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int sources_by_time(const void *a, const void *b)
{
    const struct source_record *left = *(const struct source_record *const *)a;
    const struct source_record *right = *(const struct source_record *const *)b;
    int order = COMPARE(left->first_ns, right->first_ns);
    return order != 0 ? order : COMPARE(left->id, right->id);
}

static void add_coverage(struct site *site, int64_t first_ns, int64_t last_ns)
{
    struct coverage *last =
        site->coverage_count > 0 ? &site->coverage[site->coverage_count - 1] : NULL;
    if (last != NULL && first_ns <= last->last_ns + ROTATION_GAP_NS) {
        if (last_ns > last->last_ns)
            last->last_ns = last_ns;
        return;
    }
    site->coverage[site->coverage_count++] = (struct coverage){first_ns, last_ns};
}

/* Splits the period around a hole; there is room for one more. */
static void cut_coverage(struct site *site, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < site->coverage_count; i++) {
        struct coverage *whole = &site->coverage[i];
        if (from_ns < whole->first_ns || to_ns > whole->last_ns)
            continue;
        memmove(whole + 1, whole, (site->coverage_count - i) * sizeof *whole);
        whole[0].last_ns = from_ns;
        whole[1].first_ns = to_ns;
        site->coverage_count++;
        return;
    }
}

/* Counts the holes between flows, which are sorted by time, and cuts the coverage there. */
static size_t find_holes(struct site *site, bool cut)
{
    size_t holes = 0;
    int64_t until = site->flow_count > 0 ? site->flows[0]->f.last_ns : 0;
    for (size_t i = 1; i < site->flow_count; i++) {
        const struct flow_facts *f = &site->flows[i]->f;
        if (f->first_ns > until && f->first_ns - until > HOLE_NS) {
            holes++;
            if (cut)
                cut_coverage(site, until, f->first_ns);
        }
        if (f->last_ns > until)
            until = f->last_ns;
    }
    return holes;
}

/* Without sources (a live window, a test) the capture, else the flows, tell when it ran. */
static bool build_periods(struct site *site)
{
    size_t most = site->source_count + 1 + find_holes(site, false) + CLOCK_STEPS + PAUSES_MOST;
    struct coverage *room = realloc(site->coverage, most * sizeof *room);
    if (room == NULL)
        return false;
    site->coverage = room;
    site->coverage_count = 0;
    if (site->source_count > 1)
        sort_rows(site->sources, site->source_count, sizeof(void *), sources_by_time);
    for (size_t i = 0; i < site->source_count; i++) {
        const struct source_record *source = site->sources[i];
        if (source->packets > 0 && source->last_ns >= source->first_ns)
            add_coverage(site, source->first_ns, source->last_ns);
    }
    if (site->coverage_count > 0)
        return true;
    int64_t first = INT64_MAX, last = INT64_MIN;
    if (site->has_capture && site->capture.last_ns > 0) {
        first = site->capture.first_ns;
        last = site->capture.last_ns;
    }
    for (size_t i = 0; i < site->flow_count; i++) {
        first = site->flows[i]->f.first_ns < first ? site->flows[i]->f.first_ns : first;
        last = site->flows[i]->f.last_ns > last ? site->flows[i]->f.last_ns : last;
    }
    if (last >= first)
        site->coverage[site->coverage_count++] = (struct coverage){first, last};
    return true;
}

/* Across a jump nobody was watched; where the clock ran twice nobody can say what came when. */
static void cut_clock_steps(struct site *site)
{
    const struct capture_record *c = &site->capture;
    if (c->jump_to_ns > c->jump_from_ns)
        cut_coverage(site, c->jump_from_ns, c->jump_to_ns);
    if (c->back_from_ns > c->back_to_ns)
        cut_coverage(site, c->back_to_ns, c->back_from_ns);
}

/* So soon behind a pause what is taken up in the middle had begun before it ended. */
#define BEHIND_PAUSE_NS FACTS_SECOND

static bool is_taken_up(const struct flow_facts *f)
{
    return facts_is_tcp(f) && facts_is_two_sided(f) && !facts_has(f, FLOW_FACT_STRAY) &&
           (facts_is_midstream(f) || facts_has(f, FLOW_FACT_NO_SYN));
}

/* Whether connections went on while no packet was captured at all: one lost bytes across the pause, or was taken up
 * behind it. */
static bool was_blind(const struct site *site, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct flow_facts *f = &site->flows[i]->f;
        if (f->first_ns >= to_ns + BEHIND_PAUSE_NS)
            return false;
        if (f->first_ns >= to_ns ? is_taken_up(f)
                                 : f->first_ns <= from_ns && f->last_ns >= to_ns && f->capture_lost_bytes > 0)
            return true;
    }
    return false;
}

/* The next pause of captures.pauses; false behind the last one. */
static bool next_pause(const char **at, struct coverage *out)
{
    while (**at != '\0') {
        char *end;
        int64_t from_ns = strtoll(*at, &end, 10);
        int64_t length_ms = *end == '+' ? strtoll(end + 1, &end, 10) : 0;
        *at = *end == ',' ? end + 1 : "";
        *out = (struct coverage){from_ns, from_ns};
        if (length_ms > 0 && length_ms < LONGEST_PAUSE_MS && from_ns > 0 && from_ns < INT64_MAX / 2) {
            out->last_ns += length_ms * FACTS_MS;
            return true;
        }
    }
    return false;
}

/* What was awaited across a pause in which the capture was blind may have come. */
static void cut_pauses(struct site *site)
{
    const char *at = site->capture.pauses;
    struct coverage pause;
    for (int i = 0; i < PAUSES_MOST && next_pause(&at, &pause); i++) {
        if (was_blind(site, pause.first_ns, pause.last_ns))
            cut_coverage(site, pause.first_ns, pause.last_ns);
    }
}

bool site_has_pause(const struct site *site, int64_t from_ns, int64_t to_ns)
{
    const char *at = site->capture.pauses;
    struct coverage pause;
    while (next_pause(&at, &pause)) {
        if (pause.first_ns <= from_ns && pause.last_ns >= to_ns)
            return true;
    }
    return false;
}

bool site_build_coverage(struct site *site)
{
    if (!build_periods(site))
        return false;
    (void)find_holes(site, true);
    cut_clock_steps(site);
    cut_pauses(site);
    return true;
}
