/* The chains of the capture: grouped, and each distinct list of certificates verified once. */
#include "diagnosis/site/chains.h"

#include "core/sort.h"
#include "diagnosis/site/staples.h"
#include "trust/name_match.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

int64_t flow_handshake_ns(const struct site_flow *flow)
{
    const struct tls_facts *t = flow->f.tls;
    return t->server_hello_ns >= 0   ? t->server_hello_ns
           : t->client_hello_ns >= 0 ? t->client_hello_ns
                                     : flow->f.first_ns;
}

static int compare_list(const struct tls_facts *a, const struct tls_facts *b)
{
    int order = COMPARE(a->chain_count, b->chain_count);
    for (uint32_t i = 0; order == 0 && i < a->chain_count; i++)
        order = COMPARE(a->chain[i], b->chain[i]);
    return order;
}

static int compare_chain(const struct site_flow *a, const struct site_flow *b)
{
    const char *left = a->f.tls->sni, *right = b->f.tls->sni;
    int order = compare_list(a->f.tls, b->f.tls);
    if (order == 0)
        order = COMPARE(a->server->number, b->server->number);
    if (order == 0)
        order = COMPARE(a->f.port[SIDE_SERVER], b->f.port[SIDE_SERVER]);
    if (order == 0)
        order = strcmp(left != NULL ? left : "", right != NULL ? right : "");
    return order;
}

static int by_chain(const void *a, const void *b)
{
    const struct site_flow *left = *(struct site_flow *const *)a;
    const struct site_flow *right = *(struct site_flow *const *)b;
    int order = compare_chain(left, right);
    return order != 0 ? order : site_compare_flows(left, right);
}

static int by_first(const void *a, const void *b)
{
    const struct site_chain *left = a, *right = b;
    return site_compare_flows(left->first, right->first);
}

static int by_client(const void *a, const void *b)
{
    const struct site_flow *left = *(struct site_flow *const *)a;
    const struct site_flow *right = *(struct site_flow *const *)b;
    return COMPARE(left->client->number, right->client->number);
}

static uint32_t count_clients(struct site_flow **flows, size_t count)
{
    uint32_t clients = count > 0;
    sort_rows(flows, count, sizeof *flows, by_client);
    for (size_t i = 1; i < count; i++)
        clients += flows[i]->client != flows[i - 1]->client;
    return clients;
}

static bool is_pinned(const struct profile_service *service, const struct certificate_record *c)
{
    for (size_t i = 0; c != NULL && i < service->pin_count; i++) {
        if (strcmp(service->pins[i], c->spki_sha256) == 0)
            return true;
    }
    return false;
}

/* A pin may be that of the server or of an authority of its chain. */
static enum chain_pin pin_of(const struct judge *judge, const struct site_flow *flow)
{
    const struct profile_service *service = judge_profile_service(judge, flow);
    if (service == NULL || service->pin_count == 0)
        return CHAIN_PIN_NONE;
    for (uint32_t i = 0; i < flow->f.tls->chain_count; i++) {
        if (is_pinned(service, site_find_certificate(judge->site, flow->f.tls->chain[i])))
            return CHAIN_PIN_MATCHES;
    }
    return CHAIN_PIN_DIFFERS;
}

#define SENT_MOST 16

static void verify_flow(const struct judge *judge, const struct chain_verifier *verifier,
                        const struct site_flow *flow, struct chain_verdict *out)
{
    const struct certificate_record *sent[SENT_MOST];
    size_t count = 0;
    for (uint32_t i = 0; i < flow->f.tls->chain_count && count < SENT_MOST; i++) {
        const struct certificate_record *c =
            site_find_certificate(judge->site, flow->f.tls->chain[i]);
        if (c != NULL)
            sent[count++] = c;
        else if (i == 0)
            break; /* without the server's own certificate there is nothing to judge */
    }
    chain_verify(verifier, sent, count, clock_correct(&judge->clock, flow_handshake_ns(flow)),
                 out);
}

