/* The primary verdict of a failed connection: the rules of FINDINGS.md, one function each.
 * verdict.c holds their order. A rule says nothing about flows that an earlier rule has taken. */
#ifndef INVCAP_DIAGNOSIS_SITE_VERDICT_H
#define INVCAP_DIAGNOSIS_SITE_VERDICT_H

#include "diagnosis/site/judge.h"

enum ruling {
    RULING_PASS,   /* not this one */
    RULING_FAILED, /* *out says why */
    RULING_OK,
    RULING_UNKNOWN, /* it looks like it, but the capture does not prove it */
    RULING_UNSOLICITED
};

/* What a verdict rests on, and therefore what spoils it. */
enum proof {
    PROOF_DIRECT,  /* a packet that says so */
    PROOF_HEADERS, /* packets that did not come: a gap in the capture spoils it */
    PROOF_CONTENT  /* what was said last: packets cut short spoil it too */
};

struct verdict_rule {
    const char *name;
    enum proof proof;
    enum ruling (*judge)(struct judge *judge, const struct site_flow *flow, struct claim *out);
};

/* The rules in FINDINGS.md's order, *count of them. For the test of the order. */
const struct verdict_rule *verdict_rules(size_t *count);

/* Smallest round trip, ns, between the tap and a server on the link that the tap is on; -1: it is further
 * away, or nothing tells. */
int64_t verdict_link_ns(const struct site_host *server);

#define VERDICT_RULE(name)                                                                         \
    enum ruling verdict_##name(struct judge *judge, const struct site_flow *flow, struct claim *out)

/* verdict_connect.c: before TCP is open */
VERDICT_RULE(unresolved);
VERDICT_RULE(icmp);
VERDICT_RULE(reset_to_syn);
VERDICT_RULE(silent_syn);
VERDICT_RULE(synack_loop);
VERDICT_RULE(accept_queue);
/* verdict_stale.c: the server holds an older connection of the same ports */
VERDICT_RULE(stale_tuple);
/* verdict_stamps.c: timestamps went back */
VERDICT_RULE(stamps_refused);
/* The same where they came right again: what the connection waited for meanwhile. */
void stamps_tell_delay(struct judge *judge, const struct site_flow *flow);
/* verdict_path.c: the way broke */
VERDICT_RULE(mtu);
VERDICT_RULE(idle_lost);
VERDICT_RULE(vanished);
/* verdict_reset.c */
VERDICT_RULE(reset_injected);
VERDICT_RULE(server_reset);
VERDICT_RULE(client_reset);
/* verdict_alert.c: a TLS handshake with a word why */
VERDICT_RULE(alert);
/* verdict_tls.c: and without */
VERDICT_RULE(plaintext);
VERDICT_RULE(hello_dropped);
VERDICT_RULE(hello_silence);
VERDICT_RULE(hello_closed);
VERDICT_RULE(handshake_aborted);
/* verdict_http.c: the exchange */
VERDICT_RULE(keepalive_race);
VERDICT_RULE(truncated);
VERDICT_RULE(no_response);

/* verdict_udp.c: datagram flows, outside the order */
VERDICT_RULE(datagrams);

/* Whether the RST of a side fits the TTL that its other packets have; known is false without any.
 */
bool verdict_reset_fits(const struct site_flow *flow, enum side side, bool *known);
/* The same of one TTL, for which any that the host has on its other connections will do, too: it may
 * be several machines. */
bool verdict_ttl_fits(const struct site_flow *flow, enum side side, uint8_t ttl, bool *known);
/* The unacknowledged end of what a side sent is proven to be unanswered: tried often enough, given
 * up, or by the absence rule. */
bool verdict_tail_is_proven(const struct judge *judge, const struct site_flow *flow,
                            enum side side);
/* The client had given up (FIN) before the answer came, and refused it. */
bool verdict_answered_too_late(const struct site_flow *flow);
/* Until when what the peer sends may have left before bytes sent at that time could reach it, ns. */
int64_t verdict_in_flight_until(const struct flow_facts *f, int64_t ns);
/* From here on a hole is of full segments: the rule about sizes speaks of it, or keeps its peace. */
#define VERDICT_FULL_GAP 500u
/* A router said that a packet of it was too big. */
bool verdict_has_mtu_answer(const struct site_flow *flow);
/* What the challenge ACK to the flow's SYN says, whether or not it opened later. */
struct claim stale_tuple_claim(const struct site_flow *flow);
/* "client" or "server". */
const char *verdict_side_word(enum side side);
/* A client that ends by a RST without ACK was ended before, out of sight: it is not to blame. */
void verdict_doubt_aborter(const struct flow_facts *flow, struct claim *out);
/* The same where the capture misses packets: then what ended it may be among them. */
bool verdict_ended_unseen(const struct judge *judge, const struct flow_facts *flow);

#define VERDICT_HELLO_EVIDENCE (EVIDENCE(EVENT_CLIENT_HELLO) | EVIDENCE(EVENT_SERVER_HELLO))
/* The claim of code about the flow's alert, read or inferred: evidence, values, and who is to blame. */
void verdict_start_alert(struct judge *judge, const struct site_flow *flow, enum finding_code code,
                         struct claim *out);
/* FINDINGS.md tls-version-mismatch: blames the side that is older, and adds both sets. */
void verdict_blame_version(struct judge *judge, const struct site_flow *flow, struct claim *out);
/* After which step of the handshake (enum tls_step) it ended. */
const char *verdict_step_word(unsigned step);

#endif
