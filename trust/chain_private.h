/* What chains and staples know together. Not for other modules. */
#ifndef INVCAP_TRUST_CHAIN_PRIVATE_H
#define INVCAP_TRUST_CHAIN_PRIVATE_H

#include "trust/chain.h"
#include "trust/private.h"

struct x509_store_st;

/* An authority that some connection showed. */
struct authority {
    struct x509_st *certificate;
    const struct certificate_record *record;
};

struct chain_verifier {
    const struct trust_store *store;
    struct x509_store_st *anchors; /* NULL: nobody named a store */
    struct authority *learnt;
    size_t learnt_count, learnt_capacity;
};

#endif
