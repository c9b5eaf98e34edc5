/* Records: what the stages hand to the store and to the diagnosis, and the column tables that are
 * the only place where a column's name, unit and meaning are written. SQL, JSON, CSV and
 * docs/schema.md are made from the tables.
 *
 * Open data. Strings are borrowed: interned for the life of the engine (core/intern.h) or of the
 * reader that loaded them. Times are ns since 1970 UTC of the packet clock; durations end in _ns and
 * are -1 when unknown; NULL or "" text is absent. client is side 0, server is side 1. */
#ifndef INVCAP_CORE_RECORD_H
#define INVCAP_CORE_RECORD_H

#include "core/address.h"
#include "core/record_dns.h"
#include "core/record_dependency.h"
#include "core/record_ntp.h"
#include "core/record_reset.h"
#include "core/record_path.h"
#include "core/record_chain.h"
#include "core/record_incident.h"
#include "core/record_baseline.h"

#include "core/record_h2.h"
#include "core/record_secret.h"
#include "core/record_staple.h"
#include "core/record_extent.h"
#include "core/record_swarm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RECORD_NONE_NS (-1)

enum side { SIDE_CLIENT, SIDE_SERVER, SIDE_NONE };

static inline enum side side_other(enum side side)
{
    return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

/* FINDINGS.md "Failed connection". Order is public (names in record.c). */
enum outcome { OUTCOME_NONE, OUTCOME_OK, OUTCOME_FAILED, OUTCOME_UNKNOWN, OUTCOME_UNSOLICITED, OUTCOME_COUNT };

enum stage {
    STAGE_NONE, STAGE_DNS, STAGE_ARP, STAGE_SYN, STAGE_SYNACK, STAGE_ACK, STAGE_TLS_CH,
    STAGE_TLS_SH, STAGE_TLS_CERT, STAGE_TLS_FIN, STAGE_REQ, STAGE_RESP, STAGE_IDLE, STAGE_CLOSE
};

/* What the connection looked like at the moment its flow record was closed. */
enum end_reason {
    END_NONE, END_CLOSED,      /* FIN both ways or RST */
    END_CAPTURE,               /* the capture ended while it was open */
    END_TIMEOUT,               /* idle longer than the flow table keeps it */
    END_REUSED,                /* a new SYN took its 4-tuple */
    END_EVICTED                /* memory ceiling */
};

/* Remarks of nDPI. */
enum flow_risk {
    FLOW_RISK_NONE,
#define FLOW_RISK(id, bit, words) FLOW_RISK_##id,
#include "core/flow_risks.def"
#undef FLOW_RISK
    FLOW_RISK_COUNT
};
const char *flow_risk_words(unsigned risk);

/* ---- flows ----------------------------------------------------------------------------------- */
struct flow_record {
    int64_t id;                 /* ordinal of (time, source, frame) of the first packet, from 1 */
    int64_t capture_id;
    int64_t source_id;
    int64_t first_frame;
    char community_id[COMMUNITY_ID_SIZE];
    int64_t first_ns, last_ns;
    uint8_t protocol;           /* IANA number: 6, 17, 1, 58, 132 */
    struct address client_ip, server_ip;
    uint16_t client_port, server_port;
    int32_t vlan;               /* outermost VLAN id, -1 none */
    const char *tunnel;         /* "gre", "vxlan:42", ... */
    const char *service;        /* the profile's service name */
    const char *service_class;  /* not a column: management, order, payment ... */
    const char *app;            /* by our dissectors: "tls", "tlcp", "http", ... */
    const char *ndpi_protocol;
    uint8_t ndpi_risk;          /* enum flow_risk: the first that no finding covers */
    const char *name;           /* SNI, HTTP Host: what the client called the server */
    uint64_t client_packets, server_packets;
    uint64_t client_bytes, server_bytes;                 /* IP packet lengths */
    uint64_t client_payload_bytes, server_payload_bytes; /* TCP: distinct stream bytes seen */
    char state[8];              /* Zeek's conn_state */
    char history[32];           /* Zeek's letters */
    uint8_t outcome;            /* enum outcome; site diagnosis */
    uint16_t verdict;           /* enum finding_code + 1, 0 none; site diagnosis */
    uint8_t stage;              /* enum stage: how far the connection came */
    uint8_t end;                /* enum end_reason */
    uint8_t closed_by;          /* enum side: first FIN or RST */
    int64_t connect_rtt_server_ns; /* SYN to SYN-ACK at the tap, unambiguous ones only */
    int64_t connect_rtt_client_ns; /* SYN-ACK to ACK at the tap */
    int64_t rtt_min_client_ns, rtt_min_server_ns; /* tap <-> that side */
    uint32_t syn_retransmissions, synack_retransmissions;
    uint32_t client_retransmissions, server_retransmissions; /* data segments */
    uint32_t client_resets, server_resets;
    uint8_t client_ttl, server_ttl; /* of the usual packets, never of a RST; 0 unseen */
    uint64_t request_count;
    int64_t response_max_ns;
    uint64_t capture_lost_bytes;
    uint64_t facts;             /* FLOW_FACT_ bits */
    uint8_t features;           /* FLOW_FEATURE_ bits */
    bool has_tcp;               /* not a column: a flow_tcp row exists */
    /* Not columns: rows so far, which go on when one protocol hands over to another (CONNECT, AUTH TLS). */
    uint32_t http_rows, secret_rows, command_rows;
};

/* Bits of flow_record.facts: what the session engine saw, for the diagnosis. */
#define FLOW_FACT_MIDSTREAM (1u << 0)       /* no SYN and no SYN-ACK seen */
#define FLOW_FACT_UNSEEN_PEER (1u << 1)     /* a side never seen although the other acknowledges it */
#define FLOW_FACT_ESTABLISHED (1u << 2)     /* SYN, and both sides speak as after a SYN-ACK */
#define FLOW_FACT_REQUEST_OPEN (1u << 3)    /* last application payload came from the client */
#define FLOW_FACT_ANSWER_INCOMPLETE (1u << 4) /* an answer began and its own length says more */
#define FLOW_FACT_DUPLICATES (1u << 5)      /* copies of its packets were left out */
#define FLOW_FACT_SNAPLEN (1u << 6)         /* payload cut by the snap length before it was parsed */
#define FLOW_FACT_TRACEROUTE (1u << 7)      /* growing TTLs: its time-exceeded answers are wanted */
#define FLOW_FACT_NO_SYN (1u << 8)          /* SYN-ACK seen, SYN not */
#define FLOW_FACT_LOOPED (1u << 9)          /* the same packet came again with lower TTLs, > 2 hops */
#define FLOW_FACT_DIRECTION_GUESSED (1u << 10)
#define FLOW_FACT_REUSED_TUPLE (1u << 11)   /* opened on the 4-tuple of an earlier flow */
#define FLOW_FACT_TLS_FINISHED (1u << 12)   /* a TLS or TLCP handshake completed */
#define FLOW_FACT_SERVER_SPOKE_FIRST (1u << 13)
#define FLOW_FACT_ANSWERED (1u << 14)       /* at least one complete answer was given */
#define FLOW_FACT_OFFLOAD (1u << 15)        /* segments above the MTU seen */
#define FLOW_FACT_LIMIT (1u << 16)          /* something of it was given up at a limit */
#define FLOW_FACT_REQUEST_PART (1u << 17)   /* the client's last request or hello never became whole */
#define FLOW_FACT_STRAY (1u << 18)          /* begun by a segment with neither SYN, RST nor ACK */
#define FLOW_FACT_RESET_MAC (1u << 19)      /* a RST in the server's name from another hardware address */
#define FLOW_FACT_BITS 20                   /* the store has room for no more */

/* Bits of flow_record.features: what its handshake agreed on or was. */
#define FLOW_FEATURE_ECN 1u                 /* both sides: RFC 3168 6.1.1 */
#define FLOW_FEATURE_FAST_OPEN 2u           /* the SYN asked for or carried a cookie, or data: RFC 7413 */
#define FLOW_FEATURE_MPTCP 4u               /* an MPTCP option in a SYN: RFC 8684 */
#define FLOW_FEATURE_SIMULTANEOUS 8u        /* both sides sent a SYN: RFC 9293 3.5 */

/* What a SYN carries that others leave out. The usual options are told by their absence, so that 0 is a
 * plain SYN of today's systems. */
#define SYN_TRAIT_ECN 1u                    /* ECE and CWR: RFC 3168 6.1.1 */
#define SYN_TRAIT_FAST_OPEN 2u
#define SYN_TRAIT_DATA 4u
#define SYN_TRAIT_MPTCP 8u
#define SYN_TRAIT_NO_TIMESTAMPS 16u
#define SYN_TRAIT_NO_SCALE 32u
#define SYN_TRAIT_NO_SACK 64u
#define SYN_TRAIT_OTHER_OPTION 128u         /* none of the above, nor MSS or padding */
#define SYN_TRAIT_DSCP 256u                 /* a DiffServ code point other than 0 */
/* Those that few SYNs carry: a flow without a flow_tcp row had none of them. */
#define SYN_TRAITS_ADDED (SYN_TRAIT_ECN | SYN_TRAIT_FAST_OPEN | SYN_TRAIT_DATA | SYN_TRAIT_MPTCP | \
                          SYN_TRAIT_OTHER_OPTION | SYN_TRAIT_DSCP)

