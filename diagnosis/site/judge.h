/* Judging a site: detectors look at the model and make claims; equal claims become one finding.
 *
 * A detector is one file that ends in `const struct detector detector_x`, and one line in
 * detectors.def; they run in that order. A claim starts from the catalogue (claim_start), is
 * changed by the detector's rules, and is handed over (judge_claim). Claims that a capture finding
 * silences are not made: ask judge_is_withdrawn first, and leave the flow unknown. */
#ifndef INVCAP_DIAGNOSIS_SITE_JUDGE_H
#define INVCAP_DIAGNOSIS_SITE_JUDGE_H

#include "core/catalogue.h"
#include "diagnosis/site/clocks.h"
#include "diagnosis/site/model.h"

#define CLAIM_VALUES 12
#define CLAIM_REFERENCES 4
/* FINDINGS.md: at most so many evidence references per finding. */
#define FINDING_REFERENCES 8
/* FINDINGS.md: below this a finding is "possible". */
#define CONFIDENCE_POSSIBLE 50

#define EVIDENCE(kind) (1u << (kind))

struct claim_value {
    const char *name; /* as the catalogue declares it */
    double number;    /* when text is NULL */
    const char *text;
};

struct claim_reference {
    int64_t source_id, frame, time_ns;
    const char *note; /* event kind name */
};

struct claim {
    enum finding_code code;
    uint8_t severity, category, culprit, scope;
    uint8_t confidence;
    bool primary;
    const struct site_flow *flow;   /* NULL: of no connection */
    struct site_flow *const *flows; /* further ones, by time; they count */
    size_t flow_count;
    int64_t first_ns, last_ns, count;
    struct address client_ip, server_ip;
    uint16_t client_port, server_port;
    const char *name, *service;
    const char *rivals; /* codes, comma separated; NULL: the catalogue's */
    const char *reason; /* culprit unknown: word of the REASON_ texts */
    double weight;      /* the worst of a finding's claims has the greatest */
    struct claim_value values[CLAIM_VALUES];
    uint8_t value_count;
    uint32_t evidence;        /* EVIDENCE() of the flow's events that prove it */
    int64_t evidence_from_ns; /* earlier events prove nothing; 0: from the start */
    struct claim_reference references[CLAIM_REFERENCES];
    uint8_t reference_count;
};

/* What the capture findings take away, filled by detector_capture. */
struct capture_quality {
    bool found[FINDING_COUNT]; /* capture findings of this capture */
    bool heavy_loss;           /* so much is missing that no absence proves anything */
    bool deep_loss;            /* so much that what is seen may be the rest of something ordinary */
    bool misses_packets;       /* some packets that were there are not in the capture */
    double torn;               /* share of the connections that provably miss some */
    bool clean_copies;         /* nearly every packet was captured twice */
    bool filter_hides_icmp, filter_hides_arp;
};

/* One method and path template of a service. */
struct endpoint {
    const struct site_service *service;
    const char *method, *path; /* never NULL */
    size_t requests;           /* answered ones */
    size_t connections;        /* that carried them */
    size_t again;              /* of them, asked at once when one was answered */
    size_t left;               /* unanswered ones that their client left after a while */
    int64_t median_ns;         /* of their waits; -1 unknown */
};

/* An address that two machines answered for, and when. */
struct address_conflict {
    struct address ip;
    int64_t first_ns, last_ns;
    const struct arp_record *owners[2];
};

/* What was asked of one service; exchanges.h. */
struct exchange_list {
    struct exchange *items;
    size_t count;
    bool taken;
};

