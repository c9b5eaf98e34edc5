#include "diagnosis/site/lookups.h"

#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define RCODE_NXDOMAIN 3
/* Longer labels are hashes: virus scanners and block lists ask by DNS. */
#define LABEL_MOST 31

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

int64_t lookup_time(const struct dns_record *r)
{
    return r->query_ns >= 0 ? r->query_ns : r->answer_ns;
}

static int compare_name(const struct dns_record *r, const struct address *client,
                        const char *question)
{
    int order = address_compare(&r->client_ip, client);
    return order != 0 ? order : strcmp(text_of(r->question), question);
}

int lookup_compare(const void *left, const void *right)
{
    const struct dns_record *a = *(const struct dns_record *const *)left;
    const struct dns_record *b = *(const struct dns_record *const *)right;
    int order = compare_name(a, &b->client_ip, text_of(b->question));
    if (order == 0)
        order = strcmp(text_of(a->question_type), text_of(b->question_type));
    if (order == 0)
        order = COMPARE(lookup_time(a), lookup_time(b));
    if (order == 0)
        order = COMPARE(a->flow_id, b->flow_id);
    return order != 0 ? order : COMPARE(a->number, b->number);
}

bool lookup_is_failure(int32_t rcode)
{
    return rcode != 0 && rcode != RCODE_NXDOMAIN;
}

static bool is_same(const struct dns_record *a, const struct dns_record *b)
{
    return compare_name(a, &b->client_ip, text_of(b->question)) == 0 &&
           strcmp(text_of(a->question_type), text_of(b->question_type)) == 0;
}

struct lookup lookup_at(const struct site *site, size_t index)
{
    const struct dns_record *first = site->dns[index];
    struct lookup out = {&site->dns[index], 0, lookup_time(first), lookup_time(first), -1, NULL, 0};
    for (size_t i = index; i < site->dns_count && is_same(site->dns[i], first); i++) {
        const struct dns_record *r = site->dns[i];
        if (lookup_time(r) - out.last_query_ns > LOOKUP_GAP_NS)
            break;
        out.count++;
        out.tries += r->tries;
        if (r->last_query_ns > out.last_query_ns)
            out.last_query_ns = r->last_query_ns;
        if (r->answer_ns >= 0 && !lookup_is_failure(r->rcode) &&
            (out.answered == NULL || r->answer_ns < out.answer_ns)) {
            out.answered = r;
            out.answer_ns = r->answer_ns;
        }
    }
    return out;
}

