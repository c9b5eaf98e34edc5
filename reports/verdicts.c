#include "reports/verdicts.h"

#include "reports/shares.h"

#include <stdlib.h>
#include <string.h>

static int compare_counts(const void *a, const void *b)
{
    const struct verdict_line *left = a, *right = b;
    if (left->count != right->count) {
        return left->count < right->count ? 1 : -1;
    }
    return (int)left->code - (int)right->code;
}

static int compare_classes(const void *a, const void *b)
{
    const struct verdict_line *left = a, *right = b;
    int class =
        (int)catalogue_get(left->code)->category - (int)catalogue_get(right->code)->category;
    return class != 0 ? class : compare_counts(a, b);
}

static void add_line(struct verdicts *out, enum verdict_kind kind, enum finding_code code,
                     int64_t count)
{
    if (count > 0) {
        out->lines[out->count++] = (struct verdict_line){kind, code, count, 0};
    }
}

/* The causes, most frequent first; returns how many there are. */
static size_t list_causes(const struct report_case *loaded,
                          struct verdict_line causes[FINDING_COUNT])
{
    size_t count = 0;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        if (loaded->verdicts[i + 1] > 0) {
            causes[count++] = (struct verdict_line){VERDICT_FAILED, (enum finding_code)i,
                                                    loaded->verdicts[i + 1], 0};
        }
    }
    qsort(causes, count, sizeof(causes[0]), compare_counts);
    return count;
}

void verdicts_of(const struct report_case *loaded, size_t failures, struct verdicts *out)
{
    struct verdict_line causes[FINDING_COUNT];
    int64_t counts[VERDICTS_MOST], others = 0;
    int tenths[VERDICTS_MOST];
    memset(out, 0, sizeof(*out));
    size_t count = list_causes(loaded, causes);
    size_t shown = failures < VERDICTS_MOST - 4 ? failures : VERDICTS_MOST - 4;
    shown = count < shown ? count : shown;
    for (size_t i = shown; i < count; i++) {
        others += causes[i].count;
    }
    qsort(causes, shown, sizeof(causes[0]), compare_classes);
    add_line(out, VERDICT_OK, FINDING_COUNT, loaded->outcomes[OUTCOME_OK]);
    for (size_t i = 0; i < shown; i++) {
        add_line(out, VERDICT_FAILED, causes[i].code, causes[i].count);
    }
    add_line(out, VERDICT_OTHERS, FINDING_COUNT, others);
    add_line(out, VERDICT_NO_CAUSE, FINDING_COUNT, loaded->verdicts[0]);
    add_line(out, VERDICT_UNKNOWN, FINDING_COUNT, loaded->outcomes[OUTCOME_UNKNOWN]);
    out->failed = loaded->outcomes[OUTCOME_FAILED];
    out->unsolicited = loaded->outcomes[OUTCOME_UNSOLICITED] + loaded->capture.counted_flows;
    for (size_t i = 0; i < out->count; i++) {
        counts[i] = out->lines[i].count;
        out->connections += counts[i];
    }
    shares_of(counts, out->count, tenths);
    for (size_t i = 0; i < out->count; i++) {
        out->lines[i].tenths = tenths[i];
    }
}
