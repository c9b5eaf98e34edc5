/* Chains of certificates, built and verified at the time of their handshake (RFC 5280 6).
 *
 * A verifier knows the trust store that somebody named, if anybody did, and learns the authorities
 * that other connections showed. Without a named store nothing is ever called untrusted: the chain is
 * only asked whether it holds together up to its last certificate. One verifier, one thread. */
#ifndef INVCAP_TRUST_CHAIN_H
#define INVCAP_TRUST_CHAIN_H

#include "core/record.h"
#include "trust/store.h"

enum chain_status {
    CHAIN_NOT_JUDGED, /* no store was named, and nothing to check but the certificate itself */
    CHAIN_CONSISTENT, /* no store was named; every signature and constraint up to the last holds */
    CHAIN_BROKEN,     /* no store was named; a signature or constraint inside does not hold */
    CHAIN_VERIFIED,   /* leads to the named store */
    CHAIN_INCOMPLETE, /* leads there only with an intermediate that others showed */
    CHAIN_UNTRUSTED   /* does not lead there, or a certificate of the way may not be used */
};

struct chain_verdict {
    uint8_t status;        /* enum chain_status */
    int error;             /* X509_V_ERR_..., 0 none */
    const char *reason;    /* the same in few words, constant; NULL none */
    uint32_t error_depth;  /* 0 is the server's own certificate */
    uint32_t path_len;     /* certificates of the way that was checked */
    uint32_t learnt;       /* of them neither sent nor in the named store */
    bool in_order;         /* each certificate sent is signed by the next (RFC 5246 7.4.2) */
    bool is_anchored;      /* the way ends at a certificate that signs itself or in the store */
    bool lacks_intermediate; /* one that is known from others or from the store was not sent */
    bool is_strange_root;  /* the way ends at a root that the named store does not have */
    const char *top;       /* issuer of the last certificate of the way; borrowed of a record */
    /* The verdict is the same for all times from ... to (ns since 1970). */
    int64_t same_from_ns, same_to_ns;
};

struct chain_verifier;

/* store is borrowed and may be NULL or empty: nobody named one. NULL when memory is out. */
struct chain_verifier *chain_verifier_new(const struct trust_store *store);
void chain_verifier_free(struct chain_verifier *verifier);
/* Makes an authority known that some connection showed; others are ignored. The record is borrowed
 * for the life of the verifier. */
void chain_verifier_learn(struct chain_verifier *verifier,
                          const struct certificate_record *certificate);
/* Judges what a server sent, its own certificate first (none of them NULL), at time_ns. */
void chain_verify(const struct chain_verifier *verifier,
                  const struct certificate_record *const *sent, size_t count, int64_t time_ns,
                  struct chain_verdict *out);
/* Constant English words of an X509_V_ERR_; NULL for 0. */
const char *chain_error_words(int error);

#endif
