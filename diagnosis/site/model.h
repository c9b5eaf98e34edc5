/* The site: everything that the records of a capture say, joined. Flows with their TCP and TLS
 * facts, requests and ICMP errors attached, in (first_ns, flow id) order; hosts with the TTLs that
 * they usually have; flows grouped by service, client and pair.
 *
 * site_add() fills it in any order; site_build() joins. Nothing depends on the order of adding or
 * on hashes: groups are only looked up by key, lists are sorted. Everything lives as long as the
 * site. */
#ifndef INVCAP_DIAGNOSIS_SITE_MODEL_H
#define INVCAP_DIAGNOSIS_SITE_MODEL_H

#include "core/arena.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/flow/facts.h"

/* PEERS.md: p0f and the catalogue take a TTL within 2 as the same path. */
#define TTL_TOLERANCE 2

struct site_host {
    struct address address;
    uint64_t ttls[4]; /* bit set of the TTLs of its packets, resets left out */
    uint32_t number;  /* after site_build: in the order of addresses */
    bool sent;        /* any packet of it was captured */
    uint16_t kept[2][OUTCOME_COUNT]; /* flows by role (enum side) and provisional outcome */
    /* as a server: smallest round trips between the tap and it, and to its clients; -1 unknown */
    int64_t leg_min_ns, client_leg_min_ns;
    /* as a name server: questions, those without an answer, answers that took time, the quickest */
    uint32_t dns_asked, dns_silent, dns_answers;
    int64_t dns_quickest_ns;
    uint32_t dns_pairs, dns_orphans; /* answers with their question, and without one, which the capture then missed */
    uint32_t dns_missing; /* as a client: names that are not there, repeated ones once */
};

/* A run of flows in one of the sorted lists. */
struct flow_range {
    struct site_flow *const *flows;
    size_t count;
};

/* How long the flows of a list, up to and including one, went on: the latest two ends. */
struct activity {
    int64_t best_ns, second_ns; /* INT64_MIN: none */
    const struct site_flow *best;
};

#define SERVICE_NAMES 8
#define SERVICE_ACCEPTED 8

/* What handshakes of a service ended with, in order of first sight; what comes after the first
 * SERVICE_ACCEPTED different ones is left out. */
struct accepted {
    uint16_t numbers[SERVICE_ACCEPTED];
    const char *names[SERVICE_ACCEPTED];
    uint32_t count;
};

/* One server address, protocol and port. */
struct site_service {
    struct flow_range flows;      /* by time */
    const struct activity *open;  /* beside flows: the established ones */
    const struct activity *stuck; /* the same, only those that the server never answered */
    uint32_t established;
    uint32_t two_sided;
    uint64_t asked_packets; /* of all clients */
    int64_t switch_ns;      /* longest switch to it from another server of its name; 0 none */
    uint64_t silent_syns;   /* that got no packet back */
    int64_t last_ns;
    const char *names[SERVICE_NAMES]; /* SNIs whose handshake succeeded */
    uint32_t name_count;
    uint16_t version_min, version_max; /* negotiated by successful handshakes; 0 none */
    const char *versions;              /* all of them as words, NULL none */
    struct accepted versions_taken, ciphers_taken, groups_taken;
    uint16_t refused_offer; /* highest version of a ClientHello refused by alert 70; 0 none */
};

/* One client address and one server address. */
struct site_pair {
    struct flow_range flows;    /* by time */
    uint32_t largest_passed[2]; /* IP length of the largest segment of a side known to arrive */
    bool high_told[2];          /* that side's round trip is told as too long */
    bool has_ftp;               /* a control connection of FTP: many ports are its data */
    struct path_sample_record *path; /* what the engine saw of the way; NULL not kept */
};

/* Of struct flow_delay_record, what is judged. */
struct delay_facts {
    int64_t flow_id;
    int64_t tls_hello_wait_ns, tls_finish_wait_ns, pause_ns;
    int64_t answer_sum_ns, answer_max_ns, answer_start_ns, answer_frame, answer_asked;
    int64_t download_ns; /* the server's own pauses: it went on after its own last word */
    int64_t window_acks, window_full, window_bytes, window_rate, window_span_ns;
    int64_t window_frame, window_frame_ns;
    int64_t fed_ns, fed_bytes;
    uint32_t rtt_count[2], answers, fed_segments, fed_pauses;
    uint8_t pause_step, window_sender;
    bool asked_early; /* no SYN was lost: the answer to the first one came late */
};
struct site_chain;
struct syn_drop;

/* One flow; what is asked of every flow stands first, so that a pass over all of them fetches little. */
struct site_flow {
    struct site_host *client, *server;
    struct site_service *service;
    uint16_t verdict;       /* enum finding_code + 1 */
    uint8_t outcome, stage; /* as judged; OUTCOME_NONE: not yet */
    bool resolves;          /* DNS: a question of it was answered without an error */
    struct flow_facts f;
    struct site_pair *pair;
    const struct http_record **requests; /* by number */
    const struct icmp_record **icmp;     /* by time */
    const struct delay_facts *delay;           /* NULL: nobody spoke */
    const struct rtt_sample_record **samples;  /* by time */
    const struct turn_record **turns;          /* by number */
    uint32_t request_count, icmp_count, sample_count, turn_count;
    const struct site_chain *chain; /* what its server showed, judged; NULL nothing */
    const struct syn_drop *syn_drop; /* why its SYN was lost, judged; NULL nothing known */
    size_t claimed;         /* the claim of its verdict, from 1; 0 none */
    int64_t listed_in;      /* the finding that named it last, while findings are put */
};

/* One continuous period in which the capture ran. */
struct coverage {
    int64_t first_ns, last_ns;
};

