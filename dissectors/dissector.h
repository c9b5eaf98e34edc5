/* The contract of a stream dissector: bytes of one TCP direction in order -> facts.
 *
 * Pure: no I/O, no clock, no allocation but through its own state (freed in close). Fed by
 * sessions/tcp_stream with contiguous bytes. Whatever the segmentation, the records are the same.
 * Either direction may come alone, late (mid-stream) or cut. */
#ifndef INVCAP_DISSECTORS_DISSECTOR_H
#define INVCAP_DISSECTORS_DISSECTOR_H

#include "core/bytes.h"
#include "core/intern.h"
#include "core/profile.h"
#include "core/record.h"

enum dissector_match { MATCH_NO, MATCH_MORE, MATCH_YES };

enum feed_result {
    FEED_MORE,     /* ate all whole messages; the rest in the cursor is kept and shown again, longer */
    FEED_FINISHED, /* nothing more is wanted of this direction */
    FEED_GIVE_UP,  /* not this protocol after all, or past saving */
    FEED_HAND_OVER /* what follows in both directions is another protocol (a tunnel, an upgrade): this
                      dissector is closed, and the next bytes choose anew */
};

enum end_why { DISSECTOR_END_FIN, DISSECTOR_END_RST, DISSECTOR_END_CAPTURE, DISSECTOR_END_TIMEOUT };

/* What a dissector that decrypts hands on. */
enum plain_event {
    PLAIN_TEXT, /* the next bytes of that side */
    PLAIN_LOST, /* what follows of that side is not known */
    PLAIN_END   /* that side has said its last word */
};

struct tls_keys; /* dissectors/tls_keys.h */

/* What a dissector may know of its flow, and where it puts what it finds. */
struct dissect_context {
    int64_t flow_id;               /* 0 until known; records are stamped by the engine */
    uint8_t protocol;
    uint16_t client_port, server_port;
    const struct profile *profile;
    struct intern *strings;
    struct flow_record *flow;      /* name, app, request_count, response_max_ns may be filled */
    struct tls_record *tls;        /* filled by the TLS dissector; valid until close */
    const struct sink *sink;       /* for records that are whole before the flow ends (HTTP) */
    struct certificate_cache *certificates; /* dissectors/x509.h; NULL: do not parse */
    int64_t capture_id;
    const char *salt;              /* for hashes of secrets; NULL or "": none are made */
    /* Of the packet that completed the bytes now shown: */
    int64_t time_ns;
    int64_t first_time_ns;         /* of the packet that brought the first byte shown */
    int64_t frame;
    int64_t first_frame;
    /* Smallest round trip between tap and server seen so far, -1 unknown. */
    int64_t rtt_server_ns;
    /* When the client last sent again what was not acknowledged; 0 never. */
    int64_t resent_ns;
    /* Out: bytes to pass over after those eaten, e.g. the rest of a TLS record or a body. They are
     * never buffered, and a gap inside them does no harm. */
    uint64_t skip;
    /* Out: feed again only when so many bytes are there from the first uneaten one (a record whose
     * length is known); 0 = with the next byte. At the end of a direction no more comes. */
    size_t need;
    /* In, when it is closed: bytes still to be passed over, by side: they were asked for by skip
     * and never came. */
    uint64_t skip_left[2];
    /* Out: called for events of the ladder (EVENT_CLIENT_HELLO, EVENT_ALERT, EVENT_REQUEST ...). */
    void (*event)(void *self, enum event_kind kind, enum side side, int64_t time_ns, int64_t frame);
    void *event_self;
    /* In, for gap(): the bytes right before the gap that were shown and not eaten; its times are theirs. */
    struct cursor cut;
    /* Secrets of TLS sessions; NULL: none, nothing is decrypted. */
    struct tls_keys *keys;
    /* Called for decrypted bytes of TLS, with event_self; NULL: nobody wants them. bytes are borrowed. */
    void (*plain)(void *self, enum plain_event event, enum side side, const uint8_t *bytes,
                  size_t len);
    /* What the flow spoke before it handed over to another protocol ("smtp", "socks5"), NULL nothing;
     * static. Whoever returns FEED_HAND_OVER may set it. */
    const char *upgrade;
    /* Out, may be NULL, with event_self: the side `asker` of this flow learnt that `name` (interned) has
     * this address. */
    void (*resolved)(void *self, enum side asker, const struct address *address, const char *name);
};

struct dissector {
    const char *name; /* flow.app: "tls", "http" */
    size_t state_size;
    /* It only waits for another protocol to begin: the flow stays without a name, nDPI is asked, and
     * FEED_GIVE_UP gives the flow back as if nobody had taken it. */
    bool watches;
    /* Looks at the first bytes of one side of a flow; MATCH_MORE asks for more (up to 64). */
    enum dissector_match (*looks_like)(const uint8_t *bytes, size_t len, enum side side);
    /* state is zeroed memory of state_size. */
    void (*open)(void *state, struct dissect_context *context);
    enum feed_result (*feed)(void *state, enum side side, struct cursor *bytes,
                             struct dissect_context *context);
    /* len bytes of side are missing for good (outside a skip). false: give up on this direction. */
    bool (*gap)(void *state, enum side side, uint64_t len, struct dissect_context *context);
    /* side ended (FIN), or the whole flow ended (why != FIN; side SIDE_NONE). */
    void (*end)(void *state, enum side side, enum end_why why, struct dissect_context *context);
    /* Frees what the state owns; fills the last facts into context->flow and context->tls. */
    void (*close)(void *state, struct dissect_context *context);
};

/* How long the server took over what the client had said at from_ns: without the way, and without
 * what the client's bytes needed to get through. */
int64_t dissect_wait(const struct dissect_context *context, int64_t from_ns, int64_t answer_ns);

/* All stream dissectors, in order of preference (dissectors/dissectors.def). */
const struct dissector *const *dissector_list(size_t *count);

/* Application facts that the engine needs at the end of a flow, kept current by the dissector in
 * context->flow->facts: FLOW_FACT_REQUEST_OPEN, FLOW_FACT_ANSWER_INCOMPLETE, FLOW_FACT_ANSWERED,
 * FLOW_FACT_TLS_FINISHED. */

#endif
