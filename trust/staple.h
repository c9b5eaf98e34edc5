/* Stapled OCSP responses, verified at the time of their handshake (RFC 6960 3.2): that they are about this
 * certificate, of its date, and signed by its issuer or by whom that one named. */
#ifndef INVCAP_TRUST_STAPLE_H
#define INVCAP_TRUST_STAPLE_H

#include "trust/chain.h"

enum staple_fault {
    STAPLE_FINE,
    STAPLE_UNREADABLE,   /* no OCSP response */
    STAPLE_FAILED,       /* the responder's refusal: tryLater ... */
    STAPLE_FOREIGN,      /* about other certificates only */
    STAPLE_FORGED,       /* its signature is not that of whom it names */
    STAPLE_UNAUTHORIZED, /* signed by somebody that the issuer did not name */
    STAPLE_EARLY,        /* not valid yet */
    STAPLE_STALE         /* a newer one was to be had */
};

struct staple_verdict {
    uint8_t fault;       /* enum staple_fault, its dates left alone */
    uint8_t status;      /* enum staple_status of the answer about this certificate */
    bool is_verified;    /* the signature is right, and the signer may sign */
    int64_t this_update_ns, next_update_ns; /* of that answer; -1 none */
};

/* Judges what came with sent (the server's own certificate first, none of them NULL) at time_ns.
 * Where its issuer is not known the signature is left alone: is_verified is false then, without a
 * fault. */
void staple_verify(const struct chain_verifier *verifier, const struct staple_record *staple,
                   const struct certificate_record *const *sent, size_t count, int64_t time_ns,
                   struct staple_verdict *out);
/* The fault that it has at that time: its dates, when nothing else is wrong. */
enum staple_fault staple_fault_at(const struct staple_verdict *verdict, int64_t time_ns);

#endif
