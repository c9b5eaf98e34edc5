#include "diagnosis/site/incidents.h"

#include "core/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define SCORE_MOST 100
/* What happens to neighbours and names so near in time belongs to it (PEERS 2.7). */
#define NEAR_NS (600 * FACTS_SECOND)
#define STEPS_MOST 64
#define TERMS_SIZE 512

/* What a finding adds (PEERS 2.7 where it has a weight). Those that start an incident by themselves
 * come first; the others only add to one. */
static const struct term {
    enum finding_code code;
    uint8_t weight;
    bool starts, of_network; /* of_network: belongs by time, whatever the server */
} terms[] = {
    {FINDING_MITM_PIN_MISMATCH, 60, true, false},
    {FINDING_MITM_INTERCEPTION_PRODUCT, 60, true, false},
    {FINDING_MITM_ISSUER_CHANGED, 50, true, false},
    {FINDING_MITM_DOWNGRADE, 45, true, false},
    {FINDING_MITM_HTTPS_STRIPPED, 45, true, false},
    {FINDING_MITM_ARP_SPOOF, 45, true, true},
    {FINDING_MITM_DNS_CONFLICT, 40, true, true},
    {FINDING_MITM_DUAL_SYNACK, 35, true, false},
    {FINDING_NET_IP_CONFLICT, 20, false, true},
    {FINDING_CERT_UNTRUSTED, 15, false, false},
    {FINDING_MITM_FINGERPRINT_CHANGED, 10, false, false},
    {FINDING_CERT_NAME_MISMATCH, 10, false, false},
    {FINDING_CERT_SELF_SIGNED, 5, false, false},
};

static const struct term *term_of(const struct finding_record *finding)
{
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        if (terms[i].code + 1 == finding->code)
            return &terms[i];
    }
    return NULL;
}

static void remember_finding(struct incident_maker *maker, const struct finding_record *finding)
{
    if (finding->state == FINDING_WITHDRAWN || term_of(finding) == NULL)
        return;
    if (!array_reserve((void **)&maker->parts, &maker->capacity, maker->count,
                       sizeof *maker->parts)) {
        maker->failed = true;
        return;
    }
    maker->parts[maker->count++] = (struct incident_part){.finding = *finding};
}

/* Values come behind their finding. */
static void remember_value(struct incident_maker *maker, const struct finding_value_record *value)
{
    struct incident_part *last = maker->count > 0 ? &maker->parts[maker->count - 1] : NULL;
    if (last != NULL && last->finding.id == value->finding_id && value->text != NULL &&
        (strcmp(value->name, "issuer") == 0 || strcmp(value->name, "new_issuer") == 0))
        last->issuer = value->text;
}

static void remember(void *self, enum record_kind kind, const void *record)
{
    struct incident_maker *maker = self;
    sink_put(maker->out, kind, record);
    if (kind == RECORD_FINDING)
        remember_finding(maker, record);
    else if (kind == RECORD_FINDING_VALUE)
        remember_value(maker, record);
}

struct sink incidents_sink(struct incident_maker *maker)
{
    return (struct sink){maker, remember};
}

/* ---- what belongs together ------------------------------------------------------------------- */

static int by_time(const void *left, const void *right)
{
    const struct incident_part *a = left, *b = right;
    int order = COMPARE(a->finding.first_ns, b->finding.first_ns);
    return order != 0 ? order : COMPARE(a->finding.id, b->finding.id);
}

static int by_server(const void *left, const void *right)
{
    const struct incident_part *a = *(struct incident_part *const *)left;
    const struct incident_part *b = *(struct incident_part *const *)right;
    int order = address_compare(&a->finding.server_ip, &b->finding.server_ip);
    return order != 0 ? order : by_time(a, b);
}

static int by_issuer(const void *left, const void *right)
{
    const struct incident_part *a = *(struct incident_part *const *)left;
    const struct incident_part *b = *(struct incident_part *const *)right;
    int order = strcmp(a->issuer != NULL ? a->issuer : "", b->issuer != NULL ? b->issuer : "");
    return order != 0 ? order : by_time(a, b);
}

static uint32_t group_of(struct incident_part *parts, uint32_t at)
{
    while (parts[at].group != at)
        at = parts[at].group = parts[parts[at].group].group; /* halves the way each time */
    return at;
}

static void join(struct incident_maker *maker, const struct incident_part *a,
                 const struct incident_part *b)
{
    uint32_t left = group_of(maker->parts, (uint32_t)(a - maker->parts));
    uint32_t right = group_of(maker->parts, (uint32_t)(b - maker->parts));
    maker->parts[left > right ? left : right].group = left < right ? left : right;
}

static bool is_of_network(const struct incident_part *part)
{
    return term_of(&part->finding)->of_network;
}

static bool is_one_server(const struct incident_part *a, const struct incident_part *b)
{
    return a->finding.server_ip.family != 0 && !is_of_network(a) && !is_of_network(b) &&
           address_equal(&a->finding.server_ip, &b->finding.server_ip);
}

static bool is_one_issuer(const struct incident_part *a, const struct incident_part *b)
{
    return a->issuer != NULL && b->issuer != NULL && strcmp(a->issuer, b->issuer) == 0;
}

/* Neighbors in that order that fit are joined. */
static void join_sorted(struct incident_maker *maker, struct incident_part **list,
                        int (*order)(const void *, const void *),
                        bool (*fits)(const struct incident_part *, const struct incident_part *))
{
    sort_rows((void *)list, maker->count, sizeof *list, order);
    for (size_t i = 1; i < maker->count; i++) {
        if (fits(list[i - 1], list[i]))
            join(maker, list[i - 1], list[i]);
    }
}

