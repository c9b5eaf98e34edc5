#include "core/limits.h"
#include "core/sort.h"
#include "diagnosis/site/judge.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Claims with one identity: a run of the sorted claims; or those of several identities that are told together. */
struct group {
    const struct claim **claims;
    size_t count;
    size_t joined; /* identities beside the one told */
};

static int compare_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* FINDINGS.md "identity": code and culprit, then what the catalogue says. */
static int compare_identity(const struct claim *a, const struct claim *b)
{
    int order = COMPARE(a->code, b->code);
    if (order == 0)
        order = COMPARE(a->culprit, b->culprit);
    if (order != 0)
        return order;
    enum identity identity = catalogue_get(a->code)->identity;
    if (identity == IDENTITY_BY_CAPTURE)
        return 0;
    order = address_compare(&a->server_ip, &b->server_ip);
    if (order == 0 && (identity != IDENTITY_BY_SERVER || a->culprit == CULPRIT_CLIENT))
        order = address_compare(&a->client_ip, &b->client_ip);
    if (order != 0 || identity == IDENTITY_BY_PATH)
        return order;
    order = COMPARE(a->server_port, b->server_port);
    return order != 0 ? order : compare_text(a->name, b->name);
}

static int compare_age(const struct claim *a, const struct claim *b)
{
    int order = COMPARE(a->first_ns, b->first_ns);
    if (order == 0 && a->flow != NULL && b->flow != NULL)
        order = COMPARE(a->flow->f.id, b->flow->f.id);
    return order;
}

static int by_identity(const void *left, const void *right)
{
    const struct claim *a = *(const struct claim *const *)left;
    const struct claim *b = *(const struct claim *const *)right;
    int order = compare_identity(a, b);
    if (order == 0)
        order = compare_age(a, b);
    return order != 0 ? order : COMPARE(a, b); /* as the detectors made them */
}

static int by_age(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    int order = compare_age(a->claims[0], b->claims[0]);
    return order != 0 ? order : compare_identity(a->claims[0], b->claims[0]);
}

/* The claim that stands for the finding: the worst, the surest, the earliest. */
static const struct claim *lead_of(const struct group *group)
{
    const struct claim *lead = group->claims[0];
    for (size_t i = 1; i < group->count; i++) {
        const struct claim *claim = group->claims[i];
        int order = COMPARE(claim->severity, lead->severity);
        if (order == 0)
            order = COMPARE(claim->confidence, lead->confidence);
        if (order == 0)
            order = COMPARE(claim->weight, lead->weight);
        if (order > 0)
            lead = claim;
    }
    return lead;
}

/* What the site calls a server that no client named. */
static const char *host_name(const struct judge *judge, const struct claim *claim)
{
    return judge->profile != NULL ? profile_host_name(judge->profile, &claim->server_ip) : NULL;
}

static struct finding_record make_finding(const struct judge *judge, const struct group *group,
                                          const struct claim *lead, int64_t id)
{
    struct finding_record finding = {
        .id = id,
        .capture_id = judge->site->capture.id,
        .code = (uint16_t)(lead->code + 1),
        .severity = lead->severity,
        .category = lead->category,
        .culprit = lead->culprit,
        .scope = lead->scope,
        .confidence = lead->confidence,
        .state = FINDING_CONFIRMED,
        .first_ns = group->claims[0]->first_ns,
        .joined = (int64_t)group->joined,
        .client_ip = lead->client_ip,
        .server_ip = lead->server_ip,
        .client_port = lead->client_port,
        .server_port = lead->server_port,
        .name = lead->name != NULL && lead->name[0] != '\0' ? lead->name : host_name(judge, lead),
        .service = lead->service,
        .flow_id = lead->flow != NULL ? lead->flow->f.id : 0,
        .rivals = lead->rivals,
        .reason = lead->reason,
    };
    for (size_t i = 0; i < group->count; i++) {
        const struct claim *claim = group->claims[i];
        finding.count += claim->count;
        finding.is_primary |= claim->primary;
        if (claim->last_ns > finding.last_ns)
            finding.last_ns = claim->last_ns;
    }
    return finding;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int by_number(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return COMPARE(*a, *b);
}

static const struct claim_value *find_value(const struct claim *claim, const char *name)
{
    for (uint8_t i = 0; i < claim->value_count; i++) {
        if (strcmp(claim->values[i].name, name) == 0)
            return &claim->values[i];
    }
    return NULL;
}

/* One value over all claims: the median, smallest and largest number, or the lead's text. */
static void put_value(const struct group *group, const struct claim_value *value, int64_t id,
                      double *numbers, const struct sink *out)
{
    struct finding_value_record record = {.finding_id = id, .name = value->name};
    if (value->text != NULL) {
        record.text = value->text;
        sink_put(out, RECORD_FINDING_VALUE, &record);
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct claim_value *same = find_value(group->claims[i], value->name);
        if (same != NULL && same->text == NULL)
            numbers[count++] = same->number;
    }
    sort_rows(numbers, count, sizeof *numbers, by_number);
    record.number = numbers[count / 2];
    record.minimum = numbers[0];
    record.maximum = numbers[count - 1];
    sink_put(out, RECORD_FINDING_VALUE, &record);
}

/* ---- evidence -------------------------------------------------------------------------------- */

struct evidence_list {
    struct claim_reference items[FINDING_REFERENCES];
    size_t count, limit;
};

static void add_evidence(struct evidence_list *list, const struct claim_reference *reference)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].source_id == reference->source_id &&
            list->items[i].frame == reference->frame)
            return;
    }
    if (list->count < list->limit)
        list->items[list->count++] = *reference;
}

