#include "diagnosis/site/budget.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_SLOTS 1024u
#define HASH_ODD 0xff51afd7ed558ccdULL

struct site *site_new(const struct profile *profile)
{
    struct site *site = calloc(1, sizeof *site);
    if (site == NULL)
        return NULL;
    site->profile = profile;
    if (getrandom(&site->secret, sizeof site->secret, 0) != (ssize_t)sizeof site->secret)
        site->secret = (uint64_t)(uintptr_t)site;
    return site;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    free(site->flows);
    free(site->by_id);
    free(site->by_service);
    free(site->by_client);
    free(site->by_pair);
    free(site->by_server);
    free(site->client_from);
    free(site->server_from);
    free(site->open_activity);
    free(site->stuck_activity);
    free(site->server_activity);
    free(site->services);
    free(site->pairs);
    free(site->hosts);
    free((void *)site->requests);
    free((void *)site->secrets);
    free((void *)site->h2);
    free((void *)site->commands);
    free((void *)site->icmp);
    free(site->paths);
    free((void *)site->delays);
    free((void *)site->samples);
    free((void *)site->swarms);
    free((void *)site->turns);
    free((void *)site->arp);
    free((void *)site->dns);
    free((void *)site->ntp);
    free((void *)site->certificates);
    free((void *)site->staples);
    free((void *)site->sources);
    free((void *)site->earlier);
    free(site->coverage);
    arena_free(&site->arena);
    free(site);
}

uint64_t site_memory(const struct site *site)
{
    size_t pointers = site->flow_capacity + site->host_slots + site->request_capacity + site->secret_capacity +
                      site->h2_capacity + site->command_capacity + site->icmp_capacity + site->dns_capacity +
                      site->ntp_capacity + site->delay_capacity + site->sample_capacity + site->turn_capacity;
    return site->arena.bytes + pointers * sizeof(void *);
}

void site_limit(struct site *site, uint64_t bytes)
{
    site->limit = bytes;
}

void site_note_beside(struct site *site, uint64_t bytes)
{
    site->beside = bytes;
}

void site_note_limits(struct site *site, uint64_t texts, uint64_t certificates)
{
    site->texts_left_out = texts;
    site->certificates_left_out = certificates;
}

uint64_t site_flows_left_out(const struct site *site)
{
    return site->flows_left_out;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 33)) * HASH_ODD;
    return word ^ (word >> 29);
}

/* The secret keeps crafted addresses from piling up in one place. Nothing shown depends on it. */
static uint64_t hash_address(uint64_t secret, const struct address *a)
{
    uint64_t high, low;
    memcpy(&high, a->bytes, sizeof high);
    memcpy(&low, a->bytes + sizeof high, sizeof low);
    return mix(mix(high ^ secret) ^ low ^ a->family);
}

static struct site_host **host_slot(uint64_t secret, struct site_host **slots, size_t slot_count,
                                    const struct address *address)
{
    size_t at = (size_t)hash_address(secret, address) & (slot_count - 1);
    while (slots[at] != NULL && !address_equal(&slots[at]->address, address))
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static bool grow_hosts(struct site *site)
{
    size_t count = site->host_slots == 0 ? FIRST_SLOTS : site->host_slots * 2;
    struct site_host **slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < site->host_slots; i++) {
        if (site->hosts[i] != NULL)
            *host_slot(site->secret, slots, count, &site->hosts[i]->address) = site->hosts[i];
    }
    free(site->hosts);
    site->hosts = slots;
    site->host_slots = count;
    return true;
}

static struct site_host *take_host(struct site *site, const struct address *address)
{
    if (site->host_count * 2 >= site->host_slots && !grow_hosts(site))
        return NULL;
    struct site_host **slot = host_slot(site->secret, site->hosts, site->host_slots, address);
    if (*slot != NULL)
        return *slot;
    struct site_host *host = arena_take(&site->arena, sizeof *host);
    if (host == NULL)
        return NULL;
    host->address = *address;
    host->number = (uint32_t)site->host_count++;
    host->leg_min_ns = host->client_leg_min_ns = RECORD_NONE_NS;
    *slot = host;
    return host;
}

