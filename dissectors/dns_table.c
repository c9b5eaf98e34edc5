#include "core/limits.h"
#include "dissectors/dns.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000LL
/* Wireshark's: the same id within this is the same question again, not a new one. */
#define SAME_QUESTION_NS (5 * SECOND_NS)
/* A second answer, honest or forged, comes within this. */
#define SETTLED_NS (5 * SECOND_NS)
/* The longest that resolvers' clients wait (glibc: 2 tries of 5 s, BIND 30 s). */
#define ABANDONED_NS (30 * SECOND_NS)

#define RCODE_NOERROR 0
#define RCODE_NXDOMAIN 3

static struct dns_pending *at(struct dns_table *t, uint32_t index)
{
    return index < 2 ? &t->first[index] : &t->more[index - 2];
}

static void keep_facts(const struct dns_record *r, struct dissect_context *context)
{
    struct flow_record *flow = context->flow;
    if (r->response_ns > flow->response_max_ns)
        flow->response_max_ns = r->response_ns;
    if (r->answers > 0)
        flow->facts |= FLOW_FACT_ANSWERED;
}

static void put(struct dns_table *t, uint32_t index, struct dissect_context *context)
{
    struct dns_pending *p = at(t, index);
    const struct flow_record *flow = context->flow;
    bool client = p->record.asker == SIDE_CLIENT;
    p->record.flow_id = context->flow_id;
    p->record.client_ip = client ? flow->client_ip : flow->server_ip;
    p->record.server_ip = client ? flow->server_ip : flow->client_ip;
    keep_facts(&p->record, context);
    sink_put(context->sink, RECORD_DNS, &p->record);
    for (uint32_t i = index; i + 1 < t->count; i++)
        *at(t, i) = *at(t, i + 1);
    t->count--;
}

static bool is_settled(const struct dns_record *r, int64_t now_ns)
{
    if (r->answer_ns >= 0)
        return now_ns - r->answer_ns > SETTLED_NS;
    return now_ns - r->last_query_ns > ABANDONED_NS;
}

/* Makes room: the settled first, then the oldest that was answered, then the oldest. */
static void make_room(struct dns_table *t, struct dissect_context *context)
{
    for (uint32_t i = 0; i < t->count;) {
        if (is_settled(&at(t, i)->record, context->time_ns))
            put(t, i, context);
        else
            i++;
    }
    if (t->count < LIMIT_DNS_PENDING)
        return;
    uint32_t victim = 0;
    while (victim < t->count && at(t, victim)->record.answer_ns < 0)
        victim++;
    if (victim == t->count) {
        victim = 0;
        at(t, 0)->record.given_up = true;
        context->flow->facts |= FLOW_FACT_LIMIT;
    }
    put(t, victim, context);
}

static bool grow(struct dns_table *t)
{
    if (t->count < 2 + t->capacity)
        return true;
    uint32_t capacity = t->capacity == 0 ? 4 : t->capacity * 2;
    struct dns_pending *more = realloc(t->more, capacity * sizeof *more);
    if (more == NULL)
        return false;
    t->more = more;
    t->capacity = capacity;
    return true;
}

static struct dns_pending *add(struct dns_table *t, enum side asker, const struct dns_message *m,
                               struct dissect_context *context)
{
    char type[DNS_TYPE_SIZE];
    make_room(t, context);
    if (!grow(t))
        return NULL;
    struct dns_pending *p = at(t, t->count++);
    *p = (struct dns_pending){.record = {.number = ++t->numbers,
                                         .asker = (uint8_t)asker,
                                         .query_id = m->id,
                                         .query_ns = RECORD_NONE_NS,
                                         .last_query_ns = RECORD_NONE_NS,
                                         .answer_ns = RECORD_NONE_NS,
                                         .response_ns = RECORD_NONE_NS,
                                         .conflict_ns = RECORD_NONE_NS,
                                         .rcode = -1,
                                         .ttl_s = -1}};
    if (m->counts[0] > 0) {
        p->record.question = intern_text(context->strings, m->question);
        p->record.question_type =
            intern_text(context->strings, dns_type_text(m->question_type, type));
    }
    context->flow->request_count++;
    return p;
}

static bool is_same(const char *text, const char *other)
{
    return strcmp(text != NULL ? text : "", other) == 0;
}

/* The newest question that the message repeats or answers; servers that refuse may leave the question
 * out. */