/* What a baseline needs to know again (PEERS: issuer, key, server fingerprint, hops, delay). */
static void add_traits(struct chain_record *r, const struct certificate_record *leaf,
                       struct site_flow **flows, size_t count)
{
    const struct site_flow *first = flows[0];
    r->rtt_min_ns = -1;
    for (size_t i = 0; i < count; i++) {
        const struct flow_facts *f = &flows[i]->f;
        if (f->ttl[SIDE_SERVER] != 0 && (r->ttl == 0 || f->ttl[SIDE_SERVER] < r->ttl))
            r->ttl = f->ttl[SIDE_SERVER];
        if (f->connect_rtt_server_ns >= 0 &&
            (r->rtt_min_ns < 0 || f->connect_rtt_server_ns < r->rtt_min_ns))
            r->rtt_min_ns = f->connect_rtt_server_ns;
    }
    r->ja3s = first->f.tls->ja3s;
    r->alpn = first->f.tls->alpn;
    r->version = first->f.tls->version;
    r->cipher_name = first->f.tls->cipher_name;
    r->synack = first->f.tls->synack;
    r->staple_asked = first->f.tls->staple_asked;
    r->staple_sent = first->f.tls->staple_sent;
    r->sct_asked = first->f.tls->sct_asked;
    r->sct_sent = first->f.tls->sct_sent;
    if (leaf == NULL || leaf->parse_error != NULL)
        return;
    r->subject = leaf->subject_cn != NULL ? leaf->subject_cn : leaf->subject;
    r->sha256 = leaf->sha256;
    r->issuer = leaf->issuer;
    r->spki_sha256 = leaf->spki_sha256;
    r->key_type = leaf->key_type;
    r->self_signed = leaf->self_signed;
    r->not_before_ns = leaf->not_before_ns;
    r->not_after_ns = leaf->not_after_ns;
}

/* What people read instead of A-labels; NULL when there are none. */
static const char *unicode_of(const struct judge *judge, const char *name)
{
    char text[256];
    return name != NULL && name_to_unicode(name, text, sizeof text)
               ? arena_format(&judge->site->arena, "%s", text)
               : NULL;
}

static struct site_chain make_chain(const struct judge *judge, const struct chain_verdict *verdict,
                                    struct site_flow **flows, size_t count)
{
    const struct site_flow *first = flows[0], *last = flows[count - 1];
    struct site_chain chain = {
        .verdict = *verdict,
        .first = first,
        .last = last,
        .leaf = site_find_certificate(judge->site, first->f.tls->chain[0]),
        .record =
            {
                .capture_id = judge->site->capture.id,
                .server_ip = first->server->address,
                .server_port = first->f.port[SIDE_SERVER],
                .name = first->f.tls->sni,
                .name_unicode = unicode_of(judge, first->f.tls->sni),
                .certificate_id = first->f.tls->chain[0],
                .sent = first->f.tls->chain_count,
                .in_order = verdict->in_order,
                .status = verdict->status,
                .reason = verdict->reason,
                .path_length = verdict->path_len,
                .learnt = verdict->learnt,
                .top = verdict->top,
                .pin = (uint8_t)pin_of(judge, first),
                .first_ns = flow_handshake_ns(first),
                .last_ns = flow_handshake_ns(last),
                .connections = (uint32_t)count,
            },
    };
    add_traits(&chain.record, chain.leaf, flows, count);
    chain.record.clients = count_clients(flows, count); /* changes their order */
    return chain;
}

/* Flows of one chain, by time; a date of it that passes between them begins another one. */
static size_t same_until(struct site_flow **flows, size_t count,
                         const struct chain_verdict *verdict)
{
    size_t end = 1;
    while (end < count && compare_chain(flows[0], flows[end]) == 0 &&
           flow_handshake_ns(flows[end]) < verdict->same_to_ns)
        end++;
    return end;
}

static bool is_same_verdict(const struct site_flow *before, const struct site_flow *now,
                            const struct chain_verdict *verdict)
{
    int64_t at = flow_handshake_ns(now);
    return before != NULL && compare_list(before->f.tls, now->f.tls) == 0 &&
           at >= verdict->same_from_ns && at < verdict->same_to_ns;
}