/* First record of that client at or behind the name. */
static size_t find(const struct site *site, const struct address *client, const char *question)
{
    size_t low = 0, high = site->dns_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_name(site->dns[middle], client, question) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t lookup_first_of(const struct site *site, const struct address *client)
{
    return find(site, client, "");
}

static bool is_near(const struct dns_record *r, int64_t at_ns)
{
    int64_t away = lookup_time(r) - at_ns;
    return away <= LOOKUP_NEAR_NS && away >= -LOOKUP_NEAR_NS;
}

bool lookup_found_near(const struct site *site, const struct address *client, const char *question,
                       const char *type, int64_t at_ns)
{
    size_t i = find(site, client, question);
    for (; i < site->dns_count && compare_name(site->dns[i], client, question) == 0; i++) {
        const struct dns_record *r = site->dns[i];
        if (r->rcode == 0 && is_near(r, at_ns) &&
            (type == NULL || strcmp(text_of(r->question_type), type) == 0))
            return true;
    }
    return false;
}

static bool was_asked_near(const struct site *site, const struct address *client,
                           const char *question, int64_t at_ns)
{
    size_t i = find(site, client, question);
    for (; i < site->dns_count && compare_name(site->dns[i], client, question) == 0; i++) {
        if (is_near(site->dns[i], at_ns))
            return true;
    }
    return false;
}

static bool found_longer(const struct site *site, const struct dns_record *r)
{
    size_t len = strlen(r->question);
    for (size_t i = find(site, &r->client_ip, r->question); i < site->dns_count; i++) {
        const struct dns_record *other = site->dns[i];
        if (!address_equal(&other->client_ip, &r->client_ip) ||
            strncmp(text_of(other->question), r->question, len) != 0)
            return false;
        if (other->question[len] == '.' && other->rcode == 0 && is_near(other, lookup_time(r)))
            return true;
    }
    return false;
}

static bool is_found(const struct dns_record *r, const struct dns_record *other)
{
    (void)r;
    return other->rcode == 0;
}

static bool is_extended(const char *name, const char *other)
{
    size_t len = strlen(name);
    return strncmp(other, name, len) == 0 && (other[len] == '.' || other[len] == '\0');
}

static bool is_open_form(const struct dns_record *r, const struct dns_record *other)
{
    return (other->answer_ns < 0 || other->rcode == RCODE_NXDOMAIN) && lookup_wants_address(other) &&
           !is_extended(r->question, other->question) && !is_extended(other->question, r->question);
}

/* Another name of the same first label near it, of which holds(r, other). "www" says nothing. */
static bool has_sibling(const struct site *site, const struct dns_record *r,
                        bool (*holds)(const struct dns_record *, const struct dns_record *))
{
    char label[LABEL_MOST + 3];
    size_t len = strcspn(r->question, ".") + 1;
    if (len + 1 > sizeof label || strncmp(r->question, "www.", len) == 0)
        return false;
    memcpy(label, r->question, len);
    label[len] = '\0';
    for (size_t i = find(site, &r->client_ip, label); i < site->dns_count; i++) {
        const struct dns_record *other = site->dns[i];
        if (!address_equal(&other->client_ip, &r->client_ip) ||
            strncmp(text_of(other->question), label, len) != 0)
            return false;
        if (is_near(other, lookup_time(r)) && holds(r, other))
            return true;
    }
    return false;
}

/* The first suffix of a search list was in vain, another led to the name. */
static bool found_elsewhere(const struct site *site, const struct dns_record *r)
{
    return has_sibling(site, r, is_found);
}

bool lookup_is_among_forms(const struct site *site, const struct dns_record *r)
{
    return has_sibling(site, r, is_open_form);
}

bool lookup_is_walk(const struct site *site, const struct dns_record *r)
{
    char shorter[256];
    size_t len = strlen(r->question);
    if (len < sizeof shorter) {
        memcpy(shorter, r->question, len + 1);
        for (char *dot = strrchr(shorter, '.'); dot != NULL; dot = strrchr(shorter, '.')) {
            *dot = '\0';
            if (was_asked_near(site, &r->client_ip, shorter, lookup_time(r)))
                return true;
        }
    }
    return found_longer(site, r) || found_elsewhere(site, r);
}

bool lookup_wants_address(const struct dns_record *r)
{
    const char *type = text_of(r->question_type);
    return strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), more = strlen(end);
    return len >= more && strcmp(name + len - more, end) == 0;
}

/* 2.0.0.127.zen.example.org: a block list asked for an address. */
static bool starts_with_numbers(const char *name)
{
    size_t labels = 0;
    for (; labels < 4; labels++) {
        size_t digits = strspn(name, "0123456789");
        if (digits == 0 || digits > 3 || (name[digits] != '.' && name[digits] != '\0'))
            return false;
        name += digits + (name[digits] == '.');
    }
    return labels == 4;
}

static bool has_odd_label(const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");
        if (len > LABEL_MOST || name[0] == '_')
            return true;
        name += len;
        name += *name == '.';
    }
    return false;
}

bool lookup_is_plain_name(const struct dns_record *r)
{
    static const char *const local[] = {".local", ".arpa", ".localdomain", ".lan", ".home"};
    const char *name = text_of(r->question);
    if (!lookup_wants_address(r) || strchr(name, '.') == NULL || strcmp(name, ".") == 0 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name))
        return false;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if (ends_with(name, local[i]))
            return false;
    }
    return strncmp(name, "wpad.", 5) != 0 && strncmp(name, "isatap.", 7) != 0 &&
           !starts_with_numbers(name) && !has_odd_label(name);
}
