/* TCP options that a host else offers and that its handshake lacks on one path. */
#include "core/sort.h"
#include "diagnosis/site/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On the path, and on the others together. */
#define PATH_SYNS 2
#define HOST_SYNS 3
/* Ethernet's; jumbo frames of a local network say nothing about other ways. */
#define MSS_ETHERNET 1460u
/* A tunnel takes no less: below, stacks differ by an option or two. */
#define MSS_CLAMPED 20u
#define TTL_SAME 2

enum option { OPTION_SCALE, OPTION_SACK, OPTION_TIMESTAMPS, OPTION_KINDS };

static const char *const option_words[] = {"window scale", "SACK", "timestamps"};

struct host_paths {
    struct path_sample_record **paths; /* of one host, on the same side */
    size_t count;
    enum side side;
};

static uint32_t seen(const struct path_side *s, enum option option)
{
    const uint32_t counts[] = {s->scale_seen, s->sack_seen, s->timestamps_seen};
    return counts[option];
}

static uint32_t missing(const struct path_side *s, enum option option)
{
    const uint32_t counts[] = {s->scale_missing, s->sack_missing, s->timestamps_missing};
    return counts[option];
}

/* The bare SYN of a scanner or health checker is another program's, not a stripped one. */
static bool offers_anything(const struct path_side *s)
{
    return s->scale_seen + s->sack_seen + s->timestamps_seen > 0;
}

/* SYN cookies keep what timestamps can hold: without them on the client's side the options go. */
static bool may_be_cookie(const struct path_sample_record *path, enum side side)
{
    return side == SIDE_SERVER && path->side[SIDE_CLIENT].timestamps_seen == 0;
}

/* On all other paths the host does it, from the same distance: the same machine, one may think. */
static bool host_else_offers(const struct host_paths *host, const struct path_sample_record *path,
                             enum option option)
{
    uint32_t with = 0;
    for (size_t i = 0; i < host->count; i++) {
        const struct path_side *s = &host->paths[i]->side[host->side];
        if (host->paths[i] == path)
            continue;
        if (missing(s, option) > 0 ||
            (seen(s, option) > 0 && abs((int)s->ttl - (int)path->side[host->side].ttl) > TTL_SAME))
            return false;
        with += seen(s, option);
    }
    return with >= HOST_SYNS;
}

static const struct site_flow *open_flow(const struct site_pair *pair)
{
    for (size_t i = 0; pair != NULL && i < pair->flows.count; i++) {
        const struct flow_facts *f = &pair->flows.flows[i]->f;
        if (facts_is_tcp(f) && facts_is_established(f))
            return pair->flows.flows[i];
    }
    return NULL;
}

static const struct site_pair *pair_of(const struct site *site,
                                       const struct path_sample_record *path)
{
    const struct site_host *client = site_find_host(site, &path->client_ip);
    const struct site_host *server = site_find_host(site, &path->server_ip);
    if (client == NULL || server == NULL)
        return NULL;
    size_t low = 0, high = site->pair_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct site_flow *flow = site->pairs[middle].flows.flows[0];
        bool before = flow->client->number < client->number ||
                      (flow->client == client && flow->server->number < server->number);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low < site->pair_count && site->pairs[low].path == path ? &site->pairs[low] : NULL;
}

/* `usual_mss`: where the MSS was lowered, else 0. */
static void claim_stripped(struct judge *judge, const struct path_sample_record *path,
                           enum side side, const char *option, uint32_t usual_mss,
                           uint8_t confidence)
{
    const struct site_flow *flow = open_flow(pair_of(judge->site, path));
    if (flow == NULL || judge_is_withdrawn(judge, FINDING_TCP_OPTION_STRIPPED, flow))
        return;
    struct claim claim = claim_start(FINDING_TCP_OPTION_STRIPPED, flow);
    claim.client_port = claim.server_port = 0;
    claim.confidence = confidence;
    claim.count = path->side[side].syns;
    claim_add_text(&claim, "option", option);
    claim_add_text(&claim, "sender", side == SIDE_CLIENT ? "client" : "server");
    if (usual_mss > 0) {
        claim_add_number(&claim, "mss", path->side[side].mss_min);
        claim_add_number(&claim, "usual_mss", usual_mss);
    }
    claim.evidence = EVIDENCE(side == SIDE_CLIENT ? EVENT_SYN : EVENT_SYNACK);
    judge_claim(judge, &claim);
}

/* Padding where the option stood is proof by itself; else the host's other paths must agree. Returns
 * the confidence, 0 when the option is not stripped. */