static void make_chains(struct judge *judge, const struct chain_verifier *verifier,
                        struct site_flow **flows, size_t count)
{
    struct chain_verdict verdict;
    const struct site_flow *before = NULL;
    for (size_t i = 0; i < count;) {
        const struct site_flow *first = flows[i];
        if (!is_same_verdict(before, first, &verdict))
            verify_flow(judge, verifier, first, &verdict);
        size_t end = i + same_until(&flows[i], count - i, &verdict);
        judge->chains[judge->chain_count++] = make_chain(judge, &verdict, &flows[i], end - i);
        for (size_t j = i; j < end; j++) /* found again after sorting, by number */
            flows[j]->listed_in = (int64_t)judge->chain_count - 1;
        before = first;
        i = end;
    }
}

/* Numbers the chains by first use and gives each flow its own. */
static void number_chains(struct judge *judge, struct site_flow **flows, size_t count,
                          size_t *places)
{
    for (size_t i = 0; i < judge->chain_count; i++)
        judge->chains[i].record.number = (int64_t)i;
    sort_rows(judge->chains, judge->chain_count, sizeof *judge->chains, by_first);
    for (size_t i = 0; i < judge->chain_count; i++) {
        places[judge->chains[i].record.number] = i;
        judge->chains[i].record.number = (int64_t)i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        flows[i]->chain = &judge->chains[places[flows[i]->listed_in]];
        flows[i]->listed_in = 0;
    }
}

static int by_certificate(const void *a, const void *b)
{
    const struct certificate_record *left = *(const struct certificate_record *const *)a;
    const struct certificate_record *right = *(const struct certificate_record *const *)b;
    return COMPARE(left->id, right->id);
}

/* Authorities that servers of this capture showed. Those of other captures in the store are left
 * alone: a judgement from the store must say what the read said. */
static void learn(struct judge *judge, struct chain_verifier *verifier, struct site_flow **flows,
                  size_t count)
{
    const struct certificate_record **seen = NULL;
    size_t seen_count = 0, capacity = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tls_facts *t = flows[i]->f.tls;
        if (i > 0 && compare_list(flows[i - 1]->f.tls, t) == 0)
            continue;
        for (uint32_t j = 0; j < t->chain_count; j++) {
            const struct certificate_record *c = site_find_certificate(judge->site, t->chain[j]);
            if (c == NULL || !c->is_ca)
                continue;
            if (!array_reserve((void **)&seen, &capacity, seen_count, sizeof *seen)) {
                judge->failed = true;
                free((void *)seen);
                return;
            }
            seen[seen_count++] = c;
        }
    }
    if (seen_count > 1)
        sort_rows((void *)seen, seen_count, sizeof *seen, by_certificate);
    for (size_t i = 0; i < seen_count; i++) {
        if (i == 0 || seen[i] != seen[i - 1])
            chain_verifier_learn(verifier, seen[i]);
    }
    free((void *)seen);
}

static void detect(struct judge *judge)
{
    struct site *site = judge->site;
    size_t count = 0;
    struct site_flow **flows = malloc((site->flow_count + 1) * sizeof *flows);
    size_t *places = malloc((site->flow_count + 1) * sizeof *places);
    struct chain_verifier *verifier =
        chain_verifier_new(judge->profile != NULL ? judge->profile->trust : NULL);
    judge->failed = judge->failed || flows == NULL || places == NULL || verifier == NULL;
    for (size_t i = 0; !judge->failed && i < site->flow_count; i++) {
        const struct tls_facts *t = site->flows[i]->f.tls;
        if (t != NULL && t->chain_count > 0)
            flows[count++] = site->flows[i];
    }
    if (count > 0) {
        judge->chains = calloc(count, sizeof *judge->chains);
        judge->failed = judge->failed || judge->chains == NULL;
        sort_rows(flows, count, sizeof *flows, by_chain);
        learn(judge, verifier, flows, count);
    }
    if (!judge->failed && count > 0) {
        make_chains(judge, verifier, flows, count);
        number_chains(judge, flows, count, places);
        staples_judge(judge, verifier, flows, count);
    }
    chain_verifier_free(verifier);
    free(flows);
    free(places);
}

void judge_put_chains(const struct judge *judge, const struct sink *out)
{
    for (size_t i = 0; i < judge->chain_count; i++)
        sink_put(out, RECORD_CHAIN, &judge->chains[i].record);
}

const struct detector detector_chains = {"chains", detect};