static struct dns_pending *find(struct dns_table *t, enum side asker, const struct dns_message *m)
{
    char type[DNS_TYPE_SIZE];
    for (uint32_t i = t->count; i > 0; i--) {
        struct dns_pending *p = at(t, i - 1);
        const struct dns_record *r = &p->record;
        if (r->asker != asker || r->query_id != m->id)
            continue;
        if (m->is_answer && m->counts[0] == 0)
            return p;
        if (is_same(r->question, m->question) &&
            is_same(r->question_type, dns_type_text(m->question_type, type)))
            return p;
    }
    return NULL;
}

static void take_query(struct dns_table *t, enum side side, const struct dns_message *m,
                       struct dissect_context *context)
{
    struct dns_pending *p = find(t, side, m);
    if (p != NULL && (p->record.query_ns < 0 ||
                      context->time_ns - p->record.last_query_ns > SAME_QUESTION_NS +
                          (p->record.answer_ns < 0 ? SAME_QUESTION_NS : 0)))
        p = NULL; /* the id came round again */
    if (p == NULL)
        p = add(t, side, m, context);
    if (p == NULL)
        return;
    struct dns_record *r = &p->record;
    if (r->tries++ == 0) {
        r->query_ns = context->time_ns;
        r->query_frame = context->frame;
    }
    r->last_query_ns = context->time_ns;
    r->last_query_frame = context->frame;
    if (m->has_edns)
        r->edns_bytes = m->edns_bytes;
}

static void take_first(struct dns_record *r, const struct dns_message *m, uint8_t ttl,
                       struct dissect_context *context)
{
    r->answer_ns = context->time_ns;
    r->answer_frame = context->frame;
    r->rcode = m->rcode;
    r->authoritative = m->authoritative;
    r->truncated = m->truncated;
    r->answer_count = m->answer_count;
    r->answer_list = intern_text(context->strings, m->list);
    r->ttl_s = m->answer_count > 0 ? (int64_t)m->ttl_s : -1;
    r->answer_ttl = ttl;
    if (r->query_ns >= 0 && r->answer_ns >= r->query_ns)
        r->response_ns = r->answer_ns - r->query_ns;
}

/* Answers that fail or are cut say nothing against one that succeeds. */
static bool speaks(const struct dns_message *m, enum dns_state state)
{
    return state == DNS_WHOLE && !m->truncated &&
           (m->rcode == RCODE_NOERROR || m->rcode == RCODE_NXDOMAIN);
}

static void take_another(struct dns_pending *p, const struct dns_message *m, uint8_t ttl,
                         struct dissect_context *context)
{
    struct dns_record *r = &p->record;
    for (uint8_t i = 0; i < p->digest_count; i++) {
        if (p->digests[i] == m->digest)
            return;
    }
    if (p->digest_count < DNS_DIGESTS)
        p->digests[p->digest_count++] = m->digest;
    if (r->tries == 0 || p->digest_count <= r->tries)
        return;
    r->conflicts = p->digest_count - r->tries;
    if (r->conflict_ns >= 0)
        return;
    r->conflict_ns = context->time_ns;
    r->conflict_frame = context->frame;
    r->conflict_list = intern_text(context->strings, m->list);
    r->conflict_ttl = ttl;
}

static void tell_names(const struct dns_record *r, const struct dns_message *m,
                       struct dissect_context *context)
{
    if (context->resolved == NULL || r->question == NULL || m->rcode != RCODE_NOERROR)
        return;
    for (uint32_t i = 0; i < m->address_count; i++)
        context->resolved(context->event_self, (enum side)r->asker, &m->addresses[i], r->question);
}

static void take_answer(struct dns_table *t, enum side side, const struct dns_message *m,
                        enum dns_state state, uint8_t ttl, struct dissect_context *context)
{
    enum side asker = side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    struct dns_pending *p = find(t, asker, m);
    if (p == NULL)
        p = add(t, asker, m, context);
    if (p == NULL)
        return;
    if (p->record.answers++ == 0)
        take_first(&p->record, m, ttl, context);
    if (speaks(m, state))
        take_another(p, m, ttl, context);
    tell_names(&p->record, m, context);
}

void dns_table_take(struct dns_table *t, enum side side, const struct dns_message *m,
                    enum dns_state state, uint8_t ttl, struct dissect_context *context)
{
    if (m->is_answer)
        take_answer(t, side, m, state, ttl, context);
    else
        take_query(t, side, m, context);
}

void dns_table_close(struct dns_table *t, struct dissect_context *context)
{
    while (t->count > 0)
        put(t, 0, context);
    free(t->more);
    t->more = NULL;
    t->capacity = 0;
}
