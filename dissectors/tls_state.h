/* What the parts of the TLS dissector share: record layer (tls.c), handshake messages
 * (tls_handshake.c; quic.c and dtls.c bring theirs too), and what lengths of encrypted records tell (tls_encrypted.c).
 * Not for other modules. */
#ifndef INVCAP_DISSECTORS_TLS_STATE_H
#define INVCAP_DISSECTORS_TLS_STATE_H

#include "core/hints.h"
#include "core/limits.h"
#include "dissectors/dissector.h"

enum {
    TLS_RECORD_CCS = 20,
    TLS_RECORD_ALERT = 21,
    TLS_RECORD_HANDSHAKE = 22,
    TLS_RECORD_DATA = 23,
    TLS_RECORD_HEARTBEAT = 24,
    TLS_RECORD_HEADER = 5,
    TLS_RANDOM_LEN = 32,
    /* 2^14 + 2048, RFC 5246 6.2.3 */
    TLS_RECORD_MAX = 18432
};

/* Record layer of one TCP direction. */
struct tls_stream {
    uint8_t *message; /* start of a handshake message that goes on in the next record */
    uint32_t message_len;
    uint32_t message_capacity;
    uint32_t handshake_bytes; /* all handshake bytes so far, against LIMIT_TLS_HANDSHAKE */
    uint32_t records;
    uint32_t shown_size; /* whole size of the record at the start of the uneaten bytes, 0 unknown */
    uint32_t shown_len;  /* of which so many have been shown */
    uint64_t searched;   /* bytes searched for the next record after a gap */
    int64_t segment_frame; /* last frame that brought bytes of the record being shown */
    uint32_t segments;     /* so many frames */
    bool resync;           /* after a gap: the next record must be found */
    bool opaque;           /* no handshake message of it can be read any more */
    bool opened;           /* its handshake bytes at hand were made clear with keys: TLS 1.3 */
    bool foreign;          /* its first bytes are not TLS */
};

/* What is known of one role. */
struct tls_party {
    bool seen;      /* any byte of it */
    bool lost;      /* bytes of it are missing */
    bool encrypted; /* up to TLS 1.2: after its ChangeCipherSpec */
    bool finished;
    bool pads;      /* TLS 1.3: its Finished was padded as JSSE does */
    uint32_t flight_records; /* TLS 1.3: encrypted handshake records */
    uint32_t flight_bytes;
};

struct tls_hidden_alert {
    bool present;
    uint8_t step;
    int64_t time_ns, frame;
};

struct tls_reader; /* tls_reader.h */

struct tls_state {
    struct tls_stream stream[2];     /* by TCP side */
    struct tls_party party[2];       /* by TLS role */
    char transport;                  /* of JA4: t, q, d */
    bool flipped;                    /* the TCP server is the TLS client */
    bool client_hello, server_hello; /* seen; a HelloRetryRequest is no ServerHello */
    bool sslv2;                      /* the ClientHello came in SSL 2.0 form */
    bool offered_13, offered_early_data, offered_h2;
    bool server_certificate, server_key_exchange, server_done; /* messages seen */
    bool certificate_verify_due; /* TLS 1.3: the next big client record is CertificateVerify */
    bool client_refused;         /* TLS 1.3: an alert instead of the client's Finished */
    bool concluded;
    bool client_fin_first, fin_seen;
    uint8_t randoms[2 * TLS_RANDOM_LEN]; /* of client and server, for TLCP's signature */
    uint8_t session_id[32];
    uint8_t session_id_len;
    bool session_echoed; /* the server took the session id that was offered */
    int64_t client_hello_end_ns;
    int64_t client_flight_ns;              /* last handshake record of the client, TLS 1.3 */
    struct tls_hidden_alert server_hidden; /* alert-size record after the client's certificate */
    int16_t first_warning;                 /* first warning that is not close_notify, -1 none */
    uint8_t first_warning_by;
    int16_t warning;                       /* last warning that is not close_notify, -1 none */
    uint8_t warning_by, warning_step;
    int64_t warning_ns, warning_frame;
    uint32_t ticket_len;    /* TLS 1.3: length of the first server record after Finished */
    int64_t server_data_ns; /* of the server's last record that may answer; 0 none */
    uint8_t after_finished; /* server records since then, up to 2 */
    uint64_t facts_before_ticket;
    struct tls_reader *reader; /* NULL: no secrets of it are known */
    struct tls_certificate_record certificates[LIMIT_TLS_CERTIFICATES];
    size_t certificate_count;
};