/* ---- flow_tcp: only where something happened -------------------------------------------------- */
struct tcp_side_facts {
    uint32_t segments;              /* with payload, first transmissions */
    uint32_t retransmitted_bytes;
    uint32_t recovered_losses;      /* retransmitted segments later acknowledged, not spurious */
    uint32_t spurious_retransmissions;
    uint32_t fast_retransmissions;  /* answered repeated or selective acknowledgments */
    uint32_t timeout_retransmissions; /* after the timer, the rest of that recovery included */
    uint32_t tail_probes;           /* the last segment again, before the timer (RFC 8985) */
    uint32_t needless_retransmissions; /* the receiver had them already, as it told (RFC 2883) */
    uint32_t filling_retransmissions; /* their first copy never came by: lost before the tap */
    uint32_t wrong_checksums;       /* segments whose checksum (or that of their IP header) is wrong */
    uint32_t damaged_losses;        /* of filling_retransmissions: the first copy came by with a wrong checksum */
    uint32_t window_probes;         /* sent by this side into a closed window */
    uint32_t window_full;           /* segments that used the last byte of the peer's window */
    uint32_t conflicting_segments;  /* sent again with other bytes than before */
    uint32_t reordered_segments;
    uint32_t disordered_segments;   /* of them: captured behind their acknowledgment */
    uint32_t duplicate_acks;        /* sent by this side */
    uint32_t stamp_refusals;        /* the peer's ACKs that refuse segments of this side for their old timestamps */
    uint32_t stamp_back;            /* ticks by which those lay behind what the peer had taken, the first time */
    uint32_t keepalives;
    uint32_t silent_probes;         /* of them and of window probes: the last ones, nothing came back */
    int64_t silent_probe_ns;        /* the first of those; -1 none */
    uint32_t zero_windows;          /* packets of this side announcing window 0 */
    int64_t zero_window_ns;         /* total time its window stayed 0 while the peer had data waiting */
    uint64_t capture_gap_bytes;     /* of this side: acknowledged by the peer, never captured */
    uint64_t wire_gap_bytes;        /* of this side: hole never filled and never acknowledged */
    uint64_t unacked_bytes;         /* of this side: sent, not acknowledged at the end */
    uint32_t tail_retransmissions;  /* of the oldest unacknowledged bytes, without progress, at the end */
    int64_t tail_first_ns;          /* when those bytes were first sent; -1 none */
    int64_t tail_last_ns;           /* when they were last sent */
    int64_t last_ns;                /* last packet of this side; -1 none */
    int64_t last_payload_ns;
    int64_t fin_ns;
    int64_t rst_ns;                 /* first RST */
    int64_t rst_frame;
    uint8_t rst_ttl;
    bool rst_with_ack;
    bool rst_with_payload;
    uint32_t rst_count;
    int64_t rst_sequence_offset;    /* RST.seq - next expected sequence of this side */
    int64_t rst_delay_ns;           /* since the last packet of the other side; -1 none */
    bool rst_ack_changed;           /* several RSTs whose sequence or acknowledgement differ */
    bool data_after_rst;            /* later non-RST packets at or above RST.seq, not reordered */
    uint8_t ttl_min, ttl_max;       /* without RSTs */
    uint32_t mss;                   /* announced; 0 none */
    int32_t window_scale;           /* announced; -1 none */
    uint32_t largest_delivered;     /* IP packet length of the largest acknowledged segment */
    uint32_t smallest_lost;         /* IP packet length of the tail segment; 0 none */
    uint32_t shrunk_from, shrunk_to; /* the same bytes got through at once in smaller packets; 0 none */
    bool dont_fragment, unseen_echo; /* the peer echoes a later timestamp than any captured of this side */
    char options[24];               /* SYN options in order, p0f letters: "mss,sok,ts,nop,ws" cut */
};