struct judge {
    struct site *site;
    const struct profile *profile;
    struct capture_quality quality;
    const struct arp_record **unresolved; /* requests that nobody answers, by address */
    size_t unresolved_count;
    struct address_conflict *conflicts; /* found by detector_neighbors */
    size_t conflict_count;
    struct endpoint *endpoints; /* by service, method, path; made on first need */
    size_t endpoint_count;
    const struct dns_record **dns_by_flow; /* and number; made on first need */
    const char **known_names; /* that somebody was given an address for, sorted; made on first need */
    size_t known_name_count;
    const struct dns_record **open_questions; /* nobody's answer to them was seen, by name; made on first need */
    size_t open_question_count;
    struct exchange_list *exchanges;       /* by service; made on first need */
    struct site_chain *chains; /* by first use; made by detector_chains */
    size_t chain_count;
    struct capture_clock clock; /* by detector_clocks */
    struct clock_skew *skews;
    size_t skew_count;
    struct claim *claims;
    size_t claim_count, claim_capacity;
    bool failed; /* memory ran out */
};

struct detector {
    const char *name;
    void (*detect)(struct judge *judge);
};

/* A claim of `code` about `flow` (NULL: none), with what catalogue and flow say. */
struct claim claim_start(enum finding_code code, const struct site_flow *flow);
void claim_add_number(struct claim *claim, const char *name, double number);
/* A duration in ns as the milliseconds that the catalogue declares. */
void claim_add_ms(struct claim *claim, const char *name, int64_t duration_ns);
/* text is borrowed for the life of the site; NULL adds nothing. */
void claim_add_text(struct claim *claim, const char *name, const char *text);
void claim_add_reference(struct claim *claim, int64_t source_id, int64_t frame, int64_t time_ns,
                         enum event_kind kind);
/* The text value of that name; NULL: none. */
const char *claim_text(const struct claim *claim, const char *name);
/* A list of rival codes, ended by RIVAL_COUNT, as the text of a claim. */
const char *judge_rivals(struct judge *judge, const enum rival *rivals);
/* Adds a rival to those of the claim. */
void judge_add_rival(struct judge *judge, struct claim *claim, enum rival rival);
/* Takes the claim over (a copy). */
void judge_claim(struct judge *judge, const struct claim *claim);

/* The service of the profile that the connection is made to; NULL when none. flow may be NULL. */
const struct profile_service *judge_profile_service(const struct judge *judge,
                                            const struct site_flow *flow);
/* How long an answer of it may take (profile_slow_ns). */
int64_t judge_slow_ns(const struct judge *judge, const struct site_flow *flow);
/* The claim of the flow's verdict; NULL none. Borrowed until the next claim. */
const struct claim *judge_verdict(const struct judge *judge, const struct site_flow *flow);

/* How sure a claim that somebody tampers may be: where much is missing, what would excuse him may be, too. */
uint8_t judge_doubt_loss(const struct judge *judge, uint8_t confidence);

/* The same of a claim that rests on what was not seen: possible at most, and nobody is named. */
void judge_doubt_absence(const struct judge *judge, struct claim *claim);

/* How far the clock of the host is off as far as known; 0 also when nothing tells. */
int64_t judge_skew_ns(const struct judge *judge, const struct address *address);

/* FINDINGS.md "Absence": the capture went on for max(3 s, 8 x RTT) after since_ns, with other
 * traffic both ways at that tap (or of this flow itself). */
bool judge_absence_holds(const struct judge *judge, const struct site_flow *flow, int64_t since_ns);
/* The capture misses one packet in a thousand or more, and nobody said a word on the connection after the first
 * moments: a single packet that it has not, a reset, would tell another story. */
bool judge_may_miss_end(const struct judge *judge, const struct site_flow *flow, int64_t since_ns);
/* The end of the continuous capture that since_ns belongs to. */
int64_t judge_capture_end(const struct judge *judge, int64_t since_ns);
/* Whether a capture finding that concerns this flow silences the code. The only place that decides.
 */
bool judge_is_withdrawn(const struct judge *judge, enum finding_code code,
                        const struct site_flow *flow);

/* What the answered requests of that endpoint have in common; NULL when there were none. */
const struct endpoint *judge_endpoint(struct judge *judge, const struct site_flow *flow,
                                      const struct http_record *request);

/* The path says that its answers wait for news (long poll, event stream). */
bool endpoint_names_waiting(const char *path);

/* Puts the findings of all claims; ids count from first_id. False when memory is out. */
bool judge_emit(struct judge *judge, int64_t first_id, const struct sink *out);

#endif
