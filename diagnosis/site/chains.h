/* What servers showed, judged: a chain is one server address, port, name asked for and list of
 * certificates. */
#ifndef INVCAP_DIAGNOSIS_SITE_CHAINS_H
#define INVCAP_DIAGNOSIS_SITE_CHAINS_H

#include "diagnosis/site/judge.h"
#include "trust/chain.h"

struct site_chain {
    struct chain_record record;
    struct chain_verdict verdict;            /* of its first use; borrowed text only */
    const struct certificate_record *leaf;   /* NULL: did not parse */
    const struct site_flow *first, *last;    /* handshakes */
};

/* Puts the chains of this judgement as RECORD_CHAIN. */
void judge_put_chains(const struct judge *judge, const struct sink *out);

/* The time at which the server's certificate was shown, ns. */
int64_t flow_handshake_ns(const struct site_flow *flow);

#endif