/* Two SYN-ACKs with different sequence numbers: was it one machine that sent them? */
struct synack_pair {
    int64_t source_id, first_frame, other_frame; /* frames 0: none */
    int64_t gap_ns;                 /* between the two; -1 none */
    uint32_t syns;                  /* SYNs seen before the second */
    uint8_t first_ttl, other_ttl;
    bool shape_differs;             /* options, their values or the window */
    bool mac_differs;               /* sender's hardware address */
    bool answers_same;              /* both acknowledge the same SYN */
};

/* Two segments of one sender with different bytes for the same place: the first such pair. */
struct content_conflict {
    int64_t source_id, first_frame, other_frame; /* frames 0: none */
    int64_t first_ns, gap_ns;       /* between the two; -1 none */
    uint8_t first_ttl, other_ttl;
    uint8_t side;                   /* enum side: whose address they carry */
};

struct flow_tcp_record {
    int64_t flow_id;
    uint32_t syn_count, synack_count;
    uint16_t syn_first_traits, syn_answered_traits; /* SYN_TRAIT_ bits: of the first SYN, and of the
                                       last one before an answer (of all, when none came) */
    uint32_t syn_first_tries;       /* SYNs with the traits of the first one, before an answer */
    char syn_to_mac[MAC_TEXT_SIZE]; /* to whom the first packet went, ARP or NDP being captured; "" else,
                                       or where the server was heard */
    int64_t syn_last_ns;
    int64_t synack_first_ns, synack_last_ns;
    int64_t established_ns;         /* first packet that acknowledges the SYN-ACK; -1 never */
    bool synack_conflict;           /* two SYN-ACKs with different sequence numbers */
    struct synack_pair synack_pair; /* the first two of these */
    struct content_conflict conflict;
    bool rst_to_syn;                /* the server's first word was a RST that acknowledges the SYN */
    bool old_timestamp;             /* the SYN's TCP timestamp lies below earlier ones of the address */
    bool challenge_ack;             /* the SYN was answered by an ACK that does not fit it */
    int64_t longest_idle_ns;        /* longest pause that the flow survived */
    int64_t idle_before_tail_ns;    /* pause before the packet that was reset or never answered */
    int64_t wait_ns;                /* from the last request byte to the end, a request being open */
    uint32_t tail_tries;            /* sends after that pause without any answer */
    struct tcp_side_facts side[2];
};

/* ---- flow_events ------------------------------------------------------------------------------ */
enum event_kind {
    EVENT_SYN, EVENT_SYNACK, EVENT_ACK, EVENT_DATA, EVENT_FIN, EVENT_RST, EVENT_RETRANSMISSION,
    EVENT_REORDERED, EVENT_DUPLICATE_ACK, EVENT_KEEPALIVE, EVENT_ZERO_WINDOW, EVENT_WINDOW_UPDATE,
    EVENT_GAP, EVENT_ICMP, EVENT_CLIENT_HELLO, EVENT_SERVER_HELLO, EVENT_CERTIFICATE, EVENT_ALERT,
    EVENT_TLS_FINISHED, EVENT_REQUEST, EVENT_RESPONSE, EVENT_DATAGRAM,
    EVENT_DAMAGED,               /* a wrong checksum among right ones: its receiver drops it */
    EVENT_KIND_COUNT
};