static inline enum side tls_role(const struct tls_state *state, enum side side)
{
    return state->flipped ? (enum side)(1 - (int)side) : side;
}

/* Begins a session over transport t (TCP), q (QUIC) or d (DTLS): context->tls is made empty. */
void tls_start(struct tls_state *state, char transport, struct dissect_context *context);
/* One handshake message in clear; body without type and length. */
void tls_handle_message(struct tls_state *state, enum side role, uint8_t type, struct cursor body,
                        struct dissect_context *context);
/* Whether a message of this type exists at all in the handshakes that we read. */
bool tls_is_message_type(uint8_t type);
/* A readable alert. */
void tls_handle_alert(struct tls_state *state, enum side role, uint8_t level, uint8_t number,
                      struct dissect_context *context);
void tls_handle_ccs(struct tls_state *state, enum side role, struct dissect_context *context);
/* The body of a ClientHello, the first or a second one. */
void tls_handle_client_hello(struct tls_state *state, struct cursor body,
                             struct dissect_context *context);
/* SSL 2.0 CLIENT-HELLO, a whole record with its header. */
RARE
void tls_handle_sslv2_hello(struct tls_state *state, struct cursor record,
                            struct dissect_context *context);
/* The server answered in SSL 2.0. */
RARE
void tls_handle_sslv2_answer(struct tls_state *state, struct dissect_context *context);

/* A record that cannot be read, by its type and length. */
void tls_handle_encrypted(struct tls_state *state, enum side role, uint8_t type, uint32_t len,
                          struct dissect_context *context);
/* A record of application data of a complete handshake, by its length. */
void tls_handle_data(struct tls_state *state, enum side role, uint32_t len,
                     struct dissect_context *context);
/* The handshake messages of one record in clear, or made clear; record is borrowed. */
void tls_take_handshake(struct tls_state *state, enum side side, struct cursor record,
                        struct dissect_context *context);
/* Forgets the beginning of a message that is kept until its rest comes. */
void tls_drop_message(struct tls_stream *stream);
/* der at that position of role's chain. */
void tls_keep_certificate(struct tls_state *state, enum side role, int64_t position,
                          struct cursor der, struct dissect_context *context);
/* The server's CertificateStatus (RFC 6066 8, RFC 8446 4.4.2.1): type, then the OCSP response; of a list of
 * them (RFC 6961) the first, which is of its own certificate. */
void tls_take_staple(struct cursor status, struct dissect_context *context);
/* The server's ServerKeyExchange of TLCP: keeps what its signature is worth. */
void tls_check_signature(const struct tls_state *state, struct cursor body,
                         const struct dissect_context *context);
/* Last conclusions, once: hidden alerts, warnings that ended it. */
void tls_conclude(struct tls_state *state, struct dissect_context *context);

/* Zeek's ssl_history: upper case is the client; 'D' is not repeated. */
void tls_add_letter(struct tls_record *tls, enum side role, char letter);
void tls_advance(struct tls_record *tls, enum tls_step step);
void tls_emit(const struct tls_state *state, struct dissect_context *context, enum event_kind kind,
              enum side role);
/* The handshake is complete as far as can be seen; role is who completed it. */
void tls_establish(struct tls_state *state, enum side role, struct dissect_context *context);

#endif