struct site_host *site_find_host(const struct site *site, const struct address *address)
{
    return site->host_slots == 0 ? NULL
                                 : *host_slot(site->secret, site->hosts, site->host_slots, address);
}

/* Lower ones are set on purpose (BGP, traceroute): they do not tell the distance. */
#define TTL_LEAST 5

static void note_ttl(struct site_host *host, uint8_t ttl)
{
    if (ttl >= TTL_LEAST)
        host->ttls[ttl / 64] |= 1ULL << (ttl % 64);
}

static void note_sender(struct site_host *host, const struct flow_facts *f, enum side side)
{
    if (f->packets[side] == 0)
        return;
    host->sent = true;
    note_ttl(host, f->ttl[side]);
    note_ttl(host, f->tcp->side[side].ttl_min);
    note_ttl(host, f->tcp->side[side].ttl_max);
}

static bool has_ttl(const struct site_host *host, int ttl)
{
    return ttl > 0 && ttl < 256 && (host->ttls[ttl / 64] >> (ttl % 64) & 1) != 0;
}

uint8_t host_usual_ttl(const struct site_host *host, uint8_t ttl)
{
    for (int distance = 0; distance < 256; distance++) {
        if (has_ttl(host, (int)ttl - distance))
            return (uint8_t)(ttl - distance);
        if (has_ttl(host, (int)ttl + distance))
            return (uint8_t)(ttl + distance);
    }
    return 0;
}