/* What is known besides the kind: why bytes were sent again, what a probe is for. */
enum event_note {
    NOTE_NONE, NOTE_FAST, NOTE_TIMEOUT, NOTE_TAIL_PROBE, NOTE_SPURIOUS, NOTE_UNCLEAR,
    NOTE_WINDOW_PROBE, NOTE_WINDOW_FULL,
    NOTE_LOST_BY_CAPTURE,        /* a gap: acknowledged, thus delivered, yet never captured */
    NOTE_UNRESOLVED,             /* a gap: never filled and never acknowledged */
    NOTE_COUNT
};

/* What shows that bytes come again, or late; + REASON_TIMESTAMP where the TCP timestamps prove it. */
enum event_reason {
    REASON_NONE,
    REASON_ORIGINAL_SEEN,        /* they passed the tap before: lost behind it, if at all */
    REASON_FILLS_HOLE,           /* they had not passed the tap: lost before it, or only late */
    REASON_ACKNOWLEDGED,         /* the other side had all of them */
    REASON_PARTLY_ACKNOWLEDGED,
    REASON_SPANS_NEW,            /* begins in old bytes and ends in new ones */
    REASON_OTHER_BYTES,          /* they differ from those sent before for the same place */
    REASON_IP_ID,                /* late: its IP ID is older than that of the segment before */
    REASON_TIMESTAMP = 8, REASON_COUNT = 16
};

struct flow_event {
    int64_t time_ns;
    uint32_t frame;
    uint32_t sequence;   /* relative to that side's ISN (first seen), as Wireshark prints */
    uint32_t length : 20; /* payload bytes */
    uint32_t note : 6;   /* enum event_note */
    uint32_t reason : 6; /* enum event_reason */
    uint16_t source_id;
    uint8_t kind;        /* enum event_kind */
    uint8_t side;        /* enum side of the sender; SIDE_NONE for ICMP of a third party */
};

struct flow_event_record { /* the row form */
    int64_t flow_id;
    int64_t number;      /* 0.. in time order */
    int64_t source_id, frame, time_ns;
    uint8_t side, kind, note, reason;
    uint8_t confidence;  /* that it is what kind and note say, percent; 0 not rated */
    int64_t sequence, length;
};

#define FLOW_EVENTS_HEAD 16u
#define FLOW_EVENTS_TAIL 48u
#define FLOW_EVENTS_RING (FLOW_EVENTS_HEAD + FLOW_EVENTS_TAIL)
#define FLOW_EVENTS_KEPT 12u /* remarkable ones between them */
#define FLOW_EVENTS_MAX (FLOW_EVENTS_RING + FLOW_EVENTS_KEPT)

/* ---- tls_sessions ------------------------------------------------------------------------------ */
enum tls_step { /* the last step reached, both directions */
    TLS_STEP_NONE, TLS_STEP_CLIENT_HELLO, TLS_STEP_HELLO_RETRY, TLS_STEP_SERVER_HELLO,
    TLS_STEP_SERVER_CERTIFICATE, TLS_STEP_SERVER_DONE, TLS_STEP_CLIENT_CERTIFICATE,
    TLS_STEP_CLIENT_KEY_EXCHANGE, TLS_STEP_CLIENT_FINISHED, TLS_STEP_FINISHED
};

#define TLS_ALERT_HIDDEN 255

enum tls_decryption { /* with key logs */
    TLS_DECRYPTION_NONE,    /* not tried: no key log, or no ServerHello */
    TLS_DECRYPTION_NO_KEYS, /* no log has secrets of this session */
    TLS_DECRYPTION_UNSUPPORTED, /* a log has, but DTLS, QUIC and this suite are not opened */
    TLS_DECRYPTION_FAILED,  /* the secrets do not fit */
    TLS_DECRYPTION_PARTLY,  /* up to a gap in one direction at least, or without later keys */
    TLS_DECRYPTION_WHOLE
};

enum tls_signature { /* of the key exchange of TLCP by the server */
    TLS_SIGNATURE_NONE,              /* not checked */
    TLS_SIGNATURE_VALID,
    TLS_SIGNATURE_OTHER_CERTIFICATE, /* right, but over the signing certificate */
    TLS_SIGNATURE_OTHER_KEY,         /* right, but by the key for encryption */
    TLS_SIGNATURE_OTHER_FORM,        /* right, but over bytes put together in another way */
    TLS_SIGNATURE_WRONG
};