static void add_event(struct evidence_list *list, const struct flow_event *event)
{
    struct claim_reference reference = {event->source_id, event->frame, event->time_ns,
                                        event_kind_name(event->kind)};
    add_evidence(list, &reference);
}

static bool is_wanted(const struct claim *claim, const struct flow_event *event)
{
    return event->kind < EVENT_KIND_COUNT && (claim->evidence >> event->kind & 1) != 0 &&
           event->time_ns >= claim->evidence_from_ns && event->frame > 0;
}

/* What proves one claim: its own references, then events of the wanted kinds, the first two and
 * from the end backwards; a flow without any gives its first packet. */
static void collect(const struct claim *claim, struct evidence_list *list)
{
    size_t before = list->count;
    for (uint8_t i = 0; i < claim->reference_count; i++)
        add_evidence(list, &claim->references[i]);
    if (claim->flow == NULL)
        return;
    const struct flow_facts *f = &claim->flow->f;
    size_t first = 0, found = 0;
    for (; first < f->event_count && found < 2; first++) {
        if (!is_wanted(claim, &f->events[first]))
            continue;
        add_event(list, &f->events[first]);
        found++;
    }
    for (size_t i = f->event_count; i > first; i--) {
        if (is_wanted(claim, &f->events[i - 1]))
            add_event(list, &f->events[i - 1]);
    }
    if (list->count > before)
        return;
    enum event_kind kind = facts_is_tcp(f) && !facts_is_midstream(f) ? EVENT_SYN : EVENT_DATA;
    struct claim_reference start = {f->source_id, f->first_frame, f->first_ns,
                                    event_kind_name(facts_is_tcp(f) ? kind : EVENT_DATAGRAM)};
    if (f->first_frame > 0)
        add_evidence(list, &start);
}

static int by_packet(const void *left, const void *right)
{
    const struct claim_reference *a = left, *b = right;
    int order = COMPARE(a->time_ns, b->time_ns);
    if (order == 0)
        order = COMPARE(a->source_id, b->source_id);
    return order != 0 ? order : COMPARE(a->frame, b->frame);
}

static void put_evidence(const struct group *group, const struct claim *lead, int64_t id,
                         const struct sink *out)
{
    struct evidence_list list = {.limit = group->count == 1 ? FINDING_REFERENCES : 3};
    collect(group->claims[0], &list);
    list.limit = group->count == 1 ? FINDING_REFERENCES : 6;
    if (lead != group->claims[0])
        collect(lead, &list);
    list.limit = FINDING_REFERENCES;
    if (group->count > 1 && group->claims[group->count - 1] != lead)
        collect(group->claims[group->count - 1], &list);
    sort_rows(list.items, list.count, sizeof list.items[0], by_packet);
    for (size_t i = 0; i < list.count; i++) {
        struct finding_evidence_record record = {
            .finding_id = id,
            .number = (int64_t)i + 1,
            .source_id = list.items[i].source_id,
            .frame = list.items[i].frame,
            .offset = -1,
            .time_ns = list.items[i].time_ns,
            .caplen = -1,
            .note = list.items[i].note,
        };
        sink_put(out, RECORD_FINDING_EVIDENCE, &record);
    }
}

/* ---- all together ---------------------------------------------------------------------------- */

/* A flow that several claims of a finding cover is listed once. */
static void put_flow(const struct judge *judge, const struct site_flow *member, bool is_primary,
                     int64_t id, const struct sink *out)
{
    struct site_flow *flow = site_find_flow(judge->site, member->f.id);
    struct finding_flow_record record = {id, member->f.id, is_primary};
    if (flow == NULL || flow->listed_in == id)
        return;
    flow->listed_in = id;
    sink_put(out, RECORD_FINDING_FLOW, &record);
}