bool host_ttl_fits(const struct site_host *host, uint8_t ttl, bool *known)
{
    uint8_t usual = host_usual_ttl(host, ttl);
    *known = usual != 0;
    return usual != 0 && abs((int)usual - (int)ttl) <= TTL_TOLERANCE;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static bool keep_tls(struct site *site, const struct flow_bundle *bundle, struct tls_facts *tls,
                     struct flow_facts *f)
{
    size_t count = 0;
    for (size_t i = 0; i < bundle->tls_certificate_count; i++)
        count += bundle->tls_certificates[i].side == SIDE_SERVER;
    if (count > 0) {
        int64_t *chain = arena_take(&site->arena, count * sizeof *chain);
        if (chain == NULL)
            return false;
        size_t at = 0;
        for (size_t i = 0; i < bundle->tls_certificate_count; i++) {
            if (bundle->tls_certificates[i].side == SIDE_SERVER)
                chain[at++] = bundle->tls_certificates[i].certificate_id;
        }
        tls->chain = chain;
        tls->chain_count = (uint32_t)count;
    }
    f->tls = arena_copy(&site->arena, tls, sizeof *tls);
    return f->tls != NULL;
}

/* The deep copies; the events of flows that nothing is wrong with prove nothing. */
static bool keep_details(struct site *site, const struct flow_bundle *bundle, struct tls_facts *tls,
                         struct flow_facts *f)
{
    bool plain = facts_is_plain(f);
    if (bundle->tcp != NULL) {
        f->tcp = arena_copy(&site->arena, bundle->tcp, sizeof *bundle->tcp);
        if (f->tcp == NULL)
            return false;
    }
    if (bundle->tls != NULL && !keep_tls(site, bundle, tls, f))
        return false;
    if (bundle->reset_count > 0) {
        f->reset_rows = arena_copy(&site->arena, bundle->resets,
                                   bundle->reset_count * sizeof *bundle->resets);
        if (f->reset_rows == NULL)
            return false;
    }
    f->events = NULL;
    f->event_count = 0;
    if (bundle->event_count > 0 && !(plain && bundle->tcp == NULL)) {
        size_t bytes = bundle->event_count * sizeof *bundle->events;
        f->events = arena_copy(&site->arena, bundle->events, bytes);
        f->event_count = bundle->event_count;
        return f->events != NULL;
    }
    return true;
}

static bool add_flow(struct site *site, const struct flow_bundle *bundle)
{
    struct tls_facts tls;
    if (!budget_takes_flow(site, bundle))
        return true;
    if (!array_reserve((void **)&site->flows, &site->flow_capacity, site->flow_count,
                       sizeof *site->flows))
        return false;
    struct site_flow *flow = arena_take(&site->arena, sizeof *flow);
    if (flow == NULL)
        return false;
    facts_fill(bundle, &tls, &flow->f);
    flow->client = take_host(site, &bundle->flow->client_ip);
    flow->server = take_host(site, &bundle->flow->server_ip);
    if (flow->client == NULL || flow->server == NULL || !keep_details(site, bundle, &tls, &flow->f))
        return false;
    note_sender(flow->client, &flow->f, SIDE_CLIENT);
    note_sender(flow->server, &flow->f, SIDE_SERVER);
    budget_note_flow(site, flow);
    site->flows[site->flow_count++] = flow;
    return true;
}

/* Of rows that belong to a flow: its number within it, 0 where a flow has few; -1 for all others. */
static int64_t row_number(enum record_kind kind, const void *record)
{
    switch (kind) {
    case RECORD_HTTP:
        return ((const struct http_record *)record)->number;
    case RECORD_TURN:
        return ((const struct turn_record *)record)->number;
    case RECORD_DNS:
        return ((const struct dns_record *)record)->number;
    case RECORD_NTP:
        return ((const struct ntp_record *)record)->number;
    case RECORD_COMMAND:
        return ((const struct command_record *)record)->number;
    case RECORD_ICMP:
        return ((const struct icmp_record *)record)->flow_id != 0 ? 0 : INT64_MAX;
    case RECORD_SECRET:
    case RECORD_H2:
    case RECORD_FLOW_DELAY:
    case RECORD_RTT_SAMPLE:
        return 0;
    default:
        return -1;
    }
}

/* Appends a copy of the record to a list of pointers. */
static bool add_copy(struct site *site, const void *record, size_t size, void *list,
                     size_t *capacity, size_t *count)
{
    const void *copy = arena_copy(&site->arena, record, size);
    void *items = *(void **)list;
    if (copy == NULL || !array_reserve(&items, capacity, *count, sizeof copy))
        return false;
    *(void **)list = items;
    ((const void **)items)[(*count)++] = copy;
    return true;
}

static bool add_delay(struct site *site, const struct flow_delay_record *r)
{
    const struct delay_facts facts = {
        .flow_id = r->flow_id,
        .tls_hello_wait_ns = r->tls_hello_wait_ns,
        .tls_finish_wait_ns = r->tls_finish_wait_ns,
        .pause_ns = r->pause_ns,
        .answer_sum_ns = r->answer_sum_ns,
        .answer_max_ns = r->answer_max_ns,
        .answer_start_ns = r->answer_start_ns,
        .answer_frame = r->answer_frame,
        .answer_asked = r->answer_asked,
        .fed_ns = r->fed_ns,
        .fed_bytes = r->fed_bytes,
        .fed_segments = r->fed_segments,
        .fed_pauses = r->fed_pauses,
        .download_ns = r->term_ns[DELAY_DOWNLOAD],
        .window_acks = r->window_acks,
        .window_full = r->window_full,
        .window_bytes = r->window_bytes,
        .window_frame = r->window_frame,
        .window_frame_ns = r->window_frame_ns,
        .window_rate = r->window_rate,
        .window_span_ns = r->window_span_ns,
        .rtt_count = {r->rtt[SIDE_CLIENT].count, r->rtt[SIDE_SERVER].count},
        .answers = r->answers,
        .pause_step = r->pause_step,
        .window_sender = r->window_sender,
        .asked_early = r->term_ns[DELAY_SYN_BACKOFF] == 0,
    };
    return add_copy(site, &facts, sizeof facts, &site->delays, &site->delay_capacity,
                    &site->delay_count);
}

static bool keep_bytes(struct site *site, const uint8_t **bytes, int64_t len)
{
    if (*bytes != NULL && len > 0)
        *bytes = arena_copy(&site->arena, *bytes, (size_t)len);
    return len <= 0 || *bytes != NULL;
}

static bool add_path(struct site *site, const struct path_sample_record *record)
{
    struct path_sample_record path = *record;
    return keep_bytes(site, &path.side[0].rtt_sketch, path.side[0].rtt_sketch_len) &&
           keep_bytes(site, &path.side[1].rtt_sketch, path.side[1].rtt_sketch_len) &&
           add_copy(site, &path, sizeof path, &site->paths, &site->path_capacity,
                    &site->path_count);
}

bool site_add(struct site *site, enum record_kind kind, const void *record)
{
    bool ok = true;
    int64_t number = row_number(kind, record);
    bool missing = kind == RECORD_DNS && (((const struct dns_record *)record)->rcode != 0 ||
                                          ((const struct dns_record *)record)->answer_ns < 0);
    if (number >= 0 && !budget_takes_row(site, number, missing))
        return true;
    switch (kind) {
    case RECORD_FLOW:
        ok = add_flow(site, record);
        break;
    case RECORD_HTTP:
        ok = add_copy(site, record, sizeof(struct http_record), &site->requests,
                      &site->request_capacity, &site->request_count);
        break;
    case RECORD_SECRET:
        ok = add_copy(site, record, sizeof(struct secret_record), &site->secrets,
                      &site->secret_capacity, &site->secret_count);
        break;
    case RECORD_H2:
        ok = add_copy(site, record, sizeof(struct h2_record), &site->h2, &site->h2_capacity,
                      &site->h2_count);
        break;
    case RECORD_COMMAND:
        ok = add_copy(site, record, sizeof(struct command_record), &site->commands,
                      &site->command_capacity, &site->command_count);
        break;
    case RECORD_ICMP:
        ok = add_copy(site, record, sizeof(struct icmp_record), &site->icmp, &site->icmp_capacity,
                      &site->icmp_count);
        break;
    case RECORD_FLOW_DELAY:
        ok = add_delay(site, record);
        break;
    case RECORD_RTT_SAMPLE:
        ok = add_copy(site, record, sizeof(struct rtt_sample_record), &site->samples,
                      &site->sample_capacity, &site->sample_count);
        break;
    case RECORD_TURN:
        ok = add_copy(site, record, sizeof(struct turn_record), &site->turns, &site->turn_capacity,
                      &site->turn_count);
        break;
    case RECORD_ARP:
        ok = add_copy(site, record, sizeof(struct arp_record), &site->arp, &site->arp_capacity,
                      &site->arp_count);
        break;
    case RECORD_SWARM:
        ok = add_copy(site, record, sizeof(struct swarm_record), &site->swarms,
                      &site->swarm_capacity, &site->swarm_count);
        break;
    case RECORD_DNS:
        ok = add_copy(site, record, sizeof(struct dns_record), &site->dns, &site->dns_capacity,
                      &site->dns_count);
        break;
    case RECORD_NTP:
        ok = add_copy(site, record, sizeof(struct ntp_record), &site->ntp, &site->ntp_capacity,
                      &site->ntp_count);
        break;
    case RECORD_PATH:
        ok = add_path(site, record);
        break;
    case RECORD_CERTIFICATE:
        ok = add_copy(site, record, sizeof(struct certificate_record), &site->certificates,
                      &site->certificate_capacity, &site->certificate_count);
        break;
    case RECORD_STAPLE:
        ok = add_copy(site, record, sizeof(struct staple_record), &site->staples,
                      &site->staple_capacity, &site->staple_count);
        break;
    case RECORD_CHAIN:
        ok = add_copy(site, record, sizeof(struct chain_record), &site->earlier,
                      &site->earlier_capacity, &site->earlier_count);
        break;
    case RECORD_SOURCE:
        ok = add_copy(site, record, sizeof(struct source_record), &site->sources,
                      &site->source_capacity, &site->source_count);
        break;
    case RECORD_CAPTURE:
        site->capture = *(const struct capture_record *)record;
        site->has_capture = true;
        break;
    default:
        break;
    }
    if (!ok)
        site->failed = true;
    return ok;
}