struct tls_record {
    int64_t flow_id;
    int64_t client_hello_ns, server_hello_ns, finished_ns; /* -1 unseen */
    int64_t client_hello_frame, server_hello_frame;
    uint16_t version_offered;      /* highest, GREASE removed; 0 none */
    uint16_t version;              /* negotiated: 0x0304, 0x0101 TLCP ...; 0 none */
    uint16_t cipher;               /* 0 none */
    uint16_t group;                /* key share or curve of ServerKeyExchange; 0 unknown */
    const char *cipher_name;       /* IANA */
    const char *versions_offered;  /* "TLS 1.3,TLS 1.2" */
    const char *sni;
    const char *alpn_offered;      /* comma separated */
    const char *alpn;              /* selected, visible up to TLS 1.2 */
    char ja3[33], ja3s[33];
    char ja4[40];
    char history[32];              /* Zeek's ssl_history letters */
    uint8_t step;                  /* enum tls_step */
    bool established;              /* both sides finished as far as can be seen */
    bool resumed;
    bool hello_retry;
    bool downgrade_sentinel;       /* in ServerHello.random (RFC 8446 4.1.3) */
    bool client_certificate_requested;
    bool client_certificate_sent;  /* not an empty one */
    bool client_certificate_empty;
    uint32_t client_hello_bytes;   /* handshake message with header */
    uint32_t client_hello_segments;
    int16_t alert;                 /* first fatal (or handshake-ending) alert, -1 none;
                                      TLS_ALERT_HIDDEN: encrypted, its number cannot be told */
    uint8_t alert_by;              /* enum side */
    uint8_t alert_level;           /* 1 warning, 2 fatal, 0 unknown (inferred) */
    uint8_t alert_step;            /* enum tls_step when it came */
    bool alert_inferred;           /* encrypted: from record lengths and who closes */
    int64_t alert_ns, alert_frame;
    int16_t warning;               /* first readable warning that did not end it, -1 none */
    uint8_t warning_by;            /* enum side */
    bool close_notify_client, close_notify_server;
    bool plaintext_client;         /* client's first bytes are not TLS on a flow whose server spoke TLS,
                                      or the port expects TLS */
    bool plaintext_server;         /* the answer to a ClientHello is not TLS */
    uint64_t client_app_records, server_app_records;
    int64_t hello_delay_ns;        /* ClientHello end to ServerHello start, at the tap */
    uint32_t certificate_count;    /* sent by the server */
    const char *group_name;        /* of group; NULL unknown */
    const char *groups_offered;    /* names, comma separated, GREASE left out */
    const char *key_shares;        /* groups whose share came along, comma separated */
    const char *compressions;      /* certificate compressions offered: "zlib,brotli" */
    const char *compression;       /* of the server's certificates, "brotli": seen with keys only */
    bool early_data;               /* 0-RTT was announced or sent */
    bool psk_offered;              /* TLS 1.3 pre-shared key, or a ticket that is not empty */
    bool ech;                      /* encrypted_client_hello, real or GREASE */
    bool grease;
    bool staple_asked, staple_sent; /* status_request; CertificateStatus, readable up to TLS 1.2 */
    int64_t staple_id;             /* ocsp_staples; 0 none, or not kept */
    bool sct_asked, sct_sent;      /* signed_certificate_timestamp in the hellos */
    uint32_t sct_count;            /* timestamps in the handshake's own extension */
    const char *sct_logs;          /* ids of their logs, hex, comma separated */
    uint32_t renegotiations;       /* handshakes within the encrypted session, up to TLS 1.2 */
    bool secure_renegotiation;     /* the server takes RFC 5746 */
    uint32_t server_flight_bytes;  /* from ServerHello to the end of the server's first flight */
    uint32_t quic_version;         /* 0: not QUIC */
    bool quic_retry, quic_negotiation;
    int64_t quic_error;            /* of the first CONNECTION_CLOSE that can be read, -1 none */
    const char *synack;            /* shape of the SYN-ACK to that of the SYN, TCP only; NULL unseen */
    const char *upgraded_from;     /* what the connection spoke before: "smtp", "socks5"; NULL nothing */
    uint8_t decryption;            /* enum tls_decryption */
    uint8_t key_signature;         /* enum tls_signature */
    const char *client_ciphers;    /* hex list, for rivals and mismatches: "1301,1302,c02f" */
};

/* ---- certificates ------------------------------------------------------------------------------ */
struct certificate_record {
    int64_t id;                    /* 1.. in order of first sight */
    char sha256[65];
    const char *subject, *issuer;  /* RFC 4514 */
    const char *subject_cn, *issuer_cn;
    const char *serial;            /* hex */
    const char *san;               /* "DNS:a,DNS:b,IP:1.2.3.4" */
    int64_t not_before_ns, not_after_ns;
    const char *key_type;          /* "RSA", "EC", "SM2", "Ed25519" */
    int64_t key_bits;
    const char *curve;
    const char *signature;         /* OpenSSL long name, e.g. "sha256WithRSAEncryption" */
    bool self_signed;              /* signature checks with its own key */
    bool is_ca;
    int64_t rsa_exponent;          /* 0 not RSA, -1 larger than 2^62 */
    char spki_sha256[65];
    const char *key_usage;         /* "digitalSignature,keyEncipherment" */
    const char *revocation;        /* "ocsp:http://a/,crl:http://b/c.crl": where to ask; NULL nowhere */
    uint32_t sct_count;            /* certificate timestamps in its own extension (RFC 6962 3.3) */
    const char *sct_logs;          /* ids of their logs, hex, comma separated */
    const char *parse_error;       /* set when the DER did not parse; then most fields are empty */
    const uint8_t *der;
    int64_t der_len;
    int64_t first_seen_ns;
};

struct tls_certificate_record {
    int64_t flow_id;
    uint8_t side;                  /* who sent it */
    int64_t position;              /* 0 = first in the message */
    int64_t certificate_id;
};

/* ---- http_transactions ------------------------------------------------------------------------- */
/* Order is public (names in columns_tls.c). */
enum http_version { HTTP_VERSION_NONE, HTTP_VERSION_10, HTTP_VERSION_11, HTTP_VERSION_2 };
/* What waits, streams or fails by rules of its own. */
enum http_kind { HTTP_PLAIN, HTTP_GRPC, HTTP_EVENTS, HTTP_WEBSOCKET, HTTP_TUNNEL };