static uint8_t stripped(const struct host_paths *host, const struct path_sample_record *path,
                        enum option option)
{
    const struct path_side *s = &path->side[host->side];
    if (s->syns < PATH_SYNS || missing(s, option) != s->syns || may_be_cookie(path, host->side))
        return 0;
    if (s->padded_syns == s->syns)
        return 85;
    return offers_anything(s) && host_else_offers(host, path, option) ? 60 : 0;
}

static void find_stripped(struct judge *judge, const struct host_paths *host,
                          const struct path_sample_record *path)
{
    char words[64] = "";
    uint8_t least = 0;
    for (int option = 0; option < OPTION_KINDS; option++) {
        uint8_t confidence = stripped(host, path, (enum option)option);
        if (confidence == 0)
            continue;
        size_t len = strlen(words);
        (void)snprintf(words + len, sizeof words - len, "%s%s", len > 0 ? ", " : "",
                       option_words[option]);
        least = least == 0 || confidence < least ? confidence : least;
    }
    if (least > 0)
        claim_stripped(judge, path, host->side, arena_format(&judge->site->arena, "%s", words),
                       0, least);
}

/* The MSS that all other paths of the host agree on; 0 when they do not. */
static uint32_t usual_mss(const struct host_paths *host, const struct path_sample_record *path)
{
    uint32_t usual = 0, syns = 0;
    for (size_t i = 0; i < host->count; i++) {
        const struct path_side *s = &host->paths[i]->side[host->side];
        if (host->paths[i] == path || s->syns == 0)
            continue;
        if (s->mss_min != s->mss_max || (usual != 0 && s->mss_min != usual))
            return 0;
        usual = s->mss_min;
        syns += s->syns;
    }
    return syns >= HOST_SYNS ? usual : 0;
}

/* Some servers answer with the client's MSS when that is smaller. */
static void find_clamped(struct judge *judge, const struct host_paths *host,
                         const struct path_sample_record *path)
{
    const struct path_side *s = &path->side[host->side], *peer = &path->side[!host->side];
    uint32_t usual = usual_mss(host, path);
    if (s->syns < PATH_SYNS || s->mss_min == 0 || s->mss_min != s->mss_max ||
        usual > MSS_ETHERNET || s->mss_min + MSS_CLAMPED > usual)
        return;
    if (host->side == SIDE_SERVER && peer->mss_max <= s->mss_min && peer->mss_max > 0)
        return;
    claim_stripped(judge, path, host->side, "the full MSS", usual, 55);
}

static void look_at(struct judge *judge, const struct host_paths *host)
{
    for (size_t i = 0; i < host->count; i++) {
        find_stripped(judge, host, host->paths[i]);
        if (host->count > 1)
            find_clamped(judge, host, host->paths[i]);
    }
}

/* Beyond this a host's paths are not compared with each other: the work grows with the square. */
#define COMPARED_MOST 512

static int by_server(const void *left, const void *right)
{
    const struct path_sample_record *a = *(struct path_sample_record *const *)left;
    const struct path_sample_record *b = *(struct path_sample_record *const *)right;
    int order = address_compare(&a->server_ip, &b->server_ip);
    return order != 0 ? order : address_compare(&a->client_ip, &b->client_ip);
}

static const struct address *end_of(const struct path_sample_record *path, enum side side)
{
    return side == SIDE_CLIENT ? &path->client_ip : &path->server_ip;
}

static void look_at_all(struct judge *judge, struct path_sample_record **paths, size_t count,
                        enum side side)
{
    for (size_t i = 0; i < count;) {
        size_t next = i + 1;
        while (next < count && next - i < COMPARED_MOST &&
               address_equal(end_of(paths[next], side), end_of(paths[i], side)))
            next++;
        struct host_paths host = {&paths[i], next - i, side};
        look_at(judge, &host);
        i = next;
    }
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    if (site->path_count == 0)
        return;
    look_at_all(judge, site->paths, site->path_count, SIDE_CLIENT);
    struct path_sample_record **copy = malloc(site->path_count * sizeof *site->paths);
    if (copy == NULL) {
        judge->failed = true;
        return;
    }
    memcpy(copy, site->paths, site->path_count * sizeof *site->paths);
    sort_rows(copy, site->path_count, sizeof *copy, by_server);
    look_at_all(judge, copy, site->path_count, SIDE_SERVER);
    free(copy);
}

const struct detector detector_options = {"options", detect};
