#include "core/sort.h"
#include "diagnosis/site/model_internal.h"

#include "diagnosis/site/lookups.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_arp(const struct arp_record *a, const struct arp_record *b)
{
    int order = COMPARE(a->first_ns, b->first_ns);
    if (order == 0)
        order = address_compare(&a->ip, &b->ip);
    if (order == 0)
        order = strcmp(a->mac, b->mac);
    return order != 0 ? order : COMPARE(a->vlan, b->vlan);
}

static int arp_by_time(const void *a, const void *b)
{
    return compare_arp(*(const struct arp_record *const *)a, *(const struct arp_record *const *)b);
}

static int ntp_by_server(const void *a, const void *b)
{
    const struct ntp_record *left = *(const struct ntp_record *const *)a;
    const struct ntp_record *right = *(const struct ntp_record *const *)b;
    int order = address_compare(&left->server_ip, &right->server_ip);
    if (order == 0)
        order = address_compare(&left->client_ip, &right->client_ip);
    if (order == 0)
        order = COMPARE(left->request_ns >= 0 ? left->request_ns : left->reply_ns,
                        right->request_ns >= 0 ? right->request_ns : right->reply_ns);
    if (order == 0)
        order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->number, right->number);
}

static void sort(void *items, size_t count, int (*compare)(const void *, const void *))
{
    if (count > 1)
        sort_rows(items, count, sizeof(void *), compare);
}

/* The lists of requests and ICMP errors are sorted by flow: each flow takes its run of them. */
static void attach(struct site *site)
{
    for (size_t i = 0; i < site->flow_count; i++) {
        site->flows[i]->request_count = site->flows[i]->icmp_count = 0;
    }
    for (size_t i = 0; i < site->request_count;) {
        size_t end = i + 1;
        while (end < site->request_count &&
               site->requests[end]->flow_id == site->requests[i]->flow_id)
            end++;
        struct site_flow *flow = site_find_flow(site, site->requests[i]->flow_id);
        if (flow != NULL) {
            flow->requests = &site->requests[i];
            flow->request_count = (uint32_t)(end - i);
        }
        i = end;
    }
    for (size_t i = 0; i < site->icmp_count;) {
        size_t end = i + 1;
        while (end < site->icmp_count && site->icmp[end]->flow_id == site->icmp[i]->flow_id)
            end++;
        struct site_flow *flow = site_find_flow(site, site->icmp[i]->flow_id);
        if (flow != NULL) {
            flow->icmp = &site->icmp[i];
            flow->icmp_count = (uint32_t)(end - i);
        }
        i = end;
    }
}

static void attach_delays(struct site *site)
{
    for (size_t i = 0; i < site->flow_count; i++) {
        site->flows[i]->delay = NULL;
        site->flows[i]->sample_count = 0;
    }
    for (size_t i = 0; i < site->delay_count; i++) {
        struct site_flow *flow = site_find_flow(site, site->delays[i]->flow_id);
        if (flow != NULL)
            flow->delay = site->delays[i];
    }
    for (size_t i = 0; i < site->sample_count;) {
        size_t end = i + 1;
        while (end < site->sample_count && site->samples[end]->flow_id == site->samples[i]->flow_id)
            end++;
        struct site_flow *flow = site_find_flow(site, site->samples[i]->flow_id);
        if (flow != NULL) {
            flow->samples = &site->samples[i];
            flow->sample_count = (uint32_t)(end - i);
        }
        i = end;
    }
}

static void attach_turns(struct site *site)
{
    for (size_t i = 0; i < site->flow_count; i++)
        site->flows[i]->turn_count = 0;
    for (size_t i = 0, end = 0; i < site->turn_count; i = end) {
        for (end = i + 1; end < site->turn_count &&
                          site->turns[end]->flow_id == site->turns[i]->flow_id;)
            end++;
        struct site_flow *flow = site_find_flow(site, site->turns[i]->flow_id);
        if (flow != NULL) {
            flow->turns = &site->turns[i];
            flow->turn_count = (uint32_t)(end - i);
        }
    }
}

bool site_build(struct site *site)
{
    if (!site_sort(site))
        return false;
    sort((void *)site->arp, site->arp_count, arp_by_time);
    sort((void *)site->dns, site->dns_count, lookup_compare);
    sort((void *)site->ntp, site->ntp_count, ntp_by_server);
    attach(site);
    attach_delays(site);
    attach_turns(site);
    return site_build_coverage(site) && site_build_groups(site);
}