struct http_record {
    int64_t flow_id;
    int64_t number;                /* 1.. within the flow */
    const char *method, *host, *path; /* path as template: ids replaced, query dropped */
    int32_t status;                /* 0 none */
    int64_t request_ns, request_end_ns, response_ns, response_end_ns; /* -1 unseen */
    int64_t request_frame, response_frame;
    uint64_t request_bytes, response_bytes; /* bodies, as far as they came */
    int64_t wait_ns;               /* request end to first byte of the final answer, less min RTT */
    uint8_t version;               /* enum http_version */
    uint8_t kind;                  /* enum http_kind */
    int64_t stream;                /* HTTP/2 stream; 0 none */
    int64_t idle_ns;               /* from the connection's answer before to this request; -1 first */
    int16_t grpc_status;           /* -1 none */
    int64_t reset_error;           /* HTTP/2: code of the RST_STREAM that ended it; -1 none */
    uint8_t reset_by;              /* enum side; SIDE_NONE */
    int64_t date_ns;               /* Date of an answer that comes from no cache; -1 */
    bool hsts;                     /* the answer has Strict-Transport-Security */
    bool to_https;                 /* the answer redirects to https: */
    bool from_https;               /* the request says that its client asked for https: */
    uint8_t credentials;           /* enum secret_kind of what the request was authorised with */
    char credentials_hash[SECRET_HASH_SIZE];
    int64_t token_expires_ns;      /* of a JWT that the request was authorised with; -1 */
    bool has_credentials;          /* Authorization, Cookie or Proxy-Authorization was sent */
    bool complete;                 /* both messages whole */
    bool truncated;                /* response ended before its length or last chunk */
    uint8_t ended_by;              /* enum side, when truncated or unanswered */
};

/* ---- icmp_errors, arp_bindings ------------------------------------------------------------------ */
struct icmp_record {
    int64_t capture_id, source_id, frame, time_ns;
    struct address router_ip;      /* who sent the error */
    struct address client_ip, server_ip; /* of the quoted packet: its source and destination */
    uint16_t client_port, server_port;
    uint8_t protocol;              /* quoted */
    uint8_t family;                /* 4 or 6 */
    uint8_t type, code;
    uint32_t mtu;                  /* 3/4 and Packet Too Big, else 0 */
    uint8_t ttl;                   /* of the ICMP packet */
    int64_t flow_id;               /* 0 = no flow of the capture */
    uint8_t quoted_side;           /* enum side of the flow that sent the quoted packet */
    bool quotes_syn;
    bool sequence_fits;            /* RFC 5927 4: the quoted sequence is one the flow sent */
    uint8_t quoted_ttl;
};

/* One row per (vlan, requester, target) of requests and per (vlan, address, mac) of claims; in a
 * tunnel with an id, vlan is that id. */
struct arp_record {
    int64_t capture_id, source_id, first_frame, last_frame, first_ns, last_ns;
    bool is_request;               /* else: the owner of mac claims ip */
    bool ndp;
    struct address ip;             /* target of the requests, or the claimed address */
    struct address requester_ip;
    char mac[MAC_TEXT_SIZE];       /* requester's, or the claiming one */
    int32_t vlan;
    int64_t requests;              /* is_request: how often asked */
    int64_t replies;               /* is_request: how many answers were seen to this requester */
    int64_t claims;                /* else: replies + gratuitous */
    int64_t frames;                /* else: other frames sent by mac for ip (IP source = ip) */
    int64_t last_frame_ns;         /* last frame with that mac and IP source */
    int64_t unasked;               /* else: claims told to one host that had not asked */
    struct address told_ip;        /* the last host told so */
    int64_t asked_own;             /* else: how often mac asked for ip itself and claimed it again */
    int64_t announced_ns;          /* else: when mac last told all that ip is its own */
    int64_t mac_last_ns;           /* else: last IP frame of that mac, whatever its IP source */
    int64_t disputed;              /* else: claims told to who had just been told of another mac */
    int64_t told;                  /* is_request: answers told to this requester alone */
    int64_t requester_frames;      /* is_request: other unicast frames of the requester captured */
    bool target_seen;              /* any frame whose IP source is the target, in the period */
};

/* ---- sources, captures --------------------------------------------------------------------------- */
struct source_record {
    int64_t id, capture_id;
    const char *path;
    int64_t size;                  /* bytes of the file as it lies there; -1 unknown (stdin, interface) */
    const char *sha256_head, *sha256_tail; /* of the first and last 64 KiB; NULL for streams */
    const char *format;            /* "pcap", "pcapng", "live", with compression: "pcap+gzip" */
    const char *link_types;        /* "1" or "1,113" */
    const char *interfaces;        /* names, comma separated */
    const char *comment;
    int64_t snaplen;
    int64_t packets, bytes, captured_bytes;
    int64_t first_ns, last_ns;
    int64_t dropped_kernel, dropped_interface; /* -1 not told */
    bool cut;
    const char *cut_reason;        /* where and why, stable English; texts are made from cut_offset */
    int64_t cut_offset;
};

/* What Wireshark counts in the same packets by its filters of the same names, tcp.analysis.* */
struct wireshark_counts {
    int64_t retransmission;        /* fast and spurious ones included */
    int64_t fast_retransmission, spurious_retransmission, out_of_order;
    int64_t duplicate_ack, zero_window, window_full, keep_alive;
    int64_t lost_segment, ack_lost_segment;
    int64_t reset;                 /* tcp.flags.reset */
};

/* 16 pauses of 30 letters. */
#define PAUSES_TEXT_SIZE 512

