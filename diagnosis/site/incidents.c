#include "diagnosis/site/incidents.h"

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

static void remember(void *self, enum record_kind kind, const void *record)
{
    struct incident_maker *maker = self;
    sink_put(maker->out, kind, record);
    const struct finding_record *finding = record;
    if (kind != RECORD_FINDING || finding->state == FINDING_WITHDRAWN || term_of(finding) == NULL)
        return;
    if (!array_reserve((void **)&maker->findings, &maker->capacity, maker->count,
                       sizeof *maker->findings)) {
        maker->failed = true;
        return;
    }
    maker->findings[maker->count++] = *finding;
}

struct sink incidents_sink(struct incident_maker *maker)
{
    return (struct sink){maker, remember};
}

static int by_time(const void *left, const void *right)
{
    const struct finding_record *a = left, *b = right;
    int order = COMPARE(a->first_ns, b->first_ns);
    return order != 0 ? order : COMPARE(a->id, b->id);
}

static bool is_near(const struct finding_record *a, const struct finding_record *b)
{
    return a->first_ns <= b->last_ns + NEAR_NS && b->first_ns <= a->last_ns + NEAR_NS;
}

/* One server, or a fault of the network about that time. */
static bool belongs(const struct finding_record *member, const struct finding_record *other)
{
    if (term_of(member)->of_network || term_of(other)->of_network)
        return is_near(member, other);
    return address_equal(&member->server_ip, &other->server_ip);
}

/* Marks all that hangs together with `start`; groups[i] is the incident of finding i, 0 none. */
static void gather(const struct incident_maker *maker, uint32_t *groups, size_t start,
                   uint32_t group)
{
    groups[start] = group;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < maker->count; i++) {
            bool joins = false;
            for (size_t j = 0; groups[i] == 0 && !joins && j < maker->count; j++)
                joins = groups[j] == group && term_of(&maker->findings[j])->starts &&
                        belongs(&maker->findings[j], &maker->findings[i]);
            if (joins) {
                groups[i] = group;
                more = true;
            }
        }
    }
}

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

static void put_incident(const struct incident_maker *maker, struct judge *judge,
                         const uint32_t *groups, uint32_t group, int64_t id)
{
    char words[TERMS_SIZE] = "", rivals[TERMS_SIZE] = "", word[64];
    bool counted[sizeof terms / sizeof terms[0]] = {false};
    const struct finding_record *lead = NULL;
    struct incident_record record = {.id = id, .capture_id = judge->site->capture.id};
    struct incident_step_record steps[STEPS_MOST];
    for (size_t i = 0; i < maker->count; i++) {
        const struct finding_record *f = &maker->findings[i];
        const struct term *term = term_of(f);
        if (groups[i] != group)
            continue;
        bool *once = &counted[term - terms]; /* the same kind again proves little more */
        int64_t weight = *once ? 0 : weight_of(term, f);
        if (!*once) {
            (void)snprintf(word, sizeof word, "%s %lld", catalogue_get(term->code)->code,
                           (long long)weight);
            add_word(words, word);
        }
        *once = true;
        add_rivals(rivals, f->rivals);
        if (lead == NULL || term < term_of(lead))
            lead = f;
        record.first_ns = record.findings == 0 ? f->first_ns : record.first_ns;
        record.last_ns = f->last_ns > record.last_ns ? f->last_ns : record.last_ns;
        record.score += weight;
        if (record.findings < STEPS_MOST)
            steps[record.findings] = (struct incident_step_record){
                id, record.findings + 1, f->first_ns, f->id, f->code, weight};
        record.findings++;
    }
    record.score = record.score < SCORE_MOST ? record.score : SCORE_MOST;
    record.server_ip = lead->server_ip;
    record.server_port = lead->server_port;
    record.name = lead->name;
    record.terms = words;
    record.rivals = rivals;
    sink_put(maker->out, RECORD_INCIDENT, &record);
    for (uint32_t i = 0; i < record.findings && i < STEPS_MOST; i++)
        sink_put(maker->out, RECORD_INCIDENT_STEP, &steps[i]);
}

bool incidents_put(struct incident_maker *maker, struct judge *judge, int64_t first_id)
{
    uint32_t group = 0;
    uint32_t *groups = calloc(maker->count + 1, sizeof *groups);
    bool ok = groups != NULL && !maker->failed;
    if (ok && maker->count > 1)
        qsort(maker->findings, maker->count, sizeof *maker->findings, by_time);
    for (size_t i = 0; ok && i < maker->count; i++) {
        if (groups[i] != 0 || !term_of(&maker->findings[i])->starts)
            continue;
        gather(maker, groups, i, ++group);
        put_incident(maker, judge, groups, group, first_id + group - 1);
    }
    free(groups);
    free(maker->findings);
    return ok;
}