static bool is_near(const struct finding_record *a, const struct finding_record *b)
{
    return a->first_ns <= b->last_ns + NEAR_NS && b->first_ns <= a->last_ns + NEAR_NS;
}

/* What the network did about that time belongs to what was done with servers, and to what else it
 * did; parts are by time. */
static void join_network(struct incident_maker *maker, struct incident_part *part)
{
    for (size_t i = 0; i < maker->count; i++) {
        struct incident_part *other = &maker->parts[i];
        if (other != part && is_near(&part->finding, &other->finding) &&
            (term_of(&other->finding)->starts || is_of_network(other)))
            join(maker, part, other);
    }
}

/* So many faults of the network are one state, not a time line: the others are left alone. */
#define NETWORK_MOST 256

static bool gather(struct incident_maker *maker)
{
    struct incident_part **list = malloc((maker->count + 1) * sizeof *list);
    size_t network = 0;
    if (list == NULL)
        return false;
    for (size_t i = 0; i < maker->count; i++) {
        maker->parts[i].group = (uint32_t)i;
        list[i] = &maker->parts[i];
    }
    join_sorted(maker, list, by_server, is_one_server);
    join_sorted(maker, list, by_issuer, is_one_issuer);
    free((void *)list);
    for (size_t i = 0; i < maker->count && network < NETWORK_MOST; i++) {
        if (is_of_network(&maker->parts[i])) {
            network++;
            join_network(maker, &maker->parts[i]);
        }
    }
    return true;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void add_word(char *text, const char *word)
{
    if (strlen(text) + strlen(word) + 2 > TERMS_SIZE)
        return;
    if (text[0] != '\0')
        strcat(text, ",");
    strcat(text, word);
}

static bool has_word(const char *text, const char *word, size_t len)
{
    for (const char *at = text; *at != '\0';) {
        size_t own = strcspn(at, ",");
        if (own == len && memcmp(at, word, len) == 0)
            return true;
        at += own + (at[own] == ',');
    }
    return false;
}

static void add_rivals(char *text, const char *rivals)
{
    char word[64];
    for (const char *at = rivals; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len < sizeof word && !has_word(text, at, len)) {
            memcpy(word, at, len);
            word[len] = '\0';
            add_word(text, word);
        }
        at += len + (at[len] == ',');
    }
}

/* The confidence of a changed issuer is the sum of its own terms already. */
static int64_t weight_of(const struct term *term, const struct finding_record *finding)
{
    return term->code == FINDING_MITM_ISSUER_CHANGED ? finding->confidence : term->weight;
}

struct story {
    struct incident_record record;
    struct incident_step_record steps[STEPS_MOST];
    char words[TERMS_SIZE], rivals[TERMS_SIZE];
    bool counted[sizeof terms / sizeof terms[0]];
    const struct finding_record *lead;
};

static void add_part(struct story *story, const struct finding_record *f)
{
    const struct term *term = term_of(f);
    struct incident_record *r = &story->record;
    bool *once = &story->counted[term - terms]; /* the same kind again proves little more */
    int64_t weight = *once ? 0 : weight_of(term, f);
    char word[64];
    if (!*once) {
        (void)snprintf(word, sizeof word, "%s %lld", catalogue_get(term->code)->code,
                       (long long)weight);
        add_word(story->words, word);
    }
    *once = true;
    add_rivals(story->rivals, f->rivals);
    if (story->lead == NULL || term < term_of(story->lead))
        story->lead = f;
    r->first_ns = r->findings == 0 ? f->first_ns : r->first_ns;
    r->last_ns = f->last_ns > r->last_ns ? f->last_ns : r->last_ns;
    r->score += weight;
    if (r->findings < STEPS_MOST)
        story->steps[r->findings] = (struct incident_step_record){
            r->id, r->findings + 1, f->first_ns, f->id, f->code, weight};
    r->findings++;
}

/* The group that begins at `start`, in order of time; without a part that starts one it is none. */
static bool put_incident(const struct incident_maker *maker, struct judge *judge, size_t start,
                         int64_t id)
{
    struct story story = {.record = {.id = id, .capture_id = judge->site->capture.id}};
    bool starts = false;
    for (size_t i = start; i < maker->count; i++) {
        if (group_of(maker->parts, (uint32_t)i) != start)
            continue;
        starts = starts || term_of(&maker->parts[i].finding)->starts;
        add_part(&story, &maker->parts[i].finding);
    }
    if (!starts)
        return false;
    struct incident_record *r = &story.record;
    r->score = r->score < SCORE_MOST ? r->score : SCORE_MOST;
    r->server_ip = story.lead->server_ip;
    r->server_port = story.lead->server_port;
    r->name = story.lead->name;
    r->terms = story.words;
    r->rivals = story.rivals;
    sink_put(maker->out, RECORD_INCIDENT, r);
    for (uint32_t i = 0; i < r->findings && i < STEPS_MOST; i++)
        sink_put(maker->out, RECORD_INCIDENT_STEP, &story.steps[i]);
    return true;
}

bool incidents_put(struct incident_maker *maker, struct judge *judge, int64_t first_id)
{
    bool ok = !maker->failed;
    if (ok && maker->count > 1)
        sort_rows(maker->parts, maker->count, sizeof *maker->parts, by_time);
    ok = ok && (maker->count == 0 || gather(maker));
    for (size_t i = 0; ok && i < maker->count; i++) {
        if (group_of(maker->parts, (uint32_t)i) == i)
            first_id += put_incident(maker, judge, i, first_id);
    }
    free(maker->parts);
    return ok;
}