static void put_flows(const struct judge *judge, const struct group *group, int64_t id,
                      const struct sink *out)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct claim *claim = group->claims[i];
        if (claim->flow != NULL)
            put_flow(judge, claim->flow, claim->primary, id, out);
        for (size_t j = 0; j < claim->flow_count; j++)
            put_flow(judge, claim->flows[j], claim->primary, id, out);
    }
}

static void put_group(const struct judge *judge, const struct group *group, int64_t id,
                      double *numbers, const struct sink *out)
{
    const struct claim *lead = lead_of(group);
    struct finding_record finding = make_finding(judge, group, lead, id);
    sink_put(out, RECORD_FINDING, &finding);
    for (uint8_t i = 0; i < lead->value_count; i++)
        put_value(group, &lead->values[i], id, numbers, out);
    put_evidence(group, lead, id, out);
    put_flows(judge, group, id, out);
}

static size_t make_groups(const struct claim **sorted, size_t count, struct group *groups)
{
    size_t group_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_identity(sorted[i - 1], sorted[i]) != 0)
            groups[group_count++] = (struct group){&sorted[i], 0, 0};
        groups[group_count - 1].count++;
    }
    return group_count;
}

/* ---- many alike ------------------------------------------------------------------------------ */

static bool is_alike(const struct group *a, const struct group *b)
{
    return a->claims[0]->code == b->claims[0]->code && a->claims[0]->culprit == b->claims[0]->culprit;
}

static int64_t count_of(const struct group *group)
{
    int64_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += group->claims[i]->count;
    return count;
}

/* The worst first: what a reader would have to see if there were room for few. */
static int by_worth(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    const struct claim *x = lead_of(a), *y = lead_of(b);
    int order = COMPARE(y->severity, x->severity);
    if (order == 0)
        order = COMPARE(y->primary, x->primary);
    if (order == 0)
        order = COMPARE(y->confidence, x->confidence);
    if (order == 0)
        order = COMPARE(count_of(b), count_of(a));
    return order != 0 ? order : by_age(left, right);
}

static int claims_by_age(const void *left, const void *right)
{
    const struct claim *a = *(const struct claim *const *)left;
    const struct claim *b = *(const struct claim *const *)right;
    int order = compare_age(a, b);
    if (order == 0)
        order = compare_identity(a, b);
    return order != 0 ? order : COMPARE(a, b);
}

/* Of count groups alike the worst stay, the claims of all others go to room as those of one; returns how many groups
 * are left. */
static size_t join_alike(struct group *groups, size_t count, const struct claim **room)
{
    sort_rows(groups, count, sizeof *groups, by_worth);
    struct group all = {room, 0, count - LIMIT_FINDINGS_WORST - 1};
    for (size_t i = LIMIT_FINDINGS_WORST; i < count; i++) {
        memcpy(room + all.count, groups[i].claims, groups[i].count * sizeof *room);
        all.count += groups[i].count;
    }
    sort_rows(room, all.count, sizeof *room, claims_by_age);
    groups[LIMIT_FINDINGS_WORST] = all;
    return LIMIT_FINDINGS_WORST + 1;
}

/* Groups alike lie together, as the claims were sorted; room takes as many claims as there are. */
static size_t join_groups(struct group *groups, size_t count, const struct claim **room)
{
    size_t kept = 0, used = 0;
    for (size_t i = 0, end = 0; i < count; i = end) {
        for (end = i + 1; end < count && is_alike(&groups[i], &groups[end]);)
            end++;
        size_t left = end - i;
        if (left > LIMIT_FINDINGS_ALIKE) {
            left = join_alike(&groups[i], left, room + used);
            used += groups[i + LIMIT_FINDINGS_WORST].count;
        }
        memmove(&groups[kept], &groups[i], left * sizeof *groups);
        kept += left;
    }
    return kept;
}

bool judge_emit(struct judge *judge, int64_t first_id, const struct sink *out)
{
    size_t count = judge->claim_count;
    const struct claim **sorted = malloc((count + 1) * sizeof *sorted);
    const struct claim **room = malloc((count + 1) * sizeof *room);
    struct group *groups = malloc((count + 1) * sizeof *groups);
    double *numbers = malloc((count + 1) * sizeof *numbers);
    bool ok = sorted != NULL && room != NULL && groups != NULL && numbers != NULL;
    if (ok) {
        for (size_t i = 0; i < count; i++)
            sorted[i] = &judge->claims[i];
        if (count > 1)
            sort_rows(sorted, count, sizeof *sorted, by_identity);
        size_t group_count = join_groups(groups, make_groups(sorted, count, groups), room);
        if (group_count > 1)
            sort_rows(groups, group_count, sizeof *groups, by_age);
        for (size_t i = 0; i < group_count; i++)
            put_group(judge, &groups[i], first_id + (int64_t)i, numbers, out);
    }
    free(sorted);
    free(room);
    free(groups);
    free(numbers);
    return ok;
}
