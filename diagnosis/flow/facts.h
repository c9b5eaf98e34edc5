/* The facts of one flow in the compact form that the diagnosis keeps, and the questions that one
 * flow answers by itself. Pure: nothing here knows other flows.
 *
 * Strings are borrowed. facts->tcp is never NULL: a flow that nothing happened to points to a
 * record that says so. facts->tls is NULL when no TLS was seen. Times are ns, -1 when unknown. */
#ifndef INVCAP_DIAGNOSIS_FLOW_FACTS_H
#define INVCAP_DIAGNOSIS_FLOW_FACTS_H

#include "core/record.h"

#define FACTS_MS 1000000LL
#define FACTS_SECOND 1000000000LL
/* FINDINGS.md: a side that waited so long gave up; its own close never outranks what it waited for.
 */
#define FACTS_PATIENCE_NS (2 * FACTS_SECOND)
/* FINDINGS.md: the absence rule. */
#define FACTS_ABSENCE_NS (3 * FACTS_SECOND)
#define FACTS_ABSENCE_RTTS 8
/* FINDINGS.md: so many unanswered tries prove silence. */
#define FACTS_TRIES 3

#define FACTS_PROTOCOL_TCP 6
#define FACTS_PROTOCOL_UDP 17
#define FACTS_PROTOCOL_ICMP 1
#define FACTS_PROTOCOL_ICMP_6 58

struct tls_facts {
    int64_t client_hello_ns, server_hello_ns, finished_ns, alert_ns;
    int64_t client_hello_frame, server_hello_frame, alert_frame;
    const char *cipher_name, *versions_offered, *sni, *client_ciphers, *upgraded_from;
    const char *alpn_offered, *alpn, *synack;
    const char *groups_offered, *group_name;
    char ja3s[33], ja4[40];
    const int64_t *chain; /* certificate ids that the server sent, leaf first */
    uint32_t chain_count;
    uint32_t client_hello_bytes, client_hello_segments;
    uint32_t certificate_count;
    uint16_t version_offered, version, cipher, group;
    int16_t alert;
    uint8_t alert_by, alert_level, alert_step, step, key_signature;
    bool alert_inferred, established, resumed, hello_retry, downgrade_sentinel;
    bool certificate_requested, certificate_sent, certificate_empty;
    bool close_notify_client, close_notify_server, plaintext_client, plaintext_server;
    int64_t staple_id;
    bool staple_asked, staple_sent, sct_asked, sct_sent, secure_renegotiation;
    uint32_t renegotiations;
    bool has_client_app, has_server_app;
    bool psk_offered, quic;
    uint32_t server_flight_bytes;
};

/* Beside the FLOW_FACT_ bits of the record, made from it: a protocol that sends without being answered. */
#define FACTS_ONE_WAY (1ull << 32)

/* What every flow is asked for stands first. */
struct flow_facts {
    int64_t first_ns, id;
    uint16_t port[2];
    uint8_t protocol, end, closed_by;
    uint8_t ndpi_risk; /* enum flow_risk */
    uint8_t ttl[2];
    uint8_t given_outcome, given_stage;
    uint16_t given_verdict; /* as the record came */
    uint64_t bits; /* FLOW_FACT_ */
    const struct flow_tcp_record *tcp;
    const struct tls_facts *tls;
    uint64_t packets[2], bytes[2], payload[2];
    int64_t last_ns;
    int64_t connect_rtt_server_ns, connect_rtt_client_ns;
    int64_t rtt_ns[2]; /* smallest, tap to that side */
    const char *name, *app, *service;
    uint64_t capture_lost_bytes;
    int64_t source_id, first_frame;
    uint32_t syn_retransmissions, synack_retransmissions;
    uint32_t retransmissions; /* of data, both sides */
    uint32_t resets[2];
    uint32_t request_count;
    char state[8];
    const struct flow_event *events;
    size_t event_count;
    const struct reset_record *reset_rows; /* the first of each side, in order */
    size_t reset_row_count;
};

/* Fills *out from the bundle; *tls is where TLS facts go when there are any. Everything stays
 * borrowed from the bundle; the chain is left empty. */
void facts_fill(const struct flow_bundle *bundle, struct tls_facts *tls, struct flow_facts *out);

bool facts_has(const struct flow_facts *f, uint64_t bit);
bool facts_is_tcp(const struct flow_facts *f);
/* SYN, SYN-ACK and something that acknowledges it were seen. */
bool facts_is_established(const struct flow_facts *f);
/* Taken up in mid-connection. */
bool facts_is_midstream(const struct flow_facts *f);
bool facts_is_two_sided(const struct flow_facts *f);
/* Until when both sides were heard; the end of the flow where that is not known. */
int64_t facts_two_way_until(const struct flow_facts *f);
/* Opened with a SYN that got no packet back. */
bool facts_is_unanswered_syn(const struct flow_facts *f);
/* Connected and closed by the client without a byte, or reset in answer to the SYN-ACK. */
bool facts_is_probe(const struct flow_facts *f);
/* Round trip between the two ends as far as known, ns; 0 unknown. */
int64_t facts_rtt(const struct flow_facts *f);
/* First FIN or RST of a side, -1 none. */
int64_t facts_end_ns(const struct flow_facts *f, enum side side);
/* The side closed (FIN or RST) before the other did; of two in the same instant the first packet
 * counts. */
bool facts_left_first(const struct flow_facts *f, enum side side);
bool facts_was_reset_by(const struct flow_facts *f, enum side side);
/* The side closed (FIN or RST) at least FACTS_PATIENCE_NS after since_ns. */
bool facts_gave_up(const struct flow_facts *f, enum side side, int64_t since_ns);
/* A ClientHello was seen and no byte of the server after it. */
bool facts_hello_unanswered(const struct flow_facts *f);
/* Bytes that nobody captured, cut or given up stand where the answer would be. */
bool facts_is_blurred(const struct flow_facts *f);
/* Every byte of the side from its first to its last was captured: what came first, and what came before
 * its end, is known. */
bool facts_is_heard_whole(const struct flow_facts *f, enum side side);
/* Packets of it must have been there that the capture has not, though no bytes are known to be missing: a side
 * heard more than was captured, or was neither acknowledged nor sent again what was not. */
bool facts_is_torn(const struct flow_facts *f);
/* The client let go of the handshake on account of what it was shown, as far as that is known: it said so, or left,
 * and no packet is missing that would tell otherwise. */
bool facts_refused_handshake(const struct flow_facts *f);
/* A control connection of FTP, by what is spoken or by its port. */
bool facts_is_ftp_control(const struct flow_facts *flow);
/* The application speaks by request and answer (HTTP, TLS). */
bool facts_is_dialogue(const struct flow_facts *f);
bool facts_is_icmp(const struct flow_facts *f);
/* One machine asks another one something by ICMP: echo, timestamp and the like. What tells the link about itself
 * (neighbours, routers, groups) is no conversation, and nobody waits for an answer of one machine. */
bool facts_asks_by_icmp(const struct flow_facts *f);
/* Nothing is wrong with it, whatever the other flows say. */
bool facts_is_plain(const struct flow_facts *f);
/* How far the connection came. */
enum stage facts_stage(const struct flow_facts *f);

#endif
