#include "diagnosis/site/revocation.h"

#include "diagnosis/site/lookups.h"

#include <string.h>
#include <strings.h>

/* Connections that the asker had opened before: kept alive, or to a proxy. */
#define EARLIER_FLOWS 64

struct search {
    const struct judge *judge;
    const struct site_flow *flow;
    const struct site_host *asker;
    int64_t from_ns, until_ns;
    struct revocation_question *out;
    bool found;
};

/* The host of the next URL of "ocsp:http://a.example:80/x,crl:http://b.example/c"; false at the end. */
static bool next_host(const char **at, const char **host, size_t *len)
{
    while (*at != NULL && **at != '\0') {
        const char *item = *at, *end = item + strcspn(item, ",");
        const char *start = strstr(item, "://");
        *at = *end == ',' ? end + 1 : end;
        if (start == NULL || start >= end)
            continue;
        start += 3;
        size_t size = start[0] == '[' ? strcspn(++start, "]") : strcspn(start, ":/?#,");
        if (size == 0)
            continue;
        *host = start;
        *len = size;
        return true;
    }
    return false;
}

static bool names_host(const struct certificate_record *c, const char *name)
{
    const char *at = c->revocation, *host;
    size_t len;
    while (next_host(&at, &host, &len)) {
        if (strlen(name) == len && strncasecmp(host, name, len) == 0)
            return true;
    }
    return false;
}

/* Whether one of the certificates in question says to ask there. */
static bool is_revocation_host(const struct search *s, const char *name)
{
    const struct tls_facts *t = s->flow->f.tls;
    const struct site *site = s->judge->site;
    for (uint32_t i = 0; i < t->chain_count; i++) {
        const struct certificate_record *c = site_find_certificate(site, t->chain[i]);
        if (c != NULL && names_host(c, name))
            return true;
    }
    for (size_t i = 0; t->chain_count == 0 && i < site->certificate_count; i++) {
        if (names_host(site->certificates[i], name))
            return true;
    }
    return false;
}

static void note(struct search *s, const char *host, const struct site_flow *at, int64_t from_ns,
                 int64_t until_ns)
{
    struct revocation_question *q = s->out;
    bool answered = until_ns >= 0 && until_ns <= s->until_ns;
    int64_t end = answered ? until_ns : s->until_ns;
    if (!s->found || from_ns < q->from_ns)
        q->from_ns = from_ns;
    if (!s->found || end >= q->until_ns) {
        q->until_ns = end;
        q->answered = answered;
    }
    /* The connection tells more than the look-up ahead of it. */
    if (!s->found || q->at == NULL) {
        q->host = host;
        q->at = at;
    }
    s->found = true;
}

static bool asks_for_list(const struct http_record *r)
{
    size_t len = r->path != NULL ? strlen(r->path) : 0;
    return len > 4 && strcasecmp(r->path + len - 4, ".crl") == 0;
}

static bool is_within(const struct search *s, int64_t ns)
{
    return ns >= s->from_ns && ns < s->until_ns;
}

/* Requests of that time; true when there was one. */
static bool note_requests(struct search *s, const struct site_flow *other)
{
    bool any = false;
    for (uint32_t i = 0; i < other->request_count; i++) {
        const struct http_record *r = other->requests[i];
        if (!is_within(s, r->request_ns))
            continue;
        const char *host = r->host != NULL ? r->host : other->f.name;
        if (!asks_for_list(r) && (host == NULL || !is_revocation_host(s, host)))
            continue;
        int64_t from = is_within(s, other->f.first_ns) ? other->f.first_ns : r->request_ns;
        note(s, host, other, from, r->response_end_ns);
        any = true;
    }
    return any;
}

/* A connection that asked nothing readable: by its name, or by the address that a certificate names. */
static void note_flow(struct search *s, const struct site_flow *other)
{
    char text[ADDRESS_TEXT_SIZE];
    if (other == s->flow || !facts_is_tcp(&other->f) || note_requests(s, other) ||
        !is_within(s, other->f.first_ns))
        return;
    const char *name = other->f.name != NULL ? other->f.name
                                             : address_to_text(&other->server->address, text);
    if (is_revocation_host(s, name))
        note(s, arena_format(&s->judge->site->arena, "%s", name), other, other->f.first_ns, -1);
}

static void note_lookups(struct search *s)
{
    const struct site *site = s->judge->site;
    for (size_t i = lookup_first_of(site, &s->asker->address);
         i < site->dns_count && address_equal(&site->dns[i]->client_ip, &s->asker->address); i++) {
        const struct dns_record *r = site->dns[i];
        if (r->question != NULL && is_within(s, lookup_time(r)) && lookup_wants_address(r) &&
            is_revocation_host(s, r->question))
            note(s, r->question, NULL, lookup_time(r),
                 lookup_is_failure(r->rcode) ? -1 : r->answer_ns);
    }
}

bool revocation_find(const struct judge *judge, const struct site_flow *flow,
                     const struct site_host *asker, int64_t from_ns, int64_t until_ns,
                     struct revocation_question *out)
{
    struct search s = {judge, flow, asker, from_ns, until_ns, out, false};
    if (asker == NULL || flow->f.tls == NULL)
        return false;
    *out = (struct revocation_question){.host = NULL};
    note_lookups(&s);
    struct flow_range range = site_client_flows(judge->site, asker);
    size_t start = range_find_time(range, from_ns);
    for (size_t i = start > EARLIER_FLOWS ? start - EARLIER_FLOWS : 0;
         i < range.count && range.flows[i]->f.first_ns < until_ns; i++)
        note_flow(&s, range.flows[i]);
    return s.found && (out->until_ns - out->from_ns) * 2 >= until_ns - from_ns;
}
