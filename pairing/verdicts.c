#include "pairing/verdicts.h"

#include <stdlib.h>
#include <string.h>

struct list {
    const struct pair_side *sides;
    const struct pair_result *result;
    struct pair_verdict *verdicts;
    size_t count, room;
    bool failed;
};

const char *pair_verdict_word(enum pair_verdict_kind kind)
{
    static const char *const words[PAIR_VERDICT_COUNT] = {
#define VERDICT(id, word) word,
#include "pairing/verdicts.def"
#undef VERDICT
    };
    return words[kind];
}

static void add(struct list *list, const struct pair_verdict *verdict)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct pair_verdict *bigger = realloc(list->verdicts, room * sizeof(*bigger));
        if (bigger == NULL) {
            list->failed = true;
            return;
        }
        list->verdicts = bigger;
        list->room = room;
    }
    list->verdicts[list->count++] = *verdict;
}

static const struct pair_session *session_of(const struct list *list, uint32_t match, int point)
{
    return &list->sides[point].sessions[list->result->matches[match].session[point]];
}

static struct pair_verdict verdict_of(const struct list *list, enum pair_verdict_kind kind,
                                      uint32_t match, int point)
{
    struct pair_verdict v = {.kind = kind, .match = match, .point = (uint8_t)point};
    v.session = list->result->matches[match].session[point];
    v.packet = PAIR_NONE;
    v.time_ns = session_of(list, match, point)->first_ns;
    return v;
}

static void count_packet(struct pair_verdict *v, const struct pair_side *side, uint32_t index)
{
    if (v->count < PAIR_VERDICT_FRAMES) {
        v->frames[v->count] = side->packets[index].frame;
    }
    if (v->count++ == 0) {
        v->packet = index;
        v->direction = side->packets[index].direction;
        v->time_ns = side->packets[index].time_ns;
    }
}

/* One verdict of the packets of a match, seen at a point, that are of that fate or so changed. */
static void add_packets(struct list *list, enum pair_verdict_kind kind, uint32_t match, int point,
                        int direction, uint8_t fate, uint8_t changed)
{
    const struct pair_session *session = session_of(list, match, point);
    const struct pair_side *side = &list->sides[point];
    struct pair_verdict v = verdict_of(list, kind, match, point);
    uint32_t from = session->first + (direction == 0 ? 0 : session->packets[0]);
    for (uint32_t i = from; i < from + session->packets[direction]; i++) {
        const struct pair_packet *p = &side->packets[i];
        if (p->fate == fate && (changed == 0 || (p->changed & changed) != 0)) {
            count_packet(&v, side, i);
        }
    }
    if (v.count > 0) {
        add(list, &v);
    }
}

static void judge_match(struct list *list, uint32_t match)
{
    const struct pair_match *m = &list->result->matches[match];
    if (m->intercepted != PAIR_UNTOUCHED || m->relayed) {
        enum pair_verdict_kind kind = m->intercepted == PAIR_CONCLUSIVE ? PAIR_VERDICT_INTERCEPTED
                                      : m->intercepted == PAIR_LIKELY
                                          ? PAIR_VERDICT_INTERCEPTED_LIKELY
                                          : PAIR_VERDICT_RELAYED;
        struct pair_verdict v = verdict_of(list, kind, match, PAIR_INSIDE);
        add(list, &v);
        return;
    }
    for (int direction = 0; direction < 2; direction++) {
        int first = direction == 0 ? m->near_client : 1 - m->near_client;
        add_packets(list, PAIR_VERDICT_DROPPED, match, first, direction, PAIR_DROPPED, 0);
        add_packets(list, PAIR_VERDICT_ANSWERED, match, 1 - first, direction, PAIR_MADE, 0);
        add_packets(list, PAIR_VERDICT_PAYLOAD, match, first, direction, PAIR_PASSED,
                    PAIR_CHANGED_PAYLOAD);
        add_packets(list, PAIR_VERDICT_OPTIONS, match, first, direction, PAIR_PASSED,
                    PAIR_CHANGED_OPTIONS);
        add_packets(list, PAIR_VERDICT_MSS, match, first, direction, PAIR_PASSED,
                    PAIR_CHANGED_MSS);
    }
    if ((m->changed & PAIR_CHANGED_SEQUENCE) != 0) {
        struct pair_verdict v = verdict_of(list, PAIR_VERDICT_SEQUENCE, match, PAIR_INSIDE);
        add(list, &v);
    }
    if ((m->changed & (PAIR_CHANGED_CLIENT | PAIR_CHANGED_SERVER)) != 0) {
        struct pair_verdict v = verdict_of(list, PAIR_VERDICT_ADDRESS, match, PAIR_INSIDE);
        add(list, &v);
    }
}

static uint32_t count_fate(const struct pair_side *side, const struct pair_session *s, uint8_t fate)
{
    uint32_t count = 0;
    for (uint32_t i = s->first; i < s->first + s->packets[0] + s->packets[1]; i++) {
        count += side->packets[i].fate == fate;
    }
    return count;
}

static void judge_alone(struct list *list, int point)
{
    const struct pair_side *side = &list->sides[point];
    for (uint32_t i = 0; i < side->session_count; i++) {
        const struct pair_session *s = &side->sessions[i];
        if (s->match != PAIR_NONE || s->packets[0] + s->packets[1] == 0) {
            continue;
        }
        uint8_t fate = count_fate(side, s, PAIR_MADE) > 0      ? PAIR_MADE
                       : count_fate(side, s, PAIR_DROPPED) > 0 ? PAIR_DROPPED
                                                               : PAIR_UNDECIDED;
        struct pair_verdict v = {.match = PAIR_NONE};
        v.kind = fate == PAIR_MADE      ? PAIR_VERDICT_ANSWERED
                 : fate == PAIR_DROPPED ? PAIR_VERDICT_DROPPED
                                        : PAIR_VERDICT_ALONE;
        v.session = i;
        v.point = (uint8_t)point;
        v.packet = PAIR_NONE;
        for (uint32_t k = s->first; k < s->first + s->packets[0] + s->packets[1]; k++) {
            if (side->packets[k].fate == fate) {
                count_packet(&v, side, k);
            }
        }
        add(list, &v);
    }
}

static int by_weight(const void *a, const void *b)
{
    const struct pair_verdict *x = a, *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->session < y->session ? -1 : x->session > y->session;
}

struct pair_verdict *pair_verdicts(const struct pair_side sides[PAIR_POINTS],
                                   const struct pair_result *result, size_t *out_count)
{
    struct list list = {.sides = sides, .result = result, .room = 64};
    list.verdicts = malloc(list.room * sizeof(*list.verdicts));
    if (list.verdicts == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < result->match_count; i++) {
        judge_match(&list, i);
    }
    judge_alone(&list, PAIR_INSIDE);
    judge_alone(&list, PAIR_OUTSIDE);
    if (list.failed) {
        free(list.verdicts);
        return NULL;
    }
    qsort(list.verdicts, list.count, sizeof(*list.verdicts), by_weight);
    *out_count = list.count;
    return list.verdicts;
}
