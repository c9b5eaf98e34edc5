/* Questions to name servers, found by who asked what: the index of the DNS detectors. */
#ifndef INVCAP_DIAGNOSIS_SITE_LOOKUPS_H
#define INVCAP_DIAGNOSIS_SITE_LOOKUPS_H

#include "diagnosis/site/judge.h"

/* A client that is still at the same question: resolvers' timers reach 5 s (glibc), some 10 s. */
#define LOOKUP_GAP_NS (12 * FACTS_SECOND)
/* FINDINGS.md: another form of the name that is found within this explains one that is not. */
#define LOOKUP_NEAR_NS (5 * FACTS_SECOND)

/* One client after one name and type: its tries at all resolvers, by time. */
struct lookup {
    const struct dns_record *const *records;
    size_t count;
    int64_t first_ns, last_query_ns;
    int64_t answer_ns;                 /* first answer of any resolver that is no failure; -1 none */
    const struct dns_record *answered; /* that one */
    uint32_t tries;
};

/* When a record began: its query, or its answer when that was seen alone. */
int64_t lookup_time(const struct dns_record *record);
/* Index of the first record of that client in site->dns, which keeps them together. */
size_t lookup_first_of(const struct site *site, const struct address *client);
/* Reads the lookup that starts at `index` of the sorted records (site->dns). */
struct lookup lookup_at(const struct site *site, size_t index);
/* SERVFAIL, REFUSED and others that say nothing about the name. */
bool lookup_is_failure(int32_t rcode);
/* Whether that client got NOERROR for the name within LOOKUP_NEAR_NS; type NULL: any type. */
bool lookup_found_near(const struct site *site, const struct address *client, const char *question,
                       const char *type, int64_t at_ns);
/* Whether the client asked for a shorter form (the name is it with a search suffix), or found a longer
 * one (it has found the name with a suffix). */
bool lookup_is_walk(const struct site *site, const struct dns_record *record);
/* Another name of the same first label was in vain near it, or nothing of its answer was seen: a search list is being
 * tried, and which form would have led somewhere is not in the capture. A form with a suffix added does not count. */
bool lookup_is_among_forms(const struct site *site, const struct dns_record *record);
/* A or AAAA of a name that somebody wants to reach: no reverse names, no probes of the local network, no
 * block lists. */
bool lookup_is_plain_name(const struct dns_record *record);
bool lookup_wants_address(const struct dns_record *record);
int lookup_compare(const void *left, const void *right); /* the order of site->dns, for qsort */

#endif