/* Quality counters of one run; one row per `read`. */
struct capture_record {
    int64_t id;
    const char *name;              /* what the user named, joined by ", " */
    const char *version;           /* of invcap */
    const char *profile;
    const char *salt;              /* hex, random per read: hashes of secrets */
    int64_t first_ns, last_ns;
    int64_t packets, bytes;
    int64_t tcp_connections, udp_flows, other_flows;
    int64_t truncated_packets;     /* caplen < len */
    int64_t duplicate_packets;     /* mirror copies left out */
    int64_t routed_packets;        /* copies with TTL-1 or other MACs left out */
    int64_t routed_delay_ns;       /* median; -1 none */
    int64_t late_packets;          /* of connections that had ended for both sides: of no flow */
    int64_t oversize_segments;     /* above the MTU: offload */
    int64_t bad_checksums, offload_checksums;
    int64_t backward_times;        /* packets older than the one before, by > 1 ms */
    int64_t largest_backward_ns;
    int64_t time_jumps;            /* by > 1 h with traffic on both sides, or by less as the hosts' clocks show */
    /* the widest forward jump, and the widest step back of a second or more; 0 none */
    int64_t jump_from_ns, jump_to_ns, back_from_ns, back_to_ns;
    char pauses[PAUSES_TEXT_SIZE]; /* the longest ones of a second or more without any packet, by time: "from_ns+ms,..." */
    int64_t disordered_segments;   /* captured behind their acknowledgment: queues out of step */
    int64_t undecoded_packets;     /* link or network header that we do not know */
    int64_t malformed_packets;
    int64_t fragments, fragments_dropped, fragment_overlaps;
    int64_t tls_keyed, tls_decrypted; /* sessions tried with key logs; of them read, at least in part */
    int64_t tls_unsupported;         /* of them of a kind that is not decrypted */
    int64_t gaps, gap_bytes, acked_segments; /* capture loss: acknowledged yet unseen */
    int64_t one_sided_flows, two_sided_flows, midstream_flows;
    int64_t evicted_flows, limit_streams, limit_bytes, limit_paths;
    int64_t counted_flows;         /* vain attempts beyond their quota: in swarms, not in flows */
    int64_t icmp_packets, arp_packets, dns_packets;
    struct wireshark_counts wireshark;
    bool interrupted, cut;
    bool live;
    const char *filter;            /* capture filter, when known */
};

/* ---- findings -------------------------------------------------------------------------------------- */
enum finding_state { FINDING_CONFIRMED, FINDING_OPEN, FINDING_WITHDRAWN };

struct finding_record {
    int64_t id, capture_id;
    uint16_t code;                 /* enum finding_code + 1 */
    uint8_t severity, category, culprit, scope; /* enums of core/catalogue.h */
    int64_t confidence;
    bool is_primary;               /* the verdict of the connections it covers */
    uint8_t state;                 /* enum finding_state */
    int64_t first_ns, last_ns, count;
    int64_t joined;                /* findings alike that it stands for beside itself; 0 none */
    struct address client_ip, server_ip;
    uint16_t client_port, server_port;
    const char *name, *service;
    int64_t flow_id;               /* the worst one; 0 none */
    const char *rivals;            /* rival codes, comma separated */
    const char *withdrawn_by;      /* capture code that silenced it */
    const char *reason;            /* culprit unknown: why, a text id in words */
};

struct finding_value_record {
    int64_t finding_id;
    const char *name;
    double number;                 /* when text is NULL */
    const char *text;
    double minimum, maximum;       /* over the flows; equal to number when single */
};

struct finding_evidence_record {
    int64_t finding_id, number;
    int64_t source_id, frame, offset, time_ns, caplen; /* offset and caplen -1 when not kept */
    const char *note;              /* event kind name, e.g. "syn", "rst", "alert" */
};

struct finding_flow_record {
    int64_t finding_id, flow_id;
    bool is_primary;
};

/* The site diagnosis changes what the flow diagnosis had said provisionally. */
struct verdict_record {
    int64_t flow_id;
    uint8_t outcome, stage;
    uint16_t verdict;
};

#include "core/record_command.h"
#include "core/record_delay.h"
#include "core/record_service.h"

/* ---- column tables ----------------------------------------------------------------------------------- */
enum column_type {
    COLUMN_I64, COLUMN_I32, COLUMN_I16, COLUMN_U64, COLUMN_U32, COLUMN_U16, COLUMN_U8, COLUMN_BOOL,
    COLUMN_REAL,
    COLUMN_TEXT,      /* const char* */
    COLUMN_CHARS,     /* char[] inside the record */
    COLUMN_ADDRESS,   /* struct address, TEXT outside */
    COLUMN_NAMED,     /* uint8_t with names[]: TEXT outside */
    COLUMN_FINDING,   /* uint16_t, enum finding_code + 1: its code outside */
    COLUMN_BLOB       /* const uint8_t*; the member right behind it is its int64_t length */
};

#define COLUMN_KEY (1u << 0)           /* primary key (together with the others so marked) */
#define COLUMN_NEGATIVE_IS_NULL (1u << 1)
#define COLUMN_ZERO_IS_NULL (1u << 2)
#define COLUMN_NOT_JSON (1u << 3)

/* Small members share one stored integer, `packed`; SQL shows each as a column computed from it. */
struct column_bits {
    uint8_t shift, width;              /* width 0: a column of its own */
};

struct column {
    const char *name;
    enum column_type type;
    size_t offset;
    size_t size;                       /* of the member: COLUMN_CHARS capacity */
    const char *unit;                  /* "ns", "bytes", "count", "" */
    unsigned flags;
    const char *const *names;          /* COLUMN_NAMED: NULL-terminated; "" is NULL outside */
    const char *(*word)(unsigned value); /* COLUMN_NAMED without names: NULL when out of range */
    const char *sentence;              /* what it means, English, for docs/schema.md */
    const char *references;            /* "flows(id)" or NULL */
    struct column_bits bits;
};

