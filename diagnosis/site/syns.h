/* SYNs that are lost because of what they carry or whence they come: those of one client or service that failed against
 * those that passed. */
#ifndef INVCAP_DIAGNOSIS_SITE_SYNS_H
#define INVCAP_DIAGNOSIS_SITE_SYNS_H

#include "diagnosis/site/judge.h"

struct syn_drop {
    const char *asks;        /* what separates the lost from the answered ones, in stable words; NULL */
    const char *ports;       /* or the source ports of all the lost ones and of no other: "5000-5999"; NULL */
    uint32_t lost, answered; /* connections whose SYNs with it were lost; without it answered */
    uint8_t confidence;      /* 0: each was the first SYN of its connection, too: a rival, no verdict */
};

/* Adds to a claim about unanswered SYNs of the flow what they have in common, if anything: values,
 * culprit and confidence, or the rival alone. `at_server`: the SYNs reached the server's own link. */
void syns_explain(struct judge *judge, const struct site_flow *flow, bool at_server,
                  struct claim *out);

#endif