struct site {
    const struct profile *profile;
    struct arena arena;
    bool failed;              /* memory ran out */
    uint64_t limit;           /* of memory, that of judging included; 0 none */
    uint64_t beside;          /* bytes kept elsewhere for what is kept here */
    uint64_t judging;         /* bytes that judging what is kept will take */
    uint64_t flows_left_out, rows_left_out; /* to stay below it */
    uint64_t texts_left_out, certificates_left_out;
    struct site_flow **flows; /* after site_build: by (first_ns, id) */
    size_t flow_count, flow_capacity;
    struct site_flow **by_id, **by_service, **by_client, **by_pair, **by_server;
    size_t *client_from, *server_from; /* by host number: where its flows begin in by_client, by_server; one more */
    struct activity *open_activity, *stuck_activity; /* beside by_service */
    struct activity *server_activity;                /* beside by_server */
    struct site_service *services;
    size_t service_count;
    struct site_pair *pairs;
    size_t pair_count;
    struct activity two_sided; /* of all flows */
    struct site_host **hosts;  /* hash table */
    uint64_t secret;           /* of its hash */
    size_t host_count, host_slots;
    const struct http_record **requests;
    size_t request_count, request_capacity;
    const struct secret_record **secrets; /* after site_build: by flow and number */
    size_t secret_count, secret_capacity;
    const struct h2_record **h2; /* after site_build: by flow */
    size_t h2_count, h2_capacity;
    const struct command_record **commands; /* after site_build: by flow and number */
    size_t command_count, command_capacity;
    const struct icmp_record **icmp;
    size_t icmp_count, icmp_capacity;
    const struct dns_record **dns; /* after site_build: by client, question, type, time */
    size_t dns_count, dns_capacity;
    const struct ntp_record **ntp; /* after site_build: by server, client, time */
    size_t ntp_count, ntp_capacity;
    const struct delay_facts **delays;
    size_t delay_count, delay_capacity;
    const struct rtt_sample_record **samples;
    size_t sample_count, sample_capacity;
    const struct swarm_record **swarms; /* by number */
    size_t swarm_count, swarm_capacity;
    const struct turn_record **turns; /* after site_build: by flow and number */
    size_t turn_count, turn_capacity;
    const struct arp_record **arp;
    size_t arp_count, arp_capacity;
    const struct certificate_record **certificates; /* after site_build: by id */
    size_t certificate_count, certificate_capacity;
    const struct staple_record **staples; /* after site_build: by id */
    size_t staple_count, staple_capacity;
    const struct source_record **sources;
    size_t source_count, source_capacity;
    struct path_sample_record **paths; /* after site_build: by client, then server */
    size_t path_count, path_capacity;
    const struct chain_record **earlier; /* chains of earlier captures of the store */
    size_t earlier_count, earlier_capacity;
    struct capture_record capture;
    bool has_capture;
    struct coverage *coverage; /* by time */
    size_t coverage_count;
};

/* Sorts and joins what was added; false when memory is out. May be called again after more was
 * added. */
bool site_build(struct site *site);

/* What the engine saw of the way between two addresses; NULL when it was not kept. */
struct path_sample_record *site_find_path(const struct site *site, const struct address *client,
                                          const struct address *server);
/* What was counted together of attempts at a server port, or of a client; NULL nothing. */
const struct swarm_record *site_find_swarm(const struct site *site, enum swarm_kind kind,
                                           uint8_t protocol, const struct address *address,
                                           uint16_t port);
/* NULL when the flow is not known. */
struct site_flow *site_find_flow(const struct site *site, int64_t id);
const struct certificate_record *site_find_certificate(const struct site *site, int64_t id);
const struct staple_record *site_find_staple(const struct site *site, int64_t id);
struct site_host *site_find_host(const struct site *site, const struct address *address);

/* Flows from the same client address, by time. */
struct flow_range site_client_flows(const struct site *site, const struct site_host *client);
/* Flows to the same server address, by time. */
struct flow_range site_server_flows(const struct site *site, const struct site_host *server);
/* Another flow than `but` to the same server address, seen in both directions, lived at some time
 * between from_ns and to_ns. */
bool site_server_answers(const struct site *site, const struct site_flow *but, int64_t from_ns,
                         int64_t to_ns);
/* Nothing at all was captured from then to then: of the longest pauses of the capture. */
bool site_has_pause(const struct site *site, int64_t from_ns, int64_t to_ns);
/* Another established connection to the same port began before `flow` and was still alive at ns. */
bool site_has_open_before(const struct site_flow *flow, int64_t ns);
/* The same of one whose request the server took without a word. */
bool site_has_stuck_before(const struct site_flow *flow, int64_t ns);
/* Whether the handshake with that SNI succeeded on the service. */
bool service_knows_name(const struct site_service *service, const char *name);
/* First index of `range` (sorted by first_ns) whose flow began at or after time_ns. */
size_t range_find_time(struct flow_range range, int64_t time_ns);

/* Whether the host is known to send packets with about that TTL; known is false when no usual
 * packet of it was seen. */
bool host_ttl_fits(const struct site_host *host, uint8_t ttl, bool *known);
/* The TTL nearest to `ttl` that the host usually has, 0 unknown. */
uint8_t host_usual_ttl(const struct site_host *host, uint8_t ttl);

/* Sorts flows by a key of them; those of one key stay in their order. False when memory is out. */
typedef uint64_t flow_key(const void *flow);
bool site_order(struct site_flow **flows, size_t count, flow_key *key);

/* Order of records: time, then flow id. */
int site_compare_flows(const struct site_flow *a, const struct site_flow *b);

#endif