enum record_kind {
    RECORD_CAPTURE, RECORD_SOURCE, RECORD_FLOW, RECORD_FLOW_TCP, RECORD_FLOW_EVENT,
    RECORD_DNS, RECORD_NTP, RECORD_TLS,
    RECORD_CERTIFICATE, RECORD_TLS_CERTIFICATE, RECORD_HTTP, RECORD_ICMP, RECORD_ARP,
    RECORD_RESET,
    RECORD_SECRET,
    RECORD_H2,
    RECORD_COMMAND,
    RECORD_PATH,
    RECORD_STAPLE,
    RECORD_FINDING, RECORD_FINDING_VALUE, RECORD_FINDING_EVIDENCE, RECORD_FINDING_FLOW,
    RECORD_FLOW_DELAY, RECORD_RTT_SAMPLE, RECORD_TURN,
    RECORD_CHAIN, RECORD_INCIDENT, RECORD_INCIDENT_STEP,
    RECORD_DOMAIN, RECORD_STORY, RECORD_SWARM,
    RECORD_SERVICE, RECORD_SERVICE_MINUTE, RECORD_ENDPOINT,
    RECORD_BASELINE,
    RECORD_DEPENDENCY,
    RECORD_TABLE_COUNT,
    RECORD_VERDICT = RECORD_TABLE_COUNT, /* no table: an update of one flow, struct verdict_record */
    RECORD_KIND_COUNT
};

struct record_table {
    enum record_kind kind;
    const char *table;                 /* SQL table name */
    const char *json_type;             /* "flow", "finding" ... */
    const char *sentence;
    size_t record_size;
    const struct column *columns;
    size_t column_count;
};

const struct record_table *record_table_get(enum record_kind kind);
/* NULL when no table has that name. */
const struct record_table *record_table_find(const char *table);
/* Stable English word of a COLUMN_NAMED value ("" when out of range); and back, -1 when unknown. */
const char *column_name_of(const struct column *column, unsigned value);
int column_value_of(const struct column *column, const char *name);

/* How the integer of a member lies in memory; LOAD_NONE: it is a text, an address, bytes or a real number. */
enum column_load { LOAD_NONE, LOAD_8, LOAD_U16, LOAD_I16, LOAD_U32, LOAD_I32, LOAD_64 };
enum column_load column_load_of(const struct column *column);
/* A uint64_t above INT64_MAX comes out negative. */
static inline int64_t column_load(enum column_load how, const void *member)
{
    int64_t number;
    uint32_t word;
    uint16_t half;
    switch (how) {
    case LOAD_64:
        memcpy(&number, member, sizeof number);
        return number;
    case LOAD_U32:
    case LOAD_I32:
        memcpy(&word, member, sizeof word);
        return how == LOAD_I32 ? (int32_t)word : (int64_t)word;
    case LOAD_U16:
    case LOAD_I16:
        memcpy(&half, member, sizeof half);
        return how == LOAD_I16 ? (int16_t)half : (int64_t)half;
    default:
        return *(const uint8_t *)member;
    }
}

/* The member of a column; all but REAL, TEXT, CHARS, ADDRESS and BLOB are integers. A uint64_t above
 * INT64_MAX is given as INT64_MAX: SQL has no larger one. */
int64_t column_get_integer(const struct column *column, const void *record);
void column_set_integer(const struct column *column, int64_t value, void *record);
/* Whether that integer stands for "absent", and the integer that does. */
bool column_is_absent(const struct column *column, int64_t value);
int64_t column_absent_value(const struct column *column);
double column_get_real(const struct column *column, const void *record);
/* The text of a TEXT or CHARS member; never NULL, "" is absent. Borrowed from the record. */
const char *column_get_text(const struct column *column, const void *record);
/* TEXT keeps the pointer, CHARS copies what fits. */
void column_set_text(const struct column *column, const char *text, void *record);
struct address column_get_address(const struct column *column, const void *record);
/* The bytes of a BLOB member; NULL and 0 when absent. */
const uint8_t *column_get_blob(const struct column *column, const void *record, size_t *len);

const char *side_name(unsigned side);
const char *outcome_name(unsigned outcome);
const char *stage_name(unsigned stage);
const char *event_kind_name(unsigned kind);
/* "ecn, fast-open": FLOW_FEATURE_ bits in words. */
const char *flow_features_name(unsigned features);
const char *event_note_name(unsigned note);
const char *event_reason_name(unsigned reason);
/* How sure the class of a retransmission or late segment is, percent; 0: of another kind. */
uint8_t event_confidence(unsigned kind, unsigned note, unsigned reason);
const char *tls_step_name(unsigned step);

/* ---- the one way down ------------------------------------------------------------------------------- */
/* A closed flow with what belongs to it; everything borrowed for the call. */
struct flow_bundle {
    struct flow_record *flow;
    struct flow_tcp_record *tcp;             /* NULL: nothing happened */
    struct tls_record *tls;                  /* NULL: none */
    const struct tls_certificate_record *tls_certificates;
    size_t tls_certificate_count;
    const struct flow_event *events;         /* in time order, already head + tail */
    size_t event_count;
    const struct reset_record *resets;       /* by number */
    size_t reset_count;
};

struct sink {
    void *self;
    /* kind RECORD_FLOW passes a struct flow_bundle*, the others their own record. The callee copies. */
    void (*put)(void *self, enum record_kind kind, const void *record);
};

static inline void sink_put(const struct sink *sink, enum record_kind kind, const void *record)
{
    sink->put(sink->self, kind, record);
}

#endif
