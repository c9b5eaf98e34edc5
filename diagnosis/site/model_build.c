#include "core/sort.h"
#include "diagnosis/site/budget.h"
#include "diagnosis/site/model_internal.h"

#include "diagnosis/site/lookups.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

int site_compare_flows(const struct site_flow *a, const struct site_flow *b)
{
    int order = COMPARE(a->f.first_ns, b->f.first_ns);
    return order != 0 ? order : COMPARE(a->f.id, b->f.id);
}

static int by_time(const void *a, const void *b)
{
    return site_compare_flows(*(struct site_flow *const *)a, *(struct site_flow *const *)b);
}

static int by_id(const void *a, const void *b)
{
    const struct site_flow *left = *(struct site_flow *const *)a;
    const struct site_flow *right = *(struct site_flow *const *)b;
    return COMPARE(left->f.id, right->f.id);
}

static int compare_service(const struct site_flow *a, const struct site_flow *b)
{
    int order = COMPARE(a->server->number, b->server->number);
    if (order == 0)
        order = COMPARE(a->f.protocol, b->f.protocol);
    return order != 0 ? order : COMPARE(a->f.port[SIDE_SERVER], b->f.port[SIDE_SERVER]);
}

static int by_service(const void *a, const void *b)
{
    int order = compare_service(*(struct site_flow *const *)a, *(struct site_flow *const *)b);
    return order != 0 ? order : by_time(a, b);
}

static int by_client(const void *a, const void *b)
{
    const struct site_flow *left = *(struct site_flow *const *)a;
    const struct site_flow *right = *(struct site_flow *const *)b;
    int order = COMPARE(left->client->number, right->client->number);
    return order != 0 ? order : by_time(a, b);
}

static int compare_pair(const struct site_flow *a, const struct site_flow *b)
{
    int order = COMPARE(a->client->number, b->client->number);
    return order != 0 ? order : COMPARE(a->server->number, b->server->number);
}

static int by_pair(const void *a, const void *b)
{
    int order = compare_pair(*(struct site_flow *const *)a, *(struct site_flow *const *)b);
    return order != 0 ? order : by_time(a, b);
}

static int by_server(const void *a, const void *b)
{
    int order = site_compare_server(*(struct site_flow *const *)a, *(struct site_flow *const *)b);
    return order != 0 ? order : by_time(a, b);
}

static int requests_by_flow(const void *a, const void *b)
{
    const struct http_record *left = *(const struct http_record *const *)a;
    const struct http_record *right = *(const struct http_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->number, right->number);
}

static int secrets_by_flow(const void *a, const void *b)
{
    const struct secret_record *left = *(const struct secret_record *const *)a;
    const struct secret_record *right = *(const struct secret_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->number, right->number);
}

static int h2_by_flow(const void *a, const void *b)
{
    const struct h2_record *left = *(const struct h2_record *const *)a;
    const struct h2_record *right = *(const struct h2_record *const *)b;
    return COMPARE(left->flow_id, right->flow_id);
}

static int commands_by_flow(const void *a, const void *b)
{
    const struct command_record *left = *(const struct command_record *const *)a;
    const struct command_record *right = *(const struct command_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->number, right->number);
}

static int icmp_by_flow(const void *a, const void *b)
{
    const struct icmp_record *left = *(const struct icmp_record *const *)a;
    const struct icmp_record *right = *(const struct icmp_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    if (order == 0)
        order = COMPARE(left->time_ns, right->time_ns);
    return order != 0 ? order : COMPARE(left->frame, right->frame);
}

static int delays_by_flow(const void *a, const void *b)
{
    const struct delay_facts *left = *(const struct delay_facts *const *)a;
    const struct delay_facts *right = *(const struct delay_facts *const *)b;
    return COMPARE(left->flow_id, right->flow_id);
}

static int samples_by_flow(const void *a, const void *b)
{
    const struct rtt_sample_record *left = *(const struct rtt_sample_record *const *)a;
    const struct rtt_sample_record *right = *(const struct rtt_sample_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->start_ns, right->start_ns);
}

static int turns_by_flow(const void *a, const void *b)
{
    const struct turn_record *left = *(const struct turn_record *const *)a;
    const struct turn_record *right = *(const struct turn_record *const *)b;
    int order = COMPARE(left->flow_id, right->flow_id);
    return order != 0 ? order : COMPARE(left->number, right->number);
}

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

static int paths_by_ends(const void *a, const void *b)
{
    return site_compare_paths(*(struct path_sample_record *const *)a,
                        *(struct path_sample_record *const *)b);
}

static int certificates_by_id(const void *a, const void *b)
{
    const struct certificate_record *left = *(const struct certificate_record *const *)a;
    const struct certificate_record *right = *(const struct certificate_record *const *)b;
    return COMPARE(left->id, right->id);
}

static int staples_by_id(const void *a, const void *b)
{
    const struct staple_record *left = *(const struct staple_record *const *)a;
    const struct staple_record *right = *(const struct staple_record *const *)b;
    return COMPARE(left->id, right->id);
}

static void sort(void *items, size_t count, int (*compare)(const void *, const void *))
{
    if (count > 1)
        sort_rows(items, count, sizeof(void *), compare);
}

static bool make_list(const struct site *site, struct site_flow ***list,
                      int (*compare)(const void *, const void *))
{
    struct site_flow **copy = realloc(*list, (site->flow_count + 1) * sizeof **list);
    if (copy == NULL)
        return false;
    *list = copy;
    if (site->flow_count > 0)
        memcpy(copy, site->flows, site->flow_count * sizeof *copy);
    sort(copy, site->flow_count, compare);
    return true;
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
    sort(site->flows, site->flow_count, by_time);
    if (!make_list(site, &site->by_id, by_id) || !make_list(site, &site->by_service, by_service) ||
        !make_list(site, &site->by_client, by_client) ||
        !make_list(site, &site->by_pair, by_pair) || !make_list(site, &site->by_server, by_server))
        return false;
    budget_drop_orphans(site);
    sort((void *)site->requests, site->request_count, requests_by_flow);
    sort((void *)site->secrets, site->secret_count, secrets_by_flow);
    sort((void *)site->h2, site->h2_count, h2_by_flow);
    sort((void *)site->commands, site->command_count, commands_by_flow);
    sort((void *)site->icmp, site->icmp_count, icmp_by_flow);
    sort((void *)site->delays, site->delay_count, delays_by_flow);
    sort((void *)site->samples, site->sample_count, samples_by_flow);
    sort((void *)site->turns, site->turn_count, turns_by_flow);
    sort((void *)site->arp, site->arp_count, arp_by_time);
    sort((void *)site->dns, site->dns_count, lookup_compare);
    sort((void *)site->ntp, site->ntp_count, ntp_by_server);
    sort((void *)site->certificates, site->certificate_count, certificates_by_id);
    sort((void *)site->staples, site->staple_count, staples_by_id);
    sort(site->paths, site->path_count, paths_by_ends);
    attach(site);
    attach_delays(site);
    attach_turns(site);
    return site_build_coverage(site) && site_build_groups(site);
}
